//! Signals: proposals that wait, then every signal with its five verdicts, its reason and its outcome.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{Direction, Layer, Probability, Ratio, Signal, SignalSource, Verdict};
use crate::engine::{ProposalRow, SignalEntry, Snapshot};
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::rows::RowKey;
use crate::ui::state::{Pane, UiState};
use crate::ui::table::{Cell, Column, Table, left, offset_for, right};

/// A row of the pane.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// A proposal.
    Proposal(&'a ProposalRow),
    /// A signal.
    Signal(&'a Arc<SignalEntry>),
}

/// The item of a row: proposals first.
pub fn selected(snapshot: &Snapshot, row: usize) -> Option<Item<'_>> {
    let proposals = snapshot.proposals.len();
    snapshot.proposals.get(row).map(Item::Proposal).or_else(|| {
        let signal = snapshot.signals.get(row.checked_sub(proposals)?)?;
        Some(Item::Signal(signal))
    })
}

/// What was under the cursor, if it is still there.
pub fn under_cursor<'a>(state: &UiState, live: &'a Snapshot) -> Option<Item<'a>> {
    match state.under_cursor.get(&Pane::Signals)? {
        RowKey::Proposal(id) => live.proposals.iter().find(|row| row.proposal.id == *id).map(Item::Proposal),
        RowKey::Signal(id) => live.signals.iter().find(|entry| entry.signal.id == *id).map(Item::Signal),
        _ => None,
    }
}

const COLUMNS: [Column; 8] = [
    left("", 3, 0),
    left("symbol", 7, 0),
    left("way", 7, 1),
    left("1…5", 5, 0),
    right("outcome", 8, 1),
    left("source", 8, 3),
    right("as of", 11, 4),
    left("reason", 16, 2),
];

/// Draws the pane: the list, and the selected signal's verdicts below it where there is room.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = picture.snapshot();
    if snapshot.proposals.is_empty() && snapshot.signals.is_empty() {
        picture.text(buffer, area, 0, " No strategy has had a view yet.", Role::Muted);
        return;
    }
    let detail_lines = if area.height >= 16 { 9 } else { 0 };
    let list = Rect { height: area.height - detail_lines, ..area };
    let rows: Vec<Vec<Cell>> = snapshot
        .proposals
        .iter()
        .map(|row| proposal_cells(picture, row))
        .chain(snapshot.signals.iter().map(|entry| signal_cells(picture, entry)))
        .collect();
    let row = picture.state.row(Pane::Signals).min(rows.len().saturating_sub(1));
    let offset = offset_for(row, usize::from(list.height.saturating_sub(1)));
    Table { columns: &COLUMNS, rows: &rows, selected: Some(row), offset }.draw(list, buffer, picture.theme);
    if detail_lines > 0 {
        let below = Rect { y: area.y + list.height, height: detail_lines, ..area };
        detail(picture, selected(snapshot, row), below, buffer);
    }
}

fn way(direction: Direction) -> Cell {
    match direction {
        Direction::Long => Cell::new("▲ LONG", Role::Up),
        Direction::Short => Cell::new("▼ SHORT", Role::Down),
    }
}

fn proposal_cells(picture: &Picture<'_>, row: &ProposalRow) -> Vec<Cell> {
    let proposal = &row.proposal;
    let symbol = picture.context.instruments.symbol(proposal.request.instrument);
    let left = format::age(proposal.expires.since(picture.now));
    let action = if proposal.request.opens_exposure() { "confirm or decline" } else { "horizon over: close?" };
    let direction = row.signal.as_ref().map_or(Direction::Long, |entry| entry.signal.view.direction);
    vec![
        Cell::new("▶", Role::Accent),
        Cell::new(symbol, Role::Accent),
        way(direction),
        Cell::new(row.signal.as_ref().map_or_else(String::new, |entry| letters(entry)), Role::Accent),
        Cell::new(format!("{left} left"), Role::Warn),
        Cell::new(proposal.request.side.to_string(), Role::Accent),
        Cell::new(format::quantity(proposal.request.quantity), Role::Accent),
        Cell::new(action, Role::Accent),
    ]
}

/// One letter per layer: P pass, w warn, · not proven, F fail.
fn letters(entry: &SignalEntry) -> String {
    entry
        .validation
        .layers
        .iter()
        .map(|layer| match layer.verdict {
            Verdict::Pass => 'P',
            Verdict::Warn => 'w',
            Verdict::NotProven => '·',
            Verdict::Fail => 'F',
        })
        .collect()
}

fn signal_cells(picture: &Picture<'_>, entry: &Arc<SignalEntry>) -> Vec<Cell> {
    let view = &entry.signal.view;
    let symbol = picture.context.instruments.symbol(view.instrument);
    let passed = entry.validation.passed();
    let outcome = match entry.outcome {
        Some(outcome) if outcome.net_return > Ratio::ZERO => Cell::new(format!("{:+.2}%", outcome.net_return), Role::Up),
        Some(outcome) => Cell::new(format!("{:+.2}%", outcome.net_return), Role::Down),
        None => Cell::new("open", Role::Muted),
    };
    let reason = entry.validation.first_failure().map_or_else(|| view.rationale.clone(), |layer| layer.reason.clone());
    let source = match &view.source {
        SignalSource::BaselineMomentum => "momentum",
        SignalSource::BaselineReversal => "reversal",
        SignalSource::Script(name) => name.as_str(),
    };
    vec![
        if passed { Cell::new("✓", Role::Up) } else { Cell::new("✗", Role::Down) },
        Cell::new(symbol, Role::Text),
        way(view.direction),
        Cell::new(letters(entry), Role::Text),
        outcome,
        Cell::new(source, Role::Muted),
        Cell::new(format::short_time(view.as_of), Role::Muted),
        Cell::new(reason, Role::Muted),
    ]
}

fn detail(picture: &Picture<'_>, item: Option<Item<'_>>, area: Rect, buffer: &mut Buffer) {
    let entry = match item {
        Some(Item::Proposal(row)) => row.signal.as_ref(),
        Some(Item::Signal(entry)) => Some(entry),
        None => None,
    };
    let Some(entry) = entry else { return };
    let view = &entry.signal.view;
    let symbol = picture.context.instruments.symbol(view.instrument);
    let heading = format!(
        " {symbol} {} · {} · {} bars · {} · {} risk",
        view.direction,
        view.source.word(),
        view.horizon_bars,
        chance(&entry.signal),
        entry.signal.risk.word()
    );
    picture.text(buffer, area, 0, &heading, Role::Accent);
    picture.text(buffer, area, 1, &format!(" {}", view.rationale), Role::Text);
    verdicts(picture, entry, Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area }, buffer);
    let line = area.height.saturating_sub(1);
    picture.text(buffer, area, line, &score_line(picture, entry), Role::Muted);
}

/// The chance that the direction is right over the horizon, and how many outcomes it was learnt from.
pub fn chance(signal: &Signal) -> String {
    match (signal.view.probability, signal.learnt) {
        (Probability::Calibrated(chance), Some(learnt)) => format!("chance {chance:.0} % (n {})", learnt.outcomes),
        (Probability::Calibrated(chance), None) => format!("chance {chance:.0} %"),
        (Probability::Uncalibrated, _) => "chance uncalibrated".to_owned(),
    }
}

/// The five verdicts, one line each.
pub fn verdicts(picture: &Picture<'_>, entry: &SignalEntry, area: Rect, buffer: &mut Buffer) {
    for (line, layer) in (0..).zip(&entry.validation.layers) {
        let (mark, role) = match layer.verdict {
            Verdict::Pass => ("pass", Role::Up),
            Verdict::Warn => ("warn", Role::Warn),
            Verdict::NotProven => ("not proven", Role::Muted),
            Verdict::Fail => ("FAIL", Role::Down),
        };
        let number = Layer::ALL.iter().position(|other| *other == layer.layer).map_or(0, |index| index + 1);
        let label = format!(" {number} {:<12} {mark:<10} ", layer.layer.word());
        picture.text(buffer, area, line, &label, role);
        let at = u16::try_from(label.chars().count()).unwrap_or(0);
        if at < area.width {
            let rest = Rect { x: area.x + at, width: area.width - at, ..area };
            picture.text(buffer, rest, line, &layer.reason, Role::Text);
        }
    }
}

fn score_line(picture: &Picture<'_>, entry: &SignalEntry) -> String {
    let source = entry.signal.view.source;
    let Some(score) = picture.snapshot().scores.iter().find(|row| row.source == source) else {
        return format!(" {}: no outcome yet", source.word());
    };
    let card = &score.card;
    let percent = |share: f64| share * 100.0;
    let paid = match (card.hit_rate(), card.hit_interval()) {
        (Some(rate), Some(interval)) => {
            format!("paid {:.0} % [{:.0}, {:.0}]", percent(rate), percent(interval.low), percent(interval.high))
        }
        _ => "paid n/a".to_owned(),
    };
    let net = match (card.expectancy(), card.expectancy_interval()) {
        (Some(mean), Some(interval)) => {
            format!("net {:+.2} % [{:+.2}, {:+.2}] a signal", percent(mean), percent(interval.low), percent(interval.high))
        }
        _ => "net n/a".to_owned(),
    };
    format!(" {}: n = {} in {} spans · {paid} · {net}, after cost", source.word(), card.outcomes(), card.independent())
}
