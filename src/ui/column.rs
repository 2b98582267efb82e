//! Lines of a view that tells facts, from its top.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;

/// One column of lines.
pub struct Column<'a, 'b> {
    picture: &'a Picture<'b>,
    area: Rect,
    line: u16,
}

impl<'a, 'b> Column<'a, 'b> {
    /// An empty column.
    pub const fn new(picture: &'a Picture<'b>, area: Rect) -> Self {
        Self { picture, area, line: 0 }
    }

    /// What it is drawn from.
    pub const fn picture(&self) -> &'a Picture<'b> {
        self.picture
    }

    /// Adds text, over several lines where one is too short.
    pub fn put(&mut self, buffer: &mut Buffer, text: &str, role: Role) {
        for line in format::wrap(text, usize::from(self.area.width.saturating_sub(2))) {
            self.picture.text(buffer, self.area, self.line, &format!(" {line}"), role);
            self.line += 1;
        }
    }

    /// Adds a name with its value.
    pub fn fact(&mut self, buffer: &mut Buffer, name: &str, value: &str, role: Role) {
        self.picture.text(buffer, self.area, self.line, &format!(" {name:<18}"), Role::Muted);
        let rest = Rect { x: self.area.x + 19, width: self.area.width.saturating_sub(20), ..self.area };
        for line in format::wrap(value, usize::from(rest.width)) {
            self.picture.text(buffer, rest, self.line, &line, role);
            self.line += 1;
        }
    }

    /// Adds a name with text whose blanks align it; what does not fit is cut.
    pub fn aligned(&mut self, buffer: &mut Buffer, name: &str, text: &str, role: Role) {
        self.picture.text(buffer, self.area, self.line, &format!(" {name:<18}"), Role::Muted);
        let rest = Rect { x: self.area.x + 19, width: self.area.width.saturating_sub(20), ..self.area };
        self.picture.text(buffer, rest, self.line, text, role);
        self.line += 1;
    }

    /// Cells that a fact's value has.
    pub const fn width(&self) -> u16 {
        self.area.width.saturating_sub(20)
    }

    /// The line that comes next.
    pub const fn line(&self) -> u16 {
        self.line
    }

    /// Leaves a line empty.
    pub const fn gap(&mut self) {
        self.line += 1;
    }
}
