//! The preview: every fact of an order before it can be confirmed. Built from typed fields only.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{BrokerKind, OrderId, OrderKind, OrderRequest, PositionId, Ratio, counted};
use crate::engine::OrderPreview;
use crate::portfolio::{Bound, SizeTerms, SizingRule};
use crate::risk::{CheckOutcome, CheckResult, Gauge};
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::intent::{Blocked, Intent, Preview, PreviewPhase};
use crate::ui::overlays::window;
use crate::ui::panes::signals::{chance, verdicts};
use crate::ui::panes::{model, risk};
use crate::ui::roles::Role;

/// Size of the window; a smaller terminal refuses to open it.
const SIZE: (u16, u16) = (100, 34);

/// Lines with which every gauge fits below every check.
const TALLEST: u16 = 46;

/// Cells that a gauge before and after takes.
const ROW: u16 = 43;

/// Lines kept for what the keys do.
const FOOTER: u16 = 2;

/// Lines written one under the other.
struct Page<'a, 'b> {
    picture: &'a Picture<'b>,
    inner: Rect,
    line: u16,
}

impl Page<'_, '_> {
    /// A line, and as many below as it needs.
    fn put(&mut self, buffer: &mut Buffer, text: &str, role: Role) {
        for line in format::wrap(text, usize::from(self.inner.width.max(1))) {
            self.picture.text(buffer, self.inner, self.line, &line, role);
            self.line += 1;
        }
    }

    /// Lines left above the footer.
    const fn left(&self) -> u16 {
        self.inner.height.saturating_sub(self.line + FOOTER)
    }
}

/// Draws the preview.
pub fn draw(picture: &Picture<'_>, preview: &Preview, area: Rect, buffer: &mut Buffer) {
    let mode = picture.live.snapshot.mode.badge();
    let title = match &preview.intent {
        Intent::Proposal { id, revision } => format!("{mode} — proposal {id}, revision {revision}"),
        Intent::Ticket(_) => format!("{mode} — ticket"),
        Intent::Close(position, None) => format!("{mode} — close position {position}"),
        Intent::Close(position, Some(part)) => format!("{mode} — close {part} of position {position}"),
        Intent::Cancel(order) => format!("{mode} — cancel order {order}"),
        Intent::Modify { order, .. } => format!("{mode} — change order {order}"),
        Intent::Protect { position, .. } => format!("{mode} — exits of position {position}"),
        Intent::Flatten => format!("{mode} — close ALL positions"),
        Intent::Reset(_) => "Begin the paper account anew".to_owned(),
        Intent::Jump(_) => "Run the tape ahead".to_owned(),
        Intent::Quit => "Quit pmax".to_owned(),
    };
    let height = match &preview.intent {
        Intent::Proposal { .. } | Intent::Ticket(_) | Intent::Close(..) => area.height.saturating_sub(2).clamp(SIZE.1, TALLEST),
        Intent::Modify { .. } | Intent::Protect { .. } => 20,
        Intent::Cancel(_) | Intent::Flatten | Intent::Reset(_) | Intent::Jump(_) | Intent::Quit => 14,
    };
    let inner = window(picture, &title, (SIZE.0.min(area.width), height), area, buffer);
    let mut page = Page { picture, inner, line: 0 };
    match preview.shown(&picture.live.snapshot) {
        Some(shown) if matches!(preview.intent, Intent::Modify { .. } | Intent::Protect { .. }) => {
            plain(&mut page, preview, buffer);
            checks(&mut page, shown, buffer);
        }
        Some(shown) => order(&mut page, shown, buffer),
        None if preview.intent.is_checked() => page.put(buffer, "asking the engine…", Role::Muted),
        None => plain(&mut page, preview, buffer),
    }
    footer(picture, preview, inner, buffer);
}

fn order(page: &mut Page<'_, '_>, shown: &OrderPreview, buffer: &mut Buffer) {
    let picture = page.picture;
    let request = &shown.request;
    let known = picture.context.instruments.get(request.instrument);
    let (symbol, decimals) = (picture.context.instruments.symbol(request.instrument), known.map_or(2, |known| known.decimals));
    let arrow = if request.side == crate::domain::OrderSide::Buy { "▲" } else { "▼" };
    let what = format!(
        "{arrow} {} {} {symbol}  {}  {}",
        request.side,
        format::quantity(request.quantity),
        request.kind,
        request.time_in_force
    );
    page.put(buffer, &what, Role::Accent);
    let row = picture.live.snapshot.quotes.iter().find(|row| row.instrument == request.instrument);
    let priced = row.filter(|row| row.last.is_some());
    let age = priced.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |row| format::age(picture.age_of_live(row)));
    let name = known.map_or("", |known| known.name.as_str());
    page.put(
        buffer,
        &format!("{name} · last {} · age of price {age} · {}", format::price(shown.last, decimals), fills(picture, request)),
        Role::Text,
    );
    let money = |amount: Option<crate::domain::Money>| amount.map_or_else(|| format::NOT_AVAILABLE.to_owned(), format::money);
    let costs = match picture.live.snapshot.broker {
        BrokerKind::Paper => format!("cost and slippage about {}", money(shown.estimated_cost)),
        BrokerKind::Xapi => "costs: the broker's spread, and swaps by night".to_owned(),
    };
    // At a stage only its capital counts, in shares of positions and limits alike.
    let whole = picture.live.snapshot.standing.stage.map_or_else(
        || "equity".to_owned(),
        |stage| format!("the {} that count at {}", format::money(stage.capital), stage.stage),
    );
    let value = format!("value {} · {} of {whole} · {costs}", money(shown.notional), format::percent(shown.share_of_equity));
    page.put(buffer, &value, Role::Text);
    if request.opens_exposure() {
        let protection = request.protection;
        let (stop, target) = (protection.stop_loss, protection.take_profit);
        let none = |price: Option<crate::domain::Price>| {
            price.map_or_else(|| "none".to_owned(), |price| format::price(Some(price), decimals))
        };
        let role = if stop.is_none() { Role::Warn } else { Role::Text };
        let text =
            format!("stop-loss {} · take-profit {} · loss at the stop {}", none(stop), none(target), money(shown.loss_at_stop));
        page.put(buffer, &text, role);
    }
    proposal(page, shown, buffer);
    checks(page, shown, buffer);
    what_if(page, shown, buffer);
}

/// Every gauge before and after the order, in two columns; where that does not fit, those that it moves, and then these as a sentence.
fn what_if(page: &mut Page<'_, '_>, shown: &OrderPreview, buffer: &mut Buffer) {
    let now = &shown.what_if.now;
    let before = |gauge: &Gauge| now.iter().find(|other| other.kind == gauge.kind).and_then(|other| other.value);
    let all: Vec<(Option<Ratio>, &Gauge)> = shown.what_if.then.iter().map(|gauge| (before(gauge), gauge)).collect();
    let moved: Vec<(Option<Ratio>, &Gauge)> = all.iter().filter(|(before, after)| is_moved(*before, after)).copied().collect();
    if all.is_empty() || page.left() == 0 {
        return;
    }
    let columns = if page.inner.width / 2 > ROW { 2 } else { 1 };
    let lines =
        |rows: &[(Option<Ratio>, &Gauge)]| u16::try_from(rows.len().div_ceil(columns)).unwrap_or(u16::MAX).saturating_add(1);
    let (title, rows) = if lines(&all) <= page.left() {
        ("after it, as if it had traded whole at that price:", all)
    } else if lines(&moved) <= page.left() && !moved.is_empty() {
        ("after it, as if it had traded whole at that price; the other gauges stay:", moved)
    } else {
        let parts: Vec<String> = moved.iter().map(|(before, after)| change(after, *before)).collect();
        let text = if parts.is_empty() { "it moves no gauge".to_owned() } else { format!("after it: {}", parts.join(", ")) };
        let lines = format::wrap(&text, usize::from(page.inner.width.max(1)));
        if lines.len() <= usize::from(page.left()) {
            page.put(buffer, &text, worst(&moved));
        }
        return;
    };
    page.put(buffer, title, Role::Muted);
    let (begin, half) = (page.line, if columns == 2 { page.inner.width / 2 } else { page.inner.width });
    let count = u16::try_from(rows.len().div_ceil(columns)).unwrap_or(u16::MAX).max(1);
    for (index, (before, after)) in (0_u16..).zip(rows) {
        let place = Rect { x: page.inner.x + half * (index / count), width: half.saturating_sub(1), ..page.inner };
        let (mark, role) = standing(before, after);
        let numbers = format!("{:>7} → {:>7} / {}", risk::number(after, before), risk::number(after, after.value), limit(after));
        page.picture.text(buffer, place, begin + index % count, &format!("{mark} {:<12} {numbers}", after.kind.label()), role);
    }
    page.line = begin + count;
}

/// Whether a gauge shows another number afterwards.
fn is_moved(before: Option<Ratio>, after: &Gauge) -> bool {
    risk::number(after, before) != risk::number(after, after.value)
}

fn change(after: &Gauge, before: Option<Ratio>) -> String {
    let (from, to) = (risk::number(after, before), risk::number(after, after.value));
    format!("{} {from} → {to} of {}", after.kind.label(), limit(after))
}

fn limit(gauge: &Gauge) -> String {
    risk::number(gauge, Some(gauge.limit))
}

/// Mark and role of a gauge afterwards: what it does to the limits, never by colour alone.
fn standing(before: Option<Ratio>, after: &Gauge) -> (&'static str, Role) {
    let warns = after.warn.zip(after.value).is_some_and(|(warn, value)| value >= warn);
    match after.used() {
        Some(used) if used >= 1.0 => ("‼", Role::Down),
        Some(_) if warns => ("!", Role::Warn),
        _ if is_moved(before, after) => ("·", Role::Text),
        _ => (" ", Role::Muted),
    }
}

fn worst(moved: &[(Option<Ratio>, &Gauge)]) -> Role {
    let roles: Vec<Role> = moved.iter().map(|(before, after)| standing(*before, after).1).collect();
    [Role::Down, Role::Warn].into_iter().find(|role| roles.contains(role)).unwrap_or(Role::Text)
}

/// Where and how the order will trade.
fn fills(picture: &Picture<'_>, request: &OrderRequest) -> String {
    let contract = picture.context.instruments.get(request.instrument).and_then(|known| known.xapi.as_ref());
    let waits = request.kind != OrderKind::Market;
    match (picture.live.snapshot.broker, contract) {
        (BrokerKind::Xapi, Some(contract)) => {
            let how = if waits { "waits there for its price" } else { "at the broker's quote" };
            {
                let lots = contract.lots(request.quantity).to_string();
                let noun = if lots == "1" { "lot" } else { "lots" };
                format!("{lots} {noun} of {} {how}", contract.symbol)
            }
        }
        (BrokerKind::Paper, _) | (BrokerKind::Xapi, None) if waits => "waits for its price from the next bar on".to_owned(),
        (BrokerKind::Paper, _) | (BrokerKind::Xapi, None) => "fills at the next bar".to_owned(),
    }
}

fn proposal(page: &mut Page<'_, '_>, shown: &OrderPreview, buffer: &mut Buffer) {
    let Some(row) = &shown.proposal else { return };
    let picture = page.picture;
    let proposal = &row.proposal;
    let left = format::age(proposal.expires.since(picture.now));
    let size = match (proposal.sizing, proposal.not_sized) {
        (Some(SizingRule::Exploratory), Some(why)) => format!("NOT PROVEN: exploratory size, {}", why.words()),
        (Some(SizingRule::Exploratory), None) => "NOT PROVEN: exploratory size".to_owned(),
        (Some(SizingRule::Kelly(terms)), _) => format!("sized {}", format::percent(Some(terms.granted))),
        (None, _) => "closes the position: the signal's horizon has ended".to_owned(),
    };
    page.put(buffer, &format!("proposal {} revision {} · {left} left · {size}", proposal.id, proposal.revision), Role::Warn);
    if let Some(SizingRule::Kelly(terms)) = proposal.sizing {
        page.put(buffer, &sizing(&terms), Role::Text);
    }
    if let Some(entry) = &row.signal {
        let age = format::age(picture.live.snapshot.market_now.since(entry.signal.view.as_of));
        let view = &entry.signal.view;
        page.put(
            buffer,
            &format!(
                "{}: {} · {} · age {age} · {} bars",
                view.source.word(),
                view.rationale,
                chance(&entry.signal),
                view.horizon_bars
            ),
            Role::Text,
        );
        let place = Rect { y: page.inner.y + page.line, height: page.left().min(5), ..page.inner };
        verdicts(picture, entry, place, buffer);
        page.line += place.height;
        if let Some(opinions) = model::opinions(picture, shown.request.instrument) {
            page.put(buffer, &opinions, Role::Muted);
        }
    }
}

/// Every factor of a size in the order in which it is multiplied, and what bound in the end.
fn sizing(terms: &SizeTerms) -> String {
    let times = |factor: crate::domain::Ratio| format!("×{:.2}", factor.to_f64());
    let (kelly, wanted) = (format::percent(Some(terms.kelly)), format::percent(Some(terms.wanted)));
    let (shrinkage, fraction) = (times(terms.shrinkage), times(terms.fraction));
    let (confidence, volatility) = (times(terms.confidence), times(terms.volatility));
    let capped = match terms.bound {
        Bound::Kelly => String::new(),
        bound => format!(", capped by {} to {}", bound.words(), format::percent(Some(terms.granted))),
    };
    format!(
        "Kelly {kelly} {shrinkage} uncertainty {fraction} fraction {confidence} confidence {volatility} volatility = {wanted}{capped}"
    )
}

/// Checks in two columns with their numbers; where that does not fit, those that pass by name only.
fn checks(page: &mut Page<'_, '_>, shown: &OrderPreview, buffer: &mut Buffer) {
    let rows = u16::try_from(shown.checks.len().div_ceil(2)).unwrap_or(0);
    if rows + 1 > page.left() {
        return narrow_checks(page, shown, buffer);
    }
    page.line += 1;
    let half = page.inner.width / 2;
    let begin = page.line;
    for (index, result) in (0_u16..).zip(&shown.checks) {
        let (mark, role) = match result.outcome {
            CheckOutcome::Pass => ("✓", Role::Up),
            CheckOutcome::Precaution => ("!", Role::Warn),
            CheckOutcome::Fail => ("✗ NO", Role::Down),
        };
        let place = Rect { x: page.inner.x + half * (index / rows.max(1)), width: half.saturating_sub(1), ..page.inner };
        let text = format!("{mark} {:<15} {result}", result.check.title());
        page.picture.text(
            buffer,
            Rect { height: page.inner.height.saturating_sub(FOOTER), ..place },
            begin + index % rows.max(1),
            &text,
            role,
        );
    }
    page.line = begin + rows;
}

fn narrow_checks(page: &mut Page<'_, '_>, shown: &OrderPreview, buffer: &mut Buffer) {
    let passes = |result: &&CheckResult| result.outcome == CheckOutcome::Pass;
    let (passed, others): (Vec<&CheckResult>, Vec<&CheckResult>) = shown.checks.iter().partition(passes);
    for result in others {
        let (mark, role) = if result.outcome == CheckOutcome::Fail { ("✗ NO", Role::Down) } else { ("!", Role::Warn) };
        page.put(buffer, &format!("{mark} {} {result}", result.check.title()), role);
    }
    // Titles are held together by hard spaces, so that wrapping never tears one apart.
    let names: Vec<String> = passed.iter().map(|result| format!("✓ {}", result.check.title()).replace(' ', "\u{a0}")).collect();
    page.put(buffer, &names.join(" "), Role::Up);
}

fn plain(page: &mut Page<'_, '_>, preview: &Preview, buffer: &mut Buffer) {
    let snapshot = &page.picture.live.snapshot;
    match &preview.intent {
        Intent::Cancel(order) | Intent::Modify { order, .. } => order_lines(page, *order, preview, buffer),
        Intent::Protect { position, protection } => {
            position_line(page, *position, buffer);
            let level = |price: Option<crate::domain::Price>| price.map_or_else(|| "none".to_owned(), |price| price.to_string());
            page.put(buffer, &format!("new stop-loss {}", level(protection.stop_loss)), Role::Text);
            page.put(buffer, &format!("new take-profit {}", level(protection.take_profit)), Role::Text);
        }
        Intent::Flatten => {
            let when = match snapshot.broker {
                BrokerKind::Paper => "at the next bar's open",
                BrokerKind::Xapi => "at the broker's quotes",
            };
            page.put(buffer, &format!("{}, closed {when}:", counted(snapshot.positions.len(), "position")), Role::Warn);
            let ids: Vec<PositionId> = snapshot.positions.iter().map(|row| row.id).take(6).collect();
            for id in ids {
                position_line(page, id, buffer);
            }
        }
        Intent::Reset(capital) => {
            page.put(
                buffer,
                &format!("The paper account begins anew with {} {}.", format::money(*capital), capital.currency()),
                Role::Text,
            );
            page.put(buffer, "The journal keeps everything; positions and orders must be closed.", Role::Muted);
        }
        Intent::Jump(until) => {
            let (utc, new_york) = (format::utc(*until), format::market_time(*until));
            page.put(buffer, &format!("The tape runs ahead to {utc} UTC, {new_york} in New York."), Role::Text);
            page.put(buffer, "Stops and orders work on the way; no proposals are made.", Role::Muted);
        }
        Intent::Quit => quit(page, buffer),
        Intent::Proposal { .. } | Intent::Ticket(_) | Intent::Close(..) => {}
    }
}

fn quit(page: &mut Page<'_, '_>, buffer: &mut Buffer) {
    let snapshot = &page.picture.live.snapshot;
    let bare = snapshot.positions.iter().filter(|row| row.protection.stop_loss.is_none()).count();
    let held = counted(snapshot.positions.len(), "position");
    page.put(buffer, &format!("Left open: {held}, {bare} without a stop."), Role::Text);
    let (orders, proposals) = (counted(snapshot.open_orders, "order"), counted(snapshot.proposals.len(), "proposal"));
    page.put(buffer, &format!("Left working: {orders}. Lapsing: {proposals}."), Role::Text);
    let frame = page.picture.live;
    let after = match (snapshot.broker, frame.playback.is_live()) {
        (BrokerKind::Paper, false) => {
            "The paper market stands still until you come back; the next start takes this run up again."
        }
        (BrokerKind::Paper, true) => {
            "The market goes on without this program, and no stop works meanwhile. The next start takes this run up again and works \
             through the minutes it missed, as far as providers still tell them."
        }
        (BrokerKind::Xapi, false) => {
            "The simulated broker stands still until you come back; the next start takes this run up again."
        }
        (BrokerKind::Xapi, true) => {
            "At the broker the market goes on: stops and targets there work without this program, and nothing else does. The next \
             start compares everything and takes this run up again."
        }
    };
    page.put(buffer, after, Role::Muted);
}

fn order_lines(page: &mut Page<'_, '_>, id: OrderId, preview: &Preview, buffer: &mut Buffer) {
    let picture = page.picture;
    let Some(tracked) = picture.live.snapshot.orders.iter().find(|tracked| tracked.order.id == id) else { return };
    let request = &tracked.order.request;
    let symbol = picture.context.instruments.symbol(request.instrument);
    let now = format!(
        "{} {} {symbol} {} · {} · filled {}",
        request.side, request.quantity, request.kind, tracked.state, tracked.filled
    );
    page.put(buffer, &now, Role::Accent);
    if request.origin.is_protective() {
        page.put(buffer, "This order protects a position; without it the position has no such exit.", Role::Warn);
    }
    if let Intent::Modify { quantity, kind, .. } = &preview.intent {
        page.put(buffer, &format!("becomes {quantity} {kind}"), Role::Text);
    }
}

fn position_line(page: &mut Page<'_, '_>, id: PositionId, buffer: &mut Buffer) {
    let picture = page.picture;
    let Some(row) = picture.live.snapshot.positions.iter().find(|row| row.id == id) else { return };
    let symbol = picture.context.instruments.symbol(row.instrument);
    let profit = row.open_profit.map_or_else(|| format::NOT_AVAILABLE.to_owned(), format::signed_money);
    page.put(buffer, &format!("{symbol} {} {} · open {profit}", row.side.word(), row.quantity), Role::Text);
}

/// What the keys do now, and why the confirm key does nothing where it does not.
fn footer(picture: &Picture<'_>, preview: &Preview, inner: Rect, buffer: &mut Buffer) {
    let snapshot = &picture.live.snapshot;
    let symbol =
        preview.shown(snapshot).map_or_else(String::new, |shown| picture.context.instruments.symbol(shown.request.instrument));
    let verb = match &preview.intent {
        Intent::Proposal { .. } | Intent::Ticket(_) => "y SENDS the order",
        Intent::Close(_, None) => "y CLOSES the position",
        Intent::Close(_, Some(_)) => "y CLOSES that part",
        Intent::Cancel(_) => "y CANCELS the order",
        Intent::Modify { .. } | Intent::Protect { .. } => "y CHANGES it",
        Intent::Flatten => "y CLOSES everything",
        Intent::Reset(_) => "y begins anew",
        Intent::Jump(_) => "y runs ahead",
        Intent::Quit => "y quits",
    };
    let leave = if matches!(preview.intent, Intent::Proposal { .. }) {
        "d declines it · n or Esc goes back"
    } else {
        "n or Esc goes back"
    };
    let (text, role) = if matches!(preview.phase, PreviewPhase::Sending { .. }) {
        ("sending… only the kill switch is heard".to_owned(), Role::Warn)
    } else {
        match preview.blocked(snapshot, &symbol, picture.now) {
            None => (format!("{verb} · {leave}"), Role::Accent),
            Some(Blocked::Guard) => (format!("… · {leave}"), Role::Muted),
            Some(Blocked::Sending) => ("sending…".to_owned(), Role::Warn),
            Some(Blocked::TypeSymbol) => (
                format!("above the precaution limit: type {symbol} to enable y › {}▏ · Esc goes back", preview.typed),
                Role::Warn,
            ),
            Some(Blocked::Refused(why) | Blocked::Gone(why)) => (format!("cannot be sent — {why} · {leave}"), Role::Down),
        }
    };
    let lines = format::wrap(&text, usize::from(inner.width.max(1)));
    let from = inner.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(1));
    let width = usize::from(inner.width);
    for (line, text) in (from..).zip(lines) {
        // Blanks too: in a small window the keys must not run into what lies under them.
        picture.text(buffer, inner, line, &format!("{text:<width$}"), role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_says_every_factor_and_what_bound() {
        let share = |value: f64| Ratio::from_f64(value).unwrap();
        let terms = SizeTerms {
            kelly: share(0.144),
            shrinkage: share(0.8),
            fraction: share(0.25),
            confidence: share(0.9),
            volatility: share(0.7),
            wanted: share(0.018_144),
            granted: share(0.018_144),
            bound: Bound::Kelly,
        };
        let whole = "Kelly 14.40% ×0.80 uncertainty ×0.25 fraction ×0.90 confidence ×0.70 volatility = 1.81%";
        assert_eq!(sizing(&terms), whole);
        let capped = SizeTerms { bound: Bound::Position, granted: share(0.015), ..terms };
        assert_eq!(sizing(&capped), format!("{whole}, capped by the position limit to 1.50%"));
    }
}
