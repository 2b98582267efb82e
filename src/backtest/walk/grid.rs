//! The parameters that are tried: few, round, and written down here before anything was looked at.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::Ratio;
use crate::signals::StrategySettings;

/// No move reaches it: the rule that is not tried says nothing.
const SILENT: Ratio = Ratio::from_nanos(1_000_000_000_000_000);

/// Which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Follows its own mean return.
    Momentum,
    /// Fades a large move.
    Reversal,
}

/// One rule with its parameters; the other rule is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub rule: Rule,
    /// Bars looked back on.
    pub bars: u32,
    /// From which it has a view.
    pub threshold: Ratio,
    /// Bars ahead, and holding time.
    pub horizon: u32,
}

impl Rule {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Momentum => "momentum",
            Self::Reversal => "reversal",
        }
    }
}

impl Candidate {
    /// The settings that make the engine speak with this rule only.
    pub fn settings(self) -> StrategySettings {
        let Self { rule, bars, threshold, horizon } = self;
        let (momentum, reversal) = match rule {
            Rule::Momentum => (threshold, SILENT),
            Rule::Reversal => (SILENT, threshold),
        };
        StrategySettings {
            momentum_bars: bars,
            momentum_threshold: momentum,
            momentum_horizon: horizon,
            reversal_bars: bars,
            reversal_threshold: reversal,
            reversal_horizon: horizon,
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, bars, threshold, horizon } = self;
        formatter.pad(&format!("{} {bars}/{:.1}/{horizon}", rule.word(), threshold.to_f64()))
    }
}

impl Serialize for Candidate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Every combination of a month, a quarter and half a year of momentum, of two, five and ten days of reversal, two thresholds (layer 1 refuses
/// lower ones) and two horizons each: 24 in all, the simpler ones first, which is how ties are broken.
pub fn small_grid() -> Vec<Candidate> {
    let mut grid = Vec::new();
    for (rule, lengths, horizons) in [(Rule::Momentum, [20, 60, 120], [10, 20]), (Rule::Reversal, [2, 5, 10], [5, 10])] {
        for bars in lengths {
            for horizon in horizons {
                for tenths in [20, 25] {
                    let threshold = Ratio::from_nanos(tenths * 100_000_000);
                    grid.push(Candidate { rule, bars, threshold, horizon });
                }
            }
        }
    }
    grid
}
