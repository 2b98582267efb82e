//! Everything that can wake the engine, as one closed enum.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Actor, BrokerReport, CleanText, DealId, Duration, FeedNote, InstrumentId, LedgerId, MarketEvent, MarketTime, Missed, Money,
    Observation, OrderId, OrderKind, OrderSide, PositionId, Price, ProposalId, Protection, Quantity, RunId, TimeInForce,
    WallTime, Watched,
};
use crate::engine::{EngineSettings, StateHash};
use crate::risk::{Acknowledged, RuleName, Subject};
use crate::signals::{Commentary, Opinion};

/// One event of the ordered stream.
#[expect(clippy::large_enum_variant, reason = "inputs are rare; an event is handed over by reference and never stored in bulk")]
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What a market says. Recorded as a position on a tape.
    Market(MarketEvent),
    /// Anything else. Recorded in the journal word for word.
    Input(Input),
}

/// A recorded input with the wall time at which it reached the engine: the engine's only clock for a person's and a wire's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// When, on the wall clock.
    pub wall: WallTime,
    /// What.
    pub body: InputBody,
}

/// The kinds of input.
#[expect(clippy::large_enum_variant, reason = "only the first input of a run is large; inputs are rare")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputBody {
    /// The life of the run itself.
    Run(RunInput),
    /// Somebody wants something.
    Command {
        /// Who.
        actor: Actor,
        /// What.
        command: Command,
    },
    /// A broker reports.
    Broker(BrokerReport),
    /// The analyst wrote something.
    Commentary(Commentary),
    /// A model has an opinion.
    Opinion(Opinion),
    /// A live feed fell silent about some instruments, or speaks of them again.
    Feed {
        /// Nothing is heard of them any more.
        silent: Vec<InstrumentId>,
        /// They are heard again.
        heard: Vec<InstrumentId>,
        /// Minutes that are missing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missed: Vec<Missed>,
    },
    /// Another provider of a live market serves some instruments from now on.
    Served {
        /// With what.
        what: ServedWhat,
        /// Which instruments.
        instruments: Vec<InstrumentId>,
        /// Who served before.
        from: String,
        /// Who serves now.
        to: String,
        /// Why, in words.
        why: String,
    },
    /// A live feed noted something about what it hears.
    Noted(FeedNote),
    /// Values of economic series were released.
    Published {
        /// The values.
        observations: Vec<Observation>,
    },
    /// The way to a remote broker was lost, or is there again.
    Link {
        /// How it stands.
        stands: LinkStands,
        /// In words.
        words: String,
    },
    /// A deadline the engine had asked for has passed.
    Timer,
}

/// What a provider serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedWhat {
    /// Prices.
    Quotes,
    /// Closed bars.
    Bars,
}

/// How the way to a remote broker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStands {
    /// Orders can go.
    Ready,
    /// Gone; it is tried again by itself.
    Down,
    /// Gone; only a person starts it again.
    NeedsPerson,
}

/// Which tape feeds a run, named by content so that a replay cannot use another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapeRef {
    /// Its name.
    pub name: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Seed of the quotes drawn inside bars.
    pub seed: u64,
}

/// The life of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunInput {
    /// A new run begins with a fresh account.
    Opened {
        /// Its number.
        run: RunId,
        /// The ledger it is kept in.
        ledger: LedgerId,
        /// The tape.
        tape: TapeRef,
        /// Starting capital.
        capital: Money,
        /// Program version.
        version: String,
        /// The settings that decisions depend on.
        settings: EngineSettings,
        /// First order number that is free in this ledger.
        first_order: OrderId,
        /// First number of a trade that is free in this ledger.
        first_deal: DealId,
        /// Until then the tape is only warming up: no proposals, comments or price alerts.
        quiet_until: MarketTime,
    },
    /// The process was started again on an unfinished run.
    Resumed {
        /// Program version.
        version: String,
        /// Whether the last process ended cleanly.
        was_clean: WasClean,
        /// The settings from now on.
        settings: EngineSettings,
    },
    /// The state at this point, so that a replay has something to be held against.
    Checkpoint {
        /// Hash of the whole state.
        state: StateHash,
    },
    /// A person has changed gates since the ledger's last run. When is the input's own time.
    GatesChanged {
        /// Who.
        by: Actor,
        /// The run that recorded the old ones.
        since: RunId,
        /// Each gate that differs.
        changes: Vec<GateChange>,
    },
    /// A run that providers feed is to have other instruments from now on.
    InstrumentsChanged {
        /// Who wants it.
        by: Actor,
        /// These are to be watched, each with all that is known of it.
        joins: Vec<Watched>,
        /// These are not to be watched any more.
        leaves: Vec<InstrumentId>,
    },
    /// The process is about to end in order.
    Suspended,
    /// A part of the runtime failed; trading stops.
    Failed {
        /// What, in one sentence.
        what: String,
    },
}

/// A gate that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateChange {
    /// The setting.
    pub key: String,
    /// Its value before.
    pub was: String,
    /// Its value now.
    pub is: String,
}

/// How the process before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WasClean {
    /// In order.
    Yes,
    /// Killed or crashed.
    No,
}

/// What was on the screen when a person confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The last price shown.
    pub price: Option<Price>,
    /// The quantity shown.
    pub quantity: Quantity,
}

/// A hand-written order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: OrderSide,
    /// How much.
    pub quantity: Quantity,
    /// At what price.
    pub kind: OrderKind,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Exit levels.
    pub protection: Protection,
}

/// What somebody wants, in the imperative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Let orders go to the broker of this run: the paper exchange, or a demo account.
    ArmPaper,
    /// Send nothing any more.
    Disarm,
    /// Send the order of a proposal.
    ConfirmProposal {
        /// Which.
        proposal: ProposalId,
        /// The revision on the screen; another one is refused.
        revision: u32,
        /// What was on the screen.
        seen: Seen,
    },
    /// Drop a proposal.
    DeclineProposal {
        /// Which.
        proposal: ProposalId,
    },
    /// Send a hand-written order.
    PlaceOrder {
        /// The order.
        ticket: Ticket,
        /// What was typed beyond the confirm key.
        acknowledged: Acknowledged,
        /// What was on the screen.
        seen: Seen,
    },
    /// Change a working order.
    ModifyOrder {
        /// Which.
        order: OrderId,
        /// New quantity.
        quantity: Quantity,
        /// New price.
        kind: OrderKind,
    },
    /// Take a working order out of the market.
    CancelOrder {
        /// Which.
        order: OrderId,
    },
    /// Close a position at the next price.
    ClosePosition {
        /// Which.
        position: PositionId,
        /// How much; all of it where `None`.
        quantity: Option<Quantity>,
    },
    /// Set the exit levels of a position.
    ProtectPosition {
        /// Which.
        position: PositionId,
        /// The levels; none removes the leg.
        protection: Protection,
    },
    /// The kill switch: halt, and cancel everything that could open exposure.
    Kill {
        /// Why, in a word or two.
        why: String,
    },
    /// After the kill switch: close every position at the next price.
    Flatten,
    /// First step of re-arming after a halt or a breaker.
    RequestRearm,
    /// Second step, within a minute of the first.
    ConfirmRearm,
    /// Take no new orders in an instrument, or in the account, for so much market time.
    Lock {
        /// Which.
        subject: Subject,
        /// How long from now.
        time: Duration,
        /// Why.
        why: CleanText,
    },
    /// Let go of a timed lock before its time: the same is asked twice, within a minute.
    Unlock {
        /// Whose row of the table, or a person's own.
        rule: RuleName,
        /// Whom it acts on.
        subject: Subject,
        /// Why.
        why: CleanText,
    },
    /// First step to the next stage of the account.
    RequestStageUp,
    /// Second step, within a minute of the first.
    ConfirmStageUp,
    /// Mark one alert as seen.
    AcknowledgeAlert {
        /// Its number.
        alert: crate::domain::AlertId,
    },
    /// Mark all alerts as seen.
    AcknowledgeAll,
    /// Begin the paper account anew; refused while anything is open.
    ResetPaper {
        /// New capital.
        capital: Money,
    },
    /// The tape is about to run ahead to this instant.
    JumpTo {
        /// Where it stops.
        until: MarketTime,
    },
}
