//! The desk's thread: hears what happened, has it decided, and does what was decided.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use crate::domain::{CleanText, WallTime};
use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::ask::{Ask, AskId, Task};
use crate::llm::cache::{Cache, Key, Model, Record, system_hash};
use crate::llm::desk::child::{ChildLink, Link};
use crate::llm::desk::core::{Core, Effect};
use crate::llm::desk::figures::Figures;
use crate::llm::desk::reply::{Ticket, Told};
use crate::llm::desk::{Arrivals, Asker, Backend, DeskTerms, Event, Request, RungTerms};
use crate::llm::panel::{ModelFacts, Panel, Rung, Speed};
use crate::llm::protocol::{Benched, FromWorker, Loaded, ToWorker};
use crate::llm::remote::RemoteLink;

/// The longest sleep.
const IDLE: Duration = Duration::from_secs(3_600);

/// A question on its way, and everybody who asked it.
struct Flight {
    task: Task,
    about: String,
    /// The question's key, whoever answers it.
    question: Option<Key>,
    /// Static part and question, once they were sent.
    sent: Option<(String, String)>,
    key: Option<Key>,
    is_from_cache: bool,
    asked: Instant,
    tickets: Vec<Ticket>,
}

struct Desk<'a> {
    terms: &'a DeskTerms,
    asker: &'a Asker,
    start: Instant,
    core: Core,
    link: Option<Box<dyn Link>>,
    flights: BTreeMap<AskId, Flight>,
    figures: Figures,
    cache: Cache,
    benches: VecDeque<SyncSender<Result<Benched, Abstention>>>,
    model: Option<Arc<ModelFacts>>,
    rung: (Rung, Option<WallTime>),
}

/// Runs until it is told to stop.
pub(super) fn run(mut terms: DeskTerms, arriving: &Receiver<Event>, asker: &Asker) {
    let rungs: Vec<Rung> = terms.rungs.iter().map(|rung| rung.rung).collect();
    let cache = std::mem::replace(&mut terms.cache, Cache::in_memory());
    let mut desk = Desk {
        core: Core::new(terms.patience, &rungs),
        terms: &terms,
        asker,
        start: Instant::now(),
        link: None,
        flights: BTreeMap::new(),
        figures: Figures::default(),
        cache,
        benches: VecDeque::new(),
        model: None,
        rung: (Rung::Rules, None),
    };
    desk.after();
    loop {
        let pause = Duration::from_millis(desk.core.next_tick().saturating_sub(desk.now())).min(IDLE);
        let event = match arriving.recv_timeout(pause) {
            Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
        };
        if let Some(event) = event {
            desk.heard(event);
        }
        desk.after();
    }
    desk.core.stop(desk.now());
    desk.act();
}

impl Desk<'_> {
    /// Milliseconds since the desk's start.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn heard(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Asked(request, ticket, asked) => {
                let Request { ask, about, keep } = *request;
                self.figures.asked(ask.task);
                let question = keep.as_ref().map(|keep| keep.question(ask.task, &ask.schema));
                let same = self.flights.values_mut().find(|flight| question.is_some() && flight.question == question);
                if let Some(flight) = same {
                    flight.tickets.first().into_iter().for_each(|first| ticket.follow(first));
                    flight.tickets.push(ticket);
                    return;
                }
                let task = ask.task;
                let id = self.core.ask(ask, &about, now);
                let (sent, key, is_from_cache, tickets) = (None, None, false, vec![ticket]);
                self.flights.insert(id, Flight { task, about, question, sent, key, is_from_cache, asked, tickets });
            }
            Event::Came(_, FromWorker::Benched(benched)) => {
                if let Some(bench) = self.benches.pop_front() {
                    // Who asked may have gone.
                    drop(bench.try_send(benched));
                }
            }
            Event::Came(incarnation, message) => self.core.came(incarnation, message, now),
            Event::Ended(incarnation, why) => self.core.ended(incarnation, &why, now),
            Event::Bench(plan, sender) => {
                if self.link.as_mut().is_some_and(|link| self.core.loaded().is_some() && link.send(ToWorker::Bench(plan))) {
                    self.benches.push_back(sender);
                }
            }
            Event::Unusable(task, why) => self.figures.unusable(task, &why, (self.terms.clock)()),
            Event::Retry => self.core.retry(now),
            Event::Stop => {}
        }
    }

    /// What follows from what was heard and from the time.
    fn after(&mut self) {
        let now = self.now();
        self.core.tick(now);
        self.act();
        self.show();
    }

    fn act(&mut self) {
        // Doing one thing may call for the next: a program that cannot be started has failed at once.
        loop {
            let effects = self.core.effects();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { rung, incarnation } => self.begin(rung, incarnation),
            Effect::Send(ToWorker::Ask(ask)) => self.send(ask),
            Effect::Send(message) => {
                // A worker that does not even read is found out by its deadlines.
                let _ = self.link.as_mut().is_some_and(|link| link.send(message));
            }
            Effect::End => {
                if let Some(mut link) = self.link.take() {
                    link.end();
                }
                self.benches.clear();
                self.model = None;
            }
            Effect::Piece(id, piece) => self.piece(id, piece),
            Effect::Done(id, result) => self.done(id, result),
        }
    }

    fn begin(&mut self, place: usize, incarnation: u64) {
        let Some(rung) = self.terms.rungs.get(place) else { return };
        let arrivals = Arrivals { incarnation, events: self.asker.events.clone() };
        let started: Result<Box<dyn Link>, String> = match &rung.backend {
            Backend::Worker(terms) => match ChildLink::start(terms, arrivals) {
                Ok(link) => Ok(Box::new(link)),
                Err(error) => Err(format!("{} cannot be started: {error}", terms.program.display())),
            },
            Backend::Remote(terms) => match RemoteLink::start(terms, arrivals) {
                Ok(link) => Ok(Box::new(link)),
                Err(error) => Err(format!("it cannot be asked: {error}")),
            },
        };
        match started {
            Ok(link) => self.link = Some(link),
            Err(why) => {
                let now = self.now();
                self.core.ended(incarnation, &why, now);
            }
        }
    }

    /// Sends a question, unless its answer is known.
    fn send(&mut self, ask: Box<Ask>) {
        let now = (self.terms.clock)();
        if let (Some(flight), Some(loaded)) = (self.flights.get_mut(&ask.id), self.core.loaded()) {
            let model = Model { sha256: &loaded.sha256, quantisation: &loaded.quantisation };
            flight.key = flight.question.map(|question| question.by(model));
            if let Some(known) = flight.key.and_then(|key| self.cache.get(key, now)) {
                flight.is_from_cache = true;
                self.figures.cache.0 += 1;
                self.core.known(ask.id, known.answer.clone());
                return;
            }
            self.figures.cache.1 += u64::from(flight.key.is_some());
            flight.sent = Some((ask.system.clone(), ask.question.clone()));
        }
        // A worker that does not even read is found out by its deadlines.
        let _ = self.link.as_mut().is_some_and(|link| link.send(ToWorker::Ask(ask)));
    }

    /// Records an answer that was computed.
    fn keep(&mut self, flight: &Flight, answer: &Answer) {
        let (Some(loaded), Some(rung), Some((system, question))) =
            (self.core.loaded(), self.terms.rungs.get(self.core.place()), &flight.sent)
        else {
            return;
        };
        let record = Record {
            key: flight.key,
            at: (self.terms.clock)(),
            task: flight.task,
            about: flight.about.clone(),
            model: rung.name.to_string(),
            model_sha256: loaded.sha256.clone(),
            quantisation: loaded.quantisation.clone(),
            system: system_hash(system),
            question: question.clone(),
            answer: answer.clone(),
        };
        self.cache.keep(record, system);
    }

    fn piece(&mut self, id: AskId, piece: Piece) {
        if let Some(flight) = self.flights.get(&id) {
            flight.tickets.iter().for_each(|ticket| ticket.piece(piece.clone()));
        }
    }

    fn done(&mut self, id: AskId, result: Result<Answer, Abstention>) {
        let Some(flight) = self.flights.remove(&id) else { return };
        match &result {
            Ok(answer) => {
                if !flight.is_from_cache {
                    self.figures.computed(answer, self.core.loaded().map(|loaded| loaded.token_bytes));
                    self.keep(&flight, answer);
                }
                self.figures.answered(flight.task, flight.asked.elapsed().as_secs_f64() * 1e3);
            }
            Err(why) => self.figures.abstained(flight.task, why, (self.terms.clock)()),
        }
        let told = Told { answer: result, rung: self.core.rung(), model: self.model(), is_from_cache: flight.is_from_cache };
        flight.tickets.iter().for_each(|ticket| ticket.done(told.clone()));
    }

    /// The loaded model, put into words once.
    fn model(&mut self) -> Option<Arc<ModelFacts>> {
        let (loaded, rung) = (self.core.loaded()?, self.terms.rungs.get(self.core.place())?);
        Some(Arc::clone(self.model.get_or_insert_with(|| Arc::new(facts(rung, loaded)))))
    }

    fn show(&mut self) {
        let rung = self.core.rung();
        if self.rung.0 != rung || self.rung.1.is_none() {
            self.rung = (rung, Some((self.terms.clock)()));
        }
        let (waiting, restarts, superseded) = self.core.counts();
        let memory = self.core.memory_bytes();
        let model = self.model().map(|model| {
            let memory_bytes = memory.unwrap_or(model.memory_bytes);
            ModelFacts { memory_bytes, ..ModelFacts::clone(&model) }
        });
        let measured = self.core.loaded().and_then(|loaded| loaded.memory_gigabytes_per_second);
        self.asker.show(Panel {
            rung,
            since: self.rung.1,
            why: self.core.why(),
            ladder: self.core.ladder(),
            model,
            speed: Speed { measured_gigabytes_per_second: measured, ..self.figures.speed },
            waiting,
            superseded,
            cache: self.figures.cache,
            restarts,
            tasks: self.figures.tasks,
            abstentions: self.figures.abstentions.clone(),
            speaking: None,
        });
    }
}

fn facts(rung: &RungTerms, loaded: &Loaded) -> ModelFacts {
    ModelFacts {
        name: rung.name.clone(),
        architecture: CleanText::from_outside(&loaded.architecture),
        quantisation: CleanText::from_outside(&loaded.quantisation),
        device: CleanText::from_outside(&loaded.device),
        file_bytes: loaded.file_bytes,
        memory_bytes: loaded.memory_bytes,
        context: loaded.context,
        knowledge_cutoff: rung.knowledge_cutoff.clone(),
        loaded_ms: loaded.loaded_ms,
    }
}
