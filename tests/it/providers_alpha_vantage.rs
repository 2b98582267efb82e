//! Alpha Vantage: what it says byte by byte, what its key may be asked for, and that the key appears nowhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pmax::domain::{AssetClass, Calendar, Currency, InstrumentId, MarketTime, Secret, WallTime};
use pmax::market::providers::clients::{alpha_vantage_bars, alpha_vantage_quote, alpha_vantage_refusal};
use pmax::market::providers::{
    Answer, Budget, Capability, Desk, Failure, FeedView, Input, KeyName, Line, Output, Plan, ProviderId, ProviderTable,
    ProvidersLink, Request, Surroundings, Wanted,
};
use pmax::runtime::wall_now;

use crate::support::market_server::{http, say};
use crate::support::pty::{Launch, Terminal};
use crate::support::{deadline, run};
use crate::terminal::{home, open_as, quit};

const TABLE: &str = include_str!("../../config/providers.toml");
const KEY: &str = "CANARY7F31C9WORD";
const SHARE: InstrumentId = InstrumentId(2);
const EURO: InstrumentId = InstrumentId(6);
const ALPHA: ProviderId = ProviderId::AlphaVantage;

fn at(text: &str) -> MarketTime {
    MarketTime::parse(text).unwrap()
}

fn wanted(name: &'static str, kind: AssetClass) -> Wanted<'static> {
    let calendar = if kind == AssetClass::Stock { Calendar::UsEquity } else { Calendar::Fx245 };
    let (from, now) = (at("2026-11-25T14:30"), WallTime(at("2026-11-25T14:34:30Z").0));
    let (instrument, plan) = (SHARE, Plan::Realtime);
    Wanted { name, instrument, kind, calendar, decimals: 2, currency: Currency::USD, has_volume: true, plan, from, now }
}

/// Four minutes of a morning in New York, newest first, as the contract shows them.
const MINUTES: &str = r#"{"Meta Data":{"1. Information":"Intraday (1min) open, high, low, close prices and volume","2. Symbol":"IBM",
 "3. Last Refreshed":"2026-11-25 09:33:00","4. Interval":"1min","5. Output Size":"Compact","6. Time Zone":"US/Eastern"},
 "Time Series (1min)":{
 "2026-11-25 09:33:00":{"1. open":"301.5800","2. high":"301.6800","3. low":"301.5800","4. close":"301.6800","5. volume":"13"},
 "2026-11-25 09:31:00":{"1. open":"301.4000","2. high":"301.6000","3. low":"301.4000","4. close":"301.5000","5. volume":"500"},
 "2026-11-25 09:30:00":{"1. open":"301.0000","2. high":"301.5000","3. low":"300.9000","4. close":"301.4000","5. volume":"1200"},
 "2026-11-25 08:00:00":{"1. open":"300.0000","2. high":"300.0000","3. low":"300.0000","4. close":"300.0000","5. volume":"1"}}}"#;

const QUOTE: &str = r#"{"Global Quote":{"01. symbol":"IBM","02. open":"300","03. high":"302","04. low":"299","05. price":"301.6800",
 "06. volume":"3000000","07. latest trading day":"2026-11-25","08. previous close":"300.34","09. change":"1.34","10. change percent":"0.4435%"}}"#;

const RATE: &str = r#"{"Realtime Currency Exchange Rate":{"1. From_Currency Code":"EUR","2. From_Currency Name":"Euro","3. To_Currency Code":"USD",
 "4. To_Currency Name":"US Dollar","5. Exchange Rate":"1.08750000","6. Last Refreshed":"2026-11-25 14:34:11","7. Time Zone":"UTC",
 "8. Bid Price":"1.08740000","9. Ask Price":"1.08760000"}}"#;

#[test]
fn minutes_are_read_with_their_zone_and_only_what_is_over_is_closed() {
    let chart = alpha_vantage_bars(200, MINUTES.as_bytes(), &wanted("IBM", AssetClass::Stock)).unwrap();
    let closes: Vec<String> = chart.closed.iter().map(|bar| format!("{} {}", bar.open_at, bar.close)).collect();
    assert_eq!(closes, ["2026-11-25T14:30:00Z 301.4", "2026-11-25T14:31:00Z 301.5"]);
    assert_eq!(chart.closed[0].volume.unwrap().milli(), 1_200_000);
    assert_eq!(chart.opened.map(|(at, _)| at), Some(at("2026-11-25T14:33")));
    let summer = MINUTES.replace("2026-11-25", "2026-07-15");
    let july =
        Wanted { from: at("2026-07-15T13:30"), now: WallTime(at("2026-07-15T13:34:30Z").0), ..wanted("IBM", AssetClass::Stock) };
    let chart = alpha_vantage_bars(200, summer.as_bytes(), &july).unwrap();
    assert_eq!(chart.closed[0].open_at, at("2026-07-15T13:30"), "an hour earlier in summer");
    let pair = MINUTES
        .replace("\"2. Symbol\":\"IBM\"", "\"2. From Symbol\":\"EUR\",\"3. To Symbol\":\"USD\"")
        .replace("6. Time Zone\":\"US/Eastern", "7. Time Zone\":\"UTC")
        .replace("4. Interval", "5. Interval")
        .replace("Time Series (1min)", "Time Series FX (1min)")
        .replace("2026-11-25 09", "2026-11-25 14")
        .replace(",\"5. volume\":\"500\"", "");
    let chart = alpha_vantage_bars(200, pair.as_bytes(), &wanted("EUR/USD", AssetClass::Fx)).unwrap();
    assert_eq!((chart.closed.len(), chart.closed[1].volume), (2, None));
}

#[test]
fn a_price_is_no_younger_than_it_can_be() {
    let quote = |body: &str, now: &str| {
        let wanted = Wanted { now: WallTime(at(now).0), ..wanted("IBM", AssetClass::Stock) };
        alpha_vantage_quote(200, body.as_bytes(), &wanted).map(|quote| (quote.last.to_string(), quote.at.to_string()))
    };
    assert_eq!(quote(QUOTE, "2026-11-25T15:00:00Z").unwrap(), ("301.68".to_owned(), "2026-11-25T15:00:00Z".to_owned()));
    assert_eq!(quote(QUOTE, "2026-11-26T15:00:00Z").unwrap().1, "2026-11-25T21:00:00Z", "of a day that is over: its close");
    let decorated = QUOTE.replace("Global Quote", "Global Quote - DATA DELAYED BY 15 MINUTES");
    assert!(quote(&decorated, "2026-11-25T15:00:00Z").is_ok());
    let failure = |body: &str| quote(body, "2026-11-25T15:00:00Z").unwrap_err().failure;
    assert_eq!(failure(r#"{"Global Quote":{}}"#), Failure::UnknownSymbol);
    assert_eq!(failure(&QUOTE.replace("IBM", "MSFT")), Failure::Schema);
    assert_eq!(failure(&QUOTE.replace("301.6800", "0")), Failure::Nonsense);
    assert_eq!(failure(&QUOTE.replace("05. price", "05. prize")), Failure::Schema);
    let rate = alpha_vantage_quote(200, RATE.as_bytes(), &wanted("EUR/USD", AssetClass::Fx)).unwrap();
    let said = [Some(rate.last), rate.bid, rate.ask].map(|price| price.unwrap().to_string());
    assert_eq!((said.join(" ").as_str(), rate.at.to_string().as_str()), ("1.0875 1.0874 1.0876", "2026-11-25T14:34:11Z"));
    let crypto = RATE.replace("1.08740000", "-").replace("1.08760000", "-");
    let crypto = alpha_vantage_quote(200, crypto.as_bytes(), &wanted("EUR/USD", AssetClass::Crypto)).unwrap();
    assert_eq!((crypto.bid, crypto.ask), (None, None));
}

/// Every sentence of the contract, with what it means. All come with HTTP 200.
fn sentences() -> Vec<(String, Failure)> {
    let throttled = Failure::Throttled { retry_after: None };
    let said = |key: &str, words: &str| format!(r#"{{"{key}":"{words}"}}"#);
    vec![
        (
            said(
                "Information",
                "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request per second). You may subscribe to any of the premium plans to lift the free key rate limit (25 requests per day)",
            ),
            throttled,
        ),
        (
            said(
                "Information",
                &format!(
                    "We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. Please subscribe to any of the premium plans"
                ),
            ),
            Failure::QuotaExhausted,
        ),
        (
            said(
                "Note",
                &format!("We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day."),
            ),
            Failure::QuotaExhausted,
        ),
        (
            said("Information", "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe"),
            Failure::NotEntitled,
        ),
        (
            said("Information", "The outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY endpoint."),
            Failure::NotEntitled,
        ),
        (said("Information", "The **demo** API key is for demo purposes only."), Failure::BadKey),
        (said("Error Message", "the parameter apikey is invalid or missing. Please claim your free API key"), Failure::BadKey),
        (said("Information", "No articles found. Please adjust the time range"), Failure::NoData),
        (said("Information", "Invalid inputs. Please refer to the API documentation"), Failure::BadRequest),
        (
            said(
                "Error Message",
                "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY.",
            ),
            Failure::UnknownSymbol,
        ),
        (said("Note", "Our standard API call frequency is 5 calls per minute and 500 calls per day."), throttled),
        (said("Information", "Something new"), Failure::Schema),
    ]
}

#[test]
fn every_refusal_is_told_by_its_sentence_and_without_the_key() {
    for (body, failure) in sentences() {
        let refusal = alpha_vantage_refusal(body.as_bytes()).unwrap();
        assert_eq!(refusal.failure, failure, "{body}");
        assert!(!refusal.to_string().contains(KEY), "{refusal}");
        assert_eq!(alpha_vantage_bars(200, body.as_bytes(), &wanted("IBM", AssetClass::Stock)).unwrap_err(), refusal);
    }
    assert_eq!(alpha_vantage_refusal(b"timestamp,open,high,low,close,volume\n"), None, "rows as text are no refusal");
    assert_eq!(alpha_vantage_refusal(MINUTES.as_bytes()), None);
    let bars = |status: u16, body: &str| {
        alpha_vantage_bars(status, body.as_bytes(), &wanted("IBM", AssetClass::Stock)).unwrap_err().failure
    };
    for (status, body, failure) in [
        (200, "{}".to_owned(), Failure::UnknownSymbol),
        (502, "<html>Bad Gateway</html>".to_owned(), Failure::Upstream),
        (200, "<html>".to_owned(), Failure::Blocked),
        (200, MINUTES[..400].to_owned(), Failure::Malformed),
        (200, MINUTES.replace("Time Series", "Series"), Failure::Schema),
        (200, MINUTES.replace("US/Eastern", "Mars"), Failure::Schema),
        (200, MINUTES.replace("\"1min\"", "\"5min\""), Failure::Nonsense),
        (200, MINUTES.replace("IBM", "MSFT"), Failure::Schema),
        (200, MINUTES.replace("301.4000\",\"5", "30140\",\"5"), Failure::Nonsense),
        (200, MINUTES.replace("4. close\":\"301.5000", "4. close\":\"."), Failure::Schema),
    ] {
        assert_eq!(bars(status, &body), failure, "HTTP {status}: {body}");
    }
}

fn table(own: &str, has_key: bool) -> ProviderTable {
    let mut table = ProviderTable::read(TABLE, Some(own)).unwrap();
    table.provider.get_mut(&ProviderId::Yahoo).unwrap().stream.clear();
    if has_key {
        table.keys.take(KeyName::AlphaVantage, Secret::new(KEY));
    }
    table
}

fn line(instrument: InstrumentId, kind: AssetClass, table: &ProviderTable, symbol: &str) -> Line {
    let calendar = if kind == AssetClass::Stock { Calendar::UsEquity } else { Calendar::Fx245 };
    Line {
        instrument,
        kind,
        calendar,
        decimals: 2,
        currency: Currency::USD,
        names: table.aliases[symbol].clone(),
        known_until: None,
    }
}

/// A Wednesday noon in New York.
const NOON: &str = "2026-11-25T17:00:00Z";

struct World {
    desk: Desk,
    now: WallTime,
    asked: Vec<Request>,
}

impl World {
    fn new(table: ProviderTable, budget: Budget) -> Self {
        let lines = vec![line(SHARE, AssetClass::Stock, &table, "IBM"), line(EURO, AssetClass::Fx, &table, "EURUSD")];
        let now = WallTime(at(NOON).0);
        Self { desk: Desk::new(table, budget, lines, 7, now), now, asked: Vec::new() }
    }

    /// Lets time pass in half seconds; `answer` says what a request brings.
    fn run(&mut self, seconds: i64, answer: impl Fn(&Request) -> String) {
        for _ in 0..seconds * 2 {
            let mut out = Vec::new();
            self.desk.handle(self.now, Input::Tick, &mut out);
            for output in out {
                let Output::Fetch(request) = output else { continue };
                let body = answer(&request).into_bytes();
                let told = Input::Answered(request.id, Ok(Answer { status: 200, retry_after: None, body }));
                self.desk.handle(self.now, told, &mut Vec::new());
                self.asked.push(request);
            }
            self.now = WallTime(self.now.0 + 500_000_000);
        }
    }

    fn of_alpha(&self) -> Vec<&str> {
        self.asked.iter().filter(|request| request.provider == ALPHA).map(|request| request.path.as_str()).collect()
    }
}

fn before(view: &FeedView, instrument: InstrumentId, capability: Capability) -> BTreeMap<ProviderId, String> {
    let served = view.served.iter().find(|served| served.instrument == instrument).unwrap();
    let before = if capability == Capability::Quotes { &served.quotes_before } else { &served.bars_before };
    before.iter().cloned().collect()
}

#[test]
fn a_free_key_is_passed_over_for_what_is_live_and_the_screen_says_why() {
    let mut world = World::new(table("", true), Budget::default());
    world.run(120, |_| String::new());
    assert_eq!(world.of_alpha(), Vec::<&str>::new());
    let view = world.desk.view(world.now);
    for capability in Capability::ALL {
        assert_eq!(before(&view, SHARE, capability)[&ALPHA], "not entitled: free key");
    }
    let alpha = view.providers.iter().find(|provider| provider.id == ALPHA).unwrap();
    assert_eq!(alpha.key.as_deref(), Some("free key: not entitled to live quotes and bars"));
    assert_eq!(alpha.last, None, "that is no trouble");
    let none = World::new(table("", false), Budget::default());
    let view = none.desk.view(none.now);
    assert!(before(&view, SHARE, Capability::Bars).keys().all(|id| *id != ALPHA), "without a key there is nothing to explain");
    let alpha = view.providers.iter().find(|provider| provider.id == ALPHA).unwrap();
    assert!(alpha.key.as_ref().unwrap().contains("pmax keys set alphavantage"));
}

const REALTIME: &str = "[provider.alphavantage]\nplan = \"realtime\"\nlimits = { per_minute = 75, per_day = 100000 }\n";

#[test]
fn a_plan_that_holds_live_prices_is_asked_first_and_with_its_words() {
    let mut world = World::new(table(REALTIME, true), Budget::default());
    world.run(20, |_| MINUTES.to_owned());
    let paths = world.of_alpha();
    let is_asked = |words: &str| paths.iter().any(|path| path.contains(words));
    assert!(is_asked("function=TIME_SERIES_INTRADAY&symbol=IBM") && is_asked("function=GLOBAL_QUOTE&symbol=IBM"), "{paths:?}");
    assert!(is_asked("function=FX_INTRADAY&from_symbol=EUR&to_symbol=USD"), "{paths:?}");
    assert!(paths.iter().all(|path| path.ends_with("&entitlement=realtime") && !path.contains("apikey")), "{paths:?}");
    let delayed = REALTIME.replace("realtime", "delayed");
    let mut world = World::new(table(&delayed, true), Budget::default());
    world.run(20, |_| "{}".to_owned());
    let paths = world.of_alpha();
    assert!(!paths.is_empty() && paths.iter().all(|path| path.contains("INTRADAY")), "minutes only: {paths:?}");
    let first = world.asked.iter().find(|request| request.path.contains("IBM")).unwrap();
    assert_eq!(first.provider, ProviderId::Yahoo, "and behind whoever tells them at once");
}

#[test]
fn what_the_key_does_not_hold_is_not_asked_for_again_and_the_rest_is() {
    let premium = r#"{"Information":"This is a premium endpoint."}"#;
    let mut world = World::new(table(REALTIME, true), Budget::default());
    world.run(200, |request| if request.path.contains("FX_INTRADAY") { premium } else { "{}" }.to_owned());
    let count = |words: &str| world.of_alpha().iter().filter(|path| path.contains(words)).count();
    assert_eq!(count("FX_INTRADAY"), 1);
    let view = world.desk.view(world.now);
    assert!(before(&view, EURO, Capability::Bars)[&ALPHA].starts_with("not entitled: This is a premium endpoint"));
    assert!(
        before(&view, SHARE, Capability::Bars)[&ALPHA].contains("does not know the symbol"),
        "the other function is still there"
    );
    let mut world = World::new(table(REALTIME, true), Budget::default());
    world.run(200, |_| r#"{"Error Message":"the parameter apikey is invalid or missing."}"#.to_owned());
    assert_eq!(
        world.of_alpha().len(),
        2,
        "a key that is not taken is not tried again after the first moment: {:?}",
        world.of_alpha()
    );
}

#[test]
fn a_day_that_is_used_up_is_over_until_midnight_in_new_york_also_after_a_restart() {
    let (table, quota) = (table(REALTIME, true), sentences()[1].0.clone());
    let mut budget = table.budget();
    let mut world = World::new(table.clone(), budget.clone());
    let mut out = Vec::new();
    world.desk.handle(world.now, Input::Tick, &mut out);
    let first = out.iter().find_map(|output| if let Output::Fetch(request) = output { Some(request.id) } else { None }).unwrap();
    let mut out = Vec::new();
    let told = Ok(Answer { status: 200, retry_after: None, body: quota.into_bytes() });
    world.desk.handle(world.now, Input::Answered(first, told), &mut out);
    let kept = out.iter().find_map(|output| if let Output::Keep(text) = output { Some(text.clone()) } else { None }).unwrap();
    assert!(!kept.contains(KEY), "{kept}");
    let midnight = WallTime(at("2026-11-26T05:00:00Z").0);
    let paused = |desk: &Desk, now| desk.view(now).providers.iter().find(|one| one.id == ALPHA).unwrap().paused_until;
    assert_eq!(paused(&world.desk, world.now), Some(midnight));
    budget.take_up(&kept).unwrap();
    let mut again = World::new(table, budget);
    again.run(60, |_| "{}".to_owned());
    assert_eq!((again.of_alpha().len(), paused(&again.desk, again.now)), (0, Some(midnight)));
}

/// The rule of the contract, however often it is started anew: a minute between two requests, and 25 in a day of New York.
#[test]
fn a_minute_lies_between_two_requests_and_a_day_holds_25_over_restarts_for_a_week() {
    let table = table("", true);
    let (start, mut sent) = (at("2026-11-23T05:00:00Z").0, Vec::new());
    let mut budget = table.budget();
    for step in 0..7 * 24 * 60 * 6 {
        let now = WallTime(start + step * 10_000_000_000 + step % 7 * 1_000_000_000);
        if step % 11 == 0 {
            let text = budget.to_text().unwrap();
            budget = table.budget();
            budget.take_up(&text).unwrap();
        }
        if budget.spend(ALPHA, "GLOBAL_QUOTE", now) {
            sent.push(now.0);
        }
    }
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 60_000_000_000));
    let day = |at: &i64| (at - start) / 86_400_000_000_000;
    for number in 0..7 {
        assert_eq!(sent.iter().filter(|at| day(at) == number).count(), 25, "day {number}");
    }
}

#[test]
fn the_key_leaves_with_the_request_and_appears_nowhere_else() {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&paths);
    let server = http(move |path| {
        heard.lock().unwrap().push(path.to_owned());
        say(
            200,
            format!(
                r#"{{"Information":"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. {KEY} {}"}}"#,
                KEY.to_lowercase()
            ),
        )
    });
    let own = format!(
        "{REALTIME}http = \"http://127.0.0.1:{}\"\n[order]\nquotes = [\"alphavantage\"]\nbars = [\"alphavantage\"]\n",
        server.port
    );
    let table = table(&own, true);
    assert!(!format!("{table:?}").contains(KEY));
    let (kept, lines) = (Arc::new(Mutex::new(String::new())), vec![line(SHARE, AssetClass::Stock, &table, "IBM")]);
    let keeping = Arc::clone(&kept);
    let keep = Box::new(move |text: &str| {
        text.clone_into(&mut keeping.lock().unwrap());
        Ok(())
    });
    let link = ProvidersLink::start(table, lines, Surroundings { clock: wall_now, kept: None, keep, seed: 7 }).unwrap();
    let until = std::time::Instant::now() + deadline();
    let last = loop {
        let view = link.view();
        if let Some(last) = view.providers.iter().find(|one| one.id == ALPHA).and_then(|one| one.last.clone()) {
            break last;
        }
        assert!(std::time::Instant::now() < until, "no refusal came");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    assert!(last.1.contains("requests of the day are used up") && last.1.contains("[key]"), "{}", last.1);
    let view = format!("{:?}", link.view()).to_lowercase();
    assert!(!view.contains(&KEY.to_lowercase()), "{view}");
    assert!(paths.lock().unwrap()[0].ends_with(&format!("&apikey={KEY}")), "{:?}", paths.lock().unwrap());
    assert!(!kept.lock().unwrap().contains(KEY));
}

/// Nobody but who sends a credential may take it out of what holds it.
#[test]
fn only_what_sends_a_credential_reads_it() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains(".reveal()") {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    let known = ["src/broker/xapi/client.rs", "src/llm/remote.rs", "src/market/providers/keys.rs", "src/runtime/markets.rs"];
    assert_eq!(found, known);
}

#[test]
fn keys_are_kept_listed_and_forgotten_without_being_printed() {
    let home = tempfile::tempdir().unwrap();
    let said = |args: &[&str], input: &str| {
        let output = crate::support::run_with_input(args, input, home.path());
        let text = [&output.stdout[..], &output.stderr[..]].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        assert!(!text.contains(KEY), "{text}");
        (output.status.success(), text)
    };
    let none = said(&["keys", "list"], "");
    assert!(none.1.contains("Alpha Vantage") && none.1.contains("FRED") && none.1.contains("none"), "{}", none.1);
    let (is_kept, text) = said(&["keys", "set", "alphavantage"], &format!("{KEY}\n"));
    assert!(is_kept && text.contains("is kept in"), "{text}");
    let listed = said(&["keys", "list", "--format", "json"], "").1;
    assert!(listed.contains(r#""name":"alphavantage""#) && listed.matches("null").count() == 1, "{listed}");
    assert!(said(&["keys", "forget", "alphavantage"], "").0);
    assert!(said(&["keys", "list"], "").1.matches("none;").count() == 2);
    let (is_taken, text) = said(&["keys", "set", "fred"], &format!("{KEY}&x=1\n"));
    assert!(!is_taken && text.contains("letters and digits"), "{text}");
    let output = run(&["keys", "set", "nobody"], &[], home.path());
    assert!(String::from_utf8_lossy(&output.stderr).contains("alphavantage or fred"));
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(KEY.len()).any(|window| window.eq_ignore_ascii_case(KEY.as_bytes()))
}

fn files_with_key(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_key(&path));
        } else if holds(&std::fs::read(&path).unwrap()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_whole_run_leaves_no_trace_of_the_key() {
    let server = http(|path| {
        let said = if path.contains("GLOBAL_QUOTE") { "Please subscribe." } else { KEY };
        say(
            200,
            format!(
                r#"{{"Information":"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. {said}"}}"#
            ),
        )
    });
    let home = home();
    let own = format!(
        "watch = [\"AAPL\"]\n{REALTIME}http = \"http://127.0.0.1:{}\"\n[order]\nquotes = [\"alphavantage\"]\nbars = [\"alphavantage\"]\n",
        server.port
    );
    std::fs::write(home.path().join("providers.toml"), own).unwrap();
    let launch = Launch::new(&["--feed", "live"])
        .env("PMAX_HOME", home.path().display().to_string())
        .env("PMAX_LOG", "trace")
        .env("PMAX_ALPHAVANTAGE_KEY", KEY)
        .size(120, 40);
    let mut terminal = open_as(launch);
    terminal.send("P");
    terminal.wait_text("realtime key");
    terminal.wait_text("requests of the day are");
    quit(&mut terminal);
    assert!(!holds(&terminal.raw()), "on the screen");
    assert_eq!(files_with_key(home.path()), Vec::<String>::new());
    let exported = run(&["journal", "export"], &[("PMAX_ALPHAVANTAGE_KEY", KEY)], home.path());
    assert!(!holds(&exported.stdout) && !holds(&exported.stderr) && !exported.stdout.is_empty());
    let broken = Launch::new(&["--feed", "live"])
        .env("PMAX_HOME", home.path().display().to_string())
        .env("PMAX_ALPHAVANTAGE_KEY", "CANARY 7F31C9WORD")
        .size(160, 40);
    let mut terminal = Terminal::spawn(broken);
    terminal.wait_text("in the environment is none");
    assert_ne!(terminal.wait_exit(), 0);
    assert!(!String::from_utf8_lossy(&terminal.raw()).contains("7F31C9WORD"));
}
