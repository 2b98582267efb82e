//! The parameters that are tried: few, round, and written down here before anything was looked at.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::backtest::alone::speak_alone;
use crate::domain::{Ratio, ScriptName, SignalSource};
use crate::engine::Setup;
use crate::signals::{Script, Strategy};

/// Which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Follows its own mean return.
    Momentum,
    /// Fades a large move.
    Reversal,
    /// A strategy of one's own, as its file has it.
    Script(ScriptName),
}

/// One rule with its parameters; every other rule is silent.
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
    /// Who speaks.
    pub const fn source(self) -> SignalSource {
        match self {
            Self::Momentum => SignalSource::BaselineMomentum,
            Self::Reversal => SignalSource::BaselineReversal,
            Self::Script(name) => SignalSource::Script(name),
        }
    }
}

impl Candidate {
    /// Lets the engine speak with this rule only.
    pub fn apply(self, setup: &mut Setup) {
        let Self { rule, bars, threshold, horizon } = self;
        let strategies = &mut setup.settings.strategies;
        match rule {
            Rule::Momentum => {
                (strategies.momentum_bars, strategies.momentum_threshold, strategies.momentum_horizon) =
                    (bars, threshold, horizon);
            }
            Rule::Reversal => {
                (strategies.reversal_bars, strategies.reversal_threshold, strategies.reversal_horizon) =
                    (bars, threshold, horizon);
            }
            Rule::Script(_) => {}
        }
        speak_alone(setup, rule.source());
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, bars, threshold, horizon } = self;
        match rule {
            Rule::Momentum => formatter.pad(&format!("momentum {bars}/{:.1}/{horizon}", threshold.to_f64())),
            Rule::Reversal => formatter.pad(&format!("reversal {bars}/{:.1}/{horizon}", threshold.to_f64())),
            Rule::Script(name) => formatter.pad(&format!("script {name} {bars}/{horizon}")),
        }
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

/// One candidate for each strategy of one's own: it has no parameters that could be tried.
pub fn own_rules(library: &[Script]) -> Vec<Candidate> {
    let of = |script: &Script| Candidate {
        rule: Rule::Script(script.reference().name),
        bars: script.warm_up(),
        threshold: Ratio::ZERO,
        horizon: script.horizon(),
    };
    library.iter().map(of).collect()
}
