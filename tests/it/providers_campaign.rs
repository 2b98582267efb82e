//! The desk and its feed in virtual time against providers that fail in every way: thousands of seeded sequences of faults, and what must
//! stay true of closed bars whatever happens.

use std::collections::{BTreeMap, VecDeque};

use pmax::domain::{AssetClass, Bar, Calendar, Duration, InstrumentId, MarketEvent, MarketTime, WallTime};
use pmax::market::ToldFeed;
use pmax::market::providers::{
    Answer, Capability, Desk, Failure, FetchId, Input, Line, Output, ProviderId, ProviderTable, Refusal, Request, Served,
};
use prost::Message as _;
use serde_json::json;

/// Who streams what is watched here.
const STREAMED: [ProviderId; 4] = [ProviderId::Kraken, ProviderId::Coinbase, ProviderId::Binance, ProviderId::Yahoo];
const TABLE: &str = include_str!("../../config/providers.toml");
const BITCOIN: InstrumentId = InstrumentId(5);
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
/// 2026-11-25T12:00Z, a minute's beginning.
const START: i64 = 1_795_608_000 * SECOND;
/// Minutes of the market that happened before the desk begins.
const HISTORY: i64 = 20;

/// A seeded generator (SplitMix64: Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % count
    }
}

/// What a provider does with a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Timeout,
    Dns,
    Tls,
    Refused,
    Unavailable,
    Throttled,
    Page,
    Cut,
    OtherShape,
    Empty,
    Hundredfold,
    OtherPrice,
    Frozen,
    UnknownSymbol,
}

const FAULTS: [Fault; 14] = [
    Fault::Timeout,
    Fault::Dns,
    Fault::Tls,
    Fault::Refused,
    Fault::Unavailable,
    Fault::Throttled,
    Fault::Page,
    Fault::Cut,
    Fault::OtherShape,
    Fault::Empty,
    Fault::Hundredfold,
    Fault::OtherPrice,
    Fault::Frozen,
    Fault::UnknownSymbol,
];

/// The market as it is: one price a second, whole minutes now and then without a trade.
struct Truth {
    prices: Vec<i64>,
    silent: Vec<bool>,
}

impl Truth {
    fn new(chance: &mut SplitMix, minutes: i64) -> Self {
        let (mut price, mut prices) = (90_000_000, Vec::new());
        for _ in 0..minutes * 60 {
            price += i64::try_from(chance.below(20_001)).unwrap() - 10_000;
            prices.push(price);
        }
        let silent = (0..minutes).map(|minute| minute > 0 && chance.below(12) == 0).collect();
        Self { prices, silent }
    }

    fn second(at: i64) -> usize {
        usize::try_from((at - START) / SECOND + HISTORY * 60).unwrap()
    }

    /// Thousandths of a dollar.
    fn price(&self, at: i64) -> i64 {
        self.prices[Self::second(at)]
    }

    /// Open, high, low and close of a minute as far as it has come.
    fn bar(&self, minute: i64, until: i64) -> Option<[i64; 4]> {
        let number = usize::try_from((minute - START) / MINUTE + HISTORY).unwrap();
        if self.silent[number] || until <= minute {
            return None;
        }
        let (from, to) =
            (Self::second(minute), Self::second(minute) + usize::try_from((until - minute).min(MINUTE) / SECOND).unwrap().max(1));
        let part = &self.prices[from..to];
        Some([part[0], *part.iter().max().unwrap(), *part.iter().min().unwrap(), part[part.len() - 1]])
    }

    fn minutes(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, [i64; 4])> + '_ {
        let first = from.max(START - HISTORY * MINUTE).div_euclid(MINUTE) * MINUTE;
        (0..)
            .map(move |number| first + number * MINUTE)
            .take_while(move |minute| *minute < until)
            .filter_map(move |minute| Some((minute, self.bar(minute, until)?)))
    }
}

fn text(milli: i64) -> String {
    format!("{}.{:03}", milli / 1_000, milli % 1_000)
}

/// Answers as the three providers write them.
fn body(truth: &Truth, id: ProviderId, from: i64, now: i64, scale: (i64, i64)) -> String {
    let scaled = |milli: i64| milli * scale.0 / scale.1;
    let rows: Vec<(i64, [i64; 4])> = truth.minutes(from, now).map(|(at, bar)| (at / SECOND, bar.map(scaled))).collect();
    match id {
        ProviderId::Kraken => {
            let row = |(at, [open, high, low, close]): &(i64, [i64; 4])| {
                json!([at, text(*open), text(*high), text(*low), text(*close), "0", "1.5", 9])
            };
            let mut rows: Vec<_> = rows.iter().map(row).collect();
            // A minute without a trade has a row that counts none.
            let current = now.div_euclid(MINUTE) * MINUTE;
            if truth.bar(current, now).is_none() {
                rows.push(json!([current / SECOND, "1", "1", "1", "1", "0", "0", 0]));
            }
            json!({"error": [], "result": {"XXBTZUSD": rows, "last": 1}}).to_string()
        }
        ProviderId::Coinbase => {
            let row = |(at, [open, high, low, close]): &(i64, [i64; 4])| {
                format!("[{at},{},{},{},{},1.5]", text(*low), text(*high), text(*open), text(*close))
            };
            format!("[{}]", rows.iter().rev().map(row).collect::<Vec<_>>().join(","))
        }
        ProviderId::Binance => {
            let row = |(at, [open, high, low, close]): &(i64, [i64; 4])| {
                json!([at * 1_000, text(*open), text(*high), text(*low), text(*close), "1.5", 0, "1", 9, "1", "1", "0"])
            };
            let mut rows: Vec<_> = rows.iter().map(row).collect();
            let current = now.div_euclid(MINUTE) * MINUTE;
            if truth.bar(current, now).is_none() {
                rows.push(json!([current / 1_000_000, "1", "1", "1", "1", "0", 0, "0", 0, "0", "0", "0"]));
            }
            json!(rows).to_string()
        }
        ProviderId::Yahoo => {
            let times: Vec<i64> = rows.iter().map(|(at, _)| *at).chain([now / SECOND]).collect();
            let column = |index: usize| {
                let live = scaled(truth.price(now));
                rows.iter().map(|(_, bar)| text(bar[index])).chain([text(live)]).collect::<Vec<_>>().join(",")
            };
            format!(
                r#"{{"chart":{{"result":[{{"meta":{{"symbol":"BTC-USD","currency":"USD","dataGranularity":"1m","regularMarketTime":{},"regularMarketPrice":{}}},
                "timestamp":{times:?},"indicators":{{"quote":[{{"open":[{}],"high":[{}],"low":[{}],"close":[{}],"volume":[]}}]}}}}],"error":null}}}}"#,
                now / SECOND,
                text(scaled(truth.price(now))),
                column(0),
                column(1),
                column(2),
                column(3),
            )
        }
        _ => unreachable!("it has no name here, or no key, or tells no prices"),
    }
}

/// A price as Yahoo's stream says it: the fields that matter, by their numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Pricing {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(float, tag = "2")]
    price: f32,
    #[prost(sint64, tag = "3")]
    time: i64,
    #[prost(int32, tag = "6")]
    quote_type: i32,
    #[prost(int32, tag = "7")]
    market_hours: i32,
    #[prost(sint64, tag = "27")]
    price_hint: i64,
}

fn pricing(price: &str, now: i64) -> String {
    let (id, price) = ("BTC-USD".to_owned(), price.parse().unwrap());
    let data = Pricing { id, price, time: now / 1_000_000, quote_type: 41, market_hours: 1, price_hint: 2 };
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data.encode_to_vec());
    format!(r#"{{"type":"pricing","message":"{text}"}}"#)
}

/// Yahoo's prices of many symbols: a close for each minute, labelled with its beginning.
fn spark(truth: &Truth, now: i64, scale: (i64, i64)) -> String {
    let minute = now.div_euclid(MINUTE) * MINUTE;
    let price = text(truth.price(now) * scale.0 / scale.1);
    format!(
        r#"{{"BTC-USD":{{"symbol":"BTC-USD","timestamp":[{},{}],"close":[null,{price}],"dataGranularity":60}}}}"#,
        minute / SECOND - 60,
        minute / SECOND
    )
}

fn ok(body: String) -> Result<Answer, Refusal> {
    Ok(Answer { status: 200, retry_after: None, body: body.into_bytes() })
}

/// What a provider that works says to a request.
fn good(truth: &Truth, request: &Request, now: i64, scale: (i64, i64)) -> String {
    match asked_from(request) {
        Some(from) => body(truth, request.provider, from, now, scale),
        None => spark(truth, now, scale),
    }
}

/// From when on bars are asked for; nothing where prices are.
fn asked_from(request: &Request) -> Option<i64> {
    let number = |key: &str| request.path.split(key).nth(1).and_then(|rest| rest.split('&').next().unwrap().parse::<i64>().ok());
    match request.provider {
        ProviderId::Kraken => Some(number("since=").unwrap() * SECOND),
        ProviderId::Yahoo => number("period1=").map(|at| at * SECOND),
        ProviderId::Binance => Some(number("startTime=").unwrap() * 1_000_000),
        ProviderId::Coinbase => {
            MarketTime::parse(request.path.split("start=").nth(1).unwrap().split('&').next().unwrap()).map(|at| at.0)
        }
        _ => unreachable!("it has no name here, or no key, or tells no prices"),
    }
}

/// Everything around the desk.
struct World {
    truth: Truth,
    chance: SplitMix,
    desk: Desk,
    feed: ToldFeed,
    now: i64,
    /// Answers and endings of connections under way, by when they arrive.
    coming: BTreeMap<(i64, u64), Coming>,
    next: u64,
    open: BTreeMap<ProviderId, bool>,
    silent: BTreeMap<ProviderId, i64>,
    faults_until: i64,
    /// Nobody answers then.
    outage: (i64, i64),
    frozen_at: i64,
    said: Vec<MarketEvent>,
    served: Vec<Served>,
    requests: Vec<(i64, ProviderId)>,
}

enum Coming {
    Answer(FetchId, Result<Answer, Refusal>),
    Opened(ProviderId),
    Closed(ProviderId, Failure),
}

impl World {
    fn new(seed: u64, minutes: i64, outage: (i64, i64), faults_until: i64) -> Self {
        let mut chance = SplitMix(seed);
        let truth = Truth::new(&mut chance, minutes + HISTORY);
        // In every fourth world a person takes USDT for dollars, in the place of Kraken.
        let (own, absent) = match seed % 4 == 2 {
            true => ("[aliases.BTCUSD]\nbinance = \"BTCUSDT\"\n", ProviderId::Kraken),
            false => ("", ProviderId::Binance),
        };
        let mut table = ProviderTable::read(TABLE, Some(own)).unwrap();
        table.aliases.get_mut("BTCUSD").unwrap().remove(&absent);
        let line = Line {
            currency: pmax::domain::Currency::USD,
            instrument: BITCOIN,
            kind: AssetClass::Crypto,
            calendar: Calendar::Crypto247,
            decimals: 2,
            names: table.aliases["BTCUSD"].clone(),
            known_until: None,
            last_close: None,
        };
        let budget = table.budget();
        let desk = Desk::new(table, budget, vec![line], seed, WallTime(START));
        Self {
            truth,
            chance,
            desk,
            feed: ToldFeed::new([(BITCOIN, None)].into_iter(), MarketTime(0)),
            now: START,
            coming: BTreeMap::new(),
            next: 0,
            open: BTreeMap::new(),
            silent: BTreeMap::new(),
            faults_until: START + faults_until * SECOND,
            outage: (START + outage.0 * SECOND, START + outage.1 * SECOND),
            frozen_at: START,
            said: Vec::new(),
            served: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn is_out(&self) -> bool {
        (self.outage.0..self.outage.1).contains(&self.now)
    }

    fn fault(&mut self) -> Fault {
        if self.is_out() {
            return Fault::Timeout;
        }
        let is_faulty = self.now < self.faults_until && self.chance.below(100) < 35;
        let fault =
            if is_faulty { FAULTS[usize::try_from(self.chance.below(FAULTS.len() as u64)).unwrap()] } else { Fault::None };
        // Before anything was said there is nothing that another price could be held against.
        let is_first = self.said.is_empty() && matches!(fault, Fault::Hundredfold | Fault::OtherPrice);
        if is_first { Fault::None } else { fault }
    }

    fn later(&mut self, millis: i64, what: Coming) {
        self.next += 1;
        self.coming.insert((self.now + millis * 1_000_000, self.next), what);
    }

    fn answer(&mut self, request: &Request) {
        let (id, fault) = (request.id, self.fault());
        let body = |now: i64, scale: (i64, i64)| good(&self.truth, request, now, scale);
        let from = asked_from(request).unwrap_or(self.now);
        let status = |status: u16, retry_after: Option<Duration>| Ok(Answer { status, retry_after, body: Vec::new() });
        let refusal = |failure: Failure| Err(Refusal::of(failure));
        let good = body(self.now, (1, 1));
        let answer = match fault {
            Fault::None => ok(good),
            Fault::Timeout => refusal(Failure::Timeout),
            Fault::Dns => refusal(Failure::Dns),
            Fault::Tls => refusal(Failure::Tls),
            Fault::Refused => refusal(Failure::Transport),
            Fault::Unavailable => status(503, None),
            Fault::Throttled => status(429, Some(Duration::seconds(20))),
            Fault::Page => ok("<!DOCTYPE html><html>consent</html>".to_owned()),
            Fault::Cut => ok(good[..good.len() / 2].to_owned()),
            Fault::OtherShape => ok(good.replace("\"result\"", "\"results\"").replace("[[", "[[[")),
            Fault::Empty => ok("{}".to_owned()),
            Fault::Hundredfold => ok(body(self.now, (100, 1))),
            Fault::OtherPrice => ok(body(self.now, (105, 100))),
            Fault::Frozen => ok(body(self.frozen_at.max(from + MINUTE).min(self.now), (1, 1))),
            Fault::UnknownSymbol => ok(r#"{"error":["EQuery:Unknown asset pair"],"chart":{"result":null,"error":{"code":"Not Found"}},"message":"NotFound"}"#.to_owned()),
        };
        let took = if fault == Fault::Timeout { 8_000 } else { 50 + i64::try_from(self.chance.below(400)).unwrap() };
        self.later(took, Coming::Answer(id, answer));
    }

    fn handle(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.desk.handle(WallTime(self.now), input, &mut out);
        for output in out {
            match output {
                Output::Open(id) => {
                    let fault = self.fault();
                    let ending =
                        if self.is_out() { Some(Failure::Timeout) } else { (fault != Fault::None).then_some(Failure::Transport) };
                    self.later(80, ending.map_or(Coming::Opened(id), |failure| Coming::Closed(id, failure)));
                }
                Output::Close(id) => drop(self.open.insert(id, false)),
                Output::Ping(id) if !self.is_out() && self.silent.get(&id).is_none_or(|until| *until <= self.now) => {
                    self.handle(Input::Alive(id))
                }
                Output::Ping(_) | Output::Send(..) | Output::Keep(_) => {}
                Output::Fetch(request) => {
                    self.requests.push((self.now, request.provider));
                    self.answer(&request);
                }
                Output::News(news) => self.feed.hear(news, WallTime(self.now)),
                Output::Served(served) => self.served.push(served),
                Output::Noted(_) => {}
            }
        }
    }

    /// What streams say in this second.
    fn stream(&mut self) {
        for id in STREAMED {
            if self.open.get(&id) != Some(&true) || self.is_out() || self.silent.get(&id).is_some_and(|until| *until > self.now) {
                continue;
            }
            let is_faulty = self.now < self.faults_until;
            match self.chance.below(if is_faulty { 60 } else { u64::MAX }) {
                0 => {
                    self.open.insert(id, false);
                    self.handle(Input::Closed(id, Refusal::of(Failure::Transport)));
                    continue;
                }
                1 => drop(self.silent.insert(id, self.now + i64::try_from(self.chance.below(40)).unwrap() * SECOND)),
                2 => self.handle(Input::Text(id, "CloudFlare WebSocket proxy restarting")),
                3 => self.handle(Input::Text(
                    id,
                    r#"{"channel":"ticker","type":"ticker","data":[{"symbol":"BTC/USD"}],"product_id":"BTC-USD"}"#,
                )),
                _ => {}
            }
            let scale = match self.chance.below(if is_faulty && !self.said.is_empty() { 80 } else { u64::MAX }) {
                0 => 100,
                _ => 1,
            };
            let price = text(self.truth.price(self.now) * scale);
            let frame = match id {
                ProviderId::Kraken => format!(
                    r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{price},"ask":{price},"last":{price}}}]}}"#
                ),
                ProviderId::Yahoo => pricing(&price, self.now),
                ProviderId::Binance => format!(
                    r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1,"s":"BTCUSDT","p":"{price}","q":"1","T":{}}}}}"#,
                    self.now / 1_000_000
                ),
                _ => format!(
                    r#"{{"type":"ticker","product_id":"BTC-USD","price":"{price}","best_bid":"{price}","best_ask":"{price}","time":"{}"}}"#,
                    WallTime(self.now)
                ),
            };
            self.handle(Input::Text(id, &frame));
        }
    }

    fn run(&mut self, seconds: i64) {
        let until = self.now + seconds * SECOND;
        while self.now < until {
            while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= self.now) {
                match entry.remove() {
                    Coming::Answer(id, answer) => self.handle(Input::Answered(id, answer)),
                    Coming::Opened(id) => {
                        self.open.insert(id, true);
                        self.handle(Input::Opened(id));
                    }
                    Coming::Closed(id, failure) => self.handle(Input::Closed(id, Refusal::of(failure))),
                }
            }
            if self.now % SECOND == 0 {
                if self.is_out() && self.open.values().any(|is_open| *is_open) {
                    for id in STREAMED {
                        if self.open.insert(id, false) == Some(true) {
                            self.handle(Input::Closed(id, Refusal::of(Failure::Transport)));
                        }
                    }
                }
                self.stream();
            }
            self.handle(Input::Tick);
            self.feed.pass_time(WallTime(self.now));
            self.said.extend(std::iter::from_fn(|| self.feed.take()));
            self.now += SECOND / 2;
        }
    }

    fn closed(&self) -> Vec<Bar> {
        self.said
            .iter()
            .filter_map(|event| if let MarketEvent::BarClosed { bar, .. } = event { Some(*bar) } else { None })
            .collect()
    }

    /// No closed bar twice, none missing, none that did not happen; market time never goes back; no price from nowhere.
    fn check(&self, seed: u64, until: i64) {
        assert!(self.said.is_sorted_by_key(MarketEvent::known_at), "seed {seed}: market time went back");
        let closed = self.closed();
        let minutes: Vec<i64> = closed.iter().map(|bar| bar.open_at.0).collect();
        let expected: Vec<i64> = self.truth.minutes(minutes[0], START + until * SECOND).map(|(at, _)| at).collect();
        assert_eq!(minutes, expected[..minutes.len().min(expected.len())], "seed {seed}: minutes are missing or were said twice");
        let late = expected.len() - minutes.len();
        let view = self.desk.view(WallTime(self.now));
        assert!(late <= 2, "seed {seed}: {late} minutes are late after everything had come back: {view:?}");
        for bar in &closed {
            let truth = self.truth.bar(bar.open_at.0, bar.close_at.0).unwrap();
            let said = [bar.open, bar.high, bar.low, bar.close].map(|price| price.nanos() / 1_000_000);
            // Yahoo's prices are rounded to cents.
            let is_true = truth.iter().zip(said).all(|(truth, said)| (truth - said).abs() <= 5);
            assert!(is_true, "seed {seed}: {} was told as {said:?} and was {truth:?}", bar.open_at);
        }
        for event in &self.said {
            let MarketEvent::Quoted { quote, stamp } = event else { continue };
            let truth = self.truth.price(stamp.event_at.0.min(self.now - SECOND)) as f64;
            let share = (quote.last.to_f64() * 1e3 / truth - 1.0).abs();
            assert!(share < 0.02, "seed {seed}: {} was quoted where {truth} was", quote.last);
        }
    }
}

/// Faults for a while, with an outage of everything for half a minute and more in the midst, then quiet.
fn campaign(seeds: std::ops::Range<u64>) {
    let (mut changes, mut bars) = (0, 0);
    for seed in seeds {
        let from = 60 + i64::try_from(seed % 100).unwrap();
        let outage = (from, from + 30 + i64::try_from(seed % 61).unwrap());
        // A provider that rested longest comes back after a quarter of an hour and a little.
        let (faults, all) = (300, 300 + 26 * 60);
        let mut world = World::new(seed, all / 60 + 2, outage, faults);
        world.run(all);
        world.check(seed, all);
        changes += world.served.len();
        bars += world.closed().len();
        let limits = [(ProviderId::Kraken, 20), (ProviderId::Coinbase, 30), (ProviderId::Binance, 30), (ProviderId::Yahoo, 40)];
        for (by, most) in limits {
            let sent: Vec<i64> = world.requests.iter().filter(|(_, id)| *id == by).map(|(at, _)| *at).collect();
            let worst = sent.iter().map(|from| sent.iter().filter(|at| (0..MINUTE).contains(&(*at - from))).count()).max();
            assert!(worst.unwrap_or(0) <= most, "seed {seed}: {by} was asked {worst:?} times in a minute");
        }
    }
    assert!(changes > 0 && bars > 0, "the campaign exercised nothing");
}

#[test]
fn no_closed_bar_is_missing_doubled_or_invented_over_outages_one() {
    campaign(0..700);
}

#[test]
fn no_closed_bar_is_missing_doubled_or_invented_over_outages_two() {
    campaign(700..1_400);
}

#[test]
fn no_closed_bar_is_missing_doubled_or_invented_over_outages_three() {
    campaign(1_400..2_100);
}

#[test]
fn a_stream_that_falls_silent_hands_over_within_five_seconds_and_comes_back_after_a_minute() {
    let mut world = World::new(3, 12, (0, 0), 0);
    world.run(120);
    let serving = |world: &World| world.desk.view(WallTime(world.now)).served[0].quotes.map(|(by, _)| by);
    assert_eq!(serving(&world), Some(ProviderId::Kraken));
    world.silent.insert(ProviderId::Kraken, world.now + 30 * SECOND);
    let began = world.now;
    world.run(6);
    let change = world.served.iter().find(|served| served.capability == Capability::Quotes).unwrap();
    assert_eq!((change.from, change.to), (ProviderId::Kraken, ProviderId::Coinbase));
    assert!(change.why.contains("Kraken: silent for"), "{}", change.why);
    let last_of = |world: &World| {
        world
            .said
            .iter()
            .rev()
            .find_map(|event| if let MarketEvent::Quoted { stamp, .. } = event { stamp.received_at } else { None })
    };
    assert!(last_of(&world).unwrap().0 > began + 4 * SECOND, "prices go on");
    world.run(40);
    assert_eq!(serving(&world), Some(ProviderId::Coinbase), "one that is back is watched first");
    let why = &world.desk.view(WallTime(world.now)).served[0].quotes_before;
    assert!(why[0].1.contains("watched for another"), "{why:?}");
    world.run(60);
    assert_eq!(serving(&world), Some(ProviderId::Kraken));
    assert_eq!(world.served.last().unwrap().why, "Kraken serves again");
}

#[test]
fn an_unknown_symbol_passes_a_provider_over_and_never_trips_it() {
    let mut world = World::new(5, 12, (0, 0), 0);
    world.run(1);
    let mut requests = VecDeque::new();
    for _ in 0..400 {
        let mut out = Vec::new();
        world.desk.handle(WallTime(world.now), Input::Tick, &mut out);
        for output in out {
            if let Output::Fetch(request) = output {
                requests.push_back(request);
            }
        }
        while let Some(request) = requests.pop_front() {
            let unknown = r#"{"error":["EQuery:Unknown asset pair"]}"#.to_owned();
            let answer = if request.provider == ProviderId::Kraken {
                ok(unknown)
            } else {
                ok(good(&world.truth, &request, world.now, (1, 1)))
            };
            world.desk.handle(WallTime(world.now), Input::Answered(request.id, answer), &mut Vec::new());
        }
        world.now += SECOND;
    }
    let view = world.desk.view(WallTime(world.now));
    let kraken = view.providers.iter().find(|provider| provider.id == ProviderId::Kraken).unwrap();
    assert_eq!(kraken.bars, Some(pmax::market::providers::Stands::Good));
    assert_eq!(view.served[0].bars.map(|(by, _)| by), Some(ProviderId::Coinbase));
    assert!(view.served[0].bars_before[0].1.contains("does not know the symbol"), "{:?}", view.served[0].bars_before);
}

#[test]
fn prices_of_another_provider_that_jump_are_held_back_and_said() {
    let mut world = World::new(9, 12, (0, 0), 0);
    world.run(120);
    let price = text(world.truth.price(world.now) * 106 / 100);
    world.silent.insert(ProviderId::Kraken, world.now + 60 * SECOND);
    world.silent.insert(ProviderId::Coinbase, world.now + 60 * SECOND);
    for _ in 0..12 {
        let frame = format!(r#"{{"type":"ticker","product_id":"BTC-USD","price":"{price}","time":"{}"}}"#, WallTime(world.now));
        world.handle(Input::Text(ProviderId::Coinbase, &frame));
        world.run(1);
    }
    let prices = world.served.iter().filter(|served| served.capability == Capability::Quotes);
    assert!(prices.into_iter().all(|served| served.to == ProviderId::Yahoo), "six percent between two sources is no move");
    let before = &world.desk.view(WallTime(world.now)).served[0].quotes_before;
    world.check(9, 132);
    assert!(before.is_empty() || before.iter().any(|(_, why)| why.contains("apart")), "{before:?}");
}

/// A few ticks of whoever serves that nobody else says move nothing, and the honest ones after them count at once.
#[test]
fn ticks_of_whoever_serves_that_others_contradict_are_not_believed() {
    let mut world = World::new(9, 12, (0, 0), 0);
    world.run(120);
    let served = world.desk.view(WallTime(world.now)).served[0].quotes.map(|(by, _)| by);
    assert_eq!(served, Some(ProviderId::Kraken));
    for tenths in [19, 36, 68, 52, 10_000] {
        let price = text(world.truth.price(world.now) * tenths / 10);
        let frame = format!(
            r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{price},"ask":{price},"last":{price}}}]}}"#
        );
        world.handle(Input::Text(ProviderId::Kraken, &frame));
        world.run(1);
    }
    world.run(20);
    let view = &world.desk.view(WallTime(world.now)).served[0];
    assert_eq!(view.quotes.map(|(by, _)| by), Some(ProviderId::Kraken), "it is heard again");
    let met: u64 = view.met.iter().filter(|met| met.by == ProviderId::Kraken).map(|met| met.count).sum();
    assert!(met >= 5, "{:?}", view.met);
    world.check(9, 141);
}
