//! The chain's end, kept in a file of its own beside the database.
//!
//! A hash chain alone cannot show that its tail was cut off or an older copy put back; this file can.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The anchor file.
#[derive(Debug)]
pub(super) struct Head {
    path: PathBuf,
}

impl Head {
    pub fn open(database: &Path) -> Self {
        Self { path: database.with_extension("head") }
    }

    /// Entry number and hash, or `None` before the first anchor.
    pub fn read(&self) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(StoreError::Head { path: self.path.clone() });
            }
            Err(source) => return Err(StoreError::Io { path: self.path.clone(), source }),
        };
        let parsed = text.trim().split_once(' ').and_then(|(seq, hash)| Some((seq.parse().ok()?, from_hex(hash)?)));
        parsed.map(Some).ok_or_else(|| StoreError::Head { path: self.path.clone() })
    }

    /// Replaces the anchor: a new file, flushed, then renamed over the old one.
    pub fn write(&self, seq: i64, hash: &[u8]) -> Result<(), StoreError> {
        let fresh = self.path.with_extension("head.new");
        let text = format!("{seq} {}\n", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let written = fs::File::create(&fresh).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&fresh, &self.path)).map_err(|source| StoreError::Io { path: self.path.clone(), source })
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() != 64 {
        return None;
    }
    (0..32).map(|index| u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()).collect()
}
