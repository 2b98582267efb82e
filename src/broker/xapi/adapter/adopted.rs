//! What was opened elsewhere: adopted from a complete look, never from a message of the stream alone.
//!
//! Its numbers are made from the broker's, so adopting it twice is adopting it once.

use std::collections::BTreeSet;

use super::{Adapter, Held, OPENED_APART, Waiting, side_number, units};
use crate::broker::xapi::client::{Ask, Snapshot};
use crate::broker::xapi::wire::Trade;
use crate::domain::{
    AccountId, BrokerRef, BrokerReport, Order, OrderId, OrderKind, OrderRequest, OrderSide, Origin, PositionId, Protection,
    Quantity, TimeInForce,
};

impl Adapter {
    /// The order a trade belongs to: ours by its mark, else the number it has or would have when adopted. Nothing where this program
    /// does not trade what it is about.
    pub(super) fn owner_of(&self, trade: &Trade) -> Option<OrderId> {
        self.order_of(trade.mark.as_deref()).or_else(|| self.adopted_number(trade))
    }

    fn adopted_number(&self, trade: &Trade) -> Option<OrderId> {
        self.instrument_of(trade.symbol.as_deref())?;
        if let Some(order) = self.renumbered.get(&trade.position) {
            return Some(*order);
        }
        let number = u64::try_from(trade.position).ok().filter(|number| *number < 1 << 40)?;
        Some(OrderId(OrderId::ADOPTED.0 + number * OPENED_APART))
    }

    /// Adopts a position or a waiting order of a complete look, if it is neither ours nor adopted already. In an account of another
    /// currency nothing is: its results could not be booked.
    pub(super) fn adopt(&mut self, trade: &Trade, snapshot: &Snapshot) {
        if self.order_of(trade.mark.as_deref()).is_some() || !self.is_booked_alike() {
            return;
        }
        if self.may_be_a_rest(trade, snapshot) {
            // The history that tells it may be short of its last entry; until then it counts as a stranger.
            return self.requests.push(Ask::Snapshot);
        }
        let Some(order) = self.adopted_number(trade) else { return };
        let is_position = matches!(trade.cmd, 0 | 1);
        let is_known = if is_position { self.opened.contains(&order) } else { self.waiting.contains_key(&order) };
        // Where the broker's contract is another, its lots are not ours.
        let Some(request) = self.adopted_request(trade).filter(|request| !is_known && !self.differs(request.instrument)) else {
            return;
        };
        let order = Order { id: order, account: AccountId(1), request, created_at: self.now, reference: None };
        self.reports.push(BrokerReport::LegPlaced { order });
        if is_position {
            self.open(order.id, trade);
            return;
        }
        self.reports.push(BrokerReport::Accepted { order: order.id, broker_ref: BrokerRef(trade.order.unsigned_abs()) });
        let waiting = Waiting {
            number: trade.order,
            cmd: trade.cmd,
            instrument: request.instrument,
            lots: trade.volume.volume(),
            price: trade.open_price.price(),
            exits: (trade.sl, trade.tp),
            expiration: trade.expiration.unwrap_or(0),
        };
        self.waiting.insert(order.id, waiting);
    }

    /// Parts of a position in the history that nobody has booked, the latest first.
    fn unbooked<'a>(&'a self, position: PositionId, snapshot: &'a Snapshot) -> Vec<&'a Trade> {
        let is_part = |trade: &&Trade| {
            matches!(trade.cmd, 0 | 1)
                && self.adopted_number(trade) == Some(OrderId(position.0))
                && !self.deals.contains(&trade.order2.unsigned_abs())
        };
        let mut parts: Vec<&Trade> = snapshot.history.iter().filter(is_part).collect();
        parts.sort_by_key(|trade| std::cmp::Reverse(trade.order2));
        parts
    }

    /// Finds what is left of adopted positions under new numbers: in the history where parts of it closed meanwhile, and in the list of
    /// what is open. It has the instrument, the side and the opening price of what it is a part of, and no more than its volume.
    pub(super) fn follow_renumbered(&mut self, snapshot: &Snapshot) {
        let is_position = |trade: &&Trade| matches!(trade.cmd, 0 | 1) && self.order_of(trade.mark.as_deref()).is_none();
        let listed: BTreeSet<OrderId> =
            snapshot.open.iter().filter(is_position).filter_map(|trade| self.adopted_number(trade)).collect();
        let mut missing: Vec<(PositionId, Held)> = Vec::new();
        for (id, held) in self.held.iter().filter(|(id, _)| id.is_adopted() && !listed.contains(&OrderId(id.0))) {
            let parts: i64 = self.unbooked(*id, snapshot).iter().map(|part| part.volume.0).sum();
            let lots = held.lots.minus(Quantity::from_nanos(parts)).unwrap_or(Quantity::ZERO);
            missing.push((*id, Held { lots, ..held.clone() }));
        }
        if missing.is_empty() {
            return;
        }
        let mut closed: Vec<&Trade> = snapshot.history.iter().filter(is_position).collect();
        closed.sort_by_key(|trade| trade.order2);
        let mut found = Vec::new();
        for trade in closed.into_iter().chain(snapshot.open.iter().filter(is_position)) {
            let is_known = self.adopted_number(trade).is_none_or(|order| self.opened.contains(&order));
            let (instrument, volume) = (self.instrument_of(trade.symbol.as_deref()).map(|(id, _)| id), trade.volume.volume());
            let is_of = |held: &Held| {
                instrument == Some(held.instrument)
                    && side_number(held.side) == trade.cmd
                    && held.open_price == trade.open_price.price()
                    && if trade.closed { volume <= held.lots } else { volume == held.lots }
            };
            if let Some((id, held)) = missing.iter_mut().find(|(_, held)| is_of(held)).filter(|_| !is_known) {
                // What is booked already was taken off before.
                if !(trade.closed && self.deals.contains(&trade.order2.unsigned_abs())) {
                    held.lots = held.lots.minus(volume).unwrap_or(Quantity::ZERO);
                }
                found.push((trade.position, OrderId(id.0)));
            }
        }
        self.renumbered.extend(found);
    }

    /// Whether an unknown position could be what is left of an adopted one that the list lacks.
    fn may_be_a_rest(&self, trade: &Trade, snapshot: &Snapshot) -> bool {
        let is_unknown = self.adopted_number(trade).is_some_and(|order| !self.opened.contains(&order));
        let instrument = self.instrument_of(trade.symbol.as_deref()).map(|(id, _)| id);
        let is_listed = |id: PositionId| snapshot.open.iter().any(|other| self.adopted_number(other) == Some(OrderId(id.0)));
        is_unknown
            && self.held.iter().any(|(id, held)| {
                id.is_adopted()
                    && instrument == Some(held.instrument)
                    && side_number(held.side) == trade.cmd
                    && held.open_price == trade.open_price.price()
                    && !is_listed(*id)
            })
    }

    /// Parts that closed before a position was adopted were never ours: of those nobody has booked only the latest count, as many as
    /// are missing from what is held here.
    pub(super) fn forget_older_parts(&mut self, snapshot: &Snapshot) {
        let mut older = Vec::new();
        for (id, held) in self.held.iter().filter(|(id, _)| id.is_adopted()) {
            let open = snapshot.open.iter().filter(|trade| matches!(trade.cmd, 0 | 1));
            let there: i64 = open.filter(|trade| self.owner_of(trade) == Some(OrderId(id.0))).map(|trade| trade.volume.0).sum();
            let mut closed = held.lots.nanos().saturating_sub(there);
            for part in self.unbooked(*id, snapshot) {
                if part.volume.0 <= closed {
                    closed -= part.volume.0;
                } else {
                    older.push(part.order2.unsigned_abs());
                }
            }
        }
        self.deals.extend(older);
    }

    fn adopted_request(&self, trade: &Trade) -> Option<OrderRequest> {
        let (instrument, contract) = self.instrument_of(trade.symbol.as_deref())?;
        let price = trade.open_price.price();
        let (side, kind) = match trade.cmd {
            0 => (OrderSide::Buy, OrderKind::Market),
            1 => (OrderSide::Sell, OrderKind::Market),
            2 => (OrderSide::Buy, OrderKind::Limit(price)),
            3 => (OrderSide::Sell, OrderKind::Limit(price)),
            4 => (OrderSide::Buy, OrderKind::Stop(price)),
            5 => (OrderSide::Sell, OrderKind::Stop(price)),
            _ => return None,
        };
        Some(OrderRequest {
            instrument,
            side,
            quantity: units(trade.volume.volume(), contract.contract_size),
            kind,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection { stop_loss: trade.sl.level(), take_profit: trade.tp.level() },
            closes: None,
            origin: Origin::External,
        })
    }

    /// The stream speaks of a position from elsewhere: one that is adopted has its exits brought in step, another is looked at in full.
    pub(super) fn opened_elsewhere(&mut self, trade: &Trade) {
        match self.adopted_number(trade) {
            Some(order) if self.opened.contains(&order) => self.open(order, trade),
            Some(_) => self.requests.push(Ask::Snapshot),
            None => {}
        }
    }
}
