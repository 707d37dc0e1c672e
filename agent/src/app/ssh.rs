//! SSH: the two version lines before anything is encrypted.

use watchpost_model::Timestamp;
use watchpost_model::event::Ssh;

use super::Found;

/// RFC 4253 allows 255 bytes; what lies beyond is cut.
const MOST_LINE: usize = 255;

/// Lines that a server may send before its banner.
const MOST_PREFACE: usize = 64;

/// A handshake in progress.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    time: Option<Timestamp>,
    client: Option<String>,
    server: Option<String>,
    told: bool,
}

impl Handshake {
    /// Looks at the begin of one direction; returns bytes read.
    pub(super) fn read(&mut self, from_originator: bool, data: &[u8], time: Timestamp) {
        let slot = if from_originator { &mut self.client } else { &mut self.server };
        if slot.is_none()
            && let Some(line) = banner(data)
        {
            *slot = Some(line);
            self.time.get_or_insert(time);
        }
    }

    /// The finding, once both sides spoke, or now if `anyway`.
    pub(super) fn take(&mut self, anyway: bool) -> Option<Found> {
        let complete = self.client.is_some() && self.server.is_some();
        if self.told || !(complete || anyway) {
            return None;
        }
        let time = self.time?;
        self.told = true;
        Some(Found::Ssh(Ssh {
            time,
            client: self.client.clone().unwrap_or_default(),
            server: self.server.clone().unwrap_or_default(),
            ..Ssh::default()
        }))
    }

    /// Whether all has been said.
    pub(super) const fn is_done(&self) -> bool {
        self.told
    }
}

/// The first complete line that begins with `SSH-`.
fn banner(data: &[u8]) -> Option<String> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let last = lines.next_back();
    let line = lines.take(MOST_PREFACE).find(|line| line.starts_with(b"SSH-")).or_else(|| {
        // A banner without line end, as long as a banner may be, is one all the same.
        last.filter(|line| line.starts_with(b"SSH-") && line.len() >= MOST_LINE)
    })?;
    let line = line.get(..line.len().min(MOST_LINE)).unwrap_or(line);
    Some(String::from_utf8_lossy(line).trim_end().to_owned())
}
