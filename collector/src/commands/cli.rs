//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use watchpost_model::query::Role;

use super::office::{MOST_TTL, MOST_USES, Office, Reply, Request};
use super::{restore, socket};
use crate::config::{DEFAULT_FILE, Settings, Span};
use crate::pki::{Record, write_secret};
use crate::{clock, run};

/// Takes events over mutual TLS, keeps them, applies rules, groups alerts into incidents.
#[derive(Debug, Parser)]
#[command(name = "watchpost-collector", version)]
pub struct Cli {
    /// Configuration file; without it the usual one is read if it is there
    #[arg(long, global = true, env = "WATCHPOST_COLLECTOR_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory, over the configuration's
    #[arg(long, global = true, env = "WATCHPOST_COLLECTOR_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port to listen on, over the configuration's
    #[arg(long, global = true, env = "WATCHPOST_COLLECTOR_LISTEN")]
    listen: Option<std::net::SocketAddr>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until told to stop
    Run,
    /// Print a token that enrols agents
    Token {
        /// How long it is good, 1s to 30d: 30m, 1h, 7d
        #[arg(long, default_value = "1h", value_parser = ttl)]
        ttl: Span,
        /// How many agents it may enrol, 1 to 10000
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_USES)))]
        uses: u32,
    },
    /// Agents' certificates
    #[command(subcommand)]
    Agents(Agents),
    /// Users' certificates
    #[command(subcommand)]
    Users(Users),
    /// The rules of the running collector
    #[command(subcommand)]
    Rules(Rules),
    /// Copy state, journal and authority into a new directory, also while running
    Backup {
        /// The directory
        into: PathBuf,
    },
    /// Fill a new data directory from a backup
    Restore {
        /// The backup
        from: PathBuf,
    },
    /// The configuration
    #[command(subcommand)]
    Config(Config),
}

#[derive(Debug, Subcommand)]
enum Agents {
    /// List them
    List,
    /// End an agent's certificate at once
    Revoke {
        /// The agent's id
        agent: String,
    },
}

#[derive(Debug, Subcommand)]
enum Users {
    /// List them
    List,
    /// Make a certificate and key for a console, written to NAME.pem
    Add {
        /// The user's name
        name: String,
        /// What the user may do
        #[arg(long, default_value = "analyst")]
        role: UserRole,
        /// The file, if not NAME.pem
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// End a user's certificate at once
    Revoke {
        /// The user's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum Rules {
    /// Read the rule files again; what is newly rejected keeps the old rules in force
    Reload,
    /// Say which rules are in force, since when, and what was rejected
    Status,
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Print every key with its value
    Show,
    /// Say whether the configuration can be used
    Check,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UserRole {
    Viewer,
    Analyst,
    SystemAdministrator,
    AuditAdministrator,
    SecurityAdministrator,
}

/// A token's life, within what tokens may live.
fn ttl(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.0.is_zero() || span.0 > MOST_TTL {
        return Err(format!("{text} is not in 1s to {}", Span(MOST_TTL)));
    }
    Ok(span)
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Viewer => Self::Viewer,
            UserRole::Analyst => Self::Analyst,
            UserRole::SystemAdministrator => Self::SystemAdministrator,
            UserRole::AuditAdministrator => Self::AuditAdministrator,
            UserRole::SecurityAdministrator => Self::SecurityAdministrator,
        }
    }
}

impl Cli {
    /// The exit code of a failure: 1 where failing is the answer to what was asked, 3 elsewhere.
    #[must_use]
    pub fn failed(&self) -> u8 {
        match self.command {
            Command::Config(Config::Check) | Command::Rules(Rules::Reload) => 1,
            _ => 3,
        }
    }

    /// The settings in force: defaults, then the file, then the command line.
    ///
    /// # Errors
    /// The file named can not be used.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let usual = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let mut settings = match self.config.clone().or_else(usual) {
            Some(path) => Settings::read(&path)?,
            None => Settings::default(),
        };
        if let Some(data_dir) = &self.data_dir {
            settings.data_dir.clone_from(data_dir);
        }
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.check()?;
        Ok(settings)
    }
}

/// Does what the command line says; answers go to `out`.
///
/// # Errors
/// What failed, where and what to do.
pub fn execute(cli: Cli, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = cli.settings()?;
    match cli.command {
        Command::Run => run::run(&settings)?,
        Command::Token { ttl, uses } => {
            writeln!(out, "{}", text(ask(&settings, &Request::Token { ttl: ttl.0.as_secs(), uses })?)?)?;
        }
        Command::Agents(Agents::List) => list(ask(&settings, &Request::Agents)?, out)?,
        Command::Users(Users::List) => list(ask(&settings, &Request::Users)?, out)?,
        Command::Agents(Agents::Revoke { agent: name }) | Command::Users(Users::Revoke { name }) => {
            writeln!(out, "{}", text(ask(&settings, &Request::Revoke { name })?)?)?;
        }
        Command::Users(Users::Add { name, role, out: file }) => {
            let file = file.unwrap_or_else(|| PathBuf::from(format!("{name}.pem")));
            add_user(&settings, name, role.into(), &file)?;
            writeln!(out, "{}", file.display())?;
        }
        Command::Rules(Rules::Reload) => writeln!(out, "{}", told(ask(&settings, &Request::ReloadRules)?)?)?,
        Command::Rules(Rules::Status) => writeln!(out, "{}", told(ask(&settings, &Request::Rules)?)?)?,
        Command::Backup { into } => {
            let into = std::path::absolute(into)?;
            writeln!(out, "{}", text(ask(&settings, &Request::Backup { into })?)?)?;
        }
        Command::Restore { from } => writeln!(out, "{}", restore(&settings, &from)?)?,
        Command::Config(Config::Show) => write!(out, "{}", settings.show())?,
        Command::Config(Config::Check) => writeln!(out, "the configuration can be used")?,
    }
    Ok(())
}

/// Asks the running collector, or opens the data directory where none runs.
fn ask(settings: &Settings, request: &Request) -> anyhow::Result<Reply> {
    if let Some(reply) = socket::ask(&settings.data_dir, request)? {
        return Ok(reply);
    }
    let opened = run::open(settings)?;
    let office = Office::new(opened.door.clone(), opened.state.clone(), settings.data_dir.clone());
    Ok(office.answer(request, clock::now()))
}

fn text(reply: Reply) -> anyhow::Result<String> {
    match reply {
        Reply::Text(text) => Ok(text),
        Reply::Failed(error) => anyhow::bail!(error),
        Reply::Records(_) => {
            anyhow::bail!("the collector answered something else; is it of another version?")
        }
    }
}

/// An answer that quotes what others wrote: names of rule files, texts of rules.
fn told(reply: Reply) -> anyhow::Result<String> {
    text(reply).map(|text| harmless(&text)).map_err(|error| anyhow::anyhow!(harmless(&error.to_string())))
}

/// The text with every character named that would act on a terminal or turn around how a line
/// reads. Line breaks stay.
fn harmless(text: &str) -> String {
    let acts = |c: char| {
        c.is_control() && c != '\n'
            || matches!(u32::from(c), 0x061c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            out.push_str(&format!("<U+{:04X}>", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn list(reply: Reply, out: &mut dyn Write) -> anyhow::Result<()> {
    let Reply::Records(records) = reply else {
        return text(reply).map(|_| ());
    };
    for Record { name, role, host, issued, revoked, .. } in records {
        let role = serde_json::to_value(role)?;
        let revoked = revoked.map_or_else(|| "in force".to_owned(), |at| format!("revoked {at}"));
        writeln!(out, "{name}\t{}\t{host}\tissued {issued}\t{revoked}", role.as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn add_user(settings: &Settings, name: String, role: Role, file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        anyhow::bail!("{} exists; name another file with --out", file.display());
    }
    let bundle = text(ask(settings, &Request::AddUser { name, role })?)?;
    Ok(write_secret(file, &bundle)?)
}
