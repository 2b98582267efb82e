//! Providers of market data on this machine: HTTP and WebSocket servers that answer as the real ones do, and fail as they are told.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

/// Five bytes of a packed answer that should be longer.
pub const CUT_GZIP: [u8; 14] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56, 0x4a, 0xce];

/// What an HTTP server does with a request.
pub enum Reply {
    /// Status, headers beside the usual ones, body.
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Takes the request and says nothing.
    Stall,
    /// Closes the connection.
    Hang,
}

/// An answer with a body.
pub fn say(status: u16, body: impl Into<String>) -> Reply {
    Reply::Say(status, Vec::new(), body.into().into_bytes())
}

/// A server that ends when it is dropped.
pub struct Server {
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Accepts connections until it is told to stop, each on a thread of its own.
fn serve(each: impl Fn(TcpStream, Arc<AtomicBool>) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (port, stop) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
    let (stopped, each) = (Arc::clone(&stop), Arc::new(each));
    let thread = thread::spawn(move || {
        let mut open = Vec::new();
        while !stopped.load(Ordering::Acquire) {
            match listener.accept() {
                Ok((socket, _)) => {
                    let (stopped, each) = (Arc::clone(&stopped), Arc::clone(&each));
                    open.push(thread::spawn(move || each(socket, stopped)));
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
        open.into_iter().for_each(|thread| drop(thread.join()));
    });
    Server { port, stop, thread: Some(thread) }
}

/// An HTTP server.
pub fn http(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    serve(move |socket, stopped| {
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut socket = socket;
        while !stopped.load(Ordering::Acquire) {
            let Some(path) = request(&mut reader, &stopped) else { return };
            match answer(&path) {
                Reply::Hang => return,
                Reply::Stall => {
                    while !stopped.load(Ordering::Acquire) {
                        thread::sleep(Duration::from_millis(20));
                    }
                }
                Reply::Say(status, headers, body) => {
                    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                    for (name, value) in headers {
                        head.push_str(&format!("{name}: {value}\r\n"));
                    }
                    head.push_str("\r\n");
                    let written = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
                    if written.is_err() {
                        return;
                    }
                }
            }
        }
    })
}

/// The path of the next request; nothing where the connection ended.
fn request(reader: &mut BufReader<TcpStream>, stopped: &AtomicBool) -> Option<String> {
    let (mut path, mut line) = (None, String::new());
    while !stopped.load(Ordering::Acquire) {
        match reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) if line == "\r\n" => return path,
            Ok(_) => {
                path = path.or_else(|| line.split_whitespace().nth(1).map(str::to_owned));
                line.clear();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
    }
    None
}

/// What a stream does at the moment; changed from outside while it runs.
#[derive(Default)]
pub struct Mood {
    /// Prices and signs of life stop; the connection stays.
    pub is_silent: bool,
    /// Connections are closed, and new ones are refused.
    pub is_down: bool,
    /// Said once to every open connection.
    pub says: Vec<String>,
    /// What was asked of it, over all connections.
    pub heard: Vec<String>,
    /// Connections that were taken.
    pub connections: u32,
    /// Address and origin of each.
    pub opened: Vec<String>,
}

/// A WebSocket server: `greets` at once, `answers` each text, and says `tick` ten times a second once something was asked.
pub fn stream(
    mood: &Arc<Mutex<Mood>>,
    greets: Option<&'static str>,
    answers: impl Fn(&str) -> Vec<String> + Send + Sync + 'static,
    tick: impl Fn() -> String + Send + Sync + 'static,
) -> Server {
    let mood = Arc::clone(mood);
    serve(move |socket, stopped| {
        if mood.lock().unwrap().is_down {
            return;
        }
        socket.set_nonblocking(false).unwrap();
        let Some(mut socket) = opened(socket, &mood) else { return };
        socket.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        mood.lock().unwrap().connections += 1;
        if let Some(text) = greets {
            write(&mut socket, text);
        }
        let (mut is_asked, mut due) = (false, Instant::now());
        while !stopped.load(Ordering::Acquire) {
            let (is_silent, says) = {
                let mut mood = mood.lock().unwrap();
                if mood.is_down {
                    return;
                }
                (mood.is_silent, std::mem::take(&mut mood.says))
            };
            says.iter().for_each(|text| write(&mut socket, text));
            match (is_silent, read(&mut socket)) {
                (_, Heard::End) => return,
                (false, Heard::Text(text)) => {
                    mood.lock().unwrap().heard.push(text.clone());
                    answers(&text).iter().for_each(|text| write(&mut socket, text));
                    is_asked = true;
                }
                (true, Heard::Text(_)) | (_, Heard::Nothing) => {}
            }
            if is_asked && !is_silent && due <= Instant::now() {
                due = Instant::now() + Duration::from_millis(100);
                write(&mut socket, &tick());
            }
        }
    })
}

fn opened(socket: TcpStream, mood: &Arc<Mutex<Mood>>) -> Option<WebSocket<TcpStream>> {
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    #[expect(clippy::result_large_err, reason = "the library asks for this very type")]
    let note = |request: &Request, response: Response| {
        let origin = request.headers().get("Origin").and_then(|value| value.to_str().ok()).unwrap_or("no origin");
        mood.lock().unwrap().opened.push(format!("{} from {origin}", request.uri()));
        Ok(response)
    };
    accept_hdr(socket, note).ok()
}

enum Heard {
    Text(String),
    Nothing,
    End,
}

fn read<S: Read + Write>(socket: &mut WebSocket<S>) -> Heard {
    use tokio_tungstenite::tungstenite::Error;
    match socket.read() {
        Ok(Message::Text(text)) => Heard::Text(text.as_str().to_owned()),
        Ok(Message::Close(_)) => Heard::End,
        Ok(_) => Heard::Nothing,
        Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Heard::Nothing,
        Err(_) => Heard::End,
    }
}

fn write<S: Read + Write>(socket: &mut WebSocket<S>, text: &str) {
    drop(socket.send(Message::text(text)));
}
