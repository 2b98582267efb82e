//! Whether forecasts are better than chance, than another, or as often wrong as they say.

use crate::stats::descriptive::are_finite;
use crate::stats::hypotheses::{Tested, by_t};
use crate::stats::series::autoproduct;
use crate::stats::{binomial_at_most, chi_squared_survival, mean, normal_survival};

/// Pesaran and Timmermann's test (1992, eq. 6) that directions are predicted better than independent ones with the same shares of ups;
/// one-sided. Above zero is up. `None` for different lengths or where either never changes.
pub fn pesaran_timmermann(actual: &[f64], forecast: &[f64]) -> Option<Tested> {
    let n = actual.len() as f64;
    if actual.len() != forecast.len() || actual.len() < 2 || !are_finite(actual) || !are_finite(forecast) {
        return None;
    }
    let share = |count: usize| count as f64 / n;
    let ups = share(actual.iter().filter(|value| **value > 0.0).count());
    let calls = share(forecast.iter().filter(|value| **value > 0.0).count());
    let hits = share(actual.iter().zip(forecast).filter(|(a, b)| (**a > 0.0) == (**b > 0.0)).count());
    let expected = ups * calls + (1.0 - ups) * (1.0 - calls);
    let of_hits = expected * (1.0 - expected) / n;
    let of_expected = ((2.0 * ups - 1.0).powi(2) * calls * (1.0 - calls) + (2.0 * calls - 1.0).powi(2) * ups * (1.0 - ups)) / n
        + 4.0 * ups * calls * (1.0 - ups) * (1.0 - calls) / (n * n);
    let variance = of_hits - of_expected;
    // Where one of the two never changes, the difference vanishes up to rounding.
    if variance <= 1e-12 * of_hits {
        return None;
    }
    let statistic = (hits - expected) / libm::sqrt(variance);
    Some(Tested { statistic, p: normal_survival(statistic) })
}

/// Exact McNemar test, two-sided: of the cases where exactly one of two forecasters was right, is either right more often?
/// The statistic is the smaller count. `None` without such a case.
pub fn mcnemar_exact(only_first: u64, only_second: u64) -> Option<Tested> {
    let (fewer, all) = (only_first.min(only_second), only_first + only_second);
    (all > 0).then_some(Tested { statistic: fewer as f64, p: (2.0 * binomial_at_most(fewer, all, 0.5)?).min(1.0) })
}

/// McNemar's test by chi-squared with Edwards' continuity correction; for 25 cases or more.
pub fn mcnemar_chi_squared(only_first: u64, only_second: u64) -> Option<Tested> {
    let all = (only_first + only_second) as f64;
    if all == 0.0 {
        return None;
    }
    let distance = only_first.abs_diff(only_second) as f64 - 1.0;
    let statistic = distance * distance / all;
    Some(Tested { statistic, p: chi_squared_survival(statistic, 1.0)? })
}

/// Diebold and Mariano's test of equal loss of two forecasts `horizon` steps ahead, with the small-sample form of Harvey, Leybourne and
/// Newbold (1997, eq. 8, 9): rectangular window of `horizon − 1` lags, t with n − 1 degrees of freedom, two-sided. Negative: the first
/// loses less. `None` for different lengths, or where the window gives no positive variance.
pub fn diebold_mariano(first_loss: &[f64], second_loss: &[f64], horizon: usize) -> Option<Tested> {
    if first_loss.len() != second_loss.len() || horizon == 0 || horizon >= first_loss.len() {
        return None;
    }
    let (n, h) = (first_loss.len() as f64, horizon as f64);
    let differences: Vec<f64> = first_loss.iter().zip(second_loss).map(|(a, b)| a - b).collect();
    let centre = mean(&differences)?;
    let centred: Vec<f64> = differences.iter().map(|value| value - centre).collect();
    let own = autoproduct(&centred, 0) / n;
    let variance = (own + 2.0 * (1..horizon).map(|lag| autoproduct(&centred, lag) / n).sum::<f64>()) / n;
    if variance <= 1e-28 * centre * centre || variance <= 0.0 {
        return None;
    }
    let correction = libm::sqrt((n + 1.0 - 2.0 * h + h * (h - 1.0) / n) / n);
    by_t(centre / libm::sqrt(variance) * correction, n - 1.0)
}

/// Kupiec's test (1995) that `exceedances` of `days` agree with a value at risk of level `level`: likelihood ratio, chi-squared with 1
/// degree of freedom. `None` for no days or a level outside (0, 1).
pub fn kupiec(exceedances: u64, days: u64, level: f64) -> Option<Tested> {
    if days == 0 || exceedances > days || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let (hits, misses) = (exceedances as f64, (days - exceedances) as f64);
    let share = hits / days as f64;
    let statistic = (2.0 * (likelihood(misses, hits, share) - likelihood(misses, hits, level))).max(0.0);
    Some(Tested { statistic, p: chi_squared_survival(statistic, 1.0)? })
}

/// `misses ln(1 − p) + hits ln p`, where nothing that did not happen counts.
fn likelihood(misses: f64, hits: f64, p: f64) -> f64 {
    let part = |count: f64, p: f64| if count > 0.0 { count * libm::log(p) } else { 0.0 };
    part(misses, 1.0 - p) + part(hits, p)
}

/// Christoffersen's two tests of a series of exceedances (1998).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Whether exceedances come independently, against a first-order Markov chain; 1 degree of freedom.
    pub independence: Tested,
    /// Whether they are as many as stated and independent: Kupiec's ratio plus this one; 2 degrees of freedom.
    pub conditional: Tested,
}

/// Tests exceedances, in order of time, of a value at risk of level `level`. `None` below two days or without an exceedance on any day but
/// the last: then nothing followed one.
pub fn christoffersen(exceedances: &[bool], level: f64) -> Option<Coverage> {
    let count = |before: bool, after: bool| {
        exceedances.iter().zip(exceedances.iter().skip(1)).filter(|pair| *pair == (&before, &after)).count() as f64
    };
    let (calm, starts, ends, stays) = (count(false, false), count(false, true), count(true, false), count(true, true));
    if calm + starts == 0.0 || ends + stays == 0.0 {
        return None;
    }
    let share = (starts + stays) / (calm + starts + ends + stays);
    let chained = likelihood(calm, starts, starts / (calm + starts)) + likelihood(ends, stays, stays / (ends + stays));
    let statistic = (2.0 * (chained - likelihood(calm + ends, starts + stays, share))).max(0.0);
    let hits = exceedances.iter().filter(|is_exceeded| **is_exceeded).count() as u64;
    let both = statistic + kupiec(hits, exceedances.len() as u64, level)?.statistic;
    Some(Coverage {
        independence: Tested { statistic, p: chi_squared_survival(statistic, 1.0)? },
        conditional: Tested { statistic: both, p: chi_squared_survival(both, 2.0)? },
    })
}
