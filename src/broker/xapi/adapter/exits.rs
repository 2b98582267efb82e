//! How positions end: the exits the broker holds, and the closes it reports.

use super::{Adapter, Doubtful, Held, Purpose, units};
use crate::broker::xapi::client::Ask;
use crate::broker::xapi::wire::Trade;
use crate::domain::{
    AccountId, BrokerReport, CleanText, Order, OrderId, OrderKind, OrderRequest, OrderSide, Origin, PositionId, Price,
    Protection, ProtectiveReason, Quantity, TimeInForce, WallTime,
};
use crate::orders::APART;

impl Adapter {
    /// Brings the legs in step with the exits the broker holds.
    pub(super) fn exits(&mut self, position: PositionId, trade: &Trade) {
        let Some(held) = self.held.get_mut(&position) else { return };
        let Some(size) = self.markets.get(&held.instrument).map(|market| market.contract_size) else { return };
        let (closing, quantity) = (held.side.opposite(), units(held.lots, size));
        let place = |id: OrderId, kind: OrderKind, reason: ProtectiveReason| Order {
            id,
            account: AccountId(1),
            request: OrderRequest {
                instrument: held.instrument,
                side: closing,
                quantity,
                kind,
                time_in_force: TimeInForce::GoodTillCancelled,
                protection: Protection::default(),
                closes: Some(position),
                origin: Origin::Protective(reason),
            },
            created_at: self.now,
            reference: None,
        };
        let mut legs = Vec::new();
        let stop_kind: fn(Price) -> OrderKind = OrderKind::Stop;
        let target_kind: fn(Price) -> OrderKind = OrderKind::Limit;
        let wishes = [
            (held.stop, trade.sl.level(), held.next_legs.stop, stop_kind, ProtectiveReason::StopLoss),
            (held.target, trade.tp.level(), held.next_legs.target, target_kind, ProtectiveReason::TakeProfit),
        ];
        for (standing, wanted, next, kind, reason) in wishes {
            let now = match (standing, wanted) {
                (None, Some(price)) => {
                    legs.push(BrokerReport::LegPlaced { order: place(next, kind(price), reason) });
                    Some((next, price))
                }
                (Some((id, before)), Some(price)) if before != price => {
                    legs.push(BrokerReport::Modified { order: id, quantity, kind: kind(price) });
                    Some((id, price))
                }
                (Some((order, _)), None) => {
                    legs.push(BrokerReport::Cancelled { order, reason: CleanText::from("taken off its position") });
                    None
                }
                (standing, _) => standing,
            };
            match reason {
                ProtectiveReason::StopLoss => held.stop = now,
                ProtectiveReason::TakeProfit => held.target = now,
                ProtectiveReason::KillSwitch | ProtectiveReason::Breaker | ProtectiveReason::Broker => {}
            }
        }
        self.reports.append(&mut legs);
    }

    pub(super) fn closed(&mut self, trade: &Trade) {
        let deal = trade.order2.unsigned_abs();
        let Some(position) = self.owner_of(trade).map(|order| PositionId(order.0)) else { return };
        let Some(held) = self.held.get(&position).cloned().filter(|_| !self.deals.contains(&deal)) else { return };
        let prices = [trade.open_price.price(), trade.close_price.price()];
        let has_numbers = prices.iter().all(|price| price.is_positive()) && trade.volume.volume().is_positive();
        let Some(profit) = trade.profit.filter(|_| has_numbers) else {
            // Without its result, price or volume it cannot be booked; the history tells them.
            return self.requests.push(Ask::Snapshot);
        };
        let Some(size) = self.markets.get(&held.instrument).map(|market| market.contract_size) else { return };
        let (lots, price, closing) = (trade.volume.volume(), trade.close_price.price(), held.side.opposite());
        if lots > held.lots {
            // More than there is: another position of the same mark, or a list that is older than what is known. Looks tell.
            return self.requests.push(Ask::Snapshot);
        }
        if self.may_be_named(trade, position, &held) {
            self.early_closes.retain(|other| other.order2 != trade.order2);
            return self.early_closes.push(trade.clone());
        }
        let order = self.closing_order(trade, position, &held, units(lots, size));
        // What the broker books, in whole cents with swaps and commission, is the truth; the difference to the prices is a cost.
        let booked = [Some(profit), trade.storage, trade.commission].into_iter().flatten().map(|amount| amount.0).sum::<i64>();
        let quantity = units(lots, size);
        let sign = if held.side == OrderSide::Buy { 1 } else { -1 };
        let moved = i128::from(price.nanos() - trade.open_price.0) * sign;
        let earned = moved * i128::from(quantity.nanos()) / i128::from(crate::domain::SCALE);
        let cost = i64::try_from(earned).unwrap_or(0) - booked;
        self.fill(deal, order, position, true, held.instrument, closing, quantity, price, cost);
        let left = held.lots.minus(lots).unwrap_or(Quantity::ZERO);
        let others: Vec<(OrderId, OrderKind)> = [(held.stop, true), (held.target, false)]
            .into_iter()
            .filter_map(|(leg, is_stop)| {
                leg.map(|(id, price)| (id, if is_stop { OrderKind::Stop(price) } else { OrderKind::Limit(price) }))
            })
            .filter(|(id, _)| *id != order)
            .collect();
        if left.is_zero() {
            self.held.remove(&position);
            let reason = || CleanText::from("its position is closed");
            self.reports.extend(others.into_iter().map(|(order, _)| BrokerReport::Cancelled { order, reason: reason() }));
        } else {
            if let Some(held) = self.held.get_mut(&position) {
                held.lots = left;
            }
            let quantity = units(left, size);
            self.reports.extend(others.into_iter().map(|(order, kind)| BrokerReport::Modified { order, quantity, kind }));
        }
    }

    /// Whether a reply that is still on its way may name this close as the answer to a request of ours.
    fn may_be_named(&self, trade: &Trade, position: PositionId, held: &Held) -> bool {
        let is_close = |purpose: &Purpose| matches!(purpose, Purpose::Close(_, about, _) if *about == position);
        let is_ours_by_number = self.transactions.get(&trade.order2).is_some_and(|taken| is_close(&taken.purpose));
        !is_ours_by_number && !is_told_why(trade, held) && self.asks.values().any(is_close)
    }

    /// A reply about a close of this position has come, or is lost: what waited for it is booked.
    pub(super) fn book_early_closes(&mut self, position: PositionId) {
        let (due, later): (Vec<Trade>, Vec<Trade>) = std::mem::take(&mut self.early_closes)
            .into_iter()
            .partition(|trade| self.owner_of(trade) == Some(OrderId(position.0)));
        self.early_closes = later;
        for trade in due {
            self.closed(&trade);
        }
    }

    /// Notes a closing order whose reply was lost: a close of its position without another owner is its own.
    pub(super) fn doubt(&mut self, position: PositionId, order: OrderId, lots: Quantity) {
        self.doubtful.push(Doubtful { position, order, lots, looked: None });
    }

    /// A close that two looks, late enough apart, do not show never happened: what closes its position later is another's doing.
    pub(super) fn settle_doubts(&mut self, began: WallTime) {
        for doubtful in &mut self.doubtful {
            doubtful.looked.get_or_insert(began);
        }
        self.doubtful.retain(|doubtful| doubtful.looked.is_none_or(|first| began.since(first).0 < APART.0));
    }

    /// Which of our orders a close belongs to: the one that asked, an exit, one whose reply was lost; else the broker's own doing.
    fn closing_order(&mut self, trade: &Trade, position: PositionId, held: &Held, quantity: Quantity) -> OrderId {
        if let Some(Purpose::Close(order, ..)) = self.transactions.get(&trade.order2).map(|transaction| transaction.purpose) {
            self.transactions.remove(&trade.order2);
            return order;
        }
        let comment = trade.comment.as_deref().unwrap_or_default();
        if let Some((leg, _)) = held.stop.filter(|_| comment.starts_with("[S/L]")) {
            return leg;
        }
        if let Some((leg, _)) = held.target.filter(|_| comment.starts_with("[T/P]")) {
            return leg;
        }
        let is_it = |doubtful: &Doubtful| doubtful.position == position && doubtful.lots == trade.volume.volume();
        if let Some(place) = self.doubtful.iter().position(is_it)
            && !is_told_why(trade, held)
        {
            let order = self.doubtful.remove(place).order;
            self.lost.remove(&order);
            return order;
        }
        let id = OrderId(OrderId::FOREIGN.0 + trade.order2.unsigned_abs());
        let request = OrderRequest {
            instrument: held.instrument,
            side: held.side.opposite(),
            quantity,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: Some(position),
            origin: Origin::Protective(ProtectiveReason::Broker),
        };
        let order = Order { id, account: AccountId(1), request, created_at: self.now, reference: None };
        self.reports.push(BrokerReport::LegPlaced { order });
        id
    }
}

/// Whether the broker says why it closed: where a client closed it the comment is what it was while it was open.
fn is_told_why(trade: &Trade, held: &Held) -> bool {
    trade.comment.as_deref().is_some_and(|comment| !comment.is_empty()) && trade.comment != held.comment
}
