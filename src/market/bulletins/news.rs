//! The headlines at hand: each once, newest first, with what they are about and the mood of their words.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{CleanText, Duration, InstrumentId, WallTime};
use crate::market::bulletins::headlines::Told;
use crate::market::providers::ProviderId;
use crate::signals::Sentiment;

/// Headlines that are kept; the oldest go.
const KEPT: usize = 500;
/// Names of headlines that are remembered, so that an old one does not come back as new.
const REMEMBERED: usize = 4_000;
/// A date so far ahead of the clock is none.
const AHEAD: Duration = Duration::seconds(600);

/// A headline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// The title.
    pub title: CleanText,
    /// Who wrote it; empty where nobody is named.
    pub publisher: CleanText,
    /// Where it stands.
    pub link: CleanText,
    /// When it was published; nothing where that is not said, and then nothing that tests may look at.
    pub at: Option<WallTime>,
    /// When it was heard here.
    pub heard: WallTime,
    /// Who told it.
    pub by: ProviderId,
    /// What it is about; may be nothing of the table.
    pub about: Vec<InstrumentId>,
    /// The mood of its words.
    pub sentiment: Sentiment,
}

/// All headlines at hand.
#[derive(Debug, Clone, Default)]
pub struct Newsroom {
    headlines: VecDeque<Arc<Headline>>,
    seen: BTreeSet<String>,
    order: VecDeque<String>,
    repeated: u64,
}

impl Headline {
    /// When it counts as said: when it was published, or else heard.
    pub fn moment(&self) -> WallTime {
        self.at.unwrap_or(self.heard)
    }
}

impl Newsroom {
    /// The headlines of before, as they were kept.
    pub fn of(headlines: Vec<Headline>) -> Self {
        let mut room = Self::default();
        for headline in headlines {
            room.remember(title_key(&headline.title));
            room.place(headline);
        }
        room
    }

    /// Takes headlines that a source told of an instrument, or of none. Says how many were new.
    pub fn take(&mut self, told: Vec<Told>, by: ProviderId, about: &[InstrumentId], now: WallTime) -> usize {
        let mut new = 0;
        for (told, about) in told.into_iter().map(|told| (told, about.to_vec())) {
            new += usize::from(self.take_one(told, by, about, now));
        }
        new
    }

    fn take_one(&mut self, told: Told, by: ProviderId, about: Vec<InstrumentId>, now: WallTime) -> bool {
        let name = (!told.id.as_str().is_empty()).then(|| format!("{by}|{}", told.id));
        let title = title_key(&told.title);
        let is_known = name.as_ref().is_some_and(|name| self.seen.contains(name)) || self.seen.contains(&title);
        if is_known {
            self.repeated += 1;
            self.add_about(&title, &about);
            return false;
        }
        name.into_iter().chain([title]).for_each(|key| self.remember(key));
        let at = told.at.filter(|at| at.since(now).0 <= AHEAD.0);
        let sentiment = Sentiment::read(told.title.as_str());
        let Told { title, publisher, link, .. } = told;
        self.place(Headline { title, publisher, link, at, heard: now, by, about, sentiment });
        true
    }

    /// The same story about another instrument too.
    fn add_about(&mut self, title: &str, about: &[InstrumentId]) {
        let same = self.headlines.iter_mut().find(|headline| title_key(&headline.title) == title);
        let Some(headline) = same.filter(|headline| about.iter().any(|id| !headline.about.contains(id))) else { return };
        let headline = Arc::make_mut(headline);
        headline.about.extend(about);
        headline.about.sort_unstable();
        headline.about.dedup();
    }

    fn place(&mut self, headline: Headline) {
        let place = self.headlines.partition_point(|other| other.moment() >= headline.moment());
        self.headlines.insert(place, Arc::new(headline));
        self.headlines.truncate(KEPT);
    }

    fn remember(&mut self, key: String) {
        if self.seen.insert(key.clone()) {
            self.order.push_back(key);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }

    /// Newest first.
    pub fn headlines(&self) -> impl Iterator<Item = &Arc<Headline>> {
        self.headlines.iter()
    }

    /// How often a headline came that was known.
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }
}

/// A title as it is compared: letters and digits in small, without the publisher that some sources add behind a dash.
fn title_key(title: &CleanText) -> String {
    let text = title.as_str();
    let text =
        text.rsplit_once(" - ").map_or(text, |(begin, end)| if end.len() <= 40 && begin.len() >= 20 { begin } else { text });
    let words = text.to_lowercase();
    let words = words.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, title: &str, at: Option<i64>) -> Told {
        Told {
            id: CleanText::from_outside(id),
            title: CleanText::from_outside(title),
            publisher: CleanText::default(),
            link: CleanText::default(),
            at: at.map(|at| WallTime(at * 1_000_000_000)),
            symbols: Vec::new(),
        }
    }

    fn titles(room: &Newsroom) -> Vec<&str> {
        room.headlines().map(|headline| headline.title.as_str()).collect()
    }

    #[test]
    fn a_story_stands_there_once_under_all_it_is_about() {
        let mut room = Newsroom::default();
        let now = WallTime(2_000_000_000_000);
        let rss = ProviderId::YahooRss;
        assert_eq!(room.take(vec![told("1", "Apple jumps on strong sales", Some(1_000))], rss, &[InstrumentId(11)], now), 1);
        let again = vec![
            told("1", "Apple jumps on strong sales (updated)", Some(1_200)),
            told("2", "APPLE JUMPS on strong sales!", Some(1_300)),
            told("3", "Apple jumps on strong sales - Example Wire", Some(1_300)),
        ];
        assert_eq!(room.take(again, rss, &[InstrumentId(3)], now), 0);
        assert_eq!(titles(&room), ["Apple jumps on strong sales"]);
        let first = room.headlines().next().unwrap();
        assert_eq!((first.about.as_slice(), first.sentiment.mood.word()), (&[InstrumentId(3), InstrumentId(11)][..], "bullish"));
        assert_eq!(room.repeated(), 3);
    }

    #[test]
    fn newest_come_first_the_oldest_go_and_what_is_undated_counts_as_heard() {
        let mut room = Newsroom::default();
        let now = WallTime(900_000 * 1_000_000_000);
        let many = (0..600).map(|count| told("", &format!("story number {count}"), Some(count))).collect();
        room.take(many, ProviderId::Fed, &[], now);
        assert_eq!((room.headlines().count(), titles(&room)[0]), (KEPT, "story number 599"));
        room.take(vec![told("", "no date", None), told("", "from the future", Some(999_999_999))], ProviderId::Fed, &[], now);
        assert_eq!(titles(&room)[..2], ["no date", "from the future"]);
        assert!(room.headlines().take(2).all(|headline| headline.at.is_none()));
        let kept: Vec<Headline> = room.headlines().map(|headline| headline.as_ref().clone()).collect();
        let mut restored = Newsroom::of(kept);
        assert_eq!(titles(&restored), titles(&room));
        assert_eq!(restored.take(vec![told("", "no date", None)], ProviderId::Fed, &[], now), 0);
    }
}
