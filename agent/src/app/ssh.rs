//! SSH: the two version lines, and the client's first offer, before anything is encrypted.
//!
//! HASSH is the MD5 of the algorithms that a client offers, in its order: tools that log in by the
//! thousand share it however they name themselves. A record waits for it a moment, not for ever.

use md5::{Digest, Md5};
use watchpost_model::Timestamp;
use watchpost_model::event::Ssh;

use super::Found;
use super::fingerprint::hex;

/// RFC 4253 allows 255 bytes; what lies beyond is cut.
const MOST_LINE: usize = 255;

/// Lines that a server may send before its banner.
const MOST_PREFACE: usize = 64;

/// The message that offers algorithms.
const KEXINIT: u8 = 20;

/// Bytes before its lists: padding length, number, cookie.
const MESSAGE_HEAD: usize = 18;

/// Lists read of it.
const LISTS: usize = 8;

/// The longest offer; RFC 4253 asks for 35,000 bytes, clients send about 1,500.
const MOST_OFFER: usize = 16_000;

/// A handshake in progress.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    time: Option<Timestamp>,
    client: Option<String>,
    server: Option<String>,
    hassh: Option<String>,
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
        if from_originator && self.hassh.is_none() {
            self.hassh = offer(data).map(|lists| hassh(&lists));
        }
    }

    /// The finding, once both sides spoke, or now if `anyway`.
    pub(super) fn take(&mut self, anyway: bool) -> Option<Found> {
        let complete = self.client.is_some() && self.server.is_some() && self.hassh.is_some();
        if self.told || !(complete || anyway) {
            return None;
        }
        let time = self.time?;
        self.told = true;
        let ssh = Ssh {
            time,
            client: self.client.take().unwrap_or_default(),
            server: self.server.take().unwrap_or_default(),
            ..Ssh::default()
        };
        Some(Found::Ssh(ssh, self.hassh.take().unwrap_or_default()))
    }

    /// Whether all has been said.
    pub(super) const fn is_done(&self) -> bool {
        self.told
    }
}

/// The name lists of the first key exchange message behind a banner; empty where something else
/// stands there.
fn offer(data: &[u8]) -> Option<Vec<&[u8]>> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let packet = data.get(end.checked_add(1)?..)?;
    let (length, body) = packet.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if !(MESSAGE_HEAD..=MOST_OFFER).contains(&length) {
        return Some(Vec::new());
    }
    let body = body.get(..length)?;
    let [_, KEXINIT, ..] = body else { return Some(Vec::new()) };
    let mut rest = body.get(MESSAGE_HEAD..)?;
    let mut lists = Vec::new();
    while lists.len() < LISTS
        && let Some((length, after)) = rest.split_first_chunk::<4>()
        && let Ok(length) = usize::try_from(u32::from_be_bytes(*length))
        && let Some((list, next)) = after.split_at_checked(length)
    {
        lists.push(list);
        rest = next;
    }
    Some(lists)
}

/// Key exchange, then what the client would send with: encryption, authentication, compression.
fn hassh(lists: &[&[u8]]) -> String {
    let [exchange, _, encryption, _, authentication, _, compression, ..] = lists else {
        return String::new();
    };
    hex(&Md5::digest([exchange, encryption, authentication, compression].map(|list| *list).join(&b';')), 32)
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
