//! Risk: each gauge with value, limit and, as a bar, how much of it is used; then what has tripped. Never frozen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::domain::{MarketTime, Ratio};
use crate::engine::BreakerRow;
use crate::risk::{Gauge, Hold, Subject, Tail, TailView, Tally, Trend, Unit};
use crate::ui::curve::gauge_bar;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;

/// The fewest cells in which a bar says anything.
const NARROWEST_BAR: u16 = 4;
/// Tripped breakers that are named; more are counted. The zoomed pane names as many as half of it holds.
const SHOWN_TRIPS: usize = 3;
/// What the sign at the end of a gauge means.
const LEGEND: &str = " left since the last risk day ended: ↓ less, ↑ more, = as much, – not known";
/// Use of a limit from which it is near.
const NEAR: f64 = 0.7;

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let shown = if picture.state.is_zoomed { SHOWN_TRIPS.max(usize::from(area.height) / 2) } else { SHOWN_TRIPS };
    let (trips, left_out) = trips(&snapshot.breakers, shown, snapshot.market_now);
    let reason = snapshot.reason.as_ref().map(|reason| format!(" {} by {}: {}", snapshot.state, reason.who, reason.why));
    let below = trips.len() + usize::from(left_out.is_some()) + usize::from(reason.is_some());
    let rows = usize::from(area.height).saturating_sub(below);
    let gauges_whole = snapshot.gauges.len();
    let (gauges, hidden) = fitting(&snapshot.gauges, rows);
    // What the numbers mean takes what room is left over: in the zoomed pane all of it, elsewhere only where every gauge has its line.
    let spare = rows.saturating_sub(gauges_whole);
    let spare = if picture.state.is_zoomed || spare >= gauges_whole { spare } else { 0 };
    let mut tail = vec![LEGEND.to_owned()];
    tail.extend(snapshot.tail.iter().flat_map(|tail| tail_lines(tail, usize::from(area.width))));
    tail.truncate(spare);
    let explained = explained(&gauges, spare - tail.len());
    let mut line = 0;
    for (index, gauge) in gauges.into_iter().enumerate() {
        let beside = gauge_line(picture, gauge, area, line, buffer);
        line += 1;
        if explained.contains(&index) {
            explain(picture, gauge, beside, area, line, buffer);
            line += 1;
        }
    }
    for text in tail {
        picture.text(buffer, area, line, &text, Role::Muted);
        line += 1;
    }
    if hidden > 0 {
        let where_to = if picture.state.is_zoomed { "no room for them" } else { "(z)" };
        picture.text(buffer, area, line, &format!(" {hidden} more, none near its limit {where_to}"), Role::Muted);
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

/// The gauges that are explained where so many lines are free: those that have a value first.
fn explained(gauges: &[&Gauge], free: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..gauges.len()).collect();
    places.sort_by_key(|place| gauges.get(*place).is_none_or(|gauge| gauge.value.is_none()));
    places.truncate(free);
    places
}

/// What a day may cost the book by each estimate, at 95 and 99 %, and how often such estimates were exceeded.
fn tail_lines(tail: &TailView, width: usize) -> Vec<String> {
    let estimate = tail.estimate.as_ref();
    let history = estimate.map_or_else(|| "100 shared days are needed".to_owned(), |known| format!("{} days", known.days));
    let of = |name: String, found: Option<&Tail>, tallies: &[Tally; 2]| {
        let pair = |one: Option<Ratio>, other: Option<Ratio>| format!("{} / {}", percent(one), percent(other));
        let var = pair(found.map(|tail| tail.var_95), found.map(|tail| tail.var_99));
        let short = pair(found.map(|tail| tail.shortfall_95), found.map(|tail| tail.shortfall_99));
        let head = [(0, format!("one day, {name}: VaR 95 / 99 % {var}")), (1, format!("shortfall {short}"))];
        [
            format!(" {}", format::phrases(&head, " · ", width.saturating_sub(2))),
            format!("   {}", tested(tallies, width.saturating_sub(4))),
        ]
    };
    let historical = of(format!("history of {history}"), estimate.map(|known| &known.historical), &tail.historical);
    let normal = of("normal, EWMA 0.94".to_owned(), estimate.and_then(|known| known.normal.as_ref()), &tail.normal);
    historical.into_iter().chain(normal).collect()
}

/// How forecasts of this kind did.
fn tested([low, high]: &[Tally; 2], width: usize) -> String {
    if low.days == 0 {
        return "not held against any day yet".to_owned();
    }
    let p = |value: Option<f64>| value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |value| format!("{value:.2}"));
    let days = if low.days == 1 { "1 day".to_owned() } else { format!("{} days", low.days) };
    let (beyond, due) = (format!("{} / {}", low.beyond, high.beyond), format!("{:.1} / {:.1}", low.expected, high.expected));
    let parts = [
        (0, format!("exceeded on {beyond} of {days} · {due} due")),
        (1, format!("Kupiec p {} / {}", p(low.kupiec), p(high.kupiec))),
        (2, format!("Christoffersen p {} / {}", p(low.christoffersen), p(high.christoffersen))),
    ];
    format::phrases(&parts, " · ", width)
}

fn percent(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |ratio| format!("{ratio:.2}%"))
}

/// What has tripped, each on a line, and how many more.
fn trips(rows: &[BreakerRow], most: usize, now: MarketTime) -> (Vec<(String, Role)>, Option<String>) {
    let urgency = |row: &BreakerRow| match row.hold {
        Hold::Latched => 0,
        Hold::Warned => 1,
        Hold::Overruled | Hold::Free => 2,
    };
    let mut sorted: Vec<&BreakerRow> = rows.iter().collect();
    // What a person locked is what they look for; then what holds everything.
    sorted.sort_by_key(|row| (urgency(row), !row.trip.rule.is_own_lock(), row.trip.subject != Subject::Account));
    let line = |row: &&BreakerRow| {
        let (mark, role) = match row.hold {
            Hold::Latched => ("⚡", Role::Danger),
            Hold::Warned => ("!", Role::Warn),
            Hold::Overruled | Hold::Free => ("~", Role::Muted),
        };
        let end = match (row.hold, row.trip.ends_at()) {
            (Hold::Overruled, _) => "; overruled".to_owned(),
            (_, Some(end)) => {
                let asked = if row.unlock_asked.is_some() { ", unlock asked" } else { "" };
                format!("; until {} ({} left{asked})", format::market_time(end), format::age(end.since(now)))
            }
            (_, None) => String::new(),
        };
        let (name, about, does) = (row.trip.rule.words(), &row.about, row.trip.action.words());
        (format!(" {mark} {name}{about}: {}; {does}{end}", row.trip.numbers()), role)
    };
    let shown = sorted.iter().take(most).map(line).collect();
    let more = rows.len().saturating_sub(most);
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
    let (left, trend) = (headroom(gauge), trend(gauge));
    let whole = format!("{limit} {left:>13}{trend}");
    let room = |tail: &str| area.width.saturating_sub(u16::try_from(head.width() + tail.width() + 1).unwrap_or(u16::MAX));
    let is_beside = room(&whole) >= NARROWEST_BAR;
    let tail = if is_beside { whole } else { format!("{limit} {trend}") };
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

/// A value of a gauge in its unit; `n/a` where it is undefined.
pub fn number(gauge: &Gauge, ratio: Option<Ratio>) -> String {
    match (gauge.kind.unit(), ratio) {
        (_, None) => format::NOT_AVAILABLE.to_owned(),
        (Unit::Count, Some(ratio)) => format!("{:.0}", ratio.to_f64()),
        (Unit::Deviations, Some(ratio)) => format!("{:.1}", ratio.to_f64()),
        (Unit::Seconds, Some(ratio)) => format!("{:.2}s", ratio.to_f64()),
        (Unit::Share | Unit::Percent, Some(ratio)) => format!("{ratio:.2}%"),
    }
}

/// Where what is left went since the end of the last risk day; [`LEGEND`] says what the signs mean.
fn trend(gauge: &Gauge) -> char {
    match gauge.trend() {
        None => '–',
        Some(Trend::Steady) => '=',
        Some(Trend::Shrinking) => '↓',
        Some(Trend::Growing) => '↑',
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
