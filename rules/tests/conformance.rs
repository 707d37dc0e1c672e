//! The language, case by case, as the Sigma specification 2.1 (rules, modifiers, filters) says it.
//!
//! Cases are data (`conformance/*.yml`), written from the specification. Each is a rule, events
//! on which it fires and events on which it stays quiet, or the reason for which it is refused.
//! Every case is run the compiled way and the plain way.
#![expect(clippy::unwrap_used, reason = "a test may fail its helpers")]

use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, RuleSet, Source, Subject};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the specification says.
    says: String,
    /// The detection; its condition is `s` where it has none.
    detection: Json,
    #[serde(default)]
    fires: Vec<Json>,
    #[serde(default)]
    quiet: Vec<Json>,
    /// Part of the reason for which it is refused.
    refused: Option<String>,
}

fn set(case: &Case) -> RuleSet {
    let mut detection = case.detection.clone();
    let map = detection.as_object_mut().unwrap();
    map.entry("condition").or_insert_with(|| "s".into());
    let rule = serde_json::json!({"title": "t", "id": "t", "logsource": {}, "detection": detection});
    // JSON is YAML.
    RuleSet::load(&[Source { name: "case.yml".into(), text: rule.to_string() }])
}

fn fires(detector: &mut Detector, json: &Json) -> bool {
    let subject = Subject::Foreign { json, logsource: None };
    !detector.observe(&subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH).is_empty()
}

/// What is wrong with a case.
fn faults(case: &Case) -> Vec<String> {
    let set = set(case);
    let rejected: Vec<&str> = set.rejected().iter().map(|rejected| rejected.reason.as_str()).collect();
    if let Some(reason) = &case.refused {
        let told = rejected.iter().any(|told| told.contains(reason.as_str()));
        return if told { Vec::new() } else { vec![format!("not refused for {reason:?} but {rejected:?}")] };
    }
    if !rejected.is_empty() {
        return vec![format!("refused: {rejected:?}")];
    }
    let mut out = Vec::new();
    for (way, mut detector) in [("compiled", Detector::new(&set)), ("plain", Detector::plain(&set))] {
        let wanted = case.fires.iter().map(|event| (event, true));
        for (event, want) in wanted.chain(case.quiet.iter().map(|event| (event, false))) {
            if fires(&mut detector, event) != want {
                out.push(format!("{way}: {} on {event}", if want { "quiet" } else { "fires" }));
            }
        }
    }
    out
}

#[test]
fn the_language_means_what_the_specification_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let cases: Vec<Case> = yaml_serde::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in &cases {
            count += 1;
            assert!(case.refused.is_some() || !case.fires.is_empty(), "{} can not fail", case.says);
            wrong.extend(faults(case).iter().map(|fault| format!("{}: {fault}", case.says)));
        }
    }
    assert!(count >= 270, "{count} cases");
    assert!(wrong.is_empty(), "{} wrong of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
