//! Opinions of a model, on a thread of their own: a person waits for them, so they do not queue behind comments.

use std::sync::mpsc::SyncSender;

use crate::llm::answering::Behind;
use crate::runtime::session::Request;
use crate::runtime::session::waiting::{Asking, Waiting, waiting};
use crate::runtime::supervise::spawn_named;
use crate::signals::{Facts, Opine};

/// The engine thread's side; without anybody to ask it takes questions and forgets them.
#[derive(Debug)]
pub(super) struct OpinionDesk {
    asking: Option<Asking>,
}

impl OpinionDesk {
    /// Gives whoever has opinions a thread. It ends with this desk, or with the inbox they go to.
    pub(super) fn start(opine: Option<Box<dyn Opine>>, inbox: SyncSender<Request>) -> std::io::Result<Self> {
        let Some(opine) = opine else { return Ok(Self { asking: None }) };
        let (asking, waiting) = waiting();
        spawn_named("opinions", move || form_opinions(opine, &waiting, &inbox))?;
        Ok(Self { asking: Some(asking) })
    }

    /// Asks for opinions, without waiting.
    pub(super) fn ask(&self, facts: Facts) {
        if let Some(asking) = &self.asking {
            asking.ask(facts);
        }
    }

    /// How far behind it is.
    pub(super) fn behind(&self) -> Behind {
        self.asking.as_ref().map(Asking::behind).unwrap_or_default()
    }
}

fn form_opinions(mut opine: Box<dyn Opine>, waiting: &Waiting, inbox: &SyncSender<Request>) {
    while let Some(facts) = waiting.next() {
        for opinion in opine.opine(&facts) {
            if inbox.send(Request::Opine(opinion)).is_err() {
                return;
            }
        }
    }
}
