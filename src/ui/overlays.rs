//! What lies over the panes: help, palette, command line, tickets, previews.

pub mod help;
pub mod palette;
pub mod preview;
pub mod prompts;
pub mod ticket;
pub mod watching;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use crate::ui::draw::{Picture, boxed};
use crate::ui::state::Overlay;

/// Draws all overlays, the last one on top. Windows stay inside `body`: status, banner and hints are never covered by one.
pub fn draw(picture: &Picture<'_>, area: Rect, body: Rect, buffer: &mut Buffer) {
    for overlay in &picture.state.overlays {
        match overlay {
            Overlay::Help { filter, row } => help::draw(picture, filter.value(), *row, body, buffer),
            Overlay::Palette { input, selected } => palette::draw(picture, input.value(), *selected, body, buffer),
            Overlay::Command { input } => prompts::command(picture, input.value(), area, buffer),
            Overlay::Filter { input } => prompts::filter(picture, input.value(), area, buffer),
            Overlay::Ticket { form, problem } => ticket::draw(picture, form, problem.as_deref(), body, buffer),
            Overlay::Preview(preview) => preview::draw(picture, preview, body, buffer),
            Overlay::Rearm { input, .. } => prompts::rearm(picture, input.value(), body, buffer),
            Overlay::StageUp { input, .. } => prompts::stage_up(picture, input.value(), body, buffer),
            Overlay::Watch(form) => watching::draw(picture, form, body, buffer),
            Overlay::History(order) => prompts::history(picture, *order, body, buffer),
            Overlay::Notice => prompts::notice(picture, body, buffer),
        }
    }
}

/// Clears a centred place of at most this size, frames it and returns what is inside.
pub(super) fn window(picture: &Picture<'_>, title: &str, size: (u16, u16), area: Rect, buffer: &mut Buffer) -> Rect {
    let (width, height) = (size.0.min(area.width), size.1.min(area.height));
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(place, buffer);
    let inner = boxed(picture, title, "", true, place, buffer);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}
