//! Aligned columns that drop out whole, by priority, when the pane is narrow. A column of numbers is as wide as its widest number.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::ui::format::cut;
use crate::ui::roles::{Role, Theme};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words; what does not fit ends in `…`.
    Left,
    /// Numbers; the column widens to what they need.
    Right,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Heading.
    pub title: &'static str,
    /// Narrowest useful width; a column of numbers takes more where one of them needs it.
    pub width: u16,
    /// Alignment.
    pub align: Align,
    /// Columns of the highest number drop out first; 0 always stays.
    pub priority: u8,
}

/// Text with its meaning.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// What it means.
    pub role: Role,
}

impl Cell {
    /// A cell.
    pub fn new(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role }
    }
}

/// A left-aligned column.
pub const fn left(title: &'static str, width: u16, priority: u8) -> Column {
    Column { title, width, align: Align::Left, priority }
}

/// A right-aligned column.
pub const fn right(title: &'static str, width: u16, priority: u8) -> Column {
    Column { title, width, align: Align::Right, priority }
}

/// The columns that fit, in order, each with its width. Spare width goes to the last left-aligned one.
fn layout(columns: &[Column], rows: &[Vec<Cell>], width: u16) -> Vec<(usize, u16)> {
    let own = |index: usize, column: &Column| match column.align {
        Align::Left => column.width,
        Align::Right => {
            let widest = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.width()).max();
            column.width.max(u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX))
        }
    };
    let mut kept: Vec<(usize, u16)> = columns.iter().enumerate().map(|(index, column)| (index, own(index, column))).collect();
    let priority = |place: usize| columns.get(place).map_or(0, |column| column.priority);
    let needed = |kept: &[(usize, u16)]| kept.iter().fold(1_u16, |sum, (_, own)| sum.saturating_add(own.saturating_add(1)));
    while needed(&kept) > width && kept.len() > 1 {
        let worst = kept.iter().map(|(index, _)| *index).max_by_key(|index| (priority(*index), *index));
        kept.retain(|(index, _)| Some(*index) != worst);
    }
    let spare = width.saturating_sub(needed(&kept));
    let is_left = |(index, _): &&mut (usize, u16)| columns.get(*index).is_some_and(|column| column.align == Align::Left);
    if let Some((_, own)) = kept.iter_mut().rev().find(is_left) {
        *own += spare;
    }
    // One column alone may be wider than the pane: then its numbers show as `…`.
    kept.iter().map(|(index, own)| (*index, (*own).min(width.saturating_sub(2)))).collect()
}

/// A table with a heading and an optional selected row.
pub struct Table<'a> {
    /// Its columns.
    pub columns: &'a [Column],
    /// Its rows; a row has a cell per column.
    pub rows: &'a [Vec<Cell>],
    /// The row under the cursor.
    pub selected: Option<usize>,
    /// The first row shown.
    pub offset: usize,
}

impl Table<'_> {
    /// The width a column gets in a pane of this width; zero where it drops out.
    pub fn width_of(&self, column: usize, width: u16) -> u16 {
        layout(self.columns, self.rows, width).into_iter().find(|(index, _)| *index == column).map_or(0, |(_, own)| own)
    }

    /// Draws the table.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, theme: Theme) {
        if area.height == 0 || area.width < 4 {
            return;
        }
        let kept = layout(self.columns, self.rows, area.width);
        let titles: Vec<Cell> = self.columns.iter().map(|column| Cell::new(column.title, Role::Muted)).collect();
        self.line(&titles, (area.x, area.y), &kept, buffer, theme);
        for (line, (index, row)) in (1..area.height).zip(self.rows.iter().enumerate().skip(self.offset)) {
            self.line(row, (area.x, area.y + line), &kept, buffer, theme);
            if self.selected == Some(index) {
                select(Rect { y: area.y + line, height: 1, ..area }, buffer, theme);
            }
        }
    }

    fn line(&self, cells: &[Cell], (left, y): (u16, u16), kept: &[(usize, u16)], buffer: &mut Buffer, theme: Theme) {
        let mut x = left + 1;
        for (index, width) in kept {
            if let (Some(column), Some(cell)) = (self.columns.get(*index), cells.get(*index)) {
                let text = aligned(&cell.text, usize::from(*width), column.align);
                buffer.set_string(x, y, text, theme.style(cell.role));
            }
            x += width + 1;
        }
    }
}

fn select(row: Rect, buffer: &mut Buffer, theme: Theme) {
    buffer.set_string(row.x, row.y, "▸", theme.style(Role::Focus));
    let rest = Rect { x: row.x + 1, width: row.width - 1, ..row };
    buffer.set_style(rest, theme.style(Role::Selected).fg(ratatui::style::Color::Reset));
}

fn aligned(text: &str, width: usize, align: Align) -> String {
    let shown = cut(text, width);
    let padding = " ".repeat(width.saturating_sub(shown.width()));
    match align {
        Align::Left => shown + padding.as_str(),
        Align::Right => padding + shown.as_str(),
    }
}

/// The first row to show so that `selected` is visible among `visible` rows.
pub fn offset_for(selected: usize, visible: usize) -> usize {
    if visible == 0 { 0 } else { selected.saturating_sub(visible - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [left("name", 4, 0), right("money", 6, 1), right("less", 4, 2)];

    fn drawn(rows: &[Vec<Cell>], width: u16) -> String {
        let area = Rect::new(0, 0, width, 2);
        let mut buffer = Buffer::empty(area);
        Table { columns: &COLUMNS, rows, selected: None, offset: 0 }.draw(area, &mut buffer, Theme::default());
        (0..width).map(|x| buffer[(x, 1)].symbol().to_owned()).collect()
    }

    #[test]
    fn a_number_is_whole_or_not_there_at_every_width() {
        let cell = |text: &str| Cell::new(text, Role::Text);
        let rows = [vec![cell("abc"), cell("+1,234,567.89"), cell("42.50")]];
        for width in 4..60 {
            let line = drawn(&rows, width);
            let numbers: Vec<&str> =
                line.split([' ', '…']).filter(|word| word.contains(|letter: char| letter.is_ascii_digit())).collect();
            assert!(numbers.iter().all(|number| ["+1,234,567.89", "42.50"].contains(number)), "{width}: {line}");
        }
        assert_eq!(drawn(&rows, 20), " abc  +1,234,567.89 ");
        assert_eq!(drawn(&rows, 12), " abc        ");
    }
}
