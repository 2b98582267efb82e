//! What a model will need, from its header alone.

use std::fmt;

use crate::llm::decoder::config::Config;
use crate::llm::decoder::matrix::WIDE_BLOCK;
use crate::llm::gguf::{Header, Kind, TensorInfo};

/// Room for what is computed on the way, and for the program itself.
const SLACK: u64 = 256 << 20;

/// Bytes that a model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryNeed {
    /// Its weights, as they are kept.
    pub weights: u64,
    /// Copies of them that the arithmetic makes at first use.
    pub rearranged: u64,
    /// Keys and values of all positions that it is given.
    pub cache: u64,
    /// Everything else.
    pub slack: u64,
}

impl MemoryNeed {
    /// All together.
    pub const fn total(self) -> u64 {
        self.weights.saturating_add(self.rearranged).saturating_add(self.cache).saturating_add(self.slack)
    }

    /// For that many positions in all sequences together.
    pub(super) fn of(header: &Header, config: &Config, positions: usize, on_cpu: bool) -> Self {
        let mut need = Self { weights: 0, rearranged: 0, cache: 0, slack: SLACK };
        for tensor in &header.tensors {
            let (kept, more) = of_tensor(tensor, on_cpu);
            need.weights = need.weights.saturating_add(kept);
            need.rearranged = need.rearranged.saturating_add(more);
        }
        need.cache = (config.token_bytes() as u64).saturating_mul(positions as u64);
        need
    }
}

/// Kept bytes, and those of copies. The copies' bits for each weight: candle 0.11's tiles for vector instructions.
fn of_tensor(tensor: &TensorInfo, on_cpu: bool) -> (u64, u64) {
    let elements = tensor.elements() as u64;
    let kind = if on_cpu { tensor.kind.fast_on_a_cpu() } else { tensor.kind };
    let kept = kind.bytes_of(elements).unwrap_or(tensor.bytes);
    let columns = tensor.shape.last().copied().unwrap_or(1).max(1) as u64;
    let more = match kind {
        Kind::F16 | Kind::Bf16 | Kind::F32 => elements.saturating_mul(4),
        Kind::Q4K if on_cpu => elements.saturating_mul(6) / 8,
        Kind::Q6K if on_cpu => elements.saturating_mul(10) / 8,
        // Rows are filled up, once as they are and once as tiles; the table of words is kept beside its matrix.
        Kind::Q8_0 if on_cpu => {
            let filled = (kept / columns).saturating_add(1).saturating_mul(columns.next_multiple_of(WIDE_BLOCK as u64));
            filled.saturating_mul(2).saturating_sub(if tensor.name == "token_embd.weight" { 0 } else { kept })
        }
        _ => 0,
    };
    (kept, more)
}

impl fmt::Display for MemoryNeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes >> 20;
        write!(
            formatter,
            "{} MiB: {} for its weights, {} for a copy the arithmetic rearranges, {} for what it remembers, {} for the rest",
            megabytes(self.total()),
            megabytes(self.weights),
            megabytes(self.rearranged),
            megabytes(self.cache),
            megabytes(self.slack)
        )
    }
}
