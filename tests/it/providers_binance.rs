//! Binance: frames and rows byte by byte, captured ones too, its rules of refusal, and a stream over sockets of this machine.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::domain::{AssetClass, Calendar, Currency, Duration as Length, InstrumentId, MarketTime, WallTime};
use pmax::market::providers::clients::{Frame, binance_frame, binance_klines};
use pmax::market::providers::{
    Chart, Desk, Failure, Input, Line, Output, Plan, ProviderId, ProviderNews, ProviderTable, ProvidersLink, Refusal,
    Surroundings, Wanted,
};
use pmax::runtime::wall_now;

use crate::support::market_server::{Mood, http, say, stream};
use crate::support::{deadline, shared};

const TABLE: &str = include_str!("../../config/providers.toml");
const BITCOIN: InstrumentId = InstrumentId(5);
const BINANCE: ProviderId = ProviderId::Binance;

fn at(text: &str) -> MarketTime {
    MarketTime::parse(text).unwrap()
}

fn klines(status: u16, body: &str) -> Result<Chart, Refusal> {
    let (from, now) = (at("2026-11-25T14:30"), WallTime(at("2026-11-25T14:34:30Z").0));
    let (kind, calendar, plan) = (AssetClass::Crypto, Calendar::Crypto247, Plan::Free);
    let wanted = Wanted {
        name: "BTCUSDT",
        instrument: BITCOIN,
        kind,
        calendar,
        decimals: 2,
        currency: Currency::USD,
        has_volume: true,
        plan,
        from,
        now,
    };
    binance_klines(status, body.as_bytes(), &wanted)
}

/// Minutes 14:30 to 14:33, of which one did not trade and the last is under way.
const KLINES: &str = r#"[[1795617000000,"91000.1","91010.0","90990.0","91005.5","1.5",1795617059999,"136000",12,"1","90000","0"],
 [1795617060000,"91005.5","91005.5","91005.5","91005.5","0",1795617119999,"0",0,"0","0","0"],
 [1795617120000,"91005.5","91020.0","91000.0","91011.0","0.25",1795617179999,"22000",3,"0.1","9000","0"],
 [1795617180000,"91011.0","91012.0","91011.0","91012.0","0.1",1795617239999,"9000",1,"0.1","9000","0"]]"#;

#[test]
fn the_last_row_is_under_way_and_a_minute_without_a_trade_is_no_bar() {
    let chart = klines(200, KLINES).unwrap();
    let closes: Vec<String> = chart.closed.iter().map(|bar| format!("{} {}", bar.open_at, bar.close)).collect();
    assert_eq!(closes, ["2026-11-25T14:30:00Z 91005.5", "2026-11-25T14:32:00Z 91011"]);
    assert_eq!(chart.opened.map(|(at, _)| at), Some(at("2026-11-25T14:33")));
    assert_eq!(chart.closed[0].volume.unwrap().milli(), 1_500);
}

#[test]
fn each_refusal_means_what_its_rules_say() {
    let said = |code: i64, words: &str| format!(r#"{{"code":{code},"msg":"{words}"}}"#);
    let banned = Failure::Throttled { retry_after: Some(Length::seconds(900)) };
    for (status, body, failure) in [
        (
            451,
            said(
                0,
                "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms.",
            ),
            Failure::Blocked,
        ),
        (451, "<html>".to_owned(), Failure::Blocked),
        (418, said(-1003, "Way too much request weight used; IP banned until 1795617999999."), banned),
        (418, String::new(), banned),
        (429, said(-1003, "Too many requests"), Failure::Throttled { retry_after: None }),
        (403, "<html>".to_owned(), Failure::Blocked),
        (400, said(-1121, "Invalid symbol."), Failure::UnknownSymbol),
        (400, said(-1120, "Invalid interval."), Failure::BadRequest),
        (503, said(-1000, "An unknown error occurred"), Failure::Upstream),
        (502, "<html>".to_owned(), Failure::Upstream),
        (200, "[]".to_owned(), Failure::NoData),
        (200, KLINES[..200].to_owned(), Failure::Malformed),
        (200, KLINES.replace("\"91010.0\"", "null"), Failure::Schema),
        (200, KLINES.replace("\"91010.0\"", "\"91000.2\""), Failure::Nonsense),
        (200, KLINES.replace("1795617120000", "1795617120001"), Failure::Nonsense),
        (
            200,
            KLINES.replace(",\"91011.0\",\"0.25\"", ",\"9101100\",\"0.25\"").replace("\"91020.0\"", "\"9102000\""),
            Failure::Nonsense,
        ),
    ] {
        assert_eq!(klines(status, &body).unwrap_err().failure, failure, "HTTP {status}: {body}");
    }
}

#[test]
fn frames_are_read_raw_and_combined() {
    let raw = r#"{"e":"aggTrade","E":1795617181001,"s":"BTCUSDT","a":1,"p":"91012.10","q":"0.1","f":1,"l":1,"T":1795617181000,"m":true}"#;
    for text in [raw.to_owned(), format!(r#"{{"stream":"btcusdt@aggTrade","data":{raw}}}"#)] {
        let frames = binance_frame(&text).unwrap();
        let [Frame::Quote(Ok(heard))] = frames.as_slice() else { panic!("{frames:?}") };
        assert_eq!((heard.name.as_str(), heard.last.to_string().as_str()), ("BTCUSDT", "91012.1"));
        assert_eq!(heard.at, Some(WallTime(1_795_617_181_000_000_000)));
    }
    assert_eq!(binance_frame(r#"{"result":null,"id":1}"#).unwrap(), [Frame::AllTaken]);
    assert_eq!(binance_frame(r#"{"e":"serverShutdown","E":1}"#).unwrap(), [Frame::Leaving]);
    for refused in
        [r#"{"code":2,"msg":"Invalid request: unknown"}"#, r#"{"error":{"code":2,"msg":"Invalid request: unknown"},"id":1}"#]
    {
        let frames = binance_frame(refused).unwrap();
        let [Frame::Subscription { refusal: Some(refusal), .. }] = frames.as_slice() else { panic!("{frames:?}") };
        assert!(refusal.to_string().contains("Invalid request"), "{refusal}");
    }
    let failure = |text: &str| binance_frame(text).unwrap_err().failure;
    assert_eq!(failure("not json"), Failure::Malformed);
    assert_eq!(failure(&raw.replace("\"p\":\"91012.10\",", "")), Failure::Schema);
    assert_eq!(failure(&raw.replace("\"T\":1795617181000,", "")), Failure::Schema);
    assert_eq!(failure(&raw.replace("\"p\":\"91012.10\"", "\"p\":91012.10")), Failure::Schema);
    let frames = binance_frame(&raw.replace("91012.10", "0")).unwrap();
    assert!(matches!(frames.as_slice(), [Frame::Quote(Err(refusal))] if refusal.failure == Failure::Nonsense), "{frames:?}");
}

#[test]
fn captured_frames_are_read() {
    let Some(folder) = shared() else { return };
    let mut heard = Vec::new();
    for file in ["binance_combined_2021-10.jsonl", "binance_us_combined_2021-10.jsonl"] {
        let text = fs::read_to_string(folder.join("data/from-repos/ws-frames").join(file)).unwrap();
        for frame in text.lines().flat_map(|line| binance_frame(line).unwrap()) {
            let Frame::Quote(quote) = frame else { panic!("{frame:?}") };
            heard.push(quote.unwrap());
        }
    }
    assert_eq!(heard.len(), 10, "ten trades among depth, books and candles");
    assert_eq!((heard[0].name.as_str(), heard[0].last.to_string().as_str()), ("NKNUSDT", "0.3528"));
    assert_eq!(heard[0].at, Some(WallTime(1_633_998_523_963_000_000)));
}

fn table(own: &str) -> ProviderTable {
    ProviderTable::read(TABLE, Some(&format!("[aliases.BTCUSD]\nbinance = \"BTCUSDT\"\n{own}"))).unwrap()
}

fn line(table: &ProviderTable, only: bool) -> Line {
    let mut names = table.aliases["BTCUSD"].clone();
    names.retain(|id, _| !only || *id == BINANCE);
    let (kind, calendar) = (AssetClass::Crypto, Calendar::Crypto247);
    Line { instrument: BITCOIN, kind, calendar, decimals: 2, currency: Currency::USD, names, known_until: None, last_close: None }
}

#[test]
fn nobody_takes_one_money_for_the_other_unasked() {
    let shipped = ProviderTable::read(TABLE, None).unwrap();
    let (budget, now) = (shipped.budget(), WallTime(at("2026-11-25T14:30").0));
    let lines = vec![line(&shipped, false)];
    let mut desk = Desk::new(shipped, budget, lines, 1, now);
    let mut out = Vec::new();
    desk.handle(now, Input::Tick, &mut out);
    assert!(out.iter().all(|output| !matches!(output, Output::Open(id) if *id == BINANCE)), "{out:?}");
    assert!(desk.view(now).providers.iter().all(|provider| provider.id != BINANCE));
}

/// The provider hangs up on who sends more than five messages a second, signs of life included.
#[test]
fn however_it_answers_no_second_holds_more_than_five_messages() {
    let table = table("");
    let (budget, mut now) = (table.budget(), WallTime(at("2026-11-25T14:30").0));
    let lines = vec![line(&table, true)];
    let mut desk = Desk::new(table, budget, lines, 1, now);
    let mut sent = Vec::new();
    for step in 0..5 * 600 {
        let mut out = Vec::new();
        let closes = step % 400 == 399;
        if closes {
            desk.handle(now, Input::Closed(BINANCE, Refusal::of(Failure::Transport)), &mut out);
        }
        desk.handle(now, Input::Tick, &mut out);
        if out.iter().any(|output| matches!(output, Output::Open(_))) {
            desk.handle(now, Input::Opened(BINANCE), &mut out);
        }
        if step % 300 == 250 {
            desk.handle(now, Input::Text(BINANCE, r#"{"e":"serverShutdown"}"#), &mut out);
        }
        sent.extend(out.iter().filter(|output| matches!(output, Output::Send(..) | Output::Ping(_))).map(|_| now));
        now = WallTime(now.0 + 200_000_000);
    }
    let worst = sent.iter().map(|from| sent.iter().filter(|at| (0..1_000_000_000).contains(&at.since(*from).0)).count()).max();
    assert!(sent.len() > 10 && worst.unwrap() <= 5, "{worst:?} of {}", sent.len());
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

fn start(http: u16, stream: u16) -> ProvidersLink {
    let own = format!(
        "[provider.binance]\nhttp = \"http://127.0.0.1:{http}\"\nstream = \"ws://127.0.0.1:{stream}/stream\"\n[order]\nquotes = [\"binance\"]\nbars = [\"binance\"]\n"
    );
    let table = table(&own);
    let lines = vec![line(&table, true)];
    let keep = Box::new(|_: &str| Ok(()));
    ProvidersLink::start(table, lines, Surroundings { clock: wall_now, kept: None, keep, seed: 7 }).unwrap()
}

#[test]
fn over_sockets_it_streams_tells_bars_and_leaves_before_it_is_thrown_out() {
    let mood: Arc<Mutex<Mood>> = Arc::default();
    let tick = || {
        let now = wall_now().0 / 1_000_000;
        format!(
            r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{now},"s":"BTCUSDT","p":"105.5","q":"1","T":{now}}}}}"#
        )
    };
    let streaming = stream(&mood, None, |_| vec![r#"{"result":null,"id":1}"#.to_owned()], tick);
    let paths = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&paths);
    let answers = http(move |path| {
        heard.lock().unwrap().push(path.to_owned());
        let minute = wall_now().0 / 60_000_000_000 * 60_000;
        let row = |back: i64| format!(r#"[{},"105","106","104","105","1",0,"1",3,"1","1","0"]"#, minute - back * 60_000);
        say(200, format!("[{}]", (0..4).rev().map(row).collect::<Vec<_>>().join(",")))
    });
    let link = start(answers.port, streaming.port);
    let (mut bars, mut prices) = (0, 0);
    wait("bars and prices", || {
        let (mut news, mut served) = (Vec::new(), Vec::new());
        link.take(&mut news, &mut served);
        for one in news {
            match one {
                ProviderNews::Bars(told) => bars += told.closed.len(),
                ProviderNews::Price(_) => prices += 1,
            }
        }
        (bars >= 3 && prices > 0).then_some(())
    });
    let path = paths.lock().unwrap()[0].clone();
    assert!(path.starts_with("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=") && path.ends_with("&limit=1000"), "{path}");
    let subscribed = serde_json::json!({"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 1});
    let heard = || mood.lock().unwrap().heard.iter().map(|text| text.parse().unwrap()).collect::<Vec<serde_json::Value>>();
    assert_eq!(heard(), std::slice::from_ref(&subscribed));
    assert!(mood.lock().unwrap().opened[0].starts_with("/stream "));
    mood.lock().unwrap().says.push(r#"{"stream":"x","data":{"e":"serverShutdown","E":1}}"#.to_owned());
    wait("a second connection", || (mood.lock().unwrap().heard.len() == 2).then_some(()));
    assert_eq!(heard()[1], subscribed);
}

#[test]
fn over_sockets_a_place_that_is_not_served_and_a_ban_are_told_apart() {
    for (status, headers, words, pause) in [
        (451, vec![], "does not serve this place", false),
        (418, vec![("Retry-After", "7200".to_owned())], "too many requests", true),
        (418, vec![], "too many requests", true),
    ] {
        let answers = http(move |_| {
            crate::support::market_server::Reply::Say(status, headers.clone(), br#"{"code":0,"msg":"x"}"#.to_vec())
        });
        let link = start(answers.port, 1);
        let view = wait("the refusal", || {
            let view = link.view().providers.into_iter().find(|one| one.id == BINANCE)?;
            let is_it = view.last.as_ref().is_some_and(|(_, why)| why.contains(words)) || view.paused_until.is_some();
            is_it.then_some(view)
        });
        assert_eq!(view.paused_until.is_some(), pause, "{status}");
        if let Some(until) = view.paused_until {
            assert!(until.since(wall_now()).as_seconds() > 800.0, "{until}");
        }
    }
}
