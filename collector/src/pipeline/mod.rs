//! Detection: follows the journal, asks the rules, keeps alerts, tells whoever listens.
//!
//! A crew of threads takes frames apart and says which events wake a rule; one thread goes on from
//! there, strictly in the journal's order. A step is about [`STEP_EVENTS`] events or [`STEP_TIME`];
//! what it found and the new cursor become durable in one transaction, and only then is it told to
//! the live stream. A crash before the transaction repeats the step and finds the same ids; a crash
//! after it repeats nothing. The correlations' windows are saved every few seconds; after a start
//! they are read back and brought up to the cursor, without raising anything.
//!
//! Nothing stalls the thread: a frame that can not be read or unpacked is counted and skipped, a
//! rules engine that panics on an event costs that one event.

mod book;
mod crew;
mod desk;
mod engine;
mod error;
mod meter;
mod page;
pub mod record;
pub mod stamp;
mod windows;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub use book::Book;
pub use desk::Desk;
pub use engine::{Counts, Engine, Hit, Rules, Sieve, Strain};
pub use error::Error;
pub use worker::Worker;

use crate::clock;
use crate::hub::Hub;
use crate::journal::Reader;
use crate::state::State;

/// Events after which a step ends.
pub const STEP_EVENTS: u64 = 20_000;

/// Findings after which a step ends: they wait in memory.
const STEP_FINDINGS: usize = 5_000;

/// Longest time spent on one step before what it found is kept.
pub const STEP_TIME: Duration = Duration::from_millis(50);

/// How detection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// After how long without a batch a host counts as silent.
    pub silent_after: Duration,
    /// Most events read back after a start to rebuild the windows of correlations.
    pub read_back: u64,
    /// After how long the windows of correlations are saved again.
    pub save_every: Duration,
    /// After how many changed groups they are saved at once.
    pub save_rows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            silent_after: Duration::from_secs(30),
            read_back: 1_000_000,
            save_every: Duration::from_secs(5),
            save_rows: 20_000,
        }
    }
}

/// The running detection. Dropping it leaves the thread running; see [`Pipeline::stop`].
#[derive(Debug)]
pub struct Pipeline {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Starts detection. The desk is what the API answers from.
///
/// # Errors
/// The state can not be read, or the thread not started.
pub fn start(
    settings: Settings,
    journal: Reader,
    state: Arc<dyn State>,
    rules: Arc<dyn Rules>,
    hub: Hub,
) -> Result<(Pipeline, Arc<Desk>), Error> {
    let desk = Arc::new(Desk::open(journal, state, rules, hub, clock::now())?);
    let mut worker = Worker::open(Arc::clone(&desk), settings)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let run = move || {
        while !stopped.load(Ordering::Relaxed) {
            worker.turn(clock::now);
        }
    };
    let thread = std::thread::Builder::new().name("detect".into()).spawn(run).map_err(Error::Thread)?;
    Ok((Pipeline { stop, thread }, desk))
}

impl Pipeline {
    /// Ends the thread after its current step and waits for it: a quarter of a second at most
    /// while the journal is quiet.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the detection thread had panicked");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod windows_tests;
