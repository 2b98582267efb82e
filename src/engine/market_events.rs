//! What follows from a market event: breakers, outcomes, new signals, comments, price alerts.

use crate::domain::{Actor, Alert, AlertTopic, Bar, InstrumentId, MarketEvent, Price, ProposalId, Severity, TradingState};
use crate::engine::breaking::Moved;
use crate::engine::core::Noticed;
use crate::engine::kill::Again;
use crate::engine::record::{AlertRecord, ProposalRecord, Record, SignalRecord, TradingRecord};
use crate::engine::{Effect, Engine, KillPhase, Outcome};
use crate::signals::{self, Facts};

/// Deviations of a bar's move from which the analyst is asked for a comment.
const COMMENT_DEVIATIONS: f64 = 1.5;

impl Engine {
    pub(super) fn decide_on_market(&mut self, event: &MarketEvent, noticed: Noticed, outcome: &mut Outcome) {
        if !self.book.breakers.latched().is_empty() {
            self.release_breakers(noticed.new_day, outcome);
        }
        if noticed.equity_changed || noticed.new_day {
            self.trip_breakers(Moved::Equity, outcome);
        }
        if noticed.new_day {
            self.trip_breakers(Moved::Estimate, outcome);
        }
        for resolved in noticed.resolved {
            let (signal, source, call) = (resolved.signal, resolved.source, resolved.call);
            // A call of the warm-up says how history was, not how the source does.
            let is_right = (resolved.since >= self.book.warm_until).then_some(resolved.is_right);
            let since = Some(resolved.since);
            let ended = SignalRecord::Resolved { signal, source, outcome: resolved.outcome, is_right, since, call };
            self.record(Record::Signal(ended), outcome);
            self.withdraw_opening_of(signal, outcome);
            self.trip_breakers(Moved::Call(source), outcome);
            self.judge_stage(outcome);
        }
        if self.book.kill == KillPhase::Flattening && !matches!(event, MarketEvent::Quoted { .. }) {
            self.advance_kill(Again::Later, outcome);
        }
        match event {
            MarketEvent::Quoted { quote, .. } => self.refresh_moved_proposals(quote.instrument, quote.last, outcome),
            MarketEvent::BarOpened { instrument, open, .. } => self.refresh_moved_proposals(*instrument, *open, outcome),
            MarketEvent::BarClosed { bar, .. }
                if self.market.get(bar.instrument).is_some_and(|series| series.is_history(bar)) => {}
            MarketEvent::BarClosed { bar, .. } => {
                self.trip_breakers(Moved::Bar(bar.instrument), outcome);
                self.trip_breakers(Moved::Time, outcome);
                self.trip_breakers(Moved::Estimate, outcome);
                self.decide_on_bar(bar, outcome);
            }
        }
        if !matches!(event, MarketEvent::Quoted { .. }) {
            self.cut_positions(outcome);
        }
    }

    /// Whether history is only warming up: what it did is nobody's record, and no breaker's.
    pub(super) fn is_warming_up(&self) -> bool {
        self.market.now() < self.book.warm_until
    }

    /// Whether the tape is only warming up or running ahead.
    pub(super) fn is_quiet(&self) -> bool {
        self.market.now() < self.book.quiet_until
    }

    fn decide_on_bar(&mut self, bar: &Bar, outcome: &mut Outcome) {
        self.judge_views(bar, outcome);
        if self.is_quiet() {
            return;
        }
        self.refresh_proposals(bar.instrument, outcome);
        self.propose_due_closes(bar.instrument, outcome);
        // Most bars are ordinary: their facts are nobody's to read.
        let Some(series) = self.market.get(bar.instrument) else { return };
        if series.was_spliced() {
            // The step from another provider's close to this one is nobody's move.
            return;
        }
        let threshold = self.settings.alert_deviations.to_f64();
        if signals::is_ordinary(&series.as_of(), if self.is_watched { threshold.min(COMMENT_DEVIATIONS) } else { threshold }) {
            return;
        }
        let Some(facts) = self.facts(bar.instrument) else { return };
        if facts.prominence() >= threshold {
            let deviations = facts.last_deviations.unwrap_or(0.0).abs();
            let text = format!("{} moved {:+.2} %, {deviations:.1} usual moves", facts.symbol, facts.last_return * 100.0);
            self.raise(Severity::Warning, AlertTopic::Market, Some(bar.instrument), text, outcome);
        }
        if facts.prominence() >= COMMENT_DEVIATIONS {
            outcome.effects.push(Effect::Comment(facts));
        }
    }

    /// The facts of an instrument at its last closed bar.
    pub(super) fn facts(&self, instrument: InstrumentId) -> Option<Facts> {
        let series = self.market.get(instrument)?;
        let symbol = self.instruments.symbol(instrument);
        Facts::compute(instrument, &symbol, self.market.now(), &series.as_of(), series.bars_per_year())
    }

    /// Raises an alert.
    pub(super) fn raise(
        &mut self,
        severity: Severity,
        topic: AlertTopic,
        instrument: Option<InstrumentId>,
        text: String,
        outcome: &mut Outcome,
    ) {
        let (id, at) = (self.book.next_alert, self.market.now());
        let alert = Alert { id, severity, topic, instrument, at, text, acknowledged: false };
        self.record(Record::Alert(AlertRecord::Raised(alert)), outcome);
    }

    /// Changes the trading state, unless it would become laxer without a person.
    pub(super) fn change_state(&mut self, state: TradingState, who: Actor, why: &str, outcome: &mut Outcome) {
        let rank = |state| match state {
            TradingState::Active => 0,
            TradingState::Reducing => 1,
            TradingState::Halted => 2,
        };
        let is_laxer = rank(state) < rank(self.book.state);
        debug_assert!(!is_laxer || who == Actor::Person, "only a person makes trading laxer");
        if is_laxer && who != Actor::Person {
            return;
        }
        let (at, wall, why) = (self.market.now(), self.wall, why.to_owned());
        self.record(Record::Trading(TradingRecord::StateChanged { state, who, why, at, wall }), outcome);
        if state != TradingState::Active {
            // What waits to open would trade into the very fall that held trading.
            self.withdraw_openings("trading is held", outcome);
            self.withdraw_unsent(outcome);
            self.cancel_left(outcome);
        }
    }

    /// Withdraws every proposal that would open exposure.
    pub(super) fn withdraw_openings(&mut self, why: &str, outcome: &mut Outcome) {
        let opening: Vec<ProposalId> = self
            .book
            .proposals
            .values()
            .filter(|proposal| proposal.request.opens_exposure())
            .map(|proposal| proposal.id)
            .collect();
        for proposal in opening {
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why: why.to_owned() }), outcome);
        }
    }

    /// Computes proposals anew whose price has moved beyond tolerance.
    fn refresh_moved_proposals(&mut self, instrument: InstrumentId, last: Price, outcome: &mut Outcome) {
        if self.book.proposals.is_empty() {
            return;
        }
        let moved = self.book.proposals.values().any(|proposal| {
            proposal.request.instrument == instrument
                && last.change_from(proposal.reference).is_some_and(|change| change.nanos().abs() > proposal.tolerance.nanos())
        });
        if moved {
            self.refresh_proposals(instrument, outcome);
        }
    }
}
