//! What waits in a worker, what runs, and what comes next. Decides; waits for nothing and writes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::llm::answer::Abstention;
use crate::llm::ask::{Ask, AskId, Task};
use crate::llm::model::Stop;

/// Questions that may wait.
pub(super) const MOST_WAITING: usize = 64;
/// Questions that are answered side by side at most: the kernels read the weights once for as many rows.
pub(super) const WIDEST_WAVE: usize = 8;
/// How long the first question of a wave waits for others.
pub(super) const GATHERING: Duration = Duration::from_millis(20);
/// No deadline is further away.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3_600);

/// A question that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ask: Ask,
    pub(super) arrived: Instant,
    pub(super) stop: Stop,
    deadline: Instant,
}

/// A question that is being answered.
#[derive(Debug)]
struct Running {
    id: AskId,
    task: Task,
    stop: Stop,
    given_up: bool,
}

/// What the thread that computes is to do.
#[derive(Debug)]
pub(super) enum Next {
    /// Answer these, side by side.
    Answer(Vec<Waiting>),
    /// Wait until then, or until something arrives.
    Wait(Option<Instant>),
    /// End.
    End,
}

/// Questions to tell that they are not answered.
pub(super) type Refused = Vec<(AskId, Abstention)>;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(Task, u64), Waiting>,
    running: Vec<Running>,
    arrivals: u64,
    is_closed: bool,
}

impl Queue {
    /// Takes a question. What runs for nobody in particular gives way to it; of too many the least urgent goes, the newest first.
    pub(super) fn arrive(&mut self, ask: Ask, now: Instant) -> Refused {
        let wait = Duration::from_millis(ask.deadline_ms).min(LONGEST_DEADLINE);
        let deadline = now + wait;
        if ask.task < Task::Commentary {
            self.running.iter_mut().filter(|running| running.task == Task::Commentary).for_each(Running::give_up);
        }
        self.arrivals += 1;
        self.waiting.insert((ask.task, self.arrivals), Waiting { stop: Stop::at(deadline), ask, arrived: now, deadline });
        if self.waiting.len() <= MOST_WAITING {
            return Vec::new();
        }
        self.waiting.pop_last().map(|(_, last)| (last.ask.id, Abstention::Busy)).into_iter().collect()
    }

    /// A question is not wanted any more.
    pub(super) fn cancel(&mut self, id: AskId) -> Refused {
        self.running.iter_mut().filter(|running| running.id == id).for_each(Running::give_up);
        let found = self.waiting.iter().find(|(_, waiting)| waiting.ask.id == id).map(|(place, _)| *place);
        found.and_then(|place| self.waiting.remove(&place)).map(|_| (id, Abstention::Superseded)).into_iter().collect()
    }

    /// Questions whose time is over before they were begun.
    pub(super) fn expire(&mut self, now: Instant) -> Refused {
        let mut late = Vec::new();
        self.waiting.retain(|_, waiting| {
            let is_late = waiting.deadline <= now;
            late.extend(is_late.then_some((waiting.ask.id, Abstention::Late(waiting.ask.deadline_ms))));
            !is_late
        });
        late
    }

    /// The earliest deadline of those that wait.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.deadline).min()
    }

    /// Nothing more comes and nothing more is wanted.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.running.iter_mut().for_each(Running::give_up);
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// What to do now. The most urgent question leads; those of its task that share its static part go with it.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.is_closed {
            return Next::End;
        }
        let Some((&(task, _), head)) = self.waiting.first_key_value() else { return Next::Wait(None) };
        let (system, ready_at) = (head.ask.system.clone(), head.arrived + GATHERING);
        let goes_along = |(place, waiting): &(&(Task, u64), &Waiting)| place.0 == task && waiting.ask.system == system;
        let places: Vec<(Task, u64)> =
            self.waiting.iter().filter(goes_along).map(|(place, _)| *place).take(WIDEST_WAVE).collect();
        if places.len() < WIDEST_WAVE && now < ready_at {
            return Next::Wait(Some(ready_at));
        }
        let wave: Vec<Waiting> = places.iter().filter_map(|place| self.waiting.remove(place)).collect();
        self.running.extend(wave.iter().map(|waiting| Running {
            id: waiting.ask.id,
            task: waiting.ask.task,
            stop: waiting.stop.clone(),
            given_up: false,
        }));
        Next::Answer(wave)
    }

    /// The wave is over. Gives those of it that were given up on the way.
    pub(super) fn end_wave(&mut self) -> Vec<AskId> {
        self.running.drain(..).filter(|running| running.given_up).map(|running| running.id).collect()
    }
}

impl Running {
    fn give_up(&mut self) {
        self.given_up = true;
        self.stop.raise();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(id: u64, task: Task, system: &str) -> Ask {
        Ask {
            id: AskId(id),
            task,
            system: system.to_owned(),
            question: String::new(),
            content_free: None,
            schema: "{}".to_owned(),
            decision: None,
            most_tokens: 8,
            streams: false,
            deadline_ms: 1_000,
        }
    }

    fn ids(next: &Next) -> Vec<u64> {
        let Next::Answer(wave) = next else { panic!("{next:?}") };
        wave.iter().map(|waiting| waiting.ask.id.0).collect()
    }

    #[test]
    fn the_most_urgent_leads_and_those_that_share_its_static_part_go_along() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        for (id, task, system) in
            [(1, Task::Commentary, "c"), (2, Task::Signal, "s"), (3, Task::Signal, "other"), (4, Task::Signal, "s")]
        {
            assert!(queue.arrive(ask(id, task, system), start).is_empty());
        }
        assert!(matches!(queue.next(start), Next::Wait(Some(until)) if until == start + GATHERING), "others may come");
        let later = start + GATHERING;
        assert_eq!(ids(&queue.next(later)), [2, 4]);
        queue.end_wave();
        assert_eq!(ids(&queue.next(later)), [3]);
        queue.end_wave();
        assert_eq!(ids(&queue.next(later)), [1]);
    }

    #[test]
    fn a_full_wave_waits_for_nobody_and_a_ninth_goes_into_the_next() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        (1..=9).for_each(|id| drop(queue.arrive(ask(id, Task::Signal, "s"), start)));
        assert_eq!(ids(&queue.next(start)), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn commentary_gives_way_to_a_signal_and_to_nothing_of_its_own_kind() {
        for (other, gives_way) in [(Task::Signal, true), (Task::Sentiment, true), (Task::Commentary, false)] {
            let (mut queue, start) = (Queue::default(), Instant::now());
            queue.arrive(ask(1, Task::Commentary, "c"), start);
            let Next::Answer(wave) = queue.next(start + GATHERING) else { panic!() };
            queue.arrive(ask(2, other, "s"), start);
            assert_eq!(wave[0].stop.is_over(), gives_way, "{other:?}");
            assert_eq!(queue.end_wave().len(), usize::from(gives_way));
        }
    }

    #[test]
    fn of_too_many_the_least_urgent_goes() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.arrive(ask(0, Task::Commentary, "c"), start);
        (1..MOST_WAITING as u64).for_each(|id| assert!(queue.arrive(ask(id, Task::Signal, "s"), start).is_empty()));
        assert_eq!(queue.arrive(ask(99, Task::Signal, "s"), start), [(AskId(0), Abstention::Busy)]);
        assert_eq!(queue.arrive(ask(100, Task::Risk, "r"), start), [(AskId(100), Abstention::Busy)]);
    }

    #[test]
    fn who_waits_too_long_is_told_and_who_is_cancelled_too() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.arrive(ask(1, Task::Signal, "s"), start);
        queue.arrive(Ask { deadline_ms: u64::MAX, ..ask(2, Task::Signal, "s") }, start);
        assert_eq!(queue.next_deadline(), Some(start + Duration::from_secs(1)));
        assert!(queue.expire(start + Duration::from_millis(999)).is_empty());
        assert_eq!(queue.expire(start + Duration::from_secs(1)), [(AskId(1), Abstention::Late(1_000))]);
        assert_eq!(queue.cancel(AskId(2)), [(AskId(2), Abstention::Superseded)]);
        assert!(matches!(queue.next(start), Next::Wait(None)));
        queue.close();
        assert!(matches!(queue.next(start), Next::End));
    }
}
