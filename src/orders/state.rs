//! States of an order and the steps between them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::Duration;

/// Two answers that prove an absence lie at least this far apart.
pub const APART: Duration = Duration::seconds(10);
/// The same for an order without a reply that would open something: while a broker keeps such a request pending it is in no list, and
/// whoever believed too soon that it never arrived would order twice.
pub const APART_TO_OPEN: Duration = Duration::seconds(60);

/// Where an order that works at the broker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenState {
    /// Accepted and waiting.
    Working,
    /// A touched stop on its way to a trade.
    Triggered,
    /// Some of it traded.
    PartiallyFilled,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Approved and durable; nothing has left.
    Confirmed,
    /// About to be written, or written, to the wire; durable before the first byte.
    Sending,
    /// Written, and nobody knows what came of it.
    Unknown,
    /// At the broker.
    Open(OpenState),
    /// A change was asked for; the state before is kept.
    PendingModify(OpenState),
    /// A cancel was asked for; the state before is kept.
    PendingCancel(OpenState),
    /// All of it traded.
    Filled,
    /// Taken out of the market.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// Refused by the broker.
    Rejected,
    /// Never sent: the process stopped first, and the price is stale now.
    ExpiredUnsent,
    /// Sent, without a reply, and in no complete answer of the broker since.
    NotPlaced,
}

/// Something that happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStep {
    /// The intent to write it is durable; the write follows.
    Send,
    /// The broker works it.
    Accept,
    /// Its stop was touched.
    Trigger,
    /// Part of it traded.
    FillPart,
    /// The rest of it traded.
    FillAll,
    /// A change was asked for.
    AskModify,
    /// The change is done.
    Modify,
    /// The change was refused.
    RefuseModify,
    /// A cancel was asked for.
    AskCancel,
    /// It is out of the market.
    Cancel,
    /// The cancel was refused.
    RefuseCancel,
    /// Its time ran out.
    Expire,
    /// The broker refused it.
    Reject,
    /// The reply was lost.
    LoseReply,
    /// It never left: a restart found it confirmed only, or there was no way to the broker.
    FindUnsent,
    /// Complete answers of the broker do not contain it.
    ProveAbsent,
    /// It counted as over, and complete answers of the broker hold it.
    Reappear,
}

/// A step the table does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{step:?} is not possible for an order that is {state}")]
pub struct IllegalStep {
    /// Where the order stands.
    pub state: OrderState,
    /// What was claimed to have happened.
    pub step: OrderStep,
}

/// The one transition function.
pub fn next(state: OrderState, step: OrderStep) -> Result<OrderState, IllegalStep> {
    use OpenState::{PartiallyFilled, Triggered, Working};
    use OrderState as S;
    use OrderStep as T;
    let to = match (state, step) {
        (S::Confirmed, T::Send) => S::Sending,
        (S::Confirmed | S::Sending, T::FindUnsent) => S::ExpiredUnsent,
        (S::Confirmed, T::Cancel) => S::Cancelled,
        (S::Sending, T::LoseReply) => S::Unknown,

        (S::Sending | S::Unknown, T::Accept) => S::Open(Working),
        (S::Sending | S::Unknown, T::Reject) => S::Rejected,
        (S::Sending | S::Unknown, T::Cancel) => S::Cancelled,
        (S::Sending | S::Unknown, T::Expire) => S::Expired,
        (S::Unknown, T::ProveAbsent) => S::NotPlaced,
        (S::Sending | S::Unknown, T::FillPart) => S::Open(PartiallyFilled),
        (S::Sending | S::Unknown, T::FillAll) => S::Filled,

        (S::Open(Working), T::Accept) => state,
        (S::Open(Working), T::Trigger) => S::Open(Triggered),
        (S::PendingModify(_) | S::PendingCancel(_), T::Trigger) => with_open(state, Triggered),
        (S::Open(_), T::FillPart) => S::Open(PartiallyFilled),
        (S::PendingModify(_) | S::PendingCancel(_), T::FillPart) => with_open(state, PartiallyFilled),
        (S::Open(_) | S::PendingModify(_) | S::PendingCancel(_), T::FillAll) => S::Filled,
        (S::Open(_) | S::PendingModify(_) | S::PendingCancel(_), T::Cancel) => S::Cancelled,
        (S::Open(_) | S::PendingModify(_) | S::PendingCancel(_), T::Expire) => S::Expired,
        (S::Open(_) | S::PendingModify(_) | S::PendingCancel(_), T::Reject) => S::Rejected,

        (S::Open(open), T::AskModify) => S::PendingModify(open),
        (S::PendingModify(open), T::Modify | T::RefuseModify) => S::Open(open),
        (S::Open(open), T::Modify) => S::Open(open),
        (S::Open(open) | S::PendingModify(open), T::AskCancel) => S::PendingCancel(open),
        (S::PendingCancel(_), T::AskCancel) => state,
        (S::PendingCancel(open), T::RefuseCancel) => S::Open(open),
        (S::PendingCancel(_), T::Modify | T::RefuseModify) => state,

        (S::Cancelled | S::Expired | S::Rejected | S::NotPlaced | S::ExpiredUnsent, T::Reappear) => S::Open(Working),
        (S::Cancelled | S::Expired | S::Rejected | S::NotPlaced | S::ExpiredUnsent, T::FillPart) => state,
        (S::Cancelled | S::Expired | S::Rejected | S::NotPlaced | S::ExpiredUnsent, T::FillAll) => S::Filled,
        _ => return Err(IllegalStep { state, step }),
    };
    Ok(to)
}

/// The same pending state over another open state.
const fn with_open(state: OrderState, open: OpenState) -> OrderState {
    match state {
        OrderState::PendingModify(_) => OrderState::PendingModify(open),
        OrderState::PendingCancel(_) => OrderState::PendingCancel(open),
        other => other,
    }
}

impl OrderState {
    /// Whether nothing more is expected.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Filled | Self::Cancelled | Self::Expired | Self::Rejected | Self::ExpiredUnsent | Self::NotPlaced)
    }

    /// Whether a cancel makes sense.
    pub const fn is_cancellable(self) -> bool {
        matches!(self, Self::Open(_) | Self::PendingModify(_))
    }

    /// Whether a change makes sense.
    pub const fn is_modifiable(self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The word shown and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Sending => "sending",
            Self::Unknown => "UNKNOWN",
            Self::Open(OpenState::Working) => "working",
            Self::Open(OpenState::Triggered) => "triggered",
            Self::Open(OpenState::PartiallyFilled) => "partly filled",
            Self::PendingModify(_) => "modify pending",
            Self::PendingCancel(_) => "cancel pending",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::ExpiredUnsent => "never sent",
            Self::NotPlaced => "not placed",
        }
    }
}

impl OrderStep {
    /// What happened, as a person reads it in an order's history.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Send => "sent",
            Self::Accept => "accepted by the broker",
            Self::Trigger => "stop touched",
            Self::FillPart => "filled in part",
            Self::FillAll => "filled",
            Self::AskModify => "change asked for",
            Self::Modify => "changed",
            Self::RefuseModify => "change came to nothing",
            Self::AskCancel => "cancel asked for",
            Self::Cancel => "cancelled",
            Self::RefuseCancel => "cancel came to nothing",
            Self::Expire => "expired",
            Self::Reject => "rejected by the broker",
            Self::LoseReply => "UNKNOWN: no reply came",
            Self::FindUnsent => "never sent",
            Self::ProveAbsent => "not found at the broker",
            Self::Reappear => "at the broker after all",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: [OpenState; 3] = [OpenState::Working, OpenState::Triggered, OpenState::PartiallyFilled];

    fn states() -> Vec<OrderState> {
        let mut all = vec![
            OrderState::Confirmed,
            OrderState::Sending,
            OrderState::Unknown,
            OrderState::Filled,
            OrderState::Cancelled,
            OrderState::Expired,
            OrderState::Rejected,
            OrderState::ExpiredUnsent,
            OrderState::NotPlaced,
        ];
        for open in OPEN {
            all.extend([OrderState::Open(open), OrderState::PendingModify(open), OrderState::PendingCancel(open)]);
        }
        all
    }

    #[test]
    fn nothing_is_sent_twice() {
        for state in states() {
            assert_eq!(next(state, OrderStep::Send).is_ok(), state == OrderState::Confirmed, "{state:?}");
        }
    }

    #[test]
    fn only_evidence_leaves_unknown() {
        use OrderStep as T;
        let evidence = [T::Accept, T::Reject, T::Cancel, T::Expire, T::ProveAbsent, T::FillPart, T::FillAll];
        let guesses = [T::Send, T::LoseReply, T::FindUnsent, T::AskCancel, T::AskModify, T::Trigger, T::Modify];
        for step in evidence {
            assert!(next(OrderState::Unknown, step).is_ok(), "{step:?}");
        }
        for step in guesses {
            assert!(next(OrderState::Unknown, step).is_err(), "{step:?}");
        }
    }

    #[test]
    fn a_late_fill_is_real_and_a_filled_order_is_final() {
        for state in states().into_iter().filter(|state| state.is_closed() && *state != OrderState::Filled) {
            assert_eq!(next(state, OrderStep::FillAll), Ok(OrderState::Filled));
            assert_eq!(next(state, OrderStep::FillPart), Ok(state));
        }
        for step in [OrderStep::FillAll, OrderStep::FillPart, OrderStep::Cancel, OrderStep::Accept] {
            assert!(next(OrderState::Filled, step).is_err());
        }
    }

    #[test]
    fn only_what_counted_as_over_without_a_trade_can_reappear() {
        for state in states() {
            let is_over_untraded = state.is_closed() && state != OrderState::Filled;
            assert_eq!(next(state, OrderStep::Reappear).is_ok(), is_over_untraded, "{state:?}");
        }
    }

    #[test]
    fn a_refused_change_restores_what_was_there() {
        for open in OPEN {
            let pending = next(OrderState::Open(open), OrderStep::AskModify).unwrap();
            assert_eq!(next(pending, OrderStep::RefuseModify), Ok(OrderState::Open(open)));
            let pending = next(OrderState::Open(open), OrderStep::AskCancel).unwrap();
            assert_eq!(next(pending, OrderStep::RefuseCancel), Ok(OrderState::Open(open)));
        }
    }
}
