//! The instrument table that ships with the program.

use std::sync::Arc;

use serde::Deserialize;

use crate::domain::{Instrument, InstrumentTable};
use crate::runtime::Trouble;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    instrument: Vec<Instrument>,
}

/// Reads `config/instruments.toml`, embedded at build time.
pub fn instruments() -> Result<Arc<InstrumentTable>, Trouble> {
    let refuse = |what: String| {
        Trouble::new(format!("config/instruments.toml: {what}"), "Nothing was changed", "Mend the file and build again")
    };
    let text = include_str!("../../config/instruments.toml");
    let file: File = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
    InstrumentTable::new(file.instrument).map(Arc::new).map_err(|error| refuse(error.to_string()))
}
