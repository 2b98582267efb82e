//! What the panel tells in figures, collected answer by answer.

use std::collections::VecDeque;

use crate::domain::{CleanText, WallTime};
use crate::llm::answer::{Abstention, Answer};
use crate::llm::ask::Task;
use crate::llm::panel::{KEPT_ABSTENTIONS, Speed, TaskFigures};

/// Figures of a desk.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) tasks: [TaskFigures; 4],
    pub(super) speed: Speed,
    pub(super) abstentions: VecDeque<(WallTime, Task, CleanText)>,
    /// Answered from the cache, and not.
    pub(super) cache: (u64, u64),
}

impl Figures {
    fn of(&mut self, task: Task) -> Option<&mut TaskFigures> {
        let place = Task::ALL.iter().position(|one| *one == task)?;
        self.tasks.get_mut(place)
    }

    /// A question.
    pub(super) fn asked(&mut self, task: Task) {
        if let Some(figures) = self.of(task) {
            figures.asked += 1;
        }
    }

    /// An answer that a model computed, of `token_bytes` read for each token.
    pub(super) fn computed(&mut self, answer: &Answer, token_bytes: Option<u64>) {
        let timings = answer.timings;
        let written = f64::from(timings.sampled_tokens + timings.forced_tokens);
        self.speed.prompt_per_second = rate(timings.prompt_tokens.into(), timings.prompt_ms).or(self.speed.prompt_per_second);
        self.speed.written_per_second = rate(written, timings.writing_ms).or(self.speed.written_per_second);
        self.speed.first_ms = Some(timings.first_ms);
        // Weights are read once for each sampled token of all rows together; runs of forced tokens are left out, so this is a lower bound.
        let passes = rate(timings.sampled_tokens.into(), timings.writing_ms);
        let gigabytes = passes.zip(token_bytes.filter(|bytes| *bytes > 0)).map(|(passes, bytes)| passes * bytes as f64 / 1e9);
        self.speed.gigabytes_per_second = gigabytes.or(self.speed.gigabytes_per_second);
    }

    /// An answer reached who asked.
    pub(super) fn answered(&mut self, task: Task, milliseconds: f64) {
        if let Some(figures) = self.of(task) {
            figures.answered += 1;
            figures.last_ms = Some(milliseconds);
        }
    }

    /// An answer counts as none: whoever asked could not use it.
    pub(super) fn unusable(&mut self, task: Task, why: &Abstention, at: WallTime) {
        if let Some(figures) = self.of(task) {
            figures.answered = figures.answered.saturating_sub(1);
        }
        self.abstained(task, why, at);
    }

    /// There was no answer.
    pub(super) fn abstained(&mut self, task: Task, why: &Abstention, at: WallTime) {
        if let Some(figures) = self.of(task) {
            figures.abstained += 1;
        }
        if self.abstentions.len() >= KEPT_ABSTENTIONS {
            self.abstentions.pop_front();
        }
        self.abstentions.push_back((at, task, CleanText::from_outside(&why.to_string())));
    }
}

fn rate(count: f64, milliseconds: f64) -> Option<f64> {
    (count > 0.0 && milliseconds > 0.0).then(|| count / milliseconds * 1e3)
}
