//! The adapter alone: what the client tells goes in, what the engine hears comes out. One test per way in which a broker's word could
//! be taken for more, or for less, than it is.

use std::collections::BTreeMap;

use pmax::broker::xapi::{Adapter, Ask, AskId, ClientEvent, Margin, Snapshot, Status, Symbol, Trade};
use pmax::domain::{
    AccountId, BrokerReport, CleanText, Contract, Evidence, InstrumentId, MarketTime, Order, OrderId, OrderKind, OrderRequest,
    OrderSide, Origin, PositionId, Price, Protection, Quantity, TimeInForce, WallTime,
};
use pmax::exchange::LegIds;
use serde_json::{Value, json};

const EURO: InstrumentId = InstrumentId(6);
const SECOND: i64 = 1_000_000_000;

struct Desk {
    adapter: Adapter,
    asked: Vec<Ask>,
    seconds: i64,
}

fn symbol(contract_size: i64) -> Symbol {
    let listed = json!({"symbol": "EURUSD", "currencyProfit": "USD", "contractSize": contract_size, "precision": 5,
                        "lotMin": 0.01, "lotMax": 100.0, "lotStep": 0.01});
    serde_json::from_value(listed).unwrap()
}

fn margin(currency: &str) -> Margin {
    serde_json::from_value(json!({"balance": 1000.0, "equity": 1000.0, "margin": 0.0, "currency": currency})).unwrap()
}

/// A record of the protocol: one hundredth of a lot of euro, changed as told.
fn trade(changes: Value) -> Trade {
    let mut record = json!({"order": 7, "order2": 7, "position": 7, "symbol": "EURUSD", "cmd": 0, "volume": 0.01, "open_price": 1.1,
                            "close_price": 1.1, "closed": false, "sl": 0.0, "tp": 0.0, "customComment": null});
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

fn order(id: u64, kind: OrderKind, closes: Option<PositionId>) -> Order {
    let request = OrderRequest {
        instrument: EURO,
        side: if closes.is_some() { OrderSide::Sell } else { OrderSide::Buy },
        quantity: "1000".parse().unwrap(),
        kind,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
        closes,
        origin: Origin::Ticket,
    };
    Order { id: OrderId(id), account: AccountId(1), request, created_at: MarketTime(0), reference: Some(price("1.1")) }
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

const fn position(id: u64) -> PositionId {
    PositionId(id)
}

impl Desk {
    /// Nothing is known of the broker yet.
    fn strange() -> Self {
        let (lot_min, lot_step) = ("0.01".parse().unwrap(), "0.01".parse().unwrap());
        let contract = Contract { symbol: "EURUSD".to_owned(), contract_size: 100_000, lot_min, lot_step, digits: 5 };
        Self { adapter: Adapter::new(BTreeMap::from([(EURO, contract)])), asked: Vec::new(), seconds: 100 }
    }

    /// Contracts and currency are as they should be.
    fn new() -> Self {
        let mut desk = Self::strange();
        desk.hear(ClientEvent::Symbols(vec![symbol(100_000)]));
        assert_eq!(desk.look(Vec::new(), Vec::new()), []);
        desk
    }

    fn hear(&mut self, event: ClientEvent) -> Vec<BrokerReport> {
        self.adapter.hear(&event);
        self.said()
    }

    fn said(&mut self) -> Vec<BrokerReport> {
        self.asked.extend(self.adapter.requests());
        let mut reports = Vec::new();
        self.adapter.reports(&mut reports);
        reports
    }

    /// The number of the last request that trades.
    fn last_ask(&self) -> AskId {
        let of = |ask: &Ask| if let Ask::Trade { id, .. } = ask { Some(*id) } else { None };
        self.asked.iter().rev().find_map(of).unwrap()
    }

    fn submit(&mut self, order: Order) -> Vec<BrokerReport> {
        self.adapter.submit(order);
        self.said()
    }

    /// Submits a waiting order that the broker takes under this number and places.
    fn place(&mut self, id: u64, number: i64) {
        self.submit(order(id, OrderKind::Limit(price("1.05")), None));
        self.hear(ClientEvent::Taken(self.last_ask(), number));
        self.hear(ClientEvent::Status(status(number, 3)));
    }

    /// A look that is not overtaken, eleven seconds after the last; only what is said besides the comparison of both sides.
    fn look(&mut self, open: Vec<Trade>, history: Vec<Trade>) -> Vec<BrokerReport> {
        self.look_in_full(open, history).into_iter().filter(|report| !matches!(report, BrokerReport::State(_))).collect()
    }

    fn look_in_full(&mut self, open: Vec<Trade>, history: Vec<Trade>) -> Vec<BrokerReport> {
        self.seconds += 11;
        let began = WallTime(self.seconds * SECOND);
        self.look_at(Snapshot { began, open, history, margin: margin("USD"), is_overtaken: false })
    }

    fn look_at(&mut self, snapshot: Snapshot) -> Vec<BrokerReport> {
        self.hear(ClientEvent::Snapshot(Box::new(snapshot)))
    }

    /// Orders that a look says are there.
    fn there(&mut self, open: Vec<Trade>) -> Vec<OrderId> {
        let said = self.look_in_full(open, Vec::new());
        let state = said.iter().find_map(|report| if let BrokerReport::State(state) = report { Some(state) } else { None });
        assert!(matches!(state.unwrap().evidence, Evidence::Snapshot { .. }));
        state.unwrap().orders.clone()
    }

    fn mark(&self, id: u64) -> String {
        self.adapter.mark(OrderId(id))
    }
}

fn status(order: i64, request_status: i64) -> Status {
    serde_json::from_value(json!({"order": order, "requestStatus": request_status, "message": null})).unwrap()
}

fn is_refusal(said: &[BrokerReport], words: &str) -> bool {
    matches!(said, [BrokerReport::NotSent { reason, .. }] if reason.as_str().contains(words))
}

#[test]
fn nothing_is_opened_before_contracts_and_currency_are_known_to_fit() {
    let mut desk = Desk::strange();
    let wish = || order(1, OrderKind::Market, None);
    assert!(is_refusal(&desk.submit(wish()), "currency yet"));
    desk.look(Vec::new(), Vec::new());
    assert!(is_refusal(&desk.submit(wish()), "not compared"));
    desk.hear(ClientEvent::Symbols(vec![symbol(10_000)]));
    assert!(is_refusal(&desk.submit(wish()), "units in a lot"));
    desk.hear(ClientEvent::Symbols(Vec::new()));
    assert!(is_refusal(&desk.submit(wish()), "not listed"));
    assert!(desk.asked.iter().all(|ask| !matches!(ask, Ask::Trade { .. })), "nothing left: {:?}", desk.asked);
    desk.hear(ClientEvent::Symbols(vec![symbol(100_000)]));
    assert_eq!(desk.submit(wish()), []);
    assert!(matches!(desk.asked.last(), Some(Ask::Trade { .. })));
}

#[test]
fn an_account_in_another_currency_is_neither_traded_nor_taken_over() {
    let mut desk = Desk::strange();
    desk.hear(ClientEvent::Symbols(vec![symbol(100_000)]));
    let began = WallTime(SECOND);
    let open = vec![trade(json!({}))];
    let said = desk.look_at(Snapshot { began, open, history: Vec::new(), margin: margin("EUR"), is_overtaken: false });
    assert!(said.iter().all(|report| matches!(report, BrokerReport::State(_))), "nothing is adopted: {said:?}");
    assert!(is_refusal(&desk.submit(order(1, OrderKind::Market, None)), "kept in EUR"));
    assert!(desk.adapter.mismatched().iter().any(|line| line.contains("EUR")));
    assert_eq!(desk.adapter.strangers().len(), 1, "what is there is shown");
}

#[test]
fn a_last_word_that_never_came_is_asked_for_and_then_given_up() {
    let mut desk = Desk::new();
    desk.place(1, 70);
    let waits = |desk: &Desk| {
        vec![trade(json!({"order": 70, "order2": 70, "position": 70, "cmd": 2, "open_price": 1.05,
                                               "customComment": desk.mark(1)}))]
    };
    desk.adapter.cancel(OrderId(1));
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 71));
    let open = waits(&desk);
    assert_eq!(desk.look(open.clone(), Vec::new()), []);
    assert!(desk.asked.contains(&Ask::Transaction(71)), "the broker is asked what became of the cancel");
    let said = desk.look(open.clone(), Vec::new());
    assert!(
        matches!(&said[..], [BrokerReport::CancelRefused { order: OrderId(1), reason }] if reason.as_str().contains("not known"))
    );

    desk.adapter.cancel(OrderId(1));
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 72));
    desk.look(open, Vec::new());
    let said = desk.hear(ClientEvent::Status(status(72, 3)));
    assert!(matches!(&said[..], [BrokerReport::Cancelled { order: OrderId(1), .. }]), "{said:?}");
}

#[test]
fn a_change_whose_last_word_never_came_is_read_from_the_list() {
    let mut desk = Desk::new();
    desk.place(1, 70);
    desk.adapter.modify(OrderId(1), "2000".parse().unwrap(), OrderKind::Limit(price("1.06")));
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 71));
    let changed = trade(json!({"order": 70, "order2": 71, "position": 70, "cmd": 2, "open_price": 1.06, "volume": 0.02,
                               "customComment": desk.mark(1)}));
    let mut said = desk.look(vec![changed.clone()], Vec::new());
    said.extend(desk.look(vec![changed.clone()], Vec::new()));
    said.extend(desk.look(vec![changed], Vec::new()));
    let is_told = |report: &BrokerReport| matches!(report, BrokerReport::Modified { order: OrderId(1), .. });
    assert!(said.iter().any(is_told), "{said:?}");
}

#[test]
fn what_the_broker_has_not_dealt_with_is_not_absent() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    for _ in 0..5 {
        assert_eq!(desk.there(Vec::new()), [OrderId(1)]);
        desk.hear(ClientEvent::Status(status(70, 1)));
    }
    assert!(desk.asked.contains(&Ask::Transaction(70)));
    desk.hear(ClientEvent::NoTransaction(70));
    assert_eq!(desk.there(Vec::new()), [], "the broker does not know it any more");
}

#[test]
fn exits_that_were_not_set_are_said() {
    let mut desk = Desk::new();
    let protection = Protection { stop_loss: Some(price("1.0")), take_profit: None };
    let legs = LegIds { stop: OrderId(8), target: OrderId(9) };
    let is_said = |said: &[BrokerReport]| matches!(said, [BrokerReport::ProtectRefused { position: PositionId(1), .. }]);
    desk.adapter.protect(position(1), protection, legs);
    assert!(is_said(&desk.said()), "the position is not held");
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let mark = desk.mark(1);
    desk.hear(ClientEvent::Trade(Box::new(trade(json!({"order": 70, "position": 70, "type": 0, "customComment": mark})))));
    for event in [
        |id: AskId| ClientEvent::NotSent(id, CleanText::from("the link is down")),
        |id: AskId| ClientEvent::Refused(id, CleanText::from("BE009: no")),
        |id: AskId| ClientEvent::Ambiguous(id, CleanText::from("no reply")),
    ] {
        desk.adapter.protect(position(1), protection, legs);
        assert_eq!(desk.said(), []);
        let id = desk.last_ask();
        assert!(is_said(&desk.hear(event(id))));
    }
    desk.adapter.protect(position(1), protection, legs);
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 90));
    assert!(is_said(&desk.hear(ClientEvent::Status(status(90, 4)))));
}

/// What was opened and closed: so much for each fill.
fn fills(said: &[BrokerReport]) -> Vec<(bool, Quantity)> {
    let of =
        |report: &BrokerReport| if let BrokerReport::Filled(fill) = report { Some((fill.closes, fill.quantity)) } else { None };
    said.iter().filter_map(of).collect()
}

#[test]
fn a_part_that_closed_before_the_first_look_is_booked_once() {
    let (whole, part) = ("3000".parse().unwrap(), "1000".parse().unwrap());
    let rest = json!({"order": 70, "order2": 70, "position": 70, "volume": 0.02});
    let closed =
        json!({"order": 70, "order2": 75, "position": 70, "volume": 0.01, "closed": true, "profit": 1.0, "close_price": 1.2});
    let with = |record: &Value, mark: Option<String>| {
        let mut record = record.clone();
        record["customComment"] = json!(mark);
        trade(record)
    };

    let mut desk = Desk::new();
    let mark = Some(desk.mark(1));
    let mut wish = order(1, OrderKind::Market, None);
    wish.request.quantity = whole;
    desk.submit(wish);
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let said = desk.hear(ClientEvent::Trade(Box::new(with(&rest, mark.clone()))));
    assert_eq!(fills(&said), [], "the stream speaks of the rest only: the history is asked first");
    assert_eq!(desk.asked.last(), Some(&Ask::Snapshot));
    let said = desk.look(vec![with(&rest, mark.clone())], vec![with(&closed, mark)]);
    assert_eq!(fills(&said), [(false, whole), (true, part)]);

    let mut desk = Desk::new();
    let said = desk.look(vec![with(&rest, None)], vec![with(&closed, None)]);
    assert_eq!(fills(&said), [(false, "2000".parse().unwrap())], "what closed before it was adopted is not ours");
    assert_eq!(fills(&desk.look(vec![with(&rest, None)], vec![with(&closed, None)])), []);
}

#[test]
fn the_rest_of_an_adopted_position_under_new_numbers_is_the_same_position() {
    let mut desk = Desk::new();
    let said = desk.look(vec![trade(json!({"volume": 0.03}))], Vec::new());
    assert_eq!(fills(&said), [(false, "3000".parse().unwrap())]);
    let closed = |number: i64, deal: i64| {
        trade(json!({"order": number, "order2": deal, "position": number, "closed": true, "profit": 1.0, "close_price": 1.2}))
    };
    let (first, second) = (closed(7, 20), closed(21, 22));
    let said = desk.look(vec![trade(json!({"order": 23, "order2": 23, "position": 23}))], vec![first, second]);
    assert_eq!(fills(&said), [(true, "1000".parse().unwrap()), (true, "1000".parse().unwrap())]);
    let said = desk.look(Vec::new(), vec![closed(23, 24)]);
    assert_eq!(fills(&said), [(true, "1000".parse().unwrap())]);
}

#[test]
fn a_list_that_was_overtaken_says_nothing_about_exits() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let with = |sl: f64, desk: &Desk| trade(json!({"order": 70, "position": 70, "sl": sl, "customComment": desk.mark(1)}));
    let now = with(1.0, &desk);
    desk.hear(ClientEvent::Trade(Box::new(now.clone())));
    let old = with(0.0, &desk);
    let look = |open| Snapshot { began: WallTime(1), open, history: Vec::new(), margin: margin("USD"), is_overtaken: true };
    let said = desk.look_at(look(vec![old.clone()]));
    assert!(!said.iter().any(|report| matches!(report, BrokerReport::Cancelled { .. })), "{said:?}");
    let said = desk.look(vec![old], Vec::new());
    assert!(said.iter().any(|report| matches!(report, BrokerReport::Cancelled { order: OrderId(2), .. })), "{said:?}");
    let said = desk.look(vec![now], Vec::new());
    assert!(said.iter().any(|report| matches!(report, BrokerReport::LegPlaced { .. })), "and set again it is shown: {said:?}");
}

#[test]
fn a_close_that_never_happened_is_not_credited_with_another() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let open = trade(json!({"order": 70, "order2": 70, "position": 70, "customComment": desk.mark(1)}));
    desk.hear(ClientEvent::Trade(Box::new(open.clone())));
    desk.submit(order(4, OrderKind::Market, Some(position(1))));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    desk.look(vec![open.clone()], Vec::new());
    desk.look(vec![open], Vec::new());
    let closed = json!({"order": 70, "order2": 99, "position": 70, "closed": true, "profit": 1.0, "customComment": desk.mark(1)});
    let said = desk.look(Vec::new(), vec![trade(closed)]);
    let by = said.iter().find_map(|report| if let BrokerReport::Filled(fill) = report { Some(fill.order) } else { None });
    assert_eq!(by, Some(OrderId(OrderId::FOREIGN.0 + 99)), "{said:?}");
}

#[test]
fn a_lost_reply_whose_status_is_pending_with_our_mark_is_not_absent() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    let pending = json!({"order": 70, "requestStatus": 1, "message": null, "customComment": desk.mark(1)});
    desk.hear(ClientEvent::Status(serde_json::from_value(pending).unwrap()));
    let in_progress =
        json!({"order": 70, "order2": 70, "position": 70, "type": 1, "state": "Modified", "customComment": desk.mark(1)});
    desk.hear(ClientEvent::Trade(Box::new(trade(in_progress))));
    assert_eq!(desk.there(Vec::new()), [OrderId(1)], "the broker says that it is PENDING");
}

#[test]
fn a_status_with_an_unknown_number_is_no_refusal() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    assert_eq!(desk.hear(ClientEvent::Status(status(70, 2))), []);
}

#[test]
fn a_record_without_its_price_or_volume_is_not_booked() {
    for missing in ["close_price", "volume"] {
        let mut desk = Desk::new();
        desk.submit(order(1, OrderKind::Market, None));
        desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
        let mark = desk.mark(1);
        desk.hear(ClientEvent::Trade(Box::new(trade(json!({"order": 70, "position": 70, "customComment": mark})))));
        let mut closed = json!({"order": 70, "order2": 75, "position": 70, "type": 2, "closed": true, "profit": 1.0, "close_price": 1.2,
                                "customComment": mark});
        closed[missing] = Value::Null;
        let said = desk.hear(ClientEvent::Trade(Box::new(trade(closed))));
        let bad = said.iter().any(
            |report| matches!(report, BrokerReport::Filled(fill) if fill.price == Price::ZERO || fill.quantity == Quantity::ZERO),
        );
        assert!(!bad, "{missing}: {said:?}");
    }
}

#[test]
fn what_is_not_traded_here_by_its_terms_is_not_adopted_by_them() {
    let mut desk = Desk::strange();
    desk.hear(ClientEvent::Symbols(vec![symbol(10_000)]));
    let said = desk.look(vec![trade(json!({}))], Vec::new());
    assert_eq!(said, [], "0.01 lots are 100 units there, not 1,000");
}

#[test]
fn lists_that_are_always_overtaken_still_end_a_cancel_without_a_last_word() {
    let mut desk = Desk::new();
    desk.place(1, 70);
    desk.adapter.cancel(OrderId(1));
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 71));
    let mut said = Vec::new();
    for look in 0..60 {
        let open = vec![trade(
            json!({"order": 70, "order2": 70, "position": 70, "cmd": 2, "open_price": 1.05, "customComment": desk.mark(1)}),
        )];
        let began = WallTime((200 + look * 11) * SECOND);
        said.extend(desk.look_at(Snapshot { began, open, history: Vec::new(), margin: margin("USD"), is_overtaken: true }));
    }
    assert!(desk.asked.contains(&Ask::Transaction(71)), "nobody asked the broker in 11 minutes");
    assert!(said.iter().any(|report| matches!(report, BrokerReport::CancelRefused { .. })));
}

#[test]
fn a_second_final_status_of_an_order_is_not_the_answer_to_its_cancel() {
    let mut desk = Desk::new();
    desk.place(1, 70);
    desk.hear(ClientEvent::Status(status(70, 3))); // the stream sends it twice
    desk.adapter.cancel(OrderId(1));
    desk.said();
    let said = desk.hear(ClientEvent::Taken(desk.last_ask(), 70)); // the broker names the order that is deleted
    assert!(!said.iter().any(|report| matches!(report, BrokerReport::Cancelled { .. })), "{said:?}");
}

fn book(orders: &pmax::orders::OrderManager, ledger: &pmax::portfolio::Ledger, desk: &mut Desk) {
    desk.adapter.restore(pmax::broker::Standing {
        ledger_id: pmax::domain::LedgerId(77),
        first_order: OrderId(1),
        ledger,
        orders,
        next_deal: pmax::domain::DealId(1),
        volumes: &[],
        prices: &[],
    });
}

fn apply(said: &[BrokerReport], ledger: &mut pmax::portfolio::Ledger, orders: &mut pmax::orders::OrderManager) {
    use pmax::orders::{OpenState, OrderState, OrderStep};
    for report in said {
        match report {
            BrokerReport::LegPlaced { order } => orders.insert(*order, OrderState::Open(OpenState::Working), MarketTime(0)),
            BrokerReport::Filled(fill) => {
                ledger.apply(fill, Protection::default()).unwrap();
                let value = pmax::domain::Money::notional(fill.price, fill.quantity, pmax::domain::Currency::USD).unwrap();
                orders.add_fill(fill.order, fill.quantity, value);
                orders.step(fill.order, OrderStep::FillAll, MarketTime(0), "").unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn a_restart_knows_its_trades_that_are_no_longer_at_hand() {
    let capital = pmax::domain::Money::whole(1_000, pmax::domain::Currency::USD).unwrap();
    let (mut ledger, mut orders) = (pmax::portfolio::Ledger::new(AccountId(1), capital), pmax::orders::OrderManager::default());
    let mut desk = Desk::new();
    book(&orders, &ledger, &mut desk);
    desk.hear(ClientEvent::Symbols(vec![symbol(100_000)]));
    let mark = desk.mark(1);
    let open = trade(json!({"order": 70, "order2": 70, "position": 70, "sl": 1.0, "customComment": mark}));
    let closed = trade(
        json!({"order": 70, "order2": 75, "position": 70, "sl": 1.0, "closed": true, "profit": 1.0, "close_price": 1.2, "customComment": mark}),
    );
    orders.insert(
        order(1, OrderKind::Market, None),
        pmax::orders::OrderState::Open(pmax::orders::OpenState::Working),
        MarketTime(0),
    );
    apply(&desk.look(vec![open], Vec::new()), &mut ledger, &mut orders);
    apply(&desk.look(Vec::new(), vec![closed.clone()]), &mut ledger, &mut orders);
    assert!(ledger.positions().is_empty() && ledger.deals().len() == 2);
    // Another program trades on the same account: its adopted orders push ours out of memory.
    for id in 0..2_049 {
        let mut foreign = order(10_000 + id, OrderKind::Market, None);
        foreign.request.origin = Origin::External;
        orders.insert(foreign, pmax::orders::OrderState::Open(pmax::orders::OpenState::Working), MarketTime(0));
        orders.step(foreign.id, pmax::orders::OrderStep::Cancel, MarketTime(0), "").unwrap();
    }
    let mut desk = Desk::new();
    book(&orders, &ledger, &mut desk);
    desk.look(Vec::new(), Vec::new());
    let said = desk.look(Vec::new(), vec![closed]);
    assert_eq!(said, [], "a month's history is asked for at each start");
}

#[test]
fn a_stop_that_the_broker_did_not_take_with_its_order_is_said() {
    let mut desk = Desk::new();
    let mut wish = order(1, OrderKind::Market, None);
    wish.request.protection.stop_loss = Some(price("1.0"));
    desk.submit(wish);
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let open = trade(json!({"order": 70, "position": 70, "sl": 0.0, "customComment": desk.mark(1)}));
    let mut said = desk.hear(ClientEvent::Trade(Box::new(open.clone())));
    said.extend(desk.look(vec![open.clone()], Vec::new()));
    said.extend(desk.look(vec![open], Vec::new()));
    assert!(said.iter().any(|report| matches!(report, BrokerReport::ProtectRefused { .. })), "{said:?}");
}

#[test]
fn a_restart_after_two_renumberings_does_not_adopt_the_rest_again() {
    let capital = pmax::domain::Money::whole(1_000, pmax::domain::Currency::USD).unwrap();
    let (mut ledger, mut orders) = (pmax::portfolio::Ledger::new(AccountId(1), capital), pmax::orders::OrderManager::default());
    let mut desk = Desk::new();
    apply(&desk.look(vec![trade(json!({"volume": 0.03}))], Vec::new()), &mut ledger, &mut orders);
    let closed = |number: i64, deal: i64| {
        trade(json!({"order": number, "order2": deal, "position": number, "closed": true, "profit": 1.0, "close_price": 1.2}))
    };
    let rest = |number: i64, lots: f64| trade(json!({"order": number, "order2": number, "position": number, "volume": lots}));
    apply(&desk.look(vec![rest(21, 0.02)], vec![closed(7, 20)]), &mut ledger, &mut orders);
    apply(&desk.look(vec![rest(23, 0.01)], vec![closed(7, 20), closed(21, 22)]), &mut ledger, &mut orders);
    assert_eq!(ledger.positions().values().map(|held| held.quantity).collect::<Vec<_>>(), ["1000".parse().unwrap()]);
    // The process ends and begins again: 0.01 lots are open, here and there.
    let mut desk = Desk::new();
    book(&orders, &ledger, &mut desk);
    let said = desk.look(vec![rest(23, 0.01)], vec![closed(7, 20), closed(21, 22)]);
    assert_eq!(fills(&said), [], "what is open is in the book already");
}

#[test]
fn a_request_that_the_broker_does_not_know_is_given_up() {
    let mut desk = Desk::new();
    desk.place(1, 70);
    desk.adapter.cancel(OrderId(1));
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 71));
    let said = desk.hear(ClientEvent::NoTransaction(71));
    assert!(matches!(&said[..], [BrokerReport::CancelRefused { order: OrderId(1), .. }]), "{said:?}");
    desk.adapter.modify(OrderId(1), "2000".parse().unwrap(), OrderKind::Limit(price("1.06")));
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 72));
    let said = desk.hear(ClientEvent::NoTransaction(72));
    assert!(matches!(&said[..], [BrokerReport::ModifyRefused { order: OrderId(1), .. }]), "{said:?}");
    let changed = json!({"order": 70, "order2": 72, "position": 70, "cmd": 2, "open_price": 1.06, "volume": 0.02,
                         "customComment": desk.mark(1)});
    let said = desk.look(vec![trade(changed)], Vec::new());
    assert!(matches!(&said[..], [BrokerReport::Modified { order: OrderId(1), .. }]), "the list tells: {said:?}");
}

#[test]
fn what_an_older_run_of_the_ledger_left_open_is_adopted() {
    let capital = pmax::domain::Money::whole(1_000, pmax::domain::Currency::USD).unwrap();
    let (ledger, orders) = (pmax::portfolio::Ledger::new(AccountId(1), capital), pmax::orders::OrderManager::default());
    let mut desk = Desk::new();
    desk.adapter.restore(pmax::broker::Standing {
        ledger_id: pmax::domain::LedgerId(77),
        first_order: OrderId(10),
        ledger: &ledger,
        orders: &orders,
        next_deal: pmax::domain::DealId(1),
        volumes: &[],
        prices: &[],
    });
    let old = trade(json!({"order": 70, "order2": 70, "position": 70, "sl": 1.0, "customComment": desk.mark(1)}));
    let waiting = trade(json!({"order": 71, "order2": 71, "position": 71, "cmd": 2, "customComment": desk.mark(7)}));
    let past = json!({"order": 60, "order2": 65, "position": 60, "closed": true, "profit": 1.0, "customComment": desk.mark(4)});
    let said = desk.look(vec![old, waiting], vec![trade(past)]);
    let adopted = said
        .iter()
        .filter(|report| matches!(report, BrokerReport::LegPlaced { order } if order.request.origin == Origin::External));
    assert_eq!((adopted.count(), fills(&said)), (2, vec![(false, "1000".parse().unwrap())]), "{said:?}");
}

#[test]
fn a_request_in_progress_with_our_mark_names_the_number_of_a_lost_reply() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    let in_progress = json!({"order": 70, "order2": 70, "position": 70, "type": 1, "customComment": desk.mark(1)});
    let said = desk.hear(ClientEvent::Trade(Box::new(trade(in_progress))));
    assert!(matches!(said[..], [BrokerReport::Accepted { order: OrderId(1), .. }]), "{said:?}");
    assert_eq!(desk.there(Vec::new()), [OrderId(1)]);
}

/// The requests about last words of one look.
fn asked_about(desk: &mut Desk) -> Vec<i64> {
    let before = desk.asked.len();
    desk.look(Vec::new(), Vec::new());
    let of = |ask: &Ask| if let Ask::Transaction(number) = ask { Some(*number) } else { None };
    desk.asked[before..].iter().filter_map(of).collect()
}

#[test]
fn many_missing_last_words_are_asked_for_in_turn() {
    let mut desk = Desk::new();
    for id in 1..=40 {
        desk.submit(order(id, OrderKind::Market, None));
        desk.hear(ClientEvent::Taken(desk.last_ask(), 100 + i64::try_from(id).unwrap()));
    }
    let mut asked: Vec<i64> = (0..3).flat_map(|_| asked_about(&mut desk)).collect();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 40);
}

#[test]
fn a_complete_list_tells_the_number_of_a_position_even_where_it_is_lower() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let with = |number: i64, desk: &Desk| {
        trade(json!({"order": number, "order2": number, "position": number, "customComment": desk.mark(1)}))
    };
    let (before, now) = (with(70, &desk), with(50, &desk));
    desk.hear(ClientEvent::Trade(Box::new(before)));
    desk.look(vec![now], Vec::new());
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    let Some(Ask::Trade { request, .. }) = desk.asked.last() else { panic!("nothing was asked for") };
    assert_eq!(request.order, 50);
}

#[test]
fn a_close_of_another_client_is_not_taken_for_the_answer_to_ours() {
    let mut desk = Desk::new();
    let mut large = order(1, OrderKind::Market, None);
    large.request.quantity = "3000".parse().unwrap();
    desk.submit(large);
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let open = json!({"order": 70, "order2": 70, "position": 70, "volume": 0.03, "customComment": desk.mark(1)});
    desk.hear(ClientEvent::Trade(Box::new(trade(open))));
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    let closed = |deal: i64, desk: &Desk| {
        trade(json!({"order": 70, "order2": deal, "position": 70, "closed": true, "profit": 1.0, "type": 2,
                     "customComment": desk.mark(1)}))
    };
    let (theirs, ours) = (closed(80, &desk), closed(81, &desk));
    // Theirs comes while the reply to ours is on its way; the reply names ours.
    desk.hear(ClientEvent::Trade(Box::new(theirs)));
    let mut said = desk.hear(ClientEvent::Taken(desk.last_ask(), 81));
    said.extend(desk.hear(ClientEvent::Trade(Box::new(ours))));
    let by = |report: &BrokerReport| if let BrokerReport::Filled(fill) = report { Some((fill.deal.0, fill.order)) } else { None };
    let booked: Vec<_> = said.iter().filter_map(by).collect();
    assert_eq!(booked, [(80, OrderId(OrderId::FOREIGN.0 + 80)), (81, OrderId(9))], "{said:?}");
}

#[test]
fn a_withdrawn_order_asks_for_its_own_request_only() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    let ask = desk.last_ask();
    desk.adapter.withdraw(OrderId(2));
    desk.adapter.withdraw(OrderId(1));
    desk.said();
    let withdrawn: Vec<AskId> =
        desk.asked.iter().filter_map(|ask| if let Ask::Withdraw(id) = ask { Some(*id) } else { None }).collect();
    assert_eq!(withdrawn, [ask]);
    let said = desk.hear(ClientEvent::NotSent(ask, CleanText::from("trading was held before its turn came")));
    assert!(is_refusal(&said, "before its turn"), "{said:?}");
}

#[test]
fn a_close_without_a_reply_whose_number_became_known_is_not_credited_with_another() {
    let mut desk = Desk::new();
    let mut large = order(1, OrderKind::Market, None);
    large.request.quantity = "3000".parse().unwrap();
    desk.submit(large);
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    let open = json!({"order": 70, "order2": 70, "position": 70, "volume": 0.03, "customComment": desk.mark(1)});
    desk.hear(ClientEvent::Trade(Box::new(trade(open))));
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    let taken = json!({"order": 81, "requestStatus": 3, "message": null, "customComment": desk.mark(9)});
    desk.hear(ClientEvent::Status(serde_json::from_value(taken).unwrap()));
    let closed = |deal: i64, desk: &Desk| {
        trade(json!({"order": 70, "order2": deal, "position": 70, "closed": true, "profit": 1.0, "type": 2,
                     "customComment": desk.mark(1)}))
    };
    let (theirs, ours) = (closed(80, &desk), closed(81, &desk));
    let mut said = desk.hear(ClientEvent::Trade(Box::new(theirs)));
    said.extend(desk.hear(ClientEvent::Trade(Box::new(ours))));
    let by = |report: &BrokerReport| if let BrokerReport::Filled(fill) = report { Some((fill.deal.0, fill.order)) } else { None };
    let booked: Vec<_> = said.iter().filter_map(by).collect();
    assert_eq!(booked, [(80, OrderId(OrderId::FOREIGN.0 + 80)), (81, OrderId(9))], "{said:?}");
}

fn part_of(desk: &Desk, number: i64, volume: f64, more: Value) -> Trade {
    let mut record =
        json!({"order": number, "order2": number, "position": number, "volume": volume, "customComment": desk.mark(1)});
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    trade(record)
}

fn closed_part(desk: &Desk, number: i64, deal: i64, volume: f64) -> Trade {
    part_of(desk, number, volume, json!({"order2": deal, "closed": true, "profit": 1.0, "close_price": 1.2, "type": 2}))
}

fn large(desk: &mut Desk) {
    let mut wish = order(1, OrderKind::Market, None);
    wish.request.quantity = "3000".parse().unwrap();
    desk.submit(wish);
    desk.hear(ClientEvent::Taken(desk.last_ask(), 60));
    desk.hear(ClientEvent::Status(status(60, 3)));
}

fn last_closing(desk: &Desk) -> Option<i64> {
    desk.asked
        .iter()
        .rev()
        .find_map(|ask| if let Ask::Trade { request, .. } = ask { (request.kind == 2).then_some(request.order) } else { None })
}

#[test]
fn a_second_position_on_the_stream_does_not_displace_the_first() {
    let mut desk = Desk::new();
    large(&mut desk);
    let first = part_of(&desk, 70, 0.01, json!({}));
    desk.look(vec![first.clone()], Vec::new());
    desk.look(vec![first.clone()], Vec::new());
    let second = part_of(&desk, 71, 0.02, json!({}));
    desk.hear(ClientEvent::Trade(Box::new(second)));
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    assert_eq!(last_closing(&desk), Some(70), "the position that is shown is closed, not another");
}

#[test]
fn a_second_position_that_opened_and_closed_between_two_looks_does_not_close_the_first() {
    let mut desk = Desk::new();
    large(&mut desk);
    let first = part_of(&desk, 70, 0.01, json!({}));
    assert_eq!(fills(&desk.look(vec![first.clone()], Vec::new())), [], "less than was wanted: a second look has to say so");
    let said = desk.look(vec![first.clone()], Vec::new());
    assert_eq!(fills(&said), [(false, "1000".parse().unwrap())]);
    // 71 opened and was stopped out before the next look.
    let gone = closed_part(&desk, 71, 80, 0.02);
    let said = desk.look_in_full(vec![first.clone()], vec![gone.clone()]);
    assert!(!fills(&said).contains(&(true, "2000".parse().unwrap())), "position 1 holds 1,000: {said:?}");
    desk.look(vec![first.clone()], vec![gone.clone()]);
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    assert_eq!(last_closing(&desk), Some(70), "position 70 is open and can be closed from here");
}

#[test]
fn a_close_that_is_taken_and_never_spoken_of_again_is_given_up_at_last() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 60));
    desk.hear(ClientEvent::Status(status(60, 3)));
    let open = part_of(&desk, 70, 0.01, json!({}));
    desk.look(vec![open.clone()], Vec::new());
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 81));
    // Every question about 81 is answered with an error that is not BE098, or with a record that cannot be read: the client says nothing.
    let mut there = Vec::new();
    for _ in 0..120 {
        there = desk.there(vec![open.clone()]);
    }
    assert!(!there.contains(&OrderId(9)), "twenty minutes later it still counts as working, and no other close is sent");
}

#[test]
fn a_late_message_does_not_say_that_a_stop_is_gone() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 60));
    let bare = part_of(&desk, 70, 0.01, json!({}));
    desk.hear(ClientEvent::Trade(Box::new(bare.clone())));
    desk.adapter.protect(
        position(1),
        Protection { stop_loss: Some(price("1.0")), take_profit: None },
        LegIds { stop: OrderId(8), target: OrderId(9) },
    );
    desk.said();
    desk.hear(ClientEvent::Taken(desk.last_ask(), 90));
    desk.hear(ClientEvent::Status(status(90, 3)));
    let with = part_of(&desk, 70, 0.01, json!({"sl": 1.0}));
    desk.hear(ClientEvent::Trade(Box::new(with)));
    let said = desk.hear(ClientEvent::Trade(Box::new(bare)));
    assert!(
        !said.iter().any(|report| matches!(report, BrokerReport::Cancelled { .. })),
        "the first message came twice: {said:?}"
    );
}

#[test]
fn a_close_whose_comment_is_that_of_its_position_is_ours() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 60));
    let open = part_of(&desk, 70, 0.01, json!({"comment": "from #60"}));
    desk.hear(ClientEvent::Trade(Box::new(open)));
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    let closed = part_of(
        &desk,
        70,
        0.01,
        json!({"comment": "from #60", "order2": 81, "closed": true, "profit": 1.0, "close_price": 1.2, "type": 2}),
    );
    let said = desk.hear(ClientEvent::Trade(Box::new(closed)));
    let by = said.iter().find_map(|report| if let BrokerReport::Filled(fill) = report { Some(fill.order) } else { None });
    assert_eq!(by, Some(OrderId(9)), "an unchanged comment means closed by the user (protocol A6): {said:?}");
}

#[test]
fn a_limit_order_whose_number_became_known_can_be_cancelled() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Limit(price("1.05")), None));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    let taken = json!({"order": 70, "requestStatus": 3, "message": null, "customComment": desk.mark(1)});
    let said = desk.hear(ClientEvent::Status(serde_json::from_value(taken).unwrap()));
    assert!(matches!(said[..], [BrokerReport::Accepted { order: OrderId(1), .. }]), "{said:?}");
    desk.adapter.cancel(OrderId(1));
    let said = desk.said();
    assert_eq!(said, [], "the broker has just said that it waits there");
}

#[test]
fn a_late_message_does_not_bring_back_a_number_that_a_list_has_put_right() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 60));
    let (before, now) = (part_of(&desk, 70, 0.01, json!({})), part_of(&desk, 50, 0.01, json!({})));
    desk.hear(ClientEvent::Trade(Box::new(before.clone())));
    desk.look(vec![now], Vec::new());
    desk.hear(ClientEvent::Trade(Box::new(before)));
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    assert_eq!(last_closing(&desk), Some(50));
}

#[test]
fn a_request_in_progress_that_is_told_before_the_reply_counts_as_lost_names_it_too() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Market, None));
    let in_progress = json!({"order": 70, "order2": 70, "position": 70, "type": 1, "customComment": desk.mark(1)});
    desk.hear(ClientEvent::Trade(Box::new(trade(in_progress))));
    // Five seconds later.
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    assert_eq!(desk.there(Vec::new()), [OrderId(1)], "the broker has said that it works on it");
}

#[test]
fn statuses_before_a_reply_are_not_the_answer_to_a_later_cancel() {
    let mut desk = Desk::new();
    desk.submit(order(1, OrderKind::Limit(price("1.05")), None));
    desk.hear(ClientEvent::Status(status(70, 1)));
    desk.hear(ClientEvent::Status(status(70, 3)));
    desk.hear(ClientEvent::Taken(desk.last_ask(), 70));
    desk.hear(ClientEvent::Status(status(70, 3))); // the answer to the question after the next look
    desk.adapter.cancel(OrderId(1));
    desk.said();
    let said = desk.hear(ClientEvent::Taken(desk.last_ask(), 70)); // the broker names the order that is deleted
    assert!(!said.iter().any(|report| matches!(report, BrokerReport::Cancelled { .. })), "it still waits there: {said:?}");
}

#[test]
fn statuses_before_a_reply_are_all_heard() {
    let mut desk = Desk::new();
    desk.place(1, 70);
    desk.adapter.cancel(OrderId(1));
    desk.said();
    desk.hear(ClientEvent::Status(status(71, 1)));
    desk.hear(ClientEvent::Status(status(71, 3)));
    let said = desk.hear(ClientEvent::Taken(desk.last_ask(), 71));
    assert!(matches!(said[..], [BrokerReport::Cancelled { .. }]), "its last word was here before the reply: {said:?}");
}

#[test]
fn a_status_that_named_our_close_before_its_reply_was_lost_keeps_another_apart() {
    let mut desk = Desk::new();
    large(&mut desk);
    desk.look(vec![part_of(&desk, 70, 0.03, json!({}))], Vec::new());
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    let named = json!({"order": 81, "requestStatus": 3, "message": null, "customComment": desk.mark(9)});
    desk.hear(ClientEvent::Status(serde_json::from_value(named).unwrap()));
    let (theirs, ours) = (closed_part(&desk, 70, 80, 0.01), closed_part(&desk, 70, 81, 0.01));
    let mut said = desk.hear(ClientEvent::Trade(Box::new(theirs)));
    said.extend(desk.hear(ClientEvent::Trade(Box::new(ours))));
    said.extend(desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply"))));
    let by = |report: &BrokerReport| if let BrokerReport::Filled(fill) = report { Some((fill.deal.0, fill.order)) } else { None };
    let booked: Vec<_> = said.iter().filter_map(by).collect();
    assert_eq!(booked, [(80, OrderId(OrderId::FOREIGN.0 + 80)), (81, OrderId(9))], "{said:?}");
}

#[test]
fn a_close_of_another_volume_is_not_the_one_without_a_reply() {
    let mut desk = Desk::new();
    large(&mut desk);
    desk.look(vec![part_of(&desk, 70, 0.03, json!({}))], Vec::new());
    desk.submit(order(9, OrderKind::Market, Some(position(1))));
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    let said = desk.hear(ClientEvent::Trade(Box::new(closed_part(&desk, 70, 80, 0.02))));
    let by = |report: &BrokerReport| if let BrokerReport::Filled(fill) = report { Some((fill.deal.0, fill.order)) } else { None };
    let booked: Vec<_> = said.iter().filter_map(by).collect();
    assert_eq!(booked, [(80, OrderId(OrderId::FOREIGN.0 + 80))], "ours was for 0.01 lots: {said:?}");
}

#[test]
fn a_refused_exit_after_a_restart_is_not_the_refusal_of_its_order() {
    let capital = pmax::domain::Money::whole(1_000, pmax::domain::Currency::USD).unwrap();
    let (mut ledger, mut orders) = (pmax::portfolio::Ledger::new(AccountId(1), capital), pmax::orders::OrderManager::default());
    let mut desk = Desk::new();
    book(&orders, &ledger, &mut desk);
    desk.hear(ClientEvent::Symbols(vec![symbol(100_000)]));
    let mut wish = order(1, OrderKind::Market, None);
    wish.request.quantity = "3000".parse().unwrap();
    orders.insert(wish, pmax::orders::OrderState::Open(pmax::orders::OpenState::PartiallyFilled), MarketTime(0));
    let first = part_of(&desk, 70, 0.01, json!({}));
    // The trade came before the reply, and then the process ended: no number is known.
    for report in &desk.look(vec![first.clone()], Vec::new()) {
        if let BrokerReport::Filled(fill) = report {
            ledger.apply(fill, Protection::default()).unwrap();
            let value = pmax::domain::Money::notional(fill.price, fill.quantity, pmax::domain::Currency::USD).unwrap();
            orders.add_fill(fill.order, fill.quantity, value);
        }
    }
    let mut desk = Desk::new();
    book(&orders, &ledger, &mut desk);
    desk.look(vec![first], Vec::new());
    desk.adapter.protect(
        position(1),
        Protection { stop_loss: Some(price("1.0")), take_profit: None },
        LegIds { stop: OrderId(8), target: OrderId(9) },
    );
    desk.said();
    let refused = json!({"order": 90, "requestStatus": 4, "message": "invalid stop", "customComment": desk.mark(1)});
    let mut said = desk.hear(ClientEvent::Status(serde_json::from_value(refused).unwrap()));
    said.extend(desk.hear(ClientEvent::Taken(desk.last_ask(), 90)));
    assert!(!said.iter().any(|report| matches!(report, BrokerReport::Rejected { .. })), "order 1 has traded: {said:?}");
}

#[test]
fn a_history_that_is_short_of_its_last_entry_does_not_shrink_an_order() {
    let mut desk = Desk::new();
    let mut wish = order(1, OrderKind::Market, None);
    wish.request.quantity = "3000".parse().unwrap();
    desk.submit(wish);
    desk.hear(ClientEvent::Ambiguous(desk.last_ask(), CleanText::from("no reply")));
    // Filled whole; a third was closed elsewhere, and the history does not tell it yet.
    let (rest, part) = (part_of(&desk, 70, 0.02, json!({})), closed_part(&desk, 70, 80, 0.01));
    let mut said = desk.look_in_full(vec![rest.clone()], Vec::new());
    said.extend(desk.look_in_full(vec![rest.clone()], vec![part.clone()]));
    said.extend(desk.look_in_full(vec![rest], vec![part]));
    assert_eq!(fills(&said), [(false, "3000".parse().unwrap()), (true, "1000".parse().unwrap())], "0.02 lots are open there");
}
