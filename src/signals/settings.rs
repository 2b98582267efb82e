//! Settings of strategies and gates, as `config/pmax.toml` states them.

use serde::{Deserialize, Serialize};

use crate::domain::{Ratio, Stage};

/// `[strategies]`: the baselines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategySettings {
    /// Bars over which the momentum baseline measures the mean return.
    pub momentum_bars: u32,
    /// t statistic of that mean from which it has a view.
    pub momentum_threshold: Ratio,
    /// Bars it looks ahead.
    pub momentum_horizon: u32,
    /// Bars of the move the reversal baseline fades.
    pub reversal_bars: u32,
    /// Size of the move, in its own standard deviations, from which it has a view.
    pub reversal_threshold: Ratio,
    /// Bars it looks ahead.
    pub reversal_horizon: u32,
}

/// `[gates]`: thresholds of the five layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Layer 1: strength below this refuses.
    pub minimum_strength: Ratio,
    /// Layer 2: current volatility above this percentile of its own history warns.
    pub volatility_percentile_warn: Ratio,
    /// Layer 2: and above this one refuses.
    pub volatility_percentile_fail: Ratio,
    /// Layer 3: annualised volatility above this refuses.
    pub max_volatility: Ratio,
    /// Layer 3: loss at the stop, as a share of equity, above this refuses.
    pub max_loss_at_stop: Ratio,
    /// Layer 4: correlation with a held instrument above this warns.
    pub correlation_warn: Ratio,
    /// Layer 4: and above this refuses.
    pub correlation_fail: Ratio,
    /// Layer 5: outcomes that follow one another, needed before a record counts at all.
    pub proven_after: u32,
    /// Distance of the stop, in standard deviations over the horizon.
    pub stop_deviations: Ratio,
    /// Distance of the target, in standard deviations over the horizon.
    pub target_deviations: Ratio,
    /// Share of equity for a trade whose source is not proven.
    pub exploratory_size: Ratio,
    /// Seconds a proposal waits for a person, in wall time.
    pub proposal_seconds: u32,
    /// Proposals that may wait at once.
    pub max_proposals: u32,
}

/// `[evidence]` of `config/gates.toml`: what a record must reach. Sizes and stages depend on the gates of the stages, nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanGates {
    /// More than this share of the calls of the last days is right.
    pub calls_right: Ratio,
    /// How many days that are.
    pub calls_days: u32,
    /// More than this share of the signals passes all layers.
    pub layers_passed: Ratio,
    /// More than so many round trips.
    pub paper_trades: u32,
    /// The account's Sharpe ratio is above this.
    pub paper_sharpe: Ratio,
    /// Its deepest fall is below this.
    pub paper_drawdown: Ratio,
    /// Calls right before the first step up in capital.
    pub stage_first: Ratio,
    /// Before the second.
    pub stage_second: Ratio,
    /// Before the third.
    pub stage_third: Ratio,
    /// Fewer calls right than this: no new orders.
    pub stop_below: Ratio,
}

impl PlanGates {
    /// The gate of a stage: it sizes trades there and opens the next. The last stage keeps that by which it was entered.
    pub const fn of_stage(&self, stage: Stage) -> Ratio {
        match stage {
            Stage::First => self.stage_first,
            Stage::Second => self.stage_second,
            Stage::Third | Stage::Fourth => self.stage_third,
        }
    }
}
