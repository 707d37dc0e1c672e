//! Peers that must not be trusted: a strange collector, strangers, a revoked agent, a used token.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;
use watchpost_tests::patience::eventually;
use watchpost_tests::site::Site;
use watchpost_tests::wire_client::WireClient;

use crate::{append, batch, kept, line_arrives, link_becomes, only_log, say, status, text};

#[test]
fn an_agent_at_a_strange_collector_says_so_and_loses_nothing() {
    let mut ours = Site::here();
    let strange = Site::here();
    let log = ours.path("app.log");
    let line = |number: u32| format!("Nov 23 10:00:00 web01 app[7]: request-{number}-end\n");
    append(&log, line(0).as_bytes());
    ours.start_agent(&only_log(&log, "syslog"));
    line_arrives(&ours, "request-0-end");

    let home = fs::read_to_string(ours.path("agent.toml")).unwrap();
    let away = home.replace(&ours.address(), &strange.address());
    assert_ne!(home, away);
    ours.agent.as_mut().unwrap().terminate();
    fs::write(ours.path("agent.toml"), away).unwrap();
    ours.restart_agent();
    for number in 1..500 {
        append(&log, line(number).as_bytes());
    }
    let why = link_becomes(&ours, "not_trusted");
    assert!(why.contains("not signed by this agent's CA") && why.contains(&strange.address()), "{why}");
    assert!(ours.agent.as_ref().unwrap().printed().contains("not signed by this agent's CA"));
    eventually("the lines wait in the spool", || {
        (status(&ours)?["spool"]["events"].as_u64()? >= 499).then_some(())
    });
    assert!(strange.list(&["hosts"]).is_empty(), "the strange collector was told nothing");

    ours.agent.as_mut().unwrap().terminate();
    fs::write(ours.path("agent.toml"), home).unwrap();
    ours.restart_agent();
    line_arrives(&ours, "request-499-end");
    let expected: Vec<_> = (0..500).map(|number| format!("request-{number}-end")).collect();
    assert_eq!(kept(&mut ours), expected, "every line arrived, once and in order");
}

/// Says plain HTTP to a port that speaks TLS; what comes back until the connection ends.
fn plain_http(address: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /v1/alerts HTTP/1.1\r\nHost: collector\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(_) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    answer
}

#[test]
fn strangers_are_turned_away_and_known_agents_go_on() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let address = site.address();

    let nobody = WireClient::without_certificate(&site.path("agent"), &address);
    for path in ["/v1/batches", "/v1/alerts", "/no/such/path"] {
        let answer = nobody.post(path, batch(1)).unwrap();
        assert_eq!(answer.status, 401, "{path}: {}", answer.problem);
        assert!(answer.problem.contains("no client certificate"), "{path}: {}", answer.problem);
    }
    assert!(!plain_http(&address).starts_with(b"HTTP/"), "nothing is said in the clear");

    let token = String::from_utf8(site.administer(&["token"]).stdout).unwrap().trim().to_owned();
    let enroll = |folder: &str, token: &str| {
        let state = site.path(folder);
        let target = ["--state-dir", text(&state), "--collector", &address, "--token", token].to_vec();
        say("watchpost-agent", &[&["enroll", "--host", folder][..], &target].concat())
    };
    enroll("second", &token).expect(0, &[]);
    enroll("third", &token).expect(3, &["unknown or used up", "ask for a new token"]);
    enroll("third", "nonsense").expect(3, &["token is not usable"]);
    assert!(!site.path("third/identity.json").exists(), "a refused host has no identity");

    let second = WireClient::of_agent(&site.path("second"), &address);
    assert_eq!(second.post("/v1/batches", batch(1)).unwrap().status, 200);
    let identity: Json =
        serde_json::from_slice(&fs::read(site.path("second/identity.json")).unwrap()).unwrap();
    let revoked = site.administer(&["agents", "revoke", identity["agent"].as_str().unwrap()]);
    assert!(revoked.status.success());
    let answer = second.post("/v1/batches", batch(2)).unwrap();
    assert_eq!(answer.status, 403, "{}", answer.problem);
    assert!(answer.problem.contains("revoked"), "{}", answer.problem);

    // A certificate of another authority does not pass the handshake; mixed from two enrolments.
    let strange = Site::here();
    let token = String::from_utf8(strange.administer(&["token"]).stdout).unwrap().trim().to_owned();
    let state = strange.path("agent");
    let target = ["--state-dir", text(&state), "--collector", &strange.address(), "--token", &token];
    say("watchpost-agent", &[&["enroll"][..], &target].concat()).expect(0, &[]);
    fs::copy(site.path("agent/ca.crt"), state.join("ca.crt")).unwrap();
    let foreign = WireClient::of_agent(&state, &address);
    // What the stranger hears depends on whether the alert or the closing arrives first; no answer
    // ever does.
    assert!(foreign.post("/v1/batches", batch(1)).is_err());

    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-after\n");
    line_arrives(&site, "line-after");
    assert_eq!(kept(&mut site), ["line-before", "line-after"]);
}

#[test]
fn a_revoked_agent_says_so_keeps_its_events_and_sends_them_once_enrolled_again() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let identity: Json =
        serde_json::from_slice(&fs::read(site.path("agent/identity.json")).unwrap()).unwrap();
    assert!(site.administer(&["agents", "revoke", identity["agent"].as_str().unwrap()]).status.success());
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-while-revoked\n");
    let why = link_becomes(&site, "not_accepted");
    assert!(why.contains("revoked") && why.contains("enrol again"), "{why}");
    assert!(site.agent.as_mut().unwrap().ended().is_none(), "the agent waits, it does not end");
    site.agent.as_mut().unwrap().terminate();

    let token = String::from_utf8(site.administer(&["token"]).stdout).unwrap().trim().to_owned();
    let configuration = site.path("agent.toml");
    say("watchpost-agent", &["enroll", "--again", "--config", text(&configuration), "--token", &token])
        .expect(0, &[]);
    site.restart_agent();
    line_arrives(&site, "line-while-revoked");
    assert_eq!(kept(&mut site), ["line-before", "line-while-revoked"]);
}
