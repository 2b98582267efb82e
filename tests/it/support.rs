//! What the tests at the program's outer face share: the binary run with and without a terminal, and the shared folder.
//!
//! Nothing here reaches into the library: these helpers know the program only as a person at a keyboard or a script does.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness offers more than any one test uses, and in a test a broken assumption is to be loud"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub mod fault_proxy;
pub mod market_server;
pub mod pty;

/// Runs the binary to its end without a terminal: standard input is empty, both outputs are captured.
///
/// The environment holds `PATH`, `LANG`, `HOME` and `PMAX_HOME` (both `home`), then `env`. Panics when the program has
/// not ended by the deadline.
#[track_caller]
pub fn run(args: &[&str], env: &[(&str, &str)], home: &Path) -> Output {
    run_reading(args, env, home, Stdio::null())
}

/// The same with a text to read.
pub fn run_with_input(args: &[&str], input: &str, home: &Path) -> Output {
    let file = home.join("input.txt");
    std::fs::write(&file, input).expect("the input can be written");
    run_reading(args, &[], home, Stdio::from(std::fs::File::open(file).expect("and read")))
}

fn run_reading(args: &[&str], env: &[(&str, &str)], home: &Path, stdin: Stdio) -> Output {
    let child = Command::new(binary())
        .args(args)
        .env_clear()
        .env("PATH", path())
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("PMAX_HOME", home)
        .envs(env.iter().copied())
        .current_dir(home)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let pid = Pid::from_child(&child);
    let (done, outcome) = mpsc::sync_channel(1);
    thread::spawn(move || done.send(child.wait_with_output()));
    match outcome.recv_timeout(deadline()) {
        Ok(output) => output.expect("the output of the binary can be read"),
        Err(_) => {
            // It may have ended in this very moment, which changes nothing about being late.
            let _ = kill_process(pid, Signal::KILL);
            panic!("`pmax {}` had not ended after {:?}", args.join(" "), deadline());
        }
    }
}

/// The shared folder beside the checkout, or `None`, with a line that says so, where a checkout stands alone.
///
/// A test that reads from it returns early on `None`.
pub fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: this checkout has no {}", folder.display());
    None
}

/// How long a test waits for anything before it fails: a minute, or the seconds in `PMAX_TEST_DEADLINE_S`.
pub fn deadline() -> Duration {
    match std::env::var("PMAX_TEST_DEADLINE_S") {
        Ok(seconds) => Duration::from_secs_f64(seconds.parse().expect("PMAX_TEST_DEADLINE_S is a number of seconds")),
        Err(_) => Duration::from_secs(60),
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pmax"))
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}
