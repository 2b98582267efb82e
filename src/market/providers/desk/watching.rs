//! Instruments come and go while the desk works.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::{InstrumentId, WallTime};
use crate::market::providers::desk::bars::BarsTrack;
use crate::market::providers::desk::quotes::QuotesTrack;
use crate::market::providers::desk::{Desk, Line, Output, Track};
use crate::market::providers::streams::Stream;
use crate::market::providers::{Capability, ProviderId, ProviderTable};

impl Desk {
    /// Follows exactly these from now on. What was followed goes on as it was; what is new is asked for at once.
    pub(super) fn watch(&mut self, lines: Vec<Line>, now: WallTime, out: &mut Vec<Output>) {
        let wanted: BTreeSet<InstrumentId> = lines.iter().map(|line| line.instrument).collect();
        self.tracks.retain(|id, _| wanted.contains(id));
        self.paused.retain(|id, _| wanted.contains(id));
        self.flaws.retain(&wanted);
        for line in lines {
            match self.tracks.get_mut(&line.instrument) {
                Some(track) => (track.line.names, track.line.decimals) = (line.names, line.decimals),
                None => drop(self.tracks.insert(line.instrument, Track::new(line, now))),
            }
        }
        for id in self.order(Capability::Quotes).to_vec().into_iter().filter(|id| can_stream(&self.table, *id)) {
            let wanted = self.wanted_of(id);
            match self.streams.get_mut(&id) {
                Some(stream) => stream.want(wanted, now, out),
                None if wanted.is_empty() => {}
                None => drop(self.streams.insert(id, Stream::new(id, wanted))),
            }
        }
    }

    /// What a stream is to tell: names and instruments.
    fn wanted_of(&self, id: ProviderId) -> BTreeMap<String, InstrumentId> {
        let lines = self.tracks.values().map(|track| &track.line);
        let name = |line: &Line| Some((line.name(id, Capability::Quotes)?.to_owned(), line.instrument));
        lines.filter_map(name).collect()
    }
}

/// Whether prices of a provider come by themselves.
pub(super) fn can_stream(table: &ProviderTable, id: ProviderId) -> bool {
    let has_address = table.provider.get(&id).is_some_and(|provider| !provider.stream.is_empty());
    has_address && id.client().stream.is_some()
}

impl Track {
    pub(super) fn new(line: Line, now: WallTime) -> Self {
        let (bars, quotes) = (BarsTrack::new(now), QuotesTrack::new(now));
        let (taken, skipped) = (VecDeque::new(), BTreeMap::new());
        let (taken_from, answered, left_out, split) = (None, None, Vec::new(), None);
        Self { line, bars, quotes, taken, taken_from, answered, left_out, split, skipped }
    }
}
