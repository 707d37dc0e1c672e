//! The kernel's audit as auditd writes it: several records per event, joined again.
//!
//! Records of one event bear one id and may stand among those of others. A [`Joiner`] holds them
//! until the event is whole, is two seconds old, or too many are held; then it is told with what
//! it has. Text that the kernel wrote in hex is decoded. A line that is no audit record is handed
//! back, never dropped. Everything is bounded: the number of events held and the records of each.

mod decode;
mod event;
mod record;
mod socket;

pub use record::Record;

use std::collections::BTreeMap;
use std::time::Duration;

use watchpost_model::{Event, Timestamp};

use record::Id;

/// Events held at once; of more the oldest is told as it is.
const MOST_HELD: usize = 64;
/// Records of one event; a longer one is told in parts.
const MOST_RECORDS: usize = 256;
/// Bytes of the raw records of one event.
const MOST_BYTES: usize = 256 * 1024;
/// An event whose end does not come is told this long after its first record.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same for one that is known to lack a record, by the log's own time.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// Joins the records of one log.
#[derive(Debug, Default)]
pub struct Joiner {
    held: BTreeMap<Id, Held>,
}

/// Records of an event that may not be whole yet.
#[derive(Debug)]
struct Held {
    records: Vec<Record>,
    bytes: usize,
    since: Timestamp,
}

impl Held {
    /// Whether a path is still missing that the system call says it has.
    fn lacks_paths(&self) -> bool {
        let wanted = self.records.iter().find_map(|record| record.get("items")?.parse::<usize>().ok());
        let paths = self.records.iter().filter(|record| record.kind == "PATH").count();
        wanted.is_some_and(|wanted| paths < wanted)
    }

    fn is_full(&self) -> bool {
        self.records.len() >= MOST_RECORDS || self.bytes >= MOST_BYTES
    }
}

impl Joiner {
    /// Takes a record, read at `now`; the events that are whole with it.
    pub fn take(&mut self, record: Record, now: Timestamp) -> Vec<Event> {
        let id = record.id.clone();
        let mut whole: Vec<Event> = self.older_than(&id);
        let known = self.held.contains_key(&id);
        if !known && record.stands_alone() {
            whole.extend(event::of(vec![record]));
            return whole;
        }
        let last = record.is_last();
        let held =
            self.held.entry(id.clone()).or_insert_with(|| Held { records: Vec::new(), bytes: 0, since: now });
        held.bytes = held.bytes.saturating_add(record.raw.len());
        held.records.push(record);
        if last || held.is_full() {
            whole.extend(self.close(&id));
        }
        while self.held.len() > MOST_HELD {
            let Some(oldest) = self.held.keys().next().cloned() else { break };
            whole.extend(self.close(&oldest));
        }
        whole
    }

    /// The events whose end has not come in time.
    pub fn overdue(&mut self, now: Timestamp) -> Vec<Event> {
        self.close_where(|_, held| now.since(held.since) >= PATIENCE)
    }

    /// All that is held, whole or not.
    pub fn finish(&mut self) -> Vec<Event> {
        self.close_where(|_, _| true)
    }

    /// Whether records wait for others of their event.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// By the log's own time: an offline run has no other. On a quiet host a late record may stand
    /// behind one that is seconds younger, so an event that lacks something waits longer.
    fn older_than(&mut self, id: &Id) -> Vec<Event> {
        let time = id.time;
        self.close_where(|known, held| {
            let patience = if held.lacks_paths() { LONG_PATIENCE } else { PATIENCE };
            time > known.time && time.since(known.time) >= patience
        })
    }

    fn close_where(&mut self, due: impl Fn(&Id, &Held) -> bool) -> Vec<Event> {
        let ids: Vec<Id> =
            self.held.iter().filter(|(id, held)| due(id, held)).map(|(id, _)| id.clone()).collect();
        ids.iter().filter_map(|id| self.close(id)).collect()
    }

    fn close(&mut self, id: &Id) -> Option<Event> {
        event::of(self.held.remove(id)?.records)
    }
}

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod tests;
