//! All that the dashboard knows, and how lists are looked at.
//!
//! `Data` is what the collector said; `State` adds what the analyst is doing with it. Freezing
//! keeps a copy of the data to look at while the live one goes on changing, so thawing is
//! immediate and nothing is lost. Everything is bounded.

use std::collections::BTreeMap;

use serde_json::Value;
use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Party, Triage};
use watchpost_model::asset::Host;
use watchpost_model::id::{AgentId, AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::query::{Evidence, IncidentStory, Overview, Page};

use super::message::Link;
use crate::keymap::Place;

/// Alerts and incidents kept for the lists. Older ones are reached by the command line; an analyst
/// who has more open than this needs a filter, not a longer list.
pub const MOST_ROWS: usize = 2_000;

/// Characters of a prompt: more than any reason or query, less than a paste accident.
pub const MOST_INPUT: usize = 500;

/// A tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The situation.
    #[default]
    Overview,
    /// The queue of alerts.
    Alerts,
    /// Incidents.
    Incidents,
    /// Hosts.
    Hosts,
    /// Search in raw events.
    Hunt,
}

impl Tab {
    /// Every tab, in order.
    pub const ALL: [Self; 5] = [Self::Overview, Self::Alerts, Self::Incidents, Self::Hosts, Self::Hunt];

    /// Its position.
    #[must_use]
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }

    /// The tab so many steps on, around the end.
    #[must_use]
    pub fn step(self, steps: usize) -> Self {
        Self::ALL.get((self.index() + steps) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// What the collector said.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// The numbers; none before the first answer.
    pub overview: Option<Box<Overview>>,
    /// Alerts by id, so by time.
    pub alerts: BTreeMap<AlertId, Alert>,
    /// Whether alerts were read at all.
    pub alerts_read: bool,
    /// Incidents by id, so by time.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Whether incidents were read at all.
    pub incidents_read: bool,
    /// Hosts by name.
    pub hosts: Vec<Host>,
    /// Whether hosts were read at all.
    pub hosts_read: bool,
}

/// A page over a tab.
#[derive(Clone, Debug)]
pub enum Open {
    /// An alert.
    Alert {
        /// Which.
        id: AlertId,
        /// Its raw events, once they are here, or why they are not.
        evidence: Option<Result<Evidence, String>>,
    },
    /// An incident.
    Incident {
        /// Which.
        id: IncidentId,
        /// Its story, once it is here, or why it is not.
        story: Option<Result<Box<IncidentStory>, String>>,
    },
    /// A raw event found by a hunt.
    Event(Box<Value>),
}

/// What a prompt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A filter of the list in view.
    Filter,
    /// A query over raw events.
    Hunt,
    /// The reason for changing an alert's handling.
    Reason(AlertId, Triage),
}

/// A prompt and what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub ask: Ask,
    /// What was typed.
    pub text: String,
}

/// How a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Worst first, then newest.
    Worst,
}

/// A search in raw events.
#[derive(Clone, Debug, Default)]
pub struct Hunt {
    /// The query.
    pub query: String,
    /// Whether an answer is awaited.
    pub running: bool,
    /// The answer, or why there is none.
    pub found: Option<Result<Page<Value>, String>>,
    /// Row under the cursor. Answers never change under it, so a number is stable here.
    pub selected: usize,
}

/// A message in the footer, until when, and what kind.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What it says.
    pub text: NoticeText,
    /// When it goes away.
    pub until: Timestamp,
}

/// What a notice says; worded by the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeText {
    /// An alert's handling changed.
    Triaged(Triage),
    /// A report was written.
    Reported(String),
    /// Something failed.
    Failed(String),
    /// The stream left messages out.
    Missed(u64),
    /// A reason must be given.
    ReasonNeeded,
    /// Too many requests.
    Busy,
}

/// All that the dashboard knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What the collector said, always current.
    pub live: Data,
    /// A copy to look at while frozen.
    pub frozen: Option<Box<Data>>,
    /// Whether the collector is heard.
    pub link: Link,
    /// The tab in view.
    pub tab: Tab,
    /// The pages over it, last on top.
    pub pages: Vec<Open>,
    /// Lines scrolled down on the top page.
    pub scroll: usize,
    /// How far it can be scrolled, as the last frame found.
    pub scroll_most: usize,
    /// Alert under the cursor.
    pub alert: Option<AlertId>,
    /// Incident under the cursor.
    pub incident: Option<IncidentId>,
    /// Host under the cursor.
    pub host: Option<AgentId>,
    /// Text that rows must contain, lower case; empty where there is no filter.
    pub filter: String,
    /// Whether only open alerts are shown.
    pub only_open: bool,
    /// Order of the alert queue.
    pub order: Order,
    /// The search.
    pub hunt: Hunt,
    /// The prompt in the footer.
    pub prompt: Option<Prompt>,
    /// Whether the keys are shown.
    pub help: bool,
    /// Lines scrolled down in the keys.
    pub help_scroll: usize,
    /// A passing message.
    pub notice: Option<Notice>,
    /// Columns and rows of the window.
    pub size: (u16, u16),
    /// The time of the last message.
    pub now: Timestamp,
}

impl State {
    /// What to look at: the frozen copy or the live data.
    #[must_use]
    pub fn data(&self) -> &Data {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// The queue as filtered and sorted.
    #[must_use]
    pub fn alerts(&self) -> Vec<&Alert> {
        let mut rows: Vec<&Alert> = self
            .data()
            .alerts
            .values()
            .rev()
            .filter(|alert| {
                (!self.only_open || alert.triage.is_open()) && self.keeps(|add| say_alert(alert, add))
            })
            .collect();
        if self.order == Order::Worst {
            rows.sort_by_key(|alert| std::cmp::Reverse((alert.severity, alert.id)));
        }
        rows
    }

    /// Incidents as filtered, newest first.
    #[must_use]
    pub fn incidents(&self) -> Vec<&Incident> {
        let rows = self.data().incidents.values().rev();
        rows.filter(|incident| self.keeps(|add| say_incident(incident, add))).collect()
    }

    /// Hosts as filtered, by name.
    #[must_use]
    pub fn hosts(&self) -> Vec<&Host> {
        let rows = self.data().hosts.iter();
        rows.filter(|host| self.keeps(|add| say_host(host, add))).collect()
    }

    /// Events found by the hunt.
    #[must_use]
    pub fn found(&self) -> &[Value] {
        match &self.hunt.found {
            Some(Ok(page)) => &page.rows,
            _ => &[],
        }
    }

    /// Where the analyst is, for the keys that work there.
    #[must_use]
    pub fn place(&self) -> Place {
        match (self.pages.last(), self.tab) {
            (Some(Open::Alert { .. }), _) => Place::Alert,
            (Some(Open::Incident { .. }), _) => Place::Incident,
            (Some(Open::Event(_)), _) => Place::Event,
            (None, Tab::Overview) => Place::Overview,
            (None, Tab::Alerts) => Place::Alerts,
            (None, Tab::Incidents) => Place::Incidents,
            (None, Tab::Hosts) => Place::Hosts,
            (None, Tab::Hunt) => Place::Hunt,
        }
    }

    /// The alert concerned by triage keys: the open page's, or the one under the cursor.
    #[must_use]
    pub fn current_alert(&self) -> Option<&Alert> {
        let id = match self.pages.last() {
            Some(Open::Alert { id, .. }) => *id,
            None if self.tab == Tab::Alerts => self.selected_alert()?,
            _ => return None,
        };
        self.live.alerts.get(&id).or_else(|| self.data().alerts.get(&id))
    }

    /// The alert under the cursor: the remembered one while it is in the list, else the first.
    #[must_use]
    pub fn selected_alert(&self) -> Option<AlertId> {
        stay(self.alert, self.alerts().iter().map(|alert| alert.id))
    }

    /// The incident under the cursor.
    #[must_use]
    pub fn selected_incident(&self) -> Option<IncidentId> {
        stay(self.incident, self.incidents().iter().map(|incident| incident.id))
    }

    /// The host under the cursor.
    #[must_use]
    pub fn selected_host(&self) -> Option<AgentId> {
        stay(self.host, self.hosts().iter().map(|host| host.agent))
    }

    /// The incident that a report key means.
    #[must_use]
    pub fn current_incident(&self) -> Option<IncidentId> {
        match self.pages.last() {
            Some(Open::Incident { id, .. }) => Some(*id),
            Some(Open::Alert { .. }) => self.current_alert()?.incident,
            Some(Open::Event(_)) => None,
            None if self.tab == Tab::Incidents => self.selected_incident(),
            None => self.current_alert()?.incident,
        }
    }

    fn keeps(&self, say: impl FnOnce(&mut dyn FnMut(&str))) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let mut found = false;
        say(&mut |text: &str| found = found || text.to_lowercase().contains(&self.filter));
        found
    }
}

/// The remembered id while it is among the rows, else the first row's.
fn stay<T: Copy + PartialEq>(kept: Option<T>, mut rows: impl Iterator<Item = T> + Clone) -> Option<T> {
    let kept = kept.filter(|kept| rows.clone().any(|row| row == *kept));
    kept.or_else(|| rows.next())
}

fn say_alert(alert: &Alert, add: &mut dyn FnMut(&str)) {
    for text in [&alert.rule.name, &alert.rule.name_zh, &alert.host, &alert.drill, &alert.owner] {
        add(text);
    }
    add(alert.severity.name());
    alert.rule.techniques.iter().for_each(|technique| add(technique));
    say_party(&alert.attacker, add);
    say_party(&alert.target, add);
}

fn say_incident(incident: &Incident, add: &mut dyn FnMut(&str)) {
    add(&incident.host);
    add(&incident.drill);
    add(&incident.id.to_string());
    incident.stages.iter().for_each(|stage| add(stage));
    say_party(&incident.attacker, add);
}

fn say_host(host: &Host, add: &mut dyn FnMut(&str)) {
    for text in [&host.name, &host.os, &host.rung] {
        add(text);
    }
    host.ips.iter().for_each(|ip| add(ip));
}

fn say_party(party: &Party, add: &mut dyn FnMut(&str)) {
    if let Some(ip) = party.ip {
        add(&ip.to_string());
    }
    [&party.name, &party.user, &party.process].into_iter().flatten().for_each(|text| add(text));
}
