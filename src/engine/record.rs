//! What was decided, in the past tense. One nested enum per room, so that no list becomes everybody's.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Actor, Alert, AlertId, BrokerRef, DealId, Duration, Fill, InstrumentId, LedgerId, MarketTime, Mode, Money, Observation,
    Order, OrderId, OrderKind, OrderRequest, Position, PositionId, ProposalId, Protection, Quantity, RunId, Signal, SignalId,
    SignalSource, Stage, TradingState, Validation, WallTime, Watched,
};
use crate::engine::event::{Seen, TapeRef, WasClean};
use crate::engine::{Proposal, Shown};
use crate::orders::{OrderState, OrderStep};
use crate::risk::{Refusal, RuleName, Subject, Trip};
use crate::signals::{Commentary, EndedCall, Opinion};

/// A decision. Applying all of them in order gives the book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// About the run.
    Run(RunRecord),
    /// About mode, trading state, breakers and the kill switch.
    Trading(TradingRecord),
    /// About signals.
    Signal(SignalRecord),
    /// About proposals.
    Proposal(ProposalRecord),
    /// About orders.
    Order(OrderRecord),
    /// About cash and positions.
    Portfolio(PortfolioRecord),
    /// About alerts.
    Alert(AlertRecord),
    /// The analyst's words.
    Commentary(Commentary),
    /// A model's opinion.
    Opinion(Opinion),
    /// Values of economic series that were not known.
    Published {
        /// The values.
        observations: Vec<Observation>,
    },
}

/// About the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunRecord {
    /// A run began.
    Opened {
        /// Its number.
        run: RunId,
        /// The ledger.
        ledger: LedgerId,
        /// The tape.
        tape: TapeRef,
        /// Starting capital.
        capital: Money,
        /// First free order number.
        first_order: OrderId,
        /// First free number of a trade.
        first_deal: DealId,
        /// End of the warm-up.
        quiet_until: MarketTime,
        /// Whether chances are learnt.
        #[serde(default, skip_serializing_if = "Learns::is_no")]
        learns: Learns,
    },
    /// A process took the run up again.
    Resumed {
        /// How the one before ended.
        was_clean: WasClean,
        /// When.
        wall: WallTime,
        /// Whether chances are learnt from now on.
        #[serde(default, skip_serializing_if = "Learns::is_no")]
        learns: Learns,
    },
    /// The tape runs ahead.
    Jumped {
        /// Where to.
        until: MarketTime,
    },
    /// The run has other instruments from now on.
    InstrumentsChanged {
        /// Who wanted it.
        by: Actor,
        /// These are watched, or are defined anew.
        joined: Vec<Watched>,
        /// These are not any more.
        left: Vec<InstrumentId>,
        /// Bars of what joined that closed by then are its history: nothing is decided on them. Nothing where the run itself begins.
        since: Option<MarketTime>,
    },
}

/// Whether a run learns chances from its outcomes. Runs of before that was possible recorded nothing, and go on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learns {
    /// Every chance is uncalibrated.
    #[default]
    No,
    /// A source with enough ended signals states calibrated chances.
    Yes,
}

impl Learns {
    /// Whether nothing is learnt.
    pub const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
}

/// About mode, trading state, breakers and the kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingRecord {
    /// Orders go elsewhere now.
    ModeChanged {
        /// Where to.
        mode: Mode,
        /// Who.
        who: Actor,
    },
    /// Trading is allowed, reduced or halted now.
    StateChanged {
        /// The new state.
        state: TradingState,
        /// Who.
        who: Actor,
        /// Why.
        why: String,
        /// When, in market time.
        at: MarketTime,
        /// When, on the wall clock.
        wall: WallTime,
    },
    /// A breaker latched.
    BreakerTripped(Trip),
    /// A breaker let go.
    BreakerReleased {
        /// Which row of the table; runs of before the table called it a kind.
        #[serde(alias = "kind")]
        rule: RuleName,
        /// Whom it acted on.
        #[serde(default)]
        subject: Subject,
        /// Who let go: the engine when it had run out, a person by re-arming.
        #[serde(default = "engine")]
        who: Actor,
    },
    /// A person re-armed while a breaker's value was still beyond its limit: it has no effect any more.
    BreakerOverruled {
        /// Which row of the table.
        rule: RuleName,
        /// Whom it acted on.
        subject: Subject,
        /// Who.
        who: Actor,
    },
    /// The first step to let go of a timed lock before its time.
    UnlockAsked {
        /// Which row of the table, or a person's own.
        rule: RuleName,
        /// Whom it acts on.
        subject: Subject,
        /// Who.
        who: Actor,
        /// Why.
        why: String,
        /// When, on the wall clock.
        wall: WallTime,
    },
    /// The second step to let go of a timed lock did not come in time.
    UnlockLapsed,
    /// The first step of re-arming.
    RearmRequested {
        /// When, on the wall clock.
        wall: WallTime,
    },
    /// The second step of re-arming did not come in time.
    RearmLapsed,
    /// The kill switch asks for flat.
    FlattenAsked,
    /// The kill switch is done.
    KillFinished,
    /// A live feed fell silent about some instruments, or speaks of them again.
    FeedChanged {
        /// Nothing is heard of them any more.
        silent: Vec<InstrumentId>,
        /// They are heard again.
        heard: Vec<InstrumentId>,
    },
    /// A live feed could not tell some bars of an instrument.
    BarsMissing {
        /// Whose.
        instrument: InstrumentId,
        /// How many.
        bars: u32,
    },
    /// In a minute something unsound was told of an instrument, by whoever serves it.
    MinuteFlawed {
        /// Whose.
        instrument: InstrumentId,
        /// How much of the minute is not to be trusted, in thousandths.
        lost: u16,
        /// What, in words.
        what: String,
    },
    /// Positions here and at the broker differ since then, or agree again.
    PositionsDiffer {
        /// When the first answer that differs was asked for.
        since: Option<WallTime>,
    },
    /// About the stages of the account.
    Stage(StageRecord),
}

/// About the stages of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageRecord {
    /// Another stage began, or stages were switched off.
    Entered {
        /// Which; nothing where the whole account counts.
        stage: Option<Stage>,
        /// Who.
        who: Actor,
        /// When, in market time: calls made from here on count.
        at: MarketTime,
        /// When, on the wall clock.
        wall: WallTime,
    },
    /// The gate to the next stage is passed.
    Offered {
        /// The next stage.
        next: Stage,
        /// The record that passed it.
        shown: Shown,
    },
    /// It is not passed any more.
    Closed {
        /// The next stage.
        next: Stage,
    },
    /// The first step of stepping up.
    Asked {
        /// When, on the wall clock.
        wall: WallTime,
    },
    /// The second step did not come in time.
    Lapsed,
}

const fn engine() -> Actor {
    Actor::Engine
}

/// About signals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalRecord {
    /// A view became a signal and was judged.
    Judged {
        /// The signal.
        signal: Signal,
        /// The verdicts.
        validation: Validation,
    },
    /// A horizon ended.
    Resolved {
        /// Which signal.
        signal: SignalId,
        /// Whose.
        source: SignalSource,
        /// What came of it.
        outcome: crate::domain::Outcome,
        /// Whether the price went its way, for the breaker that counts calls; nothing for a call of the warm-up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_right: Option<bool>,
        /// When the view was formed; nothing in journals from before that was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<MarketTime>,
        /// What is learnt from it; nothing in runs that learn nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<EndedCall>,
    },
}

/// About proposals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalRecord {
    /// A new one, or a new revision.
    Made(Proposal),
    /// A person confirmed it.
    Confirmed {
        /// Which.
        proposal: ProposalId,
        /// The order it became.
        order: OrderId,
    },
    /// A person dropped it.
    Declined {
        /// Which.
        proposal: ProposalId,
    },
    /// It lapsed, or its reason went away.
    Withdrawn {
        /// Which.
        proposal: ProposalId,
        /// Why.
        why: String,
    },
}

/// About orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderRecord {
    /// Approved and durable.
    Confirmed {
        /// The order.
        order: Order,
        /// Who confirmed it.
        who: Actor,
        /// When, on the wall clock.
        wall: WallTime,
        /// What was on the screen, where a person looked at one.
        seen: Option<Seen>,
    },
    /// Refused by a check.
    Refused {
        /// What was wanted.
        request: OrderRequest,
        /// Every check.
        refusal: Refusal,
    },
    /// An order took a step.
    Stepped {
        /// Which.
        order: OrderId,
        /// The step.
        step: OrderStep,
        /// Where the order stands after it.
        to: OrderState,
        /// When, in market time.
        at: MarketTime,
        /// More words, where there are any.
        note: String,
        /// Wall time since it was confirmed, where this is the broker's first answer to an order of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waited: Option<Duration>,
    },
    /// The broker's number is known.
    Numbered {
        /// Which.
        order: OrderId,
        /// The number.
        broker_ref: BrokerRef,
    },
    /// The broker placed a protective leg.
    LegPlaced {
        /// The leg.
        order: Order,
    },
    /// The broker is asked for a change: until its word limits count what asks for more.
    ChangeAsked {
        /// Which.
        order: OrderId,
        /// The quantity asked for.
        quantity: Quantity,
        /// The kind and price asked for.
        kind: OrderKind,
    },
    /// Price or quantity changed.
    TermsChanged {
        /// Which.
        order: OrderId,
        /// Quantity now.
        quantity: Quantity,
        /// Price now.
        kind: OrderKind,
    },
    /// It was written, and its reply was lost.
    ReplyLost {
        /// Which.
        order: OrderId,
        /// When, on the wall clock: an answer asked for before this proves nothing.
        wall: WallTime,
    },
    /// A complete answer of the broker did not name it, or named it again.
    Missed {
        /// Which.
        order: OrderId,
        /// When that answer was asked for; nothing when it was named again.
        began: Option<WallTime>,
    },
    /// A report did not fit the order's state.
    Contradicted {
        /// Which.
        order: OrderId,
        /// The state, where the order is known.
        state: Option<OrderState>,
        /// What was reported.
        step: OrderStep,
    },
    /// Numbers were given away for new legs.
    NumbersTaken {
        /// The next free number.
        next: OrderId,
    },
}

/// About cash and positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortfolioRecord {
    /// A trade changed cash and a position.
    Filled {
        /// The trade.
        fill: Fill,
        /// Exit levels of the position it opens.
        protection: Protection,
        /// The position after it; its quantity is zero when it is closed.
        position: Position,
        /// Cash after it.
        cash: Money,
    },
    /// A trade did not fit the ledger.
    FillContradicted {
        /// The trade.
        fill: Fill,
        /// Why not.
        why: String,
    },
    /// A position's exit levels changed.
    Protected {
        /// Which.
        position: PositionId,
        /// The levels.
        protection: Protection,
    },
    /// The account began anew.
    Reset {
        /// New capital.
        capital: Money,
    },
}

/// About alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertRecord {
    /// A new alert.
    Raised(Alert),
    /// Seen, up to and including this number.
    Acknowledged {
        /// The first seen.
        from: AlertId,
        /// The last seen.
        to: AlertId,
    },
}
