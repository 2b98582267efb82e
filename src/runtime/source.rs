//! Where a run's market events come from: a tape that is played, or a feed that is heard and recorded.

use std::sync::Arc;

use crate::broker::Wake;
use crate::domain::{
    AssetClass, Capabilities, InstrumentId, InstrumentTable, MarketEvent, MarketTime, Observation, SeriesInfo, VenueNews,
    WallTime,
};
use crate::market::bulletins::BulletinView;
use crate::market::providers::{FeedView, ProviderNews, ProviderTable, ProvidersLink, Served};
use crate::market::{LiveFeed, Player, Silences, ToldFeed};

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
}

impl Providers {
    /// A feed that nobody speaks to yet.
    pub const fn new(feed: ToldFeed) -> Self {
        Self { feed, link: None, news: Vec::new(), served: Vec::new() }
    }

    /// Hears this link from now on.
    pub fn hear_from(&mut self, link: ProvidersLink) {
        self.link = Some(link);
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
                    link.take(&mut providers.news, &mut providers.served);
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
        Some(FeedView { dropped: providers.feed.dropped(), ..view })
    }
}

/// The series of a live run: everything the broker of the table trades.
pub fn live_series(instruments: &InstrumentTable, source: &str) -> Vec<SeriesInfo> {
    let capabilities = Capabilities { has_range: true, has_volume: false, is_adjusted: false };
    let series = |instrument: InstrumentId| SeriesInfo { instrument, capabilities, source: source.to_owned(), last_print: None };
    instruments.iter().filter(|known| known.xapi.is_some()).map(|known| series(known.id)).collect()
}

/// The series of a run that providers feed: every instrument that one of them has a name for.
pub fn provider_series(table: &ProviderTable, instruments: &InstrumentTable) -> Vec<SeriesInfo> {
    let named = instruments.iter().filter_map(|known| Some((known, table.aliases.get(&known.symbol)?)));
    let series = named.map(|(known, names)| SeriesInfo {
        instrument: known.id,
        // Shares count shares, crypto pairs count coins; what others call volume is no count of units.
        capabilities: Capabilities {
            has_range: true,
            has_volume: matches!(known.kind, AssetClass::Stock | AssetClass::Crypto),
            is_adjusted: false,
        },
        source: names.keys().map(|id| id.name()).collect::<Vec<_>>().join(", "),
        last_print: None,
    });
    series.collect()
}
