//! What a dealer trades in and what it says: contracts, quotes, wishes, trades, events, refusals.

use thiserror::Error;

use crate::domain::{OrderSide, Price, Quantity, Ratio, WallTime};

/// What a contract is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its name.
    pub symbol: String,
    /// Units in one lot.
    pub contract_size: i64,
    /// Decimals of its price.
    pub digits: u8,
    /// Smallest volume, in lots.
    pub lot_min: Quantity,
    /// Largest volume, in lots.
    pub lot_max: Quantity,
    /// Step of volumes, in lots.
    pub lot_step: Quantity,
    /// Least distance of stops and limits from the price.
    pub stops_level: Price,
    /// Margin as a share of the nominal value.
    pub margin: Ratio,
    /// Currency in which profit arises.
    pub profit_currency: String,
    /// Whether it may be sold short.
    pub can_short: bool,
    /// Swap of a long position, in price units per night.
    pub swap_long: Price,
    /// Swap of a short position, in price units per night.
    pub swap_short: Price,
}

/// Bid, ask and when they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DealerQuote {
    /// What a seller gets.
    pub bid: Price,
    /// What a buyer pays.
    pub ask: Price,
    /// When.
    pub at: WallTime,
}

/// How a trade enters the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// At the quote.
    Market,
    /// At this price or better.
    Limit(Price),
    /// Once the price has come here.
    Stop(Price),
}

/// A wish to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// Which contract.
    pub symbol: String,
    /// Buy or sell.
    pub side: OrderSide,
    /// How.
    pub entry: Entry,
    /// In lots.
    pub volume: Quantity,
    /// Stop-loss.
    pub stop_loss: Option<Price>,
    /// Take-profit.
    pub take_profit: Option<Price>,
    /// Trailing distance in points of the last decimal; 0 for none.
    pub trailing: i64,
    /// When a waiting order ends.
    pub expiration: Option<WallTime>,
    /// The client's own text, returned in every record.
    pub mark: String,
    /// Number of the transaction that asked for it.
    pub transaction: i64,
}

/// An open position or a waiting order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// Number of the opening transaction.
    pub order: i64,
    /// Number of the latest transaction.
    pub order2: i64,
    /// Number common to open and close.
    pub position: i64,
    /// Which contract.
    pub symbol: String,
    /// Buy or sell.
    pub side: OrderSide,
    /// `Market` for a position; a waiting order keeps its price here.
    pub entry: Entry,
    /// In lots.
    pub volume: Quantity,
    /// What it was opened at; the named price while it waits.
    pub open_price: Price,
    /// When.
    pub open_time: WallTime,
    /// Stop-loss.
    pub stop_loss: Option<Price>,
    /// Take-profit.
    pub take_profit: Option<Price>,
    /// Trailing distance in points.
    pub trailing: i64,
    /// When it ends, if it waits.
    pub expiration: Option<WallTime>,
    /// The client's own text.
    pub mark: String,
    /// Swaps so far, in units of 1e-9 of the account's currency.
    pub storage: i64,
}

/// Why a position was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client asked.
    Client,
    /// Its stop-loss.
    StopLoss,
    /// Its take-profit.
    TakeProfit,
    /// Margin ran out.
    StopOut,
}

/// A closed position, or the closed part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedTrade {
    /// The position with the volume that was closed.
    pub trade: Trade,
    /// At what price.
    pub close_price: Price,
    /// When.
    pub close_time: WallTime,
    /// Without swaps, in units of 1e-9 of the account's currency, whole cents.
    pub profit: i64,
    /// Why.
    pub reason: CloseReason,
    /// Whether nothing of the position is left.
    pub is_whole: bool,
}

/// Why a waiting order is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveReason {
    /// The client asked.
    Client,
    /// Its time ran out.
    Expired,
    /// It became a position.
    Triggered,
    /// It was touched, and the margin did not suffice.
    NoMoney,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DealerEvent {
    /// A position is open.
    Opened(Trade),
    /// A position or a waiting order has new terms.
    Changed(Trade),
    /// An order waits.
    Placed(Trade),
    /// A waiting order is gone.
    Removed(Trade, RemoveReason),
    /// A position, or part of it, is closed.
    Closed(ClosedTrade),
}

/// Why the dealer refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DealerRefusal {
    /// No such contract.
    #[error("unknown symbol")]
    Symbol,
    /// A named price on the wrong side or below zero.
    #[error("invalid price")]
    Price,
    /// An exit on the wrong side or too near.
    #[error("invalid stops")]
    Stops,
    /// Not a volume of this contract.
    #[error("invalid volume")]
    Volume,
    /// There is no quote.
    #[error("off quotes")]
    OffQuotes,
    /// Margin does not suffice.
    #[error("not enough money")]
    Money,
    /// It cannot be sold short.
    #[error("short positions prohibited")]
    Short,
    /// No such open trade.
    #[error("no such trade")]
    NoTrade,
    /// It was closed already.
    #[error("already closed")]
    Closed,
    /// A waiting order cannot be closed; it must be deleted.
    #[error("a pending order cannot be closed")]
    Pending,
    /// An amount does not fit.
    #[error("the amount is too large")]
    Amount,
}

/// The account's figures in units of 1e-9 of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFigures {
    /// Deposits and realised results.
    pub balance: i64,
    /// With open results and swaps.
    pub equity: i64,
    /// Bound by positions.
    pub margin: i64,
}

/// An account as it stands, for a dealer that begins with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DealerBook {
    /// In units of 1e-9 of the account's currency.
    pub balance: i64,
    /// Numbers below are taken.
    pub first_number: i64,
    /// Open positions and waiting orders.
    pub trades: Vec<Trade>,
}
