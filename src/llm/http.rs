//! The client for HTTP that this room uses where a person asked for it: to fetch a model, and to ask a server of one's own choice.

use std::error::Error as _;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// A connection takes no longer than this.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A client that trusts the usual authorities, follows nothing by itself and takes no detour.
pub(super) fn client(silence: Duration) -> Result<reqwest::Client, String> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let trust = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(trust)
        .user_agent(concat!("pmax/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(silence)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())
}

/// An address that may be used: encrypted, or on this machine; without a name or a password in it.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("«{text}» is no address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address carries no name and no password here".to_owned());
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        "http" => Err(format!("{host} is another machine: write https, so that nobody reads along")),
        other => Err(format!("{other} is spoken by no server here: write https")),
    }
}

/// What an error of the client is about, without the address, which may hold more than it should.
pub(super) fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut words = None;
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = Some(inner.to_string());
        cause = inner.source();
    }
    words.unwrap_or_else(|| "the connection failed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_stays_on_this_machine() {
        for good in ["https://example.org/v1", "http://127.0.0.1:8000", "http://localhost:11434/v1", "http://[::1]:8000"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://192.168.1.5:8000",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://name:word@example.org",
            "no address",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
