//! Incidents: alerts on one host that tell one story.
//!
//! An alert joins an open incident of its host when the attacker's address is the same, or one
//! of them has no foreign address, and no more than [`MOST_GAP`] lies between them. What a host
//! does by itself (a program started, a connection opened) has no foreign address, so it joins
//! the story of the break-in before it. So does what is done *to* the attacker's address: a victim
//! that calls back is the next step, and who began stays the attacker. A drill's alerts meet only alerts of the same drill.
//! Pure: candidates and time are arguments.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Party, Severity};
use watchpost_model::id::{AgentId, AlertId, IncidentId};
use watchpost_model::incident::Incident;

/// Longest quiet time within one incident.
pub const MOST_GAP: Duration = Duration::from_secs(3_600);

/// Alerts of one incident. A host that raises more opens the next incident: a story with a
/// thousand parts is read by nobody, and its row would be rewritten with every part.
pub const MOST_ALERTS: usize = 1_000;

/// What decides whether an alert belongs to an incident that is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The incident.
    pub incident: IncidentId,
    /// Its host's agent.
    pub agent: AgentId,
    /// The attacker's address, unless it is the host's own.
    pub attacker: Option<IpAddr>,
    /// First event.
    pub first_seen: Timestamp,
    /// Last event.
    pub last_seen: Timestamp,
    /// Alerts in it.
    pub alerts: usize,
    /// Label of the drill that it is; empty for the real thing.
    #[serde(default)]
    pub drill: String,
}

impl Candidate {
    /// The candidate that `incident`, with alerts of the drill `drill`, is now.
    #[must_use]
    pub fn of(incident: &Incident, drill: &str) -> Self {
        Self {
            incident: incident.id,
            agent: incident.agent,
            attacker: foreign(&incident.attacker, &incident.host),
            first_seen: incident.first_seen,
            last_seen: incident.last_seen,
            alerts: incident.alerts.len(),
            drill: drill.to_owned(),
        }
    }

    /// Whether it takes the alert.
    #[must_use]
    pub fn takes(&self, alert: &Alert) -> bool {
        let near = alert.first_seen <= self.last_seen.plus(MOST_GAP)
            && alert.last_seen >= self.first_seen.minus(MOST_GAP);
        let same_attacker = match (self.attacker, foreign(&alert.attacker, &alert.host)) {
            (Some(mine), Some(theirs)) => mine == theirs || alert.target.ip == Some(mine),
            _ => true,
        };
        near && same_attacker
            && self.agent == alert.agent
            && self.drill == alert.drill
            && self.alerts < MOST_ALERTS
    }
}

/// The incident that an alert joins: the one with the same attacker before one without, the
/// latest before older ones. `None` opens a new one.
#[must_use]
pub fn choose<'a>(candidates: impl IntoIterator<Item = &'a Candidate>, alert: &Alert) -> Option<IncidentId> {
    let attacker = foreign(&alert.attacker, &alert.host);
    candidates
        .into_iter()
        .filter(|candidate| candidate.takes(alert))
        .max_by_key(|candidate| (candidate.attacker == attacker, candidate.last_seen, candidate.incident))
        .map(|candidate| candidate.incident)
}

/// The incident that an alert opens at the collector's time `now`.
#[must_use]
pub fn open(alert: &Alert, now: Timestamp) -> Incident {
    let attacker = alert.attacker.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let parts: [&[u8]; 3] = [alert.agent.as_bytes(), attacker.as_bytes(), alert.id.as_bytes()];
    let mut incident = Incident {
        id: IncidentId::derive(alert.first_seen, &parts),
        agent: alert.agent,
        host: alert.host.clone(),
        attacker: alert.attacker.clone(),
        severity: Severity::Informational,
        first_seen: alert.first_seen,
        last_seen: alert.last_seen,
        opened: now,
        closed: None,
        alerts: Vec::new(),
        stages: Vec::new(),
        categories: Vec::new(),
        drill: alert.drill.clone(),
    };
    join(&mut incident, alert);
    incident
}

/// Adds an alert, or what has become of one that is in it already.
pub fn join(incident: &mut Incident, alert: &Alert) {
    match foreign(&incident.attacker, &incident.host) {
        // Between the same two, the other way round: who acted first is the attacker.
        Some(attacker) if alert.target.ip == Some(attacker) => {
            if alert.first_seen < incident.first_seen {
                alert.attacker.clone_into(&mut incident.attacker);
            }
        }
        _ => agree(&mut incident.attacker, alert, &incident.host),
    }
    incident.severity = incident.severity.max(alert.severity);
    // What was heard of late but happened first is the first stage.
    let earlier = alert.first_seen < incident.first_seen;
    let mut later = if earlier { std::mem::take(&mut incident.stages) } else { Vec::new() };
    incident.first_seen = incident.first_seen.min(alert.first_seen);
    incident.last_seen = incident.last_seen.max(alert.last_seen);
    insert(&mut incident.alerts, alert.id);
    for tactic in &alert.rule.tactics {
        append(&mut incident.stages, tactic);
    }
    for tactic in later.drain(..) {
        append(&mut incident.stages, &tactic);
    }
    append(&mut incident.categories, &alert.rule.category);
}

/// Closes an incident whose alerts all wait for nobody, and opens it again if one does.
pub fn settle(incident: &mut Incident, waiting: bool, now: Timestamp) {
    incident.closed = if waiting { None } else { incident.closed.or(Some(now)) };
}

/// The address of a party, unless it is that of the host itself.
fn foreign(party: &Party, host: &str) -> Option<IpAddr> {
    party.ip.filter(|_| party.name.as_deref() != Some(host))
}

/// Ids begin with the time of the first event, so their order is the order of first events.
fn insert(alerts: &mut Vec<AlertId>, alert: AlertId) {
    if let Err(at) = alerts.binary_search(&alert) {
        alerts.insert(at, alert);
    }
}

fn append(list: &mut Vec<String>, item: &str) {
    if !item.is_empty() && !list.iter().any(|had| had == item) {
        list.push(item.to_owned());
    }
}

/// A foreign address replaces a party on the host itself; of two strangers what both say stays.
fn agree(party: &mut Party, alert: &Alert, host: &str) {
    let other = &alert.attacker;
    match (foreign(party, host), foreign(other, &alert.host)) {
        (None, Some(_)) => other.clone_into(party),
        (Some(_), None) => {}
        _ => {
            party.port = party.port.filter(|_| party.port == other.port);
            party.user = party.user.take().filter(|user| other.user.as_ref() == Some(user));
            party.process = party.process.take().filter(|process| other.process.as_ref() == Some(process));
        }
    }
}

#[cfg(test)]
mod tests;
