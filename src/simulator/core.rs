//! The protocol's rules of connections and sessions. Commands, trading and streams are in the files of those names; swaps are charged
//! in `core/nights.rs`.

mod nights;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::{Duration, Price, WallTime};
use crate::exchange::{Dealer, DealerBook, DealerQuote};
use crate::simulator::charts::Charts;
use crate::simulator::records::Deposit;
use crate::simulator::streams::{Subscriptions, news};
use crate::simulator::trading::{Postponed, Status};
use crate::simulator::{Catalogue, Dice, Faults, Listing};
use nights::midnight_after;

/// The first data after connecting must come within this time.
const FIRST_DATA: Duration = Duration::seconds(1);
/// A connection without traffic ends after this time.
const IDLE: Duration = Duration::seconds(600);
/// A refused pair of user and password stays refused for this time.
const BLOCKED_FOR: Duration = Duration::seconds(600);
/// Commands closer together than this breach the rule of spacing, by the document.
pub const USUAL_SPACING: Duration = Duration::millis(200);
/// So many breaches in a row end the connection.
const BREACHES: u32 = 6;
/// A longer command ends the connection.
const LONGEST: usize = 1_024;
/// Connections per address.
const CONNECTIONS: usize = 50;
/// Keep-alive messages come this far apart.
const KEEP_ALIVE: Duration = Duration::seconds(3);
/// Statuses of transactions kept for questions.
pub(super) const KEPT_STATUSES: usize = 20_000;

/// The first number a new dealer gives.
const FIRST_NUMBER: i64 = 700_001;
/// The arguments of a command that has none.
static NOTHING: Value = Value::Null;

/// Number of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Which of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Requests and their replies.
    Main,
    /// Subscriptions and what they push.
    Stream,
}

/// What the simulator wants done on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// This text is one message.
    Text(ConnectionId, String),
    /// The connection ends, without a word.
    Close(ConnectionId),
}

/// Where the protocol's document is silent, the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variants {
    /// Refusals on the face of a request come as a status too, not as an error reply.
    pub refuses_by_status: bool,
    /// What is left after a partial close gets a new number.
    pub renumbers_remainder: bool,
    /// `ping` and `getVersion` are answered before login.
    pub answers_before_login: bool,
}

/// What a simulator is made of. Its password is not printed with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Account number.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Currency of the account.
    pub currency: String,
    /// Balance at the start, in units of 1e-9.
    pub balance: i64,
    /// Seed of faults and session numbers.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// Choices where the document is silent.
    pub variants: Variants,
    /// Whether symbols have trading hours; else every hour is one.
    pub has_hours: bool,
    /// Least time between two commands of a main connection; [`USUAL_SPACING`] by the document.
    pub spacing: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, currency, balance, seed, faults, variants, has_hours, spacing, password: _ } = self;
        let mut shown = formatter.debug_struct("Settings");
        shown.field("user", user).field("currency", currency).field("balance", balance).field("seed", seed);
        shown.field("faults", faults).field("variants", variants).field("has_hours", has_hours).field("spacing", spacing);
        shown.finish_non_exhaustive()
    }
}

/// One connection.
#[derive(Debug)]
struct Connection {
    port: Port,
    address: String,
    heard: WallTime,
    opened: WallTime,
    has_spoken: bool,
    breaches: u32,
    session: Option<String>,
}

/// One login.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stream: Option<ConnectionId>,
    pub(super) subscriptions: Subscriptions,
    pub(super) since: WallTime,
}

/// The broker.
#[derive(Debug)]
pub struct Simulator {
    pub(super) settings: Settings,
    pub(super) catalogue: Catalogue,
    pub(super) dealer: Dealer,
    pub(super) charts: Charts,
    pub(super) dice: Dice,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) statuses: BTreeMap<i64, Status>,
    pub(super) ranges: BTreeMap<String, (Price, Price)>,
    /// What was paid in at the beginning; nothing where an account was taken over.
    pub(super) deposit: Option<Deposit>,
    /// So many requotes and rejections so far: their forms take turns.
    pub(super) requotes: u32,
    pub(super) rejections: u32,
    /// Requests that are kept PENDING, in the order of their arrival.
    pub(super) postponed: Vec<Postponed>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Digests of refused pairs, and until when they stay refused: what was typed is not kept.
    blocked: BTreeMap<[u8; 32], WallTime>,
    delayed: BTreeMap<(WallTime, u64), Sent>,
    next_connection: u64,
    next_delayed: u64,
    last_keep_alive: WallTime,
    pub(super) next_news: WallTime,
    next_night: WallTime,
    /// The clock of the market it deals in, where that is not the wall's: a tape's.
    market_clock: Option<WallTime>,
}

/// A command that could be read.
pub(super) struct Request<'a> {
    pub(super) command: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) tag: Option<&'a str>,
    /// Whether its reply is to come in several lines.
    is_pretty: bool,
}

/// An error reply's code and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) &'static str, pub(super) &'static str);

pub(super) type Answer = Result<Option<Value>, Refusal>;

impl Simulator {
    /// A broker without a connection and without a trade. Every symbol has a first quote at its listed price.
    pub fn new(settings: Settings, catalogue: Catalogue, now: WallTime) -> Self {
        let first = catalogue.iter().map(|listing| (listing.symbol.clone(), listing.price)).collect();
        let book = DealerBook { balance: settings.balance, first_number: FIRST_NUMBER, trades: Vec::new() };
        let deposit = Deposit { number: FIRST_NUMBER - 1, amount: settings.balance, at: now };
        Self { deposit: Some(deposit), ..Self::with_book(settings, catalogue, book, first, now) }
    }

    /// A broker that takes over an account as it stands, with these first prices; a symbol without one has no quote yet.
    pub fn with_book(
        settings: Settings,
        catalogue: Catalogue,
        book: DealerBook,
        first: BTreeMap<String, Price>,
        now: WallTime,
    ) -> Self {
        let rates = first_rates(&catalogue, &settings.currency);
        let first_number = book.first_number.max(FIRST_NUMBER);
        let dealer = Dealer::new(catalogue.contracts(), rates, DealerBook { first_number, ..book });
        let mut simulator = Self {
            dice: Dice::new(settings.seed),
            dealer,
            charts: Charts::default(),
            sessions: BTreeMap::new(),
            statuses: BTreeMap::new(),
            ranges: BTreeMap::new(),
            deposit: None,
            requotes: 0,
            rejections: 0,
            postponed: Vec::new(),
            connections: BTreeMap::new(),
            blocked: BTreeMap::new(),
            delayed: BTreeMap::new(),
            next_connection: 1,
            next_delayed: 0,
            last_keep_alive: now,
            next_news: news::latest(now).plus(news::EVERY),
            next_night: midnight_after(now),
            market_clock: None,
            settings,
            catalogue,
        };
        for (symbol, price) in first {
            simulator.take_price(now, &symbol, price, &mut Vec::new());
        }
        simulator
    }

    /// The dealer behind the protocol, to be held against a client's ledger.
    pub const fn dealer(&self) -> &Dealer {
        &self.dealer
    }

    /// What is listed.
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The settings, to be changed between two calls: faults may come and go.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Takes a new connection.
    pub fn connect(&mut self, now: WallTime, port: Port, address: &str) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let connection = Connection {
            port,
            address: address.to_owned(),
            heard: now,
            opened: now,
            has_spoken: false,
            breaches: 0,
            session: None,
        };
        self.connections.insert(id, connection);
        id
    }

    /// Notes that a connection is gone. With a main connection its session and that session's stream end.
    pub fn disconnect(&mut self, id: ConnectionId, out: &mut Vec<Sent>) {
        let Some(connection) = self.connections.remove(&id) else { return };
        match connection.port {
            Port::Main => {
                if let Some(session) = connection.session.and_then(|session| self.sessions.remove(&session))
                    && let Some(stream) = session.stream
                    && !self.sessions.values().any(|other| other.stream == Some(stream))
                {
                    self.close(stream, out);
                }
            }
            Port::Stream => {
                for session in self.sessions.values_mut().filter(|session| session.stream == Some(id)) {
                    (session.stream, session.subscriptions) = (None, Subscriptions::default());
                }
            }
        }
    }

    /// Takes a message.
    pub fn receive(&mut self, now: WallTime, id: ConnectionId, text: &str, out: &mut Vec<Sent>) {
        let least = self.settings.spacing;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let since = now.since(connection.heard);
        let (port, is_first) = (connection.port, !connection.has_spoken);
        connection.breaches = if !is_first && port == Port::Main && since.0 < least.0 { connection.breaches + 1 } else { 0 };
        (connection.heard, connection.has_spoken) = (now, true);
        let broke_a_rule = connection.breaches >= BREACHES || text.len() > LONGEST;
        let parsed: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
        let Some(message) = parsed.filter(|_| !broke_a_rule) else {
            self.close(id, out);
            return;
        };
        if is_first && self.is_crowded(id) {
            self.reply(now, id, Err(Refusal("EX008", "Connection limit reached")), &Request::of(&message), out);
            self.close(id, out);
            return;
        }
        match port {
            Port::Main => self.receive_main(now, id, &message, out),
            Port::Stream => self.receive_stream(now, id, &message, out),
        }
    }

    /// Lets time act: keep-alive, silence, expiries, nights, news, messages that had to wait.
    pub fn tick(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            out.push(entry.remove());
        }
        let is_over = |connection: &Connection| {
            let silent = now.since(connection.heard).0;
            !connection.has_spoken && now.since(connection.opened).0 > FIRST_DATA.0 || silent > IDLE.0
        };
        let over: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| is_over(connection)).map(|(id, _)| *id).collect();
        for id in over {
            self.close(id, out);
        }
        let mut events = Vec::new();
        self.dealer.expire(self.market_clock.unwrap_or(now), &mut events);
        self.publish(now, &events, out);
        self.carry_out_postponed(now, out);
        self.pass_nights(now, out);
        if now >= self.next_news {
            self.push_news(now, out);
        }
        if now.since(self.last_keep_alive).0 >= KEEP_ALIVE.0 {
            self.last_keep_alive = now;
            self.push_keep_alive(now, out);
        }
    }

    /// The time of the market it deals in, where that is a tape's: waiting orders end by it.
    pub const fn set_market_clock(&mut self, at: WallTime) {
        self.market_clock = Some(at);
    }

    /// When [`Self::tick`] has something to do next, at the latest.
    pub fn wake_at(&self) -> WallTime {
        let delayed = self.delayed.keys().next().map(|(at, _)| *at);
        let regular = self.last_keep_alive.plus(KEEP_ALIVE);
        delayed.map_or(regular, |at| at.min(regular))
    }

    /// Takes the middle price of a symbol; bid and ask lie around it at the listed spread. Outside its hours nothing changes.
    pub fn price(&mut self, now: WallTime, symbol: &str, middle: Price, out: &mut Vec<Sent>) {
        if !self.settings.has_hours || self.is_open(symbol, now) {
            self.take_price(now, symbol, middle, out);
        }
    }

    fn take_price(&mut self, now: WallTime, symbol: &str, middle: Price, out: &mut Vec<Sent>) {
        let Some(listing) = self.catalogue.get(symbol).cloned() else { return };
        let point = listing.point();
        let half = listing.points(listing.spread / 2);
        let Some(bid) = middle.minus(half).ok().map(|bid| bid.rounded_to(point)).filter(|bid| bid.is_positive()) else { return };
        let Ok(ask) = bid.plus(listing.points(listing.spread)) else { return };
        self.quote(now, &listing, DealerQuote { bid, ask, at: now }, out);
    }

    fn quote(&mut self, now: WallTime, listing: &Listing, quote: DealerQuote, out: &mut Vec<Sent>) {
        let range = self.ranges.entry(listing.symbol.clone()).or_insert((quote.bid, quote.bid));
        *range = (range.0.min(quote.bid), range.1.max(quote.bid));
        if let Some((currency, rate)) = rate_from(&listing.symbol, quote.bid, self.dealer.rate("EUR"), &self.settings.currency) {
            self.dealer.set_rate(currency, rate);
        }
        let candle = self.charts.tick(&listing.symbol, quote.bid, now);
        let mut events = Vec::new();
        self.dealer.quote(&listing.symbol, quote, &mut events);
        self.push_tick(now, listing, quote, out);
        if let Some(candle) = candle {
            self.push_candle(now, listing, candle, out);
        }
        self.publish(now, &events, out);
        if events.is_empty() {
            self.push_profits(now, |trade| trade.symbol == listing.symbol, out);
        }
    }

    /// Loads bars from before the start, for charts.
    pub fn load_history(&mut self, symbol: &str, bars: Vec<crate::simulator::charts::Candle>) {
        self.charts.load(symbol, bars);
    }

    fn receive_main(&mut self, now: WallTime, id: ConnectionId, message: &Value, out: &mut Vec<Sent>) {
        let request = Request::of(message);
        if message.get("command").and_then(Value::as_str).is_none() {
            return self.reply(now, id, Err(Refusal("BE110", "Incorrect command format")), &request, out);
        }
        let session = self.connections.get(&id).and_then(|connection| connection.session.clone());
        let answer = match (request.command, session) {
            ("login", None) => return self.log_in(now, id, &request, out),
            ("login", Some(_)) => Err(Refusal("BE118", "User already logged")),
            ("ping" | "getVersion", None) if self.settings.variants.answers_before_login => self.answer(now, &request),
            (_, None) => Err(Refusal("BE103", "User is not logged")),
            ("logout", Some(_)) => {
                self.reply(now, id, Ok(None), &request, out);
                return self.close(id, out);
            }
            ("tradeTransaction", Some(_)) => return self.trade(now, id, &request, out),
            (_, Some(session)) => {
                self.charts.note_request(&session, &request);
                self.answer(now, &request)
            }
        };
        self.reply(now, id, answer, &request, out);
    }

    fn log_in(&mut self, now: WallTime, id: ConnectionId, request: &Request<'_>, out: &mut Vec<Sent>) {
        let field = |name: &str| request.arguments.get(name).and_then(Value::as_str);
        let (Some(user), Some(password)) = (field("userId"), field("password")) else {
            return self.reply(now, id, Err(Refusal("BE106", "Missing data: userId and password")), request, out);
        };
        let pair: [u8; 32] = Sha256::digest(format!("{user}\n{password}")).into();
        self.blocked.retain(|_, until| *until > now);
        if self.blocked.contains_key(&pair) {
            return self.reply(now, id, Err(Refusal("EX007", "Login blocked for 10 minutes")), request, out);
        }
        if user != self.settings.user || password != self.settings.password {
            self.blocked.insert(pair, now.plus(BLOCKED_FOR));
            let refusal = Refusal("BE005", "userPasswordCheck: Invalid login or password");
            return self.reply(now, id, Err(refusal), request, out);
        }
        let number = format!("{}{:010}", 44 + self.dice.below(40), self.dice.below(10_000_000_000));
        let session = Session { stream: None, subscriptions: Subscriptions::default(), since: now };
        self.sessions.insert(number.clone(), session);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.session = Some(number.clone());
        }
        self.send_reply(now, id, json!({"status": true, "streamSessionId": number}), request, out);
    }

    /// Ties a stream connection to a session by the number it sends.
    pub(super) fn join(&mut self, id: ConnectionId, number: &str) -> bool {
        let Some(session) = self.sessions.get_mut(number) else { return false };
        session.stream = Some(id);
        true
    }

    /// Answers a main command.
    pub(super) fn reply(&mut self, now: WallTime, id: ConnectionId, answer: Answer, request: &Request<'_>, out: &mut Vec<Sent>) {
        let reply = match answer {
            Ok(data) => {
                let mut reply = json!({"status": true});
                if let Value::Object(fields) = &mut reply {
                    fields.extend(data.map(|data| ("returnData".to_owned(), data)));
                }
                reply
            }
            Err(refusal) => error_reply(refusal),
        };
        self.send_reply(now, id, reply, request, out);
    }

    /// Sends a reply with the tag of its request, in the form the request wants.
    fn send_reply(&mut self, now: WallTime, id: ConnectionId, reply: Value, request: &Request<'_>, out: &mut Vec<Sent>) {
        let mut reply = reply;
        if let (Some(tag), Value::Object(fields)) = (request.tag, &mut reply) {
            fields.insert("customTag".to_owned(), json!(tag));
        }
        let text = if request.is_pretty { format!("{reply:#}") } else { reply.to_string() };
        self.send_text(now, id, text, out);
    }

    /// Sends a message, later if messages are delayed.
    pub(super) fn send(&mut self, now: WallTime, id: ConnectionId, message: &Value, out: &mut Vec<Sent>) {
        self.send_text(now, id, message.to_string(), out);
    }

    fn send_text(&mut self, now: WallTime, id: ConnectionId, text: String, out: &mut Vec<Sent>) {
        let sent = Sent::Text(id, text);
        let delay = self.settings.faults.delay;
        if delay.0 > 0 {
            self.next_delayed += 1;
            self.delayed.insert((now.plus(delay), self.next_delayed), sent);
        } else {
            out.push(sent);
        }
    }

    /// Ends a connection without a word.
    pub(super) fn close(&mut self, id: ConnectionId, out: &mut Vec<Sent>) {
        if self.connections.contains_key(&id) {
            out.push(Sent::Close(id));
            self.disconnect(id, out);
        }
    }

    fn is_crowded(&self, id: ConnectionId) -> bool {
        let Some(own) = self.connections.get(&id) else { return false };
        let same = self.connections.iter().filter(|(other, connection)| **other <= id && connection.address == own.address);
        same.count() > CONNECTIONS
    }

    /// Sessions that have a stream, with what they asked for.
    pub(super) fn streams(&self) -> BTreeSet<String> {
        self.sessions.iter().filter(|(_, session)| session.stream.is_some()).map(|(number, _)| number.clone()).collect()
    }
}

impl<'a> Request<'a> {
    /// The parts of a message; a command that is missing is an empty one.
    fn of(message: &'a Value) -> Self {
        Self {
            command: message.get("command").and_then(Value::as_str).unwrap_or(""),
            arguments: message.get("arguments").unwrap_or(&NOTHING),
            tag: message.get("customTag").and_then(Value::as_str),
            is_pretty: message.get("prettyPrint").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

/// An error reply.
pub(super) fn error_reply(refusal: Refusal) -> Value {
    json!({"status": false, "errorCode": refusal.0, "errorDescr": refusal.1})
}

/// The account's currency per unit of each profit currency, from the listed prices. The account is in dollars, euros or złoty.
fn first_rates(catalogue: &Catalogue, account: &str) -> BTreeMap<String, Price> {
    let one = Price::from_nanos(crate::domain::SCALE);
    let mut rates = BTreeMap::from([(account.to_owned(), one)]);
    for symbol in ["EURUSD", "GBPUSD", "USDJPY", "EURPLN"] {
        let Some(listing) = catalogue.get(symbol) else { continue };
        let euro = rates.get("EUR").copied();
        rates.extend(rate_from(symbol, listing.price, euro, account).map(|(currency, rate)| (currency.to_owned(), rate)));
    }
    rates
}

/// What a currency pair's price says about a profit currency, for an account in dollars.
fn rate_from(symbol: &str, price: Price, euro: Option<Price>, account: &str) -> Option<(&'static str, Price)> {
    let inverse = |over: Price| {
        let nanos = i128::from(over.nanos()) * i128::from(crate::domain::SCALE) / i128::from(price.nanos().max(1));
        i64::try_from(nanos).ok().map(Price::from_nanos)
    };
    if account != "USD" {
        return None;
    }
    match symbol {
        "EURUSD" => Some(("EUR", price)),
        "GBPUSD" => Some(("GBP", price)),
        "USDJPY" => Some(("JPY", inverse(Price::from_nanos(crate::domain::SCALE))?)),
        "EURPLN" => Some(("PLN", inverse(euro?)?)),
        _ => None,
    }
}
