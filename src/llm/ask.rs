//! What a model is asked: plain values that travel to the worker.

use serde::{Deserialize, Serialize};

/// What a model can be asked to do. The order is that of attention: a person waits for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Buy, sell or hold.
    Signal,
    /// How dangerous an instrument is now.
    Risk,
    /// The mood of one headline.
    Sentiment,
    /// Two sentences about a bar.
    Commentary,
}

/// The number of a question, unique within one worker's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AskId(pub u64);

/// One question. Texts hold no control tokens: whatever looks like one is encoded letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Its number.
    pub id: AskId,
    /// What for.
    pub task: Task,
    /// The static part: role, rules, examples. Questions that share it share its computed state.
    pub system: String,
    /// The volatile part: facts, as-of time last.
    pub question: String,
    /// The same question without content, for the prior of the labels; computed once for each `system`.
    pub content_free: Option<String>,
    /// JSON schema of the answer; property order is the order of writing.
    pub schema: String,
    /// Property whose value is the decision, with the values it may have: their probabilities are told.
    pub decision: Option<Decision>,
    /// Tokens it may write at most.
    pub most_tokens: u32,
    /// Whether pieces are told while it writes.
    pub streams: bool,
    /// Milliseconds from its arrival after which there is no answer.
    pub deadline_ms: u64,
}

/// Where the decision stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The property.
    pub property: String,
    /// The values it may have.
    pub labels: Vec<String>,
}

impl Task {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Signal, Self::Risk, Self::Sentiment, Self::Commentary];

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Risk => "risk",
            Self::Sentiment => "sentiment",
            Self::Commentary => "commentary",
        }
    }
}
