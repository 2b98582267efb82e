//! Floor 3: opinions, how they are judged, and what became of them.
//!
//! Strategies turn history into views; five layers judge each view; a tracker follows every signal, refused ones too, to its outcome;
//! scorecards remember what each source earned after cost. An analyst puts computed facts into words.
//! It never places an order and never sizes one. What must stay true: a strategy sees history only through [`AsOf`], which ends at the
//! bar that has just closed; abstaining is `None`, never a "hold"; the horizon of a view is how long a trade on it is held.

mod analyst;
mod as_of;
mod calls;
mod chances;
mod cheat;
mod economics;
mod gate;
mod lookahead;
mod opinion;
mod scorecard;
mod scores;
mod script;
mod sentiment;
mod settings;
mod strategies;
mod tracker;
mod validation;

pub use analyst::{Analyst, Commentary, Facts, RuleAnalyst, is_ordinary, last_deviations};
pub use as_of::{AsOf, Closes, RoughMoments};
pub use calls::{Call, CallLog, Ended, Weather};
pub use chances::{Chances, LEARNT_FROM, Lesson, Stated};
pub use cheat::Cheat;
pub use economics::{Curve, Economy, Jobs, Regime, Slope, Term, TermStructure, Trend};
pub use gate::{COIN, CountedCall, GateVerdict, LEAST_INDEPENDENT, Standing, Tally, base_rate, fewest_above};
pub use lookahead::{CounterExample, Finding, History, Make, Proof, Ruling, prove};
pub use opinion::{Knows, Opine, Opinion, Says};
pub use scorecard::Scorecard;
pub use scores::{By, Card, Forecasts, Key, Part, Scores};
pub use script::{Script, ScriptError, ScriptRef, Scripts};
pub use sentiment::{Mood, Reader, Sentiment};
pub use settings::{Gates, PlanGates, StrategySettings};
pub use strategies::{Momentum, Reversal, Strategy, Thought, baselines, strategies};
pub use tracker::{EndedCall, Resolved, Traced, Tracker};
pub use validation::{BookFacts, Case, HISTORY_MOST, current_volatility, exit_levels, judge, risk_level};
