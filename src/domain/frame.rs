//! Time frames of bars: where each begins and ends, bars built from ticks, and longer bars made of shorter ones.
//!
//! Frames within a day are counted from midnight UTC where a market always trades, and from the open of its session where it has one, so the
//! last hour of a session may be a short one. A day is a session. What lies outside sessions belongs to no frame: it is counted, not taken in.
//! A closed bar is given out once and never changes; what is under way is asked for apart.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::domain::{Bar, Calendar, Duration, InstrumentId, MarketTime, Price, Volume};

/// The length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeFrame {
    /// Whole minutes, from 1 to 720.
    Minutes(u16),
    /// A session; of a market without one a day of UTC.
    Day,
    /// The sessions of a calendar week, from Monday on.
    Week,
    /// The sessions of a calendar month.
    Month,
}

/// Where one bar of a frame begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: MarketTime,
    /// Its end, which is no part of it.
    pub until: MarketTime,
}

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;
/// The longest frame within a day.
const MOST_MINUTES: u16 = 720;

impl TimeFrame {
    /// One minute.
    pub const MINUTE: Self = Self::Minutes(1);
    /// A quarter of an hour.
    pub const QUARTER: Self = Self::Minutes(15);
    /// An hour.
    pub const HOUR: Self = Self::Minutes(60);
    /// The frames a chart offers, the shortest first.
    pub const CHARTED: [Self; 6] = [Self::MINUTE, Self::QUARTER, Self::HOUR, Self::Day, Self::Week, Self::Month];

    /// How long its bars are at the longest; a session counts as a day.
    pub const fn length(self) -> Duration {
        match self {
            Self::Minutes(minutes) => Duration(minutes as i64 * MINUTE),
            Self::Day => Duration::seconds(86_400),
            Self::Week => Duration::seconds(7 * 86_400),
            Self::Month => Duration::seconds(31 * 86_400),
        }
    }

    /// The frame a bar of this length is of: a session of some hours is a day.
    pub fn of(bar: &Bar, calendar: Calendar) -> Self {
        let length = bar.close_at.since(bar.open_at).0;
        let minutes = u16::try_from(length / MINUTE).unwrap_or(u16::MAX);
        match calendar {
            Calendar::UsEquity if minutes >= 180 => Self::Day,
            Calendar::UsEquity | Calendar::Crypto247 | Calendar::Fx245 if minutes > MOST_MINUTES => Self::Day,
            Calendar::UsEquity | Calendar::Crypto247 | Calendar::Fx245 => Self::Minutes(minutes.max(1)),
        }
    }

    /// The part of a bar around an instant within which the market trades without a pause: weeks and months have nights in them.
    fn unbroken(self, calendar: Calendar, at: MarketTime, whole: Span) -> Option<Span> {
        match self {
            Self::Minutes(_) | Self::Day => Some(whole),
            Self::Week | Self::Month => {
                calendar.session_at(at).map(|session| Span { from: session.open_at, until: session.close_at })
            }
        }
    }

    /// Where the bar of an instant begins and ends; nothing where the market does not trade then.
    pub fn span(self, calendar: Calendar, at: MarketTime) -> Option<Span> {
        match self {
            Self::Minutes(minutes) => {
                let length = i64::from(minutes.max(1)) * MINUTE;
                let (from, until) = match calendar {
                    Calendar::Crypto247 => (MarketTime(0), MarketTime(i64::MAX)),
                    Calendar::UsEquity | Calendar::Fx245 => {
                        let session = calendar.session_at(at)?;
                        (session.open_at, session.close_at)
                    }
                };
                let begin = from.0 + at.since(from).0.div_euclid(length) * length;
                Some(Span { from: MarketTime(begin), until: MarketTime(begin.saturating_add(length)).min(until) })
            }
            Self::Day => {
                let session = calendar.session_at(at)?;
                Some(Span { from: session.open_at, until: session.close_at })
            }
            Self::Week | Self::Month => {
                calendar.session_at(at)?;
                let date = calendar.date_of(at);
                let (first, last) = if self == Self::Week {
                    let monday = date.saturating_sub(i64::from(date.weekday().since(Weekday::Monday)).days());
                    (monday, monday.saturating_add(6.days()))
                } else {
                    (date.first_of_month(), date.last_of_month())
                };
                let days =
                    std::iter::successors(Some(first), |day: &Date| day.checked_add(1.day()).ok().filter(|day| *day <= last));
                let mut sessions = days.filter_map(|day| calendar.on(day).ok());
                let begins = sessions.next()?;
                Some(Span { from: begins.open_at, until: sessions.last().unwrap_or(begins).close_at })
            }
        }
    }
}

impl Span {
    const NONE: Self = Self { from: MarketTime(i64::MIN), until: MarketTime(i64::MIN) };

    #[inline]
    fn holds(self, at: MarketTime) -> bool {
        self.from <= at && at < self.until
    }
}

impl fmt::Display for TimeFrame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(minutes) if minutes % 60 == 0 => write!(formatter, "{}h", minutes / 60),
            Self::Minutes(minutes) => write!(formatter, "{minutes}m"),
            Self::Day => formatter.write_str("1d"),
            Self::Week => formatter.write_str("1w"),
            Self::Month => formatter.write_str("1mo"),
        }
    }
}

impl FromStr for TimeFrame {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "write a frame such as 1m, 5m, 15m, 1h, 4h, 1d, 1w or 1mo".to_owned();
        match text {
            "1d" => return Ok(Self::Day),
            "1w" => return Ok(Self::Week),
            "1mo" => return Ok(Self::Month),
            _ => {}
        }
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refuse)?;
        let number: u16 = number.parse().map_err(|_| refuse())?;
        let minutes = match unit {
            "m" => Some(number),
            "h" => number.checked_mul(60),
            _ => None,
        };
        // Only what divides a day: other frames would begin at another time every day.
        minutes
            .filter(|minutes| (1..=MOST_MINUTES).contains(minutes) && 1_440 % minutes == 0)
            .map(Self::Minutes)
            .ok_or_else(refuse)
    }
}

/// A price that was paid, or quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When.
    pub at: MarketTime,
    /// At what price.
    pub price: Price,
    /// How much, where that is told.
    pub volume: Option<Volume>,
}

/// Bars of one instrument, built from its ticks.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    instrument: InstrumentId,
    frame: TimeFrame,
    calendar: Calendar,
    /// The bar of the latest tick.
    span: Span,
    /// The part of it without a pause; ticks come mostly within it.
    unbroken: Span,
    forming: Option<Bar>,
    late: u64,
    outside: u64,
}

impl BarBuilder {
    /// A builder before its first tick.
    pub const fn new(instrument: InstrumentId, frame: TimeFrame, calendar: Calendar) -> Self {
        Self { instrument, frame, calendar, span: Span::NONE, unbroken: Span::NONE, forming: None, late: 0, outside: 0 }
    }

    /// Takes a tick. Gives the bar that has closed by it, if one has.
    ///
    /// A tick from before the bar under way changes nothing any more and is counted as late.
    #[inline]
    pub fn push(&mut self, tick: Tick) -> Option<Bar> {
        if self.unbroken.holds(tick.at)
            && let Some(bar) = &mut self.forming
        {
            take(bar, tick);
            return None;
        }
        self.begin(tick)
    }

    /// The first tick of a bar or of a session within it, or one that belongs to none.
    fn begin(&mut self, tick: Tick) -> Option<Bar> {
        let is_same = self.span.holds(tick.at);
        if tick.at < self.unbroken.until || (is_same && self.forming.is_none()) {
            self.late += 1;
            return None;
        }
        let span = if is_same { Some(self.span) } else { self.frame.span(self.calendar, tick.at) };
        let Some((span, unbroken)) = span.and_then(|span| Some((span, self.frame.unbroken(self.calendar, tick.at, span)?)))
        else {
            self.outside += 1;
            return None;
        };
        (self.span, self.unbroken) = (span, unbroken);
        if let Some(bar) = self.forming.as_mut().filter(|_| is_same) {
            take(bar, tick);
            return None;
        }
        let Tick { price, volume, .. } = tick;
        let (instrument, open_at, close_at) = (self.instrument, span.from, span.until);
        let bar =
            Bar { instrument, open_at, close_at, open: price, high: price, low: price, close: price, volume, has_range: true };
        self.forming.replace(bar)
    }

    /// Lets time pass: gives the bar that is over, if one is. Ticks that come for it later are late.
    pub fn pass_time(&mut self, now: MarketTime) -> Option<Bar> {
        self.forming.take_if(|bar| bar.close_at <= now)
    }

    /// The bar under way.
    pub const fn forming(&self) -> Option<&Bar> {
        self.forming.as_ref()
    }

    /// Ticks that came too late for their bar, and ticks outside trading hours.
    pub const fn left_out(&self) -> (u64, u64) {
        (self.late, self.outside)
    }
}

#[inline]
fn take(bar: &mut Bar, tick: Tick) {
    bar.high = bar.high.max(tick.price);
    bar.low = bar.low.min(tick.price);
    bar.close = tick.price;
    bar.volume = sum(bar.volume, tick.volume);
}

/// Longer bars of one instrument, made of shorter ones in their order.
#[derive(Debug, Clone)]
pub struct Resampler {
    frame: TimeFrame,
    calendar: Calendar,
    span: Span,
    unbroken: Span,
    forming: Option<Bar>,
    outside: u64,
}

impl Resampler {
    /// A resampler before its first bar.
    pub const fn new(frame: TimeFrame, calendar: Calendar) -> Self {
        Self { frame, calendar, span: Span::NONE, unbroken: Span::NONE, forming: None, outside: 0 }
    }

    /// Takes a bar, and gives those that have closed by it: the one before, where this one begins another, and its own, where it ends it.
    ///
    /// A bar that lies in no session, or that is older than what was given out, is counted and left out.
    pub fn push(&mut self, bar: &Bar, mut closed: impl FnMut(Bar)) {
        if !self.unbroken.holds(bar.open_at) && !self.go_on(bar.open_at) {
            self.outside += 1;
            return;
        }
        match self.forming.as_mut().filter(|whole| whole.open_at == self.span.from) {
            Some(whole) => extend(whole, bar),
            None => {
                let begun = Bar { open_at: self.span.from, close_at: self.span.until, ..*bar };
                if let Some(before) = self.forming.replace(begun) {
                    closed(before);
                }
            }
        }
        if bar.close_at >= self.span.until
            && let Some(whole) = self.forming.take()
        {
            // Nothing goes into it any more.
            self.unbroken = Span { from: self.span.until, until: self.span.until };
            closed(whole);
        }
    }

    /// Goes on to the bar and the session of a later instant, if there is one.
    fn go_on(&mut self, at: MarketTime) -> bool {
        if at < self.unbroken.until {
            return false;
        }
        let span = if self.span.holds(at) { Some(self.span) } else { self.frame.span(self.calendar, at) };
        let next = span.and_then(|span| Some((span, self.frame.unbroken(self.calendar, at, span)?)));
        if let Some(next) = next {
            (self.span, self.unbroken) = next;
        }
        next.is_some()
    }

    /// The bar under way.
    pub const fn forming(&self) -> Option<&Bar> {
        self.forming.as_ref()
    }

    /// Bars that were left out.
    pub const fn left_out(&self) -> u64 {
        self.outside
    }

    /// All bars of a series in another frame, with the one under way at the end.
    pub fn all<'a>(frame: TimeFrame, calendar: Calendar, bars: impl Iterator<Item = &'a Bar>) -> Vec<Bar> {
        let (mut resampler, mut made) = (Self::new(frame, calendar), Vec::new());
        bars.for_each(|bar| resampler.push(bar, |bar| made.push(bar)));
        made.extend(resampler.forming);
        made
    }
}

fn extend(whole: &mut Bar, bar: &Bar) {
    whole.high = whole.high.max(bar.high);
    whole.low = whole.low.min(bar.low);
    whole.close = bar.close;
    whole.volume = sum(whole.volume, bar.volume);
    whole.has_range &= bar.has_range;
    if !whole.has_range {
        // Of closes alone no range is made.
        (whole.open, whole.high, whole.low) = (bar.close, bar.close, bar.close);
    }
}

/// What is unknown in one part is unknown in the whole.
fn sum(one: Option<Volume>, other: Option<Volume>) -> Option<Volume> {
    Some(Volume::from_milli(one?.milli().saturating_add(other?.milli())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    fn span(frame: &str, calendar: Calendar, time: &str) -> String {
        let span = frame.parse::<TimeFrame>().unwrap().span(calendar, at(time));
        span.map_or_else(|| "none".to_owned(), |span| format!("{} {}", span.from, span.until).replace(":00Z", ""))
    }

    #[test]
    fn frames_follow_clock_and_session() {
        let (shares, currency, crypto) = (Calendar::UsEquity, Calendar::Fx245, Calendar::Crypto247);
        for (frame, calendar, time, expected) in [
            ("1m", shares, "2026-11-25T14:30:59Z", "2026-11-25T14:30 2026-11-25T14:31"),
            ("15m", shares, "2026-11-25T14:44:59Z", "2026-11-25T14:30 2026-11-25T14:45"),
            ("1h", shares, "2026-11-25T15:29:59Z", "2026-11-25T14:30 2026-11-25T15:30"),
            ("1h", shares, "2026-11-25T20:45:00Z", "2026-11-25T20:30 2026-11-25T21:00"),
            ("1h", shares, "2026-11-27T17:45:00Z", "2026-11-27T17:30 2026-11-27T18:00"),
            ("1d", shares, "2026-11-27T17:45:00Z", "2026-11-27T14:30 2026-11-27T18:00"),
            ("1d", shares, "2026-03-09T17:45:00Z", "2026-03-09T13:30 2026-03-09T20:00"),
            ("1m", shares, "2026-11-26T17:45:00Z", "none"),
            ("1w", shares, "2026-11-24T17:45:00Z", "2026-11-23T14:30 2026-11-27T18:00"),
            ("1mo", shares, "2026-11-24T17:45:00Z", "2026-11-02T14:30 2026-11-30T21:00"),
            ("1h", currency, "2026-11-29T22:10:00Z", "2026-11-29T22:00 2026-11-29T23:00"),
            ("1d", currency, "2026-11-29T22:10:00Z", "2026-11-29T22:00 2026-11-30T22:00"),
            // The Sunday on which summer time begins: the session itself has whole hours.
            ("1d", currency, "2026-03-08T21:10:00Z", "2026-03-08T21:00 2026-03-09T21:00"),
            ("1w", currency, "2026-11-29T22:10:00Z", "2026-11-29T22:00 2026-12-04T22:00"),
            ("1d", crypto, "2026-11-28T23:59:59Z", "2026-11-28T00:00 2026-11-29T00:00"),
            ("4h", crypto, "2026-11-28T23:59:59Z", "2026-11-28T20:00 2026-11-29T00:00"),
        ] {
            assert_eq!(span(frame, calendar, time), expected, "{frame} {calendar:?} {time}");
        }
        for text in ["7m", "0m", "24h", "1x", "", "m", "ä", "1M"] {
            assert!(text.parse::<TimeFrame>().is_err(), "{text}");
        }
        for frame in TimeFrame::CHARTED {
            assert_eq!(frame.to_string().parse(), Ok(frame));
        }
    }

    #[test]
    fn ticks_become_bars_and_what_is_late_or_outside_is_counted() {
        let mut builder = BarBuilder::new(InstrumentId(2), TimeFrame::MINUTE, Calendar::UsEquity);
        let tick =
            |time: &str, price: i64| Tick { at: at(time), price: Price::from_nanos(price), volume: Some(Volume::from_milli(10)) };
        assert_eq!(builder.push(tick("2026-11-25T14:29:59Z", 9)), None);
        for (time, price) in [("2026-11-25T14:30:00Z", 100), ("2026-11-25T14:30:20Z", 130), ("2026-11-25T14:30:40Z", 90)] {
            assert_eq!(builder.push(tick(time, price)), None);
        }
        assert_eq!(builder.forming().map(|bar| bar.close.nanos()), Some(90));
        let bar = builder.push(tick("2026-11-25T14:32:00Z", 95)).unwrap();
        assert_eq!([bar.open, bar.high, bar.low, bar.close].map(Price::nanos), [100, 130, 90, 90]);
        assert_eq!((bar.open_at, bar.close_at), (at("2026-11-25T14:30:00Z"), at("2026-11-25T14:31:00Z")));
        assert_eq!(bar.volume, Some(Volume::from_milli(30)));
        assert_eq!(builder.push(tick("2026-11-25T14:30:59Z", 1)), None, "a closed bar never changes");
        assert_eq!(builder.pass_time(at("2026-11-25T14:32:59Z")), None);
        assert!(builder.pass_time(at("2026-11-25T14:33:00Z")).is_some());
        assert_eq!(builder.push(tick("2026-11-25T14:32:59Z", 1)), None, "nor one that time has closed");
        assert_eq!(builder.left_out(), (2, 1));
    }
}
