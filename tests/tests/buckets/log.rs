//! A case's log, read by our parsers, and what a rule set finds in it.

use std::net::IpAddr;
use std::path::Path;

use serde_json::Value as Json;
use watchpost_agent::commands::logs;
use watchpost_agent::parse::Format;
use watchpost_model::id::EventRef;
use watchpost_model::{Event, FieldId, field as f};
use watchpost_rules::{Detector, Finding, RuleSet, Subject};

/// Log types under a name of ours.
const NAMES: [(&str, &str); 8] = [
    ("apache2", "apache"),
    ("litespeed", "apache"),
    ("modsecurity", "apache"),
    ("nginx-proxy-manager", "nginx"),
    ("traefik", "nginx"),
    ("postgres", "postgresql"),
    ("suricata-evelogs", "suricata"),
    ("caddy", "json"),
];

/// The events of one log.
pub(crate) struct Read {
    pub(crate) events: Vec<Event>,
}

impl Read {
    /// Reads the log of a case, or says why we can not.
    pub(crate) fn open(data: &Path, case: &Json) -> Result<Self, String> {
        let kind = crate::text(case, "/log_type");
        let name = NAMES.iter().find(|(theirs, _)| *theirs == kind).map_or(kind, |(_, ours)| ours);
        if Format::named(name).is_none() {
            return Err(format!("no parser for logs of type {kind}"));
        }
        let mut events = Vec::new();
        let mut keep = |event: Event| {
            events.push(event);
            Ok(())
        };
        logs::each(name, &data.join(crate::text(case, "/log")), &mut keep).map_err(|e| e.to_string())?;
        if events.iter().all(|event| event.text(f::PARSE) == Some("raw")) {
            let app = events.first().and_then(|event| event.text(f::LOG_SYSLOG_APP)).unwrap_or(kind);
            return Err(format!("no parser for lines of {app}"));
        }
        Ok(Self { events })
    }

    /// Every finding of the rules, with the event that completed it.
    pub(crate) fn findings(&self, set: &RuleSet) -> Vec<(Finding, &Event)> {
        findings(&self.events, set)
    }
}

/// Every finding in these events, with the event that completed it.
pub(crate) fn findings<'e>(events: &'e [Event], set: &RuleSet) -> Vec<(Finding, &'e Event)> {
    let mut detector = Detector::new(set);
    let mut found = Vec::new();
    for (at, event) in (0..).zip(events) {
        let reference = EventRef { frame: at, index: 0 };
        let findings = detector.observe(&Subject::Typed(event), reference, event.time);
        found.extend(findings.into_iter().map(|finding| (finding, event)));
    }
    found
}

/// Addresses in the one spelling that all share; other texts as they are.
pub(crate) fn one_spelling(text: &str) -> String {
    text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |ip| ip.to_canonical().to_string())
}

/// What an event has in a field, as text.
pub(crate) fn value(event: &Event, field: FieldId) -> Option<String> {
    event.record.get(field).map(|value| one_spelling(&value.to_string()))
}

/// Every value that may be what another detector calls the source.
pub(crate) fn values(event: &Event, finding: &Finding) -> Vec<String> {
    let named = finding.group.iter().map(|(_, value)| one_spelling(value));
    let fields = [f::SOURCE_IP, f::USER_NAME, f::PROCESS_EXECUTABLE];
    named.chain(fields.into_iter().filter_map(|field| value(event, field))).collect()
}
