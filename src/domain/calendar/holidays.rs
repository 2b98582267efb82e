//! Holidays and half days of the New York exchanges, by rule; what follows no rule stands in `config/us-closures.txt`.
//!
//! The rules are those of the exchange since 1971, when most holidays moved to Mondays; each that came later says since when.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::{Date, Time, Weekday, date};

/// What a weekday is on the exchange's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closure {
    /// No trading at all.
    Whole(&'static str),
    /// Trading ends early, at this time in New York.
    Early(Time, &'static str),
}

/// One o'clock: how half days end.
const HALF: Time = Time::constant(13, 0, 0, 0);
const LISTED: &str = include_str!("../../../config/us-closures.txt");

/// What is not an ordinary session on a weekday; nothing where it is one.
pub(super) fn closure(day: Date) -> Option<Closure> {
    static CLOSURES: LazyLock<BTreeMap<Date, Closure>> = LazyLock::new(|| listed(LISTED).unwrap_or_default());
    CLOSURES.get(&day).copied().or_else(|| holiday(day).map(Closure::Whole)).or_else(|| half_day(day))
}

/// Reads the list; nothing where a line of it is no closure, which a test rules out.
fn listed(text: &'static str) -> Option<BTreeMap<Date, Closure>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &'static str| {
        let (day, rest) = line.split_once(char::is_whitespace)?;
        let (when, why) = rest.trim_start().split_once(char::is_whitespace)?;
        let why = why.trim_start();
        let closure = if when == "closed" { Closure::Whole(why) } else { Closure::Early(when.parse().ok()?, why) };
        Some((day.parse().ok()?, closure))
    };
    lines.map(read).collect()
}

fn holiday(day: Date) -> Option<&'static str> {
    let year = day.year();
    let is = |holiday: Date| holiday == day;
    let nth = |month: i8, nth: i8, weekday: Weekday| date(year, month, 1).nth_weekday_of_month(nth, weekday).is_ok_and(is);
    // A holiday on a Saturday is kept on Friday, one on a Sunday on Monday.
    let kept = |month: i8, on: i8| {
        let holiday = date(year, month, on);
        is(match holiday.weekday() {
            Weekday::Saturday => holiday.saturating_sub(1.day()),
            Weekday::Sunday => holiday.saturating_add(1.day()),
            Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => holiday,
        })
    };
    // Not so New Year's Day: the last Friday of a year is a day like others.
    let new_year = kept(1, 1) && date(year, 1, 1).weekday() != Weekday::Saturday;
    if new_year {
        Some("New Year's Day")
    } else if year >= 1998 && nth(1, 3, Weekday::Monday) {
        Some("Martin Luther King Jr. Day")
    } else if nth(2, 3, Weekday::Monday) {
        Some("Washington's Birthday")
    } else if is(easter(year).saturating_sub(2.days())) {
        Some("Good Friday")
    } else if nth(5, -1, Weekday::Monday) {
        Some("Memorial Day")
    } else if year >= 2022 && kept(6, 19) {
        Some("Juneteenth")
    } else if kept(7, 4) {
        Some("Independence Day")
    } else if nth(9, 1, Weekday::Monday) {
        Some("Labor Day")
    } else if nth(11, 4, Weekday::Thursday) {
        Some("Thanksgiving")
    } else if kept(12, 25) {
        Some("Christmas")
    } else {
        None
    }
}

fn half_day(day: Date) -> Option<Closure> {
    let (year, weekday) = (day.year(), day.weekday());
    let half = |why| Some(Closure::Early(HALF, why));
    if year >= 1993 && holiday(day.saturating_sub(1.day())) == Some("Thanksgiving") {
        return half("day after Thanksgiving");
    }
    let is_early_week = matches!(weekday, Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday);
    match (day.month(), day.day()) {
        // On a Friday it is Christmas itself, which falls on a Saturday.
        (12, 24) if year >= 1993 && is_early_week => half("Christmas Eve"),
        // Where Independence Day was a Thursday, the Friday after it was the half day until 2012.
        (7, 3) if year >= 1995 && is_early_week && (weekday != Weekday::Wednesday || year >= 2013) => {
            half("day before Independence Day")
        }
        (7, 5) if (1995..2013).contains(&year) && weekday == Weekday::Friday => half("day after Independence Day"),
        _ => None,
    }
}

/// Easter Sunday of a year (Gregorian computus: Butcher's algorithm, *Nature*, 20 April 1876).
fn easter(year: i16) -> Date {
    let (year, cycle) = (i32::from(year), i32::from(year).rem_euclid(19));
    let (century, rest) = (year.div_euclid(100), year.rem_euclid(100));
    let correction = (century - (century + 8).div_euclid(25) + 1).div_euclid(3);
    let epact = (19 * cycle + century - century.div_euclid(4) - correction + 15).rem_euclid(30);
    let weekday = (32 + 2 * century.rem_euclid(4) + 2 * rest.div_euclid(4) - epact - rest.rem_euclid(4)).rem_euclid(7);
    let shift = (cycle + 11 * epact + 22 * weekday).div_euclid(451);
    let counted = epact + weekday - 7 * shift + 114;
    let (month, day) = (counted.div_euclid(31), counted.rem_euclid(31) + 1);
    let parts = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    let (Ok(year), Ok(month), Ok(day)) = parts else { return Date::MIN };
    Date::new(year, month, day).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_is_where_it_was() {
        for (year, day) in
            [(1962, "1962-04-22"), (1998, "1998-04-12"), (2000, "2000-04-23"), (2008, "2008-03-23"), (2026, "2026-04-05")]
        {
            assert_eq!(easter(year).to_string(), day);
        }
    }

    #[test]
    fn every_line_of_the_list_is_read() {
        let read = listed(LISTED).unwrap();
        let lines = LISTED.lines().filter(|line| line.starts_with(|letter: char| letter.is_ascii_digit())).count();
        assert_eq!((read.len(), lines), (27, 27));
        let weekend = read.keys().find(|day| matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
        assert_eq!(weekend, None);
        assert_eq!(listed("2001-09-11 shut  somehow"), None);
    }

    #[test]
    fn nothing_is_listed_that_a_rule_says() {
        for (day, closure) in listed(LISTED).unwrap() {
            let by_rule = holiday(day).map(Closure::Whole).or_else(|| half_day(day));
            assert_eq!(by_rule, None, "{day} {closure:?}");
        }
    }
}
