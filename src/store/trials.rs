//! The trial ledger: every backtest that was ever made here, with a hash of its settings. A database of its own, `trials.db`, because a
//! test must never touch the file that trading writes; append-only like the journal.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::domain::{MarketTime, WallTime};
use crate::store::StoreError;

const VERSION: i64 = 1;
const TABLES: &str = include_str!("trials.sql");
/// Two tests may end at once; one waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// A test and what it showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// When it was made.
    pub made_at: WallTime,
    /// Name of the tape.
    pub tape: String,
    /// SHA-256 of the tape, in hexadecimal digits.
    pub tape_sha256: String,
    /// SHA-256 of everything else that the result depends on, in hexadecimal digits.
    pub settings: String,
    /// First moment of trading.
    pub begins: MarketTime,
    /// Last event.
    pub ends: MarketTime,
    /// Daily returns.
    pub days: u64,
    /// Sharpe ratio a year; nothing where it is not defined.
    pub sharpe: Option<f64>,
}

/// What was tried on a tape so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tried {
    /// All tests.
    pub trials: u64,
    /// Tests of different settings.
    pub different: u64,
    /// Sharpe ratios a year of the latest test of each of the different settings, where they are defined.
    pub sharpes: Vec<f64>,
}

/// The trial ledger, open.
#[derive(Debug)]
pub struct Trials {
    connection: Connection,
}

impl Trials {
    /// Opens or creates it. Errors as for the ledger: a newer schema, a damaged file, the disk.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > VERSION {
            return Err(StoreError::NewerSchema { found, known: VERSION });
        }
        if found == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Writes a test down. Returns its number.
    pub fn append(&mut self, trial: &Trial) -> Result<u64, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number: i64 = transaction.query_row("SELECT coalesce(max(trial), 0) + 1 FROM trials", [], |row| row.get(0))?;
        transaction.execute(
            "INSERT INTO trials (trial, made_at, kind, tape, tape_sha256, settings, begins, ends, days, sharpe)
             VALUES (?1, ?2, 'backtest', ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                number,
                trial.made_at.0,
                trial.tape,
                trial.tape_sha256,
                trial.settings,
                trial.begins.0,
                trial.ends.0,
                i64::try_from(trial.days).unwrap_or(i64::MAX),
                trial.sharpe
            ],
        )?;
        transaction.commit()?;
        Ok(number.unsigned_abs())
    }

    /// What was tried on a tape so far.
    pub fn on_tape(&self, tape_sha256: &str) -> Result<Tried, StoreError> {
        let trials: i64 =
            self.connection.query_row("SELECT count(*) FROM trials WHERE tape_sha256 = ?1", [tape_sha256], |row| row.get(0))?;
        let mut latest = self.connection.prepare(
            "SELECT sharpe FROM trials WHERE trial IN
             (SELECT max(trial) FROM trials WHERE tape_sha256 = ?1 GROUP BY settings, begins, ends) ORDER BY trial",
        )?;
        let sharpes = latest.query_map([tape_sha256], |row| row.get::<_, Option<f64>>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(Tried {
            trials: trials.unsigned_abs(),
            different: sharpes.len() as u64,
            sharpes: sharpes.into_iter().flatten().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(settings: char, sharpe: Option<f64>) -> Trial {
        Trial {
            made_at: WallTime(1),
            tape: "crash-2020".to_owned(),
            tape_sha256: "a".repeat(64),
            settings: settings.to_string().repeat(64),
            begins: MarketTime(1),
            ends: MarketTime(2),
            days: 5,
            sharpe,
        }
    }

    #[test]
    fn every_trial_is_counted_and_none_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.db");
        let mut trials = Trials::open(&path).unwrap();
        let of = |trials: &Trials| trials.on_tape(&"a".repeat(64)).unwrap();
        assert_eq!(of(&trials), Tried::default());
        for (settings, sharpe) in [('b', Some(0.5)), ('c', Some(-1.0)), ('b', Some(0.75)), ('d', None)] {
            trials.append(&trial(settings, sharpe)).unwrap();
        }
        drop(trials);
        let trials = Trials::open(&path).unwrap();
        assert_eq!(of(&trials), Tried { trials: 4, different: 3, sharpes: vec![-1.0, 0.75] });
        assert_eq!(trials.on_tape(&"e".repeat(64)).unwrap(), Tried::default());
        for attack in [
            "DELETE FROM trials",
            "UPDATE trials SET sharpe = 9",
            "INSERT OR REPLACE INTO trials SELECT * FROM trials WHERE trial = 1",
            "INSERT INTO trials SELECT 9, made_at, kind, tape, tape_sha256, settings, begins, ends, days, sharpe FROM trials LIMIT 1",
        ] {
            assert!(trials.connection.execute_batch(attack).is_err(), "{attack}");
        }
        assert_eq!(of(&trials).trials, 4);
    }
}
