//! What an event of a flood costs: one account tried on 200 hosts, so that every event falls into
//! one group, and events of the hosts come slightly out of order.
//!
//! `cargo run --release -p watchpost-rules --example flood -- [events]`. For each type of
//! correlation the time per event, matching its rule included, by how many places events come late.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement for people")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::time::Instant;

use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field};
use watchpost_rules::{Detector, RuleSet, Source, Subject};

const RULES: &str = "
title: login failed
name: failed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: failure}, condition: s}
---
title: login came through
name: passed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: success}, condition: s}
";

/// Name, and what the correlation says.
const EVERY: &[(&str, &str)] = &[
    ("none (the rules alone)", ""),
    ("event_count gte 20", "type: event_count, rules: [failed], condition: {gte: 20}"),
    ("event_count eq 20", "type: event_count, rules: [failed], condition: {eq: 20}"),
    ("value_count gte 20", "type: value_count, rules: [failed], condition: {field: host.name, gte: 20}"),
    (
        "value_count gte 500, never",
        "type: value_count, rules: [failed], condition: {field: host.name, gte: 500}",
    ),
    ("temporal_ordered, passed seldom", "type: temporal_ordered, rules: [failed, passed]"),
    (
        "temporal_ordered, never in order",
        "type: temporal_ordered, rules: [passed, failed], condition: {gte: 2}",
    ),
    (
        "temporal, passed and not failed",
        "type: temporal, rules: [failed, passed], condition: passed and not failed",
    ),
    ("value_sum", "type: value_sum, rules: [failed], condition: {field: source.bytes, gte: 1000000}"),
    (
        "value_percentile",
        "type: value_percentile, rules: [failed], condition: {field: source.bytes, percentile: 90, gte: 95}",
    ),
];

/// A few numbers of chance, always the same.
struct Chance(u64);

impl Chance {
    const fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn login(detector: &mut Detector, at: u64, chance: &mut Chance, seldom: u64) -> usize {
    let nanos = i64::try_from(at * 1_000_000).expect("a time");
    let time = Timestamp::from_nanos(1_790_000_000_000_000_000 + nanos);
    let mut event = Event::new(Kind::Auth, time);
    let outcome = if chance.below(1_000) < seldom { "success" } else { "failure" };
    event.record.set(field::EVENT_PROVIDER, "sshd");
    event.record.set(field::EVENT_OUTCOME, outcome);
    event.record.set(field::USER_NAME, "root");
    event.record.set(field::HOST_NAME, format!("host-{:03}.example.org", chance.below(200)));
    event.record.set(field::SOURCE_BYTES, chance.below(100));
    detector.observe(&Subject::Typed(&event), EventRef { frame: at + 1, index: 0 }, time).len()
}

/// Nanoseconds per event, and findings said, where events come late by up to `late` places.
fn flood(of: &str, events: u64, late: u64) -> (u128, usize) {
    let rule = format!("---\ntitle: one\ncorrelation: {{{of}, group-by: [user.name], timespan: 10m}}\n");
    let text = format!("{RULES}{}", if of.is_empty() { "" } else { &rule });
    let set = RuleSet::load(&[Source { name: "flood.yml".into(), text }]);
    assert_eq!(set.rejected(), []);
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut order: Vec<(u64, u64)> = (0..events).map(|at| (at + chance.below(late + 1), at)).collect();
    order.sort_unstable();
    let mut detector = Detector::new(&set);
    let (mut said, seldom) = (0, if of.contains("[failed, passed]") { 2 } else { 0 });
    let begun = Instant::now();
    for (_, at) in order {
        said += login(&mut detector, at, &mut chance, seldom);
    }
    (begun.elapsed().as_nanos() / u128::from(events), said)
}

fn main() {
    let events = std::env::args().nth(1).map_or(20_000, |text| text.parse().expect("a number"));
    println!(
        "| ns an event, late by up to | 0 | 10 | 100 | 1,000 | said |\n| --- | --- | --- | --- | --- | --- |"
    );
    for (name, of) in EVERY {
        let runs = [0, 10, 100, 1_000].map(|late| flood(of, events, late));
        let [a, b, c, d] = runs.map(|(nanos, _)| nanos);
        println!("| {name} | {a} | {b} | {c} | {d} | {} |", runs.map(|(_, said)| said).iter().sum::<usize>());
    }
}
