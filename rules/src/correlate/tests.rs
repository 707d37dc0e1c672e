//! Promises of correlations.

use std::net::Ipv4Addr;

use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field};

use crate::pack::Source;
use crate::{Detector, Finding, RuleSet, Subject};

const BASE: &str = "
title: login failed
name: failed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: failure}, condition: s}
---
title: login came through
name: passed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: success}, condition: s}
---
title: many
";

fn set(correlation: &str) -> RuleSet {
    let text = format!("{BASE}{correlation}");
    let set = RuleSet::load(&[Source { name: "c.yml".into(), text }]);
    assert_eq!(set.rejected(), []);
    set
}

struct Feed {
    detector: Detector,
    index: u32,
}

impl Feed {
    fn new(correlation: &str) -> Self {
        Self { detector: Detector::new(&set(correlation)), index: 0 }
    }

    fn login(&mut self, second: i64, ip: u8, user: &str, outcome: &str) -> Vec<Finding> {
        let time = Timestamp::from_parts(second, 0);
        let mut event = Event::new(Kind::Auth, time);
        event.record.set(field::EVENT_PROVIDER, "sshd");
        event.record.set(field::EVENT_OUTCOME, outcome);
        event.record.set(field::SOURCE_IP, Ipv4Addr::new(192, 0, 2, ip));
        event.record.set(field::USER_NAME, user);
        self.index += 1;
        self.detector.observe(&Subject::Typed(&event), EventRef { frame: 1, index: self.index }, time)
    }

    fn failed(&mut self, second: i64) -> usize {
        self.login(second, 1, "root", "failure").len()
    }
}

const COUNT: &str = "correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 10s, condition: {gte: 3}}\n";

#[test]
fn events_are_counted_per_group_within_the_window() {
    let mut feed = Feed::new(COUNT);
    assert_eq!([feed.failed(1), feed.failed(2)], [0, 0]);
    assert!(feed.login(3, 2, "root", "failure").is_empty());
    let found = feed.login(4, 1, "root", "failure");
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(finding.rule.meta.name, "many");
    assert_eq!(finding.count, Some(3));
    assert_eq!(finding.group, [("source.ip".to_owned(), "192.0.2.1".to_owned())]);
    assert_eq!(finding.events.iter().map(|event| event.index).collect::<Vec<_>>(), [1, 2, 4]);
    assert!(finding.matched.iter().any(|field| field.field == "count" && field.value == "3"));
    assert_eq!(feed.detector.longest_window().as_secs(), 10);
}

#[test]
fn events_further_apart_than_the_window_do_not_add_up() {
    let mut feed = Feed::new(COUNT);
    let fired: usize = (0..20).map(|n| feed.failed(n * 5)).sum();
    assert_eq!(fired, 0, "two events in any 10 s are below three");
}

#[test]
fn a_lasting_attack_speaks_once_per_window() {
    let mut feed = Feed::new(COUNT);
    let fired: usize = (0..40).map(|second| feed.failed(second)).sum();
    assert_eq!(fired, 4, "at 2, 12, 22 and 32 s");
    // A pause, then it becomes true anew.
    let again: usize = (100..103).map(|second| feed.failed(second)).sum();
    assert_eq!(again, 1);
}

#[test]
fn a_late_event_completes_the_window_it_belongs_to() {
    let mut feed = Feed::new(COUNT);
    assert_eq!([feed.failed(1), feed.failed(3), feed.failed(14)], [0, 0, 0]);
    let found = feed.login(2, 1, "root", "failure");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].time, Timestamp::from_parts(3, 0));
    assert_eq!(feed.failed(-60), 0);
    assert_eq!(feed.detector.counters().late, 1);
}

#[test]
fn values_are_counted_once_each() {
    let mut feed = Feed::new(
        "correlation: {type: value_count, rules: [failed], group-by: [source.ip], timespan: 60s, condition: {field: user.name, gt: 2}}\n",
    );
    let users = ["a", "a", "b", "b", "a", "c"];
    let fired: Vec<usize> =
        (0..).zip(users).map(|(n, user)| feed.login(n, 1, user, "failure").len()).collect();
    assert_eq!(fired, [0, 0, 0, 0, 0, 1]);
}

#[test]
fn temporal_needs_all_rules_and_ordered_their_order() {
    let rule = |kind: &str| {
        format!(
            "correlation: {{type: {kind}, rules: [failed, passed], group-by: [source.ip], timespan: 60s}}\n"
        )
    };
    let mut any = Feed::new(&rule("temporal"));
    assert_eq!(any.login(1, 1, "a", "success").len(), 0);
    assert_eq!(any.login(2, 1, "a", "failure").len(), 1);
    let mut ordered = Feed::new(&rule("temporal_ordered"));
    assert_eq!(ordered.login(1, 1, "a", "success").len(), 0);
    assert_eq!(ordered.login(2, 1, "a", "failure").len(), 0);
    assert_eq!(ordered.login(3, 1, "a", "success").len(), 1);
}

#[test]
fn base_rules_speak_only_when_asked_to() {
    assert_eq!(Feed::new(COUNT).failed(1), 0);
    assert_eq!(Feed::new(&format!("{COUNT}generate: true\n")).failed(1), 1);
}

#[test]
fn aliases_join_fields_of_different_names() {
    let mut feed = Feed::new(
        "correlation:\n  type: temporal\n  rules: [failed, passed]\n  group-by: [who]\n  timespan: 60s\n  aliases: {who: {failed: user.name, passed: source.ip}}\n",
    );
    assert_eq!(feed.login(1, 1, "192.0.2.9", "failure").len(), 0);
    assert_eq!(feed.login(2, 9, "x", "success").len(), 1);
}

#[test]
fn evidence_is_bounded_and_keeps_the_last_event() {
    let mut feed = Feed::new(&COUNT.replace("gte: 3", "gte: 200").replace("10s", "1h"));
    let found: Vec<Finding> = (0..200).flat_map(|second| feed.login(second, 1, "a", "failure")).collect();
    assert_eq!(found[0].events.len(), watchpost_model::alert::MOST_EVIDENCE);
    assert_eq!(found[0].events.last().map(|event| event.index), Some(200));
    assert_eq!(found[0].count, Some(200));
}

#[test]
fn too_many_groups_give_up_the_stalest_and_count_them() {
    let mut feed = Feed::new(&COUNT.replace("source.ip", "user.name"));
    let groups = i64::try_from(super::MOST_WINDOWS).unwrap() + 1;
    for n in 0..groups {
        feed.login(n, 1, &format!("user{n}"), "failure");
    }
    let evicted = feed.detector.counters().evicted;
    assert_eq!(evicted, u64::try_from(super::GIVE_UP).unwrap());
}

/// Feeds flows of so many bytes from one source; the seconds at which the correlation fired.
fn fired_at(correlation: &str, flows: &[(i64, u64)]) -> Vec<(i64, Option<u64>)> {
    let base = "title: flow\nname: flow\nlogsource: {category: firewall}\ndetection: {s: {source.bytes|exists: true}, condition: s}\n---\ntitle: figure\n";
    let set = RuleSet::load(&[Source { name: "f.yml".into(), text: format!("{base}{correlation}") }]);
    assert_eq!(set.rejected(), []);
    let mut detector = Detector::new(&set);
    let mut out = Vec::new();
    for (index, (second, bytes)) in (0..).zip(flows) {
        let time = Timestamp::from_parts(*second, 0);
        let mut event = Event::new(Kind::Flow, time);
        event.record.set(field::SOURCE_IP, Ipv4Addr::new(192, 0, 2, 1));
        event.record.set(field::SOURCE_BYTES, *bytes);
        let found = detector.observe(&Subject::Typed(&event), EventRef { frame: 1, index }, time);
        out.extend(found.iter().map(|finding| (*second, finding.count)));
    }
    out
}

fn figure(kind: &str, condition: &str) -> String {
    format!(
        "correlation: {{type: {kind}, rules: [flow], group-by: [source.ip], timespan: 10s, condition: {{field: source.bytes, {condition}}}}}\n"
    )
}

#[test]
fn a_sum_adds_up_what_the_window_holds_and_forgets_what_left_it() {
    let sum = figure("value_sum", "gte: 100");
    assert_eq!(fired_at(&sum, &[(1, 60), (2, 30), (3, 10)]), [(3, Some(100))]);
    assert_eq!(fired_at(&sum, &[(1, 60), (12, 60)]), []);
    // What comes late still counts where it belongs.
    assert_eq!(fired_at(&sum, &[(1, 60), (9, 30), (5, 10)]).len(), 1);
}

#[test]
fn a_mean_may_also_be_too_low() {
    assert_eq!(fired_at(&figure("value_avg", "gt: 50"), &[(1, 40), (2, 70)]), [(2, Some(55))]);
    assert_eq!(fired_at(&figure("value_avg", "lt: 50"), &[(1, 60), (2, 20)]), [(2, Some(40))]);
}

#[test]
fn a_percentile_is_the_number_that_so_many_do_not_exceed() {
    let flows: Vec<(i64, u64)> = (1..=9).map(|n| (n, 10)).chain([(9, 90), (9, 90)]).collect();
    assert_eq!(fired_at(&figure("value_percentile", "percentile: 90, gte: 90"), &flows), [(9, Some(90))]);
    assert_eq!(fired_at(&figure("value_percentile", "gte: 90"), &flows), []);
    assert_eq!(fired_at(&figure("value_median", "gte: 20"), &[(1, 10), (2, 20), (3, 30)]), [(3, Some(20))]);
}

#[test]
fn a_condition_says_which_rules_must_come_together() {
    let mut feed = Feed::new(
        "correlation: {type: temporal, rules: [failed, passed], group-by: [source.ip], timespan: 10s, condition: failed and passed}\n",
    );
    assert_eq!(feed.login(1, 1, "root", "failure").len(), 0);
    assert_eq!(feed.login(2, 2, "root", "success").len(), 0);
    assert_eq!(feed.login(3, 1, "root", "success").len(), 1);
    let mut feed = Feed::new(
        "correlation: {type: temporal, group-by: [source.ip], timespan: 10s, condition: failed or passed}\n",
    );
    assert_eq!(feed.login(1, 1, "root", "failure").len(), 1);
}
