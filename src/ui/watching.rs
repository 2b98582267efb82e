//! The rows of the watchlist's window: what is watched, what is known, and what a search found.

use crate::domain::Instrument;
use crate::runtime::{Alias, FeedView, Hit, Known, ProviderId, SearchStands, SearchView};
use crate::ui::state::WatchForm;

/// One row.
#[derive(Debug, Clone)]
pub enum Row<'a> {
    /// An instrument that is watched.
    Watched(&'a Instrument),
    /// One that is known and not watched.
    Known(&'a Instrument),
    /// One that a search found, with the known one that it is, if it is one.
    Found(&'a Hit, Option<&'a Instrument>),
}

/// The words that are looked for, as they are asked for.
pub fn words(form: &WatchForm) -> String {
    form.input.value().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The search of these very words.
pub fn search<'a>(form: &WatchForm, feed: Option<&'a FeedView>) -> Option<&'a SearchView> {
    let search = feed?.search.as_deref()?;
    (search.words == words(form)).then_some(search)
}

/// The rows: the whole list, or what the words name. What is known comes first and stays where it is when a search answers.
pub fn rows<'a>(form: &WatchForm, known: &'a Known, feed: Option<&'a FeedView>) -> Vec<Row<'a>> {
    let wanted = words(form).to_lowercase();
    let is_meant = |one: &&Instrument| {
        let is_called = |alias: &Alias| alias.shown().to_lowercase().contains(&wanted);
        let is_named = known.table.known.get(&one.symbol).is_some_and(|names| names.values().any(is_called));
        is_named || [&one.symbol, &one.name].into_iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    let watched = known.watched().into_iter().filter(is_meant).map(Row::Watched);
    let others = known.unwatched().into_iter().filter(is_meant).map(Row::Known);
    let found = match search(form, feed).map(|search| &search.stands) {
        Some(SearchStands::Found(hits)) => hits.as_slice(),
        Some(SearchStands::Waiting | SearchStands::Later { .. } | SearchStands::Refused(_)) | None => &[],
    };
    let is_same = |hit: &Hit| known.table.named(ProviderId::Yahoo, &hit.symbol).and_then(|symbol| known.live(symbol));
    watched.chain(others).chain(found.iter().map(|hit| Row::Found(hit, is_same(hit)))).collect()
}
