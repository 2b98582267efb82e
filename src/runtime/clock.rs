//! The wall clock. The only place that reads it for the engine.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::WallTime;

/// Now, on the wall clock.
pub fn wall_now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
