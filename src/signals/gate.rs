//! A record of calls held against a gate: more than a share of them right is no evidence by itself.
//!
//! A backtest and the account that is running ask here, so one rule says PASS. The counts of a running account are a [`Tally`]: it has
//! the size of a few numbers however long the record is.

use serde::{Deserialize, Serialize};

use crate::domain::MarketTime;
use crate::stats;

/// What takes no skill, where prices rise as often as they fall.
pub const COIN: f64 = 0.5;
/// A gate says nothing on fewer calls that followed one another.
pub const LEAST_INDEPENDENT: u64 = 30;

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// It is there, and the interval says that it is not chance.
    Pass,
    /// It is not there, and the interval says that it is not bad luck.
    Fail,
    /// The interval holds both, or there is too little to say.
    NotProven,
}

/// Calls held against a gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The gate: more than this share must be right.
    pub limit: f64,
    /// Calls that were right.
    pub right: u64,
    /// Of so many.
    pub of: u64,
    /// So many of these followed one another without an overlap; all of them where that was not counted.
    pub independent: u64,
    /// 95 %, Wilson's; nothing where there are too few.
    pub interval: Option<(f64, f64)>,
    /// What takes no skill: always up, always down or a coin.
    pub base: f64,
}

/// Calls that have ended, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    right: u64,
    rose: u64,
    of: u64,
    independent: u64,
    /// Until when the latest span that was counted as independent lasted.
    until: Option<MarketTime>,
}

/// A call as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedCall {
    /// When it was made.
    pub made: MarketTime,
    /// When it ended.
    pub ended: MarketTime,
    /// Whether its direction was right.
    pub is_right: bool,
    /// Whether the price rose.
    pub has_risen: bool,
}

/// The fewest of so many that are more than a share; a billionth keeps 0.55 × 20 from being more than 11.
pub fn fewest_above(share: f64, of: u64) -> u64 {
    libm::floor(share * of as f64 + 1e-9) as u64 + 1
}

/// What always saying the better of "up" and "down" would have had right, where this share rose; a coin's where nothing is known.
pub fn base_rate(rose: Option<f64>) -> f64 {
    rose.map_or(COIN, |rose| rose.max(1.0 - rose))
}

impl Standing {
    /// The share that was right; nothing of nothing.
    pub fn rate(&self) -> Option<f64> {
        (self.of > 0).then(|| self.right as f64 / self.of as f64)
    }

    /// PASS where more than the limit are right and the interval lies above what takes no skill, FAIL where not and the interval lies
    /// below the limit.
    pub fn verdict(&self) -> GateVerdict {
        let is_reached = self.right >= fewest_above(self.limit, self.of);
        match self.interval {
            Some((low, _)) if is_reached && low > self.base => GateVerdict::Pass,
            Some((_, high)) if !is_reached && high < self.limit => GateVerdict::Fail,
            Some(_) | None => GateVerdict::NotProven,
        }
    }
}

impl Tally {
    /// Counts a call. Calls come in the order of their ends.
    pub fn add(&mut self, call: CountedCall) {
        self.of += 1;
        self.right += u64::from(call.is_right);
        self.rose += u64::from(call.has_risen);
        if self.until.is_none_or(|until| call.made >= until) {
            self.independent += 1;
            self.until = Some(call.ended);
        }
    }

    /// How many calls.
    pub const fn calls(&self) -> u64 {
        self.of
    }

    /// The record held against a gate. The interval is that of as many calls as followed one another: calls on stocks that move together
    /// in the same days are one piece of evidence, not twenty.
    pub fn against(&self, limit: f64) -> Standing {
        let Self { right, rose, of, independent, .. } = *self;
        let counted = right.checked_mul(independent).and_then(|product| product.checked_div(of));
        let is_enough = independent >= LEAST_INDEPENDENT;
        let interval = counted.filter(|_| is_enough).and_then(|right| stats::wilson_95(right, independent));
        let rose = (of > 0).then(|| rose as f64 / of as f64);
        let interval = interval.map(|interval| (interval.low, interval.high));
        Standing { limit, right, of, independent, interval, base: base_rate(rose) }
    }
}

impl GateVerdict {
    /// The words shown.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotProven => "NOT PROVEN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many calls, one after the other or twenty at a time; of each hundred so many are right and so many rose.
    fn tally(of: i64, at_once: i64, right: i64, rose: i64) -> Tally {
        let mut tally = Tally::default();
        for number in 0..of {
            let ended = MarketTime(number / at_once + 1);
            let made = MarketTime(ended.0 - 1);
            tally.add(CountedCall { made, ended, is_right: number % 100 < right, has_risen: (number + 50) % 100 < rose });
        }
        tally
    }

    #[test]
    fn a_gate_asks_for_more_than_its_share_and_for_more_than_chance() {
        let verdict = |tally: Tally| tally.against(0.55).verdict();
        assert_eq!(verdict(tally(500, 1, 60, 50)), GateVerdict::Pass);
        assert_eq!(verdict(tally(500, 1, 55, 50)), GateVerdict::NotProven, "55 % is not more than 55 %");
        assert_eq!(verdict(tally(500, 1, 60, 60)), GateVerdict::NotProven, "always up was right as often");
        assert_eq!(verdict(tally(500, 1, 40, 50)), GateVerdict::Fail);
        assert_eq!(verdict(tally(29, 1, 100, 15)), GateVerdict::NotProven, "29 calls say nothing");
        assert_eq!(verdict(Tally::default()), GateVerdict::NotProven);
    }

    #[test]
    fn calls_that_overlap_are_one_piece_of_evidence() {
        let (alone, together) = (tally(600, 1, 60, 50), tally(600, 20, 60, 50));
        let standing = together.against(0.55);
        assert_eq!((standing.of, standing.independent, standing.rate()), (600, 30, alone.against(0.55).rate()));
        assert_eq!(standing.verdict(), GateVerdict::NotProven);
        // Wilson's interval of 18 of 30 by hand: 0.4232 to 0.7541.
        let (low, high) = standing.interval.unwrap();
        assert!((low - 0.423_2).abs() < 1e-4 && (high - 0.754_1).abs() < 1e-4, "{low} {high}");
        assert_eq!(tally(580, 20, 95, 50).against(0.55).verdict(), GateVerdict::NotProven, "29 spans say nothing");
    }
}
