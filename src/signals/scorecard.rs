//! What a source earned so far, after cost.

use serde::{Deserialize, Serialize};

use crate::domain::{MarketTime, Ratio};
use crate::stats::{self, Clusters, Interval};

/// Running record of one source. Horizons overlap and instruments move together, so outcomes are grouped by spans that follow one another:
/// a span lasts as long as its first signal, and what is made meanwhile belongs to it. A signal of its last days runs on into the next span,
/// so intervals allow for neighbours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    outcomes: u64,
    hits: u64,
    ended: Clusters,
    /// The span that may still grow.
    last: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Span {
    until: MarketTime,
    outcomes: u64,
    sum: f64,
}

impl Scorecard {
    /// Adds the outcome of a signal that was made at `since` and ended at `until`.
    pub fn add(&mut self, net_return: Ratio, since: MarketTime, until: MarketTime) {
        let value = net_return.to_f64();
        self.outcomes += 1;
        self.hits += u64::from(value > 0.0);
        match self.last.as_mut().filter(|span| since < span.until) {
            Some(span) => {
                span.outcomes += 1;
                span.sum += value;
            }
            None => {
                if let Some(span) = self.last.replace(Span { until, outcomes: 1, sum: value }) {
                    self.ended.add(span.sum, span.outcomes);
                }
            }
        }
    }

    /// How many outcomes, dependent ones too.
    pub const fn outcomes(&self) -> u64 {
        self.outcomes
    }

    /// Spans that follow one another: about so many outcomes are independent.
    pub fn independent(&self) -> u64 {
        self.spans().groups()
    }

    /// Share of outcomes above zero after cost; `None` without outcomes.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.outcomes > 0).then(|| self.hits as f64 / self.outcomes as f64)
    }

    /// Wilson's 95 % interval of the hit rate, from as many outcomes as there are spans.
    pub fn hit_interval(&self) -> Option<Interval> {
        stats::wilson_95_of(self.hit_rate()?, self.independent() as f64)
    }

    /// Mean net return per signal; `None` without outcomes.
    pub fn expectancy(&self) -> Option<f64> {
        self.spans().mean()
    }

    /// 95 % interval of the mean net return, for one look at it; `None` below two spans.
    pub fn expectancy_interval(&self) -> Option<Interval> {
        self.spans().interval_95()
    }

    /// 95 % interval of the mean net return that holds however often one looks; `None` below two spans.
    pub fn expectancy_at_every_look(&self) -> Option<Interval> {
        self.spans().interval_at_every_look(0.05)
    }

    fn spans(&self) -> Clusters {
        let mut spans = self.ended;
        if let Some(span) = self.last {
            spans.add(span.sum, span.outcomes);
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    fn day(number: i64) -> MarketTime {
        MarketTime(number * DAY)
    }

    #[test]
    fn outcomes_that_follow_one_another_are_independent() {
        let values = [0.01, -0.02, 0.005, 0.03, -0.011, 0.0, 0.002];
        let mut card = Scorecard::default();
        for (number, value) in (0..).zip(values) {
            card.add(Ratio::from_f64(value).unwrap(), day(number), day(number + 1));
        }
        let (whole, running) = (stats::mean_interval_95(&values).unwrap(), card.expectancy_interval().unwrap());
        assert!((whole.low - running.low).abs() < 1e-9 && (whole.high - running.high).abs() < 1e-9);
        assert_eq!((card.hit_rate(), card.outcomes(), card.independent()), (Some(4.0 / 7.0), 7, 7));
        let always = card.expectancy_at_every_look().unwrap();
        assert!(always.low < running.low && running.high < always.high, "{always:?} {running:?}");
    }

    #[test]
    fn what_is_made_while_a_signal_runs_belongs_to_its_span() {
        let mut card = Scorecard::default();
        for start in [0, 5, 10] {
            for later in 0..5 {
                card.add(Ratio::from_f64(0.01).unwrap(), day(start + later), day(start + later + 5));
            }
        }
        assert_eq!((card.outcomes(), card.independent()), (15, 3));
    }
}
