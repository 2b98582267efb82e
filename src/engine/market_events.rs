//! What follows from a market event: breakers, outcomes, new signals, comments, price alerts.

use crate::domain::{Actor, Alert, AlertTopic, Bar, InstrumentId, MarketEvent, Price, ProposalId, Severity, TradingState};
use crate::engine::core::Noticed;
use crate::engine::kill::Again;
use crate::engine::record::{AlertRecord, ProposalRecord, Record, SignalRecord, TradingRecord};
use crate::engine::{Effect, Engine, KillPhase, Outcome};
use crate::risk::{BreakerKind, Trip};
use crate::signals::Facts;

/// Deviations of a bar's move from which the analyst is asked for a comment.
const COMMENT_DEVIATIONS: f64 = 1.5;

impl Engine {
    pub(super) fn decide_on_market(&mut self, event: &MarketEvent, noticed: Noticed, outcome: &mut Outcome) {
        if noticed.new_day {
            self.release_recovered_breakers(outcome);
        }
        if noticed.equity_changed || noticed.new_day {
            self.trip_breakers(outcome);
        }
        for resolved in noticed.resolved {
            let (signal, source) = (resolved.signal, resolved.source);
            self.record(Record::Signal(SignalRecord::Resolved { signal, source, outcome: resolved.outcome }), outcome);
            self.withdraw_opening_of(signal, outcome);
        }
        if self.book.kill == KillPhase::Flattening && !matches!(event, MarketEvent::Quoted { .. }) {
            self.advance_kill(Again::Later, outcome);
        }
        match event {
            MarketEvent::Quoted { quote, .. } => self.refresh_moved_proposals(quote.instrument, quote.last, outcome),
            MarketEvent::BarOpened { instrument, open, .. } => self.refresh_moved_proposals(*instrument, *open, outcome),
            MarketEvent::BarClosed { bar, .. } => self.decide_on_bar(bar, outcome),
        }
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
        let Some(facts) = self.facts(bar.instrument) else { return };
        let threshold = self.settings.alert_deviations.to_f64();
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

    fn trip_breakers(&mut self, outcome: &mut Outcome) {
        let limits = self.settings.limits;
        let trips: Vec<Trip> = self.book.breakers.newly_tripped(&self.book.performance, &limits).collect();
        for trip in trips {
            self.record(Record::Trading(TradingRecord::BreakerTripped(trip)), outcome);
            let severity = if trip.forces.is_some() { Severity::Critical } else { Severity::Warning };
            let text = format!("{}: {:.2} % reached {:.2} %", trip.kind.words(), trip.value, trip.limit);
            self.raise(severity, AlertTopic::Risk, None, text.clone(), outcome);
            if trip.forces == Some(TradingState::Reducing) && self.book.state == TradingState::Active {
                self.change_state(TradingState::Reducing, Actor::Engine, &text, outcome);
            }
        }
    }

    /// A day's breaker ends with the day, a week's with the week, the others when the account has recovered below their line.
    /// The trading state stays as it is: only a person re-arms.
    fn release_recovered_breakers(&mut self, outcome: &mut Outcome) {
        let performance = &self.book.performance;
        let limits = &self.settings.limits;
        let over = |value: Option<crate::domain::Ratio>, limit| value.is_some_and(|value| value >= limit);
        let mut released = Vec::new();
        for trip in self.book.breakers.latched() {
            let still = match trip.kind {
                BreakerKind::DailyLoss => over(performance.daily_loss(), limits.daily_loss),
                BreakerKind::WeeklyLoss => over(performance.weekly_loss(), limits.weekly_loss),
                BreakerKind::DrawdownWarning => over(performance.drawdown(), limits.drawdown_warn),
                BreakerKind::Drawdown => over(performance.drawdown(), limits.drawdown_warn),
                BreakerKind::VolatilityWarning => over(performance.volatility(), limits.volatility_warn),
            };
            if !still {
                released.push(trip.kind);
            }
        }
        for kind in released {
            self.record(Record::Trading(TradingRecord::BreakerReleased { kind }), outcome);
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
