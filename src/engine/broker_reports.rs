//! What a broker says, and what it means for orders, cash and positions.

use crate::domain::{
    Actor, AlertTopic, BrokerReport, ChangeFate, Fill, Order, OrderId, Origin, PositionId, Protection, ProtectiveReason,
    Quantity, Severity, TradingState,
};
use crate::engine::record::{OrderRecord, PortfolioRecord, ProposalRecord, Record};
use crate::engine::{Engine, Outcome};
use crate::orders::{OrderState, OrderStep};
use crate::portfolio::LedgerError;

impl Engine {
    pub(super) fn decide_on_report(&mut self, report: &BrokerReport, outcome: &mut Outcome) {
        match report {
            BrokerReport::Accepted { order, broker_ref } => {
                // A trade may be told before the reply that names the order: then only the number is news.
                let is_late = self.book.orders.get(*order).is_some_and(|tracked| {
                    let is_there = matches!(
                        tracked.state,
                        OrderState::Open(_) | OrderState::PendingCancel(_) | OrderState::PendingModify(_)
                    );
                    tracked.state.is_closed() || is_there
                });
                if is_late || self.try_step(*order, OrderStep::Accept, "", outcome) {
                    self.record(Record::Order(OrderRecord::Numbered { order: *order, broker_ref: *broker_ref }), outcome);
                }
            }
            BrokerReport::Rejected { order, reason } => {
                if self.try_step(*order, OrderStep::Reject, reason.as_str(), outcome) {
                    let text = format!("order {order} rejected by the broker: {reason}");
                    self.raise(Severity::Warning, AlertTopic::Order, None, text, outcome);
                }
            }
            BrokerReport::NotSent { order, reason } => {
                if self.try_step(*order, OrderStep::FindUnsent, reason.as_str(), outcome) {
                    let text = format!("order {order} was not sent: {reason}");
                    self.raise(Severity::Warning, AlertTopic::Order, None, text, outcome);
                }
            }
            BrokerReport::Triggered { order } => {
                self.try_step(*order, OrderStep::Trigger, "", outcome);
            }
            BrokerReport::Filled(fill) => self.take_fill(fill, outcome),
            BrokerReport::Cancelled { order, reason } => {
                self.try_step(*order, OrderStep::Cancel, reason.as_str(), outcome);
                self.warn_of_lost_stop(*order, outcome);
            }
            BrokerReport::Expired { order } => {
                self.try_step(*order, OrderStep::Expire, "", outcome);
            }
            BrokerReport::Modified { order, quantity, kind } => {
                if self.try_step(*order, OrderStep::Modify, &format!("{quantity} {kind}"), outcome) {
                    let (order, quantity, kind) = (*order, *quantity, *kind);
                    self.record(Record::Order(OrderRecord::TermsChanged { order, quantity, kind }), outcome);
                }
            }
            BrokerReport::ModifyRefused { order, reason, fate } => {
                let asked = self.book.change_asked(*order).filter(|_| *fate == ChangeFate::Unknown);
                self.try_step(*order, OrderStep::RefuseModify, reason.as_str(), outcome);
                self.go_on_counting(*order, asked, outcome);
            }
            BrokerReport::CancelRefused { order, reason } => {
                self.try_step(*order, OrderStep::RefuseCancel, reason.as_str(), outcome);
            }
            BrokerReport::ProtectRefused { position, reason } => self.take_refused_exits(*position, reason.as_str(), outcome),
            BrokerReport::LegPlaced { order } => self.take_leg(order, outcome),
            BrokerReport::ReplyLost { order, reason } => self.lose_reply(*order, reason.as_str(), outcome),
            BrokerReport::State(state) => self.reconcile(state, outcome),
        }
        self.go_on_cancelling(report, outcome);
    }

    /// Takes a step if the table allows it; otherwise records and shows the contradiction.
    fn try_step(&mut self, order: OrderId, step: OrderStep, note: &str, outcome: &mut Outcome) -> bool {
        if self.book.orders.would_allow(order, step).is_ok() {
            self.step(order, step, note, outcome);
            return true;
        }
        let state = self.book.orders.get(order).map(|tracked| tracked.state);
        if !state.is_some_and(|state| is_late(state, step)) {
            self.record(Record::Order(OrderRecord::Contradicted { order, state, step }), outcome);
            let request = self.book.orders.get(order).map(|tracked| tracked.order.request);
            let instrument = request.map(|request| request.instrument);
            let symbol = instrument.map_or_else(String::new, |id| format!(" {}", self.instruments.symbol(id)));
            let (is, said) = (state.map_or("not known here", OrderState::word), step.words());
            let text = format!(
                "the broker says of order {order}{symbol}: {said}; here it is {is}, and nothing was changed. The next answers are \
                 compared; look at the broker before you order again"
            );
            self.raise(Severity::Critical, AlertTopic::Order, instrument, text, outcome);
        }
        false
    }

    fn take_fill(&mut self, fill: &Fill, outcome: &mut Outcome) {
        let Some(tracked) = self.book.orders.get(fill.order).cloned() else {
            self.contradict_fill(fill, "its order is not known here", outcome);
            return;
        };
        let protection = if fill.closes { Protection::default() } else { tracked.order.request.protection };
        let (position, cash) = match self.book.ledger.would_give(fill, protection) {
            Ok(after) => after,
            Err(LedgerError::Duplicate(_)) => return,
            Err(error) => {
                self.contradict_fill(fill, &error.to_string(), outcome);
                return;
            }
        };
        let leaves = tracked.leaves().minus(fill.quantity);
        let step = if leaves.is_ok_and(Quantity::is_positive) { OrderStep::FillPart } else { OrderStep::FillAll };
        if self.book.orders.would_allow(fill.order, step).is_err() {
            self.contradict_fill(fill, "its order is filled already", outcome);
            return;
        }
        self.record(Record::Portfolio(PortfolioRecord::Filled { fill: *fill, protection, position, cash }), outcome);
        let decimals = self.instruments.get(fill.instrument).map_or(2, |known| usize::from(known.decimals));
        self.step(fill.order, step, &format!("{} at {:.decimals$}", fill.quantity, fill.price), outcome);
        self.after_fill(fill, tracked.order.request.origin, outcome);
    }

    fn after_fill(&mut self, fill: &Fill, origin: Origin, outcome: &mut Outcome) {
        if origin == Origin::External && !fill.closes {
            let (symbol, side, quantity) = (self.instruments.symbol(fill.instrument), fill.side, fill.quantity);
            let text = format!("adopted from the broker: {side} {quantity} {symbol} at {}, opened elsewhere", fill.price);
            self.raise(Severity::Warning, AlertTopic::Order, Some(fill.instrument), text, outcome);
        }
        if let Origin::Protective(_) = origin {
            let symbol = self.instruments.symbol(fill.instrument);
            let text = format!("{} of {symbol} traded: {} {} at {}", origin.word(), fill.side, fill.quantity, fill.price);
            self.raise(Severity::Warning, AlertTopic::Order, Some(fill.instrument), text, outcome);
        }
        if fill.closes && self.book.ledger.position(fill.position).is_none() {
            self.withdraw_closes_of(fill.position, outcome);
        }
    }

    fn withdraw_closes_of(&mut self, position: PositionId, outcome: &mut Outcome) {
        let of_position = |request: &crate::domain::OrderRequest| request.closes == Some(position);
        let found = self.book.proposals.values().find(|proposal| of_position(&proposal.request)).map(|proposal| proposal.id);
        if let Some(proposal) = found {
            let why = "its position is closed".to_owned();
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why }), outcome);
        }
    }

    fn contradict_fill(&mut self, fill: &Fill, why: &str, outcome: &mut Outcome) {
        let text = format!("a trade of order {} does not fit ({why}); opening trades are held", fill.order);
        self.record(Record::Portfolio(PortfolioRecord::FillContradicted { fill: *fill, why: why.to_owned() }), outcome);
        self.raise(Severity::Critical, AlertTopic::Order, Some(fill.instrument), text.clone(), outcome);
        if self.book.state == TradingState::Active {
            self.change_state(TradingState::Reducing, Actor::Engine, &text, outcome);
        }
    }

    /// A stop that was wished for and is not there is the worst kind of belief: it is said aloud. The screen shows what works.
    fn take_refused_exits(&mut self, position: PositionId, reason: &str, outcome: &mut Outcome) {
        let Some(held) = self.book.ledger.position(position) else { return };
        let (instrument, symbol) = (held.instrument, self.instruments.symbol(held.instrument));
        let text = format!("stop and target of {position} {symbol} were NOT set ({reason}); what is shown is what protects it");
        self.raise(Severity::Critical, AlertTopic::Order, Some(instrument), text, outcome);
    }

    /// A stop that is gone while its position is held and wants one was taken off by somebody else.
    pub(super) fn warn_of_lost_stop(&mut self, leg: OrderId, outcome: &mut Outcome) {
        let Some(request) = self.book.orders.get(leg).map(|tracked| tracked.order.request) else { return };
        let held = request.closes.and_then(|position| self.book.ledger.position(position));
        let is_stop = request.origin == Origin::Protective(ProtectiveReason::StopLoss);
        let Some(held) = held.filter(|held| is_stop && held.protection.stop_loss.is_some()) else { return };
        let symbol = self.instruments.symbol(held.instrument);
        let text =
            format!("position {} {symbol} has NO stop: it was taken off at the broker, not from here; set one or close", held.id);
        self.raise(Severity::Critical, AlertTopic::Order, Some(request.instrument), text, outcome);
    }

    /// A stop or target that was taken off and set again works under its old number.
    fn take_leg(&mut self, order: &Order, outcome: &mut Outcome) {
        let is_protective = order.request.origin.is_protective();
        match self.book.orders.get(order.id).map(|tracked| tracked.state) {
            None if is_protective || order.request.origin == Origin::External => {
                self.record(Record::Order(OrderRecord::LegPlaced { order: *order }), outcome);
            }
            Some(state) if is_protective && state.is_closed() && state != OrderState::Filled => {
                let (id, quantity, kind) = (order.id, order.request.quantity, order.request.kind);
                self.step(id, OrderStep::Reappear, &format!("set again: {quantity} {kind}"), outcome);
                self.record(Record::Order(OrderRecord::TermsChanged { order: id, quantity, kind }), outcome);
            }
            None | Some(_) => {}
        }
    }
}

/// Whether a report is only the last word on what is over here already, a change or cancel that nobody waits for any more among it: no
/// contradiction, and no news. That something was refused which has traded is one.
fn is_late(state: OrderState, step: OrderStep) -> bool {
    match step {
        OrderStep::RefuseCancel | OrderStep::RefuseModify => state.is_closed() || matches!(state, OrderState::Open(_)),
        OrderStep::Modify => state.is_closed(),
        OrderStep::Cancel | OrderStep::Expire | OrderStep::Reject => state.is_closed() && state != OrderState::Filled,
        OrderStep::Send | OrderStep::Accept | OrderStep::Trigger | OrderStep::FillPart | OrderStep::FillAll => false,
        OrderStep::AskModify | OrderStep::AskCancel | OrderStep::LoseReply | OrderStep::FindUnsent => false,
        OrderStep::ProveAbsent | OrderStep::Reappear => false,
    }
}
