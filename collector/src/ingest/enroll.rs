//! `POST /v1/enroll`: a token and a signing request for a certificate.
//!
//! The request is checked before the token is used up, so a broken agent does not cost one.
//! A token is used up before the certificate is registered: a crash between the two costs a
//! token, never a certificate that nobody allowed.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;
use watchpost_model::query::{Enroll, Enrolled, Role};

use super::{Door, problem};
use crate::clock;
use crate::pki::{self, Record};

/// Bytes of a request: a signing request for P-256 has about 500.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// Characters of a host name (RFC 1035: 253).
const MOST_HOST: usize = 253;

pub(super) async fn enroll(
    State(door): State<Door>,
    request: Result<Json<Enroll>, JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(rejection) => return problem(rejection.status(), rejection.body_text()),
    };
    // Signing and the state's commit block.
    let done = tokio::task::spawn_blocking(move || admit(&door, &request, clock::now())).await;
    match done {
        Ok(Ok(enrolled)) => Json(enrolled).into_response(),
        Ok(Err(error)) => refuse(&error),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "enrolment broke off; see the collector's log"),
    }
}

fn admit(door: &Door, request: &Enroll, now: Timestamp) -> Result<Enrolled, pki::Error> {
    let agent = AgentId::derive(now, &[&pki::random::<16>()?]);
    let issued = door.authority.issue(&request.csr, &agent.to_string(), now)?;
    door.tokens.redeem(&request.token, now)?;
    let record = Record {
        name: agent.to_string(),
        role: Role::Agent,
        agent: Some(agent),
        host: request.host.chars().filter(|c| !c.is_control()).take(MOST_HOST).collect(),
        issued: now,
        revoked: None,
    };
    tracing::info!(%agent, host = record.host, "agent enrolled");
    door.register.add(issued.fingerprint, record)?;
    Ok(Enrolled { agent, certificate: issued.pem, ca: door.authority.pem().into() })
}

fn refuse(error: &pki::Error) -> Response {
    let status = match error {
        pki::Error::TokenUnknown | pki::Error::TokenExpired(_) => StatusCode::UNAUTHORIZED,
        pki::Error::Request(_) => StatusCode::BAD_REQUEST,
        _ => {
            tracing::error!(%error, "enrolment failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    problem(status, error.to_string())
}
