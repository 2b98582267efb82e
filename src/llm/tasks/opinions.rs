//! From a raw answer to a typed result, or to the reason why there is none.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::RiskLevel;
use crate::llm::answer::{Abstention, Answer};
use crate::llm::tasks::{
    ACTIONS, Action, CheckedText, Comment, Confidence, FactTable, Flag, Horizon, LEVELS, MOODS, Mood, MoodClass, RiskView,
    SignalView,
};
use crate::llm::weigh;

/// Most facts that an opinion may rest on.
const MOST_DRIVERS: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignal {
    action: Action,
    horizon: Horizon,
    drivers: Vec<String>,
    flags: Vec<Flag>,
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRisk {
    level: RiskLevel,
    drivers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMood {
    mood: MoodClass,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawComment {
    text: String,
}

/// Reads an opinion on an instrument. Flags that the facts do not bear out are left out; a driver that is no fact makes it unusable.
pub fn read_signal(answer: &Answer, table: &FactTable) -> Result<SignalView, Abstention> {
    let raw: RawSignal = parsed(answer)?;
    let mut flags: Vec<Flag> = Vec::new();
    for flag in raw.flags {
        if flag.holds(table) && !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    Ok(SignalView {
        action: raw.action,
        confidence: confidence(answer, label(&ACTIONS, raw.action.word())),
        horizon: raw.horizon,
        drivers: drivers(&raw.drivers, table)?,
        flags,
        note: checked(&raw.note, table)?,
    })
}

/// Reads an opinion on a danger.
pub fn read_risk(answer: &Answer, table: &FactTable) -> Result<RiskView, Abstention> {
    let raw: RawRisk = parsed(answer)?;
    Ok(RiskView {
        level: raw.level,
        confidence: confidence(answer, label(&LEVELS, raw.level.word())),
        drivers: drivers(&raw.drivers, table)?,
    })
}

/// Reads the mood of a headline.
pub fn read_mood(answer: &Answer) -> Result<Mood, Abstention> {
    let raw: RawMood = parsed(answer)?;
    let value = match weighed(answer, MOODS.len()).as_deref() {
        Some([positive, _, negative]) => Some(positive - negative),
        Some(_) | None => None,
    };
    Ok(Mood { class: raw.mood, value, confidence: confidence(answer, label(&MOODS, raw.mood.word())) })
}

/// Reads a comment.
pub fn read_comment(answer: &Answer, table: &FactTable) -> Result<Comment, Abstention> {
    let raw: RawComment = parsed(answer)?;
    Ok(Comment { text: checked(&raw.text, table)? })
}

impl Action {
    /// The word it is written with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Hold => "hold",
        }
    }
}

impl MoodClass {
    /// The word it is written with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Neutral => "neutral",
            Self::Negative => "negative",
        }
    }
}

impl Horizon {
    /// Daily bars that it looks ahead.
    pub const fn bars(self) -> u32 {
        match self {
            Self::Day => 1,
            Self::Week => 5,
            Self::Month => 21,
        }
    }
}

impl Flag {
    /// Whether the facts bear it out.
    pub fn holds(self, table: &FactTable) -> bool {
        let value = |id: &str| table.get(id).map(|fact| fact.rounded());
        match self {
            Self::Unusual => value("sigma").is_some_and(|sigma| sigma.abs() >= 2.0),
            Self::Volatile => value("vol").is_some_and(|volatility| volatility >= 40.0),
            Self::Mixed => value("week").zip(value("trend")).is_some_and(|(week, trend)| week * trend < 0.0),
            Self::Thin => table.facts().len() < FactTable::MOST,
        }
    }
}

fn parsed<T: DeserializeOwned>(answer: &Answer) -> Result<T, Abstention> {
    serde_json::from_str(&answer.text).map_err(|error| Abstention::Unusable(error.to_string()))
}

fn drivers(names: &[String], table: &FactTable) -> Result<Vec<&'static str>, Abstention> {
    let mut drivers: Vec<&'static str> = Vec::new();
    for name in names {
        let id = table.ids().find(|id| id == name);
        let id = id.ok_or_else(|| Abstention::Unusable("it rests on something that is no fact".to_owned()))?;
        if !drivers.contains(&id) {
            drivers.push(id);
        }
    }
    let fits = (1..=MOST_DRIVERS).contains(&drivers.len());
    if fits { Ok(drivers) } else { Err(Abstention::Unusable(format!("it rests on {} facts", drivers.len()))) }
}

/// A text with its numbers checked, cut to whole sentences; one without a letter is unusable.
fn checked(text: &str, table: &FactTable) -> Result<CheckedText, Abstention> {
    let checked = CheckedText::check(&whole_sentences(text.trim()), table);
    let says_something = checked.text.as_str().chars().any(char::is_alphabetic);
    if says_something { Ok(checked) } else { Err(Abstention::Unusable("its text says nothing".to_owned())) }
}

/// Drops a sentence that was cut off, where a whole one stands before it; marks the cut otherwise.
fn whole_sentences(text: &str) -> String {
    let ends = |letter: char| matches!(letter, '.' | '!' | '?' | '…');
    if text.ends_with(ends) || text.is_empty() {
        return text.to_owned();
    }
    let last = text.match_indices(ends).rfind(|(at, end)| text.get(at + end.len()..).is_some_and(|rest| rest.starts_with(' ')));
    match last.and_then(|(at, end)| text.get(..at + end.len())) {
        Some(whole) => whole.to_owned(),
        None => format!("{text}…"),
    }
}

fn label(labels: &[&str], word: &str) -> usize {
    labels.iter().position(|label| *label == word).unwrap_or(labels.len())
}

/// The shares of the labels with the prior taken off; `None` where they are not known.
fn weighed(answer: &Answer, labels: usize) -> Option<Vec<f64>> {
    let known = answer.labels.len() == labels && answer.labels.iter().all(|chance| chance.is_finite());
    known.then(|| weigh::without_prior(&answer.labels, &answer.prior))
}

fn confidence(answer: &Answer, label: usize) -> Option<Confidence> {
    let shares = weighed(answer, answer.labels.len())?;
    let share = *shares.get(label)?;
    let next = shares.iter().enumerate().filter(|(index, _)| *index != label).map(|(_, share)| *share).fold(0.0, f64::max);
    Some(Confidence { share, margin: share - next })
}
