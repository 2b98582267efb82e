//! The model as analyst: it puts facts into words while a person reads along; where it abstains, the rules speak under their own name.

use std::sync::Arc;

use crate::llm::answer::Abstention;
use crate::llm::answering::{Answering, Heard, Speech};
use crate::llm::ask::Task;
use crate::llm::asking::Terms;
use crate::signals::{Analyst, Commentary, Facts, RuleAnalyst};

/// Comments by a model.
#[derive(Debug)]
pub struct ModelAnalyst {
    desk: Arc<dyn Answering>,
    speech: Arc<Speech>,
    terms: Terms,
    rules: RuleAnalyst,
}

impl ModelAnalyst {
    /// An analyst that asks this desk, and writes where others can look.
    pub fn new(desk: Arc<dyn Answering>, speech: Arc<Speech>, terms: Terms) -> Self {
        Self { desk, speech, terms, rules: RuleAnalyst }
    }

    fn ask(&self, facts: &Facts) -> Result<Commentary, Abstention> {
        let author = self.desk.panel().model.as_ref().map(|model| model.name.clone()).unwrap_or_default();
        self.speech.begin(facts.instrument, author);
        let heard = self.desk.ask(self.terms.ask(Task::Commentary, facts), &mut |raw| {
            self.speech.so_far(&self.terms.named(facts, &words_so_far(raw)));
        });
        let Heard { answer, by } = heard?;
        let text = self.terms.comment(facts, &answer).inspect_err(|why| self.desk.unusable(Task::Commentary, why))?;
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
}
