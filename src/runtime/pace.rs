//! How fast a tape plays.

use std::time::{Duration, Instant};

use crate::domain::{MarketEvent, MarketTime};

/// A stretch without events longer than this, in market seconds, is a night or a weekend.
const QUIET: f64 = 7_200.0;
/// Such stretches are shortened to this much wall time.
const LONGEST_WAIT: Duration = Duration::from_millis(700);

/// Market seconds per wall second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// So many times the wall.
    Times(u32),
    /// As fast as it can be handled.
    Max,
}

/// The steps the speed keys walk through.
const STEPS: [Speed; 11] = [
    Speed::Times(1),
    Speed::Times(10),
    Speed::Times(60),
    Speed::Times(300),
    Speed::Times(600),
    Speed::Times(1_200),
    Speed::Times(3_600),
    Speed::Times(14_400),
    Speed::Times(43_200),
    Speed::Times(172_800),
    Speed::Max,
];

impl Speed {
    /// The next faster step.
    pub fn faster(self) -> Self {
        STEPS.into_iter().find(|step| step.rank() > self.rank()).unwrap_or(Self::Max)
    }

    /// The next slower step.
    pub fn slower(self) -> Self {
        STEPS.into_iter().rev().find(|step| step.rank() < self.rank()).unwrap_or(Self::Times(1))
    }

    const fn rank(self) -> u64 {
        match self {
            Self::Times(times) => times as u64,
            Self::Max => u64::MAX,
        }
    }

    /// What the status line shows.
    pub fn label(self) -> String {
        match self {
            Self::Times(times) => format!("×{times}"),
            Self::Max => "×max".to_owned(),
        }
    }
}

/// Plays events at a speed on the calling thread, until there are no more.
pub fn play_paced(events: impl Iterator<Item = MarketEvent>, speed: Speed, mut take: impl FnMut(&MarketEvent)) {
    let mut pace = Pace::new(speed);
    for event in events {
        let due = pace.due(event.known_at(), Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        take(&event);
        pace.played(event.known_at(), due, Instant::now());
    }
}

/// When the next event of a tape is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    speed: Speed,
    before: Option<(MarketTime, Instant)>,
}

impl Pace {
    pub const fn new(speed: Speed) -> Self {
        Self { speed, before: None }
    }

    pub const fn speed(&self) -> Speed {
        self.speed
    }

    /// Changes the speed; the next event counts from now.
    pub fn set(&mut self, speed: Speed) {
        *self = Self::new(speed);
    }

    /// Forgets where it was, after a pause.
    pub fn rest(&mut self) {
        self.before = None;
    }

    /// When the event at `at` is due.
    pub fn due(&self, at: MarketTime, now: Instant) -> Instant {
        match (self.speed, self.before) {
            (Speed::Max, _) | (_, None) => now,
            (Speed::Times(times), Some((market, wall))) => {
                let market_seconds = at.since(market).as_seconds().max(0.0);
                let wait = Duration::try_from_secs_f64(market_seconds / f64::from(times.max(1))).unwrap_or(LONGEST_WAIT);
                wall + if market_seconds > QUIET { wait.min(LONGEST_WAIT) } else { wait }
            }
        }
    }

    /// Notes that the event at `at`, due at `due`, was played. Lateness beyond a quarter of a second is forgiven, not made up for.
    pub fn played(&mut self, at: MarketTime, due: Instant, now: Instant) {
        let late = now.saturating_duration_since(due) > Duration::from_millis(250);
        self.before = Some((at, if late { now } else { due }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_is_slow_and_nights_are_short() {
        let now = Instant::now();
        let wait = |times: u32, market_seconds: i64| {
            let mut pace = Pace::new(Speed::Times(times));
            pace.played(MarketTime(0), now, now);
            pace.due(MarketTime(market_seconds * 1_000_000_000), now).duration_since(now)
        };
        assert_eq!(wait(1, 300), Duration::from_secs(300), "five minutes take five minutes");
        assert_eq!(wait(300, 300), Duration::from_secs(1));
        assert_eq!(wait(1, 12 * 3_600), LONGEST_WAIT, "a night");
    }
}
