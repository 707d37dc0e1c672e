//! How many events of each agent reached the journal, and how many never did.
//!
//! What passed is counted from the journal; what was lost is kept in the state, because a gap
//! leaves no frame behind. Where both know a loss, the larger figure holds.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use watchpost_model::id::AgentId;
use watchpost_model::ledger::{Entry, Stage};

use super::ledger;
use crate::journal::Recovery;
use crate::state::{Error, State};

/// Counts of [`Stage::Journal`], by agent. Clones are the same counts.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<RwLock<HashMap<AgentId, (u64, u64)>>>);

impl Counts {
    pub(super) fn recover(recovery: &Recovery, state: &dyn State) -> Result<Self, Error> {
        let mut all: HashMap<AgentId, (u64, u64)> = HashMap::new();
        for ((agent, _), mark) in &recovery.high_water {
            let count = all.entry(*agent).or_default();
            count.0 = count.0.saturating_add(mark.events);
            count.1 = count.1.saturating_add(mark.lost);
        }
        for (agent, lost) in ledger::all(state)? {
            let count = all.entry(agent).or_default();
            count.1 = count.1.max(lost);
        }
        Ok(Self(Arc::new(RwLock::new(all))))
    }

    pub(super) fn add(&self, agent: AgentId, passed: u64, lost: u64) -> u64 {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(agent).or_default();
        count.0 = count.0.saturating_add(passed);
        count.1 = count.1.saturating_add(lost);
        count.1
    }

    /// The count of one agent; zero where it has sent nothing.
    #[must_use]
    pub fn of(&self, agent: AgentId) -> Entry {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (passed, lost) = all.get(&agent).copied().unwrap_or_default();
        Entry { stage: Stage::Journal, passed, lost }
    }
}
