//! What must hold for every parser of outside bytes, whatever the bytes are. Each check takes one input and panics where something does
//! not hold. The fuzz targets call them with what the fuzzer makes, `tests/it/corpora.rs` with the inputs that were kept.

mod book;
mod bulletins;
mod files;
mod market;
mod person;
mod words;

pub use book::{ledger_record, simulator, xapi};
pub use bulletins::{bulletins_kept, bulletins_toml, economic_series, headlines};
pub use files::{segment, stats_file, tape, tape_import};
pub use market::{
    alpha_vantage, binance, budget, coinbase, kraken, providers_toml, yahoo_chart, yahoo_search, yahoo_spark, yahoo_stream,
};
pub use person::{command_line, config, numbers, script, watchlist_file};

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by its name: a file in `fuzz/fuzz_targets`, a folder in `tests/corpora`.
pub const ALL: [Target; 26] = [
    ("alpha_vantage", alpha_vantage),
    ("binance", binance),
    ("budget", budget),
    ("bulletins_kept", bulletins_kept),
    ("bulletins_toml", bulletins_toml),
    ("coinbase", coinbase),
    ("command_line", command_line),
    ("config", config),
    ("economic_series", economic_series),
    ("headlines", headlines),
    ("kraken", kraken),
    ("ledger_record", ledger_record),
    ("numbers", numbers),
    ("providers_toml", providers_toml),
    ("script", script),
    ("segment", segment),
    ("simulator", simulator),
    ("stats_file", stats_file),
    ("tape", tape),
    ("tape_import", tape_import),
    ("watchlist_file", watchlist_file),
    ("xapi", xapi),
    ("yahoo_chart", yahoo_chart),
    ("yahoo_search", yahoo_search),
    ("yahoo_spark", yahoo_spark),
    ("yahoo_stream", yahoo_stream),
];
