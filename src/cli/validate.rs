//! `pmax validate`: does a strategy look ahead?

use serde::Serialize;

use crate::cli::args::{Args, Format, Validate};
use crate::cli::open::Base;
use crate::cli::{DIFFERENT, Done, OK, say};
use crate::domain::{BrokerKind, InstrumentTable, MarketEvent};
use crate::engine::Setup;
use crate::market::{Player, Tape};
use crate::runtime::{RunTerms, Trouble};
use crate::signals::{Cheat, Finding, History, Proof, Ruling, Strategy, prove, strategies};

/// What was found of one strategy.
#[derive(Debug, Serialize)]
struct Proven {
    strategy: String,
    findings: Vec<Finding>,
}

/// Proves and reports.
pub fn run(args: &Args, options: &Validate) -> Done {
    let base = Base::open(args)?.trading_at(BrokerKind::Paper)?;
    let tape = base.tape()?;
    let RunTerms { seed, .. } = base.terms(args)?;
    let setup = base.setup(&tape);
    let histories = histories(&tape, seed, &base.instruments);
    let proven: Vec<Proven> = chosen(&setup, &options.strategies)?
        .into_iter()
        .map(|(index, strategy)| proven(&setup, index, strategy, &histories))
        .collect();
    let canary = prove(&|closes| Box::new(Cheat::new(closes)), &histories);
    let is_caught = [(Proof::Truncation, Ruling::Broken), (Proof::Mutation, Ruling::Broken), (Proof::Edge, Ruling::Fades)]
        .iter()
        .all(|(proof, ruling)| canary.iter().any(|finding| finding.proof == *proof && finding.ruling == *ruling));
    if options.format == Format::Json {
        let whole = serde_json::json!({"tape": tape.meta.name, "strategies": proven, "canary_caught": is_caught});
        say(&whole.to_string());
    } else {
        say(&format!("{} · {} series", tape.meta.name, histories.len()));
        proven.iter().for_each(|proven| print(proven, &base.instruments));
        say("");
        say(if is_caught {
            "canary         a strategy that reads tomorrow's close was caught by truncation, mutation and edge"
        } else {
            "canary         NOT CAUGHT: a strategy that reads tomorrow's close passed here, so these proofs prove nothing on this tape"
        });
    }
    let is_broken = proven.iter().flat_map(|proven| &proven.findings).any(|finding| finding.ruling == Ruling::Broken);
    Ok(if is_broken || !is_caught { DIFFERENT } else { OK })
}

fn all(setup: &Setup) -> Vec<Box<dyn Strategy>> {
    strategies(&setup.settings.strategies, &setup.settings.scripts, &setup.library)
}

/// The strategies that are named, all where none is.
fn chosen(setup: &Setup, names: &[String]) -> Result<Vec<(usize, String)>, Trouble> {
    let known: Vec<String> = all(setup).iter().map(|strategy| strategy.source().word().to_owned()).collect();
    let is_meant = |word: &str, name: &str| word == name || word.strip_prefix("baseline ") == Some(name);
    if let Some(stranger) = names.iter().find(|name| !known.iter().any(|word| is_meant(word, name))) {
        return Err(Trouble::new(
            format!("There is no strategy «{stranger}»; there are {}", known.join(", ")),
            "Nothing was proven",
            "Name one of them, or list the file of yours under strategies.scripts",
        ));
    }
    let is_wanted = |word: &String| names.is_empty() || names.iter().any(|name| is_meant(word, name));
    Ok(known.into_iter().enumerate().filter(|(_, word)| is_wanted(word)).collect())
}

fn proven(setup: &Setup, index: usize, strategy: String, histories: &[History]) -> Proven {
    // Shipped strategies and scripts are made from their settings alone; what they are given to be made from, they do not take.
    let make = |closes: &[f64]| -> Box<dyn Strategy> {
        let mut all = all(setup);
        if index < all.len() { all.swap_remove(index) } else { Box::new(Cheat::new(closes)) }
    };
    Proven { strategy, findings: prove(&make, histories) }
}

/// The closes of everything on the tape that can be traded.
fn histories(tape: &Tape, seed: u64, instruments: &InstrumentTable) -> Vec<History> {
    let mut histories: Vec<History> = Vec::new();
    for event in Player::new(tape, seed) {
        let MarketEvent::BarClosed { bar, .. } = event else { continue };
        if !instruments.get(bar.instrument).is_some_and(|instrument| instrument.tradable) {
            continue;
        }
        let index = histories.iter().position(|history| history.instrument == bar.instrument).unwrap_or(histories.len());
        if index == histories.len() {
            histories.push(History { instrument: bar.instrument, closes: Vec::new(), times: Vec::new() });
        }
        if let Some(history) = histories.get_mut(index) {
            history.closes.push(bar.close.to_f64());
            history.times.push(bar.close_at);
        }
    }
    histories
}

const fn words(finding: &Finding) -> &'static str {
    match (finding.proof, finding.ruling) {
        (Proof::Edge, Ruling::Fades) => "half or more of what it knows is gone one bar later: it could not be traded",
        (Proof::Edge, Ruling::Unproven) => "nothing it knows is more than chance, so nothing can fade",
        (proof, _) => proof.words(),
    }
}

fn print(proven: &Proven, instruments: &InstrumentTable) {
    say("");
    say(&proven.strategy);
    for finding in &proven.findings {
        let ruling = match finding.ruling {
            Ruling::Holds => "holds",
            Ruling::Broken => "BROKEN",
            Ruling::Fades => "FADES",
            Ruling::Unproven => "NOT PROVEN",
        };
        let (compared, views) = (finding.compared, finding.views);
        let measured = match (finding.proof, finding.edge) {
            (Proof::Edge, Some((now, then))) => {
                format!(
                    "{compared} calls that do not overlap: {:+.2} % from the close, {:+.2} % from one bar later",
                    now * 100.0,
                    then * 100.0
                )
            }
            (Proof::Edge, None) => "no calls".to_owned(),
            _ => format!("{compared} closes, {views} with a view"),
        };
        say(&format!("  {:<11} {ruling:<11} {} ({measured})", finding.proof.word(), words(finding)));
        if let Some(found) = &finding.counter_example {
            let symbol = instruments.symbol(found.instrument);
            say(&format!(
                "    first: {symbol} at {}, close {:.4}: {}; in the proof {}",
                found.at, found.close, found.thought, found.instead
            ));
        }
    }
}
