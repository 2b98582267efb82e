//! Whose prices count: the first provider in order that speaks, does not jump, and after a loss has spoken for a while.

use std::collections::BTreeMap;

use crate::domain::{Duration, Flaw, FlawCount, InstrumentId, Price, VenueQuote, WallTime};
use crate::market::providers::bars::{is_near, jump_between};
use crate::market::providers::desk::polls::Poll;
use crate::market::providers::desk::{Desk, Output, Serving, Track};
use crate::market::providers::splice::{goes_on, tolerance};
use crate::market::providers::streams::Heard;
use crate::market::providers::{Capability, Failure, ProviderId, ProviderNews, Refusal};
use crate::market::silence::Silence;

/// One that was lost has to speak for so long before it serves again.
const STEADY: Duration = Duration::seconds(60);
/// In the beginning a better provider is waited for.
pub(super) const WAIT_FOR_BETTER: Duration = Duration::seconds(5);
/// A time of a provider that lies further ahead is not believed.
const AHEAD: Duration = Duration::seconds(60);

/// A price that is twice or half one from so long ago is believed.
const FORGOTTEN_AFTER: Duration = Duration::seconds(900);

/// A price that goes far counts once it was said for so long and nobody who speaks says otherwise.
const CONFIRMED_AFTER: Duration = Duration::seconds(10);
/// What was taken so long ago says little about how far a price may have gone.
const LATELY: Duration = Duration::seconds(600);

/// A price that went far and is not believed yet.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    by: ProviderId,
    price: Price,
    since: WallTime,
}

/// How a price came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By itself.
    Streamed,
    /// With an answer.
    Polled,
}

/// What one provider last said of an instrument.
#[derive(Debug, Clone, Copy)]
struct Said {
    quote: VenueQuote,
    way: Way,
    received: WallTime,
    silence: Silence,
    /// Since when it speaks without a silence.
    steady_since: WallTime,
}

/// How the prices of one instrument stand.
#[derive(Debug, Clone)]
pub(super) struct QuotesTrack {
    said: BTreeMap<ProviderId, Said>,
    pub serving: Option<Serving>,
    /// The last price that was passed on, and when.
    last: Option<(WallTime, Price)>,
    /// A price of whoever serves that waits to be confirmed.
    doubt: Option<Doubt>,
    /// Why a provider's prices are held back.
    pub held: BTreeMap<ProviderId, Refusal>,
    /// How asking for prices stands, while no stream speaks.
    pub poll: Poll,
}

impl QuotesTrack {
    pub(super) const fn new(now: WallTime) -> Self {
        Self { said: BTreeMap::new(), serving: None, last: None, doubt: None, held: BTreeMap::new(), poll: Poll::new(now) }
    }

    /// The clock went back by so much. What a provider said by its own clock may seem older for a moment, and is replaced by what it says next.
    pub(super) fn set_back(&mut self, by: Duration) {
        for said in self.said.values_mut() {
            said.quote.at = said.quote.at.before(by);
            said.received = said.received.before(by);
            said.steady_since = said.steady_since.before(by);
        }
        self.serving.iter_mut().for_each(|serving| serving.since = serving.since.before(by));
        self.last.iter_mut().for_each(|(at, _)| *at = at.before(by));
        self.doubt.iter_mut().for_each(|doubt| doubt.since = doubt.since.before(by));
        self.poll.set_back(by);
    }

    pub(super) fn size(&self) -> usize {
        self.said.len() + self.held.len()
    }

    /// What was said is unlike the bars that came: whoever says a price like them serves.
    pub(super) fn begin_anew(&mut self) {
        self.said.clear();
        (self.serving, self.last, self.doubt) = (None, None, None);
    }

    /// When the price of whoever serves was, by its own clock.
    pub(super) fn priced_at(&self) -> Option<WallTime> {
        self.said.get(&self.serving?.by).map(|said| said.quote.at)
    }

    /// The latest price that was passed on, where that was lately.
    pub(super) fn latest(&self, now: WallTime) -> Option<Price> {
        self.last.filter(|(at, _)| now.since(*at).0 <= STEADY.0).map(|(_, price)| price)
    }

    fn is_streamed_by(&self, id: ProviderId) -> bool {
        self.said.get(&id).is_some_and(|said| said.way == Way::Streamed)
    }

    /// How long ago a provider last spoke.
    pub(super) fn silent_for(&self, id: ProviderId, now: WallTime) -> Option<Duration> {
        self.said.get(&id).map(|said| now.since(said.received))
    }

    /// How much longer a provider that is back has to speak before it serves.
    pub(super) fn unsteady_for(&self, id: ProviderId, now: WallTime) -> Option<Duration> {
        let steady = now.since(self.said.get(&id)?.steady_since);
        Some(Duration(STEADY.0 - steady.0)).filter(|left| left.0 > 0)
    }
}

impl Desk {
    /// Takes a price that a stream said.
    pub(super) fn hear(&mut self, id: ProviderId, heard: &Heard, now: WallTime, out: &mut Vec<Output>) {
        let Some(instrument) = self.streams.get(&id).and_then(|stream| stream.instrument(&heard.name)) else { return };
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.priced(&heard.name, now);
        }
        let at = heard.at.unwrap_or(now);
        let line = self.tracks.get(&instrument).map(|track| &track.line);
        let known = line.map_or(0, |line| line.decimals);
        if let Some((told, line)) = heard.currency.as_deref().zip(line).filter(|(told, line)| **told != line.currency.to_string())
        {
            let refusal = Refusal::new(Failure::Nonsense, &format!("prices in {told}, not in {}", line.currency));
            return self.apply(id, Capability::Quotes, Some(instrument), &refusal, None, now);
        }
        let rounded = |price: Price| heard.decimals.map_or(price, |told| rounded(price, told.max(known)));
        let [bid, ask] = [heard.bid, heard.ask].map(|side| side.map(rounded));
        self.say(id, Way::Streamed, VenueQuote { instrument, last: rounded(heard.last), bid, ask, at }, now, out);
    }

    /// Takes a price that came with an answer.
    pub(super) fn hear_polled(&mut self, id: ProviderId, quote: VenueQuote, now: WallTime, out: &mut Vec<Output>) {
        let is_named = |track: &Track| track.line.name(id, Capability::Quotes).is_some();
        if self.order(Capability::Quotes).contains(&id) && self.tracks.get(&quote.instrument).is_some_and(is_named) {
            self.say(id, Way::Polled, quote, now, out);
        }
    }

    fn say(&mut self, id: ProviderId, way: Way, quote: VenueQuote, now: WallTime, out: &mut Vec<Output>) {
        let quiet = self.quiet_after();
        let Some(track) = self.tracks.get_mut(&quote.instrument) else { return };
        let before = track.quotes.said.get(&id).copied();
        // Over a night a price may go far, and after a while nobody knows what it was; another unit stays one.
        let may_be_far = |before: &Said| {
            now.since(before.received).0 >= FORGOTTEN_AFTER.0 && jump_between(before.quote.last, quote.last) != Flaw::UnitJump
        };
        let serves = track.quotes.serving.is_some_and(|serving| serving.by == id);
        let is_far = before.is_some_and(|before| !is_near(before.quote.last, quote.last) && !may_be_far(&before));
        // Of whoever serves every far price is held against what others say, below.
        let is_wild = is_far && !serves;
        let (is_ahead, is_old) = (quote.at.since(now).0 > AHEAD.0, before.is_some_and(|before| quote.at < before.quote.at));
        if is_wild || is_ahead {
            let what = if is_wild { "twice or half the price before" } else { "a time that has not come" };
            let kind =
                before.filter(|_| is_wild).map(|before| self.kind_of_price(quote.instrument, before.quote.last, quote.last));
            let refusal = Refusal::flawed(kind.unwrap_or(Flaw::Ahead), what);
            self.note_refusal(id, Some(quote.instrument), &refusal, Capability::Quotes);
            return self.apply(id, Capability::Quotes, Some(quote.instrument), &refusal, None, now);
        }
        if is_old {
            let flaw = FlawCount { flaw: Flaw::OutOfOrder, count: 1 };
            return self.note_flaw(id, quote.instrument, flaw, Capability::Quotes);
        }
        if serves && let Err(refusal) = self.confirm(id, quote, now) {
            self.note_refusal(id, Some(quote.instrument), &refusal, Capability::Quotes);
            return self.health.get_mut(&(id, Capability::Quotes)).into_iter().for_each(|health| health.excuse(&refusal, now));
        }
        let Some(track) = self.tracks.get_mut(&quote.instrument) else { return };
        let usual = before.map_or(Silence::new(), |before| before.silence);
        // How often it is asked says nothing about how often it speaks by itself.
        let pause = before.filter(|before| way == Way::Streamed && before.way == way).map(|before| now.since(before.received));
        let silence = pause.map_or(usual, |pause| usual.after(pause));
        let steady = before.filter(|before| now.since(before.received).0 <= quiet(before).0);
        let steady_since = steady.map_or(now, |before| before.steady_since);
        // A price that a poll repeats is no news: its age goes on.
        let is_news = before.is_none_or(|before| before.quote != quote) || way == Way::Streamed;
        track.quotes.said.insert(id, Said { quote, way, received: now, silence, steady_since });
        match way {
            Way::Polled => track.quotes.poll.heard(Duration::seconds(self.table.refresh_seconds.into()), now),
            Way::Streamed => {
                track.quotes.poll.streamed(now);
                self.health.get_mut(&(id, Capability::Quotes)).into_iter().for_each(|health| health.succeed(now));
            }
        }
        self.choose(quote.instrument, now, out);
        if is_news {
            self.pass_on(id, quote, now, out);
        }
    }

    /// Whether a price of whoever serves is to be believed: one far from what was taken counts when another provider says the like, or when it
    /// was said for a while and nobody says otherwise. One twice or half of it needs bars.
    fn confirm(&mut self, id: ProviderId, quote: VenueQuote, now: WallTime) -> Result<(), Refusal> {
        let Some(track) = self.tracks.get(&quote.instrument) else { return Ok(()) };
        let Some((at, before)) = reference(track) else { return Ok(()) };
        let allowed = 2.0 * tolerance(track.taken.iter());
        let is_like = |one: Price, other: Price| goes_on(one, other, allowed).is_ok();
        let is_near = is_near(before, quote.last);
        let is_far = !is_like(before, quote.last) && (now.since(at).0 < LATELY.0 || !is_near);
        let others = || {
            track
                .quotes
                .said
                .iter()
                .filter(|(by, _)| **by != id && self.speaks(track, **by, now))
                .map(|(_, said)| said.quote.last)
        };
        let is_seconded = is_far && is_near && others().any(|other| is_like(other, quote.last));
        let is_denied = is_far && others().any(|other| is_like(other, before));
        let doubt = track.quotes.doubt.filter(|doubt| doubt.by == id && is_like(doubt.price, quote.last));
        let doubt = doubt.unwrap_or(Doubt { by: id, price: quote.last, since: now });
        let is_long = now.since(doubt.since).0 >= CONFIRMED_AFTER.0 && is_near && !is_denied;
        let is_believed = !is_far || is_seconded || is_long;
        if let Some(track) = self.tracks.get_mut(&quote.instrument) {
            track.quotes.doubt = (!is_believed).then_some(doubt);
        }
        if is_believed {
            return Ok(());
        }
        let kind = if is_near { Flaw::Outlier } else { jump_between(before, quote.last) };
        Err(Refusal::flawed(kind, &format!("{} where {before} was, and nobody else says so", quote.last)))
    }

    /// Passes a price on if it is whose prices count.
    fn pass_on(&mut self, id: ProviderId, quote: VenueQuote, now: WallTime, out: &mut Vec<Output>) {
        let Some(track) = self.tracks.get_mut(&quote.instrument) else { return };
        if track.quotes.serving.is_some_and(|serving| serving.by == id) {
            track.quotes.last = Some((now, quote.last));
            self.flaws.sound(quote.instrument);
            out.push(Output::News(ProviderNews::Price(quote)));
        }
    }

    /// After which pause a provider counts as silent.
    fn quiet_after(&self) -> impl Fn(&Said) -> Duration + use<> {
        let refresh = Duration::seconds(i64::from(self.table.refresh_seconds) * 3 / 2);
        move |said: &Said| match said.way {
            Way::Streamed => said.silence.allowed(),
            Way::Polled => refresh,
        }
    }

    pub(super) fn speaks(&self, track: &Track, id: ProviderId, now: WallTime) -> bool {
        let quiet = self.quiet_after();
        let is_open = |said: &Said| said.way == Way::Polled || self.streams.get(&id).is_some_and(|stream| stream.is_heard(now));
        let said = track.quotes.said.get(&id);
        said.is_some_and(|said| is_open(said) && now.since(said.received).0 <= quiet(said).0)
    }

    /// Whether the prices that count come by themselves.
    pub(super) fn is_streamed(&self, track: &Track, now: WallTime) -> bool {
        let serving = track.quotes.serving.map(|serving| serving.by);
        serving.is_some_and(|by| track.quotes.is_streamed_by(by) && self.speaks(track, by, now))
    }

    /// Chooses anew whose prices of an instrument count.
    pub(super) fn choose(&mut self, id: InstrumentId, now: WallTime, out: &mut Vec<Output>) {
        let Some(track) = self.tracks.get(&id) else { return };
        let serving = track.quotes.serving;
        let (mut chosen, mut held) = (None, BTreeMap::new());
        for by in self.order(Capability::Quotes).iter().copied() {
            if track.line.name(by, Capability::Quotes).is_none() {
                continue;
            }
            let is_serving = serving.is_some_and(|serving| serving.by == by);
            let health = self.health.get(&(by, Capability::Quotes));
            let is_barred = health.is_some_and(|health| !health.is_good()) || track.is_skipped(by, Capability::Quotes, now);
            if is_barred || !self.speaks(track, by, now) {
                // In the beginning a better one gets a moment to come.
                let may_come = serving.is_none() && self.streams.contains_key(&by) && !is_barred;
                if may_come && now.since(self.began).0 < WAIT_FOR_BETTER.0 {
                    break;
                }
                continue;
            }
            let is_unsteady = track.quotes.unsteady_for(by, now).is_some();
            let rules_here = serving.filter(|serving| self.speaks(track, serving.by, now));
            if !is_serving && is_unsteady && rules_here.is_some() {
                continue;
            }
            if !is_serving && let Err(refusal) = jumps(track, by) {
                held.insert(by, refusal);
                continue;
            }
            chosen = Some(by);
            break;
        }
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.quotes.held = held;
        let Some(by) = chosen.filter(|by| serving.is_none_or(|serving| serving.by != *by)) else { return };
        track.quotes.serving = Some(Serving { by, since: now });
        let latest = track.quotes.said.get(&by).map(|said| said.quote);
        self.say_served(Capability::Quotes, id, serving, by, now, out);
        if let Some(quote) = latest {
            self.pass_on(by, quote, now, out);
        }
    }
}

/// A price with so many decimals.
fn rounded(price: Price, decimals: u8) -> Price {
    price.rounded_to(Price::from_nanos(10_i64.pow(9 - u32::from(decimals.min(9)))))
}

/// Whether a provider's price jumps from what was taken last.
fn jumps(track: &Track, id: ProviderId) -> Result<(), Refusal> {
    let Some(said) = track.quotes.said.get(&id) else { return Ok(()) };
    let Some((at, price)) = reference(track) else { return Ok(()) };
    let is_lately = said.received.since(at).0 < LATELY.0;
    let is_wild = !is_near(price, said.quote.last);
    if is_lately || is_wild { goes_on(price, said.quote.last, tolerance(track.taken.iter())) } else { Ok(()) }
}

/// What was taken last, and when: the last price passed on, or a later close.
pub(super) fn reference(track: &Track) -> Option<(WallTime, Price)> {
    let closed = track.taken.back().map(|bar| (WallTime(bar.close_at.0), bar.close));
    // Of the run before this process, until there is something newer.
    let known = track.line.known_until.zip(track.line.last_close).map(|(at, close)| (WallTime(at.0), close));
    track.quotes.last.into_iter().chain(closed).chain(known.filter(|_| closed.is_none())).max_by_key(|(at, _)| *at)
}
