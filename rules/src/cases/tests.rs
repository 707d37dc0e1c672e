//! Promises of cases.

use super::*;

const RULE: &str = "
title: failed
name: failed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: failure}, condition: s}
---
title: brute force
id: brute
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 60s, condition: {gte: 5}}
";

const EVENT: &str =
    "{event.dataset: auth, event.provider: sshd, event.outcome: failure, source.ip: 192.0.2.1}";

fn results(cases: &str) -> Vec<CaseResult> {
    let rule = Source { name: "packs/linux/brute.yml".into(), text: RULE.into() };
    run(&[rule], &Source { name: "packs/linux/brute.cases.yml".into(), text: cases.replace("EVENT", EVENT) })
}

fn only(cases: &str) -> CaseResult {
    let mut results = results(cases);
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0)
}

#[test]
fn a_repeated_event_fires_and_too_few_stay_quiet() {
    let file = "fire:\n- {repeat: 5, every: 1s, count: 1, events: [EVENT]}\nquiet:\n- {repeat: 4, events: [EVENT]}\n- {repeat: 9, every: 30s, events: [EVENT]}\n";
    let results = results(file);
    assert!(results.iter().all(|result| result.passed), "{results:?}");
    assert_eq!(results[0].rule, "brute");
    assert_eq!(results[1].name, "quiet[0]");
}

#[test]
fn a_case_may_say_that_nothing_more_comes() {
    let rule = RULE.replace(
        "timespan: 60s, condition: {gte: 5}}",
        "timespan: 10m, condition: {lt: 1}}\nwatchpost: {absence: true}",
    );
    let cases = "fire:\n- {wait: 10m, count: 1, events: [EVENT]}\nquiet:\n- {wait: 9m, events: [EVENT]}\n- {events: [EVENT]}\n";
    let rule = Source { name: "brute.yml".into(), text: rule };
    let results =
        run(&[rule], &Source { name: "brute.cases.yml".into(), text: cases.replace("EVENT", EVENT) });
    assert!(results.iter().all(|result| result.passed), "{results:?}");
}

#[test]
fn varied_fields_separate_groups() {
    let vary = "quiet:\n- {repeat: 20, every: 1s, vary: {source.ip: \"192.0.2.1..20\"}, events: [EVENT]}\n";
    assert!(only(vary).passed);
    let same = "quiet:\n- {repeat: 20, every: 1s, vary: {source.port: \"1..200\"}, events: [EVENT]}\n";
    assert!(only(same).detail.contains("must stay quiet"));
}

#[test]
fn what_can_not_test_anything_fails() {
    assert!(only("fire: []").detail.contains("no case"));
    assert!(only("rule: other\nfire:\n- {events: [EVENT]}").detail.contains("no rule"));
    assert!(only("fire:\n- {events: []}").detail.contains("no event"));
    assert!(only("fire:\n- {events: [{event.dataset: nothing}]}").detail.contains("event.dataset"));
    assert!(
        only("quiet:\n- {events: [{event.dataset: auth, soruce.ip: 192.0.2.1}]}")
            .detail
            .contains("soruce.ip")
    );
    assert!(!only("flames: 1").passed);
    let explained = only("fire:\n- {events: [EVENT]}").detail;
    assert!(explained.contains("must fire") && explained.contains("counts findings"), "{explained}");
}
