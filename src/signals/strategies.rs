//! The one interface strategies have, and the two baselines that later models must beat.

use crate::domain::{Direction, SignalSource};
use crate::signals::as_of::CLEARLY_BELOW;
use crate::signals::{AsOf, Script, ScriptRef, Scripts, StrategySettings};
use crate::stats;

/// A view before it has an identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Thought {
    /// Which way.
    pub direction: Direction,
    /// How strong, in standard deviations.
    pub strength: f64,
    /// How many bars ahead.
    pub horizon_bars: u32,
    /// Why, with the numbers.
    pub rationale: String,
}

/// Something that may have a view when a bar closes. A pure function of history: no clock, no memory.
pub trait Strategy: Send {
    /// Whose scorecard its views go to.
    fn source(&self) -> SignalSource;

    /// Closes it needs; older ones do not change what it thinks.
    fn warm_up(&self) -> u32;

    /// A view on the instrument, or `None` to abstain.
    fn look(&self, as_of: &AsOf<'_>) -> Option<Thought>;

    /// The same, where a strategy of one's own can fail: why, in words. Who fails has no view.
    fn examine(&self, as_of: &AsOf<'_>) -> Result<Option<Thought>, String> {
        Ok(self.look(as_of))
    }
}

/// Time-series momentum: follows its own mean return when that is large against its noise
/// (Moskowitz, Ooi and Pedersen 2012, here with a t statistic as threshold).
#[derive(Debug, Clone, Copy)]
pub struct Momentum {
    /// Bars of the mean.
    pub bars: u32,
    /// t statistic from which there is a view.
    pub threshold: f64,
    /// Bars ahead.
    pub horizon: u32,
}

/// Short-term reversal: fades a move that is large against the usual one (Jegadeesh 1990).
#[derive(Debug, Clone, Copy)]
pub struct Reversal {
    /// Bars of the move.
    pub bars: u32,
    /// Size in standard deviations from which there is a view.
    pub threshold: f64,
    /// Bars ahead.
    pub horizon: u32,
}

/// Returns that measure the usual size of a move.
const USUAL_BARS: usize = 60;

/// The strategies of the configuration.
pub fn baselines(settings: &StrategySettings) -> Vec<Box<dyn Strategy>> {
    vec![
        Box::new(Momentum {
            bars: settings.momentum_bars,
            threshold: settings.momentum_threshold.to_f64(),
            horizon: settings.momentum_horizon,
        }),
        Box::new(Reversal {
            bars: settings.reversal_bars,
            threshold: settings.reversal_threshold.to_f64(),
            horizon: settings.reversal_horizon,
        }),
    ]
}

/// All strategies of a run: the baselines, then those of its scripts that are at hand with the very text.
pub fn strategies(settings: &StrategySettings, scripts: &Scripts, library: &[Script]) -> Vec<Box<dyn Strategy>> {
    let mut all = baselines(settings);
    let find = |wanted: ScriptRef| library.iter().find(|script| script.reference() == wanted);
    all.extend(scripts.iter().filter_map(find).map(|script| Box::new(script.clone()) as Box<dyn Strategy>));
    all
}

fn count(bars: u32) -> usize {
    usize::try_from(bars).unwrap_or(usize::MAX)
}

const fn direction_of(sign: f64) -> Direction {
    if sign >= 0.0 { Direction::Long } else { Direction::Short }
}

impl Strategy for Momentum {
    fn source(&self) -> SignalSource {
        SignalSource::BaselineMomentum
    }

    fn warm_up(&self) -> u32 {
        self.bars.saturating_add(1)
    }

    fn look(&self, as_of: &AsOf<'_>) -> Option<Thought> {
        let rough = as_of.rough_moments(count(self.bars), 0);
        let rough = rough.map(|rough| rough.mean / rough.deviation * libm::sqrt(f64::from(self.bars)));
        if rough.is_some_and(|statistic| statistic.abs() < CLEARLY_BELOW * self.threshold) {
            return None;
        }
        let returns = as_of.last_returns(count(self.bars))?;
        let statistic = stats::t_statistic(&returns)?;
        if statistic.abs() < self.threshold {
            return None;
        }
        let mean = stats::mean(&returns)?;
        Some(Thought {
            direction: direction_of(statistic),
            strength: statistic.abs(),
            horizon_bars: self.horizon,
            rationale: format!("mean return of {} bars {:+.3} % a bar, t = {statistic:+.2}", self.bars, mean * 100.0),
        })
    }
}

impl Strategy for Reversal {
    fn source(&self) -> SignalSource {
        SignalSource::BaselineReversal
    }

    fn warm_up(&self) -> u32 {
        self.bars.saturating_add(USUAL_BARS as u32 + 1)
    }

    fn look(&self, as_of: &AsOf<'_>) -> Option<Thought> {
        let bars = count(self.bars);
        let window = as_of.last(bars + 1)?;
        let moved = window.last()? / window.first()? - 1.0;
        let rough = as_of.rough_moments(USUAL_BARS, bars);
        let rough = rough.map(|rough| moved / (rough.deviation * libm::sqrt(f64::from(self.bars))));
        if rough.is_some_and(|size| size.abs() < CLEARLY_BELOW * self.threshold) {
            return None;
        }
        let before = as_of.last_returns(USUAL_BARS + bars)?;
        let usual = stats::standard_deviation(before.get(..USUAL_BARS)?)? * libm::sqrt(f64::from(self.bars));
        if usual <= 0.0 || (moved / usual).abs() < self.threshold {
            return None;
        }
        let size = moved / usual;
        Some(Thought {
            direction: direction_of(-size),
            strength: size.abs(),
            horizon_bars: self.horizon,
            rationale: format!("moved {:+.2} % in {} bars, {size:+.1} usual deviations", moved * 100.0, self.bars),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zigzag(length: usize, drift: f64) -> Vec<f64> {
        (0..length)
            .scan(100.0, |price, index| {
                *price *= 1.0 + drift + if index % 2 == 0 { 0.01 } else { -0.01 };
                Some(*price)
            })
            .collect()
    }

    #[test]
    fn momentum_follows_a_drift_and_abstains_from_noise() {
        let momentum = Momentum { bars: 60, threshold: 2.0, horizon: 20 };
        assert_eq!(momentum.look(&AsOf::new(&zigzag(61, 0.004))).unwrap().direction, Direction::Long);
        assert_eq!(momentum.look(&AsOf::new(&zigzag(61, -0.004))).unwrap().direction, Direction::Short);
        assert_eq!(momentum.look(&AsOf::new(&zigzag(61, 0.0))), None);
        assert_eq!(momentum.look(&AsOf::new(&zigzag(60, 0.004))), None);
    }

    #[test]
    fn reversal_fades_a_large_move_only() {
        let reversal = Reversal { bars: 5, threshold: 2.0, horizon: 5 };
        let mut closes = zigzag(70, 0.0);
        assert_eq!(reversal.look(&AsOf::new(&closes)), None);
        for close in closes.iter_mut().rev().take(3) {
            *close *= 0.9;
        }
        assert_eq!(reversal.look(&AsOf::new(&closes)).unwrap().direction, Direction::Long);
    }

    #[test]
    fn the_future_does_not_change_a_view() {
        let mut closes = zigzag(120, 0.002);
        let look = |closes: &[f64]| {
            let as_of = AsOf::new(closes.get(..100).unwrap());
            (
                Momentum { bars: 60, threshold: 0.1, horizon: 20 }.look(&as_of),
                Reversal { bars: 5, threshold: 0.1, horizon: 5 }.look(&as_of),
            )
        };
        let before = look(&closes);
        for close in closes.iter_mut().skip(100) {
            *close *= 3.0;
        }
        assert_eq!(look(&closes), before);
    }
}
