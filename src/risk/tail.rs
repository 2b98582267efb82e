//! How much a book may lose in a day, estimated in two ways, and whether these estimates are as often exceeded as they say.
//!
//! *Historical*: what today's positions would have made on each of the days before, each day counting alike (historical simulation).
//! *Normal*: a normal loss about zero with the exponentially weighted volatility of the same days (RiskMetrics, decay 0.94). All as
//! shares of equity, a loss positive. The estimates say nothing of gaps larger than any that these days hold.

use std::collections::VecDeque;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::{InstrumentId, Ratio};
use crate::stats;

/// Days that a book is simulated on at most.
pub const MOST_DAYS: usize = 500;
/// Fewer days have no hundredth.
const LEAST_DAYS: usize = 100;
/// Fewer tested days have no p-value: both tests hold for many days only.
const LEAST_TESTS: usize = 60;
/// Tested days kept.
const KEPT_TESTS: usize = 500;
/// What lies beyond VaR 95 % and VaR 99 %.
const TAILS: [f64; 2] = [0.05, 0.01];

/// Losses of one day that are exceeded seldom, and what is lost on average where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Exceeded on one day in twenty.
    pub var_95: Ratio,
    /// Exceeded on one day in a hundred.
    pub var_99: Ratio,
    /// Mean loss of the worst twentieth of days.
    pub shortfall_95: Ratio,
    /// Mean loss of the worst hundredth.
    pub shortfall_99: Ratio,
}

/// The estimates for one book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailRisk {
    /// Days it was simulated on.
    pub days: u32,
    /// From these days as they were.
    pub historical: Tail,
    /// From their volatility; `None` where nothing moved.
    pub normal: Option<Tail>,
}

/// What was said of the next day, until it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The day before the one it is about.
    pub as_of: Date,
    /// The positions it is about, as signed shares of equity: later trades do not count.
    pub shares: Vec<(InstrumentId, Ratio)>,
    /// The estimates.
    pub estimate: TailRisk,
}

/// How far a day went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beyond {
    /// No estimate was exceeded.
    #[serde(rename = "0")]
    None,
    /// VaR 95 % was.
    #[serde(rename = "95")]
    Of95,
    /// VaR 99 % was too.
    #[serde(rename = "99")]
    Of99,
}

/// A day that is over, against what was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTested {
    /// Against the historical estimate.
    pub historical: Beyond,
    /// Against the normal one; `None` where there was none.
    pub normal: Option<Beyond>,
}

/// The book's estimate, the forecast that waits, and the days that were tested. Empty in runs whose table of breakers watches neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailWatch {
    estimate: Option<TailRisk>,
    forecast: Option<Forecast>,
    tested: VecDeque<DayTested>,
}

/// How a series of forecasts did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Days tested.
    pub days: u32,
    /// Days that lost more than the value at risk.
    pub beyond: u32,
    /// As many as there should be.
    pub expected: f64,
    /// p-value of Kupiec's test that they are as many as stated.
    pub kupiec: Option<f64>,
    /// p-value of Christoffersen's test that they come independently of each other.
    pub christoffersen: Option<f64>,
}

/// What the screen shows of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TailView {
    /// The estimate for the book as it is.
    pub estimate: Option<TailRisk>,
    /// VaR 95 % and 99 % from history, against what came.
    pub historical: [Tally; 2],
    /// VaR 95 % and 99 % of the normal estimate.
    pub normal: [Tally; 2],
}

impl TailRisk {
    /// From what the book would have made on each day, oldest first, as shares of equity. `None` below 100 days.
    pub fn of(results: &[f64]) -> Option<Self> {
        if results.len() < LEAST_DAYS {
            return None;
        }
        let volatility = stats::ewma_variance(results, stats::RISK_METRICS).map(libm::sqrt);
        let mut ascending = results.to_vec();
        // Only the worst twentieth is read, and the one after it: the rest need not be in order.
        let read = ascending.len() / 20 + 2;
        ascending.select_nth_unstable_by(read, f64::total_cmp);
        if let Some(worst) = ascending.get_mut(..read) {
            worst.sort_unstable_by(f64::total_cmp);
        }
        let historical =
            Tail::of(|tail| stats::value_at_risk(&ascending, tail), |tail| stats::expected_shortfall(&ascending, tail))?;
        let normal = volatility.and_then(|volatility| {
            Tail::of(
                |tail| stats::normal_value_at_risk(0.0, volatility, tail),
                |tail| stats::normal_expected_shortfall(0.0, volatility, tail),
            )
        });
        Some(Self { days: u32::try_from(results.len()).unwrap_or(u32::MAX), historical, normal })
    }

    /// VaR 99 %, the larger of the two estimates.
    pub fn value_at_risk(&self) -> Ratio {
        self.larger(|tail| tail.var_99)
    }

    /// Expected shortfall 99 %, the larger of the two estimates.
    pub fn expected_shortfall(&self) -> Ratio {
        self.larger(|tail| tail.shortfall_99)
    }

    fn larger(&self, part: impl Fn(&Tail) -> Ratio) -> Ratio {
        self.normal.as_ref().map_or(Ratio::ZERO, &part).max(part(&self.historical))
    }
}

impl Tail {
    fn of(value_at_risk: impl Fn(f64) -> Option<f64>, shortfall: impl Fn(f64) -> Option<f64>) -> Option<Self> {
        // A day that gains even then loses nothing.
        let loss = |value: Option<f64>| value.and_then(Ratio::from_f64).map(|loss| loss.max(Ratio::ZERO));
        let [twentieth, hundredth] = TAILS;
        Some(Self {
            var_95: loss(value_at_risk(twentieth))?,
            var_99: loss(value_at_risk(hundredth))?,
            shortfall_95: loss(shortfall(twentieth))?,
            shortfall_99: loss(shortfall(hundredth))?,
        })
    }

    fn beyond(&self, loss: Ratio) -> Beyond {
        if loss > self.var_99 {
            Beyond::Of99
        } else if loss > self.var_95 {
            Beyond::Of95
        } else {
            Beyond::None
        }
    }
}

impl TailWatch {
    /// Whether nothing was estimated yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The estimate for the book as it was when a bar last closed.
    pub const fn estimate(&self) -> Option<&TailRisk> {
        self.estimate.as_ref()
    }

    /// Takes an estimate, or that there is none.
    pub const fn set(&mut self, estimate: Option<TailRisk>) {
        self.estimate = estimate;
    }

    /// What waits for its day to end.
    pub const fn forecast(&self) -> Option<&Forecast> {
        self.forecast.as_ref()
    }

    /// Says something of the next day. What an older forecast waits for is left open, where the book has changed so much that it never came.
    pub fn foretell(&mut self, forecast: Forecast) {
        if self.forecast.as_ref().is_none_or(|waiting| waiting.as_of < forecast.as_of) {
            self.forecast = Some(forecast);
        }
    }

    /// The day is over: the positions of the forecast have lost this share of the equity of then (a gain below zero).
    pub fn test(&mut self, loss: Ratio) {
        let Some(Forecast { estimate, .. }) = self.forecast.take() else { return };
        let normal = estimate.normal.map(|tail| tail.beyond(loss));
        self.tested.push_back(DayTested { historical: estimate.historical.beyond(loss), normal });
        if self.tested.len() > KEPT_TESTS {
            self.tested.pop_front();
        }
    }

    /// What the screen shows. Work is bounded by the tested days kept.
    pub fn view(&self) -> TailView {
        let historical: Vec<Beyond> = self.tested.iter().map(|day| day.historical).collect();
        let normal: Vec<Beyond> = self.tested.iter().filter_map(|day| day.normal).collect();
        TailView { estimate: self.estimate, historical: Tally::both(&historical), normal: Tally::both(&normal) }
    }
}

impl Tally {
    fn both(days: &[Beyond]) -> [Self; 2] {
        let [twentieth, hundredth] = TAILS;
        [Self::of(days, twentieth, |day| day != Beyond::None), Self::of(days, hundredth, |day| day == Beyond::Of99)]
    }

    fn of(days: &[Beyond], level: f64, is_beyond: impl Fn(Beyond) -> bool) -> Self {
        let exceeded: Vec<bool> = days.iter().map(|day| is_beyond(*day)).collect();
        let beyond = exceeded.iter().filter(|is_beyond| **is_beyond).count();
        let enough = days.len() >= LEAST_TESTS;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            days: count(days.len()),
            beyond: count(beyond),
            expected: level * days.len() as f64,
            kupiec: enough.then(|| stats::kupiec(beyond as u64, days.len() as u64, level)).flatten().map(|tested| tested.p),
            christoffersen: enough.then(|| stats::christoffersen(&exceeded, level)).flatten().map(|tested| tested.independence.p),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn estimate(var_95: i64, var_99: i64) -> TailRisk {
        let ratio = |percent: i64| Ratio::of(percent.into(), 100).unwrap();
        let historical =
            Tail { var_95: ratio(var_95), var_99: ratio(var_99), shortfall_95: ratio(var_99), shortfall_99: ratio(var_99) };
        TailRisk { days: 100, historical, normal: None }
    }

    #[test]
    fn an_estimate_reads_the_worst_days() {
        assert_eq!(TailRisk::of(&[0.01; 99]), None);
        // Of 200 results −0.200 … −0.001: the quantile at 199 · 0.01 = 1.99 is −0.19801, and the worst two lose 0.1995 on average.
        let results: Vec<f64> = (1..=200).map(|loss| f64::from(-(loss * 77 % 201)) / 1_000.0).collect();
        let found = TailRisk::of(&results).unwrap();
        let close = |found: Ratio, by_hand: f64| assert!((found.to_f64() - by_hand).abs() < 1e-9, "{found:?} {by_hand}");
        close(found.historical.var_99, 0.198_01);
        close(found.historical.shortfall_99, 0.199_5);
        close(found.historical.var_95, 0.190_05);
        close(found.historical.shortfall_95, 0.195_5);
        let mut sorted = results;
        sorted.sort_by(f64::total_cmp);
        close(found.historical.var_95, stats::value_at_risk(&sorted, 0.05).unwrap());
        let gains = TailRisk::of(&[0.01; 100]).unwrap();
        assert_eq!(gains.historical.shortfall_99, Ratio::ZERO, "what only gains loses nothing");
        assert!(gains.value_at_risk() > Ratio::ZERO, "the normal estimate is about zero");
        assert_eq!(TailRisk::of(&[0.0; 100]).unwrap().normal, None);
    }

    #[test]
    fn a_forecast_is_held_against_its_day_once() {
        let mut watch = TailWatch::default();
        let forecast = |day| Forecast { as_of: date(2020, 3, day), shares: Vec::new(), estimate: estimate(2, 4) };
        let losses = [(2, 1), (3, 2), (4, 3), (5, 4), (6, 5)];
        for (day, percent) in losses {
            watch.foretell(forecast(day));
            watch.foretell(Forecast { estimate: estimate(50, 60), ..forecast(day) });
            watch.test(Ratio::of(percent, 100).unwrap());
            watch.test(Ratio::ONE);
        }
        let [of_95, of_99] = watch.view().historical;
        assert_eq!((of_95.days, of_95.beyond, of_99.beyond), (5, 3, 1), "reaching the estimate is not exceeding it");
        assert_eq!(watch.view().normal[0].days, 0);
        for _ in 0..600 {
            watch.foretell(forecast(7));
            watch.test(Ratio::ZERO);
        }
        assert_eq!(watch.view().historical[0].days, 500);
        let tally = |days: usize| Tally::of(&vec![Beyond::Of99; days], 0.01, |day| day == Beyond::Of99).kupiec;
        assert_eq!(tally(59), None, "too few days for a p-value");
        assert!(tally(60).is_some_and(|p| p < 1e-6));
    }
}
