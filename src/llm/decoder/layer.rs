//! One layer: look back, then think about what was seen; both on top of what came in.

use candle_core::{Result, Tensor};

use crate::llm::decoder::DecoderError;
use crate::llm::decoder::attention::{Gaze, Seen};
use crate::llm::decoder::cache::{Own, Prefix, Stretch};
use crate::llm::decoder::config::{Architecture, Config};
use crate::llm::decoder::kernels::gated;
use crate::llm::decoder::matrix::{Matrix, Side};
use crate::llm::decoder::rotation::Turns;
use crate::llm::decoder::weights::{Order, Weights};

/// The weights of a layer.
#[derive(Debug)]
pub(super) struct Layer {
    index: usize,
    before_looking: Norm,
    looking: Side,
    biases: Option<[Tensor; 3]>,
    head_norms: Option<[Norm; 2]>,
    looked: Matrix,
    before_thinking: Norm,
    thinking: Side,
    thought: Matrix,
}

/// Root mean square normalisation.
#[derive(Debug)]
pub(super) struct Norm {
    weights: Tensor,
    epsilon: f32,
}

/// What a chunk brings to every layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub config: &'a Config,
    pub own: &'a Own,
    pub prefix: Option<&'a Prefix>,
    pub stretches: &'a [Stretch],
    pub turns: &'a Turns,
    pub gaze: &'a Gaze,
}

impl Norm {
    pub fn load(weights: &Weights<'_>, name: &str, config: &Config) -> std::result::Result<Self, DecoderError> {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        Ok(Self { weights: weights.vector(name)?, epsilon: config.epsilon as f32 })
    }

    pub fn forward(&self, numbers: &Tensor) -> Result<Tensor> {
        candle_nn::ops::rms_norm(numbers, &self.weights, self.epsilon)
    }
}

impl Layer {
    pub fn load(weights: &Weights<'_>, index: usize, config: &Config) -> std::result::Result<Self, DecoderError> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let norm = |part: &str| Norm::load(weights, &name(part), config);
        let bias = |part: &str| weights.vector(&format!("blk.{index}.{part}.bias"));
        // The files of this family have pairs side by side.
        let order = match config.architecture {
            Architecture::Llama => Order::Pairs { head_width: config.head_width },
            Architecture::Qwen2 | Architecture::Qwen3 => Order::Plain,
        };
        Ok(Self {
            index,
            before_looking: norm("attn_norm")?,
            looking: weights.side(&[(&name("attn_q"), order), (&name("attn_k"), order), (&name("attn_v"), Order::Plain)])?,
            biases: match config.architecture {
                Architecture::Qwen2 => Some([bias("attn_q")?, bias("attn_k")?, bias("attn_v")?]),
                Architecture::Llama | Architecture::Qwen3 => None,
            },
            head_norms: match config.architecture {
                Architecture::Qwen3 => Some([norm("attn_q_norm")?, norm("attn_k_norm")?]),
                Architecture::Llama | Architecture::Qwen2 => None,
            },
            looked: weights.matrix(&name("attn_output"))?,
            before_thinking: norm("ffn_norm")?,
            thinking: weights.side(&[(&name("ffn_gate"), Order::Plain), (&name("ffn_up"), Order::Plain)])?,
            thought: weights.matrix(&name("ffn_down"))?,
        })
    }

    /// Bytes of its matrices.
    pub fn bytes(&self) -> u64 {
        self.looking.bytes() + self.looked.bytes() + self.thinking.bytes() + self.thought.bytes()
    }

    /// From tokens [tokens, width] to the same. Where only some of them are `wanted` further on, only those come out.
    pub fn forward(&self, tokens: &Tensor, chunk: Chunk<'_>, wanted: Option<&Tensor>) -> Result<Tensor> {
        let queries = self.remember(tokens, chunk)?;
        let prefix = chunk.prefix.and_then(|prefix| prefix.layer(self.index));
        let mut looked = chunk.gaze.look(&queries, Seen { layer: self.index, own: chunk.own, prefix }, chunk.config)?;
        let mut tokens = tokens.clone();
        if let Some(wanted) = wanted {
            (looked, tokens) = (looked.index_select(wanted, 0)?, tokens.index_select(wanted, 0)?);
        }
        let tokens = (self.looked.forward(&looked)? + tokens)?;
        let both = self.thinking.joined(&self.before_thinking.forward(&tokens)?)?;
        self.thought.forward(&gated(&both)?)? + tokens
    }

    /// Keeps the tokens' keys and values, and gives their queries.
    pub fn remember(&self, tokens: &Tensor, chunk: Chunk<'_>) -> Result<Tensor> {
        let [queries, keys, values] = self.sides(&self.before_looking.forward(tokens)?, chunk.turns, chunk.config)?;
        chunk.own.write(self.index, chunk.stretches, (&keys, &values))?;
        Ok(queries)
    }

    /// Queries, keys and values by head, the first two turned to their positions.
    fn sides(&self, numbers: &Tensor, turns: &Turns, config: &Config) -> Result<[Tensor; 3]> {
        let Ok([mut queries, mut keys, mut values]) = <[Tensor; 3]>::try_from(self.looking.forward(numbers)?) else {
            candle_core::bail!("a layer without its three sides")
        };
        if let Some([of_queries, of_keys, of_values]) = &self.biases {
            (queries, keys, values) =
                (queries.broadcast_add(of_queries)?, keys.broadcast_add(of_keys)?, values.broadcast_add(of_values)?);
        }
        let by_head = |numbers: &Tensor, heads: usize| numbers.reshape((numbers.dim(0)?, heads, config.head_width));
        let (mut queries, mut keys) = (by_head(&queries, config.heads)?, by_head(&keys, config.kv_heads)?);
        if let Some([of_queries, of_keys]) = &self.head_norms {
            (queries, keys) = (of_queries.forward(&queries)?, of_keys.forward(&keys)?);
        }
        Ok([turns.queries(&queries)?, turns.keys(&keys)?, by_head(&values, config.kv_heads)?])
    }
}
