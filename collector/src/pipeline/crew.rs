//! Threads that take frames apart ahead of detection: read, check, unpack, stamp, and ask of each
//! event alone which rules it wakes.
//!
//! Frames are handed out by number and given back in that order, however long each took; what
//! needs order (correlations, alerts, the cursor) stays with the one that asks. Most events wake
//! nothing and end here. At most [`AHEAD`] frames a thread are under way, so memory is bounded
//! by so many unpacked batches; nothing is kept that the journal does not have, so a crew can be
//! sent away at any moment.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use watchpost_model::id::AgentId;
use watchpost_model::ledger::Ledger;
use watchpost_model::wire::Unpacker;
use watchpost_model::{Event, Kind};
use watchpost_rules::Sifted;

use super::engine::Sieve;
use super::stamp;
use crate::assets::Arrival;
use crate::journal::{self, Frame, Reader};

/// Frames under way for each thread: one in work, one ready.
const AHEAD: usize = 2;

/// More threads than this wait for the one that keeps the order.
const MOST_THREADS: usize = 4;

/// A frame, taken apart.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) agent: AgentId,
    pub(super) arrival: Arrival,
    pub(super) host: String,
    pub(super) ledger: Ledger,
    pub(super) states: Vec<Event>,
    /// Events that wake no rule.
    pub(super) quiet: u64,
    /// Events of kinds that this build does not know.
    pub(super) unknown: u64,
    /// Events on which the rules engine panicked, by position.
    pub(super) broken: Vec<u32>,
    pub(super) woken: Vec<Woken>,
    /// Why nothing of the batch could be read, if so.
    pub(super) damage: Option<String>,
}

/// An event that detection must hear of.
#[derive(Debug)]
pub(super) struct Woken {
    /// Position in its batch.
    pub(super) index: u32,
    pub(super) event: Event,
    /// What it woke; nothing where the engine wants to see every event itself.
    pub(super) sifted: Option<Sifted>,
}

/// What the journal has under a number, taken apart; nothing where retention took it.
pub(super) type Found = Result<Option<Sorted>, journal::Error>;

struct Job {
    number: u64,
    reply: SyncSender<Found>,
}

/// See the module.
pub(super) struct Crew {
    journal: Reader,
    jobs: Option<SyncSender<Job>>,
    asked: VecDeque<(u64, Receiver<Found>)>,
    last: u64,
    most: usize,
    broken: bool,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("last", &self.last).field("threads", &self.threads.len()).finish()
    }
}

impl Crew {
    /// A crew for the frames after `cursor`. `sieve` is asked once for each thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn new(
        journal: &Reader,
        cursor: u64,
        sieve: impl Fn() -> Option<Box<dyn Sieve>>,
    ) -> std::io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let most = count * AHEAD;
        let (jobs, queue) = sync_channel(most);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let mut hand = Hand { journal: journal.clone(), unpacker: Unpacker::default(), sieve: sieve() };
            let queue = Arc::clone(&queue);
            let run = move || hand.run(&queue);
            threads.push(std::thread::Builder::new().name(format!("sift{number}")).spawn(run)?);
        }
        let jobs = Some(jobs);
        Ok(Self {
            journal: journal.clone(),
            jobs,
            asked: VecDeque::new(),
            last: cursor,
            most,
            broken: false,
            threads,
        })
    }

    /// The next frame with its number; `None` where the journal has no more yet. Waits until it
    /// is taken apart.
    pub(super) fn next(&mut self) -> Option<(u64, Found)> {
        self.ask();
        let (number, answer) = self.asked.pop_front()?;
        let found = answer.recv().unwrap_or_else(|_| {
            self.broken = true;
            Err(self.journal.damage(number))
        });
        self.ask();
        Some((number, found))
    }

    /// Whether a thread broke off, outside of what it guards. Its frame counts as damaged; another
    /// crew should go on from there.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Hands out what there is, as far as the bound allows.
    fn ask(&mut self) {
        let Some(jobs) = &self.jobs else { return };
        while self.asked.len() < self.most {
            let number = self.last.saturating_add(1).max(self.journal.first());
            if number > self.journal.last() {
                return;
            }
            let (reply, answer) = sync_channel(1);
            if jobs.send(Job { number, reply }).is_err() {
                return;
            }
            self.asked.push_back((number, answer));
            self.last = number;
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.jobs = None;
        self.asked.clear();
        for thread in self.threads.drain(..) {
            // What it panicked with was told by the panic itself.
            let _ = thread.join();
        }
    }
}

/// One thread's own.
struct Hand {
    journal: Reader,
    unpacker: Unpacker,
    sieve: Option<Box<dyn Sieve>>,
}

impl Hand {
    fn run(&mut self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { number, reply }) = job else { return };
            let found = self.journal.read(number).map(|frame| frame.map(|frame| self.sort(&frame)));
            // Nobody waits any more: the crew was sent away.
            let _ = reply.send(found);
        }
    }

    fn sort(&mut self, frame: &Frame) -> Sorted {
        let Frame { number, epoch, first_event, events, received, .. } = *frame;
        let arrival = Arrival { frame: number, epoch, first_event, events, received };
        let mut sorted = Sorted {
            agent: frame.agent,
            arrival,
            host: String::new(),
            ledger: Ledger::default(),
            states: Vec::new(),
            quiet: 0,
            unknown: 0,
            broken: Vec::new(),
            woken: Vec::new(),
            damage: None,
        };
        let Self { unpacker, sieve, .. } = self;
        // A panic may leave the buffers half filled; each use begins by clearing them.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            stamp::each(unpacker, frame, |index, event| sorted.sift(sieve, index, event))
        }));
        match opened {
            Ok(Ok(batch)) => {
                (sorted.host, sorted.ledger, sorted.unknown) =
                    (batch.host, batch.ledger, batch.unknown_kinds);
            }
            Ok(Err(error)) => sorted.damaged(error.to_string()),
            Err(_) => sorted.damaged("the batch broke the decoder".into()),
        }
        sorted
    }
}

impl Sorted {
    fn sift(&mut self, sieve: &mut Option<Box<dyn Sieve>>, index: u32, event: &mut Event) {
        if event.kind == Kind::HostState {
            self.states.push(event.clone());
        }
        let sifted = match sieve {
            None => None,
            Some(sieve) => match catch_unwind(AssertUnwindSafe(|| sieve.sift(event))) {
                Ok(sifted) if sifted.is_quiet() => {
                    self.quiet += 1;
                    return;
                }
                Ok(sifted) => Some(sifted),
                Err(_) => return self.broken.push(index),
            },
        };
        let event = Event { kind: event.kind, time: event.time, record: std::mem::take(&mut event.record) };
        self.woken.push(Woken { index, event, sifted });
    }

    /// Nothing of the batch counts.
    fn damaged(&mut self, why: String) {
        (self.quiet, self.damage) = (0, Some(why));
        self.states.clear();
        self.broken.clear();
        self.woken.clear();
    }
}

#[cfg(test)]
mod tests;
