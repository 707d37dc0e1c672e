//! Our engine against rsigma 0.23, which shares the YAML reader and nothing after it: generated
//! rules and events, and the public rules on the public events.
//!
//! The two agree but where [`FAULTS`] says otherwise; each line is an example of what rsigma does
//! differently from the specification, and fails as soon as it no longer does. What is generated
//! keeps away from these, and from what the specification leaves open (maps and nulls as values).

#[path = "../../../tests/generate/mod.rs"]
mod generate;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;
use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use serde_json::{Map, Value as Json, json};
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, Finding, RuleSet, Source, Subject, pack};

/// Of so many public events, one is held against every rule the plain way too.
const PLAINLY: usize = 16;

/// What a rule is, an event that tells the engines apart, and whether ours fires; rsigma says the
/// opposite.
const FAULTS: &[(&str, &str, &str, bool)] = &[
    (
        "a rule with a slash takes dashes",
        r#"{"s":{"a|windash|contains":" /f"},"condition":"s"}"#,
        r#"{"a":"x -f"}"#,
        true,
    ),
    (
        "windash leaves wildcards their meaning",
        r#"{"s":{"a|windash":"-x*"},"condition":"s"}"#,
        r#"{"a":"-xyz"}"#,
        true,
    ),
    ("a star crosses line breaks", r#"{"s":{"a":"x*y"},"condition":"s"}"#, r#"{"a":"x\ny"}"#, true),
    (
        "all keywords, each anywhere",
        r#"{"s":{"|all":["one","two"]},"condition":"s"}"#,
        r#"{"a":"one","b":"two"}"#,
        true,
    ),
    ("exists is blind to the value", r#"{"s":{"a|exists":true},"condition":"s"}"#, r#"{"a":null}"#, true),
    (
        "a reference to any element of a list",
        r#"{"s":{"a|fieldref":"b"},"condition":"s"}"#,
        r#"{"a":"x","b":["y","x"]}"#,
        true,
    ),
    (
        "a pattern of two stars",
        r#"{"s_a_x":{"a":"x"},"t":{"b":"x"},"condition":"1 of *_a_*"}"#,
        r#"{"a":"x"}"#,
        true,
    ),
    (
        "a number of seventeen digits",
        r#"{"s":{"a":9007199254740993},"condition":"s"}"#,
        r#"{"a":9007199254740992}"#,
        false,
    ),
];

fn text(detection: &Json) -> String {
    json!({"title": "t", "id": "t", "logsource": {}, "detection": detection}).to_string()
}

fn ours(text: &str, json: &Json) -> bool {
    let set = RuleSet::load(&[Source { name: "d.yml".into(), text: text.into() }]);
    assert_eq!(set.rejected(), [], "{text}");
    let subject = Subject::Foreign { json, logsource: None };
    !Detector::new(&set).observe(&subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH).is_empty()
}

/// `None` where it does not take the rule.
fn theirs(text: &str, json: &Json) -> Option<bool> {
    let found = rsigma_parser::parse_sigma_yaml(text).ok()?;
    let mut engine = Engine::new();
    let refused = engine.add_rules(&found.rules);
    (refused.is_empty() && engine.rule_count() > 0)
        .then(|| !engine.evaluate(&JsonEvent::borrow(json)).is_empty())
}

#[test]
fn where_we_differ_the_specification_is_with_us() {
    let mut wrong = Vec::new();
    for (says, detection, event, fires) in FAULTS {
        let (rule, event) =
            (text(&serde_json::from_str(detection).unwrap()), serde_json::from_str(event).unwrap());
        let (mine, other) = (ours(&rule, &event), theirs(&rule, &event));
        if mine != *fires || other == Some(*fires) {
            wrong.push(format!("{says}: ours {mine}, theirs {other:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An event of texts, whole numbers, truth values, and lists of them; paths as maps.
fn settled(event: &Json) -> Json {
    fn leaf(value: &Json) -> Option<Json> {
        match value {
            Json::Null | Json::Object(_) | Json::Array(_) => None,
            Json::Number(number) if number.as_i64().is_none_or(|n| n.abs() > 1 << 50) => None,
            other => Some(other.clone()),
        }
    }
    let value = |value: &Json| match value {
        Json::Array(items) => Some(items.iter().filter_map(leaf).collect::<Vec<_>>())
            .filter(|kept| !kept.is_empty())
            .map(Json::from),
        Json::Object(map) => {
            Some(map.iter().filter_map(|(key, value)| Some((key.clone(), leaf(value)?))).collect())
        }
        other => leaf(other),
    };
    let map = event.as_object().cloned().unwrap_or_default();
    map.iter().filter_map(|(key, one)| Some((key.clone(), value(one)?))).collect::<Map<_, _>>().into()
}

/// Whether an item keeps away from what [`FAULTS`] list and from fields that may be maps.
fn is_common((key, value): &generate::Item, event: &Json) -> bool {
    let values: Vec<&Json> = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
    let field = key.split('|').next().unwrap_or_default();
    let wild = values.iter().filter_map(|value| value.as_str()).any(|text| text.contains(['*', '?', '\\']));
    let large = values.iter().any(|value| value.as_i64().is_some_and(|n| n.abs() > 1 << 50));
    let is_map = |name: &str| event.get(name).is_some_and(Json::is_object);
    let refers = key.contains("|fieldref");
    let odd = refers && values.iter().any(|name| is_map(name.as_str().unwrap_or_default()))
        || refers && event.as_object().is_some_and(|map| map.values().any(|value| !value.is_string()));
    // One value with `all` is refused there, and `neq` with `all` is the opposite of all; dashes are tried with a slash only; lower case is taken
    // as a whole there and letter by letter here.
    let single = key.contains("|all") && (values.len() < 2 || key.contains("|neq"));
    let dashed = key.contains("|windash");
    let time = ["|minute", "|hour", "|day", "|week", "|month", "|year"].iter().any(|part| key.contains(part));
    let folds = |value: &Json| value.to_string().contains(['İ', 'ẞ', 'ß', 'Σ', 'ς', 'K', 'ı']);
    let folded = folds(value) || folds(event);
    !(large || odd || single || dashed || time || folded || is_map(field))
        && !(wild && event.to_string().contains("\\n"))
        && !values.iter().any(|value| value.is_boolean() && !key.contains("exists"))
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_global_rejects: 1_000_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_modifier_means_the_same(item in generate::item(), event in generate::event()) {
        let event = settled(&event);
        prop_assume!(is_common(&item, &event));
        let rule = text(&json!({"s": {item.0.clone(): item.1.clone()}, "condition": "s"}));
        if let Some(theirs) = theirs(&rule, &event) {
            prop_assert_eq!(ours(&rule, &event), theirs, "{} {}", rule, event);
        }
    }

    #[test]
    fn conditions_mean_the_same(
        rule in generate::rule(),
        items in vec(generate::item(), 6),
        event in generate::event(),
    ) {
        let event = settled(&event);
        let common: Vec<_> = items.into_iter().filter(|item| is_common(item, &event)).collect();
        prop_assume!(!common.is_empty());
        let pick = |n: usize| common.get(n % common.len()).cloned().unwrap_or_default();
        let map = |from: usize| Json::Object([pick(from), pick(from + 1)].into_iter().collect());
        let detection = json!({
            "s1": map(0), "s2": [map(1), map(3)], "s3": map(2), "condition": rule["detection"]["condition"],
        });
        let rule = text(&detection);
        if let Some(theirs) = theirs(&rule, &event) {
            prop_assert_eq!(ours(&rule, &event), theirs, "{} {}", rule, event);
        }
    }
}

fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data");
    let dir = std::env::var_os("WATCHPOST_TEST_DATA").map_or_else(beside, PathBuf::from).join("sigma");
    if dir.is_dir() {
        return Some(dir);
    }
    println!("SKIPPED: no test data at {}; set WATCHPOST_TEST_DATA", dir.display());
    None
}

fn public_rules(dir: &Path) -> Option<Vec<Source>> {
    let into = tempfile::tempdir().unwrap();
    let archive = dir.join("sigmahq-rules.tar.zst");
    let Ok(mut unpack) = Command::new("zstd").arg("-dcq").arg(archive).stdout(Stdio::piped()).spawn() else {
        println!("SKIPPED: the command zstd is not installed");
        return None;
    };
    let stream = unpack.stdout.take().unwrap();
    assert!(
        Command::new("tar").arg("-x").arg("-C").arg(into.path()).stdin(stream).status().unwrap().success()
    );
    assert!(unpack.wait().unwrap().success());
    Some(pack::read_paths(&[into.path().to_path_buf()]).0)
}

/// A record of Windows with its data beside each other, as both engines know it.
fn flat(event: &Json) -> Json {
    let Some(inner) = event.get("Event") else { return event.clone() };
    let mut out = Map::new();
    for part in ["System", "EventData"] {
        let map = inner.get(part).and_then(Json::as_object).cloned().unwrap_or_default();
        out.extend(map.into_iter().filter(|(_, value)| !value.is_object() && !value.is_null()));
    }
    out.into()
}

/// The same rule without its logsource: it meets every event.
fn unrouted(source: &Source) -> Source {
    let mut inside = false;
    let kept = source.text.lines().filter(|line| {
        inside = line.starts_with("logsource:") || (inside && line.starts_with([' ', '\t']));
        !inside
    });
    Source { name: source.name.clone(), text: kept.collect::<Vec<_>>().join("\n") + "\n" }
}

#[test]
fn public_rules_on_public_events_mean_the_same() {
    let Some(dir) = data() else { return };
    let Some(sources) = public_rules(&dir) else { return };
    let sources: Vec<Source> = sources.iter().map(unrouted).collect();
    let lines = |path: PathBuf| -> Vec<Json> {
        std::fs::read_to_string(path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let mut events: Vec<Json> = Vec::new();
    for name in ["auditd", "sysmon_linux", "web", "windows"] {
        events.extend(lines(dir.join(format!("reference/{name}.ndjson"))).iter().map(flat));
    }
    for case in lines(dir.join("regression.jsonl")) {
        events.extend(case["events"].as_array().unwrap().iter().map(flat));
    }
    let set = RuleSet::load(&sources);
    let mut engine = Engine::new();
    let parsed = sources.iter().filter_map(|source| rsigma_parser::parse_sigma_yaml(&source.text).ok());
    let theirs: Vec<_> = parsed.flat_map(|found| found.rules).collect();
    engine.add_rules(&theirs);
    let loaded: BTreeSet<&str> = set.rules().iter().map(|rule| rule.meta.id.as_str()).collect();
    let (mut quick, mut plain) = (Detector::new(&set), Detector::plain(&set));
    let (mut findings, mut wrong) = (0, Vec::new());
    for (at, json) in events.iter().enumerate() {
        let observe = |detector: &mut Detector| {
            let subject = Subject::Foreign { json, logsource: None };
            detector.observe(&subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH)
        };
        let found = observe(&mut quick);
        let ids =
            |found: &[Finding]| found.iter().map(|one| one.rule.meta.id.clone()).collect::<BTreeSet<_>>();
        let mine = ids(&found);
        // The plain way tries every rule; a part of the events is enough beside `public_corpus`.
        if at % PLAINLY == 0 {
            assert_eq!(mine, ids(&observe(&mut plain)), "{json}");
        }
        let theirs: BTreeSet<String> = engine
            .evaluate(&JsonEvent::borrow(json))
            .into_iter()
            .filter_map(|one| one.header.rule_id)
            .filter(|id| loaded.contains(id.as_str()))
            .collect();
        findings += theirs.len();
        wrong.extend(mine.difference(&theirs).map(|id| format!("only ours {id} on {json:.300}")));
        wrong.extend(theirs.difference(&mine).map(|id| format!("only theirs {id} on {json:.300}")));
    }
    println!(
        "{} rules, {} events, {} pairs, {findings} findings",
        set.rules().len(),
        events.len(),
        set.rules().len() * events.len()
    );
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
