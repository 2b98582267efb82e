//! Answers that were computed already, and the record of every one of them.
//!
//! The key says everything that an answer depends on: the model's file, its quantisation, the prompt, the schema, the way tokens are taken, the
//! question in its canonical words, and the bar it is about. What turns over with time is in the key (a signal's bar, a portfolio's hash), so it
//! is not found again by itself; only commentary also ages. In memory the latest answers; on disk all of them, up to a bound, with
//! prompt, raw text and timings, for whoever wants to know later what was said and why.

mod disk;

use std::fmt;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use lru::LruCache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Duration, MarketTime, WallTime};
use crate::llm::answer::Answer;
use crate::llm::ask::Task;

use disk::Disk;

/// Answers that are kept in memory.
const IN_MEMORY: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(1_023);
/// Bytes of each of the two files on disk.
pub const LARGEST_FILE: u64 = 32 << 20;
/// How long a comment is as good as new.
const COMMENTARY: Duration = Duration(300_000_000_000);

/// What a question's answer depends on beside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The prompt's hash.
    pub template: String,
    /// How tokens are taken, e.g. `greedy`.
    pub sampler: String,
    /// The question with its numbers rounded and its rows in their order; what only colours it is left out.
    pub canonical: String,
    /// The bar, or the article, it is about.
    pub at: MarketTime,
}

/// The name of an answer: a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key([u8; 32]);

/// Which model, for a key.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    /// SHA-256 of its file.
    pub sha256: &'a str,
    /// How its weights are kept.
    pub quantisation: &'a str,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its key; `None` where it is not to be found again.
    pub key: Option<Key>,
    /// When it was given.
    pub at: WallTime,
    /// What for.
    pub task: Task,
    /// About what.
    pub about: String,
    /// The model.
    pub model: String,
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// How its weights are kept.
    pub quantisation: String,
    /// The static part's SHA-256; its text stands once in the same file.
    pub system: String,
    /// The question.
    pub question: String,
    /// The raw answer with its timings and the rows it was computed beside.
    pub answer: Answer,
}

/// The cache.
#[derive(Debug)]
pub struct Cache {
    memory: LruCache<Key, Arc<Record>>,
    disk: Result<Disk, String>,
}

impl Keep {
    /// The key of a question, before it is known who answers it.
    pub fn question(&self, task: Task, schema: &str) -> Key {
        Key::of(&[task.word(), &self.template, schema, &self.sampler, &self.canonical, &self.at.0.to_string()])
    }
}

impl Key {
    /// The key of parts, each with its length before it, so that no two lists of parts are one text.
    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// The key of an answer: that of its question, and of who gave it.
    #[must_use]
    pub fn by(self, model: Model<'_>) -> Self {
        Self::of(&[&self.to_string(), model.sha256, model.quantisation])
    }
}

impl Cache {
    /// A cache that forgets with the process.
    pub fn in_memory() -> Self {
        Self { memory: LruCache::new(IN_MEMORY), disk: Err("nothing is kept on disk".to_owned()) }
    }

    /// A cache with its record in this folder, each of its two files of `largest` bytes at most. Where the folder cannot be used, or another
    /// process uses it, it works in memory alone and [says why](Self::trouble).
    pub fn open(folder: &Path, largest: u64) -> Self {
        Self { memory: LruCache::new(IN_MEMORY), disk: Disk::open(folder, largest) }
    }

    /// Why nothing is kept on disk, if so.
    pub fn trouble(&self) -> Option<&str> {
        self.disk.as_ref().err().map(String::as_str)
    }

    /// An answer that was given already and is as good as new.
    pub fn get(&mut self, key: Key, now: WallTime) -> Option<Arc<Record>> {
        let found = match self.memory.get(&key) {
            Some(found) => Arc::clone(found),
            None => {
                let found = Arc::new(self.disk.as_mut().ok()?.get(key)?);
                self.memory.put(key, Arc::clone(&found));
                found
            }
        };
        let age = now.0.saturating_sub(found.at.0);
        // A clock that was put back makes an answer no younger.
        lifetime(found.task).is_none_or(|lifetime| (0..lifetime.0).contains(&age)).then_some(found)
    }

    /// Keeps an answer, and its static part where that was not kept yet.
    pub fn keep(&mut self, record: Record, system: &str) {
        if let Ok(disk) = &mut self.disk
            && let Err(error) = disk.append(&record, system)
        {
            tracing::warn!(target: "pmax::model", "answers are not kept on disk any more: {error}");
            self.disk = Err(error.to_string());
        }
        if let Some(key) = record.key {
            self.memory.put(key, Arc::new(record));
        }
    }
}

/// After which time an answer is old; `None` where its key turns over by itself.
fn lifetime(task: Task) -> Option<Duration> {
    match task {
        Task::Signal | Task::Risk | Task::Sentiment => None,
        Task::Commentary => Some(COMMENTARY),
    }
}

/// The SHA-256 of a static part, as records repeat it.
pub fn system_hash(system: &str) -> String {
    Key(Sha256::digest(system.as_bytes()).into()).to_string()
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({self})")
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "a key has 64 hexadecimal digits";
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut key = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != key.len() || !rest.is_empty() {
            return Err(wrong);
        }
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or(wrong)?;
        }
        Ok(Self(key))
    }
}
