//! Help: every action with its keys, filtered by name or by key, scrolled where it is longer than the window.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::actions::{ACTIONS, ActionInfo, Section};
use crate::ui::draw::{Picture, pretty};
use crate::ui::format;
use crate::ui::overlays::window;
use crate::ui::roles::Role;
use crate::ui::state::Context;

/// The largest window.
const SIZE: (u16, u16) = (92, 60);
/// Where the words of an action begin.
const WORDS: usize = 29;
/// Lines of the screen that help cannot use: status, banner, hints, its frame, the filter, and what follows.
const OTHERS: u16 = 7;

/// Draws the help from this row on.
pub fn draw(picture: &Picture<'_>, filter: &str, row: usize, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "Help — type to filter by name or key, Esc leaves", SIZE, area, buffer);
    picture.text(buffer, inner, 0, &format!("filter: {filter}▏"), Role::Accent);
    let lines = lines(picture.context, filter, usize::from(inner.width));
    let room = usize::from(inner.height.saturating_sub(1));
    let visible = if lines.len() > room { room.saturating_sub(1) } else { room };
    let row = row.min(lines.len().saturating_sub(visible));
    for (line, (text, role)) in (1..).zip(lines.iter().skip(row).take(visible)) {
        picture.text(buffer, inner, line, text, *role);
    }
    if lines.len() > visible {
        let below = lines.len() - visible - row;
        let more = match (row, below) {
            (0, below) => format!("↓ {below} more lines: Down, PageDown"),
            (above, 0) => format!("↑ {above} lines above: Up, PageUp"),
            (above, below) => format!("↑ {above} above · ↓ {below} more: Up, Down, PageUp, PageDown"),
        };
        picture.text(buffer, inner, inner.height.saturating_sub(1), &more, Role::Accent);
    }
}

/// How far down a key may scroll on a screen of this size, and how far a page is.
pub fn reach(context: &Context, filter: &str, (width, height): (u16, u16)) -> (usize, usize) {
    let inner = usize::from(width.min(SIZE.0).saturating_sub(4));
    let page = usize::from((height - OTHERS.min(height)).max(1));
    (lines(context, filter, inner).len().saturating_sub(page), page)
}

/// Every line that the filter leaves.
fn lines(context: &Context, filter: &str, width: usize) -> Vec<(String, Role)> {
    let wanted = filter.to_lowercase();
    let mut lines = Vec::new();
    for section in Section::ALL {
        let actions = ACTIONS.iter().filter(|info| info.section == section);
        let rows: Vec<(String, Role)> = actions.flat_map(|info| action(context, info, &wanted, width)).collect();
        if !rows.is_empty() {
            lines.push((section.title().to_owned(), Role::Accent));
            lines.extend(rows);
        }
    }
    if lines.is_empty() {
        lines.push((format!("no action has «{filter}» in its name, key or words"), Role::Muted));
    }
    let advice = "No advice: pmax shows what a rule computed, and paper results are not real results.";
    lines.push((String::new(), Role::Text));
    lines.extend(format::wrap(advice, width).into_iter().map(|line| (line, Role::Muted)));
    lines
}

/// The lines of one action, its words wrapped; none where the filter leaves it out.
fn action(context: &Context, info: &ActionInfo, wanted: &str, width: usize) -> Vec<(String, Role)> {
    let keys: Vec<String> = context.keymap.keys_of(info.id).into_iter().map(pretty).collect();
    let keys = keys.join(", ");
    let texts = [keys.to_lowercase(), info.name.to_owned(), info.title.to_lowercase()];
    if !texts.iter().any(|text| text.contains(wanted)) {
        return Vec::new();
    }
    let head = format!("  {keys:<14} {:<11} ", info.name);
    let words = format::wrap(info.title, width.saturating_sub(WORDS).max(12));
    let begin = |index: usize| if index == 0 { head.clone() } else { " ".repeat(WORDS) };
    words.into_iter().enumerate().map(|(index, words)| (begin(index) + words.as_str(), Role::Text)).collect()
}
