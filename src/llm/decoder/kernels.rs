//! Fused steps for the CPU, in plain loops that a compiler turns into vector instructions; other devices take the library's operations.

#![expect(clippy::indexing_slicing, reason = "a numeric kernel whose ranges come from shapes that were checked")]

use std::sync::Mutex;

use candle_core::quantized::GgmlType;
use candle_core::quantized::k_quants::BlockQ8K;
use candle_core::utils::barrier_pool;
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// Numbers below which a second thread costs more than it gives.
const WORTH_SHARING: usize = 1 << 14;
/// The share of a token that eight bits may lose. Measured on the small model against llama.cpp: two in a hundred leave the mean
/// divergence of the next word where losing nothing leaves it, and half of the tokens need no second row; three more than double it.
const MUCH: f32 = 0.02;

/// `silu(left half) * right half` of the last dimension.
pub(super) fn gated(both: &Tensor) -> Result<Tensor> {
    if both.device().is_cpu() {
        both.apply_op1_no_bwd(&Gated)
    } else {
        let half = both.dim(1)? / 2;
        let gate = both.narrow(1, 0, half)?.contiguous()?;
        candle_nn::ops::silu(&gate)? * both.narrow(1, half, half)?.contiguous()?
    }
}

/// Tokens made ready for the library's eight bits.
#[derive(Debug)]
pub(super) struct Fine {
    /// The tokens, zeros behind each, then what eight bits would lose of some of them: [tokens + some, columns + padding].
    pub rows: Tensor,
    /// Whose the losses are.
    pub lossy: Vec<usize>,
}

/// Adds to tokens what eight bits for each 256 numbers would lose of them, where that is much. For the CPU only.
pub(super) fn fine(numbers: &Tensor, padding: usize) -> Result<Fine> {
    let (tokens, columns) = numbers.dims2()?;
    let wide = columns + padding;
    if !wide.is_multiple_of(BlockQ8K::BLCK_SIZE) {
        bail!("numbers that fill no whole blocks");
    }
    let (storage, layout) = numbers.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("not on the CPU") };
    let source = contiguous(storage, layout)?;
    let mut both = vec![0.0; 2 * tokens * wide];
    by_row(&mut both, 2 * wide, |token, both| {
        let (whole, lost) = both.split_at_mut(wide);
        whole[..columns].copy_from_slice(&source[token * columns..][..columns]);
        let mut block = [BlockQ8K::zeros()];
        for (whole, lost) in whole.chunks(BlockQ8K::BLCK_SIZE).zip(lost.chunks_mut(BlockQ8K::BLCK_SIZE)) {
            BlockQ8K::from_float(whole, &mut block);
            BlockQ8K::to_float(&block, lost);
            for (lost, whole) in lost.iter_mut().zip(whole) {
                *lost = *whole - *lost;
            }
        }
    });
    let is_lossy = |both: &[f32]| {
        let (whole, lost) = both.split_at(wide);
        dot(lost, lost) > MUCH * MUCH * dot(whole, whole)
    };
    let lossy: Vec<usize> =
        both.chunks(2 * wide).enumerate().filter(|(_, both)| is_lossy(both)).map(|(token, _)| token).collect();
    let mut rows = Vec::with_capacity((tokens + lossy.len()) * wide);
    both.chunks(2 * wide).for_each(|both| rows.extend_from_slice(&both[..wide]));
    lossy.iter().for_each(|&token| rows.extend_from_slice(&both[(2 * token + 1) * wide..][..wide]));
    Ok(Fine { rows: Tensor::from_vec(rows, (tokens + lossy.len(), wide), &Device::Cpu)?, lossy })
}

/// Adds the products of the losses to those of their tokens.
pub(super) fn with_losses(products: &Tensor, lossy: &[usize]) -> Result<Tensor> {
    if lossy.is_empty() {
        return Ok(products.clone());
    }
    products.apply_op1_no_bwd(&WithLosses { lossy })
}

/// What each query may see: the first so many keys. The list is repeated for as many rows as there are.
#[derive(Debug)]
pub(super) struct Sight {
    seen: Vec<usize>,
    keys: usize,
    mask: Option<Tensor>,
}

impl Sight {
    /// `seen` keys of `keys` for each query; the mask is for devices without a kernel of their own here.
    pub fn new(seen: Vec<usize>, keys: usize, device: &Device) -> Result<Self> {
        let mask = if device.is_cpu() || seen.iter().all(|&seen| seen == keys) {
            None
        } else {
            let values: Vec<f32> = seen
                .iter()
                .flat_map(|&seen| (0..keys).map(move |key| if key < seen { 0.0 } else { f32::NEG_INFINITY }))
                .collect();
            Some(Tensor::from_vec(values, (seen.len(), keys), device)?)
        };
        Ok(Self { seen, keys, mask })
    }

    /// Weights of the keys from scores of the shape [any, keys]; what is not seen weighs nothing.
    pub fn softmax(&self, scores: &Tensor) -> Result<Tensor> {
        if scores.device().is_cpu() {
            return scores.apply_op1_no_bwd(&VisibleSoftmax { seen: &self.seen, keys: self.keys });
        }
        match &self.mask {
            None => candle_nn::ops::softmax_last_dim(scores),
            Some(mask) => {
                let shape = scores.shape().clone();
                let masked = scores.reshape(((), self.seen.len(), self.keys))?.broadcast_add(mask)?;
                candle_nn::ops::softmax_last_dim(&masked)?.reshape(shape)
            }
        }
    }
}

struct Gated;

impl CustomOp1 for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let source = contiguous(storage, layout)?;
        let half = columns / 2;
        let mut out = vec![0.0; rows * half];
        by_row(&mut out, half, |row, out| {
            let (gate, up) = source[row * columns..(row + 1) * columns].split_at(half);
            for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate / (1.0 + exp(-gate)) * up;
            }
        });
        Ok((CpuStorage::F32(out), (rows, half).into()))
    }
}

struct WithLosses<'a> {
    lossy: &'a [usize],
}

impl CustomOp1 for WithLosses<'_> {
    fn name(&self) -> &'static str {
        "with-losses"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let source = contiguous(storage, layout)?;
        let tokens = rows - self.lossy.len();
        let (whole, lost) = source.split_at(tokens * columns);
        let mut out = whole.to_vec();
        for (&token, lost) in self.lossy.iter().zip(lost.chunks(columns)) {
            for (out, lost) in out[token * columns..][..columns].iter_mut().zip(lost) {
                *out += lost;
            }
        }
        Ok((CpuStorage::F32(out), (tokens, columns).into()))
    }
}

struct VisibleSoftmax<'a> {
    seen: &'a [usize],
    keys: usize,
}

impl CustomOp1 for VisibleSoftmax<'_> {
    fn name(&self) -> &'static str {
        "visible-softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let source = contiguous(storage, layout)?;
        if self.keys == 0 || self.seen.is_empty() || self.seen.iter().any(|&seen| seen == 0 || seen > self.keys) {
            bail!("a query that sees nothing, or more than there is");
        }
        let mut out = vec![0.0; source.len()];
        by_row(&mut out, self.keys, |row, out| {
            let seen = self.seen[row % self.seen.len()];
            let scores = &source[row * self.keys..][..seen];
            softmax(scores, &mut out[..seen]);
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

fn softmax(scores: &[f32], out: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for (out, &score) in out.iter_mut().zip(scores) {
        *out = exp(score - most);
    }
    let scale = sum(out).recip();
    for out in out {
        *out *= scale;
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut strands = [0.0; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for ((strand, one), other) in strands.iter_mut().zip(one).zip(other) {
            *strand += one * other;
        }
    }
    strands.iter().sum()
}

/// In eight strands, so that it is not one long chain of additions.
fn sum(numbers: &[f32]) -> f32 {
    let mut strands = [0.0; 8];
    let chunks = numbers.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (strand, number) in strands.iter_mut().zip(chunk) {
            *strand += number;
        }
    }
    strands.iter().sum::<f32>() + rest
}

/// The exponential to within two units of the last place, without a branch, so that loops over it become vector instructions:
/// a power of two by the exponent's bits, the rest by its series. Below -87 it is (almost) nothing, above 88 it stays at its greatest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within the exponent's range")]
fn exp(number: f32) -> f32 {
    const ROUNDS: f32 = 12_582_912.0;
    let held = number.clamp(-87.0, 88.0);
    let shifted = held * std::f32::consts::LOG2_E + ROUNDS;
    let power = shifted - ROUNDS;
    // ln 2 in two parts, so that the difference keeps its digits.
    let rest = (held - power * 0.693_359_4) + power * 2.121_944_4e-4;
    let series = 1.0
        + rest
            * (1.0
                + rest * (0.5 + rest * (0.166_666_67 + rest * (0.041_666_67 + rest * (0.008_333_333 + rest * 0.001_388_888_9)))));
    let scale = f32::from_bits(((power as i32 + 127) as u32) << 23);
    // What is no number stays none: `clamp` keeps it, and so does the series.
    series * scale
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let numbers = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&numbers[start..end]),
        None => bail!("numbers that do not lie together"),
    }
}

/// Does every row of `out`, on all threads where that is worth it.
fn by_row(out: &mut [f32], columns: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if columns == 0 {
        return;
    }
    if out.len() < WORTH_SHARING {
        out.chunks_mut(columns).enumerate().for_each(|(row, out)| work(row, out));
        return;
    }
    let rows: Vec<Mutex<&mut [f32]>> = out.chunks_mut(columns).map(Mutex::new).collect();
    barrier_pool().execute_chunked(rows.len(), |range| {
        for row in range {
            if let Ok(mut out) = rows[row].lock() {
                work(row, &mut out);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{exp, softmax};

    #[test]
    fn the_exponential_is_right_to_the_last_places() {
        for step in -8000..=8000 {
            let number = step as f32 / 100.0;
            let (found, right) = (f64::from(exp(number)), f64::from(number).exp());
            assert!((found / right - 1.0).abs() < 3e-7, "{number}: {found} {right}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn weights_sum_to_one_and_nan_is_not_lost() {
        let mut out = [0.0; 11];
        softmax(&[1.0, 2.0, -3.0, 0.0, 5.0, 5.0, 1.5, -80.0, 2.0, 3.0, 1.0], &mut out);
        assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        softmax(&[1.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &mut out);
        assert!(out.iter().all(|weight| weight.is_nan()));
    }
}
