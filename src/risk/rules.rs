//! Breakers as data: what each watches, from which value on, what it does then and how it lets go. `config/risk.toml` is the table.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::{Duration, Ratio};
use crate::risk::{Limits, Metric, Occasion};

/// The name of a breaker: what the journal, the screen and a person's own table know it by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(Arc<str>);

/// What a person's own lock is called.
const OWN_LOCK: &str = "lock";

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called.
    pub name: RuleName,
    /// What it watches.
    pub metric: Metric,
    /// How many it looks back on, where the metric counts: [`Metric::window`] says of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// The value that trips it.
    pub limit: Limit,
    /// Whom it acts on.
    pub scope: Scope,
    /// What it does.
    pub action: Action,
    /// How it lets go.
    pub unlock: Unlock,
    /// Who answers for the number.
    pub owner: String,
    /// Why it is what it is.
    pub reason: String,
    /// When somebody last thought about it.
    pub reviewed_on: Date,
}

/// All rows, shared: a copy of the settings copies a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Rule>", into = "Vec<Rule>")]
pub struct Rules(Arc<Table>);

/// The rows, and which of them each occasion may have moved.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    rows: Vec<Rule>,
    by_occasion: [Vec<usize>; Occasion::COUNT],
}

/// A limit: a number of its own, or one of the settings under `[risk]`, so that a share that checks use too stands in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number such as 0.05, or the name of a setting such as \"risk.daily_loss\"")]
pub enum Limit {
    /// A setting.
    Setting(LimitName),
    /// A number.
    Number(Ratio),
}

/// Settings that a row may name as its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitName {
    /// `risk.drawdown_warn`
    #[serde(rename = "risk.drawdown_warn")]
    DrawdownWarn,
    /// `risk.drawdown_act`
    #[serde(rename = "risk.drawdown_act")]
    DrawdownAct,
    /// `risk.daily_loss`
    #[serde(rename = "risk.daily_loss")]
    DailyLoss,
    /// `risk.weekly_loss`
    #[serde(rename = "risk.weekly_loss")]
    WeeklyLoss,
    /// `risk.volatility_warn`
    #[serde(rename = "risk.volatility_warn")]
    VolatilityWarn,
}

/// Whom a tripped breaker acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole account.
    Account,
    /// The one instrument whose value tripped it.
    Instrument,
    /// The one source of signals whose value tripped it.
    Source,
}

/// What a tripped breaker does. None of these opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Action {
    /// Raises an alert.
    Warn,
    /// Refuses new opening orders while it is latched; what works at the broker stays.
    Block,
    /// Puts trading to REDUCING.
    Reducing,
    /// Closes this share of every position that it acts on, and lets none be opened.
    Reduce(Ratio),
    /// Closes every position that it acts on, and lets none be opened.
    Close,
    /// Puts trading to HALTED.
    Halt,
}

/// How a tripped breaker lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Unlock {
    /// Only when a person re-arms, in two steps.
    Person,
    /// At the next turn of the risk day at which its value is within the limit again; a person may re-arm before.
    Day,
    /// After so long in market time, not sooner: re-arming waits for it too.
    After(Duration),
}

/// Half of a position: what `reduce` closes where no share is written.
const HALF: Ratio = Ratio::from_nanos(500_000_000);

impl RuleName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a lock that a person set: no row of the table has it.
    pub fn own_lock() -> Self {
        Self(OWN_LOCK.into())
    }

    /// Whether it is a lock that a person set.
    pub fn is_own_lock(&self) -> bool {
        &*self.0 == OWN_LOCK
    }

    /// The name as words.
    pub fn words(&self) -> String {
        self.0.replace('_', " ")
    }
}

impl Limit {
    /// The limit's value under these settings.
    pub const fn of(self, limits: &Limits) -> Ratio {
        match self {
            Self::Number(number) => number,
            Self::Setting(LimitName::DrawdownWarn) => limits.drawdown_warn,
            Self::Setting(LimitName::DrawdownAct) => limits.drawdown_act,
            Self::Setting(LimitName::DailyLoss) => limits.daily_loss,
            Self::Setting(LimitName::WeeklyLoss) => limits.weekly_loss,
            Self::Setting(LimitName::VolatilityWarn) => limits.volatility_warn,
        }
    }
}

impl Action {
    /// What a person reads of it.
    pub fn words(self) -> String {
        match self {
            Self::Warn => "warns".to_owned(),
            Self::Block => "no new orders".to_owned(),
            Self::Reducing => "only reducing".to_owned(),
            Self::Reduce(share) => format!("closes {share:.0} % of each position"),
            Self::Close => "closes all".to_owned(),
            Self::Halt => "halts".to_owned(),
        }
    }
}

impl Rule {
    /// What contradicts itself in a row, as a sentence without its subject.
    pub fn contradiction(&self) -> Option<String> {
        let metric = self.metric;
        if !metric.scopes().contains(&self.scope) {
            let known: Vec<String> = metric.scopes().iter().map(|scope| format!("\"{scope}\"")).collect();
            return Some(format!("scope must be {} for this metric", known.join(" or ")));
        }
        match (metric.window(), self.window) {
            (None, Some(_)) => return Some("window is not for this metric: leave it out".to_owned()),
            (Some((least, most, unit)), found) if !found.is_some_and(|found| (least..=most).contains(&found)) => {
                return Some(format!("window must be a whole number of {unit} from {least} to {most}"));
            }
            (Some(_) | None, _) => {}
        }
        if self.action == Action::Warn && self.unlock == Unlock::Person {
            return Some("unlock must be \"day\" or a time for a breaker that only warns: nobody re-arms after it".to_owned());
        }
        if matches!(self.action, Action::Reducing | Action::Halt) && self.scope != Scope::Account {
            return Some(format!("action \"{}\" holds the whole account: scope must be \"account\"", String::from(self.action)));
        }
        if matches!(self.action, Action::Reduce(_) | Action::Close) && self.scope == Scope::Source {
            let what = "action must be \"warn\" or \"block\" for a source: its positions are closed by account or instrument";
            return Some(what.to_owned());
        }
        self.limit_misfit()
    }

    fn limit_misfit(&self) -> Option<String> {
        let Limit::Number(number) = self.limit else { return None };
        let unit = self.metric.unit();
        (!unit.takes(number)).then(|| format!("limit must be {}", unit.demand()))
    }
}

impl Rules {
    /// A table of these rows.
    pub fn new(rows: Vec<Rule>) -> Self {
        let moved = |occasion: Occasion| {
            let is_moved = |place: &usize| rows.get(*place).is_some_and(|rule| rule.metric.moves_with(occasion));
            (0..rows.len()).filter(is_moved).collect()
        };
        let by_occasion = Occasion::ALL.map(moved);
        Self(Arc::new(Table { rows, by_occasion }))
    }

    /// The rows whose value may have moved, in the order in which they are evaluated.
    pub fn moved_by(&self, occasion: Occasion) -> impl Iterator<Item = &Rule> {
        let places = self.0.by_occasion.get(occasion as usize).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| self.0.rows.get(*place))
    }

    /// What every run did before breakers were a table: it recorded none.
    pub fn before_the_table() -> Self {
        let row = |name: &str, metric, limit, action| Rule {
            name: RuleName(name.into()),
            metric,
            window: None,
            limit: Limit::Setting(limit),
            scope: Scope::Account,
            action,
            unlock: Unlock::Day,
            owner: String::new(),
            reason: String::new(),
            reviewed_on: Date::ZERO,
        };
        Self::new(vec![
            row("drawdown_warning", Metric::Drawdown, LimitName::DrawdownWarn, Action::Warn),
            row("drawdown", Metric::Drawdown, LimitName::DrawdownAct, Action::Reducing),
            row("daily_loss", Metric::DailyLoss, LimitName::DailyLoss, Action::Reducing),
            row("weekly_loss", Metric::WeeklyLoss, LimitName::WeeklyLoss, Action::Reducing),
            row("volatility_warning", Metric::AccountVolatility, LimitName::VolatilityWarn, Action::Warn),
        ])
    }

    /// The same without owners, reasons and dates, on which no decision depends.
    pub fn without_words(&self) -> Self {
        let bare = |rule: &Rule| Rule { owner: String::new(), reason: String::new(), reviewed_on: Date::ZERO, ..rule.clone() };
        Self::new(self.iter().map(bare).collect())
    }

    /// The rows, in the order in which they are evaluated and shown.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.rows.iter()
    }

    /// The row of this name.
    pub fn get(&self, name: &RuleName) -> Option<&Rule> {
        self.iter().find(|rule| rule.name == *name)
    }
}

impl From<Vec<Rule>> for Rules {
    fn from(rows: Vec<Rule>) -> Self {
        Self::new(rows)
    }
}

impl From<Rules> for Vec<Rule> {
    fn from(rules: Rules) -> Self {
        rules.iter().cloned().collect()
    }
}

impl TryFrom<String> for RuleName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text.is_empty() || text.len() > 24 || !text.bytes().all(is_plain) {
            return Err(format!("«{text}» is not a name: write 1 to 24 of a–z, 0–9 and _"));
        }
        Ok(Self(text.into()))
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for Action {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let share = |written: &str| {
            let share = written.parse::<crate::domain::Price>().ok().map(|value| Ratio::from_nanos(value.nanos()));
            share.filter(|share| *share > Ratio::ZERO && *share < Ratio::ONE)
        };
        match text.as_str() {
            "warn" => Ok(Self::Warn),
            "block" => Ok(Self::Block),
            "reducing" => Ok(Self::Reducing),
            "reduce" => Ok(Self::Reduce(HALF)),
            "close" => Ok(Self::Close),
            "halt" => Ok(Self::Halt),
            other => other.strip_prefix("reduce ").and_then(share).map(Self::Reduce).ok_or_else(|| {
                format!("«{other}» is not an action: write warn, block, reducing, reduce, \"reduce 0.25\" (a share below 1), close or halt")
            }),
        }
    }
}

impl From<Action> for String {
    fn from(action: Action) -> Self {
        match action {
            Action::Warn => "warn".to_owned(),
            Action::Block => "block".to_owned(),
            Action::Reducing => "reducing".to_owned(),
            Action::Reduce(share) => format!("reduce {}", crate::domain::Price::from_nanos(share.nanos())),
            Action::Close => "close".to_owned(),
            Action::Halt => "halt".to_owned(),
        }
    }
}

impl TryFrom<String> for Unlock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let timed = |text: &str| {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "m" => 60,
                "h" => 3_600,
                "d" => 86_400,
                _ => return None,
            };
            let number = number.parse::<i64>().ok().filter(|number| (1..=10_000).contains(number))?;
            Some(Self::After(Duration::seconds(number * seconds)))
        };
        match text.as_str() {
            "person" => Ok(Self::Person),
            "day" => Ok(Self::Day),
            other => timed(other).ok_or_else(|| {
                format!("«{other}» does not say how it lets go: write person, day, or a time such as 30m, 4h or 2d")
            }),
        }
    }
}

impl From<Unlock> for String {
    fn from(unlock: Unlock) -> Self {
        match unlock {
            Unlock::Person => "person".to_owned(),
            Unlock::Day => "day".to_owned(),
            Unlock::After(time) => {
                let minutes = time.0 / Duration::seconds(60).0;
                match (minutes % 1_440, minutes % 60) {
                    (0, _) => format!("{}d", minutes / 1_440),
                    (_, 0) => format!("{}h", minutes / 60),
                    (_, _) => format!("{minutes}m"),
                }
            }
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Account => "account",
            Self::Instrument => "instrument",
            Self::Source => "source",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_unlocks_are_read_as_they_are_written() {
        for word in ["warn", "block", "reducing", "reduce 0.5", "reduce 0.125", "close", "halt"] {
            assert_eq!(String::from(Action::try_from(word.to_owned()).unwrap()), word);
        }
        assert_eq!(Action::try_from("reduce".to_owned()), Ok(Action::Reduce(HALF)));
        for wrong in ["", "open", "reduce 0", "reduce 1", "reduce -0.5", "reduce much"] {
            assert!(Action::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for word in ["person", "day", "30m", "4h", "2d", "90m"] {
            assert_eq!(String::from(Unlock::try_from(word.to_owned()).unwrap()), word);
        }
        for wrong in ["", "m", "0h", "-1h", "1w", "99999999999999999999d", "ä"] {
            assert!(Unlock::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_table_survives_the_journal() {
        let rules = Rules::before_the_table();
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
        assert!(text.contains("\"risk.daily_loss\""), "{text}");
    }
}
