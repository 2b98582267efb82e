//! Engine and exchange wired together without threads: effects go out, reports come back, first come, first served.

use std::collections::VecDeque;

use crate::domain::{BrokerReport, Currency, DealId, Fill, MarketEvent, WallTime};
use crate::engine::{Effect, Engine, Event, Input, InputBody, Outcome, Record, Setup};
use crate::exchange::{Exchange, RestoredPosition, Terms};

/// Both, and what was decided and traded since it was last asked for.
pub(super) struct Circuit {
    engine: Engine,
    exchange: Exchange,
    outcome: Outcome,
    /// Stands still but where somebody moves it.
    wall: WallTime,
    waiting: VecDeque<BrokerReport>,
    records: Vec<Record>,
    fills: Vec<Fill>,
}

impl Circuit {
    /// An engine that knows nothing yet, and an empty exchange.
    pub(super) fn new(setup: &Setup, currency: Currency, wall: WallTime) -> Self {
        Self {
            engine: Engine::new(setup).unwatched(),
            exchange: Exchange::new(setup.settings.terms, currency, DealId(1)),
            outcome: Outcome::default(),
            wall,
            waiting: VecDeque::new(),
            records: Vec::new(),
            fills: Vec::new(),
        }
    }

    /// The engine.
    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// An empty exchange with these terms in the place of the one there is.
    pub(super) fn begin_anew(&mut self, terms: Terms, currency: Currency) {
        self.exchange = Exchange::new(terms, currency, DealId(1));
    }

    /// Lets the exchange hold what was opened elsewhere; the engine is told by its own reports.
    pub(super) fn hold(&mut self, positions: Vec<RestoredPosition>) {
        self.exchange.restore(Vec::new(), positions, std::iter::empty());
    }

    /// Moves the wall clock.
    pub(super) const fn set_wall(&mut self, wall: WallTime) {
        self.wall = wall;
    }

    /// The exchange sees a market event first, the engine next, then what the exchange has to say about it.
    pub(super) fn play(&mut self, event: MarketEvent) {
        let mut reports = Vec::new();
        self.exchange.on_market(&event, &mut reports);
        self.engine.handle(&Event::Market(event), &mut self.outcome);
        self.follow_up(reports);
    }

    /// Handles an input and all that follows from it.
    pub(super) fn input(&mut self, body: InputBody) {
        let reports = self.handle(body);
        self.follow_up(reports);
    }

    /// What was decided and traded since this was last asked for.
    pub(super) fn news(&mut self) -> (Vec<Record>, Vec<Fill>) {
        (std::mem::take(&mut self.records), std::mem::take(&mut self.fills))
    }

    /// Handles one input and carries out its effects. Returns what the exchange says.
    fn handle(&mut self, body: InputBody) -> Vec<BrokerReport> {
        self.engine.handle(&Event::Input(Input { wall: self.wall, body }), &mut self.outcome);
        let mut reports = Vec::new();
        self.carry_out(&mut reports);
        reports
    }

    fn carry_out(&mut self, reports: &mut Vec<BrokerReport>) {
        let now = self.engine.market().now();
        self.records.append(&mut self.outcome.records);
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.exchange.submit(order.into_inner(), now, reports),
                Effect::Cancel(order) => self.exchange.cancel(order, reports),
                Effect::Modify { order, quantity, kind } => self.exchange.modify(order, quantity, kind, now, reports),
                Effect::Protect { position, protection, legs } => {
                    self.exchange.protect(position, protection, legs, now, reports);
                }
                Effect::QueryBroker => reports.push(BrokerReport::State(self.exchange.state())),
                Effect::Withdraw(_) | Effect::Comment(_) | Effect::Opine(_) => {}
            }
        }
    }

    /// First come, first served: what a report leads to is answered after the reports that came with it.
    fn follow_up(&mut self, reports: Vec<BrokerReport>) {
        self.waiting.extend(reports);
        let mut more = Vec::new();
        self.carry_out(&mut more);
        self.waiting.extend(more);
        while let Some(report) = self.waiting.pop_front() {
            if let BrokerReport::Filled(fill) = &report {
                self.fills.push(*fill);
            }
            let more = self.handle(InputBody::Broker(report));
            self.waiting.extend(more);
        }
    }
}
