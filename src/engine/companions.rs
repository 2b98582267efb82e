//! What moves with an instrument, from closed bars alone. Found with the first opening order in it on a risk day and kept until that day
//! is over, so that later checks only add up; a preview before that finds it anew.
//!
//! Two instruments move together where the simple returns between the last 61 days on which both closed correlate (Pearson) by the limit's
//! line or more, and against each other where they do by as much below zero. What shares fewer than 20 such returns, or none of the last
//! ten days, or does not move, is not known to move otherwise: it counts as moving with it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::{Bar, InstrumentId, Money, PositionSide, RiskDay};
use crate::engine::Engine;
use crate::engine::daily::{Daily, DayNumber, day_of};
use crate::stats;

/// Returns looked back on, and how many must be there.
const RETURNS: usize = 60;
const LEAST: usize = 20;
/// Days without a shared one after which what was shared before says nothing of today.
const FRESH: usize = 10;

/// How another instrument moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// The same way.
    Together,
    /// The other way.
    Against,
    /// Nobody knows.
    Unknown,
}

/// Another instrument and how it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Companion {
    instrument: InstrumentId,
    relation: Relation,
}

/// The companions of what was asked for on a risk day. Follows from the bars, so it is no part of the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Companions {
    day: DayNumber,
    of: BTreeMap<InstrumentId, Vec<Companion>>,
}

impl Engine {
    /// Finds what moves with an instrument, unless this was done since the risk day turned.
    pub(super) fn remember_companions(&mut self, instrument: InstrumentId) {
        if self.settings.limits.max_correlated.is_none() || self.holds_nothing() {
            return;
        }
        let today = self.risk_day();
        if self.companions.day != today {
            self.companions = Companions { day: today, of: BTreeMap::new() };
        }
        if !self.companions.of.contains_key(&instrument) {
            let found = self.find_companions(instrument);
            self.companions.of.insert(instrument, found);
        }
    }

    /// A bar of a day that was over tells something new of it: what was found before is found anew.
    pub(super) fn forget_companions_before(&mut self, bar: &Bar) {
        if !self.companions.of.is_empty() && DayNumber::of(RiskDay::of(day_of(bar)).date) < self.risk_day() {
            self.companions.of.clear();
        }
    }

    /// Value held and on order that would lose with a position of this side: of the instrument itself, and of what moves with it.
    pub(super) fn exposure_with(&self, instrument: InstrumentId, side: PositionSide) -> Money {
        if self.holds_nothing() {
            return Money::zero(self.book.ledger.currency());
        }
        let known = self.companions.of.get(&instrument).filter(|_| self.companions.day == self.risk_day());
        let companions =
            known.map_or_else(|| Cow::Owned(self.find_companions(instrument)), |known| Cow::Borrowed(known.as_slice()));
        let of = |companion: &Companion| {
            let side = match companion.relation {
                Relation::Together => Some(side),
                Relation::Against => Some(side.opposite()),
                Relation::Unknown => None,
            };
            (companion.instrument, side)
        };
        self.exposure_of(companions.iter().map(of).chain([(instrument, Some(side))]))
    }

    fn holds_nothing(&self) -> bool {
        self.book.ledger.positions().is_empty() && self.book.on_order_total().nanos() <= 0
    }

    fn risk_day(&self) -> DayNumber {
        self.book.performance.days().back().map_or_else(DayNumber::default, |day| DayNumber::of(day.date))
    }

    fn find_companions(&self, instrument: InstrumentId) -> Vec<Companion> {
        let from = self.settings.limits.correlated_from.map_or(1.0, crate::domain::Ratio::to_f64);
        let Some(own) = self.market.get(instrument).map(|series| series.daily()) else { return Vec::new() };
        let today = self.risk_day();
        let others = self.market.iter().filter(|series| series.instrument != instrument);
        let companion = |series: &crate::engine::Series| {
            let relation = match correlation(own, series.daily(), today) {
                None => Relation::Unknown,
                Some(value) if value >= from => Relation::Together,
                Some(value) if value <= -from => Relation::Against,
                Some(_) => return None,
            };
            Some(Companion { instrument: series.instrument, relation })
        };
        others.filter_map(companion).collect()
    }
}

/// The correlation of the latest returns between days before `today` on which both closed; `None` where there are too few, or one stands
/// still.
fn correlation(left: &Daily, right: &Daily, today: DayNumber) -> Option<f64> {
    let (one, other) = (left.before(today, RETURNS + 1), right.before(today, RETURNS + 1));
    if one.days == other.days {
        let (one, other) = (one.changes.get(1..)?, other.changes.get(1..)?);
        return (one.len() >= LEAST).then(|| stats::correlation(one, other)).flatten();
    }
    // One has days that the other has not: twice as many hold as many shared ones, seven days a week against five.
    let (one, other) = (left.before(today, 2 * RETURNS + 2), right.before(today, 2 * RETURNS + 2));
    let mut closes = other.days.iter().zip(other.closes).rev().peekable();
    let (mut ours, mut theirs) = (Vec::with_capacity(RETURNS + 1), Vec::with_capacity(RETURNS + 1));
    for (age, (day, close)) in one.days.iter().zip(one.closes).rev().enumerate() {
        if ours.is_empty() && age > FRESH {
            return None;
        }
        while closes.next_if(|(other, _)| *other > day).is_some() {}
        if let Some((_, other)) = closes.next_if(|(other, _)| *other == day) {
            ours.push(*close);
            theirs.push(*other);
        }
        if ours.len() > RETURNS {
            break;
        }
    }
    ours.reverse();
    theirs.reverse();
    (ours.len() > LEAST).then(|| stats::correlation(&stats::returns(&ours), &stats::returns(&theirs))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MarketTime, Price, RiskDays};

    const DAY: i64 = 86_400_000_000_000;

    fn daily(days: impl Iterator<Item = i64>, close: impl Fn(i64) -> i64) -> Daily {
        let mut daily = Daily::default();
        for day in days {
            let price = Price::from_nanos(close(day) * 1_000_000_000);
            let (open_at, close_at) = (MarketTime((day - 1) * DAY), MarketTime(day * DAY));
            let (open, high, low, close, volume, has_range) = (price, price, price, price, None, true);
            let bar = Bar { instrument: InstrumentId(1), open_at, close_at, open, high, low, close, volume, has_range };
            daily.on_bar(&bar, &mut RiskDays::default());
        }
        daily
    }

    #[test]
    fn only_shared_days_count_and_too_few_say_nothing() {
        let today = DayNumber::of(RiskDay::of(MarketTime(200 * DAY)).date);
        let wave = |day: i64| 100 + day * 7 % 13;
        let whole = daily(1..200, wave);
        let close = |found: Option<f64>, by_hand: f64| assert!((found.unwrap() - by_hand).abs() < 1e-12, "{found:?}");
        close(correlation(&whole, &whole, today), 1.0);
        let often = daily((1..200).filter(|day| day % 3 > 0), wave);
        let same_days = daily((1..200).filter(|day| day % 3 > 0), |day| 2 * wave(day));
        close(correlation(&whole, &often, today), 1.0);
        close(correlation(&same_days, &whole, today), 1.0);
        let mirrored = daily(1..200, |day| 1_000_000 / wave(day));
        assert!(correlation(&whole, &mirrored, today).unwrap() < -0.99);
        assert_eq!(correlation(&whole, &daily(180..200, wave), today), None, "nineteen returns");
        assert!(correlation(&whole, &daily(179..200, wave), today).is_some(), "twenty");
        assert_eq!(correlation(&whole, &daily(1..200, |_| 100), today), None, "it does not move");
        assert_eq!(correlation(&whole, &daily(1..100, wave), today), None, "it ended long ago");
    }
}
