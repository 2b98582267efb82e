//! What a broker (the paper exchange is one) says about orders and positions.

use serde::{Deserialize, Serialize};

use crate::domain::{BrokerRef, CleanText, Fill, Order, OrderId, OrderKind, PositionId, Quantity, WallTime};

/// What is known of a change that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeFate {
    /// It was refused.
    #[default]
    Refused,
    /// Its answer was lost: the broker may have taken it.
    Unknown,
}

impl ChangeFate {
    const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

/// One fact from a broker. Reports are inputs: they are recorded and may arrive twice, late or out of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerReport {
    /// The order works at the broker under this number.
    Accepted {
        /// Which order.
        order: OrderId,
        /// Its number there.
        broker_ref: BrokerRef,
    },
    /// The broker refused the order; nothing happened.
    Rejected {
        /// Which order.
        order: OrderId,
        /// The broker's words.
        reason: CleanText,
    },
    /// The order never left: nothing happened, and nobody has refused it.
    NotSent {
        /// Which order.
        order: OrderId,
        /// Why.
        reason: CleanText,
    },
    /// The order was written, and nobody knows what came of it.
    ReplyLost {
        /// Which order.
        order: OrderId,
        /// What was seen of the loss.
        reason: CleanText,
    },
    /// A stop was touched and is now a market order.
    Triggered {
        /// Which order.
        order: OrderId,
    },
    /// A trade happened.
    Filled(Fill),
    /// The order is out of the market.
    Cancelled {
        /// Which order.
        order: OrderId,
        /// Why.
        reason: CleanText,
    },
    /// Its time ran out.
    Expired {
        /// Which order.
        order: OrderId,
    },
    /// The order now stands as given.
    Modified {
        /// Which order.
        order: OrderId,
        /// Its quantity now, filled part included.
        quantity: Quantity,
        /// Its price now.
        kind: OrderKind,
    },
    /// The order stands as it was, or nobody knows.
    ModifyRefused {
        /// Which order.
        order: OrderId,
        /// The broker's words.
        reason: CleanText,
        /// Whether that is certain.
        #[serde(default, skip_serializing_if = "ChangeFate::is_refused")]
        fate: ChangeFate,
    },
    /// The order could not be cancelled; it stands as it was.
    CancelRefused {
        /// Which order.
        order: OrderId,
        /// The broker's words.
        reason: CleanText,
    },
    /// A position's exits could not be set, or nobody knows whether they were; those that are known to work stay shown.
    ProtectRefused {
        /// Which position.
        position: PositionId,
        /// The broker's words.
        reason: CleanText,
    },
    /// An order that works at the broker without having been sent from here: a stop-loss or take-profit that travelled with an opening
    /// order, a close of the broker's own doing, or something opened elsewhere that is adopted.
    LegPlaced {
        /// The order; its number is made from the opening order's, or from the broker's.
        order: Order,
    },
    /// The answer to a query: everything open there.
    State(BrokerState),
}

/// Everything open at the broker at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BrokerState {
    /// Working orders, ascending.
    pub orders: Vec<OrderId>,
    /// Open positions, ascending.
    pub positions: Vec<(PositionId, Quantity)>,
    /// What the answer proves.
    #[serde(default)]
    pub evidence: Evidence,
}

/// What a broker's answer proves about what it does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The exchange of this process: what it does not hold does not exist.
    #[default]
    Authority,
    /// One complete answer over a wire: an absence counts once two answers, some time apart, agree on it.
    Snapshot {
        /// When it was asked for.
        began: WallTime,
    },
}
