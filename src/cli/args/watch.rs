//! What can be written after `pmax watch`.

use clap::{Subcommand, ValueEnum};

use crate::cli::args::Format;
use crate::cli::examples;
use crate::runtime::ProviderId;

/// What can be done with the watchlist. A change applies to the next start; while a workstation runs, it is made there (w).
#[derive(Debug, Subcommand)]
pub enum WatchVerb {
    /// Say what is watched, and what is known besides
    #[command(after_help = examples::WATCH_LIST)]
    List {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Ask Yahoo which instruments these words name
    #[command(after_help = examples::WATCH_SEARCH)]
    Search {
        /// The words
        #[arg(required = true)]
        words: Vec<String>,
        /// Search what is known here only, and ask nobody
        #[arg(long)]
        offline: bool,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Watch an instrument: one that is known, or a new one that Yahoo lists or that you describe
    #[command(after_help = examples::WATCH_ADD)]
    Add {
        /// Its symbol here; of a new one without --provider-name, Yahoo's symbol
        symbol: String,
        /// What a provider calls it, e.g. yahoo=SOL-USD; may be repeated. Then nobody is asked
        #[arg(long = "provider-name", value_name = "PROVIDER=NAME", value_parser = provider_name)]
        names: Vec<(ProviderId, String)>,
        /// What it is, where you describe it
        #[arg(long, value_enum)]
        kind: Option<WatchKind>,
        /// Its full name, where you describe it
        #[arg(long)]
        name: Option<String>,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Do not watch an instrument any more; the number of one of your own is retired
    #[command(after_help = examples::WATCH_REMOVE)]
    Remove {
        /// Its symbol
        symbol: String,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Put an instrument into a group of quotes, or take it out where it is in
    #[command(after_help = examples::WATCH_GROUP)]
    Group {
        /// Its symbol
        symbol: String,
        /// The group
        group: String,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// What an instrument is that a person describes. Shares, ETFs and indices are those of New York.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WatchKind {
    /// A share.
    Share,
    /// A fund that trades like a share.
    Etf,
    /// An index.
    Index,
    /// A crypto pair.
    Crypto,
    /// A currency pair.
    Currency,
}

fn provider_name(text: &str) -> Result<(ProviderId, String), String> {
    let (provider, name) = text.split_once('=').ok_or("write e.g. yahoo=SOL-USD")?;
    Ok((ProviderId::try_from(provider.to_owned())?, name.to_owned()))
}
