//! What results show, with counts and intervals, beside what needs no skill: holding everything, and always saying "up".

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::backtest::Verdict;
use crate::backtest::trades::{Trade, TradeResults};
use crate::domain::{Bar, InstrumentId, Money, Ratio, RiskDays};
use crate::signals::{COIN, Card, LEAST_INDEPENDENT, Part, Scores, Standing, fewest_above};
use crate::stats::{self, Contrast, Interval, Observed};

/// Days in a year, to turn a span into years.
const DAYS_PER_YEAR: f64 = 365.25;
/// The share of calls that must be right.
const GATE: f64 = 0.55;
/// With fewer days nothing is said about a Sharpe ratio's sign.
pub(super) const LEAST_DAYS: u64 = 30;

/// A share of a count, with Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// Their share; nothing of nothing.
    pub rate: Option<f64>,
    /// Lower and upper end.
    pub interval: Option<(f64, f64)>,
}

/// What a series of daily values earned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DailyResults {
    /// Daily returns.
    pub days: u64,
    /// From the first to the last value.
    pub total_return: Option<f64>,
    /// Returns a year, as many as the calendar holds: weekends count where something trades on them.
    pub days_per_year: Option<f64>,
    /// Standard deviation of daily returns, a year.
    pub volatility: Option<f64>,
    /// Mean over standard deviation (`n − 1`) of daily returns, a year; no interest is taken off.
    pub sharpe: Option<f64>,
    /// Its 95 % interval for independent, not necessarily normal returns (Mertens 2002).
    pub sharpe_interval: Option<(f64, f64)>,
    /// Probability that the true Sharpe ratio is above zero (Bailey and López de Prado 2012).
    pub above_zero: Option<f64>,
    /// Days a record of this Sharpe ratio must have to be above zero with 95 %; nothing where it is not above.
    pub days_needed: Option<f64>,
    /// The daily Sharpe ratio with the shape of its returns.
    #[serde(skip)]
    observed: Option<Observed>,
    /// Largest fall from a peak of the daily values.
    pub max_drawdown: Option<f64>,
}

/// Signals whose horizon has ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calls {
    /// Those whose direction was right, before cost.
    pub right: Share,
    /// Those after which the price rose: what "always up" would have called right.
    pub rose: Share,
    /// Those that would have earned something after cost.
    pub paid: Share,
    /// Spans that follow one another: about so many are independent.
    pub independent: u64,
    /// Mean return in the signal's direction after cost, to the horizon, without stop and target.
    pub mean_net: Option<f64>,
    /// Its 95 % interval, in which only spans that follow one another are independent.
    pub mean_net_interval: Option<(f64, f64)>,
}

/// The plan's gate on calls, more than 55 % right, with what it can decide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gate {
    /// PASS only where the interval lies above the base rate as well, FAIL only where it lies below the gate.
    pub verdict: Verdict,
    /// What takes no skill: a coin, or always one direction where prices rose or fell more often than not.
    pub base: f64,
    /// How often who reaches the base rate passes it, more than 55 % right, with so many independent calls.
    pub unskilled_passes: Option<f64>,
    /// How often a source that is right in 55 % of its calls is told from the base rate with so many (one-sided, 5 %).
    pub power: Option<f64>,
    /// Independent calls needed to do that four times in five.
    pub calls_needed: Option<f64>,
}

/// All of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// The account.
    pub account: DailyResults,
    /// Everything on the tape, bought in equal parts at the first close and held, less one round trip.
    pub held: DailyResults,
    /// Round trips.
    pub trades: TradeResults,
    /// Round trips that ended above zero after cost.
    pub won: Share,
    /// Signals that passed the layers.
    pub kept: Calls,
    /// Signals that a layer refused, followed all the same.
    pub refused: Calls,
    /// What the account's results show.
    pub verdict: Verdict,
}

/// Closes by risk day.
#[derive(Debug)]
pub struct Benchmark {
    days: BTreeMap<Date, BTreeMap<InstrumentId, f64>>,
    round_trip: Ratio,
    risk_days: RiskDays,
}

impl Share {
    /// So many of so many.
    pub fn of(count: u64, of: u64) -> Self {
        let rate = (of > 0).then(|| count as f64 / of as f64);
        Self { count, of, rate, interval: stats::wilson_95(count, of).map(ends) }
    }

    /// So many of so many, about so many of which are independent: the interval is theirs.
    pub fn of_independent(count: u64, of: u64, independent: u64) -> Self {
        let share = Self::of(count, of);
        let interval = share.rate.and_then(|rate| stats::wilson_95_of(rate, independent as f64));
        Self { interval: interval.map(ends), ..share }
    }
}

impl DailyResults {
    /// Results of values at the end of days, from the end of the first of `span` to that of the last.
    pub fn of(values: &[f64], span: Option<(Date, Date)>) -> Self {
        let returns = if values.iter().all(|value| *value > 0.0) { stats::returns(values) } else { Vec::new() };
        let years = span.map(|(first, last)| f64::from((last - first).get_days()) / DAYS_PER_YEAR);
        let days_per_year = years.filter(|years| *years > 0.0).map(|years| returns.len() as f64 / years);
        let deviation = stats::standard_deviation(&returns).filter(|deviation| *deviation > 0.0);
        let observed = Observed::of(&returns, 0.0).filter(|_| deviation.is_some());
        let annual = |daily: f64| days_per_year.map(|days| daily * libm::sqrt(days));
        let interval = observed.and_then(|observed| observed.interval(0.95));
        Self {
            days: returns.len() as u64,
            total_return: values
                .first()
                .zip(values.last())
                .filter(|(first, _)| **first > 0.0)
                .map(|(first, last)| last / first - 1.0),
            days_per_year,
            volatility: deviation.and_then(annual),
            sharpe: observed.and_then(|observed| annual(observed.sharpe)),
            sharpe_interval: interval.and_then(|interval| Some((annual(interval.low)?, annual(interval.high)?))),
            above_zero: observed.and_then(|observed| observed.probabilistic(0.0)),
            days_needed: observed.and_then(|observed| observed.minimum_track_record(0.0, 0.95)),
            observed,
            max_drawdown: stats::max_drawdown(values),
        }
    }

    /// The Sharpe ratio in standard errors of one without skill, √T times the daily one: so tests of different lengths compare.
    pub fn score(&self) -> Option<f64> {
        self.observed.map(|observed| observed.sharpe * libm::sqrt(self.days as f64))
    }

    /// Probability that the true Sharpe ratio is above what the luckiest of all tests without skill would show (Bailey and López de Prado
    /// 2014). `scores` are those of the different tests, this one among them ([`Self::score`]); `None` below two.
    pub fn deflated(&self, scores: &[f64]) -> Option<f64> {
        let spread = stats::standard_deviation(scores).filter(|spread| *spread > 0.0)?;
        self.observed?.deflated(scores.len() as f64, spread * spread / self.days as f64)
    }

    /// The same with the spread that tests without skill have, one standard error, instead of the one found: where some of the tests have
    /// skill, their own spread asks too much.
    pub fn deflated_by_count(&self, tests: u64) -> Option<f64> {
        self.observed?.deflated(tests as f64, 1.0 / self.days as f64)
    }

    /// The daily Sharpe ratio with the shape of its returns.
    pub(super) const fn observed(&self) -> Option<Observed> {
        self.observed
    }
}

impl Gate {
    /// Holds calls, about so many of which are independent, against the gate, and against what takes no skill. Chances are those of a coin, and
    /// of as many calls as are independent.
    pub fn of(calls: &Share, independent: u64, base: f64) -> Self {
        let interval = calls.interval.filter(|_| independent >= LEAST_INDEPENDENT);
        let standing = Standing { limit: GATE, right: calls.count, of: calls.of, independent, interval, base };
        let contrast = Contrast { base: COIN, skilled: GATE, false_alarm: 0.05 };
        let unskilled = stats::binomial_at_least(fewest_above(GATE, independent), independent, COIN);
        Self {
            verdict: standing.verdict(),
            base,
            unskilled_passes: unskilled.filter(|_| independent > 0),
            power: stats::exact_power(contrast, independent).map(|(_, power)| power).filter(|_| independent > 0),
            calls_needed: stats::sample_size(contrast, 0.8),
        }
    }
}

impl From<&Card> for Calls {
    fn from(card: &Card) -> Self {
        let share = |part: Part| Share::of_independent(part.count as u64, part.of as u64, part.independent as u64);
        Self {
            right: share(card.right),
            rose: share(card.rose),
            paid: share(card.paid),
            independent: card.independent as u64,
            mean_net: card.expectancy,
            mean_net_interval: card.expectancy_interval.map(ends),
        }
    }
}

impl Evidence {
    /// The verdict where this is one of so many different tests: what passes alone must also be better, with 95 %, than the luckiest of so
    /// many without skill would look.
    pub fn among(&self, tests: u64) -> Verdict {
        let is_better = tests < 2 || self.account.deflated_by_count(tests).is_some_and(|chance| chance >= 0.95);
        if self.verdict == Verdict::Pass && !is_better { Verdict::NotProven } else { self.verdict }
    }

    pub(super) fn of(capital: Money, days: &[(Date, Money)], trades: &[Trade], signals: &Scores, benchmark: &Benchmark) -> Self {
        let equity: Vec<f64> = std::iter::once(capital.to_f64()).chain(days.iter().map(|(_, equity)| equity.to_f64())).collect();
        // The capital stands for the end of the day before the first.
        let span = days.first().zip(days.last()).map(|(first, last)| (first.0.yesterday().unwrap_or(first.0), last.0));
        let account = DailyResults::of(&equity, span);
        let results = TradeResults::of(trades);
        let verdict = match account.sharpe_interval.filter(|_| account.days >= LEAST_DAYS && results.count > 0) {
            Some((low, _)) if low > 0.0 => Verdict::Pass,
            Some((_, high)) if high < 0.0 => Verdict::Fail,
            Some(_) | None => Verdict::NotProven,
        };
        Self {
            account,
            held: benchmark.results(),
            trades: results,
            won: Share::of(results.won, results.count),
            kept: Calls::from(&signals.card(|call| call.passed())),
            refused: Calls::from(&signals.card(|call| !call.passed())),
            verdict,
        }
    }
}

impl Benchmark {
    pub(super) fn new(round_trip: Ratio) -> Self {
        Self { days: BTreeMap::new(), round_trip, risk_days: RiskDays::default() }
    }

    pub(super) fn add(&mut self, bar: &Bar) {
        let date = self.risk_days.of(bar.close_at).date;
        self.days.entry(date).or_default().insert(bar.instrument, bar.close.to_f64());
    }

    /// Growth from 1: each instrument gets the same part at its first close; a day without a close keeps the one before; at the end one
    /// round trip is paid.
    pub(super) fn growth(&self) -> Vec<(Date, f64)> {
        let mut first = BTreeMap::<InstrumentId, f64>::new();
        for closes in self.days.values() {
            for (id, close) in closes {
                first.entry(*id).or_insert(*close);
            }
        }
        let mut latest: BTreeMap<InstrumentId, f64> = first.clone();
        let mut growth = Vec::with_capacity(self.days.len());
        for (date, closes) in &self.days {
            latest.extend(closes.iter().map(|(id, close)| (*id, *close)));
            let grown = latest.iter().zip(first.values()).map(|((_, now), first)| now / first);
            growth.push((*date, grown.sum::<f64>() / first.len().max(1) as f64));
        }
        if let Some((_, last)) = growth.last_mut() {
            *last *= 1.0 - self.round_trip.to_f64();
        }
        growth
    }

    fn results(&self) -> DailyResults {
        let growth = self.growth();
        let span = growth.first().zip(growth.last()).map(|(first, last)| (first.0, last.0));
        DailyResults::of(&growth.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), span)
    }
}

pub(super) const fn ends(interval: Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i8) -> Date {
        jiff::civil::date(2020, 1, number)
    }

    #[test]
    fn a_sharpe_ratio_has_the_interval_of_its_formula() {
        let values = [100.0, 101.0, 100.5, 102.0, 103.0, 102.5];
        let results = DailyResults::of(&values, Some((day(1), day(6))));
        let returns = stats::returns(&values);
        let daily = stats::mean(&returns).unwrap() / stats::standard_deviation(&returns).unwrap();
        let per_year = 5.0 / (5.0 / DAYS_PER_YEAR);
        let shape = stats::shape(&returns).unwrap();
        let variance = 1.0 - shape.skewness * daily + (shape.kurtosis - 1.0) / 4.0 * daily * daily;
        let half = 1.959_963_984_540_054 * libm::sqrt(variance / 5.0);
        let (low, high) = results.sharpe_interval.unwrap();
        assert!((results.sharpe.unwrap() - daily * libm::sqrt(per_year)).abs() < 1e-12);
        assert!((low - (daily - half) * libm::sqrt(per_year)).abs() < 1e-12);
        assert!((high - (daily + half) * libm::sqrt(per_year)).abs() < 1e-12);
        assert_eq!(results.total_return, Some(102.5 / 100.0 - 1.0));
        assert!(results.above_zero.is_some_and(|chance| chance > 0.5 && chance < 1.0));
    }

    #[test]
    fn the_more_was_tried_the_less_the_best_of_it_says() {
        let values: Vec<f64> = (0..300).map(|day| 100.0 + f64::from(day) / 10.0 + f64::from((day * 7) % 5)).collect();
        let results = DailyResults::of(&values, Some((jiff::civil::date(2020, 1, 1), jiff::civil::date(2020, 10, 26))));
        let own = results.score().unwrap();
        let years = results.days as f64 / results.days_per_year.unwrap();
        assert!((own - results.sharpe.unwrap() * libm::sqrt(years)).abs() < 1e-12);
        assert_eq!(results.deflated(&[own]), None, "one test is not deflated");
        let few = results.deflated(&[own, 0.0]).unwrap();
        let many: Vec<f64> = std::iter::once(own).chain((0..40).map(|index| f64::from(index % 3) - 1.0)).collect();
        let spread = stats::standard_deviation(&[own, 0.0]).unwrap() / stats::standard_deviation(&many).unwrap();
        let scaled: Vec<f64> = many.iter().map(|score| score * spread).collect();
        assert!(results.deflated(&scaled).unwrap() < few && few < results.above_zero.unwrap());
        assert!(results.deflated_by_count(1_000) < results.deflated_by_count(10));
    }

    #[test]
    fn a_gate_says_how_often_a_coin_passes_it() {
        let gate = Gate::of(&Share::of(17, 30), 30, COIN);
        assert_eq!(gate.verdict, Verdict::NotProven, "more than 55 % of 30 calls prove nothing");
        assert!((gate.unskilled_passes.unwrap() - 0.292).abs() < 0.001, "{gate:?}");
        assert!((gate.calls_needed.unwrap() - 616.0).abs() < 1.0, "{gate:?}");
        let even = Gate::of(&Share::of(11, 20), 20, COIN);
        assert!((even.unskilled_passes.unwrap() - 0.2517).abs() < 0.0001, "eleven of twenty are not more than 55 %: {even:?}");
        assert_eq!(Gate::of(&Share::of(600, 1_000), 1_000, COIN).verdict, Verdict::Pass);
        assert_eq!(Gate::of(&Share::of(600, 1_000), 1_000, 0.59).verdict, Verdict::NotProven, "always up was right as often");
        assert_eq!(Gate::of(&Share::of(480, 1_000), 1_000, COIN).verdict, Verdict::Fail);
        assert_eq!(Gate::of(&Share::of(0, 0), 0, COIN).verdict, Verdict::NotProven);
    }

    #[test]
    fn twenty_calls_that_move_together_are_one() {
        let calls = Share::of_independent(600, 1_000, 50);
        assert_eq!(Gate::of(&calls, 50, COIN).verdict, Verdict::NotProven, "the interval is that of fifty");
        assert_eq!(Gate::of(&Share::of_independent(1_000, 1_000, 29), 29, COIN).verdict, Verdict::NotProven);
    }

    #[test]
    fn what_is_not_defined_is_not_a_number() {
        let still = DailyResults::of(&[100.0, 100.0, 100.0], Some((day(1), day(3))));
        assert_eq!((still.sharpe, still.sharpe_interval, still.volatility), (None, None, None));
        let none = DailyResults::of(&[], None);
        assert_eq!((none.total_return, none.sharpe, none.max_drawdown), (None, None, None));
        let ruined = DailyResults::of(&[100.0, 0.0, 50.0], Some((day(1), day(3))));
        assert_eq!(ruined.sharpe, None, "no return is defined after ruin");
        assert_eq!(Share::of(0, 0).rate, None);
    }
}
