//! The four tasks: from computed facts and cleaned text to a question, and from a raw answer to a typed result.
//!
//! What must stay true: a result is what the model wrote and is checked, or there is none, with a reason; nothing here makes up a "hold". The model
//! writes no number that is acted on: a confidence is computed from the chances of the labels with the model's habit taken off, and says nothing
//! of being right until outcomes have shown what it is worth.

pub mod facts;
pub mod numbers;
mod opinions;
mod schemas;
pub mod templates;

use serde::{Deserialize, Serialize};

pub use facts::{Fact, FactTable, Naming, Unit};
pub use numbers::CheckedText;
pub use opinions::{read_comment, read_mood, read_risk, read_signal};
pub use schemas::schema;
pub use templates::{Template, TemplateError, Templates};

use crate::domain::{CleanText, RiskLevel};
use crate::llm::ask::{Ask, AskId, Decision, Task};

/// What a model would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A rise is likelier.
    Buy,
    /// A fall is likelier.
    Sell,
    /// Neither is. The model said so: it is not what is taken where it said nothing.
    Hold,
}

/// How far ahead it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Horizon {
    /// One daily bar.
    Day,
    /// Five.
    Week,
    /// Twenty-one.
    Month,
}

/// What a model warns of. Each can be checked against the facts, and is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    /// The last move is beyond two usual ones.
    Unusual,
    /// Volatility is 40 % a year or more.
    Volatile,
    /// The week went against the trend.
    Mixed,
    /// Some facts could not be computed.
    Thin,
}

/// How sure the model is of its label: the label's share once the prior is taken off, and how far it is ahead of the next. Uncalibrated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// From 0 to 1.
    pub share: f64,
    /// Against the best other label; below zero where another one is ahead.
    pub margin: f64,
}

/// An opinion on an instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalView {
    /// What to do.
    pub action: Action,
    /// How sure; nothing where the model's chances are not known.
    pub confidence: Option<Confidence>,
    /// How far ahead.
    pub horizon: Horizon,
    /// Names of the facts that decided, one to three.
    pub drivers: Vec<&'static str>,
    /// Warnings that the facts bear out.
    pub flags: Vec<Flag>,
    /// A sentence, its numbers checked.
    pub note: CheckedText,
}

/// An opinion on a danger.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskView {
    /// How dangerous.
    pub level: RiskLevel,
    /// How sure.
    pub confidence: Option<Confidence>,
    /// Names of the facts that decided, one to three.
    pub drivers: Vec<&'static str>,
}

/// The class of a mood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MoodClass {
    /// Good for the price.
    Positive,
    /// Neither.
    Neutral,
    /// Bad for it.
    Negative,
}

/// The mood of a headline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mood {
    /// Its class.
    pub class: MoodClass,
    /// From −1 to 1: the share of positive less that of negative; nothing where the model's chances are not known.
    pub value: Option<f64>,
    /// How sure.
    pub confidence: Option<Confidence>,
}

/// A comment on a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The text, its numbers checked.
    pub text: CheckedText,
}

/// Labels of the decision "what to do", in the order of their chances.
pub const ACTIONS: [&str; 3] = ["buy", "sell", "hold"];
/// Labels of the decision "how dangerous".
pub const LEVELS: [&str; 4] = ["low", "medium", "high", "extreme"];
/// Labels of the decision "which mood".
pub const MOODS: [&str; 3] = ["positive", "neutral", "negative"];

impl Template {
    /// The question of a task about an instrument. A task about headlines has none of these: see [`Template::ask_about_headline`].
    pub fn ask_about(&self, id: AskId, table: &FactTable) -> Ask {
        let (lines, at) = (table.lines(), table.as_of());
        let question = self.fill(&[("name", table.name()), ("facts", lines.as_str()), ("at", at.as_str())]);
        self.ask(id, question, schema(self.task, table.ids()))
    }

    /// The question about a headline. Its words are data: what could close the quotes around it, or look like a token of control, is made harmless.
    pub fn ask_about_headline(&self, id: AskId, headline: &CleanText) -> Ask {
        let question = self.fill(&[("headline", harmless(headline).as_str())]);
        self.ask(id, question, schema(self.task, std::iter::empty()))
    }

    fn ask(&self, id: AskId, question: String, schema: String) -> Ask {
        let decision = |property: &str, labels: &[&str]| Decision {
            property: property.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        };
        let decision = match self.task {
            Task::Signal => Some(decision("action", &ACTIONS)),
            Task::Risk => Some(decision("level", &LEVELS)),
            Task::Sentiment => Some(decision("mood", &MOODS)),
            Task::Commentary => None,
        };
        Ask {
            id,
            task: self.task,
            system: self.system.clone(),
            question,
            content_free: self.content_free.clone(),
            schema,
            decision,
            most_tokens: self.most_tokens,
            streams: matches!(self.task, Task::Signal | Task::Commentary),
            deadline_ms: self.deadline_ms,
        }
    }
}

/// A headline whose words stay between its quotes: angle quotes and brackets become single ones. `name` can be taken out of it with [`anonymous`].
fn harmless(headline: &CleanText) -> String {
    let single = |letter| match letter {
        '«' | '<' => '‹',
        '»' | '>' => '›',
        other => other,
    };
    headline.as_str().chars().map(single).collect()
}

/// A headline without the names that it is about, each where it stands as a word of its own, in any case.
pub fn anonymous(headline: &CleanText, names: &[&str]) -> CleanText {
    let mut text = headline.as_str().to_owned();
    for name in names.iter().filter(|name| !name.is_empty()) {
        text = without(&text, name);
    }
    CleanText::from_outside(&text)
}

fn without(text: &str, name: &str) -> String {
    let (lower, wanted) = (text.to_lowercase(), name.to_lowercase());
    if lower.len() != text.len() {
        return text.replace(name, facts::NOBODY);
    }
    let (mut kept, mut from) = (String::new(), 0);
    for (at, found) in lower.match_indices(&wanted) {
        let end = at + found.len();
        let alone = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
        let before = lower.get(..at).and_then(|text| text.chars().next_back());
        let after = lower.get(end..).and_then(|text| text.chars().next());
        if alone(before) && alone(after) && text.is_char_boundary(at) && text.is_char_boundary(end) {
            kept.push_str(text.get(from..at).unwrap_or_default());
            kept.push_str(facts::NOBODY);
            from = end;
        }
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept
}
