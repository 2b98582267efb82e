//! Level and spread that a few wild values do not move.

use crate::stats::descriptive::{are_finite, defined};

/// Makes the median absolute deviation of a normal sample estimate its standard deviation: 1 / Φ⁻¹(¾).
const NORMAL_CONSISTENT: f64 = 1.482_602_218_505_602;

/// The median of values in ascending order; the mean of the middle two where their number is even. `None` for an empty slice.
pub fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return defined(upper);
    }
    defined((sorted.get(sorted.len() / 2 - 1)? + upper) / 2.0)
}

/// The median of the distances from `centre` of values in ascending order. `None` for an empty slice.
pub fn median_distance_of_sorted(sorted: &[f64], centre: f64) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = nth_distance(sorted, centre, middle)?;
    if sorted.len() % 2 == 1 {
        return defined(upper);
    }
    defined((nth_distance(sorted, centre, middle - 1)? + upper) / 2.0)
}

/// The distance from `centre` of the value that is the nth nearest to it, counted from 0. The nearest stand side by side, so that a binary
/// search for where they begin is enough.
fn nth_distance(sorted: &[f64], centre: f64, nth: usize) -> Option<f64> {
    let (mut low, mut high) = (0, sorted.len().checked_sub(nth + 1)?);
    while low < high {
        let middle = (low + high) / 2;
        if centre - sorted.get(middle)? > sorted.get(middle + nth + 1)? - centre {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some((centre - sorted.get(low)?).max(sorted.get(low + nth)? - centre))
}

/// How many robust deviations `value` lies above the median of `sorted`, which is in ascending order: (x − median) / (1.4826 · MAD)
/// (Iglewicz and Hoaglin 1993, with the constant for normal samples). `None` where half of the values are one and the same.
pub fn robust_z_of_sorted(sorted: &[f64], value: f64) -> Option<f64> {
    // What is in order has what is not finite at its ends.
    if !value.is_finite() || !are_finite(&[*sorted.first()?, *sorted.last()?]) {
        return None;
    }
    let centre = median_of_sorted(sorted)?;
    let spread = NORMAL_CONSISTENT * median_distance_of_sorted(sorted, centre)?;
    (spread > 0.0).then_some((value - centre) / spread).and_then(defined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_samples() {
        assert_eq!(median_of_sorted(&[]), None);
        assert_eq!(median_of_sorted(&[3.0]), Some(3.0));
        assert_eq!(median_of_sorted(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median_of_sorted(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }

    #[test]
    fn the_nearest_values_give_the_median_of_the_sorted_distances() {
        let mut state = 7_u64;
        for count in 1..60 {
            let mut values: Vec<f64> = (0..count)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 40) as f64 % 17.0
                })
                .collect();
            values.sort_by(f64::total_cmp);
            let centre = median_of_sorted(&values).unwrap();
            let mut distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
            distances.sort_by(f64::total_cmp);
            assert_eq!(median_distance_of_sorted(&values, centre), median_of_sorted(&distances), "{values:?}");
        }
    }

    #[test]
    fn wild_values_do_not_move_the_yardstick() {
        // median 3, distances 2 1 0 1 97: MAD 1.
        let z = robust_z_of_sorted(&[1.0, 2.0, 3.0, 4.0, 100.0], 6.0).unwrap();
        assert!((z - 3.0 / 1.482_602_218_505_602).abs() < 1e-12, "{z}");
        assert_eq!(robust_z_of_sorted(&[2.0, 2.0, 2.0, 5.0], 9.0), None, "no spread");
        assert_eq!(robust_z_of_sorted(&[1.0, 2.0], f64::NAN), None);
        assert_eq!(robust_z_of_sorted(&[1.0, 2.0, f64::INFINITY], 1.0), None);
    }
}
