//! The latest closes of an instrument by risk day, and what several of them would have made of a book. Follows from closed bars alone.

use jiff::civil::Date;

use crate::domain::{Bar, MarketTime, RiskDays};

/// Days kept; the oldest are dropped in one go at twice as many.
const KEPT: usize = 600;

/// A risk day as a number that grows with its date, so that two stretches of days compare in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct DayNumber(i32);

impl DayNumber {
    pub(super) fn of(date: Date) -> Self {
        Self(i32::from(date.year()) * 512 + i32::from(date.month()) * 32 + i32::from(date.day()))
    }

    fn date(self) -> Option<Date> {
        let (year, month, day) = (self.0.div_euclid(512), self.0.rem_euclid(512) / 32, self.0.rem_euclid(32));
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }
}

/// The last close of each risk day: that of the latest bar which counts for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Daily {
    today: DayNumber,
    ends_at: Option<MarketTime>,
    days: Vec<DayNumber>,
    closes: Vec<f64>,
    /// Simple returns, each from the close before; of the first there is none, and 0 stands there.
    changes: Vec<f64>,
}

/// An instant of the risk day that a bar counts for, the one that most of it lies in: a day of bitcoin closes at midnight UTC, when the
/// risk day of the stocks' closes is over. Of a longer bar, whose beginning may be days ago, twelve hours before its close.
pub(super) fn day_of(bar: &Bar) -> MarketTime {
    const LONGEST: i64 = 43_200_000_000_000;
    let half = (bar.close_at.since(bar.open_at).0 / 2).clamp(0, LONGEST);
    MarketTime(bar.close_at.0 - half)
}

/// A stretch of days that have ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub(super) days: &'a [DayNumber],
    pub(super) closes: &'a [f64],
    pub(super) changes: &'a [f64],
}

impl Daily {
    /// Takes a closed bar. Bars come in order.
    pub(super) fn on_bar(&mut self, bar: &Bar, days: &mut RiskDays) {
        let at = day_of(bar);
        if self.ends_at.is_none_or(|end| at >= end) {
            let day = days.of(at);
            (self.today, self.ends_at) = (DayNumber::of(day.date), Some(day.ends_at));
        }
        let close = bar.close.to_f64();
        if close <= 0.0 {
            return;
        }
        if self.days.last() == Some(&self.today) {
            self.closes.pop();
            self.changes.pop();
        } else {
            self.days.push(self.today);
        }
        self.changes.push(self.closes.last().map_or(0.0, |before| close / before - 1.0));
        self.closes.push(close);
        if self.days.len() >= 2 * KEPT {
            self.days.drain(..KEPT);
            self.closes.drain(..KEPT);
            self.changes.drain(..KEPT);
        }
    }

    /// At most `most` days, the latest that had ended when `today` began.
    pub(super) fn before(&self, today: DayNumber, most: usize) -> Past<'_> {
        let ended = self.days.len() - self.days.iter().rev().take_while(|day| **day >= today).count();
        let from = ended.saturating_sub(most);
        Past {
            days: self.days.get(from..ended).unwrap_or_default(),
            closes: self.closes.get(from..ended).unwrap_or_default(),
            changes: self.changes.get(from..ended).unwrap_or_default(),
        }
    }
}

/// What a book would have made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Simulated {
    /// Its result on each day on which everything in it closed, from the one before, oldest first.
    pub(super) results: Vec<f64>,
    /// The days they end on.
    pub(super) days: Vec<DayNumber>,
}

impl Simulated {
    /// The last of its days.
    pub(super) fn last(&self) -> Option<Date> {
        self.days.last()?.date()
    }
}

/// What a book of these parts, each with its share, would have made on the latest `most` of the days before `today` on which all of them
/// closed. The last day counts only where all of them closed on it. `None` for a book of nothing, or without two such days.
pub(super) fn simulate(parts: &[(&Daily, f64)], today: DayNumber, most: usize) -> Option<Simulated> {
    let pasts: Vec<(Past<'_>, f64)> = parts.iter().map(|(daily, share)| (daily.before(today, most + 1), *share)).collect();
    let (first, _) = pasts.first()?;
    if pasts.iter().all(|(past, _)| past.days == first.days) {
        let mut results = vec![0.0; first.days.len().checked_sub(1)?];
        for (past, share) in &pasts {
            for (result, change) in results.iter_mut().zip(past.changes.get(1..)?) {
                *result += share * change;
            }
        }
        return (!results.is_empty()).then(|| Simulated { results, days: first.days.get(1..).unwrap_or_default().to_vec() });
    }
    simulate_shared(parts, today, most)
}

/// The same for parts that trade on different days: from one day on which all of them closed to the next.
fn simulate_shared(parts: &[(&Daily, f64)], today: DayNumber, most: usize) -> Option<Simulated> {
    // Of so many days, the part that closes most seldom reaches back farthest: days that all share are among its own. The others have
    // more in the same time, seven days a week at most.
    let latest = parts.iter().map(|(daily, _)| daily.before(today, most + 1));
    let mut shared: Vec<DayNumber> = latest.min_by_key(|past| past.days.first().copied())?.days.to_vec();
    let pasts: Vec<(Past<'_>, f64)> = parts.iter().map(|(daily, share)| (daily.before(today, 2 * most + 2), *share)).collect();
    for (past, _) in &pasts {
        let mut place = 0;
        shared.retain(|day| {
            place += past.days.get(place..).unwrap_or_default().iter().take_while(|other| *other < day).count();
            past.days.get(place) == Some(day)
        });
    }
    let mut results = vec![0.0; shared.len().checked_sub(1).filter(|count| *count > 0)?];
    for (past, share) in &pasts {
        let closes = closes_on(past, &shared);
        for (result, (before, after)) in results.iter_mut().zip(closes.iter().zip(closes.iter().skip(1))) {
            *result += share * (after / before - 1.0);
        }
    }
    Some(Simulated { results, days: shared.get(1..).unwrap_or_default().to_vec() })
}

/// The closes of days that are all among its own.
fn closes_on(past: &Past<'_>, days: &[DayNumber]) -> Vec<f64> {
    let mut wanted = days.iter().peekable();
    let own = past.days.iter().zip(past.closes);
    own.filter(|(day, _)| wanted.next_if_eq(day).is_some()).map(|(_, close)| *close).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{InstrumentId, Price, RiskDay};

    const DAY: i64 = 86_400_000_000_000;

    fn number(day: i64) -> DayNumber {
        DayNumber::of(RiskDay::of(MarketTime(day * DAY - DAY / 2)).date)
    }

    fn daily(closes: &[(i64, i64)]) -> Daily {
        let mut daily = Daily::default();
        for (day, close) in closes {
            let price = Price::from_nanos(close * 1_000_000_000);
            let (open_at, close_at) = (MarketTime((day - 1) * DAY), MarketTime(day * DAY));
            let instrument = InstrumentId(1);
            let (open, high, low, close, volume, has_range) = (price, price, price, price, None, true);
            let bar = Bar { instrument, open_at, close_at, open, high, low, close, volume, has_range };
            daily.on_bar(&bar, &mut RiskDays::default());
        }
        daily
    }

    #[test]
    fn a_day_has_one_close_the_last() {
        let daily = daily(&[(10, 100), (11, 110), (11, 121), (12, 60)]);
        let past = daily.before(number(12), 10);
        assert_eq!((past.days, past.closes), (&[number(10), number(11)][..], &[100.0, 121.0][..]));
        assert!((past.changes[1] - 0.21).abs() < 1e-15);
        assert_eq!(daily.before(number(13), 1).closes, [60.0]);
        assert_eq!(number(11).date(), Some(RiskDay::of(MarketTime(11 * DAY - DAY / 2)).date));
    }

    /// A day of bitcoin ends at midnight UTC, after the risk day of the stocks' closes has turned: both count for the same day.
    #[test]
    fn a_bar_counts_for_the_day_that_most_of_it_lies_in() {
        let bar = |from: &str, to: &str| {
            let (open_at, close_at) = (MarketTime::parse(from).unwrap(), MarketTime::parse(to).unwrap());
            let price = Price::from_nanos(1_000_000_000);
            let (open, high, low, close, volume, has_range) = (price, price, price, price, None, true);
            let bar = Bar { instrument: InstrumentId(1), open_at, close_at, open, high, low, close, volume, has_range };
            RiskDay::of(day_of(&bar)).date.to_string()
        };
        assert_eq!(bar("2020-03-12T00:00:00Z", "2020-03-13T00:00:00Z"), "2020-03-12", "bitcoin");
        assert_eq!(bar("2020-03-12T13:30:00Z", "2020-03-12T20:00:00Z"), "2020-03-12", "a session");
        assert_eq!(bar("2020-03-11T21:00:00Z", "2020-03-12T21:00:00Z"), "2020-03-12", "a day of currencies");
        assert_eq!(bar("2020-03-13T20:00:00Z", "2020-03-16T20:00:00Z"), "2020-03-16", "from close to close over a weekend");
        assert_eq!(bar("2020-03-12T21:00:00Z", "2020-03-12T22:00:00Z"), "2020-03-13", "an hour after the turn");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let daily = daily(&(1..3_000).map(|day| (day, 100 + day % 7)).collect::<Vec<_>>());
        assert!((KEPT..2 * KEPT).contains(&daily.days.len()) && daily.closes.len() == daily.days.len());
        assert_eq!(daily.before(number(2_999), 500).days.len(), 500);
        assert_eq!(daily.before(number(2_999), 500).days.last(), Some(&number(2_998)));
    }

    #[test]
    fn days_that_only_some_share_are_passed_over() {
        let whole = daily(&[(10, 100), (11, 110), (12, 99), (13, 99), (14, 198)]);
        let seldom = daily(&[(10, 50), (12, 60), (14, 30)]);
        let found = simulate(&[(&whole, 1.0), (&seldom, 0.5)], number(15), 500).unwrap();
        assert_eq!(found.days, [number(12), number(14)]);
        for (ours, by_hand) in found.results.iter().zip([-0.01 + 0.5 * 0.2, 1.0 - 0.5 * 0.5]) {
            assert!((ours - by_hand).abs() < 1e-15, "{found:?}");
        }
        let same = simulate(&[(&whole, 1.0), (&whole, -1.0)], number(15), 3).unwrap();
        assert_eq!((same.results.as_slice(), same.days.len()), (&[0.0; 3][..], 3));
        assert_eq!(simulate(&[], number(15), 500), None);
        assert_eq!(simulate(&[(&daily(&[(10, 1)]), 1.0)], number(15), 500), None);
        assert_eq!(simulate(&[(&whole, 1.0), (&daily(&[(3, 1), (4, 1)]), 1.0)], number(15), 500), None);
    }

    #[test]
    fn both_ways_of_summing_up_agree() {
        let a = daily(&(1..400).map(|day| (day, 100 + day * 7 % 13)).collect::<Vec<_>>());
        let b = daily(&(1..400).map(|day| (day, 50 + day * 5 % 11)).collect::<Vec<_>>());
        let parts = [(&a, 0.3), (&b, -0.7)];
        let fast = simulate(&parts, number(400), 300).unwrap();
        let slow = simulate_shared(&parts, number(400), 300).unwrap();
        assert_eq!((fast.days.len(), &fast.days), (300, &slow.days));
        let often = daily(&(1..400).map(|day| (day, 9)).collect::<Vec<_>>());
        let seldom = daily(&(1..200).map(|day| (2 * day, 9)).collect::<Vec<_>>());
        let mixed = simulate(&[(&often, 1.0), (&seldom, 1.0)], number(400), 150).unwrap();
        assert_eq!(mixed.days.len(), 150, "those that trade more often are looked back on for longer");
        assert!(fast.results.iter().zip(&slow.results).all(|(one, other)| (one - other).abs() < 1e-15));
    }
}
