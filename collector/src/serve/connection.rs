//! One connection, from handshake to goodbye.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::{HANDSHAKE, Lobby, stopped};
use crate::identity::Fingerprint;
use crate::pki::{Tls, sha256};

/// How long a client may take over its headers, and rest between requests of HTTP/1.1.
const HEADERS: Duration = Duration::from_secs(60);

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 64;

/// Bytes of all headers of one request.
const HEADER_BYTES: u32 = 16 * 1024;

/// How often a silent HTTP/2 peer is asked whether it lives, and how long it may take.
const PING: Duration = Duration::from_secs(30);

/// How long a stranger's connection may last: enrolment is one short request.
const VISIT: Duration = Duration::from_secs(30);

/// What the handshake proved; rides with each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Of the certificate shown, which our authority signed.
    pub(super) fingerprint: Option<Fingerprint>,
}

pub(super) async fn run(
    stream: TcpStream,
    address: SocketAddr,
    tls: Tls,
    router: Router,
    lobby: Lobby,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let Some(stream) = shake_hands(stream, address, tls).await else { return };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = Peer { address, fingerprint: shown.map(|certificate| sha256(certificate)) };
    let known = peer.fingerprint.is_some_and(|shown| lobby.register.identity(&shown).is_some());
    let seat = if known { None } else { lobby.strangers.try_acquire().ok() };
    if !known && seat.is_none() {
        tracing::warn!(%address, "too many connections without a known certificate; this one is closed");
        return;
    }
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.map(Body::new)
    });
    let builder = builder();
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = tokio::time::sleep(VISIT), if !known => return,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "connection broke off");
    }
}

async fn shake_hands(stream: TcpStream, address: SocketAddr, tls: Tls) -> Option<TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls.config).accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => tracing::debug!(%address, %error, "handshake refused"),
        Err(_) => tracing::debug!(%address, "handshake took too long"),
    }
    None
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}
