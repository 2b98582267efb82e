//! What leaves: orders, cancels, changes, exits. Each is written once, or answered here at once.

use super::{Adapter, Purpose, Waiting, Wanted, command_number, expiration_of, lots_of, price_of, side_number};
use crate::broker::xapi::Decimal;
use crate::broker::xapi::client::{Ask, AskId};
use crate::broker::xapi::wire::TradeRequest;
use crate::domain::{
    BrokerReport, CleanText, InstrumentId, Order, OrderId, OrderKind, Origin, PositionId, Price, Protection, ProtectiveReason,
    Quantity,
};
use crate::exchange::LegIds;

const NOT_LISTED: &str = "the broker does not list this instrument";
const NOT_WAITING: &str = "no such order waits at the broker";
const NOT_OPEN: &str = "the position is not known to be open at the broker";

impl Adapter {
    /// What is wrong here already never leaves; the broker has refused nothing.
    fn refuse(&mut self, order: OrderId, why: &str) {
        self.reports.push(BrokerReport::NotSent { order, reason: CleanText::from_outside(why) });
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
            return self.refuse(order.id, NOT_LISTED);
        };
        let Some(lots) = lots_of(wish.quantity, market) else {
            return self.refuse(order.id, "the quantity is not a volume the broker takes");
        };
        let symbol = market.symbol.clone();
        let mark = self.mark(order.id);
        if let Some(position) = wish.closes {
            let Some((number, held)) = self.held.get(&position).and_then(|held| Some((held.number?, held))) else {
                return self.refuse(order.id, NOT_OPEN);
            };
            let (cmd, price) = (side_number(held.side), held.open_price);
            let is_urgent = matches!(wish.origin, Origin::Protective(ProtectiveReason::KillSwitch | ProtectiveReason::Breaker));
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
            return self.request(Purpose::Close(order.id, position, lots), request, is_urgent);
        }
        if let Some(why) = self.refusal_of(wish.instrument) {
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
        self.wanted.insert(order.id, Wanted { lots, has_stop: wish.protection.stop_loss.is_some() });
        self.request(Purpose::Open(order.id, waiting), request, false);
    }

    /// Takes an order back that still waits for its turn on the wire.
    pub fn withdraw(&mut self, order: OrderId) {
        let is_of = |purpose: &Purpose| matches!(purpose, Purpose::Open(about, _) if *about == order);
        let asks = self.asks.iter().filter(|(_, purpose)| is_of(purpose));
        self.requests.extend(asks.map(|(id, _)| Ask::Withdraw(*id)));
    }

    /// Deletes a waiting order.
    pub fn cancel(&mut self, order: OrderId) {
        let Some(Waiting { number, cmd, instrument, .. }) = self.waiting.get(&order).copied() else {
            return self.deny(Purpose::Cancel(order), CleanText::from(NOT_WAITING));
        };
        let Some(request) = self.about(number, cmd, 4, instrument, order) else {
            return self.deny(Purpose::Cancel(order), CleanText::from(NOT_LISTED));
        };
        self.request(Purpose::Cancel(order), request, true);
    }

    /// Changes a waiting order.
    pub fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind) {
        let purpose = Purpose::Modify(order, quantity, kind);
        let Some(Waiting { number, cmd, instrument, exits, expiration, .. }) = self.waiting.get(&order).copied() else {
            return self.deny(purpose, CleanText::from(NOT_WAITING));
        };
        let lots = self.markets.get(&instrument).and_then(|market| lots_of(quantity, market));
        let (Some(lots), Some(price)) = (lots, price_of(kind)) else {
            return self.deny(purpose, CleanText::from("the broker does not take such a change"));
        };
        let Some(request) = self.about(number, cmd, 3, instrument, order) else {
            return self.deny(purpose, CleanText::from(NOT_LISTED));
        };
        let (volume, price, (sl, tp)) = (Decimal(lots.nanos()), Decimal(price.nanos()), exits);
        let request = TradeRequest { volume, price, sl, tp, expiration, ..request };
        self.request(purpose, request, false);
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
        let purpose = Purpose::Protect(position);
        let Some(held) = self.held.get_mut(&position) else {
            return self.deny(purpose, CleanText::from(NOT_OPEN));
        };
        held.next_legs = legs;
        let held = held.clone();
        let about =
            held.number.and_then(|number| self.about(number, side_number(held.side), 3, held.instrument, OrderId(position.0)));
        let Some(request) = about else {
            return self.deny(purpose, CleanText::from(NOT_OPEN));
        };
        let level = |price: Option<Price>| Decimal(price.map_or(0, Price::nanos));
        let request = TradeRequest {
            volume: Decimal(held.lots.nanos()),
            price: Decimal(held.open_price.nanos()),
            sl: level(protection.stop_loss),
            tp: level(protection.take_profit),
            ..request
        };
        self.request(purpose, request, false);
    }
}
