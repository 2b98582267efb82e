//! Which instruments a run of providers has: they join and leave while it goes on, and its account stays.
//!
//! What joins brings its whole definition into the journal, so that a replay needs no table of today. What is held, or has orders, stays.

use std::sync::Arc;

use crate::domain::{Actor, AlertTopic, InstrumentId, MarketTime, ProposalId, Severity, Watched};
use crate::engine::companions::Companions;
use crate::engine::record::{ProposalRecord, Record, RunRecord};
use crate::engine::sectors::Sectors;
use crate::engine::{Engine, Outcome};

impl Engine {
    /// Why an instrument cannot leave the run now, in words that follow its symbol; nothing where it can.
    pub fn stays_because(&self, instrument: InstrumentId) -> Option<&'static str> {
        let is_held = self.book.ledger.positions().values().any(|held| held.instrument == instrument);
        let has_orders = self.book.orders.open().values().any(|tracked| tracked.order.request.instrument == instrument);
        match (is_held, has_orders) {
            (true, _) => Some("is held: close the position first"),
            (false, true) => Some("has an open order: cancel it first"),
            (false, false) => None,
        }
    }

    pub(super) fn decide_on_watched(&mut self, by: Actor, joins: &[Watched], leaves: &[InstrumentId], outcome: &mut Outcome) {
        let mut refusals = Vec::new();
        let mut joined = Vec::new();
        for watched in joins {
            let new = &watched.instrument;
            match self.instruments.get(new.id).filter(|known| known.symbol != new.symbol) {
                Some(known) => refusals.push(format!("number {} is {} in this run, not {}", new.id.0, known.symbol, new.symbol)),
                None => joined.push(watched.clone()),
            }
        }
        let mut left = Vec::new();
        for id in leaves.iter().copied().filter(|id| self.market.get(*id).is_some()) {
            match self.stays_because(id) {
                Some(why) => refusals.push(format!("{} stays watched, as it {why}", self.instruments.symbol(id))),
                None => left.push(id),
            }
        }
        let is_about = |id: InstrumentId| left.contains(&id);
        let waiting = self.book.proposals.values().filter(|proposal| is_about(proposal.request.instrument));
        for proposal in waiting.map(|proposal| proposal.id).collect::<Vec<ProposalId>>() {
            let why = "its instrument is not watched any more".to_owned();
            self.record(Record::Proposal(ProposalRecord::Withdrawn { proposal, why }), outcome);
        }
        if !joined.is_empty() || !left.is_empty() {
            // A run that has heard nothing yet takes the history of all as its warm-up.
            let since = (self.market.consumed() > 0).then(|| MarketTime(self.wall.0).max(self.market.now()));
            self.record(Record::Run(RunRecord::InstrumentsChanged { by, joined, left, since }), outcome);
        }
        for refusal in &refusals {
            self.raise(Severity::Warning, AlertTopic::Engine, None, refusal.clone(), outcome);
        }
        outcome.refusal = refusals.into_iter().next();
    }

    /// Applies that instruments joined and left.
    pub(super) fn change_instruments(&mut self, joined: &[Watched], left: &[InstrumentId], since: Option<MarketTime>) {
        let table = Arc::make_mut(&mut self.instruments);
        joined.iter().for_each(|watched| table.put(watched.instrument.clone()));
        joined.iter().for_each(|watched| self.market.join(watched, since));
        left.iter().for_each(|id| self.market.leave(*id));
        self.sectors = Sectors::of_run(self.market.iter().map(|series| series.instrument), &self.instruments);
        self.companions = Companions::default();
    }
}
