//! Fuzz targets for every parser of outside bytes. The parsers' checks are shared with `tests/it/corpora.rs`; see README.md.

mod memory;
#[path = "parsers/face.rs"]
pub mod parsers;

/// What one short input may take in memory at most, beyond what was there before.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Runs a check on one input, within bounds on memory.
pub fn run(check: fn(&[u8]), bytes: &[u8]) {
    memory::bounded(MOST_BYTES, || check(bytes));
}
