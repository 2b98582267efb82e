//! How a target allocation would have done: estimated anew over history, from the past only, beside what takes no skill.
//!
//! Decided on the closes of one day, traded at those of the next, so that no weight earns a return that it was estimated from. Weights drift
//! in between; what is bought and sold costs slippage and commission of one side.

use jiff::civil::Date;
use serde::Serialize;
use thiserror::Error;

use crate::backtest::DailyResults;
use crate::backtest::evidence::ends;
use crate::domain::Ratio;
use crate::portfolio::{Caps, DailyReturns, NoAllocation, Question};
use crate::stats::{self, Generator, Interval, Scheme};

/// Days between two estimates unless told otherwise: a month.
pub const EVERY: usize = 21;
/// Replications of the bootstrap.
const REPLICATIONS: u64 = 2_000;
/// Seed of the bootstrap: the same history gives the same intervals.
const SEED: u64 = 20_200_309;
/// Fewer days out of sample are not compared.
const LEAST_DAYS: usize = 120;
const LEVEL: f64 = 0.95;

/// What is rolled over history.
#[derive(Debug, Clone, Copy)]
pub struct Rolling<'a> {
    /// All daily returns.
    pub history: &'a DailyReturns,
    /// Sectors in the order of its instruments.
    pub sectors: &'a [usize],
    /// Caps; the one on turnover counts from the second estimate on, as the first begins with cash.
    pub caps: Caps,
    /// Share to invest; the most the caps allow where nothing is said.
    pub invested: Option<Ratio>,
    /// Daily returns of an estimate.
    pub window: usize,
    /// Days between two estimates.
    pub every: usize,
    /// What trading costs, as a share of what is bought or sold.
    pub cost: Ratio,
}

/// One of the portfolios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Played {
    /// Its daily results after costs.
    pub results: DailyResults,
    /// Compound growth a year.
    pub growth: Option<f64>,
    /// Bought and sold a year, as a share of wealth.
    pub turnover: Option<f64>,
    /// Costs paid, as a share of the first wealth.
    pub costs: f64,
    /// Wealth at the end of each day, from 1.
    #[serde(skip)]
    pub wealth: Vec<f64>,
}

/// Whether a difference can be told from nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The interval lies below zero.
    Lower,
    /// It lies above zero.
    Higher,
    /// It holds zero, or there is too little to say.
    NotSignificant,
}

/// A difference, the allocation's less another's, a year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// As measured.
    pub value: Option<f64>,
    /// Its 95 % interval: percentiles of a stationary block bootstrap of both series together (Politis and Romano 1994). On short series such an
    /// interval is a little too narrow.
    pub interval: Option<(f64, f64)>,
    /// What that says.
    pub told: Told,
}

/// The allocation against one other portfolio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Against {
    /// Of annual volatilities.
    pub volatility: Difference,
    /// Of annual Sharpe ratios, without interest.
    pub sharpe: Difference,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rolled {
    /// The day of the first trade, and the last day.
    pub span: (Date, Date),
    /// How often weights were estimated.
    pub estimates: usize,
    /// The allocation.
    pub ours: Played,
    /// Equal parts of the same share, traded back to equal on the same days.
    pub equal: Played,
    /// Equal parts bought on the first day and held.
    pub held: Played,
    /// Ours against equal parts.
    pub against_equal: Against,
    /// Ours against holding.
    pub against_held: Against,
}

/// Why nothing could be rolled.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Unrolled {
    /// History ends before anything could be tested.
    #[error("{have} daily returns are too few to test on: {need} are the least, those of one estimate and {LEAST_DAYS} after it")]
    TooShort {
        /// Daily returns there are.
        have: usize,
        /// Daily returns it takes.
        need: usize,
    },
    /// An instrument has no return on a day on which others have.
    #[error("a daily return is missing: the series are not of one length")]
    Missing,
    /// One estimate failed.
    #[error("on {date}: {why}")]
    Refused {
        /// The last day it was estimated from.
        date: Date,
        /// Why.
        why: NoAllocation,
    },
}

/// Money in instruments and cash.
struct Wallet {
    parts: Vec<f64>,
    cash: f64,
    traded: f64,
    costs: f64,
    wealth: Vec<f64>,
}

impl Wallet {
    fn new(size: usize) -> Self {
        Self { parts: vec![0.0; size], cash: 1.0, traded: 0.0, costs: 0.0, wealth: Vec::new() }
    }

    fn worth(&self) -> f64 {
        self.cash + self.parts.iter().sum::<f64>()
    }

    fn weights(&self) -> Vec<f64> {
        let worth = self.worth();
        self.parts.iter().map(|part| part / worth).collect()
    }

    fn grow(&mut self, returns: impl Iterator<Item = f64>) {
        for (part, change) in self.parts.iter_mut().zip(returns) {
            *part *= 1.0 + change;
        }
    }

    /// Trades to these weights. The cost comes off the wealth that the weights are shares of; that less is bought for it is not counted.
    fn trade_to(&mut self, weights: &[f64], cost: f64) {
        let before = self.worth();
        let moved: f64 = self.parts.iter().zip(weights).map(|(part, weight)| (weight * before - part).abs()).sum();
        let worth = before - moved * cost;
        for (part, weight) in self.parts.iter_mut().zip(weights) {
            *part = weight * worth;
        }
        self.cash = worth - self.parts.iter().sum::<f64>();
        self.traded += moved / before;
        self.costs += moved * cost;
    }

    fn played(self, span: (Date, Date)) -> Played {
        let results = DailyResults::of(&self.wealth, Some(span));
        let returns = stats::returns(&self.wealth);
        let years = results.days_per_year.map(|days| returns.len() as f64 / days);
        Played {
            growth: results.days_per_year.and_then(|days| stats::annual_growth(&returns, days)),
            turnover: years.map(|years| self.traded / years),
            costs: self.costs,
            results,
            wealth: self.wealth,
        }
    }
}

impl Rolling<'_> {
    /// Rolls it.
    pub fn play(&self) -> Result<Rolled, Unrolled> {
        let (have, need) = (self.history.len(), self.window.saturating_add(1 + LEAST_DAYS));
        if have < need {
            return Err(Unrolled::TooShort { have, need });
        }
        let size = self.history.instruments.len();
        let (mut ours, mut equal, mut held) = (Wallet::new(size), Wallet::new(size), Wallet::new(size));
        let cost = self.cost.to_f64();
        let mut estimates = 0;
        for day in self.window..have {
            // Known now: the returns before this day's.
            let is_due = (day - self.window).is_multiple_of(self.every.max(1));
            let weights = if is_due { Some(self.decide(day, &ours, estimates == 0)?) } else { None };
            let returns: Option<Vec<f64>> = self.history.series.iter().map(|series| series.get(day).copied()).collect();
            let returns = returns.ok_or(Unrolled::Missing)?;
            for wallet in [&mut ours, &mut equal, &mut held] {
                wallet.grow(returns.iter().copied());
                wallet.wealth.push(wallet.worth());
            }
            if let Some(weights) = weights {
                let even = vec![weights.iter().sum::<f64>() / size as f64; size];
                ours.trade_to(&weights, cost);
                equal.trade_to(&even, cost);
                if estimates == 0 {
                    held.trade_to(&even, cost);
                }
                estimates += 1;
            }
        }
        let dates = self.history.dates.get(self.window).zip(self.history.dates.last());
        let span = dates.map(|(first, last)| (*first, *last)).ok_or(Unrolled::TooShort { have, need })?;
        let (ours, equal, held) = (ours.played(span), equal.played(span), held.played(span));
        let (against_equal, against_held) = (Against::of(&ours, &equal), Against::of(&ours, &held));
        Ok(Rolled { span, estimates, ours, equal, held, against_equal, against_held })
    }

    fn decide(&self, day: usize, wallet: &Wallet, is_first: bool) -> Result<Vec<f64>, Unrolled> {
        let known = self.history.part(day - self.window, day);
        let caps = Caps { turnover: self.caps.turnover.filter(|_| !is_first), ..self.caps };
        let question = Question {
            history: &known,
            window: self.window,
            held: &wallet.weights(),
            outside: 0.0,
            sectors: self.sectors,
            caps,
            invested: self.invested,
            views: None,
        };
        match question.answer() {
            Ok(advice) => Ok(advice.lines.iter().map(|line| line.target).collect()),
            Err(why) => Err(Unrolled::Refused { date: known.dates.last().copied().unwrap_or_default(), why }),
        }
    }
}

impl Against {
    fn of(ours: &Played, theirs: &Played) -> Self {
        let (left, right) = (stats::returns(&ours.wealth), stats::returns(&theirs.wealth));
        let per_year = ours.results.days_per_year;
        let resampled = per_year.and_then(|days| resample(&left, &right, days));
        let (volatilities, sharpes) = resampled.unwrap_or_default();
        let less = |of: fn(&DailyResults) -> Option<f64>| Some(of(&ours.results)? - of(&theirs.results)?);
        Self {
            volatility: Difference::of(less(|results| results.volatility), volatilities),
            sharpe: Difference::of(less(|results| results.sharpe), sharpes),
        }
    }
}

impl Difference {
    fn of(value: Option<f64>, mut replicas: Vec<f64>) -> Self {
        replicas.sort_by(f64::total_cmp);
        let interval = stats::percentile_interval(&replicas, LEVEL);
        let told = match interval {
            Some(Interval { high, .. }) if high < 0.0 => Told::Lower,
            Some(Interval { low, .. }) if low > 0.0 => Told::Higher,
            Some(_) | None => Told::NotSignificant,
        };
        Self { value, interval: interval.map(ends), told }
    }
}

/// Differences of annual volatility and of annual Sharpe ratio in series drawn together, block by block.
fn resample(left: &[f64], right: &[f64], per_year: f64) -> Option<(Vec<f64>, Vec<f64>)> {
    let apart: Vec<f64> = left.iter().zip(right).map(|(a, b)| a - b).collect();
    let squares: Vec<f64> = left.iter().zip(right).map(|(a, b)| a * a - b * b).collect();
    // What is averaged is returns and their squares: the longer memory of both counts.
    let lengths = [stats::optimal_block_lengths(&apart)?.stationary, stats::optimal_block_lengths(&squares)?.stationary];
    let scheme = Scheme::Stationary(lengths.into_iter().fold(1.0, f64::max));
    let mut indices = vec![0; left.len()];
    let root = libm::sqrt(per_year);
    let (mut volatilities, mut sharpes) = (Vec::new(), Vec::new());
    for replication in 0..REPLICATIONS {
        scheme.draw(&mut Generator::of_replication(SEED, replication), &mut indices);
        let (ours, theirs) = (moments(left, &indices)?, moments(right, &indices)?);
        volatilities.push((ours.1 - theirs.1) * root);
        sharpes.push((ours.0 / ours.1 - theirs.0 / theirs.1) * root);
    }
    Some((volatilities, sharpes))
}

/// Mean and deviation (n − 1) of the drawn values. `None` without variance.
fn moments(values: &[f64], indices: &[usize]) -> Option<(f64, f64)> {
    let n = indices.len() as f64;
    let drawn = || indices.iter().filter_map(|index| values.get(*index));
    let mean = drawn().sum::<f64>() / n;
    let squares: f64 = drawn().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = libm::sqrt(squares / (n - 1.0));
    (deviation > 0.0).then_some((mean, deviation))
}
