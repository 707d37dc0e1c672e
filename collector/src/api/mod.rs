//! What the console asks and gets: alerts, incidents, hosts, events, the live stream.
//!
//! The paths are those of [`watchpost_model::query`] except enrolment and batches; `docs/api.md`
//! shows each with an example. Every request carries an [`crate::identity::Identity`]
//! from its client certificate: agents read nothing, viewers read, analysts and security
//! administrators also handle alerts. Every refusal says what to do. Reads that may take long
//! run beside the event loop, in bounded number and time.

mod alerts;
mod drills;
mod evidence;
mod hunt;
mod incidents;
mod refusal;
mod stream;
mod terms;

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::Semaphore;
use watchpost_model::asset::Host;
use watchpost_model::query::{MOST_PAGE, Overview, PAGE};

use crate::clock;
use crate::identity::Identity;
use crate::pipeline::Desk;
use refusal::{Refusal, may_read};

/// Reads of the journal at the same time. Each holds a thread and a frame; four keep a busy
/// shift of analysts served without starving ingest of disk.
const MOST_SCANS: usize = 4;

/// Live streams at the same time: stops a reader that reconnects without end.
const MOST_STREAMS: usize = 64;

/// What handlers share.
#[derive(Clone, Debug)]
struct Api {
    desk: Arc<Desk>,
    scans: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// The routes. The caller lays the authentication around them that sets the identity.
pub fn router(desk: Arc<Desk>) -> Router {
    let api = Api {
        desk,
        scans: Arc::new(Semaphore::new(MOST_SCANS)),
        streams: Arc::new(Semaphore::new(MOST_STREAMS)),
    };
    Router::new()
        .route("/v1/overview", get(overview))
        .route("/v1/hosts", get(hosts))
        .route("/v1/alerts", get(alerts::list))
        .route("/v1/alerts/{id}", get(alerts::one))
        .route("/v1/alerts/{id}/events", get(alerts::events))
        .route("/v1/alerts/{id}/triage", post(alerts::triage))
        .route("/v1/incidents", get(incidents::list))
        .route("/v1/incidents/{id}", get(incidents::story))
        .route("/v1/events", get(hunt::events))
        .route("/v1/drills", post(drills::announce))
        .route("/v1/stream", get(stream::live))
        .with_state(api)
}

async fn overview(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
) -> Result<Json<Overview>, Refusal> {
    may_read(identity)?;
    api.blocking(|desk| Ok(Json(desk.overview(clock::now())))).await
}

async fn hosts(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
) -> Result<Json<Vec<Host>>, Refusal> {
    may_read(identity)?;
    Ok(Json(api.desk.book.hosts()))
}

impl Api {
    /// Runs work that reads state or journal beside the event loop.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let desk = Arc::clone(&self.desk);
        let done = tokio::task::spawn_blocking(move || work(&desk)).await;
        done.unwrap_or_else(|_| {
            Err(Refusal::internal("the request failed inside the collector; see its log"))
        })
    }

    /// The same for work that reads many frames; refused while too many others do.
    async fn scan<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.scans).acquire_owned().await.map_err(|_| Refusal::busy())?;
        self.blocking(move |desk| {
            let _permit = permit;
            work(desk)
        })
        .await
    }
}

/// The rows wanted of one page.
fn rows(limit: Option<usize>) -> Result<usize, Refusal> {
    match limit {
        None => Ok(PAGE),
        Some(rows @ 1..=MOST_PAGE) => Ok(rows),
        Some(rows) => Err(Refusal::bad(format!("limit is {rows}; ask for 1 to {MOST_PAGE} rows"))),
    }
}

#[cfg(test)]
mod tests;
