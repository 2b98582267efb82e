//! Timed locks under a person's hand: setting one, making it longer, and letting go of one before its time.
//!
//! A lock refuses new orders in an instrument, or in the whole account, for so much market time. To set one or to make it longer takes
//! one step, since it only makes trading stricter. To let go of a timed lock early, one's own or a breaker's, takes two within a minute,
//! with a reason that the journal keeps. The trading state is not touched: what a breaker has put to REDUCING is re-armed apart.

use crate::domain::{Actor, AlertTopic, CleanText, Duration, Ratio, Severity};
use crate::engine::commands::REARM_WINDOW;
use crate::engine::record::{Record, TradingRecord};
use crate::engine::{Engine, Outcome};
use crate::risk::{Action, RuleName, Subject, Trip, Unlock};

impl Engine {
    /// Locks an instrument or the account for so long from now; a lock that is there already is only made longer.
    pub(super) fn lock(&mut self, who: Actor, subject: Subject, time: Duration, why: &CleanText, outcome: &mut Outcome) {
        let rule = RuleName::own_lock();
        let (at, wall) = (self.market.now(), self.wall);
        let before = self.book.breakers.find(&rule, subject);
        let (about, instrument) = self.about(subject);
        if let Some(end) = before.and_then(Trip::ends_at).filter(|end| *end >= at.plus(time)) {
            let text =
                format!("nothing changed: the lock{about} holds until {end} already; `unlock` lets go sooner, in two steps");
            return self.tell(text, outcome);
        }
        if who != Actor::Person || matches!(subject, Subject::Source(_)) || time.0 <= 0 || why.as_str().is_empty() {
            return self.tell(
                "not locked: a lock takes a person, an instrument or the account, a time and a reason".to_owned(),
                outcome,
            );
        }
        let trip = Trip {
            rule,
            metric: None,
            subject,
            value: Ratio::ZERO,
            limit: Ratio::ZERO,
            action: Action::Block,
            unlock: Unlock::After(time),
            who,
            why: why.as_str().to_owned(),
            at,
            wall,
            targets: Vec::new(),
        };
        self.record(Record::Trading(TradingRecord::BreakerTripped(trip)), outcome);
        let text = format!("lock{about} until {}: {}; no new orders", at.plus(time), why.as_str());
        self.raise(Severity::Info, AlertTopic::Risk, instrument, text, outcome);
        self.withdraw_blocked(outcome);
    }

    /// Lets go of a timed lock before its time, when asked twice within a minute.
    pub(super) fn unlock(&mut self, who: Actor, rule: &RuleName, subject: Subject, why: &CleanText, outcome: &mut Outcome) {
        let (about, instrument) = self.about(subject);
        let Some(end) = self.book.breakers.find(rule, subject).and_then(Trip::ends_at) else {
            let text = format!("nothing was let go: {}{about} holds nothing for a time", rule.words());
            return self.tell(text, outcome);
        };
        if who != Actor::Person || why.as_str().is_empty() {
            return self.tell("not unlocked: it takes a person and a reason".to_owned(), outcome);
        }
        let asked = self.book.breakers.asked_to_unlock(rule, subject);
        if asked.is_none_or(|asked| self.wall >= asked.plus(REARM_WINDOW)) {
            let (rule, why, wall) = (rule.clone(), why.as_str().to_owned(), self.wall);
            self.record(Record::Trading(TradingRecord::UnlockAsked { rule, subject, who, why, wall }), outcome);
            return;
        }
        self.record(Record::Trading(TradingRecord::BreakerReleased { rule: rule.clone(), subject, who }), outcome);
        let text = format!("{}{about} let go before {end}: {}", rule.words(), why.as_str());
        self.raise(Severity::Warning, AlertTopic::Risk, instrument, text, outcome);
    }
}
