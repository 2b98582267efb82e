//! The augmented Dickey–Fuller test, with a constant.
//!
//! Lagged differences are one series at shifted places, so their cross-products follow from each other: building them costs `n × lags`
//! rather than `n × lags²`. Levels are taken from their mean first, which the constant absorbs, so that normal equations lose no digits.

use crate::stats::metrics::spread;
use crate::stats::series::dot;
use crate::stats::{mean, normal_cdf};

/// How many lagged differences the regression holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lags {
    /// The number with the smallest Akaike criterion, on a common sample, up to `⌈12 (n/100)^¼⌉` (Schwert 1989), as statsmodels.
    Akaike,
    /// Given.
    Fixed(usize),
}

/// Result of an augmented Dickey–Fuller test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DickeyFuller {
    /// t statistic of the lagged level; strongly negative speaks against a unit root.
    pub statistic: f64,
    /// Approximate p-value of the null hypothesis of a unit root (MacKinnon 1994, updated 2010, one series, constant).
    pub p: f64,
    /// Lagged differences in the regression.
    pub lags: usize,
}

/// Tests the null hypothesis of a unit root (Said and Dickey 1984). `None` for a constant or straight series, or fewer values than
/// the regression needs.
pub fn dickey_fuller(values: &[f64], lags: Lags) -> Option<DickeyFuller> {
    spread(values)?;
    // The constant, the level and one more must leave half of the values.
    let most = (values.len() / 2).checked_sub(2)?;
    let lags = match lags {
        Lags::Fixed(lags) => lags,
        Lags::Akaike => {
            let schwert = libm::ceil(12.0 * libm::pow(values.len() as f64 / 100.0, 0.25)) as usize;
            Products::new(values, schwert.min(most))?.best_lags()?
        }
    };
    if lags > most {
        return None;
    }
    let products = Products::new(values, lags)?;
    let statistic = products.level_t()?;
    Some(DickeyFuller { statistic, p: mackinnon(statistic), lags })
}

/// MacKinnon's response surface for one series with a constant.
fn mackinnon(statistic: f64) -> f64 {
    let surface = |terms: &[f64]| normal_cdf(terms.iter().rev().fold(0.0, |sum, term| sum * statistic + term));
    if statistic > 2.74 {
        1.0
    } else if statistic < -18.83 {
        0.0
    } else if statistic <= -1.61 {
        surface(&[2.1659, 1.4412, 0.038_269])
    } else {
        surface(&[1.7339, 0.932_02, -0.127_45, -0.010_368])
    }
}

/// Centred cross-products of difference, level and lagged differences over the common sample.
struct Products {
    /// Row-major; index 0 is the level, 1 to `lags` the lagged differences.
    matrix: Vec<f64>,
    /// Each regressor with the difference.
    target: Vec<f64>,
    /// The difference with itself.
    total: f64,
    rows: usize,
    lags: usize,
}

#[expect(clippy::indexing_slicing, reason = "places are bounded by the lengths that `new` makes from the same two numbers")]
impl Products {
    fn new(values: &[f64], lags: usize) -> Option<Self> {
        let steps: Vec<f64> = values.iter().zip(values.iter().skip(1)).map(|(a, b)| b - a).collect();
        let rows = steps.len().checked_sub(lags).filter(|rows| *rows > lags + 2)?;
        let (centre, last) = (mean(&values[lags..lags + rows])?, steps.len() - 1);
        let levels: Vec<f64> = values[lags..lags + rows].iter().map(|value| value - centre).collect();
        let shifted = |lag: usize| &steps[lags - lag..lags - lag + rows];
        // Each window is the one before it, moved by one.
        let whole: f64 = shifted(0).iter().sum();
        let moved = |sum: &mut f64, lag: usize| {
            *sum += steps[lags - lag] - steps[last + 1 - lag];
            Some(*sum)
        };
        let sums: Vec<f64> = std::iter::once(whole).chain((1..=lags).scan(whole, moved)).collect();
        // raw[i][j]: the difference i back with the difference j back
        let width = lags + 1;
        let mut raw = vec![0.0; width * width];
        for (lag, place) in raw.iter_mut().enumerate().take(width) {
            *place = dot(shifted(0), shifted(lag));
        }
        for i in 1..=lags {
            for j in i..=lags {
                raw[i * width + j] =
                    raw[(i - 1) * width + j - 1] + steps[lags - i] * steps[lags - j] - steps[last + 1 - i] * steps[last + 1 - j];
            }
        }
        let count = rows as f64;
        let mut matrix = vec![0.0; width * width];
        let mut target = vec![0.0; width];
        matrix[0] = dot(&levels, &levels);
        target[0] = dot(&levels, shifted(0));
        for i in 1..=lags {
            target[i] = raw[i] - sums[0] * sums[i] / count;
            matrix[i * width] = dot(&levels, shifted(i));
            matrix[i] = matrix[i * width];
            for j in i..=lags {
                let value = raw[i * width + j] - sums[i] * sums[j] / count;
                matrix[i * width + j] = value;
                matrix[j * width + i] = value;
            }
        }
        Some(Self { matrix, target, total: raw[0] - sums[0] * sums[0] / count, rows, lags })
    }

    /// Solves the triangular system of a Cholesky factor, with regressors in this order: what each adds to the explained sum of squares
    /// is the square of its coordinate.
    fn coordinates(&self, order: &[usize]) -> Option<Vec<f64>> {
        let width = self.lags + 1;
        let mut factor = vec![0.0; width * width];
        let mut found = vec![0.0; width];
        for i in 0..width {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| factor[i * width + k] * factor[j * width + k]).sum();
                let rest = self.matrix[order[i] * width + order[j]] - known;
                factor[i * width + j] = if i > j {
                    rest / factor[j * width + j]
                } else if rest > 1e-12 * self.matrix[order[i] * width + order[i]] {
                    libm::sqrt(rest)
                } else {
                    return None;
                };
            }
            let known: f64 = (0..i).map(|k| factor[i * width + k] * found[k]).sum();
            found[i] = (self.target[order[i]] - known) / factor[i * width + i];
        }
        Some(found)
    }

    /// The number of lags with the smallest Akaike criterion; the smaller one where two are equal.
    fn best_lags(&self) -> Option<usize> {
        let order: Vec<usize> = (0..=self.lags).collect();
        let count = self.rows as f64;
        let (mut rest, mut best, mut best_lags) = (self.total, f64::INFINITY, None);
        for (lags, coordinate) in self.coordinates(&order)?.iter().enumerate() {
            rest -= coordinate * coordinate;
            let criterion = count * libm::log(rest) + 2.0 * (lags as f64);
            if criterion < best {
                (best, best_lags) = (criterion, Some(lags));
            }
        }
        best_lags
    }

    /// The t statistic of the level: with the level last, its coordinate over the deviation of what is left.
    fn level_t(&self) -> Option<f64> {
        let order: Vec<usize> = (1..=self.lags).chain([0]).collect();
        let coordinates = self.coordinates(&order)?;
        let rest = self.total - coordinates.iter().map(|value| value * value).sum::<f64>();
        let degrees = self.rows as f64 - self.lags as f64 - 2.0;
        (rest > 1e-14 * self.total).then_some(coordinates.last()? / libm::sqrt(rest / degrees))
    }
}
