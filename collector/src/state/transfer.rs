//! Export and import: the whole state as one text file, so that no store is a prison.
//!
//! NDJSON: a header line `{"watchpost_state":1}`, then one line per record with base64 key and
//! value, then a trailer with the record count, so that a cut file is noticed. An import lands
//! in one store as batches and refuses a store that already holds records.

use std::io::{BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Error, State, Table, Writes};

/// Version of the export's layout.
const VERSION: u32 = 1;

/// Records read or written at a time.
const STEP: usize = 1_000;

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Header { watchpost_state: u32 },
    Record { table: String, key: String, value: String },
    Trailer { records: u64 },
}

/// Writes every record to `out`. Returns how many.
///
/// # Errors
/// The store can not be read, or `out` not written.
pub fn export(state: &dyn State, out: &mut dyn Write) -> Result<u64, Error> {
    let mut records = 0;
    put(out, &Line::Header { watchpost_state: VERSION })?;
    for table in Table::ALL {
        let mut from = Vec::new();
        loop {
            let found = state.range(table, &from, None, false, STEP)?;
            let Some((last, _)) = found.last() else { break };
            from.clone_from(last);
            from.push(0);
            for (key, value) in &found {
                let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
                put(out, &Line::Record { table: table.name().into(), key, value })?;
                records += 1;
            }
        }
    }
    put(out, &Line::Trailer { records })?;
    out.flush().map_err(Error::Transfer)?;
    Ok(records)
}

/// Reads an export into an empty state. Returns how many records.
///
/// # Errors
/// The file is cut, of another version or not an export; the state already holds records.
pub fn import(state: &dyn State, from: &mut dyn BufRead) -> Result<u64, Error> {
    refuse_full(state)?;
    let mut records = 0;
    let mut writes = Writes::default();
    let mut finished = false;
    let mut number = 0;
    for text in from.lines() {
        number += 1;
        let bad = |reason: &str| Error::Import { line: number, reason: reason.into() };
        let text = text.map_err(Error::Transfer)?;
        let line: Line = serde_json::from_str(&text).map_err(|error| bad(&error.to_string()))?;
        match line {
            Line::Header { watchpost_state: VERSION } if number == 1 => {}
            Line::Header { .. } => return Err(bad("another version of the layout, or a second header")),
            _ if number == 1 => return Err(bad("the header line is missing")),
            Line::Record { table, key, value } => {
                let table = Table::named(&table).ok_or_else(|| bad("unknown table"))?;
                let key = STANDARD.decode(key).map_err(|_| bad("the key is not base64"))?;
                let value = STANDARD.decode(value).map_err(|_| bad("the value is not base64"))?;
                writes.put(table, key, value);
                records += 1;
            }
            Line::Trailer { records: told } if told == records => finished = true,
            Line::Trailer { .. } => {
                return Err(bad("the record count does not match; the file is not whole"));
            }
        }
        if writes.len() >= STEP {
            state.commit(std::mem::take(&mut writes))?;
        }
    }
    if !finished {
        return Err(Error::Import {
            line: number,
            reason: "the last line is missing; the file is cut".into(),
        });
    }
    state.commit(writes)?;
    Ok(records)
}

/// The format version is the one record that a new store has.
fn refuse_full(state: &dyn State) -> Result<(), Error> {
    for table in Table::ALL {
        if table != Table::Meta && !state.range(table, &[], None, false, 1)?.is_empty() {
            let reason = "the state already holds records; import into a new data directory".into();
            return Err(Error::Import { line: 0, reason });
        }
    }
    Ok(())
}

fn put(out: &mut dyn Write, line: &Line) -> Result<(), Error> {
    let mut text = serde_json::to_vec(line).map_err(|error| Error::Transfer(error.into()))?;
    text.push(b'\n');
    out.write_all(&text).map_err(Error::Transfer)
}
