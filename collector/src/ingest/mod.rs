//! Taking batches in: check, recognise repeats, journal, then acknowledge.
//!
//! Handlers look a batch over only to see that it is sound; the bytes go into the journal
//! unchanged, written by one thread that syncs once for all batches that wait. The high-water
//! mark of each agent and epoch is read from the journal at start, so the two never disagree.
//! Nothing is acknowledged that is not durable; while the journal fails, agents are told to come
//! back later and keep what they have.

mod counts;
mod enroll;
mod handler;
mod ledger;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use tokio::sync::{Semaphore, mpsc, oneshot};
use watchpost_model::wire::Unpacker;

use crate::journal::{Journal, NewFrame, Recovery};
use crate::pki::{Authority, Register, Tokens};
use crate::serve::problem;
use crate::state::State;

pub use counts::Counts;

/// Batches that wait for the journal; a full queue makes the sender wait, not the memory grow.
const WAITING: usize = 64;

/// Batches unpacked at a time: each may take up to `BATCH_UNPACKED_BYTES`.
const UNPACKING: usize = 4;

/// How long a client may take to send a body.
const BODY: Duration = Duration::from_secs(30);

/// What handlers share. Clones are cheap.
#[derive(Clone)]
pub struct Ingest {
    jobs: mpsc::Sender<writer::Job>,
    unpacking: Arc<Semaphore>,
    /// At most [`UNPACKING`] of them, with their buffers.
    unpackers: Arc<Mutex<Vec<Unpacker>>>,
    counts: Counts,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Ingest {
    /// Starts the journal's writer thread. It ends, and gives the journal back, when the last
    /// clone of the returned [`Ingest`] is gone.
    ///
    /// # Errors
    /// The operating system gives no thread, or the state can not be read.
    pub fn start(
        journal: Journal,
        recovery: &Recovery,
        state: Arc<dyn State>,
    ) -> Result<(Self, std::thread::JoinHandle<Journal>), Error> {
        let counts = Counts::recover(recovery, state.as_ref())?;
        let (jobs, queue) = mpsc::channel(WAITING);
        let writer = writer::Writer::new(journal, recovery, state, counts.clone());
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || writer.run(queue))?;
        let unpacking = Arc::new(Semaphore::new(UNPACKING));
        Ok((Self { jobs, unpacking, unpackers: Arc::default(), counts }, thread))
    }

    /// What each agent's events came to at the journal.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Makes one batch durable, or recognises it. Waits its turn.
    ///
    /// # Errors
    /// The journal could not be written; nothing was acknowledged.
    pub async fn append(&self, frame: NewFrame) -> Result<Accepted, Refused> {
        let (reply, answer) = oneshot::channel();
        let gone = |()| Refused("the collector is stopping".into());
        self.jobs.send(writer::Job::Append(frame, reply)).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }

    /// Deletes what the journal need no longer keep. Returns at once.
    pub fn retain(&self) {
        let _ = self.jobs.try_send(writer::Job::Retain);
    }
}

/// A batch is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whether it had been here before.
    pub repeated: bool,
}

/// A batch was not made durable, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// Why ingest could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No thread for the journal's writer.
    #[error("ingest: the journal's writer thread could not start")]
    Thread(#[from] std::io::Error),
    /// The ledger in the state can not be read.
    #[error(transparent)]
    State(#[from] crate::state::Error),
}

/// What enrolment needs.
#[derive(Clone, Debug)]
pub struct Door {
    /// Signs.
    pub authority: Arc<Authority>,
    /// Remembers whom.
    pub register: Arc<Register>,
    /// Says who may ask.
    pub tokens: Arc<Tokens>,
}

/// `POST /v1/batches` and `POST /v1/enroll`.
pub fn router(ingest: Ingest, door: Door) -> Router {
    let batches = Router::new().route("/v1/batches", post(handler::batches)).with_state(ingest);
    let enroll = Router::new()
        .route("/v1/enroll", post(enroll::enroll))
        .layer(DefaultBodyLimit::max(enroll::MOST_BYTES))
        .with_state(door);
    batches.merge(enroll)
}
