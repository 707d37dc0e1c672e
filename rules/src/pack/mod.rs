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

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
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

/// Folders below a given path.
const MOST_DEPTH: usize = 32;

/// Files read, each of at most [`FILE_BYTES`]. The public Sigma rules are about 4,000.
const MOST_FILES: usize = 20_000;

/// Reads rule files where no key is trusted: packs are rejected. See [`read_trusted`].
#[must_use]
pub fn read_paths(paths: &[PathBuf]) -> (Vec<Source>, Vec<Rejected>) {
    read_trusted(paths, &[])
}

/// Reads rule files: a path that is a file as it is, a folder with everything below it that ends
/// in `.yml` or `.yaml` but not in `.cases.yml`, or in `.wpack`. In the order of their names. A
/// pack counts only where one of the trusted keys signed it. Links are followed, but every folder is
/// read once; only regular files are opened.
#[must_use]
pub fn read_trusted(paths: &[PathBuf], trusted: &[PublicKey]) -> (Vec<Source>, Vec<Rejected>) {
    let mut walk = Walk::default();
    for path in paths {
        walk.path(path, 0);
    }
    let Walk { mut files, mut rejected, .. } = walk;
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

/// A walk through folders that may hold links to each other.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    rejected: Vec<Rejected>,
    /// Folders walked so far, by device and inode: links may lead to one by many paths.
    seen: HashSet<(u64, u64)>,
    /// Whether it was told that there are more files than are taken.
    overflowed: bool,
}

impl Walk {
    fn path(&mut self, path: &Path, depth: usize) {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                if self.seen.insert((meta.dev(), meta.ino())) {
                    self.folder(path, depth);
                }
            }
            _ if depth > 0 && !is_rule(path) && !is_pack(path) => {}
            // Opening a pipe waits for whoever writes to it.
            Ok(meta) if !meta.is_file() => {
                self.refuse(path, "it is a pipe, socket or device; give a regular file".into());
            }
            // A file that is not there is told when it is opened.
            _ if self.files.len() < MOST_FILES => self.files.push(path.to_path_buf()),
            _ => self.overflow(path),
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        if depth >= MOST_DEPTH {
            let reason = format!("folders are nested deeper than {MOST_DEPTH}; flatten them");
            return self.refuse(path, reason);
        }
        match fs::read_dir(path) {
            Ok(entries) => {
                // In order, so that of several paths to one folder the same is always taken.
                let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
                entries.sort();
                entries.iter().for_each(|entry| self.path(entry, depth + 1));
            }
            Err(error) => self.refuse(path, format!("folder can not be read: {error}; check its rights")),
        }
    }

    fn overflow(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.overflowed, true) {
            let reason = format!(
                "there are more than {MOST_FILES} rule files; this one and what follows are not read, pack them or name fewer folders"
            );
            self.refuse(path, reason);
        }
    }

    fn refuse(&mut self, path: &Path, reason: String) {
        self.rejected.push(refused(path, reason));
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
    fn folders_that_link_to_each_other_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yml"), "title: x").unwrap();
        // Two loops make 2^32 paths of at most 32 folders.
        for name in ["left", "right"] {
            std::os::unix::fs::symlink(dir.path(), dir.path().join(name)).unwrap();
        }
        fs::create_dir(dir.path().join("z")).unwrap();
        fs::write(dir.path().join("z/b.yml"), "title: y").unwrap();
        std::os::unix::fs::symlink(dir.path().join("z"), dir.path().join("b")).unwrap();
        let (sources, rejected) = read_paths(&[dir.path().to_path_buf(), dir.path().join("left")]);
        let names: Vec<_> =
            sources.iter().map(|source| Path::new(&source.name).strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("a.yml"), Path::new("b/b.yml")]);
        assert_eq!(rejected, []);
    }

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        // A socket stands for a pipe too: neither is a regular file.
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("x.yml")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("z.wpack")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("p.yml")).status();
        let piped = usize::from(made.is_ok_and(|status| status.success()));
        for paths in [vec![dir.path().to_path_buf()], vec![dir.path().join("x.yml")]] {
            let (sources, rejected) = read_paths(&paths);
            assert_eq!(sources, []);
            let wanted = if paths[0] == dir.path() { 2 + piped } else { 1 };
            assert_eq!(rejected.len(), wanted, "{rejected:?}");
            assert!(rejected.iter().all(|one| one.reason.contains("regular file")), "{rejected:?}");
        }
    }

    #[test]
    fn files_beyond_the_bound_are_told_once() {
        let mut walk = Walk { files: vec![PathBuf::new(); MOST_FILES - 1], ..Walk::default() };
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.yml", "b.yml", "c.yml"] {
            fs::write(dir.path().join(name), "title: x").unwrap();
        }
        walk.path(dir.path(), 0);
        assert_eq!((walk.files.len(), walk.rejected.len()), (MOST_FILES, 1));
        assert!(walk.rejected[0].file.ends_with("b.yml"), "{:?}", walk.rejected);
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
