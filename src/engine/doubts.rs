//! What is not certain yet about orders and positions at a broker, until evidence settles it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Duration, OrderId, WallTime};

/// Open questions. Empty in paper trading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Doubts {
    /// When a reply was lost.
    lost: BTreeMap<OrderId, WallTime>,
    /// When the first complete answer was asked for that contradicts an order's state: an open one that is not there, one that counts as
    /// over and is.
    missed: BTreeMap<OrderId, WallTime>,
    /// When the first answer was asked for that held other positions than ours.
    pub(super) positions_differ: Option<WallTime>,
}

/// What an answer that contradicts an order's state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was asked for before the order was in doubt, or too soon after the first: it proves nothing more.
    Nothing,
    /// The first of two.
    First,
    /// The second, late enough: it is as the answers say.
    Complete,
}

impl Doubts {
    /// Whether nothing is in doubt.
    pub(super) fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.missed.is_empty() && self.positions_differ.is_none()
    }

    pub(super) fn lose(&mut self, order: OrderId, wall: WallTime) {
        self.lost.insert(order, wall);
        self.missed.remove(&order);
    }

    pub(super) fn miss(&mut self, order: OrderId, began: Option<WallTime>) {
        match began {
            Some(began) => self.missed.insert(order, began),
            None => self.missed.remove(&order),
        };
    }

    pub(super) fn settle(&mut self, order: OrderId) {
        self.lost.remove(&order);
        self.missed.remove(&order);
    }

    pub(super) fn is_missed(&self, order: OrderId) -> bool {
        self.missed.contains_key(&order)
    }

    /// Orders that one answer has contradicted so far.
    pub(super) fn missed(&self) -> impl Iterator<Item = OrderId> {
        self.missed.keys().copied()
    }

    /// What a complete answer means that contradicts this order's state, where two of them have to lie so far apart.
    pub(super) fn contradiction(&self, order: OrderId, began: WallTime, apart: Duration) -> Proof {
        if self.lost.get(&order).is_some_and(|lost| began <= *lost) {
            return Proof::Nothing;
        }
        match self.missed.get(&order) {
            None => Proof::First,
            Some(first) if began.since(*first).0 >= apart.0 => Proof::Complete,
            Some(_) => Proof::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::APART;

    #[test]
    fn an_absence_needs_two_answers_after_the_loss_and_ten_seconds_apart() {
        let (order, at) = (OrderId(7), |seconds: i64| WallTime(seconds * 1_000_000_000));
        let mut doubts = Doubts::default();
        doubts.lose(order, at(100));
        assert_eq!(doubts.contradiction(order, at(99), APART), Proof::Nothing, "asked before the loss");
        assert_eq!(doubts.contradiction(order, at(101), APART), Proof::First);
        doubts.miss(order, Some(at(101)));
        assert_eq!(doubts.contradiction(order, at(110), APART), Proof::Nothing, "too soon");
        assert_eq!(doubts.contradiction(order, at(111), APART), Proof::Complete);
        doubts.miss(order, None);
        assert_eq!(doubts.contradiction(order, at(112), APART), Proof::First, "it was named in between");
        doubts.settle(order);
        assert!(doubts.is_empty());
    }
}
