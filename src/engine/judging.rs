//! From a closed bar to a proposal: views, verdicts, size, and the proposal's later revisions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    AlertTopic, Bar, Direction, InstrumentId, Learnt, MarketTime, OrderKind, OrderRequest, OrderSide, Origin, Position,
    PositionId, PositionSide, Probability, ProposalId, Protection, Quantity, Ratio, RiskLevel, Severity, Signal, SignalId,
    SignalSource, TimeInForce, TradingState, Validation, View,
};
use crate::domain::{Duration, Money};
use crate::engine::record::{ProposalRecord, Record, SignalRecord};
use crate::engine::sizing::confidence;
use crate::engine::{Effect, Engine, Outcome, Proposal, Series, SignalEntry};
use crate::portfolio::Sized;
use crate::signals::{self, BookFacts, Case, Thought};
use crate::stats;

/// Bars of each series looked at for the correlation with the book, and how many closes both must share.
const CORRELATION_BARS: usize = 60;
const CORRELATION_LEAST: usize = 20;

/// What came of asking a strategy.
enum Asked {
    /// It has a view.
    Thinks(SignalSource, Thought),
    /// It was asked and has none.
    Abstains,
    /// It was not asked: a view of its own is running.
    NotNow,
}

/// How often a source was asked for a view on an instrument of which it had none running, since history had warmed up. Counted since the
/// engine began: it is no part of the state, and a restart begins anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// Times.
    pub asked: u64,
    /// Times it had none.
    pub abstained: u64,
    /// Times it failed to look.
    pub failed: u64,
}

impl Engine {
    /// How often each source was asked and had no view.
    pub fn looks(&self) -> impl Iterator<Item = (SignalSource, Looks)> + '_ {
        self.strategies.iter().zip(&self.looks).map(|(strategy, looks)| (strategy.source(), *looks))
    }

    fn count_look(&mut self, strategy: usize, count: impl FnOnce(&mut Looks)) {
        if self.is_warming_up() {
            return;
        }
        self.looks.resize(self.strategies.len(), Looks::default());
        if let Some(looks) = self.looks.get_mut(strategy) {
            looks.asked += 1;
            count(looks);
        }
    }

    /// Asks every strategy about an instrument whose bar has closed.
    pub(super) fn judge_views(&mut self, bar: &Bar, outcome: &mut Outcome) {
        let tradable = self.instruments.get(bar.instrument).is_some_and(|instrument| instrument.tradable);
        if !tradable {
            return;
        }
        for index in 0..self.strategies.len() {
            let thought = match self.ask(index, bar.instrument) {
                Ok(Asked::Thinks(source, thought)) => {
                    self.count_look(index, |_| {});
                    (source, thought)
                }
                Ok(Asked::Abstains) => {
                    self.count_look(index, |looks| looks.abstained += 1);
                    continue;
                }
                Ok(Asked::NotNow) => continue,
                Err((source, what)) => {
                    self.count_look(index, |looks| looks.failed += 1);
                    self.note_fault(source, &what, bar.instrument, outcome);
                    continue;
                }
            };
            if let Some((signal, validation)) = self.judge_one(thought, bar) {
                self.record(
                    Record::Signal(SignalRecord::Judged { signal: signal.clone(), validation: validation.clone() }),
                    outcome,
                );
                self.propose(&signal, &validation, outcome);
            }
        }
    }

    /// What a strategy thinks of an instrument about which it has no view running; why it could not look.
    fn ask(&self, strategy: usize, instrument: InstrumentId) -> Result<Asked, (SignalSource, String)> {
        let Some((strategy, series)) = self.strategies.get(strategy).zip(self.market.get(instrument)) else {
            return Ok(Asked::NotNow);
        };
        let source = strategy.source();
        if self.book.tracker.is_running(source, instrument) {
            return Ok(Asked::NotNow);
        }
        let thought = strategy.examine(&series.as_of()).map_err(|what| (source, what))?;
        Ok(thought.map_or(Asked::Abstains, |thought| Asked::Thinks(source, thought)))
    }

    /// A strategy that fails abstains: that is counted, and said the first, tenth, hundredth … time.
    fn note_fault(&mut self, source: SignalSource, what: &str, instrument: InstrumentId, outcome: &mut Outcome) {
        let count = self.faults.entry(source).or_default();
        *count += 1;
        let (times, is_said) = (*count, 10_u64.pow(count.ilog10()) == *count);
        if is_said {
            let often = if times == 1 { "for the first time".to_owned() } else { format!("for the {times}th time") };
            let text = format!("strategy {} failed {often} and has no view: {what}; all else goes on", source.word());
            self.raise(Severity::Warning, AlertTopic::Engine, Some(instrument), text, outcome);
        }
    }

    fn judge_one(&self, (source, thought): (SignalSource, Thought), bar: &Bar) -> Option<(Signal, Validation)> {
        let series = self.market.get(bar.instrument)?;
        let as_of = series.as_of();
        let strength = Ratio::from_f64(thought.strength)?;
        let (probability, learnt) = self.chance_of(source, strength, bar.close_at);
        let view = View {
            source,
            instrument: bar.instrument,
            direction: thought.direction,
            strength,
            horizon_bars: thought.horizon_bars,
            probability,
            as_of: bar.close_at,
            reference: bar.close,
            rationale: thought.rationale,
        };
        let risk = signals::risk_level(&as_of, series.bars_per_year()).unwrap_or(RiskLevel::Extreme);
        let signal = Signal { id: self.book.next_signal, view, risk, learnt };
        let validation = self.validate(&signal)?;
        Some((signal, validation))
    }

    /// The chance of a view made now, and what it rests on; uncalibrated before enough of its source's signals have ended.
    fn chance_of(&self, source: SignalSource, strength: Ratio, made: MarketTime) -> (Probability, Option<Learnt>) {
        let none = (Probability::Uncalibrated, None);
        if self.book.learns.is_no() {
            return none;
        }
        let Some(stated) = self.book.chances.state(source, strength.to_f64(), made) else { return none };
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let Some((chance, base)) = Ratio::from_f64(stated.chance).zip(Ratio::from_f64(stated.base)) else { return none };
        let learnt = Learnt {
            outcomes: number(stated.outcomes),
            independent: number(stated.independent),
            base,
            mean_right: stated.mean_right.and_then(Ratio::from_f64),
            mean_wrong: stated.mean_wrong.and_then(Ratio::from_f64),
        };
        (Probability::Calibrated(chance), Some(learnt))
    }

    /// What the layers say of a signal now.
    fn validate(&self, signal: &Signal) -> Option<Validation> {
        let view = &signal.view;
        let series = self.market.get(view.instrument)?;
        let record = self.book.scorecards.get(&view.source).copied().unwrap_or_default();
        let (as_of, book, gates) = (series.as_of(), self.book_facts(signal), &self.settings.gates);
        Some(signals::judge(&Case { view, as_of, bars_per_year: series.bars_per_year(), book, record, gates }))
    }

    fn book_facts(&self, signal: &Signal) -> BookFacts {
        let (view, equity) = (&signal.view, self.counted_equity());
        // The layers look at the largest trade that it could become: what they doubt makes it smaller.
        let trade_value = self
            .sized(signal, Ratio::ONE, view.reference)
            .and_then(|sized| Money::notional(view.reference, sized.quantity, equity.currency()).ok());
        let sector = self.sector_exposure(view.instrument);
        let with_trade = trade_value.and_then(|value| sector.plus(value).ok());
        BookFacts {
            sector_share: with_trade.and_then(|value| value.ratio_to(equity)),
            sector_limit: self.settings.limits.max_sector,
            correlation: self.correlation_with_book(view),
            is_held: self.book.ledger.positions().values().any(|position| position.instrument == view.instrument),
            trade_value,
            equity,
        }
    }

    /// The highest correlation with anything held; a position on the other side counts with its sign turned.
    fn correlation_with_book(&self, view: &View) -> Option<f64> {
        let ours = self.market.get(view.instrument)?;
        let with = |position: &Position| {
            let (ours, theirs) = common_returns(ours, self.market.get(position.instrument)?)?;
            let same_side = (view.direction == Direction::Long) == (position.side == PositionSide::Long);
            stats::correlation(&ours, &theirs).map(|value| if same_side { value } else { -value })
        };
        self.book.ledger.positions().values().filter_map(with).reduce(f64::max)
    }

    /// Turns a signal that passed into a proposal, if there is room and trading is allowed.
    fn propose(&mut self, signal: &Signal, validation: &Validation, outcome: &mut Outcome) {
        let waiting = u32::try_from(self.book.proposals.len()).unwrap_or(u32::MAX);
        let is_free = !self.book.proposals.values().any(|proposal| proposal.request.instrument == signal.view.instrument);
        let is_blocked = self.book.breakers.blocking(signal.view.instrument, Some(signal.view.source)).is_some();
        let open =
            self.book.state == TradingState::Active && waiting < self.settings.gates.max_proposals && is_free && !is_blocked;
        if self.is_quiet() || !validation.passed() || !open {
            return;
        }
        let id = self.book.next_proposal;
        if let Some((request, sized)) = self.opening_request(signal, validation, id) {
            self.make(id, 1, signal.id, (request, Some(sized)), outcome);
        }
    }

    fn opening_request(&self, signal: &Signal, validation: &Validation, proposal: ProposalId) -> Option<(OrderRequest, Sized)> {
        let view = &signal.view;
        let series = self.market.get(view.instrument)?;
        let price = series.last()?;
        let known = self.instruments.get(view.instrument)?;
        let protection = signals::exit_levels(view, &series.as_of(), &self.settings.gates, price, known.tick)?;
        let sized = self.sized(signal, confidence(validation), price)?;
        let request = OrderRequest {
            instrument: view.instrument,
            side: OrderSide::from(view.direction),
            quantity: sized.quantity,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection,
            closes: None,
            origin: Origin::Proposal { proposal, signal: signal.id },
        };
        Some((request, sized))
    }

    /// A signal whose horizon has ended opens nothing any more.
    pub(super) fn withdraw_opening_of(&mut self, signal: SignalId, outcome: &mut Outcome) {
        let opens = |proposal: &&Proposal| proposal.signal == signal && proposal.request.opens_exposure();
        if let Some(proposal) = self.book.proposals.values().find(opens).map(|proposal| proposal.id) {
            let why = "its horizon has ended".to_owned();
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why }), outcome);
        }
    }

    /// Proposes to close what is held of an instrument for a signal whose horizon has ended: the forecast's horizon is the holding time.
    /// A proposal that lapsed comes again with the next bar; one that a person declined does not.
    pub(super) fn propose_due_closes(&mut self, instrument: InstrumentId, outcome: &mut Outcome) {
        if self.book.state == TradingState::Halted || self.book.position_signals.is_empty() {
            return;
        }
        let is_over = |signal: &SignalId| {
            let entry = self.book.signals.iter().rev().find(|entry| entry.signal.id == *signal);
            entry.is_none_or(|entry| entry.outcome.is_some())
        };
        let waits = |position: PositionId| self.book.proposals.values().any(|made| made.request.closes == Some(position));
        let is_of = |position: &Position| position.instrument == instrument && !waits(position.id);
        let due: Vec<(SignalId, Position)> = self
            .book
            .position_signals
            .iter()
            .filter(|(_, signal)| is_over(signal))
            .filter_map(|(id, signal)| Some((*signal, self.book.ledger.position(*id).filter(|held| is_of(held))?.clone())))
            .collect();
        for (signal, position) in due {
            self.propose_close(signal, &position, outcome);
        }
    }

    fn propose_close(&mut self, signal: SignalId, position: &Position, outcome: &mut Outcome) {
        let id = self.book.next_proposal;
        let request = closing_request(position, position.quantity, Origin::Proposal { proposal: id, signal });
        self.make(id, 1, signal, (request, None), outcome);
    }

    fn make(
        &mut self,
        id: ProposalId,
        revision: u32,
        signal: SignalId,
        (request, sized): (OrderRequest, Option<Sized>),
        outcome: &mut Outcome,
    ) {
        let Some(reference) = self.market.get(request.instrument).and_then(|series| series.last()) else { return };
        let lifetime = Duration::seconds(i64::from(self.settings.gates.proposal_seconds));
        let before = self.book.proposals.get(&id).map(|proposal| proposal.expires);
        let proposal = Proposal {
            id,
            revision,
            signal,
            request,
            reference,
            tolerance: self.settings.confirm_tolerance,
            sizing: sized.map(|sized| sized.rule),
            not_sized: sized.and_then(|sized| sized.why),
            made_at: self.market.now(),
            expires: before.unwrap_or_else(|| self.wall.plus(lifetime)),
        };
        let asks = self.is_watched && proposal.revision == 1 && proposal.request.opens_exposure();
        outcome.effects.extend(self.facts(proposal.request.instrument).filter(|_| asks).map(Effect::Opine));
        self.record(Record::Proposal(ProposalRecord::Made(proposal)), outcome);
    }

    /// Computes the proposals of an instrument anew at the current price: a new revision, or withdrawal where there is nothing left to
    /// propose or a layer that passed the signal would refuse it by now.
    pub(super) fn refresh_proposals(&mut self, instrument: InstrumentId, outcome: &mut Outcome) {
        let of_instrument: Vec<Proposal> =
            self.book.proposals.values().filter(|proposal| proposal.request.instrument == instrument).cloned().collect();
        for proposal in of_instrument {
            let request = match proposal.request.closes {
                Some(position) => self
                    .book
                    .ledger
                    .position(position)
                    .map(|position| (closing_request(position, position.quantity, proposal.request.origin), None)),
                None => self.entry_of(proposal.signal).and_then(|entry| {
                    let opened = self.opening_request(&entry.signal, &entry.validation, proposal.id);
                    opened.map(|(request, sized)| (request, Some(sized)))
                }),
            };
            let refusal = self.refusal_by_now(&proposal);
            match request.filter(|_| refusal.is_none()) {
                Some(request) => {
                    self.make(proposal.id, proposal.revision + 1, proposal.signal, request, outcome);
                }
                None => {
                    let why = refusal.unwrap_or_else(|| "its position or its price is gone".to_owned());
                    self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal: proposal.id, why }), outcome);
                }
            }
        }
    }

    fn refusal_by_now(&self, proposal: &Proposal) -> Option<String> {
        let entry = self.entry_of(proposal.signal).filter(|_| proposal.request.opens_exposure())?;
        let validation = self.validate(&entry.signal)?;
        let failed = validation.first_failure()?;
        Some(format!("its signal would be refused by now ({}: {})", failed.layer.word(), failed.reason))
    }

    fn entry_of(&self, signal: SignalId) -> Option<&SignalEntry> {
        self.book.signals.iter().rev().find(|entry| entry.signal.id == signal).map(Arc::as_ref)
    }
}

/// Returns of two series between the closes they share: one trades on days on which the other does not. Daily bars are paired by the day of
/// their close, half sessions too, shorter ones by its instant.
fn common_returns(left: &Series, right: &Series) -> Option<(Vec<f64>, Vec<f64>)> {
    // Newest first, and of two with one key the later.
    let closes = |series: &Series| {
        let is_daily = series.is_daily();
        // A day that ends at midnight is the one before it.
        let key = |bar: &Bar| if is_daily { (bar.close_at.0 - 1).div_euclid(86_400_000_000_000) } else { bar.close_at.0 };
        let mut closes: Vec<(i64, f64)> = Vec::with_capacity(CORRELATION_BARS + 1);
        for bar in series.bars.iter().rev().take(CORRELATION_BARS + 1) {
            let key = key(bar);
            if closes.last().is_none_or(|(later, _)| *later > key) {
                closes.push((key, bar.close.to_f64()));
            }
        }
        closes
    };
    let (left, right) = (closes(left), closes(right));
    let mut others = right.iter().peekable();
    let (mut ours, mut theirs) = (Vec::with_capacity(left.len()), Vec::with_capacity(left.len()));
    for (key, close) in &left {
        while others.next_if(|(other, _)| other > key).is_some() {}
        if let Some((_, other)) = others.next_if(|(other, _)| other == key) {
            ours.push(*close);
            theirs.push(*other);
        }
    }
    if ours.len() <= CORRELATION_LEAST {
        return None;
    }
    ours.reverse();
    theirs.reverse();
    Some((stats::returns(&ours), stats::returns(&theirs)))
}

/// A market order that closes so much of a position.
pub(super) fn closing_request(position: &Position, quantity: Quantity, origin: Origin) -> OrderRequest {
    OrderRequest {
        instrument: position.instrument,
        side: position.side.closing(),
        quantity,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
        closes: Some(position.id),
        origin,
    }
}
