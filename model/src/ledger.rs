//! The loss ledger: at every stage between the wire and the rules, how much went through and
//! how much was lost. Both ends count with the same words, so the figures can be laid side by
//! side.

use serde::{Deserialize, Serialize};

/// A place where records pass or are lost, in the order in which they pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Packets handed over or dropped by the kernel.
    Kernel,
    /// Packets decoded, or not understood.
    Decode,
    /// Lines read from logs, or unreadable.
    Lines,
    /// Events from sensors taken into the agent's queue, or dropped because it was full.
    Queue,
    /// Events written to the spool, or evicted from it because it was full.
    Spool,
    /// Events acknowledged by the collector, or refused by it for good.
    Wire,
    /// Events in the collector's journal, or missing from an agent's sequence.
    Journal,
    /// Events that rules have seen, or that could not be read back.
    Detect,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 8] = [
        Self::Kernel,
        Self::Decode,
        Self::Lines,
        Self::Queue,
        Self::Spool,
        Self::Wire,
        Self::Journal,
        Self::Detect,
    ];

    /// The name used in fields and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Decode => "decode",
            Self::Lines => "lines",
            Self::Queue => "queue",
            Self::Spool => "spool",
            Self::Wire => "wire",
            Self::Journal => "journal",
            Self::Detect => "detect",
        }
    }

    /// The stage of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// The count of one stage since its program started (spool and later: since the spool's epoch).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where.
    pub stage: Stage,
    /// Records that went through.
    pub passed: u64,
    /// Records that were lost.
    pub lost: u64,
}

/// Counts of several stages, in stage order, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(pub Vec<Entry>);

impl Ledger {
    /// The count of a stage; zero where it has none.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Entry {
        self.0.iter().copied().find(|entry| entry.stage == stage).unwrap_or(Entry {
            stage,
            passed: 0,
            lost: 0,
        })
    }

    /// Sets the count of a stage.
    pub fn set(&mut self, stage: Stage, passed: u64, lost: u64) {
        let entry = Entry { stage, passed, lost };
        match self.0.binary_search_by_key(&stage, |entry| entry.stage) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    *slot = entry;
                }
            }
            Err(at) => self.0.insert(at, entry),
        }
    }

    /// All that was lost, over all stages.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.iter().map(|entry| entry.lost).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_keep_their_order_and_stand_once() {
        let mut ledger = Ledger::default();
        ledger.set(Stage::Wire, 1, 2);
        ledger.set(Stage::Kernel, 5, 3);
        ledger.set(Stage::Wire, 4, 2);
        assert_eq!(ledger.0.len(), 2);
        assert_eq!(ledger.get(Stage::Wire).passed, 4);
        assert_eq!(ledger.lost(), 5);
        assert_eq!(ledger.get(Stage::Spool).lost, 0);
    }
}
