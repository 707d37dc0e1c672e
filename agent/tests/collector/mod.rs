//! A collector of paper: real TLS with client certificates, HTTP/1.1, and a script that says how
//! each request is answered. For tests only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use watchpost_model::wire;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With a receipt for the batch.
    Receipt,
    /// With this status and body.
    Status(u16, String),
    /// Taken, but the connection breaks before the answer.
    Break,
}

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) ca: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "test CA");
        Self { ca: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(crate) fn issue(&self, name: &str) -> (CertificateDer<'static>, KeyPair, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.ca).unwrap();
        (certificate.der().clone(), key, certificate.pem())
    }

    /// Puts an agent's credentials and identity into a state folder.
    pub(crate) fn enrol_into(&self, dir: &Path, trusted: &Self, collector: &str) {
        let (_, key, certificate) = self.issue("agent");
        std::fs::write(dir.join("agent.key"), key.serialize_pem()).unwrap();
        std::fs::write(dir.join("agent.crt"), certificate).unwrap();
        std::fs::write(dir.join("ca.crt"), trusted.ca.pem()).unwrap();
        let identity = serde_json::json!({
            "agent": "0190f2a4-0000-7000-8000-000000000000",
            "collector": [collector],
            "server_name": "watchpost-collector",
        });
        std::fs::write(dir.join("identity.json"), identity.to_string()).unwrap();
    }
}

type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;
type Script = Box<dyn Fn(usize, &str, &[u8]) -> Reply + Send + Sync>;

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    /// Path and body of each request, in order of arrival.
    pub(crate) seen: Seen,
}

impl Collector {
    /// Listens until the test ends. The script gets the request's number (from 0), path and body.
    pub(crate) fn start(
        authority: &Authority,
        script: impl Fn(usize, &str, &[u8]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let tls = Arc::new(server_tls(authority));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script): (_, Arc<Script>) = (seen.clone(), Arc::new(Box::new(script)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, log, script) = (tls.clone(), log.clone(), script.clone());
                std::thread::spawn(move || serve(stream, tls, &log, &script));
            }
        });
        Self { address, seen }
    }

    /// The batches seen, as sequences.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(path, _)| path == "/v1/batches")
            .map(|(_, body)| wire::unpack(body).unwrap().sequence)
            .collect()
    }
}

fn server_tls(authority: &Authority) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.ca.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let (leaf, key, _) = authority.issue("watchpost-collector");
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![leaf, authority.ca.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap()
}

fn serve(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    log: &Mutex<Vec<(String, Vec<u8>)>>,
    script: &Script,
) -> Option<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    loop {
        let (path, body) = request(&mut stream)?;
        let number = {
            let mut log = log.lock().unwrap();
            log.push((path.clone(), body.clone()));
            log.len() - 1
        };
        let (status, answer) = match script(number, &path, &body) {
            Reply::Break => return None,
            Reply::Status(status, answer) => (status, answer),
            Reply::Receipt => {
                let sequence = wire::unpack(&body).unwrap().sequence;
                let now = "2026-01-01T00:00:00Z";
                (200, serde_json::json!({"sequence": sequence, "repeated": false, "now": now}).to_string())
            }
        };
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(answer.as_bytes()).ok()?;
        stream.flush().ok()?;
    }
}

fn request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let path = head.split(' ').nth(1)?.to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((path, body))
}

/// Waits until something holds; fails after ten seconds.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("did not come to pass: {what}");
}
