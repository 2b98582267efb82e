//! Risk: each gauge with value, limit and, as a bar, how much of it is used. Never frozen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::Ratio;
use crate::risk::{Gauge, GaugeKind};
use crate::ui::curve::gauge_bar;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let is_roomy = area.height >= 17;
    let mut line = 0;
    for gauge in &snapshot.gauges {
        gauge_line(picture, gauge, area, line, buffer);
        // What the number means, where it fits whole: always when the pane is zoomed.
        let convention = format!("   {}", gauge.kind.convention());
        if is_roomy && convention.chars().count() < usize::from(area.width) {
            picture.text(buffer, area, line + 1, &convention, Role::Muted);
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

fn gauge_line(picture: &Picture<'_>, gauge: &Gauge, area: Rect, line: u16, buffer: &mut Buffer) {
    let used = gauge.used();
    let warns = gauge.warn.zip(gauge.value).is_some_and(|(warn, value)| value >= warn);
    let role = match used {
        None => Role::Muted,
        Some(used) if used >= 1.0 => Role::Danger,
        Some(used) if used >= 0.7 || warns => Role::Warn,
        Some(_) => Role::Text,
    };
    let number = |ratio: Option<Ratio>| match (gauge.kind, ratio) {
        (_, None) => format::NOT_AVAILABLE.to_owned(),
        (GaugeKind::Trades, Some(ratio)) => format!("{:.0}", ratio.to_f64()),
        (_, Some(ratio)) => format!("{ratio:.2}%"),
    };
    let mark = match role {
        Role::Danger => "‼",
        Role::Warn => "!",
        _ => " ",
    };
    let head = format!("{mark}{:<12} {:>7}", gauge.kind.label(), number(gauge.value));
    let tail = format!("/ {:<7}", number(Some(gauge.limit)));
    let taken = u16::try_from(head.chars().count() + tail.chars().count() + 2).unwrap_or(u16::MAX);
    let width = usize::from(area.width.saturating_sub(taken + 1));
    let bar = gauge_bar(used.unwrap_or(0.0), width);
    picture.text(buffer, area, line, &format!("{head} {bar} {tail}"), role);
}
