//! The price scale: where a price lies, and which prices the axis names.

/// The prices between the highest and the lowest row.
pub(super) struct Scale {
    low: f64,
    high: f64,
    decimals: usize,
}

impl Scale {
    /// A scale from the lowest to the highest of some spans; a little more where they are equal, `None` where there is none.
    pub(super) fn over(spans: impl Iterator<Item = (f64, f64)>, decimals: u8) -> Option<Self> {
        let (low, high) = spans.reduce(|all, next| (all.0.min(next.0), all.1.max(next.1)))?;
        let scale = Self { low, high, decimals: usize::from(decimals.min(10)) };
        let unit = scale.unit();
        let margin = if high - low >= unit { 0.0 } else { unit.max(high.abs() / 1000.0) };
        Some(Self { low: low - margin, high: high + margin, ..scale })
    }

    /// The smallest difference the labels can show.
    fn unit(&self) -> f64 {
        (0..self.decimals).fold(1.0, |unit, _| unit / 10.0)
    }

    /// The step from the top, of `steps` steps; `None` for a price outside.
    pub(super) fn step(&self, price: f64, steps: u16) -> Option<u16> {
        let share = (self.high - price) / (self.high - self.low);
        let last = f64::from(steps.saturating_sub(1));
        (0.0..=1.0).contains(&share).then(|| (share * last).round() as u16)
    }

    /// Round prices about three rows apart: multiples of 1, 2 or 5 times a power of ten.
    pub(super) fn ticks(&self, rows: u16) -> impl Iterator<Item = f64> {
        let least = (self.high - self.low) / f64::from((rows / 3).max(1));
        let mut power = self.unit();
        while power * 10.0 <= least {
            power *= 10.0;
        }
        let fits = |factor: &f64| power * factor * (1.0 + 1e-9) >= least;
        let step = power * [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0);
        // A price on the edge counts as inside although its quotient may be off by a rounding.
        let slack = 1e-9;
        let (first, low, high) = ((self.low / step - slack).ceil(), self.low, self.high);
        let prices = (0..=rows).map(move |count| (first + f64::from(count)) * step);
        prices.take_while(move |price| *price <= high + slack * step).map(move |price| price.max(low).min(high))
    }

    /// A price as the axis shows it; never a negative zero.
    pub(super) fn label(&self, price: f64) -> String {
        let decimals = self.decimals;
        let label = format!("{price:.decimals$}");
        let is_zero = label.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
        if is_zero { label.replace('-', "") } else { label }
    }

    /// Columns of the longest label between the lowest and the highest price.
    pub(super) fn label_width(&self) -> u16 {
        let width = self.label(self.low).len().max(self.label(self.high).len());
        u16::try_from(width).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    fn scale(low: f64, high: f64, decimals: u8) -> Scale {
        Scale::over([(low, high)].into_iter(), decimals).unwrap()
    }

    fn labels(scale: &Scale, rows: u16) -> Vec<String> {
        scale.ticks(rows).map(|price| scale.label(price)).collect()
    }

    #[test]
    fn steps_are_counted_from_the_top() {
        let scale = scale(10.0, 20.0, 2);
        assert_eq!(scale.step(20.0, 11), Some(0));
        assert_eq!(scale.step(15.0, 11), Some(5));
        assert_eq!(scale.step(10.0, 11), Some(10));
        assert_eq!([21.0, 9.0, f64::NAN].map(|price| scale.step(price, 11)), [None; 3]);
        assert_eq!(scale.step(10.0, 0), Some(0));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&scale(0.0, 10.0, 0), 12), ["0", "5", "10"]);
        assert_eq!(labels(&scale(1.0712, 1.0958, 4), 18), ["1.0750", "1.0800", "1.0850", "1.0900", "1.0950"]);
        assert_eq!(labels(&scale(-3.0, 3.0, 0), 9), ["-2", "0", "2"]);
        assert_eq!(labels(&scale(4.99, 5.02, 2), 60), ["4.99", "5.00", "5.01", "5.02"]);
    }

    #[test]
    fn equal_prices_get_room_around_them() {
        assert_eq!(scale(50.0, 50.0, 2).step(50.0, 5), Some(2));
        assert_eq!(scale(0.0, 0.0, 2).step(0.0, 5), Some(2));
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(scale(-1.0, 1.0, 2).label(-0.001), "0.00");
        assert_eq!(scale(-1.0, 1.0, 2).label(-0.01), "-0.01");
    }

    #[test]
    fn there_is_no_scale_of_nothing() {
        assert!(Scale::over(std::iter::empty(), 2).is_none());
    }
}
