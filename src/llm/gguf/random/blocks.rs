//! Random numbers in the blocks of each type, with scales that keep a model's arithmetic in bounds.

use std::io::{self, Write};

use crate::llm::gguf::{Kind, TensorInfo};

/// A stream of random bits (SplitMix64).
pub(super) struct Noise(u64);

/// Around what the numbers lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spread {
    /// Within a tenth of one, for what scales.
    AroundOne,
    /// Around zero with this standard deviation.
    AroundZero(f32),
}

impl Noise {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly within -1 and 1.
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
    fn even(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    fn bytes(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            chunk.copy_from_slice(self.next().to_le_bytes().get(..chunk.len()).unwrap_or_default());
        }
    }
}

/// Writes the blocks of a tensor.
pub(super) fn fill(tensor: &TensorInfo, spread: Spread, noise: &mut Noise, out: &mut impl Write) -> io::Result<()> {
    let (_, bytes) = tensor.kind.block();
    let blocks = tensor.bytes / bytes;
    let deviation = match spread {
        Spread::AroundOne => 0.1 / 3_f32.sqrt(),
        Spread::AroundZero(deviation) => deviation,
    };
    let middle = if matches!(spread, Spread::AroundOne) { 1.0 } else { 0.0 };
    let mut single = || middle + noise.even() * deviation * 3_f32.sqrt();
    match tensor.kind {
        Kind::F32 => (0..blocks).try_for_each(|_| out.write_all(&single().to_le_bytes())),
        Kind::F16 => (0..blocks).try_for_each(|_| out.write_all(&half_bits(single()).to_le_bytes())),
        Kind::Bf16 => (0..blocks).try_for_each(|_| out.write_all(single().to_le_bytes().get(2..).unwrap_or_default())),
        kind => {
            let scales = scales(kind, deviation);
            let mut block = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
            (0..blocks).try_for_each(|_| {
                noise.bytes(&mut block);
                for (place, scale) in scales {
                    if let Some(two) = block.get_mut(place..place + 2) {
                        two.copy_from_slice(&half_bits(scale).to_le_bytes());
                    }
                }
                out.write_all(&block)
            })
        }
    }
}

/// Where a block has its scale and its offset, and what they are so that random bits around them have that deviation and no mean.
/// A kind without an offset has its scale twice.
fn scales(kind: Kind, deviation: f32) -> [(usize, f32); 2] {
    let (scale_at, offset_at, of_scale, per_deviation) = match kind {
        Kind::F32 | Kind::F16 | Kind::Bf16 | Kind::Q4_0 => (0, 0, 1.0, 4.6),
        Kind::Q4_1 => (0, 2, -7.5, 4.6),
        Kind::Q5_0 => (0, 0, 1.0, 9.2),
        Kind::Q5_1 => (0, 2, -15.5, 9.2),
        Kind::Q8_0 => (0, 0, 1.0, 74.0),
        Kind::Q2K => (80, 82, 1.5, 17.0),
        Kind::Q3K => (108, 108, 1.0, 42.0),
        Kind::Q4K => (0, 2, 7.5, 240.0),
        Kind::Q5K => (0, 2, 15.5, 480.0),
        Kind::Q6K => (208, 208, 1.0, 1360.0),
    };
    let scale = deviation / per_deviation;
    [(offset_at, scale * of_scale), (scale_at, scale)]
}

/// The nearest number of 16 bits; too small ones lose digits, as they do in that format. For magnitudes below 65 504.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are in range by construction")]
pub(super) fn half_bits(number: f32) -> u16 {
    let sign = ((number.to_bits() >> 16) & 0x8000) as u16;
    let size = number.abs();
    if size < 6.103_515_6e-5 {
        return sign | (size * 16_777_216.0).round() as u16;
    }
    let rounded = size.to_bits() + 0x0fff + ((size.to_bits() >> 13) & 1);
    sign | (((rounded >> 13) - (112 << 10)) & 0x7fff) as u16
}

#[cfg(test)]
mod tests {
    use super::half_bits;

    #[test]
    fn halves_are_those_of_the_format() {
        // From the table of IEEE 754 binary16.
        let known = [
            (0.0, 0),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65_504.0, 0x7bff),
            (0.333_251_95, 0x3555),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 1),
        ];
        for (number, bits) in known {
            assert_eq!(half_bits(number), bits, "{number}");
        }
    }
}
