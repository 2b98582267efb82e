//! When markets trade: sessions, weekends, holidays and half days, as pure functions of a date or an instant.
//!
//! US shares trade from 09:30 to 16:00 in New York on exchange days; currencies from Sunday 17:00 to Friday 17:00 New York, in days that turn at
//! 17:00 there, without Christmas and New Year's Day; crypto pairs always, in days of UTC.

mod holidays;

use jiff::ToSpan;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::domain::calendar::holidays::Closure;
use crate::domain::{Calendar, Duration, MarketTime, new_york};

/// Days that are walked over in search of a session; no market was ever closed for so long within these calendars.
const FARTHEST: i32 = 14;
const OPENS: Time = Time::constant(9, 30, 0, 0);
const CLOSES: Time = Time::constant(16, 0, 0, 0);
/// When a currency day turns.
const TURNS: Time = Time::constant(17, 0, 0, 0);

/// One stretch of trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketSession {
    /// Its date on the calendar.
    pub date: Date,
    /// When it begins.
    pub open_at: MarketTime,
    /// When it ends; this instant is no part of it.
    pub close_at: MarketTime,
    /// Why it ends before its usual time, where it does.
    pub early: Option<&'static str>,
}

/// Why there is no trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Before or after the session of a trading day.
    OffHours,
    /// Saturday or Sunday.
    Weekend,
    /// A holiday or a day of mourning, by its name.
    Holiday(&'static str),
}

/// Whether a market trades at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// It does, in this session.
    Open(MarketSession),
    /// It does not.
    Closed {
        /// Why.
        why: Closed,
        /// The next session, where one is near.
        next: Option<MarketSession>,
    },
}

impl MarketSession {
    /// Whether an instant lies in it.
    pub fn holds(&self, at: MarketTime) -> bool {
        self.open_at <= at && at < self.close_at
    }
}

impl Calendar {
    /// The zone its days are counted in.
    pub fn zone(self) -> TimeZone {
        match self {
            Self::UsEquity | Self::Fx245 => new_york(),
            Self::Crypto247 => TimeZone::UTC,
        }
    }

    /// The trading date an instant belongs to, whether or not there is a session on it.
    pub fn date_of(self, at: MarketTime) -> Date {
        let local = self.zone().to_datetime(at.timestamp());
        match self {
            Self::Fx245 if local.time() >= TURNS => local.date().saturating_add(1.day()),
            Self::Fx245 | Self::UsEquity | Self::Crypto247 => local.date(),
        }
    }

    /// The session of a date, or why there is none.
    pub fn on(self, date: Date) -> Result<MarketSession, Closed> {
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let zone = self.zone();
        let at = |date: Date, time: Time| {
            let instant = zone.to_timestamp(date.to_datetime(time)).ok().map(|at| at.as_nanosecond());
            MarketTime(instant.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX))
        };
        match self {
            Self::Crypto247 => {
                let (open_at, close_at) = (at(date, Time::midnight()), at(date.saturating_add(1.day()), Time::midnight()));
                Ok(MarketSession { date, open_at, close_at, early: None })
            }
            Self::UsEquity | Self::Fx245 if is_weekend => Err(Closed::Weekend),
            Self::Fx245 => match (date.month(), date.day()) {
                (12, 25) => Err(Closed::Holiday("Christmas")),
                (1, 1) => Err(Closed::Holiday("New Year's Day")),
                _ => {
                    let (open_at, close_at) = (at(date.saturating_sub(1.day()), TURNS), at(date, TURNS));
                    Ok(MarketSession { date, open_at, close_at, early: None })
                }
            },
            Self::UsEquity => {
                let (closes, early) = match holidays::closure(date) {
                    Some(Closure::Whole(name)) => return Err(Closed::Holiday(name)),
                    Some(Closure::Early(time, name)) => (time, Some(name)),
                    None => (CLOSES, None),
                };
                Ok(MarketSession { date, open_at: at(date, OPENS), close_at: at(date, closes), early })
            }
        }
    }

    /// The session an instant lies in.
    pub fn session_at(self, at: MarketTime) -> Option<MarketSession> {
        self.on(self.date_of(at)).ok().filter(|session| session.holds(at))
    }

    /// Whether it trades at an instant.
    pub fn is_open(self, at: MarketTime) -> bool {
        self == Self::Crypto247 || self.session_at(at).is_some()
    }

    /// The first session that begins after an instant.
    pub fn next_session(self, at: MarketTime) -> Option<MarketSession> {
        let date = self.date_of(at);
        let mut coming = (0..=FARTHEST).filter_map(|days| self.on(date.saturating_add(days.days())).ok());
        coming.find(|session| session.open_at > at)
    }

    /// Whether it trades at an instant, why not, and when it does next.
    pub fn hours(self, at: MarketTime) -> Hours {
        let why = match self.on(self.date_of(at)) {
            Ok(session) if session.holds(at) => return Hours::Open(session),
            Ok(_) => Closed::OffHours,
            Err(why) => why,
        };
        Hours::Closed { why, next: self.next_session(at) }
    }

    /// Sessions of the dates between two dates, both left out; counted no further than `most`.
    pub fn sessions_between(self, after: Date, before: Date, most: u32) -> u32 {
        let mut count = 0;
        let mut date = after.saturating_add(1.day());
        // Two days of seven, and a holiday now and then, are no sessions.
        for _ in 0..most.saturating_mul(2).saturating_add(14) {
            if date >= before || count >= most {
                break;
            }
            count += u32::from(self.on(date).is_ok());
            date = date.saturating_add(1.day());
        }
        count
    }

    /// How long it trades between two instants; counted no further than `most`.
    pub fn open_between(self, from: MarketTime, until: MarketTime, most: Duration) -> Duration {
        let mut open = 0_i64;
        let mut date = self.date_of(from);
        let last = self.date_of(until);
        while date <= last && open < most.0 {
            if let Ok(session) = self.on(date) {
                let (begin, end) = (session.open_at.max(from), session.close_at.min(until));
                open = open.saturating_add(end.since(begin).0.max(0));
            }
            let Ok(next) = date.checked_add(1.day()) else { break };
            date = next;
        }
        Duration(open.min(most.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    fn words(calendar: Calendar, time: &str) -> String {
        let next = |next: Option<MarketSession>| next.map_or("never".to_owned(), |next| next.open_at.to_string());
        match calendar.hours(at(time)) {
            Hours::Open(session) => format!("open until {}{}", session.close_at, session.early.map_or("", |_| ", early")),
            Hours::Closed { why: Closed::OffHours, next: session } => format!("off hours until {}", next(session)),
            Hours::Closed { why: Closed::Weekend, next: session } => format!("weekend until {}", next(session)),
            Hours::Closed { why: Closed::Holiday(name), next: session } => format!("{name} until {}", next(session)),
        }
    }

    #[test]
    fn shares_trade_in_sessions_of_new_york() {
        for (time, hours) in [
            ("2026-11-25T14:29:59Z", "off hours until 2026-11-25T14:30:00Z"),
            ("2026-11-25T14:30:00Z", "open until 2026-11-25T21:00:00Z"),
            ("2026-11-25T21:00:00Z", "off hours until 2026-11-27T14:30:00Z"),
            ("2026-11-26T16:00:00Z", "Thanksgiving until 2026-11-27T14:30:00Z"),
            ("2026-11-27T17:59:59Z", "open until 2026-11-27T18:00:00Z, early"),
            ("2026-11-27T18:00:00Z", "off hours until 2026-11-30T14:30:00Z"),
            ("2026-11-28T18:00:00Z", "weekend until 2026-11-30T14:30:00Z"),
            // Two days before and after the change to summer time.
            ("2026-03-06T14:30:00Z", "open until 2026-03-06T21:00:00Z"),
            ("2026-03-09T13:30:00Z", "open until 2026-03-09T20:00:00Z"),
            ("2001-09-11T15:00:00Z", "attacks of 11 September until 2001-09-17T13:30:00Z"),
        ] {
            assert_eq!(words(Calendar::UsEquity, time), hours, "{time}");
        }
    }

    #[test]
    fn currencies_trade_from_sunday_to_friday_and_crypto_always() {
        for (time, hours) in [
            ("2026-11-27T21:59:59Z", "open until 2026-11-27T22:00:00Z"),
            ("2026-11-27T22:00:00Z", "weekend until 2026-11-29T22:00:00Z"),
            ("2026-11-29T21:59:59Z", "weekend until 2026-11-29T22:00:00Z"),
            ("2026-11-29T22:00:00Z", "open until 2026-11-30T22:00:00Z"),
            ("2026-12-24T22:00:00Z", "Christmas until 2026-12-27T22:00:00Z"),
            ("2026-07-05T21:00:00Z", "open until 2026-07-06T21:00:00Z"),
        ] {
            assert_eq!(words(Calendar::Fx245, time), hours, "{time}");
        }
        assert_eq!(words(Calendar::Crypto247, "2026-12-25T12:00:00Z"), "open until 2026-12-26T00:00:00Z");
    }

    #[test]
    fn what_lies_between_is_counted_without_what_is_closed() {
        let between =
            |from: &str, until: &str| Calendar::UsEquity.sessions_between(from.parse().unwrap(), until.parse().unwrap(), 60);
        assert_eq!(between("2026-11-25", "2026-11-27"), 0, "Thanksgiving");
        assert_eq!(between("2026-11-24", "2026-11-30"), 2);
        assert_eq!(between("2026-11-24", "2026-11-24"), 0);
        assert_eq!(between("2020-01-01", "2026-01-01"), 60, "no further than asked");
        let open = |calendar: Calendar, from: &str, until: &str| {
            calendar.open_between(at(from), at(until), Duration(i64::MAX)).0 / 60_000_000_000
        };
        assert_eq!(open(Calendar::UsEquity, "2026-11-25T20:00:00Z", "2026-11-27T15:30:00Z"), 120);
        assert_eq!(open(Calendar::UsEquity, "2026-11-27T17:00:00Z", "2026-11-30T14:30:00Z"), 60, "a half day");
        assert_eq!(open(Calendar::Fx245, "2026-11-27T21:00:00Z", "2026-11-29T23:00:00Z"), 120);
        assert_eq!(open(Calendar::Crypto247, "2026-11-27T21:00:00Z", "2026-11-29T23:00:00Z"), 50 * 60);
    }
}
