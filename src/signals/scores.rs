//! Scorecards over signals whose horizon has ended: what was right, what it earned after cost, how good the stated chances are.
//!
//! Chances are stated out of sample, as the engine states them (`signals/chances.rs`). Beside them stands what needs no skill: the share
//! of earlier signals that was right, whatever the strength. Horizons overlap and instruments move together, so the number of independent outcomes is that
//! of spans that follow one another, and intervals of means are taken over those.

use std::collections::BTreeMap;

use crate::domain::{InstrumentId, Layer, SignalId, SignalSource, Verdict, counted};
use crate::signals::chances::{Chances, LEARNT_FROM, Lesson, Stated};
use crate::signals::{Call, Ended, Weather};
use crate::stats::{self, Bin, Clusters, Interval, Observed, Tested};

/// Groups of a calibration curve.
const GROUPS: usize = 5;
/// Spans below which their Sharpe ratio and its interval say nothing: both hold for many only.
const LEAST_SPANS: usize = 10;

/// A share of a count, with Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// About so many of them are independent.
    pub independent: usize,
}

impl Part {
    /// The share; nothing of nothing.
    pub fn rate(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Its interval, from as many as are independent.
    pub fn interval(self) -> Option<Interval> {
        stats::wilson_95_of(self.rate()?, self.independent as f64)
    }
}

/// What scorecards are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Who made the signal.
    Source,
    /// What it was about.
    Instrument,
    /// How stormy the market was.
    Regime,
    /// How many bars it looked ahead.
    Horizon,
    /// Whether the layers let it through.
    Verdict,
    /// The layer that refused it.
    Layer,
    /// Whether it was made before the run began or since.
    Start,
}

impl By {
    /// All of them, in the order shown.
    pub const ALL: [Self; 7] =
        [Self::Source, Self::Instrument, Self::Regime, Self::Horizon, Self::Verdict, Self::Layer, Self::Start];

    /// The one shown after it.
    pub const fn next(self) -> Self {
        match self {
            Self::Source => Self::Instrument,
            Self::Instrument => Self::Regime,
            Self::Regime => Self::Horizon,
            Self::Horizon => Self::Verdict,
            Self::Verdict => Self::Layer,
            Self::Layer => Self::Start,
            Self::Start => Self::Source,
        }
    }

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Instrument => "instrument",
            Self::Regime => "regime",
            Self::Horizon => "horizon",
            Self::Verdict => "verdict",
            Self::Layer => "layer",
            Self::Start => "start",
        }
    }

    const fn key(self, call: &Call) -> Key {
        match self {
            Self::Source => Key::Source(call.source),
            Self::Instrument => Key::Instrument(call.instrument),
            Self::Regime => Key::Regime(call.weather),
            Self::Horizon => Key::Horizon(call.horizon),
            Self::Verdict => Key::Passed(call.passed()),
            Self::Layer => Key::RefusedBy(call.refused_by),
            Self::Start => Key::WarmUp(call.is_warm_up),
        }
    }
}

/// What all signals of a scorecard have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Nothing: it is the scorecard of all.
    All,
    /// Whose.
    Source(SignalSource),
    /// About what.
    Instrument(InstrumentId),
    /// The market.
    Regime(Weather),
    /// Bars looked ahead.
    Horizon(u32),
    /// Whether the layers let it through.
    Passed(bool),
    /// The first layer that refused; nothing for what was kept.
    RefusedBy(Option<Layer>),
    /// Whether it was made before the run began.
    WarmUp(bool),
}

impl Key {
    /// The words shown; an instrument's are for whoever has the table.
    pub fn words(self, symbol: impl FnOnce(InstrumentId) -> String) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Source(source) => source.word().to_owned(),
            Self::Instrument(id) => symbol(id),
            Self::Regime(weather) => weather.word().to_owned(),
            Self::Horizon(bars) => counted(u64::from(bars), "bar"),
            Self::Passed(true) | Self::RefusedBy(None) => "kept".to_owned(),
            Self::Passed(false) => "refused".to_owned(),
            Self::RefusedBy(Some(layer)) => format!("refused: {}", layer.word()),
            Self::WarmUp(true) => "before the run".to_owned(),
            Self::WarmUp(false) => "since it began".to_owned(),
        }
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
    /// Those among them from before the run began: nobody could have traded them.
    pub warm_up: usize,
    /// Those whose direction was right before cost, of those that ended.
    pub right: Part,
    /// Those after which the price rose: what "always up" had right.
    pub rose: Part,
    /// Those that earned something after cost.
    pub paid: Part,
    /// Spans that follow one another: about so many outcomes are independent.
    pub independent: usize,
    /// Mean return after cost of a signal.
    pub expectancy: Option<f64>,
    /// Its 95 % interval, in which only spans that follow one another are independent.
    pub expectancy_interval: Option<Interval>,
    /// PASS where the interval that holds at every look lies above zero, FAIL where it lies below, NOT PROVEN else and below
    /// [`LEARNT_FROM`] spans.
    pub verdict: Verdict,
    /// Gains over losses after cost; nothing without a loss.
    pub profit_factor: Option<f64>,
    /// Mean over standard deviation of the spans' means, and its 95 % interval (Mertens 2002). Per span, not a year.
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

    /// The same without chances, which take time where there are thousands of calls.
    pub fn without_chances(mut calls: Vec<Call>) -> Self {
        calls.sort_by_key(|call| call.made);
        Self { calls: calls.into_iter().map(|call| (call, None)).collect() }
    }

    /// The scorecard of all calls that are meant.
    pub fn card(&self, is_meant: impl Fn(&Call) -> bool) -> Card {
        let meant: Vec<&(Call, Option<Stated>)> = self.calls.iter().filter(|(call, _)| is_meant(call)).collect();
        let ended: Vec<(&Call, Ended, Option<Stated>)> =
            meant.iter().filter_map(|(call, stated)| Some((call, call.ended?, *stated))).collect();
        let spans = spans(&ended);
        let part = |is_it: &dyn Fn(&Call, &Ended) -> bool| Part {
            count: ended.iter().filter(|(call, ended, _)| is_it(call, ended)).count(),
            of: ended.len(),
            independent: spans.len(),
        };
        let means: Vec<f64> = spans.iter().filter_map(|span| stats::mean(span)).collect();
        let mut clusters = Clusters::default();
        spans.iter().for_each(|span| clusters.add(span.iter().sum(), span.len() as u64));
        let results: Vec<f64> = ended.iter().map(|(_, ended, _)| ended.net).collect();
        Card {
            signals: meant.len(),
            warm_up: meant.iter().filter(|(call, _)| call.is_warm_up).count(),
            right: part(&Call::was_right),
            rose: part(&|_, ended| ended.moved > 0.0),
            paid: part(&|_, ended| ended.net > 0.0),
            independent: spans.len(),
            expectancy: clusters.mean(),
            expectancy_interval: clusters.interval_95(),
            verdict: verdict(&clusters),
            profit_factor: stats::profit_factor(&results),
            sharpe: Observed::of(&means, 0.0)
                .filter(|_| means.len() >= LEAST_SPANS)
                .map(|observed| (observed.sharpe, observed.interval(0.95))),
            forecasts: forecasts(&ended),
        }
    }

    /// Every call in the order they were made, with its chance where one could be stated then.
    pub fn stated(&self) -> impl Iterator<Item = (&Call, Option<Stated>)> {
        self.calls.iter().map(|(call, stated)| (call, *stated))
    }

    /// One card for all, then one for each value that some call has, in order.
    pub fn cards(&self, by: By) -> Vec<(Key, Card)> {
        let mut keys: Vec<Key> = self.calls.iter().map(|(call, _)| by.key(call)).collect();
        keys.sort();
        keys.dedup();
        let all = (Key::All, self.card(|_| true));
        std::iter::once(all).chain(keys.into_iter().map(|key| (key, self.card(|call| by.key(call) == key)))).collect()
    }
}

fn verdict(spans: &Clusters) -> Verdict {
    let is_enough = usize::try_from(spans.groups()).is_ok_and(|groups| groups >= LEARNT_FROM);
    match spans.interval_at_every_look(0.05).filter(|_| is_enough) {
        Some(interval) if interval.low > 0.0 => Verdict::Pass,
        Some(interval) if interval.high < 0.0 => Verdict::Fail,
        Some(_) | None => Verdict::NotProven,
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
    use crate::domain::MarketTime;
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
                refused_by: None,
                is_warm_up: false,
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
