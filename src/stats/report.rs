//! Everything this room can say of one series of simple returns, put together: metrics, intervals, tests, and what follows.
//!
//! The figures of [`Report`] take microseconds; those of [`Resampling`] take replications, which a caller may draw in portions.

use core::ops::Range;
use std::sync::OnceLock;

use serde::Serialize;

use crate::stats::descriptive::defined;
use crate::stats::metrics::{
    annual_growth, calmar, drawdown, expected_shortfall, hit_rate, omega, percentile_interval, shape, sortino, value_at_risk,
};
use crate::stats::{
    Bandwidth, Centre, Interval, Lags, Observed, Reading, Replica, Resampler, Scheme, Tested, annualised_volatility,
    dickey_fuller, durbin_watson, f_test, jarque_bera, kpss, levene, ljung_box, mean, newey_west, newey_west_lags,
    optimal_block_lengths, standard_deviation, student_t_quantile, studentised_interval, t_test, wilson_95,
};

/// Confidence of every interval, and of the track record.
const LEVEL: f64 = 0.95;
/// Below this a p-value speaks against what a test supposes.
const REJECTED_BELOW: f64 = 0.05;
/// Autocorrelations that Ljung and Box's tests look at: two weeks of days.
const MEMORY: usize = 10;

/// What a test supposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Supposed {
    /// The mean is zero, for independent returns (Student).
    MeanZero,
    /// The mean is zero, whatever returns remember (Newey and West 1987, Bartlett weights).
    MeanZeroRobust,
    /// Returns are normal (Jarque and Bera 1987).
    Normal,
    /// Returns remember nothing for ten periods (Ljung and Box 1978).
    NoMemory,
    /// Squared returns remember nothing for ten periods: calm and nervous times do not take turns.
    NoMemoryOfSquares,
    /// A return does not depend on the last one (Durbin and Watson 1950); about 2 then, and no p-value.
    NoStep,
    /// Returns wander: a unit root (Said and Dickey 1984, lags by Akaike's criterion).
    UnitRoot,
    /// Returns have a steady level (Kwiatkowski, Phillips, Schmidt and Shin 1992).
    SteadyLevel,
    /// The variances of the two halves are equal (F, which trusts normality).
    EqualHalves,
    /// The same by Brown and Forsythe 1974, which withstands fat tails.
    EqualHalvesRobust,
}

/// A test with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Check {
    /// What it supposes.
    pub supposes: Supposed,
    /// The statistic; undefined for too few or unvarying returns.
    pub statistic: Option<f64>,
    /// Two-sided p-value, where the test has one.
    pub p: Option<f64>,
    /// Where a p-value from a table stands.
    pub reading: Option<Reading>,
    /// Lags that were looked at, where the test has some.
    pub lags: Option<usize>,
    /// Whether the p-value is below 0.05.
    pub is_rejected: Option<bool>,
}

impl Check {
    fn of(supposes: Supposed, tested: Option<Tested>, lags: Option<usize>) -> Self {
        let p = tested.map(|tested| tested.p);
        let is_rejected = p.map(|p| p < REJECTED_BELOW);
        Self { supposes, statistic: tested.map(|tested| tested.statistic), p, reading: None, lags, is_rejected }
    }
}

/// The worst fall of compounded wealth; see [`crate::stats::Drawdown`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fall {
    /// Largest fall from a peak as a positive share of it.
    pub depth: f64,
    /// Periods from that peak to the trough.
    pub to_trough: usize,
    /// Longest run of periods below an earlier peak.
    pub longest: usize,
}

/// Loss at a level, a period, as positive shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Loss {
    /// Share of returns that are worse, 0.05 or 0.01.
    pub level: f64,
    /// Historical value at risk, a type 7 quantile.
    pub value_at_risk: Option<f64>,
    /// Mean of what is worse (Rockafellar and Uryasev 2002).
    pub expected_shortfall: Option<f64>,
}

/// What a series of simple returns says. Shares, not percent; "a year" means times `periods_per_year`, or its root. No interest is
/// taken off anywhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Returns.
    pub count: usize,
    /// Periods that make a year.
    pub periods_per_year: f64,
    /// Arithmetic mean a period.
    pub mean: Option<f64>,
    /// Its 95 % interval by Student's t, as if returns were independent.
    pub mean_interval: Option<Interval>,
    /// Standard deviation (n − 1) a period.
    pub deviation: Option<f64>,
    /// The mean times the periods of a year.
    pub annual_mean: Option<f64>,
    /// Compound growth a year.
    pub annual_growth: Option<f64>,
    /// Growth of wealth from the first to the last return.
    pub total_return: Option<f64>,
    /// The deviation times the root of the periods of a year.
    pub volatility: Option<f64>,
    /// Third standardised moment, biased.
    pub skewness: Option<f64>,
    /// Fourth standardised moment, biased; 3 for a normal distribution.
    pub kurtosis: Option<f64>,
    /// Mean over deviation, a year.
    pub sharpe: Option<f64>,
    /// Its 95 % interval for independent, not necessarily normal returns (Lo 2002, Mertens 2002), a year.
    pub sharpe_interval: Option<Interval>,
    /// Probability that the true Sharpe ratio is above zero (Bailey and López de Prado 2012).
    pub above_zero: Option<f64>,
    /// Returns needed before it is with 95 %. `None` where the Sharpe ratio is not above zero: no record is long enough.
    pub returns_needed: Option<f64>,
    /// Mean over the root mean square of losses, a year (Sortino and Price 1994).
    pub sortino: Option<f64>,
    /// Compound growth a year over the deepest drawdown.
    pub calmar: Option<f64>,
    /// Sum of gains over sum of losses.
    pub omega: Option<f64>,
    /// The deepest drawdown of compounded wealth; undefined where a return loses more than everything.
    pub drawdown: Option<Fall>,
    /// Returns above zero.
    pub gains: u64,
    /// Their share.
    pub hit_rate: Option<f64>,
    /// Its 95 % interval (Wilson 1927).
    pub hit_interval: Option<Interval>,
    /// Losses at 5 % and 1 %.
    pub losses: [Loss; 2],
    /// Tests, always in the same order.
    pub checks: [Check; 10],
}

impl Report {
    /// Measures simple returns, oldest first. What they do not define is `None`.
    pub fn of(returns: &[f64], periods_per_year: f64) -> Self {
        let annual = |ratio: f64| defined(ratio * libm::sqrt(periods_per_year));
        let observed = Observed::of(returns, 0.0);
        let shape = shape(returns);
        let mut sorted = returns.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let loss = |level| Loss {
            level,
            value_at_risk: value_at_risk(&sorted, level),
            expected_shortfall: expected_shortfall(&sorted, level),
        };
        let mean = mean(returns);
        let hit_rate = hit_rate(returns);
        let gains = returns.iter().filter(|value| **value > 0.0).count() as u64;
        Self {
            count: returns.len(),
            periods_per_year,
            mean,
            mean_interval: mean_interval(returns),
            deviation: standard_deviation(returns),
            annual_mean: mean.and_then(|mean| defined(mean * periods_per_year)),
            annual_growth: annual_growth(returns, periods_per_year),
            total_return: annual_growth(returns, returns.len() as f64),
            volatility: annualised_volatility(returns, periods_per_year),
            skewness: shape.map(|shape| shape.skewness),
            kurtosis: shape.map(|shape| shape.kurtosis),
            sharpe: observed.and_then(|observed| annual(observed.sharpe)),
            sharpe_interval: observed.and_then(|observed| observed.interval(LEVEL)).and_then(|range| scaled(range, annual)),
            above_zero: observed.and_then(|observed| observed.probabilistic(0.0)),
            returns_needed: observed.and_then(|observed| observed.minimum_track_record(0.0, LEVEL)),
            sortino: sortino(returns, 0.0, periods_per_year),
            calmar: calmar(returns, periods_per_year),
            omega: omega(returns, 0.0),
            drawdown: drawdown(returns).map(|fall| Fall { depth: fall.depth, to_trough: fall.to_trough, longest: fall.longest }),
            gains,
            hit_rate,
            hit_interval: hit_rate.and_then(|_| wilson_95(gains, returns.len() as u64)),
            losses: [loss(0.05), loss(0.01)],
            checks: checks(returns),
        }
    }
}

fn mean_interval(returns: &[f64]) -> Option<Interval> {
    let (centre, n) = (mean(returns)?, returns.len() as f64);
    let half = student_t_quantile(0.5 + LEVEL / 2.0, n - 1.0)? * standard_deviation(returns)? / libm::sqrt(n);
    Some(Interval { low: defined(centre - half)?, high: defined(centre + half)? })
}

fn scaled(range: Interval, by: impl Fn(f64) -> Option<f64>) -> Option<Interval> {
    Some(Interval { low: by(range.low)?, high: by(range.high)? })
}

fn squares(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value * value).collect()
}

fn checks(returns: &[f64]) -> [Check; 10] {
    let centre = mean(returns).unwrap_or_default();
    let residuals: Vec<f64> = returns.iter().map(|value| value - centre).collect();
    let (first, second) = returns.split_at(returns.len() / 2);
    let lags = newey_west_lags(returns.len());
    let unit_root = dickey_fuller(returns, Lags::Akaike);
    let level = kpss(returns, Bandwidth::Automatic);
    let step = durbin_watson(&residuals);
    let table = level.map(|level| Tested { statistic: level.statistic, p: level.p });
    [
        Check::of(Supposed::MeanZero, t_test(returns, 0.0), None),
        Check::of(Supposed::MeanZeroRobust, newey_west(returns, 0.0, lags), Some(lags)),
        Check::of(Supposed::Normal, jarque_bera(returns), None),
        Check::of(Supposed::NoMemory, ljung_box(returns, MEMORY, 0), Some(MEMORY)),
        Check::of(Supposed::NoMemoryOfSquares, ljung_box(&squares(returns), MEMORY, 0), Some(MEMORY)),
        Check { statistic: step, ..Check::of(Supposed::NoStep, None, Some(1)) },
        Check::of(
            Supposed::UnitRoot,
            unit_root.map(|found| Tested { statistic: found.statistic, p: found.p }),
            unit_root.map(|found| found.lags),
        ),
        Check {
            reading: level.map(|level| level.reading),
            // The table ends at 0.01, so that what is at most this is rejected too.
            ..Check::of(Supposed::SteadyLevel, table, level.map(|level| level.lags))
        },
        Check::of(Supposed::EqualHalves, f_test(first, second), None),
        Check::of(Supposed::EqualHalvesRobust, levene(&[first, second], Centre::Median), None),
    ]
}

/// What can be said of the Sharpe ratio's sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Every interval that is defined lies above zero.
    Above,
    /// Every one lies below.
    Below,
    /// One of them holds zero.
    NotSignificant,
    /// There is none.
    Undefined,
}

/// The sign that all intervals agree on. One for independent returns alone is too narrow where returns have memory, so each may object.
pub fn sign(intervals: &[Option<Interval>]) -> Sign {
    let known: Vec<Interval> = intervals.iter().copied().flatten().collect();
    if known.is_empty() {
        Sign::Undefined
    } else if known.iter().all(|range| range.low > 0.0) {
        Sign::Above
    } else if known.iter().all(|range| range.high < 0.0) {
        Sign::Below
    } else {
        Sign::NotSignificant
    }
}

/// What replications of a series in blocks say (Politis and Romano 1994).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Resampled {
    /// Replications.
    pub replications: usize,
    /// What they follow from.
    pub seed: u64,
    /// Mean length of a block.
    pub block_length: f64,
    /// 95 % percentile interval of the mean a period.
    pub mean_interval: Option<Interval>,
    /// 95 % studentised interval of the Sharpe ratio, a year.
    pub sharpe_interval: Option<Interval>,
    /// Where the deepest drawdown lies in 95 % of the replications.
    pub drawdown_range: Option<Interval>,
}

/// A series to draw replications from, made ready by the first draw.
#[derive(Debug, Clone)]
pub struct Resampling {
    returns: Vec<f64>,
    /// Made by the first draw.
    resampler: OnceLock<Option<Resampler>>,
    observed: Observed,
    periods_per_year: f64,
    block_length: f64,
    seed: u64,
}

impl Resampling {
    /// Takes simple returns, with blocks as long as returns or their squares ask for, whichever is more: means depend on the memory of
    /// returns, drawdowns on that of volatility as well. `None` where nothing can be resampled: below ten returns, without variance, or with
    /// a loss of everything.
    pub fn new(returns: &[f64], periods_per_year: f64, seed: u64) -> Option<Self> {
        let lengths = [optimal_block_lengths(returns), optimal_block_lengths(&squares(returns))];
        let block_length = lengths.into_iter().flatten().map(|lengths| lengths.stationary).reduce(f64::max)?.max(1.0);
        let observed = Observed::of(returns, 0.0)?;
        let (kept, resampler) = (returns.to_vec(), OnceLock::new());
        Resampler::takes(returns, 0.0).then_some(Self {
            returns: kept,
            resampler,
            observed,
            periods_per_year,
            block_length,
            seed,
        })
    }

    /// The replications with these numbers.
    pub fn draw(&self, numbers: Range<u64>) -> impl Iterator<Item = Replica> + '_ {
        let made = self.resampler.get_or_init(|| Resampler::new(&self.returns, 0.0)).as_ref();
        made.into_iter()
            .flat_map(move |made| made.replications(Scheme::Stationary(self.block_length), self.seed, numbers.clone()))
    }

    /// What replications say, in whatever order they stand.
    pub fn summary(&self, replicas: &[Replica]) -> Resampled {
        let ascending = |of: &dyn Fn(&Replica) -> Option<f64>| {
            let mut values: Vec<f64> = replicas.iter().filter_map(of).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let Observed { sharpe, .. } = self.observed;
        let students = ascending(&|replica| defined((replica.sharpe? - sharpe) / replica.sharpe_error?));
        let error = self.observed.standard_error();
        let interval = error.and_then(|error| studentised_interval(sharpe, error, &students, LEVEL));
        let annual = |ratio: f64| defined(ratio * libm::sqrt(self.periods_per_year));
        Resampled {
            replications: replicas.len(),
            seed: self.seed,
            block_length: self.block_length,
            mean_interval: percentile_interval(&ascending(&|replica| Some(replica.mean)), LEVEL),
            sharpe_interval: interval.and_then(|range| scaled(range, annual)),
            drawdown_range: percentile_interval(&ascending(&|replica| Some(replica.drawdown)), LEVEL),
        }
    }
}
