//! Scorecards over signals whose horizon has ended: what was right, what it earned after cost, how good the stated chances are.
//!
//! Chances are stated out of sample, as the engine states them (`signals/chances.rs`). Beside them stands what needs no skill: the share
//! of earlier signals that was right, whatever the strength. Horizons overlap and instruments move together, so the number of independent outcomes is that
//! of spans that follow one another, and intervals of means are taken over those.

use std::collections::BTreeMap;

use crate::domain::{InstrumentId, MarketTime, SignalId, SignalSource};
use crate::signals::chances::{Chances, Lesson, Stated};
use crate::stats::{self, Bin, Interval, Observed, Tested};

/// Groups of a calibration curve.
const GROUPS: usize = 5;

/// How stormy the market was when a signal was made: the rank of its volatility among its own past, in thirds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weather {
    /// Lowest third.
    Calm,
    /// Middle third.
    Usual,
    /// Highest third.
    Stormy,
    /// There was too little history to say.
    Unknown,
}

impl Weather {
    /// From a rank of volatility between 0 and 1.
    pub fn of(rank: Option<f64>) -> Self {
        match rank {
            Some(rank) if rank < 1.0 / 3.0 => Self::Calm,
            Some(rank) if rank < 2.0 / 3.0 => Self::Usual,
            Some(_) => Self::Stormy,
            None => Self::Unknown,
        }
    }

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Usual => "usual",
            Self::Stormy => "stormy",
            Self::Unknown => "unknown",
        }
    }
}

/// How a signal ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    /// When.
    pub at: MarketTime,
    /// Return of the price over the horizon, whatever the direction and before cost.
    pub moved: f64,
    /// Return in the signal's direction after cost.
    pub net: f64,
}

/// A signal as a scorecard sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Whose.
    pub source: SignalSource,
    /// About what.
    pub instrument: InstrumentId,
    /// Whether a rise was called.
    pub is_long: bool,
    /// The source's own measure.
    pub strength: f64,
    /// Bars looked ahead.
    pub horizon: u32,
    /// The market at that time.
    pub weather: Weather,
    /// Whether the layers let it through.
    pub passed: bool,
    /// When it was made.
    pub made: MarketTime,
    /// How it ended; nothing while its horizon runs.
    pub ended: Option<Ended>,
}

impl Call {
    fn was_right(&self, ended: &Ended) -> bool {
        if self.is_long { ended.moved > 0.0 } else { ended.moved < 0.0 }
    }
}

/// A share of a count, with Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

impl Part {
    /// The share; nothing of nothing.
    pub fn rate(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Its interval, as if all were independent.
    pub fn interval(self) -> Option<Interval> {
        stats::wilson_95(self.count as u64, self.of as u64)
    }
}

/// How good the stated chances are.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecasts {
    /// Signals with a stated chance.
    pub calls: usize,
    /// Brier score of the stated chances.
    pub brier: f64,
    /// Brier score of the share that had been right before, whatever the strength.
    pub base: f64,
    /// Whether the difference of the two is more than chance: Diebold and Mariano's test in the form of Harvey, at the horizon.
    pub difference: Option<Tested>,
    /// Stated against happened.
    pub curve: Vec<Bin>,
}

/// One scorecard.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Signals, ended or not.
    pub signals: usize,
    /// Those whose direction was right before cost, of those that ended.
    pub right: Part,
    /// Those after which the price rose: what "always up" had right.
    pub rose: Part,
    /// Those that earned something after cost.
    pub paid: Part,
    /// Ended signals whose spans follow one another: so many outcomes are independent at least.
    pub independent: usize,
    /// Mean return after cost.
    pub expectancy: Option<f64>,
    /// Its 95 % interval, over means of spans that follow one another.
    pub expectancy_interval: Option<Interval>,
    /// Gains over losses after cost; nothing without a loss.
    pub profit_factor: Option<f64>,
    /// Mean over standard deviation of those spans, and its 95 % interval (Mertens 2002). Per span, not a year.
    pub sharpe: Option<(f64, Option<Interval>)>,
    /// Stated chances; nothing before [`LEARNT_FROM`](crate::signals::LEARNT_FROM) signals of a source had ended.
    pub forecasts: Option<Forecasts>,
}

/// All calls with the chances that could be stated when they were made.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    calls: Vec<(Call, Option<Stated>)>,
}

impl Scores {
    /// Takes all signals of a run, in any order.
    pub fn new(mut calls: Vec<Call>) -> Self {
        calls.sort_by_key(|call| call.made);
        let mut stated = vec![None; calls.len()];
        let mut by_source: BTreeMap<SignalSource, Vec<usize>> = BTreeMap::new();
        for (index, call) in calls.iter().enumerate() {
            by_source.entry(call.source).or_default().push(index);
        }
        for of_source in by_source.into_values() {
            for (index, chance) in state(&calls, &of_source) {
                if let Some(place) = stated.get_mut(index) {
                    *place = Some(chance);
                }
            }
        }
        Self { calls: calls.into_iter().zip(stated).collect() }
    }

    /// The scorecard of all calls that are meant.
    pub fn card(&self, is_meant: impl Fn(&Call) -> bool) -> Card {
        let meant: Vec<&(Call, Option<Stated>)> = self.calls.iter().filter(|(call, _)| is_meant(call)).collect();
        let ended: Vec<(&Call, Ended, Option<Stated>)> =
            meant.iter().filter_map(|(call, stated)| Some((call, call.ended?, *stated))).collect();
        let part = |is_it: &dyn Fn(&Call, &Ended) -> bool| Part {
            count: ended.iter().filter(|(call, ended, _)| is_it(call, ended)).count(),
            of: ended.len(),
        };
        let spans = spans(&ended);
        let means: Vec<f64> = spans.iter().filter_map(|span| stats::mean(span)).collect();
        let results: Vec<f64> = ended.iter().map(|(_, ended, _)| ended.net).collect();
        Card {
            signals: meant.len(),
            right: part(&Call::was_right),
            rose: part(&|_, ended| ended.moved > 0.0),
            paid: part(&|_, ended| ended.net > 0.0),
            independent: spans.len(),
            expectancy: stats::mean(&results),
            expectancy_interval: stats::mean_interval_95(&means),
            profit_factor: stats::profit_factor(&results),
            sharpe: Observed::of(&means, 0.0).map(|observed| (observed.sharpe, observed.interval(0.95))),
            forecasts: forecasts(&ended),
        }
    }

    /// Every call in the order they were made, with its chance where one could be stated then.
    pub fn stated(&self) -> impl Iterator<Item = (&Call, Option<Stated>)> {
        self.calls.iter().map(|(call, stated)| (call, *stated))
    }

    /// Every value of a key that some call has, in order.
    pub fn keys<K: Ord>(&self, key: impl Fn(&Call) -> K) -> Vec<K> {
        let mut keys: Vec<K> = self.calls.iter().map(|(call, _)| key(call)).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// The chances of one source's calls, each from those that had ended before it.
fn state(calls: &[Call], of_source: &[usize]) -> Vec<(usize, Stated)> {
    let of_source: Vec<(usize, &Call)> =
        of_source.iter().filter_map(|index| calls.get(*index).map(|call| (*index, call))).collect();
    let lesson = |(number, (_, call)): (usize, &(usize, &Call))| {
        let (signal, ended) = (SignalId(number as u64), call.ended?);
        let (strength, is_right) = (call.strength, call.was_right(&ended));
        Some(Lesson { signal, made: call.made, ended: ended.at, strength, is_right, earned: ended.net })
    };
    let mut lessons: Vec<Lesson> = of_source.iter().enumerate().filter_map(lesson).collect();
    lessons.sort_by_key(|lesson| lesson.ended);
    let mut lessons = lessons.into_iter().peekable();
    let mut chances = Chances::default();
    let mut stated = Vec::new();
    for (index, call) in of_source {
        while let Some(lesson) = lessons.next_if(|lesson| lesson.ended < call.made) {
            chances.add(call.source, lesson);
        }
        stated.extend(chances.state(call.source, call.strength, call.made).map(|chance| (index, chance)));
    }
    stated
}

/// Results grouped by spans that follow one another: a span lasts as long as its first call, and what is made meanwhile belongs to it.
fn spans(ended: &[(&Call, Ended, Option<Stated>)]) -> Vec<Vec<f64>> {
    let mut spans: Vec<Vec<f64>> = Vec::new();
    let mut until = None;
    for (call, ended, _) in ended {
        match (spans.last_mut(), until) {
            (Some(span), Some(until)) if call.made < until => span.push(ended.net),
            _ => {
                until = Some(ended.at);
                spans.push(vec![ended.net]);
            }
        }
    }
    spans
}

fn forecasts(ended: &[(&Call, Ended, Option<Stated>)]) -> Option<Forecasts> {
    let known: Vec<(Stated, bool, u32)> =
        ended.iter().filter_map(|(call, ended, stated)| Some(((*stated)?, call.was_right(ended), call.horizon))).collect();
    let chances: Vec<f64> = known.iter().map(|(stated, ..)| stated.chance).collect();
    let bases: Vec<f64> = known.iter().map(|(stated, ..)| stated.base).collect();
    let outcomes: Vec<bool> = known.iter().map(|(_, right, _)| *right).collect();
    let losses = |chances: &[f64]| -> Vec<f64> {
        let missed =
            |(chance, right): (&f64, &bool)| (chance - f64::from(u8::from(*right))) * (chance - f64::from(u8::from(*right)));
        chances.iter().zip(&outcomes).map(missed).collect()
    };
    let horizon = known.iter().map(|(.., horizon)| usize::try_from(*horizon).unwrap_or(1)).max().unwrap_or(1);
    Some(Forecasts {
        calls: known.len(),
        brier: stats::brier(&chances, &outcomes)?,
        base: stats::brier(&bases, &outcomes)?,
        difference: stats::diebold_mariano(&losses(&chances), &losses(&bases), horizon),
        curve: stats::calibration_curve(&chances, &outcomes, GROUPS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::LEARNT_FROM;
    use crate::stats::{Generator, Logistic};

    /// Calls of one day each, the next made when the one before has ended, with this chance of being right at a strength.
    fn lived(count: usize, seed: u64, chance: impl Fn(f64) -> f64) -> Vec<Call> {
        let mut dice = Generator::new(seed);
        let call = |day: usize| {
            let strength = dice.normal();
            let right = stats::normal_cdf(dice.normal()) < chance(strength);
            let moved = if right { 0.01 } else { -0.01 };
            let at = |day: usize| MarketTime(i64::try_from(day).unwrap() * 86_400_000_000_000);
            Call {
                source: SignalSource::BaselineMomentum,
                instrument: InstrumentId(1),
                is_long: true,
                strength,
                horizon: 1,
                weather: Weather::Usual,
                passed: true,
                made: at(day),
                ended: Some(Ended { at: at(day + 1), moved, net: moved - 0.002 }),
            }
        };
        (0..count).map(call).collect()
    }

    #[test]
    fn a_planted_strength_is_learnt_and_stated_truly() {
        let truth = Logistic { intercept: 0.2, slope: 0.9 };
        let card = Scores::new(lived(4_000, 1, |strength| truth.chance(strength))).card(|_| true);
        let forecasts = card.forecasts.unwrap();
        assert_eq!((card.signals, card.right.of, card.independent), (4_000, 4_000, 4_000));
        // The one that ends as the thirty-first is made does not count for it yet.
        assert_eq!(forecasts.calls, 4_000 - LEARNT_FROM - 1);
        assert!(forecasts.brier < forecasts.base - 0.02, "{} against {}", forecasts.brier, forecasts.base);
        assert!(forecasts.difference.unwrap().p < 1e-6);
        for bin in &forecasts.curve {
            assert!((bin.stated - bin.happened).abs() < 0.04, "{bin:?}");
        }
    }

    #[test]
    fn a_strength_that_says_nothing_is_not_better_than_the_base_rate() {
        let mut found = 0;
        for seed in 0..40 {
            let forecasts = Scores::new(lived(400, seed, |_| 0.52)).card(|_| true).forecasts.unwrap();
            found += usize::from(forecasts.brier < forecasts.base && forecasts.difference.is_some_and(|test| test.p < 0.05));
        }
        assert!(found <= 4, "called better {found} times in 40");
    }

    #[test]
    fn a_chance_rests_on_what_had_ended_and_on_nothing_else() {
        let calls = lived(200, 3, |strength| if strength > 0.0 { 0.7 } else { 0.4 });
        let whole = Scores::new(calls.clone());
        let mut other = calls;
        for call in other.iter_mut().skip(120) {
            call.strength = -call.strength;
            call.ended = call.ended.map(|ended| Ended { moved: -ended.moved, ..ended });
        }
        let changed = Scores::new(other);
        let chances = |scores: &Scores| scores.calls.iter().take(120).map(|(_, stated)| *stated).collect::<Vec<_>>();
        assert_eq!(chances(&whole), chances(&changed), "what came later changed what was said before");
    }

    #[test]
    fn overlapping_calls_are_one_span() {
        let mut calls = lived(10, 4, |_| 0.5);
        for call in &mut calls {
            call.ended = call.ended.map(|ended| Ended { at: MarketTime(call.made.0 + 5 * 86_400_000_000_000), ..ended });
        }
        let scores = Scores::new(calls);
        let card = scores.card(|_| true);
        assert_eq!((card.right.of, card.independent, card.forecasts), (10, 2, None));
        assert_eq!(scores.card(|call| call.weather == Weather::Calm).expectancy, None);
    }
}
