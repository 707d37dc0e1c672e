//! What is said about single events and about several.

use serde_json::json;
use watchpost_model::{Event, Kind, Timestamp, field};

use super::*;
use crate::pack::Source;

fn set() -> RuleSet {
    let text = "title: Login\nid: one\nlogsource: {product: linux, service: sshd}\ndetection:\n  s: {User|startswith: [ro, ad], event.outcome: failure}\n  f: {SourceIP: null}\n  condition: s and not f\n";
    loaded(text)
}

fn loaded(text: &str) -> RuleSet {
    let set = RuleSet::load(&[Source { name: "e.yml".into(), text: text.into() }]);
    assert_eq!(set.rejected(), []);
    set
}

fn login(provider: &str, user: &str) -> Event {
    let mut event = Event::new(Kind::Auth, Timestamp::EPOCH);
    event.record.set(field::EVENT_PROVIDER, provider);
    event.record.set(field::USER_NAME, user);
    event
}

/// Hints about one foreign event under a rule with this selection.
fn hinted(selection: &str, event: &serde_json::Value) -> Vec<String> {
    let text =
        format!("title: t\nid: t\nlogsource: {{product: x}}\ndetection:\n  s: {selection}\n  condition: s\n");
    let said = explain(&loaded(&text), "t", &Subject::Foreign { json: event, logsource: None }).unwrap();
    let mut hints = Vec::new();
    walk(said.tree.as_ref().unwrap(), &mut |item| hints.extend(item.hints.iter().map(ToString::to_string)));
    hints
}

fn walk(part: &Part, each: &mut dyn FnMut(&ItemSays)) {
    match part {
        Part::All { parts, .. } | Part::Any { parts, .. } | Part::Of { parts, .. } => {
            parts.iter().for_each(|part| walk(part, each));
        }
        Part::Not { of, .. } | Part::Selection { of, .. } => walk(of, each),
        Part::Item(item) => each(item),
    }
}

#[test]
fn it_names_the_field_that_is_missing_and_the_value_that_did_not_fit() {
    let said = explain(&set(), "one", &Subject::Typed(&login("sshd", "bob"))).unwrap();
    assert!(!said.fires && said.logsource_fits);
    assert_eq!(said.condition, "(s and not f)");
    let items: Vec<_> = said.selections.iter().flat_map(|selection| &selection.items).collect();
    let user = items.iter().find(|item| item.key == "User|startswith").unwrap();
    assert_eq!((user.had.as_deref(), user.holds, user.field.as_str()), (Some("bob"), false, "user.name"));
    let missing: Vec<_> = items.iter().filter_map(|item| item.missing.as_deref()).collect();
    assert_eq!(missing, ["the event has no source.ip (SourceIP)", "the event has no event.outcome"]);
}

#[test]
fn the_tree_follows_the_condition_and_says_which_part_fails() {
    let said = explain(&set(), "one", &Subject::Typed(&login("sshd", "root"))).unwrap();
    let Some(Part::All { holds: false, parts }) = &said.tree else { panic!("{:?}", said.tree) };
    let names: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Part::Selection { name, holds, .. } => (name.as_str(), *holds),
            Part::Not { holds, .. } => ("not", *holds),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, [("s", false), ("not", false)]);
}

#[test]
fn it_says_that_the_logsource_does_not_fit() {
    let said = explain(&set(), "one", &Subject::Typed(&login("sudo", "root"))).unwrap();
    assert!(!said.logsource_fits);
    let foreign = json!({"User": "root", "event.outcome": "failure", "SourceIP": "::1"});
    let logsource = OwnedLogsource::parse("product=linux,service=sshd");
    let subject = Subject::Foreign { json: &foreign, logsource: logsource.as_ref() };
    assert!(explain(&set(), "one", &subject).unwrap().fires);
    assert!(explain(&set(), "two", &subject).is_none());
}

#[test]
fn a_field_of_another_name_is_pointed_at() {
    let event = json!({"process": {"command_line": "curl x"}, "DestinationPort": 443});
    assert_eq!(
        hinted("{CommandLine|contains: curl}", &event),
        ["the event has process.command_line: curl x"]
    );
    assert_eq!(hinted("{DestPort: 443}", &event), Vec::<String>::new(), "too far to guess");
    assert_eq!(hinted("{DestinationPorts: 443}", &event), ["the event has DestinationPort: 443"]);
    assert_eq!(hinted("{Odd|contains: 'curl x'}", &event), ["curl x stands in process.command_line: curl x"]);
}

#[test]
fn a_value_that_is_nearly_right_is_pointed_at() {
    let event = json!({"Image": "/usr/bin/pyhton3", "Ip": "host", "A": "x1", "B": "x2", "N": "many"});
    let check =
        |selection: &str, expected: &str| assert_eq!(hinted(selection, &event), [expected], "{selection}");
    check("{Image|endswith: [/perl, /python3]}", "nearest is /python3, 2 character(s) away");
    check("{Image|startswith: /bin/}", "the value contains /bin/, but not at its begin");
    check("{Image|contains|cased: BIN/PYHTON}", "only the case differs from BIN/PYHTON");
    check("{Image|re: '^/opt/.*'}", "every match contains /opt/, the value does not");
    check("{Ip|cidr: 10.0.0.0/8}", "the value is not an IP address");
    check("{N|gt: 5}", "the value is not a number");
    check("{A|fieldref: B}", "B is x2");
    check("{A|fieldref: C}", "the event has no C either");
    assert_eq!(hinted("{Image: /usr/bin/tail}", &event), Vec::<String>::new());
    assert_eq!(hinted("{Image|exists: false}", &event), Vec::<String>::new());
}

#[test]
fn a_correlation_is_followed_from_event_to_event() {
    let set = loaded(
        "title: failed\nname: failed\nid: f\nlogsource: {product: linux, service: sshd}\ndetection: {s: {event.outcome: failure}, condition: s}\n---\ntitle: many\nid: many\ncorrelation: {type: event_count, rules: [failed], group-by: [user.name], timespan: 10s, condition: {gte: 3}}\n",
    );
    let event = |second: i64, user: &str, outcome: &str| {
        let mut event = login("sshd", user);
        event.time = Timestamp::from_parts(second, 0);
        event.record.set(field::EVENT_OUTCOME, outcome);
        event
    };
    let events = [
        event(1, "a", "failure"),
        event(2, "a", "success"),
        event(3, "b", "failure"),
        event(9, "a", "failure"),
        event(12, "a", "failure"),
        event(13, "a", "failure"),
    ];
    let subjects: Vec<_> = events.iter().map(|event| (Subject::Typed(event), event.time)).collect();
    let said = count(&set, "many", &subjects).unwrap();
    let counts: Vec<_> = said.steps.iter().map(|step| (step.count, step.holds, step.spoke)).collect();
    let quiet = |count| (count, false, false);
    // The first one has left the window of ten seconds when the fourth failure comes.
    assert_eq!(counts, [quiet(1), quiet(0), quiet(1), quiet(2), quiet(2), (3, true, true)]);
    assert!(said.fires);
    assert_eq!((said.wanted.as_slice(), said.window), ([">= 3".to_owned()].as_slice(), 10));
    assert_eq!(said.steps[3].group, [("user.name".to_owned(), Some("a".to_owned()))]);
    assert!(count(&set, "f", &subjects).is_none(), "not a correlation");
}

#[test]
fn a_temporal_correlation_says_which_rule_it_waits_for() {
    let base = |name: &str, outcome: &str| {
        format!(
            "title: {name}\nname: {name}\nlogsource: {{product: linux, service: sshd}}\ndetection: {{s: {{event.outcome: {outcome}}}, condition: s}}\n---\n"
        )
    };
    let set = loaded(&format!(
        "{}{}title: both\nid: both\ncorrelation: {{type: temporal, rules: [failed, passed], group-by: [user.name], timespan: 1m}}\n",
        base("failed", "failure"),
        base("passed", "success")
    ));
    let mut event = login("sshd", "a");
    event.record.set(field::EVENT_OUTCOME, "failure");
    let said = count(&set, "both", &[(Subject::Typed(&event), event.time)]).unwrap();
    assert_eq!((said.steps[0].waiting.as_slice(), said.fires), (["passed".to_owned()].as_slice(), false));
}
