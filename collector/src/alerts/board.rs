//! The numbers about open alerts that screens ask for every two seconds, kept in memory.
//!
//! Counting them in the state each time would read every alert again and again. The board holds
//! one small row per *open* alert, is filled once at start and told of every change after that.

use std::collections::{BTreeMap, HashMap};

use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Severity};
use watchpost_model::id::{AgentId, AlertId};

/// Hours of history that the overview shows.
const HOURS: i64 = 24;

#[derive(Debug)]
struct Row {
    severity: Severity,
    agent: AgentId,
    host: String,
    attacker: String,
    rule: String,
}

/// Numbers about open alerts.
#[derive(Debug, Default)]
pub struct Board {
    open: BTreeMap<AlertId, Row>,
    titles: HashMap<String, (String, String)>,
    /// Alerts raised, by whole hours since the epoch.
    raised: BTreeMap<i64, u64>,
}

/// The names that stand out among open alerts, most first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tops {
    /// Address or name of the attacker, alerts.
    pub attackers: Vec<(String, u64)>,
    /// Host, alerts.
    pub targets: Vec<(String, u64)>,
    /// Title, title in Chinese, alerts.
    pub rules: Vec<(String, String, u64)>,
}

impl Board {
    /// An alert was raised: counts it for its hour and takes it in.
    pub fn raise(&mut self, alert: &Alert) {
        let hour = hour(alert.raised);
        let count = self.raised.entry(hour).or_insert(0);
        *count = count.saturating_add(1);
        self.raised.retain(|at, _| *at > hour - 2 * HOURS);
        self.note(alert);
    }

    /// An alert is as it is now.
    pub fn note(&mut self, alert: &Alert) {
        if !alert.triage.is_open() {
            self.open.remove(&alert.id);
            return;
        }
        let titles = || (alert.rule.name.clone(), alert.rule.name_zh.clone());
        self.titles.entry(alert.rule.id.clone()).or_insert_with(titles);
        let row = Row {
            severity: alert.severity,
            agent: alert.agent,
            host: alert.host.clone(),
            attacker: attacker(alert),
            rule: alert.rule.id.clone(),
        };
        self.open.insert(alert.id, row);
    }

    /// Whether an alert still waits for someone.
    #[must_use]
    pub fn is_open(&self, alert: AlertId) -> bool {
        self.open.contains_key(&alert)
    }

    /// Open alerts by severity, mildest first.
    #[must_use]
    pub fn open(&self) -> [u64; 5] {
        let mut counts = [0_u64; 5];
        for row in self.open.values() {
            if let Some(count) = counts.get_mut(row.severity as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Open alerts of each host.
    #[must_use]
    pub fn by_agent(&self) -> HashMap<AgentId, u64> {
        let mut counts = HashMap::new();
        for row in self.open.values() {
            *counts.entry(row.agent).or_insert(0) += 1;
        }
        counts
    }

    /// Alerts raised in each of the last 24 hours up to `now`, oldest first.
    #[must_use]
    pub fn hourly(&self, now: Timestamp) -> Vec<u64> {
        let last = hour(now);
        (last - HOURS + 1..=last).map(|at| self.raised.get(&at).copied().unwrap_or(0)).collect()
    }

    /// The `most` names with most open alerts; equal counts stand in order of their names.
    #[must_use]
    pub fn tops(&self, most: usize) -> Tops {
        let rules = top(self.open.values().map(|row| row.rule.as_str()), most);
        let titled = |(rule, count): (String, u64)| {
            let (title, title_zh) = self.titles.get(&rule).cloned().unwrap_or_default();
            (title, title_zh, count)
        };
        Tops {
            attackers: top(self.open.values().map(|row| row.attacker.as_str()), most),
            targets: top(self.open.values().map(|row| row.host.as_str()), most),
            rules: rules.into_iter().map(titled).collect(),
        }
    }
}

fn hour(time: Timestamp) -> i64 {
    time.as_seconds().div_euclid(3_600)
}

fn attacker(alert: &Alert) -> String {
    let party = &alert.attacker;
    let ip = party.ip.map(|ip| ip.to_string());
    ip.or_else(|| party.name.clone()).or_else(|| party.user.clone()).unwrap_or_default()
}

fn top<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> Vec<(String, u64)> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for name in names.filter(|name| !name.is_empty()) {
        *counts.entry(name).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts.into_iter().take(most).map(|(name, count)| (name.to_owned(), count)).collect()
}
