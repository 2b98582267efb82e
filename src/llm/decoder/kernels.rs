//! Fused steps for the CPU, in plain loops that a compiler turns into vector instructions; other devices take the library's operations.

#![expect(clippy::indexing_slicing, reason = "a numeric kernel whose ranges come from shapes that were checked")]

use std::sync::Mutex;

use candle_core::quantized::GgmlType;
use candle_core::quantized::k_quants::BlockQ8K;
use candle_core::utils::barrier_pool;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Numbers below which a second thread costs more than it gives.
const WORTH_SHARING: usize = 1 << 14;

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

/// Each token [tokens, columns] twice, one below the other and followed by zeros: as it is, and what is lost of it when the library keeps it
/// with eight bits for a multiplication. The sum of both products has the digits that the first lacks. For the CPU only.
pub(super) fn with_what_is_lost(numbers: &Tensor, padding: usize) -> Result<Tensor> {
    numbers.apply_op1_no_bwd(&WithLost { padding })
}

/// The sums of rows 0 and 1, 2 and 3, and so on.
pub(super) fn pair_sums(rows: &Tensor) -> Result<Tensor> {
    rows.apply_op1_no_bwd(&PairSums)
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
    pub fn new(seen: Vec<usize>, keys: usize, device: &candle_core::Device) -> Result<Self> {
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

struct WithLost {
    padding: usize,
}

impl CustomOp1 for WithLost {
    fn name(&self) -> &'static str {
        "with-what-is-lost"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let source = contiguous(storage, layout)?;
        let wide = columns + self.padding;
        if !wide.is_multiple_of(BlockQ8K::BLCK_SIZE) {
            bail!("numbers that fill no whole blocks");
        }
        let mut out = vec![0.0; 2 * rows * wide];
        by_row(&mut out, 2 * wide, |row, out| {
            let (whole, lost) = out.split_at_mut(wide);
            whole[..columns].copy_from_slice(&source[row * columns..][..columns]);
            let mut block = [BlockQ8K::zeros()];
            for (whole, lost) in whole.chunks(BlockQ8K::BLCK_SIZE).zip(lost.chunks_mut(BlockQ8K::BLCK_SIZE)) {
                BlockQ8K::from_float(whole, &mut block);
                BlockQ8K::to_float(&block, lost);
                for (lost, whole) in lost.iter_mut().zip(whole) {
                    *lost = *whole - *lost;
                }
            }
        });
        Ok((CpuStorage::F32(out), (2 * rows, wide).into()))
    }
}

struct PairSums;

impl CustomOp1 for PairSums {
    fn name(&self) -> &'static str {
        "pair-sums"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let source = contiguous(storage, layout)?;
        let mut out = vec![0.0; rows / 2 * columns];
        by_row(&mut out, columns, |row, out| {
            let (one, other) = source[2 * row * columns..][..2 * columns].split_at(columns);
            for ((out, one), other) in out.iter_mut().zip(one).zip(other) {
                *out = one + other;
            }
        });
        Ok((CpuStorage::F32(out), (rows / 2, columns).into()))
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
