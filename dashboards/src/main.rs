//! `watchpost`: the dashboard and the analyst's commands. All work is in the library; here only the
//! command line is read and the exit code given.

use std::process::ExitCode;

use clap::Parser;
use watchpost_dashboards::cli::{self, Cli};
use watchpost_dashboards::exit::Exit;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli::run(&cli).into(),
        Err(error) => {
            // Help and version are answers, not mistakes; clap knows which stream each goes to.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Fine.into() }
        }
    }
}
