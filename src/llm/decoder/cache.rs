//! Keys and values that were computed: a prefix that never changes and is shared, and behind it each sequence's own.
//!
//! A layer's own keys are one tensor [kv heads, rows * capacity, width], made once; a sequence writes into its stretch of it. A prefix is
//! never written to after it was made, so that any number of sequences may read it. Nothing here is cloned with its storage shared and
//! then written to.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use crate::llm::decoder::config::Config;

/// Keys and values of one layer.
#[derive(Debug)]
pub(super) struct LayerCache {
    keys: Tensor,
    values: Tensor,
}

/// The state of a prefix. Nothing writes to it any more.
#[derive(Debug, Clone)]
pub struct Prefix {
    layers: Arc<Vec<(Tensor, Tensor)>>,
    pub(super) length: usize,
}

/// The sequences' own keys and values.
#[derive(Debug)]
pub(super) struct Own {
    layers: Vec<LayerCache>,
    device: Device,
    /// Positions for each sequence.
    pub capacity: usize,
    /// Tokens each sequence has of its own.
    pub lengths: Vec<usize>,
}

/// A stretch of new tokens of one sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Whose.
    pub row: usize,
    /// Where it begins among the tokens computed now.
    pub start: usize,
    /// How many.
    pub count: usize,
    /// Tokens of its own that the sequence has already.
    pub before: usize,
}

impl Own {
    /// For `rows` sequences of up to `capacity` tokens.
    pub fn new(config: &Config, rows: usize, capacity: usize, device: &Device) -> Result<Self> {
        let shape = (config.kv_heads, rows * capacity, config.head_width);
        let layers = (0..config.layers)
            .map(|_| {
                Ok(LayerCache {
                    keys: Tensor::zeros(shape, DType::F32, device)?,
                    values: Tensor::zeros(shape, DType::F32, device)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, device: device.clone(), capacity, lengths: vec![0; rows] })
    }

    /// Remembers new keys and values [tokens, kv heads, width] of a layer.
    pub fn write(&self, layer: usize, stretches: &[Stretch], (keys, values): (&Tensor, &Tensor)) -> Result<()> {
        let Some(cache) = self.layers.get(layer) else { candle_core::bail!("a layer that is not there") };
        for stretch in stretches {
            let at = stretch.row * self.capacity + stretch.before;
            for (new, kept) in [(keys, &cache.keys), (values, &cache.values)] {
                let new = new.narrow(0, stretch.start, stretch.count)?.transpose(0, 1)?.contiguous()?;
                kept.slice_set(&new, 1, at)?;
            }
        }
        Ok(())
    }

    /// The first `length` keys and values of one sequence: [kv heads, length, width].
    pub fn of_row(&self, layer: usize, row: usize, length: usize) -> Result<(Tensor, Tensor)> {
        let Some(cache) = self.layers.get(layer) else { candle_core::bail!("a layer that is not there") };
        let at = row * self.capacity;
        Ok((cache.keys.narrow(1, at, length)?, cache.values.narrow(1, at, length)?))
    }

    /// The first `length` of every sequence: [kv heads * rows, length, width].
    pub fn of_all(&self, layer: usize, length: usize) -> Result<(Tensor, Tensor)> {
        let Some(cache) = self.layers.get(layer) else { candle_core::bail!("a layer that is not there") };
        let all = |kept: &Tensor| -> Result<Tensor> {
            let (heads, _, width) = kept.dims3()?;
            kept.reshape((heads * self.lengths.len(), self.capacity, width))?.narrow(1, 0, length)
        };
        Ok((all(&cache.keys)?, all(&cache.values)?))
    }

    /// Where they lie.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Takes the new tokens as read.
    pub fn advance(&mut self, stretches: &[Stretch]) {
        for stretch in stretches {
            if let Some(length) = self.lengths.get_mut(stretch.row) {
                *length = stretch.before + stretch.count;
            }
        }
    }

    /// Gives up being written to: a prefix, of a single sequence that is full.
    pub fn freeze(self) -> Prefix {
        Prefix {
            length: self.capacity,
            layers: Arc::new(self.layers.into_iter().map(|layer| (layer.keys, layer.values)).collect()),
        }
    }
}

impl Prefix {
    /// Keys and values of a layer: [kv heads, length, width].
    pub(super) fn layer(&self, index: usize) -> Option<&(Tensor, Tensor)> {
        self.layers.get(index)
    }
}
