//! Where training and test windows lie: whole risk days, with what ends in between kept apart.
//!
//! ```text
//!   warm-up │ train ················│purge│embargo│ test ··········│purge│
//!           from               opens_until  until   from       opens_until  until
//! ```
//!
//! A signal opens something only before `opens_until`, and whatever it opens has ended by `until`: so no outcome of a training window
//! reaches into the test window after it, nor one of a test window into the next. Between the last bar of training and the first of the
//! test lie `embargo` bars that neither sees. Bars before `from` only warm up.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::domain::{Bar, InstrumentId, MarketTime, RiskDay, new_york};
use crate::signals::HISTORY_MOST;

/// Bars of every instrument that are played before a window to warm up: what the regime layer looks back on, and some more.
const WARM_UP_BARS: usize = HISTORY_MOST + 20;
/// An instrument without a bar for so long before an instant has ended or has not begun.
const SILENT_NANOS: i64 = 7 * 86_400_000_000_000;

/// A length in the calendar: years and months, or weeks and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    months: i32,
    days: i32,
}

/// Whether training windows move on or grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// Each training window is as long as the first.
    Rolling,
    /// Each begins where the first did.
    Anchored,
}

/// How windows are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Geometry {
    /// Training.
    pub train: Length,
    /// Test.
    pub test: Length,
    /// From one window to the next; not shorter than a test, or the same day would be counted twice.
    pub step: Length,
    /// Whether training moves on or grows.
    pub anchor: Anchor,
    /// Bars before a window's end in which nothing is opened.
    pub purge: u32,
    /// Bars between training and test that neither sees.
    pub embargo: u32,
}

/// One stretch of time that is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The first instant.
    pub from: MarketTime,
    /// From here on nothing is opened.
    pub opens_until: MarketTime,
    /// What is known from here on is not played.
    pub until: MarketTime,
}

/// A training window and the test after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// What is known before is not played, not even to warm up.
    pub since: MarketTime,
    /// Where parameters are chosen.
    pub train: Stretch,
    /// Where they are tested.
    pub test: Stretch,
    /// First risk day of the test, and the one after its last.
    pub dates: (Date, Date),
}

/// Why there are no windows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoWindows {
    /// A length of nothing.
    #[error("{0} must be longer than nothing")]
    Empty(&'static str),
    /// Tests would overlap.
    #[error("a step of {step} is shorter than a test of {test}: the same days would be counted twice")]
    Overlap {
        /// The step.
        step: Length,
        /// The test.
        test: Length,
    },
    /// The purge would let an outcome end in the next window.
    #[error("a purge of {given} bars is too short: a signal, its fills and its horizon take {needed}")]
    Purge {
        /// What was asked for.
        given: u32,
        /// The longest horizon with its fills.
        needed: u32,
    },
    /// The span does not hold a single window.
    #[error("the history from {from} to {until} does not hold {train} of training with {test} of test after it")]
    Short {
        /// First day.
        from: Date,
        /// Day after the last.
        until: Date,
        /// Training.
        train: Length,
        /// Test.
        test: Length,
    },
    /// A window is too short for what lies between.
    #[error(
        "in the window that begins {0}, purge and embargo leave no bar to trade on: training takes more than {1} bars, the test more than {2}"
    )]
    Eaten(Date, u32, u32),
}

impl Length {
    /// So many months.
    pub const fn months(months: i32) -> Self {
        Self { months, days: 0 }
    }

    /// So many days.
    pub const fn days(days: i32) -> Self {
        Self { months: 0, days }
    }

    /// When the risk day began that lies this long before the one of an instant; `None` at the beginning of time.
    pub fn before(self, at: MarketTime) -> Option<MarketTime> {
        begin_of(RiskDay::of(at).date.checked_sub(self.times(1)).ok()?)
    }

    fn times(self, count: i32) -> Span {
        self.months.saturating_mul(count).min(12_000).months().days(self.days.saturating_mul(count).min(400_000))
    }

    fn after(self, date: Date, count: i32) -> Option<Date> {
        date.checked_add(self.times(count)).ok()
    }

    const fn is_empty(self) -> bool {
        self.months <= 0 && self.days <= 0
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a number and y, m, w or d, e.g. 3y or 18m".to_owned();
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let number: i32 = number.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(wrong)?;
        match unit {
            "y" if number <= 200 => Ok(Self::months(number * 12)),
            "m" if number <= 2_400 => Ok(Self::months(number)),
            "w" => Ok(Self::days(number * 7)),
            "d" => Ok(Self::days(number)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.months, self.days) {
            (0, days) => format!("{days}d"),
            (months, _) if months % 12 == 0 => format!("{}y", months / 12),
            (months, _) => format!("{months}m"),
        };
        formatter.pad(&text)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// When each instrument's bars close.
struct Closes(BTreeMap<InstrumentId, Vec<MarketTime>>);

impl Closes {
    fn of(bars: &[Bar]) -> Self {
        let mut closes = BTreeMap::<InstrumentId, Vec<MarketTime>>::new();
        for bar in bars {
            closes.entry(bar.instrument).or_default().push(bar.close_at);
        }
        Self(closes)
    }

    /// An instant so that at least `count` bars of every instrument that still prints close from then on and before `at`.
    fn before(&self, at: MarketTime, count: usize) -> MarketTime {
        if count == 0 {
            return at;
        }
        let of_one = |closes: &Vec<MarketTime>| {
            let known = closes.partition_point(|close| *close < at);
            let last = closes.get(known.checked_sub(1)?)?;
            (at.since(*last).0 <= SILENT_NANOS).then_some(*closes.get(known.saturating_sub(count))?)
        };
        self.0.values().filter_map(of_one).min().unwrap_or(at)
    }

    fn stretch(&self, from: MarketTime, until: MarketTime, purge: u32) -> Stretch {
        let purge = usize::try_from(purge).unwrap_or(usize::MAX);
        Stretch { from, opens_until: self.before(until, purge), until }
    }
}

/// When a risk day begins.
fn begin_of(date: Date) -> Option<MarketTime> {
    let evening = date.yesterday().ok()?.at(17, 0, 0, 0);
    let instant = new_york().to_timestamp(evening).ok()?;
    i64::try_from(instant.as_nanosecond()).ok().map(MarketTime)
}

/// Cuts the bars, which must be in order of their closes, from the risk day of `from` on. Where the last test reaches past the end it is
/// cut there and kept if half of it is left.
pub(super) fn windows(bars: &[Bar], from: MarketTime, until: MarketTime, geometry: &Geometry) -> Result<Vec<Window>, NoWindows> {
    let Geometry { train, test, step, .. } = *geometry;
    for (length, name) in [(train, "training"), (test, "a test"), (step, "the step")] {
        if length.is_empty() {
            return Err(NoWindows::Empty(name));
        }
    }
    let first = RiskDay::of(from).date;
    let last = bars.iter().map(|bar| bar.close_at).take_while(|close| *close < until).last().unwrap_or(from);
    let end = RiskDay::of(last).date.tomorrow().unwrap_or(first);
    if step.after(first, 1) < test.after(first, 1) {
        return Err(NoWindows::Overlap { step, test });
    }
    let closes = Closes::of(bars);
    let mut found = Vec::new();
    for index in 0.. {
        let dates = step.after(first, index).and_then(|begin| {
            let tested = train.after(begin, 1)?;
            Some((begin, tested, test.after(tested, 1)?))
        });
        let Some((begin, tested, full)) = dates.filter(|(_, tested, _)| *tested < end) else { break };
        let cut = full.min(end);
        if (cut - tested).get_days() * 2 < (full - tested).get_days() {
            break;
        }
        let trained_from = match geometry.anchor {
            Anchor::Rolling => begin,
            Anchor::Anchored => first,
        };
        found.extend(window(&closes, geometry, trained_from, (tested, cut))?);
    }
    if found.is_empty() { Err(NoWindows::Short { from: first, until: end, train, test }) } else { Ok(found) }
}

fn window(closes: &Closes, geometry: &Geometry, begin: Date, dates: (Date, Date)) -> Result<Option<Window>, NoWindows> {
    let Some(((from, tested), until)) = begin_of(begin).zip(begin_of(dates.0)).zip(begin_of(dates.1)) else { return Ok(None) };
    let trained = closes.before(tested, usize::try_from(geometry.embargo).unwrap_or(usize::MAX));
    let (train, test) = (closes.stretch(from, trained, geometry.purge), closes.stretch(tested, until, geometry.purge));
    if train.opens_until <= train.from || test.opens_until <= test.from {
        return Err(NoWindows::Eaten(begin, geometry.purge + geometry.embargo, geometry.purge));
    }
    Ok(Some(Window { since: closes.before(from, WARM_UP_BARS).min(from), train, test, dates }))
}
