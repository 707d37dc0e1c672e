//! An incident: alerts on one host that tell one story, as a responder reports them.

use serde::{Deserialize, Serialize};

use crate::alert::{Party, Severity};
use crate::id::{AgentId, AlertId, IncidentId};
use crate::time::Timestamp;

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Deterministic: host, attacker and first event.
    pub id: IncidentId,
    /// The host concerned.
    pub agent: AgentId,
    /// That host's name.
    pub host: String,
    /// Who attacks, as far as the alerts agree.
    pub attacker: Party,
    /// The worst severity among its alerts.
    pub severity: Severity,
    /// First event of its first alert.
    pub first_seen: Timestamp,
    /// Last event of its alerts.
    pub last_seen: Timestamp,
    /// When the collector opened it: the moment of knowledge for the legal clocks.
    pub opened: Timestamp,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// Its alerts, in order of first event.
    pub alerts: Vec<AlertId>,
    /// ATT&CK tactics of its alerts, in order of appearance.
    #[serde(default)]
    pub stages: Vec<String>,
    /// GB/T 20986-2023 codes of its alerts, in order of appearance.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Label of the announced drill that all its alerts are of; empty for the real thing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub drill: String,
}
