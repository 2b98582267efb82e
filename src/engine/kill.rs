//! The kill switch: halt, cancel, and — as a second, separate act — flatten.
//!
//! Stops and targets of open positions are left at the broker until their position is flattened: they only reduce, and taking them away
//! first would leave positions bare if anything after it failed.

use crate::domain::{
    Actor, AlertTopic, BrokerReport, MarketTime, OrderId, Origin, Position, ProtectiveReason, Severity, TradingState, counted,
};
use crate::engine::judging::closing_request;
use crate::engine::record::{Record, TradingRecord};
use crate::engine::{Effect, Engine, KillPhase, Outcome};
use crate::orders::{OrderState, OrderStep, TrackedOrder};
use crate::risk::Acknowledged;

/// Whether a position whose close has just come to nothing is asked about again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Only at a later market time: the fill that explains it may still be on its way, and a kill switch must not argue for ever.
    Later,
    /// A complete answer came since, or a person wants it.
    Now,
}

/// A broker that has refused to close a position so often is not asked again.
const REFUSED_OFTEN: usize = 3;

fn is_cancelled_by_kill(tracked: &TrackedOrder) -> bool {
    !tracked.order.request.origin.is_protective()
}

fn opens(tracked: &TrackedOrder) -> bool {
    is_cancelled_by_kill(tracked) && tracked.order.request.opens_exposure()
}

fn works(count: usize) -> String {
    let verb = if count == 1 { "works" } else { "work" };
    format!("{} {verb}", counted(count, "order"))
}

impl Engine {
    pub(super) fn kill(&mut self, actor: Actor, why: &str, outcome: &mut Outcome) {
        if self.book.state != TradingState::Halted || self.book.kill == KillPhase::Idle {
            self.change_state(TradingState::Halted, actor, why, outcome);
            let still = match self.openings_there() {
                0 => String::new(),
                count => format!("; {} at the broker that would open, until it is cancelled there", works(count)),
            };
            let text = format!(
                "the kill switch was fired by {actor}: {why}; nothing is sent that opens before trading is armed again in two \
                 steps{still}"
            );
            self.raise(Severity::Critical, AlertTopic::Order, None, text, outcome);
        }
        self.withdraw_openings("the kill switch fired", outcome);
        self.cancel_left(outcome);
        self.advance_kill(Again::Later, outcome);
    }

    /// Orders that would open and are, or may be, at the broker.
    pub(super) fn openings_there(&self) -> usize {
        let is_there = |tracked: &TrackedOrder| opens(tracked) && tracked.state != OrderState::Confirmed;
        self.book.orders.open().values().filter(|tracked| is_there(tracked)).count()
    }

    /// What would open and still waits for its turn on the wire does not leave any more.
    pub(super) fn withdraw_unsent(&mut self, outcome: &mut Outcome) {
        let is_on_its_way = |tracked: &TrackedOrder| tracked.state == OrderState::Sending && opens(tracked);
        let open = self.book.orders.open().values().filter(|tracked| is_on_its_way(tracked));
        outcome.effects.extend(open.map(|tracked| Effect::Withdraw(tracked.order.id)));
    }

    /// Asks to cancel everything that could still open exposure and can be cancelled now.
    pub(super) fn cancel_left(&mut self, outcome: &mut Outcome) {
        // A breaker leaves closing orders of a person alone; the kill switch takes everything but stops and targets.
        let is_killing = self.book.kill != KillPhase::Idle;
        let is_left = |tracked: &TrackedOrder| {
            tracked.state.is_cancellable() && if is_killing { is_cancelled_by_kill(tracked) } else { opens(tracked) }
        };
        let open = self.book.orders.open().values();
        let left: Vec<OrderId> = open.filter(|tracked| is_left(tracked)).map(|tracked| tracked.order.id).collect();
        for order in left {
            let why = if is_killing { "kill switch" } else { "trading is held" };
            self.step(order, OrderStep::AskCancel, why, outcome);
            outcome.effects.push(Effect::Cancel(order));
        }
    }

    /// While trading is held, a report may show an order that could not be cancelled before: one that was still on its way, or whose
    /// cancel was refused while the link was down. A refusal itself is not answered at once: nobody must argue for ever.
    pub(super) fn go_on_cancelling(&mut self, report: &BrokerReport, outcome: &mut Outcome) {
        let is_held = self.book.state != TradingState::Active;
        let is_news = match report {
            BrokerReport::Accepted { .. } | BrokerReport::State(_) | BrokerReport::LegPlaced { .. } => true,
            BrokerReport::Modified { .. } | BrokerReport::ModifyRefused { .. } => true,
            BrokerReport::CancelRefused { order, .. } => {
                self.warn_of_undeletable(*order, outcome);
                false
            }
            BrokerReport::Rejected { .. } | BrokerReport::ReplyLost { .. } | BrokerReport::ProtectRefused { .. } => false,
            BrokerReport::NotSent { .. } => false,
            BrokerReport::Triggered { .. } | BrokerReport::Filled(_) | BrokerReport::Cancelled { .. } => false,
            BrokerReport::Expired { .. } => false,
        };
        if is_held && is_news {
            self.cancel_left(outcome);
        }
        let again = if matches!(report, BrokerReport::State(_)) { Again::Now } else { Again::Later };
        self.advance_kill(again, outcome);
    }

    /// An order that the broker will not delete may still open a position while everything else is at rest.
    fn warn_of_undeletable(&mut self, order: OrderId, outcome: &mut Outcome) {
        let Some(tracked) = self.book.orders.get(order) else { return };
        let since = self.fired_at();
        let mut refusals = tracked.history.iter().filter(|entry| entry.step == OrderStep::RefuseCancel && entry.at >= since);
        let (refused, why) = (refusals.clone().count(), refusals.next_back().map_or("", |entry| entry.note.as_str()));
        if self.book.kill != KillPhase::Idle && refused == REFUSED_OFTEN {
            let (instrument, symbol) =
                (tracked.order.request.instrument, self.instruments.symbol(tracked.order.request.instrument));
            let text = format!(
                "order {order} {symbol} could not be deleted {refused} times since the kill switch fired ({why}); every look asks again"
            );
            self.raise(Severity::Critical, AlertTopic::Order, Some(instrument), text, outcome);
        }
    }

    pub(super) fn flatten(&mut self, outcome: &mut Outcome) {
        if self.book.state != TradingState::Halted {
            self.tell("flatten is the second step of the kill switch; fire that first".to_owned(), outcome);
            return;
        }
        let held = self.book.ledger.positions().len();
        if held > 0 && !self.can_flatten() {
            self.tell(
                format!("the tape holds no more of what is held: {} cannot be closed here any more", counted(held, "position")),
                outcome,
            );
            return;
        }
        if self.book.kill != KillPhase::Flattening {
            self.record(Record::Trading(TradingRecord::FlattenAsked), outcome);
        }
        self.advance_kill(Again::Now, outcome);
    }

    /// Goes on to the next phase once everything of this one is confirmed. Called after every report, and at every bar while it flattens.
    pub(super) fn advance_kill(&mut self, again: Again, outcome: &mut Outcome) {
        match self.book.kill {
            KillPhase::Idle | KillPhase::Finished => {}
            KillPhase::Cancelling if self.has_cancels_open() || self.may_still_open() => {}
            KillPhase::Cancelling => self.record(Record::Trading(TradingRecord::KillFinished), outcome),
            // What still waits, or whose fate is not known, may become a position, which is to be closed as well.
            KillPhase::Flattening if !self.can_flatten() && (self.has_cancels_open() || self.may_still_open()) => {}
            KillPhase::Flattening if !self.can_flatten() => {
                let left = self.book.ledger.positions().values();
                let refused = left.filter(|position| self.refused_closes(position) >= REFUSED_OFTEN).count();
                if refused > 0 {
                    let text = format!(
                        "the broker refuses to close {}; where it does not hold them any more, `pmax --new` begins anew",
                        counted(refused, "position")
                    );
                    self.raise(Severity::Critical, AlertTopic::Order, None, text, outcome);
                }
                self.record(Record::Trading(TradingRecord::KillFinished), outcome);
            }
            KillPhase::Flattening => self.close_all(again, outcome),
        }
    }

    /// How often the broker has refused to close a position since the kill switch was fired, of the orders at hand. What never left was
    /// not refused.
    fn refused_closes(&self, position: &Position) -> usize {
        let origin = Origin::Protective(ProtectiveReason::KillSwitch);
        let fired_at = self.fired_at();
        let is_refused = |tracked: &&std::sync::Arc<TrackedOrder>| {
            let request = &tracked.order.request;
            let is_of_now = tracked.order.created_at >= fired_at;
            request.closes == Some(position.id) && request.origin == origin && tracked.state == OrderState::Rejected && is_of_now
        };
        self.book.orders.closed_newest_first().take(256).filter(is_refused).count()
    }

    /// When trading was halted, in market time; the beginning of time where it never was.
    fn fired_at(&self) -> MarketTime {
        self.book.reason.as_ref().map_or(MarketTime(i64::MIN), |reason| reason.at)
    }

    /// Whether any position is left that the market could still take and the broker has not refused again and again.
    fn can_flatten(&self) -> bool {
        let takes = |position: &Position| {
            let series = self.market.get(position.instrument);
            series.is_some_and(|series| series.can_fill(self.market.now())) && self.refused_closes(position) < REFUSED_OFTEN
        };
        self.book.ledger.positions().values().any(takes)
    }

    /// Whether an opening order's fate is unknown.
    fn may_still_open(&self) -> bool {
        let is_open_question =
            |tracked: &TrackedOrder| tracked.state == OrderState::Unknown && tracked.order.request.opens_exposure();
        self.book.orders.open().values().any(|tracked| is_open_question(tracked))
    }

    /// Whether an order that the kill switch takes out is still in the market; only asked while it works.
    fn has_cancels_open(&self) -> bool {
        let is_open = |tracked: &TrackedOrder| is_cancelled_by_kill(tracked) && tracked.state != OrderState::Unknown;
        self.book.orders.open().values().any(|tracked| is_open(tracked))
    }

    /// Sends one closing order per position. A position whose own close is still being cancelled waits for that.
    fn close_all(&mut self, again: Again, outcome: &mut Outcome) {
        let origin = Origin::Protective(ProtectiveReason::KillSwitch);
        let (orders, now) = (&self.book.orders, self.market.now());
        let closes = |tracked: &TrackedOrder, position: &Position| {
            tracked.order.request.closes == Some(position.id) && tracked.order.request.origin == origin
        };
        let is_closing = |tracked: &TrackedOrder, position: &Position| {
            let is_on_its_way = is_cancelled_by_kill(tracked) && tracked.state != OrderState::Unknown;
            tracked.order.request.closes == Some(position.id) && is_on_its_way
        };
        let closing = |position: &Position| {
            let mut open = orders.open().values();
            let is_open = open.any(|tracked| closes(tracked, position) || is_closing(tracked, position));
            let mut lately = orders.closed_newest_first().take(256).filter(|tracked| tracked.order.created_at >= now);
            is_open || (again == Again::Later && lately.any(|tracked| closes(tracked, position)))
        };
        let positions = self.book.ledger.positions().values();
        let may_ask = |position: &&Position| !closing(position) && self.refused_closes(position) < REFUSED_OFTEN;
        let left: Vec<Position> = positions.filter(may_ask).cloned().collect();
        for position in left {
            let request = closing_request(&position, position.quantity, origin);
            self.place(Actor::Engine, request, Acknowledged::Nothing, None, outcome);
        }
    }
}
