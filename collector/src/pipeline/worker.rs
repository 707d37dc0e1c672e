//! The detection thread's work, one turn at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use watchpost_model::id::EventRef;
use watchpost_model::query::Live;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::Sifted;

use super::book::Seen;
use super::crew::{Crew, Found, Sorted, Woken};
use super::windows::{self, Belated, Opened, Saved};
use super::{Desk, Engine, Error, Hit, STEP_EVENTS, STEP_FINDINGS, STEP_TIME, Settings};
use crate::alerts::{self, Draft, Sighting};
use crate::clock;
use crate::journal;
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

/// Detection is behind when frames wait and the last one dealt with came longer ago than this.
const BEHIND: Duration = Duration::from_secs(5);

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
    /// Works ahead with the sieves of `engine`; whoever changes that or the cursor sends it away.
    crew: Option<Crew>,
    saved: Saved,
    /// What new rules found in what is behind the cursor, not yet raised.
    belated: VecDeque<Belated>,
    /// Whether the engine has seen what was not kept.
    astray: bool,
    generation: u64,
    cursor: u64,
    tries: u32,
    /// When the last frame dealt with had been received.
    received: Timestamp,
    /// When detection was last seen to be behind.
    behind: Timestamp,
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
        let Opened { engine, saved, belated } = windows::open(&desk, &settings, cursor)?;
        let start = desk.since;
        let rounds = Rounds { overview: start, silence: start, time: start, hosts: start, prune: start };
        Ok(Self {
            desk,
            settings,
            engine,
            crew: None,
            saved,
            belated,
            astray: false,
            generation,
            cursor,
            tries: 0,
            received: start,
            behind: start,
            rounds,
        })
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

    /// Deals with what there is, up to about [`STEP_EVENTS`] events or [`STEP_TIME`].
    ///
    /// # Errors
    /// Nothing of the step was kept.
    pub fn step(&mut self, now: impl Fn() -> Timestamp) -> Result<(), Error> {
        if self.astray {
            self.rebuild()?;
        }
        self.follow_rules(now())?;
        self.catch_up(now())?;
        self.crew = self.crew.take().filter(|crew| !crew.is_broken());
        let begun = clock::monotonic();
        let (mut seen, mut events, mut findings, mut cursor) = (Vec::new(), 0_u64, 0, self.cursor);
        while let Some((number, sorted)) = self.next_frame()? {
            if let Some(sorted) = sorted {
                events = events.saturating_add(u64::from(sorted.arrival.events));
                self.received = sorted.arrival.received;
                let frame = self.conclude(sorted, now());
                findings += frame.drafts.len();
                seen.push(frame);
            }
            cursor = number;
            let full = events >= STEP_EVENTS || findings >= STEP_FINDINGS;
            // With its last thread gone a crew loses all it was asked: another one is asked again.
            let broken = self.crew.as_ref().is_some_and(Crew::is_broken);
            if full || broken || begun.elapsed() >= STEP_TIME {
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

    /// The next frame with its number; no frame where it is lost for good, nothing where there is
    /// none yet or the disk may still recover.
    fn next_frame(&mut self) -> Result<Option<(u64, Option<Sorted>)>, Error> {
        let Some((number, found)) = self.crew()?.next() else { return Ok(None) };
        Ok(self.judge(number, found).map(|sorted| (number, sorted)))
    }

    fn crew(&mut self) -> Result<&mut Crew, Error> {
        match &mut self.crew {
            Some(crew) => Ok(crew),
            none => {
                let sieve = || self.engine.sieve();
                let crew = Crew::new(&self.desk.journal, self.cursor, sieve).map_err(Error::Thread)?;
                Ok(none.insert(crew))
            }
        }
    }

    /// What to make of an answer: nothing at all where it is to be asked again.
    #[expect(clippy::option_option, reason = "again, given up, or there: as the caller reads it")]
    fn judge(&mut self, number: u64, found: Found) -> Option<Option<Sorted>> {
        match found {
            Ok(frame) => {
                self.tries = 0;
                Some(frame)
            }
            Err(journal::Error::Damaged { .. }) => Some(self.give_up(number)),
            Err(_) if self.tries >= MOST_TRIES => Some(self.give_up(number)),
            Err(error) => {
                self.tries += 1;
                tracing::warn!(%error, frame = number, "a journal frame could not be read; trying again");
                // What was read ahead is read again, behind this frame.
                self.crew = None;
                std::thread::sleep(NAP);
                None
            }
        }
    }

    fn give_up(&mut self, number: u64) -> Option<Sorted> {
        self.tries = 0;
        tracing::error!(frame = number, "a journal frame could not be read; detection skips it");
        self.desk.figures.damaged.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Asks the engine about the events of a frame that wake rules, in their order.
    fn conclude(&mut self, sorted: Sorted, now: Timestamp) -> Seen {
        let Sorted { agent, arrival, host, ledger, states, quiet, unknown, broken, woken, damage } = sorted;
        let (frame, drafts) = (arrival.frame, Vec::new());
        let mut seen = Seen { agent, arrival, host, ledger, states, passed: quiet, lost: unknown, drafts };
        if let Some(error) = damage {
            tracing::error!(error, frame, "a batch could not be unpacked; detection skips it");
            self.desk.figures.damaged.fetch_add(1, Ordering::Relaxed);
            seen.lost = u64::from(seen.arrival.events);
            return seen;
        }
        self.pass_time(&mut seen.drafts, arrival.received, now);
        for index in broken {
            self.panicked(&mut seen, EventRef { frame, index });
        }
        for Woken { index, event, sifted } in woken {
            self.look(&mut seen, &event, sifted.as_ref(), EventRef { frame, index }, now);
        }
        seen
    }

    fn look(
        &mut self,
        seen: &mut Seen,
        event: &Event,
        sifted: Option<&Sifted>,
        at: EventRef,
        now: Timestamp,
    ) {
        let Some(hits) = observe(self.engine.as_mut(), event, sifted, at) else {
            return self.panicked(seen, at);
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

    fn panicked(&self, seen: &mut Seen, at: EventRef) {
        seen.lost = seen.lost.saturating_add(1);
        tracing::error!(event = %at, "the rules engine panicked on an event; it is skipped");
        self.desk.figures.panics.fetch_add(1, Ordering::Relaxed);
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
        self.crew = None;
        let opened = windows::open(&self.desk, &self.settings, self.cursor)?;
        (self.engine, self.saved, self.belated) = (opened.engine, opened.saved, opened.belated);
        self.astray = false;
        Ok(())
    }

    /// Raises what new rules found behind the cursor, with the windows that know of it: until both are
    /// kept, the rules stay new and find it again.
    fn catch_up(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.belated.is_empty() {
            return Ok(());
        }
        let drafts = std::mem::take(&mut self.belated).iter().map(|found| self.draft(found, now)).collect();
        self.raise(drafts, now)
    }

    fn draft(&self, found: &Belated, now: Timestamp) -> Draft {
        found.draft(&self.desk.drill(&found.event, found.received), now)
    }

    fn raise(&mut self, drafts: Vec<Draft>, now: Timestamp) -> Result<(), Error> {
        let saved = self.save(self.cursor, true, now)?;
        let live = self.desk.book.raise(drafts, saved, now)?;
        self.desk.tell(&live);
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
        self.engine.correct(now);
        // A frame from a future that did not come is of today.
        for silent in windows::silent(&self.desk, self.engine.as_mut(), time.min(now)) {
            drafts.push(self.draft(&silent, now));
        }
    }

    /// Does what is due at `now`.
    pub(super) fn round(&mut self, now: Timestamp) -> Result<(), Error> {
        if due(&mut self.rounds.silence, SILENCE_EVERY, now) {
            // Who speaks is read off the journal: while detection is behind, nobody can be called
            // silent, and afterwards everyone has the whole span to be heard.
            if self.desk.journal.last() > self.cursor && now.since(self.received) > BEHIND {
                self.behind = now;
            }
            let live = self.desk.book.silence(self.settings.silent_after, self.behind, now)?;
            self.desk.tell(&live);
        }
        if !self.astray {
            self.catch_up(now)?;
        }
        // Only what nobody waits for is silent; frames that are being written have their own time.
        if due(&mut self.rounds.time, TIME_EVERY, now) && self.cursor == self.desk.journal.last() {
            let mut drafts = Vec::new();
            self.pass_time(&mut drafts, now.minus(TIME_EVERY), now);
            if !drafts.is_empty() {
                self.raise(drafts, now)?;
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
fn observe(
    engine: &mut dyn Engine,
    event: &Event,
    sifted: Option<&Sifted>,
    at: EventRef,
) -> Option<Vec<Hit>> {
    catch_unwind(AssertUnwindSafe(|| match sifted {
        Some(sifted) => engine.conclude(event, at, sifted),
        None => engine.observe(event, at),
    }))
    .ok()
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
