//! How a connection stands, in Zeek's words.
//!
//! Each end is a small machine of its own; the word is read off both. Sequence numbers do not
//! enter, so a forged reset can end a flow early: later packets then continue the same record.

use crate::decode::Flags;

/// How one end of a TCP connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stand {
    /// Sent nothing.
    #[default]
    Silent,
    /// Sent a SYN.
    Asked,
    /// Sent a SYN with an ACK.
    Agreed,
    /// The handshake is complete.
    Open,
    /// Sends data, but we saw no handshake.
    Partial,
    /// Sent a FIN.
    Closed,
    /// Sent a RST.
    Reset,
}

/// A TCP connection as its packets show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    originator: Stand,
    responder: Stand,
    asked: bool,
}

impl Tcp {
    /// One packet, from the originator or not.
    pub fn step(&mut self, from_originator: bool, flags: Flags) {
        let (mut own, mut peer) = self.ends(from_originator);
        if flags.has(Flags::RST) {
            if !self.is_closed() {
                own = Stand::Reset;
            }
        } else if flags.has(Flags::SYN) {
            let agreed = flags.has(Flags::ACK);
            self.asked |= from_originator && !agreed;
            if own == Stand::Silent {
                own = if agreed { Stand::Agreed } else { Stand::Asked };
            }
        } else {
            (own, peer) = onward(own, peer);
        }
        if flags.has(Flags::FIN) && !flags.has(Flags::RST) && own != Stand::Reset {
            own = Stand::Closed;
        }
        (self.originator, self.responder) = if from_originator { (own, peer) } else { (peer, own) };
    }

    const fn ends(&self, from_originator: bool) -> (Stand, Stand) {
        if from_originator { (self.originator, self.responder) } else { (self.responder, self.originator) }
    }

    /// Both ends said goodbye.
    fn is_closed(&self) -> bool {
        (self.originator, self.responder) == (Stand::Closed, Stand::Closed)
    }

    /// Whether nothing more is expected but stragglers.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_closed() || self.originator == Stand::Reset || self.responder == Stand::Reset
    }

    /// Whether we saw no handshake.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.originator == Stand::Partial || self.responder == Stand::Partial
    }

    /// The state in Zeek's words.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.originator, self.responder) {
            (Stand::Reset, Stand::Silent) if self.asked => "RSTOS0",
            (Stand::Reset, _) => "RSTO",
            (Stand::Silent, Stand::Reset) => "RSTRH",
            (Stand::Asked, Stand::Reset) => "REJ",
            (_, Stand::Reset) => "RSTR",
            (Stand::Closed, Stand::Closed) => "SF",
            (Stand::Closed, Stand::Silent) => "SH",
            (Stand::Closed, _) => "S2",
            (Stand::Silent, Stand::Closed | Stand::Agreed) => "SHR",
            (_, Stand::Closed) => "S3",
            (Stand::Asked, Stand::Silent) => "S0",
            (Stand::Asked, Stand::Agreed) | (Stand::Open, Stand::Open) => "S1",
            _ => "OTH",
        }
    }
}

/// A packet without SYN or RST: completes a handshake, or shows that we came late.
const fn onward(own: Stand, peer: Stand) -> (Stand, Stand) {
    match (own, peer) {
        (Stand::Asked, Stand::Agreed) | (Stand::Agreed, Stand::Asked) => (Stand::Open, Stand::Open),
        (Stand::Asked, Stand::Closed) => (Stand::Open, Stand::Closed),
        (Stand::Silent, _) => (Stand::Partial, peer),
        other => other,
    }
}

/// The word for a protocol without connections: who spoke.
#[must_use]
pub(super) const fn word_of_speech(originator: bool, responder: bool) -> &'static str {
    match (originator, responder) {
        (true, true) => "SF",
        (true, false) => "S0",
        (false, true) => "SHR",
        (false, false) => "OTH",
    }
}
