//! Which files the configured paths mean now, and which folders would change if that changed.
//!
//! A path may not exist yet, so every folder on the way to it is of interest, but only for the
//! next name on the way: `/etc` is watched for `passwd`, not for all that happens there. A
//! configured folder is of interest as a whole, with the folders below it. Bounded in both.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Most files watched; what is more is said to be blind.
pub(super) const MOST_FILES: usize = 8_192;
/// Most folders asked for notices.
const MOST_FOLDERS: usize = 2_048;
/// Folders below a configured one.
const DEPTH: usize = 6;

/// Names in a folder that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// Every one.
    All,
    /// Those that fit one of these, where `*` stands for anything.
    Names(Vec<String>),
}

impl Interest {
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|pattern| fits(name, pattern)),
        }
    }
}

/// What there is to watch.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) files: Vec<PathBuf>,
    pub(super) folders: BTreeMap<PathBuf, Interest>,
    left_out: bool,
}

impl Survey {
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut survey = Self::default();
        for path in paths {
            for target in survey.follow(path) {
                survey.take(target, DEPTH);
            }
        }
        survey.files.sort();
        survey.files.dedup();
        survey
    }

    /// What can not be seen, as sentences.
    pub(super) fn blind(&self) -> Vec<String> {
        let mut blind = Vec::new();
        let closed: Vec<_> = self.files.iter().filter(|path| super::look::is_closed(path)).collect();
        if let Some(first) = closed.first() {
            let (count, first) = (closed.len(), first.display());
            blind.push(format!("the content of {count} watched files can not be read, {first} among them"));
        }
        if self.left_out {
            blind.push(format!("only the first {MOST_FILES} of the watched files are compared"));
        }
        blind
    }

    /// Walks along one configured path as far as it exists.
    fn follow(&mut self, path: &Path) -> Vec<PathBuf> {
        let mut reached = vec![PathBuf::from("/")];
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let pattern = name.to_string_lossy();
            let mut next = Vec::new();
            for folder in reached {
                self.note(&folder, &pattern);
                next.extend(step(&folder, name, &pattern));
            }
            reached = next;
        }
        reached
    }

    fn note(&mut self, folder: &Path, pattern: &str) {
        if self.folders.len() >= MOST_FOLDERS {
            self.left_out = true;
            return;
        }
        let interest = self.folders.entry(folder.to_owned()).or_insert_with(|| Interest::Names(Vec::new()));
        if let Interest::Names(names) = interest
            && !names.iter().any(|known| known == pattern)
        {
            names.push(pattern.to_owned());
        }
    }

    /// Takes a file, or a folder with what is in it.
    fn take(&mut self, path: PathBuf, depth: usize) {
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if self.files.len() >= MOST_FILES || self.folders.len() >= MOST_FOLDERS {
            self.left_out = true;
        } else if !is_folder {
            self.files.push(path);
        } else if depth > 0 {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            let mut inside: Vec<_> = entries.take(MOST_FILES).map(|entry| entry.path()).collect();
            inside.sort();
            self.folders.insert(path, Interest::All);
            for path in inside {
                self.take(path, depth - 1);
            }
        }
    }
}

/// What in `folder` bears the name, or fits the pattern.
fn step(folder: &Path, name: &OsStr, pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains('*') {
        let path = folder.join(name);
        return Some(path).filter(|path| path.symlink_metadata().is_ok()).into_iter().collect();
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_FILES);
    entries
        .filter(|entry| fits(&entry.file_name().to_string_lossy(), pattern))
        .map(|entry| entry.path())
        .collect()
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(name: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (name, pattern, expected) in [
            ("a.log", "*.log", true),
            ("a.logs", "*.log", false),
            ("access-1.log", "acc*-*.log", true),
            ("x", "*", true),
            ("", "*", true),
            ("ab", "ab*b", false),
            ("passwd", "passwd", true),
            ("passwd-", "passwd", false),
        ] {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }

    #[test]
    fn a_path_that_is_not_there_yet_is_waited_for_on_the_way() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("home/eve")).unwrap();
        fs::create_dir_all(root.path().join("d/sub")).unwrap();
        fs::write(root.path().join("d/sub/f"), "x").unwrap();
        let survey = Survey::of(&[root.path().join("home/*/.ssh/keys"), root.path().join("d")]);
        assert_eq!(survey.files, [root.path().join("d/sub/f")]);
        let interest = |path: &str| survey.folders.get(&root.path().join(path));
        assert!(interest("home/eve").unwrap().has(".ssh") && !interest("home/eve").unwrap().has("notes"));
        assert_eq!(interest("d/sub"), Some(&Interest::All));
        assert!(survey.blind().is_empty());
    }
}
