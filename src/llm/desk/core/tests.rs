//! The desk's decisions under a clock of the test's own.

use super::*;
use crate::llm::answer::Timings;

fn ask(task: Task, deadline_ms: u64) -> Ask {
    Ask {
        id: AskId(0),
        task,
        system: "s".to_owned(),
        question: "q".to_owned(),
        content_free: None,
        schema: "{}".to_owned(),
        decision: None,
        most_tokens: 8,
        streams: false,
        deadline_ms,
    }
}

fn loaded() -> FromWorker {
    FromWorker::Ready(Box::new(Loaded {
        architecture: String::new(),
        quantisation: String::new(),
        device: String::new(),
        file_bytes: 1,
        token_bytes: 1,
        memory_bytes: 1,
        context: 1,
        loaded_ms: 1,
        memory_gigabytes_per_second: None,
        sha256: String::new(),
    }))
}

fn answer() -> Result<Answer, Abstention> {
    Ok(Answer { text: "{}".to_owned(), labels: Vec::new(), prior: Vec::new(), timings: Timings::default() })
}

/// A desk whose first rung answers.
fn up(rungs: &[Rung]) -> Core {
    let mut core = Core::new(Patience::default(), rungs);
    core.tick(0);
    let incarnation = core.incarnation;
    assert_eq!(core.effects(), [Effect::Start { rung: 0, incarnation }]);
    core.came(incarnation, FromWorker::Hello { version: protocol::VERSION }, 0);
    core.came(incarnation, loaded(), 1);
    assert!(core.loaded().is_some());
    core
}

fn outcomes(core: &mut Core) -> Vec<(u64, Result<(), Abstention>)> {
    let done = |effect| match effect {
        Effect::Done(id, result) => Some((id.0, result.map(drop))),
        Effect::Start { .. } | Effect::Send(_) | Effect::End | Effect::Piece(..) => None,
    };
    core.effects().into_iter().filter_map(done).collect()
}

fn started(core: &mut Core) -> Option<usize> {
    core.effects().into_iter().find_map(|effect| match effect {
        Effect::Start { rung, .. } => Some(rung),
        Effect::Send(_) | Effect::End | Effect::Piece(..) | Effect::Done(..) => None,
    })
}

#[test]
fn a_question_that_waited_for_the_model_has_only_the_rest_of_its_time() {
    let mut core = Core::new(Patience::default(), &[Rung::Cpu]);
    core.tick(0);
    core.ask(ask(Task::Signal, 1_000), "a", 100);
    assert_eq!(core.next_tick(), 1_100);
    core.came(core.incarnation, loaded(), 400);
    let sent = core.effects().into_iter().find_map(|effect| match effect {
        Effect::Send(ToWorker::Ask(ask)) => Some(ask.deadline_ms),
        _ => None,
    });
    assert_eq!(sent, Some(700));
}

#[test]
fn late_is_late_to_the_millisecond_and_who_does_not_own_up_in_time_hangs() {
    let mut core = up(&[Rung::Cpu]);
    let id = core.ask(ask(Task::Signal, 1_000), "a", 10);
    core.tick(1_009);
    assert!(outcomes(&mut core).is_empty());
    core.tick(1_010);
    let effects = core.effects();
    assert_eq!(effects, [Effect::Send(ToWorker::Cancel(id)), Effect::Done(id, Err(Abstention::Late(1_000)))]);
    assert_eq!(core.next_tick(), 1_010 + 5_000);
    core.tick(6_009);
    assert!(core.effects().is_empty());
    core.tick(6_010);
    assert_eq!(core.effects(), [Effect::End]);
    assert_eq!(core.next_tick(), 6_010 + 500, "and is started again after a pause");
    core.tick(6_510);
    assert_eq!(started(&mut core), Some(0));
}

#[test]
fn who_owns_up_in_time_does_not_hang() {
    let mut core = up(&[Rung::Cpu]);
    let id = core.ask(ask(Task::Signal, 1_000), "a", 0);
    core.tick(1_000);
    core.came(core.incarnation, FromWorker::Done(id, Err(Abstention::Late(1_000))), 5_999);
    core.effects();
    core.tick(10_000);
    assert!(core.effects().is_empty());
    assert_eq!(core.next_tick(), u64::MAX);
}

#[test]
fn what_is_said_after_the_end_is_not_heard() {
    let mut core = up(&[Rung::Cpu]);
    let id = core.ask(ask(Task::Signal, 1_000), "a", 0);
    let before = core.incarnation;
    core.ended(before, "signal: 9", 5);
    assert_eq!(outcomes(&mut core), [(id.0, Err(Abstention::Gone("signal: 9".to_owned())))]);
    core.came(before, FromWorker::Done(id, answer()), 6);
    core.ended(before, "again", 7);
    assert!(core.effects().is_empty(), "one question, one outcome; one death, one restart");
    assert_eq!(core.counts().1, 1);
}

#[test]
fn the_ladder_is_climbed_down_after_two_failures_in_a_row_and_from_the_top_again_later() {
    let mut core = up(&[Rung::Gpu, Rung::Cpu]);
    let id = core.ask(ask(Task::Signal, 60_000), "a", 0);
    core.came(core.incarnation, FromWorker::Done(id, answer()), 1);
    let mut now = 10;
    core.ended(core.incarnation, "first", now);
    core.effects();
    now = core.next_tick();
    core.tick(now);
    assert_eq!(started(&mut core), Some(0));
    core.ended(core.incarnation, "second", now);
    assert_eq!(started(&mut core), Some(1), "at once: there is nothing to wait for");
    assert_eq!((core.rung(), core.why().as_str()), (Rung::Cpu, "second"));
    core.came(core.incarnation, FromWorker::Unfit("no such file".to_owned()), now);
    assert_eq!((core.rung(), core.why().as_str()), (Rung::Rules, "no such file"));
    core.effects();
    let refused = core.ask(ask(Task::Signal, 60_000), "a", now);
    assert_eq!(outcomes(&mut core), [(refused.0, Err(Abstention::NoModel("no such file".to_owned())))]);
    core.tick(now + 900_000);
    assert_eq!(started(&mut core), Some(0));
}

#[test]
fn pauses_grow_with_deaths_even_where_each_life_has_its_answer() {
    let mut core = up(&[Rung::Cpu]);
    let mut now = 10;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let id = core.ask(ask(Task::Signal, 60_000), "a", now);
        core.came(core.incarnation, FromWorker::Done(id, answer()), now);
        core.ended(core.incarnation, "again", now);
        pauses.push(core.next_tick() - now);
        now = core.next_tick();
        core.tick(now);
        core.came(core.incarnation, loaded(), now);
        core.effects();
    }
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    let id = core.ask(ask(Task::Signal, 60_000), "a", now);
    core.came(core.incarnation, FromWorker::Done(id, answer()), now);
    core.ended(core.incarnation, "after a steady minute", now + 60_000);
    assert_eq!(core.next_tick(), now + 60_500);
}

#[test]
fn a_model_that_is_not_ready_in_time_is_a_failure() {
    let mut core = Core::new(Patience::default(), &[Rung::Cpu]);
    core.tick(0);
    core.effects();
    assert_eq!(core.next_tick(), 180_000);
    core.tick(180_000);
    assert_eq!(core.effects(), [Effect::End]);
    assert!(core.ladder()[0].1.as_str().contains("not ready within 180 s"), "{:?}", core.ladder());
}

#[test]
fn of_too_many_questions_the_least_urgent_and_newest_is_told_that_it_is_too_many() {
    let patience = Patience { most_waiting: 3, ..Patience::default() };
    let mut core = Core::new(patience, &[Rung::Cpu]);
    let ids: Vec<AskId> = [(Task::Signal, "a"), (Task::Commentary, "b"), (Task::Commentary, "c")]
        .map(|(task, about)| core.ask(ask(task, 1_000), about, 0))
        .to_vec();
    let fourth = core.ask(ask(Task::Commentary, 1_000), "d", 0);
    assert_eq!(outcomes(&mut core), [(fourth.0, Err(Abstention::Busy))]);
    core.ask(ask(Task::Signal, 1_000), "e", 0);
    assert_eq!(outcomes(&mut core), [(ids[2].0, Err(Abstention::Busy))]);
}
