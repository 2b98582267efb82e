//! What a person is about to do, from the preview to the answer.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Duration, MarketTime, Money, OrderId, OrderKind, OrderRequest, Origin, PositionId, PositionSide, ProposalId, Protection,
    Quantity, TimeInForce, WallTime,
};
use crate::engine::{BreakerRow, Command, OrderPreview, PositionRow, PreviewSubject, Seen, Snapshot, Ticket};
use crate::risk::{Acknowledged, Check, CheckOutcome, CheckResult, Hold, Subject};
use crate::ui::format;

/// Keys are ignored for so long after a dialog opens, so that type-ahead cannot confirm it.
pub const GUARD: Duration = Duration::millis(300);
/// How long a sent order may stay without a word before the dialog says so.
pub const ANSWER_WITHIN: Duration = Duration::seconds(6);

/// One thing a person may confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intent {
    /// Send a proposal's order.
    Proposal {
        /// Which.
        id: ProposalId,
        /// The revision looked at.
        revision: u32,
    },
    /// Send a hand-written order.
    Ticket(Ticket),
    /// Close a position, or a part of it.
    Close(PositionId, Option<Quantity>),
    /// Cancel an order.
    Cancel(OrderId),
    /// Change an order.
    Modify {
        /// Which.
        order: OrderId,
        /// New quantity.
        quantity: Quantity,
        /// New price.
        kind: OrderKind,
    },
    /// Set exit levels.
    Protect {
        /// Which position.
        position: PositionId,
        /// The levels.
        protection: Protection,
    },
    /// Close everything after the kill switch.
    Flatten,
    /// Begin the paper account anew.
    Reset(Money),
    /// Run the tape ahead.
    Jump(MarketTime),
    /// End the program.
    Quit,
}

/// Where a preview stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewPhase {
    /// Looking.
    Looking,
    /// Sent; waiting for the engine's answer.
    Sending {
        /// The number it was asked under.
        asked: u64,
        /// When it was sent.
        since: WallTime,
    },
}

/// An open preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What is about to be done.
    pub intent: Intent,
    /// When it opened.
    pub opened: WallTime,
    /// Looking or sending.
    pub phase: PreviewPhase,
    /// The symbol typed so far, where a precaution asks for it.
    pub typed: String,
}

/// Why the confirm key does nothing now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Just opened.
    Guard,
    /// Already sent.
    Sending,
    /// A check refuses; its sentence.
    Refused(String),
    /// The symbol must be typed first.
    TypeSymbol,
    /// What it was about is gone, or was computed anew.
    Gone(String),
}

impl Intent {
    /// The subject the engine should keep checking while the preview is open.
    pub fn subject(&self, snapshot: &Snapshot) -> Option<PreviewSubject> {
        match self {
            Self::Proposal { id, .. } => Some(PreviewSubject::Proposal(*id)),
            Self::Ticket(ticket) => Some(PreviewSubject::Request(OrderRequest {
                instrument: ticket.instrument,
                side: ticket.side,
                quantity: ticket.quantity,
                kind: ticket.kind,
                time_in_force: ticket.time_in_force,
                protection: ticket.protection,
                closes: None,
                origin: Origin::Ticket,
            })),
            Self::Close(position, part) => {
                let row = snapshot.positions.iter().find(|row| row.id == *position)?;
                let quantity = part.unwrap_or(row.quantity);
                Some(PreviewSubject::Request(OrderRequest { quantity, ..closing(row) }))
            }
            Self::Modify { order, quantity, kind } => {
                Some(PreviewSubject::Change { order: *order, quantity: *quantity, kind: *kind })
            }
            Self::Protect { position, protection } => {
                Some(PreviewSubject::Exits { position: *position, protection: *protection })
            }
            Self::Cancel(_) => None,
            Self::Flatten | Self::Reset(_) | Self::Jump(_) | Self::Quit => None,
        }
    }

    /// The command to send when it is confirmed, or `None` where the program itself acts.
    pub fn command(&self, preview: Option<&OrderPreview>, acknowledged: Acknowledged) -> Option<Command> {
        let seen = |quantity| Seen { price: preview.and_then(|preview| preview.last), quantity };
        Some(match self {
            Self::Proposal { id, revision } => {
                let quantity = preview.map_or(Quantity::ZERO, |preview| preview.request.quantity);
                Command::ConfirmProposal { proposal: *id, revision: *revision, seen: seen(quantity) }
            }
            Self::Ticket(ticket) => Command::PlaceOrder { ticket: *ticket, acknowledged, seen: seen(ticket.quantity) },
            Self::Close(position, part) => Command::ClosePosition { position: *position, quantity: *part },
            Self::Cancel(order) => Command::CancelOrder { order: *order },
            Self::Modify { order, quantity, kind } => Command::ModifyOrder { order: *order, quantity: *quantity, kind: *kind },
            Self::Protect { position, protection } => Command::ProtectPosition { position: *position, protection: *protection },
            Self::Flatten => Command::Flatten,
            Self::Reset(capital) => Command::ResetPaper { capital: *capital },
            Self::Jump(_) | Self::Quit => return None,
        })
    }

    /// Whether the intent is about orders or positions, so that the market must not move under it.
    pub const fn is_about_orders(&self) -> bool {
        match self {
            Self::Proposal { .. } | Self::Ticket(_) | Self::Close(..) | Self::Cancel(_) => true,
            Self::Modify { .. } | Self::Protect { .. } => true,
            Self::Flatten | Self::Reset(_) | Self::Jump(_) | Self::Quit => false,
        }
    }

    /// Whether the engine holds the intent against checks, which the preview shows.
    pub const fn is_checked(&self) -> bool {
        match self {
            Self::Proposal { .. } | Self::Ticket(_) | Self::Close(..) | Self::Modify { .. } | Self::Protect { .. } => true,
            Self::Cancel(_) | Self::Flatten | Self::Reset(_) | Self::Jump(_) | Self::Quit => false,
        }
    }
}

/// Why a check refuses: what it asks for, the number, and the breaker where it is one.
fn refused(failed: &CheckResult, shown: &OrderPreview, snapshot: &Snapshot) -> String {
    let (code, asks) = (failed.check.code(), failed.check.sentence().trim_end_matches('.'));
    let source = shown.proposal.as_ref().and_then(|row| row.signal.as_ref()).map(|entry| entry.signal.view.source);
    let instrument = shown.request.instrument;
    let holds = |row: &&BreakerRow| {
        row.hold == Hold::Latched
            && match row.trip.subject {
                Subject::Account => true,
                Subject::Instrument(id) => id == instrument,
                Subject::Source(of) => Some(of) == source,
            }
    };
    match snapshot.breakers.iter().find(holds).filter(|_| failed.check == Check::Breaker) {
        Some(row) => {
            let end = row.trip.ends_at().map_or_else(String::new, |end| format!(" until {} NY", format::market_time(end)));
            format!("{code}: {}{} holds it{end} ({})", row.trip.rule.words(), row.about, row.trip.numbers())
        }
        None => {
            let numbers = failed.to_string();
            let is = if numbers.is_empty() { String::new() } else { format!("; it is {numbers}") };
            format!("{code} asks: {asks}{is}")
        }
    }
}

fn closing(row: &PositionRow) -> OrderRequest {
    let side = match row.side {
        PositionSide::Long => PositionSide::Long.closing(),
        PositionSide::Short => PositionSide::Short.closing(),
    };
    OrderRequest {
        instrument: row.instrument,
        side,
        quantity: row.quantity,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
        closes: Some(row.id),
        origin: Origin::Ticket,
    }
}

impl Preview {
    /// A preview that has just opened.
    pub const fn new(intent: Intent, now: WallTime) -> Self {
        Self { intent, opened: now, phase: PreviewPhase::Looking, typed: String::new() }
    }

    /// Why it cannot be confirmed now, if so. `symbol` is the instrument's.
    pub fn blocked(&self, snapshot: &Snapshot, symbol: &str, now: WallTime) -> Option<Blocked> {
        if matches!(self.phase, PreviewPhase::Sending { .. }) {
            return Some(Blocked::Sending);
        }
        if now.since(self.opened).0 < GUARD.0 {
            return Some(Blocked::Guard);
        }
        if let Some(gone) = self.gone(snapshot) {
            return Some(Blocked::Gone(gone));
        }
        if !self.intent.is_checked() {
            return None;
        }
        let Some(shown) = self.shown(snapshot) else { return Some(Blocked::Guard) };
        if let Some(failed) = shown.checks.iter().find(|result| result.outcome == CheckOutcome::Fail) {
            return Some(Blocked::Refused(refused(failed, shown, snapshot)));
        }
        let needs_symbol = shown.checks.iter().any(|result| result.outcome == CheckOutcome::Precaution);
        (needs_symbol && !self.typed.eq_ignore_ascii_case(symbol)).then_some(Blocked::TypeSymbol)
    }

    /// What the engine says of this very intent; nothing while an older answer is shown.
    pub fn shown<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a OrderPreview> {
        let subject = self.intent.subject(snapshot)?;
        snapshot.preview.as_ref().filter(|preview| preview.subject == subject)
    }

    /// Why the dialog has lost its subject, if it has.
    pub fn gone(&self, snapshot: &Snapshot) -> Option<String> {
        match &self.intent {
            Intent::Proposal { id, revision } => {
                let row = snapshot.proposals.iter().find(|row| row.proposal.id == *id);
                match row {
                    None => Some(format!("proposal {id} is gone: it lapsed, was withdrawn or was answered")),
                    Some(row) if row.proposal.revision != *revision => {
                        Some(format!("proposal {id} was computed anew at another price; open it again"))
                    }
                    Some(_) => None,
                }
            }
            Intent::Close(position, _) | Intent::Protect { position, .. } => {
                let is_open = snapshot.positions.iter().any(|row| row.id == *position);
                (!is_open).then(|| format!("position {position} is closed"))
            }
            Intent::Cancel(order) | Intent::Modify { order, .. } => {
                let is_open = snapshot.orders.iter().any(|row| row.order.id == *order && !row.state.is_closed());
                (!is_open).then(|| format!("order {order} is closed"))
            }
            Intent::Ticket(_) | Intent::Flatten | Intent::Reset(_) | Intent::Jump(_) | Intent::Quit => None,
        }
    }

    /// Whether a precaution asks for the symbol.
    pub fn wants_symbol(&self, snapshot: &Snapshot) -> bool {
        let precaution = |preview: &OrderPreview| preview.checks.iter().any(|result| result.outcome == CheckOutcome::Precaution);
        self.shown(snapshot).is_some_and(precaution)
    }
}
