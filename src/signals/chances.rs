//! What a source's record says of its next view: the chance that the direction is right, and what being right and being wrong were worth.
//!
//! A chance is a logistic curve from strength to "the direction was right" over outcomes that had *ended before* the bar at whose close
//! the view was made: what ends with that very bar is not known of every instrument yet, so that the order in which bars of one instant
//! arrive changes nothing. The engine, a backtest, a paper run and `pmax scores` all ask here, so they say the same.
//! Memory is bounded: of each source the latest [`KEPT`] outcomes. The curve is fitted anew when the record has grown by a twentieth.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::{MarketTime, SignalId, SignalSource};
use crate::stats::{self, Logistic};

/// Fewest ended signals of a source before a chance is stated.
pub const LEARNT_FROM: usize = 30;
/// Ended signals of a source that are learnt from: the latest. The standard error of a share of so many is 1.6 %.
const KEPT: usize = 1_000;
/// Weight of "the strength says nothing", in the units of [`Logistic::fit`].
const PENALTY: f64 = 1.0;
/// The curve is fitted anew when so many more signals have ended, as a share of those it was fitted to.
const FITTED_AGAIN: f64 = 0.05;

/// A signal whose horizon has ended, as it is learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// Which signal.
    pub signal: SignalId,
    /// When it was made.
    pub made: MarketTime,
    /// When its horizon ended.
    pub ended: MarketTime,
    /// The source's own measure, in standard deviations.
    pub strength: f64,
    /// Whether the price went its way, cost aside.
    pub is_right: bool,
    /// Return in its direction after cost.
    pub earned: f64,
}

/// A chance with what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// The chance that the direction is right over the horizon.
    pub chance: f64,
    /// The share that was right whatever the strength, one more of each added so that nothing is ever certain.
    pub base: f64,
    /// Outcomes learnt from.
    pub outcomes: usize,
    /// How many of them followed one another without an overlap: so many are independent at least.
    pub independent: usize,
    /// Mean return after cost of those that were right; nothing where none was.
    pub mean_right: Option<f64>,
    /// Mean return after cost of those that were wrong, below zero as a rule; nothing where none was.
    pub mean_wrong: Option<f64>,
}

/// A curve and how many outcomes had been seen when it was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Fitted {
    seen: u64,
    intercept: f64,
    slope: f64,
}

/// What is learnt of one source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Learner {
    kept: VecDeque<Lesson>,
    /// Outcomes of the latest instant, by number: no view of that instant may rest on them.
    fresh: Vec<Lesson>,
    seen: u64,
    curve: Option<Fitted>,
}

/// What is learnt of all sources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chances {
    sources: BTreeMap<SignalSource, Learner>,
}

impl Chances {
    /// Whether nothing has been learnt.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Adds an outcome. Outcomes come in the order of their ends.
    pub fn add(&mut self, source: SignalSource, lesson: Lesson) {
        self.sources.entry(source).or_default().add(lesson);
    }

    /// The chance of a view of this source and strength made at this instant; `None` before [`LEARNT_FROM`] outcomes had ended.
    pub fn state(&self, source: SignalSource, strength: f64, made: MarketTime) -> Option<Stated> {
        let learner = self.sources.get(&source)?;
        if learner.fresh.first().is_some_and(|lesson| lesson.ended < made) {
            let mut settled = learner.clone();
            settled.settle();
            return settled.state(strength);
        }
        learner.state(strength)
    }
}

impl Learner {
    fn add(&mut self, lesson: Lesson) {
        if self.fresh.first().is_some_and(|fresh| fresh.ended < lesson.ended) {
            self.settle();
        }
        let place = self.fresh.partition_point(|fresh| fresh.signal < lesson.signal);
        self.fresh.insert(place, lesson);
    }

    /// Takes the outcomes of an instant that is over, and fits the curve anew where it is due.
    fn settle(&mut self) {
        for lesson in self.fresh.drain(..) {
            self.seen += 1;
            self.kept.push_back(lesson);
            if self.kept.len() > KEPT {
                self.kept.pop_front();
            }
        }
        let is_due = self.curve.is_none_or(|fitted| {
            let rested_on = fitted.seen.min(KEPT as u64) as f64;
            (self.seen - fitted.seen) as f64 >= rested_on * FITTED_AGAIN
        });
        if is_due && self.kept.len() >= LEARNT_FROM {
            let (scores, outcomes): (Vec<f64>, Vec<bool>) =
                self.kept.iter().map(|lesson| (lesson.strength, lesson.is_right)).unzip();
            if let Some(Logistic { intercept, slope }) = Logistic::fit(&scores, &outcomes, PENALTY) {
                self.curve = Some(Fitted { seen: self.seen, intercept, slope });
            }
        }
    }

    fn state(&self, strength: f64) -> Option<Stated> {
        let outcomes = self.kept.len();
        if outcomes < LEARNT_FROM {
            return None;
        }
        let earned = |right: bool| -> Vec<f64> {
            self.kept.iter().filter(|lesson| lesson.is_right == right).map(|lesson| lesson.earned).collect()
        };
        let (right, wrong) = (earned(true), earned(false));
        let base = (right.len() as f64 + 1.0) / (outcomes as f64 + 2.0);
        let curve = self.curve.map(|Fitted { intercept, slope, .. }| Logistic { intercept, slope });
        Some(Stated {
            chance: curve.map_or(base, |curve| curve.chance(strength)),
            base,
            outcomes,
            independent: self.independent(),
            mean_right: stats::mean(&right),
            mean_wrong: stats::mean(&wrong),
        })
    }

    /// How many of the kept spans follow one another, the one that ends first taken each time: the most that can be had.
    fn independent(&self) -> usize {
        let (mut count, mut until) = (0, None);
        for lesson in &self.kept {
            if until.is_none_or(|until| lesson.made >= until) {
                count += 1;
                until = Some(lesson.ended);
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: SignalSource = SignalSource::BaselineMomentum;

    fn lesson(number: u64, at: i64, is_right: bool) -> Lesson {
        let earned = if is_right { 0.03 } else { -0.02 };
        let strength = f64::from(u8::from(is_right));
        Lesson { signal: SignalId(number), made: MarketTime(at - 1), ended: MarketTime(at), strength, is_right, earned }
    }

    #[test]
    fn a_chance_needs_thirty_outcomes_that_had_ended_before() {
        let mut chances = Chances::default();
        for number in 0..30 {
            chances.add(SOURCE, lesson(number, number as i64, number % 3 == 0));
        }
        assert_eq!(chances.state(SOURCE, 0.0, MarketTime(29)), None, "the thirtieth ends with this very bar");
        let stated = chances.state(SOURCE, 0.0, MarketTime(30)).unwrap();
        assert_eq!((stated.outcomes, stated.independent), (30, 30));
        assert!((stated.base - 11.0 / 32.0).abs() < 1e-12);
        assert!((stated.mean_right.unwrap() - 0.03).abs() < 1e-12 && (stated.mean_wrong.unwrap() + 0.02).abs() < 1e-12);
        assert_eq!(chances.state(SignalSource::BaselineReversal, 0.0, MarketTime(30)), None, "each source has its own");
    }

    #[test]
    fn the_order_within_an_instant_changes_nothing() {
        let mut forwards = Chances::default();
        let mut backwards = Chances::default();
        for instant in 0..20 {
            let of_instant: Vec<Lesson> =
                (0..3).map(|number| lesson(instant * 3 + number, instant as i64, number != 1)).collect();
            of_instant.iter().for_each(|lesson| forwards.add(SOURCE, *lesson));
            of_instant.iter().rev().for_each(|lesson| backwards.add(SOURCE, *lesson));
        }
        assert_eq!(forwards, backwards);
    }

    #[test]
    fn memory_is_bounded_and_the_latest_count() {
        let mut chances = Chances::default();
        for number in 0..2 * KEPT as u64 {
            chances.add(SOURCE, lesson(number, number as i64, number < KEPT as u64 / 2));
        }
        let stated = chances.state(SOURCE, 0.0, MarketTime(i64::MAX)).unwrap();
        assert_eq!((stated.outcomes, stated.mean_right), (KEPT, None), "what was right is forgotten by now");
        assert!(stated.base < 0.002 && chances.sources[&SOURCE].kept.len() <= KEPT);
    }

    #[test]
    fn spans_that_overlap_are_not_independent() {
        let mut chances = Chances::default();
        for number in 0..60_u64 {
            let ended = MarketTime(number as i64);
            chances.add(SOURCE, Lesson { made: MarketTime(ended.0 - 5), ..lesson(number, ended.0, number % 2 == 0) });
        }
        assert_eq!(chances.state(SOURCE, 0.0, MarketTime(60)).unwrap().independent, 12);
    }
}
