//! A packet ring (`TPACKET_V3`): memory shared with the kernel, so that a packet costs neither a
//! system call nor a copy.
//!
//! JUSTIFICATION: read by system calls, a packet costs about ten times as much; the crates that wrap
//! the ring have licences or ages that we do not take. The unsafe part is the set-up and two ways to
//! look at a block; packets are then read from an ordinary slice, with every offset checked.
//!
//! The memory is split into blocks. The kernel fills one, hands it over by its status word and does
//! not touch it again until we hand it back.
#![expect(unsafe_code, reason = "socket options and mappings of the packet ring have no safe wrapper")]

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

/// Bytes of a block. Holds the largest packet that the kernel joins from segments.
const BLOCK: usize = 256 * 1_024;

/// The kernel's memory that all rings of a host share: interfaces may be many.
const ALL_RINGS: usize = 64 * 1_024 * 1_024;

/// Blocks of one ring at most: 8 MiB, 60 ms of a full gigabit.
const MOST_BLOCKS: usize = 32;

/// Blocks of one ring at least: one to fill while the other is read.
const FEWEST_BLOCKS: usize = 2;

/// What the kernel takes for the size of a packet; only divides blocks on paper in this version.
const FRAME: usize = 2_048;

/// Milliseconds after which a block is handed over that is not full.
const RETIRE: u32 = 20;

/// Places in a block's header (`linux/if_packet.h`).
const STATUS: usize = 8;
const COUNT: usize = 12;
const FIRST: usize = 16;

/// All protocols, as the kernel wants it in an address.
const ALL: u16 = 3_u16.to_be();

/// What is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Frames with their link header, both ways.
    Frames,
    /// Network packets without link header, and only those that come in: on the loopback everything
    /// passes twice.
    Incoming,
}

/// A packet in the ring.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// Seconds and nanoseconds since the epoch, by the host's clock.
    pub time: (u32, u32),
    /// The captured bytes.
    pub data: &'a [u8],
    /// Bytes on the wire.
    pub original: usize,
}

/// An open ring on one interface.
#[derive(Debug)]
pub struct Ring {
    socket: OwnedFd,
    /// Invariant: begin of a mapping of `BLOCK * blocks` bytes, from `open` to `drop`.
    base: NonNull<u8>,
    blocks: usize,
    /// The block that is being read or comes next; below `blocks`.
    current: usize,
    /// Whether the kernel has handed `current` over to us.
    held: bool,
    /// Packets of it not read yet, and where the next one begins.
    left: u32,
    at: usize,
    dropped: Cell<u64>,
}

// SAFETY: the mapping belongs to the ring alone and is reached only through it; nothing of it is tied
// to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Opens a ring on the interface with this index, one of `shared` rings of this host.
    ///
    /// # Errors
    /// Missing rights (it needs `CAP_NET_RAW`), no memory, or a kernel without the ring.
    pub fn open(index: u32, shape: Shape, shared: usize) -> io::Result<Self> {
        let kind = if shape == Shape::Frames { SocketType::RAW } else { SocketType::DGRAM };
        // No protocol yet: packets flow only once the ring stands and is bound.
        let socket = socket_with(AddressFamily::PACKET, kind, SocketFlags::CLOEXEC, None)?;
        set(&socket, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as libc::c_int))?;
        if shape == Shape::Incoming {
            set(&socket, libc::PACKET_IGNORE_OUTGOING, &1_i32)?;
        }
        let blocks = (ALL_RINGS / BLOCK / shared.max(1)).clamp(FEWEST_BLOCKS, MOST_BLOCKS);
        set(&socket, libc::PACKET_RX_RING, &request(blocks)?)?;
        let base = map(&socket, blocks)?;
        let ring =
            Self { socket, base, blocks, current: 0, held: false, left: 0, at: 0, dropped: Cell::new(0) };
        bind(&ring.socket, index)?;
        Ok(ring)
    }

    /// The next packet; `None` where none comes within `patience`.
    ///
    /// # Errors
    /// The interface is down or gone, or the kernel wrote what makes no sense.
    pub fn next(&mut self, patience: Duration) -> io::Result<Option<Raw<'_>>> {
        if self.left == 0 && !self.take_block(patience)? {
            return Ok(None);
        }
        let at = self.at;
        let Some(head) = Head::read(self.block(), at) else {
            self.left = 0;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet lies outside its block"));
        };
        self.left = self.left.saturating_sub(1);
        self.at = at.saturating_add(head.next);
        let data = self.block().get(head.begin..head.end).unwrap_or_default();
        Ok(Some(Raw { time: head.time, data, original: head.original }))
    }

    /// Packets that the kernel dropped because the ring was full, since it was opened.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        let mut counts = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let mut length = libc::socklen_t::try_from(size_of_val(&counts)).ok()?;
        // SAFETY: the kernel writes at most `length` bytes to `counts`, which is plain numbers.
        let done = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut counts).cast(),
                &raw mut length,
            )
        };
        // Reading sets the kernel's figures back to zero, so they are summed here.
        if done == 0 {
            self.dropped.set(self.dropped.get().saturating_add(counts.tp_drops.into()));
        }
        Some(self.dropped.get())
    }

    /// Hands the block back that was read, and takes the next one if it is ready in time.
    fn take_block(&mut self, patience: Duration) -> io::Result<bool> {
        if self.held {
            self.held = false;
            self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.current = self.current.wrapping_add(1) % self.blocks;
        }
        if !self.is_ready() {
            self.wait(patience)?;
            if !self.is_ready() {
                return Ok(false);
            }
        }
        self.held = true;
        let number = |place: usize| u32_at(self.block(), place).unwrap_or(0);
        (self.left, self.at) = (number(COUNT), usize::try_from(number(FIRST)).unwrap_or(usize::MAX));
        Ok(self.left > 0)
    }

    fn is_ready(&self) -> bool {
        self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    fn wait(&self, patience: Duration) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR)) {
            // Asking clears it; it comes again while the interface stays down.
            sockopt::socket_error(&self.socket)?.map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// The status word of the current block.
    fn status(&self) -> &AtomicU32 {
        let at = self.current.saturating_mul(BLOCK).saturating_add(STATUS);
        // SAFETY: `current < blocks`, so the word lies in the mapping, which lives as long as `self`;
        // blocks begin on page boundaries, so it is aligned. The kernel writes to it as we do, in
        // one piece.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(at).cast()) }
    }

    /// The current block; nothing where it is the kernel's.
    fn block(&self) -> &[u8] {
        if !self.held {
            return &[];
        }
        let at = self.current.saturating_mul(BLOCK);
        // SAFETY: `current < blocks`, so the range lies in the mapping. While `held`, the kernel does
        // not write to the block, and we do so only in `take_block`, which borrows all of `self`.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(at), BLOCK) }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this size and nothing borrows from it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), BLOCK.saturating_mul(self.blocks)) };
    }
}

/// A packet's header, with places counted from the begin of the block.
struct Head {
    next: usize,
    time: (u32, u32),
    original: usize,
    begin: usize,
    end: usize,
}

impl Head {
    fn read(block: &[u8], at: usize) -> Option<Self> {
        let head = block.get(at..at.checked_add(28)?)?;
        let number = |place| usize::try_from(u32_at(head, place)?).ok();
        let link = usize::from(u16::from_ne_bytes(head.get(24..26)?.try_into().ok()?));
        let begin = at.checked_add(link)?;
        let end = begin.checked_add(number(12)?)?;
        let time = (u32_at(head, 4)?, u32_at(head, 8)?);
        block.get(begin..end)?;
        Some(Self { next: number(0)?, time, original: number(16)?, begin, end })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

fn request(blocks: usize) -> io::Result<libc::tpacket_req3> {
    let number = |size: usize| libc::c_uint::try_from(size).map_err(io::Error::other);
    Ok(libc::tpacket_req3 {
        tp_block_size: number(BLOCK)?,
        tp_block_nr: number(blocks)?,
        tp_frame_size: number(FRAME)?,
        tp_frame_nr: number(BLOCK / FRAME * blocks)?,
        tp_retire_blk_tov: RETIRE,
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    })
}

/// Sets a packet option.
fn set<T: Copy>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes from `value`, which are all of it.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            std::ptr::from_ref(value).cast(),
            length,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn map(socket: &OwnedFd, blocks: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at a place that the kernel chooses; it overlaps nothing of ours.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            BLOCK.saturating_mul(blocks),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            socket.as_raw_fd(),
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("the kernel mapped the ring nowhere"))
}

fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: ALL,
        sll_ifindex: i32::try_from(index).map_err(io::Error::other)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes from `address`, which are all of it.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with one packet of `length` bytes whose link header stands at `link`.
    fn block(link: u16, length: u32) -> Vec<u8> {
        let mut block = vec![0_u8; 256];
        for (at, number) in [(48, 0), (52, 7), (56, 9), (60, length), (64, 1_500)] {
            block.splice(at..at + 4, u32::to_ne_bytes(number));
        }
        block.splice(72..74, link.to_ne_bytes());
        block
    }

    #[test]
    fn a_packet_is_found_where_its_header_says() {
        let block = block(82, 100);
        let head = Head::read(&block, 48).unwrap();
        assert_eq!((head.begin, head.end, head.original, head.time), (130, 230, 1_500, (7, 9)));
    }

    #[test]
    fn a_packet_that_would_leave_its_block_is_refused() {
        assert!(Head::read(&block(82, 127), 48).is_none());
        assert!(Head::read(&block(82, u32::MAX), 48).is_none());
        assert!(Head::read(&block(u16::MAX, 1), 48).is_none());
        assert!(Head::read(&block(82, 100), 240).is_none());
        assert!(Head::read(&block(82, 100), usize::MAX).is_none());
    }

    /// Sends datagrams to itself over the loopback, then reads the ring until they are all accounted
    /// for: those seen, and those that the kernel dropped.
    fn account(sent: usize, size: usize) -> (usize, usize) {
        let mut ring = Ring::open(1, Shape::Incoming, 1).unwrap();
        let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = socket.local_addr().unwrap();
        for _ in 0..sent {
            socket.send_to(&vec![7; size], at).unwrap();
        }
        let port = at.port().to_be_bytes();
        let over = crate::clock::now().as_seconds();
        let mut seen = 0;
        while seen < sent
            && let Some(raw) = ring.next(Duration::from_millis(500)).unwrap()
            && i64::from(raw.time.0) <= over
        {
            let ours = raw.data.get(20..22) == Some(&port[..]) && raw.data.len() == raw.original;
            seen += usize::from(ours && raw.time.0 > 0);
        }
        (seen, usize::try_from(ring.dropped().unwrap()).unwrap())
    }

    #[test]
    fn every_packet_is_seen_once_or_counted_as_dropped() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: a packet ring needs root");
            return;
        }
        // Several rounds through all blocks would need a reader beside the sender; two fit.
        assert_eq!(account(5_000, 64), (5_000, 0));
        let (seen, dropped) = account(20_000, 1_400);
        assert!(seen < 20_000 && dropped > 0, "the ring held {seen} packets, more than it has room for");
        assert!(seen + dropped >= 20_000, "{seen} seen and {dropped} dropped of 20000");
    }
}
