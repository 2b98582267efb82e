//! Numbers as providers write them: in quotes or without, never through a float.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::{Decimal, Price, SCALE, Volume};

/// A decimal number, written as a JSON number or as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(Decimal);

/// Reads a number that may be null but has to be there: a field that is gone is another schema, a null is a price that is none.
pub fn null_or<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Number>, D::Error> {
    Option::deserialize(deserializer)
}

/// Volumes are counted in thousandths.
const MILLI: i64 = SCALE / 1_000;

impl Number {
    /// From text.
    pub fn read(text: &str) -> Option<Self> {
        Decimal::read(text).map(Self)
    }

    /// The shortest decimal that is this binary fraction of 32 bits: what was meant, where no more than seven digits were.
    pub fn shortest(fraction: f32) -> Option<Self> {
        Self::read(&fraction.to_string())
    }

    /// As a price, where it is one: above zero.
    pub fn price(self) -> Option<Price> {
        Some(self.0.price()).filter(|price| price.is_positive())
    }

    /// As a price rounded to so many decimals: binary fractions of a provider (130.52999877929688) are noise behind them.
    pub fn rounded(self, decimals: u8) -> Option<Price> {
        let step = Price::from_nanos(10_i64.pow(9 - u32::from(decimals.min(9))));
        self.price().map(|price| price.rounded_to(step)).filter(|price| price.is_positive())
    }

    /// As a traded volume; nothing where it is negative.
    pub const fn volume(self) -> Option<Volume> {
        if self.0.0 < 0 { None } else { Some(Volume::from_milli(self.0.0 / MILLI)) }
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0.0 == 0
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
        Decimal::read(text).map(Self).ok_or_else(|| D::Error::custom("not a number this program can hold"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Number> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn numbers_and_texts_are_read_alike_and_exactly() {
        let price = |text: &str| read(text).and_then(Number::price).map(|price| price.to_string());
        assert_eq!(price("91234.1"), Some("91234.1".to_owned()));
        assert_eq!(price("\"91234.10\""), Some("91234.1".to_owned()));
        let noisy = read("130.52999877929688").unwrap();
        assert_eq!(noisy.rounded(2).unwrap().to_string(), "130.53");
        for none in ["0", "-1", "\"\"", "\"NaN\"", "null", "true", "1e40", "[]"] {
            assert_eq!(price(none), None, "{none}");
        }
        let shortest = |fraction: f32| Number::shortest(fraction).and_then(Number::price).map(|price| price.to_string());
        assert_eq!(shortest(24.535), Some("24.535".to_owned()));
        assert_eq!([shortest(f32::NAN), shortest(f32::INFINITY), shortest(f32::MAX), shortest(-1.0)], [None, None, None, None]);
        assert_eq!(read("\"0.0015\"").unwrap().volume(), Some(Volume::from_milli(1)));
    }
}
