//! Help: every action with its keys, filtered by name or by key.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::actions::{ACTIONS, Section};
use crate::ui::draw::{Picture, pretty};
use crate::ui::overlays::window;
use crate::ui::roles::Role;

/// Draws the help.
pub fn draw(picture: &Picture<'_>, filter: &str, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "Help — type to filter by name or key, Esc leaves", (92, 56), area, buffer);
    let wanted = filter.to_lowercase();
    picture.text(buffer, inner, 0, &format!("filter: {filter}▏"), Role::Accent);
    let mut line = 1;
    for section in Section::ALL {
        let rows: Vec<(String, &str, &str)> = ACTIONS
            .iter()
            .filter(|info| info.section == section)
            .map(|info| {
                let keys: Vec<String> = picture.context.keymap.keys_of(info.id).into_iter().map(pretty).collect();
                (keys.join(", "), info.name, info.title)
            })
            .filter(|(keys, name, title)| {
                wanted.is_empty() || [keys.to_lowercase().as_str(), name, title].iter().any(|text| text.contains(&wanted))
            })
            .collect();
        if rows.is_empty() || line >= inner.height {
            continue;
        }
        picture.text(buffer, inner, line, section.title(), Role::Accent);
        line += 1;
        for (keys, name, title) in rows {
            picture.text(buffer, inner, line, &format!("  {keys:<14} {name:<11} {title}"), Role::Text);
            line += 1;
        }
    }
    let words = ["No advice: pmax shows what a rule computed, and paper results are not real results."];
    for text in words {
        picture.text(buffer, inner, line + 1, text, Role::Muted);
    }
}
