//! Hosts: who they are, whether they still speak, how they are, what was lost on the way.
//!
//! What a host says of itself (its health, its stages of the ledger) is taken from its batches;
//! whether it lives, and the stages `journal` and `detect`, are the collector's own knowledge.
//! Gaps in an agent's event numbers are losses: they are counted here from the journal itself,
//! so the figure can be had again by reading the journal back. Pure: time is an argument.

mod health;
mod silence;

pub use silence::{RULE_ID as SILENCE_RULE, alert as silence_alert};

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchpost_model::asset::{Host, Liveness};
use watchpost_model::id::{AgentId, EventRef};
use watchpost_model::ledger::{Ledger, Stage};
use watchpost_model::{Event, Timestamp};

/// A host as it is stored: what the API shows, and what the next batch is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What the API shows.
    #[serde(flatten)]
    pub host: Host,
    /// Epoch of the last batch.
    #[serde(default)]
    pub epoch: u64,
    /// Number that the next batch's first event should have.
    #[serde(default)]
    pub next_event: u64,
    /// Whether the agent said that it was stopping.
    #[serde(default)]
    pub stopped: bool,
    /// Where its last event lies: the evidence if it falls silent.
    #[serde(default)]
    pub last_event: Option<EventRef>,
}

impl Entry {
    /// A host that is met for the first time.
    #[must_use]
    pub fn new(agent: AgentId, name: &str, now: Timestamp) -> Self {
        let host = Host {
            agent,
            name: name.to_owned(),
            enrolled: now,
            last_heard: None,
            liveness: Liveness::Never,
            version: String::new(),
            os: String::new(),
            ips: Vec::new(),
            rung: String::new(),
            blind: Vec::new(),
            cpu: 0.0,
            memory: 0.0,
            agent_memory: 0,
            agent_cpu: 0.0,
            events: 0,
            open_alerts: 0,
            ledger: Ledger::default(),
        };
        Self { host, epoch: 0, next_event: 0, stopped: false, last_event: None }
    }
}

/// What the collector knows of a batch before it looks into it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Journal frame.
    pub frame: u64,
    /// Numbering of the agent's spool.
    pub epoch: u64,
    /// Number of the first event.
    pub first_event: u64,
    /// Events in it.
    pub events: u32,
    /// When it was received.
    pub received: Timestamp,
}

/// Every host, and which of them changed since they were last stored.
#[derive(Debug, Default)]
pub struct Assets {
    entries: HashMap<AgentId, Entry>,
    changed: BTreeSet<AgentId>,
}

impl Assets {
    /// Takes in a host read from the state.
    pub fn load(&mut self, entry: Entry) {
        self.entries.insert(entry.host.agent, entry);
    }

    /// The host of an agent.
    #[must_use]
    pub fn get(&self, agent: AgentId) -> Option<&Entry> {
        self.entries.get(&agent)
    }

    /// Every host, by name.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = self.entries.values().map(|entry| entry.host.clone()).collect();
        hosts.sort_by(|a, b| a.name.cmp(&b.name).then(a.agent.cmp(&b.agent)));
        hosts
    }

    /// How many hosts are online: a change is worth telling.
    #[must_use]
    pub fn living(&self) -> usize {
        self.entries.values().filter(|entry| entry.host.liveness == Liveness::Online).count()
    }

    /// How many hosts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The register knows an agent: since when, under which name, and whether it was revoked.
    /// What the host says of itself later goes before the name it gave on enrolment.
    pub fn enrolled(&mut self, agent: AgentId, name: &str, issued: Timestamp, revoked: bool) {
        let changed = match self.entries.get_mut(&agent) {
            None => {
                self.entries.insert(agent, Entry::new(agent, name, issued));
                true
            }
            Some(entry) => {
                let earlier = issued < entry.host.enrolled;
                entry.host.enrolled = entry.host.enrolled.min(issued);
                earlier
            }
        };
        if changed {
            self.changed.insert(agent);
        }
        self.set_revoked(agent, revoked);
    }

    /// A batch is in the journal. True if that made the host come online.
    pub fn heard(&mut self, agent: AgentId, arrival: Arrival) -> bool {
        let entry = self.entry(agent, "", arrival.received);
        let events = u64::from(arrival.events);
        let expected = match entry.next_event {
            // Never heard: whoever had this spool before (a host that enrolled anew goes on with
            // its numbers) took what came earlier.
            0 => arrival.first_event,
            next if entry.epoch == arrival.epoch => next,
            _ => 1,
        };
        let missing = arrival.first_event.saturating_sub(expected);
        let journal = entry.host.ledger.get(Stage::Journal);
        entry.epoch = arrival.epoch;
        entry.next_event = arrival.first_event.saturating_add(events);
        entry.host.events = entry.host.events.saturating_add(events);
        let (passed, lost) = (journal.passed.saturating_add(events), journal.lost.saturating_add(missing));
        entry.host.ledger.set(Stage::Journal, passed, lost);
        entry.host.last_heard = entry.host.last_heard.max(Some(arrival.received));
        entry.stopped = false;
        if let Some(index) = arrival.events.checked_sub(1) {
            entry.last_event = Some(EventRef { frame: arrival.frame, index });
        }
        let woke = !matches!(entry.host.liveness, Liveness::Online | Liveness::Revoked);
        if entry.host.liveness != Liveness::Revoked {
            entry.host.liveness = Liveness::Online;
        }
        woke
    }

    /// A batch said what the host is called and what the agent counted.
    pub fn told(&mut self, agent: AgentId, name: &str, ledger: &Ledger, now: Timestamp) {
        let entry = self.entry(agent, name, now);
        if !name.is_empty() {
            name.clone_into(&mut entry.host.name);
        }
        for told in &ledger.0 {
            // The collector's own stages are not the agent's to tell.
            if !matches!(told.stage, Stage::Journal | Stage::Detect) {
                entry.host.ledger.set(told.stage, told.passed, told.lost);
            }
        }
    }

    /// A heartbeat says how the host is.
    pub fn state(&mut self, agent: AgentId, event: &Event) {
        if let Some(entry) = self.entries.get_mut(&agent) {
            health::read(entry, event);
            self.changed.insert(agent);
        }
    }

    /// Rules have seen `passed` events of a host; `lost` could not be read back.
    pub fn detected(&mut self, agent: AgentId, passed: u64, lost: u64, now: Timestamp) {
        let entry = self.entry(agent, "", now);
        let detect = entry.host.ledger.get(Stage::Detect);
        let (passed, lost) = (detect.passed.saturating_add(passed), detect.lost.saturating_add(lost));
        entry.host.ledger.set(Stage::Detect, passed, lost);
    }

    /// Finds hosts that have not been heard for `limit`, counted from `since` at the earliest (a
    /// collector that was away can not tell who spoke meanwhile). Those that did not say that
    /// they were stopping are returned.
    pub fn fall_silent(&mut self, limit: Duration, since: Timestamp, now: Timestamp) -> Vec<Entry> {
        let mut silent = Vec::new();
        for (agent, entry) in &mut self.entries {
            let Some(heard) = entry.host.last_heard else { continue };
            if entry.host.liveness == Liveness::Online && now.since(heard.max(since)) > limit {
                entry.host.liveness = Liveness::Silent;
                self.changed.insert(*agent);
                if !entry.stopped {
                    silent.push(entry.clone());
                }
            }
        }
        silent.sort_by_key(|entry| entry.host.agent);
        silent
    }

    fn set_revoked(&mut self, agent: AgentId, revoked: bool) {
        let Some(entry) = self.entries.get_mut(&agent) else { return };
        let was = entry.host.liveness == Liveness::Revoked;
        if was != revoked {
            // Certified anew: silent until its next batch.
            let restored = if entry.host.last_heard.is_some() { Liveness::Silent } else { Liveness::Never };
            entry.host.liveness = if revoked { Liveness::Revoked } else { restored };
            self.changed.insert(agent);
        }
    }

    /// Open alerts of each host; hosts that are not named have none.
    pub fn count_alerts(&mut self, open: &HashMap<AgentId, u64>) {
        for (agent, entry) in &mut self.entries {
            let count = open.get(agent).copied().unwrap_or(0);
            if entry.host.open_alerts != count {
                entry.host.open_alerts = count;
                self.changed.insert(*agent);
            }
        }
    }

    /// The hosts that changed since this was last asked.
    pub fn take_changed(&mut self) -> Vec<Entry> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|agent| self.entries.get(agent).cloned()).collect()
    }

    fn entry(&mut self, agent: AgentId, name: &str, now: Timestamp) -> &mut Entry {
        self.changed.insert(agent);
        self.entries.entry(agent).or_insert_with(|| Entry::new(agent, name, now))
    }
}

#[cfg(test)]
mod tests;
