//! The status line, the banner and the hints: what must be visible on every screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::domain::{BrokerKind, Duration, Mode, TradingState, counted};
use crate::engine::KillPhase;
use crate::ui::actions::ActionId;
use crate::ui::draw::{Picture, key_of};
use crate::ui::format;
use crate::ui::intent::PreviewPhase;
use crate::ui::panes::{broker, feed};
use crate::ui::roles::Role;
use crate::ui::state::{Overlay, Pane, View};
use crate::ui::update::KILL_WINDOW;

/// A heartbeat older than this is a warning; a frozen screen must be distinguishable from a quiet market.
const LATE: Duration = Duration::seconds(1);

/// A live feed that has said nothing for so long is worth a look.
const QUIET_FEED: Duration = Duration::seconds(60);

/// A part of the status line. Parts drop out whole where they do not all fit: those of the highest number first, 0 never.
struct Part {
    priority: u8,
    text: String,
    role: Role,
}

impl Part {
    fn new(priority: u8, text: impl Into<String>, role: Role) -> Self {
        Self { priority, text: text.into(), role }
    }
}

/// Draws the status line.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let mut parts = parts(picture);
    let needed = |parts: &[Part]| parts.iter().map(|part| part.text.width() + 2).sum::<usize>().saturating_sub(2);
    while needed(&parts) > usize::from(area.width) {
        let last = (0..parts.len()).max_by_key(|index| parts.get(*index).map(|part| part.priority));
        match last.filter(|index| parts.get(*index).is_some_and(|part| part.priority > 0)) {
            Some(last) => drop(parts.remove(last)),
            None => break,
        }
    }
    let mut x = area.x;
    for part in parts {
        let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
        picture.text(buffer, rest, 0, &part.text, part.role);
        x = x.saturating_add(u16::try_from(part.text.width() + 2).unwrap_or(u16::MAX));
    }
}

fn parts(picture: &Picture<'_>) -> Vec<Part> {
    let (snapshot, journal) = (&picture.live.snapshot, &picture.live.journal);
    let badge = match snapshot.mode {
        Mode::ReadOnly => Role::ReadOnly,
        Mode::Paper | Mode::Demo => Role::Paper,
    };
    let state = match snapshot.state {
        TradingState::Active => Role::Text,
        TradingState::Reducing => Role::Warn,
        TradingState::Halted => Role::Danger,
    };
    let mut parts =
        vec![Part::new(0, format!(" {} ", snapshot.mode.badge()), badge), Part::new(0, snapshot.state.to_string(), state)];
    let alerts = if snapshot.unacknowledged > 0 { Role::Warn } else { Role::Muted };
    parts.push(Part::new(2, counted(snapshot.unacknowledged, "alert"), alerts));
    let engine = if picture.heartbeat > LATE { Role::Danger } else { Role::Muted };
    parts.push(Part::new(1, format!("engine {}", heartbeat(picture.heartbeat)), engine));
    parts.extend(link_part(picture));
    parts.extend(source_parts(picture));
    parts.push(Part::new(7, format!("equity {}", format::money(snapshot.account.equity)), Role::Text));
    let (written, role) = match journal.failure {
        Some(_) => ("journal FAILED".to_owned(), Role::Danger),
        None => (format!("journal #{}", journal.last_seq), Role::Muted),
    };
    parts.push(Part::new(if journal.failure.is_some() { 1 } else { 8 }, written, role));
    parts.push(Part::new(6, format!("{} UTC", format::wall_time(picture.now)), Role::Muted));
    parts
}

fn heartbeat(age: Duration) -> String {
    let millis = age.0 / 1_000_000;
    if millis < 1_000 { "ok".to_owned() } else { format!("silent {}", format::age(age)) }
}

fn link_part(picture: &Picture<'_>) -> Option<Part> {
    let link = picture.live.link.as_ref()?;
    let (mark, role) = broker::standing(link);
    let word = match (link.is_ready, link.latency) {
        (true, Some(latency)) => format!("{:.0} ms", latency.as_seconds() * 1e3),
        (true, None) => "ready".to_owned(),
        (false, _) => link.words.split(':').next().unwrap_or_default().to_owned(),
    };
    Some(Part::new(2, format!("xapi {mark} {word}"), role))
}

/// The tape or feed, how long ago it was last heard, and its market time.
fn source_parts(picture: &Picture<'_>) -> Vec<Part> {
    let (snapshot, playback) = (&picture.live.snapshot, &picture.live.playback);
    let age = playback.heard.map(|at| picture.now.since(at));
    let heard = age.map_or_else(|| "not heard yet".to_owned(), |age| format!("heard {} ago", format::age(age)));
    let time = Part::new(5, format!("{} NY", format::market_time(snapshot.market_now)), Role::Text);
    if playback.is_live() {
        let is_quiet = age.is_none_or(|age| age > QUIET_FEED);
        let role = if is_quiet { Role::Warn } else { Role::Muted };
        let source = match &picture.live.feed {
            Some(feed) => format!("live: {}", feed::serving(feed)),
            None => snapshot.tape.clone(),
        };
        let mut parts = vec![Part::new(3, source, Role::Accent), Part::new(4, heard, role)];
        parts.extend((snapshot.consumed > 0).then_some(time));
        return parts;
    }
    let (sign, role) = if playback.is_at_end {
        ("■ end", Role::Warn)
    } else if playback.is_running_ahead {
        ("▶▶", Role::Accent)
    } else if playback.is_held {
        ("❚❚ held", Role::Warn)
    } else if playback.is_paused {
        ("❚❚ paused", Role::Warn)
    } else {
        ("▶", Role::Accent)
    };
    let tape = format!("{} {sign} {}", snapshot.tape, playback.speed.label());
    vec![Part::new(3, tape, role), Part::new(4, heard, Role::Muted), time]
}

/// The one line that says what is extraordinary now, most important first.
pub fn banner(picture: &Picture<'_>, width: u16) -> Option<(String, Role)> {
    let snapshot = &picture.live.snapshot;
    if let Some(since) = picture.state.kill_armed {
        let left = Duration(KILL_WINDOW.0 - picture.now.since(since).0).as_seconds().max(0.0);
        let text = if width < 90 {
            format!("KILL SWITCH ARMED: again within {left:.1} s")
        } else {
            format!(
                "KILL SWITCH ARMED — press F12 or Ctrl+X again within {left:.1} s to halt and cancel all but stops and targets"
            )
        };
        return Some((text, Role::Danger));
    }
    if picture.heartbeat > LATE {
        let age = format::age(picture.heartbeat);
        return Some((format!("the engine gives no sign of life for {age}; the kill switch still latches"), Role::Danger));
    }
    if let Some(failure) = &picture.live.journal.failure {
        return Some((format!("journal failed: {failure}; trading is halted, nothing more is recorded"), Role::Danger));
    }
    if let Some(text) = cut_off(picture) {
        return Some((text, Role::Danger));
    }
    match (snapshot.state, snapshot.kill) {
        (TradingState::Halted, KillPhase::Cancelling) => {
            Some(("HALTED — cancelling orders; Shift+F closes all positions".to_owned(), Role::Danger))
        }
        (TradingState::Halted, KillPhase::Flattening) => {
            let left = snapshot.positions.len();
            let when = match snapshot.broker {
                BrokerKind::Paper => "; they trade at the next bar's open",
                BrokerKind::Xapi => "",
            };
            Some((format!("HALTED — closing positions, {left} left{when}"), Role::Danger))
        }
        (TradingState::Halted, _) => {
            let why = snapshot.reason.as_ref().map_or_else(String::new, |reason| format!(": {} ({})", reason.why, reason.who));
            // What is not there cannot be closed, and arming would be undone by the next answer.
            let keys = if snapshot.positions_differ { "" } else { " — Shift+F closes all positions, Shift+R re-arms" };
            Some((format!("HALTED{why}{keys}"), Role::Danger))
        }
        (TradingState::Reducing, _) => {
            let why = snapshot.reason.as_ref().map_or_else(String::new, |reason| reason.why.clone());
            Some((format!("REDUCING: {why} — only orders that reduce; Shift+R re-arms"), Role::Warn))
        }
        (TradingState::Active, _) => calm_banner(picture),
    }
}

/// The broker cannot be reached while trading is armed, or something is open there.
fn cut_off(picture: &Picture<'_>) -> Option<String> {
    let (link, snapshot) = (picture.live.link.as_ref()?, &picture.live.snapshot);
    let matters = snapshot.mode == Mode::Demo || !snapshot.positions.is_empty() || snapshot.open_orders > 0;
    let bare = snapshot.positions.iter().filter(|row| row.protection.stop_loss.is_none()).count();
    let mut open = match snapshot.positions.len() - bare {
        0 => String::new(),
        1 => "1 position there keeps the stop it has; ".to_owned(),
        many => format!("{many} positions there keep the stops they have; "),
    };
    if bare > 0 {
        open.push_str(&format!("{} there without a stop; ", counted(bare, "position")));
    }
    let openings = snapshot.orders.iter().filter(|tracked| tracked.order.request.opens_exposure() && !tracked.state.is_closed());
    match openings.count() {
        0 => {}
        count => open.push_str(&format!("{} there may still open something; ", counted(count, "order"))),
    }
    let state = if snapshot.state == TradingState::Active { String::new() } else { format!("{} — ", snapshot.state) };
    (!link.is_ready && matters).then(|| format!("{state}NO LINK to the broker ({}): {open}nothing can be sent", link.words))
}

fn calm_banner(picture: &Picture<'_>) -> Option<(String, Role)> {
    let snapshot = &picture.live.snapshot;
    if picture.state.frozen.is_some() {
        let at = format::market_time(picture.snapshot().market_now);
        return Some((format!("FROZEN at {at} NY — positions, orders, risk and status go on; f thaws"), Role::Warn));
    }
    if snapshot.consumed == 0 && picture.live.playback.is_live() {
        let text = match picture.live.feed {
            Some(_) => {
                format!("waiting for the first prices of the providers — {} shows them", key_of(picture.context, ActionId::Feed))
            }
            None => "waiting for the first prices of the broker".to_owned(),
        };
        return Some((text, Role::Accent));
    }
    if picture.live.playback.is_running_ahead {
        let what = if picture.live.playback.is_live() { "catching up with the market" } else { "running ahead" };
        return Some((format!("{what}: {} NY", format::market_time(snapshot.market_now)), Role::Accent));
    }
    if snapshot.unknown_orders > 0 {
        return Some((
            format!("{} orders are UNKNOWN: opening trades are held until the broker has answered", snapshot.unknown_orders),
            Role::Danger,
        ));
    }
    if picture.live.playback.is_at_end {
        let text = "the tape has ended, nothing fills any more — `pmax --new` begins a new run";
        return Some((text.to_owned(), Role::Warn));
    }
    let waits = snapshot.mode == Mode::ReadOnly && !snapshot.proposals.is_empty();
    waits.then(|| ("a proposal is waiting — p arms trading, n opens it".to_owned(), Role::Accent))
}

/// Keys that do something now, or the latest short message.
pub fn hints(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    if let Some(toast) = &picture.state.toast {
        let (sign, role) = if toast.is_warning { ("!", Role::Warn) } else { ("✓", Role::Accent) };
        picture.text(buffer, area, 0, &format!(" {sign} {}", toast.text), role);
        return;
    }
    let all: Vec<(String, &str)> =
        actions_now(picture).into_iter().map(|(action, word)| (key_of(picture.context, action), word)).collect();
    let width = |key: &str, word: &str| u16::try_from(key.width() + word.width() + 3).unwrap_or(u16::MAX);
    let kill = (key_of(picture.context, ActionId::Kill), "kill");
    let (mut x, end) = (area.x + 1, (area.x + area.width).saturating_sub(width(&kill.0, kill.1)));
    let fitting = all.iter().take_while(|(key, word)| {
        let fits = x + width(key, word) <= end;
        x += width(key, word);
        fits
    });
    // The kill switch never drops out, however narrow it is.
    let shown: Vec<_> = fitting.cloned().chain([kill]).collect();
    let mut x = area.x + 1;
    for (key, word) in shown {
        picture.text(buffer, Rect { x, width: (area.x + area.width).saturating_sub(x), ..area }, 0, &key, Role::Accent);
        let after = x + u16::try_from(key.width()).unwrap_or(0) + 1;
        let rest = Rect { x: after, width: (area.x + area.width).saturating_sub(after), ..area };
        picture.text(buffer, rest, 0, word, Role::Muted);
        x += width(&key, word);
    }
}

fn actions_now(picture: &Picture<'_>) -> Vec<(ActionId, &'static str)> {
    match picture.state.overlays.last() {
        None | Some(Overlay::Notice) => {}
        Some(Overlay::Preview(preview)) if matches!(preview.phase, PreviewPhase::Sending { .. }) => return Vec::new(),
        Some(_) => return vec![(ActionId::Back, "back")],
    }
    let arm = match (picture.live.snapshot.mode, picture.live.snapshot.broker) {
        (Mode::ReadOnly, BrokerKind::Paper) => "arm paper",
        (Mode::ReadOnly, BrokerKind::Xapi) => "arm demo",
        (Mode::Paper | Mode::Demo, _) => "read-only",
    };
    let mut now = vec![(ActionId::ArmPaper, arm)];
    match (picture.state.view, picture.state.focus) {
        (View::Panes, Pane::Quotes) => {
            now.extend([(ActionId::Open, "chart"), (ActionId::Buy, "buy"), (ActionId::Sell, "sell"), (ActionId::Sort, "sort")]);
        }
        (View::Panes, Pane::Signals) => now.extend([(ActionId::Open, "preview"), (ActionId::Decline, "decline")]),
        (View::Panes, Pane::Positions) => {
            now.extend([(ActionId::Close, "close/cancel"), (ActionId::Modify, "change"), (ActionId::Open, "history")]);
        }
        (View::Panes, Pane::Alerts) => now.extend([(ActionId::Acknowledge, "seen"), (ActionId::AcknowledgeAll, "all seen")]),
        (View::Panes, Pane::Risk) => now.push((ActionId::Open, "equity")),
        (View::Panes, Pane::Commentary) => now.push((ActionId::Open, "chart")),
        (View::Detail(_), _) => {
            now.extend([
                (ActionId::Back, "back"),
                (ActionId::Timeframe, "timeframe"),
                (ActionId::Buy, "buy"),
                (ActionId::Sell, "sell"),
            ]);
        }
        (View::Scores, _) => now.extend([(ActionId::Back, "back"), (ActionId::Group, "by another")]),
        (View::Equity | View::Activity | View::Broker | View::Feed | View::Economy | View::News, _)
        | (View::Allocation | View::Gates | View::Model, _) => now.push((ActionId::Back, "back")),
    }
    if !picture.live.snapshot.proposals.is_empty() {
        now.push((ActionId::NextProposal, "proposal"));
    }
    if !picture.live.playback.is_live() {
        let pause = if picture.live.playback.is_paused { "go on" } else { "pause" };
        now.extend([(ActionId::Pause, pause), (ActionId::Faster, "faster")]);
    }
    now.extend([(ActionId::Palette, "find"), (ActionId::Help, "help"), (ActionId::Quit, "quit")]);
    now
}

/// What is left below 80x24: the totals, the way to halt, and what has no room.
pub fn tiny(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let account = &picture.live.snapshot.account;
    let totals = [
        (format!("equity     {:>16}", format::money(account.equity)), Role::Text),
        (format!("open P&L   {:>16}", format::signed_money(account.open_profit)), Role::Text),
        (format!("positions  {:>16}", picture.live.snapshot.positions.len()), Role::Text),
        (format!("orders     {:>16}", picture.live.snapshot.open_orders), Role::Text),
    ];
    let words = ["F12 twice halts.", "Not shown: the six panes, charts and everything that sends an order. They need 80x24."];
    let width = usize::from(area.width.max(1));
    let words = words.into_iter().flat_map(|text| format::wrap(text, width)).map(|line| (line, Role::Muted));
    for (line, (text, role)) in (0..).zip(totals.into_iter().chain(words)) {
        picture.text(buffer, area, line, &text, role);
    }
}
