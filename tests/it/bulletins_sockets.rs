//! Publishers of series and news over real sockets, against servers on this machine that answer as the real ones do, and fail as they do.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::domain::{Indicator, InstrumentId, Observation};
use pmax::market::bulletins::{BulletinTable, BulletinView, Watched};
use pmax::market::providers::{Bulletins, Keep, ProviderId, ProviderTable, ProvidersLink, Surroundings};
use pmax::runtime::wall_now;

use crate::support::market_server::{CUT_GZIP, Reply, Server, http, say};
use crate::support::{deadline, shared};

const PROVIDERS: &str = include_str!("../../config/providers.toml");
const TABLE: &str = include_str!("../../config/bulletins.toml");

/// A link that asks one publisher at this port, and nobody else.
struct Asked {
    link: ProvidersLink,
    kept: Arc<Mutex<String>>,
    counts: Arc<Mutex<String>>,
    told: Vec<Observation>,
}

fn keep(text: &Arc<Mutex<String>>) -> Keep {
    let text = Arc::clone(text);
    Box::new(move |new: &str| {
        new.clone_into(&mut text.lock().unwrap());
        Ok(())
    })
}

fn ask(by: &str, port: u16, own: &str, watched: Vec<Watched>, kept: Option<String>) -> Asked {
    let mut providers =
        format!("[provider.{by}]\nhttp = \"http://127.0.0.1:{port}\"\n[order]\nquotes = [\"kraken\"]\nbars = [\"kraken\"]\n");
    // Whoever is not asked would be found at a port where nobody is.
    for other in ["yahoo", "yahoo-rss", "fred", "fredgraph", "treasury", "cboe", "bls", "bls-rss", "fed"] {
        if other != by {
            providers.push_str(&format!("[provider.{other}]\nhttp = \"http://127.0.0.1:1\"\n"));
        }
    }
    let providers = ProviderTable::read(PROVIDERS, Some(&providers)).unwrap();
    let table = BulletinTable::read(TABLE, Some(own)).unwrap();
    let (text, counts) = (Arc::default(), Arc::default());
    let bulletins = Bulletins { table, watched, keyed: vec![ProviderId::Fred], kept, keep: keep(&text) };
    let surroundings = Surroundings { clock: wall_now, kept: None, keep: keep(&counts), seed: 7 };
    let link = ProvidersLink::start_with(providers, Vec::new(), surroundings, Some(bulletins)).unwrap();
    Asked { link, kept: text, counts, told: Vec::new() }
}

impl Asked {
    fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&BulletinView, &[Observation]) -> Option<T>) -> T {
        let until = Instant::now() + deadline();
        loop {
            self.told.extend(self.link.take_published().into_iter().flatten());
            if let Some(found) = self.link.bulletins().and_then(|view| look(&view, &self.told)) {
                return found;
            }
            assert!(Instant::now() < until, "never came: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// One publisher alone, for one series; no news.
fn only(by: &str) -> String {
    format!("order = [\"{by}\"]\n[news]\norder = []\n")
}

fn today() -> jiff::civil::Date {
    jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_nanosecond(i128::from(wall_now().0)).unwrap()).date()
}

/// The day before the latest weekday, as a publisher writes days.
fn days_ago(days: i64) -> jiff::civil::Date {
    today().saturating_sub(jiff::Span::new().days(days))
}

fn curve() -> String {
    let day = days_ago(4).strftime("%m/%d/%Y");
    format!("Date,\"1 Mo\",\"1.5 Month\",\"3 Mo\",\"2 Yr\",\"10 Yr\",\"30 Yr\"\n{day},4.01,,4.05,3.90,4.12,\n")
}

fn server(paths: &Arc<Mutex<Vec<String>>>, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    let heard = Arc::clone(paths);
    http(move |path| {
        heard.lock().unwrap().push(path.to_owned());
        answer(path)
    })
}

fn values(told: &[Observation], indicator: Indicator) -> Vec<String> {
    told.iter().filter(|one| one.indicator == indicator).map(|one| one.value.to_string()).collect()
}

#[test]
fn the_treasury_tells_its_curve_and_a_restart_knows_it() {
    let paths = Arc::default();
    let treasury = server(&paths, |_| say(200, curve()));
    let mut asked = ask("treasury", treasury.port, &only("treasury"), Vec::new(), None);
    asked.wait("ten years", |_, told| (values(told, Indicator::Yield10y) == ["4.12"]).then_some(()));
    assert_eq!(
        (values(&asked.told, Indicator::Yield3m), values(&asked.told, Indicator::Yield30y)),
        (vec!["4.05".to_owned()], Vec::new())
    );
    let path = paths.lock().unwrap()[0].clone();
    assert!(path.contains("/daily-treasury-rates.csv/") && path.contains("type=daily_treasury_yield_curve"), "{path}");
    let counted = asked.counts.lock().unwrap().clone();
    assert!(counted.contains("treasury") && counted.contains("series"), "{counted}");
    let kept = asked.kept.lock().unwrap().clone();
    drop(asked);
    let mut again = ask("treasury", 1, &only("treasury"), Vec::new(), Some(kept));
    again.wait("what was kept", |_, told| (values(told, Indicator::Yield10y) == ["4.12"]).then_some(()));
}

#[test]
fn cboe_bls_and_both_ways_to_fred_are_read_over_sockets() {
    let day = days_ago(5);
    let month = today().first_of_month().saturating_sub(jiff::Span::new().months(2));
    let index = format!("DATE,OPEN,HIGH,LOW,CLOSE\n{},20,21,19,20.5\n", day.strftime("%m/%d/%Y"));
    let bureau = format!(
        r#"{{"status":"REQUEST_SUCCEEDED","message":[],"Results":{{"series":[{{"seriesID":"LNS14000000","data":[{{"year":"{}","period":"M{:02}","value":"4.4","footnotes":[{{}}]}},{{"year":"{}","period":"M13","value":"4.1"}}]}}]}}}}"#,
        month.year(),
        month.month(),
        month.year() - 1
    );
    let fred = format!(r#"{{"count":2,"observations":[{{"date":"{month}","value":"4.3"}},{{"date":"{day}","value":"."}}]}}"#);
    let graph = format!("observation_date,UNRATE,DGS10\n{month},4.2,\n{day},,4.11\n");
    for (by, body, indicator, value, mark) in [
        ("cboe", index, Indicator::Vix, "20.5", "VIX_History.csv"),
        ("bls", bureau, Indicator::Unemployment, "4.4", "LNS14000000"),
        ("fred", fred, Indicator::Unemployment, "4.3", "series_id=UNRATE"),
        ("fredgraph", graph, Indicator::Unemployment, "4.2", "UNRATE"),
    ] {
        let paths = Arc::default();
        // Only the series in question: the others are somebody else's.
        let wanted = mark.to_owned();
        let unknown = match by {
            "fred" => (400, r#"{"error_code":400,"error_message":"Bad Request.  The series does not exist."}"#),
            "bls" => (200, r#"{"status":"REQUEST_NOT_PROCESSED","message":["Series does not exist"]}"#),
            _ => (404, ""),
        };
        let server =
            server(&paths, move |path| if path.contains(&wanted) { say(200, body.clone()) } else { say(unknown.0, unknown.1) });
        let mut asked = ask(by, server.port, &only(by), Vec::new(), None);
        asked.wait(by, |view, told| {
            let told = values(told, indicator) == [value];
            let row = view.series.iter().find(|row| row.indicator == indicator)?;
            (told && row.heard.is_some_and(|(heard, _)| heard.name().to_lowercase() == by)).then_some(())
        });
    }
}

/// What a publisher's server says to every request.
type Answers = Box<dyn Fn() -> Reply + Send + Sync>;

#[test]
fn every_refusal_of_a_publisher_is_named_and_nothing_is_told() {
    let body = |status: u16, body: &'static str| -> Answers { Box::new(move || say(status, body)) };
    let cases: Vec<(&str, &str, Answers, &str)> = vec![
        ("treasury", "page", body(200, "<!DOCTYPE html><html>"), "does not serve this place"),
        ("treasury", "no date", body(200, "Day,10 Yr\n11/20/2026,4.1\n"), "another shape"),
        ("treasury", "cut", body(200, "Date,\"10 Yr\"\n11/20/2026,4.1\n11/19/"), "cannot be read"),
        ("treasury", "hundredfold", body(200, "Date,\"10 Yr\"\n11/20/2026,412\n"), "make no sense"),
        ("cboe", "503", body(503, "<html>"), "HTTP 503"),
        (
            "cboe",
            "elsewhere",
            Box::new(|| Reply::Say(302, vec![("Location", "https://x".to_owned())], Vec::new())),
            "another page",
        ),
        (
            "bls",
            "over its day",
            body(
                200,
                r#"{"status":"REQUEST_NOT_PROCESSED","message":["the daily threshold for total number of requests has been reached"]}"#,
            ),
            "used up",
        ),
        ("bls", "access denied", body(403, "<html>Access Denied"), "HTTP 403"),
        (
            "fred",
            "429",
            Box::new(|| {
                Reply::Say(
                    429,
                    vec![("Retry-After", "90".to_owned())],
                    br#"{"error_code":429,"error_message":"Too Many Requests.  Exceeded Rate Limit"}"#.to_vec(),
                )
            }),
            "too many requests",
        ),
        ("fred", "500", body(500, r#"{"error_code":500,"error_message":"Internal Server Error"}"#), "Internal Server Error"),
        (
            "fred",
            "key",
            body(400, r#"{"error_code":400,"error_message":"Bad Request.  The value for variable api_key is not registered."}"#),
            "api_key",
        ),
        ("fredgraph", "504", body(504, "<html>Gateway Time-out"), "HTTP 504"),
        ("treasury", "stalls", Box::new(|| Reply::Stall), "no answer in time"),
        (
            "bls",
            "cut in the midst",
            Box::new(|| Reply::Say(200, vec![("Content-Encoding", "gzip".to_owned())], CUT_GZIP.to_vec())),
            "cannot be read",
        ),
        ("cboe", "huge", Box::new(|| say(200, " ".repeat(5 << 20))), "more than 4 MiB"),
        ("fredgraph", "hangs up", Box::new(|| Reply::Hang), "no connection"),
    ];
    let running: Vec<_> = cases
        .into_iter()
        .map(|(by, name, reply, words)| {
            std::thread::spawn(move || {
                let server = http(move |_| reply());
                let mut asked = ask(by, server.port, &only(by), Vec::new(), None);
                let said = asked
                    .wait(name, |view, _| view.sources.iter().find(|source| source.id.name().to_lowercase() == by)?.last.clone());
                assert!(said.1.contains(words), "{by}, {name}: {}", said.1);
                assert!(asked.told.is_empty(), "{by}, {name}: something was told");
            })
        })
        .collect();
    let failed = running.into_iter().filter_map(|thread| thread.join().err()).count();
    assert_eq!(failed, 0);
}

const RSS: &str = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Yahoo! Finance: AAPL News</title>\
    <item><title>Apple beats estimates\u{202e} as sales jump</title><guid isPermaLink=\"false\">g-1</guid>\
    <pubDate>Mon, 02 Nov 2020 14:05:00 +0000</pubDate></item>\
    <item><title>Apple beats estimates as sales jump</title><guid isPermaLink=\"false\">g-2</guid></item>\
    <item><title>Undated remark</title><guid isPermaLink=\"false\">g-3</guid></item></channel></rss>";

#[test]
fn headlines_come_cleaned_once_and_with_a_mood() {
    let paths = Arc::default();
    let yahoo = server(&paths, |_| say(200, RSS));
    let apple = Watched { instrument: InstrumentId(11), symbol: "AAPL".to_owned() };
    let own = "order = []\n[news]\norder = [\"yahoo-rss\"]\n";
    let mut asked = ask("yahoo-rss", yahoo.port, own, vec![apple], None);
    let headlines = asked.wait("headlines", |view, _| (view.headlines.len() == 2).then(|| view.headlines.clone()));
    assert_eq!(
        (headlines[1].title.as_str(), headlines[1].sentiment.mood.word()),
        ("Apple beats estimates as sales jump", "bullish")
    );
    assert_eq!((headlines[0].at, headlines[1].about.as_slice()), (None, &[InstrumentId(11)][..]));
    let path = paths.lock().unwrap()[0].clone();
    assert_eq!(path, "/rss/2.0/headline?s=AAPL&region=US&lang=en-US");
}

#[test]
fn where_one_source_of_news_refuses_the_next_is_asked() {
    let paths = Arc::default();
    let search = r#"{"news":[{"uuid":"u1","title":"Apple debuts","publisher":"MT","providerPublishTime":1600000000,"relatedTickers":["AAPL","XOM"]}]}"#;
    let yahoo =
        server(&paths, move |path| if path.starts_with("/v1/finance/search?q=AAPL") { say(200, search) } else { say(429, "") });
    let apple = Watched { instrument: InstrumentId(11), symbol: "AAPL".to_owned() };
    let own = "order = []\n[news]\norder = [\"yahoo-rss\", \"yahoo\"]\n";
    let mut asked = ask("yahoo", yahoo.port, own, vec![apple], None);
    let headline = asked.wait("a headline", |view, _| view.headlines.first().cloned());
    assert_eq!(
        (headline.by, headline.publisher.as_str(), headline.about.as_slice()),
        (ProviderId::Yahoo, "MT", &[InstrumentId(11)][..])
    );
    let trouble = asked.wait("the first one's trouble", |view, _| {
        view.sources.iter().find(|source| source.id == ProviderId::YahooRss)?.last.clone()
    });
    assert!(trouble.1.contains("no connection"), "{}", trouble.1);
}

#[test]
fn a_captured_answer_of_a_search_is_read() {
    let Some(folder) = shared() else { return };
    let body = std::fs::read(folder.join("data/from-repos/yahoo-http/v1_search_AAPL_trimmed_2026-03-04.json")).unwrap();
    let told = pmax::market::bulletins::clients::search(200, &body).unwrap();
    assert_eq!(told.len(), 3);
    assert_eq!(told[1].title.as_str(), "Apple Debuts New Lineup of Products");
    assert_eq!((told[0].at.unwrap().0, told[2].symbols.len()), (1_772_590_344_000_000_000, 4));
}
