//! Answers that are known already: by the whole key and nothing less, on disk over crashes, and once for all who ask at once.

use std::fs;
use std::path::Path;

use pmax::domain::{MarketTime, WallTime};
use pmax::llm::answer::{Abstention, Answer, Timings};
use pmax::llm::ask::Task;
use pmax::llm::cache::{Cache, Keep, Key, LARGEST_FILE, Model, Record, system_hash};
use pmax::llm::desk::{ModelDesk, Request};
use pmax::llm::panel::Rung;

use crate::llm_stand_in::{PATIENCE, request, rung, terms, until, worker};

const NOW: WallTime = WallTime(1_600_000_000_000_000_000);

fn later(seconds: i64) -> WallTime {
    WallTime(NOW.0 + seconds * 1_000_000_000)
}

fn keep() -> Keep {
    Keep { template: "t1".to_owned(), sampler: "greedy".to_owned(), canonical: "move +1.2%".to_owned(), at: MarketTime(7) }
}

fn model() -> Model<'static> {
    Model { sha256: "abc", quantisation: "Q4_K" }
}

fn key(number: u64) -> Key {
    Keep { canonical: number.to_string(), ..keep() }.question(Task::Signal, "{}").by(model())
}

fn record(key: Key, task: Task, text: &str) -> Record {
    let timings = Timings { rows: 3, waited_ms: 0.1, prompt_ms: 12.345_678_9, ..Timings::default() };
    Record {
        key: Some(key),
        at: NOW,
        task,
        about: "BTCUSD".to_owned(),
        model: "small".to_owned(),
        model_sha256: "abc".to_owned(),
        quantisation: "Q4_K".to_owned(),
        system: system_hash("system"),
        question: "move +1.2%\n\u{202e}".to_owned(),
        answer: Answer { text: text.to_owned(), labels: vec![0.1 + 0.2, 0.7], prior: vec![0.5, 0.5], timings },
    }
}

#[test]
fn a_key_differs_wherever_an_answer_could() {
    let base = keep().question(Task::Signal, "{}").by(model());
    let mut others = vec![
        keep().question(Task::Risk, "{}").by(model()),
        keep().question(Task::Signal, "{ }").by(model()),
        keep().question(Task::Signal, "{}").by(Model { sha256: "abd", ..model() }),
        keep().question(Task::Signal, "{}").by(Model { quantisation: "Q8_0", ..model() }),
        keep().question(Task::Signal, "{}"),
    ];
    for other in [
        Keep { template: "t2".to_owned(), ..keep() },
        Keep { sampler: "seed 2".to_owned(), ..keep() },
        Keep { canonical: "move +1.3%".to_owned(), ..keep() },
        Keep { at: MarketTime(8), ..keep() },
        // The same letters, parted elsewhere.
        Keep { template: "t1g".to_owned(), sampler: "reedy".to_owned(), ..keep() },
    ] {
        others.push(other.question(Task::Signal, "{}").by(model()));
    }
    others.push(base);
    others.sort();
    let count = others.len();
    others.dedup();
    assert_eq!(others.len(), count);
    assert_eq!(keep().question(Task::Signal, "{}").by(model()), base, "and is the same for the same");
    assert_eq!(Key::try_from(base.to_string()), Ok(base));
    assert!(Key::try_from("zz".repeat(32)).is_err() && Key::try_from("a".repeat(63)).is_err());
}

#[test]
fn commentary_ages_and_nothing_else_does() {
    let mut cache = Cache::in_memory();
    for (number, task) in (0..).zip(Task::ALL) {
        cache.keep(record(key(number), task, "{}"), "system");
    }
    let there = |cache: &mut Cache, now| (0..4).map(|number| cache.get(key(number), now).is_some()).collect::<Vec<bool>>();
    assert_eq!(there(&mut cache, later(299)), [true; 4]);
    assert_eq!(there(&mut cache, later(300)), [true, true, true, false]);
    assert_eq!(there(&mut cache, later(-1)), [true, true, true, false], "a clock that was put back makes nothing younger");
    assert_eq!(there(&mut cache, later(1_000_000_000)), [true, true, true, false]);
}

#[test]
fn what_is_on_disk_is_found_again_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let kept = record(key(1), Task::Signal, "{\"action\":\"buy\"}");
    let mut cache = Cache::open(folder.path(), LARGEST_FILE);
    assert_eq!(cache.trouble(), None);
    cache.keep(kept.clone(), "system");
    cache.keep(Record { key: None, ..record(key(2), Task::Risk, "{}") }, "system");
    drop(cache);
    let mut cache = Cache::open(folder.path(), LARGEST_FILE);
    assert_eq!(*cache.get(key(1), NOW).unwrap(), kept, "to the last digit of every time and chance");
    assert!(cache.get(key(2), NOW).is_none(), "what has no key is only recorded");
    let text = fs::read_to_string(folder.path().join("answers.jsonl")).unwrap();
    assert_eq!(text.matches("\"system\":[").count(), 1, "the static part stands there once: {text}");
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_torn_tail_is_dropped_and_a_damaged_line_passed_over() {
    let whole = tempfile::tempdir().unwrap();
    let mut cache = Cache::open(whole.path(), LARGEST_FILE);
    (1..=3).for_each(|number| cache.keep(record(key(number), Task::Signal, "{}"), "system"));
    drop(cache);
    let bytes = fs::read(whole.path().join("answers.jsonl")).unwrap();
    let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1).collect();
    let found = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("answers.jsonl"), bytes).unwrap();
        let mut cache = Cache::open(folder.path(), LARGEST_FILE);
        assert_eq!(cache.trouble(), None);
        // What is appended afterwards is found as well, by the next one too.
        cache.keep(record(key(9), Task::Signal, "{}"), "system");
        drop(cache);
        let mut cache = Cache::open(folder.path(), LARGEST_FILE);
        assert!(cache.get(key(9), NOW).is_some());
        (1..=3).filter(|number| cache.get(key(*number), NOW).is_some()).collect::<Vec<u64>>()
    };
    assert_eq!(found(&bytes), [1, 2, 3]);
    // Cut anywhere in the last line, the two before it are there.
    for cut in ends[2]..bytes.len() {
        assert_eq!(found(&bytes[..cut]), [1, 2], "cut at {cut} of {}", bytes.len());
    }
    for (place, left) in [(ends[0] + 30, [2, 3]), (ends[1] + 30, [1, 3]), (ends[2] + 30, [1, 2])] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert_eq!(found(&damaged), left);
    }
    assert!(found(b"no line of this kind\n\x00\xff\n").is_empty());
    assert!(found(&[]).is_empty());
}

#[test]
fn damage_after_the_opening_is_not_answered_either() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.jsonl");
    let mut cache = Cache::open(folder.path(), LARGEST_FILE);
    cache.keep(record(key(1), Task::Signal, "{\"action\":\"sell\"}"), "system");
    drop(cache);
    let mut cache = Cache::open(folder.path(), LARGEST_FILE);
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("sell", "bell")).unwrap();
    assert!(cache.get(key(1), NOW).is_none());
}

#[test]
fn files_stay_within_their_bound_and_the_oldest_answers_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let largest = 20_000;
    let mut cache = Cache::open(folder.path(), largest);
    (1..=200).for_each(|number| cache.keep(record(key(number), Task::Signal, "{}"), "system"));
    drop(cache);
    for name in ["answers.jsonl", "answers.old.jsonl"] {
        let length = fs::metadata(folder.path().join(name)).unwrap().len();
        assert!((1..=largest + 200).contains(&length), "{name}: {length}");
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text.matches("\"system\":[").count(), 1, "each file can be read without the other");
    }
    let mut cache = Cache::open(folder.path(), largest);
    let left: Vec<u64> = (1..=200).filter(|number| cache.get(key(*number), NOW).is_some()).collect();
    assert_eq!(left, (left[0]..=200).collect::<Vec<u64>>(), "the latest, without a gap");
    assert!((20..200).contains(&left.len()), "{}", left.len());
}

#[test]
fn of_two_processes_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let first = Cache::open(folder.path(), LARGEST_FILE);
    let mut second = Cache::open(folder.path(), LARGEST_FILE);
    assert_eq!(first.trouble(), None);
    assert!(second.trouble().unwrap().contains("another process"), "{:?}", second.trouble());
    second.keep(record(key(1), Task::Signal, "{}"), "system");
    assert!(second.get(key(1), NOW).is_some(), "it works in memory");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Cache::open(&file, LARGEST_FILE).trouble().unwrap().contains("cannot be used"));
}

fn kept(task: Task, question: &str, about: &str) -> Request {
    Request { keep: Some(Keep { canonical: question.to_owned(), ..keep() }), ..request(task, question, about) }
}

fn desk(folder: &Path) -> ModelDesk {
    let mut terms = terms(vec![rung(Rung::Cpu, worker("good", &[]))]);
    terms.cache = Cache::open(folder, LARGEST_FILE);
    ModelDesk::start(terms).unwrap()
}

#[test]
fn a_desk_answers_what_it_knows_without_its_worker_and_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    for round in [0, 1] {
        let desk = desk(folder.path());
        let asker = desk.asker();
        let told = asker.ask(kept(Task::Signal, "echo one", "a")).wait(PATIENCE).unwrap();
        assert_eq!((told.answer.unwrap().text.as_str(), told.is_from_cache), ("echo one", round == 1));
        let told = asker.ask(kept(Task::Signal, "echo one", "b")).wait(PATIENCE).unwrap();
        assert!(told.is_from_cache && told.model.is_some(), "whoever asks");
        let told = asker.ask(kept(Task::Signal, &format!("echo {round}{round}"), "a")).wait(PATIENCE).unwrap();
        assert!(!told.is_from_cache);
        let panel = asker.wait_until(PATIENCE, |panel| panel.tasks[0].answered == 3);
        assert_eq!(panel.cache, if round == 0 { (1, 2) } else { (2, 1) });
    }
    let text = fs::read_to_string(folder.path().join("answers.jsonl")).unwrap();
    assert_eq!(text.matches("\"answer\":{").count() - text.matches("{\"answer\":{\"key\"").count(), 3, "{text}");
}

#[test]
fn who_asks_the_same_at_once_waits_for_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let asker = desk.asker();
    let first = asker.ask(kept(Task::Signal, "slow", "a"));
    until("its first word", || first.text() == "{");
    let second = asker.ask(kept(Task::Signal, "slow", "a"));
    until("what was written before", || second.text() == "{");
    assert!(first.told().is_none(), "the second did not take the first one's place");
    let third = asker.ask(kept(Task::Signal, "echo", "a"));
    let replies = [first, second].map(|reply| reply.wait(PATIENCE).unwrap().answer);
    assert_eq!(replies, [Err(Abstention::Superseded), Err(Abstention::Superseded)], "a newer question takes that of both");
    assert!(third.wait(PATIENCE).unwrap().answer.is_ok());
}

#[test]
fn what_went_wrong_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    for _ in 0..2 {
        let told = desk.asker().ask(kept(Task::Signal, "nan", "a")).wait(PATIENCE).unwrap();
        assert_eq!((told.answer, told.is_from_cache), (Err(Abstention::NotANumber), false));
    }
}
