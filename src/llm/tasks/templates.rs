//! The prompts: files in `config/prompts/` that come with the program, each with a version and a hash that every record repeats.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::llm::ask::Task;

/// The prompt of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Of which task.
    pub task: Task,
    /// Raised with every change that may change an answer.
    pub version: u32,
    /// The static part: role, rules, examples.
    pub system: String,
    /// The question, with `{names}` in braces where values go.
    pub question: String,
    /// The question without content.
    pub content_free: Option<String>,
    /// Tokens an answer has at most.
    pub most_tokens: u32,
    /// Milliseconds after which there is no answer.
    pub deadline_ms: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub hash: String,
}

/// All prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates([Template; 4]);

/// Why a prompt cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("config/prompts/{task}.toml: {reason}", task = task.word())]
pub struct TemplateError {
    /// Whose.
    pub task: Task,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    most_tokens: u32,
    deadline_ms: u64,
    system: String,
    question: String,
    content_free: Option<String>,
}

impl Templates {
    /// Those that come with the program.
    pub fn embedded() -> Result<Self, TemplateError> {
        Ok(Self([
            Template::read(Task::Signal, include_str!("../../../config/prompts/signal.toml"))?,
            Template::read(Task::Risk, include_str!("../../../config/prompts/risk.toml"))?,
            Template::read(Task::Sentiment, include_str!("../../../config/prompts/sentiment.toml"))?,
            Template::read(Task::Commentary, include_str!("../../../config/prompts/commentary.toml"))?,
        ]))
    }

    /// A task's prompt.
    pub fn of(&self, task: Task) -> &Template {
        let [signal, risk, sentiment, commentary] = &self.0;
        match task {
            Task::Signal => signal,
            Task::Risk => risk,
            Task::Sentiment => sentiment,
            Task::Commentary => commentary,
        }
    }
}

impl Template {
    /// Reads a prompt's file.
    pub fn read(task: Task, text: &str) -> Result<Self, TemplateError> {
        let file: File = toml::from_str(text).map_err(|error| TemplateError { task, reason: error.to_string() })?;
        let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            task,
            version: file.version,
            system: file.system.trim().to_owned(),
            question: file.question.trim().to_owned(),
            content_free: file.content_free.map(|text| text.trim().to_owned()),
            most_tokens: file.most_tokens,
            deadline_ms: file.deadline_ms,
            hash,
        })
    }

    /// The question with its values. What a value says is not read again: braces in it stay braces.
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        let mut rest = self.question.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let named = after.split_once('}').and_then(|(name, behind)| {
                let value = values.iter().find(|(known, _)| *known == name)?;
                Some((value.1, behind))
            });
            match named {
                Some((value, behind)) => {
                    filled.push_str(value);
                    rest = behind;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}
