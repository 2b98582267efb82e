//! Aligned columns that drop out whole, by priority, when the pane is narrow. A number is never clipped.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::ui::format::fit;
use crate::ui::roles::{Role, Theme};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Heading.
    pub title: &'static str,
    /// Narrowest useful width.
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

/// Which columns fit, in order, with the width the last left-aligned one may take beyond its own.
fn fitting(columns: &[Column], width: u16) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let needed = |kept: &[usize]| {
        let sum: u16 = kept.iter().filter_map(|index| columns.get(*index)).map(|column| column.width + 1).sum();
        sum.saturating_add(1)
    };
    while needed(&kept) > width && kept.len() > 1 {
        let worst =
            kept.iter().copied().max_by_key(|index| columns.get(*index).map_or((0, 0), |column| (column.priority, *index)));
        let Some(worst) = worst.filter(|index| columns.get(*index).is_some_and(|column| column.priority > 0)) else { break };
        kept.retain(|index| *index != worst);
    }
    kept
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
    /// Draws the table. Spare width goes to the last left-aligned column.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, theme: Theme) {
        if area.height == 0 || area.width < 4 {
            return;
        }
        let kept = fitting(self.columns, area.width);
        let used: u16 = kept.iter().filter_map(|index| self.columns.get(*index)).map(|column| column.width + 1).sum();
        let spare = area.width.saturating_sub(used + 1);
        let is_left = |index: &&usize| self.columns.get(**index).is_some_and(|column| column.align == Align::Left);
        let stretched = kept.iter().rev().find(is_left).copied();
        let width_of = |index: usize| {
            let own = self.columns.get(index).map_or(0, |column| column.width);
            own + if stretched == Some(index) { spare } else { 0 }
        };
        let mut x = area.x + 1;
        for index in &kept {
            let Some(column) = self.columns.get(*index) else { continue };
            put(buffer, (x, area.y), column.title, width_of(*index), column.align, theme.style(Role::Muted));
            x += width_of(*index) + 1;
        }
        for (line, (row_index, row)) in (1..area.height).zip(self.rows.iter().enumerate().skip(self.offset)) {
            self.row(row, (area, line), &kept, &width_of, self.selected == Some(row_index), buffer, theme);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a private step of `draw` that shares its locals")]
    fn row(
        &self,
        row: &[Cell],
        (area, line): (Rect, u16),
        kept: &[usize],
        width_of: &impl Fn(usize) -> u16,
        is_selected: bool,
        buffer: &mut Buffer,
        theme: Theme,
    ) {
        let y = area.y + line;
        let mut x = area.x + 1;
        for index in kept {
            let (Some(column), Some(cell)) = (self.columns.get(*index), row.get(*index)) else { continue };
            put(buffer, (x, y), &cell.text, width_of(*index), column.align, theme.style(cell.role));
            x += width_of(*index) + 1;
        }
        if is_selected {
            buffer.set_string(area.x, y, "▸", theme.style(Role::Focus));
            let row_area = Rect { x: area.x + 1, y, width: area.width - 1, height: 1 };
            buffer.set_style(row_area, theme.style(Role::Selected).fg(ratatui::style::Color::Reset));
        }
    }
}

fn put(buffer: &mut Buffer, (x, y): (u16, u16), text: &str, width: u16, align: Align, style: ratatui::style::Style) {
    let cells = usize::from(width);
    let shown = match align {
        Align::Left => fit(text, cells),
        Align::Right if text.width() <= cells => format!("{}{text}", " ".repeat(cells - text.width())),
        Align::Right => "#".repeat(cells),
    };
    buffer.set_string(x, y, shown, style);
}

/// The first row to show so that `selected` is visible among `visible` rows.
pub fn offset_for(selected: usize, visible: usize) -> usize {
    if visible == 0 { 0 } else { selected.saturating_sub(visible - 1) }
}
