//! Which process of this host holds an end of a flow.
//!
//! Asked when a flow opens: the kernel names the socket's inode (one exact question, no list), and
//! `/proc` says who has it open. Both are rationed, so that a flood of new flows costs attribution
//! and not packets; what was refused stays unnamed, it is never guessed. A process that ended before
//! its first packet was read leaves only its user, or nothing.

mod diag;
mod holders;
mod notes;

pub use notes::{Notes, listen};

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use watchpost_model::Timestamp;

use crate::flow::{Endpoint, Owner, Owners};
use crate::process::Users;
use crate::process::snapshot::Proc;
use diag::Diag;
use holders::Holders;

/// Questions to the kernel in a second. Each takes about 10 µs.
const MOST_QUESTIONS: u32 = 2_000;

/// Descriptors looked at in `/proc` in a second. Each takes about 2 µs.
const MOST_DESCRIPTORS: u32 = 50_000;

/// For how long a process is taken to be what it was: it may run another program next.
const FRESH: Duration = Duration::from_secs(2);

/// Processes remembered; when more come, all are forgotten.
const MOST_KNOWN: usize = 1_024;

/// Asks the kernel and `/proc`.
#[derive(Debug)]
pub struct Finder {
    diag: Diag,
    proc: Proc,
    holders: Holders,
    users: Users,
    notes: Notes,
    known: HashMap<u32, (Timestamp, Arc<Owner>), RandomState>,
    questions: Ration,
    descriptors: Ration,
}

impl Finder {
    /// A finder over this host's `/proc` and list of users, that looks into `notes` first.
    ///
    /// # Errors
    /// The kernel does not answer questions about sockets.
    pub fn open(notes: Notes) -> io::Result<Self> {
        let proc = Path::new("/proc");
        Ok(Self {
            diag: Diag::open()?,
            proc: Proc::new(proc),
            holders: Holders::new(proc),
            users: Users::new(Path::new("/etc/passwd")),
            notes,
            known: HashMap::default(),
            questions: Ration::of(MOST_QUESTIONS),
            descriptors: Ration::of(MOST_DESCRIPTORS),
        })
    }

    /// Who a process is, as it was at most [`FRESH`] ago.
    fn owner(&mut self, pid: u32, now: Timestamp) -> Option<Arc<Owner>> {
        if let Some((at, owner)) = self.known.get(&pid)
            && now.since(*at) < FRESH
        {
            return Some(Arc::clone(owner));
        }
        let snapshot = self.proc.snapshot(pid)?;
        let user = snapshot.uid.map(|uid| self.users.name(uid, now)).unwrap_or_default();
        let owner = Arc::new(Owner {
            pid: Some(pid),
            executable: snapshot.executable,
            command_line: snapshot.command_line,
            user,
        });
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(pid, (now, Arc::clone(&owner)));
        Some(owner)
    }
}

impl Owners for Finder {
    fn find(
        &mut self,
        protocol: u8,
        local: Endpoint,
        remote: Option<Endpoint>,
        now: Timestamp,
    ) -> Option<Arc<Owner>> {
        if let Some(remote) = remote
            && let Some(owner) = self.notes.read(&(protocol, local, remote))
        {
            return Some(owner);
        }
        let questions = self.questions.left(now);
        *questions = questions.checked_sub(1)?;
        let socket = self.diag.ask(protocol, local, remote)?;
        let pid = self.holders.of(socket.inode, self.descriptors.left(now));
        if let Some(owner) = pid.and_then(|pid| self.owner(pid, now)) {
            return Some(owner);
        }
        let user = self.users.name(socket.uid, now);
        Some(Arc::new(Owner { user, ..Owner::default() }))
    }
}

/// So many in a second.
#[derive(Debug)]
struct Ration {
    most: u32,
    second: i64,
    left: u32,
}

impl Ration {
    const fn of(most: u32) -> Self {
        Self { most, second: i64::MIN, left: 0 }
    }

    /// What is left of it in this second.
    const fn left(&mut self, now: Timestamp) -> &mut u32 {
        if now.as_seconds() != self.second {
            (self.second, self.left) = (now.as_seconds(), self.most);
        }
        &mut self.left
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

    use super::*;
    use crate::clock;

    fn end(at: SocketAddr) -> Endpoint {
        Endpoint { ip: at.ip(), port: at.port() }
    }

    fn is_this_process(owner: Option<Arc<Owner>>) -> bool {
        let program = std::env::current_exe().unwrap();
        owner.is_some_and(|owner| {
            owner.pid == Some(std::process::id()) && Path::new(&owner.executable) == program
        })
    }

    #[test]
    fn both_ends_of_a_connection_of_ours_are_ours() {
        let mut finder = Finder::open(Notes::default()).unwrap();
        for any in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "[::1]:0".parse().unwrap()] {
            let Ok(listener) = TcpListener::bind(any) else {
                println!("SKIPPED: no {any} here");
                continue;
            };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, remote) = (end(client.local_addr().unwrap()), end(client.peer_addr().unwrap()));
            assert!(is_this_process(finder.find(6, local, Some(remote), clock::now())));
            assert!(is_this_process(finder.find(6, remote, None, clock::now())), "the listener at {any}");
        }
    }

    #[test]
    fn a_socket_for_datagrams_is_found_whether_connected_or_not() {
        let mut finder = Finder::open(Notes::default()).unwrap();
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (here, there) = (end(client.local_addr().unwrap()), end(server.local_addr().unwrap()));
        assert!(is_this_process(finder.find(17, here, Some(there), clock::now())));
        client.connect(server.local_addr().unwrap()).unwrap();
        assert!(is_this_process(finder.find(17, here, Some(there), clock::now())));
        assert!(is_this_process(finder.find(17, there, Some(here), clock::now())));
    }

    #[test]
    fn nobody_holds_a_closed_port() {
        let mut finder = Finder::open(Notes::default()).unwrap();
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        assert!(finder.find(6, end(closed), None, clock::now()).is_none());
    }

    #[test]
    fn a_ration_is_full_again_in_the_next_second() {
        let mut ration = Ration::of(2);
        let at = |millis| Timestamp::from_millis(millis);
        *ration.left(at(100)) -= 2;
        assert_eq!(*ration.left(at(999)), 0);
        assert_eq!(*ration.left(at(1_000)), 2);
    }
}
