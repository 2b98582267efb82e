//! Scorecards of a run's signals for the screen, read from the ledger on a thread of their own.

use std::path::PathBuf;

use crate::domain::{RunId, WallTime};
use crate::runtime::desk::Desk;
use crate::signals::{By, Call, Card, Key, Scores};
use crate::store::LedgerFile;

/// What signals have in common, and their scorecard; the first is of all.
pub type Cards = Vec<(Key, Card)>;

/// Scorecards with the moment they were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Wall time they were made at.
    pub made_at: WallTime,
    /// The scorecards by every key, or why there are none.
    pub answer: Result<Vec<(By, Cards)>, String>,
}

/// Where the screen asks for the scorecards of a run.
pub type ScoresDesk = Desk<RunId, Scored>;

impl Scored {
    /// Of these signals.
    pub fn of(calls: Vec<Call>, made_at: WallTime) -> Self {
        let scores = Scores::new(calls);
        Self { made_at, answer: Ok(By::ALL.into_iter().map(|by| (by, scores.cards(by))).collect()) }
    }

    /// The cards by one key.
    pub fn cards(&self, by: By) -> &[(Key, Card)] {
        let of_key = self.answer.iter().flatten().find(|(key, _)| *key == by);
        of_key.map_or(&[], |(_, cards)| cards)
    }
}

/// Starts the thread that reads the ledger in this file.
pub fn scores_desk(ledger: PathBuf, clock: fn() -> WallTime) -> std::io::Result<ScoresDesk> {
    Desk::start("scorecards", move |run| {
        let calls = LedgerFile::open_to_read(&ledger).and_then(|file| file.calls(run));
        match calls {
            Ok(calls) => Scored::of(calls, clock()),
            Err(error) => Scored { made_at: clock(), answer: Err(error.to_string()) },
        }
    })
}
