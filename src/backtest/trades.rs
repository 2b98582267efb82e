//! Round trips: a position from its first fill to its last.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{ArithmeticError, Fill, InstrumentId, MarketTime, Money, OrderId, OrderSide, PositionId, Quantity};
use crate::stats;

/// A closed round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trade {
    /// Which position.
    pub position: PositionId,
    /// The order that opened it.
    pub order: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// How it was opened.
    pub side: OrderSide,
    /// How much was opened in all.
    pub quantity: Quantity,
    /// What the opened part cost, slippage included.
    pub value: Money,
    /// What prices earned, slippage included.
    pub gross: Money,
    /// Commission and the like.
    pub cost: Money,
    /// What is left after cost.
    pub result: Money,
    /// First fill.
    pub opened_at: MarketTime,
    /// Last fill.
    pub closed_at: MarketTime,
}

/// Sums over trades.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TradeResults {
    /// How many.
    pub count: u64,
    /// How many ended above zero after cost.
    pub won: u64,
    /// Sum of what was left, in money.
    pub result: f64,
    /// What it was before commission.
    pub gross: f64,
    /// Mean return on the value traded after cost, per trade.
    pub expectancy: Option<f64>,
    /// What the winners won over what the losers lost; nothing without a loser.
    pub profit_factor: Option<f64>,
    /// Share of all winnings that the best trade made; nothing without a winner.
    pub best_share: Option<f64>,
}

/// Positions on their way, and those that have ended.
#[derive(Debug, Default)]
pub(super) struct Trades {
    open: BTreeMap<PositionId, (Trade, Quantity)>,
    closed: Vec<Trade>,
}

impl Trades {
    /// Takes a fill. Errors where an amount is beyond what money can hold.
    pub(super) fn fill(&mut self, fill: &Fill) -> Result<(), ArithmeticError> {
        let currency = fill.cost.currency();
        let value = Money::notional(fill.price, fill.quantity, currency)?;
        let (trade, held) = self.open.entry(fill.position).or_insert_with(|| {
            let nothing = Money::zero(currency);
            let trade = Trade {
                position: fill.position,
                order: fill.order,
                instrument: fill.instrument,
                side: fill.side,
                quantity: Quantity::ZERO,
                value: nothing,
                gross: nothing,
                cost: nothing,
                result: nothing,
                opened_at: fill.at,
                closed_at: fill.at,
            };
            (trade, Quantity::ZERO)
        });
        let paid = if fill.side == OrderSide::Buy { value.negated() } else { value };
        trade.gross = trade.gross.plus(paid)?;
        trade.cost = trade.cost.plus(fill.cost)?;
        trade.closed_at = fill.at;
        if fill.closes {
            *held = held.minus(fill.quantity)?;
        } else {
            trade.quantity = trade.quantity.plus(fill.quantity)?;
            trade.value = trade.value.plus(value)?;
            *held = held.plus(fill.quantity)?;
        }
        if held.is_zero()
            && let Some((trade, _)) = self.open.remove(&fill.position)
        {
            let result = trade.gross.minus(trade.cost)?;
            self.closed.push(Trade { result, ..trade });
        }
        Ok(())
    }

    /// Those that still run, as far as they have come.
    pub(super) fn open(&self) -> impl Iterator<Item = &Trade> {
        self.open.values().map(|(trade, _)| trade)
    }

    pub(super) fn closed(&self) -> Vec<Trade> {
        self.closed.clone()
    }
}

impl TradeResults {
    /// Sums up.
    pub fn of(trades: &[Trade]) -> Self {
        let results: Vec<f64> = trades.iter().map(|trade| trade.result.to_f64()).collect();
        let won: f64 = results.iter().filter(|result| **result > 0.0).sum();
        let returns: Vec<f64> =
            trades.iter().filter_map(|trade| trade.result.ratio_to(trade.value)).map(|share| share.to_f64()).collect();
        Self {
            count: trades.len() as u64,
            won: results.iter().filter(|result| **result > 0.0).count() as u64,
            result: results.iter().sum(),
            gross: trades.iter().map(|trade| trade.gross.to_f64()).sum(),
            expectancy: stats::mean(&returns),
            profit_factor: stats::profit_factor(&results),
            best_share: (won > 0.0).then(|| results.iter().copied().fold(0.0, f64::max) / won),
        }
    }
}
