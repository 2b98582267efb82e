//! Whatever a model computes, what it writes parses and is what was asked for.

use pmax::llm::answer::Abstention;
use pmax::llm::ask::Task;
use pmax::llm::grammar::{Grammars, hygiene};
use pmax::llm::tasks::schema;
use serde_json::{Map, Value, json};

use crate::llm_fakes::{COLUMNS, Fake, ask, generator, mixed, one, oracle, tokenizer};

/// Seeded chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mixed(self.0);
        self.0 % bound
    }
}

const NAMES: [&str; 10] = ["action", "note", "k", "a b", "größe", "x1", "level", "flags", "deep", "quote\"d"];

fn random_schema(dice: &mut Dice, depth: u64) -> Value {
    match dice.below(if depth == 0 { 5 } else { 7 }) {
        0 => json!({ "type": "boolean" }),
        1 => {
            let low = dice.below(400).cast_signed() - 200;
            json!({ "type": "integer", "minimum": low, "maximum": low + dice.below(300).cast_signed() })
        }
        2 => {
            let some: Vec<String> =
                (0..=dice.below(4)).map(|index| format!("{}{index}", NAMES[dice.below(10) as usize])).collect();
            json!({ "type": "string", "enum": some })
        }
        3 | 4 => {
            let least = dice.below(3);
            json!({ "type": "string", "minLength": least, "maxLength": least + dice.below(12) })
        }
        5 => {
            let least = dice.below(2);
            json!({ "type": "array", "items": random_schema(dice, depth - 1), "minItems": least, "maxItems": least + dice.below(3) })
        }
        _ => random_object(dice, depth - 1),
    }
}

fn random_object(dice: &mut Dice, depth: u64) -> Value {
    let count = 1 + dice.below(3);
    let first = dice.below(10);
    let properties: Map<String, Value> =
        (0..count).map(|index| (NAMES[((first + index) % 10) as usize].to_owned(), random_schema(dice, depth))).collect();
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// Whether a value is what a schema of [`random_schema`] asks for; properties in their order.
fn is_by(schema: &Value, value: &Value) -> bool {
    let number = |key: &str| schema[key].as_i64().unwrap();
    let within = |length: usize, least: &str, most: &str| (number(least)..=number(most)).contains(&(length as i64));
    match schema["type"].as_str().unwrap() {
        "boolean" => value.is_boolean(),
        // A grammar may write −0, which is a whole number of JSON.
        "integer" => {
            let whole = value.as_i64().or((value.as_f64() == Some(0.0)).then_some(0));
            whole.is_some_and(|whole| (number("minimum")..=number("maximum")).contains(&whole))
        }
        "string" => match schema.get("enum") {
            Some(labels) => labels.as_array().unwrap().contains(value),
            None => value.as_str().is_some_and(|text| within(text.chars().count(), "minLength", "maxLength")),
        },
        "array" => value.as_array().is_some_and(|items| {
            within(items.len(), "minItems", "maxItems") && items.iter().all(|item| is_by(&schema["items"], item))
        }),
        _ => value.as_object().is_some_and(|object| {
            let wanted = schema["properties"].as_object().unwrap();
            object.keys().eq(wanted.keys()) && wanted.iter().all(|(name, schema)| is_by(schema, &object[name]))
        }),
    }
}

/// White space outside texts.
fn blanks(json: &str) -> usize {
    let (mut within, mut escaped, mut blanks) = (false, false, 0);
    for letter in json.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if within => escaped = true,
            '"' => within = !within,
            blank if !within && blank.is_whitespace() => blanks += 1,
            _ => {}
        }
    }
    blanks
}

#[test]
fn a_thousand_random_schemas_are_answered_by_a_thousand_random_models() {
    let mut dice = Dice(7);
    let mut generator = generator(Fake::new(11));
    let mut longest = 0;
    for round in 0..125 {
        let schemas: Vec<Value> = (0..8).map(|_| random_object(&mut dice, 2)).collect();
        let asks: Vec<_> = schemas
            .iter()
            .enumerate()
            .map(|(index, schema)| {
                assert_eq!(hygiene::faults(&schema.to_string()), [""; 0], "{schema}");
                let question = format!("Q: {round} {index}");
                pmax::llm::ask::Ask { question, ..ask(&schema.to_string(), 600) }
            })
            .collect();
        let stops = vec![pmax::llm::model::Stop::never(); 8];
        for (schema, answer) in schemas.iter().zip(generator.answer(&asks, &stops, &mut |_, _| {})) {
            let answer = answer.unwrap_or_else(|abstention| panic!("{schema}: {abstention}"));
            let value: Value = serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {}", answer.text));
            assert!(is_by(schema, &value), "{schema}\n{}", answer.text);
            assert_eq!(blanks(&answer.text), 0, "{}", answer.text);
            longest = longest.max(answer.timings.sampled_tokens + answer.timings.forced_tokens);
        }
    }
    assert!(longest > 60, "the schemas were too small to show anything: {longest}");
}

#[test]
fn an_answer_that_is_not_whole_by_its_limit_is_none() {
    let schema = json!({
        "type": "object", "required": ["a", "b", "c"], "additionalProperties": false,
        "properties": { "a": { "type": "integer", "minimum": 100, "maximum": 999 }, "b": { "type": "string", "minLength": 40, "maxLength": 90 },
                        "c": { "type": "boolean" } },
    });
    let mut generator = generator(Fake::new(3));
    for limit in 1..30 {
        match one(&mut generator, &ask(&schema.to_string(), limit)) {
            Ok(answer) => assert!(serde_json::from_str::<Value>(&answer.text).is_ok(), "{}", answer.text),
            Err(abstention) => assert!(matches!(abstention, Abstention::Unusable(_)), "{abstention}"),
        }
    }
    assert!(one(&mut generator, &ask(&schema.to_string(), 10)).is_err(), "forty letters fit into ten tokens");
    assert!(one(&mut generator, &ask(&schema.to_string(), 200)).is_ok());
}

#[test]
fn padding_controls_and_unused_tokens_are_never_allowed() {
    let tokenizer = std::sync::Arc::new(tokenizer());
    let turn_end = tokenizer.control("<|im_end|>").unwrap();
    let mut grammars = Grammars::new(std::sync::Arc::clone(&tokenizer), COLUMNS, turn_end).unwrap();
    let free = json!({ "type": "object", "required": ["t"], "additionalProperties": false, "properties": { "t": { "type": "string", "maxLength": 90 } } });
    let mut pen = grammars.open(&free.to_string()).unwrap();
    pen.take(&tokenizer.encode("{\"t\":\"x").unwrap()).unwrap();
    let mask = pen.mask().unwrap();
    assert!(mask.count() > 200, "a text is free: {}", mask.count());
    let oracle = oracle();
    for token in 0..u32::try_from(COLUMNS).unwrap() {
        let is_text = oracle["types"].get(token as usize).is_some_and(|kind| kind == 1);
        assert!(!mask.allows(token) || is_text, "token {token} is no text");
    }
    let newline = tokenizer.encode("\n").unwrap();
    assert!(!mask.allows(newline[0]), "a raw control character in a text is no JSON");
}

#[test]
fn a_model_that_loves_blanks_writes_none() {
    let tokenizer = tokenizer();
    let liked: Vec<u32> = [" ", "\n", "\t", "  "].iter().map(|blank| tokenizer.encode(blank).unwrap()[0]).collect();
    let fake = Fake { likes: liked.iter().map(|token| (*token, 50.0)).collect(), ..Fake::new(5) };
    let asked = ask(&schema(Task::Risk, ["move", "vol"].into_iter()), 60);
    let answer = one(&mut generator(fake), &asked).unwrap();
    assert_eq!(blanks(&answer.text), 0, "{}", answer.text);
}

#[test]
fn the_tasks_schemas_always_end_and_others_are_named() {
    for task in Task::ALL {
        let text = schema(task, ["move", "sigma", "vol"].into_iter());
        assert_eq!(hygiene::faults(&text), [""; 0], "{text}");
    }
    for (schema, fault) in [
        (r#"{"type":"object","properties":{},"required":[]}"#, "$: it is open to other properties"),
        (
            r#"{"type":"object","properties":{"a":{"type":"string","maxLength":9}},"required":[],"additionalProperties":false}"#,
            "$.a: it may be left out",
        ),
        (
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
            "$.a: a text of more than 600 letters",
        ),
        (
            r#"{"type":"object","properties":{"a":{"type":"number"}},"required":["a"],"additionalProperties":false}"#,
            "$.a: «number» is no type that always ends",
        ),
        (
            r##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"],"additionalProperties":false}"##,
            "$.a: «$ref» is not used",
        ),
        (
            r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"null"}}},"required":["a"],"additionalProperties":false}"#,
            "$.a: a list of more than 8",
        ),
        (
            r#"{"type":"object","properties":{"a":{"enum":[]}},"required":["a"],"additionalProperties":false}"#,
            "$.a: nothing to choose from",
        ),
        ("[]", "$: it is no object's schema"),
    ] {
        assert!(hygiene::faults(schema).contains(&fault.to_owned()), "{schema}: {:?}", hygiene::faults(schema));
    }
}

#[test]
fn a_schema_that_is_none_is_an_abstention() {
    let mut generator = generator(Fake::new(1));
    for schema in ["", "[]", "{", r#"{"type":"object","properties":{"a":{"$ref":"elsewhere.json"}},"required":["a"]}"#] {
        assert!(matches!(one(&mut generator, &ask(schema, 50)), Err(Abstention::Unusable(_))), "{schema}");
    }
}
