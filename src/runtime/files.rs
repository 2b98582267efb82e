//! Small files written so that a crash leaves the old one or the new one, never half of one.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file: writes a new one beside it, flushes it, renames it over the old one.
pub fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    write_bytes_atomically(path, text.as_bytes())
}

/// The same for bytes.
pub fn write_bytes_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}
