//! How sure a Sharpe ratio is: standard error, probabilistic and deflated Sharpe ratio, track record length.
//!
//! Every Sharpe ratio here is **per period** (not annualised) with n − 1; kurtosis is 3 for a normal distribution.

use core::f64::consts::E;

use crate::stats::descriptive::defined;
use crate::stats::metrics::{Shape, shape, sharpe};
use crate::stats::{Interval, normal_cdf, normal_quantile};

/// The Euler–Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// An observed Sharpe ratio with what its uncertainty depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Sharpe ratio per period.
    pub sharpe: f64,
    /// Number of returns.
    pub count: usize,
    /// Skewness and kurtosis of the returns.
    pub shape: Shape,
}

impl Observed {
    /// Measures returns in excess of `rate` a period. `None` below two returns or without variance.
    pub fn of(returns: &[f64], rate: f64) -> Option<Self> {
        Some(Self { sharpe: sharpe(returns, rate, 1.0)?, count: returns.len(), shape: shape(returns)? })
    }

    /// `1 − γ₃ SR + (γ₄ − 1)/4 SR²`, the variance of √T × the estimate; `None` where a shape no sample has makes it negative.
    fn variance(&self, at: f64) -> Option<f64> {
        let variance = 1.0 - self.shape.skewness * at + (self.shape.kurtosis - 1.0) / 4.0 * at * at;
        (variance > 0.0).then_some(variance).and_then(defined)
    }

    /// Standard error for independent, not necessarily normal returns (Mertens 2002, divisor n; Lo 2002 for the normal case).
    pub fn standard_error(&self) -> Option<f64> {
        (self.count > 0).then_some(libm::sqrt(self.variance(self.sharpe)? / self.count as f64))
    }

    /// Interval `SR ± z × standard error` at `level`, e.g. 0.95.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let half = normal_quantile(0.5 + level / 2.0)? * self.standard_error()?;
        Some(Interval { low: self.sharpe - half, high: self.sharpe + half })
    }

    /// Probability that the true Sharpe ratio is above `benchmark` per period (Bailey and López de Prado 2012, eq. 8; divisor n − 1).
    pub fn probabilistic(&self, benchmark: f64) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let error = libm::sqrt(self.variance(self.sharpe)? / (self.count - 1) as f64);
        defined((self.sharpe - benchmark) / error).map(normal_cdf)
    }

    /// Deflated Sharpe ratio: probabilistic against the best of `trials` without skill, whose Sharpe ratios per period vary by
    /// `trial_variance` (Bailey and López de Prado 2014, eq. 9).
    pub fn deflated(&self, trials: f64, trial_variance: f64) -> Option<f64> {
        self.probabilistic(expected_maximum(trials)? * libm::sqrt(trial_variance))
    }

    /// Returns needed before the Sharpe ratio is above `benchmark` with probability `confidence` (2012, eq. 11). `None` where it is
    /// not above: no record is long enough.
    pub fn minimum_track_record(&self, benchmark: f64, confidence: f64) -> Option<f64> {
        if self.sharpe <= benchmark || !benchmark.is_finite() {
            return None;
        }
        let z = normal_quantile(confidence)? / (self.sharpe - benchmark);
        defined(1.0 + self.variance(self.sharpe)? * z * z)
    }
}

/// Expected largest of `trials` independent standard normal numbers (2014, eq. 6); `None` below two.
pub fn expected_maximum(trials: f64) -> Option<f64> {
    if trials.is_nan() || trials < 2.0 {
        return None;
    }
    let (one, two) = (normal_quantile(1.0 - 1.0 / trials)?, normal_quantile(1.0 - 1.0 / (trials * E))?);
    defined((1.0 - EULER_GAMMA) * one + EULER_GAMMA * two)
}

/// What a Sharpe ratio per period is multiplied by for `periods` of them when returns follow an AR(1) with coefficient `rho`
/// (Lo 2002, eq. 20): √periods for 0, less with trends.
pub fn annualising_factor(rho: f64, periods: u32) -> Option<f64> {
    if !(rho > -1.0 && rho < 1.0) || periods == 0 {
        return None;
    }
    let q = f64::from(periods);
    let drag = 2.0 * rho / (1.0 - rho) * (1.0 - (1.0 - libm::pow(rho, q)) / (q * (1.0 - rho)));
    defined(libm::sqrt(q) / libm::sqrt(1.0 + drag))
}
