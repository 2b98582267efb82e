//! Yahoo's spark: the last closes of up to twenty symbols in one request, for prices while its stream does not speak.
//!
//! Two shapes are known, a map by symbol and a list with the data of a chart; both are read. A close is labelled with the beginning of its
//! minute, so a price may look older than it is, and never younger.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::{VenueQuote, WallTime};
use crate::market::providers::bars::{Wanted, at_second, encoded};
use crate::market::providers::client::QuotesClient;
use crate::market::providers::number::Number;
use crate::market::providers::yahoo::{Said, refused, unread};
use crate::market::providers::{Failure, Refusal};

/// More symbols than this in one request are not answered reliably.
const MOST: usize = 20;

pub(super) const SPARK: QuotesClient = QuotesClient { endpoint: |_| "spark", most: MOST, path, read: spark };

fn path(asked: &[Wanted<'_>]) -> String {
    let names: Vec<String> = asked.iter().map(|wanted| encoded(wanted.name)).collect();
    format!("/v8/finance/spark?symbols={}&range=1d&interval=1m&includePrePost=false", names.join(","))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    currency: Option<String>,
    price_hint: Option<u8>,
    regular_market_price: Option<Number>,
    regular_market_time: Option<i64>,
}

/// One symbol, in either shape.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Found {
    symbol: Option<String>,
    meta: Meta,
    timestamp: Vec<i64>,
    close: Vec<Option<Number>>,
    indicators: Indicators,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Indicators {
    quote: Vec<Closes>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Closes {
    close: Vec<Option<Number>>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    result: Option<Vec<Entry>>,
    #[serde(default)]
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Entry {
    symbol: String,
    #[serde(default)]
    response: Vec<Found>,
}

/// Reads an answer: the prices of those that were asked for and are in it.
pub fn spark(status: u16, body: &[u8], asked: &[Wanted<'_>]) -> Result<Vec<VenueQuote>, Refusal> {
    let document: BTreeMap<String, &RawValue> = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(error) => return Err(unread(status, body, &error)),
    };
    let schema = |error: serde_json::Error| Refusal::new(Failure::Schema, &error.to_string());
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    if let Some(listed) = document.get("spark").or(document.get("finance")) {
        let Listed { result, error } = serde_json::from_str(listed.get()).map_err(schema)?;
        if let Some(said) = error {
            return Err(refused(status, &said));
        }
        for Entry { symbol, response } in result.unwrap_or_default() {
            found.extend(response.into_iter().next().map(|one| (symbol, one)));
        }
    } else if let Some(text) = document.get("error").or(document.get("message")) {
        return Err(Refusal::new(if status < 500 { Failure::BadRequest } else { Failure::Upstream }, text.get()));
    } else {
        for (symbol, one) in document {
            if let Some(one) = serde_json::from_str::<Option<Found>>(one.get()).map_err(schema)? {
                found.insert(one.symbol.clone().unwrap_or(symbol), one);
            }
        }
    }
    // One that makes no sense spoils nothing of the others.
    let (mut quotes, mut trouble) = (Vec::new(), None);
    for wanted in asked {
        match found.get(wanted.name).map(|one| quote(one, wanted)) {
            Some(Ok(told)) => quotes.extend(told),
            Some(Err(refusal)) => trouble = Some(refusal),
            None => {}
        }
    }
    if quotes.is_empty() { Err(trouble.unwrap_or_else(|| Refusal::of(Failure::NoData))) } else { Ok(quotes) }
}

fn quote(found: &Found, wanted: &Wanted<'_>) -> Result<Option<VenueQuote>, Refusal> {
    let Found { meta, timestamp, close, indicators, .. } = found;
    if let Some(other) = meta.currency.as_deref().filter(|currency| *currency != wanted.currency.to_string()) {
        return Err(Refusal::new(Failure::Nonsense, &format!("prices in {other}")));
    }
    let closes = indicators.quote.first().map_or(close, |columns| &columns.close);
    let last = timestamp.iter().zip(closes).rev().find_map(|(at, close)| Some((*at, (*close)?)));
    let told = meta.regular_market_time.zip(meta.regular_market_price).or(last);
    let Some((seconds, price)) = told else { return Ok(None) };
    let at = at_second(seconds).ok_or_else(|| Refusal::new(Failure::Schema, "a time that cannot be"))?;
    let price = price.rounded(wanted.decimals.max(meta.price_hint.unwrap_or(0)));
    let last = price.ok_or_else(|| Refusal::new(Failure::Nonsense, "a price that is not above zero"))?;
    Ok(Some(VenueQuote { instrument: wanted.instrument, last, bid: None, ask: None, at: WallTime(at.0) }))
}
