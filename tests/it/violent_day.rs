//! The violent day: Bitcoin on 17 December 2017 by the minute, through the desk, the feed and the whole engine with the shipped breakers,
//! while providers die under it.
//!
//! The minutes are those of the shared folder; without it these tests say so and end.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::domain::{
    AlertTopic, Currency, FeedNote, MarketTime, Money, OrderKind, OrderSide, Protection, RunId, TimeInForce, WallTime,
};
use pmax::engine::{Command, Input, InputBody, Seen, ServedWhat, Setup, SnapshotRequest, Ticket};
use pmax::market::providers::{Capability, ProviderId, ProviderTable, Served};
use pmax::risk::Acknowledged;
use pmax::runtime::{self, Feed, Frame, HeardFrom, Home, KillLatch, Palette, RunTerms, Session, Speed, Voices, Wiring, wall_now};
use pmax::store::{Body, LedgerFile};

use crate::feed_world::{BITCOIN, MINUTE, Mood, SECOND, SplitMix, TABLE, Truth, Watched, World};
use crate::providers_session::nothing_published;
use crate::stage::Stage;
use crate::support::market_server::{Mood as Temper, Server, http, say, stream};
use crate::support::{deadline, shared};
use crate::world;

const DAY: &str = "2017-12-17T00:00:00Z";

fn at(text: &str) -> i64 {
    MarketTime::parse(text).unwrap().0
}

/// The day by the minute, or nothing where the shared folder is not there.
fn day() -> Option<Truth> {
    let file = shared()?.join("data/from-repos/lean-crypto-coinbase/btcusd_1m_2017_2018.csv");
    let Ok(text) = fs::read_to_string(&file) else {
        eprintln!("skipped: there is no {}", file.display());
        return None;
    };
    let micro = |text: &str| (text.parse::<f64>().unwrap() * 100.0).round() as i64 * 10_000;
    let mut minutes = vec![None; 24 * 60];
    for line in text.lines().filter(|line| line.starts_with("2017-12-17T")) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = usize::try_from((at(cells[0]) - at(DAY)) / MINUTE).unwrap();
        minutes[number] = Some([micro(cells[1]), micro(cells[2]), micro(cells[3]), micro(cells[4])]);
    }
    assert_eq!(minutes.iter().flatten().count(), 1_440, "the day has all its minutes");
    Some(Truth { start: at(DAY), minutes })
}

/// Two exchanges of nearly one price, and a third provider that is polled.
fn venues(truth: &Truth, begin: i64, seed: u64) -> World {
    let watched = vec![Watched { instrument: BITCOIN, truth: truth.clone() }];
    let mut world = World::new("", watched, begin, seed);
    world.basis.insert(ProviderId::Coinbase, 100_400);
    world.basis.insert(ProviderId::Yahoo, 99_800);
    world.with_engine()
}

/// Arms paper trading and buys a tenth of a coin, so that there is something for breakers to guard.
fn hold_something(world: &mut World) {
    let engine = world.engine.as_mut().unwrap();
    engine.command(Command::ArmPaper);
    let ticket = Ticket {
        instrument: BITCOIN,
        side: OrderSide::Buy,
        quantity: "0.1".parse().unwrap(),
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection { stop_loss: Some("9000".parse().unwrap()), take_profit: None },
    };
    let seen = Seen { price: None, quantity: ticket.quantity };
    engine.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
}

/// The first change of whose prices count since then, with how long it took.
fn handed_over(world: &World, since: i64) -> Option<(f64, ProviderId, String)> {
    let quotes = |served: &&(i64, Served)| served.0 >= since && served.1.capability == Capability::Quotes;
    let (when, served) = world.served.iter().find(quotes)?;
    Some(((when - since) as f64 / 1e9, served.to, served.why.clone()))
}

/// Lives on until the first exchange is heard again after this connection; how long that took.
fn resync(world: &mut World, opened: i64) -> f64 {
    let until = world.now + 10 * SECOND;
    while world.now < until {
        let view = world.desk.view(WallTime(world.now));
        let before = &view.served[0].quotes_before;
        let is_heard = before.iter().all(|(id, why)| *id != ProviderId::Kraken || why.contains("watched for another"));
        if is_heard {
            return (world.now - opened) as f64 / 1e9;
        }
        world.run_until(world.now + world.step);
    }
    panic!("it was never heard again")
}

#[test]
fn the_day_with_the_primary_killed_in_its_midst_is_told_whole_and_trips_nothing_that_it_would_not_have_tripped() {
    let Some(truth) = day() else { return };
    let begin = at("2017-12-17T09:00:00Z");
    let (killed, back, end) = (at("2017-12-17T14:37:21Z"), at("2017-12-17T15:21:40Z"), at("2017-12-18T00:00:00Z"));
    let live = |kill: bool| {
        let mut world = venues(&truth, begin, 17);
        world.step = SECOND;
        world.run(90);
        hold_something(&mut world);
        world.run_until(killed);
        assert_eq!(world.serving(BITCOIN), Some(ProviderId::Kraken));
        if kill {
            world.step = SECOND / 5;
            world.moods.insert(ProviderId::Kraken, Mood::Down);
            world.run(10);
            let (took, to, why) = handed_over(&world, killed).expect("another takes over");
            assert!(took <= 5.0 && to == ProviderId::Coinbase, "{took} s, {to}");
            assert!(why.contains("Kraken: no connection"), "{why}");
            world.step = SECOND;
            world.run_until(back);
            world.step = SECOND / 5;
            world.moods.insert(ProviderId::Kraken, Mood::Up);
            let connections = world.opened.len();
            while world.opened.len() == connections {
                world.run_until(world.now + world.step);
            }
            let opened = world.now;
            assert!(opened - back <= 31 * SECOND, "it is knocked at every half minute at least");
            let took = resync(&mut world, opened);
            assert!(took <= 2.0, "{took} s");
            assert_eq!(world.serving(BITCOIN), Some(ProviderId::Coinbase), "one that is back is watched for a minute first");
            world.run_until(opened + 75 * SECOND);
            assert_eq!(world.serving(BITCOIN), Some(ProviderId::Kraken));
            world.step = SECOND;
        }
        world.run_until(end);
        world
    };
    let (calm, violent) = (live(false), live(true));
    for (world, what) in [(&calm, "undisturbed"), (&violent, "killed")] {
        world.check_bars(BITCOIN, end, 1, what);
        assert_eq!(world.engine.as_ref().unwrap().engine().book().ledger().positions().len(), 1, "{what}: something is held");
        // Bars are polled: each is there within one refresh of its end.
        let slowest =
            world.bars.iter().filter(|(bar, ..)| bar.close_at.0 > begin).map(|(bar, _, told)| told - bar.close_at.0).max();
        assert!(slowest.unwrap() <= 60 * SECOND, "{what}: a bar was told {:?} s late", slowest.map(|late| late / SECOND));
    }
    let mut whose: Vec<ProviderId> = violent.bars.iter().filter_map(|(_, by, _)| *by).collect();
    whose.dedup();
    assert_eq!(whose, [ProviderId::Kraken, ProviderId::Coinbase, ProviderId::Kraken], "bars change hands twice");
    assert_eq!(violent.trips, calm.trips, "what trips is what the day itself trips, at the same minutes");
    assert!(violent.missed.is_empty());
    let engine = violent.engine.as_ref().unwrap().engine();
    let snapshot = engine.snapshot(&SnapshotRequest::default());
    let said = |words: &str| snapshot.alerts.iter().any(|alert| alert.topic == AlertTopic::Market && alert.text.contains(words));
    assert!(said("prices come from Coinbase instead of Kraken") && said("bars come from Coinbase instead of Kraken"));
    assert!(said("Kraken serves again"));
}

#[test]
fn who_serves_is_on_the_screen_in_the_midst_of_it() {
    let Some(truth) = day() else { return };
    let mut world = venues(&truth, at("2017-12-17T14:00:00Z"), 3);
    world.run(200);
    world.moods.insert(ProviderId::Kraken, Mood::HalfOpen);
    world.run(150);
    let feed = world.desk.view(WallTime(world.now));
    let mut stage = Stage::new(world.engine.take().unwrap(), (160, 45), Palette::GreenRed);
    stage.feed = Some(feed);
    let alerts = &stage.world.engine().snapshot(&SnapshotRequest::default()).alerts;
    assert!(alerts.iter().any(|alert| alert.text.contains("prices come from Coinbase instead of Kraken")));
    let text = stage.text();
    let row = text.lines().find(|line| line.starts_with("│▸BTCUSD")).unwrap();
    assert!(row.contains("Coinbase"), "{text}");
    assert!(text.contains("BTCUSD: prices come"), "{text}");
}

/// What is done to providers in one variant.
fn harm(world: &mut World, kind: u64, killed: i64) {
    world.run_until(killed);
    let (kraken, coinbase, yahoo) = (ProviderId::Kraken, ProviderId::Coinbase, ProviderId::Yahoo);
    let everybody = [kraken, coinbase, yahoo];
    match kind {
        0 => {
            world.moods.insert(kraken, Mood::Down);
        }
        1 => {
            world.moods.insert(kraken, Mood::HalfOpen);
        }
        2 => everybody.iter().for_each(|id| {
            world.moods.insert(*id, Mood::Down);
        }),
        3 => everybody.iter().for_each(|id| {
            world.moods.insert(*id, Mood::HalfOpen);
        }),
        _ => {
            world.moods.insert(kraken, if kind.is_multiple_of(2) { Mood::Down } else { Mood::HalfOpen });
        }
    }
    world.run(30);
    if !(2..4).contains(&kind) {
        let (took, to, _) = handed_over(world, killed).expect("another takes over");
        assert!(took <= 5.0 && to == coinbase, "kind {kind}: {took} s to {to}");
    }
    let longer = i64::try_from(world.chance.below(60)).unwrap();
    world.run(longer * i64::from(kind != 2 && kind != 3));
    everybody.iter().for_each(|id| {
        world.moods.insert(*id, Mood::Up);
    });
    match kind {
        4 | 5 => {
            world.moods.insert(kraken, Mood::Frozen(killed - 20 * MINUTE));
        }
        6 => {
            world.moods.insert(kraken, Mood::Shifted(1_080));
        }
        7 => {
            world.moods.insert(kraken, Mood::Shifted(100_000));
        }
        _ => {}
    }
    world.run(150);
    world.moods.insert(kraken, Mood::Up);
    world.run(20 * 60);
}

fn variants(seeds: std::ops::Range<u64>) {
    let Some(truth) = day() else { return };
    for seed in seeds {
        let mut chance = SplitMix(seed);
        let begin = at(DAY) + (400 + i64::try_from(chance.below(900)).unwrap()) * MINUTE;
        let killed = begin + 3 * MINUTE + i64::try_from(chance.below(120)).unwrap() * SECOND / 2;
        let kind = seed % 8;
        let mut harmed = venues(&truth, begin, seed);
        harm(&mut harmed, kind, killed);
        let what = format!("seed {seed}, kind {kind}, killed at {}", MarketTime(killed));
        let end = harmed.now;
        harmed.check_bars(BITCOIN, end, 2, &what);
        assert!(harmed.missed.is_empty(), "{what}: {:?}", harmed.missed);
        assert!(end - harmed.priced < 5 * SECOND, "{what}: no prices at the end");
        let mut calm = venues(&truth, begin, seed);
        calm.step = SECOND;
        calm.run_until(end);
        assert_eq!(harmed.trips, calm.trips, "{what}: what trips is what the day itself trips");
        if kind == 7 {
            let is_unit = |(_, note): &(i64, FeedNote)| matches!(note, FeedNote::Flawed { .. });
            let met = harmed.desk.view(WallTime(end)).served[0].met.clone();
            assert!(!met.is_empty() || harmed.noted.iter().any(is_unit), "{what}: a hundredfold price is counted");
        }
    }
}

#[test]
fn killed_at_any_minute_and_in_any_way_the_day_is_told_whole_one() {
    variants(0..20);
}

#[test]
fn killed_at_any_minute_and_in_any_way_the_day_is_told_whole_two() {
    variants(20..40);
}

#[test]
fn with_both_exchanges_gone_the_polled_one_serves_within_one_refresh() {
    let Some(truth) = day() else { return };
    let mut world = venues(&truth, at("2017-12-17T11:00:00Z"), 5);
    world.run(120);
    for id in [ProviderId::Kraken, ProviderId::Coinbase] {
        world.moods.insert(id, Mood::Down);
    }
    let killed = world.now;
    world.run(66);
    let (took, to, _) = handed_over(&world, killed).expect("another takes over");
    assert!(took <= 60.0 && to == ProviderId::Yahoo, "{took} s to {to}");
    world.run(20 * 60);
    world.check_bars(BITCOIN, world.now, 2, "polled");
}

/// A quiet walk, so that whatever is no part of it stands out.
fn quiet(minutes: usize) -> Truth {
    Truth::walk(&mut SplitMix(8), at("2026-11-25T00:00:00Z"), minutes, 90_000_000_000, 0)
}

#[test]
fn a_step_between_two_sources_trips_no_breaker_and_the_same_step_within_one_does() {
    let begin = at("2026-11-25T10:00:00Z");
    let live = |jump: Option<usize>, basis: i64| {
        let mut truth = quiet(700);
        for minute in truth.minutes.iter_mut().skip(jump.unwrap_or(usize::MAX)).flatten() {
            *minute = minute.map(|price| World::scaled(price, 110_000));
        }
        let mut world = World::new("", vec![Watched { instrument: BITCOIN, truth }], begin, 1).with_engine();
        world.basis.insert(ProviderId::Coinbase, basis);
        world.step = SECOND;
        world.run(4 * 60);
        if jump.is_none() {
            world.moods.insert(ProviderId::Kraken, Mood::Down);
        }
        world.run(20 * 60);
        assert_eq!(world.serving(BITCOIN), Some(if jump.is_some() { ProviderId::Kraken } else { ProviderId::Coinbase }));
        world
    };
    // As far apart as two sources may be and still follow one another, and forty times what a minute moves here.
    let spliced = live(None, 101_500);
    assert_eq!(spliced.trips, Default::default(), "another provider's prices are no move of the market");
    assert!(spliced.bars.iter().any(|(_, by, _)| *by == Some(ProviderId::Coinbase)));
    let alerts = spliced.engine.as_ref().unwrap().engine().snapshot(&SnapshotRequest::default()).alerts;
    assert!(alerts.iter().all(|alert| !alert.text.contains("usual moves")), "{alerts:?}");
    let jumped = live(Some(606), 100_000);
    assert!(jumped.trips.contains_key("volatility spike"), "ten percent within one provider are a move: {:?}", jumped.trips);
}

/// The two exchanges on this machine, over real sockets and in real time, with the day's prices as if it were now.
struct Sockets {
    _servers: [Server; 3],
    table: ProviderTable,
    moods: [Arc<Mutex<Temper>>; 2],
}

fn sockets(day: Truth) -> Sockets {
    // The minute under way is the wildest hour's; ninety minutes of it have passed.
    let start = wall_now().0 / MINUTE * MINUTE - 90 * MINUTE;
    let truth = Arc::new(Truth { start, minutes: day.minutes[13 * 60..].to_vec() });
    let micro = |micro: i64| format!("{}.{:02}", micro / 1_000_000, micro % 1_000_000 / 10_000);
    let rows = Arc::clone(&truth);
    let bars = http(move |path| {
        let now = wall_now().0;
        let minutes = (0..=90).map(|minute| start + minute * MINUTE).chain([now / MINUTE * MINUTE]);
        let told = minutes.filter_map(|at| Some((at / SECOND, rows.bar(at, now)?.map(micro))));
        if path.starts_with("/products/") {
            let mut each: Vec<String> = told.map(|(at, [o, h, l, c])| format!("[{at},{l},{h},{o},{c},1.5]")).collect();
            each.dedup();
            each.reverse();
            return say(200, format!("[{}]", each.join(",")));
        }
        let mut each: Vec<String> =
            told.map(|(at, [o, h, l, c])| format!(r#"[{at},"{o}","{h}","{l}","{c}","0","1.5",3]"#)).collect();
        each.dedup();
        say(200, format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1}}}}"#, each.join(",")))
    });
    let moods: [Arc<Mutex<Temper>>; 2] = Default::default();
    let prices = Arc::clone(&truth);
    let kraken = stream(
        &moods[0],
        None,
        |_| {
            vec![
                r#"{"method":"subscribe","req_id":0,"result":{"channel":"ticker","symbol":"BTC/USD"},"success":true}"#.to_owned(),
            ]
        },
        move || {
            let price = micro(prices.price(wall_now().0));
            format!(
                r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{price},"ask":{price},"last":{price}}}]}}"#
            )
        },
    );
    let prices = truth;
    let coinbase = stream(
        &moods[1],
        None,
        |_| vec![r#"{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}"#.to_owned()],
        move || {
            let (now, price) = (wall_now(), micro(World::scaled(prices.price(wall_now().0), 100_300)));
            format!(
                r#"{{"type":"ticker","product_id":"BTC-USD","price":"{price}","best_bid":"{price}","best_ask":"{price}","time":"{now}"}}"#
            )
        },
    );
    let own = format!(
        "watch = [\"BTCUSD\"]\n[provider.kraken]\nhttp = \"http://127.0.0.1:{0}\"\nstream = \"ws://127.0.0.1:{1}\"\n\
         [provider.coinbase]\nhttp = \"http://127.0.0.1:{0}\"\nstream = \"ws://127.0.0.1:{2}\"\n\
         [order]\nquotes = [\"kraken\", \"coinbase\"]\nbars = [\"kraken\", \"coinbase\"]\n",
        bars.port, kraken.port, coinbase.port
    );
    Sockets { table: ProviderTable::read(TABLE, Some(&own)).unwrap(), _servers: [bars, kraken, coinbase], moods }
}

fn until<T>(session: &Session, what: &str, look: impl Fn(&Frame) -> Option<T>) -> T {
    let end = Instant::now() + deadline();
    loop {
        let frame = Arc::clone(&session.frames.borrow());
        if let Some(found) = look(&frame) {
            return found;
        }
        assert!(Instant::now() < end, "never came: {what}; feed: {:?}", frame.feed);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn over_real_sockets_the_primary_is_killed_and_comes_back_and_the_journal_tells_of_it() {
    let Some(day) = day() else { return };
    let (folder, sockets) = (tempfile::tempdir().unwrap(), sockets(day));
    let home = Home::find(Some(folder.path())).unwrap();
    let (_, setup) = world::setup("btc-2021");
    let setup = Setup { series: runtime::provider_series(&sockets.table, &setup.instruments), ..setup };
    let name = runtime::LIVE_MARKETS.to_owned();
    let feed = Feed::Live { from: HeardFrom::Providers, name, home: &home, now: wall_now(), older: Vec::new() };
    let terms = RunTerms { seed: 1, capital: Money::whole(100_000, Currency::USD).unwrap(), fresh: false, start: None };
    let mut opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &feed, &setup, &terms).unwrap();
    let nothing = nothing_published(folder.path());
    runtime::connect_providers(&mut opened, sockets.table.clone(), &setup.instruments, &home, nothing).unwrap();
    let latch = KillLatch::new(home.kill_file());
    let session =
        Session::start(opened, Wiring { voices: Voices::default(), broker: None, latch, speed: Speed::Times(1) }).unwrap();
    let serving = |frame: &Frame| frame.feed.as_ref()?.served.first()?.quotes.map(|(by, _)| by);
    until(&session, "prices of Kraken upon history", |frame| {
        let has_history = frame.snapshot.quotes.first().is_some_and(|row| row.bars.len() >= 80);
        (has_history && serving(frame) == Some(ProviderId::Kraken)).then_some(())
    });
    sockets.moods[0].lock().unwrap().is_down = true;
    let killed = Instant::now();
    until(&session, "prices of Coinbase", |frame| (serving(frame) == Some(ProviderId::Coinbase)).then_some(()));
    let failover = killed.elapsed();
    until(&session, "the change on the screen", |frame| {
        let alerts = &frame.snapshot.alerts;
        alerts.iter().any(|alert| alert.text.contains("prices come from Coinbase instead of Kraken")).then_some(())
    });
    let connections = sockets.moods[0].lock().unwrap().connections;
    sockets.moods[0].lock().unwrap().is_down = false;
    until(&session, "another connection", |_| (sockets.moods[0].lock().unwrap().connections > connections).then_some(()));
    let connected = Instant::now();
    until(&session, "Kraken to be heard again", |frame| {
        let before = &frame.feed.as_ref()?.served.first()?.quotes_before;
        before.iter().any(|(id, why)| *id == ProviderId::Kraken && why.contains("watched for another")).then_some(())
    });
    let resync = connected.elapsed();
    let frame = Arc::clone(&session.frames.borrow());
    assert!(frame.snapshot.breakers.is_empty(), "no breaker tripped: {:?}", frame.snapshot.breakers);
    assert!(session.finish(Duration::from_secs(8)));
    eprintln!("failover {failover:?}, resync {resync:?}");
    // Half a second more than in virtual time: the view is made twice a second, and this machine may be busy.
    assert!(failover < Duration::from_millis(5_500) && resync < Duration::from_millis(2_500), "{failover:?}, {resync:?}");
    let file = LedgerFile::open_to_read(&folder.path().join("ledger.db")).unwrap();
    let mut changes = Vec::new();
    file.read_run(RunId(1), |stored| {
        if let Body::Input(Input { body: InputBody::Served { what, from, to, .. }, .. }) = &stored.entry.body {
            changes.push((*what, from.clone(), to.clone()));
        }
        Ok(())
    })
    .unwrap();
    assert!(changes.contains(&(ServedWhat::Quotes, "Kraken".to_owned(), "Coinbase".to_owned())), "{changes:?}");
}
