//! What is to be done once the decision is durable.

use crate::domain::{Order, OrderId, OrderKind, Origin, PositionId, Protection, ProtectiveReason, Quantity};
use crate::exchange::LegIds;
use crate::risk::Approved;
use crate::signals::Facts;

/// One effect. The runtime carries it out only after the records of the same outcome are durable.
#[derive(Debug)]
pub enum Effect {
    /// Write the order to the broker, once.
    Submit(Approved<Order>),
    /// Ask the broker to cancel.
    Cancel(OrderId),
    /// Do not write the order if it still waits for its turn on the wire.
    Withdraw(OrderId),
    /// Ask the broker to change a working order.
    Modify {
        /// Which.
        order: OrderId,
        /// New quantity.
        quantity: Quantity,
        /// New price.
        kind: OrderKind,
    },
    /// Ask the broker to set a position's exit levels.
    Protect {
        /// Which position.
        position: PositionId,
        /// The levels.
        protection: Protection,
        /// Numbers for legs that do not exist yet.
        legs: LegIds,
    },
    /// Ask the broker what is open.
    QueryBroker,
    /// Ask the analyst for a comment. Lossy: may be dropped under load.
    Comment(Facts),
    /// Ask a model for its opinion. Lossy too.
    Opine(Facts),
}

impl Effect {
    /// Whether the kill switch may be behind it: a cancel, a close of its own, a question. None of these can open or double anything.
    pub fn is_of_kill(&self) -> bool {
        match self {
            Self::Submit(order) => order.get().request.origin == Origin::Protective(ProtectiveReason::KillSwitch),
            Self::Cancel(_) | Self::Withdraw(_) | Self::QueryBroker => true,
            Self::Modify { .. } | Self::Protect { .. } | Self::Comment(_) | Self::Opine(_) => false,
        }
    }

    /// Whether the effect reaches a broker and so must wait for durable records.
    pub const fn reaches_broker(&self) -> bool {
        match self {
            Self::Submit(_) | Self::Cancel(_) | Self::QueryBroker => true,
            Self::Modify { .. } | Self::Protect { .. } => true,
            // Taking back what has not left changes nothing at a broker, and must not be late.
            Self::Withdraw(_) | Self::Comment(_) | Self::Opine(_) => false,
        }
    }
}
