//! When a row is from: the ways to write a date.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// How dates of a file are written. A file keeps to one way: a time without a zone is none that could be compared with one that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// `2020-03-16`.
    Day,
    /// `2020-03-16T15:30` or `2020-03-16 15:30:00`.
    Zoneless,
    /// `2020-03-16T15:30:00Z` or with an offset; offsets may change, as they do in spring.
    Zoned,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
}

impl Writing {
    /// In words, after "is".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Day => "a date alone",
            Self::Zoneless => "a time without a zone",
            Self::Zoned => "a time with a zone",
            Self::Seconds => "seconds since 1970",
            Self::Millis => "milliseconds since 1970",
            Self::Micros => "microseconds since 1970",
            Self::Nanos => "nanoseconds since 1970",
        }
    }
}

/// A moment as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The instant; of what has no zone, as if in UTC.
    pub at: Timestamp,
    /// The day on the writer's calendar.
    pub day: Date,
    /// How it was written.
    pub writing: Writing,
}

/// The farthest zone from UTC, in seconds.
const FARTHEST_ZONE: i32 = 14 * 3_600;

impl Stamp {
    /// Reads a date or a time. Whole numbers are moments only where `may_count`: a volume looks like one.
    pub fn read(text: &str, may_count: bool) -> Option<Self> {
        if let Ok(number) = text.parse::<i64>() {
            return if may_count { Self::counted(number) } else { None };
        }
        if let Ok(pieces) = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text) {
            let time = pieces.time();
            let written = DateTime::from_parts(pieces.date(), time.unwrap_or_default());
            let writing = match (time, pieces.offset()) {
                (None, None) => Writing::Day,
                (Some(_), None) if pieces.time_zone_annotation().is_none() => Writing::Zoneless,
                (_, _) => Writing::Zoned,
            };
            let at = if writing == Writing::Zoned {
                let offset = pieces.to_numeric_offset()?;
                (offset.seconds().abs() <= FARTHEST_ZONE).then(|| offset.to_timestamp(written).ok())??
            } else {
                TimeZone::UTC.to_timestamp(written).ok()?
            };
            return Some(Self { at, day: written.date(), writing });
        }
        None
    }

    fn counted(number: i64) -> Option<Self> {
        // From 1973 to 2286 in each unit, so that none is taken for another.
        let (at, writing) = match number {
            100_000_000..10_000_000_000 => (Timestamp::from_second(number), Writing::Seconds),
            100_000_000_000..10_000_000_000_000 => (Timestamp::from_millisecond(number), Writing::Millis),
            100_000_000_000_000..10_000_000_000_000_000 => (Timestamp::from_microsecond(number), Writing::Micros),
            100_000_000_000_000_000.. => (Timestamp::from_nanosecond(i128::from(number)), Writing::Nanos),
            _ => return None,
        };
        let at = at.ok()?;
        Some(Self { at, day: TimeZone::UTC.to_datetime(at).date(), writing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_ways_people_write_them() {
        for (text, writing, day) in [
            ("2020-03-16", Writing::Day, "2020-03-16"),
            ("2020-03-16T15:30", Writing::Zoneless, "2020-03-16"),
            ("2020-03-16 15:30:00", Writing::Zoneless, "2020-03-16"),
            ("2020-03-16T23:30:00-04:00", Writing::Zoned, "2020-03-16"),
            ("2020-03-16T15:30:00Z", Writing::Zoned, "2020-03-16"),
            ("1584316800", Writing::Seconds, "2020-03-16"),
            ("1584316800000", Writing::Millis, "2020-03-16"),
            ("1584316800000000", Writing::Micros, "2020-03-16"),
            ("1584316800000000000", Writing::Nanos, "2020-03-16"),
        ] {
            let stamp = Stamp::read(text, true).unwrap();
            assert_eq!((stamp.writing, stamp.day.to_string()), (writing, day.to_owned()), "{text}");
        }
        for text in ["2020-02-30", "16.03.2020", "03/16/2020", "yesterday", "", "2020-03-16T15:30:00+19:00", "12", "1.5"] {
            assert_eq!(Stamp::read(text, true), None, "{text}");
        }
        assert_eq!(Stamp::read("1584316800", false), None);
    }
}
