//! Yahoo's stream and its prices of many symbols at a time: byte by byte, in virtual time, and over sockets of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pmax::domain::{AssetClass, Calendar, Currency, InstrumentId, MarketTime, VenueQuote, WallTime};
use pmax::market::providers::clients::{Frame, yahoo_frame, yahoo_spark};
use pmax::market::providers::{
    Alias, Answer, Desk, Failure, Input, Line, Output, Plan, ProviderId, ProviderNews, ProviderTable, ProvidersLink, Refusal,
    Request, Surroundings, Wanted,
};
use pmax::runtime::wall_now;
use prost::Message as _;
use serde_json::Value;

use crate::support::market_server::{Mood, http, say, stream};
use crate::support::{deadline, shared};

const TABLE: &str = include_str!("../../config/providers.toml");
const YAHOO: ProviderId = ProviderId::Yahoo;
const BITCOIN: InstrumentId = InstrumentId(5);

/// The captured frame of the contract.
const CAPTURED: &str = "CgRES05HFa5HxEEYkJu3uYxoKgNOTVMwCDgBRet8lUBIpqS0BmXwKIw/2AEE";

/// The fields that are used, by their numbers; written apart from the client's own.
#[derive(Clone, PartialEq, prost::Message)]
struct Pricing {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(float, tag = "2")]
    price: f32,
    #[prost(sint64, tag = "3")]
    time: i64,
    #[prost(string, tag = "4")]
    currency: String,
    #[prost(int32, tag = "6")]
    quote_type: i32,
    #[prost(int32, tag = "7")]
    market_hours: i32,
    #[prost(sint64, tag = "9")]
    day_volume: i64,
    #[prost(float, tag = "23")]
    bid: f32,
    #[prost(float, tag = "25")]
    ask: f32,
    #[prost(sint64, tag = "27")]
    price_hint: i64,
}

fn pricing(id: &str, price: f32, at: WallTime) -> Pricing {
    let (currency, day_volume) = (String::new(), 12_345_678);
    let time = at.0 / 1_000_000;
    Pricing {
        id: id.to_owned(),
        price,
        time,
        currency,
        quote_type: 8,
        market_hours: 1,
        day_volume,
        bid: 0.0,
        ask: 0.0,
        price_hint: 2,
    }
}

fn wrapped(bytes: &[u8]) -> String {
    format!(r#"{{"type":"pricing","message":"{}"}}"#, STANDARD.encode(bytes))
}

fn framed(data: &Pricing) -> String {
    wrapped(&data.encode_to_vec())
}

fn at(text: &str) -> WallTime {
    WallTime::parse(text).unwrap()
}

fn only(text: &str) -> Result<(String, String, WallTime, Option<u8>), Refusal> {
    let frames = yahoo_frame(text).unwrap();
    let [Frame::Quote(heard)] = frames.as_slice() else { panic!("{frames:?}") };
    heard.clone().map(|heard| (heard.name, heard.last.to_string(), heard.at.unwrap(), heard.decimals))
}

#[test]
fn a_captured_frame_is_read_wrapped_and_bare() {
    let expected = ("DKNG".to_owned(), "24.535".to_owned(), WallTime(1_788_377_229_000_000_000), Some(2));
    assert_eq!(only(&format!(r#"{{"type":"pricing","message":"{CAPTURED}"}}"#)).unwrap(), expected);
    assert_eq!(only(CAPTURED).unwrap(), expected);
}

#[test]
fn all_vectors_of_the_shared_folder_are_read() {
    let Some(folder) = shared() else { return };
    let text = fs::read_to_string(folder.join("data/from-repos/ws-frames/yahoo_stream_vectors.jsonl")).unwrap();
    let mut regular = 0;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (frame, expect) = (row["frame"].as_str().unwrap(), &row["expect"]);
        if expect["market_hours"] != 1 {
            assert_eq!(yahoo_frame(frame).unwrap(), [], "not of the session: {line}");
            continue;
        }
        regular += 1;
        let frames = yahoo_frame(frame).unwrap();
        let [Frame::Quote(Ok(heard))] = frames.as_slice() else { panic!("{frames:?}") };
        let number = |name: &str| expect[name].as_f64().map(|value| value.to_string());
        assert_eq!(heard.name, expect["id"].as_str().unwrap());
        assert_eq!(Some(heard.last.to_string()), number("price"), "no noise of binary fractions");
        assert_eq!(heard.at.unwrap().0 / 1_000_000, expect["time_ms"].as_i64().unwrap());
        assert_eq!([heard.bid, heard.ask].map(|side| side.map(|side| side.to_string())), [number("bid"), number("ask")]);
        assert_eq!(heard.decimals, expect["price_hint"].as_u64().map(|hint| hint as u8));
    }
    assert_eq!(regular, 4);
}

#[test]
fn what_is_no_price_is_none_and_what_makes_no_sense_is_named() {
    let good = pricing("AAPL", 226.5, at("2026-11-25T15:00:00Z"));
    let failure = |data: Pricing| only(&framed(&data)).unwrap_err().failure;
    assert_eq!(failure(Pricing { id: String::new(), ..good.clone() }), Failure::NoData);
    assert_eq!(failure(Pricing { price: 0.0, ..good.clone() }), Failure::NoData);
    assert_eq!(failure(Pricing { time: 0, ..good.clone() }), Failure::NoData);
    assert_eq!(failure(Pricing { price: -1.0, ..good.clone() }), Failure::Nonsense);
    assert_eq!(failure(Pricing { price: f32::NAN, ..good.clone() }), Failure::Nonsense);
    assert_eq!(failure(Pricing { time: -5, ..good.clone() }), Failure::Nonsense);
    assert_eq!(failure(Pricing { time: i64::MAX, ..good.clone() }), Failure::Nonsense);
    assert_eq!(failure(Pricing { bid: 227.0, ask: 226.0, ..good.clone() }), Failure::Nonsense);
    for nothing in [
        framed(&Pricing { quote_type: 7, ..good.clone() }),
        framed(&Pricing { market_hours: 0, ..good.clone() }),
        framed(&Pricing { market_hours: 2, ..good.clone() }),
        r#"{"type":"ping"}"#.to_owned(),
        r#"{"type":"pong","message":7}"#.replace("7", "\"\""),
    ] {
        assert_eq!(yahoo_frame(&nothing).unwrap(), [], "{nothing}");
    }
    assert_eq!(only("CloudFlare is restarting").unwrap_err().failure, Failure::Malformed);
    assert_eq!(only(&wrapped(&[0x0a, 0xff, 1])).unwrap_err().failure, Failure::Malformed);
    assert_eq!(yahoo_frame(r#"{"type":7}"#).unwrap_err().failure, Failure::Schema);
    assert_eq!(yahoo_frame(r#"{"type":"#).unwrap_err().failure, Failure::Malformed);
}

fn asked(name: &'static str, instrument: u32) -> Wanted<'static> {
    Wanted {
        name,
        instrument: InstrumentId(instrument),
        kind: AssetClass::Stock,
        calendar: Calendar::UsEquity,
        decimals: 2,
        currency: Currency::USD,
        has_volume: true,
        plan: Plan::Free,
        from: MarketTime(0),
        now: at("2026-11-25T15:00:00Z"),
    }
}

const SPARK: &str = r#"{"AAPL":{"timestamp":[1795618680,1795618740,1795618800],"close":[226.1,226.5299987792969,null],"symbol":"AAPL",
 "previousClose":225.0,"chartPreviousClose":225.0,"dataGranularity":60,"start":1,"end":2},"IBM":{"timestamp":[],"close":[],"symbol":"IBM"},"KO":null}"#;

const SPARK_7: &str = r#"{"spark":{"result":[{"symbol":"AAPL","response":[{"meta":{"currency":"USD","symbol":"AAPL","priceHint":2,
 "regularMarketPrice":226.55,"regularMarketTime":1795618815},"timestamp":[1795618740],"indicators":{"quote":[{"close":[226.53]}]}}]}],"error":null}}"#;

#[test]
fn prices_of_many_are_read_in_both_shapes_and_who_is_absent_is_no_error() {
    let read = |status: u16, body: &str| {
        let told = yahoo_spark(status, body.as_bytes(), &[asked("AAPL", 1), asked("IBM", 2), asked("KO", 3), asked("GE", 4)]);
        told.map(|quotes| {
            quotes
                .iter()
                .map(|quote: &VenueQuote| format!("{} {} {}", quote.instrument.0, quote.last, quote.at))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(read(200, SPARK).unwrap(), ["1 226.53 2026-11-25T14:59:00Z"]);
    let spoilt = SPARK.replace("\"timestamp\":[],\"close\":[]", "\"timestamp\":[1795618740],\"close\":[-1]");
    assert_eq!(read(200, &spoilt).unwrap().len(), 1, "one that makes no sense spoils nothing of the others");
    assert_eq!(read(200, SPARK_7).unwrap(), ["1 226.55 2026-11-25T15:00:15Z"]);
    let error =
        |key: &str, code: &str| format!(r#"{{"{key}":{{"result":null,"error":{{"code":"{code}","description":"words"}}}}}}"#);
    for (status, body, failure) in [
        (200, "{}".to_owned(), Failure::NoData),
        (200, SPARK_7.replace("\"AAPL\",\"response", "\"MSFT\",\"response"), Failure::NoData),
        (404, error("spark", "Not Found"), Failure::UnknownSymbol),
        (400, error("spark", "Bad Request"), Failure::BadRequest),
        (401, error("finance", "Unauthorized"), Failure::Blocked),
        (500, error("finance", "Internal"), Failure::Upstream),
        (429, "Too Many Requests\r\n".to_owned(), Failure::Throttled { retry_after: None }),
        (200, "Too Many Requests".to_owned(), Failure::Throttled { retry_after: None }),
        (200, "<html>Will be right back".to_owned(), Failure::Upstream),
        (999, "<html>".to_owned(), Failure::Blocked),
        (200, "<html>consent</html>".to_owned(), Failure::Blocked),
        (200, SPARK.replace("226.5299987792969", "Infinity"), Failure::Malformed),
        (200, SPARK.replace("226.5299987792969", "-2"), Failure::Nonsense),
        (
            200,
            SPARK.replace("[226.1,", "{\"a\":1,\"b\":[").replace("null],\"symbol\":\"AAPL\"", "null]},\"symbol\":\"AAPL\""),
            Failure::Schema,
        ),
        (200, SPARK[..100].to_owned(), Failure::Malformed),
        (200, SPARK_7.replace("\"USD\"", "\"GBp\""), Failure::Nonsense),
    ] {
        assert_eq!(read(status, &body).unwrap_err().failure, failure, "HTTP {status}: {body}");
    }
}

/// Everything of the table that Yahoo has a name for, with the desk around it in virtual time.
struct World {
    desk: Desk,
    now: WallTime,
    asked: Vec<(WallTime, Request)>,
    sent: Vec<(WallTime, String)>,
    closed: Vec<WallTime>,
    news: Vec<VenueQuote>,
    /// Whether requests are answered; those that are not time out.
    is_answering: bool,
}

impl World {
    fn new(now: &str) -> Self {
        let mut table = ProviderTable::read(TABLE, None).unwrap();
        table.aliases.retain(|symbol, _| symbol != "BTCUSD" && symbol != "EURUSD");
        let lines = table.aliases.values().enumerate().map(|(number, names)| Line {
            instrument: InstrumentId(number as u32 + 100),
            kind: AssetClass::Stock,
            calendar: Calendar::UsEquity,
            decimals: 2,
            currency: Currency::USD,
            names: names.clone(),
            known_until: None,
            last_close: None,
        });
        let (lines, budget, now) = (lines.collect(), table.budget(), at(now));
        let (asked, sent, closed, news) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { desk: Desk::new(table, budget, lines, 7, now), now, asked, sent, closed, news, is_answering: true }
    }

    fn handle(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.desk.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Open(id) => self.handle(Input::Opened(id)),
                Output::Close(_) => self.closed.push(self.now),
                Output::Send(_, text) => self.sent.push((self.now, text)),
                Output::News(ProviderNews::Price(quote)) => self.news.push(quote),
                Output::Noted(_) => {}
                Output::Fetch(request) => {
                    let body = if request.path.contains("/spark?") { self.spark(&request) } else { String::new() };
                    let told = if body.is_empty() || !self.is_answering {
                        Err(Refusal::of(Failure::NoData))
                    } else {
                        Ok(Answer { status: 200, retry_after: None, body: body.into_bytes() })
                    };
                    let id = request.id;
                    self.asked.push((self.now, request));
                    self.handle(Input::Answered(id, told));
                }
                Output::Ping(_) | Output::Keep(_) | Output::News(_) | Output::Served(_) => {}
            }
        }
    }

    fn spark(&self, request: &Request) -> String {
        let names = request.path.split("symbols=").nth(1).unwrap().split('&').next().unwrap().replace("%5E", "^");
        let second = self.now.0 / 60_000_000_000 * 60;
        let one = |name: &str| format!(r#""{name}":{{"symbol":"{name}","timestamp":[{second}],"close":[226.5]}}"#);
        format!("{{{}}}", names.split(',').map(one).collect::<Vec<_>>().join(","))
    }

    fn run(&mut self, seconds: i64, says: impl Fn(&Self) -> Option<String>) {
        for _ in 0..seconds * 2 {
            if let Some(text) = says(self) {
                self.handle(Input::Text(YAHOO, &text));
            }
            self.handle(Input::Tick);
            self.now = WallTime(self.now.0 + 500_000_000);
        }
    }

    fn sparks(&self) -> Vec<(WallTime, usize)> {
        let sparks = self.asked.iter().filter(|(_, request)| request.path.contains("/spark?"));
        sparks.map(|(at, request)| (*at, request.path.split(',').count())).collect()
    }
}

/// One listed in another money, or told wrongly again and again, costs nobody else its prices.
#[test]
fn what_is_told_wrongly_of_one_instrument_says_nothing_about_the_others() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    let number = |world: &World, name: &str| {
        let named = |names: &BTreeMap<ProviderId, Alias>| names.get(&YAHOO).is_some_and(|alias| alias.shown() == name);
        let mut table = ProviderTable::read(TABLE, None).unwrap();
        table.aliases.retain(|symbol, _| symbol != "BTCUSD" && symbol != "EURUSD");
        assert!(world.asked.is_empty());
        InstrumentId(100 + table.aliases.values().position(named).unwrap() as u32)
    };
    let (apple, foreign, crossed) = (number(&world, "AAPL"), number(&world, "KO"), number(&world, "IBM"));
    world.handle(Input::Opened(YAHOO));
    let turn = |world: &World| world.now.0 / 500_000_000 % 3;
    world.run(120, |world| {
        let said = match turn(world) {
            0 => pricing("AAPL", 226.5, world.now),
            1 => Pricing { currency: "EUR".to_owned(), ..pricing("KO", 60.0, world.now) },
            _ => Pricing { bid: 227.0, ask: 226.0, ..pricing("IBM", 226.5, world.now) },
        };
        Some(framed(&said))
    });
    let last = |id: InstrumentId| world.news.iter().rev().find(|quote| quote.instrument == id).map(|quote| quote.at);
    assert!(last(apple).is_some_and(|at| world.now.since(at).0 < 3_000_000_000), "{:?}", last(apple));
    let streamed = |id: InstrumentId| {
        world.news.iter().filter(|quote| quote.instrument == id).map(|quote| quote.last.to_string()).collect::<Vec<_>>()
    };
    assert!(
        !streamed(foreign).contains(&"60".to_owned()) && streamed(crossed).iter().all(|price| price == "226.5"),
        "{:?}",
        streamed(foreign)
    );
}

#[test]
fn twenty_five_shares_without_a_stream_cost_two_requests_a_minute() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    world.run(10 * 60, |_| None);
    let names = world.sparks()[0].1 + world.sparks()[1].1;
    assert_eq!((names, world.sparks()[0].1), (25, 20), "all of them, at most twenty at a time");
    let minutes: BTreeMap<i64, usize> = world.sparks().iter().fold(BTreeMap::new(), |mut count, (at, _)| {
        *count.entry(at.0 / 60_000_000_000).or_default() += 1;
        count
    });
    assert!(minutes.values().all(|count| *count <= 2) && world.sparks().len() >= 16, "{minutes:?}");
    assert!(world.desk.view(world.now).served.iter().all(|served| served.quotes.is_some()), "and each has a price");
    let mut night = World::new("2026-11-25T02:00:00Z");
    night.run(30 * 60, |_| None);
    assert!(night.sparks().len() <= 6, "a closed market is asked every quarter of an hour: {}", night.sparks().len());
}

#[test]
fn what_is_streamed_is_not_asked_for_and_is_once_it_falls_silent() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    let speaks = |world: &World| {
        let aapl = framed(&pricing("AAPL", 226.53, world.now));
        (world.now < at("2026-11-25T15:05:00Z")).then_some(aapl)
    };
    world.run(300, speaks);
    let named = |world: &World| {
        world.asked.iter().filter(|(_, request)| request.path.contains("/spark?") && request.path.contains("AAPL")).count()
    };
    assert_eq!(named(&world), 0, "its price is streamed");
    assert!(!world.sparks().is_empty(), "others are not");
    assert_eq!(world.news.iter().filter(|quote| quote.last.to_string() == "226.53").count(), 600);
    world.run(40, speaks);
    assert_eq!(named(&world), 1, "asked for within the quarter of a minute in which names are gathered");
}

#[test]
fn a_price_that_was_asked_for_and_jumps_is_held_back_and_said() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    // Six percent above what its answers will say.
    world.run(20, |world| Some(framed(&pricing("AAPL", 240.1, world.now))));
    let aapl = world.news.iter().find(|quote| quote.last.to_string() == "240.1").unwrap().instrument;
    let before = world.news.iter().filter(|quote| quote.instrument == aapl).count();
    // The first answer is older than the last streamed price, the second is not.
    world.run(110, |_| None);
    assert!(world.asked.iter().any(|(_, request)| request.path.contains("/spark?") && request.path.contains("AAPL")));
    assert_eq!(world.news.iter().filter(|quote| quote.instrument == aapl).count(), before);
    world.run(400, |_| None);
    let told = world.news.iter().rev().find(|quote| quote.instrument == aapl).unwrap();
    assert_eq!(told.last.to_string(), "226.5", "what was heard long ago proves nothing any more");
}

#[test]
fn subscriptions_are_sent_every_fifteen_seconds_and_a_silent_stream_is_closed_in_an_open_market_only() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    world.run(60, |world| Some(framed(&pricing("AAPL", 226.53, world.now))));
    let times: Vec<i64> = world.sent.iter().map(|(at, _)| at.since(world.sent[0].0).0 / 1_000_000_000).collect();
    assert_eq!(times, [0, 15, 30, 45]);
    assert!(world.sent.iter().all(|(_, text)| text.starts_with(r#"{"subscribe":["#) && text.contains("\"^GSPC\"")));
    assert_eq!(world.closed, []);
    world.run(80, |_| Some(r#"{"type":"ping"}"#.to_owned()));
    assert_eq!(world.closed, [], "not yet");
    world.run(12, |_| Some(r#"{"type":"ping"}"#.to_owned()));
    assert_eq!(world.closed.len(), 1, "signs of life are no prices");
    let mut night = World::new("2026-11-25T02:00:00Z");
    night.run(1_800, |_| None);
    assert_eq!(night.closed, []);
}

#[test]
fn times_that_go_back_and_prices_that_jump_are_not_passed_on() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    world.run(2, |world| Some(framed(&pricing("AAPL", 226.53, world.now))));
    let before = world.news.len();
    let back = framed(&pricing("AAPL", 227.0, WallTime(world.now.0 - 60_000_000_000)));
    world.handle(Input::Text(YAHOO, &back));
    let ahead = framed(&pricing("AAPL", 227.0, WallTime(world.now.0 + 120_000_000_000)));
    world.handle(Input::Text(YAHOO, &ahead));
    let far = framed(&pricing("AAPL", 22_653.0, world.now));
    world.handle(Input::Text(YAHOO, &far));
    assert_eq!(world.news.len(), before);
    let noisy = framed(&pricing("AAPL", 226.531_23, world.now));
    world.handle(Input::Text(YAHOO, &noisy));
    assert_eq!(world.news.last().unwrap().last.to_string(), "226.53", "behind its two decimals there is noise");
}

#[test]
fn a_symbol_that_spoils_a_request_is_found_and_the_others_are_served() {
    let mut world = World::new("2026-11-25T15:00:00Z");
    world.is_answering = false;
    // A whole request is refused wherever KO is in it.
    for _ in 0..600 {
        let mut out = Vec::new();
        world.desk.handle(world.now, Input::Tick, &mut out);
        for output in out {
            let Output::Fetch(request) = output else { continue };
            let (is_spark, has_ko) = (request.path.contains("/spark?"), request.path.contains("KO"));
            let (status, body) = if is_spark && !has_ko {
                (200, world.spark(&request))
            } else {
                (404, r#"{"spark":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}"#.to_owned())
            };
            let id = request.id;
            world.asked.push((world.now, request));
            let told = Ok(Answer { status, retry_after: None, body: body.into_bytes() });
            world.desk.handle(world.now, Input::Answered(id, told), &mut Vec::new());
        }
        world.now = WallTime(world.now.0 + 500_000_000);
    }
    let served = world.desk.view(world.now).served;
    assert_eq!(served.iter().filter(|served| served.quotes.is_none()).count(), 1);
    let silent = served.iter().find(|served| served.quotes.is_none()).unwrap();
    assert!(silent.quotes_before.iter().any(|(_, why)| why.contains("does not know the symbol")), "{silent:?}");
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + deadline();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "never came: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn over_sockets_prices_are_streamed_then_asked_for_then_streamed_again() {
    let mood: Arc<Mutex<Mood>> = Arc::default();
    let count = AtomicU32::new(0);
    let tick = move || {
        let cents = count.fetch_add(1, Ordering::SeqCst) % 50;
        framed(&Pricing { quote_type: 41, ..pricing("BTC-USD", 105.0 + cents as f32 / 100.0, wall_now()) })
    };
    let streaming = stream(&mood, None, |_| Vec::new(), tick);
    let answers = http(|path| {
        let now = wall_now().0 / 1_000_000_000;
        if path.starts_with("/v8/finance/spark?symbols=BTC-USD&") {
            return say(200, format!(r#"{{"BTC-USD":{{"symbol":"BTC-USD","timestamp":[{now}],"close":[105.77]}}}}"#));
        }
        say(404, r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}"#)
    });
    let own = format!(
        "[provider.yahoo]\nhttp = \"http://127.0.0.1:{}\"\nstream = \"ws://127.0.0.1:{}/?version=2\"\n[order]\nquotes = [\"yahoo\"]\nbars = [\"yahoo\"]\n",
        answers.port, streaming.port
    );
    let table = ProviderTable::read(TABLE, Some(&own)).unwrap();
    let (kind, calendar, names) = (AssetClass::Crypto, Calendar::Crypto247, table.aliases["BTCUSD"].clone());
    let line = Line {
        instrument: BITCOIN,
        kind,
        calendar,
        decimals: 2,
        currency: Currency::USD,
        names,
        known_until: None,
        last_close: None,
    };
    let keep = Box::new(|_: &str| Ok(()));
    let link = ProvidersLink::start(table, vec![line], Surroundings { clock: wall_now, kept: None, keep, seed: 7 }).unwrap();
    let (mut news, mut served) = (Vec::new(), Vec::new());
    let mut price = |what: &str, is_it: &dyn Fn(&str) -> bool| {
        wait(what, || {
            link.take(&mut news, &mut served);
            let mut prices = news
                .drain(..)
                .filter_map(|one| if let ProviderNews::Price(quote) = one { Some(quote.last.to_string()) } else { None });
            prices.find(|price| is_it(price))
        })
    };
    price("a streamed price", &|price| price.starts_with("105."));
    assert_eq!(mood.lock().unwrap().opened, ["/?version=2 from https://finance.yahoo.com"]);
    assert_eq!(mood.lock().unwrap().heard, [r#"{"subscribe":["BTC-USD"]}"#]);
    mood.lock().unwrap().says.extend([
        "not base64 at all!".to_owned(),
        wrapped(&[0x0a, 0xff, 1]),
        framed(&Pricing { quote_type: 7, ..pricing("BTC-USD", 1.0, wall_now()) }),
        framed(&Pricing { market_hours: 0, ..pricing("BTC-USD", 1.0, wall_now()) }),
    ]);
    wait("the garbage to be noted", || {
        let view = link.view();
        view.providers.iter().find(|one| one.id == YAHOO)?.last.clone().filter(|(_, why)| why.contains("cannot be read"))
    });
    assert_eq!(mood.lock().unwrap().connections, 1, "one frame that cannot be read costs no connection");
    mood.lock().unwrap().is_down = true;
    price("a price that was asked for", &|price| price == "105.77");
    mood.lock().unwrap().is_down = false;
    wait("a second connection that subscribes again", || {
        let mood = mood.lock().unwrap();
        (mood.connections == 2 && mood.heard.len() >= 2).then_some(())
    });
    price("a streamed price again", &|price| price.starts_with("105.") && price != "105.77");
}
