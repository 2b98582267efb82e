//! The model's opinions of an instrument: what it would do, and how dangerous it thinks it is.

use std::sync::Arc;

use crate::llm::answering::Answering;
use crate::llm::ask::Task;
use crate::llm::asking::Terms;
use crate::signals::{Facts, Opine, Opinion};

/// Questions whose answers are opinions.
const ASKED: [Task; 2] = [Task::Signal, Task::Risk];

/// Opinions of a model.
#[derive(Debug)]
pub struct ModelOpinions {
    desk: Arc<dyn Answering>,
    terms: Terms,
}

impl ModelOpinions {
    /// Asks this desk.
    pub fn new(desk: Arc<dyn Answering>, terms: Terms) -> Self {
        Self { desk, terms }
    }
}

impl Opine for ModelOpinions {
    fn opine(&mut self, facts: &Facts) -> Vec<Opinion> {
        let ask = |task: &Task| {
            let heard = self.desk.ask(self.terms.ask(*task, facts), &mut |_| {});
            let read = heard.and_then(|heard| {
                let opinion = self.terms.opinion(*task, facts, (&heard.answer, &heard.by));
                opinion.inspect_err(|why| self.desk.unusable(*task, why))
            });
            read.inspect_err(
                |why| tracing::info!(target: "pmax::model", "no {} of a model on {}: {why}", task.word(), facts.symbol),
            )
        };
        ASKED.iter().filter_map(|task| ask(task).ok()).collect()
    }
}
