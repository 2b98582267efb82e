//! How a text is cut into words before its bytes are paired: the list of ways that are known.

use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

/// A way of cutting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Qwen 2, 2.5 and 3: every digit alone, accents composed.
    Qwen,
    /// SmolLM: every digit alone, then GPT-2's words.
    SmolLm,
    /// Llama 3: digits by threes; a word that is a token is taken whole.
    Llama3,
}

/// Names in `tokenizer.ggml.pre`; Llama 3's has three that mean the same.
const NAMES: [(&str, Cut); 5] = [
    ("qwen2", Cut::Qwen),
    ("smollm", Cut::SmolLm),
    ("llama-bpe", Cut::Llama3),
    ("llama3", Cut::Llama3),
    ("llama-v3", Cut::Llama3),
];

/// Published with the models.
const QWEN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Cut {
    /// The way that a file names.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, cut)| *cut)
    }

    /// The names that are known, for a message.
    pub fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    pub(super) fn takes_words_whole(self) -> bool {
        self == Self::Llama3
    }

    pub(super) fn normalizer(self) -> Option<NormalizerWrapper> {
        (self == Self::Qwen).then_some(NormalizerWrapper::NFC(NFC))
    }

    pub(super) fn pre_tokenizer(self) -> tokenizers::Result<PreTokenizerWrapper> {
        let first = match self {
            Self::Qwen => split(QWEN)?,
            Self::Llama3 => split(LLAMA3)?,
            Self::SmolLm => PreTokenizerWrapper::Digits(Digits::new(true)),
        };
        let bytes = ByteLevel::new(false, false, self == Self::SmolLm);
        Ok(PreTokenizerWrapper::Sequence(Sequence::new(vec![first, PreTokenizerWrapper::ByteLevel(bytes)])))
    }
}

fn split(pattern: &str) -> tokenizers::Result<PreTokenizerWrapper> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    Ok(PreTokenizerWrapper::Split(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?))
}
