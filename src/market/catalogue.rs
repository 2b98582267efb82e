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

/// Loads a bundled tape by name, or a file by its path (anything with a slash or ending in `.parquet`).
pub fn load(name: &str) -> Result<Tape, TapeError> {
    if let Some(bytes) = bundled(name) {
        return Tape::read(name, bytes);
    }
    let path = Path::new(name);
    if name.contains('/') || path.extension().is_some_and(|extension| extension == "parquet") {
        let bytes = std::fs::read(path).map_err(|source| TapeError::Io { path: name.to_owned(), source })?;
        return Tape::read(name, Bytes::from(bytes));
    }
    Err(TapeError::NoTape { name: name.to_owned(), known: BUNDLED.join(", ") })
}
