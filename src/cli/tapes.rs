//! `pmax tapes`.

use crate::cli::args::Format;
use crate::cli::{Done, OK, say};
use crate::market::{self, BUNDLED};
use crate::runtime::Trouble;

/// Lists the bundled tapes.
pub fn run(format: Format) -> Done {
    let tapes: Vec<_> = BUNDLED.iter().map(|name| market::load(name)).collect::<Result<_, _>>()?;
    if format == Format::Json {
        let metas: Vec<_> = tapes.iter().map(|tape| &tape.meta).collect();
        let text = serde_json::to_string_pretty(&metas);
        say(&text.map_err(|error| Trouble::new(error.to_string(), "Nothing was changed", "Report this"))?);
        return Ok(OK);
    }
    for tape in &tapes {
        let meta = &tape.meta;
        say(&format!("{} — {}", meta.name, meta.title));
        say(&format!("  {}", meta.description));
        say(&format!("  {} bars, plays from {}, {} market seconds a second", tape.bars.len(), meta.start, meta.speed));
        for series in &meta.series {
            let kind = match (series.ohlc, series.volume) {
                (true, true) => "range, volume",
                (true, false) => "range",
                (false, true) => "close, volume",
                (false, false) => "close only",
            };
            let (symbol, first, last, bar) = (&series.symbol, &series.first, &series.last, &series.bar);
            say(&format!("    {symbol:<7} {first} to {last}  {bar:<4} {kind:<14} {} ({})", series.source, series.licence));
        }
        say("");
    }
    Ok(OK)
}
