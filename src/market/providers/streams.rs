//! One provider's stream: connected, subscribed, alive, and put back after it was lost. A state machine without socket or clock.
//!
//! What is wanted is state: after every connection all of it is asked for anew, and a subscription counts only once it was confirmed or
//! its first price came. A socket that says nothing is asked for a sign of life, and closed if none comes.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Duration, Flaw, InstrumentId, Price, WallTime};
use crate::market::providers::client::StreamClient;
use crate::market::providers::desk::Output;
use crate::market::providers::number::Number;
use crate::market::providers::refusal::Means;
use crate::market::providers::{Failure, ProviderId, Refusal};

/// An opening that takes longer has failed. The sockets' own deadlines are shorter; this one needs no socket to notice.
const OPEN_WITHIN: Duration = Duration::seconds(15);
/// Without a word for so long a sign of life is asked for, and without that the connection is closed.
const PING_AFTER: Duration = Duration::seconds(10);
const DEAD_AFTER: Duration = Duration::seconds(15);
/// Those that promise a heartbeat every second are not heard any more after so long without any word.
const BEATS_WITHIN: Duration = Duration::seconds(4);
/// A subscription that is not confirmed is asked for again, and then the connection is made anew.
const CONFIRM_WITHIN: Duration = Duration::seconds(5);
/// A connection that told prices for so long was a good one: the next loss is the first again.
const STEADY: Duration = Duration::seconds(60);
/// Pauses between attempts: at most this, doubled each time, and at most that.
const FIRST_PAUSE: i64 = 500_000_000;
const LONGEST_PAUSE: i64 = 30_000_000_000;

/// What a frame holds that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A price, or why it is none.
    Quote(Result<Heard, Refusal>),
    /// Everything that was subscribed was taken.
    AllTaken,
    /// The provider is about to close the connection.
    Leaving,
    /// A subscription was confirmed or refused.
    Subscription {
        /// Of which name, if the answer says it.
        name: Option<String>,
        /// Of which request, if the answer says it.
        number: Option<usize>,
        /// Why it was refused, if it was.
        refusal: Option<Refusal>,
    },
}

/// A price as a stream says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What the provider calls the instrument.
    pub name: String,
    /// The last trade.
    pub last: Price,
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
    /// When, by the provider's clock, if it says so.
    pub at: Option<WallTime>,
    /// Decimals behind which its digits are noise, where the provider says so.
    pub decimals: Option<u8>,
    /// In what its price is, where the provider says so.
    pub currency: Option<String>,
}

impl Heard {
    /// A price that could be one: above zero, and its bid not above its ask.
    pub(super) fn checked(
        name: String,
        last: impl Into<Option<Number>>,
        bid: Option<Number>,
        ask: Option<Number>,
        at: Option<WallTime>,
    ) -> Result<Self, Refusal> {
        let last: Option<Number> = last.into();
        let last = last.and_then(Number::price);
        // No bid or ask is written as nothing or as zero.
        let [bid, ask] = [bid, ask].map(|side| side.filter(|side| !side.is_zero()));
        let sides = [bid.map(Number::price), ask.map(Number::price)];
        let (Some(last), [None | Some(Some(_)), None | Some(Some(_))]) = (last, sides) else {
            return Err(Refusal::flawed(Flaw::NoPrice, "a price that is not above zero").about(name));
        };
        let [bid, ask] = sides.map(Option::flatten);
        if bid.zip(ask).is_some_and(|(bid, ask)| bid > ask) {
            return Err(Refusal::flawed(Flaw::Crossed, "a bid above the ask").about(name));
        }
        Ok(Self { name, last, bid, ask, at, decimals: None, currency: None })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    Closed { retry_at: WallTime },
    Opening { since: WallTime },
    Open { since: WallTime, heard: WallTime, has_pinged: bool },
}

/// The stream.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    id: ProviderId,
    /// What is wanted: names and instruments.
    wanted: BTreeMap<String, InstrumentId>,
    /// All names that ever were wanted; a subscription's number is a place in it.
    names: Vec<String>,
    /// Names that the provider does not know; not asked for again in this process.
    unknown: BTreeSet<String>,
    socket: Socket,
    /// Names whose subscription is not confirmed, since when, and whether it was asked for twice.
    unconfirmed: BTreeSet<String>,
    asked: Option<(WallTime, bool)>,
    /// When everything was last subscribed, where that is done again and again.
    subscribed: WallTime,
    /// When a price last came, or was not to be expected.
    priced: WallTime,
    losses: u32,
    connections: u32,
    last: Option<(WallTime, Refusal)>,
}

impl Stream {
    pub(super) fn new(id: ProviderId, wanted: BTreeMap<String, InstrumentId>) -> Self {
        let socket = Socket::Closed { retry_at: WallTime(i64::MIN) };
        let (unknown, unconfirmed) = (BTreeSet::new(), BTreeSet::new());
        let names = wanted.keys().cloned().collect();
        let (asked, last) = (None, None);
        let (subscribed, priced) = (WallTime(i64::MIN), WallTime(i64::MIN));
        Self { id, wanted, names, unknown, socket, unconfirmed, asked, subscribed, priced, losses: 0, connections: 0, last }
    }

    /// Wants these from now on: what is new is asked for at once, what is not wanted any more is let go.
    pub(super) fn want(&mut self, wanted: BTreeMap<String, InstrumentId>, now: WallTime, out: &mut Vec<Output>) {
        let new: BTreeSet<String> = wanted.keys().filter(|name| !self.wanted.contains_key(*name)).cloned().collect();
        let old: Vec<String> = self.wanted.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        self.names.extend(new.iter().filter(|name| !self.names.contains(name)).cloned().collect::<Vec<_>>());
        self.wanted = wanted;
        for name in &old {
            self.unconfirmed.remove(name);
        }
        if !self.is_open() {
            return;
        }
        if self.wanted.is_empty() {
            out.push(Output::Close(self.id));
            self.socket = Socket::Closed { retry_at: now };
            return;
        }
        let Some(client) = self.client() else { return };
        out.extend(old.iter().map(|name| Output::Send(self.id, (client.unsubscribe)(name))));
        let asked: BTreeSet<String> = new.into_iter().filter(|name| !self.unknown.contains(name)).collect();
        if !asked.is_empty() {
            self.subscribe(&asked, out);
            if client.is_confirmed {
                self.unconfirmed.extend(asked);
                self.asked = Some((now, false));
            }
        }
    }

    /// Which instrument a name is.
    pub(super) fn instrument(&self, name: &str) -> Option<InstrumentId> {
        self.wanted.get(name).copied()
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.socket, Socket::Open { .. })
    }

    /// Whether it is open and says something: one that promises a heartbeat and has none is gone before its prices are missed.
    pub(super) fn is_heard(&self, now: WallTime) -> bool {
        let beats = self.client().is_some_and(|client| client.beats);
        match self.socket {
            Socket::Open { heard, .. } => !beats || now.since(heard).0 <= BEATS_WITHIN.0,
            Socket::Closed { .. } | Socket::Opening { .. } => false,
        }
    }

    /// When it is tried again, where it waits for that.
    pub(super) const fn retry_at(&self) -> Option<WallTime> {
        match self.socket {
            Socket::Closed { retry_at } => Some(retry_at),
            Socket::Opening { .. } | Socket::Open { .. } => None,
        }
    }

    /// Since when it is open.
    pub(super) const fn open_since(&self) -> Option<WallTime> {
        match self.socket {
            Socket::Open { since, .. } => Some(since),
            Socket::Closed { .. } | Socket::Opening { .. } => None,
        }
    }

    pub(super) const fn connections(&self) -> u32 {
        self.connections
    }

    /// What went wrong last, and when.
    pub(super) const fn last(&self) -> Option<&(WallTime, Refusal)> {
        self.last.as_ref()
    }

    /// Whether the provider said that it does not know this name.
    pub(super) fn is_unknown(&self, name: &str) -> bool {
        self.unknown.contains(name)
    }

    const fn client(&self) -> Option<&'static StreamClient> {
        self.id.client().stream.as_ref()
    }

    /// Lets time pass. `draw` spreads attempts.
    pub(super) fn tick(&mut self, now: WallTime, is_trading: bool, draw: u64, out: &mut Vec<Output>) {
        if !is_trading {
            self.priced = now;
        }
        let prices_within = self.client().and_then(|client| client.prices_within);
        match self.socket {
            Socket::Closed { retry_at } if now >= retry_at && self.has_something_to_ask() => {
                self.socket = Socket::Opening { since: now };
                out.push(Output::Open(self.id));
            }
            Socket::Closed { .. } => {}
            Socket::Opening { since } if now.since(since).0 >= OPEN_WITHIN.0 => {
                self.give_up(Refusal::of(Failure::Timeout), now, draw, out);
            }
            Socket::Opening { .. } => {}
            Socket::Open { .. } if prices_within.is_some_and(|within| now.since(self.priced).0 >= within.0) => {
                self.give_up(Refusal::new(Failure::Stale, "the market is open and no price comes"), now, draw, out);
            }
            Socket::Open { .. } if prices_within.is_some() => self.subscribe_again(now, out),
            Socket::Open { heard, .. } if now.since(heard).0 >= DEAD_AFTER.0 => {
                self.give_up(Refusal::new(Failure::Stale, "the connection is open and says nothing"), now, draw, out);
            }
            Socket::Open { since, heard, has_pinged } => {
                if !has_pinged && now.since(heard).0 >= PING_AFTER.0 {
                    self.socket = Socket::Open { since, heard, has_pinged: true };
                    out.push(Output::Ping(self.id));
                }
                self.confirm(now, draw, out);
            }
        }
    }

    /// It is open: everything wanted is asked for.
    pub(super) fn opened(&mut self, now: WallTime, out: &mut Vec<Output>) {
        self.socket = Socket::Open { since: now, heard: now, has_pinged: false };
        self.connections += 1;
        (self.priced, self.subscribed) = (now, now);
        let names = self.known_names();
        self.subscribe(&names, out);
        if self.client().is_some_and(|client| client.is_confirmed) {
            (self.unconfirmed, self.asked) = (names, Some((now, false)));
        }
    }

    fn known_names(&self) -> BTreeSet<String> {
        self.wanted.keys().filter(|name| !self.unknown.contains(*name)).cloned().collect()
    }

    /// Some providers forget what was subscribed, and answer no subscription.
    fn subscribe_again(&mut self, now: WallTime, out: &mut Vec<Output>) {
        let every = self.client().and_then(|client| client.again_every);
        if every.is_some_and(|every| now.since(self.subscribed).0 >= every.0) {
            self.subscribed = now;
            self.subscribe(&self.known_names(), out);
        }
    }

    /// Everything that was subscribed was taken.
    pub(super) fn all_taken(&mut self) {
        self.unconfirmed.clear();
    }

    /// Something came, whatever it says.
    pub(super) const fn heard(&mut self, now: WallTime) {
        if let Socket::Open { since, .. } = self.socket {
            self.socket = Socket::Open { since, heard: now, has_pinged: false };
        }
    }

    /// A price came: its subscription stands.
    pub(super) fn priced(&mut self, name: &str, now: WallTime) {
        self.unconfirmed.remove(name);
        self.priced = now;
        if self.open_since().is_some_and(|since| now.since(since).0 >= STEADY.0) {
            self.losses = 0;
        }
    }

    /// A subscription was confirmed or refused. What is wrong with one name is no fault of the connection.
    pub(super) fn answered(&mut self, name: Option<String>, number: Option<usize>, refusal: Option<Refusal>, now: WallTime) {
        let name = name.or_else(|| self.names.get(number?).cloned());
        let Some(name) = name.filter(|name| self.wanted.contains_key(name)) else {
            self.last = refusal.map(|refusal| (now, refusal)).or_else(|| self.last.take());
            return;
        };
        self.unconfirmed.remove(&name);
        if let Some(refusal) = refusal {
            // Whatever else is refused may be taken by the next connection.
            if refusal.failure == Failure::UnknownSymbol {
                self.unknown.insert(name);
            }
            self.last = Some((now, refusal));
        }
    }

    /// It is gone.
    pub(super) fn closed(&mut self, refusal: Refusal, now: WallTime, draw: u64) {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.losses.min(8)).min(LONGEST_PAUSE);
        let drawn = i64::try_from(draw % 1_000).unwrap_or(0);
        let pause = match refusal.failure.means() {
            Means::Pause(length) | Means::PauseHost(Some(length)) => length,
            Means::PauseHost(None) => Duration::seconds(600),
            Means::PauseDay | Means::Remove | Means::RemoveAll => Duration(i64::MAX),
            Means::Nothing | Means::Skip(_) | Means::Strike => Duration(longest / 2 + longest / 2 / 1_000 * drawn),
        };
        self.losses = self.losses.saturating_add(1);
        self.socket = Socket::Closed { retry_at: now.plus(pause) };
        (self.asked, self.last) = (None, Some((now, refusal)));
        self.unconfirmed.clear();
    }

    /// The clock went back by so much: what was to be at a time is to be that much earlier.
    pub(super) const fn set_back(&mut self, by: Duration) {
        self.socket = match self.socket {
            Socket::Closed { retry_at } => Socket::Closed { retry_at: retry_at.before(by) },
            Socket::Opening { since } => Socket::Opening { since: since.before(by) },
            Socket::Open { since, heard, has_pinged } => {
                Socket::Open { since: since.before(by), heard: heard.before(by), has_pinged }
            }
        };
        (self.priced, self.subscribed) = (self.priced.before(by), self.subscribed.before(by));
        if let Some((at, _)) = &mut self.asked {
            *at = at.before(by);
        }
        if let Some((at, _)) = &mut self.last {
            *at = at.before(by);
        }
    }

    /// How much it keeps.
    pub(super) fn size(&self) -> usize {
        self.wanted.len() + self.unknown.len() + self.unconfirmed.len() + self.names.len()
    }

    fn has_something_to_ask(&self) -> bool {
        self.wanted.keys().any(|name| !self.unknown.contains(name))
    }

    fn give_up(&mut self, refusal: Refusal, now: WallTime, draw: u64, out: &mut Vec<Output>) {
        out.push(Output::Close(self.id));
        self.closed(refusal, now, draw);
    }

    fn confirm(&mut self, now: WallTime, draw: u64, out: &mut Vec<Output>) {
        if self.unconfirmed.is_empty() {
            self.asked = None;
            return;
        }
        match self.asked {
            Some((at, false)) if now.since(at).0 >= CONFIRM_WITHIN.0 => {
                self.asked = Some((now, true));
                self.subscribe(&self.unconfirmed, out);
            }
            Some((at, true)) if now.since(at).0 >= CONFIRM_WITHIN.0 => {
                self.give_up(Refusal::new(Failure::Timeout, "a subscription was not confirmed"), now, draw, out);
            }
            Some(_) | None => {}
        }
    }

    fn subscribe(&self, names: &BTreeSet<String>, out: &mut Vec<Output>) {
        let numbered = self.names.iter().enumerate().filter(|(_, name)| names.contains(*name));
        let wanted: Vec<(usize, &str)> = numbered.map(|(number, name)| (number, name.as_str())).collect();
        if let Some(client) = self.client().filter(|_| !wanted.is_empty()) {
            out.extend((client.subscribe)(&wanted).into_iter().map(|text| Output::Send(self.id, text)));
        }
    }
}

/// Reads a frame of a provider's stream.
pub(super) fn read(id: ProviderId, text: &str) -> Result<Vec<Frame>, Refusal> {
    id.client().stream.as_ref().map_or(Ok(Vec::new()), |client| (client.read)(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> WallTime {
        WallTime((seconds * 1e9) as i64)
    }

    fn stream() -> Stream {
        Stream::new(ProviderId::Kraken, [("BTC/USD".to_owned(), InstrumentId(5))].into())
    }

    fn tick(stream: &mut Stream, seconds: f64) -> Vec<Output> {
        let mut out = Vec::new();
        stream.tick(at(seconds), true, 999, &mut out);
        out
    }

    fn open(stream: &mut Stream, seconds: f64) {
        let mut out = Vec::new();
        assert_eq!(tick(stream, seconds), [Output::Open(ProviderId::Kraken)]);
        stream.opened(at(seconds), &mut out);
        assert!(matches!(out.as_slice(), [Output::Send(ProviderId::Kraken, text)] if text.contains("BTC/USD")), "{out:?}");
    }

    #[test]
    fn what_is_wanted_is_asked_for_after_every_connection_and_until_it_is_confirmed() {
        let mut stream = stream();
        open(&mut stream, 0.0);
        assert_eq!(tick(&mut stream, 4.9), []);
        assert!(matches!(tick(&mut stream, 5.0).as_slice(), [Output::Send(..)]), "asked again");
        assert_eq!(tick(&mut stream, 10.0), [Output::Ping(ProviderId::Kraken), Output::Close(ProviderId::Kraken)]);
        let retry_at = stream.retry_at().unwrap();
        open(&mut stream, retry_at.0 as f64 / 1e9);
        stream.answered(None, Some(0), None, retry_at);
        assert_eq!(tick(&mut stream, retry_at.0 as f64 / 1e9 + 6.0), [], "confirmed");
        assert_eq!(stream.connections(), 2);
    }

    #[test]
    fn a_silent_socket_is_asked_for_a_sign_of_life_and_then_closed() {
        let mut stream = stream();
        open(&mut stream, 0.0);
        stream.priced("BTC/USD", at(1.0));
        stream.heard(at(1.0));
        assert_eq!(tick(&mut stream, 10.9), []);
        assert_eq!(tick(&mut stream, 11.0), [Output::Ping(ProviderId::Kraken)]);
        stream.heard(at(11.1));
        assert_eq!(tick(&mut stream, 20.0), []);
        assert_eq!(tick(&mut stream, 21.1), [Output::Ping(ProviderId::Kraken)]);
        assert_eq!(tick(&mut stream, 26.1), [Output::Close(ProviderId::Kraken)]);
        assert!(!stream.is_open());
    }

    #[test]
    fn pauses_double_up_to_half_a_minute_and_a_steady_connection_begins_anew() {
        let mut stream = stream();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            stream.closed(Refusal::of(Failure::Transport), at(0.0), 1_000);
            pauses.push(stream.retry_at().unwrap().0 as f64 / 1e9);
        }
        assert_eq!(pauses, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0], "the shortest draw is half");
        let mut out = Vec::new();
        stream.opened(at(0.0), &mut out);
        stream.priced("BTC/USD", at(59.0));
        stream.closed(Refusal::of(Failure::Transport), at(59.0), 1_000);
        assert_eq!(stream.retry_at(), Some(at(74.0)));
        stream.opened(at(80.0), &mut out);
        stream.priced("BTC/USD", at(140.0));
        stream.closed(Refusal::of(Failure::Transport), at(140.0), 1_000);
        assert_eq!(stream.retry_at(), Some(at(140.25)));
        stream.closed(Refusal::of(Failure::Throttled { retry_after: None }), at(200.0), 0);
        assert_eq!(stream.retry_at(), Some(at(800.0)), "a ban is not knocked at");
    }

    #[test]
    fn a_name_the_provider_does_not_know_is_not_asked_for_again() {
        let mut stream = stream();
        open(&mut stream, 0.0);
        stream.answered(Some("BTC/USD".to_owned()), None, Some(Refusal::of(Failure::UnknownSymbol)), at(1.0));
        assert!(stream.is_unknown("BTC/USD"));
        stream.closed(Refusal::of(Failure::Transport), at(2.0), 0);
        assert_eq!(tick(&mut stream, 100.0), []);
    }

    #[test]
    fn what_is_wanted_changes_while_it_is_open_and_numbers_keep_their_names() {
        let mut stream = stream();
        open(&mut stream, 0.0);
        stream.answered(None, Some(0), None, at(0.1));
        let mut out = Vec::new();
        let wanted = |names: &[(&str, u32)]| names.iter().map(|(name, id)| ((*name).to_owned(), InstrumentId(*id))).collect();
        stream.want(wanted(&[("AAA/USD", 501), ("BTC/USD", 5)]), at(1.0), &mut out);
        assert!(
            matches!(out.as_slice(), [Output::Send(_, text)] if text.contains("AAA/USD") && text.contains("\"req_id\":1")),
            "{out:?}"
        );
        stream.answered(None, Some(1), Some(Refusal::of(Failure::UnknownSymbol)), at(1.1));
        assert!(stream.is_unknown("AAA/USD") && !stream.is_unknown("BTC/USD"));
        out.clear();
        stream.want(wanted(&[("AAA/USD", 501)]), at(2.0), &mut out);
        assert!(matches!(out.as_slice(), [Output::Send(_, text)] if text.contains("unsubscribe") && text.contains("BTC/USD")));
        assert_eq!(stream.instrument("BTC/USD"), None);
        out.clear();
        stream.want(wanted(&[]), at(3.0), &mut out);
        assert_eq!(out, [Output::Close(ProviderId::Kraken)], "nothing is wanted: nothing is connected");
        assert_eq!(tick(&mut stream, 100.0), []);
    }
}
