//! Daily returns from bars, the test out of sample on planted series, and the command as a person meets it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::{Date, date};
use pmax::backtest::{Rolling, Told, Unrolled};
use pmax::domain::{Bar, Direction, InstrumentId, MarketTime, Price, Ratio, WallTime};
use pmax::engine::{ScoreRow, Snapshot, SnapshotRequest};
use pmax::portfolio::{Caps, DailyCloses, DailyReturns, NoAllocation};
use pmax::runtime::{self, AllocationTerms, Allocator, Expected};
use pmax::signals::Scorecard;
use pmax::stats::Generator;
use serde_json::Value;

use crate::stage::lived;
use crate::support::run;
use crate::world;

fn bar(instrument: u32, closes: &str, price: i64) -> Bar {
    let close_at = MarketTime::parse(closes).unwrap();
    let close = Price::from_nanos(price * 1_000_000_000);
    Bar {
        instrument: InstrumentId(instrument),
        open_at: MarketTime(close_at.0 - 3_600_000_000_000),
        close_at,
        open: close,
        high: close,
        low: close,
        close,
        volume: None,
        has_range: false,
    }
}

#[test]
fn daily_returns_are_those_of_days_that_all_share_and_that_have_ended() {
    let bars = [
        bar(1, "2020-03-02T15:00:00Z", 90),
        bar(1, "2020-03-02T20:00:00Z", 100),
        bar(2, "2020-03-02T20:00:00Z", 50),
        // Only one of them trades on this day.
        bar(1, "2020-03-03T20:00:00Z", 70),
        bar(1, "2020-03-04T20:00:00Z", 110),
        bar(2, "2020-03-04T20:00:00Z", 40),
        bar(3, "2020-03-04T20:00:00Z", 9),
        bar(1, "2020-03-05T20:00:00Z", 99),
        bar(2, "2020-03-05T20:00:00Z", 60),
    ];
    let both = [InstrumentId(1), InstrumentId(2)];
    let all = DailyCloses::of(&bars, &both, None).returns(&both);
    assert_eq!(all.dates, [date(2020, 3, 4), date(2020, 3, 5)]);
    assert_eq!((all.begins, all.passed_over), (Some(date(2020, 3, 2)), 1));
    let expected = [[0.1, -0.1], [-0.2, 0.5]];
    for (ours, theirs) in all.series.iter().flatten().zip(expected.iter().flatten()) {
        assert!((ours - theirs).abs() < 1e-12);
    }
    // The day ends at 17:00 in New York, which is 22:00 UTC in winter: an hour after the close it is not over.
    let until = MarketTime::parse("2020-03-05T21:00:00Z");
    assert_eq!(DailyCloses::of(&bars, &both, until).returns(&both).dates, [date(2020, 3, 4)]);
    let until = MarketTime::parse("2020-03-05T22:00:00Z");
    assert_eq!(DailyCloses::of(&bars, &both, until).returns(&both).len(), 2);
    let stranger = [InstrumentId(1), InstrumentId(7)];
    assert!(DailyCloses::of(&bars, &stranger, None).returns(&stranger).is_empty(), "nothing is shared with what never traded");
    let last = all.latest(1);
    assert_eq!((last.len(), last.begins), (1, Some(date(2020, 3, 4))));
}

#[test]
fn a_series_that_begins_late_or_has_ended_takes_no_part() {
    let mut bars = Vec::new();
    for day in 1..=28 {
        let closes = format!("2020-05-{day:02}T20:00:00Z");
        bars.push(bar(1, &closes, 100 + day));
        bars.push(bar(2, &closes, 200 - day));
        if day > 20 {
            bars.push(bar(3, &closes, 50));
        }
        if day < 20 {
            bars.push(bar(4, &closes, 70));
        }
        if day != 9 {
            bars.push(bar(5, &closes, 30));
        }
    }
    let all: Vec<InstrumentId> = (1..=5).map(InstrumentId).collect();
    let closes = DailyCloses::of(&bars, &all, None);
    let ids = |numbers: &[u32]| numbers.iter().map(|number| InstrumentId(*number)).collect::<Vec<_>>();
    assert_eq!(closes.split(usize::MAX), (ids(&[1, 2, 5]), ids(&[3, 4])));
    assert_eq!(closes.split(8), (ids(&[1, 2, 3, 5]), ids(&[4])), "of the last days the late one has all");
    assert_eq!(closes.returns(&ids(&[1, 5])).passed_over, 1);
}

/// Independent normal returns of these daily deviations.
fn planted(deviations: &[f64], days: usize, seed: u64) -> DailyReturns {
    let mut generator = Generator::new(seed);
    let mut series = vec![Vec::new(); deviations.len()];
    for _ in 0..days {
        for (values, deviation) in series.iter_mut().zip(deviations) {
            values.push(generator.normal() * deviation + 0.0002);
        }
    }
    let start = date(2000, 1, 3);
    let day = |number: usize| -> Date { start.checked_add(jiff::Span::new().days(i64::try_from(number).unwrap())).unwrap() };
    DailyReturns {
        instruments: (1..=deviations.len()).map(|id| InstrumentId(u32::try_from(id).unwrap())).collect(),
        dates: (1..=days).map(day).collect(),
        begins: Some(start),
        series,
        passed_over: 0,
    }
}

fn share(value: f64) -> Ratio {
    Ratio::from_f64(value).unwrap()
}

fn rolling<'a>(history: &'a DailyReturns, sectors: &'a [usize]) -> Rolling<'a> {
    let caps = Caps { position: Ratio::ONE, sector: Ratio::ONE, total: Ratio::ONE, turnover: None };
    Rolling { history, sectors, caps, invested: None, window: 250, every: 21, cost: share(0.002) }
}

#[test]
fn where_one_part_is_quiet_the_least_variance_is_found_out_of_sample() {
    let history = planted(&[0.005, 0.02, 0.02, 0.02], 1_500, 5);
    let rolled = rolling(&history, &[0, 1, 2, 3]).play().unwrap();
    assert_eq!(rolled.estimates, (1_500 - 250_usize).div_ceil(21));
    assert_eq!(rolled.against_equal.volatility.told, Told::Lower, "{rolled:?}");
    // Of the true covariance: a precision of 4 + 3/16 parts against a mean of four.
    let best = (1.0 / (1.0 / 2.5e-5 + 3.0 / 4e-4_f64)).sqrt();
    let ours = rolled.ours.results.volatility.unwrap() / 365.25_f64.sqrt();
    assert!((ours / best - 1.0).abs() < 0.1, "{ours} against {best}");
    // Its mean is the same as that of the others, and no interval claims more.
    assert_eq!(rolled.against_held.sharpe.told, Told::NotSignificant, "{rolled:?}");
}

#[test]
fn where_nothing_differs_nothing_is_called_significant() {
    let history = planted(&[0.01; 5], 1_000, 8);
    let rolled = rolling(&history, &[0; 5]).play().unwrap();
    for difference in [rolled.against_equal.sharpe, rolled.against_held.sharpe] {
        assert_eq!(difference.told, Told::NotSignificant);
        let (low, high) = difference.interval.unwrap();
        assert!(low < difference.value.unwrap() && difference.value.unwrap() < high);
    }
}

/// The parts differ in nothing, so no portfolio of them has a better Sharpe ratio than another.
#[test]
fn differences_by_chance_are_seldom_called_significant() {
    let told = |seed: u64| {
        let history = planted(&[0.01; 4], 800, seed);
        rolling(&history, &[0; 4]).play().unwrap().against_equal.sharpe.told != Told::NotSignificant
    };
    let found = (100..140).filter(|seed| told(*seed)).count();
    assert!(found <= 6, "{found} of 40");
}

#[test]
fn what_comes_later_changes_nothing_before() {
    let history = planted(&[0.01, 0.015, 0.02], 700, 3);
    let whole = rolling(&history, &[0, 0, 1]).play().unwrap();
    let cut = history.part(0, 600);
    let before = rolling(&cut, &[0, 0, 1]).play().unwrap();
    assert_eq!(whole.ours.wealth[..350], before.ours.wealth[..]);
    let mut scrambled = history.clone();
    for series in &mut scrambled.series {
        series[600..].iter_mut().for_each(|value| *value = -*value * 3.0);
    }
    let scrambled = rolling(&scrambled, &[0, 0, 1]).play().unwrap();
    assert_eq!(whole.ours.wealth[..350], scrambled.ours.wealth[..350]);
    assert_ne!(whole.ours.wealth, scrambled.ours.wealth);
}

/// Decided on day 250's past, traded at day 250's close: the return of day 250 itself belongs to nobody.
#[test]
fn a_weight_earns_nothing_before_it_is_traded() {
    let mut history = planted(&[0.01, 0.02], 400, 4);
    let quiet = rolling(&history, &[0, 1]).play().unwrap();
    history.series.iter_mut().for_each(|series| series[250] = 0.5);
    let jumped = rolling(&history, &[0, 1]).play().unwrap();
    // The next estimates see the jump; the wealth until the next trade does not.
    assert_eq!(quiet.ours.wealth[..20], jumped.ours.wealth[..20]);
    assert_eq!(quiet.ours.wealth[0], 1.0);
}

#[test]
fn costs_are_those_of_what_is_traded() {
    let history = planted(&[0.01, 0.02], 400, 6);
    let once = Rolling { every: 10_000, ..rolling(&history, &[0, 1]) };
    let (dear, free) = (once.play().unwrap(), Rolling { cost: Ratio::ZERO, ..once }.play().unwrap());
    assert!((dear.ours.costs - 0.002).abs() < 1e-9, "all of it was bought once: {}", dear.ours.costs);
    let (dear, free) = (dear.ours.wealth.last().unwrap(), free.ours.wealth.last().unwrap());
    assert!((dear / free - 0.998).abs() < 1e-9, "{dear} {free}");
    // Equal parts of one purchase that is never traded back is holding.
    let rolled = once.play().unwrap();
    assert_eq!(rolled.equal.wealth, rolled.held.wealth);
    assert!(rolled.against_equal == rolled.against_held);
}

#[test]
fn a_turnover_cap_holds_from_the_second_estimate_on() {
    let history = planted(&[0.01, 0.02, 0.015, 0.012], 900, 7);
    let open = rolling(&history, &[0, 1, 2, 3]);
    let capped = Rolling { caps: Caps { turnover: Some(share(0.02)), ..open.caps }, ..open };
    let (open, capped) = (open.play().unwrap(), capped.play().unwrap());
    assert!(capped.ours.turnover < open.ours.turnover, "{:?} {:?}", capped.ours.turnover, open.ours.turnover);
    let most = 1.0 + 0.025 * (capped.estimates - 1) as f64;
    let years = capped.ours.results.days as f64 / capped.ours.results.days_per_year.unwrap();
    assert!(capped.ours.turnover.unwrap() * years < most);
}

#[test]
fn what_cannot_be_rolled_says_why() {
    let short = planted(&[0.01, 0.02], 300, 1);
    assert!(matches!(rolling(&short, &[0, 1]).play(), Err(Unrolled::TooShort { have: 300, need: 371 })));
    let mut broken = planted(&[0.01, 0.02], 400, 1);
    broken.series[1][100] = f64::NAN;
    match rolling(&broken, &[0, 1]).play() {
        Err(Unrolled::Refused { why: NoAllocation::NotANumber(1), .. }) => {}
        other => panic!("{other:?}"),
    }
}

/// Expected returns come from the record alone, and only where it is long and good enough.
#[test]
fn the_record_supports_expected_returns_or_there_is_no_answer() {
    let (tape, setup) = world::setup("crash-2020");
    let allocator = Allocator::new(&tape, &setup.instruments, setup.settings.clone());
    let usual = AllocationTerms::of(&setup.settings);
    let terms = AllocationTerms { expected: Expected::Record { aversion: 3.0 }, ..usual };
    let mut book = lived().engine().snapshot(&SnapshotRequest::default());
    let nothing = "the record supports no expected return";
    book.scores.clear();
    assert!(allocator.advise(Some(&book), &terms).unwrap_err().starts_with(nothing));
    let standing = |book: &Snapshot| {
        let mut entries = book.signals.iter().filter(|entry| entry.outcome.is_none() && entry.validation.passed());
        entries.find(|entry| entry.signal.view.direction == Direction::Long).unwrap().signal.view.clone()
    };
    let view = standing(&book);
    let card = |outcomes: usize, mean: f64| {
        let mut card = Scorecard::default();
        let at = |day: usize| MarketTime(i64::try_from(day).unwrap());
        let wobble = |day: usize| if day.is_multiple_of(2) { 0.01 } else { -0.01 };
        (0..outcomes).for_each(|day| card.add(share(mean + wobble(day)), at(day), at(day + 1)));
        card
    };
    let row = |card| ScoreRow { source: view.source, card };
    let needed = usize::try_from(setup.settings.gates.proven_after).unwrap();
    for poor in [card(needed - 1, 0.05), card(needed, 0.0005), card(needed, -0.05)] {
        book.scores = vec![row(poor)];
        assert!(allocator.advise(Some(&book), &terms).unwrap_err().starts_with(nothing));
    }
    book.scores = vec![row(card(needed, 0.05))];
    let advised = allocator.advise(Some(&book), &terms).unwrap();
    let line = advised.advice.lines.iter().find(|line| line.instrument == view.instrument).unwrap();
    assert!(line.target > 0.01, "{view:?} {line:?}");
    assert!(advised.advice.cash > 0.0, "what nothing speaks for stays in cash: {advised:?}");
    assert!(allocator.advise(None, &terms).unwrap_err().starts_with("without a run"));
    // What is no number is refused, not taken for zero.
    let careless = AllocationTerms { expected: Expected::Record { aversion: f64::NAN }, ..usual };
    assert_eq!(allocator.advise(Some(&book), &careless).unwrap_err(), "aversion to risk must be a number above 0");
    book.positions[0].value = None;
    assert!(allocator.advise(Some(&book), &usual).unwrap_err().contains("has no price yet, so its weight is not known"));
}

/// What takes no part stays, and leaves that much less for the rest.
#[test]
fn what_is_held_outside_the_choice_counts_against_the_whole() {
    let (tape, setup) = world::setup("crash-2020");
    let allocator = Allocator::new(&tape, &setup.instruments, setup.settings.clone());
    let terms = AllocationTerms::of(&setup.settings);
    let mut book = lived().engine().snapshot(&SnapshotRequest::default());
    let bitcoin = setup.instruments.by_symbol("BTCUSD").unwrap().id;
    let row = &mut book.positions[0];
    (row.instrument, row.value) = (bitcoin, book.account.equity.times(share(0.25)).ok());
    let advised = allocator.advise(Some(&book), &terms).unwrap();
    assert_eq!(advised.left_out, [bitcoin]);
    let invested: f64 = advised.advice.lines.iter().map(|line| line.target).sum();
    assert!((advised.advice.outside - 0.25).abs() < 1e-9 && (invested - 0.75).abs() < 1e-6, "{advised:?}");
    assert!(advised.advice.cash.abs() < 1e-6);
    book.positions[0].value = book.account.equity.times(share(1.5)).ok();
    let words = allocator.advise(Some(&book), &terms).unwrap_err();
    assert_eq!(words, "what the cap of the whole leaves must be above 0 and at most 1");
}

#[test]
fn the_screen_asks_without_waiting_and_gets_one_answer_a_question() {
    let (tape, setup) = world::setup("crash-2020");
    let allocator = Allocator::new(&tape, &setup.instruments, setup.settings);
    let desk = runtime::allocation_desk(allocator.clone(), || WallTime(7)).unwrap();
    let frame = Arc::new(lived().frame(&SnapshotRequest::default()));
    assert!(desk.ask(Arc::clone(&frame)));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let answer = loop {
        assert!(std::time::Instant::now() < deadline, "no answer");
        match desk.answer() {
            Some(answer) => break answer,
            None => std::thread::yield_now(),
        }
    };
    assert_eq!(answer, allocator.beside(&frame.snapshot, WallTime(7)));
    assert!(answer.answer.is_ok() && desk.answer().is_none());
}

fn said(args: &[&str], home: &Path) -> (Option<i32>, String, String) {
    let output = run(args, &[], home);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_allocates_beside_the_book_of_the_latest_run() {
    let home = tempfile::tempdir().unwrap();
    let (code, alone, said_alone) = said(&["allocate", "--last", "100"], home.path());
    assert_eq!(code, Some(0), "{said_alone}");
    assert!(alone.contains("beside no book") && alone.contains("This is information. It makes no order"), "{alone}");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ledger-0.1.0.db"), home.path().join("ledger.db")).unwrap();
    let (code, beside, trouble) = said(&["allocate", "--last", "100", "--format", "json"], home.path());
    assert_eq!(code, Some(0), "{trouble}");
    let found: Value = serde_json::from_str(&beside).unwrap();
    assert_eq!(found["book"]["run"], 1);
    let (names, lines) = (found["instruments"].as_array().unwrap(), found["allocation"]["lines"].as_array().unwrap());
    assert_eq!(names.len(), lines.len());
    let now: Vec<f64> = lines.iter().map(|line| line["now"].as_f64().unwrap()).collect();
    assert_eq!(now.iter().filter(|weight| **weight > 0.0).count(), 5);
    assert_eq!(now.iter().filter(|weight| **weight < 0.0).count(), 1, "the short one");
    let targets: Vec<f64> = lines.iter().map(|line| line["target"].as_f64().unwrap()).collect();
    assert!(targets.iter().all(|weight| (0.0..=0.1).contains(weight)), "{targets:?}");
    let parts: f64 = lines.iter().map(|line| line["risk"].as_f64().unwrap()).sum();
    assert!((parts - 1.0).abs() < 1e-9, "all parts make the whole");
    assert!(found["allocation"]["volatility"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_command_refuses_in_words() {
    let home = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["allocate", "--invested", "1", "--position", "0.01"][..], "100 % of equity cannot be invested"),
        (&["allocate", "--invested", "0.5", "--turnover", "0.1"], "the shortest way takes 50 %"),
        (&["allocate", "--returns", "record"], "without a run there is no record of signals"),
        (&["allocate", "--position", "1.5"], "--position 1.5 is not a share of equity from 0 to 1"),
        (&["allocate", "--position", "0"], "the cap of a position must be above 0"),
        (&["allocate", "--last", "20"], "20 daily returns that all instruments share are too few"),
        (&["--tape", "eurusd-2017", "allocate"], "at least two instruments"),
    ] {
        let (code, _, trouble) = said(args, home.path());
        assert_eq!(code, Some(1), "{args:?}: {trouble}");
        assert!(trouble.contains(words), "{args:?}: {trouble}");
    }
    assert!(!home.path().join("ledger.db").exists(), "nothing was begun");
}
