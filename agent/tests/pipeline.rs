//! The agent's way out, over real TLS: order, repeats, refusals, trust, enrolment, and a whole
//! life with a sensor of paper.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that is wrong should fail loudly")]

mod collector;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use base64::Engine;
use collector::{Authority, Collector, Reply, eventually};
use sha2::{Digest, Sha256};
use watchpost_agent::config;
use watchpost_agent::counters::Counters;
use watchpost_agent::enroll::{self, Request};
use watchpost_agent::run;
use watchpost_agent::run::sensors::Sensors;
use watchpost_agent::ship::{self, Board, Credentials, Https, Link, Shipper};
use watchpost_agent::spool::{Append, Settings, Shared, Spool};
use watchpost_agent::stop::Stop;
use watchpost_model::ledger::Stage;
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Event, Kind, Timestamp, field};

/// A spool with batches 1 to `count`, and a shipper that works on it.
struct Rig {
    _dir: tempfile::TempDir,
    spool: Shared,
    counters: Arc<Counters>,
    board: Board,
    drained: Stop,
    thread: JoinHandle<()>,
}

fn ship_to(addresses: Vec<String>, authority: &Authority, trusted: &Authority, count: u64) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    authority.enrol_into(dir.path(), trusted, &addresses[0]);
    let mut spool = Spool::open(&dir.path().join("spool"), Settings::default(), 5).unwrap().0;
    for _ in 0..count {
        let (sequence, first_event) = spool.next();
        let event = Event::new(Kind::Log, Timestamp::EPOCH);
        let batch = Batch { epoch: 5, sequence, first_event, events: vec![event; 2], ..Batch::default() };
        let payload = wire::pack(&batch).unwrap();
        let positions = BTreeMap::new();
        spool
            .append(&Append { sequence, first_event, events: 2, payload: &payload, positions: &positions })
            .unwrap();
    }
    let spool = Shared::new(spool);
    let transport = Https::new(&ship::Settings {
        collector: addresses,
        server_name: "watchpost-collector".into(),
        credentials: Credentials::within(dir.path()),
    })
    .unwrap();
    let (counters, board, drained) = (Arc::new(Counters::default()), Board::default(), Stop::default());
    let shipper = Shipper::new(spool.clone(), transport, counters.clone(), board.clone(), drained.clone());
    let thread = std::thread::spawn(move || shipper.run());
    Rig { _dir: dir, spool, counters, board, drained, thread }
}

impl Rig {
    fn end(self) {
        self.drained.stop();
        self.thread.join().unwrap();
    }
}

fn busy() -> Reply {
    Reply::Status(503, r#"{"error":"the journal is full"}"#.into())
}

#[test]
fn batches_arrive_in_order_over_busy_answers_and_lost_receipts() {
    let authority = Authority::new();
    let collector = Collector::start(&authority, |number, _, _| match number {
        1 => busy(),
        3 => Reply::Break,
        _ => Reply::Receipt,
    });
    let rig = ship_to(vec![collector.address.to_string()], &authority, &authority, 5);
    eventually("all batches are acknowledged", || rig.spool.stats().events == 0);
    assert_eq!(collector.sequences(), [1, 2, 2, 3, 3, 4, 5]);
    let seen = collector.seen.lock().unwrap();
    assert_eq!(seen[3].1, seen[4].1, "a repeated batch carries the same bytes");
    drop(seen);
    eventually("the counts are entered", || rig.counters.ledger().get(Stage::Wire).passed == 10);
    let status = rig.board.read();
    assert_eq!((status.link, status.last_error), (Link::Up, None));
    assert!(status.last_receipt.is_some() && status.clock_offset.is_some());
    rig.end();
}

#[test]
fn a_refused_batch_is_put_aside_and_does_not_hold_up_the_others() {
    let authority = Authority::new();
    let collector = Collector::start(&authority, |number, _, _| match number {
        1 => Reply::Status(422, r#"{"error":"no"}"#.into()),
        _ => Reply::Receipt,
    });
    let rig = ship_to(vec![collector.address.to_string()], &authority, &authority, 3);
    eventually("nothing waits", || rig.spool.stats().events == 0);
    assert_eq!(collector.sequences(), [1, 2, 3]);
    eventually("the counts are entered", || {
        let wire = rig.counters.ledger().get(Stage::Wire);
        (wire.passed, wire.lost) == (4, 2)
    });
    rig.end();
}

#[test]
fn nothing_is_sent_to_a_collector_of_another_ca() {
    let (ours, other) = (Authority::new(), Authority::new());
    let collector = Collector::start(&other, |_, _, _| Reply::Receipt);
    let rig = ship_to(vec![collector.address.to_string()], &ours, &ours, 1);
    eventually("the mistrust is known", || rig.board.read().link == Link::NotTrusted);
    let why = rig.board.read().last_error.unwrap();
    assert!(why.contains("not signed by this agent's CA"), "{why}");
    assert!(collector.seen.lock().unwrap().is_empty());
    assert_eq!(rig.spool.stats().batches, 1);
    rig.end();
}

#[test]
fn a_revoked_agent_is_told_to_enrol_again_and_keeps_its_batches() {
    let authority = Authority::new();
    let collector =
        Collector::start(&authority, |_, _, _| Reply::Status(403, r#"{"error":"revoked"}"#.into()));
    let rig = ship_to(vec![collector.address.to_string()], &authority, &authority, 1);
    eventually("the refusal is known", || rig.board.read().link == Link::NotAccepted);
    let why = rig.board.read().last_error.unwrap();
    assert!(why.contains("revoked") && why.contains("enrol again"), "{why}");
    assert_eq!(rig.spool.stats().batches, 1);
    rig.end();
}

#[test]
fn an_agent_of_another_ca_learns_that_its_certificate_is_not_accepted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let collector = Collector::start(&other, |_, _, _| Reply::Receipt);
    let rig = ship_to(vec![collector.address.to_string()], &ours, &other, 1);
    eventually("the refusal is known", || rig.board.read().link == Link::NotAccepted);
    assert!(collector.seen.lock().unwrap().is_empty());
    rig.end();
}

#[test]
fn the_next_address_is_tried_when_one_is_dead() {
    let authority = Authority::new();
    let collector = Collector::start(&authority, |_, _, _| Reply::Receipt);
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rig = ship_to(vec![dead.to_string(), collector.address.to_string()], &authority, &authority, 2);
    eventually("both arrive", || rig.spool.stats().events == 0);
    assert_eq!(rig.board.read().address, collector.address.to_string());
    rig.end();
}

fn token(authority: &Authority) -> String {
    let hash: String = Sha256::digest(authority.ca.der()).iter().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::json!({"ca_sha256": hash, "secret": "5ec2e7"}).to_string();
    format!("wp1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json))
}

fn request(dir: &Path, collector: &Collector, token: String) -> Request {
    Request {
        state_dir: dir.to_owned(),
        collector: vec![collector.address.to_string()],
        server_name: "watchpost-collector".into(),
        token,
        host: "web1".into(),
        again: enroll::Again::Refuse,
    }
}

#[test]
fn a_host_enrols_and_its_key_stays_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let authority = Authority::new();
    let (_, _, certificate) = authority.issue("agent");
    let answer = serde_json::json!({
        "agent": "0190f2a4-0000-7000-8000-000000000000", "certificate": certificate, "ca": authority.ca.pem(),
    });
    let collector = Collector::start(&authority, move |_, _, _| Reply::Status(200, answer.to_string()));
    let dir = tempfile::tempdir().unwrap();
    let identity = enroll::enroll(&request(dir.path(), &collector, token(&authority))).unwrap();
    let twice = enroll::enroll(&request(dir.path(), &collector, token(&authority))).unwrap_err().to_string();
    assert!(twice.contains("enrolled already") && twice.contains("--again"), "{twice}");
    assert_eq!(enroll::identity(dir.path()).unwrap(), Some(identity));
    let key = dir.path().join("agent.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let seen = collector.seen.lock().unwrap();
    let asked: serde_json::Value = serde_json::from_slice(&seen[0].1).unwrap();
    assert_eq!((&asked["token"], &asked["host"]), (&"5ec2e7".into(), &"web1".into()));
    assert!(asked["csr"].as_str().unwrap().contains("BEGIN CERTIFICATE REQUEST"));
    assert!(!String::from_utf8_lossy(&seen[0].1).contains("PRIVATE"));
}

#[test]
fn the_tokens_secret_is_never_sent_to_another_ca() {
    let (ours, other) = (Authority::new(), Authority::new());
    let collector = Collector::start(&other, |_, _, _| Reply::Status(200, String::new()));
    let dir = tempfile::tempdir().unwrap();
    let error = enroll::enroll(&request(dir.path(), &collector, token(&ours))).unwrap_err();
    assert!(error.to_string().contains("does not hold the CA that the token names"), "{error}");
    assert!(collector.seen.lock().unwrap().is_empty());
    assert_eq!(enroll::identity(dir.path()).unwrap(), None);
}

#[test]
fn a_spent_token_says_so() {
    let authority = Authority::new();
    let collector = Collector::start(&authority, |_, _, _| {
        Reply::Status(403, r#"{"error":"token already used"}"#.into())
    });
    let dir = tempfile::tempdir().unwrap();
    let error = enroll::enroll(&request(dir.path(), &collector, token(&authority))).unwrap_err().to_string();
    assert!(error.contains("token already used") && error.contains("ask for a new token"), "{error}");
}

#[test]
fn a_whole_life_ships_every_event_and_a_second_one_goes_on_from_there() {
    let authority = Authority::new();
    let collector = Collector::start(&authority, |_, _, _| Reply::Receipt);
    let dir = tempfile::tempdir().unwrap();
    authority.enrol_into(dir.path(), &authority, &collector.address.to_string());
    let flags = [("state_dir", dir.path().display().to_string())];
    let settings = config::load(None, |_| None, &flags).unwrap().settings().unwrap();
    for life in 0..2_u64 {
        let handle = run::start_with(&settings, |feed| {
            for n in 0..2_500 {
                let mut event = Event::new(Kind::Log, Timestamp::EPOCH);
                event.record.set(field::MESSAGE, format!("{life} {n}"));
                feed.inlet.put(event, None, &feed.stop).unwrap();
            }
            // A sensor that goes on living, as real ones do.
            let thread = std::thread::spawn(move || {
                while !feed.stop.sleep(std::time::Duration::from_secs(1)) {
                    let _ = &feed.inlet;
                }
            });
            Sensors { rung: "paper".into(), threads: vec![thread], ..Sensors::default() }
        })
        .unwrap();
        assert!(matches!(run::start(&settings), Err(run::Error::Locked { .. })));
        eventually("all is acknowledged", || {
            handle.status().ledger.get(Stage::Wire).passed == (life + 1) * 2_500 + life
        });
        assert_eq!(handle.status().ledger.lost(), 0);
        handle.check().unwrap();
        handle.stop();
    }
    let status = watchpost_agent::control::Status::read(dir.path()).unwrap().unwrap();
    assert_eq!((status.rung.as_str(), status.shipping.link), ("paper", Link::Up));
    let seen = collector.seen.lock().unwrap();
    let batches: Vec<Batch> = seen.iter().map(|(_, body)| wire::unpack(body).unwrap()).collect();
    let mut next = 1;
    for batch in &batches {
        assert_eq!(batch.first_event, next, "event numbers have a gap");
        next += batch.events.len() as u64;
    }
    assert_eq!(next, 5_003, "both lives' events, and each life's last word");
    let words = batches.iter().flat_map(|batch| &batch.events).filter(|event| event.kind == Kind::HostState);
    assert!(words.clone().all(|event| event.text(field::EVENT_ACTION) == Some("agent_stop")));
    assert_eq!(words.count(), 2);
}
