//! Yahoo Finance, chart v8 over HTTP: what is asked, and what an answer says. Unofficial; one venue's prices. Its stream is in
//! `yahoo_stream.rs`, prices of many symbols at a time in `yahoo_spark.rs`.
//!
//! While a session is open the last row is the live price with a time off the minute's grid: it is a price, not a bar. A whole row may be
//! null. Prices are binary fractions and are rounded to the decimals of the instrument.

use serde::Deserialize;

use crate::domain::{AssetClass, Flaw, MarketTime, SplitRatio, VenueQuote, WallTime};
use crate::market::providers::bars::{self, Chart, MINUTE, Row, Wanted, at_second, encoded};
use crate::market::providers::client::{BarsClient, Client, NONE};
use crate::market::providers::number::Number;
use crate::market::providers::yahoo_spark::SPARK;
use crate::market::providers::yahoo_stream::STREAM;
use crate::market::providers::{Failure, Refusal};

/// Bars of one minute reach back thirty days, eight in one request.
const DEPTH: i64 = 7 * 24 * 3_600 * 1_000_000_000;

pub(super) const CLIENT: Client = Client {
    bars: Some(BarsClient { endpoint: |_| "chart", depth: |_| DEPTH, path, read: chart, has_volume }),
    quotes: Some(SPARK),
    stream: Some(STREAM),
    besides: &["search"],
    ..NONE
};

/// The path and query of a request for minute bars from an instant on.
fn path(wanted: &Wanted<'_>) -> String {
    let (from, until) = (wanted.from.0.div_euclid(1_000_000_000), wanted.now.0.div_euclid(1_000_000_000) + 60);
    format!(
        "/v8/finance/chart/{}?period1={from}&period2={until}&interval=1m&includePrePost=false&events=split&lang=en-US&region=US",
        encoded(wanted.name)
    )
}

#[derive(Deserialize)]
struct Document {
    chart: Option<Body>,
    finance: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    result: Option<Vec<Found>>,
    #[serde(default)]
    error: Option<Said>,
}

#[derive(Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    meta: Meta,
    #[serde(default)]
    timestamp: Option<Vec<i64>>,
    #[serde(default)]
    indicators: Option<Indicators>,
    #[serde(default)]
    events: Option<Happened>,
}

#[derive(Deserialize)]
struct Happened {
    #[serde(default)]
    splits: Option<std::collections::BTreeMap<String, SplitRow>>,
}

#[derive(Deserialize)]
struct SplitRow {
    #[serde(default)]
    date: Option<i64>,
    #[serde(default)]
    numerator: Option<f64>,
    #[serde(default)]
    denominator: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    symbol: Option<String>,
    currency: Option<String>,
    price_hint: Option<u8>,
    regular_market_time: Option<i64>,
    regular_market_price: Option<Number>,
    data_granularity: Option<String>,
}

#[derive(Deserialize)]
struct Indicators {
    #[serde(default)]
    quote: Vec<Columns>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Columns {
    open: Vec<Option<Number>>,
    high: Vec<Option<Number>>,
    low: Vec<Option<Number>>,
    close: Vec<Option<Number>>,
    /// Counts of shares: no price hangs on them, and some sources write them larger than prices can be.
    volume: Vec<Option<f64>>,
}

/// Reads an answer with its status.
pub fn chart(status: u16, body: &[u8], wanted: &Wanted<'_>) -> Result<Chart, Refusal> {
    let document = match serde_json::from_slice::<Document>(body) {
        Ok(document) => document,
        Err(error) => return Err(unread(status, body, &error)),
    };
    let Some(body) = document.chart.or(document.finance) else {
        return Err(Refusal::new(Failure::Schema, "there is no chart in it"));
    };
    if let Some(said) = body.error {
        return Err(refused(status, &said));
    }
    let found = body.result.unwrap_or_default().into_iter().next().ok_or_else(|| Refusal::of(Failure::NoData))?;
    read(found, wanted)
}

/// What is not JSON, or JSON of another shape.
pub(super) fn unread(status: u16, body: &[u8], error: &serde_json::Error) -> Refusal {
    let text = String::from_utf8_lossy(body.get(..400).unwrap_or(body)).into_owned();
    let is_page = text.trim_start().starts_with('<');
    match status {
        429 => Refusal::of(Failure::Throttled { retry_after: None }),
        500..=599 => Refusal::new(Failure::Upstream, &format!("HTTP {status}")),
        _ if text.contains("Too Many Requests") => Refusal::of(Failure::Throttled { retry_after: None }),
        _ if text.contains("Will be right back") => Refusal::new(Failure::Upstream, "it will be right back"),
        401 | 403 | 451 | 999 => Refusal::new(Failure::Blocked, &format!("HTTP {status}")),
        _ if is_page => Refusal::new(Failure::Blocked, "a page for people"),
        400..=499 => Refusal::new(Failure::BadRequest, &format!("HTTP {status}")),
        _ if error.is_data() => Refusal::new(Failure::Schema, &error.to_string()),
        _ => Refusal::of(Failure::Malformed),
    }
}

pub(super) fn refused(status: u16, said: &Said) -> Refusal {
    let (code, words) = (said.code.as_deref().unwrap_or_default(), said.description.as_deref().unwrap_or_default());
    let failure = match (status, code) {
        (429, _) => Failure::Throttled { retry_after: None },
        (404, _) | (_, "Not Found") => Failure::UnknownSymbol,
        (400 | 422, _) | (_, "Bad Request" | "Unprocessable Entity") => Failure::BadRequest,
        (401 | 403, _) | (_, "Unauthorized") => Failure::Blocked,
        _ => Failure::Upstream,
    };
    Refusal::new(failure, words)
}

fn read(found: Found, wanted: &Wanted<'_>) -> Result<Chart, Refusal> {
    let Found { meta, timestamp, indicators, events } = found;
    let schema = |what: &str| Err(Refusal::new(Failure::Schema, what));
    if meta.symbol.as_deref().is_some_and(|symbol| !symbol.eq_ignore_ascii_case(wanted.name)) {
        return schema("the answer is about another symbol");
    }
    if let Some(other) = meta.currency.as_deref().filter(|currency| *currency != wanted.currency.to_string()) {
        return Err(Refusal::new(Failure::Nonsense, &format!("prices in {other}")));
    }
    if let Some(other) = meta.data_granularity.as_deref().filter(|length| *length != "1m") {
        return Err(Refusal::new(Failure::Nonsense, &format!("bars of {other}")));
    }
    let decimals = wanted.decimals.max(meta.price_hint.unwrap_or(0));
    let told_until = meta.regular_market_time.and_then(at_second);
    let columns = indicators.and_then(|found| found.quote.into_iter().next()).unwrap_or_default();
    let mut rows = Vec::new();
    for (index, seconds) in timestamp.unwrap_or_default().into_iter().enumerate() {
        let Some(at) = at_second(seconds) else { return schema("a time that cannot be") };
        // The live row has a time of its own; a minute without a trade has no prices.
        if at.0.rem_euclid(MINUTE) != 0 {
            continue;
        }
        let price = |column: &[Option<Number>]| column.get(index).copied().flatten();
        let [open, high, low, close] = [&columns.open, &columns.high, &columns.low, &columns.close].map(|column| price(column));
        let (Some(open), Some(high), Some(low), Some(close)) = (open, high, low, close) else { continue };
        let prices = [open, high, low, close].map(|number| number.rounded(decimals));
        let [Some(open), Some(high), Some(low), Some(close)] = prices else {
            return Err(Refusal::flawed(Flaw::NoPrice, "a price that is not above zero"));
        };
        let volume = columns.volume.get(index).copied().flatten().and_then(volume);
        rows.push(Row { at, open, high, low, close, volume });
    }
    let is_empty = rows.is_empty();
    let mut chart = bars::chart(rows, wanted, told_until)?;
    chart.quote = quote(&meta, decimals, wanted)?;
    let splits = events.and_then(|events| events.splits).unwrap_or_default();
    chart.split = splits.values().filter_map(SplitRow::read).max_by_key(|(at, _)| *at);
    if is_empty && chart.quote.is_none() { Err(Refusal::of(Failure::NoData)) } else { Ok(chart) }
}

impl SplitRow {
    fn read(&self) -> Option<(MarketTime, SplitRatio)> {
        let whole = |number: Option<f64>| number.filter(|number| (1.0..1e6).contains(number)).map(|number| number as u32);
        let (new, old) = (whole(self.numerator)?, whole(self.denominator)?);
        Some((at_second(self.date?)?, SplitRatio { new, old }))
    }
}

/// Whole shares as thousandths; what is too large to be a count is none.
fn volume(shares: f64) -> Option<crate::domain::Volume> {
    let is_count = shares.is_finite() && (0.0..1e12).contains(&shares);
    is_count.then(|| crate::domain::Volume::from_milli((shares * 1e3) as i64))
}

fn quote(meta: &Meta, decimals: u8, wanted: &Wanted<'_>) -> Result<Option<VenueQuote>, Refusal> {
    let (Some(price), Some(at)) = (meta.regular_market_price, meta.regular_market_time.and_then(at_second)) else {
        return Ok(None);
    };
    let last = price.rounded(decimals).ok_or_else(|| Refusal::new(Failure::Nonsense, "a price that is not above zero"))?;
    Ok(Some(VenueQuote { instrument: wanted.instrument, last, bid: None, ask: None, at: WallTime(at.0) }))
}

/// Whether volumes of this provider count units of the instrument: those of shares do; of a pair they are amounts of money.
const fn has_volume(kind: AssetClass) -> bool {
    matches!(kind, AssetClass::Stock)
}
