//! How complete the data of each instrument is: of the bars that should have come lately, the share that came whole, in order and plausible.
//! A fold over closed bars, and over what a live feed says is missing or was unsound: of a minute in which a part of what was told of it was
//! unsound, that part is lost; all of it where the flaw was grave.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::{Bar, Calendar, Duration, InstrumentId, MarketTime, Price, Ratio};

/// Bars looked back on: one bit each.
const WINDOW: u32 = 60;
/// Fewer bars say nothing.
const LEAST: u32 = 20;
/// A day in nanoseconds.
const DAY: i64 = 86_400_000_000_000;
/// A bar of shares that is as long as a half session is a day's.
const SESSION: i64 = DAY / 8;
/// A pause within trading hours that is shorter may be one without a trade.
const QUIET: i64 = DAY / 96;
/// A close more than twice or less than half the one before is no price until somebody has looked.
const WILDEST: i128 = 2;

/// Thousandths of a minute.
const WHOLE: u16 = 1_000;

/// What came of one instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// The latest bars, newest in the lowest bit: 1 is a good one.
    good: u64,
    seen: u32,
    closed_at: Option<MarketTime>,
    close: Option<Price>,
    /// How much of the latest bars' minutes was unsound, in thousandths, newest first; empty where nothing was.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    lost: VecDeque<u16>,
}

/// What came of all. Empty in runs whose table of breakers does not watch it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DataQuality(BTreeMap<InstrumentId, Line>);

/// How holes of a series show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holes {
    /// From the times of its bars and the market's sessions: a tape tells everything that it has.
    ByCalendar(Calendar),
    /// From the times of its bars alone, as runs did whose calendars knew no holidays.
    ByTime(Calendar),
    /// The feed says what is missing: a minute without a quote is none.
    Told,
}

impl DataQuality {
    /// Whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a closed bar.
    pub(super) fn on_bar(&mut self, bar: &Bar, holes: Holes) {
        let line = self.0.entry(bar.instrument).or_default();
        if let Some(before) = line.closed_at {
            line.miss(match holes {
                Holes::ByCalendar(calendar) => missing_in_sessions(before, bar, calendar),
                Holes::ByTime(calendar) => missing_between(before, bar, calendar),
                Holes::Told => 0,
            });
        }
        let is_in_order = line.closed_at.is_none_or(|before| bar.close_at > before) && bar.open_at < bar.close_at;
        let is_good = is_in_order && is_plausible(bar, line.close);
        line.note(is_good);
        if is_in_order {
            (line.closed_at, line.close) = (Some(bar.close_at), Some(bar.close));
        }
    }

    /// So many bars of an instrument are missing for good.
    pub(super) fn miss(&mut self, instrument: InstrumentId, bars: u32) {
        self.0.entry(instrument).or_default().miss(bars);
    }

    /// So many thousandths of the latest minute of an instrument were unsound. Before its first bar there is none.
    pub(super) fn flaw(&mut self, instrument: InstrumentId, lost: u16) {
        if let Some(line) = self.0.get_mut(&instrument).filter(|line| line.seen > 0) {
            let newest = line.lost.front().copied().unwrap_or(0);
            line.lost.pop_front();
            line.lost.push_front(newest.saturating_add(lost).min(WHOLE));
        }
    }

    /// An instrument is not watched any more.
    pub(super) fn forget(&mut self, instrument: InstrumentId) {
        self.0.remove(&instrument);
    }

    /// The share of an instrument's last 60 expected bars that are good; `None` below 20.
    pub(super) fn of(&self, instrument: InstrumentId) -> Option<Ratio> {
        self.0.get(&instrument)?.share()
    }

    /// Whether none of an instrument's last 60 expected bars is missing or bad; also where none was seen.
    pub(super) fn is_spotless(&self, instrument: InstrumentId) -> bool {
        self.0.get(&instrument).is_none_or(|line| line.good.count_ones() == line.seen && line.lost.is_empty())
    }

    /// The share of all instruments' bars together; `None` where none has enough.
    pub(super) fn of_all(&self) -> Option<Ratio> {
        let lines = self.0.values().filter(|line| line.seen >= LEAST);
        let (good, seen) = lines.fold((0, 0), |(good, seen), line| (good + line.sound(), seen + line.seen));
        Ratio::of(good.into(), (seen * u32::from(WHOLE)).into())
    }

    /// The lowest share of any instrument.
    pub(super) fn lowest(&self) -> Option<Ratio> {
        self.0.values().filter_map(Line::share).min()
    }
}

impl Line {
    fn note(&mut self, is_good: bool) {
        self.good = ((self.good << 1) | u64::from(is_good)) & ((1 << WINDOW) - 1);
        self.seen = (self.seen + 1).min(WINDOW);
        if !self.lost.is_empty() {
            self.lost.push_front(0);
            self.lost.truncate(WINDOW as usize);
            while self.lost.back() == Some(&0) {
                self.lost.pop_back();
            }
        }
    }

    /// Thousandths of minutes that came whole and sound.
    fn sound(&self) -> u32 {
        let lost = (0..).zip(&self.lost).filter(|(age, _)| self.good >> age & 1 == 1).map(|(_, lost)| u32::from(*lost));
        (self.good.count_ones() * u32::from(WHOLE)).saturating_sub(lost.sum())
    }

    fn miss(&mut self, bars: u32) {
        (0..bars.min(WINDOW)).for_each(|_| self.note(false));
    }

    fn share(&self) -> Option<Ratio> {
        let enough = self.seen >= LEAST;
        enough.then(|| Ratio::of(self.sound().into(), (self.seen * u32::from(WHOLE)).into())).flatten()
    }
}

/// Bars that should stand between the last one and this, by the market's sessions: what is closed is no hole.
///
/// Days of shares are held against exchange days. Days of currencies are not: which days a source of them keeps differs (gold is fixed on
/// holidays of the exchange, and many list no Sundays that have an evening). A minute without a trade is none where markets are thin, so shorter
/// pauses than a quarter of an hour count only where something always trades.
fn missing_in_sessions(before: MarketTime, bar: &Bar, calendar: Calendar) -> u32 {
    let (length, pause) = (bar.close_at.since(bar.open_at).0, bar.open_at.since(before).0);
    if length <= 0 || pause < length {
        return 0;
    }
    let is_session = calendar == Calendar::UsEquity && length >= SESSION;
    if is_session {
        // The bar before closed within its session, or at its end.
        let last = calendar.date_of(MarketTime(before.0 - 1));
        return calendar.sessions_between(last, calendar.date_of(bar.open_at), WINDOW);
    }
    let quiet = match calendar {
        Calendar::Crypto247 => length,
        Calendar::Fx245 if length >= DAY => return 0,
        Calendar::UsEquity | Calendar::Fx245 => length.max(QUIET),
    };
    let most = length.saturating_mul(i64::from(WINDOW) + 1);
    let open = calendar.open_between(before, bar.open_at, Duration(most)).0;
    if open < quiet { 0 } else { u32::try_from(open / length).unwrap_or(WINDOW) }
}

/// The same for calendars that know no holidays. Where days have no bars by rule (nights of exchanges, weekends), a pause says nothing.
fn missing_between(before: MarketTime, bar: &Bar, calendar: Calendar) -> u32 {
    let (length, pause) = (bar.close_at.since(bar.open_at).0, bar.open_at.since(before).0);
    let is_expected = match calendar {
        Calendar::Crypto247 => true,
        // Currencies pause from Friday evening to Sunday evening, and at Christmas and New Year: shorter than a day is a hole.
        Calendar::Fx245 => length < DAY && pause < DAY,
        Calendar::UsEquity => false,
    };
    if !is_expected || length <= 0 || pause < length {
        return 0;
    }
    u32::try_from(pause / length).unwrap_or(WINDOW)
}

fn is_plausible(bar: &Bar, before: Option<Price>) -> bool {
    let is_ordered = bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close) && bar.low.nanos() > 0;
    let is_near = |before: Price| {
        let (was, is) = (i128::from(before.nanos()), i128::from(bar.close.nanos()));
        is <= WILDEST * was && was <= WILDEST * is
    };
    is_ordered && before.is_none_or(is_near)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = DAY / 24;
    const ID: InstrumentId = InstrumentId(5);
    const ALWAYS: Holes = Holes::ByTime(Calendar::Crypto247);

    fn bar(hour: i64, close: i64) -> Bar {
        let price = Price::from_nanos(close * 1_000_000_000);
        let (open_at, close_at) = (MarketTime(hour * HOUR), MarketTime((hour + 1) * HOUR));
        let (open, high, low, close, volume, has_range) = (price, price, price, price, None, true);
        Bar { instrument: ID, open_at, close_at, open, high, low, close, volume, has_range }
    }

    fn share(part: i128, of: i128) -> Option<Ratio> {
        Ratio::of(part, of)
    }

    fn after(holes: Holes, bars: impl IntoIterator<Item = Bar>) -> DataQuality {
        let mut quality = DataQuality::default();
        bars.into_iter().for_each(|bar| quality.on_bar(&bar, holes));
        quality
    }

    #[test]
    fn whole_bars_are_a_hundred_percent_and_few_are_undefined() {
        assert_eq!(after(ALWAYS, (0..19).map(|hour| bar(hour, 100))).of(ID), None);
        let quality = after(ALWAYS, (0..20).map(|hour| bar(hour, 100 + hour)));
        assert_eq!((quality.of(ID), quality.of_all(), quality.lowest()), (share(1, 1), share(1, 1), share(1, 1)));
    }

    #[test]
    fn holes_count_where_the_calendar_has_none_and_leave_the_window_again() {
        let with_hole = |holes| after(holes, (0..60).filter(|hour| !(30..34).contains(hour)).map(|hour| bar(hour, 100)));
        assert_eq!(with_hole(ALWAYS).of(ID), share(56, 60));
        assert_eq!(with_hole(Holes::ByTime(Calendar::Fx245)).of(ID), share(56, 60));
        assert_eq!(with_hole(Holes::ByTime(Calendar::UsEquity)).of(ID), share(1, 1));
        assert_eq!(with_hole(Holes::Told).of(ID), share(1, 1));
        let weekend =
            after(Holes::ByTime(Calendar::Fx245), (0..100).filter(|hour| !(40..88).contains(hour)).map(|hour| bar(hour, 9)));
        assert_eq!(weekend.of(ID), share(1, 1));
        let mut quality = with_hole(ALWAYS);
        (60..94).for_each(|hour| quality.on_bar(&bar(hour, 100), ALWAYS));
        assert_eq!(quality.of(ID), share(1, 1));
        quality.miss(ID, 3);
        assert_eq!(quality.of(ID), share(57, 60));
        quality.miss(ID, u32::MAX);
        assert_eq!(quality.of(ID), share(0, 1));
    }

    fn between(opens: [&str; 2], minutes: i64, calendar: Calendar) -> u32 {
        let [one, next] = opens.map(|text| MarketTime::parse(text).unwrap());
        let length = minutes * 60_000_000_000;
        let with = |open_at: MarketTime| Bar { open_at, close_at: MarketTime(open_at.0 + length), ..bar(0, 100) };
        missing_in_sessions(with(one).close_at, &with(next), calendar)
    }

    #[test]
    fn what_is_closed_is_no_hole_and_what_is_open_is_one() {
        let (shares, currency, crypto) = (Calendar::UsEquity, Calendar::Fx245, Calendar::Crypto247);
        for (opens, minutes, calendar, missing) in [
            // Days over Thanksgiving, over a weekend, and over a day that was one.
            (["2026-11-25T14:30", "2026-11-27T14:30"], 390, shares, 0),
            (["2026-11-27T14:30", "2026-11-30T14:30"], 210, shares, 0),
            (["2026-11-24T14:30", "2026-11-30T14:30"], 390, shares, 2),
            (["2001-09-10T13:30", "2001-09-17T13:30"], 390, shares, 0),
            // Minutes: thin ones, a quarter of an hour and more, a night, the rest of a half day.
            (["2026-11-25T15:00", "2026-11-25T15:10"], 1, shares, 0),
            (["2026-11-25T15:00", "2026-11-25T15:16"], 1, shares, 15),
            (["2026-11-25T20:59", "2026-11-27T14:30"], 1, shares, 0),
            (["2026-11-27T17:00", "2026-11-30T14:30"], 15, shares, 3),
            // Currencies: a weekend, a Friday afternoon before it, Christmas, days.
            (["2026-11-27T21:00", "2026-11-29T22:00"], 60, currency, 0),
            (["2026-11-27T12:00", "2026-11-29T22:00"], 60, currency, 9),
            (["2026-12-24T21:00", "2026-12-27T22:00"], 60, currency, 0),
            (["2026-11-24T22:00", "2026-11-26T22:00"], 1_440, currency, 0),
            (["2026-11-28T12:00", "2026-11-28T12:03"], 1, crypto, 2),
        ] {
            assert_eq!(between(opens, minutes, calendar), missing, "{opens:?} {minutes} {calendar:?}");
        }
    }

    #[test]
    fn what_is_out_of_order_or_implausible_is_not_good() {
        let good = || (0..59).map(|hour| bar(hour, 100));
        let with = |last: Bar| after(Holes::Told, good().chain([last])).of(ID);
        assert_eq!(with(bar(59, 200)), share(1, 1), "twice is as far as a price goes");
        for last in [
            bar(59, 201),
            bar(59, 49),
            bar(58, 100),
            bar(12, 100),
            Bar { low: Price::from_nanos(101_000_000_000), ..bar(59, 100) },
            Bar { high: Price::from_nanos(99_000_000_000), ..bar(59, 100) },
            Bar { low: Price::from_nanos(0), ..bar(59, 100) },
        ] {
            assert_eq!(with(last), share(59, 60), "{last:?}");
        }
    }

    #[test]
    fn a_flawed_minute_loses_its_part_and_leaves_the_window_again() {
        let mut quality = after(ALWAYS, (0..60).map(|hour| bar(hour, 100)));
        assert!(quality.is_spotless(ID));
        quality.flaw(ID, 250);
        quality.flaw(ID, 250);
        assert_eq!((quality.of(ID), quality.is_spotless(ID)), (share(59_500, 60_000), false));
        quality.flaw(ID, 1_000);
        assert_eq!(quality.of(ID), share(59, 60), "a minute is lost once");
        (60..119).for_each(|hour| quality.on_bar(&bar(hour, 100), ALWAYS));
        assert_eq!(quality.of(ID), share(59, 60));
        quality.on_bar(&bar(119, 100), ALWAYS);
        assert_eq!((quality.of(ID), quality.is_spotless(ID)), (share(1, 1), true));
        assert_eq!(quality, after(ALWAYS, (0..120).map(|hour| bar(hour, 100))), "and nothing of it is kept");
        let mut bad = after(Holes::Told, (0..59).map(|hour| bar(hour, 100)).chain([bar(59, 900)]));
        bad.flaw(ID, 1_000);
        assert_eq!(bad.of(ID), share(59, 60), "what is bad already is not counted twice");
        let mut none = DataQuality::default();
        none.flaw(ID, 1_000);
        assert!(none.is_empty(), "before its first bar there is no minute");
    }
}
