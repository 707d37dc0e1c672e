//! Agents over real mutual TLS on the loopback: one connection each, one batch in flight.
//!
//! The client is as plain as can be (blocking sockets, HTTP/1.1 by hand), since it shares the
//! cores with what is measured; what it uses is said beside the result.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use watchpost_collector::clock;
use watchpost_collector::run::Handle;
use watchpost_model::query::{Enroll, Enrolled};

use crate::measure;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection to the collector.
pub(crate) struct Line(BufReader<Tls>);

fn connect(address: SocketAddr, ca: &str, pass: Option<(&str, &str)>) -> Line {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match pass {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    Line(BufReader::new(StreamOwned::new(connection, stream)))
}

impl Line {
    /// Posts a body and gives back the answer's; anything but 200 ends the run.
    pub(crate) fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let out = self.0.get_mut();
        out.write_all(head.as_bytes()).unwrap();
        out.write_all(body).unwrap();
        out.flush().unwrap();
        let (mut length, mut first) = (0, String::new());
        self.0.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).unwrap();
        assert!(first.contains(" 200 "), "{first} {}", String::from_utf8_lossy(&answer));
        answer
    }

    pub(crate) fn batch(&mut self, payload: &[u8]) {
        self.post("/v1/batches", "application/octet-stream", payload);
    }
}

/// Enrols and connects `count` agents.
pub(crate) fn agents(handle: &Handle, ca: &str, count: u64) -> Vec<Line> {
    let uses = u32::try_from(count).unwrap();
    let token = handle.office.token(Duration::from_secs(600), uses, clock::now()).unwrap();
    let mut door = connect(handle.addr, ca, None);
    let enrol = |number| {
        let key = rcgen::KeyPair::generate().unwrap();
        let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let asked = Enroll { token: token.clone(), csr, host: format!("bench-{number}") };
        let asked = serde_json::to_vec(&asked).unwrap();
        let enrolled: Enrolled =
            serde_json::from_slice(&door.post("/v1/enroll", "application/json", &asked)).unwrap();
        connect(handle.addr, ca, Some((&enrolled.certificate, &key.serialize_pem())))
    };
    (0..count).map(enrol).collect()
}

/// What one sending thread came to.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acks: Vec<Duration>,
    /// Seconds of a core that the client itself used.
    pub(crate) cpu: f64,
}

/// Sends what `next` gives for each agent in turn, at the moments it says; `None` ends.
pub(crate) fn send(
    mut agents: Vec<(usize, Line)>,
    next: impl Fn(usize, usize) -> Option<(Vec<u8>, Option<Instant>)>,
) -> Sent {
    let (before, mut sent) = (measure::thread_cpu(), Sent::default());
    for round in 0.. {
        for (number, line) in &mut agents {
            let Some((payload, at)) = next(*number, round) else {
                sent.cpu = measure::thread_cpu() - before;
                return sent;
            };
            if let Some(at) = at {
                std::thread::sleep(at.saturating_duration_since(clock::monotonic()));
            }
            let asked = clock::monotonic();
            line.batch(&payload);
            sent.acks.push(asked.elapsed());
        }
    }
    sent
}
