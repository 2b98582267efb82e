//! Which providers there are, in which order they are asked, and what each calls an instrument: `config/providers.toml`, and a person's
//! own file of the same name laid over it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use crate::domain::Duration;
use crate::market::providers::{Budget, Limits};

/// A provider this program has a client for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum ProviderId {
    /// Kraken: a stream of quotes, and minute bars on request.
    Kraken,
    /// Coinbase Exchange: the same.
    Coinbase,
    /// Yahoo Finance: charts on request.
    Yahoo,
    /// Headlines of Yahoo as a feed, at a host of their own.
    #[serde(rename = "yahoo-rss")]
    YahooRss,
    /// FRED, with a key: economic series.
    Fred,
    /// The table behind FRED's graphs, without one.
    FredGraph,
    /// The Treasury: the yield curve.
    Treasury,
    /// Cboe: volatility indices.
    Cboe,
    /// The Bureau of Labor Statistics: employment and prices.
    Bls,
    /// Its releases as a feed, at a host of their own.
    #[serde(rename = "bls-rss")]
    BlsRss,
    /// The Federal Reserve: its releases as a feed.
    Fed,
}

/// What a provider can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Capability {
    /// The current price.
    Quotes,
    /// Bars of one minute.
    Bars,
}

impl ProviderId {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Kraken,
        Self::Coinbase,
        Self::Yahoo,
        Self::YahooRss,
        Self::Fred,
        Self::FredGraph,
        Self::Treasury,
        Self::Cboe,
        Self::Bls,
        Self::BlsRss,
        Self::Fed,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kraken => "Kraken",
            Self::Coinbase => "Coinbase",
            Self::Yahoo => "Yahoo",
            Self::YahooRss => "Yahoo-RSS",
            Self::Fred => "FRED",
            Self::FredGraph => "FREDgraph",
            Self::Treasury => "Treasury",
            Self::Cboe => "Cboe",
            Self::Bls => "BLS",
            Self::BlsRss => "BLS-RSS",
            Self::Fed => "Fed",
        }
    }

    /// Whether it tells prices.
    pub const fn tells_prices(self) -> bool {
        matches!(self, Self::Kraken | Self::Coinbase | Self::Yahoo)
    }

    /// Whether it tells economic series.
    pub const fn tells_series(self) -> bool {
        matches!(self, Self::Fred | Self::FredGraph | Self::Treasury | Self::Cboe | Self::Bls)
    }

    /// Whether it tells headlines.
    pub const fn tells_headlines(self) -> bool {
        matches!(self, Self::Yahoo | Self::YahooRss | Self::BlsRss | Self::Fed)
    }

    /// Whether it pushes prices by itself.
    pub const fn streams(self) -> bool {
        matches!(self, Self::Kraken | Self::Coinbase)
    }

    /// The endpoint that is asked for bars, as budgets name it.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::Kraken => "ohlc",
            Self::Coinbase => "candles",
            Self::Yahoo => "chart",
            Self::Fred | Self::FredGraph | Self::Treasury | Self::Cboe | Self::Bls => "series",
            Self::YahooRss | Self::BlsRss | Self::Fed => "feed",
        }
    }
}

/// Read from its word rather than as a variant, so that a path in an error names it.
impl TryFrom<String> for ProviderId {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|id| id.name().to_lowercase() == word);
        let names = || Self::ALL.map(|id| id.name().to_lowercase()).join(", ");
        found.ok_or_else(|| format!("«{word}» is no provider that is known here: there are {}", names()))
    }
}

impl TryFrom<String> for Capability {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let found = [Self::Quotes, Self::Bars].into_iter().find(|capability| capability.word() == word);
        found.ok_or_else(|| format!("«{word}» cannot be asked for: there are quotes, bars"))
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl Capability {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quotes => "quotes",
            Self::Bars => "bars",
        }
    }
}

/// How a provider is reached and how often it may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Where its stream is; empty where it has none.
    #[serde(default)]
    pub stream: String,
    /// Where its requests go, without a slash at the end.
    pub http: String,
    /// How long after a minute's end its bar is asked for; how long after a release its value.
    pub settle_seconds: u32,
    /// The zone in which its day of requests turns.
    pub day_zone: String,
    /// How often it may be asked.
    pub limits: Limits,
    /// How often one endpoint may be asked besides.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Limits>,
}

/// What a provider calls an instrument: one name, or one for each capability.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Alias {
    /// The same for both.
    Both(String),
    /// One each.
    Each {
        /// For quotes.
        quotes: String,
        /// For bars.
        bars: String,
    },
}

impl Alias {
    /// The name for a capability.
    pub fn of(&self, capability: Capability) -> &str {
        match (self, capability) {
            (Self::Both(name), _) | (Self::Each { quotes: name, .. }, Capability::Quotes) => name,
            (Self::Each { bars, .. }, Capability::Bars) => bars,
        }
    }
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderTable {
    /// How providers call themselves to those they ask.
    pub user_agent: String,
    /// How often what is polled is polled, while its market is open.
    pub refresh_seconds: u32,
    /// And while it is closed.
    pub closed_refresh_seconds: u32,
    /// Symbols of the instruments to watch; all that have a name below where it is empty.
    pub watch: Vec<String>,
    /// The providers.
    pub provider: BTreeMap<ProviderId, Provider>,
    /// In which order they are asked, by capability.
    pub order: BTreeMap<Capability, Vec<ProviderId>>,
    /// What each calls an instrument, by the instrument's symbol.
    pub aliases: BTreeMap<String, BTreeMap<ProviderId, Alias>>,
}

/// Why the table is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {what}")]
pub struct TableError {
    /// Which value.
    pub path: String,
    /// Whether a person's own file says so, and on which byte where that is known.
    pub own: Option<usize>,
    /// What is wrong and what is allowed.
    pub what: String,
}

impl ProviderTable {
    /// Reads the table of the program with a person's own over it.
    pub fn read(defaults: &str, own: Option<&str>) -> Result<Self, TableError> {
        let parse = |text: &str, is_own: bool| {
            text.parse::<Table>().map_err(|error| TableError {
                path: "the file".to_owned(),
                own: is_own.then(|| error.span().map_or(0, |span| span.start)),
                what: format!("this is not TOML as it should be: {}", error.message().lines().collect::<Vec<_>>().join("; ")),
            })
        };
        let (mut merged, own) = (parse(defaults, false)?, own.map(|text| parse(text, true)).transpose()?.unwrap_or_default());
        lay_over(&mut merged, &own);
        let blame = |path: String, what: String| {
            let is_own =
                path.split('.').try_fold(&own, |table, key| table.get(key).map(|value| value.as_table().unwrap_or(&own)));
            TableError { own: is_own.map(|_| 0), path, what }
        };
        let mut table: Self = serde_path_to_error::deserialize(Value::Table(merged)).map_err(|error| {
            let path = error.path().to_string();
            let said = error.into_inner().to_string();
            blame(path, said.lines().next().unwrap_or_default().to_owned())
        })?;
        table.contradiction().map_or(Ok(()), |(path, what)| Err(blame(path, what)))?;
        if !table.watch.is_empty() {
            table.aliases.retain(|symbol, _| table.watch.contains(symbol));
        }
        Ok(table)
    }

    /// The providers of a capability in order.
    pub fn order(&self, capability: Capability) -> &[ProviderId] {
        self.order.get(&capability).map_or(&[], Vec::as_slice)
    }

    /// Limits and zones of all providers, with nothing spent.
    pub fn budget(&self) -> Budget {
        let mut budget = Budget::default();
        for (id, provider) in &self.provider {
            budget.limit(*id, provider.limits, TimeZone::get(&provider.day_zone).unwrap_or(TimeZone::UTC));
            for (endpoint, limits) in &provider.endpoints {
                budget.limit_endpoint(*id, endpoint, *limits);
            }
        }
        budget
    }

    /// How long after a minute's end a provider is asked for its bar.
    pub fn settle(&self, id: ProviderId) -> Duration {
        Duration::seconds(self.provider.get(&id).map_or(5, |provider| i64::from(provider.settle_seconds)))
    }

    fn contradiction(&self) -> Option<(String, String)> {
        for (id, provider) in &self.provider {
            let path = |key: &str| format!("provider.{}.{key}", id.name().to_lowercase());
            if !is_address(&provider.http, "https://", "http://") {
                return Some((
                    path("http"),
                    "it must begin with https://; only this machine itself may be asked over http://".to_owned(),
                ));
            }
            if !(provider.stream.is_empty() && !id.streams() || is_address(&provider.stream, "wss://", "ws://")) {
                return Some((
                    path("stream"),
                    "it must begin with wss://; only this machine itself may stream over ws://".to_owned(),
                ));
            }
            if TimeZone::get(&provider.day_zone).is_err() {
                return Some((path("day_zone"), "it must be the name of a zone such as America/New_York".to_owned()));
            }
            let all = provider.endpoints.values().chain([&provider.limits]);
            let is_zero = |limits: &Limits| [limits.per_second, limits.per_minute, limits.per_day].contains(&Some(0));
            if all.clone().any(is_zero) || all.clone().any(|limits| limits.per_minute.is_some_and(|most| most > 600)) {
                return Some((path("limits"), "each must be 1 or more, and at most 600 a minute".to_owned()));
            }
            if let Some(stranger) = provider.endpoints.keys().find(|name| *name != id.endpoint()) {
                return Some((path("endpoints"), format!("«{stranger}» is not asked here; there is {}", id.endpoint())));
            }
            if provider.settle_seconds > 30 {
                return Some((path("settle_seconds"), "it must be at most 30".to_owned()));
            }
        }
        if !(15..=600).contains(&self.refresh_seconds) || !(60..=86_400).contains(&self.closed_refresh_seconds) {
            return Some((
                "refresh_seconds".to_owned(),
                "it must be from 15 to 600, closed_refresh_seconds from 60 to 86400".to_owned(),
            ));
        }
        for capability in [Capability::Quotes, Capability::Bars] {
            let order = self.order(capability);
            let is_twice = order.iter().enumerate().any(|(index, id)| order.iter().take(index).any(|other| other == id));
            let is_strange = |id: &ProviderId| !self.provider.contains_key(id) || !id.tells_prices();
            if order.is_empty() || is_twice || order.iter().any(is_strange) {
                let what = "it must name one or more of the providers of prices of this file, each once".to_owned();
                return Some((format!("order.{}", capability.word()), what));
            }
        }
        if let Some(stranger) = self.watch.iter().find(|symbol| !self.aliases.contains_key(*symbol)) {
            return Some((
                "watch".to_owned(),
                format!("«{stranger}» has no name at any provider: add one under aliases, or leave it out"),
            ));
        }
        let is_name = |name: &str| (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        let strange = self.aliases.iter().find(|(_, names)| {
            names.values().any(|alias| !is_name(alias.of(Capability::Quotes)) || !is_name(alias.of(Capability::Bars)))
        });
        strange.map(|(symbol, _)| (format!("aliases.{symbol}"), "a name has 1 to 32 visible characters of ASCII".to_owned()))
    }
}

/// Whether this is an address that may be asked: encrypted, or on this machine.
fn is_address(url: &str, encrypted: &str, plain: &str) -> bool {
    let is_clean = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.ends_with('/');
    let host = |rest: &str| rest.split(['/', ':']).next().unwrap_or_default().to_owned();
    let is_here = |rest: &str| matches!(host(rest).as_str(), "127.0.0.1" | "localhost") && !rest.contains('@');
    let is_named = |rest: &str| !host(rest).is_empty() && !rest.contains('@');
    is_clean && (url.strip_prefix(encrypted).is_some_and(is_named) || url.strip_prefix(plain).is_some_and(is_here))
}

pub(in crate::market) fn lay_over(under: &mut Table, over: &Table) {
    for (key, value) in over {
        match (under.get_mut(key).and_then(Value::as_table_mut), value.as_table()) {
            (Some(under), Some(over)) => lay_over(under, over),
            _ => drop(under.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../config/providers.toml");

    #[test]
    fn the_shipped_table_is_sound_and_a_person_may_lay_another_over_it() {
        let table = ProviderTable::read(SHIPPED, None).unwrap();
        assert_eq!(table.order(Capability::Quotes), [ProviderId::Kraken, ProviderId::Coinbase, ProviderId::Yahoo]);
        assert_eq!(table.aliases["BTCUSD"][&ProviderId::Kraken].of(Capability::Bars), "XBTUSD");
        let own = "[provider.kraken]\nhttp = \"http://127.0.0.1:9\"\n[order]\nquotes = [\"coinbase\"]\n";
        let changed = ProviderTable::read(SHIPPED, Some(own)).unwrap();
        assert_eq!(changed.provider[&ProviderId::Kraken].http, "http://127.0.0.1:9");
        assert_eq!(changed.provider[&ProviderId::Kraken].stream, table.provider[&ProviderId::Kraken].stream);
        assert_eq!(changed.order(Capability::Quotes), [ProviderId::Coinbase]);
        let few = ProviderTable::read(SHIPPED, Some("watch = [\"BTCUSD\", \"AAPL\"]\n")).unwrap();
        assert_eq!(few.aliases.keys().collect::<Vec<_>>(), ["AAPL", "BTCUSD"]);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place_and_what_is_allowed() {
        for (own, words) in [
            ("[provider.yahoo]\nhttp = \"http://example.org\"\n", &["provider.yahoo.http", "https://"][..]),
            ("[provider.yahoo]\nhttp = \"http://127.0.0.1@example.org\"\n", &["provider.yahoo.http"]),
            ("[provider.kraken]\nstream = \"\"\n", &["provider.kraken.stream", "wss://"]),
            ("[provider.yahoo]\nday_zone = \"Mars\"\n", &["day_zone", "America/New_York"]),
            ("[provider.yahoo.limits]\nper_day = 0\n", &["limits", "1 or more"]),
            ("[provider.yahoo.limits]\nper_day = \"many\"\n", &["provider.yahoo.limits.per_day"]),
            ("[provider.yahoo.limits]\nper_hour = 1\n", &["per_hour"]),
            ("[provider.yahoo.endpoints.search]\nper_day = 1\n", &["«search»", "chart"]),
            ("[provider.binance]\nhttp = \"https://example.org\"\n", &["binance"]),
            ("[order]\nbars = []\n", &["order.bars", "one or more"]),
            ("[order]\nbars = [\"yahoo\", \"yahoo\"]\n", &["order.bars", "each once"]),
            ("[aliases.BTCUSD]\nyahoo = \"BTC USD\"\n", &["aliases.BTCUSD", "visible"]),
            ("refresh_seconds = 1\n", &["refresh_seconds", "15 to 600"]),
            ("watch = [\"DOGE\"]\n", &["watch", "«DOGE»", "aliases"]),
            ("[order\n", &["not TOML"]),
        ] {
            let error = ProviderTable::read(SHIPPED, Some(own)).unwrap_err();
            let said = error.to_string();
            assert!(error.own.is_some() && words.iter().all(|word| said.contains(word)), "{own}: {error:?}");
        }
    }
}
