//! The simulator held against xAPI 2.5.0: each row of the protocol a test, through nothing but texts on two connections.
//!
//! `xapi_conformance.md` says which test holds which row. One long file on purpose: whoever reads the list finds every test here,
//! or in `xapi_server.rs` where sockets matter.

use std::collections::{BTreeMap, BTreeSet};

use pmax::domain::{Duration, Price, WallTime};
use pmax::exchange::DealerBook;
use pmax::simulator::{Candle, Catalogue, ConnectionId, Faults, Port, Sent, Settings, Simulator, Variants};
use serde_json::{Value, json};

/// Saturday 2025-11-01, 13:26:40 in Warsaw.
const START: WallTime = WallTime(1_762_000_000_000_000_000);
const SPACING: Duration = Duration::millis(250);
const MINUTE: i64 = 60_000;
const LOGIN: &str = r#"{"command":"login","arguments":{"userId":"20001","password":"secret"}}"#;
const PING: &str = r#"{"command":"ping"}"#;

/// A person's side of the wire, with a clock of its own.
struct Peer {
    simulator: Simulator,
    now: WallTime,
    out: Vec<Sent>,
    main: ConnectionId,
    tag: u64,
}

impl Peer {
    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            user: "20001".to_owned(),
            password: "secret".to_owned(),
            currency: "USD".to_owned(),
            balance: 100_000_000_000_000,
            seed: 7,
            faults: Faults::default(),
            variants: Variants::default(),
            has_hours: false,
            spacing: pmax::simulator::USUAL_SPACING,
        };
        change(&mut settings);
        let mut simulator = Simulator::new(settings, Catalogue::shipped().unwrap(), START);
        let main = simulator.connect(START, Port::Main, "127.0.0.1");
        Self { simulator, now: START, out: Vec::new(), main, tag: 0 }
    }

    fn new() -> Self {
        Self::with(|_| {})
    }

    fn logged_in() -> Self {
        Self::logged_in_with(|_| {})
    }

    fn logged_in_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut peer = Self::with(change);
        assert_eq!(peer.log_in("secret")["status"], true);
        peer
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now.plus(time);
        while self.now < until {
            self.now = self.now.plus(Duration::millis(100)).min(until);
            self.simulator.tick(self.now, &mut self.out);
        }
    }

    fn send_on(&mut self, connection: ConnectionId, text: &str) {
        self.now = self.now.plus(SPACING);
        self.simulator.receive(self.now, connection, text, &mut self.out);
    }

    /// Texts that came on a connection since the last look.
    fn texts(&mut self, connection: ConnectionId) -> Vec<Value> {
        let mine = |sent: &Sent| matches!(sent, Sent::Text(id, _) if *id == connection);
        let (taken, left): (Vec<Sent>, Vec<Sent>) = std::mem::take(&mut self.out).into_iter().partition(mine);
        self.out = left;
        taken
            .into_iter()
            .map(|sent| if let Sent::Text(_, text) = sent { serde_json::from_str(&text).unwrap() } else { Value::Null })
            .collect()
    }

    fn is_closed(&self, connection: ConnectionId) -> bool {
        self.out.contains(&Sent::Close(connection))
    }

    fn ask_raw(&mut self, mut command: Value) -> Vec<Value> {
        self.tag += 1;
        command["customTag"] = json!(format!("t{}", self.tag));
        let main = self.main;
        self.send_on(main, &command.to_string());
        self.texts(main)
    }

    /// Sends a command and returns its one reply, which must carry the tag.
    fn ask(&mut self, command: Value) -> Value {
        let replies = self.ask_raw(command);
        assert_eq!(replies.len(), 1, "one request, one reply: {replies:?}");
        assert_eq!(replies[0]["customTag"], format!("t{}", self.tag));
        replies[0].clone()
    }

    fn log_in(&mut self, password: &str) -> Value {
        self.ask(json!({"command": "login", "arguments": {"userId": "20001", "password": password, "appName": "test"}}))
    }

    fn command(&mut self, name: &str, arguments: Value) -> Value {
        self.ask(json!({"command": name, "arguments": arguments}))
    }

    /// What a command gives, which must succeed.
    fn get(&mut self, name: &str, arguments: Value) -> Value {
        let reply = self.command(name, arguments);
        assert_eq!(reply["status"], true, "{name}: {reply}");
        reply["returnData"].clone()
    }

    fn code(&mut self, name: &str, arguments: Value) -> String {
        let reply = self.command(name, arguments);
        assert_eq!(reply["status"], false, "{name}: {reply}");
        reply["errorCode"].as_str().unwrap().to_owned()
    }

    /// Opens the stream of a fresh login and subscribes to everything about trades.
    fn streaming(change: impl FnOnce(&mut Settings)) -> (Self, ConnectionId, String) {
        let mut peer = Self::with(change);
        let session = peer.log_in("secret")["streamSessionId"].as_str().unwrap().to_owned();
        let stream = peer.simulator.connect(peer.now, Port::Stream, "127.0.0.1");
        for command in ["getKeepAlive", "getBalance", "getTrades", "getTradeStatus", "getProfits"] {
            peer.send_on(stream, &json!({"command": command, "streamSessionId": session}).to_string());
        }
        (peer, stream, session)
    }

    /// Sends a stream command of this session.
    fn subscribe(&mut self, stream: ConnectionId, session: &str, command: &str, more: Value) {
        let mut text = json!({"command": command, "streamSessionId": session});
        for (name, value) in more.as_object().unwrap() {
            text[name] = value.clone();
        }
        self.send_on(stream, &text.to_string());
    }

    /// Data of one topic that came on a stream since the last look.
    fn pushed(&mut self, stream: ConnectionId, topic: &str) -> Vec<Value> {
        let told = self.texts(stream).into_iter().filter(|message| message["command"] == topic);
        told.map(|message| message["data"].clone()).collect()
    }

    /// Time passes in which both connections say something now and then.
    fn live(&mut self, stream: ConnectionId, session: &str, time: Duration) {
        let (main, until) = (self.main, self.now.plus(time));
        let ping = json!({"command": "ping", "streamSessionId": session}).to_string();
        while self.now < until {
            self.now = self.now.plus(Duration::seconds(500)).min(until);
            self.simulator.receive(self.now, main, PING, &mut self.out);
            self.simulator.receive(self.now, stream, &ping, &mut self.out);
            self.simulator.tick(self.now, &mut self.out);
        }
        self.texts(main);
    }

    /// Goes away, and logs in anew a moment after this instant.
    fn come_back(&mut self, at: WallTime) {
        let main = self.main;
        self.simulator.disconnect(main, &mut self.out);
        self.now = at;
        self.simulator.tick(self.now, &mut self.out);
        self.main = self.simulator.connect(self.now, Port::Main, "127.0.0.1");
        assert_eq!(self.log_in("secret")["status"], true);
    }

    fn transaction(&mut self, change: Value) -> Value {
        let mut info = json!({"cmd": 0, "type": 0, "symbol": "EURUSD", "volume": 0.1, "price": 1.0843, "sl": 0.0, "tp": 0.0, "offset": 0,
                              "order": 0, "expiration": 0, "customComment": "tui-8f2c"});
        for (name, value) in change.as_object().unwrap() {
            info[name] = value.clone();
        }
        self.command("tradeTransaction", json!({"tradeTransInfo": info}))
    }

    fn order(&mut self, change: Value) -> i64 {
        let reply = self.transaction(change);
        assert_eq!(reply["status"], true, "{reply}");
        reply["returnData"]["order"].as_i64().unwrap()
    }

    fn status_of(&mut self, order: i64) -> Value {
        self.get("tradeTransactionStatus", json!({"order": order}))
    }

    fn open(&mut self) -> Vec<Value> {
        self.get("getTrades", json!({"openedOnly": true})).as_array().unwrap().clone()
    }

    /// Closed trades of the history, without what was paid in.
    fn closed(&mut self) -> Vec<Value> {
        let history = self.get("getTradesHistory", json!({"start": 0, "end": 0}));
        let is_trade = |record: &&Value| record["cmd"].as_i64().is_some_and(|command| command < 2);
        history.as_array().unwrap().iter().filter(is_trade).cloned().collect()
    }

    fn price(&mut self, symbol: &str, price: &str) {
        self.now = self.now.plus(SPACING);
        let price: Price = price.parse().unwrap();
        self.simulator.price(self.now, symbol, price, &mut self.out);
    }

    fn status_after(&mut self, change: Value) -> (i64, Option<String>) {
        let order = self.order(change);
        let status = self.status_of(order);
        (status["requestStatus"].as_i64().unwrap(), status["message"].as_str().map(str::to_owned))
    }
}

/// What stream messages are, in a word or three.
fn kinds(messages: &[Value]) -> Vec<String> {
    let kind = |message: &Value| match message["command"].as_str().unwrap() {
        "tradeStatus" => format!("status {}", message["data"]["requestStatus"]),
        "trade" => format!("trade {} {}", message["data"]["type"], message["data"]["state"].as_str().unwrap()),
        other => other.to_owned(),
    };
    messages.iter().map(kind).collect()
}

fn names(record: &Value) -> BTreeSet<&str> {
    record.as_object().unwrap().keys().map(String::as_str).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

/// A candle of one minute in which the price stood still.
fn candle(ctm: i64, price: &str) -> Candle {
    let price: Price = price.parse().unwrap();
    Candle { ctm, open: price, high: price, low: price, close: price, vol: 1 }
}

/// A range chart's arguments.
fn range(period: i64, start: i64, end: i64, ticks: i64) -> Value {
    json!({"info": {"symbol": "EURUSD", "period": period, "start": start, "end": end, "ticks": ticks}})
}

fn millis(at: WallTime) -> i64 {
    at.0 / 1_000_000
}

#[test]
fn login_gives_a_new_session_each_time() {
    let mut peer = Peer::new();
    let first = peer.log_in("secret");
    assert_eq!(first["status"], true);
    let number = first["streamSessionId"].as_str().unwrap().to_owned();
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
    assert!(first.get("returnData").is_none());
    assert_eq!(peer.command("logout", Value::Null)["status"], true);
    assert!(peer.is_closed(peer.main), "after a logout the server closes");
    peer.main = peer.simulator.connect(peer.now, Port::Main, "127.0.0.1");
    assert_ne!(peer.log_in("secret")["streamSessionId"], number.as_str());
}

#[test]
fn a_second_login_is_told_so() {
    let mut peer = Peer::logged_in();
    assert_eq!(peer.log_in("secret")["errorCode"], "BE118");
}

#[test]
fn nothing_works_before_login() {
    let mut peer = Peer::new();
    assert_eq!(peer.code("getServerTime", Value::Null), "BE103");
    assert_eq!(peer.code("ping", Value::Null), "BE103");
    let mut peer = Peer::with(|settings| settings.variants.answers_before_login = true);
    assert_eq!(peer.command("ping", Value::Null)["status"], true);
    assert_eq!(peer.code("getServerTime", Value::Null), "BE103");
}

#[test]
fn a_wrong_password_blocks_the_pair_for_ten_minutes() {
    let mut peer = Peer::new();
    assert_eq!(peer.log_in("wrong")["errorCode"], "BE005");
    assert_eq!(peer.log_in("wrong")["errorCode"], "EX007");
    assert_eq!(peer.log_in("secret")["status"], true, "another pair is not blocked");
    let mut peer = Peer::new();
    peer.log_in("wrong");
    for _ in 0..3 {
        peer.wait(Duration::seconds(190));
        peer.simulator.receive(peer.now, peer.main, "{\"command\":\"ping\"}", &mut peer.out);
    }
    peer.wait(Duration::seconds(40));
    peer.out.clear();
    assert_eq!(peer.log_in("wrong")["errorCode"], "BE005", "the block has run out");
}

#[test]
fn broken_json_ends_the_connection_without_a_word() {
    for text in ["{\"command\":", "[1]", "\"ping\"", "{'command':'ping'}"] {
        let mut peer = Peer::logged_in();
        let main = peer.main;
        peer.send_on(main, text);
        assert_eq!(peer.out, vec![Sent::Close(main)], "{text}");
    }
}

#[test]
fn valid_json_that_does_not_fit_is_answered_and_the_connection_stays() {
    let mut peer = Peer::logged_in();
    assert_eq!(peer.code("frobnicate", Value::Null), "BE104");
    assert_eq!(peer.ask(json!({"foo": 1}))["errorCode"], "BE110");
    assert_eq!(peer.code("getSymbol", json!({})), "BE106");
    assert_eq!(peer.code("getSymbol", json!({"symbol": "NONE"})), "BE115");
    assert_eq!(peer.command("ping", Value::Null)["status"], true);
}

#[test]
fn an_oversized_command_ends_the_connection() {
    let mut peer = Peer::logged_in();
    let main = peer.main;
    let sized = |size: usize| {
        let empty = r#"{"command":"ping","customTag":""}"#;
        empty.replace("\"\"", &format!("\"{}\"", "x".repeat(size - empty.len())))
    };
    peer.send_on(main, &sized(1_024));
    assert_eq!(peer.texts(main)[0]["status"], true, "a kilobyte is taken");
    peer.send_on(main, &sized(1_025));
    assert_eq!(peer.out, vec![Sent::Close(main)]);
}

#[test]
fn six_commands_in_a_row_too_close_end_the_connection() {
    let mut peer = Peer::logged_in();
    let main = peer.main;
    let hurry = |peer: &mut Peer, times: u32| {
        for _ in 0..times {
            peer.now = peer.now.plus(Duration::millis(150));
            peer.simulator.receive(peer.now, main, "{\"command\":\"ping\"}", &mut peer.out);
        }
    };
    hurry(&mut peer, 5);
    assert!(!peer.is_closed(main), "five are tolerated");
    peer.send_on(main, "{\"command\":\"ping\"}");
    hurry(&mut peer, 5);
    assert!(!peer.is_closed(main), "a patient one forgives");
    hurry(&mut peer, 1);
    assert!(peer.is_closed(main));
}

#[test]
fn silence_ends_a_connection() {
    let mut peer = Peer::new();
    peer.wait(Duration::millis(1_200));
    assert!(peer.is_closed(peer.main), "first data within a second");
    let mut peer = Peer::logged_in();
    peer.wait(Duration::seconds(599));
    assert!(!peer.is_closed(peer.main));
    peer.wait(Duration::seconds(3));
    assert!(peer.is_closed(peer.main), "ten minutes without a word");
}

#[test]
fn the_fifty_first_connection_is_refused() {
    let mut peer = Peer::logged_in();
    let more: Vec<ConnectionId> = (0..50).map(|_| peer.simulator.connect(peer.now, Port::Main, "127.0.0.1")).collect();
    let login = json!({"command": "login", "arguments": {"userId": "20001", "password": "secret"}}).to_string();
    peer.send_on(more[48], &login);
    assert_eq!(peer.texts(more[48])[0]["status"], true);
    peer.send_on(more[49], &login);
    assert_eq!(peer.texts(more[49])[0]["errorCode"], "EX008");
    assert!(peer.is_closed(more[49]));
    let elsewhere = peer.simulator.connect(peer.now, Port::Main, "127.0.0.2");
    peer.send_on(elsewhere, &login);
    assert_eq!(peer.texts(elsewhere)[0]["status"], true, "the limit is for each address");
}

#[test]
fn a_stream_with_a_wrong_session_is_told_so_and_one_ends_with_its_main() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    let other = peer.simulator.connect(peer.now, Port::Stream, "127.0.0.1");
    peer.send_on(other, "{\"command\":\"ping\",\"streamSessionId\":\"1\"}");
    assert_eq!(peer.texts(other)[0]["errorCode"], "BE117");
    assert!(!peer.is_closed(stream));
    let main = peer.main;
    peer.simulator.disconnect(main, &mut peer.out);
    assert!(peer.is_closed(stream), "the session is gone with its main connection");
    let again = peer.simulator.connect(peer.now, Port::Stream, "127.0.0.1");
    peer.send_on(again, &json!({"command": "ping", "streamSessionId": session}).to_string());
    assert_eq!(peer.texts(again)[0]["errorCode"], "BE117");
}

#[test]
fn logout_ends_the_stream() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    peer.command("logout", Value::Null);
    assert!(peer.is_closed(stream));
}

#[test]
fn times_are_utc_numbers_with_texts_of_warsaw() {
    let mut peer = Peer::logged_in();
    let time = peer.get("getServerTime", Value::Null);
    assert_eq!(time["time"].as_i64().unwrap(), peer.now.0 / 1_000_000);
    assert_eq!(time["timeString"], "Nov 1, 2025 1:26:40 PM");
    assert_eq!(peer.get("getVersion", Value::Null)["version"], "2.5.0");
}

#[test]
fn symbol_records_have_every_field() {
    let mut peer = Peer::logged_in();
    let all = peer.get("getAllSymbols", Value::Null);
    let fields = "ask bid categoryName contractSize currency currencyPair currencyProfit description exemode expiration groupName high \
                  initialMargin instantMaxVolume leverage longOnly lotMax lotMin lotStep low marginHedged marginHedgedStrong \
                  marginMaintenance marginMode percentage pipsPrecision precision profitMode quoteId quoteIdCross shortSelling spreadRaw \
                  spreadTable starting stepRuleId stopsLevel swapEnable swapLong swapShort swapType swap_rollover3days symbol tickSize \
                  tickValue time timeString trailingEnabled type";
    for record in all.as_array().unwrap() {
        for field in fields.split_whitespace() {
            assert!(record.get(field).is_some(), "{}: {field}", record["symbol"]);
        }
        assert!(record["ask"].as_f64() > record["bid"].as_f64());
    }
    let euro = peer.get("getSymbol", json!({"symbol": "EURUSD"}));
    assert_eq!((euro["precision"].as_i64(), euro["spreadRaw"].as_f64()), (Some(5), Some(0.00009)));
    assert_eq!((euro["spreadTable"].as_f64(), euro["leverage"].as_f64()), (Some(0.9), Some(3.33)));
    assert_eq!(euro["timeString"], "Sat Nov 01 13:26:40 CET 2025");
}

#[test]
fn calculators_follow_their_formulas() {
    let mut peer = Peer::logged_in();
    let profit = |cmd: i64, symbol: &str, open: f64, close: f64, volume: f64| json!({"cmd": cmd, "symbol": symbol, "openPrice": open, "closePrice": close, "volume": volume});
    assert_eq!(peer.get("getProfitCalculation", profit(0, "EURUSD", 1.084, 1.085, 0.1))["profit"], 10.0);
    assert_eq!(peer.get("getProfitCalculation", profit(1, "GOLD", 2650.0, 2641.5, 0.02))["profit"], 17.0);
    // 25 euros a point, 0.04 lots, 10 points: 10 euros at 1.08425, the quoted bid.
    assert_eq!(peer.get("getProfitCalculation", profit(0, "DE40", 24_000.0, 24_010.0, 0.04))["profit"], 10.84);
    assert_eq!(peer.get("getMarginTrade", json!({"symbol": "GOLD", "volume": 0.1}))["margin"], 1_325.09);
    assert_eq!(peer.code("getMarginTrade", json!({"symbol": "GOLD"})), "BE106");
    let level = peer.get("getMarginLevel", Value::Null);
    assert_eq!((level["balance"].as_f64(), level["margin"].as_f64()), (Some(100_000.0), Some(0.0)));
    assert_eq!((level["margin_free"].as_f64(), level["margin_level"].as_f64()), (Some(100_000.0), Some(0.0)));
}

#[test]
fn a_market_order_is_taken_then_reported_in_the_order_of_the_protocol() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    peer.texts(stream);
    let order = peer.order(json!({"sl": 1.08, "tp": 1.09}));
    let told = peer.texts(stream);
    assert_eq!(kinds(&told), ["status 1", "trade 1 Modified", "status 3", "trade 0 Modified", "balance", "profit"]);
    let trade = &told[3]["data"];
    assert_eq!(trade["order2"].as_i64(), Some(order), "the reply's number is the transaction's");
    assert_eq!(trade["order"], trade["position"]);
    assert_ne!(trade["position"].as_i64(), Some(order));
    assert_eq!(
        (trade["customComment"].as_str(), trade["sl"].as_f64(), trade["tp"].as_f64()),
        (Some("tui-8f2c"), Some(1.08), Some(1.09))
    );
    let status = peer.status_of(order);
    assert_eq!((status["requestStatus"].as_i64(), status["customComment"].as_str()), (Some(3), Some("tui-8f2c")));
    let open = peer.open();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["open_timeString"].as_str().unwrap().len(), "Sat Nov 01 13:26:41 CET 2025".len());
    assert_eq!((open[0]["closed"].as_bool(), open[0]["close_time"].is_null()), (Some(false), true));
}

#[test]
fn opposite_orders_hedge_and_margin_counts_the_larger_side() {
    let mut peer = Peer::logged_in();
    peer.order(json!({"volume": 1.0}));
    let one = peer.get("getMarginLevel", Value::Null)["margin"].as_f64().unwrap();
    peer.order(json!({"cmd": 1, "volume": 0.5}));
    assert_eq!(peer.open().len(), 2);
    assert_eq!(peer.get("getMarginLevel", Value::Null)["margin"].as_f64().unwrap(), one);
}

#[test]
fn a_position_is_closed_in_parts_and_keeps_its_number() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    peer.order(json!({"volume": 0.3}));
    let position = peer.open()[0]["position"].clone();
    peer.price("EURUSD", "1.0853");
    peer.texts(stream);
    let first = peer.order(json!({"type": 2, "order": position, "volume": 0.1, "price": 1.0}));
    let closed: Vec<Value> = peer.texts(stream).into_iter().filter(|message| message["data"]["type"] == 2).collect();
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0]["data"]["closed"].as_bool(), closed[0]["data"]["volume"].as_f64()), (Some(true), Some(0.1)));
    assert_eq!(closed[0]["data"]["order2"].as_i64(), Some(first));
    let left = peer.open();
    assert_eq!((left[0]["position"].clone(), left[0]["volume"].as_f64()), (position.clone(), Some(0.2)));
    peer.order(json!({"type": 2, "order": position, "volume": 0.2, "price": 1.0}));
    assert!(peer.open().is_empty());
    let profits: Vec<f64> = peer.closed().iter().map(|record| record["profit"].as_f64().unwrap()).collect();
    assert_eq!(profits, [9.1, 18.2], "ten pips less the spread of 0.9");
    assert_eq!(peer.get("getMarginLevel", Value::Null)["balance"].as_f64(), Some(100_027.3));
    assert_eq!(peer.transaction(json!({"type": 2, "order": position, "volume": 0.2}))["errorCode"], "BE097");
    assert_eq!(peer.transaction(json!({"type": 2, "order": 1, "volume": 0.2}))["errorCode"], "BE098");
}

#[test]
fn the_remainder_may_be_renumbered() {
    let mut peer = Peer::logged_in_with(|settings| settings.variants.renumbers_remainder = true);
    peer.order(json!({"volume": 0.3}));
    let position = peer.open()[0]["position"].clone();
    peer.order(json!({"type": 2, "order": position, "volume": 0.1}));
    let left = peer.open();
    assert_eq!(left.len(), 1);
    assert_ne!(left[0]["position"], position);
    assert_eq!(left[0]["customComment"], "tui-8f2c");
}

#[test]
fn a_pending_order_waits_triggers_and_is_deleted_not_closed() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    let limit = peer.order(json!({"cmd": 2, "price": 1.08}));
    let open = peer.open();
    assert_eq!(
        (open[0]["order"].as_i64(), open[0]["position"].as_i64(), open[0]["cmd"].as_i64()),
        (Some(limit), Some(limit), Some(2))
    );
    assert_eq!(peer.transaction(json!({"cmd": 2, "type": 2, "order": limit}))["errorCode"], "BE096");
    let stop = peer.order(json!({"cmd": 4, "price": 1.09}));
    peer.texts(stream);
    peer.order(json!({"cmd": 4, "type": 4, "order": stop}));
    assert!(peer.texts(stream).iter().any(|message| message["data"]["state"] == "Deleted"));
    peer.price("EURUSD", "1.0799");
    let told = peer.texts(stream);
    let kinds: Vec<(i64, &str)> = told
        .iter()
        .filter(|message| message["command"] == "trade")
        .map(|message| (message["data"]["type"].as_i64().unwrap(), message["data"]["state"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, [(1, "Deleted"), (0, "Modified")], "the order goes, a position with a new number comes");
    assert_ne!(peer.open()[0]["position"].as_i64(), Some(limit));
    assert_eq!(peer.open()[0]["order2"].as_i64(), Some(limit));
}

#[test]
fn a_pending_order_expires() {
    let mut peer = Peer::logged_in();
    let expiration = peer.now.0 / 1_000_000 + 5_000;
    peer.order(json!({"cmd": 3, "price": 1.1, "expiration": expiration}));
    assert_eq!(peer.open()[0]["expiration"].as_i64(), Some(expiration));
    peer.wait(Duration::seconds(6));
    assert!(peer.open().is_empty());
}

#[test]
fn exits_close_with_their_comment() {
    for (price, sl, tp, comment) in [("1.07", 1.08, 0.0, "[S/L]"), ("1.10", 0.0, 1.09, "[T/P]")] {
        let mut peer = Peer::logged_in();
        peer.order(json!({"sl": sl, "tp": tp}));
        peer.price("EURUSD", price);
        assert!(peer.open().is_empty());
        assert_eq!(peer.closed()[0]["comment"], comment);
    }
}

#[test]
fn a_trailing_stop_follows_and_never_goes_back() {
    let mut peer = Peer::logged_in();
    peer.order(json!({"offset": 100}));
    peer.price("EURUSD", "1.0900");
    let stop = peer.open()[0]["sl"].as_f64().unwrap();
    assert!((stop - 1.08896).abs() < 1e-9, "100 points below the bid: {stop}");
    peer.price("EURUSD", "1.0895");
    assert_eq!(peer.open()[0]["sl"].as_f64().unwrap(), stop);
}

#[test]
fn margin_runs_out_into_a_stop_out() {
    let mut peer = Peer::logged_in_with(|settings| settings.balance = 4_000_000_000_000);
    assert_eq!(peer.status_after(json!({"volume": 2.0})), (4, Some("Not enough money".to_owned())));
    peer.order(json!({"volume": 1.0}));
    peer.price("EURUSD", "1.0600");
    assert!(peer.open().is_empty());
    assert!(peer.closed()[0]["comment"].as_str().unwrap().starts_with("[S/O"));
}

#[test]
fn what_is_wrong_on_its_face_is_refused_at_once() {
    let mut peer = Peer::logged_in();
    let cases = [
        (json!({"volume": 0.015}), "BE003"),
        (json!({"volume": 0.0}), "BE003"),
        (json!({"volume": 1000.0}), "BE003"),
        (json!({"price": 0.0}), "BE001"),
        (json!({"cmd": 2, "price": 1.2}), "BE001"),
        (json!({"cmd": 5, "price": 1.2}), "BE001"),
        (json!({"sl": 1.2}), "BE002"),
        (json!({"tp": 1.0}), "BE002"),
        (json!({"symbol": "NONE"}), "BE115"),
        (json!({"type": 9}), "BE102"),
        (json!({"cmd": 8}), "BE102"),
        (json!({"type": 3, "order": 5}), "BE098"),
        (json!({"type": 4, "order": 5}), "BE098"),
        (json!({"cmd": 1, "symbol": "EXS1.DE", "volume": 1, "price": 198.0}), "BE012"),
    ];
    for (change, code) in cases {
        let reply = peer.transaction(change.clone());
        assert_eq!(reply["errorCode"], code, "{change}: {reply}");
    }
    assert_eq!(peer.code("tradeTransaction", json!({})), "BE106");
    let short = json!({"tradeTransInfo": {"cmd": 0, "type": 3, "symbol": "EURUSD", "order": 1, "price": 1.0}});
    assert_eq!(peer.code("tradeTransaction", short), "EX000", "fields left out");
    assert!(peer.open().is_empty());
    let mut peer = Peer::logged_in_with(|settings| settings.variants.refuses_by_status = true);
    assert_eq!(peer.status_after(json!({"volume": 0.015})), (4, Some("Invalid volume".to_owned())));
}

#[test]
fn what_the_market_refuses_is_a_status() {
    let mut peer = Peer::logged_in_with(|settings| settings.has_hours = true);
    assert_eq!(peer.status_after(json!({})), (4, Some("Market for instrument is closed".to_owned())), "it is Saturday");
    assert_eq!(peer.status_after(json!({"symbol": "BITCOIN", "price": 1.0})).0, 3, "crypto trades");
    let mut peer = Peer::logged_in_with(|settings| settings.faults.requote = 1_000);
    assert_eq!(peer.status_after(json!({})), (4, Some("Price has changed".to_owned())));
    let mut peer = Peer::logged_in_with(|settings| settings.faults.rejected = 1_000);
    assert_eq!(peer.status_after(json!({})).0, 4);
    assert!(peer.open().is_empty());
}

#[test]
fn a_position_and_a_pending_order_are_modified() {
    let mut peer = Peer::logged_in();
    peer.order(json!({}));
    let position = peer.open()[0]["position"].clone();
    peer.order(json!({"type": 3, "order": position, "sl": 1.07, "tp": 1.1}));
    assert_eq!((peer.open()[0]["sl"].as_f64(), peer.open()[0]["tp"].as_f64()), (Some(1.07), Some(1.1)));
    peer.order(json!({"type": 3, "order": position}));
    assert_eq!(peer.open()[0]["sl"].as_f64(), Some(0.0), "fields are the whole truth");
    let limit = peer.order(json!({"cmd": 2, "price": 1.07}));
    peer.order(json!({"cmd": 2, "type": 3, "order": limit, "price": 1.06, "volume": 0.2}));
    let records = peer.get("getTradeRecords", json!({"orders": [limit]}));
    assert_eq!((records[0]["open_price"].as_f64(), records[0]["volume"].as_f64()), (Some(1.06), Some(0.2)));
}

#[test]
fn charts_give_open_and_shifts() {
    let mut peer = Peer::logged_in();
    for price in ["1.0850", "1.0840", "1.0845"] {
        peer.price("EURUSD", price);
    }
    let start = START.0 / 1_000_000;
    let info = |period: i64, ticks: i64, end: i64| json!({"info": {"symbol": "EURUSD", "period": period, "start": start - 60_000, "end": end, "ticks": ticks}});
    let chart = peer.get("getChartRangeRequest", info(1, 0, start + 600_000));
    assert_eq!(chart["digits"].as_i64(), Some(5));
    let bar = &chart["rateInfos"][0];
    let points = |name: &str| bar[name].as_f64().unwrap();
    let (open, high) = (points("open") / 1e5, (points("open") + points("high")) / 1e5);
    assert!((open - 1.08426).abs() < 1e-9 && (high - 1.08496).abs() < 1e-9, "{bar}");
    assert_eq!(peer.code("getChartRangeRequest", info(7, 0, start)), "BE105");
    assert_eq!(peer.code("getChartRangeRequest", info(1, 0, start + 60_000 * 60_000)), "EX009");
    let few = peer.get("getChartRangeRequest", info(1, 1, 0));
    assert_eq!(few["rateInfos"].as_array().unwrap().len(), 1);
    let back = json!({"info": {"symbol": "EURUSD", "period": 1, "start": start + 60_000, "end": 0, "ticks": -5}});
    assert!(!peer.get("getChartRangeRequest", back)["rateInfos"].as_array().unwrap().is_empty());
    let last = json!({"info": {"symbol": "EURUSD", "period": 5, "start": start - 600_000}});
    assert!(!peer.get("getChartLastRequest", last)["rateInfos"].as_array().unwrap().is_empty());
}

#[test]
fn ticks_are_pushed_at_most_as_often_as_asked() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    peer.send_on(
        stream,
        &json!({"command": "getTickPrices", "streamSessionId": session, "symbol": "GOLD", "maxLevel": 0}).to_string(),
    );
    peer.texts(stream);
    for cents in 0..10 {
        peer.now = peer.now.plus(Duration::millis(50));
        let price = Price::from_nanos(2_650_000_000_000 + cents * 10_000_000);
        peer.simulator.price(peer.now, "GOLD", price, &mut peer.out);
    }
    let ticks: Vec<Value> = peer.texts(stream).into_iter().filter(|message| message["command"] == "tickPrices").collect();
    assert_eq!(ticks.len(), 2, "at most one in 200 ms, the first came with the subscription");
    assert_eq!((ticks[0]["data"]["level"].as_i64(), ticks[0]["data"]["quoteId"].as_i64()), (Some(0), Some(5)));
    peer.send_on(stream, "{\"command\":\"stopTickPrices\",\"symbol\":\"GOLD\"}");
    peer.price("GOLD", "2700");
    assert!(peer.texts(stream).iter().all(|message| message["command"] != "tickPrices"));
    let snapshot = peer.get("getTickPrices", json!({"symbols": ["GOLD", "EURUSD"], "timestamp": 0, "level": 0}));
    assert_eq!(snapshot["quotations"].as_array().unwrap().len(), 2);
    assert!(snapshot["quotations"][0].get("quoteId").is_none());
}

#[test]
fn keep_alive_comes_every_three_seconds() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    peer.texts(stream);
    peer.wait(Duration::seconds(12));
    let alive = peer.texts(stream).iter().filter(|message| message["command"] == "keepAlive").count();
    assert_eq!(alive, 4);
}

#[test]
fn candles_are_silent_unless_a_chart_was_asked_for() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    peer.send_on(stream, &json!({"command": "getCandles", "streamSessionId": session, "symbol": "EURUSD"}).to_string());
    let candles = |peer: &mut Peer| {
        peer.wait(Duration::seconds(61));
        peer.price("EURUSD", "1.0851");
        peer.texts(stream).iter().filter(|message| message["command"] == "candle").count()
    };
    assert_eq!(candles(&mut peer), 0);
    let info = json!({"info": {"symbol": "EURUSD", "period": 1, "start": START.0 / 1_000_000}});
    peer.get("getChartLastRequest", info);
    assert_eq!(candles(&mut peer), 1);
    peer.simulator.settings_mut().faults.silent_candles = true;
    assert_eq!(candles(&mut peer), 0);
}

#[test]
fn faults_do_what_they_say() {
    let mut peer = Peer::logged_in_with(|settings| settings.faults.lost_reply = 1_000);
    assert!(
        peer.ask_raw(
            json!({"command": "tradeTransaction", "arguments": {"tradeTransInfo": {"cmd": 0, "type": 0, "symbol": "EURUSD",
        "volume": 0.1, "price": 1.0, "sl": 0.0, "tp": 0.0, "offset": 0, "order": 0, "expiration": 0, "customComment": "m1"}}})
        )
        .is_empty()
    );
    assert_eq!(peer.open()[0]["customComment"], "m1", "carried out all the same");

    let mut peer = Peer::logged_in_with(|settings| settings.faults.truncated_list = 1_000);
    peer.order(json!({}));
    assert!(peer.open().is_empty(), "the last entry is missing");

    let (mut peer, stream, _) = Peer::streaming(|settings| settings.faults.status_before_reply = 1_000);
    peer.texts(stream);
    let main = peer.main;
    let info = json!({"cmd": 0, "type": 0, "symbol": "EURUSD", "volume": 0.1, "price": 1.0, "sl": 0.0, "tp": 0.0, "offset": 0, "order": 0,
                      "expiration": 0, "customComment": "m2"});
    peer.send_on(main, &json!({"command": "tradeTransaction", "arguments": {"tradeTransInfo": info}}).to_string());
    let place = |peer: &Peer, connection| peer.out.iter().position(|sent| matches!(sent, Sent::Text(id, _) if *id == connection));
    assert!(place(&peer, stream) < place(&peer, main));

    let mut peer = Peer::logged_in_with(|settings| settings.faults.closed_after_trade = 1_000);
    peer.transaction(json!({}));
    assert!(peer.is_closed(peer.main));
    assert_eq!(peer.simulator.dealer().positions().len(), 1);
    let mut peer = Peer::logged_in_with(|settings| settings.faults.closed_before_trade = 1_000);
    assert!(peer.ask_raw(json!({"command": "tradeTransaction", "arguments": {}})).is_empty());
    assert!(peer.simulator.dealer().positions().is_empty());

    let (mut peer, stream, _) = Peer::streaming(|settings| settings.faults.duplicate_stream = 1_000);
    peer.texts(stream);
    peer.order(json!({}));
    let opened =
        peer.texts(stream).iter().filter(|message| message["command"] == "trade" && message["data"]["type"] == 0).count();
    assert_eq!(opened, 2);
}

#[test]
fn a_delay_holds_every_message_back() {
    let mut peer = Peer::with(|settings| settings.faults.delay = Duration::millis(700));
    let main = peer.main;
    peer.send_on(main, &json!({"command": "login", "arguments": {"userId": "20001", "password": "secret"}}).to_string());
    assert!(peer.texts(main).is_empty());
    peer.wait(Duration::millis(800));
    assert_eq!(peer.texts(main).len(), 1);
}

#[test]
fn the_same_calls_give_the_same_texts() {
    let life = || {
        let (mut peer, _, _) = Peer::streaming(|settings| {
            settings.faults = Faults {
                duplicate_stream: 200,
                shuffled_stream: 200,
                lost_stream: 200,
                truncated_list: 300,
                ..Faults::default()
            };
        });
        for step in 0..40 {
            peer.price("EURUSD", &format!("1.08{step:02}"));
            peer.transaction(json!({"cmd": step % 2}));
            peer.ask_raw(json!({"command": "getTrades", "arguments": {"openedOnly": true}}));
        }
        peer.out
    };
    assert_eq!(life(), life());
}

#[test]
fn levels_of_the_book_come_one_by_one_and_an_index_has_no_volumes() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    let levels = |peer: &mut Peer, symbol: &str, extra: Value| {
        let mut command = json!({"command": "getTickPrices", "streamSessionId": session, "symbol": symbol});
        extra.as_object().unwrap().iter().for_each(|(name, value)| command[name] = value.clone());
        peer.texts(stream);
        peer.send_on(stream, &command.to_string());
        let told: Vec<Value> = peer.texts(stream).into_iter().filter(|told| told["data"]["symbol"] == symbol).collect();
        told.iter().map(|told| told["data"]["level"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(levels(&mut peer, "AAPL.US", json!({})), [0, 1, 2], "all, unless it says how deep");
    assert_eq!(levels(&mut peer, "NVDA.US", json!({"maxLevel": 0})), [0]);
    assert_eq!(levels(&mut peer, "EURUSD", json!({})), [0]);
    let asked = |peer: &mut Peer, level: i64| {
        let quotations = peer.get("getTickPrices", json!({"symbols": ["AAPL.US"], "timestamp": 0, "level": level}));
        quotations["quotations"].as_array().unwrap().clone()
    };
    let all = asked(&mut peer, -1);
    assert!(all.windows(2).all(|pair| pair[0]["bid"].as_f64() > pair[1]["bid"].as_f64()), "deeper is worse: {all:?}");
    assert_eq!((all.len(), asked(&mut peer, 0).len(), asked(&mut peer, 2)[0]["level"].as_i64()), (3, 1, Some(2)));
    let index = peer.get("getTickPrices", json!({"symbols": ["US500"], "timestamp": 0, "level": 0}));
    assert!(index["quotations"][0]["askVolume"].is_null() && index["quotations"][0]["bidVolume"].is_null());
}

#[test]
fn the_other_commands_have_their_shapes() {
    let mut peer = Peer::logged_in();
    let user = peer.get("getCurrentUserData", Value::Null);
    for field in ["companyUnit", "currency", "group", "ibAccount", "leverage", "leverageMultiplier", "spreadType", "trailingStop"]
    {
        assert!(user.get(field).is_some(), "{field}");
    }
    let commission = peer.get("getCommissionDef", json!({"symbol": "AAPL.US", "volume": 10}));
    assert!(commission.get("commission").is_some() && commission.get("rateOfExchange").is_some());
    let steps = peer.get("getStepRules", Value::Null);
    assert!(steps[0]["steps"][0]["fromValue"].is_number() && steps[0]["id"].is_number());
    let hours = peer.get("getTradingHours", json!({"symbols": ["EURUSD"]}));
    assert_eq!(hours[0]["symbol"], "EURUSD");
    for hour in hours[0]["trading"].as_array().unwrap() {
        assert!((1..=7).contains(&hour["day"].as_i64().unwrap()) && hour["fromT"].as_i64() < hour["toT"].as_i64());
    }
    let calendar = peer.get("getCalendar", Value::Null);
    assert!(["1", "2", "3"].contains(&calendar[0]["impact"].as_str().unwrap()) && calendar[0]["time"].is_number());
    assert!(peer.get("getNews", json!({"start": 0, "end": 0})).is_array());
    assert_eq!(peer.code("getIbsHistory", json!({"start": 0, "end": 0})), "EX011", "for partners only");
}

#[test]
fn an_error_carries_its_tag_and_a_reply_without_data_has_none() {
    let mut peer = Peer::logged_in();
    let refused = peer.command("frobnicate", Value::Null);
    assert_eq!(refused["customTag"], format!("t{}", peer.tag), "`ask` holds every reply to its tag, errors too");
    assert!(refused["errorCode"].is_string() && refused["errorDescr"].is_string() && refused.get("returnData").is_none());
    let main = peer.main;
    peer.send_on(main, "{\"command\":\"ping\"}");
    let untagged = peer.texts(main);
    assert!(untagged[0].get("customTag").is_none() && untagged[0].get("returnData").is_none(), "{untagged:?}");
}

#[test]
fn nights_charge_swaps_that_the_close_books() {
    let mut peer = Peer::logged_in();
    peer.order(json!({"volume": 1.0}));
    peer.simulator.night(peer.now, &mut peer.out);
    let open = peer.open();
    assert_eq!(open[0]["storage"].as_f64(), Some(-61.0), "61 points of ten cents a lot... a night");
    let position = open[0]["position"].clone();
    peer.order(json!({"type": 2, "order": position, "volume": 1.0}));
    assert_eq!(peer.get("getMarginLevel", Value::Null)["balance"].as_f64(), Some(100_000.0 - 9.0 - 61.0));
}

#[test]
fn a_reply_comes_in_lines_only_where_asked_for() {
    let mut peer = Peer::logged_in();
    let main = peer.main;
    let mut ask = |text: &str| {
        peer.send_on(main, text);
        match peer.out.pop() {
            Some(Sent::Text(_, text)) => text,
            other => panic!("no reply: {other:?}"),
        }
    };
    let plain = ask(r#"{"command":"getVersion"}"#);
    let pretty = ask(r#"{"command":"getVersion","prettyPrint":true}"#);
    assert!(!plain.contains('\n') && pretty.contains('\n') && !pretty.contains("\n\n"), "{pretty}");
    assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), serde_json::from_str::<Value>(&pretty).unwrap());
}

#[test]
fn texts_in_any_script_come_back_unchanged() {
    let mut peer = Peer::logged_in();
    peer.order(json!({"customComment": "zażółć 日本"}));
    assert_eq!(peer.open()[0]["customComment"], "zażółć 日本");
    let main = peer.main;
    peer.send_on(main, &json!({"command": "ping", "customTag": "\"ł\" \\ 日"}).to_string());
    assert_eq!(peer.texts(main)[0]["customTag"], "\"ł\" \\ 日");
}

#[test]
fn spacing_counts_for_each_main_connection_alone() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    let (main, other) = (peer.main, peer.simulator.connect(peer.now, Port::Main, "127.0.0.1"));
    peer.send_on(other, LOGIN);
    let on_stream = json!({"command": "ping", "streamSessionId": session}).to_string();
    for turn in 0..20 {
        peer.now = peer.now.plus(Duration::millis(125));
        peer.simulator.receive(peer.now, if turn % 2 == 0 { main } else { other }, PING, &mut peer.out);
        peer.simulator.receive(peer.now, stream, &on_stream, &mut peer.out);
    }
    assert!([main, other, stream].into_iter().all(|connection| !peer.is_closed(connection)), "eight commands a second in all");
}

#[test]
fn a_silent_stream_ends_alone() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    let late = peer.simulator.connect(peer.now, Port::Stream, "127.0.0.1");
    peer.wait(Duration::millis(1_200));
    assert!(peer.is_closed(late), "first data within a second");
    for _ in 0..7 {
        peer.wait(Duration::seconds(100));
        peer.command("ping", Value::Null);
    }
    assert!(peer.is_closed(stream) && !peer.is_closed(peer.main), "ten minutes without a word, each for itself");
}

#[test]
fn a_missing_field_is_an_error_and_ends_nothing() {
    let mut peer = Peer::logged_in();
    let commands = "getSymbol getChartLastRequest getChartRangeRequest getTickPrices getMarginTrade getCommissionDef \
                    getProfitCalculation getTradesHistory getTradeRecords getTradingHours getNews tradeTransaction \
                    tradeTransactionStatus";
    for command in commands.split_whitespace() {
        assert_eq!(peer.code(command, json!({})), "BE106", "{command}");
        assert_eq!(peer.code(command, Value::Null), "BE106", "{command}");
    }
    for short in [json!({"symbol": "EURUSD"}), json!({"volume": 1})] {
        assert_eq!(peer.code("getCommissionDef", short.clone()), "BE106", "{short}");
    }
    assert_eq!(peer.command("ping", Value::Null)["status"], true);
}

#[test]
fn a_login_takes_fields_it_does_not_know_and_a_refused_one_names_no_other_host() {
    let mut peer = Peer::new();
    let refused = peer.log_in("wrong");
    assert_eq!(names(&refused), words("status errorCode errorDescr customTag"));
    let more = json!({"userId": "20001", "password": "secret", "appId": "old", "appName": "test", "future": {"a": 1}});
    assert_eq!(peer.command("login", more)["status"], true, "the connection stayed, and the right pair is taken");
}

#[test]
fn one_stream_may_carry_several_sessions() {
    let (mut peer, stream, first) = Peer::streaming(|_| {});
    let (main, other) = (peer.main, peer.simulator.connect(peer.now, Port::Main, "127.0.0.1"));
    peer.send_on(other, LOGIN);
    let second = peer.texts(other)[0]["streamSessionId"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    peer.subscribe(stream, &first, "getTickPrices", json!({"symbol": "EURUSD"}));
    peer.subscribe(stream, &second, "getTickPrices", json!({"symbol": "GOLD"}));
    peer.texts(stream);
    let symbols = |peer: &mut Peer| {
        peer.price("EURUSD", "1.0850");
        peer.price("GOLD", "2651");
        peer.pushed(stream, "tickPrices").iter().map(|tick| tick["symbol"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(symbols(&mut peer), ["EURUSD", "GOLD"]);
    peer.simulator.disconnect(main, &mut peer.out);
    assert!(!peer.is_closed(stream), "another session lives on it");
    assert_eq!(symbols(&mut peer), ["GOLD"]);
    peer.simulator.disconnect(other, &mut peer.out);
    assert!(peer.is_closed(stream));
}

#[test]
fn stream_commands_are_not_answered() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    assert!(peer.texts(stream).is_empty(), "five subscriptions");
    for command in ["ping", "getNews", "stopBalance", "stopNews", "frobnicate"] {
        peer.subscribe(stream, &session, command, json!({}));
    }
    for command in ["getCandles", "stopCandles", "stopTickPrices", "getTickPrices"] {
        peer.subscribe(stream, &session, command, json!({"symbol": "NONE"}));
    }
    assert!(peer.out.is_empty(), "{:?}", peer.out);
}

#[test]
fn every_subscription_can_be_stopped() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    peer.subscribe(stream, &session, "getNews", json!({}));
    for command in ["getCandles", "getTickPrices"] {
        peer.subscribe(stream, &session, command, json!({"symbol": "EURUSD"}));
    }
    peer.get("getChartRangeRequest", range(1, millis(START), millis(START), 0));
    let everything = |peer: &mut Peer| {
        peer.order(json!({}));
        peer.live(stream, &session, Duration::seconds(3_600));
        peer.price("EURUSD", "1.0851");
        let told = kinds(&peer.texts(stream));
        told.iter().map(|kind| kind.split(' ').next().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    let all = words("balance candle keepAlive news profit status tickPrices trade");
    assert_eq!(everything(&mut peer), all.into_iter().map(str::to_owned).collect::<BTreeSet<String>>());
    for command in ["stopBalance", "stopKeepAlive", "stopNews", "stopProfits", "stopTrades", "stopTradeStatus"] {
        peer.send_on(stream, &json!({"command": command}).to_string());
    }
    for command in ["stopCandles", "stopTickPrices"] {
        peer.send_on(stream, &json!({"command": command, "symbol": "EURUSD"}).to_string());
    }
    peer.texts(stream);
    assert_eq!(everything(&mut peer), BTreeSet::new());
}

#[test]
fn symbol_records_hold_values_of_their_types_and_some_that_the_document_does_not_list() {
    let mut peer = Peer::logged_in();
    let all = peer.get("getAllSymbols", Value::Null);
    let all = all.as_array().unwrap();
    let hold = |fields: &str, is: fn(&Value) -> bool| {
        for (record, field) in all.iter().flat_map(|record| fields.split_whitespace().map(move |field| (record, field))) {
            assert!(is(&record[field]), "{}: {field} {}", record["symbol"], record[field]);
        }
    };
    hold("symbol description groupName categoryName currency currencyProfit timeString", Value::is_string);
    hold("currencyPair longOnly shortSelling swapEnable trailingEnabled marginHedgedStrong", Value::is_boolean);
    hold(
        "precision pipsPrecision stopsLevel marginMode profitMode quoteId quoteIdCross exemode stepRuleId swapType",
        Value::is_i64,
    );
    hold("swap_rollover3days instantMaxVolume type time contractSize", Value::is_i64);
    hold("ask bid high low tickSize tickValue lotMin lotMax lotStep spreadRaw spreadTable leverage percentage", Value::is_number);
    hold("swapLong swapShort initialMargin marginHedged", Value::is_number);
    hold("marginMaintenance starting expiration", Value::is_null);
    let values = |field: &str| all.iter().map(|record| record[field].as_i64().unwrap()).collect::<BTreeSet<i64>>();
    assert_eq!(values("marginMode"), BTreeSet::from([101, 102, 103, 104]), "104 is not listed");
    assert_eq!(values("profitMode"), BTreeSet::from([5, 6]));
    assert_eq!(values("quoteId"), BTreeSet::from([5, 6, 10]), "none of them is listed");
    let categories: BTreeSet<&str> = all.iter().map(|record| record["categoryName"].as_str().unwrap()).collect();
    assert_eq!(categories, words("FX IND CMD STC ETF CRT"));
    let mut shares = all.iter().filter(|record| ["STC", "ETF"].contains(&record["categoryName"].as_str().unwrap()));
    assert!(shares.all(|share| share["symbol"].as_str().unwrap().contains('.')), "with the suffix of their market");
    let rules = peer.get("getStepRules", Value::Null);
    let rules: BTreeSet<i64> = rules.as_array().unwrap().iter().map(|rule| rule["id"].as_i64().unwrap()).collect();
    assert!(values("stepRuleId").is_subset(&rules));
}

#[test]
fn exits_keep_their_distance_in_pips() {
    let mut peer = Peer::logged_in();
    let record = peer.get("getSymbol", json!({"symbol": "EURPLN"}));
    assert_eq!((record["stopsLevel"].as_i64(), record["pipsPrecision"].as_i64()), (Some(10), Some(4)));
    let ask = record["ask"].as_f64().unwrap();
    let near = json!({"symbol": "EURPLN", "sl": ((ask - 0.0009) * 1e5).round() / 1e5});
    assert_eq!(peer.transaction(near)["errorCode"], "BE002", "nine pips");
    peer.order(json!({"symbol": "EURPLN", "sl": ((ask - 0.0010) * 1e5).round() / 1e5}));
}

#[test]
fn charts_know_nine_periods_and_fifty_thousand_candles() {
    let mut peer = Peer::logged_in();
    let start = millis(START);
    let mut ask = |period: i64, candles: i64| {
        peer.command("getChartRangeRequest", range(period, start, start + candles * period * MINUTE, 0))
    };
    for period in [1, 5, 15, 30, 60, 240, 1_440, 10_080, 43_200] {
        assert_eq!(ask(period, 10)["status"], true, "{period}");
    }
    assert_eq!(ask(2, 10)["errorCode"], "BE105");
    assert_eq!(ask(1, 50_000)["status"], true);
    assert_eq!(ask(1, 50_001)["errorCode"], "EX009");
    let unknown = json!({"info": {"symbol": "NONE", "period": 1, "start": start}});
    assert_eq!(peer.code("getChartLastRequest", unknown), "BE115");
}

#[test]
fn charts_are_counted_forwards_and_backwards_from_their_start() {
    let mut peer = Peer::logged_in();
    // The minute of the first quote, and ten before it.
    let first = millis(START) / MINUTE * MINUTE;
    let before = (1..=10).rev().map(|back| candle(first - back * MINUTE, "1.08")).collect();
    peer.simulator.load_history("EURUSD", before);
    let mut chart = |start: i64, end: i64, ticks: i64| {
        let chart = peer.get("getChartRangeRequest", range(1, first + start, first + end, ticks));
        let minutes = chart["rateInfos"].as_array().unwrap().iter().map(|rate| (rate["ctm"].as_i64().unwrap() - first) / MINUTE);
        minutes.collect::<Vec<i64>>()
    };
    assert_eq!(chart(-10 * MINUTE, 0, 3), [-10, -9, -8], "forwards, and the end does not matter");
    assert_eq!(chart(-5 * MINUTE, 0, -3), [-7, -6, -5], "backwards, and still ascending");
    assert_eq!(chart(-2 * MINUTE, 0, 100), [-2, -1, 0], "fewer may come");
    assert_eq!(chart(-9 * MINUTE - 1, -8 * MINUTE - 1, 0), [-10], "both ends are rounded down, and the last is outside");
}

#[test]
fn days_begin_at_midnight_in_warsaw_in_summer_too() {
    let mut peer = Peer::logged_in();
    // In July midnight in Warsaw is 22:00 of the day before in UTC.
    let midnight = millis(WallTime::parse("2025-06-30T22:00").unwrap());
    let bars = [(0, "1.17"), (23 * 60, "1.18"), (24 * 60, "1.19")];
    peer.simulator.load_history("EURUSD", bars.map(|(minute, price)| candle(midnight + minute * MINUTE, price)).to_vec());
    let chart = peer.get("getChartRangeRequest", range(1_440, midnight + 60 * MINUTE, 0, 2));
    let (day, next) = (&chart["rateInfos"][0], &chart["rateInfos"][1]);
    assert_eq!((day["ctm"].as_i64(), day["ctmString"].as_str()), (Some(midnight), Some("Jul 1, 2025 12:00:00 AM")));
    assert_eq!((day["open"].as_f64(), day["close"].as_f64(), day["vol"].as_f64()), (Some(117_000.0), Some(1_000.0), Some(2.0)));
    assert_eq!(next["ctm"].as_i64(), Some(midnight + 24 * 60 * MINUTE));
}

#[test]
fn the_last_candle_changes_until_it_is_over() {
    let mut peer = Peer::logged_in();
    let close = |peer: &mut Peer| {
        let info = json!({"info": {"symbol": "EURUSD", "period": 60, "start": millis(START) - 180 * MINUTE}});
        let chart = peer.get("getChartLastRequest", info);
        chart["rateInfos"].as_array().unwrap().last().unwrap()["close"].as_f64()
    };
    let before = close(&mut peer);
    peer.price("EURUSD", "1.09");
    assert_ne!(close(&mut peer), before);
}

#[test]
fn a_snapshot_leaves_out_what_has_not_changed_since() {
    let mut peer = Peer::logged_in();
    peer.price("GOLD", "2651");
    let since = millis(peer.now);
    let told = peer.get("getTickPrices", json!({"symbols": ["EURUSD", "GOLD"], "timestamp": since, "level": 0}));
    let told = told["quotations"].as_array().unwrap();
    assert_eq!((told.len(), told[0]["symbol"].as_str()), (1, Some("GOLD")));
    let fields = "symbol ask bid askVolume bidVolume high low level spreadRaw spreadTable timestamp";
    assert_eq!(names(&told[0]), words(fields));
    assert_eq!(peer.code("getTickPrices", json!({"symbols": ["NONE"], "timestamp": 0, "level": 0})), "BE115");
}

#[test]
fn the_account_adds_up_under_both_sets_of_names() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    peer.order(json!({"volume": 1.0}));
    let streamed = peer.pushed(stream, "balance").pop().unwrap();
    let listed = peer.get("getMarginLevel", Value::Null);
    assert_eq!(names(&listed), words("balance credit currency equity margin margin_free margin_level"));
    assert_eq!(names(&streamed), words("balance credit equity margin marginFree marginLevel"));
    for (one, other) in
        [("equity", "equity"), ("margin", "margin"), ("marginFree", "margin_free"), ("marginLevel", "margin_level")]
    {
        assert_eq!(streamed[one], listed[other], "{one}");
    }
    // A lot at 1.08435 with 3.33 percent; nine points of spread are lost.
    let value = |name: &str| listed[name].as_f64().unwrap();
    assert_eq!((value("balance"), value("margin"), value("equity")), (100_000.0, 3_610.89, 99_991.0));
    assert!((value("margin_free") - (value("equity") - value("margin"))).abs() < 0.005);
    assert!((value("margin_level") - 100.0 * value("equity") / value("margin")).abs() < 0.01);
}

#[test]
fn trade_records_have_every_field_in_the_list_and_on_the_stream() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    let waiting = peer.order(json!({"cmd": 2, "price": 1.07, "expiration": millis(START) + 600_000}));
    let placed = peer.pushed(stream, "trade").pop().unwrap();
    peer.order(json!({}));
    let opened = peer.pushed(stream, "trade").pop().unwrap();
    let common = "close_price close_time closed cmd comment commission customComment digits expiration margin_rate offset \
                  open_price open_time order order2 position profit sl storage symbol tp volume";
    let listed = format!("{common} close_timeString expirationString open_timeString timestamp");
    for record in peer.open() {
        assert_eq!(names(&record), words(&listed));
        let is_waiting = record["cmd"] == 2;
        assert_eq!((record["expirationString"].is_string(), record["close_timeString"].is_null()), (is_waiting, true));
    }
    let streamed = format!("{common} type state nominalValue");
    for record in [&placed, &opened] {
        assert_eq!(names(record), words(&streamed), "without texts of times, and with a field the document does not have");
    }
    assert_eq!((placed["type"].as_i64(), placed["order"].as_i64(), placed["profit"].is_null()), (Some(1), Some(waiting), true));
    assert_eq!((opened["type"].as_i64(), opened["profit"].as_f64()), (Some(0), Some(-0.9)));
    assert_eq!(opened["nominalValue"].as_f64(), Some(10_843.5));
}

#[test]
fn lists_hold_positions_and_waiting_orders_and_on_request_what_was_closed() {
    let mut peer = Peer::logged_in();
    peer.order(json!({}));
    let waiting = peer.order(json!({"cmd": 2, "price": 1.07}));
    let commands = |peer: &mut Peer, opened_only: bool| {
        let trades = peer.get("getTrades", json!({"openedOnly": opened_only}));
        trades.as_array().unwrap().iter().map(|trade| trade["cmd"].as_i64().unwrap()).collect::<Vec<i64>>()
    };
    assert_eq!(commands(&mut peer, true), [0, 2]);
    let position = peer.open()[0]["position"].as_i64().unwrap();
    peer.order(json!({"type": 2, "order": position}));
    assert_eq!(commands(&mut peer, true), [2]);
    assert_eq!(commands(&mut peer, false), [2, 0], "what was closed in this login comes too");
    let records = peer.get("getTradeRecords", json!({"orders": [position, waiting, 5]}));
    let found = records.as_array().unwrap().iter().map(|record| (record["position"].as_i64(), record["closed"].as_bool()));
    assert_eq!(found.collect::<Vec<_>>(), [(Some(position), Some(true)), (Some(waiting), Some(false))], "5 is nobody's");
}

#[test]
fn the_history_covers_a_span_and_what_was_paid_in() {
    let mut peer = Peer::logged_in();
    peer.order(json!({}));
    let position = peer.open()[0]["position"].clone();
    peer.order(json!({"type": 2, "order": position}));
    let history = |peer: &mut Peer, start: i64, end: i64| {
        peer.get("getTradesHistory", json!({"start": start, "end": end})).as_array().unwrap().clone()
    };
    let all = history(&mut peer, 0, 0);
    assert_eq!((all.len(), all[0]["cmd"].as_i64(), all[0]["symbol"].is_null()), (2, Some(6), true), "a deposit has no symbol");
    assert_eq!((all[0]["profit"].as_f64(), names(&all[0])), (Some(100_000.0), names(&all[1])), "and its amount as profit");
    let closed = all[1]["close_time"].as_i64().unwrap();
    assert_eq!(history(&mut peer, closed, closed).len(), 1);
    assert_eq!(history(&mut peer, closed + 1, 0).len(), 0);
    peer.come_back(START.plus(Duration::seconds(32 * 86_400)));
    assert_eq!(history(&mut peer, 0, 0).len(), 0, "a start of 0 is a month ago");
    assert_eq!(history(&mut peer, 1, 0).len(), 2);
}

#[test]
fn calendar_records_are_texts_but_for_their_time() {
    let mut peer = Peer::logged_in();
    let calendar = peer.get("getCalendar", Value::Null);
    let mut impacts = BTreeSet::new();
    for record in calendar.as_array().unwrap() {
        assert_eq!(names(record), words("country title time period previous forecast current impact"));
        let mut texts = record.as_object().unwrap().iter().filter(|(name, _)| *name != "time");
        assert!(texts.all(|(_, value)| value.is_string()) && record["time"].is_i64(), "{record}");
        assert_eq!((record["country"].as_str().unwrap().len(), record["current"].as_str()), (2, Some("")), "not published yet");
        impacts.insert(record["impact"].as_str().unwrap());
    }
    assert_eq!(impacts, words("1 2 3"));
}

#[test]
fn news_are_listed_and_pushed() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    peer.subscribe(stream, &session, "getNews", json!({}));
    peer.live(stream, &session, Duration::seconds(3_600));
    let pushed = peer.pushed(stream, "news");
    assert_eq!((pushed.len(), names(&pushed[0])), (1, words("key title body time topics")), "one field is not in the document");
    let listed = peer.get("getNews", json!({"start": millis(START), "end": 0}));
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let item = &listed[0];
    assert_eq!(names(item), words("key title body bodylen time timeString"));
    assert_eq!((&item["key"], &item["time"]), (&pushed[0]["key"], &pushed[0]["time"]));
    assert_eq!(item["bodylen"].as_u64(), Some(item["body"].as_str().unwrap().len() as u64));
    assert_eq!(item["timeString"], "Nov 1, 2025 2:00:00 PM");
    let earlier = peer.get("getNews", json!({"start": millis(START) - 7_200_000, "end": millis(START)}));
    assert_eq!(earlier.as_array().unwrap().len(), 2);
}

#[test]
fn a_market_order_takes_the_quote_whatever_it_names() {
    let mut peer = Peer::logged_in();
    let ask = peer.get("getSymbol", json!({"symbol": "EURUSD"}))["ask"].clone();
    for price in [1.0, 1.0843, 5.0] {
        peer.order(json!({"price": price, "expiration": millis(peer.now) + 3_000}));
    }
    let open = peer.open();
    assert!(
        open.len() == 3 && open.iter().all(|record| record["open_price"] == ask && record["expiration"].is_null()),
        "{open:?}"
    );
}

#[test]
fn a_close_takes_either_side_and_is_told_in_the_order_of_the_protocol() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    for cmd in [0, 1] {
        peer.order(json!({}));
        let position = peer.open()[0]["position"].clone();
        peer.texts(stream);
        let order = peer.order(json!({"cmd": cmd, "type": 2, "order": position, "price": 1.0}));
        let told = peer.texts(stream);
        assert_eq!(kinds(&told), ["status 1", "status 3", "trade 0 Deleted", "trade 2 Modified", "balance"]);
        let (streamed, closed, polled) = (&told[1]["data"], &told[3]["data"], peer.status_of(order));
        for field in ["order", "requestStatus", "message", "customComment"] {
            assert_eq!(streamed[field], polled[field], "{field}");
        }
        assert_eq!(names(&polled), words("order requestStatus ask bid message customComment"));
        assert_eq!(
            (closed["closed"].as_bool(), closed["close_time"].is_i64(), closed["comment"].as_str()),
            (Some(true), true, Some(""))
        );
    }
}

#[test]
fn a_waiting_orders_life_is_told() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    let expiration = millis(peer.now) + 5_000;
    let stop = peer.order(json!({"cmd": 4, "price": 1.09}));
    assert_eq!(kinds(&peer.texts(stream)), ["status 1", "status 3", "trade 1 Modified", "balance"]);
    peer.order(json!({"cmd": 4, "type": 3, "order": stop, "price": 1.1, "expiration": expiration}));
    let told = peer.texts(stream);
    assert_eq!(kinds(&told), ["status 1", "status 3", "trade 1 Modified", "balance"]);
    assert_eq!((told[2]["data"]["open_price"].as_f64(), told[2]["data"]["expiration"].as_i64()), (Some(1.1), Some(expiration)));
    peer.wait(Duration::seconds(6));
    let gone: Vec<Value> = peer.pushed(stream, "trade");
    assert_eq!((gone.len(), gone[0]["state"].as_str(), gone[0]["cmd"].as_i64()), (1, Some("Deleted"), Some(4)), "it has run out");
}

#[test]
fn what_is_rejected_is_told_with_a_message_to_the_stream_and_to_a_question() {
    let (mut peer, stream, _) = Peer::streaming(|settings| settings.faults.rejected = 1_000);
    for status in [4, 0, 4] {
        let order = peer.order(json!({}));
        let told = peer.pushed(stream, "tradeStatus");
        let seen: Vec<Option<i64>> = told.iter().map(|told| told["requestStatus"].as_i64()).collect();
        assert_eq!(seen, [Some(1), Some(status)]);
        let polled = peer.status_of(order);
        assert_eq!((&polled["requestStatus"], &polled["message"]), (&told[1]["requestStatus"], &told[1]["message"]));
        assert!(polled["message"].is_string() && told[0]["message"].is_null());
    }
    assert!(peer.open().is_empty());
}

#[test]
fn requotes_come_as_a_status_and_as_errors() {
    let mut peer = Peer::logged_in_with(|settings| settings.faults.requote = 1_000);
    for _ in 0..2 {
        assert_eq!(peer.status_after(json!({})), (4, Some("Price has changed".to_owned())));
        assert_eq!(peer.transaction(json!({}))["errorCode"], "BE013");
        assert_eq!(peer.transaction(json!({}))["errorCode"], "BE015", "a code that the document does not have");
    }
    assert_eq!(peer.status_after(json!({"cmd": 2, "price": 1.07})).0, 3, "a waiting order is not requoted");
    assert_eq!(peer.open().len(), 1);
}

#[test]
fn six_commands_open_and_the_others_are_for_reading_only() {
    let mut peer = Peer::logged_in();
    for (cmd, price) in [(0, 1.0), (1, 1.0), (2, 1.07), (3, 1.1), (4, 1.1), (5, 1.07)] {
        assert_eq!(peer.status_after(json!({"cmd": cmd, "price": price})).0, 3, "{cmd}");
    }
    let open: BTreeSet<i64> = peer.open().iter().map(|record| record["cmd"].as_i64().unwrap()).collect();
    assert_eq!(open, (0..6).collect::<BTreeSet<i64>>());
    for change in [json!({"cmd": 6}), json!({"cmd": 7}), json!({"cmd": -1}), json!({"type": 1}), json!({"type": 5})] {
        assert_eq!(peer.transaction(change.clone())["errorCode"], "BE102", "{change}");
    }
}

#[test]
fn a_symbol_without_a_quote_is_off_quotes() {
    let mut peer = Peer::new();
    let settings = peer.simulator.settings_mut().clone();
    let book = DealerBook { balance: settings.balance, ..DealerBook::default() };
    peer.simulator = Simulator::with_book(settings, Catalogue::shipped().unwrap(), book, BTreeMap::new(), START);
    peer.main = peer.simulator.connect(peer.now, Port::Main, "127.0.0.1");
    assert_eq!(peer.log_in("secret")["status"], true);
    assert_eq!(peer.status_after(json!({})), (4, Some("Off quotes".to_owned())));
    assert_eq!(peer.code("getMarginTrade", json!({"symbol": "EURUSD", "volume": 1})), "BE010");
    let quotes = peer.get("getTickPrices", json!({"symbols": ["EURUSD"], "timestamp": 0, "level": 0}));
    assert_eq!(quotes["quotations"].as_array().unwrap().len(), 0);
}

#[test]
fn outside_its_hours_a_symbol_has_no_price_and_no_deal() {
    let (mut peer, stream, session) = Peer::streaming(|settings| settings.has_hours = true);
    for symbol in ["EURUSD", "BITCOIN"] {
        peer.subscribe(stream, &session, "getTickPrices", json!({"symbol": symbol}));
    }
    peer.texts(stream);
    peer.price("EURUSD", "1.09");
    peer.price("BITCOIN", "91000");
    let symbols: Vec<Value> = peer.pushed(stream, "tickPrices").iter().map(|tick| tick["symbol"].clone()).collect();
    assert_eq!(symbols, ["BITCOIN"], "it is Saturday");
    let hours = peer.get("getTradingHours", json!({"symbols": ["EURUSD"]}));
    let friday = hours[0]["trading"].as_array().unwrap().iter().find(|hours| hours["day"] == 5).unwrap();
    assert_eq!(friday["toT"].as_i64(), Some(22 * 3_600_000));
    // 22:00 in Warsaw.
    for (at, status) in [("2025-11-07T20:59", 3), ("2025-11-07T21:00", 4)] {
        peer.come_back(WallTime::parse(at).unwrap());
        assert_eq!(peer.status_after(json!({})).0, status, "{at}");
    }
}

#[test]
fn one_night_of_the_week_counts_three_times_and_two_cost_nothing() {
    let mut peer = Peer::logged_in();
    assert_eq!(peer.get("getSymbol", json!({"symbol": "EURUSD"}))["swap_rollover3days"], 2, "Wednesday");
    peer.order(json!({"volume": 1.0}));
    // It is Saturday. Midnight in Warsaw is 23:00 in UTC; a night costs 61 points of a dollar each.
    let nights = [
        ("2025-11-03T22:59", 0.0),
        ("2025-11-03T23:00", -61.0),
        ("2025-11-05T22:59", -122.0),
        ("2025-11-05T23:00", -305.0),
        ("2025-11-06T23:00", -366.0),
        ("2025-11-07T23:00", -427.0),
        ("2025-11-10T22:59", -427.0),
    ];
    for (at, storage) in nights {
        peer.come_back(WallTime::parse(at).unwrap());
        assert_eq!(peer.open()[0]["storage"].as_f64(), Some(storage), "{at}");
    }
}

#[test]
fn a_symbol_subscribed_twice_is_told_once_and_as_often_as_asked() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    for _ in 0..2 {
        peer.subscribe(stream, &session, "getTickPrices", json!({"symbol": "GOLD", "minArrivalTime": 1}));
    }
    peer.texts(stream);
    for cents in 0..5 {
        peer.now = peer.now.plus(Duration::millis(20));
        let price = Price::from_nanos(2_651_000_000_000 + cents * 10_000_000);
        peer.simulator.price(peer.now, "GOLD", price, &mut peer.out);
    }
    let ticks = peer.pushed(stream, "tickPrices");
    assert_eq!(ticks.len(), 5, "every one, and none twice");
    let fields = "symbol ask bid askVolume bidVolume high low level quoteId spreadRaw spreadTable timestamp";
    assert_eq!(names(&ticks[0]), words(fields));
}

#[test]
fn a_streamed_candle_has_absolute_prices_and_comes_once_a_minute() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    peer.subscribe(stream, &session, "getCandles", json!({"symbol": "EURUSD"}));
    peer.get("getChartRangeRequest", range(1, millis(START), millis(START), 0));
    for price in ["1.0850", "1.0840", "1.0845", "1.0846"] {
        peer.price("EURUSD", price);
        peer.wait(Duration::seconds(30));
    }
    let candles = peer.pushed(stream, "candle");
    let begun: Vec<Option<i64>> = candles.iter().map(|candle| candle["ctm"].as_i64()).collect();
    assert_eq!(begun, [Some(1_761_999_960_000), Some(1_762_000_020_000)], "13:26 and 13:27");
    let first = &candles[0];
    for (field, price) in [("open", 1.08426), ("high", 1.08496), ("low", 1.08426), ("close", 1.08496)] {
        assert!((first[field].as_f64().unwrap() - price).abs() < 1e-9, "{field}: {first}");
    }
    assert_eq!(names(first), words("symbol ctm ctmString open high low close vol quoteId"));
    assert_eq!((first["ctmString"].as_str(), first["vol"].as_f64()), (Some("Nov 01, 2025 01:26:00 PM"), Some(2.0)));
}

#[test]
fn running_results_follow_their_price() {
    let (mut peer, stream, _) = Peer::streaming(|_| {});
    peer.order(json!({}));
    peer.texts(stream);
    peer.price("EURUSD", "1.0853");
    let told = peer.pushed(stream, "profit");
    assert_eq!((told.len(), names(&told[0])), (1, words("order order2 position profit")));
    let open = peer.open();
    assert_eq!((&told[0]["profit"], &told[0]["position"]), (&open[0]["profit"], &open[0]["position"]));
    peer.price("GOLD", "2651");
    assert!(peer.pushed(stream, "profit").is_empty(), "nothing is held there");
}

#[test]
fn stream_messages_are_lost_doubled_and_overtaken_on_demand() {
    let (mut peer, stream, session) = Peer::streaming(|_| {});
    peer.subscribe(stream, &session, "getTickPrices", json!({"symbol": "GOLD"}));
    peer.texts(stream);
    peer.simulator.settings_mut().faults = Faults { duplicate_stream: 1_000, ..Faults::default() };
    peer.price("GOLD", "2651");
    let ticks = peer.pushed(stream, "tickPrices");
    assert!(ticks.len() == 2 && ticks[0] == ticks[1], "{ticks:?}");
    peer.simulator.settings_mut().faults = Faults { lost_stream: 1_000, ..Faults::default() };
    peer.price("GOLD", "2652");
    assert!(peer.texts(stream).is_empty());
    peer.simulator.settings_mut().faults = Faults { shuffled_stream: 1_000, ..Faults::default() };
    peer.order(json!({}));
    let told = kinds(&peer.texts(stream));
    assert_eq!(told.last().map(String::as_str), Some("status 1"), "everything has overtaken what came first: {told:?}");
}

#[test]
fn the_list_names_every_test_and_every_named_test_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let tests = |text: &str| {
        let after = text.split("#[test]\nfn ").skip(1).map(|rest| rest.split('(').next().unwrap().to_owned());
        after.collect::<BTreeSet<String>>()
    };
    let list = read("xapi_conformance.md");
    let (mine, server) = (tests(&read("xapi_conformance.rs")), tests(&read("xapi_server.rs")));
    let there: BTreeSet<&str> = mine.union(&server).map(String::as_str).collect();
    // What is between back-quotes and looks like the name of a function.
    let in_quotes = list.split('`').skip(1).step_by(2);
    let named: BTreeSet<&str> = in_quotes.filter(|word| word.contains('_') && !word.contains([' ', '=', '.'])).collect();
    let strangers: Vec<&&str> = named.difference(&there).collect();
    assert!(strangers.is_empty(), "named and not there: {strangers:?}");
    let missing: Vec<&&str> = there.difference(&named).collect();
    assert!(missing.is_empty(), "there and not named: {missing:?}");
    for row in list.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let is_proven = row.split('`').any(|word| there.contains(word));
        let is_marked = cells.get(1).is_some_and(|mark| mark.split(", ").all(|mark| ["[D]", "[C]", "[I]"].contains(&mark)));
        assert!(cells.len() == 3 && is_proven && is_marked, "a row has a rule, marks and a test: {row}");
    }
}
