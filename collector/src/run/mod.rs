//! The wiring: what is opened, started and stopped, in order.
//!
//! Open: data directory and its lock, state, authority, journal, ingest. Start: detection, the
//! listener, the administration socket, the hourly upkeep. Stop: no new connections, open requests
//! end, ingest ends, the journal's thread ends, detection ends, the lock goes. Nothing else in the collector starts a
//! thread or a task that outlives a request.

mod error;
mod upkeep;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::api;
use crate::clock;
use crate::commands::{Office, Reply, Request, socket};
use crate::config::Settings;
use crate::hub::Hub;
use crate::ingest::{self, Door, Ingest};
use crate::journal::{Journal, Reader, Recovery};
use crate::pipeline::{self, Desk, Pipeline};
use crate::pki::{Authority, Register, Tls, Tokens};
use crate::ruleset::{Origin, Ruleset};
use crate::serve;
use crate::state::{self, State};

pub use error::Error;

/// How long tasks may take to end after the server has.
const END: Duration = Duration::from_secs(5);

/// What is open before anything runs. The command line works on it when no collector runs.
pub struct Opened {
    /// Held until dropped: one process per data directory.
    _lock: File,
    /// Alerts, incidents, certificates.
    pub state: Arc<dyn State>,
    /// Signs, remembers, admits.
    pub door: Door,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("door", &self.door).finish_non_exhaustive()
    }
}

/// Opens the data directory, making it on first use.
///
/// # Errors
/// Another process holds it, or something in it is damaged.
pub fn open(settings: &Settings) -> Result<Opened, Error> {
    let directory = &settings.data_dir;
    let lock = lock(directory)?;
    let state = state::open(&settings.state())?;
    let door = Door {
        authority: Arc::new(Authority::open(directory, clock::now())?),
        register: Arc::new(Register::open(Arc::clone(&state))?),
        tokens: Arc::new(Tokens::new(Arc::clone(&state))),
    };
    Ok(Opened { _lock: lock, state, door })
}

fn lock(directory: &Path) -> Result<File, Error> {
    let failed = |source| Error::Directory { path: directory.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let file = File::create(directory.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Locked { path: directory.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A running collector. Dropping it stops it without grace; call [`Handle::stop`].
pub struct Handle {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Alerts, incidents, certificates.
    pub state: Arc<dyn State>,
    /// Raw events.
    pub journal: Reader,
    /// Tokens, users and agents, for whoever runs the collector in its own process.
    pub office: Office,
    /// The journal's writing side: counts per agent.
    pub ingest: Ingest,
    /// What the API answers from.
    pub desk: Arc<Desk>,
    /// What opening the journal found.
    pub recovery: Recovery,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
    writer: JoinHandle<Journal>,
    runtime: Runtime,
    pipeline: Pipeline,
    opened: Opened,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// Starts a collector with a runtime of its own and returns once it listens.
///
/// # Errors
/// The data directory, the journal or the port can not be used.
pub fn start(settings: &Settings) -> Result<Handle, Error> {
    let opened = open(settings)?;
    let (journal, recovery) = Journal::open(settings.data_dir.join("journal"), &settings.journal())?;
    report(&recovery);
    let reader = journal.reader();
    let (state, door) = (Arc::clone(&opened.state), opened.door.clone());
    let (ingest, writer) = Ingest::start(journal, &recovery, Arc::clone(&state))?;
    let mut names = settings.names.clone();
    names.extend(host_name());
    let tls = Tls::new(&door.authority, &names, clock::now())?;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let refused = |source| Error::Listen { address: settings.listen, source };
    let listener = runtime.block_on(TcpListener::bind(settings.listen)).map_err(refused)?;
    let addr = listener.local_addr().map_err(refused)?;
    let (stop, stopping) = watch::channel(false);
    let rules = Ruleset::open(origin(settings), clock::now()).with_groups(settings.rules.groups);
    let rules = Arc::new(rules);
    let office = Office::new(door.clone(), Arc::clone(&state), settings.data_dir.clone());
    let office = office.with_rules(Arc::clone(&rules));
    let watch = pipeline::Settings::default();
    let (pipeline, desk) = pipeline::start(watch, reader.clone(), Arc::clone(&state), rules, Hub::default())?;
    let router = ingest::router(ingest.clone(), door.clone()).merge(api::router(Arc::clone(&desk)));

    let entered = runtime.enter();
    let socket = socket::bind(&settings.data_dir)?;
    tokio::spawn(socket::serve(socket, office.clone()));
    tokio::spawn(upkeep::run(
        ingest.clone(),
        tls.clone(),
        Arc::clone(&door.authority),
        names,
        stopping.clone(),
    ));
    let server = tokio::spawn(serve::serve(listener, tls, router, Arc::clone(&door.register), stopping));
    drop(entered);
    tracing::info!(%addr, backend = state.backend(), frames = recovery.frames, "collector listens");
    Ok(Handle {
        addr,
        state,
        journal: reader,
        office,
        ingest,
        desk,
        recovery,
        stop,
        server,
        writer,
        runtime,
        pipeline,
        opened,
    })
}

/// Where the rules come from: those shipped, if they are wanted, and those configured.
fn origin(settings: &Settings) -> Origin {
    let rules = &settings.rules;
    Origin {
        shipped: if rules.shipped { watchpost_rules::shipped::shipped() } else { Vec::new() },
        paths: rules.paths.clone(),
        trusted: rules.trusted_keys.clone(),
        placeholders: rules.placeholders.clone(),
    }
}

fn report(recovery: &Recovery) {
    if recovery.cut_bytes > 0 {
        tracing::warn!(bytes = recovery.cut_bytes, "an unfinished write was cut from the journal");
    }
    if recovery.damaged > 0 {
        let frames = format!("{:?}", recovery.damaged_frames);
        tracing::error!(
            damaged = recovery.damaged,
            frames,
            "journal frames are damaged; the rest is readable"
        );
    }
}

/// This host's name, if it can stand in a certificate.
fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

impl Handle {
    /// Stops: open requests end, everything acknowledged is durable, the data directory is free.
    pub fn stop(self) {
        let Self { stop, server, writer, runtime, pipeline, opened, state, office, ingest, desk, .. } = self;
        let _ = stop.send(true);
        let _ = runtime.block_on(server);
        // The tasks and this handle hold the last senders to the journal's thread.
        runtime.shutdown_timeout(END);
        drop(ingest);
        if writer.join().is_err() {
            tracing::error!("the journal's thread broke off");
        }
        pipeline.stop();
        drop((office, desk, state, opened));
    }
}

/// Runs a collector until SIGTERM or SIGINT. SIGHUP reads the rules again.
///
/// # Errors
/// As [`start`].
pub fn run(settings: &Settings) -> Result<(), Error> {
    let handle = start(settings)?;
    let wait = async {
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let mut hup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hup.recv() => reload(handle.office.clone()).await,
            }
        }
        Ok(())
    };
    handle.runtime.block_on(wait).map_err(Error::Runtime)?;
    tracing::info!("collector stops");
    handle.stop();
    Ok(())
}

/// Reads the rules again, away from the threads that serve.
async fn reload(office: Office) {
    let answer =
        tokio::task::spawn_blocking(move || office.answer(&Request::ReloadRules, clock::now())).await;
    match answer {
        Ok(Reply::Failed(error)) => tracing::error!(%error, "SIGHUP: the rules were not reloaded"),
        Ok(Reply::Text(standing)) => tracing::info!(standing, "SIGHUP: the rules were read again"),
        _ => tracing::error!("SIGHUP: the reload of the rules broke off"),
    }
}
