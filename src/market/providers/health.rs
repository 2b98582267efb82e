//! Whether a provider can be trusted with a capability: a breaker of its own for each.
//!
//! Three failures in a row, or half of the last ten, and it rests: half a minute, then twice as long each time, up to fifteen minutes. After
//! that it is tried with one request at a time and serves again once two of them were good. Pure: time and chance come in.

use std::collections::VecDeque;

use crate::domain::{Duration, WallTime};
use crate::market::providers::{Failure, Refusal};

/// Failures in a row after which it rests.
const STRIKES: u32 = 3;
/// Latest outcomes that count, of which half may fail.
const WINDOW: usize = 10;
/// The first rest, and the longest.
const FIRST: Duration = Duration::seconds(30);
const LONGEST: Duration = Duration::seconds(900);
/// Good probes after which it serves again.
const PROBES: u32 = 2;

/// How a provider stands with a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// It may serve.
    Good,
    /// It is not asked until then.
    Resting {
        /// The end of the rest.
        until: WallTime,
    },
    /// It is tried with one request at a time.
    Probing {
        /// How many were good so far.
        good: u32,
    },
    /// It is not asked again.
    Removed,
}

/// The breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    stands: Stands,
    recent: VecDeque<bool>,
    strikes: u32,
    rests: u32,
    last: Option<(WallTime, Refusal)>,
    /// When the probe that is under way left.
    probe: Option<WallTime>,
}

/// A probe that was never answered is given up after so long.
const PROBE_WITHIN: Duration = Duration::seconds(20);

impl Health {
    /// One of which nothing bad is known.
    pub const fn new() -> Self {
        Self { stands: Stands::Good, recent: VecDeque::new(), strikes: 0, rests: 0, last: None, probe: None }
    }

    /// How it stands now.
    pub fn stands(&self, now: WallTime) -> Stands {
        match self.stands {
            Stands::Resting { until } if until <= now => Stands::Probing { good: 0 },
            stands => stands,
        }
    }

    /// What went wrong last, and when.
    pub const fn last(&self) -> Option<&(WallTime, Refusal)> {
        self.last.as_ref()
    }

    /// Whether it may serve.
    pub fn is_good(&self) -> bool {
        self.stands == Stands::Good
    }

    /// Whether it may be tried.
    pub fn may_probe(&self, now: WallTime) -> bool {
        let is_free = self.probe.is_none_or(|at| now.since(at).0 >= PROBE_WITHIN.0);
        is_free && matches!(self.stands(now), Stands::Probing { .. })
    }

    /// A request leaves.
    pub fn ask(&mut self, now: WallTime) {
        if let Stands::Probing { good } = self.stands(now) {
            (self.stands, self.probe) = (Stands::Probing { good }, Some(now));
        }
    }

    /// A good answer came.
    pub fn succeed(&mut self, now: WallTime) {
        self.note(true);
        self.strikes = 0;
        self.probe = None;
        match self.stands(now) {
            Stands::Probing { good } if good + 1 >= PROBES => {
                (self.stands, self.rests) = (Stands::Good, 0);
                self.recent.clear();
            }
            Stands::Probing { good } => self.stands = Stands::Probing { good: good + 1 },
            Stands::Good | Stands::Resting { .. } | Stands::Removed => {}
        }
    }

    /// A failure that counts against it. `draw` shortens or lengthens the rest by up to a fifth, so that not all come back at once.
    pub fn strike(&mut self, refusal: &Refusal, now: WallTime, draw: u64) {
        self.note(false);
        self.strikes += 1;
        self.last = Some((now, refusal.clone()));
        let failed = self.recent.iter().filter(|is_good| !**is_good).count();
        let is_bad = self.strikes >= STRIKES || (self.recent.len() >= WINDOW && failed * 2 >= WINDOW);
        match self.stands(now) {
            Stands::Good if !is_bad => {}
            Stands::Good | Stands::Probing { .. } => {
                let doubled = FIRST.0.saturating_mul(1 << self.rests.min(8)).min(LONGEST.0);
                let share = i64::try_from(draw % 401).unwrap_or(0) - 200;
                self.rest(now.plus(Duration(doubled + doubled / 1_000 * share)));
                // A name that is not known here is this machine's trouble: it is looked for every half minute, however long that lasts.
                if refusal.failure != Failure::Dns {
                    self.rests += 1;
                }
            }
            Stands::Resting { .. } | Stands::Removed => {}
        }
    }

    /// It is not asked until then, whatever its record.
    pub fn pause(&mut self, refusal: &Refusal, until: WallTime, now: WallTime) {
        self.last = Some((now, refusal.clone()));
        if self.stands != Stands::Removed {
            self.rest(until);
        }
    }

    /// It is not asked again.
    pub fn remove(&mut self, refusal: &Refusal, now: WallTime) {
        (self.stands, self.last) = (Stands::Removed, Some((now, refusal.clone())));
    }

    /// Something that says nothing about it: a probe that met it proves neither.
    pub fn excuse(&mut self, refusal: &Refusal, now: WallTime) {
        (self.probe, self.last) = (None, Some((now, refusal.clone())));
    }

    /// The clock went back by so much.
    pub const fn set_back(&mut self, by: Duration) {
        if let Stands::Resting { until } = &mut self.stands {
            *until = until.before(by);
        }
        if let Some(at) = &mut self.probe {
            *at = at.before(by);
        }
        if let Some((at, _)) = &mut self.last {
            *at = at.before(by);
        }
    }

    /// How much it keeps.
    pub(super) fn size(&self) -> usize {
        self.recent.len()
    }

    fn rest(&mut self, until: WallTime) {
        (self.stands, self.probe, self.strikes) = (Stands::Resting { until }, None, 0);
        self.recent.clear();
    }

    fn note(&mut self, is_good: bool) {
        self.recent.push_back(is_good);
        while self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::providers::refusal::Means;

    fn at(seconds: i64) -> WallTime {
        WallTime(seconds * 1_000_000_000)
    }

    fn timeout() -> Refusal {
        Refusal::of(Failure::Timeout)
    }

    #[test]
    fn three_in_a_row_rest_it_and_two_good_probes_bring_it_back() {
        let mut health = Health::new();
        for second in 0..2 {
            health.strike(&timeout(), at(second), 200);
            assert!(health.is_good());
        }
        health.strike(&timeout(), at(2), 200);
        assert_eq!(health.stands(at(31)), Stands::Resting { until: at(32) });
        assert!(!health.may_probe(at(31)) && health.may_probe(at(32)));
        health.ask(at(32));
        assert!(!health.may_probe(at(33)), "one at a time");
        health.succeed(at(33));
        assert_eq!((health.stands(at(33)), health.is_good()), (Stands::Probing { good: 1 }, false));
        health.ask(at(60));
        health.succeed(at(61));
        assert!(health.is_good());
    }

    #[test]
    fn a_failed_probe_rests_it_for_longer() {
        let mut health = Health::new();
        (0..3).for_each(|second| health.strike(&timeout(), at(second), 200));
        let mut now = at(2);
        for seconds in [30, 60, 120, 240, 480, 900, 900] {
            let Stands::Resting { until } = health.stands(now) else { panic!("it rests") };
            assert_eq!(until.since(now), Duration::seconds(seconds));
            now = until;
            health.ask(now);
            health.strike(&timeout(), now, 200);
        }
    }

    #[test]
    fn a_machine_without_a_network_does_not_wait_for_a_quarter_of_an_hour_when_it_is_back() {
        let mut health = Health::new();
        (0..3).for_each(|second| health.strike(&Refusal::of(Failure::Dns), at(second), 200));
        let mut now = at(2);
        for _ in 0..9 {
            let Stands::Resting { until } = health.stands(now) else { panic!("it rests") };
            assert_eq!(until.since(now), Duration::seconds(30));
            now = until;
            health.ask(now);
            health.strike(&Refusal::of(Failure::Dns), now, 200);
        }
    }

    #[test]
    fn half_of_the_last_ten_rests_it_too_and_chance_spreads_the_rest() {
        let rests = |draw: u64| {
            let mut health = Health::new();
            for second in 0..5 {
                health.succeed(at(second));
                health.strike(&timeout(), at(second), draw);
            }
            match health.stands(at(5)) {
                Stands::Resting { until } => until.since(at(4)),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([rests(0), rests(400)], [Duration::seconds(24), Duration::seconds(36)]);
    }

    #[test]
    fn each_kind_of_failure_means_what_the_contract_says() {
        for failure in [Failure::UnknownSymbol, Failure::BadRequest, Failure::NoData, Failure::Stale, Failure::Splice] {
            assert!(failure.means() != Means::Strike, "{failure:?} says nothing about the provider");
        }
        for failure in [
            Failure::Timeout,
            Failure::Dns,
            Failure::Tls,
            Failure::Transport,
            Failure::Upstream,
            Failure::Malformed,
            Failure::Schema,
            Failure::Nonsense,
        ] {
            assert_eq!(failure.means(), Means::Strike, "{failure:?} counts");
        }
    }
}
