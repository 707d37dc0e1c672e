//! The second store: a sled directory, chosen by configuration.
//!
//! One tree holds all tables, each key behind its table's number, so that one batch is atomic
//! over tables. A commit is flushed before it returns. sled 0.34 panics on some damaged files;
//! every call is guarded.

use std::path::Path;

use sled::{Batch, Db};

use super::guard::guarded;
use super::{Entry, Error, State, Table, Writes};

const NAME: &str = "sled";

/// Bytes of page cache; the default is a gigabyte.
const CACHE: u64 = 64 * 1024 * 1024;

/// An open sled directory.
pub(super) struct Sled(Db);

/// Part of the layout: never reorder.
const fn number(table: Table) -> u8 {
    match table {
        Table::Meta => 1,
        Table::Certificates => 2,
        Table::Tokens => 3,
        Table::Hosts => 4,
        Table::Alerts => 5,
        Table::AlertGroups => 6,
        Table::Incidents => 7,
        Table::IncidentGroups => 8,
        Table::HighWater => 9,
        Table::Ledger => 10,
        Table::Windows => 11,
    }
}

fn prefixed(table: Table, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(key.len() + 1);
    whole.push(number(table));
    whole.extend_from_slice(key);
    whole
}

impl Sled {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let config = sled::Config::new().path(path).cache_capacity(CACHE).flush_every_ms(None);
        guarded(|| config.open().map_err(|error| error.to_string())).map(Self).map_err(|reason| Error::Open {
            path: path.to_owned(),
            backend: NAME,
            reason,
        })
    }

    fn run<T>(&self, doing: &'static str, work: impl FnOnce(&Db) -> sled::Result<T>) -> Result<T, Error> {
        guarded(|| work(&self.0).map_err(|error| error.to_string())).map_err(|reason| Error::Store {
            doing,
            backend: NAME,
            reason,
        })
    }
}

impl State for Sled {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.run("reading a record", |db| Ok(db.get(prefixed(table, key))?.map(|value| value.to_vec())))
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
        let upper = to.map_or_else(|| vec![number(table) + 1], |to| prefixed(table, to));
        self.run("reading records", |db| {
            let range = db.range(prefixed(table, from)..upper);
            let owned = |found: sled::Result<(sled::IVec, sled::IVec)>| {
                let (key, value) = found?;
                Ok((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()))
            };
            if reverse {
                range.rev().take(limit).map(owned).collect()
            } else {
                range.take(limit).map(owned).collect()
            }
        })
    }

    fn commit(&self, writes: Writes) -> Result<(), Error> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        for write in writes.into_inner() {
            let key = prefixed(write.table, &write.key);
            match write.value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.run("committing", |db| {
            db.apply_batch(batch)?;
            db.flush()?;
            Ok(())
        })
    }

    fn check(&self) -> Result<(), Error> {
        self.run("checking the directory", |db| db.verify_integrity())?;
        super::read_all(self)
    }

    fn backend(&self) -> &'static str {
        NAME
    }
}
