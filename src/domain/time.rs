//! Two kinds of instant that never mix, and the trading day.
//!
//! *Market time* may run a thousand times faster than the wall on a tape; it drives bars, signals, breakers and risk days.
//! *Wall time* drives what a person and a wire need: lifetimes of proposals, guards of dialogs, time-outs.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch in market time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MarketTime(pub i64);

/// Nanoseconds since the Unix epoch on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

/// A length of time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(pub i64);

impl Duration {
    /// Whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// Whole milliseconds.
    pub const fn millis(millis: i64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Seconds for display and statistics.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

macro_rules! instant {
    ($name:ident) => {
        impl $name {
            /// This instant moved by a length of time; saturates at the ends of time.
            pub const fn plus(self, by: Duration) -> Self {
                Self(self.0.saturating_add(by.0))
            }

            /// This instant moved back by a length of time; saturates at the ends of time.
            pub const fn before(self, by: Duration) -> Self {
                Self(self.0.saturating_sub(by.0))
            }

            /// The length of time since an earlier instant; negative when it is later.
            pub const fn since(self, earlier: Self) -> Duration {
                Duration(self.0.saturating_sub(earlier.0))
            }

            /// The instant as a calendar value, in UTC.
            pub fn timestamp(self) -> Timestamp {
                Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(Timestamp::UNIX_EPOCH)
            }

            /// Reads `2020-03-16`, `2020-03-16T20:00` (UTC) or a full RFC 3339 instant.
            pub fn parse(text: &str) -> Option<Self> {
                let nanos = |stamp: Timestamp| i64::try_from(stamp.as_nanosecond()).ok().map(Self);
                if let Ok(stamp) = text.parse::<Timestamp>() {
                    return nanos(stamp);
                }
                let civil = text.parse::<jiff::civil::DateTime>().ok()?;
                nanos(TimeZone::UTC.to_timestamp(civil).ok()?)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            }
        }
    };
}
instant!(MarketTime);
instant!(WallTime);

/// The zone of the New York exchanges, from the bundled zone data.
///
/// Falls back to UTC if the bundled data lacks it, which a test rules out.
pub fn new_york() -> TimeZone {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC));
    ZONE.clone()
}

/// A trading day for limits: it turns at 17:00 New York, and its week turns with Sunday's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RiskDay {
    /// The date on which the day ends (Friday 18:00 belongs to Saturday, which trades as Monday's day on no market).
    pub date: Date,
    /// When the day ends and the next begins.
    pub ends_at: MarketTime,
}

impl RiskDay {
    /// The risk day an instant belongs to; an instant exactly at 17:00 opens the next day.
    pub fn of(at: MarketTime) -> Self {
        let zone = new_york();
        let local = zone.to_datetime(at.timestamp());
        let rolled = if local.hour() >= 17 { local.date().saturating_add(1.day()) } else { local.date() };
        let ends_at = zone
            .to_timestamp(rolled.at(17, 0, 0, 0))
            .ok()
            .and_then(|end| i64::try_from(end.as_nanosecond()).ok())
            .map_or(MarketTime(i64::MAX), MarketTime);
        Self { date: rolled, ends_at }
    }

    /// The first date of the week this day belongs to: weeks run Monday to Sunday by risk date.
    pub fn week(self) -> Date {
        self.date.saturating_sub(i64::from(self.date.weekday().since(Weekday::Monday)).days())
    }
}

/// Risk days of instants that come mostly in order: each day is worked out once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RiskDays {
    known: Option<(MarketTime, RiskDay)>,
}

impl RiskDays {
    /// The risk day an instant belongs to.
    pub fn of(&mut self, at: MarketTime) -> RiskDay {
        match self.known {
            Some((since, day)) if since <= at && at < day.ends_at => day,
            Some(_) | None => {
                let day = RiskDay::of(at);
                self.known = Some((at, day));
                day
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    #[test]
    fn new_york_is_bundled() {
        assert_eq!(new_york().iana_name(), Some("America/New_York"));
    }

    #[test]
    fn the_day_turns_at_five_in_new_york_in_winter_and_summer() {
        for (instant, date) in [
            ("2020-03-06T21:59:59Z", "2020-03-06"),
            ("2020-03-06T22:00:00Z", "2020-03-07"),
            ("2020-03-09T20:59:59Z", "2020-03-09"),
            ("2020-03-09T21:00:00Z", "2020-03-10"),
        ] {
            assert_eq!(RiskDay::of(at(instant)).date.to_string(), date, "{instant}");
        }
        assert_eq!(RiskDay::of(at("2020-03-09T12:00:00Z")).ends_at, at("2020-03-09T21:00:00Z"));
    }

    #[test]
    fn a_day_that_is_remembered_is_the_one_worked_out() {
        let mut days = RiskDays::default();
        let begin = at("2020-03-05T20:30:00Z").0;
        let step = 47 * 60_000_000_000;
        // In order, and then back again: over a weekend and the change to summer time.
        for index in (0..200).chain((0..200).rev()) {
            let instant = MarketTime(begin + index * step);
            assert_eq!(days.of(instant), RiskDay::of(instant), "{instant}");
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(RiskDay::of(at("2020-03-13T12:00:00Z")).week().to_string(), "2020-03-09");
        assert_eq!(RiskDay::of(at("2020-03-15T22:00:00Z")).week().to_string(), "2020-03-16");
    }

    #[test]
    fn a_person_may_write_a_date_alone() {
        assert_eq!(at("2020-03-16"), at("2020-03-16T00:00:00Z"));
        assert_eq!(at("2020-03-16T20:00"), at("2020-03-16T20:00:00Z"));
        assert_eq!(MarketTime::parse("yesterday"), None);
    }
}
