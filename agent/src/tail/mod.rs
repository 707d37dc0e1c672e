//! Log files, line by line: each line once and in order, over rotations and restarts.
//!
//! One thread looks at all files every [`Settings::poll`]. Polling costs one `stat` and one short
//! read per file and look, works on every file system, and has no event queue to overflow. Lines
//! wait: when the agent's queue is full, reading stops and nothing is lost, as lines stay in their
//! files. With each event goes the place to resume from ([`Checkpoint`]), so that event and place
//! become durable together.

mod checkpoint;
mod fingerprint;
mod follow;
mod line;
mod opened;
mod paths;
mod thread;

pub use checkpoint::Checkpoint;
pub use fingerprint::Id;
pub use follow::From;
pub use line::{LineBuffer, RawLine};
pub use thread::start;

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::parse::Format;

/// One set of files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Name of the source, as in `watchpost.log.source`.
    pub name: String,
    /// Path; `*` in its last part stands for anything.
    pub path: PathBuf,
    /// How its lines are read.
    pub format: Format,
}

/// What to read and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The files.
    pub files: Vec<Files>,
    /// Where to begin in files that exist at the agent's very first start. Files that appear later
    /// are read from their start.
    pub from: From,
    /// Span between two looks; 200 ms is a good one.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { files: default_files(true), from: From::End, poll: Duration::from_millis(200) }
    }
}

/// The logs that every host is expected to have. `system` says whether those of syslog are wanted:
/// where the journal is read, they would tell everything twice.
#[must_use]
pub fn default_files(system: bool) -> Vec<Files> {
    const SYSTEM: [(&str, &str); 5] = [
        ("auth", "/var/log/auth.log"),
        ("secure", "/var/log/secure"),
        ("syslog", "/var/log/syslog"),
        ("messages", "/var/log/messages"),
        ("cron", "/var/log/cron"),
    ];
    const OWN: [(&str, &str); 11] = [
        ("auditd", "/var/log/audit/audit.log"),
        ("mysql", "/var/log/mysql/error*.log"),
        ("mariadb", "/var/log/mariadb/*.log"),
        ("postgresql", "/var/log/postgresql/*.log"),
        ("redis", "/var/log/redis/*.log"),
        ("vsftpd", "/var/log/vsftpd.log"),
        ("proftpd", "/var/log/proftpd/proftpd.log"),
        ("fail2ban", "/var/log/fail2ban.log"),
        ("nginx", "/var/log/nginx/*access*.log"),
        ("apache", "/var/log/apache2/*access*.log"),
        ("apache", "/var/log/httpd/*access*log"),
    ];
    let named = |(name, path): (&str, &str)| {
        Some(Files { name: name.to_owned(), path: PathBuf::from(path), format: Format::named(name)? })
    };
    let system = SYSTEM.into_iter().filter(|_| system);
    system.chain(OWN).filter_map(named).collect()
}

/// A sensor that runs.
#[derive(Debug)]
pub struct Running {
    /// Threads that end once the agent stops.
    pub threads: Vec<JoinHandle<()>>,
    /// What is read, one source each.
    pub sources: Vec<String>,
    /// What can not be read, and why; one sentence each.
    pub blind: Vec<String>,
}

#[cfg(test)]
mod tests;
