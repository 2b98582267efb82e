//! Changing and reducing what is open: cancel, modify, close, protect.

use crate::domain::{Actor, OrderId, OrderKind, Origin, Position, PositionId, Protection, ProtectiveReason, Quantity};
use crate::domain::{Mode, OrderRequest, TradingState};
use crate::engine::judging::closing_request;
use crate::engine::record::{OrderRecord, PortfolioRecord, Record};
use crate::engine::{Effect, Engine, Outcome};
use crate::exchange::LegIds;
use crate::orders::OrderStep;
use crate::risk::{self, Acknowledged, Check, CheckOutcome};

impl Engine {
    pub(super) fn cancel(&mut self, id: OrderId, outcome: &mut Outcome) {
        let cancellable = self.book.orders.get(id).is_some_and(|tracked| tracked.state.is_cancellable());
        if !cancellable {
            self.tell(format!("order {id} cannot be cancelled: it is not working"), outcome);
            return;
        }
        self.step(id, OrderStep::AskCancel, "", outcome);
        outcome.effects.push(Effect::Cancel(id));
    }

    /// A change must pass the checks that the changed order would face, counted without the order as it stands.
    pub(super) fn modify(&mut self, id: OrderId, quantity: Quantity, kind: OrderKind, outcome: &mut Outcome) {
        let Some(tracked) = self.book.orders.get(id).filter(|tracked| tracked.state.is_modifiable()).cloned() else {
            self.tell(format!("order {id} cannot be changed: it is not working"), outcome);
            return;
        };
        let request = OrderRequest { quantity, kind, ..tracked.order.request };
        let same_kind = std::mem::discriminant(&kind) == std::mem::discriminant(&tracked.order.request.kind);
        if !same_kind || kind == OrderKind::Market || quantity <= tracked.filled {
            self.tell(format!("order {id} not changed: the kind stays, and the quantity must exceed what has traded"), outcome);
            return;
        }
        if let Some(refused) = self.refusal_of_exit(&request, tracked.order.request.quantity) {
            self.tell(format!("order {id} not changed: {refused}"), outcome);
            return;
        }
        if let Some(refused) = self.refusal_of_change(&request, &tracked.order.request) {
            self.tell(format!("order {id} not changed — {refused}"), outcome);
            return;
        }
        if request.opens_exposure() {
            self.record(Record::Order(OrderRecord::ChangeAsked { order: id, quantity, kind }), outcome);
        }
        self.step(id, OrderStep::AskModify, &format!("to {quantity} {kind}"), outcome);
        outcome.effects.push(Effect::Modify { order: id, quantity, kind });
    }

    /// A change whose answer was lost may be in force: limits go on counting it until the broker tells the order's terms or its end.
    pub(super) fn go_on_counting(&mut self, order: OrderId, asked: Option<(Quantity, OrderKind)>, outcome: &mut Outcome) {
        if let Some((quantity, kind)) = asked {
            self.record(Record::Order(OrderRecord::ChangeAsked { order, quantity, kind }), outcome);
        }
    }

    /// A stop or a target covers all of its position, on the side where it protects.
    fn refusal_of_exit(&self, request: &OrderRequest, before: Quantity) -> Option<&'static str> {
        let (Some(id), Origin::Protective(reason)) = (request.closes, request.origin) else { return None };
        if request.quantity != before {
            return Some("a stop or a target covers its whole position; close a part of the position instead");
        }
        let levels = self.exits_with(id, reason, request)?;
        let position = self.book.ledger.position(id)?;
        (!self.fits(position, levels))
            .then_some("the stop belongs on the losing and the target on the winning side, on whole ticks")
    }

    /// The exits of a position as they would be with this leg; nothing for what is neither stop nor target.
    fn exits_with(&self, id: PositionId, reason: ProtectiveReason, leg: &OrderRequest) -> Option<Protection> {
        let mut levels = self.working_exits().get(&id).copied().unwrap_or_default();
        match reason {
            ProtectiveReason::StopLoss => levels.stop_loss = leg.named_price(),
            ProtectiveReason::TakeProfit => levels.take_profit = leg.named_price(),
            ProtectiveReason::KillSwitch | ProtectiveReason::Breaker | ProtectiveReason::Broker => return None,
        }
        Some(levels)
    }

    /// The checks of exits that a stop or target brings with it; none for another order.
    pub(super) fn checks_of_leg(&self, leg: &OrderRequest) -> Vec<risk::CheckResult> {
        let (Some(id), Origin::Protective(reason)) = (leg.closes, leg.origin) else { return Vec::new() };
        let levels = self.exits_with(id, reason, leg);
        self.book.ledger.position(id).zip(levels).map_or_else(Vec::new, |(held, levels)| self.checks_of_exits(held, levels))
    }

    /// Whether the levels lie on whole ticks and on their sides of the market.
    fn fits(&self, position: &Position, levels: Protection) -> bool {
        let matters = |check| matches!(check, Check::Price | Check::Protection);
        let checks = self.checks_of_exits(position, levels);
        checks.iter().all(|result| result.outcome == CheckOutcome::Pass || !matters(result.check))
    }

    /// The checks that exit levels are held against.
    pub(super) fn checks_of_exits(&self, position: &Position, levels: Protection) -> Vec<risk::CheckResult> {
        let mut probe = closing_request(position, position.quantity, Origin::Ticket);
        (probe.side, probe.protection) = (position.side.closing().opposite(), levels);
        let matters = |check| matches!(check, Check::Mode | Check::State | Check::Price | Check::Protection);
        let mut checks = risk::assess(&probe, &self.situation(&probe));
        checks.retain(|result| matters(result.check));
        checks
    }

    fn refusal_of_change(&self, request: &OrderRequest, before: &OrderRequest) -> Option<String> {
        let results = self.checks_of_change(request, before);
        let refused = results.iter().find(|result| result.outcome != CheckOutcome::Pass)?;
        let asks_for_symbol = refused.check == Check::Position && refused.limit == Some(self.settings.limits.max_position);
        let hint =
            if asks_for_symbol { " Beyond that the symbol has to be typed: cancel it and write a new ticket." } else { "" };
        Some(format!("{} not met: {}{hint}", refused.check.code(), refused.check.sentence()))
    }

    /// The checks that a change is held against, as if the order as it was were gone.
    pub(super) fn checks_of_change(&self, request: &OrderRequest, before: &OrderRequest) -> Vec<risk::CheckResult> {
        let mut situation = self.situation(request);
        situation.trades_today = situation.trades_today.saturating_sub(1);
        situation.orders_lately = situation.orders_lately.saturating_sub(1);
        let price = before.named_price();
        let value =
            price.and_then(|price| crate::domain::Money::notional(price, before.quantity, situation.equity.currency()).ok());
        if let Some(value) = value.filter(|_| before.opens_exposure()) {
            for held in [
                &mut situation.instrument_exposure,
                &mut situation.sector_exposure,
                &mut situation.correlated_exposure,
                &mut situation.gross_exposure,
                &mut situation.cash_on_order,
            ] {
                *held = held.minus(value).unwrap_or(*held);
            }
        }
        // A change is confirmed by its key alone, so what would ask for the typed symbol is refused: a new ticket asks.
        let refused = |result: risk::CheckResult| match result.outcome {
            CheckOutcome::Pass => result,
            CheckOutcome::Precaution | CheckOutcome::Fail => risk::CheckResult { outcome: CheckOutcome::Fail, ..result },
        };
        risk::assess(request, &situation).into_iter().map(refused).collect()
    }

    pub(super) fn close_position(&mut self, actor: Actor, id: PositionId, quantity: Option<Quantity>, outcome: &mut Outcome) {
        let Some(position) = self.book.ledger.position(id).cloned() else {
            self.tell(format!("position {id} is not open"), outcome);
            return;
        };
        let request = closing_request(&position, quantity.unwrap_or(position.quantity), Origin::Ticket);
        self.place(actor, request, Acknowledged::Nothing, None, outcome);
    }

    pub(super) fn protect(&mut self, id: PositionId, protection: Protection, outcome: &mut Outcome) {
        let Some(position) = self.book.ledger.position(id).cloned() else {
            self.tell(format!("position {id} is not open"), outcome);
            return;
        };
        let allowed = self.book.mode != Mode::ReadOnly && self.book.state != TradingState::Halted;
        if !allowed || !self.fits(&position, protection) {
            let why =
                "levels not set: arm trading, keep the stop on the losing and the target on the winning side, on whole ticks";
            self.tell(why.to_owned(), outcome);
            return;
        }
        let next = self.book.next_order;
        let legs = LegIds { stop: next, target: OrderId(next.0 + 1) };
        self.record(Record::Order(OrderRecord::NumbersTaken { next: OrderId(next.0 + 2) }), outcome);
        self.record(Record::Portfolio(PortfolioRecord::Protected { position: id, protection }), outcome);
        outcome.effects.push(Effect::Protect { position: id, protection, legs });
    }
}
