//! Joining over order, time and bounds; and what others make of the same records, where at hand.

use super::*;
use proptest::prelude::*;
use watchpost_model::{Value, field as f};

const EXEC: [&str; 4] = [
    r#"type=SYSCALL msg=audit(1700000000.100:7): arch=c000003e syscall=59 success=yes exit=0 a0=5 items=2 ppid=10 pid=11 auid=1000 uid=0 ses=3 tty=pts0 comm="curl" exe="/usr/bin/curl" key="run""#,
    r#"type=EXECVE msg=audit(1700000000.100:7): argc=3 a0="curl" a1="--token" a2=682074"#,
    r#"type=CWD msg=audit(1700000000.100:7): cwd="/root""#,
    r#"type=PATH msg=audit(1700000000.100:7): item=0 name="/usr/bin/curl" inode=1"#,
];
const END: &str = "type=EOE msg=audit(1700000000.100:7):";
const OTHER: &str =
    r#"type=SYSCALL msg=audit(1700000000.101:8): syscall=42 success=no pid=12 comm="nc" exe="/bin/nc""#;

fn join(lines: &[&str]) -> Vec<Event> {
    let mut joiner = Joiner::default();
    let mut events: Vec<Event> =
        lines.iter().flat_map(|line| joiner.take(Record::parse(line).unwrap(), Timestamp::EPOCH)).collect();
    events.extend(joiner.finish());
    events
}

#[test]
fn records_among_those_of_another_event_become_one_event() {
    let events = join(&[EXEC[0], OTHER, EXEC[3], EXEC[1], EXEC[2], END]);
    assert_eq!(events.len(), 2);
    let event = events.first().unwrap();
    assert_eq!(event.text(f::PROCESS_EXECUTABLE), Some("/usr/bin/curl"));
    assert_eq!(event.text(f::PROCESS_WORKING_DIRECTORY), Some("/root"));
    assert_eq!(event.text(f::PROCESS_COMMAND_LINE), Some("curl --token ***"));
    assert_eq!(event.text(f::AUDIT_KEY), Some("run"));
    assert_eq!((event.text(f::EVENT_ACTION), event.text(f::EVENT_OUTCOME)), (Some("exec"), Some("success")));
    assert_eq!(event.text(f::EVENT_ID), Some("7"));
    let all = event.to_json().to_string();
    assert!(!all.contains("h t") && !all.contains("682074"), "a secret in hex is one too: {all}");
}

#[test]
fn an_event_without_end_is_told_when_it_is_old_by_either_clock() {
    let mut joiner = Joiner::default();
    let at = |s| Timestamp::EPOCH.plus(Duration::from_secs(s));
    assert!(joiner.take(Record::parse(OTHER).unwrap(), at(0)).is_empty());
    assert!(joiner.overdue(at(1)).is_empty() && joiner.is_holding());
    assert_eq!(joiner.overdue(at(2)).len(), 1);
    assert!(joiner.take(Record::parse(OTHER).unwrap(), at(3)).is_empty());
    let later = OTHER.replace("1700000000.101:8", "1700000003.000:9");
    assert_eq!(joiner.take(Record::parse(&later).unwrap(), at(3)).len(), 1);
}

#[test]
fn events_and_records_held_are_bounded_and_none_is_lost() {
    let mut joiner = Joiner::default();
    let mut told = 0;
    for n in 0..1_000 {
        let line = OTHER.replace(":8)", &format!(":{n})"));
        told += joiner.take(Record::parse(&line).unwrap(), Timestamp::EPOCH).len();
        assert!(joiner.held.len() <= MOST_HELD);
    }
    assert_eq!(told + joiner.finish().len(), 1_000);
    let parts = join(&[OTHER; MOST_RECORDS * 2]);
    assert_eq!(parts.len(), 2);
}

#[test]
fn a_login_names_its_user_and_address() {
    let events = join(&[
        r#"node=a type=USER_LOGIN msg=audit(1700000000.100:9): pid=5 uid=0 auid=4294967295 ses=4294967295 msg='op=login acct=6576 exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=sshd res=failed'"#,
    ]);
    let event = events.first().unwrap();
    assert_eq!((event.text(f::USER_NAME), event.text(f::EVENT_OUTCOME)), (Some("ev"), Some("failure")));
    assert_eq!(event.record.get(f::SOURCE_IP).map(ToString::to_string).as_deref(), Some("192.0.2.7"));
    assert_eq!(event.text(f::EVENT_CATEGORY), Some("authentication"));
}

#[test]
fn a_line_of_the_kernel_ring_is_a_record_and_prose_is_not() {
    let line = r#"Nov 22 10:00:00 web kernel: [ 7.1] audit: type=1400 audit(1700000000.100:9): apparmor="DENIED" operation="open" name="/x""#;
    assert_eq!(Record::parse(line).map(|record| record.kind), Some("AVC".to_owned()));
    for line in [
        "",
        "type=",
        "type=SYSCALL",
        "type=X msg=audit(1:2): a",
        "my type=1 of thing",
        "type=X msg=audit(1.5:x): a",
    ] {
        assert!(Record::parse(line).is_none(), "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_that_stands_after_the_id_breaks_a_record(body in "\\PC{0,200}", kind in "SYSCALL|EXECVE|AVC|SOCKADDR|USER_CMD") {
        let line = format!("type={kind} msg=audit(1700000000.100:9): {body}");
        let record = Record::parse(&line).unwrap();
        let mut joiner = Joiner::default();
        let mut events = joiner.take(record, Timestamp::EPOCH);
        events.extend(joiner.finish());
        prop_assert_eq!(events.len(), 1);
    }

    #[test]
    fn the_order_of_an_events_records_does_not_matter(seed in Just(EXEC.to_vec()).prop_shuffle()) {
        let event = join(&seed).remove(0);
        prop_assert_eq!(event.text(f::PROCESS_COMMAND_LINE), Some("curl --token ***"));
        prop_assert_eq!(event.record.get(f::PROCESS_PID).and_then(Value::as_uint), Some(11));
    }
}
