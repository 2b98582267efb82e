//! Turns a tape's bars into one ordered stream of market events, one at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Bar, InstrumentId, MarketEvent, MarketStamp, MarketTime, Price, Quote, QuoteOrigin};
use crate::market::Tape;
use crate::market::path;

/// Quotes drawn inside a bar: one in five minutes, but at least 24 and at most 96.
const FEWEST_QUOTES: i64 = 24;
const MOST_QUOTES: i64 = 96;
const QUOTE_EVERY: i64 = 300_000_000_000;

/// What happens at an instant, in the order in which simultaneous things are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Close,
    Open,
    Quote(u16),
}

/// One event to be made: when, what, of which bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cue {
    at: MarketTime,
    moment: Moment,
    instrument: InstrumentId,
    bar: u32,
}

/// The drawn path of a series' current bar.
#[derive(Debug, Clone, Default)]
struct Drawn {
    bar: u32,
    path: Vec<Price>,
}

/// A position on a tape. Seeking is exact: the event at a position never depends on how it was reached.
#[derive(Debug, Clone)]
pub struct Player {
    bars: Arc<Vec<Bar>>,
    cues: Arc<Vec<Cue>>,
    seed: u64,
    position: usize,
    drawn: BTreeMap<InstrumentId, Drawn>,
}

fn quotes_in(bar: &Bar) -> i64 {
    (bar.close_at.since(bar.open_at).0 / QUOTE_EVERY).clamp(FEWEST_QUOTES, MOST_QUOTES)
}

fn cues_of(index: u32, bar: &Bar, cues: &mut Vec<Cue>) {
    let cue = |at, moment| Cue { at, moment, instrument: bar.instrument, bar: index };
    if bar.has_range {
        cues.push(cue(bar.open_at, Moment::Open));
        let (count, length) = (quotes_in(bar), bar.close_at.since(bar.open_at).0);
        for step in 1..count {
            let at = MarketTime(bar.open_at.0 + length / count * step);
            cues.push(cue(at, Moment::Quote(u16::try_from(step - 1).unwrap_or(u16::MAX))));
        }
    }
    cues.push(cue(bar.close_at, Moment::Close));
}

impl Player {
    /// A player at the beginning of the tape.
    pub fn new(tape: &Tape, seed: u64) -> Self {
        let mut cues = Vec::with_capacity(tape.bars.len() * 4);
        for (index, bar) in tape.bars.iter().enumerate() {
            cues_of(u32::try_from(index).unwrap_or(u32::MAX), bar, &mut cues);
        }
        cues.sort_unstable();
        Self { bars: Arc::clone(&tape.bars), cues: Arc::new(cues), seed, position: 0, drawn: BTreeMap::new() }
    }

    /// How many events were given out.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// How many events the tape holds.
    pub fn len(&self) -> usize {
        self.cues.len()
    }

    /// Whether the tape holds none.
    pub fn is_empty(&self) -> bool {
        self.cues.is_empty()
    }

    /// Goes to a position; the next event is the one at it.
    pub fn seek(&mut self, position: usize) {
        self.position = position.min(self.cues.len());
    }

    /// Goes to the first event that is known at an instant or later.
    pub fn seek_to(&mut self, at: MarketTime) {
        self.position = self.cues.partition_point(|cue| cue.at < at);
    }

    /// When the next event is known, or `None` at the end.
    pub fn next_at(&self) -> Option<MarketTime> {
        self.cues.get(self.position).map(|cue| cue.at)
    }

    /// When the last event is known, or `None` on an empty tape.
    pub fn ends_at(&self) -> Option<MarketTime> {
        self.cues.last().map(|cue| cue.at)
    }

    fn quote(&mut self, cue: Cue, bar: &Bar, step: u16) -> MarketEvent {
        let drawn = self.drawn.entry(cue.instrument).or_default();
        if drawn.path.is_empty() || drawn.bar != cue.bar {
            let steps = usize::try_from(quotes_in(bar)).unwrap_or(0);
            *drawn = Drawn { bar: cue.bar, path: path::draw(bar, self.seed, steps) };
        }
        let last = drawn.path.get(usize::from(step)).copied().unwrap_or(bar.open);
        let quote = Quote { instrument: bar.instrument, last, bid: None, ask: None, origin: QuoteOrigin::SynthesisedFromBars };
        MarketEvent::Quoted { quote, stamp: MarketStamp::tape(cue.at) }
    }
}

impl Iterator for Player {
    type Item = MarketEvent;

    fn next(&mut self) -> Option<MarketEvent> {
        let cue = *self.cues.get(self.position)?;
        let bar = *self.bars.get(usize::try_from(cue.bar).ok()?)?;
        self.position += 1;
        let stamp = MarketStamp::tape(cue.at);
        Some(match cue.moment {
            Moment::Open => MarketEvent::BarOpened { instrument: bar.instrument, open: bar.open, stamp },
            Moment::Quote(step) => self.quote(cue, &bar, step),
            Moment::Close => {
                self.drawn.remove(&cue.instrument);
                MarketEvent::BarClosed { bar, stamp: MarketStamp { event_at: bar.close_at, ..stamp } }
            }
        })
    }
}
