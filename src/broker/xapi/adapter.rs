//! What orders and positions mean on this wire: our numbers to the broker's and back, by the mark every request carries.
//!
//! Pure: wishes and client events in, requests and reports out. Nothing is sent twice here; what is not certain is reported as that.
//! `adapter/wishes.rs` is what leaves, `adapter/replies.rs` what comes back about it, `adapter/opens.rs` how trades appear,
//! `adapter/exits.rs` how positions end, `adapter/adopted.rs` what was opened elsewhere, `adapter/look.rs` what a look at everything
//! says, `adapter/terms.rs` what may be traded here at all, `adapter/restored.rs` what a restart takes over.

mod adopted;
mod exits;
mod look;
mod opens;
mod replies;
mod restored;
mod terms;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::broker::xapi::Decimal;
use crate::broker::xapi::client::{Ask, AskId, ClientEvent};
use crate::broker::xapi::wire::{Status, Trade};
use crate::domain::{
    BrokerReport, CleanText, Contract, InstrumentId, LedgerId, MarketTime, OrderId, OrderKind, OrderSide, PositionId, Price,
    Quantity, RiskDay, TimeInForce, WallTime,
};
use crate::exchange::LegIds;
use terms::Terms;

/// Numbers of adopted positions lie so far apart, so that their exits have numbers of their own.
const OPENED_APART: u64 = 4;
/// Statuses that came before the reply which explains them.
const EARLY: usize = 256;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// What it waits with, if it does not trade at once.
    Open(OrderId, Option<Waiting>),
    /// With its volume.
    Close(OrderId, PositionId, Quantity),
    Cancel(OrderId),
    Modify(OrderId, Quantity, OrderKind),
    Protect(PositionId),
}

/// A request that the broker has taken under a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Transaction {
    purpose: Purpose,
    /// Whether the last word on it is spoken: what follows is told by trades.
    is_concluded: bool,
    /// When the first look after it began.
    looked: Option<WallTime>,
}

/// What an opening order wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    lots: Quantity,
    has_stop: bool,
}

/// A closing order whose reply was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubtful {
    position: PositionId,
    order: OrderId,
    lots: Quantity,
    /// When the first look after it began.
    looked: Option<WallTime>,
}

/// An open position.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    /// The broker's number, once it has been seen; what a partial close leaves may get another one.
    number: Option<i64>,
    instrument: InstrumentId,
    side: OrderSide,
    lots: Quantity,
    open_price: Price,
    stop: Option<(OrderId, Price)>,
    target: Option<(OrderId, Price)>,
    next_legs: LegIds,
    /// The broker's comment on it while it is open: one that is the same at its close says that a client closed it.
    comment: Option<String>,
}

/// A waiting order with the terms last heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    number: i64,
    cmd: i64,
    instrument: InstrumentId,
    lots: Quantity,
    price: Price,
    /// Exits it will have once it is a position, and when it ends in milliseconds; 0 for none. A change must send them again.
    exits: (Decimal, Decimal),
    expiration: i64,
}

/// Both sides of the numbers.
#[derive(Debug, Default)]
pub struct Adapter {
    ledger: LedgerId,
    first_order: OrderId,
    markets: BTreeMap<InstrumentId, Contract>,
    asks: BTreeMap<AskId, Purpose>,
    transactions: BTreeMap<i64, Transaction>,
    early: VecDeque<Status>,
    /// Numbers whose last word was spoken lately: a repetition of it is no news.
    finished: VecDeque<i64>,
    /// Requests whose reply was lost: a status that carries their mark names their number.
    lost: BTreeMap<OrderId, Purpose>,
    held: BTreeMap<PositionId, Held>,
    /// Orders that have opened a position, whether it is still open or not.
    opened: BTreeSet<OrderId>,
    waiting: BTreeMap<OrderId, Waiting>,
    /// Opening orders that were sent and have opened nothing yet.
    wanted: BTreeMap<OrderId, Wanted>,
    /// What is left of positions from elsewhere under another number than they were adopted with, by that number.
    renumbered: BTreeMap<i64, OrderId>,
    deals: BTreeSet<u64>,
    doubtful: Vec<Doubtful>,
    /// Closes that came while the reply which may name them is on its way.
    early_closes: Vec<Trade>,
    /// What an order seems to have been opened with where that is not what was wanted: told by one look, and by a second to be booked.
    unsure: BTreeMap<OrderId, (Decimal, WallTime)>,
    /// The last number whose last word was asked for.
    asked_until: i64,
    /// How many looks at what is open in a row have differed from what is held here.
    differed: u8,
    terms: Terms,
    /// What the last look found that is not from here, one line each.
    strangers: Vec<String>,
    now: MarketTime,
    next_ask: u64,
    requests: Vec<Ask>,
    reports: Vec<BrokerReport>,
}

impl Adapter {
    /// An adapter for these instruments.
    pub fn new(markets: BTreeMap<InstrumentId, Contract>) -> Self {
        Self { markets, next_ask: 1, ..Self::default() }
    }

    /// Notes market time, the only clock of reports.
    pub const fn set_now(&mut self, now: MarketTime) {
        self.now = now;
    }

    /// Requests for the link, in order.
    pub fn requests(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.requests)
    }

    /// Reports for the engine, in order.
    pub fn reports(&mut self, out: &mut Vec<BrokerReport>) {
        out.append(&mut self.reports);
    }

    /// What the last look found that is not from here, one line each.
    pub fn strangers(&self) -> &[String] {
        &self.strangers
    }

    /// The mark of an order: unique in all ledgers of a person, short enough for the protocol.
    pub fn mark(&self, order: OrderId) -> String {
        order.mark(self.ledger)
    }

    fn order_of(&self, mark: Option<&str>) -> Option<OrderId> {
        let (ledger, order) = mark?.strip_prefix("pmax-")?.split_once('-')?;
        let is_ours = format!("{:08x}", self.ledger.0) == ledger;
        // What an older run of the ledger left open counts as opened elsewhere: it is in no book of this one.
        order.parse().ok().map(OrderId).filter(|order| is_ours && *order >= self.first_order)
    }

    fn instrument_of(&self, symbol: Option<&str>) -> Option<(InstrumentId, &Contract)> {
        let symbol = symbol?;
        self.markets.iter().find(|(_, market)| market.symbol == symbol).map(|(id, market)| (*id, market))
    }

    /// There is nobody any more who could answer: what was asked for may or may not have happened.
    pub fn abandon(&mut self, why: &CleanText) {
        for id in self.asks.keys().copied().collect::<Vec<_>>() {
            self.ambiguous(id, why);
        }
    }

    /// Takes what the client tells.
    pub fn hear(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Taken(id, number) => self.taken(*id, *number),
            ClientEvent::Refused(id, why) => self.refused(*id, why),
            ClientEvent::NotSent(id, why) => self.not_sent(*id, why),
            ClientEvent::Ambiguous(id, why) => self.ambiguous(*id, why),
            ClientEvent::Status(status) => self.status(status),
            ClientEvent::NoTransaction(number) => self.forgotten(*number),
            ClientEvent::Trade(trade) => self.trade(trade),
            ClientEvent::Snapshot(snapshot) => self.snapshot(snapshot),
            ClientEvent::Unread(_) | ClientEvent::Link(_) | ClientEvent::Written(_) | ClientEvent::Tick(_) => {}
            ClientEvent::Symbols(symbols) => self.terms.compare(&self.markets, symbols),
            ClientEvent::Contract(symbol, listed) => self.terms.compare_one(&self.markets, symbol, listed.as_deref()),
            ClientEvent::NoCandles(..) => {}
            ClientEvent::Candles(..) | ClientEvent::Account(_) | ClientEvent::Latency(_) | ClientEvent::Vitals(_) => {}
        }
    }
}

const fn side_number(side: OrderSide) -> i64 {
    match side {
        OrderSide::Buy => 0,
        OrderSide::Sell => 1,
    }
}

const fn command_number(side: OrderSide, kind: OrderKind) -> i64 {
    side_number(side)
        + match kind {
            OrderKind::Market => 0,
            OrderKind::Limit(_) => 2,
            OrderKind::Stop(_) => 4,
        }
}

const fn price_of(kind: OrderKind) -> Option<Price> {
    match kind {
        OrderKind::Market => None,
        OrderKind::Limit(price) | OrderKind::Stop(price) => Some(price),
    }
}

/// When a waiting order ends at the broker, in milliseconds; 0 for never. A day order ends with the risk day in which it was made.
fn expiration_of(time_in_force: TimeInForce, kind: OrderKind, made_at: MarketTime) -> i64 {
    match (time_in_force, kind) {
        (TimeInForce::Day, OrderKind::Limit(_) | OrderKind::Stop(_)) => RiskDay::of(made_at).ends_at.0 / 1_000_000,
        (TimeInForce::Day, OrderKind::Market) | (TimeInForce::GoodTillCancelled, _) => 0,
    }
}

/// Units of so many lots.
const fn units(lots: Quantity, contract_size: i64) -> Quantity {
    Quantity::from_nanos(lots.nanos().saturating_mul(contract_size))
}

/// Lots of so many units, if the broker takes that volume.
fn lots_of(quantity: Quantity, market: &Contract) -> Option<Quantity> {
    let size = market.contract_size.max(1);
    let lots = Quantity::from_nanos(quantity.nanos() / size);
    let fits = quantity.nanos() % size == 0 && lots >= market.lot_min && lots.is_multiple_of(market.lot_step);
    fits.then_some(lots)
}
