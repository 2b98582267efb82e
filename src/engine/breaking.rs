//! Breakers at work: what trips, what follows from it, and how it lets go. The table is `risk/rules.rs`, what is latched `risk/breakers.rs`.

use crate::domain::{
    Actor, AlertTopic, Duration, InstrumentId, MarketTime, Origin, PositionId, PositionSide, ProtectiveReason, Quantity, Ratio,
    Severity, SignalSource, TradingState,
};
use crate::engine::judging::closing_request;
use crate::engine::record::{ProposalRecord, Record, TradingRecord};
use crate::engine::{Engine, Outcome};
use crate::orders::TrackedOrder;
use crate::risk::{Acknowledged, Action, Hold, Metric, Occasion, Rule, RuleName, Scope, Subject, TailRisk, Target, Trip, Unlock};

/// Closed orders looked at for a close that has just come to nothing.
const LATELY: usize = 64;

/// The part of a limit below which a plain quotient settles that it is not reached.
const CLEARLY_WITHIN: f64 = 0.999;

/// What may have moved a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// The value of the account, or the day.
    Equity,
    /// A bar of an instrument closed.
    Bar(InstrumentId),
    /// Something was reported or asked for.
    Input,
    /// Time passed.
    Time,
    /// A call of a source ended.
    Call(SignalSource),
    /// What is estimated when the day turns or a bar closes.
    Estimate,
}

impl Moved {
    const fn occasion(self) -> Occasion {
        match self {
            Self::Equity => Occasion::Equity,
            Self::Bar(_) => Occasion::Bar,
            Self::Input => Occasion::Input,
            Self::Time => Occasion::Time,
            Self::Call(_) => Occasion::Call,
            Self::Estimate => Occasion::Estimate,
        }
    }
}

/// A count as a ratio, for comparing with a limit.
fn count(number: u32) -> Option<Ratio> {
    Ratio::of(i128::from(number), 1)
}

impl Engine {
    /// Trips every breaker that is beyond its limit and not latched, of those whose value may have moved. Work per event does not grow.
    pub(super) fn trip_breakers(&mut self, moved: Moved, outcome: &mut Outcome) {
        let rules = self.settings.breakers.clone();
        for rule in rules.moved_by(moved.occasion()) {
            if let Some(trip) = self.tripped(rule, moved) {
                self.take_trip(trip, outcome);
            }
        }
    }

    fn tripped(&self, rule: &Rule, moved: Moved) -> Option<Trip> {
        let (of, subject) = match (moved, rule.scope) {
            (Moved::Bar(instrument), Scope::Instrument) => (moved, Subject::Instrument(instrument)),
            (Moved::Call(source), Scope::Source) => (moved, Subject::Source(source)),
            (_, Scope::Account) => (moved, Subject::Account),
            (_, Scope::Instrument | Scope::Source) => return None,
        };
        let limit = rule.limit.of(&self.settings.limits);
        if self.is_surely_within(rule, of, limit) {
            debug_assert!(self.measure(rule, of).is_none_or(|value| !rule.metric.is_beyond(value, limit)), "{rule:?}");
            return None;
        }
        let value = self.measure(rule, of)?;
        if !rule.metric.is_beyond(value, limit) || self.book.breakers.is_latched(&rule.name, subject) {
            return None;
        }
        Some(Trip {
            rule: rule.name.clone(),
            metric: Some(rule.metric),
            subject,
            value,
            limit,
            action: rule.action,
            unlock: rule.unlock,
            who: Actor::Engine,
            why: rule.reason.clone(),
            at: self.market.now(),
            wall: self.wall,
            targets: self.targets(rule.action, subject),
        })
    }

    /// Whether a value that most events move is within its limit by so much that it need not be known to the last digit.
    fn is_surely_within(&self, rule: &Rule, moved: Moved, limit: Ratio) -> bool {
        let performance = &self.book.performance;
        let rough = match (rule.metric, moved) {
            (Metric::Drawdown, _) => performance.rough_drawdown(),
            (Metric::DailyLoss, _) => performance.rough_daily_loss(),
            (Metric::WeeklyLoss, _) => performance.rough_weekly_loss(),
            (Metric::DataQuality, Moved::Bar(instrument)) if rule.scope == Scope::Instrument => {
                return self.book.quality.is_spotless(instrument) && limit <= Ratio::ONE;
            }
            // What is no higher than its median is no spike.
            (Metric::VolatilitySpike, Moved::Bar(instrument)) => {
                let series = self.market.get(instrument);
                return limit > Ratio::ZERO && series.is_some_and(|series| !series.is_livelier_than_usual());
            }
            _ => return false,
        };
        rough.is_some_and(|rough| rough < CLEARLY_WITHIN * limit.to_f64())
    }

    /// The value that a row is held against now; `None` where it is undefined, or says nothing while the tape warms up.
    fn measure(&self, rule: &Rule, moved: Moved) -> Option<Ratio> {
        let (performance, streaks) = (&self.book.performance, &self.book.streaks);
        match rule.metric {
            Metric::Drawdown => performance.drawdown(),
            Metric::DailyLoss => performance.daily_loss(),
            Metric::WeeklyLoss => performance.weekly_loss(),
            Metric::AccountVolatility => performance.volatility(),
            Metric::LosingStreak => count(streaks.losses()),
            Metric::RejectStreak => count(streaks.rejects()),
            Metric::UnknownOrders => count(self.book.orders.unknown()),
            Metric::StaleData => count(self.stale_holdings()),
            Metric::Slippage => streaks.slippage(rule.window?),
            Metric::Latency => streaks.latency(rule.window?),
            Metric::ValueAtRisk => self.of_tail(TailRisk::value_at_risk),
            Metric::ExpectedShortfall => self.of_tail(TailRisk::expected_shortfall),
            // What history did while it was only warming up is nobody's to act on.
            Metric::CorrelationBreakdown => {
                self.market.correlation_shift().filter(|_| !self.is_warming_up()).and_then(Ratio::from_f64)
            }
            Metric::DataQuality if self.is_warming_up() => None,
            Metric::DataQuality => match (rule.scope, moved) {
                (Scope::Instrument, Moved::Bar(instrument)) => self.book.quality.of(instrument),
                (Scope::Instrument | Scope::Account | Scope::Source, _) => self.book.quality.of_all(),
            },
            Metric::VolatilitySpike => {
                let Moved::Bar(instrument) = moved else { return None };
                // Where nothing is held it matters only to what might be opened: not while history warms up, not to the account.
                let matters = self.holds(instrument) || (rule.scope == Scope::Instrument && !self.is_warming_up());
                self.market
                    .get(instrument)
                    .filter(|_| matters)
                    .and_then(|series| series.volatility_spike())
                    .and_then(Ratio::from_f64)
            }
            Metric::ModelDecay => {
                let Moved::Call(source) = moved else { return None };
                let window = rule.window.filter(|_| !self.is_warming_up())?;
                streaks.right_at_most(source, window).and_then(Ratio::from_f64)
            }
            Metric::CallsRight => {
                let Moved::Call(source) = moved else { return None };
                self.right_lately((rule.scope == Scope::Source).then_some(source), rule.window?).filter(|_| !self.is_warming_up())
            }
        }
    }

    /// The share of the calls of so many days that were right, of one source or of all together; `None` below 30 calls.
    pub(super) fn right_lately(&self, source: Option<SignalSource>, days: u32) -> Option<Ratio> {
        let days = Duration::seconds(86_400 * i64::from(days));
        self.book.streaks.right_since(source, MarketTime(self.market.now().0.saturating_sub(days.0)))
    }

    fn holds(&self, instrument: InstrumentId) -> bool {
        let holds = |side| self.book.valuation.holds(instrument, side);
        holds(PositionSide::Long) || holds(PositionSide::Short)
    }

    /// Held instruments whose price is too old to trade on.
    pub(super) fn stale_holdings(&self) -> u32 {
        let stale = self.market.iter().filter(|series| self.holds(series.instrument) && self.is_stale(series));
        u32::try_from(stale.count()).unwrap_or(u32::MAX)
    }

    /// The value that a gauge shows for a row: the worst of all that it watches.
    pub(super) fn gauged(&self, rule: &Rule) -> Option<Ratio> {
        match rule.metric {
            Metric::VolatilitySpike => {
                let held = self.book.ledger.positions().values().map(|position| Moved::Bar(position.instrument));
                held.filter_map(|moved| self.measure(rule, moved)).max()
            }
            Metric::CallsRight => {
                self.book.streaks.dated_sources().filter_map(|source| self.measure(rule, Moved::Call(source))).min()
            }
            Metric::ModelDecay => self.book.streaks.sources().filter_map(|source| self.measure(rule, Moved::Call(source))).min(),
            Metric::Drawdown | Metric::DailyLoss | Metric::WeeklyLoss | Metric::AccountVolatility => {
                self.measure(rule, Moved::Equity)
            }
            Metric::LosingStreak | Metric::RejectStreak | Metric::UnknownOrders => self.measure(rule, Moved::Input),
            Metric::StaleData | Metric::Slippage | Metric::Latency => self.measure(rule, Moved::Input),
            Metric::ValueAtRisk | Metric::ExpectedShortfall | Metric::CorrelationBreakdown => self.measure(rule, Moved::Estimate),
            Metric::DataQuality if rule.scope == Scope::Instrument && !self.is_warming_up() => self.book.quality.lowest(),
            Metric::DataQuality => self.measure(rule, Moved::Input),
        }
    }

    /// What may be left of each position that a cut acts on: what is closed is rounded up to whole lots.
    fn targets(&self, action: Action, subject: Subject) -> Vec<Target> {
        let Action::Reduce(share) = action else { return Vec::new() };
        let is_meant = |instrument: InstrumentId| subject == Subject::Account || subject == Subject::Instrument(instrument);
        let positions = self.book.ledger.positions().values().filter(|position| is_meant(position.instrument));
        let target = |position: &crate::domain::Position| {
            let lot = self.instruments.get(position.instrument).map_or(1, |known| known.lot.nanos().max(1));
            let whole = i128::from(position.quantity.nanos());
            let share = whole * i128::from(share.nanos()) / i128::from(Ratio::ONE.nanos());
            let lots = (share + i128::from(lot) - 1) / i128::from(lot);
            let left = (whole - lots * i128::from(lot)).max(0);
            Target { position: position.id, at_most: Quantity::from_nanos(i64::try_from(left).unwrap_or(0)) }
        };
        positions.map(target).collect()
    }

    fn take_trip(&mut self, trip: Trip, outcome: &mut Outcome) {
        self.record(Record::Trading(TradingRecord::BreakerTripped(trip.clone())), outcome);
        let (about, instrument) = self.about(trip.subject);
        let text = format!("breaker {}{about}: {}; {}", trip.rule.words(), trip.numbers(), trip.action.words());
        let severity = if trip.action == Action::Warn { Severity::Warning } else { Severity::Critical };
        // A breaker of something that nobody holds stands in the activity log; an alert would ask for a person who has nothing to do.
        // Live data that cannot be trusted is a person's to look into, held or not.
        let is_live = |instrument| self.market.get(instrument).is_some_and(|series| !series.has_end());
        let is_data = trip.metric == Some(Metric::DataQuality);
        if instrument.is_none_or(|instrument| self.holds(instrument) || (is_data && is_live(instrument))) {
            self.raise(severity, AlertTopic::Risk, instrument, text.clone(), outcome);
        }
        let holds_account = match (trip.action, trip.subject) {
            (Action::Reducing, _) | (Action::Reduce(_) | Action::Close, Subject::Account) => Some(TradingState::Reducing),
            (Action::Halt, _) => Some(TradingState::Halted),
            (Action::Warn | Action::Block | Action::Reduce(_) | Action::Close, _) => None,
        };
        match holds_account {
            Some(TradingState::Reducing) if self.book.state != TradingState::Active => {}
            Some(state) if state == self.book.state => {}
            Some(state) => self.change_state(state, Actor::Engine, &text, outcome),
            None => self.withdraw_blocked(outcome),
        }
        self.cut_positions(outcome);
    }

    /// What a trip is about, in words to follow the breaker's name.
    pub(super) fn about(&self, subject: Subject) -> (String, Option<InstrumentId>) {
        match subject {
            Subject::Account => (String::new(), None),
            Subject::Instrument(id) => (format!(" of {}", self.instruments.symbol(id)), Some(id)),
            Subject::Source(source) => (format!(" of {}", source.word()), None),
        }
    }

    /// Withdraws proposals to open what a breaker refuses by now.
    pub(super) fn withdraw_blocked(&mut self, outcome: &mut Outcome) {
        let waiting = self.book.proposals.values().filter(|proposal| proposal.request.opens_exposure());
        let held: Vec<_> = waiting
            .filter_map(|proposal| {
                let trip = self.blocking(proposal.request.instrument, &proposal.request.origin)?;
                Some((proposal.id, format!("the breaker {} holds it", trip.rule.words())))
            })
            .collect();
        for (proposal, why) in held {
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why }), outcome);
        }
    }

    /// The breaker that refuses an opening order of this origin, if there is one.
    pub(super) fn blocking(&self, instrument: InstrumentId, origin: &Origin) -> Option<&Trip> {
        let source = match origin {
            Origin::Proposal { signal, .. } => {
                self.book.signals.iter().rev().find(|entry| entry.signal.id == *signal).map(|entry| entry.signal.view.source)
            }
            Origin::Ticket | Origin::Protective(_) | Origin::External => None,
        };
        self.book.breakers.blocking(instrument, source)
    }

    /// Sends what is still to be closed for breakers that cut. What came to nothing is sent again at a later market time, until nothing
    /// is left above what they allow; while trading is HALTED or read-only nothing is.
    pub(super) fn cut_positions(&mut self, outcome: &mut Outcome) {
        let may_send = self.book.mode != crate::domain::Mode::ReadOnly && self.book.state != TradingState::Halted;
        if !may_send || !self.book.breakers.cuts() {
            return;
        }
        let now = self.market.now();
        let orders = &self.book.orders;
        let closes = |tracked: &TrackedOrder, id: PositionId| {
            // Stops and targets wait for their price; they are no answer to a breaker.
            tracked.order.request.closes == Some(id) && (!tracked.order.request.origin.is_protective() || is_cut(tracked))
        };
        let is_on_its_way = |id: PositionId| {
            let mut lately = orders.closed_newest_first().take(LATELY).filter(|tracked| tracked.order.created_at >= now);
            orders.open().values().any(|tracked| closes(tracked, id)) || lately.any(|tracked| closes(tracked, id))
        };
        let takes = |id: InstrumentId| {
            let may_trade = self.instruments.get(id).is_some_and(|known| known.tradable);
            may_trade && self.market.get(id).is_some_and(|series| series.can_fill(now))
        };
        let mut wishes = Vec::new();
        for position in self.book.ledger.positions().values().filter(|position| takes(position.instrument)) {
            let Some(at_most) = self.book.breakers.allowance(position.id, position.instrument) else { continue };
            let Ok(surplus) = position.quantity.minus(at_most) else { continue };
            if surplus.is_positive() && !is_on_its_way(position.id) {
                wishes.push(closing_request(position, surplus, Origin::Protective(ProtectiveReason::Breaker)));
            }
        }
        for request in wishes {
            self.place(Actor::Engine, request, Acknowledged::Nothing, None, outcome);
        }
    }

    /// Lets go of what has run out: timed locks at any time, the others at a turn of the risk day once their value is back within. What
    /// only a person lets go stays. The trading state stays as it is: only a person re-arms.
    pub(super) fn release_breakers(&mut self, is_new_day: bool, outcome: &mut Outcome) {
        let book = &self.book;
        let now = self.market.now();
        let is_over = |trip: &Trip| match (trip.unlock, trip.ends_at()) {
            (_, Some(end)) => now >= end,
            (Unlock::Person, None) if book.breakers.hold(trip) != Hold::Overruled => false,
            (Unlock::Person | Unlock::Day | Unlock::After(_), None) => is_new_day && !self.is_still_beyond(trip),
        };
        let over = book.breakers.latched().iter().filter(|trip| is_over(trip));
        let over: Vec<(RuleName, Subject)> = over.map(|trip| (trip.rule.clone(), trip.subject)).collect();
        for (rule, subject) in over {
            self.record(Record::Trading(TradingRecord::BreakerReleased { rule, subject, who: Actor::Engine }), outcome);
        }
    }

    /// Whether a latched breaker would trip again at once. A drawdown has to fall below the lowest of its lines, the warning; what counts
    /// in a row begins anew; and a row that is gone from the table holds nothing.
    fn is_still_beyond(&self, trip: &Trip) -> bool {
        let Some(rule) = self.settings.breakers.get(&trip.rule).filter(|rule| !rule.metric.is_streak()) else { return false };
        let moved = match trip.subject {
            Subject::Account => return self.gauged(rule).is_some_and(|value| rule.metric.is_beyond(value, self.line_of(rule))),
            Subject::Instrument(instrument) => Moved::Bar(instrument),
            Subject::Source(source) => Moved::Call(source),
        };
        self.measure(rule, moved).is_some_and(|value| rule.metric.is_beyond(value, self.line_of(rule)))
    }

    /// The value below which a breaker counts as recovered.
    fn line_of(&self, rule: &Rule) -> Ratio {
        let limits = &self.settings.limits;
        let own = rule.limit.of(limits);
        if rule.metric != Metric::Drawdown {
            return own;
        }
        let same = self.settings.breakers.iter().filter(|other| other.metric == rule.metric);
        same.map(|other| other.limit.of(limits)).min().unwrap_or(own)
    }

    /// A breaker whose timed lock keeps trading from being armed again, if there is one; a person's own lock holds no more than it says.
    pub(super) fn timed_lock(&self) -> Option<&Trip> {
        let holds = |trip: &&Trip| trip.action != Action::Warn && !trip.yields_to_person() && !trip.rule.is_own_lock();
        self.book.breakers.acting().find(holds)
    }

    /// The second step of re-arming reaches breakers too: those whose value is back within let go, the others have no effect any more.
    pub(super) fn overrule_breakers(&mut self, who: Actor, outcome: &mut Outcome) {
        let held = self.book.breakers.acting().filter(|trip| trip.yields_to_person() && trip.action != Action::Warn);
        let held: Vec<(RuleName, Subject, bool)> =
            held.map(|trip| (trip.rule.clone(), trip.subject, self.is_still_beyond(trip))).collect();
        for (rule, subject, is_beyond) in held {
            let record = if is_beyond {
                TradingRecord::BreakerOverruled { rule, subject, who }
            } else {
                TradingRecord::BreakerReleased { rule, subject, who }
            };
            self.record(Record::Trading(record), outcome);
        }
    }
}

fn is_cut(tracked: &TrackedOrder) -> bool {
    matches!(tracked.order.request.origin, Origin::Protective(ProtectiveReason::Breaker | ProtectiveReason::KillSwitch))
}
