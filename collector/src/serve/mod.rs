//! The front door: TLS, HTTP/1.1 and HTTP/2, and the check of who knocks.
//!
//! Connections, handshakes, headers and bodies are bounded in number, time and size. Every
//! request needs a certificate in force, save the one that asks for the first certificate; the
//! check is made per request, so a revocation ends even an open connection's rights. Answers
//! that refuse carry a `Problem` that says what to do.

mod admission;
mod connection;
mod problem;
mod refused;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::pki::{Register, Tls};

pub use admission::guard;
pub use problem::{Refusal, problem};

/// Connections at a time. An agent and a console hold one each; more is an attack or a
/// misconfiguration, and waits in the kernel's queue.
const CONNECTIONS: usize = 2_048;

/// Of these, connections whose bearer the register does not know: enrolling agents, and whoever
/// would like to use up all the others.
const STRANGERS: usize = 64;

/// How long a handshake may take before its slot goes to someone else.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long open requests may still run when the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// Pause after a failed accept (descriptors used up), lest the loop spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` behind TLS and the certificate check until `stop` becomes true or its sender
/// is gone. Open requests get a few seconds to end.
pub async fn serve(
    listener: TcpListener,
    tls: Tls,
    router: Router,
    register: Arc<Register>,
    mut stop: watch::Receiver<bool>,
) {
    let lobby = Lobby { register: Arc::clone(&register), strangers: Arc::new(Semaphore::new(STRANGERS)) };
    let router = guard(router, register);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = accept(&listener, &slots) => accepted,
            Some(_) = open.join_next() => continue,
        };
        let Some((stream, peer, slot)) = accepted else { continue };
        let (tls, router, lobby, stop) = (tls.clone(), router.clone(), lobby.clone(), stop.clone());
        open.spawn(async move {
            connection::run(stream, peer, tls, router, lobby, stop).await;
            drop(slot);
        });
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        open.shutdown().await;
    }
}

/// Where strangers wait, apart from those who are known.
#[derive(Clone)]
struct Lobby {
    register: Arc<Register>,
    strangers: Arc<Semaphore>,
}

type Accepted = (tokio::net::TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is a slot for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<Accepted> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, slot)),
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Waits for the wish to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a wish to stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
}
