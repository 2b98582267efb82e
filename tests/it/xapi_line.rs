//! A bad line between the workstation and a broker: over real sockets with shortened times, and in virtual time with the real ones.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant};

use pmax::broker::xapi::{Address, Ask, Client, ClientEvent, Demo, Input, LinkState, Output, Secret, Settings as ClientSettings};
use pmax::domain::{
    Actor, BrokerKind, Currency, Duration, InstrumentId, MarketTime, Mode, Money, OrderKind, OrderSide, Price, Protection,
    Quantity, TimeInForce, WallTime,
};
use pmax::engine::{Command, Seen, Ticket};
use pmax::orders::OrderState;
use pmax::risk::Acknowledged;
use pmax::runtime::{
    self, Feed, Frame, HISTORY, Home, KillLatch, Request, RunTerms, Session, Speed, Wiring, contracts_of, wall_now,
};
use pmax::simulator::{
    Catalogue, ConnectionId, Faults, Listen, Port, Prices, Sent, ServerHandle, Settings, Simulator, USUAL_SPACING, Variants,
};

use crate::support::deadline;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::world;

const EURO: InstrumentId = InstrumentId(6);
/// After the line is whole again everything has been compared within this time.
const BACK_WITHIN: StdDuration = StdDuration::from_secs(5);
/// A half-open link is noticed within this time.
const NOTICED_WITHIN: Duration = Duration::seconds(15);

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
    let feed = Feed::Live { name: "live line".to_owned(), home: &home, now: wall_now() };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &feed, &setup, &terms).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { analyst: None, broker: Some(Box::new(demo)), latch, speed: Speed::Max }).unwrap()
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
        let until = Instant::now() + deadline();
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

    /// Waits until everything was compared after `since`. Returns how long that took.
    fn back_since(&self, since: Instant) -> StdDuration {
        let wall = wall_now();
        self.wait("the link and a look at everything", |frame| {
            is_ready(frame) && frame.link.as_ref().is_some_and(|link| link.compared.is_some_and(|at| at >= wall))
        });
        since.elapsed()
    }

    /// Nothing is in doubt any more, and what is open there is what is open here, each once.
    fn settled(&self) {
        let frame = self.wait("every order to be settled", |frame| {
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
    begin(&bench.proxy);
    bench.buy();
    if breaks {
        bench.wait("the loss to be noticed", |frame| !is_ready(frame));
    } else {
        std::thread::sleep(StdDuration::from_millis(600));
    }
    bench.proxy.set(Fault::None);
    if breaks {
        let took = bench.back_since(Instant::now());
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

/// Client and simulator in virtual time, with a line that can be cut or go dead.
struct Line {
    client: Client,
    simulator: Simulator,
    now: WallTime,
    main: Option<ConnectionId>,
    stream: Option<ConnectionId>,
    sent: Vec<Sent>,
    /// No connection can be made.
    is_cut: bool,
    /// Nothing passes, and nobody is told.
    is_dead: bool,
    is_ready: bool,
    /// When everything was last compared, and how often a login was written.
    compared: Option<WallTime>,
    logins: u32,
}

impl Line {
    fn new(password: &str) -> Self {
        let now = WallTime(1_762_160_400_000_000_000);
        let settings = ClientSettings::usual("20001".to_owned(), Secret::new(password), 7);
        let mut line = Self {
            client: Client::new(settings),
            simulator: Simulator::new(simulated(USUAL_SPACING), Catalogue::shipped().unwrap(), now),
            now,
            main: None,
            stream: None,
            sent: Vec::new(),
            is_cut: false,
            is_dead: false,
            is_ready: false,
            compared: None,
            logins: 0,
        };
        line.tell(Input::Start);
        line
    }

    fn tell(&mut self, input: Input<'_>) {
        let mut outputs = Vec::new();
        self.client.handle(self.now, input, &mut outputs);
        outputs.into_iter().for_each(|output| self.carry_out(output));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::OpenMain if self.is_cut => self.tell(Input::MainClosed("unreachable")),
            Output::OpenStream if self.is_cut => self.tell(Input::StreamClosed("unreachable")),
            Output::OpenMain => {
                self.main = Some(self.simulator.connect(self.now, Port::Main, "127.0.0.1"));
                self.tell(Input::MainOpened);
            }
            Output::OpenStream => {
                self.stream = Some(self.simulator.connect(self.now, Port::Stream, "127.0.0.1"));
                self.tell(Input::StreamOpened);
            }
            Output::CloseBoth => {
                for id in [self.main.take(), self.stream.take()].into_iter().flatten() {
                    self.simulator.disconnect(id, &mut self.sent);
                }
            }
            Output::Main(text) => {
                self.logins += u32::from(text.contains("\"login\""));
                if let Some(main) = self.main.filter(|_| !self.is_dead) {
                    self.simulator.receive(self.now, main, &text, &mut self.sent);
                }
            }
            Output::Stream(text) => {
                if let Some(stream) = self.stream.filter(|_| !self.is_dead) {
                    self.simulator.receive(self.now, stream, &text, &mut self.sent);
                }
            }
            Output::Event(ClientEvent::Link(state)) => self.is_ready = state == LinkState::Ready,
            Output::Event(ClientEvent::Snapshot(_)) => self.compared = Some(self.now),
            Output::Event(_) => {}
        }
    }

    fn step(&mut self) {
        self.now = self.now.plus(Duration::millis(50));
        self.simulator.tick(self.now, &mut self.sent);
        while !self.sent.is_empty() {
            for sent in std::mem::take(&mut self.sent) {
                match sent {
                    Sent::Text(..) | Sent::Close(_) if self.is_dead => {}
                    Sent::Text(id, text) if Some(id) == self.main => self.tell(Input::Main(&text)),
                    Sent::Text(id, text) if Some(id) == self.stream => self.tell(Input::Stream(&text)),
                    Sent::Close(id) if Some(id) == self.main => self.tell(Input::MainClosed("closed")),
                    Sent::Close(id) if Some(id) == self.stream => self.tell(Input::StreamClosed("closed")),
                    Sent::Text(..) | Sent::Close(_) => {}
                }
            }
        }
        self.tell(Input::Timer);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.step();
        }
    }

    /// Steps until it is so. Returns how long that took.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Duration {
        let began = self.now;
        while !is_so(self) {
            self.step();
            assert!(self.now.since(began) < Duration::seconds(600), "never came: {what}");
        }
        self.now.since(began)
    }

    fn cut(&mut self) {
        self.is_cut = true;
        self.tell(Input::MainClosed("cable"));
    }

    fn mend(&mut self) -> Duration {
        (self.is_cut, self.is_dead) = (false, false);
        let since = self.now;
        self.until("the link", |line| line.is_ready && line.compared.is_some_and(|at| at > since))
    }
}

#[test]
fn after_a_cut_everything_is_compared_within_five_seconds_however_long_it_was() {
    let mut line = Line::new("secret");
    line.until("the first link", |line| line.is_ready);
    for outage in [1, 5, 30, 120, 600, 3_600, 5, 86_400] {
        line.cut();
        line.run(Duration::seconds(outage));
        let took = line.mend();
        assert!(took <= Duration::seconds(5), "after {outage} s it took {:.2} s", took.as_seconds());
        line.run(Duration::seconds(7));
    }
}

#[test]
fn a_half_open_line_is_noticed_within_fifteen_seconds() {
    for quiet in [0, 1, 4, 9, 13] {
        let mut line = Line::new("secret");
        line.until("the first link", |line| line.is_ready);
        line.run(Duration::seconds(quiet));
        line.is_dead = true;
        let noticed = line.until("the loss", |line| !line.is_ready);
        assert!(noticed <= NOTICED_WITHIN, "after {:.1} s", noticed.as_seconds());
    }
}

#[test]
fn a_refused_login_is_not_repeated_until_a_person_wants_it() {
    let mut line = Line::new("wrong");
    line.run(Duration::seconds(1_800));
    assert_eq!(line.logins, 1, "a wrong pair is blocked for ten minutes");
    line.tell(Input::Ask(Ask::Connect));
    line.run(Duration::seconds(10));
    assert_eq!(line.logins, 2);
}

#[test]
fn one_login_for_every_connection() {
    let mut line = Line::new("secret");
    line.until("the first link", |line| line.is_ready);
    for _ in 0..5 {
        line.cut();
        line.run(Duration::seconds(20));
        line.mend();
    }
    assert_eq!(line.logins, 6, "attempts that found no connection logged in nowhere");
}
