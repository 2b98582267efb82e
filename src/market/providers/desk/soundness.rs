//! What the desk notes about what it hears: flaws, pauses, splits, and a clock that goes back.

use crate::domain::{Calendar, Duration, FeedNote, Flaw, FlawCount, InstrumentId, MarketTime, Price, SplitRatio, WallTime};
use crate::market::providers::bars::{Chart, is_near, jump_between};
use crate::market::providers::desk::{Desk, Output};
use crate::market::providers::splice::split_between;
use crate::market::providers::streams::Stream;
use crate::market::providers::{Capability, Health, ProviderId, Refusal};
use crate::market::quality::{Watched, changes, pauses};

/// A clock that goes back by less is only corrected.
const BACK: Duration = Duration::seconds(1);

impl Desk {
    /// Notes a clock that went back: everything that was to be at a time would otherwise wait until the clock is there again.
    pub(super) fn look_at_the_clock(&mut self, now: WallTime, out: &mut Vec<Output>) {
        let by = self.latest.since(now);
        if by.0 < BACK.0 {
            self.latest = self.latest.max(now);
            return;
        }
        self.latest = now;
        self.began = self.began.before(by);
        self.budget.set_back(by, now);
        self.streams.values_mut().for_each(|stream| stream.set_back(by));
        self.health.values_mut().for_each(|health| health.set_back(by));
        self.polled.values_mut().for_each(|at| *at = at.before(by));
        self.flights.values_mut().for_each(|flight| flight.since = flight.since.before(by));
        for track in self.tracks.values_mut() {
            track.bars.set_back(by);
            track.quotes.set_back(by);
            track.answered = track.answered.map(|at| at.before(by));
            track.skipped.values_mut().for_each(|skipped| skipped.until = skipped.until.before(by));
        }
        self.search.set_back(by);
        self.keep(out);
        out.push(Output::Noted(FeedNote::ClockWentBack { by }));
    }

    /// Once a minute: what was flawed in the one before, and who stands still.
    pub(super) fn turn_minute(&mut self, now: WallTime, out: &mut Vec<Output>) {
        let Some(notes) = self.flaws.turn(now) else { return };
        let watched: Vec<Watched> = self
            .tracks
            .values()
            .map(|track| Watched {
                instrument: track.line.instrument,
                calendar: track.line.calendar,
                traded_until: track.line.known_until,
                answered: track.answered,
            })
            .collect();
        let paused = pauses(&watched, now);
        let changed = changes(&self.paused, &paused);
        self.paused = paused;
        out.extend(notes.into_iter().chain(changed).map(Output::Noted));
    }

    /// Counts what a refusal says of an instrument.
    pub(super) fn note_refusal(&mut self, by: ProviderId, instrument: Option<InstrumentId>, refusal: &Refusal, of: Capability) {
        let named = || self.streams.get(&by)?.instrument(refusal.about.as_deref()?);
        let (Some(flaw), Some(instrument)) = (refusal.flaw, instrument.or_else(named)) else { return };
        self.note_flaw(by, instrument, FlawCount { flaw, count: 1 }, of);
    }

    pub(super) fn note_flaw(&mut self, by: ProviderId, instrument: InstrumentId, flaw: FlawCount, of: Capability) {
        let serving = self.tracks.get(&instrument).and_then(|track| match of {
            Capability::Quotes => track.quotes.serving,
            Capability::Bars => track.bars.serving,
        });
        self.flaws.flawed(instrument, by, flaw, serving.is_some_and(|serving| serving.by == by));
    }

    /// What an answer that was read says of its provider: rows told twice, and minutes that an earlier answer of its own had left out.
    /// A minute that another venue alone traded in is none of them.
    pub(super) fn note_answer(&mut self, by: ProviderId, instrument: InstrumentId, chart: &Chart, now: WallTime) {
        let doubled = FlawCount { flaw: Flaw::Duplicate, count: chart.doubled };
        self.note_flaw(by, instrument, doubled, Capability::Bars);
        let Some(track) = self.tracks.get_mut(&instrument) else { return };
        track.answered = Some(now);
        let (Some(first), Some(last), Some(from)) = (track.taken.front(), track.taken.back(), track.taken_from) else { return };
        let was_passed_over =
            |at: MarketTime| at > first.open_at && at < last.open_at && track.taken.iter().all(|taken| taken.open_at != at);
        if from != by {
            return;
        }
        let left_out = chart.closed.iter().filter(|bar| was_passed_over(bar.open_at) && !track.left_out.contains(&bar.open_at));
        let found: Vec<_> = left_out.map(|bar| bar.open_at).collect();
        track.left_out.retain(|at| *at >= first.open_at);
        track.left_out.extend(found.iter().copied());
        let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
        self.flaws.flawed(instrument, by, FlawCount { flaw: Flaw::Gap, count }, true);
    }

    /// Names a split once: what lies before it and after it does not compare.
    pub(super) fn note_split(&mut self, by: ProviderId, instrument: InstrumentId, ratio: SplitRatio, out: &mut Vec<Output>) {
        let Some(track) = self.tracks.get_mut(&instrument).filter(|track| track.split != Some(ratio)) else { return };
        track.split = Some(ratio);
        out.push(Output::Noted(FeedNote::Split { instrument, from: by.name().to_owned(), ratio }));
    }

    /// What kind of flaw a price is that is far from the one the same provider said before.
    pub(super) fn kind_of_price(&self, instrument: InstrumentId, before: Price, now: Price) -> Flaw {
        let splits = self.tracks.get(&instrument).is_some_and(|track| track.line.calendar == Calendar::UsEquity);
        match jump_between(before, now) {
            Flaw::Outlier if splits && !is_near(before, now) && split_between(before, now).is_some() => Flaw::Split,
            kind => kind,
        }
    }

    /// How much everything holds that grows with what is heard, by name: each is bounded.
    pub fn census(&self) -> Vec<(&'static str, usize)> {
        let tracks = || self.tracks.values();
        vec![
            ("streams", self.streams.values().map(Stream::size).sum()),
            ("outcomes", self.health.values().map(Health::size).sum()),
            ("flights", self.flights.len()),
            ("taken bars", tracks().map(|track| track.taken.len()).sum()),
            ("left out", tracks().map(|track| track.left_out.len()).sum()),
            ("skipped", tracks().map(|track| track.skipped.len()).sum()),
            ("asked in a round", tracks().map(|track| track.bars.size()).sum()),
            ("said", tracks().map(|track| track.quotes.size()).sum()),
            ("counts of requests", self.budget.size()),
            ("flaws", self.flaws.size()),
            ("pauses", self.paused.len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{AssetClass, Bar, Currency};
    use crate::market::providers::{Line, ProviderTable};

    const MINUTE: i64 = 60_000_000_000;
    const ID: InstrumentId = InstrumentId(5);

    fn bar(minute: i64) -> Bar {
        let price = Price::from_nanos(1_000_000_000);
        let (open_at, close_at) = (MarketTime(minute * MINUTE), MarketTime((minute + 1) * MINUTE));
        let (open, high, low, close, volume, has_range) = (price, price, price, price, None, true);
        Bar { instrument: ID, open_at, close_at, open, high, low, close, volume, has_range }
    }

    /// A minute that a provider passed over and tells later was no silence; one that another tells says nothing about the first.
    #[test]
    fn a_minute_that_was_left_out_is_counted_once_and_against_whoever_left_it_out() {
        let table = ProviderTable::read(include_str!("../../../../config/providers.toml"), None).unwrap();
        let (kind, calendar, currency) = (AssetClass::Crypto, Calendar::Crypto247, Currency::USD);
        let line = Line {
            instrument: ID,
            kind,
            calendar,
            decimals: 2,
            currency,
            names: BTreeMap::new(),
            known_until: None,
            last_close: None,
        };
        let (budget, now) = (table.budget(), WallTime(10 * MINUTE));
        let mut desk = Desk::new(table, budget, vec![line], 7, now);
        let track = desk.tracks.get_mut(&ID).unwrap();
        track.taken.extend([0, 1, 3, 4].map(bar));
        track.taken_from = Some(ProviderId::Kraken);
        let closed = (0..6).map(bar).collect();
        let (from, until) = (MarketTime(0), MarketTime(6 * MINUTE));
        let chart = Chart { from, until, closed, opened: None, quote: None, doubled: 0, split: None };
        desk.note_answer(ProviderId::Coinbase, ID, &chart, now);
        assert_eq!(desk.flaws.met(ID), [], "venues differ");
        desk.note_answer(ProviderId::Kraken, ID, &chart, now);
        desk.note_answer(ProviderId::Kraken, ID, &chart, now);
        let met: Vec<_> = desk.flaws.met(ID).into_iter().map(|met| (met.by, met.flaw, met.count)).collect();
        assert_eq!(met, [(ProviderId::Kraken, Flaw::Gap, 1)]);
    }
}
