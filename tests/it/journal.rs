//! The journal's own rules, and the journal of this release for the upcasters of later ones.

use std::fs;
use std::path::{Path, PathBuf};

use pmax::domain::{Actor, LedgerId, MarketTime, RunId, WallTime};
use pmax::engine::{Command, Input, InputBody};
use pmax::market::{self, Player};
use pmax::runtime;
use pmax::store::{self, Body, Entry, LedgerFile};
use rusqlite::Connection;

use crate::world;

fn entry(index: u64) -> Entry {
    let body = InputBody::Command { actor: Actor::Person, command: Command::ArmPaper };
    Entry { market_index: index, market_at: MarketTime(5), body: Body::Input(Input { wall: WallTime(7), body }) }
}

fn fresh(folder: &Path) -> (PathBuf, LedgerFile) {
    let path = folder.join("ledger.db");
    let file = LedgerFile::open(&path, LedgerId(77)).unwrap();
    (path, file)
}

#[test]
fn rows_are_added_at_the_end_and_never_touched_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut file) = fresh(folder.path());
    file.append(RunId(1), &[entry(0), entry(1)]).unwrap();
    let outside = Connection::open(&path).unwrap();
    let row = "(run, market_index, market_at, kind, version, payload, hash, seq) VALUES (1, 0, 0, 'input.timer', 1, '{}', zeroblob(32), ";
    for attack in [
        "UPDATE journal SET payload = '{}' WHERE seq = 1".to_owned(),
        "DELETE FROM journal WHERE seq = 2".to_owned(),
        format!("INSERT OR REPLACE INTO journal {row} 2)"),
        format!("REPLACE INTO journal {row} 1)"),
        format!("INSERT OR IGNORE INTO journal {row} 9)"),
        format!("INSERT INTO journal {row} 1) ON CONFLICT (seq) DO UPDATE SET payload = '{{}}'"),
    ] {
        assert!(outside.execute(&attack, []).is_err(), "{attack}");
    }
    assert_eq!(store::verify(&file).unwrap().entries, 2);
}

#[test]
fn a_batch_is_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut file) = fresh(folder.path());
    file.append(RunId(1), &[entry(0)]).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON journal WHEN NEW.seq = 3 BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .unwrap();
    assert!(file.append(RunId(1), &[entry(1), entry(2)]).is_err());
    assert_eq!(store::verify(&file).unwrap().entries, 1);
    assert_eq!(file.last_seq().0, 1);
}

#[test]
fn the_end_of_the_chain_is_anchored() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut file) = fresh(folder.path());
    file.append(RunId(1), &[entry(0)]).unwrap();
    drop(file);
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let older = fs::read(&path).unwrap();
    let mut file = LedgerFile::open(&path, LedgerId(1)).unwrap();
    assert_eq!(file.ledger(), LedgerId(77), "a ledger keeps its number");
    file.append(RunId(1), &[entry(1)]).unwrap();
    file.anchor().unwrap();
    drop(file);
    for side in ["ledger.db-wal", "ledger.db-shm"] {
        fs::remove_file(folder.path().join(side)).ok();
    }
    fs::write(&path, older).unwrap();
    let said = LedgerFile::open(&path, LedgerId(1)).unwrap_err().to_string();
    assert!(said.contains("missing in it"), "{said}");
}

#[test]
fn the_journal_of_this_release_still_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ledger-0.1.0.db"), &path).unwrap();
    let file = LedgerFile::open(&path, LedgerId(1)).unwrap();
    let report = store::verify(&file).unwrap();
    let row = file.run(RunId(1)).unwrap();
    let (tape, setup) = world::setup(&row.tape.name);
    assert_eq!(tape.sha256, row.tape.sha256, "a bundled tape that runs were played on must not change");
    let mut engine = pmax::engine::Engine::new(&setup);
    runtime::restore(&mut engine, &mut Player::new(&market::load(&row.tape.name).unwrap(), row.tape.seed), &file, RunId(1))
        .unwrap();
    let expected: serde_json::Value = serde_json::from_str(include_str!("../fixtures/ledger-0.1.0.json")).unwrap();
    let book = engine.book();
    let found = serde_json::json!({
        "entries": report.entries,
        "head": report.head,
        "cash": book.ledger().cash().to_string(),
        "equity": book.performance().equity().to_string(),
        "positions": book.ledger().positions().len(),
        "open_orders": book.orders().open().len(),
        "next_order": book.next_order().0,
    });
    assert_eq!(found, expected);
}
