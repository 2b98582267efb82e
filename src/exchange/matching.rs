//! The exchange: submit, change, cancel, and what bars do to resting orders.
//!
//! Past 600 lines because fills, legs and resting orders change together; the legs come out first.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    AccountId, Bar, BrokerRef, BrokerReport, BrokerState, ChangeFate, CleanText, Currency, DealId, Evidence, Fill, InstrumentId,
    Liquidity, MarketEvent, MarketTime, Order, OrderId, OrderKind, OrderRequest, Origin, PositionId, PositionSide, Price,
    Protection, ProtectiveReason, Quantity, RiskDay, TimeInForce, Volume,
};
use crate::exchange::book::{Book, Crossing};
use crate::exchange::terms::Terms;

/// An order that waits here.
#[derive(Debug, Clone)]
struct Resting {
    order: Order,
    left: Quantity,
    /// It takes part in bars that begin at or after this instant.
    since: MarketTime,
    /// When a day order ends.
    expires_at: Option<MarketTime>,
}

/// A position as the exchange must know it to fill protective orders.
#[derive(Debug, Clone)]
struct Holding {
    account: AccountId,
    instrument: InstrumentId,
    side: PositionSide,
    quantity: Quantity,
    stop_leg: Option<OrderId>,
    target_leg: Option<OrderId>,
    /// Every resting order that closes it, so that they are found without a look at all the others.
    closers: BTreeSet<OrderId>,
}

/// An open order as the ledger remembers it, handed back after a restart.
#[derive(Debug, Clone)]
pub struct RestoredOrder {
    /// The order as it stands.
    pub order: Order,
    /// What is still to trade.
    pub left: Quantity,
    /// Its number here, kept.
    pub broker_ref: BrokerRef,
}

/// An open position as the ledger remembers it.
#[derive(Debug, Clone)]
pub struct RestoredPosition {
    /// Its number.
    pub id: PositionId,
    /// Which account.
    pub account: AccountId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Long or short.
    pub side: PositionSide,
    /// How much.
    pub quantity: Quantity,
}

/// The matching core. See the room's page for its rules.
#[derive(Debug)]
pub struct Exchange {
    terms: Terms,
    currency: Currency,
    books: BTreeMap<InstrumentId, Book>,
    orders: BTreeMap<OrderId, Resting>,
    holdings: BTreeMap<PositionId, Holding>,
    expiries: BTreeSet<(MarketTime, OrderId)>,
    next_ref: u64,
    next_deal: u64,
    touched: Vec<(OrderId, Price)>,
    /// Legs placed by fills inside the bar being worked on.
    newborn_legs: Vec<OrderId>,
}

/// Numbers for the legs of a position, given by whoever numbers orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegIds {
    /// The stop-loss.
    pub stop: OrderId,
    /// The take-profit.
    pub target: OrderId,
}

impl LegIds {
    /// The two numbers that follow an opening order are kept free for its legs.
    pub const fn of_opening(order: OrderId) -> Self {
        Self { stop: OrderId(order.0 + 1), target: OrderId(order.0 + 2) }
    }
}

impl Exchange {
    /// An empty exchange. `next_deal` continues the ledger's numbering of trades.
    pub fn new(terms: Terms, currency: Currency, next_deal: DealId) -> Self {
        Self {
            terms,
            currency,
            books: BTreeMap::new(),
            orders: BTreeMap::new(),
            holdings: BTreeMap::new(),
            expiries: BTreeSet::new(),
            next_ref: 1,
            next_deal: next_deal.0,
            touched: Vec::new(),
            newborn_legs: Vec::new(),
        }
    }

    /// Takes back what the ledger says is open. The paper exchange has no memory of its own: the ledger is its memory.
    /// `volumes` are those of the last complete bars: they cap what trades at the next opens.
    pub fn restore(
        &mut self,
        orders: Vec<RestoredOrder>,
        positions: Vec<RestoredPosition>,
        volumes: impl Iterator<Item = (InstrumentId, Volume)>,
    ) {
        for (instrument, volume) in volumes {
            self.books.entry(instrument).or_default().last_volume = Some(volume);
        }
        for held in positions {
            let RestoredPosition { id, account, instrument, side, quantity } = held;
            self.holdings.insert(
                id,
                Holding { account, instrument, side, quantity, stop_leg: None, target_leg: None, closers: BTreeSet::new() },
            );
        }
        for RestoredOrder { order, left, broker_ref } in orders {
            self.next_ref = self.next_ref.max(broker_ref.0 + 1);
            if let (Some(position), Origin::Protective(reason)) = (order.request.closes, order.request.origin)
                && let Some(holding) = self.holdings.get_mut(&position)
            {
                match reason {
                    ProtectiveReason::StopLoss => holding.stop_leg = Some(order.id),
                    ProtectiveReason::TakeProfit => holding.target_leg = Some(order.id),
                    ProtectiveReason::KillSwitch | ProtectiveReason::Breaker | ProtectiveReason::Broker => {}
                }
            }
            self.rest(order, left, order.created_at);
        }
    }

    /// Takes an order. The reply follows at once in `out`.
    pub fn submit(&mut self, order: Order, now: MarketTime, out: &mut Vec<BrokerReport>) {
        if let Some(reason) = self.refusal(&order) {
            out.push(BrokerReport::Rejected { order: order.id, reason: CleanText::from(reason) });
            return;
        }
        out.push(BrokerReport::Accepted { order: order.id, broker_ref: self.new_ref() });
        self.rest(order, order.request.quantity, now);
    }

    /// Takes an order out of the market.
    pub fn cancel(&mut self, id: OrderId, out: &mut Vec<BrokerReport>) {
        out.push(match self.remove(id) {
            Some(_) => BrokerReport::Cancelled { order: id, reason: CleanText::from("as asked") },
            None => BrokerReport::CancelRefused { order: id, reason: CleanText::from("no such order works here") },
        });
    }

    /// Changes price and quantity of a resting order; it then waits for the next bar like a new one.
    pub fn modify(&mut self, id: OrderId, quantity: Quantity, kind: OrderKind, now: MarketTime, out: &mut Vec<BrokerReport>) {
        let refuse =
            |words: &str| BrokerReport::ModifyRefused { order: id, reason: CleanText::from(words), fate: ChangeFate::Refused };
        let Some(resting) = self.orders.get(&id) else {
            out.push(refuse("no such order works here"));
            return;
        };
        let filled = resting.order.request.quantity.minus(resting.left).unwrap_or(Quantity::ZERO);
        let Some(left) = quantity.minus(filled).ok().filter(|left| left.is_positive()) else {
            out.push(refuse("more than that has traded already"));
            return;
        };
        if price_of(kind).is_some_and(|price| !price.is_positive()) {
            out.push(refuse("the price must be above zero"));
            return;
        }
        let mut order = resting.order;
        self.remove(id);
        (order.request.quantity, order.request.kind) = (quantity, kind);
        self.rest(order, left, now);
        out.push(BrokerReport::Modified { order: id, quantity, kind });
    }

    /// Sets the exit levels of a position: places, changes or removes its legs.
    pub fn protect(
        &mut self,
        position: PositionId,
        protection: Protection,
        ids: LegIds,
        now: MarketTime,
        out: &mut Vec<BrokerReport>,
    ) {
        let stop = LegWish { id: ids.stop, reason: ProtectiveReason::StopLoss, kind: protection.stop_loss.map(OrderKind::Stop) };
        let target =
            LegWish { id: ids.target, reason: ProtectiveReason::TakeProfit, kind: protection.take_profit.map(OrderKind::Limit) };
        self.set_leg(position, stop, now, out);
        self.set_leg(position, target, now, out);
    }

    /// Answers what is open.
    pub fn state(&self) -> BrokerState {
        BrokerState {
            orders: self.orders.keys().copied().collect(),
            positions: self.holdings.iter().map(|(id, holding)| (*id, holding.quantity)).collect(),
            evidence: Evidence::Authority,
        }
    }

    /// Lets a market event act on resting orders.
    pub fn on_market(&mut self, event: &MarketEvent, out: &mut Vec<BrokerReport>) {
        match event {
            MarketEvent::Quoted { .. } => {}
            MarketEvent::BarOpened { instrument, open, stamp } => {
                self.expire(stamp.known_at, out);
                // Also where it is told late, as on a live market: what came after the open does not trade at it.
                self.on_open(*instrument, *open, stamp.event_at, out);
            }
            MarketEvent::BarClosed { bar, stamp } => {
                // What ended before the close takes no part in the bar: nobody knows which of its prices came first.
                self.expire(MarketTime(bar.close_at.0 - 1), out);
                self.on_close(bar, out);
                self.expire(stamp.known_at, out);
            }
        }
    }

    fn on_open(&mut self, instrument: InstrumentId, open: Price, at: MarketTime, out: &mut Vec<BrokerReport>) {
        let Some(book) = self.books.get_mut(&instrument) else { return };
        book.last_open = Some(at);
        book.budget = book.last_volume.map(|volume| volume.share(self.terms.participation));
        book.used = Quantity::ZERO;
        self.print(instrument, open, at, |resting| resting.since <= at, out);
    }

    fn on_close(&mut self, bar: &Bar, out: &mut Vec<BrokerReport>) {
        let participation = self.terms.participation;
        let book = self.books.entry(bar.instrument).or_default();
        book.last_volume = bar.volume;
        if !bar.has_range {
            (book.budget, book.used) = (bar.volume.map(|volume| volume.share(participation)), Quantity::ZERO);
            self.print(bar.instrument, bar.close, bar.close_at, |resting| resting.since < bar.close_at, out);
            return;
        }
        let used = book.used;
        book.budget = bar.volume.map(|volume| volume.share(participation).minus(used).unwrap_or(Quantity::ZERO));
        let crossing = Crossing::Range { high: bar.high, low: bar.low };
        let took_part = |resting: &Resting| resting.since <= bar.open_at;
        self.newborn_legs.clear();
        self.stops(bar.instrument, crossing, bar.close_at, took_part, out);
        self.limits(bar.instrument, crossing, bar.close_at, took_part, out);
        self.stop_out_newcomers(bar.instrument, crossing, bar.close_at, out);
    }

    /// One price for everything that waits: market orders, stops it reaches, limits it satisfies.
    fn print(
        &mut self,
        instrument: InstrumentId,
        price: Price,
        at: MarketTime,
        took_part: impl Fn(&Resting) -> bool + Copy,
        out: &mut Vec<BrokerReport>,
    ) {
        let Some(book) = self.books.get(&instrument) else { return };
        let waiting: Vec<OrderId> = book.market.iter().copied().collect();
        self.newborn_legs.clear();
        for id in waiting {
            if self.orders.get(&id).is_some_and(took_part) {
                self.trade(id, price, at, out);
            }
        }
        self.stops(instrument, Crossing::At(price), at, took_part, out);
        self.limits(instrument, Crossing::At(price), at, took_part, out);
        // A limit filled at this very print may have been born beyond its own stop.
        self.stop_out_newcomers(instrument, Crossing::At(price), at, out);
    }

    fn stops(
        &mut self,
        instrument: InstrumentId,
        crossing: Crossing,
        at: MarketTime,
        took_part: impl Fn(&Resting) -> bool,
        out: &mut Vec<BrokerReport>,
    ) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.clear();
        if let Some(book) = self.books.get(&instrument) {
            book.touched_stops(crossing, &mut touched);
        }
        for (id, price) in touched.drain(..) {
            if self.orders.get(&id).is_some_and(&took_part) {
                self.trigger(id, out);
                self.trade(id, price, at, out);
            }
        }
        self.touched = touched;
    }

    fn limits(
        &mut self,
        instrument: InstrumentId,
        crossing: Crossing,
        at: MarketTime,
        took_part: impl Fn(&Resting) -> bool,
        out: &mut Vec<BrokerReport>,
    ) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.clear();
        if let Some(book) = self.books.get(&instrument) {
            book.crossed_limits(crossing, &mut touched);
        }
        for (id, price) in touched.drain(..) {
            if self.orders.get(&id).is_some_and(&took_part) {
                self.trade(id, price, at, out);
            }
        }
        self.touched = touched;
    }

    /// Stop legs born inside this bar are held against the whole of it; targets are not. The pessimistic reading.
    fn stop_out_newcomers(&mut self, instrument: InstrumentId, crossing: Crossing, at: MarketTime, out: &mut Vec<BrokerReport>) {
        let newborn = std::mem::take(&mut self.newborn_legs);
        let is_stop = |resting: &Resting| resting.order.request.origin == Origin::Protective(ProtectiveReason::StopLoss);
        if !newborn.is_empty() {
            self.stops(instrument, crossing, at, |resting| is_stop(resting) && newborn.contains(&resting.order.id), out);
        }
        self.newborn_legs = newborn;
    }

    /// A touched stop becomes a market order.
    fn trigger(&mut self, id: OrderId, out: &mut Vec<BrokerReport>) {
        let Some(resting) = self.orders.get_mut(&id) else { return };
        let request = &mut resting.order.request;
        if let Some(book) = self.books.get_mut(&request.instrument) {
            book.remove(id, request.side, request.kind);
            book.market.insert(id);
        }
        request.kind = OrderKind::Market;
        let closes = request.closes;
        out.push(BrokerReport::Triggered { order: id });
        if let Some(position) = closes {
            self.end_opening(position, "an exit of its position was touched", out);
        }
    }

    /// Takes out what is left of the order that opens a position. Otherwise it would go on buying what the exit sells, and take the
    /// exit's share of the volume.
    fn end_opening(&mut self, position: PositionId, why: &str, out: &mut Vec<BrokerReport>) {
        let order = OrderId(position.0);
        if self.remove(order).is_some() {
            out.push(BrokerReport::Cancelled { order, reason: CleanText::from_outside(why) });
        }
    }

    fn trade(&mut self, id: OrderId, price: Price, at: MarketTime, out: &mut Vec<BrokerReport>) {
        let Some(resting) = self.orders.get(&id) else { return };
        let request = resting.order.request;
        let price = match request.kind {
            OrderKind::Limit(_) => price,
            OrderKind::Market | OrderKind::Stop(_) => self.terms.slipped(price, request.side).unwrap_or(price),
        };
        let quantity = self.tradable(resting);
        let Ok(cost) = self.terms.cost(price, quantity, self.currency) else { return };
        if !quantity.is_positive() {
            return;
        }
        let position = request.closes.unwrap_or(PositionId(id.0));
        let liquidity = self.consume(request.instrument, quantity);
        let deal = DealId(self.next_deal);
        self.next_deal += 1;
        let (instrument, side, closes) = (request.instrument, request.side, request.closes.is_some());
        out.push(BrokerReport::Filled(Fill {
            deal,
            order: id,
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
        self.settle(id, position, quantity, at, out);
    }

    /// What can trade now: what is left, what the position holds, what the volume allows.
    fn tradable(&self, resting: &Resting) -> Quantity {
        let held = resting
            .order
            .request
            .closes
            .map(|position| self.holdings.get(&position).map_or(Quantity::ZERO, |holding| holding.quantity));
        let budget = self.books.get(&resting.order.request.instrument).and_then(|book| book.budget);
        [held, budget].into_iter().flatten().fold(resting.left, Quantity::min)
    }

    fn consume(&mut self, instrument: InstrumentId, quantity: Quantity) -> Liquidity {
        let Some(book) = self.books.get_mut(&instrument) else { return Liquidity::Unlimited };
        book.used = book.used.plus(quantity).unwrap_or(book.used);
        match book.budget {
            Some(budget) => {
                book.budget = Some(budget.minus(quantity).unwrap_or(Quantity::ZERO));
                Liquidity::VolumeCapped
            }
            None => Liquidity::Unlimited,
        }
    }

    /// Books a trade on the order and its position, and keeps the legs equal to the position.
    fn settle(&mut self, id: OrderId, position: PositionId, quantity: Quantity, at: MarketTime, out: &mut Vec<BrokerReport>) {
        let Some(resting) = self.orders.get_mut(&id) else { return };
        resting.left = resting.left.minus(quantity).unwrap_or(Quantity::ZERO);
        let (order, done) = (resting.order, resting.left.is_zero());
        if done {
            self.remove(id);
        }
        if order.request.closes.is_some() {
            if matches!(order.request.origin, Origin::Protective(_)) {
                self.end_opening(position, "an exit of its position trades", out);
            }
            self.reduce(position, quantity, out);
        } else {
            self.enlarge(&order, position, quantity, at, out);
        }
    }

    fn enlarge(&mut self, order: &Order, position: PositionId, quantity: Quantity, at: MarketTime, out: &mut Vec<BrokerReport>) {
        let holding = self.holdings.entry(position).or_insert_with(|| Holding {
            account: order.account,
            instrument: order.request.instrument,
            side: order.request.side.opens(),
            quantity: Quantity::ZERO,
            stop_leg: None,
            target_leg: None,
            closers: BTreeSet::new(),
        });
        holding.quantity = holding.quantity.plus(quantity).unwrap_or(holding.quantity);
        let has_legs = holding.stop_leg.is_some() || holding.target_leg.is_some();
        if has_legs {
            self.resize_legs(position, out);
        } else {
            self.protect(position, order.request.protection, LegIds::of_opening(order.id), at, out);
        }
    }

    fn reduce(&mut self, position: PositionId, quantity: Quantity, out: &mut Vec<BrokerReport>) {
        let Some(holding) = self.holdings.get_mut(&position) else { return };
        holding.quantity = holding.quantity.minus(quantity).unwrap_or(Quantity::ZERO);
        if !holding.quantity.is_zero() {
            self.resize_legs(position, out);
            return;
        }
        let orphans = self.holdings.remove(&position).map(|holding| holding.closers).unwrap_or_default();
        for id in orphans {
            self.remove(id);
            out.push(BrokerReport::Cancelled { order: id, reason: CleanText::from("its position is closed") });
        }
        self.end_opening(position, "its position is closed", out);
    }

    fn resize_legs(&mut self, position: PositionId, out: &mut Vec<BrokerReport>) {
        let Some(holding) = self.holdings.get(&position) else { return };
        let quantity = holding.quantity;
        for leg in [holding.stop_leg, holding.target_leg].into_iter().flatten() {
            let Some(resting) = self.orders.get_mut(&leg) else { continue };
            if resting.left == quantity {
                continue;
            }
            let filled = resting.order.request.quantity.minus(resting.left).unwrap_or(Quantity::ZERO);
            let whole = quantity.plus(filled).unwrap_or(quantity);
            (resting.left, resting.order.request.quantity) = (quantity, whole);
            out.push(BrokerReport::Modified { order: leg, quantity: whole, kind: resting.order.request.kind });
        }
    }

    fn set_leg(&mut self, position: PositionId, wish: LegWish, now: MarketTime, out: &mut Vec<BrokerReport>) {
        let Some(holding) = self.holdings.get(&position).cloned() else { return };
        let known = match wish.reason {
            ProtectiveReason::StopLoss => holding.stop_leg,
            ProtectiveReason::TakeProfit
            | ProtectiveReason::KillSwitch
            | ProtectiveReason::Breaker
            | ProtectiveReason::Broker => holding.target_leg,
        };
        let standing = known.and_then(|leg| self.orders.get(&leg)).map(|resting| resting.order);
        match (standing, wish.kind) {
            // A touched stop is being carried out; it can no longer be moved or taken back.
            (Some(leg), _) if leg.request.kind == OrderKind::Market => {}
            (Some(leg), Some(kind)) if leg.request.kind != kind => self.modify(leg.id, leg.request.quantity, kind, now, out),
            (Some(leg), None) => self.cancel(leg.id, out),
            (None, Some(kind)) => self.place_leg(position, &holding, wish, kind, now, out),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn place_leg(
        &mut self,
        position: PositionId,
        holding: &Holding,
        wish: LegWish,
        kind: OrderKind,
        now: MarketTime,
        out: &mut Vec<BrokerReport>,
    ) {
        let request = OrderRequest {
            instrument: holding.instrument,
            side: holding.side.closing(),
            quantity: holding.quantity,
            kind,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: Some(position),
            origin: Origin::Protective(wish.reason),
        };
        let order = Order { id: wish.id, account: holding.account, request, created_at: now, reference: None };
        if let Some(holding) = self.holdings.get_mut(&position) {
            match wish.reason {
                ProtectiveReason::StopLoss => holding.stop_leg = Some(wish.id),
                ProtectiveReason::TakeProfit
                | ProtectiveReason::KillSwitch
                | ProtectiveReason::Breaker
                | ProtectiveReason::Broker => holding.target_leg = Some(wish.id),
            }
        }
        self.newborn_legs.push(wish.id);
        self.rest(order, holding.quantity, now);
        out.push(BrokerReport::LegPlaced { order });
    }

    fn refusal(&self, order: &Order) -> Option<&'static str> {
        let request = &order.request;
        if self.orders.contains_key(&order.id) {
            return Some("an order with this number works here already");
        }
        if !request.quantity.is_positive() || request.named_price().is_some_and(|price| !price.is_positive()) {
            return Some("quantity and price must be above zero");
        }
        let position = request.closes?;
        match self.holdings.get(&position) {
            Some(holding) if holding.side.closing() == request.side && holding.instrument == request.instrument => None,
            Some(_) => Some("the order does not fit the position it closes"),
            None => Some("the position it closes is not open"),
        }
    }

    fn rest(&mut self, order: Order, left: Quantity, since: MarketTime) {
        let request = order.request;
        // Made at the very instant of an open, but after it: the next bar is the first it can take part in.
        let is_late = self.books.get(&request.instrument).is_some_and(|book| book.last_open == Some(since));
        let since = if is_late && !request.origin.is_protective() { MarketTime(since.0 + 1) } else { since };
        let expires_at = match request.time_in_force {
            TimeInForce::GoodTillCancelled => None,
            TimeInForce::Day => Some(RiskDay::of(since).ends_at),
        };
        if let Some(at) = expires_at {
            self.expiries.insert((at, order.id));
        }
        if let Some(holding) = request.closes.and_then(|position| self.holdings.get_mut(&position)) {
            holding.closers.insert(order.id);
        }
        self.books.entry(request.instrument).or_default().insert(order.id, request.side, request.kind);
        self.orders.insert(order.id, Resting { order, left, since, expires_at });
    }

    fn remove(&mut self, id: OrderId) -> Option<Resting> {
        let resting = self.orders.remove(&id)?;
        let request = resting.order.request;
        if let Some(book) = self.books.get_mut(&request.instrument) {
            book.remove(id, request.side, request.kind);
        }
        if let Some(holding) = request.closes.and_then(|position| self.holdings.get_mut(&position)) {
            holding.closers.remove(&id);
        }
        if let Some(at) = resting.expires_at {
            self.expiries.remove(&(at, id));
        }
        Some(resting)
    }

    fn expire(&mut self, now: MarketTime, out: &mut Vec<BrokerReport>) {
        while let Some((at, id)) = self.expiries.first().copied() {
            if at > now {
                break;
            }
            self.expiries.remove(&(at, id));
            if self.remove(id).is_some() {
                out.push(BrokerReport::Expired { order: id });
            }
        }
    }

    fn new_ref(&mut self) -> BrokerRef {
        self.next_ref += 1;
        BrokerRef(self.next_ref - 1)
    }
}

/// The price a kind names.
const fn price_of(kind: OrderKind) -> Option<Price> {
    match kind {
        OrderKind::Market => None,
        OrderKind::Limit(price) | OrderKind::Stop(price) => Some(price),
    }
}

/// A leg as it should be; no kind means none.
#[derive(Debug, Clone, Copy)]
struct LegWish {
    id: OrderId,
    reason: ProtectiveReason,
    kind: Option<OrderKind>,
}
