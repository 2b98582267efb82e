//! Language models as a person has them: the catalogue with one's own, the shelf, and how a worker for one is started.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::path::Path;

use crate::llm::catalogue::{BUILT_IN, Catalogue};
use crate::llm::desk::WorkerTerms;
use crate::llm::protocol::{Device, Job};
use crate::runtime::{Home, Trouble};

/// What makes this program a worker.
pub const WORKER_VERB: &str = "model-worker";
/// Variables that a graphics card's libraries are found by.
const FOR_GPU: [&str; 3] = ["LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES"];

/// The catalogue, with the person's own laid over it.
pub fn load_models(home: Option<&Home>) -> Result<Catalogue, Trouble> {
    let file = home.map(Home::models_file);
    let own = match file.as_deref().map(fs::read_to_string) {
        None => None,
        Some(Ok(text)) => Some(text),
        Some(Err(error)) if error.kind() == ErrorKind::NotFound => None,
        Some(Err(error)) => {
            let file = file.unwrap_or_default();
            return Err(refuse(format!("{} cannot be read: {error}", file.display())));
        }
    };
    Catalogue::read(BUILT_IN, own.as_deref()).map_err(|error| refuse(error.to_string()))
}

fn refuse(what: String) -> Trouble {
    Trouble::new(
        what,
        "Nothing was changed",
        "Mend the file, or move it away; config/models.toml shows what can be written in it",
    )
}

/// Threads that are left to a model: one core stays free for the screen and the engine.
pub fn model_threads() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cores).unwrap_or(u32::MAX).saturating_sub(1).max(1)
}

/// A worker that is `program`, by default this very one, with an environment of its own.
pub fn model_worker(job: Job, program: Option<&Path>) -> Result<WorkerTerms, Trouble> {
    let program = match program {
        Some(program) => program.to_owned(),
        None => std::env::current_exe().map_err(|error| {
            Trouble::new(
                format!("This program's own file is not known: {error}"),
                "Nothing was started",
                "Start it by its full path",
            )
        })?,
    };
    let mut environment = BTreeMap::new();
    if job.device == Device::Gpu {
        environment.extend(FOR_GPU.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))));
    }
    Ok(WorkerTerms { program, arguments: vec![WORKER_VERB.to_owned()], environment, job })
}
