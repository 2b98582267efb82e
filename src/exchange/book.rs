//! Resting orders of one instrument, sorted by price.

use std::collections::BTreeSet;

use crate::domain::{MarketTime, OrderId, OrderKind, OrderSide, Price, Quantity, Volume};

/// The prices of one moment of a bar.
#[derive(Debug, Clone, Copy)]
pub(super) enum Crossing {
    /// A single print: the open, or the close of a series without range.
    At(Price),
    /// The range between open and close.
    Range { high: Price, low: Price },
}

/// Orders waiting in one instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    /// Waiting for the next print.
    pub market: BTreeSet<OrderId>,
    buy_stops: BTreeSet<(Price, OrderId)>,
    sell_stops: BTreeSet<(Price, OrderId)>,
    buy_limits: BTreeSet<(Price, OrderId)>,
    sell_limits: BTreeSet<(Price, OrderId)>,
    /// Volume of the latest complete bar.
    pub last_volume: Option<Volume>,
    /// What may still trade in the current bar; `None` without volume data.
    pub budget: Option<Quantity>,
    /// What traded at the open of the current bar.
    pub used: Quantity,
    /// When the current bar opened.
    pub last_open: Option<MarketTime>,
}

impl Book {
    pub fn insert(&mut self, id: OrderId, side: OrderSide, kind: OrderKind) {
        match self.shelf(side, kind) {
            Some((shelf, price)) => shelf.insert((price, id)),
            None => self.market.insert(id),
        };
    }

    pub fn remove(&mut self, id: OrderId, side: OrderSide, kind: OrderKind) {
        if let Some((shelf, price)) = self.shelf(side, kind) {
            shelf.remove(&(price, id));
        }
        self.market.remove(&id);
    }

    /// Stops that the prices touch, with the price they trade at before slippage: never one the bar has not seen.
    pub fn touched_stops(&self, crossing: Crossing, out: &mut Vec<(OrderId, Price)>) {
        let lowest = |price| (price, OrderId(0));
        let highest = |price| (price, OrderId(u64::MAX));
        match crossing {
            Crossing::At(price) => {
                out.extend(self.sell_stops.range(lowest(price)..).rev().map(|(_, id)| (*id, price)));
                out.extend(self.buy_stops.range(..=highest(price)).map(|(_, id)| (*id, price)));
            }
            Crossing::Range { high, low } => {
                out.extend(self.sell_stops.range(lowest(low)..).rev().map(|(stop, id)| (*id, *stop.min(&high))));
                out.extend(self.buy_stops.range(..=highest(high)).map(|(stop, id)| (*id, *stop.max(&low))));
            }
        }
    }

    /// Limits that the prices went through, with the price they trade at.
    pub fn crossed_limits(&self, crossing: Crossing, out: &mut Vec<(OrderId, Price)>) {
        match crossing {
            Crossing::At(price) => {
                out.extend(self.buy_limits.range((price, OrderId(0))..).rev().map(|(_, id)| (*id, price)));
                out.extend(self.sell_limits.range(..=(price, OrderId(u64::MAX))).map(|(_, id)| (*id, price)));
            }
            Crossing::Range { high, low } => {
                let (buys, sells) = (self.buy_limits.iter().rev(), self.sell_limits.iter());
                out.extend(buys.take_while(|(limit, _)| *limit > low).map(|(limit, id)| (*id, *limit.min(&high))));
                out.extend(sells.take_while(|(limit, _)| *limit < high).map(|(limit, id)| (*id, *limit.max(&low))));
            }
        }
    }

    fn shelf(&mut self, side: OrderSide, kind: OrderKind) -> Option<(&mut BTreeSet<(Price, OrderId)>, Price)> {
        match (kind, side) {
            (OrderKind::Market, _) => None,
            (OrderKind::Limit(price), OrderSide::Buy) => Some((&mut self.buy_limits, price)),
            (OrderKind::Limit(price), OrderSide::Sell) => Some((&mut self.sell_limits, price)),
            (OrderKind::Stop(price), OrderSide::Buy) => Some((&mut self.buy_stops, price)),
            (OrderKind::Stop(price), OrderSide::Sell) => Some((&mut self.sell_stops, price)),
        }
    }
}
