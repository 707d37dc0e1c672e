//! The spool between two threads: the batcher appends, the shipper reads, and waits when there is
//! nothing to read.
//!
//! This is the agent's one lock that is held across I/O: both threads need the same disk, and each
//! holds it for one record or one sync only.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Append, Error, Spool, Stats, Waiting};

/// Clones are the same spool.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spool: Mutex<Spool>,
    news: Condvar,
}

impl Shared {
    /// Shares a spool.
    #[must_use]
    pub fn new(spool: Spool) -> Self {
        Self(Arc::new(Inner { spool: Mutex::new(spool), news: Condvar::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Spool> {
        self.0.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The spool's epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.lock().epoch()
    }

    /// See [`Spool::next`].
    #[must_use]
    pub fn next(&self) -> (u64, u64) {
        self.lock().next()
    }

    /// See [`Spool::stats`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().stats()
    }

    /// See [`Spool::append`]; wakes the reader.
    ///
    /// # Errors
    /// As [`Spool::append`].
    pub fn append(&self, batch: &Append<'_>) -> Result<(), Error> {
        let done = self.lock().append(batch);
        self.0.news.notify_all();
        done
    }

    /// See [`Spool::peek`]; waits at most `span` for something to read.
    ///
    /// # Errors
    /// As [`Spool::peek`].
    pub fn peek(&self, span: Duration) -> Result<Option<Waiting>, Error> {
        let mut spool = self.lock();
        if let Some(waiting) = spool.peek()? {
            return Ok(Some(waiting));
        }
        let (mut spool, _) = self.0.news.wait_timeout(spool, span).unwrap_or_else(PoisonError::into_inner);
        spool.peek()
    }

    /// See [`Spool::acknowledge`].
    pub fn acknowledge(&self, sequence: u64) {
        self.lock().acknowledge(sequence);
    }

    /// See [`Spool::refuse`].
    pub fn refuse(&self, waiting: &Waiting, why: &str) {
        self.lock().refuse(waiting, why);
    }

    /// See [`Spool::save`].
    ///
    /// # Errors
    /// As [`Spool::save`].
    pub fn save(&self) -> Result<(), Error> {
        self.lock().save()
    }
}
