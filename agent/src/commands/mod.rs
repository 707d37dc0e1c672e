//! The agent's command line: one file per command, what they share here.
//!
//! Exit codes: 0 done; 1 the answer is no (not running, not usable); 2 wrong use; 3 the input or
//! the environment is broken. Answers go to standard output, words to standard error.

pub mod config;
pub mod enroll;
pub mod flows;
pub mod logs;
pub mod run;
pub mod status;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The agent of Watchpost: watches this host and reports to its collector.
#[derive(Debug, Parser)]
#[command(name = "watchpost-agent", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host and report until told to stop
    Run(Source),
    /// Get this host's certificate with a token of the collector
    Enroll(enroll::Options),
    /// Show how the running agent is
    Status(status::Options),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Read a capture file and print one record per flow, dns, tls, http and ssh event
    Flows {
        /// The capture file (pcap or pcapng)
        #[arg(long)]
        read: PathBuf,
    },
    /// Read a log file and print one record per line
    Logs {
        /// Which kind of log it is
        #[arg(long)]
        source: String,
        /// The log file
        #[arg(long)]
        read: PathBuf,
    },
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub struct Source {
    /// Configuration file; without it, /etc/watchpost/agent.toml if there is one
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Folder for identity, spool and status
    #[arg(long)]
    pub state_dir: Option<PathBuf>,
    /// Address of the collector as host:port; may be given more than once
    #[arg(long)]
    pub collector: Vec<String>,
}

/// Read where no file is named.
const USUAL: &str = "/etc/watchpost/agent.toml";

impl Source {
    /// Loads the configuration.
    ///
    /// # Errors
    /// As [`crate::config::load`].
    pub fn load(&self) -> Result<crate::config::Loaded, crate::config::Error> {
        let usual = Some(PathBuf::from(USUAL)).filter(|path| path.exists());
        let file = self.config.clone().or(usual);
        let mut flags = Vec::new();
        if let Some(dir) = &self.state_dir {
            flags.push(("state_dir", dir.display().to_string()));
        }
        if !self.collector.is_empty() {
            flags.push(("collector", self.collector.join(",")));
        }
        crate::config::load(file.as_deref(), |name| std::env::var(name).ok(), &flags)
    }
}

/// How a command ended, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// As asked.
    Done = 0,
    /// The answer is no.
    No = 1,
    /// Wrong use.
    Misused = 2,
    /// Broken input or environment.
    Broken = 3,
}
