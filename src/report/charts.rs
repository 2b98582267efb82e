//! Drawings of results, each one `svg` element without scripts, fonts or links. Colour never says anything that shape or place does not.

use jiff::civil::Date;

use crate::report::Block;
use crate::report::scale::{Axis, Frame};
use crate::report::series::{Distribution, Rolling, Series, at_the_same_risk, by_month, falls, returns, values};
use crate::report::words::hundredths;
use crate::stats;

pub(super) const INK: &str = "#1f3a5f";
const PALE: &str = "#9aa7b5";
const GOOD: &str = "#2c7a51";
pub(super) const BAD: &str = "#b0413e";
/// More points than this on a line are thinned to the lowest and highest of each stretch.
const MOST_STRETCHES: usize = 800;

/// All drawings, in their order. A line says so where there is nothing to draw.
pub fn pictures(series: Series<'_>) -> Vec<Block> {
    let returns = returns(series.growth);
    vec![
        equity(series, &returns),
        under_water(series.growth),
        rolling(series, &returns),
        months(series.growth),
        distribution(&returns),
        trips(series),
    ]
}

fn picture(title: &str, caption: String, svg: Option<String>) -> Block {
    match svg {
        Some(svg) => Block::Picture { title: title.to_owned(), svg, caption },
        None => {
            Block::Picture { title: title.to_owned(), svg: String::new(), caption: "Too few days to draw anything.".to_owned() }
        }
    }
}

/// The lowest and the highest value of each stretch, in their order.
fn thinned(series: &[(Date, f64)]) -> Vec<(Date, f64)> {
    let length = series.len().div_ceil(MOST_STRETCHES).max(1);
    if length == 1 {
        return series.to_vec();
    }
    let ends = |stretch: &[(Date, f64)]| {
        let by_value = |one: &&(Date, f64), other: &&(Date, f64)| one.1.total_cmp(&other.1);
        let mut ends: Vec<(Date, f64)> =
            [stretch.iter().min_by(by_value), stretch.iter().max_by(by_value)].into_iter().flatten().copied().collect();
        ends.sort_by_key(|(date, _)| *date);
        ends
    };
    series.chunks(length).flat_map(ends).collect()
}

fn frame(series: &[&[(Date, f64)]], include: &[f64], axis: Axis) -> Option<Frame> {
    let all = || series.iter().flat_map(|series| series.iter());
    let dates = (all().map(|(date, _)| *date).min()?, all().map(|(date, _)| *date).max()?);
    let low = all().map(|(_, value)| *value).chain(include.iter().copied()).fold(f64::INFINITY, f64::min);
    let high = all().map(|(_, value)| *value).chain(include.iter().copied()).fold(f64::NEG_INFINITY, f64::max);
    Frame::new(dates, (low, high), axis)
}

fn equity(series: Series<'_>, returns: &[(Date, f64)]) -> Block {
    let held = at_the_same_risk(series, returns).unwrap_or_default();
    let svg = frame(&[series.growth, &held], &[1.0], Axis::Growth).map(|frame| {
        let lines =
            [frame.line(&thinned(&held), PALE, "5 3"), frame.level(1.0), frame.line(&thinned(series.growth), INK, "")].concat();
        frame.drawn("Equity", &lines)
    });
    let caption = "Solid: the account, from 1. Dashed: everything on the tape held equally, with just so much of it that it swings as much as the \
                   account. What is above the other has earned more for the same risk."
        .to_owned();
    picture("Equity", caption, svg)
}

fn under_water(growth: &[(Date, f64)]) -> Block {
    let falls = falls(growth);
    let deepest = falls.iter().map(|(_, fall)| *fall).fold(0.0, f64::min);
    let svg = frame(&[&falls], &[0.0], Axis::Percent).map(|frame| frame.drawn("Under water", &frame.area(&thinned(&falls), BAD)));
    picture("Under water", format!("How far the account stood below its highest day; at worst {:.2} %.", deepest * 100.0), svg)
}

fn rolling(series: Series<'_>, returns: &[(Date, f64)]) -> Block {
    let Rolling { window, swing, ratios } = Rolling::of(returns, series.days_per_year);
    let svg = frame(&[&ratios], &[0.0], Axis::Number).map(|frame| {
        let lines = [frame.level(0.0), frame.line(&thinned(&ratios), INK, "")].concat();
        frame.drawn("Rolling Sharpe ratio", &lines)
    });
    let caption = format!(
        "Of the last {window} days, a year. With so few days it swings by about {:.1} to both sides without any skill.",
        swing
    );
    picture("Rolling Sharpe ratio", caption, svg)
}

/// Returns by month, years downwards.
fn months(growth: &[(Date, f64)]) -> Block {
    let cells = by_month(growth);
    let caption = "Percent a month; the deeper the colour, the further from zero. A minus is a loss.".to_owned();
    picture("Months", caption, (!cells.is_empty()).then(|| heat_map(&cells)))
}

fn heat_map(cells: &[(i16, i8, f64)]) -> String {
    const WIDE: f64 = 64.0;
    const HIGH: f64 = 22.0;
    let first = cells.first().map_or(0, |cell| cell.0);
    let years = cells.last().map_or(0, |cell| cell.0) - first + 1;
    let most = cells.iter().map(|cell| cell.2.abs()).fold(1e-12, f64::max);
    let mut inside = String::new();
    for (month, name) in (0_u8..).zip(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]) {
        inside += &format!(
            r##"<text x="{:.0}" y="14" text-anchor="middle" fill="#555">{name}</text>"##,
            86.0 + WIDE * f64::from(month)
        );
    }
    for year in 0..years {
        inside += &format!(
            r##"<text x="46" y="{:.0}" text-anchor="end" fill="#555">{}</text>"##,
            36.0 + HIGH * f64::from(year),
            first + year
        );
    }
    for (year, month, value) in cells {
        let (x, y) = (54.0 + WIDE * f64::from(month - 1), 20.0 + HIGH * f64::from(year - first));
        let (colour, depth) = (if *value < 0.0 { BAD } else { GOOD }, value.abs() / most);
        inside += &format!(
            r##"<rect x="{x:.0}" y="{y:.0}" width="{:.0}" height="{:.0}" fill="{colour}" fill-opacity="{:.2}"/>"##,
            WIDE - 2.0,
            HIGH - 2.0,
            0.06 + 0.6 * depth
        );
        inside +=
            &format!(r##"<text x="{:.0}" y="{:.0}" text-anchor="middle">{}</text>"##, x + 31.0, y + 15.0, hundredths(*value));
    }
    let height = 26.0 + HIGH * f64::from(years);
    format!(
        r#"<svg viewBox="0 0 860 {height:.0}" role="img" font-family="sans-serif" font-size="12"><title>Months</title>{inside}</svg>"#
    )
}

fn distribution(returns: &[(Date, f64)]) -> Block {
    let all = values(returns);
    let svg = Distribution::of(&all).map(|found| histogram(&found.counts, found.most));
    let still = all.iter().filter(|value| **value == 0.0).count();
    let shape = stats::shape(&all);
    let caption = format!(
        "{} days, {still} of them without any change; skewness {}, kurtosis {} (a normal distribution has 0 and 3).",
        all.len(),
        shape.map_or_else(|| "n/a".to_owned(), |shape| format!("{:.2}", shape.skewness)),
        shape.map_or_else(|| "n/a".to_owned(), |shape| format!("{:.1}", shape.kurtosis))
    );
    picture("Daily returns", caption, svg)
}

fn histogram(counts: &[u32], most: f64) -> String {
    let tallest = f64::from(counts.iter().copied().max().unwrap_or(1).max(1));
    let wide = 784.0 / counts.len() as f64;
    let mut inside = String::new();
    for (place, count) in (0_u32..).zip(counts) {
        let tall = 180.0 * libm::sqrt(f64::from(*count) / tallest);
        let colour = match (place as usize).cmp(&(counts.len() / 2)) {
            std::cmp::Ordering::Less => BAD,
            std::cmp::Ordering::Equal => PALE,
            std::cmp::Ordering::Greater => GOOD,
        };
        let (x, y) = (64.0 + wide * f64::from(place), 190.0 - tall);
        inside += &format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{tall:.1}" fill="{colour}"><title>{count}</title></rect>"#,
            wide - 1.5
        );
    }
    for (share, at) in [(-1.0, 64.0), (-0.5, 260.0), (0.0, 456.0), (0.5, 652.0), (1.0, 848.0)] {
        inside +=
            &format!(r##"<text x="{at:.0}" y="208" text-anchor="middle" fill="#555">{:+.2} %</text>"##, share * most * 100.0);
    }
    inside += r##"<text x="56" y="20" text-anchor="end" fill="#555">days, √</text>"##;
    format!(
        r#"<svg viewBox="0 0 890 214" role="img" font-family="sans-serif" font-size="12"><title>Daily returns</title>{inside}</svg>"#
    )
}

fn trips(series: Series<'_>) -> Block {
    let svg = frame(&[series.trips], &[0.0], Axis::Percent).map(|frame| {
        let mark = |(date, value): &(Date, f64)| {
            let (x, y) = frame.at(*date, *value);
            let (colour, points) = if *value > 0.0 {
                (GOOD, format!("{:.1},{:.1} {:.1},{:.1} {x:.1},{:.1}", x - 4.0, y + 3.0, x + 4.0, y + 3.0, y - 4.0))
            } else {
                (BAD, format!("{:.1},{:.1} {:.1},{:.1} {x:.1},{:.1}", x - 4.0, y - 3.0, x + 4.0, y - 3.0, y + 4.0))
            };
            format!(r#"<polygon points="{points}" fill="{colour}" fill-opacity="0.55"/>"#)
        };
        let marks: String = series.trips.iter().map(mark).collect();
        frame.drawn("Round trips", &[frame.level(0.0), marks].concat())
    });
    let won = series.trips.iter().filter(|(_, value)| *value > 0.0).count();
    let caption = format!(
        "{} round trips at the day of their end, by return on the value bought after cost. Upwards: {won} that won. Downwards: the others.",
        series.trips.len()
    );
    picture("Round trips", caption, svg)
}
