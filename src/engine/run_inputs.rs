//! Begin, restart, checkpoint and failure of a run.

use crate::domain::{Actor, AlertTopic, OrderId, RunId, Severity, TradingState, counted};
use crate::engine::event::{GateChange, RunInput, WasClean};
use crate::engine::record::{Learns, ProposalRecord, Record, RunRecord};
use crate::engine::{Effect, Engine, Outcome};
use crate::orders::{OrderState, OrderStep};

impl Engine {
    pub(super) fn decide_on_run(&mut self, input: &RunInput, outcome: &mut Outcome) {
        match input {
            RunInput::Opened { run, ledger, tape, capital, first_order, first_deal, quiet_until, version: _, settings } => {
                let opened = RunRecord::Opened {
                    run: *run,
                    ledger: *ledger,
                    tape: tape.clone(),
                    capital: *capital,
                    first_order: *first_order,
                    first_deal: *first_deal,
                    quiet_until: *quiet_until,
                    learns: settings.learns(),
                };
                self.record(Record::Run(opened), outcome);
                self.switch_stages(outcome);
            }
            RunInput::Resumed { was_clean, settings, .. } => self.resume(*was_clean, settings.learns(), outcome),
            RunInput::GatesChanged { by, since, changes } => self.say_gates_changed(*by, *since, changes, outcome),
            RunInput::InstrumentsChanged { by, joins, leaves } => self.decide_on_watched(*by, joins, leaves, outcome),
            RunInput::Checkpoint { .. } | RunInput::Suspended => {}
            RunInput::Failed { what } => self.fail(what, outcome),
        }
    }

    /// Evidence gathered under one gate is not evidence under another: whoever reads the journal must see the change.
    fn say_gates_changed(&mut self, by: Actor, since: RunId, changes: &[GateChange], outcome: &mut Outcome) {
        let each: Vec<String> =
            changes.iter().map(|change| format!("{} from {} to {}", change.key, change.was, change.is)).collect();
        let text = format!(
            "{by} changed since {since}: {}. What was measured before was held against the old value; to take it back, restore the setting",
            each.join(", ")
        );
        self.raise(Severity::Warning, AlertTopic::Engine, None, text, outcome);
    }

    /// A restart: read-only, proposals are gone, what was never sent is not sent, what has no reply is unknown until the broker answers.
    fn resume(&mut self, was_clean: WasClean, learns: Learns, outcome: &mut Outcome) {
        let wall = self.wall;
        self.record(Record::Run(RunRecord::Resumed { was_clean, wall, learns }), outcome);
        self.switch_stages(outcome);
        for proposal in self.book.proposals.keys().copied().collect::<Vec<_>>() {
            let why = "the workstation was restarted".to_owned();
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why }), outcome);
        }
        let open: Vec<(OrderId, OrderState)> =
            self.book.orders.open().values().map(|tracked| (tracked.order.id, tracked.state)).collect();
        for (order, state) in &open {
            match state {
                OrderState::Confirmed => self.step(*order, OrderStep::FindUnsent, "", outcome),
                OrderState::Sending => self.step(*order, OrderStep::LoseReply, "the process ended before a reply", outcome),
                OrderState::PendingModify(_) => {
                    let asked = self.book.change_asked(*order);
                    self.step(*order, OrderStep::RefuseModify, "lost in the restart", outcome);
                    self.go_on_counting(*order, asked, outcome);
                }
                OrderState::PendingCancel(_) => {
                    self.step(*order, OrderStep::RefuseCancel, "lost in the restart; ask again", outcome);
                }
                _ => {}
            }
        }
        self.report_findings(was_clean, outcome);
        outcome.effects.push(Effect::QueryBroker);
    }

    fn report_findings(&mut self, was_clean: WasClean, outcome: &mut Outcome) {
        let (orders, positions, unknown) =
            (self.book.orders.open().len(), self.book.ledger.positions().len(), self.book.orders.unknown());
        let before = match was_clean {
            WasClean::Yes => "Taken up again",
            WasClean::No => "The last process was killed; restored from the journal",
        };
        let severity = if unknown > 0 || was_clean == WasClean::No { Severity::Warning } else { Severity::Info };
        let exits = self.working_exits();
        let has_stop = |id| exits.get(id).is_some_and(|levels| levels.stop_loss.is_some());
        let bare = self.book.ledger.positions().keys().filter(|id| !has_stop(id)).count();
        let adopted = self.book.ledger.positions().keys().filter(|id| id.is_adopted()).count();
        let of_these = match (bare, adopted) {
            (0, 0) => String::new(),
            (bare, 0) => format!(" ({bare} without a stop)"),
            (bare, adopted) => format!(" ({bare} without a stop, {adopted} adopted from the broker)"),
        };
        let text = format!(
            "{before}: {}{of_these}, {}, {unknown} unknown; nothing was sent again",
            counted(positions, "position"),
            counted(orders, "open order")
        );
        self.raise(severity, AlertTopic::Engine, None, text, outcome);
        if self.book.state == TradingState::Halted {
            let text = "trading is still HALTED from before; re-arm in two steps".to_owned();
            self.raise(Severity::Critical, AlertTopic::Risk, None, text, outcome);
            if matches!(self.book.kill, crate::engine::KillPhase::Cancelling | crate::engine::KillPhase::Flattening) {
                self.kill(Actor::Watchdog, "the kill switch had not finished", outcome);
            }
        }
    }

    fn fail(&mut self, what: &str, outcome: &mut Outcome) {
        self.raise(Severity::Critical, AlertTopic::Engine, None, what.to_owned(), outcome);
        if self.book.state != TradingState::Halted {
            self.change_state(TradingState::Halted, Actor::Watchdog, what, outcome);
        }
    }
}
