//! The stages of an account: how much of it counts until its record opens the next.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stage. Each has a capital of its own; a person takes the step to the next once the gate of this one is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Where every account begins.
    First,
    /// After the first gate.
    Second,
    /// After the second.
    Third,
    /// After the third.
    Fourth,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 4] = [Self::First, Self::Second, Self::Third, Self::Fourth];

    /// The one after it, if there is one.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::First => Some(Self::Second),
            Self::Second => Some(Self::Third),
            Self::Third => Some(Self::Fourth),
            Self::Fourth => None,
        }
    }

    /// Its number, from 1.
    pub const fn number(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Third => 3,
            Self::Fourth => 4,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "stage {}", self.number())
    }
}
