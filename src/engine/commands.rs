//! What a person may want, and what comes of it.

use crate::domain::{
    Actor, AlertId, AlertTopic, BrokerKind, Duration, Mode, Money, Order, OrderId, OrderRequest, Origin, ProposalId, Severity,
    TradingState, counted,
};
use crate::engine::event::{Command, Seen, Ticket};
use crate::engine::record::{AlertRecord, OrderRecord, PortfolioRecord, ProposalRecord, Record, RunRecord, TradingRecord};
use crate::engine::{Effect, Engine, KillPhase, Outcome};
use crate::orders::{OrderState, OrderStep};
use crate::risk::{self, Acknowledged, Action, Refusal, Trip, Unlock};

/// How long the second step of re-arming may take.
pub(super) const REARM_WINDOW: Duration = Duration::seconds(60);

impl Engine {
    pub(super) fn decide_on_command(&mut self, actor: Actor, command: &Command, outcome: &mut Outcome) {
        match command {
            Command::ArmPaper => self.set_mode(self.settings.broker.armed(), actor, outcome),
            Command::Disarm => self.set_mode(Mode::ReadOnly, actor, outcome),
            Command::ConfirmProposal { proposal, revision, seen } => {
                self.confirm_proposal(actor, *proposal, *revision, *seen, outcome);
            }
            Command::DeclineProposal { proposal } => self.decline(*proposal, outcome),
            Command::PlaceOrder { ticket, acknowledged, seen } => {
                let request = ticket_request(ticket);
                self.place(actor, request, *acknowledged, Some(*seen), outcome);
            }
            Command::ModifyOrder { order, quantity, kind } => self.modify(*order, *quantity, *kind, outcome),
            Command::CancelOrder { order } => self.cancel(*order, outcome),
            Command::ClosePosition { position, quantity } => self.close_position(actor, *position, *quantity, outcome),
            Command::ProtectPosition { position, protection } => self.protect(*position, *protection, outcome),
            Command::Kill { why } => self.kill(actor, why, outcome),
            Command::Flatten => self.flatten(outcome),
            Command::RequestRearm => self.request_rearm(outcome),
            Command::ConfirmRearm => self.confirm_rearm(actor, outcome),
            Command::Lock { subject, time, why } => self.lock(actor, *subject, *time, why, outcome),
            Command::Unlock { rule, subject, why } => self.unlock(actor, rule, *subject, why, outcome),
            Command::RequestStageUp => self.request_stage_up(outcome),
            Command::ConfirmStageUp => self.confirm_stage_up(actor, outcome),
            Command::AcknowledgeAlert { alert } => self.acknowledge(*alert, *alert, outcome),
            Command::AcknowledgeAll => self.acknowledge(AlertId(0), AlertId(u64::MAX), outcome),
            Command::ResetPaper { capital } => self.reset(actor, *capital, outcome),
            Command::JumpTo { until } => self.jump(*until, outcome),
        }
    }

    /// Lets pass what has run out of wall time.
    pub(super) fn decide_on_time(&mut self, outcome: &mut Outcome) {
        let wall = self.wall;
        let lapsed: Vec<ProposalId> =
            self.book.proposals.values().filter(|proposal| proposal.expires <= wall).map(|proposal| proposal.id).collect();
        for proposal in lapsed {
            let why = "nobody confirmed it in time".to_owned();
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why }), outcome);
        }
        if self.book.rearm_requested.is_some_and(|asked| wall >= asked.plus(REARM_WINDOW)) {
            self.record(Record::Trading(TradingRecord::RearmLapsed), outcome);
        }
        if self.book.breakers.unlock_asked().is_some_and(|asked| wall >= asked.plus(REARM_WINDOW)) {
            self.record(Record::Trading(TradingRecord::UnlockLapsed), outcome);
        }
        self.lapse_stage_up(outcome);
    }

    /// Tells the person that a wish came to nothing.
    pub(super) fn tell(&mut self, text: String, outcome: &mut Outcome) {
        outcome.refusal = Some(text.clone());
        self.raise(Severity::Warning, AlertTopic::Order, None, text, outcome);
    }

    fn set_mode(&mut self, mode: Mode, who: Actor, outcome: &mut Outcome) {
        if self.book.mode != mode {
            self.record(Record::Trading(TradingRecord::ModeChanged { mode, who }), outcome);
        }
    }

    fn confirm_proposal(&mut self, actor: Actor, id: ProposalId, revision: u32, seen: Seen, outcome: &mut Outcome) {
        let Some(proposal) = self.book.proposals.get(&id).filter(|proposal| proposal.expires > self.wall).cloned() else {
            self.tell(format!("proposal {id} is gone; nothing was sent"), outcome);
            return;
        };
        if proposal.revision != revision {
            self.tell(format!("proposal {id} was computed anew meanwhile; nothing was sent — look again"), outcome);
            return;
        }
        let last = self.market.get(proposal.request.instrument).and_then(|series| series.last());
        let moved = last.and_then(|last| last.change_from(proposal.reference));
        if moved.is_none_or(|moved| moved.nanos().abs() > proposal.tolerance.nanos()) {
            self.refresh_proposals(proposal.request.instrument, outcome);
            self.tell(format!("the price moved away from proposal {id}; nothing was sent — look again"), outcome);
            return;
        }
        if let Some(order) = self.place(actor, proposal.request, Acknowledged::Nothing, Some(seen), outcome) {
            self.record(Record::Proposal(ProposalRecord::Confirmed { proposal: id, order }), outcome);
        }
    }

    fn decline(&mut self, proposal: ProposalId, outcome: &mut Outcome) {
        if self.book.proposals.contains_key(&proposal) {
            self.record(Record::Proposal(ProposalRecord::Declined { proposal }), outcome);
        } else {
            self.tell(format!("proposal {proposal} is gone; there is nothing to decline"), outcome);
        }
    }

    /// The one road of every order: number, checks, durable records, then the effect.
    pub(super) fn place(
        &mut self,
        actor: Actor,
        request: OrderRequest,
        acknowledged: Acknowledged,
        seen: Option<Seen>,
        outcome: &mut Outcome,
    ) -> Option<OrderId> {
        let reference = self.market.get(request.instrument).and_then(|series| series.last());
        let (id, account, created_at) = (self.book.next_order, crate::domain::AccountId(1), self.market.now());
        let order = Order { id, account, request, created_at, reference };
        if request.opens_exposure() {
            self.remember_companions(request.instrument);
        }
        match risk::check(order, &self.situation(&request), acknowledged) {
            Ok(approved) => {
                let wall = self.wall;
                self.record(Record::Order(OrderRecord::Confirmed { order, who: actor, wall, seen }), outcome);
                self.step(id, OrderStep::Send, "", outcome);
                outcome.effects.push(Effect::Submit(approved));
                Some(id)
            }
            Err(refusal) => {
                self.refuse(request, refusal, outcome);
                None
            }
        }
    }

    fn refuse(&mut self, request: OrderRequest, refusal: Refusal, outcome: &mut Outcome) {
        let symbol = self.instruments.symbol(request.instrument);
        let text = format!("{} {} {symbol} refused — {}", request.side, request.quantity, refusal.sentence());
        outcome.refusal = Some(text.clone());
        self.record(Record::Order(OrderRecord::Refused { request, refusal }), outcome);
        self.raise(Severity::Warning, AlertTopic::Order, Some(request.instrument), text, outcome);
    }

    /// Records a step of an order that is known to be legal.
    pub(super) fn step(&mut self, order: OrderId, step: OrderStep, note: &str, outcome: &mut Outcome) {
        let (at, note) = (self.market.now(), note.to_owned());
        let allowed = self.book.orders.would_allow(order, step);
        debug_assert!(allowed.is_ok(), "{allowed:?}");
        if let Ok(to) = allowed {
            let waited = self.waited(order, step);
            self.record(Record::Order(OrderRecord::Stepped { order, step, to, at, note, waited }), outcome);
        }
    }

    /// How long the broker took to answer, where a step is its first answer: nothing for what a restart or a look found out.
    fn waited(&self, order: OrderId, step: OrderStep) -> Option<Duration> {
        let tracked = self.book.orders.get(order)?;
        let is_answer = matches!(step, OrderStep::Accept | OrderStep::Reject) && tracked.state == OrderState::Sending;
        tracked.confirmation.filter(|_| is_answer).map(|confirmation| self.wall.since(confirmation.wall))
    }

    fn request_rearm(&mut self, outcome: &mut Outcome) {
        if !self.book.needs_rearming() {
            self.tell("trading is ACTIVE; there is nothing to re-arm".to_owned(), outcome);
            return;
        }
        if self.book.orders.unknown() > 0 {
            let count = self.book.orders.unknown();
            self.tell(format!("{} UNKNOWN; trading stays held until that is settled", counted(count, "order")), outcome);
            return;
        }
        if let Some(text) = self.refusal_by_timed_lock() {
            self.tell(text, outcome);
            return;
        }
        let wall = self.wall;
        self.record(Record::Trading(TradingRecord::RearmRequested { wall }), outcome);
    }

    fn confirm_rearm(&mut self, actor: Actor, outcome: &mut Outcome) {
        let in_time = self.book.rearm_requested.is_some_and(|asked| self.wall < asked.plus(REARM_WINDOW));
        let busy = matches!(self.book.kill, KillPhase::Cancelling | KillPhase::Flattening);
        if actor != Actor::Person || !in_time || busy || self.book.orders.unknown() > 0 {
            self.tell("not re-armed: ask first, confirm within 60 s, and let the kill switch finish".to_owned(), outcome);
            return;
        }
        if let Some(text) = self.refusal_by_timed_lock() {
            self.tell(text, outcome);
            return;
        }
        self.overrule_breakers(actor, outcome);
        self.change_state(TradingState::Active, actor, "re-armed in two steps", outcome);
    }

    fn refusal_by_timed_lock(&self) -> Option<String> {
        let trip = self.timed_lock()?;
        let end = trip.ends_at()?;
        Some(format!(
            "the breaker {} holds until {end} in market time; `:unlock` lets go sooner, in two steps",
            trip.rule.words()
        ))
    }

    fn acknowledge(&mut self, from: AlertId, to: AlertId, outcome: &mut Outcome) {
        let open = |alert: &&crate::domain::Alert| !alert.acknowledged && (from..=to).contains(&alert.id);
        let mut ids = self.book.alerts.iter().filter(open).map(|alert| alert.id);
        let Some(first) = ids.next() else { return };
        let last = ids.next_back().unwrap_or(first);
        self.record(Record::Alert(AlertRecord::Acknowledged { from: first, to: last }), outcome);
    }

    fn reset(&mut self, actor: Actor, capital: Money, outcome: &mut Outcome) {
        if self.settings.broker != BrokerKind::Paper {
            let text = "not reset: the broker keeps this account; `pmax --new` begins a new run with it".to_owned();
            return self.tell(text, outcome);
        }
        let in_use = !self.book.ledger.positions().is_empty() || !self.book.orders.open().is_empty();
        if in_use || !(1..=1_000_000_000).contains(&(capital.nanos() / crate::domain::SCALE)) {
            self.tell("not reset: close all positions and orders first; capital is 1 to 1,000,000,000".to_owned(), outcome);
            return;
        }
        let holds = |trip: &&Trip| trip.action != Action::Warn && (trip.ends_at().is_some() || trip.unlock == Unlock::Person);
        let held = self.book.breakers.acting().find(holds).cloned();
        if let Some(trip) = held {
            let about = self.about(trip.subject).0;
            let text = format!(
                "not reset: {}{about} holds; `:unlock` or re-arm first, a new account is no way around it",
                trip.rule.words()
            );
            return self.tell(text, outcome);
        }
        self.withdraw_openings("the paper account begins anew", outcome);
        self.record(Record::Portfolio(PortfolioRecord::Reset { capital }), outcome);
        self.restart_stages(actor, outcome);
    }

    fn jump(&mut self, until: crate::domain::MarketTime, outcome: &mut Outcome) {
        if until > self.market.now() {
            self.withdraw_openings("the tape runs ahead", outcome);
            self.record(Record::Run(RunRecord::Jumped { until }), outcome);
        }
    }
}

const fn ticket_request(ticket: &Ticket) -> OrderRequest {
    OrderRequest {
        instrument: ticket.instrument,
        side: ticket.side,
        quantity: ticket.quantity,
        kind: ticket.kind,
        time_in_force: ticket.time_in_force,
        protection: ticket.protection,
        closes: None,
        origin: Origin::Ticket,
    }
}
