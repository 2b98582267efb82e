//! The kill latch: in memory first, then a file, before anything else happens.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared by the screen, the engine thread and — through the file — a second process. Setting it waits for nothing.
#[derive(Debug, Clone)]
pub struct KillLatch {
    /// How often it was fired, and how many of these were let go again: a shot during re-arming is not lost with the one before it.
    shots: Arc<AtomicU64>,
    released: Arc<AtomicU64>,
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
        let latch = Self { shots: Arc::default(), released: Arc::default(), here: Arc::default(), file };
        latch.look();
        latch
    }

    /// Fires. The memory latch takes effect even where the file cannot be written.
    pub fn fire(&self, why: &str) -> std::io::Result<()> {
        self.here.store(true, Ordering::SeqCst);
        self.shots.fetch_add(1, Ordering::SeqCst);
        fs::write(&self.file, format!("{why}\n"))
    }

    /// Whether it has fired.
    pub fn is_fired(&self) -> bool {
        self.shots() > self.released.load(Ordering::SeqCst)
    }

    /// How often it was fired so far; names the shot that was handled.
    pub fn shots(&self) -> u64 {
        self.shots.load(Ordering::SeqCst)
    }

    /// Notices a file that a second process has written.
    pub fn look(&self) -> bool {
        if !self.is_fired() && self.file.exists() {
            self.shots.fetch_add(1, Ordering::SeqCst);
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

    /// Lets go of the shots up to this one, after a person re-armed trading. A later shot keeps it latched.
    pub fn release(&self, handled: u64) {
        self.released.fetch_max(handled, Ordering::SeqCst);
        if self.is_fired() {
            return;
        }
        self.here.store(false, Ordering::SeqCst);
        if let Err(error) = fs::remove_file(&self.file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::error!(target: "pmax::kill", "the kill file stays: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shot_during_rearming_is_not_lost_with_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let latch = KillLatch::new(folder.path().join("KILL"));
        latch.fire("first").unwrap();
        let handled = latch.shots();
        latch.fire("second").unwrap();
        latch.release(handled);
        assert!(latch.is_fired() && folder.path().join("KILL").exists());
        latch.release(latch.shots());
        assert!(!latch.is_fired() && !folder.path().join("KILL").exists());
        latch.fire("third").unwrap();
        assert!(latch.is_fired());
    }
}
