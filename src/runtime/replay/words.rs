//! Two records that ought to be the same, and what differs, in words.

use serde_json::Value;

use crate::engine::Record;

/// Parts that are named one by one; what is more is counted.
const NAMED: usize = 3;

/// What kind of decision a record is, e.g. `order: confirmed`.
pub(super) fn kind(record: &Record) -> String {
    serde_json::to_value(record).map_or_else(|_| "a decision without words".to_owned(), |value| kind_of(&value))
}

/// Which parts differ, and how.
pub(super) fn difference(recorded: &Record, decided: &Record) -> String {
    let (Ok(recorded), Ok(decided)) = (serde_json::to_value(recorded), serde_json::to_value(decided)) else {
        return "the two cannot be put into words".to_owned();
    };
    let (was, is) = (kind_of(&recorded), kind_of(&decided));
    if was != is {
        return format!("the journal has «{was}», this program decides «{is}»");
    }
    let mut parts = Vec::new();
    collect(&recorded, &decided, &mut Vec::new(), &mut parts);
    let more = parts.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    parts.truncate(NAMED);
    format!("both have «{was}», but {}{rest}", parts.join(", "))
}

/// The tags of the nested enums: a record's room, then its kind.
fn kind_of(value: &Value) -> String {
    let Some((room, inner)) = only_entry(value) else { return shown(value) };
    let tag = match inner {
        Value::String(tag) => Some(tag),
        other => only_entry(other).map(|(tag, _)| tag),
    };
    tag.map_or_else(|| spaced(room), |tag| format!("{}: {}", spaced(room), spaced(tag)))
}

fn only_entry(value: &Value) -> Option<(&String, &Value)> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.iter().next()
}

fn spaced(tag: &str) -> String {
    tag.replace('_', " ")
}

fn collect<'a>(was: &'a Value, is: &'a Value, path: &mut Vec<&'a str>, parts: &mut Vec<String>) {
    if was == is {
        return;
    }
    if let (Value::Object(left), Value::Object(right)) = (was, is)
        && left.keys().eq(right.keys())
    {
        for (key, value) in left {
            path.push(key);
            collect(value, right.get(key).unwrap_or(&Value::Null), path, parts);
            path.pop();
        }
        return;
    }
    // The first two steps are the kind, which was said.
    let name = path.get(2..).unwrap_or_default().join(".");
    parts.push(format!("{} is {} in the journal and {} here", spaced(&name), shown(was), shown(is)));
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("«{text}»"),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(80).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, MarketTime, Mode, TradingState, WallTime};
    use crate::engine::TradingRecord;

    fn halted(why: &str, at: i64) -> Record {
        let (why, at, wall) = (why.to_owned(), MarketTime(at), WallTime(1));
        Record::Trading(TradingRecord::StateChanged { state: TradingState::Halted, who: Actor::Person, why, at, wall })
    }

    #[test]
    fn what_differs_is_named() {
        let mode = Record::Trading(TradingRecord::ModeChanged { mode: Mode::Paper, who: Actor::Person });
        let flat = Record::Trading(TradingRecord::FlattenAsked);
        assert_eq!(kind(&flat), "trading: flatten asked");
        for (recorded, decided, words) in [
            (&mode, &flat, "the journal has «trading: mode changed», this program decides «trading: flatten asked»"),
            (
                &halted("smoke", 5),
                &halted("fire", 5),
                "both have «trading: state changed», but why is «smoke» in the journal and «fire» here",
            ),
            (
                &halted("smoke", 5),
                &halted("smoke", 6),
                "both have «trading: state changed», but at is 5 in the journal and 6 here",
            ),
        ] {
            assert_eq!(difference(recorded, decided), words);
        }
    }
}
