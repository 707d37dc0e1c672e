//! The command line of `watchpost`: flags, and which command runs.
//!
//! Without a command the dashboard opens. Flags win over environment variables, those over the
//! profile file. What is printed where is told in `docs/console.md`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::client::{Client, Layer, Profile, Source, config_home};
use crate::clock;
use crate::commands::{self, AlertArgs, Desk, HuntArgs, IncidentArgs, Output, ReportArgs};
use crate::compose::{detect, local, rules, up};
use crate::exit::Exit;
use crate::terminal::{self, Options};
use crate::theme::Theme;
use crate::words::Lang;

/// Watchpost: security situational awareness in a terminal.
#[derive(Debug, Parser)]
#[command(name = "watchpost", version)]
pub struct Cli {
    /// What to do; the dashboard without one.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to reach the collector and how to talk.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// The collector, HOST:PORT.
    #[arg(long, global = true, env = "WATCHPOST_COLLECTOR")]
    pub collector: Option<String>,
    /// PEM file with certificate, key and the collector's CA.
    #[arg(long, global = true, env = "WATCHPOST_IDENTITY")]
    pub identity: Option<PathBuf>,
    /// Name in the collector's certificate, if not watchpost-collector.
    #[arg(long, global = true)]
    pub server_name: Option<String>,
    /// Profile file; console.toml in the configuration folder without it.
    #[arg(long, global = true)]
    pub profile: Option<PathBuf>,
    /// zh-CN or en; else WATCHPOST_LANG, else LANG.
    #[arg(long, global = true, value_parser = lang)]
    pub lang: Option<Lang>,
    /// Borders and symbols in ASCII.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// No dashboard: print each new alert as a line.
    #[arg(long)]
    pub headless: bool,
    /// Folder for reports written from the dashboard.
    #[arg(long, default_value = ".")]
    pub reports: PathBuf,
}

fn lang(tag: &str) -> Result<Lang, String> {
    Lang::named(tag).ok_or_else(|| format!("no language {tag:?}: zh-CN or en"))
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List alerts, newest first.
    Alerts(Listed<AlertArgs>),
    /// List incidents, newest first.
    Incidents(Listed<IncidentArgs>),
    /// List hosts.
    Hosts(Listed<Nothing>),
    /// Search raw events.
    Hunt(Listed<HuntArgs>),
    /// Write the report of an incident.
    Report(ReportArgs),
    /// Run everything on this host: collector, agent and dashboard.
    Up(up::Arguments),
    /// Make harmless, labelled traces of attacks on this host and tell which alerts arrive.
    Drill(DrillArgs),
    /// Search a file (capture, log, JSON events) with the rules, without any server.
    Detect(detect::Arguments),
    /// Check rules, explain why one fires or does not, count what they cover, sign packs of them.
    #[command(subcommand)]
    Rules(rules::Command),
}

/// Arguments of a drill.
#[derive(Clone, Debug, Args)]
pub struct DrillArgs {
    /// Folder of the `up` to try; names the collector and the agent unless they are named themselves.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// State folder of this host's agent, whose drill log is written to; that of `up` without it.
    #[arg(long, value_name = "DIR")]
    pub agent: Option<PathBuf>,
    /// table or json (one object per line).
    #[arg(long, value_enum, default_value = "table")]
    pub format: Output,
}

/// Arguments of a list and how to print it.
#[derive(Clone, Debug, Args)]
pub struct Listed<T: Args> {
    /// What to list.
    #[command(flatten)]
    pub of: T,
    /// table or json (one object per line).
    #[arg(long, value_enum, default_value = "table")]
    pub format: Output,
}

/// No arguments.
#[derive(Clone, Copy, Debug, Args)]
pub struct Nothing {}

impl Global {
    /// Language and looks for the terminal at hand.
    #[must_use]
    pub fn looks(&self) -> (Lang, Theme) {
        let variable = |name| std::env::var(name).ok();
        // The bare Linux console has no Chinese glyphs and few symbols.
        let bare = variable("TERM").as_deref() == Some("linux");
        let locale =
            if bare { Some("en".to_owned()) } else { variable("LC_ALL").or_else(|| variable("LANG")) };
        let lang = Lang::choose(self.lang, variable("WATCHPOST_LANG").as_deref(), locale.as_deref());
        let color = variable("NO_COLOR").is_none_or(|value| value.is_empty());
        (lang, Theme { color, ascii: self.ascii || bare })
    }

    /// A client for the collector that flags, environment and profile name; with `data` that of the
    /// `up` in that folder.
    ///
    /// # Errors
    /// Nothing names a collector or identity, or they cannot be used.
    pub fn client(&self, data: Option<&Path>) -> Result<Client, crate::client::Error> {
        let variable = |name| std::env::var(name).ok();
        let given = Layer {
            collector: self.collector.clone(),
            identity: self.identity.clone(),
            server_name: self.server_name.clone(),
        };
        let home = config_home(variable("XDG_CONFIG_HOME").as_deref(), variable("HOME").as_deref());
        let own = home.as_ref().is_some_and(|home| home.join("watchpost/console.toml").exists());
        // Where nothing else is said, an `up` of this user on this host is meant.
        let local = up::usual_data().map(|data| up::profile(&data)).filter(|path| path.exists());
        let chosen = self.profile.clone().or_else(|| data.map(up::profile));
        let file = chosen.or(if own { None } else { local });
        Client::new(&Profile::resolve(given, file.as_deref(), home.as_deref())?)
    }
}

/// Runs the command line; failures are told on standard error.
#[must_use]
pub fn run(cli: &Cli) -> Exit {
    match &cli.command {
        Some(Command::Up(arguments)) => {
            let (lang, theme) = cli.global.looks();
            return ended(up::run(arguments, lang, theme, cli.global.reports.clone()));
        }
        Some(Command::Detect(arguments)) => return local(|out| local::detect(arguments, out)),
        Some(Command::Rules(command)) => {
            let lang = cli.global.looks().0;
            return local(|out| local::rules(command, lang, out));
        }
        _ => {}
    }
    let data = match &cli.command {
        Some(Command::Drill(arguments)) => arguments.data.as_deref(),
        _ => None,
    };
    let client = match cli.global.client(data) {
        Ok(client) => client,
        Err(error) => return told(&error, error.exit()),
    };
    match &cli.command {
        None if !cli.global.headless => dashboard(cli, client),
        Some(Command::Drill(arguments)) => {
            let lang = cli.global.looks().0;
            local(|out| local::drill(arguments, &client, lang, out))
        }
        command => match answer(cli, command.as_ref(), &client) {
            Ok(exit) => exit,
            Err(error) => told(&error, error.exit()),
        },
    }
}

fn dashboard(cli: &Cli, client: Client) -> Exit {
    let (lang, theme) = cli.global.looks();
    let options = Options { source: Arc::new(client), lang, theme, reports: cli.global.reports.clone() };
    match terminal::run_dashboard(options) {
        Ok(()) => Exit::Fine,
        Err(error) => told(&error, Exit::Broken),
    }
}

fn answer(cli: &Cli, command: Option<&Command>, source: &dyn Source) -> Result<Exit, commands::Error> {
    let (lang, theme) = cli.global.looks();
    let output = match command {
        Some(Command::Alerts(listed)) => listed.format,
        Some(Command::Incidents(listed)) => listed.format,
        Some(Command::Hosts(listed)) => listed.format,
        Some(Command::Hunt(listed)) => listed.format,
        _ => Output::Table,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut err = std::io::stderr();
    let mut desk = Desk { source, lang, theme, output, out: &mut out, err: &mut err };
    let exit = match command {
        Some(Command::Alerts(listed)) => commands::alerts(&listed.of, &mut desk),
        Some(Command::Incidents(listed)) => commands::incidents(&listed.of, &mut desk),
        Some(Command::Hosts(_)) => commands::hosts(&mut desk),
        Some(Command::Hunt(listed)) => commands::hunt(&listed.of, &mut desk),
        Some(Command::Report(args)) => commands::report(args, clock::now(), &mut desk),
        _ => watch(&mut desk),
    }?;
    out.flush()?;
    Ok(exit)
}

/// Headless until the process is told to end; signals end it the ordinary way.
fn watch(desk: &mut Desk<'_>) -> Result<Exit, commands::Error> {
    let wait = |span| {
        std::thread::sleep(span);
        true
    };
    commands::headless(desk, wait, || true, clock::now)
}

fn ended<E: std::error::Error>(outcome: Result<(), E>) -> Exit {
    match outcome {
        Ok(()) => Exit::Fine,
        Err(error) => told(&error, Exit::Broken),
    }
}

/// Runs a command that needs no collector, or brings its own errors.
fn local(work: impl FnOnce(&mut dyn Write) -> Result<Exit, local::Error>) -> Exit {
    let mut pipe = Pipe { out: std::io::stdout().lock(), gone: false };
    let mut out = std::io::BufWriter::new(&mut pipe);
    let ended = work(&mut out);
    let flushed = out.flush();
    drop(out);
    match ended {
        // A reader that has gone away (`| head`) is no failure.
        Err(_) if pipe.gone => Exit::Fine,
        Ok(exit) if pipe.gone || flushed.is_ok() => exit,
        Ok(_) => flushed.map_or_else(|error| told(&error, Exit::Broken), |()| Exit::Fine),
        Err(error) => told(&error, error.exit()),
    }
}

/// An output that remembers that its reader has gone away, so that this is not taken for a failure
/// of something else.
struct Pipe<W> {
    out: W,
    gone: bool,
}

impl<W: Write> Pipe<W> {
    fn seen<T>(&mut self, done: std::io::Result<T>) -> std::io::Result<T> {
        self.gone |= done.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
        done
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let done = self.out.write(bytes);
        self.seen(done)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let done = self.out.flush();
        self.seen(done)
    }
}

#[expect(clippy::print_stderr, reason = "failures of a command are told on standard error")]
fn told(error: &dyn std::error::Error, exit: Exit) -> Exit {
    if exit != Exit::Fine {
        let text = crate::clean::neutral_lines(&error.to_string());
        eprintln!("watchpost: {text}");
    }
    exit
}
