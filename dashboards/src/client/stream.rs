//! Listening: server-sent events to [`Live`], and starting again after the stream broke.
//!
//! Lines are bounded, unknown events are left out (a newer collector may say more than we know),
//! and attempts are spread by a backoff so that many consoles do not fall on a collector that comes
//! back.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use watchpost_model::Timestamp;
use watchpost_model::query::Live;

use super::error::causes;
use super::{Error, Source};
use crate::app::Link;

/// Bytes of one line of the stream: the list of some thousand hosts fits.
const MOST_LINE: u64 = 16 * 1024 * 1024;

/// What the listener has to say.
#[derive(Debug)]
pub enum Heard {
    /// The connection came or went.
    Link(Link),
    /// The collector said this.
    Live(Box<Live>),
}

/// Waiting times between attempts: 0.5 s doubling to 15 s; back to the start once it works.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LAST: Duration = Duration::from_secs(15);

    /// The attempt failed: how long to wait before the next.
    pub fn failed(&mut self) -> Duration {
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        wait.min(Self::LAST)
    }

    /// The attempt worked.
    pub fn worked(&mut self) {
        self.failures = 0;
    }
}

/// Listens until `tell` returns false: connects, tells what it hears, waits and connects again.
/// `wait` sleeps for a span and returns false to stop; `now` is the clock.
pub fn follow(
    source: &dyn Source,
    mut tell: impl FnMut(Heard) -> bool,
    mut wait: impl FnMut(Duration) -> bool,
    now: impl Fn() -> Timestamp,
) {
    let mut backoff = Backoff::default();
    loop {
        let error = match source.stream() {
            Ok(lives) => {
                if !tell(Heard::Link(Link::Online)) {
                    return;
                }
                match listen(lives, &mut tell, &mut backoff) {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        let link = Link::Offline { since: now(), error: error.to_string() };
        if !tell(Heard::Link(link)) || !wait(backoff.failed()) {
            return;
        }
    }
}

/// Tells what is heard until the stream breaks; none where nobody listens to us any more.
fn listen(lives: super::Lives, tell: &mut impl FnMut(Heard) -> bool, backoff: &mut Backoff) -> Option<Error> {
    for live in lives {
        match live {
            Ok(live) => {
                backoff.worked();
                if !tell(Heard::Live(Box::new(live))) {
                    return None;
                }
            }
            Err(error) => return Some(error),
        }
    }
    Some(Error::Closed { address: String::new() })
}

/// Server-sent events read from a body.
pub(super) struct Lines<R> {
    body: BufReader<R>,
    address: String,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(body: R, address: String) -> Self {
        Self { body: BufReader::new(body), address }
    }

    fn broken(&self, error: &std::io::Error) -> Error {
        Error::Connect { address: self.address.clone(), reason: causes(error) }
    }

    /// The next line without its end; none at the end of the body.
    fn line(&mut self) -> Result<Option<String>, Error> {
        let mut line = Vec::new();
        let read = (&mut self.body).take(MOST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(&error))?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') && u64::try_from(line.len()).unwrap_or(u64::MAX) >= MOST_LINE {
            let reason = format!("a line of the stream is longer than {MOST_LINE} bytes");
            return Err(Error::Answer { address: self.address.clone(), reason });
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()))
    }

    /// The data of the next event: its `data:` lines joined; comments and other fields are left out.
    fn data(&mut self) -> Result<Option<String>, Error> {
        let mut data = String::new();
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            if line.is_empty() {
                if !data.is_empty() {
                    return Ok(Some(data));
                }
            } else if let Some(part) = line.strip_prefix("data:") {
                if !data.is_empty() {
                    data.push('\n');
                }
                data.push_str(part.strip_prefix(' ').unwrap_or(part));
                if u64::try_from(data.len()).unwrap_or(u64::MAX) > MOST_LINE {
                    let reason = format!("an event of the stream is longer than {MOST_LINE} bytes");
                    return Err(Error::Answer { address: self.address.clone(), reason });
                }
            }
        }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Live, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.data() {
                Err(error) => return Some(Err(error)),
                Ok(None) => return Some(Err(Error::Closed { address: self.address.clone() })),
                Ok(Some(data)) => match serde_json::from_str(&data) {
                    Ok(live) => return Some(Ok(live)),
                    Err(error) => tracing::debug!(%error, "left out an unknown message of the stream"),
                },
            }
        }
    }
}
