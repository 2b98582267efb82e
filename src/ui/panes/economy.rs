//! Economic series as of their releases: the curve, the term structure, employment; each value's age and source; what comes next.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::domain::{Duration, Edition, Indicator, MarketTime, WallTime};
use crate::engine::{EconomyRow, EconomyView};
use crate::runtime::{BulletinView, SeriesView, SourceView, Stands, Topic};
use crate::signals::{Regime, Slope, Term, Trend};
use crate::ui::candles::sparkline;
use crate::ui::column::Column as Lines;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, right};

const SERIES: [Column; 8] = [
    left("series", 15, 0),
    right("value", 9, 0),
    right("change", 8, 0),
    left("period", 10, 1),
    right("age", 4, 0),
    left("source", 9, 2),
    left("trend", 10, 4),
    left("next release", 11, 0),
];
/// Series of the table; the others stand in the curve and the term structure.
const LISTED: [Indicator; 9] = [
    Indicator::Payrolls,
    Indicator::Unemployment,
    Indicator::Claims,
    Indicator::Cpi,
    Indicator::FedFunds,
    Indicator::Yield2y,
    Indicator::Yield10y,
    Indicator::Vix,
    Indicator::Vix3m,
];

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let (economy, bulletins) = (&picture.snapshot().economy, picture.live.bulletins.as_deref());
    let is_asking = bulletins.is_some_and(|view| !view.sources.is_empty());
    if economy.rows.is_empty() && !is_asking {
        let mut lines = Lines::new(picture, boxed(picture, "Economy", "nothing heard", true, area, buffer));
        lines.put(buffer, "No economic series are known here.", Role::Text);
        lines.put(
            buffer,
            "`pmax --feed live` asks the Treasury, Cboe and the Bureau of Labor Statistics without a key.",
            Role::Muted,
        );
        return lines.put(buffer, "Tapes of 1990 to 2017 bring the Treasury's curve, and payrolls of 2006 to 2015.", Role::Muted);
    }
    let is_wide = area.width >= 120 && is_asking;
    let [first, second] = if is_wide {
        Layout::horizontal([Constraint::Min(0), Constraint::Length(46)]).areas::<2>(area)
    } else {
        [area, Rect { height: 0, ..area }]
    };
    values(picture, economy, bulletins, first, buffer);
    if let Some(view) = bulletins.filter(|_| is_wide) {
        sources(picture, view, second, buffer);
    }
}

fn values(picture: &Picture<'_>, economy: &EconomyView, bulletins: Option<&BulletinView>, area: Rect, buffer: &mut Buffer) {
    let inner = boxed(picture, "Economy", "as of the release", true, area, buffer);
    let mut lines = Lines::new(picture, inner);
    if economy.rows.is_empty() {
        lines.put(buffer, "Waiting for the first values.", Role::Warn);
    } else {
        regime(&mut lines, &economy.regime, buffer);
    }
    lines.gap();
    points(&mut lines, "Treasury, %", &Indicator::CURVE, economy, buffer);
    points(&mut lines, "VIX", &Indicator::VOLATILITY, economy, buffer);
    let of = |indicator: Indicator| economy.rows.iter().find(|row| row.indicator == indicator);
    let heard = |indicator: Indicator| bulletins.and_then(|view| view.series.iter().find(|series| series.indicator == indicator));
    let is_shown =
        |id: &Indicator| of(*id).is_some() || heard(*id).is_some_and(|series| series.trouble.is_some() || series.heard.is_some());
    let shown: Vec<Indicator> = LISTED.into_iter().filter(is_shown).collect();
    let rows: Vec<Vec<Cell>> = shown.iter().map(|id| row(picture, *id, of(*id), heard(*id))).collect();
    let top = lines.line() + 1;
    let place = Rect { y: inner.y + top.min(inner.height), height: inner.height.saturating_sub(top), ..inner };
    Table { columns: &SERIES, rows: &rows, selected: None, offset: 0 }.draw(place, buffer, picture.theme);
    let used = top + u16::try_from(rows.len() + 2).unwrap_or(u16::MAX);
    let rest = Rect { y: inner.y + used.min(inner.height), height: inner.height.saturating_sub(used), ..inner };
    notes(picture, economy, bulletins, rest, buffer);
}

/// What the series say together; what is not defined is said to be so.
fn regime(lines: &mut Lines<'_, '_>, regime: &Regime, buffer: &mut Buffer) {
    match regime.curve {
        Some(curve) => {
            let bill =
                curve.ten_three_months.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |bill| format!("{:+.2}", bill.to_f64()));
            let (ten_two, slope) = (curve.ten_two.to_f64(), curve.slope());
            let text = format!("{} · 10y−2y {ten_two:+.2} · 10y−3m {bill} · {}", slope.word(), curve.day);
            lines.fact(buffer, "yield curve", &text, if slope == Slope::Inverted { Role::Warn } else { Role::Text });
        }
        None => lines.fact(buffer, "yield curve", "n/a: no day with two and ten years", Role::Muted),
    }
    match regime.volatility {
        Some(term) => {
            let text = format!("{} · VIX/VIX3M {:.3} · {}", term.term.word(), term.ratio.to_f64(), term.day);
            lines.fact(buffer, "volatility", &text, if term.term == Term::Backwardation { Role::Warn } else { Role::Text });
        }
        None => lines.fact(buffer, "volatility", "n/a: VIX and VIX3M of one day are not known", Role::Muted),
    }
    match regime.jobs {
        Some(jobs) => {
            let change = jobs.change.map(|(_, mean)| format!("payrolls {:+.0}k a month over three", mean.to_f64()));
            let above = jobs.above_low.map(|(_, above)| format!("unemployment {:+.1} on its 12-month low", above.to_f64()));
            let facts: Vec<String> = [jobs.trend.word().to_owned()].into_iter().chain(change).chain(above).collect();
            lines.fact(
                buffer,
                "employment",
                &facts.join(" · "),
                if jobs.trend == Trend::Weakening { Role::Warn } else { Role::Text },
            );
        }
        None => lines.fact(buffer, "employment", "n/a: neither four months of payrolls nor a year of unemployment", Role::Muted),
    }
}

/// Points of a curve side by side, each under what it is; those of another day than the latest are left out.
fn points(lines: &mut Lines<'_, '_>, name: &str, of: &[Indicator], economy: &EconomyView, buffer: &mut Buffer) {
    let rows: Vec<&EconomyRow> = economy.rows.iter().filter(|row| of.contains(&row.indicator)).collect();
    let Some(day) = rows.iter().map(|row| row.latest.period).max() else { return };
    let (mut heads, mut values) = (String::new(), String::new());
    for row in rows.into_iter().filter(|row| row.latest.period == day) {
        heads.push_str(&format!("{:>6}", row.indicator.span()));
        values.push_str(&format!("{:>6.2}", row.latest.value.to_f64()));
    }
    lines.aligned(buffer, name, &heads, Role::Muted);
    lines.aligned(buffer, &day.to_string(), &values, Role::Text);
}

fn row(picture: &Picture<'_>, indicator: Indicator, known: Option<&EconomyRow>, heard: Option<&SeriesView>) -> Vec<Cell> {
    let is_overdue = heard.is_some_and(|series| series.is_overdue);
    let role = if is_overdue { Role::Stale } else { Role::Text };
    let (unit, decimals) = (indicator.unit().word(), indicator.unit().decimals());
    let number = |value: f64| format::grouped(&format!("{value:.decimals$}"));
    let (value, change, period, age, trend) = match known {
        Some(row) => {
            let change = row.before.map(|before| row.latest.value.minus(before.value).to_f64());
            let change = change
                .map_or_else(|| format::NOT_AVAILABLE.to_owned(), |change| format::grouped(&format!("{change:+.decimals$}")));
            let recent: Vec<f64> = row.recent.iter().map(|value| value.to_f64()).collect();
            let mark = if row.latest.edition == Edition::Revised { "*" } else { "" };
            let value = format!("{}{unit}{mark}", number(row.latest.value.to_f64()));
            (value, change, row.latest.period.to_string(), format::age(age(picture, row.latest.known_at)), sparkline(&recent, 10))
        }
        None => (format::NOT_AVAILABLE.to_owned(), String::new(), String::new(), String::new(), String::new()),
    };
    let (source, source_role) = match heard {
        Some(SeriesView { trouble: Some(_), heard: None, .. }) => ("refused".to_owned(), Role::Warn),
        Some(SeriesView { heard: Some((by, _)), .. }) => (by.name().to_owned(), Role::Muted),
        Some(_) if known.is_some() && picture.live.playback.is_live() => ("kept".to_owned(), Role::Muted),
        Some(_) | None => ("tape".to_owned(), Role::Muted),
    };
    let (next, next_role) = match heard.and_then(|series| series.next) {
        Some(_) if is_overdue => ("overdue".to_owned(), Role::Warn),
        Some((_, at)) => (format::short_time(at), Role::Text),
        None => (format::NOT_AVAILABLE.to_owned(), Role::Muted),
    };
    vec![
        Cell::new(indicator.title(), role),
        Cell::new(value, role),
        Cell::new(change, Role::Muted),
        Cell::new(period, Role::Muted),
        Cell::new(age, if is_overdue { Role::Warn } else { Role::Muted }),
        Cell::new(source, source_role),
        Cell::new(trend, Role::Muted),
        Cell::new(next, next_role),
    ]
}

/// How long a value has been out: by the wall's clock where it is heard while it happens, by the tape's else.
fn age(picture: &Picture<'_>, known_at: MarketTime) -> Duration {
    if picture.live.playback.is_live() {
        picture.now.since(WallTime(known_at.0))
    } else {
        picture.snapshot().market_now.since(known_at)
    }
}

fn notes(picture: &Picture<'_>, economy: &EconomyView, bulletins: Option<&BulletinView>, area: Rect, buffer: &mut Buffer) {
    let mut lines = Lines::new(picture, area);
    let mut troubles: Vec<&str> = Vec::new();
    for trouble in bulletins.into_iter().flat_map(|view| &view.series).filter_map(|series| series.trouble.as_deref()) {
        if !troubles.contains(&trouble) {
            troubles.push(trouble);
        }
    }
    for trouble in troubles.iter().take(3) {
        lines.put(buffer, trouble, Role::Warn);
    }
    if let Some(why) = bulletins.and_then(|view| view.not_kept.as_deref()) {
        lines.put(buffer, &format!("what was heard cannot be kept ({why}): the next start asks anew"), Role::Warn);
    }
    if economy.rows.iter().any(|row| row.latest.edition == Edition::Revised) {
        lines.put(buffer, "*: may have been revised since it was first published", Role::Muted);
    }
    lines.put(buffer, "Times are New York's. A value counts from its release, never from its period.", Role::Muted);
}

fn sources(picture: &Picture<'_>, view: &BulletinView, area: Rect, buffer: &mut Buffer) {
    let mut lines = Lines::new(picture, boxed(picture, "Publishers", "requests left today", false, area, buffer));
    for source in view.sources.iter().filter(|source| source.topic == Topic::Series) {
        let (words, role) = standing(source, picture.now);
        lines.fact(buffer, source.id.name(), &words, role);
    }
}

/// How a publisher stands, in words.
pub fn standing(source: &SourceView, now: WallTime) -> (String, Role) {
    let left = match source.used {
        (used, Some(most)) => {
            format!("{} of {}", format::grouped(&most.saturating_sub(used).to_string()), format::grouped(&most.to_string()))
        }
        (used, None) => format!("{used} so far"),
    };
    let why = source.last.as_ref().map(|(_, why)| format!(": {why}")).unwrap_or_default();
    match (source.lacks, source.stands) {
        (Some(lacks), _) => (format!("{lacks}, not asked"), Role::Muted),
        (None, Stands::Good) => (left, Role::Text),
        (None, Stands::Resting { until }) => (format!("rests for {}{why}", format::age(until.since(now))), Role::Warn),
        (None, Stands::Probing { .. }) => (format!("being tried again{why}"), Role::Warn),
        (None, Stands::Removed) => (format!("not asked again{why}"), Role::Danger),
    }
}
