//! Orders as facts: what is asked for, by whom, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{
    AccountId, DealId, InstrumentId, MarketTime, Money, OrderId, PositionId, PositionSide, Price, ProposalId, Quantity, SignalId,
};

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderSide {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

/// How the price is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// At the next price there is.
    Market,
    /// At this price or better.
    Limit(Price),
    /// At the next price once this one is touched.
    Stop(Price),
}

/// How long an order waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until it is cancelled.
    #[default]
    GoodTillCancelled,
    /// Until the risk day ends (17:00 New York).
    Day,
}

/// Who wants an order. Only these exist; a model is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person wrote it.
    Ticket,
    /// A validated signal that a person confirmed.
    Proposal {
        /// Which proposal.
        proposal: ProposalId,
        /// The signal behind it.
        signal: SignalId,
    },
    /// A stop, a target, a breaker or the kill switch: it only reduces exposure.
    Protective(ProtectiveReason),
    /// Not from here: found open at the broker and adopted.
    External,
}

/// Why a protective order exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectiveReason {
    /// The stop-loss of a position.
    StopLoss,
    /// The take-profit of a position.
    TakeProfit,
    /// The kill switch flattens.
    KillSwitch,
    /// A breaker cuts the position.
    Breaker,
    /// The broker closed it by itself, or somebody did so elsewhere.
    Broker,
}

/// Exit levels that travel with a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Protection {
    /// Close when the price falls (rises, for a short) to here.
    pub stop_loss: Option<Price>,
    /// Close when the price reaches here.
    pub take_profit: Option<Price>,
}

/// What somebody wants, before any check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequest {
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
    /// Exit levels of the position it opens.
    pub protection: Protection,
    /// The position it closes (wholly or partly), or `None` when it opens one.
    pub closes: Option<PositionId>,
    /// Who wants it.
    pub origin: Origin,
}

/// An order of ours: the request with its identity. Its life is a state of `orders/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its number, made once.
    pub id: OrderId,
    /// For which account.
    pub account: AccountId,
    /// What is asked for.
    pub request: OrderRequest,
    /// When it was approved, in market time.
    pub created_at: MarketTime,
    /// Price on the screen when it was confirmed; the yardstick of slippage.
    pub reference: Option<Price>,
}

/// How much of the fill is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liquidity {
    /// Limited to a share of the bar's volume.
    VolumeCapped,
    /// The series has no volume: filled in full, labelled so.
    Unlimited,
}

/// A trade that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The broker's number of the trade; applying it twice changes nothing.
    pub deal: DealId,
    /// Which order of ours.
    pub order: OrderId,
    /// Which position it opens, adds to or closes.
    pub position: PositionId,
    /// Whether it closes (part of) the position.
    pub closes: bool,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Bought or sold.
    pub side: OrderSide,
    /// How much.
    pub quantity: Quantity,
    /// At what price, slippage included.
    pub price: Price,
    /// Commission and the like; below zero where a broker pays: a swap in one's favour, a rounding.
    pub cost: Money,
    /// How the size was found.
    pub liquidity: Liquidity,
    /// When, in market time.
    pub at: MarketTime,
}

impl OrderSide {
    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Whether a stop at `stop` lies on the losing side of `price` for a position opened by this side.
    pub fn loses_at(self, price: Price, stop: Price) -> bool {
        match self {
            Self::Buy => stop < price,
            Self::Sell => stop > price,
        }
    }

    /// The side of the position such an order opens.
    pub const fn opens(self) -> PositionSide {
        match self {
            Self::Buy => PositionSide::Long,
            Self::Sell => PositionSide::Short,
        }
    }
}

impl Origin {
    /// The word shown and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Proposal { .. } => "proposal",
            Self::Protective(ProtectiveReason::StopLoss) => "stop-loss",
            Self::Protective(ProtectiveReason::TakeProfit) => "take-profit",
            Self::Protective(ProtectiveReason::KillSwitch) => "kill switch",
            Self::Protective(ProtectiveReason::Breaker) => "breaker",
            Self::Protective(ProtectiveReason::Broker) => "broker",
            Self::External => "external",
        }
    }

    /// Whether the order only ever reduces exposure.
    pub const fn is_protective(self) -> bool {
        matches!(self, Self::Protective(_))
    }
}

impl OrderRequest {
    /// Whether it opens or enlarges exposure.
    pub const fn opens_exposure(&self) -> bool {
        self.closes.is_none()
    }

    /// The price that bounds the order, where it has one.
    pub const fn named_price(&self) -> Option<Price> {
        match self.kind {
            OrderKind::Market => None,
            OrderKind::Limit(price) | OrderKind::Stop(price) => Some(price),
        }
    }
}

impl fmt::Display for OrderSide {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        })
    }
}

impl fmt::Display for OrderKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Market => formatter.pad("market"),
            Self::Limit(price) => formatter.pad(&format!("limit {price}")),
            Self::Stop(price) => formatter.pad(&format!("stop {price}")),
        }
    }
}

impl fmt::Display for TimeInForce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::GoodTillCancelled => "good till cancelled",
            Self::Day => "day",
        })
    }
}
