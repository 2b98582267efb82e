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
use pmax::engine::{
    Command, Effect, Engine, Event, Input, InputBody, OrderRecord, Outcome, PortfolioRecord, Record, RunInput, Seen,
    SnapshotRequest, TapeRef, Ticket, TradingRecord,
};
use pmax::orders::{OrderState, OrderStep};
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
    /// Records that a run without an error has none of.
    wrong: Vec<String>,
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
    (setup.settings.limits.trades_per_day, setup.settings.limits.orders_per_minute) = (1_000_000, None);
    (setup.settings.limits.max_position, setup.settings.limits.max_sector) =
        (Ratio::from_nanos(100_000_000), Ratio::from_nanos(3_000_000_000));
    let prices = TRADED.iter().map(|(id, _, price, ..)| (*id, *price)).collect();
    let engine = Engine::new(&setup);
    let mut desk =
        Desk { engine, outcome: Outcome::default(), adapter, link, server, prices, is_ready: false, wrong: Vec::new() };
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
        let is_wrong = |record: &&Record| match record {
            Record::Order(OrderRecord::Stepped { step, .. }) => !matches!(
                step,
                OrderStep::Send
                    | OrderStep::Accept
                    | OrderStep::Trigger
                    | OrderStep::FillPart
                    | OrderStep::FillAll
                    | OrderStep::AskModify
                    | OrderStep::Modify
                    | OrderStep::AskCancel
                    | OrderStep::Cancel
                    | OrderStep::Expire
                    | OrderStep::Reappear
            ),
            Record::Order(OrderRecord::Refused { .. } | OrderRecord::Contradicted { .. } | OrderRecord::ReplyLost { .. }) => true,
            Record::Portfolio(PortfolioRecord::FillContradicted { .. }) => true,
            Record::Trading(TradingRecord::PositionsDiffer { since: Some(_) } | TradingRecord::StateChanged { .. }) => true,
            _ => false,
        };
        self.wrong.extend(self.outcome.records.iter().filter(is_wrong).map(|record| format!("{record:?}")));
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.adapter.submit(order.into_inner()),
                Effect::Cancel(order) => self.adapter.cancel(order),
                Effect::Withdraw(order) => self.adapter.withdraw(order),
                Effect::Modify { order, quantity, kind } => self.adapter.modify(order, quantity, kind),
                Effect::Protect { position, protection, legs } => self.adapter.protect(position, protection, legs),
                Effect::QueryBroker | Effect::Comment(_) | Effect::Opine(_) => {}
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
            if Instant::now() >= end {
                let said: Vec<String> = self
                    .engine
                    .snapshot(&SnapshotRequest::default())
                    .activity
                    .iter()
                    .take(12)
                    .map(|line| line.text.clone())
                    .collect();
                panic!("never came: {what}; {said:#?}");
            }
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

/// What was traded, by kind.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Kinds {
    markets: usize,
    limits: usize,
    stops: usize,
    changes: usize,
    cancels: usize,
    parts: usize,
    stopped_out: usize,
    targets: usize,
    expiries: usize,
}

impl Desk {
    /// At market with exits; one exit is moved; half is closed by hand and the rest by hand, by its stop or by its target.
    fn trade_at_market(&mut self, round: usize, id: u32, side: OrderSide, kinds: &mut Kinds) {
        let size = TRADED.iter().find(|(known, ..)| *known == id).unwrap().3;
        let away = if side == OrderSide::Buy { 1 } else { -1 };
        let target = self.level(id, away * 400);
        let protection = Protection { stop_loss: Some(self.level(id, -away * 400)), take_profit: Some(target) };
        let order = self.place(id, side, 2, OrderKind::Market, protection);
        self.until("the fill", |desk| desk.state(order) == Some(OrderState::Filled));
        let position = PositionId(order.0);
        let by_target = round % 4 == 2;
        let moved = Protection { stop_loss: Some(self.level(id, -away * 300)), take_profit: by_target.then_some(target) };
        self.command(Command::ProtectPosition { position, protection: moved });
        self.until("the exits", |desk| {
            let stop = desk.engine.book().orders().get(OrderId(order.0 + 1)).and_then(|leg| leg.order.request.named_price());
            let is_off = desk.state(OrderId(order.0 + 2)) == Some(OrderState::Cancelled);
            stop == moved.stop_loss && is_off != by_target
        });
        self.quote(2);
        self.close(position, Some(Quantity::from_nanos(size * 10_000_000)));
        self.quote(-1);
        let steps = match round % 4 {
            1 => -away * 350,
            2 => away * 450,
            _ => 0,
        };
        if steps == 0 {
            self.close(position, None);
        } else {
            self.quote(steps);
            let leg = OrderId(order.0 + if steps == -away * 350 { 1 } else { 2 });
            self.until("the exit", |desk| desk.state(leg) == Some(OrderState::Filled));
            self.quote(-steps);
        }
        (kinds.markets, kinds.changes, kinds.parts) = (kinds.markets + 1, kinds.changes + 1, kinds.parts + 1);
        (kinds.stopped_out, kinds.targets) =
            (kinds.stopped_out + usize::from(round % 4 == 1), kinds.targets + usize::from(by_target));
    }

    /// A limit or a stop order that waits, is changed, and then triggers and is closed, or is cancelled.
    fn trade_waiting(&mut self, round: usize, id: u32, side: OrderSide, kinds: &mut Kinds) {
        let away = if side == OrderSide::Buy { 1 } else { -1 };
        let is_stop = round % 4 >= 2;
        let (near, far) = if is_stop { (away * 300, away * 310) } else { (-away * 300, -away * 310) };
        let kind = |price| if is_stop { OrderKind::Stop(price) } else { OrderKind::Limit(price) };
        let stop = Protection { stop_loss: Some(self.level(id, -away * 900)), take_profit: None };
        let order = self.place(id, side, 1, kind(self.level(id, near)), stop);
        self.until("the waiting order", |desk| matches!(desk.state(order), Some(OrderState::Open(_))));
        let (quantity, changed) = (self.engine.book().orders().get(order).unwrap().order.request.quantity, self.level(id, far));
        self.command(Command::ModifyOrder { order, quantity, kind: kind(changed) });
        self.until("the change", |desk| {
            let tracked = desk.engine.book().orders().get(order).unwrap();
            matches!(tracked.state, OrderState::Open(_)) && tracked.order.request.named_price() == Some(changed)
        });
        kinds.changes += 1;
        if round.is_multiple_of(2) {
            self.command(Command::CancelOrder { order });
            self.until("the cancel", |desk| desk.state(order) == Some(OrderState::Cancelled));
            kinds.cancels += 1;
            return;
        }
        let steps = if is_stop { away * 350 } else { -away * 350 };
        self.quote(steps);
        self.until("the trigger", |desk| desk.state(order) == Some(OrderState::Filled));
        self.quote(-steps);
        self.close(PositionId(order.0), None);
        (kinds.stops, kinds.limits) = (kinds.stops + usize::from(is_stop), kinds.limits + usize::from(!is_stop));
    }

    /// Day orders that nobody touches end with their day.
    fn let_orders_expire(&mut self, kinds: &mut Kinds) {
        let mut waiting = Vec::new();
        for (id, ..) in TRADED {
            for steps in [300, 310, 320] {
                let stop = Protection { stop_loss: Some(self.level(id, -900)), take_profit: None };
                let kind = OrderKind::Limit(self.level(id, -steps));
                waiting.push(self.place_for(id, OrderSide::Buy, 1, kind, stop, TimeInForce::Day));
            }
        }
        self.until("the waiting orders", |desk| {
            waiting.iter().all(|order| matches!(desk.state(*order), Some(OrderState::Open(_))))
        });
        self.end_the_day();
        self.until("their end", |desk| waiting.iter().all(|order| desk.state(*order) == Some(OrderState::Expired)));
        kinds.expiries += waiting.len();
    }
}

#[test]
fn five_hundred_trades_over_sockets_end_equal_to_the_cent() {
    let (mut desk, mut kinds) = (desk(), Kinds::default());
    for round in 0..ROUNDS {
        let (id, ..) = TRADED[round % 3];
        let side = if (round / 3) % 2 == 0 { OrderSide::Buy } else { OrderSide::Sell };
        desk.quote(if round % 5 < 3 { 3 } else { -4 });
        desk.trade_at_market(round, id, side, &mut kinds);
        desk.trade_waiting(round, id, side, &mut kinds);
    }
    desk.let_orders_expire(&mut kinds);
    let least = Kinds {
        markets: 170,
        limits: 40,
        stops: 40,
        changes: 300,
        cancels: 80,
        parts: 170,
        stopped_out: 40,
        targets: 40,
        expiries: 9,
    };
    let counts = |kinds: &Kinds| {
        let Kinds { markets, limits, stops, changes, cancels, parts, stopped_out, targets, expiries } = *kinds;
        [markets, limits, stops, changes, cancels, parts, stopped_out, targets, expiries]
    };
    assert!(counts(&kinds).iter().zip(counts(&least)).all(|(done, least)| *done >= least), "of every kind: {kinds:?}");
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
    let trades = ledger.deals().len();
    assert!(trades >= 500, "trades: {trades}");
    assert_eq!(desk.wrong, Vec::<String>::new(), "no order was refused, lost or contradicted");
}
