//! `config show` and `config check`: what the agent would use, and whether it would start with it.

use std::io::Write;

use super::{Outcome, Source};

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print every value and where it comes from
    Show(Source),
    /// Try the configuration without running
    Check(Source),
}

/// Shows or checks.
///
/// # Errors
/// Standard output can not be written, or the configuration to show can not be read.
pub fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    match command {
        Command::Show(source) => out.write_all(source.load()?.show().as_bytes())?,
        Command::Check(source) => {
            if let Err(error) = source.load().and_then(|loaded| loaded.settings()) {
                tracing::error!("{:#}", anyhow::Error::from(error));
                return Ok(Outcome::No);
            }
            writeln!(out, "the configuration is usable")?;
        }
    }
    Ok(Outcome::Done)
}
