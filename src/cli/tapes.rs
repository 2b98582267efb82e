//! `pmax tapes`.

use crate::cli::args::{Args, Format};
use crate::cli::{Done, OK, say};
use crate::market::{self, BUNDLED};
use crate::runtime::{self, Home, Trouble, complain};

/// Lists the bundled tapes, and a person's own after them.
pub fn run(args: &Args, format: Format) -> Done {
    let mut tapes: Vec<_> = BUNDLED.iter().map(|name| market::load(name)).collect::<Result<_, _>>()?;
    let home = Home::find(args.home.as_deref())?;
    let instruments = runtime::instruments()?;
    for finished in runtime::finish_left(&home, &instruments) {
        match finished {
            Ok(recorded) => complain(format_args!("finished what was cut off: {}", recorded.words(&instruments))),
            Err(trouble) => complain(format_args!("{trouble}")),
        }
    }
    let folder = home.tapes_folder();
    for name in market::own_tapes(&folder) {
        match market::load_among(&name, Some(&folder)) {
            Ok(tape) => tapes.push(tape),
            // One that is damaged hides none of the others.
            Err(error) => complain(format_args!("{error}")),
        }
    }
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
            let adjusted = if series.adjusted { ", adjusted" } else { "" };
            let kind = match (series.ohlc, series.volume) {
                (true, true) => "range, volume",
                (true, false) => "range",
                (false, true) => "close, volume",
                (false, false) => "close only",
            };
            let (symbol, first, last, bar) = (&series.symbol, &series.first, &series.last, &series.bar);
            let kind = format!("{kind}{adjusted}");
            say(&format!("    {symbol:<7} {first} to {last}  {bar:<4} {kind:<24} {} ({})", series.source, series.licence));
        }
        say("");
    }
    Ok(OK)
}
