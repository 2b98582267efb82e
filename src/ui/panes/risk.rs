//! Risk: each gauge with value, limit and, as a bar, how much of it is used. Never frozen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::domain::Ratio;
use crate::risk::{Gauge, GaugeKind};
use crate::ui::curve::gauge_bar;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;

/// The fewest cells in which a bar says anything.
const NARROWEST_BAR: u16 = 5;

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let is_roomy = area.height >= 17;
    let mut line = 0;
    for gauge in &snapshot.gauges {
        let below = gauge_line(picture, gauge, area, line, buffer);
        if is_roomy {
            // What the number means, where it fits whole: always when the pane is zoomed.
            let convention = (1, gauge.kind.convention().to_owned());
            let parts: Vec<(u8, String)> = below.map(|text| (0, text)).into_iter().chain([convention]).collect();
            let text = format::phrases(&parts, " · ", usize::from(area.width.saturating_sub(4)));
            if text.width() < usize::from(area.width.saturating_sub(3)) {
                picture.text(buffer, area, line + 1, &format!("   {text}"), Role::Muted);
            }
        }
        line += if is_roomy { 2 } else { 1 };
    }
    for trip in &snapshot.breakers {
        let text = format!(" ⚡ {} at {:.2} %, limit {:.2} %", trip.kind.words(), trip.value, trip.limit);
        picture.text(buffer, area, line, &text, Role::Danger);
        line += 1;
    }
    if let Some(reason) = snapshot.reason.as_ref().filter(|_| line + 1 < area.height) {
        let text = format!(" {} by {}: {}", snapshot.state, reason.who, reason.why);
        picture.text(buffer, area, line + 1, &text, Role::Muted);
    }
}

/// Value, bar, limit and what is left; returns what is left where it has no room on the line.
fn gauge_line(picture: &Picture<'_>, gauge: &Gauge, area: Rect, line: u16, buffer: &mut Buffer) -> Option<String> {
    let (mark, role) = urgency(gauge);
    let head = format!("{mark}{:<12} {:>7} ", gauge.kind.label(), number(gauge, gauge.value));
    let limit = format!(" / {:<7}", number(gauge, Some(gauge.limit)));
    let left = headroom(gauge);
    let whole = format!("{limit} {left:>13}");
    let room = |tail: &str| area.width.saturating_sub(u16::try_from(head.width() + tail.width() + 1).unwrap_or(u16::MAX));
    let is_beside = room(&whole) >= NARROWEST_BAR;
    let tail = if is_beside { whole } else { limit };
    let bar = gauge_bar(gauge.used().unwrap_or(0.0), usize::from(room(&tail)));
    picture.text(buffer, area, line, &format!("{head}{bar}{tail}"), role);
    (!is_beside).then_some(left)
}

/// Mark and role: never colour alone.
fn urgency(gauge: &Gauge) -> (&'static str, Role) {
    let warns = gauge.warn.zip(gauge.value).is_some_and(|(warn, value)| value >= warn);
    match gauge.used() {
        None => (" ", Role::Muted),
        Some(used) if used >= 1.0 => ("‼", Role::Danger),
        Some(used) if used >= 0.7 || warns => ("!", Role::Warn),
        Some(_) => (" ", Role::Text),
    }
}

fn number(gauge: &Gauge, ratio: Option<Ratio>) -> String {
    match (gauge.kind, ratio) {
        (_, None) => format::NOT_AVAILABLE.to_owned(),
        (GaugeKind::Trades, Some(ratio)) => format!("{:.0}", ratio.to_f64()),
        (_, Some(ratio)) => format!("{ratio:.2}%"),
    }
}

/// What is left to the limit, in the unit of the gauge.
fn headroom(gauge: &Gauge) -> String {
    let Some(value) = gauge.value else { return format!("{} left", format::NOT_AVAILABLE) };
    let left = Ratio::from_nanos(gauge.limit.nanos().saturating_sub(value.nanos()));
    if left < Ratio::ZERO {
        return format!("over by {}", number(gauge, Some(left.negated())));
    }
    format!("{} left", number(gauge, Some(left)))
}
