//! Which alerts tell one story.

use super::*;
use std::net::Ipv4Addr;
use watchpost_model::alert::{Outcome, RuleRef, Triage};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + seconds, 0)
}

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

fn alert(seconds: i64, ip: Option<u8>) -> Alert {
    let attacker = Party { ip: ip.map(|n| Ipv4Addr::new(198, 51, 100, n).into()), ..Party::default() };
    Alert {
        id: AlertId::derive(at(seconds), &[&[ip.unwrap_or(0)]]),
        rule: RuleRef { tactics: vec!["execution".into()], category: "02006".into(), ..RuleRef::default() },
        severity: Severity::Medium,
        first_seen: at(seconds),
        last_seen: at(seconds),
        raised: at(seconds),
        count: 1,
        agent: agent(1),
        host: "h".into(),
        attacker,
        target: Party::default(),
        outcome: Outcome::Unknown,
        group: Vec::new(),
        matched: Vec::new(),
        events: Vec::new(),
        triage: Triage::New,
        owner: String::new(),
        reason: String::new(),
        incident: None,
        drill: String::new(),
    }
}

/// Whether the second alert joins the incident that the first one opens.
fn joins(first: &Alert, second: &Alert) -> bool {
    let incident = open(first, first.raised);
    choose(&[Candidate::of(&incident, &first.drill)], second).is_some()
}

#[test]
fn alerts_join_by_attacker_host_and_time() {
    let table = [
        ("same attacker", alert(0, Some(1)), alert(3_600, Some(1)), true),
        ("same attacker, too late", alert(0, Some(1)), alert(3_601, Some(1)), false),
        ("another attacker", alert(0, Some(1)), alert(1, Some(2)), false),
        ("none after a stranger", alert(0, Some(1)), alert(1, None), true),
        ("a stranger after none", alert(0, None), alert(1, Some(2)), true),
        ("another host", alert(0, None), Alert { agent: agent(2), ..alert(1, None) }, false),
        ("late arrival", alert(3_600, Some(1)), alert(0, Some(1)), true),
        ("a drill and the real thing", Alert { drill: "d".into(), ..alert(0, None) }, alert(1, None), false),
        ("the real thing and a drill", alert(0, None), Alert { drill: "d".into(), ..alert(1, None) }, false),
    ];
    for (name, first, second, expected) in table {
        assert_eq!(joins(&first, &second), expected, "{name}");
    }
}

#[test]
fn what_the_host_itself_does_joins_the_break_in_before_it() {
    let mut outbound = alert(60, Some(9));
    outbound.attacker.name = Some("h".into());
    assert!(joins(&alert(0, Some(1)), &outbound));
}

#[test]
fn the_incident_with_the_same_attacker_comes_before_a_later_one_without() {
    let (stranger, nobody) = (open(&alert(0, Some(1)), at(0)), open(&alert(100, None), at(100)));
    let candidates = [Candidate::of(&stranger, ""), Candidate::of(&nobody, "")];
    assert_eq!(choose(&candidates, &alert(200, Some(1))), Some(stranger.id));
    assert_eq!(choose(&candidates, &alert(200, None)), Some(nobody.id));
}

#[test]
fn an_incident_keeps_the_worst_severity_and_the_order_of_stages() {
    let mut incident = open(&alert(0, None), at(0));
    let mut second = alert(10, Some(1));
    second.severity = Severity::High;
    second.rule.tactics = vec!["persistence".into(), "execution".into()];
    second.rule.category = "02005".into();
    join(&mut incident, &second);
    join(&mut incident, &alert(5, None));
    assert_eq!(incident.severity, Severity::High);
    assert_eq!(incident.stages, ["execution", "persistence"]);
    assert_eq!(incident.categories, ["02006", "02005"]);
    assert_eq!(incident.alerts.len(), 3);
    assert!(incident.alerts.is_sorted());
    assert_eq!(incident.attacker.ip, second.attacker.ip, "a stranger's address is worth knowing");
    assert_eq!(incident.last_seen, at(10));
    let before = incident.clone();
    join(&mut incident, &second);
    assert_eq!(incident, before, "joining twice changes nothing");
}

#[test]
fn a_settled_incident_closes_once_and_opens_again() {
    let mut incident = open(&alert(0, None), at(0));
    settle(&mut incident, false, at(5));
    settle(&mut incident, false, at(9));
    assert_eq!(incident.closed, Some(at(5)));
    settle(&mut incident, true, at(10));
    assert_eq!(incident.closed, None);
}

#[test]
fn a_victim_that_calls_back_is_a_step_of_the_same_story_whichever_is_heard_first() {
    let party = |n: u8| Party { ip: Some(Ipv4Addr::new(198, 51, 100, n).into()), ..Party::default() };
    let attack = Alert { target: party(2), ..alert(0, Some(1)) };
    let callback = Alert { target: party(1), ..alert(1, Some(2)) };
    for (first, second) in [(&attack, &callback), (&callback, &attack)] {
        assert!(joins(first, second));
        let mut incident = open(first, first.raised);
        join(&mut incident, second);
        assert_eq!(incident.attacker.ip, attack.attacker.ip, "who began");
        assert_eq!(incident.alerts, [attack.id, callback.id], "in the order of events");
    }
    assert!(!joins(&attack, &Alert { target: party(4), ..alert(1, Some(3)) }), "strangers to it");
}

#[test]
fn the_stage_of_what_happened_first_stands_first_though_it_was_heard_of_late() {
    let mut incident = open(&alert(5, Some(1)), at(5));
    let rule = RuleRef { tactics: vec!["initial_access".into()], ..RuleRef::default() };
    join(&mut incident, &Alert { rule, ..alert(0, Some(1)) });
    assert_eq!(incident.stages, ["initial_access", "execution"]);
}
