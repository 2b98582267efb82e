//! What a header says about a model, checked, before anything is read of it.

use crate::llm::decoder::DecoderError;
use crate::llm::gguf::{Header, Metadata};

/// A family of models that share this skeleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama and what was trained after its plan: Mistral, SmolLM2.
    Llama,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: queries and keys normalised by head.
    Qwen3,
}

/// Sizes and constants of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Its family.
    pub architecture: Architecture,
    /// Layers.
    pub layers: usize,
    /// Numbers that a token is between layers.
    pub width: usize,
    /// Heads that ask.
    pub heads: usize,
    /// Heads that are asked; each serves `heads / kv_heads` of the others.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head_width: usize,
    /// Numbers within a layer's second half.
    pub feed_forward: usize,
    /// Rows of the table of words, padding included.
    pub vocabulary: usize,
    /// Positions it was trained for.
    pub context: usize,
    /// What is added to a mean square before its root is taken.
    pub epsilon: f64,
    /// Base of the rotations.
    pub theta: f64,
    /// What positions are divided by.
    pub stretch: f64,
}

impl Architecture {
    /// Its name in a file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The family of a file.
    pub fn of(metadata: &Metadata) -> Result<Self, DecoderError> {
        let name = metadata.text("general.architecture")?;
        [Self::Llama, Self::Qwen2, Self::Qwen3]
            .into_iter()
            .find(|known| known.word() == name)
            .ok_or_else(|| DecoderError::Architecture(name.to_owned()))
    }
}

impl Config {
    /// Reads it from a header.
    pub fn of(header: &Header) -> Result<Self, DecoderError> {
        let metadata = &header.metadata;
        let architecture = Architecture::of(metadata)?;
        let key = |name: &str| format!("{}.{name}", architecture.word());
        let count = |name: &str| metadata.count(&key(name));
        let float = |name: &str| Metadata::optional(metadata.float(&key(name)));
        let (width, heads) = (count("embedding_length")?, count("attention.head_count")?);
        let head_width = Metadata::optional(count("attention.key_length"))?.or_else(|| width.checked_div(heads)).unwrap_or(0);
        let table =
            header.tensor("token_embd.weight").ok_or_else(|| DecoderError::MissingTensor("token_embd.weight".to_owned()))?;
        let config = Self {
            architecture,
            layers: count("block_count")?,
            width,
            heads,
            kv_heads: Metadata::optional(count("attention.head_count_kv"))?.unwrap_or(heads),
            head_width,
            feed_forward: count("feed_forward_length")?,
            vocabulary: table.shape.first().copied().unwrap_or(0),
            context: count("context_length")?,
            epsilon: metadata.float(&key("attention.layer_norm_rms_epsilon"))?,
            theta: float("rope.freq_base")?.unwrap_or(10_000.0),
            stretch: stretch(metadata, &key("rope.scaling"))?,
        };
        for (name, told) in [("attention.value_length", head_width), ("rope.dimension_count", head_width), ("expert_count", 0)] {
            if Metadata::optional(count(name))?.is_some_and(|found| found != told) {
                return Err(DecoderError::Unsupported(format!("{} that is not {told}", key(name))));
            }
        }
        let words = Metadata::optional(metadata.strings("tokenizer.ggml.tokens"))?.map_or(config.vocabulary, <[String]>::len);
        if words != config.vocabulary {
            return Err(DecoderError::Unsupported(format!("{words} words for a table of {}", config.vocabulary)));
        }
        config.sane()
    }

    fn sane(self) -> Result<Self, DecoderError> {
        let counts = [self.layers, self.width, self.heads, self.kv_heads, self.head_width, self.feed_forward, self.context];
        let wrong = if counts.contains(&0) {
            "a size of nothing"
        } else if counts.iter().any(|&count| count > 1 << 24) || self.layers > 1 << 10 || self.head_width > 1 << 12 {
            "a size beyond any model's"
        } else if !self.heads.is_multiple_of(self.kv_heads) {
            "heads that cannot be shared out"
        } else if !self.head_width.is_multiple_of(2) {
            "heads of odd width"
        } else if !(self.theta > 1.0 && self.stretch > 0.0 && self.epsilon >= 0.0) {
            "constants that make no sense"
        } else {
            return Ok(self);
        };
        Err(DecoderError::Unsupported(wrong.to_owned()))
    }

    /// Numbers of all queries of a token.
    pub const fn query_width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Numbers of all keys of a token; as many as of its values.
    pub const fn key_width(&self) -> usize {
        self.kv_heads * self.head_width
    }

    /// Bytes of keys and values of one token.
    pub const fn token_bytes(&self) -> usize {
        2 * self.layers * self.key_width() * size_of::<f32>()
    }
}

/// Only the linear kind is a constant; Llama 3's comes as a tensor, and others are not spoken here.
fn stretch(metadata: &Metadata, key: &str) -> Result<f64, DecoderError> {
    let kind = Metadata::optional(metadata.text(&format!("{key}.type")))?.unwrap_or("none");
    match kind {
        "none" => Ok(1.0),
        "linear" => Ok(metadata.float(&format!("{key}.factor"))?),
        other => Err(DecoderError::Unsupported(format!("positions stretched by `{other}`"))),
    }
}
