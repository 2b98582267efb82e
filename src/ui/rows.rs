//! Rows of the list panes by identity: the cursor follows what it was put on, and a key acts on what was under it when it was seen.

use crate::domain::{AlertId, InstrumentId, MarketTime, OrderId, PositionId, ProposalId, SignalId};
use crate::engine::Snapshot;
use crate::ui::state::{Pane, UiState};

/// Panes whose rows are selected by number.
pub const LISTS: [Pane; 4] = [Pane::Commentary, Pane::Signals, Pane::Positions, Pane::Alerts];

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey {
    /// A proposal that waits.
    Proposal(ProposalId),
    /// A signal.
    Signal(SignalId),
    /// An open position.
    Position(PositionId),
    /// An order.
    Order(OrderId),
    /// An alert.
    Alert(AlertId),
    /// A comment.
    Comment(InstrumentId, MarketTime),
}

/// The rows of a pane, from the top.
pub fn keys(snapshot: &Snapshot, pane: Pane) -> Vec<RowKey> {
    match pane {
        Pane::Quotes | Pane::Risk => Vec::new(),
        Pane::Commentary => snapshot.commentary.iter().map(|comment| RowKey::Comment(comment.instrument, comment.at)).collect(),
        Pane::Signals => {
            let proposals = snapshot.proposals.iter().map(|row| RowKey::Proposal(row.proposal.id));
            proposals.chain(snapshot.signals.iter().map(|entry| RowKey::Signal(entry.signal.id))).collect()
        }
        Pane::Positions => {
            let positions = snapshot.positions.iter().map(|row| RowKey::Position(row.id));
            positions.chain(snapshot.orders.iter().map(|tracked| RowKey::Order(tracked.order.id))).collect()
        }
        Pane::Alerts => snapshot.alerts.iter().map(|alert| RowKey::Alert(alert.id)).collect(),
    }
}

/// The picture a pane shows: a frozen screen freezes what informs, never what is held, ordered or at risk.
pub fn shown<'a>(state: &'a UiState, pane: Pane, live: &'a Snapshot) -> &'a Snapshot {
    match (&state.frozen, pane) {
        (Some(frozen), Pane::Quotes | Pane::Commentary | Pane::Signals | Pane::Alerts) => &frozen.snapshot,
        (Some(_), Pane::Positions | Pane::Risk) | (None, _) => live,
    }
}

/// Lets every cursor follow its item, and notes what is under it now. The top row is a place, not an item: it stays.
pub fn settle(state: &mut UiState, live: &Snapshot) {
    for pane in LISTS {
        let keys = keys(shown(state, pane, live), pane);
        let followed = state.anchors.get(&pane).and_then(|anchor| keys.iter().position(|key| key == anchor));
        if followed.is_none() {
            state.anchors.remove(&pane);
        }
        let row = followed.unwrap_or_else(|| state.row(pane)).min(keys.len().saturating_sub(1));
        state.rows.insert(pane, row);
        match keys.get(row) {
            Some(key) => state.under_cursor.insert(pane, *key),
            None => state.under_cursor.remove(&pane),
        };
    }
}

/// Moves a cursor by so many rows.
pub fn step(state: &mut UiState, pane: Pane, by: isize, live: &Snapshot) {
    let keys = keys(shown(state, pane, live), pane);
    let row = state.row(pane).saturating_add_signed(by).min(keys.len().saturating_sub(1));
    state.rows.insert(pane, row);
    match keys.get(row).filter(|_| row > 0) {
        Some(key) => state.anchors.insert(pane, *key),
        None => state.anchors.remove(&pane),
    };
}
