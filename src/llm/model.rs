//! A model as the rest of the room sees it: token numbers in, a row of logits for each sequence out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use thiserror::Error;

/// Says when to give up: between tokens, and between chunks of a prompt.
#[derive(Debug, Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
    all: Arc<[Stop]>,
}

/// Logits of the last token of each row, one row after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    vocabulary: usize,
}

/// Why a model gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// It was told to stop, or its time is over.
    #[error("stopped")]
    Stopped,
    /// A sequence would be longer than the model knows positions.
    #[error("{needed} positions are needed, the model has {context}")]
    TooLong {
        /// Positions that are needed.
        needed: usize,
        /// Positions there are.
        context: usize,
    },
    /// A token number is beyond the vocabulary.
    #[error("token {0} is none of this model's")]
    StrangeToken(u32),
    /// A value that is no number came out.
    #[error("the model computed something that is no number")]
    NotANumber,
    /// The arithmetic library or the device failed.
    #[error("{0}")]
    Device(String),
}

/// A language model on a device. Not shared between threads: one thread owns device, weights and states.
pub trait TextModel {
    /// The computed state of a prefix; immutable, so that any number of sequences may begin with it. Cloning is cheap.
    type Prefix: Clone;
    /// Sequences that are being written, at most eight, each with its own length.
    type Rows;

    /// Columns of a row of logits, padding included.
    fn vocabulary(&self) -> usize;

    /// Positions it knows.
    fn context(&self) -> usize;

    /// Bytes of a prefix's state, for whoever keeps several.
    fn prefix_bytes(&self, prefix: &Self::Prefix) -> usize;

    /// Computes a prefix (at least one token), in chunks between which it may be stopped.
    fn prefix(&self, tokens: &[u32], stop: &Stop) -> Result<Self::Prefix, ModelError>;

    /// Opens a sequence for each suffix (at least one token each, lengths differ) behind a prefix, with room for `room` tokens more in each,
    /// and gives the logits after each one's last token.
    fn open(
        &self,
        prefix: &Self::Prefix,
        suffixes: &[&[u32]],
        room: usize,
        stop: &Stop,
    ) -> Result<(Self::Rows, Logits), ModelError>;

    /// Appends a chunk to each sequence; an empty one leaves its row as it is (its logits are then those of zeros). Gives the logits after each one's last token.
    fn append(&self, rows: &mut Self::Rows, chunks: &[&[u32]], stop: &Stop) -> Result<Logits, ModelError>;
}

impl Stop {
    /// Never.
    pub fn never() -> Self {
        Self { flag: Arc::default(), deadline: None, all: Arc::default() }
    }

    /// At a deadline, or when it is raised.
    pub fn at(deadline: Instant) -> Self {
        Self { flag: Arc::default(), deadline: Some(deadline), all: Arc::default() }
    }

    /// When each of several is over: one sequence of many that is given up stops no other.
    pub fn of_all(stops: &[Self]) -> Self {
        Self { flag: Arc::default(), deadline: None, all: stops.into() }
    }

    /// Raises it, for all its clones.
    pub fn raise(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether to give up.
    pub fn is_over(&self) -> bool {
        self.is_raised()
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
            || (!self.all.is_empty() && self.all.iter().all(Self::is_over))
    }

    /// Whether somebody raised it, whatever the time.
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// `Err` when it is over.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.is_over() { Err(ModelError::Stopped) } else { Ok(()) }
    }
}

impl Logits {
    /// Takes values, `vocabulary` of them for each row; `None` where they do not divide.
    pub fn new(values: Vec<f32>, vocabulary: usize) -> Option<Self> {
        (vocabulary > 0 && values.len().is_multiple_of(vocabulary)).then_some(Self { values, vocabulary })
    }

    /// The logits of a row.
    pub fn row(&self, index: usize) -> Option<&[f32]> {
        let start = index.checked_mul(self.vocabulary)?;
        self.values.get(start..start.checked_add(self.vocabulary)?)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.vocabulary
    }
}
