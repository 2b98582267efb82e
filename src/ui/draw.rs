//! The whole screen from state and picture: status, banner, panes, hints, overlays.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::widgets::{Block, BorderType, Widget};
use unicode_width::UnicodeWidthStr;

use crate::domain::{Duration, Mode, WallTime, counted};
use crate::engine::{QuoteRow, Snapshot};
use crate::runtime::Frame;
use crate::ui::actions::ActionId;
use crate::ui::format;
use crate::ui::layout::{Class, class_of, frame, panes as places};
use crate::ui::overlays;
use crate::ui::panes;
use crate::ui::roles::{Role, Theme};
use crate::ui::state::{Context, Pane, UiState, View};

/// Everything a pane may look at.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// What is looked at and typed.
    pub state: &'a UiState,
    /// The picture shown: the frozen one where the screen is frozen.
    pub frame: &'a Frame,
    /// The latest picture, for status, risk and dialogs.
    pub live: &'a Frame,
    /// What does not change.
    pub context: &'a Context,
    /// Colours.
    pub theme: Theme,
    /// Now.
    pub now: WallTime,
    /// How long ago the engine last gave a sign of life.
    pub heartbeat: Duration,
}

impl Picture<'_> {
    /// The engine's part of the picture shown.
    pub const fn snapshot(&self) -> &Snapshot {
        &self.frame.snapshot
    }

    /// How old a price is: by the wall's clock where the market is heard while it happens, also while nothing is heard, and from when its
    /// provider says that it was; by the tape's time else.
    pub fn age_of(&self, row: &QuoteRow) -> Duration {
        self.age_in(self.frame, row)
    }

    /// The same for the latest picture, which dialogs show also while the screen is frozen.
    pub fn age_of_live(&self, row: &QuoteRow) -> Duration {
        self.age_in(self.live, row)
    }

    fn age_in(&self, frame: &Frame, row: &QuoteRow) -> Duration {
        let served = frame.feed.as_ref().and_then(|feed| feed.served.iter().find(|one| one.instrument == row.instrument));
        match served.and_then(|one| one.priced_at) {
            // The desk may have heard what the engine has not.
            Some(at) => self.now.since(at.min(WallTime(row.known_at.0))),
            None if self.live.playback.is_live() => self.now.since(WallTime(row.known_at.0)),
            None => frame.snapshot.market_now.since(row.known_at),
        }
    }

    /// A role's style.
    pub fn style(&self, role: Role) -> ratatui::style::Style {
        self.theme.style(role)
    }

    /// Writes text; what does not fit ends in `…`, and no number is shown in part.
    pub fn text(&self, buffer: &mut Buffer, area: Rect, line: u16, text: &str, role: Role) {
        if line < area.height && area.width > 0 {
            let width = usize::from(area.width);
            buffer.set_stringn(area.x, area.y + line, format::cut(text, width), width, self.style(role));
        }
    }
}

/// Draws everything.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let class = class_of(area.width, area.height);
    if class == Class::TooSmall {
        too_small(picture, area, buffer);
        return;
    }
    let banner = panes::status::banner(picture, area.width);
    let (words, role) = banner.unwrap_or((String::new(), Role::Text));
    let most = if class == Class::Tiny { 3 } else { 2 };
    let lines = format::wrap_at_most(&words, usize::from(area.width.saturating_sub(2)), most);
    let places_of = frame(area, u16::try_from(lines.len()).unwrap_or(0));
    panes::status::draw(picture, places_of.status, buffer);
    buffer.set_style(places_of.banner, picture.style(role));
    for (line, text) in (0..).zip(&lines) {
        picture.text(buffer, places_of.banner, line, &format!(" {text}"), role);
    }
    if class == Class::Tiny {
        panes::status::tiny(picture, places_of.body, buffer);
    } else {
        body(picture, places_of.body, class, buffer);
    }
    panes::status::hints(picture, places_of.hints, buffer);
    overlays::draw(picture, area, places_of.body, buffer);
}

fn body(picture: &Picture<'_>, area: Rect, class: Class, buffer: &mut Buffer) {
    match picture.state.view {
        View::Panes => {
            for (pane, place) in places(area, class, picture.state.focus, picture.state.is_zoomed) {
                draw_pane(picture, pane, place, class, buffer);
            }
        }
        View::Detail(instrument) => panes::detail::draw(picture, instrument, area, buffer),
        View::Equity => panes::equity::draw(picture, area, buffer),
        View::Activity => panes::activity::draw(picture, area, buffer),
        View::Broker => panes::broker::draw(picture, area, buffer),
        View::Feed => panes::feed::draw(picture, area, buffer),
        View::Economy => panes::economy::draw(picture, area, buffer),
        View::News => panes::news::draw(picture, area, buffer),
        View::Allocation => panes::allocation::draw(picture, area, buffer),
        View::Scores => panes::scores::draw(picture, area, buffer),
        View::Gates => panes::gates::draw(picture, area, buffer),
        View::Model => panes::model::draw(picture, area, buffer),
    }
}

fn draw_pane(picture: &Picture<'_>, pane: Pane, place: Rect, class: Class, buffer: &mut Buffer) {
    let mut title = pane.title().to_owned();
    if class == Class::Medium && pane == Pane::Commentary {
        title.push_str(" · 6 Alerts");
    }
    if class == Class::Medium && pane == Pane::Alerts {
        title.insert_str(0, "2 Commentary · ");
    }
    let is_focused = picture.state.focus == pane;
    let inner = boxed(picture, &title, &extra(picture, pane), is_focused, place, buffer);
    match pane {
        Pane::Quotes => panes::quotes::draw(picture, inner, buffer),
        Pane::Commentary => panes::commentary::draw(picture, inner, buffer),
        Pane::Signals => panes::signals::draw(picture, inner, buffer),
        Pane::Positions => panes::positions::draw(picture, inner, buffer),
        Pane::Risk => panes::risk::draw(picture, inner, buffer),
        Pane::Alerts => panes::alerts::draw(picture, inner, buffer),
    }
}

/// What a pane's frame says on the right.
fn extra(picture: &Picture<'_>, pane: Pane) -> String {
    let (snapshot, live) = (picture.snapshot(), &picture.live.snapshot);
    match pane {
        Pane::Quotes => panes::quotes::subtitle(picture),
        Pane::Commentary => panes::commentary::speaker(&picture.frame.model),
        Pane::Signals => format!("{} waiting", snapshot.proposals.len()),
        Pane::Positions => {
            format!("{} open · {}", live.positions.len(), counted(live.open_orders, "order"))
        }
        Pane::Risk => live.state.to_string(),
        Pane::Alerts => format!("{} new", snapshot.unacknowledged),
    }
}

/// Draws a frame with a title and returns what is inside.
pub fn boxed(picture: &Picture<'_>, title: &str, right: &str, is_focused: bool, place: Rect, buffer: &mut Buffer) -> Rect {
    let (border, heading) = if is_focused { (Role::Focus, Role::Focus) } else { (Role::Muted, Role::Accent) };
    let mark = if is_focused { "● " } else { "" };
    let room = usize::from(place.width.saturating_sub(4 + u16::from(is_focused) * 2));
    let title = format::cut(title, room);
    let mut block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(picture.style(border))
        .title(ratatui::text::Span::styled(format!(" {mark}{title} "), picture.style(heading)));
    if !right.is_empty() && title.width() + right.width() + 3 <= room {
        let right = ratatui::text::Line::styled(format!(" {right} "), picture.style(Role::Muted)).alignment(Alignment::Right);
        block = block.title(right);
    }
    let inner = block.inner(place);
    block.render(place, buffer);
    inner
}

/// A message that still takes the kill switch.
fn too_small(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let mode = match snapshot.mode {
        Mode::ReadOnly => "READ-ONLY",
        Mode::Paper => "PAPER",
        Mode::Demo => "DEMO",
    };
    let banner = panes::status::banner(picture, area.width);
    let said = [
        (format!("{mode} {}", snapshot.state), Role::Warn),
        ("F12 twice halts.".to_owned(), Role::Text),
        banner.unwrap_or((String::new(), Role::Text)),
        ("No pane fits: totals need 40x10, panes 80x24.".to_owned(), Role::Muted),
    ];
    let width = usize::from(area.width.max(1));
    let lines = said.iter().flat_map(|(text, role)| format::wrap(text, width).into_iter().map(|line| (line, *role)));
    for (line, (text, role)) in (0..area.height).zip(lines) {
        picture.text(buffer, area, line, &text, role);
    }
}

/// Keys of an action for hints, the first one.
pub fn key_of(context: &Context, action: ActionId) -> String {
    context.keymap.keys_of(action).first().map_or_else(String::new, |key| pretty(key))
}

/// A key as people write it.
pub fn pretty(key: &str) -> String {
    let parts: Vec<String> = key
        .split('-')
        .map(|part| match part {
            "ctrl" => "Ctrl".to_owned(),
            "shift" => "Shift".to_owned(),
            "alt" => "Alt".to_owned(),
            "" | "hyphen" => "-".to_owned(),
            one if one.len() == 1 && key.starts_with("shift-") => one.to_uppercase(),
            one if one.len() == 1 => one.to_owned(),
            word => {
                word.chars().next().map_or_else(String::new, |first| first.to_uppercase().chain(word.chars().skip(1)).collect())
            }
        })
        .collect();
    if key == "-" { "-".to_owned() } else { parts.join("+") }
}
