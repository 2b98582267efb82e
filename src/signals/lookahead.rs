//! Does a strategy look ahead? Six proofs on closes, each of which can fail, and a cheat that must be caught.
//!
//! A strategy is made anew for each proof from the data that is there, as a fitted one would be: so one that kept tomorrow's prices from
//! its making is seen through. Truncation: what is thought at a close is the same, bit for bit, when history ends there. Mutation: and
//! when all that follows is scrambled. Delay: data that come one bar later give the same thoughts one bar later. Edge: what a strategy
//! knows does not vanish one bar later, where it can be traded at the earliest. Warm-up: older history than it asks for changes nothing.
//! Twice: asked again, it thinks the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{InstrumentId, MarketTime};
use crate::signals::{AsOf, Strategy, Thought};
use crate::stats::{self, Clusters};

/// Closes the engine keeps at most.
const MOST_CLOSES: usize = 1_280;
/// Closes of a series at which each proof is tried: half of them where there was a view, as far as there were views.
const PROBES: usize = 60;
/// Calls from which an edge is measured, and its t statistic from which it is too large for chance.
const EDGE_CALLS: usize = 20;
const EDGE_STATISTIC: f64 = 3.0;
/// The share of such an edge that must be left one bar later.
const EDGE_KEPT: f64 = 0.5;

/// What is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// History ends where the thought is formed.
    Truncation,
    /// All that follows is scrambled.
    Mutation,
    /// The data come one bar later.
    Delay,
    /// The thought is acted on one bar later.
    Edge,
    /// Older history is left out.
    WarmUp,
    /// It is asked again.
    Twice,
}

/// How a proof came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// As it must.
    Holds,
    /// Not as it must: results of this strategy mean nothing.
    Broken,
    /// An edge that is gone one bar later, where it can be traded at the earliest: it cannot be earned, or it is not honest.
    Fades,
    /// No view to prove anything on, too few, or no edge that chance could not make.
    Unproven,
}

/// The closes of one instrument, oldest first, with the times at which they were known.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Whose.
    pub instrument: InstrumentId,
    /// Closes.
    pub closes: Vec<f64>,
    /// As many times.
    pub times: Vec<MarketTime>,
}

/// The first place at which a proof failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CounterExample {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// At which close.
    pub at: MarketTime,
    /// That close.
    pub close: f64,
    /// What was thought with everything at hand.
    pub thought: String,
    /// What was thought in the proof.
    pub instead: String,
}

/// One proof's result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Which proof.
    pub proof: Proof,
    /// How it came out.
    pub ruling: Ruling,
    /// Thoughts and abstentions that were compared; for the edge, calls.
    pub compared: usize,
    /// Those among them that were views.
    pub views: usize,
    /// The first failure.
    pub counter_example: Option<CounterExample>,
    /// For the edge: mean return in the direction of the calls from the close itself, and from one bar later.
    pub edge: Option<(f64, f64)>,
}

/// Makes a strategy from the closes that are at hand.
pub type Make<'a> = &'a dyn Fn(&[f64]) -> Box<dyn Strategy>;

impl Proof {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] = [Self::Truncation, Self::Mutation, Self::Delay, Self::Edge, Self::WarmUp, Self::Twice];

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Truncation => "truncation",
            Self::Mutation => "mutation",
            Self::Delay => "delay",
            Self::Edge => "edge",
            Self::WarmUp => "warm-up",
            Self::Twice => "twice",
        }
    }

    /// What it demands.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Truncation => "the same when history ends there",
            Self::Mutation => "the same when all that follows is scrambled",
            Self::Delay => "one bar later when the data come one bar later",
            Self::Edge => "what it knows is worth something one bar later too",
            Self::WarmUp => "the same without older history than it asks for",
            Self::Twice => "the same when asked again",
        }
    }
}

/// Tries all proofs on all histories.
pub fn prove(make: Make<'_>, histories: &[History]) -> Vec<Finding> {
    Proof::ALL
        .into_iter()
        .map(|proof| if proof == Proof::Edge { edge(make, histories) } else { compare(proof, make, histories) })
        .collect()
}

/// What is thought at a close, with everything before it that the engine would keep.
fn think(strategy: &dyn Strategy, closes: &[f64], at: usize) -> Option<Thought> {
    let seen = closes.get(..=at)?;
    strategy.look(&AsOf::new(seen.get(seen.len().saturating_sub(MOST_CLOSES)..)?))
}

fn compare(proof: Proof, make: Make<'_>, histories: &[History]) -> Finding {
    let mut finding = Finding { proof, ruling: Ruling::Unproven, compared: 0, views: 0, counter_example: None, edge: None };
    for history in histories {
        let whole = make(&history.closes);
        let thoughts: Vec<Option<Thought>> = (0..history.closes.len()).map(|at| think(&*whole, &history.closes, at)).collect();
        for at in probes(&thoughts, usize::try_from(whole.warm_up()).unwrap_or(usize::MAX)) {
            let thought = thoughts.get(at).cloned().flatten();
            let instead = in_proof(proof, make, &*whole, &history.closes, at);
            finding.compared += 1;
            finding.views += usize::from(thought.is_some());
            if thought != instead && finding.counter_example.is_none() {
                finding.counter_example = Some(CounterExample {
                    instrument: history.instrument,
                    at: history.times.get(at).copied().unwrap_or_default(),
                    close: history.closes.get(at).copied().unwrap_or(f64::NAN),
                    thought: told(thought.as_ref()),
                    instead: told(instead.as_ref()),
                });
            }
        }
    }
    finding.ruling = match (&finding.counter_example, finding.views) {
        (Some(_), _) => Ruling::Broken,
        (None, 0) => Ruling::Unproven,
        (None, _) => Ruling::Holds,
    };
    finding
}

/// Closes to try: some with a view, some from all over; none before the strategy has what it asks for.
fn probes(thoughts: &[Option<Thought>], warm_up: usize) -> Vec<usize> {
    let spread = |all: Vec<usize>| -> Vec<usize> {
        let step = all.len().div_ceil(PROBES / 2).max(1);
        all.into_iter().step_by(step).collect()
    };
    let views = (0..).zip(thoughts).filter(|(at, thought)| *at >= warm_up && thought.is_some()).map(|(at, _)| at).collect();
    let mut probes = spread(views);
    probes.extend(spread((warm_up..thoughts.len()).collect()));
    probes.sort_unstable();
    probes.dedup();
    probes
}

fn in_proof(proof: Proof, make: Make<'_>, whole: &dyn Strategy, closes: &[f64], at: usize) -> Option<Thought> {
    let past = closes.get(..=at)?;
    match proof {
        Proof::Truncation => think(&*make(past), past, at),
        Proof::Mutation => {
            let scrambled = scrambled_after(closes, at);
            think(&*make(&scrambled), &scrambled, at)
        }
        Proof::Delay => {
            let late: Vec<f64> = closes.first().into_iter().chain(closes).copied().collect();
            think(&*make(&late), &late, at + 1)
        }
        Proof::WarmUp => {
            let enough = past.len().checked_sub(usize::try_from(whole.warm_up()).ok()?)?;
            let short = closes.get(enough..)?;
            think(&*make(short), short, at - enough)
        }
        // The edge is measured, not compared.
        Proof::Twice | Proof::Edge => think(whole, closes, at),
    }
}

/// The same closes up to one of them, then others: half to one and a half times as high, by a fixed rule (Lehmer's generator).
fn scrambled_after(closes: &[f64], at: usize) -> Vec<f64> {
    let mut state = 48_271_u64 + at as u64;
    let other = |(index, close): (usize, &f64)| {
        if index <= at {
            return *close;
        }
        state = state * 48_271 % 2_147_483_647;
        close * (0.5 + state as f64 / 2_147_483_647.0)
    };
    closes.iter().enumerate().map(other).collect()
}

/// Calls that do not overlap, each over its own horizon: from its close, and from one bar later.
fn edge(make: Make<'_>, histories: &[History]) -> Finding {
    let (mut at_once, mut later, mut first, mut by_time) = (Vec::new(), Vec::new(), None, ByTime::default());
    for history in histories {
        let (closes, whole) = (&history.closes, make(&history.closes));
        let mut at = 0;
        while at < closes.len() {
            let Some(thought) = think(&*whole, closes, at) else {
                at += 1;
                continue;
            };
            let horizon = usize::try_from(thought.horizon_bars.max(1)).unwrap_or(usize::MAX);
            let earned = |from: usize| {
                let (entry, exit) = closes.get(from).zip(closes.get(from.checked_add(horizon)?))?;
                Some((exit / entry - 1.0) * thought.direction.sign())
            };
            if let Some((now, then)) = earned(at).zip(earned(at + 1)) {
                first = first.or_else(|| {
                    Some(CounterExample {
                        instrument: history.instrument,
                        at: *history.times.get(at)?,
                        close: *closes.get(at)?,
                        thought: format!("{}: {:+.2} % from its close", told(Some(&thought)), now * 100.0),
                        instead: format!("{:+.2} % from one bar later", then * 100.0),
                    })
                });
                by_time.add(history.times.get(at).copied().unwrap_or_default(), now);
                at_once.push(now);
                later.push(then);
            }
            at = at.saturating_add(horizon);
        }
    }
    let edge = stats::mean(&at_once).zip(stats::mean(&later));
    let statistic = by_time.statistic().filter(|_| at_once.len() >= EDGE_CALLS);
    let ruling = match (statistic, edge) {
        (Some(statistic), Some((now, then))) if statistic >= EDGE_STATISTIC => {
            if then < EDGE_KEPT * now {
                Ruling::Fades
            } else {
                Ruling::Holds
            }
        }
        _ => Ruling::Unproven,
    };
    let counter_example = first.filter(|_| ruling == Ruling::Fades);
    Finding { proof: Proof::Edge, ruling, compared: at_once.len(), views: at_once.len(), counter_example, edge }
}

/// What calls earned, by the close they were made at: instruments move together, so those of one close are one piece of evidence.
#[derive(Default)]
struct ByTime(BTreeMap<MarketTime, (f64, u64)>);

impl ByTime {
    fn add(&mut self, at: MarketTime, earned: f64) {
        let (sum, count) = self.0.entry(at).or_default();
        (*sum, *count) = (*sum + earned, *count + 1);
    }

    /// The mean in standard errors.
    fn statistic(&self) -> Option<f64> {
        let mut clusters = Clusters::default();
        self.0.values().for_each(|(sum, count)| clusters.add(*sum, *count));
        Some(clusters.mean()? / clusters.error_with_neighbours().filter(|error| *error > 0.0)?)
    }
}

fn told(thought: Option<&Thought>) -> String {
    thought.map_or_else(
        || "no view".to_owned(),
        |thought| format!("{} {:.4} ({})", thought.direction, thought.strength, thought.rationale),
    )
}
