//! Volatility that changes with time: exponentially weighted, and GARCH(1,1); value at risk and shortfall of a normal loss.
//!
//! Returns in, a variance a period out, in the returns' own unit squared. What came before the first return is not known, so both begin at
//! the *backcast*: the first 75 squared residuals weighted with 0.94 to the power of their place, newest last (arch's convention). Other
//! programs begin at the mean square; a likelihood is comparable only with the same beginning.

use crate::stats::descriptive::{are_finite, defined};
use crate::stats::{mean, normal_density, normal_quantile};

/// RiskMetrics' decay for daily returns (J.P. Morgan and Reuters, Technical Document, 1996).
pub const RISK_METRICS: f64 = 0.94;
/// Residuals that the backcast looks at.
const BACKCAST: usize = 75;
/// Variances that are multiplied before one logarithm is taken of all.
const BATCH: usize = 8;
/// ln 2π.
const LN_TAU: f64 = 1.837_877_066_409_345_5;

/// Parameters of a GARCH(1,1) with a constant mean (Bollerslev 1986): `σ²ₜ = ω + α ε²ₜ₋₁ + β σ²ₜ₋₁` with `ε = r − μ`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Garch {
    /// μ, a period.
    pub mean: f64,
    /// ω, above zero.
    pub omega: f64,
    /// α, what the last move adds; not below zero.
    pub alpha: f64,
    /// β, what stays of the last variance; not below zero.
    pub beta: f64,
}

/// The variance that stands for everything before the first return, in place of both ε² and σ².
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Presample {
    /// The backcast of the returns about **their own** mean, whatever the model's (arch).
    Backcast,
    /// This one; the mean squared residual where the benchmark of Fiorentini, Calzolari and Panattoni (1996) is meant.
    Variance(f64),
}

/// The backcast of residuals. `None` for none, or where they do not move.
pub fn backcast(residuals: &[f64]) -> Option<f64> {
    let (mut weight, mut weights, mut sum) = (1.0, 0.0, 0.0);
    for residual in residuals.iter().take(BACKCAST) {
        sum += weight * residual * residual;
        weights += weight;
        weight *= RISK_METRICS;
    }
    defined(sum / weights).filter(|variance| *variance > 0.0)
}

/// The variance of the next return, about zero: `σ²ₜ = λ σ²ₜ₋₁ + (1 − λ) r²ₜ₋₁` from the backcast on. `None` for no returns, returns
/// that do not move, or a decay outside (0, 1).
pub fn ewma_variance(returns: &[f64], decay: f64) -> Option<f64> {
    let is_decay = decay > 0.0 && decay < 1.0;
    let first = backcast(returns).filter(|_| is_decay && are_finite(returns))?;
    let next = |variance: f64, value: &f64| decay * variance + (1.0 - decay) * value * value;
    defined(returns.iter().fold(first, next)).filter(|variance| *variance > 0.0)
}

impl Garch {
    /// Whether variances stay positive and come back: `ω > 0`, `α ≥ 0`, `β ≥ 0`, `α + β < 1`.
    pub fn is_stationary(&self) -> bool {
        let all = [self.mean, self.omega, self.alpha, self.beta];
        are_finite(&all) && self.omega > 0.0 && self.alpha >= 0.0 && self.beta >= 0.0 && self.alpha + self.beta < 1.0
    }

    /// Gaussian log-likelihood. `None` where the model is not stationary, or the returns say nothing.
    pub fn log_likelihood(&self, returns: &[f64], presample: Presample) -> Option<f64> {
        let (mut batch, mut logs, mut squares) = (1.0, 0.0, 0.0);
        let mut seen = 0_usize;
        let each = |variance: f64, square: f64| {
            seen += 1;
            squares += square / variance;
            batch *= variance;
            if seen.is_multiple_of(BATCH) {
                logs += libm::log(batch);
                batch = 1.0;
            }
        };
        self.walk(returns, presample, each)?;
        let constant = seen as f64 * LN_TAU;
        defined(-0.5 * (constant + logs + libm::log(batch) + squares))
    }

    /// The variance of the next return, one step ahead. `None` as for the likelihood.
    pub fn next_variance(&self, returns: &[f64], presample: Presample) -> Option<f64> {
        self.walk(returns, presample, |_, _| {})
    }

    /// Walks along the returns with each one's variance and squared residual; returns the variance after the last.
    fn walk(&self, returns: &[f64], presample: Presample, mut each: impl FnMut(f64, f64)) -> Option<f64> {
        if !self.is_stationary() || !are_finite(returns) {
            return None;
        }
        let before = presample.of(returns)?;
        let mut variance = self.omega + (self.alpha + self.beta) * before;
        for value in returns {
            let square = (value - self.mean) * (value - self.mean);
            each(variance, square);
            variance = self.omega + self.alpha * square + self.beta * variance;
        }
        defined(variance)
    }
}

impl Presample {
    /// The variance of before the first return. `None` where there is none above zero.
    pub fn of(self, returns: &[f64]) -> Option<f64> {
        match self {
            Self::Variance(variance) => defined(variance).filter(|variance| *variance > 0.0),
            Self::Backcast => {
                let centre = mean(returns)?;
                let residuals: Vec<f64> = returns.iter().take(BACKCAST).map(|value| value - centre).collect();
                backcast(&residuals)
            }
        }
    }
}

/// Value at risk of a normal return as a positive loss a period: `−μ − σ Φ⁻¹(tail)`; `tail` is 0.01 for VaR 99 %. `None` for a
/// volatility that is not positive, or a tail outside (0, 1).
pub fn normal_value_at_risk(mean: f64, volatility: f64, tail: f64) -> Option<f64> {
    (volatility > 0.0).then(|| normal_quantile(tail)).flatten().and_then(|quantile| defined(-mean - volatility * quantile))
}

/// Expected shortfall of a normal return as a positive loss a period: `−μ + σ φ(Φ⁻¹(tail)) / tail`. `None` as for the value at risk.
pub fn normal_expected_shortfall(mean: f64, volatility: f64, tail: f64) -> Option<f64> {
    let quantile = (volatility > 0.0).then(|| normal_quantile(tail)).flatten()?;
    defined(-mean + volatility * normal_density(quantile) / tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: Garch = Garch { mean: 0.0, omega: 0.1, alpha: 0.2, beta: 0.7 };

    #[test]
    fn three_steps_by_hand() {
        let returns = [1.0, -2.0];
        // 0.1 + 0.9 · 1; 0.1 + 0.2 · 1 + 0.7 · 1; 0.1 + 0.2 · 4 + 0.7 · 1.
        let next = MODEL.next_variance(&returns, Presample::Variance(1.0)).unwrap();
        assert!((next - 1.6).abs() < 1e-15, "{next}");
        let by_hand = -0.5 * (2.0 * LN_TAU + 1.0 + 4.0);
        let found = MODEL.log_likelihood(&returns, Presample::Variance(1.0)).unwrap();
        assert!((found - by_hand).abs() < 1e-14, "{found}");
        let ewma = ewma_variance(&returns, 0.5).unwrap();
        let first = (1.0 + RISK_METRICS * 4.0) / (1.0 + RISK_METRICS);
        assert!((ewma - (0.25 * first + 0.25 + 2.0)).abs() < 1e-15, "{ewma}");
    }

    #[test]
    fn what_is_undefined_is_none() {
        let returns = [0.01, -0.02, 0.005];
        for model in [
            Garch { omega: 0.0, ..MODEL },
            Garch { alpha: -0.01, ..MODEL },
            Garch { beta: -0.01, ..MODEL },
            Garch { alpha: 0.3, ..MODEL },
            Garch { mean: f64::NAN, ..MODEL },
        ] {
            assert_eq!(model.log_likelihood(&returns, Presample::Backcast), None, "{model:?}");
        }
        assert_eq!(MODEL.log_likelihood(&[], Presample::Backcast), None);
        assert_eq!(MODEL.log_likelihood(&[1.0, f64::NAN], Presample::Variance(1.0)), None);
        assert_eq!(MODEL.next_variance(&returns, Presample::Variance(0.0)), None);
        assert_eq!(ewma_variance(&[0.0, 0.0], RISK_METRICS), None);
        assert_eq!(ewma_variance(&returns, 1.0), None);
        assert_eq!(normal_value_at_risk(0.0, 0.0, 0.01), None);
        assert_eq!(normal_expected_shortfall(0.0, 0.01, 0.0), None);
    }
}
