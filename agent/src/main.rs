//! Temporary: only the offline parsers.
use std::io::Write as _;
fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let find = |name: &str| {
        args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned().unwrap_or_default()
    };
    watchpost_agent::commands::logs::run(&find("--source"), find("--read").as_ref(), &mut out)?;
    out.flush()?;
    Ok(())
}
