//! Chances of labels, and what is left of them once the model's habit is taken off.
//!
//! A model has favourite words. What it would say of a question without content is its prior; dividing by it is known as contextual calibration
//! (Zhao, Wallace, Feng, Klein and Singh 2021, "Calibrate Before Use"). The result is not yet a chance of being right: that is learnt from outcomes.

/// A chance below this counts as this much: a quotient of two numbers next to nothing says nothing.
const FLOOR: f64 = 1e-3;

/// Probabilities of labels once the prior is taken off: `softmax(log p − log prior)`. Without a prior of as many labels they stay as they are.
pub fn without_prior(labels: &[f64], prior: &[f64]) -> Vec<f64> {
    if labels.len() != prior.len() {
        return labels.to_vec();
    }
    let quotients = labels.iter().zip(prior).map(|(label, prior)| label.max(FLOOR) / prior.max(FLOOR));
    normalised(quotients.collect())
}

/// The most probable label and how far it is ahead of the next; the first among equals. `None` where there is none.
pub fn winner(labels: &[f64]) -> Option<(usize, f64)> {
    let (best, highest) =
        labels.iter().copied().enumerate().fold(None, |best: Option<(usize, f64)>, (index, chance)| match best {
            Some((_, highest)) if chance <= highest => best,
            Some(_) | None => Some((index, chance)),
        })?;
    let next = labels.iter().enumerate().filter(|(index, _)| *index != best).map(|(_, chance)| *chance).fold(0.0, f64::max);
    Some((best, highest - next))
}

/// Shares that sum to one of logits; `None` where one of them is no number.
pub fn softmax(logits: &[f32]) -> Option<Vec<f64>> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !highest.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    Some(normalised(logits.iter().map(|logit| (f64::from(*logit) - f64::from(highest)).exp()).collect()))
}

fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_habit_is_taken_off() {
        // By hand: 0.6/0.8 = 0.75, 0.3/0.1 = 3, 0.1/0.1 = 1; their sum is 4.75.
        let weighed = without_prior(&[0.6, 0.3, 0.1], &[0.8, 0.1, 0.1]);
        for (found, wanted) in weighed.iter().zip([0.75 / 4.75, 3.0 / 4.75, 1.0 / 4.75]) {
            assert!((found - wanted).abs() < 1e-12, "{weighed:?}");
        }
        assert_eq!(winner(&weighed).map(|(best, _)| best), Some(1));
        assert_eq!(without_prior(&[0.6, 0.4], &[]), [0.6, 0.4]);
    }

    #[test]
    fn equal_chances_have_no_margin_and_no_numbers_no_shares() {
        assert_eq!((winner(&[0.5, 0.5]), winner(&[])), (Some((0, 0.0)), None));
        assert_eq!((softmax(&[f32::NAN, 0.0]), softmax(&[f32::INFINITY]), softmax(&[])), (None, None, None));
        assert_eq!(softmax(&[3.0, 3.0, f32::NEG_INFINITY]), Some(vec![0.5, 0.5, 0.0]));
    }
}
