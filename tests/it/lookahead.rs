//! No shipped strategy and no example looks ahead, and each proof goes red for a cheat of its own kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pmax::domain::{Direction, InstrumentId, MarketEvent, MarketTime, SignalSource};
use pmax::market::{self, Player};
use pmax::signals::{AsOf, Cheat, Finding, History, Proof, Ruling, Strategy, Thought, prove, strategies};

use crate::scripts::{BREAKOUT, examples, home, said};
use crate::world;

/// Closes of everything on a tape, a few of its series.
fn histories(tape: &str, most: usize) -> Vec<History> {
    let tape = market::load(tape).unwrap();
    let mut histories: Vec<History> = Vec::new();
    for event in Player::new(&tape, 1) {
        let MarketEvent::BarClosed { bar, .. } = event else { continue };
        let known = histories.iter().position(|history| history.instrument == bar.instrument);
        let index = known.unwrap_or_else(|| {
            histories.push(History { instrument: bar.instrument, closes: vec![], times: vec![] });
            histories.len() - 1
        });
        histories[index].closes.push(bar.close.to_f64());
        histories[index].times.push(bar.close_at);
    }
    histories.truncate(most);
    histories
}

/// A walk without any skill in it.
fn walk(length: usize) -> Vec<History> {
    let mut state = 7_u64;
    let mut price = 100.0;
    let closes: Vec<f64> = (0..length)
        .map(|_| {
            state = state * 48_271 % 2_147_483_647;
            price *= 1.0 + 0.02 * (state as f64 / 2_147_483_647.0 - 0.5);
            price
        })
        .collect();
    let times = (0..length).map(|day| MarketTime(i64::try_from(day).unwrap() * 86_400_000_000_000)).collect();
    vec![History { instrument: InstrumentId(1), closes, times }]
}

fn ruling(findings: &[Finding], proof: Proof) -> Ruling {
    findings.iter().find(|finding| finding.proof == proof).unwrap().ruling
}

fn broken(findings: &[Finding]) -> Vec<Proof> {
    findings.iter().filter(|finding| finding.ruling == Ruling::Broken).map(|finding| finding.proof).collect()
}

#[test]
fn no_shipped_strategy_and_no_example_looks_ahead() {
    let (_, mut setup) = world::setup("crash-2020");
    let library = examples();
    setup.settings.scripts = pmax::signals::Scripts::of(&library);
    let all = || strategies(&setup.settings.strategies, &setup.settings.scripts, &library);
    assert_eq!(all().len(), 4, "both baselines and both examples");
    for tape in ["crash-2020", "crash-2008"] {
        let histories = histories(tape, 6);
        for index in 0..all().len() {
            let name = all()[index].source();
            let findings = prove(&|_| all().swap_remove(index), &histories);
            assert_eq!(broken(&findings), [], "{name:?} on {tape}: {findings:#?}");
            for proof in [Proof::Truncation, Proof::Mutation, Proof::Delay, Proof::WarmUp, Proof::Twice] {
                assert_eq!(ruling(&findings, proof), Ruling::Holds, "{name:?} on {tape}: {proof:?}");
            }
        }
    }
}

#[test]
fn a_strategy_that_reads_tomorrow_is_caught() {
    for histories in [histories("crash-2020", 3), walk(300)] {
        let findings = prove(&|closes| Box::new(Cheat::new(closes)), &histories);
        assert_eq!(broken(&findings), [Proof::Truncation, Proof::Mutation], "{findings:#?}");
        assert_eq!(ruling(&findings, Proof::Edge), Ruling::Fades, "{findings:#?}");
        let first = findings[0].counter_example.as_ref().unwrap();
        assert!(first.thought.contains("tomorrow") && first.instead == "no view", "{first:?}");
        let (now, then) = findings[3].edge.unwrap();
        assert!(now > 0.0 && then < now / 2.0, "{now} {then}");
    }
}

/// Does something else wrong than to look ahead.
#[derive(Clone)]
enum Wrong {
    /// Counts closes: its thoughts hang on the calendar.
    Counts,
    /// Uses all of history though it asks for three closes.
    Hoards,
    /// Remembers how often it was asked.
    Remembers(Arc<AtomicU32>),
}

impl Strategy for Wrong {
    fn source(&self) -> SignalSource {
        SignalSource::BaselineReversal
    }

    fn warm_up(&self) -> u32 {
        3
    }

    fn look(&self, as_of: &AsOf<'_>) -> Option<Thought> {
        let closes = as_of.closes();
        let strength = match self {
            Self::Counts => (closes.len() % 5) as f64,
            Self::Hoards => closes.iter().sum::<f64>() / closes.len() as f64,
            Self::Remembers(asked) => f64::from(asked.fetch_add(1, Ordering::Relaxed)),
        };
        Some(Thought { direction: Direction::Long, strength, horizon_bars: 5, rationale: String::new() })
    }
}

#[test]
fn other_wrongs_are_told_apart() {
    let found = |wrong: Wrong| broken(&prove(&|_| Box::new(wrong.clone()), &walk(300)));
    assert_eq!(found(Wrong::Counts), [Proof::Delay, Proof::WarmUp]);
    assert!(found(Wrong::Hoards).contains(&Proof::WarmUp) && !found(Wrong::Hoards).contains(&Proof::Truncation));
    assert!(found(Wrong::Remembers(Arc::default())).contains(&Proof::Twice));
}

/// Never has a view.
struct Silent;

impl Strategy for Silent {
    fn source(&self) -> SignalSource {
        SignalSource::BaselineReversal
    }

    fn warm_up(&self) -> u32 {
        3
    }

    fn look(&self, _: &AsOf<'_>) -> Option<Thought> {
        None
    }
}

#[test]
fn who_never_has_a_view_proves_nothing() {
    let findings = prove(&|_| Box::new(Silent), &walk(100));
    assert!(findings.iter().all(|finding| finding.ruling == Ruling::Unproven), "{findings:#?}");
}

#[test]
fn one_command_proves_and_names_what_it_proved() {
    let home = home(BREAKOUT);
    let (code, out, error) = said(home.path(), &["validate", "breakout", "--tape", "eurusd-2017"]);
    assert_eq!(code, Some(0), "{out} {error}");
    for part in
        ["breakout\n", "truncation  holds", "mutation    holds", "warm-up     holds", "twice       holds", "was caught by"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("momentum"), "{out}");
    let (code, out, _) = said(home.path(), &["validate", "--format", "json"]);
    let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, whole["strategies"].as_array().unwrap().len()), (Some(0), 3));
    assert_eq!(whole["canary_caught"], true);
    let (code, _, error) = said(home.path(), &["validate", "oracle"]);
    assert!(code == Some(1) && error.contains("baseline momentum, baseline reversal, breakout"), "{error}");
}
