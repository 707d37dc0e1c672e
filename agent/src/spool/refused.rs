//! Batches that the collector will never take, kept aside for whoever looks into it.
//!
//! Bounded: the oldest go first. Keeping them is a courtesy; that they are lost to the collector
//! has been counted before.

use std::path::{Path, PathBuf};

use super::{Waiting, replace_file};

/// Most batches kept aside.
const MOST: usize = 32;

#[derive(Debug)]
pub(super) struct Refused {
    folder: Option<PathBuf>,
}

impl Refused {
    pub(super) fn open(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// Keeps nothing.
    #[cfg(test)]
    pub(super) const fn none() -> Self {
        Self { folder: None }
    }

    /// Keeps a batch as `<sequence>.batch` with the reason beside it.
    pub(super) fn keep(&self, waiting: &Waiting, why: &str) {
        let Some(folder) = &self.folder else { return };
        let stem = folder.join(format!("{:020}", waiting.sequence));
        let kept = std::fs::create_dir_all(folder)
            .and_then(|()| replace_file(&stem.with_extension("batch"), &waiting.payload))
            .and_then(|()| replace_file(&stem.with_extension("txt"), why.as_bytes()));
        if let Err(error) = kept {
            tracing::warn!(sequence = waiting.sequence, %error, "could not keep a refused batch aside");
        }
        self.forget_oldest(folder);
    }

    fn forget_oldest(&self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let surplus = paths.len().saturating_sub(MOST * 2);
        for path in paths.iter().take(surplus) {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_refused_batches_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Refused::open(folder.path());
        for sequence in 1..=40 {
            refused.keep(&Waiting { sequence, events: 1, payload: vec![1] }, "no");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), MOST * 2);
        assert!(folder.path().join(format!("{:020}.batch", 40)).exists());
    }
}
