//! From a person's key to the wire of a broker, over real sockets: how long an order takes, and what the kill switch does first.
//!
//! The run is a live one: its prices come through the client's own stream, a few a second as the protocol has it, and then ten thousand,
//! as if a broker did not keep to it; the rule-based analyst comments beside it. How many prices reached the engine is counted there and printed.
//!
//! `cargo bench --bench broker` prints medians and 99th percentiles. `-- --spacing MS` sets the pause between two commands; the usual
//! one is the protocol's 250 ms, and 1 shows the program's own share; `-- --kill` measures the kill switch alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that meets the impossible should stop there"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::broker::xapi::{Address, Demo, Secret, Settings as ClientSettings};
use pmax::domain::{
    Actor, BrokerKind, Currency, Duration as Span, InstrumentId, MarketTime, Mode, Money, OrderKind, OrderSide, Price,
    Protection, Quantity, TimeInForce, TradingState,
};
use pmax::engine::{Command, EngineSettings, KillPhase, Seen, Setup, Ticket};
use pmax::risk::{Acknowledged, Rules};
use pmax::runtime::{
    self, Feed, Frame, HISTORY, HeardFrom, Home, KillLatch, Named, Request, RunTerms, Session, Speed, Voices, Wiring,
    contracts_of, wall_now,
};
use pmax::simulator::{Catalogue, Faults, Listen, Prices, ServerHandle, Settings, Variants};

const EURO: InstrumentId = InstrumentId(6);
const SAMPLES: usize = 60;
const WAITING: usize = 8;
const KILLS: usize = 8;
/// Only a trade request is as long as this on the way to the broker.
const TRADE_BYTES: usize = 200;
/// Prices a second in the worst minute.
const STORM: u64 = 10_000;
/// The price everything happens at, and its smallest step.
const MIDDLE: i64 = 1_100_000_000;
const TICK: i64 = 10_000;

/// Passes bytes between client and server, tells when a trade request has been written, and repeats the latest quote as often a second as
/// `flood` says: the protocol lets five a second and symbol through, so a flood is a broker that does not keep to it.
fn recorder(server: u16, flood: &Arc<AtomicU64>) -> (u16, Receiver<Instant>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (written, seen) = channel();
    let flood = Arc::clone(flood);
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
            drop((client.set_nodelay(true), server.set_nodelay(true)));
            let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let written = written.clone();
            std::thread::spawn(move || pass(client, server, &written));
            let (latest, flood) = (Arc::new(Mutex::new((forth, Vec::new()))), Arc::clone(&flood));
            let repeated = Arc::clone(&latest);
            std::thread::spawn(move || pass_back(back, &latest));
            std::thread::spawn(move || repeat(&repeated, &flood));
        }
    });
    (port, seen)
}

/// The way to the client, and the latest frame with a quote that went there.
type Back = Mutex<(TcpStream, Vec<u8>)>;

fn pass_back(mut from: TcpStream, to: &Back) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let piece = buffer.get(..count).unwrap_or_default();
        let mut to = to.lock().unwrap();
        // A piece that is one frame: its length stands in it.
        let is_one = |length: usize| piece.first() == Some(&0x81) && length == count;
        let length = match piece.get(1..4) {
            Some([short @ 0..=125, ..]) => usize::from(*short) + 2,
            Some([126, high, low]) => usize::from(u16::from_be_bytes([*high, *low])) + 4,
            _ => 0,
        };
        if is_one(length) && piece.windows(12).any(|window| window == b"\"tickPrices\"") {
            to.1 = piece.to_vec();
        }
        if to.0.write_all(piece).is_err() {
            return;
        }
    }
}

fn repeat(to: &Back, flood: &AtomicU64) {
    loop {
        std::thread::sleep(Duration::from_millis(2));
        let mut to = to.lock().unwrap();
        let times = usize::try_from(flood.load(Ordering::Relaxed) / 500).unwrap();
        let frames = to.1.repeat(times);
        if !frames.is_empty() && to.0.write_all(&frames).is_err() {
            return;
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, written: &Sender<Instant>) {
    let (mut buffer, mut is_first) = ([0; 65_536], true);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let now = Instant::now();
        // The handshake is as long, and comes first.
        if count > TRADE_BYTES && !is_first {
            let _: Result<(), _> = written.send(now);
        }
        is_first = false;
        if to.write_all(buffer.get(..count).unwrap_or_default()).is_err() {
            return;
        }
    }
}

/// Prices of the market, told to the server by a thread of its own, twenty a second.
struct Market {
    flood: Arc<AtomicU64>,
    is_over: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Market {
    fn open(server: ServerHandle, flood: Arc<AtomicU64>) -> Self {
        let is_over = Arc::new(AtomicU64::new(0));
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut told = 0;
            while ends.load(Ordering::Relaxed) == 0 {
                told += 1;
                server.price("EURUSD", Price::from_nanos(MIDDLE + told % 7 * TICK));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { flood, is_over, thread: Some(thread) }
    }

    fn storm(&self) {
        self.flood.store(STORM, Ordering::Relaxed);
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        self.is_over.store(1, Ordering::Relaxed);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

struct Bench {
    session: Session,
    market: Market,
    seen: Receiver<Instant>,
    _folder: tempfile::TempDir,
}

fn session(folder: &Path, port: u16, spacing: Span) -> Session {
    let home = Home::find(Some(folder)).unwrap();
    let mut config = runtime::load_config(Path::new("no such file"), Named::ByDefault, &[], &[]).unwrap();
    (config.broker.kind, config.risk.trades_per_day) = (BrokerKind::Xapi, 1_000_000);
    let instruments = Arc::new(runtime::instruments().unwrap().at(BrokerKind::Xapi));
    let series = runtime::live_series(&instruments, "bench");
    let setup = Setup { instruments, series, library: Arc::default(), settings: runtime::settings_of(&config) };
    // Every round trip here loses its spread: a losing streak would stop the measurement.
    let setup = Setup { settings: EngineSettings { breakers: Rules::before_the_table(), ..setup.settings }, ..setup };
    let settings = ClientSettings { spacing, ..ClientSettings::usual("20001".to_owned(), Secret::new("secret"), 1) };
    let mut demo = Demo::new(contracts_of(&setup.instruments), settings, wall_now);
    demo.quote_markets(MarketTime(wall_now().0 - HISTORY));
    demo.connect(Address { host: "127.0.0.1".to_owned(), port, path: "/demo".to_owned(), tls: None }, "bench");
    let capital = Money::whole(100_000, Currency::USD).unwrap();
    let terms = RunTerms { seed: 1, capital, fresh: false, start: None };
    let feed =
        Feed::Live { from: HeardFrom::Broker, name: "live bench".to_owned(), home: &home, now: wall_now(), older: Vec::new() };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &feed, &setup, &terms).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { voices: Voices::default(), broker: Some(Box::new(demo)), latch, speed: Speed::Times(1) })
        .unwrap()
}

impl Bench {
    fn new(spacing: Span) -> Self {
        let settings = Settings {
            user: "20001".to_owned(),
            password: "secret".to_owned(),
            currency: "USD".to_owned(),
            balance: 100_000_000_000_000,
            seed: 3,
            faults: Faults::default(),
            variants: Variants::default(),
            has_hours: false,
            spacing: Span(0),
        };
        let (listen, catalogue) = (Listen { websocket: Some(0), ..Listen::default() }, Catalogue::shipped().unwrap());
        let server = ServerHandle::start(settings, catalogue, listen, Prices::Told, wall_now).unwrap();
        let flood = Arc::new(AtomicU64::new(0));
        let (port, seen) = recorder(server.websocket.unwrap(), &flood);
        let market = Market::open(server, flood);
        let folder = tempfile::tempdir().unwrap();
        let session = session(folder.path(), port, spacing);
        let bench = Self { session, market, seen, _folder: folder };
        bench.wait("the link and a price", |frame| {
            let is_ready = frame.link.as_ref().is_some_and(|link| link.is_ready);
            let quotes = &frame.snapshot.quotes;
            is_ready && !frame.snapshot.is_quiet && quotes.iter().any(|row| row.instrument == EURO && !row.is_stale)
        });
        bench.command(Command::ArmPaper);
        bench.wait("DEMO", |frame| frame.snapshot.mode == Mode::Demo);
        bench
    }

    /// Tells ten thousand prices a second from now on, and prints how many of them reach the engine.
    fn storm(&self) {
        self.market.storm();
        std::thread::sleep(Duration::from_millis(500));
        let heard = || self.session.frames.borrow().snapshot.consumed;
        let (before, began) = (heard(), Instant::now());
        std::thread::sleep(Duration::from_secs(2));
        let heard = (heard() - before) as f64 / began.elapsed().as_secs_f64();
        println!("prices that reach the engine: {heard:.0} a second");
    }

    fn last(&self) -> Price {
        self.session.frames.borrow().snapshot.quotes.iter().find(|row| row.instrument == EURO).unwrap().last.unwrap()
    }

    fn wait(&self, what: &str, is_there: impl Fn(&Frame) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_there(&self.session.frames.borrow()) {
            let frame = Arc::clone(&self.session.frames.borrow());
            assert!(Instant::now() < until, "never came: {what}: {:?}", frame.snapshot.activity.first());
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn command(&self, command: Command) {
        assert!(self.session.request(Request::Command(Actor::Person, command)));
    }

    fn order(&self, kind: OrderKind) {
        let last = self.last().nanos();
        let stop = Price::from_nanos(last / 100 * 90).rounded_to(Price::from_nanos(TICK));
        let quantity: Quantity = "1000".parse().unwrap();
        let ticket = Ticket {
            instrument: EURO,
            side: OrderSide::Buy,
            quantity,
            kind,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection { stop_loss: Some(stop), take_profit: None },
        };
        let seen = Seen { price: None, quantity };
        self.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
    }

    fn written(&self) -> Instant {
        self.seen.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| {
            let frame = Arc::clone(&self.session.frames.borrow());
            panic!(
                "no trade request on the wire: {:?}",
                frame.snapshot.activity.iter().take(14).map(|line| line.text.clone()).collect::<Vec<_>>()
            )
        })
    }
}

fn figures(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap_or_default();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name}: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, longest {:.2} ms (n = {})",
        millis(at(50)),
        millis(at(90)),
        millis(at(99)),
        millis(at(100)),
        times.len()
    );
}

fn confirm_to_wire(spacing: Span, is_storm: bool) {
    let bench = Bench::new(spacing);
    if is_storm {
        bench.storm();
    }
    let mut times = Vec::new();
    // A person's rhythm: the orders meet the looks and pings of the client as they come.
    for sample in 0..SAMPLES {
        std::thread::sleep(Duration::from_millis(850 + (sample as u64 * 37) % 190));
        let began = Instant::now();
        bench.order(OrderKind::Market);
        times.push(bench.written().duration_since(began));
        bench.wait("the fill", |frame| frame.snapshot.positions.len() == 1);
        std::thread::sleep(Duration::from_millis(260));
        let position = bench.session.frames.borrow().snapshot.positions.first().unwrap().id;
        bench.command(Command::ClosePosition { position, quantity: None });
        bench.written();
        bench.wait("the close", |frame| frame.snapshot.positions.is_empty());
    }
    let weather = if is_storm { "ten thousand prices a second" } else { "twenty prices a second" };
    figures(&format!("confirmed → first byte on the wire, {weather}"), times);
    bench.session.finish(Duration::from_secs(8));
}

fn kill(spacing: Span) {
    let (mut blocked, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..KILLS {
        let bench = Bench::new(spacing);
        let price = bench.last();
        for away in 1..=WAITING {
            let level = price.nanos() / 1_000 * (990 - i64::try_from(away).unwrap());
            bench.order(OrderKind::Limit(Price::from_nanos(level).rounded_to(Price::from_nanos(TICK))));
            bench.written();
        }
        bench.wait("the waiting orders", |frame| {
            frame.snapshot.orders.iter().filter(|row| row.state.is_cancellable()).count() == WAITING
        });
        bench.storm();
        let began = Instant::now();
        bench.session.kill("bench").unwrap();
        bench.wait("HALTED", |frame| frame.snapshot.state == TradingState::Halted);
        blocked.push(began.elapsed());
        bench.order(OrderKind::Market);
        // Several may go in one piece, so what counts is the first and the last piece until all are confirmed.
        first.push(bench.written().duration_since(began));
        bench.wait("every cancel to be confirmed", |frame| frame.snapshot.kill == KillPhase::Finished);
        last.push(bench.seen.try_iter().last().map_or_else(|| began.elapsed(), |at| at.duration_since(began)));
        bench.wait("the refusal of an order after it", |frame| {
            frame.snapshot.activity.iter().any(|line| line.text.contains("refused — STATE"))
        });
        assert!(bench.session.frames.borrow().snapshot.positions.is_empty());
        bench.session.finish(Duration::from_secs(8));
    }
    figures("kill switch → HALTED shown, new orders refused", blocked);
    figures("kill switch → first cancel on the wire", first);
    figures(&format!("kill switch → all {WAITING} cancels on the wire"), last);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let named = arguments.iter().position(|word| word == "--spacing").and_then(|at| arguments.get(at + 1)?.parse().ok());
    let spacing = Span::millis(named.unwrap_or(250));
    let is_named = |name: &str| arguments.iter().any(|word| word == name);
    println!("pause between two commands: {:.0} ms", spacing.as_seconds() * 1e3);
    if !is_named("--kill") {
        confirm_to_wire(spacing, false);
        confirm_to_wire(spacing, true);
    }
    kill(spacing);
}
