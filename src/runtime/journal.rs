//! The journal thread: the one writer of the ledger, with group commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::domain::{MarketEvent, RunId, Sequence};
use crate::runtime::supervise::spawn_named;
use crate::store::{Entry, LedgerFile, Segment, StoreError, TapePlays};

/// Batches that may wait. When it is full the engine waits (and still hears the kill switch): nothing is ever dropped.
const QUEUE: usize = 4_096;
/// Entries written in one transaction at most.
const GROUP: usize = 512;
/// How often the chain's end is anchored beside the database.
const ANCHOR_EVERY: Duration = Duration::from_secs(2);

/// What is written together: market events that nothing else holds, and the entries that count them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Market events of a live run, since the batch before.
    pub market: Vec<MarketEvent>,
    /// Entries.
    pub entries: Vec<Entry>,
    /// Whether the tape stands still from now on, where that changed.
    pub plays: Option<TapePlays>,
}

/// The engine thread's side of the journal.
#[derive(Debug)]
pub(super) struct Journal {
    sender: Option<SyncSender<Batch>>,
    sent: u64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    committed: AtomicU64,
    last_seq: AtomicU64,
    commit_micros: AtomicU64,
    failure: Mutex<Option<String>>,
}

/// The queue is full.
pub(super) struct Full(pub Batch);

impl Journal {
    /// Takes over the ledger, and the segment of a live run, on a thread of its own.
    pub fn start(file: LedgerFile, segment: Option<Segment>, run: RunId) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        shared.last_seq.store(file.last_seq().0, Ordering::Release);
        let theirs = Arc::clone(&shared);
        let thread = spawn_named("journal", move || write_all(Files { ledger: file, segment }, run, &receiver, &theirs))?;
        Ok(Self { sender: Some(sender), sent: 0, shared, thread: Some(thread) })
    }

    /// Hands over a batch without waiting. Batches are written in order.
    pub fn try_send(&mut self, batch: Batch) -> Result<(), Full> {
        let Some(sender) = &self.sender else { return Ok(()) };
        match sender.try_send(batch) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {
                self.sent += 1;
                Ok(())
            }
            Err(TrySendError::Full(batch)) => Err(Full(batch)),
        }
    }

    /// How many batches were handed over so far.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the first so many batches are on the disk.
    pub fn has_committed(&self, batches: u64) -> bool {
        self.shared.committed.load(Ordering::Acquire) >= batches
    }

    /// Whether everything handed over is on the disk.
    pub fn is_durable(&self) -> bool {
        self.shared.committed.load(Ordering::Acquire) >= self.sent
    }

    /// What went wrong, if anything did. Nothing is written after a failure.
    pub fn failure(&self) -> Option<String> {
        let dead = self.thread.as_ref().is_some_and(JoinHandle::is_finished) && self.sender.is_some();
        let said = self.shared.failure.lock().ok().and_then(|slot| slot.clone());
        said.or_else(|| dead.then(|| "the journal thread has ended".to_owned()))
    }

    /// Number of the last entry on the disk.
    pub fn last_seq(&self) -> u64 {
        self.shared.last_seq.load(Ordering::Acquire)
    }

    /// Batches that wait.
    pub fn waiting(&self) -> u64 {
        self.sent.saturating_sub(self.shared.committed.load(Ordering::Acquire))
    }

    /// How long the last commit took.
    pub fn last_commit(&self) -> Duration {
        Duration::from_micros(self.shared.commit_micros.load(Ordering::Acquire))
    }

    /// Writes what waits, anchors the chain and ends the thread.
    pub fn finish(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "pmax::journal", "the journal thread panicked");
        }
    }
}

/// The files of a run.
struct Files {
    ledger: LedgerFile,
    segment: Option<Segment>,
}

impl Files {
    /// Market events first: an entry never counts on one that is not on the disk.
    fn write(&mut self, run: RunId, batch: &Batch) -> Result<Sequence, StoreError> {
        if let Some(segment) = self.segment.as_mut().filter(|_| !batch.market.is_empty()) {
            segment.append(&batch.market)?;
        }
        if let Some(plays) = batch.plays {
            self.ledger.note_tape(run, plays)?;
        }
        if batch.entries.is_empty() { Ok(self.ledger.last_seq()) } else { self.ledger.append(run, &batch.entries) }
    }
}

fn write_all(mut files: Files, run: RunId, receiver: &Receiver<Batch>, shared: &Shared) {
    let mut anchored = Instant::now();
    while let Ok(first) = receiver.recv() {
        let (mut group, mut batches) = (first, 1);
        while group.entries.len() < GROUP
            && let Ok(mut next) = receiver.try_recv()
        {
            group.market.append(&mut next.market);
            group.entries.append(&mut next.entries);
            group.plays = next.plays.or(group.plays);
            batches += 1;
        }
        let began = Instant::now();
        let written = files.write(run, &group).and_then(|seq| {
            if anchored.elapsed() >= ANCHOR_EVERY {
                files.ledger.anchor()?;
                anchored = Instant::now();
            }
            Ok(seq)
        });
        match written {
            Ok(seq) => {
                let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                shared.commit_micros.store(micros, Ordering::Release);
                shared.last_seq.store(seq.0, Ordering::Release);
                shared.committed.fetch_add(batches, Ordering::AcqRel);
            }
            Err(error) => {
                tracing::error!(target: "pmax::journal", "commit failed: {error}");
                if let Ok(mut slot) = shared.failure.lock() {
                    *slot = Some(error.to_string());
                }
                return;
            }
        }
    }
    if let Err(error) = files.ledger.anchor() {
        tracing::error!(target: "pmax::journal", "the chain's end was not anchored: {error}");
    }
}
