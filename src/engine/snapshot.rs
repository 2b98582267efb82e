//! What the screen sees: an immutable picture of the engine, made at most thirty times a second.
//!
//! History is shared, never copied: bars, orders, signals and comments are behind shared pointers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::PositionSide;
use crate::domain::{
    Alert, BrokerKind, Capabilities, InstrumentId, MarketTime, Mode, Money, OrderId, OrderKind, OrderRequest, PositionId, Price,
    ProposalId, Protection, Quantity, QuoteOrigin, Ratio, RunId, SignalSource, TradingState, WallTime,
};
use crate::engine::history::Forming;
use crate::engine::{
    Activity, BarHistory, EconomyView, KillPhase, Looks, Proposal, SignalEntry, StandingView, StateReason, WhatIf,
};
use crate::orders::TrackedOrder;
use crate::portfolio::DayResult;
use crate::risk::{CheckResult, Gauge, Hold, TailView, Trip};
use crate::signals::{Commentary, Opinion, Scorecard};

/// What the screen wants to see beyond the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SnapshotRequest {
    /// The order whose preview is open.
    pub preview: Option<PreviewSubject>,
    /// Whether the tape stands still meanwhile: something about an order is being confirmed.
    #[serde(default)]
    pub holds: bool,
    /// The instrument a person looks at: the analyst speaks of it before others.
    #[serde(default)]
    pub focus: Option<InstrumentId>,
}

/// An order under a person's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreviewSubject {
    /// A waiting proposal.
    Proposal(ProposalId),
    /// A hand-written order.
    Request(OrderRequest),
    /// Another price or quantity for an order.
    Change {
        /// Which order.
        order: OrderId,
        /// Its new quantity.
        quantity: Quantity,
        /// Its new price.
        kind: OrderKind,
    },
    /// Exit levels for a position.
    Exits {
        /// Which position.
        position: PositionId,
        /// The levels.
        protection: Protection,
    },
}

/// One instrument's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuoteRow {
    /// Which.
    pub instrument: InstrumentId,
    /// Last price.
    pub last: Option<Price>,
    /// Best bid, where the source has one.
    pub bid: Option<Price>,
    /// Best ask, where the source has one.
    pub ask: Option<Price>,
    /// Change since the last close before this risk day; of a daily series, until its next bar opens, since the close before its last.
    pub change: Option<Ratio>,
    /// When the price was known.
    pub known_at: MarketTime,
    /// Whether it is stale.
    pub is_stale: bool,
    /// The share of its last expected bars that came whole and sound; nothing while few were seen.
    #[serde(default)]
    pub quality: Option<Ratio>,
    /// Whether that is below what the table of breakers trades on.
    #[serde(default)]
    pub is_poor: bool,
    /// Real, or drawn inside a bar.
    pub origin: Option<QuoteOrigin>,
    /// What the series carries.
    pub capabilities: Capabilities,
    /// All closed bars, shared.
    pub bars: BarHistory,
    /// The bar that is forming.
    pub forming: Option<Forming>,
}

/// One open position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionRow {
    /// Which.
    pub id: PositionId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Long or short.
    pub side: PositionSide,
    /// How much.
    pub quantity: Quantity,
    /// Average entry, derived.
    pub entry: Option<Price>,
    /// Last price.
    pub mark: Option<Price>,
    /// Signed value.
    pub value: Option<Money>,
    /// Open profit before closing costs.
    pub open_profit: Option<Money>,
    /// Open profit as a share of the basis.
    pub open_return: Option<Ratio>,
    /// Profit of closed parts.
    pub realised: Money,
    /// Exit levels.
    pub protection: Protection,
    /// When it was opened.
    pub opened_at: MarketTime,
}

/// A proposal with what the person must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProposalRow {
    /// The proposal.
    pub proposal: Proposal,
    /// The signal behind it, if still at hand.
    pub signal: Option<Arc<SignalEntry>>,
}

/// A latched breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRow {
    /// What tripped.
    pub trip: Trip,
    /// How it holds.
    pub hold: Hold,
    /// Whom it is about, in words that follow its name; empty for the account.
    pub about: String,
    /// When a person asked to let go of it before its time.
    #[serde(default)]
    pub unlock_asked: Option<WallTime>,
}

/// A source's record.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Whose.
    pub source: SignalSource,
    /// The record.
    pub card: Scorecard,
}

/// An order preview with every check as of now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderPreview {
    /// Which order.
    pub subject: PreviewSubject,
    /// The order.
    pub request: OrderRequest,
    /// Its proposal, where it has one.
    pub proposal: Option<ProposalRow>,
    /// Last price.
    pub last: Option<Price>,
    /// Value at the named or last price.
    pub notional: Option<Money>,
    /// Value as a share of equity.
    pub share_of_equity: Option<Ratio>,
    /// Cost and slippage of this side.
    pub estimated_cost: Option<Money>,
    /// Loss if the stop trades at its level.
    pub loss_at_stop: Option<Money>,
    /// Every check.
    pub checks: Vec<CheckResult>,
    /// Every gauge before and after the order; empty for a change of an order or of exits.
    #[serde(default)]
    pub what_if: WhatIf,
}

/// The account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Cash.
    pub cash: Money,
    /// Equity.
    pub equity: Money,
    /// What it began with.
    pub starting_capital: Money,
    /// Profit of closed trades, before costs.
    pub realised: Money,
    /// Costs so far.
    pub costs: Money,
    /// Open profit.
    pub open_profit: Money,
    /// Largest drawdown so far.
    pub max_drawdown: Ratio,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The run.
    pub run: RunId,
    /// The tape's name.
    pub tape: String,
    /// Market time.
    pub market_now: MarketTime,
    /// Wall time the engine last heard of.
    pub wall: WallTime,
    /// Market events consumed.
    pub consumed: u64,
    /// Whether the tape is warming up or running ahead.
    pub is_quiet: bool,
    /// Which broker the run trades with.
    pub broker: BrokerKind,
    /// Where orders may go.
    pub mode: Mode,
    /// Whether trading is allowed.
    pub state: TradingState,
    /// Why.
    pub reason: Option<StateReason>,
    /// How far the kill switch is.
    pub kill: KillPhase,
    /// When re-arming was asked for.
    pub rearm_requested: Option<WallTime>,
    /// Whether something is held that a person lets go by re-arming.
    #[serde(default)]
    pub needs_rearming: bool,
    /// Latched breakers, in the order in which they tripped.
    pub breakers: Vec<BreakerRow>,
    /// The account.
    pub account: AccountView,
    /// Quotes by instrument number.
    pub quotes: Vec<QuoteRow>,
    /// Open positions by number.
    pub positions: Vec<PositionRow>,
    /// Orders: open ones first, then the latest closed ones.
    pub orders: Vec<Arc<TrackedOrder>>,
    /// How many orders are open in all.
    pub open_orders: usize,
    /// Orders whose fate is unknown.
    pub unknown_orders: u32,
    /// Whether the broker's last answer held other positions than the ledger.
    pub positions_differ: bool,
    /// Proposals by number.
    pub proposals: Vec<ProposalRow>,
    /// Signals, newest first.
    pub signals: Vec<Arc<SignalEntry>>,
    /// Records by source.
    pub scores: Vec<ScoreRow>,
    /// How the account stands against the gates.
    #[serde(default)]
    pub standing: StandingView,
    /// How often each source was asked since the program started, and had no view.
    #[serde(default)]
    pub looks: Vec<(SignalSource, Looks)>,
    /// Gauges.
    pub gauges: Vec<Gauge>,
    /// What a day may cost the book, and how such estimates did; `None` where no breaker watches it.
    pub tail: Option<TailView>,
    /// Results by day, oldest first.
    pub days: Vec<DayResult>,
    /// Alerts, newest first.
    pub alerts: Vec<Alert>,
    /// Alerts nobody has seen.
    pub unacknowledged: usize,
    /// Comments, newest first.
    pub commentary: Vec<Arc<Commentary>>,
    /// What models think, newest first.
    #[serde(default)]
    pub opinions: Vec<Arc<Opinion>>,
    /// Economic series.
    #[serde(default)]
    pub economy: EconomyView,
    /// Activity, newest first.
    pub activity: Vec<Arc<Activity>>,
    /// The open preview.
    pub preview: Option<OrderPreview>,
}
