//! What economic series say: values as they are released, and the turns they take.
//!
//! The runtime tells a value once it is known, so whatever the book holds may be looked at. Nothing here opens or closes anything.

use serde::{Deserialize, Serialize};

use crate::domain::{AlertTopic, Indicator, MarketTime, Observation, Reading, Severity};
use crate::engine::record::Record;
use crate::engine::{Book, Engine, Outcome};
use crate::signals::{Regime, Slope, Term, Trend};

/// Values of each series that the book keeps.
const KEPT: usize = 90;
/// Values of a series that a picture holds.
const SHOWN: usize = 40;

/// A series as the screen shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EconomyRow {
    /// Which.
    pub indicator: Indicator,
    /// The value of its latest period.
    pub latest: Observation,
    /// The value of the period before.
    pub before: Option<Observation>,
    /// The latest values, oldest first.
    pub recent: Vec<Reading>,
}

/// All series as the screen shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EconomyView {
    /// Series of which something is known, in their order.
    pub rows: Vec<EconomyRow>,
    /// What they say together.
    pub regime: Regime,
}

impl Book {
    pub(super) fn publish(&mut self, observations: &[Observation]) {
        for one in observations {
            self.economy.take(*one);
        }
        self.economy.forget_beyond(KEPT);
    }
}

impl Engine {
    /// Takes values of economic series; those that are known already are no news.
    pub(super) fn decide_on_published(&mut self, observations: &[Observation], outcome: &mut Outcome) {
        let mut known = self.book.economy.clone();
        let observations: Vec<Observation> = observations.iter().copied().filter(|one| known.take(*one)).collect();
        if observations.is_empty() {
            return;
        }
        let before = self.book.economy.regime(self.economy_at());
        self.record(Record::Published { observations }, outcome);
        let after = self.book.economy.regime(self.economy_at());
        if !self.is_quiet() {
            for text in turns(&before, &after) {
                self.raise(Severity::Info, AlertTopic::Market, None, text, outcome);
            }
        }
    }

    /// Now, as far as series are concerned: a market that is closed stands still while values are released.
    fn economy_at(&self) -> MarketTime {
        self.book.economy.newest().map_or(self.market.now(), |newest| newest.max(self.market.now()))
    }

    pub(super) fn economy_view(&self) -> EconomyView {
        let (economy, at) = (&self.book.economy, self.economy_at());
        let row = |indicator: Indicator| {
            let mut values = economy.as_of(indicator, at).take(SHOWN);
            let latest = values.next()?;
            let rest: Vec<Observation> = values.collect();
            let recent = rest.iter().rev().chain([&latest]).map(|one| one.value).collect();
            Some(EconomyRow { indicator, latest, before: rest.first().copied(), recent })
        };
        if economy.is_empty() {
            return EconomyView::default();
        }
        EconomyView { rows: Indicator::ALL.into_iter().filter_map(row).collect(), regime: economy.regime(at) }
    }
}

/// What turned between two looks, in sentences. What was not known before has not turned.
fn turns(before: &Regime, after: &Regime) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((was, is)) = before.curve.zip(after.curve).filter(|(was, is)| was.slope() != is.slope()) {
        let words = match is.slope() {
            Slope::Inverted => "is inverted",
            Slope::Normal => "slopes upward again",
        };
        let difference = format!("ten years minus two at {:+.2} points", is.ten_two.to_f64());
        let bill = is.ten_three_months.map(|bill| format!(", minus three months at {:+.2}", bill.to_f64())).unwrap_or_default();
        said.push(format!("the Treasury curve of {} {words}: {difference}{bill} (it was {})", is.day, was.slope().word()));
    }
    let is_fear = |term: Term| term == Term::Backwardation;
    if let Some((was, is)) = before.volatility.zip(after.volatility).filter(|(was, is)| is_fear(was.term) != is_fear(is.term)) {
        let ratio = is.ratio.to_f64();
        said.push(format!("VIX over VIX3M of {} at {ratio:.3}: {} (it was {})", is.day, is.term.word(), was.term.word()));
    }
    if let Some((_, is)) = before.jobs.zip(after.jobs).filter(|(was, is)| was.trend != is.trend) {
        let change =
            is.change.map(|(month, mean)| format!("payrolls {:+.0}k a month over three months to {month}", mean.to_f64()));
        let above = is.above_low.map(|(_, above)| format!("unemployment {:.1} points above its low of a year", above.to_f64()));
        let facts: Vec<String> = change.into_iter().chain(above).collect();
        let words = match is.trend {
            Trend::Growing => "employment grows again",
            Trend::Weakening => "employment weakens",
        };
        said.push(format!("{words}: {}", facts.join(", ")));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Edition;
    use crate::signals::Economy;

    fn regime(of: &[(Indicator, &str)]) -> Regime {
        let mut economy = Economy::default();
        for (indicator, value) in of {
            let (period, value) = ("2020-02-24".parse().unwrap(), Reading::read(value).unwrap());
            economy.take(Observation { indicator: *indicator, period, value, known_at: MarketTime(1), edition: Edition::First });
        }
        economy.regime(MarketTime(1))
    }

    #[test]
    fn a_turn_is_said_once_and_a_first_look_is_none() {
        let calm = regime(&[
            (Indicator::Vix, "17"),
            (Indicator::Vix3m, "20"),
            (Indicator::Yield10y, "1.5"),
            (Indicator::Yield2y, "1.4"),
        ]);
        let fear = regime(&[
            (Indicator::Vix, "25"),
            (Indicator::Vix3m, "24"),
            (Indicator::Yield10y, "1.3"),
            (Indicator::Yield2y, "1.4"),
        ]);
        let said = turns(&calm, &fear);
        assert_eq!(said.len(), 2);
        assert!(said[0].contains("is inverted") && said[0].contains("-0.10"), "{said:?}");
        assert!(said[1].contains("1.042: backwardation (it was contango)"), "{said:?}");
        assert!(turns(&fear, &fear).is_empty() && turns(&Regime::default(), &fear).is_empty());
    }
}
