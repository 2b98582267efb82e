//! Market events from what a venue says while it says it: quotes as they come, and bars of one minute built from their bids.
//!
//! Pure: news and time in, events out. A minute is closed once, in order, and never invented: what was missed while the link was away
//! comes as bars the venue is asked for; until they are there, minutes that ended meanwhile wait.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{
    Bar, Duration, InstrumentId, MarketEvent, MarketStamp, MarketTime, Missed, Price, Quote, QuoteOrigin, VenueNews, VenueQuote,
    WallTime,
};
use crate::market::silence::Silence;

/// Length of a bar.
const MINUTE: i64 = 60_000_000_000;
/// A minute without a further quote is closed so long after its end.
const GRACE: Duration = Duration::seconds(2);
/// Bars that were asked for are waited for at most so long.
const HISTORY_WITHIN: Duration = Duration::seconds(30);
/// Events that may wait to be taken; quotes beyond that are dropped and counted, bars never.
const READY: usize = 8_192;

/// One instrument.
#[derive(Debug, Clone, Default)]
struct Line {
    forming: Option<Bar>,
    /// The beginning of the first minute that is not closed yet.
    closed_until: MarketTime,
    /// Until when bars that were asked for are waited for; bars that closed meanwhile.
    awaited: Option<WallTime>,
    waiting: Vec<Bar>,
    /// Since when the link is back, until history tells what came before: the minute that began earlier was heard in part only.
    back: Option<WallTime>,
    /// Whether minutes before the next bar were never told.
    has_gap: bool,
    quoted: WallTime,
    heard: Option<WallTime>,
    silence: Silence,
    is_silent: bool,
}

/// The feed.
#[derive(Debug, Clone)]
pub struct LiveFeed {
    lines: BTreeMap<InstrumentId, Line>,
    ready: VecDeque<MarketEvent>,
    known: MarketTime,
    dropped: u64,
    missed: Vec<Missed>,
}

/// Instruments that fell silent, those that speak again, and minutes that are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silences {
    /// Nothing is heard of them any more.
    pub silent: Vec<InstrumentId>,
    /// They are heard again.
    pub heard: Vec<InstrumentId>,
    /// Minutes that the venue was asked for and did not tell: they are missing here for good.
    pub missed: Vec<Missed>,
}

fn minute_of(at: WallTime) -> MarketTime {
    MarketTime(at.0.div_euclid(MINUTE) * MINUTE)
}

impl LiveFeed {
    /// A feed of these instruments, each with the first minute that is not known yet. Market time goes on from `known`.
    pub fn new(instruments: impl Iterator<Item = (InstrumentId, MarketTime)>, known: MarketTime) -> Self {
        let line = |closed_until| Line { awaited: Some(WallTime(i64::MAX)), closed_until, ..Line::default() };
        let lines = instruments.map(|(instrument, since)| (instrument, line(since))).collect();
        Self { lines, ready: VecDeque::new(), known, dropped: 0, missed: Vec::new() }
    }

    /// The beginning of the first minute of an instrument that is not closed yet.
    pub fn closed_until(&self, instrument: InstrumentId) -> Option<MarketTime> {
        self.lines.get(&instrument).map(|line| line.closed_until)
    }

    /// Quotes that were dropped because nobody took them.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The next event.
    pub fn take(&mut self) -> Option<MarketEvent> {
        self.ready.pop_front()
    }

    /// When the next event was known, if there is one.
    pub fn next_at(&self) -> Option<MarketTime> {
        self.ready.front().map(MarketEvent::known_at)
    }

    /// Takes what the venue says.
    pub fn hear(&mut self, news: VenueNews, now: WallTime) {
        match news {
            VenueNews::Quote(quote) => self.quote(quote, now),
            VenueNews::Bars(instrument, bars) => self.history(instrument, &bars, now),
            VenueNews::Lost => {
                for line in self.lines.values_mut() {
                    // What formed has a hole; the whole minute comes as a bar.
                    (line.forming, line.awaited, line.heard) = (None, Some(WallTime(i64::MAX)), None);
                    line.back = None;
                }
            }
            VenueNews::Back => {
                for line in self.lines.values_mut() {
                    (line.awaited, line.back) = (Some(now.plus(HISTORY_WITHIN)), Some(now));
                }
            }
        }
    }

    /// Lets time pass. Returns who fell silent and who speaks again since the last call, and what was waited for in vain.
    pub fn pass_time(&mut self, now: WallTime) -> Silences {
        let mut changes = Silences::default();
        for id in self.lines.keys().copied().collect::<Vec<_>>() {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            let is_over = |bar: &Bar| now.since(WallTime(bar.close_at.0)).0 >= GRACE.0;
            let over = line.forming.take_if(|bar| is_over(bar));
            let given_up = line.awaited.take_if(|until| now >= *until).is_some();
            if let Some(bar) = over {
                self.close(id, bar);
            }
            if given_up {
                // Told once the next whole minute shows how long it is; until then a late answer still fills it.
                self.lines.entry(id).and_modify(|line| line.has_gap = true);
                self.release(id);
            }
            let Some(line) = self.lines.get_mut(&id) else { continue };
            let is_silent = line.silence.is_silent(line.heard, now);
            if is_silent != line.is_silent {
                line.is_silent = is_silent;
                if is_silent { changes.silent.push(id) } else { changes.heard.push(id) }
            }
        }
        changes.missed = std::mem::take(&mut self.missed);
        changes
    }

    fn quote(&mut self, quote: VenueQuote, now: WallTime) {
        let VenueQuote { instrument, last, bid, ask, at } = quote;
        let minute = minute_of(at);
        let Some(line) = self.lines.get_mut(&instrument) else { return };
        // The venue does not promise an order: an older quote says nothing new.
        if at < line.quoted || minute < line.closed_until {
            return;
        }
        line.silence = line.silence.after(line.heard.map_or(Duration::seconds(1), |heard| now.since(heard)));
        (line.quoted, line.heard) = (at, Some(now));
        let ended = line.forming.take_if(|bar| bar.open_at < minute);
        if let Some(bar) = ended {
            self.close(instrument, bar);
        }
        let known = self.known_from(now);
        let Some(line) = self.lines.get_mut(&instrument) else { return };
        let is_new = line.forming.is_none();
        let bar = line.forming.get_or_insert(forming(instrument, minute, last));
        (bar.high, bar.low, bar.close) = (bar.high.max(last), bar.low.min(last), last);
        let stamp = MarketStamp { event_at: MarketTime(at.0), known_at: known, received_at: Some(now) };
        if is_new {
            self.ready.push_back(MarketEvent::BarOpened {
                instrument,
                open: last,
                stamp: MarketStamp { event_at: minute, ..stamp },
            });
        }
        if self.ready.len() >= READY {
            self.dropped += 1;
            return;
        }
        let quote = Quote { instrument, last, bid, ask, origin: QuoteOrigin::Venue };
        self.ready.push_back(MarketEvent::Quoted { quote, stamp });
    }

    /// Bars that were asked for: complete ones are said in order, the one that is forming fills what was not heard of it.
    fn history(&mut self, instrument: InstrumentId, bars: &[Bar], now: WallTime) {
        let current = minute_of(now);
        for bar in bars {
            let Some(line) = self.lines.get_mut(&instrument) else { return };
            if bar.open_at < current && line.forming.is_none_or(|forming| bar.open_at < forming.open_at) {
                self.say(*bar);
            } else if let Some(forming) = line.forming.as_mut().filter(|forming| forming.open_at == bar.open_at) {
                (forming.open, forming.high) = (bar.open, forming.high.max(bar.high));
                forming.low = forming.low.min(bar.low);
                line.back = None;
            }
        }
        if let Some(line) = self.lines.get_mut(&instrument) {
            (line.awaited, line.has_gap) = (None, false);
            // What the answer does not tell of the time before the link came back did not trade.
            let answered = line.back.map_or(line.closed_until, minute_of);
            line.closed_until = line.closed_until.max(answered);
            line.back = line.back.filter(|back| line.closed_until <= minute_of(*back));
        }
        self.release(instrument);
    }

    /// A minute that was built from quotes has ended. One of which only a part was heard is no bar.
    fn close(&mut self, instrument: InstrumentId, bar: Bar) {
        match self.lines.get_mut(&instrument) {
            Some(line) if line.awaited.is_some() => line.waiting.push(bar),
            Some(_) => self.say_heard(bar),
            None => {}
        }
    }

    fn say_heard(&mut self, bar: Bar) {
        let Some(line) = self.lines.get_mut(&bar.instrument) else { return };
        if line.back.is_some_and(|back| bar.open_at.0 < back.0) && bar.open_at >= line.closed_until {
            line.has_gap = true;
        } else {
            self.say(bar);
        }
    }

    /// Says the bars that had to wait, as far as they were not said from history.
    fn release(&mut self, instrument: InstrumentId) {
        let waiting = self.lines.get_mut(&instrument).map(|line| std::mem::take(&mut line.waiting));
        for bar in waiting.into_iter().flatten() {
            self.say_heard(bar);
        }
    }

    fn say(&mut self, bar: Bar) {
        let Some(line) = self.lines.get_mut(&bar.instrument) else { return };
        if bar.open_at < line.closed_until {
            return;
        }
        if std::mem::take(&mut line.has_gap) && line.closed_until < bar.open_at {
            self.missed.push(Missed { instrument: bar.instrument, from: line.closed_until, until: bar.open_at });
        }
        line.closed_until = bar.close_at;
        let known_at = self.known_from(WallTime(bar.close_at.0));
        let stamp = MarketStamp { event_at: bar.close_at, known_at, received_at: None };
        self.ready.push_back(MarketEvent::BarClosed { bar, stamp });
    }

    /// Market time never goes back.
    fn known_from(&mut self, at: WallTime) -> MarketTime {
        self.known = self.known.max(MarketTime(at.0));
        self.known
    }
}

const fn forming(instrument: InstrumentId, open_at: MarketTime, price: Price) -> Bar {
    let close_at = MarketTime(open_at.0 + MINUTE);
    Bar { instrument, open_at, close_at, open: price, high: price, low: price, close: price, volume: None, has_range: true }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EURO: InstrumentId = InstrumentId(6);
    const START: i64 = 1_762_160_400_000_000_000;

    fn at(seconds: i64) -> WallTime {
        WallTime(START + seconds * 1_000_000_000)
    }

    fn quote(seconds: i64, bid: i64) -> VenueNews {
        let (bid, ask) = (Price::from_nanos(bid), Price::from_nanos(bid + 9));
        VenueNews::Quote(VenueQuote { instrument: EURO, last: bid, bid: Some(bid), ask: Some(ask), at: at(seconds) })
    }

    fn bar(minute: i64, close: i64) -> Bar {
        forming(EURO, MarketTime(START + minute * MINUTE), Price::from_nanos(close))
    }

    fn feed() -> LiveFeed {
        let mut feed = LiveFeed::new([(EURO, MarketTime(START))].into_iter(), MarketTime(START));
        feed.hear(VenueNews::Back, at(0));
        feed.hear(VenueNews::Bars(EURO, Vec::new()), at(0));
        feed
    }

    fn closed(feed: &mut LiveFeed) -> Vec<(i64, i64)> {
        let minute = |bar: Bar| ((bar.open_at.0 - START) / MINUTE, bar.close.nanos());
        std::iter::from_fn(|| feed.take())
            .filter_map(|event| if let MarketEvent::BarClosed { bar, .. } = event { Some(minute(bar)) } else { None })
            .collect()
    }

    #[test]
    fn minutes_close_once_with_their_range() {
        let mut feed = feed();
        for (seconds, bid) in [(1, 100), (20, 130), (40, 90), (59, 110), (61, 120)] {
            feed.hear(quote(seconds, bid), at(seconds));
        }
        let events: Vec<MarketEvent> = std::iter::from_fn(|| feed.take()).collect();
        let bars: Vec<Bar> = events
            .iter()
            .filter_map(|event| if let MarketEvent::BarClosed { bar, .. } = event { Some(*bar) } else { None })
            .collect();
        let prices = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close].map(Price::nanos);
        assert_eq!(bars.iter().map(prices).collect::<Vec<_>>(), [[100, 130, 90, 110]]);
        assert!(events.is_sorted_by_key(MarketEvent::known_at), "market time never goes back");
        feed.pass_time(at(121));
        assert_eq!(closed(&mut feed), [], "a quote of the minute may still be on its way");
        feed.pass_time(at(122));
        assert_eq!(closed(&mut feed), [(1, 120)]);
        feed.hear(quote(119, 7), at(123));
        assert_eq!(closed(&mut feed), [], "a late quote changes no closed bar");
    }

    #[test]
    fn a_gap_is_filled_from_history_without_a_double_or_a_hole() {
        let mut feed = feed();
        feed.hear(quote(10, 100), at(10));
        feed.hear(quote(70, 101), at(70));
        feed.hear(VenueNews::Lost, at(75));
        feed.hear(VenueNews::Back, at(230));
        feed.hear(quote(231, 105), at(231));
        feed.hear(quote(241, 106), at(241));
        assert_eq!(closed(&mut feed), [(0, 100)], "what ended after the gap waits for what lies in it");
        let history = vec![bar(0, 100), bar(1, 102), bar(2, 103), bar(3, 999), bar(4, 106)];
        feed.hear(VenueNews::Bars(EURO, history), at(242));
        assert_eq!(closed(&mut feed), [(1, 102), (2, 103), (3, 999)], "the venue's own bar is the whole one");
        feed.hear(quote(301, 107), at(301));
        assert_eq!(closed(&mut feed), [(4, 106)]);
    }

    #[test]
    fn history_that_never_comes_holds_nothing_up_for_ever() {
        let mut feed = feed();
        feed.hear(VenueNews::Lost, at(0));
        feed.hear(VenueNews::Back, at(60));
        feed.hear(quote(61, 100), at(61));
        feed.hear(quote(121, 101), at(121));
        let changes = feed.pass_time(at(91));
        let (from, until) = (MarketTime(START), MarketTime(START + MINUTE));
        assert_eq!(changes.missed, [Missed { instrument: EURO, from, until }], "a hole is told");
        assert_eq!(closed(&mut feed), [(1, 100)]);
        assert_eq!(feed.pass_time(at(92)).missed, [], "once");
    }

    #[test]
    fn a_minute_that_was_heard_in_part_is_no_bar_and_is_told_as_missing() {
        let mut feed = feed();
        feed.hear(quote(10, 100), at(10));
        feed.hear(VenueNews::Lost, at(20));
        feed.hear(VenueNews::Back, at(40));
        feed.hear(quote(45, 200), at(45));
        feed.hear(quote(65, 101), at(65));
        assert_eq!(feed.pass_time(at(80)).missed, [], "it is not given up before the next whole minute");
        feed.hear(quote(121, 102), at(121));
        let (from, until) = (MarketTime(START), MarketTime(START + MINUTE));
        assert_eq!(feed.pass_time(at(122)).missed, [Missed { instrument: EURO, from, until }]);
        assert_eq!(closed(&mut feed), [(1, 101)], "twenty seconds of a minute are not its range");
    }

    /// A market that had been closed for hours answers with no bar at all: only the minute that was heard in part is missing.
    #[test]
    fn hours_that_did_not_trade_are_not_missing() {
        let mut feed = LiveFeed::new([(EURO, MarketTime(START - 480 * MINUTE))].into_iter(), MarketTime(START));
        feed.hear(VenueNews::Back, at(20));
        feed.hear(VenueNews::Bars(EURO, Vec::new()), at(21));
        feed.hear(quote(30, 100), at(30));
        feed.hear(quote(61, 101), at(61));
        feed.hear(quote(121, 102), at(121));
        let (from, until) = (MarketTime(START), MarketTime(START + MINUTE));
        assert_eq!(feed.pass_time(at(122)).missed, [Missed { instrument: EURO, from, until }]);
        assert_eq!(closed(&mut feed), [(1, 101)]);
    }

    #[test]
    fn a_gap_of_a_quiet_instrument_is_told_when_it_speaks_again_and_a_late_answer_fills_it() {
        let lost = || {
            let mut feed = feed();
            feed.hear(VenueNews::Lost, at(0));
            feed.hear(VenueNews::Back, at(125));
            assert_eq!(feed.pass_time(at(160)).missed, []);
            feed
        };
        let mut feed = lost();
        feed.hear(quote(400, 100), at(400));
        feed.hear(quote(421, 101), at(421));
        let (from, until) = (MarketTime(START), MarketTime(START + 6 * MINUTE));
        assert_eq!(feed.pass_time(at(421)).missed, [Missed { instrument: EURO, from, until }]);
        let mut feed = lost();
        feed.hear(VenueNews::Bars(EURO, (0..3).map(|minute| bar(minute, 100)).collect()), at(181));
        feed.hear(quote(190, 100), at(190));
        feed.hear(quote(241, 101), at(241));
        assert_eq!(feed.pass_time(at(241)).missed, [], "it came after all");
        assert_eq!(closed(&mut feed).len(), 4);
    }

    #[test]
    fn silence_is_told_by_the_usual_pause() {
        let mut feed = feed();
        assert_eq!(feed.pass_time(at(0)).silent, [EURO], "not heard of yet");
        for second in 1..60 {
            feed.hear(quote(second, 100), at(second));
            let changes = feed.pass_time(at(second));
            assert_eq!((changes.silent, changes.heard.len()), (vec![], usize::from(second == 1)));
        }
        assert_eq!(feed.pass_time(at(62)), Silences::default());
        assert_eq!(feed.pass_time(at(65)).silent, [EURO]);
    }

    proptest! {
        /// Whatever is lost, late or repeated: minutes are said in order, each at most once, and market time never goes back.
        #[test]
        fn no_minute_is_said_twice(steps in prop::collection::vec((0_u8..8, 0_i64..40), 1..200)) {
            let mut feed = feed();
            let (mut now, mut said) = (0, Vec::new());
            let mut known = MarketTime(0);
            for (what, number) in steps {
                match what {
                    0 => feed.hear(VenueNews::Lost, at(now)),
                    1 => feed.hear(VenueNews::Back, at(now)),
                    2 => {
                        let bars = (0..=now / 60).map(|minute| bar(minute, 100 + minute)).collect();
                        feed.hear(VenueNews::Bars(EURO, bars), at(now));
                    }
                    3 => drop(feed.pass_time(at(now))),
                    4 => feed.hear(quote(now - number, 50), at(now)),
                    _ => {
                        now += number;
                        feed.hear(quote(now, 100 + number), at(now));
                    }
                }
                while let Some(event) = feed.take() {
                    prop_assert!(event.known_at() >= known);
                    known = event.known_at();
                    if let MarketEvent::BarClosed { bar, .. } = event {
                        prop_assert!(said.last().is_none_or(|last| *last < bar.open_at));
                        said.push(bar.open_at);
                    }
                }
            }
        }
    }
}
