//! A lived run against a test of the same decisions.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::run;

/// Trades at random until so many orders are acknowledged, and dies without a word.
fn drill(home: &Path, orders: usize, more: &[&str]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pmax"))
        .args(more)
        .args(["drill", "--orders-per-second", "200"])
        .env_clear()
        .env("PMAX_HOME", home)
        .env("HOME", home)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = lines.map_while(Result::ok).take(orders).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(acknowledged, orders, "the drill ended before");
}

fn parity(home: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let args: Vec<&str> = ["parity"].iter().chain(args).chain(&["--format", "json"]).copied().collect();
    let output = run(&args, &[], home);
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), said)
}

fn count(said: &Value, part: &str) -> usize {
    said["parity"][part].as_array().unwrap().len()
}

#[test]
fn a_paper_run_is_its_own_test_to_the_last_digit() {
    let home = tempfile::tempdir().unwrap();
    drill(home.path(), 300, &[]);
    let (code, said) = parity(home.path(), &[]);
    let same = said["parity"]["same"].as_u64().unwrap();
    assert_eq!((code, &said["parity"]["agrees"]), (Some(0), &true.into()), "{said}");
    assert!(same >= 40, "{same} positions are too few to show anything");
    let shortfall = &said["parity"]["shortfall"];
    assert_eq!((&shortfall["mean"], shortfall["entries"].as_u64()), (&0.0.into(), Some(same)));
    let (code, none) = parity(home.path(), &["1", "--day", "1999-01-04"]);
    assert_eq!((code, none["parity"]["same"].as_u64()), (Some(0), Some(0)));
    let text = String::from_utf8(run(&["parity"], &[], home.path()).stdout).unwrap();
    assert!(text.contains(&format!("to the last digit   {same} positions")), "{text}");
}

/// A dealer fills at the quotes on the screen, a test at the next bar: both are told, trade by trade, and how far apart entries lie.
#[test]
fn what_a_broker_did_otherwise_is_told_trade_by_trade() {
    let home = tempfile::tempdir().unwrap();
    drill(home.path(), 80, &["--broker", "xapi"]);
    let (code, said) = parity(home.path(), &["run-1"]);
    assert_eq!((code, &said["parity"]["agrees"]), (Some(3), &false.into()), "{said}");
    assert!(count(&said, "different") > 0, "{said}");
    assert!(said["parity"]["shortfall"]["entries"].as_u64().unwrap() > 0, "{said}");
    let text = String::from_utf8(run(&["parity"], &[], home.path()).stdout).unwrap();
    assert!(text.contains("as lived") && text.contains("bp worse than tested"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_said_in_one_sentence() {
    let home = tempfile::tempdir().unwrap();
    let none = run(&["parity"], &[], home.path());
    assert_eq!(none.status.code(), Some(1));
    drill(home.path(), 1, &[]);
    let wrong = run(&["parity", "--day", "yesterday"], &[], home.path());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("«yesterday» is not a date"), "{wrong:?}");
    assert_eq!(run(&["parity", "99"], &[], home.path()).status.code(), Some(1));
}

/// One recorded fill is altered: that very position is told, with what differs.
#[test]
fn a_fill_that_no_test_makes_is_found() {
    let home = tempfile::tempdir().unwrap();
    drill(home.path(), 250, &[]);
    let ledger = Connection::open(home.path().join("ledger.db")).unwrap();
    ledger.execute_batch("DROP TRIGGER journal_never_changes").unwrap();
    let like = r#"%"filled"%"closes":false%"#;
    let sql = "SELECT seq, payload FROM journal WHERE payload LIKE ?1 AND payload LIKE '%\"broker\"%' ORDER BY seq LIMIT 1";
    let (seq, payload): (i64, String) = ledger.query_row(sql, [like], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut input: Value = serde_json::from_str(&payload).unwrap();
    let fill = &mut input["body"]["broker"]["filled"];
    let order = fill["order"].clone();
    assert!(fill["price"].is_string(), "{payload}");
    fill["price"] = "1".into();
    ledger.execute("UPDATE journal SET payload = ?1 WHERE seq = ?2", (input.to_string(), seq)).unwrap();
    drop(ledger);
    let (code, said) = parity(home.path(), &[]);
    let different = said["parity"]["different"].as_array().unwrap();
    assert_eq!((code, different.len()), (Some(3), 1), "{said}");
    assert_eq!(different[0]["lived"]["trade"]["order"], order);
    let parts = different[0]["parts"].as_array().unwrap();
    assert!(parts.contains(&"entry".into()) && !parts.contains(&"quantity".into()), "{parts:?}");
}
