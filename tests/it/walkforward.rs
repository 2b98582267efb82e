//! Walk-forward: windows that keep the past apart from the future, choices that never see a test, and every fit counted.

use pmax::backtest::walk::{
    self, Anchor, Candidate, Done, Fit, Geometry, LEAST_TRADES, Length, NoWindows, Part, Rule, Summary, Walk, Walked, Window,
};
use pmax::backtest::{DailyResults, Plan, Verdict};
use pmax::domain::{
    Bar, Capabilities, Currency, InstrumentId, MarketEvent, MarketStamp, MarketTime, Money, Price, Ratio, SeriesInfo,
};
use pmax::engine::TapeRef;
use proptest::prelude::*;

use crate::support::run;
use crate::world;

const DAY: i64 = 86_400_000_000_000;

/// Uniform numbers from 0 to 1, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

fn close(instrument: u32, day: i64, price: f64) -> Bar {
    let price = Price::from_nanos((price * 1e9) as i64);
    let close_at = MarketTime(day * DAY + 20 * DAY / 24);
    let open_at = MarketTime(close_at.0 - DAY / 4);
    let id = InstrumentId(instrument);
    Bar { instrument: id, open_at, close_at, open: price, high: price, low: price, close: price, volume: None, has_range: false }
}

/// Prices of stocks 10, 11, … on weekdays from 2000-01-03 on: a walk of 1 % a day, and `shock` in every fifteenth close, which fades by two
/// fifths a day. With a shock of zero there is nothing to be found.
fn prices(stocks: u32, years: i64, shock: f64, seed: u64) -> Vec<Bar> {
    let mut dice = Dice(seed);
    let mut state = vec![(f64::ln(100.0), 0.0_f64); stocks as usize];
    let mut bars = Vec::new();
    for day in (10_959..10_959 + years * 365).filter(|day| (day + 4) % 7 != 0 && (day + 4) % 7 != 6) {
        for (number, (walk, fading)) in (10..).zip(&mut state) {
            *walk += dice.normal() * 0.01;
            *fading *= 0.6;
            if dice.roll() < 1.0 / 15.0 {
                *fading += if dice.roll() < 0.5 { shock } else { -shock };
            }
            bars.push(close(number, day, f64::exp(*walk + *fading)));
        }
    }
    bars
}

fn plan(bars: &[Bar]) -> Plan {
    let (_, mut setup) = world::setup("crash-2020");
    let numbers: std::collections::BTreeSet<_> = bars.iter().map(|bar| bar.instrument).collect();
    let capabilities = Capabilities { has_range: false, has_volume: false, is_adjusted: true };
    let series = |instrument| SeriesInfo { instrument, capabilities, source: "made up".to_owned(), last_print: None };
    setup.series = numbers.into_iter().map(series).collect();
    let tape = TapeRef { name: "made-up".to_owned(), sha256: "0".repeat(64), seed: 1 };
    let capital = Money::whole(100_000, Currency::USD).unwrap();
    let from = MarketTime::parse("2001-04-02").unwrap();
    Plan { setup, tape, version: "", capital, from, until: None, since: None, opens_until: None }
}

fn candidate(rule: Rule, bars: u32, horizon: u32) -> Candidate {
    Candidate { rule, bars, threshold: Ratio::from_nanos(2_000_000_000), horizon }
}

fn four() -> Vec<Candidate> {
    vec![
        candidate(Rule::Momentum, 20, 10),
        candidate(Rule::Momentum, 60, 10),
        candidate(Rule::Reversal, 2, 5),
        candidate(Rule::Reversal, 5, 5),
    ]
}

fn geometry(train: i32, test: i32) -> Geometry {
    let (train, test) = (Length::months(train), Length::months(test));
    Geometry { train, test, step: test, anchor: Anchor::Rolling, purge: 12, embargo: 5 }
}

fn events(bars: &[Bar]) -> Vec<MarketEvent> {
    bars.iter().map(|bar| MarketEvent::BarClosed { bar: *bar, stamp: MarketStamp::tape(bar.close_at) }).collect()
}

fn history<'a>(events: &'a [MarketEvent]) -> impl Fn(MarketTime) -> std::iter::Copied<std::slice::Iter<'a, MarketEvent>> {
    |since| events[events.partition_point(|event| event.known_at() < since)..].iter().copied()
}

fn walked(bars: &[Bar], geometry: Geometry) -> (Vec<Walked>, Summary) {
    let walk = Walk::new(plan(bars), bars, geometry, four()).unwrap();
    let events = events(bars);
    let done: Vec<Done> = (0..walk.jobs()).map(|job| walk.work(job, history(&events)).unwrap().unwrap()).collect();
    assert!(walk.work(walk.jobs(), history(&events)).is_none());
    walk.summarise(done)
}

/// How many bars of an instrument close from one instant on and before another.
fn between(bars: &[Bar], instrument: InstrumentId, from: MarketTime, until: MarketTime) -> usize {
    bars.iter().filter(|bar| bar.instrument == instrument && bar.close_at >= from && bar.close_at < until).count()
}

fn hold_apart(bars: &[Bar], geometry: &Geometry, window: &Window) {
    let (purge, embargo) = (geometry.purge as usize, geometry.embargo as usize);
    assert!(window.since <= window.train.from && window.train.until <= window.test.from);
    for instrument in [10, 11, 12].map(InstrumentId) {
        for stretch in [window.train, window.test] {
            assert!(stretch.from < stretch.opens_until && stretch.opens_until <= stretch.until);
            let after = between(bars, instrument, stretch.opens_until, stretch.until);
            assert!(after >= purge, "{after} bars are left for what was opened before {}", stretch.opens_until);
        }
        let unseen = between(bars, instrument, window.train.until, window.test.from);
        assert!(unseen >= embargo, "{unseen} bars of embargo");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_outcome_of_training_reaches_a_test_and_tests_tile_the_years(
        train in 4_i32..30, test in 2_i32..14, more in 0_i32..4, purge in 12_u32..24, embargo in 0_u32..12, grows in any::<bool>()
    ) {
        // One of three trades every day, so that their bars are not each other's.
        let mut bars = prices(2, 7, 0.0, 1);
        bars.extend((10_959..10_959 + 7 * 365).map(|day| close(12, day, 50.0)));
        bars.sort_by_key(|bar| (bar.close_at, bar.instrument));
        let anchor = if grows { Anchor::Anchored } else { Anchor::Rolling };
        let (train, step) = (Length::months(train), Length::months(test + more));
        let geometry = Geometry { train, test: Length::months(test), step, anchor, purge, embargo };
        let walk = Walk::new(plan(&bars), &bars, geometry, four()).unwrap();
        let windows = walk.windows();
        for window in windows {
            hold_apart(&bars, &geometry, window);
        }
        for pair in windows.windows(2) {
            prop_assert!(pair[0].test.until <= pair[1].test.from, "tests never overlap");
            prop_assert_eq!(pair[0].test.until == pair[1].test.from, more == 0, "they tile the years where the step is a test");
            prop_assert_eq!(pair[0].train.from == pair[1].train.from, grows);
        }
        prop_assert_eq!(windows[0].train.from, MarketTime::parse("2001-04-01T21:00:00Z").unwrap(), "a risk day in New York");
        let left = bars.last().unwrap().close_at.since(windows.last().unwrap().test.until).0 / DAY;
        prop_assert!(left < i64::from(test + more) * 31 + i64::from(test) * 16, "{} days are left over", left);
    }
}

#[test]
fn windows_that_cannot_be_are_refused_in_words() {
    let bars = prices(1, 4, 0.0, 1);
    let cut = |geometry| Walk::new(plan(&bars), &bars, geometry, four()).map(drop).unwrap_err();
    let usual = geometry(12, 6);
    assert_eq!(cut(Geometry { purge: 11, ..usual }), NoWindows::Purge { given: 11, needed: 12 });
    assert!(matches!(cut(Geometry { step: Length::months(5), ..usual }), NoWindows::Overlap { .. }));
    assert!(matches!(cut(geometry(60, 6)), NoWindows::Short { .. }));
    assert!(matches!(cut(Geometry { test: Length::days(10), step: Length::days(10), ..usual }), NoWindows::Eaten(..)));
    assert!(matches!(cut(Geometry { test: Length::days(0), ..usual }), NoWindows::Empty(_)));
    for (text, length) in [("3y", Some(Length::months(36))), ("18m", Some(Length::months(18))), ("2w", Some(Length::days(14)))] {
        assert_eq!(text.parse().ok(), length);
    }
    for wrong in ["", "y", "0y", "-1m", "3", "3q", "é", "99999999d"] {
        assert!(wrong.parse::<Length>().is_err(), "{wrong}");
    }
}

fn fit(part: Part, candidate: usize, values: &[f64], trades: u64) -> Fit {
    let first = jiff::civil::date(2001, 1, 1);
    let account = DailyResults::of(values, Some((first, jiff::civil::date(2001, 1, 4))));
    Fit { part, candidate, settings: String::new(), begins: MarketTime(0), ends: MarketTime(1), account, trades }
}

#[test]
fn the_choice_is_the_best_of_training_with_enough_trades_and_the_simpler_of_equals() {
    let (good, better) = ([100.0, 101.0, 101.5, 103.0], [100.0, 101.0, 102.0, 103.1]);
    let train = |candidate, values: &[f64], trades| fit(Part::Train, candidate, values, trades);
    assert_eq!(walk::choose(&[train(0, &good, 30), train(1, &better, 30)]), Some(1));
    assert_eq!(walk::choose(&[train(0, &good, 30), train(1, &better, LEAST_TRADES - 1)]), Some(0), "too few trades");
    assert_eq!(walk::choose(&[train(0, &good, 30), train(1, &good, 90)]), Some(0), "of equals the first");
    assert_eq!(walk::choose(&[train(0, &good, 30), fit(Part::Test, 1, &better, 90)]), Some(0), "a test is never looked at");
    assert_eq!(walk::choose(&[train(0, &[100.0, 100.0, 100.0], 90), train(1, &good, 3)]), None);
}

#[test]
fn what_comes_later_changes_neither_a_choice_nor_a_window_before() {
    let bars = prices(6, 5, 0.08, 3);
    let walk = Walk::new(plan(&bars), &bars, geometry(12, 6), four()).unwrap();
    let window = walk.windows()[2];
    let result = |bars: &[Bar]| match walk.work(2, history(&events(bars))).unwrap().unwrap() {
        Done::Walked(walked) => *walked,
        Done::Whole(_) => unreachable!(),
    };
    let whole = result(&bars);
    assert!(whole.chosen.is_some() && whole.tested.as_ref().unwrap().trades.count > 5, "{whole:?}");
    let turned_from = |at: MarketTime| -> Vec<Bar> {
        let turn = |bar: &Bar| {
            if bar.close_at < at { *bar } else { close(bar.instrument.0, bar.close_at.0 / DAY, 7.0 + bar.close.to_f64() / 2.0) }
        };
        bars.iter().map(turn).collect()
    };
    assert_eq!(result(&turned_from(window.test.until)), whole, "mutation after the test");
    let cut: Vec<Bar> = bars.iter().filter(|bar| bar.close_at < window.test.until).copied().collect();
    assert_eq!(result(&cut), whole, "truncation after the test");
    let other = result(&turned_from(window.train.until));
    assert_eq!((other.fits, other.chosen), (whole.fits, whole.chosen), "training sees neither embargo nor test");
    assert_ne!(other.tested, whole.tested, "the test was another one");
}

#[test]
fn a_planted_edge_is_found_and_passes() {
    let (windows, summary) = walked(&prices(6, 8, 0.08, 5), geometry(24, 12));
    assert_eq!(summary.verdict, Verdict::Pass, "{:#?}", summary.gauges);
    for window in &windows {
        assert_eq!(four()[window.chosen.unwrap()].rule, Rule::Reversal, "{:?}", window.window);
    }
    assert_eq!(summary.open, 0, "what was opened has ended within its test");
    assert!(summary.efficiency.kept.unwrap() > 0.5 && summary.overfitting.unwrap().0 < 0.2, "{summary:?}");
    assert_eq!(summary.fits as usize, windows.len() * 5 + 4);
    let days: Vec<_> = summary.wealth.iter().map(|(date, _)| *date).collect();
    assert!(days.is_sorted_by(|one, next| one < next), "no day is counted twice");
}

#[test]
fn noise_does_not_pass() {
    let (mut passed, mut trips) = (0, 0);
    for seed in 0..6 {
        let (_, summary) = walked(&prices(12, 6, 0.0, 100 + seed), geometry(24, 12));
        assert!(summary.passes_by_luck.unwrap() < 0.001, "the printed rate");
        assert!(summary.account.days > 300);
        trips += summary.won.of;
        passed += u32::from(summary.verdict == Verdict::Pass);
    }
    assert!(trips > 300, "it traded: {trips}");
    assert_eq!(passed, 0, "at the printed rate not one of six");
}

#[test]
fn every_fit_is_counted_and_threads_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    let said = |threads: &str, format: &str| {
        let windows = ["walkforward", "--tape", "crash-2008", "--from", "2007-09-04", "--train", "8m", "--test", "4m"];
        let line = [&windows[..], &["--threads", threads, "--format", format]].concat();
        let output = run(&line, &[], home.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let one = said("1", "json");
    assert_eq!(one, said("3", "json"));
    let whole: serde_json::Value = serde_json::from_str(&one).unwrap();
    let windows = whole["windows"].as_array().unwrap();
    let tested = windows.iter().filter(|window| !window["tested"].is_null()).count();
    let fits = windows.len() * 24 + tested + 24;
    assert_eq!(whole["summary"]["fits"], fits);
    let table = said("2", "table");
    assert!(table.contains(&format!("Counted: {} tests on this tape so far, {fits} of them different", 3 * fits)), "{table}");
    let failed = run(&["walkforward", "--tape", "btc-2021"], &[], home.path());
    let error = String::from_utf8(failed.stderr).unwrap();
    assert!(failed.status.code() == Some(1) && error.contains("does not hold 3y of training"), "{error}");
}

/// The stored walk, made with
/// `cargo run --release -- walkforward --tape us20-1990-2022 --train 3y --test 1y --format markdown > assets/reports/walkforward-us20.md`.
const STORED: &str = include_str!("../../assets/reports/walkforward-us20.md");

#[test]
fn the_stored_walk_is_what_the_program_says_today() {
    let home = tempfile::tempdir().unwrap();
    // The first two windows; four days of a third are too few for one.
    let line = ["walkforward", "--tape", "us20-1990-2022", "--until", "1996-01-05", "--format", "markdown"];
    let output = run(&line, &[], home.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let today = String::from_utf8(output.stdout).unwrap();
    let windows: Vec<&str> = today.lines().filter(|line| line.starts_with("| 199")).collect();
    assert_eq!(windows.len(), 2);
    let same = ["| tape |", "| settings |", "| kept apart |", "| chosen |", "| costs |", "| capital |"];
    let facts = today.lines().filter(|line| same.iter().any(|name| line.starts_with(name)));
    for line in windows.into_iter().chain(facts) {
        assert!(STORED.lines().any(|stored| stored == line), "make the stored walk anew; it lacks {line}");
    }
    assert!(STORED.contains("Survivors only"));
}
