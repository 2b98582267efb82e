//! Who looks at whom: queries against the keys of a prefix and of the sequence itself.
//!
//! Heads that share keys are stacked as more queries of those keys, so no key is ever repeated. The prefix's scores and the sequence's own
//! are computed apart, as they lie apart, and weighed together.

use candle_core::{Result, Tensor};

use crate::llm::decoder::cache::{Own, Stretch};
use crate::llm::decoder::config::Config;
use crate::llm::decoder::kernels::Sight;

/// How the new tokens of a chunk look back; the same for every layer.
#[derive(Debug)]
pub(super) enum Gaze {
    /// One new token for each of the sequences at most, all at once; `order` puts them into the rows' order and back, where some have none.
    Step {
        /// The longest sequence's own tokens.
        length: usize,
        sight: Sight,
        order: Option<(Tensor, Tensor)>,
    },
    /// Sequence by sequence.
    Stretches(Vec<(Stretch, Sight)>),
}

/// What one layer looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub layer: usize,
    pub own: &'a Own,
    pub prefix: Option<&'a (Tensor, Tensor)>,
}

impl Gaze {
    pub fn new(own: &Own, stretches: &[Stretch], prefix: usize, shared: usize) -> Result<Self> {
        let device = own.device();
        if stretches.iter().any(|stretch| stretch.count > 1) {
            let of_stretch = |&stretch: &Stretch| {
                let seen = (1..=stretch.count).map(|new| prefix + stretch.before + new).collect();
                Ok((stretch, Sight::new(seen, prefix + stretch.before + stretch.count, device)?))
            };
            return Ok(Self::Stretches(stretches.iter().map(of_stretch).collect::<Result<_>>()?));
        }
        let mut lengths = own.lengths.clone();
        let mut places = vec![0_u32; lengths.len()];
        for (place, stretch) in (0..).zip(stretches) {
            if let (Some(length), Some(slot)) = (lengths.get_mut(stretch.row), places.get_mut(stretch.row)) {
                (*length, *slot) = (stretch.before + 1, place);
            }
        }
        let length = lengths.iter().copied().max().unwrap_or(0);
        let order = if stretches.len() == lengths.len() {
            None
        } else {
            let back: Vec<u32> = stretches.iter().filter_map(|stretch| u32::try_from(stretch.row).ok()).collect();
            Some((Tensor::new(places, device)?, Tensor::new(back, device)?))
        };
        // Each query head of a sequence sees as much. A sequence without tokens of its own cannot be here: opening one computes at least one.
        let seen = lengths.into_iter().flat_map(|own| std::iter::repeat_n(prefix + own.max(1), shared)).collect();
        Ok(Self::Step { length, sight: Sight::new(seen, prefix + length, device)?, order })
    }

    /// Looks: from queries [tokens, heads, width], already scaled, to what was seen [tokens, heads * width].
    pub fn look(&self, queries: &Tensor, seen: Seen<'_>, config: &Config) -> Result<Tensor> {
        match self {
            Self::Step { length, sight, order } => match order {
                None => step(queries, seen, (*length, sight), config),
                Some((there, back)) => {
                    step(&queries.index_select(there, 0)?, seen, (*length, sight), config)?.index_select(back, 0)
                }
            },
            Self::Stretches(stretches) => {
                let parts = stretches.iter().map(|(stretch, sight)| {
                    let queries = queries.narrow(0, stretch.start, stretch.count)?;
                    one(&queries, seen, (*stretch, sight), config)
                });
                let parts = parts.collect::<Result<Vec<_>>>()?;
                if let [only] = parts.as_slice() { Ok(only.clone()) } else { Tensor::cat(&parts, 0) }
            }
        }
    }
}

/// All sequences at once, one query of each.
fn step(queries: &Tensor, seen: Seen<'_>, (length, sight): (usize, &Sight), config: &Config) -> Result<Tensor> {
    let rows = queries.dim(0)?;
    let (groups, width, shared) = (config.kv_heads, config.head_width, config.heads / config.kv_heads);
    let queries = queries.reshape((rows, groups, shared, width))?.transpose(0, 1)?.contiguous()?;
    let (keys, values) = seen.own.of_all(seen.layer, length)?;
    let apart = queries.reshape((groups * rows, shared, width))?;
    let together = queries.reshape((groups, rows * shared, width))?;
    let scores = apart.matmul(&keys.t()?)?.reshape((groups, rows * shared, length))?;
    let looked = match seen.prefix {
        None => sight.softmax(&scores)?.reshape((groups * rows, shared, length))?.matmul(&values)?,
        Some((prefix_keys, prefix_values)) => {
            let before = prefix_keys.dim(1)?;
            let weights = sight.softmax(&Tensor::cat(&[&together.matmul(&prefix_keys.t()?)?, &scores], 2)?)?;
            let of_prefix = weights.narrow(2, 0, before)?.contiguous()?.matmul(prefix_values)?;
            let own = weights.narrow(2, before, length)?.contiguous()?.reshape((groups * rows, shared, length))?;
            (own.matmul(&values)?.reshape((groups, rows * shared, width))? + of_prefix)?
        }
    };
    looked.reshape((groups, rows, shared * width))?.transpose(0, 1)?.contiguous()?.reshape((rows, config.query_width()))
}

/// Several queries of one sequence.
fn one(queries: &Tensor, seen: Seen<'_>, (stretch, sight): (Stretch, &Sight), config: &Config) -> Result<Tensor> {
    let (tokens, groups, width, shared) = (stretch.count, config.kv_heads, config.head_width, config.heads / config.kv_heads);
    let length = stretch.before + tokens;
    let queries = queries.reshape((tokens, groups, shared, width))?.permute((1, 2, 0, 3))?.contiguous()?;
    let queries = queries.reshape((groups, shared * tokens, width))?;
    let (keys, values) = seen.own.of_row(seen.layer, stretch.row, length)?;
    let scores = queries.matmul(&keys.t()?)?;
    let looked = match seen.prefix {
        None => sight.softmax(&scores)?.matmul(&values)?,
        Some((prefix_keys, prefix_values)) => {
            let before = prefix_keys.dim(1)?;
            let weights = sight.softmax(&Tensor::cat(&[&queries.matmul(&prefix_keys.t()?)?, &scores], 2)?)?;
            let of_prefix = weights.narrow(2, 0, before)?.contiguous()?.matmul(prefix_values)?;
            (weights.narrow(2, before, length)?.contiguous()?.matmul(&values)? + of_prefix)?
        }
    };
    looked.reshape((groups, shared, tokens, width))?.permute((2, 0, 1, 3))?.contiguous()?.reshape((tokens, config.query_width()))
}
