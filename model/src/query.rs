//! What the console asks the collector, what it answers, and what the live stream says.
//!
//! All of it is JSON over HTTPS with client certificates. Paths:
//!
//! | method and path | asks | answers |
//! | --- | --- | --- |
//! | `GET /v1/overview` | | [`Overview`] |
//! | `GET /v1/alerts?…` | [`AlertQuery`] | [`Page`] of alerts, newest first |
//! | `GET /v1/alerts/{id}` | | one alert |
//! | `GET /v1/alerts/{id}/events` | | [`Evidence`] |
//! | `POST /v1/alerts/{id}/triage` | [`TriageChange`] | the alert as it is now |
//! | `GET /v1/incidents?limit=&before=` | | [`Page`] of incidents, newest first |
//! | `GET /v1/incidents/{id}` | | [`IncidentStory`] |
//! | `GET /v1/hosts` | | list of hosts |
//! | `GET /v1/events?…` | [`EventQuery`] | [`Page`] of events as ECS JSON, newest first |
//! | `POST /v1/drills` | [`Drill`] | [`UnderWay`] |
//! | `GET /v1/stream` | | server-sent events, each a [`Live`] |
//! | `POST /v1/enroll` | [`Enroll`] (token instead of a certificate) | [`Enrolled`] |
//! | `POST /v1/batches` | a packed batch | [`Receipt`] |
//!
//! An error is any status over 399 with [`Problem`] as body.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Severity, Triage};
use crate::asset::Host;
use crate::id::{AgentId, AlertId, EventRef, IncidentId};
use crate::incident::Incident;
use crate::ledger;
use crate::time::Timestamp;

/// Rows of one page unless asked otherwise.
pub const PAGE: usize = 200;

/// Most rows of one page.
pub const MOST_PAGE: usize = 1_000;

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows there are in all, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Whether the answer is complete, and if not, why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub incomplete: String,
}

/// Which alerts. Every part is optional and narrows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertQuery {
    /// At least this severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Only alerts that still wait for someone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Only this host, by agent id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Only this rule, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only alerts whose title, host, attacker or target contain this text, any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only alerts older than this one (for the next page).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<AlertId>,
    /// Rows wanted; [`PAGE`] where absent, [`MOST_PAGE`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventQuery {
    /// Terms separated by spaces, all must hold: `field=value` (`*` as wildcard, ECS names) or a
    /// bare word, found anywhere in the event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub q: String,
    /// Only this host, by agent id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Not after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Rows wanted; [`PAGE`] where absent, [`MOST_PAGE`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The raw events behind an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where each lies and what it is, as ECS JSON, in order of time.
    pub events: Vec<EvidenceEvent>,
    /// Events that the alert counts but does not keep a reference to.
    pub more: u64,
    /// How complete the host's data was while this happened, in a sentence.
    pub completeness: String,
    /// The same in numbers: every stage at which the host is known to have lost records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<ledger::Entry>,
}

/// One event as evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceEvent {
    /// Where it lies in the journal.
    pub at: EventRef,
    /// The event as ECS JSON.
    pub event: serde_json::Value,
}

/// A change of an alert's handling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageChange {
    /// The new state.
    pub triage: Triage,
    /// Why; mandatory where [`Triage::needs_reason`].
    #[serde(default)]
    pub reason: String,
}

/// A drill begins: alerts of events that bear its label are marked as a drill's. Without this
/// announcement a label in an event means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// `watchpost-drill-` and a name; must stand in an event as a whole word.
    pub label: String,
    /// Address in 127.66.0.0/16 that its packets come from, where they bear no label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A drill is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// Its label.
    pub label: String,
    /// When its label ceases to count, by the collector's clock.
    pub until: Timestamp,
}

/// An incident with all it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentStory {
    /// The incident.
    pub incident: Incident,
    /// Its alerts, in order of first event.
    pub alerts: Vec<Alert>,
    /// The host it happened on.
    pub host: Option<Host>,
    /// Evidence by alert, in the order of `alerts`.
    pub evidence: Vec<Evidence>,
}

/// The situation in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The collector's clock.
    pub now: Timestamp,
    /// Since when the collector runs.
    pub since: Timestamp,
    /// Its version.
    pub version: String,
    /// Open alerts by severity, mildest first (see [`Severity::ALL`]).
    pub open: [u64; 5],
    /// Alerts raised per hour for the last 24 hours, oldest first.
    pub hourly: Vec<u64>,
    /// Open incidents.
    pub incidents: u64,
    /// Hosts online.
    pub online: u64,
    /// Hosts silent.
    pub silent: u64,
    /// Events in the journal.
    pub events: u64,
    /// Events per second over the last minute.
    pub rate: f64,
    /// Events lost at any stage on any host, as far as known.
    pub lost: u64,
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
    /// Rules loaded.
    pub rules: u64,
    /// Rules that no source feeds.
    pub blind_rules: u64,
    /// Rule files and documents that could not be used.
    #[serde(default)]
    pub rejected_rules: u64,
    /// SHA-256 of the rule set in force, hex.
    #[serde(default)]
    pub rules_hash: String,
    /// When that set was put in force, by the collector's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_loaded: Option<Timestamp>,
    /// Events that wait for detection.
    pub backlog: u64,
    /// Attackers with most open alerts: address or name, alerts.
    pub top_attackers: Vec<(String, u64)>,
    /// Hosts with most open alerts: name, alerts.
    pub top_targets: Vec<(String, u64)>,
    /// Rules with most open alerts: title, title in Chinese, alerts.
    pub top_rules: Vec<(String, String, u64)>,
    /// What the operator must know about the collector itself, one sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// One message of the live stream. The SSE event name is the variant's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum Live {
    /// An alert is new or has changed.
    Alert(Box<Alert>),
    /// An incident is new or has changed.
    Incident(Box<Incident>),
    /// The numbers, every two seconds.
    Overview(Box<Overview>),
    /// The hosts, when one changes and at least every ten seconds.
    Hosts(Vec<Host>),
    /// The reader was too slow; this many messages were left out. Ask for the lists again.
    Missed(u64),
}

/// An agent asks for a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    /// The one-time token.
    pub token: String,
    /// Certificate signing request, PEM. Only its public key is used.
    pub csr: String,
    /// The host's name.
    pub host: String,
}

/// The certificate that an agent got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The agent's id.
    pub agent: AgentId,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The collector's CA, PEM.
    pub ca: String,
}

/// A batch is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The batch.
    pub sequence: u64,
    /// Whether it had been here before.
    pub repeated: bool,
    /// The collector's clock when it answered.
    pub now: Timestamp,
}

/// Why a request failed, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What failed, where, and what to do.
    pub error: String,
}

/// What a certificate's bearer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sends batches; nothing else.
    Agent,
    /// Reads.
    Viewer,
    /// Reads and handles alerts.
    Analyst,
    /// Makes tokens, revokes agents.
    SystemAdministrator,
    /// Reads the audit trail.
    AuditAdministrator,
    /// Changes rules.
    SecurityAdministrator,
}

/// The id that a list's next page starts before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentQuery {
    /// Only incidents older than this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<IncidentId>,
    /// Rows wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}
