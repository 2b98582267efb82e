//! The list of pre-trade checks: one table for codes, sentences, help and documentation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::Ratio;

macro_rules! checks {
    ($($name:ident, $code:literal, $title:literal, $sentence:literal;)*) => {
        /// A pre-trade check. Its code is stable and appears in the journal, on the screen and in the documentation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Check {
            $(#[doc = $sentence] $name,)*
        }

        impl Check {
            /// All checks in the order they are made and shown.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Two or three words for the preview.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What the check demands, as one sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

checks! {
    Mode, "MODE", "mode", "Orders leave only when paper (or demo) trading is armed.";
    State, "STATE", "trading state", "ACTIVE takes all orders, REDUCING only those that reduce exposure, HALTED none but the kill switch's own.";
    Instrument, "INSTRUMENT", "instrument", "The instrument is known, may be traded and settles in the account's currency.";
    Market, "MARKET", "market", "The market will print again: past the end of a tape nothing fills.";
    Quantity, "QUANTITY", "quantity", "The quantity is a whole number of lots and at least the minimum.";
    Value, "ORDER_VALUE", "order value", "The value of an opening order is not below the smallest and not above the largest.";
    Price, "PRICE", "order price", "A named price is above zero and a whole number of ticks.";
    Fresh, "FRESH", "fresh price", "There is a last price, and it is not stale.";
    Collar, "COLLAR", "price collar", "A limit or stop lies within the collar around the last price.";
    Protection, "PROTECTION", "stop and target", "A stop-loss lies on the losing side of the price and a take-profit on the winning side; at a broker an opening order carries a stop-loss.";
    Reduces, "REDUCES", "reduces only", "A closing order fits an open position and is not larger than it.";
    Opposite, "OPPOSITE", "no opposite", "An opening order does not stand against an open position in the same instrument.";
    Crossing, "CROSSING", "no crossing", "No order that opens the other side works in the same instrument.";
    Twin, "TWIN", "not a repeat", "No identical order is already on its way or working.";
    Unknown, "UNKNOWN", "all orders known", "No order whose fate is unknown is outstanding.";
    Breaker, "BREAKER", "no breaker", "No latched breaker refuses new orders in this instrument or of this source.";
    Position, "POSITION", "position size", "The position stays within its share of equity.";
    Sector, "SECTOR", "sector", "The sector stays within its share of equity.";
    Correlated, "CORRELATED", "moves with it", "What is held and moves with the instrument stays, with it, within its share of equity; what is not known to move otherwise counts.";
    Gross, "GROSS", "gross exposure", "All positions together stay within their share of equity.";
    Cash, "CASH", "cash", "Cash covers the order with its costs.";
    Trades, "TRADES", "trades today", "The day's number of opening orders is not used up.";
    Rate, "RATE", "order rate", "No more new opening orders leave within a minute than are allowed.";
    DailyLoss, "DAILY_LOSS", "daily loss", "The loss of the day is within its limit.";
    WeeklyLoss, "WEEKLY_LOSS", "weekly loss", "The loss of the week is within its limit.";
    Drawdown, "DRAWDOWN", "drawdown", "The fall from the highest equity is within its limit.";
}

impl Check {
    /// Whether its numbers are counts or amounts rather than shares.
    const fn counts(self) -> bool {
        matches!(self, Self::Trades | Self::Rate | Self::Value)
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// Fine.
    Pass,
    /// Allowed for a hand-written ticket once the symbol was typed.
    Precaution,
    /// Refused.
    Fail,
}

/// One check with its number and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which check.
    pub check: Check,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// The number after this order, where the check has one.
    pub value: Option<Ratio>,
    /// The limit it was held against.
    pub limit: Option<Ratio>,
}

impl CheckResult {
    /// A check without numbers.
    pub const fn plain(check: Check, fine: Fine) -> Self {
        let outcome = match fine {
            Fine::Yes => CheckOutcome::Pass,
            Fine::No => CheckOutcome::Fail,
        };
        Self { check, outcome, value: None, limit: None }
    }

    /// A check of `value ≤ limit`; a missing value refuses.
    pub fn at_most(check: Check, value: Option<Ratio>, limit: Ratio) -> Self {
        let outcome = if value.is_some_and(|value| value <= limit) { CheckOutcome::Pass } else { CheckOutcome::Fail };
        Self { check, outcome, value, limit: Some(limit) }
    }
}

/// Whether a plain check holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fine {
    /// It holds.
    Yes,
    /// It does not.
    No,
}

impl From<bool> for Fine {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.value, self.limit) {
            (Some(value), Some(limit)) if self.check == Check::Value && self.outcome == CheckOutcome::Fail => {
                let side = if value < limit { "least" } else { "most" };
                write!(formatter, "{:.2}, at {side} {:.0}", value.to_f64(), limit.to_f64())
            }
            (Some(value), Some(limit)) if self.check.counts() => {
                write!(formatter, "{:.0} of {:.0}", value.to_f64(), limit.to_f64())
            }
            (None, Some(limit)) if self.check.counts() => write!(formatter, "n/a of {:.0}", limit.to_f64()),
            (Some(value), Some(limit)) => write!(formatter, "{value:.2} % of {limit:.2} %"),
            (None, Some(limit)) => write!(formatter, "n/a of {limit:.2} %"),
            (Some(value), None) => write!(formatter, "{value:.2} %"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_sentences_end() {
        let codes: BTreeSet<&str> = Check::ALL.iter().map(|check| check.code()).collect();
        assert_eq!(codes.len(), Check::ALL.len());
        assert!(Check::ALL.iter().all(|check| check.sentence().ends_with('.') && check.title().len() <= 16));
    }
}
