//! A worker as the desk holds it: a child process, three threads at its streams, and its end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::domain::cleaned;
use crate::llm::desk::Arrivals;
use crate::llm::protocol::{self, FromWorker, Job, ToWorker};

/// Messages that may wait to be written. A worker that does not read them hangs.
const MOST_UNWRITTEN: usize = 256;
/// Characters that are kept of what a worker prints on standard error.
const MOST_SAID: usize = 400;

/// How a worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerTerms {
    /// The program: this one, or one that is built for a graphics card.
    pub program: PathBuf,
    /// What makes it a worker.
    pub arguments: Vec<String>,
    /// Its whole environment, but for the number of threads.
    pub environment: BTreeMap<String, String>,
    /// What it is to load.
    pub job: Job,
}

/// What stands on a rung and is spoken to.
pub(in crate::llm) trait Link: Send {
    /// Passes a message on; `false` where that is not possible any more. Does not wait.
    fn send(&mut self, message: ToWorker) -> bool;

    /// Ends it at once.
    fn end(&mut self);
}

/// A worker's process.
pub(super) struct ChildLink {
    child: Arc<Mutex<Child>>,
    unwritten: SyncSender<ToWorker>,
}

impl ChildLink {
    /// Starts a worker. What it says arrives, and that it ended.
    pub(super) fn start(terms: &WorkerTerms, arrivals: Arrivals) -> std::io::Result<Self> {
        let mut child = Command::new(&terms.program)
            .args(&terms.arguments)
            .env_clear()
            .envs(&terms.environment)
            // Both are read once, by the arithmetic library, before its first product. Waiting threads are to sleep rather than to spin:
            // this process is not alone on the machine.
            .env("CANDLE_NUM_THREADS", terms.job.threads.max(1).to_string())
            .env("CANDLE_BARRIER_POOL_SPIN_LIMIT", "200")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut input), Some(output), Some(errors)) = streams else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
        let child = Arc::new(Mutex::new(child));
        let (unwritten, to_write) = sync_channel(MOST_UNWRITTEN);
        let link = Self { child: Arc::clone(&child), unwritten };
        let begun = (|| {
            thread::Builder::new().name("model-writer".to_owned()).spawn(move || {
                while let Ok(message) = to_write.recv() {
                    if protocol::write(&mut input, &message).is_err() {
                        return;
                    }
                }
            })?;
            let said = thread::Builder::new().name("model-errors".to_owned()).spawn(move || last_words(errors))?;
            thread::Builder::new().name("model-reader".to_owned()).spawn(move || {
                let why = listen(output, &arrivals);
                let ended = bury(&child);
                // Only now: a living process keeps its standard error open.
                arrivals.ended(&epitaph(why, &ended, &said.join().unwrap_or_default()));
            })
        })();
        let mut link = link;
        if let Err(error) = begun {
            link.end();
            return Err(error);
        }
        link.send(ToWorker::Load(Box::new(terms.job.clone())));
        Ok(link)
    }
}

impl Link for ChildLink {
    fn send(&mut self, message: ToWorker) -> bool {
        match self.unwritten.try_send(message) {
            Ok(()) => true,
            // A broken stream is told by the thread that reads.
            Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(_)) => false,
        }
    }

    fn end(&mut self) {
        // Whoever holds the lock buries it already, and its end is not waited for here.
        if let Ok(mut child) = self.child.try_lock() {
            drop(child.kill());
        }
    }
}

impl Drop for ChildLink {
    fn drop(&mut self) {
        self.end();
    }
}

/// Hears a worker to its end and says why, where its words were at fault.
fn listen(mut output: impl Read, arrivals: &Arrivals) -> Option<String> {
    let mut is_greeted = false;
    loop {
        match protocol::read::<FromWorker>(&mut output) {
            Ok(Some(message)) => {
                if !is_greeted && !matches!(message, FromWorker::Hello { .. }) {
                    return Some("it is no worker: it did not say its version first".to_owned());
                }
                is_greeted = true;
                if !arrivals.came(message) {
                    return None;
                }
            }
            Ok(None) => return None,
            Err(error) => return Some(format!("it said something unreadable: {error}")),
        }
    }
}

/// Sees to it that the process is gone, and says how it went. Whoever has closed its output or talks rubbish is of no use any more.
fn bury(child: &Mutex<Child>) -> String {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    drop(child.kill());
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Why it ended: what was wrong with its words, else how it ended, and what it said last.
fn epitaph(why: Option<String>, ended: &str, said: &str) -> String {
    match (why, said.is_empty()) {
        (Some(why), true) => why,
        (Some(why), false) => format!("{why} ({said})"),
        (None, true) => ended.to_owned(),
        (None, false) => format!("{ended}: {said}"),
    }
}

/// Reads what a worker prints to the end, and keeps the last line.
fn last_words(errors: impl Read) -> String {
    let mut last = String::new();
    let mut reader = BufReader::new(errors);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end is not collected without one.
        match reader.by_ref().take(4_096).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return last,
            Ok(_) => {
                let text = cleaned(&String::from_utf8_lossy(&line), MOST_SAID);
                if !text.is_empty() {
                    tracing::warn!(target: "pmax::model", "{text}");
                    last = text;
                }
            }
        }
    }
}
