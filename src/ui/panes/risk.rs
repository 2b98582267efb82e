//! Risk: each gauge with value, limit and, as a bar, how much of it is used; then what has tripped. Never frozen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::domain::Ratio;
use crate::engine::BreakerRow;
use crate::risk::{Gauge, Hold, Unit};
use crate::ui::curve::gauge_bar;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;

/// The fewest cells in which a bar says anything.
const NARROWEST_BAR: u16 = 5;
/// Tripped breakers that are named; more are counted.
const SHOWN_TRIPS: usize = 3;
/// Use of a limit from which it is near.
const NEAR: f64 = 0.7;

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let (trips, left_out) = trips(&snapshot.breakers);
    let reason = snapshot.reason.as_ref().map(|reason| format!(" {} by {}: {}", snapshot.state, reason.who, reason.why));
    let below = trips.len() + usize::from(left_out.is_some()) + usize::from(reason.is_some());
    let rows = usize::from(area.height).saturating_sub(below);
    let is_roomy = rows >= 2 * snapshot.gauges.len();
    let (gauges, hidden) = fitting(&snapshot.gauges, if is_roomy { usize::MAX } else { rows });
    let mut line = 0;
    for gauge in gauges {
        let beside = gauge_line(picture, gauge, area, line, buffer);
        if is_roomy {
            explain(picture, gauge, beside, area, line + 1, buffer);
        }
        line += if is_roomy { 2 } else { 1 };
    }
    if hidden > 0 {
        picture.text(buffer, area, line, &format!(" {hidden} more, none near its limit (z)"), Role::Muted);
        line += 1;
    }
    for (text, role) in trips.into_iter().chain(left_out.map(|text| (text, Role::Danger))) {
        picture.text(buffer, area, line, &text, role);
        line += 1;
    }
    if let Some(text) = reason.filter(|_| line < area.height) {
        picture.text(buffer, area, line, &text, Role::Muted);
    }
}

/// The gauges that have room, and how many have not: those near their limits first, and all in their order.
fn fitting(gauges: &[Gauge], rows: usize) -> (Vec<&Gauge>, usize) {
    if gauges.len() <= rows {
        return (gauges.iter().collect(), 0);
    }
    let room = rows.saturating_sub(1);
    let near = gauges.iter().filter(|gauge| is_near(gauge)).count();
    let mut far = room.saturating_sub(near);
    let mut shown: Vec<&Gauge> = Vec::new();
    for gauge in gauges {
        let fits = is_near(gauge) || far > 0;
        if !is_near(gauge) {
            far = far.saturating_sub(1);
        }
        if fits && shown.len() < room {
            shown.push(gauge);
        }
    }
    let hidden = gauges.len() - shown.len();
    (shown, hidden)
}

fn is_near(gauge: &Gauge) -> bool {
    gauge.hold != Hold::Free || gauge.used().is_some_and(|used| used >= NEAR)
}

/// What has tripped, each on a line, and how many more.
fn trips(rows: &[BreakerRow]) -> (Vec<(String, Role)>, Option<String>) {
    let urgency = |row: &BreakerRow| match row.hold {
        Hold::Latched => 0,
        Hold::Warned => 1,
        Hold::Overruled | Hold::Free => 2,
    };
    let mut sorted: Vec<&BreakerRow> = rows.iter().collect();
    sorted.sort_by_key(|row| urgency(row));
    let line = |row: &&BreakerRow| {
        let (mark, role) = match row.hold {
            Hold::Latched => ("⚡", Role::Danger),
            Hold::Warned => ("!", Role::Warn),
            Hold::Overruled | Hold::Free => ("~", Role::Muted),
        };
        let end = match (row.hold, row.trip.ends_at()) {
            (Hold::Overruled, _) => "; overruled".to_owned(),
            (_, Some(end)) => format!("; until {end}"),
            (_, None) => String::new(),
        };
        let (name, about, does) = (row.trip.rule.words(), &row.about, row.trip.action.words());
        (format!(" {mark} {name}{about}: {}; {does}{end}", row.trip.numbers()), role)
    };
    let shown = sorted.iter().take(SHOWN_TRIPS).map(line).collect();
    let more = rows.len().saturating_sub(SHOWN_TRIPS);
    (shown, (more > 0).then(|| format!(" ⚡ {more} more tripped")))
}

/// What the number means, where it fits whole: always when the pane is zoomed on a large screen.
fn explain(picture: &Picture<'_>, gauge: &Gauge, beside: Option<String>, area: Rect, line: u16, buffer: &mut Buffer) {
    let convention = (1, gauge.kind.convention().to_owned());
    let parts: Vec<(u8, String)> = beside.map(|text| (0, text)).into_iter().chain([convention]).collect();
    let text = format::phrases(&parts, " · ", usize::from(area.width.saturating_sub(4)));
    if text.width() < usize::from(area.width.saturating_sub(3)) {
        picture.text(buffer, area, line, &format!("   {text}"), Role::Muted);
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
    match (gauge.hold, gauge.used()) {
        (Hold::Latched, _) => ("⚡", Role::Danger),
        (_, Some(used)) if used >= 1.0 => ("‼", Role::Danger),
        (Hold::Warned, _) => ("!", Role::Warn),
        (_, Some(used)) if used >= NEAR || warns => ("!", Role::Warn),
        (Hold::Overruled, _) => ("~", Role::Text),
        (Hold::Free, Some(_)) => (" ", Role::Text),
        (Hold::Free, None) => (" ", Role::Muted),
    }
}

fn number(gauge: &Gauge, ratio: Option<Ratio>) -> String {
    match (gauge.kind.unit(), ratio) {
        (_, None) => format::NOT_AVAILABLE.to_owned(),
        (Unit::Count, Some(ratio)) => format!("{:.0}", ratio.to_f64()),
        (Unit::Deviations, Some(ratio)) => format!("{:.1}", ratio.to_f64()),
        (Unit::Seconds, Some(ratio)) => format!("{:.2}s", ratio.to_f64()),
        (Unit::Share | Unit::Percent, Some(ratio)) => format!("{ratio:.2}%"),
    }
}

/// What is left to the limit, in the unit of the gauge.
fn headroom(gauge: &Gauge) -> String {
    match gauge.headroom() {
        None => format!("{} left", format::NOT_AVAILABLE),
        Some(left) if left < Ratio::ZERO => format!("over by {}", number(gauge, Some(left.negated()))),
        Some(left) => format!("{} left", number(gauge, Some(left))),
    }
}
