//! Coinbase Exchange: quotes over its WebSocket feed, minute bars over REST.
//!
//! Bars come newest first with the low before the high, at most three hundred, and minutes without a trade are absent.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::{AssetClass, Duration, WallTime};
use crate::market::providers::bars::{self, Chart, Row, Wanted, at_second, encoded};
use crate::market::providers::client::{BarsClient, Client, NONE, StreamClient};
use crate::market::providers::number::{Number, null_or};
use crate::market::providers::streams::{Frame, Heard};
use crate::market::providers::{Failure, Refusal};

/// REST tells 300 rows at most.
const DEPTH: i64 = 298 * 60_000_000_000;

pub(super) const CLIENT: Client = Client {
    bars: Some(BarsClient {
        endpoint: |_| "candles",
        depth: |_| DEPTH,
        path,
        read: candles,
        has_volume: |kind| matches!(kind, AssetClass::Crypto),
    }),
    stream: Some(StreamClient {
        origin: None,
        subscribe: |wanted| vec![subscription(&wanted.iter().map(|(_, name)| *name).collect::<Vec<_>>())],
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
    let (from, until) = (wanted.from, wanted.now.plus(Duration::seconds(60)));
    format!("/products/{}/candles?granularity=60&start={from}&end={until}", encoded(wanted.name))
}

/// What subscribes to the quotes of these products.
fn subscription(names: &[&str]) -> String {
    serde_json::json!({"type": "subscribe", "product_ids": names, "channels": ["ticker", "heartbeat"]}).to_string()
}

/// What lets go of one product.
fn unsubscription(name: &str) -> String {
    serde_json::json!({"type": "unsubscribe", "product_ids": [name], "channels": ["ticker", "heartbeat"]}).to_string()
}

/// Time, low, high, open, close, volume.
type Candle = (i64, Number, Number, Number, Number, Number);

#[derive(Deserialize)]
struct Said {
    message: String,
}

/// Reads an answer with bars.
pub fn candles(status: u16, body: &[u8], wanted: &Wanted<'_>) -> Result<Chart, Refusal> {
    let candles: Vec<Candle> = match serde_json::from_slice(body) {
        Ok(candles) => candles,
        Err(error) => return Err(unread(status, body, &error)),
    };
    let mut rows = Vec::with_capacity(candles.len());
    for (seconds, low, high, open, close, volume) in candles {
        let at = at_second(seconds).ok_or_else(|| Refusal::new(Failure::Schema, "a time that cannot be"))?;
        let [Some(open), Some(high), Some(low), Some(close)] = [open, high, low, close].map(Number::price) else {
            return Err(Refusal::new(Failure::Nonsense, "a price that is not above zero"));
        };
        rows.push(Row { at, open, high, low, close, volume: volume.volume() });
    }
    if rows.is_empty() { Err(Refusal::of(Failure::NoData)) } else { bars::chart(rows, wanted, None) }
}

fn unread(status: u16, body: &[u8], error: &serde_json::Error) -> Refusal {
    if let Ok(said) = serde_json::from_slice::<Said>(body) {
        let failure = match (status, said.message.as_str()) {
            (429, _) => Failure::Throttled { retry_after: None },
            (404, _) | (_, "NotFound") => Failure::UnknownSymbol,
            (403 | 451, _) => Failure::Blocked,
            (500..=599, _) => Failure::Upstream,
            _ => Failure::BadRequest,
        };
        return Refusal::new(failure, &said.message);
    }
    Refusal::unread(status, body, error)
}

#[derive(Deserialize)]
struct Message {
    r#type: String,
    message: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Subscriptions {
    channels: Vec<Channel>,
}

#[derive(Deserialize)]
struct Channel {
    name: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Ticker {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    /// What only errors have.
    message: Option<IgnoredAny>,
    reason: Option<IgnoredAny>,
    product_id: String,
    #[serde(deserialize_with = "null_or")]
    price: Option<Number>,
    best_bid: Option<Number>,
    best_ask: Option<Number>,
    time: Option<String>,
}

/// Reads a frame of the stream.
pub fn frame(text: &str) -> Result<Vec<Frame>, Refusal> {
    // Prices are read in one go; whatever is not as usual is looked at piece by piece below.
    if text.starts_with(r#"{"type":"ticker","#)
        && let Ok(ticker @ Ticker { message: None, reason: None, .. }) = serde_json::from_str(text)
    {
        return Ok(vec![quote(ticker)]);
    }
    let message: Message = serde_json::from_str(text).map_err(|error| {
        let kind = if error.is_data() { Failure::Schema } else { Failure::Malformed };
        Refusal::new(kind, &error.to_string())
    })?;
    match message.r#type.as_str() {
        "ticker" => {
            let ticker = serde_json::from_str(text).map_err(|error| Refusal::new(Failure::Schema, &error.to_string()))?;
            Ok(vec![quote(ticker)])
        }
        "subscriptions" => {
            let Subscriptions { channels } =
                serde_json::from_str(text).map_err(|error| Refusal::new(Failure::Schema, &error.to_string()))?;
            let names = channels.into_iter().filter(|channel| channel.name == "ticker").flat_map(|channel| channel.product_ids);
            Ok(names.map(|name| Frame::Subscription { name: Some(name), number: None, refusal: None }).collect())
        }
        "error" => {
            let words = [message.message, message.reason].into_iter().flatten().collect::<Vec<_>>().join(": ");
            let is_unknown = words.contains("not a valid product");
            let failure = if is_unknown { Failure::UnknownSymbol } else { Failure::BadRequest };
            let name = is_unknown.then(|| words.split_whitespace().find(|word| word.contains('-')).map(str::to_owned)).flatten();
            Ok(vec![Frame::Subscription { name, number: None, refusal: Some(Refusal::new(failure, &words)) }])
        }
        _ => Ok(Vec::new()),
    }
}

fn quote(ticker: Ticker) -> Frame {
    let Ticker { product_id, price, best_bid, best_ask, time, .. } = ticker;
    let at = time.as_deref().and_then(WallTime::parse);
    Frame::Quote(Heard::checked(product_id, price, best_bid, best_ask, at))
}
