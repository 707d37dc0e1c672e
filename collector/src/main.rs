//! The collector's program. Exit codes: 0 done; 1 the answer is no (the configuration is not
//! usable, a reload of the rules was refused); 2 wrong use; 3 the input or the environment is broken.

use std::process::ExitCode;

use clap::Parser as _;
use watchpost_collector::commands::{Cli, execute};

#[expect(clippy::print_stderr, reason = "the last word of a failed program")]
fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WATCHPOST_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sled=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let failed = cli.failed();
    match execute(cli, &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watchpost-collector: {error:#}");
            ExitCode::from(failed)
        }
    }
}
