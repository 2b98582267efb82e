//! Whether another provider's prices go on where the last one's ended: a jump between two sources is not a move of the market.
//!
//! Prices agree within two percent, or five usual moves of a minute where those are larger. Bars are held against bars of the same minutes;
//! only where none is shared, against the last close.

use crate::domain::{Bar, Flaw, Price, SplitRatio};
use crate::market::providers::bars::{is_near, jump_between};
use crate::market::providers::{Failure, Refusal};

/// A difference that is always allowed.
const ALLOWED: f64 = 0.02;
/// Usual moves of a minute that are allowed.
const MOVES: f64 = 5.0;

/// The largest allowed difference, as a share: of bars taken lately, oldest first.
pub(super) fn tolerance<'a>(bars: impl Iterator<Item = &'a Bar>) -> f64 {
    let closes: Vec<f64> = bars.map(|bar| bar.close.to_f64()).collect();
    let returns: Vec<f64> = closes.windows(2).filter_map(|pair| Some(libm::log(pair.last()? / pair.first()?))).collect();
    if returns.len() < 5 {
        return ALLOWED;
    }
    let squares: f64 = returns.iter().map(|value| value * value).sum();
    ALLOWED.max(MOVES * libm::sqrt(squares / returns.len() as f64))
}

/// Splits that are looked for where nobody names one: so many shares for so many.
const SPLITS: [(u32, u32); 12] =
    [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (10, 1), (15, 1), (20, 1), (25, 1), (3, 2)];
/// How far prices may be from a split's ratio: what a share moves between two answers.
const SPLIT_WITHIN: f64 = 0.04;

/// The split that lies between two prices of one instrument, or its reverse, where their quotient is that of one.
pub(super) fn split_between(before: Price, now: Price) -> Option<SplitRatio> {
    let quotient = before.to_f64() / now.to_f64();
    let is_about = |new: u32, old: u32| libm::fabs(quotient * f64::from(old) / f64::from(new) - 1.0) <= SPLIT_WITHIN;
    let mut each = SPLITS.into_iter().flat_map(|(many, few)| [(many, few), (few, many)]);
    each.find(|(new, old)| is_about(*new, *old)).map(|(new, old)| SplitRatio { new, old })
}

/// What lies between the same minutes as they were taken and as they are told now: a split where all of them show the same one.
pub(super) fn split_of<'a>(taken: impl DoubleEndedIterator<Item = &'a Bar> + Clone, told: &[Bar]) -> Option<SplitRatio> {
    let shared = taken.clone().filter_map(|bar| Some((bar, told.iter().find(|other| other.open_at == bar.open_at)?)));
    let mut ratios = shared.map(|(bar, other)| split_between(bar.close, other.close)).peekable();
    if ratios.peek().is_some() {
        let first = ratios.next().flatten()?;
        return ratios.all(|other| other == Some(first)).then_some(first);
    }
    let (before, now) = (taken.last()?, told.first()?);
    // Without a minute in common a fall of a third may be the market's: only a jump that no market makes is taken for a split.
    if is_near(before.close, now.open) { None } else { split_between(before.close, now.open) }
}

/// What kind of flaw a jump is.
pub(super) fn kind_of_jump(before: Price, now: Price) -> Flaw {
    if is_near(before, now) { Flaw::Outlier } else { jump_between(before, now) }
}

/// The difference of two prices as a share of the first.
fn difference(before: Price, now: Price) -> f64 {
    libm::fabs(now.to_f64() / before.to_f64() - 1.0)
}

/// Whether a price goes on where another ended.
pub(super) fn goes_on(before: Price, now: Price, tolerance: f64) -> Result<(), Refusal> {
    let share = difference(before, now);
    if share <= tolerance {
        return Ok(());
    }
    Err(Refusal::new(Failure::Splice, &format!("{now} where {before} was: {:.1} % apart", share * 100.0)))
}

/// Whether bars of another provider go on where those that were taken ended.
pub(super) fn bars_go_on<'a>(
    taken: impl DoubleEndedIterator<Item = &'a Bar> + Clone,
    told: &[Bar],
    tolerance: f64,
) -> Result<(), Refusal> {
    let mut shared =
        taken.clone().filter_map(|bar| Some((bar, told.iter().find(|other| other.open_at == bar.open_at)?))).peekable();
    if shared.peek().is_some() {
        // One minute may close on a stray trade; the middle one of those that are shared may not.
        let mut pairs: Vec<(f64, Price, Price)> =
            shared.map(|(bar, other)| (difference(bar.close, other.close), bar.close, other.close)).collect();
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        return pairs.get(pairs.len() / 2).map_or(Ok(()), |(_, before, now)| goes_on(*before, *now, tolerance));
    }
    match (taken.last(), told.first()) {
        (Some(before), Some(now)) => goes_on(before.close, now.open, tolerance),
        (None, _) | (_, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{InstrumentId, MarketTime};

    fn bar(minute: i64, close: i64) -> Bar {
        let price = Price::from_nanos(close * 1_000_000);
        let (open_at, close_at) = (MarketTime(minute * 60), MarketTime((minute + 1) * 60));
        let (instrument, open, high, low, close, volume, has_range) = (InstrumentId(5), price, price, price, price, None, true);
        Bar { instrument, open_at, close_at, open, high, low, close, volume, has_range }
    }

    fn agrees(taken: &[Bar], told: &[Bar]) -> bool {
        bars_go_on(taken.iter(), told, tolerance(taken.iter())).is_ok()
    }

    #[test]
    fn the_same_minutes_decide_and_only_without_them_the_last_close() {
        let taken: Vec<Bar> = (0..10).map(|minute| bar(minute, 100_000 + minute % 2)).collect();
        let crash = [bar(8, 100_000), bar(9, 100_001), bar(10, 80_000), bar(11, 70_000)];
        assert!(agrees(&taken, &crash), "a fall in the outage is the market's");
        let other = [bar(8, 103_000), bar(9, 103_000), bar(10, 103_000)];
        assert!(!agrees(&taken, &other), "three percent apart in the same minutes is another price");
        assert!(agrees(&taken, &[bar(8, 103_000), bar(9, 100_000), bar(7, 100_001)]), "one stray minute does not decide");
        assert!(agrees(&taken, &[bar(20, 101_900)]) && !agrees(&taken, &[bar(20, 102_100)]));
        assert!(agrees(&taken, &[]) && agrees(&[], &crash));
    }

    #[test]
    fn a_split_shows_in_the_same_minutes_and_a_fall_is_none() {
        let ratio = |new, old| Some(SplitRatio { new, old });
        let taken: Vec<Bar> = (0..10).map(|minute| bar(minute, 100_000 + minute)).collect();
        let scaled = |many: i64, few: i64| (5..12).map(|minute| bar(minute, (100_000 + minute) * few / many)).collect::<Vec<_>>();
        assert_eq!(split_of(taken.iter(), &scaled(4, 1)), ratio(4, 1));
        assert_eq!(split_of(taken.iter(), &scaled(3, 2)), ratio(3, 2));
        assert_eq!(split_of(taken.iter(), &scaled(1, 10)), ratio(1, 10), "a reverse split");
        assert_eq!(split_of(taken.iter(), &scaled(1, 1)), None);
        let mut mixed = scaled(4, 1);
        mixed[2] = bar(7, 100_007);
        assert_eq!(split_of(taken.iter(), &mixed), None, "one minute that does not fit");
        assert_eq!(split_of(taken.iter(), &[bar(40, 25_100)]), ratio(4, 1));
        assert_eq!(split_of(taken.iter(), &[bar(40, 66_667)]), None, "a third less after a gap may be the market's");
        let price = |cents: i64| Price::from_nanos(cents * 10_000_000);
        assert_eq!(kind_of_jump(price(100), price(10_000)), Flaw::UnitJump);
        assert_eq!(kind_of_jump(price(100), price(106)), Flaw::Outlier);
    }

    #[test]
    fn a_wild_market_allows_more() {
        let wild: Vec<Bar> = (0..20).map(|minute| bar(minute, if minute % 2 == 0 { 100_000 } else { 101_000 })).collect();
        let allowed = tolerance(wild.iter());
        assert!((0.0495..0.0505).contains(&allowed), "{allowed}");
        assert!(tolerance([].iter()) == ALLOWED);
    }
}
