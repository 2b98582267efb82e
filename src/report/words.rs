//! Numbers and verdicts as a person reads them.

use crate::backtest::{Share, Verdict};

/// A verdict's name.
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::NotProven => "NOT PROVEN",
    }
}

fn or_not(value: Option<String>) -> String {
    value.unwrap_or_else(|| "n/a".to_owned())
}

/// A share with its sign, in percent.
pub(super) fn percent(value: Option<f64>) -> String {
    or_not(value.map(|value| format!("{:+.2} %", value * 100.0)))
}

/// A volatility or a commission, in percent.
pub(super) fn size(value: Option<f64>) -> String {
    or_not(value.map(|value| format!("{:.2} %", value * 100.0)))
}

/// A probability, in percent.
pub(super) fn chance(value: Option<f64>) -> String {
    or_not(value.map(|value| format!("{:.1} %", value * 100.0)))
}

/// A number with its sign.
pub(super) fn signed(value: Option<f64>) -> String {
    or_not(value.map(|value| format!("{value:+.2}")))
}

/// A number.
pub(super) fn number(value: Option<f64>) -> String {
    or_not(value.map(|value| format!("{value:.2}")))
}

/// Two ends.
pub(super) fn range(interval: Option<(f64, f64)>) -> String {
    or_not(interval.map(|(low, high)| format!("[{low:+.2}, {high:+.2}]")))
}

/// Two ends, in percent.
pub(super) fn percents(interval: Option<(f64, f64)>) -> String {
    or_not(interval.map(|(low, high)| format!("[{:.2} %, {:.2} %]", low * 100.0, high * 100.0)))
}

/// A share of a count with its interval.
pub(super) fn share(share: &Share) -> String {
    let Share { count, of, rate, interval } = share;
    or_not(rate.map(|rate| format!("{:.1} % ({count} of {of}), 95 % {}", rate * 100.0, percents(*interval))))
}

/// Percent with two digits and its sign, without the percent sign; what rounds to nothing has no sign.
pub fn hundredths(share: f64) -> String {
    let text = format!("{:+.2}", share * 100.0);
    if matches!(text.as_str(), "+0.00" | "-0.00") { "0.00".to_owned() } else { text }
}
