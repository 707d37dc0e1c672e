//! Which files to read: names with `*` in their last part, and what rotation made of a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use regex::Regex;

/// Files that one pattern may match; more is a mistake in the pattern and would eat descriptors.
pub(super) const MOST_FILES: usize = 256;

/// Entries of a folder that are looked at in one go; stops a folder filled to slow us down.
const MOST_ENTRIES: usize = 65_536;

/// Names that rotation gives: they are read as continuations, never as logs of their own.
static ROTATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:[.-]\d{1,3}|[.-]\d{8}(?:[.-]?\d+)?|[.-]\d{4}-\d\d-\d\d.*|\.old|~|\.(?:gz|xz|bz2|zst|zip|lz4|swp))$").ok()
});

fn is_rotated(name: &str) -> bool {
    ROTATED.as_ref().is_some_and(|pattern| pattern.is_match(name))
}

/// The files that `pattern` names now, sorted. A pattern without `*` names its file whether or not
/// it exists.
pub(super) fn expand(pattern: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    if !name.contains('*') {
        return vec![pattern.to_owned()];
    }
    let mut found: Vec<PathBuf> = names(folder)
        .into_iter()
        .filter(|found| fits(name, found) && !is_rotated(found))
        .map(|found| folder.join(found))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.truncate(MOST_FILES);
    found
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.take(MOST_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Whether `name` fits a pattern with `*`; hidden files are not meant.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part) && !name.starts_with('.');
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// What rotation may have made of the file at `path`, oldest first. Compressed files are left out.
pub(super) fn rotations(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let mut found: Vec<(SystemTime, usize, String, PathBuf)> = names(folder)
        .into_iter()
        .filter(|other| other != name && is_continuation(other, name, stem))
        .filter_map(|other| {
            let path = folder.join(&other);
            let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            Some((metadata.modified().ok()?, other.len(), other, path))
        })
        .collect();
    // Among equal times the higher number is older.
    found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
    found.into_iter().map(|entry| entry.3).collect()
}

fn is_continuation(other: &str, name: &str, stem: &str) -> bool {
    let packed = [".gz", ".xz", ".bz2", ".zst", ".zip", ".lz4"].iter().any(|end| other.ends_with(end));
    let follows =
        |base: &str| other.strip_prefix(base).is_some_and(|rest| rest.starts_with(['.', '-', '~', '_']));
    !packed && (follows(name) || (is_rotated(other.strip_suffix(".log").unwrap_or(other)) && follows(stem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part_of_the_last_name() {
        assert!(fits("*.log", "a.log") && fits("a*z", "abcz") && fits("a*b*c", "a1b2c") && fits("*", "x"));
        assert!(
            !fits("*.log", "a.txt") && !fits("a*z", "ab") && !fits("*", ".hidden") && !fits("ab*ba", "aba")
        );
    }

    #[test]
    fn rotated_files_are_continuations_and_not_logs_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["a.log", "a.log.1", "a.log.2.gz", "a.log-20261122", "a-20261121.log", "b.log", "ab.log.1"]
        {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let logs: Vec<_> = expand(&folder.path().join("*")).iter().map(name).collect();
        assert_eq!(logs, ["a-20261121.log", "a.log", "b.log"], "a dated name may be a log of its own");
        let mut rotated: Vec<_> = rotations(&folder.path().join("a.log")).iter().map(name).collect();
        rotated.sort();
        assert_eq!(rotated, ["a-20261121.log", "a.log-20261122", "a.log.1"]);
    }
}
