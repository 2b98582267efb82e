//! Faults on demand, drawn from a seed: the same seed gives the same mishaps.

use serde::{Deserialize, Serialize};

use crate::domain::{Duration, SplitMix64};

/// How often what goes wrong, per thousand, and how long what takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Every message waits so long.
    pub delay: Duration,
    /// Replies to trade requests that never come, though the request was carried out.
    pub lost_reply: u16,
    /// Connections closed without a word after a trade request was carried out.
    pub closed_after_trade: u16,
    /// Connections closed without a word before a trade request was looked at.
    pub closed_before_trade: u16,
    /// Stream messages sent twice.
    pub duplicate_stream: u16,
    /// Stream messages that overtake the one before.
    pub shuffled_stream: u16,
    /// Stream messages that never come.
    pub lost_stream: u16,
    /// Statuses that come before the reply which names their order.
    pub status_before_reply: u16,
    /// Lists of trades that come without their last entry.
    pub truncated_list: u16,
    /// Market orders answered with a changed price: in turn by a status, by BE013 and by BE015.
    pub requote: u16,
    /// Trade requests refused without reason: in turn rejected and in error.
    pub rejected: u16,
    /// Trade requests that stay PENDING for 2 to 40 seconds before anything comes of them.
    pub kept_pending: u16,
    /// Candles never come on the stream, whatever was asked for.
    pub silent_candles: bool,
}

/// Dice for what goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dice(SplitMix64);

impl Dice {
    /// Dice with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// The next number.
    pub const fn roll(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number below `count`; 0 where `count` is 0.
    pub const fn below(&mut self, count: u64) -> u64 {
        self.0.below(count)
    }

    /// True so many times in a thousand. Draws nothing where it is never.
    pub const fn happens(&mut self, per_thousand: u16) -> bool {
        per_thousand > 0 && self.below(1_000) < per_thousand as u64
    }
}
