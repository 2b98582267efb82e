//! Intervals and test statistics.

use serde::Serialize;

use crate::stats::descriptive::defined;
use crate::stats::{mean, standard_deviation};

/// A two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The 97.5 % quantile of the standard normal distribution.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % score interval for `successes` of `trials` (Wilson 1927, eq. without continuity correction).
pub fn wilson_95(successes: u64, trials: u64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    wilson_95_of(successes as f64 / trials as f64, trials as f64)
}

/// The same for a share found in so many trials, where they are fewer than were counted because they depend on each other. `None` for a share
/// outside 0 to 1, and without trials.
pub fn wilson_95_of(share: f64, trials: f64) -> Option<Interval> {
    if !(0.0..=1.0).contains(&share) || trials.is_nan() || trials <= 0.0 {
        return None;
    }
    let z_squared = NORMAL_975 * NORMAL_975;
    let scale = 1.0 + z_squared / trials;
    let centre = share + z_squared / (2.0 * trials);
    let spread = NORMAL_975 * libm::sqrt(share * (1.0 - share) / trials + z_squared / (4.0 * trials * trials));
    Some(Interval { low: ((centre - spread) / scale).max(0.0), high: ((centre + spread) / scale).min(1.0) })
}

/// One-sample t statistic of the mean against zero; `None` below two values or without variance.
pub fn t_statistic(values: &[f64]) -> Option<f64> {
    let deviation = standard_deviation(values)?;
    (deviation > 0.0).then_some(mean(values)? / deviation * libm::sqrt(values.len() as f64)).and_then(defined)
}

/// 95 % interval of the mean by Student's t; `None` below two values.
pub fn mean_interval_95(values: &[f64]) -> Option<Interval> {
    let (centre, deviation) = (mean(values)?, standard_deviation(values)?);
    let half = student_t_975(values.len() as u64 - 1) * deviation / libm::sqrt(values.len() as f64);
    Some(Interval { low: defined(centre - half)?, high: defined(centre + half)? })
}

/// The 97.5 % quantile of Student's t: exact for one and two degrees of freedom, else the asymptotic expansion of
/// G. W. Hill (Communications of the ACM 13, 1970, algorithm 396), good to about 1e-4 relative.
pub fn student_t_975(degrees: u64) -> f64 {
    let n = degrees as f64;
    match degrees {
        0 => f64::INFINITY,
        1 => 12.706_204_736_174_7,
        2 => 4.302_652_729_749_46,
        _ => {
            let a = 1.0 / (n - 0.5);
            let b = 48.0 / (a * a);
            let mut c = ((20_700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
            let d = ((94.5 / (b + c) - 3.0) / b + 1.0) * libm::sqrt(a * core::f64::consts::FRAC_PI_2) * n;
            let mut y = libm::pow(d * 0.05, 2.0 / n);
            if y > 0.05 + a {
                let x = -NORMAL_975;
                y = x * x;
                if degrees < 5 {
                    c += 0.3 * (n - 4.5) * (x + 0.6);
                }
                c += (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b;
                y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x;
                y = libm::expm1(a * y * y);
            } else {
                y = ((1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0) + 0.5 / (n + 4.0)) * y - 1.0)
                    * (n + 1.0)
                    / (n + 2.0)
                    + 1.0 / y;
            }
            libm::sqrt(n * y)
        }
    }
}
