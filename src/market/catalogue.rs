//! The tapes that come with the program, and those a person names by path.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::market::apart::{Astray, READ_WITHIN, apart};
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
    read_apart(name, Bytes::from(bytes), READ_WITHIN)
}

/// Reads a foreign file apart.
fn read_apart(name: &str, bytes: Bytes, within: Duration) -> Result<Tape, TapeError> {
    let own_name = name.to_owned();
    apart(within, move || Tape::read(&own_name, bytes)).unwrap_or_else(|astray| match astray {
        Astray::NoThread(source) => Err(TapeError::Io { path: name.to_owned(), source }),
        Astray::Late | Astray::Stopped => Err(TapeError::Layout { name: name.to_owned(), what: astray.to_string() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_leads_the_reader_astray_is_given_up() {
        // Field 15 of the footer, which nobody knows, is a list of 2^28 truths, which take no bytes.
        let footer = [0xF9, 0xF1, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00];
        let file = [b"PAR1".as_slice(), &footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
        let error = read_apart("astray", Bytes::from(file), Duration::from_millis(1)).unwrap_err();
        assert!(error.to_string().contains("in time"), "{error}");
        let error = read_apart("short", Bytes::from_static(b"PAR1"), READ_WITHIN).unwrap_err();
        assert!(matches!(error, TapeError::Parquet { .. }), "{error}");
    }
}
