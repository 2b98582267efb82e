//! What is wrong with what is told of a market, and what a feed notes about itself.

use serde::{Deserialize, Serialize};

use crate::domain::{Duration, InstrumentId, MarketTime};

/// A way in which what was told of an instrument was unsound. What is unsound is never used; it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// A minute that traded was left out, and came later from somebody else.
    Gap,
    /// A price more than twice or less than half the one before, or outside its own bar.
    Outlier,
    /// A price a hundred or a thousand times the one before, or that part of it: another unit.
    UnitJump,
    /// Prices of before and after a split side by side.
    Split,
    /// A bid above the ask.
    Crossed,
    /// No price where one must be, or one that is not above zero.
    NoPrice,
    /// A time that has not come.
    Ahead,
    /// Older than what the same provider said before.
    OutOfOrder,
    /// The same minute twice in one answer.
    Duplicate,
}

impl Flaw {
    /// In a few words, behind a count.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Gap => "left out",
            Self::Outlier => "implausible",
            Self::UnitJump => "in another unit",
            Self::Split => "across a split",
            Self::Crossed => "crossed",
            Self::NoPrice => "without a price",
            Self::Ahead => "ahead of time",
            Self::OutOfOrder => "out of order",
            Self::Duplicate => "told twice",
        }
    }

    /// Whether a minute in which it happened is not to be trusted at all; else only the part of its quotes that was flawed.
    pub const fn is_grave(self) -> bool {
        match self {
            Self::Gap | Self::Outlier | Self::UnitJump | Self::Split => true,
            Self::Crossed | Self::NoPrice | Self::Ahead | Self::OutOfOrder | Self::Duplicate => false,
        }
    }
}

/// A flaw and how often it was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlawCount {
    /// Which.
    pub flaw: Flaw,
    /// How often.
    pub count: u32,
}

/// How many shares stand for how many after a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRatio {
    /// Shares after it.
    pub new: u32,
    /// Shares before it.
    pub old: u32,
}

impl std::fmt::Display for SplitRatio {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} for {}", self.new, self.old)
    }
}

/// How much of a market stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseOf {
    /// These instruments, while others of their market trade.
    Instruments,
    /// Everything that is watched of a market.
    Market,
}

/// What a feed notes about what it hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedNote {
    /// In one minute something that was told of an instrument by whoever serves it was unsound.
    Flawed {
        /// Which instrument.
        instrument: InstrumentId,
        /// Who told it.
        from: String,
        /// What, and how often.
        flaws: Vec<FlawCount>,
        /// How many sound prices were told in the same minute.
        sound: u32,
    },
    /// Nothing has traded in an open session since then, though the provider answers.
    Paused {
        /// Which instruments.
        instruments: Vec<InstrumentId>,
        /// Since when.
        since: MarketTime,
        /// How much of the market.
        of: PauseOf,
    },
    /// They trade again, or their session is over.
    Resumed {
        /// Which instruments.
        instruments: Vec<InstrumentId>,
    },
    /// Prices of an instrument are held back because a split lies between them and what was taken.
    Split {
        /// Which instrument.
        instrument: InstrumentId,
        /// Whose prices.
        from: String,
        /// How many shares for how many.
        ratio: SplitRatio,
    },
    /// The wall clock went back.
    ClockWentBack {
        /// By how much.
        by: Duration,
    },
}
