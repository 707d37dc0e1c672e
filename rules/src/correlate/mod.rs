//! Correlations: counting findings of base rules in windows of event time.
//!
//! A window slides with the events' own time: an event that comes late is put where it belongs.
//! A correlation fires when its condition becomes true, and again each time a whole window has
//! passed while it stays true; so a lasting attack keeps speaking without a finding per event.
//! State is bounded: so many windows in all, so many events in each; the stalest are given up
//! first, and everything given up is counted.

mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use std::hash::BuildHasher;
use watchpost_model::Timestamp;
use watchpost_model::alert::{MOST_EVIDENCE, MatchedField};
use watchpost_model::id::EventRef;

use crate::ast::{Counting, Order};
use crate::compile::{Body, Core, Joined};
use crate::engine::{Finding, View, cut};
use crate::matcher::Had;
use window::{Entry, Window};

/// Windows kept over all correlations: at about 0.5 kB each, 50 MB.
const MOST_WINDOWS: usize = 100_000;

/// Share of windows given up at once when there are too many, so that looking for the stalest
/// costs little per event.
const GIVE_UP: usize = MOST_WINDOWS / 10;

/// A base rule's finding on its way into a correlation.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) correlation: usize,
    pub(crate) rule: usize,
    pub(crate) event: EventRef,
    pub(crate) time: Timestamp,
}

/// What was given up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) ungrouped: u64,
    pub(crate) evicted: u64,
    pub(crate) forgotten: u64,
    pub(crate) late: u64,
}

type Key = (usize, Vec<String>);

/// Every window of every correlation.
#[derive(Debug)]
pub(crate) struct Windows {
    windows: HashMap<Key, Window, RandomState>,
    hasher: RandomState,
    longest: Duration,
    counters: Counters,
}

impl Windows {
    pub(crate) fn new(core: &Core) -> Self {
        let spans = core.bodies.iter().filter_map(|body| match body {
            Body::Correlation(joined) => Some(joined.timespan),
            Body::Detection(_) => None,
        });
        Self {
            windows: HashMap::default(),
            hasher: RandomState::default(),
            longest: spans.max().unwrap_or_default(),
            counters: Counters::default(),
        }
    }

    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }

    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes one finding of a base rule; gives the correlation's finding if that completes it.
    pub(crate) fn arrive(&mut self, core: &Core, arrival: Arrival, view: &View<'_>) -> Option<Finding> {
        let Some(Body::Correlation(joined)) = core.bodies.get(arrival.correlation) else { return None };
        let member = joined.members.iter().position(|member| *member == arrival.rule)?;
        let (Some(values), Some(counted)) = (group(joined, member, view), self.counted(joined, member, view))
        else {
            self.counters.ungrouped += 1;
            return None;
        };
        let key = (arrival.correlation, values);
        self.make_room(&key);
        let window = self.windows.entry(key.clone()).or_default();
        let entry = Entry { time: arrival.time, event: arrival.event, counted };
        let outcome = window.arrive(entry, joined);
        self.counters.forgotten += outcome.forgotten;
        self.counters.late += u64::from(outcome.late);
        let fired = outcome.fired?;
        let rule = Arc::clone(core.rules.get(arrival.correlation)?);
        let names = joined.group.iter().map(|(name, fields)| {
            fields.get(member).map_or_else(|| name.clone(), |field| view.shown(*field).to_owned())
        });
        let group: Vec<(String, String)> = names.zip(key.1).collect();
        let mut matched: Vec<MatchedField> =
            group.iter().map(|(name, value)| told(name.clone(), value.clone())).collect();
        matched.push(told("count".into(), fired.count.to_string()));
        let mut events = fired.events;
        evidence(&mut events);
        Some(Finding { rule, time: fired.time, matched, group, events, count: Some(fired.count) })
    }

    /// What an entry counts as: equal numbers are counted once; of a figure, the bits of its number.
    fn counted(&self, joined: &Joined, member: usize, view: &View<'_>) -> Option<u64> {
        match &joined.kind {
            Counting::Events => Some(0),
            Counting::Rules(Order::Any | Order::AsListed) | Counting::When(_) => u64::try_from(member).ok(),
            Counting::Figure(..) => {
                let slot = view.slot(*joined.counted.first()?.get(member)?);
                slot.values.iter().find_map(Had::number).map(f64::to_bits)
            }
            Counting::Values(_) => {
                let fields = joined.counted.iter().map(|fields| fields.get(member));
                let texts: Option<Vec<String>> = fields.map(|field| view.slot(*field?).joined()).collect();
                Some(self.hasher.hash_one(texts?))
            }
        }
    }

    fn make_room(&mut self, key: &Key) {
        if self.windows.len() < MOST_WINDOWS || self.windows.contains_key(key) {
            return;
        }
        let mut times: Vec<Timestamp> = self.windows.values().map(Window::newest).collect();
        let (_, edge, _) = times.select_nth_unstable(GIVE_UP);
        let edge = *edge;
        let before = self.windows.len();
        let mut left = GIVE_UP;
        self.windows.retain(|_, window| {
            let stale = window.newest() <= edge && left > 0;
            left -= usize::from(stale);
            !stale
        });
        let gone = before - self.windows.len();
        self.counters.evicted += u64::try_from(gone).unwrap_or(u64::MAX);
    }
}

fn told(field: String, value: String) -> MatchedField {
    MatchedField { field, value, pattern: String::new() }
}

/// The values that separate this finding's window; `None` where the event lacks one.
fn group(joined: &Joined, member: usize, view: &View<'_>) -> Option<Vec<String>> {
    joined
        .group
        .iter()
        .map(|(_, fields)| view.slot(*fields.get(member)?).joined().map(|text| cut(&text).to_owned()))
        .collect()
}

/// Keeps the first events and the last.
fn evidence(events: &mut Vec<EventRef>) {
    if events.len() > MOST_EVIDENCE
        && let Some(last) = events.last().copied()
    {
        events.truncate(MOST_EVIDENCE - 1);
        events.push(last);
    }
}

#[cfg(test)]
mod tests;
