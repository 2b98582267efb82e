//! Rotary positions (Su et al. 2021): each pair of numbers of a head is turned by an angle that grows with the position.
//!
//! Angles are computed with 64 bits and only their cosines and sines are cut to 32: an angle of some thousand radians has no digits
//! left behind the point in 16 bits. Queries get the attention's `1/sqrt(width)` on the way, as their table is smaller by that much.

use candle_core::{Device, Result, Tensor};

use crate::llm::decoder::config::Config;

/// Cosines and sines of every position.
#[derive(Debug)]
pub(super) struct Rotation {
    cosines: Tensor,
    sines: Tensor,
    query_scale: f64,
}

/// Cosines and sines of the tokens of one chunk.
#[derive(Debug)]
pub(super) struct Turns {
    keys: (Tensor, Tensor),
    queries: (Tensor, Tensor),
}

impl Rotation {
    /// Tables of `positions`; `factors` divide the frequencies where a model brings such (Llama 3).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "positions are small, and tables have 32 bits"
    )]
    pub fn new(config: &Config, factors: Option<&[f32]>, positions: usize, device: &Device) -> Result<Self> {
        let half = config.head_width / 2;
        let frequencies: Vec<f64> = (0..half)
            .map(|pair| {
                let factor = factors.and_then(|factors| factors.get(pair)).map_or(1.0, |&factor| f64::from(factor));
                config.theta.powf(-(2.0 * pair as f64) / config.head_width as f64) / factor / config.stretch
            })
            .collect();
        let table = |of: fn(f64) -> f64| {
            let values: Vec<f32> = (0..positions)
                .flat_map(|position| frequencies.iter().map(move |frequency| of(position as f64 * frequency) as f32))
                .collect();
            Tensor::from_vec(values, (positions, half), device)
        };
        Ok(Self { cosines: table(f64::cos)?, sines: table(f64::sin)?, query_scale: (config.head_width as f64).sqrt().recip() })
    }

    /// The turns of tokens at those positions.
    pub fn turns(&self, positions: &[u32]) -> Result<Turns> {
        let positions = Tensor::new(positions, self.cosines.device())?;
        let keys = (self.cosines.index_select(&positions, 0)?, self.sines.index_select(&positions, 0)?);
        let queries = (keys.0.affine(self.query_scale, 0.0)?, keys.1.affine(self.query_scale, 0.0)?);
        Ok(Turns { keys, queries })
    }
}

impl Turns {
    /// Turns keys of the shape [tokens, heads, width], whose pairs are a half apart.
    pub fn keys(&self, keys: &Tensor) -> Result<Tensor> {
        turn(keys, &self.keys)
    }

    /// Turns queries and scales them.
    pub fn queries(&self, queries: &Tensor) -> Result<Tensor> {
        turn(queries, &self.queries)
    }
}

fn turn(numbers: &Tensor, (cosines, sines): &(Tensor, Tensor)) -> Result<Tensor> {
    candle_nn::rotary_emb::rope_thd(&numbers.unsqueeze(0)?, cosines, sines)?.squeeze(0)
}
