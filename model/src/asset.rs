//! A host as the collector knows it: who it is, whether it lives, what it lost.

use serde::{Deserialize, Serialize};

use crate::id::AgentId;
use crate::ledger::Ledger;
use crate::time::Timestamp;

/// Whether a host still speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// Heard from lately.
    Online,
    /// Not heard from for longer than the limit.
    Silent,
    /// Enrolled, never heard from.
    Never,
    /// Its certificate was revoked.
    Revoked,
}

/// One host with an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its agent.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// Last batch received, by the collector's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
    /// Whether it still speaks.
    pub liveness: Liveness,
    /// Version of the agent.
    #[serde(default)]
    pub version: String,
    /// Operating system.
    #[serde(default)]
    pub os: String,
    /// Addresses.
    #[serde(default)]
    pub ips: Vec<String>,
    /// Capture rung in force.
    #[serde(default)]
    pub rung: String,
    /// What the agent can not see, and why.
    #[serde(default)]
    pub blind: Vec<String>,
    /// Share of all cores busy, 0 to 1.
    #[serde(default)]
    pub cpu: f64,
    /// Share of memory used, 0 to 1.
    #[serde(default)]
    pub memory: f64,
    /// Resident bytes of the agent.
    #[serde(default)]
    pub agent_memory: u64,
    /// Share of one core that the agent uses.
    #[serde(default)]
    pub agent_cpu: f64,
    /// Events in the journal from this host.
    #[serde(default)]
    pub events: u64,
    /// Open alerts on this host.
    #[serde(default)]
    pub open_alerts: u64,
    /// Both ends' counts: the agent's stages as it last reported them, the collector's as they are.
    #[serde(default)]
    pub ledger: Ledger,
}
