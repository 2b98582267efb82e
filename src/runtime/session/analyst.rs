//! The analyst on a thread of its own: it may take its time, fail or hang, and nothing waits for it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::runtime::session::Request;
use crate::runtime::supervise::spawn_named;
use crate::signals::{Analyst, Facts};

/// Bars that may wait for a comment; what is more is dropped, and said in the log.
const WAITING: usize = 16;

/// The engine thread's side.
#[derive(Debug)]
pub(super) struct Desk {
    facts: SyncSender<Facts>,
    dropped: u64,
}

impl Desk {
    /// Gives the analyst a thread. It ends with this desk, or with the inbox its comments go to.
    pub(super) fn start(analyst: Box<dyn Analyst>, inbox: SyncSender<Request>) -> std::io::Result<Self> {
        let (facts, waiting) = sync_channel(WAITING);
        spawn_named("analyst", move || write_comments(analyst, &waiting, &inbox))?;
        Ok(Self { facts, dropped: 0 })
    }

    /// Asks for a comment, without waiting.
    pub(super) fn ask(&mut self, facts: Facts) {
        if let Err(TrySendError::Full(_)) = self.facts.try_send(facts) {
            self.dropped += 1;
            tracing::warn!(target: "pmax::analyst", "behind: {} comments were not asked for so far", self.dropped);
        }
    }
}

fn write_comments(mut analyst: Box<dyn Analyst>, waiting: &Receiver<Facts>, inbox: &SyncSender<Request>) {
    while let Ok(facts) = waiting.recv() {
        let is_heard = match analyst.comment(&facts) {
            Some(comment) => inbox.send(Request::Comment(comment)).is_ok(),
            None => true,
        };
        if !is_heard {
            return;
        }
    }
}
