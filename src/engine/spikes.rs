//! How unusual an instrument's volatility is, measured against its own history. Follows from closed bars alone.

use std::collections::VecDeque;

use crate::engine::usual::Usual;

/// Returns of the volatility that is looked at.
const SHORT: usize = 10;

/// The logarithm of the root mean square of the last ten log returns, in robust deviations from the median of the latest 250 such values
/// that share no return with it. Memory and work per bar do not grow with history.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spikes {
    close: Option<f64>,
    squares: VecDeque<f64>,
    level: Usual,
}

impl Default for Spikes {
    fn default() -> Self {
        Self { close: None, squares: VecDeque::new(), level: Usual::new(SHORT) }
    }
}

impl Spikes {
    /// The next bar goes on from this price instead of from the last close: it is of another source, and the step between the two is none.
    pub(super) const fn begin_at(&mut self, price: f64) {
        if self.close.is_some() {
            self.close = Some(price);
        }
    }

    /// Takes the close of a bar.
    pub(super) fn on_close(&mut self, close: f64) {
        let before = self.close.replace(close);
        let change = before.map(|before| libm::log(close / before)).filter(|change| change.is_finite());
        if let Some(change) = change {
            self.squares.push_back(change * change);
            if self.squares.len() > SHORT {
                self.squares.pop_front();
            }
        }
        let is_full = change.is_some() && self.squares.len() == SHORT;
        // Ten bars without any move have no logarithm.
        self.level.take(is_full.then(|| 0.5 * libm::log(self.squares.iter().sum::<f64>() / SHORT as f64)));
    }

    /// Whether the latest value may lie above its median: where it does not, nothing spikes.
    pub(super) fn may_be_high(&self) -> bool {
        self.level.may_be_high()
    }

    /// Robust deviations of the latest value; `None` while history is short, or where nothing moves.
    pub(super) fn deviations(&self) -> Option<f64> {
        self.level.deviations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bars whose moves have these sizes, with signs and sizes that vary a little.
    fn after(sizes: impl Iterator<Item = f64>) -> Spikes {
        let (mut spikes, mut close, mut state) = (Spikes::default(), 100.0, 1_u64);
        for size in sizes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            close *= 1.0 + size * ((state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0);
            spikes.on_close(close);
        }
        spikes
    }

    #[test]
    fn a_storm_stands_out_and_calm_does_not() {
        let calm = after((0..400).map(|_| 0.01));
        assert!(calm.deviations().unwrap().abs() < 3.5, "{calm:?}");
        let storm = after((0..410).map(|bar| if bar < 400 { 0.01 } else { 0.06 }));
        assert!(storm.deviations().unwrap() > 6.0, "{:?}", storm.deviations());
    }

    #[test]
    fn a_step_between_two_sources_is_no_move_and_the_same_step_within_one_is() {
        let step = |is_spliced: bool| {
            let mut spikes = after((0..400).map(|_| 0.001));
            let last = spikes.close.unwrap() * 1.015;
            if is_spliced {
                spikes.begin_at(last);
            }
            spikes.on_close(last * 1.0005);
            spikes.deviations().unwrap()
        };
        assert!(step(true).abs() < 3.5 && step(false) > 4.0, "{} {}", step(true), step(false));
    }

    #[test]
    fn history_is_needed() {
        assert_eq!(after((0..75).map(|_| 0.01)).deviations(), None);
        assert!(after((0..90).map(|_| 0.01)).deviations().is_some());
    }

    #[test]
    fn prices_that_stand_still_or_are_none_have_no_volatility() {
        let mut spikes = after((0..300).map(|_| 0.01));
        let last = spikes.close.unwrap();
        for _ in 0..12 {
            spikes.on_close(last);
        }
        assert_eq!(spikes.deviations(), None);
        spikes.on_close(0.0);
        spikes.on_close(1.0);
        assert_eq!(spikes.deviations(), None);
    }
}
