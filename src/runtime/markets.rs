//! Live markets from public providers: the table of who is asked, what it makes of the instruments, and the way to them.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::domain::{InstrumentId, InstrumentTable, MarketTime};
use crate::market::bulletins::{BulletinTable, Watched};
use crate::market::providers::{
    Bulletins, Capability, Ended, Line, ProviderId, ProviderTable, ProvidersLink, Surroundings, TableError,
};
use crate::runtime::config::{line_at, nearest};
use crate::runtime::recovery::Opened;
use crate::runtime::source::Source;
use crate::runtime::{Home, Trouble, wall_now, write_atomically};

/// The table of the program.
const DEFAULTS: &str = include_str!("../../config/providers.toml");

/// Reads the table of providers with a person's own file over it. A file that is not there changes nothing.
pub fn load_providers(own: &Path, instruments: &InstrumentTable) -> Result<ProviderTable, Trouble> {
    let text = match fs::read_to_string(own) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(refuse(&own.display().to_string(), &format!("the file cannot be read: {error}"))),
    };
    let table = ProviderTable::read(DEFAULTS, text.as_deref()).map_err(|error| {
        let TableError { own: place, .. } = &error;
        let file = match (place, &text) {
            (Some(0), _) => own.display().to_string(),
            (Some(byte), Some(text)) => format!("{}, line {}", own.display(), line_at(text, *byte)),
            (Some(_) | None, _) => "config/providers.toml".to_owned(),
        };
        refuse(&file, &error.to_string())
    })?;
    if let Some(stranger) =
        table.aliases.keys().find(|symbol| instruments.by_symbol(symbol).is_none_or(|known| known.symbol != **symbol))
    {
        let known = nearest(stranger, instruments.iter().map(|known| known.symbol.as_str())).unwrap_or_default();
        let what = format!("aliases.{stranger}: «{stranger}» is not an instrument; did you mean {known}?");
        return Err(refuse(&own.display().to_string(), &what));
    }
    Ok(table)
}

fn refuse(place: &str, what: &str) -> Trouble {
    Trouble::new(
        format!("{place}: {what}"),
        "Nothing was started and nobody was asked",
        "Mend that value; config/providers.toml shows every value with what it means",
    )
}

/// The table of economic series and news of the program.
const BULLETINS: &str = include_str!("../../config/bulletins.toml");

/// Reads the table of economic series and news with a person's own file over it. A file that is not there changes nothing.
pub fn load_bulletins(own: &Path) -> Result<BulletinTable, Trouble> {
    let text = match fs::read_to_string(own) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(refuse(&own.display().to_string(), &format!("the file cannot be read: {error}"))),
    };
    BulletinTable::read(BULLETINS, text.as_deref()).map_err(|error| {
        let file = match (error.own, &text) {
            (Some(byte @ 1..), Some(text)) => format!("{}, line {}", own.display(), line_at(text, byte)),
            (Some(_), _) => own.display().to_string(),
            (None, _) => "config/bulletins.toml".to_owned(),
        };
        let todo = "Mend that value; config/bulletins.toml shows every value with what it means";
        Trouble::new(format!("{file}: {error}"), "Nothing was started and nobody was asked", todo)
    })
}

/// Whose news are wanted: every instrument that Yahoo has a name for.
fn wanted_news(table: &ProviderTable, instruments: &InstrumentTable) -> Vec<Watched> {
    let named = instruments.iter().filter_map(|known| {
        let symbol = table.aliases.get(&known.symbol)?.get(&ProviderId::Yahoo)?.of(Capability::Quotes).to_owned();
        Some(Watched { instrument: known.id, symbol })
    });
    named.collect()
}

/// What names a run that providers feed, in the journal: with other instruments it is another run.
pub fn feed_name(table: &ProviderTable, instruments: &InstrumentTable) -> String {
    let watched: Vec<String> = watched(table, instruments).map(|id| id.0.to_string()).collect();
    let hash = Sha256::digest(watched.join(",").as_bytes());
    let short: String = hash.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    format!("live markets {short}")
}

fn watched<'a>(table: &'a ProviderTable, instruments: &'a InstrumentTable) -> impl Iterator<Item = InstrumentId> + 'a {
    instruments.iter().filter(|known| table.aliases.contains_key(&known.symbol)).map(|known| known.id)
}

/// Opens the way to the providers for an opened run, from where its bars end.
pub fn connect_providers(
    opened: &mut Opened,
    table: ProviderTable,
    instruments: &InstrumentTable,
    home: &Home,
    bulletins: BulletinTable,
) -> Result<(), Trouble> {
    let Source::Providers(providers) = &mut opened.source else { return Ok(()) };
    let lines =
        providers.feed.closed_until().filter_map(|(id, known_until)| line(id, known_until, &table, instruments)).collect();
    let file = home.requests_file();
    let kept = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let what = format!("{} cannot be read: {error}", file.display());
            return Err(Trouble::new(what, "Nobody was asked and nothing was started", "Check the file's rights, or remove it"));
        }
    };
    let keep = Box::new(move |text: &str| write_atomically(&file, text));
    let surroundings = Surroundings { clock: wall_now, kept, keep, seed: wall_now().0.unsigned_abs() };
    let file = home.bulletins_file();
    // What cannot be read here is asked for anew.
    let kept = fs::read_to_string(&file).ok();
    let keep = Box::new(move |text: &str| write_atomically(&file, text));
    let watched = wanted_news(&table, instruments);
    let asks = bulletins.asks;
    let bulletins = Bulletins { table: bulletins, watched, keyed: Vec::new(), kept, keep };
    let link = ProvidersLink::start_with(table, lines, surroundings, asks.then_some(bulletins)).map_err(|error: Ended| {
        Trouble::new(
            format!("The feed cannot start: {error}"),
            "Nobody was asked and nothing was started",
            "Free some memory and try again",
        )
    })?;
    providers.hear_from(link);
    Ok(())
}

fn line(
    instrument: InstrumentId,
    known_until: Option<MarketTime>,
    table: &ProviderTable,
    instruments: &InstrumentTable,
) -> Option<Line> {
    let known = instruments.get(instrument)?;
    let names = table.aliases.get(&known.symbol)?.clone();
    Some(Line { instrument, kind: known.kind, calendar: known.calendar, decimals: known.decimals, names, known_until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::instruments;

    fn own(text: &str) -> Result<ProviderTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("providers.toml");
        fs::write(&file, text).unwrap();
        load_providers(&file, &instruments().unwrap()).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn a_persons_file_is_laid_over_the_table_and_what_is_wrong_is_named() {
        let table = own("refresh_seconds = 30\n").unwrap();
        assert_eq!((table.refresh_seconds, table.closed_refresh_seconds), (30, 900));
        for (text, words) in [
            ("[aliases.BTCUSDD]\nyahoo = \"BTC-USD\"\n", &["«BTCUSDD»", "BTCUSD?"][..]),
            ("\n\n[provider\n", &["providers.toml, line 3", "TOML"]),
            ("[provider.yahoo]\nhttp = \"ftp://x\"\n", &["providers.toml", "provider.yahoo.http", "https://"]),
        ] {
            let said = own(text).unwrap_err();
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        }
    }

    #[test]
    fn a_run_is_named_by_the_instruments_it_watches() {
        let instruments = instruments().unwrap();
        let table = ProviderTable::read(DEFAULTS, None).unwrap();
        let name = feed_name(&table, &instruments);
        let mut fewer = table.clone();
        fewer.aliases.remove("BTCUSD");
        assert_ne!(name, feed_name(&fewer, &instruments));
        let mut slower = table;
        slower.refresh_seconds = 120;
        assert_eq!(name, feed_name(&slower, &instruments));
    }
}
