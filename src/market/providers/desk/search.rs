//! Looking for instruments by name: not before the words stand still, never twice for the same, and within the budget.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Duration, WallTime};
use crate::market::providers::desk::{Answer, Desk, FetchId, Output, Request};
use crate::market::providers::refusal::Means;
use crate::market::providers::view::{SearchStands, SearchView};
use crate::market::providers::{Capability, Failure, Hit, ProviderId, Refusal, search};

/// Who is asked, and what budgets call it.
const BY: ProviderId = ProviderId::Yahoo;
const ENDPOINT: &str = "search";
/// Words are asked for once they stood still for so long.
const STILL_FOR: Duration = Duration::millis(350);
/// An answer that is not there by then never comes.
const LOST_AFTER: Duration = Duration::seconds(30);
/// Answers remembered, so that a letter taken back costs no request.
const REMEMBERED: usize = 32;
/// The longest words that are asked for.
const LONGEST: usize = 64;

/// How it stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    /// What is looked for, and since when these are the words.
    wanted: Option<(String, WallTime)>,
    /// A request under way, its words and since when.
    flight: Option<(FetchId, String, WallTime)>,
    stands: Option<SearchStands>,
    remembered: VecDeque<(String, Vec<Hit>)>,
}

impl Search {
    pub(super) fn is_asked(&self, id: FetchId) -> bool {
        self.flight.as_ref().is_some_and(|(asked, ..)| *asked == id)
    }

    pub(super) fn view(&self) -> Option<Arc<SearchView>> {
        let (words, _) = self.wanted.as_ref()?;
        let stands = self.stands.clone().unwrap_or(SearchStands::Waiting);
        Some(Arc::new(SearchView { words: words.clone(), stands }))
    }

    /// The clock went back by so much.
    pub(super) fn set_back(&mut self, by: Duration) {
        self.wanted.iter_mut().for_each(|(_, since)| *since = since.before(by));
        self.flight.iter_mut().for_each(|(.., since)| *since = since.before(by));
    }

    fn remember(&mut self, words: String, hits: Vec<Hit>) {
        self.remembered.retain(|(known, _)| *known != words);
        self.remembered.push_back((words, hits));
        self.remembered.drain(..self.remembered.len().saturating_sub(REMEMBERED));
    }

    fn recall(&self, words: &str) -> Option<&Vec<Hit>> {
        self.remembered.iter().find(|(known, _)| known == words).map(|(_, hits)| hits)
    }
}

impl Desk {
    /// Takes new words.
    pub(super) fn search_for(&mut self, words: &str, now: WallTime) {
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
        if words.is_empty() {
            (self.search.wanted, self.search.stands) = (None, None);
            return;
        }
        if self.search.wanted.as_ref().is_some_and(|(known, _)| *known == words) {
            return;
        }
        self.search.stands = self.search.recall(&words).map(|hits| SearchStands::Found(hits.clone()));
        self.search.wanted = Some((words, now));
    }

    /// Asks for the words that stood still, if nobody has yet.
    pub(super) fn ask_search(&mut self, now: WallTime, out: &mut Vec<Output>) {
        if self.search.flight.as_ref().is_some_and(|(.., since)| now.since(*since).0 >= LOST_AFTER.0) {
            self.found(Err(Refusal::of(Failure::Timeout)), now);
        }
        let is_open = matches!(self.search.stands, None | Some(SearchStands::Waiting | SearchStands::Later { .. }));
        let Some((words, since)) = self.search.wanted.clone().filter(|_| is_open && self.search.flight.is_none()) else { return };
        if now.since(since).0 < STILL_FOR.0 {
            return;
        }
        if !self.table.provider.contains_key(&BY) {
            self.search.stands = Some(SearchStands::Refused("there is no provider to ask".to_owned()));
            return;
        }
        let ready = self.budget.ready_at(BY, ENDPOINT, now);
        if ready > now || !self.budget.spend(BY, ENDPOINT, now) {
            self.search.stands = Some(SearchStands::Later { until: ready });
            return;
        }
        self.keep(out);
        let id = FetchId(self.next);
        self.next += 1;
        self.search.stands = Some(SearchStands::Waiting);
        out.push(Output::Fetch(Request { id, provider: BY, path: search::path(&words) }));
        self.search.flight = Some((id, words, now));
    }

    /// Takes an answer. Words that were changed meanwhile are remembered all the same.
    pub(super) fn found(&mut self, answer: Result<Answer, Refusal>, now: WallTime) {
        let Some((_, words, _)) = self.search.flight.take() else { return };
        let retry_after = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let read = answer.and_then(|answer| search::read(answer.status, &answer.body));
        let is_wanted = self.search.wanted.as_ref().is_some_and(|(wanted, _)| *wanted == words);
        let stands = match read {
            Ok(hits) => {
                self.search.remember(words, hits.clone());
                SearchStands::Found(hits)
            }
            Err(refusal) => {
                self.rest_after(&refusal, retry_after, now);
                SearchStands::Refused(refusal.to_string())
            }
        };
        if is_wanted {
            self.search.stands = Some(stands);
        }
    }

    /// What is said to one request of a host holds for all; any other failure of a search says nothing about prices.
    fn rest_after(&mut self, refusal: &Refusal, retry_after: Option<Duration>, now: WallTime) {
        if let Means::PauseHost(asked) = refusal.failure.means() {
            let until = self.budget.pause(BY, retry_after.or(asked), now);
            self.has_pause_to_keep = true;
            for of in [Capability::Quotes, Capability::Bars] {
                self.health.get_mut(&(BY, of)).into_iter().for_each(|health| health.pause(refusal, until, now));
            }
        }
    }
}
