//! The client's sockets: one task that feeds the state machine and does what it says.

use std::sync::mpsc as std_mpsc;
use std::time::Duration as StdDuration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::broker::Wake;
use crate::broker::xapi::tls::{MaybeTls, Tls};
use crate::broker::xapi::{Ask, Client, ClientEvent, Input, Output, Vitals};
use crate::domain::{Duration, WallTime};

/// Wishes that may wait for the task.
const ASKS: usize = 1_024;
/// Events that may wait for the engine; ticks beyond that are dropped, everything else waits.
const EVENTS: usize = 8_192;
/// Messages of both sockets that may wait.
const MESSAGES: usize = 8_192;
/// Texts that may wait for a socket; a socket that takes none is dead.
const TEXTS: usize = 256;
/// A connection takes no longer than this. It is short: where the network was away the next attempt finds it back at once, while one that
/// hangs is repeated by the system after ever longer pauses.
const CONNECT_WITHIN: StdDuration = StdDuration::from_secs(2);
/// What follows takes no longer than this: encryption, and the opening of the WebSocket.
const OPEN_WITHIN: StdDuration = StdDuration::from_secs(4);
/// A text that is not written by then is not written: the connection is given up, and what the kernel still holds of it with it.
const WRITE_WITHIN: StdDuration = StdDuration::from_secs(5);
/// The state of both connections is told this often, and at once where it changes.
const VITALS_EVERY: Duration = Duration::seconds(1);
/// Largest message of the main connection: a list of all symbols is several megabytes.
const LARGEST_MAIN: usize = 32 << 20;
/// Largest message of the stream.
const LARGEST_STREAM: usize = 4 << 20;

/// How a refused connection is told.
pub const NOBODY_LISTENS: &str = "nothing listens on port";

/// Where the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or number.
    pub host: String,
    /// Port of the WebSocket.
    pub port: u16,
    /// Path of the main connection; the stream's has `Stream` behind it.
    pub path: String,
    /// How the connections are encrypted; nothing for a host on this machine.
    pub tls: Option<Tls>,
}

impl Address {
    /// The URL of the main connection.
    pub fn main(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        // A number of the sixth version stands in brackets.
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}{}", self.port, self.path)
    }

    /// The URL of the stream.
    pub fn stream(&self) -> String {
        format!("{}Stream", self.main())
    }
}

/// A running link. It ends when this is dropped.
#[derive(Debug)]
pub struct Link {
    asks: mpsc::Sender<Ask>,
    events: Option<std_mpsc::Receiver<ClientEvent>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Main,
    Stream,
}

enum FromSocket {
    Opened,
    Text(String),
    Closed(String),
}

/// A message with the attempt it belongs to: what an abandoned connection still says is not heard.
type Arrived = (u64, Which, FromSocket);

struct Driver {
    client: Client,
    address: Address,
    clock: fn() -> WallTime,
    events: std_mpsc::SyncSender<ClientEvent>,
    arrivals: mpsc::Sender<Arrived>,
    attempt: u64,
    main: Option<mpsc::Sender<String>>,
    stream: Option<mpsc::Sender<String>>,
    /// Tasks of the connections, ended at once when both are closed: nothing that waits in them may be written any more.
    tasks: Vec<tokio::task::JoinHandle<()>>,
    out: Vec<Output>,
    /// Called after every event, so that the engine need not look.
    wake: Wake,
    told: (WallTime, Vitals),
}

impl Link {
    /// Starts the link on a thread of its own. `clock` is its only clock; `wake` is called when an event has arrived.
    pub fn start(client: Client, address: Address, clock: fn() -> WallTime, wake: Wake) -> std::io::Result<Self> {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (asks, asked) = mpsc::channel(ASKS);
        let (sender, events) = std_mpsc::sync_channel(EVENTS);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("xapi".to_owned()).spawn(move || {
            let (arrivals, arrived) = mpsc::channel(MESSAGES);
            let driver = Driver {
                client,
                address,
                clock,
                events: sender,
                arrivals,
                attempt: 0,
                main: None,
                stream: None,
                tasks: Vec::new(),
                out: Vec::new(),
                wake,
                told: (WallTime(0), Vitals::default()),
            };
            executor.block_on(driver.run(asked, arrived, stopped));
        })?;
        Ok(Self { asks, events: Some(events), stop: Some(stop), thread: Some(thread) })
    }

    /// Hands a wish over without waiting; `false` where the link does not take it.
    #[must_use]
    pub fn ask(&self, ask: Ask) -> bool {
        self.asks.try_send(ask).is_ok()
    }

    /// Whether its thread has ended by itself; then nothing arrives any more and nothing leaves.
    pub fn is_dead(&self) -> bool {
        self.thread.as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// The next event that has arrived.
    pub fn next(&self) -> Option<ClientEvent> {
        self.events.as_ref()?.try_recv().ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Nobody listens any more: an event that waits for room is given up.
        self.events = None;
        if let Some(stop) = self.stop.take() {
            let _: Result<(), ()> = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Driver {
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        mut arrived: mpsc::Receiver<Arrived>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        self.step(Input::Start).await;
        loop {
            let now = (self.clock)();
            let pause = self
                .client
                .wake_at()
                .map_or(StdDuration::from_secs(1), |at| StdDuration::from_nanos(at.since(now).0.max(0).unsigned_abs()));
            tokio::select! {
                biased;
                _ = &mut stopped => {
                    self.step(Input::Stop).await;
                    return;
                }
                ask = asked.recv() => match ask {
                    Some(ask) => self.step(Input::Ask(ask)).await,
                    None => return,
                },
                arrived = arrived.recv() => {
                    if let Some((attempt, which, message)) = arrived && attempt == self.attempt {
                        self.hear(which, message).await;
                    }
                }
                () = sleep(pause) => self.step(Input::Timer).await,
            }
        }
    }

    async fn hear(&mut self, which: Which, message: FromSocket) {
        match (which, message) {
            (Which::Main, FromSocket::Opened) => self.step(Input::MainOpened).await,
            (Which::Stream, FromSocket::Opened) => self.step(Input::StreamOpened).await,
            (Which::Main, FromSocket::Text(text)) => self.step(Input::Main(&text)).await,
            (Which::Stream, FromSocket::Text(text)) => self.step(Input::Stream(&text)).await,
            (Which::Main, FromSocket::Closed(why)) => self.step(Input::MainClosed(&why)).await,
            (Which::Stream, FromSocket::Closed(why)) => self.step(Input::StreamClosed(&why)).await,
        }
    }

    /// One step of the state machine, and what it asks for.
    async fn step(&mut self, input: Input<'_>) {
        self.client.handle((self.clock)(), input, &mut self.out);
        while !self.out.is_empty() {
            let mut broken = None;
            for output in std::mem::take(&mut self.out) {
                match output {
                    Output::OpenMain => self.main = Some(self.open(Which::Main)),
                    Output::OpenStream => self.stream = Some(self.open(Which::Stream)),
                    Output::CloseBoth => {
                        self.attempt += 1;
                        (self.main, self.stream) = (None, None);
                        self.tasks.drain(..).for_each(|task| task.abort());
                    }
                    Output::Login(login) => broken = broken.or(write(self.main.as_ref(), login.into_text(), Which::Main)),
                    Output::Main(text) => broken = broken.or(write(self.main.as_ref(), text, Which::Main)),
                    Output::Stream(text) => broken = broken.or(write(self.stream.as_ref(), text, Which::Stream)),
                    Output::Event(event) => self.emit(event).await,
                }
            }
            let why = "the connection takes no more";
            match broken {
                Some(Which::Main) => self.client.handle((self.clock)(), Input::MainClosed(why), &mut self.out),
                Some(Which::Stream) => self.client.handle((self.clock)(), Input::StreamClosed(why), &mut self.out),
                None => {}
            }
        }
        let (now, (at, before)) = ((self.clock)(), self.told);
        let vitals = self.client.vitals(now);
        let has_moved = (vitals.main, vitals.stream) != (before.main, before.stream);
        if has_moved || now.since(at).0 >= VITALS_EVERY.0 {
            self.told = (now, vitals);
            self.emit(ClientEvent::Vitals(vitals)).await;
        }
    }

    /// Hands an event to the engine's side. Only ticks may be lost.
    async fn emit(&self, event: ClientEvent) {
        let mut event = event;
        loop {
            match self.events.try_send(event) {
                Ok(()) => return self.wake.call(),
                Err(std_mpsc::TrySendError::Disconnected(_)) => return,
                Err(std_mpsc::TrySendError::Full(ClientEvent::Tick(_) | ClientEvent::Vitals(_))) => return,
                Err(std_mpsc::TrySendError::Full(back)) => event = back,
            }
            sleep(StdDuration::from_millis(1)).await;
        }
    }

    fn open(&mut self, which: Which) -> mpsc::Sender<String> {
        let (sender, texts) = mpsc::channel(TEXTS);
        let task = connection(which, self.attempt, self.address.clone(), texts, self.arrivals.clone());
        self.tasks.push(tokio::spawn(task));
        sender
    }
}

/// Hands a text to a socket; gives back which one is broken if it takes none.
fn write(socket: Option<&mpsc::Sender<String>>, text: String, which: Which) -> Option<Which> {
    let is_taken = socket.is_some_and(|socket| socket.try_send(text).is_ok());
    (!is_taken).then_some(which)
}

async fn connection(
    which: Which,
    attempt: u64,
    address: Address,
    texts: mpsc::Receiver<String>,
    arrivals: mpsc::Sender<Arrived>,
) {
    let why = match serve(which, attempt, &address, texts, &arrivals).await {
        Ok(()) => "closed by the broker".to_owned(),
        Err(why) => why,
    };
    drop(arrivals.send((attempt, which, FromSocket::Closed(why))).await);
}

/// Makes a socket that holds nothing back: what is not delivered when it is closed, or after some seconds, is thrown away.
/// An order must not arrive after its absence was proven.
fn bounded(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let options = socket2::SockRef::from(socket);
    options.set_linger(Some(StdDuration::ZERO))?;
    #[cfg(target_os = "linux")]
    options.set_tcp_user_timeout(Some(WRITE_WITHIN))?;
    Ok(())
}

/// Why there is no connection, and what to look at.
fn unreachable(error: &std::io::Error, address: &Address) -> String {
    use std::io::ErrorKind;
    let Address { host, port, .. } = address;
    match error.kind() {
        ErrorKind::ConnectionRefused => format!("{NOBODY_LISTENS} {port} there (xapi.port)"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => format!("no way leads to {host}: is there a network?"),
        _ if error.to_string().contains("lookup") => format!("the name {host} is not known: is there a network? (xapi.host)"),
        _ => error.to_string(),
    }
}

async fn serve(
    which: Which,
    attempt: u64,
    address: &Address,
    mut texts: mpsc::Receiver<String>,
    arrivals: &mpsc::Sender<Arrived>,
) -> Result<(), String> {
    let (url, largest) = match which {
        Which::Main => (address.main(), LARGEST_MAIN),
        Which::Stream => (address.stream(), LARGEST_STREAM),
    };
    let limits = WebSocketConfig::default().max_message_size(Some(largest)).max_frame_size(Some(largest));
    let connect = TcpStream::connect((address.host.as_str(), address.port));
    let connected = timeout(CONNECT_WITHIN, connect).await.map_err(|_| "no connection within 2 s".to_owned())?;
    let socket = connected.map_err(|error| unreachable(&error, address))?;
    bounded(&socket).map_err(|error| error.to_string())?;
    let open = async {
        let socket = match &address.tls {
            Some(tls) => MaybeTls::Tls(Box::new(tls.connect(&address.host, socket).await?)),
            None => MaybeTls::Plain(socket),
        };
        let opened = client_async_with_config(url, socket, Some(limits)).await;
        opened.map_err(|error| match (&address.tls, error) {
            (None, tungstenite::Error::Protocol(_) | tungstenite::Error::HttpFormat(_) | tungstenite::Error::Io(_)) => {
                "no WebSocket answers there; a port that wants encryption needs xapi.tls = true".to_owned()
            }
            (_, tungstenite::Error::Http(response)) => format!("no WebSocket at this path ({})", response.status()),
            (_, error) => error.to_string(),
        })
    };
    let (mut socket, _) = timeout(OPEN_WITHIN, open).await.map_err(|_| "connected, and no answer within 4 s".to_owned())??;
    drop(arrivals.send((attempt, which, FromSocket::Opened)).await);
    loop {
        tokio::select! {
            biased;
            text = texts.recv() => match text {
                Some(text) => {
                    let sent = timeout(WRITE_WITHIN, socket.send(Message::text(text))).await;
                    sent.map_err(|_| "nothing could be written for 5 s".to_owned())?.map_err(|error| error.to_string())?;
                }
                None => return Ok(()),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => drop(arrivals.send((attempt, which, FromSocket::Text(text.as_str().to_owned()))).await),
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
            },
        }
    }
}
