//! `pmax watch`: the list as the screen keeps it, for scripts.

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::args::{Args, Format, WatchKind, WatchVerb};
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::{CleanText, Instrument};
use crate::market::providers::{Alias, ProviderTable, ProvidersLink, Surroundings};
use crate::runtime::{
    Draft, Hit, Known, Listing, ProviderId, SearchStands, Trouble, WatchChange, draft_of, wall_now, write_atomically,
};
use crate::ui::ScreenFile;

/// An answer takes no longer than this: the sockets' own deadline is shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(12);
/// A longer wait for room in the budget is not waited for, in nanoseconds.
const LONGEST_PAUSE: i64 = 3_000_000_000;

/// One instrument for a script.
#[derive(Serialize)]
struct Row<'a> {
    id: u32,
    symbol: &'a str,
    name: &'a str,
    kind: crate::domain::AssetClass,
    currency: String,
    watched: bool,
    tradable: bool,
    own: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_only_because: Option<String>,
    names: &'a std::collections::BTreeMap<ProviderId, Alias>,
}

/// What a search found, for a script.
#[derive(Serialize)]
struct Found<'a> {
    symbol: &'a str,
    name: &'a str,
    exchange: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// The known instrument that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    is: Option<&'a str>,
    /// Why it cannot be watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// Runs one of the verbs.
pub fn run(args: &Args, verb: &WatchVerb) -> Done {
    let mut base = Base::open(args)?;
    let changes = !matches!(verb, WatchVerb::List { .. } | WatchVerb::Search { .. });
    let _lock = changes.then(|| base.home.lock().map_err(running)).transpose()?;
    if changes {
        // Read behind the lock: else two that add at once would give one number twice.
        base = Base::open(args)?;
    }
    match verb {
        WatchVerb::List { format } => list(&base, *format),
        WatchVerb::Search { words, offline, format } => search(&base, &words.join(" "), *offline, *format),
        WatchVerb::Add { symbol, names, kind, name, format } => {
            let change = match base.known.live(symbol) {
                Some(known) => WatchChange::Watch(known.symbol.clone()),
                None if names.is_empty() => WatchChange::Add(Box::new(listed(&base, symbol)?)),
                None => WatchChange::Add(Box::new(described(symbol, names, *kind, name.as_deref())?)),
            };
            if let WatchChange::Add(draft) = &change {
                draft.notes.iter().for_each(|note| crate::runtime::complain(format_args!("{note}")));
            }
            changed(&base, &change, symbol_of(&change), *format)
        }
        WatchVerb::Remove { symbol, format } => changed(&base, &WatchChange::Remove(symbol.clone()), symbol, *format),
        WatchVerb::Group { symbol, group, format } => grouped(&base, symbol, group, *format),
    }
}

/// While a workstation runs, it keeps the list.
fn running(trouble: Trouble) -> Trouble {
    Trouble { todo: "Change the list there (w, or :watch), or close it first".to_owned(), ..trouble }
}

fn symbol_of(change: &WatchChange) -> &str {
    match change {
        WatchChange::Add(draft) => &draft.instrument.symbol,
        WatchChange::Watch(symbol) | WatchChange::Remove(symbol) | WatchChange::Move(symbol, _) => symbol,
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(|error| Trouble::new(error.to_string(), "Nothing was changed", "Report this"))
}

fn row<'a>(known: &'a Known, one: &'a Instrument) -> Option<Row<'a>> {
    let is_watched = known.table.aliases.contains_key(&one.symbol);
    Some(Row {
        id: one.id.0,
        symbol: &one.symbol,
        name: &one.name,
        kind: one.kind,
        currency: one.currency.to_string(),
        watched: is_watched,
        tradable: one.tradable,
        own: one.id.is_own(),
        watch_only_because: one.never_tradable(),
        names: known.table.known.get(&one.symbol)?,
    })
}

fn list(base: &Base, format: Format) -> Done {
    let known = &base.known;
    let all: Vec<Row<'_>> = known.watched().into_iter().chain(known.unwatched()).filter_map(|one| row(known, one)).collect();
    if format == Format::Json {
        say(&json(&all)?);
        return Ok(OK);
    }
    for row in &all {
        let names: Vec<String> = row.names.iter().map(|(provider, alias)| format!("{provider} {}", alias.shown())).collect();
        let stands = match (row.watched, row.tradable) {
            (true, true) => "watched",
            (true, false) => "watched, not tradable",
            (false, _) => "not watched",
        };
        say(&format!("{:<10} {:<28} {:<4} {stands:<22} {}", row.symbol, row.name, row.currency, names.join(", ")));
    }
    Ok(OK)
}

fn search(base: &Base, words: &str, offline: bool, format: Format) -> Done {
    let wanted = words.to_lowercase();
    let known = &base.known;
    let is_meant = |one: &&Instrument| [&one.symbol, &one.name].into_iter().any(|text| text.to_lowercase().contains(&wanted));
    let here: Vec<Row<'_>> =
        known.watched().into_iter().chain(known.unwatched()).filter(is_meant).filter_map(|one| row(known, one)).collect();
    let hits = if offline { Vec::new() } else { ask(base, words)? };
    let found: Vec<Found<'_>> = hits.iter().map(|hit| found(known, hit)).collect();
    if format == Format::Json {
        say(&json(&serde_json::json!({ "known": here, "found": found, "asked": !offline }))?);
        return Ok(OK);
    }
    for row in &here {
        let stands = if row.watched { "watched" } else { "known, not watched" };
        say(&format!("{:<12} {:<30} here                 {stands}", row.symbol, row.name));
    }
    for row in &found {
        let stands = match (row.is, &row.refused) {
            (Some(symbol), _) => format!("is {symbol}"),
            (None, Some(why)) => why.clone(),
            (None, None) => "new: pmax watch add".to_owned(),
        };
        let currency = row.currency.as_deref().unwrap_or("n/a");
        say(&format!("{:<12} {:<30} {:<8} {:<7} {currency:<4} {stands}", row.symbol, row.name, row.exchange, row.kind));
    }
    if here.is_empty() && found.is_empty() {
        say(if offline { "nothing that is known here matches" } else { "nothing by these words, here or at Yahoo" });
    }
    Ok(OK)
}

fn found<'a>(known: &'a Known, hit: &'a Hit) -> Found<'a> {
    let is = known.table.named(ProviderId::Yahoo, &hit.symbol);
    let draft = draft_of(hit);
    Found {
        symbol: &hit.symbol,
        name: hit.name.as_str(),
        exchange: hit.exchange.as_str(),
        kind: hit.listing.word(),
        currency: draft.as_ref().ok().map(|draft| draft.instrument.currency.to_string()),
        is,
        refused: draft.err().filter(|_| is.is_none()),
    }
}

/// Asks Yahoo, counted like every other request; the lock keeps a workstation from counting beside it.
fn ask(base: &Base, words: &str) -> Result<Vec<Hit>, Trouble> {
    let _lock = base.home.lock().map_err(running)?;
    ask_held(base, words)
}

/// The same where the lock is held already.
fn ask_held(base: &Base, words: &str) -> Result<Vec<Hit>, Trouble> {
    let refuse = |what: String, todo: &str| Trouble::new(what, "Nothing was changed", todo);
    let file = base.home.requests_file();
    let kept = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            return Err(refuse(format!("{} cannot be read: {error}", file.display()), "Check the file's rights, or remove it"));
        }
    };
    let keep = Box::new(move |text: &str| write_atomically(&file, text));
    let surroundings = Surroundings { clock: wall_now, kept, keep, seed: wall_now().0.unsigned_abs() };
    let table: ProviderTable = base.known.table.as_ref().clone();
    let link = ProvidersLink::start(table, Vec::new(), surroundings)
        .map_err(|error| refuse(format!("The search cannot start: {error}"), "Free some memory and try again"))?;
    link.search(words.to_owned());
    let until = Instant::now() + ANSWER_WITHIN;
    let offline = "Try again later, or search what is known here with --offline";
    loop {
        match link.view().search.map(|search| search.stands.clone()) {
            Some(SearchStands::Found(hits)) => return Ok(hits),
            Some(SearchStands::Refused(why)) => return Err(refuse(format!("Yahoo was asked and gave nothing: {why}"), offline)),
            // A pause of a second is waited for, one of a day is not.
            Some(SearchStands::Later { until: room }) if room.since(wall_now()).0 > LONGEST_PAUSE => {
                return Err(refuse(format!("Yahoo's budget for searches has no room before {room}"), offline));
            }
            Some(SearchStands::Waiting | SearchStands::Later { .. }) | None if Instant::now() >= until => {
                return Err(refuse("Yahoo did not answer in time".to_owned(), offline));
            }
            Some(SearchStands::Waiting | SearchStands::Later { .. }) | None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The instrument that Yahoo lists by this very symbol.
fn listed(base: &Base, symbol: &str) -> Result<Draft, Trouble> {
    let refuse = |what: String| {
        Trouble::new(what, "The watchlist is as it was", "Look with `pmax watch search`, or describe it with --provider-name")
    };
    if let Some(same) = base.known.table.named(ProviderId::Yahoo, symbol) {
        return Err(refuse(format!("Yahoo calls {same} so: `pmax watch add {same}` watches it")));
    }
    let hits = ask_held(base, symbol)?;
    let hit = hits.iter().find(|hit| hit.symbol.eq_ignore_ascii_case(symbol));
    let hit = hit.ok_or_else(|| refuse(format!("Yahoo lists nothing as «{}»", CleanText::from_outside(symbol))))?;
    draft_of(hit).map_err(|why| refuse(format!("{} cannot be watched: {why}", hit.symbol)))
}

/// A person describes it: nobody is asked.
fn described(
    symbol: &str,
    names: &[(ProviderId, String)],
    kind: Option<WatchKind>,
    name: Option<&str>,
) -> Result<Draft, Trouble> {
    let refuse = |what: String| Trouble::new(what, "The watchlist is as it was", "`pmax watch add --help` has examples");
    let upper = symbol.to_ascii_uppercase();
    let kind = kind.ok_or_else(|| refuse(format!("What {upper} is has to be said with --kind")))?;
    let (listing, code, like) = match kind {
        WatchKind::Share => (Listing::Share, "NMS", upper.clone()),
        WatchKind::Etf => (Listing::ExchangeFund, "PCX", upper.clone()),
        WatchKind::Index => (Listing::Index, "SNP", upper.clone()),
        WatchKind::Crypto => {
            let cut = upper.len().saturating_sub(3);
            let pair = upper.split_at_checked(cut).filter(|(coin, _)| !coin.is_empty());
            let pair = pair.ok_or_else(|| refuse(format!("{upper} is no pair: write e.g. SOLUSD")))?;
            (Listing::Crypto, "CCC", format!("{}-{}", pair.0, pair.1))
        }
        WatchKind::Currency => (Listing::Fx, "CCY", format!("{upper}=X")),
    };
    let hit = Hit {
        symbol: like,
        name: CleanText::from_outside(name.unwrap_or(&upper)),
        exchange: CleanText::default(),
        code: code.to_owned(),
        listing,
        sector: CleanText::default(),
    };
    let mut draft = draft_of(&hit).map_err(|why| refuse(format!("{upper} cannot be watched: {why}")))?;
    let is_name = |name: &str| (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some((_, strange)) = names.iter().find(|(_, name)| !is_name(name)) {
        let strange = CleanText::from_outside(strange);
        return Err(refuse(format!("«{strange}» is no name at a provider: it has 1 to 32 visible characters of ASCII")));
    }
    draft.names = names.iter().map(|(provider, name)| (*provider, Alias::Same(name.clone()))).collect();
    Ok(draft)
}

fn changed(base: &Base, change: &WatchChange, symbol: &str, format: Format) -> Done {
    let known = base.shelf.change(&base.known, change)?;
    let one = known.instruments.by_symbol(symbol);
    if format == Format::Json {
        say(&json(&one.and_then(|one| row(&known, one)))?);
        return Ok(OK);
    }
    let symbol = one.map_or(symbol, |one| one.symbol.as_str());
    let is_watched = known.table.aliases.contains_key(symbol) && known.live(symbol).is_some();
    say(&format!(
        "{symbol} is {}; the next start with --feed live has it so. Written to {}",
        if is_watched { "watched" } else { "not watched any more" },
        base.shelf.file().display()
    ));
    Ok(OK)
}

fn grouped(base: &Base, symbol: &str, group: &str, format: Format) -> Done {
    let refuse = |what: String, todo: &str| Trouble::new(what, "The groups are as they were", todo);
    let one = base.known.live(symbol);
    let one = one.ok_or_else(|| refuse(format!("There is no instrument «{symbol}»"), "`pmax watch list` has them all"))?;
    let file = base.home.screen_file();
    let mut screen = ScreenFile::load(&file);
    let configured = base.config.groups.get(group).cloned().unwrap_or_default();
    let members = screen.toggle(group, &one.symbol, configured).map_err(|why| refuse(why, "Choose another name"))?;
    screen.save(&file).map_err(|error| {
        refuse(format!("{} cannot be written: {error}", file.display()), "Check the disk and the rights of that folder")
    })?;
    let text = if format == Format::Json { json(&members)? } else { format!("group {group}: {}", members.join(", ")) };
    say(&text);
    Ok(OK)
}
