//! Which observations a block bootstrap draws: a seeded generator, two schemes, and the length of blocks from the data.

use crate::domain::SplitMix64;
use crate::stats::distributions::normal_quantile_inside;
use crate::stats::mean;
use crate::stats::metrics::spread;
use crate::stats::series::autoproduct;

/// A seeded generator. The same seed draws the same numbers on every machine.
#[derive(Debug, Clone)]
pub struct Generator(SplitMix64);

impl Generator {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// The generator of one of many replications: each has its own, so that it does not matter who computes which.
    pub fn of_replication(seed: u64, replication: u64) -> Self {
        Self::new(seed ^ SplitMix64::new(replication).draw())
    }

    /// A standard normal number, by the inverse of its distribution.
    pub fn normal(&mut self) -> f64 {
        // Half a step off the ends, so above 0 and below 1.
        normal_quantile_inside(((self.0.draw() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64)
    }

    /// A number from 0 to below `count`, by multiplication; the bias is below `count` / 2⁶⁴.
    fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.0.draw()) * count as u128) >> 64) as usize
    }
}

/// How blocks are drawn. Both treat the series as a circle, so that no observation is drawn more seldom than another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scheme {
    /// Blocks of geometric length with this mean, at least 1 (Politis and Romano 1994).
    Stationary(f64),
    /// Blocks of this length (Politis and Romano 1992).
    Circular(usize),
}

impl Scheme {
    /// For few blocks.
    pub(super) fn blocks(self) -> Blocks {
        match self {
            Self::Circular(length) => Blocks::Fixed(length.max(1)),
            Self::Stationary(mean) if mean > 1.0 => Blocks::Geometric(Geometric { scale: 1.0 / libm::log1p(-1.0 / mean) }),
            Self::Stationary(_) => Blocks::Fixed(1),
        }
    }

    /// For many blocks: the same ones, after some thousand logarithms up front.
    pub(super) fn tabled(self) -> Blocks {
        match self.blocks() {
            Blocks::Geometric(geometric) | Blocks::Tabled(geometric, _) => Blocks::Tabled(geometric, geometric.table()),
            Blocks::Fixed(length) => Blocks::Fixed(length),
        }
    }

    /// Fills `indices` with what one replication of a series of the same length draws.
    pub fn draw(self, generator: &mut Generator, indices: &mut [usize]) {
        let (count, blocks) = (indices.len(), self.blocks());
        let mut rest = indices;
        while !rest.is_empty() {
            let (start, length) = blocks.next(generator, count, rest.len());
            let (block, after) = rest.split_at_mut(length);
            for (place, index) in block.iter_mut().zip(start..) {
                *place = if index < count { index } else { index - count };
            }
            rest = after;
        }
    }
}

/// A scheme with what its lengths need computed once.
#[derive(Debug, Clone)]
pub(super) enum Blocks {
    Fixed(usize),
    Geometric(Geometric),
    /// Lengths by the highest bits that were drawn; 0 where only the logarithm tells.
    Tabled(Geometric, Vec<u16>),
}

impl Blocks {
    /// The next block of a series of `count` values, of which `left` are still to be drawn: where it starts and how long it is.
    pub(super) fn next(&self, generator: &mut Generator, count: usize, left: usize) -> (usize, usize) {
        let start = generator.below(count);
        let length = match self {
            Self::Fixed(length) => *length,
            Self::Geometric(geometric) => geometric.length(generator.0.draw()),
            Self::Tabled(geometric, table) => {
                let bits = generator.0.draw();
                match table.get((bits >> (64 - TABLE_BITS)) as usize) {
                    None | Some(0) => geometric.length(bits),
                    Some(length) => usize::from(*length),
                }
            }
        };
        (start, length.min(left).min(count))
    }
}

const TABLE_BITS: u32 = 11;

/// Geometric lengths, from random bits by the inverse of their distribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometric {
    /// One over the logarithm of the probability that a block goes on.
    scale: f64,
}

impl Geometric {
    /// Length before it is rounded down, which falls as `bits` rise.
    fn exact(self, bits: u64) -> f64 {
        // Above 0 and at most 1.
        let share = ((bits >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        1.0 + libm::log(share) * self.scale
    }

    fn length(self, bits: u64) -> usize {
        self.exact(bits) as usize
    }

    /// The length by the highest bits, wherever the lower ones cannot change it.
    fn table(self) -> Vec<u16> {
        // Far more than a logarithm may be wrong: near a step it is asked itself.
        const DOUBT: f64 = 1e-9;
        let entry = |high: u64| {
            let low = high << (64 - TABLE_BITS);
            let (longest, shortest) = (self.exact(low), self.exact(low | (u64::MAX >> TABLE_BITS)));
            let (most, least) = (libm::floor(longest * (1.0 + DOUBT)), libm::floor((shortest * (1.0 - DOUBT)).max(1.0)));
            if most == least && most <= f64::from(u16::MAX) { most as u16 } else { 0 }
        };
        (0..1 << TABLE_BITS).map(entry).collect()
    }
}

/// Lengths of blocks that make the variance of the mean most accurate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLengths {
    /// Mean length for the stationary bootstrap.
    pub stationary: f64,
    /// Length for the circular bootstrap, not rounded.
    pub circular: f64,
}

/// Block lengths from the data (Politis and White 2004, with the correction of Patton, Politis and White 2009), with the bandwidth rule and
/// the upper limit of `arch`. `None` below ten values or without variance. Use it on what is averaged: for a volatility, on squares.
pub fn optimal_block_lengths(values: &[f64]) -> Option<BlockLengths> {
    if values.len() < 10 {
        return None;
    }
    spread(values)?;
    let centre = mean(values)?;
    let centred: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let n = centred.len() as f64;
    let quiet = (libm::log10(n) as usize).max(5);
    let most = (libm::ceil(libm::sqrt(n)) as usize + quiet).min(values.len() - 2);
    let covariances: Vec<f64> = (0..=most).map(|lag| autoproduct(&centred, lag) / n).collect();
    let bandwidth = bandwidth(&centred, &covariances, quiet).map_or(most, |lag| (2 * lag.max(1)).min(most));
    let (mut slope, mut level) = (0.0, *covariances.first()?);
    for (lag, covariance) in covariances.iter().enumerate().take(bandwidth + 1).skip(1) {
        let share = lag as f64 / bandwidth as f64;
        // A flat-top window: full weight for the first half.
        let weight = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        slope += 2.0 * weight * lag as f64 * covariance;
        level += 2.0 * weight * covariance;
    }
    let limit = libm::ceil((3.0 * libm::sqrt(n)).min(n / 3.0));
    let length = |constant: f64| (libm::cbrt(2.0 * slope * slope / (constant * level * level)) * libm::cbrt(n)).min(limit);
    (level != 0.0).then(|| BlockLengths { stationary: length(2.0), circular: length(4.0 / 3.0) })
}

/// The lag after which `quiet` autocorrelations in a row are insignificant.
fn bandwidth(centred: &[f64], covariances: &[f64], quiet: usize) -> Option<usize> {
    let n = centred.len() as f64;
    let critical = 2.0 * libm::sqrt(libm::log10(n) / n);
    let squares = |part: Option<&[f64]>| autoproduct(part.unwrap_or_default(), 0);
    let is_quiet = |(lag, covariance): (usize, &f64)| {
        let (later, earlier) = (squares(centred.get(lag + 1..)), squares(centred.get(..centred.len().saturating_sub(lag + 1))));
        (covariance * n).abs() / libm::sqrt(later * earlier) < critical
    };
    let quiet_lags: Vec<bool> = covariances.iter().enumerate().map(is_quiet).collect();
    // The last lag only ends the search in the reference, it is not looked at.
    let seen = quiet_lags.get(..quiet_lags.len() - 1)?;
    seen.windows(quiet).position(|window| window.iter().all(|is_quiet| *is_quiet))
}
