//! Providers in virtual time, as the desk meets them: streams drawn from minutes, answers with bars, faults on demand; and behind the desk
//! the feed and, where a test wants one, the whole engine.

use std::collections::{BTreeMap, BTreeSet};

use pmax::domain::{Bar, FeedNote, InstrumentId, MarketEvent, MarketTime, Missed, WallTime};
use pmax::engine::{BreakerRow, Setup, SnapshotRequest};
use pmax::market::ToldFeed;
use pmax::market::providers::{
    Answer, Desk, Failure, FetchId, Input, Line, Output, ProviderId, ProviderTable, Refusal, Request, Served,
};
use pmax::runtime::{self, Headless};
use serde_json::json;

use crate::world;

pub const TABLE: &str = include_str!("../../config/providers.toml");
pub const BITCOIN: InstrumentId = InstrumentId(5);
pub const SECOND: i64 = 1_000_000_000;
pub const MINUTE: i64 = 60 * SECOND;

/// A seeded generator (SplitMix64: Steele, Lea and Flood 2014).
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % count
    }
}

/// A market as it was: open, high, low and close of each minute in millionths, nothing where a minute had no trade.
#[derive(Clone)]
pub struct Truth {
    pub start: i64,
    pub minutes: Vec<Option<[i64; 4]>>,
}

impl Truth {
    /// A walk of so many minutes; of a hundred, so many are silent.
    pub fn walk(chance: &mut SplitMix, start: i64, minutes: usize, from: i64, silent: u64) -> Self {
        let mut price = from;
        let step = from / 4_000;
        let mut minute = |number: usize| {
            if number > 0 && chance.below(100) < silent {
                return None;
            }
            let open = price;
            let mut at = |_| {
                price += i64::try_from(chance.below(u64::try_from(2 * step + 1).unwrap())).unwrap() - step;
                // Whole cents, as every provider can tell them.
                price = (price.max(from / 2) / 10_000) * 10_000;
                price
            };
            let [one, other, close] = [0, 1, 2].map(&mut at);
            let all = [open, one, other, close];
            Some([open, *all.iter().max().unwrap(), *all.iter().min().unwrap(), close])
        };
        let mut minutes: Vec<Option<[i64; 4]>> = (0..minutes).map(&mut minute).collect();
        if let Some(first) = minutes.first_mut().and_then(Option::as_mut) {
            first[0] = (first[0] / 10_000) * 10_000;
            first[1] = first[1].max(first[0]);
            first[2] = first[2].min(first[0]);
        }
        Self { start, minutes }
    }

    fn number(&self, at: i64) -> usize {
        usize::try_from((at - self.start).div_euclid(MINUTE)).unwrap_or(0).min(self.minutes.len() - 1)
    }

    /// Where a minute's price is at which second: open, one extreme, the other, close. A minute that rises falls first.
    fn path([open, high, low, close]: [i64; 4]) -> [(i64, i64); 4] {
        let (first, second) = if close >= open { (low, high) } else { (high, low) };
        [(0, open), (15, first), (35, second), (55, close)]
    }

    pub fn price(&self, at: i64) -> i64 {
        let number = self.number(at);
        if let Some(minute) = self.minutes[number] {
            let second = (at - self.start).rem_euclid(MINUTE) / SECOND;
            return Self::path(minute).into_iter().rev().find(|(from, _)| *from <= second).map_or(minute[0], |(_, price)| price);
        }
        self.minutes[..number].iter().rev().flatten().next().map_or(1, |minute| minute[3])
    }

    /// A minute as far as it has come.
    pub fn bar(&self, minute: i64, until: i64) -> Option<[i64; 4]> {
        if until <= minute || minute < self.start {
            return None;
        }
        let whole = (*self.minutes.get(usize::try_from((minute - self.start) / MINUTE).unwrap())?)?;
        let come = Self::path(whole).into_iter().filter(|(second, _)| minute + second * SECOND < until).map(|(_, price)| price);
        let come: Vec<i64> = come.collect();
        Some([come[0], *come.iter().max().unwrap(), *come.iter().min().unwrap(), come[come.len() - 1]])
    }

    fn rows(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, [i64; 4])> + '_ {
        let first = from.max(self.start).div_euclid(MINUTE) * MINUTE;
        (0..)
            .map(move |number| first + number * MINUTE)
            .take_while(move |minute| *minute < until)
            .filter_map(move |minute| Some((minute, self.bar(minute, until)?)))
    }
}

/// Millionths as a decimal.
fn text(micro: i64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

/// How a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Up,
    /// Connections are refused and cut.
    Down,
    /// Connections stay and say nothing; requests are never answered.
    HalfOpen,
    /// It goes on telling what it knew then.
    Frozen(i64),
    /// Its prices are so many thousandths of the true ones.
    Shifted(i64),
}

/// Faults of a request, drawn from chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Timeout,
    Refused,
    Unavailable,
    Throttled,
    Page,
    Cut,
    OtherShape,
    Empty,
    Hundredfold,
    Frozen,
    /// A minute in the midst is left out.
    Hole,
    /// A row is told twice.
    Twice,
    UnknownSymbol,
}

const FAULTS: [Fault; 13] = [
    Fault::Timeout,
    Fault::Refused,
    Fault::Unavailable,
    Fault::Throttled,
    Fault::Page,
    Fault::Cut,
    Fault::OtherShape,
    Fault::Empty,
    Fault::Hundredfold,
    Fault::Frozen,
    Fault::Hole,
    Fault::Twice,
    Fault::UnknownSymbol,
];

enum Coming {
    Answer(FetchId, Result<Answer, Refusal>),
    Opened(ProviderId),
    Closed(ProviderId, Failure),
    Text(ProviderId, String),
}

/// An instrument that is watched: which, and what it does.
pub struct Watched {
    pub instrument: InstrumentId,
    pub truth: Truth,
}

/// Everything around the desk.
pub struct World {
    pub desk: Desk,
    pub feed: ToldFeed,
    /// The whole engine, where a test wants one.
    pub engine: Option<Headless>,
    pub truths: BTreeMap<InstrumentId, Truth>,
    pub now: i64,
    pub moods: BTreeMap<ProviderId, Mood>,
    /// What a provider's prices are of the true ones, in hundred-thousandths: venues differ.
    pub basis: BTreeMap<ProviderId, i64>,
    /// Of a thousand requests so many fail in some way, and of a thousand seconds of a stream so many go wrong.
    pub faults: u64,
    pub chance: SplitMix,
    /// How often streams speak and time passes.
    pub step: i64,
    names: BTreeMap<(ProviderId, String), InstrumentId>,
    coming: BTreeMap<(i64, u64), Coming>,
    next: u64,
    open: BTreeSet<ProviderId>,
    silent_until: BTreeMap<ProviderId, i64>,
    /// Bars as they were told: whose they are, and when they were told.
    pub bars: Vec<(Bar, Option<ProviderId>, i64)>,
    pub closes: u64,
    /// Whether closed bars are kept, for tests of a day.
    pub keeps_bars: bool,
    pub served: Vec<(i64, Served)>,
    pub noted: Vec<(i64, FeedNote)>,
    pub missed: Vec<Missed>,
    pub requests: Vec<(i64, ProviderId)>,
    pub opened: Vec<(i64, ProviderId)>,
    /// When a price was last passed on, and the longest time without one since it was looked at.
    pub priced: i64,
    /// The latest bars by instrument, for what must be in order.
    last_close: BTreeMap<InstrumentId, i64>,
    pub trips: BTreeMap<String, i64>,
    known: MarketTime,
    pub largest: BTreeMap<&'static str, usize>,
}

impl World {
    pub fn new(own: &str, watched: Vec<Watched>, begin: i64, seed: u64) -> Self {
        let table = ProviderTable::read(TABLE, Some(own)).unwrap();
        let instruments = runtime::instruments().unwrap();
        let (mut lines, mut truths, mut names) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for Watched { instrument, truth } in watched {
            let known = instruments.get(instrument).unwrap();
            let called = table.aliases[&known.symbol].clone();
            for (id, alias) in &called {
                for name in alias.names() {
                    names.insert((*id, name.to_owned()), instrument);
                }
            }
            let (kind, calendar, decimals, currency) = (known.kind, known.calendar, known.decimals, known.currency);
            lines.push(Line {
                instrument,
                kind,
                calendar,
                decimals,
                currency,
                names: called,
                known_until: None,
                last_close: None,
            });
            truths.insert(instrument, truth);
        }
        let feed = ToldFeed::new(lines.iter().map(|line| (line.instrument, None)), MarketTime(0))
            .by_hours(|id| instruments.get(id).unwrap().calendar);
        let budget = table.budget();
        let desk = Desk::new(table, budget, lines, seed, WallTime(begin));
        Self {
            desk,
            feed,
            engine: None,
            truths,
            now: begin,
            moods: BTreeMap::new(),
            basis: BTreeMap::new(),
            faults: 0,
            chance: SplitMix(seed),
            step: SECOND / 5,
            names,
            coming: BTreeMap::new(),
            next: 0,
            open: BTreeSet::new(),
            silent_until: BTreeMap::new(),
            bars: Vec::new(),
            closes: 0,
            keeps_bars: true,
            served: Vec::new(),
            noted: Vec::new(),
            missed: Vec::new(),
            requests: Vec::new(),
            opened: Vec::new(),
            priced: begin,
            last_close: BTreeMap::new(),
            trips: BTreeMap::new(),
            known: MarketTime(0),
            largest: BTreeMap::new(),
        }
    }

    /// With the shipped settings and breakers on paper behind it.
    pub fn with_engine(mut self) -> Self {
        let table = ProviderTable::read(TABLE, None).unwrap();
        let (_, setup) = world::setup("btc-2021");
        let mut series = runtime::provider_series(&table, &setup.instruments);
        series.retain(|series| self.truths.contains_key(&series.instrument));
        let setup = Setup { series, ..setup };
        self.engine = Some(Headless::live("live markets", &setup, WallTime(self.now)));
        self
    }

    pub fn mood(&self, id: ProviderId) -> Mood {
        self.moods.get(&id).copied().unwrap_or(Mood::Up)
    }

    /// The thousandths of a hundred by which a provider's prices differ, and the time that it knows of.
    fn sees(&self, id: ProviderId) -> (i64, i64) {
        let basis = self.basis.get(&id).copied().unwrap_or(100_000);
        match self.mood(id) {
            Mood::Frozen(at) => (basis, at.min(self.now)),
            Mood::Shifted(thousandths) => (basis * thousandths / 1_000, self.now),
            Mood::Up | Mood::Down | Mood::HalfOpen => (basis, self.now),
        }
    }

    /// A price of a provider: the true one times its basis, in whole cents.
    pub fn scaled(micro: i64, basis: i64) -> i64 {
        if basis == 100_000 {
            return micro;
        }
        let price = i128::from(micro) * i128::from(basis) / 100_000;
        i64::try_from(price / 10_000 * 10_000).unwrap()
    }

    fn later(&mut self, millis: i64, what: Coming) {
        self.next += 1;
        self.coming.insert((self.now + millis * 1_000_000, self.next), what);
    }

    fn fault(&mut self) -> Option<Fault> {
        let is_faulty = self.faults > 0 && self.chance.below(1_000) < self.faults && !self.last_close.is_empty();
        is_faulty.then(|| FAULTS[usize::try_from(self.chance.below(FAULTS.len() as u64)).unwrap()])
    }

    /// Prices of many symbols, as Yahoo writes them.
    fn spark(&self, by: ProviderId, names: &str, times: i64) -> String {
        let (basis, now) = self.sees(by);
        let minute = now.div_euclid(MINUTE) * MINUTE / SECOND;
        let one = |name: &str| {
            let name = decoded(name);
            let truth = &self.truths[&self.names[&(by, name.clone())]];
            let price = text(Self::scaled(truth.price(now), basis * times));
            format!(
                r#""{name}":{{"symbol":"{name}","timestamp":[{},{minute}],"close":[null,{price}],"dataGranularity":60}}"#,
                minute - 60
            )
        };
        // A comma between names may be written as it is or encoded.
        format!("{{{}}}", names.split("%2C").flat_map(|part| part.split(',')).map(one).collect::<Vec<_>>().join(","))
    }

    /// An answer as the provider would write it at that time.
    fn body(&self, request: &Request, hole: Option<u64>, twice: bool, times: i64) -> String {
        if let Some((_, names)) = request.path.split_once("/spark?symbols=") {
            return self.spark(request.provider, names.split('&').next().unwrap(), times);
        }
        let (from, name) = asked(request);
        let instrument = self.names[&(request.provider, name.clone())];
        let truth = &self.truths[&instrument];
        let (basis, now) = self.sees(request.provider);
        let basis = basis * times;
        let mut rows: Vec<(i64, [i64; 4])> =
            truth.rows(from, now).map(|(at, bar)| (at / SECOND, bar.map(|price| Self::scaled(price, basis)))).collect();
        if let Some(at) = hole.filter(|_| rows.len() > 6) {
            let place = rows.len() - 3 - usize::try_from(at % 2).unwrap();
            rows.remove(place);
        }
        if twice && rows.len() > 6 {
            rows.insert(rows.len() - 3, rows[rows.len() - 3]);
        }
        match request.provider {
            ProviderId::Kraken => {
                let row = |(at, [open, high, low, close]): &(i64, [i64; 4])| {
                    json!([at, text(*open), text(*high), text(*low), text(*close), "0", "1.5", 9])
                };
                let mut told: Vec<_> = rows.iter().map(row).collect();
                let current = now.div_euclid(MINUTE) * MINUTE;
                if truth.bar(current, now).is_none() {
                    told.push(json!([current / SECOND, "1", "1", "1", "1", "0", "0", 0]));
                }
                json!({"error": [], "result": {"XXBTZUSD": told, "last": 1}}).to_string()
            }
            ProviderId::Coinbase => {
                let row = |(at, [open, high, low, close]): &(i64, [i64; 4])| {
                    format!("[{at},{},{},{},{},1.5]", text(*low), text(*high), text(*open), text(*close))
                };
                format!("[{}]", rows.iter().rev().map(row).collect::<Vec<_>>().join(","))
            }
            _ => {
                let live = Self::scaled(truth.price(now), basis);
                let times: Vec<i64> = rows.iter().map(|(at, _)| *at).chain([now / SECOND]).collect();
                let column =
                    |index: usize| rows.iter().map(|(_, bar)| text(bar[index])).chain([text(live)]).collect::<Vec<_>>().join(",");
                format!(
                    r#"{{"chart":{{"result":[{{"meta":{{"symbol":"{name}","currency":"USD","dataGranularity":"1m","regularMarketTime":{},"regularMarketPrice":{}}},
                    "timestamp":{times:?},"indicators":{{"quote":[{{"open":[{}],"high":[{}],"low":[{}],"close":[{}],"volume":[]}}]}}}}],"error":null}}}}"#,
                    now / SECOND,
                    text(live),
                    column(0),
                    column(1),
                    column(2),
                    column(3),
                )
            }
        }
    }

    fn answer(&mut self, request: &Request) {
        let ok = |body: String| Ok(Answer { status: 200, retry_after: None, body: body.into_bytes() });
        let status = |status: u16| Ok(Answer { status, retry_after: None, body: Vec::new() });
        let refusal = |failure: Failure| Err(Refusal::of(failure));
        let fault = self.fault();
        let is_slow = self.mood(request.provider) == Mood::HalfOpen || fault == Some(Fault::Timeout);
        let odd = self.chance.below(8);
        let answer = match (self.mood(request.provider), fault) {
            (Mood::Down, _) | (_, Some(Fault::Refused)) => refusal(Failure::Transport),
            (Mood::HalfOpen, _) | (_, Some(Fault::Timeout)) => refusal(Failure::Timeout),
            (_, None) => ok(self.body(request, None, false, 1)),
            (_, Some(Fault::Unavailable)) => status(503),
            (_, Some(Fault::Throttled)) => status(429),
            (_, Some(Fault::Page)) => ok("<!DOCTYPE html><html>consent</html>".to_owned()),
            (_, Some(Fault::Cut)) => {
                let body = self.body(request, None, false, 1);
                ok(body[..body.len() / 2].to_owned())
            }
            (_, Some(Fault::OtherShape)) => ok(r#"{"results":[[1]]}"#.to_owned()),
            (_, Some(Fault::Empty)) => ok("{}".to_owned()),
            (_, Some(Fault::Hundredfold)) => ok(self.body(request, None, false, 100)),
            (_, Some(Fault::Frozen)) => {
                let before = self.moods.insert(request.provider, Mood::Frozen(self.now - 4 * MINUTE));
                let body = self.body(request, None, false, 1);
                self.moods.insert(request.provider, before.unwrap_or(Mood::Up));
                ok(body)
            }
            (_, Some(Fault::Hole)) => ok(self.body(request, Some(odd), false, 1)),
            (_, Some(Fault::Twice)) => ok(self.body(request, None, true, 1)),
            (_, Some(Fault::UnknownSymbol)) => ok(
                r#"{"error":["EQuery:Unknown asset pair"],"chart":{"result":null,"error":{"code":"Not Found"}},"message":"NotFound"}"#
                    .to_owned(),
            ),
        };
        let took = if is_slow { 8_000 } else { 50 + i64::try_from(self.chance.below(400)).unwrap() };
        self.later(took, Coming::Answer(request.id, answer));
    }

    pub fn handle(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.desk.handle(WallTime(self.now), input, &mut out);
        self.follow(out);
    }

    fn follow(&mut self, out: Vec<Output>) {
        let (mut served, mut notes) = (Vec::new(), Vec::new());
        for output in out {
            match output {
                Output::Open(id) => match self.mood(id) {
                    Mood::Down => self.later(30, Coming::Closed(id, Failure::Transport)),
                    // The deadline of the sockets.
                    Mood::HalfOpen => self.later(10_000, Coming::Closed(id, Failure::Timeout)),
                    Mood::Up | Mood::Frozen(_) | Mood::Shifted(_) => self.later(80, Coming::Opened(id)),
                },
                Output::Close(id) => drop(self.open.remove(&id)),
                Output::Ping(id) => {
                    let is_silent = self.silent_until.get(&id).is_some_and(|until| *until > self.now);
                    if self.mood(id) != Mood::HalfOpen && !is_silent && self.open.contains(&id) {
                        self.handle(Input::Alive(id));
                    }
                }
                Output::Send(id, asked) if self.open.contains(&id) => self.confirm(id, &asked),
                Output::Send(..) | Output::Keep(_) => {}
                Output::Fetch(request) => {
                    self.requests.push((self.now, request.provider));
                    self.answer(&request);
                }
                Output::News(news) => self.feed.hear(news, WallTime(self.now)),
                Output::Served(change) => {
                    self.served.push((self.now, change.clone()));
                    served.push(change);
                }
                Output::Noted(note) => {
                    self.feed.note(&note);
                    self.noted.push((self.now, note.clone()));
                    notes.push(note);
                }
            }
        }
        if let Some(engine) = &mut self.engine {
            engine.turn_clock(WallTime(self.now));
            for input in runtime::feed_inputs(Default::default(), served, notes) {
                engine.input(input);
            }
        }
    }

    /// A subscription is confirmed as each provider does it.
    fn confirm(&mut self, id: ProviderId, asked: &str) {
        let value: serde_json::Value = serde_json::from_str(asked).unwrap();
        let answer = match id {
            ProviderId::Kraken => {
                let symbol = &value["params"]["symbol"][0];
                json!({"method": "subscribe", "req_id": value["req_id"], "result": {"channel": "ticker", "symbol": symbol}, "success": true})
            }
            _ => json!({"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": value["product_ids"]}]}),
        };
        self.later(60, Coming::Text(id, answer.to_string()));
    }

    /// What streams say at this instant.
    fn stream(&mut self) {
        let open: Vec<ProviderId> = self.open.iter().copied().collect();
        for id in open {
            match self.mood(id) {
                Mood::Down => {
                    self.open.remove(&id);
                    self.handle(Input::Closed(id, Refusal::of(Failure::Transport)));
                    continue;
                }
                Mood::HalfOpen => continue,
                Mood::Up | Mood::Frozen(_) | Mood::Shifted(_) => {}
            }
            if self.silent_until.get(&id).is_some_and(|until| *until > self.now) {
                continue;
            }
            let (basis, now) = self.sees(id);
            let truth = &self.truths[&BITCOIN];
            let price = Self::scaled(truth.price(now), basis);
            let (mut bid, mut ask, mut told, mut at) = (price - 10_000, price + 10_000, price, now);
            if self.faults > 0 {
                match self.chance.below(2_000_000 / self.faults.max(1)) {
                    0 => {
                        self.open.remove(&id);
                        self.handle(Input::Closed(id, Refusal::of(Failure::Transport)));
                        continue;
                    }
                    1 => drop(self.silent_until.insert(id, self.now + i64::try_from(self.chance.below(40)).unwrap() * SECOND)),
                    2 => self.handle(Input::Text(id, "CloudFlare WebSocket proxy restarting")),
                    3 => self.handle(Input::Text(id, r#"{"channel":"ticker","type":7,"product_id":"BTC-USD"}"#)),
                    4 | 5 => (bid, ask) = (ask, bid),
                    6 => told *= 100,
                    7 => at -= 30 * SECOND,
                    8 => told = 0,
                    _ => {}
                }
                if !self.open.contains(&id) {
                    continue;
                }
            }
            let frame = match id {
                ProviderId::Kraken => format!(
                    r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{},"ask":{},"last":{}}}]}}"#,
                    text(bid),
                    text(ask),
                    text(told)
                ),
                _ => format!(
                    r#"{{"type":"ticker","product_id":"BTC-USD","price":"{}","best_bid":"{}","best_ask":"{}","time":"{}"}}"#,
                    text(told),
                    text(bid),
                    text(ask),
                    WallTime(at)
                ),
            };
            self.handle(Input::Text(id, &frame));
        }
    }

    /// Lives until then.
    pub fn run_until(&mut self, until: i64) {
        while self.now < until {
            while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= self.now) {
                match entry.remove() {
                    Coming::Answer(id, answer) => self.handle(Input::Answered(id, answer)),
                    Coming::Opened(id) if self.mood(id) == Mood::Down => {
                        self.handle(Input::Closed(id, Refusal::of(Failure::Transport)))
                    }
                    Coming::Opened(id) => {
                        self.open.insert(id);
                        self.opened.push((self.now, id));
                        self.handle(Input::Opened(id));
                    }
                    Coming::Closed(id, failure) => self.handle(Input::Closed(id, Refusal::of(failure))),
                    Coming::Text(id, text) if self.open.contains(&id) && self.mood(id) != Mood::HalfOpen => {
                        self.handle(Input::Text(id, &text))
                    }
                    Coming::Text(..) => {}
                }
            }
            // Twice a second, or as often as time passes.
            if self.now % (SECOND / 2) < self.step {
                self.stream();
            }
            self.handle(Input::Tick);
            self.hear();
            self.now += self.step;
        }
    }

    pub fn run(&mut self, seconds: i64) {
        self.run_until(self.now + seconds * SECOND);
    }

    /// The feed's side: silences, and what is said to the engine.
    fn hear(&mut self) {
        let silences = self.feed.pass_time(WallTime(self.now));
        self.missed.extend(&silences.missed);
        if let Some(engine) = &mut self.engine {
            engine.turn_clock(WallTime(self.now));
            for input in runtime::feed_inputs(silences, Vec::new(), Vec::new()) {
                engine.input(input);
            }
        }
        while let Some(event) = self.feed.take() {
            assert!(event.known_at() >= self.known, "market time went back");
            self.known = event.known_at();
            match event {
                MarketEvent::BarClosed { bar, .. } => self.closed(bar),
                MarketEvent::Quoted { .. } => self.priced = self.now,
                MarketEvent::BarOpened { .. } => {}
            }
            if let Some(engine) = &mut self.engine {
                engine.hear(event);
                if matches!(event, MarketEvent::BarClosed { .. }) {
                    for BreakerRow { trip, .. } in engine.engine().snapshot(&SnapshotRequest::default()).breakers {
                        self.trips.entry(trip.rule.words()).or_insert(trip.at.0.div_euclid(MINUTE));
                    }
                }
            }
        }
    }

    fn closed(&mut self, bar: Bar) {
        self.closes += 1;
        let before = self.last_close.insert(bar.instrument, bar.close_at.0);
        assert!(before.is_none_or(|before| bar.open_at.0 >= before), "a bar of {} twice or out of order", bar.open_at);
        if self.keeps_bars {
            let serving = self.desk.view(WallTime(self.now)).served.into_iter().find(|one| one.instrument == bar.instrument);
            self.bars.push((bar, serving.and_then(|one| one.bars).map(|(by, _)| by), self.now));
        }
    }

    /// Notes the largest size of everything that is kept.
    pub fn take_census(&mut self) {
        let all = self.desk.census().into_iter().chain(self.feed.census());
        for (name, size) in all {
            let largest = self.largest.entry(name).or_default();
            *largest = (*largest).max(size);
        }
    }

    pub fn serving(&self, instrument: InstrumentId) -> Option<ProviderId> {
        let view = self.desk.view(WallTime(self.now));
        view.served.into_iter().find(|one| one.instrument == instrument)?.quotes.map(|(by, _)| by)
    }

    /// Every minute of the truth told once, in order, none missing, none invented, at the prices of one of these bases.
    pub fn check_bars(&self, instrument: InstrumentId, until: i64, late: usize, what: &str) {
        let truth = &self.truths[&instrument];
        let told: Vec<&Bar> = self.bars.iter().map(|(bar, ..)| bar).filter(|bar| bar.instrument == instrument).collect();
        let first = told.first().expect("something was told").open_at.0;
        let expected: Vec<i64> = truth.rows(first, until).map(|(at, _)| at).collect();
        let minutes: Vec<i64> = told.iter().map(|bar| bar.open_at.0).collect();
        assert_eq!(minutes, expected[..minutes.len().min(expected.len())], "{what}: minutes are missing, doubled or invented");
        assert!(expected.len() - minutes.len() <= late, "{what}: {} minutes are late", expected.len() - minutes.len());
        let bases: BTreeSet<i64> = self.basis.values().copied().chain([100_000]).collect();
        for bar in told {
            let said = [bar.open, bar.high, bar.low, bar.close].map(|price| price.nanos() / 1_000);
            let whole = truth.bar(bar.open_at.0, bar.close_at.0).unwrap();
            let is_true = bases.iter().any(|basis| whole.map(|price| Self::scaled(price, *basis)) == said);
            assert!(is_true, "{what}: {} was told as {said:?} and was {whole:?}", bar.open_at);
        }
    }
}

fn decoded(name: &str) -> String {
    name.replace("%3D", "=").replace("%5E", "^")
}

/// From when on bars are asked for, and of what name.
fn asked(request: &Request) -> (i64, String) {
    let part = |key: &str| request.path.split(key).nth(1).map(|rest| rest.split(['&', '?', '/']).next().unwrap().to_owned());
    let number = |key: &str| part(key).unwrap().parse::<i64>().unwrap() * SECOND;
    match request.provider {
        ProviderId::Kraken => (number("since="), decoded(&part("pair=").unwrap())),
        ProviderId::Coinbase => (MarketTime::parse(&part("start=").unwrap()).unwrap().0, decoded(&part("/products/").unwrap())),
        _ => (number("period1="), decoded(&part("/chart/").unwrap())),
    }
}
