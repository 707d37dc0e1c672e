//! Who on this host holds an end of a flow: the seam between the flow table and whoever knows.

use std::fmt::Debug;
use std::sync::Arc;

use watchpost_model::{Record, Timestamp, field};

use super::key::Endpoint;

/// A process, as far as it was known when the flow opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: Option<u32>,
    /// Path of the program; empty where it could not be read.
    pub executable: String,
    /// Command line, secrets masked.
    pub command_line: String,
    /// User name, or the number where it has none.
    pub user: String,
}

/// Names owners.
pub trait Owners: Debug + Send {
    /// Who holds `local`: the end of the connection with `remote`, or without it the one that
    /// listens there.
    fn find(
        &mut self,
        protocol: u8,
        local: Endpoint,
        remote: Option<Endpoint>,
        now: Timestamp,
    ) -> Option<Arc<Owner>>;
}

impl Owner {
    /// Puts the owner on a record.
    pub fn mark(&self, record: &mut Record) {
        record.set_some(field::PROCESS_PID, self.pid);
        let name = self.executable.rsplit('/').next().unwrap_or_default();
        for (id, text) in [
            (field::PROCESS_NAME, name),
            (field::PROCESS_EXECUTABLE, self.executable.as_str()),
            (field::PROCESS_COMMAND_LINE, self.command_line.as_str()),
            (field::USER_NAME, self.user.as_str()),
        ] {
            if !text.is_empty() {
                record.set(id, text);
            }
        }
    }
}
