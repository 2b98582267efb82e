//! Which tensors a model of a family has, and in which shapes; checked before the first of them is read.

use crate::llm::decoder::DecoderError;
use crate::llm::decoder::config::{Architecture, Config};
use crate::llm::gguf::Header;

/// Whether a file may lack a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

/// Refuses a file that lacks a tensor, has one in another shape, or has one that nobody would read: it would change what is computed.
pub(super) fn check(header: &Header, config: &Config) -> Result<(), DecoderError> {
    let wanted = wanted(config);
    for (name, shape, need) in &wanted {
        match header.tensor(name) {
            Some(found) if found.shape == *shape => {}
            Some(found) => {
                return Err(DecoderError::Shape { tensor: name.clone(), found: found.shape.clone(), wanted: shape.clone() });
            }
            None if *need == Need::May => {}
            None => return Err(DecoderError::MissingTensor(name.clone())),
        }
    }
    match header.tensors.iter().find(|tensor| !wanted.iter().any(|(name, ..)| *name == tensor.name)) {
        Some(stranger) => Err(DecoderError::StrangeTensor(stranger.name.clone())),
        None => Ok(()),
    }
}

fn wanted(config: &Config) -> Vec<(String, Vec<usize>, Need)> {
    let (width, feed_forward, queries, keys) = (config.width, config.feed_forward, config.query_width(), config.key_width());
    let table = vec![config.vocabulary, width];
    let mut wanted = vec![
        ("token_embd.weight".to_owned(), table.clone(), Need::Must),
        ("output_norm.weight".to_owned(), vec![width], Need::Must),
        ("output.weight".to_owned(), table, Need::May),
        ("rope_freqs.weight".to_owned(), vec![config.head_width / 2], Need::May),
    ];
    for layer in 0..config.layers {
        let mut must = |part: &str, shape: Vec<usize>| wanted.push((format!("blk.{layer}.{part}"), shape, Need::Must));
        must("attn_norm.weight", vec![width]);
        must("attn_q.weight", vec![queries, width]);
        must("attn_k.weight", vec![keys, width]);
        must("attn_v.weight", vec![keys, width]);
        must("attn_output.weight", vec![width, queries]);
        must("ffn_norm.weight", vec![width]);
        must("ffn_gate.weight", vec![feed_forward, width]);
        must("ffn_up.weight", vec![feed_forward, width]);
        must("ffn_down.weight", vec![width, feed_forward]);
        match config.architecture {
            Architecture::Llama => {}
            Architecture::Qwen2 => {
                must("attn_q.bias", vec![queries]);
                must("attn_k.bias", vec![keys]);
                must("attn_v.bias", vec![keys]);
            }
            Architecture::Qwen3 => {
                must("attn_q_norm.weight", vec![config.head_width]);
                must("attn_k_norm.weight", vec![config.head_width]);
            }
        }
    }
    wanted
}
