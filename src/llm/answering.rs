//! Whoever answers questions, and what the rest of the program holds of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{CleanText, InstrumentId};
use crate::llm::answer::{Abstention, Answer};
use crate::llm::ask::Task;
use crate::llm::desk::{ModelDesk, Request};
use crate::llm::panel::{ModelFacts, Panel, Speaking};

/// How often a text is looked at while it is written: a picture's time.
const TELL_EVERY: Duration = Duration::from_millis(33);
/// How long after its deadline the desk's last word is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Answers questions: the desk with its worker, cache and ladder, or a stand-in in a test.
///
/// What must stay true: [`Answering::ask`] comes back by the question's deadline; an answer that fails is an abstention and nothing else.
pub trait Answering: Send + Sync + fmt::Debug {
    /// Asks and waits. While it writes, `tell` is given the raw text as far as it is. A newer question of the same task about the same may
    /// take its place.
    fn ask(&self, request: Request, tell: &mut dyn FnMut(&str)) -> Result<Heard, Abstention>;

    /// Hears that an answer could not be used after all, and why: the panel counts it as an abstention.
    fn unusable(&self, task: Task, why: &Abstention);

    /// How things stand. Cheap; the same allocation while nothing changed.
    fn panel(&self) -> Arc<Panel>;
}

/// An answer, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The answer.
    pub answer: Answer,
    /// The model.
    pub by: Arc<ModelFacts>,
}

/// What is being written now. One writes, others look; looking waits for nobody.
#[derive(Default)]
pub struct Speech {
    now: Mutex<(u64, Option<Speaking>)>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// How far behind those are who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Behind {
    /// Bars that wait to be asked about.
    pub waiting: usize,
    /// Bars that newer ones of the same instrument replaced before they were asked about.
    pub replaced: u64,
}

/// How the models stand, for whoever makes pictures: the panel with what is being written.
#[derive(Debug, Clone, Default)]
pub struct ModelView {
    desk: Option<Arc<dyn Answering>>,
    speech: Arc<Speech>,
    base: Arc<Panel>,
    words: u64,
    behind: Behind,
    shown: Arc<Panel>,
}

impl Answering for ModelDesk {
    fn ask(&self, request: Request, tell: &mut dyn FnMut(&str)) -> Result<Heard, Abstention> {
        let (deadline_ms, began) = (request.ask.deadline_ms, Instant::now());
        let at_most = Duration::from_millis(deadline_ms) + GRACE;
        let reply = self.asker().ask(request);
        let mut said = 0;
        loop {
            let told = reply.wait(TELL_EVERY);
            let text = reply.text();
            if text.len() > said {
                said = text.len();
                tell(&text);
            }
            match told {
                Some(told) => {
                    let by = told.model.ok_or_else(|| Abstention::NoModel("nobody says whose answer it was".to_owned()));
                    return told.answer.and_then(|answer| Ok(Heard { answer, by: by? }));
                }
                // The desk keeps deadlines; this is for a desk that does not.
                None if began.elapsed() > at_most => return Err(Abstention::Late(deadline_ms)),
                None => {}
            }
        }
    }

    fn unusable(&self, task: Task, why: &Abstention) {
        self.asker().unusable(task, why);
    }

    fn panel(&self) -> Arc<Panel> {
        self.asker().panel()
    }
}

impl Behind {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { waiting: self.waiting + other.waiting, replaced: self.replaced + other.replaced }
    }
}

impl Speech {
    /// Begins a text.
    pub fn begin(&self, instrument: InstrumentId, author: CleanText) {
        self.change(Some(Speaking { instrument, author, text: CleanText::default() }));
    }

    /// Tells the text as far as it is.
    pub fn so_far(&self, text: &str) {
        let speaking = self.locked().1.clone();
        self.change(speaking.map(|speaking| Speaking { text: CleanText::from_outside(text), ..speaking }));
    }

    /// Nothing is being written any more.
    pub fn end(&self) {
        self.change(None);
    }

    /// How often it changed, and what it is.
    pub fn look(&self) -> (u64, Option<Speaking>) {
        self.locked().clone()
    }

    /// Whom to call when it has changed; the first one stays.
    pub fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _: Result<(), _> = self.wake.set(Box::new(wake));
    }

    fn change(&self, speaking: Option<Speaking>) {
        {
            let mut now = self.locked();
            *now = (now.0 + 1, speaking);
        }
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    /// A writer that panicked left a text that is whole: each change replaces all of it.
    fn locked(&self) -> MutexGuard<'_, (u64, Option<Speaking>)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Speech {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Speech").field("now", &self.now).finish_non_exhaustive()
    }
}

impl ModelView {
    /// The view of a desk.
    pub fn of(desk: Arc<dyn Answering>) -> Self {
        let base = desk.panel();
        Self { desk: Some(desk), shown: Arc::clone(&base), base, ..Self::default() }
    }

    /// No desk, and why.
    pub fn without(why: &str) -> Self {
        let base = Arc::new(Panel { why: why.into(), ..Panel::default() });
        Self { shown: Arc::clone(&base), base, ..Self::default() }
    }

    /// What is being written, for whoever writes.
    pub fn speech(&self) -> Arc<Speech> {
        Arc::clone(&self.speech)
    }

    /// Looks again. Returns whether anything changed.
    pub fn look(&mut self, behind: Behind) -> bool {
        let base = self.desk.as_ref().map_or_else(|| Arc::clone(&self.base), |desk| desk.panel());
        let (words, speaking) = self.speech.look();
        if Arc::ptr_eq(&base, &self.base) && (words, behind) == (self.words, self.behind) {
            return false;
        }
        self.shown = Arc::new(Panel {
            speaking: speaking.or_else(|| base.speaking.clone()),
            waiting: base.waiting + behind.waiting,
            superseded: base.superseded + behind.replaced,
            ..(*base).clone()
        });
        (self.base, self.words, self.behind) = (base, words, behind);
        true
    }

    /// The panel as of the last look.
    pub fn panel(&self) -> Arc<Panel> {
        Arc::clone(&self.shown)
    }
}
