//! The alert that a host has fallen silent. Not a Sigma rule: nothing arrives that a rule could
//! look at.

use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Outcome, Party, RuleRef, Severity, Triage};

use super::Entry;
use crate::alerts::{Draft, Key};

/// The fixed id of the built-in rule.
pub const RULE_ID: &str = "5d1c3f0e-7b0a-4d0e-9a51-6f0f5a1e0c01";

/// The built-in rule, kept as data beside this file like the rules of the packs.
fn rule() -> RuleRef {
    let text = include_str!("silence.json");
    serde_json::from_str(text).unwrap_or_else(|_| RuleRef { id: RULE_ID.into(), ..RuleRef::default() })
}

/// The alert for a host whose last batch lies too far back. Its id follows from that last batch,
/// so the same silence is never told twice.
#[must_use]
pub fn alert(entry: &Entry, now: Timestamp) -> Draft {
    let host = &entry.host;
    let heard = host.last_heard.unwrap_or(host.enrolled);
    let rule = rule();
    let group = vec![("host.id".to_owned(), host.agent.to_string())];
    let key = Key::of(&rule.id, host.agent, "", &group);
    let first = entry.last_event.unwrap_or(watchpost_model::id::EventRef { frame: 0, index: 0 });
    let alert = Alert {
        id: crate::alerts::id(heard, &rule.id, host.agent, &key, first),
        rule,
        severity: Severity::Medium,
        first_seen: heard,
        last_seen: now,
        raised: now,
        count: 1,
        agent: host.agent,
        host: host.name.clone(),
        attacker: Party::default(),
        target: Party { name: Some(host.name.clone()), ..Party::default() },
        outcome: Outcome::Unknown,
        group,
        matched: Vec::new(),
        events: entry.last_event.into_iter().collect(),
        triage: Triage::New,
        owner: String::new(),
        reason: String::new(),
        incident: None,
        drill: String::new(),
    };
    Draft { key, alert, finding: None, standing: watchpost_rules::Standing::New }
}
