//! What a number of calls can decide about a hit rate.

use crate::stats::descriptive::defined;
use crate::stats::{binomial_at_least, normal_quantile};

/// A hit rate to be told from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// Hit rate without skill.
    pub base: f64,
    /// Hit rate to be found.
    pub skilled: f64,
    /// Probability of a false alarm, one-sided.
    pub false_alarm: f64,
}

/// Independent calls needed to find `skilled` with probability `power`: `((z_α √(p₀q₀) + z_β √(p₁q₁)) / (p₁ − p₀))²`, not rounded
/// (Fleiss, Statistical Methods for Rates and Proportions, one sample, one-sided, normal approximation). `None` where the rates are equal.
pub fn sample_size(contrast: Contrast, power: f64) -> Option<f64> {
    let Contrast { base, skilled, false_alarm } = contrast;
    let deviation = |rate: f64| libm::sqrt(rate * (1.0 - rate));
    let (alarm, miss) = (normal_quantile(1.0 - false_alarm)?, normal_quantile(power)?);
    let root = (alarm * deviation(base) + miss * deviation(skilled)) / (skilled - base);
    (base != skilled).then_some(root * root).and_then(defined)
}

/// Exact probability that the one-sided binomial test at `false_alarm` finds `skilled` in `calls`, and the hits that it demands.
pub fn exact_power(contrast: Contrast, calls: u64) -> Option<(u64, f64)> {
    if ![contrast.base, contrast.skilled, contrast.false_alarm].iter().all(|share| (0.0..=1.0).contains(share)) {
        return None;
    }
    let needed = (0..=calls + 1)
        .find(|hits| binomial_at_least(*hits, calls, contrast.base).is_some_and(|chance| chance <= contrast.false_alarm))?;
    Some((needed, binomial_at_least(needed, calls, contrast.skilled)?))
}

/// Exact probability that a source with hit rate `rate` passes a gate of "at least `gate` of `calls`": for a coin, how often the
/// gate is wrong.
pub fn pass_probability(rate: f64, gate: f64, calls: u64) -> Option<f64> {
    // Half a billionth is taken off so that 0.55 × 20 asks for 11, not 12.
    let needed = defined(libm::ceil(gate * calls as f64 - 5e-10))?;
    binomial_at_least(needed as u64, calls, rate)
}
