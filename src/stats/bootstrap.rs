//! Replications of a series of returns: mean, Sharpe ratio and deepest drawdown of each, and intervals from them.
//!
//! No replication walks values: a block's sums are differences of running sums, and the drawdown is put together from stretches whose
//! lows, highs and falls are known beforehand. Nothing is allocated in a replication, and each has a generator of its own: a caller may
//! share them among threads.

use core::ops::Range;

use crate::stats::blocks::{Blocks, Generator, Scheme};
use crate::stats::descriptive::defined;
use crate::stats::metrics::{Shape, quantile_of_sorted, spread};
use crate::stats::sharpe::Observed;
use crate::stats::{Interval, mean};

/// What one replication gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replica {
    /// Mean a period.
    pub mean: f64,
    /// Standard error of the mean, as if independent.
    pub mean_error: f64,
    /// Sharpe ratio a period, n − 1; `None` without variance.
    pub sharpe: Option<f64>,
    /// Standard error of the Sharpe ratio, as if independent.
    pub sharpe_error: Option<f64>,
    /// Deepest drawdown as a positive share of the peak, from a wealth of 1.
    pub drawdown: f64,
}

/// Running sums of the powers of a value from the mean.
#[derive(Debug, Clone, Copy, Default)]
struct Powers([f64; 4]);

/// The longest stretch whose path is known beforehand. Longer ones make fewer steps of a long block, but a table that no longer stays near
/// the processor.
const STRETCH: usize = 8;

/// The path of logarithmic wealth over some values in a row, from where it was before them.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    low: f64,
    high: f64,
    /// Deepest fall from one of its points to a later one.
    fall: f64,
    end: f64,
}

impl Stretch {
    const EMPTY: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, fall: 0.0, end: 0.0 };

    fn then(self, change: f64) -> Self {
        let end = self.end + change;
        let high = larger(self.high, end);
        Self { low: -larger(-self.low, -end), high, fall: larger(self.fall, high - end), end }
    }
}

/// Plain comparison: `max` also asks about NaN, which a resampler excludes.
fn larger(one: f64, other: f64) -> f64 {
    if one > other { one } else { other }
}

/// Where logarithmic wealth is, and how deep it has fallen from its peak.
#[derive(Debug, Clone, Copy, Default)]
struct Path {
    at: f64,
    peak: f64,
    worst: f64,
}

impl Path {
    fn follow(&mut self, stretch: &Stretch) {
        let from_peak = self.peak - (self.at + stretch.low);
        self.worst = larger(larger(stretch.fall, from_peak), self.worst);
        self.peak = larger(self.at + stretch.high, self.peak);
        self.at += stretch.end;
    }
}

/// A series made ready to be resampled: running sums over two rounds of the circle, and the stretches from each of its values.
#[derive(Debug, Clone)]
pub struct Resampler {
    count: usize,
    rate: f64,
    centre: f64,
    powers: Vec<Powers>,
    /// Of lengths 1 to [`STRETCH`] from each value.
    stretches: Vec<[Stretch; STRETCH]>,
}

impl Resampler {
    /// Whether [`Self::new`] takes them.
    pub(super) fn takes(returns: &[f64], rate: f64) -> bool {
        let is_sound = rate.is_finite() && returns.iter().all(|value| value.is_finite() && *value > -1.0);
        is_sound && spread(returns).is_some()
    }

    /// Takes simple returns; the Sharpe ratio is in excess of `rate` a period. `None` below two returns, without variance, or with a loss of
    /// everything or more.
    pub fn new(returns: &[f64], rate: f64) -> Option<Self> {
        if !Self::takes(returns, rate) {
            return None;
        }
        let centre = mean(returns)?;
        let mut sums = Powers::default();
        let mut powers = vec![sums];
        for value in returns.iter().chain(returns) {
            let away = value - centre;
            let mut power = 1.0;
            for sum in &mut sums.0 {
                power *= away;
                *sum += power;
            }
            powers.push(sums);
        }
        Some(Self { count: returns.len(), rate, centre, powers, stretches: stretches(returns) })
    }

    /// One replication; the same seed and number give the same.
    pub fn replicate(&self, scheme: Scheme, seed: u64, replication: u64) -> Replica {
        self.replay(&scheme.blocks(), seed, replication)
    }

    /// Many replications, one after the other: the same as one by one, in less time.
    pub fn replications(&self, scheme: Scheme, seed: u64, numbers: Range<u64>) -> impl Iterator<Item = Replica> + '_ {
        let blocks = scheme.tabled();
        numbers.map(move |number| self.replay(&blocks, seed, number))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a block starts before `count` and is at most `count` long; the sums go round twice, stretches start anew"
    )]
    fn replay(&self, blocks: &Blocks, seed: u64, replication: u64) -> Replica {
        let mut generator = Generator::of_replication(seed, replication);
        let (mut left, mut sums, mut path) = (self.count, Powers::default(), Path::default());
        while left > 0 {
            let (start, length) = blocks.next(&mut generator, self.count, left);
            let (before, after) = (self.powers[start].0, self.powers[start + length].0);
            for ((sum, after), before) in sums.0.iter_mut().zip(after).zip(before) {
                *sum += after - before;
            }
            let (mut from, mut rest) = (start, length);
            while rest > STRETCH {
                path.follow(&self.stretches[from][STRETCH - 1]);
                rest -= STRETCH;
                from += STRETCH;
                from -= if from >= self.count { self.count } else { 0 };
            }
            path.follow(&self.stretches[from][rest - 1]);
            left -= length;
        }
        self.summary(sums, path.worst)
    }

    fn summary(&self, sums: Powers, worst: f64) -> Replica {
        let n = self.count as f64;
        let [first, second, third, fourth] = sums.0.map(|sum| sum / n);
        let mean = self.centre + first;
        let variance = second - first * first;
        let mean_error = libm::sqrt(variance.max(0.0) / (n - 1.0));
        let drawdown = -libm::expm1(-worst);
        if variance <= 1e-14 * second {
            return Replica { mean, mean_error, sharpe: None, sharpe_error: None, drawdown };
        }
        let deviation = libm::sqrt(variance);
        let skewness = (third - 3.0 * first * second + 2.0 * first * first * first) / (variance * deviation);
        let square = first * first;
        let kurtosis = (fourth - 4.0 * first * third + 6.0 * square * second - 3.0 * square * square) / (variance * variance);
        let sharpe = (mean - self.rate) / (deviation * libm::sqrt(n / (n - 1.0)));
        let sharpe_error = Observed { sharpe, count: self.count, shape: Shape { skewness, kurtosis } }.standard_error();
        Replica { mean, mean_error, sharpe: Some(sharpe), sharpe_error, drawdown }
    }
}

/// The stretches from each value, round the circle.
fn stretches(returns: &[f64]) -> Vec<[Stretch; STRETCH]> {
    let changes: Vec<f64> = returns.iter().map(|value| libm::log1p(*value)).collect();
    let from = |start: usize| {
        let mut later = changes.iter().skip(start).chain(changes.iter().cycle());
        let mut so_far = Stretch::EMPTY;
        [(); STRETCH].map(|()| {
            so_far = so_far.then(later.next().copied().unwrap_or_default());
            so_far
        })
    };
    (0..changes.len()).map(from).collect()
}

/// Studentised interval (Hall 1988): `estimate − t × error` at the quantiles of `(replica − estimate) / its error`, which must ascend.
/// Where values depend on each other both errors are wrong by about the same factor, which then cancels.
pub fn studentised_interval(estimate: f64, error: f64, sorted: &[f64], level: f64) -> Option<Interval> {
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (quantile_of_sorted(sorted, tail)?, quantile_of_sorted(sorted, 1.0 - tail)?);
    Some(Interval { low: defined(estimate - high * error)?, high: defined(estimate - low * error)? })
}
