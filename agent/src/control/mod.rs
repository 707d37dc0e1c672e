//! What the running agent says about itself: one small file, replaced every two seconds.
//!
//! A file rather than a socket: whoever may read the state folder may know, nothing listens, and
//! after a crash it still tells what the last thing was.

mod cost;
mod screen;

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchpost_model::Timestamp;
use watchpost_model::ledger::Ledger;

pub use cost::{Cost, Meter};
pub use screen::screen;

use crate::{ship, spool};

/// The file's name in the state folder.
pub const FILE: &str = "status.json";
/// Span between two writings.
pub const EVERY: Duration = Duration::from_secs(2);
/// A status older than this is of an agent that no longer runs.
pub const STALE: Duration = Duration::from_secs(10);

/// How the agent is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// When this was written.
    pub written: Timestamp,
    /// When the agent started.
    pub started: Timestamp,
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The agent's id.
    pub agent: String,
    /// The host's name.
    pub host: String,
    /// Capture rung in force.
    pub rung: String,
    /// What is read.
    pub sources: Vec<String>,
    /// What can not be seen, and why.
    pub blind: Vec<String>,
    /// What passed and what was lost, by stage.
    pub ledger: Ledger,
    /// What waits.
    pub spool: spool::Stats,
    /// How shipping goes.
    pub shipping: ship::Status,
    /// What the agent costs its host.
    pub cost: Cost,
}

impl Status {
    /// Writes the file.
    ///
    /// # Errors
    /// The old one still stands.
    pub fn write(&self, state_dir: &Path) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(io::Error::from)?;
        spool::replace_file(&state_dir.join(FILE), &json)
    }

    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// It can not be read, or is not a status.
    pub fn read(state_dir: &Path) -> io::Result<Option<Self>> {
        match spool::read_small(&state_dir.join(FILE), 4 << 20) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the agent that wrote this seems to be gone.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now.since(self.written) > STALE
    }
}
