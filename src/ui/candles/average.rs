//! Moving averages: braille dots in the room the candles leave.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::Plan;

/// Dots of a braille character by row and column; the pattern is the sum of its dots.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Draws an average as dots, two per column, on straight lines from candle to candle.
pub(super) fn draw_average(plan: &Plan<'_>, values: &[Option<f64>], style: Style, buf: &mut Buffer) {
    let value_of = |index: usize| values.get(plan.first + index).copied().flatten();
    let steps = plan.slot.saturating_mul(2);
    for index in 0..plan.shown.len() {
        let Some(value) = value_of(index) else { continue };
        let previous = index.checked_sub(1).and_then(value_of);
        let dots = if previous.is_some() { steps } else { 1 };
        for back in 0..dots {
            let share = f64::from(back) / f64::from(steps);
            let price = value + (previous.unwrap_or(value) - value) * share;
            // The value itself is the left dot of its column, so the dots before it lie in the columns before.
            let column = plan.column(index).saturating_sub(back.div_ceil(2));
            draw_dot(plan, (column, back % 2), price, style, buf);
        }
    }
}

/// Adds a dot in the left (`0`) or right (`1`) half of a column, unless something else is drawn there.
fn draw_dot(plan: &Plan<'_>, (column, half): (u16, u16), price: f64, style: Style, buf: &mut Buffer) {
    let Some(place) = plan.scale.step(price, plan.prices.height.saturating_mul(4)) else { return };
    let dot = DOTS.get(usize::from(place % 4)).and_then(|dots| dots.get(usize::from(half)));
    let (Some(dot), Some(cell)) = (dot, buf.cell_mut((column, plan.prices.y + place / 4))) else { return };
    let dots = match cell.symbol().chars().next() {
        Some(' ') => *dot,
        Some(drawn @ '\u{2800}'..='\u{28ff}') => (drawn as u32 - 0x2800) | dot,
        _ => return,
    };
    if let Some(braille) = char::from_u32(0x2800 + dots) {
        cell.set_char(braille).set_style(style);
    }
}
