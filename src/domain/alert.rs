//! What the workstation wants a person to notice.

use serde::{Deserialize, Serialize};

use crate::domain::{AlertId, InstrumentId, MarketTime};

/// How loudly an alert speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Look when you can.
    Warning,
    /// Look now: something was refused, stopped or is unknown.
    Critical,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertTopic {
    /// The engine, its journal or a restart.
    Engine,
    /// An order or a position.
    Order,
    /// A limit or a breaker.
    Risk,
    /// A price move or the data itself.
    Market,
}

/// One alert. Numbers run without gaps, so a missing one shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub id: AlertId,
    /// How loud.
    pub severity: Severity,
    /// About what.
    pub topic: AlertTopic,
    /// The instrument concerned, where there is one.
    pub instrument: Option<InstrumentId>,
    /// When it happened, in market time.
    pub at: MarketTime,
    /// One plain sentence.
    pub text: String,
    /// Whether a person has seen it.
    pub acknowledged: bool,
}
