//! When a source of prices counts as silent: after so many of its usual pauses, within bounds.

use crate::domain::{Duration, WallTime};

/// An instrument is silent after so many of its usual pauses.
const PAUSES: i64 = 5;
/// But not before this, and in any case after that.
const AT_LEAST: Duration = Duration::seconds(3);
const AT_MOST: Duration = Duration::seconds(90);

/// How often something speaks: a running mean of its pauses, the newest counting a tenth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::market) struct Silence {
    usual_pause: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        Self::new()
    }
}

impl Silence {
    /// Of one that has not been heard yet: a second is usual.
    pub(in crate::market) const fn new() -> Self {
        Self { usual_pause: Duration::seconds(1) }
    }

    /// It spoke after this pause.
    #[must_use]
    pub(in crate::market) fn after(self, pause: Duration) -> Self {
        Self { usual_pause: Duration((self.usual_pause.0 * 9 + pause.0.clamp(0, AT_MOST.0)) / 10) }
    }

    /// After which pause it is silent.
    pub(in crate::market) fn allowed(self) -> Duration {
        Duration(self.usual_pause.0.saturating_mul(PAUSES).clamp(AT_LEAST.0, AT_MOST.0))
    }

    /// Whether it is silent now, where it was last heard then.
    pub(in crate::market) fn is_silent(self, heard: Option<WallTime>, now: WallTime) -> bool {
        heard.is_none_or(|heard| now.since(heard).0 > self.allowed().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_silent_after_five_usual_pauses_within_bounds() {
        let after = |pauses: &[i64]| {
            let silence = pauses.iter().fold(Silence::new(), |silence, seconds| silence.after(Duration::seconds(*seconds)));
            silence.allowed().as_seconds()
        };
        assert!((after(&[]) - 5.0).abs() < 1e-9);
        assert!((after(&[11]) - 10.0).abs() < 1e-9, "the newest pause counts a tenth");
        assert_eq!([after(&[0; 100]), after(&[60; 100])].map(|seconds| seconds as i64), [3, 90]);
        let at = |seconds: i64| WallTime(seconds * 1_000_000_000);
        let silent = |heard: Option<i64>, now: i64| Silence::new().is_silent(heard.map(at), at(now));
        assert_eq!([silent(None, 0), silent(Some(1), 6), silent(Some(1), 7)], [true, false, true]);
    }
}
