//! The facts of a header, each asked for by name and type.

use std::collections::BTreeMap;

use crate::llm::gguf::GgufError;

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number of any width.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// Many whole numbers.
    Integers(Vec<i64>),
    /// Many numbers with fractions.
    Floats(Vec<f32>),
    /// Many texts.
    Texts(Vec<String>),
}

/// The facts of a header.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    values: BTreeMap<String, Value>,
}

impl Metadata {
    /// A fact by its name.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Whether there is one of that name.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// All names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<&str, GgufError> {
        self.typed(key, "text", |value| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Result<i64, GgufError> {
        self.typed(key, "whole number", |value| if let Value::Integer(number) = value { Some(*number) } else { None })
    }

    /// A whole number that counts something.
    pub fn count(&self, key: &str) -> Result<usize, GgufError> {
        let number = self.integer(key)?;
        usize::try_from(number).map_err(|_| GgufError::Mistyped { key: key.to_owned(), wanted: "count" })
    }

    /// A finite number, whole or not.
    pub fn float(&self, key: &str) -> Result<f64, GgufError> {
        self.typed(key, "number", |value| match value {
            Value::Float(number) if number.is_finite() => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "no fact about a model is beyond 2^53")]
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        })
    }

    /// Yes or no.
    pub fn flag(&self, key: &str) -> Result<bool, GgufError> {
        self.typed(key, "yes or no", |value| if let Value::Flag(flag) = value { Some(*flag) } else { None })
    }

    /// Many texts, e.g. `tokenizer.ggml.tokens`.
    pub fn strings(&self, key: &str) -> Result<&[String], GgufError> {
        self.typed(key, "list of texts", |value| if let Value::Texts(texts) = value { Some(texts.as_slice()) } else { None })
    }

    /// Many whole numbers, e.g. `tokenizer.ggml.token_type`.
    pub fn integers(&self, key: &str) -> Result<&[i64], GgufError> {
        self.typed(key, "list of whole numbers", |value| {
            if let Value::Integers(numbers) = value { Some(numbers.as_slice()) } else { None }
        })
    }

    /// Many numbers, e.g. `tokenizer.ggml.scores`.
    pub fn floats(&self, key: &str) -> Result<&[f32], GgufError> {
        self.typed(
            key,
            "list of numbers",
            |value| if let Value::Floats(numbers) = value { Some(numbers.as_slice()) } else { None },
        )
    }

    /// What a reading above gives, with `None` for a fact that is not there; one of a wrong type is still an error.
    pub fn optional<T>(reading: Result<T, GgufError>) -> Result<Option<T>, GgufError> {
        match reading {
            Ok(value) => Ok(Some(value)),
            Err(GgufError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a fact; gives it back where one of that name is there already.
    pub fn insert(&mut self, key: String, value: Value) -> Result<(), GgufError> {
        if self.values.contains_key(&key) {
            return Err(GgufError::Twice(key));
        }
        self.values.insert(key, value);
        Ok(())
    }

    /// All facts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, GgufError> {
        let value = self.values.get(key).ok_or_else(|| GgufError::Missing(key.to_owned()))?;
        read(value).ok_or_else(|| GgufError::Mistyped { key: key.to_owned(), wanted })
    }
}
