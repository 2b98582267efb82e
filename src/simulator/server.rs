//! The simulator behind sockets: WebSocket and raw TCP around one task that owns the protocol core.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration as StdDuration;

use futures_util::{SinkExt, StreamExt};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::domain::{MarketTime, Price, RiskDay, WallTime};
use crate::simulator::faults::Dice;
use crate::simulator::framing::Objects;
use crate::simulator::identity::{Identity, IdentityError};
use crate::simulator::{Catalogue, ConnectionId, Faults, Port, Sent, Settings, Simulator};

/// Messages from all connections that may wait for the core.
const INBOX: usize = 4_096;
/// Messages that may wait for one connection; a slower reader is cut off, as the protocol's server does.
const OUTBOX: usize = 8_192;
/// Drawn paths move this often.
const DRAWN_EVERY: StdDuration = StdDuration::from_millis(250);
/// An encrypted connection is agreed upon within this time.
const ENCRYPTED_WITHIN: StdDuration = StdDuration::from_secs(5);
/// A client that takes nothing for so long is let go.
const WRITE_WITHIN: StdDuration = StdDuration::from_secs(5);
/// Pause after a connection that could not be taken.
const ACCEPT_AGAIN: StdDuration = StdDuration::from_millis(50);
/// Largest message read from a client: a little above what the protocol allows, so that the core can refuse it.
const LARGEST: usize = 64 * 1_024;

/// Where it listens. Port 0 takes any free one.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    /// How its connections are encrypted, if they are.
    pub tls: Option<Identity>,
    /// WebSocket at `/demo` and `/demoStream`.
    pub websocket: Option<u16>,
    /// Raw sockets: main and stream.
    pub raw: Option<(u16, u16)>,
}

/// Where prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// Every symbol walks at random from its listed price, from this seed.
    Drawn(u64),
    /// Only what is told through the handle.
    Told,
}

/// Why the server does not run.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A port cannot be had.
    #[error("port {port} on this machine cannot be used: {source}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// Its certificate cannot be made or used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The thread cannot be started.
    #[error("the simulator's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What reaches the core.
enum Inbound {
    Connected(Port, SocketAddr, mpsc::Sender<Outbound>, oneshot::Sender<ConnectionId>),
    Text(ConnectionId, String),
    Gone(ConnectionId),
    Price(String, Price, Option<WallTime>),
    Faults(Faults),
    Look(Box<dyn FnOnce(&Simulator) + Send>),
}

/// What reaches a connection.
enum Outbound {
    Text(String),
    Close,
}

/// A running server. It ends when the handle is dropped.
#[derive(Debug)]
pub struct ServerHandle {
    inbox: mpsc::Sender<Inbound>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// The WebSocket port in use.
    pub websocket: Option<u16>,
    /// The raw ports in use.
    pub raw: Option<(u16, u16)>,
}

impl ServerHandle {
    /// Starts a server around a new broker.
    pub fn start(
        settings: Settings,
        catalogue: Catalogue,
        listen: Listen,
        prices: Prices,
        clock: fn() -> WallTime,
    ) -> Result<Self, ServerError> {
        Self::around(Simulator::new(settings, catalogue, clock()), listen, prices, clock)
    }

    /// Starts a server around this broker, on loopback, on a thread of its own. `clock` is its only clock.
    pub fn around(simulator: Simulator, listen: Listen, prices: Prices, clock: fn() -> WallTime) -> Result<Self, ServerError> {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let bind = |port: u16| {
            let bound = executor.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
            bound.map_err(|source| ServerError::Port { port, source })
        };
        let websocket = listen.websocket.map(bind).transpose()?;
        let raw = match listen.raw {
            Some((main, stream)) => Some((bind(main)?, bind(stream)?)),
            None => None,
        };
        let port = |listener: &TcpListener| listener.local_addr().map_or(0, |address| address.port());
        let ports = (websocket.as_ref().map(port), raw.as_ref().map(|(main, stream)| (port(main), port(stream))));
        let (inbox, waiting) = mpsc::channel(INBOX);
        let (stop, stopped) = oneshot::channel();
        let (to_core, tls) = (inbox.clone(), listen.tls.map(|identity| identity.acceptor()).transpose()?);
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            executor.block_on(async move {
                if let Some(listener) = websocket {
                    tokio::spawn(accept(listener, None, tls.clone(), to_core.clone()));
                }
                if let Some((main, stream)) = raw {
                    tokio::spawn(accept(main, Some(Port::Main), tls.clone(), to_core.clone()));
                    tokio::spawn(accept(stream, Some(Port::Stream), tls, to_core.clone()));
                }
                let core = Core::new(simulator, prices, clock);
                tokio::select! {
                    () = core.run(waiting) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { inbox, stop: Some(stop), thread: Some(thread), websocket: ports.0, raw: ports.1 })
    }

    /// Tells the middle price of a symbol. Never waits; `false` where the core is behind and did not take it.
    pub fn price(&self, symbol: &str, price: Price) -> bool {
        self.inbox.try_send(Inbound::Price(symbol.to_owned(), price, None)).is_ok()
    }

    /// The same from a tape, whose time is not the wall's: waiting orders end by the tape's, and swaps are charged when its day turns.
    #[must_use]
    pub fn tape_price(&self, symbol: &str, price: Price, at: WallTime) -> bool {
        self.inbox.try_send(Inbound::Price(symbol.to_owned(), price, Some(at))).is_ok()
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        drop(self.inbox.blocking_send(Inbound::Faults(faults)));
    }

    /// Looks at the core, between two messages.
    pub fn look<T: Send + 'static>(&self, look: impl FnOnce(&Simulator) -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let ask = Inbound::Look(Box::new(move |simulator| drop(sender.send(look(simulator)))));
        self.inbox.blocking_send(ask).ok()?;
        receiver.recv().ok()
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _: Result<(), ()> = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The task that owns the protocol core.
struct Core {
    simulator: Simulator,
    connections: BTreeMap<ConnectionId, mpsc::Sender<Outbound>>,
    clock: fn() -> WallTime,
    dice: Option<Dice>,
    /// The day of the latest price of a tape.
    day: Option<RiskDay>,
    out: Vec<Sent>,
}

impl Core {
    fn new(simulator: Simulator, prices: Prices, clock: fn() -> WallTime) -> Self {
        let dice = match prices {
            Prices::Drawn(seed) => Some(Dice::new(seed)),
            Prices::Told => None,
        };
        Self { simulator, connections: BTreeMap::new(), clock, dice, day: None, out: Vec::new() }
    }

    async fn run(mut self, mut waiting: mpsc::Receiver<Inbound>) {
        let mut draw = tokio::time::interval(DRAWN_EVERY);
        loop {
            let now = (self.clock)();
            let until = self.simulator.wake_at().since(now).0.max(1_000_000);
            tokio::select! {
                inbound = waiting.recv() => match inbound {
                    Some(inbound) => self.take(inbound),
                    None => return,
                },
                _ = draw.tick(), if self.dice.is_some() => self.draw_prices(),
                () = sleep(StdDuration::from_nanos(until.unsigned_abs())) => {}
            }
            self.simulator.tick((self.clock)(), &mut self.out);
            self.deliver();
        }
    }

    fn take(&mut self, inbound: Inbound) {
        let now = (self.clock)();
        match inbound {
            Inbound::Connected(port, address, sender, reply) => {
                let id = self.simulator.connect(now, port, &address.ip().to_string());
                self.connections.insert(id, sender);
                let _: Result<(), ConnectionId> = reply.send(id);
            }
            Inbound::Text(id, text) => self.simulator.receive(now, id, &text, &mut self.out),
            Inbound::Gone(id) => {
                self.connections.remove(&id);
                self.simulator.disconnect(id, &mut self.out);
            }
            Inbound::Price(symbol, price, market) => {
                if let Some(at) = market {
                    self.simulator.set_market_clock(at);
                }
                self.simulator.price(now, &symbol, price, &mut self.out);
                if let Some(at) = market {
                    self.pass_night(now, MarketTime(at.0));
                }
            }
            Inbound::Faults(faults) => self.simulator.settings_mut().faults = faults,
            Inbound::Look(look) => look(&self.simulator),
        }
    }

    /// A tape's clock rules over its prices, so its days say when a night has passed.
    fn pass_night(&mut self, now: WallTime, at: MarketTime) {
        if self.day.is_some_and(|day| at < day.ends_at) {
            return;
        }
        if self.day.replace(RiskDay::of(at)).is_some() {
            self.simulator.night(now, &mut self.out);
        }
    }

    /// One step of a random walk for every symbol: up to three spreads either way.
    fn draw_prices(&mut self) {
        let now = (self.clock)();
        let Some(dice) = &mut self.dice else { return };
        let mut moves = Vec::new();
        for listing in self.simulator.catalogue().iter() {
            let Some(quote) = self.simulator.dealer().last_quote(&listing.symbol) else { continue };
            let reach = listing.spread.max(1) * 3;
            let step = i64::try_from(dice.below(reach.unsigned_abs() * 2 + 1)).unwrap_or(0) - reach;
            let middle = i64::midpoint(quote.bid.nanos(), quote.ask.nanos());
            moves.push((listing.symbol.clone(), Price::from_nanos(middle + listing.points(step).nanos())));
        }
        for (symbol, price) in moves {
            self.simulator.price(now, &symbol, price, &mut self.out);
        }
    }

    fn deliver(&mut self) {
        // What cuts a connection off may end its stream too, which is delivered in the next round.
        while !self.out.is_empty() {
            for sent in std::mem::take(&mut self.out) {
                match sent {
                    Sent::Text(id, text) => {
                        let is_taken =
                            self.connections.get(&id).is_none_or(|sender| sender.try_send(Outbound::Text(text)).is_ok());
                        if !is_taken {
                            self.connections.remove(&id);
                            self.simulator.disconnect(id, &mut self.out);
                        }
                    }
                    Sent::Close(id) => {
                        if let Some(sender) = self.connections.remove(&id) {
                            drop(sender.try_send(Outbound::Close));
                        }
                    }
                }
            }
        }
    }
}

/// Takes connections. Without a port in the wiring the path of the WebSocket says which one it is.
async fn accept(listener: TcpListener, raw: Option<Port>, tls: Option<TlsAcceptor>, core: mpsc::Sender<Inbound>) {
    loop {
        let Ok((socket, address)) = listener.accept().await else {
            // A connection that was gone before it was taken, or no file left for it: neither ends the server.
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        drop(socket.set_nodelay(true));
        let (core, tls) = (core.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(socket, address, raw, core).await,
                Some(tls) => {
                    // A client that does not know how to encrypt is let go without a word.
                    if let Ok(Ok(socket)) = timeout(ENCRYPTED_WITHIN, tls.accept(socket)).await {
                        serve(socket, address, raw, core).await;
                    }
                }
            }
        });
    }
}

async fn serve<S: Peer>(socket: S, address: SocketAddr, raw: Option<Port>, core: mpsc::Sender<Inbound>) {
    match raw {
        Some(port) => serve_raw(socket, address, port, core).await,
        None => serve_websocket(socket, address, core).await,
    }
}

/// A connection, encrypted or not.
trait Peer: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Peer for S {}

async fn register(
    core: &mpsc::Sender<Inbound>,
    port: Port,
    address: SocketAddr,
) -> Option<(ConnectionId, mpsc::Receiver<Outbound>)> {
    let (sender, receiver) = mpsc::channel(OUTBOX);
    let (reply, number) = oneshot::channel();
    core.send(Inbound::Connected(port, address, sender, reply)).await.ok()?;
    Some((number.await.ok()?, receiver))
}

async fn serve_websocket<S: Peer>(socket: S, address: SocketAddr, core: mpsc::Sender<Inbound>) {
    let mut port = None;
    #[expect(clippy::result_large_err, reason = "the library's own callback type")]
    let choose = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        port = match request.uri().path() {
            "/demo" => Some(Port::Main),
            "/demoStream" => Some(Port::Stream),
            _ => {
                let mut refused = ErrorResponse::new(Some("use /demo or /demoStream".to_owned()));
                *refused.status_mut() = StatusCode::NOT_FOUND;
                return Err(refused);
            }
        };
        Ok(response)
    };
    let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let Ok(socket) = accept_hdr_async_with_config(socket, choose, Some(limits)).await else { return };
    let Some(port) = port else { return };
    let Some((id, outbox)) = register(&core, port, address).await else { return };
    pump_websocket(socket, id, outbox, &core).await;
    drop(core.send(Inbound::Gone(id)).await);
}

async fn pump_websocket<S: Peer>(
    mut socket: WebSocketStream<S>,
    id: ConnectionId,
    mut outbox: mpsc::Receiver<Outbound>,
    core: &mpsc::Sender<Inbound>,
) {
    loop {
        tokio::select! {
            outbound = outbox.recv() => match outbound {
                Some(Outbound::Text(text)) => {
                    let Ok(Ok(())) = timeout(WRITE_WITHIN, socket.send(Message::text(text))).await else { return };
                }
                Some(Outbound::Close) | None => {
                    drop(timeout(WRITE_WITHIN, socket.flush()).await);
                    return;
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if core.send(Inbound::Text(id, text.as_str().trim_end().to_owned())).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Binary(bytes))) => {
                    drop(core.send(Inbound::Text(id, String::from_utf8_lossy(&bytes).into_owned())).await);
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            },
        }
    }
}

async fn serve_raw<S: Peer>(mut socket: S, address: SocketAddr, port: Port, core: mpsc::Sender<Inbound>) {
    let Some((id, mut outbox)) = register(&core, port, address).await else { return };
    let (mut objects, mut buffer) = (Objects::default(), vec![0_u8; 4_096]);
    loop {
        tokio::select! {
            outbound = outbox.recv() => match outbound {
                Some(Outbound::Text(text)) => {
                    let written = format!("{text}\n\n");
                    let Ok(Ok(())) = timeout(WRITE_WITHIN, socket.write_all(written.as_bytes())).await else { break };
                }
                Some(Outbound::Close) | None => {
                    drop(timeout(WRITE_WITHIN, socket.shutdown()).await);
                    break;
                }
            },
            read = socket.read(&mut buffer) => {
                let Ok(count @ 1..) = read else { break };
                for text in objects.push(buffer.get(..count).unwrap_or_default()) {
                    if core.send(Inbound::Text(id, text)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
    drop(core.send(Inbound::Gone(id)).await);
}
