//! Gauges: each limit's value, the limit, and what is left.

use serde::{Deserialize, Serialize};

use crate::domain::{Money, Ratio};
use crate::risk::{Action, Breakers, Hold, Limits, Metric, Rule, Rules, Unit};

/// What a gauge shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GaugeKind {
    /// What breakers watch.
    Breaker(Metric),
    /// Sum of all positions.
    Gross,
    /// The largest position.
    Largest,
    /// Opening orders of the risk day.
    Trades,
}

/// One gauge. `value` is `None` where it is undefined (shown as `n/a`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// What it shows.
    pub kind: GaugeKind,
    /// The value, in the unit of the gauge.
    pub value: Option<Ratio>,
    /// The line that warns, where there is one before the limit.
    pub warn: Option<Ratio>,
    /// The limit: of a metric that several breakers watch, that of the one which does most.
    pub limit: Ratio,
    /// How its breakers hold; [`Hold::Free`] for what has none.
    pub hold: Hold,
    /// The value at the end of the last risk day; `None` before there was one, or where it was undefined.
    pub before: Option<Ratio>,
}

/// Where what is left to a limit went since the end of the last risk day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    /// There is less left.
    Shrinking,
    /// As much, to the digits that are shown.
    Steady,
    /// There is more left.
    Growing,
}

/// What gauges beside the breakers show.
#[derive(Debug, Clone, Copy)]
pub struct Exposures {
    /// Equity now.
    pub equity: Money,
    /// Sum of |quantity × last price|.
    pub gross: Money,
    /// The largest of one instrument.
    pub largest: Money,
    /// Opening orders of the risk day.
    pub trades_today: u32,
}

/// Gauges in the order in which they stand.
const ORDER: [GaugeKind; 20] = [
    GaugeKind::Breaker(Metric::Drawdown),
    GaugeKind::Breaker(Metric::DailyLoss),
    GaugeKind::Breaker(Metric::WeeklyLoss),
    GaugeKind::Gross,
    GaugeKind::Largest,
    GaugeKind::Breaker(Metric::AccountVolatility),
    GaugeKind::Breaker(Metric::ValueAtRisk),
    GaugeKind::Breaker(Metric::ExpectedShortfall),
    GaugeKind::Trades,
    GaugeKind::Breaker(Metric::LosingStreak),
    GaugeKind::Breaker(Metric::VolatilitySpike),
    GaugeKind::Breaker(Metric::CorrelationBreakdown),
    GaugeKind::Breaker(Metric::ModelDecay),
    GaugeKind::Breaker(Metric::CallsRight),
    GaugeKind::Breaker(Metric::RejectStreak),
    GaugeKind::Breaker(Metric::UnknownOrders),
    GaugeKind::Breaker(Metric::StaleData),
    GaugeKind::Breaker(Metric::DataQuality),
    GaugeKind::Breaker(Metric::Slippage),
    GaugeKind::Breaker(Metric::Latency),
];

impl GaugeKind {
    /// The label on screen.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Breaker(metric) => metric.label(),
            Self::Gross => "gross",
            Self::Largest => "largest pos",
            Self::Trades => "trades today",
        }
    }

    /// The convention behind the number, one line.
    pub const fn convention(self) -> &'static str {
        match self {
            Self::Breaker(metric) => metric.convention(),
            Self::Gross => "sum of |quantity × last price| / equity",
            Self::Largest => "largest |quantity × last price| of one instrument / equity",
            Self::Trades => "opening orders sent since 17:00 New York",
        }
    }

    /// What the value is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Breaker(metric) => metric.unit(),
            Self::Gross | Self::Largest => Unit::Percent,
            Self::Trades => Unit::Count,
        }
    }

    /// The value at which nothing of the limit is used, where that is not zero.
    const fn best(self) -> Option<Ratio> {
        match self {
            Self::Breaker(Metric::DataQuality) => Some(Ratio::ONE),
            Self::Breaker(_) | Self::Gross | Self::Largest | Self::Trades => None,
        }
    }

    /// Whether too little of it is what its limit is about.
    pub const fn falls(self) -> bool {
        match self {
            Self::Breaker(metric) => metric.falls(),
            Self::Gross | Self::Largest | Self::Trades => false,
        }
    }
}

impl Gauge {
    /// How much of the limit is used, `1.0` at the limit; `None` where the value is undefined.
    pub fn used(&self) -> Option<f64> {
        let (value, limit) = (self.value?.to_f64(), self.limit.to_f64());
        let (part, whole) = match self.kind.best() {
            Some(best) => (best.to_f64() - value, best.to_f64() - limit),
            None if self.kind.falls() => (limit, value),
            None => (value, limit),
        };
        (whole > 0.0).then(|| (part / whole).max(0.0))
    }

    /// Where what is left to the limit goes; `None` while either end is undefined.
    pub fn trend(&self) -> Option<Trend> {
        let (now, before) = (self.value?.nanos(), self.before?.nanos());
        let used_up = if self.kind.falls() { before.saturating_sub(now) } else { now.saturating_sub(before) };
        let shown = self.kind.unit().shown_to().nanos();
        Some(match used_up {
            _ if used_up.abs() < shown => Trend::Steady,
            _ if used_up > 0 => Trend::Shrinking,
            _ => Trend::Growing,
        })
    }

    /// What is left to the limit, in the unit of the gauge; negative beyond it.
    pub fn headroom(&self) -> Option<Ratio> {
        let (value, limit) = (self.value?.nanos(), self.limit.nanos());
        Some(Ratio::from_nanos(if self.kind.falls() { value.saturating_sub(limit) } else { limit.saturating_sub(value) }))
    }
}

/// All gauges of the account, without what they were before; `measure` gives the value of a row of the table.
pub fn gauges(
    rules: &Rules,
    limits: &Limits,
    breakers: &Breakers,
    exposures: &Exposures,
    measure: impl Fn(&Rule) -> Option<Ratio>,
) -> Vec<Gauge> {
    let count = |trades: u32| Ratio::of(i128::from(trades), 1);
    let plain = |kind, value, limit| Some(Gauge { kind, value, warn: None, limit, hold: Hold::Free, before: None });
    let equity = exposures.equity;
    let gauge = |kind: GaugeKind| match kind {
        GaugeKind::Breaker(metric) => of_metric(metric, rules, limits, breakers, &measure),
        GaugeKind::Gross => plain(kind, exposures.gross.ratio_to(equity), limits.max_gross),
        GaugeKind::Largest => plain(kind, exposures.largest.ratio_to(equity), limits.max_ticket_position),
        GaugeKind::Trades => plain(kind, count(exposures.trades_today), count(limits.trades_per_day).unwrap_or(Ratio::ONE)),
    };
    ORDER.into_iter().filter_map(gauge).collect()
}

/// The gauge of a metric; `None` where no row of the table watches it.
fn of_metric(
    metric: Metric,
    rules: &Rules,
    limits: &Limits,
    breakers: &Breakers,
    measure: &impl Fn(&Rule) -> Option<Ratio>,
) -> Option<Gauge> {
    let rows = || rules.iter().filter(move |rule| rule.metric == metric);
    let strongest = rows().max_by_key(|rule| strength(rule.action))?;
    let limit = strongest.limit.of(limits);
    let warning = rows().find(|rule| rule.action == Action::Warn && rule.name != strongest.name);
    let latched = breakers.latched().iter().filter(|trip| rows().any(|rule| rule.name == trip.rule));
    Some(Gauge {
        kind: GaugeKind::Breaker(metric),
        // A gain is no loss.
        value: measure(strongest).map(|value| value.max(Ratio::ZERO)),
        warn: warning.map(|rule| rule.limit.of(limits)),
        limit,
        hold: latched.map(|trip| breakers.hold(trip)).max_by_key(|hold| urgency(*hold)).unwrap_or(Hold::Free),
        before: None,
    })
}

const fn strength(action: Action) -> u8 {
    match action {
        Action::Warn => 0,
        Action::Block => 1,
        Action::Reducing => 2,
        Action::Reduce(_) => 3,
        Action::Close => 4,
        Action::Halt => 5,
    }
}

const fn urgency(hold: Hold) -> u8 {
    match hold {
        Hold::Free => 0,
        Hold::Overruled => 1,
        Hold::Warned => 2,
        Hold::Latched => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_gauge() {
        for metric in Metric::ALL {
            assert!(ORDER.contains(&GaugeKind::Breaker(metric)), "{metric:?}");
        }
        assert!(ORDER.iter().all(|kind| kind.label().len() <= 12), "a label fits its column");
    }

    #[test]
    fn a_falling_value_uses_its_limit_up() {
        let of = |metric, value, limit| Gauge {
            kind: GaugeKind::Breaker(metric),
            value: Some(Ratio::from_f64(value).unwrap()),
            warn: None,
            limit: Ratio::from_f64(limit).unwrap(),
            hold: Hold::Free,
            before: None,
        };
        let right = of(Metric::ModelDecay, 0.60, 0.45);
        assert!((right.used().unwrap() - 0.75).abs() < 1e-9);
        assert_eq!(right.headroom(), Ratio::of(15, 100));
        let quality = of(Metric::DataQuality, 0.98, 0.95);
        assert!((quality.used().unwrap() - 0.4).abs() < 1e-9, "two of five points that may be missing");
        assert_eq!(of(Metric::DataQuality, 1.0, 0.95).used(), Some(0.0));
        assert_eq!(of(Metric::Drawdown, 0.20, 0.15).headroom(), Ratio::of(-5, 100));
        let since = |gauge: Gauge, before| Gauge { before: Ratio::from_f64(before), ..gauge }.trend();
        assert_eq!(right.trend(), None);
        assert_eq!(since(right, 0.65), Some(Trend::Shrinking), "fewer right calls leave less");
        let fall = of(Metric::Drawdown, 0.05, 0.15);
        assert_eq!(since(fall, 0.04), Some(Trend::Shrinking));
        assert_eq!(since(fall, 0.06), Some(Trend::Growing));
        assert_eq!(since(fall, 0.050_099), Some(Trend::Steady), "less than a digit that is shown");
        assert_eq!(since(fall, 0.0501), Some(Trend::Growing));
        assert_eq!(Gauge { value: None, ..fall }.trend(), None);
    }
}
