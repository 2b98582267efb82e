//! What a schema must be like so that an answer by it always ends: closed objects, bounded texts and lists, no number without bounds.

use serde_json::{Map, Value};

/// The longest text that a schema may allow, in letters.
const LONGEST_TEXT: u64 = 600;
/// The most entries of a list.
const MOST_ITEMS: u64 = 8;
/// Words that a schema may use; everything else is refused, above all what refers elsewhere.
const WORDS: [&str; 14] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "items",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "description",
];

/// What is wrong with a schema, each with the place; nothing where it is fit to be written by.
pub fn faults(schema: &str) -> Vec<String> {
    let mut faults = Vec::new();
    match serde_json::from_str::<Value>(schema) {
        Ok(Value::Object(object)) if object.get("type").and_then(Value::as_str) == Some("object") => {
            look(&object, "$", &mut faults)
        }
        Ok(_) => faults.push("$: it is no object's schema".to_owned()),
        Err(error) => faults.push(format!("$: {error}")),
    }
    faults
}

fn look(schema: &Map<String, Value>, place: &str, faults: &mut Vec<String>) {
    for word in schema.keys().filter(|word| !WORDS.contains(&word.as_str())) {
        faults.push(format!("{place}: «{word}» is not used"));
    }
    let bounded = |key: &str, most: u64| schema.get(key).and_then(Value::as_u64).is_some_and(|bound| bound <= most);
    if schema.contains_key("const") || schema.contains_key("enum") {
        let choices = schema.get("enum").map_or(Some(1), |choices| choices.as_array().map(Vec::len));
        if choices.is_none_or(|choices| choices == 0) {
            faults.push(format!("{place}: nothing to choose from"));
        }
        return;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => look_at_object(schema, place, faults),
        Some("array") => {
            if !bounded("maxItems", MOST_ITEMS) {
                faults.push(format!("{place}: a list of more than {MOST_ITEMS}"));
            }
            match schema.get("items") {
                Some(Value::Object(items)) => look(items, &format!("{place}[]"), faults),
                _ => faults.push(format!("{place}: a list of anything")),
            }
        }
        Some("string") if !bounded("maxLength", LONGEST_TEXT) => {
            faults.push(format!("{place}: a text of more than {LONGEST_TEXT} letters"));
        }
        Some("integer") if !["minimum", "maximum"].iter().all(|key| schema.get(*key).is_some_and(Value::is_i64)) => {
            faults.push(format!("{place}: a whole number without bounds"));
        }
        Some("string" | "integer" | "boolean" | "null") => {}
        other => faults.push(format!("{place}: «{}» is no type that always ends", other.unwrap_or("nothing"))),
    }
}

fn look_at_object(schema: &Map<String, Value>, place: &str, faults: &mut Vec<String>) {
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        faults.push(format!("{place}: it is open to other properties"));
    }
    let Some(Value::Object(properties)) = schema.get("properties") else {
        faults.push(format!("{place}: no properties"));
        return;
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in properties {
        if !required.contains(&name.as_str()) {
            faults.push(format!("{place}.{name}: it may be left out"));
        }
        match property {
            Value::Object(property) => look(property, &format!("{place}.{name}"), faults),
            _ => faults.push(format!("{place}.{name}: it is no schema")),
        }
    }
}
