//! Floor 5: a broker that speaks xAPI 2.5.0, for practice and for tests.
//!
//! A pure protocol core (`core.rs`: text in, text out, time and seed handed in) around the dealer of `exchange/`, and a server that puts
//! it behind sockets. It shares no codec with the client in `broker/xapi`: each side is held to the protocol's literal messages alone.
//! What must stay true: the same calls give the same texts; a refused rule of the protocol closes the connection without a word, as the
//! protocol says; where the document is silent the choice is named in [`Settings`] and can be switched.

mod catalogue;
mod charts;
mod commands;
mod core;
mod faults;
mod framing;
mod identity;
mod records;
mod server;
mod streams;
mod trading;

pub use catalogue::{Catalogue, CatalogueError, Listing};
pub use charts::Candle;
pub use core::{ConnectionId, Port, Sent, Settings, Simulator, USUAL_SPACING, Variants};
pub use faults::{Dice, Faults};
pub use identity::{Identity, IdentityError};
pub use server::{Listen, Prices, ServerError, ServerHandle};
