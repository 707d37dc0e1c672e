//! Raw events behind alerts, read from the journal.
//!
//! An event that retention has deleted or that can not be read is not hidden: it counts as one
//! of those that are `more` than what is shown.

use std::collections::{BTreeMap, btree_map};
use std::time::{Duration, Instant};

use watchpost_model::Event;
use watchpost_model::alert::Alert;
use watchpost_model::id::EventRef;
use watchpost_model::query::{Evidence, EvidenceEvent};

use crate::clock;
use crate::pipeline::{Desk, stamp};

/// Frames kept unpacked while one answer is made: neighbours share frames.
const MOST_FRAMES: usize = 32;

/// Longest time spent on one answer; an incident may have a thousand alerts.
const MOST_TIME: Duration = Duration::from_secs(3);

/// Reads evidence for one answer.
pub(super) struct Gatherer<'a> {
    desk: &'a Desk,
    frames: BTreeMap<u64, Vec<Event>>,
    begun: Instant,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(desk: &'a Desk) -> Self {
        Self { desk, frames: BTreeMap::new(), begun: clock::monotonic() }
    }

    /// The evidence of one alert, in order of time.
    pub(super) fn gather(&mut self, alert: &Alert) -> Evidence {
        let mut found: Vec<(watchpost_model::Timestamp, EvidenceEvent)> = Vec::new();
        for at in &alert.events {
            if self.begun.elapsed() > MOST_TIME {
                break;
            }
            if let Some(event) = self.event(*at) {
                found.push((event.time, EvidenceEvent { at: *at, event: event.to_json() }));
            }
        }
        found.sort_by_key(|(time, event)| (*time, event.at));
        let shown = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let kept = u64::try_from(alert.events.len()).unwrap_or(u64::MAX);
        Evidence {
            events: found.into_iter().map(|(_, event)| event).collect(),
            more: alert.count.max(kept).saturating_sub(shown),
            completeness: self.completeness(alert, kept.saturating_sub(shown)),
            losses: self.losses(alert),
        }
    }

    fn event(&mut self, at: EventRef) -> Option<&Event> {
        if self.frames.len() >= MOST_FRAMES && !self.frames.contains_key(&at.frame) {
            self.frames.pop_first();
        }
        let events = match self.frames.entry(at.frame) {
            btree_map::Entry::Occupied(had) => had.into_mut(),
            btree_map::Entry::Vacant(free) => {
                let frame = self.desk.journal.read(at.frame).ok().flatten()?;
                free.insert(stamp::open(&frame).ok()?.0)
            }
        };
        events.get(usize::try_from(at.index).ok()?)
    }

    fn losses(&self, alert: &Alert) -> Vec<watchpost_model::ledger::Entry> {
        let ledger = self.desk.book.host(alert.agent).map(|host| host.ledger.0).unwrap_or_default();
        ledger.into_iter().filter(|entry| entry.lost > 0).collect()
    }

    fn completeness(&self, alert: &Alert, gone: u64) -> String {
        let mut said = match self.desk.book.host(alert.agent) {
            None => "nothing is known of the host's losses".to_owned(),
            Some(host) if host.ledger.lost() == 0 => format!("no loss is known on host {}", host.name),
            Some(host) => {
                let lost = host.ledger.0.iter().filter(|entry| entry.lost > 0);
                let stages: Vec<String> =
                    lost.map(|entry| format!("{} at {}", entry.lost, entry.stage.name())).collect();
                format!("host {} lost records since its counting began: {}", host.name, stages.join(", "))
            }
        };
        if gone > 0 {
            said.push_str(&format!(
                "; {gone} referenced events are no longer in the journal or were not read in time"
            ));
        }
        said
    }
}
