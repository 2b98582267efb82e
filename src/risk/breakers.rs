//! Trading breakers: latched limits that change the trading state by themselves.

use serde::{Deserialize, Serialize};

use crate::domain::{Ratio, TradingState};
use crate::portfolio::Performance;
use crate::risk::Limits;

/// What a breaker watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerKind {
    /// Drawdown reached the warning line.
    DrawdownWarning,
    /// Drawdown reached the acting line.
    Drawdown,
    /// The day's loss reached its limit.
    DailyLoss,
    /// The week's loss reached its limit.
    WeeklyLoss,
    /// The account's volatility reached its warning line.
    VolatilityWarning,
}

/// One breaker: a metric, its limit, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// What it watches.
    pub kind: BreakerKind,
    /// The value that trips it.
    pub limit: Ratio,
    /// The trading state it forces; `None` only warns.
    pub forces: Option<TradingState>,
}

/// A breaker that has tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Which.
    pub kind: BreakerKind,
    /// The value that tripped it.
    pub value: Ratio,
    /// The limit in force then.
    pub limit: Ratio,
    /// The trading state it forces.
    pub forces: Option<TradingState>,
}

/// The breakers that are latched now. At a turn of the risk day those let go whose value is below their line again (drawdown: below its warning);
/// the trading state they forced stays until a person re-arms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakers {
    latched: Vec<Trip>,
}

impl BreakerKind {
    /// What a person reads.
    pub const fn words(self) -> &'static str {
        match self {
            Self::DrawdownWarning => "drawdown warning",
            Self::Drawdown => "drawdown limit",
            Self::DailyLoss => "daily loss limit",
            Self::WeeklyLoss => "weekly loss limit",
            Self::VolatilityWarning => "volatility warning",
        }
    }
}

impl Breakers {
    /// The breakers of the configuration.
    pub fn table(limits: &Limits) -> [Breaker; 5] {
        let breaker = |kind, limit, forces| Breaker { kind, limit, forces };
        [
            breaker(BreakerKind::DrawdownWarning, limits.drawdown_warn, None),
            breaker(BreakerKind::Drawdown, limits.drawdown_act, Some(TradingState::Reducing)),
            breaker(BreakerKind::DailyLoss, limits.daily_loss, Some(TradingState::Reducing)),
            breaker(BreakerKind::WeeklyLoss, limits.weekly_loss, Some(TradingState::Reducing)),
            breaker(BreakerKind::VolatilityWarning, limits.volatility_warn, None),
        ]
    }

    /// Breakers that trip now and are not latched yet.
    pub fn newly_tripped<'a>(&'a self, performance: &'a Performance, limits: &Limits) -> impl Iterator<Item = Trip> + 'a {
        Self::table(limits).into_iter().filter_map(move |breaker| {
            let value = match breaker.kind {
                BreakerKind::DrawdownWarning | BreakerKind::Drawdown => performance.drawdown(),
                BreakerKind::DailyLoss => performance.daily_loss(),
                BreakerKind::WeeklyLoss => performance.weekly_loss(),
                BreakerKind::VolatilityWarning => performance.volatility(),
            }?;
            let trips = value >= breaker.limit && !self.is_latched(breaker.kind);
            trips.then_some(Trip { kind: breaker.kind, value, limit: breaker.limit, forces: breaker.forces })
        })
    }

    /// Latches a breaker.
    pub fn latch(&mut self, trip: Trip) {
        if !self.is_latched(trip.kind) {
            self.latched.push(trip);
        }
    }

    /// Lets go of a breaker.
    pub fn release(&mut self, kind: BreakerKind) {
        self.latched.retain(|trip| trip.kind != kind);
    }

    /// Whether this breaker is latched.
    pub fn is_latched(&self, kind: BreakerKind) -> bool {
        self.latched.iter().any(|trip| trip.kind == kind)
    }

    /// What is latched.
    pub fn latched(&self) -> &[Trip] {
        &self.latched
    }
}
