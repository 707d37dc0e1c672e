//! The spool's books: how far the collector has acknowledged, and what became of every event.
//!
//! One small JSON file, replaced as a whole. It may lag behind the segments (a repeated batch is
//! recognised by the collector), it never runs ahead of them. Every event number is in exactly
//! one of: acknowledged, refused, evicted, damaged, waiting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;

/// The file's name.
pub(super) const NAME: &str = "ledger";
/// Layout of this file.
const VERSION: u32 = 1;
/// More than this is not a ledger of ours.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What became of events since the spool began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Books {
    /// Events that the collector has made durable.
    pub acknowledged: u64,
    /// Batches that the collector has made durable.
    pub acknowledged_batches: u64,
    /// Events that the collector will never take; kept aside for a while.
    pub refused: u64,
    /// Batches that the collector will never take.
    pub refused_batches: u64,
    /// Events thrown away because the spool was full.
    pub evicted: u64,
    /// Batches thrown away because the spool was full.
    pub evicted_batches: u64,
    /// Events that could not be read back from the disk.
    pub damaged: u64,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) version: u32,
    /// Random, made with the spool: numbers only mean something within an epoch.
    pub(super) epoch: u64,
    /// Last sequence that is done with.
    pub(super) sequence: u64,
    /// First event number that is not done with.
    pub(super) event: u64,
    pub(super) next_sequence: u64,
    pub(super) next_event: u64,
    pub(super) books: Books,
    pub(super) positions: BTreeMap<String, String>,
}

impl Ledger {
    /// The books of a spool that holds nothing.
    pub(super) fn fresh(epoch: u64) -> Self {
        Self { version: VERSION, epoch, event: 1, next_sequence: 1, next_event: 1, ..Self::default() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the file. `Ok(None)` where it is not a ledger: the segments know enough to go on.
    ///
    /// # Errors
    /// [`Error::Version`] for one of a later build.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        #[derive(Deserialize)]
        struct Probe {
            version: u32,
        }
        match serde_json::from_slice::<Probe>(bytes) {
            Ok(probe) if probe.version > VERSION => Err(Error::Version { found: probe.version }),
            Ok(_) => Ok(serde_json::from_slice(bytes).ok()),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_comes_back_and_junk_is_none() {
        let mut ledger = Ledger::fresh(u64::MAX);
        ledger.positions.insert("a".into(), "{\"b\":1}".into());
        assert_eq!(Ledger::parse(&ledger.encode()).unwrap(), Some(ledger));
        assert_eq!(Ledger::parse(b"{\"version\":1").unwrap(), None);
        assert!(matches!(Ledger::parse(b"{\"version\":7}"), Err(Error::Version { found: 7 })));
    }
}
