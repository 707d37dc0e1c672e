//! One transaction of the book: what was read and changed so far, before it is written.
//!
//! Several findings of one step may touch the same alert and incident; each is read once, changed
//! here and written once.

use std::collections::{BTreeMap, HashMap};

use watchpost_model::Timestamp;
use watchpost_model::alert::Alert;
use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::query::Live;
use watchpost_rules::{FindingId, Standing};

use super::book::{Inner, opened};
use super::record::Way;
use super::{Error, record};
use crate::alerts::{self, Draft, Key};
use crate::incidents::{self, Candidate};
use crate::state::{State, Table, Writes};

/// Incidents of one host that may still take alerts; the stalest is given up first.
const MOST_CANDIDATES: usize = 64;

pub(super) struct Page<'a> {
    state: &'a dyn State,
    pub(super) writes: Writes,
    pub(super) hosts_changed: bool,
    alerts: BTreeMap<AlertId, Alert>,
    groups: HashMap<Key, AlertId>,
    /// Findings told in this transaction: their alert, and how many of its events are theirs.
    findings: HashMap<FindingId, (AlertId, u64)>,
    incidents: BTreeMap<IncidentId, Incident>,
}

impl<'a> Page<'a> {
    pub(super) fn new(state: &'a dyn State) -> Self {
        Self {
            state,
            writes: Writes::default(),
            hosts_changed: false,
            alerts: BTreeMap::new(),
            groups: HashMap::new(),
            findings: HashMap::new(),
            incidents: BTreeMap::new(),
        }
    }

    pub(super) fn alert(&self, id: AlertId) -> Result<Option<Alert>, Error> {
        match self.alerts.get(&id) {
            Some(alert) => Ok(Some(alert.clone())),
            None => record::alert(self.state, id),
        }
    }

    /// Whether any alert was made or changed: most steps touch none.
    pub(super) fn touches_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }

    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, Error> {
        match self.incidents.get(&id) {
            Some(incident) => Ok(Some(incident.clone())),
            None => record::incident(self.state, id),
        }
    }

    fn open_of_group(&self, key: &Key) -> Result<Option<Alert>, Error> {
        let id = match self.groups.get(key) {
            Some(id) => Some(*id),
            None => record::way(self.state, &key.0)?.map(Way::alert),
        };
        id.map_or(Ok(None), |id| self.alert(id))
    }

    pub(super) fn keep_alert(&mut self, alert: Alert) {
        self.alerts.insert(alert.id, alert);
    }

    /// A finding becomes a repeat of an open alert or a new one, and finds its incident.
    pub(super) fn fold(&mut self, inner: &mut Inner, draft: Draft, now: Timestamp) -> Result<(), Error> {
        let Draft { key, alert: new, finding, standing } = draft;
        if let Some(finding) = finding
            && let Some((alert, counted)) = self.told(finding)?
        {
            return self.amend(inner, finding, (alert, counted), new, standing);
        }
        if matches!(standing, Standing::Absorbed { .. } | Standing::Withdrawn) {
            return Ok(());
        }
        let (mut alert, raised, counted) = match self.open_of_group(&key)? {
            Some(mut open) if alerts::takes(&open, &new) => {
                let counted = alerts::absorb(&mut open, new);
                (open, false, counted)
            }
            // Ids are deterministic: one that is there already has been told before.
            _ if self.alert(new.id)?.is_some() => return Ok(()),
            _ => {
                let counted = new.count;
                (new, true, counted)
            }
        };
        if let Some(finding) = finding {
            self.tell_of(finding, &alert, counted)?;
        }
        self.file(inner, &mut alert, now)?;
        if raised {
            inner.board.raise(&alert);
        } else {
            inner.board.note(&alert);
        }
        let way = Way::Group(alert.id, alert.last_seen);
        record::put(&mut self.writes, Table::AlertGroups, &key.0, &way)?;
        self.groups.insert(key, alert.id);
        self.keep_alert(alert);
        Ok(())
    }

    /// The alert that took a finding, and how many of its events are the finding's.
    fn told(&self, finding: FindingId) -> Result<Option<(AlertId, u64)>, Error> {
        if let Some(told) = self.findings.get(&finding) {
            return Ok(Some(*told));
        }
        Ok(match record::way(self.state, finding.as_bytes())? {
            Some(Way::Finding(alert, _, counted)) => Some((alert, counted)),
            Some(Way::Group(..)) | None => None,
        })
    }

    fn tell_of(&mut self, finding: FindingId, alert: &Alert, counted: u64) -> Result<(), Error> {
        let way = Way::Finding(alert.id, alert.last_seen, counted);
        record::put(&mut self.writes, Table::AlertGroups, finding.as_bytes(), &way)?;
        self.findings.insert(finding, (alert.id, counted));
        Ok(())
    }

    /// A later version of a finding goes into the alert that took it. The first version once more is
    /// one that was told before a crash.
    fn amend(
        &mut self,
        inner: &mut Inner,
        finding: FindingId,
        (alert, counted): (AlertId, u64),
        version: Alert,
        standing: Standing,
    ) -> Result<(), Error> {
        let Some(mut alert) = self.alert(alert)?.filter(|_| standing.amends()) else { return Ok(()) };
        let before = alert.clone();
        let counted = alerts::amend(&mut alert, version, standing, counted);
        if alert == before {
            return Ok(());
        }
        if let Some(mut incident) = alert.incident.map_or(Ok(None), |id| self.incident(id))? {
            incidents::join(&mut incident, &alert);
            self.incidents.insert(incident.id, incident);
        }
        inner.board.note(&alert);
        self.tell_of(finding, &alert, counted)?;
        self.keep_alert(alert);
        Ok(())
    }

    /// Puts an alert into its incident.
    fn file(&mut self, inner: &mut Inner, alert: &mut Alert, now: Timestamp) -> Result<(), Error> {
        let candidates = inner.candidates.entry(alert.agent).or_default();
        let id = alert.incident.or_else(|| incidents::choose(candidates.iter(), alert));
        let known = id.map_or(Ok(None), |id| self.incident(id))?;
        let incident = match known {
            Some(mut incident) => {
                incidents::join(&mut incident, alert);
                incident
            }
            None => match opened(alert, now) {
                Some(incident) => incident,
                None => return Ok(()),
            },
        };
        alert.incident = Some(incident.id);
        if incident.closed.is_none() {
            inner.open_incidents.insert(incident.id);
            self.offer(inner, &incident, &alert.drill)?;
        }
        self.incidents.insert(incident.id, incident);
        Ok(())
    }

    /// Lets an incident take further alerts; gives up those that are too old to.
    fn offer(&mut self, inner: &mut Inner, incident: &Incident, drill: &str) -> Result<(), Error> {
        let candidate = Candidate::of(incident, drill);
        let candidates = inner.candidates.entry(incident.agent).or_default();
        candidates.retain(|had| had.incident != candidate.incident);
        record::put(&mut self.writes, Table::IncidentGroups, &group_key(&candidate), &candidate)?;
        let newest = candidate.last_seen;
        candidates.push(candidate);
        candidates.sort_by_key(|candidate| (candidate.last_seen, candidate.incident));
        // Twice the gap: events that waited in a spool still find their incident.
        let too_old = newest.minus(incidents::MOST_GAP.saturating_mul(2));
        let stale = candidates.iter().take_while(|candidate| candidate.last_seen < too_old).count();
        let given_up = stale.max(candidates.len().saturating_sub(MOST_CANDIDATES));
        for candidate in candidates.drain(..given_up.min(candidates.len())) {
            self.writes.delete(Table::IncidentGroups, group_key(&candidate));
        }
        Ok(())
    }

    /// After triage: an incident is open as long as one of its alerts is.
    pub(super) fn settle(&mut self, inner: &mut Inner, alert: &Alert, now: Timestamp) -> Result<(), Error> {
        let Some(mut incident) = alert.incident.map_or(Ok(None), |id| self.incident(id))? else {
            return Ok(());
        };
        let waiting = incident.alerts.iter().any(|id| inner.board.is_open(*id));
        let before = incident.closed;
        incidents::settle(&mut incident, waiting, now);
        if incident.closed == before {
            return Ok(());
        }
        if waiting {
            inner.open_incidents.insert(incident.id);
            self.offer(inner, &incident, &alert.drill)?;
        } else {
            inner.open_incidents.remove(&incident.id);
            self.withdraw(inner, &incident);
        }
        self.incidents.insert(incident.id, incident);
        Ok(())
    }

    fn withdraw(&mut self, inner: &mut Inner, incident: &Incident) {
        let candidate = Candidate::of(incident, "");
        if let Some(candidates) = inner.candidates.get_mut(&incident.agent) {
            candidates.retain(|had| had.incident != incident.id);
        }
        self.writes.delete(Table::IncidentGroups, group_key(&candidate));
    }

    /// Everything to write, and what to tell once it is durable.
    pub(super) fn close(mut self) -> Result<(Writes, Vec<Live>, bool), Error> {
        let mut live = Vec::new();
        for (id, alert) in std::mem::take(&mut self.alerts) {
            record::put(&mut self.writes, Table::Alerts, id.as_bytes(), &alert)?;
            live.push(Live::Alert(Box::new(alert)));
        }
        for (id, incident) in std::mem::take(&mut self.incidents) {
            record::put(&mut self.writes, Table::Incidents, id.as_bytes(), &incident)?;
            live.push(Live::Incident(Box::new(incident)));
        }
        Ok((self.writes, live, self.hosts_changed))
    }
}

/// Agent, then incident: the groups of one host lie together.
fn group_key(candidate: &Candidate) -> Vec<u8> {
    [candidate.agent.as_bytes().as_slice(), candidate.incident.as_bytes()].concat()
}
