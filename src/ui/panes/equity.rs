//! The equity curve and results by day.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

use crate::domain::Money;
use crate::portfolio::DayResult;
use crate::ui::curve::Curve;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, right};

const COLUMNS: [Column; 3] = [left("risk day", 10, 0), right("result", 12, 0), right("equity", 14, 1)];

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = picture.snapshot();
    let [left_part, right_part] = Layout::horizontal([Constraint::Min(30), Constraint::Length(44)]).areas(area);
    let inner = boxed(picture, "Equity", "by risk day, 17:00 New York", true, left_part, buffer);
    let account = &snapshot.account;
    let summary = [
        (0, format!("{} {}", format::money(account.equity), account.equity.currency())),
        (1, format!("largest drawdown {:.2} %", account.max_drawdown)),
        (2, format!("since the account was opened with {}", format::money(account.starting_capital))),
    ];
    let summary = format!(" {}", format::phrases(&summary, " · ", usize::from(inner.width.saturating_sub(1))));
    picture.text(buffer, inner, 0, &summary, Role::Text);
    let values: Vec<f64> = snapshot.days.iter().map(|day| day.closed.to_f64()).collect();
    let label = |day: Option<&DayResult>| day.map_or_else(String::new, |day| day.date.to_string());
    let (first, last) = (label(snapshot.days.first()), label(snapshot.days.last()));
    let chart = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    Curve::new(&values)
        .baseline(Some(account.starting_capital.to_f64()))
        .labels(&first, &last)
        .decimals(0)
        .styles(picture.style(Role::Accent), picture.style(Role::Muted))
        .render(chart, buffer);
    let inner = boxed(picture, "Results by day", "newest first", false, right_part, buffer);
    let rows: Vec<Vec<Cell>> = snapshot.days.iter().rev().map(cells).collect();
    Table { columns: &COLUMNS, rows: &rows, selected: None, offset: 0 }.draw(inner, buffer, picture.theme);
}

fn cells(day: &DayResult) -> Vec<Cell> {
    let result = day.closed.minus(day.opened).ok();
    let role = match result.map_or(0, Money::nanos).cmp(&0) {
        std::cmp::Ordering::Greater => Role::Up,
        std::cmp::Ordering::Less => Role::Down,
        std::cmp::Ordering::Equal => Role::Muted,
    };
    let shown = result.map_or_else(|| format::NOT_AVAILABLE.to_owned(), format::signed_money);
    vec![Cell::new(day.date.to_string(), Role::Text), Cell::new(shown, role), Cell::new(format::money(day.closed), Role::Text)]
}
