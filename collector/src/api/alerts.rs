//! Alerts: lists, one, its evidence, its handling.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use watchpost_model::alert::{Alert, Party};
use watchpost_model::id::AlertId;
use watchpost_model::query::{AlertQuery, Evidence, Page, TriageChange};

use super::evidence::Gatherer;
use super::refusal::{Refusal, may_handle, may_read};
use super::{Api, rows};
use crate::clock;
use crate::identity::Identity;
use crate::pipeline::{Desk, record};
use crate::state::Table;

type Identified = Option<Extension<Identity>>;

/// Longest search through the list: an analyst waits for it.
const MOST_TIME: Duration = Duration::from_secs(3);

/// Rows read at a time.
const CHUNK: usize = 500;

pub(super) async fn list(
    State(api): State<Api>,
    identity: Identified,
    query: Result<Query<AlertQuery>, QueryRejection>,
) -> Result<Json<Page<Alert>>, Refusal> {
    may_read(identity)?;
    let Query(query) = query?;
    let limit = rows(query.limit)?;
    api.blocking(move |desk| find(desk, &query, limit).map(Json)).await
}

fn find(desk: &Desk, query: &AlertQuery, limit: usize) -> Result<Page<Alert>, Refusal> {
    let begun = clock::monotonic();
    let text = query.text.as_ref().map(|text| text.to_lowercase());
    let mut page = Page { rows: Vec::new(), total: None, incomplete: String::new() };
    let mut before = query.before.map(|id| id.as_bytes().to_vec());
    loop {
        let chunk = desk.book.state().range(Table::Alerts, &[], before.as_deref(), true, CHUNK)?;
        let Some((last, _)) = chunk.last() else {
            if query.before.is_none() {
                page.total = u64::try_from(page.rows.len()).ok();
            }
            return Ok(page);
        };
        before = Some(last.clone());
        for (_, bytes) in &chunk {
            let Ok(alert) = serde_json::from_slice::<Alert>(bytes) else { continue };
            if !fits(&alert, query, text.as_deref()) {
                continue;
            }
            if page.rows.len() == limit {
                return Ok(page);
            }
            page.rows.push(alert);
        }
        if begun.elapsed() > MOST_TIME {
            page.incomplete = format!("the search stopped after {} s; narrow it", MOST_TIME.as_secs());
            return Ok(page);
        }
    }
}

fn fits(alert: &Alert, query: &AlertQuery, text: Option<&str>) -> bool {
    query.severity.is_none_or(|least| alert.severity >= least)
        && (!query.open || alert.triage.is_open())
        && query.agent.is_none_or(|agent| alert.agent == agent)
        && query.rule.as_ref().is_none_or(|rule| *rule == alert.rule.id)
        && text.is_none_or(|text| mentions(alert, text))
}

fn mentions(alert: &Alert, text: &str) -> bool {
    let party = |party: &Party| {
        let ip = party.ip.map(|ip| ip.to_string());
        let words = [ip, party.name.clone(), party.user.clone(), party.process.clone()];
        words.into_iter().flatten().any(|word| word.to_lowercase().contains(text))
    };
    [&alert.rule.name, &alert.rule.name_zh, &alert.host].iter().any(|word| word.to_lowercase().contains(text))
        || party(&alert.attacker)
        || party(&alert.target)
}

fn read(desk: &Desk, id: &str) -> Result<Alert, Refusal> {
    let id: AlertId = parse(id)?;
    record::alert(desk.book.state(), id)?.ok_or_else(|| Refusal::missing("alert", id))
}

fn parse(id: &str) -> Result<AlertId, Refusal> {
    id.parse().map_err(|error| Refusal::bad(format!("{error}")))
}

pub(super) async fn one(
    State(api): State<Api>,
    identity: Identified,
    Path(id): Path<String>,
) -> Result<Json<Alert>, Refusal> {
    may_read(identity)?;
    api.blocking(move |desk| read(desk, &id).map(Json)).await
}

pub(super) async fn events(
    State(api): State<Api>,
    identity: Identified,
    Path(id): Path<String>,
) -> Result<Json<Evidence>, Refusal> {
    may_read(identity)?;
    api.scan(move |desk| {
        let alert = read(desk, &id)?;
        Ok(Json(Gatherer::new(desk).gather(&alert)))
    })
    .await
}

pub(super) async fn triage(
    State(api): State<Api>,
    identity: Identified,
    Path(id): Path<String>,
    change: Result<Json<TriageChange>, JsonRejection>,
) -> Result<Json<Alert>, Refusal> {
    let identity = may_handle(identity)?;
    let Json(change) = change?;
    let id = parse(&id)?;
    api.blocking(move |desk| {
        let changed = desk.triage(id, &change, &identity.name, clock::now())?;
        changed.map(Json).ok_or_else(|| Refusal::missing("alert", id))
    })
    .await
}
