//! What a day may cost the book: estimated when the risk day turns, and again at the next closed bar after positions changed; nothing of
//! it is computed at a quote. Each day's forecast is held against what its positions then made.

use std::collections::BTreeSet;

use crate::domain::{InstrumentId, Ratio};
use crate::engine::Engine;
use crate::engine::daily::{Daily, DayNumber, simulate};
use crate::risk::{Forecast, MOST_DAYS, Metric, TailRisk};

/// Days looked back on for the one that a forecast was about: it was made at the last turn.
const LATELY: usize = 16;

impl Engine {
    /// Whether a breaker watches what a day may cost. Runs of before it did have no such state.
    pub(super) fn watches_tail(&self) -> bool {
        self.settings.breakers.iter().any(|rule| matches!(rule.metric, Metric::ValueAtRisk | Metric::ExpectedShortfall))
    }

    /// A part of the estimate for the book; a book of nothing loses nothing.
    pub(super) fn of_tail(&self, part: impl Fn(&TailRisk) -> Ratio) -> Option<Ratio> {
        if self.book.ledger.positions().is_empty() {
            return Some(Ratio::ZERO);
        }
        self.book.tail.estimate().map(part)
    }

    /// The risk day has turned: holds the last forecast against what came, and makes the next.
    pub(super) fn turn_tail(&mut self) {
        let Some(today) = self.today().filter(|_| self.watches_tail()) else { return };
        self.test_forecast(today);
        self.book.has_traded = false;
        let found = self.shares().and_then(|shares| {
            let (estimate, as_of) = self.estimate(&shares, today)?;
            Some(Forecast { as_of, shares, estimate })
        });
        self.book.tail.set(found.as_ref().map(|forecast| forecast.estimate));
        if let Some(forecast) = found {
            self.book.tail.foretell(forecast);
        }
    }

    /// Positions changed, and a bar has closed since.
    pub(super) fn refresh_tail(&mut self) {
        self.book.has_traded = false;
        let Some(today) = self.today().filter(|_| self.watches_tail()) else { return };
        let found = self.shares().and_then(|shares| self.estimate(&shares, today));
        self.book.tail.set(found.map(|(estimate, _)| estimate));
    }

    fn today(&self) -> Option<DayNumber> {
        self.book.performance.days().back().map(|day| DayNumber::of(day.date))
    }

    /// What is held of each instrument, net, as a signed share of equity. `None` without equity, or where a value does not fit.
    fn shares(&self) -> Option<Vec<(InstrumentId, Ratio)>> {
        let (book, equity) = (&self.book, self.book.performance.equity());
        let held: BTreeSet<InstrumentId> = book.ledger.positions().values().map(|position| position.instrument).collect();
        let share = |id: InstrumentId| book.valuation.exposure(id, &book.ledger).ok()?.net.ratio_to(equity);
        let mut shares = held.into_iter().map(|id| Some((id, share(id)?))).collect::<Option<Vec<_>>>()?;
        shares.retain(|(_, share)| *share != Ratio::ZERO);
        Some(shares)
    }

    fn parts(&self, shares: &[(InstrumentId, Ratio)]) -> Option<Vec<(&Daily, f64)>> {
        shares.iter().map(|(id, share)| Some((self.market.get(*id)?.daily(), share.to_f64()))).collect()
    }

    /// The estimate for these shares, and the last day that it rests on.
    fn estimate(&self, shares: &[(InstrumentId, Ratio)], today: DayNumber) -> Option<(TailRisk, jiff::civil::Date)> {
        let simulated = simulate(&self.parts(shares)?, today, MOST_DAYS)?;
        Some((TailRisk::of(&simulated.results)?, simulated.last()?))
    }

    /// The estimate for a book of these shares.
    pub(super) fn tail_of(&self, shares: &[(InstrumentId, Ratio)]) -> Option<TailRisk> {
        self.estimate(shares, self.today()?).map(|(estimate, _)| estimate)
    }

    fn test_forecast(&mut self, today: DayNumber) {
        let Some(forecast) = self.book.tail.forecast() else { return };
        let as_of = DayNumber::of(forecast.as_of);
        let Some(simulated) = self.parts(&forecast.shares).and_then(|parts| simulate(&parts, today, LATELY)) else { return };
        let place = simulated.days.iter().position(|day| *day > as_of);
        let follows = |place: &usize| place.checked_sub(1).and_then(|before| simulated.days.get(before)) == Some(&as_of);
        let result = place.filter(follows).and_then(|place| simulated.results.get(place));
        if let Some(loss) = result.and_then(|result| Ratio::from_f64(-result)) {
            self.book.tail.test(loss);
        }
    }
}
