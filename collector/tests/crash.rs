//! The real program, killed in the middle of its work.
//!
//! Batches are posted over TLS while the process is killed without warning, again and again.
//! What was acknowledged must be in the journal exactly once, byte for byte.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::blocking::Client;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use watchpost_collector::journal::{Journal, Settings};
use watchpost_model::event::{Event, Kind};
use watchpost_model::query::{Enroll, Enrolled, Receipt};
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Timestamp, field};

const KILLS: u64 = 5;

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost-collector"));
    command.arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
    command.env_remove("WATCHPOST_LOG").env_remove("WATCHPOST_COLLECTOR_CONFIG");
    command
}

/// Starts it and reads its port from its first words.
fn start(data: &Path) -> (Child, u16) {
    let mut child = program(data).arg("run").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let port = loop {
        let line = lines.next().unwrap().unwrap();
        let plain: String = line.chars().filter(|c| !c.is_control()).collect();
        let Some((_, rest)) = plain.split_once("127.0.0.1:") else { continue };
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        break digits.parse().unwrap();
    };
    std::thread::spawn(move || lines.for_each(drop));
    (child, port)
}

fn client(port: u16, ca: &str, pass: Option<(&str, &str)>) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
    let config = match pass {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .resolve("localhost", ([127, 0, 0, 1], port).into())
        .build()
        .unwrap()
}

fn batch(sequence: u64) -> Vec<u8> {
    let mut event = Event::new(Kind::Log, Timestamp::from_millis(1_790_000_000_000));
    event.record.set(field::EVENT_ORIGINAL, format!("line {sequence}"));
    let events = vec![event];
    wire::pack(&Batch { epoch: 1, sequence, first_event: sequence, events, ..Batch::default() }).unwrap()
}

#[test]
fn what_was_acknowledged_survives_any_kill_exactly_once() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let token = program(&data).arg("token").output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap();
    let ca = std::fs::read_to_string(data.join("ca.crt")).unwrap();

    let (mut child, port) = start(&data);
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let body = Enroll { token, csr, host: "h".into() };
    let answer =
        client(port, &ca, None).post(format!("https://localhost:{port}/v1/enroll")).json(&body).send();
    let enrolled: Enrolled = answer.unwrap().json().unwrap();

    let mut next = 1;
    let mut port = port;
    for kill in 0..KILLS {
        let sender = client(port, &ca, Some((&enrolled.certificate, &key.serialize_pem())));
        let acknowledged = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let done = &acknowledged;
            let from = next;
            let posting = scope.spawn(move || {
                let mut sequence = from;
                loop {
                    let url = format!("https://localhost:{port}/v1/batches");
                    let answer = sender.post(url).body(batch(sequence)).send();
                    let Ok(receipt) = answer.and_then(reqwest::blocking::Response::json::<Receipt>) else {
                        return sequence;
                    };
                    assert!(!receipt.repeated || sequence == from, "only a batch in doubt may be known");
                    done.fetch_add(1, Ordering::SeqCst);
                    sequence += 1;
                }
            });
            // A different moment each time: after so many acknowledged batches.
            while acknowledged.load(Ordering::SeqCst) < 10 + kill * 7 {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            next = posting.join().unwrap();
        });
        child.wait().unwrap();
        (child, port) = start(&data);
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let (journal, recovery) = Journal::open(data.join("journal"), &Settings::default()).unwrap();
    assert_eq!(recovery.damaged, 0);
    let frames: Vec<_> = journal.reader().iter_from(1).map(Result::unwrap).collect();
    assert!(frames.len() as u64 >= next - 1, "{} frames, {} acknowledged", frames.len(), next - 1);
    for (frame, sequence) in frames.iter().zip(1..) {
        assert_eq!((frame.agent, frame.sequence), (enrolled.agent, sequence));
        assert_eq!(frame.payload, batch(sequence));
    }
}
