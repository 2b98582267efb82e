//! What is wrong with a file, row by row: the first ones in words, the others counted.

use std::fmt;

use crate::domain::CleanText;

/// Problems that are kept in words.
const KEPT: usize = 8;

/// One thing that is wrong, or doubtful, with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; of a text file the header included, as an editor does.
    pub row: usize,
    /// The column's name.
    pub column: String,
    /// What is wrong, and what is allowed.
    pub what: String,
}

/// The problems of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    first: Vec<Problem>,
    count: u64,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.column.is_empty() {
            write!(formatter, "row {}: {}", self.row, self.what)
        } else {
            write!(formatter, "row {}, {}: {}", self.row, self.column, self.what)
        }
    }
}

impl Problems {
    pub(super) fn add(&mut self, row: usize, column: &str, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(Problem { row, column: clean(column), what: what.into() });
        }
    }

    /// The first ones.
    pub fn first(&self) -> &[Problem] {
        &self.first
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many are not among the first.
    pub fn others(&self) -> u64 {
        self.count - self.first.len() as u64
    }
}

/// Text of a file as it may stand on a terminal.
pub(super) fn clean(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    CleanText::from_outside(&short).as_str().to_owned()
}
