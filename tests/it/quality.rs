//! The quality of live data: what is unsound is not used, is counted with its reason, lowers the score of its instrument alone, is said to a
//! person, and below the limit keeps trading of it shut.

use pmax::domain::{Calendar, FeedNote, Flaw, InstrumentId, MarketTime, PauseOf, SplitRatio, WallTime};
use pmax::engine::{QuoteRow, Snapshot, SnapshotRequest};
use pmax::market::providers::{Input, ProviderId};
use pmax::runtime;

use crate::feed_world::{BITCOIN, MINUTE, Mood, SECOND, SplitMix, Truth, Watched, World};

const AAPL: InstrumentId = InstrumentId(10);
const NVDA: InstrumentId = InstrumentId(2);
const AMZN: InstrumentId = InstrumentId(3);

fn at(text: &str) -> i64 {
    MarketTime::parse(text).unwrap().0
}

fn snapshot(world: &World) -> Snapshot {
    world.engine.as_ref().unwrap().engine().snapshot(&SnapshotRequest::default())
}

fn row(world: &World, id: InstrumentId) -> QuoteRow {
    snapshot(world).quotes.into_iter().find(|row| row.instrument == id).unwrap()
}

fn has_alert(world: &World, words: &[&str]) -> bool {
    snapshot(world).alerts.iter().any(|alert| words.iter().all(|word| alert.text.contains(word)))
}

/// Bitcoin, and three shares in the middle of their session.
fn world(shares: &[InstrumentId]) -> World {
    let start = at("2026-11-24T13:00:00Z");
    let mut chance = SplitMix(21);
    let bitcoin = Truth::walk(&mut chance, start, 8 * 60, 90_000_000_000, 0);
    let mut watched = vec![Watched { instrument: BITCOIN, truth: bitcoin }];
    for id in shares {
        let truth = Truth::walk(&mut chance, start, 8 * 60, 200_000_000, 0);
        watched.push(Watched { instrument: *id, truth });
    }
    let mut world =
        World::new("watch = [\"BTCUSD\", \"AAPL\", \"NVDA\", \"AMZN\"]\n", watched, at("2026-11-24T16:00:00Z"), 2).with_engine();
    world.step = SECOND;
    world
}

/// Kraken says such a frame every third second for so many minutes, and sound ones all the while.
fn says(world: &mut World, minutes: i64, frame: &str) {
    for _ in 0..minutes * 20 {
        world.handle(Input::Text(ProviderId::Kraken, frame));
        world.run(3);
    }
}

#[test]
fn crossed_quotes_lower_the_score_of_their_instrument_alone_and_below_the_limit_nothing_opens() {
    let mut world = world(&[AAPL]);
    world.run(130);
    assert_eq!(row(&world, BITCOIN).quality.map(|quality| quality.to_f64()), Some(1.0));
    let crossed = r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":90001,"ask":90000,"last":90000}]}"#;
    says(&mut world, 2, crossed);
    let (bitcoin, share) = (row(&world, BITCOIN), row(&world, AAPL));
    let quality = bitcoin.quality.unwrap().to_f64();
    // A crossed one beside three sound ones, in two or three minutes of sixty.
    assert!((0.985..0.997).contains(&quality) && !bitcoin.is_poor, "{quality}");
    assert_eq!(share.quality.map(|quality| quality.to_f64()), Some(1.0));
    assert!(world.trips.is_empty());
    assert!(world.bars.iter().all(|(bar, ..)| bar.instrument != BITCOIN || bar.close.to_f64() < 120_000.0));
    says(&mut world, 16, crossed);
    let poor = row(&world, BITCOIN);
    assert!(poor.is_poor && !row(&world, AAPL).is_poor, "{:?}", poor.quality);
    assert!(world.trips.contains_key("data quality"), "{:?}", world.trips);
    assert!(has_alert(&world, &["data quality", "BTCUSD"]), "nobody holds it, and a person is told all the same");
    let subjects: Vec<String> = snapshot(&world).breakers.iter().map(|row| row.about.clone()).collect();
    assert_eq!(subjects, [" of BTCUSD"], "and only that one is held");
    let activity = snapshot(&world).activity;
    assert!(
        activity.iter().any(|line| line.text.contains("crossed") && line.text.contains("Kraken")),
        "the reason is written down"
    );
    let met = world.desk.view(WallTime(world.now)).served[0].met.clone();
    assert!(met.iter().any(|met| met.flaw == Flaw::Crossed && met.by == ProviderId::Kraken && met.count > 300), "{met:?}");
}

#[test]
fn what_another_than_whoever_serves_says_is_counted_and_costs_nothing() {
    let mut world = world(&[]);
    world.run(130);
    let wild = r#"{"type":"ticker","product_id":"BTC-USD","price":"9000000","best_bid":"9000000","best_ask":"9000001"}"#;
    for _ in 0..200 {
        world.handle(Input::Text(ProviderId::Coinbase, wild));
        world.run(1);
    }
    assert_eq!(world.serving(BITCOIN), Some(ProviderId::Kraken));
    assert_eq!(row(&world, BITCOIN).quality.map(|quality| quality.to_f64()), Some(1.0));
    let met = world.desk.view(WallTime(world.now)).served[0].met.clone();
    assert!(met.iter().any(|met| met.flaw == Flaw::UnitJump && met.by == ProviderId::Coinbase), "{met:?}");
}

#[test]
fn each_way_of_being_unsound_is_told_apart_and_a_hundredfold_costs_its_whole_minute() {
    for (frame, flaw) in [
        (r#"{"symbol":"BTC/USD","bid":1,"ask":2,"last":null}"#, Flaw::NoPrice),
        (r#"{"symbol":"BTC/USD","bid":1,"ask":2,"last":0}"#, Flaw::NoPrice),
        (r#"{"symbol":"BTC/USD","bid":90001,"ask":90000,"last":90000}"#, Flaw::Crossed),
        (r#"{"symbol":"BTC/USD","last":9000000}"#, Flaw::UnitJump),
        (r#"{"symbol":"BTC/USD","last":400000}"#, Flaw::Outlier),
        (r#"{"symbol":"BTC/USD","last":90000,"timestamp":"2026-11-24T16:30:00Z"}"#, Flaw::Ahead),
        (r#"{"symbol":"BTC/USD","last":90000,"timestamp":"2026-11-24T15:30:00Z"}"#, Flaw::OutOfOrder),
    ] {
        let mut world = world(&[]);
        world.run(100);
        world.handle(Input::Text(ProviderId::Kraken, &format!(r#"{{"channel":"ticker","type":"update","data":[{frame}]}}"#)));
        let prices_before = row(&world, BITCOIN).last;
        let met = world.desk.view(WallTime(world.now)).served[0].met.clone();
        let counted: Vec<(Flaw, u64)> = met.iter().map(|met| (met.flaw, met.count)).collect();
        assert_eq!(counted, [(flaw, 1)], "{frame}");
        world.run(70);
        assert!(row(&world, BITCOIN).last.unwrap().to_f64() < 120_000.0 && prices_before.is_some());
        let quality = row(&world, BITCOIN).quality.unwrap().to_f64();
        if flaw.is_grave() {
            assert!((quality - 59.0 / 60.0).abs() < 1e-9, "{frame}: {quality}");
        } else {
            assert!(quality < 1.0 && quality > 0.999, "{frame}: {quality}");
        }
        assert!(world.noted.iter().any(|(_, note)| matches!(note, FeedNote::Flawed { .. })), "{frame}");
    }
}

#[test]
fn prices_in_another_unit_are_held_back_counted_and_go_on_when_they_are_right_again() {
    let mut world = world(&[AAPL]);
    world.run(130);
    let before = world.bars.len();
    world.moods.insert(ProviderId::Yahoo, Mood::Shifted(100_000));
    world.run(8 * 60);
    let share = world.bars.iter().skip(before).filter(|(bar, ..)| bar.instrument == AAPL).count();
    assert_eq!(share, 0, "nothing a hundredfold is told");
    let view = world.desk.view(WallTime(world.now));
    let met = &view.served.iter().find(|one| one.instrument == AAPL).unwrap().met;
    assert!(met.iter().any(|met| met.flaw == Flaw::UnitJump), "{met:?}");
    assert!(row(&world, AAPL).quality.unwrap().to_f64() < 1.0);
    assert!(world.noted.iter().all(|(_, note)| !matches!(note, FeedNote::Split { .. })), "a hundredfold is no split");
    world.moods.insert(ProviderId::Yahoo, Mood::Up);
    world.run(25 * 60);
    world.check_bars(AAPL, world.now, 2, "in the right unit again");
    assert!(!world.trips.contains_key("volatility spike"), "{:?}", world.trips);
}

#[test]
fn a_split_within_a_run_is_named_with_what_to_do_and_moves_nothing() {
    let mut world = world(&[AAPL, NVDA]);
    world.run(130);
    let before = world.bars.iter().filter(|(bar, ..)| bar.instrument == AAPL).count();
    // From here on every price of before and after is a quarter of what it was.
    let truth = world.truths.get_mut(&AAPL).unwrap();
    truth.minutes.iter_mut().flatten().for_each(|minute| *minute = minute.map(|price| World::scaled(price, 25_000)));
    world.run(12 * 60);
    let after = world.bars.iter().filter(|(bar, ..)| bar.instrument == AAPL).count();
    assert_eq!(after, before, "prices across a split do not compare, and none is told");
    let splits: Vec<&FeedNote> =
        world.noted.iter().map(|(_, note)| note).filter(|note| matches!(note, FeedNote::Split { .. })).collect();
    let ratio = SplitRatio { new: 4, old: 1 };
    assert_eq!(splits, [&FeedNote::Split { instrument: AAPL, from: "Yahoo".to_owned(), ratio }], "named once");
    assert!(has_alert(&world, &["AAPL: a split of 4 for 1", "held back", "`--new`"]));
    assert!(world.trips.keys().all(|trip| trip == "data quality"), "no market fell: {:?}", world.trips);
    let bars = world.bars.iter().filter(|(bar, ..)| bar.instrument == NVDA).count();
    assert!(bars > before, "others go on");
}

#[test]
fn one_share_that_stands_still_is_told_from_one_nobody_hears_of_and_from_a_market_that_stands_still() {
    let mut world = world(&[AAPL, NVDA, AMZN]);
    let minute = |text: &str| usize::try_from((at(text) - at("2026-11-24T13:00:00Z")) / MINUTE).unwrap();
    let halt = |world: &mut World, ids: &[InstrumentId], from: &str, until: &str| {
        for id in ids {
            world.truths.get_mut(id).unwrap().minutes[minute(from)..minute(until)].fill(None);
        }
    };
    halt(&mut world, &[AAPL], "2026-11-24T16:10:00Z", "2026-11-24T16:22:00Z");
    halt(&mut world, &[AAPL, NVDA, AMZN], "2026-11-24T17:00:00Z", "2026-11-24T17:15:00Z");
    let paused = |world: &World, id| {
        let view = world.desk.view(WallTime(world.now));
        view.served.into_iter().find(|one| one.instrument == id).unwrap().paused
    };
    world.run_until(at("2026-11-24T16:14:00Z"));
    assert_eq!(paused(&world, AAPL), None, "not yet");
    world.run_until(at("2026-11-24T16:18:00Z"));
    let pause = paused(&world, AAPL).expect("it stands still");
    assert_eq!((pause.since, pause.of), (MarketTime(at("2026-11-24T16:10:00Z")), PauseOf::Instruments));
    assert_eq!((paused(&world, NVDA), paused(&world, BITCOIN)), (None, None));
    assert!(has_alert(&world, &["AAPL: no trades since 11:10 New York"]));
    world.run_until(at("2026-11-24T16:26:00Z"));
    assert_eq!(paused(&world, AAPL), None);
    assert!(has_alert(&world, &["AAPL: traded again"]));
    world.run_until(at("2026-11-24T17:09:00Z"));
    let all = [AAPL, NVDA, AMZN].map(|id| paused(&world, id).map(|pause| pause.of));
    assert_eq!(all, [Some(PauseOf::Market); 3]);
    assert!(has_alert(&world, &["nothing trades since 12:00 New York"]));
    assert_eq!(paused(&world, BITCOIN), None, "its market is another");
    world.run_until(at("2026-11-24T17:20:00Z"));
    assert_eq!([AAPL, NVDA, AMZN].map(|id| paused(&world, id)), [None; 3]);
    let calendars = [AAPL, BITCOIN].map(|id| runtime::instruments().unwrap().get(id).unwrap().calendar);
    assert_eq!(calendars, [Calendar::UsEquity, Calendar::Crypto247]);
    assert!(world.missed.is_empty(), "a pause is no hole");
}
