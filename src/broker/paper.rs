//! The paper account: the matching core inside this process.

use crate::broker::{Broker, Standing};
use crate::domain::{
    BrokerRef, BrokerReport, DealId, MarketEvent, MarketTime, Order, OrderId, OrderKind, PositionId, Protection, Quantity,
};
use crate::exchange::{Exchange, LegIds, RestoredOrder, RestoredPosition, Terms};
use crate::orders::{OrderManager, OrderState};
use crate::portfolio::Ledger;
use crate::risk::Approved;

/// Paper trading. It keeps no memory of its own: after a restart it is rebuilt from the ledger, so the two cannot disagree.
#[derive(Debug)]
pub struct Paper {
    terms: Terms,
    exchange: Exchange,
    reports: Vec<BrokerReport>,
}

impl Paper {
    /// A paper broker that knows what the ledger says is open. Orders without an answer are not among it: they never arrived.
    pub fn from_ledger(terms: Terms, ledger: &Ledger, orders: &OrderManager, next_deal: DealId, now: MarketTime) -> Self {
        let mut exchange = Exchange::new(terms, ledger.currency(), next_deal);
        let restored = |state| match state {
            OrderState::Open(_) | OrderState::PendingModify(_) | OrderState::PendingCancel(_) => true,
            OrderState::Confirmed | OrderState::Sending | OrderState::Unknown => false,
            OrderState::Filled | OrderState::Cancelled | OrderState::Expired | OrderState::Rejected => false,
            OrderState::ExpiredUnsent | OrderState::NotPlaced => false,
        };
        let working = orders.open().values().filter(|tracked| restored(tracked.state)).map(|tracked| RestoredOrder {
            order: tracked.order,
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
        exchange.restore(working.collect(), held.collect(), now);
        Self { terms, exchange, reports: Vec::new() }
    }
}

impl Broker for Paper {
    fn restore(&mut self, standing: Standing<'_>) {
        *self = Self::from_ledger(self.terms, standing.ledger, standing.orders, standing.next_deal, standing.now);
    }

    fn submit(&mut self, order: Approved<Order>, now: MarketTime) {
        self.exchange.submit(order.into_inner(), now, &mut self.reports);
    }

    fn cancel(&mut self, order: OrderId) {
        self.exchange.cancel(order, &mut self.reports);
    }

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
