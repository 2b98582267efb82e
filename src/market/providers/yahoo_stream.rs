//! Yahoo's stream: the last trade of one venue, as a protocol buffer in base64 in a JSON text.
//!
//! Nothing is acknowledged, and what was subscribed is forgotten unless it is sent again and again. Prices are binary fractions of 32 bits:
//! their shortest decimal is taken, and digits behind the provider's own hint and the instrument's decimals are noise. Prices outside
//! regular hours are not those of the session that bars are of, and are left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use serde::Deserialize;

use crate::domain::{Duration, WallTime};
use crate::market::providers::client::StreamClient;
use crate::market::providers::number::Number;
use crate::market::providers::streams::{Frame, Heard};
use crate::market::providers::{Failure, Refusal};

pub(super) const STREAM: StreamClient = StreamClient {
    origin: Some("https://finance.yahoo.com"),
    subscribe: |wanted| vec![subscription(&wanted.iter().map(|(_, name)| *name).collect::<Vec<_>>())],
    unsubscribe: |name| serde_json::json!({"unsubscribe": [name]}).to_string(),
    read: frame,
    beats: false,
    is_confirmed: false,
    again_every: Some(Duration::seconds(15)),
    prices_within: Some(Duration::seconds(90)),
};

/// What stands in a frame, as far as it is used; what else there is is passed over.
#[derive(Clone, PartialEq, prost::Message)]
struct PricingData {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(float, tag = "2")]
    price: f32,
    /// Milliseconds since 1970.
    #[prost(sint64, tag = "3")]
    time: i64,
    /// Pairs have one; shares do not.
    #[prost(string, tag = "4")]
    currency: String,
    #[prost(int32, tag = "6")]
    quote_type: i32,
    /// A missing one is zero, which is before the session.
    #[prost(int32, tag = "7")]
    market_hours: i32,
    #[prost(float, tag = "23")]
    bid: f32,
    #[prost(float, tag = "25")]
    ask: f32,
    #[prost(sint64, tag = "27")]
    price_hint: i64,
}

/// A sign of life without a price.
const HEARTBEAT: i32 = 7;
/// The session itself.
const REGULAR: i32 = 1;

fn subscription(names: &[&str]) -> String {
    serde_json::json!({"subscribe": names}).to_string()
}

#[derive(Deserialize)]
struct Message {
    r#type: String,
    #[serde(default)]
    message: String,
}

/// Reads a frame of the stream.
pub fn frame(text: &str) -> Result<Vec<Frame>, Refusal> {
    let text = text.trim();
    if !text.starts_with('{') {
        // An older version of the stream sends the message bare.
        return Ok(price(text).into_iter().collect());
    }
    let message: Message = serde_json::from_str(text).map_err(|error| {
        let kind = if error.is_data() { Failure::Schema } else { Failure::Malformed };
        Refusal::new(kind, &error.to_string())
    })?;
    if message.r#type == "pricing" { Ok(price(&message.message).into_iter().collect()) } else { Ok(Vec::new()) }
}

/// The price of a message. One that cannot be read says nothing about the next.
fn price(text: &str) -> Option<Frame> {
    let refused = |failure: Failure, what: &str| Some(Frame::Quote(Err(Refusal::new(failure, what))));
    let Ok(bytes) = STANDARD.decode(text) else { return refused(Failure::Malformed, "a price that is not base64") };
    let Ok(data) = PricingData::decode(bytes.as_slice()) else { return refused(Failure::Malformed, "a price of another format") };
    let PricingData { id, price, time, currency, quote_type, market_hours, bid, ask, price_hint } = data;
    if quote_type == HEARTBEAT {
        return None;
    }
    if id.is_empty() || price == 0.0 || time == 0 {
        return refused(Failure::NoData, "a price without name, value or time");
    }
    if market_hours != REGULAR {
        return None;
    }
    let Some(at) = time.checked_mul(1_000_000).filter(|at| *at > 0).map(WallTime) else {
        return refused(Failure::Nonsense, "a time that cannot be");
    };
    let [Some(last), Some(bid), Some(ask)] = [price, bid, ask].map(Number::shortest) else {
        return refused(Failure::Nonsense, "a price that is no number");
    };
    let heard = Heard::checked(id, last, Some(bid), Some(ask), Some(at));
    let decimals = Some(u8::try_from(price_hint.clamp(0, 9)).unwrap_or(9));
    Some(Frame::Quote(heard.map(|heard| Heard { decimals, currency: Some(currency).filter(|word| !word.is_empty()), ..heard })))
}
