//! What a person sees of the model: a picture for the panel, made anew whenever something changes.

use std::collections::VecDeque;

use crate::domain::{CleanText, InstrumentId, WallTime};
use crate::llm::ask::Task;

/// Abstentions that are shown.
pub const KEPT_ABSTENTIONS: usize = 32;

/// The panel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// Who answers now.
    pub rung: Rung,
    /// Since when; `None` before anything happened.
    pub since: Option<WallTime>,
    /// Why not the rung above, in a sentence; empty on the highest that was configured.
    pub why: CleanText,
    /// Every rung of the ladder from the top, with how it stands.
    pub ladder: Vec<(Rung, CleanText)>,
    /// The model, once one is loaded.
    pub model: Option<ModelFacts>,
    /// Speeds, once something was measured.
    pub speed: Speed,
    /// Questions that wait.
    pub waiting: usize,
    /// Questions that were given up for newer ones.
    pub superseded: u64,
    /// Questions answered from the cache, and not.
    pub cache: (u64, u64),
    /// Times a worker had to be started anew.
    pub restarts: u64,
    /// By task.
    pub tasks: [TaskFigures; 4],
    /// The latest abstentions, newest last.
    pub abstentions: VecDeque<(WallTime, Task, CleanText)>,
    /// What is being written now.
    pub speaking: Option<Speaking>,
}

/// A step of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rung {
    /// A server of a person's own choice.
    Remote,
    /// A model on a GPU.
    Gpu,
    /// A model on the CPU.
    Cpu,
    /// The rule-based analyst.
    #[default]
    Rules,
}

impl Rung {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Remote => "server",
            Self::Gpu => "GPU",
            Self::Cpu => "CPU",
            Self::Rules => "rules",
        }
    }
}

/// The loaded model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// Its name in the catalogue, or its file's.
    pub name: CleanText,
    /// Its architecture, e.g. `qwen2`.
    pub architecture: CleanText,
    /// How its weights are kept, e.g. `Q4_K_M`.
    pub quantisation: CleanText,
    /// Where it runs, e.g. `CPU, 2 threads`.
    pub device: CleanText,
    /// Bytes of its file.
    pub file_bytes: u64,
    /// Bytes its process holds.
    pub memory_bytes: u64,
    /// Positions it is given.
    pub context: u32,
    /// The last day its training knew of, where the catalogue says.
    pub knowledge_cutoff: Option<CleanText>,
    /// Milliseconds from its start until it was ready.
    pub loaded_ms: u64,
}

/// Speeds, of the latest answers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Speed {
    /// Tokens of prompts a second.
    pub prompt_per_second: Option<f64>,
    /// Tokens written a second.
    pub written_per_second: Option<f64>,
    /// Gigabytes of weights read a second while writing.
    pub gigabytes_per_second: Option<f64>,
    /// What the memory gives, measured when the worker started.
    pub measured_gigabytes_per_second: Option<f64>,
    /// Milliseconds to the first token of the latest answer.
    pub first_ms: Option<f64>,
}

/// What is told of a task.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TaskFigures {
    /// Questions.
    pub asked: u64,
    /// Answers.
    pub answered: u64,
    /// Abstentions.
    pub abstained: u64,
    /// Milliseconds the latest answer took from question to end.
    pub last_ms: Option<f64>,
}

/// A text that is being written.
#[derive(Debug, Clone, PartialEq)]
pub struct Speaking {
    /// About what.
    pub instrument: InstrumentId,
    /// Who writes.
    pub author: CleanText,
    /// As far as it is.
    pub text: CleanText,
}
