//! What a look at everything that is open says, and when it counts.

use std::collections::BTreeSet;

use super::{Adapter, Held, units};
use crate::broker::xapi::Decimal;
use crate::broker::xapi::client::{Ask, Snapshot};
use crate::broker::xapi::wire::Trade;
use crate::domain::{BrokerReport, BrokerState, CleanText, Evidence, OrderId, PositionId, Price, Quantity};

/// Looks in a row that must differ from what is held before it counts.
const LOOKS: u8 = 2;
/// The same while the stream speaks of trades between the question and the answer.
const LOOKS_OVERTAKEN: u8 = 10;

impl Adapter {
    /// The volume a position was opened with: all parts that closed and what is still there.
    fn whole_of(&self, trade: &Trade, snapshot: &Snapshot) -> Decimal {
        let same = |other: &&Trade| other.mark == trade.mark && matches!(other.cmd, 0 | 1);
        let parts = snapshot.history.iter().chain(&snapshot.open).filter(same);
        Decimal(parts.map(|part| part.volume.0).sum())
    }

    /// Everything there is: what opened, what closed, what waits, and then what the engine has to compare.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) {
        self.terms.note_account(&snapshot.margin);
        if !snapshot.is_overtaken {
            self.follow_renumbered(snapshot);
        }
        for trade in &snapshot.open {
            match trade.cmd {
                0 | 1 => self.see_position(trade, snapshot),
                2..=5 => self.see_waiting(trade, snapshot),
                _ => {}
            }
        }
        if !snapshot.is_overtaken {
            self.forget_older_parts(snapshot);
        }
        // What opened and closed between two looks is known only from the history.
        let mut history: Vec<&Trade> = snapshot.history.iter().filter(|trade| matches!(trade.cmd, 0 | 1)).collect();
        history.sort_by_key(|trade| trade.order2);
        for trade in history {
            self.see_unseen(trade, snapshot);
            // Of what was opened elsewhere only a list that is not overtaken tells which parts are ours.
            if !snapshot.is_overtaken || self.order_of(trade.mark.as_deref()).is_some() {
                self.closed(trade);
            }
        }
        self.compare(snapshot);
        if !snapshot.is_overtaken {
            self.settle_doubts(snapshot.began);
        } else if snapshot.open.iter().any(|trade| self.has_other_exits(trade)) {
            // Such a list may be older than what is known, or newer: the next one tells, and it is not waited for.
            self.requests.push(Ask::Snapshot);
        }
        self.ask_for_last_words(snapshot.began);
    }

    /// Ours that nobody told of is booked with all that it was opened with: what closed of it since is booked next. Where that is not
    /// what was wanted the history may be short of its last entry, so a second look has to say the same.
    fn see_unseen(&mut self, trade: &Trade, snapshot: &Snapshot) {
        let Some(order) = self.order_of(trade.mark.as_deref()).filter(|order| !self.opened.contains(order)) else { return };
        let whole = self.whole_of(trade, snapshot);
        let is_wanted = self.wanted.get(&order).is_none_or(|wanted| wanted.lots == whole.volume());
        if !is_wanted && self.unsure.get(&order).is_none_or(|(said, at)| *said != whole || *at == snapshot.began) {
            self.unsure.insert(order, (whole, snapshot.began));
            return self.requests.push(Ask::Snapshot);
        }
        self.unsure.remove(&order);
        self.open(order, &Trade { closed: false, volume: whole, ..trade.clone() });
    }

    /// A list that was overtaken may be older than what is known of a position: its exits say nothing then.
    fn see_position(&mut self, trade: &Trade, snapshot: &Snapshot) {
        self.see_unseen(trade, snapshot);
        if !snapshot.is_overtaken {
            self.adopt(trade, snapshot);
            self.brought_up(trade);
        }
    }

    fn has_other_exits(&self, trade: &Trade) -> bool {
        let position = self.owner_of(trade).map(|order| PositionId(order.0));
        let held = position.and_then(|position| self.held.get(&position)).filter(|_| matches!(trade.cmd, 0 | 1));
        let level = |leg: Option<(OrderId, Price)>| leg.map(|(_, price)| price);
        held.is_some_and(|held| (level(held.stop), level(held.target)) != (trade.sl.level(), trade.tp.level()))
    }

    fn see_waiting(&mut self, trade: &Trade, snapshot: &Snapshot) {
        if !snapshot.is_overtaken {
            self.adopt(trade, snapshot);
        }
        self.placed(trade);
        if !snapshot.is_overtaken {
            self.learn(trade);
        }
    }

    /// Number and exits of a position that is held already.
    fn brought_up(&mut self, trade: &Trade) {
        let Some(position) = self.owner_of(trade).map(|order| PositionId(order.0)) else { return };
        if let Some(held) = self.held.get_mut(&position) {
            (held.number, held.comment) = (Some(trade.position), trade.comment.clone());
            self.exits(position, trade);
        }
    }

    fn compare(&mut self, snapshot: &Snapshot) {
        let numbers: BTreeSet<i64> = snapshot.open.iter().map(|trade| trade.order).collect();
        let is_missing = self.waiting.values().any(|waiting| !numbers.contains(&waiting.number));
        let needed = if snapshot.is_overtaken { LOOKS_OVERTAKEN } else { LOOKS };
        // A list that is older than an order does not know it.
        if !snapshot.is_overtaken || self.differed.saturating_add(1) >= needed {
            self.waiting.retain(|_, waiting| numbers.contains(&waiting.number));
        }
        let is_there = |trade: &&Trade| matches!(trade.cmd, 0 | 1);
        let (mut positions, mut strangers) = (Vec::new(), Vec::new());
        let mut orders: Vec<OrderId> = self.waiting.keys().copied().chain(self.unconcluded()).collect();
        for trade in snapshot.open.iter().filter(is_there) {
            let position = self.owner_of(trade).map(|order| PositionId(order.0));
            let known = position.and_then(|position| Some((position, self.held.get(&position)?)));
            match known {
                Some((position, held)) => {
                    let size = self.markets.get(&held.instrument).map_or(1, |market| market.contract_size);
                    positions.push((position, units(trade.volume.volume(), size)));
                    orders.extend([held.stop, held.target].into_iter().flatten().map(|(id, _)| id));
                }
                // What is not ours is told as a position of its own: the engine holds openings, and halts when a second answer holds it too.
                None => {
                    let symbol = trade.symbol.as_deref().unwrap_or("?");
                    let side = if trade.cmd == 0 { "BUY" } else { "SELL" };
                    let line = format!("position {} · {side} {} lots {symbol}", trade.position, trade.volume.volume());
                    strangers.push(CleanText::from_outside(&line).as_str().to_owned());
                    positions.push((PositionId(OrderId::FOREIGN.0 + trade.position.unsigned_abs()), trade.volume.volume()));
                }
            }
        }
        self.strangers = strangers;
        orders.sort_unstable();
        orders.dedup();
        positions.sort_unstable();
        let size = |held: &Held| self.markets.get(&held.instrument).map_or(1, |market| market.contract_size);
        let mine: Vec<(PositionId, Quantity)> = self.held.iter().map(|(id, held)| (*id, units(held.lots, size(held)))).collect();
        let differs = positions != mine || (snapshot.is_overtaken && is_missing);
        // A list may be older than what the stream has said since: a difference counts when the next look sees one too, and while
        // trades go on only after several.
        self.differed = if differs { self.differed.saturating_add(1) } else { 0 };
        if differs && self.differed < needed {
            self.requests.push(Ask::Snapshot);
            return;
        }
        let evidence = Evidence::Snapshot { began: snapshot.began };
        self.reports.push(BrokerReport::State(BrokerState { orders, positions, evidence }));
    }
}
