//! Engine, adapter, client, link and simulator over real sockets: five hundred trades, equal to the cent.

use std::collections::BTreeMap;
use std::time::{Duration as StdDuration, Instant};

use pmax::broker::xapi::{Adapter, Address, Client, ClientEvent, Link, LinkState, Secret, Settings as ClientSettings};
use pmax::broker::{Standing, Wake};
use pmax::domain::{
    Actor, BrokerKind, Capabilities, Contract, Currency, DealId, Duration, InstrumentId, LedgerId, MarketEvent, MarketStamp,
    MarketTime, Money, OrderId, OrderKind, OrderSide, PositionId, Price, Protection, Quantity, Quote, QuoteOrigin, Ratio,
    RiskDay, RunId, SeriesInfo, TimeInForce, WallTime,
};
use pmax::engine::{Command, Effect, Engine, Event, Input, InputBody, Outcome, RunInput, Seen, TapeRef, Ticket};
use pmax::orders::OrderState;
use pmax::risk::Acknowledged;
use pmax::runtime::wall_now;
use pmax::simulator::{Catalogue, Faults, Listen, Prices, ServerHandle, Settings, Variants};

use crate::support::deadline;
use crate::world;

const ROUNDS: usize = 170;
/// Instrument, symbol, price, units in a lot, a step of its price in units of 1e-9.
const TRADED: [(u32, &str, i64, i64, i64); 3] = [
    (6, "EURUSD", 1_084_300_000, 100_000, 10_000),
    (7, "OIL.WTI", 71_200_000_000, 1_000, 10_000_000),
    (1, "US500", 5_441_000_000_000, 50, 100_000_000),
];

struct Desk {
    engine: Engine,
    outcome: Outcome,
    adapter: Adapter,
    link: Link,
    server: ServerHandle,
    prices: BTreeMap<u32, i64>,
    is_ready: bool,
}

fn desk() -> Desk {
    let settings = Settings {
        user: "20001".to_owned(),
        password: "secret".to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 11,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: Duration(0),
    };
    let catalogue = Catalogue::shipped().unwrap();
    let market = |(id, symbol, _, size, _): (u32, &str, i64, i64, i64)| {
        let listing = catalogue.get(symbol).unwrap();
        let ([lot_min, _, lot_step], digits) = (listing.lot, listing.digits);
        (InstrumentId(id), Contract { symbol: symbol.to_owned(), contract_size: size, lot_min, lot_step, digits })
    };
    let adapter = Adapter::new(TRADED.map(market).into_iter().collect());
    let listen = Listen { websocket: Some(0), ..Listen::default() };
    let server = ServerHandle::start(settings, catalogue, listen, Prices::Told, wall_now).unwrap();
    let usual = ClientSettings::usual("20001".to_owned(), Secret::new("secret"), 1);
    let client = Client::new(ClientSettings { spacing: Duration::millis(1), ..usual });
    let address = Address { host: "127.0.0.1".to_owned(), port: server.websocket.unwrap(), path: "/demo".to_owned(), tls: None };
    let link = Link::start(client, address, wall_now, Wake::nobody()).unwrap();
    let (_, mut setup) = world::setup("crash-2020");
    let capabilities = Capabilities { has_range: false, has_volume: false, is_adjusted: false };
    let series = |(id, ..): (u32, &str, i64, i64, i64)| SeriesInfo {
        instrument: InstrumentId(id),
        capabilities,
        source: "sockets".to_owned(),
        last_print: None,
    };
    setup.series = TRADED.map(series).to_vec();
    let mut instruments: Vec<_> = setup.instruments.iter().cloned().collect();
    instruments.iter_mut().filter(|known| known.id == InstrumentId(1)).for_each(|index| {
        // The contract on the index may be traded; a tenth of a point is its step, half a unit its lot.
        (index.tradable, index.tick) = (true, "0.1".parse().unwrap());
        (index.lot, index.min_quantity) = ("0.5".parse().unwrap(), "0.5".parse().unwrap());
    });
    setup.instruments = std::sync::Arc::new(pmax::domain::InstrumentTable::new(instruments).unwrap());
    setup.settings.broker = BrokerKind::Xapi;
    setup.settings.limits.trades_per_day = 1_000_000;
    setup.settings.limits.max_sector = Ratio::from_nanos(3_000_000_000);
    let prices = TRADED.iter().map(|(id, _, price, ..)| (*id, *price)).collect();
    let engine = Engine::new(&setup);
    let mut desk = Desk { engine, outcome: Outcome::default(), adapter, link, server, prices, is_ready: false };
    desk.input(InputBody::Run(RunInput::Opened {
        run: RunId(1),
        ledger: LedgerId(5),
        tape: TapeRef { name: "sockets".to_owned(), sha256: String::new(), seed: 0 },
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
    desk.quote(0);
    desk.until("the link", |desk| desk.is_ready);
    desk.command(Command::ArmPaper);
    desk
}

impl Desk {
    fn input(&mut self, body: InputBody) {
        self.engine.handle(&Event::Input(Input { wall: wall_now(), body }), &mut self.outcome);
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.adapter.submit(order.into_inner()),
                Effect::Cancel(order) => self.adapter.cancel(order),
                Effect::Withdraw(order) => self.adapter.withdraw(order),
                Effect::Modify { order, quantity, kind } => self.adapter.modify(order, quantity, kind),
                Effect::Protect { position, protection, legs } => self.adapter.protect(position, protection, legs),
                Effect::QueryBroker | Effect::Comment(_) => {}
            }
        }
        self.exchange();
    }

    fn exchange(&mut self) {
        for request in self.adapter.requests() {
            assert!(self.link.ask(request), "the link takes requests");
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
            if let ClientEvent::Link(state) = &event {
                self.is_ready = *state == LinkState::Ready;
            }
            self.adapter.set_now(self.engine.market().now());
            self.adapter.hear(&event);
            self.exchange();
        }
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + deadline();
        while !is_so(self) {
            self.hear();
            assert!(Instant::now() < end, "never came: {what}; {:?}", self.engine.book().alerts().back());
            std::thread::sleep(StdDuration::from_micros(300));
        }
    }

    /// Moves every price by so many of its steps, there and here.
    fn quote(&mut self, steps: i64) {
        for (id, symbol, _, _, step) in TRADED {
            let price = self.prices[&id] + steps * step;
            self.prices.insert(id, price);
            let price = Price::from_nanos(price);
            self.server.price(symbol, price);
            let quote = Quote { instrument: InstrumentId(id), last: price, bid: None, ask: None, origin: QuoteOrigin::Venue };
            let stamp = MarketStamp::tape(MarketTime(wall_now().0));
            self.engine.handle(&Event::Market(MarketEvent::Quoted { quote, stamp }), &mut self.outcome);
        }
        assert!(self.server.look(|_| ()).is_some(), "the prices have been taken");
    }

    fn state(&self, order: OrderId) -> Option<OrderState> {
        self.engine.book().orders().get(order).map(|tracked| tracked.state)
    }

    fn place(&mut self, id: u32, side: OrderSide, lots: i64, kind: OrderKind, protection: Protection) -> OrderId {
        self.place_for(id, side, lots, kind, protection, TimeInForce::GoodTillCancelled)
    }

    /// Tells the broker a time after the end of this risk day.
    fn end_the_day(&mut self) {
        let (id, symbol, ..) = TRADED[0];
        let end = RiskDay::of(self.engine.market().now()).ends_at;
        assert!(self.server.tape_price(symbol, Price::from_nanos(self.prices[&id]), WallTime(end.0 + 1)));
    }

    fn place_for(
        &mut self,
        id: u32,
        side: OrderSide,
        lots: i64,
        kind: OrderKind,
        protection: Protection,
        time_in_force: TimeInForce,
    ) -> OrderId {
        let size = TRADED.iter().find(|(known, ..)| *known == id).unwrap().3;
        let quantity = Quantity::from_nanos(size * 10_000_000 * lots);
        let order = self.engine.book().next_order();
        let ticket = Ticket { instrument: InstrumentId(id), side, quantity, kind, time_in_force, protection };
        self.command(Command::PlaceOrder {
            ticket,
            acknowledged: Acknowledged::Precautions,
            seen: Seen { price: None, quantity },
        });
        order
    }

    fn level(&self, id: u32, steps: i64) -> Price {
        let step = TRADED.iter().find(|(known, ..)| *known == id).unwrap().4;
        Price::from_nanos(self.prices[&id] + steps * step)
    }

    fn close(&mut self, position: PositionId, quantity: Option<Quantity>) {
        let order = self.engine.book().next_order();
        self.command(Command::ClosePosition { position, quantity });
        self.until("the close", |desk| desk.state(order) == Some(OrderState::Filled));
    }
}

#[test]
fn five_hundred_trades_over_sockets_end_equal_to_the_cent() {
    let mut desk = desk();
    for round in 0..ROUNDS {
        let (id, _, _, size, _) = TRADED[round % 3];
        let side = if round % 2 == 0 { OrderSide::Buy } else { OrderSide::Sell };
        let away = if side == OrderSide::Buy { 1 } else { -1 };
        desk.quote(if round % 5 < 3 { 3 } else { -4 });
        // At market with exits; one exit is moved; half is closed, then the rest.
        let protection =
            Protection { stop_loss: Some(desk.level(id, -away * 400)), take_profit: Some(desk.level(id, away * 400)) };
        let order = desk.place(id, side, 2, OrderKind::Market, protection);
        desk.until("the fill", |desk| desk.state(order) == Some(OrderState::Filled));
        let position = PositionId(order.0);
        let moved = Protection { stop_loss: Some(desk.level(id, -away * 500)), take_profit: None };
        desk.command(Command::ProtectPosition { position, protection: moved });
        desk.until("the exits", |desk| desk.state(OrderId(order.0 + 2)) == Some(OrderState::Cancelled));
        desk.quote(2);
        desk.close(position, Some(Quantity::from_nanos(size * 10_000_000)));
        desk.quote(-1);
        desk.close(position, None);
        // A waiting order that is changed and then triggers or is cancelled.
        let entry = desk.level(id, -away * 300);
        let stop = Protection { stop_loss: Some(desk.level(id, -away * 900)), take_profit: None };
        let order = desk.place(id, side, 1, OrderKind::Limit(entry), stop);
        desk.until("the waiting order", |desk| matches!(desk.state(order), Some(OrderState::Open(_))));
        if round % 2 == 0 {
            desk.command(Command::CancelOrder { order });
            desk.until("the cancel", |desk| desk.state(order) == Some(OrderState::Cancelled));
        } else {
            desk.quote(-away * 350);
            desk.until("the trigger", |desk| desk.state(order) == Some(OrderState::Filled));
            desk.quote(away * 350);
            desk.close(PositionId(order.0), None);
        }
    }
    // Day orders that nobody touches end with their day.
    let mut waiting = Vec::new();
    for (id, ..) in TRADED {
        for steps in [300, 310, 320] {
            let stop = Protection { stop_loss: Some(desk.level(id, -900)), take_profit: None };
            waiting.push(desk.place_for(id, OrderSide::Buy, 1, OrderKind::Limit(desk.level(id, -steps)), stop, TimeInForce::Day));
        }
    }
    desk.until("the waiting orders", |desk| waiting.iter().all(|order| matches!(desk.state(*order), Some(OrderState::Open(_)))));
    desk.end_the_day();
    desk.until("their end", |desk| waiting.iter().all(|order| desk.state(*order) == Some(OrderState::Expired)));
    let (balance, closed, open) = desk
        .server
        .look(|simulator| {
            (simulator.dealer().figures().balance, simulator.dealer().closed().len(), simulator.dealer().positions().len())
        })
        .unwrap();
    let ledger = desk.engine.book().ledger();
    assert!(open == 0 && ledger.positions().is_empty());
    assert_eq!(ledger.realised().nanos() - ledger.costs().nanos(), balance - 100_000_000_000_000, "to the cent");
    assert!(closed >= 400, "closed in parts: {closed}");
    let trades = desk.engine.book().ledger().deals().len();
    assert!(trades >= 500, "trades: {trades}");
    assert!(desk.engine.book().alerts().iter().all(|alert| !alert.text.contains("does not fit")), "no report was contradicted");
}
