//! The model's own process: reads questions from its standard input, answers them side by side, and ends when the program does.
//!
//! One thread reads, one computes, one keeps the time of those that wait. Nothing here opens a socket or writes a file. What a model does
//! wrong ends this process and no other: whoever waits is told by the [desk](crate::llm::desk) that it is gone.

mod process;
mod queue;
mod writer;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::ask::{Ask, AskId};
use crate::llm::model::Stop;
use crate::llm::protocol::{self, BenchPlan, Benched, FrameError, FromWorker, Job, Loaded, ToWorker};
use crate::llm::worker::queue::{Next, Queue, Refused, Waiting};

pub use process::{held_bytes, run};
pub use writer::{Writer, load};

/// How long a thread sleeps that waits for nothing in particular.
const IDLE: Duration = Duration::from_secs(3_600);

/// Whatever answers questions: a model with its grammar, or a test's stand-in.
pub trait Answers {
    /// Answers questions that share their static part, at most eight, side by side; one result for each, in their order. A raised
    /// `stop` ends its own row only.
    fn answer(&mut self, asks: &[Ask], stops: &[Stop], told: &mut dyn FnMut(AskId, Piece)) -> Vec<Result<Answer, Abstention>>;

    /// Measures raw speed.
    fn bench(&mut self, plan: BenchPlan) -> Result<Benched, Abstention>;

    /// Does a piece of what can be done beforehand, while nobody waits; `stop` is raised when somebody does. Says whether there is more.
    fn idle(&mut self, _stop: &Stop) -> bool {
        false
    }
}

/// What the threads of a worker share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    output: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct State {
    queue: Queue,
    benches: VecDeque<BenchPlan>,
    /// Raised when there is something better to do than what is done while nobody waits.
    idle: Option<Stop>,
}

/// What the computing thread does next.
enum Work {
    Answer(Vec<Waiting>),
    Bench(BenchPlan),
    Idle(Stop),
}

/// Serves until the input ends. `load` is called once, on this thread, which computes from then on.
pub fn serve<A: Answers>(
    mut input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    load: impl FnOnce(&Job) -> Result<(A, Loaded), String>,
) -> Result<(), FrameError> {
    let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), output: Mutex::new(Box::new(output)) });
    shared.say(&FromWorker::Hello { version: protocol::VERSION })?;
    let Some(ToWorker::Load(job)) = protocol::read(&mut input)? else { return Ok(()) };
    let (reader, clock) = (Arc::clone(&shared), Arc::clone(&shared));
    thread::Builder::new().name("model-reader".to_owned()).spawn(move || reader.read(input))?;
    thread::Builder::new().name("model-clock".to_owned()).spawn(move || clock.keep_time())?;
    let served = shared.compute(&job, load);
    shared.locked().queue.close();
    shared.changed.notify_all();
    served
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, message: &FromWorker) -> Result<(), FrameError> {
        protocol::write(&mut *self.output.lock().unwrap_or_else(PoisonError::into_inner), message)
    }

    fn refuse(&self, refused: Refused) -> Result<(), FrameError> {
        refused.into_iter().try_for_each(|(id, why)| self.say(&FromWorker::Done(id, Err(why))))
    }

    /// Takes questions until there are no more.
    fn read(&self, mut input: impl Read) {
        while let Ok(Some(message)) = protocol::read(&mut input) {
            let refused = match message {
                ToWorker::Ask(ask) => self.locked().queue.arrive(*ask, Instant::now()),
                ToWorker::Cancel(id) => self.locked().queue.cancel(id),
                ToWorker::Bench(plan) => {
                    self.locked().benches.push_back(plan);
                    Refused::new()
                }
                ToWorker::Load(_) => Refused::new(),
                ToWorker::Stop => break,
            };
            self.interrupt();
            if self.refuse(refused).is_err() {
                break;
            }
        }
        self.locked().queue.close();
        self.interrupt();
    }

    /// Something came: whoever waits looks, and whoever idles stops.
    fn interrupt(&self) {
        if let Some(idle) = &self.locked().idle {
            idle.raise();
        }
        self.changed.notify_all();
    }

    /// Tells those that wait when their time is over, whatever is being computed.
    fn keep_time(&self) {
        let mut state = self.locked();
        while !state.queue.is_closed() {
            let now = Instant::now();
            let late = state.queue.expire(now);
            if late.is_empty() {
                let pause = state.queue.next_deadline().map_or(IDLE, |deadline| deadline.saturating_duration_since(now));
                state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                drop(state);
                if self.refuse(late).is_err() {
                    return;
                }
                state = self.locked();
            }
        }
    }

    fn compute<A: Answers>(&self, job: &Job, load: impl FnOnce(&Job) -> Result<(A, Loaded), String>) -> Result<(), FrameError> {
        let (mut answers, loaded) = match load(job) {
            Ok(loaded) => loaded,
            Err(why) => return self.say(&FromWorker::Unfit(why)),
        };
        self.say(&FromWorker::Ready(Box::new(loaded)))?;
        let mut has_idle_work = true;
        while let Some(work) = self.next(has_idle_work) {
            match work {
                Work::Idle(stop) => {
                    has_idle_work = answers.idle(&stop);
                    self.locked().idle = None;
                }
                Work::Answer(wave) => self.wave(&mut answers, wave)?,
                Work::Bench(plan) => {
                    let benched = answers.bench(plan);
                    self.say(&FromWorker::Benched(benched))?;
                }
            }
            if let Some(bytes) = held_bytes() {
                self.say(&FromWorker::Memory(bytes))?;
            }
        }
        Ok(())
    }

    /// Waits for work; `None` at the end.
    fn next(&self, has_idle_work: bool) -> Option<Work> {
        let mut state = self.locked();
        loop {
            let now = Instant::now();
            let until = match state.queue.next(now) {
                Next::End => return None,
                Next::Answer(wave) => return Some(Work::Answer(wave)),
                Next::Wait(until) => until,
            };
            if let Some(plan) = state.benches.pop_front() {
                return Some(Work::Bench(plan));
            }
            if has_idle_work && until.is_none() {
                let stop = Stop::never();
                state.idle = Some(stop.clone());
                return Some(Work::Idle(stop));
            }
            let pause = until.map_or(IDLE, |until| until.saturating_duration_since(now));
            state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wave<A: Answers>(&self, answers: &mut A, wave: Vec<Waiting>) -> Result<(), FrameError> {
        let begun = Instant::now();
        let (mut asks, mut stops, mut arrivals) = (Vec::new(), Vec::new(), Vec::new());
        for waiting in wave {
            asks.push(waiting.ask);
            stops.push(waiting.stop);
            arrivals.push(waiting.arrived);
        }
        let mut failed = None;
        let mut results = answers.answer(&asks, &stops, &mut |id, piece| {
            failed = self.say(&FromWorker::Piece(id, piece)).err().or(failed.take());
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let given_up = self.locked().queue.end_wave();
        results.resize_with(asks.len(), || Err(Abstention::Unusable("there is no result for it".to_owned())));
        for (((ask, stop), arrived), result) in asks.iter().zip(&stops).zip(arrivals).zip(results) {
            let told = match result {
                Ok(mut answer) => {
                    let waited = (begun - arrived).as_secs_f64() * 1e3;
                    answer.timings.waited_ms = waited;
                    answer.timings.first_ms += waited;
                    Ok(answer)
                }
                Err(_) if given_up.contains(&ask.id) => Err(Abstention::Superseded),
                Err(_) if stop.is_over() => Err(Abstention::Late(ask.deadline_ms)),
                Err(why) => Err(why),
            };
            self.say(&FromWorker::Done(ask.id, told))?;
        }
        Ok(())
    }
}
