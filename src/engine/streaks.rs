//! What breakers count: losses and rejections in a row, and which calls of a source were right. A fold over records.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::SignalSource;
use crate::stats;

/// Calls kept of each source.
const KEPT_CALLS: usize = 250;
/// Fewer calls say nothing.
const LEAST_CALLS: usize = 30;

/// The counts. Empty in runs of before breakers counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Streaks {
    losses: u32,
    rejects: u32,
    calls: BTreeMap<SignalSource, VecDeque<bool>>,
}

impl Streaks {
    /// Whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.losses == 0 && self.rejects == 0 && self.calls.is_empty()
    }

    /// A round trip has ended.
    pub(super) const fn end_trip(&mut self, has_lost: bool) {
        self.losses = if has_lost { self.losses.saturating_add(1) } else { 0 };
    }

    /// The broker has rejected an order.
    pub(super) const fn reject(&mut self) {
        self.rejects = self.rejects.saturating_add(1);
    }

    /// The broker has taken an order.
    pub(super) const fn accept(&mut self) {
        self.rejects = 0;
    }

    /// A call of a source has ended.
    pub(super) fn end_call(&mut self, source: SignalSource, is_right: bool) {
        let calls = self.calls.entry(source).or_default();
        calls.push_back(is_right);
        if calls.len() > KEPT_CALLS {
            calls.pop_front();
        }
    }

    pub(super) const fn losses(&self) -> u32 {
        self.losses
    }

    pub(super) const fn rejects(&self) -> u32 {
        self.rejects
    }

    /// Sources with calls.
    pub(super) fn sources(&self) -> impl Iterator<Item = SignalSource> + '_ {
        self.calls.keys().copied()
    }

    /// The upper end of Wilson's 95 % interval of the share of a source's latest calls that were right; `None` below 30 calls. Calls
    /// overlap in time and share markets, so the interval is narrower than it should be: the window must not be short.
    pub(super) fn right_at_most(&self, source: SignalSource, window: u32) -> Option<f64> {
        let calls = self.calls.get(&source)?;
        let window = usize::try_from(window).ok()?;
        let latest = calls.iter().rev().take(window);
        let (count, right) = (latest.len(), latest.filter(|is_right| **is_right).count());
        if count < LEAST_CALLS {
            return None;
        }
        stats::wilson_95(right as u64, count as u64).map(|interval| interval.high)
    }

    pub(super) const fn forget_losses(&mut self) {
        self.losses = 0;
    }

    pub(super) fn forget_calls(&mut self, source: Option<SignalSource>) {
        self.calls.retain(|of, _| source.is_some_and(|source| source != *of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_win_and_one_acceptance_end_a_streak() {
        let mut streaks = Streaks::default();
        streaks.end_trip(true);
        streaks.end_trip(true);
        streaks.reject();
        assert_eq!((streaks.losses(), streaks.rejects()), (2, 1));
        streaks.end_trip(false);
        streaks.accept();
        assert!(streaks.is_empty());
    }

    #[test]
    fn accuracy_needs_thirty_calls_and_looks_at_the_latest() {
        let source = SignalSource::BaselineMomentum;
        let mut streaks = Streaks::default();
        for call in 0..29 {
            streaks.end_call(source, call % 4 == 0);
        }
        assert_eq!(streaks.right_at_most(source, 60), None);
        streaks.end_call(source, false);
        // 8 of 30; Wilson's upper end from the formula by hand: 0.444.
        assert!((streaks.right_at_most(source, 60).unwrap() - 0.444_4).abs() < 1e-3, "{:?}", streaks.right_at_most(source, 60));
        for _ in 0..60 {
            streaks.end_call(source, true);
        }
        assert!(streaks.right_at_most(source, 60).unwrap() > 0.999);
        for _ in 0..500 {
            streaks.end_call(source, false);
        }
        assert_eq!(streaks.calls[&source].len(), KEPT_CALLS);
        streaks.forget_calls(Some(SignalSource::BaselineReversal));
        assert!(!streaks.is_empty());
        streaks.forget_calls(Some(source));
        assert!(streaks.is_empty());
    }
}
