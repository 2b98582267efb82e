//! What can be asked of the engine thread.

use crate::domain::{Actor, InstrumentId, MarketTime, Watched};
use crate::engine::{Command, SnapshotRequest};
use crate::market::providers::Line;
use crate::runtime::Speed;
use crate::signals::{Commentary, Opinion};

/// What the screen asks of the engine thread.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A command, recorded and handled in order.
    Command(Actor, Command),
    /// The same from the screen, answered under this number in the pictures that follow.
    Ask(u64, Command),
    /// The tape.
    Tape(TapeControl),
    /// What the pictures should contain; an open preview holds the tape.
    Show(SnapshotRequest),
    /// The analyst wrote something.
    Comment(Commentary),
    /// A model has an opinion.
    Opine(Opinion),
    /// The broker has answered: its reports are fetched.
    Answered,
    /// Other instruments are to be watched from now on, answered under this number.
    Watch(u64, Box<WatchRequest>),
    /// Ask a provider which instruments these words name; the answer is part of the feed's view. No words end it.
    Search(String),
    /// Connect to the broker now, also after a refused login.
    Reconnect,
    /// A part of the runtime died: trading stops.
    Died(String),
    /// End in order.
    Quit,
}

/// Instruments that are to join or leave a run of providers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WatchRequest {
    /// These are to be watched, each with what providers call it.
    pub joins: Vec<(Watched, Line)>,
    /// These are not to be watched any more.
    pub leaves: Vec<InstrumentId>,
}

/// What can be done to the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapeControl {
    /// Pause, or go on.
    TogglePause,
    /// One event of the tape while paused.
    Step,
    /// On to the next closed bar while paused.
    StepBar,
    /// The next faster speed.
    Faster,
    /// The next slower speed.
    Slower,
    /// This speed.
    Set(Speed),
    /// Run ahead to this instant.
    Jump(MarketTime),
}
