//! The agent's life, wired on one screen: lock, spool, sensors, batcher, shipper, reporter.
//!
//! Ending goes the same way as the data: sensors first, then the batcher writes what it holds,
//! then the shipper sends what two seconds allow. What is left is sent at the next start.

pub mod batcher;
mod lock;
pub mod sensors;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;
use watchpost_model::Timestamp;

use crate::config::{Schema, Settings};
use crate::control::{self, Meter, Status};
use crate::counters::Counters;
use crate::mask::Masker;
use crate::queue::queue;
use crate::ship::{self, Board, Credentials, Https, Shipper};
use crate::spool::{self, Recovery, Shared, Spool};
use crate::stop::Stop;
use crate::{clock, enroll};
use batcher::Batcher;
use lock::Lock;
use sensors::{Feed, Sensors};

/// Events between sensors and batcher: a second of a very busy host, some 16 MiB.
const QUEUE: usize = 16_384;
/// How long ending may take beyond the shipper's two seconds.
const JOIN: Duration = Duration::from_secs(3);

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state folder can not be used.
    #[error("could not use the state folder {}; check its rights and space", path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another agent runs there.
    #[error("another agent already uses {}; stop it first", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is no certificate.
    #[error("this host is not enrolled; run `watchpost-agent enroll` with a token of the collector")]
    NotEnrolled,
    /// What enrolment left can not be read.
    #[error("could not read {} in the state folder; enrol this host again", enroll::IDENTITY)]
    Identity(#[source] io::Error),
    /// The spool can not be opened.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// Shipping can not begin.
    #[error(transparent)]
    Ship(#[from] ship::Error),
    /// No thread.
    #[error("could not start the {name} thread; check the limits on tasks")]
    Thread {
        /// Which.
        name: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A thread that should never end has ended.
    #[error("the {name} thread has ended by itself; this is a bug, please report it with the log")]
    Died {
        /// Which.
        name: &'static str,
    },
}

/// A running agent.
#[derive(Debug)]
pub struct Handle {
    reporter: Arc<Reporter>,
    stop: Stop,
    in_order: Arc<AtomicBool>,
    workers: Vec<Worker>,
    sensors: Vec<JoinHandle<()>>,
    _lock: Lock,
}

/// Runs the agent until the wish to end.
///
/// # Errors
/// It could not start, or one of its threads died.
pub fn run(settings: &Settings, stop: &Stop) -> Result<(), Error> {
    let handle = start(settings)?;
    let mut died = Ok(());
    while died.is_ok() && !stop.sleep(Duration::from_secs(1)) {
        died = handle.check();
    }
    match died.is_ok() {
        true => handle.stop(),
        false => handle.end(),
    }
    died
}

/// Starts the agent with the sensors that the settings ask for.
///
/// # Errors
/// Nothing runs.
pub fn start(settings: &Settings) -> Result<Handle, Error> {
    start_with(settings, |feed| sensors::start(settings, feed))
}

/// Starts the agent with these sensors.
///
/// # Errors
/// Nothing runs.
pub fn start_with(settings: &Settings, sensors: impl FnOnce(Feed) -> Sensors) -> Result<Handle, Error> {
    let dir = settings.state_dir.clone();
    let unusable = |source| Error::StateDir { path: dir.clone(), source };
    enroll::make_folder(&dir).map_err(unusable)?;
    let lock = Lock::take(&dir).map_err(unusable)?.ok_or(Error::Locked { path: dir.clone() })?;
    let identity = enroll::identity(&dir).map_err(Error::Identity)?.ok_or(Error::NotEnrolled)?;
    let shipping = shipping(settings, &identity);
    let transport = Https::new(&shipping)?;
    let (spool, recovery) = Spool::open(&dir.join("spool"), settings.spool, ship::random())?;
    report_recovery(&recovery);
    let masker = Masker::open(settings.mask, &dir.join("mask.key")).map_err(unusable)?;

    let counters = Arc::new(Counters::default());
    ship::count(&counters, &spool.stats());
    let spool = Shared::new(spool);
    let (stop, drained, board) = (Stop::default(), Stop::default(), Board::default());
    let (inlet, outlet) = queue(QUEUE, counters.clone());
    let exclude = resolve(&shipping.collector);
    let feed = Feed {
        inlet,
        counters: counters.clone(),
        stop: stop.clone(),
        resume: recovery.positions,
        exclude,
        spool: spool.clone(),
    };
    let seen = sensors(feed);
    tracing::info!(rung = seen.rung, blind = ?seen.blind, "sensors started");

    let host = host_name();
    let reporter = Arc::new(Reporter {
        settings: settings.clone(),
        first: Status {
            started: clock::now(),
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            agent: identity.agent.to_string(),
            host: host.clone(),
            rung: seen.rung,
            sources: seen.sources,
            blind: seen.blind,
            ..Status::default()
        },
        counters: counters.clone(),
        spool: spool.clone(),
        board: board.clone(),
    });
    let in_order = Arc::new(AtomicBool::new(false));
    let batcher = Batcher {
        outlet,
        spool: spool.clone(),
        counters: counters.clone(),
        masker,
        host,
        stop: stop.clone(),
        in_order: in_order.clone(),
        drained: drained.clone(),
    };
    let shipper = Shipper::new(spool, transport, counters, board, drained.clone());
    let (talker, quiet) = (reporter.clone(), stop.clone());
    let workers = vec![
        Worker::spawn("batcher", move || batcher.run())?,
        Worker::spawn("shipper", move || shipper.run())?,
        Worker::spawn("reporter", move || talker.run(&quiet))?,
    ];
    Ok(Handle { reporter, stop, in_order, workers, sensors: seen.threads, _lock: lock })
}

impl Handle {
    /// How the agent is now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.reporter.status(clock::now())
    }

    /// Whether all that should run still does.
    ///
    /// # Errors
    /// [`Error::Died`] with the thread's name.
    pub fn check(&self) -> Result<(), Error> {
        match self.workers.iter().find(|worker| worker.has_ended()) {
            Some(worker) => Err(Error::Died { name: worker.name }),
            None => Ok(()),
        }
    }

    /// Ends the agent in order: sensors, batcher, shipper. The collector is told that it is on
    /// purpose. Takes at most some six seconds.
    pub fn stop(self) {
        self.in_order.store(true, Ordering::Release);
        self.end();
    }

    /// Ends what still runs. The collector is told nothing, so that it misses this host.
    fn end(self) {
        self.stop.stop();
        for worker in &self.workers {
            if !worker.wait(JOIN) {
                tracing::warn!(
                    thread = worker.name,
                    "did not end in time; what is left is sent at the next start"
                );
            }
        }
        let late = self.sensors.iter().filter(|thread| !thread.is_finished()).count();
        if late > 0 {
            tracing::warn!(late, "sensor threads did not end in time");
        }
        if let Err(error) = self.status().write(&self.reporter.settings.state_dir) {
            tracing::warn!(%error, "could not write the last status");
        }
    }
}

/// A named thread whose end can be waited for with a bound.
#[derive(Debug)]
struct Worker {
    name: &'static str,
    /// Disconnected when the thread has ended, panicking or not.
    ended: Receiver<()>,
}

impl Worker {
    fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<Self, Error> {
        let (alive, ended) = crossbeam_channel::bounded::<()>(1);
        let body = move || {
            let _alive = alive;
            work();
        };
        let thread = std::thread::Builder::new().name(name.into());
        thread.spawn(body).map_err(|source| Error::Thread { name, source })?;
        Ok(Self { name, ended })
    }

    fn has_ended(&self) -> bool {
        self.ended.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected)
    }

    fn wait(&self, span: Duration) -> bool {
        self.ended.recv_timeout(span) == Err(crossbeam_channel::RecvTimeoutError::Disconnected)
    }
}

/// Makes the status and writes it every two seconds.
#[derive(Debug)]
struct Reporter {
    settings: Settings,
    first: Status,
    counters: Arc<Counters>,
    spool: Shared,
    board: Board,
}

impl Reporter {
    fn status(&self, now: Timestamp) -> Status {
        Status {
            written: now,
            ledger: self.counters.ledger(),
            spool: self.spool.stats(),
            shipping: self.board.read(),
            ..self.first.clone()
        }
    }

    fn run(&self, stop: &Stop) {
        let mut meter = Meter::new();
        loop {
            let status = Status { cost: meter.read(clock::monotonic()), ..self.status(clock::now()) };
            if let Err(error) = status.write(&self.settings.state_dir) {
                tracing::debug!(%error, "could not write the status");
            }
            if stop.sleep(control::EVERY) {
                return;
            }
        }
    }
}

/// Where to ship: what the configuration names, else what enrolment found.
fn shipping(settings: &Settings, identity: &enroll::Identity) -> ship::Settings {
    let named = &settings.collector;
    let default = settings.server_name == Schema::default().server_name;
    ship::Settings {
        collector: if named.is_empty() { identity.collector.clone() } else { named.clone() },
        server_name: if default { identity.server_name.clone() } else { settings.server_name.clone() },
        credentials: Credentials::within(&settings.state_dir),
    }
}

fn report_recovery(recovery: &Recovery) {
    for problem in &recovery.problems {
        tracing::warn!("spool: {problem}");
    }
    if recovery.truncated_bytes > 0 {
        tracing::info!(bytes = recovery.truncated_bytes, "cut a half-written record from the spool");
    }
}

fn resolve(collector: &[String]) -> Vec<SocketAddr> {
    collector.iter().filter_map(|address| address.to_socket_addrs().ok()).flatten().collect()
}

/// The host's name as its kernel knows it.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
