//! The xAPI client alone, message by message: what it writes, when it writes it, and what it says of a request.

use std::collections::BTreeSet;

use pmax::broker::xapi::{Ask, AskId, Client, ClientEvent, Decimal, Input, LinkState, Output, Secret, Settings, TradeRequest};
use pmax::domain::{Duration, WallTime};
use serde_json::{Value, json};

const KEEP_ALIVE: &str = r#"{"command":"keepAlive","data":{"timestamp":1762000003000}}"#;

/// A client and a broker that answers as it is told.
struct Desk {
    client: Client,
    now: WallTime,
    main: Vec<(WallTime, Value)>,
    stream: Vec<(WallTime, Value)>,
    events: Vec<ClientEvent>,
    answered: usize,
    opened: usize,
    closed: usize,
    special: Vec<(&'static str, Value)>,
}

impl Desk {
    fn new() -> Self {
        let settings = Settings::usual("20001".to_owned(), Secret::new("secret"), 7);
        Self {
            client: Client::new(settings),
            now: WallTime(1_762_000_000_000_000_000),
            main: Vec::new(),
            stream: Vec::new(),
            events: Vec::new(),
            answered: 0,
            opened: 0,
            closed: 0,
            special: Vec::new(),
        }
    }

    fn ready() -> Self {
        let mut desk = Self::new();
        desk.tell(Input::Start);
        desk.open();
        assert!(desk.is_ready());
        desk
    }

    fn tell(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.client.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::OpenMain => self.opened += 1,
                Output::OpenStream => {}
                Output::CloseBoth => {
                    self.closed += 1;
                    self.answered = self.main.len();
                }
                Output::Login(login) => self.main.push((self.now, serde_json::from_str(&login.into_text()).unwrap())),
                Output::Main(text) => self.main.push((self.now, serde_json::from_str(&text).unwrap())),
                Output::Stream(text) => self.stream.push((self.now, serde_json::from_str(&text).unwrap())),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn reply(&self, command: &Value) -> String {
        let name = command["command"].as_str().unwrap();
        let special = self.special.iter().find(|(of, _)| *of == name).map(|(_, reply)| reply.clone());
        let mut reply = special.unwrap_or_else(|| match name {
            "login" => json!({"status": true, "streamSessionId": "4412345678901234567"}),
            "getMarginLevel" => json!({"status": true, "returnData": {"balance": 100000.0, "equity": 100000.0, "margin": 0.0}}),
            "tradeTransaction" => json!({"status": true, "returnData": {"order": 700101}}),
            "ping" => json!({"status": true}),
            _ => json!({"status": true, "returnData": []}),
        });
        reply["customTag"] = command["customTag"].clone();
        reply.to_string()
    }

    fn answer(&mut self) {
        while let Some((_, command)) = self.main.get(self.answered).cloned() {
            self.answered += 1;
            let reply = self.reply(&command);
            self.tell(Input::Main(&reply));
        }
    }

    /// Both connections open and answer for three seconds.
    fn open(&mut self) {
        self.tell(Input::MainOpened);
        self.answer();
        self.tell(Input::StreamOpened);
        self.live(Duration::seconds(3));
    }

    fn live(&mut self, time: Duration) {
        let until = self.now.plus(time);
        while self.now < until {
            self.now = self.now.plus(Duration::millis(50));
            self.tell(Input::Timer);
            self.answer();
            self.tell(Input::Stream(KEEP_ALIVE));
        }
    }

    fn ask(&mut self, id: u64, mark: &str, is_urgent: bool) {
        let request = TradeRequest {
            cmd: 0,
            kind: 0,
            symbol: "EURUSD".to_owned(),
            volume: Decimal(100_000_000),
            price: Decimal(1_084_300_000),
            sl: Decimal(0),
            tp: Decimal(0),
            order: 0,
            expiration: 0,
            mark: mark.to_owned(),
        };
        self.tell(Input::Ask(Ask::Trade { id: AskId(id), request, is_urgent }));
    }

    fn is_ready(&self) -> bool {
        let last =
            self.events.iter().rev().find_map(|event| if let ClientEvent::Link(state) = event { Some(state) } else { None });
        last == Some(&LinkState::Ready)
    }

    /// Every last word on a request.
    fn fate(&self, id: u64) -> Vec<&'static str> {
        let word = |event: &ClientEvent| match event {
            ClientEvent::Taken(of, _) if of.0 == id => Some("taken"),
            ClientEvent::Refused(of, _) if of.0 == id => Some("refused"),
            ClientEvent::Ambiguous(of, _) if of.0 == id => Some("ambiguous"),
            ClientEvent::NotSent(of, _) if of.0 == id => Some("not sent"),
            _ => None,
        };
        self.events.iter().filter_map(word).collect()
    }

    /// Marks of the trade requests, as they were written.
    fn marks(&self) -> Vec<String> {
        let mark = |(_, command): &(WallTime, Value)| {
            command.pointer("/arguments/tradeTransInfo/customComment").and_then(Value::as_str).map(str::to_owned)
        };
        self.main.iter().filter_map(mark).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.main.iter().filter(|(_, command)| command["command"] == name).count()
    }
}

fn least_gap(texts: &[(WallTime, Value)]) -> i64 {
    texts.windows(2).map(|pair| pair[1].0.since(pair[0].0).0).min().unwrap()
}

#[test]
fn a_login_leads_to_ready_with_everything_subscribed() {
    let desk = Desk::ready();
    let names: Vec<&str> = desk.stream.iter().map(|(_, command)| command["command"].as_str().unwrap()).collect();
    for name in ["getKeepAlive", "getBalance", "getTrades", "getTradeStatus"] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(desk.count("login"), 1);
    assert!(least_gap(&desk.main) >= Duration::millis(250).0);
}

#[test]
fn a_request_has_one_fate() {
    let mut desk = Desk::ready();
    desk.ask(1, "a", false);
    desk.tell(Input::Stream(r#"{"command":"tradeStatus","data":{"order":700101,"requestStatus":3,"message":null}}"#));
    desk.answer();
    let place = |is: fn(&ClientEvent) -> bool| desk.events.iter().position(is).unwrap();
    assert!(place(|event| matches!(event, ClientEvent::Status(_))) < place(|event| matches!(event, ClientEvent::Taken(..))));
    desk.tell(Input::MainClosed("reset"));
    assert_eq!(desk.fate(1), ["taken"]);
}

#[test]
fn what_was_written_is_in_doubt_and_what_was_not_is_not_sent() {
    let mut desk = Desk::ready();
    desk.ask(1, "a", false);
    desk.ask(2, "b", false);
    desk.ask(3, "c", false);
    desk.tell(Input::MainClosed("reset"));
    desk.ask(4, "d", true);
    desk.open();
    assert!(desk.is_ready());
    desk.live(Duration::seconds(60));
    assert_eq!((desk.fate(1), desk.fate(2)), (vec!["ambiguous"], vec!["ambiguous"]));
    assert_eq!((desk.fate(3), desk.fate(4)), (vec!["not sent"], vec!["not sent"]));
    assert_eq!(desk.marks(), ["a", "b"], "nothing is written twice");
}

#[test]
fn a_request_without_a_reply_in_time_is_in_doubt_once() {
    let mut desk = Desk::ready();
    desk.ask(1, "a", false);
    desk.now = desk.now.plus(Duration::millis(5_001));
    desk.tell(Input::Timer);
    desk.tell(Input::MainClosed("reset"));
    assert_eq!(desk.fate(1), ["ambiguous"]);
}

#[test]
fn a_reply_that_does_not_read_or_names_no_order_leaves_a_doubt() {
    for data in [json!({}), json!({"order": "x"}), Value::Null] {
        let mut desk = Desk::ready();
        desk.special.push(("tradeTransaction", json!({"status": true, "returnData": data})));
        desk.ask(1, "a", false);
        desk.answer();
        assert_eq!(desk.fate(1), ["ambiguous"]);
    }
    let mut desk = Desk::ready();
    desk.ask(1, "a", false);
    desk.tell(Input::Main("{\"status\":tr"));
    assert_eq!(desk.fate(1), ["ambiguous"]);
}

#[test]
fn an_order_does_not_wait_behind_a_question_and_what_is_urgent_goes_first() {
    let mut desk = Desk::ready();
    let wishes =
        [(1, "a", false), (2, "b", false), (3, "c", false), (4, "d", true), (5, "e", true), (6, "f", true), (7, "g", true)];
    for (id, mark, is_urgent) in wishes {
        desk.ask(id, mark, is_urgent);
    }
    assert_eq!(desk.marks(), ["a", "b", "d", "e"], "one order and two urgent ones came sooner than the spacing");
    desk.live(Duration::seconds(4));
    assert_eq!(desk.marks(), ["a", "b", "d", "e", "f", "g", "c"]);
}

#[test]
fn the_protocol_never_sees_more_than_three_commands_in_a_row_that_come_too_soon() {
    let mut desk = Desk::ready();
    for id in 0..200 {
        desk.ask(id, "m", id % 3 != 0);
        desk.live(Duration::millis(40 + i64::try_from(id).unwrap() * 7 % 90));
    }
    desk.live(Duration::seconds(40));
    let mut in_a_row = 0;
    for pair in desk.main.windows(2) {
        in_a_row = if pair[1].0.since(pair[0].0).0 < Duration::millis(200).0 { in_a_row + 1 } else { 0 };
        assert!(in_a_row <= 3, "six in a row end the connection");
    }
}

#[test]
fn what_is_watched_is_asked_for_again_after_a_drop() {
    let mut desk = Desk::new();
    desk.tell(Input::Ask(Ask::Watch(BTreeSet::from(["EURUSD".to_owned()]))));
    desk.tell(Input::Start);
    desk.open();
    desk.tell(Input::StreamClosed("reset"));
    desk.open();
    let quotes = desk.stream.iter().filter(|(_, command)| command["command"] == "getTickPrices");
    assert_eq!(quotes.count(), 2);
}

#[test]
fn a_failed_answer_makes_no_complete_snapshot() {
    let mut desk = Desk::new();
    desk.special.push(("getTradesHistory", json!({"status": false, "errorCode": "EX001", "errorDescr": ""})));
    desk.tell(Input::Start);
    desk.open();
    assert!(!desk.is_ready());
    let told = |is: fn(&ClientEvent) -> bool| desk.events.iter().any(is);
    assert!(told(|event| matches!(event, ClientEvent::Unread(_))) && !told(|event| matches!(event, ClientEvent::Snapshot(_))));
}

#[test]
fn a_silent_stream_ends_both_connections() {
    let mut desk = Desk::ready();
    for _ in 0..11 {
        desk.now = desk.now.plus(Duration::seconds(1));
        desk.tell(Input::Timer);
        desk.answer();
    }
    assert_eq!(desk.closed, 1);
}

/// Logs in with this refusal and gives how often a connection was opened within ten minutes.
fn openings_after(refusal: Value) -> usize {
    let mut desk = Desk::new();
    desk.special.push(("login", refusal));
    desk.tell(Input::Start);
    for _ in 0..600 {
        desk.tell(Input::MainOpened);
        desk.answer();
        desk.now = desk.now.plus(Duration::seconds(1));
        desk.tell(Input::Timer);
    }
    desk.opened
}

#[test]
fn a_refused_login_is_not_repeated() {
    for code in ["BE004", "BE005", "EX004", "EX006", "EX007", "EX010", "EX017"] {
        assert_eq!(openings_after(json!({"status": false, "errorCode": code, "errorDescr": ""})), 1, "{code}");
    }
}

#[test]
fn a_login_refused_for_another_reason_is_not_repeated_either() {
    for code in ["EX000", "EX011", "BE106", "BE110", "BE118", "ZZ123", ""] {
        assert_eq!(openings_after(json!({"status": false, "errorCode": code, "errorDescr": ""})), 1, "{code}");
    }
    assert_eq!(openings_after(json!({"status": false, "redirect": {"address": "elsewhere"}})), 1);
}

#[test]
fn a_session_that_is_over_ends_the_link() {
    for code in ["BE103", "BE117", "BE200"] {
        let mut desk = Desk::ready();
        desk.special.push(("ping", json!({"status": false, "errorCode": code, "errorDescr": ""})));
        desk.live(Duration::seconds(11));
        assert_eq!(desk.closed, 1, "{code}");
    }
}

#[test]
fn both_connections_together_keep_their_distance() {
    let mut desk = Desk::new();
    desk.tell(Input::Ask(Ask::Watch((0..20).map(|number| format!("S{number}")).collect())));
    desk.tell(Input::Start);
    desk.open();
    desk.live(Duration::seconds(6));
    let mut texts = [desk.main.clone(), desk.stream.clone()].concat();
    texts.sort_by_key(|(at, _)| *at);
    assert!(desk.stream.len() >= 24 && least_gap(&texts) >= Duration::millis(250).0);
}

#[test]
fn an_incomplete_answer_is_asked_for_again_after_a_pause() {
    let mut desk = Desk::new();
    desk.special.push(("getTrades", json!({"status": true, "returnData": [{"position": "unreadable"}]})));
    desk.tell(Input::Start);
    desk.open();
    let before = desk.count("getTrades");
    desk.live(Duration::seconds(30));
    assert!((2..=12).contains(&(desk.count("getTrades") - before)), "{}", desk.count("getTrades") - before);
}

#[test]
fn a_null_where_a_value_is_promised_hides_nothing() {
    let mut desk = Desk::new();
    let trade = json!({"position": 5, "order": null, "cmd": 0, "symbol": "EURUSD", "volume": 0.1, "open_price": 1.0843,
        "open_time": null, "closed": null});
    desk.special.push(("getTrades", json!({"status": true, "returnData": [trade]})));
    desk.tell(Input::Start);
    desk.open();
    assert!(desk.is_ready());
}

#[test]
fn a_closed_trade_without_its_result_was_not_read() {
    let mut desk = Desk::new();
    let trade = json!({"position": 5, "order": 5, "order2": 6, "cmd": 0, "symbol": "EURUSD", "volume": 0.1, "open_price": 1.0843,
        "closed": true, "profit": null});
    desk.special.push(("getTradesHistory", json!({"status": true, "returnData": [trade]})));
    desk.tell(Input::Start);
    desk.open();
    assert!(!desk.is_ready());
}

#[test]
fn one_bad_symbol_does_not_hide_the_others_and_the_list_comes_once() {
    let mut desk = Desk::new();
    let good = json!({"symbol": "EURUSD", "currencyProfit": "USD", "contractSize": 100000, "precision": 5, "lotMin": 0.01,
        "lotMax": 100.0, "lotStep": 0.01});
    desk.special.push(("getAllSymbols", json!({"status": true, "returnData": [{"symbol": 7}, good]})));
    desk.special.push(("getSymbol", json!({"status": true, "returnData": good})));
    desk.tell(Input::Start);
    desk.open();
    desk.tell(Input::StreamClosed("reset"));
    desk.open();
    let names = |event: &ClientEvent| if let ClientEvent::Symbols(symbols) = event { Some(symbols.len()) } else { None };
    assert_eq!((desk.events.iter().find_map(names), desk.count("getAllSymbols")), (Some(1), 1));
    // Later logins ask for what is traded alone; a symbol that is not there any more is an answer, another failure is none.
    let mut ask = |reply: Option<serde_json::Value>| {
        desk.special.retain(|(of, _)| *of != "getSymbol");
        desk.special.push(("getSymbol", reply.unwrap_or_else(|| json!({"status": true, "returnData": good}))));
        desk.events.clear();
        desk.tell(Input::Ask(Ask::Contract("EURUSD".to_owned())));
        desk.live(Duration::seconds(2));
        desk.events
            .iter()
            .find_map(|event| if let ClientEvent::Contract(_, listed) = event { Some(listed.is_some()) } else { None })
    };
    assert_eq!(ask(None), Some(true));
    assert_eq!(ask(Some(json!({"status": false, "errorCode": "BE115", "errorDescr": "no such symbol"}))), Some(false));
    assert_eq!(ask(Some(json!({"status": false, "errorCode": "EX005", "errorDescr": "overloaded"}))), None);
}

#[test]
fn a_chart_that_does_not_come_is_no_empty_chart() {
    let mut desk = Desk::ready();
    let mut ask = |reply: serde_json::Value| {
        desk.special = vec![("getChartLastRequest", reply)];
        desk.events.clear();
        desk.tell(Input::Ask(Ask::Chart("EURUSD".to_owned(), 0)));
        desk.live(Duration::seconds(2));
        desk.events.iter().find(|event| matches!(event, ClientEvent::Candles(..) | ClientEvent::NoCandles(..))).cloned()
    };
    let refused = ask(json!({"status": false, "errorCode": "EX009", "errorDescr": "too many"}));
    assert!(matches!(refused, Some(ClientEvent::NoCandles(_, why)) if why.as_str().contains("EX009")));
    let absurd = ask(json!({"status": true, "returnData": {"digits": 40, "rateInfos": []}}));
    assert!(matches!(absurd, Some(ClientEvent::NoCandles(_, why)) if why.as_str().contains("40 decimals")));
    let empty = ask(json!({"status": true, "returnData": {"digits": 5, "rateInfos": []}}));
    assert_eq!(empty, Some(ClientEvent::Candles("EURUSD".to_owned(), Vec::new())), "that there were none is an answer");
    desk.tell(Input::StreamClosed("reset"));
    desk.events.clear();
    desk.tell(Input::Ask(Ask::Chart("EURUSD".to_owned(), 0)));
    assert!(desk.events.iter().any(|event| matches!(event, ClientEvent::NoCandles(..))), "nor is one that was not asked for");
}

#[test]
fn a_list_of_symbols_that_did_not_come_is_asked_for_again() {
    let mut desk = Desk::new();
    desk.special.push(("getAllSymbols", json!({"status": false, "errorCode": "BE004", "errorDescr": "Internal server error"})));
    desk.tell(Input::Start);
    desk.open();
    assert!(desk.is_ready() && desk.count("getAllSymbols") == 1);
    desk.special.clear();
    desk.live(Duration::seconds(20));
    assert_eq!(desk.count("getAllSymbols"), 2);
    assert!(desk.events.iter().any(|event| matches!(event, ClientEvent::Symbols(_))));
    desk.live(Duration::seconds(60));
    assert_eq!(desk.count("getAllSymbols"), 2, "and not once it is there");
}

#[test]
fn a_transaction_is_asked_about_and_one_that_is_not_known_there_is_told_as_that() {
    let mut desk = Desk::ready();
    desk.special.push((
        "tradeTransactionStatus",
        json!({"status": true, "returnData": {"order": 5, "requestStatus": 4, "message": "no"}}),
    ));
    desk.tell(Input::Ask(Ask::Transaction(5)));
    desk.live(Duration::seconds(1));
    assert!(desk.events.iter().any(|event| matches!(event, ClientEvent::Status(status) if status.order == 5)));
    desk.special.clear();
    desk.special
        .push(("tradeTransactionStatus", json!({"status": false, "errorCode": "BE098", "errorDescr": "No such transaction"})));
    desk.tell(Input::Ask(Ask::Transaction(6)));
    desk.live(Duration::seconds(1));
    assert!(desk.events.contains(&ClientEvent::NoTransaction(6)));
}

#[test]
fn a_login_that_is_too_long_is_refused_here() {
    let settings = Settings::usual("2".repeat(1_000), Secret::new("secret"), 7);
    let mut desk = Desk { client: Client::new(settings), ..Desk::new() };
    desk.tell(Input::Start);
    desk.tell(Input::MainOpened);
    assert!(desk.main.is_empty() && matches!(desk.events.last(), Some(ClientEvent::Link(LinkState::Refused { .. }))));
}

#[test]
fn a_missing_price_is_not_zero() {
    let mut desk = Desk::ready();
    desk.tell(Input::Stream(
        r#"{"command":"tickPrices","data":{"symbol":"EURUSD","ask":null,"bid":1.08421,"timestamp":1762000000400,"level":0}}"#,
    ));
    assert!(!desk.events.iter().any(|event| matches!(event, ClientEvent::Tick(tick) if tick.ask == Decimal(0))));
}

#[test]
fn a_missing_volume_makes_no_complete_snapshot() {
    let mut desk = Desk::new();
    let trade = json!({"position": 5, "order": 5, "cmd": 0, "symbol": "EURUSD", "volume": null, "open_price": 1.0843});
    desk.special.push(("getTrades", json!({"status": true, "returnData": [trade]})));
    desk.tell(Input::Start);
    desk.open();
    assert!(!desk.is_ready());
}

#[test]
fn a_streamed_trade_that_does_not_read_is_looked_for_even_during_a_look() {
    let mut desk = Desk::ready();
    let margins = desk.count("getMarginLevel");
    desk.tell(Input::Ask(Ask::Snapshot));
    while desk.count("getMarginLevel") == margins {
        desk.now = desk.now.plus(Duration::millis(50));
        desk.tell(Input::Timer);
        if desk.count("getMarginLevel") == margins {
            desk.answer();
        }
    }
    let lists = desk.count("getTrades");
    desk.tell(Input::Stream(r#"{"command":"trade","data":{"position":"unreadable"}}"#));
    desk.live(Duration::seconds(3));
    assert!(desk.count("getTrades") > lists);
}

#[test]
fn waking_when_asked_for_gets_on() {
    let mut desk = Desk::ready();
    desk.ask(1, "a", false);
    for _ in 0..100 {
        let Some(at) = desk.client.wake_at().filter(|_| desk.closed == 0) else { break };
        desk.now = desk.now.max(at);
        desk.tell(Input::Stream(KEEP_ALIVE));
        desk.tell(Input::Timer);
    }
    assert_eq!((desk.closed, desk.fate(1)), (1, vec!["ambiguous"]));
}

#[test]
fn a_failed_question_about_a_transaction_says_nothing_of_it() {
    let mut desk = Desk::ready();
    desk.special.push(("tradeTransactionStatus", json!({"status": false, "errorCode": "EX005", "errorDescr": "overloaded"})));
    desk.tell(Input::Ask(Ask::Transaction(70)));
    desk.live(Duration::seconds(2));
    assert_eq!(desk.count("tradeTransactionStatus"), 1);
    assert!(
        !desk.events.iter().any(|event| matches!(event, ClientEvent::NoTransaction(70))),
        "only BE098 says that it is not there"
    );
}

#[test]
fn an_urgent_cancel_does_not_wait_for_lists_that_cannot_be_read() {
    let mut desk = Desk::new();
    let broken = json!([{"order": 9, "order2": 9, "position": 9, "symbol": "DE40", "cmd": 0, "volume": 0.1, "open_price": 1.0,
                         "close_price": 1.0, "closed": true, "profit": null}]);
    desk.special.push(("getTradesHistory", json!({"status": true, "returnData": broken})));
    desk.tell(Input::Start);
    desk.open();
    desk.live(Duration::seconds(120));
    let request = TradeRequest {
        cmd: 2,
        kind: 4,
        symbol: "EURUSD".to_owned(),
        volume: Decimal(10_000_000),
        price: Decimal(1_000_000_000),
        sl: Decimal(0),
        tp: Decimal(0),
        order: 70,
        expiration: 0,
        mark: "pmax-0000004d-00000001".to_owned(),
    };
    desk.tell(Input::Ask(Ask::Trade { id: AskId(1), request, is_urgent: true }));
    desk.live(Duration::seconds(3));
    assert_eq!(desk.fate(1), ["taken"], "logged in for two minutes, and the kill switch's cancel is not written");
}

#[test]
fn a_request_that_is_withdrawn_before_its_turn_never_leaves_and_a_written_one_stays_written() {
    let mut desk = Desk::ready();
    for (id, mark) in [(1, "a"), (2, "b"), (3, "c")] {
        desk.ask(id, mark, false);
    }
    let written = desk.marks().len();
    assert!(written < 3, "some wait for their turn");
    desk.events.clear();
    desk.tell(Input::Ask(Ask::Withdraw(AskId(3))));
    desk.tell(Input::Ask(Ask::Withdraw(AskId(3))));
    desk.tell(Input::Ask(Ask::Withdraw(AskId(1))));
    let unsent = desk.events.iter().filter(|event| matches!(event, ClientEvent::NotSent(AskId(3), _))).count();
    assert_eq!(unsent, 1, "said once");
    assert!(!desk.events.iter().any(|event| matches!(event, ClientEvent::NotSent(AskId(1), _))));
    desk.live(Duration::seconds(2));
    assert_eq!(desk.marks(), ["a", "b"]);
}
