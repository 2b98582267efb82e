//! What a strategy sees: history as it stood when a bar closed, and the closes that it is a view of.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::stats;

/// Closes kept for statistics; the oldest are dropped in one go at twice as many.
const KEPT: usize = 640;
/// A window whose squares are a smaller part than this of all that were summed up has no rough moments: rounding would tell.
const LEAST_PART: f64 = 1e-6;

/// The part of a threshold below which rough moments settle that it is not reached: they are good to about eight digits.
pub const CLEARLY_BELOW: f64 = 0.999;

/// The latest closes of a series with what follows from them. Its text is the list of closes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<f64>", into = "Vec<f64>")]
pub struct Closes {
    closes: Vec<f64>,
    /// Each close's simple return from the one before; of the first there is none, and 0 stands there.
    returns: Vec<f64>,
    /// Running sums of the returns and of their squares.
    sums: Vec<[f64; 2]>,
}

/// History as it stood when a bar closed. There is no way to look past its end.
#[derive(Debug, Clone, Copy)]
pub struct AsOf<'a> {
    closes: &'a [f64],
    known: Option<&'a Closes>,
}

/// Mean and standard deviation (n − 1) of a window of returns, from running sums: good enough to see that nothing stands out, to about
/// eight digits, and too rough to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoughMoments {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

impl Closes {
    /// Takes the next close.
    pub fn push(&mut self, close: f64) {
        if self.closes.len() >= 2 * KEPT {
            self.closes.drain(..KEPT);
            self.returns.drain(..KEPT);
            self.sums.drain(..KEPT);
        }
        let change = self.closes.last().map_or(0.0, |before| close / before - 1.0);
        let [sum, squares] = self.sums.last().copied().unwrap_or_default();
        self.closes.push(close);
        self.returns.push(change);
        self.sums.push([sum + change, squares + change * change]);
    }

    /// History that ends with the latest of them.
    pub fn as_of(&self) -> AsOf<'_> {
        AsOf { closes: &self.closes, known: Some(self) }
    }
}

impl From<Vec<f64>> for Closes {
    fn from(closes: Vec<f64>) -> Self {
        let mut made = Self::default();
        closes.into_iter().for_each(|close| made.push(close));
        made
    }
}

impl From<Closes> for Vec<f64> {
    fn from(closes: Closes) -> Self {
        closes.closes
    }
}

impl<'a> AsOf<'a> {
    /// History that ends with the latest closed bar, oldest close first.
    pub const fn new(closes: &'a [f64]) -> Self {
        Self { closes, known: None }
    }

    /// All closes at hand.
    pub const fn closes(&self) -> &'a [f64] {
        self.closes
    }

    /// The last `count` closes; `None` while there are fewer.
    pub fn last(&self, count: usize) -> Option<&'a [f64]> {
        self.closes.len().checked_sub(count).and_then(|from| self.closes.get(from..))
    }

    /// The last `count` simple returns; `None` while there are fewer.
    pub fn last_returns(&self, count: usize) -> Option<Cow<'a, [f64]>> {
        let closes = self.last(count + 1)?;
        match self.known {
            Some(Closes { returns, .. }) => {
                returns.len().checked_sub(count).and_then(|from| returns.get(from..)).map(Cow::Borrowed)
            }
            None => Some(Cow::Owned(stats::returns(closes))),
        }
    }

    /// Rough moments of `count` returns that end `back` returns before the latest; `None` while there are fewer, or where only exact
    /// ones say anything.
    pub fn rough_moments(&self, count: usize, back: usize) -> Option<RoughMoments> {
        let sums = &self.known?.sums;
        let end = sums.len().checked_sub(back + 1)?;
        let ([from, from_squares], [to, to_squares]) = (*sums.get(end.checked_sub(count)?)?, *sums.get(end)?);
        let (sum, squares, length) = (to - from, to_squares - from_squares, count as f64);
        let spread = squares - sum * sum / length;
        let tells = count > 1 && spread > LEAST_PART * squares && squares > LEAST_PART * to_squares;
        tells.then(|| RoughMoments { mean: sum / length, deviation: libm::sqrt(spread / (length - 1.0)) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signals::{Momentum, Reversal, Strategy, is_ordinary, last_deviations};

    fn closes(moves: &[f64]) -> Vec<f64> {
        moves.iter().scan(100.0, |price, change| Some(std::mem::replace(price, *price * (1.0 + change)))).collect()
    }

    proptest! {
        /// What is kept beside the closes changes no thought: not near a threshold, in calm or storm, nor after the oldest were dropped.
        #[test]
        fn what_follows_from_closes_changes_no_thought(
            moves in prop::collection::vec(-0.03..0.03_f64, 70..200), drift in -0.004..0.004_f64, quiet in 0..1_400_usize,
        ) {
            let calm = (0..quiet).map(|bar| if bar % 2 == 0 { 0.0001 } else { -0.0001 });
            let all: Vec<f64> = calm.chain(moves.iter().map(|change| change + drift)).collect();
            let prices = closes(&all);
            let kept = Closes::from(prices);
            let (known, bare) = (kept.as_of(), AsOf::new(&kept.closes));
            let momentum = Momentum { bars: 60, threshold: 2.0, horizon: 20 };
            let reversal = Reversal { bars: 5, threshold: 2.0, horizon: 5 };
            prop_assert_eq!(momentum.look(&known), momentum.look(&bare));
            prop_assert_eq!(reversal.look(&known), reversal.look(&bare));
            prop_assert_eq!(last_deviations(&known), last_deviations(&bare));
            let deviations = last_deviations(&bare).map_or(0.0, f64::abs);
            for line in [0.5, 1.5, deviations * 0.9995, deviations * 1.0005, deviations * 1.01] {
                let (said, exact) = (is_ordinary(&known, line), deviations < line);
                prop_assert!(!said || exact, "{deviations} is not below {line}");
                prop_assert!(said || deviations > 0.99 * line, "{deviations} is far below {line}");
            }
            prop_assert_eq!(known.last_returns(61).unwrap(), bare.last_returns(61).unwrap());
            let exact = known.last_returns(60).unwrap();
            if let Some(rough) = known.rough_moments(60, 0) {
                let deviation = stats::standard_deviation(&exact).unwrap();
                prop_assert!((rough.deviation / deviation - 1.0).abs() < 1e-8, "{} {deviation}", rough.deviation);
            }
        }
    }

    #[test]
    fn prices_that_stand_still_have_no_rough_moments() {
        let kept = Closes::from(vec![100.0; 90]);
        assert_eq!(kept.as_of().rough_moments(60, 0), None);
        let text = serde_json::to_string(&Closes::from(vec![100.0, 101.0])).unwrap();
        assert_eq!(text, "[100.0,101.0]", "the state's text is the closes");
    }
}
