//! Floor 1: statistics on slices.
//!
//! Plain functions: numbers in, a number or `None` out. `None` means *undefined* (too few values, no variance), which the screen
//! shows as `n/a`; it is never replaced by 0 or infinity. No domain decisions are taken here: what is "significant enough" belongs to
//! the room that asks. Transcendental functions come from `libm`, so that results do not depend on the platform's.

mod descriptive;
mod inference;

pub use descriptive::{
    annualised_volatility, correlation, max_drawdown, mean, moving_average, percentile_rank, returns, standard_deviation,
};
pub use inference::{Interval, mean_interval_95, student_t_975, t_statistic, wilson_95};
