//! Probabilities and quantiles: normal, Student's t, F, chi-squared, binomial.
//!
//! Tails are functions of their own (`…_survival`): one minus a probability near one keeps none of the digits of a small p-value.
//! `None`: degrees of freedom or a probability out of range, or not a number.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::stats::special::{beta_front, incomplete_beta, incomplete_gamma};

/// Probability that a standard normal number is at most `x`.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Probability that a standard normal number is above `x`.
pub fn normal_survival(x: f64) -> f64 {
    normal_cdf(-x)
}

/// Density of the standard normal distribution.
pub fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) / libm::sqrt(2.0 * PI)
}

/// Quantile of the standard normal distribution for `0 < p < 1` (M. J. Wichura, Applied Statistics 37, 1988, algorithm AS 241).
pub fn normal_quantile(p: f64) -> Option<f64> {
    is_inside(p).then(|| normal_quantile_inside(p))
}

/// The same where it is known that `0 < p < 1`.
pub(super) fn normal_quantile_inside(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(&MIDDLE, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let size = if r <= 5.0 { ratio(&OUTSIDE, r - 1.6) } else { ratio(&FAR, r - 5.0) };
    if q < 0.0 { -size } else { size }
}

/// Whether this is a number above zero.
fn is_above_zero(value: f64) -> bool {
    value > 0.0
}

/// Whether a quantile exists for this probability.
fn is_inside(p: f64) -> bool {
    p > 0.0 && p < 1.0
}

/// Numerator and denominator of a rational function, constant terms first.
type Rational = ([f64; 8], [f64; 8]);

fn ratio((above, below): &Rational, r: f64) -> f64 {
    let value = |terms: &[f64; 8]| terms.iter().rev().fold(0.0, |sum, term| sum * r + term);
    value(above) / value(below)
}

const MIDDLE: Rational = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
);
const OUTSIDE: Rational = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);
const FAR: Rational = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_9,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

/// Probability that Student's t with `degrees` of freedom is at most `x`.
pub fn student_t_cdf(x: f64, degrees: f64) -> Option<f64> {
    student_t_survival(-x, degrees)
}

/// Probability that Student's t with `degrees` of freedom is above `x`.
pub fn student_t_survival(x: f64, degrees: f64) -> Option<f64> {
    if !is_above_zero(degrees) || x.is_nan() {
        return None;
    }
    let tail = 0.5 * beyond(x.abs(), degrees).0;
    Some(if x >= 0.0 { tail } else { 1.0 - tail })
}

/// Probability of a larger and of a smaller size than `size`.
fn beyond(size: f64, degrees: f64) -> (f64, f64) {
    let square = size * size;
    if !square.is_finite() {
        return (0.0, 1.0);
    }
    let whole = degrees + square;
    let halves = incomplete_beta(degrees / 2.0, 0.5, degrees / whole, square / whole);
    (halves.lower, halves.upper)
}

/// Quantile of Student's t with `degrees` of freedom for `0 < p < 1`: Newton's method in logarithms of size and probability, where
/// both the polynomial tail and the middle are close to straight lines.
pub fn student_t_quantile(p: f64, degrees: f64) -> Option<f64> {
    if !is_inside(p) || !is_above_zero(degrees) {
        return None;
    }
    let from_middle = (p - 0.5).abs();
    if from_middle == 0.0 {
        return Some(0.0);
    }
    let tail = 2.0 * if p < 0.5 { p } else { 1.0 - p };
    let is_middle = from_middle < 0.25;
    let target = libm::log(if is_middle { 2.0 * from_middle } else { tail });
    let mut at = libm::log(normal_quantile(0.5 + from_middle.min(0.499_999_999))?.abs());
    for _ in 0..100 {
        let size = libm::exp(at);
        let (outside, inside) = beyond(size, degrees);
        let whole = degrees + size * size;
        // size × density of the absolute value
        let weight = 2.0 * beta_front(degrees / 2.0, 0.5, degrees / whole, size * size / whole);
        let (probability, slope) = if is_middle { (inside, weight / inside) } else { (outside, -weight / outside) };
        let step = ((libm::log(probability) - target) / slope).clamp(-2.0, 2.0);
        at -= step;
        if step.abs() < 1e-15 * at.abs().max(1.0) {
            break;
        }
    }
    let size = libm::exp(at);
    Some(if p < 0.5 { -size } else { size })
}

/// Probability that F with `above` and `below` degrees of freedom is at most `x`.
pub fn f_cdf(x: f64, above: f64, below: f64) -> Option<f64> {
    f_halves(x, above, below).map(|(lower, _)| lower)
}

/// Probability that F with `above` and `below` degrees of freedom is above `x`.
pub fn f_survival(x: f64, above: f64, below: f64) -> Option<f64> {
    f_halves(x, above, below).map(|(_, upper)| upper)
}

fn f_halves(x: f64, above: f64, below: f64) -> Option<(f64, f64)> {
    if !is_above_zero(above) || !is_above_zero(below) || x.is_nan() {
        return None;
    }
    if x <= 0.0 {
        return Some((0.0, 1.0));
    }
    if x.is_infinite() {
        return Some((1.0, 0.0));
    }
    let whole = above * x + below;
    let halves = incomplete_beta(above / 2.0, below / 2.0, above * x / whole, below / whole);
    Some((halves.lower, halves.upper))
}

/// Probability that chi-squared with `degrees` of freedom is at most `x`.
pub fn chi_squared_cdf(x: f64, degrees: f64) -> Option<f64> {
    (is_above_zero(degrees) && !x.is_nan()).then(|| incomplete_gamma(degrees / 2.0, x / 2.0).lower)
}

/// Probability that chi-squared with `degrees` of freedom is above `x`.
pub fn chi_squared_survival(x: f64, degrees: f64) -> Option<f64> {
    (is_above_zero(degrees) && !x.is_nan()).then(|| incomplete_gamma(degrees / 2.0, x / 2.0).upper)
}

/// Exact probability of at least `successes` of `trials` that each succeed with probability `p`.
pub fn binomial_at_least(successes: u64, trials: u64, p: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    if successes == 0 {
        return Some(1.0);
    }
    if successes > trials {
        return Some(0.0);
    }
    Some(incomplete_beta(successes as f64, (trials - successes + 1) as f64, p, 1.0 - p).lower)
}

/// Exact probability of at most `successes` of `trials` that each succeed with probability `p`.
pub fn binomial_at_most(successes: u64, trials: u64, p: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    if successes >= trials {
        return Some(1.0);
    }
    Some(incomplete_beta((trials - successes) as f64, (successes + 1) as f64, 1.0 - p, p).lower)
}
