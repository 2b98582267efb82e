//! What economic series say as of an instant: the yield curve, the term structure of volatility, employment.
//!
//! A value counts from its release on, never from the period that it describes; of a value that was revised the figure counts that was known.
//! Pure. An undefined fact is `None`: two points of a curve are never taken from two days, and a hole in a series is not filled.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::{Every, Indicator, MarketTime, Observation, Ratio, Reading, new_york};

/// VIX over VIX3M below which the term structure is in contango.
const CONTANGO_BELOW: Ratio = Ratio::from_nanos(950_000_000);
/// Months over which the mean change of payrolls is taken.
const TREND_MONTHS: i32 = 3;
/// Months of which the lowest unemployment is the yardstick.
const YEAR: i32 = 12;
/// Percentage points above that low from which employment is called weakening (the threshold of Sahm 2019, there of three-month means).
const WEAKER_BY: Reading = Reading::from_nanos(500_000_000);

/// What describes a day so long ago says nothing of today; of months, so long.
const OLD_DAYS: i64 = 14;
const OLD_MONTHS: i64 = 130;

/// All observations of all series: by period, and of each period by the instants at which they were known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Economy {
    series: BTreeMap<Indicator, BTreeMap<Date, Vec<Observation>>>,
}

/// Which way the curve runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slope {
    /// Ten years yield more than the short end.
    Normal,
    /// Ten years yield less.
    Inverted,
}

/// The yield curve of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curve {
    /// Which day.
    pub day: Date,
    /// Ten years minus two, in percentage points.
    pub ten_two: Reading,
    /// Ten years minus three months, where that day has both.
    pub ten_three_months: Option<Reading>,
}

/// Which way the term structure of volatility runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// The near end lies clearly below the far one: calm.
    Contango,
    /// Neither.
    Flat,
    /// The near end lies above the far one: fear of the coming weeks.
    Backwardation,
}

/// VIX against VIX3M of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermStructure {
    /// Which day.
    pub day: Date,
    /// The first over the second.
    pub ratio: Ratio,
    /// What that is called.
    pub term: Term,
}

/// How employment moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Jobs are added and unemployment is near its low.
    Growing,
    /// Jobs are lost, or unemployment has left its low behind.
    Weakening,
}

/// Employment of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// Mean change of payrolls over the latest three months, in thousands a month, and the latest of them.
    pub change: Option<(Date, Reading)>,
    /// Unemployment above its lowest of the latest twelve months, in percentage points, and its month.
    pub above_low: Option<(Date, Reading)>,
    /// What that is called.
    pub trend: Trend,
}

/// What all series say together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regime {
    /// The yield curve.
    pub curve: Option<Curve>,
    /// The term structure of volatility.
    pub volatility: Option<TermStructure>,
    /// Employment.
    pub jobs: Option<Jobs>,
}

impl Economy {
    /// Takes an observation. `false` where it says nothing new: the value of its period was the same before it. What is known later has
    /// no say in it, so that the order in which observations come changes nothing.
    pub fn take(&mut self, observation: Observation) -> bool {
        let editions = self.series.entry(observation.indicator).or_default().entry(observation.period).or_default();
        let place = editions.partition_point(|other| other.known_at <= observation.known_at);
        let before = place.checked_sub(1).and_then(|before| editions.get(before));
        if before.is_some_and(|before| before.value == observation.value) {
            return false;
        }
        editions.insert(place, observation);
        true
    }

    /// Forgets the oldest periods of each series beyond so many.
    pub fn forget_beyond(&mut self, most: usize) {
        for periods in self.series.values_mut() {
            while periods.len() > most {
                periods.pop_first();
            }
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// All observations, series by series and period by period.
    pub fn iter(&self) -> impl Iterator<Item = &Observation> {
        self.series.values().flat_map(BTreeMap::values).flatten()
    }

    /// The values of a series as they were known at an instant: one for each period, newest period first.
    pub fn as_of(&self, indicator: Indicator, at: MarketTime) -> impl Iterator<Item = Observation> {
        let periods = self.series.get(&indicator).into_iter().flat_map(|periods| periods.values().rev());
        periods.filter_map(move |editions| latest(editions, at))
    }

    /// The value of the latest period, where that is not long ago.
    fn fresh(&self, indicator: Indicator, at: MarketTime) -> Option<Observation> {
        let days = if indicator.every() == Every::Day { OLD_DAYS } else { OLD_MONTHS };
        let oldest = new_york().to_datetime(at.timestamp()).date().saturating_sub(days.days());
        self.as_of(indicator, at).next().filter(|one| one.period >= oldest)
    }

    /// When the latest of all values was known.
    pub fn newest(&self) -> Option<MarketTime> {
        self.iter().map(|one| one.known_at).max()
    }

    /// The value of a period as it was known at an instant.
    fn of(&self, indicator: Indicator, period: Date, at: MarketTime) -> Option<Reading> {
        latest(self.series.get(&indicator)?.get(&period)?, at).map(|one| one.value)
    }

    /// What all series say as of an instant.
    pub fn regime(&self, at: MarketTime) -> Regime {
        Regime { curve: self.curve(at), volatility: self.term_structure(at), jobs: self.jobs(at) }
    }

    /// The curve of the latest day that has both ends of ten years minus two.
    pub fn curve(&self, at: MarketTime) -> Option<Curve> {
        let ten = self.fresh(Indicator::Yield10y, at)?;
        let two = self.of(Indicator::Yield2y, ten.period, at)?;
        let bill = self.of(Indicator::Yield3m, ten.period, at);
        Some(Curve { day: ten.period, ten_two: ten.value.minus(two), ten_three_months: bill.map(|bill| ten.value.minus(bill)) })
    }

    /// VIX over VIX3M of the latest day of VIX; `None` where that day has no VIX3M.
    pub fn term_structure(&self, at: MarketTime) -> Option<TermStructure> {
        let near = self.fresh(Indicator::Vix, at)?;
        let far = self.of(Indicator::Vix3m, near.period, at)?;
        let ratio = Ratio::of(near.value.nanos().into(), far.nanos().into())?;
        let term = if ratio > Ratio::ONE {
            Term::Backwardation
        } else if ratio < CONTANGO_BELOW {
            Term::Contango
        } else {
            Term::Flat
        };
        Some(TermStructure { day: near.period, ratio, term })
    }

    /// Employment; `None` where neither of its two facts is defined.
    pub fn jobs(&self, at: MarketTime) -> Option<Jobs> {
        let (change, above_low) = (self.payroll_change(at), self.unemployment_above_low(at));
        if change.is_none() && above_low.is_none() {
            return None;
        }
        let loses = change.is_some_and(|(_, change)| change.nanos() < 0);
        let weakens = above_low.is_some_and(|(_, above)| above >= WEAKER_BY);
        let trend = if loses || weakens { Trend::Weakening } else { Trend::Growing };
        Some(Jobs { change, above_low, trend })
    }

    /// The mean of three monthly changes is a third of the change over three months; it needs both of its ends.
    fn payroll_change(&self, at: MarketTime) -> Option<(Date, Reading)> {
        let latest = self.fresh(Indicator::Payrolls, at)?;
        let before = latest.period.checked_sub(TREND_MONTHS.months()).ok()?;
        let before = self.of(Indicator::Payrolls, before, at)?;
        let mean = latest.value.minus(before).nanos() / i64::from(TREND_MONTHS);
        Some((latest.period, Reading::from_nanos(mean)))
    }

    /// The latest month counts among the twelve, and all twelve but holes of publication must be there: at least nine.
    fn unemployment_above_low(&self, at: MarketTime) -> Option<(Date, Reading)> {
        let latest = self.fresh(Indicator::Unemployment, at)?;
        let first = latest.period.checked_sub((YEAR - 1).months()).ok()?;
        let year: Vec<Reading> =
            self.as_of(Indicator::Unemployment, at).take_while(|one| one.period >= first).map(|one| one.value).collect();
        let low = year.iter().min().filter(|_| year.len() >= 9)?;
        Some((latest.period, latest.value.minus(*low)))
    }
}

/// The latest edition that was known at an instant.
fn latest(editions: &[Observation], at: MarketTime) -> Option<Observation> {
    editions.iter().rev().find(|one| one.known_at <= at).copied()
}

impl Curve {
    /// Inverted where either of the two differences lies below zero.
    pub fn slope(&self) -> Slope {
        let is_below = |difference: Reading| difference.nanos() < 0;
        if is_below(self.ten_two) || self.ten_three_months.is_some_and(is_below) { Slope::Inverted } else { Slope::Normal }
    }
}

impl Slope {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "upward",
            Self::Inverted => "inverted",
        }
    }
}

impl Term {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contango => "contango",
            Self::Flat => "flat",
            Self::Backwardation => "backwardation",
        }
    }
}

impl Trend {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Weakening => "weakening",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Edition;

    fn seen(indicator: Indicator, period: &str, value: &str, known_at: i64) -> Observation {
        Observation {
            indicator,
            period: period.parse().unwrap(),
            value: Reading::read(value).unwrap(),
            known_at: MarketTime(known_at),
            edition: Edition::First,
        }
    }

    fn economy(all: &[Observation]) -> Economy {
        let mut economy = Economy::default();
        for one in all {
            economy.take(*one);
        }
        economy
    }

    #[test]
    fn a_value_counts_from_its_release_and_a_revision_from_its_own() {
        let economy = economy(&[
            seen(Indicator::Payrolls, "2020-03-01", "151786", 100),
            seen(Indicator::Payrolls, "2020-04-01", "131072", 200),
            seen(Indicator::Payrolls, "2020-03-01", "150917", 200),
        ]);
        let latest = |at| economy.as_of(Indicator::Payrolls, MarketTime(at)).next().map(|one| one.value.to_string());
        assert_eq!(
            [latest(99), latest(100), latest(199), latest(200)].map(Option::unwrap_or_default),
            ["", "151786", "151786", "131072"]
        );
        let march = |at| economy.of(Indicator::Payrolls, "2020-03-01".parse().unwrap(), MarketTime(at)).unwrap().to_string();
        assert_eq!((march(150).as_str(), march(200).as_str()), ("151786", "150917"));
    }

    #[test]
    fn two_points_of_a_curve_are_of_one_day() {
        let mut economy = economy(&[
            seen(Indicator::Yield10y, "2019-08-27", "1.49", 10),
            seen(Indicator::Yield2y, "2019-08-27", "1.53", 10),
            seen(Indicator::Yield10y, "2019-08-28", "1.47", 20),
        ]);
        let curve = economy.curve(MarketTime(10)).unwrap();
        assert_eq!((curve.ten_two.to_string().as_str(), curve.slope(), curve.ten_three_months), ("-0.04", Slope::Inverted, None));
        assert_eq!(economy.curve(MarketTime(20)), None, "two years of the day before are another day");
        assert!(economy.take(seen(Indicator::Yield2y, "2019-08-28", "1.50", 25)));
        assert_eq!(economy.curve(MarketTime(25)).unwrap().ten_two.to_string(), "-0.03");
    }

    #[test]
    fn what_is_long_ago_says_nothing_of_today() {
        let at = |text: &str| MarketTime::parse(text).unwrap();
        let economy = economy(&[seen(Indicator::Vix, "2017-03-31", "12", 1), seen(Indicator::Vix3m, "2017-03-31", "14", 1)]);
        assert!(economy.term_structure(at("2017-04-12T20:00:00Z")).is_some());
        assert_eq!(economy.term_structure(at("2020-03-16T20:00:00Z")), None);
    }

    #[test]
    fn the_lines_of_the_term_structure() {
        for (near, far, term) in [
            ("18.99", "20", Term::Contango),
            ("19", "20", Term::Flat),
            ("20", "20", Term::Flat),
            ("20.01", "20", Term::Backwardation),
        ] {
            let economy = economy(&[seen(Indicator::Vix, "2020-02-28", near, 1), seen(Indicator::Vix3m, "2020-02-28", far, 1)]);
            assert_eq!(economy.term_structure(MarketTime(1)).unwrap().term, term, "{near}/{far}");
        }
    }

    #[test]
    fn employment_needs_both_ends_of_three_months_and_most_of_a_year() {
        let mut economy = economy(&[
            seen(Indicator::Payrolls, "2008-06-01", "137000", 1),
            seen(Indicator::Payrolls, "2008-07-01", "136900", 1),
            seen(Indicator::Payrolls, "2008-09-01", "136400", 1),
        ]);
        let jobs = economy.jobs(MarketTime(1)).unwrap();
        assert_eq!((jobs.change.unwrap().1.to_string().as_str(), jobs.trend), ("-200", Trend::Weakening));
        economy.take(seen(Indicator::Payrolls, "2008-11-01", "135000", 2));
        assert_eq!(economy.jobs(MarketTime(2)), None, "August is a hole");
        for month in 1..=12 {
            economy.take(seen(
                Indicator::Unemployment,
                &format!("2007-{month:02}-01"),
                if month < 12 { "4.4" } else { "5.0" },
                3,
            ));
        }
        let jobs = economy.jobs(MarketTime(3)).unwrap();
        assert_eq!((jobs.above_low.unwrap().1.to_string().as_str(), jobs.trend), ("0.6", Trend::Weakening));
    }

    #[test]
    fn what_says_nothing_new_is_not_taken() {
        let mut economy = economy(&[seen(Indicator::Vix, "2020-02-28", "40.11", 5)]);
        assert!(!economy.take(seen(Indicator::Vix, "2020-02-28", "40.11", 9)));
        assert!(economy.take(seen(Indicator::Vix, "2020-02-28", "39.16", 4)));
        let value = |at| economy.as_of(Indicator::Vix, MarketTime(at)).next().unwrap().value.to_string();
        assert_eq!((value(4).as_str(), value(5).as_str()), ("39.16", "40.11"), "an older edition does not replace a newer one");
    }

    fn any_observation() -> impl Strategy<Value = Observation> {
        (0..Indicator::ALL.len(), 0..18_i64, 1..9_000_i64, 0..400_i64).prop_map(|(which, period, value, known_at)| {
            let first: Date = "2007-01-01".parse().unwrap();
            Observation {
                indicator: Indicator::ALL[which],
                period: first.saturating_add(period.months()),
                value: Reading::from_nanos(value * 10_000_000),
                known_at: MarketTime(known_at),
                edition: Edition::First,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_known_later_changes_nothing_before(
            all in prop::collection::vec(any_observation(), 1..300),
            later in prop::collection::vec(any_observation(), 1..100),
            at in 0..400_i64,
        ) {
            let at = MarketTime(at);
            let known: Vec<Observation> = all.iter().copied().filter(|one| one.known_at <= at).collect();
            // Everything that is known after `at` is another world: left out, as it was, or altered and moved further away.
            let mut altered = known.clone();
            altered.extend(later.iter().map(|one| Observation { known_at: at.plus(crate::domain::Duration(1 + one.known_at.0)), ..*one }));
            let now = economy(&known).regime(at);
            prop_assert_eq!(economy(&all).regime(at), now);
            prop_assert_eq!(economy(&altered).regime(at), now);
        }
    }
}
