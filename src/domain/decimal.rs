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

/// Digits of the longest number that is read.
const MOST_DIGITS: i32 = 36;

/// Powers of ten, as far as they fit.
#[expect(clippy::indexing_slicing, reason = "places stay below the length, which the compiler sees")]
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

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

    /// Reads a JSON number. One pass without an allocation: streams tell thousands a second.
    pub fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mut value, mut digits, mut point, mut exponent) = (0_i128, 0_i32, None, 0);
        for (index, byte) in text.bytes().enumerate() {
            match byte {
                b'0'..=b'9' if digits < MOST_DIGITS => {
                    value = value * 10 + i128::from(byte - b'0');
                    digits += 1;
                }
                b'.' if digits > 0 && point.is_none() => point = Some(digits),
                b'e' | b'E' if digits > 0 => {
                    exponent = text.get(index + 1..)?.parse().ok().filter(|exponent: &i32| (-30..=30).contains(exponent))?;
                    break;
                }
                _ => return None,
            }
        }
        if digits == 0 {
            return None;
        }
        let places = point.map_or(0, |point| digits - point);
        let shift = 9 + exponent - places;
        let scale = *POWERS.get(usize::try_from(shift.unsigned_abs()).ok()?)?;
        let nanos = if shift >= 0 { value.checked_mul(scale)? } else { (value + scale / 2) / scale };
        i64::try_from(if is_negative { -nanos } else { nanos }).ok().map(Self)
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
            ("-0.0000000005", -1),
            ("9223372036.854775807", i64::MAX),
            ("000000000000000000000000000000000001", 1_000_000_000),
            ("1234567890123456789e-18", 1_234_567_890),
        ] {
            assert_eq!(Decimal::read(text), Some(Decimal(nanos)), "{text}");
        }
        for text in [
            "",
            "1.2.3",
            "abc",
            "1e99",
            "99999999999999999999",
            "-",
            ".5",
            "NaN",
            "1e",
            "e5",
            "1e-2147483648",
            "1e31",
            "9223372036.854775808",
        ] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
        assert_eq!(serde_json::to_string(&Decimal(84_300_000)).unwrap(), "0.0843");
        assert_eq!(serde_json::from_str::<Decimal>("null").unwrap(), Decimal(0));
        assert!(serde_json::from_str::<Decimal>("\"1.0\"").is_err());
    }
}
