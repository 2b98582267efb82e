//! The target allocation beside the book: what it is now, what the least variance would be, what holds it. Information, not an order.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::counted;
use crate::portfolio::{Advice, Holds, Line};
use crate::runtime::{Advised, Allocated};
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, right};

const COLUMNS: [Column; 7] = [
    left("of equity", 9, 0),
    right("now", 8, 0),
    right("target", 8, 0),
    right("change", 8, 1),
    right("of its risk", 11, 2),
    left("bound by", 12, 3),
    left("sector", 14, 4),
];

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let target = &picture.state.target;
    let inner = boxed(picture, "Target allocation", "information, not an order", true, area, buffer);
    let mut page = Page { picture, area: inner, line: 0 };
    let Some(latest) = &target.latest else {
        return page.put(buffer, "Being computed; the screen goes on meanwhile.", Role::Muted);
    };
    page.put(buffer, &standing(picture, latest), Role::Muted);
    match &latest.answer {
        Ok(advised) => show(&mut page, advised, buffer),
        Err(why) => {
            page.put(buffer, &format!("There is no allocation: {why}."), Role::Warn);
            page.put(buffer, "Nothing was changed and nothing was sent; `pmax allocate` takes other caps.", Role::Muted);
        }
    }
}

/// Lines from the top.
struct Page<'a, 'b> {
    picture: &'a Picture<'b>,
    area: Rect,
    line: u16,
}

impl Page<'_, '_> {
    fn put(&mut self, buffer: &mut Buffer, text: &str, role: Role) {
        for line in format::wrap(text, usize::from(self.area.width.saturating_sub(2))) {
            self.picture.text(buffer, self.area, self.line, &format!(" {line}"), role);
            self.line += 1;
        }
    }

    fn rest(&self) -> Rect {
        let line = self.line.min(self.area.height);
        Rect { y: self.area.y + line, height: self.area.height - line, ..self.area }
    }
}

/// How old it is, and for which book.
fn standing(picture: &Picture<'_>, latest: &Allocated) -> String {
    let age = format::age(picture.now.since(latest.made_at));
    let anew =
        if picture.state.target.asked.is_some() { "a new one is being computed" } else { "opening the view again asks anew" };
    format!("Made {age} ago for the book of {}; {anew}.", format::moment(latest.market_at))
}

fn share(value: f64) -> String {
    format!("{:.1}%", value * 100.0)
}

fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), share)
}

fn show(page: &mut Page<'_, '_>, advised: &Advised, buffer: &mut Buffer) {
    let advice = &advised.advice;
    let span = advice.span.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |(first, last)| format!("{first} to {last}"));
    let (days, shrunk) = (counted(advice.observations, "daily return"), share(advice.shrinkage));
    page.put(
        buffer,
        &format!(
            "Least variance: volatility {} a year expected, of the present book {}; from {days}, {span}, shrunk by {shrunk}.",
            maybe(advice.volatility),
            maybe(advice.volatility_now)
        ),
        Role::Text,
    );
    let turnover = format!("Turnover on the way {} of equity. How it would have done: `pmax allocate`.", share(advice.turnover));
    page.put(buffer, &turnover, Role::Text);
    if advice.is_forced {
        page.put(buffer, "Every position is at its cap: nothing was chosen.", Role::Warn);
    }
    if !advised.left_out.is_empty() {
        let names: Vec<String> = advised.left_out.iter().map(|id| page.picture.context.instruments.symbol(*id)).collect();
        let held = if advice.outside > 0.0 { format!("; {} held of it stays", share(advice.outside)) } else { String::new() };
        page.put(buffer, &format!("Left out, history too short or ended: {}{held}.", names.join(", ")), Role::Muted);
    }
    let rest = page.rest();
    let mut rows: Vec<Vec<Cell>> = advice.lines.iter().map(|line| cells(page.picture, line)).collect();
    rows.push(cash(advice));
    let room = usize::from(rest.height.saturating_sub(1));
    // Where not all fit, the last line says how many do not.
    let room = if rows.len() > room { room.saturating_sub(1) } else { room };
    let hidden = rows.len().saturating_sub(room);
    let offset = page.picture.state.target.row.min(hidden);
    let table = Rect { height: rest.height.min(u16::try_from(room + 1).unwrap_or(u16::MAX)), ..rest };
    Table { columns: &COLUMNS, rows: &rows, selected: None, offset }.draw(table, buffer, page.picture.theme);
    if hidden > 0 {
        let words = match (offset, hidden - offset) {
            (0, below) => format!(" ↓ {below} more: Down, PageDown"),
            (above, 0) => format!(" ↑ {above} above: Up, PageUp"),
            (above, below) => format!(" ↑ {above} above, ↓ {below} more"),
        };
        page.picture.text(buffer, rest, table.height, &words, Role::Muted);
    }
}

fn cells(picture: &Picture<'_>, line: &Line) -> Vec<Cell> {
    let instruments = &picture.context.instruments;
    let sector = instruments.get(line.instrument).map_or("", |known| known.sector.as_str());
    let holds = match line.holds {
        Holds::Free => "",
        Holds::Position => "position cap",
        Holds::Sector => "sector cap",
        Holds::LongOnly => "not below 0",
    };
    vec![
        Cell::new(instruments.symbol(line.instrument), Role::Text),
        Cell::new(share(line.now), Role::Text),
        Cell::new(share(line.target), Role::Accent),
        change(line.target - line.now),
        Cell::new(maybe(line.risk), Role::Text),
        Cell::new(holds, Role::Muted),
        Cell::new(sector, Role::Muted),
    ]
}

fn cash(advice: &Advice) -> Vec<Cell> {
    let now = 1.0 - advice.lines.iter().map(|line| line.now).sum::<f64>() - advice.outside;
    vec![
        Cell::new("cash", Role::Text),
        Cell::new(share(now), Role::Text),
        Cell::new(share(advice.cash), Role::Accent),
        change(advice.cash - now),
        Cell::new("", Role::Text),
        Cell::new("", Role::Muted),
        Cell::new("", Role::Muted),
    ]
}

/// A change with its sign; what rounds to nothing has none.
fn change(value: f64) -> Cell {
    let text = format!("{:+.1}%", value * 100.0);
    if text.ends_with("0.0%") && text.len() == 5 { Cell::new("0.0%", Role::Muted) } else { Cell::new(text, Role::Text) }
}
