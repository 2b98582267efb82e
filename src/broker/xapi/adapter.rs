//! What orders and positions mean on this wire: our numbers to the broker's and back, by the mark every request carries.
//!
//! Pure: wishes and client events in, requests and reports out. Nothing is sent twice here; what is not certain is reported as that.
//! `adapter/exits.rs` is how positions end, `adapter/adopted.rs` what was opened elsewhere, `adapter/look.rs` what a look at everything says, `adapter/restored.rs` what a restart
//! takes over.

mod adopted;
mod exits;
mod look;
mod restored;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::broker::xapi::client::{Ask, AskId, ClientEvent};
use crate::broker::xapi::number::Decimal;
use crate::broker::xapi::wire::{Status, Trade, TradeRequest};
use crate::domain::{
    BrokerRef, BrokerReport, CleanText, Contract, Currency, DealId, Fill, InstrumentId, LedgerId, Liquidity, MarketTime, Money,
    Order, OrderId, OrderKind, OrderSide, Origin, PositionId, Price, Protection, ProtectiveReason, Quantity, RiskDay,
    TimeInForce,
};
use crate::exchange::LegIds;

/// Numbers of adopted positions lie so far apart, so that their exits have numbers of their own.
const OPENED_APART: u64 = 4;
/// Statuses that came before the reply which explains them.
const EARLY: usize = 256;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// What it waits with, if it does not trade at once.
    Open(OrderId, Option<Waiting>),
    Close(OrderId, PositionId),
    Cancel(OrderId),
    Modify(OrderId, Quantity, OrderKind),
    Protect,
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
    markets: BTreeMap<InstrumentId, Contract>,
    asks: BTreeMap<AskId, Purpose>,
    transactions: BTreeMap<i64, Purpose>,
    early: VecDeque<Status>,
    held: BTreeMap<PositionId, Held>,
    /// Orders that have opened a position, whether it is still open or not.
    opened: BTreeSet<OrderId>,
    waiting: BTreeMap<OrderId, Waiting>,
    deals: BTreeSet<u64>,
    /// Closing orders whose reply was lost.
    doubtful: Vec<(PositionId, OrderId)>,
    /// How many looks at what is open in a row have differed from what is held here.
    differed: u8,
    /// Instruments that must not be opened here, and why.
    barred: BTreeMap<InstrumentId, String>,
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

    /// Whether an order's fate is open.
    pub const fn is_in_doubt(&self) -> bool {
        !self.doubtful.is_empty()
    }

    /// What the last look found that is not from here, one line each.
    pub fn strangers(&self) -> &[String] {
        &self.strangers
    }

    /// Instruments that must not be opened at this broker, and why; what is held of them can still be closed.
    pub fn bar(&mut self, barred: BTreeMap<InstrumentId, String>) {
        self.barred = barred;
    }

    /// The mark of an order: unique in all ledgers of a person, short enough for the protocol.
    pub fn mark(&self, order: OrderId) -> String {
        order.mark(self.ledger)
    }

    fn order_of(&self, mark: Option<&str>) -> Option<OrderId> {
        let (ledger, order) = mark?.strip_prefix("pmax-")?.split_once('-')?;
        let is_ours = format!("{:08x}", self.ledger.0) == ledger;
        order.parse().ok().filter(|_| is_ours).map(OrderId)
    }

    fn instrument_of(&self, symbol: Option<&str>) -> Option<(InstrumentId, &Contract)> {
        let symbol = symbol?;
        self.markets.iter().find(|(_, market)| market.symbol == symbol).map(|(id, market)| (*id, market))
    }

    fn refuse(&mut self, order: OrderId, why: &str) {
        self.reports.push(BrokerReport::Rejected { order, reason: CleanText::from_outside(why) });
    }

    fn request(&mut self, purpose: Purpose, request: TradeRequest, is_urgent: bool) {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        self.asks.insert(id, purpose);
        self.requests.push(Ask::Trade { id, request, is_urgent });
    }

    /// An order for the wire. Written once, whatever comes back.
    pub fn submit(&mut self, order: Order) {
        let wish = order.request;
        let Some(market) = self.markets.get(&wish.instrument) else {
            return self.refuse(order.id, "the broker does not list this instrument");
        };
        let Some(lots) = lots_of(wish.quantity, market) else {
            return self.refuse(order.id, "the quantity is not a volume the broker takes");
        };
        let symbol = market.symbol.clone();
        let mark = self.mark(order.id);
        if let Some(position) = wish.closes {
            let Some((number, held)) = self.held.get(&position).and_then(|held| Some((held.number?, held))) else {
                return self.refuse(order.id, "the position it closes is not known to be open at the broker");
            };
            let (cmd, price) = (side_number(held.side), held.open_price);
            let is_urgent = wish.origin == Origin::Protective(ProtectiveReason::KillSwitch);
            let request = TradeRequest {
                cmd,
                kind: 2,
                symbol,
                volume: Decimal(lots.nanos()),
                price: Decimal(price.nanos()),
                sl: Decimal(0),
                tp: Decimal(0),
                order: number,
                expiration: 0,
                mark,
            };
            return self.request(Purpose::Close(order.id, position), request, is_urgent);
        }
        if let Some(why) = self.barred.get(&wish.instrument).cloned() {
            return self.refuse(order.id, &why);
        }
        let expiration = expiration_of(wish.time_in_force, wish.kind, self.now);
        let price = wish.named_price().or(order.reference).unwrap_or(Price::from_nanos(crate::domain::SCALE));
        let level = |price: Option<Price>| Decimal(price.map_or(0, Price::nanos));
        let request = TradeRequest {
            cmd: command_number(wish.side, wish.kind),
            kind: 0,
            symbol,
            volume: Decimal(lots.nanos()),
            price: Decimal(price.nanos()),
            sl: level(wish.protection.stop_loss),
            tp: level(wish.protection.take_profit),
            order: 0,
            expiration,
            mark,
        };
        let (cmd, instrument, exits) = (request.cmd, wish.instrument, (request.sl, request.tp));
        let waiting = price_of(wish.kind).map(|price| Waiting { number: 0, cmd, instrument, lots, price, exits, expiration });
        self.request(Purpose::Open(order.id, waiting), request, false);
    }

    /// Deletes a waiting order.
    pub fn cancel(&mut self, order: OrderId) {
        let Some(Waiting { number, cmd, instrument, .. }) = self.waiting.get(&order).copied() else {
            let reason = CleanText::from_outside("no such order waits at the broker");
            return self.reports.push(BrokerReport::CancelRefused { order, reason });
        };
        let Some(request) = self.about(number, cmd, 4, instrument, order) else { return };
        self.request(Purpose::Cancel(order), request, true);
    }

    /// Changes a waiting order.
    pub fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind) {
        let refused = |why: &str| BrokerReport::ModifyRefused { order, reason: CleanText::from_outside(why) };
        let Some(Waiting { number, cmd, instrument, exits, expiration, .. }) = self.waiting.get(&order).copied() else {
            return self.reports.push(refused("no such order waits at the broker"));
        };
        let lots = self.markets.get(&instrument).and_then(|market| lots_of(quantity, market));
        let (Some(lots), Some(price)) = (lots, price_of(kind)) else {
            return self.reports.push(refused("the broker does not take such a change"));
        };
        let Some(request) = self.about(number, cmd, 3, instrument, order) else { return };
        let (volume, price, (sl, tp)) = (Decimal(lots.nanos()), Decimal(price.nanos()), exits);
        let request = TradeRequest { volume, price, sl, tp, expiration, ..request };
        self.request(Purpose::Modify(order, quantity, kind), request, false);
    }

    fn about(&self, number: i64, cmd: i64, kind: i64, instrument: InstrumentId, order: OrderId) -> Option<TradeRequest> {
        let market = self.markets.get(&instrument)?;
        Some(TradeRequest {
            cmd,
            kind,
            symbol: market.symbol.clone(),
            volume: Decimal(market.lot_min.nanos()),
            price: Decimal(crate::domain::SCALE),
            sl: Decimal(0),
            tp: Decimal(0),
            order: number,
            expiration: 0,
            mark: self.mark(order),
        })
    }

    /// Sets the exits of a position; they live at the broker.
    pub fn protect(&mut self, position: PositionId, protection: Protection, legs: LegIds) {
        let Some(held) = self.held.get_mut(&position) else { return };
        held.next_legs = legs;
        let held = held.clone();
        let about =
            held.number.and_then(|number| self.about(number, side_number(held.side), 3, held.instrument, OrderId(position.0)));
        let Some(request) = about else { return };
        let level = |price: Option<Price>| Decimal(price.map_or(0, Price::nanos));
        let request = TradeRequest {
            volume: Decimal(held.lots.nanos()),
            price: Decimal(held.open_price.nanos()),
            sl: level(protection.stop_loss),
            tp: level(protection.take_profit),
            ..request
        };
        self.request(Purpose::Protect, request, false);
    }

    /// Takes what the client tells.
    pub fn hear(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Taken(id, number) => self.taken(*id, *number),
            ClientEvent::Refused(id, why) | ClientEvent::NotSent(id, why) => self.refused(*id, why),
            ClientEvent::Ambiguous(id, why) => self.ambiguous(*id, why),
            ClientEvent::Status(status) => self.status(status),
            ClientEvent::Trade(trade) => self.trade(trade),
            ClientEvent::Snapshot(snapshot) => self.snapshot(snapshot),
            ClientEvent::Unread(_) | ClientEvent::Link(_) | ClientEvent::Written(_) | ClientEvent::Tick(_) => {}
            ClientEvent::Candles(..)
            | ClientEvent::Account(_)
            | ClientEvent::Symbols(_)
            | ClientEvent::Latency(_)
            | ClientEvent::Vitals(_) => {}
        }
    }

    fn taken(&mut self, id: AskId, number: i64) {
        let Some(purpose) = self.asks.remove(&id) else { return };
        if let Purpose::Open(order, ..) | Purpose::Close(order, _) = purpose {
            self.reports.push(BrokerReport::Accepted { order, broker_ref: BrokerRef(number.unsigned_abs()) });
        }
        // The reply may be quicker than the stream: the order can be cancelled from now on.
        if let Purpose::Open(order, Some(waiting)) = purpose
            && !self.opened.contains(&order)
        {
            self.waiting.insert(order, Waiting { number, ..waiting });
        }
        self.transactions.insert(number, purpose);
        if let Some(place) = self.early.iter().position(|status| status.order == number)
            && let Some(status) = self.early.remove(place)
        {
            self.status(&status);
        }
    }

    fn refused(&mut self, id: AskId, why: &CleanText) {
        if let Some(purpose) = self.asks.remove(&id) {
            self.deny(purpose, why.clone());
        }
    }

    fn deny(&mut self, purpose: Purpose, reason: CleanText) {
        if let Purpose::Open(order, ..) = purpose {
            self.waiting.remove(&order);
        }
        self.reports.push(match purpose {
            Purpose::Open(order, ..) | Purpose::Close(order, _) => BrokerReport::Rejected { order, reason },
            Purpose::Cancel(order) => BrokerReport::CancelRefused { order, reason },
            Purpose::Modify(order, ..) => BrokerReport::ModifyRefused { order, reason },
            Purpose::Protect => return,
        });
    }

    /// Nothing is sent again; what is open is asked for.
    fn ambiguous(&mut self, id: AskId, why: &CleanText) {
        let Some(purpose) = self.asks.remove(&id) else { return };
        match purpose {
            Purpose::Open(order, ..) => self.reports.push(BrokerReport::ReplyLost { order, reason: why.clone() }),
            Purpose::Close(order, position) => {
                self.doubtful.push((position, order));
                self.reports.push(BrokerReport::ReplyLost { order, reason: why.clone() });
            }
            // The order stands as it was or as it was to be: the list that is asked for tells, and its terms are taken over.
            Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect => {
                let why = format!("what became of it is not known ({}); the broker is asked", why.as_str());
                self.deny(purpose, CleanText::from_outside(&why));
            }
        }
        self.requests.push(Ask::Snapshot);
    }

    fn status(&mut self, status: &Status) {
        if status.request_status == 1 {
            return;
        }
        let Some(purpose) = self.transactions.get(&status.order).copied() else {
            self.early.push_back(status.clone());
            if self.early.len() > EARLY {
                self.early.pop_front();
            }
            return;
        };
        match (status.request_status, purpose) {
            (3, Purpose::Modify(order, quantity, kind)) => {
                self.transactions.remove(&status.order);
                if let (Some(waiting), Some(price)) = (self.waiting.get_mut(&order), price_of(kind)) {
                    let size = self.markets.get(&waiting.instrument).map_or(1, |market| market.contract_size.max(1));
                    (waiting.lots, waiting.price) = (Quantity::from_nanos(quantity.nanos() / size), price);
                }
                self.reports.push(BrokerReport::Modified { order, quantity, kind });
            }
            (3, Purpose::Cancel(order)) => {
                self.transactions.remove(&status.order);
                self.waiting.remove(&order);
                if !self.opened.contains(&order) {
                    self.reports.push(BrokerReport::Cancelled { order, reason: CleanText::from("as asked") });
                }
            }
            // Openings and closes are told by their trades.
            (3, _) => {}
            _ => {
                self.transactions.remove(&status.order);
                let words = status.message.as_deref().unwrap_or("refused without a word");
                self.deny(purpose, CleanText::from_outside(words));
            }
        }
    }

    fn trade(&mut self, trade: &Trade) {
        let is_deleted = trade.state.as_deref() == Some("Deleted");
        match trade.cmd {
            0 | 1 if trade.kind == Some(1) => {}
            0 | 1 if trade.closed || trade.kind == Some(2) => self.closed(trade),
            0 | 1 if is_deleted => {}
            0 | 1 => self.opened(trade),
            2..=5 if is_deleted => self.gone(trade),
            2..=5 => self.placed(trade),
            _ => {}
        }
    }

    fn placed(&mut self, trade: &Trade) {
        let Some((instrument, _)) = self.instrument_of(trade.symbol.as_deref()) else { return };
        let Some(order) = self.order_of(trade.mark.as_deref()) else { return };
        let (lots, price) = (trade.volume.volume(), trade.open_price.price());
        let (exits, expiration) = ((trade.sl, trade.tp), trade.expiration.unwrap_or(0));
        if let Entry::Vacant(place) = self.waiting.entry(order) {
            place.insert(Waiting { number: trade.order, cmd: trade.cmd, instrument, lots, price, exits, expiration });
            self.reports.push(BrokerReport::Accepted { order, broker_ref: BrokerRef(trade.order.unsigned_abs()) });
        }
    }

    /// Takes over the terms of a waiting order where the reply to a change was lost.
    fn learn(&mut self, trade: &Trade) {
        let Some(order) = self.owner_of(trade) else { return };
        let is_change = |purpose: &Purpose| matches!(purpose, Purpose::Modify(about, ..) if *about == order);
        if self.asks.values().chain(self.transactions.values()).any(is_change) {
            return;
        }
        let Some(waiting) = self.waiting.get_mut(&order) else { return };
        let (lots, price) = (trade.volume.volume(), trade.open_price.price());
        (waiting.exits, waiting.expiration) = ((trade.sl, trade.tp), trade.expiration.unwrap_or(0));
        if (waiting.lots, waiting.price) != (lots, price) {
            (waiting.lots, waiting.price) = (lots, price);
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
        match self.order_of(trade.mark.as_deref()) {
            Some(order) => self.open(order, trade),
            None => self.opened_elsewhere(trade),
        }
    }

    /// A position is open that belongs to this order.
    fn open(&mut self, order: OrderId, trade: &Trade) {
        let Some((instrument, market)) = self.instrument_of(trade.symbol.as_deref()) else { return };
        let (size, position) = (market.contract_size, PositionId(order.0));
        if let Some(held) = self.held.get_mut(&position) {
            // A late message about an older number must not displace a newer one.
            held.number = held.number.max(Some(trade.position));
            if held.number == Some(trade.position) {
                self.exits(position, trade);
            }
            return;
        }
        // A late message about a position that is closed already.
        if !self.opened.insert(order) {
            return;
        }
        self.waiting.remove(&order);
        self.transactions.remove(&trade.order);
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
        };
        self.held.insert(position, held);
        let (deal, quantity) = (trade.position.unsigned_abs(), units(trade.volume.volume(), size));
        self.fill(deal, order, position, false, instrument, side, quantity, trade.open_price.price(), 0);
        self.exits(position, trade);
    }

    #[expect(clippy::too_many_arguments, reason = "one trade has exactly these facts")]
    fn fill(
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
