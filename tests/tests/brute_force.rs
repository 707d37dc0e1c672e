//! Sources of brute force in a real log, counted by someone else, against a plain Sigma correlation
//! over our own parser: exactly those, whatever the order in which lines come.

use std::collections::BTreeSet;

use watchpost_agent::commands::logs;
use watchpost_model::Event;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, RuleSet, Settling, Source, Subject};

const RULES: &str = "title: Failed password
name: failed_password
id: 0d5cb0f0-5b5e-4f0e-9a31-0c6f5a6f7a01
logsource: {product: linux, service: sshd}
detection:
  s: {event.outcome: failure, message|contains: Failed password for}
  condition: s
---
title: Five in a minute
id: 0d5cb0f0-5b5e-4f0e-9a31-0c6f5a6f7a02
correlation:
  type: event_count
  rules: [failed_password]
  group-by: [source.ip]
  timespan: 60s
  condition: {gte: 5}
";

/// The last version of every finding: group, second, count.
fn found(events: &[(u32, Event)]) -> Vec<(String, i64, Option<u64>)> {
    let set = RuleSet::load(&[Source { name: "five.yml".into(), text: RULES.into() }]);
    assert_eq!(set.rejected(), []);
    let (mut detector, mut settling) = (Detector::new(&set), Settling::default());
    for (index, event) in events {
        let at = EventRef { frame: 1, index: *index };
        assert!(settling.take(detector.observe(&Subject::Typed(event), at, event.time)).is_empty());
    }
    assert_eq!(detector.counters().late, 0);
    let last = settling.finish().into_iter();
    last.map(|finding| (finding.group[0].1.clone(), finding.time.as_seconds(), finding.count)).collect()
}

#[test]
fn a_plain_correlation_finds_exactly_the_sources_that_someone_else_counted() {
    let Some(data) = watchpost_tests::test_data() else {
        watchpost_tests::skipped("brute_force", "no test data; set WATCHPOST_TEST_DATA");
        return;
    };
    let log = data.join("logs/benign/ssh_auth_mixed.log.zst");
    let expected = data.join("logs/benign/ssh_auth_mixed.expected.json");
    let plain = tempfile::NamedTempFile::new().unwrap();
    zstd::stream::copy_decode(std::fs::File::open(log).unwrap(), plain.as_file()).unwrap();
    let mut events: Vec<(u32, Event)> = Vec::new();
    logs::each("auth", plain.path(), &mut |event| {
        events.push((u32::try_from(events.len()).unwrap(), event));
        Ok(())
    })
    .unwrap();
    let facts: serde_json::Value = serde_json::from_reader(std::fs::File::open(expected).unwrap()).unwrap();
    let wanted: BTreeSet<String> =
        serde_json::from_value(facts["facts"]["expected_bruteforce_5_in_60s"].clone()).unwrap();
    let ordered = found(&events);
    let sources: BTreeSet<String> = ordered.iter().map(|(source, ..)| source.clone()).collect();
    assert_eq!(sources, wanted);
    // Each line up to five minutes late, by a rule that has nothing to do with the log.
    let delay = |index: u32| i64::from(index.wrapping_mul(2_654_435_761) % 300);
    let mut shuffled = events.clone();
    shuffled.sort_by_key(|(index, event)| event.time.as_seconds() + delay(*index));
    assert_ne!(shuffled, events);
    let set = |of: Vec<(String, i64, Option<u64>)>| of.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(set(found(&shuffled)), set(ordered));
}
