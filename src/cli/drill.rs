//! `pmax drill`: trades at random on paper until it is stopped, and prints what was acknowledged.
//!
//! A line `ack ORDER` is printed only after the engine showed the order as sent, which it does only once the order is durable. So after a
//! `kill -9` every printed order must be in the ledger; the next start and `pmax journal verify` prove it.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use crate::cli::args::Args;
use crate::cli::open::Base;
use crate::cli::workstation::start_session;
use crate::cli::{Done, OK};
use crate::domain::{Actor, InstrumentId, Mode, OrderId, OrderKind, OrderSide, Price, Protection, Ratio, TimeInForce};
use crate::engine::{Command, Seen, Snapshot, Ticket};
use crate::risk::{Acknowledged, OppositeOrders};
use crate::runtime::{self, Request, Session, Speed, TapeControl, wall_now};

/// A small generator for the drill's own choices (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or(0) % bound.max(1)
    }
}

/// Trades until the process is ended or the tape is.
pub fn run(args: &Args, orders_per_second: u32) -> Done {
    let mut base = Base::open(args)?;
    // It is the journal that is drilled: limits that only make it trade less are out of its way.
    let limits = &mut base.config.risk;
    (limits.trades_per_day, limits.orders_per_minute, limits.max_correlated) = (1_000_000, None, None);
    limits.opposite_orders = OppositeOrders::Allow;
    let _lock = base.home.lock()?;
    let _log = runtime::start_logging(&base.home.log_folder());
    let session = start_session(&base, args)?;
    let mut dice = Dice(wall_now().0.unsigned_abs() | 1);
    let mut acknowledged = BTreeSet::new();
    if session.frames.borrow().playback.is_paused {
        let _: bool = session.request(Request::Tape(TapeControl::TogglePause));
    }
    let pause = Duration::from_micros(1_000_000 / u64::from(orders_per_second.max(1)));
    if args.speed.is_none() {
        let _: bool = session.request(Request::Tape(TapeControl::Set(Speed::Times(43_200))));
    }
    loop {
        let frame = std::sync::Arc::clone(&session.frames.borrow());
        let snapshot = &frame.snapshot;
        if frame.journal.waiting == 0 {
            acknowledge(snapshot, &mut acknowledged);
        }
        if frame.playback.is_at_end && snapshot.consumed > 0 {
            break;
        }
        if snapshot.mode == Mode::ReadOnly {
            send(&session, Command::ArmPaper);
        } else if !snapshot.is_quiet
            && let Some(command) = choose(snapshot, &base, &mut dice)
        {
            send(&session, command);
        }
        std::thread::sleep(pause);
    }
    session.finish(Duration::from_secs(5));
    Ok(OK)
}

fn send(session: &Session, command: Command) {
    let _: bool = session.request(Request::Command(Actor::Person, command));
}

fn acknowledge(snapshot: &Snapshot, known: &mut BTreeSet<OrderId>) {
    let mut out = std::io::stdout().lock();
    for tracked in &snapshot.orders {
        if known.insert(tracked.order.id) && writeln!(out, "ack {}", tracked.order.id.0).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn choose(snapshot: &Snapshot, base: &Base, dice: &mut Dice) -> Option<Command> {
    match dice.below(10) {
        0 | 1 => {
            let row = snapshot.positions.get(dice.below(snapshot.positions.len()))?;
            Some(Command::ClosePosition { position: row.id, quantity: None })
        }
        2 => {
            let open: Vec<OrderId> =
                snapshot.orders.iter().filter(|tracked| tracked.state.is_cancellable()).map(|tracked| tracked.order.id).collect();
            Some(Command::CancelOrder { order: *open.get(dice.below(open.len()))? })
        }
        3 => snapshot.proposals.first().map(|row| Command::ConfirmProposal {
            proposal: row.proposal.id,
            revision: row.proposal.revision,
            seen: Seen { price: Some(row.proposal.reference), quantity: row.proposal.request.quantity },
        }),
        _ => ticket(snapshot, base, dice),
    }
}

fn ticket(snapshot: &Snapshot, base: &Base, dice: &mut Dice) -> Option<Command> {
    let row = snapshot.quotes.get(dice.below(snapshot.quotes.len()))?;
    let (instrument, last): (InstrumentId, Price) = (row.instrument, row.last?);
    let known = base.instruments.get(instrument)?;
    let side = if dice.below(2) == 0 { OrderSide::Buy } else { OrderSide::Sell };
    let away = |share: i64| last.moved_by(Ratio::from_nanos(share)).ok().map(|price| price.rounded_to(known.tick));
    let losing = if side == OrderSide::Buy { -1 } else { 1 };
    let kind = match dice.below(3) {
        0 => OrderKind::Limit(away(losing * 10_000_000)?),
        1 => OrderKind::Stop(away(-losing * 10_000_000)?),
        _ => OrderKind::Market,
    };
    let protection = Protection { stop_loss: away(losing * 60_000_000), take_profit: away(-losing * 60_000_000) };
    let budget = crate::domain::Money::whole(200, crate::domain::Currency::USD).ok()?;
    let quantity = crate::domain::Quantity::affordable(budget, last)?.floored_to(known.lot);
    let (time_in_force, seen) = (TimeInForce::GoodTillCancelled, Seen { price: Some(last), quantity });
    let ticket = Ticket { instrument, side, quantity, kind, time_in_force, protection };
    Some(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Nothing, seen })
}
