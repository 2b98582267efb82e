//! What a model may write: a schema becomes masks over the vocabulary, one for each token.
//!
//! The tree of tokens is built here from the tokenizer's bytes; unused and padding columns have none and are never allowed. White space is
//! written nowhere but inside texts, and a text's only escapes are `\"` and `\\`: an unbounded blank is how constrained models are known
//! to run on. What the grammar leaves no choice about is forced, in the tokens that the tokenizer itself would have chosen.

pub mod hygiene;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};
use thiserror::Error;
use toktrie::{SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::domain::CleanText;
use crate::llm::tokenizer::{LONGEST, Tokenizer};

/// Grammars of one model, each compiled once.
pub struct Grammars {
    factory: ParserFactory,
    compiled: HashMap<String, Matcher>,
}

/// The place in a grammar where one answer stands.
pub struct Pen {
    matcher: Matcher,
}

/// The tokens that may come next.
pub struct Mask(SimpleVob);

/// Why a schema is refused, or a token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrammarError {
    /// The vocabulary has more tokens than the model has columns, or its turn end is none of them.
    #[error("a vocabulary of {tokens} tokens does not fit {columns} columns")]
    Columns {
        /// Tokens of the vocabulary.
        tokens: usize,
        /// Columns of the model's logits.
        columns: usize,
    },
    /// The schema is none.
    #[error("the schema cannot be used: {0}")]
    Schema(CleanText),
    /// The grammar does not go on like that.
    #[error("the grammar cannot go on: {0}")]
    Stuck(CleanText),
}

/// Grammars that are kept compiled; past that they are dropped and compiled anew.
const MOST_COMPILED: usize = 64;
/// What the library marks special tokens with.
const SPECIAL: u8 = TokTrie::SPECIAL_TOKEN_MARKER;

struct Environment {
    tokenizer: Arc<Tokenizer>,
    tree: TokTrie,
}

impl TokenizerEnv for Environment {
    fn tok_trie(&self) -> &TokTrie {
        &self.tree
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        let encode = |text: &str| self.tokenizer.encode(text).unwrap_or_else(|_| self.tree.greedy_tokenize(text.as_bytes()));
        self.tree.tokenize_with_greedy_fallback(bytes, encode)
    }
}

impl Grammars {
    /// For a tokenizer, the columns of the model's logits, and the token that ends a turn.
    pub fn new(tokenizer: Arc<Tokenizer>, columns: usize, turn_end: u32) -> Result<Self, GrammarError> {
        let tokens = tokenizer.tokens();
        let misfit = GrammarError::Columns { tokens, columns };
        let width = u32::try_from(columns).map_err(|_| misfit.clone())?;
        if tokens > columns || turn_end >= width {
            return Err(misfit);
        }
        let mut words: Vec<Vec<u8>> = (0..width).map(|token| tokenizer.bytes(token).to_vec()).collect();
        for (name, token) in tokenizer.controls().filter(|(name, _)| name.len() <= LONGEST) {
            if let Some(word) = usize::try_from(token).ok().and_then(|index| words.get_mut(index)) {
                *word = [&[SPECIAL], name.as_bytes()].concat();
            }
        }
        let tree = TokTrie::from(&TokRxInfo::new(width, turn_end), &words);
        let environment: TokEnv = Arc::new(Environment { tokenizer, tree });
        let mut factory = ParserFactory::new_simple(&environment).map_err(|error| schema(&error))?;
        factory.quiet().limits_mut().verbose_errors = false;
        Ok(Self { factory, compiled: HashMap::new() })
    }

    /// Begins an answer by a schema.
    pub fn open(&mut self, text: &str) -> Result<Pen, GrammarError> {
        if let Some(matcher) = self.compiled.get(text) {
            return Ok(Pen { matcher: matcher.clone() });
        }
        let grammar = TopLevelGrammar::from_json_schema(prepared(text)?);
        let parser = self.factory.create_parser(grammar).map_err(|error| schema(&error))?;
        let matcher = Matcher::new(Ok(parser));
        if let Some(error) = matcher.get_error() {
            return Err(GrammarError::Schema(CleanText::from_outside(&error)));
        }
        if self.compiled.len() >= MOST_COMPILED {
            self.compiled.clear();
        }
        self.compiled.insert(text.to_owned(), matcher.clone());
        Ok(Pen { matcher })
    }
}

impl Pen {
    /// Takes the tokens that are forced now, and gives them.
    pub fn forced(&mut self) -> Result<Vec<u32>, GrammarError> {
        if self.matcher.is_stopped() {
            return Ok(Vec::new());
        }
        let tokens = self.matcher.compute_ff_tokens();
        self.take(&tokens)?;
        Ok(tokens)
    }

    /// The bytes that must come next, whatever their tokens.
    pub fn forced_bytes(&mut self) -> Vec<u8> {
        if self.matcher.is_stopped() { Vec::new() } else { self.matcher.compute_ff_bytes() }
    }

    /// What may come next. The turn's end alone where the answer is whole.
    pub fn mask(&mut self) -> Result<Mask, GrammarError> {
        self.matcher.compute_mask_or_eos().map(Mask).map_err(|error| stuck(&error))
    }

    /// Goes on with tokens.
    pub fn take(&mut self, tokens: &[u32]) -> Result<(), GrammarError> {
        if tokens.is_empty() { Ok(()) } else { self.matcher.consume_tokens(tokens).map_err(|error| stuck(&error)) }
    }

    /// Whether the answer is whole.
    pub fn is_finished(&self) -> bool {
        self.matcher.is_stopped() && !self.matcher.is_error()
    }
}

impl Mask {
    /// Whether a token may come.
    pub fn allows(&self, token: u32) -> bool {
        usize::try_from(token).is_ok_and(|index| index < self.0.len() && self.0.get(index))
    }

    /// The most probable of the tokens that may come and that `wanted` takes, with its logit; the lowest number among equals.
    pub fn best(&self, logits: &[f32], wanted: impl Fn(u32) -> bool) -> Option<(u32, f32)> {
        let mut best: Option<(u32, f32)> = None;
        self.0.iter_set_entries(|index| {
            let Some((token, logit)) = u32::try_from(index).ok().zip(logits.get(index).copied()) else { return };
            if best.is_none_or(|(_, highest)| logit > highest) && wanted(token) {
                best = Some((token, logit));
            }
        });
        best
    }

    /// How many tokens may come.
    pub fn count(&self) -> usize {
        self.0.num_set()
    }
}

impl fmt::Debug for Grammars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Grammars").field("compiled", &self.compiled.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pen").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// The schema with what the library is told beside it: no free white space, few escapes.
fn prepared(text: &str) -> Result<Value, GrammarError> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| GrammarError::Schema(CleanText::from_outside(&error.to_string())))?;
    let object = value.as_object_mut().ok_or_else(|| GrammarError::Schema(CleanText::from_outside("it is no object")))?;
    object.insert("x-guidance".to_owned(), json!({ "whitespace_flexible": false, "json_allowed_escapes": "\"\\" }));
    Ok(value)
}

fn schema(error: &impl fmt::Display) -> GrammarError {
    GrammarError::Schema(CleanText::from_outside(&error.to_string()))
}

fn stuck(error: &impl fmt::Display) -> GrammarError {
    GrammarError::Stuck(CleanText::from_outside(&error.to_string()))
}
