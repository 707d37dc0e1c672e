//! What is read: files, folders, standard input, packed or not, and which kind of input each is.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Arguments, Error, Input, evtx, shown};

/// Folders within folders that are followed.
const MOST_DEPTH: u32 = 16;

/// First bytes that tell the kind.
const SNIFFED: usize = 8;

/// zstd's own limit for a window, as a power of two: what unpacking may hold in memory (128 MiB).
const MOST_WINDOW: u32 = 27;

/// One input.
#[derive(Debug)]
pub(super) struct Place {
    /// The path given; `-` is standard input.
    pub(super) path: PathBuf,
    /// Bytes on disk; 0 where that is not known.
    pub(super) size: u64,
}

impl Place {
    /// The name for people.
    pub(super) fn shown(&self) -> PathBuf {
        shown(&self.path)
    }
}

/// An opened input, from its first byte.
pub(super) struct Opened {
    pub(super) kind: Input,
    pub(super) reader: Box<dyn Read>,
    /// The file itself, where it is a plain one that can be sought.
    pub(super) file: Option<File>,
}

/// Every input: files as given, folders as the files in them, sorted by name.
///
/// # Errors
/// A folder that can not be read or holds nothing; files that are missing tell so when opened.
pub(super) fn places(paths: &[PathBuf]) -> Result<Vec<Place>, Error> {
    let mut places = Vec::new();
    for path in paths {
        let before = places.len();
        if path.is_dir() {
            folder(path, 0, &mut places).map_err(|source| Error::Read { path: path.clone(), source })?;
            if places.len() == before {
                return Err(Error::EmptyFolder { path: path.clone() });
            }
            continue;
        }
        let size = path.metadata().map_or(0, |data| data.len());
        places.push(Place { path: path.clone(), size });
    }
    Ok(places)
}

fn folder(path: &Path, depth: u32, places: &mut Vec<Place>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_file() {
            let size = entry.metadata().map_or(0, |data| data.len());
            places.push(Place { path: entry.path(), size });
        } else if kind.is_dir() && depth < MOST_DEPTH {
            folder(&entry.path(), depth + 1, places)?;
        }
    }
    Ok(())
}

/// Opens one input; `read` counts the bytes taken from disk.
///
/// # Errors
/// It can not be opened, or is packed in a way that is not unpacked here.
pub(super) fn open(place: &Place, arguments: &Arguments, read: &Arc<AtomicU64>) -> Result<Opened, Error> {
    let failed = |source| Error::Read { path: place.shown(), source };
    let (head, reader, file) = raw(&place.path, read).map_err(failed)?;
    unpacked(place, arguments, Opened { kind: Input::Ndjson, reader, file }, &head)
}

/// First bytes, a reader from the first byte on, and the file itself where it can be sought.
type Begun = (Vec<u8>, Box<dyn Read>, Option<File>);

fn raw(path: &Path, read: &Arc<AtomicU64>) -> io::Result<Begun> {
    let mut from: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let mut file = File::open(path)?;
        let head = sniff(&mut file)?;
        if file.seek(SeekFrom::Start(0)).is_ok() {
            let again = file.try_clone()?;
            let counted = Counted { inner: Box::new(file), read: Arc::clone(read) };
            return Ok((head, Box::new(counted), Some(again)));
        }
        // A pipe by name.
        Box::new(Cursor::new(head).chain(file))
    };
    let head = sniff(&mut from)?;
    let counted = Counted { inner: from, read: Arc::clone(read) };
    Ok((head.clone(), Box::new(Cursor::new(head).chain(counted)), None))
}

fn unpacked(place: &Place, arguments: &Arguments, opened: Opened, head: &[u8]) -> Result<Opened, Error> {
    let failed = |source| Error::Read { path: place.shown(), source };
    if head.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::Gzip { path: place.shown() });
    }
    let kind = |path: &Path, head: &[u8]| arguments.input.unwrap_or_else(|| Input::of(path, head));
    if !head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Opened { kind: kind(&place.path, head), ..opened });
    }
    let mut decoder = zstd::stream::read::Decoder::new(opened.reader).map_err(failed)?;
    decoder.window_log_max(MOST_WINDOW).map_err(failed)?;
    let head = sniff(&mut decoder).map_err(failed)?;
    // What the packed file is called inside: `auth.log.zst` is a log.
    let path = if place.path.extension().is_some_and(|end| end == "zst") {
        place.path.with_extension("")
    } else {
        place.path.clone()
    };
    let kind = kind(&path, &head);
    Ok(Opened { kind, reader: Box::new(Cursor::new(head).chain(decoder)), file: None })
}

fn sniff(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(SNIFFED);
    from.take(SNIFFED as u64).read_to_end(&mut head)?;
    Ok(head)
}

impl Input {
    /// What it is by its first bytes, else by its ending.
    fn of(path: &Path, head: &[u8]) -> Self {
        const CAPTURES: [[u8; 4]; 5] = [
            [0xd4, 0xc3, 0xb2, 0xa1],
            [0xa1, 0xb2, 0xc3, 0xd4],
            [0x4d, 0x3c, 0xb2, 0xa1],
            [0xa1, 0xb2, 0x3c, 0x4d],
            [0x0a, 0x0d, 0x0d, 0x0a],
        ];
        if head.starts_with(evtx::MAGIC) {
            return Self::Evtx;
        }
        if CAPTURES.iter().any(|magic| head.starts_with(magic)) {
            return Self::Pcap;
        }
        // `auth.log.1` is a log that was rotated.
        let is_number = |end: &std::ffi::OsStr| end.to_str().is_some_and(|end| end.parse::<u32>().is_ok());
        let rotated = path.extension().is_some_and(is_number).then(|| path.with_extension(""));
        match rotated.as_deref().unwrap_or(path).extension().and_then(|ending| ending.to_str()) {
            Some("pcap" | "pcapng" | "cap") => Self::Pcap,
            Some("log") => Self::Log,
            Some("evtx") => Self::Evtx,
            _ => Self::Ndjson,
        }
    }
}

/// Counts what is read.
struct Counted {
    inner: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_say_more_than_the_ending() {
        assert_eq!(Input::of(Path::new("a.log"), b"ElfFile\0"), Input::Evtx);
        assert_eq!(Input::of(Path::new("-"), &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]), Input::Pcap);
        assert_eq!(Input::of(Path::new("a.log"), b"Nov 22"), Input::Log);
        assert_eq!(Input::of(Path::new("a.evtx"), b""), Input::Evtx);
        assert_eq!(Input::of(Path::new("a"), b"{}"), Input::Ndjson);
        assert_eq!(Input::of(Path::new("auth.log.1"), b"Nov 22"), Input::Log);
        assert_eq!(Input::of(Path::new("a.json.1"), b"{}"), Input::Ndjson);
    }

    #[test]
    fn a_folder_stands_for_its_files_by_name() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("b")).unwrap();
        for name in ["c", "b/a", "a"] {
            std::fs::write(home.path().join(name), b"{}\n").unwrap();
        }
        let found = places(&[home.path().to_owned(), PathBuf::from("-")]).unwrap();
        let names: Vec<_> =
            found.iter().map(|place| place.path.strip_prefix(home.path()).unwrap_or(&place.path)).collect();
        assert_eq!(names, [Path::new("a"), Path::new("b/a"), Path::new("c"), Path::new("-")]);
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(places(&[empty.path().to_owned()]), Err(Error::EmptyFolder { .. })));
    }
}
