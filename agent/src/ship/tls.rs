//! TLS as the agent speaks it: version 1.3, one provider, and only the root it is given.
//!
//! The system's trust store is never asked: a certificate from a public authority, or one that
//! an interceptor's root vouches for, is no proof of being our collector.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;
use crate::spool::read_small;

/// Far above any certificate or key.
const MOST_PEM_BYTES: u64 = 256 * 1024;

/// The files that enrolment left in the state folder.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The agent's private key.
    pub key: PathBuf,
    /// Its certificate.
    pub certificate: PathBuf,
    /// The collector's CA.
    pub ca: PathBuf,
}

impl Credentials {
    /// Where they lie in a state folder.
    #[must_use]
    pub fn within(state_dir: &Path) -> Self {
        Self {
            key: state_dir.join("agent.key"),
            certificate: state_dir.join("agent.crt"),
            ca: state_dir.join("ca.crt"),
        }
    }

    /// Whether all of them are there.
    #[must_use]
    pub fn exist(&self) -> bool {
        [&self.key, &self.certificate, &self.ca].iter().all(|path| path.exists())
    }

    /// TLS with these credentials, trusting this CA alone.
    ///
    /// # Errors
    /// A file is missing or is not what its name says.
    pub fn config(&self) -> Result<ClientConfig, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            roots
                .add(certificate)
                .map_err(|source| Error::Tls { doing: "trust the collector's CA", source })?;
        }
        let bytes = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|source| pem_error(&self.key, &source))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|source| Error::Tls { doing: "set up TLS 1.3", source })?;
        let mut config = builder
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&self.certificate)?, key)
            .map_err(|source| Error::Tls { doing: "use the agent's certificate and key", source })?;
        config.alpn_protocols = protocols();
        Ok(config)
    }
}

/// TLS without a client certificate, judged by `verifier`.
///
/// # Errors
/// The provider does not know TLS 1.3.
pub fn judged_by(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| Error::Tls { doing: "set up TLS 1.3", source })?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = protocols();
    Ok(config)
}

/// The one cryptography provider.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A number that nobody can guess; zero if the system has no randomness.
#[must_use]
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    match provider().secure_random.fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => 0,
    }
}

fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Error::Pem { path: path.to_owned(), why: "no certificate in it".into() }),
        Err(source) => Err(pem_error(path, &source)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_small(path, MOST_PEM_BYTES).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn pem_error(path: &Path, source: &rustls_pki_types::pem::Error) -> Error {
    Error::Pem { path: path.to_owned(), why: source.to_string() }
}
