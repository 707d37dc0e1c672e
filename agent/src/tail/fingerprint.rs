//! Which file a file is: device and inode, and how it begins.
//!
//! Inodes alone are reused at once by some file systems, and a copy (`copytruncate`) has a new one;
//! the first bytes tell both cases apart. Only bytes that we have read take part, so that a file
//! that is still short is known again after it has grown.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use sha2::{Digest, Sha256};

/// Bytes of a file's beginning that identify it. Log lines begin with a time, so this is plenty.
pub(super) const HEAD_BYTES: usize = 256;

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
}

impl From<&Metadata> for Id {
    fn from(metadata: &Metadata) -> Self {
        Self { dev: metadata.dev(), ino: metadata.ino() }
    }
}

/// The first `length` bytes of a file, fewer where it is shorter.
///
/// # Errors
/// Those of reading.
pub(super) fn head(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.min(HEAD_BYTES)];
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// SHA-256 in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
