//! Floor 3: may this order leave?
//!
//! The only maker of [`Approved`]: a broker takes nothing else, so an order that was not checked here cannot be sent.
//! It does not know who asks beyond the order's own origin, talks to nobody and holds no positions; it reads a [`Situation`].
//! What must stay true: every limit of the configuration is evaluated here or in [`Breakers`]; a check that lacks its number refuses;
//! a protective order is refused only if it would not reduce exposure.

mod breakers;
mod checks;
mod gauges;
mod limits;
mod metrics;
mod pretrade;
mod rules;
mod stages;
mod tail;

pub use breakers::{Breakers, Hold, Subject, Target, Trip};
pub use checks::{Check, CheckOutcome, CheckResult};
pub use gauges::{Exposures, Gauge, GaugeKind, Trend, gauges};
pub use limits::{Limits, OppositeOrders};
pub use metrics::{Metric, Occasion, Unit};
pub use pretrade::{Acknowledged, Approved, Refusal, Situation, assess, check};
pub use rules::{Action, Limit, LimitName, Rule, RuleName, Rules, Scope, Unlock};
pub use stages::StageSettings;
pub use tail::{Forecast, MOST_DAYS, Tail, TailRisk, TailView, TailWatch, Tally};
