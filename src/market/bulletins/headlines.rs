//! Headlines as publishers tell them: feeds (RSS, Atom), and the news that come with Yahoo's search. Everything in them is cleaned here.

use serde::Deserialize;

use crate::domain::{CleanText, WallTime};
use crate::market::providers::{Failure, Refusal};

/// Items of one answer that are read.
const MOST: usize = 100;

/// A headline before anybody knows what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What its publisher calls it; empty where it has no name.
    pub id: CleanText,
    /// The title.
    pub title: CleanText,
    /// Who wrote it; empty where nobody is named.
    pub publisher: CleanText,
    /// Where it stands; empty where that is not said.
    pub link: CleanText,
    /// When it was published, where that is said.
    pub at: Option<WallTime>,
    /// Symbols it is about, as the publisher writes them.
    pub symbols: Vec<String>,
}

/// The path of Yahoo's headlines of a symbol.
pub(super) fn rss_path(symbol: &str) -> String {
    format!("/rss/2.0/headline?s={}&region=US&lang=en-US", encoded(symbol))
}

/// The path of Yahoo's search with its news.
pub(super) fn search_path(symbol: &str) -> String {
    format!("/v1/finance/search?q={}&quotesCount=0&newsCount=10&lang=en-US&region=US", encoded(symbol))
}

fn encoded(text: &str) -> String {
    crate::market::providers::encoded(text)
}

/// Reads a feed.
pub fn feed(status: u16, body: &[u8]) -> Result<Vec<Told>, Refusal> {
    let begin = String::from_utf8_lossy(body.get(..400).unwrap_or(body)).trim_start().to_owned();
    let is_page = begin.to_lowercase().starts_with("<!doctype html") || begin.to_lowercase().starts_with("<html");
    let refusal = match status {
        429 => Some(Refusal::of(Failure::Throttled { retry_after: None })),
        500..=599 => Some(Refusal::new(Failure::Upstream, &format!("HTTP {status}"))),
        401 | 403 | 451 => Some(Refusal::new(Failure::Blocked, &format!("HTTP {status}"))),
        404 => Some(Refusal::of(Failure::UnknownSymbol)),
        400..=499 => Some(Refusal::new(Failure::BadRequest, &format!("HTTP {status}"))),
        _ if begin.contains("Too Many Requests") => Some(Refusal::of(Failure::Throttled { retry_after: None })),
        _ if is_page => Some(Refusal::new(Failure::Blocked, "a page for people")),
        _ => None,
    };
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    // A title that holds markup stays text: nothing of it is drawn as markup.
    let parser = feed_rs::parser::Builder::new().sanitize_content(false).build();
    let feed = parser.parse(body).map_err(|error| Refusal::new(Failure::Malformed, &error.to_string()))?;
    let publisher = feed.title.map(|title| CleanText::from_outside(&title.content)).unwrap_or_default();
    let told = feed.entries.into_iter().take(MOST).filter_map(|entry| {
        let at = entry.published.or(entry.updated).and_then(|at| at.timestamp_nanos_opt()).map(WallTime);
        let link = entry.links.first().map(|link| CleanText::from_outside(&link.href)).unwrap_or_default();
        let title = CleanText::from_outside(&unescaped(&entry.title?.content));
        let is_said = !title.as_str().is_empty();
        is_said.then(|| Told {
            id: CleanText::from_outside(&entry.id),
            title,
            publisher: publisher.clone(),
            link,
            at,
            symbols: Vec::new(),
        })
    });
    let told: Vec<Told> = told.collect();
    if told.is_empty() { Err(Refusal::of(Failure::NoData)) } else { Ok(told) }
}

/// Titles are often escaped twice.
fn unescaped(text: &str) -> String {
    let pairs =
        [("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    news: Option<Vec<Item>>,
    #[serde(default)]
    finance: Option<Failed>,
}

#[derive(Deserialize)]
struct Failed {
    #[serde(default)]
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    publisher: Option<String>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    provider_publish_time: Option<i64>,
    #[serde(default)]
    related_tickers: Option<Vec<Option<String>>>,
}

/// Reads the news of a search.
pub fn search(status: u16, body: &[u8]) -> Result<Vec<Told>, Refusal> {
    let document: Document = serde_json::from_slice(body).map_err(|error| {
        let begin = String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned();
        if begin.contains("Too Many Requests") {
            return Refusal::of(Failure::Throttled { retry_after: None });
        }
        Refusal::unread(status, body, &error)
    })?;
    if let Some(said) = document.finance.and_then(|failed| failed.error) {
        return Err(Refusal::new(Failure::BadRequest, said.description.as_deref().unwrap_or_default()));
    }
    let news = document.news.ok_or_else(|| Refusal::new(Failure::Schema, "no news in it"))?;
    let told = news.into_iter().take(MOST).filter_map(|item| {
        let title = CleanText::from_outside(&item.title?);
        let clean = |text: Option<String>| text.map(|text| CleanText::from_outside(&text)).unwrap_or_default();
        let at = item.provider_publish_time.filter(|at| (1..4_102_444_800).contains(at)).map(|at| WallTime(at * 1_000_000_000));
        let symbols = item.related_tickers.unwrap_or_default().into_iter().flatten();
        let is_said = !title.as_str().is_empty();
        is_said.then(|| Told {
            id: clean(item.uuid),
            title,
            publisher: clean(item.publisher),
            link: clean(item.link),
            at,
            symbols: symbols.filter(|symbol| symbol.len() <= 32).take(20).collect(),
        })
    });
    let told: Vec<Told> = told.collect();
    if told.is_empty() { Err(Refusal::of(Failure::NoData)) } else { Ok(told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_read_and_cleaned_and_an_item_without_a_date_has_none() {
        let body = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Yahoo! Finance: AAPL News</title>\
            <item><title>Apple &amp;amp; co. rise\u{202e}&#x200b;</title><guid isPermaLink=\"false\">g-1</guid>\
            <link>https://example.org/1</link><pubDate>Mon, 23 Nov 2026 14:05:00 +0000</pubDate></item>\
            <item><title>Undated</title><guid isPermaLink=\"false\">g-2</guid></item><item><guid>g-3</guid></item></channel></rss>";
        let told = feed(200, body.as_bytes()).unwrap();
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].title.as_str(), told[0].id.as_str()), ("Apple & co. rise", "g-1"));
        assert_eq!(told[0].at, WallTime::parse("2026-11-23T14:05:00Z"));
        assert_eq!((told[1].at, told[1].title.as_str()), (None, "Undated"));
        for (status, body, failure) in [
            (200, "Edge: Too Many Requests", Failure::Throttled { retry_after: None }),
            (429, "", Failure::Throttled { retry_after: None }),
            (200, "<!DOCTYPE html><html>consent", Failure::Blocked),
            (403, "<html>", Failure::Blocked),
            (200, "<rss version=\"2.0\"><channel><title>x</title></channel></rss>", Failure::NoData),
            (200, "<rss version=\"2.0\"><channel><item><tit", Failure::NoData),
            (503, "", Failure::Upstream),
        ] {
            let said = feed(status, body.as_bytes()).unwrap_err().failure;
            assert!(said == failure || (failure == Failure::NoData && said == Failure::Malformed), "{body}: {said:?}");
        }
    }

    #[test]
    fn the_news_of_a_search_are_read_with_nulls_and_unknown_fields() {
        let body = r#"{"count":2,"news":[{"uuid":"u1","title":"Apple debuts","publisher":"MT","link":"https://x","providerPublishTime":1772549786,
            "relatedTickers":["AAPL",null],"new":{}},{"uuid":"u2","title":null},{"title":"No time","providerPublishTime":0}]}"#;
        let told = search(200, body.as_bytes()).unwrap();
        assert_eq!(told.iter().map(|one| one.title.as_str()).collect::<Vec<_>>(), ["Apple debuts", "No time"]);
        assert_eq!((told[0].symbols.as_slice(), told[1].at), (&["AAPL".to_owned()][..], None));
        assert_eq!(search(200, b"{\"news\":[]}").unwrap_err().failure, Failure::NoData);
        assert_eq!(search(200, b"{}").unwrap_err().failure, Failure::Schema);
        assert_eq!(search(429, b"Too Many Requests\r\n").unwrap_err().failure, Failure::Throttled { retry_after: None });
    }
}
