//! Floor 2: cash, positions, what they are worth, and how large a trade may be.
//!
//! The ledger changes only by fills. It knows no broker, no order states and no limits: those are `broker/`, `orders/` and `risk/`.
//! What must stay true: equity = cash + signed value of positions; applying one deal twice changes nothing; amounts are exact.

mod ledger;
mod performance;
mod sizing;
mod valuation;

pub use ledger::{FillResult, Ledger, LedgerError};
pub use performance::{DayResult, Performance};
pub use sizing::{Sized, SizingRule, exploratory};
pub use valuation::{Exposure, Valuation};
