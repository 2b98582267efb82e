//! Fixed-point prices, quantities, volumes and money: `i64` at 1e-9, `i128` in between, every operation checked.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::domain::Ratio;

/// Units per one: a `Price` of 1 holds 1,000,000,000.
pub const SCALE: i64 = 1_000_000_000;

/// Why a calculation has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ArithmeticError {
    /// The result does not fit: amounts are limited to about ±9.22 billion.
    #[error("the result is outside ±9.22 billion")]
    Overflow,
    /// Two currencies were added without an exchange rate.
    #[error("{0} and {1} do not add without an exchange rate")]
    Currencies(Currency, Currency),
}

/// Why a text is not a decimal number of at most nine places.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("«{text}» is not a decimal number with at most nine places")]
pub struct ParseDecimalError {
    text: String,
}

/// Divides rounding half to even, the rule used for every amount in the house.
fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let remainder = numerator.rem_euclid(denominator);
    match (remainder * 2).cmp(&denominator.abs()) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

fn narrow(value: i128) -> Result<i64, ArithmeticError> {
    i64::try_from(value).map_err(|_| ArithmeticError::Overflow)
}

/// Parses a plain decimal ("12", "-0.5"); no exponent, no sign other than a leading minus, at most nine places.
fn parse_nanos(text: &str) -> Result<i64, ParseDecimalError> {
    let refuse = || ParseDecimalError { text: text.chars().take(40).collect() };
    let (negative, body) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, places) = body.split_once('.').unwrap_or((body, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || places.len() > 9 || !digits(whole) || !digits(places) || body.ends_with('.') {
        return Err(refuse());
    }
    let whole: i64 = whole.parse().map_err(|_| refuse())?;
    let mut fraction: i64 = if places.is_empty() { 0 } else { places.parse().map_err(|_| refuse())? };
    for _ in places.len()..9 {
        fraction *= 10;
    }
    let value = i128::from(whole) * i128::from(SCALE) + i128::from(fraction);
    narrow(if negative { -value } else { value }).map_err(|_| refuse())
}

/// Writes the shortest exact decimal, or exactly `precision` places rounded half to even.
fn write_nanos(nanos: i64, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let places = formatter.precision().unwrap_or(9).min(9);
    let unit = 10_i128.pow(9 - u32::try_from(places).unwrap_or(9));
    let rounded = div_half_even(i128::from(nanos), unit) * unit;
    let magnitude = rounded.unsigned_abs();
    let scale = u128::from(SCALE.unsigned_abs());
    let (whole, fraction) = (magnitude / scale, magnitude % scale);
    let digits = format!("{fraction:09}");
    let shown = match formatter.precision() {
        Some(_) => digits.get(..places).unwrap_or(""),
        None => digits.trim_end_matches('0'),
    };
    let text = if shown.is_empty() { whole.to_string() } else { format!("{whole}.{shown}") };
    formatter.pad_integral(rounded >= 0, "", &text)
}

macro_rules! decimal_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_nanos(self.0, formatter)
            }
        }

        impl FromStr for $name {
            type Err = ParseDecimalError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_nanos(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl $name {
            /// Builds the value from its raw count of 1e-9 units.
            pub const fn from_nanos(nanos: i64) -> Self {
                Self(nanos)
            }

            /// The raw count of 1e-9 units.
            pub const fn nanos(self) -> i64 {
                self.0
            }

            /// The value for charts and statistics; never for money.
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / SCALE as f64
            }
        }
    };
}

/// A price per unit in the instrument's quote currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);
decimal_text!(Price);

/// A count of units, never negative where it is an order's or a position's; sides are separate types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);
decimal_text!(Quantity);

/// Traded volume of a bar in thousandths of a unit: crypto volumes exceed what 1e-9 units can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Volume(i64);

/// The currencies the house knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Currency {
    /// United States dollar.
    USD,
    /// Euro.
    EUR,
    /// Pound sterling.
    GBP,
    /// Polish złoty.
    PLN,
    /// Swiss franc.
    CHF,
    /// Japanese yen.
    JPY,
    /// Canadian dollar.
    CAD,
    /// Australian dollar.
    AUD,
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::USD => "USD",
            Self::EUR => "EUR",
            Self::GBP => "GBP",
            Self::PLN => "PLN",
            Self::CHF => "CHF",
            Self::JPY => "JPY",
            Self::CAD => "CAD",
            Self::AUD => "AUD",
        })
    }
}

/// An amount of one currency. Two currencies do not add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    amount: Price,
    currency: Currency,
}

impl Price {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Whether a trade could happen at this price.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// This price moved by a ratio of itself (slippage: `+0.001` is ten basis points up).
    pub fn moved_by(self, ratio: Ratio) -> Result<Self, ArithmeticError> {
        let moved = i128::from(self.0) * (i128::from(SCALE) + i128::from(ratio.nanos()));
        narrow(div_half_even(moved, i128::from(SCALE))).map(Self)
    }

    /// The difference `self − other`, may be negative.
    pub fn minus(self, other: Self) -> Result<Self, ArithmeticError> {
        self.0.checked_sub(other.0).map(Self).ok_or(ArithmeticError::Overflow)
    }

    /// The sum of two prices (a price and a distance).
    pub fn plus(self, other: Self) -> Result<Self, ArithmeticError> {
        self.0.checked_add(other.0).map(Self).ok_or(ArithmeticError::Overflow)
    }

    /// The nearest multiple of `tick`; a `tick` of zero leaves the price as it is.
    pub fn rounded_to(self, tick: Self) -> Self {
        if tick.0 <= 0 {
            return self;
        }
        narrow(div_half_even(i128::from(self.0), i128::from(tick.0)) * i128::from(tick.0)).map_or(self, Self)
    }

    /// A price from a statistic; `None` when it is not finite or does not fit.
    pub fn from_f64(value: f64) -> Option<Self> {
        let nanos = libm::round(value * SCALE as f64);
        (nanos.is_finite() && nanos.abs() < 9.2e18).then_some(Self(nanos as i64))
    }

    /// `self / reference − 1`, or `None` when the reference is not positive.
    pub fn change_from(self, reference: Self) -> Option<Ratio> {
        Ratio::of(i128::from(self.0) - i128::from(reference.0), i128::from(reference.0))
    }
}

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Whether there is anything at all.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether there is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Result<Self, ArithmeticError> {
        self.0.checked_add(other.0).map(Self).ok_or(ArithmeticError::Overflow)
    }

    /// The difference, refused below zero.
    pub fn minus(self, other: Self) -> Result<Self, ArithmeticError> {
        match self.0.checked_sub(other.0) {
            Some(left) if left >= 0 => Ok(Self(left)),
            _ => Err(ArithmeticError::Overflow),
        }
    }

    /// The largest multiple of `step` that is not above `self`.
    pub const fn floored_to(self, step: Self) -> Self {
        if step.0 <= 0 { self } else { Self(self.0 - self.0.rem_euclid(step.0)) }
    }

    /// Whether `self` is a whole number of steps.
    pub const fn is_multiple_of(self, step: Self) -> bool {
        step.0 <= 0 || self.0 % step.0 == 0
    }

    /// How many units `budget` buys at `price`, rounded down; `None` without a positive price.
    pub fn affordable(budget: Money, price: Price) -> Option<Self> {
        if !price.is_positive() || budget.amount.0 < 0 {
            return None;
        }
        let units = i128::from(budget.amount.0) * i128::from(SCALE) / i128::from(price.0);
        narrow(units).ok().map(Self)
    }
}

impl Volume {
    /// Builds a volume from thousandths of a unit.
    pub const fn from_milli(milli: i64) -> Self {
        Self(milli)
    }

    /// Thousandths of a unit.
    pub const fn milli(self) -> i64 {
        self.0
    }

    /// The volume in units, for charts.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The share of this volume one participant may take, as a quantity; saturates at the largest quantity.
    pub fn share(self, share: Ratio) -> Quantity {
        let nanos = i128::from(self.0) * 1_000_000 * i128::from(share.nanos()) / i128::from(SCALE);
        Quantity(i64::try_from(nanos.max(0)).unwrap_or(i64::MAX))
    }
}

impl Money {
    /// An amount of nothing.
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: Price(0), currency }
    }

    /// Builds an amount from 1e-9 units of `currency`.
    pub const fn from_nanos(nanos: i64, currency: Currency) -> Self {
        Self { amount: Price(nanos), currency }
    }

    /// Whole units of `currency`, for configuration and tests.
    pub fn whole(units: i64, currency: Currency) -> Result<Self, ArithmeticError> {
        units.checked_mul(SCALE).map(|nanos| Self::from_nanos(nanos, currency)).ok_or(ArithmeticError::Overflow)
    }

    /// What `quantity` units cost at `price` (rounded half to even at 1e-9).
    pub fn notional(price: Price, quantity: Quantity, currency: Currency) -> Result<Self, ArithmeticError> {
        let product = i128::from(price.0) * i128::from(quantity.0);
        narrow(div_half_even(product, i128::from(SCALE))).map(|nanos| Self::from_nanos(nanos, currency))
    }

    /// The raw 1e-9 units.
    pub const fn nanos(self) -> i64 {
        self.amount.0
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount for gauges and charts.
    pub fn to_f64(self) -> f64 {
        self.amount.to_f64()
    }

    /// The sum; refused across currencies.
    pub fn plus(self, other: Self) -> Result<Self, ArithmeticError> {
        self.same_currency(other)?;
        self.amount.plus(other.amount).map(|amount| Self { amount, ..self })
    }

    /// The difference; refused across currencies.
    pub fn minus(self, other: Self) -> Result<Self, ArithmeticError> {
        self.same_currency(other)?;
        self.amount.minus(other.amount).map(|amount| Self { amount, ..self })
    }

    /// The amount with its sign turned.
    pub const fn negated(self) -> Self {
        Self::from_nanos(self.amount.0.saturating_neg(), self.currency)
    }

    /// The size of the amount.
    pub const fn abs(self) -> Self {
        Self::from_nanos(self.amount.0.saturating_abs(), self.currency)
    }

    /// A share of the amount, rounded half to even.
    pub fn times(self, ratio: Ratio) -> Result<Self, ArithmeticError> {
        let product = i128::from(self.amount.0) * i128::from(ratio.nanos());
        narrow(div_half_even(product, i128::from(SCALE))).map(|nanos| Self::from_nanos(nanos, self.currency))
    }

    /// The part of the amount that belongs to `part` of `whole` units; the rest stays exact by subtraction.
    pub fn prorated(self, part: Quantity, whole: Quantity) -> Result<Self, ArithmeticError> {
        if whole.0 <= 0 {
            return Err(ArithmeticError::Overflow);
        }
        let product = i128::from(self.amount.0) * i128::from(part.0);
        narrow(div_half_even(product, i128::from(whole.0))).map(|nanos| Self::from_nanos(nanos, self.currency))
    }

    /// `self / other`, or `None` when `other` is not positive.
    pub fn ratio_to(self, other: Self) -> Option<Ratio> {
        Ratio::of(i128::from(self.amount.0), i128::from(other.amount.0))
    }

    /// The price per unit at which `quantity` units are worth this amount.
    pub fn per_unit(self, quantity: Quantity) -> Option<Price> {
        if quantity.0 <= 0 {
            return None;
        }
        let product = i128::from(self.amount.0) * i128::from(SCALE);
        narrow(div_half_even(product, i128::from(quantity.0))).ok().map(Price)
    }

    fn same_currency(self, other: Self) -> Result<(), ArithmeticError> {
        if self.currency == other.currency { Ok(()) } else { Err(ArithmeticError::Currencies(self.currency, other.currency)) }
    }
}

impl fmt::Display for Money {
    /// The number alone; the currency belongs to the column.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.amount.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_print_and_parse() {
        for (text, nanos) in [("0", 0), ("12.5", 12_500_000_000), ("-0.000000001", -1), ("9223372036.854775807", i64::MAX)] {
            assert_eq!(text.parse::<Price>().unwrap().nanos(), nanos);
            assert_eq!(Price::from_nanos(nanos).to_string(), text);
        }
        for bad in ["", "-", ".5", "5.", "1e3", "+1", "1.0000000001", "9999999999", "1,5", " 1", "١"] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
        assert_eq!(format!("{:>8.2}", "1.005".parse::<Price>().unwrap()), "    1.00");
        assert_eq!(format!("{:.2}", "-0.001".parse::<Price>().unwrap()), "0.00");
        assert_eq!(format!("{:+.1}", "2.25".parse::<Price>().unwrap()), "+2.2");
    }

    #[test]
    fn currencies_do_not_add() {
        let dollars = Money::whole(1, Currency::USD).unwrap();
        let euros = Money::whole(1, Currency::EUR).unwrap();
        assert_eq!(dollars.plus(euros), Err(ArithmeticError::Currencies(Currency::USD, Currency::EUR)));
    }

    #[test]
    fn overflow_is_an_error() {
        let huge = Money::from_nanos(i64::MAX, Currency::USD);
        assert_eq!(huge.plus(Money::from_nanos(1, Currency::USD)), Err(ArithmeticError::Overflow));
        assert!(Money::notional(Price(i64::MAX), Quantity(2 * SCALE), Currency::USD).is_err());
        assert!(Quantity(1).minus(Quantity(2)).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(nanos in any::<i64>()) {
            let price = Price::from_nanos(nanos);
            prop_assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
        }

        #[test]
        fn half_even_is_within_half_a_unit(value in -1_000_000_i64..1_000_000, by in 1_i64..1000) {
            let rounded = div_half_even(value.into(), by.into());
            prop_assert!((rounded * i128::from(by) - i128::from(value)).abs() * 2 <= i128::from(by));
        }

        #[test]
        fn parts_of_an_amount_add_up(total in -1_000_000_000_000_i64..1_000_000_000_000, part in 0_i64..1000, whole in 1000_i64..2000) {
            let amount = Money::from_nanos(total, Currency::USD);
            let share = amount.prorated(Quantity(part), Quantity(whole)).unwrap();
            let rest = amount.minus(share).unwrap();
            prop_assert_eq!(share.plus(rest).unwrap(), amount);
        }
    }
}
