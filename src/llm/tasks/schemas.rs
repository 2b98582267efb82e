//! What an answer to each task looks like. The order of properties is the order of writing: the decision comes first.

use serde_json::{Map, Value, json};

use crate::llm::ask::Task;
use crate::llm::tasks::{ACTIONS, LEVELS, MOODS};

/// Letters of a note.
pub(super) const NOTE: usize = 160;
/// Letters of a comment.
pub(super) const COMMENT: usize = 320;

/// The schema of a task, for the facts that there are. It is the same text for the same facts.
pub fn schema(task: Task, facts: impl Iterator<Item = &'static str>) -> String {
    let facts: Vec<&str> = facts.collect();
    let drivers = json!({ "type": "array", "items": { "type": "string", "enum": facts }, "minItems": 1, "maxItems": 3 });
    let one_of = |labels: &[&str]| json!({ "type": "string", "enum": labels });
    let flags =
        json!({ "type": "array", "items": one_of(&["unusual", "volatile", "mixed", "thin"]), "minItems": 0, "maxItems": 3 });
    let text = |least: usize, most: usize| json!({ "type": "string", "minLength": least, "maxLength": most });
    let properties = match task {
        Task::Signal => vec![
            ("action", one_of(&ACTIONS)),
            ("horizon", one_of(&["day", "week", "month"])),
            ("drivers", drivers),
            ("flags", flags),
            ("note", text(8, NOTE)),
        ],
        Task::Risk => vec![("level", one_of(&LEVELS)), ("drivers", drivers)],
        Task::Sentiment => vec![("mood", one_of(&MOODS))],
        Task::Commentary => vec![("text", text(20, COMMENT))],
    };
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false }).to_string()
}
