//! The providers' clients over real sockets, against servers on this machine that answer as the real ones do, and fail as they do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::domain::{AssetClass, Calendar, InstrumentId, MarketTime};
use pmax::market::ToldBars;
use pmax::market::providers::{
    FeedView, Line, ProviderId, ProviderNews, ProviderTable, ProviderView, ProvidersLink, Served, Stands, Surroundings,
};
use pmax::runtime::wall_now;

use crate::support::deadline;
use crate::support::market_server::{CUT_GZIP, Mood, Reply, Server, http, say, stream};

const TABLE: &str = include_str!("../../config/providers.toml");
const BITCOIN: InstrumentId = InstrumentId(5);

/// What a server says to every request.
type Answers = Box<dyn Fn() -> Reply + Send + Sync>;

/// A table that leads to these ports; a provider without one is not asked.
fn table(kraken: Option<(u16, u16)>, coinbase: Option<(u16, u16)>, yahoo: Option<u16>) -> ProviderTable {
    let (mut own, mut order) = (String::new(), Vec::new());
    for (name, ports) in [("kraken", kraken), ("coinbase", coinbase)] {
        let Some((http, stream)) = ports else { continue };
        own.push_str(&format!(
            "[provider.{name}]\nhttp = \"http://127.0.0.1:{http}\"\nstream = \"ws://127.0.0.1:{stream}\"\nsettle_seconds = 0\n"
        ));
        order.push(format!("\"{name}\""));
    }
    if let Some(port) = yahoo {
        own.push_str(&format!("[provider.yahoo]\nhttp = \"http://127.0.0.1:{port}\"\nstream = \"\"\n"));
        order.push("\"yahoo\"".to_owned());
    }
    let order = order.join(", ");
    ProviderTable::read(TABLE, Some(&format!("{own}[order]\nquotes = [{order}]\nbars = [{order}]\n"))).unwrap()
}

fn link(table: &ProviderTable, kept: Option<String>, keep: &Arc<Mutex<String>>) -> ProvidersLink {
    let asked: Vec<ProviderId> = table.order(pmax::market::providers::Capability::Bars).to_vec();
    let mut names = table.aliases["BTCUSD"].clone();
    names.retain(|id, _| asked.contains(id));
    let (kind, calendar) = (AssetClass::Crypto, Calendar::Crypto247);
    let line = Line {
        instrument: BITCOIN,
        kind,
        calendar,
        decimals: 2,
        currency: pmax::domain::Currency::USD,
        names,
        known_until: None,
        last_close: None,
    };
    let keep = Arc::clone(keep);
    let keep = Box::new(move |text: &str| {
        text.clone_into(&mut keep.lock().unwrap());
        Ok(())
    });
    ProvidersLink::start(table.clone(), vec![line], Surroundings { clock: wall_now, kept, keep, seed: 7 }).unwrap()
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

fn provider(view: &FeedView, id: ProviderId) -> &ProviderView {
    view.providers.iter().find(|provider| provider.id == id).unwrap()
}

/// The last five minutes as Yahoo writes them.
fn chart() -> String {
    let now = wall_now().0 / 1_000_000_000;
    let times: Vec<i64> = (1..=5).rev().map(|minute| (now / 60 - minute) * 60).collect();
    format!(
        r#"{{"chart":{{"result":[{{"meta":{{"symbol":"BTC-USD","currency":"USD","dataGranularity":"1m","regularMarketTime":{now},"regularMarketPrice":105.25}},
        "timestamp":{times:?},"indicators":{{"quote":[{{"open":[101,102,103,104,105],"high":[102,103,104,105,106],"low":[100,101,102,103,104],
        "close":[101.5,102.5,103.5,104.5,105.5],"volume":[1,1,null,1,1]}}]}}}}],"error":null}}}}"#
    )
}

fn bars_and_price(link: &ProvidersLink) -> (Vec<ToldBars>, Vec<String>) {
    let (mut news, mut served) = (Vec::new(), Vec::<Served>::new());
    link.take(&mut news, &mut served);
    let (mut bars, mut prices) = (Vec::new(), Vec::new());
    for one in news {
        match one {
            ProviderNews::Bars(told) => bars.push(told),
            ProviderNews::Price(quote) => prices.push(quote.last.to_string()),
        }
    }
    (bars, prices)
}

#[test]
fn yahoo_is_asked_with_a_name_and_tells_bars_and_a_price() {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&paths);
    let server = http(move |path| {
        heard.lock().unwrap().push(path.to_owned());
        say(200, chart())
    });
    let link = link(&table(None, None, Some(server.port)), None, &Arc::default());
    let (mut bars, mut prices) = (Vec::new(), Vec::new());
    wait("bars and a price", || {
        let (more, also) = bars_and_price(&link);
        bars.extend(more);
        prices.extend(also);
        (!bars.is_empty() && !prices.is_empty()).then_some(())
    });
    let closes: Vec<String> = bars[0].closed.iter().map(|bar| bar.close.to_string()).collect();
    assert_eq!(
        (closes.as_slice(), prices.as_slice()),
        (["101.5", "102.5", "103.5", "104.5", "105.5"].map(str::to_owned).as_slice(), ["105.25".to_owned()].as_slice())
    );
    let path = paths.lock().unwrap()[0].clone();
    assert!(path.starts_with("/v8/finance/chart/BTC-USD?period1=") && path.contains("interval=1m"), "{path}");
    drop(server);
}

#[test]
fn every_refusal_of_a_request_is_named_over_real_sockets() {
    let html = "<!DOCTYPE html><html>consent</html>";
    let cases: Vec<(&str, Answers, &str)> = vec![
        ("429", Box::new(|| say(429, "Edge: Too Many Requests")), "too many requests"),
        ("200 that refuses", Box::new(|| say(200, "Too Many Requests\r\n")), "too many requests"),
        (
            "unknown",
            Box::new(|| {
                say(
                    404,
                    r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}"#,
                )
            }),
            "does not know the symbol",
        ),
        ("consent", Box::new(move || say(200, html)), "does not serve this place"),
        (
            "elsewhere",
            Box::new(|| Reply::Say(302, vec![("Location", "https://consent.yahoo.com/v2".to_owned())], Vec::new())),
            "sends to another page",
        ),
        ("503", Box::new(|| say(503, "<html>")), "HTTP 503"),
        ("right back", Box::new(|| say(200, "<html>Will be right back")), "right back"),
        ("cut", Box::new(|| Reply::Say(200, vec![("Content-Encoding", "gzip".to_owned())], CUT_GZIP.to_vec())), "cannot be read"),
        ("infinity", Box::new(|| say(200, chart().replace("103.5", "Infinity"))), "cannot be read"),
        (
            "hundredfold",
            Box::new(|| say(200, chart().replace("[101.5,102.5", "[101.5,10250").replace("[102,103", "[102,10300"))),
            "make no sense",
        ),
        ("coarser", Box::new(|| say(200, chart().replace("\"1m\"", "\"1d\""))), "bars of 1d"),
        ("empty", Box::new(|| say(200, "{}")), "another shape"),
        ("huge", Box::new(|| say(200, " ".repeat(5 << 20))), "more than 4 MiB"),
        ("gone", Box::new(|| Reply::Hang), "no connection"),
        ("stalls", Box::new(|| Reply::Stall), "no answer in time"),
    ];
    let running: Vec<_> = cases
        .into_iter()
        .map(|(name, reply, words)| {
            std::thread::spawn(move || {
                let server = http(move |_| reply());
                let link = link(&table(None, None, Some(server.port)), None, &Arc::default());
                let said = wait(name, || provider(&link.view(), ProviderId::Yahoo).last.clone());
                assert!(said.1.contains(words), "{name}: {}", said.1);
                let (bars, prices) = bars_and_price(&link);
                assert!(bars.is_empty() && prices.is_empty(), "{name}: something was told");
            })
        })
        .collect();
    let failed = running.into_iter().filter_map(|thread| thread.join().err()).count();
    assert_eq!(failed, 0);
}

#[test]
fn nobody_there_and_a_certificate_nobody_vouches_for_are_told_apart() {
    let nobody = link(&table(None, None, Some(1)), None, &Arc::default());
    let said = wait("the refusal", || provider(&nobody.view(), ProviderId::Yahoo).last.clone());
    assert!(said.1.contains("no connection"), "{}", said.1);
    let plain = http(|_| say(200, chart()));
    let mut table = table(None, None, Some(plain.port));
    let yahoo = table.provider.get_mut(&ProviderId::Yahoo).unwrap();
    yahoo.http = format!("https://127.0.0.1:{}", plain.port);
    let encrypted = link(&table, None, &Arc::default());
    let said = wait("the refusal", || provider(&encrypted.view(), ProviderId::Yahoo).last.clone());
    assert!(said.1.contains("no encrypted connection"), "{}", said.1);
}

#[test]
fn a_host_that_asks_for_a_pause_is_left_alone_and_counts_outlive_a_restart() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let server = http(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::Say(429, vec![("Retry-After", "3600".to_owned())], Vec::new())
    });
    let (table, kept) = (table(None, None, Some(server.port)), Arc::<Mutex<String>>::default());
    let first = link(&table, None, &kept);
    let until = wait("the pause", || provider(&first.view(), ProviderId::Yahoo).paused_until);
    assert!(until.since(wall_now()).as_seconds() > 3_000.0, "as long as it asked for: {until}");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!((asked.load(Ordering::SeqCst), provider(&first.view(), ProviderId::Yahoo).used_today), (1, 1));
    drop(first);
    let text = kept.lock().unwrap().clone();
    let again = link(&table, Some(text), &kept);
    std::thread::sleep(Duration::from_millis(700));
    let view = again.view();
    let yahoo = provider(&view, ProviderId::Yahoo);
    assert_eq!((asked.load(Ordering::SeqCst), yahoo.used_today), (1, 1), "what was spent is not forgotten");
    assert!(yahoo.paused_until.is_some(), "nor that it wants to be left alone");
}

/// What a stream of Kraken says; its price moves with every tick.
fn kraken_stream(mood: &Arc<Mutex<Mood>>) -> Server {
    let status = r#"{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":12393906104898154338,"system":"online","version":"2.0.4"}]}"#;
    let count = AtomicU32::new(0);
    let ticker = move || {
        let cents = count.fetch_add(1, Ordering::SeqCst) % 100;
        format!(
            r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":105.{cents:02},"ask":106,"last":105.{cents:02}}}]}}"#
        )
    };
    let answer = |text: &str| {
        if text.contains("subscribe") {
            vec![
                r#"{"method":"subscribe","req_id":0,"result":{"channel":"ticker","symbol":"BTC/USD"},"success":true}"#.to_owned(),
            ]
        } else {
            Vec::new()
        }
    };
    stream(mood, Some(status), answer, ticker)
}

fn coinbase_stream(mood: &Arc<Mutex<Mood>>) -> Server {
    let tick = || {
        format!(
            r#"{{"type":"ticker","product_id":"BTC-USD","price":"105.50","best_bid":"105.4","best_ask":"105.6","time":"{}"}}"#,
            wall_now()
        )
    };
    let answer =
        |_: &str| vec![r#"{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}"#.to_owned()];
    stream(mood, None, answer, tick)
}

/// Bars that neither stream's price jumps from.
fn ohlc() -> Server {
    http(|_| {
        let minute = wall_now().0 / 60_000_000_000 * 60;
        let rows: Vec<String> =
            (0..4).rev().map(|back| format!(r#"[{},"105","106","104","105","105","1",3]"#, minute - back * 60)).collect();
        say(200, format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1}}}}"#, rows.join(",")))
    })
}

fn serving(link: &ProvidersLink) -> Option<ProviderId> {
    link.view().served[0].quotes.map(|(by, _)| by)
}

#[test]
fn a_stream_that_dies_hands_over_within_five_seconds_is_reconnected_and_its_wishes_are_asked_for_anew() {
    let moods: [Arc<Mutex<Mood>>; 2] = Default::default();
    let (bars, kraken, coinbase) = (ohlc(), kraken_stream(&moods[0]), coinbase_stream(&moods[1]));
    let table = table(Some((bars.port, kraken.port)), Some((bars.port, coinbase.port)), None);
    let link = link(&table, None, &Arc::default());
    wait("prices of Kraken", || (serving(&link) == Some(ProviderId::Kraken)).then_some(()));
    let (_, prices) = wait("a price", || Some(bars_and_price(&link)).filter(|(_, prices)| !prices.is_empty()));
    assert!(prices[0].starts_with("105."), "{prices:?}");
    moods[0].lock().unwrap().is_down = true;
    let began = Instant::now();
    wait("prices of Coinbase", || (serving(&link) == Some(ProviderId::Coinbase)).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let (mut news, mut served) = (Vec::new(), Vec::new());
    link.take(&mut news, &mut served);
    assert_eq!((served[0].from, served[0].to), (ProviderId::Kraken, ProviderId::Coinbase));
    moods[0].lock().unwrap().is_down = false;
    wait("a second connection that asks again", || {
        let mood = moods[0].lock().unwrap();
        (mood.connections == 2 && mood.heard.iter().filter(|text| text.contains("BTC/USD")).count() == 2).then_some(())
    });
}

#[test]
fn garbage_crossed_prices_and_frames_that_are_too_large_are_survived() {
    let moods: [Arc<Mutex<Mood>>; 1] = Default::default();
    let (bars, kraken) = (ohlc(), kraken_stream(&moods[0]));
    let link = link(&table(Some((bars.port, kraken.port)), None, None), None, &Arc::default());
    wait("prices of Kraken", || (serving(&link) == Some(ProviderId::Kraken)).then_some(()));
    let crossed = r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":107,"ask":106,"last":106}]}"#;
    moods[0].lock().unwrap().says.push(crossed.to_owned());
    let trouble = |words: &'static str| {
        wait(words, || provider(&link.view(), ProviderId::Kraken).last.clone().filter(|(_, said)| said.contains(words)))
    };
    trouble("a bid above the ask");
    moods[0].lock().unwrap().says.push("CloudFlare WebSocket proxy restarting".to_owned());
    trouble("CloudFlare");
    let connections = |least: u32| wait("another connection", || (moods[0].lock().unwrap().connections >= least).then_some(()));
    connections(2);
    wait("prices again", || (!bars_and_price(&link).1.is_empty()).then_some(()));
    moods[0].lock().unwrap().says.push(format!("\"{}\"", "x".repeat(2 << 20)));
    connections(3);
    assert_eq!(provider(&link.view(), ProviderId::Kraken).bars, Some(Stands::Good));
    let (told, _) = wait("closed bars", || Some(bars_and_price(&link)).filter(|(_, prices)| !prices.is_empty()));
    assert!(told.iter().flat_map(|told| &told.closed).all(|bar| bar.open_at > MarketTime(0)));
}
