//! An open holding: quantity and cost basis, never an average.

use serde::{Deserialize, Serialize};

use crate::domain::{
    AccountId, ArithmeticError, InstrumentId, MarketTime, Money, OrderSide, PositionId, Price, Protection, Quantity, Ratio,
};

/// Long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionSide {
    /// Gains when the price rises.
    Long,
    /// Gains when the price falls.
    Short,
}

/// One position, keyed by its number: a broker may hold two of one instrument; the net is derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Its number.
    pub id: PositionId,
    /// In which account.
    pub account: AccountId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Long or short.
    pub side: PositionSide,
    /// How much is still open.
    pub quantity: Quantity,
    /// What the open quantity was bought (sold) for, without costs.
    pub basis: Money,
    /// Profit of the closed parts before costs.
    pub realised: Money,
    /// Costs paid so far.
    pub costs: Money,
    /// Exit levels.
    pub protection: Protection,
    /// When it was opened.
    pub opened_at: MarketTime,
}

impl PositionSide {
    /// The side of an order that closes such a position.
    pub const fn closing(self) -> OrderSide {
        match self {
            Self::Long => OrderSide::Sell,
            Self::Short => OrderSide::Buy,
        }
    }

    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Long => Self::Short,
            Self::Short => Self::Long,
        }
    }

    /// Signs an amount: a short's value counts negative.
    pub const fn signed(self, amount: Money) -> Money {
        match self {
            Self::Long => amount,
            Self::Short => amount.negated(),
        }
    }

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }
}

impl Position {
    /// The signed market value at `mark`: what it adds to equity besides cash.
    pub fn value_at(&self, mark: Price) -> Result<Money, ArithmeticError> {
        Money::notional(mark, self.quantity, self.basis.currency()).map(|value| self.side.signed(value))
    }

    /// Open profit at `mark`, before closing costs.
    pub fn open_profit_at(&self, mark: Price) -> Result<Money, ArithmeticError> {
        self.value_at(mark)?.minus(self.side.signed(self.basis))
    }

    /// The average entry price, derived for display.
    pub fn entry(&self) -> Option<Price> {
        self.basis.per_unit(self.quantity)
    }

    /// Open profit as a share of the basis.
    pub fn return_at(&self, mark: Price) -> Option<Ratio> {
        self.open_profit_at(mark).ok()?.ratio_to(self.basis)
    }
}
