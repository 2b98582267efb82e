//! Economic series: what they are, and one value of one of them with the instant at which it could be known.

use std::fmt;

use jiff::civil::Date;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Decimal, MarketTime, Price, SCALE};

/// An economic series that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Treasury par yield of one month.
    Yield1m,
    /// Of three months.
    Yield3m,
    /// Of six months.
    Yield6m,
    /// Of one year.
    Yield1y,
    /// Of two years.
    Yield2y,
    /// Of five years.
    Yield5y,
    /// Of ten years.
    Yield10y,
    /// Of thirty years.
    Yield30y,
    /// Expected volatility of the S&P 500 over nine days.
    Vix9d,
    /// Over thirty days.
    Vix,
    /// Over three months.
    Vix3m,
    /// Over six months.
    Vix6m,
    /// Jobs outside farms, in thousands, seasonally adjusted.
    Payrolls,
    /// The share of the labour force without work.
    Unemployment,
    /// First claims for unemployment insurance in a week.
    Claims,
    /// Consumer prices, all items, an index.
    Cpi,
    /// The federal funds rate, mean of a month.
    FedFunds,
}

/// What a number of a series counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Percent a year.
    Percent,
    /// Points of an index.
    Points,
    /// Thousands of persons.
    Thousands,
    /// Persons.
    Persons,
}

/// How long the period is that one value describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// One day.
    Day,
    /// One week, named by its last day.
    Week,
    /// One month, named by its first day.
    Month,
}

/// A value of a series at 1e-9 of its own unit, exact as it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Reading(i64);

/// Whether a value may differ from what was published first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// It is what was published first: heard when it was new, or of a series that is not revised.
    First,
    /// It may have been revised since: the first figure is not at hand.
    Revised,
}

/// One value of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Of which series.
    pub indicator: Indicator,
    /// Which period it describes; never when it was known.
    pub period: Date,
    /// The value.
    pub value: Reading,
    /// When it could first be known: its release.
    pub known_at: MarketTime,
    /// Whether it may have been revised.
    pub edition: Edition,
}

impl Indicator {
    /// All of them in the order in which they are shown.
    pub const ALL: [Self; 17] = [
        Self::Yield1m,
        Self::Yield3m,
        Self::Yield6m,
        Self::Yield1y,
        Self::Yield2y,
        Self::Yield5y,
        Self::Yield10y,
        Self::Yield30y,
        Self::Vix9d,
        Self::Vix,
        Self::Vix3m,
        Self::Vix6m,
        Self::Payrolls,
        Self::Unemployment,
        Self::Claims,
        Self::Cpi,
        Self::FedFunds,
    ];
    /// The yield curve from its short end.
    pub const CURVE: [Self; 8] = [
        Self::Yield1m,
        Self::Yield3m,
        Self::Yield6m,
        Self::Yield1y,
        Self::Yield2y,
        Self::Yield5y,
        Self::Yield10y,
        Self::Yield30y,
    ];
    /// The term structure of expected volatility from its short end.
    pub const VOLATILITY: [Self; 4] = [Self::Vix9d, Self::Vix, Self::Vix3m, Self::Vix6m];

    /// The word in files, as in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yield1m => "yield1m",
            Self::Yield3m => "yield3m",
            Self::Yield6m => "yield6m",
            Self::Yield1y => "yield1y",
            Self::Yield2y => "yield2y",
            Self::Yield5y => "yield5y",
            Self::Yield10y => "yield10y",
            Self::Yield30y => "yield30y",
            Self::Vix9d => "vix9d",
            Self::Vix => "vix",
            Self::Vix3m => "vix3m",
            Self::Vix6m => "vix6m",
            Self::Payrolls => "payrolls",
            Self::Unemployment => "unemployment",
            Self::Claims => "claims",
            Self::Cpi => "cpi",
            Self::FedFunds => "fed_funds",
        }
    }

    /// The series with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|indicator| indicator.word() == word)
    }

    /// Its name on the screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Yield1m => "Treasury 1m",
            Self::Yield3m => "Treasury 3m",
            Self::Yield6m => "Treasury 6m",
            Self::Yield1y => "Treasury 1y",
            Self::Yield2y => "Treasury 2y",
            Self::Yield5y => "Treasury 5y",
            Self::Yield10y => "Treasury 10y",
            Self::Yield30y => "Treasury 30y",
            Self::Vix9d => "VIX 9 days",
            Self::Vix => "VIX",
            Self::Vix3m => "VIX 3 months",
            Self::Vix6m => "VIX 6 months",
            Self::Payrolls => "Payrolls",
            Self::Unemployment => "Unemployment",
            Self::Claims => "Jobless claims",
            Self::Cpi => "Consumer prices",
            Self::FedFunds => "Fed funds",
        }
    }

    /// The span of a point of a curve; empty for what is no point of one.
    pub const fn span(self) -> &'static str {
        match self {
            Self::Yield1m => "1m",
            Self::Yield3m | Self::Vix3m => "3m",
            Self::Yield6m | Self::Vix6m => "6m",
            Self::Yield1y => "1y",
            Self::Yield2y => "2y",
            Self::Yield5y => "5y",
            Self::Yield10y => "10y",
            Self::Yield30y => "30y",
            Self::Vix9d => "9d",
            Self::Vix => "30d",
            Self::Payrolls | Self::Unemployment | Self::Claims | Self::Cpi | Self::FedFunds => "",
        }
    }

    /// What its numbers count.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Vix9d | Self::Vix | Self::Vix3m | Self::Vix6m | Self::Cpi => Unit::Points,
            Self::Payrolls => Unit::Thousands,
            Self::Claims => Unit::Persons,
            Self::Yield1m | Self::Yield3m | Self::Yield6m | Self::Yield1y | Self::Yield2y => Unit::Percent,
            Self::Yield5y | Self::Yield10y | Self::Yield30y | Self::Unemployment | Self::FedFunds => Unit::Percent,
        }
    }

    /// How long its periods are.
    pub const fn every(self) -> Every {
        match self {
            Self::Payrolls | Self::Unemployment | Self::Cpi | Self::FedFunds => Every::Month,
            Self::Claims => Every::Week,
            Self::Yield1m | Self::Yield3m | Self::Yield6m | Self::Yield1y | Self::Yield2y => Every::Day,
            Self::Yield5y | Self::Yield10y | Self::Yield30y => Every::Day,
            Self::Vix9d | Self::Vix | Self::Vix3m | Self::Vix6m => Every::Day,
        }
    }

    /// Whether it can be a value of this series: yields may lie below zero, volatility and counts may not.
    pub const fn allows(self, value: Reading) -> bool {
        match self.unit() {
            Unit::Percent => value.0 > -20 * SCALE && value.0 < 100 * SCALE,
            Unit::Points => value.0 > 0 && value.0 < 10_000 * SCALE,
            Unit::Thousands => value.0 > 0 && value.0 < 1_000_000 * SCALE,
            Unit::Persons => value.0 > 0 && value.0 < 1_000_000_000 * SCALE,
        }
    }
}

impl Unit {
    /// Behind a number.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::Points => "",
            Self::Thousands => "k",
            Self::Persons => "",
        }
    }

    /// Decimals that are shown.
    pub const fn decimals(self) -> usize {
        match self {
            Self::Percent | Self::Points => 2,
            Self::Thousands | Self::Persons => 0,
        }
    }
}

impl Reading {
    /// From units of 1e-9.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// In units of 1e-9.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Reads a number as publishers write it; nothing where it is none.
    pub fn read(text: &str) -> Option<Self> {
        Decimal::read(text.trim()).map(|decimal| Self(decimal.0))
    }

    /// The difference; saturates at what cannot be.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// For statistics and drawing.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Price::from_nanos(self.0).fmt(formatter)
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.title())
    }
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse::<Price>().map(|value| Self(value.nanos())).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_journal_and_values_survive_it_exactly() {
        for indicator in Indicator::ALL {
            assert_eq!(serde_json::to_string(&indicator).unwrap(), format!("\"{}\"", indicator.word()));
            assert_eq!(Indicator::of_word(indicator.word()), Some(indicator));
        }
        for text in ["4.12", "-0.03", "158733", "0.000000001"] {
            let read = Reading::read(text).unwrap();
            let back: Reading = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!((back, read.to_string().as_str()), (read, text));
        }
        assert_eq!([".", "", "-", "n/a", "NaN", "1e400"].map(Reading::read), [None; 6]);
    }

    #[test]
    fn what_cannot_be_a_value_is_none() {
        let allows = |indicator: Indicator, text: &str| indicator.allows(Reading::read(text).unwrap());
        assert!(allows(Indicator::Yield3m, "-0.05") && !allows(Indicator::Yield3m, "412"));
        assert!(allows(Indicator::Vix, "82.69") && !allows(Indicator::Vix, "0"));
    }
}
