//! Market events from providers: prices as they come, and bars of one minute as a provider tells them.
//!
//! Pure: news and time in, events out. A bar is said once, in order, and never built here. In the beginning history is collected from all
//! instruments for a while and then said in the order of its time, as a tape would say it.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{
    Bar, Calendar, Duration, FeedNote, Flaw, InstrumentId, MarketEvent, MarketStamp, MarketTime, Missed, Price, Quote,
    QuoteOrigin, VenueQuote, WallTime,
};
use crate::market::providers::{MINUTE, MinutesView, ProviderNews, is_open};
use crate::market::quality::open_minutes;
use crate::market::silence::Silence;
use crate::market::{Minutes, Silences};

/// History is waited for at most so long before prices are said.
const COLLECT_AT_MOST: Duration = Duration::seconds(45);
/// Prices that may wait to be taken; what is more is dropped and counted. Bars are never dropped: whoever asks for them sees how many wait.
const READY: usize = 8_192;

/// Bars of one instrument as a provider told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldBars {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// From when on the answer is complete: what is not in it from here on did not trade.
    pub from: MarketTime,
    /// And until when.
    pub until: MarketTime,
    /// Closed bars, oldest first.
    pub closed: Vec<Bar>,
    /// When and at what price the minute began that is still under way, where it was told.
    pub opened: Option<(MarketTime, Price)>,
}

/// Pieces in which one hole is said at most: one for each session that it spans.
const PIECES: usize = 64;
/// A clock that goes back by less is only corrected.
const BACK: Duration = Duration::seconds(1);

/// One instrument.
#[derive(Debug, Clone)]
struct Line {
    calendar: Calendar,
    minutes: Minutes,
    /// The beginning of the first minute that is not closed yet; nothing where none was ever told.
    closed_until: Option<MarketTime>,
    /// Until when answers were complete: what was not told until then did not trade.
    complete_until: MarketTime,
    /// The latest minute whose opening was said.
    opened: Option<MarketTime>,
    quoted: WallTime,
    heard: Option<WallTime>,
    silence: Silence,
    is_silent: bool,
    has_history: bool,
    /// Until when one that joined while others were told is waited for: its prices are said upon its history.
    waits_until: Option<WallTime>,
    /// The latest price of the time in which history is collected, and when it came.
    early: Option<(VenueQuote, WallTime)>,
}

impl Line {
    fn new(closed_until: Option<MarketTime>) -> Self {
        Self {
            calendar: Calendar::Crypto247,
            minutes: Minutes::default(),
            closed_until,
            complete_until: MarketTime(i64::MIN),
            opened: None,
            quoted: WallTime(i64::MIN),
            heard: None,
            silence: Silence::new(),
            is_silent: false,
            has_history: false,
            waits_until: None,
            early: None,
        }
    }
}

/// The feed.
#[derive(Debug, Clone)]
pub struct ToldFeed {
    lines: BTreeMap<InstrumentId, Line>,
    ready: VecDeque<MarketEvent>,
    known: MarketTime,
    dropped: u64,
    missed: Vec<Missed>,
    /// What was told while history is collected, by its close; nothing once prices are said.
    collected: Option<BTreeMap<(MarketTime, InstrumentId), Bar>>,
    collects_until: Option<WallTime>,
    /// The latest time that was heard of.
    latest: WallTime,
}

impl ToldFeed {
    /// A feed of these instruments, each with the first minute that is not known yet; nothing where none ever was. Market time goes on
    /// from `known`.
    pub fn new(instruments: impl Iterator<Item = (InstrumentId, Option<MarketTime>)>, known: MarketTime) -> Self {
        let lines = instruments.map(|(instrument, since)| (instrument, Line::new(since))).collect();
        let (ready, missed) = (VecDeque::new(), Vec::new());
        let (collected, latest) = (Some(BTreeMap::new()), WallTime(i64::MIN));
        Self { lines, ready, known, dropped: 0, missed, collected, collects_until: None, latest }
    }

    /// The same, where each instrument trades by its own hours: minutes outside them are neither silent nor missing.
    #[must_use]
    pub fn by_hours(mut self, calendar: impl Fn(InstrumentId) -> Calendar) -> Self {
        self.lines.iter_mut().for_each(|(id, line)| line.calendar = calendar(*id));
        self
    }

    /// What became of the minutes of each instrument since the start.
    pub fn minutes(&self) -> impl Iterator<Item = MinutesView> {
        self.lines.iter().map(|(id, line)| MinutesView { instrument: *id, minutes: line.minutes })
    }

    /// Takes a note about what was told: minutes that were left out were not silent.
    pub fn note(&mut self, note: &FeedNote) {
        let FeedNote::Flawed { instrument, flaws, .. } = note else { return };
        let left_out = flaws.iter().filter(|flaw| flaw.flaw == Flaw::Gap);
        left_out.for_each(|flaw| self.left_out(*instrument, flaw.count));
    }

    /// So many minutes that were passed over as silent had traded, as is known by now.
    fn left_out(&mut self, instrument: InstrumentId, count: u32) {
        if let Some(line) = self.lines.get_mut(&instrument) {
            let found = line.minutes.silent.min(count.into());
            line.minutes.silent -= found;
            line.minutes.missing += found;
        }
    }

    /// How much everything holds that grows with what is told, by name.
    pub fn census(&self) -> Vec<(&'static str, usize)> {
        let collected = self.collected.as_ref().map_or(0, BTreeMap::len);
        vec![
            ("events", self.ready.len()),
            ("holes", self.missed.len()),
            ("collected bars", collected),
            ("lines", self.lines.len()),
        ]
    }

    /// The instruments with the beginning of the first minute of each that is not closed yet.
    pub fn closed_until(&self) -> impl Iterator<Item = (InstrumentId, Option<MarketTime>)> {
        self.lines.iter().map(|(id, line)| (*id, line.closed_until))
    }

    /// An instrument joins. Where others are told already, its prices wait for its history for a while.
    pub fn join(&mut self, instrument: InstrumentId, calendar: Calendar, now: WallTime) {
        let waits_until = self.collected.is_none().then(|| now.plus(COLLECT_AT_MOST));
        self.lines.entry(instrument).or_insert_with(|| Line { waits_until, calendar, ..Line::new(None) });
    }

    /// An instrument leaves: nothing more is said of it.
    pub fn leave(&mut self, instrument: InstrumentId) {
        self.lines.remove(&instrument);
        self.ready.retain(|event| event.instrument() != instrument);
        self.missed.retain(|missed| missed.instrument != instrument);
        if let Some(collected) = &mut self.collected {
            collected.retain(|(_, of), _| *of != instrument);
        }
    }

    /// Prices that were dropped because nobody took them.
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

    /// Another provider's prices count from now on. Its clock may lag behind the last one's: what it says is news all the same.
    pub fn handed_over(&mut self, instruments: &[InstrumentId]) {
        for id in instruments {
            if let Some(line) = self.lines.get_mut(id) {
                line.quoted = WallTime(i64::MIN);
            }
        }
    }

    /// Takes what a provider says.
    pub fn hear(&mut self, news: ProviderNews, now: WallTime) {
        self.look_at_the_clock(now);
        match news {
            ProviderNews::Price(quote) => self.price(quote, now),
            ProviderNews::Bars(told) => self.bars(&told, now),
        }
    }

    /// Lets time pass. Returns who fell silent and who speaks again since the last call, and what is missing for good.
    pub fn pass_time(&mut self, now: WallTime) -> Silences {
        self.look_at_the_clock(now);
        let until = *self.collects_until.get_or_insert(now.plus(COLLECT_AT_MOST));
        if self.collected.is_some() && (now >= until || self.lines.values().all(|line| line.has_history)) {
            self.begin();
        }
        let mut changes = Silences { missed: std::mem::take(&mut self.missed), ..Silences::default() };
        if self.collected.is_some() {
            return changes;
        }
        let mut early = Vec::new();
        for (id, line) in &mut self.lines {
            if line.waits_until.is_some_and(|until| !line.has_history && now < until) {
                continue;
            }
            line.waits_until = None;
            early.extend(line.early.take());
            let is_silent = line.silence.is_silent(line.heard, now);
            if is_silent != line.is_silent {
                line.is_silent = is_silent;
                if is_silent { changes.silent.push(*id) } else { changes.heard.push(*id) }
            }
        }
        early.into_iter().for_each(|(quote, came)| self.quoted(quote, came));
        changes
    }

    /// A clock that went back: else every price would seem older than the last one, and nobody would ever fall silent.
    fn look_at_the_clock(&mut self, now: WallTime) {
        let by = self.latest.since(now);
        if by.0 < BACK.0 {
            self.latest = self.latest.max(now);
            return;
        }
        self.latest = now;
        self.collects_until = self.collects_until.map(|at| at.before(by));
        for line in self.lines.values_mut() {
            (line.quoted, line.heard) = (line.quoted.before(by), line.heard.map(|at| at.before(by)));
            line.waits_until = line.waits_until.map(|at| at.before(by));
        }
    }

    /// Says the history of all instruments in the order of its time; from now on everything is said as it comes.
    fn begin(&mut self) {
        for bar in self.collected.take().unwrap_or_default().into_values() {
            self.say(bar);
        }
        let early: Vec<(VenueQuote, WallTime)> = self.lines.values_mut().filter_map(|line| line.early.take()).collect();
        // The first prices are said whatever else waits: after them a repeated poll may bring none for hours.
        early.into_iter().for_each(|(quote, came)| self.say_price(quote, came));
    }

    fn price(&mut self, quote: VenueQuote, now: WallTime) {
        let Some(line) = self.lines.get_mut(&quote.instrument) else { return };
        // An older price says nothing new.
        if quote.at < line.quoted {
            return;
        }
        line.silence = line.silence.after(line.heard.map_or(Duration::seconds(1), |heard| now.since(heard)));
        (line.quoted, line.heard) = (quote.at, Some(now));
        if self.collected.is_some() || line.waits_until.is_some() {
            line.early = Some((quote, now));
        } else {
            self.quoted(quote, now);
        }
    }

    fn quoted(&mut self, quote: VenueQuote, now: WallTime) {
        if self.ready.len() >= READY {
            self.dropped += 1;
        } else {
            self.say_price(quote, now);
        }
    }

    fn say_price(&mut self, quote: VenueQuote, now: WallTime) {
        let VenueQuote { instrument, last, bid, ask, at } = quote;
        let stamp = MarketStamp { event_at: MarketTime(at.0), known_at: self.known_from(now), received_at: Some(now) };
        let quote = Quote { instrument, last, bid, ask, origin: QuoteOrigin::Venue };
        self.ready.push_back(MarketEvent::Quoted { quote, stamp });
    }

    fn bars(&mut self, told: &ToldBars, now: WallTime) {
        let Some(line) = self.lines.get_mut(&told.instrument) else { return };
        line.has_history = true;
        if let Some(closed) = line.closed_until.filter(|closed| line.complete_until.max(*closed) < told.from) {
            // Older minutes than the provider tells are missing for good; those in which the market was shut are none.
            let from = line.complete_until.max(closed);
            line.minutes.silent += open_minutes(line.calendar, closed, from);
            line.minutes.missing += open_minutes(line.calendar, from, told.from);
            line.closed_until = Some(told.from);
            let holes = sessions(line.calendar, from, told.from);
            self.missed.extend(holes.into_iter().map(|(from, until)| Missed { instrument: told.instrument, from, until }));
        }
        line.complete_until = line.complete_until.max(told.until);
        for bar in &told.closed {
            match &mut self.collected {
                Some(collected) => drop(collected.insert((bar.close_at, bar.instrument), *bar)),
                None => self.say(*bar),
            }
        }
        if let Some((at, open)) = told.opened.filter(|_| self.collected.is_none()) {
            self.say_opened(told.instrument, at, open, now);
        }
    }

    fn say(&mut self, bar: Bar) {
        let Some(line) = self.lines.get_mut(&bar.instrument) else { return };
        if line.closed_until.is_some_and(|closed| bar.open_at < closed) {
            return;
        }
        line.minutes.told += 1;
        if let Some(from) = line.closed_until.filter(|from| *from < bar.open_at) {
            // A complete answer has no bar for them.
            line.minutes.silent += open_minutes(line.calendar, from, bar.open_at);
        }
        self.say_opened(bar.instrument, bar.open_at, bar.open, WallTime(bar.close_at.0));
        self.lines.entry(bar.instrument).and_modify(|line| line.closed_until = Some(bar.close_at));
        let stamp =
            MarketStamp { event_at: bar.close_at, known_at: self.known_from(WallTime(bar.close_at.0)), received_at: None };
        self.ready.push_back(MarketEvent::BarClosed { bar, stamp });
    }

    /// A minute's opening is said once, and after everything before it.
    fn say_opened(&mut self, instrument: InstrumentId, at: MarketTime, open: Price, now: WallTime) {
        let known_at = self.known_from(now);
        let Some(line) = self.lines.get_mut(&instrument) else { return };
        if line.closed_until.is_some_and(|closed| at < closed) || line.opened.is_some_and(|opened| opened >= at) {
            return;
        }
        line.opened = Some(at);
        let stamp = MarketStamp { event_at: at, known_at, received_at: None };
        self.ready.push_back(MarketEvent::BarOpened { instrument, open, stamp });
    }

    /// Market time never goes back.
    fn known_from(&mut self, at: WallTime) -> MarketTime {
        self.known = self.known.max(MarketTime(at.0));
        self.known
    }
}

/// The parts of a hole in which a market trades.
fn sessions(calendar: Calendar, from: MarketTime, until: MarketTime) -> Vec<(MarketTime, MarketTime)> {
    let (first, end) = (from.0.div_euclid(MINUTE), until.0.div_euclid(MINUTE));
    // What is too long to be looked at minute by minute is said as it is.
    if calendar == Calendar::Crypto247 || end - first > 60 * 24 * 60 {
        return vec![(from, until)];
    }
    let mut pieces: Vec<(i64, i64)> = Vec::new();
    for minute in (first..end).filter(|minute| is_open(calendar, MarketTime(minute * MINUTE))) {
        let is_full = pieces.len() >= PIECES;
        match pieces.last_mut() {
            Some((_, last)) if *last == minute || is_full => *last = minute + 1,
            Some(_) | None => pieces.push((minute, minute + 1)),
        }
    }
    pieces.into_iter().map(|(from, until)| (MarketTime(from * MINUTE), MarketTime(until * MINUTE))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITCOIN: InstrumentId = InstrumentId(5);
    const EURO: InstrumentId = InstrumentId(6);
    const START: i64 = 1_790_000_040_000_000_000;
    const MINUTE: i64 = 60_000_000_000;

    fn at(seconds: i64) -> WallTime {
        WallTime(START + seconds * 1_000_000_000)
    }

    fn minute(number: i64) -> MarketTime {
        MarketTime(START + number * MINUTE)
    }

    fn bar(instrument: InstrumentId, number: i64) -> Bar {
        let price = Price::from_nanos(100 + number);
        let (open_at, close_at) = (minute(number), minute(number + 1));
        let (open, high, low, close, volume, has_range) = (price, price, price, price, None, true);
        Bar { instrument, open_at, close_at, open, high, low, close, volume, has_range }
    }

    fn told(instrument: InstrumentId, numbers: std::ops::Range<i64>) -> ProviderNews {
        let opened = Some((minute(numbers.end), Price::from_nanos(100 + numbers.end)));
        let (from, until) = (minute(numbers.start), minute(numbers.end));
        ProviderNews::Bars(ToldBars {
            instrument,
            from,
            until,
            closed: numbers.map(|number| bar(instrument, number)).collect(),
            opened,
        })
    }

    fn price(instrument: InstrumentId, seconds: i64) -> ProviderNews {
        let last = Price::from_nanos(77);
        ProviderNews::Price(VenueQuote { instrument, last, bid: None, ask: None, at: at(seconds) })
    }

    fn feed() -> ToldFeed {
        ToldFeed::new([(BITCOIN, Some(minute(-3))), (EURO, None)].into_iter(), minute(-9))
    }

    fn said(feed: &mut ToldFeed) -> Vec<String> {
        let number = |at: MarketTime| (at.0 - START) / MINUTE;
        let events: Vec<MarketEvent> = std::iter::from_fn(|| feed.take()).collect();
        assert!(events.is_sorted_by_key(MarketEvent::known_at), "market time never goes back");
        let word = |event: &MarketEvent| match event {
            MarketEvent::BarOpened { instrument, stamp, .. } => format!("{instrument} opened {}", number(stamp.event_at)),
            MarketEvent::BarClosed { bar, .. } => format!("{} closed {}", bar.instrument, number(bar.open_at)),
            MarketEvent::Quoted { quote, .. } => format!("{} quoted", quote.instrument),
        };
        events.iter().map(word).collect()
    }

    #[test]
    fn history_of_all_is_said_in_the_order_of_its_time_before_any_price() {
        let mut feed = feed();
        feed.pass_time(at(0));
        feed.hear(told(BITCOIN, -3..-1), at(1));
        feed.hear(price(BITCOIN, 1), at(1));
        assert_eq!(feed.pass_time(at(2)), Silences::default(), "nobody is silent who was not waited for");
        assert_eq!(said(&mut feed), Vec::<String>::new());
        feed.hear(told(EURO, -3..-1), at(3));
        feed.pass_time(at(3));
        let (b, e) = (BITCOIN, EURO);
        let all = said(&mut feed);
        assert_eq!(all.last(), Some(&format!("{b} quoted")), "and then the latest price");
        let closes: Vec<String> = all.into_iter().filter(|word| word.contains("closed")).collect();
        assert_eq!(
            closes,
            [format!("{b} closed -3"), format!("{e} closed -3"), format!("{b} closed -2"), format!("{e} closed -2")]
        );
    }

    #[test]
    fn what_did_not_trade_for_longer_than_answers_reach_back_is_not_missing() {
        let mut feed = feed();
        feed.pass_time(at(0));
        feed.hear(told(BITCOIN, -3..0), at(1));
        feed.pass_time(at(46));
        let answer = |from: i64, until: i64| {
            let (from, until) = (minute(from), minute(until));
            ProviderNews::Bars(ToldBars { instrument: BITCOIN, from, until, closed: Vec::new(), opened: None })
        };
        feed.hear(answer(-3, 200), at(200 * 60));
        feed.hear(answer(150, 400), at(400 * 60));
        assert_eq!(feed.pass_time(at(400 * 60)).missed, [], "one answer begins before the other ends");
        feed.hear(answer(410, 420), at(420 * 60));
        let hole = Missed { instrument: BITCOIN, from: minute(400), until: minute(410) };
        assert_eq!(feed.pass_time(at(420 * 60)).missed, [hole]);
        let minutes = feed.minutes().next().unwrap().minutes;
        assert_eq!((minutes.silent, minutes.missing), (400, 10));
    }

    #[test]
    fn one_that_tells_nothing_holds_the_others_up_for_a_while_only() {
        let mut feed = feed();
        feed.pass_time(at(0));
        feed.hear(told(BITCOIN, -3..0), at(1));
        feed.pass_time(at(44));
        assert_eq!(said(&mut feed).len(), 0);
        assert_eq!(feed.pass_time(at(45)).silent, [BITCOIN, EURO]);
        assert_eq!(said(&mut feed).len(), 6);
    }

    fn begun() -> ToldFeed {
        let mut feed = feed();
        feed.hear(told(BITCOIN, -3..0), at(1));
        feed.hear(told(EURO, -3..0), at(1));
        feed.pass_time(at(2));
        said(&mut feed);
        feed
    }

    #[test]
    fn a_bar_is_said_once_after_its_opening_however_often_it_is_told() {
        let mut feed = begun();
        feed.hear(told(BITCOIN, -2..0), at(3));
        assert_eq!(said(&mut feed), [format!("{BITCOIN} opened 0")]);
        feed.hear(told(BITCOIN, -2..1), at(63));
        feed.hear(told(BITCOIN, -2..1), at(64));
        assert_eq!(said(&mut feed), [format!("{BITCOIN} closed 0"), format!("{BITCOIN} opened 1")]);
        feed.hear(told(BITCOIN, -1..4), at(250));
        let closes: Vec<String> = said(&mut feed).into_iter().filter(|word| word.contains("closed")).collect();
        assert_eq!(closes, [1, 2, 3].map(|number| format!("{BITCOIN} closed {number}")), "a gap is filled in order");
        feed.hear(told(BITCOIN, 0..2), at(251));
        assert_eq!(said(&mut feed), Vec::<String>::new(), "an older answer says nothing");
    }

    #[test]
    fn what_a_provider_cannot_tell_any_more_is_missing_and_is_said_so() {
        let mut feed = begun();
        feed.hear(told(BITCOIN, 5..7), at(430));
        let missed = Missed { instrument: BITCOIN, from: minute(0), until: minute(5) };
        assert_eq!(feed.pass_time(at(430)).missed, [missed]);
        assert_eq!(feed.pass_time(at(431)).missed, []);
    }

    #[test]
    fn every_minute_is_told_silent_or_missing() {
        let mut feed = begun();
        let of = |feed: &ToldFeed| feed.minutes().find(|view| view.instrument == BITCOIN).unwrap().minutes;
        assert_eq!(of(&feed), Minutes { told: 3, silent: 0, missing: 0 });
        let mut quiet = told(BITCOIN, 0..5);
        let ProviderNews::Bars(bars) = &mut quiet else { panic!("bars") };
        bars.closed.retain(|bar| bar.open_at != minute(2) && bar.open_at != minute(3));
        feed.hear(quiet, at(310));
        assert_eq!(of(&feed), Minutes { told: 6, silent: 2, missing: 0 });
        feed.hear(told(BITCOIN, 9..11), at(660));
        assert_eq!(of(&feed), Minutes { told: 8, silent: 2, missing: 4 });
        feed.left_out(BITCOIN, 1);
        assert_eq!(of(&feed), Minutes { told: 8, silent: 1, missing: 5 }, "one of the silent ones had traded");
        feed.left_out(BITCOIN, 9);
        assert_eq!(of(&feed), Minutes { told: 8, silent: 0, missing: 6 });
    }

    #[test]
    fn a_hole_over_a_night_is_said_without_the_night() {
        let time = |text: &str| MarketTime::parse(text).unwrap();
        let pieces = sessions(Calendar::UsEquity, time("2026-11-24T20:58:00Z"), time("2026-11-25T14:32:00Z"));
        assert_eq!(
            pieces,
            [
                (time("2026-11-24T20:58:00Z"), time("2026-11-24T21:00:00Z")),
                (time("2026-11-25T14:30:00Z"), time("2026-11-25T14:32:00Z"))
            ]
        );
        assert_eq!(sessions(Calendar::UsEquity, time("2026-11-24T21:00:00Z"), time("2026-11-25T14:30:00Z")), []);
    }

    #[test]
    fn a_clock_that_goes_back_neither_mutes_prices_nor_hides_silence() {
        let mut feed = begun();
        feed.hear(price(EURO, 1_000), at(1_000));
        feed.pass_time(at(1_000));
        assert_eq!(said(&mut feed).len(), 1);
        feed.hear(price(EURO, 400), at(400));
        assert_eq!(said(&mut feed).len(), 1, "a price is heard ten minutes earlier by the clock");
        feed.pass_time(at(401));
        assert!(feed.pass_time(at(420)).silent.contains(&EURO), "and its silence is noticed");
    }

    #[test]
    fn a_price_is_heard_with_its_own_time_and_silence_is_told() {
        let mut feed = begun();
        feed.hear(price(EURO, 5), at(6));
        let Some(MarketEvent::Quoted { stamp, .. }) = feed.take() else { panic!("a price is said") };
        assert_eq!((stamp.event_at, stamp.known_at, stamp.received_at), (MarketTime(at(5).0), MarketTime(at(6).0), Some(at(6))));
        feed.hear(price(EURO, 4), at(7));
        assert_eq!(feed.take(), None, "an older price says nothing new");
        feed.pass_time(at(8));
        for second in 9..40 {
            feed.hear(price(EURO, second), at(second));
        }
        said(&mut feed);
        assert_eq!(feed.pass_time(at(40)).heard, []);
        assert_eq!(feed.pass_time(at(50)).silent, [EURO]);
        feed.hear(price(EURO, 51), at(51));
        assert_eq!(feed.pass_time(at(51)).heard, [EURO]);
    }

    #[test]
    fn what_joins_is_told_upon_its_history_and_what_leaves_is_told_no_more() {
        let mut feed = begun();
        let gold = InstrumentId(501);
        feed.join(gold, Calendar::Crypto247, at(100));
        feed.hear(price(gold, 101), at(101));
        assert!(!feed.pass_time(at(102)).silent.contains(&gold), "it is waited for");
        assert_eq!(said(&mut feed), Vec::<String>::new(), "a price waits for the history before it");
        feed.hear(told(gold, -2..0), at(103));
        feed.hear(price(BITCOIN, 103), at(103));
        feed.pass_time(at(104));
        let all = said(&mut feed);
        assert_eq!(all.last(), Some(&format!("{gold} quoted")), "{all:?}");
        assert_eq!(all.iter().filter(|word| **word == format!("{gold} closed -1")).count(), 1);
        feed.hear(told(gold, 0..1), at(105));
        feed.leave(gold);
        feed.hear(price(gold, 106), at(106));
        assert_eq!(said(&mut feed), Vec::<String>::new());
        feed.join(gold, Calendar::Crypto247, at(200));
        feed.hear(price(gold, 201), at(201));
        feed.pass_time(at(246));
        assert_eq!(said(&mut feed), [format!("{gold} quoted")], "it is not waited for for ever");
    }
}
