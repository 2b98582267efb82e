//! Requests: counted before they leave, followed until they are answered, given up after a while.

use crate::domain::{Duration, MarketTime, WallTime};
use crate::market::providers::bars::Wanted;
use crate::market::providers::desk::{Answer, Desk, FetchId, Flight, Line, Output, Request, Track};
use crate::market::providers::{Capability, Failure, ProviderId, Refusal};

/// A provider that has no room for a request within this time is passed over.
pub(super) const WAIT_AT_MOST: Duration = Duration::seconds(20);
/// Requests of one provider under way at a time.
const MOST_FLIGHTS: usize = 4;
/// An answer that is not there by then never comes; the sockets' own deadlines are shorter.
const LOST_AFTER: Duration = Duration::seconds(30);

impl Desk {
    /// When a provider may be asked for an instrument.
    pub(super) fn ready_at(&self, track: &Track, by: ProviderId, capability: Capability, now: WallTime) -> WallTime {
        self.budget.ready_at(by, by.endpoint(capability, track.line.kind).unwrap_or_default(), now)
    }

    /// What is asked of a provider about an instrument.
    pub(super) fn wanted<'a>(
        &self,
        line: &'a Line,
        by: ProviderId,
        capability: Capability,
        from: MarketTime,
        now: WallTime,
    ) -> Option<Wanted<'a>> {
        Some(Wanted {
            name: line.name(by, capability)?,
            instrument: line.instrument,
            kind: line.kind,
            calendar: line.calendar,
            decimals: line.decimals,
            currency: line.currency,
            has_volume: by.client().bars.as_ref().is_some_and(|bars| (bars.has_volume)(line.kind)),
            plan: self.table.plan(by),
            from,
            now,
        })
    }

    /// Counts a request and sends it; `false` where the budget has no room for it.
    pub(super) fn send(&mut self, flight: Flight, endpoint: &str, path: String, now: WallTime, out: &mut Vec<Output>) -> bool {
        let (by, capability) = (flight.provider, flight.capability);
        if !self.budget.spend(by, endpoint, now) {
            return false;
        }
        self.keep(out);
        let id = FetchId(self.next);
        self.next += 1;
        self.health.get_mut(&(by, capability)).into_iter().for_each(|health| health.ask(now));
        self.flights.insert(id, flight);
        out.push(Output::Fetch(Request { id, provider: by, path }));
        true
    }

    /// Whether so many requests of a provider are under way that another one waits.
    pub(super) fn is_busy(&self, by: ProviderId) -> bool {
        self.flights.values().filter(|flight| flight.provider == by).count() >= MOST_FLIGHTS
    }

    /// Answers that never came count as late ones.
    pub(super) fn forget_lost_flights(&mut self, now: WallTime, out: &mut Vec<Output>) {
        let is_lost = |flight: &Flight| now.since(flight.since).0 >= LOST_AFTER.0;
        let lost: Vec<FetchId> = self.flights.iter().filter(|(_, flight)| is_lost(flight)).map(|(id, _)| *id).collect();
        for id in lost {
            self.answered(id, Err(Refusal::of(Failure::Timeout)), now, out);
        }
    }

    /// Takes an answer. One that was given up is not heard.
    pub(super) fn answered(&mut self, id: FetchId, answer: Result<Answer, Refusal>, now: WallTime, out: &mut Vec<Output>) {
        let Some(flight) = self.flights.remove(&id) else { return };
        match (flight.capability, flight.instruments.first().copied()) {
            (Capability::Bars, Some(instrument)) => self.take_bars(&flight, instrument, answer, now, out),
            (Capability::Bars, None) => {}
            (Capability::Quotes, _) => self.take_quotes(&flight, answer, now, out),
        }
    }
}
