//! How far a long search is, on stderr: only for a person at a terminal, or where asked for.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::clock;

/// A search that takes no longer than this tells nothing.
const QUIET: Duration = Duration::from_secs(1);

/// Time between two words on a terminal, and in a file.
const TERMINAL: Duration = Duration::from_millis(250);
const FILE: Duration = Duration::from_secs(5);

/// Where the words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Terminal,
    File,
}

/// Tells the progress.
#[derive(Debug)]
pub(super) struct Progress {
    place: Place,
    total: u64,
    started: Instant,
    next: Instant,
    is_shown: bool,
}

impl Progress {
    /// Progress over so many bytes, 0 where that is not known.
    pub(super) fn new(total: u64, is_wanted: bool) -> Self {
        let place = match (std::io::stderr().is_terminal(), is_wanted) {
            (true, _) => Place::Terminal,
            (false, true) => Place::File,
            (false, false) => Place::Nowhere,
        };
        let started = clock::monotonic();
        Self { place, total, started, next: started + QUIET, is_shown: false }
    }

    /// So much is done.
    pub(super) fn step(&mut self, bytes: u64, events: u64, findings: u64) {
        if self.place == Place::Nowhere {
            return;
        }
        let now = clock::monotonic();
        if now < self.next {
            return;
        }
        let text = line(self.total, bytes, events, findings, now.duration_since(self.started));
        let mut err = std::io::stderr().lock();
        // Progress that can not be told is no failure.
        let _ = match self.place {
            Place::Terminal => write!(err, "\r\x1b[K{text}"),
            _ => writeln!(err, "{text}"),
        };
        let _ = err.flush();
        self.is_shown = true;
        self.next = now + if self.place == Place::Terminal { TERMINAL } else { FILE };
    }

    /// Nothing more is coming: the terminal's line is cleared.
    pub(super) fn end(&self) {
        if self.place == Place::Terminal && self.is_shown {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K");
            let _ = err.flush();
        }
    }
}

fn line(total: u64, bytes: u64, events: u64, findings: u64, span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let speed = events.saturating_mul(1_000) / millis;
    let share = bytes.saturating_mul(100).checked_div(total).map(|share| share.min(100));
    let share = share.map_or_else(|| format!("{} MiB", bytes >> 20), |share| format!("{share} %"));
    format!("{share}, {events} events, {speed} events/s, {findings} matches")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_share_where_the_size_is_known() {
        let span = Duration::from_secs(2);
        assert_eq!(line(200, 50, 10, 1, span), "25 %, 10 events, 5 events/s, 1 matches");
        assert_eq!(line(0, 3 << 20, 10, 1, span), "3 MiB, 10 events, 5 events/s, 1 matches");
        assert_eq!(line(10, 20, 0, 0, Duration::ZERO), "100 %, 0 events, 0 events/s, 0 matches");
    }
}
