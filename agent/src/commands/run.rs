//! `run`: the agent in the foreground, until SIGTERM or SIGINT.

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Outcome, Source};
use crate::stop::Stop;

/// Runs the agent.
///
/// # Errors
/// It could not start, or something in it died.
pub fn run(source: &Source) -> anyhow::Result<Outcome> {
    let settings = source.load()?.settings()?;
    let stop = Stop::default();
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("could not listen for signals")?;
    let handle = signals.handle();
    let wish = stop.clone();
    let listener = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in &mut signals {
            tracing::info!(signal, "asked to stop");
            wish.stop();
        }
    })?;
    let done = crate::run::run(&settings, &stop);
    handle.close();
    let _ = listener.join();
    done?;
    Ok(Outcome::Done)
}
