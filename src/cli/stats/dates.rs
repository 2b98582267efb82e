//! When a row is from: the ways to write a date, and how many rows make a year.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
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
        // From 1973 to 2286 both ways, so that neither is taken for the other.
        let (at, writing) = match number {
            100_000_000..10_000_000_000 => (Timestamp::from_second(number), Writing::Seconds),
            100_000_000_000..10_000_000_000_000 => (Timestamp::from_millisecond(number), Writing::Millis),
            _ => return None,
        };
        let at = at.ok()?;
        Some(Self { at, day: TimeZone::UTC.to_datetime(at).date(), writing })
    }
}

/// Why rows do not say how many of them make a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unclear {
    /// The usual gap is none of a calendar's: within a day it depends on how long the market is open.
    Gap,
    /// The usual gap says so many, and so many came.
    Sparse(f64, f64),
}

/// The largest share by which rows may come more or less often than their usual gap says: holidays are fewer.
const HOLIDAYS: f64 = 0.15;

/// How many rows make a year, with the reason in words, from the median gap between rows, where as many came as that says.
pub fn periods_per_year(stamps: &[Stamp]) -> Result<(f64, &'static str), Unclear> {
    const DAY: f64 = 86_400.0;
    let mut gaps: Vec<f64> =
        stamps.iter().zip(stamps.iter().skip(1)).map(|(one, next)| next.at.duration_since(one.at).as_secs_f64() / DAY).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let median = *gaps.get(gaps.len() / 2).ok_or(Unclear::Gap)?;
    let weekends = stamps.iter().filter(|stamp| matches!(stamp.day.weekday(), Weekday::Saturday | Weekday::Sunday)).count();
    // Two days of seven where something trades on all of them.
    let has_weekends = weekends * 10 > stamps.len();
    let (periods, words) = match median {
        0.9..=1.1 if has_weekends => (365.0, "every day"),
        0.9..=1.1 => (252.0, "business days"),
        6.5..=7.5 => (52.0, "weeks"),
        27.5..=31.5 => (12.0, "months"),
        89.0..=93.0 => (4.0, "quarters"),
        364.0..=367.0 => (1.0, "years"),
        _ => return Err(Unclear::Gap),
    };
    let came = gaps.len() as f64 / (gaps.iter().sum::<f64>() / 365.25);
    if (came / periods - 1.0).abs() > HOLIDAYS { Err(Unclear::Sparse(periods, came)) } else { Ok((periods, words)) }
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
        ] {
            let stamp = Stamp::read(text, true).unwrap();
            assert_eq!((stamp.writing, stamp.day.to_string()), (writing, day.to_owned()), "{text}");
        }
        for text in ["2020-02-30", "16.03.2020", "03/16/2020", "yesterday", "", "2020-03-16T15:30:00+19:00", "12", "1.5"] {
            assert_eq!(Stamp::read(text, true), None, "{text}");
        }
        assert_eq!(Stamp::read("1584316800", false), None);
    }

    #[test]
    fn a_year_is_counted_by_the_median_gap() {
        let every = |days: i64, count: i64| -> Vec<Stamp> {
            (0..count).filter_map(|index| Stamp::read(&(1_577_836_800 + index * days * 86_400).to_string(), true)).collect()
        };
        let without_weekends: Vec<Stamp> = every(1, 60)
            .into_iter()
            .filter(|stamp| !matches!(stamp.day.weekday(), Weekday::Saturday | Weekday::Sunday))
            .collect();
        assert_eq!(periods_per_year(&every(1, 60)), Ok((365.0, "every day")));
        assert_eq!(periods_per_year(&without_weekends), Ok((252.0, "business days")));
        assert_eq!(periods_per_year(&every(7, 60)), Ok((52.0, "weeks")));
        assert_eq!(periods_per_year(&every(30, 60)), Ok((12.0, "months")));
        assert_eq!(periods_per_year(&every(2, 60)), Err(Unclear::Gap));
        assert_eq!(periods_per_year(&[]), Err(Unclear::Gap));
        // Three days a week: the usual gap is a day, and 157 of them make a year.
        let monday_to_wednesday: Vec<Stamp> = every(1, 700)
            .into_iter()
            .filter(|stamp| matches!(stamp.day.weekday(), Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday))
            .collect();
        let found = periods_per_year(&monday_to_wednesday);
        assert!(
            matches!(found, Err(Unclear::Sparse(periods, came)) if periods == 252.0 && (came - 156.5).abs() < 2.0),
            "{found:?}"
        );
    }
}
