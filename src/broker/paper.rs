//! The paper account: the matching core inside this process.

use crate::broker::{Broker, Standing};
use crate::domain::{
    BrokerRef, BrokerReport, Currency, DealId, MarketEvent, MarketTime, Order, OrderId, OrderKind, PositionId, Protection,
    Quantity,
};
use crate::exchange::{Exchange, LegIds, RestoredOrder, RestoredPosition, Terms};
use crate::orders::{OpenState, OrderState, OrderStep, TrackedOrder};
use crate::risk::Approved;

/// Paper trading. It keeps no memory of its own: after a restart it is rebuilt from the ledger, so the two cannot disagree.
#[derive(Debug)]
pub struct Paper {
    terms: Terms,
    exchange: Exchange,
    reports: Vec<BrokerReport>,
}

impl Paper {
    /// A paper broker of an empty account.
    pub fn new(terms: Terms, currency: Currency) -> Self {
        Self { terms, exchange: Exchange::new(terms, currency, DealId(1)), reports: Vec::new() }
    }

    /// A paper broker that knows what the ledger says is open. Orders without an answer are not among it: they never arrived.
    pub fn from_ledger(terms: Terms, standing: Standing<'_>) -> Self {
        let Standing { ledger, orders, next_deal, volumes, ledger_id: _, first_order: _, prices: _ } = standing;
        let mut exchange = Exchange::new(terms, ledger.currency(), next_deal);
        let restored = |state| match state {
            OrderState::Open(_) | OrderState::PendingModify(_) | OrderState::PendingCancel(_) => true,
            OrderState::Confirmed | OrderState::Sending | OrderState::Unknown => false,
            OrderState::Filled | OrderState::Cancelled | OrderState::Expired | OrderState::Rejected => false,
            OrderState::ExpiredUnsent | OrderState::NotPlaced => false,
        };
        let working = orders.open().values().filter(|tracked| restored(tracked.state)).map(|tracked| RestoredOrder {
            order: as_it_works(tracked),
            left: tracked.leaves(),
            broker_ref: tracked.broker_ref.unwrap_or(BrokerRef(0)),
        });
        let held = ledger.positions().values().map(|position| RestoredPosition {
            id: position.id,
            account: position.account,
            instrument: position.instrument,
            side: position.side,
            quantity: position.quantity,
        });
        exchange.restore(working.collect(), held.collect(), volumes.iter().copied());
        Self { terms, exchange, reports: Vec::new() }
    }
}

/// A stop that was touched works as a market order, though the ledger keeps what was asked for.
fn as_it_works(tracked: &TrackedOrder) -> Order {
    let mut order = tracked.order;
    // Since its last change it takes part as a new order would: not at prices from before it. A stop is never blind.
    let is_change = |step: OrderStep| step == OrderStep::Modify && !order.request.origin.is_protective();
    let changed = tracked.history.iter().rev().find(|entry| is_change(entry.step)).map(|entry| entry.at);
    order.created_at = changed.map_or(order.created_at, |at| at.max(order.created_at));
    let is_touched = matches!(tracked.state, OrderState::Open(OpenState::Triggered | OpenState::PartiallyFilled))
        || matches!(tracked.state, OrderState::PendingCancel(OpenState::Triggered | OpenState::PartiallyFilled));
    if is_touched && matches!(order.request.kind, OrderKind::Stop(_)) {
        order.request.kind = OrderKind::Market;
    }
    order
}

impl Broker for Paper {
    fn restore(&mut self, standing: Standing<'_>) {
        *self = Self::from_ledger(self.terms, standing);
    }

    fn submit(&mut self, order: Approved<Order>, now: MarketTime) {
        self.exchange.submit(order.into_inner(), now, &mut self.reports);
    }

    fn cancel(&mut self, order: OrderId) {
        self.exchange.cancel(order, &mut self.reports);
    }

    /// The exchange has every order at once.
    fn withdraw(&mut self, _order: OrderId) {}

    fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind, now: MarketTime) {
        self.exchange.modify(order, quantity, kind, now, &mut self.reports);
    }

    fn protect(&mut self, position: PositionId, protection: Protection, legs: LegIds, now: MarketTime) {
        self.exchange.protect(position, protection, legs, now, &mut self.reports);
    }

    fn query(&mut self) {
        self.reports.push(BrokerReport::State(self.exchange.state()));
    }

    fn on_market(&mut self, event: &MarketEvent) {
        self.exchange.on_market(event, &mut self.reports);
    }

    fn poll(&mut self, out: &mut Vec<BrokerReport>) {
        out.append(&mut self.reports);
    }
}
