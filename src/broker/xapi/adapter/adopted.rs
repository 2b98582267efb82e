//! What was opened elsewhere: adopted from a complete look, never from a message of the stream alone.
//!
//! Its numbers are made from the broker's, so adopting it twice is adopting it once.

use super::{Adapter, OPENED_APART, Waiting, units};
use crate::broker::xapi::client::Ask;
use crate::broker::xapi::wire::Trade;
use crate::domain::{
    AccountId, BrokerRef, BrokerReport, Order, OrderId, OrderKind, OrderRequest, OrderSide, Origin, Protection, TimeInForce,
};

impl Adapter {
    /// The order a trade belongs to: ours by its mark, else the number it has or would have when adopted. Nothing where this program
    /// does not trade what it is about.
    pub(super) fn owner_of(&self, trade: &Trade) -> Option<OrderId> {
        self.order_of(trade.mark.as_deref()).or_else(|| self.adopted_number(trade))
    }

    fn adopted_number(&self, trade: &Trade) -> Option<OrderId> {
        self.instrument_of(trade.symbol.as_deref())?;
        let number = u64::try_from(trade.position).ok().filter(|number| *number < 1 << 40)?;
        Some(OrderId(OrderId::ADOPTED.0 + number * OPENED_APART))
    }

    /// Adopts a position or a waiting order of a complete look, if it is neither ours nor adopted already.
    pub(super) fn adopt(&mut self, trade: &Trade) {
        if self.order_of(trade.mark.as_deref()).is_some() {
            return;
        }
        let Some(order) = self.adopted_number(trade) else { return };
        let is_position = matches!(trade.cmd, 0 | 1);
        let is_known = if is_position { self.opened.contains(&order) } else { self.waiting.contains_key(&order) };
        let Some(request) = self.adopted_request(trade).filter(|_| !is_known) else { return };
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
