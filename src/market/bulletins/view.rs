//! What the screen shows of bulletins.

use std::sync::Arc;

use jiff::civil::Date;

use crate::domain::{Indicator, MarketTime, WallTime};
use crate::market::bulletins::Headline;
use crate::market::providers::{ProviderId, Stands};

/// What a publisher is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Economic series.
    Series,
    /// Headlines.
    News,
}

/// How a series is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesView {
    /// Which.
    pub indicator: Indicator,
    /// Who told it last, and when it was asked; nothing where nobody has in this process.
    pub heard: Option<(ProviderId, WallTime)>,
    /// The next release, and of which period.
    pub next: Option<(Date, MarketTime)>,
    /// Whether a release is overdue: the value shown is not the latest there should be.
    pub is_overdue: bool,
    /// Why it could not be asked for last time, if it could not.
    pub trouble: Option<String>,
}

/// How a publisher stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView {
    /// Which.
    pub id: ProviderId,
    /// With what.
    pub topic: Topic,
    /// How it stands.
    pub stands: Stands,
    /// Requests of its day so far, of how many.
    pub used: (u32, Option<u32>),
    /// Until when it wants to be left alone.
    pub paused_until: Option<WallTime>,
    /// What went wrong last, and when.
    pub last: Option<(WallTime, String)>,
    /// What is missing to ask it at all.
    pub lacks: Option<&'static str>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BulletinView {
    /// Series in the order in which they are shown.
    pub series: Vec<SeriesView>,
    /// Publishers.
    pub sources: Vec<SourceView>,
    /// Headlines, newest first.
    pub headlines: Vec<Arc<Headline>>,
    /// How often a headline came that was known.
    pub repeated: u64,
    /// When news was last heard in this process.
    pub news_heard: Option<WallTime>,
    /// Why what was heard could not be kept on the disk, if it could not.
    pub not_kept: Option<String>,
}
