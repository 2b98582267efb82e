//! Where the panes stand, by the size of the terminal.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::ui::state::Pane;

/// The size class of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 160x45 and more: all panes.
    Wide,
    /// 100x30 and more: commentary and alerts share a place.
    Medium,
    /// 80x24 and more: one pane.
    Small,
    /// Less: status, total and kill switch.
    Tiny,
    /// Below 40x10: a message that still takes the kill switch.
    TooSmall,
}

/// The class of a size.
pub const fn class_of(width: u16, height: u16) -> Class {
    if width >= 160 && height >= 45 {
        Class::Wide
    } else if width >= 100 && height >= 30 {
        Class::Medium
    } else if width >= 80 && height >= 24 {
        Class::Small
    } else if width >= 40 && height >= 10 {
        Class::Tiny
    } else {
        Class::TooSmall
    }
}

/// Status line, banner, body and hints.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Always at the top: mode, state, tape, ages.
    pub status: Rect,
    /// Kill switch, freeze, staleness: a line or two, present only when there is something to say.
    pub banner: Rect,
    /// Panes.
    pub body: Rect,
    /// Keys that do something now.
    pub hints: Rect,
}

/// Splits the screen; the banner takes the lines it needs.
pub fn frame(area: Rect, banner: u16) -> Frame {
    let rows = Layout::vertical([Constraint::Length(1), Constraint::Length(banner), Constraint::Min(0), Constraint::Length(1)]);
    let [status, banner, body, hints] = rows.areas(area);
    Frame { status, banner, body, hints }
}

/// Panes and their places. `focus` decides which one is shown where two share a place or only one fits.
pub fn panes(body: Rect, class: Class, focus: Pane, is_zoomed: bool) -> Vec<(Pane, Rect)> {
    if is_zoomed || class == Class::Small {
        return vec![(focus, body)];
    }
    match class {
        Class::Wide => wide(body),
        Class::Medium => medium(body, focus),
        Class::Small | Class::Tiny | Class::TooSmall => vec![(focus, body)],
    }
}

fn wide(body: Rect) -> Vec<(Pane, Rect)> {
    let [left, middle, right] =
        Layout::horizontal([Constraint::Percentage(33), Constraint::Percentage(40), Constraint::Percentage(27)]).areas(body);
    let [quotes, commentary] = Layout::vertical([Constraint::Min(12), Constraint::Percentage(34)]).areas(left);
    let [signals, positions] = Layout::vertical([Constraint::Percentage(52), Constraint::Min(10)]).areas(middle);
    let [risk, alerts] = Layout::vertical([Constraint::Length(22), Constraint::Min(8)]).areas(right);
    vec![
        (Pane::Quotes, quotes),
        (Pane::Commentary, commentary),
        (Pane::Signals, signals),
        (Pane::Positions, positions),
        (Pane::Risk, risk),
        (Pane::Alerts, alerts),
    ]
}

fn medium(body: Rect, focus: Pane) -> Vec<(Pane, Rect)> {
    let [left, right] = Layout::horizontal([Constraint::Percentage(46), Constraint::Percentage(54)]).areas(body);
    let [quotes, words] = Layout::vertical([Constraint::Min(10), Constraint::Percentage(36)]).areas(left);
    let [signals, positions, risk] =
        Layout::vertical([Constraint::Percentage(36), Constraint::Min(8), Constraint::Length(10)]).areas(right);
    let shared = if focus == Pane::Alerts { Pane::Alerts } else { Pane::Commentary };
    vec![(Pane::Quotes, quotes), (shared, words), (Pane::Signals, signals), (Pane::Positions, positions), (Pane::Risk, risk)]
}
