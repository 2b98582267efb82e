//! What came of each instrument, counted: sound prices, flaws by kind and teller, minutes told, silent and missing, and who stands still.
//!
//! Pure. The score itself is the engine's (`engine/quality.rs`), which hears of flawed minutes as recorded notes.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Calendar, Duration, FeedNote, Flaw, FlawCount, InstrumentId, MarketTime, PauseOf, WallTime};
use crate::market::providers::{MINUTE, ProviderId, is_open};

/// Nothing traded for so long in an open session, though the provider answers: a pause. A pause of a single share by rule lasts five minutes.
const PAUSE_AFTER: Duration = Duration::seconds(5 * 60);
/// Others of the market that traded so lately show that it goes on.
const GOES_ON: Duration = Duration::seconds(3 * 60);
/// A market of fewer instruments that are watched cannot be told to stand still as a whole.
const MARKET: usize = 3;
/// Minutes of a session at most; a longer silence began before it.
const SESSION: i64 = 24 * 60;
/// Minutes that are looked at one by one; what is longer counts as it stands.
const COUNTED: i64 = 60 * 24 * 60;

/// What became of the minutes of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minutes {
    /// Told as bars.
    pub told: u64,
    /// Without a trade: a complete answer has no bar for them.
    pub silent: u64,
    /// Missing for good.
    pub missing: u64,
}

/// A flaw that was met: in what whose teller said, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// Whose words.
    pub by: ProviderId,
    /// Which flaw.
    pub flaw: Flaw,
    /// How often since the start.
    pub count: u64,
}

#[derive(Debug, Clone, Default)]
struct Line {
    totals: BTreeMap<(ProviderId, Flaw), u64>,
    /// Of the minute under way, from whoever serves.
    sound: u32,
    flaws: BTreeMap<Flaw, u32>,
    by: Option<ProviderId>,
}

/// Flaws of all instruments. As many counts as there are instruments, providers and kinds of flaw.
#[derive(Debug, Clone, Default)]
pub(super) struct FlawBook {
    lines: BTreeMap<InstrumentId, Line>,
    minute: Option<i64>,
}

impl FlawBook {
    /// A sound price of whoever serves.
    pub(super) fn sound(&mut self, instrument: InstrumentId) {
        let line = self.lines.entry(instrument).or_default();
        line.sound = line.sound.saturating_add(1);
    }

    /// So many flaws in what a provider said; they count for the score where it serves.
    pub(super) fn flawed(&mut self, instrument: InstrumentId, by: ProviderId, flaw: FlawCount, serves: bool) {
        if flaw.count == 0 {
            return;
        }
        let line = self.lines.entry(instrument).or_default();
        let total = line.totals.entry((by, flaw.flaw)).or_default();
        *total = total.saturating_add(flaw.count.into());
        if serves {
            let count = line.flaws.entry(flaw.flaw).or_default();
            *count = count.saturating_add(flaw.count);
            line.by = Some(by);
        }
    }

    /// What is to be noted of the minute that is over, once it is.
    pub(super) fn turn(&mut self, now: WallTime) -> Option<Vec<FeedNote>> {
        let minute = now.0.div_euclid(MINUTE);
        if self.minute == Some(minute) {
            return None;
        }
        let is_first = self.minute.replace(minute).is_none();
        if is_first {
            return None;
        }
        let mut notes = Vec::new();
        for (instrument, line) in &mut self.lines {
            let (flaws, sound) = (std::mem::take(&mut line.flaws), std::mem::take(&mut line.sound));
            let Some(by) = line.by.take().filter(|_| !flaws.is_empty()) else { continue };
            let flaws = flaws.into_iter().map(|(flaw, count)| FlawCount { flaw, count }).collect();
            notes.push(FeedNote::Flawed { instrument: *instrument, from: by.name().to_owned(), flaws, sound });
        }
        Some(notes)
    }

    /// Everything that was met of an instrument since the start.
    pub(super) fn met(&self, instrument: InstrumentId) -> Vec<Met> {
        let totals = self.lines.get(&instrument).map(|line| &line.totals);
        totals.into_iter().flatten().map(|((by, flaw), count)| Met { by: *by, flaw: *flaw, count: *count }).collect()
    }

    /// Forgets all others.
    pub(super) fn retain(&mut self, wanted: &BTreeSet<InstrumentId>) {
        self.lines.retain(|id, _| wanted.contains(id));
    }

    /// How much it keeps.
    pub(super) fn size(&self) -> usize {
        self.lines.values().map(|line| 1 + line.totals.len() + line.flaws.len()).sum()
    }
}

/// An instrument as far as standing still goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    pub instrument: InstrumentId,
    pub calendar: Calendar,
    /// The end of the last minute that traded.
    pub traded_until: Option<MarketTime>,
    /// When the latest answer came that would have shown a later one.
    pub answered: Option<WallTime>,
}

/// A pause: since when, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since when nothing has traded.
    pub since: MarketTime,
    /// How much of the market.
    pub of: PauseOf,
}

/// Who stands still in an open session, though the provider answers.
pub(super) fn pauses(lines: &[Watched], now: WallTime) -> BTreeMap<InstrumentId, Pause> {
    let quiet_since = |line: &Watched| {
        let (answered, traded) = (line.answered?, line.traded_until?);
        if answered.since(WallTime(traded.0)).0 < PAUSE_AFTER.0 || !is_open(line.calendar, MarketTime(now.0)) {
            return None;
        }
        let since = traded.max(opened_at(line.calendar, now));
        (answered.0 - since.0 >= PAUSE_AFTER.0).then_some(since)
    };
    let quiet: Vec<(&Watched, MarketTime)> = lines.iter().filter_map(|line| Some((line, quiet_since(line)?))).collect();
    let mut paused = BTreeMap::new();
    for (line, since) in &quiet {
        let same = || lines.iter().filter(|other| other.calendar == line.calendar && other.instrument != line.instrument);
        let goes_on = same().any(|other| other.traded_until.is_some_and(|at| now.0 - at.0 <= GOES_ON.0));
        let of = if goes_on || same().count() + 1 < MARKET { PauseOf::Instruments } else { PauseOf::Market };
        paused.insert(line.instrument, Pause { since: *since, of });
    }
    paused
}

/// When the session under way began: the first minute of the run of open ones that holds this instant.
fn opened_at(calendar: Calendar, now: WallTime) -> MarketTime {
    let minute = now.0.div_euclid(MINUTE);
    let is_shut = |back: &i64| !is_open(calendar, MarketTime((minute - back) * MINUTE));
    let shut = (1..=SESSION).find(is_shut).unwrap_or(SESSION);
    MarketTime((minute - shut + 1) * MINUTE)
}

/// What changed between two looks: notes for those that stand still now and did not, and for those that did.
pub(super) fn changes(before: &BTreeMap<InstrumentId, Pause>, now: &BTreeMap<InstrumentId, Pause>) -> Vec<FeedNote> {
    let mut notes = Vec::new();
    let mut fresh: BTreeMap<(MarketTime, bool), Vec<InstrumentId>> = BTreeMap::new();
    for (id, pause) in now {
        // What began as a pause of one and became that of all, or the other way round, is news.
        if before.get(id).is_none_or(|was| was.of != pause.of) {
            // A whole market's last trades lie minutes apart: it is one piece of news, since the latest of them.
            let of_market = pause.of == PauseOf::Market;
            let key = if of_market { MarketTime(0) } else { pause.since };
            fresh.entry((key, of_market)).or_default().push(*id);
        }
    }
    for ((_, of_market), instruments) in fresh {
        let since = instruments.iter().filter_map(|id| now.get(id)).map(|pause| pause.since).max().unwrap_or_default();
        let of = if of_market { PauseOf::Market } else { PauseOf::Instruments };
        notes.push(FeedNote::Paused { instruments, since, of });
    }
    let resumed: Vec<InstrumentId> = before.keys().filter(|id| !now.contains_key(id)).copied().collect();
    if !resumed.is_empty() {
        notes.push(FeedNote::Resumed { instruments: resumed });
    }
    notes
}

/// Minutes between two instants in which a market trades, by its usual hours.
pub(super) fn open_minutes(calendar: Calendar, from: MarketTime, until: MarketTime) -> u64 {
    let (first, end) = (from.0.div_euclid(MINUTE), until.0.div_euclid(MINUTE));
    let all = u64::try_from(end - first).unwrap_or(0);
    if calendar == Calendar::Crypto247 || end - first > COUNTED {
        return all;
    }
    (first..end).filter(|minute| is_open(calendar, MarketTime(minute * MINUTE))).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> WallTime {
        WallTime::parse(text).unwrap()
    }

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    fn count(flaw: Flaw, count: u32) -> FlawCount {
        FlawCount { flaw, count }
    }

    #[test]
    fn a_minute_is_noted_once_it_is_over_and_only_what_whoever_serves_said() {
        let (mut book, id) = (FlawBook::default(), InstrumentId(5));
        assert_eq!(book.turn(wall("2026-11-25T12:00:10Z")), None);
        book.sound(id);
        book.flawed(id, ProviderId::Kraken, count(Flaw::Crossed, 2), true);
        book.flawed(id, ProviderId::Yahoo, count(Flaw::UnitJump, 1), false);
        assert_eq!(book.turn(wall("2026-11-25T12:00:59Z")), None, "the minute is under way");
        let noted = book.turn(wall("2026-11-25T12:01:00Z")).unwrap();
        let flaws = vec![count(Flaw::Crossed, 2)];
        assert_eq!(noted, [FeedNote::Flawed { instrument: id, from: "Kraken".to_owned(), flaws, sound: 1 }]);
        assert_eq!(book.turn(wall("2026-11-25T12:02:00Z")), Some(Vec::new()), "and once");
        let met: Vec<(ProviderId, u64)> = book.met(id).into_iter().map(|met| (met.by, met.count)).collect();
        assert_eq!(met, [(ProviderId::Kraken, 2), (ProviderId::Yahoo, 1)], "all of it is counted");
    }

    fn share(id: u32, traded: &str, answered: &str) -> Watched {
        let (traded_until, answered) = (Some(at(traded)), Some(wall(answered)));
        Watched { instrument: InstrumentId(id), calendar: Calendar::UsEquity, traded_until, answered }
    }

    #[test]
    fn one_that_stands_still_while_its_market_goes_on_is_told_from_a_market_that_stands_still() {
        let now = wall("2026-11-25T15:30:10Z");
        let goes_on = [
            share(2, "2026-11-25T15:29:00Z", "2026-11-25T15:30:07Z"),
            share(3, "2026-11-25T15:25:00Z", "2026-11-25T15:30:07Z"),
            share(4, "2026-11-25T15:26:00Z", "2026-11-25T15:30:07Z"),
        ];
        let of = |lines: &[Watched], now| {
            pauses(lines, now).into_iter().map(|(id, pause)| (id.0, pause.since, pause.of)).collect::<Vec<_>>()
        };
        assert_eq!(of(&goes_on, now), [(3, at("2026-11-25T15:25:00Z"), PauseOf::Instruments)]);
        let later = wall("2026-11-25T15:40:10Z");
        let still = goes_on.map(|line| Watched { answered: Some(wall("2026-11-25T15:40:07Z")), ..line });
        let all = of(&still, later);
        assert!(all.len() == 3 && all.iter().all(|(.., of)| *of == PauseOf::Market), "{all:?}");
        let unanswered = goes_on.map(|line| Watched { answered: Some(wall("2026-11-25T15:26:00Z")), ..line });
        assert_eq!(of(&unanswered, later), [], "a provider that does not answer shows nothing");
        assert_eq!(of(&still, wall("2026-11-25T22:00:00Z")), [], "nor does a market that is shut");
    }

    #[test]
    fn a_session_begins_with_its_first_minute_and_a_night_is_no_pause() {
        let lines = [share(2, "2026-11-24T21:00:00Z", "2026-11-25T14:33:00Z")];
        assert_eq!(pauses(&lines, wall("2026-11-25T14:33:00Z")), BTreeMap::new(), "three minutes into the session");
        let lines = [share(2, "2026-11-24T21:00:00Z", "2026-11-25T14:36:00Z")];
        let paused = pauses(&lines, wall("2026-11-25T14:36:00Z"));
        assert_eq!(paused[&InstrumentId(2)].since, at("2026-11-25T14:30:00Z"));
        assert_eq!(open_minutes(Calendar::UsEquity, at("2026-11-24T20:59:00Z"), at("2026-11-25T14:31:00Z")), 2);
        assert_eq!(open_minutes(Calendar::Crypto247, at("2026-11-24T20:59:00Z"), at("2026-11-24T21:31:00Z")), 32);
    }

    #[test]
    fn what_changed_is_noted_once_and_a_whole_market_in_one_sentence() {
        let pause = |minute: i64, of| Pause { since: MarketTime(minute * MINUTE), of };
        let id = InstrumentId;
        let one = BTreeMap::from([(id(2), pause(7, PauseOf::Instruments))]);
        let note = FeedNote::Paused { instruments: vec![id(2)], since: MarketTime(7 * MINUTE), of: PauseOf::Instruments };
        assert_eq!(changes(&BTreeMap::new(), &one), [note]);
        assert_eq!(changes(&one, &one), []);
        let all = BTreeMap::from([(id(2), pause(7, PauseOf::Market)), (id(3), pause(9, PauseOf::Market))]);
        let note = FeedNote::Paused { instruments: vec![id(2), id(3)], since: MarketTime(9 * MINUTE), of: PauseOf::Market };
        assert_eq!(changes(&one, &all), [note]);
        assert_eq!(changes(&all, &BTreeMap::new()), [FeedNote::Resumed { instruments: vec![id(2), id(3)] }]);
    }
}
