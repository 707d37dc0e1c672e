//! A finding as one JSON object.

use serde_json::{Value as Json, json};
use watchpost_rules::Finding;

/// The finding; `index` is the event's place in the whole input, `file` where there are several.
pub(super) fn as_json(finding: &Finding, index: u64, file: Option<(&str, u64)>) -> Json {
    let fields: serde_json::Map<String, Json> =
        finding.matched.iter().map(|field| (field.field.clone(), Json::from(field.value.as_str()))).collect();
    let mut object = json!({
        "@timestamp": finding.time,
        "rule": {
            "id": finding.rule.meta.id,
            "name": finding.rule.meta.name,
            "level": finding.rule.severity.name(),
        },
        "event": { "index": index },
        "fields": fields,
    });
    if let Some((path, index)) = file {
        object["file"] = json!({ "path": path, "index": index });
    }
    if let Some(count) = finding.count {
        let events: Vec<u64> = finding.events.iter().map(|at| at.frame).collect();
        let group: serde_json::Map<String, Json> =
            finding.group.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
        object["correlation"] = json!({ "count": count, "group": group, "events": events });
    }
    if let Some(id) = finding.id {
        // The last line with an id is the finding; "amends" says that there was one before.
        object["finding"] = json!({
            "id": id.to_string(),
            "standing": finding.standing.name(),
            "amends": finding.standing.amends(),
        });
    }
    object
}
