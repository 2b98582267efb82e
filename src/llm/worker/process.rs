//! What a worker does to its own process before it loads anything: its priority, its limits, its way out.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::thread;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, nice, set_parent_process_death_signal, setrlimit};

use crate::llm::protocol::{FrameError, Job, Loaded};
use crate::llm::worker::{Answers, serve};

/// How much less urgent than the program this process is.
const NICENESS: i32 = 10;
/// Bytes that are read to measure the memory: more than most caches hold.
const MEASURED_BYTES: usize = 256 << 20;
/// Times it is measured; the best counts, for whatever disturbs only makes it slower.
const MEASUREMENTS: u32 = 3;

/// The whole life of a worker's process. Standard output is for messages alone: whatever a library prints goes to standard error.
pub fn run<A: Answers>(load: impl FnOnce(&Job) -> Result<(A, Loaded), String>) -> Result<(), FrameError> {
    // Without these it is less polite, and works.
    let _ = nice(NICENESS);
    #[cfg(target_os = "linux")]
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let output = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(io::Error::from)?);
    rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map_err(io::Error::from)?;
    serve(io::stdin(), output, load)
}

/// Keeps the process from taking more address space than this.
pub(in crate::llm) fn limit_memory(bytes: u64) -> io::Result<()> {
    let given = getrlimit(Resource::As);
    let most = given.maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(most), maximum: given.maximum })?)
}

/// Bytes this process holds in memory, where the system says.
pub fn held_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

/// Gigabytes a second that this many threads read from memory together.
pub fn memory_gigabytes_per_second(threads: usize) -> Option<f64> {
    let threads = threads.max(1);
    let words = vec![1_u64; MEASURED_BYTES / 8];
    let part = words.len().div_ceil(threads);
    let seconds = (0..MEASUREMENTS).map(|_| {
        let start = Instant::now();
        thread::scope(|scope| {
            for part in words.chunks(part) {
                scope.spawn(move || black_box(sum(part)));
            }
        });
        start.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    (best > 0.0).then(|| MEASURED_BYTES as f64 / best / 1e9)
}

/// Eight sums side by side, so that the memory is what it waits for.
fn sum(words: &[u64]) -> u64 {
    let (blocks, rest) = words.as_chunks::<8>();
    let mut sums = [0_u64; 8];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().chain(rest).fold(0, |all, word| all.wrapping_add(*word))
}
