//! Orders on a line that goes bad at a known moment: engine, adapter, link and simulator over real sockets, with shortened times.
//!
//! `xapi_line.rs` puts a whole workstation on such a line. Here the pieces are in the test's own hand, so that the line goes bad
//! just before a request is written, just after, or once it was carried out and nobody here has heard of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant};

use pmax::broker::xapi::{
    Adapter, Address, Ask, AskId, Client, ClientEvent, Link, LinkState, Secret, Settings as ClientSettings,
};
use pmax::broker::{Standing, Wake};
use pmax::domain::{
    Actor, BrokerKind, Capabilities, Currency, DealId, Duration, InstrumentId, LedgerId, MarketEvent, MarketStamp, MarketTime,
    Money, OrderId, OrderKind, OrderSide, PositionId, Price, Protection, Quantity, Quote, QuoteOrigin, RunId, SeriesInfo,
    TimeInForce, WallTime,
};
use pmax::engine::{Command, Effect, Engine, Event, Input, InputBody, Outcome, RunInput, Seen, Setup, TapeRef, Ticket};
use pmax::orders::{OrderState, OrderStep};
use pmax::risk::Acknowledged;
use pmax::runtime::{contracts_of, wall_now};
use pmax::simulator::{Catalogue, Faults, Listen, Prices, ServerHandle, Settings, Variants};

use crate::support::deadline;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::world;

const EURO: InstrumentId = InstrumentId(6);
const SYMBOL: &str = "EURUSD";
const BALANCE: i64 = 100_000_000_000_000;
/// A request that a slow line holds for this time has been given up long before it arrives.
const LATE: StdDuration = StdDuration::from_secs(2);

/// Five seconds by the usual deadline: so soon a loss is noticed, and so soon after its end everything has been compared. It
/// grows with the deadline where a machine is loaded.
fn within() -> StdDuration {
    deadline() / 4
}

/// The times of an account, without the protocol's spacing.
fn usual() -> ClientSettings {
    let usual = ClientSettings::usual("20001".to_owned(), Secret::new("secret"), 1);
    ClientSettings { spacing: Duration::millis(1), ..usual }
}

/// Shortened times. The drawn prices of the simulator, four a second, keep its stream from being silent for as long as half a
/// second.
fn hasty() -> ClientSettings {
    ClientSettings {
        ping_every: Duration::millis(100),
        reply_within: Duration::millis(300),
        silence_within: Duration::millis(500),
        first_retry: Duration::millis(20),
        longest_retry: Duration::millis(200),
        ..usual()
    }
}

fn simulated() -> Settings {
    Settings {
        user: "20001".to_owned(),
        password: "secret".to_owned(),
        currency: "USD".to_owned(),
        balance: BALANCE,
        seed: 5,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: Duration(0),
    }
}

fn setup() -> Setup {
    let (_, mut setup) = world::setup("crash-2020");
    let capabilities = Capabilities { has_range: false, has_volume: false, is_adjusted: false };
    setup.series = vec![SeriesInfo { instrument: EURO, capabilities, source: "faults".to_owned(), last_print: None }];
    setup.instruments = Arc::new(setup.instruments.at(BrokerKind::Xapi));
    setup.settings.broker = BrokerKind::Xapi;
    (setup.settings.limits.trades_per_day, setup.settings.limits.orders_per_minute) = (1_000_000, None);
    setup
}

struct Desk {
    engine: Engine,
    outcome: Outcome,
    adapter: Adapter,
    link: Link,
    proxy: FaultProxy,
    server: ServerHandle,
    is_ready: bool,
    /// How often the link was lost.
    losses: u32,
    /// When the last complete look was begun.
    compared: Option<WallTime>,
    /// Marks of the requests, and how often one was written.
    asked: BTreeMap<AskId, String>,
    written: BTreeMap<String, u32>,
}

impl Desk {
    /// A link over a whole line, armed, with a price.
    fn new(settings: ClientSettings) -> Self {
        let listen = Listen { websocket: Some(0), ..Listen::default() };
        let catalogue = Catalogue::shipped().unwrap();
        let server = ServerHandle::start(simulated(), catalogue, listen, Prices::Drawn(5), wall_now).unwrap();
        let proxy = FaultProxy::to(server.websocket.unwrap());
        let address = Address { host: "127.0.0.1".to_owned(), port: proxy.port, path: "/demo".to_owned(), tls: None };
        let link = Link::start(Client::new(settings), address, wall_now, Wake::nobody()).unwrap();
        assert!(link.ask(Ask::Watch(BTreeSet::from([SYMBOL.to_owned()]))), "the link takes wishes");
        let setup = setup();
        let mut desk = Self {
            engine: Engine::new(&setup),
            outcome: Outcome::default(),
            adapter: Adapter::new(contracts_of(&setup.instruments)),
            link,
            proxy,
            server,
            is_ready: false,
            losses: 0,
            compared: None,
            asked: BTreeMap::new(),
            written: BTreeMap::new(),
        };
        desk.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(6),
            tape: TapeRef { name: "faults".to_owned(), sha256: String::new(), seed: 0 },
            capital: Money::whole(100_000, Currency::USD).unwrap(),
            version: String::new(),
            settings: setup.settings.clone(),
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until: MarketTime(0),
        }));
        let book = desk.engine.book();
        desk.adapter.restore(Standing {
            ledger_id: book.ledger_id(),
            first_order: book.first_order(),
            ledger: book.ledger(),
            orders: book.orders(),
            next_deal: book.next_deal(),
            volumes: &[],
            prices: &[],
        });
        desk.until("the link and a price", |desk| {
            desk.is_ready && desk.engine.market().get(EURO).is_some_and(|series| series.last().is_some())
        });
        desk.command(Command::ArmPaper);
        desk
    }

    fn input(&mut self, body: InputBody) {
        self.engine.handle(&Event::Input(Input { wall: wall_now(), body }), &mut self.outcome);
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.adapter.submit(order.into_inner()),
                Effect::Cancel(order) => self.adapter.cancel(order),
                Effect::Withdraw(order) => self.adapter.withdraw(order),
                Effect::Modify { order, quantity, kind } => self.adapter.modify(order, quantity, kind),
                Effect::Protect { position, protection, legs } => self.adapter.protect(position, protection, legs),
                Effect::QueryBroker => assert!(self.link.ask(Ask::Snapshot), "the link takes wishes"),
                Effect::Comment(_) | Effect::Opine(_) => {}
            }
        }
        self.exchange();
    }

    fn exchange(&mut self) {
        for ask in self.adapter.requests() {
            if let Ask::Trade { id, request, .. } = &ask {
                self.asked.insert(*id, request.mark.clone());
            }
            assert!(self.link.ask(ask), "the link takes wishes");
        }
        let mut reports = Vec::new();
        self.adapter.reports(&mut reports);
        for report in reports {
            self.input(InputBody::Broker(report));
        }
    }

    fn command(&mut self, command: Command) {
        self.input(InputBody::Command { actor: Actor::Person, command });
        assert_eq!(self.outcome.refusal, None);
    }

    fn hear(&mut self) {
        while let Some(event) = self.link.next() {
            self.note(&event);
            self.adapter.set_now(self.engine.market().now());
            self.adapter.hear(&event);
            self.exchange();
        }
    }

    fn note(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Link(state) => {
                self.is_ready = *state == LinkState::Ready;
                self.losses += u32::from(matches!(state, LinkState::Down { .. }));
            }
            ClientEvent::Snapshot(snapshot) => self.compared = Some(snapshot.began),
            ClientEvent::Written(id) => {
                let mark = self.asked.get(id).cloned().unwrap();
                *self.written.entry(mark).or_default() += 1;
            }
            ClientEvent::Tick(tick) if tick.symbol == SYMBOL => self.quote(tick.bid.price()),
            _ => {}
        }
    }

    fn quote(&mut self, last: Price) {
        let quote = Quote { instrument: EURO, last, bid: None, ask: None, origin: QuoteOrigin::Venue };
        let stamp = MarketStamp::tape(MarketTime(wall_now().0));
        self.engine.handle(&Event::Market(MarketEvent::Quoted { quote, stamp }), &mut self.outcome);
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + deadline();
        while !is_so(self) {
            self.hear();
            assert!(Instant::now() < end, "never came: {what}; {:?}", self.engine.book().alerts().back());
            std::thread::sleep(StdDuration::from_millis(1));
        }
    }

    fn state(&self, order: OrderId) -> Option<OrderState> {
        self.engine.book().orders().get(order).map(|tracked| tracked.state)
    }

    /// Whether it was UNKNOWN once.
    fn was_unknown(&self, order: OrderId) -> bool {
        let tracked = self.engine.book().orders().get(order);
        tracked.is_some_and(|tracked| tracked.history.iter().any(|entry| entry.step == OrderStep::LoseReply))
    }

    fn times_written(&self, order: OrderId) -> u32 {
        self.written.get(&self.adapter.mark(order)).copied().unwrap_or(0)
    }

    /// Marks of everything that has traded at the broker.
    fn marks(&self) -> Vec<String> {
        let marks = self.server.look(|simulator| {
            let dealer = simulator.dealer();
            let open = dealer.positions().values().map(|trade| trade.mark.clone());
            open.chain(dealer.closed().iter().map(|closed| closed.trade.mark.clone())).collect::<Vec<String>>()
        });
        marks.unwrap()
    }

    fn times_traded(&self, order: OrderId) -> usize {
        let mark = self.adapter.mark(order);
        self.marks().into_iter().filter(|traded| *traded == mark).count()
    }

    fn buy(&mut self) -> OrderId {
        let order = self.engine.book().next_order();
        let quantity: Quantity = "1000".parse().unwrap();
        let protection = Protection { stop_loss: Some("1.00000".parse().unwrap()), take_profit: None };
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
        order
    }

    /// Buys and waits until it is so for the order. On a loaded machine the link may have been lost a moment before: what was not
    /// sent is bought again.
    fn buy_until(&mut self, what: &str, is_so: impl Fn(&Self, OrderId) -> bool) -> OrderId {
        loop {
            self.until("the link", |desk| desk.is_ready);
            let order = self.buy();
            self.until(what, |desk| {
                is_so(desk, order) || matches!(desk.state(order), Some(OrderState::Rejected | OrderState::ExpiredUnsent))
            });
            if is_so(self, order) {
                return order;
            }
        }
    }

    fn close(&mut self, order: OrderId) {
        let closing = self.engine.book().next_order();
        self.command(Command::ClosePosition { position: PositionId(order.0), quantity: None });
        self.until("the close", |desk| desk.state(closing) == Some(OrderState::Filled));
    }

    /// The loss is noticed; then the line is mended, and everything is compared anew. `since` is when the line went bad: while it
    /// is, no look can be complete.
    fn comes_back(&mut self, losses: u32, since: (Instant, WallTime)) {
        self.until("the loss to be noticed", |desk| desk.losses > losses);
        let noticed = since.0.elapsed();
        assert!(noticed <= within(), "noticed after {noticed:?}");
        self.proxy.set(Fault::None);
        let mended = Instant::now();
        self.until("the link and a look at everything", |desk| desk.is_ready && desk.compared.is_some_and(|at| at > since.1));
        let took = mended.elapsed();
        assert!(took <= within(), "back after {took:?}");
    }

    /// The order ends as the broker has it: it has traded once, or not at all. Where nobody can know yet it is UNKNOWN, and
    /// nothing of it is there.
    fn ends_once(&mut self, order: OrderId) {
        self.until("the order to be as the broker has it", |desk| {
            matches!(
                (desk.state(order), desk.times_traded(order)),
                (Some(OrderState::Filled), 1..)
                    | (Some(OrderState::Unknown | OrderState::Rejected | OrderState::ExpiredUnsent | OrderState::NotPlaced), 0)
            )
        });
        assert!(self.times_traded(order) <= 1 && self.times_written(order) <= 1, "{:?}", self.marks());
        assert_eq!(self.engine.book().ledger().positions().len(), self.marks().len(), "nothing else has traded");
    }
}

/// When the line goes bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before the request is written; the client does not know yet.
    Before,
    /// When it has just been written.
    Written,
    /// When it was carried out and neither reply nor stream have told of it.
    CarriedOut,
}

fn goes_dead(proxy: &FaultProxy) {
    proxy.set(Fault::BlackHole);
}

fn is_refused(proxy: &FaultProxy) {
    proxy.set(Fault::Refuse);
    proxy.reset();
}

/// An order is on its way when the line goes bad.
fn an_order_meets(begin: fn(&FaultProxy)) {
    for moment in [Moment::Before, Moment::Written, Moment::CarriedOut] {
        let mut desk = Desk::new(hasty());
        let placed = match moment {
            Moment::Before => None,
            Moment::Written => Some(desk.buy_until("the request to be written", |desk, order| desk.times_written(order) == 1)),
            Moment::CarriedOut => {
                desk.server.set_faults(Faults { lost_reply: 1_000, lost_stream: 1_000, ..Faults::default() });
                let order = desk.buy_until("the request to be carried out", |desk, order| desk.times_traded(order) == 1);
                desk.server.set_faults(Faults::default());
                Some(order)
            }
        };
        let (losses, since) = (desk.losses, (Instant::now(), wall_now()));
        begin(&desk.proxy);
        let order = placed.unwrap_or_else(|| desk.buy());
        desk.comes_back(losses, since);
        desk.ends_once(order);
        if moment == Moment::CarriedOut {
            assert_eq!(desk.state(order), Some(OrderState::Filled), "the look finds what nobody told");
            assert!(desk.was_unknown(order), "until then it was in doubt");
        }
    }
}

#[test]
fn an_order_on_a_line_that_is_reset_trades_once_or_not_at_all() {
    an_order_meets(FaultProxy::reset);
}

#[test]
fn an_order_on_a_line_that_is_half_closed_trades_once_or_not_at_all() {
    an_order_meets(FaultProxy::half_close);
}

#[test]
fn an_order_on_a_half_open_line_trades_once_or_not_at_all() {
    an_order_meets(goes_dead);
}

#[test]
fn an_order_at_a_broker_that_takes_no_connection_trades_once_or_not_at_all() {
    an_order_meets(is_refused);
}

#[test]
fn a_request_that_arrives_after_it_was_given_up_is_found_and_counts_once() {
    // No ping goes ahead of the request and no pause of the prices ends the link: the slow line holds the request alone.
    let settings = ClientSettings { ping_every: Duration::seconds(60), silence_within: Duration::seconds(5), ..hasty() };
    let mut desk = Desk::new(settings);
    desk.proxy.set(Fault::Delay(LATE));
    let order = desk.buy();
    desk.until("the request to be given up", |desk| desk.was_unknown(order));
    desk.proxy.set(Fault::None);
    desk.until("its trade", |desk| desk.state(order) == Some(OrderState::Filled));
    desk.ends_once(order);
}

#[test]
fn orders_on_a_slow_line_and_on_one_that_cuts_everything_into_bytes_are_answered() {
    for fault in [Fault::Delay(StdDuration::from_millis(20)), Fault::Slice] {
        let mut desk = Desk::new(usual());
        desk.proxy.set(fault);
        for _ in 0..5 {
            let order = desk.buy();
            desk.until("the fill", |desk| desk.state(order) == Some(OrderState::Filled));
            desk.close(order);
        }
        assert_eq!(desk.losses, 0, "{fault:?} is no reason to give the link up");
        let (balance, open) =
            desk.server.look(|simulator| (simulator.dealer().figures().balance, simulator.dealer().positions().len())).unwrap();
        let ledger = desk.engine.book().ledger();
        assert!(open == 0 && ledger.positions().is_empty());
        assert_eq!(ledger.realised().nanos() - ledger.costs().nanos(), balance - BALANCE, "to the cent");
    }
}

#[test]
fn a_line_that_goes_bad_again_and_again_comes_back_every_time() {
    let mut desk = Desk::new(hasty());
    let faults: [fn(&FaultProxy); 7] =
        [FaultProxy::reset, goes_dead, FaultProxy::half_close, is_refused, FaultProxy::reset, goes_dead, is_refused];
    for begin in faults {
        desk.until("the link", |desk| desk.is_ready);
        let (losses, since) = (desk.losses, (Instant::now(), wall_now()));
        begin(&desk.proxy);
        desk.comes_back(losses, since);
    }
    let order = desk.buy_until("the fill", |desk, order| desk.state(order) == Some(OrderState::Filled));
    desk.ends_once(order);
}
