//! What the rule targets share: loading with the promises every rejection makes, a few events of
//! every shape, and the judge that the quick engine must agree with.

use serde_json::{Value as Json, json};
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, RuleSet, Source, Subject};

/// Bytes of one reason. It goes to a terminal and into a report.
const REASON_BYTES: usize = 4 * 1024;

/// Loads one file and holds its rejections to what they promise.
pub fn load(text: &str) -> RuleSet {
    let set = RuleSet::load(&[Source { name: "fuzz.yml".into(), text: text.into() }]);
    for said in set.rejected().iter().chain(set.remarks()) {
        assert_eq!(said.file, "fuzz.yml");
        assert!(!said.reason.trim().is_empty());
        assert!(said.reason.len() <= REASON_BYTES, "a reason of {} bytes", said.reason.len());
        assert!(!said.reason.chars().any(char::is_control), "{:?}", said.reason);
        assert!(said.line.is_none_or(|line| line >= 1 && line <= text.lines().count().max(1)), "{said:?}");
    }
    set
}

/// Events with every shape that a value may have.
pub fn sample_events() -> Vec<Json> {
    vec![
        json!({}),
        json!({"a": "x", "b": "x"}),
        json!({"a": "x", "b": null}),
        json!({"b": "x", "a": ""}),
        json!({"a": 1, "b": -1.5, "c": true}),
        json!({"a": ["x", 1, null], "b": [], "c": {"d": "x"}}),
        json!({"a": [{"b": "x"}, {"b": ["y"]}], "b": {"a": {"b": "x"}}}),
        json!({"a": "10.0.0.1", "b": "fe80::1", "c": "2026-03-04T05:30:10Z"}),
        json!({"Image": "C:\\Windows\\System32\\cmd.exe", "CommandLine": "cmd /c whoami -all", "EventID": 1}),
        json!({"message": "the ÄÖ \u{1F600} keyword\nin lines", "a": "AxBxC\\*?", "b": "axbxc\\*?"}),
    ]
}

/// Holds the events against the set both ways; every finding must be the same.
pub fn agree(set: &RuleSet, events: &[Json]) {
    let (mut quick, mut plain) = (Detector::new(set), Detector::plain(set));
    for (index, json) in (0_u32..).zip(events) {
        let subject = Subject::Foreign { json, logsource: None };
        let at = EventRef { frame: 1, index };
        let time = Timestamp::from_millis(i64::from(index) * 700);
        let ids = |detector: &mut Detector| -> Vec<_> {
            let found = detector.observe(&subject, at, time);
            found.into_iter().map(|finding| (finding.rule.meta.id.clone(), finding.count)).collect()
        };
        assert_eq!(ids(&mut quick), ids(&mut plain), "{json}");
    }
}
