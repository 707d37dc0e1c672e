//! Words to a collector as no honest agent would say them: any body to any path, over the real TLS,
//! with an enrolled agent's certificate or with none.

use std::path::Path;

use reqwest::blocking::Client;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use watchpost_agent::ship::{self, Credentials};
use watchpost_model::query::Problem;

/// The name in every collector's certificate.
const NAME: &str = "watchpost-collector";

/// A client of one collector.
#[derive(Debug)]
pub struct WireClient {
    client: Client,
    address: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The words of the `Problem`; empty where the body is none.
    pub problem: String,
}

impl WireClient {
    /// With the certificate and key that enrolment left in `state_dir`.
    ///
    /// # Panics
    /// When they can not be used.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn of_agent(state_dir: &Path, address: &str) -> Self {
        let tls = Credentials::within(state_dir).config().expect("the agent's credentials are usable");
        Self::over(tls, address)
    }

    /// Without any certificate; trusts the authority that the agent in `state_dir` trusts.
    ///
    /// # Panics
    /// When that authority can not be read.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn without_certificate(state_dir: &Path, address: &str) -> Self {
        let authority = CertificateDer::from_pem_file(Credentials::within(state_dir).ca);
        let mut roots = RootCertStore::empty();
        roots.add(authority.expect("the authority is readable")).expect("the authority is one");
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), ship::provider()).build();
        Self::over(ship::judged_by(verifier.expect("there is a root")).expect("TLS 1.3 is known"), address)
    }

    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    fn over(tls: rustls::ClientConfig, address: &str) -> Self {
        let client = ship::client(tls, NAME, address).expect("the client is made");
        Self { client, address: address.to_owned() }
    }

    /// Posts a body.
    ///
    /// # Errors
    /// There was no answer; the words say why.
    pub fn post(&self, path: &str, body: Vec<u8>) -> Result<Answer, String> {
        let sent = self.client.post(ship::url(NAME, &self.address, path)).body(body).send();
        let response = sent.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        let body = ship::body(response)?;
        let problem = serde_json::from_slice(&body).map_or_else(|_| String::new(), |Problem { error }| error);
        Ok(Answer { status, problem })
    }
}
