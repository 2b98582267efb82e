//! Metrics of a series of simple returns, each with its convention; `quantstats`, `empyrical` and others differ in exactly these.

use crate::stats::descriptive::{are_finite, defined};
use crate::stats::{Interval, mean, standard_deviation, student_t_quantile};

/// Annualised Sharpe ratio: mean over standard deviation (n − 1) of returns in excess of `rate` a period, times √`periods_per_year`
/// (empyrical, quantstats). `None` below two returns or without variance.
pub fn sharpe(returns: &[f64], rate: f64, periods_per_year: f64) -> Option<f64> {
    let deviation = spread(returns)?;
    defined((mean(returns)? - rate) / deviation * libm::sqrt(periods_per_year))
}

/// Standard deviation, `None` where it is nothing but rounding of a constant.
pub(super) fn spread(values: &[f64]) -> Option<f64> {
    let deviation = standard_deviation(values)?;
    let size = values.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
    (deviation > 1e-14 * size).then_some(deviation)
}

/// Annualised Sortino ratio: mean excess over the root mean square of what lies below `required` a period, **over all observations**,
/// not only the losing ones (empyrical, quantstats; Sortino and Price 1994). `None` without a return below it.
pub fn sortino(returns: &[f64], required: f64, periods_per_year: f64) -> Option<f64> {
    if !are_finite(returns) {
        return None;
    }
    let downside: f64 = returns.iter().map(|value| (value - required).min(0.0)).map(|below| below * below).sum();
    let deviation = libm::sqrt(downside / returns.len() as f64);
    let ratio = (mean(returns)? - required) / deviation * libm::sqrt(periods_per_year);
    (deviation > 0.0).then_some(ratio).and_then(defined)
}

/// Compound growth a year: `(Π (1 + r))^(periods_per_year / n) − 1` (empyrical `annual_return`). `None` for no returns or after ruin.
pub fn annual_growth(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    let wealth: f64 = returns.iter().map(|value| 1.0 + value).product();
    let is_possible = !returns.is_empty() && are_finite(returns) && wealth > 0.0 && periods_per_year.is_finite();
    is_possible.then(|| libm::pow(wealth, periods_per_year / returns.len() as f64) - 1.0).and_then(defined)
}

/// Compound growth a year over the deepest drawdown, of the whole series (empyrical; the original of Young 1991 takes 36 months).
pub fn calmar(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    let depth = drawdown(returns)?.depth;
    (depth > 0.0).then_some(annual_growth(returns, periods_per_year)? / depth).and_then(defined)
}

/// Gains above `required` a period over losses below it (Keating and Shadwick 2002). `None` without a loss.
pub fn omega(returns: &[f64], required: f64) -> Option<f64> {
    if !are_finite(returns) || !required.is_finite() {
        return None;
    }
    let gains: f64 = returns.iter().map(|value| (value - required).max(0.0)).sum();
    let losses: f64 = returns.iter().map(|value| (required - value).max(0.0)).sum();
    (losses > 0.0).then_some(gains / losses).and_then(defined)
}

/// Annualised mean of returns in excess of a benchmark over their standard deviation (n − 1). `None` for different lengths.
pub fn information_ratio(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Option<f64> {
    if returns.len() != benchmark.len() {
        return None;
    }
    let active: Vec<f64> = returns.iter().zip(benchmark).map(|(ours, theirs)| ours - theirs).collect();
    sharpe(&active, 0.0, periods_per_year)
}

/// A straight line through returns against a benchmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlphaBeta {
    /// Intercept a period, of returns in excess of the rate; not annualised.
    pub alpha: f64,
    /// Slope: covariance over the benchmark's variance.
    pub beta: f64,
    /// Standard error of alpha, as if what is left over were independent and equally spread (ordinary least squares, n − 2). `None` below three
    /// pairs.
    pub alpha_error: Option<f64>,
    /// Standard error of beta under the same terms.
    pub beta_error: Option<f64>,
    /// Pairs.
    pub count: usize,
}

/// Least squares of excess returns on excess benchmark returns, `rate` a period. `None` for different lengths or a constant benchmark.
pub fn alpha_beta(returns: &[f64], benchmark: &[f64], rate: f64) -> Option<AlphaBeta> {
    if returns.len() != benchmark.len() {
        return None;
    }
    spread(benchmark)?;
    let (ours, theirs) = (mean(returns)?, mean(benchmark)?);
    let cross: f64 = returns.iter().zip(benchmark).map(|(a, b)| (a - ours) * (b - theirs)).sum();
    let square: f64 = benchmark.iter().map(|value| (value - theirs) * (value - theirs)).sum();
    let beta = defined(cross / square)?;
    let alpha = defined(ours - rate - beta * (theirs - rate))?;
    let away = returns.iter().zip(benchmark).map(|(a, b)| a - ours - beta * (b - theirs));
    let count = returns.len();
    let left_over = (count > 2).then(|| away.map(|value| value * value).sum::<f64>() / (count - 2) as f64);
    let error = |share: f64| left_over.and_then(|variance| defined(libm::sqrt(variance * share)));
    let centre = theirs - rate;
    let (alpha_error, beta_error) = (error(1.0 / count as f64 + centre * centre / square), error(1.0 / square));
    Some(AlphaBeta { alpha, beta, alpha_error, beta_error, count })
}

impl AlphaBeta {
    /// Interval of alpha a period by Student's t with n − 2 degrees; `level` as 0.95.
    pub fn alpha_interval(&self, level: f64) -> Option<Interval> {
        self.around(self.alpha, self.alpha_error?, level)
    }

    /// Interval of beta, as [`Self::alpha_interval`].
    pub fn beta_interval(&self, level: f64) -> Option<Interval> {
        self.around(self.beta, self.beta_error?, level)
    }

    fn around(&self, value: f64, error: f64, level: f64) -> Option<Interval> {
        let half = student_t_quantile((1.0 + level) / 2.0, self.count.checked_sub(2)? as f64)? * error;
        Some(Interval { low: defined(value - half)?, high: defined(value + half)? })
    }
}

/// The worst fall of wealth, and the longest time under water.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawdown {
    /// Largest fall from a peak as a positive share of that peak; the starting wealth of 1 is a peak.
    pub depth: f64,
    /// Periods from that peak to the trough.
    pub to_trough: usize,
    /// Longest run of periods that ended below an earlier peak, whichever fall that was.
    pub longest: usize,
    /// Periods that ended below an earlier peak, of all.
    pub under_water: usize,
    /// Falls, each from a peak until the next one; the last may not have ended.
    pub falls: usize,
    /// Mean of the deepest point of each fall, as a positive share of its peak (Bacon 2008, average drawdown). `None` without a fall.
    pub average: Option<f64>,
    /// Fall from the peak at the end.
    pub at_end: f64,
}

/// Drawdown of the wealth that compounds `returns`, from 1. `None` for no returns, one that is no number or loses more than everything,
/// or where wealth grows beyond every number.
pub fn drawdown(returns: &[f64]) -> Option<Drawdown> {
    if returns.is_empty() || !returns.iter().all(|value| value.is_finite() && *value >= -1.0) {
        return None;
    }
    let (mut wealth, mut peak, mut since_peak) = (1.0_f64, 1.0_f64, 0_usize);
    let mut worst = Drawdown { depth: 0.0, to_trough: 0, longest: 0, under_water: 0, falls: 0, average: None, at_end: 0.0 };
    // Deepest point of the fall that goes on, and of all that have ended together.
    let (mut deepest, mut ended) = (0.0_f64, 0.0);
    for value in returns {
        wealth *= 1.0 + value;
        if wealth >= peak {
            (peak, since_peak) = (wealth, 0);
            (ended, deepest) = (ended + deepest, 0.0);
        } else {
            worst.falls += usize::from(since_peak == 0);
            since_peak += 1;
            worst.under_water += 1;
            worst.longest = worst.longest.max(since_peak);
        }
        worst.at_end = 1.0 - wealth / peak;
        deepest = deepest.max(worst.at_end);
        if worst.at_end > worst.depth {
            (worst.depth, worst.to_trough) = (worst.at_end, since_peak);
        }
    }
    worst.average = (worst.falls > 0).then(|| (ended + deepest) / worst.falls as f64);
    peak.is_finite().then_some(worst)
}

/// Third and fourth standardised moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Third central moment over the deviation (n) cubed; biased, as `scipy.stats.skew`.
    pub skewness: f64,
    /// Fourth central moment over the variance (n) squared; 3 for a normal distribution, **not** in excess of it.
    pub kurtosis: f64,
}

/// Skewness and kurtosis with divisor n (biased). `None` below two values or without variance.
pub fn shape(values: &[f64]) -> Option<Shape> {
    spread(values)?;
    let centre = mean(values)?;
    let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
    for value in values {
        let away = value - centre;
        let square = away * away;
        second += square;
        third += square * away;
        fourth += square * square;
    }
    let n = values.len() as f64;
    let variance = second / n;
    let (skewness, kurtosis) = (third / n / (variance * libm::sqrt(variance)), fourth / n / (variance * variance));
    Some(Shape { skewness: defined(skewness)?, kurtosis: defined(kurtosis)? })
}

/// Quantile of **ascending** values by linear interpolation at `(n − 1) p` (Hyndman and Fan's type 7; numpy's and R's default).
/// `None` where one is no number: in ascending order such stand at the ends.
pub fn quantile_of_sorted(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    if !(0.0..=1.0).contains(&p) || !has_finite_ends(sorted) {
        return None;
    }
    let place = p * last as f64;
    let below = (place as usize).min(last);
    let (low, high) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    let share = place - below as f64;
    defined(if share >= 0.5 { high - (high - low) * (1.0 - share) } else { low + (high - low) * share })
}

fn has_finite_ends(sorted: &[f64]) -> bool {
    [sorted.first(), sorted.last()].into_iter().flatten().all(|value| value.is_finite())
}

/// Historical value at risk as a **positive** loss a period: minus the type 7 quantile of `returns` at `level` (0.05 for VaR 95 %).
/// Negative where even that quantile is a gain. `sorted` must ascend.
pub fn value_at_risk(sorted: &[f64], level: f64) -> Option<f64> {
    quantile_of_sorted(sorted, level).map(|quantile| -quantile)
}

/// Historical expected shortfall as a positive loss: the mean of the worst `n × level` returns, the last one by its fraction
/// (Rockafellar and Uryasev 2002, eq. 25: exact for a discrete distribution, coherent). `sorted` must ascend.
pub fn expected_shortfall(sorted: &[f64], level: f64) -> Option<f64> {
    if sorted.is_empty() || !(level > 0.0 && level <= 1.0) || !has_finite_ends(sorted) {
        return None;
    }
    let count = level * sorted.len() as f64;
    let whole = (count as usize).min(sorted.len());
    let worst: f64 = sorted.iter().take(whole).sum();
    let rest = sorted.get(whole).map_or(0.0, |next| (count - whole as f64) * next);
    defined(-(worst + rest) / count)
}

/// Sum of gains over sum of losses, of returns or results of trades. `None` without a loss.
pub fn profit_factor(results: &[f64]) -> Option<f64> {
    omega(results, 0.0)
}

/// Share of results above zero; a result of exactly zero is no hit but counts. `None` for none.
pub fn hit_rate(results: &[f64]) -> Option<f64> {
    (!results.is_empty() && are_finite(results))
        .then(|| results.iter().filter(|value| **value > 0.0).count() as f64 / results.len() as f64)
}

/// Middle share `level` of ascending values, as type 7 quantiles: the percentile interval of a bootstrap (Efron 1979).
pub fn percentile_interval(sorted: &[f64], level: f64) -> Option<Interval> {
    let tail = (1.0 - level) / 2.0;
    Some(Interval { low: quantile_of_sorted(sorted, tail)?, high: quantile_of_sorted(sorted, 1.0 - tail)? })
}
