//! The order form.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::OrderSide;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::overlays::window;
use crate::ui::roles::Role;
use crate::ui::ticket::{Field, Form, Purpose};

/// Draws the form.
pub fn draw(picture: &Picture<'_>, form: &Form, problem: Option<&str>, area: Rect, buffer: &mut Buffer) {
    let symbol = picture.context.instruments.symbol(form.instrument);
    let title = match form.purpose {
        Purpose::New => format!("{} ticket — {symbol} — {}", form.side, picture.live.snapshot.mode.badge()),
        Purpose::Modify(order) => format!("Change order {order} — {symbol}"),
        Purpose::Protect(position) => format!("Exits of position {position} — {symbol}"),
    };
    let inner = window(picture, &title, (68, 17), area, buffer);
    price_line(picture, form, inner, buffer);
    let fields = form.fields();
    for (line, field) in (2..).zip(&fields) {
        let is_focused = *field == form.focused();
        let mark = if is_focused { "▸" } else { " " };
        let cursor = if is_focused { "▏" } else { "" };
        let text = format!("{mark} {:<12} {}{cursor}", field.label(), value(form, *field));
        picture.text(buffer, inner, line, &text, if is_focused { Role::Focus } else { Role::Text });
    }
    let below = u16::try_from(fields.len()).unwrap_or(0) + 3;
    let known = picture.context.instruments.get(form.instrument);
    if let Some(known) = known {
        let steps = format!("lot {} · tick {} · least {}", known.lot, known.tick, known.min_quantity);
        picture.text(buffer, inner, below, &steps, Role::Muted);
    }
    if let Some(problem) = problem {
        picture.text(buffer, inner, below + 1, problem, Role::Warn);
    }
    let keys = [(1, "Tab next field"), (2, "Left/Right choose"), (0, "Enter preview"), (0, "Esc leave")];
    let keys = keys.map(|(priority, text)| (priority, text.to_owned()));
    let keys = format::phrases(&keys, " · ", usize::from(inner.width));
    picture.text(buffer, inner, inner.height.saturating_sub(1), &keys, Role::Muted);
}

fn price_line(picture: &Picture<'_>, form: &Form, inner: Rect, buffer: &mut Buffer) {
    let row = picture.live.snapshot.quotes.iter().find(|row| row.instrument == form.instrument);
    let decimals = picture.context.instruments.get(form.instrument).map_or(2, |known| known.decimals);
    let Some(row) = row else { return };
    let age = format::age(picture.age_of_live(row));
    let stale = if row.is_stale { " STALE" } else { "" };
    let text = format!("last {}  {}  age {age}{stale}", format::price(row.last, decimals), format::change(row.change));
    picture.text(buffer, inner, 0, &text, if row.is_stale { Role::Stale } else { Role::Text });
}

fn value(form: &Form, field: Field) -> String {
    match field {
        Field::Side => match form.side {
            OrderSide::Buy => "‹ ▲ BUY ›".to_owned(),
            OrderSide::Sell => "‹ ▼ SELL ›".to_owned(),
        },
        Field::Kind => format!("‹ {} ›", form.kind.word()),
        Field::TimeInForce => format!("‹ {} ›", form.time_in_force),
        Field::Quantity => form.quantity.value().to_owned(),
        Field::Price => form.price.value().to_owned(),
        Field::StopLoss => form.stop_loss.value().to_owned(),
        Field::TakeProfit => form.take_profit.value().to_owned(),
    }
}
