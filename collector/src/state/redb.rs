//! The default store: one redb file.
//!
//! One table per record family, one write transaction per commit, each durable before it
//! returns. No savepoints and no table renames: those are where this store has had its bugs.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Database, ReadableDatabase, TableDefinition, TableError};

use super::guard::guarded;
use super::{Entry, Error, State, Table, Writes};

const NAME: &str = "redb";

/// Bytes of page cache. The default is a gigabyte; the state's hot part is a few megabytes.
const CACHE: usize = 64 * 1024 * 1024;

/// An open redb file.
pub(super) struct Redb {
    path: PathBuf,
    /// Written only by [`State::check`], which needs the database for itself.
    database: RwLock<Database>,
}

const fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

impl Redb {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let open = || Database::builder().set_cache_size(CACHE).create(path).map_err(|e| e.to_string());
        let refused = |reason| Error::Open { path: path.to_owned(), backend: NAME, reason };
        let database = guarded(open).map_err(refused)?;
        restrict(path).map_err(|error| refused(error.to_string()))?;
        Ok(Self { path: path.to_owned(), database: RwLock::new(database) })
    }

    /// Runs `work` on the database; whatever goes wrong becomes an [`Error::Store`].
    fn run<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        guarded(|| work(&database).map_err(|error| error.to_string())).map_err(|reason| Error::Store {
            doing,
            backend: NAME,
            reason,
        })
    }
}

/// Only the owner reads the state: it holds hashes of tokens and names of users.
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

impl State for Redb {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.run("reading a record", |database| {
            let transaction = database.begin_read()?;
            match transaction.open_table(definition(table)) {
                Err(TableError::TableDoesNotExist(_)) => Ok(None),
                Err(error) => Err(error.into()),
                Ok(open) => Ok(open.get(key)?.map(|value| value.value().to_vec())),
            }
        })
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
        self.run("reading records", |database| {
            let transaction = database.begin_read()?;
            let open = match transaction.open_table(definition(table)) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                open => open?,
            };
            let range = match to {
                Some(to) => open.range(from..to)?,
                None => open.range(from..)?,
            };
            let owned = |found: Result<_, redb::StorageError>| {
                let (key, value): (redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>) = found?;
                Ok((key.value().to_vec(), value.value().to_vec()))
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
        self.run("committing", |database| {
            let transaction = database.begin_write()?;
            for table in Table::ALL {
                let of_table: Vec<_> = writes.of(table).collect();
                if of_table.is_empty() {
                    continue;
                }
                let mut open = transaction.open_table(definition(table))?;
                for write in of_table {
                    match &write.value {
                        Some(value) => drop(open.insert(write.key.as_slice(), value.as_slice())?),
                        None => drop(open.remove(write.key.as_slice())?),
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    fn check(&self) -> Result<(), Error> {
        let failed = |reason| Error::Store { doing: "checking the file", backend: NAME, reason };
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let whole = guarded(|| database.check_integrity().map_err(|error| error.to_string()));
        drop(database);
        if !whole.map_err(failed)? {
            return Err(failed(format!(
                "{} was damaged and has been repaired; see what is missing",
                self.path.display()
            )));
        }
        super::read_all(self)
    }

    fn backend(&self) -> &'static str {
        NAME
    }
}
