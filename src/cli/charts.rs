//! The drawings of a tear sheet in a terminal, as plain text: no colour, so that it can go through a pipe.

use jiff::civil::Date;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use crate::backtest::Report;
use crate::report::{Distribution, Rolling, Series, at_the_same_risk, by_month, falls, hundredths, returns};
use crate::signals::{Forecasts, Scores};
use crate::ui::{Curve, gauge_bar, to_text};

const WIDTH: u16 = 100;
const HEIGHT: u16 = 12;
/// Columns of a bar of the distribution.
const BAR: usize = 60;

/// Everything that the page shows, one drawing below the other.
pub fn charts(report: &Report) -> String {
    let capital = report.capital.to_f64();
    let growth: Vec<(Date, f64)> = report.days.iter().map(|(date, equity)| (*date, equity.to_f64() / capital)).collect();
    let trips = report.trips();
    let series =
        Series { growth: &growth, held: &report.held, days_per_year: report.evidence.account.days_per_year, trips: &trips };
    let daily = returns(&growth);
    let held = at_the_same_risk(series, &daily).unwrap_or_default();
    let rolling = Rolling::of(&daily, series.days_per_year);
    let parts = [
        line("Equity, from 1", &growth, Some(1.0), 3),
        line("Everything held equally, at the account's swing", &held, Some(1.0), 3),
        line("Under water, percent below the highest day", &percent(&falls(&growth)), Some(0.0), 2),
        line(&format!("Sharpe ratio of the last {} days, a year", rolling.window), &rolling.ratios, Some(0.0), 1),
        months(&growth),
        distribution(&daily),
        scatter(&trips),
        calibration(Scores::new(report.log.calls().to_vec()).card(|_| true).forecasts.as_ref()),
    ];
    parts.join("\n")
}

fn percent(series: &[(Date, f64)]) -> Vec<(Date, f64)> {
    series.iter().map(|(date, value)| (*date, value * 100.0)).collect()
}

fn drawn(widget: impl Widget) -> String {
    let area = Rect::new(0, 0, WIDTH, HEIGHT);
    let mut buffer = Buffer::empty(area);
    widget.render(area, &mut buffer);
    to_text(&buffer)
}

fn line(title: &str, series: &[(Date, f64)], baseline: Option<f64>, decimals: u8) -> String {
    let ends = series.first().zip(series.last()).map(|(first, last)| (first.0.to_string(), last.0.to_string()));
    let Some((first, last)) = ends.filter(|_| series.len() > 1) else {
        return format!("{title}\n  too few days to draw anything\n");
    };
    let values: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
    let curve = Curve::new(&values).baseline(baseline).labels(&first, &last).decimals(decimals);
    format!("{title}\n{}", drawn(curve))
}

/// Percent by month, a line for each year.
fn months(growth: &[(Date, f64)]) -> String {
    let cells = by_month(growth);
    let mut out = String::from("Months, percent\n      ");
    for name in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] {
        out += &format!("{name:>7}");
    }
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return out + "\n" };
    for year in first.0..=last.0 {
        out += &format!("\n{year:<6}");
        for month in 1..=12 {
            let cell = cells.iter().find(|cell| (cell.0, cell.1) == (year, month));
            out += &cell.map_or_else(|| " ".repeat(7), |cell| format!("{:>7}", hundredths(cell.2)));
        }
    }
    out + "\n"
}

fn distribution(daily: &[(Date, f64)]) -> String {
    let values: Vec<f64> = daily.iter().map(|(_, value)| *value).collect();
    let Some(found) = Distribution::of(&values) else { return "Daily returns\n  no day moved\n".to_owned() };
    let tallest = f64::from(found.counts.iter().copied().max().unwrap_or(1).max(1));
    let size = 2.0 * found.most / found.counts.len() as f64;
    let mut out = format!("Daily returns: {} days in steps of {:.3} %\n", values.len(), size * 100.0);
    for (place, count) in found.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let middle = (place as f64 + 0.5) * size - found.most;
        out += &format!(
            "{:>+8.3} % {:>5} {}\n",
            middle * 100.0,
            count,
            gauge_bar(f64::from(*count) / tallest, BAR).trim_end_matches('·')
        );
    }
    out
}

fn scatter(trips: &[(Date, f64)]) -> String {
    let title = format!("Round trips by the day of their end, percent of the value bought: {}", trips.len());
    let Some((first, last)) = trips.iter().map(|trip| trip.0).min().zip(trips.iter().map(|trip| trip.0).max()) else {
        return format!("{title}\n");
    };
    let day = |date: Date| f64::from((date - first).get_days());
    let points: Vec<(f64, f64)> = trips.iter().map(|(date, value)| (day(*date), value * 100.0)).collect();
    let high = points.iter().map(|point| point.1.abs()).fold(0.01, f64::max);
    let zero = [(0.0, 0.0), (day(last).max(1.0), 0.0)];
    let chart = Chart::new(vec![of_line(&zero), of_points(&points)])
        .x_axis(
            Axis::default()
                .bounds([0.0, day(last).max(1.0)])
                .labels([Line::from(first.to_string()), Line::from(last.to_string())]),
        )
        .y_axis(Axis::default().bounds([-high, high]).labels([
            format!("{:+.2}", -high),
            "0.00".to_owned(),
            format!("{high:+.2}"),
        ]));
    format!("{title}\n{}", drawn(chart))
}

fn of_points(points: &[(f64, f64)]) -> Dataset<'_> {
    Dataset::default().marker(Marker::Dot).graph_type(GraphType::Scatter).data(points)
}

fn of_line(points: &[(f64, f64)]) -> Dataset<'_> {
    Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line).data(points)
}

/// What was said against what came true, beside the diagonal on which a chance is what it says.
fn calibration(forecasts: Option<&Forecasts>) -> String {
    let Some(forecasts) = forecasts else { return "Calibration\n  no chance was stated\n".to_owned() };
    let points: Vec<(f64, f64)> = forecasts.curve.iter().map(|bin| (bin.stated * 100.0, bin.happened * 100.0)).collect();
    let chart = Chart::new(vec![of_line(&[(0.0, 0.0), (100.0, 100.0)]), of_points(&points)])
        .x_axis(Axis::default().bounds([0.0, 100.0]).labels(["0 % said", "50 %", "100 %"]))
        .y_axis(Axis::default().bounds([0.0, 100.0]).labels(["0 %", "50 % came true", "100 %"]));
    format!("Calibration of {} stated chances\n{}", forecasts.calls, drawn(chart))
}
