//! The simulator behind real sockets: framing, silence, many messages at once, WebSocket paths, encryption, breaks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use pmax::broker::Broker;
use pmax::broker::xapi::{Address, Demo, Secret, Settings as ClientSettings};
use pmax::runtime::wall_now;
use pmax::simulator::{Catalogue, Faults, Identity, Listen, Prices, ServerHandle, Settings, Variants};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

use crate::support::deadline;

const LOGIN: &str = "{\"command\":\"login\",\"arguments\":{\"userId\":\"20001\",\"password\":\"secret\"},\"customTag\":\"1\"}";

fn serve() -> ServerHandle {
    serve_these(Catalogue::shipped().unwrap())
}

fn serve_these(catalogue: Catalogue) -> ServerHandle {
    listen(catalogue, None)
}

fn listen(catalogue: Catalogue, tls: Option<Identity>) -> ServerHandle {
    let settings = Settings {
        user: "20001".to_owned(),
        password: "secret".to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 3,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: pmax::simulator::USUAL_SPACING,
    };
    let listen = Listen { websocket: Some(0), raw: Some((0, 0)), tls };
    ServerHandle::start(settings, catalogue, listen, Prices::Drawn(3), wall_now).unwrap()
}

/// A raw connection that reads messages up to their empty line.
struct Raw {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    fn open(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(deadline())).unwrap();
        Self { socket, read: Vec::new() }
    }

    fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// The next message, or nothing when the other side has closed.
    fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(serde_json::from_slice(&message).unwrap());
            }
            let mut buffer = [0; 8_192];
            match self.socket.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.read.extend(&buffer[..count]),
            }
        }
    }
}

/// Commands of one person come at least 200 ms apart.
fn pause() {
    std::thread::sleep(Duration::from_millis(210));
}

#[test]
fn raw_sockets_take_pieces_and_several_at_once() {
    let server = serve();
    let (main, stream) = server.raw.unwrap();
    let mut raw = Raw::open(main);
    for piece in LOGIN.as_bytes().chunks(7) {
        raw.socket.write_all(piece).unwrap();
        raw.socket.flush().unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    let reply = raw.next().unwrap();
    assert_eq!((reply["status"].as_bool(), reply["customTag"].as_str()), (Some(true), Some("1")));
    pause();
    raw.send("{\"command\":\"ping\",\"customTag\":\"2\"}\n{\"command\":\"getVersion\",\"customTag\":\"3\"}");
    assert_eq!(raw.next().unwrap()["customTag"], "2");
    assert_eq!(raw.next().unwrap()["returnData"]["version"], "2.5.0");
    pause();
    raw.send("{\"command\":\"getAllSymbols\",\"customTag\":\"4\"}");
    assert!(raw.next().unwrap()["returnData"].as_array().unwrap().len() > 10);

    let mut pushed = Raw::open(stream);
    pushed
        .send(&json!({"command": "getTickPrices", "streamSessionId": reply["streamSessionId"], "symbol": "EURUSD"}).to_string());
    let tick = pushed.next().unwrap();
    assert_eq!((tick["command"].as_str(), tick["data"]["symbol"].as_str()), (Some("tickPrices"), Some("EURUSD")));
    drop(raw);
    let until = Instant::now() + deadline();
    while pushed.next().is_some() {
        assert!(Instant::now() < until, "the stream outlived its session");
    }
}

#[test]
fn a_broken_or_silent_connection_is_closed_without_a_word() {
    let server = serve();
    let (main, _) = server.raw.unwrap();
    let mut raw = Raw::open(main);
    raw.send("this is not json\n");
    assert_eq!(raw.next(), None);
    let mut silent = Raw::open(main);
    let began = Instant::now();
    assert_eq!(silent.next(), None);
    assert!(began.elapsed() >= Duration::from_millis(900), "it has a second to speak");
    let mut healthy = Raw::open(main);
    healthy.send(LOGIN);
    assert_eq!(healthy.next().unwrap()["status"], true, "others are served all the while");
}

#[test]
fn websockets_are_told_apart_by_their_path() {
    let server = serve();
    let port = server.websocket.unwrap();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let open = async |path: &str| {
            let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio_tungstenite::client_async(format!("ws://127.0.0.1:{port}{path}"), socket).await
        };
        assert!(open("/real").await.is_err(), "there is no such account here");
        let (mut main, _) = open("/demo").await.unwrap();
        main.send(Message::text(LOGIN)).await.unwrap();
        let reply: Value = serde_json::from_str(main.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        let session = reply["streamSessionId"].as_str().unwrap().to_owned();
        let (mut stream, _) = open("/demoStream").await.unwrap();
        let subscribe = json!({"command": "getKeepAlive", "streamSessionId": session}).to_string();
        stream.send(Message::text(subscribe)).await.unwrap();
        let alive: Value = serde_json::from_str(stream.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(alive["command"], "keepAlive");
        main.send(Message::text("x".repeat(2_000))).await.unwrap();
        let end = main.next().await;
        assert!(end.is_none_or(|message| message.is_err()), "an oversized command ends the connection without a word");
    });
}

#[test]
fn the_core_can_be_looked_at_and_its_faults_changed() {
    let server = serve();
    assert_eq!(server.look(|simulator| simulator.dealer().positions().len()), Some(0));
    server.set_faults(Faults { rejected: 1_000, ..Faults::default() });
    let (main, _) = server.raw.unwrap();
    let mut raw = Raw::open(main);
    raw.send(LOGIN);
    raw.next().unwrap();
    pause();
    let info = json!({"cmd": 0, "type": 0, "symbol": "EURUSD", "volume": 0.1, "price": 1.0, "sl": 0.0, "tp": 0.0, "offset": 0, "order": 0,
                      "expiration": 0, "customComment": "m"});
    raw.send(&json!({"command": "tradeTransaction", "arguments": {"tradeTransInfo": info}}).to_string());
    let order = raw.next().unwrap()["returnData"]["order"].clone();
    pause();
    raw.send(&json!({"command": "tradeTransactionStatus", "arguments": {"order": order}}).to_string());
    assert_eq!(raw.next().unwrap()["returnData"]["requestStatus"], 4);
}

#[test]
fn a_connection_that_breaks_in_a_trade_leaves_the_trade_to_be_looked_up() {
    let server = serve();
    server.set_faults(Faults { lost_reply: 1_000, closed_after_trade: 1_000, ..Faults::default() });
    let (main, _) = server.raw.unwrap();
    let mut raw = Raw::open(main);
    raw.send(LOGIN);
    assert_eq!(raw.next().unwrap()["status"], true);
    pause();
    let info = json!({"cmd": 0, "type": 0, "symbol": "EURUSD", "volume": 0.1, "price": 1.0, "sl": 0.0, "tp": 0.0, "offset": 0, "order": 0,
                      "expiration": 0, "customComment": "broken"});
    raw.send(&json!({"command": "tradeTransaction", "arguments": {"tradeTransInfo": info}}).to_string());
    assert_eq!(raw.next(), None, "neither a reply nor a word");
    let mut again = Raw::open(main);
    again.send(LOGIN);
    assert_eq!(again.next().unwrap()["status"], true);
    pause();
    again.send("{\"command\":\"getTrades\",\"arguments\":{\"openedOnly\":true}}");
    assert_eq!(again.next().unwrap()["returnData"][0]["customComment"], "broken", "it was carried out all the same");
}

#[test]
fn encrypted_sockets_say_the_same_and_answer_no_plain_word() {
    let identity = Identity::fresh().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(identity.certificate().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = listen(Catalogue::shipped().unwrap(), Some(identity));
    let (main, _) = server.raw.unwrap();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let socket = tokio::net::TcpStream::connect(("127.0.0.1", main)).await.unwrap();
        let name = ServerName::try_from("127.0.0.1".to_owned()).unwrap();
        let mut socket = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        socket.write_all(LOGIN.as_bytes()).await.unwrap();
        socket.flush().await.unwrap();
        let (mut read, mut buffer) = (Vec::<u8>::new(), [0_u8; 1_024]);
        while !read.ends_with(b"\n\n") {
            let count = socket.read(&mut buffer).await.unwrap();
            assert!(count > 0, "closed before it had answered");
            read.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(serde_json::from_slice::<Value>(&read).unwrap()["status"], true);
    });
    let mut plain = Raw::open(main);
    plain.send(LOGIN);
    assert_eq!(plain.next(), None);
}

/// The shipped symbols and so many others.
fn crowded(count: usize) -> Catalogue {
    let mut text = include_str!("../../config/simulator.toml").to_owned();
    for number in 0..count {
        text.push_str(&format!(
            "\n[[symbol]]\nsymbol = \"S{number:05}.US\"\ndescription = \"Share number {number}\"\ncategory = \"STC\"\ngroup = \"US\"\nbase = \"USD\"\n\
             profit = \"USD\"\ndigits = 2\npips = 2\ncontract_size = 1\nlot = [\"1\", \"100\", \"1\"]\nstops_level = 0\nmargin_percent = \"20\"\n\
             spread = 2\nswap = [-1, -1]\nprice = \"20\"\n"
        ));
    }
    Catalogue::read(&text).unwrap()
}

#[test]
fn a_list_of_thousands_of_symbols_is_one_message() {
    let server = serve_these(crowded(4_000));
    let (main, _) = server.raw.unwrap();
    let mut raw = Raw::open(main);
    raw.send(LOGIN);
    assert_eq!(raw.next().unwrap()["status"], true);
    pause();
    raw.send("{\"command\":\"getAllSymbols\"}");
    let list = raw.next().unwrap();
    assert_eq!(list["returnData"].as_array().unwrap().len(), 4_000 + Catalogue::shipped().unwrap().iter().count());
    assert!(list.to_string().len() > 3 << 20, "several megabytes");

    // The product's own client reads it too, and is ready to trade after it.
    let contracts = pmax::runtime::contracts_of(&pmax::runtime::instruments().unwrap());
    let settings = ClientSettings::usual("20001".to_owned(), Secret::new("secret"), 1);
    let mut demo = Demo::new(contracts, settings, wall_now);
    let port = server.websocket.unwrap();
    demo.connect(Address { host: "127.0.0.1".to_owned(), port, path: "/demo".to_owned(), tls: None }, "crowd");
    let (until, mut reports) = (Instant::now() + deadline(), Vec::new());
    while !demo.link().unwrap().is_ready {
        demo.poll(&mut reports);
        assert!(Instant::now() < until, "{:?}", demo.link());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(demo.link().unwrap().mismatched, Vec::<String>::new());
}
