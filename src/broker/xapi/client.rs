//! The client as a state machine: messages, wishes and time in; messages, events and connections out. No socket, no clock.
//!
//! Main and stream are one unit: if either drops or falls silent, both are closed, and after one login everything is subscribed and
//! compared anew. A trade request is written at most once, ever; where its reply is lost that is said once, and nothing is repeated.
//!
//! Past 600 lines because the phases share one state; the snapshot under way comes out first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

use crate::broker::xapi::errors::{Policy, may_log_in_again, meaning};
use crate::broker::xapi::secret::Secret;
use crate::broker::xapi::wire::{
    Margin, Pushed, Reply, Status, Symbol, Tick, Trade, TradeRequest, command, decode, decode_pushed, decode_reply,
    stream_command, trade_command,
};
use crate::domain::{CleanText, Duration, WallTime};

/// Commands that may wait in one class.
const QUEUE: usize = 512;
/// Requests that may be without a reply at once.
const OUTSTANDING: usize = 16;
/// Back-off begins anew after so much time in order.
const STEADY: Duration = Duration::seconds(60);
/// History is asked for from this long before the last answer, so that nothing falls between two.
const OVERLAP: Duration = Duration::seconds(86_400);

/// What a client is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Account number.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Least time between two commands of the main connection.
    pub spacing: Duration,
    /// Both connections are pinged this often.
    pub ping_every: Duration,
    /// A reply takes no longer than this.
    pub reply_within: Duration,
    /// The stream is never silent for longer than this.
    pub silence_within: Duration,
    /// First pause between two attempts; it doubles.
    pub first_retry: Duration,
    /// Longest pause.
    pub longest_retry: Duration,
    /// Seed of the pauses.
    pub seed: u64,
}

impl Settings {
    /// The usual times for an account.
    pub const fn usual(user: String, password: Secret, seed: u64) -> Self {
        Self {
            user,
            password,
            spacing: Duration::millis(250),
            ping_every: Duration::seconds(10),
            reply_within: Duration::seconds(5),
            silence_within: Duration::seconds(10),
            first_retry: Duration::millis(500),
            longest_retry: Duration::seconds(30),
            seed,
        }
    }
}

/// A number the caller gives to a trade request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What the caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A trade request; an urgent one goes ahead of everything but other urgent ones.
    Trade {
        /// Its number.
        id: AskId,
        /// The request.
        request: TradeRequest,
        /// Cancels and closes of the kill switch.
        is_urgent: bool,
    },
    /// Everything that is open, what was closed lately, and the account.
    Snapshot,
    /// Quotes of these symbols, and of no others.
    Watch(BTreeSet<String>),
}

/// What reaches the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// Connect, also after a refused login.
    Start,
    /// The main connection is there.
    MainOpened,
    /// The stream is there.
    StreamOpened,
    /// A message of the main connection.
    Main(&'a str),
    /// A message of the stream.
    Stream(&'a str),
    /// The main connection is gone.
    MainClosed(&'a str),
    /// The stream is gone.
    StreamClosed(&'a str),
    /// Time has passed.
    Timer,
    /// The caller wants something.
    Ask(Ask),
    /// End.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open the main connection.
    OpenMain,
    /// Open the stream.
    OpenStream,
    /// Close both.
    CloseBoth,
    /// Write to the main connection.
    Main(String),
    /// Write to the stream.
    Stream(String),
    /// Tell the caller.
    Event(ClientEvent),
}

/// How the link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Being opened, logged in and compared.
    Connecting,
    /// Orders can go.
    Ready,
    /// Gone; tried again by itself.
    Down {
        /// Why.
        why: CleanText,
        /// When it is tried again.
        retry_at: WallTime,
    },
    /// The broker refused the login; only a person starts it again.
    Refused {
        /// The code.
        code: String,
        /// In plain words.
        words: &'static str,
    },
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The link stands otherwise.
    Link(LinkState),
    /// The request has been written.
    Written(AskId),
    /// The broker has taken the request under this number.
    Taken(AskId, i64),
    /// The broker refused the request; nothing happened.
    Refused(AskId, CleanText),
    /// Written, and nobody knows what came of it.
    Ambiguous(AskId, CleanText),
    /// Never written.
    NotSent(AskId, CleanText),
    /// A transaction has moved on.
    Status(Status),
    /// A trade has opened, changed or closed.
    Trade(Box<Trade>),
    /// A quote.
    Tick(Tick),
    /// The account.
    Account(Margin),
    /// The symbols there are.
    Symbols(Vec<Symbol>),
    /// An answer to [`Ask::Snapshot`], or the one that follows a connection.
    Snapshot(Box<Snapshot>),
    /// How long a reply took.
    Latency(Duration),
}

/// Everything the broker says is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the first question was asked.
    pub began: WallTime,
    /// Positions and waiting orders.
    pub open: Vec<Trade>,
    /// What was closed since the last complete answer and a day before.
    pub history: Vec<Trade>,
    /// The account.
    pub margin: Margin,
    /// Whether two lists of what is open agree and everything was read. Only then does an absence mean something.
    pub is_complete: bool,
    /// Whether something was ordered or traded meanwhile, so that the lists may be older than what is known by now.
    pub is_overtaken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Waiting(WallTime),
    Connecting,
    LoggingIn,
    OpeningStream,
    Synchronising,
    Ready,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Job {
    Login,
    Ping,
    Symbols,
    Trade(AskId, TradeRequest),
    Open,
    History(i64),
    OpenAgain,
    Margin,
}

#[derive(Debug)]
struct Written {
    tag: String,
    job: Job,
    at: WallTime,
}

/// A comparison that is under way.
#[derive(Debug, Clone)]
struct Draft {
    began: WallTime,
    open: Option<Vec<Trade>>,
    history: Option<Vec<Trade>>,
    again: Option<Vec<Trade>>,
    broken: bool,
    overtaken: bool,
}

/// Classes of commands, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Urgent,
    Order,
    Query,
}

/// The machine.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    phase: Phase,
    attempts: u32,
    ready_since: Option<WallTime>,
    dice: u64,
    session: Option<String>,
    queue: BTreeMap<Class, VecDeque<Job>>,
    next_slot: WallTime,
    written: VecDeque<Written>,
    next_tag: u64,
    next_ping: WallTime,
    stream_heard: WallTime,
    watched: BTreeSet<String>,
    draft: Option<Draft>,
    /// Whether another look is wanted once this one is done.
    again: bool,
    seen_until: Option<WallTime>,
}

impl Client {
    /// A client that does nothing until it is started.
    pub fn new(settings: Settings) -> Self {
        let dice = settings.seed;
        Self {
            settings,
            phase: Phase::Idle,
            attempts: 0,
            ready_since: None,
            dice,
            session: None,
            queue: BTreeMap::new(),
            next_slot: WallTime(0),
            written: VecDeque::new(),
            next_tag: 1,
            next_ping: WallTime(0),
            stream_heard: WallTime(0),
            watched: BTreeSet::new(),
            draft: None,
            again: false,
            seen_until: None,
        }
    }

    /// Commands that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.queue.values().map(VecDeque::len).sum()
    }

    /// When the machine has something to do next, if nothing arrives.
    pub fn wake_at(&self) -> Option<WallTime> {
        let reply = self.written.front().map(|written| written.at.plus(self.settings.reply_within));
        let slot = self.next_class().map(|_| self.next_slot);
        let silence = self.is_streaming().then(|| self.stream_heard.plus(self.settings.silence_within));
        let ping = self.is_streaming().then_some(self.next_ping);
        let retry = if let Phase::Waiting(at) = self.phase { Some(at) } else { None };
        [reply, slot, silence, ping, retry].into_iter().flatten().min()
    }

    /// Takes an input.
    pub fn handle(&mut self, now: WallTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Start => self.connect(out),
            Input::MainOpened if self.phase == Phase::Connecting => self.log_in(now, out),
            Input::StreamOpened if self.phase == Phase::OpeningStream => self.subscribe(now, out),
            Input::MainOpened | Input::StreamOpened => {}
            Input::Main(text) => self.hear_main(now, text, out),
            Input::Stream(text) => self.hear_stream(now, text, out),
            Input::MainClosed(why) => self.drop_link(now, &format!("main connection: {why}"), out),
            Input::StreamClosed(why) => self.drop_link(now, &format!("stream: {why}"), out),
            Input::Timer => {}
            Input::Ask(ask) => self.take(now, ask, out),
            Input::Stop => {
                self.give_up("the program ends", out);
                self.phase = Phase::Idle;
                out.push(Output::CloseBoth);
            }
        }
        self.pass_time(now, out);
        self.pump(now, out);
    }

    fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Synchronising | Phase::Ready)
    }

    fn connect(&mut self, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Idle | Phase::Waiting(_)) {
            self.phase = Phase::Connecting;
            out.push(Output::Event(ClientEvent::Link(LinkState::Connecting)));
            out.push(Output::OpenMain);
        }
    }

    /// The first message of a connection; it does not wait for a turn.
    fn log_in(&mut self, now: WallTime, out: &mut Vec<Output>) {
        self.phase = Phase::LoggingIn;
        let arguments = json!({"userId": self.settings.user, "password": self.settings.password.reveal(), "appName": "pmax"});
        let tag = self.tag();
        if let Ok(text) = command("login", Some(arguments), &tag) {
            self.note_written(now, tag, Job::Login);
            out.push(Output::Main(text));
        }
    }

    fn subscribe(&mut self, now: WallTime, out: &mut Vec<Output>) {
        self.phase = Phase::Synchronising;
        (self.stream_heard, self.next_ping) = (now, now.plus(self.settings.ping_every));
        let Some(session) = self.session.clone() else { return };
        for name in ["getKeepAlive", "getTrades", "getTradeStatus", "getBalance"] {
            out.push(Output::Stream(stream_command(name, &session, None)));
        }
        for symbol in &self.watched {
            out.push(Output::Stream(stream_command("getTickPrices", &session, Some(symbol))));
        }
        self.push(Class::Query, Job::Symbols);
        self.ask_snapshot();
    }

    fn ask_snapshot(&mut self) {
        if self.draft.is_some() {
            // What is under way may have asked before the event this is about.
            self.again = true;
            return;
        }
        self.again = false;
        let began = WallTime(i64::MAX);
        self.draft = Some(Draft { began, open: None, history: None, again: None, broken: false, overtaken: false });
        let start = self.seen_until.map_or(0, |seen| (seen.0 - OVERLAP.0) / 1_000_000);
        for job in [Job::Open, Job::History(start.max(0)), Job::OpenAgain, Job::Margin] {
            self.push(Class::Query, job);
        }
    }

    fn take(&mut self, now: WallTime, ask: Ask, out: &mut Vec<Output>) {
        match ask {
            Ask::Trade { id, request, is_urgent } => {
                let class = if is_urgent { Class::Urgent } else { Class::Order };
                let is_full = self.queue.get(&class).is_some_and(|queue| queue.len() >= QUEUE);
                if self.phase != Phase::Ready || is_full {
                    let why = if is_full { "too many requests wait" } else { "the link to the broker is not ready" };
                    out.push(Output::Event(ClientEvent::NotSent(id, CleanText::from_outside(why))));
                } else {
                    self.push(class, Job::Trade(id, request));
                }
            }
            Ask::Snapshot if self.is_streaming() => self.ask_snapshot(),
            Ask::Snapshot => {}
            Ask::Watch(symbols) => self.watch(now, symbols, out),
        }
    }

    fn watch(&mut self, now: WallTime, symbols: BTreeSet<String>, out: &mut Vec<Output>) {
        let before = std::mem::replace(&mut self.watched, symbols);
        let Some(session) = self.session.clone().filter(|_| self.is_streaming()) else { return };
        let _: WallTime = now;
        for symbol in self.watched.difference(&before) {
            out.push(Output::Stream(stream_command("getTickPrices", &session, Some(symbol))));
        }
        for symbol in before.difference(&self.watched) {
            out.push(Output::Stream(stream_command("stopTickPrices", &session, Some(symbol))));
        }
    }

    fn push(&mut self, class: Class, job: Job) {
        self.queue.entry(class).or_default().push_back(job);
    }

    fn next_class(&self) -> Option<Class> {
        if self.written.len() >= OUTSTANDING || !self.is_streaming() {
            return None;
        }
        self.queue.iter().find(|(_, queue)| !queue.is_empty()).map(|(class, _)| *class)
    }

    /// Sends what has its turn.
    fn pump(&mut self, now: WallTime, out: &mut Vec<Output>) {
        while let Some(class) = self.next_class().filter(|_| now >= self.next_slot) {
            let Some(job) = self.queue.get_mut(&class).and_then(VecDeque::pop_front) else { return };
            let tag = self.tag();
            let text = match &job {
                Job::Login => continue,
                Job::Ping => command("ping", None, &tag),
                Job::Symbols => command("getAllSymbols", None, &tag),
                Job::Trade(_, request) => trade_command(request, &tag),
                Job::Open | Job::OpenAgain => command("getTrades", Some(json!({"openedOnly": true})), &tag),
                Job::History(start) => command("getTradesHistory", Some(json!({"start": start, "end": 0})), &tag),
                Job::Margin => command("getMarginLevel", None, &tag),
            };
            match (text, &job) {
                (Ok(text), job) => {
                    if let Job::Trade(id, _) = job {
                        self.draft.iter_mut().for_each(|draft| draft.overtaken = true);
                        out.push(Output::Event(ClientEvent::Written(*id)));
                    }
                    if let (Job::Open, Some(draft)) = (job, &mut self.draft) {
                        draft.began = now;
                    }
                    out.push(Output::Main(text));
                    self.note_written(now, tag, job.clone());
                }
                (Err(error), Job::Trade(id, _)) => {
                    out.push(Output::Event(ClientEvent::NotSent(*id, CleanText::from_outside(&error.to_string()))));
                }
                (Err(_), _) => {}
            }
        }
    }

    fn note_written(&mut self, now: WallTime, tag: String, job: Job) {
        self.next_slot = now.plus(self.settings.spacing);
        self.written.push_back(Written { tag, job, at: now });
    }

    fn tag(&mut self) -> String {
        self.next_tag += 1;
        format!("p{}", self.next_tag - 1)
    }

    fn pass_time(&mut self, now: WallTime, out: &mut Vec<Output>) {
        if let Phase::Waiting(at) = self.phase
            && now >= at
        {
            self.connect(out);
        }
        let is_late = self.written.front().is_some_and(|written| now.since(written.at).0 >= self.settings.reply_within.0);
        if is_late {
            self.drop_link(now, "no reply in time", out);
        } else if self.is_streaming() && now.since(self.stream_heard).0 >= self.settings.silence_within.0 {
            self.drop_link(now, "the stream is silent", out);
        }
        if self.is_streaming() && now >= self.next_ping {
            self.next_ping = now.plus(self.settings.ping_every);
            self.push(Class::Query, Job::Ping);
            if let Some(session) = &self.session {
                out.push(Output::Stream(stream_command("ping", session, None)));
            }
        }
    }

    fn hear_main(&mut self, now: WallTime, text: &str, out: &mut Vec<Output>) {
        let reply = match decode_reply(text) {
            Ok(reply) => reply,
            Err(error) => return self.drop_link(now, &error.to_string(), out),
        };
        // Replies come in order; the tag says so too. One that fits no request is not ours to understand.
        let place = match &reply.tag {
            Some(tag) => self.written.iter().position(|written| written.tag == *tag),
            None => (!self.written.is_empty()).then_some(0),
        };
        let Some(place) = place else { return };
        let Some(written) = self.written.remove(place) else { return };
        out.push(Output::Event(ClientEvent::Latency(now.since(written.at))));
        let session_over =
            reply.outcome.as_ref().err().map(|(code, _)| meaning(code)).filter(|(_, policy)| *policy == Policy::Relogin);
        let is_login = written.job == Job::Login;
        match written.job {
            Job::Login => self.logged_in(now, reply, out),
            Job::Trade(id, _) => {
                self.draft.iter_mut().for_each(|draft| draft.overtaken = true);
                trade_reply(id, &reply, out);
            }
            Job::Ping => {}
            Job::Symbols => {
                if let Some(symbols) = reply.outcome.ok().and_then(|data| decode::<Vec<Symbol>>(&data).ok()) {
                    out.push(Output::Event(ClientEvent::Symbols(symbols)));
                }
            }
            job @ (Job::Open | Job::OpenAgain | Job::History(_) | Job::Margin) => self.draft_reply(now, &job, reply, out),
        }
        if let Some((words, _)) = session_over.filter(|_| !is_login) {
            self.drop_link(now, words, out);
        }
    }

    fn logged_in(&mut self, now: WallTime, reply: Reply, out: &mut Vec<Output>) {
        match (reply.outcome, reply.session) {
            (Ok(_), Some(session)) => {
                self.session = Some(session);
                self.phase = Phase::OpeningStream;
                out.push(Output::OpenStream);
            }
            (Ok(_), None) => self.drop_link(now, "the login gave no session", out),
            (Err((code, _)), _) => {
                let (words, _) = meaning(&code);
                if !may_log_in_again(&code) {
                    self.give_up(words, out);
                    self.phase = Phase::Idle;
                    out.push(Output::CloseBoth);
                    out.push(Output::Event(ClientEvent::Link(LinkState::Refused { code, words })));
                } else {
                    self.drop_link(now, words, out);
                }
            }
        }
    }

    fn draft_reply(&mut self, now: WallTime, job: &Job, reply: Reply, out: &mut Vec<Output>) {
        let Some(draft) = &mut self.draft else { return };
        let data = reply.outcome.ok();
        let trades = || data.as_deref().and_then(|data| decode::<Vec<Trade>>(data).ok());
        match job {
            Job::Open => draft.open = trades(),
            Job::OpenAgain => draft.again = trades(),
            Job::History(_) => draft.history = trades(),
            _ => {
                let margin = data.as_deref().and_then(|data| decode::<Margin>(data).ok());
                self.finish_snapshot(now, margin, out);
                return;
            }
        }
        draft.broken |= data.is_none();
    }

    fn finish_snapshot(&mut self, now: WallTime, margin: Option<Margin>, out: &mut Vec<Output>) {
        let Some(draft) = self.draft.take() else { return };
        let keys = |trades: &Option<Vec<Trade>>| {
            let of = |trade: &Trade| (trade.position, trade.cmd, trade.volume);
            trades.as_ref().map(|trades| trades.iter().map(of).collect::<BTreeSet<_>>())
        };
        let agrees = draft.open.is_some() && keys(&draft.open) == keys(&draft.again);
        // A trade without a volume was not read, whatever its other fields say.
        let has_volumes = |trades: &Vec<Trade>| trades.iter().all(|trade| !(0..=5).contains(&trade.cmd) || trade.volume.0 > 0);
        let agrees = agrees && [&draft.open, &draft.again, &draft.history].into_iter().flatten().all(has_volumes);
        let is_complete = agrees && !draft.broken && draft.history.is_some() && margin.is_some();
        if is_complete {
            self.seen_until = Some(draft.began);
        }
        let snapshot = Snapshot {
            began: draft.began,
            open: draft.again.or(draft.open).unwrap_or_default(),
            history: draft.history.unwrap_or_default(),
            margin: margin.unwrap_or_default(),
            is_complete,
            is_overtaken: draft.overtaken,
        };
        out.push(Output::Event(ClientEvent::Snapshot(Box::new(snapshot))));
        match (self.phase, is_complete) {
            (Phase::Synchronising, true) => {
                self.phase = Phase::Ready;
                self.ready_since = Some(now);
                out.push(Output::Event(ClientEvent::Link(LinkState::Ready)));
            }
            (Phase::Synchronising, false) => self.ask_snapshot(),
            _ => {}
        }
        if self.again && self.draft.is_none() {
            self.ask_snapshot();
        }
    }

    fn hear_stream(&mut self, now: WallTime, text: &str, out: &mut Vec<Output>) {
        if !self.is_streaming() {
            return;
        }
        self.stream_heard = now;
        let event = match decode_pushed(text) {
            // A side without a price is no quote.
            Ok(Pushed::Tick(tick)) if tick.bid.0 <= 0 || tick.ask.0 <= 0 => return,
            Ok(Pushed::Tick(tick)) => ClientEvent::Tick(tick),
            Ok(Pushed::Trade(trade)) => ClientEvent::Trade(trade),
            Ok(Pushed::Status(status)) => ClientEvent::Status(status),
            Ok(Pushed::Balance(margin)) => ClientEvent::Account(margin),
            Ok(Pushed::KeepAlive | Pushed::Other) => return,
            Ok(Pushed::Error(code)) => return self.drop_link(now, meaning(&code).0, out),
            // A record that cannot be read may be a trade: everything is compared anew.
            Err(_) => return self.ask_snapshot(),
        };
        if matches!(event, ClientEvent::Trade(_) | ClientEvent::Status(_)) {
            self.draft.iter_mut().for_each(|draft| draft.overtaken = true);
        }
        out.push(Output::Event(event));
    }

    /// Closes both connections and tries again, at once the first time and then with longer pauses drawn at random.
    fn drop_link(&mut self, now: WallTime, why: &str, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Idle | Phase::Waiting(_)) {
            return;
        }
        if self.ready_since.is_some_and(|since| now.since(since).0 >= STEADY.0) {
            self.attempts = 0;
        }
        self.give_up(why, out);
        let longest = self.settings.longest_retry.0;
        let ceiling = match self.attempts {
            0 => 0,
            tries => self.settings.first_retry.0.saturating_mul(1 << (tries - 1).min(20)).min(longest),
        };
        self.attempts += 1;
        let retry_at = now.plus(Duration(self.draw(ceiling)));
        self.phase = Phase::Waiting(retry_at);
        out.push(Output::CloseBoth);
        out.push(Output::Event(ClientEvent::Link(LinkState::Down { why: CleanText::from_outside(why), retry_at })));
    }

    /// Ends what is under way: what was written is ambiguous, what was not is not sent.
    fn give_up(&mut self, why: &str, out: &mut Vec<Output>) {
        let why = CleanText::from_outside(why);
        for written in std::mem::take(&mut self.written) {
            if let Job::Trade(id, _) = written.job {
                out.push(Output::Event(ClientEvent::Ambiguous(id, why.clone())));
            }
        }
        for job in std::mem::take(&mut self.queue).into_values().flatten() {
            if let Job::Trade(id, _) = job {
                out.push(Output::Event(ClientEvent::NotSent(id, why.clone())));
            }
        }
        (self.session, self.draft, self.ready_since, self.again) = (None, None, None, false);
    }

    /// A number from 0 to `most` (SplitMix64: Steele, Lea and Flood 2014).
    fn draw(&mut self, most: i64) -> i64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let drawn = (mixed ^ (mixed >> 31)) % (most.max(0).unsigned_abs() + 1);
        i64::try_from(drawn).unwrap_or(0)
    }
}

/// What a reply to a trade request says.
fn trade_reply(id: AskId, reply: &Reply, out: &mut Vec<Output>) {
    #[derive(serde::Deserialize)]
    struct Taken {
        order: i64,
    }
    let event = match &reply.outcome {
        Ok(data) => match decode::<Taken>(data) {
            Ok(taken) => ClientEvent::Taken(id, taken.order),
            Err(error) => ClientEvent::Ambiguous(id, CleanText::from_outside(&error.to_string())),
        },
        Err((code, said)) => {
            let (words, policy) = meaning(code);
            let text = CleanText::from_outside(&format!("{code}: {words} ({said})"));
            if policy == Policy::Ambiguous { ClientEvent::Ambiguous(id, text) } else { ClientEvent::Refused(id, text) }
        }
    };
    out.push(Output::Event(event));
}
