//! Floor 5: the way to a broker: the paper exchange, or a demo account over xAPI.
//!
//! A broker takes only [`Approved`] orders, so nothing unchecked can be sent. It decides nothing about trading.
//! What must stay true: an approved order is submitted once; every answer comes back as a [`BrokerReport`]; a broker never blocks.

mod paper;
pub mod xapi;

pub use paper::Paper;

use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::domain::{
    BrokerReport, DealId, Duration, InstrumentId, LedgerId, MarketEvent, MarketTime, Money, Order, OrderId, OrderKind,
    PositionId, Price, Protection, Quantity, VenueNews, Volume, WallTime,
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
    /// The run's first order number: lower ones under the same mark are of older runs, whose books are closed.
    pub first_order: OrderId,
    /// Cash and positions.
    pub ledger: &'a Ledger,
    /// Orders.
    pub orders: &'a OrderManager,
    /// The next number of a paper trade.
    pub next_deal: DealId,
    /// Volumes of the last complete bars, where the series have volume.
    pub volumes: &'a [(InstrumentId, Volume)],
    /// The last prices.
    pub prices: &'a [(InstrumentId, Price)],
}

/// How one of a link's connections stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SocketView {
    /// There is none.
    #[default]
    Closed,
    /// It is being opened.
    Opening,
    /// It is open.
    Open,
    /// It is open and the login was taken.
    LoggedIn,
}

/// What the broker says the account is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountMoney {
    /// Deposits and realised results.
    pub balance: Money,
    /// With open results.
    pub equity: Money,
    /// Bound by positions.
    pub margin: Money,
}

/// How the way to a remote broker stands, for the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkView {
    /// Whether orders can go there now.
    pub is_ready: bool,
    /// Whether it stays as it is until a person wants otherwise: a refused login.
    pub needs_person: bool,
    /// How it stands, in words.
    pub words: String,
    /// When it is tried again, where it will be.
    pub retry_at: Option<WallTime>,
    /// Where it leads.
    pub host: String,
    /// The account's number there.
    pub account: String,
    /// Requests and replies.
    pub main: SocketView,
    /// What the broker pushes.
    pub stream: SocketView,
    /// When the stream last said anything.
    pub stream_heard: Option<WallTime>,
    /// Median time from a request to its reply, of the latest ones.
    pub latency: Option<Duration>,
    /// Longest of them.
    pub slowest: Option<Duration>,
    /// Currency in which the account is kept, once the broker has said it.
    pub currency: Option<String>,
    /// What the broker says the account is worth.
    pub money: Option<AccountMoney>,
    /// Commands that wait for their turn.
    pub waiting: usize,
    /// Commands of the last ten seconds, and how many the protocol's spacing allows.
    pub rate: (usize, usize),
    /// When everything open was last compared in full.
    pub compared: Option<WallTime>,
    /// Why the last answer could not be used, if it could not.
    pub unread: Option<String>,
    /// Instruments whose terms at the broker are not those of the table: they are not traded.
    pub mismatched: Vec<String>,
    /// What is open there and not from here, one line each.
    pub strangers: Vec<String>,
    /// Connections made since the start.
    pub connections: u32,
}

/// Called when something has arrived, from any thread; it must not wait.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    /// Calls this function.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Nobody need be called.
    pub fn nobody() -> Self {
        Self::new(|| {})
    }

    /// Calls it.
    pub fn call(&self) {
        (self.0)();
    }
}

impl Debug for Wake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wake")
    }
}

/// What every broker can do. Calls return at once; answers are fetched with [`Broker::poll`].
pub trait Broker: Send + Debug {
    /// Takes what the ledger says is open, before anything else and whenever the account begins anew.
    fn restore(&mut self, standing: Standing<'_>);

    /// Writes an order to the wire, once.
    fn submit(&mut self, order: Approved<Order>, now: MarketTime);

    /// Asks to cancel a working order.
    fn cancel(&mut self, order: OrderId);

    /// Does not write an order that still waits for its turn; a broker that writes at once has nothing to do. Every broker says which it
    /// is: one that hands orders on must hand this on too.
    fn withdraw(&mut self, order: OrderId);

    /// Asks to change a working order.
    fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind, now: MarketTime);

    /// Asks to set a position's exit levels.
    fn protect(&mut self, position: PositionId, protection: Protection, legs: LegIds, now: MarketTime);

    /// Asks what is open.
    fn query(&mut self);

    /// Hears a market event.
    fn on_market(&mut self, event: &MarketEvent);

    /// Moves all answers that have arrived into `out`.
    fn poll(&mut self, out: &mut Vec<BrokerReport>);

    /// Whom to call when an answer has arrived; said once, before everything else.
    fn wake_with(&mut self, _wake: Wake) {}

    /// Whether another market event can be taken now; a tape waits where it cannot.
    fn takes_market(&self) -> bool {
        true
    }

    /// How the way to it stands; nothing for a broker inside this process.
    fn link(&self) -> Option<LinkView> {
        None
    }

    /// Moves what the broker's own market says into `out`; nothing where prices come from elsewhere.
    fn take_news(&mut self, _out: &mut Vec<VenueNews>) {}

    /// A person wants it to connect now, also after a refused login.
    fn reconnect(&mut self) {}
}
