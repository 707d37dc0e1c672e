//! Why the state could not do what was asked.

use std::path::PathBuf;

/// A failure of the state store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not be opened.
    #[error(
        "state: opening {} ({backend}) failed: {reason}; if the file is damaged, move it away and run `watchpost-collector restore`",
        path.display()
    )]
    Open {
        /// The store's file or directory.
        path: PathBuf,
        /// Which store.
        backend: &'static str,
        /// Why.
        reason: String,
    },
    /// The store failed while in use.
    #[error(
        "state: {doing} failed in {backend}: {reason}; if this stays after a restart, run `watchpost-collector restore` from a backup"
    )]
    Store {
        /// What was attempted.
        doing: &'static str,
        /// Which store.
        backend: &'static str,
        /// Why.
        reason: String,
    },
    /// Records of a layout that this build does not know.
    #[error("state: {} has layout {found}, this build knows {known}; use the build that wrote it", path.display())]
    Layout {
        /// The store's file or directory.
        path: PathBuf,
        /// Layout found.
        found: String,
        /// Layout known.
        known: u32,
    },
    /// An export file that can not be taken in.
    #[error("state: the export is not usable at line {line}: {reason}")]
    Import {
        /// 1-based line.
        line: usize,
        /// Why.
        reason: String,
    },
    /// Reading or writing an export failed.
    #[error("state: moving the export failed; check the disk and the path")]
    Transfer(#[source] std::io::Error),
}
