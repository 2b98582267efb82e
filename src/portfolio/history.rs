//! Daily returns that several instruments share, from bars of any length.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::{Bar, InstrumentId, MarketTime, RiskDay};

/// Days in a year, to turn a span into years.
const DAYS_PER_YEAR: f64 = 365.25;

/// The share of days that an instrument may lack to take part.
const MOST_MISSING: f64 = 0.1;

/// The last close of each risk day, by instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyCloses {
    instruments: Vec<InstrumentId>,
    days: BTreeMap<Date, BTreeMap<InstrumentId, f64>>,
}

/// Simple returns from one risk day's last close to the next one's, over the days on which all instruments closed.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyReturns {
    /// Whose returns.
    pub instruments: Vec<InstrumentId>,
    /// The day each return ends on, oldest first.
    pub dates: Vec<Date>,
    /// The day the first return begins on.
    pub begins: Option<Date>,
    /// One series an instrument, as long as `dates`.
    pub series: Vec<Vec<f64>>,
    /// Days, between the first and the last that all share, on which only some closed; they are passed over.
    pub passed_over: usize,
}

impl DailyCloses {
    /// From bars in order of their closes. Of the days only those count that had ended by `until`; all of them where there is none.
    pub fn of(bars: &[Bar], instruments: &[InstrumentId], until: Option<MarketTime>) -> Self {
        let mut days = BTreeMap::<Date, BTreeMap<InstrumentId, f64>>::new();
        let mut day: Option<RiskDay> = None;
        for bar in bars {
            // A risk day is looked up in the calendar, so only where the last one does not hold any more.
            let today = day.filter(|day| bar.close_at < day.ends_at).unwrap_or_else(|| RiskDay::of(bar.close_at));
            day = Some(today);
            if until.is_some_and(|until| today.ends_at > until) {
                break;
            }
            if instruments.contains(&bar.instrument) {
                days.entry(today.date).or_default().insert(bar.instrument, bar.close.to_f64());
            }
        }
        Self { instruments: instruments.to_vec(), days }
    }

    /// Instruments that closed on nine of ten of the latest `count` days on which at least half of all did, and those that did not: a series that
    /// begins late or has ended would cut the history of all others short.
    pub fn split(&self, count: usize) -> (Vec<InstrumentId>, Vec<InstrumentId>) {
        let is_usual = |closes: &&BTreeMap<InstrumentId, f64>| closes.len() * 2 >= self.instruments.len();
        let usual: Vec<_> = self.days.values().rev().filter(is_usual).take(count).collect();
        let most = (usual.len() as f64 * MOST_MISSING) as usize;
        let covers = |id: &InstrumentId| usual.iter().filter(|closes| !closes.contains_key(id)).count() <= most;
        self.instruments.iter().copied().partition(covers)
    }

    /// Returns of these instruments.
    pub fn returns(&self, instruments: &[InstrumentId]) -> DailyReturns {
        let closes_of_all = |closes: &BTreeMap<InstrumentId, f64>| {
            instruments.iter().map(|id| closes.get(id).copied()).collect::<Option<Vec<f64>>>().filter(|closes| !closes.is_empty())
        };
        let shared: Vec<(Date, Vec<f64>)> =
            self.days.iter().filter_map(|(date, closes)| Some((*date, closes_of_all(closes)?))).collect();
        let is_among = |closes: &&BTreeMap<InstrumentId, f64>| instruments.iter().any(|id| closes.contains_key(id));
        let spanned = shared
            .first()
            .zip(shared.last())
            .map_or(0, |(first, last)| self.days.range(first.0..=last.0).filter(|(_, closes)| is_among(closes)).count());
        let series = |place: usize| {
            let closes: Vec<f64> = shared.iter().filter_map(|(_, closes)| closes.get(place).copied()).collect();
            crate::stats::returns(&closes)
        };
        DailyReturns {
            instruments: instruments.to_vec(),
            dates: shared.iter().skip(1).map(|(date, _)| *date).collect(),
            begins: shared.first().map(|(date, _)| *date),
            series: (0..instruments.len()).map(series).collect(),
            passed_over: spanned - shared.len(),
        }
    }
}

impl DailyReturns {
    /// How many returns.
    pub fn len(&self) -> usize {
        self.dates.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// The returns from `from` to before `to`, by place; what is beyond the ends is cut off.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.len());
        let from = from.min(to);
        let begins = if from == 0 { self.begins } else { self.dates.get(from - 1).copied() };
        Self {
            instruments: self.instruments.clone(),
            dates: self.dates.get(from..to).unwrap_or_default().to_vec(),
            begins,
            series: self.series.iter().map(|series| series.get(from..to).unwrap_or_default().to_vec()).collect(),
            // Of a part it is not counted anew.
            passed_over: self.passed_over,
        }
    }

    /// The latest `count` returns, or all of them.
    #[must_use]
    pub fn latest(&self, count: usize) -> Self {
        self.part(self.len().saturating_sub(count), self.len())
    }

    /// Returns a year, as many as the calendar holds. `None` where no time passes.
    pub fn per_year(&self) -> Option<f64> {
        let days = (*self.dates.last()? - self.begins?).get_days();
        (days > 0).then(|| self.len() as f64 / (f64::from(days) / DAYS_PER_YEAR))
    }
}
