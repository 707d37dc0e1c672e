//! The listener and its stream over made-up bodies, and the client over real TLS.

use std::io::Cursor;
use std::time::Duration;

use watchpost_model::query::Live;

use super::stream::Lines;
use super::{Backoff, Client, Error, Heard, Profile, SERVER_NAME, Source, follow};
use crate::app::Link;
use crate::samples::{self, Fake};

fn heard(body: &str) -> (Vec<Live>, Option<Error>) {
    let mut good = Vec::new();
    for live in Lines::new(Cursor::new(body.to_owned()), "x:1".into()) {
        match live {
            Ok(live) => good.push(live),
            Err(error) => return (good, Some(error)),
        }
    }
    (good, None)
}

#[test]
fn events_are_read_whatever_the_line_ends_and_comments() {
    let (good, end) = heard(
        ": keepalive\n\nevent: missed\ndata: {\"type\":\"missed\",\ndata:\"body\":3}\n\n\
         data: {\"type\":\"from the future\",\"body\":1}\r\n\r\ndata:{\"type\":\"missed\",\"body\":4}\r\n\r\n",
    );
    assert_eq!(good, [Live::Missed(3), Live::Missed(4)]);
    assert!(matches!(end, Some(Error::Closed { .. })));
}

#[test]
fn a_stream_cut_inside_an_event_gives_no_half_event() {
    let (good, end) = heard("data: {\"type\":\"missed\",\"body\":3}\n");
    assert!(good.is_empty());
    assert!(end.is_some());
}

#[test]
fn waiting_times_double_up_to_a_bound_and_start_over() {
    let mut backoff = Backoff::default();
    let waits: Vec<u128> = (0..7).map(|_| backoff.failed().as_millis()).collect();
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    backoff.worked();
    assert_eq!(backoff.failed(), Duration::from_millis(500));
}

#[test]
fn a_broken_stream_is_told_and_opened_again() {
    let fake = Fake::default();
    fake.streams.lock().unwrap().extend([vec![Live::Missed(2)], vec![Live::Missed(1)]]);
    let (mut said, mut waits) = (Vec::new(), 0);
    let tell = |heard| {
        said.push(match heard {
            Heard::Link(Link::Online) => "online",
            Heard::Link(_) => "offline",
            Heard::Live(_) => "live",
        });
        true
    };
    let wait = |_| {
        waits += 1;
        waits < 3
    };
    follow(&fake, tell, wait, samples::now);
    assert_eq!(said, ["online", "live", "offline", "online", "live", "offline", "offline"]);
}

#[test]
fn an_identity_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let identity = dir.path().join("me.pem");
    std::fs::write(&identity, "x").unwrap();
    std::fs::set_permissions(&identity, std::fs::Permissions::from_mode(0o644)).unwrap();
    let profile = Profile { collector: "127.0.0.1:1".into(), identity, server_name: SERVER_NAME.into() };
    let text = Client::new(&profile).unwrap_err().to_string();
    assert!(text.contains("chmod 600"), "{text}");
}

mod tls {
    //! A collector of one answer on a real socket: rustls on both ends, certificates made here.

    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    type Ca = CertifiedIssuer<'static, KeyPair>;

    fn ca() -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(ca: &Ca, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, ca).unwrap();
        (certificate, key)
    }

    fn identity(ca: &Ca, dir: &tempfile::TempDir) -> PathBuf {
        let (certificate, key) = leaf(ca, "analyst");
        let path = dir.path().join("analyst.pem");
        std::fs::write(&path, certificate.pem() + &key.serialize_pem() + &ca.pem()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Answers one request on one connection; the thread ends with it.
    fn serve(ca: &Ca, answer: String) -> SocketAddr {
        let (certificate, key) = leaf(ca, SERVER_NAME);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(ca.der().to_vec())).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        )
        .build()
        .unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let Ok((mut socket, _)) = listener.accept() else { return };
            let mut session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            let mut request = [0; 4096];
            // A client that refuses us hangs up here; that is the test's point, not a failure.
            if stream.read(&mut request).is_ok() {
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        address
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    fn client(ca: &Ca, dir: &tempfile::TempDir, address: SocketAddr) -> Client {
        let server_name = SERVER_NAME.to_owned();
        Client::new(&Profile { collector: address.to_string(), identity: identity(ca, dir), server_name })
            .unwrap()
    }

    #[test]
    fn an_answer_comes_over_mutual_tls_by_the_collectors_name() {
        let (ca, dir) = (ca(), tempfile::tempdir().unwrap());
        let address = serve(&ca, http("200 OK", &serde_json::to_string(&samples::overview()).unwrap()));
        assert_eq!(client(&ca, &dir, address).overview().unwrap(), samples::overview());
    }

    #[test]
    fn the_stream_is_read_from_the_wire() {
        let (ca, dir) = (ca(), tempfile::tempdir().unwrap());
        let address = serve(&ca, http("200 OK", "data: {\"type\":\"missed\",\"body\":5}\n\n"));
        let mut lives = client(&ca, &dir, address).stream().unwrap();
        assert_eq!(lives.next().unwrap().unwrap(), Live::Missed(5));
        assert!(lives.next().unwrap().is_err());
    }

    #[test]
    fn a_refusal_carries_the_collectors_own_words() {
        let (ca, dir) = (ca(), tempfile::tempdir().unwrap());
        let address = serve(&ca, http("403 Forbidden", "{\"error\":\"viewers cannot triage\"}"));
        let error = client(&ca, &dir, address).hosts().unwrap_err();
        assert!(matches!(&error, Error::Refused { status: 403, .. }), "{error}");
        assert!(error.to_string().contains("viewers cannot triage"));
    }

    #[test]
    fn a_collector_of_another_ca_is_not_believed() {
        let (ours, theirs, dir) = (ca(), ca(), tempfile::tempdir().unwrap());
        let address = serve(&theirs, http("200 OK", "[]"));
        let text = client(&ours, &dir, address).hosts().unwrap_err().to_string();
        assert!(text.to_lowercase().contains("certificate"), "{text}");
    }
}
