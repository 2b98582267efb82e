//! Floor 5: the way to a broker. Today: the paper exchange.
//!
//! A broker takes only [`Approved`] orders, so nothing unchecked can be sent. It decides nothing about trading.
//! What must stay true: an approved order is submitted once; every answer comes back as a [`BrokerReport`]; a broker never blocks.

mod paper;
pub mod xapi;

pub use paper::Paper;

use std::fmt::Debug;

use crate::domain::{
    BrokerReport, DealId, Duration, InstrumentId, LedgerId, MarketEvent, MarketTime, Money, Order, OrderId, OrderKind,
    PositionId, Protection, Quantity, Volume,
};
use crate::exchange::LegIds;
use crate::orders::OrderManager;
use crate::portfolio::Ledger;
use crate::risk::Approved;

/// What the ledger says is open, for a broker that has to know it: after a restart, and where an account begins anew.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The ledger's number, part of every mark.
    pub ledger_id: LedgerId,
    /// Cash and positions.
    pub ledger: &'a Ledger,
    /// Orders.
    pub orders: &'a OrderManager,
    /// The next number of a paper trade.
    pub next_deal: DealId,
    /// Volumes of the last complete bars, where the series have volume.
    pub volumes: &'a [(InstrumentId, Volume)],
}

/// How the way to a remote broker stands, for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// Whether orders can go there now.
    pub is_ready: bool,
    /// In words.
    pub words: String,
    /// Where it leads.
    pub host: String,
    /// Time from a request to its reply, lately.
    pub latency: Option<Duration>,
    /// Balance, equity and bound margin as the broker says.
    pub account: Option<(Money, Money, Money)>,
    /// Commands that wait for their turn.
    pub waiting: usize,
}

/// What every broker can do. Calls return at once; answers are fetched with [`Broker::poll`].
pub trait Broker: Send + Debug {
    /// Takes what the ledger says is open, before anything else and whenever the account begins anew.
    fn restore(&mut self, standing: Standing<'_>);

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

    /// How the way to it stands; nothing for a broker inside this process.
    fn link(&self) -> Option<LinkView> {
        None
    }
}
