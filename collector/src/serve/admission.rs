//! The check before every route: a certificate in force, or the one route that needs none.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio_stream::StreamExt as _;

use super::connection::Peer;
use super::problem;
use crate::identity::{Fingerprint, Identity};
use crate::pki::Register;

/// The one path that a client without a certificate may post to.
pub(crate) const ENROLL: &str = "/v1/enroll";

/// Puts the check before every route of `router`, the unknown ones too. A request that passes
/// carries its [`Identity`] as an extension.
pub fn guard(router: Router, register: Arc<Register>) -> Router {
    router
        .fallback(async || {
            problem(StatusCode::NOT_FOUND, "no such path; is this program as new as the collector?")
        })
        .layer(from_fn_with_state(register, admit))
}

async fn admit(State(register): State<Arc<Register>>, mut request: Request, next: Next) -> Response {
    // Whatever a client claims, who it is comes from the handshake alone.
    request.extensions_mut().remove::<Identity>();
    let peer = request.extensions().get::<Peer>().copied();
    let fingerprint = peer.and_then(|peer| peer.fingerprint);
    let identity = fingerprint.and_then(|fingerprint| register.identity(&fingerprint));
    if let Some(identity) = identity {
        let fingerprint = identity.fingerprint;
        request.extensions_mut().insert(identity);
        return while_in_force(next.run(request).await, register, fingerprint);
    }
    if request.method() == Method::POST && request.uri().path() == ENROLL {
        return next.run(request).await;
    }
    if let Some(peer) = peer {
        tracing::info!(address = %peer.address, path = request.uri().path(), "request refused");
    }
    match fingerprint.map(|fingerprint| register.find(&fingerprint)) {
        None => problem(
            StatusCode::UNAUTHORIZED,
            "no client certificate; enrol this agent with a token, or give the console its identity file",
        ),
        Some(Some(record)) => problem(
            StatusCode::FORBIDDEN,
            format!(
                "the certificate of {:?} was revoked; ask the administrator, then enrol again",
                record.name
            ),
        ),
        Some(None) => problem(
            StatusCode::FORBIDDEN,
            "the certificate is not in this collector's register (restored from an old backup?); enrol again",
        ),
    }
}

/// Ends an answer without a known end (a live stream) once the certificate that asked for it is
/// revoked. Checked before every piece; a live stream has one at least every two seconds.
fn while_in_force(answer: Response, register: Arc<Register>, fingerprint: Fingerprint) -> Response {
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    let in_force = move |_: &_| register.identity(&fingerprint).is_some();
    answer.map(|body| Body::from_stream(body.into_data_stream().take_while(in_force)))
}
