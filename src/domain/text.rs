//! Text from outside, cleaned once at the door.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Text without control, escape, bidi, zero-width or tag characters, at most 400 characters.
///
/// Made only by [`CleanText::from_outside`]; what it drops cannot reach a cell of the screen or a model's prompt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct CleanText(String);

/// The longest text that is kept.
const LONGEST: usize = 400;
/// Combining marks kept on one base character.
const MOST_MARKS: usize = 4;

fn is_hostile(character: char) -> bool {
    matches!(u32::from(character),
        0x00..=0x1F | 0x7F..=0x9F | 0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F
        | 0xFEFF | 0xFFF9..=0xFFFB | 0xFE00..=0xFE0F | 0xE0000..=0xE01EF)
}

fn is_combining(character: char) -> bool {
    matches!(u32::from(character), 0x300..=0x36F | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}

impl CleanText {
    /// Drops what could move the cursor, reorder the line or hide, folds white space, and cuts the length.
    pub fn from_outside(text: &str) -> Self {
        Self(cleaned(text, LONGEST))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for CleanText {
    fn from(text: String) -> Self {
        Self::from_outside(&text)
    }
}

impl From<&str> for CleanText {
    fn from(text: &str) -> Self {
        Self::from_outside(text)
    }
}

impl fmt::Display for CleanText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Text without what [`CleanText`] drops, of another length: for sentences that quote what came from outside.
pub fn cleaned(text: &str, longest: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(longest * 4));
    let (mut marks, mut count) = (0, 0);
    for character in text.chars() {
        if count >= longest {
            break;
        }
        let space = character.is_whitespace();
        if (is_hostile(character) && !space) || (space && (clean.is_empty() || clean.ends_with(' '))) {
            continue;
        }
        marks = if is_combining(character) { marks + 1 } else { 0 };
        if marks > MOST_MARKS {
            continue;
        }
        clean.push(if space { ' ' } else { character });
        count += 1;
    }
    clean.truncate(clean.trim_end().len());
    clean
}

/// A text of a document as it stands there, borrowed where nothing in it is escaped. It is not clean: it is to be compared, not shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RawText<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl RawText<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A number with its noun: `1 order`, `2 orders`, `3 entries`.
pub fn counted<N: fmt::Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    match (number == N::from(1), noun.strip_suffix('y')) {
        (true, _) => format!("{number} {noun}"),
        (false, Some(stem)) => format!("{number} {stem}ies"),
        (false, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_is_not_many() {
        let words = [counted(1_u32, "order"), counted(0_u64, "order"), counted(2_usize, "entry"), counted(1_usize, "entry")];
        assert_eq!(words, ["1 order", "0 orders", "2 entries", "1 entry"]);
    }

    #[test]
    fn escapes_and_invisible_characters_are_dropped() {
        for (raw, clean) in [
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("a\u{202e}b\u{200b}c\u{feff}", "abc"),
            ("\u{1b}]52;c;ZXZpbA==\u{7}", "]52;c;ZXZpbA=="),
            ("  two\n\n lines\t", "two lines"),
            ("e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}\u{301}\u{301}"),
            ("\u{e0041}tag", "tag"),
        ] {
            assert_eq!(CleanText::from_outside(raw).as_str(), clean);
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in any::<String>()) {
            let once = CleanText::from_outside(&text);
            prop_assert!(once.as_str().chars().count() <= LONGEST);
            prop_assert!(!once.as_str().chars().any(is_hostile));
            prop_assert_eq!(CleanText::from_outside(once.as_str()), once);
        }
    }
}
