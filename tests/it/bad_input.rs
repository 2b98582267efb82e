//! Bad input gets one plain sentence — what, what is safe, what to do — and never a panic.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::support::run;

/// Runs the program, expects this exit code and these words on standard error.
fn refused(args: &[&str], env: &[(&str, &str)], home: &Path, code: i32, words: &[&str]) {
    let output = run(args, env, home);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{args:?} should say «{word}» but said: {said}");
    }
}

/// A ledger with one short run in it.
fn with_ledger() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_pmax"))
        .args(["drill", "--orders-per-second", "100"])
        .env_clear()
        .env("PMAX_HOME", home.path())
        .env("HOME", home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.starts_with("ack "), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
    home
}

#[test]
fn a_wrong_configuration_is_named_with_file_and_line() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("pmax.toml"), "[risk]\ndayly_loss = 0.01\n").unwrap();
    refused(&["tapes", "--format", "json"], &[], home.path(), 0, &[]);
    refused(&["status"], &[], home.path(), 1, &["line 2", "risk.daily_loss", "Nothing was started"]);
    refused(&["status"], &[("PMAX_RISK_DAYLY_LOSS", "1")], home.path(), 1, &["PMAX_RISK_DAILY_LOSS"]);
    fs::write(home.path().join("pmax.toml"), "[keys]\npalette = \"f12\"\n").unwrap();
    refused(&["render"], &[], home.path(), 1, &["kill switch"]);
    refused(&["status", "--config", "missing.toml"], &[], home.path(), 1, &["missing.toml"]);
}

#[test]
fn wrong_words_on_the_command_line_are_explained() {
    let home = tempfile::tempdir().unwrap();
    refused(&["render", "--size", "wide"], &[], home.path(), 1, &["160x45"]);
    refused(&["render", "--at", "yesterday"], &[], home.path(), 1, &["2020-03-16"]);
    refused(&["render", "--tape", "crash-1929"], &[], home.path(), 1, &["crash-2020", "pmax tapes"]);
    refused(&["replay", "1"], &[], home.path(), 1, &["no ledger"]);
    refused(&["fly"], &[], home.path(), 2, &["fly"]);
    refused(&[], &[], home.path(), 1, &["terminal", "pmax render"]);
}

#[test]
fn a_damaged_tape_is_refused_and_the_ledger_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let tape = home.path().join("mine.parquet");
    fs::write(&tape, "not a tape").unwrap();
    refused(&["render", "--tape", tape.to_str().unwrap()], &[], home.path(), 1, &["not Parquet", "ledger was not touched"]);
}

#[test]
fn a_changed_or_cut_journal_is_found() {
    let home = with_ledger();
    let database = home.path().join("ledger.db");
    assert_eq!(run(&["journal", "verify"], &[], home.path()).status.code(), Some(0));

    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let copy = fs::read(&database).unwrap();
    connection.execute_batch("DROP TRIGGER journal_never_changes").unwrap();
    connection.execute("UPDATE journal SET payload = replace(payload, 'buy', 'sell') WHERE seq = (SELECT min(seq) FROM journal WHERE payload LIKE '%buy%')", []).unwrap();
    drop(connection);
    refused(&["journal", "verify"], &[], home.path(), 3, &["changed or cut at entry", "Nothing was changed"]);

    fs::write(&database, &copy).unwrap();
    let head = fs::read_to_string(home.path().join("ledger.head")).unwrap_or_else(|_| "0 ".to_owned());
    let number: u64 = head.split(' ').next().unwrap().parse().unwrap();
    fs::write(home.path().join("ledger.head"), format!("{} {}\n", number.max(1) + 100_000, "ab".repeat(32))).unwrap();
    refused(&["journal", "verify"], &[], home.path(), 3, &["missing in it"]);
    refused(&["drill"], &[], home.path(), 1, &["changed or cut"]);
}

#[test]
fn a_damaged_or_newer_database_is_refused_and_kept() {
    let home = with_ledger();
    let database = home.path().join("ledger.db");
    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 99;").unwrap();
    drop(connection);
    refused(&["drill"], &[], home.path(), 1, &["schema 99", "newer"]);
    refused(&["status"], &[], home.path(), 1, &["schema 99"]);

    let mut bytes = fs::read(&database).unwrap();
    for byte in bytes.iter_mut().skip(4_096).take(40_000) {
        *byte = 0x5A;
    }
    fs::write(&database, &bytes).unwrap();
    let output = run(&["drill"], &[], home.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Nothing was changed") && !said.contains("panicked"), "{said}");
    assert_eq!(fs::read(&database).unwrap(), bytes, "a damaged file is kept as it is");
}

#[test]
fn kill_needs_nothing_but_the_folder() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("pmax.toml"), "rubbish").unwrap();
    let output = run(&["kill", "fire drill"], &[], home.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(fs::read_to_string(home.path().join("KILL")).unwrap().contains("fire drill"));
}
