//! How unusual the latest value of a series is, against its own history. Memory and work per value do not grow with history.

use std::collections::VecDeque;

use crate::stats;

/// Earlier values that one is held against, and how many of them it takes at least.
const HISTORY: usize = 250;
const LEAST: usize = 60;

/// The latest value in robust deviations from the median of up to 250 earlier ones. Values that still share what they were computed from
/// with the latest are no history yet: so many as `lag`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usual {
    lag: usize,
    fresh: VecDeque<f64>,
    /// Values that are history, in the order of their time and by size.
    settled: VecDeque<f64>,
    sorted: Vec<f64>,
    latest: Option<f64>,
}

impl Usual {
    /// Without any value yet.
    pub(super) const fn new(lag: usize) -> Self {
        Self { lag, fresh: VecDeque::new(), settled: VecDeque::new(), sorted: Vec::new(), latest: None }
    }

    /// Takes a value, or that there is none at this time.
    pub(super) fn take(&mut self, value: Option<f64>) {
        self.latest = value.filter(|value| value.is_finite());
        let Some(value) = self.latest else { return };
        self.fresh.push_back(value);
        if self.fresh.len() > self.lag
            && let Some(oldest) = self.fresh.pop_front()
        {
            self.settle(oldest);
        }
    }

    fn settle(&mut self, value: f64) {
        self.settled.push_back(value);
        self.sorted.insert(self.place_of(value), value);
        if self.settled.len() > HISTORY
            && let Some(oldest) = self.settled.pop_front()
        {
            self.sorted.remove(self.place_of(oldest));
        }
    }

    /// Where a value stands, or would stand, among the sorted ones.
    fn place_of(&self, value: f64) -> usize {
        self.sorted.partition_point(|other| *other < value)
    }

    /// Whether the latest value may lie above the median of its history.
    pub(super) fn may_be_high(&self) -> bool {
        let middle = self.sorted.len().checked_sub(1).and_then(|last| self.sorted.get(last / 2));
        self.latest.zip(middle).is_some_and(|(latest, middle)| latest > *middle)
    }

    /// Robust deviations of the latest value, `(x − median) / 1.4826 MAD`; `None` while history is short, or where it does not move.
    pub(super) fn deviations(&self) -> Option<f64> {
        if self.sorted.len() < LEAST {
            return None;
        }
        stats::robust_z_of_sorted(&self.sorted, self.latest?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_bounded_and_in_order() {
        let mut usual = Usual::new(10);
        for value in 0..3_000 {
            usual.take(Some(f64::from(value * 7_919 % 1_013)));
        }
        assert_eq!((usual.settled.len(), usual.sorted.len(), usual.fresh.len()), (HISTORY, HISTORY, 10));
        let mut expected: Vec<f64> = usual.settled.iter().copied().collect();
        expected.sort_by(f64::total_cmp);
        assert_eq!(usual.sorted, expected);
    }

    #[test]
    fn what_is_fresh_is_no_history() {
        let mut usual = Usual::new(10);
        for value in 0..69 {
            usual.take(Some(f64::from(value % 5)));
            assert_eq!(usual.deviations(), None);
        }
        usual.take(Some(0.0));
        assert!(usual.deviations().is_some(), "sixty are history by now");
        usual.take(None);
        assert_eq!(usual.deviations(), None, "there is no latest value");
        usual.take(Some(f64::NAN));
        assert_eq!(usual.deviations(), None);
    }
}
