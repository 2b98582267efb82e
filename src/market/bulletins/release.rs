//! When a value could first be known: rules by which publishers release, as data.
//!
//! A rule may be late by a day, and must not be early: what counts before its release is a look into the future.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time, Weekday};
use jiff::{Span, ToSpan};
use serde::Deserialize;

use crate::domain::{Every, MarketTime, new_york};

/// How far back and ahead of a day a period of each length is looked for.
const DAYS: (i64, i64) = (10, 12);
const WEEKS: (i64, i64) = (4, 4);
const MONTHS: (i64, i64) = (5, 3);

/// When a series is released.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The rule.
    pub rule: Rule,
    /// At what time, in New York.
    pub at: Time,
    /// The day of the month, where the rule asks for one.
    #[serde(default)]
    pub day: Option<i8>,
    /// Releases that were on another day than the rule says, by their period; `never` where a period was not published.
    #[serde(default)]
    pub exceptions: BTreeMap<Date, Exception>,
}

/// The rules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// On the day itself.
    SameDay,
    /// On the next day from Monday to Friday.
    NextWeekday,
    /// On the Thursday after the week's end.
    ThursdayAfter,
    /// On the third Friday after the week that holds the month's twelfth day: mostly the first Friday of the next month, at times the
    /// second; a week later where that would be one of the first three days of a year.
    EmploymentSituation,
    /// On so many a day of the next month, or the next day from Monday to Friday.
    DayOfNextMonth,
}

/// A release that was on another day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Exception {
    /// On this one.
    On(Date),
    /// The period was not published.
    Never,
}

impl TryFrom<String> for Exception {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "never" => Ok(Self::Never),
            text => text.parse().map(Self::On).map_err(|_| format!("«{text}» is neither a date such as 2013-10-22 nor never")),
        }
    }
}

impl Release {
    /// When the value of a period could first be known; nothing where it was not published.
    pub fn known_at(&self, period: Date) -> Option<MarketTime> {
        let day = match self.exceptions.get(&period) {
            Some(Exception::Never) => return None,
            Some(Exception::On(day)) => *day,
            None => self.day_of(period),
        };
        let at = new_york().to_timestamp(day.to_datetime(self.at)).ok()?;
        i64::try_from(at.as_nanosecond()).ok().map(MarketTime)
    }

    /// The next release after an instant, with its period.
    pub fn next_after(&self, every: Every, now: MarketTime) -> Option<(Date, MarketTime)> {
        let released = self.around(every, now).filter(|(_, at)| *at > now);
        released.min_by_key(|(_, at)| *at)
    }

    /// The latest period that is released by an instant.
    pub fn latest_by(&self, every: Every, now: MarketTime) -> Option<Date> {
        self.around(every, now).filter(|(_, at)| *at <= now).map(|(period, _)| period).max()
    }

    fn around(&self, every: Every, now: MarketTime) -> impl Iterator<Item = (Date, MarketTime)> {
        let today = new_york().to_datetime(now.timestamp()).date();
        periods(every, today).filter_map(|period| Some((period, self.known_at(period)?)))
    }

    fn day_of(&self, period: Date) -> Date {
        match self.rule {
            Rule::SameDay => period,
            Rule::NextWeekday => weekday_from(add(period, 1.day())),
            Rule::ThursdayAfter => first_from(add(period, 1.day()), Weekday::Thursday),
            Rule::EmploymentSituation => {
                let twelfth = add(period.first_of_month(), 11.days());
                let saturday = first_from(twelfth, Weekday::Saturday);
                let third_friday = add(saturday, 20.days());
                let is_new_year = third_friday.month() == 1 && third_friday.day() <= 3;
                if is_new_year { add(third_friday, 7.days()) } else { third_friday }
            }
            Rule::DayOfNextMonth => {
                let next = add(period.first_of_month(), 1.month());
                weekday_from(add(next, i64::from(self.day.unwrap_or(1) - 1).days()))
            }
        }
    }
}

fn add(day: Date, span: Span) -> Date {
    day.saturating_add(span)
}

/// This day, or the first of these weekdays after it.
fn first_from(day: Date, weekday: Weekday) -> Date {
    add(day, i64::from(day.weekday().until(weekday)).days())
}

/// This day, or the Monday after a weekend.
fn weekday_from(day: Date) -> Date {
    match day.weekday() {
        Weekday::Saturday => add(day, 2.days()),
        Weekday::Sunday => add(day, 1.day()),
        _ => day,
    }
}

/// Periods around a day, in order.
fn periods(every: Every, today: Date) -> Box<dyn Iterator<Item = Date>> {
    match every {
        Every::Day => {
            let days = (-DAYS.0..DAYS.1).map(move |days| add(today, days.days()));
            Box::new(days.filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)))
        }
        Every::Week => {
            let saturday = first_from(today, Weekday::Saturday);
            Box::new((-WEEKS.0..WEEKS.1).map(move |weeks| add(saturday, weeks.weeks())))
        }
        Every::Month => {
            let month = today.first_of_month();
            Box::new((-MONTHS.0..MONTHS.1).map(move |months| add(month, months.months())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(rule: Rule, at: &str) -> Release {
        Release { rule, at: at.parse().unwrap(), day: Some(16), exceptions: BTreeMap::new() }
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    /// Dates on which the Employment Situation really came, by its month.
    #[test]
    fn payrolls_come_when_they_really_came() {
        let rule = release(Rule::EmploymentSituation, "08:30");
        for (month, day) in [
            ("2006-11-01", "2006-12-08"),
            ("2008-08-01", "2008-09-05"),
            ("2008-12-01", "2009-01-09"),
            ("2009-04-01", "2009-05-08"),
            ("2009-12-01", "2010-01-08"),
            ("2010-09-01", "2010-10-08"),
            ("2011-03-01", "2011-04-01"),
            ("2011-06-01", "2011-07-08"),
            ("2012-02-01", "2012-03-09"),
            ("2013-02-01", "2013-03-08"),
            ("2014-04-01", "2014-05-02"),
            ("2014-12-01", "2015-01-09"),
            ("2015-03-01", "2015-04-03"),
            ("2015-04-01", "2015-05-08"),
            ("2020-02-01", "2020-03-06"),
            ("2020-03-01", "2020-04-03"),
        ] {
            assert_eq!(rule.day_of(date(month)), date(day), "{month}");
        }
        assert_eq!(rule.known_at(date("2014-04-01")), Some(at("2014-05-02T12:30:00Z")), "half past eight in summer time");
        assert_eq!(rule.known_at(date("2008-12-01")), Some(at("2009-01-09T13:30:00Z")), "and in winter");
    }

    #[test]
    fn the_other_rules_and_their_exceptions() {
        let of = |rule: Rule, period: &str| release(rule, "08:30").day_of(date(period)).to_string();
        assert_eq!(of(Rule::NextWeekday, "2020-03-06"), "2020-03-09");
        assert_eq!(of(Rule::NextWeekday, "2020-03-09"), "2020-03-10");
        assert_eq!(of(Rule::SameDay, "2020-02-28"), "2020-02-28");
        assert_eq!(of(Rule::ThursdayAfter, "2020-03-21"), "2020-03-26");
        assert_eq!(of(Rule::DayOfNextMonth, "2020-01-01"), "2020-02-17");
        let mut employment = release(Rule::EmploymentSituation, "08:30");
        employment.exceptions.insert(date("2013-09-01"), Exception::On(date("2013-10-22")));
        employment.exceptions.insert(date("2025-10-01"), Exception::Never);
        assert_eq!(employment.known_at(date("2013-09-01")), Some(at("2013-10-22T12:30:00Z")));
        assert_eq!(employment.known_at(date("2025-10-01")), None);
    }

    #[test]
    fn the_next_release_and_the_latest_period_out() {
        let jobs = release(Rule::EmploymentSituation, "08:30");
        let before = at("2014-05-02T12:29:59Z");
        assert_eq!(jobs.next_after(Every::Month, before), Some((date("2014-04-01"), at("2014-05-02T12:30:00Z"))));
        assert_eq!(jobs.latest_by(Every::Month, before), Some(date("2014-03-01")));
        assert_eq!(jobs.latest_by(Every::Month, at("2014-05-02T12:30:00Z")), Some(date("2014-04-01")));
        let yields = release(Rule::NextWeekday, "08:00");
        let sunday = at("2020-03-08T15:00:00Z");
        assert_eq!(yields.latest_by(Every::Day, sunday), Some(date("2020-03-05")));
        assert_eq!(yields.next_after(Every::Day, sunday), Some((date("2020-03-06"), at("2020-03-09T12:00:00Z"))));
        let claims = release(Rule::ThursdayAfter, "08:30");
        assert_eq!(claims.latest_by(Every::Week, at("2020-03-26T12:30:00Z")), Some(date("2020-03-21")));
    }

    #[test]
    fn no_rule_is_early() {
        for rule in [Rule::SameDay, Rule::NextWeekday, Rule::ThursdayAfter, Rule::EmploymentSituation, Rule::DayOfNextMonth] {
            for days in 0..4_000 {
                let period = date("2005-01-01").saturating_add(days.days());
                let released = release(rule, "08:30").day_of(period);
                assert!(released >= period, "{rule:?} {period}");
                let is_monthly = matches!(rule, Rule::EmploymentSituation | Rule::DayOfNextMonth);
                assert!(!is_monthly || released > period.last_of_month(), "{rule:?} {period}: {released}");
            }
        }
    }
}
