//! Notes beside the journal: what a person left standing that no decision depends on.

use rusqlite::{OptionalExtension, params};

use crate::domain::RunId;
use crate::store::ledger::signed;
use crate::store::{LedgerFile, StoreError};

/// The note's name among the ledger's own facts; its value is the run that is paused.
const PAUSED: &str = "paused run";

/// Whether a tape goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TapePlays {
    /// It does.
    #[default]
    On,
    /// A person made it stand still.
    Paused,
}

impl LedgerFile {
    /// Notes whether the tape of a run stands still, for the next start. Only the latest paused run is remembered.
    pub fn note_tape(&mut self, run: RunId, plays: TapePlays) -> Result<(), StoreError> {
        match plays {
            TapePlays::Paused => {
                let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
                self.connection.execute(sql, params![PAUSED, run.0.to_string()])?;
            }
            TapePlays::On => {
                self.connection.execute("DELETE FROM meta WHERE key = ?1 AND value = ?2", params![PAUSED, run.0.to_string()])?;
            }
        }
        Ok(())
    }

    /// Whether the tape of a run stood still when the last process ended.
    pub fn tape_plays(&self, run: RunId) -> Result<TapePlays, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let paused: Option<String> = self.connection.query_row(sql, [PAUSED], |row| row.get(0)).optional()?;
        let is_this = paused.is_some_and(|number| number == run.0.to_string());
        Ok(if is_this { TapePlays::Paused } else { TapePlays::On })
    }

    /// The run of the last entry: the one a process that runs now is at work on.
    pub fn run_at_work(&self) -> Result<Option<RunId>, StoreError> {
        let sql = "SELECT run FROM journal WHERE seq = ?1";
        let run: Option<i64> = self.connection.query_row(sql, [signed(self.last_seq().0)], |row| row.get(0)).optional()?;
        Ok(run.map(|run| RunId(run.unsigned_abs())))
    }
}
