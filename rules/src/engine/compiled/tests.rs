//! The compiled way against the plain way, on generated rules and events.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field};

use crate::matcher::Text;
use crate::taxonomy;
use crate::{Detector, OwnedLogsource, RuleSet, Source, Subject};

use super::fill::{self, Fields};
use super::texts::Texts;

const VALUES: [&str; 22] = [
    "x",
    "'-x'",
    "'*'",
    "xy",
    "'x*y'",
    "'?y'",
    "'*x'",
    "'y*'",
    "'*xy*'",
    "1",
    "-0",
    "1.0",
    "null",
    "''",
    "É",
    "'/x -x'",
    "[x, Y, 1]",
    "['x*', '*y', null]",
    "[1, 2, 3]",
    "['*xx*', '*y1*', '?']",
    "['', xyz]",
    "true",
];

fn item() -> impl Strategy<Value = String> {
    let texts = prop::sample::select(vec![
        "a",
        "b",
        "d.e",
        "a|contains",
        "b|startswith",
        "a|endswith",
        "d.e|endswith",
        "a|contains|all",
        "b|all",
        "b|cased",
        "a|contains|cased",
        "b|windash",
        "b|contains|windash",
        "b|neq",
    ]);
    let others = prop::sample::select(vec![
        "a|exists: true",
        "b|exists: false",
        "c: null",
        "a|gte: 1",
        "b|lt: 1",
        "a|re: 'x.*y'",
        "b|re: 'XY'",
        "b|re|i: 'XY'",
        "a|re: '(xx|yy)[^1]'",
        "b|re|i: ['^x', 'y$']",
        "a|fieldref: b",
        "a|fieldref|contains: b",
        "b|cidr: 10.0.0.0/8",
        "b|base64offset|contains: xy",
        "d.e|re: '[xy]1'",
    ]);
    let text = (texts, prop::sample::select(VALUES.to_vec()));
    prop_oneof![
        3 => text.prop_map(|(key, value)| format!("{key}: {value}")),
        1 => others.prop_map(str::to_owned),
    ]
}

fn key(item: &str) -> &str {
    item.split(':').next().unwrap_or_default()
}

fn selection() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (item(), item()).prop_map(|(one, two)| {
            if key(&one) == key(&two) { format!("{{{one}}}") } else { format!("{{{one}, {two}}}") }
        }),
        2 => (item(), item()).prop_map(|(one, two)| format!("[{{{one}}}, {{{two}}}]")),
        1 => Just("[x, yx]".to_owned()),
        1 => Just("{'|all': [x, y]}".to_owned()),
    ]
}

fn rule() -> impl Strategy<Value = String> {
    let condition = prop::sample::select(vec![
        "s1",
        "s1 and s2",
        "s1 or s2",
        "s1 and not s2",
        "not s1",
        "1 of s*",
        "all of s*",
        "2 of s*",
        "s1 and (s2 or s3)",
        "s1 or not (s2 and not s3)",
        "[s1 and s2, s3]",
    ]);
    let logsource =
        prop::sample::select(vec!["", "logsource: {product: linux}\n", "logsource: {product: zeek}\n"]);
    (selection(), selection(), selection(), condition, logsource).prop_map(
        |(one, two, three, condition, logsource)| {
            format!(
                "{logsource}detection:\n  s1: {one}\n  s2: {two}\n  s3: {three}\n  condition: {condition}\n"
            )
        },
    )
}

fn set(rules: &[String]) -> RuleSet {
    let text: Vec<String> =
        rules.iter().enumerate().map(|(n, rule)| format!("title: r{n}\nid: r{n}\n{rule}")).collect();
    RuleSet::load(&[Source { name: "p.yml".into(), text: text.join("---\n") }])
}

fn leaf() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => "[-/xXyY1Éé ]{0,5}".prop_map(Json::from),
        1 => Just(json!(null)),
        1 => (-2..3_i64).prop_map(Json::from),
        1 => Just(json!(1.0)),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(json!("10.1.2.3")),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => leaf(),
        1 => prop::collection::vec(leaf(), 0..3).prop_map(Json::from),
        1 => leaf().prop_map(|leaf| json!({"#text": leaf})),
        1 => leaf().prop_map(|leaf| json!({"e": leaf})),
    ]
}

/// What fired and why.
fn told(detector: &mut Detector, subject: &Subject<'_>) -> Vec<String> {
    let found = detector.observe(subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH);
    found.iter().map(|finding| format!("{} {:?}", finding.rule.meta.id, finding.matched)).collect()
}

fn ids(detector: &mut Detector, subject: &Subject<'_>) -> Vec<String> {
    let found = detector.observe(subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH);
    found.iter().map(|finding| finding.rule.meta.id.clone()).collect()
}

/// A map whose keys are names that rules may use, where Windows and others keep them.
fn shaped() -> impl Strategy<Value = Json> {
    let name = || {
        prop::sample::select(vec![
            "a",
            "b",
            "d.e",
            "d",
            "Image",
            "NewProcessName",
            "ProcessId",
            "EventID",
            "Provider_Name",
            "Execution_ProcessID",
            "Threat Name",
            "ThreatName",
            "Data",
            "Provider",
            "Execution",
            "e",
        ])
    };
    let map = move || {
        prop::collection::btree_map(name().prop_map(str::to_owned), value(), 0..5).prop_map(|map| json!(map))
    };
    let named = prop::collection::vec((name(), leaf()), 0..3).prop_map(|items| {
        let items: Vec<Json> =
            items.iter().map(|(name, leaf)| json!({"#attributes": {"Name": name}, "#text": leaf})).collect();
        json!({"Data": items})
    });
    let system = (map(), leaf(), leaf()).prop_map(|(mut map, one, two)| {
        if let Some(map) = map.as_object_mut() {
            map.insert("Provider".into(), json!({"#attributes": {"Name": one}}));
            map.insert("Execution".into(), json!({"@ProcessID": two}));
        }
        map
    });
    let data = prop_oneof![map(), named];
    let code = prop_oneof![Just(json!(4688)), Just(json!("4688")), Just(json!(1))];
    (map(), prop::option::of((data, map(), system)), prop::option::of(code)).prop_map(
        |(mut root, event, code)| {
            if let Some(map) = root.as_object_mut() {
                if let Some((data, user, system)) = event {
                    map.insert(
                        "Event".into(),
                        json!({"EventData": data, "UserData": {"Form": user}, "System": system}),
                    );
                }
                if let Some(code) = code {
                    map.insert("EventID".into(), code);
                }
            }
            root
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_compiled_way_finds_what_the_plain_way_finds(
        rules in prop::collection::vec(rule(), 1..10),
        events in prop::collection::vec((value(), value(), prop::option::of(value()), value()), 1..8),
    ) {
        let set = set(&rules);
        prop_assert!(!set.rules().is_empty() || !set.rejected().is_empty());
        let (mut quick, mut plain) = (Detector::new(&set), Detector::plain(&set));
        let linux = OwnedLogsource::parse("product=linux");
        for (a, b, c, e) in events {
            let mut event = json!({"a": a, "b": b, "d": {"e": e}});
            if let (Some(c), Some(map)) = (c, event.as_object_mut()) {
                map.insert("c".into(), c);
            }
            for logsource in [None, linux.as_ref()] {
                let subject = Subject::Foreign { json: &event, logsource };
                prop_assert_eq!(told(&mut quick, &subject), told(&mut plain, &subject), "{}", &event);
            }
        }
    }

    #[test]
    fn events_of_ours_meet_the_same_rules_both_ways(
        rules in prop::collection::vec(rule(), 1..8),
        a in "[-/xXyY1 ]{0,5}", b in prop::collection::vec("[-/xXyY1]{0,4}", 0..3), port in 0..3_u16,
        kind in prop::sample::select(vec![Kind::Flow, Kind::Auth, Kind::Audit, Kind::Process, Kind::Dns]),
    ) {
        // The generated names, as names that our events have.
        let named = |rule: &String| rule.replace("d.e", "destination.port")
            .replace("{a", "{process.name").replace(", a", ", process.name")
            .replace("{b", "{key").replace(", b", ", key").replace("fieldref: b", "fieldref: key");
        let set = set(&rules.iter().map(named).collect::<Vec<_>>());
        let mut event = Event::new(kind, Timestamp::from_millis(1));
        event.record.set(field::PROCESS_NAME, a.as_str());
        event.record.set(field::AUDIT_KEY, b.clone());
        event.record.set(field::AUDIT_DATA, format!("key={a} c=\"{a} y\" c=2"));
        event.record.set(field::DESTINATION_PORT, port);
        event.record.set(field::EVENT_PROVIDER, "sshd");
        let subject = Subject::Typed(&event);
        prop_assert_eq!(told(&mut Detector::new(&set), &subject), told(&mut Detector::plain(&set), &subject));
    }

    #[test]
    fn one_walk_finds_what_asking_for_each_name_finds(event in shaped()) {
        let names = ["a", "b", "d.e", "d", "Image", "ProcessId", "EventID", "Provider_Name", "Execution_ProcessID", "ThreatName", "e"];
        let mut fields = Fields::default();
        for (at, name) in (0..).zip(names) {
            fields.by_name.insert(name.into(), at);
            if name.contains('.') {
                fields.dotted.push((name.into(), at));
            }
            if let Some((_, theirs)) = taxonomy::SECURITY_4688.iter().find(|(ours, _)| *ours == name) {
                fields.renamed.push((theirs, at));
            }
        }
        let mut texts = Texts::default();
        texts.reset(names.len());
        fill::foreign(&event, &fields, &mut texts, &mut String::new());
        for (at, name) in (0..).zip(names) {
            let asked = taxonomy::slot(&event, name);
            prop_assert_eq!(texts.is_present(at), asked.present, "{} in {}", name, &event);
            let shown = |text: Text<'_>| (text.raw.to_owned(), text.folded.to_owned(), text.null);
            let walked: Vec<_> = texts.values(at).map(shown).collect();
            let asked: Vec<_> = asked.values.iter().map(|had| shown(had.lent())).collect();
            prop_assert_eq!(walked, asked, "{} in {}", name, &event);
        }
    }
}

#[test]
fn buffers_serve_one_event_after_another_without_remembering() {
    let set = set(&["detection:\n  s: {a|contains: x, b: null}\n  condition: s\n".to_owned()]);
    let mut detector = Detector::new(&set);
    let mut fires =
        |json: Json| !ids(&mut detector, &Subject::Foreign { json: &json, logsource: None }).is_empty();
    assert!(fires(json!({"a": "axa"})));
    assert!(!fires(json!({"a": "axa", "b": 1})));
    assert!(!fires(json!({"b": null})));
    assert!(fires(json!({"a": ["y", "x"]})));
}

#[test]
fn only_rules_whose_witness_is_there_are_looked_at() {
    let rules: Vec<String> = (0..200)
        .map(|n| format!("detection:\n  s: {{a|endswith: '\\tool.exe', b|contains: 'argument-{n}-'}}\n  f: {{a|re: zz}}\n  condition: s and not f\n"))
        .collect();
    let set = set(&rules);
    let mut detector = Detector::new(&set);
    let event = json!({"a": "c:\\TOOL.exe", "b": "run Argument-7- now"});
    assert_eq!(ids(&mut detector, &Subject::Foreign { json: &event, logsource: None }), ["r7"]);
    assert_eq!(detector.counters().tried, 1);
}
