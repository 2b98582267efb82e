//! Positions and orders: what is held, what it earns, what protects it, and what is on its way. Never frozen.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{Money, OrderKind, OrderRequest, OrderSide};
use crate::engine::{PositionRow, Snapshot};
use crate::orders::{OrderState, TrackedOrder};
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::rows::RowKey;
use crate::ui::state::{Pane, UiState};
use crate::ui::table::{Cell, Column, Table, left, offset_for, right};
use crate::ui::ticket::KindChoice;

/// A row of the pane.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// A position.
    Position(&'a PositionRow),
    /// An order.
    Order(&'a Arc<TrackedOrder>),
}

/// What was under the cursor, if it is still there.
pub fn under_cursor<'a>(state: &UiState, live: &'a Snapshot) -> Option<Item<'a>> {
    match state.under_cursor.get(&Pane::Positions)? {
        RowKey::Position(id) => live.positions.iter().find(|row| row.id == *id).map(Item::Position),
        RowKey::Order(id) => live.orders.iter().find(|tracked| tracked.order.id == *id).map(Item::Order),
        _ => None,
    }
}

/// The form's choice for an order's kind.
pub const fn kind_choice(kind: OrderKind) -> KindChoice {
    match kind {
        OrderKind::Market => KindChoice::Market,
        OrderKind::Limit(_) => KindChoice::Limit,
        OrderKind::Stop(_) => KindChoice::Stop,
    }
}

/// What protects a position outlives its value and entry when the pane is narrow.
const POSITIONS: [Column; 9] = [
    left("held", 7, 0),
    left("side", 7, 0),
    right("quantity", 9, 3),
    right("entry", 10, 7),
    right("value", 11, 6),
    right("open P&L", 10, 0),
    right("", 9, 5),
    right("stop", 8, 1),
    right("target", 8, 4),
];
const ORDERS: [Column; 6] = [
    left("orders", 7, 0),
    left("side", 6, 0),
    right("quantity", 9, 1),
    right("type", 13, 2),
    left("state", 14, 0),
    left("origin", 11, 3),
];

/// Draws the pane.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let account = &snapshot.account;
    let totals = [
        (0, format!("equity {}", format::money(account.equity))),
        (1, format!("open {}", format::signed_money(account.open_profit))),
        (4, format!("closed {}", format::signed_money(account.realised))),
        (3, format!("costs {}", format::money(account.costs))),
        (2, format!("cash {}", format::money(account.cash))),
    ];
    let totals = format::phrases(&totals, "  ", usize::from(area.width.saturating_sub(1)));
    picture.text(buffer, area, 0, &format!(" {totals}"), Role::Text);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let count = snapshot.positions.len();
    let row = picture.state.row(Pane::Positions);
    let wanted = u16::try_from(count.max(1) + 1).unwrap_or(u16::MAX);
    let upper = Rect { height: wanted.min(body.height / 2 + 1).min(body.height), ..body };
    let lower = Rect { y: body.y + upper.height, height: body.height - upper.height, ..body };
    if count == 0 {
        picture.text(buffer, upper, 0, " No position is open.", Role::Muted);
    } else {
        let rows: Vec<Vec<Cell>> = snapshot.positions.iter().map(|row| position_cells(picture, row)).collect();
        let selected = Some(row).filter(|row| *row < count);
        let offset = offset_for(selected.unwrap_or(0), usize::from(upper.height.saturating_sub(1)));
        Table { columns: &POSITIONS, rows: &rows, selected, offset }.draw(upper, buffer, picture.theme);
    }
    if snapshot.orders.is_empty() {
        picture.text(buffer, lower, 0, " No order yet: b buys, s sells, n opens a proposal.", Role::Muted);
        return;
    }
    let rows: Vec<Vec<Cell>> = snapshot.orders.iter().map(|order| order_cells(picture, order)).collect();
    let selected = row.checked_sub(count).map(|row| row.min(rows.len() - 1));
    let offset = offset_for(selected.unwrap_or(0), usize::from(lower.height.saturating_sub(1)));
    Table { columns: &ORDERS, rows: &rows, selected, offset }.draw(lower, buffer, picture.theme);
}

fn gain(amount: Option<Money>) -> Role {
    match amount.map_or(0, Money::nanos).cmp(&0) {
        std::cmp::Ordering::Greater => Role::Up,
        std::cmp::Ordering::Less => Role::Down,
        std::cmp::Ordering::Equal => Role::Text,
    }
}

fn position_cells(picture: &Picture<'_>, row: &PositionRow) -> Vec<Cell> {
    let known = picture.context.instruments.get(row.instrument);
    let decimals = known.map_or(2, |known| known.decimals);
    let side = match row.side {
        crate::domain::PositionSide::Long => Cell::new("▲ long", Role::Up),
        crate::domain::PositionSide::Short => Cell::new("▼ short", Role::Down),
    };
    let amount = |value: Option<Money>| value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), format::money);
    let signed = |value: Option<Money>| value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), format::signed_money);
    let stop = match row.protection.stop_loss {
        Some(stop) => Cell::new(format::price(Some(stop), decimals), Role::Text),
        None => Cell::new("NO STOP", Role::Danger),
    };
    let target = row.protection.take_profit.map_or_else(|| "—".to_owned(), |target| format::price(Some(target), decimals));
    vec![
        Cell::new(picture.context.instruments.symbol(row.instrument), Role::Text),
        side,
        Cell::new(format::quantity(row.quantity), Role::Text),
        Cell::new(format::price(row.entry, decimals), Role::Muted),
        Cell::new(amount(row.value), Role::Text),
        Cell::new(signed(row.open_profit), gain(row.open_profit)),
        Cell::new(format::change(row.open_return), gain(row.open_profit)),
        stop,
        Cell::new(target, Role::Muted),
    ]
}

/// Market, or at which price.
fn kind(picture: &Picture<'_>, request: &OrderRequest) -> String {
    let decimals = picture.context.instruments.get(request.instrument).map_or(2, |known| known.decimals);
    let word = kind_choice(request.kind).word();
    request.named_price().map_or_else(|| word.to_owned(), |price| format!("{word} {}", format::price(Some(price), decimals)))
}

fn order_cells(picture: &Picture<'_>, tracked: &Arc<TrackedOrder>) -> Vec<Cell> {
    let request = &tracked.order.request;
    let role = match tracked.state {
        OrderState::Unknown => Role::Danger,
        OrderState::Rejected | OrderState::NotPlaced | OrderState::ExpiredUnsent => Role::Warn,
        OrderState::Confirmed | OrderState::Sending | OrderState::Open(_) => Role::Accent,
        OrderState::PendingModify(_) | OrderState::PendingCancel(_) => Role::Warn,
        OrderState::Filled | OrderState::Cancelled | OrderState::Expired => Role::Muted,
    };
    let side = match request.side {
        OrderSide::Buy => "▲ BUY",
        OrderSide::Sell => "▼ SELL",
    };
    let quiet = if tracked.state.is_closed() { Role::Muted } else { Role::Text };
    vec![
        Cell::new(picture.context.instruments.symbol(request.instrument), quiet),
        Cell::new(side, quiet),
        Cell::new(format::quantity(request.quantity), quiet),
        Cell::new(kind(picture, request), quiet),
        Cell::new(tracked.state.word(), role),
        Cell::new(request.origin.word(), Role::Muted),
    ]
}
