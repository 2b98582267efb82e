//! Asking for bars: who is asked, what an answer is worth, and who is asked next.

use crate::domain::{AssetClass, Bar, Calendar, Duration, Flaw, InstrumentId, MarketTime, Price, SplitRatio, WallTime};
use crate::market::ToldBars;
use crate::market::providers::bars::{Chart, MINUTE, is_near, is_open};
use crate::market::providers::desk::flights::WAIT_AT_MOST;
use crate::market::providers::desk::{Answer, Desk, Flight, Output, Serving, TAKEN, Track};
use crate::market::providers::splice::{bars_go_on, goes_on, kind_of_jump, split_of, tolerance};
use crate::market::providers::view::Served;
use crate::market::providers::{Capability, Failure, Health, ProviderId, ProviderNews, Refusal};

/// A new run begins with so many bars of each instrument, and looks for them so far back: exchanges close for nights and weekends.
const HISTORY_BARS: usize = 480;
const HISTORY: i64 = 4 * 24 * 3_600 * 1_000_000_000;
/// So much of what is known already is asked for again, to hold another provider's bars against those that were taken.
const OVERLAP: i64 = 10 * MINUTE;
/// Where a minute that is over was not told yet, it is asked for once more after this time.
const AGAIN_AFTER: Duration = Duration::seconds(10);
/// Bars of a market that never closes that end so long ago are stale where another provider may know more.
const STALE_AFTER: i64 = 5 * MINUTE;

/// Bars that begin so soon after the last close of the run before go on from it.
const LATELY: i64 = 10 * MINUTE;

/// A split that a provider names is what lies between prices for so long after it.
const SPLIT_LATELY: Duration = Duration::seconds(4 * 86_400);

/// How asking for the bars of one instrument stands.
#[derive(Debug, Clone)]
pub(super) struct BarsTrack {
    /// When it is asked next.
    due: WallTime,
    /// Who was asked in this round.
    tried: Vec<ProviderId>,
    is_flying: bool,
    /// Whether this round asked again for a minute that was not told.
    is_second: bool,
    pub serving: Option<Serving>,
}

impl BarsTrack {
    pub(super) const fn new(now: WallTime) -> Self {
        Self { due: now, tried: Vec::new(), is_flying: false, is_second: false, serving: None }
    }

    pub(super) const fn set_back(&mut self, by: Duration) {
        self.due = self.due.before(by);
        if let Some(serving) = &mut self.serving {
            serving.since = serving.since.before(by);
        }
    }

    pub(super) fn size(&self) -> usize {
        self.tried.len()
    }
}

impl Desk {
    /// Asks for what is due, and tries a better provider that rested beside it.
    pub(super) fn ask_for_bars(&mut self, id: InstrumentId, now: WallTime, out: &mut Vec<Output>) {
        let Some(track) = self.tracks.get(&id).filter(|track| !track.bars.is_flying && track.bars.due <= now) else { return };
        let order = self.order(Capability::Bars);
        let may_ask = |by: &ProviderId| {
            track.line.name(*by, Capability::Bars).is_some()
                && !track.bars.tried.contains(by)
                && !self.is_barred(track, *by, Capability::Bars, now)
        };
        let ready_at = |by: &ProviderId| self.ready_at(track, *by, Capability::Bars, now);
        let has_room = |by: &ProviderId| ready_at(by).since(now).0 <= WAIT_AT_MOST.0;
        let health = |by: &ProviderId| self.health.get(&(*by, Capability::Bars));
        let candidates: Vec<ProviderId> = order.iter().copied().filter(|by| may_ask(by) && has_room(by)).collect();
        // After a long gap one that reaches back over it is asked before one that does not.
        let gap = track.line.known_until.map_or(0, |until| now.0 - until.0);
        let depth = |by: ProviderId| by.client().bars.as_ref().map_or(0, |client| (client.depth)(track.line.kind));
        let reaches = |by: &&ProviderId| gap <= depth(**by);
        let mut are_good = candidates.iter().filter(|by| health(by).is_some_and(Health::is_good));
        let good = are_good.clone().find(reaches).or_else(|| are_good.next());
        let tried = candidates.iter().find(|by| health(by).is_some_and(|health| health.may_probe(now)));
        let (chosen, probe) = match (good, tried) {
            (Some(good), tried) => {
                let is_better =
                    |by: &&ProviderId| order.iter().position(|other| other == *by) < order.iter().position(|other| other == good);
                (Some(*good), tried.filter(is_better).copied())
            }
            (None, tried) => (tried.copied(), None),
        };
        let Some(by) = chosen else { return self.rest_bars(id, now) };
        let waits_until = ready_at(&by);
        let is_busy = self.is_busy(by);
        if waits_until > now || is_busy {
            let Some(track) = self.tracks.get_mut(&id) else { return };
            track.bars.due = if is_busy { now.plus(Duration::millis(200)) } else { waits_until };
            return;
        }
        if let Some(better) = probe.filter(|better| ready_at(better) <= now) {
            self.fetch_bars(id, better, true, now, out);
        }
        if self.fetch_bars(id, by, false, now, out)
            && let Some(track) = self.tracks.get_mut(&id)
        {
            track.bars.is_flying = true;
            track.bars.tried.push(by);
        }
    }

    /// Nobody is left to ask in this round.
    fn rest_bars(&mut self, id: InstrumentId, now: WallTime) {
        let refresh = Duration::seconds(self.table.refresh_seconds.into());
        // A provider whose rest ends earlier is worth another look before the next round.
        let soon = now.plus(Duration(refresh.0 / 4));
        if let Some(track) = self.tracks.get_mut(&id) {
            (track.bars.due, track.bars.is_second) = (soon, false);
            track.bars.tried.clear();
        }
    }

    /// Asks a provider for bars; `false` where the budget has no room for it.
    fn fetch_bars(&mut self, id: InstrumentId, by: ProviderId, is_probe: bool, now: WallTime, out: &mut Vec<Output>) -> bool {
        let (Some(track), Some(client)) = (self.tracks.get(&id), by.client().bars.as_ref()) else { return false };
        let history = track.line.known_until.map_or(now.0 - HISTORY, |until| until.0 - OVERLAP);
        let from = MarketTime(history.max(now.0 - (client.depth)(track.line.kind)).div_euclid(MINUTE) * MINUTE);
        let Some(wanted) = self.wanted(&track.line, by, Capability::Bars, from, now) else { return false };
        let (endpoint, path) = ((client.endpoint)(track.line.kind), (client.path)(&wanted));
        let flight = Flight { instruments: vec![id], provider: by, capability: Capability::Bars, from, is_probe, since: now };
        self.send(flight, endpoint, path, now, out)
    }

    /// Takes an answer with bars.
    pub(super) fn take_bars(
        &mut self,
        flight: &Flight,
        id: InstrumentId,
        answer: Result<Answer, Refusal>,
        now: WallTime,
        out: &mut Vec<Output>,
    ) {
        let retry_after = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let (read, split) = match answer.and_then(|answer| self.read(flight, id, &answer, now)) {
            Ok(chart) => self.go_on(flight.provider, id, chart, now),
            Err(refusal) => (Err(refusal), None),
        };
        if let Some(ratio) = split {
            self.note_split(flight.provider, id, ratio, out);
        }
        let is_served = !flight.is_probe;
        if let Some(track) = self.tracks.get_mut(&id).filter(|_| is_served) {
            track.bars.is_flying = false;
        }
        match read {
            Ok(chart) => {
                self.health.get_mut(&(flight.provider, Capability::Bars)).into_iter().for_each(|health| health.succeed(now));
                self.note_answer(flight.provider, id, &chart, now);
                if let Some(quote) = chart.quote {
                    self.hear_polled(flight.provider, quote, now, out);
                }
                if is_served {
                    self.take(flight, id, chart, now, out);
                }
            }
            Err(refusal) => {
                self.note_refusal(flight.provider, Some(id), &refusal, Capability::Bars);
                self.apply(flight.provider, Capability::Bars, Some(id), &refusal, retry_after, now);
                if is_served {
                    self.go_without(flight, id, &refusal, now, out);
                }
            }
        }
    }

    /// What an answer says.
    fn read(&self, flight: &Flight, id: InstrumentId, answer: &Answer, now: WallTime) -> Result<Chart, Refusal> {
        let track = self.tracks.get(&id).ok_or_else(|| Refusal::of(Failure::NoData))?;
        let by = flight.provider;
        let wanted = self.wanted(&track.line, by, Capability::Bars, flight.from, now);
        let (client, wanted) = by.client().bars.as_ref().zip(wanted).ok_or_else(|| Refusal::of(Failure::NoData))?;
        (client.read)(answer.status, &answer.body, &wanted)
    }

    /// An answer held against what was taken before, with the split that lies between them, where one does.
    fn go_on(
        &self,
        by: ProviderId,
        id: InstrumentId,
        chart: Chart,
        now: WallTime,
    ) -> (Result<Chart, Refusal>, Option<SplitRatio>) {
        let Some(track) = self.tracks.get(&id) else { return (Err(Refusal::of(Failure::NoData)), None) };
        let allowed = tolerance(track.taken.iter());
        let Some(last) = track.taken.back() else {
            // In the beginning there is the last close of the run before; a price alone refuses no bars.
            return (self.goes_on_from_before(track, &chart, now).map(|()| chart), None);
        };
        let next = chart.closed.iter().find(|bar| bar.open_at >= last.close_at);
        let is_shared = chart.closed.iter().any(|bar| track.taken.iter().any(|taken| taken.open_at == bar.open_at));
        let refusal = if is_shared || track.taken_from != Some(by) {
            bars_go_on(track.taken.iter(), &chart.closed, allowed).err()
        } else {
            // Over a night a price may go far, but not twice as far.
            let wild = next.filter(|bar| !is_near(last.close, bar.open));
            wild.map(|bar| Refusal::flawed(kind_of_jump(last.close, bar.open), "twice or half the price before"))
        };
        let Some(refusal) = refusal else { return (Ok(chart), None) };
        let told = chart.split.filter(|(at, _)| last.close_at.since(*at).0 < SPLIT_LATELY.0).map(|(_, ratio)| ratio);
        let shares = track.line.kind == AssetClass::Stock;
        match split_of(track.taken.iter(), &chart.closed).or(told).filter(|_| shares) {
            Some(ratio) => {
                let said = format!("a split of {ratio} lies between them and what was taken");
                (Err(Refusal { flaw: Some(Flaw::Split), ..Refusal::new(Failure::Splice, &said) }), Some(ratio))
            }
            None => {
                let kind = next.or(chart.closed.last()).map_or(Flaw::Outlier, |bar| kind_of_jump(last.close, bar.open));
                (Err(Refusal { flaw: refusal.flaw.or(Some(kind)), ..refusal }), None)
            }
        }
    }

    /// The first bars of a process, held against the last close of before: where they tell that minute, its close; else, soon after it, where they begin.
    fn goes_on_from_before(&self, track: &Track, chart: &Chart, now: WallTime) -> Result<(), Refusal> {
        let Some((until, close)) = track.line.known_until.zip(track.line.last_close) else { return Ok(()) };
        let same = chart.closed.iter().find(|bar| bar.close_at == until).map(|bar| bar.close);
        let next = chart.closed.iter().find(|bar| bar.open_at >= until).map(|bar| bar.open);
        let soon = next.filter(|_| now.0 - until.0 < LATELY);
        let far = next.filter(|next| !is_near(close, *next) && kind_of_jump(close, *next) == Flaw::UnitJump);
        same.or(soon).or(far).map_or(Ok(()), |told| goes_on(close, told, tolerance(std::iter::empty())))
    }

    /// Takes the bars of an answer that are new, and says when it is asked again.
    fn take(&mut self, flight: &Flight, id: InstrumentId, chart: Chart, now: WallTime, out: &mut Vec<Output>) {
        let others = self.others(id, now);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let is_first = track.taken.is_empty();
        let newest = chart.closed.last().map(|bar| bar.close_at);
        let is_stale = newest.is_none_or(|at| now.0 - at.0 > STALE_AFTER) && track.line.calendar == Calendar::Crypto247;
        if is_stale && others {
            let refusal = Refusal::of(Failure::Stale);
            self.apply(flight.provider, Capability::Bars, Some(id), &refusal, None, now);
            return self.go_without(flight, id, &refusal, now, out);
        }
        let known = track.line.known_until;
        let mut closed: Vec<Bar> =
            chart.closed.into_iter().filter(|bar| known.is_none_or(|known| bar.open_at >= known)).collect();
        if known.is_none() {
            closed.drain(..closed.len().saturating_sub(HISTORY_BARS));
        }
        if let Some(last) = closed.last() {
            track.line.known_until = Some(last.close_at);
            track.taken_from = Some(flight.provider);
        }
        track.taken.extend(closed.iter().copied());
        track.taken.drain(..track.taken.len().saturating_sub(TAKEN));
        let like_bars = |(price, bar): (Price, &Bar)| goes_on(bar.close, price, tolerance(track.taken.iter())).is_ok();
        if is_first && !track.quotes.latest(now).zip(track.taken.back()).is_none_or(like_bars) {
            track.quotes.begin_anew();
        }
        let told = ToldBars { instrument: id, from: chart.from, until: chart.until, closed, opened: chart.opened };
        let before = track.bars.serving;
        if before.is_none_or(|serving| serving.by != flight.provider) {
            track.bars.serving = Some(Serving { by: flight.provider, since: now });
        }
        // Whose bars they are is said before them: the step from one provider's prices to another's is no move of the market.
        self.say_served(Capability::Bars, id, before, flight.provider, now, out);
        out.push(Output::News(ProviderNews::Bars(told)));
        self.next_round(flight, id, now);
    }

    /// The next provider is asked at once; after an empty answer there is nothing more to ask for.
    fn go_without(&mut self, flight: &Flight, id: InstrumentId, refusal: &Refusal, now: WallTime, out: &mut Vec<Output>) {
        let others = self.others(id, now);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if refusal.failure != Failure::NoData || others {
            track.bars.due = now;
            return;
        }
        // Nothing traded until it was asked.
        let until = MarketTime(flight.since.0.div_euclid(MINUTE) * MINUTE);
        let told = ToldBars { instrument: id, from: flight.from, until, closed: Vec::new(), opened: None };
        out.push(Output::News(ProviderNews::Bars(told)));
        self.next_round(flight, id, now);
    }

    /// Whether anybody else may be asked in this round.
    fn others(&self, id: InstrumentId, now: WallTime) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let may = |by: &&ProviderId| {
            let health = self.health.get(&(**by, Capability::Bars));
            !track.bars.tried.contains(by) && health.is_some_and(|health| health.is_good() || health.may_probe(now))
        };
        let named = self.order(Capability::Bars).iter().filter(|by| track.line.name(**by, Capability::Bars).is_some());
        named.filter(|by| !self.is_barred(track, **by, Capability::Bars, now)).any(|by| may(&by))
    }

    /// When the next round begins: after the next minute's end, and once more soon where the last minute was not told.
    fn next_round(&mut self, flight: &Flight, id: InstrumentId, now: WallTime) {
        let settle = self.table.settle(flight.provider).0;
        let (refresh, closed) = (i64::from(self.table.refresh_seconds), i64::from(self.table.closed_refresh_seconds));
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.bars.tried.clear();
        let round = refresh * 1_000_000_000;
        let next = WallTime((now.0 - settle).div_euclid(round) * round + round + settle);
        let is_behind = track.line.known_until.is_none_or(|until| now.0 - until.0 >= MINUTE);
        let may_come = track.line.calendar == Calendar::Crypto247 && is_behind && !track.bars.is_second;
        track.bars.is_second = may_come;
        track.bars.due = if !is_open(track.line.calendar, MarketTime(now.0)) {
            now.plus(Duration::seconds(closed)).min(WallTime(opens_after(track.line.calendar, now).0 + settle))
        } else if may_come {
            next.min(now.plus(AGAIN_AFTER))
        } else {
            next
        };
    }

    /// Says that another provider serves; the first one is no news.
    pub(super) fn say_served(
        &mut self,
        capability: Capability,
        instrument: InstrumentId,
        before: Option<Serving>,
        by: ProviderId,
        now: WallTime,
        out: &mut Vec<Output>,
    ) {
        let Some(from) = before.map(|serving| serving.by).filter(|from| *from != by) else { return };
        let why = self.why_left(instrument, capability, from, by, now);
        out.push(Output::Served(Served { capability, instruments: vec![instrument], from, to: by, why }));
    }
}

/// When the first minute of the next session is over.
fn opens_after(calendar: Calendar, now: WallTime) -> MarketTime {
    let next = calendar.next_session(MarketTime(now.0));
    next.map_or(MarketTime(i64::MAX / 2), |session| MarketTime(session.open_at.0 + MINUTE))
}
