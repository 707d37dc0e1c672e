//! Why the journal could not do what was asked.

use std::io;
use std::path::PathBuf;

/// A failure of the journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("journal: {doing} {} failed; check the disk, its free space and the directory's owner", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A frame's bytes are not what was written.
    #[error(
        "journal: frame {number} in {} is damaged; its events are lost, the others stay readable",
        path.display()
    )]
    Damaged {
        /// The frame.
        number: u64,
        /// Its segment.
        path: PathBuf,
    },
    /// An earlier write or sync failed.
    #[error(
        "journal: an earlier write failed ({reason}), so nothing more is written; free or repair the disk and restart"
    )]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// A payload that no batch can have.
    #[error("journal: a frame of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A segment of a layout that this build does not know.
    #[error("journal: {} has layout {found}, this build reads {known}; use the build that wrote it", path.display())]
    Layout {
        /// The segment.
        path: PathBuf,
        /// Layout found.
        found: u16,
        /// Layout known.
        known: u16,
    },
}
