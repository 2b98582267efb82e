//! Yahoo's search by name, without its headlines: what is asked, and what an answer says.
//!
//! Rows without a symbol are companies that are not listed. A row does not say in which currency its prices are: that follows from its kind
//! and exchange where they are known, and else nobody knows it.

use serde::Deserialize;

use crate::domain::CleanText;
use crate::market::providers::bars::encoded;
use crate::market::providers::{Failure, Refusal};

/// Rows asked for, and taken.
const ROWS: usize = 10;
/// A symbol that is longer is none.
const LONGEST_SYMBOL: usize = 32;

/// What a row is listed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// A share.
    Share,
    /// A fund that trades like a share.
    ExchangeFund,
    /// A fund with one price a day.
    MutualFund,
    /// An index.
    Index,
    /// A crypto pair.
    Crypto,
    /// A currency pair.
    Fx,
    /// A contract that expires.
    Future,
    /// An option, or what nobody here knows.
    Other,
}

impl Listing {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::ExchangeFund => "ETF",
            Self::MutualFund => "fund",
            Self::Index => "index",
            Self::Crypto => "crypto",
            Self::Fx => "currency",
            Self::Future => "future",
            Self::Other => "other",
        }
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Yahoo's symbol: visible ASCII.
    pub symbol: String,
    /// Its name.
    pub name: CleanText,
    /// Its exchange, as people call it.
    pub exchange: CleanText,
    /// Yahoo's code of the exchange.
    pub code: String,
    /// What it is.
    pub listing: Listing,
    /// Its sector, where one is told.
    pub sector: CleanText,
}

/// The path and query of a search.
pub(super) fn path(words: &str) -> String {
    format!("/v1/finance/search?q={}&quotesCount={ROWS}&newsCount=0&lang=en-US&region=US", encoded(words))
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    quotes: Option<Vec<Row>>,
    #[serde(default)]
    finance: Option<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    #[serde(default)]
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: Option<String>,
    shortname: Option<String>,
    longname: Option<String>,
    quote_type: Option<String>,
    exchange: Option<String>,
    exch_disp: Option<String>,
    sector_disp: Option<String>,
    sector: Option<String>,
}

/// Reads an answer with its status.
pub fn read(status: u16, body: &[u8]) -> Result<Vec<Hit>, Refusal> {
    let document = serde_json::from_slice::<Document>(body).map_err(|error| match status {
        400..=499 if !matches!(status, 403 | 429 | 451) => Refusal::new(Failure::BadRequest, &format!("HTTP {status}")),
        _ => unread(status, body, &error),
    })?;
    if let Some(said) = document.finance.and_then(|trouble| trouble.error) {
        return Err(refused(status, &said));
    }
    match (status, document.quotes) {
        (429, _) => Err(Refusal::of(Failure::Throttled { retry_after: None })),
        (401 | 403 | 451, _) => Err(Refusal::new(Failure::Blocked, &format!("HTTP {status}"))),
        (500..=599, _) => Err(Refusal::new(Failure::Upstream, &format!("HTTP {status}"))),
        (400..=499, _) => Err(Refusal::new(Failure::BadRequest, &format!("HTTP {status}"))),
        (_, None) => Err(Refusal::new(Failure::Schema, "there are no quotes in it")),
        (_, Some(rows)) => Ok(rows.into_iter().filter_map(hit).take(ROWS).collect()),
    }
}

fn unread(status: u16, body: &[u8], error: &serde_json::Error) -> Refusal {
    let beginning = String::from_utf8_lossy(body.get(..400).unwrap_or(body)).into_owned();
    if beginning.contains("Too Many Requests") {
        return Refusal::of(Failure::Throttled { retry_after: None });
    }
    if beginning.contains("Will be right back") {
        return Refusal::new(Failure::Upstream, "it will be right back");
    }
    Refusal::unread(status, body, error)
}

fn refused(status: u16, said: &Said) -> Refusal {
    let (code, words) = (said.code.as_deref().unwrap_or_default(), said.description.as_deref().unwrap_or_default());
    let failure = match (status, code) {
        (429, _) => Failure::Throttled { retry_after: None },
        (401 | 403, _) | (_, "Unauthorized") => Failure::Blocked,
        (500..=599, _) => Failure::Upstream,
        _ => Failure::BadRequest,
    };
    Refusal::new(failure, words)
}

fn hit(row: Row) -> Option<Hit> {
    let is_symbol =
        |symbol: &String| (1..=LONGEST_SYMBOL).contains(&symbol.len()) && symbol.bytes().all(|byte| byte.is_ascii_graphic());
    let symbol = row.symbol.filter(is_symbol)?;
    let clean = |text: Option<String>| CleanText::from_outside(&text.unwrap_or_default());
    let is_code = |code: &String| code.len() <= 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let listing = match row.quote_type.as_deref().unwrap_or_default() {
        "EQUITY" => Listing::Share,
        "ETF" => Listing::ExchangeFund,
        "MUTUALFUND" => Listing::MutualFund,
        "INDEX" => Listing::Index,
        "CRYPTOCURRENCY" => Listing::Crypto,
        "CURRENCY" => Listing::Fx,
        "FUTURE" => Listing::Future,
        _ => Listing::Other,
    };
    Some(Hit {
        symbol,
        name: clean(row.shortname.or(row.longname)),
        exchange: clean(row.exch_disp.or_else(|| row.exchange.clone())),
        code: row.exchange.filter(is_code).unwrap_or_default(),
        listing,
        sector: clean(row.sector_disp.or(row.sector)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_or_no_symbol_is_left_out_and_texts_are_cleaned() {
        let body = br#"{"quotes":[{"symbol":"AAPL","shortname":"Apple\u001b[2J Inc.","quoteType":"EQUITY","exchange":"NMS",
            "exchDisp":"NASDAQ","sectorDisp":"Technology","score":1.5},{"name":"AAPlasma","isYahooFinance":false},
            {"symbol":"A B","quoteType":"EQUITY"},{"symbol":"X\u202e","quoteType":"EQUITY"},{"symbol":"Y","quoteType":null}],"news":[]}"#;
        let hits = read(200, body).unwrap();
        let rows: Vec<(&str, &str, Listing)> =
            hits.iter().map(|hit| (hit.symbol.as_str(), hit.name.as_str(), hit.listing)).collect();
        assert_eq!(rows, [("AAPL", "Apple[2J Inc.", Listing::Share), ("Y", "", Listing::Other)]);
        assert_eq!(path("s&p 500"), "/v1/finance/search?q=s%26p%20500&quotesCount=10&newsCount=0&lang=en-US&region=US");
    }

    #[test]
    fn each_refusal_is_told_by_its_body_and_then_by_its_status() {
        let throttled = Failure::Throttled { retry_after: None };
        for (status, body, kind) in [
            (429, "Too Many Requests\r\n", throttled),
            (200, "Edge: Too Many Requests", throttled),
            (200, "<html>consent</html>", Failure::Blocked),
            (503, "Will be right back", Failure::Upstream),
            (500, r#"{"finance":{"error":{"code":"internal-error","description":"x"}}}"#, Failure::Upstream),
            (
                401,
                r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#,
                Failure::Blocked,
            ),
            (400, r#"{"finance":{"error":{"code":"Bad Request","description":"Missing query"}}}"#, Failure::BadRequest),
            (404, "nothing", Failure::BadRequest),
            (200, "{}", Failure::Schema),
            (200, r#"{"quotes":7}"#, Failure::Schema),
            (200, "{", Failure::Malformed),
            (999, "<html>", Failure::Blocked),
        ] {
            assert_eq!(read(status, body.as_bytes()).unwrap_err().failure, kind, "{status} {body}");
        }
        assert_eq!(read(200, br#"{"quotes":[]}"#), Ok(Vec::new()), "nothing found is no refusal");
    }
}
