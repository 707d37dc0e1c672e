//! The API as a client meets it, over a real journal.

use super::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt;
use watchpost_model::alert::{Alert, Triage};
use watchpost_model::incident::Incident;
use watchpost_model::query::{Evidence, IncidentStory, Page, Problem, Role};

use crate::pipeline::tests::{Site, agent, at, failure};

fn identity(role: Role) -> Identity {
    Identity { name: "zhang".into(), role, agent: None, fingerprint: [0; 32] }
}

fn as_role(desk: &Arc<Desk>, role: Role) -> Router {
    router(Arc::clone(desk)).layer(axum::Extension(identity(role)))
}

async fn body(response: axum::response::Response) -> Vec<u8> {
    axum::body::to_bytes(response.into_body(), 10_000_000).await.unwrap().to_vec()
}

async fn get_json<T: serde::de::DeserializeOwned>(router: &Router, path: &str) -> T {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = body(response).await;
    assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

async fn refused(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let problem: Problem = serde_json::from_slice(&body(response).await).unwrap();
    (status, problem.error)
}

/// Three failed logins in two batches, detected.
fn scene() -> (Site, Arc<Desk>) {
    let mut stage = Site::new();
    stage.append(vec![failure(0), failure(1)], 2);
    stage.append(vec![failure(3)], 4);
    let desk = Arc::clone(stage.detect(5).desk());
    (stage, desk)
}

#[tokio::test]
async fn alerts_incidents_and_evidence_tell_one_story() {
    let (_stage, desk) = scene();
    let viewer = as_role(&desk, Role::Viewer);
    let alerts: Page<Alert> = get_json(&viewer, "/v1/alerts").await;
    assert_eq!((alerts.rows.len(), alerts.total), (1, Some(1)));
    let alert = &alerts.rows[0];
    assert_eq!(get_json::<Alert>(&viewer, &format!("/v1/alerts/{}", alert.id)).await, *alert);
    let evidence: Evidence = get_json(&viewer, &format!("/v1/alerts/{}/events", alert.id)).await;
    assert_eq!((evidence.events.len(), evidence.more), (3, 0));
    assert_eq!(evidence.events[2].event["source"]["ip"], "198.51.100.7");
    assert_eq!(evidence.events[2].event["host"]["name"], "web-1");
    assert!(evidence.completeness.contains("2 at queue"), "{}", evidence.completeness);
    let losses: Vec<_> = evidence.losses.iter().map(|entry| (entry.stage, entry.lost)).collect();
    assert_eq!(losses, [(watchpost_model::ledger::Stage::Queue, 2)]);
    let incidents: Page<Incident> = get_json(&viewer, "/v1/incidents").await;
    let story: IncidentStory = get_json(&viewer, &format!("/v1/incidents/{}", incidents.rows[0].id)).await;
    assert_eq!(story.alerts, alerts.rows);
    assert_eq!(story.evidence, [evidence]);
    assert_eq!(story.host.unwrap().agent, agent());
    let overview: Overview = get_json(&viewer, "/v1/overview").await;
    assert_eq!((overview.events, overview.backlog, overview.rules), (3, 0, 2));
    assert_eq!(get_json::<Vec<Host>>(&viewer, "/v1/hosts").await[0].open_alerts, 1);
}

#[tokio::test]
async fn lists_are_filtered_and_paged_newest_first() {
    let mut stage = Site::new();
    // Each more than an hour after the one before: five alerts.
    for number in 0..5 {
        stage.append(vec![failure(number * 4_000)], number * 4_000);
    }
    let desk = Arc::clone(stage.detect(20_000).desk());
    let viewer = as_role(&desk, Role::Viewer);
    let first: Page<Alert> = get_json(&viewer, "/v1/alerts?limit=2").await;
    assert_eq!(first.rows.iter().map(|row| row.first_seen).collect::<Vec<_>>(), [at(16_000), at(12_000)]);
    let path = format!("/v1/alerts?limit=9&before={}", first.rows[1].id);
    let second: Page<Alert> = get_json(&viewer, &path).await;
    assert_eq!(second.rows.len(), 3);
    for (query, expected) in [
        ("severity=critical", 0),
        ("severity=high&open=true", 5),
        ("rule=single", 5),
        ("rule=other", 0),
        ("text=WEB-1", 5),
        ("text=198.51", 5),
        ("text=nobody", 0),
        (&format!("agent={}", agent()), 5),
    ] {
        let page: Page<Alert> = get_json(&viewer, &format!("/v1/alerts?{query}")).await;
        assert_eq!(page.rows.len(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_hunt_finds_by_field_word_and_time() {
    let (_stage, desk) = scene();
    let viewer = as_role(&desk, Role::Viewer);
    for (query, expected) in [
        ("", 3),
        ("?q=source.ip%3D198.51.*", 3),
        ("?q=user.name%3DROOT&limit=2", 2),
        ("?q=nowhere", 0),
        ("?from=2023-11-14T22:13:21Z", 2),
        ("?to=2023-11-14T22:13:20Z", 1),
    ] {
        let page: Page<serde_json::Value> = get_json(&viewer, &format!("/v1/events{query}")).await;
        assert_eq!(page.rows.len(), expected, "{query}");
        assert!(
            page.rows.windows(2).all(|two| two[0]["@timestamp"].as_str() > two[1]["@timestamp"].as_str())
        );
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (_stage, desk) = scene();
    let viewer = as_role(&desk, Role::Viewer);
    let missing = "/v1/alerts/0190f2a4-0000-7000-8000-000000000000";
    for (path, status, said) in [
        ("/v1/alerts?limit=0", StatusCode::BAD_REQUEST, "1 to 1000"),
        ("/v1/alerts?sevrity=high", StatusCode::BAD_REQUEST, "sevrity"),
        ("/v1/alerts/nonsense", StatusCode::BAD_REQUEST, "UUID"),
        (missing, StatusCode::NOT_FOUND, "no alert"),
        ("/v1/incidents/x", StatusCode::BAD_REQUEST, "UUID"),
        ("/v1/events?q=nofield%3D1", StatusCode::BAD_REQUEST, "nofield"),
        ("/v1/events?from=2024-01-01T00:00:00Z&to=2023-01-01T00:00:00Z", StatusCode::BAD_REQUEST, "later"),
    ] {
        let (found, error) = refused(&viewer, path).await;
        assert_eq!(found, status, "{path}");
        assert!(error.contains(said), "{path}: {error}");
    }
}

#[tokio::test]
async fn roles_bound_what_a_certificate_may_do() {
    let (_stage, desk) = scene();
    let paths = ["/v1/overview", "/v1/hosts", "/v1/alerts", "/v1/incidents", "/v1/events", "/v1/stream"];
    for path in paths {
        assert_eq!(refused(&router(Arc::clone(&desk)), path).await.0, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(refused(&as_role(&desk, Role::Agent), path).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let alerts: Page<Alert> = get_json(&as_role(&desk, Role::Viewer), "/v1/alerts").await;
    let path = format!("/v1/alerts/{}/triage", alerts.rows[0].id);
    let change = |role, text: &'static str| {
        let request = Request::post(&path).header("content-type", "application/json").body(Body::from(text));
        as_role(&desk, role).oneshot(request.unwrap())
    };
    let handled = r#"{"triage":"handled"}"#;
    for role in [Role::Agent, Role::Viewer, Role::SystemAdministrator, Role::AuditAdministrator] {
        assert_eq!(change(role, handled).await.unwrap().status(), StatusCode::FORBIDDEN, "{role:?}");
    }
    let silent = change(Role::Analyst, r#"{"triage":"false_positive"}"#).await.unwrap();
    assert_eq!(silent.status(), StatusCode::BAD_REQUEST);
    let done = change(Role::Analyst, handled).await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    let alert: Alert = serde_json::from_slice(&body(done).await).unwrap();
    assert_eq!((alert.triage, alert.owner.as_str()), (Triage::Handled, "zhang"));
    let open: Page<Alert> = get_json(&as_role(&desk, Role::Viewer), "/v1/alerts?open=true").await;
    assert!(open.rows.is_empty());
}

#[tokio::test]
async fn drills_are_announced_by_those_who_handle_alerts() {
    let (_stage, desk) = scene();
    let announce = |role, text: &'static str| {
        let request = Request::post("/v1/drills").header("content-type", "application/json");
        as_role(&desk, role).oneshot(request.body(Body::from(text)).unwrap())
    };
    let drill = r#"{"label":"watchpost-drill-1-sweep","address":"127.66.0.1"}"#;
    for role in [Role::Agent, Role::Viewer, Role::SystemAdministrator, Role::AuditAdministrator] {
        assert_eq!(announce(role, drill).await.unwrap().status(), StatusCode::FORBIDDEN, "{role:?}");
    }
    for strange in [r#"{"label":"root"}"#, r#"{"label":"watchpost-drill-1","address":"198.51.100.7"}"#] {
        let answer = announce(Role::Analyst, strange).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{strange}");
    }
    let told = announce(Role::Analyst, drill).await.unwrap();
    assert_eq!(told.status(), StatusCode::OK);
    let under_way: watchpost_model::query::UnderWay = serde_json::from_slice(&body(told).await).unwrap();
    assert_eq!(under_way.label, "watchpost-drill-1-sweep");
}

#[tokio::test]
async fn the_stream_begins_with_the_situation_and_tells_a_new_alert() {
    use tokio_stream::StreamExt;
    let (mut stage, desk) = scene();
    let request = Request::get("/v1/stream").body(Body::empty()).unwrap();
    let response = as_role(&desk, Role::Viewer).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    stage.append(vec![failure(10_000)], 10_001);
    let worker = stage.detect(10_001);
    while !text.contains("event: incident") {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), stream.next());
        text.push_str(std::str::from_utf8(&next.await.unwrap().unwrap().unwrap()).unwrap());
    }
    drop(worker);
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["overview", "hosts", "alert", "incident"]);
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).nth(2).unwrap();
    assert!(matches!(serde_json::from_str(data), Ok(watchpost_model::query::Live::Alert(_))));
}
