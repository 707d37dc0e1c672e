//! The agent's program: reads the command line, calls the library, turns the end into a code.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use watchpost_agent::commands::{self, Cli, Command, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return code(if error.use_stderr() { Outcome::Misused } else { Outcome::Done });
        }
    };
    let filter = EnvFilter::try_from_env("WATCHPOST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    match run(&cli.command, &mut stdout().lock()) {
        Ok(outcome) => code(outcome),
        Err(error) => {
            tracing::error!("{error:#}");
            code(Outcome::Broken)
        }
    }
}

fn code(outcome: Outcome) -> ExitCode {
    ExitCode::from(outcome as u8)
}

fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    match command {
        Command::Run(source) => commands::run::run(source),
        Command::Enroll(options) => commands::enroll::run(options, out),
        Command::Status(options) => commands::status::run(options, out),
        Command::Config(command) => commands::config::run(command, out),
        Command::Flows { read } => commands::flows::command(read, out),
        Command::Logs { source, read } => commands::logs::command(source, read, out),
    }
}
