//! Live markets from public providers: who may be asked for what, in which order, how often, and what an answer is worth.
//!
//! A *capability* (quotes, bars) has an ordered list of providers; the first that is healthy serves each instrument. [`Desk`] decides all
//! of it and is pure: time, answers and frames in; requests, frames and market news out. `link.rs` is its thin shell of sockets, and the
//! clients (`kraken.rs`, `yahoo.rs` and their neighbours; `client.rs` says what each is) turn bytes into typed news or a typed refusal.
//! What must stay true: a closed bar is told once, in order, and only where the provider has shown that the minute is over; nothing is
//! invented for a minute that nobody told; a request is counted on the disk before it leaves; a jump between two providers is not a move
//! of the market; no text of a provider leaves here uncleaned. It deliberately decides nothing about trading.

mod aliases;
mod alpha_vantage;
mod bars;
mod binance;
mod budget;
mod client;
mod coinbase;
mod desk;
mod health;
mod keys;
mod kraken;
mod link;
mod number;
mod refusal;
mod search;
mod sockets;
mod splice;
mod streams;
mod table;
mod view;
mod yahoo;
mod yahoo_spark;
mod yahoo_stream;

pub use aliases::{Choice, NameTaken};
pub(in crate::market) use bars::encoded;
pub use bars::{Chart, Wanted};
pub(in crate::market) use bars::{MINUTE, is_open};
pub use budget::{Budget, Limits};
pub use desk::{Answer, Desk, FetchId, Input, Line, Output, Request};
pub(in crate::market) use health::Health;
pub use health::Stands;
pub use keys::{KeyName, Keys};
pub use link::{Bulletins, Ended, Keep, ProvidersLink, Surroundings};
pub(in crate::market) use refusal::Means;
pub use refusal::{Failure, Refusal};
pub use search::{Hit, Listing};
pub use table::{Alias, Capability, Plan, ProviderId, ProviderTable};
pub use view::{FeedView, MinutesView, ProviderView, SearchStands, SearchView, Served, ServedView, StreamView};

/// What providers say of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderNews {
    /// A price.
    Price(crate::domain::VenueQuote),
    /// Bars of an instrument.
    Bars(crate::market::ToldBars),
}

/// The clients' faces, for tests that hand them bytes.
pub mod clients {
    pub use super::alpha_vantage::{
        intraday as alpha_vantage_bars, quote as alpha_vantage_quote, refusal as alpha_vantage_refusal,
    };
    pub use super::binance::{frame as binance_frame, klines as binance_klines};
    pub use super::coinbase::{candles as coinbase_candles, frame as coinbase_frame};
    pub use super::kraken::{frame as kraken_frame, ohlc as kraken_ohlc};
    pub use super::search::read as yahoo_search;
    pub use super::streams::Frame;
    pub use super::yahoo::chart as yahoo_chart;
    pub use super::yahoo_spark::spark as yahoo_spark;
    pub use super::yahoo_stream::frame as yahoo_frame;
}
