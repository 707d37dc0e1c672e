//! What a million live groups cost: memory, time per event, and the size of a checkpoint.
//!
//! `cargo run --release -p watchpost-rules --example groups -- [groups] [events per group]`. Memory is
//! what the kernel says the process holds (`VmRSS`), before and after, so everything is in it.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement for people")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::net::Ipv4Addr;
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
title: many users
correlation: {type: value_count, rules: [failed], group-by: [source.ip, host.name], timespan: 1h, condition: {field: user.name, gte: 20}}
";

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn login(detector: &mut Detector, group: u32, round: u32) {
    let time = Timestamp::from_millis(1_790_000_000_000 + i64::from(round) * 1_000);
    let mut event = Event::new(Kind::Auth, time);
    event.record.set(field::EVENT_PROVIDER, "sshd");
    event.record.set(field::EVENT_OUTCOME, "failure");
    event.record.set(field::SOURCE_IP, Ipv4Addr::from_bits(0x0a00_0000 | group));
    event.record.set(field::HOST_NAME, format!("host-{:03}.example.org", group % 200));
    event.record.set(field::USER_NAME, format!("user{round}"));
    detector.observe(&Subject::Typed(&event), EventRef { frame: u64::from(round) + 1, index: group }, time);
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>().expect("a number"));
    let groups = arguments.next().unwrap_or(1_000_000);
    let rounds = arguments.next().unwrap_or(4);
    let set = RuleSet::load(&[Source { name: "groups.yml".into(), text: RULES.into() }]);
    let most = usize::try_from(groups).expect("a number that fits");
    let mut detector = Detector::new(&set).with_groups(most);
    let (before, begun) = (resident(), Instant::now());
    for round in 0..rounds {
        for group in 0..groups {
            login(&mut detector, group, round);
        }
    }
    let took = begun.elapsed();
    let held = resident() - before;
    let events = u64::from(groups) * u64::from(rounds);
    let counters = detector.counters();
    println!("{} live groups of {rounds} events, {} given up", counters.groups, counters.evicted);
    println!("{} B for each, key and entries included", held / u64::from(groups));
    println!("{} ns an event", took.as_nanos() / u128::from(events));
    let begun = Instant::now();
    let saved = detector.changes();
    let bytes: usize = saved.put.iter().map(|(key, value)| key.len() + value.len()).sum();
    println!("{} B a row in {} ms for all", bytes / most, begun.elapsed().as_millis());
    let begun = Instant::now();
    let mut again = Detector::new(&set).with_groups(most);
    let restored = again.restore(&saved.head, &mut saved.put.into_iter()).expect("what was saved");
    println!("{} groups restored in {} ms", restored.groups, begun.elapsed().as_millis());
    let begun = Instant::now();
    for group in 0..1_000 {
        login(&mut detector, 0x00ff_0000 + group, rounds);
    }
    println!("{} ns an event that gives up a group", begun.elapsed().as_nanos() / 1_000);
}
