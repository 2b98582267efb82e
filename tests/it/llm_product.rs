//! Real models in real workers: a tiny one with random weights always, the small one where it is installed.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;

use pmax::domain::CleanText;
use pmax::llm::answer::Abstention;
use pmax::llm::ask::{Ask, AskId, Task};
use pmax::llm::desk::{ModelDesk, Reply, Request};
use pmax::llm::gguf::random::{Shape, write_random};
use pmax::llm::panel::{Panel, Rung};
use pmax::llm::protocol::BenchPlan;
use pmax::llm::samples;
use pmax::llm::tasks::{Templates, read_mood};

use crate::llm_stand_in::{PATIENCE, rung, terms, worker_of_model};

/// Questions on the way at once: as many as wait in a worker at most.
const TOGETHER: usize = 48;
/// Questions before memory is looked at: buffers, pools and kept states have their size by then.
const WARM: usize = 500;
/// All questions, or as many as `PMAX_TEST_QUESTIONS` says; 10,000 take half a minute.
const QUESTIONS: usize = 3_000;
/// What memory may grow by over the other ones.
const MOST_GROWTH: u64 = 4 << 20;

fn tiny(folder: &std::path::Path) -> PathBuf {
    let file = folder.join("tiny.gguf");
    write_random(&Shape::named("tiny-qwen2").unwrap(), &file, 3).unwrap();
    file
}

/// The small model, or a line that says what is skipped.
fn small(what: &str) -> Option<PathBuf> {
    let file = std::env::var_os("PMAX_TEST_MODEL")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/models/smollm2-135m.gguf")), PathBuf::from);
    if file.is_file() {
        return Some(file);
    }
    eprintln!("skipped: {what}: there is no {} (`pmax model add smollm2-135m --to target/models`)", file.display());
    None
}

fn desk(file: PathBuf) -> ModelDesk {
    let mut terms = terms(vec![rung(Rung::Cpu, worker_of_model(&file))]);
    terms.patience.grace_ms = 60_000;
    terms.patience.load_ms = 60_000;
    ModelDesk::start(terms).unwrap()
}

fn request(ask: Ask, about: &str) -> Request {
    Request { ask: Ask { deadline_ms: 50_000, ..ask }, about: about.to_owned(), keep: None }
}

fn memory(panel: &Panel) -> u64 {
    panel.model.as_ref().map_or(0, |model| model.memory_bytes)
}

#[test]
fn varied_questions_leave_memory_flat() {
    let questions = std::env::var("PMAX_TEST_QUESTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(QUESTIONS);
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(tiny(folder.path()));
    let asker = desk.asker();
    let templates = Templates::embedded().unwrap();
    let mut replies: VecDeque<Reply> = VecDeque::new();
    let (mut answered, mut warm) = (0_usize, 0);
    let mut take = |reply: Reply| {
        let told = reply.wait(PATIENCE).unwrap().answer;
        let answer = told.unwrap_or_else(|why| panic!("{why}"));
        read_mood(&answer).unwrap();
        answered += 1;
    };
    for number in 0..questions {
        if replies.len() >= TOGETHER {
            take(replies.pop_front().unwrap());
        }
        if number == WARM {
            warm = memory(&asker.panel());
        }
        let words = "profit ".repeat(number % 5);
        let headline = CleanText::from_outside(&format!("{words}{}", number * 7_919));
        let ask = templates.of(Task::Sentiment).ask_about_headline(AskId(0), &headline);
        replies.push_back(asker.ask(request(ask, &number.to_string())));
    }
    replies.into_iter().for_each(&mut take);
    assert_eq!(answered, questions);
    let end = memory(&asker.panel());
    eprintln!("{warm} bytes after {WARM} questions, {end} after {questions}");
    assert!(warm > 0 && end <= warm + MOST_GROWTH, "{warm} bytes after {WARM} questions, {end} after {questions}");
    assert_eq!(asker.panel().restarts, 0);
}

#[test]
fn a_model_that_cannot_be_loaded_says_why_and_the_rules_stand_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let mut small = worker_of_model(&file);
    small.job.memory_limit = Some(10 << 20);
    let cut = folder.path().join("cut.gguf");
    fs::write(&cut, &fs::read(&file).unwrap()[..200]).unwrap();
    for (worker, words) in [
        (small, "it needs"),
        (worker_of_model(&cut), "ends within its header"),
        (worker_of_model(&folder.path().join("none.gguf")), "cannot be read"),
    ] {
        let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker)])).unwrap();
        let ask = samples::questions(0).unwrap().remove(0);
        let told = desk.asker().ask(request(ask, "a")).wait(PATIENCE).unwrap().answer;
        assert!(matches!(&told, Err(Abstention::NoModel(why)) if why.contains(words)), "{words}: {told:?}");
    }
}

#[test]
fn the_small_model_answers_all_four_tasks_in_a_worker() {
    let Some(file) = small("the four tasks in a worker") else { return };
    let desk = desk(file);
    let asker = desk.asker();
    for ask in samples::questions(1).unwrap() {
        let task = ask.task;
        let told = asker.ask(request(ask, "a")).wait(PATIENCE).unwrap();
        let answer = told.answer.unwrap_or_else(|why| panic!("{}: {why}", task.word()));
        assert!(answer.text.starts_with('{') && answer.text.ends_with('}'), "{}", answer.text);
        assert_eq!(answer.labels.is_empty(), task == Task::Commentary, "{answer:?}");
    }
    let benched =
        asker.bench(BenchPlan { prompt_tokens: 32, written_tokens: 4, rows: 2 }).recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(benched.prompt_per_second > 0.0 && benched.written_per_second > 0.0 && benched.gigabytes_per_second > 0.0);
    let panel = asker.panel();
    let model = panel.model.as_ref().unwrap();
    assert_eq!((model.architecture.as_str(), model.file_bytes), ("llama", 98_362_432));
    assert!(panel.speed.measured_gigabytes_per_second.unwrap() > 0.1);
}
