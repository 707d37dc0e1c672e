//! A state that lives in memory: for tests, and the model that the real stores are held to.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use super::{Entry, Error, State, Table, Writes};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// Ordered maps behind a lock. Nothing survives the process.
#[derive(Debug, Default)]
pub struct Memory(RwLock<BTreeMap<Table, Records>>);

impl State for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(tables.get(&table).and_then(|map| map.get(key)).cloned())
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        if to.is_some_and(|to| to <= from) {
            return Ok(Vec::new());
        }
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(map) = tables.get(&table) else { return Ok(Vec::new()) };
        let upper = to.map_or(Bound::Unbounded, Bound::Excluded);
        let found = map.range::<[u8], _>((Bound::Included(from), upper));
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(if reverse {
            found.rev().take(limit).map(owned).collect()
        } else {
            found.take(limit).map(owned).collect()
        })
    }

    fn commit(&self, writes: Writes) -> Result<(), Error> {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for write in writes.into_inner() {
            let map = tables.entry(write.table).or_default();
            match write.value {
                Some(value) => map.insert(write.key, value),
                None => map.remove(&write.key),
            };
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn backend(&self) -> &'static str {
        "memory"
    }
}
