//! What the journal holds.

use crate::domain::{LedgerId, MarketTime, Money, RunId, Sequence};
use crate::engine::{Input, Record, TapeRef};

/// An entry before it has a place in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// How many market events the engine had consumed.
    pub market_index: u64,
    /// Market time then.
    pub market_at: MarketTime,
    /// The input or the decision.
    pub body: Body,
}

/// An input that the engine was given, or a record of what it decided.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the first input of a run carries all settings; entries live for a moment, one at a time"
)]
pub enum Body {
    /// An input.
    Input(Input),
    /// A decision.
    Record(Record),
}

/// An entry read back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// Its place.
    pub seq: Sequence,
    /// Its run.
    pub run: RunId,
    /// The entry.
    pub entry: Entry,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// A process works on it, or was killed while it did.
    Running,
    /// The last process ended in order.
    Suspended,
}

impl RunRow {
    /// Whether its market was heard while it happened, and so lies in a segment.
    pub fn is_live(&self) -> bool {
        self.tape.sha256.is_empty()
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its number.
    pub run: RunId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Its tape.
    pub tape: TapeRef,
    /// Its starting capital.
    pub capital: Money,
    /// Program version that opened it.
    pub version: String,
    /// The settings it was opened with, as JSON.
    pub settings: String,
    /// How it stands.
    pub status: RunStatus,
}
