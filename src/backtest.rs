//! Floor 4: the engine over history.
//!
//! The same decisions, layers, checks, sizes, exchange and costs as in paper trading; in the person's place stands one rule, which
//! confirms every proposal at once. It has no trading rules of its own and reads no file: it is handed the market's events in order.
//! What must stay true: the same events and settings give the same report, to the last digit; a number that is not defined is `None`;
//! nothing is called significant without its count and interval.
//! A lived run can be held against a test of its own decisions ([`Again`]). [`walk`] chooses parameters on the past only, window after window.

mod allocation;
mod alone;
mod circuit;
mod critic;
mod evidence;
mod gates;
mod parity;
mod rehearsal;
mod run;
mod trades;
pub mod walk;

pub use allocation::{Against, Difference, EVERY, Played, Rolled, Rolling, Told, Unrolled};
pub use alone::speak_alone;
pub use critic::{Finding, criticise};
pub use evidence::{Benchmark, Calls, DailyResults, Evidence, Gate, Share};
pub use gates::{Account, Gauged, PlanGate, gauge, gauge_account};
pub use parity::{Again, Parity, Part, Shortfall, Trip};
pub use rehearsal::{Life, Rehearsal, Scene, rehearse};
pub use run::{Plan, Report, run};
pub use trades::{Trade, TradeResults};

pub use crate::signals::GateVerdict as Verdict;
