//! The file: read strictly, naming the line of what does not fit, and written whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::{
    AssetClass, Calendar, CleanText, Currency, Instrument, InstrumentId, InstrumentTable, Price, Quantity, SCALE,
};
use crate::market::providers::{Alias, ProviderId};
use crate::runtime::Trouble;
use crate::runtime::config::line_at;
use crate::runtime::watchlist::{MOST_OWN, OwnInstrument, Watchlist};

/// A larger file is none that this program wrote.
const LARGEST: u64 = 1 << 20;
/// What stands above what the program writes.
const HEADER: &str = "\
# Instruments of your own and what you watch, laid over the table that comes with pmax. pmax writes this file whole; you may change it while
# no workstation runs. Numbers are part of the journal: never change one and never give one twice (501 to 999; `next` is the first free one).
# also, without: symbols of the program's table that are watched besides what providers.toml says, and that are not. order: on the screen.
# Only what is priced in USD can be traded; tick, lot and decimals are those of its price and quantity.
# calendar: us-equity, crypto-24-7 or fx-24-5. names: what a provider calls it.

";

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    next: Option<u32>,
    also: Vec<String>,
    without: Vec<String>,
    order: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instrument: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retired: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: u32,
    symbol: String,
    name: CleanText,
    kind: AssetClass,
    currency: Currency,
    tick: Price,
    lot: Quantity,
    decimals: u8,
    sector: CleanText,
    calendar: Calendar,
    #[serde(default = "yes")]
    tradable: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<ProviderId, Alias>,
}

const fn yes() -> bool {
    true
}

/// Why a file is refused: where, if a line is to blame, and in words.
struct Misfit {
    line: Option<usize>,
    what: String,
}

/// Reads the file; one that is not there is an empty list.
pub(super) fn load(path: &Path, shipped: &InstrumentTable) -> Result<Watchlist, Trouble> {
    let name = path.display().to_string();
    let read = fs::metadata(path).and_then(|about| match about.len() {
        0..=LARGEST => fs::read_to_string(path),
        _ => Err(std::io::Error::other("it is larger than 1 MiB")),
    });
    let text = match read {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Watchlist::default()),
        Err(error) => return Err(refuse(&name, &format!("the file cannot be read: {error}"))),
    };
    read_text(&text, &name, shipped)
}

/// Reads a file's text; its name stands in what is refused.
pub(super) fn read_text(text: &str, name: &str, shipped: &InstrumentTable) -> Result<Watchlist, Trouble> {
    parse(text, shipped).map_err(|Misfit { line, what }| {
        let place = line.map_or_else(|| name.to_owned(), |line| format!("{name}, line {line}"));
        refuse(&place, &what)
    })
}

fn refuse(place: &str, what: &str) -> Trouble {
    Trouble::new(
        format!("{place}: {what}"),
        "Nothing was started and nothing was changed",
        "Mend that line, or move the file away: the program's own instruments need none",
    )
}

fn parse(text: &str, shipped: &InstrumentTable) -> Result<Watchlist, Misfit> {
    let file: File = toml::from_str(text).map_err(|error| Misfit {
        line: error.span().map(|span| line_at(text, span.start)),
        what: error.message().lines().next().unwrap_or_default().to_owned(),
    })?;
    let File { next, also, without, order, instrument, retired } = file;
    let mut numbers = BTreeSet::new();
    let mut symbols = BTreeSet::new();
    let mut own = Vec::new();
    let mut gone = Vec::new();
    for (header, rows) in [("[[instrument]]", instrument), ("[[retired]]", retired)] {
        let is_live = header == "[[instrument]]";
        for (index, row) in rows.into_iter().enumerate() {
            let refuse = |what: String| Misfit { line: nth_line(text, header, index), what };
            let names = row.names.clone();
            let instrument = instrument_of(row).map_err(refuse)?;
            if !instrument.id.is_own() {
                let (from, until) = (InstrumentId::OWN_FROM, InstrumentId::OWN_UNTIL);
                return Err(refuse(format!(
                    "id {} is none for an instrument of your own: use {from} to {until}",
                    instrument.id.0
                )));
            }
            if !numbers.insert(instrument.id) {
                return Err(refuse(format!("id {} appears twice: numbers are never reused", instrument.id.0)));
            }
            if is_live {
                let symbol = instrument.symbol.clone();
                if shipped.by_symbol(&symbol).is_some() {
                    return Err(refuse(format!("{symbol} comes with the program: name it under `also` to watch it")));
                }
                if !symbols.insert(symbol.clone()) {
                    return Err(refuse(format!("{symbol} appears twice")));
                }
                if names.is_empty() {
                    return Err(refuse(format!(
                        "{symbol} has no name at any provider: add e.g. names = {{ yahoo = \"{symbol}\" }}"
                    )));
                }
                check_names(&symbol, &names).map_err(refuse)?;
                own.push(OwnInstrument { instrument, names });
            } else {
                gone.push(Instrument { tradable: false, ..instrument });
            }
        }
    }
    if own.len() > MOST_OWN {
        return Err(Misfit { line: None, what: format!("there are {} instruments: at most {MOST_OWN} are allowed", own.len()) });
    }
    let highest = numbers.last().map_or(InstrumentId::OWN_FROM, |id| id.0 + 1);
    let next = next.unwrap_or(highest);
    if next < highest {
        let what = format!("next is {next}, but number {} was given already: it must be {highest} or more", highest - 1);
        return Err(Misfit { line: key_line(text, "next"), what });
    }
    for (key, list) in [("also", &also), ("without", &without)] {
        if let Some(stranger) = list.iter().find(|symbol| shipped.by_symbol(symbol).is_none_or(|known| known.symbol != **symbol))
        {
            let what = format!("{key}: «{}» is not in the table that comes with pmax", CleanText::from_outside(stranger));
            return Err(Misfit { line: key_line(text, key), what });
        }
    }
    let list =
        Watchlist { next, own, retired: gone, also: also.into_iter().collect(), without: without.into_iter().collect(), order };
    Ok(list)
}

fn instrument_of(row: Row) -> Result<Instrument, String> {
    let Row { id, symbol, name, kind, currency, tick, lot, decimals, sector, calendar, tradable, names: _ } = row;
    let instrument = Instrument {
        id: InstrumentId(id),
        symbol,
        name: name.to_string(),
        kind,
        currency,
        tick,
        lot,
        min_quantity: lot,
        multiplier: Quantity::from_nanos(SCALE),
        decimals,
        sector: sector.to_string(),
        calendar,
        tradable,
        xapi: None,
    };
    // The table's own rules on symbols and numbers.
    InstrumentTable::new(vec![instrument.clone()]).map_err(|error| error.to_string())?;
    if instrument.sector.is_empty() || instrument.name.is_empty() {
        return Err(format!("{}: name and sector must say something", instrument.symbol));
    }
    match instrument.never_tradable() {
        Some(why) if instrument.tradable => {
            Err(format!("{} cannot be traded ({why}): write tradable = false", instrument.symbol))
        }
        Some(_) | None => Ok(instrument),
    }
}

/// A provider's name has the same rules as in the table of providers.
fn check_names(symbol: &str, names: &BTreeMap<ProviderId, Alias>) -> Result<(), String> {
    let is_name = |name: &str| (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    let is_sound = names.values().flat_map(Alias::names).all(is_name);
    if is_sound { Ok(()) } else { Err(format!("{symbol}: a provider's name has 1 to 32 visible characters of ASCII")) }
}

/// The line of the nth header of this kind.
fn nth_line(text: &str, header: &str, index: usize) -> Option<usize> {
    text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(header)).nth(index).map(|(line, _)| line + 1)
}

/// The line that sets a key outside any table.
fn key_line(text: &str, key: &str) -> Option<usize> {
    let is_it = |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    text.lines().position(is_it).map(|line| line + 1)
}

/// The whole file.
pub(super) fn text(list: &Watchlist) -> Result<String, toml::ser::Error> {
    let row = |instrument: &Instrument, names: &BTreeMap<ProviderId, Alias>| Row {
        id: instrument.id.0,
        symbol: instrument.symbol.clone(),
        name: CleanText::from_outside(&instrument.name),
        kind: instrument.kind,
        currency: instrument.currency,
        tick: instrument.tick,
        lot: instrument.lot,
        decimals: instrument.decimals,
        sector: CleanText::from_outside(&instrument.sector),
        calendar: instrument.calendar,
        tradable: instrument.tradable,
        names: names.clone(),
    };
    let file = File {
        next: Some(list.next.max(InstrumentId::OWN_FROM)),
        also: list.also.iter().cloned().collect(),
        without: list.without.iter().cloned().collect(),
        order: list.order.clone(),
        instrument: list.own.iter().map(|own| row(&own.instrument, &own.names)).collect(),
        retired: list.retired.iter().map(|gone| row(gone, &BTreeMap::new())).collect(),
    };
    toml::to_string(&file).map(|body| format!("{HEADER}{body}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::runtime::instruments;

    const ROW: &str = "[[instrument]]\nid = 501\nsymbol = \"SOLUSD\"\nname = \"Solana\"\nkind = \"crypto\"\ncurrency = \"USD\"\n\
        tick = \"0.0001\"\nlot = \"0.001\"\ndecimals = 4\nsector = \"Crypto\"\ncalendar = \"crypto-24-7\"\nnames = { yahoo = \"SOL-USD\" }\n";

    fn read(text: &str) -> Result<Watchlist, (Option<usize>, String)> {
        parse(text, &instruments().unwrap()).map_err(|Misfit { line, what }| (line, what))
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let list = read(&format!("without = [\"IBM\"]\nalso = [\"AAPL\"]\norder = [\"SOLUSD\"]\n{ROW}")).unwrap();
        assert_eq!((list.next, list.own.len()), (502, 1));
        assert_eq!(read(&text(&list).unwrap()).unwrap(), list);
        assert_eq!(read("").unwrap().own.len(), 0);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_line_and_what_is_allowed() {
        let changed = |from: &str, to: &str| format!("next = 700\n\n{}", ROW.replace(from, to));
        for (text, line, words) in [
            (changed("501", "30"), 3, "501 to 999"),
            (changed("501", "1000"), 3, "501 to 999"),
            (changed("SOLUSD", "AAPL"), 3, "comes with the program"),
            (changed("SOLUSD", "sol usd"), 3, "A-Z"),
            (changed("\"0.0001\"", "\"0\""), 3, "tick must be above 0"),
            (changed("\"0.0001\"", "\"much\""), 9, "much"),
            (changed("decimals = 4", "decimals = 12"), 3, "between 0 and 9"),
            (changed("\"USD\"", "\"EUR\""), 3, "tradable = false"),
            (changed("\"USD\"", "\"XXX\""), 8, "XXX"),
            (changed("crypto-24-7", "always"), 13, "always"),
            (changed("SOL-USD", "SOL USD"), 3, "visible"),
            (changed("yahoo", "bitstamp"), 14, "bitstamp"),
            (changed("names = { yahoo = \"SOL-USD\" }", ""), 3, "no name at any provider"),
            (changed("lot =", "lots ="), 10, "lots"),
            (format!("next = 501\n{ROW}"), 1, "must be 502 or more"),
            (format!("{ROW}{ROW}"), 13, "never reused"),
            (format!("{ROW}{}", ROW.replace("501", "502")), 13, "SOLUSD appears twice"),
            (format!("{ROW}{}", ROW.replace("[[instrument]]", "[[retired]]")), 13, "never reused"),
            ("\nalso = [\"DOGE\"]\n".to_owned(), 2, "«DOGE»"),
            ("next = \n".to_owned(), 1, ""),
        ] {
            let (at, what) = read(&text).unwrap_err();
            assert!(at == Some(line) && what.contains(words), "{at:?} {what}\n{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_text_panics_and_what_is_read_is_written_and_read_again(
            parts in prop::collection::vec(prop::sample::select(vec![
                "next = 600\n", "also = [\"IBM\"]\n", "[[instrument]]\n", "id = 501\n", "id = 999\n", "symbol = \"A\"\n", "= \n", "[[retired]]\n",
            ]), 0..8),
            noise in "\\PC{0,20}",
        ) {
            let text_in = format!("{}{noise}", parts.concat());
            if let Ok(list) = read(&text_in) {
                prop_assert_eq!(read(&text(&list).unwrap()).unwrap(), list);
            }
            let rows = format!("{}{ROW}", parts.first().copied().filter(|part| part.starts_with("also")).unwrap_or_default());
            let list = read(&rows).unwrap();
            prop_assert_eq!(read(&text(&list).unwrap()).unwrap(), list);
        }
    }
}
