//! What is not certain yet about orders and positions at a broker, until evidence settles it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Duration, OrderId, WallTime};

/// Two answers that prove an absence lie at least this far apart.
pub(super) const APART: Duration = Duration::seconds(10);

/// Open questions. Empty in paper trading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Doubts {
    /// When a reply was lost.
    lost: BTreeMap<OrderId, WallTime>,
    /// When the first complete answer without the order was asked for.
    missed: BTreeMap<OrderId, WallTime>,
    /// When the first answer was asked for that held other positions than ours.
    pub(super) positions_differ: Option<WallTime>,
}

/// What an answer without an order means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// It was asked for before the order was in doubt, or too soon after the first: it proves nothing more.
    Nothing,
    /// The first of two.
    First,
    /// The second, late enough: it is not there.
    Proven,
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

    /// What a complete answer without this order means.
    pub(super) fn absence(&self, order: OrderId, began: WallTime) -> Absence {
        if self.lost.get(&order).is_some_and(|lost| began <= *lost) {
            return Absence::Nothing;
        }
        match self.missed.get(&order) {
            None => Absence::First,
            Some(first) if began.since(*first).0 >= APART.0 => Absence::Proven,
            Some(_) => Absence::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_needs_two_answers_after_the_loss_and_ten_seconds_apart() {
        let (order, at) = (OrderId(7), |seconds: i64| WallTime(seconds * 1_000_000_000));
        let mut doubts = Doubts::default();
        doubts.lose(order, at(100));
        assert_eq!(doubts.absence(order, at(99)), Absence::Nothing, "asked before the loss");
        assert_eq!(doubts.absence(order, at(101)), Absence::First);
        doubts.miss(order, Some(at(101)));
        assert_eq!(doubts.absence(order, at(110)), Absence::Nothing, "too soon");
        assert_eq!(doubts.absence(order, at(111)), Absence::Proven);
        doubts.miss(order, None);
        assert_eq!(doubts.absence(order, at(112)), Absence::First, "it was named in between");
        doubts.settle(order);
        assert!(doubts.is_empty());
    }
}
