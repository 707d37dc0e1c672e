//! What `/proc` says of one process, read at once and within bounds.
//!
//! A process may end between any two reads; what could still be read is kept. Its command line and
//! directory are its own text, so they are bounded and cleaned of secrets.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use watchpost_model::event::Process;
use watchpost_model::{Event, Timestamp, field as f};

use super::users::Users;
use crate::parse::mask;

/// Bytes of a command line that are kept; the kernel allows two megabytes.
const COMMAND_BYTES: u64 = 16 * 1024;
/// Bytes of any other file below `/proc/<pid>`.
const FILE_BYTES: u64 = 8 * 1024;

/// A process as it was when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) executable: String,
    pub(crate) command_line: String,
    directory: String,
    name: String,
}

/// A folder like `/proc`.
#[derive(Clone, Debug)]
pub(crate) struct Proc(PathBuf);

impl Proc {
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// All process ids now.
    pub(super) fn pids(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// When a process began, in ticks since boot: with the pid it tells a process from its successor.
    pub(super) fn began(&self, pid: u32) -> Option<u64> {
        let stat = self.text(pid, "stat", FILE_BYTES)?;
        // The name in parentheses may hold anything; fields are counted from behind it.
        stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
    }

    /// Reads a process; `None` where it is gone or belongs to the kernel.
    pub(crate) fn snapshot(&self, pid: u32) -> Option<Snapshot> {
        // Most urgent first: what a short-lived process takes along.
        let executable = self.link(pid, "exe");
        let command_line = self.command_line(pid);
        let directory = self.link(pid, "cwd").unwrap_or_default();
        let status = self.text(pid, "status", FILE_BYTES)?;
        if executable.is_none() && command_line.is_empty() {
            return None;
        }
        let line =
            |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
        Some(Snapshot {
            pid,
            parent: line("PPid:").parse().unwrap_or(0),
            uid: line("Uid:").split_whitespace().next().and_then(|uid| uid.parse().ok()),
            executable: executable.unwrap_or_default(),
            command_line,
            directory,
            name: line("Name:").to_owned(),
        })
    }

    fn file(&self, pid: u32, name: &str) -> PathBuf {
        self.0.join(pid.to_string()).join(name)
    }

    fn link(&self, pid: u32, name: &str) -> Option<String> {
        let target = fs::read_link(self.file(pid, name)).ok()?.to_string_lossy().into_owned();
        // A program that was replaced on disk still runs under its old name.
        Some(target.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(target))
    }

    fn bytes(&self, pid: u32, name: &str, most: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.file(pid, name)).ok()?.take(most).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn text(&self, pid: u32, name: &str, most: u64) -> Option<String> {
        self.bytes(pid, name, most).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn command_line(&self, pid: u32) -> String {
        let bytes = self.bytes(pid, "cmdline", COMMAND_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        mask(text.trim_end_matches('\0').replace('\0', " ").trim()).into_owned()
    }
}

impl Snapshot {
    /// What it runs: changes when it becomes another program.
    pub(super) fn runs(&self) -> String {
        format!("{}\0{}", self.executable, self.command_line)
    }

    /// The event of its beginning.
    pub(super) fn event(self, parent: Option<Self>, users: &mut Users, now: Timestamp) -> Event {
        let parent = parent.unwrap_or_default();
        let user = self.uid.map(|uid| users.name(uid, now)).unwrap_or_default();
        let mut event = Event::from(Process {
            time: now,
            pid: self.pid,
            parent_pid: self.parent,
            executable: self.executable,
            command_line: self.command_line,
            working_directory: self.directory,
            parent_executable: parent.executable,
            parent_command_line: parent.command_line,
            user,
            exit_code: None,
        });
        let record = &mut event.record;
        record.set(f::EVENT_PROVIDER, "process");
        record.set_some(f::USER_ID, self.uid.map(|uid| uid.to_string()));
        if record.get(f::PROCESS_NAME).is_none() && !self.name.is_empty() {
            record.set(f::PROCESS_NAME, self.name);
        }
        if !parent.name.is_empty() {
            record.set(f::PROCESS_PARENT_NAME, parent.name);
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_ours_is_read_from_the_real_proc() {
        let proc = Proc::new(Path::new("/proc"));
        let own = std::process::id();
        let snapshot = proc.snapshot(own).unwrap();
        assert_eq!(snapshot.pid, own);
        assert!(
            snapshot.parent > 0 && snapshot.executable.starts_with('/') && !snapshot.command_line.is_empty()
        );
        assert!(proc.pids().contains(&own) && proc.began(own).is_some());
        assert!(proc.snapshot(u32::MAX).is_none());
    }

    #[test]
    fn secrets_and_length_of_a_command_line_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("7")).unwrap();
        let command = format!("tool\0--password\0hunter2\0{}", "x".repeat(100_000));
        fs::write(root.path().join("7/cmdline"), command).unwrap();
        fs::write(root.path().join("7/status"), "Name:\ttool\nPPid:\t1\nUid:\t5\t5\t5\t5\n").unwrap();
        fs::write(
            root.path().join("7/stat"),
            format!("7 (a) b) S {}", (0..30).map(|n| n.to_string() + " ").collect::<String>()),
        )
        .unwrap();
        let proc = Proc::new(root.path());
        let snapshot = proc.snapshot(7).unwrap();
        assert!(snapshot.command_line.starts_with("tool --password *** x"));
        assert!(snapshot.command_line.len() < 17_000);
        assert_eq!((snapshot.uid, snapshot.parent), (Some(5), 1));
        assert_eq!(proc.began(7), Some(18));
    }
}
