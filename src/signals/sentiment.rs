//! The mood of a headline by a lexicon: words, phrases and movements of the market's own language. Pure, and at once.
//!
//! It is a crude reader, and is labelled so. What it is worth is measured in `tests/it/sentiment.rs` on labelled texts it was not made from.

mod words;

use serde::{Deserialize, Serialize};

use crate::domain::Ratio;
use words::{BAD_MORE, DOWN, NEGATIONS, PHRASES, UP, WORDS};

/// A score beyond this is a mood.
const LINE: f64 = 0.15;
/// Half of the scale lies at this sum of weights.
const HALF: f64 = 2.0;
/// Words between a movement and what moves, at most.
const NEAR: usize = 3;
/// Words that a negation reaches over.
const NEGATES: usize = 3;
/// A word that is near another says less of it than one that stands alone: what is turned is turned so far.
const TURNED: f64 = -0.7;
/// Words of a text that are read.
const MOST_WORDS: usize = 80;

/// Which mood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// Prices are expected to fall.
    Bearish,
    /// Neither.
    Neutral,
    /// Prices are expected to rise.
    Bullish,
}

/// Who read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// The lexicon of this program.
    Lexicon,
    /// The publisher itself.
    Publisher,
}

/// The mood of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentiment {
    /// From −1 to 1.
    pub score: Ratio,
    /// In a word.
    pub mood: Mood,
    /// Who says so.
    pub by: Reader,
}

impl Sentiment {
    /// A score that somebody else gave, with the lines of this program.
    pub fn of_score(score: f64, by: Reader) -> Option<Self> {
        let score = if score.is_finite() { score.clamp(-1.0, 1.0) } else { return None };
        let mood = if score > LINE {
            Mood::Bullish
        } else if score < -LINE {
            Mood::Bearish
        } else {
            Mood::Neutral
        };
        Some(Self { score: Ratio::from_f64(score)?, mood, by })
    }

    /// Reads a text.
    pub fn read(text: &str) -> Self {
        let sum = sum_of(&tokens(text));
        let neutral = Self { score: Ratio::ZERO, mood: Mood::Neutral, by: Reader::Lexicon };
        Self::of_score(sum / (sum.abs() + HALF), Reader::Lexicon).unwrap_or(neutral)
    }
}

impl Mood {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bearish => "bearish",
            Self::Neutral => "neutral",
            Self::Bullish => "bullish",
        }
    }
}

impl Reader {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lexicon => "lexicon",
            Self::Publisher => "publisher",
        }
    }
}

/// The words of a text in small letters; names of shares say nothing.
fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('’', "'");
    let words = lower.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '\'' | '$' | '%' | '.' | '+')));
    let words = words.map(|word| word.trim_matches(['.', '\'', '+'])).filter(|word| !word.is_empty() && !word.starts_with('$'));
    words.take(MOST_WORDS).map(str::to_owned).collect()
}

fn sum_of(tokens: &[String]) -> f64 {
    let (mut sum, mut at) = (0.0, 0);
    while at < tokens.len() {
        let rest = tokens.get(at..).unwrap_or_default();
        let (weight, length) = match phrase(rest) {
            Some((weight, length)) => (weight, length),
            None => (weight_at(tokens, at), 1),
        };
        sum += if is_negated(tokens, at) { weight * TURNED } else { weight };
        at += length;
    }
    sum
}

fn is_negated(tokens: &[String], at: usize) -> bool {
    let before = tokens.get(at.saturating_sub(NEGATES)..at).unwrap_or_default();
    before.iter().any(|word| NEGATIONS.contains(&word.as_str()))
}

/// The weight of a single word; of a movement, by what moves.
fn weight_at(tokens: &[String], at: usize) -> f64 {
    let Some(word) = tokens.get(at) else { return 0.0 };
    if let Some(size) = find(UP, word).or_else(|| find(DOWN, word).map(|size| -size)) {
        let near = tokens.get(at.saturating_sub(NEAR)..(at + NEAR + 1).min(tokens.len())).unwrap_or_default();
        let is_bad = near.iter().any(|other| BAD_MORE.iter().any(|bad| is_form_of(other, bad)));
        return if is_bad { -size } else { size };
    }
    find(WORDS, word).unwrap_or(0.0)
}

fn find(list: &[(&str, f64)], word: &str) -> Option<f64> {
    list.iter().find(|(stem, _)| is_form_of(word, stem)).map(|(_, weight)| *weight)
}

/// The phrase at the beginning of these words, and how many of them it takes.
fn phrase(tokens: &[String]) -> Option<(f64, usize)> {
    PHRASES.iter().find_map(|(phrase, weight)| Some((*weight, length_of(phrase, tokens)?)))
}

fn length_of(phrase: &str, tokens: &[String]) -> Option<usize> {
    let (mut at, mut gap) = (0, 0);
    for part in phrase.split(' ') {
        if part == "*" {
            gap = 2;
            continue;
        }
        let found = (0..=gap).find(|skip| tokens.get(at + skip).is_some_and(|word| is_form_of(word, part)))?;
        (at, gap) = (at + found + 1, 0);
    }
    Some(at)
}

/// Whether a word is a form of a stem: `raises`, `raised`, `raising` of `raise`, `cutting` of `cut`, `worries` of `worry`.
fn is_form_of(word: &str, stem: &str) -> bool {
    if word == stem {
        return true;
    }
    let is_ending = |rest: &str| matches!(rest, "s" | "es" | "d" | "ed" | "ing" | "n" | "en" | "'s");
    if word.strip_prefix(stem).is_some_and(is_ending) {
        return true;
    }
    let without_e = stem.strip_suffix('e').and_then(|short| word.strip_prefix(short));
    let without_y = stem.strip_suffix('y').and_then(|short| word.strip_prefix(short));
    let doubled = stem.chars().last().and_then(|last| word.strip_prefix(stem)?.strip_prefix(last));
    without_e.is_some_and(|rest| rest == "ing")
        || without_y.is_some_and(|rest| matches!(rest, "ies" | "ied"))
        || doubled.is_some_and(|rest| matches!(rest, "ed" | "ing"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headlines_are_read_by_words_phrases_and_movements() {
        for (text, mood) in [
            ("Acme raises full-year guidance as sales jump", Mood::Bullish),
            ("Acme withdraws its 2020 guidance", Mood::Bearish),
            ("Acme Q3 EPS $1.20 beats by $0.10", Mood::Bullish),
            ("Acme misses estimates, shares plunge", Mood::Bearish),
            ("Net loss narrows at Acme", Mood::Bullish),
            ("Jobless claims rise to a record", Mood::Bearish),
            ("Unemployment falls", Mood::Bullish),
            ("Acme to hold annual meeting on May 5", Mood::Neutral),
            ("Acme upgraded to buy at Example Bank", Mood::Bullish),
            ("No recession in sight", Mood::Bullish),
            ("", Mood::Neutral),
        ] {
            let read = Sentiment::read(text);
            assert_eq!((read.mood, read.by), (mood, Reader::Lexicon), "{text}: {:?}", read.score);
        }
    }

    #[test]
    fn forms_of_a_word_are_found_and_other_words_are_not() {
        for (word, stem, is_form) in [
            ("raises", "raise", true),
            ("raising", "raise", true),
            ("cutting", "cut", true),
            ("worries", "worry", true),
            ("fallen", "fall", true),
            ("windows", "win", false),
            ("upon", "up", false),
            ("cute", "cut", false),
            ("missile", "miss", false),
        ] {
            assert_eq!(is_form_of(word, stem), is_form, "{word} of {stem}");
        }
    }

    proptest! {
        #[test]
        fn a_score_lies_between_minus_one_and_one(text in any::<String>()) {
            let score = Sentiment::read(&text).score.to_f64();
            prop_assert!((-1.0..=1.0).contains(&score));
        }
    }
}
