//! Binance: trades over its combined stream, minute bars over REST. Without key, and not from everywhere: some countries are refused (451).
//!
//! Its pairs are quoted in USDT, which is another money than the dollar: no instrument of the table has a name here until a person gives
//! it one. The last row of bars is the minute under way; minutes without a trade have rows that count none, which are no bars.

use serde::Deserialize;

use crate::domain::{AssetClass, Duration, MarketTime, WallTime};
use crate::market::providers::bars::{self, Chart, MINUTE, Row, Wanted, encoded};
use crate::market::providers::client::{BarsClient, Client, NONE, StreamClient};
use crate::market::providers::number::Number;
use crate::market::providers::streams::{Frame, Heard};
use crate::market::providers::{Failure, Refusal};

/// REST tells 1,000 rows at most, oldest first.
const DEPTH: i64 = 998 * MINUTE;
/// A host that has banned this address for asking on after it was told to wait is left alone for so long, where it names no time.
const BANNED: Duration = Duration::seconds(900);

pub(super) const CLIENT: Client = Client {
    bars: Some(BarsClient {
        endpoint: |_| "klines",
        depth: |_| DEPTH,
        path,
        read: klines,
        has_volume: |kind| matches!(kind, AssetClass::Crypto),
    }),
    stream: Some(StreamClient {
        origin: None,
        // One message for all names: it takes five a second, signs of life included, and hangs up on who sends more.
        subscribe: |wanted| vec![control("SUBSCRIBE", &wanted.iter().map(|(_, name)| *name).collect::<Vec<_>>())],
        unsubscribe: |name| control("UNSUBSCRIBE", &[name]),
        read: frame,
        beats: false,
        is_confirmed: true,
        again_every: None,
        prices_within: None,
    }),
    ..NONE
};

fn path(wanted: &Wanted<'_>) -> String {
    let millis = |nanos: i64| nanos.div_euclid(1_000_000);
    let (from, until) = (millis(wanted.from.0), millis(wanted.now.0) + 60_000);
    format!("/api/v3/klines?symbol={}&interval=1m&startTime={from}&endTime={until}&limit=1000", encoded(wanted.name))
}

fn control(method: &str, names: &[&str]) -> String {
    let streams: Vec<String> = names.iter().map(|name| format!("{}@aggTrade", name.to_lowercase())).collect();
    serde_json::json!({"method": method, "params": streams, "id": 1}).to_string()
}

/// Open time, open, high, low, close, volume, close time, volume in the other money, trades, two volumes of takers, and a rest.
type Candle = (i64, Number, Number, Number, Number, Number, i64, Number, i64, Number, Number, Number);

#[derive(Deserialize)]
struct Said {
    code: i64,
    msg: String,
}

/// Reads an answer with bars.
pub fn klines(status: u16, body: &[u8], wanted: &Wanted<'_>) -> Result<Chart, Refusal> {
    let candles: Vec<Candle> = match serde_json::from_slice(body) {
        Ok(candles) => candles,
        Err(error) => return Err(unread(status, body, &error)),
    };
    let at = |millis: i64| millis.checked_mul(1_000_000).map(MarketTime);
    let under_way = candles.last().and_then(|candle| at(candle.0));
    let mut rows = Vec::with_capacity(candles.len());
    for (millis, open, high, low, close, volume, _, _, trades, _, _, _) in candles {
        if trades == 0 {
            continue;
        }
        let at = at(millis).ok_or_else(|| Refusal::new(Failure::Schema, "a time that cannot be"))?;
        let [Some(open), Some(high), Some(low), Some(close)] = [open, high, low, close].map(Number::price) else {
            return Err(Refusal::new(Failure::Nonsense, "a price that is not above zero"));
        };
        rows.push(Row { at, open, high, low, close, volume: volume.volume() });
    }
    if under_way.is_none() { Err(Refusal::of(Failure::NoData)) } else { bars::chart(rows, wanted, under_way) }
}

fn unread(status: u16, body: &[u8], error: &serde_json::Error) -> Refusal {
    let said = serde_json::from_slice::<Said>(body).ok();
    let words = said.as_ref().map_or("", |said| &said.msg);
    let failure = match (status, said.as_ref().map(|said| said.code)) {
        (418, _) => Failure::Throttled { retry_after: Some(BANNED) },
        (429, _) | (_, Some(-1003)) => Failure::Throttled { retry_after: None },
        (403 | 451, _) => Failure::Blocked,
        (500..=599, _) => Failure::Upstream,
        (_, Some(-1121)) => Failure::UnknownSymbol,
        (_, Some(_)) => Failure::BadRequest,
        (_, None) => return Refusal::unread(status, body, error),
    };
    Refusal::new(failure, words)
}

#[derive(Deserialize)]
struct Message {
    /// A frame of a combined stream wraps what a raw one says.
    data: Option<Event>,
    e: Option<String>,
    s: Option<String>,
    p: Option<String>,
    #[serde(rename = "T")]
    traded: Option<i64>,
    error: Option<Said>,
    code: Option<i64>,
    msg: Option<String>,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Event {
    e: Option<String>,
    s: Option<String>,
    p: Option<String>,
    #[serde(rename = "T")]
    traded: Option<i64>,
}

/// Reads a frame of the stream.
pub fn frame(text: &str) -> Result<Vec<Frame>, Refusal> {
    let message: Message = serde_json::from_str(text).map_err(|error| {
        let kind = if error.is_data() { Failure::Schema } else { Failure::Malformed };
        Refusal::new(kind, &error.to_string())
    })?;
    let Message { data, e, s, p, traded, error, code, msg, id } = message;
    let refused = error.map(|said| said.msg).or(code.map(|_| msg.unwrap_or_default()));
    if let Some(words) = refused {
        let refusal = Some(Refusal::new(Failure::BadRequest, &words));
        return Ok(vec![Frame::Subscription { name: None, number: None, refusal }]);
    }
    let event = data.unwrap_or(Event { e, s, p, traded });
    match event.e.as_deref() {
        Some("serverShutdown") => Ok(vec![Frame::Leaving]),
        Some("aggTrade") => trade(event).map(|frame| vec![frame]),
        None if id.is_some() => Ok(vec![Frame::AllTaken]),
        _ => Ok(Vec::new()),
    }
}

fn trade(event: Event) -> Result<Frame, Refusal> {
    let schema = |what: &str| Refusal::new(Failure::Schema, what);
    let (Some(name), Some(price)) = (event.s, event.p) else { return Err(schema("a trade without name or price")) };
    let millis = event.traded.and_then(|millis| millis.checked_mul(1_000_000));
    let at = millis.map(WallTime).ok_or_else(|| schema("a trade of no time"))?;
    let price = Number::read(&price).ok_or_else(|| schema("a price that is no number"))?;
    Ok(Frame::Quote(Heard::checked(name, price, None, None, Some(at))))
}
