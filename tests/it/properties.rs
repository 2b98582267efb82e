//! Random lives of the engine with its paper broker: what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use pmax::broker::{Broker, Paper};
use pmax::domain::{
    Actor, Bar, BrokerReport, CleanText, Currency, DealId, InstrumentId, LedgerId, MarketEvent, MarketStamp, MarketTime, Mode,
    Money, Order, OrderId, OrderKind, OrderSide, Origin, Price, Protection, ProtectiveReason, Quantity, Quote, QuoteOrigin,
    RunId, TimeInForce, TradingState, Volume, WallTime,
};
use pmax::engine::{
    Command, Effect, Engine, EngineSettings, Event, Input, InputBody, OrderRecord, Outcome, PortfolioRecord, Record, RunInput,
    Seen, Setup, SnapshotRequest, TapeRef, Ticket,
};
use pmax::orders::OrderStep;
use pmax::risk::{Acknowledged, Approved};
use proptest::prelude::*;

use crate::world;

const CAPITAL: i64 = 100_000;
const HOUR: i64 = 3_600_000_000_000;

/// Everything that happened, in order.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a run's first input carries all settings; a few of them in a test cost nothing")]
pub enum Happened {
    Event(Event),
    Record(Record),
}

/// What becomes of a new order that a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The broker takes it.
    Takes,
    /// The broker rejects it.
    Rejects,
    /// No reply comes.
    Loses,
}

/// The engine and its broker, as the runtime drives them.
pub struct World {
    pub engine: Engine,
    broker: Paper,
    pub setup: Setup,
    outcome: Outcome,
    pub story: Vec<Happened>,
    pub at: i64,
    pub price: BTreeMap<u32, i64>,
    pub answers: Answers,
    /// Wall time that passes before the broker's answers come.
    pub slow: i64,
    fills: Vec<pmax::domain::Fill>,
    /// Reports not handled yet, first come, first served, as in the engine thread.
    waiting: VecDeque<BrokerReport>,
    is_reporting: bool,
    /// Whether reports are handled last come, first served instead: a broker may report in any order.
    is_unruly: bool,
    /// Whether the broker says nothing to changes.
    pub is_mute: bool,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose settings are changed first.
    pub fn with(change: impl FnOnce(&mut EngineSettings)) -> Self {
        Self::with_setup(|setup| change(&mut setup.settings))
    }

    /// A world whose settings or series are changed first.
    pub fn with_setup(change: impl FnOnce(&mut Setup)) -> Self {
        Self::warming_up(MarketTime(0), change)
    }

    /// The same, whose history only warms up until then.
    pub fn warming_up(quiet_until: MarketTime, change: impl FnOnce(&mut Setup)) -> Self {
        let (tape, mut setup) = world::setup("crash-2020");
        (setup.settings.limits.trades_per_day, setup.settings.limits.orders_per_minute) = (1_000, Some(1_000));
        setup.series = tape.series().into_iter().filter(|series| [2, 3, 10].contains(&series.instrument.0)).collect();
        setup.series.iter_mut().for_each(|series| series.last_print = None);
        change(&mut setup);
        let engine = Engine::new(&setup);
        let broker = Paper::new(setup.settings.terms, Currency::USD);
        let price = BTreeMap::from([(2, 50), (3, 100), (10, 200)].map(|(id, price)| (id, price * 1_000_000_000)));
        let (outcome, story, fills) = (Outcome::default(), Vec::new(), Vec::new());
        let mut world = Self {
            engine,
            broker,
            setup,
            outcome,
            story,
            at: 1_582_200_000_000_000_000,
            price,
            answers: Answers::Takes,
            slow: 0,
            fills,
            waiting: VecDeque::new(),
            is_reporting: false,
            is_unruly: false,
            is_mute: false,
        };
        world.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(9),
            tape: TapeRef { name: "random".to_owned(), sha256: String::new(), seed: 0 },
            capital: Money::whole(CAPITAL, Currency::USD).unwrap(),
            version: String::new(),
            settings: world.setup.settings.clone(),
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until,
        }));
        world
    }

    fn handle(&mut self, event: Event) {
        let (mode, state) = (self.engine.book().mode(), self.engine.book().state());
        self.engine.handle(&event, &mut self.outcome);
        self.story.push(Happened::Event(event));
        let records = std::mem::take(&mut self.outcome.records);
        self.check_records(&records, mode, state);
        self.story.extend(records.into_iter().map(Happened::Record));
        let now = self.engine.market().now();
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.submit(order, now),
                Effect::Cancel(order) => self.broker.cancel(order),
                Effect::Withdraw(order) => self.broker.withdraw(order),
                Effect::Modify { .. } if self.is_mute => {}
                Effect::Modify { order, quantity, kind } => self.broker.modify(order, quantity, kind, now),
                Effect::Protect { position, protection, legs } => self.broker.protect(position, protection, legs, now),
                Effect::QueryBroker => self.broker.query(),
                Effect::Comment(_) | Effect::Opine(_) => {}
            }
        }
        let mut reports: Vec<BrokerReport> = Vec::new();
        self.broker.poll(&mut reports);
        self.waiting.extend(reports);
        if self.is_reporting {
            return;
        }
        self.is_reporting = true;
        let mut handled = 0;
        while let Some(report) = if self.is_unruly { self.waiting.pop_back() } else { self.waiting.pop_front() } {
            handled += 1;
            self.at += self.slow;
            assert!(handled < 2_000, "the engine and its broker talk for ever: {:?}", self.story.last());
            self.input(InputBody::Broker(report));
        }
        self.is_reporting = false;
    }

    fn submit(&mut self, order: Approved<Order>, now: MarketTime) {
        let (id, is_protective) = (order.get().id, order.get().request.origin.is_protective());
        let reason = || CleanText::from_outside("test");
        match self.answers {
            Answers::Rejects if !is_protective => {
                self.waiting.push_back(BrokerReport::Rejected { order: id, reason: reason() });
            }
            Answers::Loses if !is_protective => {
                self.waiting.push_back(BrokerReport::ReplyLost { order: id, reason: reason() });
            }
            Answers::Takes | Answers::Rejects | Answers::Loses => self.broker.submit(order, now),
        }
    }

    pub fn input(&mut self, body: InputBody) {
        self.at += 1_000_000;
        self.handle(Event::Input(Input { wall: WallTime(self.at), body }));
    }

    pub fn command(&mut self, command: Command) {
        self.input(InputBody::Command { actor: Actor::Person, command });
    }

    fn market(&mut self, event: MarketEvent) {
        self.broker.on_market(&event);
        self.handle(Event::Market(event));
    }

    /// One bar of every instrument; `moves` are in thousandths.
    pub fn bar(&mut self, moves: [i64; 3], volume: i64) {
        let (open_at, close_at) = (MarketTime(self.at), MarketTime(self.at + 6 * HOUR));
        let stamp = |at| MarketStamp::tape(at);
        for (id, step) in [2, 3].into_iter().zip(moves) {
            let open = Price::from_nanos(self.price[&id] / 1000 * (1000 + step / 2));
            self.market(MarketEvent::BarOpened { instrument: InstrumentId(id), open, stamp: stamp(open_at) });
            self.market(MarketEvent::Quoted {
                quote: Quote {
                    instrument: InstrumentId(id),
                    last: open,
                    bid: None,
                    ask: None,
                    origin: QuoteOrigin::SynthesisedFromBars,
                },
                stamp: stamp(MarketTime(open_at.0 + HOUR)),
            });
        }
        self.at = close_at.0;
        for (id, step) in [2, 3, 10].into_iter().zip(moves) {
            let (before, has_range) = (self.price[&id], id != 10);
            let open = before / 1000 * (1000 + if has_range { step / 2 } else { 0 });
            let close = (before / 1000 * (1000 + step)).max(1_000_000_000);
            let (high, low) = (open.max(close) / 1000 * 1005, open.min(close) / 1000 * 995);
            self.price.insert(id, close);
            let price = Price::from_nanos;
            let bar = Bar {
                instrument: InstrumentId(id),
                open_at,
                close_at,
                open: price(if has_range { open } else { close }),
                high: price(if has_range { high } else { close }),
                low: price(if has_range { low } else { close }),
                close: price(close),
                volume: has_range.then_some(Volume::from_milli(volume * 1_000)),
                has_range,
            };
            self.market(MarketEvent::BarClosed { bar, stamp: stamp(close_at) });
        }
        self.at += 18 * HOUR;
    }

    /// A quote at the last price, at this instant.
    pub fn quote(&mut self, id: u32, at: i64) {
        let (instrument, last) = (InstrumentId(id), Price::from_nanos(self.price[&id]));
        let quote = Quote { instrument, last, bid: None, ask: None, origin: QuoteOrigin::SynthesisedFromBars };
        self.market(MarketEvent::Quoted { quote, stamp: MarketStamp::tape(MarketTime(at)) });
    }

    /// No order without approval in its very outcome, none where none may be.
    fn check_records(&mut self, records: &[Record], mode: Mode, state: TradingState) {
        for (index, record) in records.iter().enumerate() {
            if let Record::Order(OrderRecord::Confirmed { order, .. }) = record {
                let sent = records[index..].iter().any(|later| {
                    matches!(later, Record::Order(OrderRecord::Stepped { order: id, step: OrderStep::Send, .. }) if *id == order.id)
                });
                assert!(sent, "a confirmed order is sent in the same breath");
                let is_kill = order.request.origin == Origin::Protective(ProtectiveReason::KillSwitch);
                assert!(is_kill || (mode != Mode::ReadOnly && state != TradingState::Halted), "{mode:?} {state:?} {order:?}");
                assert!(state != TradingState::Reducing || !order.request.opens_exposure(), "REDUCING opened {order:?}");
            }
            if let Record::Portfolio(PortfolioRecord::Filled { fill, .. }) = record {
                self.fills.push(*fill);
            }
        }
    }

    /// Equity and cash from nothing but the fills and the last prices.
    pub fn check_money(&self) {
        let book = self.engine.book();
        let (mut cash, mut held) = (i128::from(CAPITAL) * 1_000_000_000, BTreeMap::<u32, i128>::new());
        for fill in &self.fills {
            let value = Money::notional(fill.price, fill.quantity, Currency::USD).unwrap().nanos();
            let sign = if fill.side == OrderSide::Buy { 1 } else { -1 };
            cash -= i128::from(value) * sign + i128::from(fill.cost.nanos());
            *held.entry(fill.instrument.0).or_default() += sign * i128::from(fill.quantity.nanos());
        }
        assert_eq!(i128::from(book.ledger().cash().nanos()), cash, "cash is the sum of fills");
        let worth: i128 = held
            .iter()
            .map(|(id, quantity)| {
                let last = book.valuation().last(InstrumentId(*id)).map_or(0, |price| i128::from(price.nanos()));
                quantity * last / 1_000_000_000
            })
            .sum();
        let equity = i128::from(book.performance().equity().nanos());
        assert!((equity - cash - worth).abs() < 10, "equity {equity} is cash {cash} and worth {worth}");
        let ledger = book.ledger();
        let open: i64 = ledger
            .positions()
            .values()
            .map(|position| position.open_profit_at(book.valuation().last(position.instrument).unwrap()).unwrap().nanos())
            .sum();
        let expected =
            i128::from(CAPITAL) * 1_000_000_000 + i128::from(ledger.realised().nanos() + open - ledger.costs().nanos());
        assert!((equity - expected).abs() < 10_000, "capital + profit − costs: {expected}, equity {equity}");
    }

    /// Every working stop equals its position.
    pub fn check_legs(&self) {
        let book = self.engine.book();
        for tracked in book.orders().open().values() {
            let request = &tracked.order.request;
            if request.origin == Origin::Protective(ProtectiveReason::StopLoss) {
                let position = book.ledger().position(request.closes.unwrap()).expect("a leg without a position");
                assert_eq!(tracked.leaves(), position.quantity, "{tracked:?}");
            }
        }
        let known: BTreeSet<OrderId> = self.fills.iter().map(|fill| fill.order).collect();
        assert!(known.iter().all(|id| book.orders().get(*id).is_some()), "a fill of an order nobody confirmed");
    }

    /// Replaying decides the same, and recovering reaches the same state.
    pub fn check_both_ways_back(&self) {
        let (mut replayed, mut recovered) = (Engine::new(&self.setup), Engine::new(&self.setup));
        let (mut outcome, mut decided, mut recorded) = (Outcome::default(), Vec::new(), Vec::new());
        for happened in &self.story {
            match happened {
                Happened::Event(event) => {
                    replayed.handle(event, &mut outcome);
                    decided.append(&mut outcome.records);
                    match event {
                        Event::Market(event) => recovered.observe(event),
                        Event::Input(input) => recovered.take_input(input),
                    }
                }
                Happened::Record(record) => {
                    recovered.apply(record);
                    recorded.push(record);
                }
            }
        }
        assert!(decided.iter().eq(recorded), "a replay decides the same");
        assert_eq!(replayed.state_hash(), self.engine.state_hash());
        assert_eq!(recovered.state_hash(), self.engine.state_hash());
    }

    pub fn act(&mut self, action: &Action) {
        let snapshot = self.engine.snapshot(&SnapshotRequest::default());
        let nth = |list: usize, index: usize| if list == 0 { None } else { Some(index % list) };
        match *action {
            Action::Bar(moves, volume) => self.bar(moves, volume),
            Action::Order { instrument, side, size, kind, stop, target } => {
                self.order(instrument, side, size, kind, stop, target)
            }
            Action::Simple(index) => {
                let simple = [
                    Command::ArmPaper,
                    Command::ArmPaper,
                    Command::ArmPaper,
                    Command::Disarm,
                    Command::Kill { why: "test".to_owned() },
                    Command::Flatten,
                    Command::RequestRearm,
                    Command::ConfirmRearm,
                    Command::AcknowledgeAll,
                ];
                self.command(simple[index % simple.len()].clone());
            }
            Action::Cancel(index) => {
                if let Some(order) = nth(snapshot.orders.len(), index).map(|index| snapshot.orders[index].order.id) {
                    self.command(Command::CancelOrder { order });
                }
            }
            Action::Close(index, part) => {
                if let Some(row) = nth(snapshot.positions.len(), index).map(|index| &snapshot.positions[index]) {
                    let some = Quantity::from_nanos(row.quantity.nanos() / 2 / 1_000_000 * 1_000_000);
                    self.command(Command::ClosePosition { position: row.id, quantity: part.then_some(some) });
                }
            }
            Action::Protect(index, away) => {
                if let Some(row) = nth(snapshot.positions.len(), index).map(|index| &snapshot.positions[index]) {
                    let level = row.mark.map(|mark| Price::from_nanos(mark.nanos() / 100 * away / 100_000_000 * 100_000_000));
                    let protection = Protection { stop_loss: level, take_profit: None };
                    self.command(Command::ProtectPosition { position: row.id, protection });
                }
            }
            Action::Modify(index, percent) => {
                if let Some(tracked) = nth(snapshot.orders.len(), index).map(|index| &snapshot.orders[index]) {
                    let request = tracked.order.request;
                    let moved = |price: Price| Price::from_nanos(price.nanos() / 100 * percent / 100_000_000 * 100_000_000);
                    let kind = match request.kind {
                        OrderKind::Market => OrderKind::Market,
                        OrderKind::Limit(price) => OrderKind::Limit(moved(price)),
                        OrderKind::Stop(price) => OrderKind::Stop(moved(price)),
                    };
                    if request.closes.is_some() && request.origin.is_protective() {
                        // An exit covers its whole position, whatever a change asks for.
                        let (order, quantity) = (tracked.order.id, Quantity::from_nanos(request.quantity.nanos() * 2));
                        self.command(Command::ModifyOrder { order, quantity, kind: request.kind });
                        let now = self.engine.book().orders().get(order).map(|tracked| tracked.order.request.quantity);
                        assert_eq!(now, Some(request.quantity), "an exit changed its size");
                    }
                    self.command(Command::ModifyOrder { order: tracked.order.id, quantity: request.quantity, kind });
                }
            }
            Action::Proposal(confirm) => {
                if let Some(row) = snapshot.proposals.first() {
                    let (proposal, revision) = (row.proposal.id, row.proposal.revision);
                    let seen = Seen { price: None, quantity: row.proposal.request.quantity };
                    self.command(if confirm {
                        Command::ConfirmProposal { proposal, revision, seen }
                    } else {
                        Command::DeclineProposal { proposal }
                    });
                }
            }
        }
    }

    pub fn order(&mut self, instrument: u32, side: OrderSide, size: i64, kind: u8, stop: Option<i64>, target: Option<i64>) {
        let last = self.price[&instrument];
        let level = |percent: i64| Price::from_nanos(last / 100 * percent / 100_000_000 * 100_000_000);
        let quantity = Quantity::from_nanos(size * 1_000_000);
        let kind = match kind {
            0 => OrderKind::Market,
            1 => OrderKind::Limit(level(98)),
            2 => OrderKind::Limit(level(103)),
            _ => OrderKind::Stop(level(102)),
        };
        let protection = Protection { stop_loss: stop.map(level), take_profit: target.map(level) };
        let time_in_force = if size % 7 == 0 { TimeInForce::Day } else { TimeInForce::GoodTillCancelled };
        let ticket = Ticket { instrument: InstrumentId(instrument), side, quantity, kind, time_in_force, protection };
        let seen = Seen { price: None, quantity };
        self.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
    }
}

#[derive(Debug, Clone)]
pub enum Action {
    Bar([i64; 3], i64),
    Order { instrument: u32, side: OrderSide, size: i64, kind: u8, stop: Option<i64>, target: Option<i64> },
    Simple(usize),
    Cancel(usize),
    Close(usize, bool),
    Protect(usize, i64),
    Modify(usize, i64),
    Proposal(bool),
}

pub fn actions() -> impl Strategy<Value = Vec<Action>> {
    let percent = || prop::option::of(prop::sample::select(vec![80_i64, 92, 97, 103, 108, 120]));
    let side = prop::sample::select(vec![OrderSide::Buy, OrderSide::Sell]);
    let instrument = prop::sample::select(vec![2_u32, 3, 10]);
    let order = (instrument, side, 1_i64..60_000, 0_u8..4, percent(), percent())
        .prop_map(|(instrument, side, size, kind, stop, target)| Action::Order { instrument, side, size, kind, stop, target });
    let action = prop_oneof![
        6 => ([-80_i64..80, -80_i64..80, -80_i64..80], 1_i64..2_000).prop_map(|(moves, volume)| Action::Bar(moves, volume)),
        8 => order,
        3 => (0_usize..9).prop_map(Action::Simple),
        2 => any::<usize>().prop_map(Action::Cancel),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(index, part)| Action::Close(index, part)),
        1 => (any::<usize>(), 80_i64..120).prop_map(|(index, away)| Action::Protect(index, away)),
        1 => (any::<usize>(), 90_i64..110).prop_map(|(index, percent)| Action::Modify(index, percent)),
        1 => any::<bool>().prop_map(Action::Proposal),
    ];
    prop::collection::vec(action, 1..60)
}

fn lived(actions: &[Action]) -> World {
    let mut world = World::new();
    world.bar([0, 0, 0], 1_000);
    world.command(Command::ArmPaper);
    for action in actions {
        world.act(action);
        world.check_money();
        world.check_legs();
    }
    world
}

proptest! {
    #[test]
    fn money_is_conserved_orders_are_approved_and_stops_equal_positions(actions in actions()) {
        let world = lived(&actions);
        prop_assert!(world.engine.book().ledger().positions().len() <= 60);
    }

    #[test]
    fn kill_works_from_every_state_and_is_final(before in actions(), after in actions()) {
        let mut world = lived(&before);
        world.command(Command::Kill { why: "property".to_owned() });
        prop_assert_eq!(world.engine.book().state(), TradingState::Halted);
        world.command(Command::Kill { why: "again".to_owned() });
        for action in after.iter().filter(|action| !matches!(action, Action::Simple(_))) {
            world.act(action);
        }
        prop_assert_eq!(world.engine.book().state(), TradingState::Halted);
        world.command(Command::Flatten);
        for _ in 0..40 {
            world.bar([0, 0, 0], 1_000_000);
        }
        prop_assert!(world.engine.book().ledger().positions().is_empty(), "flatten ends flat");
    }

    #[test]
    fn replay_decides_the_same_and_recovery_reaches_the_same_state(actions in actions()) {
        lived(&actions).check_both_ways_back();
    }

    #[test]
    fn reports_in_any_order_end_and_lose_no_money(actions in actions()) {
        let mut world = World::new();
        world.is_unruly = true;
        world.bar([0, 0, 0], 1_000);
        world.command(Command::ArmPaper);
        for action in &actions {
            world.act(action);
        }
        world.command(Command::Kill { why: "property".to_owned() });
        world.command(Command::Flatten);
        world.bar([0, 0, 0], 1_000_000);
        prop_assert_eq!(world.engine.book().state(), TradingState::Halted);
        world.check_money();
    }

    #[test]
    fn the_same_trade_twice_changes_nothing(actions in actions()) {
        let mut world = lived(&actions);
        let before = world.engine.book().ledger().clone();
        for fill in world.fills.clone() {
            world.input(InputBody::Broker(BrokerReport::Filled(fill)));
        }
        prop_assert_eq!(world.engine.book().ledger(), &before);
    }
}

#[test]
fn the_random_life_is_a_real_one() {
    let buy = |size| Action::Order { instrument: 2, side: OrderSide::Buy, size, kind: 0, stop: Some(92), target: Some(120) };
    let world =
        lived(&[buy(10_001), Action::Bar([10, 0, 0], 1_000), Action::Bar([-300, 0, 0], 1_000), Action::Bar([0, 0, 0], 1_000)]);
    let said = world.engine.snapshot(&SnapshotRequest::default()).activity;
    assert_eq!(world.fills.len(), 2, "opened and stopped out: {:?} {said:?}", world.fills);
    let _: Arc<pmax::domain::InstrumentTable> = Arc::clone(world.engine.instruments());
}
