//! From the bytes of a frame to the packet that a flow counts.
//!
//! Decoding borrows from the frame and allocates nothing. It promises to end in time linear in
//! the frame and never to panic; what it can not read it names with a [`Problem`]. Sizes come
//! from the IP header rather than from what was captured, so a short snap length changes
//! payload inspection but no counter.

mod fragment;
mod link;
mod network;
mod problem;
#[cfg(test)]
mod tests;

pub use fragment::Fragments;
pub use link::Link;
pub use problem::{Problem, Problems};

use std::net::IpAddr;

/// A frame as a source hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What the frame begins with.
    pub link: Link,
    /// The captured bytes.
    pub data: &'a [u8],
    /// Bytes on the wire; at least `data.len()`.
    pub original: usize,
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// IANA protocol number of the payload, behind any IPv6 extension headers.
    pub protocol: u8,
    /// IP bytes on the wire, headers included.
    pub bytes: u64,
    /// Bytes on the wire above the transport header.
    pub payload_bytes: u64,
    /// VLAN id, outermost.
    pub vlan: Option<u16>,
    /// MAC addresses of sender and receiver, where the link has them.
    pub macs: Option<([u8; 6], [u8; 6])>,
    /// What the transport header says.
    pub transport: Transport,
    /// Set when the packet is part of a larger datagram.
    pub fragment: Option<Fragment>,
    /// Captured bytes above the transport header.
    pub payload: &'a [u8],
}

/// Place of a fragment in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification, the same for all fragments of the datagram.
    pub id: u32,
    /// Whether it carries the transport header.
    pub first: bool,
}

/// The transport header, as far as flows need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Sender's port.
        source: u16,
        /// Receiver's port.
        destination: u16,
        /// Flag bits as on the wire.
        flags: Flags,
        /// Sequence number.
        sequence: u32,
    },
    /// UDP, or another protocol that begins with two ports (SCTP, UDP-Lite, DCCP).
    Ports {
        /// Sender's port.
        source: u16,
        /// Receiver's port.
        destination: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Nothing that flows are told apart by.
    Other,
}

/// TCP flags, one bit each as in the header's 14th byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Breaks a connection.
    pub const RST: Self = Self(0x04);
    /// Acknowledges.
    pub const ACK: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// As letters, in the order `FSRPAUEC`.
    #[must_use]
    pub fn letters(self) -> String {
        "FSRPAUEC"
            .chars()
            .enumerate()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0)
            .map(|entry| entry.1)
            .collect()
    }
}

/// Decodes one frame.
///
/// # Errors
/// The [`Problem`] that stands in the way; it is for counting, not for reporting one by one.
pub fn decode(frame: Frame<'_>) -> Result<Packet<'_>, Problem> {
    let stripped = link::strip(frame.link, frame.data)?;
    let skipped = frame.data.len().saturating_sub(stripped.ip.len());
    let on_wire = frame.original.max(frame.data.len()).saturating_sub(skipped);
    let mut packet = network::decode(stripped.ip, on_wire)?;
    packet.vlan = stripped.vlan;
    packet.macs = stripped.macs;
    Ok(packet)
}
