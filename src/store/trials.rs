//! The trial ledger: every backtest that was ever made here, with a hash of its settings. A database of its own, `trials.db`, because a
//! test must never touch the file that trading writes; append-only like the journal.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::domain::{MarketTime, WallTime};
use crate::store::StoreError;

/// Steps of the schema; an old step is never edited.
const STEPS: [&str; 2] = [include_str!("trials.sql"), include_str!("trials_2.sql")];
/// Two tests may end at once; one waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

const NANOS_PER_YEAR: f64 = 365.25 * 86_400e9;

/// What a test was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialKind {
    /// A backtest of its own.
    Backtest,
    /// A candidate on a training window of a walk-forward.
    Train,
    /// The chosen one on the test after it.
    Test,
    /// A candidate on all tested years.
    Whole,
}

impl TrialKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::Train => "train",
            Self::Test => "test",
            Self::Whole => "whole",
        }
    }
}

/// A test and what it showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What it was made for.
    pub kind: TrialKind,
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
    /// Those of all that were fits of a walk-forward.
    pub walked: u64,
    /// When the first of them was made.
    pub since: Option<WallTime>,
    /// Sharpe ratios of the latest test of each of the different settings in standard errors of one without skill (times √years), where
    /// they are defined: so tests of different lengths compare.
    pub scores: Vec<f64>,
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
        let known = STEPS.len() as i64;
        if found > known {
            return Err(StoreError::NewerSchema { found, known });
        }
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Writes a test down.
    pub fn append(&mut self, trial: &Trial) -> Result<(), StoreError> {
        self.append_all(std::slice::from_ref(trial))
    }

    /// Writes tests down in their order, all of them or none.
    pub fn append_all(&mut self, trials: &[Trial]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last: i64 = transaction.query_row("SELECT coalesce(max(trial), 0) FROM trials", [], |row| row.get(0))?;
        let mut insert = transaction.prepare(
            "INSERT INTO trials (trial, made_at, kind, tape, tape_sha256, settings, begins, ends, days, sharpe)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for (number, trial) in (last + 1..).zip(trials) {
            insert.execute(params![
                number,
                trial.made_at.0,
                trial.kind.word(),
                trial.tape,
                trial.tape_sha256,
                trial.settings,
                trial.begins.0,
                trial.ends.0,
                i64::try_from(trial.days).unwrap_or(i64::MAX),
                trial.sharpe
            ])?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }

    /// What was tried on a tape so far.
    pub fn on_tape(&self, tape_sha256: &str) -> Result<Tried, StoreError> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE kind <> ?2), min(made_at) FROM trials WHERE tape_sha256 = ?1";
        let (trials, walked, since): (i64, i64, Option<i64>) =
            self.connection
                .query_row(sql, [tape_sha256, TrialKind::Backtest.word()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut latest = self.connection.prepare(
            "SELECT sharpe, ends - begins FROM trials WHERE trial IN
             (SELECT max(trial) FROM trials WHERE tape_sha256 = ?1 GROUP BY settings, begins, ends) ORDER BY trial",
        )?;
        let score = |row: &rusqlite::Row<'_>| {
            let (sharpe, span) = (row.get::<_, Option<f64>>(0)?, row.get::<_, i64>(1)?);
            Ok(sharpe.map(|sharpe| sharpe * libm::sqrt(span as f64 / NANOS_PER_YEAR)))
        };
        let scores = latest.query_map([tape_sha256], score)?.collect::<Result<Vec<_>, _>>()?;
        Ok(Tried {
            trials: trials.unsigned_abs(),
            walked: walked.unsigned_abs(),
            since: since.map(WallTime),
            different: scores.len() as u64,
            scores: scores.into_iter().flatten().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(settings: char, sharpe: Option<f64>) -> Trial {
        Trial {
            kind: TrialKind::Backtest,
            made_at: WallTime(1),
            tape: "crash-2020".to_owned(),
            tape_sha256: "a".repeat(64),
            settings: settings.to_string().repeat(64),
            begins: MarketTime(0),
            ends: MarketTime(4 * 31_557_600_000_000_000),
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
        assert_eq!(of(&trials), Tried { trials: 4, different: 3, walked: 0, since: Some(WallTime(1)), scores: vec![-2.0, 1.5] });
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

    #[test]
    fn a_trial_ledger_of_the_first_version_is_taken_over_and_takes_the_fits_of_a_walk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(STEPS[0]).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let row =
            format!("(1, 7, 'backtest', 'crash-2020', '{}', '{}', 0, 31557600000000000, 5, 0.5)", "a".repeat(64), "b".repeat(64));
        old.execute_batch(&format!("INSERT INTO trials VALUES {row}")).unwrap();
        drop(old);
        let mut trials = Trials::open(&path).unwrap();
        let fit = |kind, settings| Trial { kind, ..trial(settings, Some(1.0)) };
        let fits = [fit(TrialKind::Train, 'c'), fit(TrialKind::Test, 'd'), fit(TrialKind::Whole, 'e')];
        trials.append_all(&fits).unwrap();
        let tried = trials.on_tape(&"a".repeat(64)).unwrap();
        assert_eq!((tried.trials, tried.different, tried.scores), (4, 4, vec![0.5, 2.0, 2.0, 2.0]));
        assert!(trials.connection.execute_batch("DELETE FROM trials").is_err(), "still append-only");
        let wrong = [fit(TrialKind::Train, 'f'), Trial { settings: "short".to_owned(), ..trial('f', None) }];
        assert!(trials.append_all(&wrong).is_err());
        assert_eq!(trials.on_tape(&"a".repeat(64)).unwrap().trials, 4, "all or none");
    }
}
