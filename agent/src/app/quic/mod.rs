//! QUIC's first packets: their keys are public, so the TLS hello inside can be read.
//!
//! Reads Initial packets of version 1, version 2 and the drafts from 23 on (RFC 9000, 9001, 9369),
//! takes the CRYPTO frames out, puts them in order over packets and hands the hello to the TLS
//! reader. Everything after the Initial packets is encrypted for good. Bounded: so many datagrams a
//! connection, so many bytes of CRYPTO a direction.

mod crypto;
mod header;
mod keys;

use watchpost_model::Timestamp;

use super::Found;
use super::assembly::Assembly;
use super::fingerprint::Carrier;
use super::tls::Handshake;
use header::Header;
#[cfg(test)]
pub(super) use keys::tests::sealed;
use keys::{Keys, Pair};

/// Datagrams looked at of one connection. A hello takes one to three, its answer as many.
const MOST_DATAGRAMS: u32 = 16;

/// Whether a datagram may open a connection that we can read.
pub(super) fn is_initial(data: &[u8]) -> bool {
    Header::parse(data).is_some_and(|(header, _)| header.initial)
}

/// A connection of which the handshake is read.
#[derive(Debug)]
pub(super) struct Connection {
    keys: Option<Pair>,
    handshake: Handshake,
    client: Assembly,
    server: Assembly,
    looked: u32,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            keys: None,
            handshake: Handshake::over(Carrier::Quic),
            client: Assembly::default(),
            server: Assembly::default(),
            looked: 0,
        }
    }
}

impl Connection {
    /// Reads a datagram: the packets in it, one after the other.
    pub(super) fn read(&mut self, from_originator: bool, mut data: &[u8], time: Timestamp) {
        self.looked = self.looked.saturating_add(1);
        while let Some((header, rest)) = Header::parse(data) {
            if header.initial {
                self.initial(from_originator, &header, time);
            }
            data = rest;
        }
    }

    fn initial(&mut self, from_originator: bool, header: &Header<'_>, time: Timestamp) {
        let Some(frames) = self.open(from_originator, header) else { return };
        let assembly = if from_originator { &mut self.client } else { &mut self.server };
        crypto::each(&frames, &mut |offset, bytes| assembly.add(offset, bytes));
        self.handshake.messages(from_originator, assembly.begin(), time);
    }

    /// Decrypts a packet with the keys that the client's first packet gave. Where they do not fit a
    /// client's packet, it was sent again after a Retry and brings its own.
    fn open(&mut self, from_originator: bool, header: &Header<'_>) -> Option<Vec<u8>> {
        let of = |pair: &Pair| -> Option<Vec<u8>> {
            let keys: &Keys = if from_originator { &pair.client } else { &pair.server };
            keys.open(header)
        };
        if let Some(frames) = self.keys.as_ref().and_then(of) {
            return Some(frames);
        }
        if !from_originator || self.handshake.has_hello() {
            return None;
        }
        let fresh = Pair::of(header.version, header.destination)?;
        let frames = of(&fresh)?;
        self.keys = Some(fresh);
        self.client = Assembly::default();
        Some(frames)
    }

    /// The finding, once the server has answered, or now if `anyway`.
    pub(super) fn take(&mut self, anyway: bool) -> Option<Found> {
        self.handshake.take(anyway)
    }

    /// Whether a packet could be opened: no other protocol passes that test.
    pub(super) const fn is_recognised(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether nothing more can be read.
    pub(super) const fn is_done(&self) -> bool {
        self.handshake.is_done() || self.looked >= MOST_DATAGRAMS
    }

    /// Memory in use.
    pub(super) fn held(&self) -> usize {
        self.client.held().saturating_add(self.server.held())
    }
}
