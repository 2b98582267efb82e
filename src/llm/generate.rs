//! Questions in, answers out: a wave of up to eight at once, each within its grammar, each with its own end.
//!
//! The static part of a question is computed once and kept. The decision is made where its value begins, by the probabilities of its labels with
//! the model's habit taken off, and told at once; the rest is written after. What is not whole by its limit or its time is no answer.

mod choice;
mod kept;
mod row;
mod speech;
mod wave;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::ask::Ask;
use crate::llm::chat::{Chat, ChatError};
use crate::llm::grammar::{GrammarError, Grammars};
use crate::llm::model::{Stop, TextModel};
use crate::llm::tokenizer::{Tokenizer, TokenizerError};
use kept::{Prefixes, Priors};

/// Sequences that are written at once: past that the device's kernels change, and lose.
pub const MOST_ROWS: usize = 8;

/// A model with everything it takes to ask it.
pub struct Generator<M: TextModel> {
    model: M,
    tokenizer: Arc<Tokenizer>,
    chat: Chat,
    grammars: Grammars,
    prefixes: Prefixes<M::Prefix>,
    priors: Priors,
    closers: Vec<u32>,
}

/// Why a model cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GeneratorError {
    /// Its vocabulary.
    #[error("its vocabulary cannot be used: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// Its template.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// Its columns.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
}

/// Where pieces go: the number of the question among those asked, and the piece.
pub type Told<'a> = dyn FnMut(usize, Piece) + 'a;

impl<M: TextModel> Generator<M> {
    /// For a model and its tokenizer; states of static parts are kept up to so many bytes, the latest one whatever its size.
    pub fn new(model: M, tokenizer: Tokenizer, most_prefix_bytes: usize) -> Result<Self, GeneratorError> {
        let chat = Chat::of(&tokenizer)?;
        let tokenizer = Arc::new(tokenizer);
        let grammars = Grammars::new(Arc::clone(&tokenizer), model.vocabulary(), chat.turn_end())?;
        let ids = 0..u32::try_from(tokenizer.tokens()).unwrap_or(u32::MAX);
        let closers = ids.filter(|id| tokenizer.bytes(*id).first() == Some(&b'"')).collect();
        let prefixes = Prefixes::new(most_prefix_bytes);
        Ok(Self { model, tokenizer, chat, grammars, prefixes, priors: Priors::default(), closers })
    }

    /// Answers questions, each until its own stop; pieces are told as they come. Questions that share their static part are written together,
    /// eight at most, in the order they were asked.
    pub fn answer(&mut self, asks: &[Ask], stops: &[Stop], told: &mut Told<'_>) -> Vec<Result<Answer, Abstention>> {
        let began = Instant::now();
        let never = Stop::never();
        let mut open: Vec<usize> = (0..asks.len()).collect();
        let mut answers: Vec<Result<Answer, Abstention>> = asks.iter().map(|_| Err(Abstention::Busy)).collect();
        while let Some(first) = open.first().and_then(|index| asks.get(*index)) {
            let mut together = open.clone();
            together.retain(|index| asks.get(*index).is_some_and(|ask| ask.system == first.system));
            together.truncate(MOST_ROWS);
            open.retain(|index| !together.contains(index));
            let seats: Vec<wave::Seat<'_>> = together
                .iter()
                .filter_map(|index| {
                    Some(wave::Seat { index: *index, ask: asks.get(*index)?, stop: stops.get(*index).unwrap_or(&never) })
                })
                .collect();
            for (index, answer) in wave::write(self, &seats, began, told) {
                if let Some(place) = answers.get_mut(index) {
                    *place = answer;
                }
            }
        }
        answers
    }

    /// Computes the static parts and the priors of questions before anybody waits for them. Gives how many tokens were computed.
    pub fn warm(&mut self, asks: &[Ask], stop: &Stop) -> usize {
        asks.iter().map(|ask| wave::warm(self, ask, stop)).sum()
    }

    /// How many tokens a static part and a question have, once they are dressed as a conversation.
    pub fn count(&self, system: &str, question: &str) -> Result<(usize, usize), TokenizerError> {
        Ok((self.chat.system(&self.tokenizer, system)?.len(), self.chat.question(&self.tokenizer, question)?.len()))
    }

    /// Bytes of the states of static parts that are kept.
    pub fn prefix_bytes(&self) -> usize {
        self.prefixes.bytes()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }
}

impl<M: TextModel> fmt::Debug for Generator<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Generator").field("tokenizer", &self.tokenizer).finish_non_exhaustive()
    }
}
