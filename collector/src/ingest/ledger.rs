//! Lost events in the state: table `ledger`, agent id to a count of 8 bytes, little-endian.

use watchpost_model::id::AgentId;

use crate::state::{Error, State, Table, Writes};

const KEY: &[u8] = b"journal/";

/// Writes how many events of an agent never reached the journal.
pub(super) fn keep(state: &dyn State, agent: AgentId, lost: u64) -> Result<(), Error> {
    let mut writes = Writes::default();
    writes.put(Table::Ledger, [KEY, agent.as_bytes()].concat(), lost.to_le_bytes().to_vec());
    state.commit(writes)
}

/// All counts.
pub(super) fn all(state: &dyn State) -> Result<Vec<(AgentId, u64)>, Error> {
    let found = state.range(Table::Ledger, KEY, Some(b"journal0"), false, usize::MAX)?;
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let agent = key.strip_prefix(KEY)?.try_into().ok()?;
        Some((AgentId::from_bytes(agent), u64::from_le_bytes(value.try_into().ok()?)))
    };
    Ok(found.into_iter().filter_map(read).collect())
}
