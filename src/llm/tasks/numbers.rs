//! Every number of a text held against the table of facts.
//!
//! A number is supported where a fact, rounded to as many decimals as the text gives, is that number: `1.2%` and `1%` both speak of 1.23 %, `1.3%` and
//! `1.234%` of nothing. Percent is not left out and not made up; a sign that is written is the fact's, where it has a direction; a number without a unit may be a count
//! of bars that the facts speak of, or a part of their date. Direction in words (`rose`) is not read. Numbers in words are read from two to
//! twenty and by tens; «one» is a pronoun too often. A digit that is no ASCII digit, or that stands
//! right behind a letter (`Q3`), is never supported.

use std::ops::Range;

use crate::domain::CleanText;
use crate::llm::tasks::facts::{FactTable, Unit};

/// A text, and where it says a number that no fact supports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckedText {
    /// The text.
    pub text: CleanText,
    /// Byte ranges of unsupported numbers, in order.
    pub unsupported: Vec<Range<usize>>,
}

/// A number in a text.
#[derive(Debug, Clone, PartialEq)]
struct Number {
    place: Range<usize>,
    /// `None` where it cannot be read.
    value: Option<f64>,
    decimals: usize,
    signed: bool,
    unit: Written,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Percent,
    /// Hundredths of a percent.
    BasisPoints,
    Bars,
    Nothing,
}

/// Words for numbers.
const WORDS: [(&str, f64); 27] = [
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("thirteen", 13.0),
    ("fourteen", 14.0),
    ("fifteen", 15.0),
    ("sixteen", 16.0),
    ("seventeen", 17.0),
    ("eighteen", 18.0),
    ("nineteen", 19.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
    ("seventy", 70.0),
    ("eighty", 80.0),
    ("ninety", 90.0),
    ("hundred", 100.0),
];

impl CheckedText {
    /// Cleans a text and checks its numbers.
    pub fn check(text: &str, table: &FactTable) -> Self {
        let text = CleanText::from_outside(text);
        let unsupported = numbers(text.as_str(), table.name())
            .into_iter()
            .filter(|number| !is_supported(number, table))
            .map(|number| number.place)
            .collect();
        Self { text, unsupported }
    }
}

fn is_supported(number: &Number, table: &FactTable) -> bool {
    let Some(value) = number.value else { return false };
    let whole = number.decimals == 0 && !number.signed;
    let is_window = || whole && table.windows().iter().any(|bars| f64::from(*bars) == value);
    let is_of_the_day = || whole && table.numbers_of_the_day().contains(&value);
    let is_fact = |unit: Unit, scale: f64| {
        table.facts().iter().filter(|fact| fact.unit == unit).any(|fact| {
            let right_sign = !number.signed || !fact.has_direction() || (value < 0.0) == (fact.rounded() < 0.0);
            right_sign && [fact.value, fact.rounded()].iter().any(|known| rounds_to(known * scale, value, number, fact.decimals))
        })
    };
    match number.unit {
        Written::Percent => is_fact(Unit::Percent, 1.0),
        Written::BasisPoints => is_fact(Unit::Percent, 100.0),
        Written::Bars => is_window(),
        Written::Nothing => is_fact(Unit::UsualMoves, 1.0) || is_window() || is_of_the_day(),
    }
}

/// Whether a fact is a number once it is rounded as the number is; with more decimals than the fact is shown with, it must be what is shown.
fn rounds_to(known: f64, value: f64, number: &Number, shown: usize) -> bool {
    let decimals = i32::try_from(number.decimals.min(shown)).unwrap_or(0);
    let half = if number.decimals > shown { 0.0 } else { 0.5 * 10_f64.powi(-decimals) };
    (known.abs() - value.abs()).abs() <= half + 1e-9
}

/// The numbers of a text, in order; those within the instrument's own name are none.
fn numbers(text: &str, name: &str) -> Vec<Number> {
    let names: Vec<Range<usize>> =
        if name.is_empty() { Vec::new() } else { text.match_indices(name).map(|(at, _)| at..at + name.len()).collect() };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest.chars().next() {
            Some(first) if first.is_numeric() => rest.find(|letter: char| !is_of_number(letter)).unwrap_or(rest.len()),
            Some(first) if first.is_alphabetic() => in_words(rest).map_or_else(|| first_word(rest).len(), |(length, _)| length),
            Some(first) => first.len_utf8(),
            None => 1,
        };
        let piece = rest.get(..length).unwrap_or(rest).trim_end_matches(['.', ',']);
        let piece = if piece.is_empty() { rest.get(..length).unwrap_or(rest) } else { piece };
        let place = at..at + piece.len();
        if !names.iter().any(|name| name.start <= place.start && place.end <= name.end) {
            found.extend(read(text, &place, piece));
        }
        at += piece.len();
    }
    found
}

fn first_word(text: &str) -> &str {
    text.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default()
}

/// The number that a text begins with in words, and its bytes: `five`, `twenty`, `twenty-five`.
fn in_words(text: &str) -> Option<(usize, f64)> {
    let known = |wanted: &str| WORDS.iter().find(|(word, _)| wanted.eq_ignore_ascii_case(word)).map(|(_, value)| *value);
    let word = first_word(text);
    let value = known(word)?;
    let unit = text.get(word.len()..)?.strip_prefix(['-', ' ']).map(first_word).unwrap_or_default();
    let units = if unit.eq_ignore_ascii_case("one") { Some(1.0) } else { known(unit) };
    let is_tens = (20.0..100.0).contains(&value);
    Some(match units.filter(|units| is_tens && *units < 10.0) {
        Some(units) => (word.len() + 1 + unit.len(), value + units),
        None => (word.len(), value),
    })
}

fn is_of_number(letter: char) -> bool {
    letter.is_numeric() || matches!(letter, '.' | ',')
}

fn read(text: &str, place: &Range<usize>, piece: &str) -> Option<Number> {
    let after = text.get(place.end..).unwrap_or_default();
    let (unit, unit_length) = unit_of(after);
    if piece.chars().next().is_some_and(char::is_alphabetic) {
        let (_, value) = in_words(piece)?;
        let end = if unit == Written::Bars { place.end } else { place.end + unit_length };
        return Some(Number { place: place.start..end, value: Some(value), decimals: 0, signed: false, unit });
    }
    if !piece.chars().next().is_some_and(char::is_numeric) {
        return None;
    }
    let before = text.get(..place.start).unwrap_or_default();
    let (negative, sign_length) = sign_of(before);
    let grouped = |part: &str| part.split(',').skip(1).all(|group| group.len() == 3);
    let (whole, decimals) = piece.split_once('.').unwrap_or((piece, ""));
    let readable = piece.is_ascii() && grouped(whole) && !decimals.contains([',', '.']);
    let glued =
        after.chars().next().is_some_and(|next| next.is_alphabetic() && !after.starts_with('x') && unit == Written::Nothing);
    let behind_a_letter = before.chars().next_back().is_some_and(char::is_alphabetic);
    let value = piece.replace(',', "").parse::<f64>().ok().filter(|_| readable && !glued && !behind_a_letter);
    Some(Number {
        place: place.start - sign_length..if unit == Written::Bars { place.end } else { place.end + unit_length },
        value: value.map(|value| if negative == Some(true) { -value } else { value }),
        decimals: decimals.len(),
        signed: negative.is_some(),
        unit,
    })
}

/// The sign before a number, and its bytes. A hyphen behind a letter or a digit is none.
fn sign_of(before: &str) -> (Option<bool>, usize) {
    let mut letters = before.chars().rev();
    match (letters.next(), letters.next()) {
        (Some('+'), _) => (Some(false), 1),
        (Some('-'), previous) if !previous.is_some_and(char::is_alphanumeric) => (Some(true), 1),
        (Some('\u{2212}'), _) => (Some(true), '\u{2212}'.len_utf8()),
        _ => (None, 0),
    }
}

/// The unit after a number, and its bytes.
fn unit_of(after: &str) -> (Written, usize) {
    let trimmed = after.trim_start_matches([' ', '-']);
    let gap = after.len() - trimmed.len();
    if let Some(sign) = trimmed.chars().next().filter(|sign| matches!(sign, '%' | '％' | '٪')) {
        return (Written::Percent, gap + sign.len_utf8());
    }
    let word = trimmed.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
    let length = gap + word.len();
    match word.to_lowercase().as_str() {
        "percent" | "pct" | "percentage" => (Written::Percent, length),
        "per" if trimmed.to_lowercase().starts_with("per cent") => (Written::Percent, gap + "per cent".len()),
        "basis" | "bp" | "bps" => (Written::BasisPoints, length),
        "bar" | "bars" | "day" | "days" => (Written::Bars, length),
        _ => (Written::Nothing, 0),
    }
}
