//! Refusals: a status and a sentence that says what failed and what to do.

use axum::Json;
use axum::extract::Extension;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use watchpost_model::query::{Problem, Role};

use crate::identity::Identity;
use crate::pipeline;

/// A request that is not answered as asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: String,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(super) fn missing(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}; list them to see which there are"))
    }

    pub(super) fn internal(error: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the collector serves too many readers; try again later")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(Problem { error: self.error })).into_response()
    }
}

impl From<pipeline::Error> for Refusal {
    fn from(error: pipeline::Error) -> Self {
        match error {
            pipeline::Error::Triage(refused) => Self::bad(refused.to_string()),
            pipeline::Error::Drill(refused) => Self::bad(refused.to_string()),
            error => {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "a request failed");
                Self::internal(error.to_string())
            }
        }
    }
}

impl From<crate::state::Error> for Refusal {
    fn from(error: crate::state::Error) -> Self {
        pipeline::Error::from(error).into()
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(format!("{}; see docs/api.md for the names", rejection.body_text()))
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad(format!("{}; see docs/api.md for the form", rejection.body_text()))
    }
}

/// Reading is for people, not for agents: an agent's key lies on a host that may fall.
pub(super) fn may_read(identity: Option<Extension<Identity>>) -> Result<Identity, Refusal> {
    let Some(Extension(identity)) = identity else {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "no client certificate; use one made by `watchpost-collector users add`",
        ));
    };
    if identity.role == Role::Agent {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "an agent's certificate reads nothing; use one made by `watchpost-collector users add`",
        ));
    }
    Ok(identity)
}

/// Handling alerts is for analysts and the security administrator. System and audit
/// administrators read only: who runs the system must not be able to wave an attack away.
pub(super) fn may_handle(identity: Option<Extension<Identity>>) -> Result<Identity, Refusal> {
    let identity = may_read(identity)?;
    match identity.role {
        Role::Analyst | Role::SecurityAdministrator => Ok(identity),
        _ => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this certificate may not handle alerts; ask for the role analyst or security_administrator",
        )),
    }
}
