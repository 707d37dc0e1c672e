//! Liveness, health and the ledger of hosts.

use super::*;
use watchpost_model::{Kind, Value, field as f};

const LIMIT: Duration = Duration::from_secs(30);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + seconds, 0)
}

fn agent() -> AgentId {
    AgentId::from_bytes([7; 16])
}

fn arrival(frame: u64, first_event: u64, events: u32, seconds: i64) -> Arrival {
    Arrival { frame, epoch: 1, first_event, events, received: at(seconds) }
}

#[test]
fn gaps_in_event_numbers_are_losses_of_the_journal() {
    let mut assets = Assets::default();
    assets.heard(agent(), arrival(1, 1, 10, 0));
    assets.heard(agent(), arrival(2, 16, 4, 1));
    let journal = assets.get(agent()).unwrap().host.ledger.get(Stage::Journal);
    assert_eq!((journal.passed, journal.lost), (14, 5));
    // A new spool counts from one again: no gap, unless its first batch is not the first.
    assets.heard(agent(), Arrival { epoch: 2, ..arrival(3, 3, 1, 2) });
    assert_eq!(assets.get(agent()).unwrap().host.ledger.get(Stage::Journal).lost, 7);
}

#[test]
fn a_host_that_enrolled_anew_and_goes_on_with_its_spool_has_lost_nothing() {
    let mut assets = Assets::default();
    assets.enrolled(agent(), "web-1", at(0), false);
    assets.heard(agent(), arrival(1, 5_001, 10, 1));
    let journal = |assets: &Assets| assets.get(agent()).unwrap().host.ledger.get(Stage::Journal);
    assert_eq!((journal(&assets).passed, journal(&assets).lost), (10, 0));
    assets.heard(agent(), arrival(2, 5_013, 1, 2));
    assert_eq!(journal(&assets).lost, 2, "from then on gaps count");
}

#[test]
fn an_agent_can_not_tell_the_collectors_own_stages() {
    let mut assets = Assets::default();
    assets.heard(agent(), arrival(1, 1, 10, 0));
    let mut told = Ledger::default();
    told.set(Stage::Kernel, 100, 3);
    told.set(Stage::Journal, 0, 999);
    assets.told(agent(), "web-1", &told, at(0));
    assets.detected(agent(), 9, 1, at(0));
    let host = &assets.get(agent()).unwrap().host;
    assert_eq!(host.name, "web-1");
    assert_eq!(host.ledger.get(Stage::Kernel).lost, 3);
    assert_eq!(host.ledger.get(Stage::Journal).lost, 0);
    assert_eq!((host.ledger.get(Stage::Detect).passed, host.ledger.lost()), (9, 4));
}

#[test]
fn a_host_falls_silent_once_and_wakes_with_its_next_batch() {
    let mut assets = Assets::default();
    assert!(assets.heard(agent(), arrival(1, 1, 1, 0)));
    assert!(!assets.heard(agent(), arrival(2, 2, 1, 1)));
    assert!(assets.fall_silent(LIMIT, at(0), at(31)).is_empty());
    assert_eq!(assets.fall_silent(LIMIT, at(0), at(32)).len(), 1);
    assert!(assets.fall_silent(LIMIT, at(0), at(33)).is_empty());
    assert_eq!(assets.get(agent()).unwrap().host.liveness, Liveness::Silent);
    assert!(assets.heard(agent(), arrival(3, 3, 1, 40)));
    assert_eq!(assets.get(agent()).unwrap().host.liveness, Liveness::Online);
}

#[test]
fn a_collector_that_was_away_waits_before_it_calls_hosts_silent() {
    let mut assets = Assets::default();
    assets.heard(agent(), arrival(1, 1, 1, 0));
    assert!(assets.fall_silent(LIMIT, at(1_000), at(1_030)).is_empty());
    assert_eq!(assets.fall_silent(LIMIT, at(1_000), at(1_031)).len(), 1);
}

#[test]
fn an_agent_that_said_it_stops_is_silent_without_an_alert() {
    let mut assets = Assets::default();
    assets.heard(agent(), arrival(1, 1, 1, 0));
    let mut stop = Event::new(Kind::HostState, at(0));
    stop.record.set(f::EVENT_ACTION, "agent_stop");
    assets.state(agent(), &stop);
    assert!(assets.fall_silent(LIMIT, at(0), at(60)).is_empty());
    assert_eq!(assets.get(agent()).unwrap().host.liveness, Liveness::Silent);
}

#[test]
fn a_heartbeat_fills_health_and_survives_storage() {
    let mut assets = Assets::default();
    assets.heard(agent(), arrival(1, 1, 1, 0));
    let mut beat = Event::new(Kind::HostState, at(0));
    beat.record.set(f::HOST_MEMORY_TOTAL, 100_u64);
    beat.record.set(f::HOST_MEMORY_AVAILABLE, 25_u64);
    beat.record.set(f::HOST_CPU_USAGE, f64::NAN);
    beat.record.set(f::AGENT_BLIND, vec!["no audit".to_owned()]);
    beat.record.set(f::HOST_IP, vec![Value::Ip(std::net::Ipv4Addr::LOCALHOST.into())]);
    assets.state(agent(), &beat);
    let entry = assets.take_changed().pop().unwrap();
    assert!((entry.host.memory - 0.75).abs() < 1e-9);
    assert_eq!((entry.host.blind[0].as_str(), entry.host.ips[0].as_str()), ("no audit", "127.0.0.1"));
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    assert!(assets.take_changed().is_empty());
}

#[test]
fn a_host_written_without_the_collectors_own_parts_can_be_read() {
    let plain = serde_json::to_string(&Entry::new(agent(), "h", at(0)).host).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&plain).unwrap(), Entry::new(agent(), "h", at(0)));
}

#[test]
fn the_same_silence_has_the_same_alert() {
    let mut assets = Assets::default();
    assets.heard(agent(), arrival(1, 1, 1, 0));
    let entry = assets.get(agent()).unwrap();
    let (first, again) = (silence_alert(entry, at(40)), silence_alert(entry, at(90)));
    assert_eq!((first.key, first.alert.id), (again.key, again.alert.id));
    assert_eq!(first.alert.events.len(), 1);
    assert_eq!((first.alert.rule.id.as_str(), first.alert.rule.name.as_str()), (SILENCE_RULE, "Host silent"));
}

#[test]
fn the_register_says_who_was_enrolled_and_who_was_revoked() {
    let mut assets = Assets::default();
    assets.enrolled(agent(), "web-1", at(0), false);
    let host = |assets: &Assets| assets.get(agent()).unwrap().host.clone();
    assert_eq!((host(&assets).name.as_str(), host(&assets).liveness), ("web-1", Liveness::Never));
    assert!(assets.fall_silent(LIMIT, at(0), at(100)).is_empty(), "never heard is not fallen silent");
    assets.heard(agent(), arrival(1, 1, 1, 5));
    assets.enrolled(agent(), "web-1", at(0), true);
    assert_eq!(host(&assets).liveness, Liveness::Revoked);
    assert!(assets.fall_silent(LIMIT, at(0), at(100)).is_empty(), "revoked is not fallen silent");
    // A batch received just before the revocation does not bring it back.
    assets.heard(agent(), arrival(2, 2, 1, 6));
    assert_eq!(host(&assets).liveness, Liveness::Revoked);
    assets.take_changed();
    assets.enrolled(agent(), "web-1", at(0), true);
    assert!(assets.take_changed().is_empty(), "nothing new, nothing written");
}
