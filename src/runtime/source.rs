//! Where a run's market events come from: a tape that is played, or a feed that is heard and recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::broker::Wake;
use crate::domain::{
    AssetClass, Calendar, Capabilities, FeedNote, Instrument, InstrumentId, InstrumentTable, MarketEvent, MarketTime,
    Observation, SeriesInfo, VenueNews, WallTime,
};
use crate::engine::{InputBody, ServedWhat};
use crate::market::bulletins::BulletinView;
use crate::market::providers::{Capability, FeedView, Line, ProviderNews, ProviderTable, ProvidersLink, Served};
use crate::market::{LiveFeed, Player, Silences, ToldFeed};
use crate::runtime::wall_now;

/// A live run begins with so much history: eight hours of minutes.
pub const HISTORY: i64 = 8 * 3_600_000_000_000;

/// The source of a run.
#[derive(Debug)]
pub enum Source {
    /// A tape, at a pace of its own.
    Tape(Player),
    /// A broker's own market: what it says is due at once, and written down.
    Live(LiveFeed),
    /// Public providers: the same.
    Providers(Providers),
}

/// What public providers say, and the way to them.
#[derive(Debug)]
pub struct Providers {
    /// News to events.
    pub feed: ToldFeed,
    link: Option<ProvidersLink>,
    news: Vec<ProviderNews>,
    served: Vec<Served>,
    /// Everything that could be watched, with what providers call it.
    known: BTreeMap<InstrumentId, Line>,
}

impl Providers {
    /// A feed that nobody speaks to yet.
    pub const fn new(feed: ToldFeed) -> Self {
        Self { feed, link: None, news: Vec::new(), served: Vec::new(), known: BTreeMap::new() }
    }

    /// Hears this link from now on, which may be asked for any of these.
    pub fn hear_from(&mut self, link: ProvidersLink, known: BTreeMap<InstrumentId, Line>) {
        (self.link, self.known) = (Some(link), known);
    }

    /// Has exactly these told from now on.
    fn follow(&mut self, wanted: impl Iterator<Item = InstrumentId>) {
        let wanted: BTreeSet<InstrumentId> = wanted.collect();
        let told: BTreeSet<InstrumentId> = self.feed.closed_until().map(|(id, _)| id).collect();
        for id in told.difference(&wanted) {
            self.feed.leave(*id);
        }
        for id in wanted.difference(&told) {
            let calendar = self.known.get(id).map_or(Calendar::Crypto247, |line| line.calendar);
            self.feed.join(*id, calendar, wall_now());
        }
        let Some(link) = &self.link else { return };
        let until: BTreeMap<InstrumentId, Option<MarketTime>> = self.feed.closed_until().collect();
        let line =
            |id: &InstrumentId| Some(Line { known_until: until.get(id).copied().flatten(), ..self.known.get(id)?.clone() });
        link.watch(wanted.iter().filter_map(line).collect());
    }
}

impl Source {
    /// When the next event is known, if there is one.
    pub fn next_at(&self) -> Option<MarketTime> {
        match self {
            Self::Tape(player) => player.next_at(),
            Self::Live(feed) => feed.next_at(),
            Self::Providers(providers) => providers.feed.next_at(),
        }
    }

    /// The next event.
    pub fn take(&mut self) -> Option<MarketEvent> {
        match self {
            Self::Tape(player) => player.next(),
            Self::Live(feed) => feed.take(),
            Self::Providers(providers) => providers.feed.take(),
        }
    }

    /// Events given out, of how many; nothing where there is no end.
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::Tape(player) => Some((player.position(), player.len())),
            Self::Live(_) | Self::Providers(_) => None,
        }
    }

    /// When a tape's last event is known; nothing where there is no end.
    pub fn ends_at(&self) -> Option<MarketTime> {
        match self {
            Self::Tape(player) => player.ends_at(),
            Self::Live(_) | Self::Providers(_) => None,
        }
    }

    /// Whether it is heard while it happens.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_) | Self::Providers(_))
    }

    /// Takes what a broker's market or the providers say, and lets time pass. Says who fell silent and who speaks again.
    pub fn hear(&mut self, news: &mut Vec<VenueNews>, now: WallTime) -> Silences {
        match self {
            Self::Tape(_) => {
                news.clear();
                Silences::default()
            }
            Self::Live(feed) => {
                news.drain(..).for_each(|news| feed.hear(news, now));
                feed.pass_time(now)
            }
            Self::Providers(providers) => {
                news.clear();
                if let Some(link) = &providers.link {
                    let known = providers.served.len();
                    link.take(&mut providers.news, &mut providers.served);
                    let new = providers.served.iter().skip(known).filter(|served| served.capability == Capability::Quotes);
                    new.for_each(|served| providers.feed.handed_over(&served.instruments));
                }
                providers.news.drain(..).for_each(|news| providers.feed.hear(news, now));
                providers.feed.pass_time(now)
            }
        }
    }

    /// Moves out which providers took over from others since the last call.
    pub fn take_served(&mut self) -> Vec<Served> {
        match self {
            Self::Tape(_) | Self::Live(_) => Vec::new(),
            Self::Providers(providers) => std::mem::take(&mut providers.served),
        }
    }

    /// Moves out what was noted about what is heard since the last call.
    pub fn take_notes(&mut self) -> Vec<FeedNote> {
        let Self::Providers(providers) = self else { return Vec::new() };
        let mut notes = Vec::new();
        if let Some(link) = &providers.link {
            link.take_notes(&mut notes);
        }
        notes.iter().for_each(|note| providers.feed.note(note));
        notes
    }

    /// Takes note of what providers call these instruments; nobody is asked for them yet.
    pub fn learn(&mut self, lines: Vec<Line>) {
        if let Self::Providers(providers) = self {
            providers.known.extend(lines.into_iter().map(|line| (line.instrument, line)));
        }
    }

    /// Has exactly these told from now on, where providers tell.
    pub fn follow(&mut self, wanted: impl Iterator<Item = InstrumentId>) {
        if let Self::Providers(providers) = self {
            providers.follow(wanted);
        }
    }

    /// Asks a provider which instruments these words name; no words end it.
    pub fn search(&self, words: String) {
        if let Self::Providers(Providers { link: Some(link), .. }) = self {
            link.search(words);
        }
    }

    /// Moves out values of economic series that were released since the last call.
    pub fn take_published(&mut self) -> Vec<Vec<Observation>> {
        match self {
            Self::Providers(Providers { link: Some(link), .. }) => link.take_published(),
            Self::Tape(_) | Self::Live(_) | Self::Providers(_) => Vec::new(),
        }
    }

    /// How economic series and news stand; nothing where nobody is asked.
    pub fn bulletins(&self) -> Option<Arc<BulletinView>> {
        let Self::Providers(Providers { link: Some(link), .. }) = self else { return None };
        link.bulletins()
    }

    /// Whom to call when providers have said something.
    pub fn wake_with(&self, wake: Wake) {
        if let Self::Providers(Providers { link: Some(link), .. }) = self {
            link.wake_with(move || wake.call());
        }
    }

    /// How the providers stand; nothing for other sources.
    pub fn view(&self) -> Option<FeedView> {
        let Self::Providers(providers) = self else { return None };
        let view = providers.link.as_ref().map(ProvidersLink::view).unwrap_or_default();
        Some(FeedView { dropped: providers.feed.dropped(), minutes: providers.feed.minutes().collect(), ..view })
    }
}

/// What a feed says about itself, as inputs of the engine: silence and missing minutes first, then who serves, then what was noted.
pub fn feed_inputs(silences: Silences, served: Vec<Served>, notes: Vec<FeedNote>) -> Vec<InputBody> {
    let Silences { silent, heard, missed } = silences;
    let has_news = !silent.is_empty() || !heard.is_empty() || !missed.is_empty();
    let silences = has_news.then_some(InputBody::Feed { silent, heard, missed });
    let served = served.into_iter().map(|Served { capability, instruments, from, to, why }| {
        let what = match capability {
            Capability::Quotes => ServedWhat::Quotes,
            Capability::Bars => ServedWhat::Bars,
        };
        InputBody::Served { what, instruments, from: from.name().to_owned(), to: to.name().to_owned(), why }
    });
    silences.into_iter().chain(served).chain(notes.into_iter().map(InputBody::Noted)).collect()
}

/// The series of a live run: everything the broker of the table trades.
pub fn live_series(instruments: &InstrumentTable, source: &str) -> Vec<SeriesInfo> {
    let capabilities = Capabilities { has_range: true, has_volume: false, is_adjusted: false };
    let series = |instrument: InstrumentId| SeriesInfo { instrument, capabilities, source: source.to_owned(), last_print: None };
    instruments.iter().filter(|known| known.xapi.is_some()).map(|known| series(known.id)).collect()
}

/// The series of a run that providers feed: every instrument that is watched.
pub fn provider_series(table: &ProviderTable, instruments: &InstrumentTable) -> Vec<SeriesInfo> {
    series_of(table, instruments, |symbol| table.aliases.contains_key(symbol))
}

/// The series of such a run of before its instruments could change: what the table itself lists.
pub fn listed_series(table: &ProviderTable, instruments: &InstrumentTable) -> Vec<SeriesInfo> {
    series_of(table, instruments, |symbol| table.listed.contains(symbol))
}

fn series_of(table: &ProviderTable, instruments: &InstrumentTable, is_wanted: impl Fn(&str) -> bool) -> Vec<SeriesInfo> {
    let latest = |known: &Instrument| instruments.by_symbol(&known.symbol) == Some(known);
    let wanted = instruments.iter().filter(|known| is_wanted(&known.symbol) && latest(known));
    let named = wanted.filter_map(|known| Some((known, table.known.get(&known.symbol)?)));
    let series = named.map(|(known, names)| SeriesInfo {
        instrument: known.id,
        capabilities: told_capabilities(known.kind),
        // A key that comes or goes makes no other run of it.
        source: names.keys().filter(|id| id.key().is_none()).map(|id| id.name()).collect::<Vec<_>>().join(", "),
        last_print: None,
    });
    series.collect()
}

/// What bars of providers carry. Shares count shares, crypto pairs count coins; what others call volume is no count of units.
pub(super) const fn told_capabilities(kind: AssetClass) -> Capabilities {
    Capabilities { has_range: true, has_volume: matches!(kind, AssetClass::Stock | AssetClass::Crypto), is_adjusted: false }
}
