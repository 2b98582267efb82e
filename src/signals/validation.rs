//! The five layers. Each gives a verdict, a number, a threshold and a reason.

use crate::domain::{
    Direction, Layer, LayerVerdict, Money, OrderSide, Price, Protection, Ratio, RiskLevel, Validation, Verdict, View,
};
use crate::signals::{AsOf, Gates, Scorecard};
use crate::stats;

/// Bars of the current volatility.
const CURRENT_BARS: usize = 20;
/// Bars of the history it is ranked in: at least, and at most.
const HISTORY_LEAST: usize = 250;
/// Bars of history that a verdict depends on at most.
pub const HISTORY_MOST: usize = 500;

/// What the book says about a new trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BookFacts {
    /// Share of equity in the instrument's sector, with this trade.
    pub sector_share: Option<Ratio>,
    /// Limit of that share.
    pub sector_limit: Ratio,
    /// Highest correlation of 60 returns with a held instrument on the same side; `None` when nothing is held.
    pub correlation: Option<f64>,
    /// Whether a position in the instrument is open.
    pub is_held: bool,
    /// Value the trade would have.
    pub trade_value: Option<Money>,
    /// Equity.
    pub equity: Money,
}

/// Everything the layers look at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The view under judgement.
    pub view: &'a View,
    /// History at its birth.
    pub as_of: AsOf<'a>,
    /// Bars per year, for annualising.
    pub bars_per_year: f64,
    /// The book.
    pub book: BookFacts,
    /// The source's record.
    pub record: Scorecard,
    /// The thresholds.
    pub gates: &'a Gates,
}

/// Judges a view through all five layers.
pub fn judge(case: &Case<'_>) -> Validation {
    Validation { layers: vec![statistics(case), regime(case), risk(case), portfolio(case), track_record(case)] }
}

/// The risk level of a view: from its instrument's annualised volatility; `None` while history is short.
pub fn risk_level(as_of: &AsOf<'_>, bars_per_year: f64) -> Option<RiskLevel> {
    current_volatility(as_of, bars_per_year).map(RiskLevel::of_volatility)
}

/// Stop and target: so many standard deviations over the horizon away from the price, on whole ticks.
pub fn exit_levels(view: &View, as_of: &AsOf<'_>, gates: &Gates, price: Price, tick: Price) -> Option<Protection> {
    let deviation = stats::standard_deviation(&as_of.last_returns(CURRENT_BARS)?)?;
    let over_horizon = deviation * libm::sqrt(f64::from(view.horizon_bars));
    let level = |deviations: Ratio, sign: f64| {
        let moved = Ratio::from_f64(sign * deviations.to_f64() * over_horizon)?;
        let level = price.moved_by(moved).ok()?.rounded_to(tick);
        (level.is_positive() && level != price).then_some(level)
    };
    let sign = view.direction.sign();
    Some(Protection { stop_loss: Some(level(gates.stop_deviations, -sign)?), take_profit: level(gates.target_deviations, sign) })
}

fn verdict(layer: Layer, verdict: Verdict, value: Option<Ratio>, threshold: Option<Ratio>, reason: String) -> LayerVerdict {
    LayerVerdict { layer, verdict, value, threshold, reason }
}

/// Annualised volatility of the latest twenty bars; `None` while history is short.
pub fn current_volatility(as_of: &AsOf<'_>, bars_per_year: f64) -> Option<f64> {
    stats::annualised_volatility(&as_of.last_returns(CURRENT_BARS)?, bars_per_year)
}

fn statistics(case: &Case<'_>) -> LayerVerdict {
    let (strength, minimum) = (case.view.strength, case.gates.minimum_strength);
    let words = format!("strength {:.2} deviations, needs {:.2}", strength.to_f64(), minimum.to_f64());
    let outcome = if strength < minimum { Verdict::Fail } else { Verdict::Pass };
    verdict(Layer::Statistics, outcome, Some(strength), Some(minimum), words)
}

/// Ranks current volatility in its own history. The newest move counts, also where a view rests on it: a layer that looked away from it
/// would miss the first day of every storm.
fn regime(case: &Case<'_>) -> LayerVerdict {
    let gates = case.gates;
    let history = case.as_of.closes().len().saturating_sub(1).min(HISTORY_MOST);
    let returns = case.as_of.last_returns(history).filter(|_| history >= HISTORY_LEAST);
    let rank = returns.and_then(|returns| volatility_rank(&returns));
    let Some(rank) = rank.and_then(Ratio::from_f64) else {
        let words = format!("fewer than {HISTORY_LEAST} bars of history: regime unknown");
        return verdict(Layer::Regime, Verdict::NotProven, None, Some(gates.volatility_percentile_fail), words);
    };
    let (outcome, threshold) = if rank > gates.volatility_percentile_fail {
        (Verdict::Fail, gates.volatility_percentile_fail)
    } else if rank > gates.volatility_percentile_warn {
        (Verdict::Warn, gates.volatility_percentile_warn)
    } else {
        (Verdict::Pass, gates.volatility_percentile_warn)
    };
    let words = format!("volatility at percentile {rank:.0} of its last {history} bars, line at {threshold:.0}");
    verdict(Layer::Regime, outcome, Some(rank), Some(threshold), words)
}

/// Rank of the variance of the last [`CURRENT_BARS`] returns among those of all earlier stretches of that length, which overlap, but
/// share no return with it. `None` where it is undefined.
fn volatility_rank(returns: &[f64]) -> Option<f64> {
    let split = returns.len().checked_sub(CURRENT_BARS)?;
    let (before, current) = returns.split_at(split);
    let mut variances = Vec::with_capacity(before.len());
    let (mut sum, mut squares) = (0.0, 0.0);
    let size = CURRENT_BARS as f64;
    for (at, value) in before.iter().enumerate() {
        sum += value;
        squares += value * value;
        if let Some(gone) = at.checked_sub(CURRENT_BARS).and_then(|gone| before.get(gone)) {
            sum -= gone;
            squares -= gone * gone;
        }
        if at + 1 >= CURRENT_BARS {
            variances.push((squares - sum * sum / size) / (size - 1.0));
        }
    }
    let deviation = stats::standard_deviation(current)?;
    let variance = deviation * deviation;
    // Running sums leave a rest in the last digits: what is that close is the same.
    let snapped = |other: &mut f64| {
        if (*other - variance).abs() <= 1e-9 * variance {
            *other = variance;
        }
    };
    variances.iter_mut().for_each(snapped);
    stats::percentile_rank(&variances, variance)
}

fn risk(case: &Case<'_>) -> LayerVerdict {
    let gates = case.gates;
    let Some(volatility) = current_volatility(&case.as_of, case.bars_per_year).and_then(Ratio::from_f64) else {
        let words = format!("fewer than {CURRENT_BARS} returns: volatility unknown");
        return verdict(Layer::Risk, Verdict::Fail, None, Some(gates.max_volatility), words);
    };
    if volatility > gates.max_volatility {
        let words = format!("annual volatility {volatility:.0} %, at most {:.0} %", gates.max_volatility);
        return verdict(Layer::Risk, Verdict::Fail, Some(volatility), Some(gates.max_volatility), words);
    }
    let Some(loss) = loss_at_stop(case) else {
        let words = "no size fits: the smallest lot exceeds the budget, or no stop can be set".to_owned();
        return verdict(Layer::Risk, Verdict::Fail, None, Some(gates.max_loss_at_stop), words);
    };
    let outcome = if loss > gates.max_loss_at_stop { Verdict::Fail } else { Verdict::Pass };
    let words = format!("loss at the stop {loss:.3} % of equity, at most {:.3} %", gates.max_loss_at_stop);
    verdict(Layer::Risk, outcome, Some(loss), Some(gates.max_loss_at_stop), words)
}

fn loss_at_stop(case: &Case<'_>) -> Option<Ratio> {
    let price = case.view.reference;
    let stop = exit_levels(case.view, &case.as_of, case.gates, price, Price::ZERO)?.stop_loss?;
    let distance = stop.change_from(price)?.nanos().abs();
    let loss = case.book.trade_value?.times(Ratio::from_nanos(distance)).ok()?;
    loss.ratio_to(case.book.equity)
}

fn portfolio(case: &Case<'_>) -> LayerVerdict {
    let (book, gates) = (&case.book, case.gates);
    if book.is_held {
        return verdict(Layer::Portfolio, Verdict::Fail, None, None, "a position in it is open already".to_owned());
    }
    match book.sector_share {
        Some(share) if share <= book.sector_limit => {}
        share => {
            let shown = share.map_or_else(|| "n/a".to_owned(), |share| format!("{share:.1} %"));
            let words = format!("sector at {shown} of equity, at most {:.0} %", book.sector_limit);
            return verdict(Layer::Portfolio, Verdict::Fail, share, Some(book.sector_limit), words);
        }
    }
    let Some(correlation) = book.correlation.and_then(Ratio::from_f64) else {
        return verdict(Layer::Portfolio, Verdict::Pass, None, None, "nothing held that it could double".to_owned());
    };
    let (outcome, threshold) = if correlation > gates.correlation_fail {
        (Verdict::Fail, gates.correlation_fail)
    } else if correlation > gates.correlation_warn {
        (Verdict::Warn, gates.correlation_warn)
    } else {
        (Verdict::Pass, gates.correlation_warn)
    };
    let words = format!("correlation with the book {:.2}, line at {:.2}", correlation.to_f64(), threshold.to_f64());
    verdict(Layer::Portfolio, outcome, Some(correlation), Some(threshold), words)
}

/// Judged anew with every signal, so by an interval that holds however often one looks.
fn track_record(case: &Case<'_>) -> LayerVerdict {
    let (record, needed) = (&case.record, u64::from(case.gates.proven_after));
    let mean = record.expectancy().and_then(Ratio::from_f64);
    let said = |outcome, words| verdict(Layer::TrackRecord, outcome, mean, Some(Ratio::ZERO), words);
    if record.independent() < needed {
        let words = format!("{} of {needed} independent outcomes needed: not proven", record.independent());
        return said(Verdict::NotProven, words);
    }
    let Some((mean, interval)) = record.expectancy().zip(record.expectancy_at_every_look()) else {
        return said(Verdict::NotProven, "no interval yet".to_owned());
    };
    let outcome = if interval.high < 0.0 {
        Verdict::Fail
    } else if interval.low > 0.0 {
        Verdict::Pass
    } else {
        Verdict::NotProven
    };
    let words = format!(
        "net {:+.2} % a signal after cost, 95 % at every look [{:+.2}, {:+.2}], n = {} in {} spans",
        mean * 100.0,
        interval.low * 100.0,
        interval.high * 100.0,
        record.outcomes(),
        record.independent()
    );
    said(outcome, words)
}

impl From<Direction> for OrderSide {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Long => Self::Buy,
            Direction::Short => Self::Sell,
        }
    }
}
