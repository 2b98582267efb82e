//! Alpha Vantage: prices and minute bars on request, for who has a key with a plan that holds them.
//!
//! Every answer is an HTTP 200; a refusal is a sentence in it, and which one it is decides. Times are those of New York without a zone for
//! shares, and UTC for pairs; the answer says which. A free key tells the close of the day before and no minutes, so it serves neither.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::{AssetClass, MarketTime, VenueQuote, WallTime, new_york};
use crate::market::providers::bars::{self, Chart, Row, Wanted, encoded};
use crate::market::providers::client::{BarsClient, Client, NONE, QuotesClient};
use crate::market::providers::number::Number;
use crate::market::providers::streams::Heard;
use crate::market::providers::table::Plan;
use crate::market::providers::{Capability, Failure, Refusal};

/// A compact answer holds a hundred rows, a full one a month; of pairs, which trade around the clock, a month is too much to take.
const COMPACT: i64 = 98 * 60_000_000_000;
const FULL: i64 = 29 * 24 * 3_600_000_000_000;

pub(super) const CLIENT: Client = Client {
    bars: Some(BarsClient {
        endpoint: |kind| match kind {
            AssetClass::Fx => "FX_INTRADAY",
            AssetClass::Crypto => "CRYPTO_INTRADAY",
            AssetClass::Stock | AssetClass::Index | AssetClass::Commodity => "TIME_SERIES_INTRADAY",
        },
        depth: |kind| if is_pair(kind) { COMPACT } else { FULL },
        path: bars_path,
        read: intraday,
        has_volume: |kind| matches!(kind, AssetClass::Stock | AssetClass::Crypto),
    }),
    quotes: Some(QuotesClient {
        endpoint: |kind| if is_pair(kind) { "CURRENCY_EXCHANGE_RATE" } else { "GLOBAL_QUOTE" },
        most: 1,
        path: |asked| asked.first().map(quote_path).unwrap_or_default(),
        read: |status, body, asked| asked.iter().take(1).map(|wanted| quote(status, body, wanted)).collect(),
    }),
    lacks: |plan, capability| match (plan, capability) {
        (Plan::Free, Capability::Quotes | Capability::Bars) => Some("free key"),
        (Plan::Delayed, Capability::Quotes) => Some("the key's prices are delayed by 15 minutes"),
        (Plan::Delayed, Capability::Bars) | (Plan::Realtime, _) => None,
    },
    ..NONE
};

const fn is_pair(kind: AssetClass) -> bool {
    matches!(kind, AssetClass::Fx | AssetClass::Crypto)
}

/// The two sides of a name such as `EUR/USD`.
fn sides(name: &str) -> (String, String) {
    let (base, counter) = name.split_once('/').unwrap_or((name, "USD"));
    (encoded(base), encoded(counter))
}

const fn entitlement(plan: Plan) -> &'static str {
    match plan {
        Plan::Free => "",
        Plan::Delayed => "&entitlement=delayed",
        Plan::Realtime => "&entitlement=realtime",
    }
}

fn bars_path(wanted: &Wanted<'_>) -> String {
    let (base, counter) = sides(wanted.name);
    let size = if is_pair(wanted.kind) || wanted.now.0 - wanted.from.0 < COMPACT { "compact" } else { "full" };
    let end = format!("&interval=1min&outputsize={size}{}", entitlement(wanted.plan));
    match wanted.kind {
        AssetClass::Fx => format!("/query?function=FX_INTRADAY&from_symbol={base}&to_symbol={counter}{end}"),
        AssetClass::Crypto => format!("/query?function=CRYPTO_INTRADAY&symbol={base}&market={counter}{end}"),
        AssetClass::Stock | AssetClass::Index | AssetClass::Commodity => {
            let symbol = encoded(wanted.name);
            // As it traded: its own adjustment reaches into dividends, which no other provider's minutes hold.
            format!("/query?function=TIME_SERIES_INTRADAY&symbol={symbol}&adjusted=false&extended_hours=false{end}")
        }
    }
}

fn quote_path(wanted: &Wanted<'_>) -> String {
    let end = entitlement(wanted.plan);
    if is_pair(wanted.kind) {
        let (base, counter) = sides(wanted.name);
        return format!("/query?function=CURRENCY_EXCHANGE_RATE&from_currency={base}&to_currency={counter}{end}");
    }
    format!("/query?function=GLOBAL_QUOTE&symbol={}{end}", encoded(wanted.name))
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "Information")]
    information: Option<Value>,
    #[serde(rename = "Note")]
    note: Option<Value>,
    #[serde(rename = "Error Message")]
    error: Option<Value>,
}

/// What an answer refuses, if it does: JSON also where rows were asked for as text. Without words of the provider that could hold a key.
pub fn refusal(body: &[u8]) -> Option<Refusal> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return None;
    }
    let said: Said = serde_json::from_slice(body).ok()?;
    let is_error = said.error.is_some();
    let sentence = said.error.or(said.information).or(said.note)?;
    let Some(sentence) = sentence.as_str() else { return Some(Refusal::new(Failure::Schema, "a refusal that is no text")) };
    let is_said = |words: &str| sentence.contains(words);
    // The sentence about bursts speaks of the day's limit too: what only the other one says comes first.
    let failure = if is_said("detected your API key") {
        Failure::QuotaExhausted
    } else if is_said("premium endpoint") || is_said("premium feature") {
        Failure::NotEntitled
    } else if is_said("demo** API key") || is_said("apikey is invalid or missing") {
        Failure::BadKey
    } else if is_said("spreading out your") || is_said("per second") || is_said("call frequency") || is_said("rate limit") {
        Failure::Throttled { retry_after: None }
    } else if is_said("No articles found") {
        Failure::NoData
    } else if is_said("Invalid inputs") {
        Failure::BadRequest
    } else if is_said("Invalid API call") {
        Failure::UnknownSymbol
    } else if is_error {
        Failure::BadRequest
    } else {
        Failure::Schema
    };
    Some(Refusal::new(failure, &keyless(sentence)))
}

/// The sentence without the key that it may name.
fn keyless(sentence: &str) -> String {
    const BEFORE: &str = "API key as ";
    let Some((before, after)) = sentence.split_once(BEFORE) else { return sentence.to_owned() };
    let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{before}{BEFORE}[key] {rest}")
}

/// Reads the object of an answer, or why there is none.
fn object(status: u16, body: &[u8]) -> Result<BTreeMap<String, Value>, Refusal> {
    if let Some(refusal) = refusal(body) {
        return Err(refusal);
    }
    let answer: BTreeMap<String, Value> = serde_json::from_slice(body).map_err(|error| Refusal::unread(status, body, &error))?;
    // An empty answer is how some symbols are refused.
    if answer.is_empty() { Err(Refusal::of(Failure::UnknownSymbol)) } else { Ok(answer) }
}

fn schema(what: &str) -> Refusal {
    Refusal::new(Failure::Schema, what)
}

fn field<'a>(fields: &'a Value, name: &str) -> Option<&'a str> {
    fields.as_object()?.iter().find(|(key, _)| key.ends_with(name))?.1.as_str()
}

fn number(text: Option<&str>) -> Option<Number> {
    Number::read(text?)
}

fn zone(fields: &Value) -> Result<TimeZone, Refusal> {
    match field(fields, "Time Zone") {
        Some("US/Eastern" | "America/New_York") => Ok(new_york()),
        Some("UTC") => Ok(TimeZone::UTC),
        Some(other) => Err(schema(&format!("times of the zone {other}"))),
        None => Err(schema("times of no zone")),
    }
}

fn instant(text: &str, zone: &TimeZone) -> Option<MarketTime> {
    let at = zone.to_timestamp(text.parse::<DateTime>().ok()?).ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(MarketTime)
}

/// Reads minute bars.
pub fn intraday(status: u16, body: &[u8], wanted: &Wanted<'_>) -> Result<Chart, Refusal> {
    let answer = object(status, body)?;
    let meta = answer.get("Meta Data").ok_or_else(|| schema("there is no meta data in it"))?;
    if let Some(other) = field(meta, "Interval").filter(|length| *length != "1min") {
        return Err(Refusal::new(Failure::Nonsense, &format!("bars of {other}")));
    }
    let (base, _) = wanted.name.split_once('/').unwrap_or((wanted.name, ""));
    let about = field(meta, " Symbol").or_else(|| field(meta, "Digital Currency Code"));
    if about.is_some_and(|symbol| !symbol.eq_ignore_ascii_case(base)) {
        return Err(schema("the answer is about another symbol"));
    }
    let zone = zone(meta)?;
    let told = answer.iter().find(|(key, _)| key.starts_with("Time Series")).and_then(|(_, rows)| rows.as_object());
    let mut rows = Vec::new();
    for (time, fields) in told.ok_or_else(|| schema("there are no bars in it"))? {
        let at = instant(time, &zone).ok_or_else(|| schema("a time that cannot be"))?;
        let prices = [". open", ". high", ". low", ". close"].map(|name| number(field(fields, name)));
        let [Some(open), Some(high), Some(low), Some(close)] = prices else { return Err(schema("a bar without its prices")) };
        let [Some(open), Some(high), Some(low), Some(close)] = [open, high, low, close].map(Number::price) else {
            return Err(Refusal::new(Failure::Nonsense, "a price that is not above zero"));
        };
        let volume = number(field(fields, ". volume")).and_then(Number::volume);
        rows.push(Row { at, open, high, low, close, volume });
    }
    if rows.is_empty() { Err(Refusal::of(Failure::NoData)) } else { bars::chart(rows, wanted, None) }
}

/// Reads a price.
pub fn quote(status: u16, body: &[u8], wanted: &Wanted<'_>) -> Result<VenueQuote, Refusal> {
    let answer = object(status, body)?;
    let (fields, heard) = if is_pair(wanted.kind) {
        let fields = answer.get("Realtime Currency Exchange Rate").ok_or_else(|| schema("there is no rate in it"))?;
        let at = field(fields, "Last Refreshed").and_then(|text| instant(text, &zone(fields).ok()?));
        let [last, bid, ask] = ["Exchange Rate", "Bid Price", "Ask Price"].map(|name| number(field(fields, name)));
        let last = last.ok_or_else(|| schema("there is no rate in it"))?;
        let at = at.ok_or_else(|| schema("a price of no time"))?;
        (fields, Heard::checked(wanted.name.to_owned(), last, bid, ask, Some(WallTime(at.0)))?)
    } else {
        // Its key carries words such as "DATA DELAYED BY 15 MINUTES".
        let fields = answer.iter().find(|(key, _)| key.starts_with("Global Quote")).map(|(_, fields)| fields);
        let fields = fields.ok_or_else(|| schema("there is no quote in it"))?;
        if fields.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err(Refusal::of(Failure::UnknownSymbol));
        }
        let last = number(field(fields, ". price")).ok_or_else(|| schema("there is no price in it"))?;
        let day = field(fields, "latest trading day").ok_or_else(|| schema("a price of no day"))?;
        // It tells the day only: a price is no younger than that day's close, nor than the answer.
        let close = instant(&format!("{day}T16:00:00"), &new_york()).ok_or_else(|| schema("a day that cannot be"))?;
        (fields, Heard::checked(wanted.name.to_owned(), last, None, None, Some(WallTime(close.0).min(wanted.now)))?)
    };
    if field(fields, ". symbol").is_some_and(|symbol| !symbol.eq_ignore_ascii_case(wanted.name)) {
        return Err(schema("the answer is about another symbol"));
    }
    let Heard { last, bid, ask, at, .. } = heard;
    Ok(VenueQuote { instrument: wanted.instrument, last, bid, ask, at: at.unwrap_or(wanted.now) })
}
