//! What can be written after `pmax model`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::cli::args::Format;
use crate::cli::examples;
use crate::runtime::ModelName;

/// What can be done with language models.
#[derive(Debug, Subcommand)]
pub enum ModelVerb {
    /// Say which models are installed, and which can be
    #[command(after_help = examples::MODEL_LIST)]
    List {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Install a model of the catalogue, or a GGUF file of your own
    ///
    /// What is fetched is checked before it takes its place. A fetch that was cut off goes on where it ended, if its hash is known.
    #[command(after_help = examples::MODEL_ADD)]
    Add {
        /// Its name in the catalogue, or the path of a file
        #[arg(value_name = "NAME|PATH")]
        model: String,
        /// Do nothing where it is installed already
        #[arg(long)]
        if_missing: bool,
        /// Install it into this folder instead of your own
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Remove an installed model, and what there is of a fetch of it
    #[command(after_help = examples::MODEL_REMOVE)]
    Remove {
        /// Its name
        #[arg(value_parser = model_name)]
        name: ModelName,
    },
    /// Hash installed models again (exit 3 where one is not what it was)
    #[command(after_help = examples::MODEL_VERIFY)]
    Verify {
        /// Which one [default: all]
        #[arg(value_parser = model_name)]
        name: Option<ModelName>,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Measure a model on this machine: reading, writing, and the four tasks
    #[command(after_help = examples::MODEL_BENCH)]
    Bench {
        /// Its name, or the path of a file [default: the only one installed, or the first]
        #[arg(value_name = "NAME|PATH")]
        model: Option<String>,
        /// Where it runs
        #[arg(long, value_enum, default_value_t = RunsOn::Cpu)]
        on: RunsOn,
        /// Threads [default: all cores but one]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
        threads: Option<u32>,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunsOn {
    /// The processor.
    Cpu,
    /// The graphics card, where this program is built for one.
    Gpu,
}

fn model_name(text: &str) -> Result<ModelName, String> {
    ModelName::new(text)
}
