//! The whole workstation without its screen on live markets of providers on this machine: it lives, hands over, restarts and replays.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::domain::{Actor, Currency, InstrumentId, Mode, Money, OrderKind, OrderSide, Protection, RunId, TimeInForce};
use pmax::engine::{Command, Seen, Setup, Ticket};
use pmax::market::bulletins::BulletinTable;
use pmax::market::providers::ProviderTable;
use pmax::orders::OrderState;
use pmax::risk::Acknowledged;
use pmax::runtime::{
    self, Feed, Frame, HeardFrom, Home, KillLatch, Market, Request, RunTerms, Session, Speed, Trouble, Voices, Wiring, wall_now,
};
use pmax::store::{LedgerFile, SegmentReader};

use crate::support::market_server::{Mood, Server, http, say, stream};
use crate::support::pty::Launch;
use crate::support::{deadline, run};
use crate::terminal::{home, open_as, quit};
use crate::world;

const TABLE: &str = include_str!("../../config/providers.toml");
const BITCOIN: InstrumentId = InstrumentId(5);

/// Kraken and Coinbase on this machine, of one price.
pub struct Venues {
    bars: Server,
    kraken: Server,
    coinbase: Server,
    moods: [Arc<Mutex<Mood>>; 2],
}

pub fn venues() -> Venues {
    let moods: [Arc<Mutex<Mood>>; 2] = Default::default();
    let bars = http(|path| {
        let minute = wall_now().0 / 60_000_000_000 * 60;
        let minutes = (0..90).rev().map(|back| minute - back * 60);
        if path.starts_with("/products/") {
            let rows: Vec<String> = minutes.rev().map(|at| format!("[{at},90990,91010,91000,91005,1.5]")).collect();
            return say(200, format!("[{}]", rows.join(",")));
        }
        let rows: Vec<String> = minutes.map(|at| format!(r#"[{at},"91000","91010","90990","91005","0","1.5",3]"#)).collect();
        say(200, format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1}}}}"#, rows.join(",")))
    });
    let kraken = stream(
        &moods[0],
        None,
        |_| {
            vec![
                r#"{"method":"subscribe","req_id":0,"result":{"channel":"ticker","symbol":"BTC/USD"},"success":true}"#.to_owned(),
            ]
        },
        || {
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":91004,"ask":91006,"last":91005}]}"#
                .to_owned()
        },
    );
    let coinbase = stream(
        &moods[1],
        None,
        |_| vec![r#"{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}"#.to_owned()],
        || {
            format!(
                r#"{{"type":"ticker","product_id":"BTC-USD","price":"91007","best_bid":"91006","best_ask":"91008","time":"{}"}}"#,
                wall_now()
            )
        },
    );
    Venues { bars, kraken, coinbase, moods }
}

/// A table that leads there, and knows one instrument.
fn table(venues: &Venues) -> ProviderTable {
    let mut table = ProviderTable::read(TABLE, Some(&leading_to(venues))).unwrap();
    table.aliases.retain(|symbol, _| symbol == "BTCUSD");
    table
}

pub fn leading_to(venues: &Venues) -> String {
    format!(
        "[provider.kraken]\nhttp = \"http://127.0.0.1:{0}\"\nstream = \"ws://127.0.0.1:{1}\"\n\
         [provider.coinbase]\nhttp = \"http://127.0.0.1:{0}\"\nstream = \"ws://127.0.0.1:{2}\"\n\
         [order]\nquotes = [\"kraken\", \"coinbase\"]\nbars = [\"kraken\", \"coinbase\"]\n",
        venues.bars.port, venues.kraken.port, venues.coinbase.port
    )
}

fn setup(table: &ProviderTable) -> Setup {
    let (_, setup) = world::setup("btc-2021");
    let series = runtime::provider_series(table, &setup.instruments);
    Setup { series, ..setup }
}

/// Nobody is asked for series or news.
pub fn nothing_published(folder: &Path) -> BulletinTable {
    let own = folder.join("bulletins.toml");
    std::fs::write(&own, "asks = false\n").unwrap();
    runtime::load_bulletins(&own).unwrap()
}

pub fn start(folder: &Path, venues: &Venues) -> Session {
    let (home, table) = (Home::find(Some(folder)).unwrap(), table(venues));
    let setup = setup(&table);
    let name = runtime::LIVE_MARKETS.to_owned();
    let feed = Feed::Live { from: HeardFrom::Providers, name, home: &home, now: wall_now(), older: Vec::new() };
    let terms = RunTerms { seed: 1, capital: Money::whole(100_000, Currency::USD).unwrap(), fresh: false, start: None };
    let mut opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &feed, &setup, &terms).unwrap();
    runtime::connect_providers(&mut opened, table, &setup.instruments, &home, nothing_published(folder)).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { voices: Voices::default(), broker: None, latch, speed: Speed::Times(1) }).unwrap()
}

pub fn wait(session: &Session, what: &str, is_there: impl Fn(&Frame) -> bool) -> Arc<Frame> {
    let until = Instant::now() + deadline() * 2;
    loop {
        let frame = Arc::clone(&session.frames.borrow());
        if is_there(&frame) {
            return frame;
        }
        let said: Vec<&str> = frame.snapshot.activity.iter().take(4).map(|line| line.text.as_str()).collect();
        assert!(Instant::now() < until, "never came: {what}; activity: {said:?}; feed: {:?}", frame.feed);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn serving(frame: &Frame) -> Option<&'static str> {
    frame.feed.as_ref()?.served.first()?.quotes.map(|(by, _)| by.name())
}

#[test]
fn a_paper_run_on_live_markets_trades_hands_over_restarts_and_replays() {
    let (folder, venues) = (tempfile::tempdir().unwrap(), venues());
    let session = start(folder.path(), &venues);
    let frame = wait(&session, "fresh prices of Kraken upon history", |frame| {
        let row = frame.snapshot.quotes.first();
        row.is_some_and(|row| !row.is_stale && row.bid.is_some() && row.bars.len() >= 80) && serving(frame) == Some("Kraken")
    });
    assert!(frame.playback.is_live() && frame.link.is_none());
    assert!(session.request(Request::Command(Actor::Person, Command::ArmPaper)));
    wait(&session, "PAPER", |frame| frame.snapshot.mode == Mode::Paper && !frame.snapshot.is_quiet);
    let ticket = Ticket {
        instrument: BITCOIN,
        side: OrderSide::Buy,
        quantity: "0.01".parse().unwrap(),
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection { stop_loss: Some("88000".parse().unwrap()), take_profit: None },
    };
    let seen = Seen { price: None, quantity: ticket.quantity };
    let acknowledged = Acknowledged::Precautions;
    assert!(session.request(Request::Command(Actor::Person, Command::PlaceOrder { ticket, acknowledged, seen })));
    wait(&session, "the order to work", |frame| frame.snapshot.orders.iter().any(|row| matches!(row.state, OrderState::Open(_))));

    venues.moods[0].lock().unwrap().is_silent = true;
    let began = Instant::now();
    wait(&session, "prices of Coinbase", |frame| serving(frame) == Some("Coinbase"));
    // Five seconds on a machine of its own, as the campaign holds it to in virtual time; this one may be busy.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    wait(&session, "the change to be said and written down", |frame| {
        frame.snapshot.alerts.iter().any(|alert| alert.text.contains("prices come from Coinbase instead of Kraken"))
    });
    let frame = wait(&session, "a price of Coinbase", |frame| {
        frame.snapshot.quotes[0].last.is_some_and(|last| last.to_string() == "91007")
    });
    assert!(!frame.snapshot.quotes[0].is_stale);
    let before = wait(&session, "the fill at the next minute's open", |frame| frame.snapshot.positions.len() == 1);
    assert_eq!(before.snapshot.positions[0].instrument, BITCOIN);
    assert!(session.finish(Duration::from_secs(8)));

    let session = start(folder.path(), &venues);
    let frame = wait(&session, "prices after a restart", |frame| {
        frame.snapshot.quotes.first().is_some_and(|row| !row.is_stale) && serving(frame).is_some()
    });
    assert_eq!(frame.snapshot.positions.len(), 1, "a restart is the truth");
    drop(venues);
    wait(&session, "every price to be stale", |frame| frame.snapshot.quotes.iter().all(|row| row.is_stale));
    assert!(session.finish(Duration::from_secs(8)));

    let file = LedgerFile::open_to_read(&folder.path().join("ledger.db")).unwrap();
    let segment = folder.path().join("live/run-1.segment");
    let market = || -> Result<Market, Trouble> { Ok(Box::new(SegmentReader::open(&segment)?)) };
    // What is watched stands in the journal: no table is needed.
    let (_, bare) = world::setup("btc-2021");
    let report = runtime::replay(&file, RunId(1), &market, &Setup { series: Vec::new(), ..bare }).unwrap();
    assert_eq!(report.state, report.recovered);
    let kept = std::fs::read_to_string(folder.path().join("requests.json")).unwrap();
    assert!(kept.contains("kraken") && kept.contains("ohlc"), "{kept}");
}

#[test]
fn a_person_watches_live_prices_on_the_screen() {
    let (home, venues) = (home(), venues());
    std::fs::write(home.path().join("bulletins.toml"), "asks = false\n").unwrap();
    let own = format!("watch = [\"BTCUSD\"]\n{}", leading_to(&venues));
    std::fs::write(home.path().join("providers.toml"), own).unwrap();
    let mut terminal =
        open_as(Launch::new(&["--feed", "live"]).env("PMAX_HOME", home.path().display().to_string()).size(120, 40));
    terminal.wait_text("live: Kraken");
    terminal.wait_text("91,005.00");
    terminal.send("P");
    terminal.wait_text("today's requests");
    terminal.wait_text("Kraken, for");
    quit(&mut terminal);
    let output = run(&["replay", "1"], &[], home.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(home.path().join("providers.toml"), "watch = [\"AAPL\"]\n").unwrap();
    let output = run(&["replay", "1"], &[], home.path());
    assert_eq!(output.status.code(), Some(0), "the journal says what was watched: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_does_not_go_with_live_markets_is_refused_in_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["--feed", "live", "--broker", "xapi", "status"][..], "a demo account brings prices of its own"),
        (&["--feed", "radio"], "write tape or live"),
        (&["--set", "feed.kind=\"radio\"", "status"], "one of tape, live"),
    ] {
        let output = run(args, &[], home.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{args:?}: {said}");
    }
}
