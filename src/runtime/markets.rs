//! Live markets from public providers: the table of who is asked, what it makes of the instruments, and the way to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::domain::{Actor, Instrument, InstrumentId, InstrumentTable, MarketTime, SeriesInfo, Watched};
use crate::engine::{Engine, RunInput, Setup};
use crate::market::bulletins::{BulletinTable, Watched as Reported};
use crate::market::providers::{
    Alias, Bulletins, Choice, Ended, KeyName, Line, ProviderId, ProviderTable, ProvidersLink, Surroundings,
};
use crate::market::{TableError, WrittenIn};
use crate::runtime::config::{line_at, nearest};
use crate::runtime::recovery::{Feed, HeardFrom, Opened};
use crate::runtime::source::Source;
use crate::runtime::{Credential, Home, Trouble, wall_now, write_atomically};
use crate::store::RunRow;

/// A larger table is none that a person wrote.
const LARGEST: u64 = 1 << 20;
/// The table of the program.
const DEFAULTS: &str = include_str!("../../config/providers.toml");

/// Reads the table of providers with a person's own file over it. A file that is not there changes nothing.
/// A person's choice of what is watched is laid over both.
pub fn load_providers(own: &Path, instruments: &InstrumentTable, choice: &Choice) -> Result<ProviderTable, Trouble> {
    let text = text_of(own)?;
    let mut table = ProviderTable::read(DEFAULTS, text.as_deref())
        .map_err(|error| misfit(&error, own, text.as_deref(), "config/providers.toml"))?;
    if let Some(stranger) =
        table.aliases.keys().find(|symbol| instruments.by_symbol(symbol).is_none_or(|known| known.symbol != **symbol))
    {
        let known = nearest(stranger, instruments.iter().map(|known| known.symbol.as_str())).unwrap_or_default();
        let what = format!("aliases.{stranger}: «{stranger}» is not an instrument; did you mean {known}?");
        return Err(refuse(&own.display().to_string(), &what));
    }
    table.choose(choice).map_err(|taken| refuse("providers.toml and instruments.toml", &taken.to_string()))?;
    Ok(table)
}

/// The text of a person's own table; `None` where there is no such file.
fn text_of(own: &Path) -> Result<Option<String>, Trouble> {
    let read = fs::metadata(own).and_then(|about| match about.len() {
        0..=LARGEST if about.is_file() => fs::read_to_string(own),
        _ => Err(std::io::Error::other("it is no file, or larger than 1 MiB")),
    });
    match read {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(&own.display().to_string(), &format!("the file cannot be read: {error}"))),
    }
}

/// A value that does not fit, in the words of whoever has to mend it.
fn misfit(error: &TableError, own: &Path, text: Option<&str>, shipped: &str) -> Trouble {
    let file = match error.place {
        WrittenIn::Program => shipped.to_owned(),
        WrittenIn::Own => own.display().to_string(),
        WrittenIn::OwnAt(byte) => format!("{}, line {}", own.display(), line_at(text.unwrap_or_default(), byte)),
    };
    let todo = format!("Mend that value; {shipped} shows every value with what it means");
    Trouble::new(format!("{file}: {error}"), "Nothing was started and nobody was asked", todo)
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
    let text = text_of(own)?;
    BulletinTable::read(BULLETINS, text.as_deref()).map_err(|error| misfit(&error, own, text.as_deref(), "config/bulletins.toml"))
}

/// What names a run that providers feed, in the journal. Its instruments join and leave by entries of their own.
pub const LIVE_MARKETS: &str = "live markets";

/// What named such a run of before its instruments could change: with others it was another run.
pub fn older_name(watched: impl Iterator<Item = InstrumentId>) -> String {
    let watched: Vec<String> = watched.map(|id| id.0.to_string()).collect();
    let hash = Sha256::digest(watched.join(",").as_bytes());
    let short: String = hash.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    format!("live markets {short}")
}

/// Whether a run was begun before its instruments could change, with these.
pub(super) fn is_older(run: &RunRow, listed: &[SeriesInfo]) -> bool {
    run.tape.name == older_name(listed.iter().map(|series| series.instrument))
}

/// What a run's engine is made of before its first entry. Where providers feed it, its instruments join by entries of their own.
pub(super) fn base(feed: &Feed<'_>, row: Option<&RunRow>, setup: &Setup) -> Setup {
    let Feed::Live { from: HeardFrom::Providers, older, .. } = feed else { return setup.clone() };
    let is_older = row.is_some_and(|row| row.tape.name != LIVE_MARKETS);
    Setup { series: if is_older { older.clone() } else { Vec::new() }, ..setup.clone() }
}

/// What has to join and leave so that a run has the instruments that are watched now; nothing where it has them.
pub(super) fn instruments_changed(feed: &Feed<'_>, engine: &Engine, setup: &Setup) -> Result<Option<RunInput>, Trouble> {
    let Feed::Live { from: HeardFrom::Providers, .. } = feed else { return Ok(None) };
    let mut joins = Vec::new();
    for series in &setup.series {
        let Some(instrument) = setup.instruments.get(series.instrument).cloned() else { continue };
        let known = engine.instruments().get(instrument.id);
        if let Some(other) = known.filter(|known| known.symbol != instrument.symbol) {
            let what = format!(
                "Number {} is {} in the run that would be taken up, and {} in your instruments.toml: numbers are never reused",
                instrument.id.0, other.symbol, instrument.symbol
            );
            return Err(Trouble::new(
                what,
                "Nothing was started",
                "Give the new one the next free number, or begin anew with --new",
            ));
        }
        let is_there = engine.market().get(instrument.id).is_some_and(|there| there.capabilities == series.capabilities);
        if !is_there || known != Some(&instrument) {
            joins.push(Watched { instrument, capabilities: series.capabilities });
        }
    }
    let is_wanted = |id: InstrumentId| setup.series.iter().any(|series| series.instrument == id);
    let leaves: Vec<InstrumentId> = engine.market().iter().map(|series| series.instrument).filter(|id| !is_wanted(*id)).collect();
    let is_same = joins.is_empty() && leaves.is_empty();
    Ok((!is_same).then_some(RunInput::InstrumentsChanged { by: Actor::Person, joins, leaves }))
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
    let until: BTreeMap<InstrumentId, Option<MarketTime>> = providers.feed.closed_until().collect();
    let market = opened.engine.market();
    let last_close = |id: InstrumentId| market.get(id)?.bars.last(1).first().map(|bar| bar.close);
    let line = |known: &Instrument| {
        let line = line_of(known, table.known.get(&known.symbol)?, until.get(&known.id).copied().flatten())?;
        Some(Line { last_close: last_close(known.id), ..line })
    };
    let known: BTreeMap<InstrumentId, Line> = instruments.iter().filter_map(|known| Some((known.id, line(known)?))).collect();
    let lines = known.values().filter(|line| until.contains_key(&line.instrument)).cloned().collect();
    providers.hear_from(open_link(table, lines, home, Some(bulletins))?, known);
    Ok(())
}

/// Opens the way to the providers for a recording: all of these series, with the history that comes first.
pub(super) fn link_to_record(
    table: ProviderTable,
    series: &[SeriesInfo],
    instruments: &InstrumentTable,
    home: &Home,
) -> Result<ProvidersLink, Trouble> {
    let line = |series: &SeriesInfo| {
        let known = instruments.get(series.instrument)?;
        line_of(known, table.known.get(&known.symbol)?, None)
    };
    let lines = series.iter().filter_map(line).collect();
    open_link(table, lines, home, None)
}

fn open_link(
    mut table: ProviderTable,
    lines: Vec<Line>,
    home: &Home,
    bulletins: Option<BulletinTable>,
) -> Result<ProvidersLink, Trouble> {
    find_keys(&mut table, home)?;
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
    let bulletins = bulletins.filter(|table| table.asks).map(|bulletins| {
        let file = home.bulletins_file();
        // What cannot be read here is asked for anew.
        let kept = fs::read_to_string(&file).ok();
        let keep = Box::new(move |text: &str| write_atomically(&file, text));
        let has_key = |id: &ProviderId| id.key().is_some_and(|key| table.keys.has(key));
        let keyed = ProviderId::ALL.into_iter().filter(has_key).collect();
        Bulletins { table: bulletins, watched: lines.iter().filter_map(Reported::of).collect(), keyed, kept, keep }
    });
    ProvidersLink::start_with(table, lines, surroundings, bulletins).map_err(|error: Ended| {
        Trouble::new(
            format!("The feed cannot start: {error}"),
            "Nobody was asked and nothing was started",
            "Free some memory and try again",
        )
    })
}

/// An instrument as the desk follows it; nothing where no provider has a name for it.
pub(super) fn line_of(known: &Instrument, names: &BTreeMap<ProviderId, Alias>, known_until: Option<MarketTime>) -> Option<Line> {
    let Instrument { id: instrument, kind, calendar, currency, decimals, .. } = *known;
    let names = names.clone();
    (!names.is_empty()).then_some(Line { instrument, kind, calendar, decimals, currency, names, known_until, last_close: None })
}

/// Finds the keys of all providers of a table that want one.
fn find_keys(table: &mut ProviderTable, home: &Home) -> Result<(), Trouble> {
    let mut names: Vec<KeyName> = table.provider.keys().filter_map(|id| id.key()).collect();
    names.dedup();
    for name in names {
        let Some((key, place)) = Credential::key(name).find(&home.env_file())? else { continue };
        if let Some(why) = KeyName::refuses(key.reveal()) {
            let what = format!("The key of {} in {} is none: {why}", name.owner(), place.words());
            let todo = format!("Mend {}, or run `pmax keys set {}`", name.variable(), name.word());
            return Err(Trouble::new(what, "Nobody was asked and nothing was started", todo));
        }
        tracing::info!(target: "pmax::feed", "key of {} from {}", name.owner(), place.words());
        table.keys.take(name, key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::instruments;

    fn own(text: &str) -> Result<ProviderTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("providers.toml");
        fs::write(&file, text).unwrap();
        load_providers(&file, &instruments().unwrap(), &Choice::default()).map_err(|trouble| trouble.to_string())
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
    fn an_older_run_is_named_by_the_programs_instruments_that_it_watches() {
        let of = |ids: &[u32]| older_name(ids.iter().copied().map(InstrumentId));
        assert_ne!(of(&[5, 10]), of(&[5]));
        assert!(of(&[5]).starts_with(LIVE_MARKETS) && of(&[5]) != LIVE_MARKETS);
    }
}
