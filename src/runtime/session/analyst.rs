//! The analyst on a thread of its own: it may take its time, fail or hang, and nothing waits for it.

use std::sync::mpsc::SyncSender;

use crate::domain::InstrumentId;
use crate::llm::answering::Behind;
use crate::runtime::session::Request;
use crate::runtime::session::waiting::{Asking, Waiting, waiting};
use crate::runtime::supervise::spawn_named;
use crate::signals::{Analyst, Facts};

/// How often newer bars may take the place of waiting ones before the log says so again.
const SAID_EVERY: u64 = 100;

/// The engine thread's side.
#[derive(Debug)]
pub(super) struct Desk {
    asking: Asking,
}

impl Desk {
    /// Gives the analyst a thread. It ends with this desk, or with the inbox its comments go to.
    pub(super) fn start(analyst: Box<dyn Analyst>, inbox: SyncSender<Request>) -> std::io::Result<Self> {
        let (asking, waiting) = waiting();
        spawn_named("analyst", move || write_comments(analyst, &waiting, &inbox))?;
        Ok(Self { asking })
    }

    /// Asks for a comment, without waiting. A bar of the same instrument that still waits is nobody's any more.
    pub(super) fn ask(&self, facts: Facts) {
        let superseded = self.asking.ask(facts);
        if superseded > 0 && superseded.is_multiple_of(SAID_EVERY) {
            tracing::info!(target: "pmax::analyst", "behind: {superseded} bars were replaced by newer ones so far");
        }
    }

    /// How far behind it is.
    pub(super) fn behind(&self) -> Behind {
        self.asking.behind()
    }

    /// Says which instrument a person looks at: it comes first.
    pub(super) fn look_at(&self, focus: Option<InstrumentId>) {
        self.asking.look_at(focus);
    }
}

fn write_comments(mut analyst: Box<dyn Analyst>, waiting: &Waiting, inbox: &SyncSender<Request>) {
    while let Some(facts) = waiting.next() {
        let is_heard = match analyst.comment(&facts) {
            Some(comment) => inbox.send(Request::Comment(comment)).is_ok(),
            None => true,
        };
        if !is_heard {
            return;
        }
    }
}
