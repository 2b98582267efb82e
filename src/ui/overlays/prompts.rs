//! Small prompts: command line, filter, re-arming, an order's history, the first notice.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use crate::domain::{OrderId, TradingState, counted};
use crate::orders::TrackedOrder;
use crate::risk::Hold;
use crate::ui::commandline;
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::overlays::window;
use crate::ui::roles::Role;

fn bottom(picture: &Picture<'_>, sign: &str, typed: &str, hints: &[String], area: Rect, buffer: &mut Buffer) {
    let lines = u16::try_from(hints.len().min(6)).unwrap_or(0);
    let height = (lines + 1).min(area.height);
    let place = Rect { y: area.y + area.height - height, height, ..area };
    Clear.render(place, buffer);
    for (line, hint) in (0..lines).zip(hints) {
        picture.text(buffer, place, line, &format!("   {hint}"), Role::Muted);
    }
    // A long line shows its end, where the cursor is.
    let room = usize::from(area.width.saturating_sub(4));
    let skip = typed.chars().count().saturating_sub(room);
    let tail: String = typed.chars().skip(skip).collect();
    let sign = if skip > 0 { "…" } else { sign };
    picture.text(buffer, place, lines, &format!(" {sign}{tail}▏"), Role::Accent);
}

/// The command line with what fits.
pub fn command(picture: &Picture<'_>, typed: &str, area: Rect, buffer: &mut Buffer) {
    bottom(picture, ":", typed, &commandline::hints(typed), area, buffer);
}

/// The quotes filter.
pub fn filter(picture: &Picture<'_>, typed: &str, area: Rect, buffer: &mut Buffer) {
    bottom(picture, "/", typed, &["filters quotes by symbol or name; Enter keeps it".to_owned()], area, buffer);
}

/// The second step of re-arming.
pub fn rearm(picture: &Picture<'_>, typed: &str, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "Re-arm trading", (70, 12), area, buffer);
    let why = held(picture);
    let said = [
        (why.as_str(), Role::Warn),
        (
            "Trading becomes ACTIVE again. Latched breakers let go; one still beyond its limit is overruled and acts no more today. The checks on \
             losses and limits go on refusing.",
            Role::Text,
        ),
        ("Type ARM and press Enter within 60 s. Esc leaves it as it is.", Role::Text),
    ];
    typed_word(picture, &said, typed, inner, buffer);
}

/// What re-arming lets go: the trading state with its reason, or the breakers that hold while trading is ACTIVE.
fn held(picture: &Picture<'_>) -> String {
    let snapshot = &picture.live.snapshot;
    if snapshot.state != TradingState::Active {
        let words = |reason: &crate::engine::StateReason| format!("{} by {}: {}", snapshot.state, reason.who, reason.why);
        return snapshot.reason.as_ref().map_or_else(String::new, words);
    }
    let holding = snapshot.breakers.iter().filter(|row| row.hold == Hold::Latched && row.trip.yields_to_person());
    let names: Vec<String> =
        holding.map(|row| format!("{}{} ({})", row.trip.rule.words(), row.about, row.trip.numbers())).collect();
    format!("Held by {}.", names.join(", "))
}

/// The second step to the next stage.
pub fn stage_up(picture: &Picture<'_>, typed: &str, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "The next stage of the account", (70, 10), area, buffer);
    let snapshot = &picture.live.snapshot;
    let stage = snapshot.standing.stage;
    let step = stage.and_then(|view| Some((view, view.next?))).map_or_else(String::new, |(view, (next, capital))| {
        let (from, to) = (format::money(view.capital), format::money(capital));
        format!("{} counts {from}; {next} counts {to} of {}.", view.stage, format::money(snapshot.account.equity))
    });
    let said = [
        (step.as_str(), Role::Warn),
        (
            "New orders may become that much larger. Waiting proposals are withdrawn, and the next gate counts calls from now on.",
            Role::Text,
        ),
        ("Type STAGE and press Enter within 60 s. Esc leaves it as it is.", Role::Text),
    ];
    typed_word(picture, &said, typed, inner, buffer);
}

/// Sentences, and below them the line in which a word is typed.
fn typed_word(picture: &Picture<'_>, said: &[(&str, Role)], typed: &str, inner: Rect, buffer: &mut Buffer) {
    let width = usize::from(inner.width.max(1));
    let lines = said.iter().flat_map(|(text, role)| format::wrap(text, width).into_iter().map(|line| (line, *role)));
    let input = inner.height.saturating_sub(1);
    for (line, (text, role)) in (0..input).zip(lines) {
        picture.text(buffer, inner, line, &text, role);
    }
    picture.text(buffer, inner, input, &format!("› {typed}▏"), Role::Accent);
}

/// An order with its whole history.
pub fn history(picture: &Picture<'_>, id: OrderId, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, &format!("Order {id}"), (90, 24), area, buffer);
    let Some(tracked) = picture.live.snapshot.orders.iter().find(|tracked| tracked.order.id == id) else {
        picture.text(buffer, inner, 0, "no longer at hand; the journal has it", Role::Muted);
        return;
    };
    let request = &tracked.order.request;
    let symbol = picture.context.instruments.symbol(request.instrument);
    let head = format!("{} {} {symbol} {} · {}", request.side, request.quantity, request.kind, request.time_in_force);
    picture.text(buffer, inner, 0, &head, Role::Accent);
    let origin = format!(
        "origin {} · {} · filled {} · made {} NY",
        request.origin.word(),
        tracked.state,
        tracked.filled,
        format::market_time(tracked.order.created_at)
    );
    picture.text(buffer, inner, 1, &origin, Role::Text);
    picture.text(buffer, inner, 2, &confirmation(tracked), Role::Text);
    let room = usize::from(inner.height.saturating_sub(5));
    let older = tracked.history.len().saturating_sub(room);
    let not_shown = older + usize::try_from(tracked.left_out).unwrap_or(usize::MAX);
    if not_shown > 0 {
        let text = format!("{} more before the last of these; the journal has them", counted(not_shown, "step"));
        picture.text(buffer, inner, 3, &text, Role::Muted);
    }
    for (line, entry) in (4..).zip(tracked.history.iter().skip(older).take(room)) {
        let note = if entry.note.is_empty() { String::new() } else { format!(" ({})", entry.note) };
        let text = format!("{} NY  {}{note}", format::market_time(entry.at), entry.step.words());
        picture.text(buffer, inner, line, &text, Role::Text);
    }
    let keys = if tracked.state.is_closed() { "any key leaves" } else { "x cancels it, any other key leaves" };
    picture.text(buffer, inner, inner.height.saturating_sub(1), keys, Role::Muted);
}

/// Who let the order go, and when.
fn confirmation(tracked: &TrackedOrder) -> String {
    if let Some(confirmation) = tracked.confirmation {
        let at = confirmation.wall.timestamp().strftime("%Y-%m-%d %H:%M:%S");
        return format!("confirmed by {} on {at} UTC", confirmation.who);
    }
    let is_exit = tracked.order.request.origin.is_protective();
    if is_exit { "came with the position it protects" } else { "placed elsewhere; not confirmed here" }.to_owned()
}

/// What a person should know before the first look.
pub fn notice(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "pmax", (76, 15), area, buffer);
    let is_live = picture.live.playback.is_live();
    let (what, short) = match (is_live, picture.live.feed.is_some()) {
        (true, true) => {
            ("Prices of public providers, live; the account is paper. No money here.", "Live prices, a paper account.")
        }
        (true, false) => {
            ("A broker's demo account with its own live prices. No money is at stake.", "A demo account, live prices.")
        }
        (false, _) => ("This is real market history, replayed. Nothing here is live.", "Replayed history: nothing is live."),
    };
    let lines = [
        (what, Role::Text),
        ("", Role::Text),
        ("No advice: signals come from simple rules that are NOT PROVEN; paper", Role::Text),
        ("results are computed, not real, and say nothing about the future.", Role::Text),
        ("", Role::Text),
        ("You start READ-ONLY: nothing is sent anywhere.", Role::Text),
        ("  p           arms paper (or demo) trading", Role::Accent),
        ("  n           opens a waiting proposal, y confirms it, d declines it", Role::Accent),
        ("  F12 F12     or Ctrl+X twice: the kill switch, from every screen", Role::Accent),
        ("  Space + -   pause, faster, slower;  ?  help;  Ctrl+K  find an action", Role::Accent),
        ("", Role::Text),
        ("Enter closes this notice. Keys that do not trade act at once.", Role::Muted),
    ];
    let narrow = [
        (short, Role::Text),
        ("No advice; rules are NOT PROVEN.", Role::Text),
        ("You start READ-ONLY.", Role::Text),
        ("F12 F12 is the kill switch.", Role::Accent),
        ("Enter closes this notice.", Role::Muted),
    ];
    let lines: &[(&str, Role)] = if inner.width < 70 || inner.height < 12 { &narrow } else { &lines };
    for (line, (text, role)) in (0..).zip(lines) {
        picture.text(buffer, inner, line, text, *role);
    }
}
