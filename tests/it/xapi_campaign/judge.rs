//! What must be true once a life is over, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use pmax::domain::{DealId, LedgerId, OrderId, OrderSide, RunId, TradingState};
use pmax::engine::{KillPhase, SnapshotRequest};
use pmax::orders::OrderState;
use pmax::store::LedgerFile;

use super::{TRADED, World};

impl World {
    /// Positions by our number, as the simulator holds them. What carries no mark may have been renumbered meanwhile: it counts by
    /// instrument and side.
    pub(super) fn theirs(&self) -> BTreeMap<u64, i64> {
        let mut held = BTreeMap::new();
        for trade in self.simulator.dealer().positions().values() {
            let (id, _, _, size) = TRADED.into_iter().find(|(_, symbol, ..)| *symbol == trade.symbol).unwrap();
            let order = own_number(&trade.mark).unwrap_or_else(|| elsewhere(id, trade.side));
            *held.entry(order).or_insert(0) += trade.volume.nanos() * size;
        }
        held
    }

    /// What waits to open and the stops of our own positions, as the simulator holds them.
    pub(super) fn their_orders(&self) -> Vec<String> {
        let dealer = self.simulator.dealer();
        let mut lines = Vec::new();
        for trade in dealer.waiting().values() {
            let (id, _, _, size) = TRADED.into_iter().find(|(_, symbol, ..)| *symbol == trade.symbol).unwrap();
            let order = own_number(&trade.mark).map_or_else(|| format!("elsewhere i{id}"), |order| format!("o{order}"));
            lines.push(format!("{order} waits for {} at {}", trade.volume.nanos() * size, trade.open_price));
        }
        for trade in dealer.positions().values() {
            if let (Some(order), Some(stop)) = (own_number(&trade.mark), trade.stop_loss) {
                lines.push(format!("p{order} has its stop at {stop}"));
            }
        }
        lines.sort();
        lines
    }

    pub(super) fn our_orders(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for tracked in self.engine.book().orders().open().values().filter(|tracked| tracked.order.request.closes.is_none()) {
            let (order, request) = (tracked.order.id.0, tracked.order.request);
            let name =
                if order < OrderId::ADOPTED.0 { format!("o{order}") } else { format!("elsewhere i{}", request.instrument.0) };
            let price = request.named_price().map_or_else(String::new, |price| price.to_string());
            lines.push(format!("{name} waits for {} at {price}", request.quantity.nanos()));
        }
        for row in &self.engine.snapshot(&SnapshotRequest::default()).positions {
            if let Some(stop) = row.protection.stop_loss.filter(|_| !row.id.is_adopted()) {
                lines.push(format!("{} has its stop at {stop}", row.id));
            }
        }
        lines.sort();
        lines
    }

    pub(super) fn ours(&self) -> BTreeMap<u64, i64> {
        let mut held = BTreeMap::new();
        for position in self.engine.book().ledger().positions().values() {
            let side = position.side.closing().opposite();
            let order = if position.id.is_adopted() { elsewhere(position.instrument.0, side) } else { position.id.0 };
            *held.entry(order).or_insert(0) += position.quantity.nanos();
        }
        held
    }
}

/// Whether trading is halted, and the latest word on positions is that they differ.
fn is_held_for_a_difference(world: &World) -> bool {
    let snapshot = world.engine.snapshot(&SnapshotRequest::default());
    let said = snapshot.activity.iter().find(|line| line.text.contains("positions here and at the broker"));
    world.strangers > 0
        && world.engine.book().state() == TradingState::Halted
        && said.is_some_and(|line| line.text.contains("differ"))
}

/// The number of our order in a mark.
pub(super) fn own_number(mark: &str) -> Option<u64> {
    mark.strip_prefix("pmax-").map(|mark| mark.rsplit('-').next().unwrap().parse().unwrap())
}

/// A number for everything of one instrument and side that was opened elsewhere.
fn elsewhere(id: u32, side: OrderSide) -> u64 {
    OrderId::ADOPTED.0 + u64::from(id) * 2 + u64::from(side == OrderSide::Sell)
}

/// Writes everything a life has decided into a ledger on disk: what the tables do not take would stop trading.
pub(super) fn write_down(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let mut file = LedgerFile::open(&folder.path().join("ledger.db"), LedgerId(77)).unwrap();
    for group in world.entries.chunks(2_000) {
        file.append(RunId(1), group).unwrap();
    }
}

/// Everything that is wrong with a life, in one line.
pub(super) fn judge(world: World) -> Result<World, String> {
    let mut wrong: Vec<String> = world.wrong.clone().into_iter().collect();
    if let Some((mark, times)) = world.written.iter().find(|(_, times)| **times > 1) {
        wrong.push(format!("{mark} was written {times} times"));
    }
    let mut openings: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    let dealer = world.simulator.dealer();
    for trade in dealer.positions().values().chain(dealer.closed().iter().map(|closed| &closed.trade)) {
        openings.entry(&trade.mark).or_default().insert(trade.order);
    }
    if let Some((mark, numbers)) = openings.iter().find(|(mark, numbers)| mark.starts_with("pmax-") && numbers.len() > 1) {
        wrong.push(format!("{mark} was carried out {} times", numbers.len()));
    }
    if world.engine.book().orders().unknown() > 0 {
        wrong.push(format!("{} orders are still UNKNOWN", world.engine.book().orders().unknown()));
    }
    let is_pending =
        |state: &OrderState| matches!(state, OrderState::Sending | OrderState::PendingCancel(_) | OrderState::PendingModify(_));
    let orders = world.engine.book().orders().open();
    if let Some(tracked) = orders.values().find(|tracked| is_pending(&tracked.state)) {
        wrong.push(format!("order {} is still {}", tracked.order.id, tracked.state));
    }
    if world.our_orders() != world.their_orders() {
        wrong.push(format!("orders differ: ours {:?}, theirs {:?}", world.our_orders(), world.their_orders()));
    }
    if matches!(world.engine.book().kill(), KillPhase::Cancelling | KillPhase::Flattening) {
        wrong.push(format!("the kill switch never finished: {:?}", world.engine.book().kill()));
    }
    // Where nobody else trades, none of this can be true.
    if world.strangers == 0 {
        let lies = ["has NO stop", "does not fit", "opened elsewhere", "positions here and at the broker differ"];
        for alert in world.engine.book().alerts() {
            if lies.iter().any(|lie| alert.text.contains(lie)) {
                wrong.push(format!("an untrue alert: {}", alert.text));
            }
        }
    }
    // What another client opened may be told wrongly apart from what it opened beside it; then trading is halted, and the screen says why.
    let own = |held: BTreeMap<u64, i64>| held.into_iter().filter(|(order, _)| *order < OrderId::ADOPTED.0).collect::<Vec<_>>();
    if own(world.ours()) == own(world.theirs()) && world.ours() != world.theirs() && is_held_for_a_difference(&world) {
        return if wrong.is_empty() { Ok(world) } else { Err(wrong.join("; ")) };
    }
    if world.ours() != world.theirs() {
        wrong.push(format!("positions differ: ours {:?}, theirs {:?}", world.ours(), world.theirs()));
    }
    let ledger = world.engine.book().ledger();
    let booked = ledger.realised().nanos() - ledger.costs().nanos();
    // All results of our own trades, and of what was adopted those since then. What began and ended elsewhere is not ours.
    let of_us = |closed: &&pmax::exchange::ClosedTrade| {
        own_number(&closed.trade.mark).is_some() || ledger.deals().contains(&DealId(closed.trade.order2.unsigned_abs()))
    };
    let results: i64 = dealer.closed().iter().filter(of_us).map(|closed| closed.profit + closed.trade.storage).sum();
    if booked != results {
        for closed in dealer.closed().iter().filter(|closed| own_number(&closed.trade.mark).is_some()) {
            let trade = &closed.trade;
            if !ledger.deals().contains(&DealId(trade.order2.unsigned_abs())) {
                wrong.push(format!(
                    "not booked: {} position {} by {} {} of profit {} {:?}",
                    trade.mark, trade.position, trade.order2, trade.volume, closed.profit, closed.reason
                ));
            }
        }
        wrong.push(format!("results differ: ours {booked}, theirs {results}"));
    }
    if std::env::var("PMAX_SEED").is_ok() {
        for line in world.engine.snapshot(&SnapshotRequest::default()).activity.iter().rev() {
            println!("{} {}", line.at, line.text);
        }
        for tracked in world.engine.book().orders().open().values() {
            println!("OPEN {} {} {:?}", tracked.order.id, tracked.state, tracked.history);
        }
        for trade in world.simulator.dealer().positions().values() {
            println!("THERE {} {} {:?} {} at {}", trade.mark, trade.position, trade.side, trade.volume, trade.open_price);
        }
        for closed in world.simulator.dealer().closed().iter().filter(|closed| own_number(&closed.trade.mark).is_none()) {
            let trade = &closed.trade;
            println!(
                "CLOSED THERE {} by {} {:?} {} at {}",
                trade.position, trade.order2, trade.side, trade.volume, trade.open_price
            );
        }
        for alert in world.engine.book().alerts() {
            println!("ALERT {} {}", alert.at, alert.text);
        }
    }
    if wrong.is_empty() { Ok(world) } else { Err(wrong.join("; ")) }
}
