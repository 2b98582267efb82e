//! The palette: any action by a few letters of its name or title.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::actions::{ACTIONS, ActionId};
use crate::ui::draw::{Picture, key_of};
use crate::ui::overlays::window;
use crate::ui::roles::Role;

/// Actions that match, best first; all of them in table order while nothing is typed.
pub fn matches(typed: &str) -> Vec<ActionId> {
    if typed.trim().is_empty() {
        return ACTIONS.iter().map(|info| info.id).collect();
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, ActionId)> = ACTIONS
        .iter()
        .filter_map(|info| {
            let text = format!("{} {}", info.name, info.title);
            pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher).map(|score| (score, info.id))
        })
        .collect();
    scored.sort_by_key(|(score, id)| (std::cmp::Reverse(*score), *id));
    scored.into_iter().map(|(_, id)| id).collect()
}

/// Draws the palette.
pub fn draw(picture: &Picture<'_>, typed: &str, selected: usize, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "Find an action — Enter does it", (84, 20), area, buffer);
    picture.text(buffer, inner, 0, &format!("› {typed}▏"), Role::Accent);
    let found = matches(typed);
    if found.is_empty() {
        picture.text(buffer, inner, 2, "nothing matches", Role::Muted);
    }
    let visible = usize::from(inner.height.saturating_sub(2));
    let offset = selected.saturating_sub(visible.saturating_sub(1));
    for (line, (index, action)) in (2..inner.height).zip(found.iter().enumerate().skip(offset)) {
        let info = action.info();
        let is_selected = index == selected.min(found.len().saturating_sub(1));
        let mark = if is_selected { "▸" } else { " " };
        let role = if is_selected { Role::Selected } else { Role::Text };
        let text = format!("{mark} {:<11} {:<10} {}", info.name, key_of(picture.context, *action), info.title);
        picture.text(buffer, inner, line, &text, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_comes_first() {
        assert_eq!(matches("rearm").first(), Some(&ActionId::Rearm));
        assert_eq!(matches("equity").first(), Some(&ActionId::Equity));
        assert_eq!(matches("").len(), ACTIONS.len());
        assert!(matches("zzzz").is_empty());
    }
}
