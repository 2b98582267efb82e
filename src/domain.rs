//! Floor 0: the vocabulary every other room speaks.
//!
//! Values only: prices, quantities, money, instants, instruments, orders, positions, signals, limits as values.
//! It deliberately does no I/O, reads no clock and never holds money, a price or a quantity in a float.
//! What must stay true: arithmetic is checked (an overflow is an error, never a wrap), money of two currencies does not add,
//! text from outside is a [`CleanText`] or it is not in here.

mod alert;
mod calendar;
mod decimal;
mod economy;
mod fixed;
mod flaw;
mod frame;
mod ids;
mod instrument;
mod market;
mod order;
mod position;
mod ratio;
mod report;
mod script;
mod secret;
mod signal;
mod splitmix;
mod stage;
mod text;
mod time;
mod trading;

pub use alert::{Alert, AlertTopic, Severity};
pub use calendar::{Closed, Hours, MarketSession};
pub use decimal::Decimal;
pub use economy::{Edition, Every, Indicator, Observation, Reading, Unit};
pub use fixed::{ArithmeticError, Currency, Money, ParseDecimalError, Price, Quantity, SCALE, Volume};
pub use flaw::{FeedNote, Flaw, FlawCount, PauseOf, SplitRatio};
pub use frame::{BarBuilder, Resampler, Span, Tick, TimeFrame};
pub use ids::{
    AccountId, AlertId, BrokerRef, DealId, InstrumentId, LedgerId, OrderId, PositionId, ProposalId, RunId, Sequence, SignalId,
};
pub use instrument::{AssetClass, Calendar, Contract, Instrument, InstrumentError, InstrumentTable, Watched};
pub use market::{Bar, Capabilities, MarketEvent, MarketStamp, Missed, Quote, QuoteOrigin, SeriesInfo, VenueNews, VenueQuote};
pub use order::{Fill, Liquidity, Order, OrderKind, OrderRequest, OrderSide, Origin, Protection, ProtectiveReason, TimeInForce};
pub use position::{Position, PositionSide};
pub use ratio::Ratio;
pub use report::{BrokerReport, BrokerState, ChangeFate, Evidence};
pub use script::ScriptName;
pub use secret::Secret;
pub use signal::{Direction, Layer, LayerVerdict, Learnt, Outcome, Probability, Signal, SignalSource, Validation, Verdict, View};
pub use splitmix::SplitMix64;
pub use stage::Stage;
pub use text::{CleanText, RawText, cleaned, counted};
pub use time::{Duration, MarketTime, RiskDay, RiskDays, WallTime, new_york};
pub use trading::{Actor, BrokerKind, Mode, RiskLevel, TradingState};
