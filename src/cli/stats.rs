//! `pmax stats`: what a file of prices or returns shows, with intervals and tests.

pub(super) mod file;
mod periods;

use std::io::{IsTerminal, Write};

use crate::cli::args::{Format, Stats};
use crate::cli::stats::file::Series;
use crate::cli::{Done, OK, say};
use crate::domain::counted;
use crate::stats::{self, Check, Interval, Reading, Report, Resampled, Resampling, Sign, Supposed};

/// Replications of the bootstrap; fewer of a series so long that nobody would wait for them.
const REPLICATIONS: u64 = 10_000;
const FEWEST: u64 = 1_000;
/// Returns times replications from which they become fewer.
const MOST: u64 = 1_000_000_000;
/// Replications between two looks at how far it is.
const PORTION: u64 = 100;
/// Returns times replications from which a person is told how far it is: about a second.
const LONG: u64 = 300_000_000;

/// Reads, computes and reports.
pub fn run(options: &Stats) -> Done {
    let series = file::read(options)?;
    let report = Report::of(&series.returns, series.periods);
    let resampled =
        Resampling::new(&series.returns, series.periods, options.seed).map(|resampling| resample(&resampling, &series));
    let sign = stats::sign(&[report.sharpe_interval, resampled.and_then(|resampled| resampled.sharpe_interval)]);
    if options.format == Format::Json {
        let taken_as = if series.are_prices { "prices" } else { "returns" };
        let span = series.span.as_ref();
        let whole = serde_json::json!({
            "file": options.file.display().to_string(),
            "column": series.column,
            "taken_as": taken_as,
            "from": span.map(|span| &span.0),
            "until": span.map(|span| &span.1),
            "skipped": series.skipped,
            "periods_from": series.periods_from,
            "sharpe_sign": sign,
            "report": report,
            "bootstrap": resampled,
        });
        say(&whole.to_string());
    } else {
        print(options, &series, &report, resampled.as_ref(), sign);
    }
    Ok(OK)
}

/// Draws all replications; a person who waits sees how far it is, a script does not.
fn resample(resampling: &Resampling, series: &Series) -> Resampled {
    let count = series.returns.len() as u64;
    let replications = (MOST / count / PORTION * PORTION).clamp(FEWEST, REPLICATIONS);
    let is_told = count * replications >= LONG && std::io::stderr().is_terminal();
    let mut replicas = Vec::new();
    for from in (0..replications).step_by(PORTION as usize) {
        replicas.extend(resampling.draw(from..from + PORTION));
        if is_told {
            progress(&format!("\rbootstrap {} %", (from + PORTION) * 100 / replications));
        }
    }
    if is_told {
        progress("\r\u{1b}[K");
    }
    resampling.summary(&replicas)
}

/// Where it cannot be told, the work goes on all the same.
fn progress(text: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn print(options: &Stats, series: &Series, report: &Report, resampled: Option<&Resampled>, sign: Sign) {
    let file = options.file.file_name().unwrap_or(options.file.as_os_str()).display();
    say(&format!("{file} · {} · {}", series.column, counted(report.count, "return")));
    let span = series.span.as_ref().map(|(first, last)| format!("{first} to {last} · ")).unwrap_or_default();
    let taken_as = if series.are_prices { "prices" } else { "simple returns" };
    say(&format!("{span}taken as {taken_as}"));
    say(&format!("{} periods a year ({})", report.periods_per_year, series.periods_from));
    if series.skipped > 0 {
        let spans = if series.are_prices { "; the return after it spans the gap" } else { "" };
        say(&format!("left out: {} without a value{spans}", counted(series.skipped, "row")));
    }
    say("");
    say(&format!("verdict   {}", verdict(sign)));
    say("");
    print_metrics(report, resampled);
    say("");
    print_checks(report);
    say("");
    match resampled {
        Some(resampled) => say(&format!(
            "bootstrap: {} replications in blocks of {:.1} on average, seed {}",
            resampled.replications, resampled.block_length, resampled.seed
        )),
        None => say("bootstrap: n/a, these returns cannot be resampled"),
    }
}

fn verdict(sign: Sign) -> &'static str {
    match sign {
        Sign::Above => "ABOVE ZERO — both intervals of the Sharpe ratio lie above zero",
        Sign::Below => "BELOW ZERO — both intervals of the Sharpe ratio lie below zero",
        Sign::NotSignificant => "NOT SIGNIFICANT — an interval of the Sharpe ratio holds zero",
        Sign::Undefined => "n/a — the Sharpe ratio has no interval",
    }
}

/// One line: a name, a value that ends in one place, and what stands beside it.
fn line(name: &str, value: &str, beside: &str) {
    say(format!("{name:<28}{value:>12}   {beside}").trim_end());
}

fn print_metrics(report: &Report, resampled: Option<&Resampled>) {
    let mean_range = report.mean_interval.map(|range| times(range, report.periods_per_year));
    let drawn_mean = resampled.and_then(|resampled| resampled.mean_interval).map(|range| times(range, report.periods_per_year));
    line("", "value", "95 % interval");
    line("mean a year", &percent(report.annual_mean), &percents(mean_range, "Student's t"));
    line("", "", &percents(drawn_mean, "bootstrap"));
    line("compound growth a year", &percent(report.annual_growth), "");
    line("total return", &percent(report.total_return), "");
    line("volatility a year", &percent(report.volatility), "");
    line("Sharpe ratio", &number(report.sharpe), &range(report.sharpe_interval, "Lo, Mertens"));
    line("", "", &range(resampled.and_then(|resampled| resampled.sharpe_interval), "bootstrap"));
    line("  chance that it is above 0", &percent(report.above_zero), "one-sided; the interval is two-sided");
    line("  returns for that to be 95 %", &report.returns_needed.map_or_else(nothing, |count| format!("{count:.0}")), {
        if report.sharpe.is_some() && report.returns_needed.is_none() { "no record is long enough" } else { "" }
    });
    line("Sortino ratio", &number(report.sortino), "");
    line("Calmar ratio", &number(report.calmar), "");
    line("Omega ratio", &number(report.omega), "");
    let drawdown = report.drawdown;
    let drawn_falls = resampled.and_then(|resampled| resampled.drawdown_range);
    line("deepest drawdown", &percent(drawdown.map(|fall| fall.depth)), &percents(drawn_falls, "bootstrap"));
    line("  from peak to trough", &drawdown.map_or_else(nothing, |fall| fall.to_trough.to_string()), "returns");
    line("  longest below a peak", &drawdown.map_or_else(nothing, |fall| fall.longest.to_string()), "returns");
    line("returns above zero", &percent(report.hit_rate), &percents(report.hit_interval, "Wilson"));
    for loss in report.losses {
        let shortfall = format!("mean of what is worse {}", percent(loss.expected_shortfall));
        line(&format!("value at risk {:.0} %", loss.level * 100.0), &percent(loss.value_at_risk), &shortfall);
    }
    line("skewness", &number(report.skewness), "");
    line("kurtosis", &number(report.kurtosis), "3 for a normal distribution");
}

fn print_checks(report: &Report) {
    say("tested whether                       statistic         p   at 5 %");
    for check in &report.checks {
        let statistic = check.statistic.map_or_else(nothing, |statistic| format!("{statistic:.3}"));
        let found = match check.is_rejected {
            Some(true) => "rejected",
            Some(false) => "not rejected",
            None if check.supposes == Supposed::NoStep && check.statistic.is_some() => "2 if so",
            None => "",
        };
        say(format!("{:<34}{statistic:>12}{:>10}   {found}", supposed(check.supposes), probability(check)).trim_end());
    }
    let tested = report.checks.iter().filter(|check| check.p.is_some()).count();
    say(&format!("{tested} tests: where all suppose what is true, one in twenty rejects it by chance"));
}

fn supposed(what: Supposed) -> &'static str {
    match what {
        Supposed::MeanZero => "mean is 0 (Student's t)",
        Supposed::MeanZeroRobust => "mean is 0 (Newey-West)",
        Supposed::Normal => "normal (Jarque-Bera)",
        Supposed::NoMemory => "no memory (Ljung-Box, 10)",
        Supposed::NoMemoryOfSquares => "no memory of squares (Ljung-Box)",
        Supposed::NoStep => "no step to step (Durbin-Watson)",
        Supposed::UnitRoot => "unit root (Dickey-Fuller)",
        Supposed::SteadyLevel => "steady level (KPSS)",
        Supposed::EqualHalves => "halves vary alike (F)",
        Supposed::EqualHalvesRobust => "halves vary alike (Brown-Forsythe)",
    }
}

fn probability(check: &Check) -> String {
    let Some(p) = check.p else { return nothing() };
    match check.reading {
        Some(Reading::AtMost) => format!("≤ {p:.3}"),
        Some(Reading::AtLeast) => format!("≥ {p:.3}"),
        Some(Reading::Within) | None if p < 0.0005 => "< 0.001".to_owned(),
        Some(Reading::Within) | None => format!("{p:.3}"),
    }
}

fn nothing() -> String {
    "n/a".to_owned()
}

fn times(range: Interval, by: f64) -> Interval {
    Interval { low: range.low * by, high: range.high * by }
}

/// What is larger says nothing and has no room.
const LARGEST: f64 = 1e9;

fn percent(value: Option<f64>) -> String {
    value.map(|value| value * 100.0).filter(|value| value.abs() < LARGEST).map_or_else(nothing, |value| format!("{value:.2} %"))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(nothing, |value| format!("{value:.2}"))
}

fn range(interval: Option<Interval>, by: &str) -> String {
    interval.map_or_else(nothing, |range| format!("{:.2} to {:.2}, {by}", range.low, range.high))
}

fn percents(interval: Option<Interval>, by: &str) -> String {
    interval.map_or_else(nothing, |range| format!("{:.2} to {:.2} %, {by}", range.low * 100.0, range.high * 100.0))
}
