//! All watched files at one moment, kept on disk between lives, and what differs between two.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::look::Look;

/// Of the file's form; another one is not read.
const VERSION: u32 = 1;
/// Bytes of a baseline that are read back.
const MOST_BYTES: u64 = 16 << 20;

/// Files by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Baseline {
    version: u32,
    files: BTreeMap<PathBuf, Look>,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    /// `creation`, `change` or `deletion`.
    pub(super) what: &'static str,
    /// What differs, in words; only of a change.
    pub(super) reasons: Vec<&'static str>,
    /// How it is now; of a deletion, how it was.
    pub(super) look: Look,
}

impl Baseline {
    /// Looks at all of `files`.
    pub(super) fn look(files: &[PathBuf], before: Option<&Self>) -> Self {
        let known = |path| before.and_then(|before| before.files.get(path));
        let found = files.iter().filter_map(|path| Some((path.clone(), Look::at(path, known(path))?)));
        Self { version: VERSION, files: found.collect() }
    }

    /// Reads what an earlier life kept. A file that is absent or damaged is no baseline.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = crate::spool::read_small(path, MOST_BYTES).ok()?;
        let read: Result<Self, _> = serde_json::from_slice(&bytes);
        match read {
            Ok(baseline) if baseline.version == VERSION => Some(baseline),
            _ => {
                tracing::warn!(path = %path.display(), "the files' baseline is not readable; taking a new one");
                None
            }
        }
    }

    /// Keeps it, whole or not at all, readable by its owner only. Files whose names are no text can
    /// not be kept; they are told as new after each start.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut kept = self.clone();
        kept.files.retain(|path, _| path.to_str().is_some());
        let beside = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    }
}

/// What became of the files between two looks, in the order of their paths.
pub(super) fn compare(before: &Baseline, after: &Baseline) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, look) in &after.files {
        let (what, reasons) = match before.files.get(path) {
            None => ("creation", Vec::new()),
            Some(known) => ("change", known.differs(look)),
        };
        if what == "creation" || !reasons.is_empty() {
            changes.push(Change { path: path.clone(), what, reasons, look: look.clone() });
        }
    }
    for (path, look) in before.files.iter().filter(|(path, _)| !after.files.contains_key(*path)) {
        let (path, look) = (path.clone(), look.clone());
        changes.push(Change { path, what: "deletion", reasons: Vec::new(), look });
    }
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_comes_back_as_it_was_and_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (watched, kept) = (folder.path().join("f"), folder.path().join("files.json"));
        std::fs::write(&watched, "x").unwrap();
        let baseline = Baseline::look(&[watched], None);
        baseline.write(&kept).unwrap();
        assert_eq!(Baseline::read(&kept), Some(baseline));
        std::fs::write(&kept, "{\"version\":9}").unwrap();
        assert_eq!(Baseline::read(&kept), None);
        assert_eq!(Baseline::read(&folder.path().join("none")), None);
    }
}
