//! Replications of a series of returns: mean, Sharpe ratio and deepest drawdown of each, and intervals from them.
//!
//! A block's sums are differences of running sums, so that a mean or a Sharpe ratio costs as much as there are blocks; only the drawdown
//! walks every value. Nothing is allocated in a replication, and each has a generator of its own: a caller may share them among threads.

use crate::stats::blocks::{Generator, Scheme};
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

/// A series made ready to be resampled: running sums over two rounds of the circle.
#[derive(Debug, Clone)]
pub struct Resampler {
    count: usize,
    rate: f64,
    centre: f64,
    powers: Vec<Powers>,
    logs: Vec<f64>,
}

impl Resampler {
    /// Takes simple returns; the Sharpe ratio is in excess of `rate` a period. `None` below two returns, without variance, or with a loss of
    /// everything or more.
    pub fn new(returns: &[f64], rate: f64) -> Option<Self> {
        spread(returns)?;
        if !rate.is_finite() || returns.iter().any(|value| !value.is_finite() || *value <= -1.0) {
            return None;
        }
        let centre = mean(returns)?;
        let (mut sums, mut log) = (Powers::default(), 0.0);
        let (mut powers, mut logs) = (vec![sums], vec![log]);
        for value in returns.iter().chain(returns) {
            let away = value - centre;
            let mut power = 1.0;
            for sum in &mut sums.0 {
                power *= away;
                *sum += power;
            }
            log += libm::log1p(*value);
            powers.push(sums);
            logs.push(log);
        }
        Some(Self { count: returns.len(), rate, centre, powers, logs })
    }

    /// One replication; the same seed and number give the same.
    #[expect(
        clippy::indexing_slicing,
        reason = "a block starts before `count` and is at most `count` long; the sums go round twice"
    )]
    pub fn replicate(&self, scheme: Scheme, seed: u64, replication: u64) -> Replica {
        let mut generator = Generator::of_replication(seed, replication);
        let blocks = scheme.blocks();
        let (mut left, mut sums) = (self.count, Powers::default());
        let (mut log, mut peak, mut worst) = (0.0_f64, 0.0_f64, 0.0_f64);
        while left > 0 {
            let (start, length) = blocks.next(&mut generator, self.count, left);
            let end = start + length;
            for ((sum, after), before) in sums.0.iter_mut().zip(self.powers[end].0).zip(self.powers[start].0) {
                *sum += after - before;
            }
            let offset = log - self.logs[start];
            for value in &self.logs[start + 1..=end] {
                // Plain comparisons: `max` also asks about NaN, which `new` has excluded.
                let at = value + offset;
                peak = if at > peak { at } else { peak };
                let fall = peak - at;
                worst = if fall > worst { fall } else { worst };
            }
            log += self.logs[end] - self.logs[start];
            left -= length;
        }
        self.summary(sums, worst)
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

/// Studentised interval (Hall 1988): `estimate − t × error` at the quantiles of `(replica − estimate) / its error`, which must ascend.
/// Where values depend on each other both errors are wrong by about the same factor, which then cancels.
pub fn studentised_interval(estimate: f64, error: f64, sorted: &[f64], level: f64) -> Option<Interval> {
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (quantile_of_sorted(sorted, tail)?, quantile_of_sorted(sorted, 1.0 - tail)?);
    Some(Interval { low: defined(estimate - high * error)?, high: defined(estimate - low * error)? })
}
