//! Floor 2: the pure matching core behind paper trading, backtests and the broker simulator.
//!
//! Orders and market events in, broker reports out. No socket, no clock, no randomness.
//! What must stay true:
//! - nothing fills at a drawn quote, only at bars: at the next bar's open, or where a bar's range crosses a resting price;
//! - an order takes part only in bars that begin after it was placed (a series without range: that close after it was placed);
//! - where a stop and a target share a bar, the stop comes first; inside a bar a limit fills only where the price went *through* it, at
//!   an open or a single close where that print satisfies it;
//! - no fill lies outside the prices of its bar, slippage aside; an order that ends inside a bar takes no part in it;
//! - a position that an exit has closed takes what is left of its opening order with it: a stop-out is never followed by a re-entry;
//! - a fill never exceeds a share of the bar's volume where there is volume; at an open that is the volume of the bar before;
//! - resting orders are kept sorted by price, so an event touches only those it crosses.

mod book;
mod dealer;
mod matching;
mod terms;

pub use dealer::{
    AccountFigures, CloseReason, ClosedTrade, Contract, Dealer, DealerBook, DealerEvent, DealerQuote, DealerRefusal, Entry,
    OpenRequest, RemoveReason, Trade,
};
pub use matching::{Exchange, LegIds, RestoredOrder, RestoredPosition};
pub use terms::Terms;
