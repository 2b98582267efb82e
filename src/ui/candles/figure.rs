//! The shape of one candle: which glyph it shows in which row.

use super::Candle;
use super::scale::Scale;

/// A candle in half rows, counted from the top of the prices.
pub(super) struct Figure {
    high: u16,
    low: u16,
    body: (u16, u16),
    is_down: bool,
    is_flat: bool,
}

impl Figure {
    /// Places a candle whose lowest and highest price are known to be good; `None` if a part of it lies outside.
    pub(super) fn of(candle: &Candle, (low, high): (f64, f64), scale: &Scale, rows: u16) -> Option<Self> {
        let step = |price| scale.step(price, rows.saturating_mul(2));
        let Candle { open, close, .. } = *candle;
        Some(Self {
            high: step(high)?,
            low: step(low)?,
            body: (step(open.max(close))?, step(open.min(close))?),
            is_down: close < open,
            is_flat: close == open,
        })
    }

    /// The glyph of a row. A solid body has no room for a wick in the same cell, so there the wick gives way.
    pub(super) fn glyph(&self, row: u16) -> Option<&'static str> {
        let (upper, lower) = (row.saturating_mul(2), row.saturating_mul(2).saturating_add(1));
        let is_wick = |half: u16| (self.high..=self.low).contains(&half);
        let is_body = |half: u16| (self.body.0..=self.body.1).contains(&half);
        if self.is_flat && (is_body(upper) || is_body(lower)) {
            return Some(match (self.high < self.body.0, self.low > self.body.1) {
                (true, true) => "┼",
                (true, false) => "┴",
                (false, true) => "┬",
                (false, false) => "─",
            });
        }
        match (is_body(upper), is_body(lower)) {
            (true, true) => Some(if self.is_down { "█" } else { "┃" }),
            (true, false) if self.is_down => Some("▀"),
            (false, true) if self.is_down => Some("▄"),
            (true, false) => Some(if is_wick(lower) { "╿" } else { "╹" }),
            (false, true) => Some(if is_wick(upper) { "╽" } else { "╻" }),
            (false, false) => match (is_wick(upper), is_wick(lower)) {
                (true, true) => Some("│"),
                (true, false) => Some("╵"),
                (false, true) => Some("╷"),
                (false, false) => None,
            },
        }
    }
}
