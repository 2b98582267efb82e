//! Asking for prices, while no stream speaks of them: many instruments in one request where the provider takes that.

use std::collections::BTreeMap;

use crate::domain::{Duration, InstrumentId, MarketTime, VenueQuote, WallTime};
use crate::market::providers::bars::{Wanted, is_open};
use crate::market::providers::desk::flights::WAIT_AT_MOST;
use crate::market::providers::desk::quotes::{WAIT_FOR_BETTER, reference};
use crate::market::providers::desk::{Answer, Desk, Flight, Output, Skipped, Track};
use crate::market::providers::refusal::Means;
use crate::market::providers::splice::{goes_on, tolerance};
use crate::market::providers::{Capability, Failure, Health, ProviderId, Refusal};

/// A price that is older proves nothing about a new one.
const KNOWN_FOR: Duration = Duration::seconds(300);

/// How asking for the prices of one instrument stands.
#[derive(Debug, Clone)]
pub(super) struct Poll {
    due: WallTime,
    /// Who was asked in this round and did not tell it.
    tried: Vec<ProviderId>,
    /// Whether it is asked for alone: a request that held it was refused as a whole.
    is_alone: bool,
}

impl Poll {
    pub(super) const fn new(now: WallTime) -> Self {
        Self { due: now, tried: Vec::new(), is_alone: false }
    }

    /// A price came with an answer. One that comes with bars every minute leaves nothing to ask for.
    pub(super) fn heard(&mut self, refresh: Duration, now: WallTime) {
        self.due = self.due.max(now.plus(Duration(refresh.0 / 4 * 5)));
        self.tried.clear();
        self.is_alone = false;
    }

    /// The clock went back by so much.
    pub(super) fn set_back(&mut self, by: Duration) {
        self.due = self.due.before(by);
    }

    /// A price came by itself: once no more do, one is asked for at once.
    pub(super) fn streamed(&mut self, now: WallTime) {
        self.due = now;
        self.tried.clear();
    }
}

impl Desk {
    /// Asks for the prices of everything that no stream speaks of.
    pub(super) fn ask_for_prices(&mut self, now: WallTime, out: &mut Vec<Output>) {
        if now.since(self.began).0 < WAIT_FOR_BETTER.0 {
            return;
        }
        let (mut due, mut nobody) = (BTreeMap::<_, Vec<InstrumentId>>::new(), Vec::new());
        for (id, track) in self.tracks.iter().filter(|(_, track)| track.quotes.poll.due <= now) {
            if self.is_streamed(track, now) {
                continue;
            }
            match self.who_polls(track, now) {
                Some((by, endpoint)) => {
                    let alone = track.quotes.poll.is_alone.then_some(*id);
                    due.entry((by, endpoint, alone)).or_default().push(*id);
                }
                None => nobody.push(*id),
            }
        }
        let refresh = Duration::seconds(self.table.refresh_seconds.into());
        for id in nobody {
            self.tracks.get_mut(&id).into_iter().for_each(|track| track.quotes.poll.tried.clear());
            self.poll_later(id, now);
        }
        let asked_before = self.polled.clone();
        for ((by, endpoint, alone), ids) in due {
            let most = by.client().quotes.as_ref().map_or(1, |quotes| quotes.most.max(1));
            // Names fall silent one by one: they are gathered, or each would be a request of its own.
            let is_early = asked_before.get(&by).is_some_and(|at| now.since(*at).0 < refresh.0 / 4);
            if most > 1 && alone.is_none() && is_early {
                continue;
            }
            for ids in ids.chunks(most) {
                self.fetch_quotes(by, endpoint, ids, now, out);
            }
        }
    }

    /// Who is asked for the price of an instrument, and for what.
    fn who_polls(&self, track: &Track, now: WallTime) -> Option<(ProviderId, &'static str)> {
        let asked = |by: &ProviderId| {
            let endpoint = by.endpoint(Capability::Quotes, track.line.kind)?;
            let health = self.health.get(&(*by, Capability::Quotes))?;
            let may = track.line.name(*by, Capability::Quotes).is_some()
                && !track.quotes.poll.tried.contains(by)
                && !self.is_barred(track, *by, Capability::Quotes, now)
                && (health.is_good() || health.may_probe(now))
                && self.ready_at(track, *by, Capability::Quotes, now).since(now).0 <= WAIT_AT_MOST.0;
            may.then_some((*by, endpoint))
        };
        self.order(Capability::Quotes).iter().find_map(asked)
    }

    fn fetch_quotes(&mut self, by: ProviderId, endpoint: &str, ids: &[InstrumentId], now: WallTime, out: &mut Vec<Output>) {
        let may_leave = |health: &Health| health.is_good() || health.may_probe(now);
        if self.is_busy(by) || !self.health.get(&(by, Capability::Quotes)).is_some_and(may_leave) {
            return;
        }
        let (Some(client), asked) = (by.client().quotes.as_ref(), self.asked_for(by, ids, now)) else { return };
        let path = (client.path)(&asked);
        let (capability, from) = (Capability::Quotes, MarketTime(now.0));
        let flight = Flight { instruments: ids.to_vec(), provider: by, capability, from, is_probe: false, since: now };
        if !self.send(flight, endpoint, path, now, out) {
            return;
        }
        self.polled.insert(by, now);
        ids.iter().for_each(|id| self.poll_later(*id, now));
    }

    /// Whether a price goes on from what was taken shortly before. What comes with bars is held against them; a price alone has nothing else.
    fn goes_on_polled(&self, quote: &VenueQuote, now: WallTime) -> Result<(), Refusal> {
        let Some(track) = self.tracks.get(&quote.instrument) else { return Ok(()) };
        let before = reference(track).filter(|(at, _)| now.since(*at).0 <= KNOWN_FOR.0);
        before.map_or(Ok(()), |(_, price)| goes_on(price, quote.last, tolerance(track.taken.iter())))
    }

    fn pass_over(&mut self, by: ProviderId, id: InstrumentId, refusal: Refusal, now: WallTime) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let until = now.plus(Duration::seconds(self.table.refresh_seconds.into()));
        track.skipped.insert((by, Capability::Quotes), Skipped { until, refusal });
        track.quotes.poll.due = now;
    }

    /// When a price is asked for next, where the last request left then.
    fn poll_later(&mut self, id: InstrumentId, since: WallTime) {
        let (open, closed) = (i64::from(self.table.refresh_seconds), i64::from(self.table.closed_refresh_seconds));
        if let Some(track) = self.tracks.get_mut(&id) {
            let is_trading = is_open(track.line.calendar, MarketTime(since.0));
            track.quotes.poll.due = since.plus(Duration::seconds(if is_trading { open } else { closed }));
        }
    }

    fn asked_for(&self, by: ProviderId, ids: &[InstrumentId], now: WallTime) -> Vec<Wanted<'_>> {
        let lines = ids.iter().filter_map(|id| self.tracks.get(id)).map(|track| &track.line);
        lines.filter_map(|line| self.wanted(line, by, Capability::Quotes, MarketTime(now.0), now)).collect()
    }

    /// Takes an answer with prices. Who is not in it is asked of the next provider.
    pub(super) fn take_quotes(&mut self, flight: &Flight, answer: Result<Answer, Refusal>, now: WallTime, out: &mut Vec<Output>) {
        let by = flight.provider;
        let retry_after = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let read = answer.and_then(|answer| {
            let client = by.client().quotes.as_ref().ok_or_else(|| Refusal::of(Failure::NoData))?;
            (client.read)(answer.status, &answer.body, &self.asked_for(by, &flight.instruments, now))
        });
        let told: Vec<VenueQuote> = match read {
            Ok(quotes) => {
                self.health.get_mut(&(by, Capability::Quotes)).into_iter().for_each(|health| health.succeed(now));
                quotes
            }
            Err(refusal) => {
                // What is wrong with one of several names is not known: each is asked for alone.
                let is_one = flight.instruments.len() == 1;
                let one = flight.instruments.first().copied().filter(|_| is_one || refusal.failure == Failure::NotEntitled);
                self.apply(by, Capability::Quotes, one, &refusal, retry_after, now);
                let is_about_names = matches!(refusal.failure.means(), Means::Skip(_));
                for id in flight.instruments.iter().filter(|_| is_about_names && !is_one) {
                    self.tracks.entry(*id).and_modify(|track| track.quotes.poll.is_alone = true);
                }
                Vec::new()
            }
        };
        let silent: Vec<InstrumentId> =
            flight.instruments.iter().copied().filter(|id| !told.iter().any(|quote| quote.instrument == *id)).collect();
        for id in silent {
            if let Some(track) = self.tracks.get_mut(&id) {
                // Asked for alone it is asked of the same one once more.
                let is_again = track.quotes.poll.is_alone && flight.instruments.len() > 1;
                track.quotes.poll.tried.extend((!is_again).then_some(by));
                track.quotes.poll.due = now;
            }
        }
        for quote in told {
            if let Err(refusal) = self.goes_on_polled(&quote, now) {
                self.pass_over(by, quote.instrument, refusal, now);
                continue;
            }
            self.hear_polled(by, quote, now, out);
            self.poll_later(quote.instrument, flight.since);
        }
    }
}
