//! An alert: a rule's finding, with its repeats grouped, told as who, whom, how, when, with
//! what result and on which evidence.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, AlertId, EventRef, IncidentId};
use crate::time::Timestamp;

/// Alert severity, in Sigma's words. Not the level of an incident (I to IV).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth recording, not worth a look.
    #[default]
    Informational,
    /// Worth a look when there is time.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Drop everything.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word used in rules and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// Where an alert stands in its handling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Triage {
    /// Nobody has looked (待处理).
    #[default]
    New,
    /// Someone is judging it (研判中).
    Investigating,
    /// Someone is acting on it (处置中).
    Handling,
    /// Acted on (已处置).
    Handled,
    /// Not an attack (误报); needs a reason.
    FalsePositive,
    /// Known and left alone (已忽略); needs a reason.
    Ignored,
    /// Done with (已关闭).
    Closed,
}

impl Triage {
    /// Whether going to this state needs a written reason.
    #[must_use]
    pub const fn needs_reason(self) -> bool {
        matches!(self, Self::FalsePositive | Self::Ignored)
    }

    /// Whether the alert still waits for someone.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Investigating | Self::Handling)
    }
}

/// What came of the attack, as far as the evidence tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The evidence does not tell.
    #[default]
    Unknown,
    /// Tried (尝试).
    Attempt,
    /// Came through (成功).
    Success,
    /// The host is in the attacker's hands (失陷).
    Compromised,
}

/// The rule behind an alert, as it stood when it fired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRef {
    /// The rule's UUID.
    pub id: String,
    /// Its title.
    pub name: String,
    /// Title in Chinese where the rule has one (`watchpost.title_zh`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_zh: String,
    /// ATT&CK tactics, as in the tags: `credential_access`.
    #[serde(default)]
    pub tactics: Vec<String>,
    /// ATT&CK techniques: `T1110.001`.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// GB/T 20986-2023 code, see [`crate::category`]; empty where the rule has none.
    #[serde(default)]
    pub category: String,
    /// What the rule says a handler should do, in English.
    #[serde(default)]
    pub advice: String,
    /// The same in Chinese.
    #[serde(default)]
    pub advice_zh: String,
    /// SHA-256 of the file that the rule stands in, hex: which text fired. Empty in old records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// SHA-256 of the rule set that was in force, hex: rule files, filters and placeholders.
    /// Empty in old records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub set: String,
}

/// One end of an attack. All parts optional: a log line may name only a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Host or domain name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// User.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

impl Party {
    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A field that made the rule fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedField {
    /// Name of the field, as ours.
    pub field: String,
    /// What the event held.
    pub value: String,
    /// What the rule asked for, as the rule writes it; empty for a correlation's group or count.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pattern: String,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Deterministic: rule, host, group key and first event.
    pub id: AlertId,
    /// The rule behind it.
    pub rule: RuleRef,
    /// How bad.
    pub severity: Severity,
    /// Time of the first event, by the host's clock.
    pub first_seen: Timestamp,
    /// Time of the last event, by the host's clock.
    pub last_seen: Timestamp,
    /// When the collector raised it, by its own clock.
    pub raised: Timestamp,
    /// Events behind it: for a plain rule each that fired it, for a correlation each that it
    /// counted, once.
    pub count: u64,
    /// The agent that saw it.
    pub agent: AgentId,
    /// That agent's host.
    pub host: String,
    /// Who attacks.
    pub attacker: Party,
    /// Whom.
    pub target: Party,
    /// What came of it.
    pub outcome: Outcome,
    /// What repeats were grouped by: field and value.
    #[serde(default)]
    pub group: Vec<(String, String)>,
    /// Why it fired, for the first event.
    #[serde(default)]
    pub matched: Vec<MatchedField>,
    /// Evidence: the first events and the last, bounded by [`MOST_EVIDENCE`].
    #[serde(default)]
    pub events: Vec<EventRef>,
    /// Where it stands in its handling.
    pub triage: Triage,
    /// Who handles it; empty where nobody does.
    #[serde(default)]
    pub owner: String,
    /// Reason given with the last change of `triage`.
    #[serde(default)]
    pub reason: String,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Label of a drill, if its events were made by one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub drill: String,
}

/// Marker that a drill leaves in every name it makes up (users, domains, arguments).
pub const DRILL_MARK: &str = "watchpost-drill";

/// Whether a drill's packets come from this address: `127.66.0.0/16`, a part of the loopback
/// network (RFC 1122 §3.2.1.3) that nothing else uses.
#[must_use]
pub const fn is_drill_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [127, 66, _, _]),
        IpAddr::V6(_) => false,
    }
}

/// Events that one alert keeps as evidence. The rest stays in the journal and is counted.
pub const MOST_EVIDENCE: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_rise() {
        assert!(Severity::High > Severity::Medium);
        assert!(Severity::ALL.is_sorted());
        assert_eq!(Severity::named("critical"), Some(Severity::Critical));
        assert_eq!(serde_json::to_string(&Severity::Informational).unwrap(), "\"informational\"");
    }

    #[test]
    fn records_from_before_rule_sets_had_hashes_still_read() {
        let old: RuleRef = serde_json::from_str(r#"{"id": "r", "name": "Rule"}"#).unwrap();
        assert_eq!((old.hash.as_str(), old.set.as_str()), ("", ""));
        assert!(!serde_json::to_string(&old).unwrap().contains("hash"));
    }

    #[test]
    fn a_false_positive_needs_a_reason() {
        assert!(Triage::FalsePositive.needs_reason());
        assert!(!Triage::Handled.needs_reason());
    }
}
