//! The book half of the state: a fold over records.
//!
//! Past 600 lines because every kind of record is applied here and nowhere else; what an order's records do comes out next. What orders on
//! their way are worth is in `on_order.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    AccountId, Actor, Alert, AlertId, Currency, DealId, Fill, InstrumentId, InstrumentTable, LedgerId, MarketTime, Mode, Money,
    OrderId, OrderKind, OrderSide, Origin, Outcome, PositionId, Price, ProposalId, Quantity, RunId, Severity, Signal, SignalId,
    SignalSource, TradingState, Validation, WallTime,
};
use crate::engine::doubts::Doubts;
use crate::engine::on_order::OnOrder;
use crate::engine::quality::DataQuality;
use crate::engine::record::{
    AlertRecord, Learns, OrderRecord, PortfolioRecord, ProposalRecord, Record, RunRecord, SignalRecord, StageRecord,
    TradingRecord,
};
use crate::engine::stages::Staged;
use crate::engine::standings::{Counts, Standings};
use crate::engine::streaks::Streaks;
use crate::engine::{Proposal, TapeRef, wording};
use crate::orders::{Confirmation, OpenState, OrderManager, OrderState, OrderStep, TrackedOrder};
use crate::portfolio::{Ledger, Performance, Valuation};
use crate::risk::{Breakers, Metric, RuleName, Subject, TailWatch, Trip};
use crate::signals::{Chances, Commentary, Economy, EndedCall, Lesson, Opinion, Scorecard, Traced, Tracker};

/// The one account of a paper run.
const ACCOUNT: AccountId = AccountId(1);
const KEPT_SIGNALS: usize = 400;
const KEPT_ALERTS: usize = 400;
const KEPT_COMMENTS: usize = 120;
const KEPT_OPINIONS: usize = 120;
const KEPT_ACTIVITY: usize = 300;

/// How far the kill switch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillPhase {
    /// Not fired, or re-armed since.
    #[default]
    Idle,
    /// Fired: waiting until every cancel is confirmed.
    Cancelling,
    /// Waiting until every position is closed.
    Flattening,
    /// Everything asked for is confirmed.
    Finished,
}

/// Why the trading state is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReason {
    /// Who set it.
    pub who: Actor,
    /// Why.
    pub why: String,
    /// When, in market time.
    pub at: MarketTime,
    /// When, on the wall clock.
    pub wall: WallTime,
}

/// A signal with its verdicts and, later, its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalEntry {
    /// The signal.
    pub signal: Signal,
    /// The verdicts.
    pub validation: Validation,
    /// What came of it, once its horizon has ended.
    pub outcome: Option<Outcome>,
}

/// One line of the activity log: what was done, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its number; the screen shows what is new since the last one it knows.
    pub number: u64,
    /// When, in market time.
    pub at: MarketTime,
    /// How loud.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
}

/// Everything that is decided rather than observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Book {
    pub(super) run: RunId,
    pub(super) ledger_id: LedgerId,
    pub(super) tape: Option<TapeRef>,
    pub(super) quiet_until: MarketTime,
    /// Until when history only warms up, which running ahead does not change. Follows from the records.
    #[serde(skip)]
    pub(super) warm_until: MarketTime,
    pub(super) mode: Mode,
    pub(super) state: TradingState,
    pub(super) reason: Option<StateReason>,
    pub(super) kill: KillPhase,
    pub(super) rearm_requested: Option<WallTime>,
    pub(super) breakers: Breakers,
    #[serde(default, skip_serializing_if = "Streaks::is_empty")]
    pub(super) streaks: Streaks,
    #[serde(default, skip_serializing_if = "TailWatch::is_empty")]
    pub(super) tail: TailWatch,
    #[serde(default, skip_serializing_if = "DataQuality::is_empty")]
    pub(super) quality: DataQuality,
    /// Whether positions changed since the book's tail was estimated; follows from the records, so it is no part of the state's text.
    #[serde(skip)]
    pub(super) has_traded: bool,
    pub(super) orders: OrderManager,
    pub(super) on_order: OnOrder,
    /// Terms that a broker was asked for and has not answered about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) asked: BTreeMap<OrderId, (Quantity, OrderKind)>,
    pub(super) ledger: Ledger,
    pub(super) valuation: Valuation,
    pub(super) performance: Performance,
    pub(super) trades_today: u32,
    pub(super) signals: VecDeque<Arc<SignalEntry>>,
    pub(super) scorecards: BTreeMap<SignalSource, Scorecard>,
    /// Whether outcomes are learnt from.
    #[serde(default, skip_serializing_if = "Learns::is_no")]
    pub(super) learns: Learns,
    #[serde(default, skip_serializing_if = "Chances::is_empty")]
    pub(super) chances: Chances,
    #[serde(default, skip_serializing_if = "Standings::is_empty")]
    pub(super) standings: Standings,
    #[serde(skip)]
    pub(super) counts: Counts,
    /// The account's stage; nothing where the whole account counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) staged: Option<Staged>,
    pub(super) tracker: Tracker,
    pub(super) proposals: BTreeMap<ProposalId, Proposal>,
    pub(super) position_signals: BTreeMap<PositionId, SignalId>,
    pub(super) alerts: VecDeque<Alert>,
    pub(super) commentary: VecDeque<Arc<Commentary>>,
    /// What models think; only pictures read it.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) opinions: VecDeque<Arc<Opinion>>,
    pub(super) activity: VecDeque<Arc<Activity>>,
    #[serde(default, skip_serializing_if = "Doubts::is_empty")]
    pub(super) doubts: Doubts,
    /// What economic series say.
    #[serde(default, skip_serializing_if = "Economy::is_empty")]
    pub(super) economy: Economy,
    /// Instruments a live feed is silent about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) silent: BTreeSet<InstrumentId>,
    /// The run's first order number; it follows from the first record, so it is no part of the state's text.
    #[serde(skip)]
    first_order: OrderId,
    pub(super) next_order: OrderId,
    pub(super) next_signal: SignalId,
    pub(super) next_proposal: ProposalId,
    pub(super) next_alert: AlertId,
    pub(super) next_deal: DealId,
    next_activity: u64,
}

fn lesson(signal: SignalId, call: &EndedCall, outcome: &Outcome) -> Lesson {
    let (strength, is_right, earned) = (call.strength.to_f64(), call.is_right(outcome), outcome.net_return.to_f64());
    Lesson { signal, made: call.made, ended: outcome.at, strength, is_right, earned }
}

fn push_bounded<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    ring.push_back(item);
    if ring.len() > most {
        ring.pop_front();
    }
}

impl Default for Book {
    fn default() -> Self {
        let nothing = Money::zero(Currency::USD);
        Self {
            run: RunId(0),
            ledger_id: LedgerId(0),
            tape: None,
            quiet_until: MarketTime(i64::MIN),
            warm_until: MarketTime(i64::MIN),
            mode: Mode::ReadOnly,
            state: TradingState::Active,
            reason: None,
            kill: KillPhase::Idle,
            rearm_requested: None,
            breakers: Breakers::default(),
            streaks: Streaks::default(),
            tail: TailWatch::default(),
            quality: DataQuality::default(),
            has_traded: false,
            orders: OrderManager::default(),
            on_order: OnOrder::default(),
            asked: BTreeMap::new(),
            ledger: Ledger::new(ACCOUNT, nothing),
            valuation: Valuation::default(),
            performance: Performance::new(nothing),
            trades_today: 0,
            signals: VecDeque::new(),
            scorecards: BTreeMap::new(),
            learns: Learns::No,
            chances: Chances::default(),
            standings: Standings::default(),
            counts: Counts::default(),
            staged: None,
            tracker: Tracker::default(),
            proposals: BTreeMap::new(),
            position_signals: BTreeMap::new(),
            alerts: VecDeque::new(),
            commentary: VecDeque::new(),
            opinions: VecDeque::new(),
            activity: VecDeque::new(),
            doubts: Doubts::default(),
            economy: Economy::default(),
            silent: BTreeSet::new(),
            first_order: OrderId(1),
            next_order: OrderId(1),
            next_signal: SignalId(1),
            next_proposal: ProposalId(1),
            next_alert: AlertId(1),
            next_deal: DealId(1),
            next_activity: 1,
        }
    }
}

impl Book {
    /// The run.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The ledger's number, part of every order mark.
    pub const fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// Where orders may go.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether trading is allowed.
    pub const fn state(&self) -> TradingState {
        self.state
    }

    /// Why.
    pub const fn reason(&self) -> Option<&StateReason> {
        self.reason.as_ref()
    }

    /// How far the kill switch is.
    pub const fn kill(&self) -> KillPhase {
        self.kill
    }

    /// The tape this run plays.
    pub const fn tape(&self) -> Option<&TapeRef> {
        self.tape.as_ref()
    }

    /// Up to this market time the tape warms up or runs ahead.
    pub const fn quiet_until(&self) -> MarketTime {
        self.quiet_until
    }

    /// Orders.
    pub const fn orders(&self) -> &OrderManager {
        &self.orders
    }

    /// Cash and positions.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Values of positions.
    pub const fn valuation(&self) -> &Valuation {
        &self.valuation
    }

    /// Equity over time.
    pub const fn performance(&self) -> &Performance {
        &self.performance
    }

    /// Latched breakers.
    pub const fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// Whether anything is held that a person lets go by re-arming: the trading state, or a breaker that waits for a person.
    pub fn needs_rearming(&self) -> bool {
        self.state != TradingState::Active || self.breakers.waits_for_person()
    }

    /// Opening orders sent in this risk day.
    pub const fn trades_today(&self) -> u32 {
        self.trades_today
    }

    /// Proposals that wait.
    pub const fn proposals(&self) -> &BTreeMap<ProposalId, Proposal> {
        &self.proposals
    }

    /// Latest signals, oldest first.
    pub const fn signals(&self) -> &VecDeque<Arc<SignalEntry>> {
        &self.signals
    }

    /// What economic series say.
    pub const fn economy(&self) -> &Economy {
        &self.economy
    }

    /// Latest alerts, oldest first.
    pub const fn alerts(&self) -> &VecDeque<Alert> {
        &self.alerts
    }

    /// The next number a broker's trade gets in paper trading.
    pub const fn next_deal(&self) -> DealId {
        self.next_deal
    }

    /// The run's first order number.
    pub const fn first_order(&self) -> OrderId {
        self.first_order
    }

    /// The next free order number.
    pub const fn next_order(&self) -> OrderId {
        self.next_order
    }

    /// Applies one record. Total: an impossible record changes nothing.
    pub(super) fn apply(&mut self, record: &Record, now: MarketTime, instruments: &InstrumentTable) {
        let said = wording::describe(record, self, instruments);
        match record {
            Record::Run(record) => self.apply_run(record),
            Record::Trading(record) => self.apply_trading(record),
            Record::Signal(record) => self.apply_signal(record),
            Record::Proposal(record) => self.apply_proposal(record),
            Record::Order(record) => self.apply_order(record, now),
            Record::Portfolio(record) => self.apply_portfolio(record, now),
            Record::Alert(record) => self.apply_alert(record),
            Record::Commentary(comment) => push_bounded(&mut self.commentary, Arc::new(comment.clone()), KEPT_COMMENTS),
            Record::Opinion(opinion) => push_bounded(&mut self.opinions, Arc::new(opinion.clone()), KEPT_OPINIONS),
            Record::Published { observations } => self.publish(observations),
        }
        if let Some((severity, text)) = said {
            let line = Activity { number: self.next_activity, at: now, severity, text };
            self.next_activity += 1;
            push_bounded(&mut self.activity, Arc::new(line), KEPT_ACTIVITY);
        }
    }

    fn apply_run(&mut self, record: &RunRecord) {
        match record {
            RunRecord::Opened { run, ledger, tape, capital, first_order, first_deal, quiet_until, learns } => {
                (self.run, self.ledger_id, self.quiet_until, self.learns) = (*run, *ledger, *quiet_until, *learns);
                self.warm_until = *quiet_until;
                self.tape = Some(tape.clone());
                (self.first_order, self.next_order, self.next_deal) = (*first_order, *first_order, *first_deal);
                self.begin_account(*capital);
            }
            RunRecord::Resumed { learns, .. } => {
                self.learns = *learns;
                if let Some(staged) = &mut self.staged {
                    staged.asked = None;
                }
                self.breakers.forget_unlock();
                self.mode = Mode::ReadOnly;
                self.rearm_requested = None;
            }
            RunRecord::Jumped { until } => self.quiet_until = *until,
            RunRecord::InstrumentsChanged { left, .. } => {
                for id in left {
                    self.silent.remove(id);
                    self.quality.forget(*id);
                    self.tracker.forget(*id);
                }
            }
        }
    }

    fn begin_account(&mut self, capital: Money) {
        self.ledger = Ledger::new(ACCOUNT, capital);
        self.performance = Performance::new(capital);
        self.valuation.clear_holdings();
        self.breakers = Breakers::default();
        self.streaks = Streaks::default();
        self.standings.begin_account();
        self.counts = Counts::default();
        self.tail = TailWatch::default();
        self.position_signals.clear();
        self.trades_today = 0;
    }

    fn apply_trading(&mut self, record: &TradingRecord) {
        match record {
            TradingRecord::ModeChanged { mode, .. } => self.mode = *mode,
            TradingRecord::StateChanged { state, who, why, at, wall } => {
                self.state = *state;
                self.reason = Some(StateReason { who: *who, why: why.clone(), at: *at, wall: *wall });
                self.rearm_requested = None;
                self.kill = match (state, who) {
                    (TradingState::Halted, Actor::Person | Actor::Outside) => KillPhase::Cancelling,
                    (TradingState::Halted, Actor::Engine | Actor::Watchdog) => self.kill,
                    (TradingState::Active | TradingState::Reducing, _) => KillPhase::Idle,
                };
            }
            TradingRecord::BreakerTripped(trip) => self.breakers.latch(trip.clone()),
            TradingRecord::BreakerReleased { rule, subject, .. } => self.release_breaker(rule, *subject),
            TradingRecord::BreakerOverruled { rule, subject, .. } => self.breakers.overrule(rule, *subject),
            TradingRecord::UnlockAsked { rule, subject, wall, .. } => self.breakers.ask_to_unlock(rule, *subject, *wall),
            TradingRecord::UnlockLapsed => self.breakers.forget_unlock(),
            TradingRecord::RearmRequested { wall } => self.rearm_requested = Some(*wall),
            TradingRecord::FeedChanged { silent, heard } => {
                self.silent.extend(silent);
                self.silent.retain(|instrument| !heard.contains(instrument));
            }
            TradingRecord::BarsMissing { instrument, bars } => self.quality.miss(*instrument, *bars),
            TradingRecord::MinuteFlawed { instrument, lost, .. } => self.quality.flaw(*instrument, *lost),
            TradingRecord::RearmLapsed => self.rearm_requested = None,
            TradingRecord::PositionsDiffer { since } => self.doubts.positions_differ = *since,
            TradingRecord::Stage(record) => self.apply_stage(record),
            TradingRecord::FlattenAsked => self.kill = KillPhase::Flattening,
            TradingRecord::KillFinished => self.kill = KillPhase::Finished,
        }
    }

    fn apply_stage(&mut self, record: &StageRecord) {
        if let StageRecord::Entered { stage, at, .. } = record {
            self.staged = stage.map(|stage| Staged::begin(stage, *at));
        }
        let Some(staged) = &mut self.staged else { return };
        match record {
            StageRecord::Entered { .. } => {}
            StageRecord::Offered { .. } => staged.is_offered = true,
            StageRecord::Closed { .. } => (staged.is_offered, staged.asked) = (false, None),
            StageRecord::Asked { wall } => staged.asked = Some(*wall),
            StageRecord::Lapsed => staged.asked = None,
        }
    }

    /// What was counted in a row begins anew when its breaker lets go.
    fn release_breaker(&mut self, rule: &RuleName, subject: Subject) {
        match self.breakers.release(rule, subject) {
            Some(Trip { metric: Some(Metric::LosingStreak), .. }) => self.streaks.forget_losses(),
            Some(Trip { metric: Some(Metric::RejectStreak), .. }) => self.streaks.accept(),
            Some(Trip { metric: Some(Metric::ModelDecay), subject: Subject::Source(source), .. }) => {
                self.streaks.forget_calls(Some(source));
            }
            Some(Trip { metric: Some(Metric::ModelDecay), .. }) => self.streaks.forget_calls(None),
            Some(Trip { metric: Some(Metric::CallsRight), subject: Subject::Source(source), .. }) => {
                self.streaks.forget_dated(Some(source));
            }
            Some(Trip { metric: Some(Metric::CallsRight), .. }) => self.streaks.forget_dated(None),
            Some(Trip { metric: Some(Metric::Slippage), .. }) => self.streaks.forget_slips(),
            Some(Trip { metric: Some(Metric::Latency), .. }) => self.streaks.forget_waits(),
            Some(_) | None => {}
        }
    }

    fn apply_signal(&mut self, record: &SignalRecord) {
        match record {
            SignalRecord::Judged { signal, validation } => {
                self.next_signal = SignalId(signal.id.0 + 1);
                if signal.view.as_of >= self.warm_until {
                    self.counts.judged += 1;
                    self.counts.passed += u64::from(validation.passed());
                }
                let traced = Traced { strength: signal.view.strength, has_passed: validation.passed() };
                self.tracker.follow(signal, (self.learns == Learns::Yes).then_some(traced));
                let entry = SignalEntry { signal: signal.clone(), validation: validation.clone(), outcome: None };
                push_bounded(&mut self.signals, Arc::new(entry), KEPT_SIGNALS);
            }
            SignalRecord::Resolved { signal, source, outcome, is_right, since, call } => {
                let known = || self.signals.iter().rev().find(|entry| entry.signal.id == *signal);
                let since = since.or_else(|| known().map(|entry| entry.signal.view.as_of)).unwrap_or(outcome.at);
                self.scorecards.entry(*source).or_default().add(outcome.net_return, since, outcome.at);
                if let Some(call) = call {
                    self.chances.add(*source, lesson(*signal, call, outcome));
                    // The gates ask what a backtest's ask: of what the layers kept, since history has warmed up.
                    if is_right.is_some() && call.has_passed {
                        self.standings.add(*source, call.counted(outcome));
                        if let Some(staged) = &mut self.staged {
                            staged.add(call.counted(outcome));
                        }
                    }
                }
                if let Some(is_right) = is_right {
                    self.streaks.end_call(*source, *is_right);
                    if call.is_some() {
                        self.streaks.date_call(*source, outcome.at, *is_right);
                    }
                }
                if let Some(entry) = self.signals.iter_mut().rev().find(|entry| entry.signal.id == *signal) {
                    Arc::make_mut(entry).outcome = Some(*outcome);
                }
            }
        }
    }

    fn apply_proposal(&mut self, record: &ProposalRecord) {
        match record {
            ProposalRecord::Made(proposal) => {
                self.next_proposal = self.next_proposal.max(ProposalId(proposal.id.0 + 1));
                self.proposals.insert(proposal.id, proposal.clone());
            }
            ProposalRecord::Confirmed { proposal, order } => {
                if let Some(made) = self.proposals.remove(proposal)
                    && made.request.opens_exposure()
                {
                    self.position_signals.insert(PositionId(order.0), made.signal);
                }
            }
            ProposalRecord::Declined { proposal } => {
                // Who declines a close holds the position for reasons of their own.
                if let Some(position) = self.proposals.remove(proposal).and_then(|made| made.request.closes) {
                    self.position_signals.remove(&position);
                }
            }
            ProposalRecord::Withdrawn { proposal, .. } => {
                self.proposals.remove(proposal);
            }
        }
    }

    fn apply_order(&mut self, record: &OrderRecord, now: MarketTime) {
        match record {
            OrderRecord::Confirmed { order, who, wall, .. } => {
                let opens = order.request.opens_exposure();
                self.next_order = OrderId(order.id.0 + if opens { 3 } else { 1 });
                self.trades_today += u32::from(opens);
                self.orders.insert(*order, OrderState::Confirmed, now);
                self.orders.set_confirmation(order.id, Confirmation { who: *who, wall: *wall });
                self.note_on_order(order.id);
            }
            OrderRecord::Stepped { order, step, at, note, waited, to: _ } => {
                if let Some(waited) = waited {
                    self.streaks.wait(*waited);
                }
                self.take_step(*order, *step, *at, note);
            }
            OrderRecord::Numbered { order, broker_ref } => self.orders.set_broker_ref(*order, *broker_ref),
            OrderRecord::LegPlaced { order } => {
                self.orders.insert(*order, OrderState::Open(OpenState::Working), now);
            }
            OrderRecord::ChangeAsked { order, quantity, kind } => {
                self.ask_change(*order, (*quantity, *kind));
            }
            OrderRecord::TermsChanged { order, quantity, kind } => {
                self.asked.remove(order);
                self.orders.set_terms(*order, *quantity, *kind);
                self.note_on_order(*order);
            }
            OrderRecord::NumbersTaken { next } => self.next_order = *next,
            OrderRecord::ReplyLost { order, wall } => self.doubts.lose(*order, *wall),
            OrderRecord::Missed { order, began } => self.doubts.miss(*order, *began),
            OrderRecord::Refused { .. } | OrderRecord::Contradicted { .. } => {}
        }
    }

    fn take_step(&mut self, order: OrderId, step: OrderStep, at: MarketTime, note: &str) {
        match step {
            OrderStep::Reject => self.streaks.reject(),
            OrderStep::Accept | OrderStep::FillPart | OrderStep::FillAll => self.streaks.accept(),
            OrderStep::Send | OrderStep::Trigger | OrderStep::AskModify | OrderStep::Modify | OrderStep::RefuseModify => {}
            OrderStep::AskCancel | OrderStep::Cancel | OrderStep::RefuseCancel | OrderStep::Expire => {}
            OrderStep::LoseReply | OrderStep::FindUnsent | OrderStep::Reappear | OrderStep::ProveAbsent => {}
        }
        let taken = self.orders.step(order, step, at, note);
        debug_assert!(taken.is_ok(), "a recorded step was legal when it was decided: {taken:?}");
        if taken.is_ok_and(OrderState::is_closed) || matches!(step, OrderStep::Accept | OrderStep::Reappear) {
            self.doubts.settle(order);
        }
        let is_unfilled = |tracked: &TrackedOrder| tracked.state.is_closed() && !tracked.filled.is_positive();
        if self.orders.get(order).is_some_and(|tracked| is_unfilled(tracked)) {
            self.position_signals.remove(&PositionId(order.0));
        }
        if step == OrderStep::RefuseModify || self.orders.get(order).is_none_or(|tracked| tracked.state.is_closed()) {
            self.asked.remove(&order);
        }
        self.note_on_order(order);
    }

    fn apply_portfolio(&mut self, record: &PortfolioRecord, now: MarketTime) {
        match record {
            PortfolioRecord::Filled { fill, protection, position, .. } => self.apply_fill(fill, *protection, position),
            PortfolioRecord::FillContradicted { .. } => {}
            PortfolioRecord::Protected { position, protection } => self.ledger.protect(*position, *protection),
            PortfolioRecord::Reset { capital } => {
                self.begin_account(*capital);
                self.performance.advance(now);
            }
        }
    }

    /// How much worse than its reference a market order traded that a person confirmed. What protects takes whatever price there is.
    fn note_slippage(&mut self, fill: &Fill) {
        let Some(order) = self.orders.get(fill.order).map(|tracked| tracked.order) else { return };
        let origin = order.request.origin;
        let is_market = order.request.kind == OrderKind::Market && !origin.is_protective() && origin != Origin::External;
        let Some(change) = order.reference.filter(|_| is_market).and_then(|reference| fill.price.change_from(reference)) else {
            return;
        };
        self.streaks.slip(match fill.side {
            OrderSide::Buy => change,
            OrderSide::Sell => change.negated(),
        });
    }

    fn apply_fill(&mut self, fill: &Fill, protection: crate::domain::Protection, after: &crate::domain::Position) {
        let Ok(result) = self.ledger.apply(fill, protection) else { return };
        self.next_deal = self.next_deal.max(DealId(fill.deal.0 + 1));
        self.note_slippage(fill);
        if let Ok(value) = Money::notional(fill.price, fill.quantity, self.ledger.currency()) {
            self.orders.add_fill(fill.order, fill.quantity, value);
            self.note_on_order(fill.order);
        }
        if self.valuation.last(fill.instrument).is_none() {
            self.valuation.mark(fill.instrument, fill.price);
        }
        self.valuation.reposition(fill.instrument, &self.ledger);
        self.has_traded = true;
        if result.closed {
            self.position_signals.remove(&fill.position);
            self.counts.round_trips += 1;
            self.streaks.end_trip(after.realised.nanos() < after.costs.nanos());
        }
        self.revalue();
    }

    /// Takes the equity anew after a price or a fill.
    pub(super) fn revalue(&mut self) {
        if let Ok(equity) = self.valuation.equity(&self.ledger) {
            self.performance.observe(equity);
        }
    }

    /// Takes a price. Returns whether the value of the book changed.
    pub(super) fn mark(&mut self, instrument: InstrumentId, price: Price) -> bool {
        let changed = self.valuation.mark(instrument, price);
        if changed {
            self.revalue();
        }
        changed
    }

    /// Notices a new risk day.
    pub(super) fn turn_day(&mut self, now: MarketTime) -> bool {
        let turned = self.performance.advance(now);
        if turned {
            self.trades_today = 0;
        }
        turned
    }

    fn apply_alert(&mut self, record: &AlertRecord) {
        match record {
            AlertRecord::Raised(alert) => {
                self.next_alert = AlertId(alert.id.0 + 1);
                push_bounded(&mut self.alerts, alert.clone(), KEPT_ALERTS);
            }
            AlertRecord::Acknowledged { from, to } => {
                for alert in self.alerts.iter_mut().filter(|alert| (*from..=*to).contains(&alert.id)) {
                    alert.acknowledged = true;
                }
            }
        }
    }
}
