//! What goes into the client and what comes out of it.

use std::collections::BTreeSet;
use std::fmt;

pub use crate::broker::SocketView as Socket;
use crate::broker::xapi::wire::{Candle, Margin, Status, Symbol, Tick, Trade, TradeRequest};
use crate::domain::{CleanText, Duration, Secret, WallTime};

/// What a client is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Account number.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Least time between two commands, on both connections together.
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
    /// A trade request that still waits for its turn is not written any more; the answer is a [`ClientEvent::NotSent`]. One that was
    /// written stays written.
    Withdraw(AskId),
    /// Everything that is open, what was closed lately, and the account.
    Snapshot,
    /// Where the transaction of this number stands; the answer is a [`ClientEvent::Status`] or a [`ClientEvent::NoTransaction`].
    Transaction(i64),
    /// The contract of this symbol anew; the answer is a [`ClientEvent::Contract`].
    Contract(String),
    /// Candles of one minute of this symbol from this instant in milliseconds on.
    Chart(String, i64),
    /// Quotes of these symbols, and of no others.
    Watch(BTreeSet<String>),
    /// Connect now, also after a refused login: a person wants it.
    Connect,
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
    /// Write the login to the main connection.
    Login(LoginText),
    /// Write to the main connection.
    Main(String),
    /// Write to the stream.
    Stream(String),
    /// Tell the caller.
    Event(ClientEvent),
}

/// The login command. It holds the password, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginText(String);

impl LoginText {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the wire alone.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for LoginText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginText")
    }
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
    /// The broker does not know a transaction of this number.
    NoTransaction(i64),
    /// A trade has opened, changed or closed.
    Trade(Box<Trade>),
    /// A quote.
    Tick(Tick),
    /// Candles of one minute that were asked for, oldest first.
    Candles(String, Vec<Candle>),
    /// Candles of this symbol that were asked for do not come, and why: that is not the same as there being none.
    NoCandles(String, CleanText),
    /// The account.
    Account(Margin),
    /// The symbols there are.
    Symbols(Vec<Symbol>),
    /// The contract of a symbol; nothing where the broker does not list it any more.
    Contract(String, Option<Box<Symbol>>),
    /// A complete answer to [`Ask::Snapshot`], or the one that follows a connection.
    Snapshot(Box<Snapshot>),
    /// An answer that says nothing, and why; it is asked again after a pause.
    Unread(CleanText),
    /// How long a reply took.
    Latency(Duration),
    /// How both connections stand.
    Vitals(Vitals),
}

/// Everything the broker says is there: two lists of what is open agree and every record was read. Only so an absence means something.
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
    /// Whether something was ordered or traded meanwhile, so that the lists may be older than what is known by now.
    pub is_overtaken: bool,
}

/// The state of both connections, for the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
    /// The main connection.
    pub main: Socket,
    /// The stream.
    pub stream: Socket,
    /// When the stream last said anything.
    pub stream_heard: Option<WallTime>,
    /// Commands that wait for their turn.
    pub waiting: usize,
    /// Commands written in the last ten seconds.
    pub used: usize,
    /// Commands that the spacing allows in ten seconds.
    pub allowed: usize,
}
