//! Stand-in.

use std::ops::Range;

use crate::domain::CleanText;
use crate::llm::answer::{Abstention, Answer};
use crate::llm::ask::{Ask, AskId, Task};
use crate::signals::Facts;

/// Terms.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Deadline.
    pub deadline_ms: u64,
}

/// Checked.
#[derive(Debug)]
pub struct CheckedText {
    /// Text.
    pub text: CleanText,
    /// Ranges.
    pub unsupported: Vec<Range<usize>>,
}

/// Asks.
pub fn comment(facts: &Facts, terms: &Terms) -> Ask {
    Ask {
        id: AskId(0),
        task: Task::Commentary,
        system: String::new(),
        question: facts.symbol.clone(),
        content_free: None,
        schema: String::new(),
        decision: None,
        most_tokens: 80,
        streams: true,
        deadline_ms: terms.deadline_ms,
    }
}

/// Reads.
pub fn read_comment(_: &Facts, answer: &Answer) -> Result<CheckedText, Abstention> {
    let read: Result<serde_json::Value, _> = serde_json::from_str(&answer.text);
    let value = read.map_err(|error| Abstention::Unusable(error.to_string()))?;
    let text = value.get("text").and_then(serde_json::Value::as_str).unwrap_or_default();
    let unsupported = text.find("77.77%").map(|at| at..at + 6).into_iter().collect();
    Ok(CheckedText { text: text.into(), unsupported })
}
