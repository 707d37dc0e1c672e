//! A packet socket that hears only how connections begin: what this host sends with SYN, and its
//! questions to name servers. Read at once, it shows a flow while its process still lives.
//!
//! JUSTIFICATION: the filter runs in the kernel, so all other traffic costs nothing here; attaching
//! one is a socket option without a safe wrapper.
#![expect(unsafe_code, reason = "attaching a filter to a socket has no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with};

/// Bytes kept of a packet: its headers.
const MOST: usize = 128;

/// Packets that may come between opening and filtering.
const MOST_STRAY: usize = 1_024;

/// All protocols, as a packet socket wants it.
const ALL: u32 = 3_u16.to_be() as u32;

/// The filter: operation, where to go on if true, if not, operand. Steps are counted from the next
/// line; the network header stands at 0 (`linux/filter.h`, `linux/bpf_common.h`).
const FILTER: [(u16, u8, u8, u32); 27] = [
    (0x20, 0, 0, 0xffff_f004), // which way the packet goes
    (0x15, 0, 24, 4),          // out, or drop
    (0x30, 0, 0, 0),
    (0x54, 0, 0, 0xf0),
    (0x15, 1, 0, 0x40),   // IPv4
    (0x15, 11, 20, 0x60), // IPv6, or drop
    (0x28, 0, 0, 6),
    (0x45, 18, 0, 0x1fff), // a later fragment: drop
    (0xb1, 0, 0, 0),       // length of the header
    (0x30, 0, 0, 9),
    (0x15, 1, 0, 6),   // TCP
    (0x15, 3, 14, 17), // UDP, or drop
    (0x50, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 10, 11, 2), // SYN without ACK
    (0x48, 0, 0, 2),
    (0x15, 8, 9, 53), // to a name server
    (0x30, 0, 0, 6),
    (0x15, 1, 0, 6),
    (0x15, 3, 6, 17),
    (0x30, 0, 0, 53),
    (0x54, 0, 0, 0x12),
    (0x15, 2, 3, 2),
    (0x28, 0, 0, 42),
    (0x15, 0, 1, 53),
    (0x06, 0, 0, MOST as u32), // take
    (0x06, 0, 0, 0),           // drop
];

/// An open tap on all interfaces.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    buffer: [u8; MOST],
}

impl Tap {
    /// Opens the tap.
    ///
    /// # Errors
    /// Missing rights: it needs `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        let all = std::num::NonZeroU32::new(ALL).map(Protocol::from_raw);
        let socket = socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, all)?;
        attach(&socket)?;
        // What came before the filter stood is no beginning.
        let mut tap = Self { socket, buffer: [0; MOST] };
        for _ in 0..MOST_STRAY {
            if tap.next(Duration::ZERO)?.is_none() {
                break;
            }
        }
        Ok(tap)
    }

    /// The next packet from its network header on; `None` where none comes within `patience`.
    ///
    /// # Errors
    /// The socket can not be read.
    pub fn next(&mut self, patience: Duration) -> io::Result<Option<&[u8]>> {
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        if poll(&mut fds, Some(&patience)).unwrap_or(0) == 0 {
            return Ok(None);
        }
        let (length, _) = recv(&self.socket, &mut self.buffer, RecvFlags::DONTWAIT)?;
        Ok(self.buffer.get(..length))
    }
}

fn attach(socket: &OwnedFd) -> io::Result<()> {
    let mut steps = FILTER.map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k });
    let length = libc::c_ushort::try_from(steps.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: steps.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of_val(&program)).map_err(io::Error::other)?;
    // SAFETY: the kernel copies `length` steps from `steps`, which outlives the call, and checks them.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn only_beginnings_come_through() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: a tap needs root");
            return;
        }
        let mut tap = Tap::open().unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(b"not DNS", socket.local_addr().unwrap()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let client = TcpStream::connect(at).unwrap();
        let from = client.local_addr().unwrap().port().to_be_bytes();
        let mut beginnings = 0;
        for _ in 0..1_000 {
            let Some(packet) = tap.next(Duration::from_millis(200)).unwrap() else { break };
            let to_us = packet.get(22..24) == Some(&at.port().to_be_bytes()[..]);
            let tcp = packet.first() == Some(&0x45) && packet.get(9) == Some(&6);
            assert!(!tcp || packet.get(33).is_some_and(|flags| flags & 0x12 == 2), "{packet:?}");
            beginnings += usize::from(tcp && to_us && packet.get(20..22) == Some(&from[..]));
            if beginnings > 0 {
                break;
            }
        }
        assert_eq!(beginnings, 1);
    }
}
