//! Time frames: what is built from ticks equals what is counted by hand, and longer bars made of shorter ones lose nothing.

use std::collections::BTreeMap;

use pmax::domain::{Bar, BarBuilder, Calendar, InstrumentId, MarketTime, Price, Resampler, Tick, TimeFrame, Volume};
use pmax::market;
use proptest::prelude::*;

const ID: InstrumentId = InstrumentId(5);
const CALENDARS: [Calendar; 3] = [Calendar::UsEquity, Calendar::Fx245, Calendar::Crypto247];

fn at(text: &str) -> MarketTime {
    MarketTime::parse(text).unwrap()
}

/// Ticks in order, with pauses from nothing to hours, from the Friday before the clocks changed in March 2020.
fn ticks() -> impl Strategy<Value = Vec<Tick>> {
    let pause = prop_oneof![8 => 0_i64..20, 3 => 20_i64..600, 1 => 600_i64..30_000];
    let tick = (pause, 90_i64..110, prop::option::weighted(0.95, 0_i64..1_000));
    prop::collection::vec(tick, 1..300).prop_map(|steps| {
        let mut now = at("2020-03-06T14:20:00Z").0;
        let tick = |(pause, price, volume): (i64, i64, Option<i64>)| {
            now += pause * 1_000_000_000;
            Tick { at: MarketTime(now), price: Price::from_nanos(price), volume: volume.map(Volume::from_milli) }
        };
        steps.into_iter().map(tick).collect()
    })
}

fn built(frame: TimeFrame, calendar: Calendar, ticks: &[Tick]) -> Vec<Bar> {
    let mut builder = BarBuilder::new(ID, frame, calendar);
    let mut bars: Vec<Bar> = ticks.iter().filter_map(|tick| builder.push(*tick)).collect();
    bars.extend(builder.forming());
    bars
}

/// The same, each bar worked out from all of its ticks at once.
fn reference(frame: TimeFrame, calendar: Calendar, ticks: &[Tick]) -> Vec<Bar> {
    let mut spans: BTreeMap<MarketTime, Vec<Tick>> = BTreeMap::new();
    for tick in ticks {
        if let Some(span) = frame.span(calendar, tick.at) {
            spans.entry(span.from).or_default().push(*tick);
        }
    }
    let bar = |(open_at, ticks): (MarketTime, Vec<Tick>)| Bar {
        instrument: ID,
        open_at,
        close_at: frame.span(calendar, open_at).unwrap().until,
        open: ticks[0].price,
        high: ticks.iter().map(|tick| tick.price).max().unwrap(),
        low: ticks.iter().map(|tick| tick.price).min().unwrap(),
        close: ticks[ticks.len() - 1].price,
        volume: ticks.iter().map(|tick| tick.volume.map(Volume::milli)).sum::<Option<i64>>().map(Volume::from_milli),
        has_range: true,
    };
    spans.into_iter().map(bar).collect()
}

proptest! {
    #[test]
    fn bars_of_ticks_are_those_counted_by_hand(ticks in ticks()) {
        for calendar in CALENDARS {
            for frame in TimeFrame::CHARTED {
                prop_assert_eq!(built(frame, calendar, &ticks), reference(frame, calendar, &ticks), "{} {:?}", frame, calendar);
            }
        }
    }

    #[test]
    fn bars_of_bars_are_those_of_the_ticks(ticks in ticks()) {
        for calendar in CALENDARS {
            let minutes = built(TimeFrame::MINUTE, calendar, &ticks);
            let quarters = Resampler::all(TimeFrame::QUARTER, calendar, minutes.iter());
            for frame in [TimeFrame::QUARTER, TimeFrame::HOUR, TimeFrame::Day, TimeFrame::Week, TimeFrame::Month] {
                let at_once = Resampler::all(frame, calendar, minutes.iter());
                prop_assert_eq!(&at_once, &built(frame, calendar, &ticks), "{} {:?}", frame, calendar);
                prop_assert_eq!(&Resampler::all(frame, calendar, quarters.iter()), &at_once, "by quarters: {} {:?}", frame, calendar);
                prop_assert_eq!(&Resampler::all(frame, calendar, at_once.iter()), &at_once, "made of itself: {} {:?}", frame, calendar);
                let volume = |bars: &[Bar]| bars.iter().map(|bar| bar.volume.map(Volume::milli)).sum::<Option<i64>>();
                if volume(&minutes).is_some() {
                    prop_assert_eq!(volume(&at_once), volume(&minutes));
                }
            }
        }
    }

    /// What is given out once is never given out otherwise, wherever the ticks are cut.
    #[test]
    fn a_closed_bar_never_changes(ticks in ticks(), cut in any::<prop::sample::Index>()) {
        let whole = built(TimeFrame::MINUTE, Calendar::Crypto247, &ticks);
        let mut builder = BarBuilder::new(ID, TimeFrame::MINUTE, Calendar::Crypto247);
        let closed: Vec<Bar> = ticks[..=cut.index(ticks.len())].iter().filter_map(|tick| builder.push(*tick)).collect();
        prop_assert!(whole.starts_with(&closed));
    }
}

#[test]
fn a_day_of_hours_is_the_day_of_its_source() {
    let tape = market::load("btc-2021").unwrap();
    let hours = Resampler::all(TimeFrame::HOUR, Calendar::Crypto247, tape.bars.iter());
    let days = Resampler::all(TimeFrame::Day, Calendar::Crypto247, hours.iter());
    let day = days.iter().find(|bar| bar.open_at == at("2021-11-10")).unwrap();
    let own: Vec<&Bar> = tape.bars.iter().filter(|bar| bar.open_at >= day.open_at && bar.close_at <= day.close_at).collect();
    assert_eq!((day.open, day.close), (own[0].open, own[own.len() - 1].close));
    assert_eq!(day.high, own.iter().map(|bar| bar.high).max().unwrap());
    assert_eq!(own.len(), 96);
    assert!(hours.len() * 4 >= tape.bars.len() && days.len() > 85);
}

#[test]
fn what_comes_after_a_bar_was_given_out_is_left_out() {
    let price = Price::from_nanos(100);
    let minute = |minute: i64, length: i64| {
        let open_at = MarketTime(at("2021-11-10T00:00:00Z").0 + minute * 60_000_000_000);
        let close_at = MarketTime(open_at.0 + length * 60_000_000_000);
        Bar {
            instrument: ID,
            open_at,
            close_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            has_range: true,
        }
    };
    let (mut resampler, mut made) = (Resampler::new(TimeFrame::QUARTER, Calendar::Crypto247), Vec::new());
    for bar in [minute(0, 1), minute(14, 1), minute(13, 1), minute(14, 1), minute(15, 1), minute(3, 1), minute(31, 1)] {
        resampler.push(&bar, |bar| made.push(bar.open_at));
    }
    assert_eq!(made, [minute(0, 1).open_at, minute(15, 1).open_at]);
    assert_eq!((resampler.left_out(), resampler.forming().map(|bar| bar.open_at)), (3, Some(minute(30, 1).open_at)));
}

#[test]
fn of_closes_alone_no_range_is_made() {
    let tape = market::load("crash-2020").unwrap();
    let closes: Vec<Bar> = tape.bars.iter().filter(|bar| bar.instrument == InstrumentId(10)).copied().collect();
    assert!(closes.iter().all(|bar| !bar.has_range));
    let weeks = Resampler::all(TimeFrame::Week, Calendar::UsEquity, closes.iter());
    assert!(weeks.len() > 55 && weeks.iter().all(|bar| !bar.has_range && bar.high == bar.close && bar.open == bar.close));
}
