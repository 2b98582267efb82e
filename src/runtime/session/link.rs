//! The way to a remote broker, watched: the screen shows it, and the engine is told when it is lost and when it is back.

use std::time::{Duration, Instant};

use crate::broker::LinkView;
use crate::engine::{InputBody, LinkStands};
use crate::runtime::session::Running;

/// How often the way to a remote broker is shown anew, where nothing else changes the picture.
const LINK_EVERY: Duration = Duration::from_millis(500);

/// A first connection that does not come within this time is news.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// What was seen last.
#[derive(Debug)]
pub(super) struct LinkWatch {
    began: Instant,
    at: Instant,
    stands: Option<LinkStands>,
}

impl LinkWatch {
    pub(super) const fn new(now: Instant) -> Self {
        Self { began: now, at: now, stands: None }
    }
}

impl Running {
    /// Looks at the link, where there is one.
    pub(super) fn look_at_link(&mut self) {
        if self.link_watch.at.elapsed() < LINK_EVERY {
            return;
        }
        let link = self.broker.link();
        if link.is_some() || self.source.is_live() {
            (self.link_watch.at, self.is_dirty) = (Instant::now(), true);
        }
        if let Some(link) = link {
            self.note_link(&link);
        }
    }

    /// The first connection is no news, a refused one is.
    fn note_link(&mut self, link: &LinkView) {
        let stands = match (link.is_ready, link.needs_person) {
            (true, _) => LinkStands::Ready,
            (false, true) => LinkStands::NeedsPerson,
            (false, false) => LinkStands::Down,
        };
        let is_news = match stands {
            LinkStands::Ready => link.connections > 1 || self.link_watch.stands.is_some(),
            LinkStands::Down => link.connections > 0 || self.link_watch.began.elapsed() >= FIRST_WITHIN,
            LinkStands::NeedsPerson => true,
        };
        if is_news && self.link_watch.stands != Some(stands) {
            self.input(InputBody::Link { stands, words: link.words.clone() });
        }
        if is_news || stands == LinkStands::Ready {
            self.link_watch.stands = Some(stands);
        }
    }
}
