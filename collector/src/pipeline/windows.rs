//! The windows of correlations over a restart: saved as they change, read back at a start.
//!
//! Every few seconds the groups that changed since the last time are written in the same
//! transaction as the cursor, with the number of the frame that they stand for. After a start the
//! rows are read and the journal is replayed from that frame on. What was found there was committed
//! with the cursor and is not raised again, but for rules of which the rows know nothing: what those
//! find on the way was never told. Where there are no rows that this build can read,
//! the windows are rebuilt from the journal over the longest of them; so are those of a rule that is
//! new, while those of a rule that means the same are kept.
//!
//! Promise: rows and frame number always belong together. Where they can not be written in one
//! transaction, the number is taken away first.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use std::time::Duration;

use watchpost_model::id::{AgentId, EventRef};
use watchpost_model::{Event, FieldId, Kind, Timestamp, field as f};
use watchpost_rules::Restored;

use super::{Desk, Engine, Error, Hit, Settings, record, stamp};
use crate::alerts::{Draft, Sighting};
use crate::state::{State, Table, Writes};

/// Key of the frame number and the head of the saved windows, in [`Table::Meta`].
const HEAD: &[u8] = b"detect.windows";

/// Rows written or deleted in one transaction where more must go than belongs into a step.
const CHUNK: usize = 20_000;

/// Rows read at a time.
const ROWS: usize = 2_000;

/// Most findings of new rules kept of what is read back; the oldest are given up and counted.
const MOST_BELATED: usize = 5_000;

/// Added when reading back: batches arrive later than their events.
const LATE: Duration = Duration::from_secs(60);

/// What is saved of the windows.
#[derive(Debug)]
pub(super) struct Saved {
    /// The frame that the rows stand for; absent while there is no head.
    frame: Option<u64>,
    /// When rows were last written, by the collector's clock.
    at: Timestamp,
    /// Rows of rules that are no more, to be deleted bit by bit.
    stale: Vec<Vec<u8>>,
}

/// An engine whose windows stand where the cursor does, and how it got there.
pub(super) struct Opened {
    pub(super) engine: Box<dyn Engine>,
    pub(super) saved: Saved,
    /// What rules found that are new since the windows were saved; to be raised.
    pub(super) belated: VecDeque<Belated>,
}

/// Brings the windows of a fresh engine to where the cursor stands.
pub(super) fn open(desk: &Desk, settings: &Settings, cursor: u64) -> Result<Opened, Error> {
    let state = desk.book.state();
    let mut saved = Saved { frame: None, at: Timestamp::EPOCH, stale: Vec::new() };
    let mut engine = desk.rules.engine();
    if engine.is_durable() {
        if let Some((frame, head)) = head(state)?.filter(|(frame, _)| *frame <= cursor) {
            if let Some(Brought { mut engine, stale, mut fresh }) = restored(desk, settings, frame, &head)? {
                replay(desk, engine.as_mut(), frame.saturating_add(1)..=cursor, &mut fresh);
                engine.resume(desk.since);
                (saved.frame, saved.stale) = (Some(frame), stale);
                return Ok(Opened { engine, saved, belated: fresh.finish() });
            }
            tracing::warn!("the saved windows of correlations can not be used; they are rebuilt");
        }
        clear(state)?;
    }
    let from = read_back(desk, settings, engine.longest_window(), cursor);
    replay(desk, engine.as_mut(), from..=cursor, &mut Fresh::default());
    engine.resume(desk.since);
    Ok(Opened { engine, saved, belated: VecDeque::new() })
}

/// An engine with its windows.
struct Brought {
    engine: Box<dyn Engine>,
    /// Keys of rows that it does not want.
    stale: Vec<Vec<u8>>,
    fresh: Fresh,
}

/// What rules find in a replay that nobody asked before.
#[derive(Debug, Default)]
struct Fresh {
    rules: Vec<String>,
    found: VecDeque<Belated>,
    given_up: u64,
}

impl Fresh {
    fn wants(&self, hit: &Hit) -> bool {
        self.rules.contains(&hit.rule.id)
    }

    fn keep(&mut self, belated: Belated) {
        if self.found.len() >= MOST_BELATED {
            self.found.pop_front();
            self.given_up = self.given_up.saturating_add(1);
        }
        self.found.push_back(belated);
    }

    fn finish(self) -> VecDeque<Belated> {
        if self.given_up > 0 {
            tracing::warn!(
                findings = self.given_up,
                "new correlations found more than is raised; the oldest are left out"
            );
        }
        self.found
    }
}

/// An engine as it was at `frame`, and the keys of rows that no rule wants. `None` where the rows can
/// not be used.
fn restored(desk: &Desk, settings: &Settings, frame: u64, head: &[u8]) -> Result<Option<Brought>, Error> {
    let mut engine = desk.rules.engine();
    let Some(found) = restore(desk, engine.as_mut(), head)? else { return Ok(None) };
    let mut fresh = Fresh { rules: found.fresh, ..Fresh::default() };
    if found.unknown == 0 {
        return Ok(Some(Brought { engine, stale: found.foreign, fresh }));
    }
    // Of some rules the rows know nothing: their windows come from the journal, the rest from rows.
    tracing::info!(rules = found.unknown, "the windows of new correlations are read back");
    let mut engine = desk.rules.engine();
    let from = read_back(desk, settings, engine.longest_window(), frame);
    replay(desk, engine.as_mut(), from..=frame, &mut fresh);
    Ok(restore(desk, engine.as_mut(), head)?.map(|found| Brought { engine, stale: found.foreign, fresh }))
}

fn restore(desk: &Desk, engine: &mut dyn Engine, head: &[u8]) -> Result<Option<Restored>, Error> {
    let mut rows = Rows { state: desk.book.state(), from: Vec::new(), ready: Vec::new(), failed: None };
    let found = engine.restore(head, &mut rows);
    match rows.failed {
        Some(error) => Err(error.into()),
        None => Ok(found.ok()),
    }
}

/// Every row, in order of its key, read bit by bit.
struct Rows<'s> {
    state: &'s dyn State,
    from: Vec<u8>,
    ready: Vec<(Vec<u8>, Vec<u8>)>,
    failed: Option<crate::state::Error>,
}

impl Iterator for Rows<'_> {
    type Item = (Vec<u8>, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() && self.failed.is_none() {
            match self.state.range(Table::Windows, &self.from, None, false, ROWS) {
                Ok(rows) => self.ready = rows,
                Err(error) => self.failed = Some(error),
            }
            if let Some((last, _)) = self.ready.last() {
                self.from.clone_from(last);
                self.from.push(0);
            }
            self.ready.reverse();
        }
        self.ready.pop()
    }
}

impl Saved {
    /// Whether it is time to save: many rows changed, or a while has passed since the last time.
    pub(super) fn is_due(&self, engine: &dyn Engine, settings: &Settings, now: Timestamp) -> bool {
        let waited = now < self.at || now.since(self.at) >= settings.save_every;
        engine.is_durable() && (waited || engine.changed() >= settings.save_rows)
    }

    /// What must be written together with the cursor `frame`, so that a start goes on from there.
    ///
    /// # Errors
    /// Rows that did not fit could not be written, or what is there has no form. The engine no longer
    /// knows what it gave: it must be opened anew.
    pub(super) fn save(
        &mut self,
        state: &dyn State,
        engine: &mut dyn Engine,
        frame: u64,
        now: Timestamp,
    ) -> Result<Writes, Error> {
        let changes = engine.changes();
        let mut writes = Writes::default();
        let rows = changes.put.into_iter().map(|(key, value)| (key, Some(value)));
        let gone = changes.delete.into_iter().map(|key| (key, None));
        let mut rows: Vec<_> = rows.chain(gone).collect();
        if rows.len() > 2 * CHUNK {
            // Until all of it is there, rows and head do not belong together.
            drop_head(state)?;
        }
        while rows.len() > 2 * CHUNK {
            let mut some = Writes::default();
            for row in rows.drain(rows.len() - CHUNK..) {
                put(&mut some, row);
            }
            state.commit(some)?;
        }
        let stale = self.stale.len().saturating_sub(CHUNK);
        rows.extend(self.stale.drain(stale..).map(|key| (key, None)));
        rows.into_iter().for_each(|row| put(&mut writes, row));
        record::put(&mut writes, Table::Meta, HEAD, &(frame, changes.head))?;
        (self.frame, self.at) = (Some(frame), now);
        Ok(writes)
    }
}

fn put(writes: &mut Writes, (key, value): (Vec<u8>, Option<Vec<u8>>)) {
    match value {
        Some(value) => writes.put(Table::Windows, key, value),
        None => writes.delete(Table::Windows, key),
    }
}

/// The frame that the rows stand for, and the engine's head. One that can not be read is none.
fn head(state: &dyn State) -> Result<Option<(u64, Vec<u8>)>, Error> {
    match record::get(state, Table::Meta, HEAD) {
        Err(error @ Error::Record { .. }) => {
            tracing::warn!(%error, "the saved windows of correlations can not be used");
            Ok(None)
        }
        found => found,
    }
}

fn drop_head(state: &dyn State) -> Result<(), Error> {
    let mut writes = Writes::default();
    writes.delete(Table::Meta, HEAD);
    Ok(state.commit(writes)?)
}

/// Deletes the head, then every row.
fn clear(state: &dyn State) -> Result<(), Error> {
    drop_head(state)?;
    loop {
        let rows = state.range(Table::Windows, &[], None, false, CHUNK)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut writes = Writes::default();
        rows.into_iter().for_each(|(key, _)| writes.delete(Table::Windows, key));
        state.commit(writes)?;
    }
}

/// Shows the engine what it would have seen. What fires has been told before, unless its rule is
/// fresh.
fn replay(desk: &Desk, engine: &mut dyn Engine, frames: RangeInclusive<u64>, fresh: &mut Fresh) {
    for number in *frames.start().max(&desk.journal.first())..=*frames.end() {
        let Ok(Some(frame)) = desk.journal.read(number) else { continue };
        let Ok((events, batch)) = stamp::open(&frame) else { continue };
        for hit in guarded(|| engine.tick(frame.received)).unwrap_or_default() {
            if fresh.wants(&hit) {
                fresh.keep(last_heard(desk, hit));
            }
        }
        for (index, event) in (0_u32..).zip(&events) {
            let at = EventRef { frame: number, index };
            for hit in guarded(|| engine.observe(event, at)).unwrap_or_default() {
                if fresh.wants(&hit) {
                    let (agent, host, received) = (frame.agent, batch.host.clone(), frame.received);
                    fresh.keep(Belated { hit, at, event: event.clone(), agent, host, received });
                }
            }
        }
    }
}

/// `None` where the engine panicked.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}

/// The first frame received within `window` before the frame `to`, bounded by the setting; the one
/// after `to` where there is no window.
fn read_back(desk: &Desk, settings: &Settings, window: Duration, to: u64) -> u64 {
    let (mut from, mut events) = (to.saturating_add(1), 0_u64);
    if window.is_zero() {
        return from;
    }
    let (window, mut newest) = (window.saturating_add(LATE), None);
    for number in (desk.journal.first()..=to).rev() {
        let Ok(Some(frame)) = desk.journal.read(number) else { continue };
        let newest = *newest.get_or_insert(frame.received);
        events = events.saturating_add(u64::from(frame.events));
        if newest.since(frame.received) > window {
            break;
        }
        if events > settings.read_back {
            tracing::warn!(from, "the windows of correlations are longer than detection reads back");
            break;
        }
        from = number;
    }
    from
}

/// What became of silence: the hits of a tick, each with the last event of its group, and whose it is.
pub(super) fn silent(desk: &Desk, engine: &mut dyn Engine, now: Timestamp) -> Vec<Belated> {
    let Some(hits) = guarded(|| engine.tick(now)) else {
        tracing::error!("the rules engine panicked on the passing of time");
        desk.figures.panics.fetch_add(1, Ordering::Relaxed);
        return Vec::new();
    };
    hits.into_iter().map(|hit| last_heard(desk, hit)).collect()
}

/// A hit with the last event that was heard of its group; where retention took that, with what the
/// hit says of it.
fn last_heard(desk: &Desk, hit: Hit) -> Belated {
    let found = |at: EventRef| {
        let frame = desk.journal.read(at.frame).ok().flatten()?;
        let (events, batch) = stamp::open(&frame).ok()?;
        let event = events.into_iter().nth(usize::try_from(at.index).ok()?)?;
        Some((event, frame.agent, batch.host, frame.received))
    };
    let at = hit.events.last().copied().unwrap_or(EventRef { frame: 0, index: 0 });
    let (event, agent, host, received) = found(at).unwrap_or_else(|| {
        let value = |name: FieldId| hit.group.iter().find(|(field, _)| *field == name.name()).map(|(_, v)| v);
        let agent = value(f::AGENT_ID).or_else(|| value(f::HOST_ID)).and_then(|text| text.parse().ok());
        let host = value(f::HOST_NAME).cloned().unwrap_or_default();
        (recalled(&hit), agent.unwrap_or(AgentId::from_bytes([0; 16])), host, hit.time)
    });
    Belated { hit, at, event, agent, host, received }
}

/// An event with the group values of a hit, in the place of one that is no more.
fn recalled(hit: &Hit) -> Event {
    let mut event = Event::new(Kind::Log, hit.time);
    for (name, value) in &hit.group {
        let Some(field) = FieldId::named(name) else { continue };
        match value.parse::<IpAddr>() {
            Ok(ip) => event.record.set(field, ip),
            Err(_) => event.record.set(field, value.as_str()),
        }
    }
    event
}

/// A hit that is raised later than its last event came: of a group that fell silent, or of a rule
/// that is newer than its events.
#[derive(Debug)]
pub(super) struct Belated {
    pub(super) hit: Hit,
    pub(super) at: EventRef,
    pub(super) event: Event,
    pub(super) agent: AgentId,
    pub(super) host: String,
    /// When the last event came.
    pub(super) received: Timestamp,
}

impl Belated {
    /// Its alert, at the collector's time `now`.
    pub(super) fn draft(&self, drill: &str, now: Timestamp) -> Draft {
        let hit = &self.hit;
        let sighting = Sighting {
            rule: &hit.rule,
            severity: hit.severity,
            outcome: hit.outcome,
            group_by: &hit.group_by,
            group: hit.group.clone(),
            correlated: hit.correlated,
            count: hit.count,
            matched: hit.matched.clone(),
            events: hit.events.clone(),
            time: hit.time,
            event: &self.event,
            at: self.at,
            agent: self.agent,
            host: &self.host,
            drill: drill.to_owned(),
        };
        Draft::of(sighting, now).of_finding(hit.id, hit.standing)
    }
}
