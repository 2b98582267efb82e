//! A server of one's own choice, over real sockets of this machine: what is asked of it, and what it can do wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pmax::domain::{CleanText, Secret};
use pmax::llm::answer::{Abstention, Answer};
use pmax::llm::ask::{Ask, Decision, Task};
use pmax::llm::cache::Keep;
use pmax::llm::desk::{Asker, Backend, ModelDesk, Request, RungTerms};
use pmax::llm::panel::Rung;
use pmax::llm::protocol::BenchPlan;
use pmax::llm::remote::RemoteTerms;
use serde_json::{Value, json};

use crate::llm_stand_in::{PATIENCE, ask, rung, terms, until, worker};

const KEY: &str = "sk-canary-0123456789";
const SCHEMA: &str = r#"{"type":"object","properties":{"level":{"enum":["low","high"]},"b":{"type":"string"},"a":{"type":"string"}},"required":["level","b","a"],"additionalProperties":false}"#;

/// What arrived: path, headers in lower case, body.
#[derive(Debug, Clone)]
struct Heard {
    path: String,
    head: String,
    body: Value,
}

/// What the server does.
enum Does {
    Says(u16, String),
    /// Sends a body that goes on and on.
    Floods,
    /// Never says anything.
    Stalls,
    /// Closes without a word.
    Hangs,
    /// Closes amid the body.
    Cuts,
}

struct Server {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Server {
    fn start(does: impl Fn(&Heard) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (all, does) = (Arc::clone(&heard), Arc::new(does));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (all, does) = (Arc::clone(&all), Arc::clone(&does));
                std::thread::spawn(move || {
                    let mut connection = connection.unwrap();
                    while let Some(heard) = read(&mut connection) {
                        all.lock().unwrap().push(heard.clone());
                        if !reply(&mut connection, does(&heard)) {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, heard }
    }

    /// One that has the models `small` and `large`, and answers every question so.
    fn answering(does: impl Fn(&Heard) -> Does + Send + Sync + 'static) -> Self {
        Self::start(move |heard| if heard.path == "/v1/models" { models() } else { does(heard) })
    }

    fn questions(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|heard| heard.path == "/v1/chat/completions").cloned().collect()
    }

    fn terms(&self) -> RemoteTerms {
        RemoteTerms { url: self.url.clone(), model: Some("large".to_owned()), key: Some(Secret::new(KEY)) }
    }
}

fn models() -> Does {
    Does::Says(200, json!({ "object": "list", "data": [{ "id": "small" }, { "id": "large" }] }).to_string())
}

fn read(connection: &mut TcpStream) -> Option<Heard> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split_whitespace().nth(1).unwrap().to_owned();
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some(Heard { path, head, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}

/// Whether the connection goes on. A client that has seen enough closes.
fn reply(connection: &mut TcpStream, does: Does) -> bool {
    let head = |status: u16, length: usize| {
        format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
    };
    match does {
        Does::Says(status, body) => connection.write_all(format!("{}{body}", head(status, body.len())).as_bytes()).is_ok(),
        Does::Floods => {
            let mut text = head(200, 1 << 30);
            text.push_str("{\"choices\":[");
            while connection.write_all(text.as_bytes()).is_ok() {
                text = " ".repeat(1 << 16);
            }
            false
        }
        Does::Stalls => {
            // Until the other side goes.
            drop(connection.read(&mut [0]));
            false
        }
        Does::Hangs => false,
        Does::Cuts => {
            drop(connection.write_all(format!("{}{{\"choices\":[{{\"mess", head(200, 500)).as_bytes()));
            false
        }
    }
}

fn content(text: &str) -> Value {
    json!({
        "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 120, "completion_tokens": 9 },
    })
}

const GOOD: &str = r#"{"level":"high","b":"x","a":"y"}"#;

fn says(value: &Value) -> Does {
    Does::Says(200, value.to_string())
}

fn question(words: &str) -> Request {
    let decision = Decision { property: "level".to_owned(), labels: vec!["low".to_owned(), "high".to_owned()] };
    let asked = Ask {
        schema: SCHEMA.to_owned(),
        decision: Some(decision),
        content_free: Some("N/A".to_owned()),
        ..ask(Task::Risk, words, 20_000)
    };
    Request { ask: asked, about: words.to_owned(), keep: None }
}

fn desk(remote: RemoteTerms, below: bool) -> ModelDesk {
    let top = RungTerms {
        rung: Rung::Remote,
        name: CleanText::from("server"),
        knowledge_cutoff: None,
        backend: Backend::Remote(remote),
    };
    let below = below.then(|| rung(Rung::Cpu, worker("good", &[])));
    ModelDesk::start(terms([top].into_iter().chain(below).collect())).unwrap()
}

fn answered(asker: &Asker, words: &str) -> Result<Answer, Abstention> {
    asker.ask(question(words)).wait(PATIENCE).expect("every question gets an outcome").answer
}

#[test]
fn a_server_is_asked_in_its_own_language_and_its_answer_is_an_answer() {
    let server = Server::answering(|_| says(&content(GOOD)));
    let desk = desk(server.terms(), false);
    let told = desk.asker().ask(question("how «dangerous»?\n\"")).wait(PATIENCE).unwrap();
    let answer = told.answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.labels.len(), answer.prior.len()), (GOOD, 0, 0), "no chances, none made up");
    assert_eq!((answer.timings.prompt_tokens, answer.timings.sampled_tokens, answer.timings.rows), (120, 9, 1));
    assert!(answer.timings.first_ms > 0.0);
    assert_eq!((told.rung, told.model.unwrap().device.as_str()), (Rung::Remote, "127.0.0.1"));
    let asked = server.questions().remove(0);
    assert_eq!(asked.body["model"], "large");
    assert_eq!(
        asked.body["messages"],
        json!([{ "role": "system", "content": "system" }, { "role": "user", "content": "how «dangerous»?\n\"" }])
    );
    assert_eq!(
        (&asked.body["max_tokens"], &asked.body["temperature"], &asked.body["logprobs"]),
        (&json!(8), &json!(0.0), &json!(true))
    );
    assert_eq!(asked.body["response_format"]["json_schema"]["strict"], true);
    let schema = asked.body["response_format"]["json_schema"]["schema"].to_string();
    assert_eq!(schema, SCHEMA, "in the order of writing");
    assert!(asked.head.to_lowercase().contains(&format!("authorization: bearer {KEY}")), "{}", asked.head);
    let benched = desk.asker().bench(BenchPlan { prompt_tokens: 1, written_tokens: 1, rows: 1 }).recv_timeout(PATIENCE).unwrap();
    assert!(matches!(benched, Err(Abstention::Remote(_))), "{benched:?}");
}

#[test]
fn chances_of_labels_come_from_those_of_tokens_and_the_habit_is_asked_for_once() {
    let server = Server::answering(|heard| {
        let (high, low): (f64, f64) = if heard.body["messages"][1]["content"] == "N/A" { (0.5, 0.5) } else { (0.8, 0.2) };
        let mut answer = content(GOOD);
        answer["choices"][0]["logprobs"] = json!({ "content": [
            { "token": "{\"level\":\"", "logprob": 0.0, "top_logprobs": [] },
            { "token": "high", "logprob": high.ln(), "top_logprobs": [{ "token": "high", "logprob": high.ln() }, { "token": "low", "logprob": low.ln() }] },
        ] });
        says(&answer)
    });
    let desk = desk(server.terms(), false);
    for words in ["one", "two"] {
        let answer = answered(&desk.asker(), words).unwrap();
        assert!((answer.labels[0] - 0.2).abs() < 1e-9 && (answer.labels[1] - 0.8).abs() < 1e-9, "{:?}", answer.labels);
        assert!((answer.prior[0] - 0.5).abs() < 1e-9, "{:?}", answer.prior);
    }
    assert_eq!(server.questions().len(), 3);
}

#[test]
fn a_server_that_knows_no_chances_is_asked_without_them_from_then_on() {
    let server = Server::answering(|heard| match heard.body.get("logprobs") {
        Some(_) => Does::Says(400, json!({ "error": { "message": "logprobs is not supported" } }).to_string()),
        None => says(&content(GOOD)),
    });
    let desk = desk(server.terms(), false);
    assert!(answered(&desk.asker(), "one").unwrap().labels.is_empty());
    assert!(answered(&desk.asker(), "two").is_ok());
    let asked: Vec<bool> = server.questions().iter().map(|heard| heard.body.get("logprobs").is_some()).collect();
    assert_eq!(asked, [true, false, false]);
}

#[test]
fn what_a_server_does_wrong_is_an_abstention_with_its_reason_and_without_the_key() {
    let unusable = |text: &str| says(&content(text));
    let error = |status: u16, body: Value| Does::Says(status, body.to_string());
    type Fault = Box<dyn Fn() -> Does + Send + Sync>;
    let faults: Vec<(&str, Fault)> = vec![
        ("HTTP 500: out of memory", Box::new(move || error(500, json!({ "error": { "message": "out of memory" } })))),
        ("HTTP 503", Box::new(|| Does::Says(503, "<html>busy</html>".to_owned()))),
        (
            "HTTP 401: wrong key [key]",
            Box::new(move || error(401, json!({ "error": { "message": format!("wrong key {KEY}") } }))),
        ),
        ("model not loaded", Box::new(move || error(200, json!({ "error": "model not loaded" })))),
        ("context is too long", Box::new(move || error(200, json!({ "object": "error", "message": "context is too long" })))),
        ("[31mred", Box::new(move || error(200, json!({ "error": { "message": "\u{1b}[31mred\u{202e}" } })))),
        ("none that was expected", Box::new(|| Does::Says(200, "rubbish".to_owned()))),
        ("its answer is empty", Box::new(|| says(&json!({ "choices": [] })))),
        ("more than 1024 KiB", Box::new(|| Does::Floods)),
        ("the server said", Box::new(|| Does::Hangs)),
        ("the server said", Box::new(|| Does::Cuts)),
        ("I cannot", Box::new(|| says(&json!({ "choices": [{ "message": { "content": null, "refusal": "I cannot" } }] })))),
        ("it is empty", Box::new(|| says(&json!({ "choices": [{ "message": { "content": null } }] })))),
        ("it is no JSON", Box::new(move || unusable("I think it is high."))),
        ("it is no object", Box::new(move || unusable("[1]"))),
        ("it lacks `a`", Box::new(move || unusable(r#"{"level":"high","b":"x"}"#))),
        ("it has `c`", Box::new(move || unusable(r#"{"level":"high","b":"x","a":"y","c":1}"#))),
        ("none of low, high", Box::new(move || unusable(r#"{"level":"buy","b":"x","a":"y"}"#))),
        (
            "not whole after 8 tokens",
            Box::new(|| {
                let mut answer = content(GOOD);
                answer["choices"][0]["finish_reason"] = json!("length");
                says(&answer)
            }),
        ),
        ("too many questions wait", Box::new(|| Does::Says(429, String::new()))),
        ("HTTP 302", Box::new(|| Does::Says(302, String::new()))),
    ];
    for (words, fault) in faults {
        let server = Server::answering(move |_| fault());
        let desk = desk(server.terms(), false);
        let why = answered(&desk.asker(), "one").unwrap_err().to_string();
        assert!(why.contains(words), "{words}: {why}");
        assert!(!why.contains(KEY) && !why.contains('\u{1b}') && !why.contains('\u{202e}'), "{why}");
        assert!(!format!("{:?}", desk.asker().panel()).contains(KEY));
    }
}

#[test]
fn deadlines_hold_and_who_is_overtaken_is_not_waited_for() {
    let server =
        Server::answering(
            |heard| {
                if heard.body["messages"][1]["content"] == "quick" { says(&content(GOOD)) } else { Does::Stalls }
            },
        );
    let desk = desk(server.terms(), false);
    let asker = desk.asker();
    assert!(answered(&asker, "quick").is_ok());
    let mut late = question("stall");
    late.ask.deadline_ms = 60;
    assert_eq!(asker.ask(late).wait(PATIENCE).unwrap().answer, Err(Abstention::Late(60)));
    let older = asker.ask(Request { about: "x".to_owned(), ..question("stall") });
    until("its arrival", || server.questions().len() == 3);
    let newer = asker.ask(Request { about: "x".to_owned(), ..question("quick") });
    assert_eq!(older.wait(PATIENCE).unwrap().answer, Err(Abstention::Superseded));
    assert!(newer.wait(PATIENCE).unwrap().answer.is_ok());
    let last = asker.ask(question("stall again"));
    drop(desk);
    assert!(matches!(last.wait(PATIENCE).unwrap().answer, Err(Abstention::Gone(_))));
}

#[test]
fn a_server_that_fails_twice_is_left_for_the_model_below() {
    let server = Server::answering(|_| Does::Says(500, String::new()));
    let desk = desk(server.terms(), true);
    for words in ["one", "two"] {
        assert!(matches!(answered(&desk.asker(), words), Err(Abstention::Remote(_))));
    }
    let told = desk.asker().ask(question("echo")).wait(PATIENCE).unwrap();
    assert_eq!((told.rung, told.answer.unwrap().text.as_str()), (Rung::Cpu, "echo"));
    assert!(desk.asker().panel().why.as_str().contains("HTTP 500"));
}

#[test]
fn what_cannot_be_asked_is_left_at_once_and_what_is_away_is_tried_twice() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let has_none = Server::start(|_| Does::Says(200, json!({ "data": [] }).to_string()));
    let other = Server::start(|_| Does::Says(200, "<html>".to_owned()));
    let locked = Server::start(|_| Does::Says(401, String::new()));
    let named = Server::answering(|_| says(&content(GOOD)));
    for (url, words, restarts) in [
        ("http://192.0.2.1/v1".to_owned(), "is another machine: write https", 0),
        ("ftp://127.0.0.1/v1".to_owned(), "write https", 0),
        (format!("http://{gone}/v1"), "127.0.0.1: ", 1),
        (has_none.url.clone(), "has no model", 0),
        (other.url.clone(), "something else than was expected", 0),
        (locked.url.clone(), "it refuses the key", 0),
        (named.url.clone(), "has no model «mine», only small, large", 0),
    ] {
        let remote = RemoteTerms { url, model: Some("mine".to_owned()), key: Some(Secret::new(KEY)) };
        let desk = desk(remote, true);
        let told = desk.asker().ask(question("echo")).wait(PATIENCE).unwrap();
        assert_eq!(told.rung, Rung::Cpu);
        let panel = desk.asker().panel();
        assert!(panel.why.as_str().contains(words) && !panel.why.as_str().contains(KEY), "{words}: {}", panel.why);
        assert_eq!(panel.restarts, restarts, "{words}");
    }
    let desk = desk(RemoteTerms { model: None, ..named.terms() }, false);
    assert!(answered(&desk.asker(), "one").is_ok());
    assert_eq!(named.questions()[0].body["model"], "small", "the first it names");
}

#[test]
fn its_answers_are_kept_as_a_workers_are() {
    let server = Server::answering(|_| says(&content(GOOD)));
    let desk = desk(server.terms(), false);
    let keep = Keep {
        template: "t".to_owned(),
        sampler: "greedy".to_owned(),
        canonical: "c".to_owned(),
        at: pmax::domain::MarketTime(1),
    };
    for is_from_cache in [false, true] {
        let told = desk.asker().ask(Request { keep: Some(keep.clone()), ..question("one") }).wait(PATIENCE).unwrap();
        assert_eq!((told.answer.unwrap().text.as_str(), told.is_from_cache), (GOOD, is_from_cache));
    }
    assert_eq!(server.questions().len(), 1);
}
