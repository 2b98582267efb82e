//! How the calls of this account stand: counted per source and for the account as a whole. A fold over records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::SignalSource;
use crate::signals::{CountedCall, Tally};

/// The counts. Calls that a layer refused, or that were made while history warmed up, are not in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standings {
    sources: BTreeMap<SignalSource, Tally>,
    account: Tally,
}

/// What of an account's record is a count. Follows from the records, so it is no part of the state's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Signals that the layers judged since history had warmed up.
    pub judged: u64,
    /// Those that all layers let pass.
    pub passed: u64,
    /// Positions that were opened and closed.
    pub round_trips: u64,
}

impl Standings {
    /// Whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    pub(super) fn add(&mut self, source: SignalSource, call: CountedCall) {
        self.sources.entry(source).or_default().add(call);
        self.account.add(call);
    }

    /// The record of one source.
    pub(super) fn of(&self, source: SignalSource) -> Tally {
        self.sources.get(&source).copied().unwrap_or_default()
    }

    /// The record of all sources.
    pub(super) const fn account(&self) -> Tally {
        self.account
    }

    /// Sources with a record.
    pub(super) fn sources(&self) -> impl Iterator<Item = SignalSource> + '_ {
        self.sources.keys().copied()
    }

    /// The account begins anew; what its sources were worth stays known.
    pub(super) fn begin_account(&mut self) {
        self.account = Tally::default();
    }
}
