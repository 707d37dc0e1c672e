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
    check_host(&request.host)?;
    let agent = AgentId::derive(now, &[&pki::random::<16>()?]);
    let issued = door.authority.issue(&request.csr, &agent.to_string(), now)?;
    door.tokens.redeem(&request.token, now)?;
    let record = Record {
        name: agent.to_string(),
        role: Role::Agent,
        agent: Some(agent),
        host: request.host.clone(),
        issued: now,
        revoked: None,
    };
    tracing::info!(%agent, host = record.host, "agent enrolled");
    door.register.add(issued.fingerprint, record)?;
    Ok(Enrolled { agent, certificate: issued.pem, ca: door.authority.pem().into() })
}

/// A name that could pass for another (spaces, marks, control characters) costs no token.
fn check_host(host: &str) -> Result<(), pki::Error> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !host.is_empty() && host.chars().count() <= MOST_HOST && host.chars().all(plain) {
        return Ok(());
    }
    Err(pki::Error::Host { name: host.chars().take(64).collect(), most: MOST_HOST })
}

fn refuse(error: &pki::Error) -> Response {
    let status = match error {
        pki::Error::TokenUnknown | pki::Error::TokenExpired(_) => StatusCode::UNAUTHORIZED,
        pki::Error::Request(_) | pki::Error::Host { .. } => StatusCode::BAD_REQUEST,
        _ => {
            tracing::error!(%error, "enrolment failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    problem(status, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_has_letters_of_any_script_digits_and_three_marks() {
        for good in ["web-1", "db_2.example.org", "数据库-02", "h"] {
            assert!(check_host(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\u{202e}b", "<b>", "a/b", "a\nb", "\u{1b}[2J", &"x".repeat(254)] {
            assert!(check_host(bad).is_err(), "{bad:?}");
        }
    }
}
