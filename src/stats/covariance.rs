//! Covariances of several series, shrunk towards what is known without them, and what each part adds to a whole's risk.

use crate::stats::descriptive::{are_finite, defined};
use crate::stats::mean;

/// A symmetric matrix of covariances a period, in the order of the series it was estimated from.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    size: usize,
    /// Row by row.
    values: Vec<f64>,
}

/// A shrunk estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// The estimate, of simple returns a period squared.
    pub covariance: Covariance,
    /// The weight of the target: 0 is the sample's own covariance, 1 nothing of it.
    pub intensity: f64,
    /// Periods it rests on.
    pub observations: usize,
}

/// Where the risk of a portfolio comes from, a period.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskParts {
    /// Standard deviation of the whole.
    pub volatility: f64,
    /// What one more unit of each part would add: `(Σw)ᵢ / σ`.
    pub marginal: Vec<f64>,
    /// What each part adds: weight times marginal. They add up to the volatility; one that is below zero hedges the others.
    pub component: Vec<f64>,
}

impl Covariance {
    /// Takes a symmetric matrix row by row. `None` where it is not square, not symmetric, or holds what is no number.
    pub fn from_rows(rows: &[Vec<f64>]) -> Option<Self> {
        let size = rows.len();
        let is_square = size > 0 && rows.iter().all(|row| row.len() == size && are_finite(row));
        let matrix = Self { size, values: rows.concat() };
        let is_symmetric = || (0..size).all(|row| (0..row).all(|column| matrix.at(row, column) == matrix.at(column, row)));
        (is_square && is_symmetric()).then_some(matrix)
    }

    /// How many series.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The covariance of two series, or the variance of one; 0 beyond the last.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        let place = if column < self.size { row * self.size + column } else { usize::MAX };
        self.values.get(place).copied().unwrap_or_default()
    }

    /// Mean of the variances.
    pub fn mean_variance(&self) -> f64 {
        (0..self.size).map(|index| self.at(index, index)).sum::<f64>() / self.size as f64
    }

    /// Risk of a portfolio of these weights and its parts (Euler's rule for functions of degree one; Litterman 1996, Tasche 1999). `None` for
    /// another number of weights, one that is no number, or a portfolio without risk.
    pub fn risk(&self, weights: &[f64]) -> Option<RiskParts> {
        if weights.len() != self.size || !are_finite(weights) {
            return None;
        }
        let rows = self.values.chunks_exact(self.size);
        let with_all: Vec<f64> = rows.map(|row| row.iter().zip(weights).map(|(value, weight)| value * weight).sum()).collect();
        let variance: f64 = with_all.iter().zip(weights).map(|(with, weight)| with * weight).sum();
        let volatility = defined(libm::sqrt(variance)).filter(|volatility| *volatility > 0.0)?;
        let marginal: Vec<f64> = with_all.iter().map(|with| with / volatility).collect();
        let component = marginal.iter().zip(weights).map(|(marginal, weight)| marginal * weight).collect();
        Some(RiskParts { volatility, marginal, component })
    }
}

/// Ledoit and Wolf's covariance (Journal of Multivariate Analysis 88, 2004): the sample's (divisor n) shrunk towards the identity times the
/// mean variance, by the intensity that they show to lose least in the limit. As scikit-learn's `ledoit_wolf`.
///
/// One slice of simple returns a series, all of one length. `None` for no series, fewer than two periods, different lengths, what is no
/// number, or where nothing varies.
pub fn ledoit_wolf(series: &[Vec<f64>]) -> Option<Shrunk> {
    let (size, count) = (series.len(), series.first()?.len());
    if count < 2 || series.iter().any(|values| values.len() != count || !are_finite(values)) {
        return None;
    }
    let centred: Vec<Vec<f64>> = series
        .iter()
        .map(|values| mean(values).map(|centre| values.iter().map(|value| value - centre).collect()))
        .collect::<Option<_>>()?;
    let (n, p) = (count as f64, size as f64);
    let mut values = vec![0.0; size * size];
    // Sum over all pairs and periods of squared products, and of squared covariances.
    let (mut fourth, mut squares) = (0.0, 0.0);
    for (left, row) in centred.iter().zip(values.chunks_exact_mut(size)) {
        for (right, place) in centred.iter().zip(row) {
            let (mut cross, mut both) = (0.0, 0.0);
            for (a, b) in left.iter().zip(right) {
                let product = a * b;
                cross += product;
                both += product * product;
            }
            *place = cross / n;
            fourth += both;
            squares += *place * *place;
        }
    }
    let mut covariance = Covariance { size, values };
    let centre = defined(covariance.mean_variance()).filter(|centre| *centre > 0.0)?;
    let distance = (squares - p * centre * centre) / p;
    let noise = ((fourth / n - squares) / (p * n)).min(distance);
    let intensity = if size > 1 && noise > 0.0 { noise / distance } else { 0.0 };
    for (index, value) in covariance.values.iter_mut().enumerate() {
        *value *= 1.0 - intensity;
        if index % (size + 1) == 0 {
            *value += intensity * centre;
        }
    }
    defined(intensity).map(|intensity| Shrunk { covariance, intensity, observations: count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_risk_by_hand() {
        // Two independent parts of 3 % and 4 %, one of each: a triangle of 3, 4 and 5.
        let covariance = Covariance::from_rows(&[vec![9e-4, 0.0], vec![0.0, 16e-4]]).unwrap();
        let risk = covariance.risk(&[1.0, 1.0]).unwrap();
        assert!((risk.volatility - 0.05).abs() < 1e-15);
        assert!((risk.component[0] - 0.018).abs() < 1e-15 && (risk.component[1] - 0.032).abs() < 1e-15);
        assert_eq!(covariance.risk(&[0.0, 0.0]), None);
        assert_eq!(covariance.risk(&[1.0]), None);
        assert_eq!(covariance.risk(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn what_is_no_covariance_is_none() {
        assert_eq!(Covariance::from_rows(&[]), None);
        assert_eq!(Covariance::from_rows(&[vec![1.0, 0.5], vec![0.4, 1.0]]), None);
        assert_eq!(Covariance::from_rows(&[vec![1.0, 0.5]]), None);
        assert_eq!(ledoit_wolf(&[]), None);
        assert_eq!(ledoit_wolf(&[vec![0.1], vec![0.2]]), None);
        assert_eq!(ledoit_wolf(&[vec![0.1, 0.2], vec![0.2]]), None);
        assert_eq!(ledoit_wolf(&[vec![0.1, f64::NAN], vec![0.2, 0.1]]), None);
        assert_eq!(ledoit_wolf(&[vec![0.1, 0.1], vec![0.2, 0.2]]), None);
    }

    #[test]
    fn one_series_is_not_shrunk() {
        let alone = ledoit_wolf(&[vec![0.01, -0.02, 0.03]]).unwrap();
        assert_eq!(alone.intensity, 0.0);
        assert!((alone.covariance.at(0, 0) - 38e-4 / 9.0).abs() < 1e-15);
    }
}
