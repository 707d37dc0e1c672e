//! The batcher: events from the queue become numbered, packed, durable batches.
//!
//! A batch closes when it is full or 200 ms after its first event, whichever comes first. Numbers
//! are given when the batch is packed, so an event that was counted as dropped never leaves a
//! hole. While the disk refuses, the batch in hand is tried again; the queue behind it fills,
//! log readers wait and captured events are dropped and counted at the queue.
//!
//! When the agent ends in order its very last event says so (`agent_stop`): a host that falls
//! silent after it is no alarm, one that falls silent without it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use watchpost_model::ledger::Stage;
use watchpost_model::wire::{self, Batch, PackError};
use watchpost_model::{Event, Kind, Timestamp, Value, field, limits};

use crate::clock;
use crate::counters::Counters;
use crate::mask::Masker;
use crate::queue::{Item, Outlet};
use crate::ship::{Backoff, count};
use crate::spool::{Append, Error, Shared};
use crate::stop::Stop;

/// A batch is closed this long after its first event.
pub const LINGER: Duration = Duration::from_millis(200);
/// How often an idle batcher looks whether it should end.
const IDLE: Duration = Duration::from_millis(200);
/// Sensors that have not gone this long after the wish to end are not waited for.
const SENSORS_GRACE: Duration = Duration::from_secs(1);
/// While the disk is full.
const DISK: Backoff = Backoff { least: Duration::from_millis(200), most: Duration::from_secs(10) };

/// The batcher's work.
#[derive(Debug)]
pub struct Batcher {
    /// Where events come from.
    pub outlet: Outlet,
    /// Where batches go.
    pub spool: Shared,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What hides numbers of persons.
    pub masker: Masker,
    /// The host's name.
    pub host: String,
    /// The wish to end.
    pub stop: Stop,
    /// Whether that wish was the operator's; only then the collector is told.
    pub in_order: Arc<AtomicBool>,
    /// Wished by the batcher once it will append nothing more.
    pub drained: Stop,
}

/// Events that will be one batch.
#[derive(Debug, Default)]
struct Pending {
    events: Vec<Event>,
    positions: BTreeMap<String, String>,
    due: Option<Instant>,
}

impl Pending {
    fn push(&mut self, item: Item, masker: &Masker, now: Instant) {
        let mut event = item.event;
        // Before anything is cut: half a number would not be known as one.
        masker.apply(&mut event);
        trim(&mut event);
        self.events.push(event);
        if let Some(position) = item.position {
            self.positions.insert(position.source.to_string(), position.value);
        }
        self.due.get_or_insert(now + LINGER);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.events.len() >= limits::BATCH_EVENTS || self.due.is_some_and(|due| due <= now)
    }

    fn patience(&self, now: Instant) -> Duration {
        self.due.map_or(IDLE, |due| due.saturating_duration_since(now))
    }
}

impl Batcher {
    /// Runs until every sensor has gone, or the wish to end is a second old.
    pub fn run(self) {
        let mut pending = Pending::default();
        let mut grace: Option<Instant> = None;
        loop {
            let now = clock::monotonic();
            if self.stop.is_stopped() && now >= *grace.get_or_insert(now + SENSORS_GRACE) {
                break;
            }
            match self.outlet.take(pending.patience(now)) {
                Ok(Some(item)) => pending.push(item, &self.masker, clock::monotonic()),
                Ok(None) => {}
                Err(_) => break,
            }
            if pending.is_due(clock::monotonic()) {
                self.flush(std::mem::take(&mut pending));
            }
        }
        if self.in_order.load(Ordering::Acquire) {
            pending.events.push(farewell(clock::now()));
        }
        self.flush(pending);
        self.drained.stop();
    }

    fn flush(&self, pending: Pending) {
        if !pending.events.is_empty() {
            self.write(pending.events, &pending.positions);
        }
    }

    /// Writes events as one batch, or as several where one would be over the wire's caps. The
    /// positions ride with the last part: until then the lines before may come again.
    fn write(&self, events: Vec<Event>, positions: &BTreeMap<String, String>) {
        let (sequence, first_event) = self.spool.next();
        let mut batch = Batch {
            epoch: self.spool.epoch(),
            sequence,
            first_event,
            host: self.host.clone(),
            ledger: self.counters.ledger(),
            events,
            unknown_kinds: 0,
        };
        match wire::pack(&batch) {
            Ok(payload) => {
                let events = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
                self.append(&Append { sequence, first_event, events, payload: &payload, positions });
            }
            Err(PackError::TooLarge { .. } | PackError::Bomb { .. }) if batch.events.len() > 1 => {
                let rest = batch.events.split_off(batch.events.len() / 2);
                self.write(batch.events, &BTreeMap::new());
                self.write(rest, positions);
            }
            Err(error) => {
                let lost = u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
                self.counters.lose(Stage::Queue, lost);
                tracing::warn!(%error, lost, "events could not be packed and are lost");
            }
        }
    }

    /// Appends, as often as it takes. Gives up only at the agent's end: the positions have not
    /// moved, so lines come again; what was captured is counted as lost.
    fn append(&self, record: &Append<'_>) {
        let mut failures = 0;
        while let Err(error) = self.spool.append(record) {
            if failures == 0 {
                tracing::error!(%error, full = error.is_full(), "the spool can not take a batch; events wait");
            }
            failures += 1;
            let hopeless = matches!(error, Error::TooLarge { .. } | Error::OutOfOrder { .. });
            if hopeless || self.stop.sleep(DISK.delay(failures, u64::MAX)) {
                self.counters.lose(Stage::Queue, u64::from(record.events));
                break;
            }
        }
        count(&self.counters, &self.spool.stats());
    }
}

/// The last word of an agent that was asked to end.
fn farewell(now: Timestamp) -> Event {
    let mut event = Event::new(Kind::HostState, now);
    event.record.set(field::EVENT_KIND, "state");
    event.record.set(field::EVENT_ACTION, "agent_stop");
    event.record.set(field::EVENT_TYPE, "end");
    event.record.set(field::AGENT_VERSION, env!("CARGO_PKG_VERSION"));
    event
}

/// Cuts what is over the wire's bounds, and marks the event.
fn trim(event: &mut Event) {
    let long: Vec<_> = event.record.iter().filter(|(_, value)| is_long(value)).map(|(id, _)| id).collect();
    for id in &long {
        if let Some(value) = event.record.remove(*id) {
            event.record.set(*id, cut(value));
        }
    }
    if !long.is_empty() {
        event.record.set(field::PARSE, "cut");
    }
}

fn is_long(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.len() > limits::TEXT_BYTES,
        Value::List(items) => items.len() > limits::LIST_ITEMS || items.iter().any(is_long),
        _ => false,
    }
}

fn cut(value: Value) -> Value {
    match value {
        Value::Text(mut text) => {
            text.truncate(text.floor_char_boundary(limits::TEXT_BYTES));
            Value::Text(text)
        }
        Value::List(items) => Value::List(items.into_iter().take(limits::LIST_ITEMS).map(cut).collect()),
        other => other,
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test that is wrong should fail loudly")]
mod tests {
    use super::*;
    use crate::queue::{Position, queue};
    use crate::spool::{Settings, Spool};

    fn event(text: &str) -> Event {
        let mut event = Event::new(Kind::Log, Timestamp::EPOCH);
        event.record.set(field::MESSAGE, text);
        event
    }

    struct Rig {
        _folder: tempfile::TempDir,
        spool: Shared,
        counters: Arc<Counters>,
    }

    /// Runs a batcher over these items until the queue closes.
    fn batch_all(items: Vec<(Event, Option<Position>)>) -> Rig {
        batch_until(items, false)
    }

    /// The same; `in_order` says whether the end was asked for.
    fn batch_until(items: Vec<(Event, Option<Position>)>, in_order: bool) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), Settings::default(), 7).unwrap();
        let spool = Shared::new(spool);
        let counters = Arc::new(Counters::default());
        let (inlet, outlet) = queue(items.len().max(1), counters.clone());
        let (stop, drained) = (Stop::default(), Stop::default());
        for (event, position) in items {
            inlet.put(event, position, &stop).unwrap();
        }
        drop(inlet);
        let batcher = Batcher {
            outlet,
            spool: spool.clone(),
            counters: counters.clone(),
            masker: Masker::new(crate::mask::Settings::default(), b"key"),
            host: "h".into(),
            stop,
            in_order: Arc::new(AtomicBool::new(in_order)),
            drained: drained.clone(),
        };
        batcher.run();
        assert!(drained.is_stopped());
        Rig { _folder: folder, spool, counters }
    }

    fn read_all(spool: &Shared) -> Vec<Batch> {
        let mut batches = Vec::new();
        while let Some(waiting) = spool.peek(Duration::ZERO).unwrap() {
            batches.push(wire::unpack(&waiting.payload).unwrap());
            spool.acknowledge(waiting.sequence);
        }
        batches
    }

    #[test]
    fn the_last_event_of_an_orderly_end_says_so_and_no_other_does() {
        let rig = batch_until(vec![(event("1"), None)], true);
        let last = read_all(&rig.spool).pop().and_then(|batch| batch.events.last().cloned()).unwrap();
        assert_eq!((last.kind, last.text(field::EVENT_ACTION)), (Kind::HostState, Some("agent_stop")));
        let rig = batch_until(vec![(event("1"), None)], false);
        assert!(read_all(&rig.spool).iter().flat_map(|batch| &batch.events).all(|e| e.kind == Kind::Log));
    }

    #[test]
    fn no_number_of_a_person_reaches_the_disk_even_where_text_is_cut() {
        let long = format!("{} 11010519491231002X", "x".repeat(limits::TEXT_BYTES - 10));
        let rig = batch_all(vec![(event("call 13800138000"), None), (event(&long), None)]);
        let batch = read_all(&rig.spool).remove(0);
        assert_eq!(batch.events[0].text(field::MESSAGE), Some("call 138****8000"));
        assert!(!batch.events[1].text(field::MESSAGE).unwrap().contains("194912"));
    }

    #[test]
    fn events_are_numbered_without_gaps_over_full_batches() {
        let rig =
            batch_all((0..limits::BATCH_EVENTS * 2 + 5).map(|n| (event(&n.to_string()), None)).collect());
        let batches = read_all(&rig.spool);
        assert_eq!(batches.iter().map(|batch| batch.events.len()).collect::<Vec<_>>(), [1000, 1000, 5]);
        assert_eq!(
            batches.iter().map(|batch| (batch.sequence, batch.first_event)).collect::<Vec<_>>(),
            [(1, 1), (2, 1001), (3, 2001)]
        );
        assert_eq!(rig.counters.ledger().get(Stage::Spool).passed, 2005);
    }

    #[test]
    fn the_last_position_of_each_source_is_stored_with_the_batch() {
        let at = |source: &str, value: &str| Some(Position { source: source.into(), value: value.into() });
        let items = vec![(event("1"), at("a", "1")), (event("2"), at("b", "5")), (event("3"), at("a", "2"))];
        let rig = batch_all(items);
        let recovery = Spool::open(rig._folder.path(), Settings::default(), 0).unwrap().1;
        assert_eq!(recovery.positions.get("a").map(String::as_str), Some("2"));
        assert_eq!(recovery.positions.get("b").map(String::as_str), Some("5"));
        assert_eq!((recovery.next_sequence, recovery.next_event), (2, 4));
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_marked() {
        let long = "é".repeat(limits::TEXT_BYTES);
        let rig = batch_all(vec![(event(&long), None), (event("short"), None)]);
        let batch = read_all(&rig.spool).remove(0);
        assert!(batch.events[0].text(field::MESSAGE).unwrap().len() <= limits::TEXT_BYTES);
        assert_eq!(batch.events[0].text(field::PARSE), Some("cut"));
        assert_eq!(batch.events[1].text(field::PARSE), None);
    }

    #[test]
    fn a_batch_over_the_wire_cap_is_split_and_loses_nothing() {
        let text = "x".repeat(limits::TEXT_BYTES);
        let rig = batch_all((0..900).map(|_| (event(&text), None)).collect());
        let batches = read_all(&rig.spool);
        assert!(batches.len() > 1, "900 texts of 64 KiB do not fit one batch");
        assert_eq!(batches.iter().map(|batch| batch.events.len()).sum::<usize>(), 900);
        assert_eq!(rig.counters.ledger().lost(), 0);
    }
}
