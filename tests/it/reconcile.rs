//! What the engine makes of lost replies and of a broker's answers over a wire.

use pmax::domain::{
    Actor, BrokerRef, BrokerReport, BrokerState, CleanText, Evidence, Fill, InstrumentId, Liquidity, Money, OrderId, OrderKind,
    OrderSide, PositionId, Price, Protection, Quantity, TimeInForce, TradingState, WallTime,
};
use pmax::engine::{Command, Effect, Engine, Event, Input, InputBody, Outcome, Seen, Ticket};
use pmax::orders::OrderState;
use pmax::risk::Acknowledged;

use crate::world;

const SECOND: i64 = 1_000_000_000;

/// An engine in the middle of a tape, and a wire that only writes down what it is told to send.
struct Desk {
    engine: Engine,
    outcome: Outcome,
    wall: i64,
    written: Vec<OrderId>,
    cancelled: Vec<OrderId>,
}

impl Desk {
    fn new() -> Self {
        let (tape, setup) = world::setup("crash-2020");
        let mut engine = Engine::new(&setup);
        let mut outcome = Outcome::default();
        let mut player = pmax::market::Player::new(&tape, 1);
        let start = tape.start().unwrap();
        let opened = pmax::engine::RunInput::Opened {
            run: pmax::domain::RunId(1),
            ledger: pmax::domain::LedgerId(1),
            tape: pmax::engine::TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 },
            capital: Money::whole(100_000, pmax::domain::Currency::USD).unwrap(),
            version: String::new(),
            settings: setup.settings.clone(),
            first_order: OrderId(1),
            first_deal: pmax::domain::DealId(1),
            quiet_until: start,
        };
        engine.handle(&Event::Input(Input { wall: WallTime(1), body: InputBody::Run(opened) }), &mut outcome);
        while player.next_at().is_some_and(|at| at < start) {
            engine.handle(&Event::Market(player.next().unwrap()), &mut outcome);
        }
        let mut desk = Self { engine, outcome, wall: start.0, written: Vec::new(), cancelled: Vec::new() };
        desk.command(Command::ArmPaper);
        desk
    }

    fn input(&mut self, body: InputBody) {
        self.wall += SECOND / 1_000;
        self.engine.handle(&Event::Input(Input { wall: WallTime(self.wall), body }), &mut self.outcome);
        for effect in self.outcome.effects.drain(..) {
            match effect {
                Effect::Submit(order) => self.written.push(order.get().id),
                Effect::Cancel(order) => self.cancelled.push(order),
                _ => {}
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.input(InputBody::Command { actor: Actor::Person, command });
    }

    fn report(&mut self, report: BrokerReport) {
        self.input(InputBody::Broker(report));
    }

    fn buy(&mut self) -> OrderId {
        self.place(OrderKind::Market)
    }

    fn limit(&mut self) -> OrderId {
        let last = self.engine.market().get(InstrumentId(2)).unwrap().last().unwrap();
        let tick: Price = "0.0001".parse().unwrap();
        self.place(OrderKind::Limit(Price::from_nanos(last.nanos() / 100 * 95).rounded_to(tick)))
    }

    fn place(&mut self, kind: OrderKind) -> OrderId {
        let quantity: Quantity = "2".parse().unwrap();
        let (time_in_force, protection) = (TimeInForce::GoodTillCancelled, Protection::default());
        let ticket = Ticket { instrument: InstrumentId(2), side: OrderSide::Buy, quantity, kind, time_in_force, protection };
        let before = self.written.len();
        self.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Nothing, seen: Seen { price: None, quantity } });
        assert_eq!(self.written.len(), before + 1, "{:?}", self.outcome.refusal);
        *self.written.last().unwrap()
    }

    fn lose(&mut self, order: OrderId) {
        self.report(BrokerReport::ReplyLost { order, reason: CleanText::from_outside("no reply within 5 s") });
    }

    /// An answer asked for now.
    fn answer(&mut self, orders: &[OrderId], positions: &[(PositionId, Quantity)]) {
        let evidence = Evidence::Snapshot { began: WallTime(self.wall) };
        self.report(BrokerReport::State(BrokerState { orders: orders.to_vec(), positions: positions.to_vec(), evidence }));
    }

    fn state(&self, order: OrderId) -> OrderState {
        self.engine.book().orders().get(order).unwrap().state
    }

    fn wait(&mut self, seconds: i64) {
        self.wall += seconds * SECOND;
    }
}

#[test]
fn a_lost_reply_holds_openings_and_is_never_sent_again() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    assert_eq!(desk.state(order), OrderState::Unknown);
    let quantity: Quantity = "1".parse().unwrap();
    let ticket = Ticket {
        instrument: InstrumentId(3),
        side: OrderSide::Buy,
        quantity,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
    };
    desk.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Nothing, seen: Seen { price: None, quantity } });
    assert!(desk.outcome.refusal.as_ref().is_some_and(|why| why.contains("UNKNOWN")), "{:?}", desk.outcome.refusal);
    for _ in 0..5 {
        desk.wait(60);
        desk.input(InputBody::Timer);
    }
    assert_eq!(desk.written, [order], "written once, ever");
}

#[test]
fn absence_needs_answers_asked_after_the_loss_and_a_minute_apart() {
    let mut desk = Desk::new();
    let order = desk.buy();
    let before = WallTime(desk.wall);
    desk.lose(order);
    desk.report(BrokerReport::State(BrokerState { evidence: Evidence::Snapshot { began: before }, ..BrokerState::default() }));
    desk.answer(&[], &[]);
    desk.wait(59);
    desk.answer(&[], &[]);
    assert_eq!(desk.state(order), OrderState::Unknown, "too soon");
    desk.wait(2);
    desk.answer(&[], &[]);
    assert_eq!(desk.state(order), OrderState::NotPlaced);
    assert_eq!(desk.engine.book().orders().unknown(), 0);
    assert_eq!(desk.written, [order], "and not sent again");
}

#[test]
fn an_answer_that_names_the_order_settles_it() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    desk.answer(&[], &[]);
    desk.wait(30);
    desk.answer(&[order], &[]);
    assert_eq!(desk.engine.book().orders().unknown(), 0);
    assert!(!desk.state(order).is_closed());
}

#[test]
fn a_trade_settles_it_and_a_late_one_after_the_proof_is_real() {
    for proven_absent in [false, true] {
        let mut desk = Desk::new();
        let order = desk.buy();
        desk.lose(order);
        if proven_absent {
            desk.wait(1);
            desk.answer(&[], &[]);
            desk.wait(61);
            desk.answer(&[], &[]);
            assert_eq!(desk.state(order), OrderState::NotPlaced);
        }
        let fill = Fill {
            deal: pmax::domain::DealId(900),
            order,
            position: PositionId(order.0),
            closes: false,
            instrument: InstrumentId(2),
            side: OrderSide::Buy,
            quantity: "2".parse().unwrap(),
            price: Price::from_nanos(7_500_000_000),
            cost: Money::zero(pmax::domain::Currency::USD),
            liquidity: Liquidity::Unlimited,
            at: desk.engine.market().now(),
        };
        desk.report(BrokerReport::Filled(fill));
        assert_eq!(desk.state(order), OrderState::Filled);
        desk.wait(1);
        desk.answer(&[], &[(PositionId(order.0), "2".parse().unwrap())]);
        assert_eq!(desk.engine.book().state(), TradingState::Active, "ours and theirs agree");
    }
}

#[test]
fn a_reply_that_comes_after_all_is_taken_and_a_loss_after_it_is_none() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(77) });
    assert!(!desk.state(order).is_closed() && desk.state(order) != OrderState::Unknown);
    desk.lose(order);
    assert_ne!(desk.state(order), OrderState::Unknown);
}

#[test]
fn an_order_that_vanishes_is_given_up_after_two_answers_only() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(77) });
    desk.answer(&[], &[]);
    desk.wait(20);
    desk.answer(&[order], &[]);
    desk.wait(20);
    desk.answer(&[], &[]);
    assert!(!desk.state(order).is_closed(), "it was named in between: the count begins anew");
    desk.wait(20);
    desk.answer(&[], &[]);
    assert_eq!(desk.state(order), OrderState::Cancelled);
}

#[test]
fn positions_that_differ_hold_openings_then_halt_and_twice_is_the_same_as_once() {
    let mut desk = Desk::new();
    let strange = [(PositionId(5), "1".parse().unwrap())];
    desk.answer(&[], &strange);
    assert_eq!(desk.engine.book().state(), TradingState::Active);
    desk.wait(5);
    desk.answer(&[], &[]);
    let records = desk.outcome.records.len();
    assert!(records > 0, "they agree again, and that is recorded");
    desk.answer(&[], &[]);
    assert!(desk.outcome.records.is_empty(), "the second finds nothing to do");
    desk.answer(&[], &strange);
    desk.wait(12);
    desk.answer(&[], &strange);
    assert_eq!(desk.engine.book().state(), TradingState::Halted);
}

#[test]
fn the_kill_switch_also_takes_out_what_was_still_on_its_way() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.command(Command::Kill { why: "test".to_owned() });
    assert_eq!(desk.cancelled, [], "there is nothing yet that could be cancelled");
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    assert_eq!(desk.cancelled, [order], "taken meanwhile, so it is cancelled");
    desk.report(BrokerReport::CancelRefused { order, reason: CleanText::from("the link is not ready") });
    assert_eq!(desk.cancelled, [order], "a refusal is not argued with at once");
    desk.answer(&[order], &[]);
    assert_eq!(desk.cancelled, [order, order], "but the next answer that shows the order is");
    desk.report(BrokerReport::Cancelled { order, reason: CleanText::from("as asked") });
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Finished);
}

#[test]
fn whatever_holds_trading_takes_out_what_waits_to_open() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    desk.input(InputBody::Run(pmax::engine::RunInput::Failed { what: "a task died".to_owned() }));
    assert_eq!(desk.engine.book().state(), TradingState::Halted);
    assert_eq!(desk.cancelled, [order], "it would have traded while HALTED");
}

#[test]
fn a_change_that_would_ask_for_the_symbol_is_refused() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    let kind = desk.engine.book().orders().get(order).unwrap().order.request.kind;
    let last = desk.engine.market().get(InstrumentId(2)).unwrap().last().unwrap();
    // Five percent of equity: a ticket of that size has to be confirmed with its symbol.
    let quantity = Quantity::from_nanos(
        i64::try_from(5_000_000_000_000_000_000_000_i128 / i128::from(last.nanos()) / 1_000_000_000).unwrap() * 1_000_000_000,
    );
    desk.command(Command::ModifyOrder { order, quantity, kind });
    assert!(desk.outcome.refusal.as_ref().is_some_and(|why| why.contains("POSITION")), "{:?}", desk.outcome.refusal);
}

#[test]
fn a_wish_to_rearm_that_nobody_confirms_lapses_once() {
    let mut desk = Desk::new();
    desk.command(Command::Kill { why: "test".to_owned() });
    desk.command(Command::RequestRearm);
    assert!(desk.engine.next_deadline().is_some());
    desk.wait(61);
    desk.input(InputBody::Timer);
    assert_eq!(desk.engine.next_deadline(), None, "nothing is left that a timer could end");
    desk.command(Command::ConfirmRearm);
    assert_eq!(desk.engine.book().state(), TradingState::Halted);
}

#[test]
fn an_order_that_counts_as_over_and_works_at_the_broker_lives_again_and_is_cancelled() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    desk.report(BrokerReport::Cancelled { order, reason: CleanText::from("as asked") });
    desk.answer(&[order], &[]);
    assert_eq!(desk.state(order), OrderState::Cancelled, "one answer may be older than the cancel");
    desk.wait(12);
    desk.answer(&[], &[]);
    desk.wait(12);
    desk.answer(&[order], &[]);
    assert_eq!(desk.state(order), OrderState::Cancelled, "the count begins anew");
    desk.wait(12);
    desk.answer(&[order], &[]);
    assert!(matches!(desk.state(order), OrderState::PendingCancel(_)), "{:?}", desk.state(order));
    assert_eq!(desk.cancelled, [order]);
    let alert = desk.engine.book().alerts().back().unwrap();
    assert!(alert.text.contains("counted as cancelled here and works at the broker"), "{}", alert.text);
    assert!(desk.engine.book().orders().open().contains_key(&order));
    desk.report(BrokerReport::Cancelled { order, reason: CleanText::from("as asked") });
    desk.answer(&[], &[]);
    assert_eq!(desk.state(order), OrderState::Cancelled);
}

/// A position of two of the instrument that [`Desk::buy`] buys.
fn open(desk: &mut Desk, deal: u64) -> PositionId {
    let order = desk.buy();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(deal) });
    desk.report(BrokerReport::Filled(Fill {
        deal: pmax::domain::DealId(deal),
        order,
        position: PositionId(order.0),
        closes: false,
        instrument: InstrumentId(2),
        side: OrderSide::Buy,
        quantity: "2".parse().unwrap(),
        price: desk.engine.market().get(InstrumentId(2)).unwrap().last().unwrap(),
        cost: Money::zero(pmax::domain::Currency::USD),
        liquidity: Liquidity::Unlimited,
        at: desk.engine.market().now(),
    }));
    PositionId(order.0)
}

#[test]
fn an_order_that_cannot_be_deleted_does_not_hold_back_flattening_and_is_said() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    let stubborn = desk.limit();
    desk.report(BrokerReport::Accepted { order: stubborn, broker_ref: BrokerRef(7) });
    desk.command(Command::Kill { why: "test".to_owned() });
    let before = desk.written.len();
    desk.command(Command::Flatten);
    let closes = desk.written[before..].to_vec();
    assert_eq!(closes.len(), 1, "the close does not wait for the cancel");
    assert_eq!(desk.engine.book().orders().get(closes[0]).unwrap().order.request.closes, Some(position));
    for _ in 0..4 {
        desk.report(BrokerReport::CancelRefused { order: stubborn, reason: CleanText::from("BE099: not now") });
        desk.wait(11);
        desk.answer(&[stubborn, closes[0]], &[(position, "2".parse().unwrap())]);
    }
    let said = desk.engine.book().alerts().iter().filter(|alert| alert.text.contains("could not be deleted")).count();
    assert_eq!(said, 1, "once, not at every look");
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Flattening, "it is not over while that order may open");
}

#[test]
fn flattening_is_not_over_while_an_opening_orders_fate_is_unknown() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    desk.command(Command::Kill { why: "test".to_owned() });
    desk.command(Command::Flatten);
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Flattening);
    desk.wait(1);
    desk.answer(&[], &[]);
    desk.wait(61);
    desk.answer(&[], &[]);
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Finished, "it was never there");
}

#[test]
fn exits_that_were_not_set_raise_the_loudest_alert() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    desk.report(BrokerReport::ProtectRefused { position, reason: CleanText::from("BE009: stops too near") });
    let alert = desk.engine.book().alerts().back().unwrap();
    assert_eq!(alert.severity, pmax::domain::Severity::Critical);
    assert!(alert.text.contains("NOT set") && alert.text.contains("too near"), "{}", alert.text);
}

#[test]
fn a_stop_that_was_taken_off_and_set_again_works_again() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    let leg = |price: &str| pmax::domain::Order {
        id: OrderId(position.0 + 1),
        account: pmax::domain::AccountId(1),
        request: pmax::domain::OrderRequest {
            instrument: InstrumentId(2),
            side: OrderSide::Sell,
            quantity: "2".parse().unwrap(),
            kind: OrderKind::Stop(price.parse().unwrap()),
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: Some(position),
            origin: pmax::domain::Origin::Protective(pmax::domain::ProtectiveReason::StopLoss),
        },
        created_at: desk.engine.market().now(),
        reference: None,
    };
    let shown = |desk: &Desk| desk.engine.snapshot(&pmax::engine::SnapshotRequest::default()).positions[0].protection.stop_loss;
    let (first, second) = (leg("1"), leg("2"));
    desk.report(BrokerReport::LegPlaced { order: first });
    desk.report(BrokerReport::Cancelled { order: first.id, reason: CleanText::from("taken off its position") });
    assert_eq!(shown(&desk), None);
    desk.report(BrokerReport::LegPlaced { order: second });
    assert_eq!(shown(&desk), Some("2".parse().unwrap()));
    assert!(!desk.state(second.id).is_closed());
}

fn minute_passes(desk: &mut Desk) {
    let now = pmax::domain::MarketTime(desk.engine.market().now().0 + 60 * SECOND);
    let last = desk.engine.market().get(InstrumentId(2)).unwrap().last().unwrap();
    let quote =
        pmax::domain::Quote { instrument: InstrumentId(2), last, bid: None, ask: None, origin: pmax::domain::QuoteOrigin::Venue };
    let event = pmax::domain::MarketEvent::Quoted { quote, stamp: pmax::domain::MarketStamp::tape(now) };
    desk.engine.handle(&Event::Market(event), &mut desk.outcome);
    desk.wait(60);
}

#[test]
fn a_kill_switch_asks_again_once_the_line_is_back_and_when_it_is_fired_again() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    desk.command(Command::Kill { why: "test".to_owned() });
    desk.command(Command::Flatten);
    // The line is down for three bars.
    for _ in 0..3 {
        let close = *desk.written.last().unwrap();
        desk.report(BrokerReport::NotSent { order: close, reason: CleanText::from("the link to the broker is not ready") });
        minute_passes(&mut desk);
        desk.answer(&[], &[(position, "2".parse().unwrap())]);
    }
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Flattening, "what never left was not refused");
    // Now the broker itself refuses, as often as it is asked.
    for _ in 0..3 {
        let close = *desk.written.last().unwrap();
        desk.report(BrokerReport::Rejected { order: close, reason: CleanText::from_outside("BE099") });
        minute_passes(&mut desk);
        desk.answer(&[], &[(position, "2".parse().unwrap())]);
    }
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Finished, "nobody argues for ever");
    assert!(desk.engine.book().alerts().iter().any(|alert| alert.text.contains("the broker refuses to close 1 position")));
    // A day later, re-armed, everything in order; the person fires again.
    desk.command(Command::RequestRearm);
    desk.command(Command::ConfirmRearm);
    assert_eq!(desk.engine.book().state(), TradingState::Active);
    for _ in 0..1_440 {
        minute_passes(&mut desk);
    }
    let before = desk.written.len();
    desk.command(Command::Kill { why: "now really".to_owned() });
    desk.command(Command::Flatten);
    assert_eq!(desk.written.len(), before + 1, "what an earlier shot met does not count");
}

#[test]
fn a_kill_is_not_over_while_an_openings_fate_is_unknown() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    desk.command(Command::Kill { why: "test".to_owned() });
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Cancelling);
    desk.wait(1);
    desk.answer(&[], &[]);
    desk.wait(61);
    desk.answer(&[], &[]);
    assert_eq!(desk.engine.book().kill(), pmax::engine::KillPhase::Finished);
}

#[test]
fn a_cancel_that_came_too_late_is_no_contradiction() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    desk.command(Command::CancelOrder { order });
    desk.report(BrokerReport::Expired { order });
    let alerts = desk.engine.book().alerts().len();
    desk.report(BrokerReport::CancelRefused { order, reason: CleanText::from("no such order") });
    assert_eq!(desk.engine.book().alerts().len(), alerts, "{:?}", desk.engine.book().alerts().back());
}

#[test]
fn an_opening_order_that_was_sent_is_looked_for_a_minute_and_not_said_never_to_have_arrived() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    desk.wait(1);
    desk.answer(&[], &[]);
    for _ in 0..5 {
        desk.wait(11);
        desk.answer(&[], &[]);
        assert_eq!(desk.state(order), OrderState::Unknown, "a broker may keep a request pending for so long");
    }
    desk.wait(11);
    desk.answer(&[], &[]);
    assert_eq!(desk.state(order), OrderState::NotPlaced);
    let text = &desk.engine.book().alerts().back().unwrap().text;
    assert!(text.contains("look there before you order again"), "{text}");
}

#[test]
fn a_close_without_a_reply_is_settled_after_two_answers_so_that_it_can_be_asked_for_again() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    desk.command(Command::ClosePosition { position, quantity: None });
    let close = *desk.written.last().unwrap();
    desk.lose(close);
    desk.wait(1);
    let held = [(position, "2".parse().unwrap())];
    desk.answer(&[], &held);
    desk.wait(11);
    desk.answer(&[], &held);
    assert_eq!(desk.state(close), OrderState::NotPlaced);
}

#[test]
fn a_flatten_that_was_refused_asks_again_after_a_look_or_when_a_person_does_though_no_price_moves() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    let held = [(position, "2".parse().unwrap())];
    desk.command(Command::Kill { why: "test".to_owned() });
    desk.command(Command::Flatten);
    let asked = desk.written.len();
    let refuse = |desk: &mut Desk| {
        let close = *desk.written.last().unwrap();
        desk.report(BrokerReport::NotSent { order: close, reason: CleanText::from("the link to the broker is not ready") });
    };
    refuse(&mut desk);
    assert_eq!(desk.written.len(), asked, "not at once: nobody argues for ever");
    desk.wait(11);
    desk.answer(&[], &held);
    assert_eq!(desk.written.len(), asked + 1, "a complete answer still holds the position");
    refuse(&mut desk);
    assert_eq!(desk.written.len(), asked + 1);
    desk.command(Command::Flatten);
    assert_eq!(desk.written.len(), asked + 2, "a person asks again");
}

#[test]
fn a_stop_that_somebody_else_took_off_is_the_loudest_alert_and_one_of_ours_is_none() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    let last = desk.engine.market().get(InstrumentId(2)).unwrap().last().unwrap();
    let stop = Price::from_nanos(last.nanos() / 100 * 90).rounded_to("0.0001".parse().unwrap());
    let wish = |stop_loss| Protection { stop_loss, take_profit: None };
    let leg = pmax::domain::Order {
        id: OrderId(position.0 + 1),
        account: pmax::domain::AccountId(1),
        request: pmax::domain::OrderRequest {
            instrument: InstrumentId(2),
            side: OrderSide::Sell,
            quantity: "2".parse().unwrap(),
            kind: OrderKind::Stop(stop),
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: Some(position),
            origin: pmax::domain::Origin::Protective(pmax::domain::ProtectiveReason::StopLoss),
        },
        created_at: desk.engine.market().now(),
        reference: None,
    };
    let count = |desk: &Desk| desk.engine.book().alerts().iter().filter(|alert| alert.text.contains("has NO stop")).count();
    desk.command(Command::ProtectPosition { position, protection: wish(Some(stop)) });
    desk.report(BrokerReport::LegPlaced { order: leg });
    desk.command(Command::ProtectPosition { position, protection: wish(None) });
    desk.report(BrokerReport::Cancelled { order: leg.id, reason: CleanText::from("taken off its position") });
    assert_eq!(count(&desk), 0, "it was asked for here");
    desk.command(Command::ProtectPosition { position, protection: wish(Some(stop)) });
    desk.report(BrokerReport::LegPlaced { order: leg });
    desk.report(BrokerReport::Cancelled { order: leg.id, reason: CleanText::from("taken off its position") });
    assert_eq!(count(&desk), 1);
    assert_eq!(desk.engine.book().alerts().back().unwrap().severity, pmax::domain::Severity::Critical);
}

#[test]
fn what_differs_is_named_and_what_to_do() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    desk.answer(&[], &[]);
    desk.wait(11);
    desk.answer(&[], &[]);
    let reason = desk.engine.book().reason().unwrap().why.clone();
    assert!(reason.contains(&format!("{position} NVDA is 2 here and not open there any more")), "{reason}");
    assert!(reason.contains("pmax --new"), "{reason}");
}

#[test]
fn a_kill_switch_that_could_not_close_says_so() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    desk.command(Command::Kill { why: "test".to_owned() });
    let said = |desk: &Desk, words: &str| {
        let picture = desk.engine.snapshot(&pmax::engine::SnapshotRequest::default());
        picture.activity.iter().any(|line| line.text.contains(words))
    };
    assert!(said(&desk, "still open: 1 position"));
    desk.command(Command::Flatten);
    for _ in 0..3 {
        let close = *desk.written.last().unwrap();
        desk.report(BrokerReport::Rejected { order: close, reason: CleanText::from_outside("BE098") });
        desk.wait(11);
        desk.answer(&[], &[(position, "2".parse().unwrap())]);
    }
    assert!(said(&desk, "NOT flat; 1 position could not be closed"));
}

#[test]
fn a_refusal_that_comes_after_the_proof_of_absence_is_no_contradiction() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    desk.command(Command::ClosePosition { position, quantity: None });
    let close = *desk.written.last().unwrap();
    desk.lose(close);
    let held = [(position, "2".parse().unwrap())];
    for _ in 0..3 {
        desk.wait(11);
        desk.answer(&[], &held);
    }
    assert_eq!(desk.state(close), OrderState::NotPlaced);
    // It was kept pending; its last word names it, and it is a refusal.
    desk.report(BrokerReport::Accepted { order: close, broker_ref: BrokerRef(81) });
    desk.report(BrokerReport::Rejected { order: close, reason: CleanText::from("market closed") });
    let text = &desk.engine.book().alerts().back().unwrap().text;
    assert!(!text.contains("does not fit"), "{text}");
}

#[test]
fn taking_an_order_back_does_not_wait_for_the_disk() {
    assert!(!Effect::Withdraw(OrderId(1)).reaches_broker(), "while the disk is slow the order leaves");
}

#[test]
fn an_opening_that_was_named_and_then_forgotten_is_looked_for_a_minute_too() {
    let mut desk = Desk::new();
    let order = desk.buy();
    desk.lose(order);
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(70) });
    desk.wait(1);
    desk.answer(&[], &[]);
    desk.wait(11);
    desk.answer(&[], &[]);
    assert!(!desk.state(order).is_closed(), "{:?} after 11 s, without a warning", desk.state(order));
}

#[test]
fn a_stop_that_answers_do_not_hold_any_more_is_said_as_loudly() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    let last = desk.engine.market().get(InstrumentId(2)).unwrap().last().unwrap();
    let stop = Price::from_nanos(last.nanos() / 100 * 90).rounded_to("0.0001".parse().unwrap());
    let leg = pmax::domain::Order {
        id: OrderId(position.0 + 1),
        account: pmax::domain::AccountId(1),
        request: pmax::domain::OrderRequest {
            instrument: InstrumentId(2),
            side: OrderSide::Sell,
            quantity: "2".parse().unwrap(),
            kind: OrderKind::Stop(stop),
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: Some(position),
            origin: pmax::domain::Origin::Protective(pmax::domain::ProtectiveReason::StopLoss),
        },
        created_at: desk.engine.market().now(),
        reference: None,
    };
    desk.command(Command::ProtectPosition { position, protection: Protection { stop_loss: Some(stop), take_profit: None } });
    desk.report(BrokerReport::LegPlaced { order: leg });
    let held = [(position, "2".parse().unwrap())];
    for _ in 0..3 {
        desk.wait(11);
        desk.answer(&[], &held);
    }
    assert_eq!(desk.state(leg.id), OrderState::Cancelled);
    assert!(
        desk.engine.book().alerts().iter().any(|alert| alert.text.contains("has NO stop")),
        "{:?}",
        desk.engine.book().alerts().back()
    );
}

#[test]
fn the_number_of_an_order_whose_change_is_on_its_way_and_a_refusal_nobody_waits_for_are_no_contradictions() {
    let mut desk = Desk::new();
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    let OrderKind::Limit(price) = desk.engine.book().orders().get(order).unwrap().order.request.kind else {
        panic!("a limit order")
    };
    desk.command(Command::ModifyOrder { order, quantity: "1".parse().unwrap(), kind: OrderKind::Limit(price) });
    assert!(matches!(desk.state(order), OrderState::PendingModify(_)));
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(7) });
    desk.command(Command::CancelOrder { order });
    desk.report(BrokerReport::CancelRefused { order, reason: CleanText::from("not now") });
    desk.report(BrokerReport::ModifyRefused {
        order,
        reason: CleanText::from("not then"),
        fate: pmax::domain::ChangeFate::Refused,
    });
    assert!(!desk.engine.book().alerts().iter().any(|alert| alert.text.contains("does not fit")));
}

#[test]
fn what_differs_is_said_also_where_trading_was_halted_before_and_no_stop_is_called_taken_off() {
    let mut desk = Desk::new();
    let position = open(&mut desk, 900);
    let last = desk.engine.market().get(InstrumentId(2)).unwrap().last().unwrap();
    let stop = Price::from_nanos(last.nanos() / 100 * 90).rounded_to("0.0001".parse().unwrap());
    let protection = Protection { stop_loss: Some(stop), take_profit: None };
    let leg = pmax::domain::Order {
        id: OrderId(position.0 + 1),
        account: pmax::domain::AccountId(1),
        request: pmax::domain::OrderRequest {
            instrument: InstrumentId(2),
            side: OrderSide::Sell,
            quantity: "2".parse().unwrap(),
            kind: OrderKind::Stop(stop),
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: Some(position),
            origin: pmax::domain::Origin::Protective(pmax::domain::ProtectiveReason::StopLoss),
        },
        created_at: desk.engine.market().now(),
        reference: None,
    };
    desk.command(Command::ProtectPosition { position, protection });
    desk.report(BrokerReport::LegPlaced { order: leg });
    desk.command(Command::Kill { why: "test".to_owned() });
    // The broker began anew: neither the position nor its stop is there.
    for _ in 0..4 {
        desk.answer(&[], &[]);
        desk.wait(11);
    }
    let said = |desk: &Desk, words: &str| desk.engine.book().alerts().iter().filter(|alert| alert.text.contains(words)).count();
    assert_eq!(said(&desk, "positions here and at the broker differ"), 1, "once, and not only after trading was armed again");
    assert_eq!(said(&desk, "has NO stop"), 0, "the whole position is gone, which is another thing");
    assert!(desk.engine.book().reason().unwrap().why.contains("differ"), "the banner says the worse of the two");
    assert_eq!(desk.engine.book().state(), TradingState::Halted);
}

#[test]
fn a_lost_link_says_what_still_works_there() {
    let mut desk = Desk::new();
    open(&mut desk, 900);
    let order = desk.limit();
    desk.report(BrokerReport::Accepted { order, broker_ref: BrokerRef(5) });
    let words = "no reply in time".to_owned();
    desk.input(InputBody::Link { stands: pmax::engine::LinkStands::Down, words });
    let text = desk.engine.book().alerts().back().unwrap().text.clone();
    assert!(text.contains("1 position there without a stop") && text.contains("1 order there may still open"), "{text}");
    desk.command(Command::Kill { why: "test".to_owned() });
    let alerts: Vec<String> = desk.engine.book().alerts().iter().map(|alert| alert.text.clone()).collect();
    assert!(alerts.iter().any(|text| text.contains("1 order works at the broker that would open")), "{alerts:?}");
}
