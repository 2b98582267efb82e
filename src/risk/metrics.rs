//! What a breaker can watch: for each metric its label, convention, unit, window, and when it can have changed.

use serde::{Deserialize, Serialize};

use crate::domain::Ratio;
use crate::risk::Scope;

/// What a breaker watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Fall from the highest equity.
    Drawdown,
    /// Loss since the risk day began.
    DailyLoss,
    /// Loss since the week began.
    WeeklyLoss,
    /// Annualised volatility of the account's daily results.
    AccountVolatility,
    /// Round trips in a row that lost.
    LosingStreak,
    /// An instrument's volatility against its own history.
    VolatilitySpike,
    /// Orders in a row that the broker rejected.
    RejectStreak,
    /// A source's share of right calls.
    ModelDecay,
    /// The share of right calls of the latest days, as it stands.
    CallsRight,
    /// Held instruments whose price is stale.
    StaleData,
    /// Orders whose fate is unknown.
    UnknownOrders,
    /// How much worse than the price on the screen market orders traded.
    Slippage,
    /// How long the broker takes to answer an order.
    Latency,
    /// A day's loss that one day in a hundred exceeds.
    ValueAtRisk,
    /// What is lost on average on the worst hundredth of days.
    ExpectedShortfall,
    /// The correlation of everything that may be traded, against its own history.
    CorrelationBreakdown,
    /// The share of expected bars that came whole, in order and plausible.
    DataQuality,
}

/// What a metric's value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, shown in percent.
    Share,
    /// A share that may exceed one, shown in percent.
    Percent,
    /// A whole number.
    Count,
    /// Robust deviations from the usual.
    Deviations,
    /// Seconds.
    Seconds,
}

/// What may have moved a metric's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Equity changed, or the risk day.
    Equity,
    /// A bar closed.
    Bar,
    /// Something was reported or asked for.
    Input,
    /// Time passed.
    Time,
    /// A call ended.
    Call,
    /// The risk day turned, or a bar closed: what is estimated then.
    Estimate,
}

impl Occasion {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Equity, Self::Bar, Self::Input, Self::Time, Self::Call, Self::Estimate];
}

impl Metric {
    /// All metrics, in the order in which gauges stand.
    pub const ALL: [Self; 17] = [
        Self::Drawdown,
        Self::DailyLoss,
        Self::WeeklyLoss,
        Self::AccountVolatility,
        Self::LosingStreak,
        Self::VolatilitySpike,
        Self::ModelDecay,
        Self::CallsRight,
        Self::RejectStreak,
        Self::UnknownOrders,
        Self::StaleData,
        Self::Slippage,
        Self::Latency,
        Self::ValueAtRisk,
        Self::ExpectedShortfall,
        Self::CorrelationBreakdown,
        Self::DataQuality,
    ];

    /// The label on screen.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Drawdown => "drawdown",
            Self::DailyLoss => "daily loss",
            Self::WeeklyLoss => "weekly loss",
            Self::AccountVolatility => "volatility",
            Self::LosingStreak => "loss streak",
            Self::VolatilitySpike => "vol. spike",
            Self::RejectStreak => "rejects",
            Self::ModelDecay => "calls right",
            Self::CallsRight => "right lately",
            Self::StaleData => "stale prices",
            Self::UnknownOrders => "unknown",
            Self::Slippage => "slippage",
            Self::Latency => "latency",
            Self::ValueAtRisk => "VaR 99 %",
            Self::ExpectedShortfall => "shortfall 99",
            Self::CorrelationBreakdown => "correlation",
            Self::DataQuality => "data quality",
        }
    }

    /// The convention behind the number, one line.
    pub const fn convention(self) -> &'static str {
        match self {
            Self::Drawdown => "1 − equity / highest equity since the account was opened",
            Self::DailyLoss => "1 − equity / equity at the start of the risk day (17:00 New York)",
            Self::WeeklyLoss => "1 − equity / equity at the start of the week (risk days Monday to Sunday)",
            Self::AccountVolatility => "standard deviation (n − 1) of the last 20 results by risk day × √252",
            Self::LosingStreak => "round trips in a row that lost after costs; one that won ends it",
            Self::VolatilitySpike => {
                "ln of 10-bar volatility against its last 250: (x − median) / 1.4826 MAD; the highest of all held"
            }
            Self::RejectStreak => "orders in a row that the broker rejected; one that it took ends it",
            Self::ModelDecay => "upper end of Wilson's 95 % interval of a source's latest calls; from 30 calls on; the lowest",
            Self::CallsRight => "share of a source's calls of the latest days that were right; from 30 calls on; the lowest",
            Self::StaleData => "held instruments without news for five bar periods, or that the feed is silent about",
            Self::UnknownOrders => "orders that were sent, and whose fate no answer has settled",
            Self::Slippage => {
                "mean loss of your latest market orders against the price at which they were confirmed, gaps included"
            }
            Self::Latency => "median wall time from a confirmed order to the broker's first answer, of the latest",
            Self::ValueAtRisk => {
                "one day of the book as it is / equity: its 1 % quantile on up to 500 days, or EWMA normal; the larger"
            }
            Self::ExpectedShortfall => {
                "one day of the book as it is / equity: mean of its worst 1 % of up to 500 days, or EWMA normal; the larger"
            }
            Self::CorrelationBreakdown => {
                "mean 20-day correlation of all that may be traded, Fisher's z against its last 250: |x − median| / 1.4826 MAD"
            }
            Self::DataQuality => {
                "share of an instrument's last 60 expected bars that came whole, in order and plausible; the lowest"
            }
        }
    }

    /// What the value is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Drawdown | Self::DailyLoss | Self::WeeklyLoss => Unit::Share,
            Self::ModelDecay | Self::CallsRight | Self::DataQuality => Unit::Share,
            Self::AccountVolatility | Self::Slippage | Self::ValueAtRisk | Self::ExpectedShortfall => Unit::Percent,
            Self::Latency => Unit::Seconds,
            Self::LosingStreak | Self::RejectStreak | Self::StaleData | Self::UnknownOrders => Unit::Count,
            Self::VolatilitySpike | Self::CorrelationBreakdown => Unit::Deviations,
        }
    }

    /// The fewest and the most that its window may hold, and what of; `None` where the metric has a window of its own.
    pub const fn window(self) -> Option<(u32, u32, &'static str)> {
        match self {
            Self::ModelDecay => Some((30, 250, "calls")),
            Self::CallsRight => Some((7, 90, "days")),
            Self::Slippage => Some((5, 100, "market orders")),
            Self::Latency => Some((5, 100, "orders")),
            Self::Drawdown | Self::DailyLoss | Self::WeeklyLoss | Self::AccountVolatility => None,
            Self::LosingStreak | Self::VolatilitySpike | Self::RejectStreak | Self::StaleData | Self::UnknownOrders => None,
            Self::ValueAtRisk | Self::ExpectedShortfall | Self::CorrelationBreakdown | Self::DataQuality => None,
        }
    }

    /// Whom a breaker on it may act on.
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::VolatilitySpike | Self::DataQuality => &[Scope::Instrument, Scope::Account],
            Self::ModelDecay | Self::CallsRight => &[Scope::Source, Scope::Account],
            Self::Drawdown | Self::DailyLoss | Self::WeeklyLoss | Self::AccountVolatility => &[Scope::Account],
            Self::LosingStreak | Self::RejectStreak | Self::StaleData | Self::UnknownOrders => &[Scope::Account],
            Self::Slippage | Self::Latency | Self::ValueAtRisk | Self::ExpectedShortfall => &[Scope::Account],
            Self::CorrelationBreakdown => &[Scope::Account],
        }
    }

    /// Whether the value can have changed on such an occasion.
    pub const fn moves_with(self, occasion: Occasion) -> bool {
        match self {
            Self::Drawdown | Self::DailyLoss | Self::WeeklyLoss | Self::AccountVolatility => matches!(occasion, Occasion::Equity),
            Self::VolatilitySpike | Self::DataQuality => matches!(occasion, Occasion::Bar),
            Self::LosingStreak | Self::RejectStreak | Self::Slippage | Self::Latency => matches!(occasion, Occasion::Input),
            Self::UnknownOrders | Self::StaleData => matches!(occasion, Occasion::Input | Occasion::Time),
            Self::ModelDecay | Self::CallsRight => matches!(occasion, Occasion::Call),
            Self::ValueAtRisk | Self::ExpectedShortfall | Self::CorrelationBreakdown => matches!(occasion, Occasion::Estimate),
        }
    }

    /// Whether the value counts something that begins anew when its breaker lets go.
    pub const fn is_streak(self) -> bool {
        match self {
            Self::LosingStreak | Self::RejectStreak | Self::Slippage | Self::Latency => true,
            Self::ModelDecay | Self::CallsRight => true,
            Self::Drawdown | Self::DailyLoss | Self::WeeklyLoss | Self::AccountVolatility => false,
            Self::VolatilitySpike | Self::StaleData | Self::UnknownOrders => false,
            Self::ValueAtRisk | Self::ExpectedShortfall | Self::CorrelationBreakdown | Self::DataQuality => false,
        }
    }

    /// Whether too little of it is what trips, instead of too much.
    pub const fn falls(self) -> bool {
        matches!(self, Self::ModelDecay | Self::CallsRight | Self::DataQuality)
    }

    /// Whether a value trips: it has reached the limit, or for a share of what is right, lies below it.
    pub fn is_beyond(self, value: Ratio, limit: Ratio) -> bool {
        if self.falls() { value < limit } else { value >= limit }
    }

    /// A value in words.
    pub fn shown(self, value: Ratio) -> String {
        match self.unit() {
            Unit::Share | Unit::Percent => format!("{value:.2} %"),
            Unit::Count => format!("{:.0}", value.to_f64()),
            Unit::Deviations => format!("{:.1}", value.to_f64()),
            Unit::Seconds => format!("{:.2} s", value.to_f64()),
        }
    }
}

impl Unit {
    /// Whether a limit is possible in this unit.
    pub const fn takes(self, limit: Ratio) -> bool {
        let (nanos, one) = (limit.nanos(), Ratio::ONE.nanos());
        match self {
            Self::Share => nanos > 0 && nanos <= one,
            Self::Percent | Self::Deviations | Self::Seconds => nanos > 0,
            Self::Count => nanos >= one && nanos % one == 0,
        }
    }

    /// The last digit that is shown of a value.
    pub const fn shown_to(self) -> Ratio {
        match self {
            Self::Share | Self::Percent => Ratio::from_nanos(100_000),
            Self::Count => Ratio::ONE,
            Self::Deviations => Ratio::from_nanos(100_000_000),
            Self::Seconds => Ratio::from_nanos(10_000_000),
        }
    }

    /// What a limit in this unit must be.
    pub const fn demand(self) -> &'static str {
        match self {
            Self::Share => "a share above 0 and at most 1; 0.02 is two percent",
            Self::Percent => "a share above 0; 0.4 is forty percent",
            Self::Count => "a whole number from 1 on",
            Self::Deviations => "a number of deviations above 0",
            Self::Seconds => "a number of seconds above 0",
        }
    }
}
