//! What is published now and then: economic series, and news.
//!
//! [`BulletinDesk`] decides what is asked for, of whom and when: a series after its release, a headline every few minutes, through the counts
//! of requests that prices go through too. It is pure; `market/providers/link.rs` is its shell as well. The clients (`fred.rs`, `treasury.rs`,
//! `cboe.rs`, `bls.rs`, `headlines.rs`) turn bytes into values or a typed refusal. `release.rs` says when a value could first be known.
//! What must stay true: a value carries its release beside its period, and counts from its release on; what was heard last stays, with its
//! age; a headline without a date is shown and is nothing that a test may look at; no text leaves here uncleaned.

mod bls;
mod cboe;
mod csv;
mod desk;
mod fred;
mod headlines;
mod history;
mod kept;
mod news;
mod release;
mod table;
mod treasury;
mod view;

use jiff::civil::Date;

pub use desk::{BulletinDesk, Output, Watched};
pub use history::TapeBulletins;
pub use news::{Headline, Newsroom};
pub use release::Release;
pub use table::{BulletinTable, SeriesRow};
pub use view::{BulletinView, SeriesView, SourceView, Topic};

use crate::domain::{Indicator, Reading};

/// One value as a publisher writes it: of which period, never when it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Of which series.
    pub indicator: Indicator,
    /// Of which period.
    pub period: Date,
    /// The value.
    pub value: Reading,
}

/// A series and what its publisher calls it.
pub type Named = (Indicator, String);

/// The clients' faces, for tests that hand them bytes.
pub mod clients {
    pub use super::bls::observations as bls;
    pub use super::cboe::observations as cboe;
    pub use super::fred::{graph as fred_graph, observations as fred};
    pub use super::headlines::{Told, feed, search};
    pub use super::treasury::observations as treasury;
}
