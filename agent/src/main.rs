//! Interim: `flows --read` alone.

use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, command, flag, file] = args.as_slice() else { return ExitCode::from(2) };
    if command != "flows" || flag != "--read" {
        return ExitCode::from(2);
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    match watchpost_agent::commands::flows::run(Path::new(file), &mut out) {
        Ok(summary) => {
            tracing::info!(?summary, "read");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{error}\n").as_bytes());
            ExitCode::from(3)
        }
    }
}
