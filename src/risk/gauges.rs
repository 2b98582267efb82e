//! Gauges: each limit's value, the limit, and what is left.

use serde::{Deserialize, Serialize};

use crate::domain::{Money, Ratio};
use crate::portfolio::Performance;
use crate::risk::Limits;

/// What a gauge shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GaugeKind {
    /// Fall from the highest equity.
    Drawdown,
    /// Loss since 17:00 New York.
    DailyLoss,
    /// Loss since the week began.
    WeeklyLoss,
    /// Sum of all positions.
    Gross,
    /// The largest position.
    Largest,
    /// Annualised volatility of 20 daily results (n − 1, √252).
    Volatility,
    /// Opening orders of the risk day.
    Trades,
}

/// One gauge. `value` is `None` where it is undefined (shown as `n/a`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// What it shows.
    pub kind: GaugeKind,
    /// The value; a share of equity, or a count for trades.
    pub value: Option<Ratio>,
    /// The line that warns, where there is one before the limit.
    pub warn: Option<Ratio>,
    /// The limit.
    pub limit: Ratio,
}

impl GaugeKind {
    /// The label on screen.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Drawdown => "drawdown",
            Self::DailyLoss => "daily loss",
            Self::WeeklyLoss => "weekly loss",
            Self::Gross => "gross",
            Self::Largest => "largest pos",
            Self::Volatility => "volatility",
            Self::Trades => "trades today",
        }
    }

    /// The convention behind the number, one line.
    pub const fn convention(self) -> &'static str {
        match self {
            Self::Drawdown => "1 − equity / highest equity since the account was opened",
            Self::DailyLoss => "1 − equity / equity at the start of the risk day (17:00 New York)",
            Self::WeeklyLoss => "1 − equity / equity at the start of the week (risk days Monday to Sunday)",
            Self::Gross => "sum of |quantity × last price| / equity",
            Self::Largest => "largest |quantity × last price| of one instrument / equity",
            Self::Volatility => "standard deviation (n − 1) of the last 20 results by risk day × √252",
            Self::Trades => "opening orders sent since 17:00 New York",
        }
    }
}

impl Gauge {
    /// How much of the limit is used, `1.0` at the limit; `None` where the value is undefined.
    pub fn used(&self) -> Option<f64> {
        let limit = self.limit.to_f64();
        self.value.filter(|_| limit > 0.0).map(|value| (value.to_f64() / limit).max(0.0))
    }
}

/// All gauges of the account.
pub fn gauges(performance: &Performance, gross: Money, largest: Money, trades_today: u32, limits: &Limits) -> Vec<Gauge> {
    let equity = performance.equity();
    let loss = |value: Option<Ratio>| value.map(|value| value.max(Ratio::ZERO));
    let count = |trades: u32| Ratio::of(i128::from(trades), 1);
    let gauge = |kind, value, limit| Gauge { kind, value, warn: None, limit };
    vec![
        Gauge {
            kind: GaugeKind::Drawdown,
            value: performance.drawdown(),
            warn: Some(limits.drawdown_warn),
            limit: limits.drawdown_act,
        },
        gauge(GaugeKind::DailyLoss, loss(performance.daily_loss()), limits.daily_loss),
        gauge(GaugeKind::WeeklyLoss, loss(performance.weekly_loss()), limits.weekly_loss),
        gauge(GaugeKind::Gross, gross.ratio_to(equity), limits.max_gross),
        gauge(GaugeKind::Largest, largest.ratio_to(equity), limits.max_ticket_position),
        gauge(GaugeKind::Volatility, performance.volatility(), limits.volatility_warn),
        gauge(GaugeKind::Trades, count(trades_today), count(limits.trades_per_day).unwrap_or(Ratio::ONE)),
    ]
}
