//! Which process has a socket open: a walk through `/proc`, remembered.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;

/// Sockets remembered; when more come, all are forgotten.
const MOST_SOCKETS: usize = 65_536;

/// Processes that held a socket lately are looked at first.
const MOST_RECENT: usize = 16;

/// Processes that began last are looked at before all others.
const YOUNGEST: u32 = 8;

/// What opening the list of one process costs, in descriptors.
const COST_OF_A_PROCESS: u32 = 8;

/// Descriptors of one process that are looked at. Servers with more are found by their listener.
const MOST_OF_ONE: usize = 4_096;

/// Remembers who holds what.
#[derive(Debug)]
pub(super) struct Holders {
    proc: PathBuf,
    /// Process by socket inode; `None` where a search found nobody.
    known: HashMap<u32, Option<u32>, RandomState>,
    recent: VecDeque<u32>,
}

impl Holders {
    pub(super) fn new(proc: &Path) -> Self {
        Self { proc: proc.to_owned(), known: HashMap::default(), recent: VecDeque::new() }
    }

    /// The process that holds a socket. Where that is not known it looks through at most `left`
    /// descriptors, and takes off what it used.
    pub(super) fn of(&mut self, inode: u32, left: &mut u32) -> Option<u32> {
        if let Some(known) = self.known.get(&inode) {
            return *known;
        }
        let found = self.search(inode, left);
        if found.is_some() || *left > 0 {
            self.remember(inode, found);
        }
        if let Some(pid) = found {
            self.recent.retain(|other| *other != pid);
            self.recent.push_front(pid);
            self.recent.truncate(MOST_RECENT);
        }
        found
    }

    fn search(&mut self, inode: u32, left: &mut u32) -> Option<u32> {
        let recent: Vec<u32> = self.recent.iter().copied().collect();
        let found = self.youngest().into_iter().chain(recent).find_map(|pid| self.holds(pid, inode, left));
        if found.is_some() || *left == 0 {
            return found;
        }
        self.pids().into_iter().find_map(|pid| self.holds(pid, inode, left))
    }

    /// Looks through one process or thread, and remembers all that it holds; the process, if it holds
    /// the socket.
    fn holds(&mut self, pid: u32, inode: u32, left: &mut u32) -> Option<u32> {
        if *left == 0 {
            return None;
        }
        *left = left.saturating_sub(COST_OF_A_PROCESS);
        let Ok(entries) = fs::read_dir(self.proc.join(pid.to_string()).join("fd")) else { return None };
        let mut held = None;
        let mut leader = None;
        for entry in entries.flatten().take(MOST_OF_ONE) {
            *left = left.saturating_sub(1);
            let target = fs::read_link(entry.path()).unwrap_or_default();
            if let Some(socket) = target.to_str().and_then(inode_of) {
                let leader = *leader.get_or_insert_with(|| self.leader(pid));
                self.remember(socket, Some(leader));
                if socket == inode {
                    held = Some(leader);
                }
            }
        }
        held
    }

    /// The process that a number stands for, which may be one of its threads.
    fn leader(&self, number: u32) -> u32 {
        let status =
            fs::read_to_string(self.proc.join(number.to_string()).join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
        line.and_then(|line| line.trim().parse().ok()).unwrap_or(number)
    }

    fn remember(&mut self, inode: u32, pid: Option<u32>) {
        if self.known.len() >= MOST_SOCKETS {
            self.known.clear();
        }
        self.known.insert(inode, pid);
    }

    /// The processes that began last, which are the likeliest to open a connection. A child that
    /// inherits the socket comes behind the parent who opened it.
    fn youngest(&self) -> Vec<u32> {
        let last = fs::read_to_string(self.proc.join("sys/kernel/ns_last_pid")).unwrap_or_default();
        let Ok(last) = last.trim().parse::<u32>() else { return Vec::new() };
        (last.saturating_sub(YOUNGEST)..=last).collect()
    }

    /// All processes, the youngest first as far as numbers tell.
    fn pids(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(&self.proc) else { return Vec::new() };
        let mut pids: Vec<u32> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        pids.sort_unstable_by(|a, b| b.cmp(a));
        pids
    }
}

/// The number in `socket:[7]`.
fn inode_of(target: &str) -> Option<u32> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(proc: &Path, pid: u32, targets: &[&str]) {
        let folder = proc.join(pid.to_string()).join("fd");
        fs::create_dir_all(&folder).unwrap();
        for (number, target) in targets.iter().enumerate() {
            std::os::unix::fs::symlink(target, folder.join(number.to_string())).unwrap();
        }
    }

    #[test]
    fn a_thread_that_began_last_stands_for_its_process() {
        let proc = tempfile::tempdir().unwrap();
        process(proc.path(), 70, &["socket:[7]"]);
        fs::write(proc.path().join("70/status"), "Name:\ttool\nTgid:\t66\n").unwrap();
        fs::create_dir_all(proc.path().join("sys/kernel")).unwrap();
        fs::write(proc.path().join("sys/kernel/ns_last_pid"), "71\n").unwrap();
        assert_eq!(Holders::new(proc.path()).of(7, &mut 100), Some(66));
    }

    #[test]
    fn a_search_finds_the_holder_and_remembers_what_it_passed() {
        let proc = tempfile::tempdir().unwrap();
        process(proc.path(), 7, &["/dev/null", "socket:[70]"]);
        process(proc.path(), 9, &["socket:[90]", "pipe:[70]", "socket:[91]"]);
        let mut holders = Holders::new(proc.path());
        let mut left = 100;
        assert_eq!(holders.of(70, &mut left), Some(7));
        assert_eq!(left, 100 - 5 - 2 * COST_OF_A_PROCESS);
        assert_eq!(holders.of(91, &mut 0), Some(9), "it was passed already");
        assert_eq!(holders.of(5, &mut 0), None);
        assert_eq!(holders.of(5, &mut left), None);
        let used = left;
        assert_eq!(holders.of(5, &mut left), None);
        assert_eq!(left, used, "that nobody holds it was known");
    }
}
