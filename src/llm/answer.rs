//! What comes back: an answer with its timings, or an abstention with a reason.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A raw answer of a model: it parses by its schema; whether it makes sense is judged by the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The JSON text as the model wrote it.
    pub text: String,
    /// Probabilities of the decision's labels, in the order of the question, summing to one; empty where there was no decision.
    pub labels: Vec<f64>,
    /// The same for the question without content: what the model would say of nothing.
    pub prior: Vec<f64>,
    /// How long what took.
    pub timings: Timings,
}

/// Times and counts of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Timings {
    /// Tokens of the static part that were there already.
    pub cached_tokens: u32,
    /// Tokens of the prompt that were computed.
    pub prompt_tokens: u32,
    /// Tokens that were sampled.
    pub sampled_tokens: u32,
    /// Tokens that the grammar left no choice about.
    pub forced_tokens: u32,
    /// Milliseconds it waited.
    pub waited_ms: f64,
    /// Milliseconds of the prompt.
    pub prompt_ms: f64,
    /// Milliseconds until the decision, or the first token where there is none, from its arrival.
    pub first_ms: f64,
    /// Milliseconds of writing.
    pub writing_ms: f64,
    /// Rows that were computed beside it, itself included.
    pub rows: u32,
}

/// Why there is no answer. It is never taken for "hold".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
pub enum Abstention {
    /// The deadline passed.
    #[error("no answer within {0} ms")]
    Late(u64),
    /// Something more urgent, or newer of the same kind, came.
    #[error("given up for something newer")]
    Superseded,
    /// Numbers that are none came out of the model.
    #[error("the model computed something that is no number")]
    NotANumber,
    /// What it wrote does not parse, or ran to its limit.
    #[error("its answer is unusable: {0}")]
    Unusable(String),
    /// The question has more tokens than the model takes.
    #[error("the question has {tokens} tokens, more than {most}")]
    TooLong {
        /// How many it has.
        tokens: u32,
        /// How many there may be.
        most: u32,
    },
    /// No memory for it.
    #[error("no memory for it: {0}")]
    OutOfMemory(String),
    /// The worker ended.
    #[error("the model's process ended: {0}")]
    Gone(String),
    /// There is no model.
    #[error("no model: {0}")]
    NoModel(String),
    /// The remote server refused or failed.
    #[error("the server said: {0}")]
    Remote(String),
    /// Too many questions wait.
    #[error("too many questions wait")]
    Busy,
}

/// What is told while a model works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// The decision is known: probabilities of the labels, with the prior taken off where there is one; the highest is what is written.
    Decided(Vec<f64>),
    /// More text.
    Text(String),
}

impl fmt::Display for Timings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} cached, {} read in {:.0} ms, {} written and {} forced in {:.0} ms",
            self.cached_tokens, self.prompt_tokens, self.prompt_ms, self.sampled_tokens, self.forced_tokens, self.writing_ms
        )
    }
}
