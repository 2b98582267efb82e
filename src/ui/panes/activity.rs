//! The activity log: everything that was done, in words, newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::Severity;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let inner = boxed(picture, "Activity", "newest first", true, area, buffer);
    let lines = picture.live.snapshot.activity.iter().skip(picture.state.activity_row);
    for (line, activity) in (0..inner.height).zip(lines) {
        let role = match activity.severity {
            Severity::Info => Role::Text,
            Severity::Warning => Role::Warn,
            Severity::Critical => Role::Danger,
        };
        let text = format!(" {:>5}  {}  {}", activity.number, format::moment(activity.at), activity.text);
        picture.text(buffer, inner, line, &text, role);
    }
}
