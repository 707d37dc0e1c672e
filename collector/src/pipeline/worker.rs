//! The detection thread's work, one turn at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use watchpost_model::id::EventRef;
use watchpost_model::query::Live;
use watchpost_model::{Event, Kind, Timestamp};

use super::book::Seen;
use super::windows::{self, Saved};
use super::{Desk, Engine, Error, Hit, STEP_EVENTS, STEP_TIME, Settings, stamp};
use crate::alerts::{self, Draft, Sighting};
use crate::assets::Arrival;
use crate::clock;
use crate::journal::{self, Frame};
use crate::state::Writes;

/// Longest sleep while the journal is quiet; bounds how late a stop is noticed.
const NAP: Duration = Duration::from_millis(250);

/// Readings of one frame before it is given up: a disk may recover, detection must go on.
const MOST_TRIES: u32 = 5;

const OVERVIEW_EVERY: Duration = Duration::from_secs(2);
const SILENCE_EVERY: Duration = Duration::from_secs(2);
/// How often silence is looked for while nothing comes, and how far behind the clock.
const TIME_EVERY: Duration = Duration::from_secs(2);

const HOSTS_EVERY: Duration = Duration::from_secs(10);
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// When each thing that happens now and then was last done.
#[derive(Debug)]
struct Rounds {
    overview: Timestamp,
    silence: Timestamp,
    time: Timestamp,
    hosts: Timestamp,
    prune: Timestamp,
}

/// See the module.
pub struct Worker {
    desk: Arc<Desk>,
    settings: Settings,
    engine: Box<dyn Engine>,
    saved: Saved,
    /// Whether the engine has seen what was not kept.
    astray: bool,
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
        let (engine, saved) = windows::open(&desk, &settings, cursor)?;
        let start = desk.since;
        let rounds = Rounds { overview: start, silence: start, time: start, hosts: start, prune: start };
        Ok(Self { desk, settings, engine, saved, astray: false, generation, cursor, tries: 0, rounds })
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
            self.astray = true;
            std::thread::sleep(NAP);
        }
    }

    /// Deals with up to [`STEP_EVENTS`] events or [`STEP_TIME`].
    ///
    /// # Errors
    /// Nothing of the step was kept.
    pub fn step(&mut self, now: impl Fn() -> Timestamp) -> Result<(), Error> {
        if self.astray {
            self.rebuild()?;
        }
        self.follow_rules(now())?;
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
        let saved = self.save(cursor, false, now())?;
        let live = self.desk.book.step(seen, cursor, saved, now())?;
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
        self.pass_time(&mut seen.drafts, received, now);
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
            let draft = draft.of_finding(hit.id, hit.standing);
            seen.drafts.push(draft);
        }
    }

    /// Takes the rules in force, if they were exchanged. Windows of correlations that mean the same
    /// stay as they are.
    fn follow_rules(&mut self, now: Timestamp) -> Result<(), Error> {
        let generation = self.desk.rules.generation();
        if generation != self.generation {
            tracing::info!(generation, "detection takes new rules");
            let saved = self.save(self.cursor, true, now)?;
            self.desk.book.raise(Vec::new(), saved, now)?;
            self.rebuild()?;
            self.generation = generation;
        }
        Ok(())
    }

    /// A fresh engine that has seen all that lies before the cursor.
    fn rebuild(&mut self) -> Result<(), Error> {
        (self.engine, self.saved) = windows::open(&self.desk, &self.settings, self.cursor)?;
        self.astray = false;
        Ok(())
    }

    /// What of the windows must be written together with the cursor, if it is time or `must` be.
    fn save(&mut self, cursor: u64, must: bool, now: Timestamp) -> Result<Writes, Error> {
        self.desk.figures.note(self.engine.strain());
        let engine = self.engine.as_mut();
        let due = if must { engine.is_durable() } else { self.saved.is_due(engine, &self.settings, now) };
        if due { self.saved.save(self.desk.book.state(), engine, cursor, now) } else { Ok(Writes::default()) }
    }

    /// It is `time` for the windows: what fell silent raises alerts.
    fn pass_time(&mut self, drafts: &mut Vec<Draft>, time: Timestamp, now: Timestamp) {
        for silent in windows::silent(&self.desk, self.engine.as_mut(), time) {
            let drill = self.desk.drill(&silent.event, silent.received);
            drafts.push(silent.draft(&drill, now));
        }
    }

    /// Does what is due at `now`.
    fn round(&mut self, now: Timestamp) -> Result<(), Error> {
        if due(&mut self.rounds.silence, SILENCE_EVERY, now) {
            let live = self.desk.book.silence(self.settings.silent_after, self.desk.since, now)?;
            self.desk.tell(&live);
        }
        // Only what nobody waits for is silent; frames that are being written have their own time.
        if due(&mut self.rounds.time, TIME_EVERY, now) && self.cursor == self.desk.journal.last() {
            let mut drafts = Vec::new();
            self.pass_time(&mut drafts, now.minus(TIME_EVERY), now);
            if !drafts.is_empty() {
                let saved = self.save(self.cursor, true, now)?;
                let live = self.desk.book.raise(drafts, saved, now)?;
                self.desk.tell(&live);
            }
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
