//! What must hold for every parser of outside bytes, whatever the bytes are. Each check takes one input and panics where something does
//! not hold. The fuzz targets call them with what the fuzzer makes, `tests/it/corpora.rs` with the inputs that were kept.

mod book;
mod files;
mod market;
mod person;
mod words;

pub use book::{ledger_record, simulator, xapi};
pub use files::{segment, stats_file, tape};
pub use market::{budget, coinbase, kraken, providers_toml, yahoo_chart};
pub use person::{command_line, config, numbers, script};

/// Every target by its name: a file in `fuzz/fuzz_targets`, a folder in `tests/corpora`.
pub const ALL: [(&str, fn(&[u8])); 15] = [
    ("budget", budget),
    ("coinbase", coinbase),
    ("command_line", command_line),
    ("config", config),
    ("kraken", kraken),
    ("ledger_record", ledger_record),
    ("numbers", numbers),
    ("providers_toml", providers_toml),
    ("script", script),
    ("segment", segment),
    ("simulator", simulator),
    ("stats_file", stats_file),
    ("tape", tape),
    ("xapi", xapi),
    ("yahoo_chart", yahoo_chart),
];
