//! What a failure means for whom to ask next: a strike, a rest, an instrument passed over, or something not asked for again.

use crate::domain::{Duration, InstrumentId, WallTime};
use crate::market::providers::desk::{Desk, Skipped, Track};
use crate::market::providers::refusal::Means;
use crate::market::providers::{Capability, Failure, ProviderId, Refusal};

/// A provider whose words about an instrument make no sense is not asked for it for so long.
const NONSENSE_RESTS: Duration = Duration::seconds(60);

impl Desk {
    /// What a refusal means for whom to ask next.
    pub(super) fn apply(
        &mut self,
        id: ProviderId,
        capability: Capability,
        instrument: Option<InstrumentId>,
        refusal: &Refusal,
        retry_after: Option<Duration>,
        now: WallTime,
    ) {
        let draw = self.draw();
        let Some(health) = self.health.get_mut(&(id, capability)) else { return };
        let means = match (refusal.failure, instrument) {
            // What is told wrongly of one instrument says nothing about what is told of the others.
            (Failure::Nonsense, Some(_)) => Means::Skip(NONSENSE_RESTS),
            (failure, _) => failure.means(),
        };
        match means {
            Means::Nothing => health.excuse(refusal, now),
            Means::Skip(length) => {
                health.excuse(refusal, now);
                let skipped = Skipped { until: now.plus(length), refusal: refusal.clone() };
                if let Some(track) = instrument.and_then(|instrument| self.tracks.get_mut(&instrument)) {
                    track.skipped.insert((id, capability), skipped);
                }
            }
            Means::Strike => health.strike(refusal, now, draw),
            Means::Pause(length) => health.pause(refusal, now.plus(length), now),
            Means::PauseHost(asked) => self.pause_host(id, retry_after.or(asked), refusal, now),
            Means::PauseDay => {
                let rest = self.budget.day_turns(id, now).since(now);
                self.pause_host(id, Some(rest), refusal, now);
            }
            Means::Remove => self.deny(id, capability, instrument, refusal, now),
            Means::RemoveAll => {
                let all = Capability::ALL.map(|of| (id, of));
                let own = self.health.iter_mut().filter(|(key, _)| all.contains(key));
                own.for_each(|(_, health)| health.remove(refusal, now));
            }
        }
    }

    fn pause_host(&mut self, id: ProviderId, asked: Option<Duration>, refusal: &Refusal, now: WallTime) {
        let until = self.budget.pause(id, asked, now);
        self.has_pause_to_keep = true;
        for of in Capability::ALL {
            self.health.get_mut(&(id, of)).into_iter().for_each(|health| health.pause(refusal, until, now));
        }
    }

    /// A provider does not answer this with the key at hand: it is not asked for it again, and for the capability not at all once nothing
    /// is left that it might answer.
    fn deny(
        &mut self,
        id: ProviderId,
        capability: Capability,
        instrument: Option<InstrumentId>,
        refusal: &Refusal,
        now: WallTime,
    ) {
        let kind = instrument.and_then(|instrument| self.tracks.get(&instrument)).map(|track| track.line.kind);
        let endpoint = kind.and_then(|kind| id.endpoint(capability, kind));
        self.denied.extend(endpoint.map(|endpoint| ((id, endpoint), refusal.clone())));
        let named = self.tracks.values().filter(|track| track.line.name(id, capability).is_some());
        let is_left = endpoint.is_some() && named.into_iter().any(|track| self.denial(track, id, capability).is_none());
        let Some(health) = self.health.get_mut(&(id, capability)) else { return };
        if is_left { health.excuse(refusal, now) } else { health.remove(refusal, now) }
    }

    pub(super) fn denial(&self, track: &Track, id: ProviderId, capability: Capability) -> Option<&Refusal> {
        self.denied.get(&(id, id.endpoint(capability, track.line.kind)?))
    }

    /// Whether a provider is not to be asked for an instrument, whatever its health.
    pub(super) fn is_barred(&self, track: &Track, id: ProviderId, capability: Capability, now: WallTime) -> bool {
        track.is_skipped(id, capability, now) || self.denial(track, id, capability).is_some()
    }
}
