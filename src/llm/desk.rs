//! Where questions are asked: keeps a worker alive, gives up what is late or overtaken, and goes down the ladder where one fails.
//!
//! The desk has a thread of its own and waits for nobody: asking puts a question into a bounded channel and gives back a [`Reply`] to look
//! at or to wait for. Each question gets exactly one outcome, by its deadline at the latest: an answer, or an abstention with a reason.
//! Decisions are made in `core`, without clock or process.

mod child;
mod core;
mod figures;
mod reply;
mod thread;

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::domain::{CleanText, WallTime};
use crate::llm::answer::Abstention;
use crate::llm::ask::{Ask, Task};
use crate::llm::cache::{Cache, Keep};
use crate::llm::panel::{Panel, Rung};
use crate::llm::protocol::{BenchPlan, Benched, FromWorker};
use crate::llm::remote::RemoteTerms;

pub(in crate::llm) use child::Link;
pub use child::WorkerTerms;
pub use core::Patience;
pub use reply::{Reply, Told};

use reply::Ticket;

/// Events that may wait for the desk's thread. Who asks into a full channel is told that it is busy; workers wait.
const MOST_EVENTS: usize = 512;

/// What a desk is made of.
#[derive(Debug)]
pub struct DeskTerms {
    /// The ladder, the highest rung first; the rules are below the last and need no mention.
    pub rungs: Vec<RungTerms>,
    /// How long what is waited for.
    pub patience: Patience,
    /// The time of day.
    pub clock: fn() -> WallTime,
    /// Answers that were given already.
    pub cache: Cache,
}

/// A rung of the ladder.
#[derive(Debug, Clone)]
pub struct RungTerms {
    /// Which one.
    pub rung: Rung,
    /// What the model is called.
    pub name: CleanText,
    /// The last day its training knew of, where that is known.
    pub knowledge_cutoff: Option<CleanText>,
    /// Who answers there.
    pub backend: Backend,
}

/// Who answers on a rung.
#[derive(Debug, Clone)]
pub enum Backend {
    /// A process of its own on this machine.
    Worker(WorkerTerms),
    /// A server of a person's own choice.
    Remote(RemoteTerms),
}

/// A question, and what it is about.
#[derive(Debug, Clone)]
pub struct Request {
    /// The question; its number is given by the desk.
    pub ask: Ask,
    /// About what: a newer question of the same task about the same takes the place of an older one.
    pub about: String,
    /// What its answer depends on, where it may be answered from the cache; the same question asked twice at once is then answered once.
    pub keep: Option<Keep>,
}

/// The desk. It ends, and its worker with it, when it is dropped.
#[derive(Debug)]
pub struct ModelDesk {
    asker: Asker,
    thread: Option<JoinHandle<()>>,
}

/// A way to the desk that can be handed around.
#[derive(Debug, Clone)]
pub struct Asker {
    events: SyncSender<Event>,
    shown: Arc<Shown>,
}

/// The panel as it was made last, and who waits for the next.
#[derive(Debug, Default)]
struct Shown {
    panel: Mutex<Arc<Panel>>,
    changed: Condvar,
}

/// What wakes the desk.
#[derive(Debug)]
enum Event {
    Asked(Box<Request>, Ticket, Instant),
    Came(u64, FromWorker),
    Ended(u64, String),
    Bench(BenchPlan, SyncSender<Result<Benched, Abstention>>),
    Unusable(Task, Abstention),
    Retry,
    Stop,
}

/// Where a rung's backend says what it has to say.
#[derive(Debug, Clone)]
pub(in crate::llm) struct Arrivals {
    incarnation: u64,
    events: SyncSender<Event>,
}

impl ModelDesk {
    /// Opens a desk. The first rung is started at once, without waiting for it.
    pub fn start(terms: DeskTerms) -> std::io::Result<Self> {
        let (events, arriving) = sync_channel(MOST_EVENTS);
        let asker = Asker { events, shown: Arc::default() };
        let own = asker.clone();
        let thread =
            std::thread::Builder::new().name("model-desk".to_owned()).spawn(move || thread::run(terms, &arriving, &own))?;
        Ok(Self { asker, thread: Some(thread) })
    }

    /// A way to ask.
    pub fn asker(&self) -> Asker {
        self.asker.clone()
    }
}

impl Drop for ModelDesk {
    fn drop(&mut self) {
        if self.asker.events.send(Event::Stop).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // Its panic has been reported where it happened.
            drop(thread.join());
        }
    }
}

impl Asker {
    /// Asks without waiting.
    pub fn ask(&self, request: Request) -> Reply {
        let (reply, ticket) = Reply::new();
        let event = Event::Asked(Box::new(request), ticket, Instant::now());
        if let Err(TrySendError::Full(Event::Asked(_, ticket, _))) = self.events.try_send(event) {
            ticket.done(Told::none(Abstention::Busy));
        }
        reply
    }

    /// The panel as it stands.
    pub fn panel(&self) -> Arc<Panel> {
        Arc::clone(&self.shown.panel.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the panel shows something; gives the last one either way.
    pub fn wait_until(&self, at_most: Duration, mut shows: impl FnMut(&Panel) -> bool) -> Arc<Panel> {
        let panel = self.shown.panel.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shown.changed.wait_timeout_while(panel, at_most, |panel| !shows(panel));
        Arc::clone(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Has raw speed measured; what comes back says how it went, or is closed where nobody could measure.
    pub fn bench(&self, plan: BenchPlan) -> Receiver<Result<Benched, Abstention>> {
        let (sender, receiver) = sync_channel(1);
        // Where the desk is gone, the receiver finds its channel closed.
        drop(self.events.try_send(Event::Bench(plan, sender)));
        receiver
    }

    /// Tells that an answer could not be used after all: it counts as an abstention.
    pub fn unusable(&self, task: Task, why: &Abstention) {
        // Where the desk is too busy, one figure is short.
        drop(self.events.try_send(Event::Unusable(task, why.clone())));
    }

    /// Tries the whole ladder again from the top.
    pub fn retry(&self) {
        // A desk that is too busy for this is not on its lowest rung.
        drop(self.events.try_send(Event::Retry));
    }

    fn show(&self, panel: Panel) {
        let mut shown = self.shown.panel.lock().unwrap_or_else(PoisonError::into_inner);
        if **shown != panel {
            *shown = Arc::new(panel);
            self.shown.changed.notify_all();
        }
    }
}

impl Arrivals {
    /// It said something; `false` where nobody listens any more.
    pub(in crate::llm) fn came(&self, message: FromWorker) -> bool {
        self.events.send(Event::Came(self.incarnation, message)).is_ok()
    }

    /// It ended.
    pub(in crate::llm) fn ended(&self, why: &str) {
        // Where nobody listens, nobody wants to know.
        drop(self.events.send(Event::Ended(self.incarnation, why.to_owned())));
    }
}
