//! How many rows of a file make a year.

use jiff::civil::Weekday;

use crate::market::own::Stamp;

/// Why rows do not say how many of them make a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unclear {
    /// The usual gap is none of a calendar's: within a day it depends on how long the market is open.
    Gap,
    /// The usual gap says so many, and so many came.
    Sparse(f64, f64),
}

/// The largest share by which rows may come more or less often than their usual gap says: holidays are fewer.
const HOLIDAYS: f64 = 0.15;

/// How many rows make a year, with the reason in words, from the median gap between rows, where as many came as that says.
pub fn periods_per_year(stamps: &[Stamp]) -> Result<(f64, &'static str), Unclear> {
    const DAY: f64 = 86_400.0;
    let mut gaps: Vec<f64> =
        stamps.iter().zip(stamps.iter().skip(1)).map(|(one, next)| next.at.duration_since(one.at).as_secs_f64() / DAY).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let median = *gaps.get(gaps.len() / 2).ok_or(Unclear::Gap)?;
    let weekends = stamps.iter().filter(|stamp| matches!(stamp.day.weekday(), Weekday::Saturday | Weekday::Sunday)).count();
    // Two days of seven where something trades on all of them.
    let has_weekends = weekends * 10 > stamps.len();
    let (periods, words) = match median {
        0.9..=1.1 if has_weekends => (365.0, "every day"),
        0.9..=1.1 => (252.0, "business days"),
        6.5..=7.5 => (52.0, "weeks"),
        27.5..=31.5 => (12.0, "months"),
        89.0..=93.0 => (4.0, "quarters"),
        364.0..=367.0 => (1.0, "years"),
        _ => return Err(Unclear::Gap),
    };
    let came = gaps.len() as f64 / (gaps.iter().sum::<f64>() / 365.25);
    if (came / periods - 1.0).abs() > HOLIDAYS { Err(Unclear::Sparse(periods, came)) } else { Ok((periods, words)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_counted_by_the_median_gap() {
        let every = |days: i64, count: i64| -> Vec<Stamp> {
            (0..count).filter_map(|index| Stamp::read(&(1_577_836_800 + index * days * 86_400).to_string(), true)).collect()
        };
        let without_weekends: Vec<Stamp> = every(1, 60)
            .into_iter()
            .filter(|stamp| !matches!(stamp.day.weekday(), Weekday::Saturday | Weekday::Sunday))
            .collect();
        assert_eq!(periods_per_year(&every(1, 60)), Ok((365.0, "every day")));
        assert_eq!(periods_per_year(&without_weekends), Ok((252.0, "business days")));
        assert_eq!(periods_per_year(&every(7, 60)), Ok((52.0, "weeks")));
        assert_eq!(periods_per_year(&every(30, 60)), Ok((12.0, "months")));
        assert_eq!(periods_per_year(&every(2, 60)), Err(Unclear::Gap));
        assert_eq!(periods_per_year(&[]), Err(Unclear::Gap));
        // Three days a week: the usual gap is a day, and 157 of them make a year.
        let monday_to_wednesday: Vec<Stamp> = every(1, 700)
            .into_iter()
            .filter(|stamp| matches!(stamp.day.weekday(), Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday))
            .collect();
        let found = periods_per_year(&monday_to_wednesday);
        assert!(
            matches!(found, Err(Unclear::Sparse(periods, came)) if periods == 252.0 && (came - 156.5).abs() < 2.0),
            "{found:?}"
        );
    }
}
