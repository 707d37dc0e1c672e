//! What makes packets one flow: the two ends and the protocol, whichever way a packet goes.

use std::net::IpAddr;

use crate::decode::{Packet, Transport};

/// One end of a flow. For ICMP the port is the type; where a protocol has none it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
}

/// Names a flow while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    // Invariant: `low <= high`, except for ICMP messages that know no answer, whose order is
    // that of the packet.
    low: Endpoint,
    high: Endpoint,
    protocol: u8,
}

/// Which end of a key sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first one.
    Low,
    /// The second one.
    High,
}

impl End {
    /// The opposite end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl Key {
    /// The key of a packet, and which end sent it.
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> (Self, End) {
        let (from, to, sorted) = match packet.transport {
            Transport::Tcp { source, destination, .. } | Transport::Ports { source, destination } => {
                (source, destination, true)
            }
            Transport::Icmp { kind, code } => match counterpart(packet.source.is_ipv4(), kind) {
                Some(answer) => (u16::from(kind), u16::from(answer), true),
                None => (u16::from(kind), u16::from(code), false),
            },
            Transport::Other => (0, 0, true),
        };
        let source = Endpoint { ip: packet.source, port: from };
        let destination = Endpoint { ip: packet.destination, port: to };
        if sorted {
            Self::between(source, destination, packet.protocol)
        } else {
            (Self { low: source, high: destination, protocol: packet.protocol }, End::Low)
        }
    }

    /// The key of two ends, and which one `source` is.
    #[must_use]
    pub fn between(source: Endpoint, destination: Endpoint, protocol: u8) -> (Self, End) {
        if source > destination {
            (Self { low: destination, high: source, protocol }, End::High)
        } else {
            (Self { low: source, high: destination, protocol }, End::Low)
        }
    }

    /// An end.
    #[must_use]
    pub const fn end(&self, end: End) -> Endpoint {
        match end {
            End::Low => self.low,
            End::High => self.high,
        }
    }

    /// IANA protocol number.
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Whether this is ICMP or ICMPv6, where ports are types and codes.
    #[must_use]
    pub const fn is_icmp(&self) -> bool {
        matches!(self.protocol, 1 | 58)
    }
}

/// The ICMP type that answers `kind` or is answered by it.
const fn counterpart(v4: bool, kind: u8) -> Option<u8> {
    Some(match (v4, kind) {
        (true, 0) => 8,
        (true, 8) => 0,
        (true, 9) => 10,
        (true, 10) => 9,
        (true, 13) => 14,
        (true, 14) => 13,
        (true, 15) => 16,
        (true, 16) => 15,
        (true, 17) => 18,
        (true, 18) => 17,
        (false, 128) => 129,
        (false, 129) => 128,
        (false, 130) => 131,
        (false, 131) => 130,
        (false, 133) => 134,
        (false, 134) => 133,
        (false, 135) => 136,
        (false, 136) => 135,
        (false, 139) => 140,
        (false, 140) => 139,
        (false, 144) => 145,
        (false, 145) => 144,
        _ => return None,
    })
}
