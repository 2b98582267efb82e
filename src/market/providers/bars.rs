//! What an answer with bars is worth: rows in, closed bars out, or a refusal.
//!
//! A minute counts as over only where the answer itself shows it: by a later row, or by the provider's own time. This computer's clock
//! proves nothing about it. A minute without a trade has no row anywhere, and none is made.

use crate::domain::{
    AssetClass, Bar, Calendar, Currency, Duration, Flaw, InstrumentId, MarketSession, MarketTime, Price, SplitRatio, VenueQuote,
    Volume, WallTime,
};
use crate::market::providers::{Failure, Plan, Refusal};

/// Length of a bar.
pub(in crate::market) const MINUTE: i64 = 60_000_000_000;
/// A close more than twice or less than half the one before is no price until somebody has looked.
const WILDEST: i128 = 2;
/// A row that begins later than this from now is from no clock that can be trusted.
const AHEAD: Duration = Duration::seconds(120);
/// A pause between two bars in which a market may have been shut.
const NIGHT: Duration = Duration::seconds(4 * 3_600);
/// So much may a provider's clock be ahead of this one, and still close a minute.
const EARLY: Duration = Duration::seconds(5);
/// More rows than any provider gives for what is asked.
const MOST_ROWS: usize = 20_000;

/// What is asked for, as far as reading the answer needs it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What the provider calls the instrument.
    pub name: &'a str,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// What it is.
    pub kind: AssetClass,
    /// When it trades.
    pub calendar: Calendar,
    /// Decimals of its price.
    pub decimals: u8,
    /// In what its price is.
    pub currency: Currency,
    /// Whether the volume of its bars is that of the instrument.
    pub has_volume: bool,
    /// What the key may be asked for.
    pub plan: Plan,
    /// From when on bars were asked for.
    pub from: MarketTime,
    /// When it is asked, or the answer came.
    pub now: WallTime,
}

/// An answer that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// From when on it is complete.
    pub from: MarketTime,
    /// Until when it is complete: the beginning of the minute under way, as far as the answer itself shows.
    pub until: MarketTime,
    /// Closed bars, oldest first.
    pub closed: Vec<Bar>,
    /// When and at what price the minute under way began, where it is told.
    pub opened: Option<(MarketTime, Price)>,
    /// The current price, where it is told.
    pub quote: Option<VenueQuote>,
    /// How many rows were told twice, word for word.
    pub doubled: u32,
    /// The latest split that it names, and when.
    pub split: Option<(MarketTime, SplitRatio)>,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub at: MarketTime,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    pub volume: Option<Volume>,
}

/// A name as part of a path.
pub(in crate::market) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Seconds since 1970 as market time.
pub(super) fn at_second(seconds: i64) -> Option<MarketTime> {
    seconds.checked_mul(1_000_000_000).map(MarketTime)
}

/// Holds rows against each other and against the market's hours, and parts what is over from what is under way. `told_until` is the
/// provider's own time, where it says one.
pub(super) fn chart(mut rows: Vec<Row>, wanted: &Wanted<'_>, told_until: Option<MarketTime>) -> Result<Chart, Refusal> {
    let nonsense = |what: &str| Err(Refusal::new(Failure::Nonsense, what));
    let flawed = |flaw: Flaw, what: &str| Err(Refusal::flawed(flaw, what));
    if rows.len() > MOST_ROWS {
        return nonsense("more rows than were asked for");
    }
    let mut session: Option<MarketSession> = None;
    rows.retain(|row| {
        // Rows come mostly session by session: each is looked up once.
        if !session.is_some_and(|session| session.holds(row.at)) {
            session = wanted.calendar.session_at(row.at);
        }
        row.at >= wanted.from && session.is_some()
    });
    rows.sort_by_key(|row| row.at);
    let before = rows.len();
    rows.dedup();
    let doubled = u32::try_from(before - rows.len()).unwrap_or(u32::MAX);
    let ends = rows.last().map_or(wanted.from, |row| row.at).max(told_until.unwrap_or(wanted.from));
    // A provider whose clock, or whose word about it, lies ahead closes no minute before it is over.
    let ends = ends.min(MarketTime(wanted.now.plus(EARLY).0));
    let mut before: Option<Row> = None;
    for row in &rows {
        let is_ordered = row.low <= row.open.min(row.close) && row.high >= row.open.max(row.close) && row.low.is_positive();
        if !is_ordered {
            return flawed(Flaw::Outlier, "a bar whose range does not hold its prices");
        }
        if row.at.0.rem_euclid(MINUTE) != 0 || row.at.0 > wanted.now.plus(AHEAD).0 {
            return flawed(Flaw::Ahead, "a bar at a time that cannot be");
        }
        if before.is_some_and(|before| before.at == row.at) {
            return flawed(Flaw::Duplicate, "two bars of one minute that differ");
        }
        // Over a night a price may go far, but not into another unit.
        let may_be_far =
            |before: &Row, now: Price| row.at.0 - before.at.0 >= NIGHT.0 && jump_between(before.close, now) != Flaw::UnitJump;
        let goes_far = |before: &Row, now: Price| !is_near(before.close, now) && !may_be_far(before, now);
        let is_wild = |before: &Row| goes_far(before, row.close) || goes_far(before, row.open);
        if let Some(before) = before.filter(is_wild) {
            let now = if is_near(before.close, row.close) { row.open } else { row.close };
            return flawed(jump_between(before.close, now), "a price twice or half the one a bar before");
        }
        before = Some(*row);
    }
    let is_over = |row: &&Row| row.at.0 + MINUTE <= ends.0;
    let closed = rows.iter().filter(is_over).map(|row| bar(row, wanted)).collect();
    let opened = rows.last().filter(|row| !is_over(row)).map(|row| (row.at, row.open));
    let until = MarketTime(ends.0.div_euclid(MINUTE) * MINUTE);
    Ok(Chart { from: wanted.from, until, closed, opened, quote: None, doubled, split: None })
}

/// Whether one price is neither more than twice nor less than half another.
pub(super) fn is_near(before: Price, now: Price) -> bool {
    let (was, is) = (i128::from(before.nanos()), i128::from(now.nanos()));
    is <= WILDEST * was && was <= WILDEST * is
}

/// What kind of jump lies between two prices that are not near: a hundredfold or a thousandfold, within a fifth, is another unit.
pub(super) fn jump_between(before: Price, now: Price) -> Flaw {
    let (was, is) = (i128::from(before.nanos()), i128::from(now.nanos()));
    let (small, large) = (was.min(is), was.max(is));
    let is_about = |times: i128| large * 5 >= small * times * 4 && large * 5 <= small * times * 6;
    if is_about(100) || is_about(1_000) { Flaw::UnitJump } else { Flaw::Outlier }
}

fn bar(row: &Row, wanted: &Wanted<'_>) -> Bar {
    let Row { at, open, high, low, close, volume } = *row;
    let close_at = MarketTime(at.0 + MINUTE);
    let volume = volume.filter(|_| wanted.has_volume);
    Bar { instrument: wanted.instrument, open_at: at, close_at, open, high, low, close, volume, has_range: true }
}

/// Whether a market trades in this minute.
pub(in crate::market) fn is_open(calendar: Calendar, at: MarketTime) -> bool {
    calendar.is_open(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    fn wanted(calendar: Calendar) -> Wanted<'static> {
        let now = WallTime(at("2026-11-25T16:00:30Z").0);
        Wanted {
            name: "X",
            instrument: InstrumentId(2),
            kind: AssetClass::Stock,
            calendar,
            decimals: 2,
            currency: Currency::USD,
            has_volume: true,
            plan: Plan::Free,
            from: at("2026-11-20"),
            now,
        }
    }

    fn row(time: &str, price: i64) -> Row {
        let price = Price::from_nanos(price * 1_000_000_000);
        Row { at: at(time), open: price, high: price, low: price, close: price, volume: None }
    }

    fn closed(rows: Vec<Row>, told_until: Option<&str>) -> Result<usize, Failure> {
        let chart = chart(rows, &wanted(Calendar::Crypto247), told_until.map(at));
        chart.map(|chart| chart.closed.len()).map_err(|refusal| refusal.failure)
    }

    #[test]
    fn only_what_the_answer_shows_to_be_over_is_closed() {
        let rows = vec![row("2026-11-25T15:58", 100), row("2026-11-25T15:59", 101)];
        let read = chart(rows.clone(), &wanted(Calendar::Crypto247), None).unwrap();
        assert_eq!((read.closed.len(), read.opened), (1, Some((at("2026-11-25T15:59"), row("2026-11-25T15:59", 101).open))));
        assert_eq!(closed(rows.clone(), Some("2026-11-25T15:59:59Z")), Ok(1));
        assert_eq!(closed(rows, Some("2026-11-25T16:00:00Z")), Ok(2));
        assert_eq!(closed(Vec::new(), None), Ok(0));
    }

    #[test]
    fn rows_that_make_no_sense_refuse_the_whole_answer() {
        let good = row("2026-11-25T15:58", 100);
        let cross = Row { low: Price::from_nanos(1 + good.open.nanos()), ..row("2026-11-25T15:59", 100) };
        for bad in [
            row("2026-11-25T15:59", 10_000),
            row("2026-11-25T15:59", 1),
            row("2026-11-25T15:59:01Z", 100),
            row("2026-11-25T16:05", 100),
            row("2026-11-25T15:58", 101),
            cross,
        ] {
            assert_eq!(closed(vec![good, bad], None), Err(Failure::Nonsense), "{bad:?}");
        }
        assert_eq!(closed(vec![good, good], Some("2026-11-25T15:59")), Ok(1), "the same row twice is one row");
    }

    #[test]
    fn a_jump_is_told_by_its_kind_and_a_row_twice_is_counted() {
        let good = row("2026-11-25T15:58", 100);
        let flaw = |price: i64| {
            let read = chart(vec![good, row("2026-11-25T15:59", price)], &wanted(Calendar::Crypto247), None);
            read.unwrap_err().flaw
        };
        let kinds = [1, 10_000, 8_000, 100_000, 300, 25].map(flaw);
        let (unit, other) = (Some(Flaw::UnitJump), Some(Flaw::Outlier));
        assert_eq!(kinds, [unit, unit, unit, unit, other, other]);
        let read = chart(vec![good, good, good, row("2026-11-25T15:59", 100)], &wanted(Calendar::Crypto247), None).unwrap();
        assert_eq!((read.doubled, read.closed.len()), (2, 1));
    }

    #[test]
    fn over_a_night_a_price_may_double_but_not_change_its_unit() {
        let rows =
            |price: i64| vec![row("2026-11-24T20:59", 100), row("2026-11-25T14:30", price), row("2026-11-25T14:31", price)];
        let read = |price: i64| chart(rows(price), &wanted(Calendar::UsEquity), None).map(|chart| chart.closed.len());
        assert_eq!([read(45), read(230)].map(Result::ok), [Some(2), Some(2)]);
        assert_eq!(read(10_000).unwrap_err().flaw, Some(Flaw::UnitJump));
    }

    #[test]
    fn rows_outside_the_hours_of_a_market_are_none_of_it() {
        let rows = vec![
            row("2026-11-24T20:59", 100),
            row("2026-11-24T21:00", 100),
            row("2026-11-25T14:29", 100),
            row("2026-11-25T14:30", 100),
            row("2026-11-22T15:00", 100),
            row("2026-11-26T15:00", 100),
            row("2026-11-27T18:00", 100),
        ];
        let read = chart(rows, &wanted(Calendar::UsEquity), Some(at("2026-11-27T19:00"))).unwrap();
        let opens: Vec<String> = read.closed.iter().map(|bar| bar.open_at.to_string()).collect();
        assert_eq!(opens, ["2026-11-24T20:59:00Z", "2026-11-25T14:30:00Z"]);
        for (time, is_there) in [
            ("2026-11-27T21:59", true),
            ("2026-11-27T22:00", false),
            ("2026-11-28T12:00", false),
            ("2026-11-29T21:59", false),
            ("2026-11-29T22:00", true),
            ("2026-07-05T21:00", true),
        ] {
            assert_eq!(is_open(Calendar::Fx245, at(time)), is_there, "{time}");
        }
    }
}
