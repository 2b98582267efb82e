//! From a decision to the disk and from there to the broker: records first, effects after.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::domain::{BrokerReport, ChangeFate, CleanText, OrderId};
use crate::engine::{Effect, Event, Input, InputBody, KillPhase};
use crate::runtime::journal::{Batch, Full};
use crate::runtime::session::{DURABLE_WITHIN, FRAME_EVERY, Running};
use crate::runtime::wall_now;
use crate::store::{Body, Entry};

impl Running {
    /// Handles an input whose effects do not wait for the journal.
    pub(super) fn urgent(&mut self, body: InputBody) {
        let entries = self.decide(body);
        self.carry_out();
        self.write(entries);
        self.take_reports();
        self.is_dirty = true;
        self.last_frame = Instant::now().checked_sub(FRAME_EVERY).unwrap_or(self.last_frame);
    }

    /// Handles an input; effects that reach the broker wait until its records are durable. Returns the engine's refusal, if any.
    pub(super) fn input(&mut self, body: InputBody) -> Option<String> {
        let entries = self.decide(body);
        let refusal = self.outcome.refusal.take();
        self.follow_up(entries);
        self.is_dirty = true;
        refusal
    }

    /// Lets the engine decide on an input and returns what is to be written.
    pub(super) fn decide(&mut self, body: InputBody) -> Vec<Entry> {
        let input = Input { wall: wall_now(), body };
        self.engine.handle(&Event::Input(input.clone()), &mut self.outcome);
        let mut entries = vec![self.entry(Body::Input(input))];
        let records = std::mem::take(&mut self.outcome.records);
        entries.extend(records.into_iter().map(|record| self.entry(Body::Record(record))));
        entries
    }

    pub(super) fn entry(&self, body: Body) -> Entry {
        Entry { market_index: self.engine.market().consumed(), market_at: self.engine.market().now(), body }
    }

    /// Hands entries to the journal, with the market events of a live run that they count, without waiting: what it has no room for
    /// stays here in order.
    pub(super) fn write(&mut self, entries: Vec<Entry>) {
        let is_something = !entries.is_empty() || !self.unrecorded.is_empty();
        if is_something && !self.journal_failed {
            let market = std::mem::take(&mut self.unrecorded);
            self.overflow.push_back(Batch { market, entries, plays: None });
            self.drain();
        }
    }

    /// Hands over what had to stay, as far as there is room.
    pub(super) fn drain(&mut self) {
        while let Some(batch) = self.overflow.pop_front() {
            if let Err(Full(back)) = self.journal.try_send(batch) {
                self.overflow.push_front(back);
                return;
            }
        }
    }

    fn is_durable(&self) -> bool {
        self.overflow.is_empty() && self.journal.is_durable()
    }

    pub(super) fn carry_out_when_durable(&mut self) {
        self.take_back();
        // What the kill switch does goes out at once and is on the disk after.
        let is_killing = matches!(self.engine.book().kill(), KillPhase::Cancelling | KillPhase::Flattening);
        let waits = |effect: &Effect| effect.reaches_broker() && !(is_killing && effect.is_of_kill());
        if !self.outcome.effects.iter().any(waits) {
            self.carry_out();
            return;
        }
        let effects = std::mem::take(&mut self.outcome.effects);
        let deadline = Instant::now() + DURABLE_WITHIN;
        while !self.is_durable() {
            self.drain();
            let failed = self.journal.failure().is_some() || Instant::now() > deadline;
            if failed || (self.latch.look() && self.handled_shots != self.latch.shots()) {
                self.hold_back(effects, if failed { "the journal did not confirm it" } else { "the kill switch fired" });
                return;
            }
            self.heartbeat.store(wall_now().0, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(200));
        }
        self.outcome.effects = effects;
        self.carry_out();
    }

    /// What is taken back is taken back at once: orders that wait for the wire, and those that would leave with these very effects.
    fn take_back(&mut self) {
        let named = |effect: &Effect| if let Effect::Withdraw(order) = effect { Some(*order) } else { None };
        let taken: Vec<OrderId> = self.outcome.effects.iter().filter_map(named).collect();
        if taken.is_empty() {
            return;
        }
        let is_taken = |effect: &Effect| matches!(effect, Effect::Submit(order) if taken.contains(&order.get().id));
        let (held, left): (Vec<Effect>, Vec<Effect>) =
            std::mem::take(&mut self.outcome.effects).into_iter().filter(|effect| named(effect).is_none()).partition(is_taken);
        self.outcome.effects = left;
        let never_left: Vec<OrderId> = held
            .iter()
            .filter_map(|effect| if let Effect::Submit(order) = effect { Some(order.get().id) } else { None })
            .collect();
        self.hold_back(held, "trading was held before it left");
        for order in taken.into_iter().filter(|order| !never_left.contains(order)) {
            self.broker.withdraw(order);
        }
    }

    /// Drops effects that must not leave. Orders among them are reported as not sent: they were never written to the wire.
    pub(super) fn hold_back(&mut self, effects: Vec<Effect>, why: &str) {
        for effect in effects {
            match effect {
                Effect::Submit(order) => {
                    let reason = CleanText::from_outside(why);
                    self.reports.push(BrokerReport::NotSent { order: order.get().id, reason });
                }
                Effect::Cancel(order) => {
                    self.reports.push(BrokerReport::CancelRefused { order, reason: CleanText::from_outside(why) });
                }
                Effect::Modify { order, .. } => {
                    self.reports.push(BrokerReport::ModifyRefused {
                        order,
                        reason: CleanText::from_outside(why),
                        fate: ChangeFate::Refused,
                    });
                }
                Effect::Protect { position, .. } => {
                    self.reports.push(BrokerReport::ProtectRefused { position, reason: CleanText::from_outside(why) });
                }
                // Where an order leaves nothing, taking it back is right whatever becomes of the records.
                Effect::Withdraw(order) => self.broker.withdraw(order),
                // A question sends nothing: without its answer what is unknown would stay so.
                Effect::QueryBroker => self.broker.query(),
                Effect::Comment(_) | Effect::Opine(_) => {}
            }
        }
    }

    pub(super) fn carry_out(&mut self) {
        let now = self.engine.market().now();
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.broker.submit(order, now),
                Effect::Cancel(order) => self.broker.cancel(order),
                Effect::Withdraw(order) => self.broker.withdraw(order),
                Effect::Modify { order, quantity, kind } => self.broker.modify(order, quantity, kind, now),
                Effect::Protect { position, protection, legs } => self.broker.protect(position, protection, legs, now),
                Effect::QueryBroker => self.broker.query(),
                Effect::Comment(facts) => self.analyst.ask(facts),
                Effect::Opine(facts) => self.opinions.ask(facts),
            }
        }
    }

    /// Hands every broker report to the engine, in order, until there are none.
    pub(super) fn take_reports(&mut self) {
        self.follow_up(Vec::new());
    }

    /// Writes entries together with what the broker has said by now, then carries out what follows from them, until nothing does.
    ///
    /// One batch is committed whole or not at all: a fill never without the stop it brought, a bar's decisions never without its fills.
    pub(super) fn follow_up(&mut self, mut entries: Vec<Entry>) {
        loop {
            let mut effects = std::mem::take(&mut self.outcome.effects);
            let mut reports = std::mem::take(&mut self.reports);
            self.broker.poll(&mut reports);
            self.is_dirty |= !reports.is_empty();
            for report in reports {
                entries.append(&mut self.decide(InputBody::Broker(report)));
                effects.append(&mut self.outcome.effects);
            }
            self.write(std::mem::take(&mut entries));
            if effects.is_empty() {
                return;
            }
            self.outcome.effects = effects;
            self.carry_out_when_durable();
        }
    }
}
