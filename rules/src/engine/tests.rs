//! Promises of the detector.

use serde_json::{Value as Json, json};
use watchpost_model::alert::{Outcome, Severity};
use watchpost_model::{Kind, field};

use super::*;
use crate::pack::Source;

fn set(text: &str) -> RuleSet {
    let set = RuleSet::load(&[Source { name: "test.yml".into(), text: text.into() }]);
    assert_eq!(set.rejected(), [], "{text}");
    set
}

/// A rule with this detection, on any event.
fn rule(detection: &str) -> RuleSet {
    set(&format!("title: t\nid: one\ndetection:\n{detection}"))
}

fn at(index: u32) -> EventRef {
    EventRef { frame: 1, index }
}

fn fires(set: &RuleSet, json: &Json) -> bool {
    let subject = Subject::Foreign { json, logsource: None };
    !Detector::new(set).observe(&subject, at(0), Timestamp::EPOCH).is_empty()
}

fn check(detection: &str, yes: &[Json], no: &[Json]) {
    let set = rule(detection);
    for event in yes {
        assert!(fires(&set, event), "must fire: {detection} on {event}");
    }
    for event in no {
        assert!(!fires(&set, event), "must stay quiet: {detection} on {event}");
    }
}

#[test]
fn every_modifier_means_what_the_specification_says() {
    let one = |item: &str| format!("  s:\n    {item}\n  condition: s\n");
    check(
        &one("a: x*z"),
        &[json!({"a": "XyyZ"}), json!({"a": ["q", "xz"]})],
        &[json!({"a": "xy"}), json!({})],
    );
    check(&one("a|contains|all: [x, y]"), &[json!({"a": "_y_X"})], &[json!({"a": "x"})]);
    check(&one("a|startswith: [x, y]"), &[json!({"a": "yes"})], &[json!({"a": "no y"})]);
    check(&one("a|endswith: '\\x.exe'"), &[json!({"a": "c:\\X.EXE"})], &[json!({"a": "x.exe"})]);
    check(&one("a|cased: X"), &[json!({"a": "X"})], &[json!({"a": "x"})]);
    check(&one("a|re: ^x[0-9]+$"), &[json!({"a": "x12"})], &[json!({"a": "X12"}), json!({"a": "x"})]);
    check(&one("a|re|i: ^x"), &[json!({"a": "Xyz"})], &[json!({"a": "yx"})]);
    check(
        &one("a|cidr: 10.0.0.0/8"),
        &[json!({"a": "10.1.2.3"})],
        &[json!({"a": "11.1.2.3"}), json!({"a": "x"})],
    );
    check(&one("a: null"), &[json!({}), json!({"a": null})], &[json!({"a": ""})]);
    check(&one("a: ''"), &[json!({"a": ""})], &[json!({"a": "x"}), json!({})]);
    check(&one("a|exists: true"), &[json!({"a": 1})], &[json!({"b": 1})]);
    check(&one("a|exists: false"), &[json!({"b": 1})], &[json!({"a": 1})]);
    check(&one("a: 22"), &[json!({"a": 22}), json!({"a": "22"})], &[json!({"a": 2}), json!({"a": "x22"})]);
    check(&one("a: true"), &[json!({"a": true}), json!({"a": "True"})], &[json!({"a": false})]);
    check(&one("a|gte: 5"), &[json!({"a": 5}), json!({"a": "7.5"})], &[json!({"a": 4}), json!({"a": "x"})]);
    check(&one("a|neq: x"), &[json!({"a": "y"})], &[json!({"a": "X"}), json!({})]);
    check(
        &one("a|fieldref: b"),
        &[json!({"a": "q", "b": "Q"})],
        &[json!({"a": "q", "b": "r"}), json!({"a": "q"})],
    );
    check(&one("a|fieldref|endswith: b"), &[json!({"a": "/x/q", "b": "q"})], &[json!({"a": "q/", "b": "q"})]);
    check(
        &one("a|hour: 3"),
        &[json!({"a": "2026-01-01T03:59:00Z"})],
        &[json!({"a": "2026-01-01T04:00:00Z"})],
    );
    check(&one("a|base64: foo"), &[json!({"a": "Zm9v"})], &[json!({"a": "foo"})]);
}

#[test]
fn base64offset_finds_the_text_at_every_offset() {
    use base64::Engine;
    let detection = "  s:\n    a|base64offset|contains: 'http://'\n  condition: s\n";
    let wide = "  s:\n    a|wide|base64offset|contains: 'ping'\n  condition: s\n";
    for before in ["", "x", "xy", "xyz"] {
        let text = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let plain = text(format!("{before}http://example.org").as_bytes());
        check(detection, &[json!({"a": plain})], &[json!({"a": text(b"https://nothing")})]);
        let utf16: Vec<u8> = "do ping it".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16: Vec<u8> = before.bytes().chain(utf16).collect();
        check(wide, &[json!({"a": text(&utf16)})], &[json!({"a": text(b"do ping it")})]);
    }
}

#[test]
fn windash_takes_any_dash_whichever_the_rule_is_written_with() {
    for written in ["-exec", "/exec", "' -exec'"] {
        let detection = format!("  s:\n    a|contains|windash: {written}\n  condition: s\n");
        let yes = ["x -exec", "x /exec", "x \u{2013}exec", "x \u{2014}EXEC", "x \u{2015}exec"]
            .map(|a| json!({"a": a}));
        check(&detection, &yes, &[json!({"a": "x +exec"})]);
    }
    check("  s:\n    a|windash: a-b\n  condition: s\n", &[json!({"a": "a-b"})], &[json!({"a": "a/b"})]);
}

#[test]
fn keywords_are_sought_in_the_whole_event() {
    check(
        "  k: [evil, bad thing]\n  condition: k\n",
        &[json!({"x": {"y": ["so EVIL"]}})],
        &[json!({"evil": "good"})],
    );
    let all = "  k:\n    '|all': [one, two]\n  condition: k\n";
    check(all, &[json!({"a": "one", "b": "a two"})], &[json!({"a": "one"})]);
}

#[test]
fn conditions_count_and_negate() {
    let body = "  a1:\n    f: 1\n  a2:\n    g: 1\n  a3:\n    h: 1\n  _hidden:\n    z: 1\n  condition: ";
    check(&format!("{body}all of a*\n"), &[json!({"f": 1, "g": 1, "h": 1})], &[json!({"f": 1, "g": 1})]);
    check(&format!("{body}2 of them\n"), &[json!({"f": 1, "h": 1})], &[json!({"f": 1, "z": 1})]);
    check(&format!("{body}a1 and not (a2 or a3)\n"), &[json!({"f": 1})], &[json!({"f": 1, "h": 1})]);
    check(&format!("{body}a1 or a2 and a3\n"), &[json!({"f": 1})], &[json!({"g": 1})]);
}

const SSH: &str = "
title: SSH login failed
id: ssh-failed
name: failed
level: medium
tags: [attack.credential-access, attack.t1110.001, attack.g0001, gbt20986.02001]
logsource: {product: linux, service: sshd}
watchpost: {title_zh: 登录失败, outcome: attempt, advice: look, group_by: [source.ip]}
detection:
  s: {event.outcome: failure, source.ip|cidr: 192.0.2.0/24}
  condition: s
";

fn login(provider: &str) -> Event {
    let mut event = Event::new(Kind::Auth, Timestamp::from_millis(5_000));
    event.record.set(field::EVENT_PROVIDER, provider);
    event.record.set(field::EVENT_OUTCOME, "failure");
    event.record.set(field::SOURCE_IP, std::net::Ipv4Addr::new(192, 0, 2, 7));
    event
}

#[test]
fn a_typed_event_meets_the_rules_of_its_program() {
    let set = set(SSH);
    let mut detector = Detector::new(&set);
    let found = detector.observe(&Subject::Typed(&login("sshd")), at(3), Timestamp::from_millis(5_000));
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(finding.rule.severity, Severity::Medium);
    assert_eq!(finding.rule.outcome, Outcome::Attempt);
    assert_eq!(finding.rule.meta.name_zh, "登录失败");
    assert_eq!(finding.rule.meta.tactics, ["credential_access"]);
    assert_eq!(finding.rule.meta.techniques, ["T1110.001"]);
    assert_eq!(finding.rule.meta.category, "02001");
    assert_eq!(finding.group, [("source.ip".to_owned(), "192.0.2.7".to_owned())]);
    assert_eq!(finding.events, [at(3)]);
    assert!(finding.matched.iter().any(|field| field.field == "source.ip" && field.value == "192.0.2.7"));
    assert!(detector.observe(&Subject::Typed(&login("sudo")), at(4), Timestamp::EPOCH).is_empty());
    assert_eq!(detector.counters().events, 2);
}

#[test]
fn sigma_names_lead_to_our_fields_and_a_rule_fires_once_per_event() {
    let text = "title: t\nid: i\ndetection:\n  s: {destination.port: 23}\n  condition: s\n---\ntitle: z\nid: zeek\nlogsource: {product: zeek, service: conn}\ndetection:\n  s: {id.resp_p: 23, proto: tcp}\n  condition: s\n";
    let set = set(text);
    let mut event = Event::new(Kind::Flow, Timestamp::EPOCH);
    event.record.set(field::DESTINATION_PORT, 23_u16);
    event.record.set(field::NETWORK_TRANSPORT, "tcp");
    let found = Detector::new(&set).observe(&Subject::Typed(&event), at(0), Timestamp::EPOCH);
    let ids: Vec<_> = found.iter().map(|finding| finding.rule.meta.id.as_str()).collect();
    assert_eq!(ids, ["i", "zeek"]);
    assert_eq!(found[1].matched[0].field, "destination.port");
}

#[test]
fn a_filter_narrows_the_rules_it_names() {
    let filter = "---\ntitle: not the scanner\nlogsource: {product: linux}\nfilter:\n  rules: [ssh-failed]\n  selection: {source.ip: 192.0.2.7}\n  condition: not selection\n";
    let set = set(&format!("{SSH}{filter}"));
    assert!(Detector::new(&set).observe(&Subject::Typed(&login("sshd")), at(0), Timestamp::EPOCH).is_empty());
}

#[test]
fn rules_that_nothing_feeds_are_blind() {
    let blind = |logsource: &str, item: &str| {
        let text =
            format!("title: t\nid: i\nlogsource: {logsource}\ndetection:\n  s: {item}\n  condition: s\n");
        set(&text).blind().into_iter().map(|blind| blind.reason).collect::<Vec<_>>()
    };
    assert!(blind("{category: process_creation, product: linux}", "{Image: x}").is_empty());
    assert_eq!(
        blind("{category: process_creation, product: windows}", "{Image: x}"),
        ["no event of ours has the logsource category=process_creation,product=windows"]
    );
    assert_eq!(
        blind("{category: process_creation, product: linux}", "{Image: x, LogonId: y}"),
        ["events of its logsource do not have: LogonId"]
    );
    assert!(blind("{product: linux, service: sshd}", "[word]").is_empty());
}

#[test]
fn a_detector_can_move_to_another_thread() {
    fn send<T: Send>() {}
    send::<Detector>();
    send::<RuleSet>();
}

#[test]
fn the_hash_tells_contents_apart_but_not_places() {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let hash = |sources: &[Source]| RuleSet::load(sources).hash().to_owned();
    let one = hash(&[source("a", SSH), source("b", "x")]);
    assert_eq!(one, hash(&[source("c", "x"), source("d", SSH)]));
    assert_ne!(one, hash(&[source("a", SSH)]));
    assert_eq!(one.len(), 64);
}

#[test]
fn what_can_not_be_joined_is_rejected_and_the_rest_works() {
    let text = format!(
        "{SSH}---{SSH}---\ntitle: c\nid: c\ncorrelation: {{type: event_count, rules: [gone], timespan: 1m, condition: {{gte: 2}}}}\n"
    );
    let set = RuleSet::load(&[Source { name: "x.yml".into(), text }]);
    let reasons: Vec<_> = set.rejected().iter().map(|rejected| rejected.reason.as_str()).collect();
    assert_eq!(set.rules().len(), 1);
    assert!(reasons.iter().any(|reason| reason.contains("already used by x.yml")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("'gone', which is not loaded")), "{reasons:?}");
}

#[test]
fn base_rules_fire_again_where_their_correlation_is_rejected() {
    let text = format!(
        "{SSH}---\ntitle: c\ncorrelation: {{type: value_sum, rules: [failed], timespan: 1m, condition: {{gte: 2}}}}\n"
    );
    let set = RuleSet::load(&[Source { name: "x.yml".into(), text }]);
    assert!(!set.rules()[0].is_silent);
}
