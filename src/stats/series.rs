//! Tests of a series' shape and memory: Jarque–Bera, Ljung–Box, Durbin–Watson, KPSS.

use serde::Serialize;

use crate::stats::descriptive::defined;
use crate::stats::hypotheses::Tested;
use crate::stats::metrics::{shape, spread};
use crate::stats::{chi_squared_survival, mean};

/// Jarque and Bera's test of normality (1987), chi-squared with 2 degrees of freedom; below a few hundred values it rejects too seldom.
pub fn jarque_bera(values: &[f64]) -> Option<Tested> {
    let shape = shape(values)?;
    let excess = shape.kurtosis - 3.0;
    let statistic = values.len() as f64 / 6.0 * (shape.skewness * shape.skewness + excess * excess / 4.0);
    Tested::of(statistic, chi_squared_survival(statistic, 2.0))
}

/// Autocorrelations at lags 1 to `lags`: autocovariances with divisor n over the variance with divisor n.
pub fn autocorrelations(values: &[f64], lags: usize) -> Option<Vec<f64>> {
    spread(values)?;
    let centred = centred(values)?;
    let variance = autoproduct(&centred, 0);
    (1..=lags).map(|lag| defined(autoproduct(&centred, lag) / variance)).collect()
}

fn centred(values: &[f64]) -> Option<Vec<f64>> {
    let centre = mean(values)?;
    Some(values.iter().map(|value| value - centre).collect())
}

/// Sum of products of values `lag` apart.
pub(super) fn autoproduct(values: &[f64], lag: usize) -> f64 {
    let later = values.get(lag..).unwrap_or_default();
    dot(values.get(..later.len()).unwrap_or_default(), later)
}

/// Sum of products of two series of one length, in eight lanes, since one sum waits for each addition.
pub(super) fn dot(ours: &[f64], theirs: &[f64]) -> f64 {
    let (ours, theirs) = (ours.chunks_exact(8), theirs.chunks_exact(8));
    let rest: f64 = ours.remainder().iter().zip(theirs.remainder()).map(|(a, b)| a * b).sum();
    let mut lanes = [0.0; 8];
    for (ours, theirs) in ours.zip(theirs) {
        for ((lane, a), b) in lanes.iter_mut().zip(ours).zip(theirs) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// Ljung and Box's test (1978) that the first `lags` autocorrelations are zero; `fitted` is the number of ARMA parameters of a model that
/// left these residuals. `None` unless `fitted < lags < n`.
pub fn ljung_box(values: &[f64], lags: usize, fitted: usize) -> Option<Tested> {
    if lags <= fitted || lags >= values.len() {
        return None;
    }
    let n = values.len() as f64;
    let squares = autocorrelations(values, lags)?;
    let sum: f64 = squares.iter().zip(1_u32..).map(|(r, lag)| r * r / (n - f64::from(lag))).sum();
    let statistic = n * (n + 2.0) * sum;
    Tested::of(statistic, chi_squared_survival(statistic, (lags - fitted) as f64))
}

/// Durbin and Watson's statistic of residuals: 2 without, near 0 with positive, near 4 with negative first-order autocorrelation.
pub fn durbin_watson(residuals: &[f64]) -> Option<f64> {
    let steps: f64 = residuals.iter().zip(residuals.iter().skip(1)).map(|(a, b)| (b - a) * (b - a)).sum();
    let squares: f64 = residuals.iter().map(|value| value * value).sum();
    (squares > 0.0).then_some(steps / squares).and_then(defined)
}

/// Where a p-value that was read from a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Interpolated.
    Within,
    /// The table ends: the true value is at most this.
    AtMost,
    /// The table ends: the true value is at least this.
    AtLeast,
}

/// Result of a KPSS test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kpss {
    /// The statistic.
    pub statistic: f64,
    /// p-value from the table, between 0.01 and 0.10.
    pub p: f64,
    /// Whether the table holds it.
    pub reading: Reading,
    /// Lags of the long-run variance.
    pub lags: usize,
}

/// How many lags a long-run variance takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bandwidth {
    /// Chosen from the data (Hobijn, Franses and Ooms 1998, Bartlett weights).
    Automatic,
    /// Given.
    Lags(usize),
}

/// Test of the null hypothesis that a series **is** stationary around a level (Kwiatkowski, Phillips, Schmidt and Shin 1992, table 1).
/// `None` below ten values, without variance, or for as many lags as values.
pub fn kpss(values: &[f64], bandwidth: Bandwidth) -> Option<Kpss> {
    const CRITICAL: [(f64, f64); 4] = [(0.347, 0.10), (0.463, 0.05), (0.574, 0.025), (0.739, 0.01)];
    if values.len() < 10 {
        return None;
    }
    spread(values)?;
    let residuals = centred(values)?;
    let n = values.len() as f64;
    let lags = match bandwidth {
        Bandwidth::Automatic => automatic_lags(&residuals).min(values.len() - 1),
        Bandwidth::Lags(lags) => lags,
    };
    if lags >= values.len() {
        return None;
    }
    let mut sum = 0.0;
    let mut partial = 0.0;
    for value in &residuals {
        sum += value;
        partial += sum * sum;
    }
    let weighted = |lag: usize| 2.0 * autoproduct(&residuals, lag) * (1.0 - lag as f64 / (lags as f64 + 1.0));
    let long_run = (autoproduct(&residuals, 0) + (1..=lags).map(weighted).sum::<f64>()) / n;
    if long_run <= 0.0 {
        return None;
    }
    let statistic = defined(partial / (n * n) / long_run)?;
    let (p, reading) = interpolated(&CRITICAL, statistic)?;
    Some(Kpss { statistic, p, reading, lags })
}

/// The p-value between two rows of a table of falling p-values.
fn interpolated(table: &[(f64, f64)], statistic: f64) -> Option<(f64, Reading)> {
    let (first, last) = (table.first()?, table.last()?);
    if statistic < first.0 {
        return Some((first.1, Reading::AtLeast));
    }
    if statistic > last.0 {
        return Some((last.1, Reading::AtMost));
    }
    let pair = table.iter().zip(table.iter().skip(1)).find(|(_, next)| statistic <= next.0);
    pair.map(|(a, b)| (a.1 + (b.1 - a.1) * (statistic - a.0) / (b.0 - a.0), Reading::Within))
}

fn automatic_lags(residuals: &[f64]) -> usize {
    let n = residuals.len() as f64;
    let most = libm::pow(n, 2.0 / 9.0) as usize;
    let (mut level, mut slope) = (autoproduct(residuals, 0) / n, 0.0);
    for lag in 1..=most {
        let product = 2.0 * autoproduct(residuals, lag) / n;
        level += product;
        slope += lag as f64 * product;
    }
    let ratio = slope / level;
    (1.1447 * libm::cbrt(ratio * ratio) * libm::cbrt(n)) as usize
}
