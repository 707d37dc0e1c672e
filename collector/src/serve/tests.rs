//! The front door over real TLS. The [`House`] here serves the tests of ingest, too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::Client;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use watchpost_model::query::{Enroll, Enrolled, Problem, Role};

use crate::clock;
use crate::config::{Settings, StateSettings};
use crate::pki;
use crate::run::{Handle, start};

/// A running collector in a directory of its own.
pub(crate) struct House {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) settings: Settings,
    pub(crate) handle: Handle,
}

/// A certificate with its key, PEM.
#[derive(Clone)]
pub(crate) struct Pass {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::open_with(StateSettings::default())
    }

    pub(crate) fn open_with(state: StateSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            data_dir: directory.path().join("data"),
            listen: ([127, 0, 0, 1], 0).into(),
            state,
            ..Settings::default()
        };
        let handle = start(&settings).unwrap();
        Self { directory, settings, handle }
    }

    /// Stops and starts again; the port may change.
    pub(crate) fn reopen(self) -> Self {
        let Self { directory, settings, handle } = self;
        handle.stop();
        let handle = start(&settings).unwrap();
        Self { directory, settings, handle }
    }

    pub(crate) fn ca(&self) -> String {
        std::fs::read_to_string(self.settings.data_dir.join("ca.crt")).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.handle.addr.port())
    }

    pub(crate) fn client(&self, pass: Option<&Pass>) -> Client {
        client(self.handle.addr, &self.ca(), pass)
    }

    pub(crate) fn token(&self) -> String {
        self.handle.office.token(Duration::from_secs(60), 1, clock::now()).unwrap()
    }

    /// Asks for a certificate; the answer as it comes.
    pub(crate) fn ask_in(&self, token: &str, key: &rcgen::KeyPair) -> reqwest::blocking::Response {
        let csr = rcgen::CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
        let body = Enroll { token: token.into(), csr, host: "web-1".into() };
        self.client(None).post(self.url("/v1/enroll")).json(&body).send().unwrap()
    }

    /// A new agent.
    pub(crate) fn agent(&self) -> (Enrolled, Pass) {
        let key = rcgen::KeyPair::generate().unwrap();
        let enrolled: Enrolled = self.ask_in(&self.token(), &key).json().unwrap();
        let pass = Pass { certificate: enrolled.certificate.clone(), key: key.serialize_pem() };
        (enrolled, pass)
    }

    /// A new user.
    pub(crate) fn user(&self, name: &str, role: Role) -> Pass {
        let bundle = self.handle.office.add_user(name, role, clock::now()).unwrap();
        Pass { certificate: bundle.clone(), key: bundle }
    }
}

pub(crate) fn client(addr: SocketAddr, ca: &str, pass: Option<&Pass>) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match pass {
        None => config.with_no_client_auth(),
        Some(pass) => {
            let chain = vec![CertificateDer::from_pem_slice(pass.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(pass.key.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    Client::builder().tls_backend_preconfigured(config).no_proxy().resolve("localhost", addr).build().unwrap()
}

pub(crate) fn problem_of(response: reqwest::blocking::Response) -> (StatusCode, String) {
    let status = response.status();
    (status, response.json::<Problem>().unwrap().error)
}

#[test]
fn without_a_certificate_only_enrolment_is_open() {
    let house = House::open();
    let client = house.client(None);
    for path in ["/v1/batches", "/v1/alerts", "/", "/v1/enroll/", "/v1/enroll/../batches"] {
        let (status, said) = problem_of(client.post(house.url(path)).send().unwrap());
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(said.contains("enrol"), "{said}");
    }
    let (status, _) = problem_of(client.get(house.url("/v1/enroll")).send().unwrap());
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    house.handle.stop();
}

#[test]
fn a_token_admits_one_agent_and_no_second() {
    let house = House::open();
    let token = house.token();
    let key = rcgen::KeyPair::generate().unwrap();
    let enrolled: Enrolled = house.ask_in(&token, &key).json().unwrap();
    assert_eq!(enrolled.ca, house.ca());
    let ca = CertificateDer::from_pem_slice(enrolled.ca.as_bytes()).unwrap();
    assert_eq!(pki::pinned(&token).unwrap(), pki::hex(&pki::sha256(&ca)));
    let (status, said) = problem_of(house.ask_in(&token, &key));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(said.contains("make a new one"), "{said}");
    let past = clock::now().minus(Duration::from_secs(120));
    let late = house.handle.office.token(Duration::from_secs(60), 1, past).unwrap();
    let (status, said) = problem_of(house.ask_in(&late, &key));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(said.contains("expired"), "{said}");
    house.handle.stop();
}

#[test]
fn a_broken_request_costs_no_token() {
    let house = House::open();
    let token = house.token();
    let body = Enroll { token: token.clone(), csr: "junk".into(), host: "h".into() };
    let answer = house.client(None).post(house.url("/v1/enroll")).json(&body).send().unwrap();
    assert_eq!(problem_of(answer).0, StatusCode::BAD_REQUEST);
    let large = "x".repeat(64 * 1024);
    let answer = house.client(None).post(house.url("/v1/enroll")).body(large).send();
    // The answer may be lost when the server stops reading; a success it must not be.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().is_client_error()));
    assert!(house.ask_in(&token, &rcgen::KeyPair::generate().unwrap()).status().is_success());
    house.handle.stop();
}

#[test]
fn a_revocation_ends_an_open_live_stream() {
    use std::io::Read as _;
    let house = House::open();
    let pass = house.user("ann", Role::Viewer);
    let mut stream = house.client(Some(&pass)).get(house.url("/v1/stream")).send().unwrap();
    let mut first = [0; 16];
    stream.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"event: overview"), "{first:?}");
    let revoke = crate::commands::Request::Revoke { name: "ann".into() };
    let reply = house.handle.office.answer(&revoke, clock::now());
    assert_eq!(reply, crate::commands::Reply::Text("ann is revoked".into()));
    let begun = clock::monotonic();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "an overview is due every two seconds");
    house.handle.stop();
}

#[test]
fn a_revocation_ends_an_open_connection_s_rights() {
    let house = House::open();
    let pass = house.user("ann", Role::Viewer);
    let client = house.client(Some(&pass));
    let (status, _) = problem_of(client.get(house.url("/v1/nothing-here")).send().unwrap());
    assert_eq!(status, StatusCode::NOT_FOUND, "admitted, but there is nothing");
    let revoke = crate::commands::Request::Revoke { name: "ann".into() };
    let reply = crate::commands::socket::ask(&house.settings.data_dir, &revoke).unwrap().unwrap();
    assert_eq!(reply, crate::commands::Reply::Text("ann is revoked".into()));
    let (status, said) = problem_of(client.get(house.url("/v1/nothing-here")).send().unwrap());
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("revoked"), "{said}");
    house.handle.stop();
}

#[test]
fn a_certificate_of_another_authority_does_not_pass_the_handshake() {
    let (house, other) = (House::open(), House::open());
    let foreign = other.user("ann", Role::Analyst);
    let refused = house.client(Some(&foreign)).get(house.url("/v1/alerts")).send();
    assert!(refused.is_err(), "{refused:?}");
    let misled = client(house.handle.addr, &other.ca(), None);
    assert!(misled.get(house.url("/v1/alerts")).send().is_err(), "the agent must not trust it");
    house.handle.stop();
    other.handle.stop();
}

#[test]
fn a_server_that_stops_leaves_its_directory_free() {
    let house = House::open();
    let second = start(&house.settings).map(|_| ()).unwrap_err();
    assert!(matches!(second, crate::run::Error::Locked { .. }), "{second}");
    let pass = house.user("ann", Role::Viewer);
    let house = house.reopen();
    let (status, _) = problem_of(house.client(Some(&pass)).get(house.url("/v1/x")).send().unwrap());
    assert_eq!(status, StatusCode::NOT_FOUND, "the register outlives the process");
    house.handle.stop();
}

#[test]
fn noise_and_idle_sockets_do_not_stop_others() {
    use std::io::Write as _;
    let house = House::open();
    let idle: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(house.handle.addr).unwrap()).collect();
    for stream in &idle {
        let mut stream = stream;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }
    let pass = house.user("ann", Role::Viewer);
    let (status, _) = problem_of(house.client(Some(&pass)).get(house.url("/v1/x")).send().unwrap());
    assert_eq!(status, StatusCode::NOT_FOUND);
    drop(idle);
    house.handle.stop();
}

#[test]
fn strangers_cannot_use_up_the_places_of_the_known() {
    let house = House::open();
    let pass = house.user("ann", Role::Viewer);
    let strangers: Vec<_> = (0..90).map(|_| house.client(None)).collect();
    let answered = strangers
        .iter()
        .filter(|client| client.get(house.url("/v1/x")).send().is_ok_and(|answer| answer.status() == 401))
        .count();
    assert_eq!(answered, super::STRANGERS, "each holds its connection; the rest is turned away");
    let (status, _) = problem_of(house.client(Some(&pass)).get(house.url("/v1/x")).send().unwrap());
    assert_eq!(status, StatusCode::NOT_FOUND);
    drop(strangers);
    house.handle.stop();
}
