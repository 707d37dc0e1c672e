//! What the API answers from: the book, the journal, the rules' numbers and the hub.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use watchpost_model::alert::Alert;
use watchpost_model::id::AlertId;
use watchpost_model::query::{Drill, Live, Overview, TriageChange, UnderWay};
use watchpost_model::{Event, Timestamp};

use super::{Book, Counts, Error, Rules, Strain, record};
use crate::alerts::Drills;
use crate::hub::Hub;
use crate::journal::Reader;
use crate::state::{State, Writes};

/// Frames counted exactly for the backlog; more are estimated.
const BACKLOG_FRAMES: u64 = 64;

/// Frames of backlog that are worth a warning.
const BACKLOG_WARNING: u64 = 100;

/// Figures of the detection thread.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Last frame that detection is done with.
    pub(super) cursor: AtomicU64,
    /// Frames that could not be read or unpacked.
    pub(super) damaged: AtomicU64,
    /// Events on which the engine panicked.
    pub(super) panics: AtomicU64,
    /// Steps that failed and are tried again.
    pub(super) failures: AtomicU64,
    /// What the correlations gave up, since the engine was made: too many groups, too many events in
    /// a group, too late.
    evicted: AtomicU64,
    forgotten: AtomicU64,
    late: AtomicU64,
}

impl Figures {
    pub(super) fn note(&self, strain: Strain) {
        self.evicted.store(strain.evicted, Ordering::Relaxed);
        self.forgotten.store(strain.forgotten, Ordering::Relaxed);
        self.late.store(strain.late, Ordering::Relaxed);
    }
}

/// See the module.
pub struct Desk {
    /// Alerts, incidents and hosts.
    pub book: Book,
    /// The events.
    pub journal: Reader,
    /// Where changes are told.
    pub hub: Hub,
    pub(super) rules: Arc<dyn Rules>,
    drills: RwLock<Drills>,
    pub(super) figures: Figures,
    pub(super) since: Timestamp,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("book", &self.book)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// Reads what the state knows.
    ///
    /// # Errors
    /// The state can not be read.
    pub fn open(
        journal: Reader,
        state: Arc<dyn State>,
        rules: Arc<dyn Rules>,
        hub: Hub,
        since: Timestamp,
    ) -> Result<Self, Error> {
        let cursor = record::cursor(state.as_ref())?;
        let figures = Figures { cursor: AtomicU64::new(cursor), ..Figures::default() };
        let drills = RwLock::new(record::drills(state.as_ref())?);
        Ok(Self { book: Book::open(state)?, journal, hub, rules, drills, figures, since })
    }

    /// Changes an alert's handling and tells it. `None` where there is no such alert.
    ///
    /// # Errors
    /// The change is not allowed or could not be kept.
    pub fn triage(
        &self,
        id: AlertId,
        wanted: &TriageChange,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<Alert>, Error> {
        let Some((alert, live)) = self.book.triage(id, wanted, who, now)? else { return Ok(None) };
        self.tell(&live);
        Ok(Some(alert))
    }

    /// A drill begins: its label counts from now on, over a restart too.
    ///
    /// # Errors
    /// The drill is not allowed or could not be kept; then its label does not count.
    pub fn announce(&self, drill: &Drill, now: Timestamp) -> Result<UnderWay, Error> {
        let mut known = self.drills.write().unwrap_or_else(PoisonError::into_inner);
        let mut drills = known.clone();
        let until = drills.announce(drill, now)?;
        let mut writes = Writes::default();
        record::put_drills(&mut writes, &drills)?;
        self.book.state().commit(writes)?;
        *known = drills;
        Ok(UnderWay { label: drill.label.clone(), until })
    }

    /// Label of the drill that made an event, which came at `received`; empty for the real thing.
    pub(super) fn drill(&self, event: &Event, received: Timestamp) -> String {
        self.drills.read().unwrap_or_else(PoisonError::into_inner).label(event, received)
    }

    /// The situation in numbers.
    #[must_use]
    pub fn overview(&self, now: Timestamp) -> Overview {
        let counts = self.rules.counts();
        let mut overview = Overview {
            now,
            since: self.since,
            version: env!("CARGO_PKG_VERSION").into(),
            events: self.journal.events(),
            journal_bytes: self.journal.bytes(),
            rules: counts.loaded,
            blind_rules: counts.blind,
            rejected_rules: counts.rejected,
            rules_hash: counts.hash.clone(),
            rules_loaded: Some(counts.since),
            backlog: self.backlog(),
            warnings: self.warnings(&counts),
            ..Overview::default()
        };
        self.book.overview(&mut overview, now);
        overview
    }

    /// Number of the last frame that detection is done with.
    #[must_use]
    pub fn detected(&self) -> u64 {
        self.figures.cursor.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, live: &[Live]) {
        for message in live {
            self.hub.publish(message);
        }
    }

    fn waiting_frames(&self) -> (u64, u64) {
        let next = self.figures.cursor.load(Ordering::Relaxed).max(self.journal.first().saturating_sub(1));
        (next, self.journal.last().saturating_sub(next))
    }

    /// Events that wait for detection; estimated where many do.
    fn backlog(&self) -> u64 {
        let (next, frames) = self.waiting_frames();
        let counted = frames.min(BACKLOG_FRAMES);
        let frame =
            |number| self.journal.read(number).ok().flatten().map_or(0, |frame| u64::from(frame.events));
        let events: u64 = (next + 1..=next + counted).map(frame).sum();
        events.saturating_mul(frames).checked_div(counted).unwrap_or(0)
    }

    fn warnings(&self, counts: &Counts) -> Vec<String> {
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let waiting = self.waiting_frames().1;
        let table = [
            (counts.rejected, "rules or rule files were rejected; run `watchpost rules check`"),
            (
                counts.refused,
                "rules stopped the last reload, the rules before it stay in force; run `watchpost-collector rules status`",
            ),
            (figure(&self.figures.damaged), "journal frames could not be read and were skipped by detection"),
            (figure(&self.figures.panics), "events made the rules engine fail and were skipped"),
            (figure(&self.figures.failures), "steps of detection failed and were tried again; see the log"),
            (figure(&self.figures.evicted), "groups of correlations were given up; raise rules.groups"),
            (figure(&self.figures.forgotten), "events were left out of correlations that hold too many"),
            (figure(&self.figures.late), "events came too late for their correlations"),
            (
                if waiting > BACKLOG_WARNING { waiting } else { 0 },
                "batches wait for detection; alerts come late",
            ),
        ];
        let said = |(count, text): (u64, &str)| (count > 0).then(|| format!("{count} {text}"));
        table.into_iter().filter_map(said).collect()
    }
}
