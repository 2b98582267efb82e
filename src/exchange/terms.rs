//! What trading costs.

use serde::{Deserialize, Serialize};

use crate::domain::{ArithmeticError, Currency, Money, OrderSide, Price, Quantity, Ratio};

/// Costs and liquidity, in one place for gates, backtest and paper alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How much worse than the printed price a market or stop order trades, as a share of it.
    pub slippage: Ratio,
    /// Commission and half-spread per side, as a share of the traded value.
    pub cost_per_side: Ratio,
    /// The share of a bar's volume one participant may take.
    pub participation: Ratio,
}

impl Terms {
    /// The price after slippage: higher for a buyer, lower for a seller.
    pub fn slipped(&self, price: Price, side: OrderSide) -> Result<Price, ArithmeticError> {
        price.moved_by(match side {
            OrderSide::Buy => self.slippage,
            OrderSide::Sell => self.slippage.negated(),
        })
    }

    /// The cost of one side.
    pub fn cost(&self, price: Price, quantity: Quantity, currency: Currency) -> Result<Money, ArithmeticError> {
        Money::notional(price, quantity, currency)?.times(self.cost_per_side)
    }

    /// What a round trip costs as a share of the value: both sides' cost and slippage.
    pub fn round_trip(&self) -> Ratio {
        Ratio::from_nanos(2 * (self.slippage.nanos() + self.cost_per_side.nanos()))
    }
}
