//! What drawings are made of, whatever they are drawn on.

use jiff::civil::Date;

use crate::stats;

/// Bars of the distribution, with zero in the middle one.
const BINS: usize = 41;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Growth of the account from 1, at the end of each day.
    pub growth: &'a [(Date, f64)],
    /// Growth of everything held equally.
    pub held: &'a [(Date, f64)],
    /// Days in a year of this market.
    pub days_per_year: Option<f64>,
    /// When each round trip closed, and its return on the value bought, after cost.
    pub trips: &'a [(Date, f64)],
}

/// The Sharpe ratio of the latest days, day after day.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolling {
    /// How many days.
    pub window: usize,
    /// How far it swings to both sides without any skill, in nineteen days of twenty.
    pub swing: f64,
    /// The ratio a year at the end of each window in which it is defined.
    pub ratios: Vec<(Date, f64)>,
}

/// How often returns of about one size came.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The largest return, whatever its sign: the first group begins at minus this, the last ends at it.
    pub most: f64,
    /// Days in each group.
    pub counts: [u32; BINS],
}

impl Rolling {
    /// Of daily returns, in a market with so many days a year.
    pub fn of(returns: &[(Date, f64)], days_per_year: Option<f64>) -> Self {
        let window = match returns.len() {
            1_000.. => 252,
            126.. => 63,
            _ => 20,
        };
        let annual = days_per_year.map_or(f64::NAN, libm::sqrt);
        let at = |days: &[(Date, f64)]| {
            let sharpe = stats::sharpe(&values(days), 0.0, 1.0)? * annual;
            Some((days.last()?.0, sharpe)).filter(|(_, sharpe)| sharpe.is_finite())
        };
        let ratios = returns.windows(window).filter_map(at).collect();
        Self { window, swing: 1.96 * annual / libm::sqrt(window as f64), ratios }
    }
}

impl Distribution {
    /// Of returns; nothing where none moves.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let most = returns.iter().map(|value| value.abs()).fold(0.0, f64::max);
        if most <= 0.0 {
            return None;
        }
        let mut counts = [0_u32; BINS];
        for value in returns {
            let place = libm::floor((value / most + 1.0) / 2.0 * BINS as f64) as usize;
            if let Some(count) = counts.get_mut(place.min(BINS - 1)) {
                *count += 1;
            }
        }
        Some(Self { most, counts })
    }
}

/// Daily returns of a growth that begins at 1.
pub fn returns(growth: &[(Date, f64)]) -> Vec<(Date, f64)> {
    let mut before = 1.0;
    let of_day = |(date, value): &(Date, f64)| {
        let change = value / before - 1.0;
        before = *value;
        (*date, change)
    };
    growth.iter().map(of_day).collect()
}

/// The numbers without their dates.
pub fn values(series: &[(Date, f64)]) -> Vec<f64> {
    series.iter().map(|(_, value)| *value).collect()
}

/// How far a growth that begins at 1 stands below its highest day, as shares at or below 0.
pub fn falls(growth: &[(Date, f64)]) -> Vec<(Date, f64)> {
    let mut peak = 1.0_f64;
    let fall = |(date, value): &(Date, f64)| {
        peak = peak.max(*value);
        (*date, value / peak - 1.0)
    };
    growth.iter().map(fall).collect()
}

/// Returns by year and month of a growth that begins at 1.
pub fn by_month(growth: &[(Date, f64)]) -> Vec<(i16, i8, f64)> {
    let mut ends: Vec<(i16, i8, f64)> = Vec::new();
    for (date, value) in growth {
        match ends.last_mut().filter(|end| (end.0, end.1) == (date.year(), date.month())) {
            Some(end) => end.2 = *value,
            None => ends.push((date.year(), date.month(), *value)),
        }
    }
    let mut before = 1.0;
    let change = |(year, month, value): (i16, i8, f64)| {
        let change = value / before - 1.0;
        before = value;
        (year, month, change)
    };
    ends.into_iter().map(change).collect()
}

/// The benchmark at the account's volatility: what the same risk would have earned.
pub fn at_the_same_risk(series: Series<'_>, ours: &[(Date, f64)]) -> Option<Vec<(Date, f64)>> {
    let theirs = returns(series.held);
    let share =
        stats::standard_deviation(&values(ours))? / stats::standard_deviation(&values(&theirs)).filter(|spread| *spread > 0.0)?;
    let grow = |wealth: &mut f64, (date, value): &(Date, f64)| {
        *wealth *= 1.0 + value * share;
        Some((*date, *wealth))
    };
    Some(theirs.iter().scan(1.0, grow).collect())
}
