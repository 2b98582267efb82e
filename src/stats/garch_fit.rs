//! The parameters of a GARCH(1,1) that make returns likeliest.
//!
//! The method of scoring (Fiorentini, Calzolari and Panattoni 1996): the analytic gradient against the expected information, damped as by
//! Levenberg and Marquardt. No randomness, so the same returns give the same fit. The parameters move in coordinates in which positivity
//! and stationarity cannot be left: μ, ln ω, the logit of α + β, and the logit of α's share in it.

use crate::stats::descriptive::defined;
use crate::stats::mean;
use crate::stats::metrics::spread;
use crate::stats::volatility::{Garch, Presample};

/// Fewer returns say nothing about how their variance moves.
const LEAST: usize = 100;
/// More steps than any series needed.
const STEPS: usize = 500;
/// A step that promises less gain in log-likelihood is the last.
const CLOSE_ENOUGH: f64 = 1e-10;
/// Damping from which on no step is tried any more.
const STIFFEST: f64 = 1e12;
/// Coordinates are kept within: beyond, nothing changes but rounding.
const FARTHEST: f64 = 30.0;
/// Where the search may begin: α and α + β; it does where the returns are likeliest.
const STARTS: [(f64, f64); 6] = [(0.02, 0.60), (0.03, 0.98), (0.08, 0.90), (0.08, 0.98), (0.20, 0.70), (0.20, 0.95)];

type Four = [f64; 4];

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GarchFit {
    /// The parameters.
    pub model: Garch,
    /// Gaussian log-likelihood at them, from the backcast on.
    pub log_likelihood: f64,
    /// The variance of the next return.
    pub next_variance: f64,
}

impl Garch {
    /// The likeliest stationary model, from the backcast on. Where no change of variance is seen, `α = β = 0`. `None` below 100 returns,
    /// without variance, or where the search does not arrive.
    pub fn fit(returns: &[f64]) -> Option<GarchFit> {
        let (centre, scale) = (mean(returns)?, spread(returns)?);
        let enough = returns.len() >= LEAST;
        let scaled: Vec<f64> = enough.then(|| returns.iter().map(|value| (value - centre) / scale).collect())?;
        let before = Presample::Backcast.of(&scaled)?;
        let best = likeliest(&scaled, before)?;
        let model = Self { mean: centre + scale * best.mean, omega: scale * scale * best.omega, ..best };
        let log_likelihood = model.log_likelihood(returns, Presample::Backcast)?;
        Some(GarchFit { model, log_likelihood, next_variance: model.next_variance(returns, Presample::Backcast)? })
    }
}

fn likeliest(scaled: &[f64], before: f64) -> Option<Garch> {
    let presample = Presample::Variance(before);
    let likelihood = |model: &Garch| model.log_likelihood(scaled, presample).unwrap_or(f64::NEG_INFINITY);
    let starts = STARTS.map(|(alpha, both)| Garch { mean: 0.0, omega: 1.0 - both, alpha, beta: both - alpha });
    let start = starts.iter().max_by(|a, b| likelihood(a).total_cmp(&likelihood(b)))?;
    let found = climb(scaled, before, Place::of(start))?;
    // Of standardised returns: mean 0, and the variance with divisor n.
    let flat = Garch { mean: 0.0, omega: (scaled.len() - 1) as f64 / scaled.len() as f64, alpha: 0.0, beta: 0.0 };
    Some(if likelihood(&flat) + CLOSE_ENOUGH >= likelihood(&found) { flat } else { found })
}

/// Climbs until a step promises nothing any more.
fn climb(scaled: &[f64], before: f64, start: Place) -> Option<Garch> {
    let (mut place, mut slope) = (start, Slope::at(&start.model(), scaled, before)?);
    let mut damping = 1e-3;
    for _ in 0..STEPS {
        let (gradient, information) = place.turned(&slope);
        let damped = |damping: f64| {
            let mut matrix = information;
            for (index, row) in matrix.iter_mut().enumerate() {
                if let Some(own) = row.get_mut(index) {
                    *own += damping * own.max(1e-9);
                }
            }
            solve(matrix, gradient)
        };
        loop {
            if damping > STIFFEST {
                return Some(place.model());
            }
            // Where a coordinate has no say any more, rounding leaves the system without a solution until it is damped.
            let Some(step) = damped(damping) else {
                damping *= 10.0;
                continue;
            };
            let next = place.moved(step);
            // What a coordinate at its end does not move promises nothing.
            let promised: f64 = next.from(&place).iter().zip(gradient).map(|(step, along)| step * along).sum();
            if promised.abs() < CLOSE_ENOUGH {
                return Some(place.model());
            }
            match Slope::at(&next.model(), scaled, before).filter(|found| found.likelihood > slope.likelihood) {
                Some(found) => {
                    if found.likelihood - slope.likelihood < CLOSE_ENOUGH {
                        return Some(next.model());
                    }
                    (place, slope) = (next, found);
                    damping = (damping / 10.0).max(1e-9);
                    break;
                }
                None => damping *= 10.0,
            }
        }
    }
    None
}

/// A model in coordinates that cannot leave what is allowed.
#[derive(Debug, Clone, Copy)]
struct Place {
    mean: f64,
    ln_omega: f64,
    both: f64,
    share: f64,
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn logit(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

impl Place {
    fn of(model: &Garch) -> Self {
        let both = model.alpha + model.beta;
        Self { mean: model.mean, ln_omega: libm::log(model.omega), both: logit(both), share: logit(model.alpha / both) }
    }

    fn model(&self) -> Garch {
        let (both, share) = (logistic(self.both), logistic(self.share));
        let alpha = both * share;
        Garch { mean: self.mean, omega: libm::exp(self.ln_omega), alpha, beta: both - alpha }
    }

    fn moved(&self, [mean, omega, both, share]: Four) -> Self {
        let within = |value: f64| value.clamp(-FARTHEST, FARTHEST);
        Self {
            mean: self.mean + mean,
            ln_omega: within(self.ln_omega + omega),
            both: within(self.both + both),
            share: within(self.share + share),
        }
    }

    /// The step that leads here from another place.
    fn from(&self, other: &Self) -> Four {
        [self.mean - other.mean, self.ln_omega - other.ln_omega, self.both - other.both, self.share - other.share]
    }

    /// Gradient and information in these coordinates, by the chain rule.
    fn turned(&self, slope: &Slope) -> (Four, [Four; 4]) {
        let (both, share) = (logistic(self.both), logistic(self.share));
        let (by_both, by_share) = (both * (1.0 - both), both * share * (1.0 - share));
        // Each coordinate's direction in (μ, ω, α, β).
        let turns: [Four; 4] = [
            [1.0, 0.0, 0.0, 0.0],
            [0.0, libm::exp(self.ln_omega), 0.0, 0.0],
            [0.0, 0.0, by_both * share, by_both * (1.0 - share)],
            [0.0, 0.0, by_share, -by_share],
        ];
        let dot = |a: &Four, b: &Four| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let through = |direction: &Four| slope.information.map(|row| dot(&row, direction));
        let information = turns.map(|one| turns.map(|other| dot(&one, &through(&other))));
        (turns.map(|direction| dot(&direction, &slope.gradient)), information)
    }
}

/// The log-likelihood at a model, less its constant, with gradient and expected information in (μ, ω, α, β).
struct Slope {
    likelihood: f64,
    gradient: Four,
    information: [Four; 4],
}

impl Slope {
    fn at(model: &Garch, returns: &[f64], before: f64) -> Option<Self> {
        let Garch { mean, omega, alpha, beta } = *model;
        let (mut logs, mut batch, mut squares, mut seen) = (0.0, 1.0, 0.0, 0_u32);
        let (mut gradient, mut of_mean) = ([0.0; 4], 0.0);
        // The upper half of the information, row by row.
        let mut upper = [0.0; 10];
        let mut variance = omega + (alpha + beta) * before;
        let mut by: Four = [0.0, 1.0, before, before];
        for value in returns {
            let residual = value - mean;
            let square = residual * residual;
            let weight = 1.0 / variance;
            squares += square * weight;
            batch *= variance;
            seen += 1;
            if seen.is_multiple_of(8) {
                logs += libm::log(batch);
                batch = 1.0;
            }
            let [m, o, a, b] = by.map(|part| part * weight);
            let surprise = 0.5 * (square * weight - 1.0);
            gradient = [
                gradient[0] + surprise * m + residual * weight,
                gradient[1] + surprise * o,
                gradient[2] + surprise * a,
                gradient[3] + surprise * b,
            ];
            of_mean += weight;
            for (sum, product) in upper.iter_mut().zip([m * m, m * o, m * a, m * b, o * o, o * a, o * b, a * a, a * b, b * b]) {
                *sum += product;
            }
            by = [beta * by[0] - 2.0 * alpha * residual, beta * by[1] + 1.0, beta * by[2] + square, beta * by[3] + variance];
            variance = omega + alpha * square + beta * variance;
        }
        let [mm, mo, ma, mb, oo, oa, ob, aa, ab, bb] = upper.map(|sum| 0.5 * sum);
        let information = [[mm + of_mean, mo, ma, mb], [mo, oo, oa, ob], [ma, oa, aa, ab], [mb, ob, ab, bb]];
        let likelihood = defined(-0.5 * (logs + libm::log(batch) + squares))?;
        Some(Self { likelihood, gradient, information })
    }
}

/// Solves a small symmetric positive system by Cholesky. `None` where it is not positive.
#[expect(clippy::indexing_slicing, reason = "places are bounded by the size of the array")]
fn solve(matrix: [Four; 4], right: Four) -> Option<Four> {
    let (mut lower, mut half, mut found) = ([[0.0; 4]; 4], [0.0; 4], [0.0; 4]);
    for row in 0..4 {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest: f64 = matrix[row][column] - known;
            lower[row][column] = if row == column { libm::sqrt(rest) } else { rest / lower[column][column] };
        }
        if lower[row][row].is_nan() || lower[row][row] <= 0.0 {
            return None;
        }
        let known: f64 = (0..row).map(|k| lower[row][k] * half[k]).sum();
        half[row] = (right[row] - known) / lower[row][row];
    }
    for row in (0..4).rev() {
        let known: f64 = (row + 1..4).map(|k| lower[k][row] * found[k]).sum();
        found[row] = (half[row] - known) / lower[row][row];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Generator;

    /// Returns of a model, drawn from a seed.
    fn drawn(model: &Garch, count: usize, seed: u64) -> Vec<f64> {
        let mut generator = Generator::new(seed);
        let mut variance = model.omega / (1.0 - model.alpha - model.beta);
        let mut one = |_| {
            let shock = generator.normal() * libm::sqrt(variance);
            variance = model.omega + model.alpha * shock * shock + model.beta * variance;
            model.mean + shock
        };
        (0..count).map(&mut one).collect()
    }

    #[test]
    fn what_was_planted_is_found() {
        let planted = Garch { mean: 0.0005, omega: 2e-6, alpha: 0.08, beta: 0.90 };
        let fit = Garch::fit(&drawn(&planted, 20_000, 5)).unwrap();
        let close = |found: f64, planted: f64, within: f64| assert!((found - planted).abs() < within, "{fit:?}");
        close(fit.model.alpha, 0.08, 0.01);
        close(fit.model.beta, 0.90, 0.015);
        close(fit.model.mean, 0.0005, 2e-4);
        assert!(fit.model.is_stationary());
    }

    #[test]
    fn the_gradient_is_that_of_the_likelihood() {
        let returns = drawn(&Garch { mean: 0.1, omega: 0.05, alpha: 0.1, beta: 0.85 }, 300, 8);
        let at = Garch { mean: 0.05, omega: 0.08, alpha: 0.12, beta: 0.8 };
        let slope = Slope::at(&at, &returns, 1.1).unwrap();
        let move_by = |index: usize, by: f64| {
            let mut parts = [at.mean, at.omega, at.alpha, at.beta];
            parts[index] += by;
            let [mean, omega, alpha, beta] = parts;
            Garch { mean, omega, alpha, beta }.log_likelihood(&returns, Presample::Variance(1.1)).unwrap()
        };
        for (index, ours) in slope.gradient.into_iter().enumerate() {
            let theirs = (move_by(index, 1e-6) - move_by(index, -1e-6)) / 2e-6;
            assert!((ours - theirs).abs() < 1e-4 * theirs.abs().max(1.0), "{index}: {ours} {theirs}");
        }
    }

    #[test]
    fn too_few_or_still_returns_have_no_fit() {
        let model = Garch { mean: 0.0, omega: 0.1, alpha: 0.1, beta: 0.8 };
        assert_eq!(Garch::fit(&drawn(&model, 99, 1)), None);
        assert!(Garch::fit(&drawn(&model, 100, 1)).is_some());
        assert_eq!(Garch::fit(&[0.01; 500]), None);
        let mut broken = drawn(&model, 200, 1);
        broken[7] = f64::NAN;
        assert_eq!(Garch::fit(&broken), None);
    }
}
