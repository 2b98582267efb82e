//! A server of a person's own choice that speaks as OpenAI's does: vLLM, llama.cpp, Ollama. The same questions, schemas, deadlines and
//! abstentions as for a worker; only where the answer is computed differs.
//!
//! What a server says is believed no more than a file: answers are cut at a size, held against the schema's properties, and cleaned where they
//! become words for a person. The key travels in one header and is nowhere else. Chances of labels are told where the server tells those of
//! tokens; otherwise there are none, which is said, and not made up.

mod labels;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use crate::domain::Secret;
use crate::llm::answer::{Abstention, Answer};
use crate::llm::ask::{Ask, AskId};
use crate::llm::desk::{Arrivals, Link};
use crate::llm::http;
use crate::llm::protocol::{self, FromWorker, Loaded, ToWorker};

use reading::{Chat, Models, said};

/// Silence of this length ends an answer, whatever its deadline.
const SILENCE: Duration = Duration::from_secs(60);
/// The first question, which models there are, takes no longer than this.
const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// The largest body of an answer.
const LARGEST_BODY: usize = 1 << 20;
/// Questions that are asked side by side.
const TOGETHER: usize = 8;
/// Messages that may wait to be sent.
const MOST_UNSENT: usize = 256;
/// Other tokens whose chances are told with each one; more is refused by some servers.
const TOP_TOKENS: u32 = 20;

/// Which server, and which of its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTerms {
    /// Its address up to `/v1`: encrypted, or on this machine.
    pub url: String,
    /// The model, as the server calls it; `None` for the first it names.
    pub model: Option<String>,
    /// The key, where it wants one.
    pub key: Option<Secret>,
}

/// The way to a server.
pub(super) struct RemoteLink {
    unsent: mpsc::Sender<ToWorker>,
}

/// A server, as it is asked.
struct Server {
    client: Client,
    base: Url,
    key: Option<Secret>,
    model: String,
    turn: Semaphore,
    state: Mutex<State>,
}

/// What was learnt of a server.
#[derive(Debug, Default)]
struct State {
    /// It does not know chances of tokens.
    is_without_chances: bool,
    /// What it says of nothing: by static part, schema and content-free question.
    priors: BTreeMap<[u8; 32], Vec<f64>>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    max_tokens: u32,
    temperature: f64,
    stream: bool,
    response_format: Format<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    json_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'static str,
    strict: bool,
    /// As it is written: the order of its properties is that of the answer.
    schema: &'a RawValue,
}

impl RemoteLink {
    /// Goes to a server. What it says arrives as a worker's words would.
    pub(super) fn start(terms: &RemoteTerms, arrivals: Arrivals) -> std::io::Result<Self> {
        let (unsent, to_send) = mpsc::channel(MOST_UNSENT);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let terms = terms.clone();
        thread::Builder::new().name("model-remote".to_owned()).spawn(move || {
            // Whatever is still asked when this ends is given up with it.
            if let Some(why) = runtime.block_on(serve(terms, to_send, &arrivals)) {
                arrivals.ended(&why);
            }
        })?;
        Ok(Self { unsent })
    }
}

impl Link for RemoteLink {
    fn send(&mut self, message: ToWorker) -> bool {
        !matches!(self.unsent.try_send(message), Err(mpsc::error::TrySendError::Full(_)))
    }

    fn end(&mut self) {
        // The thread ends when nobody can send to it any more; what it still says is not heard.
        self.unsent = mpsc::channel(1).0;
    }
}

/// Serves until nobody asks any more. Gives why, where it ended by itself.
async fn serve(terms: RemoteTerms, mut to_send: mpsc::Receiver<ToWorker>, arrivals: &Arrivals) -> Option<String> {
    let greeted = tokio::select! {
        biased;
        () = closed(&mut to_send) => return None,
        greeted = greet(terms) => greeted,
    };
    let server = match greeted {
        Ok((server, loaded)) => {
            arrivals.came(FromWorker::Hello { version: protocol::VERSION });
            arrivals.came(FromWorker::Ready(Box::new(loaded)));
            Arc::new(server)
        }
        Err(Unmet::Unfit(why)) => {
            arrivals.came(FromWorker::Unfit(why));
            return None;
        }
        Err(Unmet::Away(why)) => return Some(why),
    };
    let mut asked: JoinSet<(AskId, Result<Answer, Abstention>)> = JoinSet::new();
    let mut handles: BTreeMap<AskId, AbortHandle> = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            message = to_send.recv() => match message {
                Some(ToWorker::Ask(ask)) => {
                    let (id, server) = (ask.id, Arc::clone(&server));
                    handles.insert(id, asked.spawn(async move { (ask.id, server.answer(&ask).await) }));
                }
                Some(ToWorker::Cancel(id)) => {
                    if let Some(handle) = handles.remove(&id) {
                        handle.abort();
                        arrivals.came(FromWorker::Done(id, Err(Abstention::Superseded)));
                    }
                }
                Some(ToWorker::Bench(_)) => {
                    let why = Abstention::Remote("its raw speed cannot be measured from here".to_owned());
                    arrivals.came(FromWorker::Benched(Err(why)));
                }
                Some(ToWorker::Load(_)) => {}
                Some(ToWorker::Stop) | None => return None,
            },
            // One that was given up has been told of already.
            Some(done) = asked.join_next() => if let Ok((id, result)) = done && handles.remove(&id).is_some() {
                arrivals.came(FromWorker::Done(id, result));
            },
        }
    }
}

/// Until nobody can send any more. What is sent meanwhile is none of a greeting's business: a desk asks after it.
async fn closed(to_send: &mut mpsc::Receiver<ToWorker>) {
    while to_send.recv().await.is_some() {}
}

/// Why a server is not used.
enum Unmet {
    /// It will not do.
    Unfit(String),
    /// It may be there later.
    Away(String),
}

async fn greet(terms: RemoteTerms) -> Result<(Server, Loaded), Unmet> {
    let begun = Instant::now();
    let mut base = http::address(&terms.url).map_err(Unmet::Unfit)?;
    base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
    let client = http::client(SILENCE).map_err(Unmet::Unfit)?;
    let (turn, state) = (Semaphore::new(TOGETHER), Mutex::default());
    let mut server = Server { client, base, key: terms.key, model: String::new(), turn, state };
    let host = server.base.host_str().unwrap_or_default().to_owned();
    let asked = tokio::time::timeout(GREETING_WITHIN, server.models()).await;
    let names = match asked {
        Ok(Ok(names)) => names,
        Ok(Err(Abstention::Remote(why))) => return Err(Unmet::Away(format!("{host}: {why}"))),
        Ok(Err(why)) => return Err(Unmet::Unfit(format!("{host}: {why}"))),
        Err(_) => return Err(Unmet::Away(format!("{host} did not answer within {} s", GREETING_WITHIN.as_secs()))),
    };
    server.model = match (terms.model, names.first()) {
        (Some(model), _) if names.contains(&model) => model,
        (Some(model), Some(_)) => {
            return Err(Unmet::Unfit(format!("{host} has no model «{model}», only {}", names.join(", "))));
        }
        (None, Some(first)) => first.clone(),
        (_, None) => return Err(Unmet::Unfit(format!("{host} has no model"))),
    };
    let identity = Sha256::digest(format!("{}\n{}", server.base, server.model).as_bytes());
    let loaded = Loaded {
        architecture: "n/a".to_owned(),
        quantisation: "n/a".to_owned(),
        device: host,
        file_bytes: 0,
        token_bytes: 0,
        memory_bytes: 0,
        context: 0,
        loaded_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        memory_gigabytes_per_second: None,
        sha256: identity.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Ok((server, loaded))
}

impl Server {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let key = self.key.as_ref().and_then(|key| HeaderValue::from_str(&format!("Bearer {}", key.reveal())).ok());
        if let Some(mut key) = key {
            key.set_sensitive(true);
            headers.insert(AUTHORIZATION, key);
        }
        headers
    }

    fn url(&self, path: &str) -> Result<Url, Abstention> {
        self.base.join(path).map_err(|error| Abstention::Remote(error.to_string()))
    }

    async fn models(&self) -> Result<Vec<String>, Abstention> {
        let sent = self.client.get(self.url("models")?).headers(self.headers()).send().await;
        let (status, body) = self.body(sent).await?;
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Err(Abstention::NoModel("it refuses the key".to_owned()));
        }
        if !status.is_success() {
            return Err(Abstention::Remote(self.refusal(status, &body)));
        }
        Models::names(&body).map_err(|why| Abstention::NoModel(self.without_key(why)))
    }

    /// Answers by the deadline, or not.
    async fn answer(&self, ask: &Ask) -> Result<Answer, Abstention> {
        let deadline = Duration::from_millis(ask.deadline_ms);
        tokio::time::timeout(deadline, self.whole(ask)).await.unwrap_or(Err(Abstention::Late(ask.deadline_ms)))
    }

    async fn whole(&self, ask: &Ask) -> Result<Answer, Abstention> {
        let begun = Instant::now();
        let _turn = self.turn.acquire().await.map_err(|_| Abstention::Busy)?;
        let waited_ms = begun.elapsed().as_secs_f64() * 1e3;
        let chat = self.chat(ask, &ask.question).await?;
        let mut answer = chat.answer(ask)?;
        answer.timings.waited_ms = waited_ms;
        answer.timings.writing_ms = begun.elapsed().as_secs_f64() * 1e3 - waited_ms;
        answer.timings.first_ms = begun.elapsed().as_secs_f64() * 1e3;
        if !answer.labels.is_empty() {
            answer.prior = self.prior(ask).await;
        }
        Ok(answer)
    }

    /// What it says of nothing, asked once. Where that fails there is none.
    async fn prior(&self, ask: &Ask) -> Vec<f64> {
        let Some(content_free) = &ask.content_free else { return Vec::new() };
        let mut hash = Sha256::new();
        for part in [&ask.system, &ask.schema, content_free] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let key: [u8; 32] = hash.finalize().into();
        if let Some(prior) = self.state.lock().await.priors.get(&key) {
            return prior.clone();
        }
        let labels = match self.chat(ask, content_free).await.and_then(|chat| chat.answer(ask)) {
            Ok(answer) => answer.labels,
            Err(_) => return Vec::new(),
        };
        self.state.lock().await.priors.insert(key, labels.clone());
        labels
    }

    /// One exchange. A server that does not know chances of tokens is asked again without them, and from then on.
    async fn chat(&self, ask: &Ask, question: &str) -> Result<Chat, Abstention> {
        let is_wanted = ask.decision.is_some() && !self.state.lock().await.is_without_chances;
        let (status, body) = self.exchange(ask, question, is_wanted).await?;
        let is_refused = is_wanted && status.is_client_error() && String::from_utf8_lossy(&body).contains("logprob");
        let (status, body) = if is_refused {
            self.state.lock().await.is_without_chances = true;
            self.exchange(ask, question, false).await?
        } else {
            (status, body)
        };
        match status {
            StatusCode::OK => Chat::read(&body).map_err(|why| Abstention::Remote(self.without_key(why))),
            StatusCode::TOO_MANY_REQUESTS => Err(Abstention::Busy),
            status => Err(Abstention::Remote(self.refusal(status, &body))),
        }
    }

    async fn exchange(&self, ask: &Ask, question: &str, with_chances: bool) -> Result<(StatusCode, Vec<u8>), Abstention> {
        let schema: &RawValue = serde_json::from_str(&ask.schema).map_err(|error| Abstention::Unusable(error.to_string()))?;
        let body = Body {
            model: &self.model,
            messages: [Message { role: "system", content: &ask.system }, Message { role: "user", content: question }],
            max_tokens: ask.most_tokens,
            temperature: 0.0,
            stream: false,
            response_format: Format { r#type: "json_schema", json_schema: Schema { name: "answer", strict: true, schema } },
            logprobs: with_chances.then_some(true),
            top_logprobs: with_chances.then_some(TOP_TOKENS),
        };
        let body = serde_json::to_vec(&body).map_err(|error| Abstention::Unusable(error.to_string()))?;
        self.body(self.client.post(self.url("chat/completions")?).headers(self.headers()).body(body).send().await).await
    }

    /// The body of an answer, as far as it may go.
    async fn body(&self, sent: reqwest::Result<Response>) -> Result<(StatusCode, Vec<u8>), Abstention> {
        let failed = |error: &reqwest::Error| Abstention::Remote(self.without_key(http::words(error)));
        let mut response = sent.map_err(|error| failed(&error))?;
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(Abstention::Remote(format!("more than {} KiB", LARGEST_BODY >> 10)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> String {
        let words = said(body).map(|words| format!(": {words}")).unwrap_or_default();
        self.without_key(format!("HTTP {}{words}", status.as_u16()))
    }

    /// Some servers repeat a wrong key in their refusal.
    fn without_key(&self, text: String) -> String {
        match &self.key {
            Some(key) if !key.reveal().is_empty() => text.replace(key.reveal(), "[key]"),
            Some(_) | None => text,
        }
    }
}
