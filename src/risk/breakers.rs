//! Tripped breakers: latched until they let go, each by its own rule.

use serde::{Deserialize, Serialize};

use crate::domain::{Actor, InstrumentId, MarketTime, PositionId, Quantity, Ratio, SignalSource, WallTime};
use crate::risk::{Action, Metric, RuleName, Unlock};

/// Whom a tripped breaker acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The whole account.
    #[default]
    Account,
    /// One instrument.
    Instrument(InstrumentId),
    /// One source of signals.
    Source(SignalSource),
}

/// How much may be left of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which.
    pub position: PositionId,
    /// At most so much of it.
    pub at_most: Quantity,
}

/// A breaker that has tripped. Runs of before the table recorded its name as `kind`, and neither metric, time nor action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Which row of the table.
    #[serde(alias = "kind")]
    pub rule: RuleName,
    /// What it watches.
    #[serde(default)]
    pub metric: Option<Metric>,
    /// Whom it acts on.
    #[serde(default)]
    pub subject: Subject,
    /// The value that tripped it; zero for a person's own lock, which has none.
    pub value: Ratio,
    /// The limit in force then; zero for a person's own lock.
    pub limit: Ratio,
    /// What it does.
    #[serde(default = "warn")]
    pub action: Action,
    /// How it lets go.
    #[serde(default = "day")]
    pub unlock: Unlock,
    /// Who tripped it.
    #[serde(default = "engine")]
    pub who: Actor,
    /// The row's reason.
    #[serde(default)]
    pub why: String,
    /// When, in market time.
    #[serde(default)]
    pub at: MarketTime,
    /// When, on the wall clock.
    #[serde(default)]
    pub wall: WallTime,
    /// What may be left of the positions that were open then, where it reduces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
}

const fn warn() -> Action {
    Action::Warn
}

const fn day() -> Unlock {
    Unlock::Day
}

const fn engine() -> Actor {
    Actor::Engine
}

/// The breakers that are latched now, in the order in which they tripped.
///
/// One that a person overruled by re-arming while its value was still beyond the limit has no effect any more and cannot trip again: it
/// stays until the turn of a risk day at which the value is back within.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakers {
    latched: Vec<Trip>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    overruled: Vec<(RuleName, Subject)>,
    /// The timed lock that a person asked to let go of, and when: the first of two steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unlock_asked: Option<(RuleName, Subject, WallTime)>,
}

/// Whether and how a breaker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// It has not tripped.
    Free,
    /// It has tripped and only warns.
    Warned,
    /// It has tripped and acts.
    Latched,
    /// It has tripped, and a person re-armed since.
    Overruled,
}

impl Trip {
    /// When a timed lock ends.
    pub const fn ends_at(&self) -> Option<MarketTime> {
        match self.unlock {
            Unlock::After(time) => Some(self.at.plus(time)),
            Unlock::Person | Unlock::Day => None,
        }
    }

    /// Whether re-arming lets go of it: timed locks run out by themselves.
    pub const fn yields_to_person(&self) -> bool {
        self.ends_at().is_none()
    }

    /// Value and limit in words; of a person's own lock, which has neither, its reason.
    pub fn numbers(&self) -> String {
        if self.rule.is_own_lock() {
            return self.why.clone();
        }
        let shown = |value: Ratio| self.metric.map_or_else(|| format!("{value:.2} %"), |metric| metric.shown(value));
        let verb = if self.metric.is_some_and(Metric::falls) { "below" } else { "reached" };
        format!("{} {verb} {}", shown(self.value), shown(self.limit))
    }

    /// Whether it refuses to open in this instrument for this source. What holds the whole account by the trading state is not asked here.
    fn blocks(&self, instrument: InstrumentId, source: Option<SignalSource>) -> bool {
        let acts_by_itself = match self.action {
            Action::Warn | Action::Reducing | Action::Halt => false,
            Action::Block => true,
            Action::Reduce(_) | Action::Close => self.subject != Subject::Account,
        };
        let is_meant = match self.subject {
            Subject::Account => true,
            Subject::Instrument(id) => id == instrument,
            Subject::Source(of) => source == Some(of),
        };
        acts_by_itself && is_meant
    }
}

impl Breakers {
    /// Latches a breaker; a person's own lock takes the place of the one before.
    pub fn latch(&mut self, trip: Trip) {
        if trip.rule.is_own_lock() {
            let _: Option<Trip> = self.release(&trip.rule, trip.subject);
        }
        if !self.is_latched(&trip.rule, trip.subject) {
            self.latched.push(trip);
        }
    }

    /// Lets go of a breaker. Returns what was latched.
    pub fn release(&mut self, rule: &RuleName, subject: Subject) -> Option<Trip> {
        self.unlock_asked.take_if(|(name, of, _)| (&*name, *of) == (rule, subject));
        self.overruled.retain(|(name, of)| (name, *of) != (rule, subject));
        let place = self.latched.iter().position(|trip| trip.rule == *rule && trip.subject == subject)?;
        Some(self.latched.remove(place))
    }

    /// Takes the effect of a latched breaker away.
    pub fn overrule(&mut self, rule: &RuleName, subject: Subject) {
        if self.is_latched(rule, subject) && !self.is_overruled(rule, subject) {
            self.overruled.push((rule.clone(), subject));
        }
    }

    /// Notes the first step to let go of a timed lock.
    pub fn ask_to_unlock(&mut self, rule: &RuleName, subject: Subject, wall: WallTime) {
        self.unlock_asked = Some((rule.clone(), subject, wall));
    }

    /// When a person asked to let go of a timed lock, if that waits for its second step.
    pub fn unlock_asked(&self) -> Option<WallTime> {
        self.unlock_asked.as_ref().map(|(_, _, wall)| *wall)
    }

    /// The second step did not come.
    pub fn forget_unlock(&mut self) {
        self.unlock_asked = None;
    }

    /// When a person asked to let go of this one.
    pub fn asked_to_unlock(&self, rule: &RuleName, subject: Subject) -> Option<WallTime> {
        self.unlock_asked.as_ref().filter(|(name, of, _)| (name, *of) == (rule, subject)).map(|(_, _, wall)| *wall)
    }

    /// What is latched under this name for this subject.
    pub fn find(&self, rule: &RuleName, subject: Subject) -> Option<&Trip> {
        self.latched.iter().find(|trip| trip.rule == *rule && trip.subject == subject)
    }

    /// Whether this breaker is latched, overruled or not.
    pub fn is_latched(&self, rule: &RuleName, subject: Subject) -> bool {
        self.find(rule, subject).is_some()
    }

    fn is_overruled(&self, rule: &RuleName, subject: Subject) -> bool {
        self.overruled.iter().any(|(name, of)| (name, *of) == (rule, subject))
    }

    /// What is latched, overruled or not.
    pub fn latched(&self) -> &[Trip] {
        &self.latched
    }

    /// What is latched and acts.
    pub fn acting(&self) -> impl Iterator<Item = &Trip> {
        self.latched.iter().filter(|trip| !self.is_overruled(&trip.rule, trip.subject))
    }

    /// How a trip holds.
    pub fn hold(&self, trip: &Trip) -> Hold {
        match trip.action {
            _ if self.is_overruled(&trip.rule, trip.subject) => Hold::Overruled,
            Action::Warn => Hold::Warned,
            Action::Block | Action::Reducing | Action::Reduce(_) | Action::Close | Action::Halt => Hold::Latched,
        }
    }

    /// The breaker that refuses to open in this instrument for this source, if there is one.
    pub fn blocking(&self, instrument: InstrumentId, source: Option<SignalSource>) -> Option<&Trip> {
        self.acting().find(|trip| trip.blocks(instrument, source))
    }

    /// Whether a breaker holds something that only a person lets go.
    pub fn waits_for_person(&self) -> bool {
        self.acting().any(|trip| trip.unlock == Unlock::Person && trip.action != Action::Warn)
    }

    /// Whether a breaker closes positions: of the account, or of one instrument.
    pub fn cuts(&self) -> bool {
        self.acting().any(|trip| matches!(trip.action, Action::Reduce(_) | Action::Close))
    }

    /// The least that is allowed to be left of a position by all that reduce; `None` where none does.
    pub fn allowance(&self, position: PositionId, instrument: InstrumentId) -> Option<Quantity> {
        let of_trip = |trip: &Trip| {
            let is_meant = matches!(trip.subject, Subject::Account) || trip.subject == Subject::Instrument(instrument);
            match trip.action {
                Action::Close if is_meant => Some(Quantity::ZERO),
                Action::Reduce(_) => trip.targets.iter().find(|target| target.position == position).map(|target| target.at_most),
                Action::Close | Action::Warn | Action::Block | Action::Reducing | Action::Halt => None,
            }
        };
        self.acting().filter_map(of_trip).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trip(action: &str, subject: Subject) -> Trip {
        Trip {
            rule: "test".to_owned().try_into().unwrap(),
            metric: Some(Metric::VolatilitySpike),
            subject,
            value: Ratio::ONE,
            limit: Ratio::ONE,
            action: action.to_owned().try_into().unwrap(),
            unlock: Unlock::Person,
            who: Actor::Engine,
            why: String::new(),
            at: MarketTime(0),
            wall: WallTime(0),
            targets: Vec::new(),
        }
    }

    #[test]
    fn a_trip_of_before_the_table_is_read() {
        let old = r#"{"kind":"drawdown_warning","value":"0.11","limit":"0.1","forces":null}"#;
        let read: Trip = serde_json::from_str(old).unwrap();
        assert_eq!((read.rule.as_str(), read.action, read.unlock), ("drawdown_warning", Action::Warn, Unlock::Day));
        assert_eq!(read.numbers(), "11.00 % reached 10.00 %");
    }

    #[test]
    fn what_is_overruled_acts_no_more_and_stays_latched() {
        let mut breakers = Breakers::default();
        breakers.latch(trip("block", Subject::Instrument(InstrumentId(3))));
        assert!(breakers.blocking(InstrumentId(3), None).is_some());
        assert!(breakers.blocking(InstrumentId(4), None).is_none());
        assert!(breakers.waits_for_person());
        let (rule, subject) = (breakers.latched()[0].rule.clone(), breakers.latched()[0].subject);
        breakers.overrule(&rule, subject);
        assert!(breakers.blocking(InstrumentId(3), None).is_none() && !breakers.waits_for_person());
        assert!(breakers.is_latched(&rule, subject));
        assert!(breakers.release(&rule, subject).is_some());
        assert_eq!(breakers, Breakers::default());
    }

    #[test]
    fn the_least_allowance_counts() {
        let mut breakers = Breakers::default();
        let target = Target { position: PositionId(1), at_most: Quantity::from_nanos(5) };
        breakers.latch(Trip { targets: vec![target], ..trip("reduce", Subject::Instrument(InstrumentId(3))) });
        assert_eq!(breakers.allowance(PositionId(1), InstrumentId(3)), Some(Quantity::from_nanos(5)));
        assert_eq!(breakers.allowance(PositionId(2), InstrumentId(3)), None);
        breakers.latch(trip("close", Subject::Account));
        assert_eq!(breakers.allowance(PositionId(1), InstrumentId(3)), Some(Quantity::ZERO));
        assert_eq!(breakers.allowance(PositionId(2), InstrumentId(9)), Some(Quantity::ZERO));
    }
}
