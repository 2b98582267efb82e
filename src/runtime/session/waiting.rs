//! Facts that wait for somebody slow: one of each instrument, the newest. However slow it is, nothing piles up and nobody waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::domain::InstrumentId;
use crate::llm::answering::Behind;
use crate::signals::Facts;

/// What waits, and whether anybody still asks or answers.
#[derive(Debug, Default)]
struct Inside {
    by: BTreeMap<InstrumentId, Facts>,
    /// Facts that newer ones of the same instrument replaced before they were taken.
    superseded: u64,
    /// The instrument a person looks at: it comes first.
    focus: Option<InstrumentId>,
    is_over: bool,
}

/// The asking side. Dropping it ends the answering side once nothing waits there that was begun.
#[derive(Debug)]
pub(super) struct Asking(Arc<(Mutex<Inside>, Condvar)>);

/// The answering side.
#[derive(Debug)]
pub(super) struct Waiting(Arc<(Mutex<Inside>, Condvar)>);

/// Two ends.
pub(super) fn waiting() -> (Asking, Waiting) {
    let shared = Arc::new((Mutex::new(Inside::default()), Condvar::new()));
    (Asking(Arc::clone(&shared)), Waiting(shared))
}

/// Nobody panics while holding it: what is inside is whole whatever became of the other side.
fn locked(shared: &(Mutex<Inside>, Condvar)) -> MutexGuard<'_, Inside> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asking {
    /// Lets facts wait, in the place of older ones of the same instrument. Returns how many were replaced so far.
    pub(super) fn ask(&self, facts: Facts) -> u64 {
        let mut inside = locked(&self.0);
        if inside.by.insert(facts.instrument, facts).is_some() {
            inside.superseded += 1;
        }
        self.0.1.notify_one();
        inside.superseded
    }

    /// How many wait, and how many were replaced so far.
    pub(super) fn behind(&self) -> Behind {
        let inside = locked(&self.0);
        Behind { waiting: inside.by.len(), replaced: inside.superseded }
    }

    /// Says which instrument a person looks at.
    pub(super) fn look_at(&self, focus: Option<InstrumentId>) {
        locked(&self.0).focus = focus;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        locked(&self.0).is_over = true;
        self.0.1.notify_all();
    }
}

impl Waiting {
    /// The facts that stand out most, those a person looks at before all others. Waits for some; `None` at the end.
    pub(super) fn next(&self) -> Option<Facts> {
        let mut inside = locked(&self.0);
        loop {
            if inside.is_over {
                return None;
            }
            if let Some(instrument) = first(&inside) {
                return inside.by.remove(&instrument);
            }
            inside = self.0.1.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Among equals the one of the lowest number.
fn first(inside: &Inside) -> Option<InstrumentId> {
    let rank = |facts: &Facts| (Some(facts.instrument) == inside.focus, facts.prominence());
    let better = |best: &Facts, other: &Facts| {
        let ((is_best_seen, best), (is_seen, other)) = (rank(best), rank(other));
        is_seen.cmp(&is_best_seen).then(other.total_cmp(&best)).is_gt()
    };
    let chosen = inside.by.values().reduce(|best, other| if better(best, other) { other } else { best });
    chosen.map(|facts| facts.instrument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MarketTime;

    fn facts(instrument: u32, at: i64, deviations: f64) -> Facts {
        Facts {
            instrument: InstrumentId(instrument),
            symbol: format!("I{instrument}"),
            at: MarketTime(at),
            last_return: 0.01,
            last_deviations: Some(deviations),
            five_bar_return: None,
            distance_from_mean: None,
            below_high: 0.0,
            high_bars: 1,
            volatility: None,
        }
    }

    #[test]
    fn a_newer_bar_takes_the_place_of_an_older_one_and_the_most_prominent_comes_first() {
        let (asking, waiting) = waiting();
        assert_eq!(asking.ask(facts(1, 1, 2.0)), 0);
        assert_eq!(asking.ask(facts(2, 1, -5.0)), 0);
        assert_eq!(asking.ask(facts(3, 1, 3.0)), 0);
        assert_eq!(asking.ask(facts(1, 2, 1.6)), 1, "the older bar of the first instrument is gone");
        asking.look_at(Some(InstrumentId(1)));
        let taken: Vec<(u32, i64)> =
            (0..3).map(|_| waiting.next().unwrap()).map(|facts| (facts.instrument.0, facts.at.0)).collect();
        assert_eq!(taken, [(1, 2), (2, 1), (3, 1)], "first what a person looks at, then by size");
        for at in 0..10_000 {
            asking.ask(facts(at % 7, i64::from(at), 2.0));
        }
        assert_eq!(locked(&asking.0).by.len(), 7, "as many as there are instruments");
        drop(asking);
        assert!(waiting.next().is_none());
    }
}
