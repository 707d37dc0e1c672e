//! `watchpost up`: collector, agent and dashboard of one host in one process.
//!
//! They speak over the same mutual TLS as a fleet does, on the loopback address; nothing is
//! shortened, so what works here works there. The first start makes the authority, enrols the
//! agent and gives the console its identity, all under one data folder that only its owner may read.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use watchpost_agent::stop::Stop;
use watchpost_agent::{enroll, run as agent};
use watchpost_collector::{config as collector_config, run as collector};
use watchpost_model::query::Role;
use watchpost_rules::RuleSet;

use crate::client::{Client, Profile, SERVER_NAME, Source};
use crate::clock;
use crate::commands::{self, Desk, Output};
use crate::compose::detect;
use crate::private;
use crate::terminal::{self, Options};
use crate::theme::Theme;
use crate::words::Lang;

/// Flags of `up`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Folder for everything: journal, state, certificates, spool. Default: /var/lib/watchpost for
    /// root, else watchpost in the user's state folder.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port of the collector; agents of other hosts may enrol there too.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7443")]
    pub listen: SocketAddr,
    /// No dashboard: print each alert as a line.
    #[arg(long)]
    pub headless: bool,
    /// Further rule files or folders, beside the shipped ones.
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// The agent's configuration file (sources, interfaces); its collector and folder are set here.
    #[arg(long, value_name = "FILE")]
    pub agent_config: Option<PathBuf>,
}

/// Why it does not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data folder or a file in it can not be used.
    #[error("cannot use {path}: {source}; choose another folder with --data")]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No home folder is known.
    #[error("no folder for data is known; name one with --data")]
    NoFolder,
    /// A path of `--rules` is not there, or no rule of it can be used.
    #[error("{0}; run `watchpost rules check` on it")]
    Rules(String),
    /// The collector does not start.
    #[error("the collector does not start: {0}")]
    Collector(#[from] collector::Error),
    /// The agent's configuration is wrong.
    #[error(transparent)]
    AgentConfig(#[from] watchpost_agent::config::Error),
    /// The agent does not enrol.
    #[error("the agent of this host cannot enrol: {0}")]
    Enroll(#[from] enroll::Error),
    /// A token or an identity can not be made.
    #[error("the collector gives no {what}: {why}")]
    Office {
        /// Token or identity.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The agent does not start.
    #[error("the agent does not start: {0}")]
    Agent(#[from] agent::Error),
    /// The console can not reach the collector.
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    /// The terminal fails.
    #[error(transparent)]
    Terminal(#[from] terminal::Error),
    /// Signals can not be heard, or a thread not be started.
    #[error("the system refuses signals or threads: {0}")]
    System(#[source] io::Error),
}

/// The folder of `up` unless told otherwise: for root the system's, else the user's.
#[must_use]
pub fn usual_data() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some("/var/lib/watchpost".into());
    }
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .map(|base| base.join("watchpost"))
}

/// The profile that a running or earlier `up` of this user left for the other commands.
#[must_use]
pub fn profile(data: &Path) -> PathBuf {
    data.join("console.toml")
}

/// Everything that runs, in the order in which it is stopped.
struct Running {
    agent: agent::Handle,
    collector: collector::Handle,
    profile: Profile,
}

/// Brings everything up and stays until the analyst leaves or a signal comes.
///
/// # Errors
/// Says which part failed and what to do.
pub fn run(arguments: &Arguments, lang: Lang, theme: Theme, reports: PathBuf) -> Result<(), Error> {
    check_rules(&arguments.rules)?;
    let data = arguments.data.clone().or_else(usual_data).ok_or(Error::NoFolder)?;
    make_private(&data)?;
    log_to(arguments.headless, &data)?;
    let running = start(arguments, &data)?;
    announce(&running);
    if arguments.headless {
        tell_drill(&data);
    }
    let source: Arc<dyn Source> = Arc::new(Client::new(&running.profile)?);
    let outcome = if arguments.headless {
        headless(&source, lang, theme)
    } else {
        terminal::run_dashboard(Options { source, lang, theme, reports }).map_err(Error::Terminal)
    };
    running.agent.stop();
    running.collector.stop();
    outcome
}

/// Rules that were asked for and are not there would be missed only when it is too late.
fn check_rules(paths: &[PathBuf]) -> Result<(), Error> {
    for path in paths {
        if !path.exists() {
            return Err(Error::Rules(format!("{} is not found", path.display())));
        }
        let one = std::slice::from_ref(path);
        let (sources, unread) = detect::sources(one, &[]);
        let set = RuleSet::load(&sources);
        if set.rules().is_empty() {
            let rejected = unread.iter().chain(set.rejected());
            return Err(Error::Rules(detect::no_rules(one, rejected).to_string()));
        }
    }
    Ok(())
}

fn start(arguments: &Arguments, data: &Path) -> Result<Running, Error> {
    let settings = collector_config::Settings {
        data_dir: data.join("collector"),
        listen: arguments.listen,
        rules: collector_config::RuleSettings {
            paths: arguments.rules.clone(),
            ..collector_config::RuleSettings::default()
        },
        ..collector_config::Settings::default()
    };
    let collector = collector::start(&settings)?;
    let address = reachable(collector.addr).to_string();
    let agent_dir = data.join("agent");
    if enroll::identity(&agent_dir).map_err(|source| folder(&agent_dir, source))?.is_none() {
        enrol(&collector, &agent_dir, &address)?;
    }
    let flags = [("state_dir", agent_dir.display().to_string()), ("collector", address.clone())];
    let variable = |name: &str| std::env::var(name).ok();
    let agent_settings =
        watchpost_agent::config::load(arguments.agent_config.as_deref(), variable, &flags)?.settings()?;
    let profile = console(&collector, data, &address)?;
    let agent = agent::start(&agent_settings)?;
    Ok(Running { agent, collector, profile })
}

/// A collector that listens everywhere is reached on the loopback address.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let mut address = listening;
    if address.ip().is_unspecified() {
        let v4 = address.is_ipv4();
        address.set_ip(if v4 {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

fn enrol(collector: &collector::Handle, state_dir: &Path, address: &str) -> Result<(), Error> {
    let token = collector
        .office
        .token(Duration::from_mins(5), 1, clock::now())
        .map_err(|error| Error::Office { what: "token", why: error.to_string() })?;
    let request = enroll::Request {
        state_dir: state_dir.to_path_buf(),
        collector: vec![address.to_owned()],
        server_name: SERVER_NAME.to_owned(),
        token,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        again: enroll::Again::Refuse,
    };
    enroll::enroll(&request)?;
    Ok(())
}

/// The console's identity, made once, and a profile so that other commands need no flags.
fn console(collector: &collector::Handle, data: &Path, address: &str) -> Result<Profile, Error> {
    let identity = data.join("console.pem");
    if !identity.exists() {
        // A name of its own each time: an earlier identity whose file was lost stays as it is.
        let name = format!("local-{}", clock::now().as_seconds());
        let bundle = collector
            .office
            .add_user(&name, Role::Analyst, clock::now())
            .map_err(|why| Error::Office { what: "identity for the console", why })?;
        write_private(&identity, &bundle)?;
    }
    let text = format!("collector = \"{address}\"\nidentity = \"console.pem\"\n");
    write_private(&profile(data), &text)?;
    Ok(Profile { collector: address.to_owned(), identity, server_name: SERVER_NAME.to_owned() })
}

fn folder(path: &Path, source: io::Error) -> Error {
    Error::Folder { path: path.to_path_buf(), source }
}

fn make_private(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| folder(path, source))
}

fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    private::write(path, text).map_err(|source| folder(path, source))
}

/// The log goes to a file while the dashboard owns the terminal.
fn log_to(headless: bool, data: &Path) -> Result<(), Error> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WATCHPOST_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sled=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    if headless {
        builder.with_writer(io::stderr).init();
    } else {
        let path = data.join("watchpost.log");
        let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(|source| folder(&path, source))?;
        builder.with_ansi(false).with_writer(std::sync::Mutex::new(file)).init();
    }
    Ok(())
}

fn announce(running: &Running) {
    let status = running.agent.status();
    tracing::info!(collector = running.profile.collector, rung = status.rung, "up");
    for blind in &status.blind {
        tracing::warn!(blind, "this host's agent can not see everything");
    }
}

/// The command that tries this very `up`, ready to be copied.
#[expect(clippy::print_stderr, reason = "a hint for people; the alerts on standard output are for programs")]
fn tell_drill(data: &Path) {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_path_buf());
    eprintln!("to try it: watchpost drill --data {}", quoted(&data.display().to_string()));
}

/// As a shell reads it back.
fn quoted(path: &str) -> String {
    if path.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// Prints alerts until a signal comes. The stream blocks, so it has a thread of its own, which ends
/// with the process.
fn headless(source: &Arc<dyn Source>, lang: Lang, theme: Theme) -> Result<(), Error> {
    let stop = Stop::default();
    terminal::on_signals({
        let stop = stop.clone();
        move || stop.stop()
    })
    .map_err(Error::System)?;
    let (source, told) = (Arc::clone(source), stop.clone());
    let print = move || {
        let (out, err) = (&mut io::stdout(), &mut io::stderr());
        let mut desk = Desk { source: source.as_ref(), lang, theme, output: Output::Table, out, err };
        let wait = |span| !told.sleep(span);
        if let Err(error) = commands::headless(&mut desk, wait, || !told.is_stopped(), clock::now) {
            tracing::error!(%error, "alerts are no longer printed");
            told.stop();
        }
    };
    std::thread::Builder::new().name("alerts".into()).spawn(print).map_err(Error::System)?;
    while !stop.sleep(Duration::from_secs(60)) {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_only_where_a_shell_would_split_it() {
        assert_eq!(quoted("/var/lib/watch-post"), "/var/lib/watch-post");
        assert_eq!(quoted("/home/a b/it's"), r"'/home/a b/it'\''s'");
    }
}
