//! The broker: how the way to it stands, what it says the account is worth, and what it has that the ledger here has not.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::domain::{Money, WallTime, counted};
use crate::orders::{APART_TO_OPEN, OrderState};
use crate::runtime::{LinkView, SocketView};
use crate::ui::column::Column;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(link) = &picture.live.link else {
        let inner = boxed(picture, "Broker", "paper", true, area, buffer);
        let mut column = Column::new(picture, inner);
        column.put(buffer, "Paper trading: the exchange is inside this process and there is no link.", Role::Text);
        return column.put(buffer, "`pmax --broker xapi` trades with a demo account instead.", Role::Muted);
    };
    let halves = if area.width >= 100 {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas::<2>(area)
    } else {
        Layout::vertical([Constraint::Length(11), Constraint::Min(4)]).areas::<2>(area)
    };
    let [first, second] = halves;
    link_facts(picture, link, first, buffer);
    account_facts(picture, link, second, buffer);
}

const fn socket(view: SocketView) -> (&'static str, Role) {
    match view {
        SocketView::Closed => ("closed", Role::Down),
        SocketView::Opening => ("opening", Role::Warn),
        SocketView::Open => ("open", Role::Text),
        SocketView::LoggedIn => ("open, logged in", Role::Up),
    }
}

fn ago(now: WallTime, at: Option<WallTime>) -> String {
    at.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |at| format!("{} ago", format::age(now.since(at))))
}

fn link_facts(picture: &Picture<'_>, link: &LinkView, area: Rect, buffer: &mut Buffer) {
    let inner = boxed(picture, "Broker", "xAPI demo account", true, area, buffer);
    let mut column = Column::new(picture, inner);
    let (mark, role) = standing(link);
    column.fact(buffer, "link", &format!("{mark} {}", link.words), role);
    if let Some(at) = link.retry_at {
        let left = format::age(at.since(picture.now));
        column.fact(buffer, "", &format!("tried again in {left}"), Role::Muted);
    }
    if link.needs_person {
        column.fact(buffer, "", "`:reconnect` tries again; it is not tried by itself", Role::Warn);
    }
    column.fact(buffer, "host", &link.host, Role::Text);
    column.fact(buffer, "account", &link.account, Role::Text);
    let (main, role) = socket(link.main);
    column.fact(buffer, "requests", main, role);
    let (stream, role) = socket(link.stream);
    column.fact(buffer, "stream", &format!("{stream}, heard {}", ago(picture.now, link.stream_heard)), role);
    let millis = |time: Option<crate::domain::Duration>| {
        time.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |time| format!("{:.1} ms", time.as_seconds() * 1e3))
    };
    let replies = format!("median {}, slowest {} of the latest", millis(link.latency), millis(link.slowest));
    column.fact(buffer, "replies", &replies, Role::Text);
    let (used, allowed) = link.rate;
    let role = if used * 10 >= allowed * 9 { Role::Warn } else { Role::Text };
    column.fact(buffer, "commands", &format!("{used} of {allowed} in 10 s, {} wait", link.waiting), role);
    column.fact(buffer, "compared", &ago(picture.now, link.compared), Role::Text);
    column.fact(buffer, "connections", &link.connections.to_string(), Role::Text);
    if let Some(why) = &link.unread {
        column.gap();
        column.put(buffer, &format!("the last answer was not complete: {why}; it is asked for again"), Role::Warn);
    }
}

/// Mark and role of the link's state; the words tell it too.
pub fn standing(link: &LinkView) -> (&'static str, Role) {
    match (link.is_ready, link.needs_person) {
        (true, _) => ("●", Role::Up),
        (false, false) => ("◐", Role::Warn),
        (false, true) => ("✗", Role::Danger),
    }
}

fn account_facts(picture: &Picture<'_>, link: &LinkView, area: Rect, buffer: &mut Buffer) {
    let inner = boxed(picture, "Account", "broker, and ledger here", false, area, buffer);
    let mut column = Column::new(picture, inner);
    let snapshot = &picture.live.snapshot;
    let account = &snapshot.account;
    if link.money.is_some() && !link.is_ready {
        let text = format!("As the broker last said, compared {}: there is no link now.", ago(picture.now, link.compared));
        column.put(buffer, &text, Role::Stale);
    }
    if let Some(money) = link.money {
        let booked = account.starting_capital.plus(account.realised).and_then(|sum| sum.minus(account.costs)).ok();
        column.fact(buffer, "balance there", &format::money(money.balance), Role::Text);
        column.fact(buffer, "booked here", &booked.map_or_else(|| format::NOT_AVAILABLE.to_owned(), format::money), Role::Text);
        let differs = booked.and_then(|booked| money.balance.minus(booked).ok()).filter(|left| left.nanos() != 0);
        if let Some(left) = differs {
            let text =
                format!("{} that this ledger did not book: a deposit, or trades made elsewhere", format::signed_money(left));
            column.put(buffer, &text, Role::Warn);
        }
        column.fact(buffer, "equity there", &format::money(money.equity), Role::Text);
        let margin = format!("{} bound, {} free", format::money(money.margin), free(money.equity, money.margin));
        column.fact(buffer, "margin there", &margin, Role::Text);
        column.fact(buffer, "margin level", &level(money.equity, money.margin), Role::Text);
    } else {
        column.put(buffer, "The broker has not said yet what the account is worth.", Role::Muted);
    }
    column.gap();
    held_back(&mut column, link, buffer);
}

fn free(equity: Money, margin: Money) -> String {
    equity.minus(margin).map_or_else(|_| format::NOT_AVAILABLE.to_owned(), format::money)
}

fn level(equity: Money, margin: Money) -> String {
    match equity.ratio_to(margin).filter(|_| margin.nanos() > 0) {
        Some(level) => format!("{} %", format::grouped(&format!("{:.0}", level.to_f64() * 100.0))),
        None => "nothing is bound".to_owned(),
    }
}

/// Everything that keeps trading held, with what is needed to let it go.
fn held_back(column: &mut Column<'_, '_>, link: &LinkView, buffer: &mut Buffer) {
    let snapshot = &column.picture().live.snapshot;
    let bare = snapshot.positions.iter().filter(|row| row.protection.stop_loss.is_none()).count();
    let role = if bare > 0 { Role::Danger } else { Role::Text };
    let open = counted(snapshot.positions.len(), "position");
    column.put(buffer, &format!("{open} open, {bare} without a stop at the broker"), role);
    let unknown = snapshot.orders.iter().filter(|tracked| tracked.state == OrderState::Unknown);
    for tracked in unknown {
        let longest = format::age(APART_TO_OPEN);
        let text = format!(
            "order {} is UNKNOWN: openings are held until it is found there, or the broker's complete answers lack it for up to {longest}",
            tracked.order.id
        );
        column.put(buffer, &text, Role::Danger);
    }
    for row in snapshot.positions.iter().filter(|row| row.id.is_adopted()) {
        let symbol = column.picture().context.instruments.symbol(row.instrument);
        column.put(buffer, &format!("adopted, opened elsewhere: {} {symbol}", format::quantity(row.quantity)), Role::Warn);
    }
    for stranger in &link.strangers {
        column.put(buffer, &format!("not from here: {stranger}; two answers that hold it halt trading"), Role::Danger);
    }
    for mismatched in &link.mismatched {
        column.put(buffer, &format!("not traded: {mismatched}"), Role::Warn);
    }
    if snapshot.positions_differ {
        column.put(
            buffer,
            "Positions here and at the broker DIFFER: openings are held; two answers that say so halt trading.",
            Role::Danger,
        );
    }
    if link.compared.is_none() {
        return column.put(buffer, "This is as the ledger has it: the broker has not been compared with it yet.", Role::Warn);
    }
    let is_clear = link.strangers.is_empty() && link.mismatched.is_empty() && !snapshot.positions_differ;
    if is_clear && snapshot.unknown_orders == 0 {
        column.put(buffer, "Nothing is unknown, foreign or of other terms.", Role::Muted);
    }
}
