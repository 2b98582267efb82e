//! Economic series against golden facts: real series of the shared folder, known from their releases on.

use std::sync::LazyLock;

use jiff::civil::Date;
use pmax::domain::{Indicator, MarketTime, Reading};
use pmax::market::bulletins::{BulletinTable, Found};
use pmax::signals::{Economy, Term};
use serde_json::Value;

use crate::support::shared;

static TABLE: LazyLock<BulletinTable> =
    LazyLock::new(|| BulletinTable::read(include_str!("../../config/bulletins.toml"), None).unwrap());

fn oracle() -> Value {
    serde_json::from_str(include_str!("../oracles/economics.json")).unwrap()
}

/// A series of the shared folder as it was released.
fn take(economy: &mut Economy, file: &str, column: &str, indicator: Indicator) -> Option<Vec<(Date, Reading)>> {
    let text = std::fs::read_to_string(shared()?.join("data/from-repos").join(file)).unwrap();
    let mut lines = text.lines();
    let place = lines.next().unwrap().split(',').position(|name| name == column).unwrap();
    let mut all = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let Some(value) = Reading::read(cells[place]) else { continue };
        let period: Date = cells[0].parse().unwrap();
        all.push((period, value));
        // Long after all of them: each is known since its release.
        let now = MarketTime::parse("2027-01-01").unwrap();
        economy.take(TABLE.dated(Found { indicator, period, value }, now).unwrap());
    }
    Some(all)
}

fn known(indicator: Indicator, period: Date) -> MarketTime {
    TABLE.release(indicator).unwrap().known_at(period).unwrap()
}

#[test]
fn the_term_structure_of_2020_turns_when_it_did() {
    let (mut economy, oracle) = (Economy::default(), oracle());
    let Some(days) = take(&mut economy, "vix/vix_ohlc_1990_2026.csv", "close", Indicator::Vix) else { return };
    take(&mut economy, "vix/vix3m_close_2016_2026.csv", "vix3m_close", Indicator::Vix3m);
    let of_year = |year: i16, term: Term| {
        let days = days.iter().filter(|(day, _)| day.year() == year);
        let seen =
            days.filter_map(|(day, _)| economy.term_structure(known(Indicator::Vix, *day)).filter(|seen| seen.day == *day));
        seen.filter(|seen| seen.term == term).collect::<Vec<_>>()
    };
    let fear = of_year(2020, Term::Backwardation);
    assert_eq!(fear.len(), 53);
    assert_eq!(fear[0].day.to_string(), oracle["first_of_2020"]);
    let peak = fear.iter().max_by_key(|seen| seen.ratio).unwrap();
    assert_eq!(peak.day.to_string(), oracle["peak_of_2020"][0]);
    assert!((peak.ratio.to_f64() - 1.344).abs() < 0.0005, "{}", peak.ratio);
    assert_eq!(of_year(2017, Term::Contango).len() as u64, oracle["contango_days_of_2017"]);
    // The close of 28 February was known that afternoon, and not that morning.
    let morning = economy.term_structure(MarketTime::parse("2020-02-28T15:00:00Z").unwrap()).unwrap();
    assert_eq!(morning.day.to_string(), "2020-02-27");
}

#[test]
fn the_curve_is_inverted_on_the_days_that_its_publisher_says() {
    let (mut economy, oracle) = (Economy::default(), oracle());
    let Some(days) = take(&mut economy, "macro/DGS10.csv", "value", Indicator::Yield10y) else { return };
    take(&mut economy, "macro/DGS2.csv", "value", Indicator::Yield2y);
    let curves =
        days.iter().filter_map(|(day, _)| economy.curve(known(Indicator::Yield10y, *day)).filter(|curve| curve.day == *day));
    let inverted = curves.filter(|curve| curve.ten_two.nanos() < 0).count();
    assert_eq!(inverted as u64, oracle["inverted_days"]);
    let in_2020 = days.iter().filter(|(day, _)| day.year() == 2020).map(|(_, value)| *value);
    assert_eq!(in_2020.min().unwrap().to_string(), "0.52");
    // A yield of Friday is known on Monday.
    let sunday = economy.curve(MarketTime::parse("2020-03-08T22:00:00Z").unwrap()).unwrap();
    assert_eq!(sunday.day.to_string(), "2020-03-05");
}

#[test]
fn employment_is_what_its_series_say_once_they_are_out() {
    let (mut economy, oracle) = (Economy::default(), oracle());
    let Some(payrolls) = take(&mut economy, "macro/PAYEMS.csv", "value", Indicator::Payrolls) else { return };
    let unemployment = take(&mut economy, "macro/UNRATE.csv", "value", Indicator::Unemployment).unwrap();
    let claims = take(&mut economy, "macro/ICSA.csv", "value", Indicator::Claims).unwrap();
    let highest =
        |all: &[(Date, Reading)]| all.iter().filter(|(day, _)| day.year() == 2020).map(|(_, value)| *value).max().unwrap();
    assert_eq!((highest(&unemployment).to_string().as_str(), highest(&claims).to_string().as_str()), ("14.8", "6137000"));
    assert!(payrolls.len() > 400);
    for (month, change) in oracle["payroll_change"].as_object().unwrap() {
        let period: Date = month.parse().unwrap();
        let jobs = economy.jobs(known(Indicator::Payrolls, period)).unwrap();
        let (of, mean) = jobs.change.unwrap();
        assert_eq!(of, period);
        assert!((mean.to_f64() - change.as_f64().unwrap()).abs() < 1e-6, "{month}: {mean}");
        let (_, above) = jobs.above_low.unwrap();
        let expected = oracle["unemployment_above_low"][month].as_f64().unwrap();
        assert!((above.to_f64() - expected).abs() < 1e-6, "{month}: {above} against {expected}");
        // A second before nobody knew.
        let before = economy.jobs(MarketTime(known(Indicator::Payrolls, period).0 - 1)).unwrap();
        assert!(before.change.unwrap().0 < period, "{month}");
    }
}
