//! Floor 5: the way to a broker. Today: the paper exchange.
//!
//! A broker takes only [`Approved`] orders, so nothing unchecked can be sent. It decides nothing about trading.
//! What must stay true: an approved order is submitted once; every answer comes back as a [`BrokerReport`]; a broker never blocks.

mod paper;

pub use paper::Paper;

use crate::domain::{BrokerReport, MarketEvent, MarketTime, Order, OrderId, OrderKind, PositionId, Protection, Quantity};
use crate::exchange::LegIds;
use crate::risk::Approved;

/// What every broker can do. Calls return at once; answers are fetched with [`Broker::poll`].
pub trait Broker: Send {
    /// Writes an order to the wire, once.
    fn submit(&mut self, order: Approved<Order>, now: MarketTime);

    /// Asks to cancel a working order.
    fn cancel(&mut self, order: OrderId);

    /// Asks to change a working order.
    fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind, now: MarketTime);

    /// Asks to set a position's exit levels.
    fn protect(&mut self, position: PositionId, protection: Protection, legs: LegIds, now: MarketTime);

    /// Asks what is open.
    fn query(&mut self);

    /// Hears a market event; only simulated brokers care.
    fn on_market(&mut self, event: &MarketEvent);

    /// Moves all answers that have arrived into `out`.
    fn poll(&mut self, out: &mut Vec<BrokerReport>);
}
