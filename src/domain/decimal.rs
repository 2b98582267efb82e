//! Numbers of the wire: read from their text into units of 1e-9 and written back shortest, never through a float.

use std::fmt;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{Price, Quantity};

/// A decimal number in units of 1e-9. Further places are rounded half away from zero, as a price list never has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decimal(pub i64);

impl Decimal {
    /// As a price; 0 means none on this wire.
    pub const fn level(self) -> Option<Price> {
        if self.0 == 0 { None } else { Some(Price::from_nanos(self.0)) }
    }

    /// As a price.
    pub const fn price(self) -> Price {
        Price::from_nanos(self.0)
    }

    /// As a volume in lots.
    pub const fn volume(self) -> Quantity {
        Quantity::from_nanos(self.0)
    }

    /// Reads a JSON number.
    pub fn read(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= 30)?;
        let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{places}");
        if whole.is_empty() || digits.len() > 36 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value: i128 = digits.parse().ok()?;
        let shift = 9 + exponent - i32::try_from(places.len()).ok()?;
        let scale = 10_i128.checked_pow(shift.unsigned_abs())?;
        let nanos = if shift >= 0 { value.checked_mul(scale)? } else { (value + scale / 2) / scale };
        i64::try_from(if negative { -nanos } else { nanos }).ok().map(Self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Price::from_nanos(self.0).fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get() == "null" {
            return Ok(Self(0));
        }
        Self::read(raw.get()).ok_or_else(|| D::Error::custom("not a number this program can hold"))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (text, nanos) in [
            ("1.08421", 1_084_210_000),
            ("0.0", 0),
            ("-6.1", -6_100_000_000),
            ("100000", 100_000_000_000_000),
            ("1e-5", 10_000),
            ("1.5E2", 150_000_000_000),
            ("0.1234567891", 123_456_789),
            ("30030.58", 30_030_580_000_000),
        ] {
            assert_eq!(Decimal::read(text), Some(Decimal(nanos)), "{text}");
        }
        for text in ["", "1.2.3", "abc", "1e99", "99999999999999999999", "-", ".5", "NaN"] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
        assert_eq!(serde_json::to_string(&Decimal(84_300_000)).unwrap(), "0.0843");
        assert_eq!(serde_json::from_str::<Decimal>("null").unwrap(), Decimal(0));
        assert!(serde_json::from_str::<Decimal>("\"1.0\"").is_err());
    }
}
