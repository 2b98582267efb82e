//! Daily returns that several instruments share, from bars of any length.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::{Bar, InstrumentId, MarketTime, RiskDay};

/// Days in a year, to turn a span into years.
const DAYS_PER_YEAR: f64 = 365.25;

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

impl DailyReturns {
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
        let is_shared = |closes: &BTreeMap<InstrumentId, f64>| closes.len() == instruments.len() && !closes.is_empty();
        let shared: Vec<(Date, BTreeMap<InstrumentId, f64>)> =
            days.iter().filter(|(_, closes)| is_shared(closes)).map(|(date, closes)| (*date, closes.clone())).collect();
        let spanned = shared.first().zip(shared.last()).map_or(0, |(first, last)| days.range(first.0..=last.0).count());
        let series = |id: &InstrumentId| {
            let closes: Vec<f64> = shared.iter().filter_map(|(_, closes)| closes.get(id).copied()).collect();
            crate::stats::returns(&closes)
        };
        Self {
            instruments: instruments.to_vec(),
            dates: shared.iter().skip(1).map(|(date, _)| *date).collect(),
            begins: shared.first().map(|(date, _)| *date),
            series: instruments.iter().map(series).collect(),
            passed_over: spanned - shared.len(),
        }
    }

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
