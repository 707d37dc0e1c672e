//! The kernel's process connector: a netlink socket on which every exec is told at once.
//!
//! Needs root in the first pid and user namespace. In a container the kernel may take the wish to
//! listen and never say anything, so [`Connector::open`] waits for the kernel's acknowledgement.
//! Messages come from the kernel but are read like foreign bytes: no length is believed.

use std::io;
use std::os::fd::AsFd;

use netlink_sys::protocols::NETLINK_CONNECTOR;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Index and value of the process connector, and its multicast group (`CN_IDX_PROC`).
const PROC: u32 = 1;
/// The wish to listen (`PROC_CN_MCAST_LISTEN`).
const LISTEN: u32 = 1;
/// Type of a netlink message that stands alone (`NLMSG_DONE`).
const DONE: u16 = 3;
/// Bytes of the netlink header and of the connector's header.
const HEADERS: usize = 16 + 20;
/// Where an event's own fields begin, after what, cpu and time.
const FIELDS: usize = HEADERS + 16;
/// `PROC_EVENT_NONE`: the acknowledgement of a wish.
const ACKNOWLEDGED: u32 = 0;
/// `PROC_EVENT_EXEC`.
const EXEC: u32 = 2;
/// `PROC_EVENT_EXIT`.
const EXIT: u32 = 0x8000_0000;
/// Bytes that the kernel may keep for us: about 10,000 execs.
const KERNEL_BUFFER: u32 = 1024 * 1024;

/// What the connector tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The kernel heard our wish; 0 or an error number.
    Acknowledged(u32),
    /// A process has begun to run another program. Its thread group, which is its pid for people.
    Exec(u32),
    /// A process has ended: its pid, and its status as `wait` has it. Ends of threads are not told.
    Exit(u32, u32),
    /// Notices were lost because we were too slow.
    Overrun,
}

/// An open connector.
#[derive(Debug)]
pub(super) struct Connector {
    socket: Socket,
}

impl Connector {
    /// Opens the connector and waits until the kernel speaks.
    ///
    /// # Errors
    /// Missing rights, a kernel without connector, or one that stays silent (a container).
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.bind(&SocketAddr::new(0, PROC))?;
        // A smaller buffer only overruns earlier, and overruns are counted.
        let _ = socket.set_rx_buf_sz(KERNEL_BUFFER);
        socket.send_to(&wish(), &SocketAddr::new(0, 0), 0)?;
        let connector = Self { socket };
        for _ in 0..50 {
            match connector.next(20)? {
                Some(Notice::Acknowledged(0) | Notice::Exec(_) | Notice::Exit(..)) => return Ok(connector),
                Some(Notice::Acknowledged(code)) => {
                    return Err(io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(0)));
                }
                Some(Notice::Overrun) | None => {}
            }
        }
        Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel does not answer, as in a container"))
    }

    /// The next notice that matters, waiting at most `millis`.
    ///
    /// # Errors
    /// Those of the socket, save an overrun.
    pub(super) fn next(&self, millis: i64) -> io::Result<Option<Notice>> {
        let fd = self.socket.as_fd();
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let patience = Timespec { tv_sec: millis / 1_000, tv_nsec: (millis % 1_000) * 1_000_000 };
        if poll(&mut fds, Some(&patience)).unwrap_or(0) == 0 {
            return Ok(None);
        }
        match self.socket.recv_from_full() {
            // Only the kernel (port 0) is believed: any process may send to our port.
            Ok((bytes, from)) => {
                Ok(Some(from.port_number()).filter(|port| *port == 0).and_then(|_| parse(&bytes)))
            }
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {
                Ok(Some(Notice::Overrun))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn wish() -> Vec<u8> {
    let length = HEADERS + 4;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or(0).to_ne_bytes());
    bytes.extend(DONE.to_ne_bytes());
    bytes.extend([0; 2 + 4 + 4]); // flags, sequence, port
    bytes.extend(PROC.to_ne_bytes());
    bytes.extend(PROC.to_ne_bytes());
    bytes.extend([0; 4 + 4]); // sequence, acknowledgement
    bytes.extend(4_u16.to_ne_bytes());
    bytes.extend([0; 2]); // flags
    bytes.extend(LISTEN.to_ne_bytes());
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(word))
}

fn parse(bytes: &[u8]) -> Option<Notice> {
    if word(bytes, 16)? != PROC || word(bytes, 20)? != PROC {
        return None;
    }
    match word(bytes, HEADERS)? {
        ACKNOWLEDGED => Some(Notice::Acknowledged(word(bytes, FIELDS)?)),
        EXEC => Some(Notice::Exec(word(bytes, FIELDS + 4)?)),
        EXIT => {
            let (thread, process) = (word(bytes, FIELDS)?, word(bytes, FIELDS + 4)?);
            let status = word(bytes, FIELDS + 8)?;
            (thread == process).then_some(Notice::Exit(process, status))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(what: u32, fields: &[u32]) -> Vec<u8> {
        let mut bytes = wish();
        bytes.truncate(HEADERS);
        bytes.extend(what.to_ne_bytes());
        bytes.extend([0; 12]);
        bytes.extend(fields.iter().flat_map(|field| field.to_ne_bytes()));
        bytes
    }

    #[test]
    fn an_exec_names_the_thread_group() {
        assert_eq!(parse(&notice(EXEC, &[8, 7])), Some(Notice::Exec(7)));
        assert_eq!(parse(&notice(ACKNOWLEDGED, &[1])), Some(Notice::Acknowledged(1)));
        assert_eq!(parse(&notice(1, &[8, 7])), None);
        assert_eq!(parse(&notice(EXIT, &[7, 7, 256])), Some(Notice::Exit(7, 256)));
        assert_eq!(parse(&notice(EXIT, &[8, 7, 256])), None, "the end of a thread");
    }

    #[test]
    fn a_notice_cut_anywhere_is_refused() {
        let whole = notice(EXEC, &[8, 7]);
        for length in 0..whole.len() {
            assert_eq!(parse(whole.get(..length).unwrap()), None);
        }
    }

    #[test]
    fn the_wish_has_the_length_it_says() {
        assert_eq!(word(&wish(), 0), Some(u32::try_from(wish().len()).unwrap()));
    }
}
