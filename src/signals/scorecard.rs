//! What a source earned so far, after cost.

use serde::{Deserialize, Serialize};

use crate::domain::Ratio;
use crate::stats::{self, Interval};

/// Running record of one source. Mean and variance by Welford's update (Technometrics 4, 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    outcomes: u64,
    hits: u64,
    mean: f64,
    squares: f64,
}

impl Scorecard {
    /// Adds an outcome.
    pub fn add(&mut self, net_return: Ratio) {
        let value = net_return.to_f64();
        self.outcomes += 1;
        self.hits += u64::from(value > 0.0);
        let distance = value - self.mean;
        self.mean += distance / self.outcomes as f64;
        self.squares += distance * (value - self.mean);
    }

    /// How many outcomes. Horizons overlap, so they are fewer independent ones.
    pub const fn outcomes(&self) -> u64 {
        self.outcomes
    }

    /// Share of outcomes above zero after cost; `None` without outcomes.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.outcomes > 0).then(|| self.hits as f64 / self.outcomes as f64)
    }

    /// Wilson's 95 % interval of the hit rate.
    pub fn hit_interval(&self) -> Option<Interval> {
        stats::wilson_95(self.hits, self.outcomes)
    }

    /// Mean net return per signal; `None` without outcomes.
    pub fn expectancy(&self) -> Option<f64> {
        (self.outcomes > 0).then_some(self.mean)
    }

    /// 95 % interval of the mean net return by Student's t; too narrow where horizons overlap.
    pub fn expectancy_interval(&self) -> Option<Interval> {
        if self.outcomes < 2 {
            return None;
        }
        let count = self.outcomes as f64;
        let error = libm::sqrt(self.squares / (count - 1.0) / count);
        let half = stats::student_t_975(self.outcomes - 1) * error;
        Some(Interval { low: self.mean - half, high: self.mean + half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_interval_equals_the_one_from_all_values() {
        let values = [0.01, -0.02, 0.005, 0.03, -0.011, 0.0, 0.002];
        let mut card = Scorecard::default();
        for value in values {
            card.add(Ratio::from_f64(value).unwrap());
        }
        let whole = stats::mean_interval_95(&values).unwrap();
        let running = card.expectancy_interval().unwrap();
        assert!((whole.low - running.low).abs() < 1e-9 && (whole.high - running.high).abs() < 1e-9);
        assert_eq!(card.hit_rate(), Some(4.0 / 7.0));
    }
}
