//! Backup and restore: state as an export, journal segments and authority as they are.
//!
//! The state is exported before the journal is copied. A copy of a growing segment ends in a
//! torn tail at worst, which opening cuts; and a state older than its journal only means that
//! detection repeats a little, which its ids make harmless.

use std::fs;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::state::{self, State};

const EXPORT: &str = "state.ndjson";

const AUTHORITY: [&str; 2] = ["ca.crt", "ca.key"];

/// Why a backup or a restore did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file can not be copied.
    #[error("{doing} {} failed: {source}", path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The target is not new.
    #[error("{} already holds something; name a directory that does not exist yet", path.display())]
    Full {
        /// The directory.
        path: PathBuf,
    },
    /// The state.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The data directory.
    #[error(transparent)]
    Run(#[from] Box<crate::run::Error>),
}

pub(super) fn backup(state: &dyn State, data_dir: &Path, into: &Path) -> Result<String, Error> {
    make_new(into)?;
    let export = into.join(EXPORT);
    let failed = |source| Error::File { doing: "writing", path: export.clone(), source };
    let file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&export).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let records = state::export(state, &mut out)?;
    out.flush().map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    copy_all(data_dir, into)?;
    Ok(format!("{records} records of state, the journal and the authority are in {}", into.display()))
}

/// Fills the configured data directory, which must be new, from a backup.
///
/// # Errors
/// Says what failed; the data directory may then hold a part and must be removed.
pub fn restore(settings: &Settings, from: &Path) -> Result<String, Error> {
    make_new(&settings.data_dir)?;
    copy_all(from, &settings.data_dir)?;
    let opened = crate::run::open(settings).map_err(Box::new)?;
    let export = from.join(EXPORT);
    let file =
        fs::File::open(&export).map_err(|source| Error::File { doing: "reading", path: export, source })?;
    let records = state::import(opened.state.as_ref(), &mut BufReader::new(file))?;
    Ok(format!(
        "{records} records of state, the journal and the authority are in {}",
        settings.data_dir.display()
    ))
}

/// Authority and journal.
fn copy_all(from: &Path, into: &Path) -> Result<(), Error> {
    for name in AUTHORITY {
        copy(&from.join(name), &into.join(name))?;
    }
    let (from, into) = (from.join("journal"), into.join("journal"));
    make_new(&into)?;
    let failed = |source| Error::File { doing: "listing", path: from.clone(), source };
    let entries = match fs::read_dir(&from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        match copy(&from.join(&name), &into.join(&name)) {
            // Retention took it meanwhile.
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn copy(from: &Path, into: &Path) -> Result<(), Error> {
    let done = fs::copy(from, into).and_then(|_| fs::File::open(into)?.sync_all());
    done.map_err(|source| Error::File { doing: "copying", path: from.to_owned(), source })
}

/// Makes a directory; an empty one will do.
fn make_new(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { doing: "making", path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    if fs::read_dir(path).map_err(failed)?.next().is_some() {
        return Err(Error::Full { path: path.to_owned() });
    }
    Ok(())
}
