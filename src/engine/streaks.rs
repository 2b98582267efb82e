//! What breakers count: losses and rejections in a row, and which calls of a source were right. A fold over records.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::{Duration, MarketTime, Ratio, SignalSource};
use crate::stats;

/// Calls kept of each source.
const KEPT_CALLS: usize = 250;
/// Fewer calls say nothing.
const LEAST_CALLS: usize = 30;

/// Calls kept of each source with the time of their end: where more end in a window of days, the latest of them count.
const KEPT_DATED: usize = 2_000;

/// Market orders and answers kept.
const KEPT_ORDERS: usize = 100;
/// Fewer of them say nothing.
const LEAST_ORDERS: usize = 5;

/// The counts. Empty in runs of before breakers counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Streaks {
    losses: u32,
    rejects: u32,
    calls: BTreeMap<SignalSource, VecDeque<bool>>,
    /// Ends of calls and whether they were right, for what looks back in days.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    dated: BTreeMap<SignalSource, VecDeque<(MarketTime, bool)>>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    slips: VecDeque<Ratio>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    waits: VecDeque<Duration>,
}

impl Streaks {
    /// Whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        let no_calls = self.calls.is_empty() && self.dated.is_empty();
        self.losses == 0 && self.rejects == 0 && no_calls && self.slips.is_empty() && self.waits.is_empty()
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

    /// A call of a source has ended, for what looks back in days.
    pub(super) fn date_call(&mut self, source: SignalSource, at: MarketTime, is_right: bool) {
        let calls = self.dated.entry(source).or_default();
        calls.push_back((at, is_right));
        if calls.len() > KEPT_DATED {
            calls.pop_front();
        }
    }

    /// The share of the calls since then that were right, of one source or of all together; `None` below 30 calls.
    pub(super) fn right_since(&self, source: Option<SignalSource>, since: MarketTime) -> Option<Ratio> {
        let meant = self.dated.iter().filter(|(of, _)| source.is_none_or(|source| source == **of));
        let (mut right, mut count) = (0_i128, 0_i128);
        for (_, is_right) in meant.flat_map(|(_, calls)| calls.iter().rev().take_while(|(at, _)| *at >= since)) {
            right += i128::from(*is_right);
            count += 1;
        }
        (count >= LEAST_CALLS as i128).then(|| Ratio::of(right, count)).flatten()
    }

    /// Sources with calls that look back in days.
    pub(super) fn dated_sources(&self) -> impl Iterator<Item = SignalSource> + '_ {
        self.dated.keys().copied()
    }

    /// A market order has traded, so much worse than its reference (better where negative).
    pub(super) fn slip(&mut self, by: Ratio) {
        self.slips.push_back(by);
        if self.slips.len() > KEPT_ORDERS {
            self.slips.pop_front();
        }
    }

    /// The broker's first answer to an order came after so long.
    pub(super) fn wait(&mut self, time: Duration) {
        self.waits.push_back(time);
        if self.waits.len() > KEPT_ORDERS {
            self.waits.pop_front();
        }
    }

    /// Mean slippage of the latest market orders, as a share; `None` below five.
    pub(super) fn slippage(&self, window: u32) -> Option<Ratio> {
        let latest: Vec<i128> = latest(&self.slips, window).map(|slip| i128::from(slip.nanos())).collect();
        let count = i128::try_from(latest.len()).ok()?;
        let mean = latest.iter().sum::<i128>().checked_div(count)?;
        (latest.len() >= LEAST_ORDERS).then(|| i64::try_from(mean).ok().map(Ratio::from_nanos)).flatten()
    }

    /// Median of the latest waits in seconds, the upper one of the middle two; `None` below five.
    pub(super) fn latency(&self, window: u32) -> Option<Ratio> {
        let mut latest: Vec<i64> = latest(&self.waits, window).map(|wait| wait.0).collect();
        latest.sort_unstable();
        latest.get(latest.len() / 2).filter(|_| latest.len() >= LEAST_ORDERS).map(|nanos| Ratio::from_nanos(*nanos))
    }

    pub(super) fn forget_slips(&mut self) {
        self.slips.clear();
    }

    pub(super) fn forget_waits(&mut self) {
        self.waits.clear();
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

    pub(super) fn forget_dated(&mut self, source: Option<SignalSource>) {
        self.dated.retain(|of, _| source.is_some_and(|source| source != *of));
    }

    pub(super) fn forget_calls(&mut self, source: Option<SignalSource>) {
        self.calls.retain(|of, _| source.is_some_and(|source| source != *of));
    }
}

fn latest<T>(all: &VecDeque<T>, window: u32) -> impl Iterator<Item = &T> {
    all.iter().rev().take(usize::try_from(window).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slippage_is_a_mean_and_latency_a_median_of_the_latest() {
        let mut streaks = Streaks::default();
        for share in [9, 9, 1, 2, 3, 4] {
            streaks.slip(Ratio::from_nanos(share * 1_000));
            streaks.wait(Duration::seconds(share));
        }
        assert_eq!(streaks.slippage(4), None, "fewer than five say nothing");
        assert_eq!(streaks.slippage(5), Some(Ratio::from_nanos(3_800)));
        assert_eq!(streaks.latency(5), Some(Ratio::from_nanos(3_000_000_000)));
        streaks.forget_slips();
        streaks.forget_waits();
        assert!(streaks.is_empty());
    }

    #[test]
    fn calls_of_the_latest_days_are_counted_from_thirty_on() {
        let (one, other) = (SignalSource::BaselineMomentum, SignalSource::BaselineReversal);
        let mut streaks = Streaks::default();
        for call in 0..40 {
            streaks.date_call(one, MarketTime(call), call % 20 >= 11);
        }
        assert_eq!(streaks.right_since(Some(one), MarketTime(11)), None, "29 calls");
        // The last 30: ten of them from 10 to 19, of which 9 are right, and 20 to 39, of which 9 are.
        assert_eq!(streaks.right_since(Some(one), MarketTime(10)), Ratio::of(18, 30));
        assert_eq!(streaks.right_since(Some(one), MarketTime(0)), Ratio::of(45, 100), "at the line");
        (0..10).for_each(|call| streaks.date_call(other, MarketTime(call), false));
        assert_eq!(streaks.right_since(Some(other), MarketTime(0)), None);
        assert_eq!(streaks.right_since(None, MarketTime(0)), Ratio::of(18, 50), "all together");
        (0..3_000).for_each(|call| streaks.date_call(other, MarketTime(call), true));
        assert_eq!(streaks.dated[&other].len(), KEPT_DATED);
        streaks.forget_dated(Some(other));
        assert_eq!(streaks.dated_sources().collect::<Vec<_>>(), [one]);
        streaks.forget_dated(None);
        assert!(streaks.is_empty());
    }

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
