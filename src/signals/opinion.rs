//! A model's opinion of an instrument: recorded and shown beside a proposal. No size, check or order reads it.

use serde::{Deserialize, Serialize};

use crate::domain::{CleanText, InstrumentId, MarketTime, Ratio, RiskLevel};
use crate::signals::Facts;

/// What a model thinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// About what.
    pub instrument: InstrumentId,
    /// As of this bar's close.
    pub at: MarketTime,
    /// The model.
    pub author: CleanText,
    /// What it says.
    pub says: Says,
    /// The share of its probability that fell on that word, less what it says of nothing. No outcomes stand behind it: it is uncalibrated.
    pub share: Option<Ratio>,
    /// Whether the bar lies in what its training may have seen.
    pub knows: Knows,
    /// The facts it names as its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<CleanText>,
    /// A sentence, each number that is no fact marked.
    pub note: CleanText,
    /// Hash of the prompt's template.
    pub template: CleanText,
}

/// A word out of a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It would buy.
    Buy,
    /// It would sell.
    Sell,
    /// It would do neither: an opinion, not the lack of one.
    Hold,
    /// How dangerous the instrument is.
    Risk(RiskLevel),
}

/// Whether a model may have read how it went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knows {
    /// Its training may hold the days after: it counts in no statistics.
    InTraining,
    /// Its training ended before.
    After,
    /// Nobody says when its training ended: it counts in no statistics either.
    Unknown,
}

/// Forms opinions. It may take its time and may fail; it never sees an order and cannot make one.
pub trait Opine: Send + std::fmt::Debug {
    /// What it thinks of the facts; nothing where it abstains.
    fn opine(&mut self, facts: &Facts) -> Vec<Opinion>;
}

impl Says {
    /// In a word or two.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Hold => "hold",
            Self::Risk(RiskLevel::Low) => "low risk",
            Self::Risk(RiskLevel::Medium) => "medium risk",
            Self::Risk(RiskLevel::High) => "high risk",
            Self::Risk(RiskLevel::Extreme) => "extreme risk",
        }
    }

    /// Whether two opinions answer the same question.
    pub const fn is_like(self, other: Self) -> bool {
        matches!(self, Self::Risk(_)) == matches!(other, Self::Risk(_))
    }
}
