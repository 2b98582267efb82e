//! Why a provider does not serve, in words for the screen and the journal.

use crate::domain::{Duration, InstrumentId, WallTime};
use crate::market::providers::desk::flights::WAIT_AT_MOST;
use crate::market::providers::desk::{Desk, Track};
use crate::market::providers::{Capability, Failure, ProviderId, Stands};

impl Desk {
    /// The key of a provider that wants one, and what it is good for.
    pub(super) fn key_words(&self, id: ProviderId) -> Option<String> {
        let key = id.key()?;
        if !self.table.keys.has(key) {
            return Some(format!("none; `pmax keys set {}` keeps one", key.word()));
        }
        let plan = self.table.plan(id);
        let barred = Capability::ALL.into_iter().filter(|of| (id.client().lacks)(plan, *of).is_some());
        let lacks: Vec<&str> = barred.map(Capability::word).collect();
        let serves = if lacks.is_empty() { String::new() } else { format!(": not entitled to live {}", lacks.join(" and ")) };
        Some(format!("{} key{serves}", plan.word()))
    }

    /// The providers before the one that serves, each with why it does not.
    pub(super) fn before(&self, track: &Track, capability: Capability, now: WallTime) -> Vec<(ProviderId, String)> {
        let serving = match capability {
            Capability::Quotes => track.quotes.serving,
            Capability::Bars => track.bars.serving,
        };
        let named = self.order(capability).iter().copied().filter(|id| track.line.name(*id, capability).is_some());
        let before = named.take_while(|id| serving.is_none_or(|serving| serving.by != *id));
        before.map(|id| (id, self.why_not(track, capability, id, now))).collect()
    }

    /// Why another provider took over from this one.
    pub(super) fn why_left(
        &self,
        instrument: InstrumentId,
        capability: Capability,
        from: ProviderId,
        to: ProviderId,
        now: WallTime,
    ) -> String {
        let order = self.order(capability);
        let place = |id: ProviderId| order.iter().position(|other| *other == id);
        if place(to) < place(from) {
            return format!("{to} serves again");
        }
        let why = self.tracks.get(&instrument).map(|track| self.why_not(track, capability, from, now));
        format!("{from}: {}", why.unwrap_or_default())
    }

    fn why_not(&self, track: &Track, capability: Capability, id: ProviderId, now: WallTime) -> String {
        if let Some(skipped) = track.skipped.get(&(id, capability)).filter(|skipped| skipped.until > now) {
            return format!("{}; asked again in {}", skipped.refusal, seconds(skipped.until.since(now)));
        }
        if let Some(refusal) = self.denial(track, id, capability) {
            return refusal.to_string();
        }
        if let Some(health) = self.health.get(&(id, capability)).filter(|health| !health.is_good()) {
            let why = health.last().map_or_else(String::new, |(_, refusal)| refusal.to_string());
            return match health.stands(now) {
                Stands::Resting { until } => format!("{why}; asked again in {}", seconds(until.since(now))),
                Stands::Probing { good } => format!("{why}; being tried again, {good} good so far"),
                Stands::Removed if health.last().is_some_and(|(_, why)| why.failure == Failure::NotEntitled) => why,
                Stands::Removed => format!("{why}; not asked again"),
                Stands::Good => why,
            };
        }
        match capability {
            Capability::Quotes => self.why_no_quotes(track, id, now),
            Capability::Bars => self.why_no_bars(track, id, now),
        }
    }

    fn why_no_quotes(&self, track: &Track, id: ProviderId, now: WallTime) -> String {
        if let Some(refusal) = track.quotes.held.get(&id) {
            return format!("held back: {refusal}");
        }
        if let Some(stream) = self.streams.get(&id) {
            let is_unknown = track.line.name(id, Capability::Quotes).is_some_and(|name| stream.is_unknown(name));
            if is_unknown {
                return "it does not know the symbol".to_owned();
            }
            if !stream.is_open() {
                let why = stream.last().map_or_else(|| "connecting".to_owned(), |(_, refusal)| refusal.to_string());
                let again =
                    stream.retry_at().filter(|at| *at > now).map(|at| format!("; tried again in {}", seconds(at.since(now))));
                return format!("{why}{}", again.unwrap_or_default());
            }
        }
        match track.quotes.silent_for(id, now) {
            Some(silent) if !self.speaks(track, id, now) => format!("silent for {}", seconds(silent)),
            Some(_) => match track.quotes.unsteady_for(id, now) {
                Some(left) => format!("back, and watched for another {}", seconds(left)),
                None => "not asked".to_owned(),
            },
            None => "not heard yet".to_owned(),
        }
    }

    fn why_no_bars(&self, track: &Track, id: ProviderId, now: WallTime) -> String {
        let wait = self.ready_at(track, id, Capability::Bars, now).since(now);
        if wait.0 > Duration::seconds(60).0 {
            return "its requests of the day are used up".to_owned();
        }
        if wait.0 > WAIT_AT_MOST.0 {
            return format!("its requests of the minute are used up; asked again in {}", seconds(wait));
        }
        match self.health.get(&(id, Capability::Bars)).and_then(|health| health.last()) {
            Some((_, refusal)) => format!("the last answer: {refusal}"),
            None => "not asked yet".to_owned(),
        }
    }
}

fn seconds(length: Duration) -> String {
    let seconds = (length.0.max(0) + 999_999_999) / 1_000_000_000;
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}
