//! The seeded path that quotes follow inside a bar.
//!
//! From the open through one extreme, then the other, to the close: which extreme comes first and when is drawn from the seed, the
//! instrument and the bar's start. Between these anchors the path is a straight line with noise that is zero at both ends, clamped to the
//! bar. So it never leaves high and low, and ends exactly at the close. It is a drawing: nothing may be learnt or traded from it.

use crate::domain::{Bar, Price, SplitMix64};

/// A number in `-1.0..1.0`.
fn signed(random: &mut SplitMix64) -> f64 {
    (random.draw() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Prices at `steps` equal distances after the open; the last one is the close.
pub(super) fn draw(bar: &Bar, seed: u64, steps: usize) -> Vec<Price> {
    if steps == 0 {
        return Vec::new();
    }
    let salt = (u64::from(bar.instrument.0) << 48) ^ u64::from_ne_bytes(bar.open_at.0.to_ne_bytes());
    let mut random = SplitMix64::new(seed ^ salt);
    let third = (steps as u64 / 3).max(1);
    let first_at = 1 + random.below(third);
    let second_at = (first_at + 1 + random.below(third)).min(steps as u64);
    let (first, second) = if random.below(2) == 0 { (bar.low, bar.high) } else { (bar.high, bar.low) };
    let anchors = [(0, bar.open), (first_at, first), (second_at, second), (steps as u64, bar.close)];
    let mut path = Vec::with_capacity(steps);
    for pair in anchors.windows(2) {
        let [(from_at, from), (to_at, to)] = pair else { continue };
        segment(bar, &mut random, (*from_at, *from), (*to_at, *to), &mut path);
    }
    path.truncate(steps);
    if let Some(last) = path.last_mut() {
        *last = bar.close;
    }
    path
}

fn segment(bar: &Bar, random: &mut SplitMix64, (from_at, from): (u64, Price), (to_at, to): (u64, Price), path: &mut Vec<Price>) {
    let length = to_at.saturating_sub(from_at);
    let range = bar.high.to_f64() - bar.low.to_f64();
    for step in 1..=length {
        let along = step as f64 / length as f64;
        let bridge = along * (1.0 - along) * 0.5;
        let straight = from.to_f64() + (to.to_f64() - from.to_f64()) * along;
        let noisy = Price::from_f64(straight + signed(random) * bridge * range).unwrap_or(to);
        path.push(if step == length { to } else { noisy.clamp(bar.low, bar.high) });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{InstrumentId, MarketTime};

    fn bar(open: i64, close: i64, above: i64, below: i64) -> Bar {
        let price = |nanos| Price::from_nanos(nanos);
        Bar {
            instrument: InstrumentId(3),
            open_at: MarketTime(1_000),
            close_at: MarketTime(2_000),
            open: price(open),
            high: price(open.max(close) + above),
            low: price(open.min(close) - below),
            close: price(close),
            volume: None,
            has_range: true,
        }
    }

    proptest! {
        #[test]
        fn a_path_stays_inside_its_bar_and_ends_at_the_close(
            open in 1_000_000_i64..10_000_000_000, close in 1_000_000_i64..10_000_000_000,
            above in 0_i64..1_000_000_000, below in 0_i64..900_000, seed in any::<u64>(), steps in 1_usize..120,
        ) {
            let bar = bar(open, close, above, below);
            let path = draw(&bar, seed, steps);
            prop_assert_eq!(path.len(), steps);
            prop_assert!(path.iter().all(|price| *price >= bar.low && *price <= bar.high));
            prop_assert_eq!(path.last().copied(), Some(bar.close));
            prop_assert_eq!(path, draw(&bar, seed, steps));
        }
    }
}
