//! Where a run's market events come from: a tape that is played, or a feed that is heard and recorded.

use crate::domain::{Capabilities, InstrumentId, InstrumentTable, MarketEvent, MarketTime, SeriesInfo, VenueNews, WallTime};
use crate::market::{LiveFeed, Player, Silences};

/// A live run begins with so much history: eight hours of minutes.
pub const HISTORY: i64 = 8 * 3_600_000_000_000;

/// The source of a run.
#[derive(Debug)]
pub enum Source {
    /// A tape, at a pace of its own.
    Tape(Player),
    /// A feed: what it says is due at once, and written down.
    Live(LiveFeed),
}

impl Source {
    /// When the next event is known, if there is one.
    pub fn next_at(&self) -> Option<MarketTime> {
        match self {
            Self::Tape(player) => player.next_at(),
            Self::Live(feed) => feed.next_at(),
        }
    }

    /// The next event.
    pub fn take(&mut self) -> Option<MarketEvent> {
        match self {
            Self::Tape(player) => player.next(),
            Self::Live(feed) => feed.take(),
        }
    }

    /// Events given out, of how many; nothing where there is no end.
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::Tape(player) => Some((player.position(), player.len())),
            Self::Live(_) => None,
        }
    }

    /// When a tape's last event is known; nothing where there is no end.
    pub fn ends_at(&self) -> Option<MarketTime> {
        match self {
            Self::Tape(player) => player.ends_at(),
            Self::Live(_) => None,
        }
    }

    /// Whether it is heard while it happens.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// Takes what a broker's market says, and lets time pass. Says who fell silent and who speaks again.
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
        }
    }
}

/// The series of a live run: everything the broker of the table trades.
pub fn live_series(instruments: &InstrumentTable, source: &str) -> Vec<SeriesInfo> {
    let capabilities = Capabilities { has_range: true, has_volume: false, is_adjusted: false };
    let series = |instrument: InstrumentId| SeriesInfo { instrument, capabilities, source: source.to_owned(), last_print: None };
    instruments.iter().filter(|known| known.xapi.is_some()).map(|known| series(known.id)).collect()
}
