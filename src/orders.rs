//! Floor 2: the life of an order.
//!
//! One sum type of states, one transition function, one manager that holds the orders. It never talks to a broker and never decides
//! whether an order is wise. What must stay true: a step that the table does not list is an error that is shown, not a guess; a fill
//! that arrives late is real; `Unknown` is left by evidence only.

mod manager;
mod state;

pub use manager::{Confirmation, HistoryEntry, OrderManager, StepError, TrackedOrder};
pub use state::{APART, APART_TO_OPEN, IllegalStep, OpenState, OrderState, OrderStep, next};
