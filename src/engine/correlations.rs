//! How unusual the correlation of everything that may be traded is. Follows from closed bars alone, once a risk day.
//!
//! The value of a day: the mean of all pairwise correlations (Pearson, of simple returns) over the last twenty days, as Fisher's z. It is
//! held against its own last 250 values that share no day with it, in robust deviations. Of the instruments those take part that may be
//! traded and closed on the very same last 21 days, the most numerous such group: where one begins, ends or has a holiday of its own,
//! the others' value goes on. What is held does not choose them, since it changes by the day and a yardstick must not.

use crate::engine::daily::{Daily, DayNumber, Past};
use crate::engine::usual::Usual;

/// Returns of a window.
const WINDOW: usize = 20;
/// Fewer instruments have no correlation that one could speak of as the market's.
const LEAST: usize = 3;

/// The measure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Correlations {
    /// The last day that was taken.
    taken: DayNumber,
    level: Usual,
    /// Mean correlation of the last window.
    mean: Option<f64>,
}

impl Default for Correlations {
    fn default() -> Self {
        Self { taken: DayNumber::default(), level: Usual::new(WINDOW), mean: None }
    }
}

impl Correlations {
    /// The risk day has turned: takes the days that have ended by then.
    pub(super) fn turn_day<'a>(&mut self, all: impl Iterator<Item = &'a Daily>, today: DayNumber) {
        let pasts: Vec<Past<'_>> =
            all.map(|daily| daily.before(today, WINDOW + 1)).filter(|past| past.days.len() > WINDOW).collect();
        let Some(last) = pasts.iter().filter_map(|past| past.days.last().copied()).max().filter(|last| *last > self.taken) else {
            return;
        };
        let group = largest_group(&pasts, last);
        if group.len() < LEAST {
            return;
        }
        self.taken = last;
        self.mean = mean_correlation(&group);
        self.level.take(self.mean.map(libm::atanh));
    }

    /// Distance of the latest value from the usual, in robust deviations, whichever way; `None` while history is short.
    pub(super) fn shift(&self) -> Option<f64> {
        self.level.deviations().map(f64::abs)
    }
}

/// The most numerous of those that share their last days, `last` among them; of several the one that comes first.
fn largest_group<'a>(pasts: &[Past<'a>], last: DayNumber) -> Vec<&'a [f64]> {
    let mut groups: Vec<(&[DayNumber], Vec<&'a [f64]>)> = Vec::new();
    for past in pasts.iter().filter(|past| past.days.last() == Some(&last)) {
        let changes = past.changes.get(1..).unwrap_or_default();
        match groups.iter_mut().find(|(days, _)| *days == past.days) {
            Some((_, members)) => members.push(changes),
            None => groups.push((past.days, vec![changes])),
        }
    }
    groups.into_iter().map(|(_, members)| members).rev().max_by_key(Vec::len).unwrap_or_default()
}

/// Mean of all pairwise correlations, from the variance of the sum of standardised returns: `(Var Σz − k) / (k (k − 1))`. What does not
/// move takes no part. `None` below three that do.
fn mean_correlation(series: &[&[f64]]) -> Option<f64> {
    let (mut sums, mut members) = ([0.0; WINDOW], 0.0);
    for values in series {
        let centre = values.iter().sum::<f64>() / WINDOW as f64;
        let squares: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
        let size = values.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
        let deviation = libm::sqrt(squares / WINDOW as f64);
        // Rounding of a constant is no move.
        if deviation <= 1e-12 * size || deviation <= 0.0 {
            continue;
        }
        members += 1.0;
        for (sum, value) in sums.iter_mut().zip(*values) {
            *sum += (value - centre) / deviation;
        }
    }
    let variance: f64 = sums.iter().map(|sum| sum * sum).sum::<f64>() / WINDOW as f64;
    (members >= LEAST as f64).then(|| (variance - members) / (members * (members - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats;

    fn series(seed: u64, common: f64) -> Vec<f64> {
        let (mut own, mut shared) = (stats::Generator::new(seed), stats::Generator::new(99));
        (0..WINDOW).map(|_| own.normal() + common * shared.normal()).collect()
    }

    #[test]
    fn the_mean_is_that_of_all_pairs() {
        let all: Vec<Vec<f64>> = (1..7).map(|seed| series(seed, 0.8)).collect();
        let pairs = (0..6).flat_map(|one| (0..one).map(move |other| (one, other)));
        let by_pair: Vec<f64> = pairs.map(|(one, other)| stats::correlation(&all[one], &all[other]).unwrap()).collect();
        let slices: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
        let ours = mean_correlation(&slices).unwrap();
        assert!((ours - stats::mean(&by_pair).unwrap()).abs() < 1e-13, "{ours}");
        let still = vec![0.001; WINDOW];
        let with_still: Vec<&[f64]> = slices.iter().copied().chain([still.as_slice()]).collect();
        assert_eq!(mean_correlation(&with_still), Some(ours));
        assert_eq!(mean_correlation(&with_still[5..]), None);
    }
}
