//! Quotes: last, bid, ask, change, age and a sparkline; the selection follows the symbol.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{QuoteOrigin, Ratio};
use crate::engine::QuoteRow;
use crate::ui::candles::sparkline;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::state::Sort;
use crate::ui::table::{Cell, Column, Table, left, offset_for, right};

const COLUMNS: [Column; 8] = [
    left("symbol", 7, 0),
    right("last", 11, 0),
    right("change", 9, 1),
    right("age", 4, 2),
    left("", 1, 3),
    right("bid", 9, 6),
    right("ask", 9, 7),
    left("closes", 12, 4),
];

/// The same where several providers tell prices: whose each is.
const WITH_SOURCE: [Column; 9] = [
    left("symbol", 7, 0),
    right("last", 11, 0),
    right("change", 9, 1),
    right("age", 4, 2),
    left("", 1, 3),
    left("from", 8, 4),
    right("bid", 9, 6),
    right("ask", 9, 7),
    left("closes", 12, 5),
];

/// Place of the source among them.
const SOURCE: usize = 5;

/// What the frame says: group, filter, order.
pub fn subtitle(picture: &Picture<'_>) -> String {
    let state = picture.state;
    let mut parts = Vec::new();
    if !state.group.is_empty() {
        parts.push(state.group.clone());
    }
    if !state.filter.is_empty() {
        parts.push(format!("/{}", state.filter));
    }
    parts.push(
        match state.sort {
            Sort::Listed => "as listed",
            Sort::Symbol => "by symbol",
            Sort::Change => "by change, fixed",
        }
        .to_owned(),
    );
    parts.join(" · ")
}

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = picture.snapshot();
    let shown = picture.state.visible_quotes(snapshot, picture.context);
    let selected = picture.state.selected_instrument(snapshot, picture.context);
    let mut rows: Vec<Vec<Cell>> = shown
        .iter()
        .filter_map(|id| snapshot.quotes.iter().find(|row| row.instrument == *id))
        .map(|row| cells(picture, row))
        .collect();
    if rows.is_empty() {
        picture.text(buffer, area, 0, " nothing matches; Esc clears the filter, g changes the group", Role::Muted);
        return;
    }
    // The line of closes fills what the numbers leave, so that its newest close is always the one at the right edge.
    let columns: &[Column] = if picture.live.feed.is_some() { &WITH_SOURCE } else { &COLUMNS };
    let place = columns.len() - 1;
    let width = Table { columns, rows: &rows, selected: None, offset: 0 }.width_of(place, area.width);
    for (cells, id) in rows.iter_mut().zip(&shown) {
        let closes = snapshot.quotes.iter().find(|row| row.instrument == *id).map(|row| closes(row, usize::from(width)));
        if let (Some(cell), Some(closes)) = (cells.get_mut(place), closes) {
            cell.text = closes;
        }
    }
    let selected = shown.iter().position(|id| Some(*id) == selected);
    let visible = usize::from(area.height.saturating_sub(2));
    let offset = offset_for(selected.unwrap_or(0), visible);
    let body = Rect { height: area.height.saturating_sub(1), ..area };
    Table { columns, rows: &rows, selected, offset }.draw(body, buffer, picture.theme);
    let note = if picture.live.feed.is_some() {
        "last is the last trade|✕ stale|‖ no trades|! poor data|n/a not said yet"
    } else if picture.live.playback.is_live() {
        "last is the bid|✕ stale|n/a not said yet"
    } else {
        "~ synthesised from bars|✕ stale|n/a not in this source"
    };
    let note: Vec<(u8, String)> = (0..).zip(note.split('|').map(str::to_owned)).collect();
    let note = format::phrases(&note, "   ", usize::from(area.width.saturating_sub(1)));
    picture.text(
        buffer,
        Rect { y: area.y + area.height.saturating_sub(1), height: 1, ..area },
        0,
        &format!(" {note}"),
        Role::Muted,
    );
}

fn closes(row: &QuoteRow, width: usize) -> String {
    let closes: Vec<f64> = row.bars.last(width).iter().map(|bar| bar.close.to_f64()).collect();
    sparkline(&closes, width)
}

fn cells(picture: &Picture<'_>, row: &QuoteRow) -> Vec<Cell> {
    let known = picture.context.instruments.get(row.instrument);
    let decimals = known.map_or(2, |known| known.decimals);
    let symbol = picture.context.instruments.symbol(row.instrument);
    let moved = row.change.unwrap_or(Ratio::ZERO);
    let direction = match moved.cmp(&Ratio::ZERO) {
        _ if row.is_stale => Role::Stale,
        std::cmp::Ordering::Greater => Role::Up,
        std::cmp::Ordering::Less => Role::Down,
        std::cmp::Ordering::Equal => Role::Text,
    };
    let (plain, quiet) = if row.is_stale { (Role::Stale, Role::Stale) } else { (Role::Text, Role::Muted) };
    let served = picture.live.feed.as_ref().and_then(|feed| feed.served.iter().find(|one| one.instrument == row.instrument));
    let mark = match row.origin {
        // Nothing trades, though the provider answers: its price is old because of that, not because nobody is heard.
        _ if served.is_some_and(|one| one.paused.is_some()) => "‖",
        _ if row.is_stale => "✕",
        _ if row.is_poor => "!",
        Some(QuoteOrigin::SynthesisedFromBars) => "~",
        Some(QuoteOrigin::Venue) | None => "",
    };
    let age = row.last.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |_| format::age(picture.age_of(row)));
    let mut cells = vec![
        Cell::new(symbol, plain),
        Cell::new(format::price(row.last, decimals), plain),
        Cell::new(format::change(row.change), direction),
        Cell::new(age, quiet),
        Cell::new(mark, Role::Warn),
        Cell::new(format::price(row.bid, decimals), quiet),
        Cell::new(format::price(row.ask, decimals), quiet),
        Cell::new("", quiet),
    ];
    if picture.live.feed.is_some() {
        let serving = served.and_then(|one| one.quotes);
        let from = serving.map_or(format::NOT_AVAILABLE, |(by, _)| by.name());
        cells.insert(SOURCE, Cell::new(from, quiet));
    }
    cells
}
