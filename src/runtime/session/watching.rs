//! Instruments join and leave a running engine, and what feeds it follows.

use crate::domain::Actor;
use crate::engine::{InputBody, RunInput};
use crate::runtime::session::request::WatchRequest;
use crate::runtime::session::{Answer, KEPT_ANSWERS, Running};
use crate::runtime::source::Source;

impl Running {
    /// Lets instruments join and leave, and answers why it came to nothing, or to less than was asked, if it did.
    pub(super) fn watch(&mut self, number: u64, change: WatchRequest) {
        let refusal = if !matches!(self.source, Source::Providers(_)) {
            Some("this run is not fed by public providers: its instruments are those of its tape or broker".to_owned())
        } else if self.journal_failed {
            Some("the journal cannot be written, so nothing may be done; nothing was changed".to_owned())
        } else {
            let (joins, lines) = change.joins.into_iter().unzip();
            self.source.learn(lines);
            let wish = RunInput::InstrumentsChanged { by: Actor::Person, joins, leaves: change.leaves };
            let refusal = self.input(InputBody::Run(wish));
            self.source.follow(self.engine.market().iter().map(|series| series.instrument));
            refusal
        };
        self.answer(number, refusal);
    }

    pub(super) fn answer(&mut self, number: u64, refusal: Option<String>) {
        self.answers.push_back(Answer { number, refusal });
        if self.answers.len() > KEPT_ANSWERS {
            self.answers.pop_front();
        }
    }
}
