//! The detection thread's work, one turn at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use watchpost_model::id::EventRef;
use watchpost_model::query::Live;
use watchpost_model::{Event, Kind, Timestamp};

use super::book::Seen;
use super::{Desk, Engine, Error, Hit, STEP_EVENTS, STEP_TIME, Settings, stamp};
use crate::alerts::{self, Draft, Sighting};
use crate::assets::Arrival;
use crate::clock;
use crate::journal::{self, Frame};

/// Longest sleep while the journal is quiet; bounds how late a stop is noticed.
const NAP: Duration = Duration::from_millis(250);

/// Readings of one frame before it is given up: a disk may recover, detection must go on.
const MOST_TRIES: u32 = 5;

const OVERVIEW_EVERY: Duration = Duration::from_secs(2);
const SILENCE_EVERY: Duration = Duration::from_secs(2);
const HOSTS_EVERY: Duration = Duration::from_secs(10);
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// Added to a correlation's window when reading back: batches arrive later than their events.
const LATE: Duration = Duration::from_secs(60);

/// When each thing that happens now and then was last done.
#[derive(Debug)]
struct Rounds {
    overview: Timestamp,
    silence: Timestamp,
    hosts: Timestamp,
    prune: Timestamp,
}

/// See the module.
pub struct Worker {
    desk: Arc<Desk>,
    settings: Settings,
    engine: Box<dyn Engine>,
    generation: u64,
    cursor: u64,
    tries: u32,
    rounds: Rounds,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("cursor", &self.cursor)
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker that goes on where the state says, with the windows of correlations rebuilt.
    ///
    /// # Errors
    /// The state can not be read.
    pub fn open(desk: Arc<Desk>, settings: Settings) -> Result<Self, Error> {
        let cursor = super::record::cursor(desk.book.state())?;
        let generation = desk.rules.generation();
        let engine = desk.rules.engine();
        let start = desk.since;
        let rounds = Rounds { overview: start, silence: start, hosts: start, prune: start };
        let mut worker = Self { desk, settings, engine, generation, cursor, tries: 0, rounds };
        worker.rebuild();
        Ok(worker)
    }

    /// Number of the last frame that is dealt with.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// What the API answers from.
    #[must_use]
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Waits for frames, deals with one step of them and with what is due. A failure is logged
    /// and counted; the step is tried again with the next turn.
    pub fn turn(&mut self, now: impl Fn() -> Timestamp) {
        let last = self.desk.journal.wait_beyond(self.cursor, NAP);
        let outcome = if last > self.cursor { self.step(&now) } else { Ok(()) };
        if let Err(error) = outcome.and_then(|()| self.round(now())) {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "a step of detection failed");
            self.desk.figures.failures.fetch_add(1, Ordering::Relaxed);
            // The windows have seen events that were not kept: start from what was.
            self.rebuild();
            std::thread::sleep(NAP);
        }
    }

    /// Deals with up to [`STEP_EVENTS`] events or [`STEP_TIME`].
    ///
    /// # Errors
    /// Nothing of the step was kept.
    pub fn step(&mut self, now: impl Fn() -> Timestamp) -> Result<(), Error> {
        self.follow_rules();
        let begun = clock::monotonic();
        let (mut seen, mut events, mut cursor) = (Vec::new(), 0_u64, self.cursor);
        while let Some((number, frame)) = self.next_frame(cursor) {
            if let Some(frame) = frame {
                events = events.saturating_add(u64::from(frame.events));
                if events > STEP_EVENTS && !seen.is_empty() {
                    break;
                }
                seen.push(self.detect(&frame, now()));
            }
            cursor = number;
            if begun.elapsed() >= STEP_TIME {
                break;
            }
        }
        if cursor == self.cursor {
            return Ok(());
        }
        let live = self.desk.book.step(seen, cursor, now())?;
        self.cursor = cursor;
        self.desk.figures.cursor.store(cursor, Ordering::Relaxed);
        self.desk.tell(&live);
        Ok(())
    }

    /// The next frame after `cursor` with its number; no frame where it is lost for good, nothing
    /// where there is none yet or the disk may still recover.
    fn next_frame(&mut self, cursor: u64) -> Option<(u64, Option<Frame>)> {
        let journal = &self.desk.journal;
        let number = cursor.saturating_add(1).max(journal.first());
        if number > journal.last() {
            return None;
        }
        match journal.read(number) {
            Ok(frame) => {
                self.tries = 0;
                Some((number, frame))
            }
            Err(journal::Error::Damaged { .. }) => Some((number, self.give_up(number))),
            Err(_) if self.tries >= MOST_TRIES => Some((number, self.give_up(number))),
            Err(error) => {
                self.tries += 1;
                tracing::warn!(%error, frame = number, "a journal frame could not be read; trying again");
                std::thread::sleep(NAP);
                None
            }
        }
    }

    fn give_up(&mut self, number: u64) -> Option<Frame> {
        self.tries = 0;
        tracing::error!(frame = number, "a journal frame could not be read; detection skips it");
        self.desk.figures.damaged.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Looks at all events of a frame.
    fn detect(&mut self, frame: &Frame, now: Timestamp) -> Seen {
        let (number, events) = (frame.number, frame.events);
        let (epoch, first_event, received) = (frame.epoch, frame.first_event, frame.received);
        let arrival = Arrival { frame: number, epoch, first_event, events, received };
        let mut seen = Seen {
            agent: frame.agent,
            arrival,
            host: String::new(),
            ledger: watchpost_model::ledger::Ledger::default(),
            states: Vec::new(),
            passed: 0,
            lost: 0,
            drafts: Vec::new(),
        };
        let (events, batch) = match stamp::open(frame) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%error, frame = number, "a batch could not be unpacked; detection skips it");
                self.desk.figures.damaged.fetch_add(1, Ordering::Relaxed);
                seen.lost = u64::from(frame.events);
                return seen;
            }
        };
        seen.lost = batch.unknown_kinds;
        seen.ledger = batch.ledger;
        seen.host = batch.host;
        for (index, event) in (0_u32..).zip(&events) {
            self.look(&mut seen, event, EventRef { frame: number, index }, now);
        }
        seen.states = events.into_iter().filter(|event| event.kind == Kind::HostState).collect();
        seen
    }

    fn look(&mut self, seen: &mut Seen, event: &Event, at: EventRef, now: Timestamp) {
        let Some(hits) = observe(self.engine.as_mut(), event, at) else {
            seen.lost = seen.lost.saturating_add(1);
            tracing::error!(event = %at, "the rules engine panicked on an event; it is skipped");
            self.desk.figures.panics.fetch_add(1, Ordering::Relaxed);
            return;
        };
        seen.passed = seen.passed.saturating_add(1);
        if hits.is_empty() {
            return;
        }
        let drill = self.desk.drill(event, seen.arrival.received);
        for hit in hits {
            let draft = Draft::of(sighting(&hit, event, at, seen, &drill), now);
            seen.drafts.push(draft);
        }
    }

    /// Takes the rules in force, if they were exchanged.
    fn follow_rules(&mut self) {
        let generation = self.desk.rules.generation();
        if generation != self.generation {
            tracing::info!(generation, "detection takes new rules");
            self.generation = generation;
            self.rebuild();
        }
    }

    /// A fresh engine that has seen what lies in the windows of correlations before the cursor.
    fn rebuild(&mut self) {
        self.engine = self.desk.rules.engine();
        let window = self.engine.longest_window();
        if window.is_zero() || self.cursor == 0 {
            return;
        }
        let from = self.window_start(window.saturating_add(LATE));
        for number in from..=self.cursor {
            let Ok(Some(frame)) = self.desk.journal.read(number) else { continue };
            let Ok((events, _)) = stamp::open(&frame) else { continue };
            for (index, event) in (0_u32..).zip(&events) {
                // What fires here has been told before.
                let _ = observe(self.engine.as_mut(), event, EventRef { frame: number, index });
            }
        }
    }

    /// The first frame received within `window` before the cursor's, bounded by the setting.
    fn window_start(&self, window: Duration) -> u64 {
        let journal = &self.desk.journal;
        let (mut from, mut events) = (self.cursor.saturating_add(1), 0_u64);
        let mut newest = None;
        for number in (journal.first()..=self.cursor).rev() {
            let Ok(Some(frame)) = journal.read(number) else { continue };
            let newest = *newest.get_or_insert(frame.received);
            events = events.saturating_add(u64::from(frame.events));
            if newest.since(frame.received) > window {
                break;
            }
            if events > self.settings.read_back {
                tracing::warn!(from, "the windows of correlations are longer than detection reads back");
                break;
            }
            from = number;
        }
        from
    }

    /// Does what is due at `now`.
    fn round(&mut self, now: Timestamp) -> Result<(), Error> {
        if due(&mut self.rounds.silence, SILENCE_EVERY, now) {
            let live = self.desk.book.silence(self.settings.silent_after, self.desk.since, now)?;
            self.desk.tell(&live);
        }
        if due(&mut self.rounds.prune, PRUNE_EVERY, now) {
            self.desk.book.prune(now.minus(alerts::MOST_GAP.saturating_mul(24)))?;
        }
        if self.desk.hub.readers() == 0 {
            return Ok(());
        }
        if due(&mut self.rounds.overview, OVERVIEW_EVERY, now) {
            self.desk.hub.publish(&Live::Overview(Box::new(self.desk.overview(now))));
        }
        if due(&mut self.rounds.hosts, HOSTS_EVERY, now) {
            self.desk.hub.publish(&Live::Hosts(self.desk.book.hosts()));
        }
        Ok(())
    }
}

/// Whether `every` has passed since `last`; if so, it begins anew. A clock that was set back
/// counts as due.
fn due(last: &mut Timestamp, every: Duration, now: Timestamp) -> bool {
    let due = now < *last || now.since(*last) >= every;
    if due {
        *last = now;
    }
    due
}

/// `None` where the engine panicked.
fn observe(engine: &mut dyn Engine, event: &Event, at: EventRef) -> Option<Vec<Hit>> {
    catch_unwind(AssertUnwindSafe(|| engine.observe(event, at))).ok()
}

fn sighting<'a>(hit: &'a Hit, event: &'a Event, at: EventRef, seen: &'a Seen, drill: &str) -> Sighting<'a> {
    Sighting {
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
        event,
        at,
        agent: seen.agent,
        host: &seen.host,
        drill: drill.to_owned(),
    }
}
