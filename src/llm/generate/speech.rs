//! The free text of an answer while it is written: what stands between the quotes of its notes, letter by letter.

use serde_json::Value;

use crate::domain::cleaned;

/// Follows the bytes of an answer and gives the letters of those texts that are for reading.
#[derive(Debug)]
pub(super) struct Speech {
    spoken: Vec<String>,
    depth: usize,
    key: String,
    text: Vec<u8>,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between things; the next string is a key, or a value.
    Between { value: bool },
    /// In a string.
    Within { value: bool, escaped: bool },
}

impl Speech {
    /// For a schema: the texts of its properties that are no choice.
    pub(super) fn of(schema: &str) -> Self {
        let value: Value = serde_json::from_str(schema).unwrap_or_default();
        let free =
            |property: &Value| property.get("type").and_then(Value::as_str) == Some("string") && property.get("enum").is_none();
        let properties = value.get("properties").and_then(Value::as_object);
        let spoken =
            properties.into_iter().flatten().filter(|(_, property)| free(property)).map(|(name, _)| name.clone()).collect();
        Self { spoken, depth: 0, key: String::new(), text: Vec::new(), place: Place::Between { value: false } }
    }

    /// Takes more of the answer; gives what can be read of it, in whole letters and without what could disturb a screen.
    pub(super) fn more(&mut self, bytes: &[u8]) -> String {
        let mut heard = String::new();
        for byte in bytes {
            self.byte(*byte, &mut heard);
        }
        heard
    }

    fn byte(&mut self, byte: u8, heard: &mut String) {
        match self.place {
            Place::Between { value } => match byte {
                b'"' => {
                    self.text.clear();
                    self.place = Place::Within { value, escaped: false };
                }
                b':' => self.place = Place::Between { value: true },
                b',' => self.place = Place::Between { value: false },
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            },
            Place::Within { value, escaped: false } if byte == b'\\' => self.place = Place::Within { value, escaped: true },
            Place::Within { value, escaped: false } if byte == b'"' => {
                if !value && self.depth == 1 {
                    self.key = String::from_utf8_lossy(&self.text).into_owned();
                }
                self.place = Place::Between { value: false };
            }
            Place::Within { value, .. } => {
                self.place = Place::Within { value, escaped: false };
                self.text.push(byte);
                if value && self.depth == 1 && self.spoken.contains(&self.key) {
                    self.speak(heard);
                }
            }
        }
    }

    /// Moves whole letters from the bytes to what is heard.
    fn speak(&mut self, heard: &mut String) {
        let Ok(whole) = std::str::from_utf8(&self.text) else { return };
        for letter in whole.chars() {
            if letter.is_whitespace() {
                heard.push(' ');
            } else {
                heard.push_str(&cleaned(letter.encode_utf8(&mut [0; 4]), 1));
            }
        }
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_notes_are_heard_and_in_whole_letters() {
        let schema =
            r#"{"properties":{"action":{"type":"string","enum":["buy"]},"drivers":{"type":"array"},"note":{"type":"string"}}}"#;
        let answer = "{\"action\":\"buy\",\"drivers\":[\"note\",\"x\"],\"note\":\"Up 2 €, \\\"so\\\" \u{202e}far: \\\\ ok\"}";
        let mut speech = Speech::of(schema);
        let heard: Vec<String> = answer.as_bytes().chunks(1).map(|byte| speech.more(byte)).collect();
        assert_eq!(heard.concat(), "Up 2 €, \"so\" far: \\ ok");
        assert_eq!(Speech::of(schema).more(answer.as_bytes()), heard.concat());
    }
}
