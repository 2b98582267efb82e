//! Text to token numbers and back, from what a model's file says of its vocabulary.
//!
//! Only byte-level byte-pair encoding is spoken, and only with the ways of cutting a text beforehand that are listed in [`cut`]: a wrong cut
//! gives tokens that a model never saw, and says nothing about it. Control tokens cannot come out of a text: they are not in the vocabulary
//! that texts are encoded with. A byte that a vocabulary lacks is dropped.

pub mod cut;

use std::collections::HashMap;
use std::fmt;

use thiserror::Error;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::tokenizer::Tokenizer as Encoder;

use crate::domain::CleanText;
use crate::llm::gguf::{GgufError, Metadata};
use cut::Cut;

/// What a model's file says of its tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vocabulary {
    /// The kind of tokenizer; `gpt2` is byte-level byte-pair encoding.
    pub model: String,
    /// How a text is cut before, e.g. `qwen2`.
    pub pre: String,
    /// The tokens, in the letters that stand for bytes.
    pub tokens: Vec<String>,
    /// What each one is: 1 text, 3 control, 4 made by users, 5 unused, and so on.
    pub types: Vec<i64>,
    /// Pairs that are merged, the most urgent first, with a space between.
    pub merges: Vec<String>,
    /// The token every text begins with, where there is one.
    pub begin: Option<u32>,
    /// The chat template as it stands in the file.
    pub template: Option<String>,
}

/// Encodes and decodes.
pub struct Tokenizer {
    encoder: Encoder,
    bytes: Vec<Box<[u8]>>,
    controls: HashMap<String, u32>,
    begin: Option<u32>,
    template: Option<String>,
}

/// Why a vocabulary is refused, or a text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenizerError {
    /// Another kind of tokenizer.
    #[error("its tokenizer is «{0}»; only byte-level byte pairs («gpt2») are spoken")]
    Kind(CleanText),
    /// An unknown way of cutting.
    #[error("it cuts texts the way «{0}»; known are {known}", known = Cut::names())]
    Cut(CleanText),
    /// The tokens and their types are not as many.
    #[error("it has {tokens} tokens and {types} types of them")]
    Types {
        /// How many tokens.
        tokens: usize,
        /// How many types.
        types: usize,
    },
    /// A token is there twice.
    #[error("the token «{0}» is there twice")]
    Twice(CleanText),
    /// A merge makes something that is no token.
    #[error("merge {0} makes or needs something that is no token")]
    Merge(usize),
    /// A fact of the file is missing or of a wrong type.
    #[error("{0}")]
    File(#[from] GgufError),
    /// The library refused.
    #[error("{0}")]
    Library(CleanText),
}

/// The type of a token that is text.
const TEXT: i64 = 1;
/// Types of tokens that mean something else than their letters.
const CONTROL: i64 = 3;
const OF_USERS: i64 = 4;
/// The longest token, in bytes: a tree of tokens is as deep, and is walked by calls within calls.
pub(crate) const LONGEST: usize = 256;
/// The byte that begins no character; tries of tokens mark controls with it.
const NO_LETTER: u8 = 0xFF;

impl Vocabulary {
    /// Takes what a file says.
    pub fn of(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let begins = Metadata::optional(metadata.flag("tokenizer.ggml.add_bos_token"))?.unwrap_or(false);
        let begin = Metadata::optional(metadata.count("tokenizer.ggml.bos_token_id"))?.and_then(|id| u32::try_from(id).ok());
        Ok(Self {
            model: metadata.text("tokenizer.ggml.model")?.to_owned(),
            pre: metadata.text("tokenizer.ggml.pre")?.to_owned(),
            tokens: metadata.strings("tokenizer.ggml.tokens")?.to_vec(),
            types: metadata.integers("tokenizer.ggml.token_type")?.to_vec(),
            merges: metadata.strings("tokenizer.ggml.merges")?.to_vec(),
            begin: begin.filter(|_| begins),
            template: Metadata::optional(metadata.text("tokenizer.chat_template"))?.map(str::to_owned),
        })
    }
}

impl Tokenizer {
    /// Builds one, or says why not.
    pub fn build(vocabulary: Vocabulary) -> Result<Self, TokenizerError> {
        if vocabulary.model != "gpt2" {
            return Err(TokenizerError::Kind(CleanText::from_outside(&vocabulary.model)));
        }
        let cut = Cut::named(&vocabulary.pre).ok_or_else(|| TokenizerError::Cut(CleanText::from_outside(&vocabulary.pre)))?;
        if vocabulary.tokens.len() != vocabulary.types.len() {
            return Err(TokenizerError::Types { tokens: vocabulary.tokens.len(), types: vocabulary.types.len() });
        }
        let (mut texts, mut controls) = (Vocab::default(), HashMap::new());
        let mut bytes: Vec<Box<[u8]>> = Vec::with_capacity(vocabulary.tokens.len());
        for (id, (token, kind)) in (0_u32..).zip(vocabulary.tokens.iter().zip(&vocabulary.types)) {
            let meant = if *kind == TEXT { bytes_of(token) } else { None };
            let twice = match kind {
                &TEXT => texts.insert(token.clone(), id).is_some(),
                &CONTROL | &OF_USERS => controls.insert(token.clone(), id).is_some(),
                _ => false,
            };
            if twice {
                return Err(TokenizerError::Twice(CleanText::from_outside(token)));
            }
            bytes.push(meant.unwrap_or_default().into_boxed_slice());
        }
        let merges = merges(&vocabulary.merges, &texts)?;
        let bpe =
            BPE::builder().vocab_and_merges(texts, merges).ignore_merges(cut.takes_words_whole()).build().map_err(library)?;
        let mut encoder = Encoder::new(bpe);
        encoder.with_normalizer(cut.normalizer()).map_err(library)?;
        encoder.with_pre_tokenizer(Some(cut.pre_tokenizer().map_err(library)?));
        Ok(Self { encoder, bytes, controls, begin: vocabulary.begin, template: vocabulary.template })
    }

    /// The tokens of a text. No control token is among them, whatever it says.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        Ok(self.encoder.encode_fast(text, false).map_err(library)?.get_ids().to_vec())
    }

    /// The text of tokens; controls are left out, and what is no whole character becomes `\u{FFFD}`.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| self.bytes(*token)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes of a token that is text; nothing for every other one.
    pub fn bytes(&self, token: u32) -> &[u8] {
        usize::try_from(token).ok().and_then(|index| self.bytes.get(index)).map_or(&[], |bytes| bytes)
    }

    /// The number of a control token.
    pub fn control(&self, name: &str) -> Option<u32> {
        self.controls.get(name).copied()
    }

    /// The control tokens.
    pub fn controls(&self) -> impl Iterator<Item = (&str, u32)> {
        self.controls.iter().map(|(name, id)| (name.as_str(), *id))
    }

    /// How many tokens there are, unused ones included.
    pub fn tokens(&self) -> usize {
        self.bytes.len()
    }

    /// The token every text begins with, where there is one.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// The chat template as it stands in the file.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokenizer").field("tokens", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Splits the merges and holds them against the vocabulary: the library's own check indexes past its buffer where a file lies.
fn merges(lines: &[String], texts: &Vocab) -> Result<Merges, TokenizerError> {
    let split = |(index, line): (usize, &String)| {
        let (left, right) = line.split_once(' ').ok_or(TokenizerError::Merge(index))?;
        let known = texts.contains_key(left) && texts.contains_key(right) && texts.contains_key(&format!("{left}{right}"));
        if known { Ok((left.to_owned(), right.to_owned())) } else { Err(TokenizerError::Merge(index)) }
    };
    lines.iter().enumerate().map(split).collect()
}

/// The bytes that a token's letters stand for; `None` where a letter stands for none, where they can be part of no text, and where they are too many.
fn bytes_of(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte_of).collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() <= LONGEST && !bytes.contains(&NO_LETTER))
}

/// The byte a letter stands for: visible Latin-1 letters for themselves, the 68 others in order from U+0100 on (the alphabet of GPT-2).
fn byte_of(letter: char) -> Option<u8> {
    let code = u32::from(letter);
    let byte = match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7F,
        0x143 => 0xAD,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

fn library(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Library(CleanText::from_outside(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_every_byte_once() {
        let mut bytes: Vec<u8> = (0..0x144).filter_map(char::from_u32).filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn a_byte_that_begins_no_character_is_no_text() {
        assert_eq!((bytes_of("Ġa"), bytes_of("ÿ"), bytes_of("一")), (Some(b" a".to_vec()), None, None));
    }
}
