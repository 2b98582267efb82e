//! Colour roles. Panes name roles; only this file names colours, and only the terminal's own sixteen.

use ratatui::style::{Color, Modifier, Style};

use crate::runtime::Palette;

/// What a cell means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Labels, rules, things that may be overlooked.
    Muted,
    /// Headings and keys.
    Accent,
    /// Rose, gained, passed.
    Up,
    /// Fell, lost, refused.
    Down,
    /// Worth a look.
    Warn,
    /// Look now.
    Danger,
    /// The row under the cursor.
    Selected,
    /// Too old to trust.
    Stale,
    /// The badge of paper trading.
    Paper,
    /// The badge of read-only.
    ReadOnly,
    /// The border of the focused pane.
    Focus,
}

/// Roles in the colours of a palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Theme {
    palette: Palette,
}

impl Theme {
    /// The theme of a palette.
    pub const fn new(palette: Palette) -> Self {
        Self { palette }
    }

    /// The style of a role. In `Mono` a role differs by bold, dim, underline or reverse alone.
    pub fn style(self, role: Role) -> Style {
        if self.palette == Palette::Mono {
            return mono(role);
        }
        let (up, down) = match self.palette {
            Palette::GreenRed | Palette::Mono => (Color::Green, Color::Red),
            Palette::RedGreen => (Color::Red, Color::Green),
            Palette::BlueOrange => (Color::Blue, Color::Yellow),
        };
        let plain = Style::new();
        match role {
            Role::Text => plain,
            Role::Muted => plain.fg(Color::DarkGray),
            Role::Accent => plain.fg(Color::Cyan),
            Role::Up => plain.fg(up),
            Role::Down => plain.fg(down),
            Role::Warn => plain.fg(Color::Yellow).add_modifier(Modifier::BOLD),
            Role::Danger => plain.fg(Color::LightRed).add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Role::Selected => plain.add_modifier(Modifier::REVERSED),
            Role::Stale => plain.fg(Color::DarkGray).add_modifier(Modifier::ITALIC | Modifier::DIM),
            Role::Paper => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Role::ReadOnly => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Role::Focus => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        }
    }

    /// One letter per role, for snapshots that show style beside text.
    pub fn letter(self, style: Style) -> char {
        const LETTERS: [(Role, char); 12] = [
            (Role::Muted, 'm'),
            (Role::Accent, 'a'),
            (Role::Up, 'u'),
            (Role::Down, 'd'),
            (Role::Warn, 'w'),
            (Role::Danger, 'D'),
            (Role::Selected, 'S'),
            (Role::Stale, 's'),
            (Role::Paper, 'P'),
            (Role::ReadOnly, 'R'),
            (Role::Focus, 'f'),
            (Role::Text, ' '),
        ];
        let same = |role: Role| {
            let mine = self.style(role);
            mine.fg.unwrap_or(Color::Reset) == style.fg.unwrap_or(Color::Reset) && mine.add_modifier == style.add_modifier
        };
        let reversed = style.add_modifier.contains(Modifier::REVERSED);
        let like = |role: Role| self.style(role).fg.unwrap_or(Color::Reset) == style.fg.unwrap_or(Color::Reset);
        let exact = LETTERS.iter().find(|(role, _)| same(*role));
        let near = || LETTERS.iter().find(|(role, _)| if reversed { *role == Role::Selected } else { like(*role) });
        exact.or_else(near).map_or('?', |(_, letter)| *letter)
    }
}

fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Up | Role::Down => plain,
        Role::Muted => plain.add_modifier(Modifier::DIM),
        Role::Accent => plain.add_modifier(Modifier::BOLD),
        Role::Warn => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Danger => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED | Modifier::UNDERLINED),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Stale => plain.add_modifier(Modifier::DIM | Modifier::ITALIC),
        Role::Paper | Role::ReadOnly => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        Role::Focus => plain.add_modifier(Modifier::BOLD),
    }
}
