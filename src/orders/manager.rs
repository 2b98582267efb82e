//! All orders that matter now: every open one, and the latest closed ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{
    Actor, BrokerRef, InstrumentId, MarketTime, Money, Order, OrderId, OrderKind, OrderRequest, OrderSide, Origin, Price,
    Quantity, WallTime,
};
use crate::orders::{IllegalStep, OrderState, OrderStep, next};

/// Closed orders kept at hand for late reports and the screen; the database keeps all.
const KEPT_CLOSED: usize = 2_048;
/// Steps kept per order: the first, and the latest; how many lie between is counted, and the journal has them.
const KEPT_STEPS: usize = 64;

/// One line of an order's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, in market time.
    pub at: MarketTime,
    /// What happened.
    pub step: OrderStep,
    /// In words, where there is more to say.
    pub note: String,
}

/// Who confirmed an order, and when on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// Who.
    pub who: Actor,
    /// When.
    pub wall: WallTime,
}

/// An order with its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedOrder {
    /// The order as it stands now (a change alters its price and quantity).
    pub order: Order,
    /// Where it stands.
    pub state: OrderState,
    /// How much has traded.
    pub filled: Quantity,
    /// What the traded part was worth.
    pub filled_value: Option<Money>,
    /// Its number at the broker.
    pub broker_ref: Option<BrokerRef>,
    /// What happened to it, oldest first.
    pub history: VecDeque<HistoryEntry>,
    /// Steps between the first and the second that are kept, which are not. Kept out of the hashed state, like what follows.
    #[serde(skip)]
    pub left_out: u32,
    /// Who let it go; nothing for what the broker placed. Kept out of the hashed state, which older journals were written with.
    #[serde(skip)]
    pub confirmation: Option<Confirmation>,
}

/// Why a step was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StepError {
    /// No such order here.
    #[error("order {0} is not known here")]
    NoOrder(OrderId),
    /// The step does not fit the state.
    #[error(transparent)]
    Illegal(#[from] IllegalStep),
}

/// The orders of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderManager {
    open: BTreeMap<OrderId, Arc<TrackedOrder>>,
    closed: BTreeMap<OrderId, Arc<TrackedOrder>>,
    closed_order: VecDeque<OrderId>,
    unknown: u32,
    #[serde(skip)]
    /// How many open orders ask for exactly the same, so that a repeat is noticed at constant cost.
    alike: BTreeMap<Likeness, u32>,
    /// How many open orders would open each side of an instrument.
    #[serde(skip)]
    opening: BTreeMap<(InstrumentId, u8), u32>,
}

/// What makes two orders the same wish: instrument, side, quantity, kind and price.
type Likeness = (InstrumentId, u8, Quantity, u8, Price);

fn likeness(request: &OrderRequest) -> Likeness {
    let (kind, price) = match request.kind {
        OrderKind::Market => (0, Price::ZERO),
        OrderKind::Limit(price) => (1, price),
        OrderKind::Stop(price) => (2, price),
    };
    (request.instrument, side_key(request.side), request.quantity, kind, price)
}

const fn side_key(side: OrderSide) -> u8 {
    match side {
        OrderSide::Buy => 0,
        OrderSide::Sell => 1,
    }
}

/// One more, or one less, of a key; a key that is counted down to nothing is gone.
fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, by: Count) {
    match by {
        Count::More => *counts.entry(key).or_default() += 1,
        Count::Less => {
            if let Some(left) = counts.get_mut(&key) {
                *left -= 1;
                if *left == 0 {
                    counts.remove(&key);
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Count {
    More,
    Less,
}

impl TrackedOrder {
    /// What is still to trade.
    pub fn leaves(&self) -> Quantity {
        self.order.request.quantity.minus(self.filled).unwrap_or(Quantity::ZERO)
    }
}

impl OrderManager {
    /// Takes a new order in the given state (`Confirmed` for ours, `Open` for a leg the broker placed).
    pub fn insert(&mut self, order: Order, state: OrderState, at: MarketTime) {
        let mut history = VecDeque::new();
        if state != OrderState::Confirmed {
            history.push_back(HistoryEntry { at, step: OrderStep::Accept, note: String::new() });
        }
        self.index(&order.request, Count::More);
        let (filled, filled_value, broker_ref) = (Quantity::ZERO, None, None);
        let tracked = TrackedOrder { order, state, filled, filled_value, broker_ref, history, left_out: 0, confirmation: None };
        self.open.insert(order.id, Arc::new(tracked));
    }

    /// Whether the step would be legal now.
    pub fn would_allow(&self, id: OrderId, step: OrderStep) -> Result<OrderState, StepError> {
        let tracked = self.get(id).ok_or(StepError::NoOrder(id))?;
        next(tracked.state, step).map_err(StepError::from)
    }

    /// Takes a step. A closing step moves the order to the closed ones; one that reappears comes back from there.
    pub fn step(&mut self, id: OrderId, step: OrderStep, at: MarketTime, note: &str) -> Result<OrderState, StepError> {
        let state = self.would_allow(id, step)?;
        let Some(tracked) = self.get_mut(id) else { return Err(StepError::NoOrder(id)) };
        let before = tracked.state;
        tracked.state = state;
        tracked.history.push_back(HistoryEntry { at, step, note: note.to_owned() });
        if tracked.history.len() > KEPT_STEPS {
            tracked.history.remove(1);
            tracked.left_out = tracked.left_out.saturating_add(1);
        }
        match (before == OrderState::Unknown, state == OrderState::Unknown) {
            (false, true) => self.unknown += 1,
            (true, false) => self.unknown = self.unknown.saturating_sub(1),
            (true, true) | (false, false) => {}
        }
        match (before.is_closed(), state.is_closed()) {
            (true, false) => self.take_back(id),
            (_, true) => self.retire(id),
            (false, false) => {}
        }
        Ok(state)
    }

    /// Adds to what has traded; the caller takes the matching step.
    pub fn add_fill(&mut self, id: OrderId, quantity: Quantity, value: Money) {
        if let Some(tracked) = self.get_mut(id) {
            tracked.filled = tracked.filled.plus(quantity).unwrap_or(tracked.filled);
            tracked.filled_value = match tracked.filled_value {
                Some(sum) => sum.plus(value).ok(),
                None => Some(value),
            };
        }
    }

    /// Notes who confirmed an order, and when.
    pub fn set_confirmation(&mut self, id: OrderId, confirmation: Confirmation) {
        if let Some(tracked) = self.get_mut(id) {
            tracked.confirmation = Some(confirmation);
        }
    }

    /// Notes the broker's number.
    pub fn set_broker_ref(&mut self, id: OrderId, broker_ref: BrokerRef) {
        if let Some(tracked) = self.get_mut(id) {
            tracked.broker_ref = Some(broker_ref);
        }
    }

    /// Takes the price and quantity a change left the order with.
    pub fn set_terms(&mut self, id: OrderId, quantity: Quantity, kind: OrderKind) {
        let Some(tracked) = self.get_mut(id) else { return };
        let before = likeness(&tracked.order.request);
        tracked.order.request.quantity = quantity;
        tracked.order.request.kind = kind;
        let after = likeness(&tracked.order.request);
        if !tracked.state.is_closed() {
            count(&mut self.alike, before, Count::Less);
            count(&mut self.alike, after, Count::More);
        }
    }

    /// An order, open or lately closed.
    pub fn get(&self, id: OrderId) -> Option<&Arc<TrackedOrder>> {
        self.open.get(&id).or_else(|| self.closed.get(&id))
    }

    /// Open orders by number.
    pub const fn open(&self) -> &BTreeMap<OrderId, Arc<TrackedOrder>> {
        &self.open
    }

    /// Lately closed orders, newest first.
    pub fn closed_newest_first(&self) -> impl Iterator<Item = &Arc<TrackedOrder>> {
        self.closed_order.iter().rev().filter_map(|id| self.closed.get(id))
    }

    /// How many orders nobody knows the fate of.
    pub const fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Whether an open order asks for exactly the same.
    pub fn has_twin(&self, request: &OrderRequest) -> bool {
        self.alike.contains_key(&likeness(request))
    }

    /// Whether an open order would open this side of an instrument.
    pub fn opens(&self, instrument: InstrumentId, side: OrderSide) -> bool {
        self.opening.contains_key(&(instrument, side_key(side)))
    }

    /// Orders from here that open something and were made after this instant; counted to `most` at most.
    pub fn opened_since(&self, since: MarketTime, most: u32) -> u32 {
        let is_new = |tracked: &&Arc<TrackedOrder>| tracked.order.created_at > since;
        let opens = |tracked: &&Arc<TrackedOrder>| {
            let request = &tracked.order.request;
            request.opens_exposure() && request.origin != Origin::External
        };
        // An order made after that instant was also closed after it, so the walk may stop at the first one closed before.
        let closed_since = |tracked: &&Arc<TrackedOrder>| tracked.history.back().is_some_and(|entry| entry.at > since);
        // Numbers of what was adopted do not follow time: those are passed over, and the walk ends at an older one from here.
        let is_ours = |tracked: &Arc<TrackedOrder>| opens(&tracked);
        let open = self.open.values().rev().take_while(|tracked| is_new(tracked) || !is_ours(tracked)).filter(is_new);
        let closed = self.closed_newest_first().take_while(closed_since).filter(is_new);
        let found = open.chain(closed).filter(opens).take(usize::try_from(most).unwrap_or(usize::MAX)).count();
        u32::try_from(found).unwrap_or(most)
    }

    fn index(&mut self, request: &OrderRequest, by: Count) {
        count(&mut self.alike, likeness(request), by);
        if request.opens_exposure() {
            count(&mut self.opening, (request.instrument, side_key(request.side)), by);
        }
    }

    fn get_mut(&mut self, id: OrderId) -> Option<&mut TrackedOrder> {
        self.open.get_mut(&id).or_else(|| self.closed.get_mut(&id)).map(Arc::make_mut)
    }

    fn take_back(&mut self, id: OrderId) {
        if let Some(tracked) = self.closed.remove(&id) {
            self.closed_order.retain(|closed| *closed != id);
            self.index(&tracked.order.request, Count::More);
            self.open.insert(id, tracked);
        }
    }

    fn retire(&mut self, id: OrderId) {
        if let Some(tracked) = self.open.remove(&id) {
            self.index(&tracked.order.request, Count::Less);
            self.closed.insert(id, tracked);
            self.closed_order.push_back(id);
        }
        if self.closed_order.len() > KEPT_CLOSED
            && let Some(oldest) = self.closed_order.pop_front()
        {
            self.closed.remove(&oldest);
        }
    }
}
