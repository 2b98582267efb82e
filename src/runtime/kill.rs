//! The kill latch: in memory first, then a file, before anything else happens.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the screen, the engine thread and — through the file — a second process. Setting it waits for nothing.
#[derive(Debug, Clone)]
pub struct KillLatch {
    fired: Arc<AtomicBool>,
    /// Whether this process fired it.
    here: Arc<AtomicBool>,
    file: PathBuf,
}

/// Who fired the latch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FiredBy {
    /// The person at this screen.
    Here,
    /// A second process, a file written by hand, or an earlier run of this program.
    File,
}

impl KillLatch {
    /// A latch on this file; it is set already where the file exists.
    pub fn new(file: PathBuf) -> Self {
        let latch = Self { fired: Arc::default(), here: Arc::default(), file };
        latch.look();
        latch
    }

    /// Fires. The memory latch takes effect even where the file cannot be written.
    pub fn fire(&self, why: &str) -> std::io::Result<()> {
        self.here.store(true, Ordering::SeqCst);
        self.fired.store(true, Ordering::SeqCst);
        fs::write(&self.file, format!("{why}\n"))
    }

    /// Whether it has fired.
    pub fn is_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    /// Notices a file that a second process has written.
    pub fn look(&self) -> bool {
        if !self.is_fired() && self.file.exists() {
            self.fired.store(true, Ordering::SeqCst);
        }
        self.is_fired()
    }

    /// Who fired it.
    pub fn fired_by(&self) -> FiredBy {
        if self.here.load(Ordering::SeqCst) { FiredBy::Here } else { FiredBy::File }
    }

    /// Why, as the file says.
    pub fn why(&self) -> String {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let text = crate::domain::CleanText::from_outside(&text);
        if text.as_str().is_empty() { "kill switch".to_owned() } else { text.as_str().to_owned() }
    }

    /// Lets go, after a person re-armed trading.
    pub fn release(&self) {
        self.fired.store(false, Ordering::SeqCst);
        self.here.store(false, Ordering::SeqCst);
        if let Err(error) = fs::remove_file(&self.file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::error!(target: "pmax::kill", "the kill file stays: {error}");
        }
    }
}
