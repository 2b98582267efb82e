//! Rehearsals: breakers trip on the days that another program finds, the same in every run, and keep what they promise.

use std::collections::BTreeMap;

use pmax::backtest::{self, Rehearsal, Scene};
use pmax::domain::{Currency, Money, Ratio, TradingState};
use pmax::engine::TapeRef;
use pmax::market::Player;
use pmax::risk::{Action, Rule, Rules, Subject, Unlock};

use crate::support::run;
use crate::world;

fn rehearsed(name: &str, change: impl Fn(&Rule) -> Rule) -> Rehearsal {
    let (tape, mut setup) = world::setup(name);
    setup.settings.breakers = Rules::new(setup.settings.breakers.iter().map(change).collect());
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 };
    let capital = Money::whole(100_000, Currency::USD).unwrap();
    let scene = Scene { setup, tape: tape_ref, capital, from: tape.start().unwrap(), until: None };
    let player = Player::new(&tape, 1);
    backtest::rehearse(&scene, || player.clone())
}

#[test]
fn every_breaker_trips_on_the_days_that_another_program_finds() {
    let oracle: BTreeMap<String, Vec<(String, String, u32)>> =
        serde_json::from_str(include_str!("../oracles/rehearsal.json")).unwrap();
    for (name, expected) in oracle {
        let warns = |rule: &Rule| Rule { action: Action::Warn, unlock: Unlock::Day, ..rule.clone() };
        let rehearsal = rehearsed(&name, warns);
        let watched = [
            "drawdown_warning",
            "drawdown",
            "daily_loss",
            "weekly_loss",
            "volatility_spike",
            "value_at_risk",
            "portfolio_risk",
            "correlation_breakdown",
        ];
        let of = |subject: Subject| match subject {
            Subject::Account => 0,
            Subject::Instrument(id) => id.0,
            Subject::Source(source) => panic!("{source:?} is not watched here"),
        };
        let found = rehearsal.guarded.trips.iter().filter(|(_, trip)| watched.contains(&trip.rule.as_str()));
        let mut found: Vec<_> =
            found.map(|(date, trip)| (date.to_string(), trip.rule.as_str().to_owned(), of(trip.subject))).collect();
        let mut expected = expected;
        // Within a day the order of what trips at the same price is the table's here and the script's there.
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{name}");
        assert_eq!(rehearsal.guarded.days, rehearsal.bare.days, "what only warns changes nothing");
    }
}

#[test]
fn the_shipped_breakers_keep_the_fall_near_the_stop() {
    for name in ["crash-2008", "crash-2020"] {
        let rehearsal = rehearsed(name, Rule::clone);
        let (guarded, bare) = (&rehearsal.guarded, &rehearsal.bare);
        let stop = guarded.trips.iter().find(|(_, trip)| trip.rule.as_str() == "drawdown").expect("the stop is reached");
        // What is lost beyond the stop is lost within the bar after it, in which everything is sold: no more than on the worst day there was.
        let falls = bare.days.windows(2).filter_map(|pair| pair[0].1.minus(pair[1].1).ok()?.ratio_to(pair[0].1));
        let worst = falls.max().unwrap();
        let most = Ratio::from_nanos(stop.1.value.nanos() + worst.nanos());
        assert!(guarded.max_drawdown <= most, "{name}: {:.2} % of {most:.2} %", guarded.max_drawdown);
        assert!(guarded.max_drawdown < bare.max_drawdown, "{name}");
        let last: Vec<_> = guarded.days.iter().rev().take(20).map(|(_, equity)| *equity).collect();
        assert!(last.iter().all(|equity| *equity == last[0]), "{name}: something is still held");
        assert!(guarded.states.iter().all(|(_, state)| *state == TradingState::Reducing));
        assert!(bare.trips.is_empty() && bare.cuts.is_empty());
        assert_eq!(rehearsal, rehearsed(name, Rule::clone), "{name}: the same in every run");
    }
}

#[test]
fn a_person_reads_when_what_tripped_and_a_script_gets_all_of_it() {
    let home = tempfile::tempdir().unwrap();
    let said = |line: &[&str]| {
        let output = run(line, &[], home.path());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for year in ["2008", "2020"] {
        insta::assert_snapshot!(format!("rehearse_{year}"), said(&["rehearse", year]).1);
    }
    let whole: serde_json::Value = serde_json::from_str(&said(&["rehearse", "2020", "--format", "json"]).1).unwrap();
    assert!(whole["guarded"]["trips"][0][1]["why"].as_str().unwrap().contains("the plan"));
    for (line, words) in [
        (&["rehearse", "1929"][..], "1929"),
        (&["rehearse", "2020", "--from", "2031-01-01"][..], "There is nothing to hold"),
        (&["rehearse", "2020", "--from", "soon"][..], "soon"),
    ] {
        let (code, _, error) = said(line);
        assert!(code == Some(1) && error.contains(words), "{code:?} {error}");
    }
}
