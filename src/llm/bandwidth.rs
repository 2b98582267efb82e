//! How fast memory gives what lies in it: what a model's reading of its weights is held against.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

/// Large enough that no cache holds it.
const WORDS: usize = 1 << 24;
const TRIES: usize = 8;
const STREAMS: usize = 8;
/// Words of a few cache lines.
const LINE: usize = 32;

/// Gigabytes a second that so many threads read together, the best of some tries. Takes an eighth of a gigabyte for a moment.
#[expect(clippy::cast_precision_loss, reason = "a number of bytes")]
pub fn measured_bandwidth(threads: usize) -> f64 {
    let words: Vec<u64> = (0..WORDS as u64).collect();
    let share = WORDS.div_ceil(threads.max(1));
    let once = || {
        let start = Instant::now();
        thread::scope(|scope| {
            for part in words.chunks(share) {
                scope.spawn(move || black_box(sum(part)));
            }
        });
        size_of_val(words.as_slice()) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..TRIES).map(|_| once()).fold(0.0, f64::max)
}

/// From several places at once, as no processor fetches fast enough from one.
fn sum(words: &[u64]) -> u64 {
    let streams: Vec<&[u64]> = words.chunks((words.len() / STREAMS).max(1)).collect();
    let longest = streams.iter().map(|stream| stream.len()).max().unwrap_or(0);
    let mut strands = [0_u64; LINE];
    for start in (0..longest).step_by(LINE) {
        for stream in &streams {
            let line = stream.get(start..start + LINE).unwrap_or_default();
            for (strand, word) in strands.iter_mut().zip(line) {
                *strand = strand.wrapping_add(*word);
            }
        }
    }
    strands.iter().fold(0, |sum, strand| sum.wrapping_add(*strand))
}
