//! A person's file as text: reading it whole, and parting its lines into cells.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What stands where a value is missing.
const MISSING: [&str; 7] = ["", ".", "NA", "N/A", "#N/A", "null", "None"];
/// Columns of these names hold dates.
pub const DATES: [&str; 8] = ["date", "time", "datetime", "timestamp", "day", "month", "ts", "ts_utc"];
/// Columns of these names part series from each other.
pub const SYMBOLS: [&str; 6] = ["symbol", "ticker", "instrument", "asset", "isin", "series"];

/// Why a file is no text that could be looked at.
#[derive(Debug)]
pub enum TextProblem {
    /// There is none of this name.
    NotFound,
    /// It is a folder.
    Folder,
    /// What the system said.
    Unreadable(io::Error),
    /// More bytes than were allowed.
    TooLarge,
    /// Not UTF-8.
    NotUtf8 {
        /// In which row, counted from 1.
        row: usize,
    },
}

/// The bytes of a file of at most so many.
pub fn read_bytes(file: &Path, largest: u64) -> Result<Vec<u8>, TextProblem> {
    let file = File::open(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TextProblem::NotFound,
        _ => TextProblem::Unreadable(error),
    })?;
    if file.metadata().map_err(TextProblem::Unreadable)?.is_dir() {
        return Err(TextProblem::Folder);
    }
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(TextProblem::Unreadable)?;
    if bytes.len() as u64 > largest { Err(TextProblem::TooLarge) } else { Ok(bytes) }
}

/// A whole file of at most so many bytes as text.
pub fn read_text(file: &Path, largest: u64) -> Result<String, TextProblem> {
    as_text(read_bytes(file, largest)?)
}

/// Bytes as text, without a byte order mark.
pub(super) fn as_text(bytes: Vec<u8>) -> Result<String, TextProblem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let whole = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        TextProblem::NotUtf8 { row: 1 + whole.iter().filter(|byte| **byte == b'\n').count() }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The sign that parts the cells of a line: a semicolon or a tab where there is one, as commas may then stand in numbers.
pub fn parted_by(line: &str) -> char {
    [';', '\t', ','].into_iter().find(|delimiter| line.contains(*delimiter)).unwrap_or(',')
}

/// The cells of a line, without the space and the quotes around them.
pub fn split(line: &str, delimiter: char) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = line.split(|letter: char| {
        is_quoted ^= letter == '"';
        letter == delimiter && !is_quoted
    });
    parts.map(str::trim).map(|cell| unquoted(cell).map_or(cell, str::trim)).collect()
}

fn unquoted(cell: &str) -> Option<&str> {
    cell.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a cell says that there is no value.
pub fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell)
}
