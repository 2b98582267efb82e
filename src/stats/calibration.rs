//! How good stated chances are: a logistic curve from a score to a chance, the Brier score, and the calibration curve.

use crate::stats::{Interval, wilson_95};

/// Steps of Newton's method at most.
const STEPS: usize = 50;
/// It ends when no coefficient moves by more than this.
const CLOSE_ENOUGH: f64 = 1e-12;
/// A step is halved at most so often where it does not improve.
const HALVINGS: usize = 30;

/// A product of factors up to two is put into the sum of logarithms from here on.
const LARGE: f64 = 1e250;

/// A chance as a logistic function of one score: `1 / (1 + exp(−(intercept + slope · score)))` (Platt 1999, without his smoothing).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic {
    /// Log-odds at a score of zero.
    pub intercept: f64,
    /// Change of the log-odds with one unit of the score.
    pub slope: f64,
}

/// Calls of about the same stated chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Mean of the stated chances.
    pub stated: f64,
    /// Share that came true.
    pub happened: f64,
    /// Wilson's 95 % interval of that share, for independent calls.
    pub interval: Option<Interval>,
    /// How many calls.
    pub calls: usize,
}

impl Logistic {
    /// The curve that minimises `½ · penalty · slope² − log likelihood`, by Newton's method. The penalty keeps the slope finite where a
    /// score tells the outcomes apart perfectly, and small where few calls say anything. `None` where lengths differ, fewer than two
    /// calls, all outcomes alike, a number is not finite, the penalty is not positive, or the method does not arrive.
    pub fn fit(scores: &[f64], outcomes: &[bool], penalty: f64) -> Option<Self> {
        let happened = outcomes.iter().filter(|happened| **happened).count();
        let is_sound = scores.len() == outcomes.len() && happened > 0 && happened < outcomes.len() && penalty > 0.0;
        if !is_sound || !penalty.is_finite() || scores.iter().any(|score| !score.is_finite()) {
            return None;
        }
        let mut curve = Self { intercept: 0.0, slope: 0.0 };
        let mut loss = curve.loss(scores, outcomes, penalty);
        for _ in 0..STEPS {
            let (mut along, mut across) = ([0.0, penalty * curve.slope], [0.0, 0.0, penalty]);
            for (score, happened) in scores.iter().zip(outcomes) {
                let chance = curve.chance(*score);
                let (missed, weight) = (chance - f64::from(u8::from(*happened)), chance * (1.0 - chance));
                along = [along[0] + missed, along[1] + missed * score];
                across = [across[0] + weight, across[1] + weight * score, across[2] + weight * score * score];
            }
            let [a, b, c] = across;
            let determinant = a * c - b * b;
            if determinant.is_nan() || determinant <= 0.0 {
                return None;
            }
            let step = [(c * along[0] - b * along[1]) / determinant, (a * along[1] - b * along[0]) / determinant];
            let (next, next_loss) = curve.walk(step, loss, scores, outcomes, penalty)?;
            let moved = (next.intercept - curve.intercept).abs().max((next.slope - curve.slope).abs());
            (curve, loss) = (next, next_loss);
            if moved <= CLOSE_ENOUGH * (1.0 + curve.intercept.abs().max(curve.slope.abs())) {
                return Some(curve);
            }
        }
        None
    }

    /// A step against the gradient, halved until it does no harm.
    fn walk(self, step: [f64; 2], loss: f64, scores: &[f64], outcomes: &[bool], penalty: f64) -> Option<(Self, f64)> {
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let next = Self { intercept: self.intercept - share * step[0], slope: self.slope - share * step[1] };
            let next_loss = next.loss(scores, outcomes, penalty);
            if next_loss <= loss + 1e-12 * loss.abs() {
                return Some((next, next_loss));
            }
            share /= 2.0;
        }
        None
    }

    fn loss(self, scores: &[f64], outcomes: &[bool], penalty: f64) -> f64 {
        let (mut sum, mut product) = (0.0, 1.0);
        for (score, happened) in scores.iter().zip(outcomes) {
            let odds = self.intercept + self.slope * score;
            let against = if *happened { -odds } else { odds };
            // log(1 + exp(x)) without overflow; one logarithm for many, since each factor lies between one and two.
            sum += against.max(0.0);
            product *= 1.0 + libm::exp(-against.abs());
            if product > LARGE {
                sum += libm::log(product);
                product = 1.0;
            }
        }
        sum + libm::log(product) + 0.5 * penalty * self.slope * self.slope
    }

    /// The chance at a score.
    pub fn chance(self, score: f64) -> f64 {
        1.0 / (1.0 + libm::exp(-(self.intercept + self.slope * score)))
    }
}

/// Mean squared distance of stated chances from what happened (Brier 1950): 0 is perfect, 0.25 what always saying one half gets.
/// `None` without calls, for different lengths, and where a chance lies outside 0 to 1.
pub fn brier(stated: &[f64], outcomes: &[bool]) -> Option<f64> {
    let is_sound =
        stated.len() == outcomes.len() && !stated.is_empty() && stated.iter().all(|chance| (0.0..=1.0).contains(chance));
    let missed = |(chance, happened): (&f64, &bool)| {
        let missed = chance - f64::from(u8::from(*happened));
        missed * missed
    };
    is_sound.then(|| stated.iter().zip(outcomes).map(missed).sum::<f64>() / stated.len() as f64)
}

/// Stated chances against what happened, in `bins` groups of equally many calls from the lowest chance to the highest; calls of the same
/// chance stay together. Empty where lengths differ or nothing was called.
pub fn calibration_curve(stated: &[f64], outcomes: &[bool], bins: usize) -> Vec<Bin> {
    if stated.len() != outcomes.len() || bins == 0 {
        return Vec::new();
    }
    let mut calls: Vec<(f64, bool)> = stated.iter().copied().zip(outcomes.iter().copied()).collect();
    calls.sort_by(|left, right| left.0.total_cmp(&right.0));
    let least = calls.len().div_ceil(bins).max(1);
    let mut curve = Vec::new();
    let mut rest = calls.as_slice();
    while let Some(at_end) = rest.get(least.min(rest.len()).saturating_sub(1)) {
        let together = rest.partition_point(|call| call.0 <= at_end.0);
        // What would be left alone goes with the last group.
        let count = if rest.len() - together < least / 2 { rest.len() } else { together };
        let (group, after) = rest.split_at(count);
        curve.extend(bin_of(group));
        rest = after;
    }
    curve
}

fn bin_of(group: &[(f64, bool)]) -> Option<Bin> {
    let (calls, happened) = (group.len(), group.iter().filter(|call| call.1).count());
    let stated = group.iter().map(|call| call.0).sum::<f64>() / calls as f64;
    let interval = wilson_95(happened as u64, calls as u64);
    (calls > 0).then(|| Bin { stated, happened: happened as f64 / calls as f64, interval, calls })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Nothing is lost or told twice, and chances go up from group to group.
        #[test]
        fn every_call_is_in_one_group(calls in prop::collection::vec((0.0_f64..=1.0, any::<bool>()), 0..200), bins in 1_usize..12) {
            let (stated, outcomes): (Vec<f64>, Vec<bool>) = calls.iter().copied().unzip();
            let curve = calibration_curve(&stated, &outcomes, bins);
            prop_assert_eq!(curve.iter().map(|bin| bin.calls).sum::<usize>(), calls.len());
            prop_assert!(curve.is_sorted_by(|left, right| left.stated < right.stated));
            prop_assert!(curve.len() <= bins);
        }
    }

    #[test]
    fn the_penalised_curve_is_where_its_gradient_is_nothing() {
        let scores = [-1.5, -0.7, -0.2, 0.1, 0.4, 0.9, 1.3, 2.2];
        let outcomes = [false, false, true, false, true, false, true, true];
        let curve = Logistic::fit(&scores, &outcomes, 0.5).unwrap();
        let missed = |index: usize| curve.chance(scores[index]) - f64::from(u8::from(outcomes[index]));
        let along: f64 = (0..8).map(missed).sum();
        let slope: f64 = (0..8).map(|index| missed(index) * scores[index]).sum::<f64>() + 0.5 * curve.slope;
        assert!(along.abs() < 1e-10 && slope.abs() < 1e-10, "{along} {slope}");
        let told_apart = Logistic::fit(&[-1.0, -0.5, 0.5, 1.0], &[false, false, true, true], 1.0).unwrap();
        assert!(told_apart.slope.is_finite() && told_apart.slope > 0.5);
    }

    #[test]
    fn what_says_nothing_is_undefined() {
        assert_eq!(Logistic::fit(&[1.0, 2.0], &[true, true], 1.0), None);
        assert_eq!(Logistic::fit(&[1.0, f64::NAN], &[true, false], 1.0), None);
        assert_eq!(Logistic::fit(&[1.0, 2.0], &[true, false], 0.0), None);
        assert_eq!(Logistic::fit(&[1.0], &[true, false], 1.0), None);
        assert_eq!((brier(&[], &[]), brier(&[1.5], &[true]), brier(&[0.5], &[])), (None, None, None));
        assert_eq!(brier(&[0.5, 0.5], &[true, false]), Some(0.25));
    }
}
