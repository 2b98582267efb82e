//! A person's own instruments and watchlist: `instruments.toml` beside `pmax.toml`, laid over the program's table.
//!
//! The program writes it whole and in order; a person may read and change it. Numbers are given by the program from a range of their own,
//! never changed and never given twice: the journal knows instruments by number. What was removed stays here as retired, so that words
//! about the past keep its name.

mod draft;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{BrokerKind, Instrument, InstrumentId, InstrumentTable, Watched};
use crate::market::providers::{Alias, Choice, Line, ProviderId, ProviderTable};
use crate::runtime::desk::Desk;
use crate::runtime::markets::line_of;
use crate::runtime::source::told_capabilities;
use crate::runtime::{Trouble, instruments, load_providers, write_atomically};

pub use draft::{Draft, draft_of};

/// Instruments of one's own that may be watched at a time: each costs requests.
pub const MOST_OWN: usize = 100;

/// One instrument of a person's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnInstrument {
    /// The instrument.
    pub instrument: Instrument,
    /// What providers call it.
    pub names: BTreeMap<ProviderId, Alias>,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watchlist {
    /// The first number that was never given.
    next: u32,
    own: Vec<OwnInstrument>,
    retired: Vec<Instrument>,
    also: BTreeSet<String>,
    without: BTreeSet<String>,
    /// In which order the screen lists them; what is not named comes after, by number.
    order: Vec<String>,
}

/// A change of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchChange {
    /// A new instrument.
    Add(Box<Draft>),
    /// One that is known is watched again.
    Watch(String),
    /// One is not watched any more; one's own is retired.
    Remove(String),
    /// One moves this many places down, or up below zero.
    Move(String, i32),
}

/// Everything known of what may be watched.
#[derive(Debug, Clone)]
pub struct Known {
    /// The list.
    pub list: Watchlist,
    /// All instruments, retired ones too.
    pub instruments: Arc<InstrumentTable>,
    /// What providers call them, and which are watched.
    pub table: Arc<ProviderTable>,
}

/// What came of a change that the screen asked for.
#[derive(Debug, Clone)]
pub struct Changed {
    /// What was asked.
    pub change: WatchChange,
    /// Everything as it is now, or why nothing was changed.
    pub outcome: Result<Arc<Known>, String>,
}

/// Where the screen asks for a change of the list: it is written on a thread of its own.
pub type WatchDesk = Desk<(Arc<Known>, WatchChange), Changed>;

/// Starts the thread that writes the list on this shelf.
pub fn watch_desk(shelf: Shelf) -> std::io::Result<WatchDesk> {
    Desk::start("watchlist", move |(known, change): (Arc<Known>, WatchChange)| {
        let outcome = shelf.change(&known, &change).map(Arc::new).map_err(|trouble| trouble.what);
        Changed { change, outcome }
    })
}

/// Where it is kept, and what it is laid over.
#[derive(Debug, Clone)]
pub struct Shelf {
    file: PathBuf,
    providers: PathBuf,
    broker: BrokerKind,
}

impl Shelf {
    /// The files beside a configuration file.
    pub fn beside(config: &Path, broker: BrokerKind) -> Self {
        Self { file: config.with_file_name("instruments.toml"), providers: config.with_file_name("providers.toml"), broker }
    }

    /// A person's own table of economic series and news.
    pub fn bulletins(&self) -> PathBuf {
        self.file.with_file_name("bulletins.toml")
    }

    /// The same files for another broker.
    #[must_use]
    pub fn at(&self, broker: BrokerKind) -> Self {
        Self { broker, ..self.clone() }
    }

    /// The file of one's own instruments.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads everything. Files that are not there change nothing.
    pub fn load(&self) -> Result<Known, Trouble> {
        self.lay(file::load(&self.file, instruments()?.as_ref())?)
    }

    /// Makes a change and writes it down. What does not fit changes nothing.
    pub fn change(&self, known: &Known, change: &WatchChange) -> Result<Known, Trouble> {
        let refuse = |what: String| Trouble::new(what, "The watchlist is as it was", "Choose another, or see `pmax watch list`");
        let mut list = known.list.clone();
        match change {
            WatchChange::Add(draft) => list.add(draft, known).map_err(refuse)?,
            WatchChange::Watch(symbol) => list.watch(symbol, known).map_err(refuse)?,
            WatchChange::Remove(symbol) => list.remove(symbol, known).map_err(refuse)?,
            WatchChange::Move(symbol, by) => list.shift(symbol, *by, known).map_err(refuse)?,
        }
        let changed = self.lay(list)?;
        let written = changed.list.text().map_err(io::Error::other).and_then(|text| write_atomically(&self.file, &text));
        written.map_err(|error| {
            let what = format!("{} cannot be written: {error}", self.file.display());
            Trouble::new(what, "The watchlist is as it was", "Check the disk and the rights of that folder")
        })?;
        Ok(changed)
    }

    fn lay(&self, list: Watchlist) -> Result<Known, Trouble> {
        let mut table = (*instruments()?).clone();
        let own = list.own.iter().map(|own| &own.instrument);
        list.retired.iter().chain(own).for_each(|instrument| table.put(instrument.clone()));
        let table = table.at(self.broker);
        let providers = load_providers(&self.providers, &table, &list.choice())?;
        Ok(Known { list, instruments: Arc::new(table), table: Arc::new(providers) })
    }
}

impl Watchlist {
    /// Reads a file's text; `name` stands in what is refused.
    pub fn read(text: &str, name: &str, shipped: &InstrumentTable) -> Result<Self, Trouble> {
        file::read_text(text, name, shipped)
    }

    /// The text of its file.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        file::text(self)
    }

    /// What it adds to the table of providers and takes away from what is watched.
    pub fn choice(&self) -> Choice {
        let own = self.own.iter().map(|own| (own.instrument.symbol.clone(), own.names.clone())).collect();
        Choice { own, also: self.also.clone(), without: self.without.clone() }
    }

    /// Instruments of one's own that are not retired.
    pub fn own(&self) -> &[OwnInstrument] {
        &self.own
    }

    fn add(&mut self, draft: &Draft, known: &Known) -> Result<(), String> {
        let symbol = &draft.instrument.symbol;
        if known.live(symbol).is_some() {
            return Err(format!("{symbol} is there already"));
        }
        for (provider, alias) in &draft.names {
            if let Some(other) = alias.names().into_iter().find_map(|name| known.table.named(*provider, name)) {
                return Err(format!("{provider} calls {other} so already: it is the same instrument"));
            }
        }
        if self.own.len() >= MOST_OWN {
            return Err(format!("there are {MOST_OWN} instruments of your own already: remove one first"));
        }
        let number = self.next.max(InstrumentId::OWN_FROM);
        if number > InstrumentId::OWN_UNTIL {
            return Err("all numbers for instruments of your own were given, and none is given twice".to_owned());
        }
        self.next = number + 1;
        let instrument = Instrument { id: InstrumentId(number), ..draft.instrument.clone() };
        self.own.push(OwnInstrument { instrument, names: draft.names.clone() });
        Ok(())
    }

    fn watch(&mut self, symbol: &str, known: &Known) -> Result<(), String> {
        let found = known.live(symbol).ok_or_else(|| format!("there is no instrument «{symbol}» to watch"))?;
        let symbol = found.symbol.clone();
        if !known.table.known.contains_key(&symbol) {
            return Err(format!(
                "no provider has a name for {symbol}: write one under [aliases.{symbol}] in your providers.toml"
            ));
        }
        if known.table.aliases.contains_key(&symbol) {
            return Err(format!("{symbol} is watched already"));
        }
        self.without.remove(&symbol);
        self.also.insert(symbol);
        Ok(())
    }

    fn remove(&mut self, symbol: &str, known: &Known) -> Result<(), String> {
        let found = known.live(symbol).filter(|found| known.table.aliases.contains_key(&found.symbol));
        let symbol = found.map(|found| found.symbol.clone()).ok_or_else(|| format!("«{symbol}» is not watched"))?;
        if known.table.aliases.len() <= 1 {
            return Err("the last one stays: a live market without an instrument tells nothing".to_owned());
        }
        if let Some(place) = self.own.iter().position(|own| own.instrument.symbol == symbol) {
            self.retired.push(Instrument { tradable: false, ..self.own.remove(place).instrument });
        } else {
            self.without.insert(symbol.clone());
        }
        self.also.remove(&symbol);
        self.order.retain(|other| *other != symbol);
        Ok(())
    }

    fn shift(&mut self, symbol: &str, by: i32, known: &Known) -> Result<(), String> {
        let mut order: Vec<String> = known.watched().into_iter().map(|known| known.symbol.clone()).collect();
        let place = order.iter().position(|other| other.eq_ignore_ascii_case(symbol));
        let place = place.ok_or_else(|| format!("«{symbol}» is not watched"))?;
        let by = isize::try_from(by).unwrap_or(0);
        let target = place.saturating_add_signed(by).min(order.len().saturating_sub(1));
        let moved = order.remove(place);
        order.insert(target, moved);
        self.order = order;
        Ok(())
    }
}

impl Known {
    /// The instrument with this symbol that is not retired.
    pub fn live(&self, symbol: &str) -> Option<&Instrument> {
        let is_retired = |id: InstrumentId| self.list.retired.iter().any(|gone| gone.id == id);
        let mut found = self.instruments.iter().filter(|known| known.symbol.eq_ignore_ascii_case(symbol));
        found.find(|known| !is_retired(known.id))
    }

    /// Where a person put an instrument in the list; nothing where nobody did.
    pub fn place(&self, id: InstrumentId) -> Option<usize> {
        let symbol = &self.instruments.get(id)?.symbol;
        self.list.order.iter().position(|other| other == symbol)
    }

    /// What is watched, in a person's own order.
    pub fn watched(&self) -> Vec<&Instrument> {
        let mut watched: Vec<&Instrument> = self.table.aliases.keys().filter_map(|symbol| self.live(symbol)).collect();
        let place = |known: &Instrument| self.list.order.iter().position(|symbol| *symbol == known.symbol).unwrap_or(usize::MAX);
        watched.sort_by_key(|known| (place(known), known.id));
        watched
    }

    /// What is known and not watched, and a provider has a name for.
    pub fn unwatched(&self) -> Vec<&Instrument> {
        let is_named = |known: &&Instrument| self.table.known.contains_key(&known.symbol);
        let is_watched = |known: &Instrument| self.table.aliases.contains_key(&known.symbol);
        self.instruments
            .iter()
            .filter(is_named)
            .filter(|known| self.live(&known.symbol) == Some(known) && !is_watched(known))
            .collect()
    }

    /// An instrument as an engine and a feed take it; nothing where no provider has a name for it.
    pub fn line(&self, symbol: &str) -> Option<(Watched, Line)> {
        let instrument = self.live(symbol)?;
        let line = line_of(instrument, self.table.known.get(&instrument.symbol)?, None)?;
        let capabilities = told_capabilities(instrument.kind);
        Some((Watched { instrument: instrument.clone(), capabilities }, line))
    }
}
