//! From one finding to the alert it would raise if it were the first of its group.

use sha2::{Digest, Sha256};
use watchpost_model::alert::{Alert, MOST_EVIDENCE, MatchedField, Outcome, RuleRef, Severity, Triage};
use watchpost_model::id::{AgentId, AlertId, EventRef};
use watchpost_model::{Event, FieldId, Timestamp, field as f};

use watchpost_rules::{FindingId, Standing};

use super::party::story;

/// What repeats are grouped by where a rule does not say.
const DEFAULT_GROUP: &[FieldId] = &[f::SOURCE_IP, f::USER_NAME, f::PROCESS_EXECUTABLE];

/// Longest value kept in a group: a hostile command line must not travel in every list.
const MOST_VALUE: usize = 256;

/// Identity of a group of repeats: a digest of rule, agent, drill and group values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The key of a group. Lengths are part of the digest, so no two lists of parts collide.
    #[must_use]
    pub fn of(rule: &str, agent: AgentId, drill: &str, group: &[(String, String)]) -> Self {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(bytes);
        };
        part(rule.as_bytes());
        part(agent.as_bytes());
        part(drill.as_bytes());
        for (field, value) in group {
            part(field.as_bytes());
            part(value.as_bytes());
        }
        Self(hasher.finalize().into())
    }
}

/// A rule's finding, with all that an alert needs to know around it.
#[derive(Clone, Debug)]
pub struct Sighting<'a> {
    /// The rule.
    pub rule: &'a RuleRef,
    /// How bad the rule calls it.
    pub severity: Severity,
    /// What the rule says came of it; [`Outcome::Unknown`] leaves it to the event.
    pub outcome: Outcome,
    /// What the rule wants repeats grouped by; empty for the default.
    pub group_by: &'a [FieldId],
    /// Group values of a correlation; empty for a plain rule.
    pub group: Vec<(String, String)>,
    /// Whether several events made it.
    pub correlated: bool,
    /// What a correlation counted; absent for a plain rule.
    pub count: Option<u64>,
    /// Why it fired.
    pub matched: Vec<MatchedField>,
    /// The events that made it fire, oldest first.
    pub events: Vec<EventRef>,
    /// When it happened, by the host's clock.
    pub time: Timestamp,
    /// The event that made it fire.
    pub event: &'a Event,
    /// Where that event lies.
    pub at: EventRef,
    /// The agent that saw it.
    pub agent: AgentId,
    /// That agent's host.
    pub host: &'a str,
    /// Label of the drill under way that made the event; empty for the real thing.
    pub drill: String,
}

/// An alert that waits for the decision whether it is a repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its group.
    pub key: Key,
    /// The alert as it is raised if nothing like it is open.
    pub alert: Alert,
    /// The finding behind it, where later versions of that may come.
    pub finding: Option<FindingId>,
    /// What this version is to those before.
    pub standing: Standing,
}

impl Draft {
    /// The same draft as a version of a finding.
    #[must_use]
    pub fn of_finding(self, finding: Option<FindingId>, standing: Standing) -> Self {
        Self { finding, standing, ..self }
    }

    /// The alert of a finding, at the collector's time `now`.
    #[must_use]
    pub fn of(sighting: Sighting<'_>, now: Timestamp) -> Self {
        let mut story = story(sighting.event, sighting.host);
        let group = group_values(&sighting);
        if sighting.correlated {
            // Several events with several ports: naming one of them would mislead.
            story.attacker.port = None;
            story.target.port = None;
        }
        let key = Key::of(&sighting.rule.id, sighting.agent, &sighting.drill, &group);
        let mut events = sighting.events;
        if events.is_empty() {
            events.push(sighting.at);
        }
        events.sort_unstable();
        events.dedup();
        // A correlation may count values, which are fewer than the events that held them.
        let count = sighting.count.unwrap_or(1).max(u64::try_from(events.len()).unwrap_or(u64::MAX));
        events.truncate(MOST_EVIDENCE);
        let first = events.first().copied().unwrap_or(sighting.at);
        let outcome = match sighting.outcome {
            Outcome::Unknown => story.outcome,
            said => said,
        };
        let alert = Alert {
            id: id(sighting.time, &sighting.rule.id, sighting.agent, &key, first),
            rule: sighting.rule.clone(),
            severity: sighting.severity,
            first_seen: sighting.time,
            last_seen: sighting.time,
            raised: now,
            count,
            agent: sighting.agent,
            host: sighting.host.to_owned(),
            attacker: story.attacker,
            target: story.target,
            outcome,
            group,
            matched: sighting.matched,
            events,
            triage: Triage::New,
            owner: String::new(),
            reason: String::new(),
            incident: None,
            drill: sighting.drill,
        };
        Self { key, alert, finding: None, standing: Standing::New }
    }
}

/// Deterministic id of the alert that opens a group.
pub(crate) fn id(time: Timestamp, rule: &str, agent: AgentId, key: &Key, first: EventRef) -> AlertId {
    let place = first.to_string();
    AlertId::derive(time, &[rule.as_bytes(), agent.as_bytes(), &key.0, place.as_bytes()])
}

fn group_values(sighting: &Sighting<'_>) -> Vec<(String, String)> {
    if !sighting.group.is_empty() {
        return sighting.group.clone();
    }
    let fields = if sighting.group_by.is_empty() { DEFAULT_GROUP } else { sighting.group_by };
    let value = |field: &FieldId| {
        let text = sighting.event.record.get(*field)?.to_string();
        Some((field.name().to_owned(), text.chars().take(MOST_VALUE).collect()))
    };
    fields.iter().filter_map(value).collect()
}
