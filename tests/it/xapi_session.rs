//! The whole workstation without its screen against a broker: inside the process, on another host over TLS, and a double that only
//! writes down what it is told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::broker::xapi::{Address, Demo, Secret, Settings as ClientSettings, Tls};
use pmax::broker::{Broker, Standing};
use pmax::domain::{
    Actor, BrokerKind, BrokerRef, BrokerReport, Currency, InstrumentId, MarketEvent, MarketTime, Mode, Money, Order, OrderId,
    OrderKind, OrderSide, PositionId, Price, Protection, Quantity, RunId, TimeInForce, TradingState,
};
use pmax::engine::{Command, KillPhase, Seen, Ticket};
use pmax::exchange::LegIds;
use pmax::market::Player;
use pmax::orders::OrderState;
use pmax::risk::{Acknowledged, Approved};
use pmax::runtime::{
    self, Feed, Frame, HISTORY, HeardFrom, Home, KillLatch, Market, Practice, Request, RunTerms, Session, Speed, TapeControl,
    Trouble, Voices, Wiring, contracts_of, wall_now,
};
use pmax::simulator::{Catalogue, Faults, Identity, Listen, Prices, ServerHandle, Settings, Variants};
use pmax::store::{LedgerFile, SegmentReader};
use rusqlite::Connection;

use crate::support::deadline;
use crate::world;

const EURO: InstrumentId = InstrumentId(6);

fn setup(tape: &str) -> (pmax::market::Tape, pmax::engine::Setup) {
    let (tape, mut setup) = world::setup(tape);
    setup.settings.broker = BrokerKind::Xapi;
    setup.instruments = Arc::new(setup.instruments.at(BrokerKind::Xapi));
    (tape, setup)
}

fn terms() -> RunTerms {
    RunTerms { seed: 1, capital: Money::whole(100_000, Currency::USD).unwrap(), fresh: false, start: None }
}

fn start(folder: &Path, broker: Box<dyn Broker>) -> Session {
    let home = Home::find(Some(folder)).unwrap();
    let (tape, setup) = setup("eurusd-2017");
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &Feed::Tape(&tape), &setup, &terms()).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { voices: Voices::default(), broker: Some(broker), latch, speed: Speed::Times(60) }).unwrap()
}

fn practice() -> Box<dyn Broker> {
    let (_, setup) = setup("eurusd-2017");
    Box::new(Practice::new(&setup.instruments, 1, wall_now).unwrap())
}

fn wait(session: &Session, what: &str, is_there: impl Fn(&Frame) -> bool) -> Arc<Frame> {
    let until = Instant::now() + deadline();
    loop {
        let frame = Arc::clone(&session.frames.borrow());
        if is_there(&frame) {
            return frame;
        }
        let said: Vec<&str> = frame.snapshot.activity.iter().take(4).map(|line| line.text.as_str()).collect();
        assert!(Instant::now() < until, "never came: {what}; activity: {said:?}; link: {:?}", frame.link);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn command(session: &Session, command: Command) {
    assert!(session.request(Request::Command(Actor::Person, command)));
}

fn is_ready(frame: &Frame) -> bool {
    frame.link.as_ref().is_some_and(|link| link.is_ready)
}

/// Past the warm-up, DEMO, the link ready.
fn armed(session: &Session) -> Arc<Frame> {
    wait(session, "the link and the end of the warm-up", |frame| {
        frame.snapshot.consumed > 0 && !frame.snapshot.is_quiet && is_ready(frame)
    });
    command(session, Command::ArmPaper);
    wait(session, "DEMO", |frame| frame.snapshot.mode == Mode::Demo)
}

fn last_of(frame: &Frame, instrument: InstrumentId) -> Option<Price> {
    frame.snapshot.quotes.iter().find(|row| row.instrument == instrument)?.last
}

/// Buys two hundredths of a lot of euro with a stop one percent below.
fn buy(session: &Session, kind: impl Fn(Price) -> OrderKind) {
    let last = last_of(&session.frames.borrow(), EURO).unwrap();
    let tick: Price = "0.00001".parse().unwrap();
    let stop = Price::from_nanos(last.nanos() / 100 * 97).rounded_to(tick);
    let quantity: Quantity = "2000".parse().unwrap();
    let ticket = Ticket {
        instrument: EURO,
        side: OrderSide::Buy,
        quantity,
        kind: kind(last),
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection { stop_loss: Some(stop), take_profit: None },
    };
    command(
        session,
        Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen: Seen { price: None, quantity } },
    );
}

fn booked_equals_the_broker(frame: &Frame) -> bool {
    let account = &frame.snapshot.account;
    let booked = account.starting_capital.plus(account.realised).and_then(|sum| sum.minus(account.costs)).unwrap();
    frame.link.as_ref().and_then(|link| link.money).is_some_and(|money| money.balance == booked)
}

#[test]
fn an_account_inside_the_process_trades_restarts_and_closes_to_the_cent() {
    let folder = tempfile::tempdir().unwrap();
    let session = start(folder.path(), practice());
    armed(&session);
    buy(&session, |_| OrderKind::Market);
    let tick: Price = "0.00001".parse().unwrap();
    buy(&session, |last| OrderKind::Limit(Price::from_nanos(last.nanos() / 100 * 98).rounded_to(tick)));
    let frame = wait(&session, "a position with its stop, and a waiting order", |frame| {
        let working = frame.snapshot.orders.iter().filter(|row| matches!(row.state, OrderState::Open(_))).count();
        frame.snapshot.positions.len() == 1 && working == 2
    });
    assert!(frame.snapshot.positions[0].protection.stop_loss.is_some());
    assert!(session.finish(Duration::from_secs(8)));

    let session = start(folder.path(), practice());
    let frame = armed(&session);
    assert_eq!((frame.snapshot.positions.len(), frame.snapshot.open_orders), (1, 2), "a restart is the truth");
    let (position, waiting) = (
        frame.snapshot.positions[0].id,
        frame.snapshot.orders.iter().find(|row| row.order.request.closes.is_none() && !row.state.is_closed()),
    );
    let waiting = waiting.unwrap().order.id;
    command(&session, Command::ClosePosition { position, quantity: None });
    command(&session, Command::CancelOrder { order: waiting });
    wait(&session, "flat, and equal to the cent", |frame| {
        frame.snapshot.positions.is_empty() && frame.snapshot.open_orders == 0 && booked_equals_the_broker(frame)
    });
    let frame = wait(&session, "a look at everything that agrees", |frame| {
        frame.link.as_ref().is_some_and(|link| link.compared.is_some() && link.strangers.is_empty() && link.mismatched.is_empty())
    });
    assert_eq!(frame.snapshot.state, TradingState::Active);
    assert!(session.finish(Duration::from_secs(8)));

    let file = LedgerFile::open_to_read(&folder.path().join("ledger.db")).unwrap();
    let (tape, setup) = setup("eurusd-2017");
    let market = || -> Result<Market, Trouble> { Ok(Box::new(Player::new(&tape, 1))) };
    let report = runtime::replay(&file, RunId(1), &market, &setup).unwrap();
    assert_eq!(report.state, report.recovered);
}

#[test]
fn the_kill_switch_cancels_at_the_broker_and_flattening_closes_there() {
    let folder = tempfile::tempdir().unwrap();
    let session = start(folder.path(), practice());
    armed(&session);
    buy(&session, |_| OrderKind::Market);
    let tick: Price = "0.00001".parse().unwrap();
    buy(&session, |last| OrderKind::Limit(Price::from_nanos(last.nanos() / 100 * 98).rounded_to(tick)));
    wait(&session, "a position and a waiting order", |frame| {
        frame.snapshot.positions.len() == 1 && frame.snapshot.open_orders == 2
    });
    session.latch.fire("kill switch").unwrap();
    let frame = wait(&session, "the cancel to be confirmed", |frame| {
        frame.snapshot.state == TradingState::Halted && frame.snapshot.kill == KillPhase::Finished
    });
    assert_eq!((frame.snapshot.positions.len(), frame.snapshot.open_orders), (1, 1), "the stop stays with its position");
    command(&session, Command::Flatten);
    wait(&session, "flat, and equal to the cent", |frame| {
        frame.snapshot.positions.is_empty() && frame.snapshot.open_orders == 0 && booked_equals_the_broker(frame)
    });
    session.finish(Duration::from_secs(8));
}

#[test]
fn the_kill_switch_takes_back_what_waits_for_its_turn_on_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let session = start(folder.path(), practice());
    armed(&session);
    let tick: Price = "0.00001".parse().unwrap();
    // The protocol lets four a second through: the last of these would leave three seconds from now.
    const ASKED: i64 = 12;
    for away in 0..ASKED {
        buy(&session, |last| OrderKind::Limit(Price::from_nanos(last.nanos() / 1_000 * (985 - away)).rounded_to(tick)));
    }
    wait(&session, "the first of them at the broker", |frame| {
        frame.snapshot.orders.iter().any(|row| matches!(row.state, OrderState::Open(_)))
    });
    session.latch.fire("kill switch").unwrap();
    let frame = wait(&session, "the end of the kill", |frame| frame.snapshot.kill == KillPhase::Finished);
    let states: Vec<OrderState> = frame.snapshot.orders.iter().map(|row| row.state).collect();
    assert!(states.contains(&OrderState::ExpiredUnsent), "they left after trading was halted: {states:?}");
    assert!(states.iter().all(|state| state.is_closed()), "{states:?}");
    session.finish(Duration::from_secs(8));
}

#[test]
fn an_opening_order_without_a_stop_stays_here() {
    let folder = tempfile::tempdir().unwrap();
    let session = start(folder.path(), practice());
    armed(&session);
    let quantity: Quantity = "2000".parse().unwrap();
    let (kind, time_in_force, protection) = (OrderKind::Market, TimeInForce::GoodTillCancelled, Protection::default());
    let ticket = Ticket { instrument: EURO, side: OrderSide::Buy, quantity, kind, time_in_force, protection };
    command(
        &session,
        Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen: Seen { price: None, quantity } },
    );
    let frame = wait(&session, "the refusal", |frame| !frame.snapshot.alerts.is_empty());
    assert!(frame.snapshot.alerts[0].text.contains("PROTECTION"), "{}", frame.snapshot.alerts[0].text);
    assert!(frame.snapshot.orders.is_empty());
    session.finish(Duration::from_secs(8));
}

fn simulated() -> Settings {
    Settings {
        user: "20001".to_owned(),
        password: "secret".to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 3,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: pmax::simulator::USUAL_SPACING,
    }
}

/// A live run against a server on this machine.
fn live(folder: &Path, port: u16, certificate: &Path, server_name: &str) -> Session {
    let home = Home::find(Some(folder)).unwrap();
    let (_, mut setup) = setup("eurusd-2017");
    setup.series = runtime::live_series(&setup.instruments, "test");
    let settings = ClientSettings::usual("20001".to_owned(), Secret::new("secret"), 1);
    let mut demo = Demo::new(contracts_of(&setup.instruments), settings, wall_now);
    demo.quote_markets(MarketTime(wall_now().0 - HISTORY));
    let tls = Some(Tls::new(Some(certificate)).unwrap());
    demo.connect(Address { host: server_name.to_owned(), port, path: "/demo".to_owned(), tls }, server_name);
    let feed =
        Feed::Live { from: HeardFrom::Broker, name: "live test".to_owned(), home: &home, now: wall_now(), older: Vec::new() };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &feed, &setup, &terms()).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { voices: Voices::default(), broker: Some(Box::new(demo)), latch, speed: Speed::Max }).unwrap()
}

fn certificate(folder: &Path) -> (Identity, PathBuf) {
    let (identity, path) = (Identity::fresh().unwrap(), folder.join("simulator.pem"));
    std::fs::write(&path, identity.certificate()).unwrap();
    (identity, path)
}

#[test]
fn another_host_over_tls_brings_its_own_market_and_its_run_restarts_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, path) = certificate(folder.path());
    let listen = Listen { websocket: Some(0), raw: None, tls: Some(identity) };
    let server = ServerHandle::start(simulated(), Catalogue::shipped().unwrap(), listen, Prices::Drawn(5), wall_now).unwrap();
    let port = server.websocket.unwrap();
    let session = live(folder.path(), port, &path, "127.0.0.1");
    let frame = wait(&session, "fresh quotes of all instruments", |frame| {
        frame.snapshot.quotes.len() >= 8 && frame.snapshot.quotes.iter().all(|row| row.bid.is_some() && !row.is_stale)
    });
    assert!(frame.playback.is_live());
    assert!(session.request(Request::Tape(TapeControl::TogglePause)), "which a live market does not know");
    armed(&session);
    buy(&session, |_| OrderKind::Market);
    let frame = wait(&session, "the fill at the broker's ask", |frame| frame.snapshot.positions.len() == 1);
    assert!(!frame.playback.is_paused);
    assert!(session.finish(Duration::from_secs(8)));

    let session = live(folder.path(), port, &path, "127.0.0.1");
    let frame = armed(&session);
    let position = frame.snapshot.positions[0].id;
    wait(&session, "fresh prices again", |frame| frame.snapshot.quotes.iter().all(|row| !row.is_stale));
    command(&session, Command::ClosePosition { position, quantity: None });
    wait(&session, "flat, and equal to the cent", |frame| frame.snapshot.positions.is_empty() && booked_equals_the_broker(frame));
    drop(server);
    let frame = wait(&session, "the loss of the link", |frame| !is_ready(frame));
    assert!(frame.link.as_ref().unwrap().words.contains("down") || frame.link.as_ref().unwrap().words.contains("connecting"));
    wait(&session, "every price to be stale", |frame| frame.snapshot.quotes.iter().all(|row| row.is_stale));
    assert!(session.finish(Duration::from_secs(8)));

    let file = LedgerFile::open_to_read(&folder.path().join("ledger.db")).unwrap();
    let (_, mut setup) = setup("eurusd-2017");
    setup.series = runtime::live_series(&setup.instruments, "test");
    let segment = folder.path().join("live/run-1.segment");
    let market = || -> Result<Market, Trouble> { Ok(Box::new(SegmentReader::open(&segment)?)) };
    let report = runtime::replay(&file, RunId(1), &market, &setup).unwrap();
    assert_eq!(report.state, report.recovered);
    assert!(report.checkpoints >= 2 && report.market_events > 20, "{report:?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, _) = certificate(folder.path());
    let (_, other) = certificate(tempfile::tempdir().unwrap().keep().as_path());
    let listen = Listen { websocket: Some(0), raw: None, tls: Some(identity) };
    let server = ServerHandle::start(simulated(), Catalogue::shipped().unwrap(), listen, Prices::Drawn(5), wall_now).unwrap();
    let session = live(folder.path(), server.websocket.unwrap(), &other, "127.0.0.1");
    let frame = wait(&session, "the refusal", |frame| frame.link.as_ref().is_some_and(|link| link.words.contains("encrypted")));
    assert_eq!(frame.link.as_ref().unwrap().connections, 0);
    session.finish(Duration::from_secs(8));
}

/// What a broker was told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Submit(OrderId),
    Cancel(OrderId),
    Query,
}

/// A broker that writes down what it is told, accepts every order, and looks whether the order was in the journal by then.
#[derive(Debug)]
struct Recorder {
    ledger: PathBuf,
    told: Arc<Mutex<Vec<Told>>>,
    undurable: Arc<Mutex<Vec<OrderId>>>,
    reports: Vec<BrokerReport>,
    /// Whether it answers at all.
    is_mute: bool,
}

impl Broker for Recorder {
    fn restore(&mut self, _standing: Standing<'_>) {}

    fn submit(&mut self, order: Approved<Order>, _now: MarketTime) {
        let order = order.into_inner().id;
        let stored = Connection::open(&self.ledger).and_then(|ledger| {
            ledger.query_row("SELECT count(*) FROM orders WHERE order_id = ?1", [i64::try_from(order.0).unwrap()], |row| {
                row.get::<_, i64>(0)
            })
        });
        if stored.ok() != Some(1) {
            self.undurable.lock().unwrap().push(order);
        }
        self.told.lock().unwrap().push(Told::Submit(order));
        if !self.is_mute {
            self.reports.push(BrokerReport::Accepted { order, broker_ref: BrokerRef(order.0) });
        }
    }

    fn cancel(&mut self, order: OrderId) {
        self.told.lock().unwrap().push(Told::Cancel(order));
    }

    fn withdraw(&mut self, _order: OrderId) {}

    fn modify(&mut self, _order: OrderId, _quantity: Quantity, _kind: OrderKind, _now: MarketTime) {}

    fn protect(&mut self, _position: PositionId, _protection: Protection, _legs: LegIds, _now: MarketTime) {}

    fn query(&mut self) {
        self.told.lock().unwrap().push(Told::Query);
    }

    fn on_market(&mut self, _event: &MarketEvent) {}

    fn poll(&mut self, out: &mut Vec<BrokerReport>) {
        out.append(&mut self.reports);
    }
}

#[test]
fn every_order_is_on_the_disk_before_any_broker_hears_of_it_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (told, undurable) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let recorder = Recorder {
        ledger: folder.path().join("ledger.db"),
        told: Arc::clone(&told),
        undurable: Arc::clone(&undurable),
        reports: Vec::new(),
        is_mute: false,
    };
    let session = start(folder.path(), Box::new(recorder));
    wait(&session, "the end of the warm-up", |frame| frame.snapshot.consumed > 0 && !frame.snapshot.is_quiet);
    command(&session, Command::ArmPaper);
    let tick: Price = "0.00001".parse().unwrap();
    for away in 1..5 {
        buy(&session, |last| OrderKind::Limit(Price::from_nanos(last.nanos() / 1_000 * (1_000 - away)).rounded_to(tick)));
        let count = usize::try_from(away).unwrap();
        wait(&session, "the order to work", |frame| {
            frame.snapshot.orders.iter().filter(|row| matches!(row.state, OrderState::Open(_))).count() == count
        });
    }
    session.latch.fire("kill switch").unwrap();
    wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    session.finish(Duration::from_secs(8));
    let told = told.lock().unwrap().clone();
    let submitted: Vec<&Told> = told.iter().filter(|told| matches!(told, Told::Submit(_))).collect();
    let cancelled = told.iter().filter(|told| matches!(told, Told::Cancel(_))).count();
    assert_eq!((submitted.len(), cancelled), (4, 4), "{told:?}");
    assert!(submitted.windows(2).all(|pair| pair[0] != pair[1]), "told twice: {told:?}");
    assert_eq!(*undurable.lock().unwrap(), [], "left before they were on the disk");
}

#[test]
fn a_start_with_the_kill_switch_latched_still_asks_what_became_of_an_unknown_order() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let mute = || {
        let (ledger, told) = (folder.path().join("ledger.db"), Arc::clone(&told));
        Box::new(Recorder { ledger, told, undurable: Arc::default(), reports: Vec::new(), is_mute: true })
    };
    let session = start(folder.path(), mute());
    wait(&session, "the end of the warm-up", |frame| frame.snapshot.consumed > 0 && !frame.snapshot.is_quiet);
    command(&session, Command::ArmPaper);
    buy(&session, |_| OrderKind::Market);
    wait(&session, "an order without a reply", |frame| frame.snapshot.orders.iter().any(|row| row.state == OrderState::Sending));
    session.finish(Duration::from_secs(8));
    told.lock().unwrap().clear();
    std::fs::write(folder.path().join("KILL"), "by hand\n").unwrap();
    let session = start(folder.path(), mute());
    wait(&session, "HALTED with an order UNKNOWN", |frame| {
        frame.snapshot.state == TradingState::Halted && frame.snapshot.unknown_orders == 1
    });
    session.finish(Duration::from_secs(8));
    assert_eq!(*told.lock().unwrap(), [Told::Query], "asked, and nothing sent");
}

/// A broker whose bad news is heard together with the next command.
#[derive(Debug)]
struct Trap {
    is_set: Arc<std::sync::atomic::AtomicBool>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Broker for Trap {
    fn restore(&mut self, _standing: Standing<'_>) {}

    fn submit(&mut self, order: Approved<Order>, _now: MarketTime) {
        self.told.lock().unwrap().push(Told::Submit(order.into_inner().id));
    }

    fn cancel(&mut self, order: OrderId) {
        self.told.lock().unwrap().push(Told::Cancel(order));
    }

    fn withdraw(&mut self, _order: OrderId) {}

    fn modify(&mut self, _order: OrderId, _quantity: Quantity, _kind: OrderKind, _now: MarketTime) {}

    fn protect(&mut self, _position: PositionId, _protection: Protection, _legs: LegIds, _now: MarketTime) {}

    fn query(&mut self) {}

    fn on_market(&mut self, _event: &MarketEvent) {}

    fn poll(&mut self, out: &mut Vec<BrokerReport>) {
        // What was already there when the command was taken.
        let is_with_a_command = || {
            std::backtrace::Backtrace::force_capture().to_string().contains("Running::command")
                || std::backtrace::Backtrace::force_capture().to_string().contains(": command")
        };
        if self.is_set.load(std::sync::atomic::Ordering::SeqCst) && is_with_a_command() {
            self.is_set.store(false, std::sync::atomic::Ordering::SeqCst);
            let positions = vec![(pmax::domain::PositionId(5), "1".parse().unwrap())];
            let evidence = pmax::domain::Evidence::Authority;
            out.push(BrokerReport::State(pmax::domain::BrokerState { orders: Vec::new(), positions, evidence }));
        }
    }
}

#[test]
fn an_order_does_not_leave_after_the_report_that_held_trading() {
    let folder = tempfile::tempdir().unwrap();
    let (is_set, told) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let session = start(folder.path(), Box::new(Trap { is_set: Arc::clone(&is_set), told: Arc::clone(&told) }));
    wait(&session, "the end of the warm-up", |frame| frame.snapshot.consumed > 0 && !frame.snapshot.is_quiet);
    command(&session, Command::ArmPaper);
    wait(&session, "armed", |frame| frame.snapshot.mode != Mode::ReadOnly);
    is_set.store(true, std::sync::atomic::Ordering::SeqCst);
    buy(&session, |_| OrderKind::Market);
    wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    session.finish(Duration::from_secs(8));
    assert_eq!(*told.lock().unwrap(), [], "trading was halted before the order left");
}
