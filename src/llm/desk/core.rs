//! What the desk decides: who is asked, who is told what, when a worker is started, given up, or left for the rung below.
//!
//! Pure: the time comes in with every call, in milliseconds since the desk's start, and what is to be done goes out as [`Effect`]s.

#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use crate::domain::CleanText;
use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::ask::{Ask, AskId, Task};
use crate::llm::panel::Rung;
use crate::llm::protocol::{self, FromWorker, Loaded, ToWorker};

/// Failures in a row after which a rung is left for the one below.
const FAILURES: u32 = 2;
/// A worker that lived this long starts again as if it had never failed.
const STEADY_MS: u64 = 60_000;

/// How patient a desk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Questions that wait or are being answered, at most.
    pub most_waiting: usize,
    /// Milliseconds after its deadline in which a worker may still say that it gave a question up; then it hangs, and is ended.
    pub grace_ms: u64,
    /// Milliseconds in which a model must be ready.
    pub load_ms: u64,
    /// Milliseconds before a worker is started again after its first failure; doubled with each further one.
    pub backoff_ms: u64,
    /// The longest such pause.
    pub longest_backoff_ms: u64,
    /// Milliseconds after which the whole ladder is tried again from the top, once nothing of it is left but the rules.
    pub again_ms: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// Start what stands on this rung. What it says carries this number.
    Start { rung: usize, incarnation: u64 },
    /// Say this to it.
    Send(ToWorker),
    /// End it.
    End,
    /// Tell who asked.
    Piece(AskId, Piece),
    /// Tell who asked, for the last time.
    Done(AskId, Result<Answer, Abstention>),
}

/// A question that has no answer yet.
#[derive(Debug)]
struct Pending {
    task: Task,
    about: String,
    asked_at: u64,
    deadline_ms: u64,
    /// Until it is sent.
    unsent: Option<Box<Ask>>,
}

/// How it stands with the rung that is in use.
#[derive(Debug)]
enum Phase {
    /// It is started at this time.
    Resting { until: u64 },
    /// It was started and must be ready by this time.
    Starting { by: u64 },
    /// It answers.
    Up { since: u64, loaded: Box<Loaded> },
    /// Every rung failed; they are tried again at this time.
    Rules { again_at: u64 },
    /// Over.
    Ended,
}

/// A rung and how it stands.
#[derive(Debug)]
struct Standing {
    rung: Rung,
    failures: u32,
    strikes: u32,
    /// Why it is not in use, or was started anew.
    why: CleanText,
}

/// The desk's state.
#[derive(Debug)]
pub(super) struct Core {
    patience: Patience,
    rungs: Vec<Standing>,
    at: usize,
    phase: Phase,
    incarnation: u64,
    pending: BTreeMap<AskId, Pending>,
    /// Questions that were given up here, and until when the worker must say so itself.
    owed: BTreeMap<AskId, u64>,
    next_id: u64,
    effects: Vec<Effect>,
    restarts: u64,
    superseded: u64,
    memory_bytes: Option<u64>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            most_waiting: 64,
            grace_ms: 5_000,
            load_ms: 180_000,
            backoff_ms: 500,
            longest_backoff_ms: 30_000,
            again_ms: 900_000,
        }
    }
}

impl Core {
    /// A desk over these rungs, the highest first.
    pub(super) fn new(patience: Patience, rungs: &[Rung]) -> Self {
        let standing = |rung: &Rung| Standing { rung: *rung, failures: 0, strikes: 0, why: CleanText::default() };
        let phase = if rungs.is_empty() { Phase::Rules { again_at: u64::MAX } } else { Phase::Resting { until: 0 } };
        Self {
            patience,
            rungs: rungs.iter().map(standing).collect(),
            at: 0,
            phase,
            incarnation: 0,
            pending: BTreeMap::new(),
            owed: BTreeMap::new(),
            next_id: 1,
            effects: Vec::new(),
            restarts: 0,
            superseded: 0,
            memory_bytes: None,
        }
    }

    /// What is to be done, in this order.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Takes a question and gives it its number. A newer one about the same takes the place of an older one.
    pub(super) fn ask(&mut self, mut ask: Ask, about: &str, now: u64) -> AskId {
        let id = AskId(self.next_id);
        self.next_id += 1;
        ask.id = id;
        if let Phase::Rules { .. } | Phase::Ended = self.phase {
            self.done(id, Err(Abstention::NoModel(self.why_none())));
            return id;
        }
        let older = self.pending.iter().find(|(_, pending)| pending.task == ask.task && pending.about == about);
        if let Some(older) = older.map(|(id, _)| *id) {
            self.superseded += 1;
            self.give_up(older, Abstention::Superseded, now);
        }
        if self.pending.len() >= self.patience.most_waiting {
            // Of too many the least urgent goes, the newest first; the new one too, where it is no more urgent than any.
            let last =
                self.pending.iter().max_by_key(|(id, pending)| (pending.task, **id)).map(|(id, pending)| (*id, pending.task));
            match last {
                Some((last, task)) if task > ask.task => self.give_up(last, Abstention::Busy, now),
                Some(_) | None => {
                    self.done(id, Err(Abstention::Busy));
                    return id;
                }
            }
        }
        let (task, deadline_ms) = (ask.task, ask.deadline_ms);
        self.pending
            .insert(id, Pending { task, about: about.to_owned(), asked_at: now, deadline_ms, unsent: Some(Box::new(ask)) });
        self.send_waiting(now);
        id
    }

    /// Something that a worker said.
    pub(super) fn came(&mut self, incarnation: u64, message: FromWorker, now: u64) {
        if incarnation != self.incarnation {
            return;
        }
        match message {
            FromWorker::Hello { version } if version == protocol::VERSION => {}
            FromWorker::Hello { version } => {
                self.leave(&format!("it speaks version {version}, not {}", protocol::VERSION), now);
            }
            FromWorker::Unfit(why) => self.leave(&why, now),
            FromWorker::Ready(loaded) => {
                if let Phase::Starting { .. } = self.phase {
                    self.memory_bytes = Some(loaded.memory_bytes);
                    self.phase = Phase::Up { since: now, loaded };
                    self.send_waiting(now);
                }
            }
            FromWorker::Piece(id, piece) => {
                if self.pending.contains_key(&id) {
                    self.effects.push(Effect::Piece(id, piece));
                }
            }
            FromWorker::Done(id, result) => self.answered(id, result, now),
            FromWorker::Memory(bytes) => self.memory_bytes = Some(bytes),
            FromWorker::Benched(_) => {}
        }
    }

    /// The answer was known already; nobody was asked.
    pub(super) fn known(&mut self, id: AskId, answer: Answer) {
        if self.pending.remove(&id).is_some() {
            self.done(id, Ok(answer));
        }
    }

    fn answered(&mut self, id: AskId, result: Result<Answer, Abstention>, now: u64) {
        self.owed.remove(&id);
        if self.pending.remove(&id).is_none() {
            return;
        }
        // A device that computes nonsense or has no room is no better than one that died; a bad text or a late one says nothing of it.
        let fault = match &result {
            Ok(_) => {
                if let Some(rung) = self.rungs.get_mut(self.at) {
                    rung.failures = 0;
                }
                None
            }
            Err(why @ (Abstention::NotANumber | Abstention::OutOfMemory(_) | Abstention::Gone(_) | Abstention::Remote(_))) => {
                Some(why.to_string())
            }
            Err(_) => None,
        };
        self.effects.push(Effect::Done(id, result));
        if let Some(why) = fault {
            self.strike(&why);
            if self.rungs.get(self.at).is_some_and(|rung| rung.failures >= FAILURES) {
                self.leave(&why, now);
            }
        }
    }

    /// What stood on the rung is gone.
    pub(super) fn ended(&mut self, incarnation: u64, why: &str, now: u64) {
        if incarnation == self.incarnation && !matches!(self.phase, Phase::Ended | Phase::Rules { .. } | Phase::Resting { .. }) {
            self.failed(why, now);
        }
    }

    /// Time passed.
    pub(super) fn tick(&mut self, now: u64) {
        let late: Vec<(AskId, u64)> =
            self.pending.iter().filter(|(_, one)| now >= one.due()).map(|(id, one)| (*id, one.deadline_ms)).collect();
        for (id, deadline_ms) in late {
            self.give_up(id, Abstention::Late(deadline_ms), now);
        }
        if self.owed.values().any(|until| now >= *until) {
            self.failed("it hung: a question was neither answered nor given up in time", now);
        }
        match self.phase {
            Phase::Resting { until } if now >= until => self.start(now),
            Phase::Starting { by } if now >= by => {
                self.failed(&format!("it was not ready within {} s", self.patience.load_ms / 1_000), now);
            }
            Phase::Rules { again_at } if now >= again_at => self.retry(now),
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Up { .. } | Phase::Rules { .. } | Phase::Ended => {}
        }
    }

    /// When [`Core::tick`] has something to do next.
    pub(super) fn next_tick(&self) -> u64 {
        let phase = match self.phase {
            Phase::Resting { until } => until,
            Phase::Starting { by } => by,
            Phase::Rules { again_at } => again_at,
            Phase::Up { .. } | Phase::Ended => u64::MAX,
        };
        let due = self.pending.values().map(Pending::due).chain(self.owed.values().copied()).min();
        due.unwrap_or(u64::MAX).min(phase)
    }

    /// Tries the whole ladder again from the top.
    pub(super) fn retry(&mut self, now: u64) {
        if self.rungs.is_empty() || matches!(self.phase, Phase::Ended) {
            return;
        }
        self.give_up_all(&Abstention::Gone("the model is started anew".to_owned()), now);
        self.end_worker();
        for rung in &mut self.rungs {
            (rung.failures, rung.strikes, rung.why) = (0, 0, CleanText::default());
        }
        (self.at, self.phase) = (0, Phase::Resting { until: now });
        self.start(now);
    }

    /// The end of the desk.
    pub(super) fn stop(&mut self, now: u64) {
        self.give_up_all(&Abstention::Gone("the program ends".to_owned()), now);
        self.effects.push(Effect::Send(ToWorker::Stop));
        self.end_worker();
        self.phase = Phase::Ended;
    }

    fn start(&mut self, now: u64) {
        self.incarnation += 1;
        self.phase = Phase::Starting { by: now.saturating_add(self.patience.load_ms) };
        self.effects.push(Effect::Start { rung: self.at, incarnation: self.incarnation });
    }

    fn send_waiting(&mut self, now: u64) {
        if !matches!(self.phase, Phase::Up { .. }) {
            return;
        }
        for pending in self.pending.values_mut() {
            if let Some(mut ask) = pending.unsent.take() {
                // What it waited here is not given to it again.
                ask.deadline_ms = pending.asked_at.saturating_add(pending.deadline_ms).saturating_sub(now);
                self.effects.push(Effect::Send(ToWorker::Ask(ask)));
            }
        }
    }

    fn done(&mut self, id: AskId, result: Result<Answer, Abstention>) {
        self.effects.push(Effect::Done(id, result));
    }

    /// Tells who asked, and has the worker stop.
    fn give_up(&mut self, id: AskId, why: Abstention, now: u64) {
        let Some(pending) = self.pending.remove(&id) else { return };
        if pending.unsent.is_none() {
            // Who was overtaken had time left, which is not added to the time in which it must be given up.
            self.owed.insert(id, now.saturating_add(self.patience.grace_ms));
            self.effects.push(Effect::Send(ToWorker::Cancel(id)));
        }
        self.done(id, Err(why));
    }

    fn give_up_all(&mut self, why: &Abstention, now: u64) {
        let ids: Vec<AskId> = self.pending.keys().copied().collect();
        ids.into_iter().for_each(|id| self.give_up(id, why.clone(), now));
        self.owed.clear();
    }

    fn end_worker(&mut self) {
        // Whatever it still says is not heard.
        self.incarnation += 1;
        self.owed.clear();
        self.memory_bytes = None;
        self.effects.push(Effect::End);
    }

    /// The worker died or hangs: who was asked is told, and it is started again after a pause, or left.
    fn failed(&mut self, why: &str, now: u64) {
        if let Phase::Up { since, .. } = self.phase
            && now.saturating_sub(since) >= STEADY_MS
            && let Some(rung) = self.rungs.get_mut(self.at)
        {
            rung.strikes = 0;
        }
        self.strike(why);
        let Some(rung) = self.rungs.get(self.at) else { return };
        if rung.failures >= FAILURES {
            self.leave(why, now);
            return;
        }
        let doubled = self.patience.backoff_ms.saturating_mul(1 << rung.strikes.saturating_sub(1).min(16));
        self.let_go(why);
        self.restarts += 1;
        self.phase = Phase::Resting { until: now.saturating_add(doubled.min(self.patience.longest_backoff_ms)) };
    }

    fn strike(&mut self, why: &str) {
        if let Some(rung) = self.rungs.get_mut(self.at) {
            rung.failures += 1;
            rung.strikes += 1;
            rung.why = CleanText::from_outside(why);
        }
    }

    /// Ends the worker; who was asked by it is told so. Questions that were not sent wait on.
    fn let_go(&mut self, why: &str) {
        self.end_worker();
        let sent: Vec<AskId> = self.pending.iter().filter(|(_, one)| one.unsent.is_none()).map(|(id, _)| *id).collect();
        for id in sent {
            self.pending.remove(&id);
            self.done(id, Err(Abstention::Gone(why.to_owned())));
        }
    }

    /// Goes to the rung below.
    fn leave(&mut self, why: &str, now: u64) {
        self.let_go(why);
        if let Some(rung) = self.rungs.get_mut(self.at) {
            rung.why = CleanText::from_outside(why);
        }
        self.at += 1;
        if let Some(rung) = self.rungs.get_mut(self.at) {
            rung.failures = 0;
            self.start(now);
            return;
        }
        self.phase = Phase::Rules { again_at: now.saturating_add(self.patience.again_ms) };
        let none = Abstention::NoModel(self.why_none());
        let waiting: Vec<AskId> = std::mem::take(&mut self.pending).into_keys().collect();
        waiting.into_iter().for_each(|id| self.done(id, Err(none.clone())));
    }

    /// Why the rules answer, in a sentence.
    fn why_none(&self) -> String {
        let last = self.rungs.last().map(|rung| rung.why.as_str()).filter(|why| !why.is_empty());
        last.unwrap_or("none is configured").to_owned()
    }
}

impl Pending {
    fn due(&self) -> u64 {
        self.asked_at.saturating_add(self.deadline_ms)
    }
}
