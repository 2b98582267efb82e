//! The desk's thread: it feeds the desk with what sockets say and with time, does what the desk wants, and hands news to the engine.
//!
//! Prices that wait are replaced by newer ones of the same instrument, which is counted. Bars are never dropped: while too many wait,
//! none are asked for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration as StdDuration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use crate::domain::{Duration, FeedNote, InstrumentId, Observation, VenueQuote, WallTime};
use crate::market::ToldBars;
use crate::market::bulletins::{BulletinDesk, BulletinTable, BulletinView, Output as Bulletin, Watched};
use crate::market::providers::desk::{Answer, Desk, FetchId, Input, Line, Output};
use crate::market::providers::sockets::{Arrived, Sockets, ToSocket};
use crate::market::providers::view::{FeedView, SearchView, Served};
use crate::market::providers::{Failure, ProviderId, ProviderNews, ProviderTable, Refusal};

/// How often time passes for the desk.
const TICK: StdDuration = StdDuration::from_millis(200);
/// How often the screen's view is made anew.
const VIEW_EVERY: Duration = Duration::millis(500);
/// Answers with bars that may wait for the engine; with more, no others are asked for.
const BARS: usize = 1_024;
/// Changes of who serves that may wait; the oldest go first, as the view says how it stands.
const SERVED: usize = 256;
/// Notes that may wait; with more, the oldest go first and are counted. The counts they tell of stand in the view all the same.
const NOTES: usize = 1_024;
/// Answers with economic values that may wait for the engine; with more, none are asked for.
const PUBLISHED: usize = 64;
/// Messages of all sockets that may wait for the desk; a socket waits where there are more.
const MESSAGES: usize = 4_096;
/// Texts that may wait for a stream; one that takes none is dead.
const TEXTS: usize = 64;

/// Keeps a text.
pub type Keep = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

/// What the link has to be given from outside.
pub struct Surroundings {
    /// The only clock.
    pub clock: fn() -> WallTime,
    /// Counts of requests that were kept, if there are any.
    pub kept: Option<String>,
    /// Keeps counts of requests, before the request leaves.
    pub keep: Keep,
    /// Chance of pauses.
    pub seed: u64,
}

/// Economic series and news beside the prices.
pub struct Bulletins {
    /// What is asked of whom.
    pub table: BulletinTable,
    /// Whose news are wanted.
    pub watched: Vec<Watched>,
    /// Publishers that take a key, and have one.
    pub keyed: Vec<ProviderId>,
    /// What was kept, if anything was.
    pub kept: Option<String>,
    /// Keeps what was heard for the next start.
    pub keep: Keep,
}

/// The link could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The system gives no thread.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// Encryption or the client of requests.
    #[error("connections cannot be set up: {0}")]
    Setup(String),
}

/// What waits for the engine.
#[derive(Default)]
struct Outbox {
    bars: VecDeque<ToldBars>,
    prices: BTreeMap<InstrumentId, VenueQuote>,
    served: VecDeque<Served>,
    notes: VecDeque<FeedNote>,
    lost_notes: u64,
    published: VecDeque<Vec<Observation>>,
    view: FeedView,
    bulletins: Option<Arc<BulletinView>>,
    conflated: u64,
    not_kept: Option<String>,
}

type Wake = Box<dyn Fn() + Send + Sync>;

/// What the engine wants of the desk: the latest of each counts.
#[derive(Default)]
struct Wishes {
    lines: Option<Vec<Line>>,
    search: Option<String>,
}

/// What the thread and the engine share.
#[derive(Default)]
struct Shared {
    outbox: Mutex<Outbox>,
    wishes: Mutex<Wishes>,
    wake: OnceLock<Wake>,
}

/// A running link. It ends when this is dropped.
pub struct ProvidersLink {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl std::fmt::Debug for ProvidersLink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ProvidersLink")
    }
}

impl Shared {
    /// A thread that panicked holding it has left it whole: everything in it is replaced at once or counted.
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvidersLink {
    /// Starts the desk on a thread of its own.
    pub fn start(table: ProviderTable, lines: Vec<Line>, surroundings: Surroundings) -> Result<Self, Ended> {
        Self::start_with(table, lines, surroundings, None)
    }

    /// The same with economic series and news.
    pub fn start_with(
        table: ProviderTable,
        lines: Vec<Line>,
        surroundings: Surroundings,
        bulletins: Option<Bulletins>,
    ) -> Result<Self, Ended> {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (arrivals, arrived) = mpsc::channel(MESSAGES);
        let sockets = Sockets::new(&table, arrivals).map_err(Ended::Setup)?;
        let Surroundings { clock, kept, keep, seed } = surroundings;
        let mut budget = table.budget();
        if let Some(Err(error)) = kept.map(|text| budget.take_up(&text)) {
            tracing::warn!(target: "pmax::feed", "the counts of requests cannot be read and begin anew: {error}");
        }
        let bulletins = bulletins.map(|Bulletins { table: asked, watched, keyed, kept, keep }| {
            (BulletinDesk::new(asked, &table, watched, keyed, kept.as_deref(), clock()), keep)
        });
        let desk = Desk::new(table, budget, lines, seed, clock());
        let shared = Arc::new(Shared::default());
        shared.outbox().view = desk.view(clock());
        let (stop, stopped) = oneshot::channel();
        let mut driver = Driver {
            desk,
            bulletins,
            clock,
            keep,
            sockets,
            shared: Arc::clone(&shared),
            streams: BTreeMap::new(),
            attempts: BTreeMap::new(),
            out: Vec::new(),
            shown: WallTime(0),
            searched: None,
            shown_bulletins: WallTime(0),
            not_stored: None,
            are_kept: true,
        };
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
            executor.block_on(driver.run(arrived, stopped));
            // A name that the system still looks for holds nobody up who wants to end.
            executor.shutdown_background();
        })?;
        Ok(Self { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Whom to call when something waits. It must not wait itself.
    pub fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        drop(self.shared.wake.set(Box::new(wake)));
    }

    /// Moves what waits to its taker: bars before prices.
    pub fn take(&self, news: &mut Vec<ProviderNews>, served: &mut Vec<Served>) {
        let mut outbox = self.shared.outbox();
        news.extend(outbox.bars.drain(..).map(ProviderNews::Bars));
        news.extend(std::mem::take(&mut outbox.prices).into_values().map(ProviderNews::Price));
        served.extend(outbox.served.drain(..));
    }

    /// Moves out what was noted since the last call.
    pub fn take_notes(&self, notes: &mut Vec<FeedNote>) {
        notes.extend(self.shared.outbox().notes.drain(..));
    }

    /// Follows exactly these from now on; taken at the next tick.
    pub fn watch(&self, lines: Vec<Line>) {
        self.shared.wishes().lines = Some(lines);
    }

    /// Asks which instruments these words name; the view has the answer. No words end it.
    pub fn search(&self, words: String) {
        self.shared.wishes().search = Some(words);
    }

    /// Moves what was released to its taker.
    pub fn take_published(&self) -> Vec<Vec<Observation>> {
        self.shared.outbox().published.drain(..).collect()
    }

    /// How economic series and news stand, where they are asked for.
    pub fn bulletins(&self) -> Option<Arc<BulletinView>> {
        self.shared.outbox().bulletins.clone()
    }

    /// How the providers stand.
    pub fn view(&self) -> FeedView {
        let outbox = self.shared.outbox();
        FeedView {
            conflated: outbox.conflated,
            lost_notes: outbox.lost_notes,
            not_kept: outbox.not_kept.clone(),
            ..outbox.view.clone()
        }
    }
}

impl Drop for ProvidersLink {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _: Result<(), ()> = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Driver {
    desk: Desk,
    bulletins: Option<(BulletinDesk, Keep)>,
    clock: fn() -> WallTime,
    keep: Keep,
    sockets: Sockets,
    shared: Arc<Shared>,
    streams: BTreeMap<ProviderId, (mpsc::Sender<ToSocket>, tokio::task::JoinHandle<()>)>,
    /// The number of the latest connection of each: what an abandoned one still says is not heard.
    attempts: BTreeMap<ProviderId, u64>,
    out: Vec<Output>,
    shown: WallTime,
    searched: Option<Arc<SearchView>>,
    shown_bulletins: WallTime,
    /// Why what was heard could not be kept, if it could not.
    not_stored: Option<String>,
    /// Whether the counts of requests could be kept the last time.
    are_kept: bool,
}

impl Driver {
    async fn run(&mut self, mut arrived: mpsc::Receiver<Arrived>, mut stopped: oneshot::Receiver<()>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => return,
                _ = ticks.tick() => {
                    self.take_wishes();
                    if self.shared.outbox().bars.len() < BARS {
                        self.step(Input::Tick);
                    }
                    if self.shared.outbox().published.len() < PUBLISHED {
                        self.step_bulletins(None);
                    }
                }
                Some(arrived) = arrived.recv() => self.hear(arrived),
            }
        }
    }

    fn take_wishes(&mut self) {
        let Wishes { lines, search } = std::mem::take(&mut *self.shared.wishes());
        if let Some(lines) = lines {
            if let Some((bulletins, _)) = &mut self.bulletins {
                bulletins.watch(lines.iter().filter_map(Watched::of).collect(), (self.clock)());
            }
            self.step(Input::Watch(lines));
        }
        if let Some(words) = search {
            self.step(Input::Search(words));
        }
    }

    fn hear(&mut self, arrived: Arrived) {
        let is_latest = |id: ProviderId, attempt: u64| self.attempts.get(&id) == Some(&attempt);
        match arrived {
            Arrived::Opened(id, attempt) if is_latest(id, attempt) => self.step(Input::Opened(id)),
            Arrived::Text(id, attempt, text) if is_latest(id, attempt) => self.step(Input::Text(id, &text)),
            Arrived::Alive(id, attempt) if is_latest(id, attempt) => self.step(Input::Alive(id)),
            Arrived::Closed(id, attempt, refusal) if is_latest(id, attempt) => self.step(Input::Closed(id, refusal)),
            Arrived::Answered(id, answer) if BulletinDesk::is_ours(id) => self.step_bulletins(Some((id, answer))),
            Arrived::Answered(id, answer) => self.step(Input::Answered(id, answer)),
            Arrived::Opened(..) | Arrived::Text(..) | Arrived::Alive(..) | Arrived::Closed(..) => {}
        }
    }

    /// One step of the desk, and what it asks for.
    fn step(&mut self, input: Input<'_>) {
        let now = (self.clock)();
        self.desk.handle(now, input, &mut self.out);
        let mut has_news = false;
        let mut uncounted = Vec::new();
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Open(id) => self.open(id),
                Output::Close(id) => self.close(id),
                Output::Ping(id) => self.write(id, ToSocket::Ping),
                Output::Send(id, text) => self.write(id, ToSocket::Text(text)),
                Output::Keep(text) => self.keep_counts(&text),
                Output::Fetch(request) if !self.are_kept => uncounted.push(request.id),
                Output::Fetch(request) => self.sockets.fetch(request),
                Output::News(news) => {
                    has_news = true;
                    self.post(news);
                }
                Output::Served(served) => {
                    has_news = true;
                    self.post_served(served);
                }
                Output::Noted(note) => {
                    if let (FeedNote::ClockWentBack { by }, Some((bulletins, _))) = (&note, &mut self.bulletins) {
                        bulletins.set_back(*by);
                    }
                    has_news = true;
                    self.post_note(note);
                }
            }
        }
        for id in uncounted {
            self.step(Input::Answered(id, Err(uncountable())));
        }
        let search = self.desk.search_view();
        let has_found = self.searched != search;
        if has_found || is_due(self.shown, now) {
            (self.shown, self.searched) = (now, search);
            self.shared.outbox().view = self.desk.view(now);
        }
        if let Some(wake) = self.shared.wake.get().filter(|_| has_news || has_found) {
            wake();
        }
    }

    /// One step of the slow desk: an answer, or time that passes.
    fn step_bulletins(&mut self, answered: Option<(FetchId, Result<Answer, Refusal>)>) {
        let Some((bulletins, _)) = &mut self.bulletins else { return };
        let (now, mut out) = ((self.clock)(), Vec::new());
        let mut uncounted = Vec::new();
        match answered {
            Some((id, answer)) => bulletins.answered(id, answer, self.desk.budget(), now, &mut out),
            None => bulletins.tick(self.desk.budget(), now, &mut out),
        }
        let mut has_news = false;
        for output in out {
            match output {
                // Counted before it leaves, as all requests are.
                Bulletin::Keep(text) => self.keep_counts(&text),
                Bulletin::Fetch(request, _) if !self.are_kept => uncounted.push(request.id),
                Bulletin::Fetch(request, patience) => {
                    self.sockets.fetch_within(request, StdDuration::from_nanos(patience.0.unsigned_abs()));
                }
                Bulletin::Tell(observations) => {
                    has_news = true;
                    self.shared.outbox().published.push_back(observations);
                }
                Bulletin::Store(text) => {
                    let kept = self.bulletins.as_mut().map(|(_, keep)| keep(&text));
                    self.not_stored = kept.and_then(Result::err).map(|error| error.to_string());
                }
            }
        }
        for id in uncounted {
            self.step_bulletins(Some((id, Err(uncountable()))));
        }
        if has_news || is_due(self.shown_bulletins, now) {
            self.shown_bulletins = now;
            if let Some((bulletins, _)) = &self.bulletins {
                let view = bulletins.view(self.desk.budget(), now);
                self.shared.outbox().bulletins = Some(Arc::new(BulletinView { not_kept: self.not_stored.clone(), ..view }));
            }
        }
        if let Some(wake) = self.shared.wake.get().filter(|_| has_news) {
            wake();
        }
    }

    fn open(&mut self, id: ProviderId) {
        let attempt = self.attempts.entry(id).or_default();
        *attempt += 1;
        let (sender, texts) = mpsc::channel(TEXTS);
        let task = self.sockets.stream(id, *attempt, texts);
        self.streams.insert(id, (sender, task));
    }

    fn close(&mut self, id: ProviderId) {
        *self.attempts.entry(id).or_default() += 1;
        if let Some((_, task)) = self.streams.remove(&id) {
            task.abort();
        }
    }

    fn write(&self, id: ProviderId, what: ToSocket) {
        // A stream that takes nothing says nothing either, and is closed for that.
        let is_taken = self.streams.get(&id).is_some_and(|(sender, _)| sender.try_send(what).is_ok());
        if !is_taken {
            tracing::warn!(target: "pmax::feed", "{id}: the connection takes no more");
        }
    }

    fn keep_counts(&mut self, text: &str) {
        let kept = (self.keep)(text);
        if let Err(error) = &kept {
            tracing::warn!(target: "pmax::feed", "the counts of requests were not kept: {error}");
        }
        self.are_kept = kept.is_ok();
        self.shared.outbox().not_kept = kept.err().map(|error| error.to_string());
    }

    fn post(&self, news: ProviderNews) {
        let mut outbox = self.shared.outbox();
        match news {
            ProviderNews::Price(quote) => {
                let replaced = outbox.prices.insert(quote.instrument, quote).is_some();
                outbox.conflated += u64::from(replaced);
            }
            ProviderNews::Bars(told) => outbox.bars.push_back(told),
        }
    }

    fn post_note(&self, note: FeedNote) {
        tracing::info!(target: "pmax::feed", "{note:?}");
        let mut outbox = self.shared.outbox();
        outbox.notes.push_back(note);
        while outbox.notes.len() > NOTES {
            outbox.notes.pop_front();
            outbox.lost_notes += 1;
        }
    }

    /// Changes that have one cause are told as one.
    fn post_served(&self, served: Served) {
        tracing::info!(target: "pmax::feed", "{} from {} instead of {}: {}", served.capability.word(), served.to, served.from, served.why);
        let mut outbox = self.shared.outbox();
        let is_same = |other: &&mut Served| {
            (other.capability, other.from, other.to, &other.why) == (served.capability, served.from, served.to, &served.why)
        };
        if let Some(other) = outbox.served.iter_mut().find(is_same) {
            other
                .instruments
                .extend(served.instruments.into_iter().filter(|id| !other.instruments.contains(id)).collect::<Vec<_>>());
            return;
        }
        outbox.served.push_back(served);
        while outbox.served.len() > SERVED {
            outbox.served.pop_front();
        }
    }
}

/// What a desk hears of a request that did not leave.
fn uncountable() -> Refusal {
    Refusal::new(Failure::Transport, "not asked: requests cannot be counted on the disk")
}

/// Whether a view is old, or from a time that a clock set back has not reached yet.
const fn is_due(shown: WallTime, now: WallTime) -> bool {
    let age = now.0 - shown.0;
    age < 0 || age >= VIEW_EVERY.0
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.streams.values().for_each(|(_, task)| task.abort());
    }
}
