//! Files with random weights in the shapes of known models: speed does not depend on what the weights are, and tests want small ones.
//!
//! They have a working vocabulary (every byte, some words, the marks of a conversation), so that everything around a model can be tried
//! with them; what such a model says is noise.

mod blocks;
mod vocabulary;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::llm::gguf::write::GgufWriter;
use crate::llm::gguf::{Kind, Value};

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// `llama`, `qwen2` or `qwen3`.
    pub architecture: &'static str,
    /// Layers.
    pub layers: usize,
    /// Numbers that a token is between layers.
    pub width: usize,
    /// Heads that ask.
    pub heads: usize,
    /// Heads that are asked.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head_width: usize,
    /// Numbers within a layer's second half.
    pub feed_forward: usize,
    /// Words, padding included.
    pub vocabulary: usize,
    /// Positions.
    pub context: usize,
    /// Base of the rotations.
    pub theta: f64,
    /// How its weights are kept.
    pub weights: Weights,
    /// Whether the last matrix is the table of words, or one of its own.
    pub head: Head,
}

/// How the matrices are kept. Everything with one dimension has 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// All alike.
    All(Kind),
    /// The mixture that is called `Q4_K_M`: some of the matrices have 6 bits, the others 4.
    Q4KM,
}

/// The matrix from a state to words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// The table of words.
    Tied,
    /// One of its own.
    Own,
}

impl Shape {
    /// The names below.
    pub const NAMES: [&'static str; 5] = ["qwen2.5-7b-q4_k_m", "qwen2.5-1.5b-q4_k_m", "tiny-llama", "tiny-qwen2", "tiny-qwen3"];

    /// A shape by its name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "qwen2.5-7b-q4_k_m" => Some(Self {
                architecture: "qwen2",
                layers: 28,
                width: 3584,
                heads: 28,
                kv_heads: 4,
                head_width: 128,
                feed_forward: 18_944,
                vocabulary: 152_064,
                context: 32_768,
                theta: 1e6,
                weights: Weights::Q4KM,
                head: Head::Own,
            }),
            "qwen2.5-1.5b-q4_k_m" => Some(Self {
                architecture: "qwen2",
                layers: 28,
                width: 1536,
                heads: 12,
                kv_heads: 2,
                head_width: 128,
                feed_forward: 8960,
                vocabulary: 151_936,
                context: 32_768,
                theta: 1e6,
                weights: Weights::Q4KM,
                head: Head::Tied,
            }),
            "tiny-llama" => Some(Self::tiny("llama", Head::Own)),
            "tiny-qwen2" => Some(Self::tiny("qwen2", Head::Tied)),
            "tiny-qwen3" => Some(Self::tiny("qwen3", Head::Tied)),
            _ => None,
        }
    }

    /// Two layers with 32-bit weights and every byte as a word.
    fn tiny(architecture: &'static str, head: Head) -> Self {
        Self {
            architecture,
            layers: 2,
            width: 64,
            heads: 4,
            kv_heads: 2,
            head_width: 16,
            feed_forward: 96,
            vocabulary: 512,
            context: 4096,
            theta: 10_000.0,
            weights: Weights::All(Kind::F32),
            head,
        }
    }
}

/// Writes a file with random weights, as they come, without holding it. The same seed gives the same file.
pub fn write_random(shape: &Shape, path: &Path, seed: u64) -> io::Result<u64> {
    write_random_to(shape, BufWriter::with_capacity(1 << 20, File::create(path)?), seed)
}

/// The same into any sink.
pub fn write_random_to(shape: &Shape, out: impl Write, seed: u64) -> io::Result<u64> {
    let mut writer = GgufWriter::new();
    facts(shape, &mut writer)?;
    plan(shape, &mut writer)?;
    let mut noise = blocks::Noise::new(seed);
    writer.write(out, |tensor, out| {
        let columns = tensor.shape.last().copied().unwrap_or(1);
        let spread = match (tensor.shape.len(), tensor.name.ends_with("norm.weight")) {
            (1, true) => blocks::Spread::AroundOne,
            (1, false) => blocks::Spread::AroundZero(0.1),
            _ if tensor.name == "token_embd.weight" => blocks::Spread::AroundZero(1.0),
            #[expect(clippy::cast_precision_loss, reason = "a number of columns")]
            _ => blocks::Spread::AroundZero(1.0 / (columns as f32).sqrt()),
        };
        blocks::fill(tensor, spread, &mut noise, out)
    })
}

fn facts(shape: &Shape, writer: &mut GgufWriter) -> io::Result<()> {
    let architecture = shape.architecture;
    let mut count = |name: &str, number: usize| -> io::Result<()> {
        let number = i64::try_from(number).map_err(io::Error::other)?;
        writer.fact(&format!("{architecture}.{name}"), Value::Integer(number));
        Ok(())
    };
    count("block_count", shape.layers)?;
    count("context_length", shape.context)?;
    count("embedding_length", shape.width)?;
    count("feed_forward_length", shape.feed_forward)?;
    count("attention.head_count", shape.heads)?;
    count("attention.head_count_kv", shape.kv_heads)?;
    count("attention.key_length", shape.head_width)?;
    count("attention.value_length", shape.head_width)?;
    count("rope.dimension_count", shape.head_width)?;
    writer.fact("general.architecture", Value::Text(architecture.to_owned()));
    writer.fact("general.name", Value::Text(format!("random weights in the shape of a {architecture}")));
    writer.fact(&format!("{architecture}.rope.freq_base"), Value::Float(shape.theta));
    writer.fact(&format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::Float(1e-6));
    vocabulary::facts(shape.vocabulary, writer)
}

fn plan(shape: &Shape, writer: &mut GgufWriter) -> io::Result<()> {
    let (width, queries, keys) = (shape.width, shape.heads * shape.head_width, shape.kv_heads * shape.head_width);
    let table = match (shape.weights, shape.head) {
        (Weights::All(kind), _) => kind,
        (Weights::Q4KM, Head::Tied) => Kind::Q6K,
        (Weights::Q4KM, Head::Own) => Kind::Q4K,
    };
    writer.tensor("token_embd.weight", table, &[shape.vocabulary, width])?;
    for layer in 0..shape.layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (few, many) = match shape.weights {
            Weights::All(kind) => (kind, kind),
            Weights::Q4KM => (Kind::Q4K, if gets_more_bits(layer, shape.layers) { Kind::Q6K } else { Kind::Q4K }),
        };
        writer.tensor(&name("attn_norm.weight"), Kind::F32, &[width])?;
        writer.tensor(&name("attn_q.weight"), few, &[queries, width])?;
        writer.tensor(&name("attn_k.weight"), few, &[keys, width])?;
        writer.tensor(&name("attn_v.weight"), many, &[keys, width])?;
        writer.tensor(&name("attn_output.weight"), few, &[width, queries])?;
        if shape.architecture == "qwen2" {
            writer.tensor(&name("attn_q.bias"), Kind::F32, &[queries])?;
            writer.tensor(&name("attn_k.bias"), Kind::F32, &[keys])?;
            writer.tensor(&name("attn_v.bias"), Kind::F32, &[keys])?;
        }
        if shape.architecture == "qwen3" {
            writer.tensor(&name("attn_q_norm.weight"), Kind::F32, &[shape.head_width])?;
            writer.tensor(&name("attn_k_norm.weight"), Kind::F32, &[shape.head_width])?;
        }
        writer.tensor(&name("ffn_norm.weight"), Kind::F32, &[width])?;
        writer.tensor(&name("ffn_gate.weight"), few, &[shape.feed_forward, width])?;
        writer.tensor(&name("ffn_up.weight"), few, &[shape.feed_forward, width])?;
        writer.tensor(&name("ffn_down.weight"), many, &[width, shape.feed_forward])?;
    }
    writer.tensor("output_norm.weight", Kind::F32, &[width])?;
    if shape.head == Head::Own {
        let kind = if shape.weights == Weights::Q4KM { Kind::Q6K } else { table };
        writer.tensor("output.weight", kind, &[shape.vocabulary, width])?;
    }
    Ok(())
}

/// The first and last eighth of the layers, and every third between them.
const fn gets_more_bits(layer: usize, layers: usize) -> bool {
    layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
}
