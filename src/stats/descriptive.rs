//! Means, spreads, returns and drawdowns.

/// A result, or *undefined* where it is NaN or too large for a number: nothing that was computed from it would mean anything.
pub(super) fn defined(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Whether all are numbers. Comparisons with NaN are false, so that a metric which compares would otherwise pass over it in silence.
pub(super) fn are_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}

/// Arithmetic mean; `None` for an empty slice, or where one is no number.
pub fn mean(values: &[f64]) -> Option<f64> {
    // Of an empty slice: 0 / 0, which is undefined too.
    defined(values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation with `n − 1`; `None` below two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let centre = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
    defined(libm::sqrt(squares / (values.len() - 1) as f64))
}

/// Simple returns `x[i] / x[i−1] − 1`; one shorter than the input. Prices must be positive.
pub fn returns(prices: &[f64]) -> Vec<f64> {
    prices.iter().zip(prices.iter().skip(1)).map(|(before, after)| after / before - 1.0).collect()
}

/// Standard deviation of simple returns times √`periods_per_year`; `None` below two returns.
pub fn annualised_volatility(period_returns: &[f64], periods_per_year: f64) -> Option<f64> {
    defined(standard_deviation(period_returns)? * libm::sqrt(periods_per_year))
}

/// Mean of the last `length` values; `None` while there are fewer.
pub fn moving_average(values: &[f64], length: usize) -> Option<f64> {
    if length == 0 {
        return None;
    }
    values.len().checked_sub(length).and_then(|from| mean(values.get(from..)?))
}

/// Pearson's correlation of two slices of equal length; `None` below three pairs or without variance.
pub fn correlation(left: &[f64], right: &[f64]) -> Option<f64> {
    if left.len() != right.len() || left.len() < 3 {
        return None;
    }
    let (left_mean, right_mean) = (mean(left)?, mean(right)?);
    let (mut cross, mut left_square, mut right_square) = (0.0, 0.0, 0.0);
    for (a, b) in left.iter().zip(right) {
        let (a, b) = (a - left_mean, b - right_mean);
        cross += a * b;
        left_square += a * a;
        right_square += b * b;
    }
    let scale = libm::sqrt(left_square * right_square);
    (scale > 0.0).then_some(cross / scale).and_then(defined)
}

/// Share of `values` strictly below `value`, ties counting half; `None` for an empty slice.
pub fn percentile_rank(values: &[f64], value: f64) -> Option<f64> {
    if values.is_empty() || !are_finite(values) || !value.is_finite() {
        return None;
    }
    let below = values.iter().filter(|other| **other < value).count() as f64;
    let ties = values.iter().filter(|other| **other == value).count() as f64;
    Some((below + ties / 2.0) / values.len() as f64)
}

/// Largest fall from a running peak as a positive share of that peak; the first value counts as a peak.
pub fn max_drawdown(equity: &[f64]) -> Option<f64> {
    let mut peak = *equity.first()?;
    if !are_finite(equity) {
        return None;
    }
    let mut worst = 0.0_f64;
    for value in equity {
        peak = peak.max(*value);
        if peak > 0.0 {
            worst = worst.max(1.0 - value / peak);
        }
    }
    defined(worst)
}
