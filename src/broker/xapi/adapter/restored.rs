//! What the ledger knows already, taken over after a restart.

use super::{Adapter, Held, Purpose, Transaction, Waiting, Wanted, command_number, expiration_of, price_of};
use crate::broker::Standing;
use crate::broker::xapi::Decimal;
use crate::domain::{OrderId, OrderKind, OrderRequest, Origin, Position, Price, ProtectiveReason, Quantity};
use crate::exchange::LegIds;
use crate::orders::{OrderManager, TrackedOrder};

impl Adapter {
    /// Takes what the ledger knows already, so that a restart books nothing twice.
    pub fn restore(&mut self, standing: Standing<'_>) {
        // What is known of the broker itself stays; numbers of requests are never used again.
        *self = Self {
            markets: std::mem::take(&mut self.markets),
            terms: std::mem::take(&mut self.terms),
            next_ask: self.next_ask,
            now: self.now,
            ledger: standing.ledger_id,
            first_order: standing.first_order,
            ..Self::default()
        };
        self.deals = standing.ledger.deals().iter().map(|deal| deal.0).collect();
        let all = || standing.orders.open().values().chain(standing.orders.closed_newest_first());
        self.opened = all().filter(|tracked| tracked.filled.is_positive()).map(|tracked| tracked.order.id).collect();
        for position in standing.ledger.positions().values() {
            self.opened.insert(OrderId(position.id.0));
            self.restore_position(position, standing.orders);
        }
        for tracked in standing.orders.open().values() {
            self.restore_order(tracked);
        }
    }

    fn restore_order(&mut self, tracked: &TrackedOrder) {
        let (order, wish) = (tracked.order.id, tracked.order.request);
        let waiting = self.restored_waiting(tracked);
        if let Some(waiting) = waiting {
            self.waiting.insert(order, waiting);
        }
        if wish.closes.is_none()
            && let Some(market) = self.markets.get(&wish.instrument)
        {
            let lots = Quantity::from_nanos(wish.quantity.nanos() / market.contract_size.max(1));
            self.wanted.insert(order, Wanted { lots, has_stop: wish.protection.stop_loss.is_some() });
        }
        let size = self.markets.get(&wish.instrument).map_or(1, |market| market.contract_size.max(1));
        let lots = Quantity::from_nanos(tracked.leaves().nanos() / size);
        let purpose = wish.closes.map_or(Purpose::Open(order, waiting), |position| Purpose::Close(order, position, lots));
        let is_leg = wish.origin.is_protective() && wish.kind != OrderKind::Market;
        match (tracked.broker_ref, wish.closes) {
            (Some(number), _) => {
                let number = i64::try_from(number.0).unwrap_or(0);
                self.transactions.insert(number, Transaction { purpose, is_concluded: false, looked: None });
            }
            // It may have left before the process ended: a message with its mark names its number then.
            (None, Some(position)) if !is_leg => {
                self.doubt(position, order, lots);
                self.lost.insert(order, purpose);
            }
            // What has traded in part is not in doubt, and a message with its mark is about something else.
            (None, None) if !tracked.filled.is_positive() => drop(self.lost.insert(order, purpose)),
            (None, _) => {}
        }
    }

    fn restored_waiting(&self, tracked: &TrackedOrder) -> Option<Waiting> {
        let wish = tracked.order.request;
        let price = price_of(wish.kind).filter(|_| wish.closes.is_none())?;
        let market = self.markets.get(&wish.instrument)?;
        let number = i64::try_from(tracked.broker_ref?.0).ok()?;
        let lots = Quantity::from_nanos(wish.quantity.nanos() / market.contract_size.max(1));
        let (cmd, instrument) = (command_number(wish.side, wish.kind), wish.instrument);
        let level = |price: Option<Price>| Decimal(price.map_or(0, Price::nanos));
        let exits = (level(wish.protection.stop_loss), level(wish.protection.take_profit));
        let expiration = expiration_of(wish.time_in_force, wish.kind, tracked.order.created_at);
        Some(Waiting { number, cmd, instrument, lots, price, exits, expiration })
    }

    fn restore_position(&mut self, position: &Position, orders: &OrderManager) {
        let Some(market) = self.markets.get(&position.instrument) else { return };
        let leg = |reason: ProtectiveReason| {
            let is_leg =
                |request: &OrderRequest| request.closes == Some(position.id) && request.origin == Origin::Protective(reason);
            let tracked = orders.open().values().find(|tracked| is_leg(&tracked.order.request))?;
            Some((tracked.order.id, tracked.order.request.named_price()?))
        };
        let (stop, target) = (leg(ProtectiveReason::StopLoss), leg(ProtectiveReason::TakeProfit));
        let held = Held {
            number: None,
            instrument: position.instrument,
            side: position.side.closing().opposite(),
            lots: Quantity::from_nanos(position.quantity.nanos() / market.contract_size.max(1)),
            open_price: position.entry().unwrap_or(Price::ZERO),
            stop,
            target,
            next_legs: LegIds::of_opening(OrderId(position.id.0)),
            comment: None,
        };
        self.held.insert(position.id, held);
    }
}
