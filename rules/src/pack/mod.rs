//! Rule files on disk, signed packs of them, and what is said about those that can not be used.
//!
//! The only room that reads files, and only those under the paths it is given. Plain files are
//! trusted as far as whoever may write them; a pack (`*.wpack`) only as far as its signature.

mod error;
mod key;
mod signed;

pub use error::Error;
pub use key::{PublicKey, SecretKey};
pub use signed::{Opened, PACK_BYTES, open, seal};

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::lint::Need;
use crate::parse::FILE_BYTES;

/// One YAML file; it may hold several documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it came from, for people: a path.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A document that is not used, or is used with a remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The file.
    pub file: String,
    /// The line, counted from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Why, and what to do.
    pub reason: String,
}

/// A rule that loads but that no event kind of ours can make fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blind {
    /// The rule's id.
    pub rule: String,
    /// Its title.
    pub name: String,
    /// The file.
    pub file: String,
    /// What is missing.
    pub reason: String,
    /// What source would light it.
    pub needs: Need,
}

/// Folders below a given path; more is a loop of links.
const MOST_DEPTH: usize = 32;

/// Reads rule files where no key is trusted: packs are rejected. See [`read_trusted`].
#[must_use]
pub fn read_paths(paths: &[PathBuf]) -> (Vec<Source>, Vec<Rejected>) {
    read_trusted(paths, &[])
}

/// Reads rule files: a path that is a file as it is, a folder with everything below it that ends
/// in `.yml` or `.yaml` but not in `.cases.yml`, or in `.wpack`. In the order of their names. A
/// pack counts only where one of the trusted keys signed it.
#[must_use]
pub fn read_trusted(paths: &[PathBuf], trusted: &[PublicKey]) -> (Vec<Source>, Vec<Rejected>) {
    let mut files = Vec::new();
    let mut rejected = Vec::new();
    for path in paths {
        walk(path, 0, &mut files, &mut rejected);
    }
    files.sort();
    files.dedup();
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        if is_pack(&file) {
            match read_pack(&file, trusted) {
                Ok(opened) => sources.extend(named_within(&file, opened)),
                Err(reason) => rejected.push(refused(&file, reason)),
            }
            continue;
        }
        match read(&file) {
            Ok(text) => sources.push(Source { name: file.display().to_string(), text }),
            Err(reason) => rejected.push(refused(&file, reason)),
        }
    }
    (sources, rejected)
}

fn walk(path: &Path, depth: usize, files: &mut Vec<PathBuf>, rejected: &mut Vec<Rejected>) {
    if !path.is_dir() {
        if depth == 0 || is_rule(path) || is_pack(path) {
            files.push(path.to_path_buf());
        }
        return;
    }
    if depth >= MOST_DEPTH {
        rejected.push(refused(
            path,
            format!("folders are nested deeper than {MOST_DEPTH}; look for a loop of links"),
        ));
        return;
    }
    match fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries.flatten() {
                walk(&entry.path(), depth + 1, files, rejected);
            }
        }
        Err(error) => {
            rejected.push(refused(path, format!("folder can not be read: {error}; check its rights")))
        }
    }
}

fn is_rule(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let rule = name.ends_with(".yml") || name.ends_with(".yaml");
    rule && !name.ends_with(".cases.yml") && !name.ends_with(".cases.yaml")
}

fn is_pack(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "wpack")
}

fn read_pack(path: &Path, trusted: &[PublicKey]) -> Result<Opened, String> {
    open(&bytes(path, PACK_BYTES)?, trusted).map_err(|error| error.to_string())
}

/// The files of a pack, each named after the pack and its own name in it.
fn named_within(pack: &Path, opened: Opened) -> impl Iterator<Item = Source> {
    let pack = pack.display().to_string();
    opened
        .files
        .into_iter()
        .map(move |file| Source { name: format!("{pack}:{}", file.name), text: file.text })
}

/// The content of a file of at most so many bytes.
fn bytes(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let file =
        fs::File::open(path).map_err(|error| format!("file can not be opened: {error}; check its rights"))?;
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(|error| format!("file can not be read: {error}"))?;
    if bytes.len() > most {
        return Err(format!("file has more than {most} bytes; split it into several files"));
    }
    Ok(bytes)
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = bytes(path, FILE_BYTES)?;
    String::from_utf8(bytes).map_err(|_| "file is not UTF-8 text; save it as UTF-8".to_owned())
}

fn refused(path: &Path, reason: String) -> Rejected {
    Rejected { file: path.display().to_string(), line: None, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_and_cases_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        for name in ["b.yml", "deep/a.yaml", "b.cases.yml", "notes.txt"] {
            fs::write(dir.path().join(name), "title: x").unwrap();
        }
        let (sources, rejected) = read_paths(&[dir.path().to_path_buf(), dir.path().join("gone.yml")]);
        let names: Vec<_> = sources.iter().filter_map(|source| source.name.rsplit('/').next()).collect();
        assert_eq!(names, ["b.yml", "a.yaml"]);
        assert_eq!(rejected.len(), 1);
        assert!(rejected[0].reason.contains("can not be opened"));
    }

    #[test]
    fn a_pack_in_a_folder_counts_only_with_a_trusted_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = SecretKey::parse(&SecretKey::generate().unwrap()).unwrap();
        let file = Source { name: "deep/a.yml".into(), text: "title: x".into() };
        let pack = seal("ours", watchpost_model::Timestamp::EPOCH, &[file], &key).unwrap();
        fs::write(dir.path().join("ours.wpack"), pack).unwrap();
        fs::write(dir.path().join("b.yml"), "title: y").unwrap();
        let paths = [dir.path().to_path_buf()];
        let (sources, rejected) = read_paths(&paths);
        assert_eq!((sources.len(), rejected.len()), (1, 1));
        assert!(rejected[0].reason.contains("not trusted"), "{rejected:?}");
        let (sources, rejected) = read_trusted(&paths, &[key.public()]);
        assert_eq!(rejected, []);
        assert!(sources[1].name.ends_with("ours.wpack:deep/a.yml"), "{sources:?}");
    }
}
