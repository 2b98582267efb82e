//! Commentary: what the analyst says, newest first, with its author and its bar.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::state::Pane;

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = picture.snapshot();
    if snapshot.commentary.is_empty() {
        picture.text(buffer, area, 0, " The analyst speaks when a bar moves more than 1.5 times its usual.", Role::Muted);
        picture.text(buffer, area, 1, " It works by rules; no language model is installed.", Role::Muted);
        return;
    }
    let selected = picture.state.row(Pane::Commentary);
    let width = usize::from(area.width.saturating_sub(2));
    let mut line = 0;
    for (index, comment) in snapshot.commentary.iter().enumerate().skip(selected) {
        if line >= area.height {
            return;
        }
        let symbol = picture.context.instruments.symbol(comment.instrument);
        let heading = format!(" {symbol} · {} · {}", format::short_time(comment.at), comment.author);
        let role = if index == selected && picture.state.focus == Pane::Commentary { Role::Focus } else { Role::Accent };
        picture.text(buffer, area, line, &heading, role);
        line += 1;
        for text in format::wrap(comment.text.as_str(), width) {
            picture.text(buffer, area, line, &format!(" {text}"), Role::Text);
            line += 1;
        }
        line += 1;
    }
}
