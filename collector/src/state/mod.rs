//! The collector's state: small records that change (certificates, alerts, incidents, cursors).
//!
//! One [`State`] trait, several stores behind it: redb by default, sled by configuration, and
//! [`Memory`] for tests. Writes come as one [`Writes`] that is applied whole and durable or not
//! at all. A damaged file is an error that says how to restore, never a panic: whatever a store
//! throws is caught here. Raw events never go in; they live in the journal.
//!
//! Tables, keys and the export file: `docs/formats/state.md`.

mod error;
mod guard;
mod memory;
mod redb;
mod sled;
#[cfg(test)]
mod tests;
mod transfer;

use std::path::PathBuf;
use std::sync::Arc;

pub use error::Error;
pub use memory::Memory;
pub use transfer::{export, import};

/// Which record family a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Format version, cursors and other single values.
    Meta,
    /// Registered certificates by fingerprint.
    Certificates,
    /// Enrolment tokens by the hash of their secret.
    Tokens,
    /// Hosts by agent id.
    Hosts,
    /// Alerts by id.
    Alerts,
    /// Open alert groups by group key.
    AlertGroups,
    /// Incidents by id.
    Incidents,
    /// Open incident groups by group key.
    IncidentGroups,
    /// Last batch per agent and epoch.
    HighWater,
    /// Loss counts of the collector's own stages, per agent.
    Ledger,
    /// Windows of correlations as they were at the last checkpoint, by rule and group.
    Windows,
}

impl Table {
    /// Every table, in the order in which they are exported.
    pub const ALL: [Self; 11] = [
        Self::Meta,
        Self::Certificates,
        Self::Tokens,
        Self::Hosts,
        Self::Alerts,
        Self::AlertGroups,
        Self::Incidents,
        Self::IncidentGroups,
        Self::HighWater,
        Self::Ledger,
        Self::Windows,
    ];

    /// The name used on disk and in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Certificates => "certificates",
            Self::Tokens => "tokens",
            Self::Hosts => "hosts",
            Self::Alerts => "alerts",
            Self::AlertGroups => "alert_groups",
            Self::Incidents => "incidents",
            Self::IncidentGroups => "incident_groups",
            Self::HighWater => "high_water",
            Self::Ledger => "ledger",
            Self::Windows => "windows",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// A record's key and value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) table: Table,
    pub(crate) key: Vec<u8>,
    /// `None` deletes.
    pub(crate) value: Option<Vec<u8>>,
}

/// Changes that become visible and durable together, or not at all. A later change of the same
/// key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes(Vec<Write>);

impl Writes {
    /// Sets a record.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        self.0.push(Write { table, key: key.into(), value: Some(value) });
    }

    /// Removes a record; nothing happens where there is none.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.0.push(Write { table, key: key.into(), value: None });
    }

    /// Adds the changes of another.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many changes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The changes of one table, in order.
    pub(crate) fn of(&self, table: Table) -> impl Iterator<Item = &Write> {
        self.0.iter().filter(move |write| write.table == table)
    }

    pub(crate) fn into_inner(self) -> Vec<Write> {
        self.0
    }
}

/// A store of small records.
pub trait State: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The store can not be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Up to `limit` records with `from <= key < to` (no upper bound where `to` is absent), in
    /// order of key or against it.
    ///
    /// # Errors
    /// The store can not be read.
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Entry>, Error>;

    /// Applies all changes in one durable transaction. Empty changes do nothing.
    ///
    /// # Errors
    /// Nothing was applied.
    fn commit(&self, writes: Writes) -> Result<(), Error>;

    /// Reads all there is and verifies what the store can verify.
    ///
    /// # Errors
    /// What is damaged.
    fn check(&self) -> Result<(), Error>;

    /// The store's name as the configuration spells it.
    fn backend(&self) -> &'static str;
}

/// Which store keeps the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// One file, `state.redb`.
    #[default]
    Redb,
    /// One directory, `state.sled`.
    Sled,
}

/// Where and how the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory that holds the store.
    pub directory: PathBuf,
    /// Which store.
    pub backend: Backend,
}

/// Opens the state, making it on first use.
///
/// # Errors
/// The store is damaged, in use by another process, or of a version this build does not know.
pub fn open(settings: &Settings) -> Result<Arc<dyn State>, Error> {
    let (path, state): (PathBuf, Arc<dyn State>) = match settings.backend {
        Backend::Redb => {
            let path = settings.directory.join("state.redb");
            (path.clone(), Arc::new(redb::Redb::open(&path)?))
        }
        Backend::Sled => {
            let path = settings.directory.join("state.sled");
            (path.clone(), Arc::new(sled::Sled::open(&path)?))
        }
    };
    check_layout(state.as_ref(), path)?;
    Ok(state)
}

/// Version of the records' layout.
const LAYOUT: u32 = 1;

const LAYOUT_KEY: &[u8] = b"layout";

fn check_layout(state: &dyn State, path: PathBuf) -> Result<(), Error> {
    match state.get(Table::Meta, LAYOUT_KEY)? {
        Some(found) if found == LAYOUT.to_string().as_bytes() => Ok(()),
        Some(found) => {
            Err(Error::Layout { path, found: String::from_utf8_lossy(&found).into_owned(), known: LAYOUT })
        }
        None => {
            let mut writes = Writes::default();
            writes.put(Table::Meta, LAYOUT_KEY, LAYOUT.to_string().into_bytes());
            state.commit(writes)
        }
    }
}

/// Reads every record once; what can not be read is an error.
fn read_all(state: &dyn State) -> Result<(), Error> {
    for table in Table::ALL {
        let mut from = Vec::new();
        loop {
            let found = state.range(table, &from, None, false, 1_000)?;
            let Some((last, _)) = found.last() else { break };
            from.clone_from(last);
            from.push(0);
        }
    }
    Ok(())
}
