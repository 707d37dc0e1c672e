//! TLS as the collector speaks it: version 1.3 alone, client certificates checked when shown.
//!
//! A client without one gets through the handshake, because enrolling agents have none yet; the
//! middleware of `serve` lets it do nothing else.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use watchpost_model::Timestamp;

use super::{Authority, Error};

/// The server's side of TLS, with a certificate that can be exchanged while it serves.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For the acceptor.
    pub config: Arc<ServerConfig>,
    certificate: Arc<Current>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// TLS with a fresh certificate for `names`.
    ///
    /// # Errors
    /// A name can stand in no certificate, or TLS refuses what was made.
    pub fn new(authority: &Authority, names: &[String], now: Timestamp) -> Result<Self, Error> {
        let refused = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).map_err(|error| refused(&error))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| refused(&error))?;
        let certificate = Arc::new(Current(ArcSwap::new(authority.server(names, now)?)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| refused(&error))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::<Current>::clone(&certificate));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), certificate })
    }

    /// Exchanges the server's certificate; open connections keep the old one.
    ///
    /// # Errors
    /// As [`Self::new`]; the old certificate stays.
    pub fn renew(&self, authority: &Authority, names: &[String], now: Timestamp) -> Result<(), Error> {
        self.certificate.0.store(authority.server(names, now)?);
        Ok(())
    }
}
