//! A stand-in for the model's process: this test program itself, started again, speaking the real protocol and misbehaving on demand.
//!
//! What it does is written in the question: `echo …` is given back, `hang`, `die`, `rubbish` and `nan` are what they say, `slow` writes on
//! until it is stopped. What it does at its start is written in its environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use pmax::domain::{CleanText, WallTime};
use pmax::llm::answer::{Abstention, Answer, Piece, Timings};
use pmax::llm::ask::{Ask, AskId, Task};
use pmax::llm::cache::Cache;
use pmax::llm::desk::{Backend, DeskTerms, Patience, Request, RungTerms, WorkerTerms};
use pmax::llm::model::Stop;
use pmax::llm::panel::Rung;
use pmax::llm::protocol::{self, BenchPlan, Benched, Device, FromWorker, Job, Loaded};
use pmax::llm::worker::{Answers, serve};

/// Variable that makes this test program a worker, with what it does at its start.
const AS_WORKER: &str = "PMAX_TEST_STAND_IN";
/// Variable with a file that is there once a worker died on purpose.
const ONCE: &str = "PMAX_TEST_ONCE";
/// How long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Answers as the question says.
pub struct StandIn;

impl Answers for StandIn {
    fn answer(&mut self, asks: &[Ask], stops: &[Stop], told: &mut dyn FnMut(AskId, Piece)) -> Vec<Result<Answer, Abstention>> {
        let rows = u32::try_from(asks.len()).unwrap();
        let answer = |(ask, stop): (&Ask, &Stop)| {
            told(ask.id, Piece::Text("{".to_owned()));
            match ask.question.split_once(' ').map_or(ask.question.as_str(), |(word, _)| word) {
                "hang" => loop {
                    std::thread::park();
                },
                "die" => std::process::abort(),
                "rubbish" => {
                    File::options().write(true).open("/dev/fd/3").unwrap().write_all(&[0xff; 64]).unwrap();
                    loop {
                        std::thread::park();
                    }
                }
                "nan" => Err(Abstention::NotANumber),
                "slow" => loop {
                    if stop.is_over() {
                        break Err(Abstention::Unusable("stopped".to_owned()));
                    }
                    std::thread::yield_now();
                },
                _ => Ok(Answer {
                    text: ask.question.clone(),
                    labels: vec![0.75, 0.25],
                    prior: Vec::new(),
                    timings: Timings {
                        rows,
                        sampled_tokens: 3,
                        writing_ms: 1.5,
                        prompt_tokens: 4,
                        prompt_ms: 2.0,
                        ..Timings::default()
                    },
                }),
            }
        };
        asks.iter().zip(stops).map(answer).collect()
    }

    fn bench(&mut self, plan: BenchPlan) -> Result<Benched, Abstention> {
        Ok(Benched { prompt_per_second: 100.0, written_per_second: 10.0, gigabytes_per_second: 1.0, rows: plan.rows })
    }
}

/// What it says of itself.
pub fn loaded() -> Loaded {
    Loaded {
        architecture: "stand-in".to_owned(),
        quantisation: "none".to_owned(),
        device: "CPU, 1 thread".to_owned(),
        file_bytes: 1_000,
        token_bytes: 1_000_000,
        memory_bytes: 2_000,
        context: 512,
        loaded_ms: 1,
        memory_gigabytes_per_second: Some(10.0),
        sha256: "5".repeat(64),
    }
}

/// The stand-in's main, as a test of no consequence: it does something only where this program was started as a worker.
#[test]
fn a_stand_in_for_the_models_process() {
    let Ok(manner) = std::env::var(AS_WORKER) else { return };
    // Standard output belongs to the test harness here; the messages go where the shell has put the pipe.
    let output: OwnedFd = File::options().write(true).open("/dev/fd/3").unwrap().into();
    let mut direct = File::from(output.as_fd().try_clone_to_owned().unwrap());
    match manner.as_str() {
        "silent" => loop {
            std::thread::park();
        },
        "strange" => protocol::write(&mut direct, &FromWorker::Hello { version: protocol::VERSION + 1 }).unwrap(),
        "impolite" => protocol::write(&mut direct, &FromWorker::Memory(1)).unwrap(),
        "stillborn" => {
            eprintln!("\u{1b}[31mthe card is gone\u{202e}");
            std::process::exit(7);
        }
        "once" => {
            let file = std::env::var(ONCE).unwrap();
            if File::create_new(file).is_ok() {
                std::process::exit(7);
            }
        }
        _ => {}
    }
    if manner == "model" {
        let served = serve(std::io::stdin(), File::from(output), pmax::llm::worker::load);
        std::process::exit(i32::from(served.is_err()));
    }
    let unfit = manner == "unfit";
    let served = serve(std::io::stdin(), File::from(output), |_: &Job| {
        if unfit { Err("its file is damaged".to_owned()) } else { Ok((StandIn, loaded())) }
    });
    std::process::exit(i32::from(served.is_err()));
}

/// How a stand-in is started, with its manners.
pub fn worker(manner: &str, variables: &[(&str, &str)]) -> WorkerTerms {
    let program = std::env::current_exe().unwrap();
    let test = format!("{}::a_stand_in_for_the_models_process", module_path!().split_once("::").unwrap().1);
    let mut environment: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.insert(AS_WORKER.to_owned(), manner.to_owned());
    let line = "exec 3>&1; exec \"$0\" --exact --nocapture \"$1\" >/dev/null";
    WorkerTerms {
        program: "/bin/sh".into(),
        arguments: ["-c", line, &program.display().to_string(), &test].map(str::to_owned).to_vec(),
        environment,
        job: Job { model: "none.gguf".into(), sha256: None, device: Device::Cpu, threads: 1, context: 512, memory_limit: None },
    }
}

/// A real worker for a model's file, in this program.
pub fn worker_of_model(file: &std::path::Path) -> WorkerTerms {
    let mut terms = worker("model", &[]);
    terms.job.model = file.to_owned();
    terms.job.context = 2_048;
    terms
}

/// One that dies at its first start and works from then on.
pub fn worker_that_dies_once(file: &std::path::Path) -> WorkerTerms {
    worker("once", &[(ONCE, &file.display().to_string())])
}

/// A rung of the ladder.
pub fn rung(rung: Rung, terms: WorkerTerms) -> RungTerms {
    let knowledge_cutoff = Some(CleanText::from("2023-12-31"));
    RungTerms { rung, name: CleanText::from("stand-in"), knowledge_cutoff, backend: Backend::Worker(terms) }
}

/// A desk's terms with little patience.
pub fn terms(rungs: Vec<RungTerms>) -> DeskTerms {
    let patience = Patience { grace_ms: 300, backoff_ms: 1, longest_backoff_ms: 4, load_ms: 30_000, ..Patience::default() };
    DeskTerms { rungs, patience, clock: || WallTime(1_600_000_000_000_000_000), cache: Cache::in_memory() }
}

/// A question.
pub fn ask(task: Task, question: &str, deadline_ms: u64) -> Ask {
    Ask {
        id: AskId(0),
        task,
        system: "system".to_owned(),
        question: question.to_owned(),
        content_free: None,
        schema: "{}".to_owned(),
        decision: None,
        most_tokens: 8,
        streams: true,
        deadline_ms,
    }
}

/// The same for a desk.
pub fn request(task: Task, question: &str, about: &str) -> Request {
    Request { ask: ask(task, question, 20_000), about: about.to_owned(), keep: None }
}

/// Looks again and again until something is there.
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::yield_now();
    }
}
