//! A rectangle with dates along the bottom and numbers up the side.

use jiff::civil::Date;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 848.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 194.0;

/// How numbers up the side are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// 1 is where the account began.
    Growth,
    /// A share as percent.
    Percent,
    /// As it is.
    Number,
}

/// The rectangle.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    first: Date,
    days: f64,
    low: f64,
    high: f64,
    axis: Axis,
}

/// Text as it may stand between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() && letter != '\n' => {}
            letter => out.push(letter),
        }
    }
    out
}

impl Frame {
    /// A frame for these dates and values; `None` for a single day or values that are not finite.
    pub fn new(dates: (Date, Date), values: (f64, f64), axis: Axis) -> Option<Self> {
        let (low, high) = values;
        let days = f64::from((dates.1 - dates.0).get_days());
        if days <= 0.0 || !low.is_finite() || !high.is_finite() {
            return None;
        }
        let room = ((high - low) * 0.05).max(1e-9);
        Some(Self { first: dates.0, days, low: low - room, high: high + room, axis })
    }

    /// Where a value stands.
    pub fn at(&self, date: Date, value: f64) -> (f64, f64) {
        let days = f64::from((date - self.first).get_days());
        (LEFT + (RIGHT - LEFT) * days / self.days, self.height(value))
    }

    fn height(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)
    }

    fn points(&self, series: &[(Date, f64)]) -> String {
        let point = |(date, value): &(Date, f64)| {
            let (x, y) = self.at(*date, *value);
            format!("{x:.1},{y:.1}")
        };
        series.iter().map(point).collect::<Vec<_>>().join(" ")
    }

    /// A line through all values; `dash` as SVG has it, none for a solid line.
    pub fn line(&self, series: &[(Date, f64)], colour: &str, dash: &str) -> String {
        let dash = if dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dash}""#) };
        format!(r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.3"{dash}/>"#, self.points(series))
    }

    /// What lies between the values and zero.
    pub fn area(&self, series: &[(Date, f64)], colour: &str) -> String {
        let zero = self.height(0.0);
        let ends = series.first().zip(series.last()).map(|(first, last)| (self.at(first.0, 0.0).0, self.at(last.0, 0.0).0));
        let Some((from, to)) = ends else { return String::new() };
        let points = self.points(series);
        format!(
            r#"<polygon points="{from:.1},{zero:.1} {points} {to:.1},{zero:.1}" fill="{colour}" fill-opacity="0.35" stroke="{colour}" stroke-width="1"/>"#
        )
    }

    /// A thin line at a value.
    pub fn level(&self, value: f64) -> String {
        let y = self.height(value);
        format!(r##"<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}" stroke="#777" stroke-width="0.8"/>"##)
    }

    /// The whole drawing, with its axes.
    pub fn drawn(&self, title: &str, inside: &str) -> String {
        let title = escape(title);
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="12"><title>{title}</title>{}{inside}</svg>"#,
            self.axes()
        )
    }

    fn axes(&self) -> String {
        let mut out = String::new();
        let step = nice((self.high - self.low) / 4.0);
        let mut value = libm::ceil(self.low / step) * step;
        while value <= self.high {
            let y = self.height(value);
            out += &format!(r##"<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}" stroke="#e3e6ea"/>"##);
            out += &format!(
                r##"<text x="{:.0}" y="{:.1}" text-anchor="end" fill="#555">{}</text>"##,
                LEFT - 6.0,
                y + 4.0,
                self.label(value, step)
            );
            value += step;
        }
        for sixth in 0_u8..=6 {
            let days = self.days * f64::from(sixth) / 6.0;
            let date = self.first.checked_add(jiff::Span::new().days(days as i64)).unwrap_or(self.first);
            let text = if self.days > 1_200.0 { date.strftime("%Y").to_string() } else { date.strftime("%Y-%m-%d").to_string() };
            let anchor = match sixth {
                0 => "start",
                6 => "end",
                _ => "middle",
            };
            let x = self.at(date, 0.0).0;
            out += &format!(r##"<text x="{x:.1}" y="212" text-anchor="{anchor}" fill="#555">{text}</text>"##);
        }
        out
    }

    fn label(&self, value: f64, step: f64) -> String {
        // Adding up steps leaves a rest where zero should be.
        let value = if value.abs() < step / 1e6 { 0.0 } else { value };
        let digits = |step: f64| usize::try_from((-libm::floor(libm::log10(step) + 1e-9)) as i64).unwrap_or(0);
        match self.axis {
            Axis::Percent => format!("{value:.digits$} %", value = value * 100.0, digits = digits(step * 100.0)),
            Axis::Growth | Axis::Number => format!("{value:.digits$}", digits = digits(step)),
        }
    }
}

/// One, two or five times a power of ten, not below `step`.
fn nice(step: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(step)));
    [1.0, 2.0, 5.0].into_iter().map(|times| times * power).find(|nice| *nice >= step * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_labels_have_the_digits_they_need() {
        for (step, expected) in [(0.0013, 0.002), (0.3, 0.5), (1.0, 1.0), (6.0, 10.0)] {
            assert!((nice(step) - expected).abs() < 1e-12, "{step}");
        }
        let frame = |axis| Frame::new((jiff::civil::date(2020, 1, 1), jiff::civil::date(2020, 2, 1)), (0.0, 1.0), axis).unwrap();
        assert_eq!(frame(Axis::Percent).label(0.0125, 0.0005), "1.25 %");
        assert_eq!(frame(Axis::Number).label(-1e-17, 0.5), "0.0");
        assert_eq!(frame(Axis::Growth).label(20.0, 10.0), "20");
    }

    #[test]
    fn nothing_from_outside_becomes_a_tag() {
        assert_eq!(escape("<a href=\"x\">&'\u{1b}[0m"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;[0m");
    }
}
