//! The one form of every refusal.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use watchpost_model::query::Problem;

/// Seconds after which a client may try again what could not be done now.
const COME_BACK: HeaderValue = HeaderValue::from_static("5");

/// A request that is not granted; small enough to travel as an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    error: String,
}

impl Refusal {
    /// A status, and what failed and what to do.
    #[must_use]
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let unavailable = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let mut response = (self.status, Json(Problem { error: self.error })).into_response();
        if unavailable {
            response.headers_mut().insert(RETRY_AFTER, COME_BACK);
        }
        response
    }
}

/// A status with a [`Problem`] that says what failed and what to do.
#[must_use]
pub fn problem(status: StatusCode, error: impl Into<String>) -> Response {
    Refusal::new(status, error).into_response()
}
