//! The limits, as `config/pmax.toml` states them under `[risk]`.

use serde::{Deserialize, Serialize};

use crate::domain::Ratio;

/// Limits of the account. Shares are of current equity unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest position a signal may open.
    pub max_position: Ratio,
    /// Largest position a hand-written ticket may open, after the symbol was typed.
    pub max_ticket_position: Ratio,
    /// Largest exposure in one sector.
    pub max_sector: Ratio,
    /// Largest sum of all positions.
    pub max_gross: Ratio,
    /// Fall from the highest equity that warns.
    pub drawdown_warn: Ratio,
    /// Fall from the highest equity that allows reducing only.
    pub drawdown_act: Ratio,
    /// Loss of a risk day that allows reducing only.
    pub daily_loss: Ratio,
    /// Loss of a week that allows reducing only.
    pub weekly_loss: Ratio,
    /// Annualised volatility of the account's daily results that warns.
    pub volatility_warn: Ratio,
    /// Opening orders per risk day.
    pub trades_per_day: u32,
    /// How far a limit or stop price may lie from the last price.
    pub price_collar: Ratio,
    /// Smallest and largest value of one opening order, in whole units of the account's currency. Older runs recorded neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_order_value: Option<u32>,
    /// See `min_order_value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_order_value: Option<u32>,
    /// Opening orders within a minute of market time. Older runs recorded none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_per_minute: Option<u32>,
    /// Largest exposure in what moves with an instrument, itself included. Older runs recorded none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_correlated: Option<Ratio>,
    /// The correlation of daily returns from which two instruments move together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlated_from: Option<Ratio>,
    /// What becomes of an opening order while one of the other side works in the same instrument. Older runs allowed it.
    #[serde(default, skip_serializing_if = "OppositeOrders::are_allowed")]
    pub opposite_orders: OppositeOrders,
}

/// Whether orders that open opposite sides of one instrument may work at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OppositeOrders {
    /// They may: a straddle is meant.
    #[default]
    Allow,
    /// The second is refused: the account would trade with itself.
    Refuse,
}

impl OppositeOrders {
    const fn are_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}
