//! What is asked about computed facts on behalf of the screen, and how an answer becomes words or an opinion.

use crate::domain::{CleanText, MarketTime, Ratio};
use crate::llm::answer::{Abstention, Answer};
use crate::llm::ask::{Ask, AskId, Task};
use crate::llm::cache::Keep;
use crate::llm::desk::Request;
use crate::llm::panel::ModelFacts;
use crate::llm::tasks::facts::NOBODY;
use crate::llm::tasks::{
    Action, CheckedText, Confidence, FactTable, Naming, TemplateError, Templates, read_comment, read_risk, read_signal,
};
use crate::signals::{Facts, Knows, Opinion, Says};

/// Stands behind a number that is none of the facts.
pub const UNSUPPORTED: &str = "[?]";

/// How tokens are taken: the likeliest one.
const SAMPLER: &str = "greedy";

/// On which terms a model is asked.
#[derive(Debug, Clone)]
pub struct Terms {
    templates: Templates,
    naming: Naming,
    commentary_ms: u64,
}

impl Terms {
    /// The prompts that come with the program; whether names and dates are told; how long a comment may take.
    pub fn new(naming: Naming, commentary_ms: u64) -> Result<Self, TemplateError> {
        Ok(Self { templates: Templates::embedded()?, naming, commentary_ms })
    }

    /// The question of a task about facts. The desk gives it its number.
    pub fn ask(&self, task: Task, facts: &Facts) -> Request {
        let template = self.templates.of(task);
        let asked = template.ask_about(AskId(0), &self.table(facts));
        let keep = Keep {
            template: template.hash.clone(),
            sampler: SAMPLER.to_owned(),
            // Names, rounded facts and the bar's time, a line each: the question is its own canonical form.
            canonical: asked.question.clone(),
            at: facts.at,
        };
        let deadline_ms = if task == Task::Commentary { self.commentary_ms } else { asked.deadline_ms };
        Request { ask: Ask { deadline_ms, ..asked }, about: facts.instrument.to_string(), keep: Some(keep) }
    }

    /// The words of a comment, each number that is no fact marked.
    pub fn comment(&self, facts: &Facts, answer: &Answer) -> Result<CleanText, Abstention> {
        let comment = read_comment(answer, &self.table(facts))?;
        Ok(self.words(facts, &comment.text))
    }

    /// An opinion; nothing but an abstention comes of an answer that cannot be read.
    pub fn opinion(&self, task: Task, facts: &Facts, heard: (&Answer, &ModelFacts)) -> Result<Opinion, Abstention> {
        let (answer, by) = heard;
        let table = self.table(facts);
        let (says, confidence, drivers, note) = match task {
            Task::Signal => {
                let view = read_signal(answer, &table)?;
                let says = match view.action {
                    Action::Buy => Says::Buy,
                    Action::Sell => Says::Sell,
                    Action::Hold => Says::Hold,
                };
                (says, view.confidence, view.drivers, self.words(facts, &view.note))
            }
            Task::Risk => {
                let view = read_risk(answer, &table)?;
                (Says::Risk(view.level), view.confidence, view.drivers, CleanText::default())
            }
            Task::Sentiment | Task::Commentary => {
                return Err(Abstention::Unusable("it is no opinion of an instrument".to_owned()));
            }
        };
        Ok(Opinion {
            instrument: facts.instrument,
            at: facts.at,
            author: by.name.clone(),
            says,
            share: confidence.and_then(share),
            knows: knows(by.knowledge_cutoff.as_ref(), facts.at),
            drivers: drivers.into_iter().map(CleanText::from).collect(),
            note,
            template: self.templates.of(task).hash.as_str().into(),
        })
    }

    fn table(&self, facts: &Facts) -> FactTable {
        FactTable::of(facts, self.naming)
    }

    /// Words for a person: marked, and with the name that the model was not told.
    fn words(&self, facts: &Facts, checked: &CheckedText) -> CleanText {
        let marked = marked(checked.text.as_str(), &checked.unsupported);
        CleanText::from_outside(&self.named(facts, &marked))
    }

    /// A text of a model with the instrument's name where it was not told one.
    pub fn named(&self, facts: &Facts, text: &str) -> String {
        match self.naming {
            Naming::Named => text.to_owned(),
            Naming::Anonymous => renamed(text, &facts.symbol),
        }
    }
}

/// A text with a name in the place of the nameless one, where that stands as a word of its own.
fn renamed(text: &str, symbol: &str) -> String {
    let is_apart = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    let (mut named, mut from) = (String::with_capacity(text.len()), 0);
    for (at, found) in text.match_indices(NOBODY) {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + found.len()..).unwrap_or_default());
        if is_apart(before.chars().next_back()) && is_apart(after.chars().next()) {
            named.push_str(text.get(from..at).unwrap_or_default());
            named.push_str(symbol);
            from = at + found.len();
        }
    }
    named.push_str(text.get(from..).unwrap_or_default());
    named
}

fn share(confidence: Confidence) -> Option<Ratio> {
    Ratio::from_f64(confidence.share)
}

/// Whether a model's training may hold what came after a bar. A month without a day is taken to its end.
fn knows(cutoff: Option<&CleanText>, at: MarketTime) -> Knows {
    let day = cutoff.and_then(|text| {
        let text = text.as_str();
        let whole = text.parse::<jiff::civil::Date>();
        whole.or_else(|_| format!("{text}-01").parse::<jiff::civil::Date>().map(jiff::civil::Date::last_of_month)).ok()
    });
    let date = jiff::tz::Offset::UTC.to_datetime(at.timestamp()).date();
    match day {
        Some(day) if date <= day => Knows::InTraining,
        Some(_) => Knows::After,
        None => Knows::Unknown,
    }
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
    fn a_number_that_nobody_computed_is_marked_where_it_stands() {
        let text = "It fell 3.2% to 41, the most since 1987.";
        assert_eq!(marked(text, &[8..12, 16..18, 35..39]), "It fell 3.2%[?] to 41[?], the most since 1987[?].");
        assert_eq!(marked(text, &[]), text);
        assert_eq!(marked("é 5", &[0..1, 3..4, 3..90]), "é 5[?]", "what does not fit is left out");
    }

    #[test]
    fn a_nameless_instrument_gets_its_name_back() {
        assert_eq!(renamed("X fell; X's MAX and X.", "XOM"), "XOM fell; XOM's MAX and XOM.");
        assert_eq!(renamed("XX", "XOM"), "XX");
    }

    #[test]
    fn a_day_in_the_training_is_known_as_one() {
        let at = |text: &str| MarketTime::parse(text).unwrap();
        for (cutoff, day, expected) in [
            (Some("2024-06-30"), "2024-06-30", Knows::InTraining),
            (Some("2024-06-30"), "2024-07-01", Knows::After),
            (Some("2024-06"), "2024-06-30", Knows::InTraining),
            (Some("2024-06"), "2024-07-01", Knows::After),
            (Some("summer"), "2024-07-01", Knows::Unknown),
            (None, "2024-07-01", Knows::Unknown),
        ] {
            assert_eq!(knows(cutoff.map(CleanText::from).as_ref(), at(day)), expected, "{cutoff:?} {day}");
        }
    }
}
