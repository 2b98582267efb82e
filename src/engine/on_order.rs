//! What opening orders on their way are worth, so that limits count it: by the terms in force, or by those that a broker was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{InstrumentId, Money, OrderId, OrderKind, OrderRequest, Quantity};
use crate::engine::Book;

/// Value of opening orders that have not traded yet, so that limits count what is on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OnOrder {
    by_order: BTreeMap<OrderId, (InstrumentId, i64)>,
    by_instrument: BTreeMap<InstrumentId, i64>,
    total: i64,
}

impl OnOrder {
    fn set(&mut self, order: OrderId, instrument: InstrumentId, value: i64) {
        let before = self.by_order.remove(&order).map_or(0, |(_, value)| value);
        if value > 0 {
            self.by_order.insert(order, (instrument, value));
        }
        let sum = self.by_instrument.entry(instrument).or_default();
        *sum = sum.saturating_add(value - before);
        if *sum == 0 {
            self.by_instrument.remove(&instrument);
        }
        self.total = self.total.saturating_add(value - before);
    }
}

impl Book {
    /// Value of opening orders on their way in one instrument.
    pub(super) fn on_order(&self, instrument: InstrumentId) -> Money {
        let value = self.on_order.by_instrument.get(&instrument).copied().unwrap_or(0);
        Money::from_nanos(value, self.ledger.currency())
    }

    /// Value of all opening orders on their way.
    pub(super) const fn on_order_total(&self) -> Money {
        Money::from_nanos(self.on_order.total, self.ledger.currency())
    }

    /// A broker is asked for other terms; of two that wait for their answers the larger counts.
    pub(super) fn ask_change(&mut self, order: OrderId, new: (Quantity, OrderKind)) {
        let larger = self.change_asked(order).filter(|before| before.0 > new.0).unwrap_or(new);
        self.asked.insert(order, larger);
        self.note_on_order(order);
    }

    /// The terms that a broker was asked for and has not answered about.
    pub(super) fn change_asked(&self, order: OrderId) -> Option<(Quantity, OrderKind)> {
        self.asked.get(&order).copied()
    }

    /// Keeps the value on order equal to what is still to trade: by the terms that are in force, or by those that were asked for where
    /// these are worth more.
    pub(super) fn note_on_order(&mut self, id: OrderId) {
        let Some(tracked) = self.orders.get(id) else { return };
        let request = &tracked.order.request;
        if !request.opens_exposure() {
            return;
        }
        let (instrument, reference) = (request.instrument, tracked.order.reference);
        let worth = |kind: OrderKind, leaves: Quantity| {
            let price = OrderRequest { kind, ..*request }.named_price().or(reference)?;
            Money::notional(price, leaves, self.ledger.currency()).ok().map(Money::nanos)
        };
        let asked = self.asked.get(&id).and_then(|(quantity, kind)| worth(*kind, quantity.minus(tracked.filled).ok()?));
        let value = if tracked.state.is_closed() { None } else { worth(request.kind, tracked.leaves()).max(asked) };
        self.on_order.set(id, instrument, value.unwrap_or(0));
    }
}
