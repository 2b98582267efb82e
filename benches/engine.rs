//! Quotes and orders through the whole engine, and commits of the journal. `benches/README.md` holds the figures.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench stops at the impossible"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pmax::broker::{Broker, Paper};
use pmax::domain::{
    Actor, BrokerReport, Currency, DealId, InstrumentId, LedgerId, MarketEvent, MarketStamp, MarketTime, Money, OrderId,
    OrderKind, OrderRequest, OrderSide, Origin, Price, Protection, Quantity, Quote, QuoteOrigin, Ratio, RunId, TimeInForce,
    WallTime,
};
use pmax::engine::{Command, Effect, Engine, Event, Input, InputBody, Outcome, RunInput, Seen, Setup, TapeRef, Ticket};
use pmax::market;
use pmax::risk::{Acknowledged, Limit, Metric, Rule, Rules};
use pmax::runtime::{self, Named};
use pmax::store::{Body, Entry, LedgerFile};

struct World {
    engine: Engine,
    broker: Paper,
    outcome: Outcome,
    at: i64,
    orders: u64,
}

const STOCK: InstrumentId = InstrumentId(2);
/// Market time from one order to the next: within the shipped rate of orders.
const STEP: i64 = 10_000_000_000;

/// The shipped table, but for what would block a bench that only ever pays costs; or no breaker at all.
fn breakers(shipped: &Rules, is_on: bool) -> Rules {
    let unreachable = |rule: &Rule| match rule.metric {
        Metric::LosingStreak => Rule { limit: Limit::Number(Ratio::from_nanos(i64::MAX)), ..rule.clone() },
        _ => rule.clone(),
    };
    Rules::new(shipped.iter().filter(|_| is_on).map(unreachable).collect())
}

impl World {
    fn new() -> Self {
        Self::with_breakers(true)
    }

    fn with_breakers(is_on: bool) -> Self {
        let tape = market::load("crash-2020").unwrap();
        let mut config = runtime::load_config(Path::new("none"), Named::ByDefault, &[], &[]).unwrap();
        config.risk.trades_per_day = u32::MAX;
        (config.risk.max_sector, config.risk.max_correlated) = (Ratio::ONE, Some(Ratio::ONE));
        config.risk.max_order_value = Some(1_000_000_000);
        let mut settings = runtime::settings_of(&config);
        settings.breakers = breakers(&settings.breakers, is_on);
        // The tape never ends here, however long a measurement takes.
        let mut series = tape.series();
        series.iter_mut().for_each(|series| series.last_print = None);
        let setup = Setup {
            instruments: runtime::instruments().unwrap(),
            series,
            settings: settings.clone(),
            library: Default::default(),
        };
        let engine = Engine::new(&setup);
        let broker = Paper::new(setup.settings.terms, Currency::USD);
        let mut world = Self { engine, broker, outcome: Outcome::default(), at: 1_582_200_000_000_000_000, orders: 0 };
        world.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(1),
            tape: TapeRef { name: "bench".to_owned(), sha256: String::new(), seed: 0 },
            capital: Money::whole(1_000_000_000, Currency::USD).unwrap(),
            version: String::new(),
            settings,
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until: MarketTime(0),
        }));
        world.command(Command::ArmPaper);
        for instrument in 1..=29 {
            world.quote(InstrumentId(instrument), 100);
        }
        world
    }

    fn command(&mut self, command: Command) {
        self.input(InputBody::Command { actor: Actor::Person, command });
    }

    fn input(&mut self, body: InputBody) {
        self.engine.handle(&Event::Input(Input { wall: WallTime(self.at), body }), &mut self.outcome);
        self.follow_up();
    }

    fn follow_up(&mut self) {
        let now = self.engine.market().now();
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => {
                    self.orders += 1;
                    self.broker.submit(order, now);
                }
                Effect::Cancel(order) => self.broker.cancel(order),
                _ => {}
            }
        }
        let mut reports: Vec<BrokerReport> = Vec::new();
        self.broker.poll(&mut reports);
        for report in reports {
            self.input(InputBody::Broker(report));
        }
    }

    fn market(&mut self, event: MarketEvent) {
        self.broker.on_market(&event);
        self.engine.handle(&Event::Market(event), &mut self.outcome);
        self.follow_up();
    }

    fn quote(&mut self, instrument: InstrumentId, price: i64) {
        let event = quote(instrument, price * 1_000_000_000, self.at);
        self.market(event);
    }

    fn open(&mut self) {
        self.open_in(STOCK);
    }

    fn open_in(&mut self, instrument: InstrumentId) {
        self.at += STEP;
        let stamp = MarketStamp::tape(MarketTime(self.at));
        self.market(MarketEvent::BarOpened { instrument, open: Price::from_nanos(100_000_000_000), stamp });
    }

    /// Positions spread over the stocks of the tape, and limit orders that rest in one of them.
    fn fill(&mut self, positions: usize, resting: i64) {
        let tradable: Vec<InstrumentId> = (2..=25).map(InstrumentId).filter(|id| self.trades(*id)).collect();
        for instrument in tradable.iter().cycle().take(positions) {
            self.place_in(*instrument, OrderKind::Market, 1_000_000_000);
            self.open_in(*instrument);
        }
        self.rest(resting);
        assert_eq!(self.engine.book().ledger().positions().len(), positions);
        assert_eq!(self.engine.book().orders().open().len(), usize::try_from(resting).unwrap());
    }

    /// Places limit orders that rest.
    fn rest(&mut self, count: i64) {
        for index in 0..count {
            self.at += STEP;
            self.quote(STOCK, 100);
            self.place(OrderKind::Limit(Price::from_nanos(90_000_000_000 - index * 10_000_000)), 100_000_000);
        }
    }

    fn trades(&self, id: InstrumentId) -> bool {
        self.engine.instruments().get(id).is_some_and(|known| known.tradable) && self.engine.market().get(id).is_some()
    }

    fn place(&mut self, kind: OrderKind, quantity: i64) {
        self.place_in(STOCK, kind, quantity);
    }

    fn place_in(&mut self, instrument: InstrumentId, kind: OrderKind, quantity: i64) {
        let quantity = Quantity::from_nanos(quantity);
        let ticket = Ticket {
            instrument,
            side: OrderSide::Buy,
            quantity,
            kind,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
        };
        self.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Nothing, seen: Seen { price: None, quantity } });
    }

    /// Opens and closes a position: two orders from command to booked fill.
    fn round_trip(&mut self) {
        self.place(OrderKind::Market, 1_000_000_000);
        self.open();
        let held = self.engine.book().ledger().positions().keys().next_back();
        let position = *held.expect("the order was filled at the open");
        self.command(Command::ClosePosition { position, quantity: None });
        self.open();
        assert!(self.engine.book().ledger().positions().is_empty());
    }
}

fn quote(instrument: InstrumentId, price: i64, at: i64) -> MarketEvent {
    let quote =
        Quote { instrument, last: Price::from_nanos(price), bid: None, ask: None, origin: QuoteOrigin::SynthesisedFromBars };
    MarketEvent::Quoted { quote, stamp: MarketStamp::tape(MarketTime(at)) }
}

/// One quote for each of 25 instruments, with a position open in one of them.
fn quotes(criterion: &mut Criterion) {
    let mut world = World::new();
    world.place(OrderKind::Market, 1_000_000_000);
    world.open();
    let mut tick = 0_i64;
    let mut group = criterion.benchmark_group("quotes");
    group.throughput(Throughput::Elements(25));
    group.bench_function("25 instruments", |bencher| {
        bencher.iter(|| {
            tick += 1;
            for instrument in 1..=25 {
                let event = quote(InstrumentId(instrument), 100_000_000_000 + (tick % 97) * 10_000_000, world.at + tick * 1_000);
                world.broker.on_market(&event);
                world.engine.handle(&Event::Market(event), &mut world.outcome);
            }
            black_box(&world.outcome);
        });
    });
    group.finish();
}

/// What breakers add to a quote: the same quotes in a book that holds every stock, with the shipped table and without one.
fn breakers_per_quote(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breakers");
    for (name, is_on) in [("off", false), ("shipped", true)] {
        group.throughput(Throughput::Elements(25));
        group.bench_function(BenchmarkId::new("25 quotes", name), |bencher| {
            let mut world = World::with_breakers(is_on);
            world.fill(200, 0);
            let mut tick = 0_i64;
            bencher.iter(|| {
                tick += 1;
                for instrument in 1..=25 {
                    let event =
                        quote(InstrumentId(instrument), 100_000_000_000 + (tick % 97) * 10_000_000, world.at + tick * 1_000);
                    world.engine.handle(&Event::Market(event), &mut world.outcome);
                }
                black_box(&world.outcome);
            });
        });
    }
    group.finish();
}

/// Every pre-trade check of one order, as the preview and the gate make them.
fn pretrade(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pretrade");
    for (positions, resting) in [(0, 0), (200, 0), (200, 1_000)] {
        let request = OrderRequest {
            instrument: STOCK,
            side: OrderSide::Buy,
            quantity: Quantity::from_nanos(1_000_000_000),
            kind: OrderKind::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection { stop_loss: Some(Price::from_nanos(95_000_000_000)), take_profit: None },
            closes: None,
            origin: Origin::Ticket,
        };
        let name = format!("{positions} positions, {resting} orders");
        group.bench_function(BenchmarkId::new("all checks", name), |bencher| {
            let mut world = World::new();
            world.fill(positions, resting);
            // What moves with it is found once for each instrument and day: by the first order, which is not this one.
            world.at += STEP;
            world.quote(STOCK, 100);
            world.place(OrderKind::Limit(Price::from_nanos(79_990_000_000)), 100_000_000);
            world.at += STEP;
            world.quote(STOCK, 100);
            bencher.iter(|| black_box(world.engine.assess(black_box(&request))));
        });
    }
    group.finish();
}

/// The cost of an order, confirm to booked fill, as history and the book of resting orders grow.
fn orders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("order");
    group.throughput(Throughput::Elements(2)).sample_size(30).measurement_time(Duration::from_secs(4));
    let mut world = World::new();
    for history in [100_u64, 1_000, 10_000, 100_000] {
        group.bench_function(BenchmarkId::new("history", history), |bencher| {
            while world.orders < history {
                world.round_trip();
            }
            bencher.iter_custom(|count| {
                let began = Instant::now();
                for _ in 0..count {
                    world.round_trip();
                }
                began.elapsed()
            });
        });
    }
    for resting in [0_i64, 1_000] {
        let mut world = World::new();
        let mut is_made = false;
        group.bench_function(BenchmarkId::new("resting", resting), |bencher| {
            if !std::mem::replace(&mut is_made, true) {
                world.fill(0, resting);
            }
            bencher.iter_custom(|count| {
                let began = Instant::now();
                for _ in 0..count {
                    world.round_trip();
                }
                began.elapsed()
            });
        });
    }
    group.finish();
}

/// Durable commits of the ledger, one entry and a hundred entries a commit.
fn journal(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut file = LedgerFile::open(&folder.path().join("ledger.db"), LedgerId(1)).unwrap();
    let body = InputBody::Command { actor: Actor::Person, command: Command::ArmPaper };
    let entry = Entry { market_index: 1, market_at: MarketTime(1), body: Body::Input(Input { wall: WallTime(1), body }) };
    let mut group = criterion.benchmark_group("journal");
    for entries in [1_usize, 100] {
        let batch = vec![entry.clone(); entries];
        group.throughput(Throughput::Elements(entries as u64));
        group.bench_function(BenchmarkId::new("commit", entries), |bencher| {
            bencher.iter(|| file.append(RunId(1), &batch).unwrap())
        });
    }
    group.finish();
}

/// Ten months of 30 series through engine, exchange, layers, checks and ledger, every proposal confirmed.
fn history(criterion: &mut Criterion) {
    let config = pmax::runtime::load_config(std::path::Path::new("none"), pmax::runtime::Named::ByDefault, &[], &[]).unwrap();
    let tape = pmax::market::load("crash-2008").unwrap();
    let instruments = pmax::runtime::instruments().unwrap();
    let settings = pmax::runtime::settings_of(&config);
    let plan = pmax::backtest::Plan {
        setup: Setup { instruments, series: tape.series(), settings, library: Default::default() },
        tape: TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 },
        version: "",
        capital: Money::whole(100_000, Currency::USD).unwrap(),
        from: tape.start().unwrap(),
        until: None,
        since: None,
        opens_until: None,
    };
    let all: Vec<MarketEvent> = pmax::market::Player::new(&tape, 1).collect();
    let bars: Vec<MarketEvent> = all.iter().filter(|event| !matches!(event, MarketEvent::Quoted { .. })).cloned().collect();
    let mut group = criterion.benchmark_group("backtest");
    for (name, events) in [("bars", bars), ("bars and quotes", all)] {
        let count = events.iter().filter(|event| matches!(event, MarketEvent::BarClosed { .. })).count();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("crash-2008", name), |bencher| {
            bencher.iter(|| pmax::backtest::run(&plan, events.iter().cloned()).unwrap().bars);
        });
    }
    group.finish();
}

criterion_group!(benches, quotes, breakers_per_quote, pretrade, orders, journal, history);
criterion_main!(benches);
