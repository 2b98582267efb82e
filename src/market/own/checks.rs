//! What looks wrong with bars that each alone could be: changes of unit, splits that were not adjusted, holes.

use crate::domain::{AssetClass, Bar, Duration, Instrument, Price, TimeFrame};
use crate::market::own::import::Imported;

/// A price so many times the one before is in another unit.
const OTHER_UNIT: i128 = 50;
/// A price so many times the one before wants to be looked at.
const WILD: i128 = 2;
/// How far a fall may be from a split's ratio and still look like it, in thousandths.
const NEAR: i128 = 25;
/// Splits that shares really had, new for old.
const SPLITS: [(i128, i128); 12] =
    [(2, 1), (3, 1), (3, 2), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (10, 1), (15, 1), (20, 1), (25, 1)];
/// A pause within trading hours that is shorter is none: thin markets have minutes without a trade.
const QUIET: Duration = Duration::seconds(15 * 60);
/// Holes are counted no further.
const MOST: u32 = 1_000_000;

/// Adds what is wrong or odd about a series.
pub(super) fn look_through(instrument: &Instrument, frame: TimeFrame, bars: &[(usize, Bar)], imported: &mut Imported) {
    for ((_, before), (row, bar)) in bars.iter().zip(bars.iter().skip(1)) {
        let (was, is) = (before.close, bar.close);
        if is_times(was, is, OTHER_UNIT) || is_times(was, bar.open, OTHER_UNIT) {
            let what = format!("{is} after {was}: a hundred times is another unit, not a move; write all prices in one");
            imported.faults.add(*row, "close", what);
        } else if let Some((new, old)) =
            split(was, bar.open).filter(|_| instrument.kind == AssetClass::Stock && frame >= TimeFrame::Day)
        {
            let what = format!("{} after {was} looks like a split of {new} for {old} that was not adjusted", bar.open);
            imported.doubts.add(*row, "open", what);
        } else if is_times(was, is, WILD) {
            imported.doubts.add(*row, "close", format!("{is} after {was}: more than twice or less than half the close before"));
        }
        if let Some(what) = hole(instrument, frame, before, bar) {
            imported.doubts.add(*row, "time", what);
        }
    }
}

/// Whether one price is so many times the other, whichever is larger.
fn is_times(one: Price, other: Price, times: i128) -> bool {
    let (one, other) = (i128::from(one.nanos()), i128::from(other.nanos()));
    one > times * other || other > times * one
}

/// The split that a step from one price to the next looks like.
fn split(before: Price, now: Price) -> Option<(i128, i128)> {
    let (before, now) = (i128::from(before.nanos()), i128::from(now.nanos()));
    let is_near = |new: i128, old: i128| {
        let (one, other) = (before * old, now * new);
        (one - other).abs() * 1_000 <= one.max(other) * NEAR
    };
    let both = SPLITS.into_iter().flat_map(|(new, old)| [(new, old), (old, new)]);
    both.into_iter().find(|(new, old)| is_near(*new, *old))
}

/// What is missing between two bars, in words.
fn hole(instrument: &Instrument, frame: TimeFrame, before: &Bar, bar: &Bar) -> Option<String> {
    let calendar = instrument.calendar;
    let missing = match frame {
        TimeFrame::Day => calendar.sessions_between(calendar.date_of(before.open_at), calendar.date_of(bar.open_at), MOST),
        TimeFrame::Minutes(_) => {
            let pause = calendar.open_between(before.close_at, bar.open_at, Duration(i64::MAX));
            if pause < QUIET.max(frame.length()) { 0 } else { u32::try_from(pause.0 / frame.length().0).unwrap_or(MOST) }
        }
        TimeFrame::Week | TimeFrame::Month => 0,
    };
    let words = if missing == 1 { "one bar is missing".to_owned() } else { format!("{missing} bars are missing") };
    (missing > 0).then(|| format!("{words} between {} and {}", before.close_at, bar.open_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_told_from_falls() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        for (before, now, is) in [
            ("645.57", "92.70", Some((7, 1))),
            ("499.23", "127.58", Some((4, 1))),
            ("10", "100", Some((1, 10))),
            ("100", "66.5", Some((3, 2))),
            ("100", "75", None),
            ("100", "99", None),
            ("100", "88.03", None),
        ] {
            assert_eq!(split(price(before), price(now)), is, "{before} {now}");
        }
    }
}
