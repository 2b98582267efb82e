//! The slow desk: what is asked for, of whom and when. A state machine without socket, clock or chance of its own.
//!
//! A series is asked for after its release and not before; where it is not out yet, again later and later. Who fails is passed over for this
//! round, and rests by the same breakers as providers of prices; every request goes through the same counts. `desk/series.rs` asks for series,
//! `desk/news.rs` for headlines.

mod news;
mod series;

use std::collections::BTreeMap;

use crate::domain::{Duration, Indicator, InstrumentId, MarketTime, Observation, SplitMix64, WallTime};
use crate::market::bulletins::desk::news::NewsTrack;
use crate::market::bulletins::view::{BulletinView, SeriesView, SourceView, Topic};
use crate::market::bulletins::{BulletinTable, Newsroom, kept};
use crate::market::providers::{
    Answer, Budget, Capability, Failure, FetchId, Health, Line, Means, ProviderId, ProviderTable, Refusal, Request, Stands,
};
use crate::signals::Economy;

/// Requests of this desk are numbered from here, those of prices from zero.
const FIRST_NUMBER: u64 = 1 << 63;
/// An answer takes no longer than this.
const PATIENCE: Duration = Duration::seconds(15);
/// An answer that is not there by then never comes.
const LOST_AFTER: Duration = Duration::seconds(40);
/// Who has no room for a request within this time is passed over.
const WAIT_AT_MOST: Duration = Duration::seconds(60);
/// Requests of one publisher under way.
const MOST_FLIGHTS: usize = 2;
/// Where nobody answered, everybody is asked again after this time.
const NEXT_ROUND: Duration = Duration::seconds(900);
/// What was heard is written down at most so often.
const STORE_EVERY: Duration = Duration::seconds(60);

/// An instrument whose news are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub instrument: InstrumentId,
    /// What Yahoo calls it.
    pub symbol: String,
}

impl Watched {
    /// What is asked about an instrument that is followed; nothing where Yahoo, which knows its news, has no name for it.
    pub fn of(line: &Line) -> Option<Self> {
        let symbol = line.names.get(&ProviderId::Yahoo)?.of(Capability::Quotes)?.to_owned();
        Some(Self { instrument: line.instrument, symbol })
    }
}

/// What the desk wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Keep these counts; before any request that follows.
    Keep(String),
    /// Send a request, and wait so long for its answer.
    Fetch(Request, Duration),
    /// Values that were not known.
    Tell(Vec<Observation>),
    /// Keep this text for the next start.
    Store(String),
}

/// A series as it is followed.
#[derive(Debug, Clone)]
struct SeriesTrack {
    due: WallTime,
    is_flying: bool,
    tried: Vec<ProviderId>,
    heard: Option<(ProviderId, WallTime)>,
    trouble: Option<String>,
    /// How often it was not out yet when it should have been.
    not_out: u32,
}

/// What a request is about.
#[derive(Debug, Clone)]
enum About {
    Series(Vec<Indicator>),
    News(u64),
}

#[derive(Debug, Clone)]
struct Flight {
    about: About,
    provider: ProviderId,
    since: WallTime,
}

/// The desk.
#[derive(Debug)]
pub struct BulletinDesk {
    table: BulletinTable,
    /// How long after a release its value is asked for.
    settle: Duration,
    /// Publishers that take a key, and have one.
    keyed: Vec<ProviderId>,
    watched: Vec<Watched>,
    economy: Economy,
    news: Newsroom,
    series: BTreeMap<Indicator, SeriesTrack>,
    news_tracks: BTreeMap<u64, NewsTrack>,
    next_track: u64,
    news_heard: Option<WallTime>,
    health: BTreeMap<(ProviderId, Topic), Health>,
    flights: BTreeMap<FetchId, Flight>,
    next: u64,
    chance: SplitMix64,
    /// Whether the values of before were told.
    has_begun: bool,
    is_dirty: bool,
    stored: WallTime,
}

impl Flight {
    const fn topic(&self) -> Topic {
        match self.about {
            About::Series(_) => Topic::Series,
            About::News(_) => Topic::News,
        }
    }
}

impl BulletinDesk {
    /// A desk with what was kept. A text that cannot be read is said, and everything is asked for anew.
    pub fn new(
        table: BulletinTable,
        providers: &ProviderTable,
        watched: Vec<Watched>,
        keyed: Vec<ProviderId>,
        kept: Option<&str>,
        now: WallTime,
    ) -> Self {
        let (economy, news) = match kept.map(kept::of_text) {
            Some(Ok(kept)) => kept,
            Some(Err(error)) => {
                tracing::warn!(target: "pmax::feed", "what was kept of bulletins cannot be read and is asked for anew: {error}");
                Default::default()
            }
            None => Default::default(),
        };
        let settle = table.order.iter().map(|id| providers.settle(*id)).max().unwrap_or(Duration(0));
        let track = SeriesTrack { due: now, is_flying: false, tried: Vec::new(), heard: None, trouble: None, not_out: 0 };
        let series = table.series.keys().map(|id| (*id, track.clone())).collect();
        let general = news::general(&table.news, now);
        let health = table.order.iter().map(|id| ((*id, Topic::Series), Health::new())).collect();
        let mut desk = Self {
            table,
            settle,
            keyed,
            watched: Vec::new(),
            economy,
            news,
            series,
            news_tracks: BTreeMap::new(),
            next_track: 0,
            news_heard: None,
            health,
            flights: BTreeMap::new(),
            next: 0,
            chance: SplitMix64::new(now.0.unsigned_abs()),
            has_begun: false,
            is_dirty: false,
            stored: now,
        };
        desk.follow(general);
        desk.watch(watched, now);
        for indicator in Indicator::ALL {
            if !desk.is_behind(indicator, now) {
                desk.await_release(indicator, now);
            }
        }
        desk
    }

    /// Time passes.
    pub fn tick(&mut self, budget: &mut Budget, now: WallTime, out: &mut Vec<Output>) {
        if !self.has_begun {
            self.has_begun = true;
            let known: Vec<Observation> = self.economy.iter().copied().collect();
            if !known.is_empty() {
                out.push(Output::Tell(known));
            }
        }
        let is_lost = |flight: &Flight| now.since(flight.since).0 >= LOST_AFTER.0;
        let lost: Vec<FetchId> = self.flights.iter().filter(|(_, flight)| is_lost(flight)).map(|(id, _)| *id).collect();
        for id in lost {
            self.answered(id, Err(Refusal::of(Failure::Timeout)), budget, now, out);
        }
        for indicator in Indicator::ALL {
            self.ask_for_series(indicator, budget, now, out);
        }
        self.ask_for_news(budget, now, out);
        if self.is_dirty && now.since(self.stored).0 >= STORE_EVERY.0 {
            self.store(now, out);
        }
    }

    /// The clock went back by so much: what was to be at a time is to be that much earlier, so that nothing waits for the clock.
    pub fn set_back(&mut self, by: Duration) {
        self.series.values_mut().for_each(|track| {
            track.due = track.due.before(by);
            track.heard = track.heard.map(|(who, at)| (who, at.before(by)));
        });
        self.news_tracks.values_mut().for_each(|track| track.set_back(by));
        self.news_heard = self.news_heard.map(|at| at.before(by));
        self.health.values_mut().for_each(|health| health.set_back(by));
        self.flights.values_mut().for_each(|flight| flight.since = flight.since.before(by));
        self.stored = self.stored.before(by);
    }

    /// Whether an answer is to a request of this desk.
    pub const fn is_ours(id: FetchId) -> bool {
        id.0 >= FIRST_NUMBER
    }

    /// Takes an answer. One that was given up is not heard.
    pub fn answered(
        &mut self,
        id: FetchId,
        answer: Result<Answer, Refusal>,
        budget: &mut Budget,
        now: WallTime,
        out: &mut Vec<Output>,
    ) {
        let Some(flight) = self.flights.remove(&id) else { return };
        let retry_after = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let read = match &flight.about {
            About::Series(asked) => answer.and_then(|answer| self.read(flight.provider, asked, &answer, now)).map(|found| {
                self.take(&flight, found, now, out);
            }),
            About::News(track) => answer.and_then(|answer| news::read(flight.provider, &answer)).map(|told| {
                self.take_news(*track, flight.provider, told, now);
            }),
        };
        match read {
            Ok(()) => self.health_of(flight.provider, flight.topic(), |health| health.succeed(now)),
            Err(refusal) => {
                self.apply(&flight, &refusal, retry_after, budget, now, out);
                self.go_without(&flight, &refusal, now);
            }
        }
    }

    /// How everything stands.
    pub fn view(&self, budget: &Budget, now: WallTime) -> BulletinView {
        let at = MarketTime(now.0);
        let series = Indicator::ALL.into_iter().filter_map(|indicator| {
            let track = self.series.get(&indicator)?;
            Some(SeriesView {
                indicator,
                heard: track.heard,
                next: self.table.next_release(indicator, at),
                is_overdue: self.is_overdue(indicator, now),
                trouble: track.trouble.clone(),
            })
        });
        let source = |(key, health): (&(ProviderId, Topic), &Health)| SourceView {
            id: key.0,
            topic: key.1,
            stands: health.stands(now),
            used: budget.used_today(key.0, now),
            paused_until: budget.paused_until(key.0, now),
            last: health.last().map(|(at, refusal)| (*at, refusal.to_string())),
            lacks: self.lacks(key.0),
        };
        BulletinView {
            series: series.collect(),
            sources: self.health.iter().map(source).collect(),
            headlines: self.news.headlines().cloned().collect(),
            repeated: self.news.repeated(),
            news_heard: self.news_heard,
            not_kept: None,
        }
    }

    fn lacks(&self, id: ProviderId) -> Option<&'static str> {
        (id == ProviderId::Fred && !self.keyed.contains(&id)).then_some("no key")
    }

    /// The first publisher in an order that may be asked, and when.
    fn choose<'a>(
        &self,
        order: impl Iterator<Item = &'a ProviderId>,
        topic: Topic,
        tried: &[ProviderId],
        budget: &Budget,
        now: WallTime,
    ) -> Option<(ProviderId, WallTime)> {
        let may_ask = |id: &ProviderId| {
            let health = self.health.get(&(*id, topic));
            !tried.contains(id)
                && self.lacks(*id).is_none()
                && health.is_some_and(|health| health.is_good() || health.may_probe(now))
        };
        let ready = |id: ProviderId| (id, budget.ready_at(id, endpoint(id, topic), now));
        order.copied().filter(may_ask).map(ready).find(|(_, at)| at.since(now).0 <= WAIT_AT_MOST.0)
    }

    /// Counts a request and sends it; `false` where there is no room for it.
    fn send(
        &mut self,
        flight: Flight,
        path: String,
        patience: Duration,
        budget: &mut Budget,
        now: WallTime,
        out: &mut Vec<Output>,
    ) -> bool {
        let (provider, topic) = (flight.provider, flight.topic());
        if !budget.spend(provider, endpoint(provider, topic), now) {
            return false;
        }
        out.extend(budget.to_text().ok().map(Output::Keep));
        let id = FetchId(FIRST_NUMBER + self.next);
        self.next += 1;
        self.health_of(provider, topic, |health| health.ask(now));
        self.flights.insert(id, flight);
        out.push(Output::Fetch(Request { id, provider, path }, patience));
        true
    }

    /// The next publisher is asked at once.
    fn go_without(&mut self, flight: &Flight, refusal: &Refusal, now: WallTime) {
        let words = format!("{}: {refusal}", flight.provider);
        match &flight.about {
            About::Series(asked) => {
                for indicator in asked {
                    if let Some(track) = self.series.get_mut(indicator) {
                        (track.is_flying, track.due, track.trouble) = (false, now, Some(words.clone()));
                    }
                }
            }
            About::News(index) => {
                if let Some(track) = self.news_tracks.get_mut(index) {
                    track.go_without(refusal, now.plus(Duration::seconds(i64::from(self.table.news.every_minutes) * 60)), now);
                }
            }
        }
    }

    /// What a refusal means for whom to ask next: the table of providers of prices.
    fn apply(
        &mut self,
        flight: &Flight,
        refusal: &Refusal,
        retry_after: Option<Duration>,
        budget: &mut Budget,
        now: WallTime,
        out: &mut Vec<Output>,
    ) {
        let (id, draw) = (flight.provider, self.draw());
        match refusal.failure.means() {
            Means::Nothing | Means::Skip(_) => self.health_of(id, flight.topic(), |health| health.excuse(refusal, now)),
            Means::Strike => self.health_of(id, flight.topic(), |health| health.strike(refusal, now, draw)),
            Means::Pause(length) => self.health_of(id, flight.topic(), |health| health.pause(refusal, now.plus(length), now)),
            Means::PauseHost(asked) => self.pause_host(id, retry_after.or(asked), refusal, budget, now, out),
            Means::PauseDay => {
                let rest = budget.day_turns(id, now).since(now);
                self.pause_host(id, Some(rest), refusal, budget, now, out);
            }
            Means::RemoveAll => {
                for topic in [Topic::Series, Topic::News] {
                    self.health_of(id, topic, |health| health.remove(refusal, now));
                }
            }
            Means::Remove => self.health_of(id, flight.topic(), |health| health.remove(refusal, now)),
        }
    }

    fn pause_host(
        &mut self,
        id: ProviderId,
        asked: Option<Duration>,
        refusal: &Refusal,
        budget: &mut Budget,
        now: WallTime,
        out: &mut Vec<Output>,
    ) {
        let until = budget.pause(id, asked, now);
        out.extend(budget.to_text().ok().map(Output::Keep));
        for topic in [Topic::Series, Topic::News] {
            self.health_of(id, topic, |health| health.pause(refusal, until, now));
        }
    }

    fn health_of(&mut self, id: ProviderId, topic: Topic, act: impl FnOnce(&mut Health)) {
        if let Some(health) = self.health.get_mut(&(id, topic)) {
            act(health);
        }
    }

    fn store(&mut self, now: WallTime, out: &mut Vec<Output>) {
        (self.is_dirty, self.stored) = (false, now);
        out.extend(kept::to_text(&self.economy, &self.news).ok().map(Output::Store));
    }

    /// A number drawn from the seed.
    const fn draw(&mut self) -> u64 {
        self.chance.draw()
    }

    /// Whether a publisher serves now.
    pub fn stands(&self, id: ProviderId, topic: Topic, now: WallTime) -> Option<Stands> {
        self.health.get(&(id, topic)).map(|health| health.stands(now))
    }
}

/// What a budget calls the endpoint.
const fn endpoint(id: ProviderId, topic: Topic) -> &'static str {
    match (id, topic) {
        (ProviderId::Yahoo, Topic::News) => "search",
        (_, Topic::Series) => "series",
        (_, Topic::News) => "feed",
    }
}

#[cfg(test)]
mod tests;
