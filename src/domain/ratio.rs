//! A dimensionless ratio (a share, a return, a limit) in fixed point, so that comparing with a limit is exact.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::SCALE;

/// A ratio at 1e-9: `0.02` is two percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(i64);

impl Ratio {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One, a hundred percent.
    pub const ONE: Self = Self(SCALE);

    /// Builds a ratio from 1e-9 units.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The raw 1e-9 units.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// `numerator / denominator`, truncated at 1e-9; `None` for a denominator that is not positive or a result that does not fit.
    pub fn of(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator <= 0 {
            return None;
        }
        numerator.checked_mul(SCALE.into()).and_then(|scaled| i64::try_from(scaled / denominator).ok()).map(Self)
    }

    /// A ratio from a statistic; `None` when it is not finite or does not fit.
    pub fn from_f64(value: f64) -> Option<Self> {
        let nanos = libm::round(value * SCALE as f64);
        (nanos.is_finite() && nanos.abs() < 9.2e18).then_some(Self(nanos as i64))
    }

    /// The ratio for statistics and drawing.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }

    /// The ratio with its sign turned.
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// How far `self` stands below `limit`, as a share of the limit; `None` for a limit of zero.
    pub fn headroom(self, limit: Self) -> Option<Self> {
        Self::of(i128::from(limit.0) - i128::from(self.0), limit.0.into())
    }
}

impl fmt::Display for Ratio {
    /// In percent: `{:.2}` of 0.0213 prints `2.13`; the sign `%` belongs to the reader.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.to_f64() * 100.0).fmt(formatter)
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&crate::domain::Price::from_nanos(self.0))
    }
}

impl<'de> Deserialize<'de> for Ratio {
    /// Accepts `"0.02"` (as the journal writes it) and `0.02` or `1` (as a person writes it in TOML).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number such as 0.02 (two percent)")]
        enum Written {
            Text(String),
            Float(f64),
            Whole(i64),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => {
                text.parse::<crate::domain::Price>().map(|value| Self(value.nanos())).map_err(D::Error::custom)
            }
            Written::Float(value) => Self::from_f64(value).ok_or_else(|| D::Error::custom("is not a usable number")),
            Written::Whole(value) => value.checked_mul(SCALE).map(Self).ok_or_else(|| D::Error::custom("is too large")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact_where_floats_are_not() {
        let limit = Ratio::from_f64(0.02).unwrap();
        assert_eq!(Ratio::of(2, 100), Some(limit));
        assert!(Ratio::of(2_000_000_001, 100_000_000_000).unwrap() >= limit);
        assert_eq!(Ratio::of(1, 0), None);
        assert_eq!(format!("{:.2}", limit), "2.00");
        assert_eq!(Ratio::of(1, 100).unwrap().headroom(limit), Ratio::of(1, 2));
    }
}
