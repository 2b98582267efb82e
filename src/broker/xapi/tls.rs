//! Encryption of the connections: the usual authorities, and any certificate a person names besides.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why connections cannot be encrypted.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate file.
    #[error("the certificate {path}: {what}")]
    Certificate {
        /// Which file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The library.
    #[error("encryption cannot be set up: {0}")]
    Setup(#[from] tokio_rustls::rustls::Error),
}

/// Who is trusted.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the usual authorities and, where one is named, the certificates of a PEM file.
    pub fn new(certificate: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = certificate {
            let refuse = |what: String| TlsError::Certificate { path: path.display().to_string(), what };
            let read = CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))?;
            for found in read {
                let found = found.map_err(|error| refuse(error.to_string()))?;
                roots.add(found).map_err(|error| refuse(error.to_string()))?;
            }
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }

    /// Encrypts a connection to this host, whose certificate must name it.
    pub(super) async fn connect(&self, host: &str, socket: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connected = TlsConnector::from(Arc::clone(&self.config)).connect(name, socket).await;
        connected.map_err(|error| match error.to_string() {
            said if said.contains("InvalidContentType") || said.contains("eof") => {
                "no encrypted connection: nothing encrypts on this port (xapi.port, xapi.tls)".to_owned()
            }
            said => format!("no encrypted connection: {said}"),
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for Tls {}

/// A connection, encrypted or not.
pub(super) enum MaybeTls {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the same method of whichever connection it is.
macro_rules! forward {
    ($self:ident, $method:ident, $($argument:expr),*) => {
        match $self.get_mut() {
            MaybeTls::Plain(socket) => Pin::new(socket).$method($($argument),*),
            MaybeTls::Tls(socket) => Pin::new(socket.as_mut()).$method($($argument),*),
        }
    };
}

impl AsyncRead for MaybeTls {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_read, context, buffer)
    }
}

impl AsyncWrite for MaybeTls {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, poll_write, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown, context)
    }
}
