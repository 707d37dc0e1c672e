//! Promises of correlations.

use std::net::Ipv4Addr;

use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field};

use crate::pack::Source;
use crate::{Detector, Finding, RuleSet, Settling, Standing, Subject};

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
    assert_eq!(feed.detector.longest_window().as_secs(), 310, "with what may come late");
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
    assert_eq!(feed.failed(-287), 0);
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
    feed.detector = feed.detector.with_groups(100);
    for n in 0..130 {
        feed.login(n / 100, 1, &format!("user{n}"), "failure");
    }
    let counters = feed.detector.counters();
    assert_eq!((counters.evicted, counters.groups), (30, 100));
    // Those that are left are the freshest, and still count.
    feed.login(2, 1, "user129", "failure");
    assert_eq!(feed.login(2, 1, "user129", "failure").len(), 1);
    assert_eq!(feed.detector.counters().evicted, 30);
}

#[test]
fn what_time_has_passed_is_dropped_without_a_word() {
    let mut feed = Feed::new(&COUNT.replace("source.ip", "user.name"));
    let _ = feed.detector.tick(Timestamp::from_parts(0, 0));
    for n in 0..100 {
        feed.login(0, 1, &format!("user{n}"), "failure");
    }
    assert_eq!(feed.detector.counters().groups, 100);
    let _ = feed.detector.tick(Timestamp::from_parts(310, 0));
    assert_eq!(feed.detector.counters().groups, 100, "an event that is 300 s late still counts");
    let _ = feed.detector.tick(Timestamp::from_parts(311, 0));
    let counters = feed.detector.counters();
    assert_eq!((counters.groups, counters.evicted), (0, 0));
}

#[test]
fn a_late_event_amends_what_was_said_and_does_not_repeat_it() {
    let mut feed = Feed::new(COUNT);
    assert_eq!([feed.failed(10), feed.failed(12)], [0, 0]);
    let first = feed.login(14, 1, "root", "failure").remove(0);
    assert_eq!((first.standing, first.count), (Standing::New, Some(3)));
    let amended = feed.login(11, 1, "root", "failure").remove(0);
    assert_eq!(amended.id, first.id);
    assert_eq!(amended.standing, Standing::Amended { was: 3 });
    // Three were already there at second 12.
    assert_eq!((amended.time, amended.count), (Timestamp::from_parts(12, 0), Some(3)));
    assert_eq!(amended.events.iter().map(|event| event.index).collect::<Vec<_>>(), [1, 4, 2]);
    assert!(feed.login(13, 1, "root", "failure").is_empty(), "what comes after the finding changes nothing");
    assert_eq!(feed.detector.counters().amended, 1);
}

#[test]
fn two_findings_that_are_one_are_merged() {
    let mut feed = Feed::new(&COUNT.replace("10s", "20s"));
    let of = |seconds: &[i64], feed: &mut Feed| -> Vec<Finding> {
        seconds.iter().flat_map(|second| feed.login(*second, 1, "root", "failure")).collect()
    };
    // True at 3, false at 21, true again at 22.
    let said = of(&[1, 1, 3, 21, 22], &mut feed);
    assert_eq!(said.iter().map(|f| f.time.as_seconds()).collect::<Vec<_>>(), [3, 22]);
    assert!(said.iter().all(|finding| finding.standing == Standing::New));
    // With one more it never was false.
    let later = of(&[10], &mut feed);
    assert_eq!(later.len(), 1, "{later:?}");
    assert_eq!(later[0].id, said[1].id);
    assert_eq!(later[0].standing, Standing::Absorbed { into: said[0].id.unwrap() });
}

#[test]
fn what_later_events_deny_is_withdrawn() {
    let mut feed = Feed::new(&COUNT.replace("gte: 3", "eq: 2"));
    feed.failed(10);
    let said = feed.login(12, 1, "root", "failure").remove(0);
    let later = feed.login(11, 1, "root", "failure");
    let kinds: Vec<Standing> = later.iter().map(|finding| finding.standing).collect();
    // At 11 there are two, at 12 three.
    assert_eq!(kinds, [Standing::Amended { was: 2 }]);
    assert_eq!((later[0].id, later[0].time.as_seconds()), (said.id, 11));
    let mut feed = Feed::new(&COUNT.replace("gte: 3", "eq: 1"));
    let said = feed.login(12, 1, "root", "failure").remove(0);
    let later = feed.login(12, 1, "root", "failure");
    assert_eq!((later[0].id, later[0].standing), (said.id, Standing::Withdrawn));
}

#[test]
fn what_comes_too_late_is_counted_and_changes_nothing_that_was_said() {
    let mut feed = Feed::new(COUNT);
    assert_eq!([feed.failed(1_000), feed.failed(700), feed.failed(699)], [0, 0, 0]);
    assert_eq!(feed.detector.counters().late, 1);
    assert_eq!([feed.failed(701), feed.failed(702)], [0, 1]);
}

#[test]
fn one_event_from_the_future_does_not_blind_a_group() {
    let mut feed = Feed::new(COUNT);
    assert_eq!(feed.failed(90_000), 0);
    assert_eq!([feed.failed(1_000), feed.failed(1_001), feed.failed(1_002)], [0, 0, 1]);
    assert_eq!(feed.detector.counters().late, 3, "all of them behind the one");
    // An older log after a newer one begins its windows anew.
    assert_eq!([feed.failed(100), feed.failed(101), feed.failed(102)], [0, 0, 1]);
}

#[test]
fn a_temporal_condition_may_ask_for_some_of_the_rules() {
    let mut feed = Feed::new(
        "correlation: {type: temporal_ordered, rules: [failed, passed, failed], group-by: [source.ip], timespan: 60s, condition: {gte: 2}}\n",
    );
    assert_eq!(feed.login(1, 1, "a", "success").len(), 0);
    assert_eq!(feed.login(2, 1, "a", "failure").len(), 0);
    assert_eq!(feed.login(3, 1, "a", "success").len(), 1);
}

#[test]
fn a_rule_may_have_to_be_absent_and_an_order_may_have_alternatives() {
    let not = "correlation: {type: temporal, rules: [failed, passed], group-by: [source.ip], timespan: 10s, condition: passed and not failed}\n";
    let mut feed = Feed::new(not);
    assert_eq!(feed.failed(1), 0);
    assert_eq!(feed.login(5, 1, "a", "success").len(), 0);
    let said = feed.login(20, 1, "a", "success");
    assert_eq!(said.len(), 1);
    let later = feed.login(15, 1, "a", "failure");
    assert_eq!(later[0].standing, Standing::Withdrawn, "it had failed before after all");
    let turns = "correlation: {type: temporal_ordered, rules: [failed, passed], group-by: [source.ip], timespan: 10s, condition: failed and passed}\n";
    let mut feed = Feed::new(turns);
    assert_eq!(feed.login(1, 1, "a", "success").len(), 0);
    assert_eq!(feed.login(2, 1, "a", "failure").len(), 0);
    assert_eq!(feed.login(3, 1, "a", "success").len(), 1);
    let text = format!("{BASE}{}", not.replace("passed and not failed", "not failed"));
    let set = RuleSet::load(&[Source { name: "c.yml".into(), text }]);
    assert!(set.rejected()[0].reason.contains("nothing happened"), "{:?}", set.rejected());
}

const CHAIN: &str = "name: many
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 10s, condition: {gte: 3}}
---
title: got in
correlation: {type: temporal_ordered, rules: [many, passed], group-by: [source.ip], timespan: 60s}
";

#[test]
fn a_correlation_of_a_correlation_hears_of_late_events_too() {
    let mut feed = Feed::new(CHAIN);
    feed.failed(1);
    feed.failed(3);
    assert_eq!(feed.login(30, 1, "root", "success").len(), 0);
    let said = feed.login(2, 1, "root", "failure");
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((said[0].rule.meta.name.as_str(), said[0].time.as_seconds()), ("got in", 30));
    assert_eq!(said[0].events.len(), 2);
}

const SILENCE: &str = "correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 10m, condition: {lt: 1}}\nwatchpost: {absence: true}\n";

#[test]
fn silence_speaks_once_until_the_group_is_seen_again() {
    let mut feed = Feed::new(SILENCE);
    let tick = |feed: &mut Feed, second| feed.detector.tick(Timestamp::from_parts(second, 0));
    assert!(tick(&mut feed, 0).is_empty());
    feed.failed(0);
    assert!(tick(&mut feed, 300).is_empty());
    feed.failed(0);
    assert!(tick(&mut feed, 899).is_empty(), "measured from when it was last heard");
    let said = tick(&mut feed, 900);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].time.as_seconds(), said[0].count), (900, Some(0)));
    assert_eq!(said[0].events.iter().map(|event| event.index).collect::<Vec<_>>(), [2]);
    assert!(tick(&mut feed, 90_000).is_empty());
    feed.failed(0);
    assert_eq!(tick(&mut feed, 91_000).len(), 1);
}

#[test]
fn without_a_clock_silence_is_measured_by_what_events_say() {
    let mut feed = Feed::new(SILENCE);
    assert_eq!([feed.failed(0), feed.failed(1_100), feed.failed(500)], [0, 0, 0]);
    // 500 to 1100 is just ten minutes; from 1100 on nothing came until 2000.
    assert_eq!(feed.failed(2_000), 0, "a late event may still come");
    let said = feed.login(2_400, 1, "root", "failure");
    assert_eq!(said.iter().map(|finding| finding.time.as_seconds()).collect::<Vec<_>>(), [1_700]);
    assert!(feed.detector.finish().is_empty(), "the end of the input is not a silence");
}

#[test]
fn a_reader_of_last_versions_sees_each_finding_once() {
    let mut feed = Feed::new(&COUNT.replace("gte: 3", "eq: 1"));
    let mut settling = Settling::default();
    for (second, ip) in [(12, 1), (12, 1), (12, 2), (11, 2)] {
        assert!(settling.take(feed.login(second, ip, "root", "failure")).is_empty());
    }
    let last: Vec<(i64, Option<u64>)> =
        settling.finish().iter().map(|finding| (finding.time.as_seconds(), finding.count)).collect();
    assert_eq!(last, [(11, Some(1))]);
}

#[test]
fn saved_windows_of_a_changed_rule_are_not_taken_over_and_damaged_ones_are_refused() {
    let mut feed = Feed::new(COUNT);
    feed.failed(1);
    feed.failed(2);
    let saved = feed.detector.changes();
    assert_eq!(saved.put.len(), 1);
    assert_eq!(feed.detector.changes().put, [], "nothing changed since");
    let mut other = Feed::new(&COUNT.replace("gte: 3", "gte: 4"));
    let restored = other.detector.restore(&saved.head, &mut saved.put.clone().into_iter()).unwrap();
    assert_eq!((restored.groups, restored.foreign.len(), restored.unknown), (0, 1, 1));
    let mut same = Feed::new(COUNT);
    let restored = same.detector.restore(&saved.head, &mut saved.put.clone().into_iter()).unwrap();
    assert_eq!((restored.groups, restored.foreign.len(), restored.unknown), (1, 0, 0));
    assert_eq!(same.failed(3), 1);
    let (key, value) = &saved.put[0];
    for length in 0..value.len() {
        let cut = (key.clone(), value[..length].to_vec());
        assert!(Feed::new(COUNT).detector.restore(&saved.head, &mut std::iter::once(cut)).is_err());
    }
}

#[test]
fn a_group_belongs_to_the_same_part_everywhere() {
    let group = |ip: &str| [("source.ip".to_owned(), ip.to_owned())];
    let of = |ip: &str| super::partition("rule", &group(ip));
    assert_eq!(of("192.0.2.1"), 14_520_046_271_805_022_132, "written down once; state is spread by it");
    let parts: std::collections::BTreeSet<u64> = (0..64).map(|n| of(&n.to_string()) % 8).collect();
    assert_eq!(parts.len(), 8);
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

#[test]
fn a_name_means_the_rule_of_the_same_file_and_an_ambiguous_one_is_refused() {
    let base = |id: &str, outcome: &str| {
        format!(
            "title: {id}\nname: seen\nid: {id}\nlogsource: {{product: linux, service: sshd}}\ndetection:\n  s: {{event.outcome: {outcome}}}\n  condition: s\n"
        )
    };
    let counting = |id: &str| {
        format!(
            "---\ntitle: count {id}\nid: {id}\ncorrelation: {{type: event_count, rules: [seen], group-by: [source.ip], timespan: 60s, condition: {{gte: 1}}}}\n"
        )
    };
    let source = |name: &str, text: String| Source { name: name.into(), text };
    let set = RuleSet::load(&[
        source("a.yml", base("a", "failure")),
        source("b.yml", base("b", "success") + &counting("of-b")),
        source("c.yml", counting("of-any").trim_start_matches("---\n").to_owned()),
    ]);
    let reasons: Vec<&str> = set.rejected().iter().map(|rejected| rejected.reason.as_str()).collect();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains("several files") && set.rejected()[0].file == "c.yml", "{reasons:?}");
    let mut feed = Feed { detector: Detector::new(&set), index: 0 };
    let said = feed.login(1, 1, "root", "success");
    let names: Vec<&str> = said.iter().map(|finding| finding.rule.meta.id.as_str()).collect();
    assert_eq!(names, ["of-b"]);
    let said = feed.login(2, 1, "root", "failure");
    let names: Vec<&str> = said.iter().map(|finding| finding.rule.meta.id.as_str()).collect();
    assert_eq!(names, ["a"]);
}

const RING: &str = "type: event_count, group-by: [source.ip], timespan: 10s, condition: {gte: 1}";

fn loaded(correlations: &str) -> RuleSet {
    let base = "title: base\nname: c0\nlogsource: {category: firewall}\ndetection: {s: {source.bytes|exists: true}, condition: s}\n";
    RuleSet::load(&[Source { name: "c.yml".into(), text: format!("{base}{correlations}") }])
}

#[test]
fn a_tower_of_correlations_is_loaded_up_to_eight_levels_in_whatever_order() {
    let level = |n: usize| {
        format!("---\ntitle: level {n}\nname: c{n}\ncorrelation: {{rules: [c{}], {RING}}}\n", n - 1)
    };
    let upward: String = (1..=1_000).map(level).collect();
    let downward: String = (1..=1_000).rev().map(level).collect();
    for tower in [upward, downward] {
        let set = loaded(&tower);
        assert_eq!((set.rules().len(), set.rejected().len()), (9, 992));
        let ninth = set.rejected().iter().find(|one| one.reason.contains("'level 9'")).unwrap();
        assert!(ninth.reason.contains("stands on 8 levels"), "{}", ninth.reason);
        assert!(ninth.line.is_some() && ninth.file == "c.yml");
        assert!(!set.rejected().iter().any(|one| one.reason.contains("cycle")));
    }
}

#[test]
fn correlations_that_count_each_other_are_refused_as_a_cycle() {
    let one = |name: &str, rules: &str| {
        format!("---\ntitle: the {name}\nname: {name}\ncorrelation: {{rules: [{rules}], {RING}}}\n")
    };
    let set = loaded(
        &[one("a", "b"), one("b", "a"), one("self", "self"), one("on", "a"), one("fine", "c0")].concat(),
    );
    assert_eq!(set.rules().len(), 2);
    let of = |title: &str| {
        let title = format!("correlation '{title}'");
        let found = set.rejected().iter().find(|one| one.reason.starts_with(&title)).unwrap();
        assert!(found.line.is_some() && found.file == "c.yml");
        found.reason.clone()
    };
    for title in ["the a", "the b", "the self"] {
        assert!(of(title).contains("cycle"), "{}", of(title));
    }
    assert!(of("the on").contains("which was refused"), "{}", of("the on"));
}

#[test]
fn many_that_fall_silent_at_once_are_told_over_several_ticks() {
    let mut feed = Feed::new(
        "correlation: {type: event_count, rules: [failed], group-by: [user.name], timespan: 40s, condition: {lt: 1}}\nwatchpost: {absence: true}\n",
    );
    let tick = |feed: &mut Feed, second| feed.detector.tick(Timestamp::from_parts(second, 0)).len();
    assert_eq!(tick(&mut feed, 0), 0);
    for user in 0..1_500 {
        let _ = feed.login(0, 1, &user.to_string(), "failure");
    }
    assert_eq!([tick(&mut feed, 41), tick(&mut feed, 42), tick(&mut feed, 43)], [1_000, 500, 0]);
}
