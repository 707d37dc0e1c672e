//! `status`: one screen about the running agent, or its JSON.

use std::io::Write;

use anyhow::Context;

use super::{Outcome, Source};
use crate::control::{Status, screen};

/// What it takes.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where settings come from.
    #[command(flatten)]
    pub source: Source,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints the status; [`Outcome::No`] if the agent does not run.
///
/// # Errors
/// The status is there but can not be read.
pub fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let settings = options.source.load()?.settings()?;
    let dir = &settings.state_dir;
    let found =
        Status::read(dir).with_context(|| format!("could not read the status in {}", dir.display()))?;
    let Some(status) = found else {
        tracing::error!("no agent has run with {}", dir.display());
        return Ok(Outcome::No);
    };
    let now = crate::clock::now();
    match options.format {
        Format::Text => out.write_all(screen(&status, now).as_bytes())?,
        Format::Json => {
            serde_json::to_writer(&mut *out, &status)?;
            writeln!(out)?;
        }
    }
    Ok(if status.is_stale(now) { Outcome::No } else { Outcome::Done })
}
