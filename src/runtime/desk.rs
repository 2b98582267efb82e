//! Where the screen asks what takes longer than a frame: one question at a time, answered on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::runtime::spawn_named;

/// One question waits and one is worked on; a further one is not taken.
#[derive(Debug)]
pub struct Desk<Question, Answer> {
    questions: SyncSender<Question>,
    answers: Receiver<Answer>,
}

impl<Question: Send + 'static, Answer: Send + 'static> Desk<Question, Answer> {
    /// Starts the thread. It ends with this desk.
    pub fn start(name: &str, mut answer: impl FnMut(Question) -> Answer + Send + 'static) -> std::io::Result<Self> {
        let (questions, waiting) = sync_channel(1);
        // One question waits and one is worked on: there are never more answers than that.
        let (sender, answers) = sync_channel(2);
        spawn_named(name, move || {
            while let Ok(question) = waiting.recv() {
                if sender.send(answer(question)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions, answers })
    }

    /// Asks without waiting; `false` where one question already waits.
    #[must_use]
    pub fn ask(&self, question: Question) -> bool {
        !matches!(self.questions.try_send(question), Err(TrySendError::Full(_) | TrySendError::Disconnected(_)))
    }

    /// An answer that has come since.
    pub fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}
