//! The desk: which provider is asked for what, when, and whose prices count. A state machine without socket, clock or chance of its own.
//!
//! `desk/bars.rs` asks for bars and takes them, `desk/polls.rs` asks for prices where none are streamed, `desk/quotes.rs` chooses among
//! prices, `desk/soundness.rs` notes what is unsound, `desk/flights.rs` counts and follows requests, `desk/refusals.rs` says what a failure
//! costs whom, `streams.rs` keeps connections. A request or a stream that fails says something about its provider by the table in
//! `refusal.rs`, and the next provider in order is asked at once.

mod bars;
mod flights;
mod polls;
mod quotes;
mod reasons;
mod refusals;
mod search;
mod soundness;
mod watching;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::domain::{
    AssetClass, Bar, Calendar, Currency, Duration, FeedNote, InstrumentId, MarketTime, Price, SplitMix64, SplitRatio, WallTime,
};
use crate::market::providers::bars::is_open;
use crate::market::providers::desk::bars::BarsTrack;
use crate::market::providers::desk::quotes::QuotesTrack;
use crate::market::providers::desk::search::Search;
use crate::market::providers::desk::watching::can_stream;
use crate::market::providers::health::Health;
use crate::market::providers::streams::{Frame, Stream, read};
use crate::market::providers::table::Alias;
use crate::market::providers::view::{FeedView, ProviderView, SearchView, Served, ServedView, StreamView};
use crate::market::providers::{Budget, Capability, Failure, ProviderId, ProviderNews, ProviderTable, Refusal};
use crate::market::quality::{FlawBook, Pause};

/// Bars remembered of each instrument, to hold another provider's against.
const TAKEN: usize = 30;

/// Number of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchId(pub u64);

/// An instrument that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub instrument: InstrumentId,
    /// What it is.
    pub kind: AssetClass,
    /// When it trades.
    pub calendar: Calendar,
    /// Decimals of its price.
    pub decimals: u8,
    /// In what its price is.
    pub currency: Currency,
    /// What each provider calls it.
    pub names: BTreeMap<ProviderId, Alias>,
    /// Until when its bars are known; nothing where none ever were.
    pub known_until: Option<MarketTime>,
    /// The close of the last of them.
    pub last_close: Option<Price>,
}

impl Line {
    /// What a provider calls it, where it is to be asked for that.
    pub(super) fn name(&self, id: ProviderId, capability: Capability) -> Option<&str> {
        self.names.get(&id)?.of(capability)
    }
}

/// An answer that came: its status, when the provider wants to be asked again if it said so, and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// From its `Retry-After`.
    pub retry_after: Option<Duration>,
    /// What it says.
    pub body: Vec<u8>,
}

/// What happens to the desk.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time passes.
    Tick,
    /// A stream is open.
    Opened(ProviderId),
    /// A stream said this.
    Text(ProviderId, &'a str),
    /// A stream gave a sign of life.
    Alive(ProviderId),
    /// A stream could not be opened, or is gone.
    Closed(ProviderId, Refusal),
    /// A request was answered, or was not.
    Answered(FetchId, Result<Answer, Refusal>),
    /// Exactly these are to be followed from now on.
    Watch(Vec<Line>),
    /// Which instruments do these words name? No words ask nothing more.
    Search(String),
}

/// A request that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: FetchId,
    /// Who is asked.
    pub provider: ProviderId,
    /// Path and query, behind the provider's own address.
    pub path: String,
}

/// What the desk wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a stream.
    Open(ProviderId),
    /// Close a stream.
    Close(ProviderId),
    /// Ask a stream for a sign of life.
    Ping(ProviderId),
    /// Write a text to a stream.
    Send(ProviderId, String),
    /// Keep these counts; before any request that follows.
    Keep(String),
    /// Send a request.
    Fetch(Request),
    /// The market says this.
    News(ProviderNews),
    /// Another provider serves from now on.
    Served(Served),
    /// Something about what is heard.
    Noted(FeedNote),
}

/// A request under way.
#[derive(Debug, Clone)]
struct Flight {
    /// One for bars, several for prices.
    instruments: Vec<InstrumentId>,
    provider: ProviderId,
    capability: Capability,
    /// From when on bars were asked for.
    from: MarketTime,
    /// Whether it only tries a provider that rested: another one serves.
    is_probe: bool,
    since: WallTime,
}

/// Why a provider is not asked for an instrument for a while.
#[derive(Debug, Clone)]
struct Skipped {
    until: WallTime,
    refusal: Refusal,
}

/// One instrument as the desk follows it.
#[derive(Debug, Clone)]
struct Track {
    line: Line,
    bars: BarsTrack,
    quotes: QuotesTrack,
    /// The latest bars that were taken, oldest first, and from whom.
    taken: VecDeque<Bar>,
    taken_from: Option<ProviderId>,
    /// When the latest answer with bars came, whoever gave it.
    answered: Option<WallTime>,
    /// Minutes among those taken that were left out by one answer and told by another; no older than they.
    left_out: Vec<MarketTime>,
    /// The split that was named last.
    split: Option<SplitRatio>,
    skipped: BTreeMap<(ProviderId, Capability), Skipped>,
}

/// Who serves, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serving {
    /// Who.
    pub by: ProviderId,
    /// Since when.
    pub since: WallTime,
}

/// The desk.
#[derive(Debug)]
pub struct Desk {
    table: ProviderTable,
    /// Who is worth asking, by capability.
    order: BTreeMap<Capability, Vec<ProviderId>>,
    /// What a provider said it will not answer with the key at hand.
    denied: BTreeMap<(ProviderId, &'static str), Refusal>,
    budget: Budget,
    health: BTreeMap<(ProviderId, Capability), Health>,
    streams: BTreeMap<ProviderId, Stream>,
    tracks: BTreeMap<InstrumentId, Track>,
    flights: BTreeMap<FetchId, Flight>,
    /// When providers that take many names at a time were last asked for prices.
    polled: BTreeMap<ProviderId, WallTime>,
    next: u64,
    chance: SplitMix64,
    began: WallTime,
    /// Whether a pause was asked for since the counts were last kept.
    has_pause_to_keep: bool,
    /// The latest time that was heard of.
    latest: WallTime,
    flaws: FlawBook,
    /// Who stood still at the last look.
    paused: BTreeMap<InstrumentId, Pause>,
    search: Search,
}

impl Desk {
    /// A desk for these instruments. `seed` is its only chance; `budget` holds what was spent before.
    pub fn new(table: ProviderTable, mut budget: Budget, lines: Vec<Line>, seed: u64, now: WallTime) -> Self {
        budget.begin(now);
        let order: BTreeMap<Capability, Vec<ProviderId>> = Capability::ALL.into_iter().map(|of| (of, table.asked(of))).collect();
        let (mut streams, mut health) = (BTreeMap::new(), BTreeMap::new());
        for (id, of) in order.iter().flat_map(|(of, ids)| ids.iter().map(move |id| (*id, *of))) {
            let mut own = Health::new();
            if let Some(why) = (id.client().lacks)(table.plan(id), of) {
                own.remove(&Refusal::new(Failure::NotEntitled, why), now);
            }
            health.insert((id, of), own);
            let name = |line: &Line| Some((line.name(id, of)?.to_owned(), line.instrument));
            let wanted: BTreeMap<String, InstrumentId> = lines.iter().filter_map(name).collect();
            if of == Capability::Quotes && can_stream(&table, id) && !wanted.is_empty() {
                streams.insert(id, Stream::new(id, wanted));
            }
        }
        let tracks = lines.into_iter().map(|line| (line.instrument, Track::new(line, now))).collect();
        Self {
            table,
            order,
            denied: BTreeMap::new(),
            budget,
            health,
            streams,
            tracks,
            flights: BTreeMap::new(),
            polled: BTreeMap::new(),
            next: 0,
            chance: SplitMix64::new(seed),
            began: now,
            has_pause_to_keep: false,
            latest: now,
            flaws: FlawBook::default(),
            paused: BTreeMap::new(),
            search: Search::default(),
        }
    }

    /// One step.
    pub fn handle(&mut self, now: WallTime, input: Input<'_>, out: &mut Vec<Output>) {
        self.look_at_the_clock(now, out);
        match input {
            Input::Tick => self.tick(now, out),
            Input::Opened(id) => self.with_stream(id, |stream| stream.opened(now, out)),
            Input::Alive(id) => self.with_stream(id, |stream| stream.heard(now)),
            Input::Text(id, text) => self.text(id, text, now, out),
            Input::Closed(id, refusal) => {
                let draw = self.draw();
                self.with_stream(id, |stream| stream.closed(refusal, now, draw));
            }
            Input::Answered(id, answer) if self.search.is_asked(id) => self.found(answer, now),
            Input::Answered(id, answer) => self.answered(id, answer, now, out),
            Input::Watch(lines) => self.watch(lines, now, out),
            Input::Search(words) => self.search_for(&words, now),
        }
        if std::mem::take(&mut self.has_pause_to_keep) {
            self.keep(out);
        }
    }

    /// The counts that all requests go through.
    pub(super) const fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn keep(&self, out: &mut Vec<Output>) {
        if let Ok(text) = self.budget.to_text() {
            out.push(Output::Keep(text));
        }
    }

    /// Everything the screen shows of it.
    pub fn view(&self, now: WallTime) -> FeedView {
        let providers =
            self.table.provider.keys().filter(|id| self.has_use(**id)).map(|id| self.provider_view(*id, now)).collect();
        let served = |track: &Track| ServedView {
            instrument: track.line.instrument,
            quotes: track.quotes.serving.map(|serving| (serving.by, serving.since)),
            priced_at: track.quotes.priced_at(),
            quotes_before: self.before(track, Capability::Quotes, now),
            bars: track.bars.serving.map(|serving| (serving.by, serving.since)),
            bars_before: self.before(track, Capability::Bars, now),
            paused: self.paused.get(&track.line.instrument).copied(),
            met: self.flaws.met(track.line.instrument),
        };
        FeedView {
            providers,
            served: self.tracks.values().map(served).collect(),
            search: self.search.view(),
            ..FeedView::default()
        }
    }

    /// How a search by name stands, if there is one.
    pub fn search_view(&self) -> Option<Arc<SearchView>> {
        self.search.view()
    }

    /// Whether a provider has a name for anything that is watched; one that has not is not shown.
    fn has_use(&self, id: ProviderId) -> bool {
        self.tracks.values().any(|track| track.line.names.contains_key(&id))
    }

    fn provider_view(&self, id: ProviderId, now: WallTime) -> ProviderView {
        let stream = self.streams.get(&id).map(|stream| StreamView {
            open_since: stream.open_since(),
            retry_at: stream.retry_at(),
            connections: stream.connections(),
        });
        let of = |capability: Capability| self.health.get(&(id, capability));
        let latest = [of(Capability::Quotes), of(Capability::Bars)].into_iter().flatten().filter_map(Health::last);
        let latest = latest.chain(self.streams.get(&id).and_then(Stream::last));
        // What a key does not hold is no trouble; it is said beside it.
        let latest = latest.filter(|(_, refusal)| refusal.failure != Failure::NotEntitled).max_by_key(|(at, _)| *at);
        let (used_today, most_today) = self.budget.used_today(id, now);
        ProviderView {
            id,
            stream,
            key: self.key_words(id),
            bars: of(Capability::Bars).map(|health| health.stands(now)),
            used_today,
            most_today,
            paused_until: self.budget.paused_until(id, now),
            last: latest.map(|(at, refusal)| (*at, refusal.to_string())),
        }
    }

    fn tick(&mut self, now: WallTime, out: &mut Vec<Output>) {
        for id in self.streams.keys().copied().collect::<Vec<_>>() {
            let (draw, is_trading) = (self.draw(), self.trades_at(id, now));
            self.with_stream(id, |stream| stream.tick(now, is_trading, draw, out));
        }
        self.forget_lost_flights(now, out);
        self.ask_search(now, out);
        for id in self.tracks.keys().copied().collect::<Vec<_>>() {
            self.ask_for_bars(id, now, out);
            self.choose(id, now, out);
        }
        self.ask_for_prices(now, out);
        self.turn_minute(now, out);
    }

    /// Whether the market of anything that a provider streams is open; not asked where nothing hangs on it.
    fn trades_at(&self, id: ProviderId, now: WallTime) -> bool {
        let is_wanted = id.client().stream.as_ref().is_some_and(|stream| stream.prices_within.is_some());
        let streamed = self.tracks.values().filter(|track| is_wanted && track.line.name(id, Capability::Quotes).is_some());
        streamed.into_iter().any(|track| is_open(track.line.calendar, MarketTime(now.0)))
    }

    /// The providers of a capability that are worth asking, in order.
    fn order(&self, capability: Capability) -> &[ProviderId] {
        self.order.get(&capability).map_or(&[], Vec::as_slice)
    }

    fn with_stream(&mut self, id: ProviderId, act: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.get_mut(&id) {
            act(stream);
        }
    }

    fn text(&mut self, id: ProviderId, text: &str, now: WallTime, out: &mut Vec<Output>) {
        self.with_stream(id, |stream| stream.heard(now));
        let frames = match read(id, text) {
            Ok(frames) => frames,
            Err(refusal) => return self.unreadable(id, refusal, now, out),
        };
        for frame in frames {
            match frame {
                Frame::Quote(Ok(heard)) => self.hear(id, &heard, now, out),
                Frame::Quote(Err(refusal)) => {
                    self.note_refusal(id, None, &refusal, Capability::Quotes);
                    // A price of a known instrument that cannot be one is not heard, and that is all: if more do not come, it is silent.
                    if refusal.failure == Failure::Nonsense && self.is_about_one(id, &refusal) {
                        self.health
                            .get_mut(&(id, Capability::Quotes))
                            .into_iter()
                            .for_each(|health| health.excuse(&refusal, now));
                    } else {
                        self.apply(id, Capability::Quotes, None, &refusal, None, now);
                    }
                }
                Frame::AllTaken => self.with_stream(id, Stream::all_taken),
                Frame::Leaving => return self.leave(id, now, out),
                Frame::Subscription { name, number, refusal } => {
                    self.with_stream(id, |stream| stream.answered(name, number, refusal, now));
                }
            }
        }
    }

    /// Whether what a stream said is about an instrument that it is to tell.
    fn is_about_one(&self, id: ProviderId, refusal: &Refusal) -> bool {
        let about = refusal.about.as_deref();
        self.streams.get(&id).zip(about).is_some_and(|(stream, name)| stream.instrument(name).is_some())
    }

    /// A connection that is about to be closed is made anew before it is.
    fn leave(&mut self, id: ProviderId, now: WallTime, out: &mut Vec<Output>) {
        out.push(Output::Close(id));
        let draw = self.draw();
        self.with_stream(id, |stream| stream.closed(Refusal::new(Failure::Transport, "the provider closes it"), now, draw));
    }

    /// A frame that cannot be read at all ends the connection: what it would have said is lost. One of another shape is only counted.
    fn unreadable(&mut self, id: ProviderId, refusal: Refusal, now: WallTime, out: &mut Vec<Output>) {
        self.apply(id, Capability::Quotes, None, &refusal, None, now);
        if refusal.failure == Failure::Malformed {
            out.push(Output::Close(id));
            let draw = self.draw();
            self.with_stream(id, |stream| stream.closed(refusal, now, draw));
        }
    }

    /// A number drawn from the seed.
    const fn draw(&mut self) -> u64 {
        self.chance.draw()
    }
}

impl Track {
    fn is_skipped(&self, id: ProviderId, capability: Capability, now: WallTime) -> bool {
        self.skipped.get(&(id, capability)).is_some_and(|skipped| skipped.until > now)
    }
}
