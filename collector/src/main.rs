//! The collector's program. Exit codes: 0 done, 1 failed, 2 wrong usage.

use std::process::ExitCode;

use clap::Parser as _;
use watchpost_collector::commands::{Cli, execute};

#[expect(clippy::print_stderr, reason = "the last word of a failed program")]
fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WATCHPOST_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sled=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match execute(Cli::parse(), &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watchpost-collector: {error:#}");
            ExitCode::FAILURE
        }
    }
}
