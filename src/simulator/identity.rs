//! The simulator's own certificate: made anew at every start, for this machine only, trusted by whoever is told to.

use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Names under which this machine is reached.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// It cannot be made.
    #[error("the simulator's certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("the simulator's certificate cannot be used: {0}")]
    Used(String),
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    /// A fresh one.
    pub fn fresh() -> Result<Self, IdentityError> {
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned).to_vec())?;
        Ok(Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() })
    }

    /// The certificate, for the client's side; the key stays here.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, IdentityError> {
        let refuse = |error: &dyn std::fmt::Display| IdentityError::Used(error.to_string());
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).map_err(|error| refuse(&error))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|error| refuse(&error))?;
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(|error| refuse(&error))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity")
    }
}
