//! `enroll`: this host gets its certificate.

use std::io::Write;

use super::{Outcome, Source};
use crate::enroll::{Again, Request, enroll};

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where settings come from; `--collector HOST:PORT` names the collector.
    #[command(flatten)]
    pub source: Source,
    /// The token that `watchpost-collector token` printed
    #[arg(long, env = "WATCHPOST_AGENT_TOKEN", hide_env_values = true)]
    pub token: String,
    /// The host's name, if not the kernel's
    #[arg(long)]
    pub host: Option<String>,
    /// Replace the identity that this host has already
    #[arg(long)]
    pub again: bool,
}

/// Enrols this host.
///
/// # Errors
/// Says what to do.
pub fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let settings = options.source.load()?.settings()?;
    let identity = enroll(&Request {
        state_dir: settings.state_dir,
        collector: settings.collector,
        server_name: settings.server_name,
        token: options.token.clone(),
        host: options.host.clone().unwrap_or_else(crate::run::host_name),
        again: if options.again { Again::Replace } else { Again::Refuse },
    })?;
    writeln!(out, "enrolled as {}", identity.agent)?;
    Ok(Outcome::Done)
}
