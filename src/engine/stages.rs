//! Account stages at work: how much equity counts, when the gate to the next stage is passed, and the step that a person takes.
//!
//! A stage caps what sizes and limits of *openings* count as equity. What is open stays, results are those of the whole account, and
//! breakers watch the whole account. No stage is entered without a person, and none on a record that another stage was entered with:
//! calls count from the moment in which the stage began.

use serde::{Deserialize, Serialize};

use crate::domain::{Actor, AlertTopic, MarketTime, Money, Ratio, Severity, Stage, WallTime};
use crate::engine::commands::REARM_WINDOW;
use crate::engine::record::{Record, StageRecord, TradingRecord};
use crate::engine::{Engine, Outcome};
use crate::signals::{CountedCall, GateVerdict, Standing, Tally};

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Staged {
    /// The stage.
    pub stage: Stage,
    /// Since when, in market time.
    pub since: MarketTime,
    /// Calls that were made since.
    pub tally: Tally,
    /// Whether the next stage is open.
    pub is_offered: bool,
    /// When a person asked for it.
    pub asked: Option<WallTime>,
}

/// A record of calls as the journal keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Calls right.
    pub right: u64,
    /// Of so many.
    pub of: u64,
    /// So many of them followed one another.
    pub independent: u64,
    /// The gate: more than this share.
    pub gate: Ratio,
    /// Lower end of the 95 % interval.
    pub low: Ratio,
    /// Upper end.
    pub high: Ratio,
    /// What takes no skill.
    pub base: Ratio,
}

impl Staged {
    /// An account that enters a stage.
    pub(super) fn begin(stage: Stage, since: MarketTime) -> Self {
        Self { stage, since, tally: Tally::default(), is_offered: false, asked: None }
    }

    /// Counts a call that was made at this stage: what was made with the bar at which it was entered was made before.
    pub(super) fn add(&mut self, call: CountedCall) {
        if call.made > self.since {
            self.tally.add(call);
        }
    }
}

impl Shown {
    /// A standing with an interval, in fixed point.
    fn of(standing: &Standing) -> Option<Self> {
        let (low, high) = standing.interval?;
        Some(Self {
            right: standing.right,
            of: standing.of,
            independent: standing.independent,
            gate: Ratio::from_f64(standing.limit)?,
            low: Ratio::from_f64(low)?,
            high: Ratio::from_f64(high)?,
            base: Ratio::from_f64(standing.base)?,
        })
    }

    /// The numbers in a sentence.
    pub fn words(&self) -> String {
        let share = Ratio::of(self.right.into(), self.of.into()).unwrap_or(Ratio::ZERO);
        format!(
            "{share:.1} % of {} calls right, {} of them one after the other, 95 % [{:.1}, {:.1}], above {:.0} % and above {:.1} % without skill",
            self.of, self.independent, self.low, self.high, self.gate, self.base
        )
    }
}

impl Engine {
    /// The equity that sizes and limits of openings count: at most the stage's capital, where stages are enforced.
    pub(super) fn counted_equity(&self) -> Money {
        let equity = self.book.performance.equity();
        let capital = self.book.staged.and_then(|staged| self.capital_of(staged.stage));
        capital.filter(|capital| capital.nanos() < equity.nanos()).unwrap_or(equity)
    }

    /// What counts at a stage; `None` where stages are not enforced.
    pub(super) fn capital_of(&self, stage: Stage) -> Option<Money> {
        let settings = self.settings.stages.as_ref()?;
        Money::whole(settings.capital(stage).into(), self.book.ledger.currency()).ok()
    }

    /// The share of calls that must be right now, to size a trade and to step up: that of the stage, the first one without stages.
    pub(super) fn gate_in_force(&self) -> Option<Ratio> {
        let stage = self.book.staged.map_or(Stage::First, |staged| staged.stage);
        self.settings.evidence.map(|gates| gates.of_stage(stage))
    }

    /// The account's calls at this stage held against its gate.
    pub(super) fn stage_standing(&self) -> Option<Standing> {
        Some(self.book.staged?.tally.against(self.gate_in_force()?.to_f64()))
    }

    /// A run begins or is taken up: stages are switched on or off with its settings.
    pub(super) fn switch_stages(&mut self, outcome: &mut Outcome) {
        let is_enforced = self.settings.stages.is_some();
        if is_enforced == self.book.staged.is_some() {
            return;
        }
        let stage = is_enforced.then_some(Stage::First);
        self.enter(stage, Actor::Person, outcome);
    }

    /// An account that begins anew begins at the first stage.
    pub(super) fn restart_stages(&mut self, who: Actor, outcome: &mut Outcome) {
        if self.book.staged.is_some() {
            self.enter(Some(Stage::First), who, outcome);
        }
    }

    fn enter(&mut self, stage: Option<Stage>, who: Actor, outcome: &mut Outcome) {
        let (at, wall) = (self.market.now(), self.wall);
        self.record(Record::Trading(TradingRecord::Stage(StageRecord::Entered { stage, who, at, wall })), outcome);
        // What waits was sized for another capital.
        self.withdraw_openings("another amount of capital counts now", outcome);
    }

    /// After a call has ended: the next stage opens, or is closed again.
    pub(super) fn judge_stage(&mut self, outcome: &mut Outcome) {
        let Some((staged, standing)) = self.book.staged.zip(self.stage_standing()) else { return };
        let Some(next) = staged.stage.next() else { return };
        let is_passed = standing.verdict() == GateVerdict::Pass;
        match (is_passed, staged.is_offered, Shown::of(&standing)) {
            (true, false, Some(shown)) => {
                self.record(Record::Trading(TradingRecord::Stage(StageRecord::Offered { next, shown })), outcome);
                let capital =
                    self.capital_of(next).map_or_else(String::new, |capital| format!(", {capital:.0} {}", capital.currency()));
                let text =
                    format!("{next} is open{capital}: {}; nothing changes until you take the step (`:stageup`)", shown.words());
                self.raise(Severity::Info, AlertTopic::Risk, None, text, outcome);
            }
            (false, true, _) => {
                self.record(Record::Trading(TradingRecord::Stage(StageRecord::Closed { next })), outcome);
            }
            (true, _, _) | (false, false, _) => {}
        }
    }

    /// The first step of stepping up.
    pub(super) fn request_stage_up(&mut self, outcome: &mut Outcome) {
        match self.refusal_to_step_up() {
            Some(text) => self.tell(text, outcome),
            None => {
                let wall = self.wall;
                self.record(Record::Trading(TradingRecord::Stage(StageRecord::Asked { wall })), outcome);
            }
        }
    }

    /// The second step: only a person's, in time, and while the gate is still passed.
    pub(super) fn confirm_stage_up(&mut self, who: Actor, outcome: &mut Outcome) {
        let asked = self.book.staged.and_then(|staged| staged.asked);
        let in_time = asked.is_some_and(|asked| self.wall < asked.plus(REARM_WINDOW));
        if who != Actor::Person || !in_time {
            return self.tell("not stepped up: ask first (`:stageup`) and confirm within 60 s".to_owned(), outcome);
        }
        if let Some(text) = self.refusal_to_step_up() {
            return self.tell(text, outcome);
        }
        let next = self.book.staged.and_then(|staged| staged.stage.next());
        self.enter(next, who, outcome);
    }

    /// Why there is no step up now.
    fn refusal_to_step_up(&self) -> Option<String> {
        let Some(staged) = self.book.staged else {
            return Some("stages are off: the whole account counts (`stages.enforced` in the settings)".to_owned());
        };
        let Some(next) = staged.stage.next() else {
            return Some(format!("{} is the last one", staged.stage));
        };
        if self.book.needs_rearming() {
            return Some("trading is held: re-arm it first (Shift+R)".to_owned());
        }
        if staged.is_offered {
            return None;
        }
        let standing = self.stage_standing();
        let verdict = standing.map_or(GateVerdict::NotProven, |standing| standing.verdict());
        let calls = standing.map_or(0, |standing| standing.of);
        Some(format!("{next} is not open: its gate is {} on {calls} calls of this stage", verdict.words()))
    }

    /// Lets the first step lapse that nobody followed.
    pub(super) fn lapse_stage_up(&mut self, outcome: &mut Outcome) {
        let asked = self.book.staged.and_then(|staged| staged.asked);
        if asked.is_some_and(|asked| self.wall >= asked.plus(REARM_WINDOW)) {
            self.record(Record::Trading(TradingRecord::Stage(StageRecord::Lapsed)), outcome);
        }
    }
}
