//! What who asked holds in hand: pieces as they come, and one outcome.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::panel::{ModelFacts, Rung};

/// The outcome of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The answer, or why there is none.
    pub answer: Result<Answer, Abstention>,
    /// The rung it came from.
    pub rung: Rung,
    /// The model it came from; `None` where none was loaded.
    pub model: Option<Arc<ModelFacts>>,
    /// Whether it was computed for an earlier question.
    pub is_from_cache: bool,
}

/// A question's answer to come.
#[derive(Debug)]
pub struct Reply(Arc<Slot>);

/// The desk's end of it. Where it is dropped, for whatever reason, who asked is told that the desk is gone.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    decided: Option<Vec<f64>>,
    text: String,
    told: Option<Told>,
}

impl Told {
    /// An abstention before anybody was asked.
    pub(super) fn none(why: Abstention) -> Self {
        Self { answer: Err(why), rung: Rung::Rules, model: None, is_from_cache: false }
    }
}

impl Reply {
    /// Both ends of one.
    pub(super) fn new() -> (Self, Ticket) {
        let slot = Arc::new(Slot::default());
        (Self(Arc::clone(&slot)), Ticket(slot))
    }

    /// The outcome, if there is one by now.
    pub fn told(&self) -> Option<Told> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).told.clone()
    }

    /// Waits for the outcome. A desk tells one by the question's deadline.
    pub fn wait(&self, at_most: Duration) -> Option<Told> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(state, at_most, |state| state.told.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.told.clone()
    }

    /// The probabilities of the decision's labels, as soon as they are known.
    pub fn decided(&self) -> Option<Vec<f64>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).decided.clone()
    }

    /// What is written so far, as the model writes it.
    pub fn text(&self) -> String {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }
}

impl Ticket {
    /// Something of the answer.
    pub(super) fn piece(&self, piece: Piece) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match piece {
            Piece::Decided(labels) => state.decided = Some(labels),
            Piece::Text(text) => state.text.push_str(&text),
        }
        self.0.changed.notify_all();
    }

    /// Takes over what another one of the same question has heard so far.
    pub(super) fn follow(&self, other: &Self) {
        let (decided, text) = {
            let state = other.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.decided.clone(), state.text.clone())
        };
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.decided, state.text) = (decided, text);
        self.0.changed.notify_all();
    }

    /// The outcome; only the first counts.
    pub(super) fn done(&self, told: Told) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.told.is_none() {
            state.told = Some(told);
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.done(Told::none(Abstention::Gone("the program ends".to_owned())));
    }
}
