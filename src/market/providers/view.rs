//! What the screen shows of providers.

use std::sync::Arc;

use crate::domain::{InstrumentId, WallTime};
use crate::market::providers::{Capability, Hit, ProviderId, Stands};
use crate::market::{Met, Minutes, Pause};

/// Another provider serves some instruments from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// With what.
    pub capability: Capability,
    /// Which instruments.
    pub instruments: Vec<InstrumentId>,
    /// Who served before.
    pub from: ProviderId,
    /// Who serves now.
    pub to: ProviderId,
    /// Why.
    pub why: String,
}

/// A provider's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamView {
    /// Since when it is open; nothing where it is not.
    pub open_since: Option<WallTime>,
    /// When it is tried again, where it waits for that.
    pub retry_at: Option<WallTime>,
    /// Connections made since the start.
    pub connections: u32,
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderView {
    /// Which.
    pub id: ProviderId,
    /// Its stream, where it has one that is wanted.
    pub stream: Option<StreamView>,
    /// Whether its key is at hand and what it may be asked for, where it wants one.
    pub key: Option<String>,
    /// How it stands with bars, where it is in their order.
    pub bars: Option<Stands>,
    /// Requests of its day so far.
    pub used_today: u32,
    /// How many it may be.
    pub most_today: Option<u32>,
    /// Until when it wants to be left alone.
    pub paused_until: Option<WallTime>,
    /// What went wrong last, and when.
    pub last: Option<(WallTime, String)>,
}

/// Who serves an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedView {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Whose prices count, and since when.
    pub quotes: Option<(ProviderId, WallTime)>,
    /// When the latest price was, by the provider's own clock.
    pub priced_at: Option<WallTime>,
    /// Those before it in order, each with why it does not serve.
    pub quotes_before: Vec<(ProviderId, String)>,
    /// Whose bars count, and since when.
    pub bars: Option<(ProviderId, WallTime)>,
    /// Those before it.
    pub bars_before: Vec<(ProviderId, String)>,
    /// Since when nothing trades in an open session, where that is so.
    pub paused: Option<Pause>,
    /// What was unsound since the start, by teller and kind.
    pub met: Vec<Met>,
}

/// What became of an instrument's minutes since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinutesView {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// How many of each kind.
    pub minutes: Minutes,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedView {
    /// Providers by their order in the table.
    pub providers: Vec<ProviderView>,
    /// Instruments.
    pub served: Vec<ServedView>,
    /// Prices that a newer one of the same instrument replaced before they were taken.
    pub conflated: u64,
    /// Prices that were dropped because nobody took them.
    pub dropped: u64,
    /// Notes about what is heard that were dropped because nobody took them.
    pub lost_notes: u64,
    /// What became of minutes, by instrument.
    pub minutes: Vec<MinutesView>,
    /// Why the counts of requests could not be kept, if they could not.
    pub not_kept: Option<String>,
    /// What was looked for by name, and what was found.
    pub search: Option<Arc<SearchView>>,
}

/// A search by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchView {
    /// The words, as they were asked for.
    pub words: String,
    /// How it stands.
    pub stands: SearchStands,
}

/// How a search stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchStands {
    /// It is about to be asked for, or was.
    Waiting,
    /// There is no room for a request before then.
    Later {
        /// Until when.
        until: WallTime,
    },
    /// This was found; it may be nothing.
    Found(Vec<Hit>),
    /// It came to nothing, and why.
    Refused(String),
}
