//! What is typed at the program and into its command line, and what it says back.

use crossterm::event::KeyCode;
use pmax::runtime::Palette;
use serde_json::Value;

use crate::stage::{Stage, lived};
use crate::support::run;
use crate::world;

fn typed(line: &str) -> Stage {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys(":");
    stage.keys(line);
    stage.press(KeyCode::Enter);
    stage
}

#[test]
fn an_account_begins_with_a_sum_that_can_be() {
    for line in ["reset -5", "reset 0", "reset 2000000000", "reset many"] {
        let stage = typed(line);
        assert!(stage.state.overlays.is_empty(), "{line}: {}", stage.text());
        let text = stage.text();
        assert!(text.contains("`reset` takes 1 to 1,000,000,000 dollars") || text.contains("is not an amount"), "{line}: {text}");
    }
    assert!(typed("reset 50000").text().contains("begins anew with 50,000.00 USD"));
}

#[test]
fn a_jump_says_in_which_time_it_was_read_and_does_not_go_past_the_end() {
    let text = typed("jump 2020-03-16").text();
    assert!(text.contains("The tape runs ahead to 2020-03-16 00:00 UTC, 2020-03-15 20:00 in New York."), "{text}");
    let stage = typed("jump 2031-01-01");
    assert!(stage.state.overlays.is_empty());
    assert!(stage.text().contains("the tape ends on 2020-07-31"), "{}", stage.text());
}

#[test]
fn a_group_made_on_the_screen_can_be_deleted_and_one_of_the_file_cannot() {
    let mut stage = typed("group tech add AAPL MSFT");
    assert_eq!(stage.state.group, "tech");
    let line = |stage: &mut Stage, text: &str| {
        stage.keys(":");
        stage.keys(text);
        stage.press(KeyCode::Enter);
        stage.text()
    };
    line(&mut stage, "group tech delete");
    assert!(stage.state.group.is_empty() && !stage.state.own_groups.contains_key("tech"), "what is deleted is not shown on");
    assert!(line(&mut stage, "group tech delete").contains("there is no group «tech»"));
    assert!(line(&mut stage, "group metals delete").contains("stands in the configuration file"), "{}", stage.text());
}

#[test]
fn the_end_of_a_tape_says_how_to_go_on() {
    for size in [(120, 40), (80, 24)] {
        let stage = Stage::new(world::lived_until("2030-01-01"), size, Palette::GreenRed);
        let text = stage.text();
        assert!(text.contains("the tape has ended, nothing fills any more — `pmax --new` begins a new run"), "{text}");
        if size == (120, 40) {
            insta::assert_snapshot!("tape_end_120x40", stage.shot());
        }
    }
}

#[test]
fn a_start_past_the_end_of_the_tape_is_refused_with_what_it_covers() {
    let home = tempfile::tempdir().unwrap();
    let output = run(&["--from", "2031-01-01", "drill"], &[], home.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "--from 2031-01-01T00:00:00Z is past the end of tape crash-2020",
        "covers 2019-06-03",
        "to 2020-08-01T00:00:00Z",
        "pmax tapes",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!home.path().join("ledger.db").exists(), "the ledger was not touched");
}

fn json(args: &[&str], home: &std::path::Path) -> Value {
    let output = run(args, &[], home);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_a_script_asks_is_answered_in_json() {
    let home = tempfile::tempdir().unwrap();
    let info = json(&["info", "--format", "json"], home.path());
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["files"]["ledger"]["path"], home.path().join("ledger.db").display().to_string());
    assert_eq!(info["files"]["ledger"]["exists"], false);
    let kill = json(&["kill", "smoke", "--format", "json"], home.path());
    assert_eq!((&kill["fired"], &kill["running"], &kill["why"]), (&true.into(), &false.into(), &"smoke".into()));
    assert_eq!(json(&["info", "--format", "json"], home.path())["files"]["kill_file"]["exists"], true);
}

#[test]
fn scores_are_kept_by_every_key_and_a_run_that_is_not_there_is_said() {
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ledger-0.1.0.db"), home.path().join("ledger.db")).unwrap();
    let mut signals = Vec::new();
    for by in ["source", "instrument", "regime", "horizon", "verdict"] {
        let output = run(&["scores", "--run", "1", "--by", by, "--format", "json"], &[], home.path());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let cards = said["cards"].as_array().unwrap();
        let count = |card: &serde_json::Value| card["signals"].as_u64().unwrap();
        let (all, parts) = (count(&cards[0]), cards.iter().skip(1).map(count).sum::<u64>());
        assert_eq!(all, parts, "every signal is on one card by {by}");
        signals.push(all);
    }
    assert!(signals[0] > 0 && signals.iter().all(|count| *count == signals[0]), "{signals:?}");
    let text = run(&["scores"], &[], home.path());
    assert!(String::from_utf8_lossy(&text.stdout).contains("always up"), "{text:?}");
    let none = run(&["scores", "--run", "99"], &[], home.path());
    assert_eq!(none.status.code(), Some(1));
}
