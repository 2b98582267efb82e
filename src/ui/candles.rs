//! A price chart: candles or a stepped line, moving averages, volume, a price axis and dates.
//!
//! It draws what it is given and computes no indicator. Prices are plain numbers here, since they only become places on the screen;
//! a bar with a price that is missing, not finite or beyond 10¹² leaves its column empty.

mod average;
mod figure;
mod scale;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use average::draw_average;
use figure::Figure;
use scale::Scale;

/// One bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candle {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// What was traded, where the source tells.
    pub volume: Option<f64>,
}

/// Draws the most recent candles that fit. Rising bodies are thin (`┃`), falling ones solid (`█`), equal prices a dash (`┼`), so that
/// direction shows without colour.
#[derive(Debug, Clone)]
pub struct CandleChart<'a> {
    candles: &'a [Candle],
    averages: &'a [(&'a [Option<f64>], Style)],
    labels: &'a [String],
    decimals: u8,
    is_forming: bool,
    is_line: bool,
    up: Style,
    down: Style,
    axis: Style,
    volume: Style,
}

impl<'a> CandleChart<'a> {
    /// A chart of `candles`, the oldest first.
    pub const fn new(candles: &'a [Candle]) -> Self {
        Self {
            candles,
            averages: &[],
            labels: &[],
            decimals: 2,
            is_forming: false,
            is_line: false,
            up: Style::new().fg(Color::Green),
            down: Style::new().fg(Color::Red),
            axis: Style::new().fg(Color::DarkGray),
            volume: Style::new().fg(Color::DarkGray),
        }
    }

    /// Says whether the last candle is still forming, which dims it.
    #[must_use]
    pub const fn forming(mut self, is_forming: bool) -> Self {
        self.is_forming = is_forming;
        self
    }

    /// Draws a stepped line of the closes, for sources that have nothing else.
    #[must_use]
    pub const fn line(mut self, is_line: bool) -> Self {
        self.is_line = is_line;
        self
    }

    /// Moving averages, one value per candle. They are drawn as dots where the candles leave room and do not widen the price axis.
    #[must_use]
    pub const fn averages(mut self, averages: &'a [(&'a [Option<f64>], Style)]) -> Self {
        self.averages = averages;
        self
    }

    /// The date below each candle; empty ones are passed over, and of the others as many are drawn as have room.
    #[must_use]
    pub const fn labels(mut self, labels: &'a [String]) -> Self {
        self.labels = labels;
        self
    }

    /// Decimals of the prices on the axis, 10 at most.
    #[must_use]
    pub const fn decimals(mut self, decimals: u8) -> Self {
        self.decimals = decimals;
        self
    }

    /// Styles of rising and falling bars, of axis and dates, and of the volume.
    #[must_use]
    pub const fn styles(mut self, up: Style, down: Style, axis: Style, volume: Style) -> Self {
        self.up = up;
        self.down = down;
        self.axis = axis;
        self.volume = volume;
        self
    }
}

impl Widget for CandleChart<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        let Some(plan) = self.plan(area) else {
            write_message(buf, area, self.axis);
            return;
        };
        if self.is_line {
            self.draw_line(&plan, buf);
        } else {
            self.draw_candles(&plan, buf);
        }
        self.draw_volume(&plan, buf);
        for (values, style) in self.averages {
            draw_average(&plan, values, *style, buf);
        }
        self.draw_axis(&plan, buf);
        self.draw_labels(&plan, buf);
    }
}

/// Writes the last `width` values as one line of blocks between their lowest and highest; equal values are a row at mid-level, and a
/// value that is not finite leaves a gap. The line is padded on the left to exactly `width` columns (65,535 at most).
pub fn sparkline(values: &[f64], width: usize) -> String {
    let width = width.min(usize::from(u16::MAX));
    let values = tail(values, width);
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let level = |value: f64| match (value.is_finite(), high > low) {
        (false, _) => 0,
        (true, false) => 4,
        // Halves keep the difference of two huge values finite.
        (true, true) => 1 + ((value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) * 7.0).round() as usize,
    };
    let padding = (values.len()..width).map(|_| " ");
    padding.chain(values.iter().map(|value| eighths(level(*value)))).collect()
}

/// What is shown, and where its parts lie. A part without room has no width or height.
struct Plan<'a> {
    first: usize,
    shown: &'a [Candle],
    /// Columns from one candle to the next.
    slot: u16,
    scale: Scale,
    prices: Rect,
    volume: Rect,
    axis: Rect,
    dates: Rect,
}

impl Plan<'_> {
    /// The column of a shown candle; the last one lies at the axis.
    fn column(&self, index: usize) -> u16 {
        let newer = u16::try_from(self.shown.len().saturating_sub(index + 1)).unwrap_or(u16::MAX);
        self.prices.right().saturating_sub(1).saturating_sub(newer.saturating_mul(self.slot))
    }

    /// The row of a price, found by half rows as for candles; `None` where it lies outside.
    fn row(&self, price: f64) -> Option<u16> {
        self.scale.step(price, self.prices.height.saturating_mul(2)).map(|half| self.prices.y + half / 2)
    }
}

/// The fewest columns of candles beside an axis.
const NARROWEST: u16 = 6;

impl<'a> CandleChart<'a> {
    /// Divides the area; `None` if there is nothing to draw or nowhere to draw it.
    fn plan(&self, area: Rect) -> Option<Plan<'a>> {
        if area.is_empty() {
            return None;
        }
        let label_width = self.scale(tail(self.candles, usize::from(area.width)))?.label_width();
        let axis_width = Some(label_width.saturating_add(2)).filter(|width| area.width >= width.saturating_add(NARROWEST));
        let axis_width = axis_width.unwrap_or(0);
        let width = area.width - axis_width;
        let slot = if self.candles.len() <= usize::from(width.div_ceil(2)) { 2 } else { 1 };
        let shown = tail(self.candles, usize::from(width.div_ceil(slot)));

        let dates = u16::from(area.height >= 4 && !self.labels.is_empty());
        let body = area.height - dates;
        let has_volume = area.height >= 10 && shown.iter().any(|candle| traded(candle).is_some());
        let volume = if has_volume { body / 5 } else { 0 };
        let gap = u16::from(has_volume && area.height >= 14);
        Some(Plan {
            first: self.candles.len() - shown.len(),
            shown,
            slot,
            scale: self.scale(shown)?,
            prices: Rect { width, height: body - volume - gap, ..area },
            volume: Rect { y: area.y + body - volume, width, height: volume, ..area },
            axis: Rect { x: area.x + width, width: axis_width, height: body, ..area },
            dates: Rect { y: area.y + body, height: dates, ..area },
        })
    }

    fn scale(&self, candles: &[Candle]) -> Option<Scale> {
        Scale::over(candles.iter().filter_map(|candle| self.span(candle)), self.decimals)
    }

    /// The lowest and highest price to show of a candle, whatever its fields claim to be.
    fn span(&self, candle: &Candle) -> Option<(f64, f64)> {
        let Candle { open, high, low, close, .. } = *candle;
        let prices = if self.is_line { [close; 4] } else { [open, high, low, close] };
        let lowest = prices.into_iter().fold(close, f64::min);
        let highest = prices.into_iter().fold(close, f64::max);
        prices.into_iter().all(is_drawable).then_some((lowest, highest))
    }

    /// Dims the style of a candle that is still forming.
    fn dimmed(&self, plan: &Plan<'_>, index: usize, style: Style) -> Style {
        if self.is_forming && index + 1 == plan.shown.len() { style.add_modifier(Modifier::DIM) } else { style }
    }

    fn draw_candles(&self, plan: &Plan<'_>, buf: &mut Buffer) {
        for (index, candle) in plan.shown.iter().enumerate() {
            let figure = self.span(candle).and_then(|span| Figure::of(candle, span, &plan.scale, plan.prices.height));
            let style = self.dimmed(plan, index, if candle.close < candle.open { self.down } else { self.up });
            for row in 0..plan.prices.height {
                if let Some(glyph) = figure.as_ref().and_then(|figure| figure.glyph(row)) {
                    put(buf, (plan.column(index), plan.prices.y + row), glyph, style);
                }
            }
        }
    }

    fn draw_line(&self, plan: &Plan<'_>, buf: &mut Buffer) {
        let style = self.trend(plan);
        let mut previous = None;
        for (index, candle) in plan.shown.iter().enumerate() {
            let row = plan.row(candle.close);
            let column = plan.column(index);
            let style = self.dimmed(plan, index, style);
            if let Some(row) = row {
                let from = previous.unwrap_or(row);
                if previous.is_some() && plan.slot > 1 {
                    put(buf, (column.saturating_sub(1), from), "─", style);
                }
                draw_riser(buf, column, (from, row), style);
            }
            previous = row;
        }
    }

    /// One style for the whole line: up unless the last close shown is below the first.
    fn trend(&self, plan: &Plan<'_>) -> Style {
        let mut closes = plan.shown.iter().map(|candle| candle.close).filter(|close| is_drawable(*close));
        let first = closes.next();
        let last = closes.next_back().or(first);
        if last < first { self.down } else { self.up }
    }

    fn draw_volume(&self, plan: &Plan<'_>, buf: &mut Buffer) {
        let highest = plan.shown.iter().filter_map(traded).fold(0.0, f64::max);
        let full = usize::from(plan.volume.height) * 8;
        for (index, candle) in plan.shown.iter().enumerate() {
            let Some(volume) = traded(candle) else { continue };
            let height = ((volume / highest * full as f64).ceil() as usize).clamp(1, full.max(1));
            for row in 0..plan.volume.height {
                let below = usize::from(plan.volume.height - 1 - row) * 8;
                let level = height.saturating_sub(below).min(8);
                if level > 0 {
                    let style = self.dimmed(plan, index, self.volume);
                    put(buf, (plan.column(index), plan.volume.y + row), eighths(level), style);
                }
            }
        }
    }

    fn draw_axis(&self, plan: &Plan<'_>, buf: &mut Buffer) {
        for row in plan.axis.rows().filter(|row| !row.is_empty()) {
            put(buf, (row.x, row.y), "│", self.axis);
        }
        for price in plan.scale.ticks(plan.prices.height) {
            draw_price(plan, price, self.axis, buf);
        }
        if plan.volume.height > 0 && plan.axis.width >= 5 {
            buf.set_stringn(plan.axis.x + 2, plan.volume.y, "vol", 3, self.axis);
        }
        let last = plan.shown.iter().rev().find(|candle| self.span(candle).is_some());
        if let Some(candle) = last {
            let direction = if candle.close < candle.open { self.down } else { self.up };
            let style = if self.is_line { self.trend(plan) } else { direction };
            draw_price(plan, candle.close, style.add_modifier(Modifier::REVERSED), buf);
        }
    }

    fn draw_labels(&self, plan: &Plan<'_>, buf: &mut Buffer) {
        let (left, right) = (plan.dates.left(), plan.dates.right());
        let mut free = left;
        for index in 0..plan.shown.len() {
            let label = self.labels.get(plan.first + index).map_or("", String::as_str);
            let width = u16::try_from(label.width()).unwrap_or(u16::MAX);
            if plan.dates.is_empty() || width == 0 || width > right - left {
                continue;
            }
            let start = plan.column(index).saturating_sub(width / 2).clamp(left, right - width);
            if start >= free {
                buf.set_stringn(start, plan.dates.y, label, usize::from(width), self.axis);
                free = start.saturating_add(width).saturating_add(3);
            }
        }
    }
}

/// Marks a price on the axis. A label that has no room is left out: half a number would be another number.
fn draw_price(plan: &Plan<'_>, price: f64, style: Style, buf: &mut Buffer) {
    let label = plan.scale.label(price);
    let width = usize::from(plan.axis.width.saturating_sub(1));
    let Some(row) = plan.row(price).filter(|_| label.len() < width) else { return };
    put(buf, (plan.axis.x, row), "├", style.remove_modifier(Modifier::REVERSED));
    buf.set_stringn(plan.axis.x + 1, row, format!("{label:>width$}"), width, style);
}

/// Leads a line from one row to another inside a column.
fn draw_riser(buf: &mut Buffer, column: u16, (from, to): (u16, u16), style: Style) {
    for row in from.min(to)..=from.max(to) {
        let glyph = match (row == from, row == to, to < from) {
            (true, true, _) => "─",
            (true, false, true) => "╯",
            (true, false, false) => "╮",
            (false, true, true) => "╭",
            (false, true, false) => "╰",
            (false, false, _) => "│",
        };
        put(buf, (column, row), glyph, style);
    }
}

fn write_message(buf: &mut Buffer, area: Rect, style: Style) {
    const MESSAGE: &str = "no bars yet";
    let width = MESSAGE.len() as u16;
    if area.width >= width && area.height > 0 {
        buf.set_string(area.x + (area.width - width) / 2, area.y + (area.height - 1) / 2, MESSAGE, style);
    }
}

fn put(buf: &mut Buffer, place: (u16, u16), glyph: &str, style: Style) {
    if let Some(cell) = buf.cell_mut(place) {
        cell.set_symbol(glyph).set_style(style);
    }
}

/// A block of 0 to 8 eighths.
fn eighths(level: usize) -> &'static str {
    [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇"].get(level).copied().unwrap_or("█")
}

fn is_drawable(price: f64) -> bool {
    price.is_finite() && price.abs() <= 1e12
}

/// The volume of a candle that has one worth a bar.
fn traded(candle: &Candle) -> Option<f64> {
    candle.volume.filter(|volume| volume.is_finite() && *volume > 0.0)
}

fn tail<T>(items: &[T], count: usize) -> &[T] {
    items.get(items.len().saturating_sub(count)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier, Style};
    use ratatui::widgets::Widget;

    use super::{Candle, CandleChart, sparkline};

    fn candle(open: f64, high: f64, low: f64, close: f64) -> Candle {
        Candle { open, high, low, close, volume: None }
    }

    fn wave(count: usize) -> Vec<Candle> {
        let price = |index: usize| 100.0 + 10.0 * (index as f64 / 7.0).sin() + index as f64 / 10.0;
        let bar = |index: usize| {
            let (open, close) = (price(index), price(index + 1));
            Candle { volume: Some(1000.0 + open), ..candle(open, open.max(close) + 0.7, open.min(close) - 0.7, close) }
        };
        (0..count).map(bar).collect()
    }

    fn drawn(chart: CandleChart<'_>, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        chart.render(buffer.area, &mut buffer);
        buffer
    }

    fn rows(buffer: &Buffer) -> Vec<String> {
        let row = |y: u16| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    fn column(bar: Candle) -> String {
        rows(&drawn(CandleChart::new(&[bar]), 1, 5)).concat()
    }

    #[test]
    fn bodies_show_their_direction_without_colour() {
        assert_eq!(column(candle(2.0, 5.0, 1.0, 4.0)), "│┃┃┃│");
        assert_eq!(column(candle(4.0, 5.0, 1.0, 2.0)), "│███│");
    }

    #[test]
    fn half_rows_are_used() {
        assert_eq!(column(candle(2.0, 5.0, 1.0, 4.5)), "╽┃┃┃│");
        assert_eq!(column(candle(4.5, 5.0, 1.0, 2.0)), "▄███│");
    }

    #[test]
    fn equal_open_and_close_are_a_dash() {
        assert_eq!(column(candle(3.0, 5.0, 1.0, 3.0)), "││┼││");
        assert_eq!(column(candle(5.0, 5.0, 1.0, 5.0)), "┬││││");
        assert_eq!(column(candle(7.0, 7.0, 7.0, 7.0)).trim(), "─");
    }

    #[test]
    fn a_high_below_the_body_is_mended() {
        assert_eq!(column(candle(1.0, 2.0, 2.0, 5.0)), "┃┃┃┃┃");
    }

    #[test]
    fn nothing_to_draw_says_so() {
        assert_eq!(rows(&drawn(CandleChart::new(&[]), 21, 3)), ["", "     no bars yet", ""]);
        assert_eq!(rows(&drawn(CandleChart::new(&[]), 10, 1)), [""]);
        let broken = [candle(f64::NAN, 1.0, 1.0, 1.0), candle(1.0, f64::INFINITY, 1.0, 1.0)];
        assert_eq!(rows(&drawn(CandleChart::new(&broken), 11, 1)), ["no bars yet"]);
    }

    #[test]
    fn the_axis_marks_the_last_price() {
        let candles = [candle(1.08, 1.09, 1.07, 1.085), candle(1.085, 1.1, 1.08, 1.0842)];
        let buffer = drawn(CandleChart::new(&candles).decimals(4), 30, 12);
        let marked: Vec<_> = (0..12u16).filter(|y| buffer[(29, *y)].modifier.contains(Modifier::REVERSED)).collect();
        assert_eq!(marked.len(), 1);
        assert!(rows(&buffer)[usize::from(marked[0])].ends_with("├ 1.0842"));
        assert!(rows(&buffer).iter().any(|row| row.ends_with("├ 1.1000")));
    }

    #[test]
    fn numbers_are_whole_or_absent() {
        let candles = wave(80);
        for width in 1..60 {
            for row in rows(&drawn(CandleChart::new(&candles), width, 20)) {
                let label = row.split_once('├').map_or("0.00", |(_, label)| label.trim());
                assert!(label.split_once('.').is_some_and(|(_, decimals)| decimals.len() == 2), "{label:?} at {width}");
            }
        }
    }

    #[test]
    fn dates_do_not_overlap() {
        let candles = wave(80);
        let labels: Vec<String> = (0..80).map(|day| format!("2024-{:02}-{:02}", 1 + day / 28, 1 + day % 28)).collect();
        let buffer = drawn(CandleChart::new(&candles).labels(&labels), 70, 12);
        let last = rows(&buffer).pop().unwrap();
        assert!(last.split_whitespace().count() >= 4, "{last:?}");
        assert!(last.split_whitespace().all(|date| labels.iter().any(|label| label == date)), "{last:?}");
    }

    #[test]
    fn volume_needs_ten_rows() {
        let candles = wave(20);
        let style = Style::new().fg(Color::Magenta);
        let chart = CandleChart::new(&candles).styles(Style::new(), Style::new(), Style::new(), style);
        let has_volume = |height: u16| drawn(chart.clone(), 50, height).content.iter().any(|cell| cell.fg == Color::Magenta);
        assert!(has_volume(10) && !has_volume(9));
    }

    #[test]
    fn averages_leave_candles_alone() {
        let candles = wave(60);
        let average: Vec<_> = candles.iter().map(|candle| Some(candle.close + 4.0)).collect();
        let averages = [(average.as_slice(), Style::new().fg(Color::Yellow))];
        let plain = drawn(CandleChart::new(&candles), 60, 20);
        let dotted = drawn(CandleChart::new(&candles).averages(&averages), 60, 20);
        let mut dots = 0;
        for (before, after) in plain.content.iter().zip(&dotted.content) {
            assert!(before.symbol() == " " || before == after);
            dots += usize::from(before != after);
        }
        assert!(dots > 10);
    }

    #[test]
    fn the_forming_candle_is_dim() {
        let candles = wave(3);
        let buffer = drawn(CandleChart::new(&candles).forming(true), 3, 8);
        let dim = |x: u16| (0..8u16).any(|y| buffer[(x, y)].modifier.contains(Modifier::DIM));
        assert_eq!([dim(0), dim(1), dim(2)], [false, false, true]);
    }

    #[test]
    fn a_line_steps_from_close_to_close() {
        let closes = [1.0, 2.0, 2.0, 1.0].map(|close| candle(f64::NAN, f64::NAN, f64::NAN, close));
        assert_eq!(rows(&drawn(CandleChart::new(&closes).line(true), 4, 2)), [" ╭─╮", "─╯ ╰"]);
        assert_eq!(rows(&drawn(CandleChart::new(&closes[..2]).line(true), 3, 2)), ["  ╭", "──╯"]);
    }

    #[test]
    fn no_size_and_no_value_fails() {
        let huge = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e12, -1e12, 0.0, -0.0, 5e-324];
        let wild: Vec<_> =
            huge.iter().map(|price| Candle { volume: Some(*price), ..candle(*price, 1.0, -1.0, *price) }).collect();
        let sets = [wave(90), wild, vec![candle(5.0, 5.0, 5.0, 5.0); 3], vec![candle(0.0, 0.0, 0.0, 0.0)]];
        let labels = vec!["日 1".to_owned(); 90];
        let average = [Some(1.0), None, Some(f64::NAN), Some(1e300), Some(-2.0)];
        let averages = [(average.as_slice(), Style::new())];
        let sizes = (0..=60).flat_map(|width| (0..=40).map(move |height| (width, height)));
        for (width, height) in sizes.chain([(300, 300), (300, 1), (1, 300), (300, 0), (0, 300)]) {
            for candles in &sets {
                let chart = CandleChart::new(candles).labels(&labels).averages(&averages).forming(true);
                drawn(chart.clone().decimals(255), width, height);
                drawn(chart.line(true), width, height);
            }
        }
    }

    #[test]
    fn an_area_outside_the_buffer_is_cut() {
        let mut buffer = Buffer::empty(Rect::new(3, 2, 10, 6));
        CandleChart::new(&wave(9)).render(Rect::new(8, 5, 40, 40), &mut buffer);
        CandleChart::new(&wave(9)).render(Rect::new(60, 60, 5, 5), &mut buffer);
        CandleChart::new(&[]).render(Rect::new(60, 60, 50, 5), &mut buffer);
    }

    #[test]
    fn sparklines_have_exactly_their_width() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[9.0, 0.0, 7.0], 2), "▁█");
        assert_eq!(sparkline(&[5.0; 3], 5), "  ▄▄▄");
        assert_eq!(sparkline(&[1.0, f64::NAN, f64::INFINITY, 2.0], 4), "▁  █");
        assert_eq!(sparkline(&[f64::MIN, f64::MAX], 2), "▁█");
        assert_eq!(sparkline(&[], 3), "   ");
        assert_eq!(sparkline(&[1.0], 0), "");
    }
}
