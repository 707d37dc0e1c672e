//! Incidents: the list, and one with its whole story.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use watchpost_model::id::IncidentId;
use watchpost_model::incident::Incident;
use watchpost_model::query::{IncidentQuery, IncidentStory, Page};

use super::evidence::Gatherer;
use super::refusal::{Refusal, may_read};
use super::{Api, rows};
use crate::identity::Identity;
use crate::pipeline::{Desk, record};
use crate::state::Table;

pub(super) async fn list(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
    query: Result<Query<IncidentQuery>, QueryRejection>,
) -> Result<Json<Page<Incident>>, Refusal> {
    may_read(identity)?;
    let Query(query) = query?;
    let limit = rows(query.limit)?;
    api.blocking(move |desk| {
        let before = query.before.map(|id| id.as_bytes().to_vec());
        let found = desk.book.state().range(Table::Incidents, &[], before.as_deref(), true, limit)?;
        let total = u64::try_from(found.len()).ok().filter(|_| before.is_none() && found.len() < limit);
        let rows = found.iter().filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok()).collect();
        Ok(Json(Page { rows, total, incomplete: String::new() }))
    })
    .await
}

pub(super) async fn story(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
    Path(id): Path<String>,
) -> Result<Json<IncidentStory>, Refusal> {
    may_read(identity)?;
    let id: IncidentId = id.parse().map_err(|error| Refusal::bad(format!("{error}")))?;
    api.scan(move |desk| tell(desk, id).map(Json)).await
}

fn tell(desk: &Desk, id: IncidentId) -> Result<IncidentStory, Refusal> {
    let state = desk.book.state();
    let incident = record::incident(state, id)?.ok_or_else(|| Refusal::missing("incident", id))?;
    let mut alerts = Vec::with_capacity(incident.alerts.len());
    for id in &incident.alerts {
        alerts.extend(record::alert(state, *id)?);
    }
    let mut gatherer = Gatherer::new(desk);
    let evidence = alerts.iter().map(|alert| gatherer.gather(alert)).collect();
    Ok(IncidentStory { host: desk.book.host(incident.agent), incident, alerts, evidence })
}
