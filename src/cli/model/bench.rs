//! `pmax model bench`: what a model does on this machine, measured in a worker as the workstation starts it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{device, size};
use crate::cli::args::{Format, RunsOn};
use crate::cli::{Done, OK, say};
use crate::domain::CleanText;
use crate::llm::answer::Timings;
use crate::llm::ask::{Ask, Task};
use crate::llm::cache::Cache;
use crate::llm::desk::{Asker, Backend, DeskTerms, ModelDesk, Patience, Request, RungTerms};
use crate::llm::install::Shelf;
use crate::llm::panel::{ModelFacts, Rung};
use crate::llm::protocol::{BenchPlan, Benched, Device, Job};
use crate::llm::samples;
use crate::runtime::{ModelName, Trouble, model_threads, model_worker, wall_now};

/// Positions a model is given.
const CONTEXT: u32 = 2_048;
/// Tokens that are read, and written.
const PROMPT: u32 = 256;
const WRITTEN: u32 = 64;
/// Sequences side by side, and the tokens each reads first.
const TOGETHER: u32 = 8;
const PROMPT_TOGETHER: u32 = 32;
/// Anything takes no longer than this.
const AT_MOST: Duration = Duration::from_secs(600);

/// What is to be measured.
pub(super) struct Wanted<'a> {
    pub(super) model: Option<&'a str>,
    pub(super) on: RunsOn,
    pub(super) threads: Option<u32>,
    pub(super) format: Format,
}

/// What was measured, for a script.
#[derive(Serialize)]
struct Measured {
    model: String,
    architecture: String,
    quantisation: String,
    device: String,
    file_bytes: u64,
    memory_bytes: u64,
    loaded_ms: u64,
    memory_gigabytes_per_second: Option<f64>,
    alone: Speeds,
    together: Speeds,
    tasks: Vec<TaskTimes>,
}

#[derive(Serialize)]
struct Speeds {
    rows: u32,
    prompt_per_second: f64,
    written_per_second: f64,
    gigabytes_per_second: f64,
    share_of_memory: Option<f64>,
}

#[derive(Serialize)]
struct TaskTimes {
    task: &'static str,
    cold: Outcome,
    cached: Outcome,
}

/// How one question went.
#[derive(Serialize)]
struct Outcome {
    milliseconds: f64,
    first_ms: Option<f64>,
    timings: Option<Timings>,
    abstained: Option<String>,
}

/// A model's file and what is known of it.
struct Found {
    name: String,
    file: PathBuf,
    sha256: Option<String>,
}

/// Measures and tells.
pub(super) fn run(shelf: &Shelf, wanted: &Wanted<'_>) -> Done {
    let found = find(shelf, wanted.model)?;
    let threads = wanted.threads.unwrap_or_else(model_threads);
    let job =
        Job { model: found.file, sha256: found.sha256, device: device(wanted.on), threads, context: CONTEXT, memory_limit: None };
    let rung = if job.device == Device::Gpu { Rung::Gpu } else { Rung::Cpu };
    let backend = Backend::Worker(model_worker(job, None)?);
    let rungs = vec![RungTerms { rung, name: CleanText::from_outside(&found.name), knowledge_cutoff: None, backend }];
    let milliseconds = u64::try_from(AT_MOST.as_millis()).unwrap_or(u64::MAX);
    let patience = Patience { load_ms: milliseconds, grace_ms: milliseconds, ..Patience::default() };
    let desk = ModelDesk::start(DeskTerms { rungs, patience, clock: wall_now, cache: Cache::in_memory() })
        .map_err(|error| failed(&error.to_string()))?;
    let measured = measure(&desk.asker())?;
    match wanted.format {
        Format::Json => say(&serde_json::to_string(&measured).map_err(|error| failed(&error.to_string()))?),
        Format::Text => tell(&measured),
    }
    Ok(OK)
}

fn failed(why: &str) -> Trouble {
    let todo = "`pmax model list` shows what is installed, `pmax model verify` whether it is whole";
    Trouble::new(format!("The model cannot be measured: {why}"), "Nothing was changed", todo)
}

fn find(shelf: &Shelf, model: Option<&str>) -> Result<Found, Trouble> {
    let found = |one: crate::llm::install::Installed| Found {
        name: one.name.to_string(),
        file: one.file,
        sha256: one.record.map(|record| record.sha256),
    };
    match model {
        None => shelf.installed().into_iter().next().map(found).ok_or_else(|| {
            Trouble::new(
                "No model is installed",
                "Nothing was changed",
                "`pmax model list` shows what can be, `pmax model add` installs one",
            )
        }),
        Some(text) => {
            if let Some(one) = ModelName::new(text).ok().and_then(|name| shelf.find(&name)) {
                return Ok(found(one));
            }
            let path = Path::new(text);
            if !path.is_file() {
                return Err(failed(&format!("«{text}» is neither installed nor a file")));
            }
            let file = path.canonicalize().map_err(|error| failed(&error.to_string()))?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Ok(Found { name, file, sha256: None })
        }
    }
}

fn measure(asker: &Asker) -> Result<Measured, Trouble> {
    let panel = asker.wait_until(AT_MOST, |panel| panel.model.is_some() || (panel.rung == Rung::Rules && panel.since.is_some()));
    let model: ModelFacts = panel.model.clone().ok_or_else(|| failed(panel.why.as_str()))?;
    let memory = panel.speed.measured_gigabytes_per_second;
    let tasks = tasks(asker)?;
    let (alone, together) = (speeds(asker, plan(1, PROMPT), memory)?, speeds(asker, plan(TOGETHER, PROMPT_TOGETHER), memory)?);
    let memory_bytes = asker.panel().model.as_ref().map_or(model.memory_bytes, |model| model.memory_bytes);
    Ok(Measured {
        model: model.name.to_string(),
        architecture: model.architecture.to_string(),
        quantisation: model.quantisation.to_string(),
        device: model.device.to_string(),
        file_bytes: model.file_bytes,
        memory_bytes,
        loaded_ms: model.loaded_ms,
        memory_gigabytes_per_second: memory,
        alone,
        together,
        tasks,
    })
}

fn plan(rows: u32, prompt_tokens: u32) -> BenchPlan {
    BenchPlan { prompt_tokens, written_tokens: WRITTEN, rows }
}

fn speeds(asker: &Asker, plan: BenchPlan, memory: Option<f64>) -> Result<Speeds, Trouble> {
    let benched = asker.bench(plan).recv_timeout(AT_MOST).map_err(|_| failed("its process ended meanwhile"))?;
    let Benched { prompt_per_second, written_per_second, gigabytes_per_second, rows } =
        benched.map_err(|why| failed(&why.to_string()))?;
    let share_of_memory = memory.map(|memory| gigabytes_per_second / memory);
    Ok(Speeds { rows, prompt_per_second, written_per_second, gigabytes_per_second, share_of_memory })
}

/// Each task twice: with a static part that was never seen, and with one that is there.
fn tasks(asker: &Asker) -> Result<Vec<TaskTimes>, Trouble> {
    let questions = |round| samples::questions(round).map_err(|error| failed(&error.to_string()));
    let (first, second) = (questions(1)?, questions(2)?);
    let pairs = first.into_iter().zip(second);
    Ok(pairs
        .map(|(cold, cached)| {
            // One word more makes it another static part.
            let unseen = |ask: Ask| Ask { system: format!("{} Now:", ask.system), ..ask };
            let task = cold.task;
            TaskTimes { task: task.word(), cold: ask(asker, task, unseen(cold)), cached: ask(asker, task, unseen(cached)) }
        })
        .collect())
}

fn ask(asker: &Asker, task: Task, ask: Ask) -> Outcome {
    let begun = Instant::now();
    let deadline_ms = u64::try_from(AT_MOST.as_millis()).unwrap_or(u64::MAX);
    let request = Request { ask: Ask { deadline_ms, ..ask }, about: task.word().to_owned(), keep: None };
    let told = asker.ask(request).wait(AT_MOST);
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    match told.map(|told| told.answer) {
        Some(Ok(answer)) => {
            let timings = answer.timings;
            Outcome { milliseconds, first_ms: Some(timings.first_ms), timings: Some(timings), abstained: None }
        }
        Some(Err(why)) => Outcome { milliseconds, first_ms: None, timings: None, abstained: Some(why.to_string()) },
        None => Outcome { milliseconds, first_ms: None, timings: None, abstained: Some("no word of it".to_owned()) },
    }
}

fn tell(measured: &Measured) {
    let Measured { model, architecture, quantisation, device, .. } = measured;
    say(&format!(
        "{model}: {architecture}, mostly {quantisation}, {} on {device}; loaded and warm in {:.1} s, holds {}",
        size(measured.file_bytes),
        measured.loaded_ms as f64 / 1e3,
        size(measured.memory_bytes)
    ));
    if let Some(memory) = measured.memory_gigabytes_per_second {
        say(&format!("this machine's memory gives {memory:.1} GB/s to that many threads"));
    }
    for speeds in [&measured.alone, &measured.together] {
        let share = speeds.share_of_memory.map_or_else(String::new, |share| format!(", {:.0} % of it", share * 100.0));
        say(&format!(
            "{} at once: reads {:.0} tokens/s, writes {:.1} tokens/s, {:.1} GB/s{share}",
            speeds.rows, speeds.prompt_per_second, speeds.written_per_second, speeds.gigabytes_per_second
        ));
    }
    let price = measured.alone.written_per_second * f64::from(measured.together.rows) / measured.together.written_per_second;
    say(&format!("{} at once take {price:.1} times the time of one", measured.together.rows));
    say(&format!("{:<12} {:>24} {:>24}", "", "static part read anew", "static part there"));
    for times in &measured.tasks {
        say(&format!("{:<12} {:>24} {:>24}", times.task, words(&times.cold), words(&times.cached)));
    }
}

fn words(outcome: &Outcome) -> String {
    match (&outcome.abstained, outcome.first_ms) {
        (Some(why), _) => format!("none: {why}"),
        (None, Some(first)) => format!("{:.0} ms, first {first:.0}", outcome.milliseconds),
        (None, None) => format!("{:.0} ms", outcome.milliseconds),
    }
}
