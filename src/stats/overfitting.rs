//! Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu 2017).

use crate::stats::descriptive::are_finite;

/// What a search among strategies is worth out of sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overfitting {
    /// Share of splits in which the best strategy in sample was at or below the median out of sample.
    pub probability: f64,
    /// Number of splits: `slices` over half of them.
    pub splits: u64,
    /// Mean logit of the relative rank of the chosen strategy out of sample; above zero is better than the median.
    pub mean_logit: f64,
}

/// Sums of a strategy's returns over one slice.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    first: f64,
    second: f64,
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.count += other.count;
        self.first += other.first;
        self.second += other.second;
    }

    /// Sharpe ratio per period with n − 1; zero without variance, so that a strategy that never traded ranks in the middle.
    fn sharpe(self) -> f64 {
        let mean = self.first / self.count;
        let variance = (self.second - self.first * mean) / (self.count - 1.0);
        if variance > 0.0 { mean / libm::sqrt(variance) } else { 0.0 }
    }
}

/// Cuts the rows into `slices` (even, usually 16: 12,870 splits) equal parts, leaves out the remainder at the start, and for every
/// choice of half of them asks where the best Sharpe ratio in sample ranks out of sample. `strategies` are columns of equal length.
///
/// Ties take the middle rank; the relative rank is `rank / (N + 1)`. `None` for fewer than two strategies, different lengths, an odd number
/// of slices, more than 24, or fewer than two rows a slice.
pub fn overfitting(strategies: &[&[f64]], slices: usize) -> Option<Overfitting> {
    let rows = strategies.first()?.len();
    let is_possible = strategies.len() >= 2 && slices >= 2 && slices.is_multiple_of(2) && slices <= 24 && rows / slices >= 2;
    if !is_possible || strategies.iter().any(|column| column.len() != rows || !are_finite(column)) {
        return None;
    }
    let sums: Vec<Vec<Sums>> = strategies.iter().map(|column| sums_by_slice(column, slices)).collect();
    let (mut splits, mut failures, mut logits) = (0_u64, 0_u64, 0.0);
    let mut outside: Vec<f64> = Vec::with_capacity(strategies.len());
    for choice in 0_u32..1 << slices {
        if choice.count_ones() as usize * 2 != slices {
            continue;
        }
        let rank = rank_of_best(&sums, choice, &mut outside)? / (strategies.len() as f64 + 1.0);
        let logit = libm::log(rank / (1.0 - rank));
        splits += 1;
        failures += u64::from(logit <= 0.0);
        logits += logit;
    }
    Some(Overfitting { probability: failures as f64 / splits as f64, splits, mean_logit: logits / splits as f64 })
}

fn sums_by_slice(column: &[f64], slices: usize) -> Vec<Sums> {
    let length = column.len() / slices;
    let used = column.get(column.len() - length * slices..).unwrap_or_default();
    let add = |mut sums: Sums, value: &f64| {
        sums.add(Sums { count: 1.0, first: *value, second: value * value });
        sums
    };
    used.chunks_exact(length).map(|slice| slice.iter().fold(Sums::default(), add)).collect()
}

/// Rank out of sample, from 1, of the strategy that is best in the slices of `choice`.
fn rank_of_best(sums: &[Vec<Sums>], choice: u32, outside: &mut Vec<f64>) -> Option<f64> {
    outside.clear();
    let (mut best, mut best_at) = (f64::NEG_INFINITY, 0);
    for (index, slices) in sums.iter().enumerate() {
        let (mut inside, mut rest) = (Sums::default(), Sums::default());
        for (slice, part) in slices.iter().enumerate() {
            if choice >> slice & 1 == 1 { inside.add(*part) } else { rest.add(*part) }
        }
        outside.push(rest.sharpe());
        if inside.sharpe() > best {
            (best, best_at) = (inside.sharpe(), index);
        }
    }
    let chosen = *outside.get(best_at)?;
    let below = outside.iter().filter(|other| **other < chosen).count() as f64;
    let ties = outside.iter().filter(|other| **other == chosen).count() as f64;
    Some(below + (ties + 1.0) / 2.0)
}
