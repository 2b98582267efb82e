//! What is asked of whom, and when each series is released: `config/bulletins.toml`, and a person's own file of the same name over it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::{Edition, Indicator, MarketTime, Observation};
use crate::market::bulletins::release::Rule;
use crate::market::bulletins::{Found, Release};
use crate::market::layered::{Layered, TableError};
use crate::market::providers::ProviderId;

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulletinTable {
    /// Whether anybody is asked at all.
    pub asks: bool,
    /// Who is asked for a series, in order.
    pub order: Vec<ProviderId>,
    /// News.
    pub news: NewsTerms,
    /// Rules of releases by their names.
    pub release: BTreeMap<String, Release>,
    /// Series.
    pub series: BTreeMap<Indicator, SeriesRow>,
}

/// How news is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewsTerms {
    /// How often each source is asked.
    pub every_minutes: u32,
    /// Who is asked about an instrument, in order.
    pub order: Vec<ProviderId>,
    /// Paths of feeds that are about no instrument.
    pub general: BTreeMap<ProviderId, String>,
}

/// A series.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRow {
    /// By which rule it is released.
    pub release: String,
    /// Whether its values are revised.
    #[serde(default)]
    pub revised: bool,
    /// What each publisher calls it.
    pub names: BTreeMap<ProviderId, String>,
}

impl BulletinTable {
    /// Reads the table of the program with a person's own over it.
    pub fn read(defaults: &str, own: Option<&str>) -> Result<Self, TableError> {
        let read = Layered::<Self>::read(defaults, own)?;
        read.table.contradiction().map_or(Ok(()), |(path, what)| Err(read.blame(path, what)))?;
        Ok(read.table)
    }

    /// The rule of a series' releases.
    pub fn release(&self, indicator: Indicator) -> Option<&Release> {
        self.release.get(&self.series.get(&indicator)?.release)
    }

    /// What a value that was found is: known since its release, or since now where the rule would say later.
    pub fn dated(&self, found: Found, now: MarketTime) -> Option<Observation> {
        let row = self.series.get(&found.indicator)?;
        let by_rule = self.release(found.indicator)?.known_at(found.period)?;
        let latest = self.release(found.indicator)?.latest_by(found.indicator.every(), now);
        // What is new is what was published first; older values of a series that is revised may have been.
        let is_new = latest.is_none_or(|latest| found.period >= latest);
        let edition = if row.revised && !is_new { Edition::Revised } else { Edition::First };
        let Found { indicator, period, value } = found;
        Some(Observation { indicator, period, value, known_at: by_rule.min(now), edition })
    }

    /// The next release of a series after an instant, with its period.
    pub fn next_release(&self, indicator: Indicator, now: MarketTime) -> Option<(Date, MarketTime)> {
        self.release(indicator)?.next_after(indicator.every(), now)
    }

    fn contradiction(&self) -> Option<(String, String)> {
        if !(5..=720).contains(&self.news.every_minutes) {
            return Some(("news.every_minutes".to_owned(), "it must be from 5 to 720".to_owned()));
        }
        for (path, order) in [("order", &self.order), ("news.order", &self.news.order)] {
            if order.iter().enumerate().any(|(index, id)| order.iter().take(index).any(|other| other == id)) {
                return Some((path.to_owned(), "each must stand there once".to_owned()));
            }
            let fits = |id: &&ProviderId| if path == "order" { id.tells_series() } else { id.tells_headlines() };
            if let Some(stranger) = order.iter().find(|id| !fits(id)) {
                return Some((path.to_owned(), format!("{stranger} does not tell that")));
            }
        }
        if let Some((id, _)) = self.news.general.iter().find(|(id, path)| !id.tells_headlines() || !path.starts_with('/')) {
            return Some(("news.general".to_owned(), format!("{id} has no feed at a path that begins with /")));
        }
        let is_name =
            |name: &String| (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        for (indicator, row) in &self.series {
            let path = |key: &str| format!("series.{}.{key}", indicator.word());
            if !self.release.contains_key(&row.release) {
                return Some((path("release"), format!("«{}» is no rule under release", row.release)));
            }
            if let Some((id, _)) = row.names.iter().find(|(id, name)| !id.tells_series() || !is_name(name)) {
                return Some((path("names"), format!("{id} does not tell it, or its name has characters that no name has")));
            }
        }
        let is_day = |release: &Release| match release.day {
            Some(day) => (1..=28).contains(&day),
            None => release.rule != Rule::DayOfNextMonth,
        };
        let strange = self.release.iter().find(|(_, release)| !is_day(release));
        strange.map(|(name, _)| (format!("release.{name}.day"), "it must be there for this rule, and from 1 to 28".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reading;

    const SHIPPED: &str = include_str!("../../../config/bulletins.toml");

    #[test]
    fn the_shipped_table_has_every_series_and_a_person_may_lay_another_over_it() {
        let table = BulletinTable::read(SHIPPED, None).unwrap();
        for indicator in Indicator::ALL {
            assert!(table.release(indicator).is_some(), "{indicator}");
        }
        let own = "order = [\"bls\"]\n[series.cpi]\nrevised = false\n";
        let changed = BulletinTable::read(SHIPPED, Some(own)).unwrap();
        assert_eq!((changed.order.as_slice(), changed.series[&Indicator::Cpi].revised), (&[ProviderId::Bls][..], false));
        for (own, words) in [
            ("order = [\"kraken\"]\n", &["order", "Kraken"][..]),
            ("order = [\"bls\", \"bls\"]\n", &["once"]),
            ("[news]\nevery_minutes = 1\n", &["every_minutes", "5 to 720"]),
            ("[news.general]\nfed = \"https://x\"\n", &["news.general", "Fed"]),
            ("[series.cpi]\nrelease = \"whenever\"\n", &["series.cpi.release", "«whenever»"]),
            ("[series.gdp]\nrelease = \"cpi\"\n", &["gdp"]),
            ("[release.cpi]\nday = 31\n", &["release.cpi.day", "1 to 28"]),
            ("[release.cpi]\nrule = \"soon\"\n", &["release.cpi.rule"]),
            ("[series.cpi.names]\nbls = \"a&b=\\u0007\"\n", &["series.cpi.names"]),
            ("[order\n", &["TOML"]),
        ] {
            let said = BulletinTable::read(SHIPPED, Some(own)).unwrap_err().to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{own}: {said}");
        }
    }

    #[test]
    fn a_value_counts_from_its_release_and_an_old_one_may_have_been_revised() {
        let table = BulletinTable::read(SHIPPED, None).unwrap();
        let now = MarketTime::parse("2020-04-03T13:00:00Z").unwrap();
        let of = |period: &str| {
            let found = Found {
                indicator: Indicator::Payrolls,
                period: period.parse().unwrap(),
                value: Reading::read("151786").unwrap(),
            };
            table.dated(found, now).unwrap()
        };
        let (march, february, april) = (of("2020-03-01"), of("2020-02-01"), of("2020-04-01"));
        assert_eq!((march.known_at.to_string().as_str(), march.edition), ("2020-04-03T12:30:00Z", Edition::First));
        assert_eq!((february.known_at.to_string().as_str(), february.edition), ("2020-03-06T13:30:00Z", Edition::Revised));
        assert_eq!(april.known_at, now, "what is here already is known");
    }
}
