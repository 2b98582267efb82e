//! Series: when each is asked for, of whom, what an answer says, and when it is asked for again.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::domain::{Duration, Edition, Every, Indicator, MarketTime, Observation, WallTime, new_york};
use crate::market::bulletins::desk::{About, BulletinDesk, Flight, MOST_FLIGHTS, NEXT_ROUND, Output, PATIENCE, SeriesTrack};
use crate::market::bulletins::view::Topic;
use crate::market::bulletins::{Found, Named, bls, cboe, fred, treasury};
use crate::market::providers::{Answer, Budget, Failure, ProviderId, Refusal};

/// The table behind graphs hangs at times, and is given up sooner than others.
const SHORT_PATIENCE: Duration = Duration::seconds(10);
/// A value that is not out yet is asked for again after this time, then twice as long each time, up to the longest.
const NOT_OUT: Duration = Duration::seconds(300);
const NOT_OUT_LONGEST: Duration = Duration::seconds(7_200);
/// Values of each series that are kept.
const KEPT: usize = 400;
/// How far back is asked for: of days, and of weeks and months.
const DAYS_BACK: i64 = 100;
const MONTHS_BACK: i64 = 16;
/// A release that is so late is overdue: of days, and of weeks and months. Holidays are no exceptions in the rules.
const LATE_DAY: Duration = Duration::seconds(4 * 86_400);
const LATE: Duration = Duration::seconds(2 * 86_400);

impl BulletinDesk {
    /// The latest period of a series that is known.
    fn latest(&self, indicator: Indicator, now: WallTime) -> Option<Date> {
        self.economy.as_of(indicator, MarketTime(now.0)).next().map(|one| one.period)
    }

    /// Whether a later period was released than the latest that is known.
    pub(super) fn is_behind(&self, indicator: Indicator, now: WallTime) -> bool {
        let Some(release) = self.table.release(indicator) else { return false };
        let released = release.latest_by(indicator.every(), MarketTime(now.0));
        released.is_some_and(|released| self.latest(indicator, now).is_none_or(|latest| latest < released))
    }

    pub(super) fn is_overdue(&self, indicator: Indicator, now: WallTime) -> bool {
        let grace = if indicator.every() == Every::Day { LATE_DAY } else { LATE };
        // A release so long ago that nobody has told of it.
        self.is_behind(indicator, WallTime(now.0 - grace.0))
    }

    pub(super) fn await_release(&mut self, indicator: Indicator, now: WallTime) {
        let next = self.table.next_release(indicator, MarketTime(now.0)).map_or(now.plus(NEXT_ROUND), |(_, at)| WallTime(at.0));
        let settle = self.settle;
        if let Some(track) = self.series.get_mut(&indicator) {
            (track.due, track.not_out) = (next.plus(settle), 0);
            track.tried.clear();
        }
    }

    pub(super) fn ask_for_series(&mut self, indicator: Indicator, budget: &mut Budget, now: WallTime, out: &mut Vec<Output>) {
        let is_due = |track: &SeriesTrack| !track.is_flying && track.due <= now;
        let Some(track) = self.series.get(&indicator).filter(|track| is_due(track)) else { return };
        let chosen = |desk: &Self, of: Indicator, track: &SeriesTrack| {
            let names = &desk.table.series.get(&of)?.names;
            let order = desk.table.order.iter().filter(|id| names.contains_key(id));
            desk.choose(order, Topic::Series, &track.tried, budget, now)
        };
        let Some((by, ready_at)) = chosen(self, indicator, track) else {
            // Nobody is left: the last value stays, and everybody is asked again later.
            if let Some(track) = self.series.get_mut(&indicator) {
                track.due = now.plus(NEXT_ROUND);
                track.tried.clear();
                track.trouble.get_or_insert_with(|| "nobody can be asked at the moment".to_owned());
            }
            return;
        };
        if ready_at > now || self.flights.values().filter(|flight| flight.provider == by).count() >= MOST_FLIGHTS {
            return;
        }
        // One answer of these tells several series.
        let covered: Vec<Indicator> = if matches!(by, ProviderId::Treasury | ProviderId::FredGraph) {
            let due = self.series.iter().filter(|(_, track)| is_due(track));
            due.filter(|(id, track)| chosen(self, **id, track).is_some_and(|(other, _)| other == by)).map(|(id, _)| *id).collect()
        } else {
            vec![indicator]
        };
        let Some(path) = self.series_path(by, &covered, now) else { return };
        let patience = if by == ProviderId::FredGraph { SHORT_PATIENCE } else { PATIENCE };
        let flight = Flight { about: About::Series(covered.clone()), provider: by, since: now };
        if self.send(flight, path, patience, budget, now, out) {
            for indicator in covered {
                if let Some(track) = self.series.get_mut(&indicator) {
                    track.is_flying = true;
                    track.tried.push(by);
                }
            }
        }
    }

    pub(super) fn named(&self, by: ProviderId, indicators: &[Indicator]) -> Vec<Named> {
        let name = |id: &Indicator| Some((*id, self.table.series.get(id)?.names.get(&by)?.clone()));
        indicators.iter().filter_map(name).collect()
    }

    fn series_path(&self, by: ProviderId, indicators: &[Indicator], now: WallTime) -> Option<String> {
        let (named, today) = (self.named(by, indicators), today(now));
        let since = indicators.iter().map(|id| since(*id, today)).min()?;
        let (_, name) = named.first()?;
        match by {
            // Its tables are by years: that of the latest day whose curve is out.
            ProviderId::Treasury => {
                let out = |id: &Indicator| self.table.release(*id)?.latest_by(id.every(), MarketTime(now.0));
                Some(treasury::path(indicators.iter().filter_map(out).max().unwrap_or(today).year()))
            }
            ProviderId::Cboe => Some(cboe::path(name)),
            ProviderId::Bls => Some(bls::path(name)),
            ProviderId::Fred => Some(fred::path(name, since)),
            ProviderId::FredGraph => {
                let names: Vec<&str> = named.iter().map(|(_, name)| name.as_str()).collect();
                Some(fred::graph_path(&names, since))
            }
            _ => None,
        }
    }

    pub(super) fn read(
        &self,
        by: ProviderId,
        asked: &[Indicator],
        answer: &Answer,
        now: WallTime,
    ) -> Result<Vec<Found>, Refusal> {
        let (named, today) = (self.named(by, asked), today(now));
        let first = named.first().ok_or_else(|| Refusal::of(Failure::NoData))?;
        let (status, body) = (answer.status, answer.body.as_slice());
        let found = match by {
            ProviderId::Treasury => treasury::observations(status, body, &named, today),
            ProviderId::Cboe => cboe::observations(status, body, first, since(first.0, today), today),
            ProviderId::Bls => bls::observations(status, body, first, today),
            ProviderId::Fred => fred::observations(status, body, first, today),
            ProviderId::FredGraph => fred::graph(status, body, &named, today),
            _ => Err(Refusal::of(Failure::NoData)),
        }?;
        Ok(found.into_iter().filter(|one| one.period >= since(one.indicator, today)).collect())
    }

    /// Takes values, tells those that are new, and says when each series is asked for again.
    pub(super) fn take(&mut self, flight: &Flight, found: Vec<Found>, now: WallTime, out: &mut Vec<Output>) {
        let About::Series(asked) = &flight.about else { return };
        let told: BTreeSet<Indicator> = found.iter().map(|one| one.indicator).collect();
        let mut new: Vec<Observation> = found.into_iter().filter_map(|one| self.new_value(one, now)).collect();
        new.retain(|one| self.economy.take(*one));
        new.sort_by_key(|one| (one.known_at, one.indicator, one.period));
        self.economy.forget_beyond(KEPT);
        if !new.is_empty() {
            out.push(Output::Tell(new));
            self.store(now, out);
        }
        for indicator in asked {
            let is_told = told.contains(indicator);
            if let Some(track) = self.series.get_mut(indicator) {
                track.is_flying = false;
                if is_told {
                    (track.heard, track.trouble) = (Some((flight.provider, now)), None);
                }
            }
            if !is_told {
                // This publisher does not have it; the next one is asked at once.
                continue;
            }
            if self.is_behind(*indicator, now) {
                self.not_out_yet(*indicator, now);
            } else {
                self.await_release(*indicator, now);
            }
        }
    }

    /// A value that was not known, or was another: then it is a revision, and known since now.
    fn new_value(&self, found: Found, now: WallTime) -> Option<Observation> {
        let at = MarketTime(now.0);
        let known = self.economy.as_of(found.indicator, at).find(|one| one.period == found.period);
        let dated = self.table.dated(found, at)?;
        match known {
            Some(known) if known.value == found.value => None,
            Some(_) => Some(Observation { known_at: at, edition: Edition::Revised, ..dated }),
            None => Some(dated),
        }
    }

    fn not_out_yet(&mut self, indicator: Indicator, now: WallTime) {
        if let Some(track) = self.series.get_mut(&indicator) {
            let wait = NOT_OUT.0.saturating_mul(1 << track.not_out.min(8)).min(NOT_OUT_LONGEST.0);
            (track.due, track.not_out) = (now.plus(Duration(wait)), track.not_out + 1);
            track.tried.clear();
        }
    }
}

/// Today where the publishers are.
fn today(now: WallTime) -> Date {
    new_york().to_datetime(now.timestamp()).date()
}

/// From when on values are asked for.
fn since(indicator: Indicator, today: Date) -> Date {
    match indicator.every() {
        Every::Day => today.saturating_sub(DAYS_BACK.days()),
        Every::Week | Every::Month => today.first_of_month().saturating_sub(MONTHS_BACK.months()),
    }
}
