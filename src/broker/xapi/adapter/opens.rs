//! How trades appear: waiting orders and what becomes of them, and positions.

use std::collections::btree_map::Entry;

use super::{Adapter, Held, Purpose, Waiting, units};
use crate::broker::xapi::client::Ask;
use crate::broker::xapi::wire::{Status, Trade};
use crate::domain::{
    BrokerRef, BrokerReport, CleanText, Currency, DealId, Fill, InstrumentId, Liquidity, Money, OrderId, OrderKind, OrderSide,
    PositionId, Price, Quantity,
};
use crate::exchange::LegIds;

impl Adapter {
    /// A message of the stream about a trade.
    pub(super) fn trade(&mut self, trade: &Trade) {
        let is_deleted = trade.state.as_deref() == Some("Deleted");
        match trade.cmd {
            0 | 1 if trade.kind == Some(1) => self.in_progress(trade),
            0 | 1 if trade.closed || trade.kind == Some(2) => self.closed(trade),
            0 | 1 if is_deleted => {}
            0 | 1 => self.opened(trade),
            2..=5 if is_deleted => self.gone(trade),
            2..=5 => self.placed(trade),
            _ => {}
        }
    }

    /// A request with our mark is being worked on: its number may be the only thing that is ever told of it.
    fn in_progress(&mut self, trade: &Trade) {
        let (order, mark) = (trade.order, trade.mark.clone());
        self.status(&Status { order, request_status: Status::PENDING, message: None, mark });
    }

    pub(super) fn placed(&mut self, trade: &Trade) {
        let Some((instrument, _)) = self.instrument_of(trade.symbol.as_deref()) else { return };
        let Some(order) = self.order_of(trade.mark.as_deref()) else { return };
        let (lots, price) = (trade.volume.volume(), trade.open_price.price());
        let (exits, expiration) = ((trade.sl, trade.tp), trade.expiration.unwrap_or(0));
        self.lost.remove(&order);
        if let Entry::Vacant(place) = self.waiting.entry(order) {
            place.insert(Waiting { number: trade.order, cmd: trade.cmd, instrument, lots, price, exits, expiration });
            self.reports.push(BrokerReport::Accepted { order, broker_ref: BrokerRef(trade.order.unsigned_abs()) });
        }
    }

    /// Takes over the terms of a waiting order where the reply to a change was lost.
    pub(super) fn learn(&mut self, trade: &Trade) {
        let Some(order) = self.owner_of(trade) else { return };
        let is_change = |purpose: &Purpose| matches!(purpose, Purpose::Modify(about, ..) if *about == order);
        let taken = self.transactions.values().map(|transaction| &transaction.purpose);
        if self.asks.values().chain(taken).any(is_change) {
            return;
        }
        let Some(waiting) = self.waiting.get_mut(&order) else { return };
        let (lots, price) = (trade.volume.volume(), trade.open_price.price());
        (waiting.exits, waiting.expiration) = ((trade.sl, trade.tp), trade.expiration.unwrap_or(0));
        if (waiting.lots, waiting.price) != (lots, price) {
            (waiting.lots, waiting.price) = (lots, price);
            self.wanted.entry(order).and_modify(|wanted| wanted.lots = lots);
            let size = self.markets.get(&waiting.instrument).map_or(1, |market| market.contract_size);
            let kind = if trade.cmd < 4 { OrderKind::Limit(price) } else { OrderKind::Stop(price) };
            self.reports.push(BrokerReport::Modified { order, quantity: units(lots, size), kind });
        }
    }

    /// A waiting order has left its place: deleted, run out, or about to be a position. Even where a cancel is on its way it may have
    /// been touched first, so only the status of that cancel tells, or two looks at what is open, which the engine compares.
    fn gone(&mut self, trade: &Trade) {
        let Some(order) = self.owner_of(trade) else { return };
        if self.waiting.remove(&order).is_none() {
            return;
        }
        if trade.comment.as_deref() == Some("[expired]") {
            self.reports.push(BrokerReport::Expired { order });
        } else {
            self.requests.push(Ask::Snapshot);
        }
    }

    fn opened(&mut self, trade: &Trade) {
        let Some(order) = self.order_of(trade.mark.as_deref()) else { return self.opened_elsewhere(trade) };
        let is_whole = self.wanted.get(&order).is_none_or(|wanted| wanted.lots == trade.volume.volume());
        if is_whole || self.opened.contains(&order) {
            self.open(order, trade);
        } else {
            // A part of it is gone already, or there was less of it: only the history tells what it was opened with.
            self.requests.push(Ask::Snapshot);
        }
    }

    /// A position is open that belongs to this order.
    pub(super) fn open(&mut self, order: OrderId, trade: &Trade) {
        let Some((instrument, market)) = self.instrument_of(trade.symbol.as_deref()) else { return };
        let (size, position) = (market.contract_size, PositionId(order.0));
        if let Some(held) = self.held.get_mut(&position) {
            // A message about another number may be late, or tell a new one; one that takes a stop off may be late too: lists tell.
            let is_its_number = *held.number.get_or_insert(trade.position) == trade.position;
            let takes_off =
                (held.stop.is_some() && trade.sl.level().is_none()) || (held.target.is_some() && trade.tp.level().is_none());
            if is_its_number && !takes_off {
                self.exits(position, trade);
            } else {
                self.requests.push(Ask::Snapshot);
            }
            return;
        }
        if !trade.open_price.price().is_positive() || !trade.volume.volume().is_positive() {
            // A record without its numbers cannot be booked; the lists tell them.
            return self.requests.push(Ask::Snapshot);
        }
        // A late message about a position that is closed already, or one that the ledger has long booked.
        if !self.opened.insert(order) || self.deals.contains(&trade.position.unsigned_abs()) {
            return;
        }
        self.waiting.remove(&order);
        self.lost.remove(&order);
        let wanted = self.wanted.remove(&order);
        if self.transactions.get(&trade.order).is_some_and(|taken| matches!(taken.purpose, Purpose::Open(..))) {
            self.transactions.remove(&trade.order);
        }
        let side = if trade.cmd == 0 { OrderSide::Buy } else { OrderSide::Sell };
        let held = Held {
            number: Some(trade.position),
            instrument,
            side,
            lots: trade.volume.volume(),
            open_price: trade.open_price.price(),
            stop: None,
            target: None,
            next_legs: LegIds::of_opening(order),
            comment: trade.comment.clone(),
        };
        self.held.insert(position, held);
        let (deal, quantity) = (trade.position.unsigned_abs(), units(trade.volume.volume(), size));
        self.fill(deal, order, position, false, instrument, side, quantity, trade.open_price.price(), 0);
        self.exits(position, trade);
        if wanted.is_some_and(|wanted| wanted.has_stop) && trade.sl.level().is_none() {
            let reason = CleanText::from("the broker did not take the stop with its order");
            self.reports.push(BrokerReport::ProtectRefused { position, reason });
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one trade has exactly these facts")]
    pub(super) fn fill(
        &mut self,
        deal: u64,
        order: OrderId,
        position: PositionId,
        closes: bool,
        instrument: InstrumentId,
        side: OrderSide,
        quantity: Quantity,
        price: Price,
        cost: i64,
    ) {
        if self.deals.insert(deal) {
            let (deal, cost, liquidity, at) =
                (DealId(deal), Money::from_nanos(cost, Currency::USD), Liquidity::Unlimited, self.now);
            self.reports.push(BrokerReport::Filled(Fill {
                deal,
                order,
                position,
                closes,
                instrument,
                side,
                quantity,
                price,
                cost,
                liquidity,
                at,
            }));
        }
    }
}
