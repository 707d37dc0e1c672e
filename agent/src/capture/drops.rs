//! How many packets the kernel dropped on one of our sockets.
//!
//! Packet sockets answer that through an option that needs unsafe code to read; the kernel's
//! socket diagnostics tell the same figure, so we ask those (`linux/packet_diag.h`).
//!
//! ```text
//! request  16 nlmsghdr · u8 family 17 · u8 protocol · u16 pad · u32 inode · u32 show · u32[2] cookie
//! answer   16 nlmsghdr · u8 family · u8 type · u16 num · u32 inode · u32[2] cookie · attributes
//! memory   attribute 4: u32[9], the last one is the count of drops
//! ```

use std::os::fd::AsFd;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

const AF_PACKET: u8 = 17;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Request, with all that match.
const REQUEST_DUMP: u16 = 0x301;
const SHOW_MEMORY: u32 = 0x10;
const ATTRIBUTE_MEMORY: u16 = 4;
const MEMORY_DROPS: usize = 8;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// Answers read at most: a host has a few packet sockets, not thousands.
const MOST_READS: usize = 256;

/// Asks about one socket.
#[derive(Debug)]
pub(super) struct Meter {
    socket: Socket,
    inode: u32,
}

impl Meter {
    /// A meter for a packet socket; `None` where the kernel does not answer such questions.
    pub(super) fn of(socket: impl AsFd) -> Option<Self> {
        let inode = u32::try_from(rustix::fs::fstat(socket).ok()?.st_ino).ok()?;
        let mut socket = Socket::new(NETLINK_SOCK_DIAG).ok()?;
        socket.bind_auto().ok()?;
        socket.connect(&SocketAddr::new(0, 0)).ok()?;
        // The kernel answers within the request; waiting for more would be waiting for ever.
        socket.set_non_blocking(true).ok()?;
        let meter = Self { socket, inode };
        meter.read().is_some().then_some(meter)
    }

    /// Packets dropped since the socket was opened.
    pub(super) fn read(&self) -> Option<u64> {
        self.socket.send(&request(), 0).ok()?;
        let mut found = None;
        for _ in 0..MOST_READS {
            let Ok((bytes, _)) = self.socket.recv_from_full() else { break };
            let mut rest = bytes.as_slice();
            while let Some((kind, body, next)) = message(rest) {
                match kind {
                    DONE | ERROR => return found,
                    _ => found = found.or_else(|| drops_of(body, self.inode)),
                }
                rest = next;
            }
        }
        found
    }
}

fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(36);
    bytes.extend_from_slice(&36_u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[AF_PACKET, 0, 0, 0]);
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    bytes.extend_from_slice(&SHOW_MEMORY.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_ne_bytes)
}

/// The first message: its type, its body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let body = bytes.get(16..length)?;
    Some((u16_at(bytes, 4)?, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The count in an answer, if it speaks of this socket.
fn drops_of(body: &[u8], inode: u32) -> Option<u64> {
    if u32_at(body, 4)? != inode {
        return None;
    }
    let mut rest = body.get(16..)?;
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        if u16_at(rest, 2)? == ATTRIBUTE_MEMORY {
            return u32_at(rest.get(4..length)?, MEMORY_DROPS * 4).map(u64::from);
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}
