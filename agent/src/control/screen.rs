//! The status on one screen, for people.
//!
//! What comes from elsewhere (a collector's words, names) is printed without control characters.

use std::fmt::Write;

use watchpost_model::Timestamp;

use super::Status;
use crate::ship::Link;

/// The status as text.
#[must_use]
pub fn screen(status: &Status, now: Timestamp) -> String {
    let mut out = String::new();
    let stale = status.is_stale(now);
    let state = if stale { "NOT RUNNING (or stuck)" } else { "running" };
    let _ = writeln!(out, "watchpost-agent {}  {state}, pid {}", status.version, status.pid);
    let _ = writeln!(out, "host      {}  agent {}", plain(&status.host), plain(&status.agent));
    let _ = writeln!(
        out,
        "since     {}   last word {} s ago",
        status.started,
        now.since(status.written).as_secs()
    );
    let link = match status.shipping.link {
        Link::Unknown => "nothing sent yet",
        Link::Up => "up",
        Link::Down => "DOWN",
        Link::NotTrusted => "NOT OUR COLLECTOR",
        Link::NotAccepted => "CERTIFICATE NOT ACCEPTED",
    };
    let _ = writeln!(out, "collector {}  {link}", plain(&status.shipping.address));
    if let Some(receipt) = status.shipping.last_receipt {
        let _ = writeln!(out, "          last receipt {} s ago", now.since(receipt).as_secs());
    }
    if let Some(error) = &status.shipping.last_error {
        let _ = writeln!(out, "          {}", plain(error));
    }
    let spool = &status.spool;
    let _ = writeln!(
        out,
        "spool     {} batches, {} events wait; {} of {} MiB on disk",
        spool.batches,
        spool.events,
        spool.bytes >> 20,
        spool.max_bytes >> 20
    );
    if let Some(reason) = &spool.poisoned {
        let _ = writeln!(out, "          WRITES NO MORE: {}; check the disk, then restart", plain(reason));
    }
    let _ = writeln!(
        out,
        "cost      {} MiB memory, {:.1} % of one core",
        status.cost.memory >> 20,
        status.cost.cpu * 100.0
    );
    let _ = writeln!(out, "capture   {}", if status.rung.is_empty() { "none" } else { &status.rung });
    for source in &status.sources {
        let _ = writeln!(out, "reads     {}", plain(source));
    }
    for blind in &status.blind {
        let _ = writeln!(out, "blind     {}", plain(blind));
    }
    let _ = writeln!(out, "\n{:<10}{:>16}{:>16}", "stage", "passed", "lost");
    for entry in &status.ledger.0 {
        let _ = writeln!(out, "{:<10}{:>16}{:>16}", entry.stage.name(), entry.passed, entry.lost);
    }
    out
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::ledger::Stage;

    #[test]
    fn the_screen_shows_losses_and_hides_control_characters() {
        let mut status = Status { written: Timestamp::from_millis(1_000), ..Status::default() };
        status.shipping.last_error = Some("bad\u{1b}[31m".into());
        status.ledger.set(Stage::Queue, 10, 3);
        let shown = screen(&status, Timestamp::from_millis(2_000));
        assert!(shown.contains("running") && !shown.contains("NOT RUNNING"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.lines().any(|line| line.starts_with("queue") && line.ends_with('3')), "{shown}");
        assert!(screen(&status, Timestamp::from_millis(60_000)).contains("NOT RUNNING"));
    }
}
