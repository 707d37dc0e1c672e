//! Shipping: batches leave the spool strictly in order, one at a time, and only with a receipt.
//!
//! `session` decides (pure), `transport` speaks HTTPS, this file is the thread between the spool
//! and both. A batch that the collector will never take is put aside and counted, so that it can
//! not hold up the others; everything else waits in the spool for as long as it takes.

mod backoff;
mod session;
mod tls;
mod transport;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use backoff::{Backoff, Jitter};
pub use session::{Answer, Effect, Link, Session};
pub use tls::{Credentials, judged_by, provider, random};
pub use transport::{Https, Transport, body, client, failure, problem, url};

use watchpost_model::Timestamp;
use watchpost_model::ledger::Stage;

use crate::clock;
use crate::counters::Counters;
use crate::spool::{Shared, Stats, Waiting};
use crate::stop::Stop;

/// Where batches go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses (`host:port`) of one collector, tried in turn.
    pub collector: Vec<String>,
    /// Name in the collector's certificate.
    pub server_name: String,
    /// What enrolment left.
    pub credentials: Credentials,
}

/// Why shipping can not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No collector was named.
    #[error("no collector address; set `collector` in the configuration or enrol this host")]
    NoAddress,
    /// A credential is missing.
    #[error("could not read {}; enrol this host first", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A credential is not what its name says.
    #[error("{} is not usable ({why}); enrol this host again", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// TLS can not be set up.
    #[error("could not {doing}; enrol this host again")]
    Tls {
        /// What was being done.
        doing: &'static str,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
}

/// How shipping goes, for screens.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Status {
    /// How the link stands.
    pub link: Link,
    /// The address in use.
    pub address: String,
    /// The last thing that went wrong, if nothing has gone right since.
    pub last_error: Option<String>,
    /// When the last receipt came, by this host's clock.
    pub last_receipt: Option<Timestamp>,
    /// Nanoseconds that this host's clock is ahead of the collector's.
    pub clock_offset: Option<i64>,
}

/// Shared view of [`Status`].
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Status>>);

impl Board {
    /// The status as it is now.
    #[must_use]
    pub fn read(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often an idle shipper looks whether it should end.
const IDLE: Duration = Duration::from_millis(200);
/// What is left when the agent ends is sent within this time, or at the next start.
const FAREWELL: Duration = Duration::from_secs(2);

/// The shipping thread's work.
#[derive(Debug)]
pub struct Shipper<T> {
    spool: Shared,
    transport: T,
    session: Session,
    jitter: Jitter,
    counters: Arc<Counters>,
    board: Board,
    /// Wished once nothing more will be appended.
    drained: Stop,
    farewell: Option<Instant>,
}

impl<T: Transport> Shipper<T> {
    /// Ready to run.
    #[must_use]
    pub fn new(spool: Shared, transport: T, counters: Arc<Counters>, board: Board, drained: Stop) -> Self {
        let session = Session::new(transport.addresses());
        let jitter = Jitter::new(random());
        Self { spool, transport, session, jitter, counters, board, drained, farewell: None }
    }

    /// Ships until the wish to end comes, then for at most two seconds more.
    pub fn run(mut self) {
        while !self.is_over() {
            match self.spool.peek(IDLE) {
                Ok(Some(waiting)) => self.deliver(&waiting),
                Ok(None) if self.drained.is_stopped() => break,
                Ok(None) => {}
                Err(error) => {
                    self.complain(error.to_string());
                    self.drained.sleep(Duration::from_secs(1));
                }
            }
        }
        if let Err(error) = self.spool.save() {
            tracing::warn!(%error, "could not write the spool's ledger; some batches may be sent again");
        }
    }

    fn is_over(&mut self) -> bool {
        if !self.drained.is_stopped() {
            return false;
        }
        let now = clock::monotonic();
        now >= *self.farewell.get_or_insert(now + FAREWELL)
    }

    /// Sends one batch until it is settled or the agent ends.
    fn deliver(&mut self, waiting: &Waiting) {
        let mut effect = self.session.next(clock::monotonic());
        loop {
            effect = match effect {
                Effect::Send => self.send(waiting),
                Effect::Acknowledge => {
                    self.spool.acknowledge(waiting.sequence);
                    return self.count();
                }
                Effect::Refuse => {
                    let why = self.board.read().last_error.unwrap_or_default();
                    self.spool.refuse(waiting, &why);
                    return self.count();
                }
                Effect::NextAddress => {
                    self.transport.next_address();
                    self.session.next(clock::monotonic())
                }
                Effect::Wait(span) => {
                    // At the end nothing is waited for: what is left is sent at the next start.
                    if self.drained.sleep(span) {
                        self.farewell = Some(clock::monotonic());
                        return;
                    }
                    self.session.next(clock::monotonic())
                }
            };
            if self.is_over() && effect != Effect::Acknowledge {
                return;
            }
        }
    }

    fn send(&mut self, waiting: &Waiting) -> Effect {
        let started = clock::monotonic();
        let patience = self.farewell.map_or(PATIENCE, |end| end.saturating_duration_since(started));
        let (answer, theirs) = self.transport.send(waiting.sequence, &waiting.payload, patience);
        let (now, here) = (clock::monotonic(), clock::now());
        let effect = self.session.answered(&answer, now, self.jitter.draw());
        let (link, address) = (self.session.link(), self.transport.address().to_owned());
        match answer {
            Answer::Acknowledged => self.board.update(|status| {
                // Half of the round trip lies between their clock and ours.
                let offset = theirs.map(|theirs| {
                    let half = i64::try_from((now - started).as_nanos() / 2).unwrap_or(0);
                    here.as_nanos().saturating_sub(theirs.as_nanos()).saturating_sub(half)
                });
                *status = Status {
                    link,
                    address,
                    last_error: None,
                    last_receipt: Some(here),
                    clock_offset: offset,
                };
            }),
            Answer::Busy { why, .. }
            | Answer::Unreachable { why }
            | Answer::NotTrusted { why }
            | Answer::NotAccepted { why }
            | Answer::Refused { why } => self.complain(why),
        }
        effect
    }

    fn complain(&self, why: String) {
        let (link, address) = (self.session.link(), self.transport.address().to_owned());
        self.board.update(|status| {
            if status.last_error.as_ref() != Some(&why) {
                tracing::warn!("{why}");
            }
            status.link = link;
            status.address = address;
            status.last_error = Some(why);
        });
    }

    fn count(&self) {
        count(&self.counters, &self.spool.stats());
    }
}

/// Enters the spool's figures into the loss ledger.
pub fn count(counters: &Counters, stats: &Stats) {
    let books = &stats.books;
    counters.set(Stage::Spool, stats.appended, books.evicted.saturating_add(books.damaged));
    counters.set(Stage::Wire, books.acknowledged, books.refused);
}
