//! The canary of the look-ahead proofs: a strategy that kept the closes it was made from and reads tomorrow's.

use crate::domain::{Direction, SignalSource};
use crate::signals::{AsOf, Strategy, Thought};

/// Knows the next close wherever it was in the data it was made from.
#[derive(Debug, Clone)]
pub struct Cheat {
    closes: Vec<f64>,
}

impl Cheat {
    /// A cheat that keeps these closes.
    pub fn new(closes: &[f64]) -> Self {
        Self { closes: closes.to_vec() }
    }
}

impl Strategy for Cheat {
    fn source(&self) -> SignalSource {
        SignalSource::BaselineMomentum
    }

    fn warm_up(&self) -> u32 {
        3
    }

    fn look(&self, as_of: &AsOf<'_>) -> Option<Thought> {
        let last = as_of.last(3)?;
        let tomorrow = self.closes.windows(4).find(|window| window.starts_with(last))?.last()?;
        let change = tomorrow / last.last()? - 1.0;
        let direction = if change >= 0.0 { Direction::Long } else { Direction::Short };
        let rationale = format!("tomorrow {:+.2} %", change * 100.0);
        Some(Thought { direction, strength: 3.0, horizon_bars: 1, rationale })
    }
}
