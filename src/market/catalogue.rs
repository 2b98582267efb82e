//! The tapes that come with the program, and those a person names by path.

use std::path::Path;

use bytes::Bytes;

use crate::market::{Tape, TapeError};

/// Names of the bundled tapes; the first one is played by default.
pub const BUNDLED: [&str; 5] = ["crash-2020", "crash-2008", "eurusd-2017", "btc-2021", "us20-1990-2022"];

/// The bytes of a bundled tape.
pub fn bundled(name: &str) -> Option<Bytes> {
    let bytes: &'static [u8] = match name {
        "crash-2020" => include_bytes!("../../assets/tapes/crash-2020.parquet"),
        "crash-2008" => include_bytes!("../../assets/tapes/crash-2008.parquet"),
        "eurusd-2017" => include_bytes!("../../assets/tapes/eurusd-2017.parquet"),
        "btc-2021" => include_bytes!("../../assets/tapes/btc-2021.parquet"),
        "us20-1990-2022" => include_bytes!("../../assets/tapes/us20-1990-2022.parquet"),
        _ => return None,
    };
    Some(Bytes::from_static(bytes))
}

/// Whether a text names a file rather than a tape: anything with a slash or ending in `.parquet`.
fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "parquet")
}

/// Whether a tape of one's own may have this name: it is a file's name, and none that is bundled.
pub fn may_be_named(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let inner = |byte: u8| plain(byte) || byte == b'.';
    let (first, length) = (name.bytes().next(), name.len());
    first.is_some_and(plain) && length <= 48 && name.bytes().all(inner) && !name.ends_with(".parquet") && !BUNDLED.contains(&name)
}

/// Names of a person's own tapes in a folder, in order. What is no tape's file is passed over, and so are prices beside a recording.
pub fn own_tapes(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".parquet")?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(name).filter(|name| !name.ends_with(PRICES)).collect();
    names.retain(|name| may_be_named(name));
    names.sort();
    names
}

/// What the name of a recording's prices ends with, before `.parquet`.
pub const PRICES: &str = ".prices";

/// Loads a bundled tape by name, or a file by its path.
pub fn load(name: &str) -> Result<Tape, TapeError> {
    load_among(name, None)
}

/// Loads a tape by name, bundled or a person's own in a folder, or a file by its path.
pub fn load_among(name: &str, own: Option<&Path>) -> Result<Tape, TapeError> {
    if let Some(bytes) = bundled(name) {
        return Tape::read(name, bytes);
    }
    let path = match own {
        _ if is_path(name) => Some(Path::new(name).to_owned()),
        Some(folder) if may_be_named(name) => Some(folder.join(format!("{name}.parquet"))).filter(|path| path.exists()),
        Some(_) | None => None,
    };
    let Some(path) = path else {
        let mut known: Vec<String> = BUNDLED.iter().map(|name| (*name).to_owned()).collect();
        known.extend(own.map(own_tapes).unwrap_or_default());
        return Err(TapeError::NoTape { name: name.to_owned(), known: known.join(", ") });
    };
    let bytes = std::fs::read(&path).map_err(|source| TapeError::Io { path: path.display().to_string(), source })?;
    Tape::read(name, Bytes::from(bytes))
}
