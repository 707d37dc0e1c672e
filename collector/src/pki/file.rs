//! Files that only their owner may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Error;

/// Writes a file of mode 0600 under a passing name, syncs it and renames it into place.
///
/// # Errors
/// [`Error::File`] names the file.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    write(path, text).map_err(|source| Error::File { doing: "writing", path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let passing = path.with_extension("new");
    match fs::remove_file(&passing) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&passing)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&passing, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// The text of a file, `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { doing: "reading", path: path.to_owned(), source }),
    }
}
