//! Calendars against a list made elsewhere, and against the days that real tapes hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use pmax::domain::{AssetClass, Calendar, Closed, Currency, InstrumentId, MarketTime, WallTime};
use pmax::market::providers::{Answer, Desk, Input, Line, Output, ProviderId, ProviderTable};
use pmax::market::{self, Tape};
use serde_json::Value;

use crate::support::shared;

fn american(text: &str) -> Date {
    Date::strptime("%m/%d/%Y", text).unwrap()
}

fn days(first: &str, last: &str) -> impl Iterator<Item = Date> {
    let (first, last): (Date, Date) = (first.parse().unwrap(), last.parse().unwrap());
    std::iter::successors(Some(first), |day| day.checked_add(1.day()).ok()).take_while(move |day| *day <= last)
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// 31 years of holidays and half days, as another program's table of market hours has them.
#[test]
fn thirty_one_years_of_holidays_and_half_days_are_those_of_another_table() {
    let Some(shared) = shared() else { return };
    let text = fs::read_to_string(shared.join("data/from-repos/lean-market-hours.json")).unwrap();
    let table: Value = serde_json::from_str(&text).unwrap();
    let shares = &table["Equity-usa-[*]"];
    let holidays: BTreeSet<Date> =
        shares["holidays"].as_array().unwrap().iter().map(|day| american(day.as_str().unwrap())).collect();
    let early = shares["earlyCloses"].as_object().unwrap().iter();
    let early: BTreeMap<Date, &str> = early.map(|(day, time)| (american(day), time.as_str().unwrap())).collect();
    let (mut closed, mut half) = (0, 0);
    for day in days("1998-01-01", "2028-12-25").filter(|day| !is_weekend(*day)) {
        let ours = Calendar::UsEquity.on(day);
        assert_eq!(ours.is_err(), holidays.contains(&day), "{day}: {ours:?}");
        closed += usize::from(ours.is_err());
        let Ok(session) = ours else { continue };
        let closes = Calendar::UsEquity.zone().to_datetime(session.close_at.timestamp()).time();
        // The other table begins its early closes in November 1999.
        if day >= "1999-11-01".parse().unwrap() {
            let expected = early.get(&day).map_or("16:00:00", |time| *time);
            assert_eq!(closes.to_string(), expected, "{day}");
            half += usize::from(session.early.is_some());
        }
    }
    assert_eq!((closed, half), (291, 64), "the table names two Saturdays and a Sunday more");
}

/// The sessions of a tape's shares against the calendar: every bar lies in its session, and which days are missing.
fn missing(tape: &Tape, instrument: u32) -> Vec<String> {
    let bars: Vec<_> = tape.bars.iter().filter(|bar| bar.instrument == InstrumentId(instrument)).collect();
    let dates: BTreeSet<Date> = bars.iter().map(|bar| Calendar::UsEquity.date_of(bar.open_at)).collect();
    for bar in &bars {
        let session = Calendar::UsEquity.session_at(bar.open_at).unwrap_or_else(|| panic!("{} is no session", bar.open_at));
        assert_eq!((bar.open_at, bar.close_at), (session.open_at, session.close_at));
    }
    let (first, last) = (dates.first().unwrap().to_string(), dates.last().unwrap().to_string());
    days(&first, &last)
        .filter(|day| Calendar::UsEquity.on(*day).is_ok() && !dates.contains(day))
        .map(|day| day.to_string())
        .collect()
}

#[test]
fn the_days_of_real_tapes_are_the_days_of_the_calendar() {
    let none: Vec<String> = Vec::new();
    let tape = market::load("crash-2020").unwrap();
    for instrument in [1, 2, 3, 10, 29] {
        assert_eq!(missing(&tape, instrument), none, "crash-2020 {instrument}");
    }
    let tape = market::load("crash-2008").unwrap();
    for instrument in [1, 2, 3, 8, 9, 10] {
        assert_eq!(missing(&tape, instrument), none, "crash-2008 {instrument}");
    }
    let tape = market::load("us20-1990-2022").unwrap();
    for instrument in [10, 19, 29] {
        assert_eq!(missing(&tape, instrument), none, "us20-1990-2022 {instrument}");
    }
}

#[test]
fn special_days_are_named() {
    for (day, name) in [
        ("2012-10-29", "Hurricane Sandy"),
        ("2018-12-05", "mourning for President Bush"),
        ("2026-04-03", "Good Friday"),
        ("2022-06-20", "Juneteenth"),
        ("2023-01-02", "New Year's Day"),
    ] {
        assert_eq!(Calendar::UsEquity.on(day.parse().unwrap()), Err(Closed::Holiday(name)), "{day}");
    }
    assert!(Calendar::UsEquity.on("2021-12-31".parse().unwrap()).is_ok(), "no holiday is kept on the last Friday of a year");
    let early = |day: &str| Calendar::UsEquity.on(day.parse().unwrap()).unwrap().early;
    assert_eq!(early("2026-11-27"), Some("day after Thanksgiving"));
    assert_eq!(early("1997-10-27"), Some("circuit breakers"));
}

/// Across every change of clocks in thirty years sessions keep their hours in New York and follow one another.
#[test]
fn sessions_keep_their_hours_over_every_change_of_clocks() {
    let mut before = MarketTime(i64::MIN);
    for day in days("1998-01-01", "2028-12-31") {
        for (calendar, hours) in [(Calendar::Fx245, "17:00:00 17:00:00"), (Calendar::UsEquity, "09:30:00 16:00:00")] {
            let Ok(session) = calendar.on(day) else { continue };
            let clock = |at: MarketTime| calendar.zone().to_datetime(at.timestamp()).time().to_string();
            if session.early.is_none() {
                assert_eq!(format!("{} {}", clock(session.open_at), clock(session.close_at)), hours, "{day}");
            }
            assert!(calendar.is_open(session.open_at) && !calendar.is_open(session.close_at) || calendar == Calendar::Fx245);
            assert_eq!(calendar.next_session(MarketTime(session.open_at.0 - 1)), Some(session));
            if calendar == Calendar::UsEquity {
                assert!(before < session.open_at);
                before = session.close_at;
            }
        }
    }
}

/// How often a share is asked for within an hour, where nobody ever has a bar of it.
fn asked_within_an_hour(from: &str) -> usize {
    let begin = MarketTime::parse(from).unwrap().0;
    let table = ProviderTable::read(include_str!("../../config/providers.toml"), None).unwrap();
    let names = BTreeMap::from([(ProviderId::Yahoo, table.aliases["AAPL"][&ProviderId::Yahoo].clone())]);
    let line = Line {
        instrument: InstrumentId(10),
        kind: AssetClass::Stock,
        calendar: Calendar::UsEquity,
        decimals: 2,
        currency: Currency::USD,
        names,
        known_until: Some(MarketTime(begin - 86_400_000_000_000)),
        last_close: None,
    };
    let budget = table.budget();
    let mut desk = Desk::new(table, budget, vec![line], 1, WallTime(begin));
    let (mut asked, mut out) = (0, Vec::new());
    for second in 0..3_600 {
        let now = WallTime(begin + second * 1_000_000_000);
        desk.handle(now, Input::Tick, &mut out);
        let requests: Vec<_> = out
            .drain(..)
            .filter_map(|output| if let Output::Fetch(request) = output { Some(request.id) } else { None })
            .collect();
        for id in requests {
            asked += 1;
            let body = br#"{"chart":{"result":[],"error":null}}"#.to_vec();
            desk.handle(now, Input::Answered(id, Ok(Answer { status: 200, retry_after: None, body })), &mut out);
        }
    }
    asked
}

#[test]
fn a_holiday_is_not_polled_like_a_trading_day() {
    let usual = asked_within_an_hour("2026-11-25T15:00:00Z");
    assert!((55..=125).contains(&usual), "for bars and prices once a minute each while the market is open: {usual}");
    for (what, from) in [
        ("Thanksgiving", "2026-11-26T15:00:00Z"),
        ("after a half day", "2026-11-27T18:30:00Z"),
        ("a weekend", "2026-11-28T15:00:00Z"),
        ("Good Friday", "2026-04-03T15:00:00Z"),
    ] {
        let asked = asked_within_an_hour(from);
        assert!(asked >= 1 && asked * 8 <= usual, "{what}: {asked} of {usual}");
    }
    let over_the_open = asked_within_an_hour("2026-11-27T14:00:00Z");
    assert!(
        over_the_open * 10 >= usual * 4 && over_the_open * 10 <= usual * 7,
        "asked again from the open on: {over_the_open} of {usual}"
    );
}
