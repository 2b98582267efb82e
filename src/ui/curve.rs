//! A line of values over time, such as equity, in braille dots; and a bar for a share of a limit.
//!
//! Values are plain numbers here, since they only become places on the screen. One that is not finite or beyond 10¹⁵ leaves a gap in
//! the line rather than being joined over.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

/// Draws all values across the whole width, two by four dots to a cell. Where several values share a column of dots the line covers
/// them all, so that no peak is lost.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    values: &'a [f64],
    baseline: Option<f64>,
    first: &'a str,
    last: &'a str,
    decimals: u8,
    line: Style,
    axis: Style,
}

impl<'a> Curve<'a> {
    /// A curve of `values`, the oldest first.
    pub const fn new(values: &'a [f64]) -> Self {
        Self {
            values,
            baseline: None,
            first: "",
            last: "",
            decimals: 2,
            line: Style::new().fg(Color::Cyan),
            axis: Style::new().fg(Color::DarkGray),
        }
    }

    /// A value to compare with, drawn as a faint dashed line; the axis always reaches it.
    #[must_use]
    pub const fn baseline(mut self, baseline: Option<f64>) -> Self {
        self.baseline = baseline;
        self
    }

    /// What stands below the first and the last value; the last comes first where there is no room for both.
    #[must_use]
    pub const fn labels(mut self, first: &'a str, last: &'a str) -> Self {
        self.first = first;
        self.last = last;
        self
    }

    /// Decimals of the values on the axis, 10 at most.
    #[must_use]
    pub const fn decimals(mut self, decimals: u8) -> Self {
        self.decimals = decimals;
        self
    }

    /// Styles of the line, and of axis, labels and baseline.
    #[must_use]
    pub const fn styles(mut self, line: Style, axis: Style) -> Self {
        self.line = line;
        self.axis = axis;
        self
    }
}

impl Widget for Curve<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        let Some(plan) = self.plan(area) else {
            write_message(buf, area, self.axis);
            return;
        };
        self.draw_baseline(&plan, buf);
        self.draw_curve(&plan, buf);
        self.draw_axis(&plan, buf);
        self.draw_labels(&plan, buf);
    }
}

/// A bar of eighth blocks on a dotted track, `width` columns wide (65,535 at most). `fraction` is cut to 0..=1, and one that is not a
/// number counts as 0. Any use shows at least an eighth, and only a full share fills the bar.
pub fn gauge_bar(fraction: f64, width: usize) -> String {
    let width = width.min(usize::from(u16::MAX));
    let full = width * 8;
    let used = if fraction >= 1.0 {
        full
    } else if fraction > 0.0 {
        ((fraction * full as f64).round() as usize).clamp(1, full.saturating_sub(1).max(1))
    } else {
        0
    };
    let block = |column: usize| match used.saturating_sub(column * 8) {
        0 => '·',
        1 => '▏',
        2 => '▎',
        3 => '▍',
        4 => '▌',
        5 => '▋',
        6 => '▊',
        7 => '▉',
        _ => '█',
    };
    (0..width).map(block).collect()
}

/// Where the parts lie. A part without room has no width or height.
struct Plan {
    scale: Scale,
    curve: Rect,
    axis: Rect,
    dates: Rect,
}

impl Plan {
    /// The row of dots a value lies in, from the top; `None` outside.
    fn dot_row(&self, value: f64) -> Option<u16> {
        self.scale.step(value, self.curve.height.saturating_mul(4))
    }

    fn row(&self, value: f64) -> Option<u16> {
        self.dot_row(value).map(|dot| self.curve.y + dot / 4)
    }
}

/// The fewest columns of the curve beside an axis.
const NARROWEST: u16 = 6;

impl Curve<'_> {
    /// Divides the area; `None` if there is nothing to draw or nowhere to draw it.
    fn plan(&self, area: Rect) -> Option<Plan> {
        if area.is_empty() || !self.values.iter().any(|value| is_drawable(*value)) {
            return None;
        }
        let scale = Scale::over(self.values.iter().copied().chain(self.baseline), self.decimals)?;
        let axis = Some(scale.label_width().saturating_add(2)).filter(|width| area.width >= width.saturating_add(NARROWEST));
        let axis = axis.unwrap_or(0);
        let width = area.width - axis;
        let has_labels = !(self.first.is_empty() && self.last.is_empty());
        let dates = u16::from(area.height >= 3 && has_labels);
        let height = area.height - dates;
        Some(Plan {
            scale,
            curve: Rect { width, height, ..area },
            axis: Rect { x: area.x + width, width: axis, height, ..area },
            dates: Rect { y: area.y + height, width, height: dates, ..area },
        })
    }

    fn draw_baseline(&self, plan: &Plan, buf: &mut Buffer) {
        let Some(row) = self.baseline.and_then(|value| plan.row(value)) else { return };
        for column in plan.curve.left()..plan.curve.right() {
            put(buf, (column, row), '╌', self.axis.add_modifier(Modifier::DIM));
        }
    }

    fn draw_curve(&self, plan: &Plan, buf: &mut Buffer) {
        let mut canvas = Canvas::new(plan.curve);
        let columns = plan.curve.width.saturating_mul(2);
        let mut previous: Option<(u16, u16)> = None;
        for column in 0..columns {
            let span = span_at(self.values, usize::from(column), usize::from(columns));
            let span = span.and_then(|(low, high)| Some((plan.dot_row(high)?, plan.dot_row(low)?)));
            if let Some((top, bottom)) = span {
                // The line leads here from where the column before ended.
                let (above, below) = previous.unwrap_or((top, bottom));
                let (from, to) = (top.min(below.saturating_add(1)), bottom.max(above.saturating_sub(1)));
                (from..=to).for_each(|row| canvas.add(column, row));
            }
            previous = span;
        }
        canvas.draw(buf, self.line);
    }

    fn draw_axis(&self, plan: &Plan, buf: &mut Buffer) {
        for row in plan.axis.rows().filter(|row| !row.is_empty()) {
            put(buf, (row.x, row.y), '│', self.axis);
        }
        for value in plan.scale.ticks(plan.curve.height) {
            draw_value(plan, value, self.axis, buf);
        }
        if let Some(value) = self.values.iter().rev().find(|value| is_drawable(**value)) {
            draw_value(plan, *value, self.line.add_modifier(Modifier::REVERSED), buf);
        }
    }

    fn draw_labels(&self, plan: &Plan, buf: &mut Buffer) {
        let (first, last) = (self.first.width(), self.last.width());
        let width = usize::from(plan.dates.width);
        if plan.dates.is_empty() {
            return;
        }
        if last <= width {
            let start = plan.dates.right().saturating_sub(u16::try_from(last).unwrap_or(0));
            buf.set_stringn(start, plan.dates.y, self.last, last, self.axis);
        }
        let taken = if last > 0 && last <= width { last + 2 } else { 0 };
        if first + taken <= width {
            buf.set_stringn(plan.dates.x, plan.dates.y, self.first, first, self.axis);
        }
    }
}

/// The lowest and highest value of one column of dots out of `columns`; `None` where the line has a gap.
fn span_at(values: &[f64], column: usize, columns: usize) -> Option<(f64, f64)> {
    let count = values.len();
    if count > columns {
        let (start, end) = (column * count / columns, (column + 1) * count / columns);
        let drawable = values.get(start..end)?.iter().copied().filter(|value| is_drawable(*value));
        return drawable.map(|value| (value, value)).reduce(|all, next| (all.0.min(next.0), all.1.max(next.1)));
    }
    let at = |index: usize| values.get(index).copied().filter(|value| is_drawable(*value));
    if count < 2 {
        // A single value is the latest one, so it is a dot at the right edge.
        return at(0).filter(|_| column + 1 == columns).map(|value| (value, value));
    }
    let (whole, last) = (column * (count - 1), columns - 1);
    let (index, share) = (whole / last, (whole % last) as f64 / last as f64);
    let from = at(index)?;
    let value = if share > 0.0 { from + (at(index + 1)? - from) * share } else { from };
    Some((value, value))
}

/// A grid of braille dots over an area.
struct Canvas {
    area: Rect,
    patterns: Vec<u8>,
}

impl Canvas {
    fn new(area: Rect) -> Self {
        Self { area, patterns: vec![0; usize::from(area.width) * usize::from(area.height)] }
    }

    /// Adds a dot, counted from the top left; one outside is ignored.
    fn add(&mut self, column: u16, row: u16) {
        const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let dot = DOTS.get(usize::from(row % 4)).and_then(|dots| dots.get(usize::from(column % 2)));
        let place = usize::from(row / 4) * usize::from(self.area.width) + usize::from(column / 2);
        if let (Some(dot), Some(pattern)) = (dot, self.patterns.get_mut(place)) {
            *pattern |= dot;
        }
    }

    fn draw(&self, buf: &mut Buffer, style: Style) {
        for (place, pattern) in self.area.positions().zip(&self.patterns) {
            let braille = char::from_u32(0x2800 + u32::from(*pattern)).filter(|_| *pattern > 0);
            if let Some(braille) = braille {
                put(buf, (place.x, place.y), braille, style);
            }
        }
    }
}

/// The values between the highest and the lowest row.
struct Scale {
    low: f64,
    high: f64,
    decimals: usize,
}

impl Scale {
    /// A scale over all values that can be drawn; a little more where they are equal, `None` where there is none.
    fn over(values: impl Iterator<Item = f64>, decimals: u8) -> Option<Self> {
        let spans = values.filter(|value| is_drawable(*value)).map(|value| (value, value));
        let (low, high) = spans.reduce(|all, next| (all.0.min(next.0), all.1.max(next.1)))?;
        let scale = Self { low, high, decimals: usize::from(decimals.min(10)) };
        let unit = scale.unit();
        let margin = if high - low >= unit { 0.0 } else { unit.max(high.abs() / 1000.0) };
        Some(Self { low: low - margin, high: high + margin, ..scale })
    }

    /// The smallest difference the labels can show.
    fn unit(&self) -> f64 {
        (0..self.decimals).fold(1.0, |unit, _| unit / 10.0)
    }

    /// The step from the top, of `steps` steps; `None` for a value outside.
    fn step(&self, value: f64, steps: u16) -> Option<u16> {
        let share = (self.high - value) / (self.high - self.low);
        let last = f64::from(steps.saturating_sub(1));
        (0.0..=1.0).contains(&share).then(|| (share * last).round() as u16)
    }

    /// Round values about three rows apart: multiples of 1, 2 or 5 times a power of ten.
    fn ticks(&self, rows: u16) -> impl Iterator<Item = f64> {
        let least = (self.high - self.low) / f64::from((rows / 3).max(1));
        let mut power = self.unit();
        while power * 10.0 <= least {
            power *= 10.0;
        }
        let fits = |factor: &f64| power * factor * (1.0 + 1e-9) >= least;
        let step = power * [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0);
        // A value on the edge counts as inside although its quotient may be off by a rounding.
        let slack = 1e-9;
        let (first, low, high) = ((self.low / step - slack).ceil(), self.low, self.high);
        let values = (0..=rows).map(move |count| (first + f64::from(count)) * step);
        values.take_while(move |value| *value <= high + slack * step).map(move |value| value.max(low).min(high))
    }

    /// A value as the axis shows it; never a negative zero.
    fn label(&self, value: f64) -> String {
        let decimals = self.decimals;
        let label = format!("{value:.decimals$}");
        let is_zero = label.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
        if is_zero { label.replace('-', "") } else { label }
    }

    /// Columns of the longest label between the lowest and the highest value.
    fn label_width(&self) -> u16 {
        let width = self.label(self.low).len().max(self.label(self.high).len());
        u16::try_from(width).unwrap_or(u16::MAX)
    }
}

/// Marks a value on the axis. A label that has no room is left out: half a number would be another number.
fn draw_value(plan: &Plan, value: f64, style: Style, buf: &mut Buffer) {
    let label = plan.scale.label(value);
    let width = usize::from(plan.axis.width.saturating_sub(1));
    let Some(row) = plan.row(value).filter(|_| label.len() < width) else { return };
    put(buf, (plan.axis.x, row), '├', style.remove_modifier(Modifier::REVERSED));
    buf.set_stringn(plan.axis.x + 1, row, format!("{label:>width$}"), width, style);
}

fn write_message(buf: &mut Buffer, area: Rect, style: Style) {
    const MESSAGE: &str = "no values yet";
    let width = MESSAGE.len() as u16;
    if area.width >= width && area.height > 0 {
        buf.set_string(area.x + (area.width - width) / 2, area.y + (area.height - 1) / 2, MESSAGE, style);
    }
}

fn put(buf: &mut Buffer, place: (u16, u16), glyph: char, style: Style) {
    if let Some(cell) = buf.cell_mut(place) {
        cell.set_char(glyph).set_style(style);
    }
}

fn is_drawable(value: f64) -> bool {
    value.is_finite() && value.abs() <= 1e15
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Modifier, Style};
    use ratatui::widgets::Widget;

    use super::{Curve, Scale, gauge_bar};

    fn drawn(curve: Curve<'_>, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        curve.render(buffer.area, &mut buffer);
        buffer
    }

    fn rows(buffer: &Buffer) -> Vec<String> {
        let row = |y: u16| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_rise_goes_from_bottom_left_to_top_right() {
        assert_eq!(rows(&drawn(Curve::new(&[0.0, 7.0]), 4, 2)), ["  ⡠⠊", "⡠⠊"]);
        assert_eq!(rows(&drawn(Curve::new(&[7.0, 0.0]), 4, 2)), ["⠑⢄", "  ⠑⢄"]);
    }

    #[test]
    fn a_step_is_joined() {
        assert_eq!(rows(&drawn(Curve::new(&[0.0, 0.0, 7.0, 7.0]), 2, 2)), [" ⡏", "⣀⠇"]);
    }

    #[test]
    fn a_peak_among_many_values_survives() {
        let mut values = [0.0; 1000];
        values[501] = 50.0;
        let top = rows(&drawn(Curve::new(&values), 10, 5)).remove(0);
        assert_eq!(top.trim().chars().count(), 1, "{top:?}");
    }

    #[test]
    fn a_missing_value_is_a_gap() {
        let values = [1.0, 1.0, f64::NAN, 1.0, 1.0];
        let line = rows(&drawn(Curve::new(&values), 9, 1)).concat();
        assert!(line.starts_with('⠒') || line.starts_with('⠤'), "{line:?}");
        assert!(line.contains("   "), "{line:?}");
    }

    #[test]
    fn a_single_value_is_a_dot_at_the_right_edge() {
        let row = rows(&drawn(Curve::new(&[5.0]), 5, 1)).concat();
        assert_eq!(row.trim_start().chars().count(), 1);
        assert_eq!(row.chars().count(), 5);
    }

    #[test]
    fn nothing_to_draw_says_so() {
        assert_eq!(rows(&drawn(Curve::new(&[]).baseline(Some(1.0)), 15, 1)), [" no values yet"]);
        assert_eq!(rows(&drawn(Curve::new(&[f64::NAN]), 12, 1)), [""]);
    }

    #[test]
    fn the_baseline_is_always_in_sight() {
        let buffer = drawn(Curve::new(&[110.0, 120.0]).baseline(Some(100.0)), 10, 6);
        assert_eq!(rows(&buffer)[5], "╌".repeat(10));
        assert!(buffer[(0, 5)].modifier.contains(Modifier::DIM));
    }

    #[test]
    fn the_axis_marks_the_last_value() {
        let buffer = drawn(Curve::new(&[100_000.0, 101_250.5]).decimals(1), 40, 9);
        assert!(rows(&buffer)[0].ends_with("├ 101250.5"));
        assert!(rows(&buffer)[8].ends_with("├ 100000.0"));
        assert!(buffer[(39, 0)].modifier.contains(Modifier::REVERSED));
        assert!(!buffer[(39, 8)].modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn labels_stand_at_the_edges_of_the_curve() {
        let values = [1.0, 2.0];
        let labels = |width| rows(&drawn(Curve::new(&values).decimals(0).labels("1 Jan", "31 Dec"), width, 4)).pop().unwrap();
        assert_eq!(labels(20), "1 Jan      31 Dec");
        assert_eq!(labels(9), "31 Dec");
        assert_eq!(labels(5), "1 Jan");
    }

    #[test]
    fn ticks_are_round() {
        let scale = Scale::over([99_500.0, 101_250.0].into_iter(), 0).unwrap();
        let labels: Vec<_> = scale.ticks(12).map(|value| scale.label(value)).collect();
        assert_eq!(labels, ["99500", "100000", "100500", "101000"]);
    }

    #[test]
    fn gauges_show_used_and_free_parts() {
        assert_eq!(gauge_bar(0.0, 4), "····");
        assert_eq!(gauge_bar(0.5, 4), "██··");
        assert_eq!(gauge_bar(0.59375, 4), "██▍·");
        assert_eq!(gauge_bar(1.0, 4), "████");
        assert_eq!(gauge_bar(7.0, 4), "████");
        assert_eq!(gauge_bar(-1.0, 4), "····");
        assert_eq!(gauge_bar(f64::NAN, 4), "····");
        assert_eq!(gauge_bar(f64::INFINITY, 2), "██");
        assert_eq!(gauge_bar(0.5, 0), "");
    }

    #[test]
    fn gauges_round_neither_to_nothing_nor_to_the_limit() {
        assert_eq!(gauge_bar(0.0001, 3), "▏··");
        assert_eq!(gauge_bar(0.9999, 3), "██▉");
    }

    #[test]
    fn no_size_and_no_value_fails() {
        let wave: Vec<f64> = (0..500).map(|index| 1e5 + 900.0 * (f64::from(index) / 9.0).sin()).collect();
        let wild = [f64::NAN, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e15, -1e15, 0.0, -0.0, 5e-324];
        let sets: [&[f64]; 6] = [&wave, &wild, &[3.0; 4], &[0.0], &[], &[1.0, 2.0]];
        let sizes = (0..=60).flat_map(|width| (0..=40).map(move |height| (width, height)));
        for (width, height) in sizes.chain([(300, 300), (300, 1), (1, 300), (300, 0), (0, 300)]) {
            for values in sets {
                drawn(Curve::new(values).labels("日本", "today").baseline(Some(2.0)), width, height);
                drawn(Curve::new(values).decimals(255).baseline(Some(f64::NAN)), width, height);
            }
        }
    }

    #[test]
    fn an_area_outside_the_buffer_is_cut() {
        let mut buffer = Buffer::empty(Rect::new(3, 2, 10, 6));
        Curve::new(&[1.0, 2.0]).styles(Style::new(), Style::new()).render(Rect::new(8, 5, 40, 40), &mut buffer);
        Curve::new(&[1.0, 2.0]).render(Rect::new(60, 60, 5, 5), &mut buffer);
    }
}
