//! Sockets of the providers: requests over HTTP and streams over WebSocket, each with limits and deadlines. They decide nothing.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use futures_util::{SinkExt, StreamExt};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, client_async_tls_with_config};

use crate::domain::Duration;
use crate::market::providers::desk::{Answer, FetchId, Request};
use crate::market::providers::{Failure, Keys, ProviderId, ProviderTable, Refusal};

/// A connection takes no longer than this.
const CONNECT_WITHIN: StdDuration = StdDuration::from_secs(3);
/// A request takes no longer than this, all in all.
const ANSWER_WITHIN: StdDuration = StdDuration::from_secs(8);
/// Encryption and the opening of a stream take no longer than this.
const OPEN_WITHIN: StdDuration = StdDuration::from_secs(6);
/// A text that is not written by then is not written: the connection is given up.
const WRITE_WITHIN: StdDuration = StdDuration::from_secs(5);
/// Largest answer, unpacked.
const LARGEST_ANSWER: usize = 4 << 20;
/// Largest message of a stream.
const LARGEST_MESSAGE: usize = 1 << 20;

/// What sockets say. Streams carry the number of their connection.
#[derive(Debug)]
pub(super) enum Arrived {
    Opened(ProviderId, u64),
    Text(ProviderId, u64, String),
    Alive(ProviderId, u64),
    Closed(ProviderId, u64, Refusal),
    Answered(FetchId, Result<Answer, Refusal>),
}

/// What is written to a stream.
#[derive(Debug)]
pub(super) enum ToSocket {
    Text(String),
    Ping,
}

/// The way to all providers.
pub(super) struct Sockets {
    client: reqwest::Client,
    trust: Arc<ClientConfig>,
    http: BTreeMap<ProviderId, String>,
    streams: BTreeMap<ProviderId, String>,
    keys: Keys,
    user_agent: String,
    arrivals: mpsc::Sender<Arrived>,
}

impl Sockets {
    /// Sockets to the addresses of a table.
    pub(super) fn new(table: &ProviderTable, arrivals: mpsc::Sender<Arrived>) -> Result<Self, String> {
        let trust = trust().map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en-US,en;q=0.9"));
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.clone())
            .user_agent(&table.user_agent)
            .default_headers(headers)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // A provider that sends elsewhere wants a person: a page of consent, or of refusal.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        let http = table.provider.iter().map(|(id, provider)| (*id, provider.http.clone())).collect();
        let streams = table.provider.iter().map(|(id, provider)| (*id, provider.stream.clone())).collect();
        let (keys, user_agent) = (table.keys.clone(), table.user_agent.clone());
        Ok(Self { client, trust: Arc::new(trust), http, streams, keys, user_agent, arrivals })
    }

    /// Sends a request; its answer arrives in any case. A key is added here and taken out of the answer here.
    pub(super) fn fetch(&self, request: Request) {
        self.fetch_within(request, ANSWER_WITHIN);
    }

    /// The same with a deadline of its own.
    pub(super) fn fetch_within(&self, request: Request, deadline: StdDuration) {
        let path = request.provider.key().map(|key| self.keys.signed(key, &request.path)).unwrap_or(request.path);
        let url = format!("{}{path}", self.http.get(&request.provider).map_or("", String::as_str));
        let (client, arrivals, keys) = (self.client.clone(), self.arrivals.clone(), self.keys.clone());
        tokio::spawn(async move {
            let told = answer(&client, &url, deadline).await;
            let answer = told.map(|answer| Answer { body: keys.redacted(answer.body), ..answer });
            drop(arrivals.send(Arrived::Answered(request.id, answer)).await);
        });
    }

    /// Opens a stream. It ends with its task, or when nothing more can be written to it.
    pub(super) fn stream(&self, id: ProviderId, attempt: u64, texts: mpsc::Receiver<ToSocket>) -> JoinHandle<()> {
        let url = self.streams.get(&id).cloned().unwrap_or_default();
        let (trust, agent, arrivals) = (Arc::clone(&self.trust), self.user_agent.clone(), self.arrivals.clone());
        tokio::spawn(async move {
            let why = match serve(id, attempt, &url, &agent, trust, texts, &arrivals).await {
                Ok(()) => Refusal::new(Failure::Transport, "closed by the provider"),
                Err(refusal) => refusal,
            };
            drop(arrivals.send(Arrived::Closed(id, attempt, why)).await);
        })
    }
}

/// Trusts the usual authorities, and nothing else.
fn trust() -> Result<ClientConfig, tokio_rustls::rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn answer(client: &reqwest::Client, url: &str, deadline: StdDuration) -> Result<Answer, Refusal> {
    let mut response = client.get(url).timeout(deadline).send().await.map_err(|error| refused(&error))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(Refusal::new(Failure::Blocked, "it sends to another page"));
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| {
        let date = response.headers().get(reqwest::header::DATE).and_then(|value| value.to_str().ok());
        after(text, date)
    });
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| refused(&error))? {
        if body.len() + part.len() > LARGEST_ANSWER {
            return Err(Refusal::new(Failure::Malformed, "more than 4 MiB"));
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status: status.as_u16(), retry_after, body })
}

/// The two ways of `Retry-After`: seconds, or a date, which is held against the answer's own.
fn after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Duration::seconds(seconds.into()));
    }
    let [until, now] = [text, date?].map(|text| jiff::fmt::rfc2822::parse(text).ok());
    let seconds = until?.timestamp().as_second() - now?.timestamp().as_second();
    Some(Duration::seconds(seconds.clamp(0, 86_400)))
}

/// What kind of failure an error of the client is.
fn refused(error: &reqwest::Error) -> Refusal {
    let mut words = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    let failure = if error.is_timeout() {
        Failure::Timeout
    } else if error.is_decode() || error.is_body() {
        Failure::Malformed
    } else {
        kind_of(&words)
    };
    Refusal::new(failure, &words)
}

/// The system and its libraries say most of it in words only.
fn kind_of(words: &str) -> Failure {
    let words = words.to_lowercase();
    if words.contains("lookup") || words.contains("dns") || words.contains("resolve") {
        Failure::Dns
    } else if words.contains("certificate")
        || words.contains("tls")
        || words.contains("handshake")
        || words.contains("contenttype")
    {
        Failure::Tls
    } else {
        Failure::Transport
    }
}

async fn serve(
    id: ProviderId,
    attempt: u64,
    url: &str,
    agent: &str,
    trust: Arc<ClientConfig>,
    mut texts: mpsc::Receiver<ToSocket>,
    arrivals: &mpsc::Sender<Arrived>,
) -> Result<(), Refusal> {
    let transport = |what: &str| Refusal::new(kind_of(what), what);
    let mut request = url.into_client_request().map_err(|error| transport(&error.to_string()))?;
    if let Ok(agent) = agent.parse() {
        request.headers_mut().insert("User-Agent", agent);
    }
    if let Some(origin) = id.client().stream.as_ref().and_then(|client| client.origin) {
        request.headers_mut().insert("Origin", HeaderValue::from_static(origin));
    }
    let uri = request.uri();
    let (host, port) =
        (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(if url.starts_with("wss") { 443 } else { 80 }));
    let connected = timeout(CONNECT_WITHIN, TcpStream::connect((host.as_str(), port))).await;
    let socket = connected.map_err(|_| Refusal::of(Failure::Timeout))?.map_err(|error| transport(&error.to_string()))?;
    let limits = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).max_frame_size(Some(LARGEST_MESSAGE));
    let opening = client_async_tls_with_config(request, socket, Some(limits), Some(Connector::Rustls(trust)));
    let opened = timeout(OPEN_WITHIN, opening).await.map_err(|_| Refusal::of(Failure::Timeout))?;
    let (mut socket, _) = opened.map_err(|error| match error {
        tungstenite::Error::Http(response) => of_status(response.status().as_u16()),
        error => transport(&error.to_string()),
    })?;
    drop(arrivals.send(Arrived::Opened(id, attempt)).await);
    loop {
        tokio::select! {
            biased;
            text = texts.recv() => {
                let message = match text {
                    Some(ToSocket::Text(text)) => Message::text(text),
                    Some(ToSocket::Ping) => Message::Ping(bytes::Bytes::new()),
                    None => return Ok(()),
                };
                let sent = timeout(WRITE_WITHIN, socket.send(message)).await.map_err(|_| Refusal::of(Failure::Timeout))?;
                sent.map_err(|error| transport(&error.to_string()))?;
            }
            message = socket.next() => {
                let arrived = match message {
                    Some(Ok(Message::Text(text))) => Arrived::Text(id, attempt, text.as_str().to_owned()),
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Ok(_)) => Arrived::Alive(id, attempt),
                    Some(Err(error)) => return Err(transport(&error.to_string())),
                };
                drop(arrivals.send(arrived).await);
            }
        }
    }
}

/// A stream that was refused at its opening.
fn of_status(status: u16) -> Refusal {
    let failure = match status {
        429 => Failure::Throttled { retry_after: None },
        401 | 403 | 451 => Failure::Blocked,
        500..=599 => Failure::Upstream,
        _ => Failure::BadRequest,
    };
    Refusal::new(failure, &format!("HTTP {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_retry_after_are_understood() {
        let date = Some("Fri, 27 Nov 2026 12:00:00 GMT");
        assert_eq!(after("17", None), Some(Duration::seconds(17)));
        assert_eq!(after("Fri, 27 Nov 2026 12:01:30 GMT", date), Some(Duration::seconds(90)));
        assert_eq!(after("Fri, 27 Nov 2026 11:00:00 GMT", date), Some(Duration::seconds(0)));
        assert_eq!([after("soon", date), after("Fri, 27 Nov 2026 12:01:30 GMT", None), after("-5", date)], [None; 3]);
    }

    #[test]
    fn words_of_the_system_are_sorted_into_kinds() {
        for (words, kind) in [
            ("failed to lookup address information: Name or service not known", Failure::Dns),
            ("invalid peer certificate: UnknownIssuer", Failure::Tls),
            ("received corrupt message of type InvalidContentType", Failure::Tls),
            ("Connection refused (os error 111)", Failure::Transport),
        ] {
            assert_eq!(kind_of(words), kind, "{words}");
        }
    }
}
