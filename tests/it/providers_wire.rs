//! What providers say, byte by byte: normal answers, every refusal, and captured real ones where the shared folder is there.

use std::fs;

use pmax::domain::{AssetClass, Calendar, Currency, InstrumentId, MarketTime, WallTime};
use pmax::market::providers::clients::{Frame, coinbase_candles, coinbase_frame, kraken_frame, kraken_ohlc, yahoo_chart};
use pmax::market::providers::{Chart, Failure, Plan, Refusal, Wanted};

use crate::support::shared;

fn at(text: &str) -> MarketTime {
    MarketTime::parse(text).unwrap()
}

fn wanted(name: &'static str, calendar: Calendar) -> Wanted<'static> {
    let (from, now) = (at("2026-11-25T14:30"), WallTime(at("2026-11-25T14:34:30Z").0));
    let (kind, plan, currency) = (AssetClass::Stock, Plan::Free, Currency::USD);
    Wanted { name, instrument: InstrumentId(5), kind, calendar, decimals: 2, currency, has_volume: true, plan, from, now }
}

fn closes(read: &Result<Chart, Refusal>) -> Vec<String> {
    read.as_ref()
        .unwrap()
        .closed
        .iter()
        .map(|bar| format!("{} {}", bar.open_at.timestamp().strftime("%H:%M"), bar.close))
        .collect()
}

fn failure<T: std::fmt::Debug>(read: Result<T, Refusal>) -> Failure {
    read.unwrap_err().failure
}

/// Minute 14:30 to 14:33 and a live row at 14:34:25, as Yahoo writes them.
const YAHOO: &str = r#"{"chart":{"result":[{"meta":{"currency":"USD","symbol":"AAPL","instrumentType":"EQUITY","regularMarketTime":1795617265,
 "regularMarketPrice":333.6900024414,"priceHint":2,"dataGranularity":"1m","newField":{"a":[null]}},
 "timestamp":[1795617000,1795617060,1795617120,1795617180,1795617265],
 "indicators":{"quote":[{"open":[127.58000183105469,128,null,129.5,130],"high":[131,129,null,130,130],"low":[126,127,null,129,130],
 "close":[129.0399932861328,128.5,null,130,130],"volume":[225702700,151948100,null,0,5e15]}]}}],"error":null}}"#;

fn yahoo(status: u16, body: &str) -> Result<Chart, Refusal> {
    yahoo_chart(status, body.as_bytes(), &wanted("AAPL", Calendar::UsEquity))
}

#[test]
fn yahoo_tells_closed_minutes_and_a_price_and_skips_what_is_null_or_off_the_grid() {
    let read = yahoo(200, YAHOO);
    assert_eq!(closes(&read), ["14:30 129.04", "14:31 128.5", "14:33 130"]);
    let chart = read.unwrap();
    let quote = chart.quote.unwrap();
    assert_eq!((quote.last.to_string().as_str(), quote.bid, quote.at), ("333.69", None, WallTime(at("2026-11-25T14:34:25Z").0)));
    assert_eq!(chart.closed[0].volume.unwrap().milli(), 225_702_700_000);
    assert_eq!(chart.opened, None, "the live row is no minute");
    let early = YAHOO.replace("1795617265,\n", "1795617239,\n");
    assert_eq!(closes(&yahoo(200, &early)).len(), 2, "14:33 is over once the provider's own time says so");
}

#[test]
fn yahoo_refuses_in_many_ways() {
    let error =
        |code: &str, words: &str| format!(r#"{{"chart":{{"result":null,"error":{{"code":"{code}","description":"{words}"}}}}}}"#);
    let consent = "<!DOCTYPE html><html><head><title>Yahoo is part of the Yahoo family</title></head></html>";
    let throttled = Failure::Throttled { retry_after: None };
    for (status, body, kind) in [
        (429, "Edge: Too Many Requests".to_owned(), throttled),
        (200, "Too Many Requests\r\n".to_owned(), throttled),
        (404, error("Not Found", "No data found, symbol may be delisted"), Failure::UnknownSymbol),
        (
            422,
            error("Unprocessable Entity", "1m data not available for startTime=1 and endTime=2. Only 8 days"),
            Failure::BadRequest,
        ),
        (400, error("Bad Request", "Invalid input - interval=7m is not supported."), Failure::BadRequest),
        (
            401,
            r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#.to_owned(),
            Failure::Blocked,
        ),
        (999, "<html>Request denied</html>".to_owned(), Failure::Blocked),
        (403, "<html>Forbidden</html>".to_owned(), Failure::Blocked),
        (200, consent.to_owned(), Failure::Blocked),
        (200, "<html><h1>Will be right back...</h1></html>".to_owned(), Failure::Upstream),
        (502, "<html>Bad Gateway</html>".to_owned(), Failure::Upstream),
        (500, r#"{"finance":{"error":{"code":"Internal","description":"oops"}}}"#.to_owned(), Failure::Upstream),
        (200, "{}".to_owned(), Failure::Schema),
        (200, YAHOO.replace("\"meta\"", "\"mata\""), Failure::Schema),
        (200, YAHOO.replace("\"timestamp\":[", "\"timestamp\":[\"now\","), Failure::Schema),
        (200, YAHOO.replace("AAPL", "MSFT"), Failure::Schema),
        (200, YAHOO.replace("128.5,null", "Infinity,null"), Failure::Malformed),
        (200, YAHOO[..300].to_owned(), Failure::Malformed),
        (200, String::new(), Failure::Malformed),
        (200, YAHOO.replace("\"1m\"", "\"5m\""), Failure::Nonsense),
        (200, YAHOO.replace("\"USD\"", "\"GBp\""), Failure::Nonsense),
        (200, YAHOO.replace("128.5,null", "12850,null"), Failure::Nonsense),
        (200, YAHOO.replace("[126,127", "[126,-127"), Failure::Nonsense),
        (200, YAHOO.replace("[131,129", "[120,129"), Failure::Nonsense),
        (200, error("x", "y").replace(r#""error":{"code":"x","description":"y"}"#, r#""error":null"#), Failure::NoData),
    ] {
        assert_eq!(failure(yahoo(status, &body)), kind, "HTTP {status}: {body}");
    }
    let empty =
        r#"{"chart":{"result":[{"meta":{"symbol":"AAPL","dataGranularity":"1m"},"indicators":{"quote":[{}]}}],"error":null}}"#;
    assert_eq!(failure(yahoo(200, empty)), Failure::NoData, "an empty answer is valid");
    let said = yahoo(404, &error("Not Found", "\\u001b[31mgone\\u202e")).unwrap_err().to_string();
    assert_eq!(said, "it does not know the symbol ([31mgone)", "foreign words are cleaned at the door");
}

#[test]
fn a_real_answer_of_yahoo_is_read() {
    let Some(folder) = shared() else { return };
    let text = fs::read_to_string(folder.join("data/from-repos/yahoo-http/v8_chart_AAPL_1d_trimmed_2026-10-03.json")).unwrap();
    let from = at("2020-08-01");
    let wanted = Wanted { from, now: WallTime(at("2026-10-03").0), ..wanted("AAPL", Calendar::UsEquity) };
    let refusal = yahoo_chart(200, text.as_bytes(), &wanted).unwrap_err();
    assert_eq!((refusal.failure, refusal.to_string().contains("1d")), (Failure::Nonsense, true), "days are not minutes");
    let as_minutes = text.replace("\"dataGranularity\":\"1d\"", "\"dataGranularity\":\"1m\"");
    let chart = yahoo_chart(200, as_minutes.as_bytes(), &wanted).unwrap();
    let closes: Vec<String> = chart.closed.iter().map(|bar| bar.close.to_string()).collect();
    assert_eq!(closes, ["129.04", "134.18", "131.4", "120.88", "120.96", "112.82"]);
    let quote = chart.quote.unwrap();
    assert_eq!((quote.last.to_string(), quote.at.to_string()), ("333.69".to_owned(), "2026-10-02T20:00:01Z".to_owned()));
}

const KRAKEN: &str = r#"{"error":[],"result":{"XXBTZUSD":[[1795617000,"91000.1","91010.0","90990.0","91005.5","91001.0","1.50000000",12],
 [1795617060,"91005.5","91005.5","91005.5","91005.5","0.0","0.00000000",0],
 [1795617120,"91005.5","91020.0","91000.0","91011.0","91010.0","0.25000000",3],
 [1795617180,"91011.0","91012.0","91011.0","91012.0","91011.5","0.10000000",1]],"last":1795617120}}"#;

fn kraken(status: u16, body: &str) -> Result<Chart, Refusal> {
    kraken_ohlc(status, body.as_bytes(), &wanted("XBTUSD", Calendar::Crypto247))
}

#[test]
fn krakens_last_row_is_under_way_and_a_minute_without_a_trade_is_no_bar() {
    let read = kraken(200, KRAKEN);
    assert_eq!(closes(&read), ["14:30 91005.5", "14:32 91011"]);
    let chart = read.unwrap();
    assert_eq!(chart.opened.map(|(at, price)| (at, price.to_string())), Some((at("2026-11-25T14:33"), "91011".to_owned())));
    assert_eq!(chart.closed[0].volume.unwrap().milli(), 1_500);
    let error = |words: &str| format!(r#"{{"error":["{words}"],"result":{{}}}}"#);
    for (status, body, kind) in [
        (200, error("EGeneral:Too many requests"), Failure::Throttled { retry_after: None }),
        (200, error("EQuery:Unknown asset pair"), Failure::UnknownSymbol),
        (200, error("EService:Unavailable"), Failure::Upstream),
        (200, error("EGeneral:Permission denied"), Failure::NotEntitled),
        (200, error("EGeneral:Invalid arguments"), Failure::BadRequest),
        (200, r#"{"error":[],"result":{"last":1}}"#.to_owned(), Failure::NoData),
        (200, r#"{"result":{}}"#.to_owned(), Failure::Schema),
        (200, KRAKEN.replace("\"91005.5\",\"91001.0\"", "null,\"91001.0\""), Failure::Schema),
        (
            200,
            KRAKEN.replace("\"91010.0\"", "\"9101000.0\"").replace("\"91005.5\",\"91001.0\"", "\"9100550\",\"91001.0\""),
            Failure::Nonsense,
        ),
        (200, "CloudFlare WebSocket proxy restarting".to_owned(), Failure::Malformed),
        (429, String::new(), Failure::Throttled { retry_after: None }),
        (520, "<html>".to_owned(), Failure::Upstream),
        (403, "<html>".to_owned(), Failure::Blocked),
        (200, "<html>".to_owned(), Failure::Blocked),
    ] {
        assert_eq!(failure(kraken(status, &body)), kind, "HTTP {status}: {body}");
    }
}

#[test]
fn krakens_frames_are_read_and_noise_is_named() {
    let status = r#"{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":12393906104898154338,"system":"online","version":"2.0.4"}]}"#;
    for nothing in
        [status, r#"{"channel":"heartbeat"}"#, r#"{"method":"pong","req_id":1,"time_in":"x"}"#, r#"{"channel":"book","data":[]}"#]
    {
        assert_eq!(kraken_frame(nothing).unwrap(), [], "{nothing}");
    }
    let ticker = r#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":91000.1,"bid_qty":1.0,"ask":91000.2,"ask_qty":2,
        "last":91000.15,"volume":null,"vwap":1,"low":1,"high":1,"change":1,"change_pct":1,"later":{}}]}"#;
    let frames = kraken_frame(ticker).unwrap();
    let [Frame::Quote(Ok(heard))] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!((heard.name.as_str(), heard.last.to_string().as_str(), heard.at), ("BTC/USD", "91000.15", None));
    let crossed = kraken_frame(&ticker.replace("91000.2", "90999.9")).unwrap();
    assert!(matches!(crossed.as_slice(), [Frame::Quote(Err(refusal))] if refusal.failure == Failure::Nonsense), "{crossed:?}");
    let without =
        kraken_frame(&ticker.replace("\"bid\":91000.1", "\"bid\":null").replace("\"ask\":91000.2", "\"ask\":0")).unwrap();
    assert!(matches!(without.as_slice(), [Frame::Quote(Ok(heard))] if heard.bid.is_none() && heard.ask.is_none()), "{without:?}");
    let taken = r#"{"method":"subscribe","req_id":0,"result":{"channel":"ticker","event_trigger":"trades","snapshot":true,"symbol":"BTC/USD"},"success":true}"#;
    let frame = Frame::Subscription { name: Some("BTC/USD".to_owned()), number: Some(0), refusal: None };
    assert_eq!(kraken_frame(taken).unwrap(), [frame]);
    let refused = r#"{"error":"Currency pair not supported BTC/XYZ","method":"subscribe","success":false,"req_id":3}"#;
    let frames = kraken_frame(refused).unwrap();
    let [Frame::Subscription { name: None, number: Some(3), refusal: Some(refusal) }] = frames.as_slice() else {
        panic!("{frames:?}")
    };
    assert_eq!(refusal.failure, Failure::UnknownSymbol);
    assert_eq!(failure(kraken_frame("CloudFlare WebSocket proxy restarting")), Failure::Malformed);
    assert_eq!(failure(kraken_frame(r#"{"channel":7}"#)), Failure::Schema);
    assert_eq!(failure(kraken_frame(r#"{"channel":"ticker","data":[{"symbol":"BTC/USD"}]}"#)), Failure::Schema);
}

#[test]
fn coinbase_tells_bars_newest_first_with_the_low_before_the_high() {
    let candles = "[[1795617180,91011,91012,91011,91012,0.1],[1795617120,91000,91020,91005.5,91011,0.25],[1795617000,90990,91010,91000.1,91005.5,1.5]]";
    let read = |status, body: &str| coinbase_candles(status, body.as_bytes(), &wanted("BTC-USD", Calendar::Crypto247));
    let good = read(200, candles);
    assert_eq!(closes(&good), ["14:30 91005.5", "14:32 91011"]);
    assert_eq!(good.unwrap().closed[0].low.to_string(), "90990");
    for (status, body, kind) in [
        (404, r#"{"message":"NotFound"}"#, Failure::UnknownSymbol),
        (429, r#"{"message":"Public rate limit exceeded"}"#, Failure::Throttled { retry_after: None }),
        (503, r#"{"message":"Service Unavailable"}"#, Failure::Upstream),
        (400, r#"{"message":"granularity too small for the requested time range"}"#, Failure::BadRequest),
        (200, "[]", Failure::NoData),
        (200, "[[1795617180,91011]]", Failure::Schema),
        (200, "[[1795617180,91011,91012,91011,91012", Failure::Malformed),
        (200, "[[1795617180,91013,91012,91011,91012,0.1]]", Failure::Nonsense),
        (403, "<html>", Failure::Blocked),
    ] {
        assert_eq!(failure(read(status, body)), kind, "HTTP {status}: {body}");
    }
}

#[test]
fn coinbases_frames_are_read_also_the_captured_ones() {
    let refused = r#"{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not a valid product"}"#;
    let frames = coinbase_frame(refused).unwrap();
    let [Frame::Subscription { name: Some(name), refusal: Some(refusal), .. }] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!((name.as_str(), refusal.failure), ("BTC-XYZ", Failure::UnknownSymbol));
    assert_eq!(failure(coinbase_frame("not json")), Failure::Malformed);
    assert_eq!(failure(coinbase_frame(r#"{"type":"ticker","product_id":"BTC-USD"}"#)), Failure::Schema);
    let Some(folder) = shared() else { return };
    let text = fs::read_to_string(folder.join("data/from-repos/ws-frames/coinbase_exchange_feed_2021-04.jsonl")).unwrap();
    let frames: Vec<Frame> = text.lines().flat_map(|line| coinbase_frame(line).unwrap()).collect();
    let heard: Vec<_> =
        frames.iter().filter_map(|frame| if let Frame::Quote(heard) = frame { Some(heard) } else { None }).collect();
    assert_eq!(heard.len(), 56);
    let first = heard[0].as_ref().unwrap();
    assert_eq!((first.name.as_str(), first.last.to_string().as_str()), ("BAND-GBP", "14.7775"));
    assert!(heard.iter().all(|heard| heard.as_ref().is_ok_and(|heard| heard.at.is_some() && heard.bid <= heard.ask)));
}
