//! inotify's notices, boiled down to one question: may a watched file have changed?

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use super::survey::{Interest, Survey};

/// How long one wait lasts at most, so that the wish to end is heard.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
/// Notices read at once; more stay with the kernel.
const MOST_NOTICES: usize = 10_000;
const BUFFER: usize = 4_096;

/// The kernel's notices about folders.
#[derive(Debug)]
pub(super) struct Notices {
    fd: OwnedFd,
    asked: HashMap<PathBuf, i32>,
    interests: HashMap<i32, Interest>,
}

impl Notices {
    pub(super) fn open() -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { fd, asked: HashMap::new(), interests: HashMap::new() })
    }

    /// Asks for notices of these folders, and of no others.
    pub(super) fn ask(&mut self, survey: &Survey) {
        let gone: Vec<_> = self.asked.extract_if(|path, _| !survey.folders.contains_key(path)).collect();
        for (_, watch) in gone {
            self.interests.remove(&watch);
            let _ = inotify::remove_watch(&self.fd, watch);
        }
        let wanted = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        for (path, interest) in &survey.folders {
            // Asking again is harmless, and right where a folder was replaced by another.
            match inotify::add_watch(&self.fd, path, wanted) {
                Ok(watch) => {
                    self.asked.insert(path.clone(), watch);
                    self.interests.insert(watch, interest.clone());
                }
                // The sweep remains.
                Err(error) => tracing::debug!(%error, path = %path.display(), "no notices of a folder"),
            }
        }
    }

    /// Waits a moment; whether something that matters was noticed.
    pub(super) fn wait(&mut self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        poll(&mut fds, Some(&PATIENCE)).unwrap_or(0) > 0 && self.drain()
    }

    fn drain(&mut self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        let mut matters = false;
        for _ in 0..MOST_NOTICES {
            let Ok(notice) = reader.next() else { break };
            let name = notice.file_name().map(|name| name.to_string_lossy());
            matters |= match (name, self.interests.get(&notice.wd())) {
                (Some(name), Some(interest)) => interest.has(&name),
                // The folder itself, or notices were lost. That a watch has been given up is our own doing.
                _ => !notice.events().contains(ReadFlags::IGNORED),
            };
        }
        matters
    }
}
