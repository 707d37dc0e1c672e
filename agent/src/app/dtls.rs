//! DTLS handshakes: TLS over datagrams, as calls and VPNs speak it.
//!
//! Records and handshake messages have headers of their own; fragments of a message are put
//! together and the message is handed to the TLS reader. Only what is in the clear (epoch 0) counts.

use watchpost_model::Timestamp;

use super::Found;
use super::assembly::Assembly;
use super::fingerprint::Carrier;
use super::tls::Handshake;

const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 1;

/// Messages of a direction that are put together: hello, hello again, certificate and around them.
const MOST_MESSAGES: usize = 8;

/// Datagrams looked at of one connection: long chains come in many, and each may be sent again.
const MOST_DATAGRAMS: u32 = 48;

/// Version 1.0 and 1.2, and what preceded 1.0.
const fn is_version(high: u8, low: u8) -> bool {
    matches!((high, low), (0xfe, 0xfd | 0xff) | (1, 0))
}

/// Whether a datagram begins with a hello in the clear.
pub(super) fn is_hello(data: &[u8]) -> bool {
    match record(data) {
        Some((HANDSHAKE, body, _)) => matches!(body.first(), Some(1..=3)),
        _ => false,
    }
}

/// A connection of which the handshake is read.
#[derive(Debug)]
pub(super) struct Connection {
    handshake: Handshake,
    client: Messages,
    server: Messages,
    looked: u32,
}

/// Messages of one direction by their number: number, type, length, bytes.
type Messages = Vec<(u16, u8, usize, Assembly)>;

impl Default for Connection {
    fn default() -> Self {
        let handshake = Handshake::over(Carrier::Dtls);
        Self { handshake, client: Messages::new(), server: Messages::new(), looked: 0 }
    }
}

impl Connection {
    /// Reads a datagram.
    pub(super) fn read(&mut self, from_originator: bool, mut data: &[u8], time: Timestamp) {
        self.looked = self.looked.saturating_add(1);
        while let Some((kind, mut body, rest)) = record(data) {
            while kind == HANDSHAKE
                && let Some((fragment, next)) = Fragment::parse(body)
            {
                self.fragment(from_originator, &fragment, time);
                body = next;
            }
            data = rest;
        }
    }

    fn fragment(&mut self, from_originator: bool, fragment: &Fragment<'_>, time: Timestamp) {
        let messages = if from_originator { &mut self.client } else { &mut self.server };
        let known =
            messages.iter().position(|message| (message.0, message.1) == (fragment.number, fragment.kind));
        let at = known.unwrap_or(messages.len());
        if known.is_none() {
            if messages.len() >= MOST_MESSAGES {
                return;
            }
            messages.push((fragment.number, fragment.kind, fragment.length, Assembly::default()));
        }
        let Some((_, kind, length, assembly)) = messages.get_mut(at) else { return };
        assembly.add(fragment.offset, fragment.data);
        if assembly.begin().len() < *length {
            return;
        }
        let body = assembly.begin();
        if *kind == CLIENT_HELLO {
            if let Some(body) = without_cookie(body) {
                self.handshake.message(from_originator, *kind, &body, time);
            }
        } else {
            self.handshake.message(from_originator, *kind, body, time);
        }
    }

    /// The finding, once the server has answered, or now if `anyway`.
    pub(super) fn take(&mut self, anyway: bool) -> Option<Found> {
        self.handshake.take(anyway)
    }

    /// Whether nothing more can be read.
    pub(super) const fn is_done(&self) -> bool {
        self.handshake.is_done() || self.looked >= MOST_DATAGRAMS
    }

    /// Memory in use.
    pub(super) fn held(&self) -> usize {
        self.client.iter().chain(&self.server).map(|message| message.3.held()).fold(0, usize::saturating_add)
    }
}

/// A part of a handshake message.
struct Fragment<'a> {
    kind: u8,
    length: usize,
    number: u16,
    offset: usize,
    data: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<12>()?;
        let [kind, l0, l1, l2, n0, n1, o0, o1, o2, f0, f1, f2] = *head;
        let wide = |a, b, c| usize::try_from(u32::from_be_bytes([0, a, b, c])).ok();
        let (data, next) = rest.split_at_checked(wide(f0, f1, f2)?)?;
        let (length, offset) = (wide(l0, l1, l2)?, wide(o0, o1, o2)?);
        Some((Self { kind, length, number: u16::from_be_bytes([n0, n1]), offset, data }, next))
    }
}

/// The first record in the clear: its type, its body and what follows.
fn record(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = data.split_first_chunk::<13>()?;
    let [kind, high, low, 0, 0, _, _, _, _, _, _, l0, l1] = *head else { return None };
    if !is_version(high, low) || !(20..=25).contains(&kind) {
        return None;
    }
    let (body, next) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    Some((kind, body, next))
}

/// A hello as TLS has it: DTLS puts a cookie behind the session id.
fn without_cookie(body: &[u8]) -> Option<Vec<u8>> {
    let session = usize::from(*body.get(34)?);
    let (head, rest) = body.split_at_checked(session.checked_add(35)?)?;
    let cookie = usize::from(*rest.first()?);
    Some([head, rest.get(cookie.checked_add(1)?..)?].concat())
}
