//! Where the spool's bytes lie: a folder on disk, or a fault-injecting one in tests.
//!
//! The trait is as small as the spool's promise needs: write at an offset, make durable, cut,
//! replace a whole small file atomically. The disk keeps everything readable by its owner only,
//! since batches hold what the host's logs hold.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder of files, as the spool sees it.
pub trait Storage: Send {
    /// Names of the files, in no order.
    ///
    /// # Errors
    /// The folder can not be read.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// At most `most` bytes from `offset`; fewer at the end of the file.
    ///
    /// # Errors
    /// The file is missing or can not be read.
    fn read(&mut self, name: &str, offset: u64, most: usize) -> io::Result<Vec<u8>>;
    /// Writes all bytes at `offset`, making the file where it is missing. Not yet durable.
    ///
    /// # Errors
    /// Any part may have been written before the failure.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `length`.
    ///
    /// # Errors
    /// The file is as it was.
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()>;
    /// Makes the file's bytes durable.
    ///
    /// # Errors
    /// What has been written since the last success may be lost, and may not be tried again.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Makes new and removed names durable.
    ///
    /// # Errors
    /// As [`Storage::sync`].
    fn sync_names(&mut self) -> io::Result<()>;
    /// Puts a whole file in place of another: durable, and never half.
    ///
    /// # Errors
    /// The old file is still there.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file. A missing one is fine.
    ///
    /// # Errors
    /// The file is still there.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// A folder on disk.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    open: HashMap<String, File>,
}

impl Disk {
    /// Opens the folder, making it where it is missing.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { folder: folder.to_owned(), open: HashMap::new() })
    }

    fn file(&mut self, name: &str, create: bool) -> io::Result<&File> {
        use std::collections::hash_map::Entry;
        match self.open.entry(name.to_owned()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let path = self.folder.join(name);
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(create).mode(0o600);
                Ok(entry.insert(options.open(path)?))
            }
        }
    }
}

impl Storage for Disk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&mut self, name: &str, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let file = self.file(name, false)?;
        let left = file.metadata()?.len().saturating_sub(offset);
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name, true)?.write_all_at(bytes, offset)
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.file(name, false)?.set_len(length)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name, false)?.sync_data()
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        replace_file(&self.folder.join(name), bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        match std::fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Writes a whole file beside `path`, syncs it, renames it over `path` and syncs the folder.
/// Readable by its owner only.
///
/// # Errors
/// What stood at `path` still stands there.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // A leftover of a crash may have other rights than we want; begin anew.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let done = file.write_all_at(bytes, 0).and_then(|()| file.sync_all());
    if let Err(error) = done.and_then(|()| std::fs::rename(&fresh, path)) {
        let _ = std::fs::remove_file(&fresh);
        return Err(error);
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Reads a whole small file, refusing one over `most` bytes.
///
/// # Errors
/// Missing, unreadable, or larger than `most`.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {most} bytes")));
    }
    Ok(bytes)
}
