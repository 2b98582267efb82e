//! Kraken: quotes over WebSocket v2, minute bars over REST.
//!
//! Refusals of REST come with HTTP 200 and a list of errors. The last row of bars is the minute under way; minutes without a trade have
//! rows that count none, which are no bars.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::domain::{AssetClass, WallTime};
use crate::market::providers::bars::{self, Chart, Row, Wanted, at_second, encoded};
use crate::market::providers::client::{BarsClient, Client, NONE, StreamClient};
use crate::market::providers::number::{Number, null_or};
use crate::market::providers::streams::{Frame, Heard};
use crate::market::providers::{Failure, Refusal};

/// REST tells 720 rows at most.
const MOST_ROWS: usize = 720;
const DEPTH: i64 = (MOST_ROWS as i64 - 2) * 60_000_000_000;

pub(super) const CLIENT: Client = Client {
    bars: Some(BarsClient {
        endpoint: |_| "ohlc",
        depth: |_| DEPTH,
        path,
        read: ohlc,
        has_volume: |kind| matches!(kind, AssetClass::Crypto),
    }),
    stream: Some(StreamClient {
        origin: None,
        subscribe: |wanted| wanted.iter().map(|(number, name)| subscription(name, *number)).collect(),
        unsubscribe: unsubscription,
        read: frame,
        beats: true,
        is_confirmed: true,
        again_every: None,
        prices_within: None,
    }),
    ..NONE
};

/// The path and query of a request for minute bars from an instant on.
fn path(wanted: &Wanted<'_>) -> String {
    // Whether a row at this very second is told is nowhere said: one more does no harm.
    let since = wanted.from.0.div_euclid(1_000_000_000) - 60;
    format!("/0/public/OHLC?pair={}&interval=1&since={since}", encoded(wanted.name))
}

/// What subscribes to the quotes of one symbol; `number` comes back with the answer.
fn subscription(name: &str, number: usize) -> String {
    let params = serde_json::json!({"channel": "ticker", "symbol": [name]});
    serde_json::json!({"method": "subscribe", "params": params, "req_id": number}).to_string()
}

/// What lets go of them.
fn unsubscription(name: &str) -> String {
    let params = serde_json::json!({"channel": "ticker", "symbol": [name]});
    serde_json::json!({"method": "unsubscribe", "params": params}).to_string()
}

#[derive(Deserialize)]
struct Document<'a> {
    error: Vec<String>,
    #[serde(borrow, default)]
    result: Option<std::collections::BTreeMap<String, &'a RawValue>>,
}

/// Time, open, high, low, close, volume-weighted average, volume, number of trades.
type Candle = (i64, Number, Number, Number, Number, Number, Number, i64);

/// Reads an answer with bars.
pub fn ohlc(status: u16, body: &[u8], wanted: &Wanted<'_>) -> Result<Chart, Refusal> {
    let document: Document<'_> = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(error) => return Err(Refusal::unread(status, body, &error)),
    };
    if let Some(said) = document.error.first() {
        return Err(refused(said));
    }
    let result = document.result.unwrap_or_default();
    let Some((_, rows)) = result.iter().find(|(name, _)| *name != "last") else { return Err(Refusal::of(Failure::NoData)) };
    let candles: Vec<Candle> =
        serde_json::from_str(rows.get()).map_err(|error| Refusal::new(Failure::Schema, &error.to_string()))?;
    let told_from = candles.first().and_then(|candle| at_second(candle.0)).filter(|_| candles.len() >= MOST_ROWS);
    let under_way = candles.last().and_then(|candle| at_second(candle.0));
    let mut rows = Vec::with_capacity(candles.len());
    for (seconds, open, high, low, close, _, volume, trades) in candles {
        if trades == 0 {
            continue;
        }
        let at = at_second(seconds).ok_or_else(|| Refusal::new(Failure::Schema, "a time that cannot be"))?;
        let [Some(open), Some(high), Some(low), Some(close)] = [open, high, low, close].map(Number::price) else {
            return Err(Refusal::new(Failure::Nonsense, "a price that is not above zero"));
        };
        rows.push(Row { at, open, high, low, close, volume: volume.volume() });
    }
    let chart = bars::chart(rows, wanted, under_way)?;
    Ok(Chart { from: told_from.map_or(wanted.from, |told| told.max(wanted.from)), ..chart })
}

/// What an error of the provider means; severity and category stand before the colon.
fn refused(said: &str) -> Refusal {
    let failure = if said.contains("Too many requests") || said.contains("Rate limit") {
        Failure::Throttled { retry_after: None }
    } else if said.contains("Unknown asset pair") || said.contains("not supported") {
        Failure::UnknownSymbol
    } else if said.starts_with("EService") {
        Failure::Upstream
    } else if said.contains("Permission denied") {
        Failure::NotEntitled
    } else {
        Failure::BadRequest
    };
    Refusal::new(failure, said)
}

#[derive(Deserialize)]
struct Message<'a> {
    channel: Option<String>,
    method: Option<String>,
    success: Option<bool>,
    error: Option<String>,
    symbol: Option<String>,
    result: Option<Subscribed>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    req_id: Option<u64>,
}

#[derive(Deserialize)]
struct Subscribed {
    symbol: Option<String>,
}

#[derive(Deserialize)]
struct Ticker {
    symbol: String,
    bid: Option<Number>,
    ask: Option<Number>,
    #[serde(deserialize_with = "null_or")]
    last: Option<Number>,
    /// Not in every version.
    timestamp: Option<String>,
}

/// A frame with prices as nearly all of them are, with these fields alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(rename = "channel")]
    _channel: IgnoredAny,
    #[serde(rename = "type")]
    _type: IgnoredAny,
    data: Vec<Ticker>,
}

/// Reads a frame of the stream.
pub fn frame(text: &str) -> Result<Vec<Frame>, Refusal> {
    // Prices are read in one go; whatever is not as usual is looked at piece by piece below.
    if text.starts_with(r#"{"channel":"ticker","#)
        && let Ok(Told { data, .. }) = serde_json::from_str(text)
    {
        return Ok(data.into_iter().map(quote).collect());
    }
    let message: Message<'_> = serde_json::from_str(text).map_err(|error| {
        // A sentence of the proxy before it goes away is no JSON at all.
        let kind = if error.is_data() { Failure::Schema } else { Failure::Malformed };
        Refusal::new(kind, text)
    })?;
    match (message.method.as_deref(), message.channel.as_deref()) {
        (Some("subscribe"), _) => {
            let name = message.result.and_then(|result| result.symbol).or(message.symbol);
            let refusal = message.error.as_deref().map(refused);
            let is_taken = message.success == Some(true) && refusal.is_none();
            let refusal = (!is_taken).then(|| refusal.unwrap_or_else(|| Refusal::of(Failure::BadRequest)));
            let number = message.req_id.and_then(|number| usize::try_from(number).ok());
            Ok(vec![Frame::Subscription { name, number, refusal }])
        }
        (None, Some("ticker")) => message.data.map_or(Ok(Vec::new()), |data| tickers(data.get())),
        _ => Ok(Vec::new()),
    }
}

fn tickers(text: &str) -> Result<Vec<Frame>, Refusal> {
    let tickers: Vec<Ticker> = serde_json::from_str(text).map_err(|error| Refusal::new(Failure::Schema, &error.to_string()))?;
    Ok(tickers.into_iter().map(quote).collect())
}

fn quote(ticker: Ticker) -> Frame {
    let Ticker { symbol, bid, ask, last, timestamp } = ticker;
    let at = timestamp.as_deref().and_then(WallTime::parse);
    Frame::Quote(Heard::checked(symbol, last, bid, ask, at))
}
