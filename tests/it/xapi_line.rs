//! A bad line between the workstation and a broker, over real sockets with shortened times. `xapi_times` has the real ones.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant};

use pmax::broker::xapi::{Address, Demo, Secret, Settings as ClientSettings};
use pmax::domain::{
    Actor, BrokerKind, Currency, Duration, InstrumentId, MarketTime, Mode, Money, OrderKind, OrderSide, Price, Protection,
    Quantity, TimeInForce,
};
use pmax::engine::{Command, Seen, Ticket};
use pmax::orders::OrderState;
use pmax::risk::Acknowledged;
use pmax::runtime::{
    self, Feed, Frame, HISTORY, HeardFrom, Home, KillLatch, Request, RunTerms, Session, Speed, Voices, Wiring, contracts_of,
    wall_now,
};
use pmax::simulator::{Catalogue, Faults, Listen, Prices, ServerHandle, Settings, Variants};

use crate::support::deadline;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::world;

const EURO: InstrumentId = InstrumentId(6);
/// After the line is whole again everything has been compared within this time.
const BACK_WITHIN: StdDuration = StdDuration::from_secs(5);

fn simulated(spacing: Duration) -> Settings {
    Settings {
        user: "20001".to_owned(),
        password: "secret".to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 3,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing,
    }
}

/// A workstation whose broker is at the other end of a line.
struct Bench {
    session: Session,
    proxy: FaultProxy,
    server: ServerHandle,
    _folder: tempfile::TempDir,
}

fn start(folder: &Path, port: u16) -> Session {
    let home = Home::find(Some(folder)).unwrap();
    let (_, mut setup) = world::setup("eurusd-2017");
    setup.settings.broker = BrokerKind::Xapi;
    setup.instruments = Arc::new(setup.instruments.at(BrokerKind::Xapi));
    setup.series = runtime::live_series(&setup.instruments, "line");
    let usual = ClientSettings::usual("20001".to_owned(), Secret::new("secret"), 1);
    let settings = ClientSettings {
        spacing: Duration::millis(2),
        ping_every: Duration::millis(150),
        reply_within: Duration::millis(500),
        silence_within: Duration::millis(1_000),
        first_retry: Duration::millis(20),
        longest_retry: Duration::millis(200),
        ..usual
    };
    let mut demo = Demo::new(contracts_of(&setup.instruments), settings, wall_now);
    demo.quote_markets(MarketTime(wall_now().0 - HISTORY));
    demo.connect(Address { host: "127.0.0.1".to_owned(), port, path: "/demo".to_owned(), tls: None }, "line");
    let capital = Money::whole(100_000, Currency::USD).unwrap();
    let terms = RunTerms { seed: 1, capital, fresh: false, start: None };
    let feed =
        Feed::Live { from: HeardFrom::Broker, name: "live line".to_owned(), home: &home, now: wall_now(), older: Vec::new() };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &feed, &setup, &terms).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { voices: Voices::default(), broker: Some(Box::new(demo)), latch, speed: Speed::Max }).unwrap()
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = Listen { websocket: Some(0), ..Listen::default() };
        let catalogue = Catalogue::shipped().unwrap();
        let server = ServerHandle::start(simulated(Duration(0)), catalogue, listen, Prices::Drawn(5), wall_now).unwrap();
        let proxy = FaultProxy::to(server.websocket.unwrap());
        let session = start(folder.path(), proxy.port);
        let bench = Self { session, proxy, server, _folder: folder };
        bench.wait("the link and fresh prices", |frame| {
            is_ready(frame) && frame.snapshot.quotes.iter().any(|row| row.instrument == EURO && !row.is_stale)
        });
        bench.command(Command::ArmPaper);
        bench.wait("DEMO", |frame| frame.snapshot.mode == Mode::Demo && !frame.snapshot.is_quiet);
        bench
    }

    fn wait(&self, what: &str, is_there: impl Fn(&Frame) -> bool) -> Arc<Frame> {
        self.wait_for(deadline(), what, is_there)
    }

    fn wait_for(&self, longest: StdDuration, what: &str, is_there: impl Fn(&Frame) -> bool) -> Arc<Frame> {
        let until = Instant::now() + longest;
        loop {
            let frame = Arc::clone(&self.session.frames.borrow());
            if is_there(&frame) {
                return frame;
            }
            let said: Vec<&str> = frame.snapshot.activity.iter().take(4).map(|line| line.text.as_str()).collect();
            assert!(Instant::now() < until, "never came: {what}; activity: {said:?}; link: {:?}", frame.link);
            std::thread::sleep(StdDuration::from_millis(3));
        }
    }

    fn command(&self, command: Command) {
        assert!(self.session.request(Request::Command(Actor::Person, command)));
    }

    fn buy(&self) {
        let quantity: Quantity = "1000".parse().unwrap();
        let protection = Protection { stop_loss: Some("1.00000".parse::<Price>().unwrap()), take_profit: None };
        let ticket = Ticket {
            instrument: EURO,
            side: OrderSide::Buy,
            quantity,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection,
        };
        let seen = Seen { price: None, quantity };
        self.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
    }

    fn connections(&self) -> u32 {
        self.session.frames.borrow().link.as_ref().map_or(0, |link| link.connections)
    }

    /// Waits for a connection after so many, which is there once everything was compared. Returns how long that took.
    fn back_after(&self, connections: u32) -> StdDuration {
        let since = Instant::now();
        self.wait("the link and a look at everything", |frame| {
            is_ready(frame) && frame.link.as_ref().is_some_and(|link| link.connections > connections)
        });
        since.elapsed()
    }

    /// Nothing is in doubt any more, and what is open there is what is open here, each once.
    fn settled(&self) {
        // An opening order that no list holds is looked for a minute.
        let longest = deadline() + StdDuration::from_secs(60);
        let frame = self.wait_for(longest, "every order to be settled", |frame| {
            let is_open = |state: OrderState| matches!(state, OrderState::Sending | OrderState::Confirmed | OrderState::Unknown);
            is_ready(frame) && !frame.snapshot.orders.iter().any(|row| is_open(row.state))
        });
        let marks = self
            .server
            .look(|simulator| simulator.dealer().positions().values().map(|trade| trade.mark.clone()).collect::<Vec<_>>());
        let mut marks = marks.unwrap();
        let there = marks.len();
        marks.sort();
        marks.dedup();
        assert_eq!(marks.len(), there, "an order was carried out twice: {marks:?}");
        assert_eq!(frame.snapshot.positions.len(), there, "{:?}", frame.snapshot.activity.iter().take(6).collect::<Vec<_>>());
    }
}

fn is_ready(frame: &Frame) -> bool {
    frame.link.as_ref().is_some_and(|link| link.is_ready)
}

/// An order is on its way when the line goes bad; the line is whole again after a moment.
fn lives_through(begin: impl Fn(&FaultProxy), breaks: bool) {
    let bench = Bench::new();
    bench.buy();
    let connections = bench.connections();
    begin(&bench.proxy);
    bench.buy();
    if breaks {
        // It may be back before a picture shows that it was gone.
        let is_new = |frame: &Frame| frame.link.as_ref().is_some_and(|link| link.connections > connections);
        bench.wait("the loss to be noticed", |frame| !is_ready(frame) || is_new(frame));
    } else {
        std::thread::sleep(StdDuration::from_millis(600));
    }
    bench.proxy.set(Fault::None);
    if breaks {
        let took = bench.back_after(connections);
        assert!(took <= BACK_WITHIN, "back after {took:?}");
    } else {
        assert_eq!(bench.session.frames.borrow().link.as_ref().map(|link| link.connections), Some(1), "it never broke");
    }
    bench.settled();
    bench.session.finish(StdDuration::from_secs(8));
}

#[test]
fn a_slow_line_delays_and_loses_nothing() {
    lives_through(|proxy| proxy.set(Fault::Delay(StdDuration::from_millis(20))), false);
}

#[test]
fn a_line_that_cuts_everything_into_bytes_loses_nothing() {
    lives_through(|proxy| proxy.set(Fault::Slice), false);
}

#[test]
fn a_reset_is_lived_through() {
    lives_through(FaultProxy::reset, true);
}

#[test]
fn a_half_closed_line_is_given_up_and_opened_anew() {
    lives_through(FaultProxy::half_close, true);
}

#[test]
fn a_half_open_line_is_noticed_though_nobody_says_so() {
    lives_through(|proxy| proxy.set(Fault::BlackHole), true);
}

#[test]
fn a_broker_that_takes_no_connection_is_tried_until_it_does() {
    let begin = |proxy: &FaultProxy| {
        proxy.set(Fault::Refuse);
        proxy.reset();
    };
    lives_through(begin, true);
}
