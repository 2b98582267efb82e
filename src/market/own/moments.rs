//! When a row is from, in all the ways exports write it: day before month or after it, with and without a zone, counted or in words.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::domain::MarketTime;
use crate::market::own::dates::{Stamp, Writing};
use crate::market::own::sheet::{Cell, HasZone};

/// What comes first in dates like `03/04/2020`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// The day, as in most of the world.
    DayFirst,
    /// The month, as in the United States.
    MonthFirst,
}

/// When a row is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// A date alone.
    Day(Date),
    /// A time on a clock of a zone that is not said.
    Clock(DateTime),
    /// An instant.
    Instant(MarketTime),
}

/// Reads a row's date or time, with its time of day where that stands in a column of its own.
pub(super) fn read(cell: Cell<'_>, clock: Option<Cell<'_>>, order: Option<DateOrder>) -> Option<Moment> {
    match cell {
        Cell::Text(text) => {
            let joined = match clock {
                Some(Cell::Text(clock)) => format!("{text} {clock}"),
                Some(_) => return None,
                None => text.to_owned(),
            };
            from_text(&joined, order)
        }
        Cell::Whole(number) => from_text(&number.to_string(), order),
        // Seconds since 1970; a fraction of one is cut off.
        Cell::Real(number) if number.is_finite() => from_text(&format!("{}", number.trunc()), order),
        Cell::Day(days) => {
            Some(Moment::Day(Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?))
        }
        Cell::Instant(nanos, HasZone::Yes) => Some(Moment::Instant(MarketTime(nanos))),
        Cell::Instant(nanos, HasZone::No) => {
            let at = Timestamp::from_nanosecond(i128::from(nanos)).ok()?;
            Some(Moment::Clock(TimeZone::UTC.to_datetime(at)))
        }
        Cell::Missing | Cell::Real(_) | Cell::Single(_) | Cell::Decimal(..) => None,
    }
}

fn from_text(text: &str, order: Option<DateOrder>) -> Option<Moment> {
    let whole =
        text.split_once('.').filter(|(seconds, _)| seconds.len() >= 9 && seconds.bytes().all(|byte| byte.is_ascii_digit()));
    let stamp =
        Stamp::read(whole.map_or(text, |(seconds, _)| seconds), true).or_else(|| Stamp::read(&rewritten(text, order)?, true))?;
    Some(match stamp.writing {
        Writing::Day => Moment::Day(stamp.day),
        Writing::Zoneless => Moment::Clock(TimeZone::UTC.to_datetime(stamp.at)),
        Writing::Zoned | Writing::Seconds | Writing::Millis | Writing::Micros | Writing::Nanos => {
            Moment::Instant(MarketTime(i64::try_from(stamp.at.as_nanosecond()).ok()?))
        }
    })
}

/// The same moment as `2020-03-16T15:30:00`.
fn rewritten(text: &str, order: Option<DateOrder>) -> Option<String> {
    if let Some(date) = in_words(text) {
        return Some(date.to_string());
    }
    let (date, rest) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let date = day(date, order)?;
    let rest = rest.trim();
    let (rest, zone) = match rest.strip_suffix("UTC").or_else(|| rest.strip_suffix("GMT")) {
        Some(rest) => (rest.trim_end(), "Z"),
        None => (rest, ""),
    };
    Some(if rest.is_empty() { date.to_string() } else { format!("{date}T{}{zone}", time_of_day(rest)?) })
}

/// `Mar 16, 2020` and `16 Mar 2020`.
fn in_words(text: &str) -> Option<Date> {
    ["%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y"].into_iter().find_map(|how| Date::strptime(how, text).ok())
}

/// The three numbers of a date, with the sign between them.
fn parts(date: &str) -> Option<([&str; 3], char)> {
    let sign = ['/', '.', '-'].into_iter().find(|sign| date.contains(*sign))?;
    let mut parts = date.split(sign);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    let are_digits = three.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    (are_digits && parts.next().is_none()).then_some((three, sign))
}

fn day(text: &str, order: Option<DateOrder>) -> Option<Date> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Date::strptime("%Y%m%d", text).ok();
    }
    let ([first, second, third], sign) = parts(text)?;
    let of = |year: &str, month: &str, day: &str| Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
    match (first.len(), third.len()) {
        (4, 1..=2) => of(first, second, third),
        (1..=2, 4) => match (sign, order) {
            ('.', None) | (_, Some(DateOrder::DayFirst)) => of(third, second, first),
            (_, Some(DateOrder::MonthFirst)) => of(third, first, second),
            (_, None) => None,
        },
        _ => None,
    }
}

/// `15:30`, `1530`, `153000` and `3:30 PM` as `15:30:00`, with what stands behind it.
fn time_of_day(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let half = upper.strip_suffix("PM").map(|rest| (rest, 12)).or_else(|| upper.strip_suffix("AM").map(|rest| (rest, 0)));
    if let Some((rest, added)) = half {
        let (hour, rest) = rest.trim().split_once(':')?;
        let hour: u8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
        return Some(format!("{:02}:{rest}", hour % 12 + added));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 4 || text.len() == 6) {
        let pair = |at: usize| text.get(at..at + 2);
        return Some(format!("{}:{}:{}", pair(0)?, pair(2)?, pair(4).unwrap_or("00")));
    }
    Some(if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() })
}

/// What the numbers of all dates say of their order.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub has_slashes: bool,
    day_first: bool,
    month_first: bool,
}

impl Orders {
    pub(super) fn see(&mut self, cell: Cell<'_>) {
        let Cell::Text(text) = cell else { return };
        let date = text.split([' ', 'T']).next().unwrap_or_default();
        let Some(([first, second, third], sign)) = parts(date) else { return };
        if third.len() == 4 && sign != '.' {
            let number = |text: &str| text.parse::<u8>().unwrap_or(0);
            self.has_slashes = true;
            self.day_first |= number(first) > 12;
            self.month_first |= number(second) > 12;
        }
    }

    /// The order that the dates themselves show.
    pub(super) const fn shown(&self) -> Option<DateOrder> {
        match (self.day_first, self.month_first) {
            (true, false) => Some(DateOrder::DayFirst),
            (false, true) => Some(DateOrder::MonthFirst),
            (true, true) | (false, false) => None,
        }
    }
}

/// The instant of a time on a clock. Of an hour that comes twice in autumn it is the second one where the first would not go on from `before`;
/// nothing where the clock jumped over it in spring.
pub(super) fn in_zone(clock: DateTime, zone: &TimeZone, before: Option<MarketTime>) -> Option<MarketTime> {
    let nanos = |at: Timestamp| i64::try_from(at.as_nanosecond()).ok().map(MarketTime);
    let ambiguous = zone.to_ambiguous_timestamp(clock);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => nanos(offset.to_timestamp(clock).ok()?),
        AmbiguousOffset::Gap { .. } => None,
        AmbiguousOffset::Fold { before: first, after: second } => {
            let (first, second) = (nanos(first.to_timestamp(clock).ok()?)?, nanos(second.to_timestamp(clock).ok()?)?);
            Some(if before.is_some_and(|before| first <= before) { second } else { first })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, order: Option<DateOrder>) -> String {
        match read(Cell::Text(text), None, order) {
            Some(Moment::Day(day)) => day.to_string(),
            Some(Moment::Clock(clock)) => clock.to_string(),
            Some(Moment::Instant(at)) => at.to_string(),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn dates_of_exports_are_read_and_none_is_guessed() {
        let (day, month) = (Some(DateOrder::DayFirst), Some(DateOrder::MonthFirst));
        for (text, order, is) in [
            ("2020-03-16", None, "2020-03-16"),
            ("2020/03/16", None, "2020-03-16"),
            ("2020.03.16 15:30", None, "2020-03-16T15:30:00"),
            ("16.03.2020", None, "2020-03-16"),
            ("16.3.2020 9:05", None, "2020-03-16T09:05:00"),
            ("03/04/2020", None, "none"),
            ("03/04/2020", day, "2020-04-03"),
            ("03/04/2020", month, "2020-03-04"),
            ("3/4/2020 3:30 PM", month, "2020-03-04T15:30:00"),
            ("3/4/2020 12:05 AM", month, "2020-03-04T00:05:00"),
            ("20200316", None, "2020-03-16"),
            ("20200316 153000", None, "2020-03-16T15:30:00"),
            ("20200316 1530", None, "2020-03-16T15:30:00"),
            ("Mar 16, 2020", None, "2020-03-16"),
            ("16 Mar 2020", None, "2020-03-16"),
            ("2020-03-16 15:30:00-04:00", None, "2020-03-16T19:30:00Z"),
            ("2020-03-16T15:30:00Z", None, "2020-03-16T15:30:00Z"),
            ("2020-03-16 15:30:00 UTC", None, "2020-03-16T15:30:00Z"),
            ("1584372600", None, "2020-03-16T15:30:00Z"),
            ("1584372600.5", None, "2020-03-16T15:30:00Z"),
            ("1584372600000", None, "2020-03-16T15:30:00Z"),
            ("13/13/2020", day, "none"),
            ("2020-02-30", None, "none"),
            ("yesterday", None, "none"),
        ] {
            assert_eq!(shown(text, order), is, "{text} {order:?}");
        }
    }

    #[test]
    fn clocks_are_read_in_their_zone_over_both_changes() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str, before: Option<&str>| {
            let before = before.map(|before| MarketTime::parse(before).unwrap());
            in_zone(text.parse().unwrap(), &zone, before).map_or("none".to_owned(), |at| at.to_string())
        };
        assert_eq!(at("2020-03-06T09:30:00", None), "2020-03-06T14:30:00Z");
        assert_eq!(at("2020-03-09T09:30:00", None), "2020-03-09T13:30:00Z");
        assert_eq!(at("2020-03-08T02:30:00", None), "none", "the clock jumped over it");
        assert_eq!(at("2020-11-01T01:30:00", None), "2020-11-01T05:30:00Z");
        assert_eq!(at("2020-11-01T01:30:00", Some("2020-11-01T05:30:00Z")), "2020-11-01T06:30:00Z", "the hour that came twice");
    }
}
