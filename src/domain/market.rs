//! What a market says: bars, quotes, and what a series is able to say.

use serde::{Deserialize, Serialize};

use crate::domain::{InstrumentId, MarketTime, Price, Volume, WallTime};

/// What a series carries. What it lacks is not invented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Open, high and low, not only a close.
    pub has_range: bool,
    /// Traded volume.
    pub has_volume: bool,
    /// Adjusted for splits or dividends by its source.
    pub is_adjusted: bool,
}

/// One series of a tape or feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesInfo {
    /// The instrument it prices.
    pub instrument: InstrumentId,
    /// What it can say.
    pub capabilities: Capabilities,
    /// Where it comes from, in one line.
    pub source: String,
    /// The last instant at which it can fill an order: the open of its last bar, or its last close where bars have no range.
    /// Nothing where the series has no end.
    pub last_print: Option<MarketTime>,
}

/// When something happened, when it could be known, and when it reached this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketStamp {
    /// When it happened.
    pub event_at: MarketTime,
    /// When it could first be known: a bar at its close, never before.
    pub known_at: MarketTime,
    /// When it arrived over a wire; `None` from a tape, whose replay must not depend on the wall clock.
    pub received_at: Option<WallTime>,
}

impl MarketStamp {
    /// The stamp of a tape: happened and known at the same instant.
    pub const fn tape(at: MarketTime) -> Self {
        Self { event_at: at, known_at: at, received_at: None }
    }
}

/// A bar with its range where the series has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Start of the bar.
    pub open_at: MarketTime,
    /// End of the bar; nobody knows the bar before.
    pub close_at: MarketTime,
    /// First, highest and lowest price; equal to `close` for a series without range.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Traded volume, where the series has it.
    pub volume: Option<Volume>,
    /// Whether open, high and low are real.
    pub has_range: bool,
}

/// Whether a quote was really quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteOrigin {
    /// A venue said so.
    Venue,
    /// Drawn inside a bar along a seeded path, for the eye only; nothing fills at it.
    SynthesisedFromBars,
}

/// The current price of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Last price.
    pub last: Price,
    /// Best bid, where the source has one.
    pub bid: Option<Price>,
    /// Best ask, where the source has one.
    pub ask: Option<Price>,
    /// Real or drawn.
    pub origin: QuoteOrigin,
}

/// One thing a market says. The engine and the exchange hear the same ones in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketEvent {
    /// A bar has begun at this price; only series with a range say so.
    BarOpened {
        /// Which instrument.
        instrument: InstrumentId,
        /// The opening price.
        open: Price,
        /// When.
        stamp: MarketStamp,
    },
    /// A price for the eye and for marking positions.
    Quoted {
        /// The price.
        quote: Quote,
        /// When.
        stamp: MarketStamp,
    },
    /// A bar is complete and known.
    BarClosed {
        /// The bar.
        bar: Bar,
        /// `known_at` is the bar's close.
        stamp: MarketStamp,
    },
}

impl MarketEvent {
    /// When the event could be known.
    pub const fn known_at(&self) -> MarketTime {
        match self {
            Self::BarOpened { stamp, .. } | Self::Quoted { stamp, .. } | Self::BarClosed { stamp, .. } => stamp.known_at,
        }
    }

    /// Which instrument it is about.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::BarOpened { instrument, .. } => *instrument,
            Self::Quoted { quote, .. } => quote.instrument,
            Self::BarClosed { bar, .. } => bar.instrument,
        }
    }
}

/// A price that a broker's own market or a provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueQuote {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The price that values and bars go by: the last trade, or the bid where only bid and ask are said.
    pub last: Price,
    /// What a seller gets, where it is said.
    pub bid: Option<Price>,
    /// What a buyer pays, where it is said.
    pub ask: Option<Price>,
    /// When, by the venue's clock.
    pub at: WallTime,
}

/// Minutes of an instrument of which nothing is known, and never will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Beginning of the first.
    pub from: MarketTime,
    /// End of the last.
    pub until: MarketTime,
}

/// What a remote broker says about its markets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueNews {
    /// A quote.
    Quote(VenueQuote),
    /// Complete bars of one instrument that were asked for, oldest first; the answer to a gap.
    Bars(InstrumentId, Vec<Bar>),
    /// The link is gone: until it is back nothing is known.
    Lost,
    /// The link is back: what was missed comes as bars.
    Back,
}
