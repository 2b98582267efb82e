//! A model out of a repository of Hugging Face, over HTTP: with its progress, its hash, and taken up again where it was cut off.

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use reqwest::{Client, Response, StatusCode, Url};

use crate::domain::cleaned;
use crate::llm::catalogue::{Digest, Source};
use crate::llm::http;
use crate::llm::install::{InstallError, Part, Progress, Wish};

/// Silence of this length ends a fetch.
const SILENCE: Duration = Duration::from_secs(30);
/// Times it may be sent elsewhere.
const MOST_DETOURS: u32 = 5;
/// The header in which the repository says a large file's SHA-256.
const LINKED_HASH: &str = "x-linked-etag";
/// Characters that are kept of what a server says.
const MOST_SAID: usize = 200;

/// Fetches a file into the part. Gives the hash that the repository says it has, if it says one.
pub(super) fn fetch(wish: &Wish, part: &mut Part, told: &mut dyn FnMut(Progress)) -> Result<Option<Digest>, InstallError> {
    let Source::Repository { repository, revision, file } = &wish.source else { return Ok(None) };
    let url = format!("{}/{repository}/resolve/{revision}/{file}", wish.hugging_face);
    let refused = |why: String| InstallError::Fetch { from: wish.hugging_face.clone(), why: cleaned(&why, MOST_SAID) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refused(error.to_string()))?;
    let client = http::client(SILENCE).map_err(refused)?;
    let begun = part.take_up()?;
    runtime.block_on(async {
        let mut way = Way { client: &client, hash: wish.sha256.clone() };
        let response = way.open(&url, begun).await.map_err(refused)?;
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT && starts_at(&response, begun);
        // Only a hash proves that both halves are of one file.
        let response = if begun > 0 && (!goes_on || way.hash.is_none()) {
            part.clear()?;
            if response.status() == StatusCode::OK { response } else { way.open(&url, 0).await.map_err(refused)? }
        } else {
            response
        };
        if !response.status().is_success() {
            return Err(refused(said(response.status())));
        }
        take(response, part, wish.bytes, told).await.map_err(|error| match error {
            Broken::Server(why) => refused(why),
            Broken::Here(error) => error,
        })?;
        Ok(way.hash)
    })
}

/// The way to a file.
struct Way<'a> {
    client: &'a Client,
    /// What it will hash to, as far as it is known.
    hash: Option<Digest>,
}

enum Broken {
    Server(String),
    Here(InstallError),
}

impl Way<'_> {
    /// Asks for a file from some place on, wherever it is sent to.
    async fn open(&mut self, url: &str, from: u64) -> Result<Response, String> {
        let mut url = http::address(url)?;
        for _ in 0..=MOST_DETOURS {
            let mut request = self.client.get(url.clone());
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = request.send().await.map_err(|error| http::words(&error))?;
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            if self.hash.is_none() {
                self.hash = header(LINKED_HASH).and_then(|text| Digest::new(text.trim_matches('"')).ok());
            }
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = header(LOCATION.as_str()).ok_or("it sends elsewhere without saying where")?;
            let next: Url = url.join(next).map_err(|_| "it sends to an address that is none")?;
            url = http::address(next.as_str())?;
        }
        Err("it sends from one place to the next".to_owned())
    }
}

fn said(status: StatusCode) -> String {
    match status.as_u16() {
        401 | 403 => "it wants an account, or the licence to be agreed to on its page".to_owned(),
        404 => "it has no such file".to_owned(),
        429 => "it wants to be asked less often".to_owned(),
        _ => format!("it answered {status}"),
    }
}

/// Whether a partial answer begins where it was asked to.
fn starts_at(response: &Response, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")).is_some_and(|range| range.starts_with(&format!("{from}-")))
}

async fn take(mut response: Response, part: &mut Part, bytes: Option<u64>, told: &mut dyn FnMut(Progress)) -> Result<(), Broken> {
    let length =
        response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    let all = length.and_then(|length| length.checked_add(part.bytes));
    if let Some((all, expected)) = all.zip(bytes).filter(|(all, expected)| all != expected) {
        return Err(Broken::Server(format!("its file has {all} bytes instead of {expected}")));
    }
    while let Some(chunk) = response.chunk().await.map_err(|error| Broken::Server(http::words(&error)))? {
        part.write(&chunk).map_err(Broken::Here)?;
        told(Progress { bytes: part.bytes, of: all.or(bytes) });
    }
    match all.filter(|all| *all != part.bytes) {
        Some(all) => Err(Broken::Server(format!("it ended after {} of {all} bytes", part.bytes))),
        None => Ok(()),
    }
}
