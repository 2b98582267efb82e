//! Scorecards of the run's signals: what was right, what it earned after cost, how good the stated chances are. Read from the ledger.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{Verdict, counted};
use crate::runtime::Scored;
use crate::signals::{Card, Forecasts, Key, LEARNT_FROM, Part};
use crate::stats::Interval;
use crate::ui::actions::ActionId;
use crate::ui::draw::{Picture, boxed, key_of};
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, offset_for, right};

const COLUMNS: [Column; 9] = [
    left("signals", 17, 0),
    right("ended", 6, 0),
    right("spans", 5, 4),
    right("right", 6, 0),
    right("95 %", 8, 2),
    right("always up", 9, 1),
    right("after cost", 10, 0),
    right("95 %", 16, 3),
    left("verdict", 10, 0),
];
/// Lines about the row under the cursor.
const DETAIL: u16 = 7;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let shown = &picture.state.scores;
    let title = format!("Scorecards by {}", shown.by.word());
    let inner = boxed(picture, &title, "refused signals count too", true, area, buffer);
    let Some(latest) = &shown.latest else {
        return picture.text(buffer, inner, 0, " Being read from the ledger; the screen goes on meanwhile.", Role::Muted);
    };
    picture.text(buffer, inner, 0, &standing(picture, latest), Role::Muted);
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    match &latest.answer {
        Ok(_) => cards(picture, latest.cards(shown.by), below, buffer),
        Err(why) => {
            picture.text(buffer, below, 0, &format!(" The ledger could not be read: {why}."), Role::Warn);
            picture.text(buffer, below, 1, " Nothing was changed; close the view and open it again.", Role::Muted);
        }
    }
}

/// How old they are, and how to see others.
fn standing(picture: &Picture<'_>, latest: &Scored) -> String {
    let age = format::age(picture.now.since(latest.made_at));
    let anew = if picture.state.scores.asked.is_some() { "new ones are being read" } else { "opening the view again reads anew" };
    let (key, next) = (key_of(picture.context, ActionId::Group), picture.state.scores.by.next());
    format!(" Read {age} ago; {anew}. {key} goes on to {}.", next.word())
}

fn cards(picture: &Picture<'_>, cards: &[(Key, Card)], area: Rect, buffer: &mut Buffer) {
    let rows: Vec<Vec<Cell>> = cards.iter().map(|(key, card)| cells(picture, *key, card)).collect();
    let list = Rect { height: area.height.saturating_sub(DETAIL + 1), ..area };
    let row = picture.state.scores.row.min(rows.len().saturating_sub(1));
    let offset = offset_for(row, usize::from(list.height.saturating_sub(1)));
    Table { columns: &COLUMNS, rows: &rows, selected: Some(row), offset }.draw(list, buffer, picture.theme);
    let below = Rect { y: list.y + list.height, height: area.height - list.height, ..area };
    if let Some((key, card)) = cards.get(row) {
        detail(picture, *key, card, below, buffer);
    }
}

fn name(picture: &Picture<'_>, key: Key) -> String {
    key.words(|id| picture.context.instruments.symbol(id))
}

fn cells(picture: &Picture<'_>, key: Key, card: &Card) -> Vec<Cell> {
    let (verdict, role) = match card.verdict {
        Verdict::Pass => ("PASS", Role::Up),
        Verdict::Fail => ("FAIL", Role::Down),
        Verdict::Warn | Verdict::NotProven => ("NOT PROVEN", Role::Muted),
    };
    let net = match card.expectancy {
        None => Cell::new(format::NOT_AVAILABLE, Role::Muted),
        Some(mean) => Cell::new(format!("{:+.2}%", mean * 100.0), Role::Text),
    };
    vec![
        Cell::new(name(picture, key), if key == Key::All { Role::Accent } else { Role::Text }),
        Cell::new(format::grouped(&card.right.of.to_string()), Role::Text),
        Cell::new(card.independent.to_string(), Role::Text),
        Cell::new(rate(card.right), Role::Text),
        Cell::new(range(card.right.interval(), 100.0, 0), Role::Muted),
        Cell::new(rate(card.rose), Role::Muted),
        net,
        Cell::new(range(card.expectancy_interval, 100.0, 2), Role::Muted),
        Cell::new(verdict, role),
    ]
}

fn rate(part: Part) -> String {
    part.rate().map_or_else(|| format::NOT_AVAILABLE.to_owned(), |rate| format!("{:.1}%", rate * 100.0))
}

fn range(interval: Option<Interval>, scale: f64, digits: usize) -> String {
    let shown = |interval: Interval| format!("{:.digits$}…{:.digits$}", interval.low * scale, interval.high * scale);
    interval.map_or_else(|| format::NOT_AVAILABLE.to_owned(), shown)
}

/// What more is known of one scorecard, and what the words mean.
fn detail(picture: &Picture<'_>, key: Key, card: &Card, area: Rect, buffer: &mut Buffer) {
    let number = |value: Option<f64>| value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |value| format!("{value:.2}"));
    let running = card.signals.saturating_sub(card.right.of);
    let sharpe = card.sharpe.as_ref().map_or_else(
        || format::NOT_AVAILABLE.to_owned(),
        |(ratio, interval)| format!("{ratio:.2} [{}]", range(*interval, 1.0, 2)),
    );
    let mut lines = vec![
        (
            format!(
                "{}: {}, {running} still running, {} from before the run began; {} independent spans; paid after cost {}; profit factor {}; \
                 Sharpe of span means {sharpe}.",
                name(picture, key),
                counted(card.signals, "signal"),
                card.warm_up,
                card.independent,
                rate(card.paid),
                number(card.profit_factor)
            ),
            Role::Text,
        ),
        match &card.forecasts {
            Some(forecasts) => (chances(forecasts), Role::Text),
            None => (format!("No chance stated: a source needs {LEARNT_FROM} signals that have ended."), Role::Muted),
        },
    ];
    let looks = &picture.live.snapshot.looks;
    if !looks.is_empty() {
        let each =
            looks.iter().map(|(source, looks)| format!("{} {} of {} times asked", source.word(), looks.abstained, looks.asked));
        lines.push((format!("Abstained since this start: {}.", each.collect::<Vec<_>>().join(", ")), Role::Text));
    }
    lines.push((
        "Right: before cost, at the horizon, without stop and target. Spans follow one another; intervals count only them."
            .to_owned(),
        Role::Muted,
    ));
    let width = usize::from(area.width.saturating_sub(2));
    let wrapped = lines.iter().flat_map(|(text, role)| format::wrap(text, width).into_iter().map(|line| (line, *role)));
    for (line, (text, role)) in (0..area.height).zip(wrapped) {
        picture.text(buffer, area, line, &format!(" {text}"), role);
    }
}

/// How good the chances are that were stated.
fn chances(forecasts: &Forecasts) -> String {
    let says = match &forecasts.difference {
        Some(test) if test.p < 0.05 && forecasts.brier < forecasts.base => format!("better, p = {:.3}", test.p),
        Some(test) if test.p < 0.05 => format!("worse, p = {:.3}", test.p),
        Some(test) => format!("not significant, p = {:.2}", test.p),
        None => "no test possible".to_owned(),
    };
    let point = |bin: &crate::stats::Bin| format!("{:.0}→{:.0}% ({})", bin.stated * 100.0, bin.happened * 100.0, bin.calls);
    let points: Vec<String> = forecasts.curve.iter().map(point).collect();
    format!(
        "{}: Brier {:.4} against {:.4} of the share right before: {says}; said→happened {}.",
        counted(forecasts.calls, "chance"),
        forecasts.brier,
        forecasts.base,
        points.join(", ")
    )
}
