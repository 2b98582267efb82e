//! Follows every signal to its outcome, whether or not it was traded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Bar, Direction, InstrumentId, MarketTime, Outcome, Price, Ratio, Signal, SignalId, SignalSource};
use crate::signals::CountedCall;

/// A signal on its way to its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    signal: SignalId,
    source: SignalSource,
    direction: Direction,
    since: MarketTime,
    entry: Option<Price>,
    bars_left: u32,
    /// What is to be learnt from it; nothing in runs that learn nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traced: Option<Traced>,
}

/// What of a signal its outcome is learnt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// The source's own measure.
    pub strength: Ratio,
    /// Whether the layers let it through.
    pub has_passed: bool,
}

/// A call that has ended, as it is learnt from and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedCall {
    /// When the view was formed.
    pub made: MarketTime,
    /// Which way it went out.
    pub direction: Direction,
    /// The source's own measure.
    pub strength: Ratio,
    /// Whether the layers let it through.
    pub has_passed: bool,
}

impl EndedCall {
    /// Whether the price went its way, cost aside; a price that did not move went nobody's way.
    pub fn is_right(&self, outcome: &Outcome) -> bool {
        match self.direction {
            Direction::Long => outcome.exit > outcome.entry,
            Direction::Short => outcome.exit < outcome.entry,
        }
    }

    /// As a gate counts it.
    pub fn counted(&self, outcome: &Outcome) -> CountedCall {
        let (is_right, has_risen) = (self.is_right(outcome), outcome.exit > outcome.entry);
        CountedCall { made: self.made, ended: outcome.at, is_right, has_risen }
    }
}

/// A signal whose horizon has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Which signal.
    pub signal: SignalId,
    /// Whose.
    pub source: SignalSource,
    /// What it would have earned after cost.
    pub outcome: Outcome,
    /// Whether the price went its way, cost aside.
    pub is_right: bool,
    /// When the view was formed.
    pub since: MarketTime,
    /// What is learnt from it.
    pub call: Option<EndedCall>,
}

/// Signals whose horizon is still running, by instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    pending: BTreeMap<InstrumentId, Vec<Pending>>,
}

impl Tracker {
    /// Begins to follow a signal; its entry is the next bar's open (or close where there is no open). What is `traced` comes back with
    /// its outcome.
    pub fn follow(&mut self, signal: &Signal, traced: Option<Traced>) {
        let view = &signal.view;
        self.pending.entry(view.instrument).or_default().push(Pending {
            signal: signal.id,
            source: view.source,
            direction: view.direction,
            since: view.as_of,
            entry: None,
            bars_left: view.horizon_bars,
            traced,
        });
    }

    /// Whether a signal of this source is still running for the instrument.
    pub fn is_running(&self, source: SignalSource, instrument: InstrumentId) -> bool {
        self.pending.get(&instrument).is_some_and(|list| list.iter().any(|pending| pending.source == source))
    }

    /// Follows nothing of an instrument any more: its bars are not told, so its signals have no outcome.
    pub fn forget(&mut self, instrument: InstrumentId) {
        self.pending.remove(&instrument);
    }

    /// Enters what waits for an open.
    pub fn on_open(&mut self, instrument: InstrumentId, open: Price, at: MarketTime) {
        for pending in self.pending.get_mut(&instrument).into_iter().flatten() {
            if pending.entry.is_none() && pending.since <= at {
                pending.entry = Some(open);
            }
        }
    }

    /// Counts a closed bar and returns what it resolves. `round_trip` is the cost of both sides as a share of the value.
    pub fn on_close(&mut self, bar: &Bar, round_trip: Ratio) -> Vec<Resolved> {
        let Some(list) = self.pending.get_mut(&bar.instrument) else { return Vec::new() };
        let mut resolved = Vec::new();
        list.retain_mut(|pending| {
            if pending.since >= bar.close_at {
                return true;
            }
            let Some(entry) = pending.entry else {
                pending.entry = Some(bar.close);
                return true;
            };
            pending.bars_left = pending.bars_left.saturating_sub(1);
            if pending.bars_left > 0 {
                return true;
            }
            resolved.extend(outcome(pending, entry, bar, round_trip));
            false
        });
        resolved
    }
}

fn outcome(pending: &Pending, entry: Price, bar: &Bar, round_trip: Ratio) -> Option<Resolved> {
    let moved = bar.close.change_from(entry)?;
    let gross = match pending.direction {
        Direction::Long => moved,
        Direction::Short => moved.negated(),
    };
    let net_return = Ratio::from_nanos(gross.nanos().saturating_sub(round_trip.nanos()));
    let outcome = Outcome { entry, exit: bar.close, net_return, at: bar.close_at };
    let (is_right, since) = (gross > Ratio::ZERO, pending.since);
    let direction = pending.direction;
    let call = pending.traced.map(|Traced { strength, has_passed }| EndedCall { made: since, direction, strength, has_passed });
    Some(Resolved { signal: pending.signal, source: pending.source, outcome, is_right, since, call })
}
