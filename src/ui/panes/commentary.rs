//! Commentary: what the analyst says, newest first, with its author, its bar and its age; below it what is being written now.
//!
//! A text that grows does so at the foot of the pane, in a place kept for it: nothing above it moves while it is written.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::llm::panel::{Panel, Rung, Speaking};
use crate::signals::Commentary;
use crate::ui::actions::ActionId;
use crate::ui::draw::{Picture, key_of};
use crate::ui::format;
use crate::ui::panes::model;
use crate::ui::roles::Role;
use crate::ui::state::Pane;

/// Lines kept for a text that is being written, its heading among them.
const WRITING: u16 = 6;
/// A pane of fewer lines has no room for a foot besides its comments.
const LEAST: u16 = 5;

/// Who speaks, for the pane's frame.
pub fn speaker(panel: &Panel) -> String {
    match (&panel.model, panel.rung) {
        (Some(model), Rung::Remote | Rung::Gpu | Rung::Cpu) => format!("{}, {}", model.name, panel.rung.word()),
        (None, Rung::Remote | Rung::Gpu | Rung::Cpu) | (_, Rung::Rules) => panel.rung.word().to_owned(),
    }
}

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let height = foot_height(picture, area);
    let list = Rect { height: area.height - height, ..area };
    let foot = Rect { y: area.y + list.height, height, ..area };
    comments(picture, list, buffer);
    match &picture.frame.model.speaking {
        Some(speaking) => writing(picture, speaking, foot, buffer),
        None => picture.text(
            buffer,
            foot,
            0,
            &format!(" {}", who_speaks(picture, usize::from(area.width.saturating_sub(1)))),
            Role::Muted,
        ),
    }
}

fn comments(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = picture.snapshot();
    let width = usize::from(area.width.saturating_sub(2));
    if snapshot.commentary.is_empty() {
        let text = "The analyst speaks when a bar moves more than 1.5 times its usual.";
        for (line, text) in (0..).zip(format::wrap(text, width)) {
            picture.text(buffer, area, line, &format!(" {text}"), Role::Muted);
        }
        return;
    }
    let selected = picture.state.row(Pane::Commentary);
    let mut line = 0;
    for (index, comment) in snapshot.commentary.iter().enumerate().skip(selected) {
        if line >= area.height {
            return;
        }
        let role = if index == selected && picture.state.focus == Pane::Commentary { Role::Focus } else { Role::Accent };
        picture.text(buffer, area, line, &heading(picture, comment, width), role);
        line += 1;
        for text in format::wrap(comment.text.as_str(), width) {
            picture.text(buffer, area, line, &format!(" {text}"), Role::Text);
            line += 1;
        }
        line += 1;
    }
}

/// Whose words about what, of which bar, and how long that is ago on the market's clock.
fn heading(picture: &Picture<'_>, comment: &Commentary, width: usize) -> String {
    let symbol = picture.context.instruments.symbol(comment.instrument);
    let age = format::age(picture.snapshot().market_now.since(comment.at));
    let parts = [(0, symbol), (2, format::short_time(comment.at)), (0, comment.author.clone()), (1, format!("{age} ago"))];
    format!(" {}", format::phrases(&parts, " · ", width))
}

/// The foot's height hangs on whether somebody writes, never on how much: what stands above it does not move meanwhile.
fn foot_height(picture: &Picture<'_>, area: Rect) -> u16 {
    if area.height < LEAST {
        return 0;
    }
    match &picture.frame.model.speaking {
        Some(speaking) if is_in_focus(picture, speaking) => WRITING.min(area.height / 2),
        Some(_) => 1,
        None => u16::from(picture.frame.model.rung == Rung::Rules),
    }
}

fn is_in_focus(picture: &Picture<'_>, speaking: &Speaking) -> bool {
    picture.state.in_focus(picture.snapshot(), picture.context) == Some(speaking.instrument)
}

/// What is being written: of the instrument in focus word by word, of another one that it is.
fn writing(picture: &Picture<'_>, speaking: &Speaking, area: Rect, buffer: &mut Buffer) {
    let symbol = picture.context.instruments.symbol(speaking.instrument);
    if !is_in_focus(picture, speaking) {
        return picture.text(buffer, area, 0, &format!(" {} writes about {symbol}…", speaking.author), Role::Muted);
    }
    picture.text(buffer, area, 0, &format!(" {symbol} · {} writes…", speaking.author), Role::Accent);
    let lines = format::wrap(speaking.text.as_str(), usize::from(area.width.saturating_sub(2)));
    // The end is what is new: where there are more lines than room, the first ones go.
    let room = usize::from(area.height.saturating_sub(1));
    let from = lines.len().saturating_sub(room);
    for (line, text) in (1..).zip(lines.iter().skip(from)) {
        picture.text(buffer, area, line, &format!(" {text}"), Role::Text);
    }
}

/// Why it is the rules that speak, what a person does about it, and where to read more.
fn who_speaks(picture: &Picture<'_>, width: usize) -> String {
    let (panel, key) = (&picture.frame.model, key_of(picture.context, ActionId::Model));
    let (what, then) = if model::is_none_installed(panel) {
        ("No model", format!("`{}`", model::INSTALLS))
    } else {
        ("Rules stand in", model::why(panel).to_owned())
    };
    format::phrases(&[(0, what.to_owned()), (1, then), (2, key)], " · ", width)
}
