//! Records of detection in the state: JSON values under binary keys that sort by time.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use watchpost_model::Timestamp;
use watchpost_model::alert::Alert;
use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::incident::Incident;

use super::Error;
use crate::alerts::Drills;
use crate::assets::Entry;
use crate::state::{State, Table, Writes};

/// Key of the number of the last frame that detection is done with, in [`Table::Meta`].
const CURSOR: &[u8] = b"detect.cursor";

/// Key of the drills announced, in [`Table::Meta`].
const DRILLS: &[u8] = b"detect.drills";

/// Rows read at a time when a whole table is walked.
const CHUNK: usize = 1_000;

pub(super) fn get<T: DeserializeOwned>(
    state: &dyn State,
    table: Table,
    key: &[u8],
) -> Result<Option<T>, Error> {
    state.get(table, key)?.map(|bytes| decode(table, key, &bytes)).transpose()
}

pub(super) fn decode<T: DeserializeOwned>(table: Table, key: &[u8], bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| {
        let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
        Error::Record { table: table.name(), key, source }
    })
}

pub(super) fn put(
    writes: &mut Writes,
    table: Table,
    key: &[u8],
    value: &impl Serialize,
) -> Result<(), Error> {
    let bytes = serde_json::to_vec(value).map_err(|source| Error::Encode { table: table.name(), source })?;
    writes.put(table, key, bytes);
    Ok(())
}

/// Reads every row of a table in order of key. A row that can not be read is reported and left
/// out: one bad row must not keep a collector from starting.
pub(super) fn walk<T: DeserializeOwned>(
    state: &dyn State,
    table: Table,
    mut each: impl FnMut(&[u8], T),
) -> Result<(), Error> {
    let mut from = Vec::new();
    loop {
        let rows = state.range(table, &from, None, false, CHUNK)?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        from.clone_from(last);
        from.push(0);
        for (key, bytes) in &rows {
            match decode(table, key, bytes) {
                Ok(row) => each(key, row),
                Err(error) => tracing::error!(%error, "a row of the state was left out"),
            }
        }
    }
}

pub(super) fn cursor(state: &dyn State) -> Result<u64, Error> {
    Ok(get(state, Table::Meta, CURSOR)?.unwrap_or(0))
}

pub(super) fn put_cursor(writes: &mut Writes, frame: u64) -> Result<(), Error> {
    put(writes, Table::Meta, CURSOR, &frame)
}

/// Drills announced before. Some that can not be read are forgotten: their traces are then
/// ordinary alerts, which is the safe side.
pub(super) fn drills(state: &dyn State) -> Result<Drills, Error> {
    match get(state, Table::Meta, DRILLS) {
        Err(error @ Error::Record { .. }) => {
            tracing::error!(%error, "the drills announced are forgotten");
            Ok(Drills::default())
        }
        found => Ok(found?.unwrap_or_default()),
    }
}

pub(super) fn put_drills(writes: &mut Writes, drills: &Drills) -> Result<(), Error> {
    put(writes, Table::Meta, DRILLS, drills)
}

/// An alert by id.
///
/// # Errors
/// The state can not be read.
pub fn alert(state: &dyn State, id: AlertId) -> Result<Option<Alert>, Error> {
    get(state, Table::Alerts, id.as_bytes())
}

/// An incident by id.
///
/// # Errors
/// The state can not be read.
pub fn incident(state: &dyn State, id: IncidentId) -> Result<Option<Incident>, Error> {
    get(state, Table::Incidents, id.as_bytes())
}

/// A row of [`Table::AlertGroups`]: where repeats of a group go, or later versions of a finding.
/// Rows of a finding have keys of 16 bytes, those of a group 32.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Way {
    /// The finding's alert, its last event, and how many of its events are the finding's.
    Finding(AlertId, Timestamp, u64),
    /// The group's alert and its last event.
    Group(AlertId, Timestamp),
}

impl Way {
    pub(super) const fn alert(self) -> AlertId {
        match self {
            Self::Finding(alert, ..) | Self::Group(alert, _) => alert,
        }
    }

    pub(super) const fn last(self) -> Timestamp {
        match self {
            Self::Finding(_, last, _) | Self::Group(_, last) => last,
        }
    }
}

/// Where repeats of a group or versions of a finding go.
pub(super) fn way(state: &dyn State, key: &[u8]) -> Result<Option<Way>, Error> {
    get(state, Table::AlertGroups, key)
}

pub(super) fn put_host(writes: &mut Writes, entry: &Entry) -> Result<(), Error> {
    put(writes, Table::Hosts, entry.host.agent.as_bytes(), entry)
}
