//! Asking for headlines: each source every few minutes, an instrument of the first source that answers.

use crate::domain::{Duration, InstrumentId, WallTime};
use crate::market::bulletins::desk::{About, BulletinDesk, Flight, Output, PATIENCE, Watched};
use crate::market::bulletins::headlines::{self, Told};
use crate::market::bulletins::table::NewsTerms;
use crate::market::bulletins::view::Topic;
use crate::market::providers::{Answer, Budget, Failure, Health, ProviderId, Refusal};

/// The first round is spread: one source after the other.
const SPREAD: Duration = Duration::seconds(3);

/// A feed, or the news of an instrument.
#[derive(Debug, Clone)]
pub(super) struct NewsTrack {
    about: Option<InstrumentId>,
    /// Who is asked in order, and under which path.
    pub(super) asked: Vec<(ProviderId, String)>,
    due: WallTime,
    is_flying: bool,
    tried: Vec<ProviderId>,
}

impl NewsTrack {
    /// The next source is asked at once; an answer without news is one.
    pub(super) fn go_without(&mut self, refusal: &Refusal, next_round: WallTime, now: WallTime) {
        self.is_flying = false;
        if refusal.failure == Failure::NoData {
            self.done(next_round);
        } else {
            self.due = now;
        }
    }

    pub(super) const fn set_back(&mut self, by: Duration) {
        self.due = self.due.before(by);
    }

    fn done(&mut self, next_round: WallTime) {
        (self.is_flying, self.due) = (false, next_round);
        self.tried.clear();
    }
}

/// Feeds that are about no instrument.
pub(super) fn general(terms: &NewsTerms, now: WallTime) -> Vec<NewsTrack> {
    spread(terms.general.iter().map(|(id, path)| (None, vec![(*id, path.clone())])), 0, now)
}

/// The news of instruments.
fn of_instruments(terms: &NewsTerms, watched: &[Watched], before: usize, now: WallTime) -> Vec<NewsTrack> {
    let path = |id: ProviderId, symbol: &str| match id {
        ProviderId::YahooRss => Some((id, headlines::rss_path(symbol))),
        ProviderId::Yahoo => Some((id, headlines::search_path(symbol))),
        _ => None,
    };
    let each = watched.iter().map(|one| {
        let asked = terms.order.iter().filter_map(|id| path(*id, &one.symbol)).collect();
        (Some(one.instrument), asked)
    });
    spread(each, before, now)
}

/// One after the other, behind so many of before.
fn spread(
    wanted: impl Iterator<Item = (Option<InstrumentId>, Vec<(ProviderId, String)>)>,
    before: usize,
    now: WallTime,
) -> Vec<NewsTrack> {
    let due = |index: i64| now.plus(Duration(SPREAD.0 * index));
    let track = |(index, (about, asked))| NewsTrack { about, asked, due: due(index), is_flying: false, tried: Vec::new() };
    (i64::try_from(before).unwrap_or(0)..).zip(wanted).map(track).collect()
}

/// Reads an answer.
pub(super) fn read(by: ProviderId, answer: &Answer) -> Result<Vec<Told>, Refusal> {
    match by {
        ProviderId::Yahoo => headlines::search(answer.status, &answer.body),
        _ => headlines::feed(answer.status, &answer.body),
    }
}

impl BulletinDesk {
    /// Wants the news of exactly these instruments from now on. An answer about one that left is not heard.
    pub fn watch(&mut self, watched: Vec<Watched>, now: WallTime) {
        self.news_tracks.retain(|_, track| track.about.is_none_or(|id| watched.iter().any(|one| one.instrument == id)));
        let is_new = |one: &&Watched| !self.news_tracks.values().any(|track| track.about == Some(one.instrument));
        let joined: Vec<Watched> = watched.iter().filter(is_new).cloned().collect();
        let before = self.news_tracks.values().filter(|track| track.due.0 == now.0).count();
        self.follow(of_instruments(&self.table.news, &joined, before, now));
        self.watched = watched;
    }

    pub(super) fn follow(&mut self, tracks: Vec<NewsTrack>) {
        for track in tracks {
            for (id, _) in &track.asked {
                self.health.entry((*id, Topic::News)).or_insert_with(Health::new);
            }
            self.news_tracks.insert(self.next_track, track);
            self.next_track += 1;
        }
    }

    pub(super) fn ask_for_news(&mut self, budget: &mut Budget, now: WallTime, out: &mut Vec<Output>) {
        let every = Duration::seconds(i64::from(self.table.news.every_minutes) * 60);
        for index in self.news_tracks.keys().copied().collect::<Vec<_>>() {
            let Some(track) = self.news_tracks.get(&index).filter(|track| !track.is_flying && track.due <= now) else { continue };
            let order = track.asked.iter().map(|(id, _)| id);
            let Some((by, ready_at)) = self.choose(order, Topic::News, &track.tried, budget, now) else {
                self.news_tracks.get_mut(&index).into_iter().for_each(|track| track.done(now.plus(every)));
                continue;
            };
            let is_busy = self.flights.values().any(|flight| flight.provider == by);
            let path = track.asked.iter().find(|(id, _)| *id == by).map(|(_, path)| path.clone());
            let Some(path) = path.filter(|_| ready_at <= now && !is_busy) else { continue };
            let flight = Flight { about: About::News(index), provider: by, since: now };
            if self.send(flight, path, PATIENCE, budget, now, out)
                && let Some(track) = self.news_tracks.get_mut(&index)
            {
                track.is_flying = true;
                track.tried.push(by);
            }
        }
    }

    /// Takes headlines. What they are about is what their publisher says, or else the instrument that was asked about.
    pub(super) fn take_news(&mut self, index: u64, by: ProviderId, told: Vec<Told>, now: WallTime) {
        let every = Duration::seconds(i64::from(self.table.news.every_minutes) * 60);
        let Some(track) = self.news_tracks.get_mut(&index) else { return };
        track.done(now.plus(every));
        let asked = track.about;
        for one in told {
            let named = |symbol: &String| self.watched.iter().find(|watched| watched.symbol == *symbol);
            let about: Vec<InstrumentId> = if one.symbols.is_empty() {
                asked.into_iter().collect()
            } else {
                one.symbols.iter().filter_map(named).map(|watched| watched.instrument).collect()
            };
            self.is_dirty |= self.news.take(vec![one], by, &about, now) > 0;
        }
        self.news_heard = Some(now);
    }
}
