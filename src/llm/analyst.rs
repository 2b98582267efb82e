//! The model as analyst: it puts facts into words while a person reads along; where it abstains, the rules speak under their own name.

use std::sync::Arc;

use crate::domain::CleanText;
use crate::llm::answer::Abstention;
use crate::llm::answering::{Answering, Heard, Speech};
use crate::llm::asking;
use crate::signals::{Analyst, Commentary, Facts, RuleAnalyst};

/// Stands behind a number that is none of the facts.
pub const UNSUPPORTED: &str = "[?]";

/// Comments by a model.
#[derive(Debug)]
pub struct ModelAnalyst {
    desk: Arc<dyn Answering>,
    speech: Arc<Speech>,
    terms: asking::Terms,
    rules: RuleAnalyst,
}

impl ModelAnalyst {
    /// An analyst that asks this desk, and writes where others can look.
    pub fn new(desk: Arc<dyn Answering>, speech: Arc<Speech>, terms: asking::Terms) -> Self {
        Self { desk, speech, terms, rules: RuleAnalyst }
    }

    fn ask(&self, facts: &Facts) -> Result<Commentary, Abstention> {
        let author = self.desk.panel().model.as_ref().map(|model| model.name.clone()).unwrap_or_default();
        self.speech.begin(facts.instrument, author);
        let heard = self.desk.ask(asking::comment(facts, &self.terms), facts.instrument, &mut |raw| {
            self.speech.so_far(&words_so_far(raw));
        });
        let Heard { answer, by } = heard?;
        let checked = asking::read_comment(facts, &answer)?;
        let text = CleanText::from_outside(&marked(checked.text.as_str(), &checked.unsupported));
        Ok(Commentary { instrument: facts.instrument, at: facts.at, author: by.name.to_string(), text })
    }
}

impl Analyst for ModelAnalyst {
    fn comment(&mut self, facts: &Facts) -> Option<Commentary> {
        let asked = self.ask(facts);
        self.speech.end();
        match asked {
            Ok(comment) => Some(comment),
            Err(why) => {
                tracing::info!(target: "pmax::analyst", "no comment of a model on {}: {why}", facts.symbol);
                self.rules.comment(facts)
            }
        }
    }
}

/// The words of a comment that is still being written: what stands in its one string so far. Text that is no JSON is shown as it is.
fn words_so_far(raw: &str) -> String {
    let Some((_, value)) = raw.split_once(':').filter(|_| raw.trim_start().starts_with('{')) else {
        return if raw.trim_start().starts_with('{') { String::new() } else { raw.to_owned() };
    };
    let Some(inside) = value.trim_start().strip_prefix('"') else { return String::new() };
    let mut words = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => words.push(match letters.next() {
                Some('n' | 't' | 'r') => ' ',
                Some('u') => {
                    let code: String = letters.by_ref().take(4).collect();
                    u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap_or(' ')
                }
                Some(other) => other,
                // The rest of it is not written yet.
                None => break,
            }),
            other => words.push(other),
        }
    }
    words
}

/// The text with a mark behind each part of it that is a number nobody computed. Parts are byte ranges; one that does not fit is left out.
fn marked(text: &str, unsupported: &[std::ops::Range<usize>]) -> String {
    let mut ends: Vec<usize> = unsupported.iter().map(|part| part.end).filter(|end| text.is_char_boundary(*end)).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut marked = String::with_capacity(text.len() + ends.len() * UNSUPPORTED.len());
    let mut from = 0;
    for end in ends {
        marked.push_str(text.get(from..end).unwrap_or_default());
        marked.push_str(UNSUPPORTED);
        from = end;
    }
    marked.push_str(text.get(from..).unwrap_or_default());
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_out_of_an_answer_that_is_not_whole() {
        for (raw, words) in [
            ("", ""),
            ("{\"te", ""),
            ("{\"text\":", ""),
            ("{\"text\":\"It fell", "It fell"),
            ("{\"text\":\"It \\\"fell\\\" by \\u00e9\\n2\"}", "It \"fell\" by é 2"),
            ("{\"text\":\"a\\", "a"),
            ("plain words", "plain words"),
        ] {
            assert_eq!(words_so_far(raw), words, "{raw}");
        }
    }

    #[test]
    fn a_number_that_nobody_computed_is_marked_where_it_stands() {
        let text = "It fell 3.2% to 41, the most since 1987.";
        assert_eq!(marked(text, &[8..11, 16..18, 35..39]), "It fell 3.2[?]% to 41[?], the most since 1987[?].");
        assert_eq!(marked(text, &[]), text);
        assert_eq!(marked("é 5", &[0..1, 3..4, 3..90]), "é 5[?]", "what does not fit is left out");
    }
}
