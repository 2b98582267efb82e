//! Alerts: a numbered ring in which a gap would show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{Alert, Severity};
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::state::Pane;
use crate::ui::table::{Cell, Column, Table, left, offset_for, right};

const COLUMNS: [Column; 5] = [left("", 1, 0), right("no", 4, 3), left("", 4, 1), right("when", 11, 2), left("what", 16, 0)];

/// Draws the pane, and the selected alert whole below the list where there is room.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let alerts = &picture.snapshot().alerts;
    if alerts.is_empty() {
        picture.text(buffer, area, 0, " Nothing to report.", Role::Muted);
        return;
    }
    let detail_lines = if area.height >= 9 { 3 } else { 0 };
    let list = Rect { height: area.height - detail_lines, ..area };
    let rows: Vec<Vec<Cell>> = alerts.iter().map(cells).collect();
    let row = picture.state.row(Pane::Alerts).min(rows.len() - 1);
    let offset = offset_for(row, usize::from(list.height.saturating_sub(1)));
    Table { columns: &COLUMNS, rows: &rows, selected: Some(row), offset }.draw(list, buffer, picture.theme);
    if let Some(alert) = alerts.get(row).filter(|_| detail_lines > 0) {
        let below = Rect { y: area.y + list.height, height: detail_lines, ..area };
        for (line, text) in (0..).zip(format::wrap(&alert.text, usize::from(area.width.saturating_sub(2)))) {
            picture.text(buffer, below, line, &format!(" {text}"), Role::Text);
        }
    }
}

fn cells(alert: &Alert) -> Vec<Cell> {
    let (word, role) = match alert.severity {
        Severity::Info => ("info", Role::Text),
        Severity::Warning => ("warn", Role::Warn),
        Severity::Critical => ("CRIT", Role::Danger),
    };
    let role = if alert.acknowledged { Role::Muted } else { role };
    vec![
        Cell::new(if alert.acknowledged { " " } else { "⚑" }, role),
        Cell::new(alert.id.0.to_string(), Role::Muted),
        Cell::new(word, role),
        Cell::new(format::short_time(alert.at), Role::Muted),
        Cell::new(alert.text.clone(), if alert.acknowledged { Role::Muted } else { Role::Text }),
    ]
}
