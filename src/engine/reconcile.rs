//! Reconciliation: ours and the broker's, compared as a union. Twice in a row, the second finds nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Actor, AlertTopic, BrokerState, Duration, Evidence, OrderId, OrderKind, PositionId, Quantity, Severity, TradingState,
    WallTime,
};
use crate::engine::doubts::Proof;
use crate::engine::record::{OrderRecord, Record, TradingRecord};
use crate::engine::{Effect, Engine, Outcome};
use crate::orders::{APART, APART_TO_OPEN, OrderState, OrderStep};

/// How the reason begins that positions differ.
const DIFFER: &str = "positions here and at the broker differ";
/// Differences told in one sentence.
const SHOWN_DIFFERENCES: usize = 3;

impl Engine {
    /// A reply that was lost: the order's fate is unknown until evidence settles it. Where the broker was quicker on another way, it is not.
    pub(super) fn lose_reply(&mut self, order: OrderId, reason: &str, outcome: &mut Outcome) {
        if self.book.orders.would_allow(order, OrderStep::LoseReply).is_err() {
            return;
        }
        let wall = self.wall;
        self.step(order, OrderStep::LoseReply, reason, outcome);
        self.record(Record::Order(OrderRecord::ReplyLost { order, wall }), outcome);
        let text = format!("order {order} is UNKNOWN ({reason}); opening trades are held until the broker's answers settle it");
        self.raise(Severity::Critical, AlertTopic::Order, None, text, outcome);
    }

    pub(super) fn reconcile(&mut self, theirs: &BrokerState, outcome: &mut Outcome) {
        let ours: Vec<(OrderId, OrderState)> =
            self.book.orders.open().values().map(|tracked| (tracked.order.id, tracked.state)).collect();
        for (id, state) in ours {
            let is_there = theirs.orders.binary_search(&id).is_ok();
            match (state, is_there) {
                (OrderState::Unknown, true) => self.step(id, OrderStep::Accept, "found at the broker", outcome),
                (OrderState::Unknown, false) => self.look_for_unknown(id, theirs.evidence, outcome),
                (OrderState::Open(_) | OrderState::PendingCancel(_) | OrderState::PendingModify(_), false) => {
                    if self.is_contradicted(id, theirs.evidence, self.apart_of(id), outcome) {
                        self.step(id, OrderStep::Cancel, "no longer at the broker", outcome);
                        self.warn_of_late_trade(id, theirs.evidence, outcome);
                        // A stop that is gone with its position was not taken off.
                        if self.is_position_there(id, theirs) {
                            self.warn_of_lost_stop(id, outcome);
                        }
                    }
                }
                (_, true) if self.book.doubts.is_missed(id) => {
                    self.record(Record::Order(OrderRecord::Missed { order: id, began: None }), outcome);
                }
                // Still on its way, still there, or over meanwhile: an answer says nothing new about it.
                (_, true) | (OrderState::Confirmed | OrderState::Sending, false) => {}
                (OrderState::Filled | OrderState::Cancelled | OrderState::Expired | OrderState::Rejected, false) => {}
                (OrderState::ExpiredUnsent | OrderState::NotPlaced, false) => {}
            }
        }
        self.look_for_the_dead(theirs, outcome);
        self.compare_positions(theirs, outcome);
    }

    fn is_position_there(&self, leg: OrderId, theirs: &BrokerState) -> bool {
        let position = self.book.orders.get(leg).and_then(|tracked| tracked.order.request.closes);
        position.is_none_or(|position| theirs.positions.iter().any(|(id, _)| *id == position))
    }

    /// An order that counts as over here and yet works at the broker could trade unwatched: two answers make it live again, and what
    /// would open is cancelled there.
    fn look_for_the_dead(&mut self, theirs: &BrokerState, outcome: &mut Outcome) {
        let is_over = |id: &OrderId| {
            self.book.orders.get(*id).is_some_and(|tracked| tracked.state.is_closed() && tracked.state != OrderState::Filled)
        };
        let there: Vec<OrderId> = theirs.orders.iter().copied().filter(is_over).collect();
        let gone: Vec<OrderId> =
            self.book.doubts.missed().filter(|id| is_over(id) && theirs.orders.binary_search(id).is_err()).collect();
        for order in gone {
            self.record(Record::Order(OrderRecord::Missed { order, began: None }), outcome);
        }
        for order in there {
            if self.is_contradicted(order, theirs.evidence, APART, outcome) {
                self.revive(order, outcome);
            }
        }
    }

    fn revive(&mut self, order: OrderId, outcome: &mut Outcome) {
        let Some(tracked) = self.book.orders.get(order).cloned() else { return };
        self.step(order, OrderStep::Reappear, "the broker's complete answers hold it", outcome);
        let before = tracked.state;
        if tracked.order.request.opens_exposure() {
            let text = format!("order {order} counted as {before} here and works at the broker; it is cancelled there");
            self.raise(Severity::Critical, AlertTopic::Order, Some(tracked.order.request.instrument), text, outcome);
            self.step(order, OrderStep::AskCancel, "it counted as over", outcome);
            outcome.effects.push(Effect::Cancel(order));
        }
    }

    /// An order without a reply that no answer holds counts as not placed at last. That is belief, not knowledge: what a broker has kept
    /// for itself so long may still trade, and then it is booked and said.
    fn look_for_unknown(&mut self, id: OrderId, evidence: Evidence, outcome: &mut Outcome) {
        if self.is_contradicted(id, evidence, self.apart_of(id), outcome) {
            self.step(id, OrderStep::ProveAbsent, "no complete answer since then holds it", outcome);
            self.warn_of_late_trade(id, evidence, outcome);
        }
    }

    /// How far apart two answers lie that prove an order absent. What waits for its price is in the lists while it does; a request that
    /// trades at once is in none while the broker keeps it pending, and would be doubled by whoever believed too soon that it is gone:
    /// an opening, or a part of a position. The whole of a position can be closed only once.
    fn apart_of(&self, id: OrderId) -> Duration {
        if self.would_double(id) { APART_TO_OPEN } else { APART }
    }

    fn would_double(&self, id: OrderId) -> bool {
        let Some(tracked) = self.book.orders.get(id) else { return false };
        let (request, state) = (tracked.order.request, tracked.state);
        let held = request.closes.and_then(|position| self.book.ledger.position(position));
        let trades_at_once = request.kind == OrderKind::Market && !tracked.filled.is_positive();
        match request.closes {
            None => trades_at_once || state == OrderState::Unknown,
            Some(_) => trades_at_once && held.is_some_and(|held| request.quantity < held.quantity),
        }
    }

    fn warn_of_late_trade(&mut self, id: OrderId, evidence: Evidence, outcome: &mut Outcome) {
        if !self.would_double(id) || evidence == Evidence::Authority {
            return;
        }
        let Some(request) = self.book.orders.get(id).map(|tracked| tracked.order.request) else { return };
        let symbol = self.instruments.symbol(request.instrument);
        let text = format!(
            "order {id} {symbol} was not found at the broker for a minute and counts as not carried out; should the broker have kept it \
             pending it may still trade: look there before you order again"
        );
        self.raise(Severity::Warning, AlertTopic::Order, Some(request.instrument), text, outcome);
    }

    /// Whether answers so far apart that say otherwise than the state of an order prove it wrong; notes the first of them.
    fn is_contradicted(&mut self, order: OrderId, evidence: Evidence, apart: Duration, outcome: &mut Outcome) -> bool {
        let Evidence::Snapshot { began } = evidence else { return true };
        match self.book.doubts.contradiction(order, began, apart) {
            Proof::Nothing => false,
            Proof::First => {
                self.record(Record::Order(OrderRecord::Missed { order, began: Some(began) }), outcome);
                false
            }
            Proof::Complete => true,
        }
    }

    /// Positions that differ hold opening trades at once, and halt trading when a second answer says the same.
    fn compare_positions(&mut self, theirs: &BrokerState, outcome: &mut Outcome) {
        let mine: BTreeMap<PositionId, Quantity> =
            self.book.ledger.positions().values().map(|position| (position.id, position.quantity)).collect();
        let same = mine.len() == theirs.positions.len() && theirs.positions.iter().all(|(id, held)| mine.get(id) == Some(held));
        let since = self.book.doubts.positions_differ;
        match (same, theirs.evidence, since) {
            (true, _, None) => {}
            (true, _, Some(_)) => self.record(Record::Trading(TradingRecord::PositionsDiffer { since: None }), outcome),
            (false, Evidence::Authority, _) => self.halt_on_difference(theirs, outcome),
            (false, Evidence::Snapshot { began }, None) => self.note_difference(began, outcome),
            (false, Evidence::Snapshot { began }, Some(first)) if began.since(first).0 >= APART.0 => {
                self.halt_on_difference(theirs, outcome)
            }
            (false, Evidence::Snapshot { .. }, Some(_)) => {}
        }
    }

    /// The first differences between ours and the broker's, in words.
    fn differences(&self, theirs: &BrokerState) -> String {
        let there: BTreeMap<PositionId, Quantity> = theirs.positions.iter().copied().collect();
        let positions = self.book.ledger.positions();
        let here = |id: PositionId| positions.get(&id).map(|position| position.quantity);
        let ids: BTreeSet<PositionId> = positions.keys().chain(there.keys()).copied().collect();
        let differ = ids.into_iter().filter(|id| here(*id) != there.get(id).copied());
        let line = |id: PositionId| {
            let symbol =
                positions.get(&id).map_or_else(String::new, |held| format!(" {}", self.instruments.symbol(held.instrument)));
            match (here(id), there.get(&id)) {
                (Some(here), Some(there)) => format!("{id}{symbol} is {here} here and {there} there"),
                (Some(here), None) => format!("{id}{symbol} is {here} here and not open there any more"),
                (None, there) => format!("one of {} is open there and not from here", there.copied().unwrap_or(Quantity::ZERO)),
            }
        };
        let lines: Vec<String> = differ.take(SHOWN_DIFFERENCES).map(line).collect();
        lines.join(", ")
    }

    fn note_difference(&mut self, began: WallTime, outcome: &mut Outcome) {
        self.record(Record::Trading(TradingRecord::PositionsDiffer { since: Some(began) }), outcome);
    }

    fn halt_on_difference(&mut self, theirs: &BrokerState, outcome: &mut Outcome) {
        // Where trading was halted before, for whatever reason, it is said once and becomes the reason.
        let is_said = self.book.reason.as_ref().is_some_and(|reason| reason.why.starts_with(DIFFER));
        if self.book.state == TradingState::Halted && is_said {
            return;
        }
        let text = format!(
            "{DIFFER}: {}; look there, and begin anew with `pmax --new`, which takes over what the broker \
             holds",
            self.differences(theirs)
        );
        self.raise(Severity::Critical, AlertTopic::Order, None, text.clone(), outcome);
        self.change_state(TradingState::Halted, Actor::Watchdog, &text, outcome);
    }
}
