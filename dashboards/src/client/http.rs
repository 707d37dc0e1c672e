//! The real collector: HTTPS, TLS 1.3 only, certificates on both ends.
//!
//! Only the CA in the identity file is trusted, never the system's, and proxies in the environment
//! are ignored: nothing but our collector may answer. Answers are bounded in bytes and time.

use std::io::Read;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::blocking::{RequestBuilder, Response};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use watchpost_model::alert::Alert;
use watchpost_model::asset::Host;
use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::query::{
    AlertQuery, Drill, EventQuery, Evidence, IncidentQuery, IncidentStory, Overview, Page, Problem,
    TriageChange, UnderWay,
};

use super::error::causes;
use super::source::{Lives, Source};
use super::stream::Lines;
use super::{Error, Profile};

/// Bytes of one answer that are read: a full page of the largest events fits, a flood does not.
const MOST_ANSWER: u64 = 128 * 1024 * 1024;

/// Time for a request; a hunt may take the collector some seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Silence on the stream after which it counts as dead: the collector speaks every two seconds.
const SILENCE: Duration = Duration::from_secs(25);

/// A collector reached over HTTPS.
#[derive(Clone, Debug)]
pub struct Client {
    asks: reqwest::blocking::Client,
    listens: reqwest::blocking::Client,
    address: String,
    base: String,
}

impl Client {
    /// A client for a collector. Nothing is sent yet.
    ///
    /// # Errors
    /// The identity cannot be read or is not one, or the address does not resolve.
    pub fn new(profile: &Profile) -> Result<Self, Error> {
        let tls = tls(&profile.identity)?;
        let address = profile.collector.clone();
        let lost = |reason: String| Error::Address { address: address.clone(), reason };
        let targets: Vec<_> = address.to_socket_addrs().map_err(|error| lost(error.to_string()))?.collect();
        let port = targets.first().ok_or_else(|| lost("no address".to_owned()))?.port();
        let build = |timeout| {
            reqwest::blocking::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .https_only(true)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .resolve_to_addrs(&profile.server_name, &targets)
                .connect_timeout(Duration::from_secs(5))
                .timeout(timeout)
                .build()
                .map_err(|error| lost(causes(&error)))
        };
        Ok(Self {
            asks: build(PATIENCE)?,
            listens: build(SILENCE)?,
            base: format!("https://{}:{port}", profile.server_name),
            address,
        })
    }

    fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, Error> {
        self.answer(self.send(self.asks.get(format!("{}{path}", self.base)).query(query))?)
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send();
        let response = response.map_err(|error| Error::Connect {
            address: self.address.clone(),
            reason: causes(&error.without_url()),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response)?;
        let reason = serde_json::from_slice::<Problem>(&body).map_or_else(
            |_| status.canonical_reason().unwrap_or_default().to_owned(),
            |problem| problem.error,
        );
        Err(Error::Refused { address: self.address.clone(), status: status.as_u16(), reason })
    }

    fn answer<T: DeserializeOwned>(&self, response: Response) -> Result<T, Error> {
        let body = self.body(response)?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::Answer { address: self.address.clone(), reason: error.to_string() })
    }

    fn body(&self, response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        let read = response.take(MOST_ANSWER + 1).read_to_end(&mut body);
        read.map_err(|error| Error::Connect { address: self.address.clone(), reason: causes(&error) })?;
        if u64::try_from(body.len()).unwrap_or(u64::MAX) > MOST_ANSWER {
            let reason = format!("longer than {MOST_ANSWER} bytes");
            return Err(Error::Answer { address: self.address.clone(), reason });
        }
        Ok(body)
    }
}

const NO_QUERY: [(&str, &str); 0] = [];

impl Source for Client {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn overview(&self) -> Result<Overview, Error> {
        self.get("/v1/overview", &NO_QUERY)
    }

    fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, Error> {
        self.get("/v1/alerts", query)
    }

    fn alert(&self, id: AlertId) -> Result<Alert, Error> {
        self.get(&format!("/v1/alerts/{id}"), &NO_QUERY)
    }

    fn evidence(&self, id: AlertId) -> Result<Evidence, Error> {
        self.get(&format!("/v1/alerts/{id}/events"), &NO_QUERY)
    }

    fn triage(&self, id: AlertId, change: &TriageChange) -> Result<Alert, Error> {
        self.answer(self.send(self.asks.post(format!("{}/v1/alerts/{id}/triage", self.base)).json(change))?)
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>, Error> {
        self.get("/v1/incidents", query)
    }

    fn story(&self, id: IncidentId) -> Result<IncidentStory, Error> {
        self.get(&format!("/v1/incidents/{id}"), &NO_QUERY)
    }

    fn hosts(&self) -> Result<Vec<Host>, Error> {
        self.get("/v1/hosts", &NO_QUERY)
    }

    fn events(&self, query: &EventQuery) -> Result<Page<Value>, Error> {
        self.get("/v1/events", query)
    }

    fn announce(&self, drill: &Drill) -> Result<UnderWay, Error> {
        self.answer(self.send(self.asks.post(format!("{}/v1/drills", self.base)).json(drill))?)
    }

    fn stream(&self) -> Result<Lives, Error> {
        let request = self.listens.get(format!("{}/v1/stream", self.base));
        let response = self.send(request.header(reqwest::header::ACCEPT, "text/event-stream"))?;
        Ok(Box::new(Lines::new(response, self.address.clone())))
    }
}

/// TLS 1.3, our CA only, our certificate.
fn tls(identity: &Path) -> Result<rustls::ClientConfig, Error> {
    let bad = |reason: String| Error::Identity { path: identity.to_path_buf(), reason };
    let pem = read_private(identity)?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificates.push(certificate.map_err(|error| bad(error.to_string()))?);
    }
    let key =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| bad(format!("no private key ({error})")))?;
    let (Some(own), Some(ca)) = (certificates.first().cloned(), certificates.last().cloned()) else {
        return Err(bad("no certificate".to_owned()));
    };
    if certificates.len() < 2 {
        return Err(bad("the collector's CA certificate is missing".to_owned()));
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca).map_err(|error| bad(format!("the last certificate is no CA ({error})")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| bad(error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![own], key)
        .map_err(|error| bad(format!("certificate and key do not fit ({error})")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads a file that holds a private key; refuses one that others may read.
fn read_private(path: &Path) -> Result<Vec<u8>, Error> {
    use std::os::unix::fs::PermissionsExt;

    let failed = |source| Error::Read { path: path.to_path_buf(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let reason =
            format!("others may read its private key (mode {:04o}); run chmod 600 on it", mode & 0o7777);
        return Err(Error::Profile { path: path.to_path_buf(), reason });
    }
    std::fs::read(path).map_err(failed)
}
