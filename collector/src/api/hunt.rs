//! Hunts: searches through the raw events, newest first, within bounds.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use watchpost_model::query::{EventQuery, Page};
use watchpost_model::{Event, Timestamp};

use super::refusal::{Refusal, may_read};
use super::terms::Terms;
use super::{Api, rows};
use crate::clock;
use crate::identity::Identity;
use crate::pipeline::{Desk, stamp};

/// Longest hunt; an analyst waits for it.
const MOST_TIME: Duration = Duration::from_secs(3);

/// How far a host's clock may run ahead: frames received this long before `from` end the hunt.
const MOST_AHEAD: Duration = Duration::from_secs(900);

pub(super) async fn events(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Json<Page<serde_json::Value>>, Refusal> {
    may_read(identity)?;
    let Query(query) = query?;
    let limit = rows(query.limit)?;
    let terms = Terms::parse(&query.q).map_err(|error| Refusal::bad(error.to_string()))?;
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from > to
    {
        return Err(Refusal::bad(format!("from ({from}) is later than to ({to}); exchange them")));
    }
    api.scan(move |desk| Ok(Json(hunt(desk, &query, &terms, limit)))).await
}

fn hunt(desk: &Desk, query: &EventQuery, terms: &Terms, limit: usize) -> Page<serde_json::Value> {
    let begun = clock::monotonic();
    let mut found: Vec<(Timestamp, serde_json::Value)> = Vec::new();
    let (mut stopped, mut unreadable) = (String::new(), 0_u64);
    for number in (desk.journal.first()..=desk.journal.last()).rev() {
        if begun.elapsed() > MOST_TIME {
            stopped = format!("stopped after {} s; narrow the time or the host", MOST_TIME.as_secs());
            break;
        }
        let frame = match desk.journal.read(number) {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) => {
                unreadable += 1;
                continue;
            }
        };
        if query.from.is_some_and(|from| frame.received.plus(MOST_AHEAD) < from) {
            break;
        }
        if query.agent.is_some_and(|agent| agent != frame.agent) {
            continue;
        }
        let Ok((events, _)) = stamp::open(&frame) else {
            unreadable += 1;
            continue;
        };
        let fitting = events.iter().rev().filter(|event| fits(event, query, terms));
        found.extend(fitting.take(limit - found.len()).map(|event| (event.time, event.to_json())));
        if found.len() >= limit {
            break;
        }
    }
    found.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    if unreadable > 0 {
        let gap = if stopped.is_empty() { "" } else { "; " };
        stopped = format!("{stopped}{gap}{unreadable} batches could not be read");
    }
    Page { rows: found.into_iter().map(|(_, event)| event).collect(), total: None, incomplete: stopped }
}

fn fits(event: &Event, query: &EventQuery, terms: &Terms) -> bool {
    query.from.is_none_or(|from| event.time >= from)
        && query.to.is_none_or(|to| event.time <= to)
        && terms.hold(event)
}
