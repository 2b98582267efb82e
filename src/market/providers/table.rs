//! Which providers there are, in which order they are asked, and what each calls an instrument: `config/providers.toml`, and a person's
//! own file of the same name laid over it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::domain::Duration;
use crate::market::layered::{Layered, TableError};
use crate::market::providers::{Budget, KeyName, Keys, Limits};

/// A provider this program has a client for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum ProviderId {
    /// Kraken: a stream of quotes, and minute bars on request.
    Kraken,
    /// Coinbase Exchange: the same.
    Coinbase,
    /// Binance: a stream of trades, and minute bars on request, in USDT.
    Binance,
    /// Alpha Vantage: prices and bars on request, with a key.
    AlphaVantage,
    /// Yahoo Finance: a stream of prices, and charts and prices on request.
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
    pub const ALL: [Self; 13] = [
        Self::Kraken,
        Self::Coinbase,
        Self::Binance,
        Self::AlphaVantage,
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
            Self::Binance => "Binance",
            Self::AlphaVantage => "Alpha Vantage",
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

    /// Its word in the table.
    pub fn word(self) -> String {
        self.name().to_lowercase().replace(' ', "")
    }

    /// Whether it tells prices.
    pub const fn tells_prices(self) -> bool {
        matches!(self, Self::Kraken | Self::Coinbase | Self::Binance | Self::AlphaVantage | Self::Yahoo)
    }

    /// Whether it tells economic series.
    pub const fn tells_series(self) -> bool {
        matches!(self, Self::Fred | Self::FredGraph | Self::Treasury | Self::Cboe | Self::Bls)
    }

    /// Whether it tells headlines.
    pub const fn tells_headlines(self) -> bool {
        matches!(self, Self::Yahoo | Self::YahooRss | Self::BlsRss | Self::Fed)
    }

    /// The key it wants, if it wants one.
    pub const fn key(self) -> Option<KeyName> {
        match self {
            Self::AlphaVantage => Some(KeyName::AlphaVantage),
            Self::Fred => Some(KeyName::Fred),
            Self::Kraken | Self::Coinbase | Self::Binance | Self::Yahoo => None,
            Self::YahooRss | Self::FredGraph | Self::Treasury | Self::Cboe | Self::Bls | Self::BlsRss | Self::Fed => None,
        }
    }
}

/// What a key may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Nothing that is live.
    #[default]
    Free,
    /// Prices of fifteen minutes ago.
    Delayed,
    /// Prices as they are.
    Realtime,
}

impl Plan {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Delayed => "delayed",
            Self::Realtime => "realtime",
        }
    }
}

/// Read from its word rather than as a variant, so that a path in an error names it.
impl TryFrom<String> for ProviderId {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|id| id.word() == word);
        let known = || Self::ALL.map(Self::word).join(", ");
        found.ok_or_else(|| format!("«{word}» is no provider that is known here: there are {}", known()))
    }
}

impl TryFrom<String> for Capability {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|capability| capability.word() == word);
        found.ok_or_else(|| format!("«{word}» cannot be asked for: there are {}", Self::ALL.map(Self::word).join(", ")))
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Quotes, Self::Bars];

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
    /// What the key may be asked for, where the provider wants one.
    #[serde(default)]
    pub plan: Plan,
    /// How often it may be asked.
    pub limits: Limits,
    /// How often one endpoint may be asked besides.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Limits>,
}

/// What a provider calls an instrument: one name for everything, or one for each capability it is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a name has to be a text, or one text for each of quotes and bars")]
pub enum Alias {
    /// The same for all.
    Same(String),
    /// One each; for what is not named here it is not asked.
    Each(BTreeMap<Capability, String>),
}

impl Alias {
    /// The name for a capability; nothing where it is not to be asked for it.
    pub fn of(&self, capability: Capability) -> Option<&str> {
        match self {
            Self::Same(name) => Some(name),
            Self::Each(names) => names.get(&capability).map(String::as_str),
        }
    }

    /// One name for the screen: that of quotes where there are two.
    pub fn shown(&self) -> &str {
        self.of(Capability::Quotes).or(self.of(Capability::Bars)).unwrap_or_default()
    }

    /// All of them.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Same(name) => vec![name],
            Self::Each(names) => names.values().map(String::as_str).collect(),
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
    /// The same of all that are known, watched or not.
    #[serde(skip)]
    pub known: BTreeMap<String, BTreeMap<ProviderId, Alias>>,
    /// Symbols of the instruments that the table itself says are watched.
    #[serde(skip)]
    pub listed: BTreeSet<String>,
    /// The keys at hand; they come from no table.
    #[serde(skip)]
    pub keys: Keys,
}

impl ProviderTable {
    /// Reads the table of the program with a person's own over it.
    pub fn read(defaults: &str, own: Option<&str>) -> Result<Self, TableError> {
        let read = Layered::<Self>::read(defaults, own)?;
        read.table.contradiction().map_or(Ok(()), |(path, what)| Err(read.blame(path, what)))?;
        let mut table = read.table;
        table.known = table.aliases.clone();
        if !table.watch.is_empty() {
            table.aliases.retain(|symbol, _| table.watch.contains(symbol));
        }
        table.listed = table.aliases.keys().cloned().collect();
        Ok(table)
    }

    /// The providers of a capability in order.
    pub fn order(&self, capability: Capability) -> &[ProviderId] {
        self.order.get(&capability).map_or(&[], Vec::as_slice)
    }

    /// The providers of a capability that are worth asking, in order: those whose key is missing are left out, those that tell what is
    /// fifteen minutes old come last.
    pub fn asked(&self, capability: Capability) -> Vec<ProviderId> {
        let has_key = |id: &&ProviderId| id.key().is_none_or(|key| self.keys.has(key));
        let mut asked: Vec<ProviderId> = self.order(capability).iter().filter(has_key).copied().collect();
        asked.sort_by_key(|id| self.plan(*id) == Plan::Delayed);
        asked
    }

    /// What the key of a provider may be asked for.
    pub fn plan(&self, id: ProviderId) -> Plan {
        self.provider.get(&id).map_or(Plan::Free, |provider| provider.plan)
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
            let path = |key: &str| format!("provider.{}.{key}", id.word());
            if !is_address(&provider.http, "https://", "http://") {
                return Some((
                    path("http"),
                    "it must begin with https://; only this machine itself may be asked over http://".to_owned(),
                ));
            }
            let may_be_empty = id.client().stream.is_none() || id.client().quotes.is_some();
            if !(provider.stream.is_empty() && may_be_empty || is_address(&provider.stream, "wss://", "ws://")) {
                return Some((
                    path("stream"),
                    "it must begin with wss://; only this machine itself may stream over ws://".to_owned(),
                ));
            }
            if provider.plan != Plan::Free && id.key().is_none() {
                return Some((path("plan"), "it needs no key, so there is no plan to name".to_owned()));
            }
            if TimeZone::get(&provider.day_zone).is_err() {
                return Some((path("day_zone"), "it must be the name of a zone such as America/New_York".to_owned()));
            }
            let all = provider.endpoints.values().chain([&provider.limits]);
            let is_zero = |limits: &Limits| [limits.per_second, limits.per_minute, limits.per_day].contains(&Some(0));
            if all.clone().any(is_zero) || all.clone().any(|limits| limits.per_minute.is_some_and(|most| most > 600)) {
                return Some((path("limits"), "each must be 1 or more, and at most 600 a minute".to_owned()));
            }
            let known = id.endpoints();
            if let Some(stranger) = provider.endpoints.keys().find(|name| !known.contains(&name.as_str())) {
                return Some((path("endpoints"), format!("«{stranger}» is not asked here; there is {}", known.join(", "))));
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
        for capability in Capability::ALL {
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
        let strange = self.aliases.iter().find(|(_, names)| names.values().flat_map(Alias::names).any(|name| !is_name(name)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Secret;
    use crate::market::WrittenIn;

    const SHIPPED: &str = include_str!("../../../config/providers.toml");

    #[test]
    fn the_shipped_table_is_sound_and_a_person_may_lay_another_over_it() {
        let table = ProviderTable::read(SHIPPED, None).unwrap();
        let [kraken, coinbase, binance, alpha, yahoo, ..] = ProviderId::ALL;
        assert_eq!(table.order(Capability::Quotes), [kraken, coinbase, binance, alpha, yahoo]);
        assert_eq!(table.asked(Capability::Quotes), [kraken, coinbase, binance, yahoo], "without a key it is not asked");
        assert!(
            table.aliases.values().all(|names| !names.contains_key(&binance)),
            "another money is no name of an instrument here"
        );
        assert_eq!(table.aliases["BTCUSD"][&ProviderId::Kraken].of(Capability::Bars), Some("XBTUSD"));
        let own = "[provider.kraken]\nhttp = \"http://127.0.0.1:9\"\n[order]\nquotes = [\"coinbase\"]\n";
        let changed = ProviderTable::read(SHIPPED, Some(own)).unwrap();
        assert_eq!(changed.provider[&ProviderId::Kraken].http, "http://127.0.0.1:9");
        assert_eq!(changed.provider[&ProviderId::Kraken].stream, table.provider[&ProviderId::Kraken].stream);
        assert_eq!(changed.order(Capability::Quotes), [ProviderId::Coinbase]);
        let mut delayed = ProviderTable::read(SHIPPED, Some("[provider.alphavantage]\nplan = \"delayed\"\n")).unwrap();
        delayed.keys.take(KeyName::AlphaVantage, Secret::new("0123456789ABCDEF"));
        assert_eq!(delayed.asked(Capability::Bars), [kraken, coinbase, binance, yahoo, alpha], "what is old comes last");
        let only = ProviderTable::read(SHIPPED, Some("[aliases.AAPL]\nyahoo = { bars = \"AAPL\" }\n")).unwrap();
        let alias = &only.aliases["AAPL"][&yahoo];
        assert_eq!((alias.of(Capability::Bars), alias.of(Capability::Quotes)), (Some("AAPL"), None));
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
            ("[provider.yahoo.endpoints.quote]\nper_day = 1\n", &["«quote»", "chart, search"]),
            ("[provider.alphavantage]\nplan = \"gold\"\n", &["provider.alphavantage.plan", "free"]),
            ("[provider.kraken]\nplan = \"realtime\"\n", &["provider.kraken.plan", "no key"]),
            ("[aliases.BTCUSD]\nyahoo = { volume = \"X\" }\n", &["aliases.BTCUSD.yahoo", "quotes and bars"]),
            ("[provider.nobody]\nhttp = \"https://example.org\"\n", &["nobody"]),
            ("[order]\nbars = []\n", &["order.bars", "one or more"]),
            ("[order]\nbars = [\"yahoo\", \"yahoo\"]\n", &["order.bars", "each once"]),
            ("[aliases.BTCUSD]\nyahoo = \"BTC USD\"\n", &["aliases.BTCUSD", "visible"]),
            ("refresh_seconds = 1\n", &["refresh_seconds", "15 to 600"]),
            ("watch = [\"DOGE\"]\n", &["watch", "«DOGE»", "aliases"]),
            ("[order\n", &["not TOML"]),
        ] {
            let error = ProviderTable::read(SHIPPED, Some(own)).unwrap_err();
            let said = error.to_string();
            assert!(error.place != WrittenIn::Program && words.iter().all(|word| said.contains(word)), "{own}: {error:?}");
        }
    }
}
