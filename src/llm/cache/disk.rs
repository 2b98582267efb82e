//! Records on disk: two files of lines, a current one that is appended to and the one before it.
//!
//! A line is its check sum, a blank, and JSON. A line that was cut off by a crash is dropped when the file is opened, a damaged one in the midst
//! is passed over. When the current file is full it takes the place of the older one, so that the oldest answers go first. One process
//! writes; a second finds the lock taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::llm::cache::{Key, Record, system_hash};

/// No line is longer.
const LONGEST_LINE: u64 = 8 << 20;
/// How often and how long apart a taken lock is tried.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
/// Digits of a check sum and the blank behind it.
const SUM: usize = 9;

/// What a line says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// A static part and its hash.
    System(String, String),
    /// An answer.
    Answer(Box<Record>),
}

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Current,
    Older,
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    which: Which,
    start: u64,
    length: usize,
}

/// The two files, and where what stands in them.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    largest: u64,
    current: File,
    older: Option<File>,
    bytes: u64,
    places: BTreeMap<Key, Place>,
    systems: BTreeSet<String>,
    _lock: File,
}

impl Disk {
    /// Opens the files of a folder, or says why not.
    pub(super) fn open(folder: &Path, largest: u64) -> Result<Self, String> {
        let refuse = |error: io::Error| format!("{} cannot be used: {error}", folder.display());
        fs::create_dir_all(folder).map_err(refuse)?;
        let open = |name: &str| File::options().read(true).write(true).create(true).truncate(false).open(folder.join(name));
        let lock = open("answers.lock").map_err(refuse)?;
        match locked(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(format!("another process keeps its answers in {}", folder.display())),
            Err(TryLockError::Error(error)) => return Err(refuse(error)),
        }
        let current = open(CURRENT).map_err(refuse)?;
        let older = File::open(folder.join(OLDER)).ok();
        let (folder, places, systems) = (folder.to_owned(), BTreeMap::new(), BTreeSet::new());
        let mut disk = Self { folder, largest, current, older, bytes: 0, places, systems, _lock: lock };
        disk.read_all().map_err(|error| format!("{} cannot be used: {error}", disk.folder.display()))?;
        Ok(disk)
    }

    fn read_all(&mut self) -> io::Result<()> {
        if let Some(older) = &self.older {
            for (start, length, line) in lines(older)?.0 {
                if let Line::Answer(record) = line
                    && let Some(key) = record.key
                {
                    self.places.insert(key, Place { which: Which::Older, start, length });
                }
            }
        }
        let (found, whole) = lines(&self.current)?;
        for (start, length, line) in found {
            match line {
                Line::System(hash, _) => drop(self.systems.insert(hash)),
                Line::Answer(record) => {
                    if let Some(key) = record.key {
                        self.places.insert(key, Place { which: Which::Current, start, length });
                    }
                }
            }
        }
        self.current.set_len(whole)?;
        self.current.seek(SeekFrom::End(0))?;
        self.bytes = whole;
        Ok(())
    }

    /// An answer, if it is here and undamaged.
    pub(super) fn get(&mut self, key: Key) -> Option<Record> {
        let place = *self.places.get(&key)?;
        let file = match place.which {
            Which::Current => &self.current,
            Which::Older => self.older.as_ref()?,
        };
        match read_line(file, place) {
            Ok(Some(Line::Answer(record))) if record.key == Some(key) => Some(*record),
            Ok(_) | Err(_) => {
                self.places.remove(&key);
                None
            }
        }
    }

    /// Appends an answer, after its static part where that is new.
    pub(super) fn append(&mut self, record: &Record, system: &str) -> io::Result<()> {
        let hash = system_hash(system);
        let answer = written(&Line::Answer(Box::new(record.clone())))?;
        if self.bytes > 0 && self.bytes + answer.len() as u64 > self.largest {
            self.turn()?;
        }
        let mut text = Vec::new();
        if !self.systems.contains(&hash) {
            text = written(&Line::System(hash.clone(), system.to_owned()))?;
        }
        let start = self.bytes + text.len() as u64;
        text.extend_from_slice(&answer);
        self.current.seek(SeekFrom::Start(self.bytes))?;
        self.current.write_all(&text)?;
        self.bytes += text.len() as u64;
        self.systems.insert(hash);
        if let Some(key) = record.key {
            self.places.insert(key, Place { which: Which::Current, start, length: answer.len() });
        }
        Ok(())
    }

    /// The current file becomes the older one, which is gone.
    fn turn(&mut self) -> io::Result<()> {
        fs::rename(self.folder.join(CURRENT), self.folder.join(OLDER))?;
        let fresh = File::options().read(true).write(true).create_new(true).open(self.folder.join(CURRENT))?;
        self.older = Some(std::mem::replace(&mut self.current, fresh));
        self.places.retain(|_, place| place.which == Which::Current);
        self.places.values_mut().for_each(|place| place.which = Which::Older);
        self.systems.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// Takes a lock. A process that is just being started holds it for an instant with everything else it inherits, so it is tried again for a moment.
fn locked(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
    lock.try_lock()
}

const CURRENT: &str = "answers.jsonl";
const OLDER: &str = "answers.old.jsonl";

/// A line with its check sum.
fn written(line: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(line)?;
    Ok(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes())
}

/// What a line says, if its check sum is right.
fn parsed(bytes: &[u8]) -> Option<Line> {
    let json = bytes.strip_suffix(b"\n")?;
    let (sum, json) = json.split_at_checked(SUM)?;
    let sum = std::str::from_utf8(sum).ok()?.strip_suffix(' ')?;
    let is_right = u32::from_str_radix(sum, 16).is_ok_and(|sum| sum == crc32fast::hash(json));
    is_right.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Where a line begins, how long it is, and what it says.
type Placed = (u64, usize, Line);

/// All readable lines with where they stand, and where the last line ends that is one.
fn lines(mut file: &File) -> io::Result<(Vec<Placed>, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut found, mut start, mut whole) = (Vec::new(), 0, 0);
    loop {
        let mut line = Vec::new();
        let length = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok((found, whole));
        }
        let end = start + length as u64;
        if let Some(said) = parsed(&line) {
            found.push((start, length, said));
            whole = end;
        }
        start = end;
    }
}

fn read_line(mut file: &File, place: Place) -> io::Result<Option<Line>> {
    let mut line = vec![0; place.length];
    file.seek(SeekFrom::Start(place.start))?;
    file.read_exact(&mut line)?;
    Ok(parsed(&line))
}
