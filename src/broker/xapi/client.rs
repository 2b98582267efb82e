//! The client as a state machine: messages, wishes and time in; messages, events and connections out. No socket, no clock.
//!
//! Main and stream are one unit: if either drops or falls silent, both are closed, and after one login everything is subscribed and
//! compared anew. A trade request is written at most once, ever; where its reply is lost that is said once, and nothing is repeated.
//! `client/contract.rs` is what goes in and out, `client/look.rs` the look at everything that is open.

mod contract;
mod look;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

pub use contract::{Ask, AskId, ClientEvent, Input, LinkState, LoginText, Output, Settings, Snapshot, Socket, Vitals};
use look::Draft;

use crate::broker::xapi::errors::{Policy, may_log_in_again, meaning};
use crate::broker::xapi::wire::{
    Chart, Pushed, Reply, Status, Symbol, TradeRequest, WireError, command, decode, decode_each, decode_pushed, decode_reply,
    stream_command, trade_command,
};
use crate::domain::{CleanText, Duration, SplitMix64, WallTime};

/// Commands that may wait in one class.
const QUEUE: usize = 512;
/// Requests that may be without a reply at once.
const OUTSTANDING: usize = 16;
/// A list of all symbols may take so long; nothing else is asked for meanwhile.
const SYMBOLS_WITHIN: Duration = Duration::seconds(30);
/// Pause before the list of symbols is asked for again.
const SYMBOLS_AGAIN: Duration = Duration::seconds(15);
/// The code that says that there is no such transaction; any other says nothing of it.
const UNKNOWN_TRANSACTION: &str = "BE098";
/// The codes that say that there is no such symbol.
const NO_SUCH_SYMBOL: [&str; 4] = ["BE094", "BE101", "BE115", "BE116"];
/// The rate of commands is told over this time.
const RATE_OVER: Duration = Duration::seconds(10);
/// Longest pause between attempts where somebody takes connections and does not answer the login.
const MUTE_RETRY: Duration = Duration::seconds(10);
/// Longest pause between attempts while there is no connection at all.
const UNREACHABLE_RETRY: Duration = Duration::seconds(2);
/// Back-off begins anew after so much time in order.
const STEADY: Duration = Duration::seconds(60);

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
    /// A command of the stream; nothing answers it.
    Stream(&'static str, Option<String>),
    Symbols,
    Contract(String),
    Trade(AskId, TradeRequest),
    Open,
    History(i64),
    OpenAgain,
    Margin,
    Chart(String, i64),
    Transaction(i64),
}

#[derive(Debug)]
struct Written {
    tag: String,
    job: Job,
    at: WallTime,
}

/// Classes of commands, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Urgent,
    Order,
    Query,
    Quotes,
}

/// The machine.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    phase: Phase,
    attempts: u32,
    /// Attempts in a row that found no connection at all.
    unreachable: u32,
    /// When the latest attempt began.
    tried: WallTime,
    ready_since: Option<WallTime>,
    dice: SplitMix64,
    session: Option<String>,
    queue: BTreeMap<Class, VecDeque<Job>>,
    next_slot: WallTime,
    /// Commands in a row that came sooner than the spacing.
    early: u32,
    slots: VecDeque<WallTime>,
    written: VecDeque<Written>,
    next_tag: u64,
    next_ping: WallTime,
    stream_heard: WallTime,
    watched: BTreeSet<String>,
    draft: Option<Draft>,
    /// Whether another look is wanted once this one is done.
    again: bool,
    /// Answers in a row that were not complete, and when the next is asked for.
    unread: u32,
    look_at: Option<WallTime>,
    seen_until: Option<WallTime>,
    has_symbols: bool,
    /// When the list of symbols is asked for again, after an answer that was none.
    symbols_at: Option<WallTime>,
}

impl Client {
    /// A client that does nothing until it is started.
    pub fn new(settings: Settings) -> Self {
        let dice = SplitMix64::new(settings.seed);
        Self {
            settings,
            phase: Phase::Idle,
            attempts: 0,
            unreachable: 0,
            tried: WallTime(0),
            ready_since: None,
            dice,
            session: None,
            queue: BTreeMap::new(),
            next_slot: WallTime(0),
            early: 0,
            slots: VecDeque::new(),
            written: VecDeque::new(),
            next_tag: 1,
            next_ping: WallTime(0),
            stream_heard: WallTime(0),
            watched: BTreeSet::new(),
            draft: None,
            again: false,
            unread: 0,
            look_at: None,
            seen_until: None,
            has_symbols: false,
            symbols_at: None,
        }
    }

    /// Commands that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.queue.values().map(VecDeque::len).sum()
    }

    /// How both connections stand.
    pub fn vitals(&self, now: WallTime) -> Vitals {
        let (main, stream) = match self.phase {
            Phase::Idle | Phase::Waiting(_) => (Socket::Closed, Socket::Closed),
            Phase::Connecting => (Socket::Opening, Socket::Closed),
            Phase::LoggingIn => (Socket::Open, Socket::Closed),
            Phase::OpeningStream => (Socket::LoggedIn, Socket::Opening),
            Phase::Synchronising | Phase::Ready => (Socket::LoggedIn, Socket::Open),
        };
        let used = self.slots.iter().filter(|at| now.since(**at).0 < RATE_OVER.0).count();
        let allowed = usize::try_from(RATE_OVER.0 / self.settings.spacing.0.max(1)).unwrap_or(usize::MAX);
        let stream_heard = self.is_streaming().then_some(self.stream_heard);
        Vitals { main, stream, stream_heard, waiting: self.waiting(), used, allowed }
    }

    fn limit(&self, job: &Job) -> Duration {
        if *job == Job::Symbols { SYMBOLS_WITHIN.max(self.settings.reply_within) } else { self.settings.reply_within }
    }

    /// When the machine has something to do next, if nothing arrives.
    pub fn wake_at(&self) -> Option<WallTime> {
        let reply = self.written.front().map(|written| written.at.plus(self.limit(&written.job)));
        let slot = self.next_class().map(|_| self.next_slot);
        let silence = self.is_streaming().then(|| self.stream_heard.plus(self.settings.silence_within));
        let ping = self.is_streaming().then_some(self.next_ping);
        let retry = if let Phase::Waiting(at) = self.phase { Some(at) } else { None };
        [reply, slot, silence, ping, retry, self.look_at, self.symbols_at].into_iter().flatten().min()
    }

    /// Takes an input.
    pub fn handle(&mut self, now: WallTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Start => self.connect(now, out),
            Input::MainOpened if self.phase == Phase::Connecting => self.log_in(now, out),
            Input::StreamOpened if self.phase == Phase::OpeningStream => self.subscribe(now),
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

    fn connect(&mut self, now: WallTime, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Idle | Phase::Waiting(_)) {
            (self.phase, self.tried) = (Phase::Connecting, now);
            out.push(Output::Event(ClientEvent::Link(LinkState::Connecting)));
            out.push(Output::OpenMain);
        }
    }

    /// The first message of a connection; it does not wait for a turn.
    fn log_in(&mut self, now: WallTime, out: &mut Vec<Output>) {
        self.phase = Phase::LoggingIn;
        let arguments = json!({"userId": self.settings.user, "password": self.settings.password.reveal(), "appName": "pmax"});
        let tag = self.tag();
        match command("login", Some(arguments), &tag) {
            Ok(text) => {
                self.note_written(now, tag, Job::Login);
                out.push(Output::Login(LoginText::new(text)));
            }
            Err(_) => self.refuse_login(String::new(), "account number or password is longer than the protocol allows", out),
        }
    }

    fn refuse_login(&mut self, code: String, words: &'static str, out: &mut Vec<Output>) {
        self.give_up(words, out);
        self.phase = Phase::Idle;
        out.push(Output::CloseBoth);
        out.push(Output::Event(ClientEvent::Link(LinkState::Refused { code, words })));
    }

    fn subscribe(&mut self, now: WallTime) {
        self.phase = Phase::Synchronising;
        (self.stream_heard, self.next_ping) = (now, now.plus(self.settings.ping_every));
        // The list of symbols may be several megabytes: it comes once, before orders can wait behind it.
        if !self.has_symbols {
            self.push(Class::Query, Job::Symbols);
        }
        for name in ["getKeepAlive", "getTrades", "getTradeStatus", "getBalance"] {
            self.push(Class::Query, Job::Stream(name, None));
        }
        for symbol in self.watched.clone() {
            self.push(Class::Quotes, Job::Stream("getTickPrices", Some(symbol)));
        }
        self.ask_snapshot();
    }

    fn take(&mut self, now: WallTime, ask: Ask, out: &mut Vec<Output>) {
        match ask {
            Ask::Trade { id, request, is_urgent } => {
                let class = if is_urgent { Class::Urgent } else { Class::Order };
                let is_full = self.is_full(class);
                // What takes out or closes does not wait until every list could be read.
                let may_go = self.phase == Phase::Ready || (is_urgent && self.is_streaming());
                if !may_go || is_full {
                    let why = if is_full { "too many requests wait" } else { "the link to the broker is not ready" };
                    out.push(Output::Event(ClientEvent::NotSent(id, CleanText::from_outside(why))));
                } else {
                    self.push(class, Job::Trade(id, request));
                }
            }
            Ask::Withdraw(id) => self.withdraw(id, out),
            Ask::Snapshot if self.is_streaming() => self.ask_snapshot(),
            Ask::Chart(symbol, start) if self.has_room(Class::Quotes) => self.push(Class::Quotes, Job::Chart(symbol, start)),
            Ask::Chart(symbol, _) => {
                let why = CleanText::from("the link to the broker is not ready");
                out.push(Output::Event(ClientEvent::NoCandles(symbol, why)));
            }
            Ask::Contract(symbol) if self.has_room(Class::Query) => self.push(Class::Query, Job::Contract(symbol)),
            // What is not asked now is asked after the next look, or at the next login.
            Ask::Transaction(number) if self.has_room(Class::Query) => self.push(Class::Query, Job::Transaction(number)),
            Ask::Snapshot | Ask::Transaction(_) | Ask::Contract(_) => {}
            Ask::Watch(symbols) => self.watch(symbols),
            Ask::Connect => self.connect(now, out),
        }
    }

    fn withdraw(&mut self, id: AskId, out: &mut Vec<Output>) {
        let is_it = |job: &Job| matches!(job, Job::Trade(about, _) if *about == id);
        for queue in self.queue.values_mut() {
            if let Some(place) = queue.iter().position(is_it) {
                queue.remove(place);
                out.push(Output::Event(ClientEvent::NotSent(id, CleanText::from("trading was held before its turn came"))));
            }
        }
    }

    fn watch(&mut self, symbols: BTreeSet<String>) {
        let before = std::mem::replace(&mut self.watched, symbols);
        if !self.is_streaming() {
            return;
        }
        let stop = before.difference(&self.watched).map(|symbol| ("stopTickPrices", symbol.clone()));
        let start = self.watched.difference(&before).map(|symbol| ("getTickPrices", symbol.clone()));
        for (name, symbol) in stop.chain(start).collect::<Vec<_>>() {
            self.push(Class::Quotes, Job::Stream(name, Some(symbol)));
        }
    }

    fn is_full(&self, class: Class) -> bool {
        self.queue.get(&class).is_some_and(|queue| queue.len() >= QUEUE)
    }

    fn has_room(&self, class: Class) -> bool {
        self.is_streaming() && !self.is_full(class)
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

    /// Whether it is this class's turn. The protocol tolerates five commands in a row that come too soon and ends the connection at the
    /// sixth; an order uses one of them and what is urgent three, so that neither waits behind a look at what is open.
    fn may_go(&self, class: Class, now: WallTime) -> bool {
        let tolerated = match class {
            Class::Urgent => 3,
            Class::Order => 1,
            Class::Query | Class::Quotes => 0,
        };
        now >= self.next_slot || self.early < tolerated
    }

    /// Sends what has its turn.
    fn pump(&mut self, now: WallTime, out: &mut Vec<Output>) {
        while let Some(class) = self.next_class().filter(|class| self.may_go(*class, now)) {
            let Some(job) = self.queue.get_mut(&class).and_then(VecDeque::pop_front) else { return };
            if let Job::Stream(name, symbol) = job {
                if let Some(session) = &self.session {
                    out.push(Output::Stream(stream_command(name, session, symbol.as_deref())));
                    self.note_slot(now);
                }
                continue;
            }
            let tag = self.tag();
            let text = match &job {
                Job::Login | Job::Stream(..) => continue,
                Job::Ping => command("ping", None, &tag),
                Job::Symbols => command("getAllSymbols", None, &tag),
                Job::Contract(symbol) => command("getSymbol", Some(json!({"symbol": symbol})), &tag),
                Job::Trade(_, request) => trade_command(request, &tag),
                Job::Open | Job::OpenAgain => command("getTrades", Some(json!({"openedOnly": true})), &tag),
                Job::History(start) => command("getTradesHistory", Some(json!({"start": start, "end": 0})), &tag),
                Job::Margin => command("getMarginLevel", None, &tag),
                Job::Chart(symbol, start) => chart_command(symbol, *start, &tag),
                Job::Transaction(number) => command("tradeTransactionStatus", Some(json!({"order": number})), &tag),
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
        self.note_slot(now);
        self.written.push_back(Written { tag, job, at: now });
    }

    fn note_slot(&mut self, now: WallTime) {
        self.early = if now < self.next_slot { self.early + 1 } else { 0 };
        // After some that came soon the next one is late for certain, whatever the network does to its way.
        let after =
            if self.early > 0 { Duration(self.settings.spacing.0 + self.settings.spacing.0 / 2) } else { self.settings.spacing };
        self.next_slot = now.plus(after);
        while self.slots.front().is_some_and(|at| now.since(*at).0 >= RATE_OVER.0) {
            self.slots.pop_front();
        }
        self.slots.push_back(now);
    }

    fn tag(&mut self) -> String {
        self.next_tag += 1;
        format!("p{}", self.next_tag - 1)
    }

    fn pass_time(&mut self, now: WallTime, out: &mut Vec<Output>) {
        if let Phase::Waiting(at) = self.phase
            && now >= at
        {
            self.connect(now, out);
        }
        let is_late = self.written.front().is_some_and(|written| now.since(written.at).0 >= self.limit(&written.job).0);
        if is_late {
            self.drop_link(now, "no reply in time", out);
        } else if self.is_streaming() && now.since(self.stream_heard).0 >= self.settings.silence_within.0 {
            self.drop_link(now, "the stream is silent", out);
        }
        if self.is_streaming() && now >= self.next_ping {
            self.next_ping = now.plus(self.settings.ping_every);
            self.push(Class::Query, Job::Ping);
            self.push(Class::Query, Job::Stream("ping", None));
        }
        if self.is_streaming() && self.look_at.is_some_and(|at| now >= at) {
            self.ask_snapshot();
        }
        if self.is_streaming() && self.symbols_at.is_some_and(|at| now >= at) {
            self.symbols_at = None;
            self.push(Class::Query, Job::Symbols);
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
            Job::Ping | Job::Stream(..) => {}
            Job::Symbols => {
                // What stood behind the list begins to wait now.
                self.written.iter_mut().for_each(|behind| behind.at = now);
                if let Some((symbols, _)) = reply.outcome.ok().and_then(|data| decode_each::<Symbol>(&data).ok()) {
                    self.has_symbols = true;
                    out.push(Output::Event(ClientEvent::Symbols(symbols)));
                } else {
                    // Nothing is traded before the list is there, so orders do not wait behind it.
                    self.symbols_at = Some(now.plus(SYMBOLS_AGAIN));
                }
            }
            Job::Contract(symbol) => {
                let listed = match reply.outcome {
                    Ok(data) => decode::<Symbol>(&data).ok().map(Some),
                    Err((code, _)) => NO_SUCH_SYMBOL.contains(&code.as_str()).then_some(None),
                };
                out.extend(listed.map(|listed| Output::Event(ClientEvent::Contract(symbol, listed.map(Box::new)))));
            }
            Job::Transaction(number) => {
                let event = match reply.outcome {
                    Ok(data) => decode::<Status>(&data).ok().map(ClientEvent::Status),
                    Err((code, _)) => (code == UNKNOWN_TRANSACTION).then_some(ClientEvent::NoTransaction(number)),
                };
                self.draft.iter_mut().for_each(|draft| draft.overtaken = true);
                out.extend(event.map(Output::Event));
            }
            Job::Chart(symbol, _) => {
                out.push(Output::Event(chart_reply(symbol, reply.outcome)));
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
                if may_log_in_again(&code) {
                    self.drop_link(now, words, out);
                } else {
                    self.refuse_login(code, words, out);
                }
            }
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

    /// Whether this attempt found a connection on which not even the login was answered in time.
    fn is_mute(&self, now: WallTime) -> bool {
        let is_unanswered =
            |written: &Written| written.job == Job::Login && now.since(written.at).0 >= self.limit(&written.job).0;
        self.written.iter().any(is_unanswered)
    }

    /// Closes both connections and tries again, at once the first time and then with longer pauses drawn at random.
    fn drop_link(&mut self, now: WallTime, why: &str, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Idle | Phase::Waiting(_)) {
            return;
        }
        if self.ready_since.is_some_and(|since| now.since(since).0 >= STEADY.0) {
            self.attempts = 0;
        }
        let (is_unreachable, is_mute) = (self.phase == Phase::Connecting, self.is_mute(now));
        self.give_up(why, out);
        // Where there is no connection the line is tried often, so that its return is noticed soon; an attempt that hung was a pause
        // itself. A login that nobody answered was written, and is not repeated as often.
        let (tries, longest) = if is_unreachable {
            (&mut self.unreachable, UNREACHABLE_RETRY.min(self.settings.longest_retry).0)
        } else if is_mute {
            (&mut self.attempts, MUTE_RETRY.min(self.settings.longest_retry).0)
        } else {
            self.unreachable = 0;
            (&mut self.attempts, self.settings.longest_retry.0)
        };
        let ceiling = match *tries {
            0 => 0,
            tries => self.settings.first_retry.0.saturating_mul(1 << (tries - 1).min(20)).min(longest),
        };
        *tries = tries.saturating_add(1);
        let pause = Duration(self.draw(ceiling));
        let retry_at = if is_unreachable { now.max(self.tried.plus(pause)) } else { now.plus(pause) };
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
        (self.look_at, self.unread, self.symbols_at) = (None, 0, None);
    }

    /// A number from 0 to `most`.
    fn draw(&mut self, most: i64) -> i64 {
        i64::try_from(self.dice.below(most.max(0).unsigned_abs() + 1)).unwrap_or(0)
    }
}

/// Asks for candles of one minute from an instant on.
fn chart_command(symbol: &str, start: i64, tag: &str) -> Result<String, WireError> {
    command("getChartLastRequest", Some(json!({"info": {"symbol": symbol, "period": 1, "start": start}})), tag)
}

/// What a reply to a question for candles says.
fn chart_reply(symbol: String, outcome: Result<String, (String, CleanText)>) -> ClientEvent {
    let why = match outcome {
        Ok(data) => match decode::<Chart>(&data).and_then(|chart| chart.candles()) {
            Ok(candles) => return ClientEvent::Candles(symbol, candles),
            Err(error) => error.to_string(),
        },
        Err((code, _)) => format!("{code}: {}", meaning(&code).0),
    };
    ClientEvent::NoCandles(symbol, CleanText::from_outside(&why))
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
