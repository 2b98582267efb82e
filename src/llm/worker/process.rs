//! What a worker does to its own process before it loads anything: its priority, its limits, its way out.

use std::fs::File;
use std::io;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, nice, set_parent_process_death_signal, setrlimit};

use crate::llm::protocol::{FrameError, Job, Loaded};
use crate::llm::worker::{Answers, serve};

/// How much less urgent than the program this process is.
const NICENESS: i32 = 10;

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
pub(super) fn limit_memory(bytes: u64) -> io::Result<()> {
    let given = getrlimit(Resource::As);
    let most = given.maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(most), maximum: given.maximum })?)
}

/// Bytes this process holds in memory, where the system says.
pub fn held_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// Bytes that the system could give, where it says.
pub(super) fn free_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}
