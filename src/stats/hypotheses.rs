//! Tests of means and variances, and what to do about many of them.

use crate::stats::descriptive::{are_finite, defined};
use crate::stats::metrics::spread;
use crate::stats::series::autoproduct;
use crate::stats::{f_cdf, f_survival, mean, normal_survival, student_t_survival};

/// A statistic with its p-value; two-sided unless the test says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The statistic.
    pub statistic: f64,
    /// Probability of one at least as extreme where the null hypothesis holds.
    pub p: f64,
}

impl Tested {
    /// A test whose statistic is a number; `None` otherwise.
    pub(super) fn of(statistic: f64, p: Option<f64>) -> Option<Self> {
        Some(Self { statistic: defined(statistic)?, p: defined(p?)? })
    }
}

/// Two-sided p-value of a t statistic.
pub(super) fn by_t(statistic: f64, degrees: f64) -> Option<Tested> {
    Tested::of(statistic, student_t_survival(statistic.abs(), degrees).map(|tail| 2.0 * tail))
}

/// One-sample t test of the mean against `expected`. `None` below two values or without variance.
pub fn t_test(values: &[f64], expected: f64) -> Option<Tested> {
    let n = values.len() as f64;
    by_t((mean(values)? - expected) / (spread(values)? / libm::sqrt(n)), n - 1.0)
}

/// Lags for a mean's long-run variance of so many values: `⌊4 (n/100)^(2/9)⌋` (Newey and West 1994).
pub fn newey_west_lags(count: usize) -> usize {
    (4.0 * libm::pow(count as f64 / 100.0, 2.0 / 9.0)) as usize
}

/// Test of the mean against `expected` where values may depend on each other: the long-run variance with Bartlett weights over `lags`
/// (Newey and West 1987), divisor n, p-value by the normal distribution (statsmodels' `HAC` without its small-sample correction). `None`
/// below two values, without variance, or for as many lags as values.
pub fn newey_west(values: &[f64], expected: f64, lags: usize) -> Option<Tested> {
    spread(values)?;
    if lags >= values.len() {
        return None;
    }
    let centre = mean(values)?;
    let centred: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let weighted = |lag: usize| 2.0 * autoproduct(&centred, lag) * (1.0 - lag as f64 / (lags as f64 + 1.0));
    let long_run = autoproduct(&centred, 0) + (1..=lags).map(weighted).sum::<f64>();
    if long_run <= 0.0 {
        return None;
    }
    let statistic = (centre - expected) * values.len() as f64 / libm::sqrt(long_run);
    Tested::of(statistic, Some(2.0 * normal_survival(statistic.abs())))
}

/// Paired t test of equal means. `None` for different lengths.
pub fn paired_t_test(left: &[f64], right: &[f64]) -> Option<Tested> {
    if left.len() != right.len() {
        return None;
    }
    let differences: Vec<f64> = left.iter().zip(right).map(|(a, b)| a - b).collect();
    t_test(&differences, 0.0)
}

/// Welch's t test of equal means with unequal variances (degrees of freedom by Welch and Satterthwaite).
pub fn welch_t_test(left: &[f64], right: &[f64]) -> Option<Tested> {
    let share = |values: &[f64]| Some(spread(values)?.powi(2) / values.len() as f64);
    let (a, b) = (share(left)?, share(right)?);
    let degrees = (a + b) * (a + b) / (a * a / (left.len() as f64 - 1.0) + b * b / (right.len() as f64 - 1.0));
    by_t((mean(left)? - mean(right)?) / libm::sqrt(a + b), degrees)
}

/// F test of equal variances, two-sided as twice the smaller tail. Trusts normality: on fat tails it calls equal variances different;
/// see [`levene`].
pub fn f_test(left: &[f64], right: &[f64]) -> Option<Tested> {
    let statistic = (spread(left)? / spread(right)?).powi(2);
    let (above, below) = (left.len() as f64 - 1.0, right.len() as f64 - 1.0);
    let tail = f_cdf(statistic, above, below)?.min(f_survival(statistic, above, below)?);
    Tested::of(statistic, Some((2.0 * tail).min(1.0)))
}

/// What spreads are measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    /// The mean: Levene 1960.
    Mean,
    /// The median: Brown and Forsythe 1974, which withstands skewness and fat tails.
    Median,
}

/// Test of equal variances of two or more groups: analysis of variance of absolute deviations from their centres.
/// `None` for fewer than two groups, an empty one, or deviations that do not vary.
pub fn levene(groups: &[&[f64]], centre: Centre) -> Option<Tested> {
    if groups.len() < 2 || !groups.iter().all(|group| are_finite(group)) {
        return None;
    }
    let mut deviations: Vec<Vec<f64>> = Vec::with_capacity(groups.len());
    for group in groups {
        let middle = match centre {
            Centre::Mean => mean(group)?,
            Centre::Median => median(group)?,
        };
        deviations.push(group.iter().map(|value| (value - middle).abs()).collect());
    }
    let count: f64 = groups.iter().map(|group| group.len() as f64).sum();
    let overall = deviations.iter().flatten().sum::<f64>() / count;
    let (mut between, mut within) = (0.0, 0.0);
    for group in &deviations {
        let own = mean(group)?;
        between += group.len() as f64 * (own - overall) * (own - overall);
        within += group.iter().map(|value| (value - own) * (value - own)).sum::<f64>();
    }
    let (above, below) = (groups.len() as f64 - 1.0, count - groups.len() as f64);
    if below <= 0.0 || within <= 0.0 {
        return None;
    }
    let statistic = between / above / (within / below);
    Tested::of(statistic, f_survival(statistic, above, below))
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    crate::stats::quantile_of_sorted(&sorted, 0.5)
}

/// p-values adjusted so that those below `q` hold at most a share `q` of false discoveries, in the order given (Benjamini and
/// Hochberg 1995; for independent or positively dependent tests). `None` if one is no probability.
pub fn benjamini_hochberg(p_values: &[f64]) -> Option<Vec<f64>> {
    if p_values.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return None;
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values.get(*b).unwrap_or(&1.0).total_cmp(p_values.get(*a).unwrap_or(&1.0)));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (index, place) in order.iter().enumerate() {
        let rank = p_values.len() - index;
        smallest = smallest.min(p_values.get(*place)? * p_values.len() as f64 / rank as f64);
        *adjusted.get_mut(*place)? = smallest;
    }
    Some(adjusted)
}
