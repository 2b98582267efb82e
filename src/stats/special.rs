//! Regularised incomplete beta and gamma functions, by continued fractions and series with prefactors that do not cancel.
//!
//! The prefactors follow C. Loader, *Fast and Accurate Computation of Binomial Probabilities* (2000): deviances and Stirling errors
//! instead of differences of logarithms of gamma functions, which lose a digit for each power of ten of their arguments.

use core::f64::consts::PI;

/// What a small denominator of a continued fraction is replaced by (Lentz's rule).
const TINY: f64 = 1e-300;
/// Terms after which a fraction or series is given up; the slowest needs about the square root of its largest argument.
const TERMS: u32 = 200_000;

/// Both halves of a probability; each is exact where it is small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Halves {
    /// Probability below.
    pub lower: f64,
    /// Probability above.
    pub upper: f64,
}

/// `I_x(a, b)` and its complement for `a, b > 0`; `y` is `1 − x`, given apart so that neither loses digits.
pub(super) fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> Halves {
    if x <= 0.0 {
        return Halves { lower: 0.0, upper: 1.0 };
    }
    if y <= 0.0 {
        return Halves { lower: 1.0, upper: 0.0 };
    }
    let front = beta_front(a, b, x, y);
    if x < (a + 1.0) / (a + b + 2.0) {
        let lower = front * beta_fraction(a, b, x, y);
        Halves { lower, upper: 1.0 - lower }
    } else {
        let upper = front * beta_fraction(b, a, y, x);
        Halves { lower: 1.0 - upper, upper }
    }
}

/// `x^a y^b / B(a, b)`.
pub(super) fn beta_front(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let whole = a + b;
    let deviance = half_deviance(a, whole * x) + half_deviance(b, whole * y);
    let error = stirling_error(whole) - stirling_error(a) - stirling_error(b);
    libm::exp(error - deviance) * libm::sqrt(a * b / (2.0 * PI * whole))
}

/// The continued fraction of the incomplete beta function in the form of Didonato and Morris (ACM TOMS 18, 1992, algorithm 708,
/// BFRAC): written with `λ = a − (a + b) x`, so that nothing cancels where `x` is close to one.
fn beta_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let excess = if a > b { (a + b) * y - b } else { a - (a + b) * x };
    let (start, first) = (1.0 + excess, 1.0 + 1.0 / a);
    let (mut p, mut s) = (1.0, a + 1.0);
    let (mut above_before, mut below_before, mut above, mut below) = (0.0, 1.0, 1.0, start / first);
    let mut found = first / start;
    for term in 1..TERMS {
        let n = f64::from(term);
        let t = n / a;
        let w = n * (b - n) * x;
        let e = a / s;
        let alpha = p * (p + b / a) * e * e * (w * x);
        let beta = n + w / s + (1.0 + t) / (first + 2.0 * t) * (start + n * (y + 1.0));
        p = 1.0 + t;
        s += 2.0;
        (above_before, above) = (above, alpha * above_before + beta * above);
        (below_before, below) = (below, alpha * below_before + beta * below);
        let before = found;
        found = above / below;
        if (found - before).abs() <= f64::EPSILON * found {
            break;
        }
        above_before /= below;
        below_before /= below;
        above = found;
        below = 1.0;
    }
    found
}

/// `P(a, x)` and `Q(a, x)` for `a > 0`, `x ≥ 0`.
pub(super) fn incomplete_gamma(a: f64, x: f64) -> Halves {
    if x <= 0.0 {
        return Halves { lower: 0.0, upper: 1.0 };
    }
    // x^a e^−x / Γ(a)
    let front = libm::exp(-stirling_error(a) - half_deviance(a, x)) * libm::sqrt(a / (2.0 * PI));
    if x < a + 1.0 {
        let lower = front * gamma_series(a, x);
        Halves { lower, upper: 1.0 - lower }
    } else {
        let upper = front * gamma_fraction(a, x);
        Halves { lower: 1.0 - upper, upper }
    }
}

/// The series `Σ xⁿ / (a (a+1) … (a+n))` (DLMF 8.11.4).
fn gamma_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
    for _ in 0..TERMS {
        n += 1.0;
        term *= x / n;
        sum += term;
        if term < sum * (f64::EPSILON / 4.0) {
            break;
        }
    }
    sum
}

/// The continued fraction of `Γ(a, x) / (x^a e^−x)` (DLMF 8.9.2), by Lentz's method.
fn gamma_fraction(a: f64, x: f64) -> f64 {
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut b = x + 1.0 - a;
    let mut ratio = 1.0 / TINY;
    let mut inverse = 1.0 / away(b);
    let mut found = inverse;
    for term in 1..TERMS {
        let n = f64::from(term);
        let step = -n * (n - a);
        b += 2.0;
        inverse = 1.0 / away(step * inverse + b);
        ratio = away(b + step / ratio);
        let change = inverse * ratio;
        found *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    found
}

/// `ln Γ(n + 1) − ((n + ½) ln n − n + ½ ln 2π)`: what Stirling's formula leaves out.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let stirling = (n + 0.5) * libm::log(n) - n + 0.5 * libm::log(2.0 * PI);
        return libm::lgamma(n + 1.0) - stirling;
    }
    let square = n * n;
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    series.iter().rev().fold(0.0, |sum, term| sum / square + term) / n
}

/// `x ln(x / m) + m − x`, without cancellation where the two are close.
fn half_deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * libm::log(x / m) + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut power = 2.0 * x * v;
    for j in 1..1_000 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}
