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
}
