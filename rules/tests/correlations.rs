//! Correlations, case by case, as the Sigma specification says them.
//!
//! Cases are data (`correlations/*.yml`). Every case is run with its events in order and in the order
//! turned round: the last word must be the same.
#![expect(clippy::unwrap_used, reason = "a test may fail its helpers")]

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, RuleSet, Settling, Source, Subject};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the specification says.
    says: String,
    correlation: Json,
    #[serde(default)]
    name: String,
    /// Further correlations: name and body.
    #[serde(default)]
    also: Vec<Json>,
    #[serde(default)]
    fires: Vec<Vec<(i64, Json)>>,
    #[serde(default)]
    quiet: Vec<Vec<(i64, Json)>>,
    /// Part of the reason for which it is refused.
    refused: Option<String>,
}

fn set(case: &Case) -> RuleSet {
    let base = |name: &str| {
        json!({"title": name, "name": name, "id": name, "logsource": {},
            "detection": {"s": {"r": name}, "condition": "s"}})
    };
    let mut documents: Vec<Json> = ["a", "b", "c"].map(base).into();
    documents.extend(case.also.iter().map(|also| {
        let mut also = also.clone();
        let name = also["name"].clone();
        also.as_object_mut().unwrap().insert("title".into(), name);
        also
    }));
    documents
        .push(json!({"title": "case", "id": "case", "name": case.name, "correlation": case.correlation}));
    // JSON is YAML.
    let texts: Vec<String> = documents.iter().map(Json::to_string).collect();
    RuleSet::load(&[Source { name: "case.yml".into(), text: texts.join("\n---\n") }])
}

fn fires(set: &RuleSet, events: &[(i64, Json)], turned: bool) -> bool {
    let (mut detector, mut settling) = (Detector::new(set), Settling::default());
    let mut numbered: Vec<(u32, &(i64, Json))> = (0..).zip(events).collect();
    if turned {
        numbered.reverse();
    }
    for (index, (second, json)) in numbered {
        let subject = Subject::Foreign { json, logsource: None };
        let at = EventRef { frame: 1, index };
        let _ = settling.take(detector.observe(&subject, at, Timestamp::from_parts(*second, 0)));
    }
    settling.finish().iter().any(|finding| finding.rule.meta.id == "case")
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
    let wanted = case.fires.iter().map(|events| (events, true));
    for (events, want) in wanted.chain(case.quiet.iter().map(|events| (events, false))) {
        // Turned round, an event may come later than the shortest allowance.
        let span = events.iter().map(|(second, _)| *second).max().unwrap_or(0);
        for turned in [false, true].into_iter().take(if span > 300 { 1 } else { 2 }) {
            if fires(&set, events, turned) != want {
                let how = if turned { "turned round: " } else { "" };
                out.push(format!("{how}{} on {events:?}", if want { "quiet" } else { "fires" }));
            }
        }
    }
    out
}

#[test]
fn correlations_mean_what_the_specification_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/correlations");
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
    println!("{count} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 35, "{count} cases");
}
