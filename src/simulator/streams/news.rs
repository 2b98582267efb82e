//! News: one item of the simulator's own making at every full hour, the same for everyone who asks.

use serde_json::{Value, json};

use crate::domain::{Duration, WallTime};
use crate::simulator::records::{millis, short_time};

/// Items come this far apart.
pub const EVERY: Duration = Duration::seconds(3_600);
/// Most items of one list.
const MOST: i64 = 100;

/// When the latest item came.
pub const fn latest(now: WallTime) -> WallTime {
    WallTime(now.0.div_euclid(EVERY.0) * EVERY.0)
}

/// The items between two instants, oldest first; of too many the latest.
pub fn between(start: WallTime, end: WallTime) -> Value {
    let last = latest(end).0;
    let hours = (0..MOST).rev().map(|back| WallTime(last.saturating_sub(EVERY.0 * back)));
    hours.filter(|at| *at >= start).map(listed).collect()
}

/// Key, title and body of an hour's item.
fn words(at: WallTime) -> (String, String, String) {
    let title = format!("Simulated news of {}", short_time(at));
    (format!("news-{}", millis(at)), title, "<p>Nothing has happened: nothing here is real.</p>".to_owned())
}

/// The list's record.
fn listed(at: WallTime) -> Value {
    let (key, title, body) = words(at);
    json!({"key": key, "title": title, "bodylen": body.len(), "body": body, "time": millis(at), "timeString": short_time(at)})
}

/// The stream's record, with a field that the document does not have and the wire does.
pub fn streamed(at: WallTime) -> Value {
    let (key, title, body) = words(at);
    json!({"key": key, "title": title, "body": body, "time": millis(at), "topics": ["simulation"]})
}
