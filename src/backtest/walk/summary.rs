//! All windows together: what was earned out of sample, how sure that is, and what a search of this size is worth.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::backtest::evidence::{LEAST_DAYS, ends};
use crate::backtest::walk::{Candidate, Done, Fit, LEAST_TRADES, Tested, Walk, Walked, Whole};
use crate::backtest::{DailyResults, Gate, Share, Verdict};
use crate::signals::COIN;
use crate::stats::{self, Replica, Resampler, Scheme};

/// Slices of the cross-validation: 12,870 ways to halve them.
const SLICES: usize = 16;
/// Replications of the bootstrap, and their seed.
const REPLICATIONS: u64 = 2_000;
const SEED: u64 = 20_220_601;
/// How sure a result must be.
const LEVEL: f64 = 0.95;
/// A choice that is as often below the median as above it is no choice.
const OVERFIT: f64 = 0.5;

/// One condition of a PASS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gauge {
    /// What is asked and what was found, in words.
    pub words: String,
    /// Whether it holds.
    pub holds: bool,
}

/// What training promised and the tests kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Efficiency {
    /// Mean Sharpe ratio of the chosen candidates in their training windows.
    pub trained: Option<f64>,
    /// Mean Sharpe ratio of the tests.
    pub tested: Option<f64>,
    /// The second over the first; nothing where training promised nothing.
    pub kept: Option<f64>,
}

/// How steady the choice was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stability {
    /// Times the choice differed from the window before, of so many.
    pub changes: u64,
    /// Pairs of neighbouring windows.
    pub pairs: u64,
    /// Different choices.
    pub distinct: u64,
    /// Every choice with how often it was made, the commonest first.
    pub choices: Vec<(Candidate, u64)>,
}

/// Everything about the whole walk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Test windows put together, one account after the other.
    pub account: DailyResults,
    /// 95 % interval of the Sharpe ratio for returns that depend on each other: studentised stationary bootstrap, block length from the data.
    pub resampled_interval: Option<(f64, f64)>,
    /// Everything on the tape held equally over the same years.
    pub held: DailyResults,
    /// Windows in which no candidate had traded enough to be chosen.
    pub idle: u64,
    /// Fits of this walk.
    pub fits: u64,
    /// Chance that the true Sharpe ratio is above that of the luckiest of so many fits without skill, were they independent.
    pub deflated: Option<f64>,
    /// The same with the spread that the fits themselves have.
    pub deflated_by_spread: Option<f64>,
    /// How often a rule without skill and without costs meets the conditions on the Sharpe ratio; at most.
    pub passes_by_luck: Option<f64>,
    /// Probability of backtest overfitting, and from how many splits.
    pub overfitting: Option<(f64, u64)>,
    /// Training against test.
    pub efficiency: Efficiency,
    /// The choices.
    pub stability: Stability,
    /// Round trips, and those above zero after cost.
    pub won: Share,
    /// What was left of them.
    pub result: f64,
    /// Before commission.
    pub gross: f64,
    /// Commission of all trades.
    pub costs: f64,
    /// Value bought.
    pub turnover: f64,
    /// Positions open at the ends of tests.
    pub open: u64,
    /// Calls that were right.
    pub right: Share,
    /// Calls after which the price rose: "always up".
    pub rose: Share,
    /// Spans of calls that follow one another, in all tests: about so many calls are independent.
    pub independent: u64,
    /// The calls against the gate.
    pub gate: Gate,
    /// PASS where every condition holds, FAIL where it loses for certain.
    pub verdict: Verdict,
    /// The conditions.
    pub gauges: Vec<Gauge>,
    /// Growth of the account, from 1, at the end of each tested day.
    #[serde(skip)]
    pub wealth: Vec<(Date, f64)>,
    /// Growth of everything held equally over the same days.
    #[serde(skip)]
    pub held_wealth: Vec<(Date, f64)>,
}

impl Walk {
    /// Puts what the jobs gave, in their order, together: the windows, and all of them as one.
    pub fn summarise(&self, done: Vec<Done>) -> (Vec<Walked>, Summary) {
        let (mut walked, mut wholes) = (Vec::new(), Vec::new());
        for one in done {
            match one {
                Done::Walked(window) => walked.push(*window),
                Done::Whole(whole) => wholes.push(*whole),
            }
        }
        let summary = Summary::of(&walked, &wholes, self.grid());
        (walked, summary)
    }
}

impl Done {
    /// Every fit that was made, in order.
    pub fn fits(&self) -> Vec<&Fit> {
        match self {
            Self::Walked(walked) => walked.fits.iter().chain(walked.tested.as_ref().map(|tested| &tested.fit)).collect(),
            Self::Whole(whole) => vec![&whole.fit],
        }
    }
}

impl Summary {
    fn of(walked: &[Walked], wholes: &[Whole], grid: &[Candidate]) -> Self {
        let returns = stitched(walked, wholes);
        let account = results(&returns);
        let tests: Vec<&Tested> = walked.iter().filter_map(|window| window.tested.as_ref()).collect();
        let scores: Vec<f64> = fits(walked, wholes).filter_map(|fit| fit.account.score()).collect();
        let count = fits(walked, wholes).count() as u64;
        let sum = |of: fn(&Tested) -> f64| tests.iter().map(|test| of(test)).sum::<f64>();
        let share = |of: fn(&Tested) -> (u64, u64)| {
            let (hits, all) = tests.iter().map(|test| of(test)).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            Share::of(hits, all)
        };
        let columns: Vec<Vec<f64>> = wholes.iter().map(|whole| whole.returns.iter().map(|(_, value)| *value).collect()).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let independent: u64 = tests.iter().map(|test| test.calls.independent).sum();
        let all = share(|test| (test.calls.right.count, test.calls.right.of));
        let right = Share::of_independent(all.count, all.of, independent);
        let mut summary = Self {
            account,
            resampled_interval: resampled(&returns, &account),
            held: wholes.first().map_or_else(|| DailyResults::of(&[], None), |whole| whole.held),
            idle: walked.iter().filter(|window| window.chosen.is_none()).count() as u64,
            fits: count,
            deflated: account.deflated_by_count(count),
            deflated_by_spread: account.deflated(&scores),
            passes_by_luck: by_luck(count),
            overfitting: stats::overfitting(&columns, SLICES).map(|found| (found.probability, found.splits)),
            efficiency: Efficiency::of(walked),
            stability: Stability::of(walked, grid),
            won: share(|test| (test.trades.won, test.trades.count)),
            result: sum(|test| test.trades.result),
            gross: sum(|test| test.trades.gross),
            costs: sum(|test| test.costs),
            turnover: sum(|test| test.turnover),
            open: tests.iter().map(|test| test.open).sum(),
            right,
            rose: share(|test| (test.calls.rose.count, test.calls.rose.of)),
            independent,
            gate: Gate::of(&right, independent, COIN),
            verdict: Verdict::NotProven,
            gauges: Vec::new(),
            wealth: wealth(&returns),
            held_wealth: wholes.first().map(|whole| whole.held_growth.clone()).unwrap_or_default(),
        };
        summary.gauges = summary.judge();
        summary.verdict = summary.conclude();
        summary
    }

    /// What an edge in percent of the value bought would have to be to pay for itself, and what it was before costs.
    pub fn per_value_bought(&self) -> Option<(f64, f64)> {
        (self.turnover > 0.0).then(|| (self.gross / self.turnover, (self.gross - self.result) / self.turnover))
    }

    fn lows(&self) -> Option<f64> {
        Some(self.account.sharpe_interval?.0.min(self.resampled_interval?.0))
    }

    fn judge(&self) -> Vec<Gauge> {
        let n_a = || "n/a".to_owned();
        let percent = |value: Option<f64>| value.map_or_else(n_a, |value| format!("{:.1} %", value * 100.0));
        let enough = self.account.days >= LEAST_DAYS * 8 && self.won.of >= LEAST_TRADES;
        let low = self.lows();
        let probability = self.overfitting.map(|(probability, _)| probability);
        vec![
            Gauge {
                words: format!(
                    "at least {} days and {LEAST_TRADES} round trips out of sample: {} and {}",
                    LEAST_DAYS * 8,
                    self.account.days,
                    self.won.of
                ),
                holds: enough,
            },
            Gauge {
                words: format!(
                    "both intervals of the Sharpe ratio begin above zero: {}",
                    low.map_or_else(n_a, |low| format!("{low:+.2}"))
                ),
                holds: low.is_some_and(|low| low > 0.0),
            },
            Gauge {
                words: format!(
                    "better than the luckiest of {} fits without skill would look, with 95 % confidence: {}",
                    self.fits,
                    percent(self.deflated)
                ),
                holds: self.deflated.is_some_and(|chance| chance >= LEVEL),
            },
            Gauge {
                words: format!(
                    "the probability that choosing among these rules overfits is below one half: {}",
                    percent(probability)
                ),
                holds: probability.is_some_and(|probability| probability < OVERFIT),
            },
        ]
    }

    fn conclude(&self) -> Verdict {
        let highs = self.account.sharpe_interval.zip(self.resampled_interval).map(|(one, other)| one.1.max(other.1));
        let is_enough = self.gauges.first().is_some_and(|gauge| gauge.holds);
        if self.gauges.iter().all(|gauge| gauge.holds) {
            Verdict::Pass
        } else if is_enough && highs.is_some_and(|high| high < 0.0) {
            Verdict::Fail
        } else {
            Verdict::NotProven
        }
    }
}

fn fits<'a>(walked: &'a [Walked], wholes: &'a [Whole]) -> impl Iterator<Item = &'a Fit> {
    let of_window = |window: &'a Walked| window.fits.iter().chain(window.tested.as_ref().map(|tested| &tested.fit));
    walked.iter().flat_map(of_window).chain(wholes.iter().map(|whole| &whole.fit))
}

/// Returns of the tests, one after the other; a window without a choice stayed out of the market.
fn stitched(walked: &[Walked], wholes: &[Whole]) -> Vec<(Date, f64)> {
    let calendar = wholes.first().map_or(&[][..], |whole| &whole.returns);
    let idle = |window: &Walked| {
        let (first, after) = window.window.dates;
        calendar.iter().filter(move |(date, _)| (first..after).contains(date)).map(|(date, _)| (*date, 0.0)).collect()
    };
    walked.iter().flat_map(|window| window.tested.as_ref().map_or_else(|| idle(window), |test| test.returns.clone())).collect()
}

fn wealth(returns: &[(Date, f64)]) -> Vec<(Date, f64)> {
    let grow = |wealth: &mut f64, (date, value): &(Date, f64)| {
        *wealth *= 1.0 + value;
        Some((*date, *wealth))
    };
    returns.iter().scan(1.0, grow).collect()
}

fn results(returns: &[(Date, f64)]) -> DailyResults {
    let values: Vec<f64> = std::iter::once(1.0).chain(wealth(returns).into_iter().map(|(_, value)| value)).collect();
    let span = returns.first().zip(returns.last()).map(|(first, last)| (first.0.yesterday().unwrap_or(first.0), last.0));
    DailyResults::of(&values, span)
}

/// How often the best conditions on a Sharpe ratio are met without skill: it must be so many standard errors above zero.
fn by_luck(fits: u64) -> Option<f64> {
    let above_luck = stats::expected_maximum(fits as f64)? + stats::normal_quantile(LEVEL)?;
    stats::normal_survival(above_luck.max(stats::normal_quantile(0.5 + LEVEL / 2.0)?)).into()
}

fn resampled(returns: &[(Date, f64)], account: &DailyResults) -> Option<(f64, f64)> {
    let returns: Vec<f64> = returns.iter().map(|(_, value)| *value).collect();
    let (resampler, length) = (Resampler::new(&returns, 0.0)?, stats::optimal_block_lengths(&returns)?.stationary);
    let observed = account.observed()?;
    let error = observed.standard_error()?;
    let student = |replica: Replica| Some((replica.sharpe? - observed.sharpe) / replica.sharpe_error?);
    let replicas = resampler.replications(Scheme::Stationary(length), SEED, 0..REPLICATIONS);
    let mut sorted: Vec<f64> = replicas.filter_map(student).collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = ends(stats::studentised_interval(observed.sharpe, error, &sorted, LEVEL)?);
    let annual = libm::sqrt(account.days_per_year?);
    Some((low * annual, high * annual))
}

impl Efficiency {
    fn of(walked: &[Walked]) -> Self {
        let chosen = |window: &Walked| window.fits.get(window.chosen?)?.account.sharpe;
        let trained = stats::mean(&walked.iter().filter_map(chosen).collect::<Vec<_>>());
        let tests: Vec<f64> =
            walked.iter().filter_map(|window| window.tested.as_ref()).filter_map(|test| test.fit.account.sharpe).collect();
        let tested = stats::mean(&tests);
        let kept = trained.filter(|trained| *trained > 0.0).zip(tested).map(|(trained, tested)| tested / trained);
        Self { trained, tested, kept }
    }
}

impl Stability {
    fn of(walked: &[Walked], grid: &[Candidate]) -> Self {
        let chosen: Vec<Option<usize>> = walked.iter().map(|window| window.chosen).collect();
        let mut counts = BTreeMap::<usize, u64>::new();
        for candidate in chosen.iter().flatten() {
            *counts.entry(*candidate).or_default() += 1;
        }
        let mut choices: Vec<(Candidate, u64)> =
            counts.iter().filter_map(|(candidate, count)| Some((*grid.get(*candidate)?, *count))).collect();
        choices.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let pairs = chosen.windows(2);
        Self {
            pairs: pairs.len() as u64,
            changes: pairs.filter(|pair| pair.first() != pair.last()).count() as u64,
            distinct: choices.len() as u64,
            choices,
        }
    }
}
