//! What the desk needs of a provider's client: a row of functions, one row for each provider.
//!
//! The rows stand in the providers' own files; a further provider is such a file, its `ProviderId`, and one line in [`ProviderId::client`].

use crate::domain::{AssetClass, Duration, VenueQuote};
use crate::market::providers::streams::Frame;
use crate::market::providers::table::Plan;
use crate::market::providers::{Capability, Chart, ProviderId, Refusal, Wanted, alpha_vantage, binance, coinbase, kraken, yahoo};

/// A client.
pub(super) struct Client {
    /// Bars of one minute on request.
    pub bars: Option<BarsClient>,
    /// Prices on request.
    pub quotes: Option<QuotesClient>,
    /// Prices by themselves.
    pub stream: Option<StreamClient>,
    /// What a key of such a plan cannot be asked for, and why.
    pub lacks: fn(Plan, Capability) -> Option<&'static str>,
    /// What else it is asked, as budgets name it.
    pub besides: &'static [&'static str],
}

/// How bars are asked for.
pub(super) struct BarsClient {
    /// What is asked, as budgets and refusals name it.
    pub endpoint: fn(AssetClass) -> &'static str,
    /// How far back one answer tells, in nanoseconds.
    pub depth: fn(AssetClass) -> i64,
    /// Path and query of a request.
    pub path: fn(&Wanted<'_>) -> String,
    /// Reads an answer with its status.
    pub read: fn(u16, &[u8], &Wanted<'_>) -> Result<Chart, Refusal>,
    /// Whether volumes count units of the instrument.
    pub has_volume: fn(AssetClass) -> bool,
}

/// The prices that an answer tells.
type Told = Result<Vec<VenueQuote>, Refusal>;

/// How prices are asked for.
pub(super) struct QuotesClient {
    /// What is asked.
    pub endpoint: fn(AssetClass) -> &'static str,
    /// Instruments in one request.
    pub most: usize,
    /// Path and query of a request.
    pub path: fn(&[Wanted<'_>]) -> String,
    /// Reads an answer: the prices it tells, of those that were asked for.
    pub read: fn(u16, &[u8], &[Wanted<'_>]) -> Told,
}

/// How a stream is spoken with.
pub(super) struct StreamClient {
    /// The page it wants to be opened from.
    pub origin: Option<&'static str>,
    /// What subscribes to these names; each comes with a number that the answer may repeat.
    pub subscribe: fn(&[(usize, &str)]) -> Vec<String>,
    /// What lets go of a name.
    pub unsubscribe: fn(&str) -> String,
    /// Reads a frame.
    pub read: fn(&str) -> Result<Vec<Frame>, Refusal>,
    /// Whether a sign of life is promised every second or so.
    pub beats: bool,
    /// Whether subscriptions are answered.
    pub is_confirmed: bool,
    /// How often everything is subscribed anew, where the provider wants that.
    pub again_every: Option<Duration>,
    /// Where signs of life prove nothing: how long an open market may pass without a price.
    pub prices_within: Option<Duration>,
}

/// A client that can do nothing yet.
pub(super) const NONE: Client = Client { bars: None, quotes: None, stream: None, lacks: |_, _| None, besides: &[] };

/// Publishers tell no prices; `market/bulletins/` asks them.
const SERIES: Client = Client { besides: &["series"], ..NONE };
const FEED: Client = Client { besides: &["feed"], ..NONE };

impl ProviderId {
    /// Its client.
    pub(super) const fn client(self) -> &'static Client {
        match self {
            Self::Kraken => &kraken::CLIENT,
            Self::Coinbase => &coinbase::CLIENT,
            Self::Binance => &binance::CLIENT,
            Self::AlphaVantage => &alpha_vantage::CLIENT,
            Self::Yahoo => &yahoo::CLIENT,
            Self::Fred | Self::FredGraph | Self::Treasury | Self::Cboe | Self::Bls => &SERIES,
            Self::YahooRss | Self::BlsRss | Self::Fed => &FEED,
        }
    }

    /// What is asked of it for a capability and a kind of instrument; nothing where it is not asked.
    pub(super) fn endpoint(self, capability: Capability, kind: AssetClass) -> Option<&'static str> {
        let client = self.client();
        match capability {
            Capability::Quotes => client.quotes.as_ref().map(|quotes| (quotes.endpoint)(kind)),
            Capability::Bars => client.bars.as_ref().map(|bars| (bars.endpoint)(kind)),
        }
    }

    /// Everything that is asked of it, each once.
    pub(super) fn endpoints(self) -> Vec<&'static str> {
        let kinds = [AssetClass::Stock, AssetClass::Index, AssetClass::Commodity, AssetClass::Crypto, AssetClass::Fx].into_iter();
        let each = kinds.flat_map(|kind| [Capability::Quotes, Capability::Bars].map(|of| self.endpoint(of, kind)));
        let mut all: Vec<&str> = each.flatten().chain(self.client().besides.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
