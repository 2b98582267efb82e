//! Floor 2: cash, positions, what they are worth, and how large a trade may be.
//!
//! A target allocation (`allocation.rs`, `advice.rs`) is information beside the book: nothing makes an order of it.
//! The ledger changes only by fills. It knows no broker, no order states and no limits: those are `broker/`, `orders/` and `risk/`.
//! What must stay true: equity = cash + signed value of positions; applying one deal twice changes nothing; amounts are exact.

mod advice;
mod allocation;
mod history;
mod ledger;
mod optimiser;
mod performance;
mod sizing;
mod valuation;

pub use advice::{Advice, Line, Question, Views, WINDOW};
pub use allocation::{Aim, Caps, Holds, LEAST_OBSERVATIONS, NoAllocation, Target, Wish, estimate, most_invested};
pub use history::{DailyCloses, DailyReturns};
pub use ledger::{FillResult, Ledger, LedgerError};
pub use performance::{DayResult, Performance};
pub use sizing::{
    Bound, Gate, Lots, NotSized, Odds, Room, SizeTerms, Sized, SizingCase, SizingRule, SizingSettings, exploratory, size,
};
pub use valuation::{Exposure, Valuation};
