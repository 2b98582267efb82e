//! The model's process and the desk that keeps it: messages, waves, deadlines, deaths, and the ladder.

use std::io::{PipeWriter, pipe};
use std::time::{Duration, Instant};

use pmax::llm::answer::Abstention;
use pmax::llm::ask::{AskId, Task};
use pmax::llm::desk::{Asker, ModelDesk, Request, Told};
use pmax::llm::panel::Rung;
use pmax::llm::protocol::{self, BenchPlan, FrameError, FromWorker, LARGEST_FRAME, ToWorker};
use pmax::llm::worker::serve;
use proptest::prelude::{ProptestConfig, any, proptest};

use crate::llm_stand_in::{PATIENCE, StandIn, ask, loaded, request, rung, terms, until, worker, worker_that_dies_once};

fn framed(message: &ToWorker) -> Vec<u8> {
    let mut bytes = Vec::new();
    protocol::write(&mut bytes, message).unwrap();
    bytes
}

#[test]
fn every_message_arrives_as_it_was_sent_and_no_part_of_it_does() {
    let question = ToWorker::Ask(Box::new(ask(Task::Risk, "ünïcode \u{202e} and \0", 5)));
    let bytes = framed(&question);
    assert_eq!(protocol::read::<ToWorker>(&mut bytes.as_slice()).unwrap(), Some(question));
    assert_eq!(protocol::read::<ToWorker>(&mut [].as_slice()).unwrap(), None, "an end between messages is an end");
    for length in 1..bytes.len() {
        let cut = protocol::read::<ToWorker>(&mut &bytes[..length]);
        assert!(matches!(cut, Err(FrameError::Cut)), "{length}: {cut:?}");
    }
}

#[test]
fn hostile_frames_are_refused_without_room_being_made_for_them() {
    let read = |bytes: &[u8]| protocol::read::<ToWorker>(&mut &*bytes).unwrap_err().to_string();
    assert!(read(b"Usage: something else\n").contains("more than 4194304"), "{}", read(b"Usage: something else\n"));
    assert!(read(&u32::MAX.to_le_bytes()).contains("4294967295 bytes"));
    assert!(read(&(LARGEST_FRAME + 1).to_le_bytes()).contains("4194305"));
    assert!(read(&LARGEST_FRAME.to_le_bytes()).contains("amid a message"));
    assert!(read(&[0; 4]).contains("is none"), "an empty body");
    assert!(read(&[1, 0, 0, 0, 99]).contains("is none"), "no such message");
    let mut longer = framed(&ToWorker::Stop);
    longer.push(0);
    longer[0] += 1;
    assert!(read(&longer).contains("is none"), "a message and something behind it");
    // A text inside says that it has 2^63 letters.
    assert!(read(&[11, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127]).contains("is none"));
    let huge = ToWorker::Ask(Box::new(ask(Task::Signal, &"x".repeat(LARGEST_FRAME as usize), 5)));
    assert!(matches!(protocol::write(&mut Vec::new(), &huge), Err(FrameError::TooLarge(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_a_message_or_an_error(bytes: Vec<u8>, length in 0_u32..64, is_announced: bool) {
        let mut frame = if is_announced { length.to_le_bytes().to_vec() } else { Vec::new() };
        frame.extend(bytes);
        drop(protocol::read::<ToWorker>(&mut frame.as_slice()));
        drop(protocol::read::<FromWorker>(&mut frame.as_slice()));
    }

    #[test]
    fn a_message_with_a_changed_byte_is_a_message_or_an_error(place in any::<proptest::sample::Index>(), byte: u8) {
        let mut frame = framed(&ToWorker::Ask(Box::new(ask(Task::Risk, "question", 5))));
        let place = place.index(frame.len());
        frame[place] = byte;
        drop(protocol::read::<ToWorker>(&mut frame.as_slice()));
    }
}

/// A worker in this process, greeted and loaded.
struct Served {
    to: Option<PipeWriter>,
    from: std::io::PipeReader,
    thread: std::thread::JoinHandle<Result<(), FrameError>>,
}

impl Served {
    fn start() -> Self {
        let (input, to) = pipe().unwrap();
        let (from, output) = pipe().unwrap();
        let thread = std::thread::spawn(move || serve(input, output, |_| Ok((StandIn, loaded()))));
        let mut served = Self { to: Some(to), from, thread };
        assert_eq!(served.hear(), FromWorker::Hello { version: protocol::VERSION });
        served.say(&ToWorker::Load(Box::new(worker("good", &[]).job)));
        assert!(matches!(served.hear(), FromWorker::Ready(ready) if *ready == loaded()));
        served
    }

    fn say(&mut self, message: &ToWorker) {
        protocol::write(self.to.as_mut().unwrap(), message).unwrap();
    }

    fn ask(&mut self, id: u64, task: Task, question: &str, deadline_ms: u64) {
        let mut ask = ask(task, question, deadline_ms);
        ask.id = AskId(id);
        self.say(&ToWorker::Ask(Box::new(ask)));
    }

    fn hear(&mut self) -> FromWorker {
        protocol::read(&mut self.from).unwrap().unwrap()
    }

    /// The next outcome.
    fn done(&mut self) -> (u64, Result<pmax::llm::answer::Answer, Abstention>) {
        loop {
            if let FromWorker::Done(id, result) = self.hear() {
                return (id.0, result);
            }
        }
    }

    /// The next piece: the question is being answered.
    fn piece(&mut self) -> u64 {
        loop {
            if let FromWorker::Piece(id, _) = self.hear() {
                return id.0;
            }
        }
    }

    fn end(mut self) {
        self.to = None;
        until("the end of the worker", || self.thread.is_finished());
        self.thread.join().unwrap().unwrap();
    }
}

#[test]
fn questions_with_one_static_part_are_answered_side_by_side() {
    let mut served = Served::start();
    // While the first is written, eight more arrive; they are one wave, whatever the machine does in between.
    served.ask(1, Task::Sentiment, "slow", 60_000);
    assert_eq!(served.piece(), 1);
    (2..10).for_each(|id| served.ask(id, Task::Sentiment, "echo", 60_000));
    served.say(&ToWorker::Cancel(AskId(1)));
    assert_eq!(served.done(), (1, Err(Abstention::Superseded)), "it was given up, however its model put it");
    for id in 2..10 {
        let (told, answer) = served.done();
        let timings = answer.unwrap().timings;
        assert_eq!((told, timings.rows), (id, 8));
        assert!(timings.waited_ms > 0.0 && timings.first_ms >= timings.waited_ms);
    }
    served.end();
}

#[test]
fn commentary_gives_way_to_a_signal_in_the_midst_of_a_word() {
    let mut served = Served::start();
    served.ask(1, Task::Commentary, "slow", 60_000);
    assert_eq!(served.piece(), 1);
    served.ask(2, Task::Signal, "echo", 60_000);
    assert_eq!(served.done(), (1, Err(Abstention::Superseded)));
    assert_eq!(served.done().0, 2);
    served.end();
}

#[test]
fn deadlines_hold_for_what_is_written_and_for_what_waits_behind_it() {
    let mut served = Served::start();
    served.ask(1, Task::Risk, "slow", 60_000);
    assert_eq!(served.piece(), 1);
    served.ask(2, Task::Risk, "echo", 30);
    assert_eq!(served.done(), (2, Err(Abstention::Late(30))), "it is told while another is written");
    served.say(&ToWorker::Cancel(AskId(1)));
    assert_eq!(served.done().0, 1);
    served.ask(3, Task::Risk, "slow", 40);
    assert_eq!(served.done(), (3, Err(Abstention::Late(40))));
    served.end();
}

#[test]
fn a_worker_ends_with_its_input_and_amid_an_answer_too() {
    Served::start().end();
    let mut served = Served::start();
    served.ask(1, Task::Signal, "slow", 60_000);
    assert_eq!(served.piece(), 1);
    served.end();
}

fn told(asker: &Asker, request: Request) -> Told {
    asker.ask(request).wait(PATIENCE).expect("every question gets an outcome")
}

fn echoed(told: &Told) -> &str {
    &told.answer.as_ref().unwrap_or_else(|why| panic!("{why}")).text
}

#[test]
fn a_desk_answers_and_says_from_whom() {
    let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker("good", &[]))])).unwrap();
    let asker = desk.asker();
    let reply = asker.ask(request(Task::Signal, "echo one", "BTCUSD"));
    let outcome = reply.wait(PATIENCE).unwrap();
    assert_eq!((echoed(&outcome), outcome.rung, outcome.is_from_cache), ("echo one", Rung::Cpu, false));
    let model = outcome.model.unwrap();
    assert_eq!((model.name.as_str(), model.knowledge_cutoff.as_ref().unwrap().as_str()), ("stand-in", "2023-12-31"));
    assert_eq!(reply.text(), "{", "and its pieces");
    let panel = asker.wait_until(PATIENCE, |panel| panel.tasks[0].answered == 1);
    assert_eq!((panel.rung, panel.why.as_str(), panel.waiting, panel.restarts), (Rung::Cpu, "", 0, 0));
    assert_eq!(panel.speed.prompt_per_second, Some(2_000.0));
    assert_eq!(panel.speed.gigabytes_per_second, Some(2.0), "three passes of a megabyte in 1.5 ms");
    let benched =
        asker.bench(BenchPlan { prompt_tokens: 8, written_tokens: 8, rows: 3 }).recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(benched.rows, 3);
}

#[test]
fn a_worker_that_hangs_is_late_and_is_replaced() {
    let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker("good", &[]))])).unwrap();
    let asker = desk.asker();
    assert_eq!(echoed(&told(&asker, request(Task::Signal, "echo", "a"))), "echo");
    let mut hanging = request(Task::Signal, "hang", "a");
    hanging.ask.deadline_ms = 50;
    let asked = Instant::now();
    assert_eq!(told(&asker, hanging).answer, Err(Abstention::Late(50)));
    assert!(asked.elapsed() < Duration::from_secs(10), "the outcome does not wait for the process");
    let panel = asker.wait_until(PATIENCE, |panel| panel.restarts == 1);
    assert_eq!((panel.restarts, panel.rung), (1, Rung::Cpu));
    assert_eq!(echoed(&told(&asker, request(Task::Signal, "echo again", "a"))), "echo again", "by a new one");
    let why = asker.panel().abstentions.back().unwrap().2.to_string();
    assert_eq!(why, "no answer within 50 ms");
}

#[test]
fn a_worker_that_dies_or_babbles_amid_an_answer_is_replaced_and_who_asked_is_told() {
    for (manner, said) in [("die", "signal: 6"), ("rubbish", "it said something unreadable")] {
        let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker("good", &[]))])).unwrap();
        let asker = desk.asker();
        let outcome = told(&asker, request(Task::Commentary, manner, "a"));
        assert!(matches!(&outcome.answer, Err(Abstention::Gone(why)) if why.contains(said)), "{manner}: {outcome:?}");
        assert_eq!(echoed(&told(&asker, request(Task::Signal, "echo", "a"))), "echo");
        assert_eq!(asker.wait_until(PATIENCE, |panel| panel.restarts == 1).restarts, 1);
    }
}

#[test]
fn one_that_dies_at_its_first_start_gets_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let terms = terms(vec![rung(Rung::Gpu, worker_that_dies_once(&folder.path().join("died")))]);
    let desk = ModelDesk::start(terms).unwrap();
    let outcome = told(&desk.asker(), request(Task::Signal, "echo", "a"));
    assert_eq!((echoed(&outcome), outcome.rung), ("echo", Rung::Gpu));
    assert_eq!(desk.asker().panel().restarts, 1);
}

#[test]
fn a_rung_that_does_not_hold_is_left_and_the_reason_is_kept() {
    let missing = pmax::llm::desk::WorkerTerms { program: "/no/such/program".into(), ..worker("good", &[]) };
    let other = pmax::llm::desk::WorkerTerms {
        program: "/bin/echo".into(),
        arguments: vec!["usage of something else".to_owned()],
        ..worker("good", &[])
    };
    for (first, why) in [
        (worker("stillborn", &[]), "the card is gone"),
        (worker("strange", &[]), "it speaks version"),
        (worker("impolite", &[]), "did not say its version"),
        (worker("unfit", &[]), "its file is damaged"),
        (missing, "/no/such/program cannot be started"),
        (other, "it said something unreadable"),
    ] {
        let desk = ModelDesk::start(terms(vec![rung(Rung::Gpu, first), rung(Rung::Cpu, worker("good", &[]))])).unwrap();
        let outcome = told(&desk.asker(), request(Task::Signal, "echo", "a"));
        assert_eq!((echoed(&outcome), outcome.rung), ("echo", Rung::Cpu), "a question waits for the next rung");
        let panel = desk.asker().panel();
        assert!(panel.why.as_str().contains(why), "{}", panel.why);
        assert!(
            panel.ladder[0].1.as_str().starts_with("left: ") && panel.ladder[1].1.as_str() == "answers",
            "{:?}",
            panel.ladder
        );
        assert_eq!(panel.ladder[2].0, Rung::Rules);
    }
}

#[test]
fn a_model_that_computes_nonsense_twice_is_left_for_the_rules() {
    let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker("good", &[]))])).unwrap();
    let asker = desk.asker();
    assert_eq!(told(&asker, request(Task::Signal, "nan", "a")).answer, Err(Abstention::NotANumber));
    assert_eq!(echoed(&told(&asker, request(Task::Signal, "echo", "a"))), "echo", "once is no pattern");
    for _ in 0..2 {
        assert_eq!(told(&asker, request(Task::Signal, "nan", "a")).answer, Err(Abstention::NotANumber));
    }
    let panel = asker.wait_until(PATIENCE, |panel| panel.rung == Rung::Rules);
    assert!(panel.why.as_str().contains("no number"), "{}", panel.why);
    let none = told(&asker, request(Task::Signal, "echo", "a")).answer;
    assert!(matches!(&none, Err(Abstention::NoModel(why)) if why.contains("no number")), "{none:?}");
    asker.retry();
    assert_eq!(asker.wait_until(PATIENCE, |panel| panel.model.is_some()).rung, Rung::Cpu, "a person may try again");
    assert_eq!(echoed(&told(&asker, request(Task::Signal, "echo", "a"))), "echo");
}

#[test]
fn of_two_questions_about_one_thing_the_newer_counts() {
    let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker("good", &[]))])).unwrap();
    let asker = desk.asker();
    let older = asker.ask(request(Task::Commentary, "slow", "BTCUSD"));
    let newer = asker.ask(request(Task::Commentary, "echo newer", "BTCUSD"));
    assert_eq!(older.wait(PATIENCE).unwrap().answer, Err(Abstention::Superseded));
    assert_eq!(echoed(&newer.wait(PATIENCE).unwrap()), "echo newer");
    let beside = asker.ask(request(Task::Commentary, "slow", "BTCUSD"));
    until("its first word", || beside.text() == "{");
    assert_eq!(echoed(&told(&asker, request(Task::Risk, "echo", "BTCUSD"))), "echo", "another task is another question");
    assert_eq!(beside.wait(PATIENCE).unwrap().answer, Err(Abstention::Superseded), "but more urgent");
    assert_eq!(asker.panel().superseded, 1);
}

#[test]
fn a_desk_without_a_model_says_so_at_once_and_a_closed_one_too() {
    let desk = ModelDesk::start(terms(Vec::new())).unwrap();
    let asker = desk.asker();
    assert_eq!(
        told(&asker, request(Task::Signal, "echo", "a")).answer,
        Err(Abstention::NoModel("none is configured".to_owned()))
    );
    assert_eq!(asker.panel().ladder.len(), 1);
    drop(desk);
    let after = told(&asker, request(Task::Signal, "echo", "a")).answer;
    assert!(matches!(after, Err(Abstention::Busy | Abstention::Gone(_))), "{after:?}");
}

#[test]
fn a_desk_that_closes_ends_its_worker_and_tells_who_waits() {
    let desk = ModelDesk::start(terms(vec![rung(Rung::Cpu, worker("silent", &[]))])).unwrap();
    let reply = desk.asker().ask(request(Task::Signal, "echo", "a"));
    drop(desk);
    assert_eq!(reply.wait(PATIENCE).unwrap().answer, Err(Abstention::Gone("the program ends".to_owned())));
}
