//! The engine thread: one loop that feeds the engine and carries out what it decides.
//!
//! Order of attention: kill switch, requests of the screen and broker reports, deadlines, market events, pictures for the screen.
//! Past 600 lines because that order is the point: what is attended to before what stands in one place.

mod analyst;
mod bulletins;
mod carry_out;
mod link;
mod opinions;
mod pictures;
mod request;
mod tape;
mod waiting;
mod watching;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::broker::{Broker, Paper, Standing, Wake};
use crate::domain::{Actor, BrokerReport, MarketEvent, MarketTime, Mode, TradingState, VenueNews, WallTime};
use crate::engine::{Command, Engine, Event, InputBody, Outcome, RunInput, Series, Snapshot, SnapshotRequest};
use crate::llm::answering::ModelView;
use crate::market::bulletins::TapeBulletins;
use crate::runtime::journal::{Batch, Journal};
use crate::runtime::pace::Pace;
use crate::runtime::recovery::Opened;
use crate::runtime::session::analyst::Desk;
use crate::runtime::session::link::LinkWatch;
use crate::runtime::session::opinions::OpinionDesk;
use crate::runtime::source::{Source, feed_inputs};
use crate::runtime::supervise::{TaskDeath, spawn_named};
use crate::runtime::{FiredBy, KillLatch, Speed, Trouble, Voices, wall_now};
use crate::signals::RuleAnalyst;
use crate::store::{Body, TapePlays};

pub use pictures::{Answer, Frame, JournalHealth, Playback};
pub use request::{Request, TapeControl, WatchRequest};

/// Requests that may wait. A person cannot fill it; a full queue is reported to the sender.
const INBOX: usize = 1_024;
/// Market events between two looks at everything else.
const SLICE: usize = 256;
/// Pictures for the screen: at most thirty a second.
const FRAME_EVERY: Duration = Duration::from_millis(33);
/// Answers kept for the screen, which may miss pictures but not so many answers.
pub(super) const KEPT_ANSWERS: usize = 16;
/// A picture waits this long for the disk before it is shown all the same, with the journal's delay on it.
const HOLD_AT_MOST: Duration = Duration::from_millis(250);
/// How often the kill file of a second process is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long a decision may wait to become durable before its effects are held back and its orders reported as rejected.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);
/// Market events of a live run that are written without waiting for an entry.
const UNRECORDED: usize = 256;
/// How often the tape's position is noted in the journal.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// How often the state hash is noted in the journal.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// What a session is made of besides the opened run.
#[derive(Debug)]
pub struct Wiring {
    /// Who writes comments and has opinions.
    pub voices: Voices,
    /// The broker; the paper exchange where there is none.
    pub broker: Option<Box<dyn Broker>>,
    /// The kill latch.
    pub latch: KillLatch,
    /// Speed to begin with.
    pub speed: Speed,
}

/// The screen's side of a running engine.
#[derive(Debug)]
pub struct Session {
    requests: SyncSender<Request>,
    /// The latest picture.
    pub frames: watch::Receiver<Arc<Frame>>,
    /// The kill latch: works without the engine thread's attention.
    pub latch: KillLatch,
    heartbeat: Arc<AtomicI64>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Starts engine and journal threads on an opened run.
    pub fn start(opened: Opened, wiring: Wiring) -> Result<Self, Trouble> {
        let refuse = |error: std::io::Error| {
            Trouble::new(format!("A thread cannot be started: {error}"), "Nothing was sent", "Free some memory and try again")
        };
        let (requests, inbox) = sync_channel(INBOX);
        let heartbeat = Arc::new(AtomicI64::new(wall_now().0));
        let latch = wiring.latch.clone();
        let mut running = Running::new(opened, wiring, inbox, requests.clone(), Arc::clone(&heartbeat)).map_err(refuse)?;
        let frames = running.frames.subscribe();
        let thread = spawn_named("engine", move || running.run()).map_err(refuse)?;
        Ok(Self { requests, frames, latch, heartbeat, thread: Some(thread) })
    }

    /// Sends a request without waiting; `false` when the engine does not take it.
    #[must_use]
    pub fn request(&self, request: Request) -> bool {
        match self.requests.try_send(request) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Fires the kill switch: the latch first, then a nudge, so that the engine thread need not be awake to notice.
    pub fn kill(&self, why: &str) -> std::io::Result<()> {
        let fired = self.latch.fire(why);
        let _: bool = self.request(Request::Answered);
        fired
    }

    /// What to do when a task dies: trading halts. Where the engine's inbox is full the kill latch says it, which needs no room.
    pub fn mourner(&self) -> impl Fn(TaskDeath) + Send + 'static {
        let (requests, latch) = (self.requests.clone(), self.latch.clone());
        move |death| {
            let what = format!("the task «{}» failed ({}); trading is halted", death.task, death.message);
            if let Err(TrySendError::Full(_)) = requests.try_send(Request::Died(what.clone()))
                && let Err(error) = latch.fire(&what)
            {
                tracing::error!(target: "pmax::kill", "the kill file was not written: {error}");
            }
        }
    }

    /// How long ago the engine thread last went round its loop.
    pub fn heartbeat_age(&self) -> Duration {
        let age = wall_now().0.saturating_sub(self.heartbeat.load(Ordering::Relaxed));
        Duration::from_nanos(age.max(0).unsigned_abs())
    }

    /// Ends in order and waits for it, at most so long. Returns whether the thread ended.
    pub fn finish(mut self, within: Duration) -> bool {
        let asked = self.requests.send(Request::Quit).is_ok();
        let Some(thread) = self.thread.take() else { return true };
        let deadline = Instant::now() + within;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        asked && thread.is_finished() && thread.join().is_ok()
    }
}

/// Tells the engine thread that the broker has answered, once until it has looked.
fn waker(requests: &SyncSender<Request>, is_woken: &Arc<AtomicBool>) -> Wake {
    let (requests, is_woken) = (requests.clone(), Arc::clone(is_woken));
    Wake::new(move || {
        if !is_woken.swap(true, Ordering::AcqRel) && requests.try_send(Request::Answered).is_err() {
            // The inbox is full, so the engine thread is not asleep: it looks by itself.
            is_woken.store(false, Ordering::Release);
        }
    })
}

/// Everything the engine thread owns.
struct Running {
    engine: Engine,
    source: Source,
    /// Market events of a live run that no batch holds yet.
    unrecorded: Vec<MarketEvent>,
    tape_bulletins: Option<TapeBulletins>,
    news: Vec<VenueNews>,
    broker: Box<dyn Broker>,
    /// Whether the broker has called since its answers were last fetched: it calls once, however much arrives.
    is_woken: Arc<AtomicBool>,
    analyst: Desk,
    opinions: OpinionDesk,
    model: ModelView,
    journal: Journal,
    /// Batches the journal's queue had no room for. While there are any, no tape plays.
    overflow: VecDeque<Batch>,
    latch: KillLatch,
    inbox: Receiver<Request>,
    frames: watch::Sender<Arc<Frame>>,
    heartbeat: Arc<AtomicI64>,
    pace: Pace,
    show: SnapshotRequest,
    is_paused: bool,
    /// When the source gave its latest event.
    heard: Option<WallTime>,
    jump: Option<MarketTime>,
    /// The shots of the kill switch that were handled.
    handled_shots: u64,
    journal_failed: bool,
    is_dirty: bool,
    outcome: Outcome,
    reports: Vec<BrokerReport>,
    answers: VecDeque<Answer>,
    first: Option<RunInput>,
    /// What is handled after it: other gates, other instruments.
    then: Vec<RunInput>,
    last_frame: Instant,
    link_watch: LinkWatch,
    /// A picture that waits until the decisions it shows are on the disk: how many batches that takes, and since when.
    held: Option<(u64, Instant, Frame)>,
    /// The last journal entry a picture has shown as written.
    shown_seq: u64,
    last_look: Instant,
    last_note: (Instant, u64),
    last_checkpoint: (Instant, u64),
}

impl Running {
    fn new(
        opened: Opened,
        wiring: Wiring,
        inbox: Receiver<Request>,
        requests: SyncSender<Request>,
        heartbeat: Arc<AtomicI64>,
    ) -> std::io::Result<Self> {
        let Opened { engine, source, segment, file, run, first, gates_changed, instruments_changed, plays } = opened;
        let is_paused = plays == TapePlays::Paused;
        // The terms from now on, not those of the run's last settings.
        let terms = match &first {
            RunInput::Opened { settings, .. } | RunInput::Resumed { settings, .. } => settings.terms,
            RunInput::Checkpoint { .. } | RunInput::Suspended | RunInput::Failed { .. } => engine.settings().terms,
            RunInput::GatesChanged { .. } | RunInput::InstrumentsChanged { .. } => engine.settings().terms,
        };
        let book = engine.book();
        let mut broker = wiring.broker.unwrap_or_else(|| Box::new(Paper::new(terms, book.ledger().currency())));
        let is_woken = Arc::new(AtomicBool::new(false));
        broker.wake_with(waker(&requests, &is_woken));
        source.wake_with(waker(&requests, &is_woken));
        let words = waker(&requests, &is_woken);
        wiring.voices.view.speech().wake_with(move || words.call());
        let journal = Journal::start(file, segment, run)?;
        let (now, show) = (Instant::now(), SnapshotRequest::default());
        let frame = Frame {
            // Every start is READ-ONLY, also in the moment before the restart itself is handled: a key must not act on an old mode.
            snapshot: Snapshot { mode: Mode::ReadOnly, ..engine.snapshot(&show) },
            playback: Playback {
                is_paused,
                is_held: false,
                speed: wiring.speed,
                is_running_ahead: false,
                is_at_end: false,
                ends_at: source.ends_at(),
                position: source.position(),
                heard: None,
            },
            journal: JournalHealth { last_seq: 0, waiting: 0, last_commit: Duration::ZERO, failure: None },
            link: broker.link(),
            feed: source.view(),
            bulletins: source.bulletins(),
            model: wiring.voices.view.panel(),
            answers: VecDeque::new(),
        };
        let Voices { analyst, opine, view: model } = wiring.voices;
        let (frames, _) = watch::channel(Arc::new(frame));
        let consumed = engine.market().consumed();
        Ok(Self {
            engine,
            tape_bulletins: if source.is_live() { None } else { TapeBulletins::new() },
            source,
            unrecorded: Vec::new(),
            news: Vec::new(),
            broker,
            is_woken,
            opinions: OpinionDesk::start(opine, requests.clone())?,
            analyst: Desk::start(analyst.unwrap_or_else(|| Box::new(RuleAnalyst)), requests)?,
            model,
            journal,
            overflow: VecDeque::new(),
            latch: wiring.latch,
            inbox,
            frames,
            heartbeat,
            pace: Pace::new(wiring.speed),
            show,
            is_paused,
            heard: None,
            jump: None,
            handled_shots: 0,
            journal_failed: false,
            is_dirty: true,
            outcome: Outcome::default(),
            reports: Vec::new(),
            answers: VecDeque::new(),
            first: Some(first),
            then: gates_changed.into_iter().chain(instruments_changed).collect(),
            last_frame: now,
            link_watch: LinkWatch::new(now),
            held: None,
            shown_seq: 0,
            last_look: now,
            last_note: (now, consumed),
            last_checkpoint: (now, consumed),
        })
    }

    fn run(&mut self) {
        self.begin();
        loop {
            self.heartbeat.store(wall_now().0, Ordering::Relaxed);
            self.attend_to_kill();
            if !self.attend_to_inbox() {
                break;
            }
            self.attend_to_broker();
            self.attend_to_deadlines();
            self.attend_to_journal();
            self.play();
            self.publish();
            if !self.wait() {
                break;
            }
        }
        self.end();
    }

    fn begin(&mut self) {
        if let Some(first) = self.first.take() {
            let is_new = matches!(first, RunInput::Opened { .. });
            if !is_new {
                self.restore_broker();
            }
            let entries = self.decide(InputBody::Run(first));
            if is_new {
                // Before the first answer is heard: what it means hangs on whose orders are whose.
                self.restore_broker();
            }
            self.follow_up(entries);
        }
        for changed in std::mem::take(&mut self.then) {
            self.input(InputBody::Run(changed));
        }
        self.source.follow(self.engine.market().iter().map(|series| series.instrument));
        if self.source.is_live() {
            // What was missed comes as bars; nothing is proposed on them.
            let until = MarketTime(wall_now().0);
            self.input(InputBody::Command { actor: Actor::Watchdog, command: Command::JumpTo { until } });
        }
        self.jump = self.is_catching_up().then(|| self.engine.book().quiet_until());
    }

    /// Whether the engine waits for a later market time before it proposes anything.
    fn is_catching_up(&self) -> bool {
        self.engine.book().quiet_until() > self.engine.market().now()
    }

    /// Fetches what the broker has answered, and shows how the way to it stands.
    fn attend_to_broker(&mut self) {
        self.is_woken.store(false, Ordering::Release);
        self.take_reports();
        self.broker.take_news(&mut self.news);
        let silences = self.source.hear(&mut self.news, wall_now());
        for input in feed_inputs(silences, self.source.take_served(), self.source.take_notes()) {
            self.input(input);
        }
        self.tell_bulletins();
        self.look_at_link();
    }

    /// Tells the broker what the ledger says is open.
    fn restore_broker(&mut self) {
        let volume = |series: &Series| Some((series.instrument, series.bars.last(1).first()?.volume?));
        let volumes: Vec<_> = self.engine.market().iter().filter_map(volume).collect();
        let prices: Vec<_> = self.engine.market().iter().filter_map(|series| Some((series.instrument, series.last()?))).collect();
        let book = self.engine.book();
        self.broker.restore(Standing {
            ledger_id: book.ledger_id(),
            first_order: book.first_order(),
            ledger: book.ledger(),
            orders: book.orders(),
            next_deal: book.next_deal(),
            volumes: &volumes,
            prices: &prices,
        });
    }

    /// The kill switch: handled before anything else, its effects leave at once, it is journalled after.
    fn attend_to_kill(&mut self) {
        if self.last_look.elapsed() >= LOOK_EVERY {
            self.last_look = Instant::now();
            self.latch.look();
        }
        let shots = self.latch.shots();
        if !self.latch.is_fired() || self.handled_shots == shots {
            return;
        }
        self.handled_shots = shots;
        let why = self.latch.why();
        let actor = match self.latch.fired_by() {
            FiredBy::Here => Actor::Person,
            FiredBy::File => Actor::Outside,
        };
        self.urgent(InputBody::Command { actor, command: Command::Kill { why } });
    }

    /// Returns `false` when it is time to end.
    fn attend_to_inbox(&mut self) -> bool {
        for _ in 0..64 {
            match self.inbox.try_recv() {
                Ok(request) => {
                    if !self.attend_to(request) {
                        return false;
                    }
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn attend_to(&mut self, request: Request) -> bool {
        match request {
            Request::Command(actor, command) => drop(self.command(actor, command)),
            Request::Ask(number, command) => {
                let refusal = self.command(Actor::Person, command);
                self.answer(number, refusal);
            }
            Request::Tape(control) => self.control(control),
            Request::Show(show) => {
                let was_held = self.is_held();
                self.analyst.look_at(show.focus);
                self.show = show;
                if was_held && !self.is_held() {
                    self.pace.rest();
                }
            }
            Request::Comment(comment) => drop(self.input(InputBody::Commentary(comment))),
            Request::Opine(opinion) => drop(self.input(InputBody::Opinion(opinion))),
            Request::Watch(number, change) => self.watch(number, *change),
            Request::Search(words) => self.source.search(words),
            Request::Answered => return true,
            Request::Reconnect => self.broker.reconnect(),
            Request::Died(what) => self.urgent(InputBody::Run(RunInput::Failed { what })),
            Request::Quit => return false,
        }
        self.is_dirty = true;
        self.last_frame = Instant::now().checked_sub(FRAME_EVERY).unwrap_or(self.last_frame);
        true
    }

    /// Handles a command. Returns why it came to nothing, if it did.
    fn command(&mut self, actor: Actor, command: Command) -> Option<String> {
        if self.journal_failed
            && !matches!(
                command,
                Command::Kill { .. } | Command::Flatten | Command::AcknowledgeAlert { .. } | Command::AcknowledgeAll
            )
        {
            return Some("the journal cannot be written, so nothing may be done; nothing was sent".to_owned());
        }
        let (was, rearms) = (self.engine.book().state(), command == Command::ConfirmRearm);
        let refusal = self.input(InputBody::Command { actor, command });
        if rearms && was != TradingState::Active && self.engine.book().state() == TradingState::Active {
            self.latch.release(self.handled_shots);
        }
        refusal
    }

    fn attend_to_deadlines(&mut self) {
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= wall_now()) {
            self.input(InputBody::Timer);
        }
        let consumed = self.engine.market().consumed();
        if self.last_checkpoint.0.elapsed() >= CHECKPOINT_EVERY && self.last_checkpoint.1 != consumed {
            self.checkpoint();
        } else if self.last_note.0.elapsed() >= NOTE_EVERY && self.last_note.1 != consumed {
            self.last_note = (Instant::now(), consumed);
            self.input(InputBody::Timer);
        }
    }

    fn checkpoint(&mut self) {
        let (now, consumed) = (Instant::now(), self.engine.market().consumed());
        (self.last_checkpoint, self.last_note) = ((now, consumed), (now, consumed));
        let state = self.engine.state_hash();
        self.input(InputBody::Run(RunInput::Checkpoint { state }));
    }

    /// A failed journal stops trading and leaves the screen alive to say so.
    fn attend_to_journal(&mut self) {
        self.drain();
        if self.journal_failed {
            return;
        }
        if let Some(failure) = self.journal.failure() {
            self.journal_failed = true;
            self.is_paused = true;
            let what = format!("the journal cannot be written ({failure}); trading is halted and nothing more is recorded");
            self.urgent(InputBody::Run(RunInput::Failed { what }));
        }
    }

    fn is_held(&self) -> bool {
        self.show.holds && !self.source.is_live()
    }

    fn may_play(&self) -> bool {
        !self.is_paused && !self.is_held()
    }

    /// Plays what is due, at most a slice.
    fn play(&mut self) {
        let began = Instant::now();
        for _ in 0..SLICE {
            // What the journal does not hold any more must not happen.
            if self.journal_failed || !self.overflow.is_empty() || !self.broker.takes_market() {
                return;
            }
            let Some(at) = self.source.next_at() else {
                if !self.source.is_live() {
                    // A jump past the end of the tape ends with it.
                    self.jump = None;
                }
                return;
            };
            if self.jump.is_some_and(|until| at >= until) {
                self.jump = None;
                self.pace.rest();
            }
            if self.is_held() || !self.may_play() && self.jump.is_none() {
                return;
            }
            let now = Instant::now();
            let due = self.due(at, now);
            if due > now || now.duration_since(began) > Duration::from_millis(8) {
                return;
            }
            self.play_one();
            self.pace.played(at, due, now);
        }
    }

    /// When an event known at this market time is due: what is live, or run ahead through, at once.
    fn due(&self, at: MarketTime, now: Instant) -> Instant {
        if self.jump.is_some() || self.source.is_live() { now } else { self.pace.due(at, now) }
    }

    fn play_one(&mut self) {
        let Some(event) = self.source.take() else { return };
        self.heard = Some(wall_now());
        if self.source.is_live() {
            self.unrecorded.push(event);
        }
        self.broker.on_market(&event);
        self.engine.handle(&Event::Market(event), &mut self.outcome);
        self.is_dirty = true;
        let records = std::mem::take(&mut self.outcome.records);
        let entries = records.into_iter().map(|record| self.entry(Body::Record(record))).collect();
        self.follow_up(entries);
        if self.unrecorded.len() >= UNRECORDED {
            self.write(Vec::new());
        }
        self.tell_bulletins_of_tape();
    }

    fn play_to_next_close(&mut self) {
        let before: usize = self.bars();
        while self.source.next_at().is_some() && self.bars() == before && !self.latch.is_fired() {
            self.play_one();
        }
    }

    fn bars(&self) -> usize {
        self.engine.market().iter().map(|series| series.bars.len()).sum()
    }

    /// Sleeps until something is due. Returns `false` when it is time to end.
    fn wait(&mut self) -> bool {
        let now = Instant::now();
        let next_event = self.source.next_at().filter(|_| self.may_play() || self.jump.is_some() && !self.is_held());
        let due = next_event.map(|at| self.due(at, now));
        let frame = self.is_dirty.then(|| self.last_frame + FRAME_EVERY);
        let held = (self.held.is_some() || !self.broker.takes_market()).then(|| now + Duration::from_millis(1));
        let due = due.filter(|_| self.broker.takes_market());
        let until = [due, frame, held, Some(now + LOOK_EVERY)].into_iter().flatten().min().unwrap_or(now);
        let wait = until.saturating_duration_since(now);
        if wait.is_zero() {
            return true;
        }
        match self.inbox.recv_timeout(wait) {
            Ok(request) => self.attend_to(request),
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    fn end(&mut self) {
        if !self.journal_failed {
            self.checkpoint();
            self.input(InputBody::Run(RunInput::Suspended));
            while !self.overflow.is_empty() && self.journal.failure().is_none() {
                self.drain();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.journal.finish();
        self.is_dirty = true;
        self.last_frame = Instant::now().checked_sub(FRAME_EVERY).unwrap_or(self.last_frame);
        self.publish();
        self.release(Duration::ZERO);
    }
}
